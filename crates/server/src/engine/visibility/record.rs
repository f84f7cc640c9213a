//! [`Record`]: what visibility knows of one execution, and the rows of lists that are made of it.

use stead_proto::common::v1::{Memo, SearchAttributes, WorkflowExecution, WorkflowType};
use stead_proto::enums::v1::{ActivityExecutionStatus, NexusOperationExecutionStatus, WorkflowExecutionStatus};
use stead_proto::workflow::v1::WorkflowExecutionInfo;

use crate::engine::Time;
use crate::engine::search_attributes::Value;
use crate::engine::time::wire;

/// What an execution is. Each kind has an index of its own, and columns of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// Custom and predefined attributes, with their types, as
    /// [`normalized`](crate::engine::search_attributes) ones are.
    pub(crate) search_attributes: SearchAttributes,
    /// Columns that only this kind has, such as `Endpoint`.
    pub(crate) own: Vec<(&'static str, Value)>,
}

impl Kind {
    /// A status by its name, such as `Running`.
    pub(crate) fn status_name(self, status: i32) -> String {
        let (name, prefix) = match self {
            Self::Workflow => {
                let status = WorkflowExecutionStatus::try_from(status).unwrap_or(WorkflowExecutionStatus::Unspecified);
                (status.as_str_name(), "WORKFLOW_EXECUTION_STATUS_")
            }
            Self::Activity => {
                let status = ActivityExecutionStatus::try_from(status).unwrap_or(ActivityExecutionStatus::Unspecified);
                (status.as_str_name(), "ACTIVITY_EXECUTION_STATUS_")
            }
            Self::NexusOperation => {
                let status = NexusOperationExecutionStatus::try_from(status);
                let status = status.unwrap_or(NexusOperationExecutionStatus::Unspecified);
                (status.as_str_name(), "NEXUS_OPERATION_EXECUTION_STATUS_")
            }
            Self::Schedule => return if status == 1 { "Running" } else { "Completed" }.to_owned(),
        };
        pascal_case(name.trim_start_matches(prefix))
    }
}

impl Record {
    /// The row of a list of workflows, with the attributes that the namespace has now.
    pub(crate) fn workflow_info(&self, search_attributes: Option<SearchAttributes>) -> WorkflowExecutionInfo {
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
            search_attributes,
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

/// `TIMED_OUT` is `TimedOut`.
fn pascal_case(name: &str) -> String {
    let word = |word: &str| word[..1].to_owned() + &word[1..].to_ascii_lowercase();
    name.split('_').filter(|part| !part.is_empty()).map(word).collect()
}
