//! Events about children, other workflows and Nexus operations.

use stead_proto::common::v1::{Payloads, WorkflowExecution, WorkflowType};
use stead_proto::enums::v1::{
    CancelExternalWorkflowExecutionFailedCause, EventType, SignalExternalWorkflowExecutionFailedCause,
    StartChildWorkflowExecutionFailedCause,
};
use stead_proto::failure::v1::Failure;
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::history::v1::*;

use super::{HistoryBuilder, payload};

/// An event whose attributes are the defaults but for what is given.
macro_rules! event {
    ($history:expr, $kind:ident, $attributes:ident { $($field:ident: $value:expr),* $(,)? }) => {{
        let attributes = $attributes { $($field: $value,)* ..Default::default() };
        $history.with(EventType::$kind, Attributes::$attributes(attributes.into()))
    }};
}

impl HistoryBuilder {
    pub(crate) fn child_initiated(self) -> Self {
        self.child_initiated_as("ship-1", "shipping")
    }

    pub(crate) fn child_initiated_as(self, id: &str, kind: &str) -> Self {
        event!(
            self,
            StartChildWorkflowExecutionInitiated,
            StartChildWorkflowExecutionInitiatedEventAttributes {
                workflow_id: id.into(),
                workflow_type: Some(WorkflowType { name: kind.into() }),
            }
        )
    }

    pub(crate) fn child_started(self, initiated_event_id: i64) -> Self {
        event!(
            self,
            ChildWorkflowExecutionStarted,
            ChildWorkflowExecutionStartedEventAttributes {
                initiated_event_id: initiated_event_id,
                workflow_execution: Some(WorkflowExecution {
                    workflow_id: "ship-1".into(),
                    run_id: "child run".into()
                }),
            }
        )
    }

    pub(crate) fn child_start_failed(self, initiated_event_id: i64) -> Self {
        event!(
            self,
            StartChildWorkflowExecutionFailed,
            StartChildWorkflowExecutionFailedEventAttributes {
                initiated_event_id: initiated_event_id,
                cause: StartChildWorkflowExecutionFailedCause::WorkflowAlreadyExists.into(),
            }
        )
    }

    pub(crate) fn child_completed(self, initiated_event_id: i64) -> Self {
        event!(
            self,
            ChildWorkflowExecutionCompleted,
            ChildWorkflowExecutionCompletedEventAttributes {
                initiated_event_id: initiated_event_id,
                result: Some(Payloads { payloads: vec![payload("shipped")] }),
            }
        )
    }

    pub(crate) fn child_failed(self, initiated_event_id: i64) -> Self {
        event!(
            self,
            ChildWorkflowExecutionFailed,
            ChildWorkflowExecutionFailedEventAttributes {
                initiated_event_id: initiated_event_id,
                failure: Some(Failure { message: "lost".into(), ..Failure::default() }),
            }
        )
    }

    pub(crate) fn child_timed_out(self, initiated_event_id: i64) -> Self {
        event!(
            self,
            ChildWorkflowExecutionTimedOut,
            ChildWorkflowExecutionTimedOutEventAttributes { initiated_event_id: initiated_event_id }
        )
    }

    pub(crate) fn child_cancelled(self, initiated_event_id: i64) -> Self {
        event!(
            self,
            ChildWorkflowExecutionCanceled,
            ChildWorkflowExecutionCanceledEventAttributes { initiated_event_id: initiated_event_id }
        )
    }

    pub(crate) fn child_terminated(self, initiated_event_id: i64) -> Self {
        event!(
            self,
            ChildWorkflowExecutionTerminated,
            ChildWorkflowExecutionTerminatedEventAttributes { initiated_event_id: initiated_event_id }
        )
    }

    pub(crate) fn external_cancel_initiated(self, id: &str) -> Self {
        event!(
            self,
            RequestCancelExternalWorkflowExecutionInitiated,
            RequestCancelExternalWorkflowExecutionInitiatedEventAttributes {
                workflow_execution: Some(WorkflowExecution { workflow_id: id.into(), run_id: String::new() }),
            }
        )
    }

    pub(crate) fn external_cancel_delivered(self, initiated_event_id: i64) -> Self {
        event!(
            self,
            ExternalWorkflowExecutionCancelRequested,
            ExternalWorkflowExecutionCancelRequestedEventAttributes { initiated_event_id: initiated_event_id }
        )
    }

    pub(crate) fn external_cancel_failed(self, initiated_event_id: i64) -> Self {
        event!(
            self,
            RequestCancelExternalWorkflowExecutionFailed,
            RequestCancelExternalWorkflowExecutionFailedEventAttributes {
                initiated_event_id: initiated_event_id,
                cause: CancelExternalWorkflowExecutionFailedCause::ExternalWorkflowExecutionNotFound.into(),
            }
        )
    }

    pub(crate) fn external_signal_initiated(self) -> Self {
        event!(
            self,
            SignalExternalWorkflowExecutionInitiated,
            SignalExternalWorkflowExecutionInitiatedEventAttributes { signal_name: "pay".into() }
        )
    }

    pub(crate) fn external_signalled(self, initiated_event_id: i64) -> Self {
        event!(
            self,
            ExternalWorkflowExecutionSignaled,
            ExternalWorkflowExecutionSignaledEventAttributes { initiated_event_id: initiated_event_id }
        )
    }

    pub(crate) fn external_signal_failed(self, initiated_event_id: i64) -> Self {
        event!(
            self,
            SignalExternalWorkflowExecutionFailed,
            SignalExternalWorkflowExecutionFailedEventAttributes {
                initiated_event_id: initiated_event_id,
                cause: SignalExternalWorkflowExecutionFailedCause::ExternalWorkflowExecutionNotFound.into(),
            }
        )
    }

    pub(crate) fn memo_modified(self) -> Self {
        event!(self, WorkflowPropertiesModified, WorkflowPropertiesModifiedEventAttributes {})
    }

    pub(crate) fn nexus_scheduled(self) -> Self {
        event!(
            self,
            NexusOperationScheduled,
            NexusOperationScheduledEventAttributes {
                endpoint: "billing".into(),
                service: "Billing".into(),
                operation: "charge".into(),
            }
        )
    }

    pub(crate) fn nexus_started(self, scheduled_event_id: i64) -> Self {
        event!(
            self,
            NexusOperationStarted,
            NexusOperationStartedEventAttributes {
                scheduled_event_id: scheduled_event_id,
                operation_token: "token".into(),
            }
        )
    }

    pub(crate) fn nexus_completed(self, scheduled_event_id: i64) -> Self {
        event!(
            self,
            NexusOperationCompleted,
            NexusOperationCompletedEventAttributes {
                scheduled_event_id: scheduled_event_id,
                result: Some(payload("charged")),
            }
        )
    }

    pub(crate) fn nexus_failed(self, scheduled_event_id: i64) -> Self {
        event!(
            self,
            NexusOperationFailed,
            NexusOperationFailedEventAttributes {
                scheduled_event_id: scheduled_event_id,
                failure: Some(Failure { message: "refused".into(), ..Failure::default() }),
            }
        )
    }

    pub(crate) fn nexus_cancelled(self, scheduled_event_id: i64) -> Self {
        event!(
            self,
            NexusOperationCanceled,
            NexusOperationCanceledEventAttributes { scheduled_event_id: scheduled_event_id }
        )
    }

    pub(crate) fn nexus_timed_out(self, scheduled_event_id: i64) -> Self {
        event!(
            self,
            NexusOperationTimedOut,
            NexusOperationTimedOutEventAttributes { scheduled_event_id: scheduled_event_id }
        )
    }

    pub(crate) fn nexus_cancel_requested(self, scheduled_event_id: i64) -> Self {
        event!(
            self,
            NexusOperationCancelRequested,
            NexusOperationCancelRequestedEventAttributes { scheduled_event_id: scheduled_event_id }
        )
    }

    pub(crate) fn nexus_cancel_taken(self, scheduled_event_id: i64) -> Self {
        event!(
            self,
            NexusOperationCancelRequestCompleted,
            NexusOperationCancelRequestCompletedEventAttributes { scheduled_event_id: scheduled_event_id }
        )
    }

    pub(crate) fn nexus_cancel_refused(self, scheduled_event_id: i64) -> Self {
        event!(
            self,
            NexusOperationCancelRequestFailed,
            NexusOperationCancelRequestFailedEventAttributes { scheduled_event_id: scheduled_event_id }
        )
    }
}
