//! Search attributes: which ones a namespace has, of which types, and what their values may be.

mod datetime;
mod value;

use stead_proto::common::v1::Payload;
use stead_proto::enums::v1::IndexedValueType;

pub(crate) use value::{Decoded, Value};

/// The metadata of a payload that names the attribute's type.
const TYPE: &str = "type";

/// The type that a stored payload says it has.
pub(crate) fn type_of(payload: &Payload) -> Option<IndexedValueType> {
    let name = payload.metadata.get(TYPE)?;
    TYPES.into_iter().find(|kind| type_name(*kind).as_bytes() == name.as_ref())
}

/// A type as messages and payloads name it.
pub(crate) fn type_name(kind: IndexedValueType) -> &'static str {
    match kind {
        IndexedValueType::Unspecified => "Unspecified",
        IndexedValueType::Text => "Text",
        IndexedValueType::Keyword => "Keyword",
        IndexedValueType::Int => "Int",
        IndexedValueType::Double => "Double",
        IndexedValueType::Bool => "Bool",
        IndexedValueType::Datetime => "Datetime",
        IndexedValueType::KeywordList => "KeywordList",
    }
}

const TYPES: [IndexedValueType; 7] = [
    IndexedValueType::Text,
    IndexedValueType::Keyword,
    IndexedValueType::Int,
    IndexedValueType::Double,
    IndexedValueType::Bool,
    IndexedValueType::Datetime,
    IndexedValueType::KeywordList,
];
