//! The header `grpc-timeout`: how long the caller waits.

use std::time::Duration;

use http::HeaderMap;

use crate::engine::{Code, Refusal};

/// How long the caller waits, if it says so.
pub(super) fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, Refusal> {
    let Some(value) = headers.get("grpc-timeout") else {
        return Ok(None);
    };
    match value.to_str().ok().and_then(parse) {
        Some(timeout) => Ok(Some(timeout)),
        None => Err(Refusal::new(Code::Internal, format!("malformed grpc-timeout: {value:?}"))),
    }
}

/// At most eight digits and a unit.
fn parse(value: &str) -> Option<Duration> {
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let amount = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(amount * 60 * 60)),
        "M" => Some(Duration::from_secs(amount * 60)),
        "S" => Some(Duration::from_secs(amount)),
        "m" => Some(Duration::from_millis(amount)),
        "u" => Some(Duration::from_micros(amount)),
        "n" => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_told_apart_by_case() {
        assert_eq!(parse("2M"), Some(Duration::from_secs(120)));
        assert_eq!(parse("2m"), Some(Duration::from_millis(2)));
        assert_eq!(parse("99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
    }

    #[test]
    fn what_is_no_timeout_is_refused() {
        for value in ["", "S", "1", "1s", "-1S", "+1S", "123456789S", "1.5S", "5µ", "µ"] {
            assert_eq!(parse(value), None, "{value}");
        }
    }
}
