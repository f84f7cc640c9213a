//! Behaviour of `stead-codec`, seen from outside.

mod encryption;
#[cfg(feature = "server")]
mod server;
#[cfg(feature = "zstd")]
mod zstd;

use stead::data::{CodecError, DataConverter, Payload, PayloadCodec, SerializationContext};

fn payload(text: &str) -> Payload {
    DataConverter::new().to_payload(text).expect("a text")
}

async fn encode(codec: &impl PayloadCodec, payloads: &[Payload]) -> Vec<Payload> {
    codec.encode(payloads.to_vec(), &SerializationContext::Unknown).await.expect("it encodes")
}

async fn decode(codec: &impl PayloadCodec, payloads: &[Payload]) -> Result<Vec<Payload>, CodecError> {
    codec.decode(payloads.to_vec(), &SerializationContext::Unknown).await
}
