//! Telling the server how an attempt ended.

use stead_activity::Info;
use stead_client::{CallOptions, RpcError};
use stead_data::{Failure, FailureCategory, Payload};
use stead_proto::common::v1::Payloads;
use stead_proto::workflowservice::v1::{
    RespondActivityTaskCanceledRequest, RespondActivityTaskCompletedRequest, RespondActivityTaskFailedRequest,
};

use super::outcome::Outcome;
use crate::codec;
use crate::shared::Shared;

/// Reports. If that fails for good the server's own timeout ends the attempt.
pub(super) async fn report(shared: &Shared, info: &Info, outcome: Outcome) {
    let (activity_type, activity_id, attempt) = (&info.activity_type, &info.activity_id, info.attempt);
    let (sent, how) = match outcome {
        Outcome::Completed(result) => (completed(shared, info, result).await, "completed"),
        Outcome::Failed { failure, unsent_heartbeat } => {
            (failed(shared, info, *failure, unsent_heartbeat).await, "failed")
        }
        Outcome::Cancelled(details) => (cancelled(shared, info, details).await, "cancelled"),
        Outcome::CompleteAsync => (Ok(()), "left to somebody else to complete"),
        Outcome::Lost => (Ok(()), "lost: the server has given it up"),
    };
    match sent {
        Ok(()) => {
            tracing::debug!(target: "stead::worker", activity_type, activity_id, attempt, how, "activity ended");
        }
        Err(error) if error.is_not_found() => tracing::debug!(
            target: "stead::worker",
            activity_type, activity_id, attempt, how, %error, "activity ended too late to be reported"
        ),
        Err(error) => tracing::warn!(
            target: "stead::worker",
            activity_type, activity_id, attempt, how, %error, "activity ended and the server was not told"
        ),
    }
}

async fn completed(shared: &Shared, info: &Info, result: Payload) -> Result<(), RpcError> {
    let payloads = match shared.codec.encode(shared.codec.activity(info), vec![result]).await {
        Ok(payloads) => payloads,
        Err(error) => return failed(shared, info, codec::failure(&error), None).await,
    };
    let request = RespondActivityTaskCompletedRequest {
        task_token: info.task_token.clone(),
        result: Some(Payloads { payloads }),
        identity: shared.identity.clone(),
        namespace: shared.namespace.clone(),
        deployment_options: shared.deployment_options(),
        ..Default::default()
    };
    match shared.service().respond_activity_task_completed(request, shared.call_options()).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_request_too_large() || error.payload_too_large().is_some() => {
            let failure = Failure::application(error.to_string()).type_name("PayloadTooLarge");
            failed(shared, info, failure, None).await
        }
        Err(error) => Err(error),
    }
}

async fn failed(
    shared: &Shared,
    info: &Info,
    failure: Failure,
    unsent_heartbeat: Option<Vec<Payload>>,
) -> Result<(), RpcError> {
    log_failure(info, &failure);
    let last_heartbeat_details = match unsent_heartbeat {
        Some(details) => {
            shared.codec.encode(shared.codec.activity(info), details).await.ok().map(|payloads| Payloads { payloads })
        }
        None => None,
    };
    let request = RespondActivityTaskFailedRequest {
        task_token: info.task_token.clone(),
        failure: Some(shared.codec.encode_failure_or_say_why(shared.codec.activity(info), failure.into_proto()).await),
        identity: shared.identity.clone(),
        namespace: shared.namespace.clone(),
        deployment_options: shared.deployment_options(),
        last_heartbeat_details,
        ..Default::default()
    };
    shared.service().respond_activity_task_failed(request, CallOptions::new()).await.map(drop)
}

async fn cancelled(shared: &Shared, info: &Info, details: Vec<Payload>) -> Result<(), RpcError> {
    let payloads = match shared.codec.encode(shared.codec.activity(info), details).await {
        Ok(payloads) => payloads,
        Err(error) => return failed(shared, info, codec::failure(&error), None).await,
    };
    let request = RespondActivityTaskCanceledRequest {
        task_token: info.task_token.clone(),
        details: Some(Payloads { payloads }),
        identity: shared.identity.clone(),
        namespace: shared.namespace.clone(),
        deployment_options: shared.deployment_options(),
        ..Default::default()
    };
    shared.service().respond_activity_task_canceled(request, CallOptions::new()).await.map(drop)
}

/// A failure that its author calls benign is no news.
fn log_failure(info: &Info, failure: &Failure) {
    let (activity_type, activity_id, attempt) = (&info.activity_type, &info.activity_id, info.attempt);
    let failure_text = &failure.message;
    match is_benign(failure) {
        true => {
            tracing::debug!(
                target: "stead::worker",
                activity_type, activity_id, attempt, failure = failure_text, temporal_error_identifier = "ActivityFailure",
                "completing activity as failed"
            );
        }
        false => tracing::warn!(
            target: "stead::worker",
            activity_type, activity_id, attempt, failure = failure_text, temporal_error_identifier = "ActivityFailure",
            "completing activity as failed"
        ),
    }
}

pub(super) fn is_benign(failure: &Failure) -> bool {
    failure.as_application().is_some_and(|application| application.category == FailureCategory::Benign)
}
