//! What a run wants from the server: completing and failing tasks, answering queries, pages of history.

mod eager;

use std::sync::Arc;

use bytes::Bytes;
use stead_client::{CallOptions, RpcError};
use stead_core::{Completion, CompletionOutcome, FailedTask, HistoryPage, QueryReply};
use stead_data::{CodecError, Failure};
use stead_proto::command::v1::command::Attributes;
use stead_proto::command::v1::{Command, FailWorkflowExecutionCommandAttributes};
use stead_proto::common::v1::{MeteringMetadata, WorkflowExecution};
use stead_proto::enums::v1::{CommandType, QueryResultType, WorkflowTaskFailedCause};
use stead_proto::failure::v1::Failure as ProtoFailure;
use stead_proto::workflowservice::v1::respond_workflow_task_completed_request::Capabilities;
use stead_proto::workflowservice::v1::{
    GetWorkflowExecutionHistoryRequest, PollWorkflowTaskQueueResponse, RespondQueryTaskCompletedRequest,
    RespondWorkflowTaskCompletedRequest, RespondWorkflowTaskCompletedResponse, RespondWorkflowTaskFailedRequest,
};
use tonic::Code;

use crate::codec::{self, Owner};
use crate::deployment;
use crate::driver::{Incoming, TaskId};
use crate::metrics::{RunsEnd, TaskMeasure};
use crate::shared::Shared;
use eager::Reserved;

/// Completes a workflow task. Activities that come back with the answer are started.
pub(crate) async fn completed(
    shared: &Arc<Shared>,
    owner: &Owner,
    completion: Completion,
    run_id: &str,
    measure: Option<TaskMeasure>,
) -> CompletionOutcome {
    let commands = completion.commands.len();
    let end = measure.as_ref().and_then(|_| RunsEnd::of(&completion.commands));
    if completion.lists_too_many_patches {
        tracing::warn!(
            target: "stead::worker",
            run_id,
            "the list of the workflow's patches is over 2048 bytes: the new patch works, but the search attribute \
             TemporalChangeVersion does not name it"
        );
    }
    let (request, reserved) = completion_request(shared, completion);
    let task = TaskId { token: request.task_token.clone(), is_query: false };
    let request = match shared.codec.encode_completion(owner, request).await {
        Ok(request) => request,
        Err(error) => return unencodable(shared, owner, task, &error).await,
    };
    // The answer may bring the next task.
    let work = shared.codec.work_on_task(run_id);
    let answer = shared.service().respond_workflow_task_completed(request, shared.call_options()).await;
    if let Some(measure) = &measure {
        measure.warn_if_slow(run_id, shared.options.slow_workflow_task, work);
    }
    match answer {
        Ok(answer) => {
            tracing::debug!(target: "stead::worker", run_id, commands, "workflow task completed");
            if let Some(measure) = measure {
                measure.completed(&shared.metrics, end);
            }
            accepted(shared, answer, reserved).await
        }
        Err(error) => refused(&error, run_id, "workflow task"),
    }
}

fn completion_request(shared: &Arc<Shared>, completion: Completion) -> (RespondWorkflowTaskCompletedRequest, Reserved) {
    let mut commands = completion.commands;
    let reserved = Reserved::for_commands(shared, &mut commands);
    let sticky_attributes = shared.sticky_attributes();
    let request = RespondWorkflowTaskCompletedRequest {
        task_token: completion.task_token,
        commands,
        identity: shared.identity.clone(),
        // A returned task always carries a part of history only, which is of use to a cache alone.
        return_new_workflow_task: sticky_attributes.is_some() && !completion.ends_run,
        sticky_attributes,
        force_create_new_workflow_task: completion.force_create_new_workflow_task,
        query_results: completion.query_results,
        namespace: shared.namespace.clone(),
        messages: completion.messages,
        sdk_metadata: completion.sdk_metadata,
        capabilities: Some(Capabilities { discard_speculative_workflow_task_with_events: true }),
        worker_instance_key: shared.instance_key.clone(),
        deployment_options: shared.deployment_options(),
        versioning_behavior: deployment::behavior(shared.deployment.as_ref(), completion.versioning).into(),
        metering_metadata: metering(completion.later_local_activity_attempts),
        ..Default::default()
    };
    (request, reserved)
}

/// What the server bills besides the task itself.
fn metering(later_local_activity_attempts: u32) -> Option<MeteringMetadata> {
    (later_local_activity_attempts > 0)
        .then_some(MeteringMetadata { nonfirst_local_activity_execution_attempts: later_local_activity_attempts })
}

async fn accepted(
    shared: &Arc<Shared>,
    answer: RespondWorkflowTaskCompletedResponse,
    reserved: Reserved,
) -> CompletionOutcome {
    reserved.start(shared, answer.activity_tasks).await;
    let next_task = match answer.workflow_task {
        Some(task) if !task.task_token.is_empty() => decoded(shared, Box::new(task)).await,
        _ => None,
    };
    CompletionOutcome::Accepted { next_task, reset_history_event_id: answer.reset_history_event_id }
}

async fn decoded(
    shared: &Shared,
    mut task: Box<PollWorkflowTaskQueueResponse>,
) -> Option<Box<PollWorkflowTaskQueueResponse>> {
    match shared.codec.decode_task(&mut task).await {
        Ok(()) => Some(task),
        Err(error) => {
            undecodable(shared, &task, &error).await;
            None
        }
    }
}

fn refused(error: &RpcError, run_id: &str, what: &str) -> CompletionOutcome {
    match error.code() {
        Code::InvalidArgument if error.message() == "UnhandledCommand" => CompletionOutcome::UnhandledCommand,
        Code::NotFound => CompletionOutcome::TaskNotFound,
        _ if error.payload_too_large().is_some() => {
            CompletionOutcome::TooLarge { cause: WorkflowTaskFailedCause::PayloadsTooLarge, message: error.to_string() }
        }
        _ if error.is_request_too_large() => CompletionOutcome::TooLarge {
            cause: WorkflowTaskFailedCause::GrpcMessageTooLarge,
            message: error.to_string(),
        },
        _ => {
            tracing::warn!(target: "stead::worker", run_id, %error, "{what} not answered");
            CompletionOutcome::Failed(error.to_string())
        }
    }
}

/// Fails a workflow task.
pub(crate) async fn failed(
    shared: &Arc<Shared>,
    owner: &Owner,
    task: FailedTask,
    run_id: &str,
    measure: Option<TaskMeasure>,
) -> CompletionOutcome {
    let cause = task.cause.as_str_name();
    tracing::debug!(target: "stead::worker", run_id, cause, "workflow task failed");
    if let Some(measure) = measure {
        measure.warn_if_slow(run_id, shared.options.slow_workflow_task, shared.codec.work_on_task(run_id));
        measure.failed(&shared.metrics, task.cause);
    }
    match fail(shared, owner, task.task_token, task.cause, task.failure).await {
        Ok(()) => CompletionOutcome::accepted(),
        Err(error) => refused(&error, run_id, "failed workflow task"),
    }
}

/// Answers a task that only carries a query.
pub(crate) async fn query_answered(
    shared: &Arc<Shared>,
    owner: &Owner,
    reply: QueryReply,
    run_id: &str,
) -> CompletionOutcome {
    let request = RespondQueryTaskCompletedRequest {
        task_token: reply.task_token,
        completed_type: reply.completed_type.into(),
        query_result: reply.query_result,
        error_message: reply.error_message,
        namespace: shared.namespace.clone(),
        failure: reply.failure,
        cause: reply.cause.into(),
        ..Default::default()
    };
    let task = TaskId { token: request.task_token.clone(), is_query: true };
    let request = match shared.codec.encode_answer(owner, request).await {
        Ok(request) => request,
        Err(error) => return unencodable(shared, owner, task, &error).await,
    };
    match shared.service().respond_query_task_completed(request, CallOptions::new()).await {
        Ok(_) => {
            tracing::debug!(target: "stead::worker", run_id, "query answered");
            CompletionOutcome::accepted()
        }
        Err(error) => refused(&error, run_id, "query"),
    }
}

/// Fetches a page of history.
pub(crate) async fn fetch_history(
    shared: &Shared,
    owner: &Owner,
    workflow_id: String,
    run_id: String,
    page_token: Bytes,
) -> Incoming {
    tracing::debug!(target: "stead::worker", run_id, from_start = page_token.is_empty(), "fetching history");
    let request = GetWorkflowExecutionHistoryRequest {
        namespace: shared.namespace.clone(),
        execution: Some(WorkflowExecution { workflow_id, run_id }),
        next_page_token: page_token,
        ..Default::default()
    };
    let answer = match shared.service().get_workflow_execution_history(request, CallOptions::new()).await {
        Ok(answer) => answer,
        Err(error) => return Incoming::HistoryFailed(error.to_string()),
    };
    let mut history = answer.history.unwrap_or_default();
    match shared.codec.decode_history(owner, &mut history.events).await {
        Ok(()) => Incoming::History(HistoryPage { events: history.events, next_page_token: answer.next_page_token }),
        Err(error) => Incoming::HistoryFailed(error.to_string()),
    }
}

/// A task whose payloads the codec cannot decode fails, and with it its query: the key may be back for the next one.
/// Where the codec says that it is of no use to try again, the workflow fails.
pub(crate) async fn undecodable(shared: &Shared, task: &PollWorkflowTaskQueueResponse, error: &CodecError) {
    let owner = shared.codec.owner_of_task(task);
    let (failure, token) = (codec::failure(error), task.task_token.clone());
    let is_final = failure.as_application().is_some_and(|application| application.non_retryable);
    if is_final && task.query.is_none() {
        return fail_workflow(shared, &owner, token, failure).await;
    }
    lost(shared, &owner, TaskId { token, is_query: task.query.is_some() }, failure).await;
}

async fn fail_workflow(shared: &Shared, owner: &Owner, task_token: Bytes, failure: Failure) {
    tracing::error!(target: "stead::worker", failure = failure.message, "workflow failed: its payloads cannot be decoded");
    let context = owner.clone().map(Into::into);
    let failure = Some(shared.codec.encode_failure_or_say_why(context, failure.into_proto()).await);
    let attributes = FailWorkflowExecutionCommandAttributes { failure };
    let attributes = Attributes::FailWorkflowExecutionCommandAttributes(Box::new(attributes));
    // No code of the workflow was asked, so that the worker's default is all there is to say.
    let default_versioning = shared.deployment.as_ref().and_then(|it| it.default_versioning);
    let request = RespondWorkflowTaskCompletedRequest {
        task_token,
        commands: vec![Command {
            command_type: CommandType::FailWorkflowExecution.into(),
            attributes: Some(attributes),
            ..Default::default()
        }],
        identity: shared.identity.clone(),
        namespace: shared.namespace.clone(),
        deployment_options: shared.deployment_options(),
        versioning_behavior: deployment::behavior(shared.deployment.as_ref(), default_versioning).into(),
        ..Default::default()
    };
    if let Err(error) = shared.service().respond_workflow_task_completed(request, CallOptions::new()).await {
        tracing::warn!(target: "stead::worker", %error, "workflow not failed");
    }
}

/// The same on the way out. The run saw its task end otherwise than the server did, so it has to go.
async fn unencodable(shared: &Shared, owner: &Owner, task: TaskId, error: &CodecError) -> CompletionOutcome {
    lost(shared, owner, task, codec::failure(error)).await;
    CompletionOutcome::Failed(error.to_string())
}

/// Answers a task that no run can answer.
pub(crate) async fn lost(shared: &Shared, owner: &Owner, task: TaskId, failure: Failure) {
    tracing::error!(target: "stead::worker", failure = failure.message, "workflow task lost");
    given_up(shared, owner, task, failure).await;
}

/// The same for one of which was said already why.
pub(crate) async fn given_up(shared: &Shared, owner: &Owner, task: TaskId, failure: Failure) {
    let cause = WorkflowTaskFailedCause::WorkflowWorkerUnhandledFailure;
    let answered = match task.is_query {
        true => fail_query(shared, owner, task.token, failure).await,
        false => fail(shared, owner, task.token, cause, failure.into_proto()).await,
    };
    if let Err(error) = answered {
        tracing::warn!(target: "stead::worker", %error, "lost workflow task not answered");
    }
}

async fn fail(
    shared: &Shared,
    owner: &Owner,
    task_token: Bytes,
    cause: WorkflowTaskFailedCause,
    failure: ProtoFailure,
) -> Result<(), RpcError> {
    let request = RespondWorkflowTaskFailedRequest {
        task_token,
        cause: cause.into(),
        failure: Some(shared.codec.encode_failure_or_say_why(owner.clone().map(Into::into), failure).await),
        identity: shared.identity.clone(),
        namespace: shared.namespace.clone(),
        deployment_options: shared.deployment_options(),
        ..Default::default()
    };
    shared.service().respond_workflow_task_failed(request, CallOptions::new()).await.map(drop)
}

async fn fail_query(shared: &Shared, owner: &Owner, task_token: Bytes, failure: Failure) -> Result<(), RpcError> {
    let context = owner.clone().map(Into::into);
    let failure = shared.codec.encode_failure_or_say_why(context, failure.into_proto()).await;
    let request = RespondQueryTaskCompletedRequest {
        task_token,
        completed_type: QueryResultType::Failed.into(),
        error_message: failure.message.clone(),
        namespace: shared.namespace.clone(),
        failure: Some(failure),
        ..Default::default()
    };
    shared.service().respond_query_task_completed(request, CallOptions::new()).await.map(drop)
}
