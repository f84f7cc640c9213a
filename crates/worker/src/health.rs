//! How a worker does: as a value, and for those who ask over HTTP.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use stead_client::{RpcError, WithCauses};
use tokio::net::ToSocketAddrs;
use tokio::time::Instant;

use crate::handle::WorkerHandle;
use crate::http::{Endpoint, Page, Status};
use crate::lifecycle::Phase;
use crate::metrics::{Level, Metrics, names};
use crate::shared::Shared;
use crate::slots::Slots;

/// How a worker does now. Made by [`WorkerHandle::health`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WorkerHealth {
    /// The worker's namespace.
    pub namespace: String,
    /// Its task queue.
    pub task_queue: String,
    /// What it is called.
    pub identity: String,
    /// Where it is between its start and its end.
    pub state: WorkerState,
    /// Its polls, by kind; only those that it has.
    pub polls: Vec<PollHealth>,
    /// Its slots, by kind; only those that it has.
    pub slots: Vec<SlotHealth>,
    /// How many workflows it has in memory.
    pub cached_workflows: u64,
    /// How many bytes of history these were sent, which [`max_cached_bytes`](crate::WorkerBuilder::max_cached_bytes)
    /// limits.
    pub cached_bytes: u64,
    /// The last thing that went wrong between it and its server, if anything did since it began.
    pub last_error: Option<LastError>,
}

/// Where a worker is between its start and its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkerState {
    /// It does not run yet.
    Starting,
    /// It takes tasks.
    Running,
    /// The server said for more than a minute that it may not work, so it is about to stop.
    Refused,
    /// It was told to stop, and finishes what it has.
    ShuttingDown,
    /// It has stopped.
    Stopped,
}

/// How polls of one kind do.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PollHealth {
    /// `workflow_task`, `sticky_workflow_task`, `activity_task` or `nexus_task`.
    pub kind: &'static str,
    /// How many are open.
    pub open: u64,
    /// How long ago the server answered one, with a task or without; it answers each within a minute. `None`: not yet.
    pub last_success: Option<Duration>,
    /// How long ago the first one failed since then; `None` while none did.
    pub failing_for: Option<Duration>,
}

/// How slots of one kind are used.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SlotHealth {
    /// `workflow_task`, `activity_task`, `nexus_task` or `local_activity`.
    pub kind: &'static str,
    /// How many have a task.
    pub used: u32,
    /// How many have none; `None` where there is no fixed number.
    pub available: Option<u32>,
    /// The task that has held one for longest.
    pub oldest: Option<OldestTask>,
}

/// The task of its kind that has run for longest.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OldestTask {
    /// The type of its workflow or activity, or service and operation of Nexus.
    pub name: String,
    /// For how long.
    pub running_for: Duration,
}

/// What went wrong last.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LastError {
    /// What the server said, or why it was not reached.
    pub message: String,
    /// How long ago.
    pub ago: Duration,
}

impl WorkerHealth {
    /// Whether the worker can do its work: it is [running](WorkerState::Running), and none of its kinds of polls has failed
    /// for a minute. A worker that is busy with all of its slots is healthy, and so is one that has nothing to do.
    pub fn is_healthy(&self) -> bool {
        let fails = |polls: &PollHealth| polls.failing_for.is_some_and(|failing| failing >= UNHEALTHY_AFTER);
        self.state == WorkerState::Running && !self.polls.iter().any(fails)
    }

    fn to_json(&self) -> Value {
        let polls = self.polls.iter().map(|it| {
            json!({
                "kind": it.kind,
                "open": it.open,
                "seconds_since_success": it.last_success.map(seconds),
                "failing_for_seconds": it.failing_for.map(seconds),
            })
        });
        let slots = self.slots.iter().map(|it| {
            let oldest = it.oldest.as_ref();
            let oldest =
                oldest.map(|task| json!({"type": task.name, "running_for_seconds": seconds(task.running_for)}));
            json!({"kind": it.kind, "used": it.used, "available": it.available, "oldest": oldest})
        });
        let last_error = self.last_error.as_ref();
        let last_error = last_error.map(|it| json!({"message": it.message, "seconds_ago": seconds(it.ago)}));
        json!({
            "healthy": self.is_healthy(),
            "state": self.state.name(),
            "namespace": self.namespace,
            "task_queue": self.task_queue,
            "identity": self.identity,
            "polls": polls.collect::<Vec<_>>(),
            "slots": slots.collect::<Vec<_>>(),
            "cached_workflows": self.cached_workflows,
            "cached_bytes": self.cached_bytes,
            "last_error": last_error,
        })
    }
}

impl WorkerState {
    fn of(shared: &Shared) -> Self {
        match shared.lifecycle.phase() {
            Phase::Starting => Self::Starting,
            Phase::Stopped => Self::Stopped,
            _ if shared.is_refused() => Self::Refused,
            Phase::Running => Self::Running,
            Phase::Draining | Phase::PollsClosed | Phase::Cancelling | Phase::Abandoning => Self::ShuttingDown,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Refused => "refused",
            Self::ShuttingDown => "shutting_down",
            Self::Stopped => "stopped",
        }
    }
}

impl WorkerHandle {
    /// How the worker does now.
    pub fn health(&self) -> WorkerHealth {
        let shared = &*self.0;
        let (has_workflows, has_activities) = (!shared.guests.is_empty(), shared.polls_activities());
        let has_nexus = !shared.nexus.is_empty();
        let polls = [
            (&shared.workflow_polls, has_workflows),
            (&shared.sticky_polls, shared.sticky_queue.is_some()),
            (&shared.activity_polls, has_activities),
            (&shared.nexus_polls, has_nexus),
        ];
        let slots = [
            ("workflow_task", &shared.workflow_slots, has_workflows),
            ("activity_task", &shared.activity_slots, has_activities),
            ("nexus_task", &shared.nexus_slots, has_nexus),
            ("local_activity", &shared.local_activity_slots, has_workflows && !shared.activities.is_empty()),
        ];
        WorkerHealth {
            namespace: shared.namespace.clone(),
            task_queue: shared.task_queue.clone(),
            identity: shared.identity.clone(),
            state: WorkerState::of(shared),
            polls: polls.into_iter().filter(|(_, has)| *has).map(|(polls, _)| polls.health()).collect(),
            slots: slots
                .into_iter()
                .filter(|(.., has)| *has)
                .map(|(kind, slots, _)| slot_health(kind, slots))
                .collect(),
            cached_workflows: shared.cached_runs.get(),
            cached_bytes: shared.cached_bytes.get(),
            last_error: shared.errors.last(),
        }
    }
}

/// Answers `GET /healthz` at this address with how the workers do, until the endpoint is dropped. With the port 0 the system
/// chooses one.
///
/// The status is 200 while all of them are [healthy](WorkerHealth::is_healthy), else 503: one that has not started, was told
/// to stop or has stopped, and one whose polls have failed for a minute. The body is JSON, what [`WorkerHealth`] says of each:
///
/// ```json
/// {"healthy": true, "workers": [{"healthy": true, "state": "running", "task_queue": "orders", "last_error": null}]}
/// ```
///
/// ```no_run
/// # async fn example(worker: stead_worker::Worker) -> Result<(), Box<dyn std::error::Error>> {
/// let _health = stead_worker::serve_health("0.0.0.0:8080", [worker.handle()]).await?;
/// worker.run().await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// The address cannot be had.
pub async fn serve_health(
    address: impl ToSocketAddrs,
    workers: impl IntoIterator<Item = WorkerHandle>,
) -> io::Result<Endpoint> {
    let workers: Vec<_> = workers.into_iter().collect();
    let render = move || {
        let healths: Vec<_> = workers.iter().map(WorkerHandle::health).collect();
        let all = healths.iter().all(WorkerHealth::is_healthy);
        let body = json!({"healthy": all, "workers": healths.iter().map(WorkerHealth::to_json).collect::<Vec<_>>()});
        (if all { Status::Ok } else { Status::Unavailable }, format!("{body}\n"))
    };
    let page = Page { path: "/healthz", content_type: "application/json", render: Box::new(render) };
    Endpoint::serve(address, page).await
}

fn slot_health(kind: &'static str, slots: &Slots) -> SlotHealth {
    let report = slots.report();
    let oldest = report.oldest.map(|task| OldestTask { name: task.name, running_for: task.since.elapsed() });
    SlotHealth { kind, used: report.used, available: report.available, oldest }
}

fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e3).round() / 1e3
}

/// What a worker polls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PollKind {
    Workflow,
    Sticky,
    Activity,
    Nexus,
}

impl PollKind {
    /// As the label of the metric has it.
    const fn labels(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Workflow => &[("poller_type", "workflow_task")],
            Self::Sticky => &[("poller_type", "sticky_workflow_task")],
            Self::Activity => &[("poller_type", "activity_task")],
            Self::Nexus => &[("poller_type", "nexus_task")],
        }
    }

    const fn name(self) -> &'static str {
        self.labels()[0].1
    }
}

/// What is known of the polls of one kind.
pub(crate) struct Polls {
    kind: PollKind,
    /// How many are open.
    pub(crate) open: Level,
    notes: Mutex<Notes>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Notes {
    succeeded: Option<Instant>,
    failing_since: Option<Instant>,
}

impl Polls {
    pub(crate) fn new(metrics: &Arc<Metrics>, kind: PollKind) -> Self {
        Self { kind, open: Level::new(metrics, &names::NUM_POLLERS, kind.labels()), notes: Mutex::default() }
    }

    /// The server answered one.
    pub(crate) fn succeeded(&self) {
        *self.notes() = Notes { succeeded: Some(Instant::now()), failing_since: None };
    }

    /// An attempt of one failed.
    pub(crate) fn failed(&self) {
        self.notes().failing_since.get_or_insert_with(Instant::now);
    }

    /// When the server answered one last.
    pub(crate) fn last_success(&self) -> Option<Duration> {
        self.notes().succeeded.map(|at| at.elapsed())
    }

    fn health(&self) -> PollHealth {
        let Notes { succeeded, failing_since } = *self.notes();
        PollHealth {
            kind: self.kind.name(),
            open: self.open.get(),
            last_success: succeeded.map(|at| at.elapsed()),
            failing_for: failing_since.map(|at| at.elapsed()),
        }
    }

    /// No foreign code runs under the lock, so a poisoned one is intact.
    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The last thing that went wrong between a worker and its server.
#[derive(Debug, Default)]
pub(crate) struct Errors(Mutex<Option<(String, Instant)>>);

impl Errors {
    pub(crate) fn note(&self, error: &RpcError) {
        let message = WithCauses(error).to_string();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((message, Instant::now()));
    }

    fn last(&self) -> Option<LastError> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().map(|(message, at)| LastError { message: message.clone(), ago: at.elapsed() })
    }
}

/// A server answers a poll within a minute, so what fails for longer is no passing trouble.
const UNHEALTHY_AFTER: Duration = Duration::from_secs(60);
