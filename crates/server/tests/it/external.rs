use stead_proto::command::v1::command::Attributes;
use stead_proto::command::v1::{
    Command, RequestCancelExternalWorkflowExecutionCommandAttributes, SignalExternalWorkflowExecutionCommandAttributes,
    StartChildWorkflowExecutionCommandAttributes,
};
use stead_proto::common::v1::{WorkflowExecution, WorkflowType};
use stead_proto::enums::v1::{
    CancelExternalWorkflowExecutionFailedCause as CancelCause,
    SignalExternalWorkflowExecutionFailedCause as SignalCause,
};
use stead_server::engine::Config;

use crate::last;
use crate::support::{
    Server, command, complete_workflow, execution, named_queue, start_request, start_timer, text, types,
};

const NO_SUCH_RUN: &str = "0e4b6a53-6a8d-4ac1-9b64-0d6d3a3c9b41";

fn signal(workflow_id: &str) -> SignalExternalWorkflowExecutionCommandAttributes {
    SignalExternalWorkflowExecutionCommandAttributes {
        execution: Some(execution(workflow_id)),
        signal_name: "greet".to_owned(),
        input: text("hello"),
        control: "7".to_owned(),
        ..Default::default()
    }
}

fn signals(signal: SignalExternalWorkflowExecutionCommandAttributes) -> Command {
    command(Attributes::SignalExternalWorkflowExecutionCommandAttributes(Box::new(signal)))
}

fn cancel(workflow_id: &str) -> RequestCancelExternalWorkflowExecutionCommandAttributes {
    RequestCancelExternalWorkflowExecutionCommandAttributes {
        workflow_id: workflow_id.to_owned(),
        reason: "enough".to_owned(),
        ..Default::default()
    }
}

fn cancels(cancel: RequestCancelExternalWorkflowExecutionCommandAttributes) -> Command {
    command(Attributes::RequestCancelExternalWorkflowExecutionCommandAttributes(Box::new(cancel)))
}

/// A workflow that no worker looks after, on a queue of its own.
fn start_other(server: &mut Server) -> String {
    let mut request = start_request("other");
    request.task_queue = named_queue("others");
    crate::call!(server, StartWorkflowExecution, request).run_id
}

#[test]
fn a_signal_reaches_the_other_workflow_and_the_sender_hears_so() {
    let mut server = Server::new();
    start_other(&mut server);
    let run_id = server.start("w");
    server.step(vec![signals(signal("other"))]);
    let received = last!(server.history("other"), WorkflowExecutionSignaledEventAttributes);
    assert_eq!((received.signal_name.as_str(), received.input), ("greet", text("hello")));
    assert_eq!(received.identity, "history-service");
    let sender = received.external_workflow_execution.unwrap();
    assert_eq!(sender, WorkflowExecution { workflow_id: "w".to_owned(), run_id });
    let history = server.history("w");
    assert!(
        types(&history).ends_with(
            "SignalExternalWorkflowExecutionInitiated ExternalWorkflowExecutionSignaled WorkflowTaskScheduled"
        ),
        "{}",
        types(&history)
    );
    let sent = last!(history, ExternalWorkflowExecutionSignaledEventAttributes);
    assert_eq!((sent.initiated_event_id, sent.control.as_str(), sent.namespace.as_str()), (5, "7", "default"));
    assert_eq!(sent.workflow_execution, Some(execution("other")));
}

#[test]
fn a_signal_to_nobody_to_itself_or_to_a_closed_workflow_fails() {
    let mut server = Server::new();
    start_other(&mut server);
    server.step_on("others", vec![complete_workflow()]);
    server.start("w");
    for id in ["nobody", "w", "other"] {
        server.step(vec![signals(signal(id))]);
        let failed = last!(server.history("w"), SignalExternalWorkflowExecutionFailedEventAttributes);
        assert_eq!(failed.cause(), SignalCause::ExternalWorkflowExecutionNotFound, "{id}");
        assert_eq!((failed.control.as_str(), failed.workflow_execution), ("7", Some(execution(id))));
    }
}

#[test]
fn a_workflow_takes_so_many_signals() {
    let mut config = Config::default();
    config.limits.signals = 1;
    let mut server = Server::with(config);
    start_other(&mut server);
    server.start("w");
    server.step(vec![signals(signal("other")), signals(signal("other"))]);
    let failed = last!(server.history("w"), SignalExternalWorkflowExecutionFailedEventAttributes);
    assert_eq!(failed.cause(), SignalCause::SignalCountLimitExceeded);
}

#[test]
fn what_is_meant_for_a_child_reaches_only_a_child() {
    let mut server = Server::new();
    start_other(&mut server);
    server.start("w");
    let child = StartChildWorkflowExecutionCommandAttributes {
        workflow_id: "child".to_owned(),
        workflow_type: Some(WorkflowType { name: "Child".to_owned() }),
        task_queue: named_queue("children"),
        ..Default::default()
    };
    let child = command(Attributes::StartChildWorkflowExecutionCommandAttributes(Box::new(child)));
    let to_child = |id| SignalExternalWorkflowExecutionCommandAttributes { child_workflow_only: true, ..signal(id) };
    server.step(vec![child, signals(to_child("child")), signals(to_child("other"))]);
    let failed = last!(server.history("w"), SignalExternalWorkflowExecutionFailedEventAttributes);
    assert_eq!(failed.workflow_execution, Some(execution("other")));
    assert!(server.events("child").ends_with("WorkflowExecutionSignaled"), "{}", server.events("child"));
    let of_child =
        |id| RequestCancelExternalWorkflowExecutionCommandAttributes { child_workflow_only: true, ..cancel(id) };
    server.step(vec![cancels(of_child("child")), cancels(of_child("other"))]);
    let failed = last!(server.history("w"), RequestCancelExternalWorkflowExecutionFailedEventAttributes);
    assert_eq!(failed.cause(), CancelCause::ExternalWorkflowExecutionNotFound);
    assert_eq!(failed.workflow_execution, Some(execution("other")));
    assert!(server.events("child").ends_with("WorkflowExecutionCancelRequested"), "{}", server.events("child"));
    assert_eq!(server.events("other"), "WorkflowExecutionStarted WorkflowTaskScheduled");
}

#[test]
fn a_cancellation_reaches_the_other_workflow_once() {
    let mut server = Server::new();
    let other = start_other(&mut server);
    server.start("w");
    let by_run = RequestCancelExternalWorkflowExecutionCommandAttributes { run_id: other, ..cancel("other") };
    server.step(vec![cancels(cancel("other")), cancels(by_run)]);
    let asked = last!(server.history("other"), WorkflowExecutionCancelRequestedEventAttributes);
    assert_eq!((asked.cause.as_str(), asked.identity.as_str()), ("enough", "history-service"));
    assert_eq!(
        (asked.external_initiated_event_id, asked.external_workflow_execution.unwrap().workflow_id),
        (5, "w".to_owned())
    );
    assert_eq!(server.events("other").matches("WorkflowExecutionCancelRequested").count(), 1);
    assert_eq!(server.events("w").matches("ExternalWorkflowExecutionCancelRequested").count(), 2);
}

#[test]
fn cancelling_a_closed_workflow_succeeds_and_cancelling_nobody_or_itself_fails() {
    let mut server = Server::new();
    start_other(&mut server);
    server.step_on("others", vec![complete_workflow()]);
    server.start("w");
    server.step(vec![cancels(cancel("other"))]);
    assert_eq!(
        last!(server.history("w"), ExternalWorkflowExecutionCancelRequestedEventAttributes).workflow_execution,
        Some(execution("other"))
    );
    let gone =
        RequestCancelExternalWorkflowExecutionCommandAttributes { run_id: NO_SUCH_RUN.to_owned(), ..cancel("other") };
    for cancel in [cancel("nobody"), cancel("w"), gone] {
        server.step(vec![cancels(cancel)]);
        let failed = last!(server.history("w"), RequestCancelExternalWorkflowExecutionFailedEventAttributes);
        assert_eq!(failed.cause(), CancelCause::ExternalWorkflowExecutionNotFound);
    }
    assert!(!server.events("w").contains("WorkflowExecutionCancelRequested WorkflowExecution"));
}

#[test]
fn a_workflow_that_closes_at_once_sends_nothing() {
    let mut server = Server::new();
    start_other(&mut server);
    server.start("w");
    server.step(vec![signals(signal("other")), cancels(cancel("other")), complete_workflow()]);
    assert_eq!(server.events("other"), "WorkflowExecutionStarted WorkflowTaskScheduled");
}

#[test]
fn the_outcome_waits_for_the_end_of_a_workflow_task() {
    let mut server = Server::new();
    start_other(&mut server);
    server.start("w");
    let task = server.task();
    server.signal("w", "hello");
    let next = server.complete(&task, vec![signals(signal("other"))]).workflow_task.expect("a task with the answer");
    assert!(!server.events("w").contains("ExternalWorkflowExecutionSignaled"));
    server.complete(&next, vec![start_timer("t", 5)]);
    assert!(server.events("w").contains("TimerStarted ExternalWorkflowExecutionSignaled"), "{}", server.events("w"));
}

#[test]
fn commands_about_others_are_refused_with_the_words_of_the_server() {
    let nameless = SignalExternalWorkflowExecutionCommandAttributes { signal_name: String::new(), ..signal("other") };
    let run = SignalExternalWorkflowExecutionCommandAttributes {
        execution: Some(WorkflowExecution { workflow_id: "other".to_owned(), run_id: "x".to_owned() }),
        ..signal("other")
    };
    let elsewhere = SignalExternalWorkflowExecutionCommandAttributes { namespace: "far".to_owned(), ..signal("other") };
    for (command, says) in [
        (
            signals(SignalExternalWorkflowExecutionCommandAttributes { execution: None, ..signal("other") }),
            "BadSignalWorkflowExecutionAttributes: Execution is not set on SignalExternalWorkflowExecutionCommand.",
        ),
        (
            signals(signal("")),
            "BadSignalWorkflowExecutionAttributes: WorkflowId is not set on SignalExternalWorkflowExecutionCommand. \
             Namespace= RunId= SignalName=greet",
        ),
        (
            signals(nameless),
            "BadSignalWorkflowExecutionAttributes: SignalName is not set on SignalExternalWorkflowExecutionCommand. \
             WorkflowId=other Namespace= RunId=",
        ),
        (
            signals(run),
            "BadSignalWorkflowExecutionAttributes: Invalid RunId set on SignalExternalWorkflowExecutionCommand. \
             WorkflowId=other Namespace= RunId=x SignalName=greet",
        ),
        (signals(elsewhere), "BadSignalWorkflowExecutionAttributes: cross namespace commands are not allowed"),
        (
            cancels(cancel("")),
            "BadRequestCancelExternalWorkflowExecutionAttributes: WorkflowId is not set on \
             RequestCancelExternalWorkflowExecutionCommand. Namespace= RunId=",
        ),
        (
            command(Attributes::StartTimerCommandAttributes(Default::default())),
            "BadStartTimerAttributes: TimerId is not set on StartTimerCommand.",
        ),
    ] {
        let mut config = Config::default();
        config.namespaces.push("far".to_owned());
        let mut server = Server::with(config);
        server.start("w");
        assert_eq!(server.refused(vec![command]), says);
    }
}

#[test]
fn so_many_signals_and_cancellations_under_way_and_no_more() {
    let mut config = Config::default();
    config.limits.pending = 1;
    for (commands, says) in [
        (
            vec![signals(signal("other")), signals(signal("other"))],
            "PendingSignalsLimitExceeded: the number of pending signals to external workflows, 1, has reached the \
             per-workflow limit of 1",
        ),
        (
            vec![cancels(cancel("other")), cancels(cancel("other"))],
            "PendingRequestCancelLimitExceeded: the number of pending requests to cancel external workflows, 1, has \
             reached the per-workflow limit of 1",
        ),
    ] {
        let mut server = Server::with(config.clone());
        server.start("w");
        assert_eq!(server.refused(commands), says);
    }
}
