//! Nexus services: operations that workflows of other teams, namespaces or languages call through an endpoint.
//!
//! A service is a trait that callers and handlers share, or the impl block of its handlers alone; `#[nexus_service]` goes
//! on both. A handler gives the operation's result, or says what goes on in its place, such as a workflow:
//! [`Started`]. While it runs, the functions of this crate speak for the request that the calling code belongs to:
//! [`info`], [`cancelled`], [`meter`] … They find it through the thread, as those of activities do. Code that moves to
//! another task or thread takes a [`Context`] along and [enters](Context::enter) it there.
//!
//! A request has a deadline of seconds: what takes longer belongs into a workflow. See [`Error`] for how an operation
//! fails.
//!
//! What is not here: the worker that runs handlers, and the transport.

mod cancellation;
mod context;
mod definition;
mod error;
mod info;
mod interceptor;
mod token;

pub use cancellation::{CancelReason, Cancellation};
pub use context::{
    Context, ContextParts, Starting, add_link, cancel_reason, cancelled, data_converter, extension, in_operation, info,
    is_cancelled, is_worker_shutdown, meter, worker_shutdown,
};
pub use definition::{Cancel, Definition, INVALID_INPUT, Implementation, Input, OperationDefinition, Service, Start};
pub use error::{Error, ErrorKind, HandlerError, Result};
pub use info::{Info, StartInfo};
#[doc(hidden)]
pub use interceptor::Request;
pub use interceptor::{Interceptor, Next};
pub use stead_data::current::CarryOver;
pub use stead_data::nexus::{Answer, Callback, HandlerErrorKind, Link, NexusService, Response, Started};
pub use token::{Backing, InvalidToken, OperationToken};

/// Paths that generated code names. Not for use by hand.
#[doc(hidden)]
pub mod __private {
    pub use crate as nexus;
    pub use serde;
    pub use stead_data as data;
}
