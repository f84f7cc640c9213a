//! What an operation may say, whoever owns it.

use std::collections::BTreeMap;

use prost_types::Duration;

use crate::engine::time::duration;

/// What is wrong with the headers of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BadHeader {
    Disallowed(String),
    TooLarge,
}

/// The headers, with names in lower case.
pub(crate) fn lower_case(header: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>, BadHeader> {
    let mut lowered = BTreeMap::new();
    let mut size = 0;
    for (key, value) in header {
        let lower = key.to_lowercase();
        size += lower.len() + value.len();
        if DISALLOWED.contains(&lower.as_str()) {
            return Err(BadHeader::Disallowed(key.clone()));
        }
        lowered.insert(lower, value.clone());
    }
    if size > MAX_HEADER { Err(BadHeader::TooLarge) } else { Ok(lowered) }
}

/// A timeout, or that of the whole if that is shorter.
pub(crate) fn shorter(timeout: Option<Duration>, whole: Option<Duration>) -> Option<Duration> {
    match (duration(timeout.as_ref()), duration(whole.as_ref())) {
        (Some(own), Some(most)) if own > most => whole,
        _ => timeout,
    }
}

/// `component.nexusoperations.limit.service.name.length` and `….operation.name.length` of Temporal's server.
pub(crate) const MAX_NAME: usize = 1_000;
/// `component.nexusoperations.limit.header.size`.
const MAX_HEADER: usize = 8_192;
/// `component.nexusoperations.disallowedHeaders`.
const DISALLOWED: [&str; 9] = [
    "request-timeout",
    "xdc-redirection-api",
    "xdc-redirection-source-cell",
    "xdc-redirection",
    "caller-name",
    "caller-type",
    "call-initiation",
    "temporal-principal-type",
    "temporal-principal-name",
];
