//! `StartNexusOperationExecution`: what an id that was used before means.

use stead_proto::enums::v1::{
    NexusOperationExecutionStatus as Status, NexusOperationIdConflictPolicy as Conflict,
    NexusOperationIdReusePolicy as Reuse,
};
use stead_proto::errordetails::v1::NexusOperationExecutionAlreadyStartedFailure;
use stead_proto::workflowservice::v1 as api;

use super::{OperationKey, StandaloneOperation};
use crate::engine::call::Outcome;
use crate::engine::effect::Effect;
use crate::engine::namespaces::NamespaceKey;
use crate::engine::nexus::operation::{Ask, OperationState};
use crate::engine::nexus::requests::Owner;
use crate::engine::refusal::Code;
use crate::engine::{Engine, Refusal};

type Request = api::StartNexusOperationExecutionRequest;

impl Engine {
    pub(in crate::engine) fn start_nexus_operation_execution(
        &mut self,
        mut request: Request,
    ) -> Result<Outcome, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        self.check_operation_start(namespace, &mut request)?;
        let Some((endpoint_id, _)) = self.endpoints.by_name(&request.endpoint) else {
            let message = format!("could not find Nexus endpoint by name: {}", request.endpoint);
            return Err(Refusal::not_found(message));
        };
        let endpoint_id = endpoint_id.to_owned();
        if let Some(key) = self.existing_operation(namespace, &request)? {
            self.attach_links_to_operation(key, &request);
            return Ok(self.operation_start_response(key, false).into());
        }
        let key = OperationKey(self.runs.next_key().0);
        let operation = self.requested_operation(namespace, endpoint_id, request);
        self.operations.insert(key.0, operation);
        self.operations.watch(key.0);
        self.effects.push_back(Effect::AskHandler(Owner::Alone(key), Ask::Start));
        Ok(self.operation_start_response(key, true).into())
    }

    /// The operation that a start finds in its way and is content with.
    fn existing_operation(&self, namespace: NamespaceKey, request: &Request) -> Result<Option<OperationKey>, Refusal> {
        let Some(key) = self.operations.find(namespace, &request.operation_id, "") else { return Ok(None) };
        let Some(existing) = self.operations.get(key) else { return Ok(None) };
        if existing.start_request_id == request.request_id {
            return Ok(Some(OperationKey(key)));
        }
        let completed = existing.status == Status::Completed as i32;
        match (request.id_conflict_policy(), request.id_reuse_policy()) {
            (Conflict::UseExisting, _) if existing.is_open() => Ok(Some(OperationKey(key))),
            _ if existing.is_open() => Err(already_started(existing)),
            (_, Reuse::RejectDuplicate) => Err(already_started(existing)),
            (_, Reuse::AllowDuplicateFailedOnly) if completed => Err(already_started(existing)),
            _ => Ok(None),
        }
    }

    /// Attaches the links of a start that found its operation, if it wants that, each once.
    fn attach_links_to_operation(&mut self, key: OperationKey, request: &Request) {
        let wanted = request.on_conflict_options.is_some_and(|options| options.attach_links);
        let Some(existing) = self.operations.get(key.0).filter(|_| wanted) else { return };
        let new: Vec<_> = request.links.iter().filter(|link| !existing.links.contains(link)).cloned().collect();
        if !new.is_empty() && existing.is_open() {
            self.change_operation(key, |operation, _| operation.links.extend(new));
        }
    }

    fn requested_operation(
        &mut self,
        namespace: NamespaceKey,
        endpoint_id: String,
        request: Request,
    ) -> StandaloneOperation {
        let operation = OperationState {
            endpoint: request.endpoint,
            endpoint_id,
            service: request.service,
            operation: request.operation,
            request_id: self.ids.uuid().to_string(),
            input: request.input,
            header: request.nexus_header,
            schedule_to_close: request.schedule_to_close_timeout,
            schedule_to_start: request.schedule_to_start_timeout,
            start_to_close: request.start_to_close_timeout,
            scheduled_at: self.now.unix_nanos(),
            ..Default::default()
        };
        StandaloneOperation {
            namespace: namespace.0,
            operation_id: request.operation_id,
            run_id: self.ids.run_id(self.now).to_string(),
            start_request_id: request.request_id,
            operation,
            status: Status::Running.into(),
            identity: request.identity,
            user_metadata: request.user_metadata,
            search_attributes: request.search_attributes,
            links: request.links,
            transitions: 1,
            ..Default::default()
        }
    }

    fn operation_start_response(&self, key: OperationKey, started: bool) -> api::StartNexusOperationExecutionResponse {
        let run_id = self.operations.get(key.0).map(|operation| operation.run_id.clone()).unwrap_or_default();
        api::StartNexusOperationExecutionResponse { run_id, started }
    }
}

fn already_started(existing: &StandaloneOperation) -> Refusal {
    let (request_id, run_id) = (&existing.start_request_id, &existing.run_id);
    let message = format!("nexus operation execution already started: request_id={request_id}, run_id={run_id}");
    Refusal::new(Code::AlreadyExists, message).with(&NexusOperationExecutionAlreadyStartedFailure {
        start_request_id: request_id.clone(),
        run_id: run_id.clone(),
    })
}
