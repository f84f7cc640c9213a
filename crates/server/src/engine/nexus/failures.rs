//! Failures of operations: what handlers send, whether another attempt may help, and what owners are told.

use std::collections::BTreeMap;

use stead_proto::common::v1::{Payload, Payloads};
use stead_proto::enums::v1::{NexusHandlerErrorRetryBehavior as RetryBehavior, TimeoutType};
use stead_proto::failure::v1::failure::FailureInfo;
use stead_proto::failure::v1::{
    ApplicationFailureInfo, CanceledFailureInfo, Failure, NexusHandlerFailureInfo, NexusOperationFailureInfo,
    TimeoutFailureInfo,
};
use stead_proto::nexus::v1 as nexus;

use super::operation::OperationState;

/// A failure of a handler, which the server itself saw.
pub(crate) fn of_handler(kind: &str, message: &str) -> Failure {
    let info = NexusHandlerFailureInfo { r#type: kind.to_owned(), ..Default::default() };
    Failure {
        message: message.to_owned(),
        failure_info: Some(FailureInfo::NexusHandlerFailureInfo(info)),
        ..Default::default()
    }
}

/// A failure of a handler as its callers see it: where it comes from, they do not learn.
pub(crate) fn seen_by_caller(failure: Failure) -> Failure {
    Failure { source: String::new(), ..failure }
}

/// Whether another attempt may help, by what the handler says, or else by the kind of its error.
pub(crate) fn is_retryable(failure: &Failure) -> bool {
    let Some(FailureInfo::NexusHandlerFailureInfo(info)) = &failure.failure_info else { return true };
    match info.retry_behavior() {
        RetryBehavior::Retryable => true,
        RetryBehavior::NonRetryable => false,
        RetryBehavior::Unspecified => !FINAL.contains(&info.r#type.as_str()),
    }
}

/// An error in the form that older SDKs send.
pub(crate) fn from_handler_error(error: nexus::HandlerError) -> Failure {
    let info = NexusHandlerFailureInfo { r#type: error.error_type.clone(), retry_behavior: error.retry_behavior };
    Failure {
        failure_info: Some(FailureInfo::NexusHandlerFailureInfo(info)),
        cause: error.failure.map(|failure| Box::new(from_nexus(failure))),
        ..Default::default()
    }
}

/// A failure in the form that older SDKs send: what Temporal has no field for is kept as a detail.
pub(crate) fn from_nexus(failure: nexus::Failure) -> Failure {
    let nexus::Failure { message, stack_trace, metadata, details, cause } = failure;
    let plain = metadata.is_empty() && details.is_empty();
    let info = ApplicationFailureInfo {
        r#type: "NexusFailure".to_owned(),
        details: Some(Payloads { payloads: vec![rest(&metadata, &details)] }),
        ..Default::default()
    };
    Failure {
        message,
        stack_trace,
        failure_info: (!plain).then_some(FailureInfo::ApplicationFailureInfo(info)),
        cause: cause.map(|cause| Box::new(from_nexus(*cause))),
        ..Default::default()
    }
}

fn rest(metadata: &BTreeMap<String, String>, details: &[u8]) -> Payload {
    let mut fields = Vec::new();
    if !metadata.is_empty() {
        fields.push(format!("\"metadata\":{}", serde_json::json!(metadata)));
    }
    if let Ok(details) = std::str::from_utf8(details)
        && !details.is_empty()
    {
        fields.push(format!("\"details\":{details}"));
    }
    Payload {
        metadata: [("encoding".to_owned(), "json/plain".into())].into(),
        data: format!("{{{}}}", fields.join(",")).into(),
        ..Default::default()
    }
}

/// Whether details of a failure can be kept: they are JSON, or there are none.
pub(crate) fn has_valid_details(failure: Option<&nexus::Failure>) -> bool {
    failure.is_none_or(|failure| {
        failure.details.is_empty() || serde_json::from_slice::<serde_json::Value>(&failure.details).is_ok()
    })
}

/// A cancellation, whatever the handler has sent as one.
pub(crate) fn canceled(failure: Failure) -> Failure {
    match failure.failure_info {
        Some(FailureInfo::CanceledFailureInfo(_)) => failure,
        _ => Failure {
            message: failure.message,
            stack_trace: failure.stack_trace,
            failure_info: Some(FailureInfo::CanceledFailureInfo(CanceledFailureInfo::default())),
            cause: failure.cause,
            ..Default::default()
        },
    }
}

pub(crate) fn is_of_handler(failure: &Failure) -> bool {
    matches!(failure.failure_info, Some(FailureInfo::NexusHandlerFailureInfo(_)))
}

pub(crate) fn is_canceled(failure: &Failure) -> bool {
    matches!(failure.failure_info, Some(FailureInfo::CanceledFailureInfo(_)))
}

/// Why a handler was not asked once more.
pub(crate) fn no_time_to_ask(timeout: TimeoutType) -> Failure {
    let name = match timeout {
        TimeoutType::ScheduleToStart => "ScheduleToStart",
        TimeoutType::StartToClose => "StartToClose",
        _ => "ScheduleToClose",
    };
    call_error(format!("not enough time to execute another request before {name} timeout"))
}

/// The answer of a handler that cannot be used.
pub(crate) fn call_error(message: String) -> Failure {
    let info = ApplicationFailureInfo { r#type: "CallError".to_owned(), non_retryable: true, ..Default::default() };
    Failure { message, failure_info: Some(FailureInfo::ApplicationFailureInfo(info)), ..Default::default() }
}

pub(crate) fn timed_out(timeout: TimeoutType) -> Failure {
    let info = TimeoutFailureInfo { timeout_type: timeout.into(), ..Default::default() };
    Failure {
        message: "operation timed out".to_owned(),
        failure_info: Some(FailureInfo::TimeoutFailureInfo(info)),
        ..Default::default()
    }
}

/// The end of a workflow's operation, as its workflow is told.
pub(crate) fn of_operation(operation: &OperationState, scheduled_event_id: i64, cause: Failure) -> Failure {
    let info = NexusOperationFailureInfo {
        scheduled_event_id,
        endpoint: operation.endpoint.clone(),
        service: operation.service.clone(),
        operation: operation.operation.clone(),
        operation_id: operation.token().to_owned(),
        operation_token: operation.token().to_owned(),
    };
    Failure {
        message: "nexus operation completed unsuccessfully".to_owned(),
        failure_info: Some(FailureInfo::NexusOperationExecutionFailureInfo(info)),
        cause: Some(Box::new(cause)),
        ..Default::default()
    }
}

/// Kinds of errors of handlers that stay, however often one asks.
const FINAL: [&str; 6] = ["BAD_REQUEST", "UNAUTHENTICATED", "UNAUTHORIZED", "NOT_FOUND", "CONFLICT", "NOT_IMPLEMENTED"];
