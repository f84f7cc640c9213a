//! Payloads to values.
//!
//! Every encoding that serde reads is JSON text: `json/plain` is the payload's own slice, the others are turned into
//! it, also by a converter of the user's. So each type is compiled for one deserializer, serde_json's, and nothing is
//! copied on the way.

use std::cell::OnceCell;

use bytes::Bytes;
use serde::Deserializer;
use serde::de::Visitor;
use stead_proto::common::v1::Payload;

use super::custom::{Custom, is_draft};
use super::error::Interrupt;
use super::wrappers::{self, WHOLE};
use crate::storage::{MISSING_STORAGE, is_reference};

use super::{BINARY, ENCODING, JSON, JSON_PROTOBUF, NULL, payload};

/// Deserializes one payload as one value.
pub(super) enum Whole<'a, 'de> {
    /// A payload came.
    Present {
        payload: &'de Payload,
        /// Holds the JSON text if the payload is not JSON itself.
        text: &'de OnceCell<Vec<u8>>,
        custom: Option<&'a Custom>,
        type_name: &'static str,
    },
    /// None came: what has a default reads as that.
    Missing,
}

impl<'de> Whole<'_, 'de> {
    /// The JSON text to read; `missing` if no payload came.
    fn text(&self, missing: &'static str) -> Result<&'de [u8], Interrupt> {
        let Self::Present { payload, text, custom, type_name } = *self else {
            return Ok(missing.as_bytes());
        };
        if let Some(custom) = custom {
            if is_draft(payload) {
                return Ok(&payload.data);
            }
            if let Some(json) = custom.read(payload, type_name).map_err(Interrupt::caused_by)? {
                return Ok(text.get_or_init(|| json.into_bytes()));
            }
        }
        match payload.metadata.get(ENCODING).map(Bytes::as_ref) {
            Some(JSON) => Ok(&payload.data),
            Some(JSON_PROTOBUF) if is_reference(payload) => Err(Interrupt::caused_by(MISSING_STORAGE)),
            Some(JSON_PROTOBUF) => Ok(&payload.data),
            Some(NULL) => Ok(b"null"),
            Some(BINARY) => Ok(text.get_or_init(|| list_of_numbers(&payload.data))),
            _ => Err(Interrupt::UnknownEncoding),
        }
    }
}

/// Forwards each method to serde_json, which also has to find nothing behind the value. A missing payload reads as the
/// text after `or`.
macro_rules! forward {
    ($($method:ident($($name:ident: $type:ty),*) or $missing:literal;)*) => { $(
        fn $method<V: Visitor<'de>>(self, $($name: $type,)* visitor: V) -> Result<V::Value, Interrupt> {
            let mut json = serde_json::Deserializer::from_slice(self.text($missing)?);
            let value = json.$method($($name,)* visitor).map_err(Interrupt::caused_by)?;
            json.end().map_err(Interrupt::caused_by)?;
            Ok(value)
        }
    )* };
}

impl<'de> Deserializer<'de> for Whole<'_, 'de> {
    type Error = Interrupt;

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Interrupt> {
        match self {
            Self::Present { payload, .. } if name == WHOLE => wrappers::hand_over(payload.clone(), visitor),
            Self::Missing if name == WHOLE => wrappers::hand_over(payload(NULL, Bytes::new()), visitor),
            // Not through serde_json: the inner value is then still at the top.
            _ => visitor.visit_newtype_struct(self),
        }
    }

    forward! {
        deserialize_any() or "null";
        deserialize_bool() or "null";
        deserialize_i8() or "null";
        deserialize_i16() or "null";
        deserialize_i32() or "null";
        deserialize_i64() or "null";
        deserialize_i128() or "null";
        deserialize_u8() or "null";
        deserialize_u16() or "null";
        deserialize_u32() or "null";
        deserialize_u64() or "null";
        deserialize_u128() or "null";
        deserialize_f32() or "null";
        deserialize_f64() or "null";
        deserialize_char() or "null";
        deserialize_str() or "null";
        deserialize_string() or "null";
        deserialize_bytes() or "null";
        deserialize_byte_buf() or "null";
        deserialize_option() or "null";
        deserialize_unit() or "null";
        deserialize_unit_struct(name: &'static str) or "null";
        deserialize_seq() or "null";
        deserialize_tuple(len: usize) or "null";
        deserialize_tuple_struct(name: &'static str, len: usize) or "null";
        deserialize_map() or "null";
        deserialize_struct(name: &'static str, fields: &'static [&'static str]) or "{}";
        deserialize_enum(name: &'static str, variants: &'static [&'static str]) or "null";
        deserialize_identifier() or "null";
        deserialize_ignored_any() or "null";
    }
}

fn list_of_numbers(bytes: &[u8]) -> Vec<u8> {
    let mut text = vec![b'['];
    for (index, byte) in bytes.iter().enumerate() {
        if index > 0 {
            text.push(b',');
        }
        text.extend_from_slice(byte.to_string().as_bytes());
    }
    text.push(b']');
    text
}
