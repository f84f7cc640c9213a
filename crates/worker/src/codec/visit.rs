//! Where the payloads of a message are.
//!
//! Visited is what users wrote. Not visited are headers, which belong to interceptors that may encode them as they like,
//! search attributes, which the server has to read, and what the SDK itself keeps in markers.

use std::collections::BTreeMap;

use stead_data::Payload;
use stead_proto::common::v1::{Memo, Payloads};
use stead_proto::failure::v1::Failure;
use stead_proto::failure::v1::failure::FailureInfo;
use stead_proto::history::v1::History;
use stead_proto::protocol::v1::Message;
use stead_proto::query::v1::{WorkflowQuery, WorkflowQueryResult};
use stead_proto::sdk::v1::UserMetadata;
use stead_proto::update::v1::{Acceptance, Outcome, Rejection, Request, Response, outcome};
use stead_proto::workflowservice::v1::{
    PollActivityTaskQueueResponse, PollWorkflowTaskQueueResponse, RespondQueryTaskCompletedRequest,
    RespondWorkflowTaskCompletedRequest,
};

/// Takes each payload in turn. Two visits of the same message see the same payloads in the same order.
pub(super) type Visitor<'a> = dyn FnMut(&mut Payload) + 'a;

/// A message with payloads in it.
pub(super) trait VisitPayloads {
    fn visit(&mut self, visitor: &mut Visitor<'_>);
}

impl VisitPayloads for Payload {
    fn visit(&mut self, visitor: &mut Visitor<'_>) {
        visitor(self);
    }
}

impl<T: VisitPayloads> VisitPayloads for Option<T> {
    fn visit(&mut self, visitor: &mut Visitor<'_>) {
        self.iter_mut().for_each(|it| it.visit(visitor));
    }
}

impl<T: VisitPayloads> VisitPayloads for Vec<T> {
    fn visit(&mut self, visitor: &mut Visitor<'_>) {
        self.iter_mut().for_each(|it| it.visit(visitor));
    }
}

impl<T: VisitPayloads> VisitPayloads for BTreeMap<String, T> {
    fn visit(&mut self, visitor: &mut Visitor<'_>) {
        self.values_mut().for_each(|it| it.visit(visitor));
    }
}

impl VisitPayloads for Payloads {
    fn visit(&mut self, visitor: &mut Visitor<'_>) {
        self.payloads.visit(visitor);
    }
}

impl VisitPayloads for Memo {
    fn visit(&mut self, visitor: &mut Visitor<'_>) {
        self.fields.visit(visitor);
    }
}

impl VisitPayloads for UserMetadata {
    fn visit(&mut self, visitor: &mut Visitor<'_>) {
        self.summary.visit(visitor);
        self.details.visit(visitor);
    }
}

impl VisitPayloads for Failure {
    fn visit(&mut self, visitor: &mut Visitor<'_>) {
        let mut next = Some(self);
        while let Some(failure) = next {
            failure.encoded_attributes.visit(visitor);
            failure.failure_info.visit(visitor);
            next = failure.cause.as_deref_mut();
        }
    }
}

impl VisitPayloads for FailureInfo {
    fn visit(&mut self, visitor: &mut Visitor<'_>) {
        match self {
            Self::ApplicationFailureInfo(it) => it.details.visit(visitor),
            Self::TimeoutFailureInfo(it) => it.last_heartbeat_details.visit(visitor),
            Self::CanceledFailureInfo(it) => it.details.visit(visitor),
            Self::ResetWorkflowFailureInfo(it) => it.last_heartbeat_details.visit(visitor),
            Self::TerminatedFailureInfo(_)
            | Self::ServerFailureInfo(_)
            | Self::ActivityFailureInfo(_)
            | Self::ChildWorkflowExecutionFailureInfo(_)
            | Self::NexusOperationExecutionFailureInfo(_)
            | Self::NexusHandlerFailureInfo(_) => {}
        }
    }
}

impl VisitPayloads for History {
    fn visit(&mut self, visitor: &mut Visitor<'_>) {
        self.events.visit(visitor);
    }
}

impl VisitPayloads for WorkflowQuery {
    fn visit(&mut self, visitor: &mut Visitor<'_>) {
        self.query_args.visit(visitor);
    }
}

impl VisitPayloads for WorkflowQueryResult {
    fn visit(&mut self, visitor: &mut Visitor<'_>) {
        self.answer.visit(visitor);
        self.failure.visit(visitor);
    }
}

impl VisitPayloads for Request {
    fn visit(&mut self, visitor: &mut Visitor<'_>) {
        self.input.iter_mut().for_each(|input| input.args.visit(visitor));
    }
}

impl VisitPayloads for Acceptance {
    fn visit(&mut self, visitor: &mut Visitor<'_>) {
        self.accepted_request.visit(visitor);
    }
}

impl VisitPayloads for Rejection {
    fn visit(&mut self, visitor: &mut Visitor<'_>) {
        self.rejected_request.visit(visitor);
        self.failure.visit(visitor);
    }
}

impl VisitPayloads for Response {
    fn visit(&mut self, visitor: &mut Visitor<'_>) {
        self.outcome.visit(visitor);
    }
}

impl VisitPayloads for Outcome {
    fn visit(&mut self, visitor: &mut Visitor<'_>) {
        match &mut self.value {
            Some(outcome::Value::Success(payloads)) => payloads.visit(visitor),
            Some(outcome::Value::Failure(failure)) => failure.visit(visitor),
            None => {}
        }
    }
}

impl VisitPayloads for Message {
    fn visit(&mut self, visitor: &mut Visitor<'_>) {
        if let Some(body) = &mut self.body {
            let _known = visit_body::<Request>(body, visitor)
                || visit_body::<Response>(body, visitor)
                || visit_body::<Acceptance>(body, visitor)
                || visit_body::<Rejection>(body, visitor);
        }
    }
}

/// Visits the message in `body` if it is an `M`.
fn visit_body<M>(body: &mut prost_types::Any, visitor: &mut Visitor<'_>) -> bool
where
    M: VisitPayloads + prost::Message + prost::Name + Default,
{
    let Ok(mut message) = body.to_msg::<M>() else { return false };
    message.visit(visitor);
    body.value = message.encode_to_vec();
    true
}

/// Of a marker of this SDK family only what the user's code returned or was given is the user's; other SDKs read the
/// rest as it is. Markers of anybody else are the user's as a whole.
pub(super) fn visit_marker(
    name: &str,
    details: &mut BTreeMap<String, Payloads>,
    failure: &mut Option<Failure>,
    visitor: &mut Visitor<'_>,
) {
    let own = name.starts_with("core_");
    for (key, payloads) in details {
        if !own || matches!(key.as_str(), "result" | "input") {
            payloads.visit(visitor);
        }
    }
    failure.visit(visitor);
}

impl VisitPayloads for PollWorkflowTaskQueueResponse {
    fn visit(&mut self, visitor: &mut Visitor<'_>) {
        self.history.visit(visitor);
        self.query.visit(visitor);
        self.queries.visit(visitor);
        self.messages.visit(visitor);
    }
}

impl VisitPayloads for PollActivityTaskQueueResponse {
    fn visit(&mut self, visitor: &mut Visitor<'_>) {
        self.input.visit(visitor);
        self.heartbeat_details.visit(visitor);
    }
}

impl VisitPayloads for RespondWorkflowTaskCompletedRequest {
    fn visit(&mut self, visitor: &mut Visitor<'_>) {
        self.commands.visit(visitor);
        self.query_results.visit(visitor);
        self.messages.visit(visitor);
    }
}

impl VisitPayloads for RespondQueryTaskCompletedRequest {
    fn visit(&mut self, visitor: &mut Visitor<'_>) {
        self.query_result.visit(visitor);
        self.failure.visit(visitor);
    }
}
