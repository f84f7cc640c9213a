//! Local activities.

use std::time::Duration;

use stead_activation::{
    ActivityCancellation, ActivityResolution, Command, Failure, Job, RetryPolicy, ScheduleLocalActivity, Seq,
};
use stead_core::{Completion, CompletionOutcome, LocalActivityOutcome, LocalActivityStop, MismatchKind, Output};
use stead_proto::command::v1::RecordMarkerCommandAttributes;
use stead_proto::command::v1::command::Attributes;
use stead_proto::enums::v1::TimeoutType;
use stead_proto::failure::v1::failure::FailureInfo;
use stead_proto::failure::v1::{ApplicationFailureInfo, CanceledFailureInfo};

use crate::support::{
    HistoryBuilder, Scenario, activity, complete, completion, eviction, local, local_activity, mismatch, payload,
    query, run_to_end, timer,
};

const CANCEL: Command = Command::CancelLocalActivity { seq: 1 };

fn with(change: impl FnOnce(&mut ScheduleLocalActivity)) -> Command {
    let mut activity = local_activity(1);
    change(&mut activity);
    Command::ScheduleLocalActivity(Box::new(activity))
}

fn cancellable(cancellation: ActivityCancellation) -> Command {
    with(|activity| activity.cancellation = cancellation)
}

fn done(result: &str) -> LocalActivityOutcome {
    LocalActivityOutcome::Completed(Some(payload(result)))
}

fn failed(message: &str) -> LocalActivityOutcome {
    let info = FailureInfo::ApplicationFailureInfo(ApplicationFailureInfo::default());
    LocalActivityOutcome::Failed(Box::new(Failure {
        message: message.into(),
        failure_info: Some(info),
        ..Failure::default()
    }))
}

fn resolutions(jobs: &[Job]) -> Vec<(Seq, &ActivityResolution)> {
    let resolution = |job| match job {
        &Job::ResolveActivity { seq, ref resolution } => Some((seq, resolution)),
        _ => None,
    };
    jobs.iter().filter_map(resolution).collect()
}

fn resolved(jobs: &[Job]) -> Vec<Seq> {
    resolutions(jobs).into_iter().map(|(seq, _)| seq).collect()
}

fn failure(jobs: &[Job]) -> &Failure {
    match resolutions(jobs)[..] {
        [(_, ActivityResolution::Failed(failure) | ActivityResolution::Cancelled(failure))] => failure,
        ref other => panic!("not one failure: {other:?}"),
    }
}

fn marker(completion: &Completion, index: usize) -> &RecordMarkerCommandAttributes {
    match &completion.commands[index].attributes {
        Some(Attributes::RecordMarkerCommandAttributes(marker)) => marker,
        other => panic!("not a marker: {other:?}"),
    }
}

fn data(marker: &RecordMarkerCommandAttributes) -> serde_json::Value {
    serde_json::from_slice(&marker.details["data"].payloads[0].data).expect("the detail is JSON")
}

/// What the attempts were, as numbers of activity and attempt.
fn attempts(scenario: &Scenario) -> Vec<(Seq, u32)> {
    scenario.attempts.iter().map(|attempt| (attempt.seq, attempt.attempt)).collect()
}

fn started(script: impl Into<Vec<Vec<Command>>>) -> Scenario {
    let mut scenario = Scenario::scripted(script.into());
    let output = scenario.task(HistoryBuilder::first_task().poll());
    assert!(output.is_none(), "the task is not kept open: {output:?}");
    scenario
}

#[test]
fn s37_s38_it_runs_within_its_task_and_its_marker_is_recorded_there() {
    let mut scenario = started([vec![local(1), timer(1)], vec![complete()]]);
    assert_eq!(attempts(&scenario), [(1, 1)]);
    let attempt = &scenario.attempts[0];
    assert_eq!((&*attempt.activity_type, attempt.start_to_close_timeout), ("look", Some(Duration::from_secs(20))));
    scenario.elapsed = Duration::from_secs(2);
    let completion = completion(scenario.ended(1, 1, done("seen")));
    assert_eq!(resolutions(scenario.jobs(1)), [(1, &ActivityResolution::Completed(Some(payload("seen"))))]);
    let marker = marker(&completion, 1);
    assert_eq!(marker.marker_name, "core_local_activity");
    assert_eq!(marker.details["result"].payloads, [payload("seen")]);
    assert_eq!(
        data(marker),
        serde_json::json!({
            "seq": 1, "attempt": 1, "activity_id": "1", "activity_type": "look",
            "complete_time": {"seconds": 1005, "nanos": 0}, "backoff": null,
            "original_schedule_time": {"seconds": 1003, "nanos": 0}, "activation_index": 1,
        })
    );
    assert!(!completion.force_create_new_workflow_task);
}

#[test]
fn s05_workflow_time_goes_on_while_it_runs() {
    let mut scenario = started([vec![local(1)], vec![]]);
    let start = scenario.activations[0].timestamp;
    scenario.elapsed = Duration::from_millis(1500);
    scenario.ended(1, 1, done("seen"));
    assert_eq!(scenario.activations[1].timestamp, start + Duration::from_millis(1500));
}

#[test]
fn s38_its_end_replays_from_the_marker() {
    let history = HistoryBuilder::first_task().task_completed();
    let history = history.local_activity(1, r#","activation_index":1"#, "seen").timer_started(1);
    let history = history.timer_fired(6).task().task_completed();
    let scenario = run_to_end(&history, [vec![local(1)], vec![timer(1)], vec![]]);
    assert_eq!(resolutions(scenario.jobs(1)), [(1, &ActivityResolution::Completed(Some(payload("seen"))))]);
    assert_eq!(attempts(&scenario), [], "what history knows is not run again");
}

#[test]
fn a_patch_that_is_asked_for_after_a_local_activity_replays() {
    let patch = || Command::SetPatch { id: "p".into(), deprecated: false };
    let history = HistoryBuilder::first_task().task_completed().local_activity(1, "", "seen").patch("p", false);
    let history = history.patches_recorded().timer_started(1).timer_fired(8).task().task_completed();
    let scenario = run_to_end(&history, [vec![local(1)], vec![patch(), timer(1)], vec![]]);
    assert_eq!(resolved(scenario.jobs(1)), [1]);
}

#[test]
fn s38_ends_that_were_told_together_replay_together_and_others_apart() {
    let history = |indexes: [&str; 2]| {
        let mut history = HistoryBuilder::first_task().task_completed();
        for (seq, index) in (1..).zip(indexes) {
            history = history.local_activity(seq, index, "seen");
        }
        history.completed()
    };
    let together = [r#","activation_index":1"#; 2];
    let scenario = run_to_end(&history(together), [vec![local(1), local(2)], vec![complete()]]);
    assert_eq!(resolved(scenario.jobs(1)), [1, 2]);
    let apart = [r#","activation_index":1"#, r#","activation_index":2"#];
    let scenario = run_to_end(&history(apart), [vec![local(1), local(2)], vec![], vec![complete()]]);
    assert_eq!(resolved(scenario.jobs(1)), [1]);
    assert_eq!(resolved(scenario.jobs(2)), [2]);
    // Markers of older versions do not say.
    let scenario = run_to_end(&history([""; 2]), [vec![local(1), local(2)], vec![complete()]]);
    assert_eq!(resolved(scenario.jobs(1)), [1, 2]);
}

#[test]
fn s38_an_end_waits_while_the_code_is_at_work_or_no_task_is_open() {
    let mut scenario = started([vec![local(1), local(2)], vec![], vec![]]);
    scenario.elapsed = Duration::from_secs(8);
    let heartbeat = completion(scenario.wait());
    assert!(heartbeat.force_create_new_workflow_task);
    let none = scenario.ended(1, 1, done("between"));
    assert!(none.is_none() && scenario.activations.len() == 1, "the code was told without a task");
    scenario.accepted();
    let history = HistoryBuilder::first_task().task_completed().task();
    assert!(scenario.task(history.poll_from(4)).is_none());
    assert_eq!(resolved(scenario.jobs(1)), [1]);
    let completion = completion(scenario.ended(2, 1, done("later")));
    assert_eq!(completion.commands.len(), 2);
}

#[test]
fn s20_a_task_is_kept_alive_while_it_runs() {
    let mut history = HistoryBuilder::first_task();
    history.start_mut().workflow_task_timeout = Some(prost_types::Duration { seconds: 5, nanos: 0 });
    let mut scenario = Scenario::new([vec![timer(1), local(1)], vec![complete()]]);
    assert!(scenario.task(history.poll()).is_none());
    let heartbeat = completion(scenario.wait());
    assert_eq!(scenario.elapsed, Duration::from_secs(4), "four fifths of the timeout");
    assert!(heartbeat.force_create_new_workflow_task);
    assert_eq!(heartbeat.commands.len(), 1, "what was commanded goes out");
    scenario.accepted();
    assert!(!scenario.run.is_idle(), "it must not leave the cache while an attempt runs");
    assert!(scenario.task(history.task_completed().timer_started(1).task().poll_from(4)).is_none());
    let last = completion(scenario.ended(1, 1, done("seen")));
    assert!(!last.force_create_new_workflow_task && last.ends_run);
}

#[test]
fn s20_a_history_with_heartbeats_replays() {
    let history = HistoryBuilder::first_task().task_completed().task().task_completed().task().task_completed();
    let history = history.local_activity(1, r#","activation_index":0"#, "seen").completed();
    let scenario = run_to_end(&history, [vec![local(1)], vec![complete()]]);
    assert_eq!(resolved(scenario.jobs(1)), [1]);
}

#[test]
fn queries_of_a_task_are_answered_when_it_is_completed() {
    let mut scenario = Scenario::new([vec![local(1)], vec![complete()]]);
    let mut task = HistoryBuilder::first_task().poll();
    task.queries = query(&["q"]);
    assert!(scenario.task(task).is_none());
    assert!(scenario.queries.is_empty());
    let completion = completion(scenario.ended(1, 1, done("seen")));
    assert_eq!(completion.query_results.len(), 1);
}

#[test]
fn s23_attempts_after_the_first_task_are_counted_for_the_server() {
    let retries = with(|activity| {
        activity.retry_policy = Some(RetryPolicy {
            initial_interval: Some(prost_types::Duration { seconds: 3, nanos: 0 }),
            backoff_coefficient: 1.0,
            ..RetryPolicy::default()
        });
    });
    let mut scenario = started([vec![retries], vec![complete()]]);
    let mut counts = Vec::new();
    let mut history = HistoryBuilder::first_task();
    for attempt in 1..=6 {
        assert_eq!(attempts(&scenario).last(), Some(&(1, attempt)));
        assert!(scenario.ended(1, attempt, failed("not yet")).is_none());
        let mut output = scenario.wait();
        if let Some(Output::Complete(heartbeat)) = output {
            counts.push(heartbeat.later_local_activity_attempts);
            scenario.accepted();
            let last = history.last_id();
            history = history.task_completed().task();
            output = scenario.task(history.poll_from(last + 1));
            assert!(output.is_none());
            if attempts(&scenario).len() < attempt as usize + 1 {
                output = scenario.wait();
            }
        }
        assert!(output.is_none(), "{output:?}");
    }
    counts.push(completion(scenario.ended(1, 7, done("seen"))).later_local_activity_attempts);
    // Attempts begin at 0, 3, 6, 9, 12, 15 and 18 s; tasks end after 8 and 16 s. The first task is the activity's own.
    assert_eq!(counts, [0, 3, 1]);
}

#[test]
fn s39_a_retry_that_is_near_happens_within_the_task() {
    let mut scenario = started([vec![local(1)], vec![complete()]]);
    assert!(scenario.ended(1, 1, failed("not yet")).is_none());
    assert!(scenario.wait().is_none());
    assert_eq!(scenario.elapsed, Duration::from_secs(1), "the default policy waits a second at first");
    assert_eq!(attempts(&scenario), [(1, 1), (1, 2)]);
    let completion = completion(scenario.ended(1, 2, done("seen")));
    assert_eq!(data(marker(&completion, 0))["attempt"], 2);
}

#[test]
fn s39_a_retry_that_is_far_away_is_handed_to_the_code() {
    let patient = with(|activity| {
        activity.attempt = 3;
        activity.local_retry_threshold = Some(Duration::from_secs(2));
    });
    let mut scenario = started([vec![patient], vec![timer(1)]]);
    let completion = completion(scenario.ended(1, 3, failed("not yet")));
    let marker = marker(&completion, 0);
    assert_eq!(data(marker)["backoff"], serde_json::json!({"seconds": 4, "nanos": 0}));
    assert_eq!(marker.failure.as_ref().map(|failure| &*failure.message), Some("not yet"));
    let [(1, ActivityResolution::BackOff(backoff))] = resolutions(scenario.jobs(1))[..] else {
        panic!("not a backoff: {:?}", scenario.jobs(1))
    };
    assert_eq!((backoff.attempt, backoff.delay), (4, Duration::from_secs(4)));
    assert_eq!(backoff.original_schedule_time, scenario.activations[0].timestamp);
}

#[test]
fn s39_a_backoff_replays_from_the_marker() {
    let data = r#","attempt":4,"backoff":{"seconds":90,"nanos":0},"original_schedule_time":{"seconds":7,"nanos":0}"#;
    let data = data.replace(r#","attempt":4"#, "");
    let history = HistoryBuilder::first_task().task_completed();
    let history = history.local_activity_failed(1, &data, Failure::default()).timer_started(1).completed();
    let scenario = run_to_end(&history, [vec![local(1)], vec![timer(1), complete()]]);
    let [(1, ActivityResolution::BackOff(backoff))] = resolutions(scenario.jobs(1))[..] else {
        panic!("not a backoff: {:?}", scenario.jobs(1))
    };
    assert_eq!((backoff.attempt, backoff.delay), (2, Duration::from_secs(90)));
}

#[test]
fn s40_failures_that_are_final_are_not_tried_again() {
    let mut scenario = started([vec![local(1)], vec![complete()]]);
    let refused = Failure {
        message: "refused".into(),
        failure_info: Some(FailureInfo::ApplicationFailureInfo(ApplicationFailureInfo {
            non_retryable: true,
            ..ApplicationFailureInfo::default()
        })),
        ..Failure::default()
    };
    let completion = completion(scenario.ended(1, 1, LocalActivityOutcome::Failed(Box::new(refused.clone()))));
    assert_eq!(marker(&completion, 0).failure.as_ref(), Some(&refused));
    let told = failure(scenario.jobs(1));
    assert_eq!(told.message, "Local Activity failed");
    assert_eq!(told.cause.as_deref(), Some(&refused));
    let Some(FailureInfo::ActivityFailureInfo(info)) = &told.failure_info else { panic!("not wrapped: {told:?}") };
    assert_eq!((&*info.activity_id, info.activity_type.as_ref().map(|it| &*it.name)), ("1", Some("look")));
}

#[test]
fn s40_timeouts_of_the_attempt_are_tried_again_and_those_of_the_whole_are_not() {
    let bounded = with(|activity| activity.schedule_to_close_timeout = Some(Duration::from_millis(2500)));
    let mut scenario = started([vec![bounded], vec![complete()]]);
    assert_eq!(scenario.attempts[0].start_to_close_timeout, Some(Duration::from_millis(2500)));
    assert!(scenario.ended(1, 1, LocalActivityOutcome::TimedOut(TimeoutType::StartToClose)).is_none());
    assert!(scenario.wait().is_none());
    assert_eq!(scenario.attempts[1].start_to_close_timeout, Some(Duration::from_millis(1500)), "what is left");
    let completion = completion(scenario.wait());
    assert_eq!(scenario.elapsed, Duration::from_millis(2500));
    assert_eq!(scenario.stops, [(1, 2, LocalActivityStop::TimedOut)]);
    let told = failure(scenario.jobs(1));
    assert_eq!(told.message, "Local Activity timed out");
    let Some(FailureInfo::TimeoutFailureInfo(info)) = &marker(&completion, 0).failure.as_ref().unwrap().failure_info
    else {
        panic!("not a timeout")
    };
    assert_eq!(info.timeout_type(), TimeoutType::ScheduleToClose);
}

#[test]
fn an_attempt_that_times_out_when_the_whole_does_ends_it_as_a_whole() {
    let bounded = with(|activity| activity.schedule_to_close_timeout = Some(Duration::from_millis(50)));
    let mut scenario = started([vec![bounded], vec![complete()]]);
    scenario.elapsed = Duration::from_millis(50);
    completion(scenario.ended(1, 1, LocalActivityOutcome::TimedOut(TimeoutType::StartToClose)));
    let Some(FailureInfo::TimeoutFailureInfo(info)) =
        failure(scenario.jobs(1)).cause.as_ref().and_then(|cause| cause.failure_info.as_ref())
    else {
        panic!("not a timeout: {:?}", scenario.jobs(1))
    };
    assert_eq!(info.timeout_type(), TimeoutType::ScheduleToClose);
}

#[test]
fn s40_time_spent_before_a_backoff_counts() {
    let late = with(|activity| {
        activity.schedule_to_close_timeout = Some(Duration::from_secs(10));
        activity.original_schedule_time = Some(std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(996));
        activity.attempt = 2;
    });
    let scenario = started([vec![late]]);
    assert_eq!(scenario.attempts[0].start_to_close_timeout, Some(Duration::from_secs(3)), "7 of 10 s are spent");
}

#[test]
fn a_retry_that_would_come_too_late_is_not_waited_for() {
    let bounded = with(|activity| activity.schedule_to_close_timeout = Some(Duration::from_millis(500)));
    let mut scenario = started([vec![bounded], vec![complete()]]);
    completion(scenario.ended(1, 1, failed("this is why")));
    assert_eq!(failure(scenario.jobs(1)).cause.as_ref().map(|cause| &*cause.message), Some("this is why"));
}

#[test]
fn s41_try_cancel_and_abandon_resolve_at_once_with_a_marker() {
    for (cancellation, stops) in [
        (ActivityCancellation::TryCancel, &[(1, 1, LocalActivityStop::Cancelled)][..]),
        (ActivityCancellation::Abandon, &[]),
    ] {
        let history = HistoryBuilder::first_task().task_completed().timer_started(1).timer_fired(5).task();
        let mut scenario = Scenario::new([vec![timer(1), cancellable(cancellation)], vec![CANCEL], vec![]]);
        assert!(scenario.task(HistoryBuilder::first_task().poll()).is_none());
        completion(scenario.wait());
        scenario.accepted();
        let completion = completion(scenario.task(history.poll_from(4)));
        assert_eq!(scenario.stops, stops, "{cancellation:?}");
        let told = failure(scenario.jobs(2));
        assert_eq!(told.message, "Local Activity cancelled");
        assert!(matches!(
            marker(&completion, 0).failure.as_ref().and_then(|failure| failure.failure_info.as_ref()),
            Some(FailureInfo::CanceledFailureInfo(_))
        ));
        assert!(scenario.ended(1, 1, done("too late")).is_none(), "a late result is dropped");
    }
}

#[test]
fn s41_wait_cancellation_waits_for_the_result() {
    let wait = ActivityCancellation::WaitCancellationCompleted;
    let history = HistoryBuilder::first_task().task_completed().timer_started(1).timer_fired(5).task();
    let mut scenario = Scenario::new([vec![timer(1), cancellable(wait)], vec![CANCEL], vec![]]);
    assert!(scenario.task(HistoryBuilder::first_task().poll()).is_none());
    completion(scenario.wait());
    scenario.accepted();
    assert!(scenario.task(history.poll_from(4)).is_none());
    assert_eq!(scenario.stops, [(1, 1, LocalActivityStop::Cancelled)]);
    let completion = completion(scenario.ended(1, 1, LocalActivityOutcome::Cancelled(vec![payload("why")])));
    let Some(FailureInfo::CanceledFailureInfo(CanceledFailureInfo { details: Some(details), .. })) =
        &marker(&completion, 0).failure.as_ref().unwrap().failure_info
    else {
        panic!("not a cancellation")
    };
    assert_eq!(details.payloads, [payload("why")]);
}

#[test]
fn s41_a_retry_that_waits_is_cancelled_at_once() {
    let wait = ActivityCancellation::WaitCancellationCompleted;
    let history = HistoryBuilder::first_task().task_completed().timer_started(1).timer_fired(5).task();
    let slow = with(|activity| {
        activity.cancellation = wait;
        activity.retry_policy = Some(RetryPolicy {
            initial_interval: Some(prost_types::Duration { seconds: 30, nanos: 0 }),
            ..RetryPolicy::default()
        });
    });
    let mut scenario = Scenario::new([vec![timer(1), slow], vec![CANCEL], vec![complete()]]);
    assert!(scenario.task(HistoryBuilder::first_task().poll()).is_none());
    assert!(scenario.ended(1, 1, failed("not yet")).is_none());
    completion(scenario.wait());
    scenario.accepted();
    completion(scenario.task(history.poll_from(4)));
    assert!(scenario.stops.is_empty());
    assert_eq!(failure(scenario.jobs(2)).message, "Local Activity cancelled");
}

#[test]
fn one_that_is_cancelled_in_its_own_activation_is_never_run() {
    let mut scenario = Scenario::new([vec![cancellable(ActivityCancellation::TryCancel), CANCEL], vec![complete()]]);
    let completion = scenario.completes(HistoryBuilder::first_task().poll());
    assert_eq!(attempts(&scenario), []);
    assert_eq!(scenario.stops, []);
    assert_eq!(completion.commands.len(), 2, "the marker is recorded nonetheless");
}

#[test]
fn s41_while_replaying_the_marker_is_waited_for() {
    let failure = Failure {
        message: "Activity cancelled".into(),
        failure_info: Some(FailureInfo::CanceledFailureInfo(CanceledFailureInfo::default())),
        ..Failure::default()
    };
    let history = HistoryBuilder::first_task().task_completed().timer_started(1).timer_fired(5).task();
    let history = history.task_completed().local_activity_failed(1, r#","activation_index":1"#, failure).completed();
    let script = [vec![timer(1), cancellable(ActivityCancellation::TryCancel)], vec![CANCEL], vec![complete()]];
    let scenario = run_to_end(&history, script);
    assert!(matches!(resolutions(scenario.jobs(2))[..], [(1, ActivityResolution::Cancelled(_))]));
    assert_eq!(scenario.stops, []);
}

#[test]
fn what_history_does_not_know_runs_when_replay_is_over() {
    let history = HistoryBuilder::first_task().task_completed().task();
    let mut scenario = Scenario::new([vec![local(1)], vec![complete()]]);
    assert!(scenario.task(history.poll()).is_none());
    assert_eq!(attempts(&scenario), [(1, 1)]);
    completion(scenario.ended(1, 1, done("seen")));
}

#[test]
fn a_query_alone_starts_nothing() {
    let history = HistoryBuilder::first_task().task_completed().task().task_completed();
    let mut scenario = Scenario::new([vec![local(1)]]);
    scenario.answers(history.poll_query(1));
    assert_eq!(attempts(&scenario), []);
}

#[test]
fn s42_a_task_that_the_server_gave_up_is_not_held() {
    let mut scenario = started([vec![local(1)]]);
    let late = HistoryBuilder::first_task().task_timed_out().task();
    let heartbeat = completion(scenario.task(late.poll()));
    assert!(heartbeat.force_create_new_workflow_task);
    let eviction = eviction(scenario.outcome(CompletionOutcome::TaskNotFound));
    assert_eq!(scenario.stops, [(1, 1, LocalActivityStop::RunGone)]);
    assert_eq!(eviction.next_tasks.len(), 1);
}

#[test]
fn s42_what_runs_when_the_run_ends_is_told() {
    let mut scenario = Scenario::new([vec![local(1), local(2)], vec![complete()]]);
    assert!(scenario.task(HistoryBuilder::first_task().poll()).is_none());
    let completion = completion(scenario.ended(2, 1, done("enough")));
    assert!(completion.ends_run && !completion.force_create_new_workflow_task);
    assert_eq!(scenario.stops, [(1, 1, LocalActivityStop::RunGone)]);
}

#[test]
fn an_update_that_waits_for_one_is_accepted_and_completed_in_the_same_task() {
    use stead_activation::UpdateResponse;
    let respond = |response| Command::RespondUpdate { protocol_instance_id: "u".into(), response };
    let history = HistoryBuilder::first_task().task_completed().timer_started(1).update_admitted("u").task();
    let mut scenario = Scenario::new([
        vec![timer(1)],
        vec![respond(UpdateResponse::Accepted), local(1)],
        vec![respond(UpdateResponse::Completed(None))],
    ]);
    scenario.completes(HistoryBuilder::first_task().poll());
    scenario.accepted();
    assert!(scenario.task(history.poll_from(4)).is_none());
    let completion = completion(scenario.ended(1, 1, done("seen")));
    assert_eq!(completion.messages.len(), 2);
    assert_eq!(completion.commands.len(), 3);
}

#[test]
fn its_arguments_and_summary_are_recorded_where_asked_for() {
    let told = with(|activity| {
        activity.arguments = vec![payload("in")];
        activity.include_arguments_in_marker = true;
        activity.summary = Some(payload("why"));
    });
    let mut scenario = started([vec![told], vec![]]);
    let completion = completion(scenario.ended(1, 1, done("out")));
    assert_eq!(marker(&completion, 0).details["input"].payloads, [payload("in")]);
    let metadata = completion.commands[0].user_metadata.as_ref();
    assert_eq!(metadata.and_then(|metadata| metadata.summary.clone()), Some(payload("why")));
}

#[test]
fn another_activity_than_history_records_is_a_mismatch() {
    let history = HistoryBuilder::first_task().task_completed().local_activity(1, "", "seen").completed();
    let other = with(|activity| activity.activity_type = "peek".into());
    let found = mismatch(&history, vec![vec![other], vec![complete()]]);
    assert_eq!(found.0, MismatchKind::Different);
    assert!(found.1.contains("run local activity `look` with id 1"), "{}", found.1);
    assert!(found.1.contains("run local activity `peek` with id 1"), "{}", found.1);
    let found = mismatch(&history, vec![vec![complete()]]);
    assert_eq!(found.0, MismatchKind::MissingCommand);
    let found = mismatch(&history, vec![vec![activity(1)]]);
    assert_eq!(found.0, MismatchKind::MissingCommand, "an activity is not a local one");
}

#[test]
fn a_marker_that_cannot_be_read_fails_the_task_by_its_event() {
    let history = HistoryBuilder::first_task().task_completed().marker("core_local_activity", Default::default());
    let mut scenario = Scenario::new([]);
    let failed = scenario.fails(history.task().poll());
    assert!(failed.failure.message.contains("event 5"), "{}", failed.failure.message);
}
