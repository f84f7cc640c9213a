//! Responses that carry history, with each event as the bytes it is stored as: an event is encoded once, when it is
//! written, and never decoded to be sent.
//!
//! On the wire these are the messages of the same names in `temporal.api.workflowservice.v1`: the same numbers, and a
//! repeated message is a repeated string of bytes.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;
use stead_proto::common::v1::{DataBlob, Link, WorkflowExecution, WorkflowType};
use stead_proto::enums::v1::WorkflowExecutionStatus;
use stead_proto::protocol::v1 as protocol;
use stead_proto::query::v1::WorkflowQuery;
use stead_proto::taskqueue::v1::{PollerScalingDecision, TaskQueue};
use stead_proto::workflowservice::v1::PollActivityTaskQueueResponse;

/// `temporal.api.history.v1.History`.
#[derive(Clone, PartialEq, Message)]
pub struct History {
    /// Encoded events.
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub events: Vec<Bytes>,
}

/// The response of `GetWorkflowExecutionHistory`.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "as the API defines them")]
pub struct GetWorkflowExecutionHistoryResponse {
    #[prost(message, optional, tag = "1")]
    pub history: Option<History>,
    #[prost(message, repeated, tag = "2")]
    pub raw_history: Vec<DataBlob>,
    #[prost(bytes = "bytes", tag = "3")]
    pub next_page_token: Bytes,
    #[prost(bool, tag = "4")]
    pub archived: bool,
}

/// The response of `GetWorkflowExecutionHistoryReverse`.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "as the API defines them")]
pub struct GetWorkflowExecutionHistoryReverseResponse {
    #[prost(message, optional, tag = "1")]
    pub history: Option<History>,
    #[prost(bytes = "bytes", tag = "3")]
    pub next_page_token: Bytes,
}

/// The response of `PollWorkflowTaskQueue`: a workflow task.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "as the API defines them")]
pub struct PollWorkflowTaskQueueResponse {
    #[prost(bytes = "bytes", tag = "1")]
    pub task_token: Bytes,
    #[prost(message, optional, tag = "2")]
    pub workflow_execution: Option<WorkflowExecution>,
    #[prost(message, optional, tag = "3")]
    pub workflow_type: Option<WorkflowType>,
    #[prost(int64, tag = "4")]
    pub previous_started_event_id: i64,
    #[prost(int64, tag = "5")]
    pub started_event_id: i64,
    #[prost(int32, tag = "6")]
    pub attempt: i32,
    #[prost(int64, tag = "7")]
    pub backlog_count_hint: i64,
    #[prost(message, optional, tag = "8")]
    pub history: Option<History>,
    #[prost(bytes = "bytes", tag = "9")]
    pub next_page_token: Bytes,
    #[prost(message, optional, tag = "10")]
    pub query: Option<WorkflowQuery>,
    #[prost(message, optional, tag = "11")]
    pub workflow_execution_task_queue: Option<TaskQueue>,
    #[prost(message, optional, tag = "12")]
    pub scheduled_time: Option<prost_types::Timestamp>,
    #[prost(message, optional, tag = "13")]
    pub started_time: Option<prost_types::Timestamp>,
    #[prost(btree_map = "string, message", tag = "14")]
    pub queries: BTreeMap<String, WorkflowQuery>,
    #[prost(message, repeated, tag = "15")]
    pub messages: Vec<protocol::Message>,
    #[prost(message, optional, tag = "16")]
    pub poller_scaling_decision: Option<PollerScalingDecision>,
}

/// The response of `StartWorkflowExecution`.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "as the API defines them")]
pub struct StartWorkflowExecutionResponse {
    #[prost(string, tag = "1")]
    pub run_id: String,
    #[prost(message, optional, tag = "2")]
    pub eager_workflow_task: Option<PollWorkflowTaskQueueResponse>,
    #[prost(bool, tag = "3")]
    pub started: bool,
    #[prost(message, optional, tag = "4")]
    pub link: Option<Link>,
    #[prost(enumeration = "WorkflowExecutionStatus", tag = "5")]
    pub status: i32,
    #[prost(string, tag = "6")]
    pub first_execution_run_id: String,
}

/// The response of `RespondWorkflowTaskCompleted`.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "as the API defines them")]
pub struct RespondWorkflowTaskCompletedResponse {
    #[prost(message, optional, tag = "1")]
    pub workflow_task: Option<PollWorkflowTaskQueueResponse>,
    #[prost(message, repeated, tag = "2")]
    pub activity_tasks: Vec<PollActivityTaskQueueResponse>,
    #[prost(int64, tag = "3")]
    pub reset_history_event_id: i64,
}
