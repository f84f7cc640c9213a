//! Several arguments: a tuple outside, a payload for each element on the wire.

use std::cell::OnceCell;
use std::iter::Zip;
use std::slice;

use serde::de::{DeserializeOwned, DeserializeSeed, SeqAccess, Visitor};
use serde::ser::{Impossible, SerializeTuple};
use serde::{Deserializer, Serialize, Serializer, forward_to_deserialize_any};
use stead_proto::common::v1::Payload;

use super::DataConverter;
use super::error::Interrupt;

/// The elements of a tuple, converted. An `arity` of `None` takes a tuple of any length, and `()` as the empty one.
///
/// Everything else is refused: of a value that is not such a tuple nothing is written.
pub(super) fn split<T: Serialize + ?Sized>(
    converter: &DataConverter,
    arguments: &T,
    arity: Option<usize>,
) -> Result<Vec<Payload>, Interrupt> {
    arguments.serialize(Elements { converter, arity, payloads: Vec::new() })
}

/// Payloads as a tuple of type `T`, or as a list that is as long as they are.
pub(super) fn join<T: DeserializeOwned>(
    converter: &DataConverter,
    payloads: &[Payload],
    is_list: bool,
) -> Result<T, Interrupt> {
    let texts = vec![OnceCell::new(); payloads.len()];
    T::deserialize(Arguments { converter, payloads: payloads.iter().zip(&texts), index: 0, is_list })
}

/// The serializer that collects the elements of a tuple.
struct Elements<'a> {
    converter: &'a DataConverter,
    arity: Option<usize>,
    payloads: Vec<Payload>,
}

impl SerializeTuple for Elements<'_> {
    type Ok = Vec<Payload>;
    type Error = Interrupt;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Interrupt> {
        let payload = self.converter.write(self.payloads.len(), value).map_err(Interrupt::Element)?;
        self.payloads.push(payload);
        Ok(())
    }

    fn end(self) -> Result<Vec<Payload>, Interrupt> {
        Ok(self.payloads)
    }
}

macro_rules! refuse {
    ($($method:ident($($type:ty),*) -> $ok:ty;)*) => { $(
        fn $method(self, $(_: $type),*) -> Result<$ok, Interrupt> {
            Err(Interrupt::Refused)
        }
    )* };
}

impl Serializer for Elements<'_> {
    type Ok = Vec<Payload>;
    type Error = Interrupt;
    type SerializeSeq = Refused;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Refused;
    type SerializeTupleVariant = Refused;
    type SerializeMap = Refused;
    type SerializeStruct = Refused;
    type SerializeStructVariant = Refused;

    fn serialize_tuple(mut self, len: usize) -> Result<Self, Interrupt> {
        if self.arity.is_some_and(|arity| arity != len) {
            return Err(Interrupt::Refused);
        }
        self.payloads.reserve_exact(len);
        Ok(self)
    }

    fn serialize_unit(self) -> Result<Vec<Payload>, Interrupt> {
        self.serialize_tuple(0).map(|elements| elements.payloads)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<Vec<Payload>, Interrupt> {
        Err(Interrupt::Refused)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: &T,
    ) -> Result<Vec<Payload>, Interrupt> {
        Err(Interrupt::Refused)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<Vec<Payload>, Interrupt> {
        Err(Interrupt::Refused)
    }

    refuse! {
        serialize_bool(bool) -> Vec<Payload>;
        serialize_i8(i8) -> Vec<Payload>;
        serialize_i16(i16) -> Vec<Payload>;
        serialize_i32(i32) -> Vec<Payload>;
        serialize_i64(i64) -> Vec<Payload>;
        serialize_i128(i128) -> Vec<Payload>;
        serialize_u8(u8) -> Vec<Payload>;
        serialize_u16(u16) -> Vec<Payload>;
        serialize_u32(u32) -> Vec<Payload>;
        serialize_u64(u64) -> Vec<Payload>;
        serialize_u128(u128) -> Vec<Payload>;
        serialize_f32(f32) -> Vec<Payload>;
        serialize_f64(f64) -> Vec<Payload>;
        serialize_char(char) -> Vec<Payload>;
        serialize_str(&str) -> Vec<Payload>;
        serialize_bytes(&[u8]) -> Vec<Payload>;
        serialize_none() -> Vec<Payload>;
        serialize_unit_struct(&'static str) -> Vec<Payload>;
        serialize_unit_variant(&'static str, u32, &'static str) -> Vec<Payload>;
        serialize_seq(Option<usize>) -> Refused;
        serialize_tuple_struct(&'static str, usize) -> Refused;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Refused;
        serialize_map(Option<usize>) -> Refused;
        serialize_struct(&'static str, usize) -> Refused;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Refused;
    }
}

/// Never made.
type Refused = Impossible<Vec<Payload>, Interrupt>;

/// Presents payloads as a sequence. That of a tuple never ends: what is missing reads as a default, what is left over is
/// ignored.
struct Arguments<'a, 'de> {
    converter: &'a DataConverter,
    payloads: Zip<slice::Iter<'de, Payload>, slice::Iter<'de, OnceCell<Vec<u8>>>>,
    index: usize,
    is_list: bool,
}

impl<'de> Deserializer<'de> for Arguments<'_, 'de> {
    type Error = Interrupt;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Interrupt> {
        visitor.visit_seq(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> SeqAccess<'de> for Arguments<'_, 'de> {
    type Error = Interrupt;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Interrupt> {
        let (index, next) = (self.index, self.payloads.next());
        if next.is_none() && self.is_list {
            return Ok(None);
        }
        self.index += 1;
        seed.deserialize(self.converter.source::<S::Value>(next))
            .map(Some)
            .map_err(|interrupt| Interrupt::Element(interrupt.while_reading::<S::Value>(index, next.map(|(p, _)| p))))
    }
}
