//! The ends of a run.

use std::collections::BTreeMap;
use std::time::Duration;

use stead_activation::{Command, ContinueAsNew, Failure, NextRunVersioning, RetryPolicy};
use stead_core::EvictionReason;
use stead_proto::command::v1::ContinueAsNewWorkflowExecutionCommandAttributes;
use stead_proto::command::v1::command::Attributes;
use stead_proto::common::v1::{Memo, SearchAttributes};
use stead_proto::enums::v1::{CommandType, ContinueAsNewVersioningBehavior};

use crate::support::{HistoryBuilder, Scenario, complete, eviction, payload, run_to_end};

fn ends(command: Command) -> CommandType {
    let mut scenario = Scenario::new([vec![command]]);
    let completion = scenario.completes(HistoryBuilder::first_task().poll());
    assert!(completion.ends_run);
    let evicted = eviction(scenario.accepted());
    assert_eq!(evicted.reason, EvictionReason::WorkflowEnded);
    completion.commands[0].command_type()
}

#[test]
fn s26_a_run_that_ended_leaves_the_cache() {
    assert_eq!(ends(complete()), CommandType::CompleteWorkflowExecution);
    assert_eq!(ends(Command::CancelWorkflow), CommandType::CancelWorkflowExecution);
    assert_eq!(ends(Command::ContinueAsNew(Box::default())), CommandType::ContinueAsNewWorkflowExecution);
    let failure = Box::new(Failure { message: "no".into(), ..Failure::default() });
    assert_eq!(ends(Command::FailWorkflow { failure }), CommandType::FailWorkflowExecution);
}

#[test]
fn s26_a_query_that_waited_goes_to_the_next_run() {
    let mut scenario = Scenario::new([vec![complete()]]);
    scenario.completes(HistoryBuilder::first_task().poll());
    scenario.run.handle_task(HistoryBuilder::first_task().poll_query(4), Scenario::now());
    assert_eq!(eviction(scenario.accepted()).next_tasks.len(), 1);
}

#[test]
fn s26_code_that_has_ended_does_nothing_more() {
    let history = HistoryBuilder::first_task().task_completed().completed();
    run_to_end(&history, [vec![complete(), complete()]]);
}

fn continue_as_new(next: ContinueAsNew) -> ContinueAsNewWorkflowExecutionCommandAttributes {
    let mut history = HistoryBuilder::first_task();
    let started = history.start_mut();
    started.memo = Some(Memo { fields: BTreeMap::from([("memo".to_owned(), payload("old"))]) });
    started.search_attributes =
        Some(SearchAttributes { indexed_fields: BTreeMap::from([("attribute".to_owned(), payload("old"))]) });
    started.retry_policy = Some(RetryPolicy { maximum_attempts: 7, ..RetryPolicy::default() });
    let mut scenario = Scenario::new([vec![Command::ContinueAsNew(Box::new(next))]]);
    let mut completion = scenario.completes(history.poll());
    match completion.commands.remove(0).attributes {
        Some(Attributes::ContinueAsNewWorkflowExecutionCommandAttributes(attributes)) => *attributes,
        other => panic!("it does not continue: {other:?}"),
    }
}

#[test]
fn s52_the_next_run_inherits_what_the_code_leaves_open() {
    let next = continue_as_new(ContinueAsNew {
        arguments: vec![payload("again")],
        run_timeout: Some(Duration::from_secs(9)),
        ..ContinueAsNew::default()
    });
    assert_eq!(next.workflow_type.map(|kind| kind.name), Some("order".to_owned()));
    assert_eq!(next.memo.expect("it is inherited").fields["memo"], payload("old"));
    assert_eq!(next.search_attributes.expect("they are inherited").indexed_fields["attribute"], payload("old"));
    assert_eq!(next.retry_policy.expect("it is inherited").maximum_attempts, 7);
    assert_eq!(next.workflow_run_timeout.expect("it is set").seconds, 9);
    assert_eq!(next.input.expect("it is set").payloads, [payload("again")]);
}

#[test]
fn s52_what_the_code_says_wins() {
    let next = continue_as_new(ContinueAsNew {
        workflow_type: "refund".into(),
        memo: Some(BTreeMap::new()),
        search_attributes: Some(BTreeMap::from([("attribute".to_owned(), payload("new"))])),
        retry_policy: Some(RetryPolicy::default()),
        versioning: NextRunVersioning::UseRampingVersion,
        ..ContinueAsNew::default()
    });
    assert_eq!(next.initial_versioning_behavior(), ContinueAsNewVersioningBehavior::UseRampingVersion);
    assert_eq!(next.workflow_type.map(|kind| kind.name), Some("refund".to_owned()));
    assert_eq!(next.memo, None);
    assert_eq!(next.search_attributes.expect("they are set").indexed_fields["attribute"], payload("new"));
    assert_eq!(next.retry_policy.expect("it is set").maximum_attempts, 0);
}

/// Whether an error counts as a cancellation is for the guest to say; here it only has to arrive as one.
#[test]
fn s53_a_cancelled_run_closes_as_cancelled() {
    let mut scenario = Scenario::new([vec![], vec![Command::CancelWorkflow]]);
    let history = HistoryBuilder::first_task().task_completed().cancel_requested("enough").task();
    let completion = scenario.completes(history.poll());
    assert_eq!(completion.commands[0].command_type(), CommandType::CancelWorkflowExecution);
    assert!(completion.ends_run);
}

#[test]
fn ending_in_another_way_than_history_is_a_mismatch() {
    let mut scenario = Scenario::new([vec![Command::CancelWorkflow]]);
    let history = HistoryBuilder::first_task().task_completed().completed();
    let failed = scenario.fails(stead_core::replay_task(history.history(), "workflow", "run"));
    assert!(failed.mismatch.is_some());
}
