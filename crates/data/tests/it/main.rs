//! Behaviour of `stead-data`, seen from outside.

mod any_input;
mod conversion;
mod converters;
mod failures;
#[cfg(feature = "json")]
mod history;
mod options;
mod references;
#[cfg(feature = "schemars")]
mod schemas;
mod wrappers;

use bytes::Bytes;
use stead_data::Payload;

/// A payload with this encoding and text.
fn payload(encoding: &str, text: impl Into<Bytes>) -> Payload {
    let metadata = [("encoding".to_owned(), Bytes::copy_from_slice(encoding.as_bytes()))].into();
    Payload { metadata, data: text.into(), ..Payload::default() }
}

fn json(text: &'static str) -> Payload {
    payload("json/plain", text)
}
