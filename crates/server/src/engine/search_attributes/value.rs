//! [`Value`]: a search attribute as filters see it, from the payload that callers send.

use serde_json::Value as Json;
use stead_proto::common::v1::Payload;
use stead_proto::enums::v1::IndexedValueType;

use super::{datetime, type_of};

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

impl Value {
    /// Reads the value of an attribute of this type; `Some(None)` if it says that there is none, `None` if the payload
    /// holds something else. A list of one value is that value.
    pub(crate) fn decode(payload: &Payload, kind: IndexedValueType) -> Option<Option<Self>> {
        match json(payload)? {
            Json::Null => Some(None),
            Json::Array(items) if kind == IndexedValueType::KeywordList => keywords(items).map(Some),
            Json::Array(mut items) => match (items.pop(), items.is_empty()) {
                (None, _) => Some(None),
                (Some(only), true) => Self::from_json(only, kind).map(Some),
                (Some(_), false) => None,
            },
            scalar => Self::from_json(scalar, kind).map(Some),
        }
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

/// Makes a list of one value, which callers may send for an attribute that has one, that value.
pub(crate) fn unwrap_list(payload: &mut Payload) {
    if type_of(payload) == Some(IndexedValueType::KeywordList) {
        return;
    }
    if let Some(Json::Array(items)) = json(payload)
        && let [only] = items.as_slice()
    {
        payload.data = only.to_string().into();
    }
}

/// The payload's content, for a message about it.
pub(super) fn shown(payload: &Payload) -> String {
    if payload.metadata.get("encoding").is_some_and(|encoding| encoding == "binary/plain") {
        return format!("[{}]", payload.data.iter().map(u8::to_string).collect::<Vec<_>>().join(" "));
    }
    json(payload).map_or_else(|| format!("value from <{}>", fields(payload)), |json| show(&json))
}

/// The payload's fields, in the text form of Protocol Buffers.
fn fields(payload: &Payload) -> String {
    let metadata = payload
        .metadata
        .iter()
        .map(|(key, value)| format!("metadata:{{key:{key:?} value:{:?}}}", String::from_utf8_lossy(value)));
    let data = (!payload.data.is_empty()).then(|| format!("data:{:?}", String::from_utf8_lossy(&payload.data)));
    metadata.chain(data).collect::<Vec<_>>().join(" ")
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
