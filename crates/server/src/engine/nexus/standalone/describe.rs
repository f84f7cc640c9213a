//! What there is to know of an operation without a workflow.

use bytes::Bytes;
use prost::Message;
use stead_proto::enums::v1::{NexusOperationWaitStage as WaitStage, PendingNexusOperationState};
use stead_proto::nexus::v1::{NexusOperationExecutionCancellationInfo, NexusOperationExecutionInfo};
use stead_proto::workflowservice::v1 as api;
use stead_proto::workflowservice::v1::describe_nexus_operation_execution_response::Outcome as Described;
use stead_proto::workflowservice::v1::poll_nexus_operation_execution_response::Outcome as Polled;

use super::StandaloneOperation;
use crate::engine::Time;
use crate::engine::nexus::operation::{Cancellation, CancellationPhase};
use crate::engine::time::{duration, timestamp, wire};

impl StandaloneOperation {
    pub(super) fn description(
        &self,
        request: &api::DescribeNexusOperationExecutionRequest,
        now: Time,
        long_poll_token: Bytes,
    ) -> api::DescribeNexusOperationExecutionResponse {
        let outcome = match (&self.result, &self.failure) {
            (Some(result), _) => Some(Described::Result(result.clone())),
            (None, failure) => failure.clone().map(Described::Failure),
        };
        api::DescribeNexusOperationExecutionResponse {
            run_id: self.run_id.clone(),
            info: Some(self.info(now)),
            input: self.operation.input.clone().filter(|_| request.include_input),
            outcome: outcome.filter(|_| request.include_outcome),
            long_poll_token,
            ..Default::default()
        }
    }

    pub(super) fn polled(&self) -> api::PollNexusOperationExecutionResponse {
        let stage = if self.is_open() { WaitStage::Started } else { WaitStage::Closed };
        let outcome = match (&self.result, &self.failure) {
            (Some(result), _) => Some(Polled::Result(result.clone())),
            (None, failure) => failure.clone().map(Polled::Failure),
        };
        api::PollNexusOperationExecutionResponse {
            run_id: self.run_id.clone(),
            wait_stage: stage.into(),
            operation_token: self.operation.token().to_owned(),
            outcome,
            ..Default::default()
        }
    }

    fn info(&self, now: Time) -> NexusOperationExecutionInfo {
        let operation = &self.operation;
        let open = self.is_open();
        let state = if open { operation.pending_state() } else { PendingNexusOperationState::Unspecified };
        let to_close = duration(operation.schedule_to_close.as_ref());
        NexusOperationExecutionInfo {
            operation_id: self.operation_id.clone(),
            run_id: self.run_id.clone(),
            endpoint: operation.endpoint.clone(),
            service: operation.service.clone(),
            operation: operation.operation.clone(),
            status: self.status,
            state: state.into(),
            schedule_to_close_timeout: operation.schedule_to_close,
            schedule_to_start_timeout: operation.schedule_to_start,
            start_to_close_timeout: operation.start_to_close,
            attempt: self.attempt(),
            schedule_time: timestamp(operation.scheduled_at),
            expiration_time: to_close.map(|timeout| (self.scheduled() + timeout).timestamp()),
            close_time: timestamp(self.closed_at),
            last_attempt_complete_time: timestamp(operation.attempts.last_at),
            last_attempt_failure: operation.attempts.last_failure.clone(),
            next_attempt_schedule_time: if open { timestamp(operation.next_attempt_at()) } else { None },
            execution_duration: Some(wire(self.closed().unwrap_or(now).since(self.scheduled()))),
            cancellation_info: operation.cancellation.as_ref().map(Cancellation::execution_info),
            request_id: operation.request_id.clone(),
            operation_token: operation.token().to_owned(),
            state_transition_count: i64::try_from(self.transitions).unwrap_or(i64::MAX),
            search_attributes: Some(self.search_attributes.clone().unwrap_or_default()),
            nexus_header: operation.header.clone(),
            user_metadata: self.user_metadata.clone(),
            links: self.links.clone(),
            identity: self.identity.clone(),
            state_size_bytes: self.size(),
            ..Default::default()
        }
    }

    pub(super) fn scheduled(&self) -> Time {
        Time::from_unix_nanos(self.operation.scheduled_at)
    }

    pub(super) fn closed(&self) -> Option<Time> {
        (!self.is_open()).then(|| Time::from_unix_nanos(self.closed_at))
    }

    /// Bytes that are kept of it.
    pub(super) fn size(&self) -> i64 {
        i64::try_from(self.encoded_len()).unwrap_or(i64::MAX)
    }
}

impl Cancellation {
    fn execution_info(&self) -> NexusOperationExecutionCancellationInfo {
        let asked = matches!(self.phase, Some(CancellationPhase::Scheduled(_)));
        NexusOperationExecutionCancellationInfo {
            requested_time: timestamp(self.requested_at),
            state: self.state().into(),
            attempt: self.attempts.count + i32::from(asked),
            last_attempt_complete_time: timestamp(self.attempts.last_at),
            last_attempt_failure: self.attempts.last_failure.clone(),
            next_attempt_schedule_time: timestamp(self.next_attempt_at()),
            reason: self.reason.clone(),
            ..Default::default()
        }
    }
}
