//! How often and how patiently something is tried again.

use std::fmt;
use std::time::Duration;

use stead_proto::common::v1 as wire;

use crate::time::{duration_from_proto, duration_to_proto};

/// The server's own first interval, where a policy leaves it open.
const DEFAULT_INITIAL_INTERVAL: Duration = Duration::from_secs(1);
/// The server's own limit of the interval, as a multiple of the first.
const DEFAULT_MAXIMUM_FACTOR: u32 = 100;

/// How an activity or a workflow is retried after a failure.
///
/// The defaults are the server's: the first retry after 1 s, each wait twice as long as the one before and at most 100
/// times the first, without end.
///
/// ```
/// use stead_data::{RetryPolicy, secs};
///
/// let policy = RetryPolicy::default().initial_interval(secs(2)).max_attempts(3);
/// assert_eq!(policy.wait_after(1), Some(secs(2)));
/// assert_eq!(policy.wait_after(2), Some(secs(4)));
/// assert_eq!(policy.wait_after(3), None);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// Wait before the first retry. Default: 1 s.
    pub initial_interval: Option<Duration>,
    /// Each wait is this many times the one before. Default: 2.
    pub backoff_coefficient: f64,
    /// Longest wait. Default: 100 times the first.
    pub maximum_interval: Option<Duration>,
    /// How often it is tried altogether; 0, the default, is without limit.
    pub maximum_attempts: u32,
    /// Types of application failures that are not retried. Default: none.
    pub non_retryable_error_types: Vec<String>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            initial_interval: None,
            backoff_coefficient: 2.0,
            maximum_interval: None,
            maximum_attempts: 0,
            non_retryable_error_types: Vec::new(),
        }
    }
}

impl RetryPolicy {
    /// Sets the wait before the first retry.
    #[must_use]
    pub fn initial_interval(mut self, interval: Duration) -> Self {
        self.initial_interval = Some(interval);
        self
    }

    /// Sets how many times the wait before it each wait is. 1 keeps it constant.
    #[must_use]
    pub fn backoff(mut self, coefficient: f64) -> Self {
        self.backoff_coefficient = coefficient;
        self
    }

    /// Sets the longest wait.
    #[must_use]
    pub fn max_interval(mut self, interval: Duration) -> Self {
        self.maximum_interval = Some(interval);
        self
    }

    /// Sets how often it is tried altogether, the first attempt included; 0 is without limit.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.maximum_attempts = attempts;
        self
    }

    /// Sets the types of application failures that are not retried.
    #[must_use]
    pub fn non_retryable<S: Into<String>>(mut self, types: impl IntoIterator<Item = S>) -> Self {
        self.non_retryable_error_types = types.into_iter().map(Into::into).collect();
        self
    }

    /// The wait after the failure of this attempt, counted from 1; `None` when it was the last one.
    #[must_use]
    pub fn wait_after(&self, attempt: u32) -> Option<Duration> {
        if self.maximum_attempts > 0 && attempt >= self.maximum_attempts {
            return None;
        }
        let initial = self.initial_interval.unwrap_or(DEFAULT_INITIAL_INTERVAL);
        let longest = self.maximum_interval.unwrap_or_else(|| initial.saturating_mul(DEFAULT_MAXIMUM_FACTOR));
        let factor = self.backoff_coefficient.max(1.0).powf(f64::from(attempt.saturating_sub(1)));
        let wait = Duration::try_from_secs_f64(initial.as_secs_f64() * factor).unwrap_or(longest);
        Some(wait.min(longest))
    }

    /// Checks what the server would refuse.
    ///
    /// # Errors
    ///
    /// When the coefficient is below 1 or not finite, when the longest interval is shorter than the first, or when
    /// there are more attempts than the wire can say.
    pub fn validate(&self) -> Result<(), InvalidRetryPolicy> {
        let initial = self.initial_interval.unwrap_or(DEFAULT_INITIAL_INTERVAL);
        if !(self.backoff_coefficient >= 1.0 && self.backoff_coefficient.is_finite()) {
            return Err(InvalidRetryPolicy::BackoffCoefficient(self.backoff_coefficient));
        }
        if let Some(maximum) = self.maximum_interval.filter(|maximum| *maximum < initial) {
            return Err(InvalidRetryPolicy::MaximumInterval { initial, maximum });
        }
        if i32::try_from(self.maximum_attempts).is_err() {
            return Err(InvalidRetryPolicy::MaximumAttempts(self.maximum_attempts));
        }
        Ok(())
    }

    /// The wire's form.
    #[must_use]
    pub fn into_proto(self) -> wire::RetryPolicy {
        wire::RetryPolicy {
            initial_interval: self.initial_interval.map(duration_to_proto),
            backoff_coefficient: self.backoff_coefficient,
            maximum_interval: self.maximum_interval.map(duration_to_proto),
            maximum_attempts: i32::try_from(self.maximum_attempts).unwrap_or(i32::MAX),
            non_retryable_error_types: self.non_retryable_error_types,
        }
    }

    /// Reads the wire's form. What is out of range there reads as the default.
    #[must_use]
    pub fn from_proto(policy: wire::RetryPolicy) -> Self {
        let default = Self::default();
        Self {
            initial_interval: policy.initial_interval.as_ref().map(duration_from_proto),
            backoff_coefficient: Some(policy.backoff_coefficient)
                .filter(|coefficient| *coefficient >= 1.0)
                .unwrap_or(default.backoff_coefficient),
            maximum_interval: policy.maximum_interval.as_ref().map(duration_from_proto),
            maximum_attempts: u32::try_from(policy.maximum_attempts).unwrap_or(default.maximum_attempts),
            non_retryable_error_types: policy.non_retryable_error_types,
        }
    }
}

/// A retry policy that the server would refuse.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum InvalidRetryPolicy {
    /// The coefficient must be a number of at least 1.
    BackoffCoefficient(f64),
    /// The longest interval must not be shorter than the first.
    MaximumInterval {
        /// The first interval.
        initial: Duration,
        /// The longest one.
        maximum: Duration,
    },
    /// The wire holds at most `i32::MAX` attempts; use 0 for no limit.
    MaximumAttempts(u32),
}

impl fmt::Display for InvalidRetryPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BackoffCoefficient(coefficient) => {
                write!(f, "retry policy: the backoff coefficient must be at least 1, not {coefficient}")
            }
            Self::MaximumInterval { initial, maximum } => {
                write!(f, "retry policy: the maximum interval {maximum:?} is shorter than the initial one {initial:?}")
            }
            Self::MaximumAttempts(attempts) => {
                write!(f, "retry policy: {attempts} attempts are too many; 0 is without limit")
            }
        }
    }
}

impl std::error::Error for InvalidRetryPolicy {}
