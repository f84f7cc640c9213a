//! [`Record`]: what visibility knows of one execution, and the rows of lists that are made of it.

use stead_proto::common::v1::{Memo, SearchAttributes, WorkflowExecution, WorkflowType};
use stead_proto::enums::v1::WorkflowExecutionStatus;
use stead_proto::workflow::v1::WorkflowExecutionInfo;

use crate::engine::Time;
use crate::engine::search_attributes::Value;
use crate::engine::time::wire;

/// What an execution is. Each kind has an index of its own, and columns of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(dead_code, reason = "their columns can be asked for; not all that they are about is served yet")]
pub(crate) enum Kind {
    Workflow,
    /// An activity without a workflow.
    Activity,
    /// A Nexus operation without a workflow.
    NexusOperation,
    Schedule,
}

/// What visibility knows of one execution.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Record {
    /// The workflow's, activity's, operation's or schedule's id.
    pub(crate) id: String,
    /// Unique among the records of a kind and namespace.
    pub(crate) run_id: String,
    /// The workflow's or activity's type.
    pub(crate) type_name: String,
    pub(crate) task_queue: String,
    /// A number of the kind's own enumeration: [`WorkflowExecutionStatus`] and its like.
    pub(crate) status: i32,
    pub(crate) start_time: Time,
    /// When the first task was or will be ready: the start with the delay before it.
    pub(crate) execution_time: Time,
    /// When it ended; open executions have none.
    pub(crate) close_time: Option<Time>,
    /// Events, known at the end.
    pub(crate) history_length: i64,
    /// Bytes of history, known at the end.
    pub(crate) history_size: i64,
    /// Known at the end.
    pub(crate) state_transitions: i64,
    pub(crate) parent: Option<WorkflowExecution>,
    pub(crate) root: Option<WorkflowExecution>,
    pub(crate) memo: Option<Memo>,
    /// Custom and predefined attributes with their types, as `Registry::normalized` leaves them.
    pub(crate) search_attributes: SearchAttributes,
    /// Columns that only this kind has, such as `Endpoint`.
    pub(crate) own: Vec<(&'static str, Value)>,
}

impl Kind {
    /// A status by its name, such as `Running`.
    pub(crate) fn status_name(self, status: i32) -> &'static str {
        let names = match self {
            Self::Workflow => WORKFLOW_STATUSES.as_slice(),
            Self::Activity => &ACTIVITY_STATUSES,
            Self::NexusOperation => &NEXUS_OPERATION_STATUSES,
            Self::Schedule => &NEXUS_OPERATION_STATUSES[..=2],
        };
        usize::try_from(status).ok().and_then(|status| names.get(status)).copied().unwrap_or(names[0])
    }

    /// A workflow's status by its name, in either of the two forms that there are.
    pub(super) fn workflow_status(name: &str) -> Option<WorkflowExecutionStatus> {
        let number = WORKFLOW_STATUSES.iter().position(|known| *known == name).and_then(|at| i32::try_from(at).ok());
        let by_number = || number?.try_into().ok();
        WorkflowExecutionStatus::from_str_name(name).or_else(by_number)
    }
}

impl Record {
    /// The row of a list of workflows, with the attributes that the namespace has now.
    pub(crate) fn workflow_info(&self, search_attributes: SearchAttributes) -> WorkflowExecutionInfo {
        let open = WorkflowExecutionInfo {
            execution: Some(WorkflowExecution { workflow_id: self.id.clone(), run_id: self.run_id.clone() }),
            r#type: Some(WorkflowType { name: self.type_name.clone() }),
            start_time: Some(self.start_time.timestamp()),
            execution_time: Some(self.execution_time.timestamp()),
            status: self.status,
            task_queue: self.task_queue.clone(),
            parent_execution: self.parent.clone(),
            root_execution: self.root.clone().or_else(|| Some(WorkflowExecution::default())),
            memo: Some(self.memo.clone().unwrap_or_default()),
            search_attributes: Some(search_attributes),
            ..Default::default()
        };
        let Some(closed) = self.close_time else { return open };
        WorkflowExecutionInfo {
            close_time: Some(closed.timestamp()),
            execution_duration: Some(wire(closed.since(self.execution_time))),
            history_length: self.history_length,
            history_size_bytes: self.history_size,
            state_transition_count: self.state_transitions,
            ..open
        }
    }
}

/// By number.
const WORKFLOW_STATUSES: [&str; 9] =
    ["Unspecified", "Running", "Completed", "Failed", "Canceled", "Terminated", "ContinuedAsNew", "TimedOut", "Paused"];

/// By number.
const ACTIVITY_STATUSES: [&str; 8] =
    ["Unspecified", "Running", "Completed", "Failed", "Canceled", "Terminated", "TimedOut", "Paused"];

/// By number.
const NEXUS_OPERATION_STATUSES: [&str; 7] =
    ["Unspecified", "Running", "Completed", "Failed", "Canceled", "Terminated", "TimedOut"];

#[cfg(test)]
mod tests {
    use stead_proto::enums::v1::{ActivityExecutionStatus, NexusOperationExecutionStatus};

    use super::*;

    #[test]
    fn statuses_have_the_names_of_the_api() {
        for number in 0..9 {
            let names = [
                (Kind::Workflow, WorkflowExecutionStatus::try_from(number).map(|status| status.as_str_name())),
                (Kind::Activity, ActivityExecutionStatus::try_from(number).map(|status| status.as_str_name())),
                (
                    Kind::NexusOperation,
                    NexusOperationExecutionStatus::try_from(number).map(|status| status.as_str_name()),
                ),
            ];
            for (kind, name) in names.into_iter().filter_map(|(kind, name)| Some((kind, name.ok()?))) {
                let short = kind.status_name(number).to_ascii_uppercase();
                assert!(name.replace('_', "").ends_with(&short), "{kind:?} {number}: {name} is not {short}");
            }
        }
        assert_eq!(Kind::workflow_status("TimedOut"), Some(WorkflowExecutionStatus::TimedOut));
        assert_eq!(Kind::workflow_status("WORKFLOW_EXECUTION_STATUS_PAUSED"), Some(WorkflowExecutionStatus::Paused));
        assert_eq!(Kind::workflow_status("running"), None);
    }
}
