//! What there is to know of an activity that has not closed.

use stead_proto::activity::v1::ActivityOptions;
use stead_proto::common::v1::RetryPolicy;
use stead_proto::enums::v1::PendingActivityState;
use stead_proto::taskqueue::v1::TaskQueue;
use stead_proto::workflow::v1::PendingActivityInfo;
use stead_proto::workflow::v1::pending_activity_info::{PauseInfo, pause_info};

use crate::engine::Time;
use crate::engine::activity::ActivityState;
use crate::engine::run::state::Pause;
use crate::engine::time::timestamp;

impl ActivityState {
    pub(crate) fn pending_info(&self, now: Time) -> PendingActivityInfo {
        let policy = self.retry_policy.as_ref();
        let state = self.pending_state();
        let in_backoff = state == PendingActivityState::Scheduled && now.unix_nanos() < self.scheduled_at;
        PendingActivityInfo {
            activity_id: self.activity_id.clone(),
            activity_type: self.activity_type.clone(),
            state: state.into(),
            heartbeat_details: self.heartbeat_details.clone(),
            last_heartbeat_time: timestamp(self.heartbeat_at),
            last_started_time: self.started.as_ref().and_then(|started| timestamp(started.at)),
            attempt: self.attempt.max(1),
            maximum_attempts: policy.map_or(0, |policy| policy.maximum_attempts),
            scheduled_time: timestamp(self.scheduled_at),
            expiration_time: self.expires_at().map(Time::timestamp),
            last_failure: self.last_failure.clone(),
            last_worker_identity: self.last_worker.clone(),
            current_retry_interval: self.retry_interval.filter(|_| in_backoff),
            last_attempt_complete_time: timestamp(self.last_completed_at),
            next_attempt_schedule_time: if in_backoff { timestamp(self.scheduled_at) } else { None },
            paused: self.pause.is_some(),
            last_deployment_version: self.last_version.clone(),
            priority: self.priority.clone(),
            pause_info: self.pause.as_ref().map(pause_info),
            activity_options: Some(self.described_options()),
            ..Default::default()
        }
    }

    /// As others see it. A worker that has a paused one has not noticed yet.
    pub(crate) fn pending_state(&self) -> PendingActivityState {
        match (self.started.is_some(), self.pause.is_some()) {
            _ if self.cancel_requested() => PendingActivityState::CancelRequested,
            (true, true) => PendingActivityState::PauseRequested,
            (true, false) => PendingActivityState::Started,
            (false, true) => PendingActivityState::Paused,
            (false, false) => PendingActivityState::Scheduled,
        }
    }

    /// The options that it has, as the API says them.
    pub(crate) fn described_options(&self) -> ActivityOptions {
        ActivityOptions {
            task_queue: Some(TaskQueue {
                name: self.task_queue.clone(),
                normal_name: self.task_queue.clone(),
                ..Default::default()
            }),
            schedule_to_close_timeout: self.schedule_to_close,
            schedule_to_start_timeout: self.schedule_to_start,
            start_to_close_timeout: self.start_to_close,
            heartbeat_timeout: self.heartbeat,
            retry_policy: self
                .retry_policy
                .as_ref()
                .map(|policy| RetryPolicy { non_retryable_error_types: Vec::new(), ..policy.clone() }),
            priority: self.priority.clone(),
            ..Default::default()
        }
    }
}

fn pause_info(pause: &Pause) -> PauseInfo {
    PauseInfo {
        pause_time: timestamp(pause.at),
        paused_by: Some(pause_info::PausedBy::Manual(pause_info::Manual {
            identity: pause.identity.clone(),
            reason: pause.reason.clone(),
        })),
    }
}
