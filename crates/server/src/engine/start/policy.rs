//! What it means for a start that its workflow id was used before.

use stead_proto::enums::v1::{
    EventType, WorkflowExecutionStatus as Status, WorkflowIdConflictPolicy as Conflict, WorkflowIdReusePolicy as Reuse,
};
use stead_proto::errordetails::v1::WorkflowExecutionAlreadyStartedFailure;

use crate::engine::namespaces::NamespaceKey;
use crate::engine::refusal::Code;
use crate::engine::run::state::RequestState;
use crate::engine::run::{Run, RunKey};
use crate::engine::{Engine, Refusal};

/// What a start is to do about earlier runs of its workflow id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    /// There is none that matters: start.
    None,
    /// This run was started by the same request: say so again.
    SameRequest(RunKey),
    /// Use the run that is open.
    Use(RunKey),
    /// Terminate the run that is open, then start.
    Replace(RunKey),
}

/// The old name of [`Conflict::TerminateExisting`].
#[expect(deprecated, reason = "callers still send it")]
pub(super) const TERMINATE_IF_RUNNING: Reuse = Reuse::TerminateIfRunning;

impl Engine {
    /// Decides what a start is to do about earlier runs of its workflow id. (`workflow_id_dedup.go` of Temporal's
    /// server.)
    pub(in crate::engine) fn existing(
        &self,
        namespace: NamespaceKey,
        workflow_id: &str,
        request_id: &str,
        reuse: Reuse,
        conflict: Conflict,
    ) -> Result<Existing, Refusal> {
        if let Some(run) = self.runs.current(namespace, workflow_id).and_then(|key| self.runs.get(key)) {
            if run.state.start_request_id == request_id {
                return Ok(Existing::SameRequest(run.key));
            }
            // A request that was attached to the run earlier is content with it, whatever has become of it.
            if run.requests.get(&request_id.to_owned()).is_some_and(is_attached) {
                return Ok(Existing::Use(run.key));
            }
        }
        self.existing_of_others(namespace, workflow_id, reuse, conflict)
    }

    /// The same for a start that counts as another one whenever it is repeated.
    pub(in crate::engine) fn existing_of_others(
        &self,
        namespace: NamespaceKey,
        workflow_id: &str,
        reuse: Reuse,
        conflict: Conflict,
    ) -> Result<Existing, Refusal> {
        let Some(run) = self.runs.current(namespace, workflow_id).and_then(|key| self.runs.get(key)) else {
            return Ok(Existing::None);
        };
        if run.is_open() {
            let conflict = if reuse == TERMINATE_IF_RUNNING { Conflict::TerminateExisting } else { conflict };
            return match conflict {
                Conflict::UseExisting => Ok(Existing::Use(run.key)),
                Conflict::TerminateExisting => Ok(Existing::Replace(run.key)),
                Conflict::Fail | Conflict::Unspecified => {
                    let message = "Workflow execution is already running.";
                    Err(already_started(
                        run,
                        format!("{message} WorkflowId: {workflow_id}, RunId: {}.", run.state.run_id),
                    ))
                }
            };
        }
        match reuse {
            Reuse::AllowDuplicateFailedOnly if !failed(run.status()) => Err(already_finished(
                run,
                "already finished successfully",
                "allow duplicate workflow Id if last run failed",
            )),
            Reuse::RejectDuplicate => Err(already_finished(run, "already finished", "reject duplicate workflow Id")),
            _ => Ok(Existing::None),
        }
    }
}

fn is_attached(request: &RequestState) -> bool {
    request.event_type() == EventType::WorkflowExecutionOptionsUpdated
}

fn failed(status: Status) -> bool {
    matches!(status, Status::Failed | Status::Canceled | Status::Terminated | Status::TimedOut)
}

fn already_finished(run: &Run, what: &str, policy: &str) -> Refusal {
    let (workflow_id, run_id) = (&run.state.workflow_id, &run.state.run_id);
    already_started(
        run,
        format!(
            "Workflow execution {what}. WorkflowId: {workflow_id}, RunId: {run_id}. \
             Workflow Id reuse policy: {policy}."
        ),
    )
}

fn already_started(run: &Run, message: String) -> Refusal {
    Refusal::new(Code::AlreadyExists, message).with(&WorkflowExecutionAlreadyStartedFailure {
        start_request_id: run.state.start_request_id.clone(),
        run_id: run.state.run_id.clone(),
        first_execution_run_id: run.state.first_run_id.clone(),
    })
}
