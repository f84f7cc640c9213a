//! Telling the server what a handler has answered.

use bytes::Bytes;
use stead_client::{CallOptions, RpcError};
use stead_data::nexus::Link;
use stead_data::{Failure, Payload};
use stead_nexus::{HandlerErrorKind, Info, Response};
use stead_proto::failure::v1::Failure as ProtoFailure;
use stead_proto::failure::v1::failure::FailureInfo;
use stead_proto::nexus::v1::start_operation_response::{Async, Sync, Variant as Start};
use stead_proto::nexus::v1::{self as wire, CancelOperationResponse, StartOperationResponse, response};
use stead_proto::workflowservice::v1::{RespondNexusTaskCompletedRequest, RespondNexusTaskFailedRequest};

use super::error::{self, Reported};
use super::{Answer, Refused};
use crate::codec;
use crate::metrics::NexusTimer;
use crate::shared::Shared;

/// The reply to one request.
pub(super) struct Reply<'a> {
    pub(super) shared: &'a Shared,
    pub(super) token: Bytes,
    pub(super) info: &'a Info,
    /// What the operation is linked with.
    pub(super) links: Vec<Link>,
    pub(super) speaks_failures: bool,
}

impl Reply<'_> {
    /// If that fails for good the server asks again when its own timeout has passed.
    pub(super) async fn send(mut self, outcome: Result<Answer, Refused>, timer: &NexusTimer) {
        let (sent, how) = match outcome {
            Ok(Answer::Cancel) => {
                (self.completed(response::Variant::CancelOperation(CancelOperationResponse {})).await, "cancelled")
            }
            Ok(Answer::Start(Response::Done(result))) => (self.done(result, timer).await, "completed"),
            Ok(Answer::Start(Response::Started(started))) => (self.started(started.into_token()).await, "started"),
            Err(Refused::TimedOut) => {
                timer.failed(&self.shared.metrics, "timeout");
                (Ok(()), "answered too late")
            }
            Err(Refused::Error(error)) => (self.reported(error::reported(error), timer).await, "failed"),
        };
        timer.ended(&self.shared.metrics);
        let Info { service, operation, .. } = self.info;
        match sent {
            Ok(()) => tracing::debug!(target: "stead::worker", service, operation, how, "Nexus request ended"),
            Err(error) if error.is_not_found() => tracing::debug!(
                target: "stead::worker", service, operation, how, %error, "Nexus request ended too late to be answered"
            ),
            Err(error) => tracing::warn!(
                target: "stead::worker", service, operation, how, %error, "Nexus request ended and the server was not told"
            ),
        }
    }

    async fn done(&mut self, result: Payload, timer: &NexusTimer) -> Result<(), RpcError> {
        let encoded = self.shared.codec.encode(self.shared.codec.nexus(self.info), Some(result)).await;
        match encoded {
            Ok(payload) => {
                let links = self.wire_links();
                self.answered(Start::SyncSuccess(Sync { payload, links })).await
            }
            Err(error) => self.failed(codec::failure(&error), timer).await,
        }
    }

    #[expect(deprecated, reason = "older servers read the operation id")]
    async fn started(&mut self, token: String) -> Result<(), RpcError> {
        if token.is_empty() {
            let error = stead_nexus::Error::handler(HandlerErrorKind::Internal, "the token of the operation is empty");
            let failure = error::into_failure(match error::reported(error.retryable(false)) {
                Reported::Handler(error) => error,
                Reported::Operation(failure) => return self.ended(failure).await,
            });
            return self.refused(failure).await;
        }
        let links = self.wire_links();
        self.answered(Start::AsyncSuccess(Async { operation_id: token.clone(), links, operation_token: token })).await
    }

    async fn reported(&self, reported: Reported, timer: &NexusTimer) -> Result<(), RpcError> {
        let metrics = &self.shared.metrics;
        match reported {
            Reported::Operation(failure) => {
                timer.failed(metrics, if failure.is_cancelled() { "operation_canceled" } else { "operation_failed" });
                self.ended(failure).await
            }
            Reported::Handler(error) => {
                timer.failed(metrics, &format!("handler_error_{}", error.kind.name()));
                let failure = error::into_failure(error);
                let Info { service, operation, .. } = self.info;
                let cause = failure.cause.as_ref().map(tracing::field::display);
                tracing::warn!(
                    target: "stead::worker",
                    service, operation, failure = failure.message, cause, "completing Nexus request as failed"
                );
                self.refused(failure).await
            }
        }
    }

    async fn failed(&self, cause: Failure, timer: &NexusTimer) -> Result<(), RpcError> {
        self.reported(error::reported(cause.into()), timer).await
    }

    /// The operation has ended without a result.
    #[expect(deprecated, reason = "older servers read that form alone")]
    async fn ended(&self, failure: Failure) -> Result<(), RpcError> {
        let state = if failure.is_cancelled() { "canceled" } else { "failed" };
        let failure = self.encoded(failure).await;
        self.answered(match self.speaks_failures {
            true => Start::Failure(failure),
            false => Start::OperationError(wire::UnsuccessfulOperationError {
                operation_state: state.to_owned(),
                failure: Some(plain(&failure)),
            }),
        })
        .await
    }

    /// The request failed.
    #[expect(deprecated, reason = "older servers read that form alone")]
    async fn refused(&self, failure: Failure) -> Result<(), RpcError> {
        let failure = self.encoded(failure).await;
        let mut request = RespondNexusTaskFailedRequest {
            namespace: self.shared.namespace.clone(),
            identity: self.shared.identity.clone(),
            task_token: self.token.clone(),
            ..Default::default()
        };
        match self.speaks_failures {
            true => request.failure = Some(failure),
            false => request.error = Some(handler_error(failure)),
        }
        self.shared.service().respond_nexus_task_failed(request, CallOptions::new()).await.map(drop)
    }

    async fn encoded(&self, failure: Failure) -> ProtoFailure {
        let codec = &self.shared.codec;
        codec.encode_failure_or_say_why(codec.nexus(self.info), failure.into_proto()).await
    }

    async fn answered(&self, start: Start) -> Result<(), RpcError> {
        let start = StartOperationResponse { variant: Some(start) };
        self.completed(response::Variant::StartOperation(start)).await
    }

    async fn completed(&self, variant: response::Variant) -> Result<(), RpcError> {
        let request = RespondNexusTaskCompletedRequest {
            namespace: self.shared.namespace.clone(),
            identity: self.shared.identity.clone(),
            task_token: self.token.clone(),
            response: Some(wire::Response { variant: Some(variant) }),
            ..Default::default()
        };
        self.shared.service().respond_nexus_task_completed(request, self.shared.call_options()).await.map(drop)
    }

    fn wire_links(&mut self) -> Vec<wire::Link> {
        let links = std::mem::take(&mut self.links).into_iter();
        links.map(|Link { url, kind, .. }| wire::Link { url, r#type: kind }).collect()
    }
}

/// The form of a handler's error that older servers read.
fn handler_error(mut failure: ProtoFailure) -> wire::HandlerError {
    let (error_type, retry_behavior) = match failure.failure_info.take() {
        Some(FailureInfo::NexusHandlerFailureInfo(info)) => (info.r#type, info.retry_behavior),
        _ => (HandlerErrorKind::Internal.name().to_owned(), 0),
    };
    wire::HandlerError { error_type, failure: Some(plain(&failure)), retry_behavior }
}

/// A failure as the Nexus specification has it: of what Temporal adds, only the text is left.
fn plain(failure: &ProtoFailure) -> wire::Failure {
    wire::Failure {
        message: failure.message.clone(),
        stack_trace: failure.stack_trace.clone(),
        cause: failure.cause.as_deref().map(|cause| Box::new(plain(cause))),
        ..Default::default()
    }
}
