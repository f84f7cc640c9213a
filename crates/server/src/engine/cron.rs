//! [`Cron`]: the cron schedules of workflows, and when they fire next.
//!
//! Five fields (minute, hour, day of month, month, day of week), `@daily` and its like, `@every 1h30m`, and a time zone
//! in front, `CRON_TZ=Europe/Paris`: what the library that Temporal's server uses calls the standard syntax, with that
//! library's ways where clocks skip or repeat an hour. The cron strings of schedules have another syntax and another
//! room, `schedules`.

mod duration;
mod fields;

use std::time::Duration;

use super::Refusal;
use super::time::Time;
use super::zone::Zone;
pub(crate) use duration::parse_duration;
use fields::Fields;

/// When the runs of a workflow start.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cron {
    /// On times of the calendar.
    Calendar { fields: Fields, zone: Zone },
    /// So many whole seconds after the last.
    Every { seconds: i64 },
}

impl Cron {
    /// Reads the schedule.
    ///
    /// # Errors
    ///
    /// The refusal of a call with such a schedule.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        read(text).ok_or_else(|| Refusal::invalid("invalid CronSchedule."))
    }

    /// Whether it ever fires.
    ///
    /// # Errors
    ///
    /// The refusal of a start with a schedule that does not.
    pub(crate) fn check(&self, now: Time) -> Result<(), Refusal> {
        let next = self.next(now).map(drop);
        next.ok_or_else(|| Refusal::invalid("invalid CronSchedule, no time can be found to satisfy the schedule"))
    }

    /// The first time after an instant. `None` if there is none within five years.
    pub(crate) fn next(&self, after: Time) -> Option<Time> {
        let after = whole_seconds(after);
        match self {
            Self::Calendar { fields, zone } => fields.next(after, zone).map(from_seconds),
            Self::Every { seconds } => Some(from_seconds(after.saturating_add(*seconds))),
        }
    }

    /// How long a run that is made `now` waits before it starts, when the last one was due at `scheduled`. Times that
    /// were missed are skipped; whole seconds, rounded up. `None` if there is no next time.
    pub(crate) fn backoff(&self, scheduled: Time, now: Time) -> Option<Duration> {
        let next = if now < scheduled { scheduled } else { self.next_of_series(scheduled, now)? };
        let wait = next.since(now);
        Some(Duration::from_secs(wait.as_secs() + u64::from(wait.subsec_nanos() > 0)))
    }

    /// The first time of the series through `scheduled` that is after it, and not before `now`.
    fn next_of_series(&self, scheduled: Time, now: Time) -> Option<Time> {
        match self {
            Self::Calendar { .. } => self.next(scheduled.max(now - Duration::from_nanos(1))),
            Self::Every { seconds } => {
                let scheduled = whole_seconds(scheduled);
                let passed = whole_seconds(now - Duration::from_nanos(1)).saturating_sub(scheduled).max(0);
                let steps = passed / seconds + 1;
                Some(from_seconds(scheduled.saturating_add(steps.saturating_mul(*seconds))))
            }
        }
    }
}

fn read(text: &str) -> Option<Cron> {
    let (zone, rest) = if text.starts_with("TZ=") || text.starts_with("CRON_TZ=") {
        let (zone, rest) = text.split_once(' ')?;
        (Zone::named(zone.split_once('=')?.1).ok()?, rest.trim())
    } else {
        (Zone::UTC, text)
    };
    if let Some(every) = rest.strip_prefix("@every ") {
        let seconds = parse_duration(every).ok()? / NANOS;
        return Some(Cron::Every { seconds: seconds.max(1) });
    }
    Some(Cron::Calendar { fields: Fields::parse(rest)?, zone })
}

fn whole_seconds(time: Time) -> i64 {
    time.unix_nanos().div_euclid(NANOS)
}

fn from_seconds(seconds: i64) -> Time {
    Time::from_unix_nanos(seconds.saturating_mul(NANOS))
}

const NANOS: i64 = 1_000_000_000;

#[cfg(test)]
mod tests;
