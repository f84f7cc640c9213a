//! Tools for testing workflows and activities.
//!
//! So far that is replay: recorded histories against the code of today. See [`Replayer`].

pub use stead_worker::replay::{ReplayDirError, ReplayError, ReplayedWorkflow, Replayer};
