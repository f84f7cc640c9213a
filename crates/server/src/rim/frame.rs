//! Messages on the wire: a flag, a length of four bytes, the message.

use std::future::poll_fn;
use std::pin::pin;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http_body::Body as HttpBody;

use super::gzip::Encoding;
use crate::engine::{Code, Refusal};

/// Bytes before each message.
const HEADER: usize = 5;

/// The largest request that is taken, as gRPC's own limit: 4 MiB.
pub(super) const MAX_MESSAGE: usize = 4 << 20;

/// A framed message of `length` bytes, which `encode` writes.
pub(super) fn framed(length: usize, encode: impl FnOnce(&mut BytesMut)) -> Result<Bytes, Refusal> {
    let Ok(claimed) = u32::try_from(length) else {
        let message = format!("grpc: trying to send message larger than max ({length} vs. {})", u32::MAX);
        return Err(Refusal::new(Code::ResourceExhausted, message));
    };
    let mut buffer = BytesMut::with_capacity(HEADER + length);
    buffer.put_u8(0);
    buffer.put_u32(claimed);
    encode(&mut buffer);
    Ok(buffer.freeze())
}

/// The one message of a unary request.
pub(super) async fn read_one<B>(body: B, encoding: Encoding) -> Result<Bytes, Refusal>
where
    B: HttpBody<Data = Bytes>,
{
    let mut body = pin!(body);
    let mut frames = Frames::new(encoding);
    let mut found = None;
    while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
        let frame = frame.map_err(|_| Refusal::new(Code::Cancelled, "the caller broke its request off"))?;
        if let Ok(data) = frame.into_data() {
            frames.push(data);
        }
        while let Some(message) = frames.next()? {
            if found.replace(message).is_some() {
                return Err(Refusal::new(Code::Internal, "a request of one message has several"));
            }
        }
    }
    match found {
        Some(message) if frames.is_empty() => Ok(message),
        _ => Err(Refusal::new(Code::Internal, "the request ended within its message")),
    }
}

/// Cuts what arrives into messages.
#[derive(Debug)]
pub(super) struct Frames {
    encoding: Encoding,
    /// What a request in one piece consists of: not copied.
    whole: Bytes,
    /// What came in several.
    pieces: BytesMut,
}

impl Frames {
    pub(super) fn new(encoding: Encoding) -> Self {
        Self { encoding, whole: Bytes::new(), pieces: BytesMut::new() }
    }

    pub(super) fn push(&mut self, data: Bytes) {
        if self.is_empty() {
            self.whole = data;
        } else {
            self.pieces.extend_from_slice(&std::mem::take(&mut self.whole));
            self.pieces.extend_from_slice(&data);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.pieces.is_empty()
    }

    /// The next message that is there in full.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        let held: &[u8] = if self.whole.is_empty() { &self.pieces } else { &self.whole };
        let Some((mut header, rest)) = held.split_at_checked(HEADER) else {
            return Ok(None);
        };
        let (flag, length) = (header.get_u8(), header.get_u32() as usize);
        if length > MAX_MESSAGE {
            let message = format!("grpc: received message larger than max ({length} vs. {MAX_MESSAGE})");
            return Err(Refusal::new(Code::ResourceExhausted, message));
        }
        if rest.len() < length {
            return Ok(None);
        }
        let message = self.take(HEADER + length).slice(HEADER..);
        match flag {
            0 => Ok(Some(message)),
            1 => self.encoding.decompress(&message).map(Some),
            _ => Err(Refusal::new(Code::Internal, format!("grpc: received unexpected payload format {flag}"))),
        }
    }

    fn take(&mut self, length: usize) -> Bytes {
        if self.whole.is_empty() { self.pieces.split_to(length).freeze() } else { self.whole.split_to(length) }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn frame(flag: u8, message: &[u8]) -> Vec<u8> {
        let mut frame = vec![flag];
        frame.put_u32(message.len() as u32);
        frame.extend_from_slice(message);
        frame
    }

    fn gzip(message: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(message).unwrap();
        encoder.finish().unwrap()
    }

    fn refusal(encoding: Encoding, data: Vec<u8>) -> (Code, String) {
        let mut frames = Frames::new(encoding);
        frames.push(data.into());
        let refusal = frames.next().unwrap_err();
        (refusal.code, refusal.message)
    }

    #[test]
    fn messages_come_out_however_they_are_cut() {
        let sent = [frame(0, b"one"), frame(0, b""), frame(0, b"three")].concat();
        for size in 1..=sent.len() {
            let mut frames = Frames::new(Encoding::Identity);
            let mut found = Vec::new();
            for piece in sent.chunks(size) {
                frames.push(Bytes::copy_from_slice(piece));
                while let Some(message) = frames.next().unwrap() {
                    found.push(message);
                }
            }
            assert_eq!(found, [&b"one"[..], b"", b"three"], "pieces of {size}");
            assert!(frames.is_empty());
        }
    }

    #[test]
    fn a_message_over_the_limit_is_refused_before_it_is_there() {
        let header = [&[0][..], &5_242_955_u32.to_be_bytes()].concat();
        let (code, message) = refusal(Encoding::Identity, header);
        assert_eq!(code, Code::ResourceExhausted);
        assert_eq!(message, "grpc: received message larger than max (5242955 vs. 4194304)");
    }

    #[test]
    fn a_compressed_message_is_decompressed() {
        let mut frames = Frames::new(Encoding::Gzip);
        frames.push(frame(1, &gzip(b"hello")).into());
        assert_eq!(frames.next().unwrap().unwrap(), &b"hello"[..]);
    }

    #[test]
    fn a_small_message_that_becomes_a_large_one_is_refused() {
        let bomb = gzip(&vec![0; MAX_MESSAGE + 1]);
        assert!(bomb.len() < 1 << 20);
        assert_eq!(refusal(Encoding::Gzip, frame(1, &bomb)).0, Code::ResourceExhausted);
    }

    #[test]
    fn flags_that_say_what_is_not_so_are_refused() {
        let (_, message) = refusal(Encoding::Identity, frame(1, b"x"));
        assert_eq!(message, "grpc: compressed flag set with identity or empty encoding");
        let (_, message) = refusal(Encoding::Gzip, frame(7, b"x"));
        assert_eq!(message, "grpc: received unexpected payload format 7");
        let (code, _) = refusal(Encoding::Gzip, frame(1, b"not gzip"));
        assert_eq!(code, Code::Internal);
    }
}
