//! The difference between what history records and what the code did, as a value.

use std::fmt;
use std::time::Duration;

use stead_activation::CallSite;

/// The code did something that its history does not record, or the other way around.
///
/// Its text begins with `[TMPRL1100] Nondeterminism error: ` and shows both sides.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Mismatch {
    /// What is wrong.
    pub kind: MismatchKind,
    /// Id of the event at which it was noticed.
    pub event_id: i64,
    /// What history records.
    pub expected: Option<Operation>,
    /// What the code did.
    pub found: Option<Operation>,
    /// The line of the user's source that did it, where it is known.
    pub at: Option<CallSite>,
}

/// The ways in which code and history differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MismatchKind {
    /// Both did something, but not the same.
    Different,
    /// History records something that the code did not do.
    MissingCommand,
    /// The code did something that history does not record.
    ExtraCommand,
    /// History records a patch that the code no longer asks for.
    MissingPatch,
    /// The event refers to an operation that the code never started.
    UnknownOperation,
    /// The event cannot follow what came before it for this operation.
    OutOfOrder,
    /// The code referred to an operation or an update that does not exist.
    UnknownReference,
    /// The code did something while it answered a query.
    InQuery,
}

/// Something that a workflow can do, as history records it or as code asked for it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Operation {
    /// Start a timer.
    StartTimer {
        /// Its id.
        id: String,
        /// How long it runs.
        duration: Duration,
    },
    /// Cancel a timer.
    CancelTimer {
        /// Its id.
        id: String,
    },
    /// Schedule an activity.
    ScheduleActivity {
        /// Its id.
        id: String,
        /// Its type.
        activity_type: String,
    },
    /// Ask for the cancellation of an activity.
    CancelActivity {
        /// Its id.
        id: String,
    },
    /// Record the end of a local activity.
    LocalActivity {
        /// Its id.
        id: String,
        /// Its type.
        activity_type: String,
    },
    /// Start a child workflow.
    StartChildWorkflow {
        /// Its id.
        workflow_id: String,
        /// Its type.
        workflow_type: String,
    },
    /// Send a signal to another workflow.
    SignalExternal {
        /// The id of that workflow; empty if only history knows.
        workflow_id: String,
        /// Name of the signal; empty if only history knows.
        signal_name: String,
    },
    /// Ask another workflow, which may be a child, to cancel itself.
    CancelExternal {
        /// The id of that workflow; empty if only history knows.
        workflow_id: String,
    },
    /// Set search attributes.
    UpsertSearchAttributes,
    /// Set fields of the memo.
    UpsertMemo,
    /// Schedule a Nexus operation.
    ScheduleNexusOperation {
        /// Name of the service.
        service: String,
        /// Name of the operation.
        operation: String,
    },
    /// Ask a Nexus operation to stop.
    CancelNexusOperation {
        /// Name of the operation.
        operation: String,
    },
    /// Record the marker of a patch.
    Patch {
        /// Its id.
        id: String,
        /// Whether the old path is gone.
        deprecated: bool,
    },
    /// Record the patches of the run in its search attributes.
    RecordPatches,
    /// Accept an update.
    AcceptUpdate {
        /// Its id.
        id: String,
    },
    /// Complete an update.
    CompleteUpdate {
        /// Its id.
        id: String,
    },
    /// Complete the workflow.
    CompleteWorkflow,
    /// Fail the workflow.
    FailWorkflow,
    /// End the workflow as cancelled.
    CancelWorkflow,
    /// Continue as new.
    ContinueAsNew {
        /// The type of the next run.
        workflow_type: String,
    },
    /// Anything else that history can record.
    Other {
        /// Name of the event.
        event: &'static str,
    },
}

impl std::error::Error for Mismatch {}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[TMPRL1100] Nondeterminism error: {}", self.kind)?;
        write!(f, "\n  history: event {}", self.event_id)?;
        match &self.expected {
            Some(operation) => write!(f, ", {operation}")?,
            None => write!(f, ", nothing of the kind")?,
        }
        match &self.found {
            Some(operation) => write!(f, "\n  code:    {operation}")?,
            None => write!(f, "\n  code:    nothing")?,
        }
        match self.at {
            Some(at) => write!(f, ", at {at}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for MismatchKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Different => "the code did something else than history records",
            Self::MissingCommand => "history records something that the code did not do",
            Self::ExtraCommand => "the code did something that history does not record",
            Self::MissingPatch => "history records a patch that the code does not ask for",
            Self::UnknownOperation => "history tells of something that the code never started",
            Self::OutOfOrder => "history tells of something that cannot have happened by now",
            Self::UnknownReference => "the code refers to something that does not exist",
            Self::InQuery => "the code did something while it answered a query",
        })
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StartTimer { id, duration } => write!(f, "start timer {id} of {duration:?}"),
            Self::CancelTimer { id } => write!(f, "cancel timer {id}"),
            Self::ScheduleActivity { id, activity_type } => {
                write!(f, "schedule activity `{activity_type}` with id {id}")
            }
            Self::CancelActivity { id } => write!(f, "cancel activity {id}"),
            Self::LocalActivity { id, activity_type } => {
                write!(f, "run local activity `{activity_type}` with id {id}")
            }
            Self::StartChildWorkflow { workflow_id, workflow_type } => {
                write!(f, "start child workflow `{workflow_type}` with id {workflow_id}")
            }
            Self::SignalExternal { workflow_id, .. } if workflow_id.is_empty() => {
                f.write_str("signal another workflow")
            }
            Self::SignalExternal { workflow_id, signal_name } => {
                write!(f, "send signal `{signal_name}` to workflow {workflow_id}")
            }
            Self::CancelExternal { workflow_id } if workflow_id.is_empty() => f.write_str("cancel another workflow"),
            Self::CancelExternal { workflow_id } => write!(f, "cancel workflow {workflow_id}"),
            Self::UpsertSearchAttributes => f.write_str("set search attributes"),
            Self::UpsertMemo => f.write_str("set fields of the memo"),
            Self::ScheduleNexusOperation { service, operation } => {
                write!(f, "schedule Nexus operation `{operation}` of service `{service}`")
            }
            Self::CancelNexusOperation { operation } => write!(f, "cancel Nexus operation {operation}"),
            Self::Patch { id, deprecated: false } => write!(f, "patch `{id}`"),
            Self::Patch { id, deprecated: true } => write!(f, "deprecated patch `{id}`"),
            Self::RecordPatches => f.write_str("record the patches in the search attributes"),
            Self::AcceptUpdate { id } => write!(f, "accept update `{id}`"),
            Self::CompleteUpdate { id } => write!(f, "complete update `{id}`"),
            Self::CompleteWorkflow => f.write_str("complete the workflow"),
            Self::FailWorkflow => f.write_str("fail the workflow"),
            Self::CancelWorkflow => f.write_str("cancel the workflow"),
            Self::ContinueAsNew { workflow_type } => write!(f, "continue as new with `{workflow_type}`"),
            Self::Other { event } => f.write_str(event),
        }
    }
}
