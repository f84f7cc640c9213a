//! [`RpcError`]: a call to the server that failed.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use prost::{Message, Name};
use stead_proto::errordetails::v1::NamespaceNotFoundFailure;
use tonic::{Code, Status, TimeoutExpired};

use super::{limits::PayloadTooLarge, retry::Fault, transport::TransportError};

/// A call to the server that failed, retries included.
///
/// The gRPC [`code`](Self::code) and [`message`](Self::message) are the server's; the `is_…` methods name the
/// failures that a program may want to tell apart.
#[derive(Clone)]
pub struct RpcError {
    rpc: &'static str,
    address: Arc<str>,
    kind: Kind,
    status: Status,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Answered,
    NamespaceNotFound(String),
    Unreachable,
    ConnectionClosed,
    TimedOut(Duration),
    RequestTooLarge,
    PayloadTooLarge(Arc<PayloadTooLarge>),
    ResponseTooLarge(usize),
    Unreadable,
}

impl RpcError {
    pub(super) fn from_status(call: Call<'_>, status: Status) -> Self {
        match classify(&call, &status) {
            // The transport's own timer calls it a cancellation.
            Kind::TimedOut(_) => Self::timed_out(call),
            kind => Self::new(call, kind, status),
        }
    }

    pub(super) fn timed_out(call: Call<'_>) -> Self {
        Self::new(call, Kind::TimedOut(call.timeout), Status::deadline_exceeded("no answer before the deadline"))
    }

    pub(super) fn unreadable(call: Call<'_>, error: &prost::DecodeError) -> Self {
        Self::new(call, Kind::Unreadable, Status::internal(error.to_string()))
    }

    pub(super) fn not_sent(call: Call<'_>, too_large: PayloadTooLarge) -> Self {
        let status = Status::invalid_argument(too_large.to_string());
        Self::new(call, Kind::PayloadTooLarge(Arc::new(too_large)), status)
    }

    fn new(call: Call<'_>, kind: Kind, status: Status) -> Self {
        Self { rpc: call.rpc, address: Arc::clone(call.address), kind, status }
    }

    /// The name of the call, such as `StartWorkflowExecution`.
    pub fn rpc(&self) -> &'static str {
        self.rpc
    }

    /// The gRPC code.
    pub fn code(&self) -> Code {
        self.status.code()
    }

    /// What the server said, or the transport if no answer came.
    pub fn message(&self) -> &str {
        self.status.message()
    }

    /// The `google.rpc.Status` message that came with the error, encoded; empty if none did.
    pub fn details(&self) -> &[u8] {
        self.status.details()
    }

    /// No connection to the server could be made, or it broke. The call may be repeated.
    pub fn is_unreachable(&self) -> bool {
        matches!(self.kind, Kind::Unreachable | Kind::ConnectionClosed)
    }

    /// The server did not answer in time. What was asked for may have happened all the same.
    pub fn is_timeout(&self) -> bool {
        self.code() == Code::DeadlineExceeded
    }

    /// The call was cancelled, by the server or on the way to it.
    pub fn is_cancelled(&self) -> bool {
        self.code() == Code::Cancelled
    }

    /// What the call is about does not exist: the workflow, the namespace, the update …
    pub fn is_not_found(&self) -> bool {
        self.code() == Code::NotFound
    }

    /// The server has no namespace of this name.
    pub fn is_namespace_not_found(&self) -> bool {
        matches!(self.kind, Kind::NamespaceNotFound(_))
    }

    /// The server does not know who is calling, or forbids this call: check the API key or the certificate.
    pub fn is_permission_denied(&self) -> bool {
        matches!(self.code(), Code::Unauthenticated | Code::PermissionDenied)
    }

    /// The request is larger than the server accepts.
    pub fn is_request_too_large(&self) -> bool {
        self.kind == Kind::RequestTooLarge
    }

    /// The field of the request that is over a limit of [`PayloadLimits`](crate::PayloadLimits), if the call was not made
    /// because of it.
    pub fn payload_too_large(&self) -> Option<&PayloadTooLarge> {
        match &self.kind {
            Kind::PayloadTooLarge(too_large) => Some(too_large),
            _ => None,
        }
    }

    /// The answer is larger than the client accepts, see [`Connect::max_response_size`](crate::Connect).
    pub fn is_response_too_large(&self) -> bool {
        matches!(self.kind, Kind::ResponseTooLarge(_))
    }

    /// The detail of type `M` that the server sent along, if it did.
    pub(crate) fn detail<M: Message + Default + Name>(&self) -> Option<M> {
        detail(self.status.details())
    }

    /// The same call's error with another status: what was said of one operation among several.
    pub(crate) fn with_status(&self, code: i32, message: String, details: Vec<prost_types::Any>) -> Self {
        let rich = RichStatus { code, message: message.clone(), details };
        let status = Status::with_details(Code::from_i32(code), message, rich.encode_to_vec().into());
        Self { status, ..self.clone() }
    }

    pub(super) fn fault(&self) -> Fault {
        match &self.kind {
            Kind::RequestTooLarge | Kind::PayloadTooLarge(_) | Kind::ResponseTooLarge(_) | Kind::Unreadable => {
                Fault::Hopeless
            }
            Kind::ConnectionClosed => Fault::ConnectionClosed,
            _ => Fault::Status(self.code()),
        }
    }
}

impl fmt::Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rpc, address, .. } = self;
        match &self.kind {
            Kind::NamespaceNotFound(namespace) => write!(
                f,
                "{rpc} failed: the server at `{address}` has no namespace `{namespace}`; \
                 create it, or connect with the name of one that exists"
            ),
            Kind::Unreachable => {
                write!(f, "{rpc} failed: cannot reach the server at `{address}`; check that it runs and listens there")
            }
            Kind::ConnectionClosed => {
                write!(f, "{rpc} failed: the connection to `{address}` was closed")
            }
            Kind::TimedOut(timeout) => write!(f, "{rpc} failed: `{address}` did not answer within {timeout:?}"),
            Kind::RequestTooLarge => {
                write!(f, "{rpc} failed: the request is larger than the server accepts: {}", self.message())
            }
            Kind::PayloadTooLarge(too_large) => write!(f, "{rpc} was not sent: {too_large}"),
            Kind::ResponseTooLarge(limit) => write!(
                f,
                "{rpc} failed: the response is over the limit of {limit} bytes; raise it with `max_response_size`"
            ),
            Kind::Unreadable => {
                write!(f, "{rpc} failed: the response of `{address}` cannot be read: {}", self.message())
            }
            Kind::Answered => write!(f, "{rpc} failed: {} ({})", self.message(), name(self.code())),
        }
    }
}

// Written by hand: the response's headers are noise.
impl fmt::Debug for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RpcError")
            .field("rpc", &self.rpc)
            .field("address", &self.address)
            .field("kind", &self.kind)
            .field("code", &self.code())
            .field("message", &self.message())
            .field("source", &self.source())
            .finish()
    }
}

impl Error for RpcError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let mut source = self.status.source()?;
        // They only carry what they are made of.
        while source.is::<TransportError>() || source.is::<Status>() {
            source = source.source()?;
        }
        Some(source)
    }
}

/// What an error says about the call that it ended.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) rpc: &'static str,
    pub(super) address: &'a Arc<str>,
    pub(super) timeout: Duration,
    pub(super) max_response_size: usize,
}

/// A status without a source came from the server (or from decoding its answer); one with a source was made on this
/// side, by the transport.
fn classify(call: &Call<'_>, status: &Status) -> Kind {
    let message = status.message();
    match status.code() {
        Code::Cancelled if is_local_timeout(status) => Kind::TimedOut(call.timeout),
        Code::Cancelled if status.source().is_some() => Kind::ConnectionClosed,
        Code::Unavailable | Code::Unknown if status.source().is_some() => Kind::Unreachable,
        Code::OutOfRange if message.starts_with("Error, decoded message length too large") => {
            Kind::ResponseTooLarge(call.max_response_size)
        }
        Code::ResourceExhausted if is_message_too_large(message) => Kind::RequestTooLarge,
        Code::NotFound => match detail::<NamespaceNotFoundFailure>(status.details()) {
            Some(failure) => Kind::NamespaceNotFound(failure.namespace),
            None => Kind::Answered,
        },
        _ => Kind::Answered,
    }
}

/// What gRPC's Go implementation, which the server is built on, says of a request over its limit.
fn is_message_too_large(message: &str) -> bool {
    message.starts_with("grpc: received message larger than max")
        || message.starts_with("grpc: message after decompression larger than max")
        || message.starts_with("grpc: received message after decompression larger than max")
}

fn is_local_timeout(status: &Status) -> bool {
    let mut cause = status.source();
    while let Some(error) = cause {
        if error.is::<TimeoutExpired>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The message that carries a gRPC error's details on the wire.
#[derive(Clone, PartialEq, Message)]
struct RichStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<prost_types::Any>,
}

fn detail<M: Message + Default + Name>(details: &[u8]) -> Option<M> {
    let status = RichStatus::decode(details).ok()?;
    let any = status.details.into_iter().find(|any| any.type_url.rsplit('/').next() == Some(&*M::full_name()))?;
    M::decode(Bytes::from(any.value)).ok()
}

/// The code's name in lower case words.
fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "ok",
        Code::Cancelled => "cancelled",
        Code::Unknown => "unknown",
        Code::InvalidArgument => "invalid argument",
        Code::DeadlineExceeded => "deadline exceeded",
        Code::NotFound => "not found",
        Code::AlreadyExists => "already exists",
        Code::PermissionDenied => "permission denied",
        Code::ResourceExhausted => "resource exhausted",
        Code::FailedPrecondition => "failed precondition",
        Code::Aborted => "aborted",
        Code::OutOfRange => "out of range",
        Code::Unimplemented => "unimplemented",
        Code::Internal => "internal",
        Code::Unavailable => "unavailable",
        Code::DataLoss => "data loss",
        Code::Unauthenticated => "unauthenticated",
    }
}
