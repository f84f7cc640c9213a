//! Signals to other workflows and requests to cancel them.

use stead_activation::{CancelExternal, Command, ExternalWorkflow, Failure, Job, SignalExternal, SignalTarget};
use stead_core::MismatchKind;
use stead_proto::command::v1::command::Attributes;
use stead_proto::failure::v1::failure::FailureInfo;

use crate::support::{HistoryBuilder, Scenario, complete, mismatch, payload, run_to_end};

fn target() -> ExternalWorkflow {
    ExternalWorkflow { workflow_id: "order-1".into(), ..ExternalWorkflow::default() }
}

fn signal_to(target: SignalTarget) -> Command {
    Command::SignalExternal(Box::new(SignalExternal {
        seq: 1,
        target,
        signal_name: "pay".into(),
        arguments: vec![payload("5")],
        headers: Default::default(),
        summary: Some(payload("why")),
    }))
}

fn signal() -> Command {
    signal_to(SignalTarget::External(target()))
}

fn cancel() -> Command {
    Command::CancelExternal(Box::new(CancelExternal { seq: 1, target: target(), reason: "enough".into() }))
}

const TAKE_BACK: Command = Command::CancelSignalExternal { seq: 1 };

fn signalled(jobs: &[Job]) -> &Option<Box<Failure>> {
    match jobs {
        [Job::ResolveSignalExternal { seq: 1, failure }] => failure,
        other => panic!("not the end of the signal: {other:?}"),
    }
}

fn cancelled(jobs: &[Job]) -> &Option<Box<Failure>> {
    match jobs {
        [Job::ResolveCancelExternal { seq: 1, failure }] => failure,
        other => panic!("not the end of the request: {other:?}"),
    }
}

fn type_of(failure: &Failure) -> &str {
    match &failure.failure_info {
        Some(FailureInfo::ApplicationFailureInfo(info)) => &info.r#type,
        other => panic!("not an application's failure: {other:?}"),
    }
}

#[test]
fn a_signal_is_sent_and_delivered() {
    let mut scenario = Scenario::new([vec![signal()], vec![complete()]]);
    let completion = scenario.completes(HistoryBuilder::first_task().poll());
    let Some(Attributes::SignalExternalWorkflowExecutionCommandAttributes(it)) = &completion.commands[0].attributes
    else {
        panic!("not a signal")
    };
    assert_eq!(it.execution.as_ref().map(|it| &*it.workflow_id), Some("order-1"));
    assert_eq!(&*it.signal_name, "pay");
    assert!(!it.child_workflow_only);
    scenario.accepted();
    let history = HistoryBuilder::first_task().task_completed().external_signal_initiated();
    scenario.completes(history.external_signalled(5).task().poll_from(4));
    assert_eq!(signalled(scenario.jobs(1)), &None);
}

#[test]
fn a_signal_to_a_child_goes_to_nobody_else() {
    let to_child = signal_to(SignalTarget::Child { workflow_id: "ship-1".into() });
    let mut scenario = Scenario::new([vec![to_child]]);
    let completion = scenario.completes(HistoryBuilder::first_task().poll());
    let Some(Attributes::SignalExternalWorkflowExecutionCommandAttributes(it)) = &completion.commands[0].attributes
    else {
        panic!("not a signal")
    };
    assert!(it.child_workflow_only);
}

#[test]
fn s51_a_signal_that_cannot_be_delivered_says_why() {
    let history = HistoryBuilder::first_task().task_completed().external_signal_initiated();
    let history = history.external_signal_failed(5).task().task_completed().completed();
    let scenario = run_to_end(&history, [vec![signal()], vec![complete()]]);
    let failure = signalled(scenario.jobs(1)).as_deref().expect("it failed");
    assert_eq!(failure.message, "Unable to signal external workflow because it was not found");
    assert_eq!(type_of(failure), "ExternalWorkflowExecutionNotFound");
}

#[test]
fn s51_a_signal_can_be_taken_back_until_it_is_sent() {
    let mut scenario = Scenario::new([vec![signal(), TAKE_BACK], vec![complete()]]);
    let completion = scenario.completes(HistoryBuilder::first_task().poll());
    assert_eq!(completion.commands.len(), 1, "only the end");
    let failure = signalled(scenario.jobs(1)).as_deref().expect("it was cancelled");
    assert_eq!(failure.message, "Signal was cancelled before being sent");
    let history = HistoryBuilder::first_task().task_completed().external_signal_initiated().signalled("x").task();
    let mut scenario = Scenario::new([vec![signal()], vec![TAKE_BACK]]);
    assert_eq!(scenario.completes(history.poll()).commands, [], "too late is nothing");
}

#[test]
fn b11_taking_a_signal_back_after_its_end_is_nothing() {
    let failed = HistoryBuilder::first_task().task_completed().external_signal_initiated().external_signal_failed(5);
    let mut scenario = Scenario::new([vec![signal()], vec![TAKE_BACK]]);
    assert_eq!(scenario.completes(failed.task().poll()).commands, []);
}

#[test]
fn s51_a_request_for_cancellation_says_who_asks() {
    let mut scenario = Scenario::new([vec![cancel()], vec![complete()]]);
    let completion = scenario.completes(HistoryBuilder::first_task().poll());
    let Some(Attributes::RequestCancelExternalWorkflowExecutionCommandAttributes(it)) =
        &completion.commands[0].attributes
    else {
        panic!("not a cancellation")
    };
    assert_eq!(it.reason, "Cancel requested by workflow with run id run with reason: enough");
    assert!(!it.child_workflow_only);
    scenario.accepted();
    let history = HistoryBuilder::first_task().task_completed().external_cancel_initiated("order-1");
    scenario.completes(history.external_cancel_delivered(5).task().poll_from(4));
    assert_eq!(cancelled(scenario.jobs(1)), &None);
}

#[test]
fn s51_a_request_for_cancellation_that_cannot_be_delivered_says_why() {
    let history = HistoryBuilder::first_task().task_completed().external_cancel_initiated("order-1");
    let history = history.external_cancel_failed(5).task().task_completed().completed();
    let scenario = run_to_end(&history, [vec![cancel()], vec![complete()]]);
    let failure = cancelled(scenario.jobs(1)).as_deref().expect("it failed");
    assert_eq!(failure.message, "Unable to cancel external workflow because it was not found");
    assert_eq!(type_of(failure), "ExternalWorkflowExecutionNotFound");
}

#[test]
fn a_signal_is_not_a_cancellation() {
    let history = HistoryBuilder::first_task().task_completed().external_cancel_initiated("order-1").completed();
    let (kind, text) = mismatch(&history, vec![vec![signal(), complete()]]);
    assert_eq!(kind, MismatchKind::Different);
    assert!(text.contains("cancel workflow order-1") && text.contains("signal another workflow"), "{text}");
}
