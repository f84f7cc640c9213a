//! Tools for testing workflows and activities, with nothing to install.
//!
//! - [`TestEnv`] is a server of its own for each test, in this process, which skips time; with a client, workers, mocks
//!   and readable histories. `#[stead::test]` makes one for each test, and fails the test when it is [`Stuck`].
//! - [`ActivityEnv`] runs an activity on its own, without a server.
//! - [`Simulation`] runs workflows through lost messages and crashes that a seed decides about.
//! - [`violations`] says what is wrong with a history, whatever its workflow.
//! - [`Replayer`] runs recorded histories against the code of today.

mod activity_env;
mod env;
mod error;
mod run;
mod simulation;
mod snapshot;
mod validate;

pub use activity_env::ActivityEnv;
pub use env::{Mock, NexusEndpoint, ServerProgram, Stuck, TestEnv, TestWorker, TestWorkerBuilder};
pub use error::TestError;
pub use simulation::{Faults, Report, SimulatedEnv, Simulation, SimulationError};
pub use snapshot::Snapshot;
pub use stead_worker::replay::{
    Difference, Mismatch, MismatchKind, Operation, RecentEvent, ReplayError, ReplayMany, ReplayManyError,
    ReplayProgress, ReplayedWorkflow, Replayer,
};
pub use validate::{Broken, Subject, Violation, violations};

/// What the macros' expansions name. Not a public interface.
#[doc(hidden)]
pub mod __private {
    pub mod testing {
        pub use crate::run::run;
    }
}
