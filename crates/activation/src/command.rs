//! What the code of a run answers.

use std::panic::Location;
use std::time::Duration;

use crate::{Failure, Payload, PayloadMap, Priority, RetryPolicy, Seq};

/// Where in the source a command was issued.
pub type CallSite = &'static Location<'static>;

/// A command and the line that issued it, which is what a report of nondeterminism shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Issued {
    /// The command.
    pub command: Command,
    /// The line of the user's source, where it is known.
    pub at: Option<CallSite>,
}

/// Something that workflow code asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Start a timer.
    StartTimer {
        /// Its number; its id in history.
        seq: Seq,
        /// How long from now. Zero is a timer too.
        duration: Duration,
        /// One line about it for people, already encoded.
        summary: Option<Payload>,
    },
    /// Cancel a timer. The guest resolves it by itself: nothing comes back.
    CancelTimer {
        /// Which.
        seq: Seq,
    },
    /// Schedule an activity.
    ScheduleActivity(Box<ScheduleActivity>),
    /// Cancel an activity the way its [`ActivityCancellation`] says. The resolution comes as a job.
    CancelActivity {
        /// Which.
        seq: Seq,
    },
    /// Code asked for a patch: record its marker, or expect it in history.
    SetPatch {
        /// Id of the patch.
        id: String,
        /// Whether the old path is gone.
        deprecated: bool,
    },
    /// Answer to an update. Accept comes first even when the handler is done at once.
    RespondUpdate {
        /// From the request.
        protocol_instance_id: String,
        /// The answer.
        response: UpdateResponse,
    },
    /// Answer to a query.
    AnswerQuery {
        /// From the query.
        id: String,
        /// The answer.
        answer: QueryAnswer,
    },
    /// End the workflow with a result.
    CompleteWorkflow {
        /// The result.
        result: Option<Payload>,
    },
    /// End the workflow with a failure.
    FailWorkflow {
        /// The failure.
        failure: Box<Failure>,
    },
    /// End the workflow as cancelled.
    CancelWorkflow,
    /// End this run and start the next of the chain.
    ContinueAsNew(Box<ContinueAsNew>),
}

/// An activity to run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScheduleActivity {
    /// Its number.
    pub seq: Seq,
    /// Its id in history; the number as text unless the user chose one.
    pub activity_id: String,
    /// Type of the activity.
    pub activity_type: String,
    /// Task queue; empty is the workflow's own.
    pub task_queue: String,
    /// Arguments.
    pub arguments: Vec<Payload>,
    /// Headers set by interceptors.
    pub headers: PayloadMap,
    /// Limit from scheduling to the end of the last attempt.
    pub schedule_to_close_timeout: Option<Duration>,
    /// Limit on waiting for a worker.
    pub schedule_to_start_timeout: Option<Duration>,
    /// Limit on one attempt.
    pub start_to_close_timeout: Option<Duration>,
    /// Limit between two heartbeats.
    pub heartbeat_timeout: Option<Duration>,
    /// Retry policy; the server's default if none.
    pub retry_policy: Option<RetryPolicy>,
    /// What cancelling it means.
    pub cancellation: ActivityCancellation,
    /// Never run it eagerly on this worker.
    pub disable_eager_execution: bool,
    /// One line about it for people, already encoded.
    pub summary: Option<Payload>,
    /// Priority; the workflow's own if none.
    pub priority: Option<Priority>,
}

/// What cancelling an activity means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ActivityCancellation {
    /// Ask the activity to stop and resolve at once, without waiting for it.
    #[default]
    TryCancel,
    /// Ask the activity to stop and wait until it has ended one way or the other.
    WaitCancellationCompleted,
    /// Do not tell the activity; resolve at once.
    Abandon,
}

/// Answer to an update.
#[derive(Debug, Clone, PartialEq)]
pub enum UpdateResponse {
    /// The validator let it pass.
    Accepted,
    /// It was turned away; nothing is recorded. After `Accepted`: it ended with this failure.
    Rejected(Box<Failure>),
    /// The handler returned.
    Completed(Option<Payload>),
}

/// Answer to a query.
#[derive(Debug, Clone, PartialEq)]
pub enum QueryAnswer {
    /// The handler returned.
    Succeeded(Payload),
    /// There is no such handler, or it failed.
    Failed(Box<Failure>),
}

/// How the next run of the chain starts. What is empty or `None` is inherited.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ContinueAsNew {
    /// Workflow type; empty is the same.
    pub workflow_type: String,
    /// Task queue; empty is the same.
    pub task_queue: String,
    /// Arguments.
    pub arguments: Vec<Payload>,
    /// Limit on the run.
    pub run_timeout: Option<Duration>,
    /// Limit on one workflow task.
    pub task_timeout: Option<Duration>,
    /// Wait this long before the first workflow task of the next run.
    pub backoff_start_interval: Option<Duration>,
    /// Memo; `None` is the same.
    pub memo: Option<PayloadMap>,
    /// Search attributes; `None` is the same.
    pub search_attributes: Option<PayloadMap>,
    /// Retry policy; `None` is the same.
    pub retry_policy: Option<RetryPolicy>,
    /// Headers set by interceptors.
    pub headers: PayloadMap,
}

/// Why a workflow task failed. The workflow stays open and the server tries again.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskFailure {
    /// The kind of failure that the server records.
    pub cause: TaskFailureCause,
    /// What happened.
    pub failure: Box<Failure>,
}

/// The kinds of task failure that a guest can cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskFailureCause {
    /// The code panicked, got input that it cannot read, or is not registered.
    WorkflowWorkerUnhandledFailure,
    /// The code did something that a replay would not repeat.
    NonDeterminism,
}
