//! Keys, and where they come from.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use ring::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use stead::data::{BoxFuture, CodecError, SerializationContext};

/// A key of AES-256. `Debug` does not show it.
#[derive(Clone)]
pub struct Key(Arc<LessSafeKey>);

impl Key {
    /// A key of these bytes, which must be random: a password is no key.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        // Only a key of another length is refused.
        let key = UnboundKey::new(&AES_256_GCM, &bytes).expect("a key of AES-256 has 32 bytes");
        Self(Arc::new(LessSafeKey::new(key)))
    }

    pub(crate) fn cipher(&self) -> &LessSafeKey {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// Where keys come from: [`Keys`] that the program has, or a key service that is asked.
///
/// It is asked for each list of payloads, so a provider that goes over the network should keep what it got for a while.
pub trait KeyProvider: Send + Sync + 'static {
    /// The key to encrypt with, and its id.
    fn current<'a>(&'a self, context: &'a SerializationContext) -> BoxFuture<'a, Result<(String, Key), CodecError>>;

    /// The key of this id.
    fn find<'a>(&'a self, id: &'a str, context: &'a SerializationContext) -> BoxFuture<'a, Result<Key, CodecError>>;
}

/// Keys by their ids, one of them the current one.
///
/// To rotate: deploy the new key beside the old one everywhere, with the old one still the current one; then make the new
/// one the current one. The old one is needed for as long as there are histories that were written with it.
#[derive(Debug, Clone)]
pub struct Keys {
    current: String,
    keys: BTreeMap<String, Key>,
}

impl Keys {
    /// A key to encrypt with.
    pub fn new(id: impl Into<String>, key: Key) -> Self {
        let current = id.into();
        Self { keys: [(current.clone(), key)].into(), current }
    }

    /// Adds a key that only decrypts. One of the same id is replaced.
    #[must_use]
    pub fn with(mut self, id: impl Into<String>, key: Key) -> Self {
        self.keys.insert(id.into(), key);
        self
    }

    fn get(&self, id: &str) -> Result<Key, CodecError> {
        let known = || self.keys.keys().cloned().collect::<Vec<_>>().join(", ");
        let unknown = || CodecError::new(format!("there is no key `{id}`, but {}", known()));
        self.keys.get(id).cloned().ok_or_else(unknown)
    }
}

impl KeyProvider for Keys {
    fn current<'a>(&'a self, _: &'a SerializationContext) -> BoxFuture<'a, Result<(String, Key), CodecError>> {
        Box::pin(async { Ok((self.current.clone(), self.get(&self.current)?)) })
    }

    fn find<'a>(&'a self, id: &'a str, _: &'a SerializationContext) -> BoxFuture<'a, Result<Key, CodecError>> {
        Box::pin(async move { self.get(id) })
    }
}
