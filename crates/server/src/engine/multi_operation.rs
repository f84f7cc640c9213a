//! Several operations as one call: update-with-start, which is all that Temporal knows of it so far.

use prost_types::Any;
use stead_proto::enums::v1::{
    UpdateWorkflowExecutionLifecycleStage as Lifecycle, WorkflowExecutionStatus, WorkflowIdConflictPolicy as Conflict,
};
use stead_proto::errordetails::v1::MultiOperationExecutionFailure;
use stead_proto::errordetails::v1::multi_operation_execution_failure::OperationStatus;
use stead_proto::workflowservice::v1 as api;
use stead_proto::workflowservice::v1::execute_multi_operation_request::operation::Operation;
use stead_proto::workflowservice::v1::execute_multi_operation_response::{Response, response};

use super::call::Outcome;
use super::namespaces::NamespaceKey;
use super::refusal::Code;
use super::run::RunKey;
use super::start::Existing;
use super::time::duration;
use super::updates::aborted_by_closing;
use super::{CallId, Engine, Refusal, raw};

/// What the detail of an operation is that was not tried, or undone; it has no fields.
const ABORTED: &str = "type.googleapis.com/temporal.api.failure.v1.MultiOperationExecutionAborted";

/// An update-with-start under way.
#[derive(Clone, Debug)]
pub(super) struct WithStart {
    namespace: NamespaceKey,
    start: api::StartWorkflowExecutionRequest,
    pub(super) update: api::UpdateWorkflowExecutionRequest,
    /// Once the update is under way: what the start came to.
    started: api::StartWorkflowExecutionResponse,
    /// Whether the closing of a workflow that was there already made it try again.
    retried: bool,
}

/// What became of one of the operations of a call that failed.
enum Status {
    Done,
    Aborted,
    Refused(Refusal),
}

impl Engine {
    pub(super) fn execute_multi_operation(
        &mut self,
        call: CallId,
        request: api::ExecuteMultiOperationRequest,
    ) -> Result<Outcome, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        let name = request.namespace;
        let mut operations = request.operations.into_iter().map(|operation| operation.operation);
        let (mut start, mut update) = match (operations.next(), operations.next(), operations.next()) {
            (Some(Some(Operation::StartWorkflow(start))), Some(Some(Operation::UpdateWorkflow(update))), None) => {
                (start, update)
            }
            _ => return Err(Refusal::invalid("Operations have to be exactly [Start, Update].")),
        };
        let of_start = self.prepare_start(namespace, &name, &mut start).err();
        let of_update = self.prepare_update_after_start(&name, &start.workflow_id, &mut update, of_start.is_none());
        if of_start.is_some() || of_update.is_err() {
            let status = |refusal: Option<Refusal>| refusal.map_or(Status::Aborted, Status::Refused);
            return Err(refused([status(of_start), status(of_update.err())]));
        }
        let started = api::StartWorkflowExecutionResponse::default();
        self.update_with_start(call, WithStart { namespace, start, update, started, retried: false })
    }

    fn prepare_start(
        &mut self,
        namespace: NamespaceKey,
        name: &str,
        start: &mut api::StartWorkflowExecutionRequest,
    ) -> Result<(), Refusal> {
        take_namespace(name, &mut start.namespace)?;
        self.check_start(namespace, start, Conflict::Fail)?;
        if !start.cron_schedule.is_empty() {
            return Err(Refusal::invalid("CronSchedule is not allowed."));
        }
        if start.request_eager_execution {
            return Err(Refusal::invalid("RequestEagerExecution is not supported."));
        }
        if duration(start.workflow_start_delay.as_ref()).is_some() {
            return Err(Refusal::invalid("WorkflowStartDelay is not supported."));
        }
        Ok(())
    }

    fn prepare_update_after_start(
        &mut self,
        name: &str,
        workflow_id: &str,
        update: &mut api::UpdateWorkflowExecutionRequest,
        start_is_fine: bool,
    ) -> Result<(), Refusal> {
        take_namespace(name, &mut update.namespace)?;
        let Some(execution) = update.workflow_execution.clone() else {
            return Err(Refusal::invalid("Execution is not set on request."));
        };
        self.check_workflow_id(&execution.workflow_id)?;
        self.prepare_update(update)?;
        if !update.first_execution_run_id.is_empty() {
            return Err(Refusal::invalid("FirstExecutionRunId is not allowed."));
        }
        if !execution.run_id.is_empty() {
            return Err(Refusal::invalid("RunId is not allowed."));
        }
        if start_is_fine && execution.workflow_id != workflow_id {
            return Err(Refusal::invalid("WorkflowId is not consistent with previous operation(s)."));
        }
        Ok(())
    }

    /// Updates the workflow that runs, if the start is content with it, or starts one that has the update with its first
    /// workflow task.
    pub(super) fn update_with_start(&mut self, call: CallId, with: WithStart) -> Result<Outcome, Refusal> {
        let current = self.runs.current(with.namespace, &with.start.workflow_id);
        if let Some(run) = current {
            if let Some(outcome) = self.completed_update(run, &with) {
                return Ok(outcome);
            }
            if self.start_is_content_with(run, &with) {
                return self.update_existing(call, run, with);
            }
        }
        self.start_and_update(call, with)
    }

    /// The answer, if the update has been completed before, by a run that may have closed.
    fn completed_update(&self, key: RunKey, with: &WithStart) -> Option<Outcome> {
        let run = self.runs.get(key)?;
        let mut update = self.completed_update_response(key, &with.update)?;
        update.link = None;
        let started = api::StartWorkflowExecutionResponse {
            run_id: run.state.run_id.clone(),
            status: run.state.status,
            ..Default::default()
        };
        Some(both(started, update).into())
    }

    fn start_is_content_with(&self, key: RunKey, with: &WithStart) -> bool {
        self.runs.get(key).is_some_and(|run| {
            run.is_open()
                && (with.started.started
                    || run.state.start_request_id == with.start.request_id
                    || self.knows_update(key, &with.update)
                    || with.start.workflow_id_conflict_policy() == Conflict::UseExisting)
        })
    }

    fn update_existing(&mut self, call: CallId, run: RunKey, mut with: WithStart) -> Result<Outcome, Refusal> {
        self.apply_update(run, &with.update).map_err(|refusal| with.refused(refusal))?;
        if !with.started.started {
            let response = self.start_response(run);
            with.started = api::StartWorkflowExecutionResponse {
                run_id: response.run_id,
                status: WorkflowExecutionStatus::Running.into(),
                link: response.link,
                ..Default::default()
            };
        }
        Ok(self.await_update_with_start(call, run, with))
    }

    fn start_and_update(&mut self, call: CallId, mut with: WithStart) -> Result<Outcome, Refusal> {
        let start = &with.start;
        let (reuse, conflict) = (start.workflow_id_reuse_policy(), start.workflow_id_conflict_policy());
        let existing = self
            .existing(with.namespace, &start.workflow_id, &start.request_id, reuse, conflict)
            .map_err(|refusal| refused([Status::Refused(refusal), Status::Aborted]))?;
        let run_id = self.ids.run_id(self.now).to_string();
        match existing {
            Existing::SameRequest(_) | Existing::Use(_) => {
                let refusal = Refusal::new(Code::Unavailable, "Workflow was not started: StartDeduped");
                return Err(refused([Status::Refused(refusal), Status::Aborted]));
            }
            Existing::Replace(run) => self.terminate_for(run, &run_id),
            Existing::None => {}
        }
        let run = self.start_requested(with.namespace, with.start.clone(), run_id);
        with.started = started(self.start_response(run));
        self.apply_update(run, &with.update).map_err(|refusal| with.refused(refusal))?;
        Ok(self.await_update_with_start(call, run, with))
    }

    /// The workflow has closed before it decided about the update. One that was there already is no reason to give up:
    /// the next try starts another.
    pub(super) fn update_with_start_aborted(&mut self, call: CallId, with: WithStart) -> Result<Outcome, Refusal> {
        if with.started.started {
            return Err(with.refused(aborted_by_closing()));
        }
        if with.retried {
            return Err(with.refused(Refusal::new(Code::Aborted, aborted_by_closing().message)));
        }
        self.update_with_start(call, WithStart { retried: true, ..with })
    }
}

impl WithStart {
    /// What the caller hears of an update that came to nothing.
    pub(super) fn refused(&self, refusal: Refusal) -> Refusal {
        let start = if self.started.started { Status::Done } else { Status::Aborted };
        refused([start, Status::Refused(refusal)])
    }

    pub(super) fn response(self, update: api::UpdateWorkflowExecutionResponse) -> api::ExecuteMultiOperationResponse {
        both(self.started, update)
    }

    pub(super) fn stage(&self) -> Lifecycle {
        self.update.wait_policy.unwrap_or_default().lifecycle_stage()
    }
}

/// An operation may leave the namespace to the call.
fn take_namespace(name: &str, of_operation: &mut String) -> Result<(), Refusal> {
    if !of_operation.is_empty() && of_operation != name {
        return Err(Refusal::invalid("Operation namespace did not match request's namespace."));
    }
    name.clone_into(of_operation);
    Ok(())
}

fn started(response: raw::StartWorkflowExecutionResponse) -> api::StartWorkflowExecutionResponse {
    api::StartWorkflowExecutionResponse {
        run_id: response.run_id,
        first_execution_run_id: response.first_execution_run_id,
        started: true,
        status: response.status,
        link: response.link,
        eager_workflow_task: None,
    }
}

fn both(
    started: api::StartWorkflowExecutionResponse,
    updated: api::UpdateWorkflowExecutionResponse,
) -> api::ExecuteMultiOperationResponse {
    let responses = [response::Response::StartWorkflow(started), response::Response::UpdateWorkflow(updated)];
    api::ExecuteMultiOperationResponse {
        responses: responses.map(|response| Response { response: Some(response) }).into(),
    }
}

/// The refusal of the whole call: of the kind of the operation that failed, with what became of each.
fn refused(statuses: [Status; 2]) -> Refusal {
    let code = statuses.iter().find_map(|status| match status {
        Status::Refused(refusal) => Some(refusal.code),
        Status::Done | Status::Aborted => None,
    });
    let failure = MultiOperationExecutionFailure { statuses: statuses.map(operation_status).into() };
    Refusal::new(code.unwrap_or(Code::Aborted), "Update-with-Start could not be executed.").with(&failure)
}

fn operation_status(status: Status) -> OperationStatus {
    match status {
        Status::Done => OperationStatus::default(),
        Status::Aborted => OperationStatus {
            code: Code::Aborted as i32,
            message: "Operation was aborted.".to_owned(),
            details: vec![Any { type_url: ABORTED.to_owned(), value: Vec::new() }],
        },
        Status::Refused(Refusal { code, message, details }) => OperationStatus { code: code as i32, message, details },
    }
}
