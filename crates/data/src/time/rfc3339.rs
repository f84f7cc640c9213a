//! Points in time as text, the way the server writes them.
//!
//! The calendar arithmetic is that of the proleptic Gregorian calendar with years that begin in March, so that the leap
//! day is the last one.

use std::time::{Duration, SystemTime};

use super::{MAX_WIRE_TIME, MIN_WIRE_TIME, from_epoch, since_epoch};

const SECONDS_PER_DAY: i64 = 24 * 60 * 60;
/// From the 1st of March of the year 0 to the epoch.
const DAYS_TO_EPOCH: i64 = 719_468;
const DAYS_PER_ERA: i64 = 146_097;
const YEARS_PER_ERA: i64 = 400;

/// In UTC, with as many digits of a second as are not zero.
pub(crate) fn format(time: SystemTime) -> String {
    let (seconds, nanos) = since_epoch(time);
    let seconds = seconds.clamp(MIN_WIRE_TIME, MAX_WIRE_TIME);
    let (year, month, day) = date_of(seconds.div_euclid(SECONDS_PER_DAY));
    let of_day = seconds.rem_euclid(SECONDS_PER_DAY);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let whole = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    match nanos {
        0 => format!("{whole}Z"),
        _ => format!("{}Z", format!("{whole}.{nanos:09}").trim_end_matches('0')),
    }
}

/// `2026-01-31T12:30:00.5Z`, or with an offset such as `+02:00`.
pub(crate) fn parse(text: &str) -> Option<SystemTime> {
    let (date, rest) = text.split_once(['T', 't', ' '])?;
    let [year, month, day] = numbers(date, '-')?;
    let zone = rest.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = rest.split_at(zone);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let [hour, minute, second] = numbers(clock, ':')?;
    let in_range = (1..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !in_range {
        return None;
    }
    let seconds = days_of(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
    from_epoch(seconds - offset(zone)?, Duration::from_nanos(nanos(fraction)?))
}

/// Three numbers without signs.
fn numbers(text: &str, separator: char) -> Option<[i64; 3]> {
    let mut parts = text.split(separator).map(number);
    let numbers = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(numbers)
}

/// A number of at most nine digits.
fn number(text: &str) -> Option<i64> {
    let digits = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// The digits behind the point of a second; those below a nanosecond are dropped.
fn nanos(fraction: &str) -> Option<u64> {
    let digits = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let fraction = digits.then(|| &fraction[..fraction.len().min(9)])?;
    format!("{fraction:0<9}").parse().ok()
}

/// Seconds east of Greenwich.
fn offset(zone: &str) -> Option<i64> {
    let sign = match zone {
        "Z" | "z" => return Some(0),
        _ if zone.starts_with('-') => -1,
        _ => 1,
    };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// Year, month and day of a number of days since the epoch.
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + DAYS_TO_EPOCH;
    let (era, of_era) = (days.div_euclid(DAYS_PER_ERA), days.rem_euclid(DAYS_PER_ERA));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * YEARS_PER_ERA + year_of_era + i64::from(month <= 2), month, day)
}

/// The inverse of [`date_of`].
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(YEARS_PER_ERA), year.rem_euclid(YEARS_PER_ERA));
    let month_from_march = (month + 9) % 12;
    let of_year = (153 * month_from_march + 2) / 5 + day - 1;
    era * DAYS_PER_ERA + 365 * year_of_era + year_of_era / 4 - year_of_era / 100 + of_year - DAYS_TO_EPOCH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_with_the_digits_it_has() {
        let at = |seconds, nanos| format(from_epoch(seconds, Duration::from_nanos(nanos)).unwrap());
        assert_eq!(at(0, 0), "1970-01-01T00:00:00Z");
        assert_eq!(at(951_827_696, 120_000_000), "2000-02-29T12:34:56.12Z");
        assert_eq!(at(-1, 0), "1969-12-31T23:59:59Z");
        assert_eq!(at(MIN_WIRE_TIME, 0), "0001-01-01T00:00:00Z");
        assert_eq!(at(MAX_WIRE_TIME, 999_999_999), "9999-12-31T23:59:59.999999999Z");
    }

    #[test]
    fn what_is_written_is_read_again() {
        for day in (-719_000..2_932_000).step_by(97) {
            let time =
                from_epoch(day * SECONDS_PER_DAY + day.rem_euclid(SECONDS_PER_DAY), Duration::from_nanos(7)).unwrap();
            assert_eq!(parse(&format(time)), Some(time));
        }
    }

    #[test]
    fn an_offset_is_taken_off() {
        let noon = parse("2026-01-31T12:00:00Z");
        assert!(noon.is_some());
        assert_eq!(parse("2026-01-31T14:00:00+02:00"), noon);
        assert_eq!(parse("2026-01-31t07:30:00.000-04:30"), noon);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in
            ["", "2026", "2026-01-31", "2026-13-01T00:00:00Z", "2026-01-31T12:00:00", "a-b-cTd:e:fZ", "-1-1-1T0:0:0Z"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse("2026-01-31T12:00:00.Z"), None);
        assert_eq!(parse("2026-01-31T12:00:00+ü:00"), None);
    }
}
