//! `grpc.health.v1.Health`: whether the server serves.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::Frame;
use prost::Message;

use super::frame::framed;
use super::inbox::stopped as stopped_refusal;
use super::paths::SERVICES;
use super::status::failure;
use crate::engine::{Code, Refusal};

pub(super) const SERVICE: &str = "grpc.health.v1.Health";

#[derive(Clone, PartialEq, Message)]
struct HealthCheckRequest {
    #[prost(string, tag = "1")]
    service: String,
}

#[derive(Clone, PartialEq, Message)]
struct HealthCheckResponse {
    #[prost(int32, tag = "1")]
    status: i32,
}

const SERVING: i32 = 1;
const SERVICE_UNKNOWN: i32 = 3;

/// The framed answer of `Check`.
pub(super) fn check(request: Bytes) -> Result<Bytes, Refusal> {
    match serves(request)? {
        true => answer(SERVING),
        false => Err(Refusal::new(Code::NotFound, "unknown service")),
    }
}

/// The stream of `Watch`: the status, which does not change until the server stops.
pub(super) fn watch(request: Bytes, stopped: impl Future<Output = ()> + Send + 'static) -> Result<Watch, Refusal> {
    let status = if serves(request)? { SERVING } else { SERVICE_UNKNOWN };
    Ok(Watch { status: Some(answer(status)?), stopped: Some(Box::pin(stopped)) })
}

fn serves(request: Bytes) -> Result<bool, Refusal> {
    let HealthCheckRequest { service } = HealthCheckRequest::decode(request).map_err(|error| unreadable(&error))?;
    Ok(service.is_empty() || service == SERVICE || SERVICES.contains(&service.as_str()))
}

fn answer(status: i32) -> Result<Bytes, Refusal> {
    let response = HealthCheckResponse { status };
    framed(response.encoded_len(), |buffer| response.encode_raw(buffer))
}

/// What the sender of bytes that are no request is told.
pub(super) fn unreadable(error: &prost::DecodeError) -> Refusal {
    Refusal::new(Code::Internal, format!("grpc: error unmarshalling request: {error}"))
}

/// A status that is sent once, in a stream that stays open until the server stops.
pub(super) struct Watch {
    status: Option<Bytes>,
    stopped: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl http_body::Body for Watch {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(status) = self.status.take() {
            return Poll::Ready(Some(Ok(Frame::data(status))));
        }
        let Some(stopped) = &mut self.stopped else {
            return Poll::Ready(None);
        };
        ready!(stopped.as_mut().poll(context));
        self.stopped = None;
        Poll::Ready(Some(Ok(Frame::trailers(failure(&stopped_refusal())))))
    }
}
