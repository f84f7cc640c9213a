//! [`Clock`]: what time it is for the workflows of a server.
//!
//! Only workflows live by it: timers, timeouts, retries, schedules, and the times of events. How long a call may wait is
//! the caller's time and always real.

mod control;

use std::time::{Duration, Instant, SystemTime};

use crate::engine::Time;

pub(crate) use control::Request;
pub use control::{ClockControl, ClockError, Held};

/// What time it is for the workflows of a server, and how it passes.
#[derive(Clone, Debug)]
pub struct Clock {
    kind: Kind,
    start: Option<Time>,
    stands: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Real,
    Skipping(Skip),
    Manual,
}

/// What it takes for time to be skipped, besides that nothing can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Skip {
    /// Somebody waits for an outcome, and nobody holds a lock.
    Awaited,
    /// Nobody holds a lock.
    Unlocked,
}

impl Clock {
    /// The time of this machine.
    #[must_use]
    pub fn real() -> Self {
        Self { kind: Kind::Real, start: None, stands: false }
    }

    /// Skips what would only be waited for: when no workflow task, activity or query is under way and somebody waits
    /// for an outcome (a result, an update, a sleep on this clock), time jumps to the next timer. At all other times it
    /// passes as it does outside.
    #[must_use]
    pub fn skipping() -> Self {
        Self { kind: Kind::Skipping(Skip::Awaited), start: None, stands: false }
    }

    /// Skips as [`skipping`](Self::skipping) does, but only while skipping is unlocked, which it is not at the start,
    /// and then whether or not somebody waits: what test environments of other SDKs expect, which lock and unlock with
    /// the calls of `temporal.api.testservice.v1.TestService`.
    #[must_use]
    pub fn skipping_when_unlocked() -> Self {
        Self { kind: Kind::Skipping(Skip::Unlocked), start: None, stands: false }
    }

    /// Stands still until it is moved.
    #[must_use]
    pub fn manual() -> Self {
        Self { kind: Kind::Manual, start: None, stands: false }
    }

    /// Stands still but for its skips, so that a test can say what time it is.
    #[must_use]
    pub fn standing(mut self) -> Self {
        self.stands = true;
        self
    }

    /// Begins at an instant of choice instead of now.
    ///
    /// A server whose store knows of later instants begins at the latest of those.
    #[must_use]
    pub fn starting_at(mut self, start: SystemTime) -> Self {
        self.start = Some(time(start));
        self
    }
}

impl Clock {
    pub(crate) fn skips(&self) -> bool {
        matches!(self.kind, Kind::Skipping(_))
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::real()
    }
}

/// A clock that runs: a pure function of what [`Instant`]s it is told.
///
/// ```text
///               lock / unlock                jump_to
///   Skipping ───────────────────▶ locks ± 1 ─────────▶ at
///   Standing, as Manual always is: at     Any other: at + (now − since)
/// ```
#[derive(Debug)]
pub(crate) struct Timeline {
    kind: Kind,
    /// What time it was at `since`.
    at: Time,
    since: Instant,
    /// Below zero, so many things that can wait do not keep time from being skipped.
    locks: i64,
    stands: bool,
}

impl Timeline {
    pub(crate) fn new(clock: &Clock, now: Instant) -> Self {
        let at = clock.start.unwrap_or_else(|| time(SystemTime::now()));
        let locks = i64::from(clock.kind == Kind::Skipping(Skip::Unlocked));
        Self { kind: clock.kind, at, since: now, locks, stands: clock.stands || clock.kind == Kind::Manual }
    }

    pub(crate) fn now(&self, now: Instant) -> Time {
        if self.stands { self.at } else { self.at + now.saturating_duration_since(self.since) }
    }

    /// How long until it is `time`; `None` if that does not come by waiting.
    pub(crate) fn until(&self, time: Time, now: Instant) -> Option<Duration> {
        let left = time.since(self.now(now));
        (left.is_zero() || !self.stands).then_some(left)
    }

    /// Makes it at least `time`.
    pub(crate) fn jump_to(&mut self, time: Time, now: Instant) {
        self.at = self.now(now).max(time);
        self.since = now;
    }

    /// Whether time may be skipped as soon as nothing can run.
    pub(crate) fn may_skip(&self, somebody_waits: bool) -> bool {
        match self.kind {
            Kind::Skipping(Skip::Awaited) => self.locks <= 0 && somebody_waits,
            Kind::Skipping(Skip::Unlocked) => self.locks <= 0,
            Kind::Real | Kind::Manual => false,
        }
    }

    /// Whether nothing but a skip moves it, and nobody holds a lock against that.
    pub(crate) fn stands_unless_skipped(&self) -> bool {
        self.stands && self.may_skip(true)
    }

    pub(crate) fn can_be_moved(&self) -> bool {
        self.kind != Kind::Real
    }

    pub(crate) fn lock(&mut self) {
        self.locks = self.locks.saturating_add(1);
    }

    /// Undoes a lock. As in Temporal's test server each of the `things_that_can_wait` is one as well, so that an activity
    /// can let time pass while it runs, and a test while no worker does.
    pub(crate) fn unlock(&mut self, things_that_can_wait: usize) -> Result<(), ClockError> {
        if self.locks <= 0 && self.excused() >= things_that_can_wait {
            return Err(ClockError::Unbalanced);
        }
        self.locks = self.locks.saturating_sub(1);
        Ok(())
    }

    /// How many things that can wait do not keep time from being skipped.
    pub(crate) fn excused(&self) -> usize {
        usize::try_from(self.locks.saturating_neg()).unwrap_or_default()
    }
}

/// The instant as the machine has it.
fn system_time(time: Time) -> SystemTime {
    let epoch = Time::from_unix_nanos(0);
    SystemTime::UNIX_EPOCH + time.since(epoch) - epoch.since(time)
}

/// Instants outside of what nanoseconds can say, years 1677 to 2262, become the nearest that they can.
fn time(instant: SystemTime) -> Time {
    let epoch = Time::from_unix_nanos(0);
    match instant.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => epoch + since,
        Err(before) => epoch - before.duration(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn timeline(clock: Clock) -> (Timeline, Instant) {
        let now = Instant::now();
        (Timeline::new(&clock.starting_at(SystemTime::UNIX_EPOCH), now), now)
    }

    fn seconds(seconds: i64) -> Time {
        Time::from_unix_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn a_real_clock_passes_as_time_does() {
        let (timeline, start) = timeline(Clock::real());
        assert_eq!(timeline.now(start + SECOND), seconds(1));
        assert_eq!(timeline.until(seconds(5), start + SECOND), Some(4 * SECOND));
        assert!(!timeline.may_skip(true));
    }

    #[test]
    fn a_skipping_clock_jumps_only_when_somebody_waits_and_goes_on_from_there() {
        let (mut timeline, start) = timeline(Clock::skipping());
        assert!(timeline.may_skip(true) && !timeline.may_skip(false));
        timeline.jump_to(seconds(100), start + SECOND);
        assert_eq!(timeline.now(start + 3 * SECOND), seconds(102));
        timeline.jump_to(seconds(50), start + 3 * SECOND);
        assert_eq!(timeline.now(start + 3 * SECOND), seconds(102), "never back");
        timeline.lock();
        assert!(!timeline.may_skip(true));
        assert_eq!(timeline.unlock(0), Ok(()));
        assert_eq!(timeline.unlock(0), Err(ClockError::Unbalanced));
        assert_eq!((timeline.unlock(1), timeline.excused()), (Ok(()), 1));
        assert_eq!(timeline.unlock(1), Err(ClockError::Unbalanced));
        timeline.lock();
        assert_eq!(timeline.excused(), 0);
    }

    #[test]
    fn a_clock_of_other_sdks_begins_locked_and_skips_whoever_waits() {
        let (mut timeline, _) = timeline(Clock::skipping_when_unlocked());
        assert!(!timeline.may_skip(true));
        timeline.unlock(0).unwrap();
        assert!(timeline.may_skip(false));
    }

    #[test]
    fn a_standing_clock_moves_by_skips_alone() {
        let (mut timeline, start) = timeline(Clock::skipping().standing());
        assert_eq!(timeline.now(start + SECOND), seconds(0));
        assert_eq!(timeline.until(seconds(1), start), None);
        assert!(timeline.may_skip(true));
        timeline.jump_to(seconds(100), start + SECOND);
        assert_eq!(timeline.now(start + 3 * SECOND), seconds(100));
    }

    #[test]
    fn a_manual_clock_stands_still() {
        let (mut timeline, start) = timeline(Clock::manual());
        assert_eq!(timeline.now(start + SECOND), seconds(0));
        assert_eq!(timeline.until(seconds(1), start), None);
        timeline.jump_to(seconds(1), start);
        assert_eq!(timeline.until(seconds(1), start), Some(Duration::ZERO));
    }
}
