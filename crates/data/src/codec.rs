//! The seam for encryption and compression: payloads in, payloads out.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::Payload;

/// A boxed future that may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Transforms payloads on their way to the server and back, for example to encrypt them.
///
/// A codec sees payloads only, never values. It runs concurrently and outside of workflow code, so it may wait for a
/// key service. Search attributes are never given to a codec: the server has to read them.
pub trait PayloadCodec: Send + Sync + 'static {
    /// Encodes payloads that are about to be sent, one for one and in order.
    fn encode(&self, payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>>;

    /// Decodes payloads that were received. Payloads that this codec did not encode must come back as they are.
    fn decode(&self, payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>>;
}

/// A codec could not transform payloads.
#[derive(Debug, Clone)]
pub struct CodecError {
    message: String,
    cause: Option<Arc<dyn Error + Send + Sync>>,
}

impl CodecError {
    /// An error with a message for people. It must not contain what the codec protects.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), cause: None }
    }

    /// Adds what caused it.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(Arc::from(cause.into()));
        self
    }
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "payload codec failed: {}", self.message)
    }
}

impl Error for CodecError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}
