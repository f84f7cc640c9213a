//! Values to payloads: JSON with sorted map keys.
//!
//! serde_json writes a map in the order in which it iterates, and a `HashMap` iterates differently in each process, so
//! equal values would have unequal payloads. This serializer writes the same text as serde_json, straight into one
//! buffer, and remembers where the entries of a map lie in it; only a map that came out of order is put in order when
//! it ends. Structs keep their declared order and cost nothing extra.

use std::cmp::Ordering;
use std::ops::Range;

use serde::{Serialize, Serializer, ser};
use serde_json::Error;
use stead_proto::common::v1::Payload;

use super::error::Interrupt;
use super::wrappers::{self, WHOLE};

/// Most values are small; this is what serde_json starts with, too.
const INITIAL_CAPACITY: usize = 128;
/// How the structs are called by which serde_json passes a text that is JSON already.
const VERBATIM: &str = "$serde_json::private::";

/// What a value became.
pub(super) enum Written {
    /// JSON text.
    Text(Vec<u8>),
    /// A payload that a wrapper had ready.
    Whole(Payload),
}

pub(super) fn write<T: Serialize + ?Sized>(value: &T) -> Result<Written, Interrupt> {
    let mut text = Vec::with_capacity(INITIAL_CAPACITY);
    value.serialize(Json(&mut text)).map_err(Interrupt::caused_by)?;
    if text.is_empty() {
        // Nothing but a wrapper leaves nothing behind.
        return wrappers::take().map(Written::Whole).ok_or(Interrupt::Refused);
    }
    Ok(Written::Text(text))
}

/// Writes one value behind what is in the buffer.
struct Json<'a>(&'a mut Vec<u8>);

impl<'a> Json<'a> {
    /// What contains nothing is written by serde_json.
    fn leaf<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(&mut serde_json::Serializer::new(self.0))
    }

    fn sequence(self, close: &'static str) -> Sequence<'a> {
        self.0.push(b'[');
        Sequence { out: self.0, is_empty: true, close }
    }

    fn object(self, close: &'static str) -> Object<'a> {
        self.0.push(b'{');
        Object { out: self.0, is_empty: true, close }
    }

    /// Begins `{"variant":`.
    fn variant(self, variant: &'static str) -> Result<Self, Error> {
        self.0.push(b'{');
        Json(self.0).leaf(variant)?;
        self.0.push(b':');
        Ok(self)
    }
}

macro_rules! leaves {
    ($($method:ident($type:ty))*) => { $(
        fn $method(self, value: $type) -> Result<(), Error> {
            self.leaf(&value)
        }
    )* };
}

impl<'a> Serializer for Json<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Sequence<'a>;
    type SerializeTuple = Sequence<'a>;
    type SerializeTupleStruct = Sequence<'a>;
    type SerializeTupleVariant = Sequence<'a>;
    type SerializeMap = Map<'a>;
    type SerializeStruct = Struct<'a>;
    type SerializeStructVariant = Object<'a>;

    leaves! {
        serialize_bool(bool)
        serialize_i8(i8)
        serialize_i16(i16)
        serialize_i32(i32)
        serialize_i64(i64)
        serialize_i128(i128)
        serialize_u8(u8)
        serialize_u16(u16)
        serialize_u32(u32)
        serialize_u64(u64)
        serialize_u128(u128)
        serialize_f32(f32)
        serialize_f64(f64)
        serialize_char(char)
        serialize_str(&str)
        serialize_bytes(&[u8])
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.leaf(&())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Error> {
        self.leaf(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<(), Error> {
        if name == WHOLE && self.0.is_empty() { Ok(()) } else { value.serialize(self) }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        let json = self.variant(variant)?;
        value.serialize(Json(json.0))?;
        json.0.push(b'}');
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Sequence<'a>, Error> {
        Ok(self.sequence("]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Sequence<'a>, Error> {
        Ok(self.sequence("]"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Sequence<'a>, Error> {
        Ok(self.sequence("]"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Sequence<'a>, Error> {
        Ok(self.variant(variant)?.sequence("]}"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Map<'a>, Error> {
        self.0.push(b'{');
        Ok(Map { start: self.0.len(), out: self.0, entries: Vec::new() })
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Struct<'a>, Error> {
        Ok(if name.starts_with(VERBATIM) { Struct::Verbatim(self.0) } else { Struct::Object(self.object("}")) })
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Object<'a>, Error> {
        Ok(self.variant(variant)?.object("}}"))
    }
}

/// Everything that is a list in JSON.
struct Sequence<'a> {
    out: &'a mut Vec<u8>,
    is_empty: bool,
    close: &'static str,
}

impl Sequence<'_> {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        if !std::mem::take(&mut self.is_empty) {
            self.out.push(b',');
        }
        value.serialize(Json(self.out))
    }

    fn close(self) {
        self.out.extend_from_slice(self.close.as_bytes());
    }
}

macro_rules! sequence {
    ($($trait:ident::$method:ident)*) => { $(
        impl ser::$trait for Sequence<'_> {
            type Ok = ();
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.element(value)
            }

            fn end(self) -> Result<(), Error> {
                self.close();
                Ok(())
            }
        }
    )* };
}

sequence! {
    SerializeSeq::serialize_element
    SerializeTuple::serialize_element
    SerializeTupleStruct::serialize_field
    SerializeTupleVariant::serialize_field
}

/// An object whose fields are in their declared order.
struct Object<'a> {
    out: &'a mut Vec<u8>,
    is_empty: bool,
    close: &'static str,
}

impl Object<'_> {
    fn field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        if !std::mem::take(&mut self.is_empty) {
            self.out.push(b',');
        }
        Json(self.out).leaf(key)?;
        self.out.push(b':');
        value.serialize(Json(self.out))
    }

    fn close(self) {
        self.out.extend_from_slice(self.close.as_bytes());
    }
}

impl ser::SerializeStructVariant for Object<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        self.field(key, value)
    }

    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

/// A struct, or one of the structs of one string by which serde_json passes raw values and long numbers.
enum Struct<'a> {
    Object(Object<'a>),
    Verbatim(&'a mut Vec<u8>),
}

impl ser::SerializeStruct for Struct<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        match self {
            Self::Object(object) => object.field(key, value),
            Self::Verbatim(out) => {
                let text: String = serde_json::from_slice(&serde_json::to_vec(value)?)?;
                out.extend_from_slice(text.as_bytes());
                Ok(())
            }
        }
    }

    fn end(self) -> Result<(), Error> {
        if let Self::Object(object) = self {
            object.close();
        }
        Ok(())
    }
}

/// An object whose entries end up sorted by key.
struct Map<'a> {
    out: &'a mut Vec<u8>,
    /// Where the first entry begins, behind the brace.
    start: usize,
    entries: Vec<Entry>,
}

/// Where an entry lies in the buffer.
struct Entry {
    /// Without quotes, or `a!` would sort before `a`.
    key: Range<usize>,
    /// With key and value, without the comma.
    all: Range<usize>,
}

impl Map<'_> {
    /// Copies the entries into their order, if they are not in it.
    fn sort(&mut self) {
        let Self { out, start, entries } = self;
        let by_key = |a: &Entry, b: &Entry| -> Ordering { out[a.key.clone()].cmp(&out[b.key.clone()]) };
        if entries.is_sorted_by(|a, b| by_key(a, b).is_le()) {
            return;
        }
        entries.sort_by(by_key);
        let mut sorted = Vec::with_capacity(out.len() - *start);
        for entry in entries.iter() {
            if !sorted.is_empty() {
                sorted.push(b',');
            }
            sorted.extend_from_slice(&out[entry.all.clone()]);
        }
        out.truncate(*start);
        out.append(&mut sorted);
    }
}

impl ser::SerializeMap for Map<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        if !self.entries.is_empty() {
            self.out.push(b',');
        }
        let start = self.out.len();
        key.serialize(Json(self.out))?;
        quote_key(self.out, start)?;
        let end = self.out.len();
        self.entries.push(Entry { key: start + 1..end - 1, all: start..end });
        self.out.push(b':');
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        value.serialize(Json(self.out))?;
        if let Some(entry) = self.entries.last_mut() {
            entry.all.end = self.out.len();
        }
        Ok(())
    }

    fn end(mut self) -> Result<(), Error> {
        self.sort();
        self.out.push(b'}');
        Ok(())
    }
}

/// Keys are strings in JSON: numbers and booleans get quotes, what is neither is refused.
fn quote_key(out: &mut Vec<u8>, start: usize) -> Result<(), Error> {
    match out[start..] {
        [b'"', ..] => Ok(()),
        [b'-' | b'0'..=b'9' | b't' | b'f', ..] => {
            out.insert(start, b'"');
            out.push(b'"');
            Ok(())
        }
        _ => Err(ser::Error::custom("the key of a map must be a string, a number or a boolean")),
    }
}
