//! Durations as Temporal's server reads them in text: `1h30m`, `-1.5s`, `100ms`.

/// Nanoseconds of such a text, the fraction of a nanosecond dropped. `None` if it is something else, or too long.
pub(crate) fn parse_duration(text: &str) -> Option<i64> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let nanos = sum_of_parts(rest)?;
    i64::try_from(if negative { -nanos } else { nanos }).ok()
}

fn sum_of_parts(mut rest: &str) -> Option<i128> {
    let mut sum = 0_i128;
    while !rest.is_empty() {
        let (number, after) = split_where(rest, |byte| !(byte == b'.' || byte.is_ascii_digit()));
        let (unit, after) = split_where(after, |byte| byte == b'.' || byte.is_ascii_digit());
        sum += nanos(number, unit_nanos(unit)?)?;
        rest = after;
        // No part that fits is larger than this, so the sum cannot overflow before it is found too large.
        if sum > i128::from(i64::MAX) + 1 {
            return None;
        }
    }
    Some(sum)
}

fn split_where(text: &str, stop: impl Fn(u8) -> bool) -> (&str, &str) {
    text.split_at(text.bytes().position(stop).unwrap_or(text.len()))
}

fn nanos(number: &str, unit: i128) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let whole = if whole.is_empty() { 0 } else { i128::from(whole.parse::<i64>().ok()?) };
    // Fifteen digits say more than a nanosecond of the largest unit.
    let fraction = &fraction[..fraction.len().min(15)];
    let parts = if fraction.is_empty() { 0 } else { fraction.parse::<i128>().ok()? };
    Some(whole * unit + parts * unit / 10_i128.pow(u32::try_from(fraction.len()).ok()?))
}

fn unit_nanos(unit: &str) -> Option<i128> {
    Some(match unit {
        "ns" => 1,
        // The micro sign, and the Greek letter.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up() {
        assert_eq!(parse_duration("1h30m"), Some(5_400_000_000_000));
        assert_eq!(parse_duration("-1.5s"), Some(-1_500_000_000));
        assert_eq!(parse_duration("+.5ms2us3ns"), Some(502_003));
        assert_eq!(parse_duration("1.s1\u{b5}s"), Some(1_000_001_000));
        assert_eq!(parse_duration("0"), Some(0));
    }

    #[test]
    fn anything_else_is_none() {
        for text in ["", "-", "1", "s", ".s", "1.2.3s", "1d", "1 h", "1h ", "--1s", "999999999999h", "é", "1é"] {
            assert_eq!(parse_duration(text), None, "{text:?}");
        }
        assert_eq!(parse_duration(&"9".repeat(400)), None);
        assert_eq!(parse_duration(&"2562047h".repeat(400)), None);
    }
}
