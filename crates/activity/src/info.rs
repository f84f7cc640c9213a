//! What is known of an attempt.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use stead_data::{ActivityContext, Payload, Priority, RetryPolicy, SerializationContext, WorkflowContext};

/// One attempt of an activity. See [`info`](crate::info).
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Info {
    /// Id of the activity, unique among the open ones of its workflow.
    pub activity_id: String,
    /// Run id of an activity that no workflow started; empty otherwise.
    pub activity_run_id: String,
    /// Type of the activity.
    pub activity_type: String,
    /// Number of this attempt, from 1.
    pub attempt: u32,
    /// Whether it runs in the worker of its workflow without the server knowing.
    pub is_local: bool,
    /// Namespace.
    pub namespace: String,
    /// Task queue that it was polled from.
    pub task_queue: String,
    /// Names this attempt to the server. What another process needs to complete it later.
    pub task_token: Bytes,
    /// The workflow that scheduled it; `None` for an activity that no workflow started.
    pub workflow: Option<WorkflowInfo>,
    /// When the activity was first scheduled.
    pub scheduled_time: Option<SystemTime>,
    /// When this attempt was scheduled.
    pub current_attempt_scheduled_time: Option<SystemTime>,
    /// When this attempt started.
    pub started_time: Option<SystemTime>,
    /// Limit from scheduling to the end of the last attempt.
    pub schedule_to_close_timeout: Option<Duration>,
    /// Limit on this attempt.
    pub start_to_close_timeout: Option<Duration>,
    /// Limit between two heartbeats.
    pub heartbeat_timeout: Option<Duration>,
    /// Details of the last heartbeat of the attempt before, encoded. See
    /// [`heartbeat_details`](crate::heartbeat_details).
    pub heartbeat_details: Vec<Payload>,
    /// The retry policy in force; the server may have changed the one that was asked for.
    pub retry_policy: Option<RetryPolicy>,
    /// Priority.
    pub priority: Option<Priority>,
}

impl Info {
    /// The activity as the owner of payloads.
    pub fn owner(&self) -> SerializationContext {
        let mut activity = ActivityContext::new(&self.namespace, &self.activity_id);
        activity.activity_type = Some(self.activity_type.clone());
        activity.task_queue = Some(self.task_queue.clone());
        activity.run_id = Some(self.activity_run_id.clone()).filter(|id| !id.is_empty());
        activity.is_local = self.is_local;
        activity.workflow = self.workflow.as_ref().map(|workflow| {
            let mut owner = WorkflowContext::new(&self.namespace, &workflow.workflow_id);
            owner.run_id = Some(workflow.run_id.clone());
            owner.workflow_type = Some(workflow.workflow_type.clone());
            owner
        });
        activity.into()
    }
}

/// The workflow that scheduled an activity.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct WorkflowInfo {
    /// Its id.
    pub workflow_id: String,
    /// Its run.
    pub run_id: String,
    /// Its type.
    pub workflow_type: String,
}

impl WorkflowInfo {
    /// Names a workflow.
    pub fn new(workflow_id: impl Into<String>, run_id: impl Into<String>, workflow_type: impl Into<String>) -> Self {
        Self { workflow_id: workflow_id.into(), run_id: run_id.into(), workflow_type: workflow_type.into() }
    }
}
