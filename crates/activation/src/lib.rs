//! The vocabulary between the state machines of a workflow run and the code of that workflow.
//!
//! A run's machines (`stead-core`) turn history into an [`Activation`]: what happened since last time, as a list of
//! [`Job`]s. The code (`stead-workflow`, or any other [`Guest`]) answers with the [`Command`]s that it issued. Both
//! sides know only this crate, so each can be versioned, tested and replaced alone.
//!
//! What is not here: logic, payload conversion, anything about transport. Payloads and failures are the messages of
//! the wire, moved through and never copied.
//!
//! The enums of this crate are exhaustive on purpose: a new job or command must break every guest and every driver at
//! compile time.

mod activation;
mod command;

pub use activation::{
    Activation, ActivityResolution, ChildWorkflowResolution, ChildWorkflowStart, DeploymentVersion, ExecutionRef,
    Initialize, Job, LocalActivityBackoff, NexusOperationResolution, NexusOperationStart, ParentExecution, Query,
    SignalReceived, UpdateRequested,
};
pub use command::{
    ActivityCancellation, CallSite, CancelExternal, ChildWorkflowCancellation, Command, ContinueAsNew,
    ExternalWorkflow, Issued, NextRunVersioning, NexusOperationCancellation, QueryAnswer, ScheduleActivity,
    ScheduleLocalActivity, ScheduleNexusOperation, SignalExternal, SignalTarget, SignalWithStart, StartChildWorkflow,
    TaskFailure, TaskFailureCause, UpdateResponse, VersioningBehavior,
};
/// A serialized value with its metadata, as it travels on the wire.
pub use stead_proto::common::v1::Payload;
/// Priority of an activity or a workflow, as it travels on the wire.
pub use stead_proto::common::v1::Priority;
/// Retry policy, as it travels on the wire.
pub use stead_proto::common::v1::RetryPolicy;
/// What becomes of a child workflow when its parent closes.
pub use stead_proto::enums::v1::ParentClosePolicy;
/// Why a child workflow could not be started.
pub use stead_proto::enums::v1::StartChildWorkflowExecutionFailedCause;
/// What to do about a workflow that runs and has the id of one that is to be started.
pub use stead_proto::enums::v1::WorkflowIdConflictPolicy;
/// Whether the id of a workflow may be used again after it closed.
pub use stead_proto::enums::v1::WorkflowIdReusePolicy;
/// A failure as it travels on the wire.
pub use stead_proto::failure::v1::Failure;
/// Says that an event belongs to a group, as it travels on the wire.
pub use stead_proto::sdk::v1::{EventGroupMarker, event_group_marker};
/// On which version of its workers a workflow runs, as it travels on the wire.
pub use stead_proto::workflow::v1::VersioningOverride;
/// The answer to a signal with a start, which is the result of that operation.
pub use stead_proto::workflowservice::v1::SignalWithStartWorkflowExecutionResponse;

/// Named payloads (headers, memo, search attributes) in a stable order.
pub type PayloadMap = std::collections::BTreeMap<String, Payload>;

/// Number of an operation within its kind (timers, activities …), counted from 1 by the guest.
///
/// It is part of what histories record (a timer's id and an activity's default id are this number), so a guest must
/// hand it out in program order.
pub type Seq = u32;

/// The code of one workflow run: activation in, commands out.
///
/// A guest is driven by one thread at a time and owns no clock, no thread and no I/O. Dropping it is eviction: it must
/// emit nothing and have no effect.
pub trait Guest {
    /// Applies the jobs of `activation` and runs the workflow until nothing in it can progress.
    ///
    /// Returns the commands in the order in which the code issued them.
    ///
    /// # Errors
    ///
    /// A [`TaskFailure`] fails the workflow task, never the workflow: the server tries the task again later. After an
    /// error the guest must be dropped.
    fn activate(&mut self, activation: Activation) -> Result<Vec<Issued>, TaskFailure>;

    /// What the run's definition says about matters that are not commands. Asked once, after the activation that
    /// initialized the run.
    fn settings(&self) -> Settings;
}

/// What the definition of a workflow, or the run itself, settles for all of its tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settings {
    /// Whether code that does not do what its history says fails the workflow, and not its task.
    pub mismatch_fails_workflow: bool,
    /// How the run moves to newer versions of its workers; `None` where that is not said.
    pub versioning: Option<VersioningBehavior>,
}
