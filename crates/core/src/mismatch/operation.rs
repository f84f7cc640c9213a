//! What a workflow can do, as history records it or as code asked for it.

use std::fmt;
use std::time::Duration;

use stead_activation::{Command, SignalTarget, UpdateResponse};
use stead_proto::system;

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

impl Operation {
    /// What tells this operation from others of its kind: names and values, in a fixed order.
    pub(super) fn fields(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::StartTimer { id, duration } => vec![("id", id.clone()), ("duration", format!("{duration:?}"))],
            Self::CancelTimer { id } | Self::CancelActivity { id } => vec![("id", id.clone())],
            Self::AcceptUpdate { id } | Self::CompleteUpdate { id } => vec![("id", id.clone())],
            Self::ScheduleActivity { id, activity_type } | Self::LocalActivity { id, activity_type } => {
                vec![("id", id.clone()), ("type", activity_type.clone())]
            }
            Self::StartChildWorkflow { workflow_id, workflow_type } => {
                vec![("workflow id", workflow_id.clone()), ("type", workflow_type.clone())]
            }
            Self::SignalExternal { workflow_id, signal_name } => {
                vec![("workflow id", workflow_id.clone()), ("signal", signal_name.clone())]
            }
            Self::CancelExternal { workflow_id } => vec![("workflow id", workflow_id.clone())],
            Self::ScheduleNexusOperation { service, operation } => {
                vec![("service", service.clone()), ("operation", operation.clone())]
            }
            Self::CancelNexusOperation { operation } => vec![("operation", operation.clone())],
            Self::Patch { id, deprecated } => vec![("id", id.clone()), ("deprecated", deprecated.to_string())],
            Self::ContinueAsNew { workflow_type } => vec![("type", workflow_type.clone())],
            Self::Other { event } => vec![("event", (*event).to_owned())],
            Self::UpsertSearchAttributes
            | Self::UpsertMemo
            | Self::RecordPatches
            | Self::CompleteWorkflow
            | Self::FailWorkflow
            | Self::CancelWorkflow => Vec::new(),
        }
    }
}

/// What a command asks for. Of an operation that is cancelled the command knows no more than its number.
impl From<&Command> for Operation {
    fn from(command: &Command) -> Self {
        match command {
            Command::StartTimer { seq, duration, .. } => Self::StartTimer { id: seq.to_string(), duration: *duration },
            Command::CancelTimer { seq } => Self::CancelTimer { id: seq.to_string() },
            Command::ScheduleActivity(it) => {
                Self::ScheduleActivity { id: it.activity_id.clone(), activity_type: it.activity_type.clone() }
            }
            Command::CancelActivity { seq } | Command::CancelLocalActivity { seq } => {
                Self::CancelActivity { id: seq.to_string() }
            }
            Command::ScheduleLocalActivity(it) => {
                Self::LocalActivity { id: it.activity_id.clone(), activity_type: it.activity_type.clone() }
            }
            Command::StartChildWorkflow(it) => Self::StartChildWorkflow {
                workflow_id: it.workflow_id.clone(),
                workflow_type: it.workflow_type.clone(),
            },
            Command::CancelChildWorkflow { .. } => Self::Other { event: "cancel a child workflow" },
            Command::SignalExternal(it) => {
                Self::SignalExternal { workflow_id: target(&it.target).to_owned(), signal_name: it.signal_name.clone() }
            }
            Command::CancelSignalExternal { .. } => Self::Other { event: "take back a signal to another workflow" },
            Command::CancelExternal(it) => Self::CancelExternal { workflow_id: it.target.workflow_id.clone() },
            Command::UpsertSearchAttributes(_) => Self::UpsertSearchAttributes,
            Command::UpsertMemo(_) => Self::UpsertMemo,
            Command::ScheduleNexusOperation(it) => {
                Self::ScheduleNexusOperation { service: it.service.clone(), operation: it.operation.clone() }
            }
            Command::SignalWithStart(_) => Self::ScheduleNexusOperation {
                service: system::WORKFLOW_SERVICE.to_owned(),
                operation: system::SIGNAL_WITH_START.to_owned(),
            },
            Command::CancelNexusOperation { seq } => Self::CancelNexusOperation { operation: seq.to_string() },
            Command::SetPatch { id, deprecated } => Self::Patch { id: id.clone(), deprecated: *deprecated },
            Command::RespondUpdate { protocol_instance_id: id, response } => match response {
                UpdateResponse::Accepted => Self::AcceptUpdate { id: id.clone() },
                UpdateResponse::Rejected(_) | UpdateResponse::Completed(_) => Self::CompleteUpdate { id: id.clone() },
            },
            Command::SetEventGroups(_) => Self::Other { event: "say which groups events belong to" },
            Command::AnswerQuery { .. } => Self::Other { event: "answer a query" },
            Command::CompleteWorkflow { .. } => Self::CompleteWorkflow,
            Command::FailWorkflow { .. } => Self::FailWorkflow,
            Command::CancelWorkflow => Self::CancelWorkflow,
            Command::ContinueAsNew(next) => Self::ContinueAsNew { workflow_type: next.workflow_type.clone() },
        }
    }
}

fn target(target: &SignalTarget) -> &str {
    match target {
        SignalTarget::Child { workflow_id } => workflow_id,
        SignalTarget::External(external) => &external.workflow_id,
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
            Self::ContinueAsNew { workflow_type } if workflow_type.is_empty() => f.write_str("continue as new"),
            Self::ContinueAsNew { workflow_type } => write!(f, "continue as new with `{workflow_type}`"),
            Self::Other { event } => f.write_str(event),
        }
    }
}
