//! Requests that come compressed. Answers never are: most are small, and gzip costs more than it saves on a machine.

use std::io::Read;

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::HeaderMap;

use super::frame::MAX_MESSAGE;
use crate::engine::{Code, Refusal};

/// How a request's messages may be compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
}

impl Encoding {
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        match headers.get("grpc-encoding").map(|value| value.as_bytes()) {
            None | Some(b"identity" | b"") => Ok(Self::Identity),
            Some(b"gzip") => Ok(Self::Gzip),
            Some(other) => {
                let name = String::from_utf8_lossy(other);
                let message = format!("grpc: Decompressor is not installed for grpc-encoding {name:?}");
                Err(Refusal::unimplemented(message))
            }
        }
    }

    /// The message that a frame marked as compressed holds.
    pub(super) fn decompress(self, message: &[u8]) -> Result<Bytes, Refusal> {
        match self {
            Self::Identity => {
                Err(Refusal::new(Code::Internal, "grpc: compressed flag set with identity or empty encoding"))
            }
            Self::Gzip => gunzip(message),
        }
    }
}

fn gunzip(message: &[u8]) -> Result<Bytes, Refusal> {
    let mut plain = Vec::new();
    // One byte over the limit tells what is too large from what just fits, whatever the sender claims.
    let read = GzDecoder::new(message).take(MAX_MESSAGE as u64 + 1).read_to_end(&mut plain);
    read.map_err(|error| Refusal::new(Code::Internal, format!("grpc: failed to read decompressed data: {error}")))?;
    if plain.len() > MAX_MESSAGE {
        let message = format!("grpc: received message after decompression larger than max {MAX_MESSAGE}");
        return Err(Refusal::new(Code::ResourceExhausted, message));
    }
    Ok(plain.into())
}
