//! A worker against a server in the test: what it asks, what it answers, and how it ends.

mod activities;
mod codec;
mod deadlocks;
mod handle;
mod lifecycle;
mod logs;
mod nexus;
mod options;
mod payload_limits;
mod server;
mod shadows;
mod tuners;
mod workflow_tasks;
mod workflows;

#[cfg(feature = "replay")]
mod replay;
