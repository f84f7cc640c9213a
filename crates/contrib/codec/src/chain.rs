//! Codecs in a row.

use std::sync::Arc;

use stead::data::{BoxFuture, CodecError, Payload, PayloadCodec, SerializationContext};

/// Codecs in a row: payloads go through them in order when they are sent, and in the opposite order when they come.
///
/// What is encrypted does not compress, so compression comes first.
#[derive(Clone, Default)]
pub struct Chain(Vec<Arc<dyn PayloadCodec>>);

impl Chain {
    /// No codec yet: payloads stay as they are.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a codec behind the others.
    #[must_use]
    pub fn then(mut self, codec: impl PayloadCodec) -> Self {
        self.0.push(Arc::new(codec));
        self
    }
}

impl PayloadCodec for Chain {
    fn encode<'a>(
        &'a self,
        mut payloads: Vec<Payload>,
        context: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<Payload>, CodecError>> {
        Box::pin(async move {
            for codec in &self.0 {
                payloads = codec.encode(payloads, context).await?;
            }
            Ok(payloads)
        })
    }

    fn decode<'a>(
        &'a self,
        mut payloads: Vec<Payload>,
        context: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<Payload>, CodecError>> {
        Box::pin(async move {
            for codec in self.0.iter().rev() {
                payloads = codec.decode(payloads, context).await?;
            }
            Ok(payloads)
        })
    }
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chain").field("codecs", &self.0.len()).finish()
    }
}
