//! What is said of a command without its attributes, and the checks of small commands.

use prost::Message;
use stead_proto::command::v1::{
    CompleteWorkflowExecutionCommandAttributes, FailWorkflowExecutionCommandAttributes, RecordMarkerCommandAttributes,
};
use stead_proto::common::v1::Payloads;
use stead_proto::enums::v1::{CommandType, WorkflowTaskFailedCause as Cause};

use super::{Action, Ahead, Fault, name};

/// A command whose attributes are missing, or another command's.
pub(super) fn not_set(kind: CommandType) -> Fault {
    use CommandType as T;
    let cause = match kind {
        T::ScheduleActivityTask => Cause::BadScheduleActivityAttributes,
        T::RequestCancelActivityTask => Cause::BadRequestCancelActivityAttributes,
        T::StartTimer => Cause::BadStartTimerAttributes,
        T::CancelTimer => Cause::BadCancelTimerAttributes,
        T::RecordMarker => Cause::BadRecordMarkerAttributes,
        T::CompleteWorkflowExecution => Cause::BadCompleteWorkflowExecutionAttributes,
        T::FailWorkflowExecution => Cause::BadFailWorkflowExecutionAttributes,
        T::CancelWorkflowExecution => Cause::BadCancelWorkflowExecutionAttributes,
        T::RequestCancelExternalWorkflowExecution => Cause::BadRequestCancelExternalWorkflowExecutionAttributes,
        T::ContinueAsNewWorkflowExecution => Cause::BadContinueAsNewAttributes,
        T::StartChildWorkflowExecution => Cause::BadStartChildExecutionAttributes,
        T::SignalExternalWorkflowExecution => Cause::BadSignalWorkflowExecutionAttributes,
        T::UpsertWorkflowSearchAttributes => Cause::BadSearchAttributes,
        T::ProtocolMessage => Cause::BadUpdateWorkflowExecutionMessage,
        T::ModifyWorkflowProperties => Cause::BadModifyWorkflowPropertiesAttributes,
        T::ScheduleNexusOperation => Cause::BadScheduleNexusOperationAttributes,
        T::RequestCancelNexusOperation => Cause::BadRequestCancelNexusOperationAttributes,
        T::Unspecified => Cause::Unspecified,
    };
    let command = name(kind);
    Fault::task(cause, format!("{command}CommandAttributes is not set on {command}Command."))
}

impl Ahead<'_> {
    pub(super) fn record_marker(&self, command: &RecordMarkerCommandAttributes) -> Result<Action, Fault> {
        let fault = |message: String| Err(Fault::task(Cause::BadRecordMarkerAttributes, message));
        if command.marker_name.is_empty() {
            return fault("MarkerName is not set on RecordMarkerCommand.".to_owned());
        }
        self.check_length("MarkerName", "RecordMarkerCommand", &command.marker_name, Cause::BadRecordMarkerAttributes)?;
        let size = command.details.values().map(Payloads::encoded_len).sum();
        self.check_size(size, Cause::BadRecordMarkerAttributes, "RecordMarkerCommandAttributes.Details")?;
        Ok(Action::RecordMarker(Box::new(command.clone())))
    }

    pub(super) fn complete(&self, command: &CompleteWorkflowExecutionCommandAttributes) -> Result<Action, Fault> {
        let size = command.result.as_ref().map_or(0, Payloads::encoded_len);
        // The server says "schedule activity" here, too.
        let cause = Cause::BadScheduleActivityAttributes;
        self.check_size(size, cause, "CompleteWorkflowExecutionCommandAttributes.Result")?;
        Ok(Action::Complete(command.clone()))
    }

    pub(super) fn fail(&self, command: &FailWorkflowExecutionCommandAttributes) -> Result<Action, Fault> {
        let cause = Cause::BadFailWorkflowExecutionAttributes;
        let Some(failure) = &command.failure else {
            return Err(Fault::task(cause, "Failure is not set on FailWorkflowExecutionCommand."));
        };
        self.check_size(failure.encoded_len(), cause, "FailWorkflowExecutionCommandAttributes.Failure")?;
        Ok(Action::Fail(Box::new(command.clone())))
    }

    pub(super) fn check_length(&self, field: &str, command: &str, value: &str, cause: Cause) -> Result<(), Fault> {
        let limit = self.rules.limits.id_length;
        if value.len() <= limit {
            return Ok(());
        }
        let length = value.len();
        Err(Fault::task(
            cause,
            format!("{field} on {command} exceeds length limit. {field}={value} Length={length} Limit={limit}"),
        ))
    }

    /// Payloads beyond the limit end the workflow, because the worker would only send them again.
    pub(super) fn check_size(&self, size: usize, cause: Cause, field: &str) -> Result<(), Fault> {
        if size <= self.rules.limits.blob {
            return Ok(());
        }
        Err(Fault::Workflow { cause, message: format!("{field} exceeds size limit.") })
    }
}
