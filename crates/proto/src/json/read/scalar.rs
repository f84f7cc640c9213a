//! Numbers, bytes, names of enum values, and what else has no inside.

use std::str::FromStr;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use prost_reflect::EnumDescriptor;

use super::super::Result;
use super::super::node::Node;

pub(super) fn parse<T: FromStr>(node: &Node<'_>, expected: &str) -> Result<T> {
    node.scalar()?.parse().map_err(|_| node.invalid(format!("expected {expected}")))
}

/// A whole number, also in the forms `3.0` and `3e2`.
pub(super) fn integer<T: TryFrom<i128>>(node: &Node<'_>) -> Result<T> {
    let text = node.scalar()?;
    text.parse()
        .ok()
        .or_else(|| whole(text.parse().ok()?))
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| node.invalid("expected a whole number in the range of the field"))
}

fn whole(number: f64) -> Option<i128> {
    // The cast saturates, and what is out of range here is out of range of every field.
    (number.fract() == 0.0).then_some(number as i128)
}

pub(super) fn bytes(node: &Node<'_>) -> Result<Bytes> {
    from_base64(&node.string()?).ok_or_else(|| node.invalid("expected base64"))
}

/// Both alphabets, with or without padding.
pub(super) fn from_base64(text: &str) -> Option<Bytes> {
    let is_url_safe = text.contains(['-', '_']);
    let engine = if is_url_safe { URL_SAFE } else { STANDARD };
    engine.decode(text).ok().map(Bytes::from)
}

/// A number, or a name: `EVENT_TYPE_TIMER_FIRED`, `TIMER_FIRED` or `TimerFired`.
pub(super) fn enum_number(node: &Node<'_>, kind: &EnumDescriptor) -> Result<i32> {
    let text = node.scalar()?;
    text.parse()
        .ok()
        .or_else(|| named(&text, kind))
        .ok_or_else(|| node.invalid(format!("not a value of `{}`", kind.full_name())))
}

fn named(name: &str, kind: &EnumDescriptor) -> Option<i32> {
    if let Some(value) = kind.get_value_by_name(name) {
        return Some(value.number());
    }
    let wanted = folded(name);
    let prefix = folded(kind.name());
    let value = kind.values().find(|value| {
        let found = folded(value.name());
        found == wanted || found.strip_prefix(&prefix) == Some(&wanted)
    });
    value.map(|value| value.number())
}

fn folded(name: &str) -> String {
    name.replace('_', "").to_ascii_lowercase()
}

const CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, CONFIG);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, CONFIG);
