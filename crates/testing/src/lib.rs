//! Tools for testing workflows and activities.
//!
//! - [`ActivityEnv`] runs an activity on its own, without a server.
//! - [`Replayer`] runs recorded histories against the code of today.

mod activity_env;

pub use activity_env::ActivityEnv;
pub use stead_worker::replay::{ReplayDirError, ReplayError, ReplayedWorkflow, Replayer};
