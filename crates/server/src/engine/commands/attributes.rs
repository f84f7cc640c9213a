//! What is said of a command without its attributes, and the checks of small commands.

use prost::Message;
use stead_proto::command::v1::{
    CompleteWorkflowExecutionCommandAttributes, FailWorkflowExecutionCommandAttributes, RecordMarkerCommandAttributes,
};
use stead_proto::common::v1::Payloads;
use stead_proto::enums::v1::{CommandType, TaskQueueKind, WorkflowTaskFailedCause as Cause};
use stead_proto::taskqueue::v1::TaskQueue;

use super::{Action, Ahead, Fault, name};
use crate::engine::activity_options::check_user_queue;

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
    if kind == T::ScheduleNexusOperation || kind == T::RequestCancelNexusOperation {
        let command = name(kind).replace("RequestCancel", "Cancel");
        return Fault::task(cause, format!("empty {command}CommandAttributes"));
    }
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

    pub(super) fn check_memo_size(&self, size: usize, cause: Cause, field: &str) -> Result<(), Fault> {
        if size <= self.rules.limits.memo {
            return Ok(());
        }
        Err(Fault::Workflow { cause, message: format!("{field} exceeds size limit.") })
    }

    /// So many things may be under way at once.
    pub(super) fn check_pending(&self, pending: usize, what: &str, cause: Cause) -> Result<(), Fault> {
        let limit = self.rules.limits.pending;
        if pending < limit {
            return Ok(());
        }
        let text = format!("the number of pending {what}, {pending}, has reached the per-workflow limit of {limit}");
        Err(Fault::task(cause, text))
    }

    /// Workflows only deal with workflows of their own namespace.
    pub(super) fn check_namespace(&self, name: &str, cause: Cause) -> Result<(), Fault> {
        if name.is_empty() || name == self.rules.namespace.info.name {
            return Ok(());
        }
        self.rules.namespaces.key(name).map_err(Fault::Call)?;
        Err(Fault::task(cause, "cross namespace commands are not allowed"))
    }

    /// What is wrong with a queue, and the queue as messages show it.
    pub(super) fn check_command_queue(&self, queue: &TaskQueue) -> Result<(), (String, String)> {
        let checked = check_user_queue(&queue.name, &self.run.state.task_queue, self.rules.limits.id_length);
        checked.map_err(|refusal| (refusal.message, shown_queue(Some(queue))))
    }
}

/// The queue of a command, or else that of its workflow.
pub(super) fn completed_queue(queue: Option<TaskQueue>, of_workflow: &str) -> TaskQueue {
    let mut queue = queue.unwrap_or_default();
    if queue.name.is_empty() {
        of_workflow.clone_into(&mut queue.name);
    }
    if queue.kind() == TaskQueueKind::Unspecified {
        queue.set_kind(TaskQueueKind::Normal);
    }
    queue
}

pub(super) fn shown_queue(queue: Option<&TaskQueue>) -> String {
    let Some(queue) = queue else { return String::new() };
    format!("name:\"{}\" kind:{}", queue.name, queue.kind().as_str_name())
}

/// What is wrong with a duration, as the server words it.
pub(super) fn check_duration(wire: Option<&prost_types::Duration>) -> Result<(), &'static str> {
    match wire {
        Some(wire) if wire.seconds > 0 && wire.nanos < 0 || wire.seconds < 0 && wire.nanos > 0 => {
            Err("duration has seconds and nanos with different signs")
        }
        Some(wire) if wire.seconds < 0 || wire.nanos < 0 => Err("negative duration"),
        _ => Ok(()),
    }
}
