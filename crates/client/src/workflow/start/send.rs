//! A start on the wire: with a signal or without.

use stead_data::{nexus::Link, time::duration_to_proto};
use stead_proto::{
    common::v1::{Memo, SearchAttributes, WorkflowType},
    enums::v1::{WorkflowIdConflictPolicy, WorkflowIdReusePolicy},
    errordetails::v1::WorkflowExecutionAlreadyStartedFailure,
    sdk::v1::UserMetadata,
    taskqueue::v1::TaskQueue,
    workflowservice::v1::{SignalWithStartWorkflowExecutionRequest, StartWorkflowExecutionRequest},
};
use tonic::Code;

use super::{StartError, StartSignal, StartWorkflowCall, StartWorkflowOutput};
use crate::{
    client::Client,
    connection::{CallOptions, RpcError},
    nexus,
    payloads::{self, Owner},
    workers::EagerSlot,
};

pub(super) async fn send(call: StartWorkflowCall, client: &Client) -> Result<StartWorkflowOutput, StartError> {
    let (workflow_id, workflow_type) = (call.workflow_id.clone(), call.workflow_type.clone());
    let eager = call.request_eager_start;
    let Parts { request, signal, options } = parts(call, client).await?;
    let answer = match signal {
        None => start(request, options, eager, client).await,
        Some(signal) => {
            let owner = Owner::workflow(client, &workflow_id).workflow_type(&workflow_type);
            let input = payloads::encode_arguments(&owner, signal.arguments).await?;
            let request = SignalWithStartWorkflowExecutionRequest {
                signal_name: signal.name,
                signal_input: input,
                ..with_signal(request)
            };
            signal_with_start(request, options, client).await
        }
    };
    answer.map_err(|error| already_started(workflow_id, workflow_type, error))
}

/// A start without a signal as it goes on the wire.
pub(super) async fn start_request(
    call: StartWorkflowCall,
    client: &Client,
) -> Result<StartWorkflowExecutionRequest, StartError> {
    Ok(parts(call, client).await?.request)
}

struct Parts {
    request: StartWorkflowExecutionRequest,
    signal: Option<StartSignal>,
    options: CallOptions,
}

async fn parts(call: StartWorkflowCall, client: &Client) -> Result<Parts, StartError> {
    // Without `..`: an option that is added must be sent.
    let StartWorkflowCall {
        workflow_type,
        workflow_id,
        task_queue,
        arguments,
        headers,
        signal,
        execution_timeout,
        run_timeout,
        task_timeout,
        id_reuse_policy,
        id_conflict_policy,
        retry_policy,
        cron_schedule,
        memo,
        search_attributes,
        start_delay,
        static_summary,
        static_details,
        priority,
        versioning_override,
        time_skipping,
        request_eager_start: _,
        links,
        completion_callbacks,
        request_id,
        options,
    } = call;
    let owner = Owner::workflow(client, &workflow_id).workflow_type(&workflow_type);
    let input = payloads::encode_arguments(&owner, arguments).await?;
    let memo = (!memo.is_empty()).then_some(Memo { fields: payloads::encode(&owner, memo).await? });
    let header = payloads::header(&owner, headers).await?;
    let user_metadata = user_metadata(&owner, client, static_summary, static_details).await?;
    let request = StartWorkflowExecutionRequest {
        namespace: client.namespace().to_owned(),
        workflow_id,
        workflow_type: Some(WorkflowType { name: workflow_type }),
        task_queue: Some(TaskQueue { name: task_queue, ..Default::default() }),
        input,
        workflow_execution_timeout: execution_timeout.map(duration_to_proto),
        workflow_run_timeout: run_timeout.map(duration_to_proto),
        workflow_task_timeout: task_timeout.map(duration_to_proto),
        identity: client.identity().to_owned(),
        request_id,
        workflow_id_reuse_policy: WorkflowIdReusePolicy::from(id_reuse_policy).into(),
        workflow_id_conflict_policy: id_conflict_policy.map(WorkflowIdConflictPolicy::from).unwrap_or_default().into(),
        retry_policy: retry_policy.map(|policy| policy.into_proto()),
        cron_schedule,
        memo,
        search_attributes: (!search_attributes.is_empty())
            .then(|| SearchAttributes { indexed_fields: search_attributes.into_payloads() }),
        header,
        workflow_start_delay: start_delay.map(duration_to_proto),
        user_metadata,
        priority: priority.map(|priority| priority.into_proto()),
        versioning_override: versioning_override.map(|it| it.into_proto()),
        time_skipping_config: time_skipping.map(|it| it.into_proto()),
        on_conflict_options: nexus::on_conflict(&links, &completion_callbacks),
        completion_callbacks: nexus::callbacks(completion_callbacks, &links),
        links: Link::all_to_proto(&links),
        ..Default::default()
    };
    Ok(Parts { request, signal, options })
}

async fn user_metadata(
    owner: &Owner<'_>,
    client: &Client,
    summary: Option<String>,
    details: Option<String>,
) -> Result<Option<UserMetadata>, StartError> {
    let converter = client.drafts();
    let text = |text: Option<String>| text.map(|text| converter.to_payload(&text)).transpose();
    let metadata = UserMetadata { summary: text(summary)?, details: text(details)? };
    Ok(Some(payloads::encode(owner, metadata).await?).filter(|metadata| *metadata != UserMetadata::default()))
}

async fn start(
    mut request: StartWorkflowExecutionRequest,
    options: CallOptions,
    eager: bool,
    client: &Client,
) -> Result<StartWorkflowOutput, RpcError> {
    let reserved = if eager { reserve(&request, client) } else { None };
    request.request_eager_execution = reserved.is_some();
    let answer = client.service().start_workflow_execution(request, options).await?;
    let mut output = output(answer.run_id, answer.first_execution_run_id, answer.started);
    output.link = nexus::link(answer.link.as_ref());
    if let (Some(slot), Some(task)) = (reserved, answer.eager_workflow_task) {
        slot.run(task);
        output.started_eagerly = true;
    }
    Ok(output)
}

/// A slot of a worker of this process, if there is one and the server knows what to do about it.
fn reserve(request: &StartWorkflowExecutionRequest, client: &Client) -> Option<EagerSlot> {
    let connection = client.connection();
    let supported = connection.capabilities().is_some_and(|it| it.eager_workflow_start);
    let task_queue = request.task_queue.as_ref()?;
    let workflow_type = request.workflow_type.as_ref()?;
    let workers = supported.then(|| connection.workers())?;
    workers.reserve(&request.namespace, &task_queue.name, &workflow_type.name)
}

async fn signal_with_start(
    request: SignalWithStartWorkflowExecutionRequest,
    options: CallOptions,
    client: &Client,
) -> Result<StartWorkflowOutput, RpcError> {
    let answer = client.service().signal_with_start_workflow_execution(request, options).await?;
    let mut output = output(answer.run_id, answer.first_execution_run_id, answer.started);
    output.link = nexus::link(answer.signal_link.as_ref());
    Ok(output)
}

/// Servers that do not name the chain's first run leave it open for a workflow that ran already; of one that they
/// started, it is this run.
pub(super) fn output(run_id: String, first_run_id: String, started: bool) -> StartWorkflowOutput {
    let first_execution_run_id = match (first_run_id.is_empty(), started) {
        (false, _) => Some(first_run_id),
        (true, true) => Some(run_id.clone()),
        (true, false) => None,
    };
    StartWorkflowOutput { run_id, first_execution_run_id, started_eagerly: false, link: None }
}

/// All that both requests have in common; the signal is missing.
fn with_signal(start: StartWorkflowExecutionRequest) -> SignalWithStartWorkflowExecutionRequest {
    SignalWithStartWorkflowExecutionRequest {
        namespace: start.namespace,
        workflow_id: start.workflow_id,
        workflow_type: start.workflow_type,
        task_queue: start.task_queue,
        input: start.input,
        workflow_execution_timeout: start.workflow_execution_timeout,
        workflow_run_timeout: start.workflow_run_timeout,
        workflow_task_timeout: start.workflow_task_timeout,
        identity: start.identity,
        request_id: start.request_id,
        workflow_id_reuse_policy: start.workflow_id_reuse_policy,
        workflow_id_conflict_policy: start.workflow_id_conflict_policy,
        retry_policy: start.retry_policy,
        cron_schedule: start.cron_schedule,
        memo: start.memo,
        search_attributes: start.search_attributes,
        header: start.header,
        workflow_start_delay: start.workflow_start_delay,
        user_metadata: start.user_metadata,
        priority: start.priority,
        versioning_override: start.versioning_override,
        time_skipping_config: start.time_skipping_config,
        links: start.links,
        ..Default::default()
    }
}

pub(super) fn already_started(workflow_id: String, workflow_type: String, error: RpcError) -> StartError {
    let detail = match error.code() {
        Code::AlreadyExists => error.detail::<WorkflowExecutionAlreadyStartedFailure>(),
        _ => None,
    };
    let Some(WorkflowExecutionAlreadyStartedFailure { run_id, first_execution_run_id, .. }) = detail else {
        return StartError::Rpc(error);
    };
    let first_execution_run_id = Some(first_execution_run_id).filter(|id| !id.is_empty());
    StartError::AlreadyStarted { workflow_id, workflow_type, run_id, first_execution_run_id }
}
