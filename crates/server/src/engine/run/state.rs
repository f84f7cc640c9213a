//! What is stored of a run: the state that all its rooms share, and the things that it waits for, one row each.
//!
//! The stored message is the live state, so nothing is written twice. Tags are never used again for something else.
//! Instants are nanoseconds since the Unix epoch; 0 says "none".

use prost::{Message, Oneof};
use prost_types::Duration;
use stead_proto::common::v1::{Memo, Priority, RetryPolicy, SearchAttributes, WorkflowExecution, WorkflowType};
use stead_proto::deployment::v1::WorkerDeploymentVersion;
use stead_proto::enums::v1::{EventType, ParentClosePolicy, WorkflowExecutionStatus};
use stead_proto::history::v1::HistoryEvent;
use stead_proto::sdk::v1::UserMetadata;
use stead_proto::workflow::v1::{ResetPoints, VersioningOverride};

use super::time_skipping::TimeSkipping;
use super::versioning::Versioning;
use crate::engine::nexus::callbacks::AttachedCallback;

/// A run.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RunState {
    #[prost(uint64, tag = "1")]
    pub(crate) namespace: u64,
    #[prost(string, tag = "2")]
    pub(crate) workflow_id: String,
    #[prost(string, tag = "3")]
    pub(crate) run_id: String,
    #[prost(string, tag = "4")]
    pub(crate) workflow_type: String,
    #[prost(string, tag = "5")]
    pub(crate) task_queue: String,
    #[prost(enumeration = "WorkflowExecutionStatus", tag = "6")]
    pub(crate) status: i32,
    #[prost(int64, tag = "7")]
    pub(crate) started_at: i64,
    /// When the first workflow task may be scheduled: the start, or later by a delay, a cron schedule or a backoff.
    #[prost(int64, tag = "8")]
    pub(crate) execution_at: i64,
    #[prost(int64, tag = "9")]
    pub(crate) closed_at: i64,
    #[prost(message, optional, tag = "10")]
    pub(crate) execution_timeout: Option<Duration>,
    #[prost(message, optional, tag = "11")]
    pub(crate) run_timeout: Option<Duration>,
    #[prost(message, optional, tag = "12")]
    pub(crate) task_timeout: Option<Duration>,
    #[prost(int64, tag = "13")]
    pub(crate) execution_expires_at: i64,
    #[prost(int64, tag = "14")]
    pub(crate) run_expires_at: i64,
    #[prost(int32, tag = "15")]
    pub(crate) attempt: i32,
    #[prost(message, optional, tag = "16")]
    pub(crate) retry_policy: Option<RetryPolicy>,
    #[prost(string, tag = "17")]
    pub(crate) cron_schedule: String,
    #[prost(message, optional, tag = "18")]
    pub(crate) parent: Option<Parent>,
    #[prost(message, optional, tag = "19")]
    pub(crate) root: Option<WorkflowExecution>,
    #[prost(string, tag = "20")]
    pub(crate) first_run_id: String,
    #[prost(message, optional, tag = "21")]
    pub(crate) memo: Option<Memo>,
    #[prost(message, optional, tag = "22")]
    pub(crate) search_attributes: Option<SearchAttributes>,
    #[prost(message, optional, tag = "23")]
    pub(crate) priority: Option<Priority>,
    #[prost(message, optional, tag = "24")]
    pub(crate) user_metadata: Option<UserMetadata>,
    #[prost(message, optional, tag = "26")]
    pub(crate) versioning_override: Option<VersioningOverride>,
    /// Behaviour and version of the last completed task; see `versioning`.
    #[prost(int32, tag = "27")]
    pub(crate) versioning_behavior: i32,
    #[prost(message, optional, tag = "28")]
    pub(crate) deployment_version: Option<WorkerDeploymentVersion>,
    #[prost(string, tag = "29")]
    pub(crate) start_request_id: String,

    /// The workflow task that is scheduled or started. A speculative one is never stored.
    #[prost(oneof = "WorkflowTask", tags = "40, 41")]
    pub(crate) task: Option<WorkflowTask>,
    /// The attempt that the next workflow task is.
    #[prost(int32, tag = "42")]
    pub(crate) task_attempt: i32,
    /// Counts the tasks of this run, so that a task in a queue is told from those before it.
    #[prost(uint64, tag = "43")]
    pub(crate) task_stamp: u64,
    /// Started event of the last completed workflow task; 0 before the first.
    #[prost(int64, tag = "44")]
    pub(crate) previous_started_event_id: i64,
    #[prost(message, optional, tag = "45")]
    pub(crate) sticky: Option<Sticky>,
    /// Events that wait for the end of the workflow task.
    #[prost(message, repeated, tag = "46")]
    pub(crate) buffered: Vec<HistoryEvent>,
    /// The last task ended with commands that would have closed the workflow, had there been no news.
    #[prost(bool, tag = "47")]
    pub(crate) closing_refused: bool,
    #[prost(bool, tag = "48")]
    pub(crate) cancel_requested: bool,
    #[prost(string, tag = "49")]
    pub(crate) cancel_request_id: String,
    #[prost(uint64, tag = "50")]
    pub(crate) signals: u64,
    /// The run that follows this one.
    #[prost(string, tag = "52")]
    pub(crate) new_run_id: String,
    #[prost(uint64, tag = "53")]
    pub(crate) transitions: u64,
    #[prost(message, optional, tag = "54")]
    pub(crate) pause: Option<Pause>,
    /// The run that began anew from a point of this one.
    #[prost(string, tag = "55")]
    pub(crate) reset_run_id: String,
    /// The run from a point of which this one began anew.
    #[prost(string, tag = "56")]
    pub(crate) reset_from_run_id: String,
    /// Who is called back when the run, or one of its updates, ends. (25 were callbacks without a state.)
    #[prost(message, repeated, tag = "60")]
    pub(crate) callbacks: Vec<AttachedCallback>,
    #[prost(message, optional, tag = "57")]
    pub(crate) reset_points: Option<ResetPoints>,
    /// The last event that this run has from the one of which it began anew.
    #[prost(int64, tag = "58")]
    pub(crate) reset_from_event_id: i64,
    #[prost(message, optional, tag = "59")]
    pub(crate) time_skipping: Option<TimeSkipping>,
    #[prost(message, required, tag = "61")]
    pub(crate) versioning: Versioning,
    /// Workflow tasks that have failed since one completed.
    #[prost(int32, tag = "62")]
    pub(crate) failed_tasks: i32,
    /// How the first of them failed, as lists show it.
    #[prost(string, repeated, tag = "63")]
    pub(crate) task_problem: Vec<String>,
    /// Payloads in the history that are kept elsewhere, and their bytes.
    #[prost(int64, tag = "64")]
    pub(crate) external_payloads: i64,
    #[prost(int64, tag = "65")]
    pub(crate) external_payloads_size: i64,
}

/// Who waits for a run's chain to end.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Parent {
    #[prost(message, required, tag = "1")]
    pub(crate) execution: WorkflowExecution,
    #[prost(int64, tag = "2")]
    pub(crate) initiated_event_id: i64,
    #[prost(uint64, tag = "3")]
    pub(crate) namespace: u64,
}

/// The queue of the worker that has the run in its cache.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Sticky {
    #[prost(string, tag = "1")]
    pub(crate) queue: String,
    #[prost(message, optional, tag = "2")]
    pub(crate) schedule_to_start: Option<Duration>,
}

/// Who paused a workflow or an activity, which takes no steps for now.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Pause {
    #[prost(string, tag = "1")]
    pub(crate) identity: String,
    #[prost(string, tag = "2")]
    pub(crate) reason: String,
    #[prost(int64, tag = "3")]
    pub(crate) at: i64,
    #[prost(string, tag = "4")]
    pub(crate) request_id: String,
}

/// The machine of the workflow task; `workflow_task` draws it and moves it.
#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum WorkflowTask {
    /// In a queue.
    #[prost(message, tag = "40")]
    Scheduled(ScheduledTask),
    /// With a worker.
    #[prost(message, tag = "41")]
    Started(StartedTask),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ScheduledTask {
    /// Of the event; where it is not written (yet), the id that it would have.
    #[prost(int64, tag = "1")]
    pub(crate) scheduled_event_id: i64,
    /// Whether `WorkflowTaskScheduled` stands in history. It does not for later attempts and for speculative tasks.
    #[prost(bool, tag = "2")]
    pub(crate) written: bool,
    #[prost(bool, tag = "3")]
    pub(crate) speculative: bool,
    #[prost(int32, tag = "4")]
    pub(crate) attempt: i32,
    #[prost(int64, tag = "5")]
    pub(crate) at: i64,
    /// Of the first of a row of heartbeats.
    #[prost(int64, tag = "6")]
    pub(crate) original_at: i64,
    #[prost(bool, tag = "7")]
    pub(crate) sticky: bool,
    #[prost(message, optional, tag = "8")]
    pub(crate) timeout: Option<Duration>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct StartedTask {
    #[prost(message, required, tag = "1")]
    pub(crate) scheduled: ScheduledTask,
    #[prost(int64, tag = "2")]
    pub(crate) started_event_id: i64,
    #[prost(int64, tag = "3")]
    pub(crate) at: i64,
    #[prost(string, tag = "4")]
    pub(crate) identity: String,
    #[prost(string, tag = "5")]
    pub(crate) request_id: String,
    /// What `WorkflowTaskStarted` says, kept for when it is written at completion.
    #[prost(bool, tag = "6")]
    pub(crate) suggest_continue_as_new: bool,
    #[prost(int64, tag = "7")]
    pub(crate) history_size: i64,
    #[prost(enumeration = "stead_proto::enums::v1::SuggestContinueAsNewReason", repeated, tag = "8")]
    pub(crate) suggest_reasons: Vec<i32>,
    #[prost(bool, tag = "9")]
    pub(crate) target_changed: bool,
}

/// A timer that has not fired.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct TimerState {
    #[prost(int64, tag = "1")]
    pub(crate) started_event_id: i64,
    #[prost(int64, tag = "2")]
    pub(crate) fires_at: i64,
}

/// A child that was asked for and whose chain of runs has not ended.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ChildState {
    #[prost(string, tag = "1")]
    pub(crate) workflow_id: String,
    #[prost(message, optional, tag = "2")]
    pub(crate) workflow_type: Option<WorkflowType>,
    #[prost(enumeration = "ParentClosePolicy", tag = "3")]
    pub(crate) close_policy: i32,
    /// Empty until it has started.
    #[prost(string, tag = "4")]
    pub(crate) run_id: String,
    /// 0 while the event waits in the buffer.
    #[prost(int64, tag = "5")]
    pub(crate) started_event_id: i64,
    #[prost(string, tag = "6")]
    pub(crate) namespace: String,
}

/// A signal or a cancellation of another workflow that has not been delivered.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ExternalState {
    #[prost(string, tag = "1")]
    pub(crate) request_id: String,
}

/// A request that has been served, and the event that it led to; 0 while that waits in the buffer.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RequestState {
    #[prost(enumeration = "EventType", tag = "1")]
    pub(crate) event_type: i32,
    #[prost(int64, tag = "2")]
    pub(crate) event_id: i64,
}
