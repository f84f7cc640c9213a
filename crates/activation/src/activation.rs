//! What a run tells its code.

use std::time::{Duration, SystemTime};

use crate::{Failure, Payload, PayloadMap, Priority, RetryPolicy, Seq, StartChildWorkflowExecutionFailedCause};

/// What happened to a run since the last activation.
#[derive(Debug, Clone, PartialEq)]
pub struct Activation {
    /// Workflow time: the start of the workflow task. Never goes back within a run.
    pub timestamp: SystemTime,
    /// Whether history is being replayed. Always `true` for activations that only carry queries.
    pub is_replaying: bool,
    /// Id of the last event that was processed.
    pub history_length: u32,
    /// Size of the history in bytes, as of the start of the workflow task.
    pub history_size_bytes: u64,
    /// Whether the server suggests to continue as new.
    pub continue_as_new_suggested: bool,
    /// Whether the run is pinned to a version of its workers and the one that new runs begin on is another by now.
    pub target_version_changed: bool,
    /// The deployment version that runs, or while replaying ran, this task.
    pub deployment_version: Option<DeploymentVersion>,
    /// In this order: initialize, patches, random seed, signals and updates as they arrived, all other resolutions.
    /// Queries travel alone.
    pub jobs: Vec<Job>,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Job {
    /// The run begins. First job of the first activation, once.
    Initialize(Box<Initialize>),
    /// History holds the marker of this patch, so `patched` must answer yes while replaying.
    NotifyHasPatch {
        /// Id of the patch.
        id: String,
    },
    /// The run was reset: numbers drawn from now on use this seed.
    UpdateRandomSeed(u64),
    /// A signal arrived.
    Signal(Box<SignalReceived>),
    /// An update arrived.
    Update(Box<UpdateRequested>),
    /// Cancellation of the workflow was requested.
    CancelWorkflow {
        /// Why, as the caller said; empty if it did not.
        reason: String,
    },
    /// A timer fired.
    FireTimer {
        /// Which.
        seq: Seq,
    },
    /// An activity ended, or a local one has to be tried again later.
    ResolveActivity {
        /// Which.
        seq: Seq,
        /// How.
        resolution: ActivityResolution,
    },
    /// A child workflow was started, or was not. The first of its two resolutions.
    ResolveChildWorkflowStart {
        /// Which.
        seq: Seq,
        /// How.
        resolution: ChildWorkflowStart,
    },
    /// A child workflow that was started ended.
    ResolveChildWorkflow {
        /// Which.
        seq: Seq,
        /// How.
        resolution: ChildWorkflowResolution,
    },
    /// A signal to another workflow was delivered, or was not.
    ResolveSignalExternal {
        /// Which.
        seq: Seq,
        /// Why it was not.
        failure: Option<Box<Failure>>,
    },
    /// A request to cancel another workflow was delivered, or was not.
    ResolveCancelExternal {
        /// Which.
        seq: Seq,
        /// Why it was not.
        failure: Option<Box<Failure>>,
    },
    /// A Nexus operation was started, or was not. The first of its two resolutions.
    ResolveNexusOperationStart {
        /// Which.
        seq: Seq,
        /// How.
        resolution: NexusOperationStart,
    },
    /// A Nexus operation that was started ended.
    ResolveNexusOperation {
        /// Which.
        seq: Seq,
        /// How.
        resolution: NexusOperationResolution,
    },
    /// A query to answer. Alone in its activation, or with other queries.
    Query(Box<Query>),
}

/// How an activity ended.
#[derive(Debug, Clone, PartialEq)]
pub enum ActivityResolution {
    /// With a result, or without one.
    Completed(Option<Payload>),
    /// With a failure: an activity failure that carries the cause.
    Failed(Box<Failure>),
    /// Cancelled: an activity failure whose cause is a cancellation.
    Cancelled(Box<Failure>),
    /// Only local activities: the next attempt is too far away to hold the workflow task open for it. The guest waits
    /// with a timer, then schedules the attempt as a new local activity.
    BackOff(Box<LocalActivityBackoff>),
}

/// The next attempt of a local activity that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalActivityBackoff {
    /// Number of the next attempt.
    pub attempt: u32,
    /// How long to wait before it.
    pub delay: Duration,
    /// When the first attempt was scheduled.
    pub original_schedule_time: SystemTime,
}

/// How the start of a child workflow went.
#[derive(Debug, Clone, PartialEq)]
pub enum ChildWorkflowStart {
    /// It runs.
    Started {
        /// Id of its first run.
        run_id: String,
    },
    /// It could not be started.
    Failed {
        /// Id of the workflow.
        workflow_id: String,
        /// Type of the workflow.
        workflow_type: String,
        /// Why.
        cause: StartChildWorkflowExecutionFailedCause,
    },
    /// It was cancelled before it was started: a child workflow failure whose cause is a cancellation.
    Cancelled(Box<Failure>),
}

/// How a child workflow ended.
#[derive(Debug, Clone, PartialEq)]
pub enum ChildWorkflowResolution {
    /// With a result, or without one.
    Completed(Option<Payload>),
    /// With a failure (a timeout and a termination are failures too): a child workflow failure that carries the cause.
    Failed(Box<Failure>),
    /// Cancelled: a child workflow failure whose cause is a cancellation.
    Cancelled(Box<Failure>),
}

/// How the start of a Nexus operation went.
#[derive(Debug, Clone, PartialEq)]
pub enum NexusOperationStart {
    /// It runs on its own; the token names it.
    Started {
        /// Names the operation to its handler.
        operation_token: String,
    },
    /// It was over as soon as it was started.
    StartedSync,
    /// It could not be started: a Nexus operation failure that carries the cause.
    Failed(Box<Failure>),
}

/// How a Nexus operation ended.
#[derive(Debug, Clone, PartialEq)]
pub enum NexusOperationResolution {
    /// With a result, or without one.
    Completed(Option<Payload>),
    /// With a failure: a Nexus operation failure that carries the cause.
    Failed(Box<Failure>),
    /// Cancelled: a Nexus operation failure whose cause is a cancellation.
    Cancelled(Box<Failure>),
    /// It ran into its timeout: a Nexus operation failure that carries the cause.
    TimedOut(Box<Failure>),
}

/// A signal with its arguments.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SignalReceived {
    /// Name of the signal.
    pub name: String,
    /// Arguments.
    pub input: Vec<Payload>,
    /// Headers set by the sender's interceptors.
    pub headers: PayloadMap,
    /// Identity of the sender.
    pub identity: String,
}

/// An update that waits to be accepted or rejected.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UpdateRequested {
    /// Names this update in [`Command::RespondUpdate`](crate::Command::RespondUpdate).
    pub protocol_instance_id: String,
    /// Id that the caller gave it.
    pub id: String,
    /// Name of the update.
    pub name: String,
    /// Arguments.
    pub input: Vec<Payload>,
    /// Headers set by the sender's interceptors.
    pub headers: PayloadMap,
    /// Identity of the sender.
    pub identity: String,
    /// Whether the validator runs. It does not while replaying: what is in history was accepted.
    pub run_validator: bool,
}

/// A query with its arguments.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Query {
    /// Names this query in [`Command::AnswerQuery`](crate::Command::AnswerQuery).
    pub id: String,
    /// Name of the query.
    pub name: String,
    /// Arguments.
    pub arguments: Vec<Payload>,
    /// Headers set by the sender's interceptors.
    pub headers: PayloadMap,
}

/// Everything that is known of a run when it starts.
#[derive(Debug, Clone, PartialEq)]
pub struct Initialize {
    /// Namespace of the workflow.
    pub namespace: String,
    /// Id of the workflow.
    pub workflow_id: String,
    /// Id of this run.
    pub run_id: String,
    /// Id of the first run of the chain (continue-as-new, retries, cron).
    pub first_execution_run_id: String,
    /// Id of the run that a reset started from; the run's own id otherwise.
    pub original_execution_run_id: String,
    /// The run that continued as this one.
    pub continued_from_run_id: Option<String>,
    /// Type of the workflow.
    pub workflow_type: String,
    /// Task queue of the workflow.
    pub task_queue: String,
    /// Arguments.
    pub arguments: Vec<Payload>,
    /// Headers set by the caller's interceptors.
    pub headers: PayloadMap,
    /// Identity of who started the workflow.
    pub identity: String,
    /// Seed of everything random in this run.
    pub randomness_seed: u64,
    /// When the run started.
    pub start_time: SystemTime,
    /// Attempt of the workflow under its retry policy, from 1.
    pub attempt: u32,
    /// Limit on the whole chain of runs.
    pub execution_timeout: Option<Duration>,
    /// Limit on this run.
    pub run_timeout: Option<Duration>,
    /// Limit on one workflow task.
    pub task_timeout: Option<Duration>,
    /// The workflow's retry policy.
    pub retry_policy: Option<RetryPolicy>,
    /// Cron schedule, empty if none.
    pub cron_schedule: String,
    /// The workflow that started this one as its child.
    pub parent: Option<ParentExecution>,
    /// The root of the tree of children, if this is a child.
    pub root: Option<ExecutionRef>,
    /// Memo.
    pub memo: PayloadMap,
    /// Search attributes.
    pub search_attributes: PayloadMap,
    /// Result of the previous run (cron, schedules, retries).
    pub last_completion_result: Vec<Payload>,
    /// Failure of the previous run.
    pub last_failure: Option<Box<Failure>>,
    /// Priority.
    pub priority: Option<Priority>,
}

/// A parent workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParentExecution {
    /// Its namespace.
    pub namespace: String,
    /// Its workflow and run id.
    pub execution: ExecutionRef,
}

/// A workflow and one of its runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionRef {
    /// Workflow id.
    pub workflow_id: String,
    /// Run id.
    pub run_id: String,
}

/// A version of a worker deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentVersion {
    /// Name of the deployment.
    pub deployment_name: String,
    /// Build id within it.
    pub build_id: String,
}
