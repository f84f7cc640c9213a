//! Timers.

use stead_activation::{Command, Job};
use stead_core::{MismatchKind, Operation};
use stead_proto::command::v1::command::Attributes;

use crate::support::{HistoryBuilder, Scenario, complete, eviction, run_to_end, timer};

/// One timer, fired.
fn fired() -> HistoryBuilder {
    HistoryBuilder::first_task().task_completed().timer_started(1).timer_fired(5).task()
}

#[test]
fn a_timer_starts_and_fires() {
    let mut scenario = Scenario::new([vec![timer(1)], vec![complete()]]);
    let first = scenario.completes(HistoryBuilder::first_task().poll());
    match &first.commands[0].attributes {
        Some(Attributes::StartTimerCommandAttributes(timer)) => {
            assert_eq!(timer.timer_id, "1");
            assert_eq!(timer.start_to_fire_timeout.expect("it has a duration").seconds, 5);
        }
        other => panic!("not a timer: {other:?}"),
    }
    assert!(scenario.accepted().is_none());
    let second = scenario.completes(fired().poll_from(4));
    assert_eq!(scenario.jobs(1), [Job::FireTimer { seq: 1 }]);
    assert!(second.ends_run);
    scenario.accepted();
}

#[test]
fn a_timer_replays() {
    let scenario = run_to_end(&fired().task_completed().completed(), [vec![timer(1)], vec![complete()]]);
    assert_eq!(scenario.jobs(1), [Job::FireTimer { seq: 1 }]);
    assert!(scenario.activations.iter().all(|activation| activation.is_replaying));
}

#[test]
fn a_timer_that_is_cancelled_before_it_is_sent_leaves_no_trace() {
    let mut scenario = Scenario::new([vec![timer(1), Command::CancelTimer { seq: 1 }, timer(2)]]);
    let completion = scenario.completes(HistoryBuilder::first_task().poll());
    assert_eq!(completion.commands.len(), 1);
    assert!(matches!(
        &completion.commands[0].attributes,
        Some(Attributes::StartTimerCommandAttributes(timer)) if timer.timer_id == "2"
    ));
}

#[test]
fn cancelling_a_timer_tells_only_the_server() {
    let history = HistoryBuilder::first_task().task_completed().timer_started(1).signalled("stop").task();
    let mut scenario = Scenario::new([vec![timer(1)], vec![Command::CancelTimer { seq: 1 }]]);
    let completion = scenario.completes(history.poll());
    assert!(matches!(
        &completion.commands[0].attributes,
        Some(Attributes::CancelTimerCommandAttributes(timer)) if timer.timer_id == "1"
    ));
    assert_eq!(scenario.activations.len(), 2);

    let history = history.task_completed().timer_cancelled(5).signalled("on").task().task_completed();
    let script = [vec![timer(1)], vec![Command::CancelTimer { seq: 1 }], vec![]];
    run_to_end(&history, script);
}

/// The official SDK fails the task here (its fault B12).
#[test]
fn b12_a_timer_that_fires_while_it_is_cancelled_is_not_an_error() {
    let history = HistoryBuilder::first_task()
        .task_completed()
        .timer_started(1)
        .signalled("stop")
        .task()
        .task_completed()
        .timer_fired(5);
    // The traces of the commands come after the completion; a server that let the timer fire first writes it there.
    let history = history.timer_cancelled(5).signalled("on").task().task_completed();
    let scenario = run_to_end(&history, [vec![timer(1)], vec![Command::CancelTimer { seq: 1 }], vec![]]);
    assert!(!scenario.jobs(2).contains(&Job::FireTimer { seq: 1 }));
}

#[test]
fn cancelling_a_timer_twice_or_too_late_is_nothing() {
    let cancel = || Command::CancelTimer { seq: 1 };
    let mut scenario = Scenario::new([vec![timer(1)], vec![cancel(), cancel()]]);
    let completion = scenario.completes(fired().poll());
    assert!(completion.commands.is_empty());
}

#[test]
fn cancelling_a_timer_that_never_was_fails_the_task() {
    let mut scenario = Scenario::new([vec![Command::CancelTimer { seq: 7 }]]);
    let failed = scenario.fails(HistoryBuilder::first_task().poll());
    let mismatch = failed.mismatch.expect("it says what differs");
    assert_eq!(mismatch.kind, MismatchKind::UnknownReference);
    assert_eq!(eviction(scenario.accepted()).mismatch, Some(mismatch));
}

#[test]
fn a_timer_that_is_another_in_history_says_so() {
    let mut scenario = Scenario::new([vec![timer(1)]]);
    let history = HistoryBuilder::first_task().task_completed().activity_scheduled("1", "charge").task();
    let mismatch = scenario.fails(history.poll()).mismatch.expect("it says what differs");
    assert_eq!(mismatch.kind, MismatchKind::Different);
    assert_eq!(mismatch.event_id, 5);
    let scheduled = Operation::ScheduleActivity { id: "1".into(), activity_type: "charge".into() };
    assert_eq!(mismatch.expected, Some(scheduled));
    let started = Operation::StartTimer { id: "1".into(), duration: std::time::Duration::from_secs(5) };
    assert_eq!(mismatch.found, Some(started));
}
