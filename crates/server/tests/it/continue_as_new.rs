use std::time::Duration;

use stead_proto::command::v1::command::Attributes;
use stead_proto::command::v1::{Command, ContinueAsNewWorkflowExecutionCommandAttributes};
use stead_proto::common::v1::callback::{Nexus, Variant};
use stead_proto::common::v1::{Callback, Memo, Payload, RetryPolicy, WorkflowType};
use stead_proto::enums::v1::ContinueAsNewInitiator;

use crate::support::{
    Server, command, complete_workflow, continue_as_new, named_queue, secs, start_request, text, types,
};
use crate::{call, last};

fn continues(attributes: ContinueAsNewWorkflowExecutionCommandAttributes) -> Command {
    command(Attributes::ContinueAsNewWorkflowExecutionCommandAttributes(Box::new(attributes)))
}

fn memo(value: &'static str) -> Memo {
    Memo { fields: [("a".to_owned(), Payload { data: value.into(), ..Default::default() })].into() }
}

#[test]
fn what_the_command_leaves_out_is_as_it_was_except_for_what_sdks_fill_in() {
    let mut server = Server::new();
    let mut request = start_request("w");
    request.workflow_run_timeout = secs(100);
    request.workflow_task_timeout = secs(7);
    request.input = text("first");
    request.memo = Some(memo("1"));
    request.retry_policy = Some(RetryPolicy::default());
    let first = call!(server, StartWorkflowExecution, request).run_id;
    server.step(vec![continue_as_new()]);
    let history = server.history_of("w", &first);
    assert!(types(&history).ends_with("WorkflowTaskCompleted WorkflowExecutionContinuedAsNew"), "{}", types(&history));
    let end = last!(history, WorkflowExecutionContinuedAsNewEventAttributes);
    assert_eq!((end.workflow_type.unwrap().name.as_str(), end.task_queue.unwrap().name.as_str()), ("Flow", "q"));
    assert_eq!((end.workflow_run_timeout, end.workflow_task_timeout), (secs(100), secs(7)));
    assert_eq!((end.backoff_start_interval, end.initiator), (None, ContinueAsNewInitiator::Unspecified as i32));
    let started = last!(server.history("w"), WorkflowExecutionStartedEventAttributes);
    assert_eq!(started.continued_execution_run_id, first);
    assert_eq!(started.first_execution_run_id, first);
    assert_eq!(started.original_execution_run_id, end.new_execution_run_id);
    assert_eq!(started.initiator(), ContinueAsNewInitiator::Workflow);
    assert_eq!((started.workflow_run_timeout, started.workflow_task_timeout), (secs(100), secs(7)));
    assert_eq!((started.input, started.memo, started.retry_policy), (None, None, None));
    assert_eq!((started.identity.as_str(), started.root_workflow_execution), ("", None));
}

#[test]
fn the_next_run_is_what_the_command_says() {
    let mut server = Server::new();
    server.start("w");
    let says = ContinueAsNewWorkflowExecutionCommandAttributes {
        workflow_type: Some(WorkflowType { name: "Other".to_owned() }),
        task_queue: named_queue("elsewhere"),
        input: text("next"),
        workflow_run_timeout: secs(50),
        memo: Some(memo("2")),
        retry_policy: Some(RetryPolicy { maximum_attempts: 3, ..Default::default() }),
        last_completion_result: text("last"),
        ..Default::default()
    };
    server.step(vec![continues(says)]);
    server.advance(Duration::from_secs(1));
    let task = server.task_on("elsewhere");
    assert_eq!(task.workflow_type.as_ref().unwrap().name, "Other");
    let started = last!(server.history("w"), WorkflowExecutionStartedEventAttributes);
    assert_eq!((started.input, started.memo), (text("next"), Some(memo("2"))));
    assert_eq!((started.workflow_run_timeout, started.last_completion_result), (secs(50), text("last")));
    let policy = started.retry_policy.unwrap();
    assert_eq!((policy.maximum_attempts, policy.initial_interval, policy.maximum_interval), (3, secs(1), secs(100)));
    server.complete(&task, vec![complete_workflow()]);
}

#[test]
fn a_workflow_begins_anew_once_a_second() {
    let mut server = Server::new();
    server.start("w");
    server.step(vec![continue_as_new()]);
    assert_eq!(server.events("w"), "WorkflowExecutionStarted");
    let started = last!(server.history("w"), WorkflowExecutionStartedEventAttributes);
    assert_eq!(started.first_workflow_task_backoff, secs(1));
    server.advance(Duration::from_secs(1));
    assert_eq!(server.events("w"), "WorkflowExecutionStarted WorkflowTaskScheduled");
    let task = server.task();
    server.advance(Duration::from_millis(1500));
    server.complete(&task, vec![continue_as_new()]);
    assert_eq!(server.events("w"), "WorkflowExecutionStarted WorkflowTaskScheduled", "it has lived long enough");
    let task = server.task();
    server.advance(Duration::from_millis(300));
    let soon = ContinueAsNewWorkflowExecutionCommandAttributes {
        backoff_start_interval: Some(prost_types::Duration { seconds: 0, nanos: 500_000_000 }),
        ..Default::default()
    };
    server.complete(&task, vec![continues(soon)]);
    let started = last!(server.history("w"), WorkflowExecutionStartedEventAttributes);
    let backoff = started.first_workflow_task_backoff.unwrap();
    assert_eq!((backoff.seconds, backoff.nanos), (0, 700_000_000));
}

#[test]
fn news_that_the_workflow_has_not_heard_keeps_it_in_its_run() {
    let mut server = Server::new();
    server.start("w");
    let task = server.task();
    server.signal("w", "hello");
    let refusal = server.try_call(crate::support::complete_request(&task, vec![continue_as_new()])).unwrap_err();
    assert_eq!(refusal.message, "UnhandledCommand");
    server.step(vec![continue_as_new()]);
}

#[test]
fn callbacks_and_links_go_on_to_the_next_run() {
    let mut server = Server::new();
    let mut request = start_request("w");
    let nexus = Nexus { url: "temporal://system".to_owned(), ..Default::default() };
    let callback = Callback { variant: Some(Variant::Nexus(nexus)), ..Default::default() };
    request.completion_callbacks = vec![callback.clone()];
    call!(server, StartWorkflowExecution, request);
    server.step(vec![continue_as_new()]);
    let started = last!(server.history("w"), WorkflowExecutionStartedEventAttributes);
    assert_eq!(started.completion_callbacks, [callback]);
}

#[test]
fn bad_commands_are_refused_with_the_words_of_the_server() {
    for (says, attributes) in [
        (
            "BadContinueAsNewAttributes: Invalid BackoffStartInterval on ContinueAsNewWorkflowExecutionCommand: \
             negative duration. WorkflowType=Flow TaskQueue=name:\"q\" kind:TASK_QUEUE_KIND_NORMAL",
            ContinueAsNewWorkflowExecutionCommandAttributes { backoff_start_interval: secs(-1), ..Default::default() },
        ),
        (
            "BadContinueAsNewAttributes: invalid WorkflowRetryPolicy on ContinueAsNewWorkflowExecutionCommand: \
             MaximumAttempts cannot be negative on retry policy.. WorkflowType=Flow TaskQueue=name:\"q\" \
             kind:TASK_QUEUE_KIND_NORMAL",
            ContinueAsNewWorkflowExecutionCommandAttributes {
                retry_policy: Some(RetryPolicy { maximum_attempts: -1, ..Default::default() }),
                ..Default::default()
            },
        ),
    ] {
        let mut server = Server::new();
        server.start("w");
        assert_eq!(server.refused(vec![continues(attributes)]), says);
    }
}
