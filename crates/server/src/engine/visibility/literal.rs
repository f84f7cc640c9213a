//! Constants in queries: numbers, durations, and how the server's messages show them.

use super::query::Literal;
use crate::engine::search_attributes::shown_double;

/// A constant, read.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Constant {
    String(String),
    Int(i64),
    Double(f64),
    Bool(bool),
}

impl Constant {
    /// Reads a constant. `None` if it is no number and should be one.
    pub(super) fn read(literal: &Literal) -> Option<Self> {
        match literal {
            Literal::String(text) => Some(Self::String(text.clone())),
            Literal::Integer(text) | Literal::Float(text) | Literal::Odd(text) => number(text),
        }
    }

    /// What the server's messages call the constant's type.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::String(_) => "string",
            Self::Int(_) => "int64",
            Self::Double(_) => "float64",
            Self::Bool(_) => "bool",
        }
    }

    /// As the server's messages show the constant.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::String(text) => quoted(text),
            Self::Int(value) => value.to_string(),
            Self::Double(value) => shown_double(*value),
            Self::Bool(value) => value.to_string(),
        }
    }
}

fn number(text: &str) -> Option<Constant> {
    if let Ok(integer) = text.parse() {
        return Some(Constant::Int(integer));
    }
    // Rust reads words such as "inf" as numbers, too.
    let numeric = text.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'));
    text.parse().ok().filter(|double: &f64| numeric && double.is_finite()).map(Constant::Double)
}

/// A text in double quotes.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{b}' => quoted.push_str("\\v"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_ascii_control() => quoted.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Nanoseconds of a text such as `1h30m`, `2d`, `01:30:00` or `5000000000`.
pub(super) fn duration(text: &str) -> Option<i64> {
    text.parse().ok().or_else(|| with_units(text)).or_else(|| clock(text))
}

/// Numbers with units, such as `-1.5h` and `2h45m`.
fn with_units(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.split_at_checked(1)? {
        ("-", rest) => (true, rest),
        ("+", rest) => (false, rest),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut nanos = 0.0_f64;
    let mut exact = 0_i64;
    while !rest.is_empty() {
        let number = &rest[..rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len())];
        rest = &rest[number.len()..];
        let unit = &rest[..rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len())];
        rest = &rest[unit.len()..];
        let unit = UNITS.into_iter().find(|(name, _)| *name == unit)?.1;
        match number.parse::<i64>() {
            Ok(whole) => exact = exact.checked_add(whole.checked_mul(unit)?)?,
            Err(_) => nanos += number.parse::<f64>().ok()? * unit as f64,
        }
    }
    let total = exact.checked_add((nanos < i64::MAX as f64).then_some(nanos as i64)?)?;
    Some(if negative { -total } else { total })
}

/// Hours, minutes and seconds.
fn clock(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, ':').map(|part| {
        let digits = part.strip_prefix('+').unwrap_or(part);
        digits.chars().all(|c| c.is_ascii_digit()).then(|| digits.parse::<i64>().ok())?
    });
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    let seconds =
        (minutes < 60 && seconds < 60).then(|| hours.checked_mul(3_600))??.checked_add(minutes * 60 + seconds)?;
    seconds.checked_mul(1_000_000_000)
}

const UNITS: [(&str, i64); 9] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_all_forms() {
        for (text, nanos) in [
            ("5000000000", 5_000_000_000),
            ("-7", -7),
            ("1h", 3_600_000_000_000),
            ("+10s", 10_000_000_000),
            ("-1.5h", -5_400_000_000_000),
            ("2h45m", 9_900_000_000_000),
            ("1.5d", 129_600_000_000_000),
            ("300ms", 300_000_000),
            ("01:10:30", 4_230_000_000_000),
        ] {
            assert_eq!(duration(text), Some(nanos), "{text}");
        }
        for text in ["", "foo", "1", "-01:10:30", "1:60:00", "1:2", "9999999999999h", "1x", "s", "."] {
            assert!(text == "1" || duration(text).is_none(), "{text}");
        }
    }

    #[test]
    fn numbers_are_integers_if_they_can_be() {
        let read = |text: &str| Constant::read(&Literal::Odd(text.to_owned()));
        assert_eq!(read("-5"), Some(Constant::Int(-5)));
        assert_eq!(read("9223372036854775808"), Some(Constant::Double(9_223_372_036_854_775_808.0)));
        assert_eq!(read("1e3"), Some(Constant::Double(1_000.0)));
        assert_eq!(read(":v1"), None);
        assert_eq!(read("inf"), None);
    }
}
