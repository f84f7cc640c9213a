//! Values to payloads and back; serde is the road.
//!
//! | value | encoding |
//! |---|---|
//! | `()`, `None`, anything that serializes as `null` | `binary/null` |
//! | [`Binary`] | `binary/plain` |
//! | [`Proto`] | `binary/protobuf` |
//! | [`ProtoJson`] | `json/protobuf` |
//! | [`Raw`] | the payload as it is |
//! | everything else | `json/plain`, compact; maps with sorted keys at any depth, structs in declared order |
//!
//! Reading goes by the payload's encoding: `json/protobuf` is read like `json/plain`, and `binary/plain` also reads as
//! a `Vec<u8>`. What this module does not do is codecs: payloads come here decoded, and leave before they are encoded.
//!
//! A `HashSet` serializes as a list in an order of its own; where payloads should be equal from run to run, use a
//! `BTreeSet`.

use std::any::type_name;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use stead_proto::common::v1::Payload;

use crate::codec::{CodecError, HeaderCodec, PayloadCodec};
use crate::context::SerializationContext;
use crate::failure::FailureConverter;
use crate::storage::ExternalStorage;

mod custom;
mod de;
mod error;
mod ser;
mod tuple;
mod wrappers;

use self::custom::{Custom, Drafts};
use self::de::Whole;
use self::error::Interrupt;
use self::ser::Written;

pub use self::custom::PayloadConverter;
pub use self::error::{Cause, ConversionError};
pub use self::wrappers::{Binary, Proto, ProtoJson, Raw};

pub(crate) use self::wrappers::MESSAGE_TYPE;

/// The key under which a payload says how it is encoded.
pub(crate) const ENCODING: &str = "encoding";
/// How much of a foreign encoding is kept for an error.
const MAX_ENCODING_SHOWN: usize = 100;

pub(crate) const JSON: &[u8] = b"json/plain";
pub(crate) const JSON_PROTOBUF: &[u8] = b"json/protobuf";
pub(crate) const NULL: &[u8] = b"binary/null";
const BINARY: &[u8] = b"binary/plain";
const PROTOBUF: &[u8] = b"binary/protobuf";

/// Converts values to payloads and back, and carries the codec that is applied to payloads on their way.
///
/// The client and its workers share one; a clone costs a reference count for each part that is set.
///
/// ```
/// use stead_data::DataConverter;
///
/// let converter = DataConverter::new();
/// let payload = converter.to_payload("hello")?;
/// assert_eq!(payload.data, r#""hello""#);
/// assert_eq!(converter.from_payload::<String>(&payload)?, "hello");
/// # Ok::<(), stead_data::ConversionError>(())
/// ```
#[derive(Clone, Default)]
pub struct DataConverter {
    custom: Option<Custom>,
    codec: Option<Arc<dyn PayloadCodec>>,
    header_codec: HeaderCodec,
    failures: Option<Arc<dyn FailureConverter>>,
    storage: Option<Arc<ExternalStorage>>,
}

impl DataConverter {
    /// The arity of a call that takes any number of arguments, as a list.
    pub const ALL: usize = usize::MAX;

    /// Serde and JSON, no codec.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the codec that payloads pass on their way to the server and back.
    #[must_use]
    pub fn with_codec(mut self, codec: Arc<dyn PayloadCodec>) -> Self {
        self.codec = Some(codec);
        self
    }

    /// Sets which headers go through the codec, and through external storage. Default: none.
    #[must_use]
    pub fn with_header_codec(mut self, headers: HeaderCodec) -> Self {
        self.header_codec = headers;
        self
    }

    /// Which headers go through the codec.
    #[must_use]
    pub fn header_codec(&self) -> HeaderCodec {
        self.header_codec
    }

    /// Sets what changes failures on their way, such as [`EncodedAttributes`](crate::EncodedAttributes).
    #[must_use]
    pub fn with_failure_converter(mut self, converter: Arc<dyn FailureConverter>) -> Self {
        self.failures = Some(converter);
        self
    }

    /// Keeps large payloads outside of the server.
    #[must_use]
    pub fn with_external_storage(mut self, storage: ExternalStorage) -> Self {
        self.storage = Some(Arc::new(storage));
        self
    }

    /// Where large payloads are kept, if anywhere. This type does not store; whoever sends and receives does.
    #[must_use]
    pub fn external_storage(&self) -> Option<&ExternalStorage> {
        self.storage.as_deref()
    }

    /// Sets a converter that is asked before the built-in one.
    #[must_use]
    pub fn with_payload_converter(mut self, converter: Arc<dyn PayloadConverter>) -> Self {
        self.custom = Some(Custom { converter, context: Arc::default() });
        self
    }

    /// The same, for payloads of this owner, which only a custom payload converter wants to know: without one nobody is
    /// asked and nothing is copied.
    #[must_use]
    pub fn in_context(&self, context: impl FnOnce() -> SerializationContext) -> Cow<'_, Self> {
        self.with_custom(|custom| Custom { context: Arc::new(context()), ..custom })
    }

    /// The same, where the owner of what is written is not known yet. A custom payload converter is not asked before the
    /// payloads are [finished](Self::finish).
    #[doc(hidden)]
    #[must_use]
    pub fn drafts(&self) -> Cow<'_, Self> {
        self.with_custom(|custom| Custom { converter: Arc::new(Drafts(custom.converter)), ..custom })
    }

    /// Makes what [`drafts`](Self::drafts) wrote the payload that it is to be; leaves all else alone.
    ///
    /// # Errors
    ///
    /// When the converter refuses the value.
    #[doc(hidden)]
    pub fn finish(&self, payload: &mut Payload, context: &SerializationContext) -> Result<(), CodecError> {
        if let Some(custom) = &self.custom
            && custom::is_draft(payload)
        {
            *payload = custom::finish(&*custom.converter, payload, context)?;
        }
        Ok(())
    }

    /// Whether there is a custom payload converter.
    #[doc(hidden)]
    #[must_use]
    pub fn has_payload_converter(&self) -> bool {
        self.custom.is_some()
    }

    fn with_custom(&self, change: impl FnOnce(Custom) -> Custom) -> Cow<'_, Self> {
        match &self.custom {
            None => Cow::Borrowed(self),
            Some(custom) => Cow::Owned(Self { custom: Some(change(custom.clone())), ..self.clone() }),
        }
    }

    /// The codec, if there is one. This type does not apply it; whoever sends and receives does.
    #[must_use]
    pub fn codec(&self) -> Option<&Arc<dyn PayloadCodec>> {
        self.codec.as_ref()
    }

    /// What changes failures on their way, if anything does. This type does not apply it; whoever sends and receives
    /// does.
    #[must_use]
    pub fn failure_converter(&self) -> Option<&Arc<dyn FailureConverter>> {
        self.failures.as_ref()
    }

    /// Converts one value.
    ///
    /// # Errors
    ///
    /// When the value refuses to be serialized.
    pub fn to_payload<T: Serialize + ?Sized>(&self, value: &T) -> Result<Payload, ConversionError> {
        self.write(0, value)
    }

    /// Reads one value.
    ///
    /// # Errors
    ///
    /// When the payload does not hold a `T`, or its encoding is unknown.
    pub fn from_payload<T: DeserializeOwned>(&self, payload: &Payload) -> Result<T, ConversionError> {
        self.read(0, Some(payload))
    }

    /// Converts the arguments of a call: none for an `arity` of 0, the value itself for 1, and for more the elements
    /// of a tuple, a payload each.
    ///
    /// # Errors
    ///
    /// When a value refuses to be serialized, or is not a tuple of `arity` elements.
    pub fn to_payloads<T: Serialize + ?Sized>(
        &self,
        arguments: &T,
        arity: usize,
    ) -> Result<Vec<Payload>, ConversionError> {
        match arity {
            0 => Ok(Vec::new()),
            1 => Ok(vec![self.write(0, arguments)?]),
            _ => tuple::split(self, arguments, Some(arity)).map_err(|interrupt| interrupt.while_writing::<T>(0)),
        }
    }

    /// Converts the arguments of a call whose signature is not known: a tuple is one payload for each element, `()` is
    /// none, and everything else is one argument. Serde cannot tell an array from a tuple, so pass a slice or a `Vec`
    /// for an argument that is a list.
    ///
    /// # Errors
    ///
    /// When a value refuses to be serialized.
    pub fn to_arguments<T: Serialize + ?Sized>(&self, arguments: &T) -> Result<Vec<Payload>, ConversionError> {
        match tuple::split(self, arguments, None) {
            Err(Interrupt::Refused) => Ok(vec![self.write(0, arguments)?]),
            split => split.map_err(|interrupt| interrupt.while_writing::<T>(0)),
        }
    }

    /// Reads the arguments of a call that takes `arity` of them, as [`to_payloads`](Self::to_payloads) wrote them.
    ///
    /// With [`ALL`](Self::ALL) as the arity, they are a list as long as there are payloads, such as `Vec<Raw>`.
    ///
    /// So that signatures can grow, extra payloads are ignored, and a missing one reads as `None`, as `()`, or as a
    /// struct whose fields all have defaults.
    ///
    /// # Errors
    ///
    /// When a payload does not hold what is wanted, or is missing and has no default.
    pub fn from_payloads<T: DeserializeOwned>(&self, payloads: &[Payload], arity: usize) -> Result<T, ConversionError> {
        match arity {
            0 => self.read(0, None),
            1 => self.read(0, payloads.first()),
            _ => tuple::join(self, payloads, arity == Self::ALL)
                .map_err(|interrupt| interrupt.while_reading::<T>(0, payloads.first())),
        }
    }

    /// Reads a result. No payload reads as `()` or `None`.
    ///
    /// # Errors
    ///
    /// When the payload does not hold a `T`, or there is none and `T` needs one.
    pub fn from_result<T: DeserializeOwned>(&self, payload: Option<&Payload>) -> Result<T, ConversionError> {
        self.read(0, payload)
    }

    fn write<T: Serialize + ?Sized>(&self, index: usize, value: &T) -> Result<Payload, ConversionError> {
        let written = ser::write(value).and_then(|written| match written {
            Written::Whole(payload) => Ok(payload),
            Written::Text(text) => self.payload_of(text, type_name::<T>()),
        });
        written.map_err(|interrupt| interrupt.while_writing::<T>(index))
    }

    fn payload_of(&self, json: Vec<u8>, type_name: &'static str) -> Result<Payload, Interrupt> {
        if let Some(custom) = &self.custom {
            let text = str::from_utf8(&json).map_err(Interrupt::caused_by)?;
            if let Some(payload) = custom.write(text, type_name).map_err(Interrupt::caused_by)? {
                return Ok(payload);
            }
        }
        Ok(built_in(json))
    }

    pub(crate) fn read<T: DeserializeOwned>(
        &self,
        index: usize,
        payload: Option<&Payload>,
    ) -> Result<T, ConversionError> {
        let text = OnceCell::new();
        T::deserialize(self.source::<T>(payload.map(|payload| (payload, &text))))
            .map_err(|interrupt| interrupt.while_reading::<T>(index, payload))
    }

    /// The deserializer for a payload; the cell holds its JSON text if it is not JSON itself.
    fn source<'de, T>(&self, payload: Option<(&'de Payload, &'de OnceCell<Vec<u8>>)>) -> Whole<'_, 'de> {
        let Some((payload, text)) = payload else {
            return Whole::Missing;
        };
        Whole::Present { payload, text, custom: self.custom.as_ref(), type_name: type_name::<T>() }
    }
}

impl fmt::Debug for DataConverter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataConverter")
            .field("payload_converter", &self.custom.as_ref().map_or("none", |_| "custom"))
            .field("codec", &self.codec.as_ref().map_or("none", |_| "custom"))
            .field("header_codec", &self.header_codec)
            .field("failure_converter", &self.failures.as_ref().map_or("none", |_| "custom"))
            .field("external_storage", &self.storage)
            .finish()
    }
}

/// The payload of a value that has no converter of its own, from its JSON.
fn built_in(json: impl Into<Bytes>) -> Payload {
    let json = json.into();
    if json == "null" { payload(NULL, Bytes::new()) } else { payload(JSON, json) }
}

/// A payload of this encoding.
pub(crate) fn payload(encoding: &'static [u8], data: impl Into<Bytes>) -> Payload {
    Payload {
        metadata: BTreeMap::from([(ENCODING.to_owned(), Bytes::from_static(encoding))]),
        data: data.into(),
        external_payloads: Vec::new(),
    }
}

/// The payload's encoding as it is shown in errors; empty if it has none.
fn encoding_of(payload: &Payload) -> String {
    let encoding = payload.metadata.get(ENCODING).map(Bytes::as_ref).unwrap_or_default();
    String::from_utf8_lossy(&encoding[..encoding.len().min(MAX_ENCODING_SHOWN)]).into_owned()
}
