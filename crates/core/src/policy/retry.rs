//! When something that failed is tried again.

use std::time::Duration;

use stead_proto::common::v1::RetryPolicy;
use stead_proto::failure::v1::Failure;
use stead_proto::failure::v1::failure::FailureInfo;

use crate::time::duration;

const DEFAULT_INITIAL_INTERVAL: Duration = Duration::from_secs(1);
const DEFAULT_BACKOFF_COEFFICIENT: f64 = 2.0;
const DEFAULT_MAXIMUM_INTERVALS: u32 = 100;

/// What to do after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum RetryDecision {
    /// Try again after this long.
    After(Duration),
    /// The failure says that trying again is of no use.
    NonRetryable,
    /// That was the last attempt.
    AttemptsExhausted,
}

/// Decides what happens after `attempt` (from 1) ended with `failure`.
///
/// What the policy leaves at zero has the server's defaults: 1 s at first, doubled each time, at most a hundred times
/// the first interval, without a limit on attempts. Types of failures that must not be retried are compared without
/// regard to case. A delay that the failure itself asks for wins over the policy's.
pub fn next_retry(policy: &RetryPolicy, attempt: u32, failure: &Failure) -> RetryDecision {
    let application = match &failure.failure_info {
        Some(FailureInfo::ApplicationFailureInfo(info)) => Some(info),
        _ => None,
    };
    let refuses =
        |failure_type: &String| application.is_some_and(|info| info.r#type.eq_ignore_ascii_case(failure_type));
    if application.is_some_and(|info| info.non_retryable) || policy.non_retryable_error_types.iter().any(refuses) {
        return RetryDecision::NonRetryable;
    }
    if u32::try_from(policy.maximum_attempts).is_ok_and(|maximum| maximum > 0 && attempt >= maximum) {
        return RetryDecision::AttemptsExhausted;
    }
    let asked_for = application.and_then(|info| info.next_retry_delay.as_ref()).map(duration);
    RetryDecision::After(asked_for.unwrap_or_else(|| backoff(policy, attempt)))
}

fn backoff(policy: &RetryPolicy, attempt: u32) -> Duration {
    let initial = policy.initial_interval.as_ref().map(duration).filter(|interval| !interval.is_zero());
    let initial = initial.unwrap_or(DEFAULT_INITIAL_INTERVAL);
    let maximum = policy.maximum_interval.as_ref().map(duration).filter(|interval| !interval.is_zero());
    let maximum = maximum.unwrap_or(initial.saturating_mul(DEFAULT_MAXIMUM_INTERVALS));
    let coefficient = match policy.backoff_coefficient {
        coefficient if coefficient >= 1.0 => coefficient,
        _ => DEFAULT_BACKOFF_COEFFICIENT,
    };
    let steps = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
    let seconds = initial.as_secs_f64() * coefficient.powi(steps);
    Duration::try_from_secs_f64(seconds).unwrap_or(maximum).min(maximum)
}
