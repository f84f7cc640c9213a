use std::time::Duration;

use stead_proto::command::v1::command::Attributes;
use stead_proto::command::v1::{
    Command, CompleteWorkflowExecutionCommandAttributes, RequestCancelExternalWorkflowExecutionCommandAttributes,
    StartChildWorkflowExecutionCommandAttributes,
};
use stead_proto::common::v1::{Priority, RetryPolicy, WorkflowType};
use stead_proto::enums::v1::{
    ParentClosePolicy, RetryState, StartChildWorkflowExecutionFailedCause, WorkflowIdReusePolicy,
};
use stead_server::engine::{Config, Response};

use crate::support::{
    Server, command, complete_request, complete_workflow, continue_as_new, decoded, execution, fail_with, named_queue,
    secs, start_request, start_timer, text, types,
};
use crate::{call, last};

/// A child on a queue of its own.
pub(crate) fn child(workflow_id: &str) -> StartChildWorkflowExecutionCommandAttributes {
    StartChildWorkflowExecutionCommandAttributes {
        workflow_id: workflow_id.to_owned(),
        workflow_type: Some(WorkflowType { name: "Child".to_owned() }),
        task_queue: named_queue("children"),
        ..Default::default()
    }
}

pub(crate) fn start_child(child: StartChildWorkflowExecutionCommandAttributes) -> Command {
    command(Attributes::StartChildWorkflowExecutionCommandAttributes(Box::new(child)))
}

/// A child with a policy.
fn closes(workflow_id: &str, policy: ParentClosePolicy) -> Command {
    start_child(StartChildWorkflowExecutionCommandAttributes {
        parent_close_policy: policy.into(),
        ..child(workflow_id)
    })
}

fn complete_with(result: &str) -> Command {
    command(Attributes::CompleteWorkflowExecutionCommandAttributes(CompleteWorkflowExecutionCommandAttributes {
        result: text(result),
    }))
}

#[test]
fn a_child_knows_its_parent_and_the_parent_hears_that_it_started() {
    let mut server = Server::new();
    let run_id = server.start("p");
    server.step(vec![start_child(child("c"))]);
    assert!(
        server.events("p").ends_with(
            "WorkflowTaskCompleted StartChildWorkflowExecutionInitiated ChildWorkflowExecutionStarted \
             WorkflowTaskScheduled"
        ),
        "{}",
        server.events("p")
    );
    assert_eq!(server.events("c"), "WorkflowExecutionStarted WorkflowTaskScheduled");
    let started = last!(server.history("c"), WorkflowExecutionStartedEventAttributes);
    let parent = started.parent_workflow_execution.clone().unwrap();
    assert_eq!((parent.workflow_id.as_str(), parent.run_id.as_str()), ("p", run_id.as_str()));
    assert_eq!(started.parent_initiated_event_id, 5);
    assert_eq!(started.parent_workflow_namespace, "default");
    assert_eq!(started.root_workflow_execution, Some(parent));
    assert_eq!((started.attempt, started.identity.as_str()), (1, ""));
    let initiated = last!(server.history("p"), StartChildWorkflowExecutionInitiatedEventAttributes);
    assert_eq!(initiated.parent_close_policy(), ParentClosePolicy::Terminate);
    assert_eq!(initiated.workflow_id_reuse_policy(), WorkflowIdReusePolicy::AllowDuplicate);
    assert_eq!((initiated.namespace.as_str(), initiated.workflow_task_timeout), ("default", secs(10)));
    let heard = last!(server.history("p"), ChildWorkflowExecutionStartedEventAttributes);
    assert_eq!(heard.workflow_execution.unwrap().run_id, started.first_execution_run_id);
    assert_eq!(heard.namespace_id, initiated.namespace_id);
    assert!(!heard.namespace_id.is_empty());
}

#[test]
fn a_parent_gets_the_result_of_its_child() {
    let mut server = Server::new();
    server.start("p");
    server.step(vec![start_child(child("c"))]);
    server.step(vec![]);
    server.step_on("children", vec![complete_with("done")]);
    server.step(vec![complete_workflow()]);
    let completed = last!(server.history("p"), ChildWorkflowExecutionCompletedEventAttributes);
    assert_eq!((completed.result, completed.initiated_event_id, completed.started_event_id), (text("done"), 5, 6));
    assert_eq!(completed.workflow_type.unwrap().name, "Child");
}

#[test]
fn a_parent_hears_how_its_children_ended() {
    let mut server = Server::new();
    server.start("p");
    let short = StartChildWorkflowExecutionCommandAttributes { workflow_run_timeout: secs(5), ..child("times out") };
    let ids = ["fails", "is cancelled", "is terminated"];
    let children = ids.into_iter().map(|id| start_child(child(id))).chain([start_child(short)]);
    server.step(children.collect());
    server.step_on("children", vec![fail_with("Wrong")]);
    let cancel = command(Attributes::CancelWorkflowExecutionCommandAttributes(Default::default()));
    server.step_on("children", vec![cancel]);
    server.terminate("is terminated");
    server.advance(Duration::from_secs(5));
    server.step(vec![complete_workflow()]);
    let history = server.history("p");
    let failed = last!(history, ChildWorkflowExecutionFailedEventAttributes);
    assert_eq!(failed.retry_state(), RetryState::RetryPolicyNotSet);
    assert_eq!(failed.failure.unwrap().message, "no");
    assert_eq!(last!(history, ChildWorkflowExecutionCanceledEventAttributes).initiated_event_id, 6);
    assert_eq!(last!(history, ChildWorkflowExecutionTerminatedEventAttributes).initiated_event_id, 7);
    let timed_out = last!(history, ChildWorkflowExecutionTimedOutEventAttributes);
    assert_eq!(timed_out.workflow_execution.unwrap().workflow_id, "times out");
}

#[test]
fn the_end_of_a_child_knows_its_start_even_when_both_waited_in_the_buffer() {
    let mut server = Server::new();
    server.start("p");
    let task = server.task();
    server.signal("p", "hello");
    let next = server.complete(&task, vec![start_child(child("c"))]).workflow_task.expect("a task with the answer");
    server.step_on("children", vec![complete_workflow()]);
    assert!(!types(&server.history("p")).contains("ChildWorkflowExecutionStarted"));
    server.complete(&next, vec![start_timer("t", 5)]);
    let history = server.history("p");
    assert!(
        types(&history).ends_with(
            "WorkflowTaskCompleted TimerStarted ChildWorkflowExecutionStarted ChildWorkflowExecutionCompleted \
             WorkflowTaskScheduled WorkflowTaskStarted"
        ),
        "{}",
        types(&history)
    );
    let started =
        history.iter().find(|event| event.event_type().as_str_name().ends_with("CHILD_WORKFLOW_EXECUTION_STARTED"));
    let completed = last!(history, ChildWorkflowExecutionCompletedEventAttributes);
    assert_eq!(completed.started_event_id, started.unwrap().event_id);
}

#[test]
fn a_child_whose_id_is_taken_does_not_start() {
    let mut server = Server::new();
    server.start("p");
    server.step(vec![start_child(child("c")), start_child(child("c"))]);
    let history = server.history("p");
    assert!(
        types(&history).ends_with(
            "StartChildWorkflowExecutionInitiated StartChildWorkflowExecutionInitiated ChildWorkflowExecutionStarted \
             WorkflowTaskScheduled StartChildWorkflowExecutionFailed"
        ),
        "{}",
        types(&history)
    );
    let failed = last!(history, StartChildWorkflowExecutionFailedEventAttributes);
    assert_eq!(failed.cause(), StartChildWorkflowExecutionFailedCause::WorkflowAlreadyExists);
    assert_eq!(failed.initiated_event_id, 6);
    server.step_on("children", vec![complete_workflow()]);
    let once = StartChildWorkflowExecutionCommandAttributes {
        workflow_id_reuse_policy: WorkflowIdReusePolicy::RejectDuplicate.into(),
        ..child("c")
    };
    server.step(vec![start_child(once)]);
    assert_eq!(last!(server.history("p"), StartChildWorkflowExecutionFailedEventAttributes).initiated_event_id, 13);
    server.step(vec![start_child(child("c"))]);
    assert_eq!(server.events("c"), "WorkflowExecutionStarted WorkflowTaskScheduled");
}

#[test]
fn a_parent_that_closes_at_once_starts_no_child() {
    let mut server = Server::new();
    server.start("p");
    server.step(vec![closes("c", ParentClosePolicy::Abandon), complete_workflow()]);
    assert!(server.events("p").ends_with("StartChildWorkflowExecutionInitiated WorkflowExecutionCompleted"));
    let request = stead_proto::workflowservice::v1::GetWorkflowExecutionHistoryRequest {
        namespace: "default".to_owned(),
        execution: Some(execution("c")),
        ..Default::default()
    };
    assert_eq!(server.try_call(request).unwrap_err().message, "workflow not found for ID: c");
}

#[test]
fn the_end_of_a_parent_is_the_end_of_its_children_as_their_policies_say() {
    for end in [complete_workflow(), continue_as_new(), fail_with("Wrong")] {
        let mut server = Server::new();
        let run_id = server.start("p");
        server.step(vec![
            closes("ends", ParentClosePolicy::Terminate),
            closes("is asked", ParentClosePolicy::RequestCancel),
            closes("goes on", ParentClosePolicy::Abandon),
        ]);
        server.step(vec![end]);
        let ended = server.history("ends");
        let terminated = last!(ended, WorkflowExecutionTerminatedEventAttributes);
        assert_eq!(
            (terminated.reason.as_str(), terminated.identity.as_str(), terminated.details),
            ("by parent close policy", "history-service", None)
        );
        let asked = last!(server.history("is asked"), WorkflowExecutionCancelRequestedEventAttributes);
        let parent = asked.external_workflow_execution.unwrap();
        assert_eq!((parent.workflow_id.as_str(), parent.run_id), ("p", run_id));
        assert_eq!((asked.identity.as_str(), asked.external_initiated_event_id), ("history-service", 0));
        assert_eq!(server.events("goes on"), "WorkflowExecutionStarted WorkflowTaskScheduled");
    }
}

#[test]
fn a_terminated_parent_takes_its_children_and_their_children_with_it() {
    let mut server = Server::new();
    server.start("p");
    server.step(vec![start_child(child("c"))]);
    server.step_on(
        "children",
        vec![start_child(StartChildWorkflowExecutionCommandAttributes {
            task_queue: named_queue("grandchildren"),
            ..child("g")
        })],
    );
    let started = last!(server.history("g"), WorkflowExecutionStartedEventAttributes);
    assert_eq!(started.root_workflow_execution.unwrap().workflow_id, "p");
    assert_eq!(started.parent_workflow_execution.unwrap().workflow_id, "c");
    server.terminate("p");
    assert!(server.events("c").ends_with("WorkflowExecutionTerminated"), "{}", server.events("c"));
    assert!(server.events("g").ends_with("WorkflowExecutionTerminated"), "{}", server.events("g"));
}

#[test]
fn a_parent_hears_of_the_end_of_the_chain_and_not_of_its_runs() {
    let mut server = Server::new();
    let parent_run = server.start("p");
    server.step(vec![start_child(child("c"))]);
    server.step(vec![]);
    let before = server.events("p");
    let first_run = server.task_on("children");
    let first_run_id = first_run.workflow_execution.clone().unwrap().run_id;
    server.complete(&first_run, vec![continue_as_new()]);
    assert_eq!(server.events("p"), before);
    let started = last!(server.history("c"), WorkflowExecutionStartedEventAttributes);
    assert_eq!(started.parent_workflow_execution.unwrap().run_id, parent_run);
    assert_eq!((started.parent_initiated_event_id, &started.first_execution_run_id), (5, &first_run_id));
    assert_eq!(started.root_workflow_execution.unwrap().workflow_id, "p");
    server.advance(Duration::from_secs(1));
    server.step_on("children", vec![complete_workflow()]);
    let completed = last!(server.history("p"), ChildWorkflowExecutionCompletedEventAttributes);
    let last_run = completed.workflow_execution.unwrap().run_id;
    assert_eq!(last_run, started.original_execution_run_id);
    assert_ne!(last_run, first_run_id);
}

#[test]
fn a_child_that_went_on_in_a_new_run_ends_with_its_parent() {
    let mut server = Server::new();
    server.start("p");
    server.step(vec![start_child(child("c"))]);
    server.step_on("children", vec![continue_as_new()]);
    server.step(vec![complete_workflow()]);
    assert_eq!(server.events("c"), "WorkflowExecutionStarted WorkflowExecutionTerminated");
}

#[test]
fn a_child_that_is_tried_again_fails_once_for_its_parent() {
    let mut server = Server::new();
    server.start("p");
    let retried = StartChildWorkflowExecutionCommandAttributes {
        retry_policy: Some(RetryPolicy { maximum_attempts: 2, ..Default::default() }),
        ..child("c")
    };
    server.step(vec![start_child(retried)]);
    server.step(vec![]);
    let before = server.events("p");
    server.step_on("children", vec![fail_with("Wrong")]);
    assert_eq!(server.events("p"), before);
    server.advance(Duration::from_secs(1));
    server.step_on("children", vec![fail_with("Wrong")]);
    let failed = last!(server.history("p"), ChildWorkflowExecutionFailedEventAttributes);
    assert_eq!(failed.retry_state(), RetryState::MaximumAttemptsReached);
    assert_eq!(server.events("p").matches("ChildWorkflowExecutionFailed").count(), 1);
}

#[test]
fn a_child_with_a_cron_schedule_starts_on_time_and_its_runs_are_its_own_affair() {
    let mut server = Server::new();
    server.start("p");
    let cron = StartChildWorkflowExecutionCommandAttributes { cron_schedule: "@every 1h".to_owned(), ..child("c") };
    server.step(vec![start_child(cron)]);
    assert_eq!(server.events("c"), "WorkflowExecutionStarted");
    assert!(server.events("p").contains("ChildWorkflowExecutionStarted"));
    server.advance(Duration::from_secs(3600));
    server.step_on("children", vec![complete_workflow()]);
    assert_eq!(server.events("c"), "WorkflowExecutionStarted");
    assert!(!server.events("p").contains("ChildWorkflowExecutionCompleted"));
    server.cancel("c");
    assert_eq!(server.events("c"), "WorkflowExecutionStarted WorkflowExecutionCancelRequested");
}

#[test]
fn a_parent_that_has_closed_does_not_hear_of_its_child() {
    let mut server = Server::new();
    server.start("p");
    server.step(vec![closes("c", ParentClosePolicy::Abandon)]);
    server.step(vec![continue_as_new()]);
    server.step_on("children", vec![complete_workflow()]);
    server.advance(Duration::from_secs(1));
    assert_eq!(server.events("p"), "WorkflowExecutionStarted WorkflowTaskScheduled", "the new run has no children");
}

#[test]
fn a_child_takes_over_what_its_priority_leaves_open() {
    let mut server = Server::new();
    let mut request = start_request("p");
    request.priority = Some(Priority { priority_key: 2, fairness_key: "tenant".to_owned(), fairness_weight: 3.0 });
    call!(server, StartWorkflowExecution, request);
    let own = Priority { fairness_key: "other".to_owned(), ..Default::default() };
    server.step(vec![start_child(StartChildWorkflowExecutionCommandAttributes { priority: Some(own), ..child("c") })]);
    let started = last!(server.history("c"), WorkflowExecutionStartedEventAttributes);
    let merged = Priority { priority_key: 2, fairness_key: "other".to_owned(), fairness_weight: 3.0 };
    assert_eq!(started.priority, Some(merged));
}

#[test]
fn a_child_that_is_not_told_where_and_how_long_is_like_its_parent() {
    let mut server = Server::new();
    server.start("p");
    let bare = StartChildWorkflowExecutionCommandAttributes {
        task_queue: None,
        workflow_execution_timeout: secs(60),
        ..child("c")
    };
    server.step(vec![start_child(bare)]);
    let started = last!(server.history("c"), WorkflowExecutionStartedEventAttributes);
    assert_eq!(started.task_queue.unwrap().name, "q");
    assert_eq!((started.workflow_run_timeout, started.workflow_execution_timeout), (secs(60), secs(60)));
}

#[test]
fn commands_about_children_are_refused_with_the_words_of_the_server() {
    let unnamed = StartChildWorkflowExecutionCommandAttributes { workflow_id: String::new(), ..child("") };
    let untyped = StartChildWorkflowExecutionCommandAttributes { workflow_type: None, ..child("c") };
    let elsewhere = StartChildWorkflowExecutionCommandAttributes { namespace: "other".to_owned(), ..child("c") };
    let cron = StartChildWorkflowExecutionCommandAttributes { cron_schedule: "x".to_owned(), ..child("c") };
    let timeout = StartChildWorkflowExecutionCommandAttributes { workflow_run_timeout: secs(-1), ..child("c") };
    let cancel =
        RequestCancelExternalWorkflowExecutionCommandAttributes { workflow_id: "c".to_owned(), ..Default::default() };
    let cancel = command(Attributes::RequestCancelExternalWorkflowExecutionCommandAttributes(Box::new(cancel)));
    for (commands, says) in [
        (
            vec![start_child(unnamed)],
            "BadStartChildExecutionAttributes: Required field WorkflowId is not set on \
             StartChildWorkflowExecutionCommand. WorkflowType=Child Namespace=default",
        ),
        (
            vec![start_child(untyped)],
            "BadStartChildExecutionAttributes: Required field WorkflowType is not set on \
             StartChildWorkflowExecutionCommand. WorkflowId=c Namespace=default",
        ),
        (vec![start_child(elsewhere)], "BadStartChildExecutionAttributes: cross namespace commands are not allowed"),
        (
            vec![start_child(cron)],
            "BadStartChildExecutionAttributes: invalid CronSchedule on StartChildWorkflowExecutionCommand: invalid \
             CronSchedule.. WorkflowId=c WorkflowType=Child Namespace=default",
        ),
        (
            vec![start_child(timeout)],
            "BadStartChildExecutionAttributes: Invalid WorkflowRunTimeout on StartChildWorkflowExecutionCommand: \
             negative duration. WorkflowId=c WorkflowType=Child Namespace=default",
        ),
        (
            vec![start_child(child("c")), cancel],
            "BadRequestCancelExternalWorkflowExecutionAttributes: Start and RequestCancel for child workflow is not \
             allowed in same workflow task. WorkflowId=c RunId= Namespace=",
        ),
    ] {
        let mut config = Config::default();
        config.namespaces.push("other".to_owned());
        let mut server = Server::with(config);
        server.start("p");
        assert_eq!(server.refused(commands), says);
        assert!(server.events("p").ends_with("WorkflowTaskFailed"), "{}", server.events("p"));
    }
}

#[test]
fn a_command_for_a_namespace_that_there_is_not_leaves_the_task_with_its_worker() {
    let mut server = Server::new();
    server.start("p");
    let task = server.task();
    let elsewhere = StartChildWorkflowExecutionCommandAttributes { namespace: "nowhere".to_owned(), ..child("c") };
    let refusal = server.try_call(complete_request(&task, vec![start_child(elsewhere)])).unwrap_err();
    assert_eq!(refusal.message, "Namespace nowhere is not found.");
    server.complete(&task, vec![complete_workflow()]);
}

#[test]
fn so_many_children_and_no_more() {
    let mut config = Config::default();
    config.limits.pending = 2;
    let mut server = Server::with(config);
    server.start("p");
    server.step(vec![start_child(child("1"))]);
    assert_eq!(
        server.refused(vec![start_child(child("2")), start_child(child("3"))]),
        "PendingChildWorkflowsLimitExceeded: the number of pending child workflow executions, 2, has reached the \
         per-workflow limit of 2"
    );
}

#[test]
fn a_child_with_too_large_an_input_is_the_end_of_its_parent() {
    let mut config = Config::default();
    config.limits.blob = 100;
    let mut server = Server::with(config);
    server.start("p");
    let large = StartChildWorkflowExecutionCommandAttributes { input: text(&"x".repeat(100)), ..child("c") };
    let says = "BadStartChildExecutionAttributes: StartChildWorkflowExecutionCommandAttributes. Input exceeds size \
                limit.";
    assert_eq!(server.refused(vec![start_child(large)]), says);
    let history = server.history("p");
    assert!(types(&history).ends_with("WorkflowTaskFailed WorkflowExecutionTerminated"), "{}", types(&history));
    assert_eq!(last!(history, WorkflowExecutionTerminatedEventAttributes).reason, says);
}

#[test]
fn whoever_waits_for_the_parent_is_answered_when_a_child_closes_it() {
    // The end of the child and the news of it are one input: a reader of the parent's history sees it at once.
    let mut server = Server::new();
    server.start("p");
    server.step(vec![start_child(child("c"))]);
    server.step(vec![]);
    let task = server.task_on("children");
    let poll = server.send(crate::support::poll_request());
    server.complete(&task, vec![complete_workflow()]);
    let Some(Ok(Response::PollWorkflowTaskQueue(task))) = server.answer(poll) else { panic!("no task") };
    assert!(types(&decoded(task.history)).contains("ChildWorkflowExecutionCompleted"));
}
