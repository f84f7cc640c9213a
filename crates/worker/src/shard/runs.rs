//! The thread of a shard: its runs, and what happens to them.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use stead_core::cache::RunCache;
use stead_core::{CompletionOutcome, Eviction, EvictionReason, Instant, Run, RunOptions};
use stead_proto::workflowservice::v1::PollWorkflowTaskQueueResponse;
use tokio::runtime::Handle;

use super::desk::{Next, Seat};
use super::outside::ShardOutside;
use super::{Event, watchdog};
use crate::clock::Clock;
use crate::complete;
use crate::driver::{Driver, Ending, Incoming, TaskId};
use crate::guests::Guests;
use crate::metrics::names;
use crate::shared::Shared;
use crate::slots::Permit;

/// The runs of one shard.
pub(super) struct Shard {
    shared: Arc<Shared>,
    runtime: Handle,
    clock: Clock,
    guests: Guests,
    options: Arc<RunOptions>,
    runs: RunCache<Driver>,
    /// What the runs weigh, as the worker was told last.
    told_bytes: u64,
    /// The moments that runs asked for. Few do.
    timeouts: BTreeMap<String, Instant>,
    /// Given up after the runs, whose code may take its time to be dropped.
    seat: Seat,
}

impl Shard {
    pub(super) fn new(shared: Arc<Shared>, guests: Guests, seat: Seat, runtime: Handle) -> Self {
        let shards = shared.options.shards.max(1);
        let capacity = shared.options.max_cached_workflows.div_ceil(shards);
        let max_bytes = shared.options.max_cached_bytes.div_ceil(shards);
        let options = Arc::new(shared.run_options());
        Self {
            shared,
            runtime,
            clock: Clock::new(),
            guests,
            options,
            runs: RunCache::new(capacity, max_bytes),
            told_bytes: 0,
            timeouts: BTreeMap::new(),
            seat,
        }
    }

    /// Handles events until the desk is closed, or somebody else sits there.
    pub(super) fn run(mut self) {
        loop {
            let next = self.seat.next(self.next_timeout());
            if self.handle_next(next).is_break() {
                return;
            }
        }
    }

    /// The same without a thread.
    #[cfg(feature = "simulation")]
    pub(super) async fn run_here(mut self) {
        loop {
            let next = self.seat.next_here(self.next_timeout()).await;
            if self.handle_next(next).is_break() {
                return;
            }
        }
    }

    fn handle_next(&mut self, next: Next) -> ControlFlow<()> {
        match next {
            Next::Event(event) => {
                if event.incoming.task().is_some() {
                    self.shared.codec.arrived(&event.run_id);
                }
                self.handle(event);
            }
            Next::TimedOut => self.handle_timeouts(),
            Next::Leave => return ControlFlow::Break(()),
        }
        self.tell_bytes(self.runs.weight() as u64);
        ControlFlow::Continue(())
    }

    fn tell_bytes(&mut self, bytes: u64) {
        self.shared.cached_bytes.change(self.told_bytes, bytes);
        self.told_bytes = bytes;
    }

    fn handle(&mut self, event: Event) {
        let Event { run_id, incoming, permit } = event;
        if !self.seat.turn_to(&run_id, incoming.task(), permit) {
            return;
        }
        self.guests.last_operation().clear();
        let Some(incoming) = self.admit(&run_id, incoming) else { return };
        let Some(driver) = self.runs.get_mut(&run_id) else { return };
        if let Some(task) = incoming.task() {
            log_task(task, &run_id);
            if task.query.is_none() {
                driver.measure.task(&self.shared.metrics, task);
            }
        }
        if let Incoming::LocalActivity { seq, attempt, .. } = incoming {
            self.seat.with_attempts(&run_id, |attempts| attempts.ended(seq, attempt));
        }
        let (shared, seat, clock) = (&self.shared, &self.seat, self.clock);
        let mut outside = ShardOutside { shared, seat, runtime: &self.runtime, clock, run_id: &run_id };
        let ending = driver.handle(incoming, &self.guests, &mut outside);
        // What is shared belongs to whoever sits at the desk.
        if self.seat.is_mine() {
            self.settle(run_id, ending);
        }
    }

    /// Makes sure that the run exists if `incoming` is a task for it. What else arrives for a run that is gone, is late.
    fn admit(&mut self, run_id: &str, incoming: Incoming) -> Option<Incoming> {
        if let Some(driver) = self.runs.peek(run_id) {
            if let Incoming::Task(_) = &incoming {
                driver.measure.cache_hit(&self.shared.metrics);
            }
            return Some(incoming);
        }
        let task = match incoming {
            Incoming::Task(task) => task,
            Incoming::Completed(CompletionOutcome::Accepted { next_task: Some(task), .. }) => task,
            _ => return None,
        };
        if self.seat.is_stuck(run_id) {
            self.refuse(run_id, &task);
            return None;
        }
        if !starts_at_the_beginning(&task) {
            self.shared.metrics.cache_missed();
        }
        self.shared.cached_runs.raise();
        self.runs.insert(run_id.to_owned(), Driver::new(run_id, Arc::clone(&self.options)));
        self.make_room(run_id);
        Some(Incoming::Task(task))
    }

    /// Answers a task of a run in whose code a thread still is that was given up: another one would come to the same.
    fn refuse(&self, run_id: &str, task: &PollWorkflowTaskQueueResponse) {
        let failure = watchdog::still_stuck(run_id);
        tracing::warn!(
            target: "stead::worker",
            run_id, temporal_error_identifier = "WorkflowTaskFailure", "workflow task failed: {}", failure.message
        );
        let (shared, owner, task) =
            (Arc::clone(&self.shared), self.shared.codec.owner_of_run(run_id), TaskId::of(task));
        self.runtime.spawn(async move { complete::given_up(&shared, &owner, task, failure).await });
        drop(self.seat.release(run_id));
        self.shared.codec.forget(run_id);
    }

    /// Drops runs that were not used for longest, as far as none of their tasks is under way.
    fn make_room(&mut self, newest: &str) {
        while self.runs.is_over_capacity() {
            let idle = |driver: &Driver| driver.run().is_idle() && driver.run().run_id() != newest;
            let Some(run_id) = self.runs.least_recently_used(idle).map(str::to_owned) else { return };
            tracing::debug!(target: "stead::worker", run_id, reason = %EvictionReason::CacheFull, "run evicted");
            self.count_eviction();
            self.discard(&run_id);
        }
    }

    fn settle(&mut self, run_id: String, ending: Option<Ending>) {
        match ending {
            Some(Ending::Evicted(eviction)) => self.evict(run_id, eviction),
            Some(Ending::Panicked(message)) => {
                tracing::error!(target: "stead::worker", run_id, panic = message, "run dropped");
                self.count_eviction();
                self.discard(&run_id);
            }
            None => self.rest(run_id),
        }
    }

    /// After an event: gives slots back if nothing is under way, and notes the moment that the run asks for.
    fn rest(&mut self, run_id: String) {
        let keeps_idle_runs = self.runs.capacity() > 0;
        let Some(driver) = self.runs.get_mut(&run_id) else { return };
        if driver.run().is_idle() {
            drop(self.seat.release(&run_id));
            if !keeps_idle_runs {
                self.discard(&run_id);
                return;
            }
        }
        let (timeout, size) = (driver.run().poll_timeout(), driver.run().history_size_bytes());
        self.runs.set_weight(&run_id, usize::try_from(size).unwrap_or(usize::MAX));
        self.make_room(&run_id);
        match timeout {
            Some(at) => drop(self.timeouts.insert(run_id, at)),
            None => drop(self.timeouts.remove(&run_id)),
        }
    }

    /// Drops a run, and begins it anew if tasks for it have arrived in the meantime.
    fn evict(&mut self, run_id: String, eviction: Eviction) {
        if let Some(driver) = self.runs.get_mut(&run_id) {
            log_eviction(driver.run(), eviction.reason, &eviction.message);
        }
        let Eviction { next_tasks, reason, .. } = eviction;
        if reason != EvictionReason::WorkflowEnded {
            self.count_eviction();
        }
        let mut permits = self.forget(&run_id).into_iter();
        if next_tasks.is_empty() {
            self.shared.codec.forget(&run_id);
        }
        for task in next_tasks {
            let incoming = Incoming::Task(Box::new(task));
            self.handle(Event { run_id: run_id.clone(), incoming, permit: permits.next() });
        }
    }

    /// Drops a run that has no more tasks here.
    fn discard(&mut self, run_id: &str) {
        drop(self.forget(run_id));
        if self.seat.is_mine() {
            self.shared.codec.forget(run_id);
        }
    }

    /// Drops a run. Its slots are the caller's.
    fn forget(&mut self, run_id: &str) -> Vec<Permit> {
        self.timeouts.remove(run_id);
        if self.runs.remove(run_id).is_some() {
            self.shared.cached_runs.lower();
        }
        self.seat.release(run_id)
    }

    /// A run leaves before it has ended.
    fn count_eviction(&self) {
        self.shared.metrics.count(&names::STICKY_CACHE_TOTAL_FORCED_EVICTION, &[]);
    }

    fn next_timeout(&self) -> Option<Duration> {
        let next = self.timeouts.values().min()?;
        Some(next.saturating_duration_since(self.clock.now()))
    }

    fn handle_timeouts(&mut self) {
        let now = self.clock.now();
        let due: Vec<_> = self.timeouts.iter().filter(|(_, at)| **at <= now).map(|(id, _)| id.clone()).collect();
        for run_id in due {
            self.timeouts.remove(&run_id);
            self.handle(Event { run_id, incoming: Incoming::Timeout, permit: None });
        }
    }
}

impl Drop for Shard {
    /// The runs leave with the shard.
    fn drop(&mut self) {
        for _ in self.runs.iter() {
            self.shared.cached_runs.lower();
        }
        self.tell_bytes(0);
    }
}

/// Whether a task brings all of its run's history, or the first page of it.
fn starts_at_the_beginning(task: &PollWorkflowTaskQueueResponse) -> bool {
    let first = task.history.as_ref().and_then(|history| history.events.first());
    first.is_some_and(|event| event.event_id == 1)
}

/// What a user has to mend is a warning, on every attempt: the server is told of the first one only.
fn log_eviction(run: &Run, reason: EvictionReason, message: &str) {
    let (workflow_type, workflow_id, run_id) = (run.workflow_type(), run.workflow_id(), run.run_id());
    match reason {
        EvictionReason::Nondeterminism | EvictionReason::GuestFailed | EvictionReason::BadHistory => tracing::warn!(
            target: "stead::worker",
            workflow_type, workflow_id, run_id, %reason, temporal_error_identifier = "WorkflowTaskFailure",
            "workflow task failed, the server will try it again: {message}"
        ),
        _ => tracing::debug!(target: "stead::worker", run_id, %reason, detail = message, "run evicted"),
    }
}

fn log_task(task: &PollWorkflowTaskQueueResponse, run_id: &str) {
    tracing::debug!(
        target: "stead::worker",
        workflow_type = task.workflow_type.as_ref().map(|it| it.name.as_str()),
        workflow_id = task.workflow_execution.as_ref().map(|it| it.workflow_id.as_str()),
        run_id,
        attempt = task.attempt,
        events = task.history.as_ref().map_or(0, |it| it.events.len()),
        queries = task.queries.len() + usize::from(task.query.is_some()),
        messages = task.messages.len(),
        "workflow task received"
    );
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    use super::*;

    /// The identifiers of the errors that are logged.
    #[derive(Clone, Default)]
    struct Identifiers(Arc<Mutex<Vec<String>>>);

    impl Visit for Identifiers {
        fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
            if field.name() == "temporal_error_identifier" {
                self.0.lock().expect("nobody panics").push(format!("{value:?}"));
            }
        }
    }

    impl Subscriber for Identifiers {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &Event<'_>) {
            event.record(&mut self.clone());
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    #[test]
    fn failed_workflow_tasks_are_logged_with_the_identifier_that_filters_look_for() {
        let identifiers = Identifiers::default();
        let run = Run::new("r", Arc::default());
        tracing::subscriber::with_default(identifiers.clone(), || {
            log_eviction(&run, EvictionReason::GuestFailed, "no");
            log_eviction(&run, EvictionReason::CacheFull, "no");
        });
        assert_eq!(*identifiers.0.lock().expect("nobody panics"), ["\"WorkflowTaskFailure\""]);
    }
}
