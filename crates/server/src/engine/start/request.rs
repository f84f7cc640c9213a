//! What a start must say, and what the server fills in. (`prepareStartWorkflowRequest` in
//! `service/frontend/workflow_handler.go` of Temporal's server.)

use std::time::Duration;

use prost::Message;
use stead_proto::common::v1::{Memo, Payloads};
use stead_proto::enums::v1::{WorkflowIdConflictPolicy as Conflict, WorkflowIdReusePolicy as Reuse};
use stead_proto::workflowservice::v1::StartWorkflowExecutionRequest;

use super::policy::TERMINATE_IF_RUNNING;
use crate::engine::activity_options::{check_length, check_priority, check_user_queue};
use crate::engine::cron::Cron;
use crate::engine::links::check_links;
use crate::engine::namespaces::NamespaceKey;
use crate::engine::nexus::callbacks::check_callbacks;
use crate::engine::run::Run;
use crate::engine::time::{duration, wire};
use crate::engine::time_skipping::check_time_skipping;
use crate::engine::{Engine, Refusal, retry};

impl Engine {
    /// Checks a start, and completes it. `conflict` is the policy of a start that names none.
    pub(in crate::engine) fn check_start(
        &mut self,
        namespace: NamespaceKey,
        request: &mut StartWorkflowExecutionRequest,
        conflict: Conflict,
    ) -> Result<(), Refusal> {
        default_policies(request, conflict);
        self.check_workflow_id(&request.workflow_id)?;
        retry::validate(request.retry_policy.as_ref())?;
        request.retry_policy = request.retry_policy.as_ref().map(|policy| retry::with_defaults(Some(policy)));
        let delay = request.workflow_start_delay.as_ref();
        if delay.is_some_and(|delay| delay.seconds < 0 || delay.nanos < 0) {
            return Err(Refusal::invalid("An invalid WorkflowStartDelay is set on request: negative duration"));
        }
        if duration(delay).is_some() && !request.cron_schedule.is_empty() {
            return Err(Refusal::invalid("CronSchedule and WorkflowStartDelay may not be used together."));
        }
        if !request.cron_schedule.is_empty() {
            Cron::parse(&request.cron_schedule)?.check(self.now)?;
        }
        self.check_type_and_queue(request)?;
        complete_timeouts(request)?;
        self.complete_request_id(&mut request.request_id)?;
        check_policies(request.workflow_id_reuse_policy(), request.workflow_id_conflict_policy())?;
        check_attached(request)?;
        check_priority(request.priority.as_ref())?;
        check_time_skipping(request.time_skipping_config.as_mut())?;
        if let Some(attributes) = request.search_attributes.take() {
            let registry = self.registry(namespace)?;
            registry.validate(&attributes)?;
            request.search_attributes = Some(registry.normalized(attributes));
        }
        self.check_sizes(request)?;
        let queue = request.task_queue.as_ref().map_or("", |queue| &queue.name);
        self.check_override(namespace, queue, &mut request.versioning_override)
    }

    pub(in crate::engine) fn check_workflow_id(&self, workflow_id: &str) -> Result<(), Refusal> {
        if workflow_id.is_empty() {
            return Err(Refusal::invalid("WorkflowId is not set on request."));
        }
        check_length("WorkflowId", workflow_id, self.config.limits.id_length)
    }

    fn check_type_and_queue(&self, request: &StartWorkflowExecutionRequest) -> Result<(), Refusal> {
        let limit = self.config.limits.id_length;
        let name = request.workflow_type.as_ref().map_or("", |kind| kind.name.as_str());
        if name.is_empty() {
            return Err(Refusal::invalid("WorkflowType is not set on request."));
        }
        check_length("WorkflowType", name, limit)?;
        let Some(queue) = &request.task_queue else { return Err(Refusal::invalid("taskQueue is not set")) };
        check_user_queue(&queue.name, "", limit)
    }

    /// A request without an id gets one, so that it is told from others.
    pub(in crate::engine) fn complete_request_id(&mut self, request_id: &mut String) -> Result<(), Refusal> {
        if request_id.is_empty() {
            *request_id = self.ids.uuid().to_string();
        }
        check_length("RequestId", request_id, self.config.limits.id_length)
    }

    fn check_sizes(&self, request: &StartWorkflowExecutionRequest) -> Result<(), Refusal> {
        let limits = &self.config.limits;
        self.check_blob(request.input.as_ref())?;
        if request.memo.as_ref().map_or(0, Memo::encoded_len) > limits.memo {
            return Err(Refusal::invalid("Memo size exceeds limit."));
        }
        Ok(())
    }

    /// Refuses payloads beyond the limit.
    pub(in crate::engine) fn check_blob(&self, payloads: Option<&Payloads>) -> Result<(), Refusal> {
        if payloads.map_or(0, Payloads::encoded_len) > self.config.limits.blob {
            return Err(Refusal::invalid("Blob data size exceeds limit."));
        }
        Ok(())
    }

    /// How long the first workflow task waits: for the cron schedule, or as the request says.
    pub(super) fn first_backoff(&self, request: &StartWorkflowExecutionRequest) -> Duration {
        if request.cron_schedule.is_empty() {
            return duration(request.workflow_start_delay.as_ref()).unwrap_or_default();
        }
        let cron = Cron::parse(&request.cron_schedule).ok();
        cron.and_then(|cron| cron.backoff(self.now, self.now)).unwrap_or_default()
    }
}

/// Checks what may be attached to a workflow, and takes out the links that come with a callback as well.
fn check_attached(request: &mut StartWorkflowExecutionRequest) -> Result<(), Refusal> {
    let options = request.on_conflict_options.unwrap_or_default();
    if options.attach_completion_callbacks && !options.attach_request_id {
        return Err(Refusal::invalid("attaching request ID is required for attaching completion callbacks"));
    }
    check_callbacks(&mut request.completion_callbacks)?;
    let of_callbacks = request.completion_callbacks.iter().flat_map(|callback| &callback.links);
    request.links.retain(|link| !of_callbacks.clone().any(|other| other == link));
    check_links(request.links.iter().chain(of_callbacks))
}

fn default_policies(request: &mut StartWorkflowExecutionRequest, conflict: Conflict) {
    if request.workflow_id_reuse_policy() == Reuse::Unspecified {
        request.set_workflow_id_reuse_policy(Reuse::AllowDuplicate);
    }
    let terminates = request.workflow_id_reuse_policy() == TERMINATE_IF_RUNNING;
    if request.workflow_id_conflict_policy() == Conflict::Unspecified && !terminates {
        request.set_workflow_id_conflict_policy(conflict);
    }
}

fn check_policies(reuse: Reuse, conflict: Conflict) -> Result<(), Refusal> {
    if reuse == TERMINATE_IF_RUNNING && conflict != Conflict::Unspecified {
        return Err(Refusal::invalid(
            "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING cannot be used together \
             with a WorkflowIDConflictPolicy.",
        ));
    }
    if reuse == Reuse::RejectDuplicate && conflict == Conflict::TerminateExisting {
        return Err(Refusal::invalid(
            "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE cannot be used together with \
             WorkflowIdConflictPolicy WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING",
        ));
    }
    Ok(())
}

fn complete_timeouts(request: &mut StartWorkflowExecutionRequest) -> Result<(), Refusal> {
    check_timeouts(
        request.workflow_execution_timeout.as_ref(),
        request.workflow_run_timeout.as_ref(),
        request.workflow_task_timeout.as_ref(),
    )?;
    let execution = duration(request.workflow_execution_timeout.as_ref());
    let run = run_timeout(duration(request.workflow_run_timeout.as_ref()), execution);
    request.workflow_run_timeout = run.map(wire).or(request.workflow_run_timeout);
    let task = Run::clamp_task_timeout(duration(request.workflow_task_timeout.as_ref()), run);
    request.workflow_task_timeout = Some(wire(task));
    Ok(())
}

/// Refuses timeouts that cannot be.
pub(in crate::engine) fn check_timeouts(
    execution: Option<&prost_types::Duration>,
    run: Option<&prost_types::Duration>,
    task: Option<&prost_types::Duration>,
) -> Result<(), Refusal> {
    for (timeout, field) in [(execution, "Execution"), (run, "Run"), (task, "Task")] {
        if timeout.is_some_and(|timeout| timeout.seconds < 0 || timeout.nanos < 0) {
            let message =
                format!("An invalid Workflow{field}TimeoutSeconds is set on request. cause: negative duration");
            return Err(Refusal::invalid(message));
        }
    }
    Ok(())
}

/// A run does not outlast its chain.
pub(crate) fn run_timeout(run: Option<Duration>, execution: Option<Duration>) -> Option<Duration> {
    match (run, execution) {
        (Some(run), Some(execution)) => Some(run.min(execution)),
        (run, execution) => run.or(execution),
    }
}
