use std::time::Duration;

use stead_proto::command::v1::command::Attributes;
use stead_proto::command::v1::{CompleteWorkflowExecutionCommandAttributes, FailWorkflowExecutionCommandAttributes};
use stead_proto::common::v1::callback::{Nexus, Variant};
use stead_proto::common::v1::{Callback, RetryPolicy};
use stead_proto::enums::v1::{ContinueAsNewInitiator, RetryState};
use stead_proto::failure::v1::failure::FailureInfo;
use stead_proto::failure::v1::{ApplicationFailureInfo, Failure};
use stead_proto::history::v1::HistoryEvent;
use stead_proto::workflowservice::v1::StartWorkflowExecutionRequest;

use crate::support::{Server, command, complete_workflow, fail_with, secs, start_request, text};
use crate::{call, last};

fn retried(policy: RetryPolicy) -> StartWorkflowExecutionRequest {
    StartWorkflowExecutionRequest { retry_policy: Some(policy), ..start_request("w") }
}

fn cron(schedule: &str) -> StartWorkflowExecutionRequest {
    StartWorkflowExecutionRequest { cron_schedule: schedule.to_owned(), ..start_request("w") }
}

fn complete_with(result: &str) -> stead_proto::command::v1::Command {
    command(Attributes::CompleteWorkflowExecutionCommandAttributes(CompleteWorkflowExecutionCommandAttributes {
        result: text(result),
    }))
}

/// The end of the run before the current one.
fn before(server: &mut Server) -> Vec<HistoryEvent> {
    let started = last!(server.history("w"), WorkflowExecutionStartedEventAttributes);
    server.history_of("w", &started.continued_execution_run_id)
}

#[test]
fn a_failed_workflow_is_tried_again_as_its_policy_says() {
    let mut server = Server::new();
    let mut request = retried(RetryPolicy { maximum_attempts: 3, ..Default::default() });
    request.input = text("same");
    let first = call!(server, StartWorkflowExecution, request).run_id;
    server.step(vec![fail_with("Wrong")]);
    let failed = last!(server.history_of("w", &first), WorkflowExecutionFailedEventAttributes);
    assert_eq!(failed.retry_state(), RetryState::InProgress);
    let started = last!(server.history("w"), WorkflowExecutionStartedEventAttributes);
    assert_eq!(started.original_execution_run_id, failed.new_execution_run_id);
    assert_eq!((started.attempt, started.initiator()), (2, ContinueAsNewInitiator::Retry));
    assert_eq!((&started.continued_execution_run_id, &started.first_execution_run_id), (&first, &first));
    assert_eq!((started.first_workflow_task_backoff, started.input), (secs(1), text("same")));
    assert_eq!(started.continued_failure.unwrap().message, "no");
    assert_eq!(started.identity, "");
    server.advance(Duration::from_secs(1));
    server.step(vec![fail_with("Wrong")]);
    let started = last!(server.history("w"), WorkflowExecutionStartedEventAttributes);
    assert_eq!((started.attempt, started.first_workflow_task_backoff), (3, secs(2)));
    assert_eq!(started.first_execution_run_id, first);
    server.advance(Duration::from_secs(2));
    server.step(vec![fail_with("Wrong")]);
    let failed = last!(server.history("w"), WorkflowExecutionFailedEventAttributes);
    assert_eq!(failed.retry_state(), RetryState::MaximumAttemptsReached);
    assert_eq!(failed.new_execution_run_id, "");
}

#[test]
fn a_failure_that_is_listed_or_says_so_is_not_tried_again() {
    let mut server = Server::new();
    let policy = RetryPolicy { non_retryable_error_types: vec!["Fatal".to_owned()], ..Default::default() };
    call!(server, StartWorkflowExecution, retried(policy.clone()));
    server.step(vec![fail_with("Fatal")]);
    let failed = last!(server.history("w"), WorkflowExecutionFailedEventAttributes);
    assert_eq!(failed.retry_state(), RetryState::NonRetryableFailure);
    call!(server, StartWorkflowExecution, retried(policy));
    let info = ApplicationFailureInfo { next_retry_delay: secs(40), ..Default::default() };
    let failure = Failure { failure_info: Some(FailureInfo::ApplicationFailureInfo(info)), ..Default::default() };
    let later = FailWorkflowExecutionCommandAttributes { failure: Some(failure) };
    server.step(vec![command(Attributes::FailWorkflowExecutionCommandAttributes(Box::new(later)))]);
    let started = last!(server.history("w"), WorkflowExecutionStartedEventAttributes);
    assert_eq!(started.first_workflow_task_backoff, secs(40));
}

#[test]
fn a_workflow_without_a_policy_fails_once() {
    let mut server = Server::new();
    server.start("w");
    server.step(vec![fail_with("Wrong")]);
    let failed = last!(server.history("w"), WorkflowExecutionFailedEventAttributes);
    assert_eq!((failed.retry_state(), failed.new_execution_run_id.as_str()), (RetryState::RetryPolicyNotSet, ""));
}

#[test]
fn there_is_no_attempt_that_the_chain_would_not_live_to_see() {
    let mut server = Server::new();
    let mut request = retried(RetryPolicy { initial_interval: secs(10), ..Default::default() });
    request.workflow_execution_timeout = secs(5);
    call!(server, StartWorkflowExecution, request);
    server.step(vec![fail_with("Wrong")]);
    let failed = last!(server.history("w"), WorkflowExecutionFailedEventAttributes);
    assert_eq!((failed.retry_state(), failed.new_execution_run_id.as_str()), (RetryState::Timeout, ""));
}

#[test]
fn a_run_that_took_too_long_is_tried_again() {
    let mut server = Server::new();
    let mut request = retried(RetryPolicy { maximum_attempts: 2, ..Default::default() });
    request.workflow_run_timeout = secs(5);
    call!(server, StartWorkflowExecution, request);
    server.advance(Duration::from_secs(5));
    let timed_out = last!(before(&mut server), WorkflowExecutionTimedOutEventAttributes);
    assert_eq!(timed_out.retry_state(), RetryState::InProgress);
    let started = last!(server.history("w"), WorkflowExecutionStartedEventAttributes);
    assert_eq!((started.attempt, started.original_execution_run_id), (2, timed_out.new_execution_run_id));
    assert_eq!(started.continued_failure.unwrap().message, "workflow timeout");
    server.advance(Duration::from_secs(6));
    let timed_out = last!(server.history("w"), WorkflowExecutionTimedOutEventAttributes);
    assert_eq!(timed_out.retry_state(), RetryState::MaximumAttemptsReached);
}

#[test]
fn a_cron_schedule_starts_run_after_run() {
    let mut server = Server::new();
    let first = call!(server, StartWorkflowExecution, cron("0 * * * *")).run_id;
    let started = last!(server.history("w"), WorkflowExecutionStartedEventAttributes);
    assert_eq!(
        (started.initiator(), started.first_workflow_task_backoff),
        (ContinueAsNewInitiator::CronSchedule, secs(3600))
    );
    server.signal("w", "early");
    assert_eq!(server.events("w"), "WorkflowExecutionStarted WorkflowExecutionSignaled", "it waits for its time");
    server.advance(Duration::from_secs(3600));
    let task = server.task();
    server.advance(Duration::from_secs(5));
    server.complete(&task, vec![complete_with("1")]);
    let completed = last!(server.history_of("w", &first), WorkflowExecutionCompletedEventAttributes);
    let started = last!(server.history("w"), WorkflowExecutionStartedEventAttributes);
    assert_eq!(started.original_execution_run_id, completed.new_execution_run_id);
    assert_eq!((started.first_workflow_task_backoff, started.attempt), (secs(3595), 1));
    assert_eq!((started.last_completion_result, started.continued_failure), (text("1"), None));
    assert_eq!((started.first_execution_run_id, started.cron_schedule.as_str()), (first, "0 * * * *"));
}

#[test]
fn the_last_success_of_a_cron_schedule_outlives_failures() {
    let mut server = Server::new();
    call!(server, StartWorkflowExecution, cron("@every 60s"));
    server.advance(Duration::from_secs(60));
    server.step(vec![complete_with("1")]);
    for _ in 0..2 {
        server.advance(Duration::from_secs(60));
        server.step(vec![fail_with("Wrong")]);
        let failed = last!(before(&mut server), WorkflowExecutionFailedEventAttributes);
        assert_eq!(failed.retry_state(), RetryState::RetryPolicyNotSet);
        let started = last!(server.history("w"), WorkflowExecutionStartedEventAttributes);
        assert_eq!(
            (started.last_completion_result.clone(), started.initiator()),
            (text("1"), ContinueAsNewInitiator::CronSchedule)
        );
        assert_eq!(started.continued_failure.unwrap().message, "no");
    }
}

#[test]
fn a_cron_run_is_first_tried_again_and_then_waits_for_its_next_time() {
    let mut server = Server::new();
    let mut request = cron("@every 60s");
    request.retry_policy = Some(RetryPolicy { maximum_attempts: 2, ..Default::default() });
    call!(server, StartWorkflowExecution, request);
    server.advance(Duration::from_secs(60));
    server.step(vec![complete_with("1")]);
    server.advance(Duration::from_secs(60));
    server.step(vec![fail_with("Wrong")]);
    let started = last!(server.history("w"), WorkflowExecutionStartedEventAttributes);
    assert_eq!((started.initiator(), started.attempt), (ContinueAsNewInitiator::Retry, 2));
    assert_eq!((started.first_workflow_task_backoff, started.last_completion_result), (secs(1), None));
    server.advance(Duration::from_secs(1));
    server.step(vec![fail_with("Wrong")]);
    let failed = last!(before(&mut server), WorkflowExecutionFailedEventAttributes);
    assert_eq!(failed.retry_state(), RetryState::MaximumAttemptsReached);
    let started = last!(server.history("w"), WorkflowExecutionStartedEventAttributes);
    assert_eq!((started.initiator(), started.attempt), (ContinueAsNewInitiator::CronSchedule, 1));
}

#[test]
fn cancellation_and_termination_end_a_cron_schedule() {
    let mut server = Server::new();
    call!(server, StartWorkflowExecution, cron("@every 60s"));
    server.cancel("w");
    server.advance(Duration::from_secs(60));
    server.step(vec![command(Attributes::CancelWorkflowExecutionCommandAttributes(Default::default()))]);
    assert!(server.events("w").ends_with("WorkflowExecutionCanceled"), "{}", server.events("w"));
    call!(server, StartWorkflowExecution, cron("@every 60s"));
    server.terminate("w");
    assert_eq!(server.events("w"), "WorkflowExecutionStarted WorkflowExecutionTerminated");
}

#[test]
fn callbacks_go_on_to_another_attempt_and_not_to_the_next_time() {
    let mut server = Server::new();
    let nexus = Nexus { url: "temporal://system".to_owned(), ..Default::default() };
    let callback = Callback { variant: Some(Variant::Nexus(nexus)), ..Default::default() };
    let mut request = cron("@every 60s");
    request.retry_policy = Some(RetryPolicy::default());
    request.completion_callbacks = vec![callback.clone()];
    call!(server, StartWorkflowExecution, request);
    server.advance(Duration::from_secs(60));
    server.step(vec![fail_with("Wrong")]);
    let started = last!(server.history("w"), WorkflowExecutionStartedEventAttributes);
    assert_eq!(started.completion_callbacks, [callback]);
    server.advance(Duration::from_secs(1));
    server.step(vec![complete_workflow()]);
    let started = last!(server.history("w"), WorkflowExecutionStartedEventAttributes);
    assert_eq!(started.completion_callbacks, []);
}
