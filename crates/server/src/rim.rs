//! The rim: the only room of the server that does I/O.
//!
//! Each call is framed by `service` and handed to the thread of `driver`, which owns the engine, the clock's
//! `Timeline` and the calls that wait. What the engine wants kept goes through `journal` to
//! the store, and the answers that depend on it follow behind. `tcp` listens; in process, the service is called as it
//! is, without socket and HTTP/2.

mod body;
mod driver;
mod frame;
mod gzip;
mod health;
mod inbox;
mod journal;
mod paths;
mod patience;
#[cfg(feature = "reflection")]
mod reflection;
mod service;
mod sleepers;
mod status;
mod stepped;
mod tcp;
mod test_service;
mod timeout;
#[cfg(feature = "tls")]
mod tls;
mod waiting;

pub(crate) use driver::{Driver, Running};
pub(crate) use inbox::Inbox;
pub(crate) use tcp::{Listener, Wire};

pub use body::Body;
pub use inbox::Standstill;
pub use service::Service;
pub use stepped::Stepped;
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsError, TlsPart};
