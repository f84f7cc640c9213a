//! Payloads, in full or in shorthand.
//!
//! The two cannot always be told apart. What has nothing but the fields of a payload, all of them readable, and data or
//! an encoding, is one in full; everything else is the value itself. Temporal's own tools decide the same way.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost_reflect::{DynamicMessage, MessageDescriptor};
use serde_json::value::RawValue;

use super::super::Result;
use super::super::node::Node;
use super::{field, scalar, set, transcode};
use crate::common::v1::Payload;

type Metadata = BTreeMap<String, Bytes>;

pub(super) fn read(node: &Node<'_>, kind: &MessageDescriptor) -> Result<DynamicMessage> {
    let payload = full(node, kind).unwrap_or_else(|| shorthand(node));
    transcode(&payload, kind)
}

fn full(node: &Node<'_>, kind: &MessageDescriptor) -> Option<Payload> {
    let mut payload = DynamicMessage::new(kind.clone());
    let (mut metadata, mut data) = (Metadata::new(), None);
    for (name, json) in node.object().ok()? {
        let field = field(kind, &name)?;
        let node = node.field(&name, json).ok()?;
        match field.name() {
            "metadata" => metadata = read_metadata(&node)?,
            "data" => data = Some(json),
            _ => set(&mut payload, &field, &node).ok()?,
        }
    }
    let payload = Payload {
        data: data.map_or(Some(Bytes::new()), |json| read_data(json, &metadata))?,
        metadata,
        ..payload.transcode_to().ok()?
    };
    says_something(&payload).then_some(payload)
}

fn says_something(payload: &Payload) -> bool {
    !payload.data.is_empty() || payload.metadata.contains_key(ENCODING) || !payload.external_payloads.is_empty()
}

fn read_metadata(node: &Node<'_>) -> Option<Metadata> {
    if node.is_null() {
        return Some(Metadata::new());
    }
    let entries = node.object().ok()?;
    let entries = entries.into_iter().filter(|(name, _)| name != ENCODING_DECODED);
    entries.map(|(name, json)| Some((name, read_base64(json)?))).collect()
}

/// Base64, or for JSON the value that is encoded: the web page exports decoded payloads like that.
fn read_data(json: &RawValue, metadata: &Metadata) -> Option<Bytes> {
    if json.get() == "null" && !is_json(metadata) {
        return Some(Bytes::new());
    }
    match read_base64(json) {
        Some(data) if !is_json(metadata) || is_valid_json(&data) => Some(data),
        _ if is_json(metadata) => Some(text(json.get())),
        _ => None,
    }
}

fn read_base64(json: &RawValue) -> Option<Bytes> {
    let text: String = serde_json::from_str(json.get()).ok()?;
    scalar::from_base64(&text)
}

fn is_json(metadata: &Metadata) -> bool {
    metadata.get(ENCODING).is_some_and(|encoding| encoding.starts_with(b"json/"))
}

fn is_valid_json(data: &[u8]) -> bool {
    serde_json::from_slice::<&RawValue>(data).is_ok()
}

fn shorthand(node: &Node<'_>) -> Payload {
    if node.is_null() {
        return encoded("binary/null", Bytes::new());
    }
    typed(node).unwrap_or_else(|| encoded("json/plain", text(node.text())))
}

/// The JSON of a message, which says its type inside.
fn typed(node: &Node<'_>) -> Option<Payload> {
    let mut object = node.object().ok()?;
    let message_type: String = serde_json::from_str(object.remove(MESSAGE_TYPE_KEY)?.get()).ok()?;
    let data = serde_json::to_vec(&object).ok()?;
    let mut payload = encoded("json/protobuf", data.into());
    payload.metadata.insert("messageType".to_owned(), message_type.into());
    Some(payload)
}

fn encoded(encoding: &'static str, data: Bytes) -> Payload {
    let encoding = Bytes::from_static(encoding.as_bytes());
    Payload { metadata: Metadata::from([(ENCODING.to_owned(), encoding)]), data, ..Payload::default() }
}

fn text(json: &str) -> Bytes {
    Bytes::copy_from_slice(json.as_bytes())
}

const ENCODING: &str = "encoding";
/// A help for readers that the web page adds to metadata; not base64, and not part of the payload.
const ENCODING_DECODED: &str = "encodingDecoded";
const MESSAGE_TYPE_KEY: &str = "_protoMessageType";
