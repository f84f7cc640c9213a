//! Compression.

use std::collections::BTreeMap;
use std::io::Read;

use bytes::Bytes;
use prost::Message;
use stead::data::{BoxFuture, CodecError, Payload, PayloadCodec, SerializationContext};

use crate::{ENCODING, is_encoded_as};

/// Compresses payloads with Zstandard, as encoding `binary/zstd`; those that do not get smaller stay as they are.
#[derive(Debug, Clone, Copy)]
pub struct Zstd {
    level: i32,
    min_size: usize,
    max_decoded_size: u64,
}

const COMPRESSED: &[u8] = b"binary/zstd";

impl Zstd {
    /// Level 3, payloads from 1 KiB on, and at most 64 MiB when they are decompressed.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How hard it tries: from 1, quick, to 22, small. Others mean the nearest of these.
    #[must_use]
    pub fn level(mut self, level: i32) -> Self {
        self.level = level.clamp(1, 22);
        self
    }

    /// Leaves payloads alone that are smaller, in bytes.
    #[must_use]
    pub fn min_size(mut self, bytes: usize) -> Self {
        self.min_size = bytes;
        self
    }

    /// Refuses to decompress to more, in bytes: a small payload may claim to be a huge one.
    #[must_use]
    pub fn max_decoded_size(mut self, bytes: u64) -> Self {
        self.max_decoded_size = bytes;
        self
    }

    fn compress(&self, payload: Payload) -> Result<Payload, CodecError> {
        let size = payload.encoded_len();
        if size < self.min_size {
            return Ok(payload);
        }
        let data = ::zstd::bulk::compress(&payload.encode_to_vec(), self.level);
        let data = data.map_err(|error| CodecError::new("a payload cannot be compressed").cause(error))?;
        let metadata = BTreeMap::from([(ENCODING.to_owned(), Bytes::from_static(COMPRESSED))]);
        let compressed = Payload { metadata, data: data.into(), external_payloads: Vec::new() };
        Ok(if compressed.encoded_len() < size { compressed } else { payload })
    }

    fn decompress(&self, payload: Payload) -> Result<Payload, CodecError> {
        if !is_encoded_as(&payload, COMPRESSED) {
            return Ok(payload);
        }
        let spoilt = |error| CodecError::new("a payload cannot be decompressed").cause(error);
        let decoder = ::zstd::stream::read::Decoder::with_buffer(&payload.data[..]).map_err(spoilt)?;
        let mut data = Vec::new();
        decoder.take(self.max_decoded_size.saturating_add(1)).read_to_end(&mut data).map_err(spoilt)?;
        if data.len() as u64 > self.max_decoded_size {
            let most = self.max_decoded_size;
            return Err(CodecError::new(format!("a payload is over {most} bytes when it is decompressed")));
        }
        let decoded = Payload::decode(Bytes::from(data));
        decoded.map_err(|error| CodecError::new("what was compressed is no payload").cause(error))
    }
}

impl Default for Zstd {
    fn default() -> Self {
        Self { level: 3, min_size: 1024, max_decoded_size: 64 * 1024 * 1024 }
    }
}

impl PayloadCodec for Zstd {
    fn encode<'a>(
        &'a self,
        payloads: Vec<Payload>,
        _: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<Payload>, CodecError>> {
        Box::pin(async move { payloads.into_iter().map(|payload| self.compress(payload)).collect() })
    }

    fn decode<'a>(
        &'a self,
        payloads: Vec<Payload>,
        _: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<Payload>, CodecError>> {
        Box::pin(async move { payloads.into_iter().map(|payload| self.decompress(payload)).collect() })
    }
}
