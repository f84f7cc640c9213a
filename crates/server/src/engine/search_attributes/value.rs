//! [`Value`]: a search attribute as filters see it, from the payload that callers send.

use serde_json::Value as Json;
use stead_proto::common::v1::Payload;
use stead_proto::enums::v1::IndexedValueType;

use super::datetime;

/// The value of a search attribute, of the type that the attribute has.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Bool(bool),
    Int(i64),
    Double(f64),
    /// Microseconds since the Unix epoch, which is as exact as the server's own filters are.
    Datetime(i64),
    Keyword(String),
    KeywordList(Vec<String>),
    Text(String),
}

/// What a payload says about an attribute.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Decoded {
    /// The attribute has no value: `null`, or an empty list where one value is expected.
    Unset,
    One(Value),
    /// Several values of an attribute that has but one: taken, and found by no filter.
    Several,
}

impl Value {
    /// Reads the value of an attribute of this type. `None` if the payload holds something else.
    pub(crate) fn decode(payload: &Payload, kind: IndexedValueType) -> Option<Decoded> {
        match json(payload)? {
            Json::Null => Some(Decoded::Unset),
            Json::Array(items) if kind == IndexedValueType::KeywordList => keywords(items).map(Decoded::One),
            Json::Array(items) => Self::from_list(items, kind),
            scalar => Self::from_json(scalar, kind).map(Decoded::One),
        }
    }

    fn from_list(items: Vec<Json>, kind: IndexedValueType) -> Option<Decoded> {
        let mut values = items.into_iter().map(|item| Self::from_json(item, kind)).collect::<Option<Vec<_>>>()?;
        Some(match values.len() {
            0 => Decoded::Unset,
            1 => values.pop().map_or(Decoded::Unset, Decoded::One),
            _ => Decoded::Several,
        })
    }

    fn from_json(json: Json, kind: IndexedValueType) -> Option<Self> {
        match (kind, json) {
            (IndexedValueType::Bool, Json::Bool(value)) => Some(Self::Bool(value)),
            (IndexedValueType::Int, Json::Number(number)) => number.as_i64().map(Self::Int),
            (IndexedValueType::Double, Json::Number(number)) => number.as_f64().map(Self::Double),
            (IndexedValueType::Datetime, Json::String(text)) => datetime::parse(&text).map(Self::Datetime),
            (IndexedValueType::Keyword, Json::String(text)) => Some(Self::Keyword(text)),
            (IndexedValueType::Text, Json::String(text)) => Some(Self::Text(text)),
            _ => None,
        }
    }
}

/// The payload's content, for a message about it.
pub(super) fn shown(payload: &Payload) -> String {
    json(payload).map_or_else(|| format!("value from <{payload:?}>"), |json| show(&json))
}

/// The items of a keyword list. The server takes `null` for an empty string here.
fn keywords(items: Vec<Json>) -> Option<Value> {
    let keyword = |item| match item {
        Json::String(text) => Some(text),
        Json::Null => Some(String::new()),
        _ => None,
    };
    items.into_iter().map(keyword).collect::<Option<_>>().map(Value::KeywordList)
}

fn json(payload: &Payload) -> Option<Json> {
    match payload.metadata.get("encoding")?.as_ref() {
        b"binary/null" => Some(Json::Null),
        b"json/plain" => serde_json::from_slice(&payload.data).ok(),
        _ => None,
    }
}

/// As the server writes JSON values in its messages.
fn show(json: &Json) -> String {
    match json {
        Json::Null => "<nil>".to_owned(),
        Json::String(text) => text.clone(),
        Json::Array(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(" ")),
        Json::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| format!("{name}:{}", show(value)));
            format!("map[{}]", fields.collect::<Vec<_>>().join(" "))
        }
        Json::Number(number) => number.as_f64().map_or_else(|| number.to_string(), shown_double),
        Json::Bool(value) => value.to_string(),
    }
}

/// A double as the server writes it in its messages: the shortest digits, with an exponent when it is large or small.
pub(crate) fn shown_double(value: f64) -> String {
    let scientific = format!("{value:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    match exponent.parse::<i32>() {
        Ok(exponent) if (-4..6).contains(&exponent) => format!("{value}"),
        Ok(exponent) => format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs()),
        Err(_) => scientific,
    }
}
