//! Whether the server can go on before time passes: what a clock that skips has to know.
//!
//! A run is busy while a worker has, or could take, something to do for it: a workflow task, an activity that is not in
//! a backoff, or what a Nexus operation wants of its handler. An operation that the handler has begun waits like a timer:
//! what goes on elsewhere in this server is busy by itself. Queries keep workers busy without a trace in the run. A room with more of that kind has to be counted in
//! [`Engine::is_idle`].

use super::activity::ActivityState;
use super::run::Run;
use super::{Engine, Time};

impl Engine {
    /// The latest instant that it was told of, or that it knew when it was restored.
    #[must_use]
    pub fn now(&self) -> Time {
        self.now
    }

    /// Whether nothing goes on before another call comes or time passes.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let executions = self.activities.any_is_busy() || self.operations.any_is_busy();
        let waits = !self.queries.is_empty() || self.closed_histories.reads();
        !self.runs.any_is_busy() && !executions && !waits
    }

    /// When something goes on by itself. Unlike [`poll_timeout`](Self::poll_timeout) it leaves out what changes nothing
    /// for those who wait: forgetting runs that have closed.
    #[must_use]
    pub fn poll_progress(&self) -> Option<Time> {
        self.next_deadline()
    }

    /// Whether a call waits for an outcome, not for work.
    #[must_use]
    pub fn somebody_waits(&self) -> bool {
        self.waits.somebody_waits()
    }
}

impl Run {
    pub(super) fn is_busy(&self) -> bool {
        let activities = || self.activities.values().any(ActivityState::is_busy);
        self.is_open() && (self.state.task.is_some() || activities() || self.asks_handlers())
    }
}
