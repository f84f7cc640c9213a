//! Signal-with-start: signals the workflow that runs, or starts one that has the signal from the beginning.

use stead_proto::enums::v1::{EventType, WorkflowIdConflictPolicy as Conflict, WorkflowIdReusePolicy as Reuse};
use stead_proto::history::v1::WorkflowExecutionSignaledEventAttributes;
use stead_proto::workflowservice::v1 as api;

use super::activity_options::check_length;
use super::call::Outcome;
use super::control::Signal;
use super::namespaces::NamespaceKey;
use super::run::workflow_task::TaskOrigin;
use super::run::{Context, Run, RunKey};
use super::start::Existing;
use super::{Engine, Refusal};

impl Engine {
    pub(super) fn signal_with_start(
        &mut self,
        request: api::SignalWithStartWorkflowExecutionRequest,
    ) -> Result<Outcome, Refusal> {
        Ok(self.signal_with_start_now(request)?.into())
    }

    /// Whether the call would be refused for what it says.
    pub(super) fn check_signal_with_start_request(
        &mut self,
        request: api::SignalWithStartWorkflowExecutionRequest,
    ) -> Result<(), Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        let (signal, mut start) = split(request);
        self.check_signal_with_start(namespace, &signal, &mut start)
    }

    pub(super) fn signal_with_start_now(
        &mut self,
        mut request: api::SignalWithStartWorkflowExecutionRequest,
    ) -> Result<api::SignalWithStartWorkflowExecutionResponse, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        self.complete_request_id(&mut request.request_id)?;
        let (signal, mut start) = split(request);
        self.check_signal_with_start(namespace, &signal, &mut start)?;
        let (run, started) = self.signal_or_start(namespace, signal, start)?;
        let Some(run) = self.runs.get(run) else { return Err(Refusal::not_found("workflow execution not found")) };
        Ok(api::SignalWithStartWorkflowExecutionResponse {
            run_id: run.state.run_id.clone(),
            first_execution_run_id: run.state.first_run_id.clone(),
            started: started.is_new,
            signal_link: Some(self.request_link(run, started.request_id, EventType::WorkflowExecutionSignaled)),
        })
    }

    fn check_signal_with_start(
        &mut self,
        namespace: NamespaceKey,
        signal: &Signal,
        start: &mut api::StartWorkflowExecutionRequest,
    ) -> Result<(), Refusal> {
        let limit = self.config.limits.id_length;
        self.check_workflow_id(&start.workflow_id)?;
        if signal.event.signal_name.is_empty() {
            return Err(Refusal::invalid("signal not set"));
        }
        check_length("signal name", &signal.event.signal_name, limit)?;
        if start.workflow_type.as_ref().is_none_or(|kind| kind.name.is_empty()) {
            return Err(Refusal::invalid("workflow type not set"));
        }
        let conflict = start.workflow_id_conflict_policy();
        self.check_start(namespace, start, Conflict::UseExisting)?;
        if conflict == Conflict::Fail {
            return Err(Refusal::invalid(
                "Invalid WorkflowIDConflictPolicy: WORKFLOW_ID_CONFLICT_POLICY_FAIL is not supported for this operation.",
            ));
        }
        self.check_blob(signal.event.input.as_ref())
    }

    fn signal_or_start(
        &mut self,
        namespace: NamespaceKey,
        signal: Signal,
        start: api::StartWorkflowExecutionRequest,
    ) -> Result<(RunKey, Started), Refusal> {
        let request_id = start.request_id.clone();
        let (reuse, conflict) = (start.workflow_id_reuse_policy(), start.workflow_id_conflict_policy());
        let open = self.runs.current(namespace, &start.workflow_id);
        let open = open.filter(|key| self.runs.get(*key).is_some_and(Run::is_open));
        let terminates = conflict == Conflict::TerminateExisting || reuse == Reuse::TerminateIfRunning;
        if let Some(run) = open.filter(|_| !terminates) {
            self.signal(run, signal)?;
            self.transact(run, Run::wake_at_once);
            return Ok((run, Started { is_new: false, request_id }));
        }
        let existing = self.existing_of_others(namespace, &start.workflow_id, reuse, conflict)?;
        let run_id = self.ids.uuid().to_string();
        match existing {
            Existing::SameRequest(run) | Existing::Use(run) => {
                return Ok((run, Started { is_new: false, request_id }));
            }
            Existing::Replace(run) => self.terminate_for(run, &run_id),
            Existing::None => {}
        }
        let new = self.requested_run(namespace, start, run_id);
        let run = self.create_run(new);
        self.signal(run, signal)?;
        Ok((run, Started { is_new: true, request_id }))
    }
}

/// How a run came to have the signal.
struct Started {
    is_new: bool,
    request_id: String,
}

impl Run {
    /// Schedules a workflow task unless there is one, even if the first one was to wait.
    fn wake_at_once(&mut self, cx: &mut Context<'_>) {
        if self.state.task.is_none() && self.is_open() && !self.is_paused() && !self.has_had_task() {
            self.schedule_task(cx, TaskOrigin::default());
        }
    }
}

fn split(request: api::SignalWithStartWorkflowExecutionRequest) -> (Signal, api::StartWorkflowExecutionRequest) {
    let signal = Signal {
        event: WorkflowExecutionSignaledEventAttributes {
            signal_name: request.signal_name,
            input: request.signal_input,
            identity: request.identity.clone(),
            header: request.header.clone(),
            request_id: request.request_id.clone(),
            ..Default::default()
        },
        links: request.links.clone(),
        request_id: request.request_id.clone(),
    };
    let start = api::StartWorkflowExecutionRequest {
        namespace: request.namespace,
        workflow_id: request.workflow_id,
        workflow_type: request.workflow_type,
        task_queue: request.task_queue,
        input: request.input,
        workflow_execution_timeout: request.workflow_execution_timeout,
        workflow_run_timeout: request.workflow_run_timeout,
        workflow_task_timeout: request.workflow_task_timeout,
        identity: request.identity,
        request_id: request.request_id,
        workflow_id_reuse_policy: request.workflow_id_reuse_policy,
        workflow_id_conflict_policy: request.workflow_id_conflict_policy,
        retry_policy: request.retry_policy,
        cron_schedule: request.cron_schedule,
        memo: request.memo,
        search_attributes: request.search_attributes,
        header: request.header,
        workflow_start_delay: request.workflow_start_delay,
        user_metadata: request.user_metadata,
        links: request.links,
        versioning_override: request.versioning_override,
        priority: request.priority,
        time_skipping_config: request.time_skipping_config,
        ..Default::default()
    };
    (signal, start)
}
