//! Moments in time as a run sees them: handed in by its driver, never read from a clock.

use std::ops::Add;
use std::time::{Duration, SystemTime};

/// A moment on the driver's monotonic clock, counted from an origin of the driver's choosing.
///
/// All moments given to one run must share their origin. Tests and simulations count from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(Duration);

impl Instant {
    /// The moment that lies `elapsed` after the driver's origin.
    pub const fn from_origin(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// How long after the driver's origin this moment lies.
    pub const fn since_origin(self) -> Duration {
        self.0
    }

    /// Time from `earlier` to this moment; zero if `earlier` is later.
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

/// The wall-clock time of a timestamp on the wire. Total: what no `SystemTime` can hold becomes the epoch.
pub(crate) fn system_time(timestamp: &prost_types::Timestamp) -> SystemTime {
    let nanos = Duration::from_nanos(u64::try_from(timestamp.nanos).unwrap_or(0));
    let seconds = Duration::from_secs(timestamp.seconds.unsigned_abs());
    let whole = match timestamp.seconds {
        0.. => SystemTime::UNIX_EPOCH.checked_add(seconds),
        _ => SystemTime::UNIX_EPOCH.checked_sub(seconds),
    };
    whole.and_then(|time| time.checked_add(nanos)).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// A wall-clock time as it goes on the wire. Total: what is out of range becomes the nearest that fits.
pub(crate) fn proto_time(time: SystemTime) -> prost_types::Timestamp {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => {
            let prost_types::Duration { seconds, nanos } = proto_duration(since);
            prost_types::Timestamp { seconds, nanos }
        }
        Err(before) => {
            let prost_types::Duration { seconds, nanos } = proto_duration(before.duration());
            let borrow = i64::from(nanos > 0);
            prost_types::Timestamp {
                seconds: (-seconds).saturating_sub(borrow),
                nanos: if nanos > 0 { 1_000_000_000 - nanos } else { 0 },
            }
        }
    }
}

/// A duration on the wire. Total: negative ones become zero.
pub(crate) fn duration(duration: &prost_types::Duration) -> Duration {
    match (u64::try_from(duration.seconds), u32::try_from(duration.nanos)) {
        (Ok(seconds), Ok(nanos)) => Duration::from_secs(seconds).saturating_add(Duration::from_nanos(nanos.into())),
        _ => Duration::ZERO,
    }
}

/// A duration as it goes on the wire. Total: what is too long for the wire becomes the longest that fits.
pub(crate) fn proto_duration(duration: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        // Always below a thousand million, so it fits.
        nanos: duration.subsec_nanos().cast_signed(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_of_any_size_convert() {
        for seconds in [i64::MIN, -1, 0, 1, i64::MAX] {
            for nanos in [i32::MIN, -1, 0, 999_999_999, i32::MAX] {
                let _ = system_time(&prost_types::Timestamp { seconds, nanos });
                let _ = duration(&prost_types::Duration { seconds, nanos });
            }
        }
    }

    #[test]
    fn a_moment_before_the_epoch_keeps_its_nanoseconds() {
        let time = system_time(&prost_types::Timestamp { seconds: -2, nanos: 500_000_000 });
        let before = SystemTime::UNIX_EPOCH.duration_since(time).expect("it lies before the epoch");
        assert_eq!(before, Duration::from_millis(1500));
    }

    #[test]
    fn times_round_trip() {
        for (seconds, nanos) in [(0, 0), (1_700_000_000, 999_999_999), (-2, 500_000_000), (-1, 0)] {
            let timestamp = prost_types::Timestamp { seconds, nanos };
            assert_eq!(proto_time(system_time(&timestamp)), timestamp);
        }
    }

    #[test]
    fn durations_round_trip() {
        let original = Duration::new(7, 250);
        assert_eq!(duration(&proto_duration(original)), original);
    }
}
