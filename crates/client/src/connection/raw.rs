//! A gRPC codec of bytes: messages are encoded before the call and decoded after it.
//!
//! So a retry sends the same bytes again instead of a clone of the message, and gRPC's machinery is compiled once
//! rather than once for each of the server's methods.

use bytes::{Buf, BufMut, Bytes};
use tonic::{
    Status,
    codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};

/// Holds the size of the request, so that the buffer it is framed in fits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Raw {
    pub(super) request_size: usize,
}

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, target: &mut EncodeBuf<'_>) -> Result<(), Status> {
        target.put(item);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        let size = self.request_size.saturating_add(FRAME_HEADER);
        BufferSettings::new(size, size)
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(source.copy_to_bytes(source.remaining())))
    }
}

/// A compression flag and a length, before each message.
const FRAME_HEADER: usize = 5;
