//! Workers: where I/O meets the state machines.
//!
//! A [`Worker`] polls a task queue and runs what it is sent. The module `replay`, behind the feature of that name, runs
//! recorded histories through the same loop, without a server.
//!
//! One workflow task, in order: a poller (`poll`) holds a slot and receives it; the shard (`shard`) of its run hands it
//! to the run's machines; the loop of `driver` carries activations to the workflow's code and commands back until the
//! machines are content; their answer is sent (`complete`), and the slot is free again. An activity is simpler: a poller
//! receives it, and the executor (`activity`) runs it and reports.
//!
//! What is not here: state machines (`stead-core`), the code that runs in them (`stead-workflow`, `stead-activity`), the
//! connection (`stead-client`).

mod activity;
#[cfg(any(feature = "prometheus", feature = "opentelemetry"))]
mod aggregate;
mod clock;
mod codec;
mod complete;
mod deployment;
mod driver;
mod eager;
mod error;
#[cfg(feature = "guard")]
mod guard;
mod guests;
mod handle;
mod health;
mod heartbeat;
mod http;
mod lifecycle;
mod metrics;
pub mod nexus;
#[cfg(feature = "opentelemetry")]
#[cfg_attr(docsrs, doc(cfg(feature = "opentelemetry")))]
pub mod opentelemetry;
mod plugin;
mod poll;
#[cfg(feature = "prometheus")]
#[cfg_attr(docsrs, doc(cfg(feature = "prometheus")))]
pub mod prometheus;
#[cfg(feature = "replay")]
#[cfg_attr(docsrs, doc(cfg(feature = "replay")))]
pub mod replay;
mod shadow;
mod shard;
mod shared;
mod slots;
mod worker;

pub use deployment::WorkerDeployment;
pub use error::{BuildError, RunError};
pub use handle::{Overlap, ReplaceClientError, WorkerHandle};
pub use health::{LastError, OldestTask, PollHealth, SlotHealth, WorkerHealth, WorkerState, serve_health};
pub use http::Endpoint;
pub use lifecycle::ShutdownHandle;
pub use plugin::{Plugin, WorkerPlugin, for_workers};
pub use poll::PollerBehavior;
pub use slots::{
    ResourceSlots, ResourceTargets, SlotContext, SlotKind, SlotPermit, SlotSupplier, SlotSupply, SlotTask, Tuner,
};
pub use worker::{Worker, WorkerBuilder};
