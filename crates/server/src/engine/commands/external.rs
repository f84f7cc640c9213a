//! Signals and cancellations that a workflow sends to others.

use prost::Message;
use stead_proto::command::v1::{
    RequestCancelExternalWorkflowExecutionCommandAttributes, SignalExternalWorkflowExecutionCommandAttributes,
};
use stead_proto::common::v1::{Payloads, WorkflowExecution};
use stead_proto::enums::v1::WorkflowTaskFailedCause as Cause;
use uuid::Uuid;

use super::{Action, Ahead, Fault};

impl Ahead<'_> {
    pub(super) fn cancel_external(
        &mut self,
        command: &RequestCancelExternalWorkflowExecutionCommandAttributes,
    ) -> Result<Action, Fault> {
        let cause = Cause::BadRequestCancelExternalWorkflowExecutionAttributes;
        let fault = |message: String| Err(Fault::task(cause, message));
        let on = "RequestCancelExternalWorkflowExecutionCommand";
        self.check_namespace(&command.namespace, cause)?;
        let (id, run, namespace) = (&command.workflow_id, &command.run_id, &command.namespace);
        if id.is_empty() {
            return fault(format!("WorkflowId is not set on {on}. Namespace={namespace} RunId={run}"));
        }
        let limit = self.rules.limits.id_length;
        if id.len() > limit {
            return fault(format!(
                "WorkflowId on {on} exceeds length limit. WorkflowId={id} Length={} Limit={limit} RunId={run} \
                 Namespace={namespace}",
                id.len()
            ));
        }
        if is_no_run_id(run) {
            return fault(format!("Invalid RunId set on {on}. WorkflowId={id} RunId={run} Namespace={namespace}"));
        }
        if self.new_children.contains(id) {
            return fault(format!(
                "Start and RequestCancel for child workflow is not allowed in same workflow task. WorkflowId={id} \
                 RunId={run} Namespace={namespace}"
            ));
        }
        self.check_pending(
            self.run.cancels.len() + self.new_cancels,
            "requests to cancel external workflows",
            Cause::PendingRequestCancelLimitExceeded,
        )?;
        self.new_cancels += 1;
        Ok(Action::CancelExternal(command.clone()))
    }

    pub(super) fn signal_external(
        &mut self,
        command: &SignalExternalWorkflowExecutionCommandAttributes,
    ) -> Result<Action, Fault> {
        let cause = Cause::BadSignalWorkflowExecutionAttributes;
        let Some(execution) = &command.execution else {
            return Err(Fault::task(cause, "Execution is not set on SignalExternalWorkflowExecutionCommand."));
        };
        self.check_namespace(&command.namespace, cause)?;
        self.check_signal_ids(command, execution).map_err(|message| Fault::task(cause, message))?;
        self.check_pending(
            self.run.signals.len() + self.new_signals,
            "signals to external workflows",
            Cause::PendingSignalsLimitExceeded,
        )?;
        let size = command.input.as_ref().map_or(0, Payloads::encoded_len);
        self.check_size(size, cause, "SignalExternalWorkflowExecutionCommandAttributes.Input")?;
        self.new_signals += 1;
        Ok(Action::SignalExternal(Box::new(command.clone())))
    }

    fn check_signal_ids(
        &self,
        command: &SignalExternalWorkflowExecutionCommandAttributes,
        execution: &WorkflowExecution,
    ) -> Result<(), String> {
        let on = "SignalExternalWorkflowExecutionCommand";
        let (namespace, signal) = (&command.namespace, &command.signal_name);
        let WorkflowExecution { workflow_id: id, run_id: run } = execution;
        if id.is_empty() {
            return Err(format!(
                "WorkflowId is not set on {on}. Namespace={namespace} RunId={run} SignalName={signal}"
            ));
        }
        let limit = self.rules.limits.id_length;
        if id.len() > limit {
            return Err(format!(
                "WorkflowId on {on} exceeds length limit. WorkflowId={id} Length={} Limit={limit} \
                 Namespace={namespace} RunId={run} SignalName={signal}",
                id.len()
            ));
        }
        if is_no_run_id(run) {
            return Err(format!(
                "Invalid RunId set on {on}. WorkflowId={id} Namespace={namespace} RunId={run} SignalName={signal}"
            ));
        }
        if signal.is_empty() {
            return Err(format!("SignalName is not set on {on}. WorkflowId={id} Namespace={namespace} RunId={run}"));
        }
        Ok(())
    }
}

fn is_no_run_id(run_id: &str) -> bool {
    !run_id.is_empty() && Uuid::try_parse(run_id).is_err()
}
