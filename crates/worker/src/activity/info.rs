//! What an activity may know of its attempt, read from the task.

use stead_activity::{Info, WorkflowInfo};
use stead_data::time::{duration_from_proto, time_from_proto};
use stead_data::{Priority, RetryPolicy};
use stead_proto::workflowservice::v1::PollActivityTaskQueueResponse;

use crate::shared::Shared;

pub(super) fn from_task(shared: &Shared, task: PollActivityTaskQueueResponse) -> Info {
    let duration = |proto: Option<prost_types::Duration>| {
        proto.as_ref().map(duration_from_proto).filter(|duration| !duration.is_zero())
    };
    let time = |proto: Option<prost_types::Timestamp>| proto.as_ref().map(time_from_proto);
    let workflow_type = task.workflow_type.unwrap_or_default().name;
    let workflow = task.workflow_execution.filter(|workflow| !workflow.workflow_id.is_empty());

    let mut info = Info::default();
    info.activity_id = task.activity_id;
    info.activity_run_id = task.activity_run_id;
    info.activity_type = task.activity_type.unwrap_or_default().name;
    info.attempt = u32::try_from(task.attempt).unwrap_or(0).max(1);
    info.namespace = shared.namespace.clone();
    info.task_queue = shared.task_queue.clone();
    info.task_token = task.task_token;
    info.workflow = workflow.map(|it| WorkflowInfo::new(it.workflow_id, it.run_id, workflow_type));
    info.scheduled_time = time(task.scheduled_time);
    info.current_attempt_scheduled_time = time(task.current_attempt_scheduled_time);
    info.started_time = time(task.started_time);
    info.schedule_to_close_timeout = duration(task.schedule_to_close_timeout);
    info.start_to_close_timeout = duration(task.start_to_close_timeout);
    info.heartbeat_timeout = duration(task.heartbeat_timeout);
    info.heartbeat_details = task.heartbeat_details.unwrap_or_default().payloads;
    info.retry_policy = task.retry_policy.map(RetryPolicy::from_proto);
    info.priority = task.priority.map(Priority::from_proto);
    info
}
