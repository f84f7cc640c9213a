//! [`Message`]: a gRPC message at rest, so that it can be looked at and delivered later.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue};
use http_body::{Body, Frame};

/// A gRPC message with its frame, and the trailers that follow an answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Message {
    framed: Bytes,
    trailers: Option<HeaderMap>,
}

impl Message {
    /// Reads a body to its end. What breaks off is what there was.
    pub(super) async fn read<B: Body<Data = Bytes>>(body: B) -> Self {
        let mut body = pin!(body);
        let (mut framed, mut trailers) = (BytesMut::new(), None);
        while let Some(Ok(frame)) = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
            match frame.into_data() {
                Ok(data) => framed.extend_from_slice(&data),
                Err(frame) => trailers = frame.into_trailers().ok(),
            }
        }
        Self { framed: framed.freeze(), trailers }
    }

    /// The message without its frame: a flag that it is not compressed, and its length.
    pub(super) fn content(&self) -> Bytes {
        self.framed.slice(self.framed.len().min(FRAME)..)
    }

    /// Whether it is the answer to a call that succeeded.
    pub(super) fn is_success(&self) -> bool {
        self.trailers.as_ref().and_then(|trailers| trailers.get(STATUS)).is_some_and(|status| status == "0")
    }
}

impl Body for Message {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if !self.framed.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.framed)))));
        }
        Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.framed.is_empty() && self.trailers.is_none()
    }
}

/// What a caller hears of a call that did not come through.
pub(super) fn unavailable(why: &'static str) -> http::Response<Message> {
    let mut response = http::Response::new(Message::default());
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(STATUS, HeaderValue::from_static("14"));
    headers.insert("grpc-message", HeaderValue::from_static(why));
    response
}

const STATUS: &str = "grpc-status";
const FRAME: usize = 5;
