//! How history is cut into sequences and paged in.

use bytes::Bytes;
use stead_activation::Job;
use stead_core::{EvictionReason, HistoryPage, MismatchKind, Output, Run, RunOptions};
use stead_proto::enums::v1::{EventType, WorkflowTaskFailedCause};
use stead_proto::history::v1::HistoryEvent;

use crate::support::{HistoryBuilder, Scenario, activity, complete, eviction, run_to_end, timer};

fn two_timers() -> HistoryBuilder {
    HistoryBuilder::first_task()
        .task_completed()
        .timer_started(1)
        .timer_fired(5)
        .task()
        .task_completed()
        .timer_started(2)
        .timer_fired(10)
        .task()
}

fn page(events: &[HistoryEvent], token: &'static str) -> HistoryPage {
    HistoryPage { events: events.to_vec(), next_page_token: Bytes::from_static(token.as_bytes()) }
}

#[test]
fn s09_each_task_with_a_trace_is_an_activation() {
    let mut scenario = Scenario::new([vec![timer(1)], vec![timer(2)], vec![complete()]]);
    scenario.completes(two_timers().poll());
    assert_eq!(scenario.jobs(1), [Job::FireTimer { seq: 1 }]);
    assert_eq!(scenario.jobs(2), [Job::FireTimer { seq: 2 }]);
}

#[test]
fn s09_lost_tasks_are_not_activations() {
    let history = HistoryBuilder::first_task()
        .task_timed_out()
        .task()
        .task_failed(WorkflowTaskFailedCause::WorkflowWorkerUnhandledFailure, "")
        .signalled("one")
        .task()
        .task_completed()
        .timer_started(1);
    let scenario = run_to_end(&history, [vec![timer(1)]]);
    assert!(matches!(scenario.jobs(0), [Job::Initialize(_), Job::Signal(_)]));
    assert_eq!(scenario.activations[0].timestamp, history.time(10));
}

#[test]
fn s09_a_heartbeat_is_not_an_activation_of_its_own() {
    let history = HistoryBuilder::first_task().task_completed().task().task_completed().timer_started(1);
    let scenario = run_to_end(&history, [vec![timer(1)]]);
    assert_eq!(scenario.activations.len(), 1);
    assert_eq!(scenario.activations[0].history_length, 6);
}

#[test]
fn s09_a_task_with_commands_before_it_is_not_a_heartbeat() {
    let history = HistoryBuilder::first_task()
        .task_completed()
        .timer_started(1)
        .signalled("one")
        .task()
        .task_completed()
        .task()
        .task_completed();
    let scenario = run_to_end(&history, [vec![timer(1)], vec![]]);
    assert_eq!(scenario.activations.len(), 2);
}

#[test]
fn s09_an_update_shows_that_the_task_before_it_was_no_heartbeat() {
    let history = HistoryBuilder::first_task().task_completed().task().task_completed().update_accepted("u", 5);
    let accept = stead_activation::Command::RespondUpdate {
        protocol_instance_id: "u".into(),
        response: stead_activation::UpdateResponse::Accepted,
    };
    let scenario = run_to_end(&history, [vec![], vec![accept]]);
    assert!(matches!(scenario.jobs(0), [Job::Initialize(_)]));
    assert!(matches!(scenario.jobs(1), [Job::Update(_)]));
}

/// With SDK flag 4, as newer SDKs of other languages record it.
fn careful() -> HistoryBuilder {
    HistoryBuilder::first_task().flags(&[1, 2, 3, 4]).task_completed()
}

#[test]
fn s09_with_flag_4_a_heartbeat_is_still_none_of_its_own() {
    let history = careful().task().task_completed().timer_started(1);
    assert_eq!(run_to_end(&history, [vec![timer(1)]]).activations.len(), 1);
}

#[test]
fn s09_with_flag_4_a_task_before_a_failed_one_is_no_heartbeat() {
    let lost = WorkflowTaskFailedCause::WorkflowWorkerUnhandledFailure;
    let history = careful().task().task_failed(lost, "").signalled("one").task().task_completed().timer_started(1);
    let scenario = run_to_end(&history, [vec![], vec![timer(1)]]);
    assert!(matches!(scenario.jobs(0), [Job::Initialize(_)]));
    assert!(matches!(scenario.jobs(1), [Job::Signal(_)]));
}

#[test]
fn s09_with_flag_4_the_task_that_accepts_an_update_is_an_activation_whenever_it_was_asked_for() {
    // It was asked for after event 3, which without the flag would move it before the task of event 6.
    let history = careful().task().task_completed().update_accepted("u", 2);
    let accept = stead_activation::Command::RespondUpdate {
        protocol_instance_id: "u".into(),
        response: stead_activation::UpdateResponse::Accepted,
    };
    let scenario = run_to_end(&history, [vec![], vec![accept]]);
    assert!(matches!(scenario.jobs(0), [Job::Initialize(_)]));
    assert!(matches!(scenario.jobs(1), [Job::Update(_)]));
}

#[test]
fn s09_events_that_were_processed_are_skipped() {
    let mut scenario = Scenario::new([vec![timer(1)], vec![complete()]]);
    scenario.completes(HistoryBuilder::first_task().poll());
    scenario.accepted();
    let history = HistoryBuilder::first_task().task_completed().timer_started(1).timer_fired(5).task();
    scenario.completes(history.poll_from(2));
    assert_eq!(scenario.jobs(1), [Job::FireTimer { seq: 1 }]);
}

#[test]
fn s10_a_gap_fails_the_task() {
    let mut task = two_timers().poll();
    task.history.as_mut().expect("it has one").events.remove(5);
    let failed = Scenario::new([vec![timer(1)]]).fails(task);
    assert!(failed.failure.message.contains("event 7"), "{}", failed.failure.message);
    assert_eq!(failed.cause, WorkflowTaskFailedCause::WorkflowWorkerUnhandledFailure);
}

#[test]
fn s10_a_duplicate_is_dropped() {
    let mut task = two_timers().poll();
    let events = &mut task.history.as_mut().expect("it has one").events;
    let duplicate = events[5].clone();
    events.insert(6, duplicate);
    Scenario::new([vec![timer(1)], vec![timer(2)], vec![complete()]]).completes(task);
}

#[test]
fn s10_pages_may_overlap_and_be_empty() {
    let history = two_timers();
    let mut task = history.poll();
    task.history.as_mut().expect("it has one").events.truncate(6);
    task.next_page_token = Bytes::from_static(b"two");
    let mut scenario = Scenario::new([vec![timer(1)], vec![timer(2)], vec![complete()]]);
    assert!(matches!(scenario.task(task), Some(Output::FetchHistory { page_token, .. }) if page_token == "two"));
    assert!(matches!(scenario.page(page(&[], "three")), Some(Output::FetchHistory { .. })));
    let output = scenario.page(page(&history.events[3..], ""));
    assert!(matches!(output, Some(Output::Complete(_))), "{output:?}");
    scenario.accepted();
}

#[test]
fn s10_the_page_that_comes_to_the_start_of_the_task_is_the_last() {
    let mut task = two_timers().poll();
    task.next_page_token = Bytes::from_static(b"nothing behind it");
    Scenario::new([vec![timer(1)], vec![timer(2)], vec![complete()]]).completes(task);
}

#[test]
fn s10_endless_empty_pages_fail_the_task() {
    let mut task = two_timers().poll();
    task.history = None;
    let mut scenario = Scenario::new([]);
    let mut output = scenario.task(task);
    let mut pages = 0;
    while let Some(Output::FetchHistory { .. }) = output {
        pages += 1;
        assert!(pages < 100, "it goes on for ever");
        output = scenario.page(page(&[], "again"));
    }
    assert!(matches!(output, Some(Output::Fail(_))), "{output:?}");
}

#[test]
fn s11_a_sequence_waits_for_the_one_ahead() {
    let history = two_timers();
    for first_page in 1..history.events.len() - 1 {
        let mut task = history.poll();
        task.history.as_mut().expect("it has one").events.truncate(first_page);
        task.next_page_token = Bytes::from_static(b"rest");
        let mut scenario = Scenario::new([vec![timer(1)], vec![timer(2)], vec![complete()]]);
        assert!(matches!(scenario.task(task), Some(Output::FetchHistory { .. })), "cut after {first_page} events");
        let output = scenario.page(page(&history.events[first_page..], ""));
        assert!(matches!(output, Some(Output::Complete(_))), "cut after {first_page} events: {output:?}");
    }
}

#[test]
fn s12_commands_and_events_are_matched_in_order() {
    let history = HistoryBuilder::first_task()
        .task_completed()
        .timer_started(1)
        .activity_scheduled("1", "charge")
        .timer_fired(5)
        .task();
    Scenario::new([vec![timer(1), activity(1)], vec![complete()]]).completes(history.poll());
    let mut swapped = Scenario::new([vec![activity(1), timer(1)]]);
    let mismatch = swapped.fails(history.poll()).mismatch.expect("it says what differs");
    assert_eq!((mismatch.kind, mismatch.event_id), (MismatchKind::Different, 5));
}

#[test]
fn s12_an_event_without_a_command_is_a_mismatch() {
    let failed = Scenario::new([vec![]]).fails(two_timers().poll());
    assert_eq!(failed.cause, WorkflowTaskFailedCause::NonDeterministicError);
    let mismatch = failed.mismatch.expect("it says what differs");
    assert_eq!((mismatch.kind, mismatch.event_id), (MismatchKind::MissingCommand, 5));
    assert_eq!(mismatch.found, None);
}

#[test]
fn s12_a_command_without_an_event_is_a_mismatch() {
    let history = HistoryBuilder::first_task().task_completed().timer_started(1).timer_fired(5).task();
    let failed = Scenario::new([vec![timer(1), activity(1)]]).fails(history.poll());
    let mismatch = failed.mismatch.expect("it says what differs");
    assert_eq!((mismatch.kind, mismatch.event_id), (MismatchKind::ExtraCommand, 7));
    assert_eq!(mismatch.expected, None);
}

#[test]
fn s12_a_command_without_an_event_is_a_mismatch_at_the_end_of_history_too() {
    for history in [
        HistoryBuilder::first_task().task_completed().timer_started(1),
        HistoryBuilder::first_task().task_completed().timer_started(1).terminated(),
    ] {
        let mut scenario = Scenario::new([vec![timer(1), activity(1)]]);
        let failed = scenario.fails(stead_core::replay_task(history.history(), "workflow", "run"));
        assert_eq!(failed.mismatch.expect("it says what differs").kind, MismatchKind::ExtraCommand);
    }
}

#[test]
fn s12_a_mismatch_shows_both_sides_and_the_line() {
    let mut run = Run::new("run", RunOptions::default());
    let history = HistoryBuilder::first_task().task_completed().activity_scheduled("1", "charge").task();
    run.handle_task(history.poll(), Scenario::now());
    assert!(matches!(run.poll_output(), Some(Output::Activate(_))));
    let at = std::panic::Location::caller();
    let issued = stead_activation::Issued { command: timer(1), at: Some(at) };
    run.handle_commands(vec![issued], Scenario::now());
    let Some(Output::Fail(failed)) = run.poll_output() else { panic!("the task did not fail") };
    let expected = format!(
        "[TMPRL1100] Nondeterminism error: the code did something else than history records\n  \
         history: event 5 (ACTIVITY_TASK_SCHEDULED), schedule activity `charge` with id 1\n  \
         code:    start timer 1 of 5s, at {at}\n  \
         before:  1 WORKFLOW_EXECUTION_STARTED, 2 WORKFLOW_TASK_SCHEDULED, 3 WORKFLOW_TASK_STARTED, \
         4 WORKFLOW_TASK_COMPLETED\n  \
         usually: the code was changed while the workflow was open (keep the old path behind `workflow::patched`), \
         or it depends on what history does not record, such as time, random numbers or the order of a map"
    );
    assert_eq!(failed.failure.message, expected);
    let mismatch = failed.mismatch.expect("it says what differs");
    assert_eq!((mismatch.at, mismatch.event_type), (Some(at), Some("ACTIVITY_TASK_SCHEDULED")));
    assert!(mismatch.differences().is_empty(), "operations of two kinds have no parts to compare");
}

#[test]
fn a_mismatch_of_two_operations_of_a_kind_names_the_parts_that_differ() {
    let first = HistoryBuilder::first_task().flags(&[1]).task_completed();
    let history = first.activity_scheduled("1", "refund").signalled("on").task();
    let mut scenario = Scenario::new([vec![activity(1)]]);
    let mismatch = scenario.fails(history.poll()).mismatch.expect("it says what differs");
    let [difference] = &*mismatch.differences() else { panic!("one part differs: {mismatch:?}") };
    assert_eq!((difference.field, &*difference.expected, &*difference.found), ("type", "refund", "charge"));
    let line = "\n  differs: type: `refund` in history, `charge` in the code\n";
    assert!(mismatch.to_string().contains(line), "{mismatch}");
    let before = mismatch.recent.last().expect("there were events before it");
    assert_eq!((before.event_id, before.event_type), (4, "WORKFLOW_TASK_COMPLETED"));
}

#[test]
fn s13_an_event_of_an_unknown_operation_is_a_mismatch() {
    let history = HistoryBuilder::first_task().task_completed().timer_started(1).timer_fired(4).task();
    let failed = Scenario::new([vec![timer(1)]]).fails(history.poll());
    assert_eq!(failed.mismatch.expect("it says what differs").kind, MismatchKind::UnknownOperation);
}

#[test]
fn s13_unknown_events_are_skipped_only_if_history_allows_it() {
    let mut history = HistoryBuilder::first_task().task_completed().timer_started(1);
    let strange = HistoryEvent { event_id: 6, event_type: 9999, ..HistoryEvent::default() };
    history.events.push(strange);
    let mut history = history.timer_fired(5).task();
    let failed = Scenario::new([vec![timer(1)]]).fails(history.poll());
    assert!(failed.failure.message.contains("event 6"), "{}", failed.failure.message);
    history.events[5].worker_may_ignore = true;
    Scenario::new([vec![timer(1)], vec![complete()]]).completes(history.poll());
}

#[test]
fn s13_events_of_what_this_version_does_not_support_are_named() {
    let history =
        HistoryBuilder::first_task().task_completed().marker("strange", Default::default()).signalled("on").task();
    let failed = Scenario::new([vec![]]).fails(history.poll());
    let message = &failed.failure.message;
    assert!(message.contains("MARKER_RECORDED"), "{message}");
    assert!(message.contains("does not support"), "{message}");
}

#[test]
fn s13_nothing_follows_the_end_of_a_run() {
    let history = HistoryBuilder::first_task().task_completed().terminated().signalled("late").task();
    let mut scenario = Scenario::new([vec![]]);
    let failed = scenario.fails(history.poll());
    assert!(failed.failure.message.contains("history is broken"), "{}", failed.failure.message);
}

#[test]
fn s15_a_partial_history_on_an_empty_cache_is_fetched_from_the_beginning() {
    let history = two_timers();
    let mut scenario = Scenario::new([vec![timer(1)], vec![timer(2)], vec![complete()]]);
    match scenario.task(history.poll_from(9)) {
        Some(Output::FetchHistory { workflow_id, run_id, page_token }) => {
            assert_eq!((&*workflow_id, &*run_id), ("workflow", "run"));
            assert!(page_token.is_empty());
        }
        other => panic!("nothing is fetched: {other:?}"),
    }
    // The start of a task that is tried again is not in the stored history, only in the task.
    let stored = &history.events[..history.events.len() - 2];
    assert!(matches!(scenario.page(page(stored, "")), Some(Output::Complete(_))));
}

#[test]
fn s15_a_history_from_the_beginning_on_a_cached_run_starts_over() {
    let mut scenario = Scenario::new([vec![timer(1)]]);
    scenario.completes(HistoryBuilder::first_task().poll());
    scenario.accepted();
    let mut task = two_timers().poll();
    task.attempt = 2;
    let evicted = eviction(scenario.task(task.clone()));
    assert_eq!(evicted.reason, EvictionReason::HistoryChanged);
    assert_eq!(evicted.next_tasks, [task]);
}

#[test]
fn s15_a_history_that_leaves_a_gap_on_a_cached_run_starts_over() {
    let mut scenario = Scenario::new([vec![timer(1)]]);
    scenario.completes(HistoryBuilder::first_task().poll());
    scenario.accepted();
    assert_eq!(eviction(scenario.task(two_timers().poll_from(9))).next_tasks.len(), 1);
}

#[test]
fn s15_a_history_that_ends_before_its_task_fails_it() {
    let mut task = two_timers().poll();
    task.history.as_mut().expect("it has one").events.truncate(8);
    let failed = Scenario::new([vec![timer(1)], vec![]]).fails(task);
    assert!(failed.failure.message.contains("before the task's start at event 13"), "{}", failed.failure.message);
}

#[test]
fn a_missing_time_of_the_first_event_is_named() {
    let mut history = HistoryBuilder::first_task();
    history.events[0].event_time = None;
    let failed = Scenario::new([]).fails(history.poll());
    assert!(failed.failure.message.contains("event 1 (WORKFLOW_EXECUTION_STARTED)"), "{}", failed.failure.message);
    assert_eq!(EventType::WorkflowExecutionStarted as i32, history.events[0].event_type);
}
