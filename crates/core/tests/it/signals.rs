//! Signals and requests to cancel.

use stead_activation::Job;

use crate::support::{HistoryBuilder, Scenario, payload, run_to_end};

#[test]
fn signals_reach_the_code_in_the_order_in_which_they_came() {
    let mut history = HistoryBuilder::started().signalled("one").signalled("two").task();
    history.events[1].worker_may_ignore = false;
    let mut scenario = Scenario::new([vec![]]);
    scenario.completes(history.poll());
    let signals: Vec<_> = scenario.jobs(0)[1..]
        .iter()
        .map(|job| match job {
            Job::Signal(signal) => (signal.name.as_str(), signal.identity.as_str(), &signal.input[0]),
            other => panic!("not a signal: {other:?}"),
        })
        .collect();
    let input = payload("signal");
    assert_eq!(signals, [("one", "sender", &input), ("two", "sender", &input)]);
}

#[test]
fn a_request_to_cancel_carries_its_reason() {
    let mut scenario = Scenario::new([vec![], vec![]]);
    scenario.completes(HistoryBuilder::first_task().task_completed().cancel_requested("enough").task().poll());
    assert_eq!(scenario.jobs(1), [Job::CancelWorkflow { reason: "enough".into() }]);
}

#[test]
fn signals_that_no_task_has_seen_are_not_replayed() {
    let history = HistoryBuilder::first_task().task_completed().signalled("late").task_scheduled();
    let scenario = run_to_end(&history, [vec![]]);
    assert_eq!(scenario.activations.len(), 1);
}
