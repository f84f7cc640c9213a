//! What a run asks of its driver.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use stead_activation::{Activation, Seq, VersioningBehavior};
use stead_proto::command::v1::Command;
use stead_proto::common::v1::Payloads;
use stead_proto::enums::v1::{QueryResultType, WorkflowTaskFailedCause};
use stead_proto::failure::v1::Failure;
use stead_proto::history::v1::HistoryEvent;
use stead_proto::protocol::v1::Message;
use stead_proto::query::v1::WorkflowQueryResult;
use stead_proto::sdk::v1::WorkflowTaskCompletedMetadata;
use stead_proto::workflowservice::v1::PollWorkflowTaskQueueResponse;

use crate::{LocalActivityAttempt, LocalActivityStop, Mismatch};

/// Something that the driver does for a run.
///
/// Exhaustive on purpose: a new effect must break every driver at compile time.
#[derive(Debug)]
pub enum Output {
    /// Give it to the guest, then answer with [`Run::handle_commands`](crate::Run::handle_commands) or
    /// [`Run::handle_guest_failure`](crate::Run::handle_guest_failure).
    Activate(Activation),
    /// Fetch this page of the run's history, then answer with
    /// [`Run::handle_history`](crate::Run::handle_history) or
    /// [`Run::handle_history_failed`](crate::Run::handle_history_failed).
    FetchHistory {
        /// Id of the workflow.
        workflow_id: String,
        /// Id of the run.
        run_id: String,
        /// Where to go on; empty is the beginning.
        page_token: Bytes,
    },
    /// Complete the workflow task, then answer with [`Run::handle_completed`](crate::Run::handle_completed).
    Complete(Box<Completion>),
    /// Fail the workflow task, then answer with [`Run::handle_completed`](crate::Run::handle_completed).
    Fail(Box<FailedTask>),
    /// Answer a query task, then answer with [`Run::handle_completed`](crate::Run::handle_completed).
    AnswerQuery(Box<QueryReply>),
    /// Make this attempt of a local activity. How it ends comes, whenever that is, with
    /// [`Run::handle_local_activity`](crate::Run::handle_local_activity).
    StartLocalActivity(Box<LocalActivityAttempt>),
    /// Tell an attempt of a local activity to stop. There is no answer but that of the attempt.
    StopLocalActivity {
        /// Number of the activity.
        seq: Seq,
        /// Number of the attempt.
        attempt: u32,
        /// Why.
        why: LocalActivityStop,
    },
    /// Drop the guest and the run. Nothing follows.
    Evict(Eviction),
}

/// A workflow task that is done.
///
/// The driver adds what belongs to the worker: identity, namespace, sticky attributes, deployment options,
/// `return_new_workflow_task` and the capability to discard speculative tasks. Where it has no slot for an activity
/// it clears that command's `request_eager_execution`.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Completion {
    /// The task.
    pub task_token: Bytes,
    /// Attempt of the task, from 1.
    pub attempt: u32,
    /// Commands, in order.
    pub commands: Vec<Command>,
    /// Answers to updates.
    pub messages: Vec<Message>,
    /// Answers to the queries that came with the task.
    pub query_results: BTreeMap<String, WorkflowQueryResult>,
    /// Whether the server should make another task at once.
    pub force_create_new_workflow_task: bool,
    /// How many attempts of local activities began in this task, of activities that began in an earlier one. The server
    /// meters them.
    pub later_local_activity_attempts: u32,
    /// Whether the task asked for a patch that the search attribute for patches has no room for, so that the run cannot be
    /// found by it. The patch itself is recorded.
    pub lists_too_many_patches: bool,
    /// SDK flags used for the first time, and the SDK's name and version when they changed. Set only if
    /// [`RunOptions::sdk_metadata`](crate::RunOptions::sdk_metadata) is.
    pub sdk_metadata: Option<WorkflowTaskCompletedMetadata>,
    /// Whether the last command closes the run.
    pub ends_run: bool,
    /// How the run moves to newer versions of its workers. Of use to workers that have a version.
    pub versioning: Option<VersioningBehavior>,
}

/// A workflow task that failed. The workflow stays open and the server tries again.
#[derive(Debug)]
#[non_exhaustive]
pub struct FailedTask {
    /// The task.
    pub task_token: Bytes,
    /// The kind of failure that the server records.
    pub cause: WorkflowTaskFailedCause,
    /// What happened.
    pub failure: Failure,
    /// Attempt of the task, always 1: later ones fail silently by timing out, so that the server backs off.
    pub attempt: u32,
    /// The difference between history and code, if that is why.
    pub mismatch: Option<Box<Mismatch>>,
}

/// The answer to a task that only carries a query, in the shape of `RespondQueryTaskCompletedRequest`.
#[derive(Debug)]
#[non_exhaustive]
pub struct QueryReply {
    /// The task.
    pub task_token: Bytes,
    /// Answered or failed.
    pub completed_type: QueryResultType,
    /// The answer.
    pub query_result: Option<Payloads>,
    /// Why it failed, in one line.
    pub error_message: String,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// The kind of task failure that kept the query from being answered, if one did.
    pub cause: WorkflowTaskFailedCause,
}

/// The last words of a run.
#[derive(Debug)]
#[non_exhaustive]
pub struct Eviction {
    /// Why.
    pub reason: EvictionReason,
    /// Why, for people.
    pub message: String,
    /// The difference between history and code, if that is why.
    pub mismatch: Option<Box<Mismatch>>,
    /// Tasks that arrived in the meantime, in the order in which to hand them to a new run.
    pub next_tasks: Vec<PollWorkflowTaskQueueResponse>,
}

/// Why a run leaves the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EvictionReason {
    /// The cache needs the room.
    CacheFull,
    /// The worker asked, for instance because it shuts down or caches nothing.
    Requested,
    /// The run ended.
    WorkflowEnded,
    /// The task needs a history that differs from what this run has seen; a new run replays it.
    HistoryChanged,
    /// The code does not match its history.
    Nondeterminism,
    /// The code panicked, could not be found or could not read its input.
    GuestFailed,
    /// The history breaks the protocol or uses what this version does not know.
    BadHistory,
    /// History could not be fetched.
    HistoryUnavailable,
    /// Something happened that the code should see before the run ends.
    UnhandledCommand,
    /// The server no longer knows the task.
    TaskNotFound,
    /// The completion was too large.
    TooLarge,
    /// The completion could not be delivered.
    CompletionFailed,
}

impl EvictionReason {
    /// The reason as one word, for logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CacheFull => "cache_full",
            Self::Requested => "requested",
            Self::WorkflowEnded => "workflow_ended",
            Self::HistoryChanged => "history_changed",
            Self::Nondeterminism => "nondeterminism",
            Self::GuestFailed => "guest_failed",
            Self::BadHistory => "bad_history",
            Self::HistoryUnavailable => "history_unavailable",
            Self::UnhandledCommand => "unhandled_command",
            Self::TaskNotFound => "task_not_found",
            Self::TooLarge => "too_large",
            Self::CompletionFailed => "completion_failed",
        }
    }
}

impl fmt::Display for EvictionReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A page of a run's history.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HistoryPage {
    /// Events, in order.
    pub events: Vec<HistoryEvent>,
    /// Where to go on; empty if this is the last page.
    pub next_page_token: Bytes,
}

/// How the RPC ended that an [`Output::Complete`], [`Output::Fail`] or [`Output::AnswerQuery`] asked for.
///
/// Exhaustive: a driver decides among these, so a new one must not go unnoticed.
#[derive(Debug)]
pub enum CompletionOutcome {
    /// The server took it.
    Accepted {
        /// The next task of the same run, if the response carried it.
        next_task: Option<Box<PollWorkflowTaskQueueResponse>>,
        /// From the response; above zero if the server dropped a speculative task.
        reset_history_event_id: i64,
    },
    /// `InvalidArgument` with the message `UnhandledCommand`: there is news that the run has not seen.
    UnhandledCommand,
    /// `NotFound`: the task timed out or the run is closed.
    TaskNotFound,
    /// The request was larger than the server or a limit allows.
    TooLarge {
        /// What to record as the reason of the task's failure.
        cause: WorkflowTaskFailedCause,
        /// For people.
        message: String,
    },
    /// Any other error, after retries.
    Failed(String),
}

impl CompletionOutcome {
    /// Accepted, and nothing came back.
    pub const fn accepted() -> Self {
        Self::Accepted { next_task: None, reset_history_event_id: 0 }
    }
}
