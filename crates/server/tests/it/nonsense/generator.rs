//! [`Generator`]: requests made of the descriptors of their messages, with fields that are empty, huge, negative, out of
//! range, or that mean something to the server, so that not everything ends at the first check.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use bytes::{BufMut, Bytes};
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet};
use stead_server::engine::Request;

/// A call that the server knows.
#[derive(Clone, Debug)]
pub(crate) struct Method {
    pub(crate) service: String,
    pub(crate) name: String,
    /// Full name of the request, with the leading dot.
    input: String,
}

/// All calls that the server knows.
pub(crate) fn methods() -> Vec<Method> {
    let of_file = |file: &FileDescriptorProto| {
        let package = file.package().to_owned();
        let services = file.service.clone();
        services.into_iter().flat_map(move |service| {
            let full_name = format!("{package}.{}", service.name());
            service.method.into_iter().map(move |method| Method {
                service: full_name.clone(),
                name: method.name().to_owned(),
                input: method.input_type().to_owned(),
            })
        })
    };
    let known = |method: &Method| Request::decode(&method.service, &method.name, Bytes::new()).is_some();
    files().iter().flat_map(of_file).filter(known).collect()
}

fn files() -> &'static [FileDescriptorProto] {
    static FILES: OnceLock<Vec<FileDescriptorProto>> = OnceLock::new();
    FILES.get_or_init(|| FileDescriptorSet::decode(stead_proto::SERVICE_DESCRIPTORS).unwrap().file)
}

/// Messages by full name, with the leading dot.
fn messages() -> &'static BTreeMap<String, DescriptorProto> {
    static MESSAGES: OnceLock<BTreeMap<String, DescriptorProto>> = OnceLock::new();
    MESSAGES.get_or_init(|| {
        let mut found = BTreeMap::new();
        for file in files() {
            for message in &file.message_type {
                collect(format!(".{}.{}", file.package(), message.name()), message, &mut found);
            }
        }
        found
    })
}

fn collect(name: String, message: &DescriptorProto, found: &mut BTreeMap<String, DescriptorProto>) {
    for nested in &message.nested_type {
        collect(format!("{name}.{}", nested.name()), nested, found);
    }
    found.insert(name, message.clone());
}

/// Makes nonsense, the same for the same seed.
pub(crate) struct Generator {
    state: u64,
    /// Values that mean something to the server, by the name of the field.
    pub(crate) known: BTreeMap<&'static str, Vec<Bytes>>,
}

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        let known = [
            ("namespace", "default"),
            ("workflow_id", "w"),
            ("schedule_id", "s"),
            ("activity_id", "a"),
            ("update_id", "u"),
            ("deployment_name", "d"),
            ("build_id", "1"),
            ("query", "WorkflowId = 'w' ORDER BY StartTime"),
            ("name", "q"),
        ];
        let known = known.map(|(field, value)| (field, vec![Bytes::from(value)]));
        Self { state: seed, known: BTreeMap::from(known) }
    }

    /// A number that is hard to predict (SplitMix64).
    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// Bytes that are hardly a request.
    pub(crate) fn garbage(&mut self) -> Bytes {
        let length = self.below(200);
        (0..length).map(|_| self.next() as u8).collect()
    }

    /// A request of nonsense.
    pub(crate) fn request(&mut self, method: &Method) -> Bytes {
        self.message(&method.input, 0).into()
    }

    fn message(&mut self, name: &str, depth: usize) -> Vec<u8> {
        let mut encoded = Vec::new();
        let Some(message) = messages().get(name) else { return encoded };
        for field in &message.field {
            // Deeper messages are sparser, so that they end; of a `oneof` the last one counts.
            if self.below(10) >= 9_usize.saturating_sub(2 * depth) || field.oneof_index.is_some() && self.one_in(2) {
                continue;
            }
            let count = if field.label() == Label::Repeated { self.below(4) } else { 1 };
            for _ in 0..count {
                self.field(field, depth, &mut encoded);
            }
        }
        encoded
    }

    fn field(&mut self, field: &FieldDescriptorProto, depth: usize, buffer: &mut Vec<u8>) {
        let tag = u32::try_from(field.number()).unwrap();
        match field.r#type() {
            Type::Message => {
                let message = self.message(field.type_name(), depth + 1);
                delimited(tag, &message, buffer);
            }
            Type::String => {
                let text = self.text(field.name());
                delimited(tag, &text, buffer);
            }
            Type::Bytes => {
                let bytes = self.bytes(field.name());
                delimited(tag, &bytes, buffer);
            }
            Type::Double | Type::Fixed64 | Type::Sfixed64 => {
                encode_key(tag, WireType::SixtyFourBit, buffer);
                let numbers =
                    [0.0, -0.0, 1.0, -1.0, 0.5, f64::NAN, f64::INFINITY, f64::MIN, f64::from_bits(self.next())];
                buffer.put_f64_le(*self.pick(&numbers));
            }
            Type::Float | Type::Fixed32 | Type::Sfixed32 => {
                encode_key(tag, WireType::ThirtyTwoBit, buffer);
                buffer.put_f32_le(*self.pick(&[0.0, 1.0, -1.0, 0.001, f32::NAN, f32::NEG_INFINITY, f32::MAX]));
            }
            _ => {
                encode_key(tag, WireType::Varint, buffer);
                encode_varint(self.number(field.r#type()), buffer);
            }
        }
    }

    fn number(&mut self, kind: Type) -> u64 {
        let edges = [0, 1, 2, 3, 60, 1_000, i64::from(i32::MAX), i64::from(i32::MIN), -1, i64::MAX, i64::MIN];
        match kind {
            Type::Bool => self.next() % 2,
            Type::Enum if !self.one_in(10) => self.next() % 8,
            _ if self.one_in(5) => self.next(),
            _ => self.pick(&edges).cast_unsigned(),
        }
    }

    fn text(&mut self, field: &str) -> Bytes {
        if let Some(known) = self.known.get(field).cloned()
            && !self.one_in(8)
        {
            return self.pick(&known).clone();
        }
        if self.one_in(60) {
            return "x".repeat(100_000).into();
        }
        let texts = [
            "",
            "x",
            "q",
            "default",
            "w",
            "*",
            "*/0 * * * *",
            "@every 1ns",
            "\0\u{1F98A}%",
            "temporal-sys",
            "StartTime < 'x' AND",
            "((((((((((((",
            "UTC",
            "json/plain",
            "00000000-0000-0000-0000-000000000000",
            "-1",
        ];
        Bytes::from_static(self.pick(&texts).as_bytes())
    }

    fn bytes(&mut self, field: &str) -> Bytes {
        match self.known.get(field).cloned() {
            Some(known) if !self.one_in(4) => self.pick(&known).clone(),
            Some(known) => {
                let mut token = self.pick(&known).to_vec();
                if !token.is_empty() {
                    let index = self.below(token.len());
                    token[index] ^= 1 << self.below(8);
                }
                token.into()
            }
            None if self.one_in(3) => Bytes::new(),
            None => self.garbage(),
        }
    }
}

fn delimited(tag: u32, bytes: &[u8], buffer: &mut Vec<u8>) {
    encode_key(tag, WireType::LengthDelimited, buffer);
    encode_varint(bytes.len() as u64, buffer);
    buffer.extend_from_slice(bytes);
}
