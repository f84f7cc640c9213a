//! The seam for other encodings than JSON.

use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use stead_proto::common::v1::Payload;

use crate::codec::CodecError;
use crate::context::SerializationContext;

use super::{ENCODING, built_in, payload};

/// Converts values in an encoding of its own, before the built-in conversion is asked.
///
/// Values arrive and leave as the JSON that serde makes of them, and their types by name, as
/// [`type_name`](std::any::type_name) has it: a converter that saw more of them would have to be compiled once more for
/// every type of every program, also where there is none. How a type of one's own looks as JSON is for serde to say:
/// `#[serde(with = "…")]`, `#[serde(into = "…", try_from = "…")]`.
///
/// An error that is a [`Failure`](crate::Failure), such as
/// [`payload_validation`](crate::Failure::payload_validation), is what the workflow or the activity fails with.
///
/// [`Raw`](super::Raw), [`Binary`](super::Binary) and [`Proto`](super::Proto) never get here: they say themselves how
/// they travel. A converter runs inside of workflow code, so it must be deterministic and must not block; what needs to
/// wait is a [`PayloadCodec`](crate::PayloadCodec).
///
/// As a codec, a converter is told whose the payload is. What is read is read in the
/// [context](SerializationContext) that it was written in; a value that is converted outside of any, by
/// [`DataConverter::to_payload`](super::DataConverter::to_payload) of a converter that was just made, is nobody's.
///
/// ```
/// use std::{error::Error, sync::Arc};
/// use stead_data::{DataConverter, Payload, PayloadConverter, SerializationContext};
///
/// /// JSON with indentation, marked as such.
/// struct Pretty;
///
/// impl PayloadConverter for Pretty {
///     fn write(
///         &self,
///         json: &str,
///         _type_name: &str,
///         _context: &SerializationContext,
///     ) -> Result<Option<Payload>, Box<dyn Error + Send + Sync>> {
///         let value: serde_json::Value = serde_json::from_str(json)?;
///         let metadata = [("encoding".to_owned(), "json/pretty".into())].into();
///         let data = serde_json::to_vec_pretty(&value)?.into();
///         Ok(Some(Payload { metadata, data, ..Payload::default() }))
///     }
///
///     fn read(
///         &self,
///         payload: &Payload,
///         _type_name: &str,
///         _context: &SerializationContext,
///     ) -> Result<Option<String>, Box<dyn Error + Send + Sync>> {
///         let is_pretty = payload.metadata.get("encoding").is_some_and(|encoding| encoding == "json/pretty");
///         Ok(is_pretty.then(|| String::from_utf8(payload.data.to_vec())).transpose()?)
///     }
/// }
///
/// let converter = DataConverter::new().with_payload_converter(Arc::new(Pretty));
/// let payload = converter.to_payload(&vec![1])?;
/// assert_eq!(payload.data, "[\n  1\n]");
/// assert_eq!(converter.from_payload::<Vec<u32>>(&payload)?, [1]);
/// # Ok::<(), stead_data::ConversionError>(())
/// ```
pub trait PayloadConverter: Send + Sync + 'static {
    /// Converts a value, or leaves it to the built-in conversion by returning `None`.
    ///
    /// # Errors
    ///
    /// When the value cannot be converted. The error must not contain the value.
    fn write(
        &self,
        json: &str,
        type_name: &str,
        context: &SerializationContext,
    ) -> Result<Option<Payload>, Box<dyn Error + Send + Sync>>;

    /// Reads a payload as JSON, or leaves it to the built-in conversion by returning `None`; usually by a look at its
    /// `encoding`.
    ///
    /// # Errors
    ///
    /// When the payload is malformed. The error must not contain the value.
    fn read(
        &self,
        payload: &Payload,
        type_name: &str,
        context: &SerializationContext,
    ) -> Result<Option<String>, Box<dyn Error + Send + Sync>>;
}

/// A custom converter, and whose payloads it converts.
#[derive(Clone)]
pub(super) struct Custom {
    pub(super) converter: Arc<dyn PayloadConverter>,
    pub(super) context: Arc<SerializationContext>,
}

impl Custom {
    pub(super) fn write(&self, json: &str, type_name: &str) -> Result<Option<Payload>, Box<dyn Error + Send + Sync>> {
        self.converter.write(json, type_name, &self.context)
    }

    pub(super) fn read(
        &self,
        payload: &Payload,
        type_name: &str,
    ) -> Result<Option<String>, Box<dyn Error + Send + Sync>> {
        self.converter.read(payload, type_name, &self.context)
    }
}

/// The encoding of a value that waits for its owner to be known.
const DRAFT: &[u8] = b"json/draft";
/// The key under which a draft names the type of its value.
const DRAFT_TYPE: &str = "type";

/// Leaves values as drafts, from which `0` makes payloads once their owner is known. Nobody else sees them but
/// interceptors, who can read them as any payload.
pub(super) struct Drafts(pub(super) Arc<dyn PayloadConverter>);

impl PayloadConverter for Drafts {
    fn write(
        &self,
        json: &str,
        type_name: &str,
        _: &SerializationContext,
    ) -> Result<Option<Payload>, Box<dyn Error + Send + Sync>> {
        let mut draft = payload(DRAFT, json.as_bytes().to_vec());
        draft.metadata.insert(DRAFT_TYPE.to_owned(), Bytes::copy_from_slice(type_name.as_bytes()));
        Ok(Some(draft))
    }

    fn read(
        &self,
        payload: &Payload,
        type_name: &str,
        context: &SerializationContext,
    ) -> Result<Option<String>, Box<dyn Error + Send + Sync>> {
        self.0.read(payload, type_name, context)
    }
}

pub(super) fn is_draft(payload: &Payload) -> bool {
    payload.metadata.get(ENCODING).is_some_and(|encoding| encoding == DRAFT)
}

/// The payload that a draft is to become.
pub(super) fn finish(
    converter: &dyn PayloadConverter,
    draft: &Payload,
    context: &SerializationContext,
) -> Result<Payload, CodecError> {
    // A draft was made of text by `Drafts`, unless somebody else made one up.
    let json = str::from_utf8(&draft.data).map_err(|error| CodecError::of_conversion("", error.into()))?;
    let type_name = draft.metadata.get(DRAFT_TYPE).map(|name| String::from_utf8_lossy(name)).unwrap_or_default();
    let written = converter.write(json, &type_name, context);
    let written = written.map_err(|cause| CodecError::of_conversion(&type_name, cause))?;
    Ok(written.unwrap_or_else(|| built_in(draft.data.clone())))
}
