//! Tasks that fail, and completions that do not arrive.

use stead_activation::{Failure, Settings, TaskFailure, TaskFailureCause};
use stead_core::{CompletionOutcome, EvictionReason, Output};
use stead_proto::enums::v1::{CommandType, WorkflowTaskFailedCause};

use crate::support::{HistoryBuilder, Scenario, completion, eviction, timer};

fn panicked() -> TaskFailure {
    TaskFailure {
        cause: TaskFailureCause::WorkflowWorkerUnhandledFailure,
        failure: Box::new(Failure { message: "it panicked".into(), ..Failure::default() }),
    }
}

#[test]
fn s24_the_first_attempt_reports_and_the_run_goes() {
    let mut scenario = Scenario::new([]).then_fails(panicked());
    let failed = scenario.fails(HistoryBuilder::first_task().poll());
    assert_eq!(failed.cause, WorkflowTaskFailedCause::WorkflowWorkerUnhandledFailure);
    assert_eq!((failed.failure.message.as_str(), failed.attempt), ("it panicked", 1));
    let evicted = eviction(scenario.accepted());
    assert_eq!((evicted.reason, evicted.message.as_str()), (EvictionReason::GuestFailed, "it panicked"));
}

#[test]
fn s24_later_attempts_are_silent() {
    let mut scenario = Scenario::new([]).then_fails(panicked());
    let mut task = HistoryBuilder::first_task().poll();
    task.attempt = 2;
    assert_eq!(eviction(scenario.task(task)).reason, EvictionReason::GuestFailed);
}

#[test]
fn s24_a_history_that_cannot_be_had_fails_the_task_too() {
    let mut scenario = Scenario::new([]);
    let mut task = HistoryBuilder::first_task().poll();
    task.history = None;
    assert!(matches!(scenario.task(task), Some(Output::FetchHistory { .. })));
    scenario.run.handle_history_failed("connection refused".into(), Scenario::now());
    let Some(Output::Fail(failed)) = scenario.drive() else { panic!("the task did not fail") };
    assert!(failed.failure.message.contains("connection refused"));
    assert_eq!(eviction(scenario.accepted()).reason, EvictionReason::HistoryUnavailable);
}

#[test]
fn s24_nondeterminism_fails_the_workflow_where_that_is_wanted() {
    let history = HistoryBuilder::first_task().task_completed().timer_started(1).task();
    // The task may have failed before, on a worker that did not want it.
    for attempt in [1, 2] {
        let mut scenario = Scenario::new([vec![]]);
        scenario.run.set_settings(Settings { mismatch_fails_workflow: true, ..Settings::default() });
        let mut task = history.poll();
        task.attempt = attempt;
        let ended = scenario.completes(task);
        assert_eq!(ended.commands[0].command_type(), CommandType::FailWorkflowExecution);
        assert!(ended.ends_run);
        assert_eq!(eviction(scenario.accepted()).reason, EvictionReason::Nondeterminism);
    }
}

fn after(outcome: CompletionOutcome) -> (Scenario, Option<Output>) {
    let mut scenario = Scenario::new([vec![timer(1)]]);
    scenario.completes(HistoryBuilder::first_task().poll());
    let output = scenario.outcome(outcome);
    (scenario, output)
}

#[test]
fn s25_a_completion_that_is_refused_costs_the_run() {
    for (outcome, reason) in [
        (CompletionOutcome::UnhandledCommand, EvictionReason::UnhandledCommand),
        (CompletionOutcome::TaskNotFound, EvictionReason::TaskNotFound),
        (CompletionOutcome::Failed("unavailable".into()), EvictionReason::CompletionFailed),
    ] {
        assert_eq!(eviction(after(outcome).1).reason, reason);
    }
}

#[test]
fn s25_a_completion_that_is_too_large_fails_the_task_first() {
    for cause in [
        WorkflowTaskFailedCause::PayloadsTooLarge,
        WorkflowTaskFailedCause::GrpcMessageTooLarge,
        WorkflowTaskFailedCause::RequestTooLarge,
    ] {
        let (mut scenario, output) = after(CompletionOutcome::TooLarge { cause, message: "5 MB".into() });
        let Some(Output::Fail(failed)) = output else { panic!("the task did not fail") };
        assert_eq!((failed.cause, failed.failure.message.as_str()), (cause, "5 MB"));
        assert_eq!(eviction(scenario.accepted()).reason, EvictionReason::TooLarge);
    }
}

#[test]
fn s25_a_completion_that_is_too_large_again_lets_the_task_time_out() {
    let mut scenario = Scenario::new([vec![timer(1)]]);
    let mut task = HistoryBuilder::first_task().poll();
    task.attempt = 2;
    scenario.completes(task);
    let cause = WorkflowTaskFailedCause::GrpcMessageTooLarge;
    let output = scenario.outcome(CompletionOutcome::TooLarge { cause, message: "5 MB".into() });
    assert_eq!(eviction(output).reason, EvictionReason::TooLarge);
}

#[test]
fn a_failure_that_cannot_be_reported_costs_the_run_all_the_same() {
    let mut scenario = Scenario::new([]).then_fails(panicked());
    scenario.fails(HistoryBuilder::first_task().poll());
    let output = scenario.outcome(CompletionOutcome::Failed("unavailable".into()));
    assert_eq!(eviction(output).reason, EvictionReason::GuestFailed);
}

#[test]
fn a_request_to_leave_waits_for_the_completion() {
    let mut scenario = Scenario::new([vec![timer(1)]]);
    scenario.run.handle_task(HistoryBuilder::first_task().poll(), Scenario::now());
    scenario.run.handle_eviction_request(EvictionReason::Requested, Scenario::now());
    completion(scenario.drive());
    assert_eq!(eviction(scenario.accepted()).reason, EvictionReason::Requested);
}

#[test]
fn a_guest_that_notices_nondeterminism_says_so() {
    let failure = TaskFailure { cause: TaskFailureCause::NonDeterminism, ..panicked() };
    let mut scenario = Scenario::new([]).then_fails(failure);
    let failed = scenario.fails(HistoryBuilder::first_task().poll());
    assert_eq!(failed.cause, WorkflowTaskFailedCause::NonDeterministicError);
}
