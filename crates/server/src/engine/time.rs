//! Time as the engine knows it: an argument, never a clock.

use std::ops::{Add, Sub};
use std::time::Duration;

/// An instant on the server's own clock, which may skip: nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

impl Time {
    /// The instant `nanos` nanoseconds after the Unix epoch.
    #[must_use]
    pub const fn from_unix_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn unix_nanos(self) -> i64 {
        self.0
    }

    /// How long after `earlier` this is; zero when it is before.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The instant as messages say it.
    #[must_use]
    pub fn timestamp(self) -> prost_types::Timestamp {
        let nanos = i32::try_from(self.0.rem_euclid(NANOS)).expect("less than a second");
        prost_types::Timestamp { seconds: self.0.div_euclid(NANOS), nanos }
    }

    /// Instants outside of what nanoseconds can say, years 1677 to 2262, become the nearest that they can.
    pub(crate) fn from_timestamp(timestamp: &prost_types::Timestamp) -> Self {
        Self(timestamp.seconds.saturating_mul(NANOS).saturating_add(i64::from(timestamp.nanos)))
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Time {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)))
    }
}

/// An instant that is stored, as the wire has it. 0 says "none".
pub(crate) fn timestamp(nanos: i64) -> Option<prost_types::Timestamp> {
    (nanos != 0).then(|| Time::from_unix_nanos(nanos).timestamp())
}

/// A duration of the wire. Absent, zero and negative ones say "none", as the server reads them.
pub(crate) fn duration(wire: Option<&prost_types::Duration>) -> Option<Duration> {
    let wire = wire?;
    let seconds = u64::try_from(wire.seconds).ok()?;
    let nanos = u32::try_from(wire.nanos).ok()?;
    let duration = Duration::new(seconds, nanos.min(999_999_999));
    (!duration.is_zero()).then_some(duration)
}

/// A duration as the wire has it.
pub(crate) fn wire(duration: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).expect("less than a second"),
    }
}

const NANOS: i64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_before_the_epoch_have_positive_nanos() {
        let time = Time::from_unix_nanos(-1);
        assert_eq!(time.timestamp(), prost_types::Timestamp { seconds: -1, nanos: 999_999_999 });
        assert_eq!(Time::from_timestamp(&time.timestamp()), time);
    }

    #[test]
    fn a_duration_that_is_not_positive_is_none() {
        assert_eq!(duration(Some(&prost_types::Duration { seconds: 0, nanos: 0 })), None);
        assert_eq!(duration(Some(&prost_types::Duration { seconds: -3, nanos: 0 })), None);
        assert_eq!(duration(Some(&prost_types::Duration { seconds: 1, nanos: 5 })), Some(Duration::new(1, 5)));
    }
}
