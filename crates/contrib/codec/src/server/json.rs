//! Payloads as JSON, in the form that the protobuf standard gives them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use stead::data::Payload;

#[derive(Serialize, Deserialize)]
struct Payloads {
    #[serde(default)]
    payloads: Vec<JsonPayload>,
}

#[derive(Serialize, Deserialize)]
struct JsonPayload {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    data: String,
}

/// Padded or not, as the standard allows.
const CONFIG: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, CONFIG);
const BASE64_OF_URLS: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, CONFIG);

pub(super) fn read(text: &[u8]) -> Result<Vec<Payload>, String> {
    let Payloads { payloads } = serde_json::from_slice(text).map_err(|error| format!("no payloads: {error}"))?;
    payloads.into_iter().map(payload).collect()
}

pub(super) fn write(payloads: Vec<Payload>) -> Vec<u8> {
    let payloads = payloads.into_iter().map(json_payload).collect();
    // Texts can always be written.
    serde_json::to_vec(&Payloads { payloads }).unwrap_or_default()
}

fn payload(json: JsonPayload) -> Result<Payload, String> {
    let metadata = json.metadata.into_iter().map(|(key, value)| Ok((key, bytes(&value)?)));
    Ok(Payload { metadata: metadata.collect::<Result<_, String>>()?, data: bytes(&json.data)?, ..Payload::default() })
}

fn json_payload(payload: Payload) -> JsonPayload {
    let metadata = payload.metadata.into_iter().map(|(key, value)| (key, BASE64.encode(value)));
    JsonPayload { metadata: metadata.collect(), data: BASE64.encode(&payload.data) }
}

fn bytes(text: &str) -> Result<Bytes, String> {
    let decoded = BASE64.decode(text).or_else(|_| BASE64_OF_URLS.decode(text));
    decoded.map(Bytes::from).map_err(|error| format!("bytes that are no base64: {error}"))
}
