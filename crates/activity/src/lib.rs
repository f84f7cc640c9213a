//! Activities: the code that does what workflows must not, such as I/O.
//!
//! An activity is a method of a type that [`Activities`] is implemented for, which `#[activities]` does. While it
//! runs, the functions of this crate speak for the attempt that the calling code belongs to: [`heartbeat`],
//! [`heartbeat_details`], [`info`], [`cancelled`], [`check_cancelled`] … They find it through the thread: the worker
//! sets it whenever it polls an asynchronous activity and for as long as a blocking one runs. Code that moves to another
//! task or thread takes a [`Context`] along and [enters](Context::enter) it there.
//!
//! Cancellation is cooperative: nothing stops an activity that does not look. A heartbeat is how the server's wish to
//! cancel reaches a worker, so an activity that should be cancellable must heartbeat.
//!
//! What is not here: the worker that runs activities, and the transport. A worker implements [`HeartbeatSink`],
//! triggers a [`Cancellation`] and fills the [`Extensions`].

mod cancellation;
mod context;
mod definition;
mod error;
mod info;
mod interceptor;
#[cfg_attr(not(unix), expect(dead_code, reason = "an activity fails there and does not start a process"))]
pub mod process;

pub use cancellation::{Cancellation, CancellationDetails, Cancelled};
pub use context::{
    Context, ContextParts, HeartbeatSink, cancellation_details, cancelled, check_cancelled, data_converter, decode,
    extension, heartbeat, heartbeat_details, in_activity, info, is_cancelled, is_worker_shutdown, meter,
    worker_shutdown,
};
pub use definition::{Activities, Definition, Implementation, Input};
pub use error::{Error, Result};
pub use info::{Info, WorkflowInfo};
#[doc(hidden)]
pub use interceptor::InterceptedHeartbeats;
pub use interceptor::{Interceptor, Next};
pub use stead_data::current::CarryOver;
pub use stead_data::{Extensions, Raw};

/// Paths that generated code names. Not for use by hand.
#[doc(hidden)]
pub mod __private {
    pub use crate as activity;
    pub use serde;
    pub use stead_data as data;
}
