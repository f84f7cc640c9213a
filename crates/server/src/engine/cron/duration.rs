//! Durations as Temporal's server reads them in text: `1h30m`, `-1.5s`, `100ms`.

/// Nanoseconds of such a text, the fraction of a nanosecond dropped.
///
/// # Errors
///
/// What is wrong with it, as the server says it.
pub(crate) fn parse_duration(text: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {text:?}");
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let nanos = sum_of_parts(rest).map_err(|wrong| match wrong {
        Wrong::Number => invalid(),
        Wrong::NoUnit => format!("time: missing unit in duration {text:?}"),
        Wrong::Unit(unit) => format!("time: unknown unit {unit:?} in duration {text:?}"),
    })?;
    i64::try_from(sign * nanos).map_err(|_| invalid())
}

enum Wrong<'a> {
    Number,
    NoUnit,
    Unit(&'a str),
}

fn sum_of_parts(mut rest: &str) -> Result<i128, Wrong<'_>> {
    let mut sum = 0_i128;
    while !rest.is_empty() {
        let (number, after) = split_where(rest, |byte| !(byte == b'.' || byte.is_ascii_digit()));
        let (number, after) = match number.match_indices('.').nth(1) {
            // What follows a second point is no part of the number, and no unit.
            Some((second, _)) => (&number[..second], ""),
            None => (number, after),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() {
            return Err(Wrong::Number);
        }
        let (unit, after) = split_where(after, |byte| byte == b'.' || byte.is_ascii_digit());
        if unit.is_empty() {
            return Err(Wrong::NoUnit);
        }
        sum += nanos(whole, fraction, unit_nanos(unit).ok_or(Wrong::Unit(unit))?).ok_or(Wrong::Number)?;
        rest = after;
        // No part that fits is larger than this, so the sum cannot overflow before it is found too large.
        if sum > i128::from(i64::MAX) + 1 {
            return Err(Wrong::Number);
        }
    }
    Ok(sum)
}

fn split_where(text: &str, stop: impl Fn(u8) -> bool) -> (&str, &str) {
    text.split_at(text.bytes().position(stop).unwrap_or(text.len()))
}

fn nanos(whole: &str, fraction: &str, unit: i128) -> Option<i128> {
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
        assert_eq!(parse_duration("1h30m"), Ok(5_400_000_000_000));
        assert_eq!(parse_duration("-1.5s"), Ok(-1_500_000_000));
        assert_eq!(parse_duration("+.5ms2us3ns"), Ok(502_003));
        assert_eq!(parse_duration("1.s1\u{b5}s"), Ok(1_000_001_000));
        assert_eq!(parse_duration("0"), Ok(0));
    }

    #[test]
    fn anything_else_is_refused_with_the_reason() {
        let long = ["9".repeat(400) + "s", "2562047h".repeat(400)];
        let invalid = ["", "-", "s", ".s", "--1s", "999999999999h", "é", &long[0], &long[1]];
        for text in invalid {
            assert_eq!(parse_duration(text), Err(format!("time: invalid duration {text:?}")));
        }
        for text in ["1", "1.2.3s", "1s5"] {
            assert_eq!(parse_duration(text), Err(format!("time: missing unit in duration {text:?}")));
        }
        for (text, unit) in [("1d", "d"), ("1 h", " h"), ("1h ", "h "), ("1é", "é")] {
            assert_eq!(parse_duration(text), Err(format!("time: unknown unit {unit:?} in duration {text:?}")));
        }
    }
}
