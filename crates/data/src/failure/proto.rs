//! Failures and the messages of the wire. Both ways are total, and go level by level, not by recursion.

use stead_proto::common::v1::{ActivityType, Payload, Payloads, WorkflowExecution, WorkflowType};
use stead_proto::failure::v1 as wire;
use stead_proto::failure::v1::failure::FailureInfo;

use crate::time::{duration_from_proto, duration_to_proto};

use super::converter::Attributes;
use super::{
    ActivityFailure, ApplicationFailure, ChildWorkflowFailure, Failure, FailureCategory, FailureKind, MAX_DEPTH,
    NexusHandlerFailure, NexusOperationFailure, NexusRetryBehavior, Origin, RetryState, TimeoutKind, chain,
};

impl Failure {
    /// Reads the wire's form. Causes beyond what the wire itself allows are dropped, and the innermost that is kept
    /// says so.
    #[must_use]
    pub fn from_proto(failure: wire::Failure) -> Self {
        let (mut levels, mut next) = (Vec::new(), Some(Box::new(failure)));
        while let Some(mut failure) = next {
            next = failure.cause.take();
            levels.push(*failure);
        }
        let were_more = levels.len() > MAX_DEPTH;
        let levels = levels.into_iter().take(MAX_DEPTH).map(level_from_proto).collect();
        chain(levels, were_more).unwrap_or_else(|| Self::new("", FailureKind::Other))
    }

    /// The wire's form.
    #[must_use]
    pub fn into_proto(self) -> wire::Failure {
        let (mut levels, mut next) = (Vec::new(), Some(Box::new(self)));
        while let Some(mut failure) = next {
            next = failure.cause.take();
            levels.push(level_into_proto(*failure));
        }
        let outwards = levels.into_iter().rev();
        outwards.reduce(|cause, failure| wire::Failure { cause: Some(Box::new(cause)), ..failure }).unwrap_or_default()
    }
}

impl From<wire::Failure> for Failure {
    fn from(failure: wire::Failure) -> Self {
        Self::from_proto(failure)
    }
}

impl From<Failure> for wire::Failure {
    fn from(failure: Failure) -> Self {
        failure.into_proto()
    }
}

/// One level, without its cause.
fn level_from_proto(failure: wire::Failure) -> Failure {
    let wire::Failure { message, source, stack_trace, encoded_attributes, cause: _, failure_info } = failure;
    let has_origin = !source.is_empty() || encoded_attributes.is_some();
    let restored = encoded_attributes.as_ref().and_then(Attributes::read);
    let (message, stack_trace, placeholders) = match restored {
        Some(restored) => (restored.message, restored.stack_trace, Some((message, stack_trace))),
        None => (message, stack_trace, None),
    };
    Failure {
        message,
        stack_trace,
        kind: failure_info.map_or(FailureKind::Other, kind_from_proto),
        cause: None,
        origin: has_origin.then(|| Box::new(Origin { sdk: source, encoded_attributes, placeholders })),
    }
}

fn level_into_proto(failure: Failure) -> wire::Failure {
    let Failure { message, stack_trace, kind, cause: _, origin } = failure;
    let Origin { sdk, encoded_attributes, placeholders } = origin.map(|origin| *origin).unwrap_or_default();
    let (message, stack_trace, encoded_attributes) = match placeholders {
        Some((shown, shown_trace)) => {
            let attributes = Attributes { message, stack_trace };
            (shown, shown_trace, as_it_came_or_anew(encoded_attributes, &attributes))
        }
        None => (message, stack_trace, encoded_attributes),
    };
    wire::Failure {
        message,
        source: sdk,
        stack_trace,
        encoded_attributes,
        cause: None,
        failure_info: kind_into_proto(kind),
    }
}

/// The payload that the attributes were read from, unless somebody has changed them since.
fn as_it_came_or_anew(payload: Option<Payload>, attributes: &Attributes) -> Option<Payload> {
    if payload.as_ref().and_then(Attributes::read).as_ref() == Some(attributes) {
        return payload;
    }
    // Two texts can always be written.
    attributes.write().ok().or(payload)
}

fn kind_from_proto(info: FailureInfo) -> FailureKind {
    match info {
        FailureInfo::ApplicationFailureInfo(info) => FailureKind::Application(Box::new(ApplicationFailure {
            type_name: info.r#type,
            non_retryable: info.non_retryable,
            details: list(info.details),
            next_retry_delay: info.next_retry_delay.as_ref().map(duration_from_proto),
            category: FailureCategory::from_wire(info.category),
        })),
        FailureInfo::TimeoutFailureInfo(info) => FailureKind::Timeout {
            kind: TimeoutKind::from_wire(info.timeout_type),
            last_heartbeat_details: list(info.last_heartbeat_details),
        },
        FailureInfo::CanceledFailureInfo(info) => {
            FailureKind::Cancelled { details: list(info.details), identity: info.identity }
        }
        FailureInfo::TerminatedFailureInfo(info) => FailureKind::Terminated { identity: info.identity },
        FailureInfo::ServerFailureInfo(info) => FailureKind::Server { non_retryable: info.non_retryable },
        FailureInfo::ResetWorkflowFailureInfo(info) => {
            FailureKind::ResetWorkflow { last_heartbeat_details: list(info.last_heartbeat_details) }
        }
        FailureInfo::ActivityFailureInfo(info) => FailureKind::Activity(Box::new(ActivityFailure {
            activity_type: info.activity_type.unwrap_or_default().name,
            activity_id: info.activity_id,
            identity: info.identity,
            scheduled_event_id: info.scheduled_event_id,
            started_event_id: info.started_event_id,
            retry_state: RetryState::from_wire(info.retry_state),
        })),
        FailureInfo::ChildWorkflowExecutionFailureInfo(info) => child_from_proto(info),
        FailureInfo::NexusOperationExecutionFailureInfo(info) => nexus_operation_from_proto(info),
        FailureInfo::NexusHandlerFailureInfo(info) => FailureKind::NexusHandler(Box::new(NexusHandlerFailure {
            type_name: info.r#type,
            retry_behavior: NexusRetryBehavior::from_wire(info.retry_behavior),
        })),
    }
}

fn kind_into_proto(kind: FailureKind) -> Option<FailureInfo> {
    Some(match kind {
        FailureKind::Other => return None,
        FailureKind::Application(failure) => FailureInfo::ApplicationFailureInfo(wire::ApplicationFailureInfo {
            r#type: failure.type_name,
            non_retryable: failure.non_retryable,
            details: payloads(failure.details),
            next_retry_delay: failure.next_retry_delay.map(duration_to_proto),
            category: failure.category.into_wire(),
        }),
        FailureKind::Timeout { kind, last_heartbeat_details } => {
            FailureInfo::TimeoutFailureInfo(wire::TimeoutFailureInfo {
                timeout_type: kind.into_wire(),
                last_heartbeat_details: payloads(last_heartbeat_details),
            })
        }
        FailureKind::Cancelled { details, identity } => {
            FailureInfo::CanceledFailureInfo(wire::CanceledFailureInfo { details: payloads(details), identity })
        }
        FailureKind::Terminated { identity } => {
            FailureInfo::TerminatedFailureInfo(wire::TerminatedFailureInfo { identity })
        }
        FailureKind::Server { non_retryable } => {
            FailureInfo::ServerFailureInfo(wire::ServerFailureInfo { non_retryable })
        }
        FailureKind::ResetWorkflow { last_heartbeat_details } => {
            FailureInfo::ResetWorkflowFailureInfo(wire::ResetWorkflowFailureInfo {
                last_heartbeat_details: payloads(last_heartbeat_details),
            })
        }
        FailureKind::Activity(failure) => FailureInfo::ActivityFailureInfo(wire::ActivityFailureInfo {
            scheduled_event_id: failure.scheduled_event_id,
            started_event_id: failure.started_event_id,
            identity: failure.identity,
            activity_type: named(failure.activity_type, |name| ActivityType { name }),
            activity_id: failure.activity_id,
            retry_state: failure.retry_state.into_wire(),
        }),
        FailureKind::ChildWorkflow(failure) => child_into_proto(*failure),
        FailureKind::NexusOperation(failure) => nexus_operation_into_proto(*failure),
        FailureKind::NexusHandler(failure) => FailureInfo::NexusHandlerFailureInfo(wire::NexusHandlerFailureInfo {
            r#type: failure.type_name,
            retry_behavior: failure.retry_behavior.into_wire(),
        }),
    })
}

fn child_from_proto(info: wire::ChildWorkflowExecutionFailureInfo) -> FailureKind {
    let WorkflowExecution { workflow_id, run_id } = info.workflow_execution.unwrap_or_default();
    FailureKind::ChildWorkflow(Box::new(ChildWorkflowFailure {
        namespace: info.namespace,
        workflow_id,
        run_id,
        workflow_type: info.workflow_type.unwrap_or_default().name,
        initiated_event_id: info.initiated_event_id,
        started_event_id: info.started_event_id,
        retry_state: RetryState::from_wire(info.retry_state),
    }))
}

fn child_into_proto(failure: ChildWorkflowFailure) -> FailureInfo {
    let execution = WorkflowExecution { workflow_id: failure.workflow_id, run_id: failure.run_id };
    FailureInfo::ChildWorkflowExecutionFailureInfo(wire::ChildWorkflowExecutionFailureInfo {
        namespace: failure.namespace,
        workflow_execution: Some(execution).filter(|execution| *execution != WorkflowExecution::default()),
        workflow_type: named(failure.workflow_type, |name| WorkflowType { name }),
        initiated_event_id: failure.initiated_event_id,
        started_event_id: failure.started_event_id,
        retry_state: failure.retry_state.into_wire(),
    })
}

#[expect(deprecated, reason = "older servers send the operation id, and it is passed on")]
fn nexus_operation_from_proto(info: wire::NexusOperationFailureInfo) -> FailureKind {
    FailureKind::NexusOperation(Box::new(NexusOperationFailure {
        endpoint: info.endpoint,
        service: info.service,
        operation: info.operation,
        operation_id: info.operation_id,
        operation_token: info.operation_token,
        scheduled_event_id: info.scheduled_event_id,
    }))
}

#[expect(deprecated, reason = "older servers send the operation id, and it is passed on")]
fn nexus_operation_into_proto(failure: NexusOperationFailure) -> FailureInfo {
    FailureInfo::NexusOperationExecutionFailureInfo(wire::NexusOperationFailureInfo {
        scheduled_event_id: failure.scheduled_event_id,
        endpoint: failure.endpoint,
        service: failure.service,
        operation: failure.operation,
        operation_id: failure.operation_id,
        operation_token: failure.operation_token,
    })
}

fn list(payloads: Option<Payloads>) -> Vec<Payload> {
    payloads.map(|payloads| payloads.payloads).unwrap_or_default()
}

fn payloads(list: Vec<Payload>) -> Option<Payloads> {
    (!list.is_empty()).then_some(Payloads { payloads: list })
}

/// A message that holds a name, absent if the name is empty.
fn named<T>(name: String, message: impl FnOnce(String) -> T) -> Option<T> {
    (!name.is_empty()).then(|| message(name))
}
