//! What there is to know of an activity without a workflow.

use bytes::Bytes;
use prost::Message;
use stead_proto::activity::v1::{ActivityExecutionInfo, ActivityOptions};
use stead_proto::enums::v1::PendingActivityState;
use stead_proto::workflowservice::v1 as api;

use super::machine::Phase;
use super::{StandaloneActivity, callbacks};
use crate::engine::Time;
use crate::engine::time::{timestamp, wire};

impl StandaloneActivity {
    pub(super) fn description(
        &self,
        request: &api::DescribeActivityExecutionRequest,
        now: Time,
        long_poll_token: Bytes,
    ) -> api::DescribeActivityExecutionResponse {
        let attempt = &self.attempt;
        let info = ActivityExecutionInfo {
            heartbeat_details: attempt.heartbeat_details.clone().filter(|_| request.include_heartbeat_details),
            last_failure: attempt.last_failure.clone().filter(|_| request.include_last_failure),
            ..self.info(now)
        };
        api::DescribeActivityExecutionResponse {
            run_id: self.run_id.clone(),
            info: Some(info),
            input: attempt.input.clone().filter(|_| request.include_input),
            outcome: self.outcome.clone().filter(|_| request.include_outcome),
            long_poll_token,
            callbacks: self.callbacks.iter().map(callbacks::described).collect(),
        }
    }

    fn info(&self, now: Time) -> ActivityExecutionInfo {
        let attempt = &self.attempt;
        let scheduled_at = Time::from_unix_nanos(attempt.scheduled_at);
        let in_backoff = self.phase() == Phase::Scheduled && scheduled_at > now;
        ActivityExecutionInfo {
            activity_id: attempt.activity_id.clone(),
            run_id: self.run_id.clone(),
            activity_type: attempt.activity_type.clone(),
            status: self.shown_status().into(),
            run_state: self.run_state().into(),
            task_queue: attempt.task_queue.clone(),
            schedule_to_close_timeout: attempt.schedule_to_close,
            schedule_to_start_timeout: attempt.schedule_to_start,
            start_to_close_timeout: attempt.start_to_close,
            heartbeat_timeout: Some(attempt.heartbeat.unwrap_or_default()),
            retry_policy: attempt.retry_policy.clone(),
            last_heartbeat_time: timestamp(attempt.heartbeat_at),
            last_started_time: timestamp(self.last_started_at),
            attempt: attempt.attempt,
            execution_duration: self.closed().map(|at| wire(at.since(self.scheduled()))),
            schedule_time: Some(self.scheduled().timestamp()),
            expiration_time: attempt.expires_at().map(Time::timestamp),
            close_time: self.closed().map(Time::timestamp),
            last_worker_identity: attempt.last_worker.clone(),
            current_retry_interval: attempt.retry_interval.filter(|_| in_backoff),
            last_attempt_complete_time: timestamp(attempt.last_completed_at),
            next_attempt_schedule_time: in_backoff.then(|| scheduled_at.timestamp()),
            last_deployment_version: attempt.last_version.clone(),
            priority: attempt.priority.clone(),
            state_transition_count: i64::try_from(self.transitions).unwrap_or(i64::MAX),
            state_size_bytes: self.size(),
            search_attributes: Some(self.search_attributes.clone().unwrap_or_default()),
            header: attempt.header.clone(),
            user_metadata: self.user_metadata.clone(),
            canceled_reason: self.cancellation.as_ref().map(|by| by.reason.clone()).unwrap_or_default(),
            links: self.links.clone(),
            total_heartbeat_count: self.heartbeats,
            start_delay: attempt.start_delay,
            execution_time: Some(attempt.first_begin().timestamp()),
            ..Default::default()
        }
    }

    fn run_state(&self) -> PendingActivityState {
        match self.phase() {
            Phase::Closed(_) => PendingActivityState::Unspecified,
            _ => self.attempt.pending_state(),
        }
    }

    pub(super) fn scheduled(&self) -> Time {
        Time::from_unix_nanos(self.attempt.first_scheduled_at)
    }

    pub(super) fn closed(&self) -> Option<Time> {
        (!self.is_open()).then(|| Time::from_unix_nanos(self.closed_at))
    }

    /// Bytes that are kept of it.
    pub(super) fn size(&self) -> i64 {
        i64::try_from(self.encoded_len()).unwrap_or(i64::MAX)
    }

    /// The options that it has, as the API says them.
    pub(super) fn described_options(&self) -> ActivityOptions {
        ActivityOptions {
            retry_policy: self.attempt.retry_policy.clone(),
            start_delay: self.attempt.start_delay,
            ..self.attempt.described_options()
        }
    }
}
