//! Whether the server can go on before time passes: what a clock that skips has to know.
//!
//! A run is busy while a worker has, or could take, something to do for it: a workflow task, an activity that is not in
//! a backoff, or what a Nexus operation wants of its handler. An operation that the handler has begun waits like a timer:
//! what goes on elsewhere in this server is busy by itself. Queries keep workers busy without a trace in the run. A batch
//! is busy to its end, unless it has a rate and so waits for time to pass. A room with more of that kind has to be counted
//! in [`Engine::is_idle`].

use super::activity::ActivityState;
use super::run::Run;
use super::run::state::WorkflowTask;
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
        self.is_idle_but_for(0)
    }

    /// The same, except for at most so many [things that can wait](Self::things_that_can_wait).
    #[must_use]
    pub fn is_idle_but_for(&self, things: usize) -> bool {
        let executions = self.operations.any_is_busy() || self.batches.any_is_busy();
        if executions || !self.queries.is_empty() || self.closed_histories.reads() {
            return false;
        }
        if things == 0 {
            return !self.runs.any_is_busy() && !self.activities.any_is_busy();
        }
        self.runs.busy().all(Run::can_wait)
            && self.activities.none_is_offered()
            && self.things_that_can_wait() <= things
    }

    /// How many activities workers have, which may wait for time to pass, and workflow tasks nobody has taken.
    #[must_use]
    pub fn things_that_can_wait(&self) -> usize {
        self.runs.busy().map(Run::things_that_can_wait).sum::<usize>() + self.activities.with_workers()
    }

    /// Whether a worker has something to do: what is offered and nobody took does not count. `patiently`: neither does a
    /// workflow task that was tried before, since a worker that cannot do it does not say so again.
    #[must_use]
    pub fn worker_has_work(&self, patiently: bool) -> bool {
        let has_work = |run: &Run| run.worker_has_work(patiently);
        let batches = self.batches.any_is_busy();
        let requests = batches || self.requests.any_is_taken() || self.closed_histories.reads();
        self.runs.busy().any(has_work)
            || self.activities.with_workers() > 0
            || self.queries.any_is_started()
            || requests
    }

    /// Whether a call waits for an outcome or an answer, not for work.
    #[must_use]
    pub fn somebody_asks(&self) -> bool {
        self.somebody_waits() || !self.queries.is_empty()
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

    /// Whether nothing keeps it busy but things that can wait.
    fn can_wait(&self) -> bool {
        let offered = |activity: &ActivityState| activity.is_busy() && activity.started.is_none();
        !self.task_is_started() && !self.asks_handlers() && !self.activities.values().any(offered)
    }

    fn things_that_can_wait(&self) -> usize {
        let activities = self.activities.values().filter(|activity| activity.started.is_some()).count();
        activities + usize::from(self.state.task.is_some() && !self.task_is_started())
    }

    fn worker_has_work(&self, patiently: bool) -> bool {
        let task = match &self.state.task {
            Some(WorkflowTask::Started(task)) => !patiently || task.scheduled.attempt <= 1,
            _ => false,
        };
        self.is_open() && (task || self.activities.values().any(|activity| activity.started.is_some()))
    }
}
