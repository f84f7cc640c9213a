//! What there is to know of a Nexus operation that has not ended, and of callbacks.

use stead_proto::callback::v1::CallbackInfo as Described;
use stead_proto::workflow::v1::callback_info::{Trigger, UpdateWorkflowExecutionCompleted, WorkflowClosed, trigger};
use stead_proto::workflow::v1::{CallbackInfo, NexusOperationCancellationInfo, PendingNexusOperationInfo};

use crate::engine::nexus::callbacks::AttachedCallback;
use crate::engine::nexus::operation::{Cancellation, OperationState};
use crate::engine::time::timestamp;

impl OperationState {
    pub(crate) fn pending_info(&self, scheduled_event_id: i64) -> PendingNexusOperationInfo {
        PendingNexusOperationInfo {
            endpoint: self.endpoint.clone(),
            service: self.service.clone(),
            operation: self.operation.clone(),
            operation_id: self.token().to_owned(),
            operation_token: self.token().to_owned(),
            schedule_to_close_timeout: self.schedule_to_close,
            schedule_to_start_timeout: self.schedule_to_start,
            start_to_close_timeout: self.start_to_close,
            scheduled_time: timestamp(self.scheduled_at),
            state: self.pending_state().into(),
            attempt: self.attempts.count,
            last_attempt_complete_time: timestamp(self.attempts.last_at),
            last_attempt_failure: self.attempts.last_failure.clone(),
            next_attempt_schedule_time: timestamp(self.next_attempt_at()),
            cancellation_info: self.cancellation.as_ref().map(Cancellation::pending_info),
            scheduled_event_id,
            ..Default::default()
        }
    }
}

impl Cancellation {
    fn pending_info(&self) -> NexusOperationCancellationInfo {
        NexusOperationCancellationInfo {
            requested_time: timestamp(self.requested_at),
            state: self.state().into(),
            attempt: self.attempts.count,
            last_attempt_complete_time: timestamp(self.attempts.last_at),
            last_attempt_failure: self.attempts.last_failure.clone(),
            next_attempt_schedule_time: timestamp(self.next_attempt_at()),
            ..Default::default()
        }
    }
}

impl AttachedCallback {
    pub(crate) fn info(&self) -> CallbackInfo {
        let trigger = match self.update_id.as_str() {
            "" => trigger::Variant::WorkflowClosed(WorkflowClosed {}),
            update_id => trigger::Variant::UpdateWorkflowExecutionCompleted(UpdateWorkflowExecutionCompleted {
                update_id: update_id.to_owned(),
            }),
        };
        let described = self.described();
        CallbackInfo {
            callback: described.callback,
            trigger: Some(Trigger { variant: Some(trigger) }),
            registration_time: described.registration_time,
            state: described.state,
            attempt: described.attempt,
            last_attempt_complete_time: described.last_attempt_complete_time,
            last_attempt_failure: described.last_attempt_failure,
            ..Default::default()
        }
    }

    /// What there is to know of it, whatever it waits for.
    pub(crate) fn described(&self) -> Described {
        Described {
            callback: Some(self.callback.clone()),
            registration_time: timestamp(self.registered_at),
            state: self.state,
            attempt: self.attempts.count,
            last_attempt_complete_time: timestamp(self.attempts.last_at),
            last_attempt_failure: self.attempts.last_failure.clone(),
            request_id: self.request_id.clone(),
            ..Default::default()
        }
    }
}
