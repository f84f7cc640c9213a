//! Deleting: of runs, and of namespaces with all that is in them.

use stead_proto::operatorservice::v1 as operator;
use stead_proto::workflowservice::v1 as api;

use super::chores::STEP;
use super::effect::Effect;
use super::namespaces::NamespaceKey;
use super::run::close::Termination;
use super::run::{Run, RunKey};
use super::start::HISTORY_SERVICE;
use super::{Engine, Refusal};

impl Engine {
    pub(super) fn delete_workflow_execution(
        &mut self,
        request: &api::DeleteWorkflowExecutionRequest,
    ) -> Result<api::DeleteWorkflowExecutionResponse, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        let key = self.runs.find(namespace, request.workflow_execution.as_ref())?;
        self.delete_run(key);
        Ok(api::DeleteWorkflowExecutionResponse {})
    }

    /// Deletes a run. One that is open is terminated first, so that whoever waits for it hears of its end.
    pub(super) fn delete_run(&mut self, key: RunKey) {
        if self.runs.get(key).is_some_and(Run::is_open) {
            let termination = Termination {
                reason: "Delete workflow execution".to_owned(),
                identity: HISTORY_SERVICE.to_owned(),
                ..Termination::default()
            };
            self.transact(key, |run, cx| run.terminate(cx, termination));
        }
        self.effects.push_back(Effect::Forget(key));
    }

    /// Forgets a run that was deleted, once all others have heard of its end.
    pub(super) fn forget_deleted(&mut self, key: RunKey) {
        self.serve_history_waits(key);
        self.serve_update_waits(key);
        self.forget_run(key);
    }

    /// The namespace has another name from here on, and is emptied step by step.
    pub(super) fn delete_namespace(
        &mut self,
        request: &operator::DeleteNamespaceRequest,
    ) -> Result<operator::DeleteNamespaceResponse, Refusal> {
        let (name, id) = (&request.namespace, &request.namespace_id);
        match (name.is_empty(), id.is_empty()) {
            (true, true) => return Err(Refusal::invalid("namespace or namespace ID is required")),
            (false, false) => return Err(Refusal::invalid("only one of namespace or namespace ID must be set")),
            _ => {}
        }
        if name == RESERVED {
            return Err(Refusal::failed_precondition("unable to delete system namespace"));
        }
        let key = self
            .namespaces
            .find(name, id)
            .map_err(|_| Refusal::invalid(format!("namespace {name}{id} is not found")))?;
        if let Some(endpoint) = self.endpoints.to_namespace(key) {
            return Err(Refusal::failed_precondition(format!(
                "cannot delete a namespace that is a target of a Nexus endpoint {endpoint}"
            )));
        }
        let deleted_namespace = self.namespaces.rename_deleted(key).unwrap_or_default();
        Ok(operator::DeleteNamespaceResponse { deleted_namespace })
    }

    /// Deletes some of what is in a deleted namespace, and the namespace when it is empty.
    pub(super) fn empty_namespace(&mut self, namespace: NamespaceKey) {
        let runs: Vec<_> = self.runs.of_namespace(namespace).into_iter().take(STEP).collect();
        if runs.is_empty() {
            self.forget_schedules(namespace);
            self.forget_deployments(namespace);
            self.forget_batches(namespace);
            self.queue_settings.forget(namespace);
            self.visibility.forget(namespace);
            self.namespaces.remove(namespace);
        }
        for run in runs {
            self.delete_run(run);
        }
    }
}

/// The namespace that a server keeps for itself.
const RESERVED: &str = "temporal-system";
