//! Changing the options of a running activity.

use std::{future::IntoFuture, time::Duration};

use stead_data::{BoxFuture, Priority, RetryPolicy, time::duration_to_proto};
use stead_proto::{
    activity::v1::ActivityOptions, taskqueue::v1::TaskQueue, workflowservice::v1::UpdateActivityExecutionOptionsRequest,
};

use super::{ActivityError, handle::Named, rpc_options};
use crate::{connection::CallOptions, workflow::request_id};

/// New options of a running activity: awaiting it sets those that were named, and only those. Naming none is refused by
/// the server.
///
/// A time limit of `None` takes the limit away.
#[derive(Debug)]
#[must_use = "nothing happens until it is awaited"]
pub struct UpdateActivityOptions {
    activity: Named,
    new: ActivityOptions,
    paths: Vec<String>,
    restore_original: bool,
    options: CallOptions,
}

impl UpdateActivityOptions {
    pub(super) fn new(activity: Named) -> Self {
        let new = ActivityOptions::default();
        Self { activity, new, paths: Vec::new(), restore_original: false, options: CallOptions::new() }
    }

    /// The task queue.
    pub fn task_queue(mut self, name: impl Into<String>) -> Self {
        self.new.task_queue = Some(TaskQueue { name: name.into(), ..Default::default() });
        self.named("task_queue.name")
    }

    /// Time from the start to the end of the last attempt.
    pub fn schedule_to_close(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.new.schedule_to_close_timeout = timeout.into().map(duration_to_proto);
        self.named("schedule_to_close_timeout")
    }

    /// Time to wait for a worker.
    pub fn schedule_to_start(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.new.schedule_to_start_timeout = timeout.into().map(duration_to_proto);
        self.named("schedule_to_start_timeout")
    }

    /// Time for one attempt.
    pub fn start_to_close(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.new.start_to_close_timeout = timeout.into().map(duration_to_proto);
        self.named("start_to_close_timeout")
    }

    /// Time between two heartbeats.
    pub fn heartbeat(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.new.heartbeat_timeout = timeout.into().map(duration_to_proto);
        self.named("heartbeat_timeout")
    }

    /// How failed attempts are repeated; `None` for the server's policy.
    pub fn retry(mut self, policy: impl Into<Option<RetryPolicy>>) -> Self {
        self.new.retry_policy = policy.into().map(RetryPolicy::into_proto);
        self.named("retry_policy")
    }

    /// How urgent the activity's tasks are; `None` for the server's choice.
    pub fn priority(mut self, priority: impl Into<Option<Priority>>) -> Self {
        self.new.priority = priority.into().map(Priority::into_proto);
        self.named("priority")
    }

    /// Time before the first attempt, while that has not started.
    pub fn start_delay(mut self, delay: impl Into<Option<Duration>>) -> Self {
        self.new.start_delay = delay.into().map(duration_to_proto);
        self.named("start_delay")
    }

    /// Gives all options back that the activity was started with, instead of setting any.
    pub fn restore_original(mut self) -> Self {
        self.restore_original = true;
        self
    }

    rpc_options!();

    fn named(mut self, path: &str) -> Self {
        if !self.paths.iter().any(|named| named == path) {
            self.paths.push(path.to_owned());
        }
        self
    }

    async fn send(self) -> Result<(), ActivityError> {
        let Self { activity, new, paths, restore_original, options } = self;
        let request = UpdateActivityExecutionOptionsRequest {
            namespace: activity.namespace(),
            activity_id: activity.id.clone(),
            run_id: activity.run_id.clone(),
            identity: activity.identity(),
            activity_options: (!paths.is_empty()).then_some(new),
            update_mask: (!paths.is_empty()).then_some(prost_types::FieldMask { paths }),
            restore_original,
            request_id: request_id(),
            ..Default::default()
        };
        let answer = activity.client.service().update_activity_execution_options(request, options).await;
        activity.answered(answer).map(drop)
    }
}

impl IntoFuture for UpdateActivityOptions {
    type Output = Result<(), ActivityError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}
