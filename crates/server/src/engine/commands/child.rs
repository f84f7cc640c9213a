//! Children that a workflow starts.

use prost::Message;
use stead_proto::command::v1::StartChildWorkflowExecutionCommandAttributes;
use stead_proto::common::v1::{Memo, Payloads};
use stead_proto::enums::v1::{ParentClosePolicy, WorkflowIdReusePolicy, WorkflowTaskFailedCause as Cause};

use super::attributes::{check_duration, completed_queue};
use super::{Action, Ahead, Fault};
use crate::engine::activity_options::check_priority;
use crate::engine::cron::Cron;
use crate::engine::deployments::put_into_current_form;
use crate::engine::retry;
use crate::engine::run::Run;
use crate::engine::start::run_timeout;
use crate::engine::time::{duration, wire};

const CAUSE: Cause = Cause::BadStartChildExecutionAttributes;

impl<'a> Ahead<'a> {
    pub(super) fn start_child(
        &mut self,
        command: &'a StartChildWorkflowExecutionCommandAttributes,
    ) -> Result<Action, Fault> {
        self.check_namespace(&command.namespace, CAUSE)?;
        self.check_attribute_names(command.search_attributes.as_ref())?;
        let mut command = StartChildWorkflowExecutionCommandAttributes {
            namespace: self.rules.namespace.info.name.clone(),
            ..command.clone()
        };
        self.check_child_ids(&command)?;
        check_timeouts(&command)?;
        self.complete_child(&mut command)?;
        if let Some(overridden) = &mut command.versioning_override {
            put_into_current_form(overridden).map_err(|refusal| Fault::task(CAUSE, refusal.message))?;
        }
        let input = command.input.as_ref().map_or(0, Payloads::encoded_len);
        self.check_size(input, CAUSE, "StartChildWorkflowExecutionCommandAttributes. Input")?;
        let memo = command.memo.as_ref().map_or(0, Memo::encoded_len);
        self.check_memo_size(memo, CAUSE, "StartChildWorkflowExecutionCommandAttributes.Memo")?;
        self.check_attribute_sizes(command.search_attributes.as_ref(), CAUSE)?;
        self.check_pending(
            self.run.children.len() + self.new_children.len(),
            "child workflow executions",
            Cause::PendingChildWorkflowsLimitExceeded,
        )?;
        self.new_children.push(command.workflow_id.clone());
        Ok(Action::StartChild(Box::new(command)))
    }

    fn check_child_ids(&self, command: &StartChildWorkflowExecutionCommandAttributes) -> Result<(), Fault> {
        let (id, namespace) = (&command.workflow_id, &command.namespace);
        let kind = command.workflow_type.as_ref().map_or("", |kind| kind.name.as_str());
        let fault = |message: String| Err(Fault::task(CAUSE, message));
        if id.is_empty() {
            return fault(format!(
                "Required field WorkflowId is not set on StartChildWorkflowExecutionCommand. WorkflowType={kind} \
                 Namespace={namespace}"
            ));
        }
        if kind.is_empty() {
            return fault(format!(
                "Required field WorkflowType is not set on StartChildWorkflowExecutionCommand. WorkflowId={id} \
                 Namespace={namespace}"
            ));
        }
        let limit = self.rules.limits.id_length;
        if id.len() > limit {
            return fault(format!(
                "WorkflowId on StartChildWorkflowExecutionCommand exceeds length limit. WorkflowId={id} Length={} \
                 Limit={limit} WorkflowType={kind} Namespace={namespace}",
                id.len()
            ));
        }
        if kind.len() > limit {
            return fault(format!(
                "WorkflowType on StartChildWorkflowExecutionCommand exceeds length limit. WorkflowId={id} \
                 WorkflowType={kind} Length={} Limit={limit} Namespace={namespace}",
                kind.len()
            ));
        }
        Ok(())
    }

    /// Checks what is left, and fills in what the command leaves out.
    fn complete_child(&self, command: &mut StartChildWorkflowExecutionCommandAttributes) -> Result<(), Fault> {
        let context = context(command);
        let on_command = |what: &str, message: String, context: &str| {
            Fault::task(CAUSE, format!("invalid {what} on StartChildWorkflowExecutionCommand: {message}. {context}"))
        };
        retry::validate(command.retry_policy.as_ref())
            .map_err(|refusal| on_command("WorkflowRetryPolicy", refusal.message, &context))?;
        command.retry_policy = command.retry_policy.as_ref().map(|policy| retry::with_defaults(Some(policy)));
        if !command.cron_schedule.is_empty() {
            Cron::parse(&command.cron_schedule)
                .map_err(|refusal| on_command("CronSchedule", refusal.message, &context))?;
        }
        let attributes = command.search_attributes.take();
        command.search_attributes = self.checked_attributes(attributes, |message| {
            format!("invalid SearchAttributes on StartChildWorkflowCommand: {message}. {context}")
        })?;
        check_priority(command.priority.as_ref()).map_err(|refusal| Fault::task(CAUSE, refusal.message))?;
        let queue = completed_queue(command.task_queue.take(), &self.run.state.task_queue);
        self.check_command_queue(&queue)
            .map_err(|(message, shown)| on_command("TaskQueue", message, &format!("{context} TaskQueue={shown}")))?;
        command.task_queue = Some(queue);
        let execution = duration(command.workflow_execution_timeout.as_ref());
        let run = run_timeout(duration(command.workflow_run_timeout.as_ref()), execution);
        command.workflow_run_timeout = Some(wire(run.unwrap_or_default()));
        let task = Run::clamp_task_timeout(duration(command.workflow_task_timeout.as_ref()), run);
        command.workflow_task_timeout = Some(wire(task));
        if command.parent_close_policy() == ParentClosePolicy::Unspecified {
            command.set_parent_close_policy(ParentClosePolicy::Terminate);
        }
        if command.workflow_id_reuse_policy() == WorkflowIdReusePolicy::Unspecified {
            command.set_workflow_id_reuse_policy(WorkflowIdReusePolicy::AllowDuplicate);
        }
        Ok(())
    }
}

fn check_timeouts(command: &StartChildWorkflowExecutionCommandAttributes) -> Result<(), Fault> {
    for (field, timeout) in [
        ("WorkflowExecutionTimeout", &command.workflow_execution_timeout),
        ("WorkflowRunTimeout", &command.workflow_run_timeout),
        ("WorkflowTaskTimeout", &command.workflow_task_timeout),
    ] {
        check_duration(timeout.as_ref()).map_err(|message| {
            let context = context(command);
            let text = format!("Invalid {field} on StartChildWorkflowExecutionCommand: {message}. {context}");
            Fault::task(CAUSE, text)
        })?;
    }
    Ok(())
}

/// Which child a message is about.
fn context(command: &StartChildWorkflowExecutionCommandAttributes) -> String {
    let kind = command.workflow_type.as_ref().map_or("", |kind| kind.name.as_str());
    format!("WorkflowId={} WorkflowType={kind} Namespace={}", command.workflow_id, command.namespace)
}
