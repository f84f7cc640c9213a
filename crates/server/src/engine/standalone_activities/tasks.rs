//! Tasks of activities without a workflow, on their way to a worker. How they are answered is in `activity_tasks`.

use stead_proto::common::v1::WorkflowExecution;
use stead_proto::workflowservice::v1 as api;

use super::ActivityKey;
use crate::engine::activity_tasks::attempt_response;
use crate::engine::matching::{Directive, Match, QueueKind, Task};
use crate::engine::token::{TaskToken, TokenKind};
use crate::engine::workflow_tasks::TaskRef;
use crate::engine::{Engine, Time};

impl Engine {
    pub(in crate::engine) fn offer_standalone_activity(&mut self, key: ActivityKey) {
        let Some(activity) = self.activities.get(key) else { return };
        let attempt = &activity.attempt;
        let queue = self.matching.queue(activity.namespace(), QueueKind::Activity, &attempt.task_queue, self.now);
        let task = Task {
            id: TaskRef::StandaloneActivity { key, stamp: attempt.stamp },
            workflow_id: activity.id(),
            directive: Directive::Routed,
            priority: attempt.priority.as_ref(),
            added: Time::from_unix_nanos(attempt.scheduled_at),
        };
        self.matching.add(queue, task, self.now);
    }

    /// Gives the attempt to a worker, unless the task is stale.
    pub(in crate::engine) fn start_standalone_activity_task(
        &mut self,
        key: ActivityKey,
        stamp: u64,
        matched: &Match<TaskRef>,
    ) -> Option<api::PollActivityTaskQueueResponse> {
        self.activities.get(key).filter(|activity| activity.offer() == Some(stamp))?;
        let request_id = self.ids.uuid().to_string();
        self.change_activity(key, |activity, now| activity.start(now, &matched.poller.identity, &request_id))?;
        let response = self.standalone_task_response(key)?;
        Some(api::PollActivityTaskQueueResponse { poller_scaling_decision: matched.scaling, ..response })
    }

    fn standalone_task_response(&self, key: ActivityKey) -> Option<api::PollActivityTaskQueueResponse> {
        let activity = self.activities.get(key)?;
        let attempt = &activity.attempt;
        let token = TaskToken {
            key: key.0,
            attempt: attempt.attempt,
            stamp: attempt.stamp,
            started_at: attempt.started.as_ref().map_or(0, |started| started.at),
            kind: TokenKind::StandaloneActivityTask as u32,
            id: attempt.activity_id.clone(),
            ..Default::default()
        };
        Some(api::PollActivityTaskQueueResponse {
            task_token: token.bytes(),
            workflow_namespace: self.namespaces.get(activity.namespace())?.info.name.clone(),
            workflow_execution: Some(WorkflowExecution::default()),
            activity_run_id: activity.run_id.clone(),
            ..attempt_response(attempt)
        })
    }
}
