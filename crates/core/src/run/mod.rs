//! One run of one workflow, as a value.

mod admitting;
mod failing;
mod holding;
mod output;
mod queries;
mod replay;
mod task;
mod working;

use std::sync::Arc;

use stead_activation::{DeploymentVersion, Issued, Seq, Settings, TaskFailure};
use stead_proto::workflowservice::v1::PollWorkflowTaskQueueResponse;

use self::failing::Reason;
use self::task::{Task, Ticket, Waiting};

pub use self::output::{
    Completion, CompletionOutcome, Eviction, EvictionReason, FailedTask, HistoryPage, Output, QueryReply,
};
pub use self::replay::replay_task;
use crate::machines::Machines;
use crate::{Instant, LocalActivityOutcome};

/// What a worker or a replayer knows that history does not.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RunOptions {
    /// Namespace of the workflow. Default: `default`.
    pub namespace: Arc<str>,
    /// Whether activities on the workflow's own task queue ask to be started by the same worker, without going
    /// through the queue. Default: no.
    pub eager_activities: bool,
    /// Whether the server records SDK metadata (its capability `sdk_metadata`). Without it no SDK flag is used in new
    /// tasks. Default: yes.
    pub sdk_metadata: bool,
    /// Name of the SDK in that metadata. Default: `stead`.
    pub sdk_name: &'static str,
    /// Version of the SDK in that metadata. Default: the version of this crate.
    pub sdk_version: &'static str,
    /// The deployment version of this worker. Default: none.
    pub deployment_version: Option<DeploymentVersion>,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            namespace: Arc::from("default"),
            eager_activities: false,
            sdk_metadata: true,
            sdk_name: "stead",
            sdk_version: env!("CARGO_PKG_VERSION"),
            deployment_version: None,
        }
    }
}

/// The state machines of one run.
///
/// # Calling order
///
/// Make a run for the first task of a run id that is not cached, and give it that task and every later one with
/// [`handle_task`](Self::handle_task). After any `handle_*`, take outputs with [`poll_output`](Self::poll_output)
/// until there are none. Outputs about local activities wait for nothing, and [`Output::Evict`] is the last. Each other
/// output waits for its answer, and there is at most one such output at a time:
///
/// | output | answer |
/// |---|---|
/// | [`Output::Activate`] | [`handle_commands`](Self::handle_commands) or [`handle_guest_failure`](Self::handle_guest_failure) |
/// | [`Output::FetchHistory`] | [`handle_history`](Self::handle_history) or [`handle_history_failed`](Self::handle_history_failed) |
/// | [`Output::StartLocalActivity`] | [`handle_local_activity`](Self::handle_local_activity), whenever it ended |
/// | [`Output::StopLocalActivity`] | none |
/// | [`Output::Complete`], [`Output::Fail`], [`Output::AnswerQuery`] | [`handle_completed`](Self::handle_completed) |
/// | [`Output::Evict`] | none: drop the run and its guest, and give `next_tasks` to a new run |
///
/// Tasks and eviction requests may come at any time and are remembered while an answer is due. An answer that nothing
/// asked for is ignored. When there are no outputs and [`is_idle`](Self::is_idle), the run waits for its next task.
#[derive(Debug)]
pub struct Run {
    machines: Machines,
    state: State,
    waiting: Waiting,
    /// Why the run should leave the cache as soon as it can.
    leaving: Option<EvictionReason>,
    settings: Settings,
    output: Option<Output>,
}

/// What a run waits for.
///
/// ```text
///            task                 page                    commands
///   Idle ───────────▶ Fetching ─────────▶ (working) ◀──────────────── Activating
///    ▲                    ▲ page missing     │  │ news, queries           ▲
///    │ outcome            └──────────────────┘  └─────────────────────────┘
///    │                             (working) │ ◀────────────────────── Holding
///    │                                       │ ──local activities run──▶   │
///    │                                       │ done                 failed │
///    └──────────────── Completing ◀──────────┘                             │
///                          │ ended, refused                                ▼
///                          └──────────────▶ Evicted ◀─────────────────  Failing
/// ```
#[derive(Debug)]
enum State {
    /// A task.
    Idle,
    /// A page of history.
    Fetching(Box<Task>),
    /// The code's answer to an activation.
    Activating(Box<Task>),
    /// Local activities, while the task is kept open.
    Holding(Box<Task>),
    /// The outcome of a completion or of an answer to a query.
    Completing(Reported),
    /// The outcome of a failure, after which the run goes.
    Failing(Box<Eviction>),
    /// Nothing.
    Evicted,
}

/// What was reported.
#[derive(Debug)]
enum Reported {
    /// A task.
    Task { ticket: Ticket, ends_run: bool },
    /// An answer to a query.
    Query,
}

impl Run {
    /// A run that waits for its first task.
    ///
    /// Runs of one worker can share their options.
    pub fn new(run_id: &str, options: impl Into<Arc<RunOptions>>) -> Self {
        Self {
            machines: Machines::new(run_id, options.into()),
            state: State::Idle,
            waiting: Waiting::default(),
            leaving: None,
            settings: Settings::default(),
            output: None,
        }
    }

    /// Id of the run.
    pub fn run_id(&self) -> &str {
        &self.machines.run_id
    }

    /// Id of the workflow; empty before the first task.
    pub fn workflow_id(&self) -> &str {
        &self.machines.workflow_id
    }

    /// Type of the workflow; empty before the first task.
    pub fn workflow_type(&self) -> &str {
        &self.machines.workflow_type
    }

    /// Size of the history that the run has seen, in bytes, as the server counts it: what the run's code has been given,
    /// and so may keep.
    pub fn history_size_bytes(&self) -> u64 {
        self.machines.history_size_bytes()
    }

    /// A task for this run: a polled one, or the one that came with the response to a completion.
    ///
    /// While another is outstanding it waits. A task that advances history replaces one that waits, and the queries
    /// that waited for that one; tasks that only carry a query all wait, so the caller's slots are their bound.
    pub fn handle_task(&mut self, task: PollWorkflowTaskQueueResponse, now: Instant) {
        self.machines.set_now(now);
        match self.state {
            State::Idle => self.start(task),
            State::Evicted => self.hand_back(task),
            State::Holding(_) => self.hold_no_longer(task),
            _ => self.waiting.add(task),
        }
    }

    /// The page that [`Output::FetchHistory`] asked for.
    pub fn handle_history(&mut self, page: HistoryPage, now: Instant) {
        self.machines.set_now(now);
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Fetching(mut task) => {
                if task.history.add_page(page.events, page.next_page_token) {
                    self.work(task);
                } else {
                    self.fail(task.ticket, Reason::history_unavailable("the server keeps sending empty pages"));
                }
            }
            state => self.state = state,
        }
    }

    /// The page that [`Output::FetchHistory`] asked for cannot be had; retries are over.
    pub fn handle_history_failed(&mut self, message: String, now: Instant) {
        self.machines.set_now(now);
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Fetching(task) => self.fail(task.ticket, Reason::history_unavailable(&message)),
            state => self.state = state,
        }
    }

    /// What the guest has settled, known once it has taken the first activation and told before its commands are.
    pub fn set_settings(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// The guest's answer to [`Output::Activate`].
    pub fn handle_commands(&mut self, commands: Vec<Issued>, now: Instant) {
        self.machines.set_now(now);
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Activating(task) => self.take_commands(task, commands),
            state => self.state = state,
        }
    }

    /// The guest could not apply [`Output::Activate`], or there is no guest for this workflow type.
    pub fn handle_guest_failure(&mut self, failure: TaskFailure, now: Instant) {
        self.machines.set_now(now);
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Activating(task) => self.fail(task.ticket, failure.into()),
            state => self.state = state,
        }
    }

    /// The RPC of [`Output::Complete`], [`Output::Fail`] or [`Output::AnswerQuery`] ended.
    pub fn handle_completed(&mut self, outcome: CompletionOutcome, now: Instant) {
        self.machines.set_now(now);
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Completing(reported) => self.finish(reported, outcome),
            State::Failing(eviction) => self.evict(*eviction),
            state => self.state = state,
        }
    }

    /// The run should leave the cache, at once if it is idle, otherwise after what is outstanding.
    pub fn handle_eviction_request(&mut self, reason: EvictionReason, now: Instant) {
        self.machines.set_now(now);
        self.leaving = Some(reason);
        if matches!(self.state, State::Idle) {
            self.go_on();
        }
    }

    /// An attempt of a local activity ended that [`Output::StartLocalActivity`] asked for.
    pub fn handle_local_activity(&mut self, seq: Seq, attempt: u32, outcome: LocalActivityOutcome, now: Instant) {
        self.machines.set_now(now);
        self.machines.handle_local_activity(seq, attempt, outcome);
        self.look_again();
    }

    /// The moment named by [`poll_timeout`](Self::poll_timeout) has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.machines.set_now(now);
        self.machines.handle_local_timeouts();
        self.look_again();
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if ever: for retries and timeouts of local activities, and
    /// to keep the workflow task alive while they run.
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.heartbeat_moment(), self.machines.next_local_timeout()].into_iter().flatten().min()
    }

    /// The next thing to do.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        let request = self.machines.take_local_request().map(Output::from);
        request.or_else(|| self.output.take())
    }

    /// Whether no task is outstanding or waits and no local activity runs, so that the run may be dropped without asking.
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
            && self.output.is_none()
            && self.waiting.is_empty()
            && !self.machines.has_running_local_activities()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Thousands of idle runs are cached, so their size is looked after.
    #[test]
    fn an_idle_run_is_small() {
        assert!(size_of::<Run>() <= 1024, "{} bytes", size_of::<Run>());
    }
}
