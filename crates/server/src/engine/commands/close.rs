//! A workflow that goes on in a new run.

use prost::Message;
use stead_proto::command::v1::ContinueAsNewWorkflowExecutionCommandAttributes;
use stead_proto::common::v1::{Memo, Payloads, WorkflowType};
use stead_proto::enums::v1::WorkflowTaskFailedCause as Cause;

use super::attributes::{check_duration, completed_queue, shown_queue};
use super::{Action, Ahead, Fault};
use crate::engine::retry;
use crate::engine::run::Run;
use crate::engine::start::run_timeout;
use crate::engine::time::{duration, wire};

const CAUSE: Cause = Cause::BadContinueAsNewAttributes;

impl Ahead<'_> {
    pub(super) fn continue_as_new(
        &self,
        command: &ContinueAsNewWorkflowExecutionCommandAttributes,
    ) -> Result<Action, Fault> {
        self.check_attribute_names(command.search_attributes.as_ref())?;
        let mut command = command.clone();
        self.complete_type_and_queue(&mut command)?;
        let kind = command.workflow_type.clone().unwrap_or_default().name;
        let context = format!("WorkflowType={kind} TaskQueue={}", shown_queue(command.task_queue.as_ref()));
        for (field, value) in [
            ("WorkflowRunTimeout", &command.workflow_run_timeout),
            ("WorkflowTaskTimeout", &command.workflow_task_timeout),
            ("BackoffStartInterval", &command.backoff_start_interval),
        ] {
            check_duration(value.as_ref()).map_err(|message| {
                let text = format!("Invalid {field} on ContinueAsNewWorkflowExecutionCommand: {message}. {context}");
                Fault::task(CAUSE, text)
            })?;
        }
        self.complete_run_timeouts(&mut command);
        retry::validate(command.retry_policy.as_ref()).map_err(|refusal| {
            let message = refusal.message;
            let what = "invalid WorkflowRetryPolicy on ContinueAsNewWorkflowExecutionCommand";
            Fault::task(CAUSE, format!("{what}: {message}. {context}"))
        })?;
        command.retry_policy = command.retry_policy.as_ref().map(|policy| retry::with_defaults(Some(policy)));
        let attributes = command.search_attributes.take();
        command.search_attributes = self.checked_attributes(attributes, |message| {
            format!("invalid SearchAttributes on ContinueAsNewWorkflowExecutionCommand: {message}. {context}")
        })?;
        let input = command.input.as_ref().map_or(0, Payloads::encoded_len);
        self.check_size(input, CAUSE, "ContinueAsNewWorkflowExecutionCommandAttributes. Input")?;
        let memo = command.memo.as_ref().map_or(0, Memo::encoded_len);
        self.check_memo_size(memo, CAUSE, "ContinueAsNewWorkflowExecutionCommandAttributes. Memo")?;
        self.check_attribute_sizes(command.search_attributes.as_ref(), CAUSE)?;
        Ok(Action::ContinueAsNew(Box::new(command)))
    }

    fn complete_type_and_queue(
        &self,
        command: &mut ContinueAsNewWorkflowExecutionCommandAttributes,
    ) -> Result<(), Fault> {
        let state = &self.run.state;
        let kind = command.workflow_type.take().unwrap_or_default().name;
        let kind = if kind.is_empty() { state.workflow_type.clone() } else { kind };
        self.check_length("WorkflowType", "ContinueAsNewWorkflowExecutionCommand", &kind, CAUSE)?;
        let queue = completed_queue(command.task_queue.take(), &state.task_queue);
        self.check_command_queue(&queue).map_err(|(message, shown)| {
            let what = "error validating ContinueAsNewWorkflowExecutionCommand TaskQueue";
            Fault::task(CAUSE, format!("{what}: {message}. WorkflowType={kind} TaskQueue={shown}"))
        })?;
        command.workflow_type = Some(WorkflowType { name: kind });
        command.task_queue = Some(queue);
        Ok(())
    }

    fn complete_run_timeouts(&self, command: &mut ContinueAsNewWorkflowExecutionCommandAttributes) {
        let state = &self.run.state;
        let asked = duration(command.workflow_run_timeout.as_ref()).or_else(|| duration(state.run_timeout.as_ref()));
        let run = run_timeout(asked, duration(state.execution_timeout.as_ref()));
        let task = duration(command.workflow_task_timeout.as_ref()).or_else(|| duration(state.task_timeout.as_ref()));
        command.workflow_run_timeout = Some(wire(run.unwrap_or_default()));
        command.workflow_task_timeout = Some(wire(Run::clamp_task_timeout(task, run)));
    }
}
