//! Payloads of commands. Every command is listed, so that a new one must be thought of.

use stead_proto::command::v1::Command;
use stead_proto::command::v1::command::Attributes;

use super::visit::{VisitPayloads, Visitor, visit_marker};

impl VisitPayloads for Command {
    fn visit(&mut self, visitor: &mut Visitor<'_>) {
        self.attributes.visit(visitor);
        self.user_metadata.visit(visitor);
    }
}

impl VisitPayloads for Attributes {
    fn visit(&mut self, visitor: &mut Visitor<'_>) {
        match self {
            Self::ScheduleActivityTaskCommandAttributes(it) => it.input.visit(visitor),
            Self::CompleteWorkflowExecutionCommandAttributes(it) => it.result.visit(visitor),
            Self::FailWorkflowExecutionCommandAttributes(it) => it.failure.visit(visitor),
            Self::CancelWorkflowExecutionCommandAttributes(it) => it.details.visit(visitor),
            Self::RecordMarkerCommandAttributes(it) => {
                visit_marker(&it.marker_name, &mut it.details, &mut it.failure, visitor)
            }
            Self::ContinueAsNewWorkflowExecutionCommandAttributes(it) => {
                it.input.visit(visitor);
                it.failure.visit(visitor);
                it.last_completion_result.visit(visitor);
                it.memo.visit(visitor);
            }
            Self::StartChildWorkflowExecutionCommandAttributes(it) => {
                it.input.visit(visitor);
                it.memo.visit(visitor);
            }
            Self::SignalExternalWorkflowExecutionCommandAttributes(it) => it.input.visit(visitor),
            Self::ModifyWorkflowPropertiesCommandAttributes(it) => it.upserted_memo.visit(visitor),
            Self::ScheduleNexusOperationCommandAttributes(it) => it.input.visit(visitor),
            Self::StartTimerCommandAttributes(_)
            | Self::RequestCancelActivityTaskCommandAttributes(_)
            | Self::CancelTimerCommandAttributes(_)
            | Self::RequestCancelExternalWorkflowExecutionCommandAttributes(_)
            | Self::UpsertWorkflowSearchAttributesCommandAttributes(_)
            | Self::ProtocolMessageCommandAttributes(_)
            | Self::RequestCancelNexusOperationCommandAttributes(_) => {}
        }
    }
}
