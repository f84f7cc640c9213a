//! What callers do to an operation without a workflow: cancel it, terminate it, delete it.

use stead_proto::workflowservice::v1 as api;

use super::{OperationKey, not_found};
use crate::engine::call::Outcome;
use crate::engine::{Engine, Refusal};

impl Engine {
    pub(in crate::engine) fn request_cancel_nexus_operation_execution(
        &mut self,
        mut request: api::RequestCancelNexusOperationExecutionRequest,
    ) -> Result<Outcome, Refusal> {
        self.complete_operation_request_id(&mut request.request_id)?;
        self.check_operation_reason(&request.identity, &request.reason)?;
        let key = self.found_operation(&request.namespace, &request.operation_id, &request.run_id)?;
        if self.cancels_operation(key, &request.request_id)? {
            let api::RequestCancelNexusOperationExecutionRequest { request_id, reason, .. } = request;
            self.change_operation(key, |operation, now| operation.request_cancel(now, request_id, reason));
        }
        Ok(api::RequestCancelNexusOperationExecutionResponse {}.into())
    }

    /// Whether a request to cancel is news.
    fn cancels_operation(&self, key: OperationKey, request_id: &str) -> Result<bool, Refusal> {
        let Some(operation) = self.operations.get(key.0) else { return Ok(false) };
        match &operation.operation.cancellation {
            Some(earlier) if earlier.request_id == request_id => Ok(false),
            _ if !operation.is_open() => Err(Refusal::failed_precondition("operation already completed")),
            Some(earlier) => Err(Refusal::failed_precondition(format!(
                "cancellation already requested with request ID {}",
                earlier.request_id
            ))),
            None => Ok(true),
        }
    }

    pub(in crate::engine) fn terminate_nexus_operation_execution(
        &mut self,
        mut request: api::TerminateNexusOperationExecutionRequest,
    ) -> Result<Outcome, Refusal> {
        self.complete_operation_request_id(&mut request.request_id)?;
        self.check_operation_reason(&request.identity, &request.reason)?;
        let key = self.found_operation(&request.namespace, &request.operation_id, &request.run_id)?;
        let Some(operation) = self.operations.get(key.0) else { return Err(not_found(&request.operation_id)) };
        let earlier = &operation.terminate_request_id;
        if operation.is_open() {
            let api::TerminateNexusOperationExecutionRequest { reason, identity, request_id, .. } = request;
            self.change_operation(key, |operation, now| operation.terminate(now, reason, identity, request_id));
        } else if earlier.is_empty() {
            let message = format!("invalid transition from {}", operation.state_name());
            return Err(Refusal::failed_precondition(message));
        } else if *earlier != request.request_id {
            return Err(Refusal::failed_precondition(format!("already terminated with request ID {earlier}")));
        }
        Ok(api::TerminateNexusOperationExecutionResponse {}.into())
    }

    /// Terminates it if it is open, and forgets it.
    pub(in crate::engine) fn delete_nexus_operation_execution(
        &mut self,
        request: &api::DeleteNexusOperationExecutionRequest,
    ) -> Result<Outcome, Refusal> {
        let key = self.found_operation(&request.namespace, &request.operation_id, &request.run_id)?;
        if self.open_operation(key).is_some() {
            let reason = "Delete nexus operation execution".to_owned();
            self.change_operation(key, |operation, now| operation.terminate(now, reason, String::new(), String::new()));
            // Those who wait for its end learn it before it is gone.
            self.serve_operation_waits(key);
        }
        self.forget_operation(key);
        Ok(api::DeleteNexusOperationExecutionResponse {}.into())
    }

    pub(super) fn found_operation(&self, namespace: &str, id: &str, run_id: &str) -> Result<OperationKey, Refusal> {
        let namespace = self.namespaces.key(namespace)?;
        self.check_operation(id, run_id)?;
        self.operations.find(namespace, id, run_id).map(OperationKey).ok_or_else(|| not_found(id))
    }
}
