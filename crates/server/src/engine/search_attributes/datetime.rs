//! Instants as text: RFC 3339, as strict as the server reads it.

/// Microseconds since the Unix epoch of a text such as `2026-01-31T12:00:00.5+01:00`. `None` if it is none.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let mut rest = text.as_bytes();
    let year = number(&mut rest, 4)?;
    let month = after(&mut rest, b'-', 2)?;
    let day = after(&mut rest, b'-', 2)?;
    let hour = after(&mut rest, b'T', 2)?;
    let minute = after(&mut rest, b':', 2)?;
    let second = after(&mut rest, b':', 2)?;
    let micros = fraction(&mut rest)?;
    let offset = offset(rest)?;
    let valid = (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day);
    if !valid || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = days_since_epoch(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset;
    Some(seconds * 1_000_000 + micros)
}

fn number(rest: &mut &[u8], digits: usize) -> Option<i64> {
    let (head, tail) = rest.split_at_checked(digits)?;
    *rest = tail;
    head.iter().try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))
}

fn after(rest: &mut &[u8], separator: u8, digits: usize) -> Option<i64> {
    let (first, tail) = rest.split_first()?;
    *rest = tail;
    if *first == separator { number(rest, digits) } else { None }
}

/// Microseconds after the second; what is finer is dropped.
fn fraction(rest: &mut &[u8]) -> Option<i64> {
    let [b'.' | b',', tail @ ..] = *rest else { return Some(0) };
    let length = tail.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if length == 0 {
        return None;
    }
    *rest = &tail[length..];
    let digits = tail[..length].iter().copied().chain(std::iter::repeat(b'0'));
    Some(digits.take(6).fold(0, |value, byte| value * 10 + i64::from(byte - b'0')))
}

/// Seconds east of Greenwich.
fn offset(mut rest: &[u8]) -> Option<i64> {
    let sign = match rest {
        [b'Z'] => return Some(0),
        [b'+', ..] => 1,
        [b'-', ..] => -1,
        _ => return None,
    };
    rest = rest.get(1..)?;
    let hours = number(&mut rest, 2)?;
    let minutes = after(&mut rest, b':', 2)?;
    (rest.is_empty() && hours <= 24 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days of the Gregorian calendar since 1970-01-01, counted in years that begin in March, so that leap days come last.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - DAYS_BEFORE_EPOCH
}

/// Days from 0000-03-01 to 1970-01-01.
const DAYS_BEFORE_EPOCH: i64 = 719_468;

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn instants_are_read_to_the_microsecond() {
        assert_eq!(parse("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(parse("1970-01-01T00:00:00.0000015Z"), Some(1));
        assert_eq!(parse("1970-01-01T01:00:00.5+01:00"), Some(500_000));
        assert_eq!(parse("2024-02-29T23:59:59-00:30"), Some(1_709_252_999_000_000));
        assert_eq!(parse("1969-12-31T23:59:59.999999Z"), Some(-1));
        assert_eq!(parse("0000-01-01T00:00:00Z"), Some(-62_167_219_200_000_000));
    }

    #[test]
    fn what_is_no_instant_is_refused() {
        for text in [
            "",
            "nope",
            "2023-02-29T00:00:00Z",
            "2023-13-01T00:00:00Z",
            "2023-01-01 00:00:00Z",
            "2023-01-01T00:00:00",
            "2023-01-01T24:00:00Z",
            "2023-01-01T00:00:00.Z",
            "2023-01-01T00:00:00Zx",
            "2023-01-01T00:00:00+1:00",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
