//! What `#[nexus_service]` implements and a worker runs.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use stead_data::nexus::{Answer, HandlerErrorKind, Response};
use stead_data::{BoxFuture, DataConverter, Failure, Operation, Payload};

use crate::{Error, OperationToken, Result};

/// A type that handles the operations of a Nexus service. Implemented by `#[nexus_service]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` handles no Nexus service",
    note = "add `#[nexus_service]` to its impl block"
)]
pub trait Service: Send + Sync + 'static {
    /// The service, bound to this instance.
    fn definition(self: Arc<Self>) -> Definition;
}

/// A Nexus service that a worker can serve.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Definition {
    /// Name of the service on the wire.
    pub name: &'static str,
    /// Its operations.
    pub operations: Vec<OperationDefinition>,
}

/// An operation that a worker can start, and cancel.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OperationDefinition {
    /// Name of the operation on the wire.
    pub name: &'static str,
    /// The code that starts it.
    pub start: Start,
    /// The code that cancels it, where that is not what its token says.
    pub cancel: Option<Cancel>,
}

/// The code that starts an operation.
pub type Start = Implementation<Input, Response<Payload>>;

/// The code that cancels an operation.
pub type Cancel = Implementation<OperationToken, ()>;

/// Code of a handler, with its types erased.
///
/// Exhaustive on purpose: a new kind must break every worker at compile time.
pub enum Implementation<I, O> {
    /// Runs on the asynchronous runtime.
    Async(Arc<dyn Fn(I) -> BoxFuture<'static, Result<O>> + Send + Sync>),
    /// Runs on a thread of its own for as long as it takes.
    Blocking(Arc<dyn Fn(I) -> Result<O> + Send + Sync>),
}

impl Definition {
    /// A service of this name.
    pub fn new(name: &'static str, operations: Vec<OperationDefinition>) -> Self {
        Self { name, operations }
    }
}

impl OperationDefinition {
    /// An operation of this name.
    pub fn new(name: &'static str, start: Start) -> Self {
        Self { name, start, cancel: None }
    }

    /// The same with code of its own that cancels it.
    #[must_use]
    pub fn cancel(self, cancel: Cancel) -> Self {
        Self { cancel: Some(cancel), ..self }
    }
}

impl<I, O> Implementation<I, O> {
    /// Asynchronous code.
    pub fn asynchronous(code: impl Fn(I) -> BoxFuture<'static, Result<O>> + Send + Sync + 'static) -> Self {
        Self::Async(Arc::new(code))
    }

    /// Blocking code.
    pub fn blocking(code: impl Fn(I) -> Result<O> + Send + Sync + 'static) -> Self {
        Self::Blocking(Arc::new(code))
    }
}

impl<I, O> Clone for Implementation<I, O> {
    fn clone(&self) -> Self {
        match self {
            Self::Async(code) => Self::Async(Arc::clone(code)),
            Self::Blocking(code) => Self::Blocking(Arc::clone(code)),
        }
    }
}

impl<I, O> fmt::Debug for Implementation<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Async(_) => "Async",
            Self::Blocking(_) => "Blocking",
        })
    }
}

/// What an operation is started with, encoded.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Input {
    /// The input; `None` if there was none.
    pub payload: Option<Payload>,
    /// Reads the input and writes the result.
    pub converter: DataConverter,
}

impl Input {
    /// An input, and the converter that reads it.
    pub fn new(payload: Option<Payload>, converter: DataConverter) -> Self {
        Self { payload, converter }
    }

    /// Reads the input of an operation.
    ///
    /// # Errors
    ///
    /// `BAD_REQUEST`: the caller would send the same again.
    pub fn decode<S: ?Sized, I: DeserializeOwned, O>(&self, _: Operation<S, I, O>) -> Result<I> {
        self.converter.from_result(self.payload.as_ref()).map_err(|error| {
            let invalid = error.failure().filter(|failure| failure.is_payload_validation());
            let (message, cause) = match invalid {
                Some(failure) => (INVALID_INPUT, failure.clone()),
                None => ("Payload converter failed to decode Nexus operation input", Failure::from_error(&error)),
            };
            Error::handler(HandlerErrorKind::BadRequest, message).cause(cause)
        })
    }

    /// Writes what the handler of an operation has returned.
    ///
    /// # Errors
    ///
    /// The handler's own error; `INTERNAL` if the value cannot be serialized.
    pub fn encode<S: ?Sized, I, O: Serialize, A: Answer<O>>(
        &self,
        _: Operation<S, I, O>,
        answer: A,
        convert: impl FnOnce(A::Error) -> Error,
    ) -> Result<Response<Payload>> {
        Ok(match answer.into_response().map_err(convert)? {
            Response::Done(value) => Response::Done(self.converter.to_payload(&value).map_err(|error| {
                let message = "Payload converter failed to encode Nexus operation result";
                Error::handler(HandlerErrorKind::Internal, message).cause(Failure::from_error(&error))
            })?),
            Response::Started(started) => Response::Started(started.cast()),
        })
    }
}

/// What callers are told of an input that was found not to be valid.
pub const INVALID_INPUT: &str = "Invalid operation input";
