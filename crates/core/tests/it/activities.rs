//! Activities.

use stead_activation::{ActivityCancellation, ActivityResolution, Command, Failure, Job, ScheduleActivity};
use stead_core::{MismatchKind, RunOptions};
use stead_proto::command::v1::ScheduleActivityTaskCommandAttributes;
use stead_proto::command::v1::command::Attributes;
use stead_proto::enums::v1::RetryState;
use stead_proto::failure::v1::ActivityFailureInfo;
use stead_proto::failure::v1::failure::FailureInfo;

use crate::support::{HistoryBuilder, Scenario, activity, complete, payload, run_to_end};

fn cancellable(cancellation: ActivityCancellation) -> Command {
    let Command::ScheduleActivity(activity) = activity(1) else { unreachable!("it schedules an activity") };
    Command::ScheduleActivity(Box::new(ScheduleActivity { cancellation, ..*activity }))
}

const CANCEL: Command = Command::CancelActivity { seq: 1 };

fn scheduled() -> HistoryBuilder {
    HistoryBuilder::first_task().task_completed().activity_scheduled("1", "charge")
}

fn resolution(job: &Job) -> &ActivityResolution {
    match job {
        Job::ResolveActivity { seq: 1, resolution } => resolution,
        other => panic!("not the end of the activity: {other:?}"),
    }
}

fn failure(job: &Job) -> &Failure {
    match resolution(job) {
        ActivityResolution::Failed(failure) | ActivityResolution::Cancelled(failure) => failure,
        other => panic!("it did not fail: {other:?}"),
    }
}

fn info(failure: &Failure) -> &ActivityFailureInfo {
    match &failure.failure_info {
        Some(FailureInfo::ActivityFailureInfo(info)) => info,
        other => panic!("not the failure of an activity: {other:?}"),
    }
}

#[test]
fn an_activity_is_scheduled_and_completes() {
    let mut scenario = Scenario::new([vec![activity(1)], vec![complete()]]);
    let first = scenario.completes(HistoryBuilder::first_task().poll());
    let attributes = schedule(&first.commands[0].attributes);
    assert_eq!(attributes.activity_id, "1");
    assert_eq!(attributes.task_queue.as_ref().map(|queue| queue.name.as_str()), Some("queue"));
    scenario.accepted();
    let history = scheduled().activity_started(5).activity_completed(5, "done").task();
    scenario.completes(history.poll_from(4));
    assert_eq!(resolution(&scenario.jobs(1)[0]), &ActivityResolution::Completed(Some(payload("done"))));
}

fn schedule(attributes: &Option<Attributes>) -> &ScheduleActivityTaskCommandAttributes {
    match attributes {
        Some(Attributes::ScheduleActivityTaskCommandAttributes(attributes)) => attributes,
        other => panic!("not an activity: {other:?}"),
    }
}

#[test]
fn activities_in_sequence_replay() {
    let mut script: Vec<Vec<Command>> = (1..=3).map(|seq| vec![activity(seq)]).collect();
    script.push(vec![complete()]);
    let script: [_; 4] = script.try_into().expect("four steps");
    let scenario = run_to_end(&HistoryBuilder::activities_in_sequence(3), script);
    assert_eq!(scenario.activations.len(), 4);
}

#[test]
fn s43_try_cancel_resolves_at_once_and_swallows_what_follows() {
    let script = || [vec![cancellable(ActivityCancellation::TryCancel)], vec![CANCEL], vec![], vec![]];
    let history = scheduled().activity_started(5).signalled("stop").task();
    let mut scenario = Scenario::new(script());
    let completion = scenario.completes(history.poll());
    assert!(matches!(
        &completion.commands[0].attributes,
        Some(Attributes::RequestCancelActivityTaskCommandAttributes(request)) if request.scheduled_event_id == 5
    ));
    assert!(matches!(resolution(&scenario.jobs(2)[0]), ActivityResolution::Cancelled(_)));

    let history = history.task_completed().activity_cancel_requested(5);
    for end in [
        history.clone().activity_completed(5, "late"),
        history.clone().activity_failed(5, "late"),
        history.clone().activity_timed_out(5),
        history.clone().activity_cancelled(5),
    ] {
        let scenario = run_to_end(&end.signalled("on").task().task_completed(), script());
        assert!(matches!(scenario.jobs(3), [Job::Signal(_)]), "the code was told twice");
    }
}

#[test]
fn s43_wait_cancellation_completed_waits_for_the_event() {
    let script = || [vec![cancellable(ActivityCancellation::WaitCancellationCompleted)], vec![CANCEL], vec![]];
    let history =
        scheduled().activity_started(5).signalled("stop").task().task_completed().activity_cancel_requested(5);
    let cancelled = run_to_end(&history.clone().activity_cancelled(5).task().task_completed(), script());
    assert!(matches!(resolution(&cancelled.jobs(2)[0]), ActivityResolution::Cancelled(_)));
    let completed = run_to_end(&history.activity_completed(5, "done").task().task_completed(), script());
    assert!(matches!(resolution(&completed.jobs(2)[0]), ActivityResolution::Completed(_)));
}

#[test]
fn s43_abandon_sends_nothing_and_resolves_at_once() {
    let script = [vec![cancellable(ActivityCancellation::Abandon)], vec![CANCEL], vec![]];
    let mut scenario = Scenario::new(script);
    let completion = scenario.completes(scheduled().signalled("stop").task().poll());
    assert!(completion.commands.is_empty());
    assert!(matches!(resolution(&scenario.jobs(2)[0]), ActivityResolution::Cancelled(_)));
}

/// The official SDK fails the task unless the activity completes (its fault B9).
#[test]
fn b9_an_abandoned_activity_may_end_in_any_way() {
    let history = scheduled().signalled("stop").task().task_completed();
    for end in [
        history.clone().activity_started(5).activity_completed(5, "late"),
        history.clone().activity_started(5).activity_failed(5, "late"),
        history.clone().activity_started(5).activity_timed_out(5),
        history.clone().activity_timed_out(5),
        history.clone().activity_started(5).activity_cancelled(5),
    ] {
        let script = [vec![cancellable(ActivityCancellation::Abandon)], vec![CANCEL], vec![], vec![]];
        let scenario = run_to_end(&end.signalled("on").task().task_completed(), script);
        assert!(matches!(scenario.jobs(3), [Job::Signal(_)]));
    }
}

#[test]
fn s43_an_activity_that_is_cancelled_before_it_is_sent_leaves_no_trace() {
    for cancellation in [
        ActivityCancellation::TryCancel,
        ActivityCancellation::WaitCancellationCompleted,
        ActivityCancellation::Abandon,
    ] {
        let mut scenario = Scenario::new([vec![cancellable(cancellation), CANCEL], vec![CANCEL]]);
        let completion = scenario.completes(HistoryBuilder::first_task().poll());
        assert!(completion.commands.is_empty());
        assert!(matches!(resolution(&scenario.jobs(1)[0]), ActivityResolution::Cancelled(_)));
    }
}

#[test]
fn s44_failures_carry_their_activity() {
    let script = || [vec![activity(1)], vec![]];
    let history = scheduled().activity_started(5).activity_failed(5, "no funds").task().task_completed();
    let scenario = run_to_end(&history, script());
    let failed = failure(&scenario.jobs(1)[0]);
    assert_eq!(failed.message, "Activity task failed");
    assert_eq!(failed.cause.as_ref().map(|cause| cause.message.as_str()), Some("no funds"));
    let failed = info(failed);
    assert_eq!((failed.scheduled_event_id, failed.started_event_id), (5, 6));
    assert_eq!((failed.identity.as_str(), failed.activity_id.as_str()), ("worker", "1"));
    assert_eq!(failed.activity_type.as_ref().map(|kind| kind.name.as_str()), Some("charge"));

    let scenario = run_to_end(&scheduled().activity_timed_out(5).task().task_completed(), script());
    let timed_out = failure(&scenario.jobs(1)[0]);
    assert_eq!(timed_out.message, "Activity task timed out");
    assert_eq!(timed_out.cause.as_ref().map(|cause| cause.message.as_str()), Some("timeout"));
}

#[test]
fn s44_cancellations_carry_their_activity_too() {
    let script = [vec![activity(1)], vec![CANCEL], vec![]];
    let scenario = run_to_end(
        &scheduled().activity_started(5).signalled("stop").task().task_completed().activity_cancel_requested(5),
        script,
    );
    let cancelled = failure(&scenario.jobs(2)[0]);
    assert_eq!(cancelled.message, "Activity cancelled");
    let cause = cancelled.cause.as_ref().and_then(|cause| cause.failure_info.as_ref());
    assert!(matches!(cause, Some(FailureInfo::CanceledFailureInfo(_))));
    assert_eq!(info(cancelled).retry_state(), RetryState::CancelRequested);
    assert_eq!((info(cancelled).scheduled_event_id, info(cancelled).started_event_id), (5, 6));
}

#[test]
fn s47_eager_execution_is_asked_for_on_the_own_task_queue_only() {
    let with = |change: fn(&mut ScheduleActivity)| {
        let Command::ScheduleActivity(mut activity) = activity(1) else { unreachable!("it schedules an activity") };
        change(&mut activity);
        let mut options = RunOptions::default();
        options.eager_activities = true;
        let mut scenario = Scenario::with_options(options, [vec![Command::ScheduleActivity(activity)]]);
        let completion = scenario.completes(HistoryBuilder::first_task().poll());
        schedule(&completion.commands[0].attributes).request_eager_execution
    };
    assert!(with(|_| {}));
    assert!(with(|activity| activity.task_queue = "queue".into()));
    assert!(!with(|activity| activity.task_queue = "other".into()));
    assert!(!with(|activity| activity.disable_eager_execution = true));

    let mut without = Scenario::new([vec![activity(1)]]);
    let completion = without.completes(HistoryBuilder::first_task().poll());
    assert!(!schedule(&completion.commands[0].attributes).request_eager_execution);
}

#[test]
fn an_activity_of_another_type_or_id_is_a_mismatch_under_flag_1_only() {
    for (id, activity_type) in [("1", "refund"), ("mine", "charge")] {
        let history = |flags: &[u32]| {
            HistoryBuilder::first_task()
                .flags(flags)
                .task_completed()
                .activity_scheduled(id, activity_type)
                .signalled("on")
                .task()
                .task_completed()
        };
        let mut scenario = Scenario::new([vec![activity(1)]]);
        let mismatch = scenario.fails(history(&[1]).task().poll()).mismatch.expect("it says what differs");
        assert_eq!(mismatch.kind, MismatchKind::Different);
        assert!(mismatch.to_string().starts_with("[TMPRL1100] Nondeterminism error: "));
        run_to_end(&history(&[]), [vec![activity(1)], vec![]]);
    }
}

#[test]
fn an_event_that_cannot_have_happened_yet_is_a_mismatch() {
    let mut scenario = Scenario::new([vec![activity(1)]]);
    let history = scheduled().activity_completed(5, "without a start").task();
    let mismatch = scenario.fails(history.poll()).mismatch.expect("it says what differs");
    assert_eq!((mismatch.kind, mismatch.event_id), (MismatchKind::OutOfOrder, 6));
}
