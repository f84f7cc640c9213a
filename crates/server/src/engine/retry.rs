//! Whether, and when, something is tried again: activities and workflows alike.

use std::time::Duration;

use prost::Message;
use stead_proto::common::v1::RetryPolicy;
use stead_proto::enums::v1::{RetryState, TimeoutType};
use stead_proto::failure::v1::failure::FailureInfo;
use stead_proto::failure::v1::{ApplicationFailureInfo, Failure, ServerFailureInfo};

use super::time::{duration, wire};
use super::{Refusal, Time};

/// What decides about another attempt, beside the failure.
pub(crate) struct Retry<'a> {
    pub(crate) policy: &'a RetryPolicy,
    /// The attempt that has failed; the first is 1.
    pub(crate) attempt: i32,
    pub(crate) now: Time,
    /// No attempt may begin after this.
    pub(crate) expires_at: Option<Time>,
}

/// How long to wait for the next attempt, or why there is none. (`service/history/workflow/retry.go` of Temporal's
/// server.)
pub(crate) fn next(retry: &Retry<'_>, failure: &Failure) -> Result<Duration, RetryState> {
    if !is_retryable(failure, &retry.policy.non_retryable_error_types) {
        return Err(RetryState::NonRetryableFailure);
    }
    if retry.policy.maximum_attempts > 0 && retry.attempt >= retry.policy.maximum_attempts {
        return Err(RetryState::MaximumAttemptsReached);
    }
    let interval = asked_delay(failure).unwrap_or_else(|| interval(retry.policy, retry.attempt));
    match retry.expires_at {
        Some(expires_at) if retry.now + interval > expires_at => Err(RetryState::Timeout),
        _ => Ok(interval),
    }
}

/// The interval before attempt `attempt + 1`.
pub(crate) fn interval(policy: &RetryPolicy, attempt: i32) -> Duration {
    let initial = duration(policy.initial_interval.as_ref()).unwrap_or(DEFAULT_INITIAL);
    let maximum = duration(policy.maximum_interval.as_ref()).unwrap_or(initial.saturating_mul(DEFAULT_MAXIMUM_FACTOR));
    let factor = policy.backoff_coefficient.max(1.0).powi(attempt.saturating_sub(1).max(0));
    Duration::try_from_secs_f64(initial.as_secs_f64() * factor).unwrap_or(maximum).min(maximum)
}

/// The delay that the failure itself asks for.
pub(crate) fn asked_delay(failure: &Failure) -> Option<Duration> {
    match &failure.failure_info {
        Some(FailureInfo::ApplicationFailureInfo(info)) => {
            // Zero is a delay, too: it says "at once".
            let delay = info.next_retry_delay.as_ref()?;
            Some(duration(Some(delay)).unwrap_or(Duration::ZERO))
        }
        _ => None,
    }
}

/// Whether trying again may help, whatever time and attempts are left.
pub(crate) fn is_retryable(failure: &Failure, non_retryable: &[String]) -> bool {
    let listed = |name: &str| non_retryable.iter().any(|listed| listed == name);
    match &failure.failure_info {
        Some(FailureInfo::TerminatedFailureInfo(_) | FailureInfo::CanceledFailureInfo(_)) => false,
        Some(FailureInfo::TimeoutFailureInfo(info)) => match info.timeout_type() {
            TimeoutType::StartToClose => !listed("TemporalTimeout:StartToClose"),
            TimeoutType::Heartbeat => !listed("TemporalTimeout:Heartbeat"),
            _ => false,
        },
        Some(FailureInfo::ServerFailureInfo(info)) => !info.non_retryable,
        Some(FailureInfo::ApplicationFailureInfo(info)) => !info.non_retryable && !listed(&info.r#type),
        _ => true,
    }
}

/// A policy with every field said: what a request leaves out is the server's default
/// (`common/retrypolicy/retry_policy.go`).
pub(crate) fn with_defaults(policy: Option<&RetryPolicy>) -> RetryPolicy {
    let policy = policy.cloned().unwrap_or_default();
    let initial = duration(policy.initial_interval.as_ref()).unwrap_or(DEFAULT_INITIAL);
    let maximum = duration(policy.maximum_interval.as_ref()).unwrap_or(initial.saturating_mul(DEFAULT_MAXIMUM_FACTOR));
    RetryPolicy {
        initial_interval: Some(wire(initial)),
        backoff_coefficient: if policy.backoff_coefficient == 0.0 { 2.0 } else { policy.backoff_coefficient },
        maximum_interval: Some(wire(maximum)),
        ..policy
    }
}

/// Refuses a policy that makes no sense, with the words of the server.
pub(crate) fn validate(policy: Option<&RetryPolicy>) -> Result<(), Refusal> {
    let Some(policy) = policy else { return Ok(()) };
    let negative = |wire: &Option<prost_types::Duration>| wire.is_some_and(|wire| wire.seconds < 0 || wire.nanos < 0);
    if negative(&policy.initial_interval) {
        return Err(Refusal::invalid("InitialInterval cannot be negative on retry policy."));
    }
    if policy.backoff_coefficient != 0.0 && policy.backoff_coefficient < 1.0 {
        return Err(Refusal::invalid("BackoffCoefficient cannot be less than 1 on retry policy."));
    }
    if negative(&policy.maximum_interval) {
        return Err(Refusal::invalid("MaximumInterval cannot be negative on retry policy."));
    }
    let (initial, maximum) = (duration(policy.initial_interval.as_ref()), duration(policy.maximum_interval.as_ref()));
    if maximum.is_some_and(|maximum| initial.is_some_and(|initial| maximum < initial)) {
        return Err(Refusal::invalid("MaximumInterval cannot be less than InitialInterval on retry policy."));
    }
    if policy.maximum_attempts < 0 {
        return Err(Refusal::invalid("MaximumAttempts cannot be negative on retry policy."));
    }
    Ok(())
}

/// A failure as it is kept between attempts: a large one is the cause of one that says so, and loses what is too much
/// (`limit.mutableStateActivityFailureSize`).
pub(crate) fn truncated(failure: &Failure) -> Failure {
    if failure.encoded_len() <= KEPT_FAILURE_SIZE {
        return failure.clone();
    }
    too_large(failure, KEPT_FAILURE_SIZE, false)
}

/// Stands for a failure that is too large, of which `kept` bytes are kept.
pub(crate) fn too_large(failure: &Failure, kept: usize, non_retryable: bool) -> Failure {
    let cause = cut(failure, &mut { kept }, MAX_CAUSES);
    Failure { cause: Some(Box::new(cause)), ..server_failure("Failure exceeds size limit.", non_retryable) }
}

/// A failure of which the server is the source.
pub(crate) fn server_failure(message: &str, non_retryable: bool) -> Failure {
    Failure {
        message: message.to_owned(),
        source: "Server".to_owned(),
        failure_info: Some(FailureInfo::ServerFailureInfo(ServerFailureInfo { non_retryable })),
        ..Default::default()
    }
}

/// As much of a failure as fits: whether to try again first, then what it says, then its causes.
fn cut(failure: &Failure, left: &mut usize, causes: usize) -> Failure {
    let failure_info = match &failure.failure_info {
        Some(FailureInfo::ApplicationFailureInfo(info)) => {
            let info = ApplicationFailureInfo {
                r#type: cut_text(&info.r#type, left),
                non_retryable: info.non_retryable,
                ..Default::default()
            };
            *left = left.saturating_sub(8);
            Some(FailureInfo::ApplicationFailureInfo(info))
        }
        Some(FailureInfo::ServerFailureInfo(info)) => {
            *left = left.saturating_sub(4);
            Some(FailureInfo::ServerFailureInfo(*info))
        }
        _ => None,
    };
    let source = cut_text(&failure.source, left);
    let message = cut_text(&failure.message, left);
    let stack_trace = cut_text(&failure.stack_trace, left);
    *left = left.saturating_sub(4);
    let cause = failure.cause.as_ref().filter(|_| *left > 0 && causes > 0);
    let cause = cause.map(|cause| Box::new(cut(cause, left, causes - 1)));
    Failure { message, source, stack_trace, cause, failure_info, ..Default::default() }
}

fn cut_text(text: &str, left: &mut usize) -> String {
    let end = (0..=text.len().min(*left)).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    *left = left.saturating_sub(if end == 0 { 0 } else { end + 4 });
    text[..end].to_owned()
}

const DEFAULT_INITIAL: Duration = Duration::from_secs(1);
const DEFAULT_MAXIMUM_FACTOR: u32 = 100;
const KEPT_FAILURE_SIZE: usize = 4 << 10;
/// Causes that are kept of a failure that is too large.
const MAX_CAUSES: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_double_up_to_a_hundred_times_the_first() {
        let policy = with_defaults(None);
        let seconds = |attempt| interval(&policy, attempt).as_secs();
        assert_eq!([seconds(1), seconds(2), seconds(3), seconds(7), seconds(8), seconds(400)], [1, 2, 4, 64, 100, 100]);
    }

    #[test]
    fn a_large_failure_keeps_whole_characters() {
        let failure = Failure { message: "é".repeat(KEPT_FAILURE_SIZE), ..Default::default() };
        let kept = truncated(&failure);
        assert_eq!(kept.message, "Failure exceeds size limit.");
        let cause = kept.cause.unwrap();
        assert_eq!(cause.message, "é".repeat(KEPT_FAILURE_SIZE / 2));
    }
}
