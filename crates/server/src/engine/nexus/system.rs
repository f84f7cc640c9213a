//! The endpoint that is the server itself: operations of workflows that are calls of the API. There is one, signal-with-start.
//! (`chasm/lib/workflow/nexus_service.go` of Temporal's server.)

use prost::Message;
use stead_proto::command::v1::command::Attributes;
use stead_proto::command::v1::{Command, ScheduleNexusOperationCommandAttributes};
use stead_proto::common::v1::Payload;
use stead_proto::enums::v1::WorkflowTaskFailedCause as Cause;
use stead_proto::failure::v1::failure::FailureInfo;
use stead_proto::failure::v1::{Failure, ServerFailureInfo};
use stead_proto::workflowservice::v1::{
    SignalWithStartWorkflowExecutionRequest, SignalWithStartWorkflowExecutionResponse,
};

use super::operation::{OperationState, StartAnswer};
use super::{Owner, failures};
use crate::engine::commands::Fault;
use crate::engine::refusal::Code;
use crate::engine::run::RunKey;
use crate::engine::{Engine, Refusal};

/// The endpoint's name.
pub(crate) const SYSTEM_ENDPOINT: &str = "__temporal_system";
const SERVICE: &str = "temporal.api.workflowservice.v1.WorkflowService";
const SIGNAL_WITH_START: &str = "SignalWithStartWorkflowExecution";
const RESPONSE: &str = "temporal.api.workflowservice.v1.SignalWithStartWorkflowExecutionResponse";

/// Why an operation of the system cannot be.
enum Unfit {
    /// There is no such operation, or it does not take this input: the kind of a handler's error, and what it says.
    Handler(&'static str, String),
    /// The call would be refused.
    Call(Refusal),
}

impl Engine {
    /// Checks the operations of the system that a completed task schedules, as the calls would be.
    pub(in crate::engine) fn check_system_operations(
        &mut self,
        key: RunKey,
        commands: &[Command],
    ) -> Result<(), Fault> {
        for command in commands {
            if let Some(Attributes::ScheduleNexusOperationCommandAttributes(operation)) = &command.attributes
                && operation.endpoint == SYSTEM_ENDPOINT
            {
                self.check_system_operation(key, operation)?;
            }
        }
        Ok(())
    }

    fn check_system_operation(
        &mut self,
        key: RunKey,
        command: &ScheduleNexusOperationCommandAttributes,
    ) -> Result<(), Fault> {
        let fault = |message| Fault::task(Cause::BadScheduleNexusOperationAttributes, message);
        if !command.nexus_header.is_empty() {
            return Err(fault(format!(
                "ScheduleNexusOperationCommandAttributes.NexusHeader must be empty when using {SYSTEM_ENDPOINT} endpoint"
            )));
        }
        let request_id = self.ids.uuid().to_string();
        let request =
            self.system_request(key, &command.service, &command.operation, command.input.as_ref(), &request_id);
        let checked = request.and_then(|request| self.check_signal_with_start_request(request).map_err(Unfit::Call));
        checked.map_err(|unfit| match unfit {
            Unfit::Handler(_, message) | Unfit::Call(Refusal { message, .. }) => fault(message),
        })
    }

    /// Carries out an operation of the system.
    pub(super) fn ask_system(&mut self, owner: Owner, operation: &OperationState) {
        let Owner::Run(key, _) = owner else { return };
        let OperationState { service, operation, input, request_id, .. } = operation;
        let link = self.caller_link(owner);
        let answered =
            self.system_request(key, service, operation, input.as_ref(), request_id).and_then(|mut request| {
                request.links.extend(link);
                self.signal_with_start_now(request).map_err(Unfit::Call)
            });
        let answer = match answered {
            Ok(response) => {
                let links = response.signal_link.iter().cloned().collect();
                // What the real server tells of the call.
                let response =
                    SignalWithStartWorkflowExecutionResponse { first_execution_run_id: String::new(), ..response };
                StartAnswer::Completed { result: Some(payload(&response)), links }
            }
            Err(Unfit::Handler(kind, message)) => StartAnswer::Failed(failures::of_handler(kind, &message)),
            Err(Unfit::Call(refusal)) => refused(&refusal),
        };
        self.start_answered(owner, answer);
    }

    /// The call that an operation of a run is, completed with what only the server may say.
    fn system_request(
        &self,
        key: RunKey,
        service: &str,
        operation: &str,
        input: Option<&Payload>,
        request_id: &str,
    ) -> Result<SignalWithStartWorkflowExecutionRequest, Unfit> {
        if service != SERVICE {
            return Err(Unfit::Handler("NOT_FOUND", format!("service {service:?} not found")));
        }
        if operation != SIGNAL_WITH_START {
            return Err(Unfit::Handler("NOT_FOUND", format!("operation {operation:?} not found")));
        }
        let mut request = decoded(input)
            .map_err(|issue| Unfit::Handler("BAD_REQUEST", format!("failed to decode input payload: {issue}")))?;
        let run = self.runs.get(key).and_then(|run| self.namespaces.get(run.namespace()));
        let namespace = run.map(|namespace| namespace.info.name.clone()).unwrap_or_default();
        let invalid = |message: String| Err(Unfit::Call(Refusal::invalid(message)));
        if !request.namespace.is_empty() && request.namespace != namespace {
            return invalid(format!(
                "Namespace in request {:?} does not match namespace in context {namespace:?}",
                request.namespace
            ));
        }
        if !request.request_id.is_empty() {
            return invalid("RequestID should not be set on the request".to_owned());
        }
        if !request.links.is_empty() {
            return invalid("Links should not be set on the request".to_owned());
        }
        request.namespace = namespace;
        request_id.clone_into(&mut request.request_id);
        Ok(request)
    }
}

fn decoded(input: Option<&Payload>) -> Result<SignalWithStartWorkflowExecutionRequest, String> {
    let input = input.ok_or("there is none")?;
    match input.metadata.get("encoding").map(AsRef::as_ref) {
        Some(b"binary/protobuf") => {
            SignalWithStartWorkflowExecutionRequest::decode(input.data.clone()).map_err(|error| error.to_string())
        }
        encoding => {
            let encoding = String::from_utf8_lossy(encoding.unwrap_or_default());
            Err(format!("its encoding is {encoding:?}, and not \"binary/protobuf\""))
        }
    }
}

fn payload(message: &SignalWithStartWorkflowExecutionResponse) -> Payload {
    let metadata = [("encoding".to_owned(), "binary/protobuf".into()), ("messageType".to_owned(), RESPONSE.into())];
    Payload { metadata: metadata.into(), data: message.encode_to_vec().into(), ..Default::default() }
}

/// A call that was refused, as its workflow is told, unless another attempt may help.
fn refused(refusal: &Refusal) -> StartAnswer {
    let (kind, retryable) = match refusal.code {
        Code::ResourceExhausted => ("ResourceExhausted", true),
        Code::Unavailable => ("Unavailable", true),
        Code::InvalidArgument => ("InvalidArgument", false),
        Code::NotFound => ("NotFound", false),
        Code::AlreadyExists => ("WorkflowExecutionAlreadyStarted", false),
        Code::FailedPrecondition => ("FailedPrecondition", false),
        Code::PermissionDenied => ("PermissionDenied", false),
        _ => ("Internal", false),
    };
    let failure = Failure {
        message: format!("{kind}: {}", refusal.message),
        failure_info: Some(FailureInfo::ServerFailureInfo(ServerFailureInfo { non_retryable: !retryable })),
        ..Default::default()
    };
    if retryable { StartAnswer::Retry(failure) } else { StartAnswer::Failed(failure) }
}
