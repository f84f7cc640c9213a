//! What the benchmarks share: histories as a server writes them, the code that goes with them, and a run that is driven
//! the way a worker drives it.

mod driver;
mod guests;
mod history;

pub use driver::{Live, replay};
pub use guests::{Acts, Trivial, real};
pub use history::{Tasks, sequence};

/// What a workflow does, over and over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Waits for a timer.
    Timer,
    /// Waits for an activity.
    Activity,
    /// Accepts an update and completes it.
    Update,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Timer, Self::Activity, Self::Update];

    /// As it is called in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Timer => "timer",
            Self::Activity => "activity",
            Self::Update => "update",
        }
    }
}
