//! Histories as JSON: what Temporal's tools export, and what replay tests keep in files.
//!
//! Writing follows the proto3 JSON mapping. Reading is lenient, since the tools differ: see [`history_from_json`].
//! Only histories are mapped, and what they consist of; other messages have no JSON here.

mod node;
mod read;
mod write;

use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};

use crate::history::v1::History;

/// Reads a history from JSON.
///
/// Every form that the Temporal CLI and the web page export is understood:
///
/// - an object with `events`, one with `history` around that, or the bare list of events;
/// - names of fields in camel case or as in the API's files; unknown ones are ignored;
/// - names of enum values with and without their prefix, in any case, and numbers;
/// - 64-bit numbers as strings or as numbers;
/// - payloads in full, with base64, or in shorthand: a JSON value in place of a `Payload` (encoding `json/plain`, or
///   `json/protobuf` where it has a `_protoMessageType`; `null` in a list or a map is `binary/null`), and a list in
///   place of `Payloads`.
///
/// # Errors
///
/// When the text is not JSON, or a value in it does not fit its place; the error names that place.
///
/// # Example
///
/// ```
/// let history = stead_proto::json::history_from_json(
///     r#"{ "events": [{ "eventId": "1", "eventType": "EVENT_TYPE_WORKFLOW_EXECUTION_STARTED" }] }"#,
/// )?;
/// assert_eq!(history.events[0].event_id, 1);
/// # Ok::<(), stead_proto::json::JsonError>(())
/// ```
pub fn history_from_json(json: &str) -> Result<History, JsonError> {
    let json = serde_json::from_str(json).map_err(JsonError::Syntax)?;
    read::history(json)?.transcode_to().map_err(JsonError::Message)
}

/// Writes a history as JSON, with `events` at the top, indented, and the same text for the same history.
///
/// # Errors
///
/// When a time or a duration in it is outside of the range that JSON can express (years 1 to 9999, about 10,000 years),
/// or failures are nested too deep.
pub fn history_to_json(history: &History) -> Result<String, JsonError> {
    let mut message = DynamicMessage::new(HISTORY.clone());
    message.transcode_from(history).map_err(JsonError::Message)?;
    serde_json::to_string_pretty(&write::Object(&message)).map_err(JsonError::Write)
}

/// Why a history could not be read from JSON, or written to it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// The text is not JSON.
    #[error("the history is not valid JSON")]
    Syntax(#[source] serde_json::Error),
    /// A value does not fit its place.
    #[error("{path}: {problem}")]
    Invalid {
        /// Where: `$.events[3].eventTime`.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// The values fit, but not the message that they make.
    #[error("the history is not a valid message")]
    Message(#[source] prost::DecodeError),
    /// A value has no form in JSON.
    #[error("the history cannot be written as JSON")]
    Write(#[source] serde_json::Error),
}

type Result<T, E = JsonError> = std::result::Result<T, E>;

/// What a history consists of, by name and number; written with the generated code.
static HISTORY: LazyLock<MessageDescriptor> = LazyLock::new(|| {
    let pool = DescriptorPool::decode(include_bytes!("generated/history.descriptors.bin").as_slice());
    pool.ok()
        .and_then(|pool| pool.get_message_by_name("temporal.api.history.v1.History"))
        .expect("`cargo xtask codegen` embeds the history message and all that it refers to")
});

#[cfg(test)]
mod tests;
