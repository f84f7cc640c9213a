//! Payloads of events. Every event is listed, so that a new one must be thought of.

use stead_proto::history::v1::HistoryEvent;
use stead_proto::history::v1::history_event::Attributes;

use super::visit::{VisitPayloads, Visitor, visit_marker};

impl VisitPayloads for HistoryEvent {
    fn visit(&mut self, visitor: &mut Visitor<'_>) {
        self.attributes.visit(visitor);
        self.user_metadata.visit(visitor);
    }
}

impl VisitPayloads for Attributes {
    fn visit(&mut self, visitor: &mut Visitor<'_>) {
        match self {
            Self::WorkflowExecutionStartedEventAttributes(it) => {
                it.input.visit(visitor);
                it.continued_failure.visit(visitor);
                it.last_completion_result.visit(visitor);
                it.memo.visit(visitor);
            }
            Self::WorkflowExecutionCompletedEventAttributes(it) => it.result.visit(visitor),
            Self::WorkflowExecutionFailedEventAttributes(it) => it.failure.visit(visitor),
            Self::WorkflowTaskFailedEventAttributes(it) => it.failure.visit(visitor),
            Self::ActivityTaskScheduledEventAttributes(it) => it.input.visit(visitor),
            Self::ActivityTaskStartedEventAttributes(it) => it.last_failure.visit(visitor),
            Self::ActivityTaskCompletedEventAttributes(it) => it.result.visit(visitor),
            Self::ActivityTaskFailedEventAttributes(it) => it.failure.visit(visitor),
            Self::ActivityTaskTimedOutEventAttributes(it) => it.failure.visit(visitor),
            Self::ActivityTaskCanceledEventAttributes(it) => it.details.visit(visitor),
            Self::MarkerRecordedEventAttributes(it) => {
                visit_marker(&it.marker_name, &mut it.details, &mut it.failure, visitor)
            }
            Self::WorkflowExecutionSignaledEventAttributes(it) => it.input.visit(visitor),
            Self::WorkflowExecutionTerminatedEventAttributes(it) => it.details.visit(visitor),
            Self::WorkflowExecutionCanceledEventAttributes(it) => it.details.visit(visitor),
            Self::WorkflowExecutionContinuedAsNewEventAttributes(it) => {
                it.input.visit(visitor);
                it.last_completion_result.visit(visitor);
                it.memo.visit(visitor);
            }
            Self::StartChildWorkflowExecutionInitiatedEventAttributes(it) => {
                it.input.visit(visitor);
                it.memo.visit(visitor);
            }
            Self::ChildWorkflowExecutionCompletedEventAttributes(it) => it.result.visit(visitor),
            Self::ChildWorkflowExecutionFailedEventAttributes(it) => it.failure.visit(visitor),
            Self::ChildWorkflowExecutionCanceledEventAttributes(it) => it.details.visit(visitor),
            Self::SignalExternalWorkflowExecutionInitiatedEventAttributes(it) => it.input.visit(visitor),
            Self::WorkflowExecutionUpdateAcceptedEventAttributes(it) => it.accepted_request.visit(visitor),
            Self::WorkflowExecutionUpdateRejectedEventAttributes(it) => {
                it.rejected_request.visit(visitor);
                it.failure.visit(visitor);
            }
            Self::WorkflowExecutionUpdateCompletedEventAttributes(it) => it.outcome.visit(visitor),
            Self::WorkflowPropertiesModifiedExternallyEventAttributes(it) => it.upserted_memo.visit(visitor),
            Self::WorkflowPropertiesModifiedEventAttributes(it) => it.upserted_memo.visit(visitor),
            Self::WorkflowExecutionUpdateAdmittedEventAttributes(it) => it.request.visit(visitor),
            Self::NexusOperationScheduledEventAttributes(it) => it.input.visit(visitor),
            Self::NexusOperationCompletedEventAttributes(it) => it.result.visit(visitor),
            Self::NexusOperationFailedEventAttributes(it) => it.failure.visit(visitor),
            Self::NexusOperationCanceledEventAttributes(it) => it.failure.visit(visitor),
            Self::NexusOperationTimedOutEventAttributes(it) => it.failure.visit(visitor),
            Self::NexusOperationCancelRequestFailedEventAttributes(it) => it.failure.visit(visitor),
            Self::WorkflowExecutionTimedOutEventAttributes(_)
            | Self::WorkflowTaskScheduledEventAttributes(_)
            | Self::WorkflowTaskStartedEventAttributes(_)
            | Self::WorkflowTaskCompletedEventAttributes(_)
            | Self::WorkflowTaskTimedOutEventAttributes(_)
            | Self::TimerStartedEventAttributes(_)
            | Self::TimerFiredEventAttributes(_)
            | Self::ActivityTaskCancelRequestedEventAttributes(_)
            | Self::TimerCanceledEventAttributes(_)
            | Self::WorkflowExecutionCancelRequestedEventAttributes(_)
            | Self::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(_)
            | Self::RequestCancelExternalWorkflowExecutionFailedEventAttributes(_)
            | Self::ExternalWorkflowExecutionCancelRequestedEventAttributes(_)
            | Self::StartChildWorkflowExecutionFailedEventAttributes(_)
            | Self::ChildWorkflowExecutionStartedEventAttributes(_)
            | Self::ChildWorkflowExecutionTimedOutEventAttributes(_)
            | Self::ChildWorkflowExecutionTerminatedEventAttributes(_)
            | Self::SignalExternalWorkflowExecutionFailedEventAttributes(_)
            | Self::ExternalWorkflowExecutionSignaledEventAttributes(_)
            | Self::UpsertWorkflowSearchAttributesEventAttributes(_)
            | Self::ActivityPropertiesModifiedExternallyEventAttributes(_)
            | Self::NexusOperationStartedEventAttributes(_)
            | Self::NexusOperationCancelRequestedEventAttributes(_)
            | Self::WorkflowExecutionOptionsUpdatedEventAttributes(_)
            | Self::NexusOperationCancelRequestCompletedEventAttributes(_)
            | Self::WorkflowExecutionPausedEventAttributes(_)
            | Self::WorkflowExecutionUnpausedEventAttributes(_)
            | Self::WorkflowExecutionTimeSkippingTransitionedEventAttributes(_) => {}
        }
    }
}
