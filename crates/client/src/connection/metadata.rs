//! The gRPC metadata (headers) that travel with a call.

use std::fmt;

#[cfg(feature = "http1")]
use crate::secret::Secret;
use tonic::metadata::{AsciiMetadataValue, BinaryMetadataValue, KeyRef, MetadataKey, MetadataMap};

/// Headers to send with calls, on top of those that the SDK sets itself.
///
/// `Debug` shows the keys and never the values, which may be secrets.
///
/// ```
/// use stead_client::Metadata;
///
/// let mut metadata = Metadata::new();
/// metadata.insert("x-tenant", "blue")?;
/// assert_eq!(format!("{metadata:?}"), r#"{"x-tenant"}"#);
/// # Ok::<(), stead_client::InvalidMetadata>(())
/// ```
#[derive(Clone, Default)]
pub struct Metadata(MetadataMap);

impl Metadata {
    /// No headers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a header, replacing the values that `key` had.
    ///
    /// A key that ends in `-bin` takes any bytes; every other one takes visible ASCII.
    ///
    /// # Errors
    ///
    /// The key is not a valid header name, or the value is not ASCII under a key without `-bin`.
    pub fn insert(&mut self, key: &str, value: impl AsRef<[u8]>) -> Result<(), InvalidMetadata> {
        let invalid = || InvalidMetadata { key: key.to_owned() };
        let lower = key.to_ascii_lowercase();
        if lower.ends_with("-bin") {
            let name = MetadataKey::from_bytes(lower.as_bytes()).map_err(|_| invalid())?;
            self.0.insert_bin(name, BinaryMetadataValue::from_bytes(value.as_ref()));
        } else {
            let name = MetadataKey::from_bytes(lower.as_bytes()).map_err(|_| invalid())?;
            let mut value = ascii(value.as_ref()).ok_or_else(invalid)?;
            value.set_sensitive(lower == AUTHORIZATION);
            self.0.insert(name, value);
        }
        Ok(())
    }

    /// Removes a header.
    pub fn remove(&mut self, key: &str) {
        if key.to_ascii_lowercase().ends_with("-bin") {
            self.0.remove_bin(key);
        } else {
            self.0.remove(key);
        }
    }

    /// As headers of HTTP. A header `authorization` wins over the key.
    #[cfg(feature = "http1")]
    pub(crate) fn into_headers(mut self, api_key: Option<Secret>) -> Result<http::HeaderMap, InvalidMetadata> {
        if let Some(key) = api_key.filter(|_| !self.0.contains_key(AUTHORIZATION)) {
            self.insert(AUTHORIZATION, format!("Bearer {}", key.expose()))?;
        }
        Ok(self.0.into_headers())
    }

    /// Copies these headers over those of `target`.
    pub(super) fn apply(&self, target: &mut MetadataMap) {
        for entry in self.0.iter() {
            match entry {
                tonic::metadata::KeyAndValueRef::Ascii(key, value) => drop(target.insert(key.clone(), value.clone())),
                tonic::metadata::KeyAndValueRef::Binary(key, value) => {
                    drop(target.insert_bin(key.clone(), value.clone()));
                }
            }
        }
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.0.keys().map(|key| match key {
            KeyRef::Ascii(key) => key.as_str(),
            KeyRef::Binary(key) => key.as_str(),
        });
        f.debug_set().entries(keys).finish()
    }
}

/// A header that gRPC cannot carry. The value is left out of the message: it may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("header `{key}` is not valid: names are ASCII, values are visible ASCII unless the name ends in `-bin`")]
#[non_exhaustive]
pub struct InvalidMetadata {
    /// The header's name.
    pub key: String,
}

pub(super) const AUTHORIZATION: &str = "authorization";

/// `None` where the bytes are not a valid ASCII header value.
pub(super) fn ascii(value: &[u8]) -> Option<AsciiMetadataValue> {
    AsciiMetadataValue::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_keys_and_no_values() {
        let mut metadata = Metadata::new();
        metadata.insert("Authorization", "Bearer sentinel").unwrap();
        metadata.insert("x-token-bin", b"sentinel").unwrap();
        let shown = format!("{metadata:?}");
        assert!(shown.contains("authorization") && shown.contains("x-token-bin"), "{shown}");
        assert!(!shown.contains("sentinel"), "{shown}");
    }

    #[test]
    fn invalid_headers_are_refused_without_showing_the_value() {
        let mut metadata = Metadata::new();
        let error = metadata.insert("x-name", "sentinel\n").unwrap_err();
        assert!(!error.to_string().contains("sentinel"));
        assert!(metadata.insert("not a name", "v").is_err());
    }

    #[test]
    fn applying_replaces_what_the_target_had() {
        let mut target = MetadataMap::new();
        target.insert("x-tenant", AsciiMetadataValue::from_static("old"));
        let mut metadata = Metadata::new();
        metadata.insert("x-tenant", "new").unwrap();
        metadata.apply(&mut target);
        assert_eq!(target.get_all("x-tenant").iter().collect::<Vec<_>>(), ["new"]);
    }
}
