//! The seam for other encodings than JSON.

use std::error::Error;

use stead_proto::common::v1::Payload;

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
/// ```
/// use std::{error::Error, sync::Arc};
/// use stead_data::{DataConverter, Payload, PayloadConverter};
///
/// /// JSON with indentation, marked as such.
/// struct Pretty;
///
/// impl PayloadConverter for Pretty {
///     fn write(&self, json: &str, _type_name: &str) -> Result<Option<Payload>, Box<dyn Error + Send + Sync>> {
///         let value: serde_json::Value = serde_json::from_str(json)?;
///         let metadata = [("encoding".to_owned(), "json/pretty".into())].into();
///         let data = serde_json::to_vec_pretty(&value)?.into();
///         Ok(Some(Payload { metadata, data, ..Payload::default() }))
///     }
///
///     fn read(&self, payload: &Payload, _type_name: &str) -> Result<Option<String>, Box<dyn Error + Send + Sync>> {
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
    fn write(&self, json: &str, type_name: &str) -> Result<Option<Payload>, Box<dyn Error + Send + Sync>>;

    /// Reads a payload as JSON, or leaves it to the built-in conversion by returning `None`; usually by a look at its
    /// `encoding`.
    ///
    /// # Errors
    ///
    /// When the payload is malformed. The error must not contain the value.
    fn read(&self, payload: &Payload, type_name: &str) -> Result<Option<String>, Box<dyn Error + Send + Sync>>;
}
