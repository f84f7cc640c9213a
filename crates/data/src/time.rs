//! Durations and points in time: short constructors, and the wire's forms of them.
//!
//! The conversions are total: what the other side cannot hold saturates, nothing panics.

use std::time::{Duration, SystemTime};

use prost_types::Timestamp;

pub(crate) mod rfc3339;

/// Seconds of the longest duration that the wire's form may hold: ten thousand years.
const MAX_WIRE_SECONDS: u64 = 315_576_000_000;
/// Seconds from the epoch to the first and the last moment that the wire's form may hold: the years 1 and 9999.
const MIN_WIRE_TIME: i64 = -62_135_596_800;
const MAX_WIRE_TIME: i64 = 253_402_300_799;
const NANOS_PER_SECOND: u32 = 1_000_000_000;

/// A duration of this many milliseconds.
#[must_use]
pub const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A duration of this many seconds.
///
/// ```
/// # use stead_data::{mins, secs};
/// assert_eq!(secs(120), mins(2));
/// ```
#[must_use]
pub const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A duration of this many minutes.
#[must_use]
pub const fn mins(n: u64) -> Duration {
    Duration::from_secs(n.saturating_mul(60))
}

/// A duration of this many hours.
#[must_use]
pub const fn hours(n: u64) -> Duration {
    Duration::from_secs(n.saturating_mul(60 * 60))
}

/// A duration of this many days of 24 hours.
#[must_use]
pub const fn days(n: u64) -> Duration {
    Duration::from_secs(n.saturating_mul(24 * 60 * 60))
}

/// The wire's form of a duration, at most ten thousand years.
#[must_use]
pub fn duration_to_proto(duration: Duration) -> prost_types::Duration {
    let duration = duration.min(Duration::from_secs(MAX_WIRE_SECONDS));
    prost_types::Duration { seconds: duration.as_secs().cast_signed(), nanos: duration.subsec_nanos().cast_signed() }
}

/// The duration that the wire's form stands for. What is negative or malformed reads as zero.
#[must_use]
pub fn duration_from_proto(duration: &prost_types::Duration) -> Duration {
    let nanos = i128::from(duration.seconds) * i128::from(NANOS_PER_SECOND) + i128::from(duration.nanos);
    let nanos = u128::try_from(nanos).unwrap_or(0);
    let seconds = u64::try_from(nanos / u128::from(NANOS_PER_SECOND)).unwrap_or(u64::MAX);
    // The remainder is below one second, so it fits.
    Duration::new(seconds, (nanos % u128::from(NANOS_PER_SECOND)) as u32)
}

/// The wire's form of a point in time, held within the years 1 and 9999.
#[must_use]
pub fn time_to_proto(time: SystemTime) -> Timestamp {
    let (seconds, nanos) = since_epoch(time);
    match seconds {
        ..MIN_WIRE_TIME => Timestamp { seconds: MIN_WIRE_TIME, nanos: 0 },
        MIN_WIRE_TIME..=MAX_WIRE_TIME => Timestamp { seconds, nanos: nanos.cast_signed() },
        _ => Timestamp { seconds: MAX_WIRE_TIME, nanos: (NANOS_PER_SECOND - 1).cast_signed() },
    }
}

/// The point in time that the wire's form stands for; the epoch if this platform's clock cannot hold it.
#[must_use]
pub fn time_from_proto(time: &Timestamp) -> SystemTime {
    let seconds = time.seconds.clamp(MIN_WIRE_TIME, MAX_WIRE_TIME);
    let nanos = Duration::from_nanos(time.nanos.clamp(0, (NANOS_PER_SECOND - 1).cast_signed()).unsigned_abs().into());
    from_epoch(seconds, nanos).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Whole seconds since the epoch, rounded down, and the nanoseconds above them.
pub(crate) fn since_epoch(time: SystemTime) -> (i64, u32) {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => (i64::try_from(after.as_secs()).unwrap_or(i64::MAX), after.subsec_nanos()),
        Err(error) => {
            let before = error.duration();
            let seconds = i64::try_from(before.as_secs()).unwrap_or(i64::MAX);
            match before.subsec_nanos() {
                0 => (-seconds, 0),
                nanos => ((-seconds).saturating_sub(1), NANOS_PER_SECOND - nanos),
            }
        }
    }
}

/// The inverse of [`since_epoch`], where the clock can hold it.
pub(crate) fn from_epoch(seconds: i64, nanos: Duration) -> Option<SystemTime> {
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let base = match seconds {
        0.. => SystemTime::UNIX_EPOCH.checked_add(whole),
        _ => SystemTime::UNIX_EPOCH.checked_sub(whole),
    };
    base?.checked_add(nanos)
}
