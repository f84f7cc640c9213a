//! Queries, with the task and alone.

use stead_activation::{Failure, Job, TaskFailure, TaskFailureCause};
use stead_core::{CompletionOutcome, EvictionReason, HistoryPage, Output};
use stead_proto::enums::v1::{QueryResultType, WorkflowTaskFailedCause};
use stead_proto::query::v1::WorkflowQuery;

use crate::support::{HistoryBuilder, Scenario, complete, eviction, payload, query, timer};

fn idle() -> HistoryBuilder {
    HistoryBuilder::first_task().task_completed().timer_started(1)
}

#[test]
fn s02_queries_travel_alone_after_everything_else() {
    let mut task = idle().timer_fired(5).task().poll();
    task.queries = query(&["a", "b"]);
    let mut scenario = Scenario::new([vec![timer(1)], vec![complete()]]);
    let completion = scenario.completes(task);
    assert_eq!(scenario.activations.len(), 2);
    assert_eq!(scenario.queries.len(), 1);
    assert!(scenario.queries[0].is_replaying);
    assert_eq!(scenario.queries[0].jobs.len(), 2);
    let answer = &completion.query_results["b"];
    assert_eq!(answer.result_type(), QueryResultType::Answered);
    assert_eq!(
        answer.answer.as_ref().map(|answer| answer.payloads.as_slice()),
        Some(&[payload("answer to state")][..])
    );
    assert_eq!((completion.query_results.len(), completion.commands.len()), (2, 1));
}

#[test]
fn s03_a_query_alone_is_answered_alone() {
    let mut scenario = Scenario::new([vec![timer(1)]]);
    scenario.completes(HistoryBuilder::first_task().poll());
    scenario.accepted();
    let reply = scenario.answers(idle().poll_query(4));
    assert_eq!(reply.completed_type, QueryResultType::Answered);
    assert_eq!(reply.query_result.map(|result| result.payloads), Some(vec![payload("answer to state")]));
    assert!(scenario.accepted().is_none());
    scenario.assert_idle();
    // The run is where it was: its timer can still fire.
    let mut scenario2 = scenario;
    scenario2.run.handle_task(idle().timer_fired(5).task().poll_from(4), Scenario::now());
    match scenario2.run.poll_output() {
        Some(Output::Activate(activation)) => assert_eq!(activation.jobs, [Job::FireTimer { seq: 1 }]),
        other => panic!("not an activation: {other:?}"),
    }
}

#[test]
fn s03_a_query_waits_until_history_is_replayed() {
    let mut scenario = Scenario::new([vec![timer(1)]]);
    let reply = scenario.answers(idle().poll_query(1));
    assert_eq!(scenario.activations.len(), 1);
    assert!(scenario.activations[0].is_replaying);
    assert_eq!(reply.completed_type, QueryResultType::Answered);
}

#[test]
fn s03_a_query_does_not_run_ahead_of_a_task_that_another_worker_has() {
    let mut scenario = Scenario::new([vec![timer(1)]]);
    scenario.answers(idle().timer_fired(5).task().poll_query(1));
    assert_eq!(scenario.activations.len(), 1);
}

#[test]
fn s03_a_closed_run_answers_queries() {
    let history = idle().timer_fired(5).task().task_completed().completed();
    let mut scenario = Scenario::new([vec![timer(1)], vec![complete()]]);
    scenario.answers(history.poll_query(1));
    scenario.accepted();
    // Again, without a history: the run is cached.
    let mut task = history.poll_query(1);
    task.history = None;
    scenario.answers(task);
    scenario.accepted();
    scenario.assert_idle();
}

#[test]
fn s03_a_terminated_run_answers_queries_as_of_its_last_task() {
    let history = idle().signalled("unseen").task().terminated();
    let mut scenario = Scenario::new([vec![timer(1)]]);
    scenario.answers(history.poll_query(1));
    assert_eq!(scenario.activations.len(), 1);
}

/// A query may wait behind a task of the same run. What is asked is how things are, so the newer state answers it.
#[test]
fn s03_a_query_that_a_task_overtook_is_answered_from_the_newer_state() {
    let mut scenario = Scenario::new([vec![timer(1)], vec![]]);
    scenario.completes(HistoryBuilder::first_task().poll());
    scenario.accepted();
    scenario.completes(idle().timer_fired(5).task().poll_from(4));
    scenario.accepted();
    let reply = scenario.answers(idle().poll_query(4));
    assert_eq!(reply.completed_type, QueryResultType::Answered);
    assert!(scenario.accepted().is_none());
    scenario.assert_idle();
}

#[test]
fn s03_a_query_whose_history_ends_with_the_task_that_the_run_has_done_since_is_answered() {
    let mut scenario = Scenario::new([vec![timer(1)], vec![timer(2)]]);
    let history = idle().timer_fired(5).task();
    scenario.completes(HistoryBuilder::first_task().poll());
    scenario.accepted();
    scenario.completes(history.poll_from(4));
    scenario.accepted();
    // Made while the task was under way, so that it cannot have the commands that answered it.
    let reply = scenario.answers(history.poll_query(1));
    assert_eq!(reply.completed_type, QueryResultType::Answered);
    assert!(scenario.accepted().is_none());
    scenario.assert_idle();
}

#[test]
fn s03_a_query_that_cannot_be_answered_fails_and_the_run_goes() {
    let failure = TaskFailure {
        cause: TaskFailureCause::WorkflowWorkerUnhandledFailure,
        failure: Box::new(Failure { message: "no such type".into(), ..Failure::default() }),
    };
    let mut scenario = Scenario::new([]).then_fails(failure);
    let mut task = idle().poll_query(1);
    task.attempt = 5;
    let reply = scenario.answers(task);
    assert_eq!(reply.completed_type, QueryResultType::Failed);
    assert_eq!(reply.cause, WorkflowTaskFailedCause::WorkflowWorkerUnhandledFailure);
    assert_eq!(reply.error_message, "no such type");
    assert_eq!(eviction(scenario.accepted()).reason, EvictionReason::GuestFailed);
}

#[test]
fn s03_a_query_whose_history_cannot_be_had_is_not_answered() {
    let mut scenario = Scenario::new([]);
    let mut task = idle().poll_query(1);
    task.history = None;
    assert!(matches!(scenario.task(task), Some(Output::FetchHistory { .. })));
    scenario.run.handle_history_failed("unavailable".into(), Scenario::now());
    assert_eq!(eviction(scenario.drive()).reason, EvictionReason::HistoryUnavailable);
}

#[test]
fn a_query_whose_caller_is_gone_does_not_cost_the_run() {
    let mut scenario = Scenario::new([vec![timer(1)]]);
    scenario.answers(idle().poll_query(1));
    assert!(scenario.outcome(CompletionOutcome::TaskNotFound).is_none());
    scenario.assert_idle();
}

#[test]
fn a_query_without_history_on_an_empty_cache_fetches_it() {
    let mut scenario = Scenario::new([vec![timer(1)]]);
    let mut task = idle().poll_query(1);
    task.history = None;
    assert!(matches!(scenario.task(task), Some(Output::FetchHistory { page_token, .. }) if page_token.is_empty()));
    let page = HistoryPage { events: idle().events, ..HistoryPage::default() };
    assert!(matches!(scenario.page(page), Some(Output::AnswerQuery(_))));
}

#[test]
fn queries_of_both_kinds_are_refused() {
    let mut task = idle().poll_query(1);
    task.queries = query(&["a"]);
    let reply = Scenario::new([]).answers(task);
    assert_eq!(reply.completed_type, QueryResultType::Failed);
}

#[test]
fn code_that_does_not_answer_fails_the_query_only() {
    let mut scenario = Scenario::new([vec![timer(1)]]);
    let mut task = HistoryBuilder::first_task().poll();
    task.queries.insert("a".into(), WorkflowQuery::default());
    scenario.run.handle_task(task, Scenario::now());
    assert!(matches!(scenario.run.poll_output(), Some(Output::Activate(_))));
    scenario.run.handle_commands(Vec::new(), Scenario::now());
    assert!(matches!(scenario.run.poll_output(), Some(Output::Activate(_))));
    scenario.run.handle_commands(Vec::new(), Scenario::now());
    let completion = crate::support::completion(scenario.drive());
    assert_eq!(completion.query_results["a"].result_type(), QueryResultType::Failed);
}
