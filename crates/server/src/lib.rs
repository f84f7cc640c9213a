//! A Temporal server as a library: in process, in memory or on SQLite.
//!
//! [`engine`] is the server without its I/O, [`store`] keeps what it writes, and the rim (gRPC, clocks, the thread that
//! owns the engine) is the only room that does I/O. The crate links nothing of the SDK's core: it is the oracle of the
//! SDK's tests and must not share the bugs that it should expose.

pub mod clock;
pub mod engine;
pub mod rim;
pub mod server;
pub mod store;

pub use clock::{Clock, ClockControl, ClockError};
pub use rim::{Service, Standstill, Stepped};
#[cfg(feature = "tls")]
pub use rim::{Tls, TlsError, TlsPart};
pub use server::{Builder, Listen, SearchAttributeType, Server, StartError};
pub use store::{Store, StoreError};
