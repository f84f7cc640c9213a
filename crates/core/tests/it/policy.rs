//! Policies.

use std::time::Duration;

use stead_core::Instant;
use stead_core::policy::{CancelReason, HeartbeatThrottle, RetryDecision, heartbeat_interval, next_retry};
use stead_proto::common::v1::RetryPolicy;
use stead_proto::failure::v1::failure::FailureInfo;
use stead_proto::failure::v1::{ApplicationFailureInfo, Failure};
use stead_proto::workflowservice::v1::RecordActivityTaskHeartbeatResponse;

const fn at(seconds: u64) -> Instant {
    Instant::from_origin(Duration::from_secs(seconds))
}

#[test]
fn s45_heartbeats_are_sent_every_four_fifths_of_their_timeout() {
    let (default, max) = (Duration::from_secs(30), Duration::from_secs(60));
    let interval = |timeout: Option<u64>| heartbeat_interval(timeout.map(Duration::from_secs), default, max).as_secs();
    assert_eq!([interval(None), interval(Some(0)), interval(Some(10)), interval(Some(1000))], [30, 30, 8, 60]);
}

#[test]
fn s45_the_first_heartbeat_goes_at_once_and_the_latest_at_the_end_of_the_interval() {
    let mut throttle = HeartbeatThrottle::new(Duration::from_secs(10));
    assert_eq!(throttle.handle_heartbeat(1, at(0)), Some(1));
    assert_eq!(throttle.poll_timeout(), None);
    assert_eq!(throttle.handle_heartbeat(2, at(1)), None);
    assert_eq!(throttle.handle_heartbeat(3, at(9)), None);
    assert_eq!(throttle.poll_timeout(), Some(at(10)));
    assert_eq!(throttle.handle_timeout(at(9)), None);
    assert_eq!(throttle.handle_timeout(at(10)), Some(3));
    assert_eq!(throttle.handle_timeout(at(20)), None);
    assert_eq!(throttle.handle_heartbeat(4, at(21)), Some(4));
}

#[test]
fn s45_a_failure_takes_the_last_details_along() {
    let mut throttle = HeartbeatThrottle::new(Duration::from_secs(10));
    assert_eq!(throttle.flush(), None);
    assert_eq!(throttle.handle_heartbeat(1, at(0)), Some(1));
    assert_eq!(throttle.flush(), None);
    assert_eq!(throttle.handle_heartbeat(2, at(1)), None);
    assert_eq!(throttle.flush(), Some(2));
    assert_eq!(throttle.flush(), None);
}

#[test]
fn s46_the_answer_to_a_heartbeat_says_why_to_stop() {
    let response = |cancel_requested, activity_paused, activity_reset| RecordActivityTaskHeartbeatResponse {
        cancel_requested,
        activity_paused,
        activity_reset,
    };
    assert_eq!(CancelReason::from_heartbeat(&response(false, false, false)), None);
    assert_eq!(CancelReason::from_heartbeat(&response(true, true, true)), Some(CancelReason::Cancelled));
    assert_eq!(CancelReason::from_heartbeat(&response(false, true, true)), Some(CancelReason::Reset));
    assert_eq!(CancelReason::from_heartbeat(&response(false, true, false)), Some(CancelReason::Paused));
}

fn failure(info: ApplicationFailureInfo) -> Failure {
    Failure { failure_info: Some(FailureInfo::ApplicationFailureInfo(info)), ..Failure::default() }
}

#[test]
fn s48_retries_back_off_to_a_hundred_times_the_first_interval() {
    let delay = |attempt| next_retry(&RetryPolicy::default(), attempt, &Failure::default());
    let seconds = |seconds| RetryDecision::After(Duration::from_secs(seconds));
    assert_eq!([delay(0), delay(1), delay(2), delay(4)], [seconds(1), seconds(1), seconds(2), seconds(8)]);
    assert_eq!([delay(8), delay(1000), delay(u32::MAX)], [seconds(100); 3]);
}

#[test]
fn s48_the_policy_bounds_interval_and_attempts() {
    let policy = RetryPolicy {
        initial_interval: Some(prost_types::Duration { seconds: 2, nanos: 0 }),
        backoff_coefficient: 3.0,
        maximum_interval: Some(prost_types::Duration { seconds: 10, nanos: 0 }),
        maximum_attempts: 4,
        ..RetryPolicy::default()
    };
    let delay = |attempt| next_retry(&policy, attempt, &Failure::default());
    assert_eq!(delay(2), RetryDecision::After(Duration::from_secs(6)));
    assert_eq!(delay(3), RetryDecision::After(Duration::from_secs(10)));
    assert_eq!(delay(4), RetryDecision::AttemptsExhausted);
}

#[test]
fn s48_failures_can_refuse_retries_or_ask_for_a_delay() {
    let policy = RetryPolicy { non_retryable_error_types: vec!["NoFunds".into()], ..RetryPolicy::default() };
    let typed = |name: &str| ApplicationFailureInfo { r#type: name.into(), ..ApplicationFailureInfo::default() };
    let decide = |info| next_retry(&policy, 1, &failure(info));
    assert_eq!(decide(typed("nofunds")), RetryDecision::NonRetryable);
    assert_eq!(decide(ApplicationFailureInfo { non_retryable: true, ..typed("x") }), RetryDecision::NonRetryable);
    let delay = Some(prost_types::Duration { seconds: 7, nanos: 0 });
    let asked = ApplicationFailureInfo { next_retry_delay: delay, ..typed("x") };
    assert_eq!(decide(asked), RetryDecision::After(Duration::from_secs(7)));
}
