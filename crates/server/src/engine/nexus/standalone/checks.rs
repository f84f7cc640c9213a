//! What the calls about operations without a workflow check. (`chasm/lib/nexusoperation/validator.go` of Temporal's
//! server.)

use std::collections::BTreeMap;

use prost::Message;
use stead_proto::workflowservice::v1 as api;
use uuid::Uuid;

use crate::engine::links::check_links;
use crate::engine::namespaces::NamespaceKey;
use crate::engine::nexus::limits::{BadHeader, MAX_NAME, lower_case, shorter};
use crate::engine::{Engine, Refusal};

impl Engine {
    pub(super) fn check_operation_start(
        &mut self,
        namespace: NamespaceKey,
        request: &mut api::StartNexusOperationExecutionRequest,
    ) -> Result<(), Refusal> {
        self.complete_operation_request_id(&mut request.request_id)?;
        self.check_operation(&request.operation_id, "")?;
        self.check_operation_text("identity", &request.identity)?;
        check_target(request)?;
        complete_timeouts(request)?;
        let (size, limit) = (request.input.as_ref().map_or(0, Message::encoded_len), self.config.limits.blob);
        if size > limit {
            return Err(Refusal::invalid(format!("input exceeds size limit. Length={size} Limit={limit}")));
        }
        check_metadata(request)?;
        request.nexus_header = header(std::mem::take(&mut request.nexus_header))?;
        if let Some(attributes) = request.search_attributes.take() {
            let registry = self.registry(namespace)?;
            registry.validate(&attributes)?;
            request.search_attributes = Some(registry.normalized(attributes));
        }
        if !request.completion_callbacks.is_empty() {
            let message = "completion callbacks of Nexus operations without a workflow are not served";
            return Err(Refusal::unimplemented(message));
        }
        check_links(request.links.iter())
    }

    pub(super) fn check_operation(&self, id: &str, run_id: &str) -> Result<(), Refusal> {
        if id.is_empty() {
            return Err(Refusal::invalid("operation_id is required"));
        }
        self.check_operation_text("operation_id", id)?;
        if !run_id.is_empty() && Uuid::try_parse(run_id).is_err() {
            return Err(Refusal::invalid("run_id is not a valid UUID"));
        }
        Ok(())
    }

    pub(super) fn check_operation_reason(&self, identity: &str, reason: &str) -> Result<(), Refusal> {
        self.check_operation_text("identity", identity)?;
        check_length("reason", reason.len(), MAX_REASON)
    }

    fn check_operation_text(&self, field: &str, text: &str) -> Result<(), Refusal> {
        check_length(field, text.len(), self.config.limits.id_length)
    }

    /// A request without an id gets one, so that it is told from others.
    pub(super) fn complete_operation_request_id(&mut self, request_id: &mut String) -> Result<(), Refusal> {
        if request_id.is_empty() {
            *request_id = self.ids.uuid().to_string();
        }
        self.check_operation_text("request_id", request_id)
    }
}

fn check_target(request: &api::StartNexusOperationExecutionRequest) -> Result<(), Refusal> {
    if request.endpoint.is_empty() {
        return Err(Refusal::invalid("endpoint is required"));
    }
    for (field, name) in [("service", &request.service), ("operation", &request.operation)] {
        if name.is_empty() {
            return Err(Refusal::invalid(format!("{field} is required")));
        }
        check_length(field, name.len(), MAX_NAME)?;
    }
    Ok(())
}

fn complete_timeouts(request: &mut api::StartNexusOperationExecutionRequest) -> Result<(), Refusal> {
    let timeouts = [
        ("schedule_to_close", request.schedule_to_close_timeout),
        ("schedule_to_start", request.schedule_to_start_timeout),
        ("start_to_close", request.start_to_close_timeout),
    ];
    for (field, timeout) in timeouts {
        if timeout.is_some_and(|timeout| timeout.seconds < 0 || timeout.nanos < 0) {
            return Err(Refusal::invalid(format!("{field}_timeout is invalid: negative duration")));
        }
    }
    let whole = request.schedule_to_close_timeout;
    request.schedule_to_start_timeout = shorter(request.schedule_to_start_timeout, whole);
    request.start_to_close_timeout = shorter(request.start_to_close_timeout, whole);
    Ok(())
}

fn check_metadata(request: &api::StartNexusOperationExecutionRequest) -> Result<(), Refusal> {
    let metadata = request.user_metadata.clone().unwrap_or_default();
    let size = |payload: &Option<stead_proto::common::v1::Payload>| payload.as_ref().map_or(0, Message::encoded_len);
    check_size("user_metadata.summary", size(&metadata.summary), MAX_SUMMARY)?;
    check_size("user_metadata.details", size(&metadata.details), MAX_DETAILS)
}

fn header(header: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Refusal> {
    lower_case(&header).map_err(|issue| {
        Refusal::invalid(match issue {
            BadHeader::Disallowed(key) => {
                format!("nexus_header contains a disallowed key: {key:?}")
            }
            BadHeader::TooLarge => "nexus_header exceeds size limit".to_owned(),
        })
    })
}

fn check_length(field: &str, length: usize, limit: usize) -> Result<(), Refusal> {
    if length <= limit {
        return Ok(());
    }
    Err(Refusal::invalid(format!("{field} exceeds length limit. Length={length} Limit={limit}")))
}

fn check_size(field: &str, size: usize, limit: usize) -> Result<(), Refusal> {
    if size <= limit {
        return Ok(());
    }
    Err(Refusal::invalid(format!("{field} exceeds size limit. Length={size} Limit={limit}")))
}

/// `nexusoperation.limit.reasonLength` and the limits of user metadata of Temporal's server.
const MAX_REASON: usize = 1_000;
const MAX_SUMMARY: usize = 400;
const MAX_DETAILS: usize = 20_000;
