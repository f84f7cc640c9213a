//! Values that are more than serde can say: a payload as it is, bytes, a protobuf message.
//!
//! Each becomes a ready-made [`Payload`], but `Serialize` and `Deserialize` only pass what serde knows. So the payload
//! is handed over beside it, in a slot of this thread, and the agreed newtype name [`WHOLE`] tells the two sides to
//! look there. Serializers and deserializers other than this crate's do not know the name and go on to the inner
//! value, which refuses; so does this crate's own JSON below the top level.

use std::cell::Cell;
use std::fmt;

use bytes::Bytes;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser};
use stead_proto::common::v1::Payload;

use super::ser::Written;
use super::{BINARY, ENCODING, JSON_PROTOBUF, PROTOBUF, encoding_of, payload};

/// The newtype name that stands for "the payload in the slot is the whole value".
pub(super) const WHOLE: &str = "$stead::Whole";
/// The key under which a payload names its protobuf message.
pub(crate) const MESSAGE_TYPE: &str = "messageType";
const NOT_WHOLE: &str = "`Raw`, `Binary` and `Proto` must be a whole argument or result, not a part of one";

thread_local! {
    static SLOT: Cell<Option<Payload>> = const { Cell::new(None) };
}

/// A payload as it is: no conversion either way. A codec still applies.
///
/// It must be a whole argument, a whole result or an element of an argument tuple; inside of another value it is an
/// error.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Raw(pub Payload);

/// Bytes, as `binary/plain`. It may stand where [`Raw`] may.
///
/// A `Vec<u8>` is a list of numbers to serde, and travels as a JSON list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Binary(pub Bytes);

/// A protobuf message, as `binary/protobuf`. It may stand where [`Raw`] may.
///
/// Messages that also have a JSON form by serde may be [`ProtoJson`], which reads and writes what other SDKs prefer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proto<M>(pub M);

/// A protobuf message with a JSON form, as `json/protobuf`, which is what other SDKs send by default. It may stand where
/// [`Raw`] may, and reads `binary/protobuf` too.
///
/// The JSON form is the one of the message's `Serialize` and `Deserialize`: a generator such as `pbjson` writes them as
/// the protobuf standard has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProtoJson<M>(pub M);

impl Serialize for Raw {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        hand_to(serializer, self.0.clone())
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        take_from(deserializer).map(Self)
    }
}

impl Serialize for Binary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        hand_to(serializer, payload(BINARY, self.0.clone()))
    }
}

impl<'de> Deserialize<'de> for Binary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let payload = take_from(deserializer)?;
        match payload.metadata.get(ENCODING).map(Bytes::as_ref) {
            Some(BINARY) => Ok(Self(payload.data)),
            _ => Err(unexpected(&payload, "binary/plain")),
        }
    }
}

impl<M: prost::Message + prost::Name> Serialize for Proto<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut payload = payload(PROTOBUF, self.0.encode_to_vec());
        payload.metadata.insert(MESSAGE_TYPE.to_owned(), M::full_name().into());
        hand_to(serializer, payload)
    }
}

impl<'de, M: prost::Message + prost::Name + Default> Deserialize<'de> for Proto<M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let payload = take_from(deserializer)?;
        match payload.metadata.get(ENCODING).map(Bytes::as_ref) {
            Some(PROTOBUF) => M::decode(payload.data).map(Self).map_err(de::Error::custom),
            Some(JSON_PROTOBUF) => Err(de::Error::custom(format_args!(
                "`{}` came in its JSON form: read it as `ProtoJson`, or send `binary/protobuf`",
                M::full_name()
            ))),
            _ => Err(unexpected(&payload, "binary/protobuf")),
        }
    }
}

impl<M: prost::Message + prost::Name + Serialize> Serialize for ProtoJson<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Written::Text(json) = super::ser::write(&self.0).map_err(ser::Error::custom)? else {
            return Err(ser::Error::custom("the JSON form of a message cannot be a wrapper"));
        };
        let mut payload = payload(JSON_PROTOBUF, json);
        payload.metadata.insert(MESSAGE_TYPE.to_owned(), M::full_name().into());
        hand_to(serializer, payload)
    }
}

impl<'de, M: prost::Message + Default + de::DeserializeOwned> Deserialize<'de> for ProtoJson<M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let payload = take_from(deserializer)?;
        match payload.metadata.get(ENCODING).map(Bytes::as_ref) {
            Some(JSON_PROTOBUF) => serde_json::from_slice(&payload.data).map(Self).map_err(de::Error::custom),
            Some(PROTOBUF) => M::decode(payload.data).map(Self).map_err(de::Error::custom),
            _ => Err(unexpected(&payload, "json/protobuf")),
        }
    }
}

/// Takes the payload that a wrapper has just handed over under the name [`WHOLE`].
pub(super) fn take() -> Option<Payload> {
    SLOT.take()
}

/// Hands a payload to the wrapper whose visitor this is.
pub(super) fn hand_over<'de, V: Visitor<'de>, E: de::Error>(payload: Payload, visitor: V) -> Result<V::Value, E> {
    SLOT.set(Some(payload));
    let result = visitor.visit_unit();
    SLOT.take();
    result
}

fn hand_to<S: Serializer>(serializer: S, payload: Payload) -> Result<S::Ok, S::Error> {
    SLOT.set(Some(payload));
    let result = serializer.serialize_newtype_struct(WHOLE, &Refuse);
    if result.is_err() {
        SLOT.take();
    }
    result
}

fn take_from<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Payload, D::Error> {
    deserializer.deserialize_newtype_struct(WHOLE, TakeFromSlot)
}

fn unexpected<E: de::Error>(payload: &Payload, expected: &str) -> E {
    E::custom(format_args!("expected encoding \"{expected}\", found {:?}", encoding_of(payload)))
}

/// What a serializer that does not know [`WHOLE`] gets to see.
struct Refuse;

impl Serialize for Refuse {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(ser::Error::custom(NOT_WHOLE))
    }
}

struct TakeFromSlot;

impl<'de> Visitor<'de> for TakeFromSlot {
    type Value = Payload;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole payload")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Payload, E> {
        take().ok_or_else(|| E::custom(NOT_WHOLE))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, _: D) -> Result<Payload, D::Error> {
        Err(de::Error::custom(NOT_WHOLE))
    }
}
