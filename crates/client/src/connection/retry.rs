//! When a failed call is tried again, as pure logic: codes, elapsed time and randomness are arguments.

use std::{borrow::Cow, time::Duration};

use tonic::Code;
use tracing::Level;

/// How failed calls are tried again.
///
/// The delay before attempt *n* + 1 is `initial_interval * multiplier^(n - 1)`, at most `max_interval`, spread at
/// random by `randomization` of itself in both directions.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RetryOptions {
    /// Delay before the first retry. Default: 100 ms.
    pub initial_interval: Duration,
    /// Growth of the delay from one retry to the next. Default: 1.7.
    pub multiplier: f64,
    /// Upper bound of the delay. Default: 5 s.
    pub max_interval: Duration,
    /// Share of the delay by which it varies at random, 0 to 1. Default: 0.2.
    pub randomization: f64,
    /// No retry begins when this much time has passed since the first failure, which for a call that waits may be
    /// long after it began; `None` for no such limit. Default: 10 s.
    pub max_elapsed: Option<Duration>,
    /// Number of attempts, the first one included; 0 for no limit. Default: 10.
    pub max_attempts: u32,
}

impl Default for RetryOptions {
    fn default() -> Self {
        Self {
            initial_interval: Duration::from_millis(100),
            multiplier: 1.7,
            max_interval: Duration::from_secs(5),
            randomization: 0.2,
            max_elapsed: Some(Duration::from_secs(10)),
            max_attempts: 10,
        }
    }
}

impl RetryOptions {
    /// Sets the delay before the first retry.
    pub fn initial_interval(mut self, interval: Duration) -> Self {
        self.initial_interval = interval;
        self
    }

    /// Sets the growth of the delay.
    pub fn multiplier(mut self, multiplier: f64) -> Self {
        self.multiplier = multiplier;
        self
    }

    /// Sets the upper bound of the delay.
    pub fn max_interval(mut self, interval: Duration) -> Self {
        self.max_interval = interval;
        self
    }

    /// Sets the share of the delay by which it varies at random, 0 to 1.
    pub fn randomization(mut self, share: f64) -> Self {
        self.randomization = share;
        self
    }

    /// Sets how long a call may fail before no retry begins; `None` for no such limit.
    pub fn max_elapsed(mut self, elapsed: impl Into<Option<Duration>>) -> Self {
        self.max_elapsed = elapsed.into();
        self
    }

    /// Sets the number of attempts, the first one included; 0 for no limit.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// A worker's polls: for ever, slowly.
    fn long_poll() -> Self {
        Self {
            initial_interval: Duration::from_millis(200),
            multiplier: 2.0,
            max_interval: Duration::from_secs(10),
            max_elapsed: None,
            max_attempts: 0,
            ..Self::default()
        }
    }

    /// A server that is out of resources is given more time than one that failed.
    fn throttled() -> Self {
        Self {
            initial_interval: Duration::from_secs(1),
            multiplier: 2.0,
            max_interval: Duration::from_secs(10),
            ..Self::default()
        }
    }

    /// The delay after the `failed`th failure (from 1), with `random` in `0.0..1.0`.
    fn delay(&self, failed: u32, random: f64) -> Duration {
        let exponent = i32::try_from(failed.saturating_sub(1)).unwrap_or(i32::MAX);
        let max = self.max_interval.as_secs_f64();
        let base = (self.initial_interval.as_secs_f64() * self.multiplier.powi(exponent)).clamp(0.0, max);
        let spread = self.randomization.clamp(0.0, 1.0) * (2.0 * random - 1.0);
        Duration::try_from_secs_f64(base * (1.0 + spread)).unwrap_or(self.max_interval)
    }
}

/// Which of the retry rules a call follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum RetryKind {
    /// One attempt.
    None,
    /// The connection's [`RetryOptions`].
    #[default]
    Normal,
    /// A call that waits for something to happen: as [`Normal`](Self::Normal), but each attempt has the whole time, and one
    /// that lasted for 15 s before it failed was a wait that went well, after which the limits begin anew.
    Wait,
    /// A worker's long poll: tried again for ever, from 200 ms doubling up to 10 s; codes that are not worth
    /// a retry are tolerated during the first minute.
    LongPoll,
}

/// What the retry rules need to know of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The server, or the transport, answered with a code.
    Status(Code),
    /// The connection went away under the call, which says nothing of the call itself.
    ConnectionClosed,
    /// No retry can help: a message is over a limit, or cannot be read.
    Hopeless,
}

/// The retries of one call.
#[derive(Debug)]
pub(super) struct Retries<'a> {
    options: Cow<'a, RetryOptions>,
    kind: RetryKind,
    failed: u32,
    throttled: u32,
    connection_closed: bool,
}

impl<'a> Retries<'a> {
    pub(super) fn new(options: &'a RetryOptions, kind: RetryKind) -> Self {
        let options = match kind {
            RetryKind::LongPoll => Cow::Owned(RetryOptions::long_poll()),
            RetryKind::None | RetryKind::Normal | RetryKind::Wait => Cow::Borrowed(options),
        };
        Self { options, kind, failed: 0, throttled: 0, connection_closed: false }
    }

    /// How often the call has failed so far.
    pub(super) fn failed(&self) -> u32 {
        self.failed
    }

    /// The delay after which to try again, `None` to give up. `failing_for` counts from the first failure, `random`
    /// is in `0.0..1.0`.
    pub(super) fn after(&mut self, fault: Fault, failing_for: Duration, random: f64) -> Option<Duration> {
        self.failed = self.failed.saturating_add(1);
        if self.is_exhausted(failing_for) || !self.is_worth_it(fault, failing_for) {
            return None;
        }
        let delay = self.options.delay(self.failed, random);
        if fault != Fault::Status(Code::ResourceExhausted) {
            return Some(delay);
        }
        self.throttled = self.throttled.saturating_add(1);
        Some(delay.max(RetryOptions::throttled().delay(self.throttled, random)))
    }

    /// How loudly the last failure of this call is to be reported.
    pub(super) fn severity(&self) -> Level {
        match (self.options.max_attempts, self.failed) {
            (0, 16..) => Level::ERROR,
            (0, 6..) => Level::WARN,
            (0, _) => Level::DEBUG,
            (max, failed) if failed.saturating_mul(2) >= max => Level::WARN,
            _ => Level::DEBUG,
        }
    }

    fn is_exhausted(&self, failing_for: Duration) -> bool {
        let RetryOptions { max_attempts, max_elapsed, .. } = *self.options;
        self.kind == RetryKind::None
            || (max_attempts != 0 && self.failed >= max_attempts)
            || max_elapsed.is_some_and(|max| failing_for >= max)
    }

    fn is_worth_it(&mut self, fault: Fault, failing_for: Duration) -> bool {
        let long_poll = self.kind == RetryKind::LongPoll;
        match fault {
            Fault::Hopeless => false,
            Fault::ConnectionClosed => long_poll || !std::mem::replace(&mut self.connection_closed, true),
            Fault::Status(code) => is_retryable(code, long_poll) || (long_poll && failing_for <= LONG_POLL_GRACE),
        }
    }
}

fn is_retryable(code: Code, long_poll: bool) -> bool {
    match code {
        Code::DataLoss
        | Code::Internal
        | Code::Unknown
        | Code::ResourceExhausted
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable => true,
        Code::Cancelled | Code::DeadlineExceeded => long_poll,
        _ => false,
    }
}

/// A worker that starts before its namespace is ready, or while a key is being rotated, gets this long.
const LONG_POLL_GRACE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    const MIDDLE: f64 = 0.5;
    const UNAVAILABLE: Fault = Fault::Status(Code::Unavailable);

    fn normal() -> Retries<'static> {
        static DEFAULTS: std::sync::LazyLock<RetryOptions> = std::sync::LazyLock::new(RetryOptions::default);
        Retries::new(&DEFAULTS, RetryKind::Normal)
    }

    fn long_poll() -> Retries<'static> {
        Retries { kind: RetryKind::LongPoll, options: Cow::Owned(RetryOptions::long_poll()), ..normal() }
    }

    fn millis(retries: &mut Retries<'_>, fault: Fault, random: f64) -> Option<u128> {
        retries.after(fault, Duration::ZERO, random).map(|delay| delay.as_millis())
    }

    #[test]
    fn delays_grow_by_the_multiplier_up_to_the_cap_for_ten_attempts() {
        let mut retries = normal();
        let delays: Vec<_> = std::iter::from_fn(|| millis(&mut retries, UNAVAILABLE, MIDDLE)).collect();
        assert_eq!(delays, [100, 170, 289, 491, 835, 1419, 2413, 4103, 5000]);
        assert_eq!(retries.failed(), 10);
    }

    #[test]
    fn jitter_stays_within_a_fifth() {
        assert_eq!(millis(&mut normal(), UNAVAILABLE, 0.0), Some(80));
        assert_eq!(millis(&mut normal(), UNAVAILABLE, 1.0), Some(120));
    }

    #[test]
    fn no_retry_begins_after_ten_seconds() {
        assert!(normal().after(UNAVAILABLE, Duration::from_millis(9_999), MIDDLE).is_some());
        assert_eq!(normal().after(UNAVAILABLE, Duration::from_secs(10), MIDDLE), None);
    }

    #[test]
    fn only_transient_codes_are_tried_again() {
        let retried: Vec<_> = (0..=16)
            .map(Code::from)
            .filter(|code| normal().after(Fault::Status(*code), Duration::ZERO, MIDDLE).is_some())
            .collect();
        use Code::{Aborted, DataLoss, Internal, OutOfRange, ResourceExhausted, Unavailable, Unknown};
        assert_eq!(retried, [Unknown, ResourceExhausted, Aborted, OutOfRange, Internal, Unavailable, DataLoss]);
    }

    #[test]
    fn s58_an_exhausted_server_is_given_more_time() {
        let mut retries = normal();
        let exhausted = Fault::Status(Code::ResourceExhausted);
        let delays: Vec<_> = (0..6).map(|_| millis(&mut retries, exhausted, MIDDLE)).collect();
        assert_eq!(delays, [1000, 2000, 4000, 8000, 10_000, 10_000].map(Some));
    }

    #[test]
    fn a_closed_connection_is_retried_once() {
        let mut retries = normal();
        assert!(millis(&mut retries, Fault::ConnectionClosed, MIDDLE).is_some());
        assert_eq!(millis(&mut retries, Fault::ConnectionClosed, MIDDLE), None);
    }

    #[test]
    fn hopeless_failures_are_never_retried() {
        assert_eq!(millis(&mut normal(), Fault::Hopeless, MIDDLE), None);
        assert_eq!(millis(&mut long_poll(), Fault::Hopeless, MIDDLE), None);
    }

    #[test]
    fn long_polls_go_on_for_ever_and_tolerate_fatal_codes_for_a_minute() {
        let mut retries = long_poll();
        let hour = Duration::from_secs(3600);
        for code in [Code::Unavailable, Code::Cancelled, Code::DeadlineExceeded].repeat(20) {
            assert!(retries.after(Fault::Status(code), hour, MIDDLE).is_some());
        }
        let fatal = Fault::Status(Code::NotFound);
        assert!(long_poll().after(fatal, Duration::from_secs(60), MIDDLE).is_some());
        assert_eq!(long_poll().after(fatal, Duration::from_secs(61), MIDDLE), None);
    }

    #[test]
    fn one_attempt_means_one_attempt() {
        let options = RetryOptions::default();
        let mut retries = Retries::new(&options, RetryKind::None);
        assert_eq!(millis(&mut retries, UNAVAILABLE, MIDDLE), None);
    }

    #[test]
    fn nonsense_options_do_not_panic() {
        let options = RetryOptions { multiplier: f64::NAN, randomization: -3.0, max_attempts: 0, ..Default::default() };
        let mut retries = Retries::new(&options, RetryKind::Normal);
        for _ in 0..100 {
            assert!(retries.after(UNAVAILABLE, Duration::ZERO, MIDDLE).unwrap() <= options.max_interval);
        }
    }
}
