//! Encryption and compression of payloads for the `stead` SDK for Temporal, and a codec server for the web UI.
//!
//! What leaves the process is encrypted, and neither the server nor whoever reads its database can open it:
//!
//! ```
//! use std::sync::Arc;
//!
//! use stead::DataConverter;
//! use stead_codec::{Encryption, Key, Keys};
//!
//! # let (new, old) = ([1; 32], [2; 32]);
//! let keys = Keys::new("2026-11", Key::new(new)).with("2026-05", Key::new(old));
//! let converter = DataConverter::new().with_codec(Arc::new(Encryption::new(keys)));
//! ```
//!
//! The converter is given to the client, whose workers use it too. The format is that of the encryption samples of
//! Temporal's other SDKs: AES-256-GCM, encoding `binary/encrypted`, the key's id in `encryption-key-id`. A worker in
//! Python, Go, TypeScript or Java with the same keys reads it.
//!
//! - [`Encryption`] with [`Keys`], or with keys from elsewhere by [`KeyProvider`]
//! - `Zstd` (feature `zstd`) compresses what gets smaller by it
//! - [`Chain`] puts codecs in a row: compress, then encrypt
//! - `CodecServer` (feature `server`) lets the web UI and Temporal's command line read what is encoded
//!
//! Messages of failures are plain text unless the converter also has `stead::data::EncodedAttributes`. Search attributes
//! are never encoded: the server has to read them.

mod chain;
mod encryption;
mod keys;
#[cfg(feature = "server")]
mod server;
#[cfg(feature = "zstd")]
mod zstd;

pub use chain::Chain;
pub use encryption::Encryption;
pub use keys::{Key, KeyProvider, Keys};
#[cfg(feature = "server")]
pub use server::{Caller, CodecServer};
#[cfg(feature = "zstd")]
pub use zstd::Zstd;

use bytes::Bytes;
use stead::data::Payload;

/// The key under which a payload says how it is encoded.
const ENCODING: &str = "encoding";

fn is_encoded_as(payload: &Payload, encoding: &[u8]) -> bool {
    payload.metadata.get(ENCODING).map(Bytes::as_ref) == Some(encoding)
}
