//! What the code of a run answers.

use std::collections::BTreeMap;
use std::panic::Location;
use std::time::{Duration, SystemTime};

use crate::{
    EventGroupMarker, Failure, ParentClosePolicy, Payload, PayloadMap, Priority, RetryPolicy, Seq, VersioningOverride,
    WorkflowIdConflictPolicy, WorkflowIdReusePolicy,
};

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
    /// Run an activity in this worker, as part of the workflow task.
    ScheduleLocalActivity(Box<ScheduleLocalActivity>),
    /// Cancel a local activity the way its [`ActivityCancellation`] says. The resolution comes as a job.
    CancelLocalActivity {
        /// Which.
        seq: Seq,
    },
    /// Start a child workflow.
    StartChildWorkflow(Box<StartChildWorkflow>),
    /// Cancel a child workflow the way its [`ChildWorkflowCancellation`] says. The resolution comes as a job.
    CancelChildWorkflow {
        /// Which.
        seq: Seq,
        /// Why.
        reason: String,
    },
    /// Send a signal to another workflow.
    SignalExternal(Box<SignalExternal>),
    /// Take a signal back that has not been sent. The resolution comes as a job; afterwards this is nothing.
    CancelSignalExternal {
        /// Which.
        seq: Seq,
    },
    /// Ask another workflow to cancel itself.
    CancelExternal(Box<CancelExternal>),
    /// Set search attributes of this workflow. An attribute with an empty (`binary/null`) payload is removed.
    UpsertSearchAttributes(PayloadMap),
    /// Set fields of this workflow's memo. A field with an empty (`binary/null`) payload is removed.
    UpsertMemo(PayloadMap),
    /// Start a Nexus operation.
    ScheduleNexusOperation(Box<ScheduleNexusOperation>),
    /// Signal a workflow, and start it if it does not run. It is a Nexus operation, of the server's own: it is cancelled and
    /// resolves as one, and its result is the answer of that call of the API.
    SignalWithStart(Box<SignalWithStart>),
    /// Cancel a Nexus operation the way its [`NexusOperationCancellation`] says. The resolution comes as a job.
    CancelNexusOperation {
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
    /// The commands that follow belong to these groups of events, until the next of this kind or the end of the activation.
    /// No event records it.
    SetEventGroups(Vec<EventGroupMarker>),
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

/// An activity to run in this worker, as part of the workflow task.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScheduleLocalActivity {
    /// Its number, counted together with those of activities.
    pub seq: Seq,
    /// Its id; the number as text unless the user chose one.
    pub activity_id: String,
    /// Type of the activity.
    pub activity_type: String,
    /// Number of the first attempt, from 1; higher after a [`LocalActivityBackoff`](crate::LocalActivityBackoff).
    pub attempt: u32,
    /// When the first attempt was scheduled, after a [`LocalActivityBackoff`](crate::LocalActivityBackoff).
    pub original_schedule_time: Option<SystemTime>,
    /// Arguments.
    pub arguments: Vec<Payload>,
    /// Headers set by interceptors.
    pub headers: PayloadMap,
    /// Limit from scheduling to the end of the last attempt.
    pub schedule_to_close_timeout: Option<Duration>,
    /// Limit on waiting for a slot of the worker.
    pub schedule_to_start_timeout: Option<Duration>,
    /// Limit on one attempt.
    pub start_to_close_timeout: Option<Duration>,
    /// Retry policy; the default policy if none.
    pub retry_policy: Option<RetryPolicy>,
    /// Retries farther away than this leave the workflow task and wait with a timer. One minute if none.
    pub local_retry_threshold: Option<Duration>,
    /// What cancelling it means.
    pub cancellation: ActivityCancellation,
    /// Whether its arguments are recorded in its marker, for people.
    pub include_arguments_in_marker: bool,
    /// One line about it for people, already encoded.
    pub summary: Option<Payload>,
}

/// A child workflow to start.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StartChildWorkflow {
    /// Its number.
    pub seq: Seq,
    /// Namespace; empty is the workflow's own.
    pub namespace: String,
    /// Id of the child.
    pub workflow_id: String,
    /// Type of the child.
    pub workflow_type: String,
    /// Task queue; empty is the workflow's own.
    pub task_queue: String,
    /// Arguments.
    pub arguments: Vec<Payload>,
    /// Headers set by interceptors.
    pub headers: PayloadMap,
    /// Limit on the whole chain of runs.
    pub execution_timeout: Option<Duration>,
    /// Limit on one run.
    pub run_timeout: Option<Duration>,
    /// Limit on one workflow task.
    pub task_timeout: Option<Duration>,
    /// What becomes of the child when this run closes.
    pub parent_close_policy: ParentClosePolicy,
    /// Whether the id may be used again after a workflow that is closed.
    pub id_reuse_policy: WorkflowIdReusePolicy,
    /// Retry policy; none if none.
    pub retry_policy: Option<RetryPolicy>,
    /// Cron schedule, empty if none.
    pub cron_schedule: String,
    /// Memo.
    pub memo: PayloadMap,
    /// Search attributes.
    pub search_attributes: PayloadMap,
    /// What cancelling it means.
    pub cancellation: ChildWorkflowCancellation,
    /// One line about it for people, already encoded.
    pub summary: Option<Payload>,
    /// More about it for people, already encoded.
    pub details: Option<Payload>,
    /// Priority; the workflow's own if none.
    pub priority: Option<Priority>,
}

/// What cancelling a child workflow means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChildWorkflowCancellation {
    /// Do not tell the child; resolve at once.
    Abandon,
    /// Ask the child to cancel itself and resolve at once.
    TryCancel,
    /// Ask the child to cancel itself and wait until it has ended one way or the other.
    #[default]
    WaitCancellationCompleted,
    /// Ask the child to cancel itself and wait until that request was delivered.
    WaitCancellationRequested,
}

/// A signal to send to another workflow.
#[derive(Debug, Clone, PartialEq)]
pub struct SignalExternal {
    /// Its number.
    pub seq: Seq,
    /// The workflow.
    pub target: SignalTarget,
    /// Name of the signal.
    pub signal_name: String,
    /// Arguments.
    pub arguments: Vec<Payload>,
    /// Headers set by interceptors.
    pub headers: PayloadMap,
    /// One line about it for people, already encoded.
    pub summary: Option<Payload>,
}

/// The workflow that a signal goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignalTarget {
    /// A child of this workflow.
    Child {
        /// Id of the child.
        workflow_id: String,
    },
    /// Any workflow.
    External(ExternalWorkflow),
}

/// Another workflow.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExternalWorkflow {
    /// Namespace; empty is the workflow's own.
    pub namespace: String,
    /// Id of the workflow.
    pub workflow_id: String,
    /// Id of the run; empty is the current one.
    pub run_id: String,
}

/// A request to cancel another workflow.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CancelExternal {
    /// Its number.
    pub seq: Seq,
    /// The workflow.
    pub target: ExternalWorkflow,
    /// Why.
    pub reason: String,
}

/// A Nexus operation to start.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScheduleNexusOperation {
    /// Its number.
    pub seq: Seq,
    /// Name of the endpoint.
    pub endpoint: String,
    /// Name of the service.
    pub service: String,
    /// Name of the operation.
    pub operation: String,
    /// Argument.
    pub input: Option<Payload>,
    /// Limit from scheduling to completion.
    pub schedule_to_close_timeout: Option<Duration>,
    /// Limit from scheduling to the start.
    pub schedule_to_start_timeout: Option<Duration>,
    /// Limit from the start to completion, for operations that do not complete at once.
    pub start_to_close_timeout: Option<Duration>,
    /// Headers of the Nexus request.
    pub headers: BTreeMap<String, String>,
    /// What cancelling it means.
    pub cancellation: NexusOperationCancellation,
    /// One line about it for people, already encoded.
    pub summary: Option<Payload>,
}

/// A signal to a workflow that is started if it does not run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SignalWithStart {
    /// Its number, counted together with those of Nexus operations.
    pub seq: Seq,
    /// Id of the workflow.
    pub workflow_id: String,
    /// Type of the workflow.
    pub workflow_type: String,
    /// Task queue; empty is the workflow's own that signals.
    pub task_queue: String,
    /// Arguments of the workflow.
    pub arguments: Vec<Payload>,
    /// Name of the signal.
    pub signal_name: String,
    /// Arguments of the signal.
    pub signal_arguments: Vec<Payload>,
    /// Headers set by interceptors: of the signal, and of the workflow if it is started.
    pub headers: PayloadMap,
    /// Limit on the whole chain of runs.
    pub execution_timeout: Option<Duration>,
    /// Limit on one run.
    pub run_timeout: Option<Duration>,
    /// Limit on one workflow task.
    pub task_timeout: Option<Duration>,
    /// Whether the id may be used again after a workflow that is closed.
    pub id_reuse_policy: WorkflowIdReusePolicy,
    /// What to do about a workflow that runs.
    pub id_conflict_policy: WorkflowIdConflictPolicy,
    /// Retry policy; none if none.
    pub retry_policy: Option<RetryPolicy>,
    /// Cron schedule, empty if none.
    pub cron_schedule: String,
    /// Memo.
    pub memo: PayloadMap,
    /// Search attributes.
    pub search_attributes: PayloadMap,
    /// Wait this long before the first workflow task.
    pub start_delay: Option<Duration>,
    /// One line about the workflow for people, already encoded.
    pub summary: Option<Payload>,
    /// More about it for people, already encoded.
    pub details: Option<Payload>,
    /// Priority; the server's choice if none.
    pub priority: Option<Priority>,
    /// On which version of its workers the workflow runs, if not as they say.
    pub versioning_override: Option<VersioningOverride>,
}

/// What cancelling a Nexus operation means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NexusOperationCancellation {
    /// Ask the operation to stop and wait until it has ended one way or the other.
    #[default]
    WaitCancellationCompleted,
    /// Do not tell the operation; resolve at once.
    Abandon,
    /// Ask the operation to stop and resolve at once.
    TryCancel,
    /// Ask the operation to stop and wait until its handler has taken the request.
    WaitCancellationRequested,
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
    /// Which version of its workers the next run begins on.
    pub versioning: NextRunVersioning,
}

/// Which version of its workers a run begins on that continues a pinned one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NextRunVersioning {
    /// The same.
    #[default]
    Inherit,
    /// The deployment's current or ramping version, as a new workflow.
    AutoUpgrade,
    /// The deployment's ramping version; the current one if none is ramping.
    UseRampingVersion,
}

/// How a run moves to newer versions of its workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersioningBehavior {
    /// It stays on the version on which it started.
    Pinned,
    /// It goes on with the deployment's current version whenever that changes.
    AutoUpgrade,
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
    /// The code is not registered, or did what it must not.
    WorkflowWorkerUnhandledFailure,
    /// The code panicked.
    Panic,
    /// The code got input that it cannot read, or made output that cannot be written.
    Conversion,
    /// The code did something that a replay would not repeat.
    NonDeterminism,
}
