//! Changing the options of a running activity.

use std::{future::IntoFuture, time::Duration};

use stead_data::{BoxFuture, Priority, RetryPolicy, time::duration_to_proto};
use stead_proto::{
    activity::v1::ActivityOptions, taskqueue::v1::TaskQueue, workflowservice::v1::UpdateActivityExecutionOptionsRequest,
};

use super::{ActivityError, StandaloneActivity};
use crate::{
    client::Client,
    connection::CallOptions,
    interceptor::Operation,
    workflow::{request_id, rpc_options},
};

/// New options of a running activity: awaiting it sets those that were named, and only those. Naming none is refused by
/// the server.
///
/// A time limit of `None` takes the limit away.
#[derive(Debug)]
#[must_use = "nothing happens until it is awaited"]
pub struct UpdateActivityOptions {
    client: Client,
    call: UpdateActivityOptionsCall,
}

/// New options on their way, as interceptors see them. What is `None` stays as it is; a limit of `Some(None)` is taken
/// away.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct UpdateActivityOptionsCall {
    /// Whose.
    pub activity: StandaloneActivity,
    /// The task queue.
    pub task_queue: Option<String>,
    /// Time from the start to the end of the last attempt.
    pub schedule_to_close: Option<Option<Duration>>,
    /// Time to wait for a worker.
    pub schedule_to_start: Option<Option<Duration>>,
    /// Time for one attempt.
    pub start_to_close: Option<Option<Duration>>,
    /// Time between two heartbeats.
    pub heartbeat: Option<Option<Duration>>,
    /// How failed attempts are repeated.
    pub retry_policy: Option<Option<RetryPolicy>>,
    /// How urgent its tasks are.
    pub priority: Option<Option<Priority>>,
    /// Time before the first attempt.
    pub start_delay: Option<Option<Duration>>,
    /// Whether it gets all options back that it was started with.
    pub restore_original: bool,
    /// How the call is made.
    pub options: CallOptions,
}

impl UpdateActivityOptions {
    pub(super) fn new(client: Client, activity: StandaloneActivity) -> Self {
        let call = UpdateActivityOptionsCall {
            activity,
            task_queue: None,
            schedule_to_close: None,
            schedule_to_start: None,
            start_to_close: None,
            heartbeat: None,
            retry_policy: None,
            priority: None,
            start_delay: None,
            restore_original: false,
            options: CallOptions::new(),
        };
        Self { client, call }
    }

    /// The task queue.
    pub fn task_queue(mut self, name: impl Into<String>) -> Self {
        self.call.task_queue = Some(name.into());
        self
    }

    /// Time from the start to the end of the last attempt.
    pub fn schedule_to_close(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.call.schedule_to_close = Some(timeout.into());
        self
    }

    /// Time to wait for a worker.
    pub fn schedule_to_start(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.call.schedule_to_start = Some(timeout.into());
        self
    }

    /// Time for one attempt.
    pub fn start_to_close(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.call.start_to_close = Some(timeout.into());
        self
    }

    /// Time between two heartbeats.
    pub fn heartbeat(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.call.heartbeat = Some(timeout.into());
        self
    }

    /// How failed attempts are repeated; `None` for the server's policy.
    pub fn retry(mut self, policy: impl Into<Option<RetryPolicy>>) -> Self {
        self.call.retry_policy = Some(policy.into());
        self
    }

    /// How urgent the activity's tasks are; `None` for the server's choice.
    pub fn priority(mut self, priority: impl Into<Option<Priority>>) -> Self {
        self.call.priority = Some(priority.into());
        self
    }

    /// Time before the first attempt, while that has not started.
    pub fn start_delay(mut self, delay: impl Into<Option<Duration>>) -> Self {
        self.call.start_delay = Some(delay.into());
        self
    }

    /// Gives all options back that the activity was started with, instead of setting any.
    pub fn restore_original(mut self) -> Self {
        self.call.restore_original = true;
        self
    }

    rpc_options!();
}

impl IntoFuture for UpdateActivityOptions {
    type Output = Result<(), ActivityError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.client.perform(self.call).await })
    }
}

impl Operation for UpdateActivityOptionsCall {
    type Output = ();
    type Error = ActivityError;

    async fn send(self, client: &Client) -> Result<(), ActivityError> {
        let mut paths = Vec::new();
        let new = ActivityOptions {
            task_queue: named(&mut paths, "task_queue.name", self.task_queue.map(Some))
                .map(|name| TaskQueue { name, ..Default::default() }),
            schedule_to_close_timeout: named(&mut paths, "schedule_to_close_timeout", self.schedule_to_close)
                .map(duration_to_proto),
            schedule_to_start_timeout: named(&mut paths, "schedule_to_start_timeout", self.schedule_to_start)
                .map(duration_to_proto),
            start_to_close_timeout: named(&mut paths, "start_to_close_timeout", self.start_to_close)
                .map(duration_to_proto),
            heartbeat_timeout: named(&mut paths, "heartbeat_timeout", self.heartbeat).map(duration_to_proto),
            retry_policy: named(&mut paths, "retry_policy", self.retry_policy).map(RetryPolicy::into_proto),
            priority: named(&mut paths, "priority", self.priority).map(Priority::into_proto),
            start_delay: named(&mut paths, "start_delay", self.start_delay).map(duration_to_proto),
        };
        let request = UpdateActivityExecutionOptionsRequest {
            namespace: client.namespace().to_owned(),
            activity_id: self.activity.activity_id.clone(),
            run_id: self.activity.run_id.clone().unwrap_or_default(),
            identity: client.identity().to_owned(),
            activity_options: (!paths.is_empty()).then_some(new),
            update_mask: (!paths.is_empty()).then_some(prost_types::FieldMask { paths }),
            restore_original: self.restore_original,
            request_id: request_id(),
            ..Default::default()
        };
        let answer = client.service().update_activity_execution_options(request, self.options).await;
        self.activity.answered(answer).map(drop)
    }
}

/// Names what is to change, and gives what it becomes.
fn named<T>(paths: &mut Vec<String>, path: &str, change: Option<Option<T>>) -> Option<T> {
    let to = change?;
    paths.push(path.to_owned());
    to
}
