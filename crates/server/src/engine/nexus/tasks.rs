//! Nexus tasks: polled by workers, and answered by them.

use std::collections::BTreeMap;
use std::time::Duration;

use prost::Message;
use stead_proto::common::v1::Payload;
use stead_proto::nexus::v1::start_operation_response::Variant as Start;
use stead_proto::nexus::v1::{
    CancelOperationRequest, Request, Response, StartOperationRequest, StartOperationResponse,
    UnsuccessfulOperationError, request, response,
};
use stead_proto::workflowservice::v1 as api;

use super::operation::{Ask, CancelAnswer, OperationState, StartAnswer};
use super::requests::Sent;
use super::{callbacks, failures, links};
use crate::engine::activity_options::check_queue;
use crate::engine::call::Outcome;
use crate::engine::matching::{Match, Polled, Poller, QueueKind};
use crate::engine::token::{TaskToken, TokenKind};
use crate::engine::waits::Wait;
use crate::engine::workflow_tasks::TaskRef;
use crate::engine::{Call, Engine, Refusal, Time};

impl Engine {
    pub(in crate::engine) fn poll_nexus_task_queue(
        &mut self,
        call: &Call,
        request: api::PollNexusTaskQueueRequest,
    ) -> Result<Outcome, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        let queue = request.task_queue.unwrap_or_default();
        check_queue(&queue.name, self.config.limits.id_length)?;
        let (options, capabilities) = (&request.deployment_options, &request.worker_version_capabilities);
        self.register_worker(namespace, QueueKind::Nexus, &queue.name, options.as_ref(), capabilities.as_ref())?;
        self.record_heartbeats(namespace, request.worker_heartbeat);
        let queue = self.matching.queue(namespace, QueueKind::Nexus, &queue.name, self.now);
        let poller = Poller {
            call: call.id,
            identity: request.identity,
            worker_instance_key: request.worker_instance_key,
            deployment_options: request.deployment_options,
            capabilities: request.worker_version_capabilities,
            max_tasks_per_second: None,
        };
        match self.matching.poll(queue, poller, self.now) {
            Polled::Waits => {
                self.waits.insert(call.id, Wait::NexusTask);
                Ok(Outcome::Waits)
            }
            Polled::ShutDown => Ok(api::PollNexusTaskQueueResponse::default().into()),
        }
    }

    /// Gives a request to a worker. `None` if nobody waits for its answer any more.
    pub(in crate::engine) fn start_nexus_task(
        &mut self,
        id: u64,
        matched: &Match<TaskRef>,
    ) -> Option<api::PollNexusTaskQueueResponse> {
        let sent = *self.requests.get(id)?;
        if !self.is_wanted(&sent) {
            self.requests.remove(id);
            return None;
        }
        let request = self.wire_request(&sent)?;
        self.requests.get_mut(id)?.taken = true;
        let token = TaskToken { key: id, kind: TokenKind::NexusTask as u32, ..Default::default() };
        Some(api::PollNexusTaskQueueResponse {
            task_token: token.bytes(),
            request: Some(request),
            poller_scaling_decision: matched.scaling,
            ..Default::default()
        })
    }

    fn wire_request(&self, sent: &Sent) -> Option<Request> {
        let operation = self.operation(sent.owner)?;
        let (variant, is_start) = match sent.ask {
            Ask::Start => (request::Variant::StartOperation(self.wire_start(sent, operation)), true),
            Ask::Cancel => (request::Variant::CancelOperation(wire_cancel(operation)), false),
        };
        Some(Request {
            header: header(sent, operation, self.now),
            scheduled_time: Some(sent.at.timestamp()),
            capabilities: Some(request::Capabilities { temporal_failure_responses: is_start }),
            endpoint: operation.endpoint.clone(),
            variant: Some(variant),
        })
    }

    fn wire_start(&self, sent: &Sent, operation: &OperationState) -> StartOperationRequest {
        let caller = self.caller_link(sent.owner);
        StartOperationRequest {
            service: operation.service.clone(),
            operation: operation.operation.clone(),
            request_id: operation.request_id.clone(),
            callback: callbacks::URL.to_owned(),
            payload: Some(operation.input.clone().unwrap_or_else(nothing)),
            callback_header: [(callbacks::TOKEN_HEADER.to_owned(), self.callback_token(sent.owner, operation))].into(),
            links: caller.as_ref().and_then(links::to_wire).into_iter().collect(),
        }
    }

    pub(in crate::engine) fn respond_nexus_task_completed(
        &mut self,
        request: api::RespondNexusTaskCompletedRequest,
    ) -> Result<Outcome, Refusal> {
        self.namespaces.named(&request.namespace)?;
        let response = request.response.unwrap_or_default();
        check_response(&response)?;
        let sent = self.take_request(&request.task_token)?;
        if self.is_wanted(&sent) {
            match sent.ask {
                Ask::Start => {
                    let answer = self.start_answer(response);
                    self.start_answered(sent.owner, answer);
                }
                Ask::Cancel => self.cancel_answered(sent.owner, CancelAnswer::Delivered),
            }
        }
        Ok(api::RespondNexusTaskCompletedResponse {}.into())
    }

    pub(in crate::engine) fn respond_nexus_task_failed(
        &mut self,
        request: api::RespondNexusTaskFailedRequest,
    ) -> Result<Outcome, Refusal> {
        self.namespaces.named(&request.namespace)?;
        if request.error.as_ref().is_some_and(|error| !failures::has_valid_details(error.failure.as_ref())) {
            return Err(bad_details());
        }
        let failure = match (request.failure, request.error) {
            (_, Some(error)) => failures::from_handler_error(error),
            (Some(failure), None) if failures::is_of_handler(&failure) => failures::seen_by_caller(failure),
            (Some(_), None) => {
                let message = "request Failure must contain error or failure with NexusHandlerFailureInfo";
                return Err(Refusal::invalid(message));
            }
            (None, None) => return Err(Refusal::invalid("request must contain error or failure")),
        };
        let sent = self.take_request(&request.task_token)?;
        if self.is_wanted(&sent) {
            self.refused_by_handler(sent.owner, sent.ask, failure);
        }
        Ok(api::RespondNexusTaskFailedResponse {}.into())
    }

    /// The request that a worker answers, which it can do once.
    fn take_request(&mut self, token: &bytes::Bytes) -> Result<Sent, Refusal> {
        let token = TaskToken::read(token)?;
        if !token.is(TokenKind::NexusTask) {
            return Err(Refusal::invalid("Invalid TaskToken."));
        }
        let taken = self.requests.get(token.key).is_some_and(|sent| sent.taken);
        let sent = if taken { self.requests.remove(token.key) } else { None };
        sent.ok_or_else(|| Refusal::not_found("Nexus task not found or already expired"))
    }

    fn start_answer(&self, response: Response) -> StartAnswer {
        let start = match response.variant {
            Some(response::Variant::StartOperation(StartOperationResponse { variant })) => variant,
            _ => None,
        };
        match start {
            Some(Start::SyncSuccess(done)) => {
                let size = done.payload.as_ref().map_or(0, Payload::encoded_len);
                if size > self.config.limits.blob {
                    return StartAnswer::Failed(failures::call_error(TOO_LARGE.to_owned()));
                }
                StartAnswer::Completed { result: done.payload, links: links::from_wire(&done.links) }
            }
            Some(Start::AsyncSuccess(begun)) => {
                let token = if begun.operation_token.is_empty() { begun.operation_id } else { begun.operation_token };
                StartAnswer::Started { token, links: links::from_wire(&begun.links) }
            }
            Some(Start::Failure(failure)) if failures::is_canceled(&failure) => StartAnswer::Canceled(failure),
            Some(Start::Failure(failure)) => StartAnswer::Failed(failure),
            Some(Start::OperationError(error)) => unsuccessful(error),
            None => StartAnswer::Retry(failures::of_handler("INTERNAL", "empty outcome")),
        }
    }
}

/// The end of an operation in the form that older SDKs send.
fn unsuccessful(error: UnsuccessfulOperationError) -> StartAnswer {
    let failure = failures::from_nexus(error.failure.unwrap_or_default());
    match error.operation_state.as_str() {
        "failed" => StartAnswer::Failed(failure),
        "canceled" => StartAnswer::Canceled(failures::canceled(failure)),
        other => {
            let message =
                format!("\"{other}\" is no state in which an operation ends: \"failed\" and \"canceled\" are");
            StartAnswer::Retry(failures::of_handler("INTERNAL", &message))
        }
    }
}

fn wire_cancel(operation: &OperationState) -> CancelOperationRequest {
    CancelOperationRequest {
        service: operation.service.clone(),
        operation: operation.operation.clone(),
        operation_id: operation.token().to_owned(),
        operation_token: operation.token().to_owned(),
    }
}

fn header(sent: &Sent, operation: &OperationState, now: Time) -> BTreeMap<String, String> {
    let mut header = operation.header.clone();
    let patience = go_duration(sent.deadline.since(now));
    // Some SDKs look for the one, some for the other.
    header.insert("Request-Timeout".to_owned(), patience.clone());
    header.insert("request-timeout".to_owned(), patience);
    if sent.ask == Ask::Start
        && let Some(left) = operation.time_left(now)
    {
        header.entry("operation-timeout".to_owned()).or_insert_with(|| format!("{}ms", left.as_millis()));
    }
    header
}

/// A duration as Go writes it, of less than a minute.
fn go_duration(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        return format!("{}ms", duration.as_secs_f64() * 1e3);
    }
    format!("{}s", duration.as_secs_f64())
}

/// The input of an operation that has none, and the result of what is called back without one.
pub(super) fn nothing() -> Payload {
    Payload { metadata: [("encoding".to_owned(), "binary/null".into())].into(), ..Default::default() }
}

fn check_response(response: &Response) -> Result<(), Refusal> {
    let Some(response::Variant::StartOperation(StartOperationResponse { variant: Some(start) })) = &response.variant
    else {
        return Ok(());
    };
    match start {
        Start::AsyncSuccess(begun) => {
            let token = if begun.operation_token.is_empty() { &begun.operation_id } else { &begun.operation_token };
            match token.len() {
                // So the server spells it.
                0 => Err(Refusal::invalid("missing opration token in response")),
                length if length > MAX_TOKEN => Err(Refusal::invalid(format!(
                    "operation token length exceeds allowed limit ({length}/{MAX_TOKEN})"
                ))),
                _ => Ok(()),
            }
        }
        Start::OperationError(error) if !failures::has_valid_details(error.failure.as_ref()) => Err(bad_details()),
        _ => Ok(()),
    }
}

fn bad_details() -> Refusal {
    Refusal::invalid("failure details must be JSON serializable")
}

/// `component.nexusoperations.limit.operation.token.length` of Temporal's server.
const MAX_TOKEN: usize = 4_096;
/// What Temporal's server says of a result that is larger than a payload may be.
const TOO_LARGE: &str = "http: response body too large";
