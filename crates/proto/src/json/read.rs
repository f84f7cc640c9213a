//! JSON to message, guided by the descriptors.

mod payload;
mod scalar;

use std::collections::HashMap;

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value};
use prost_types::{Duration, Timestamp};
use serde_json::value::RawValue;

use super::node::Node;
use super::{HISTORY, JsonError, Result};

pub(super) fn history(json: &RawValue) -> Result<DynamicMessage> {
    unwrap_history(&Node::root(json))
}

/// A history, the events of one, or something with a `history` in it. One without events is written as `{}`.
fn unwrap_history(node: &Node<'_>) -> Result<DynamicMessage> {
    if node.is_list() {
        return only_field(node, &HISTORY, "events");
    }
    let fields = node.object()?;
    if fields.is_empty() || fields.contains_key("events") {
        return message(node, &HISTORY);
    }
    let json = fields
        .get("history")
        .ok_or_else(|| node.invalid("expected a list of events, or an object with `events` or `history`"))?;
    unwrap_history(&node.field("history", json)?)
}

fn message(node: &Node<'_>, kind: &MessageDescriptor) -> Result<DynamicMessage> {
    match kind.full_name() {
        "temporal.api.common.v1.Payload" => payload::read(node, kind),
        "temporal.api.common.v1.Payloads" if node.is_list() => only_field(node, kind, "payloads"),
        "google.protobuf.Timestamp" => transcode(&scalar::parse::<Timestamp>(node, "a time")?, kind),
        "google.protobuf.Duration" => transcode(&scalar::parse::<Duration>(node, "a duration")?, kind),
        _ => fields(node, kind),
    }
}

/// A message of which only one field is given, without the object around it.
fn only_field(node: &Node<'_>, kind: &MessageDescriptor, name: &str) -> Result<DynamicMessage> {
    let mut message = DynamicMessage::new(kind.clone());
    if let Some(field) = kind.get_field_by_name(name) {
        set(&mut message, &field, node)?;
    }
    Ok(message)
}

fn fields(node: &Node<'_>, kind: &MessageDescriptor) -> Result<DynamicMessage> {
    let mut message = DynamicMessage::new(kind.clone());
    for (name, json) in node.object()? {
        if let Some(field) = field(kind, &name) {
            set(&mut message, &field, &node.field(&name, json)?)?;
        }
    }
    Ok(message)
}

fn field(kind: &MessageDescriptor, name: &str) -> Option<FieldDescriptor> {
    kind.get_field_by_json_name(name).or_else(|| kind.get_field_by_name(name))
}

/// Sets a field, unless it is null: that is how JSON spells what is absent.
fn set(message: &mut DynamicMessage, field: &FieldDescriptor, node: &Node<'_>) -> Result<()> {
    if node.is_null() {
        return Ok(());
    }
    let value = match field.kind() {
        Kind::Message(entry) if field.is_map() => map(node, &entry)?,
        kind if field.is_list() => list(node, &kind)?,
        kind => value(node, &kind)?,
    };
    message.try_set_field(field, value).map_err(|_| node.invalid("the value does not fit its field"))
}

fn list(node: &Node<'_>, kind: &Kind) -> Result<Value> {
    let items = node.list()?;
    let values = items.into_iter().enumerate().map(|(index, json)| value(&node.item(index, json)?, kind));
    values.collect::<Result<_>>().map(Value::List)
}

fn map(node: &Node<'_>, entry: &MessageDescriptor) -> Result<Value> {
    let kind = entry.map_entry_value_field().kind();
    let mut values = HashMap::new();
    for (key, json) in node.object()? {
        let node = node.field(&key, json)?;
        let value = value(&node, &kind)?;
        // No message of a history has a map with other keys.
        values.insert(MapKey::String(key), value);
    }
    Ok(Value::Map(values))
}

fn value(node: &Node<'_>, kind: &Kind) -> Result<Value> {
    Ok(match kind {
        Kind::Message(kind) => Value::Message(message(node, kind)?),
        Kind::Enum(kind) => Value::EnumNumber(scalar::enum_number(node, kind)?),
        Kind::String => Value::String(node.string()?.into_owned()),
        Kind::Bytes => Value::Bytes(scalar::bytes(node)?),
        Kind::Bool => Value::Bool(scalar::parse(node, "true or false")?),
        Kind::Double => Value::F64(scalar::parse(node, "a number")?),
        Kind::Float => Value::F32(scalar::parse(node, "a number")?),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(scalar::integer(node)?),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(scalar::integer(node)?),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(scalar::integer(node)?),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(scalar::integer(node)?),
    })
}

fn transcode<M: prost::Message>(message: &M, kind: &MessageDescriptor) -> Result<DynamicMessage> {
    DynamicMessage::decode(kind.clone(), message.encode_to_vec().as_slice()).map_err(JsonError::Message)
}
