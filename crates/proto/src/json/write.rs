//! Message to JSON: the proto3 mapping, fields in the order of their numbers, maps in the order of their keys.

use std::collections::BTreeMap;
use std::fmt::Display;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost_reflect::{DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MapKey, ReflectMessage as _, Value};
use prost_types::{Duration, Timestamp};
use serde::ser::{Error as _, Serialize, SerializeMap as _, Serializer};

/// A message, as an object, or as the text that stands for it.
pub(super) struct Object<'a>(pub(super) &'a DynamicMessage);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.descriptor().full_name() {
            "google.protobuf.Timestamp" => timestamp(self.0, serializer),
            "google.protobuf.Duration" => duration(self.0, serializer),
            _ => fields(self.0, serializer),
        }
    }
}

fn fields<S: Serializer>(message: &DynamicMessage, serializer: S) -> Result<S::Ok, S::Error> {
    let mut object = serializer.serialize_map(None)?;
    for (field, value) in message.fields() {
        object.serialize_entry(field.json_name(), &Field { field: &field, value })?;
    }
    object.end()
}

fn timestamp<S: Serializer>(message: &DynamicMessage, serializer: S) -> Result<S::Ok, S::Error> {
    let timestamp: Timestamp = message.transcode_to().map_err(S::Error::custom)?;
    if !TIMESTAMP_SECONDS.contains(&timestamp.seconds) {
        return Err(S::Error::custom("a time is outside of the years 1 to 9999"));
    }
    serializer.collect_str(&timestamp)
}

fn duration<S: Serializer>(message: &DynamicMessage, serializer: S) -> Result<S::Ok, S::Error> {
    let duration: Duration = message.transcode_to().map_err(S::Error::custom)?;
    if duration.seconds.unsigned_abs() > MAX_DURATION_SECONDS {
        return Err(S::Error::custom("a duration is longer than 10,000 years"));
    }
    serializer.collect_str(&duration)
}

struct Field<'a> {
    field: &'a FieldDescriptor,
    value: &'a Value,
}

impl Serialize for Field<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let kind = self.field.kind();
        match (self.value, &kind) {
            (Value::Map(values), Kind::Message(entry)) => {
                let kind = entry.map_entry_value_field().kind();
                serializer.collect_map(sorted(values).map(|(key, value)| (key, Single { kind: &kind, value })))
            }
            (Value::List(values), kind) => serializer.collect_seq(values.iter().map(|value| Single { kind, value })),
            (value, kind) => Single { kind, value }.serialize(serializer),
        }
    }
}

fn sorted<'a>(values: impl IntoIterator<Item = (&'a MapKey, &'a Value)>) -> impl Iterator<Item = (String, &'a Value)> {
    let sorted: BTreeMap<_, _> = values.into_iter().collect();
    sorted.into_iter().map(|(key, value)| (key_text(key), value))
}

fn key_text(key: &MapKey) -> String {
    match key {
        MapKey::Bool(key) => key.to_string(),
        MapKey::I32(key) => key.to_string(),
        MapKey::I64(key) => key.to_string(),
        MapKey::U32(key) => key.to_string(),
        MapKey::U64(key) => key.to_string(),
        MapKey::String(key) => key.clone(),
    }
}

/// A value that is no list and no map.
struct Single<'a> {
    kind: &'a Kind,
    value: &'a Value,
}

impl Serialize for Single<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value {
            Value::Message(message) => Object(message).serialize(serializer),
            Value::EnumNumber(number) => enum_value(*number, self.kind.as_enum(), serializer),
            Value::String(text) => serializer.serialize_str(text),
            Value::Bytes(bytes) => serializer.serialize_str(&STANDARD.encode(bytes)),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::I32(number) => serializer.serialize_i32(*number),
            Value::U32(number) => serializer.serialize_u32(*number),
            Value::I64(number) => serializer.collect_str(number),
            Value::U64(number) => serializer.collect_str(number),
            Value::F32(number) if number.is_finite() => serializer.serialize_f32(*number),
            Value::F64(number) if number.is_finite() => serializer.serialize_f64(*number),
            Value::F32(number) => serializer.collect_str(&spelled(f64::from(*number))),
            Value::F64(number) => serializer.collect_str(&spelled(*number)),
            Value::List(_) | Value::Map(_) => Err(S::Error::custom("a list inside of a list")),
        }
    }
}

fn enum_value<S: Serializer>(number: i32, kind: Option<&EnumDescriptor>, serializer: S) -> Result<S::Ok, S::Error> {
    match kind.and_then(|kind| kind.get_value(number)) {
        Some(value) => serializer.serialize_str(value.name()),
        None => serializer.serialize_i32(number),
    }
}

/// What is no finite number.
fn spelled(number: f64) -> impl Display {
    if number.is_nan() {
        "NaN"
    } else if number.is_sign_negative() {
        "-Infinity"
    } else {
        "Infinity"
    }
}

const TIMESTAMP_SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;
const MAX_DURATION_SECONDS: u64 = 315_576_000_000;
