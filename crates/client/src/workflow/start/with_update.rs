//! Starting a workflow together with an update.

use std::{fmt, future::IntoFuture};

use serde::Serialize;
use stead_data::{Arg, BoxFuture, ConversionError, Payload, Update, WorkflowIdConflictPolicy};
use stead_proto::{
    errordetails::v1::MultiOperationExecutionFailure,
    errordetails::v1::multi_operation_execution_failure::OperationStatus,
    workflowservice::v1::{
        ExecuteMultiOperationRequest, ExecuteMultiOperationResponse, UpdateWorkflowExecutionRequest,
        UpdateWorkflowExecutionResponse, execute_multi_operation_request as request,
        execute_multi_operation_response as response,
    },
};

use super::{Given, StartError, StartWorkflow, StartWorkflowCall, StartWorkflowOutput, Started, send};
use crate::{
    client::Client,
    connection::RpcError,
    interceptor::Operation,
    workflow::{
        Execution, StartUpdateCall, StartUpdateOutput, UpdateError, UpdateHandle, UpdateStage, WorkflowHandle, update,
    },
};

/// A workflow to be started together with an update, which goes to the one of its id that runs already if there is one;
/// made by [`StartWorkflow::with_update`]. Awaiting it waits until the workflow has accepted the update.
#[must_use = "nothing happens until it is awaited"]
pub struct StartWithUpdate<W: ?Sized, O, Id, Queue> {
    start: StartWorkflow<W, Started, Id, Queue>,
    update: StartUpdateCall,
    arguments: Result<Vec<Payload>, ConversionError>,
    output: std::marker::PhantomData<fn() -> O>,
}

/// Both on their way, as interceptors see them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StartWithUpdateCall {
    /// The start.
    pub start: StartWorkflowCall,
    /// The update.
    pub update: StartUpdateCall,
}

/// What came of both, as interceptors see it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StartWithUpdateOutput {
    /// Of the start.
    pub start: StartWorkflowOutput,
    /// Of the update.
    pub update: StartUpdateOutput,
}

/// A workflow was not started together with an update. The server does both or neither.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StartWithUpdateError {
    /// Because of the start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Because of the update.
    #[error(transparent)]
    Update(#[from] UpdateError),
}

impl<W: ?Sized, Id, Queue> StartWorkflow<W, Started, Id, Queue> {
    /// Sends an update along, to the new workflow, or to the one of this id that is running already if
    /// [`on_conflict`](Self::on_conflict) says `UseExisting`.
    ///
    /// The server does both or neither, and a worker has to be there: awaiting it waits until the workflow has accepted
    /// the update. Its result is the handle's. Default of `on_conflict`: refuse.
    pub fn with_update<I, O>(self, update: Update<W, I, O>, argument: impl Arg<I>) -> StartWithUpdate<W, O, Id, Queue> {
        let arguments = argument.encode(&self.client.drafts(), update.arity());
        StartWithUpdate::new(self, update.name().to_owned(), arguments)
    }

    /// As [`with_update`](Self::with_update), by the update's name; several arguments are a tuple.
    pub fn with_update_named<O>(
        self,
        update: impl Into<String>,
        arguments: impl Serialize,
    ) -> StartWithUpdate<W, O, Id, Queue> {
        let arguments = self.client.drafts().to_arguments(&arguments);
        StartWithUpdate::new(self, update.into(), arguments)
    }
}

impl<W: ?Sized, O, Id, Queue> StartWithUpdate<W, O, Id, Queue> {
    fn new(
        start: StartWorkflow<W, Started, Id, Queue>,
        update: String,
        arguments: Result<Vec<Payload>, ConversionError>,
    ) -> Self {
        let execution = Execution { workflow_id: String::new(), run_id: None, first_execution_run_id: None };
        let update = StartUpdateCall::new(execution, update, UpdateStage::Accepted);
        Self { start, update, arguments, output: std::marker::PhantomData }
    }

    /// The update's id, by which the server recognizes it when it is sent again. Default: a random one.
    pub fn update_id(mut self, id: impl Into<String>) -> Self {
        self.update.update_id = id.into();
        self
    }

    /// What to do about a running workflow of the same id. Default: refuse.
    pub fn on_conflict(mut self, policy: WorkflowIdConflictPolicy) -> Self {
        self.start = self.start.on_conflict(policy);
        self
    }

    /// Waits until the update has completed, not only until it was accepted.
    pub fn wait_for_result(mut self) -> Self {
        self.update.wait_for = UpdateStage::Completed;
        self
    }
}

impl<W: ?Sized + 'static, O: 'static> IntoFuture for StartWithUpdate<W, O, Given, Given> {
    type Output = Result<UpdatedWorkflow<W, O>, StartWithUpdateError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { start: StartWorkflow { client, call: start, error, .. }, mut update, arguments, .. } = self;
        Box::pin(async move {
            error.map_or(Ok(()), Err).map_err(StartError::from)?;
            update.arguments = arguments.map_err(UpdateError::from)?;
            update.execution.workflow_id.clone_from(&start.workflow_id);
            let (id, update_id, name) = (start.workflow_id.clone(), update.update_id.clone(), update.update.clone());
            let output = client.perform(StartWithUpdateCall { start, update }).await?;
            let StartUpdateOutput { run_id: updated, outcome, .. } = output.update;
            let execution = Execution { workflow_id: id.clone(), run_id: updated, first_execution_run_id: None };
            let update = UpdateHandle::new(client.clone(), execution, update_id, outcome).named(name);
            let workflow = WorkflowHandle::started(client, id, output.start);
            Ok(UpdatedWorkflow { workflow, update })
        })
    }
}

impl<W: ?Sized, O, Id, Queue> fmt::Debug for StartWithUpdate<W, O, Id, Queue> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartWithUpdate").field("start", &self.start).field("update", &self.update).finish()
    }
}

/// A workflow and the update that was sent along with its start.
pub struct UpdatedWorkflow<W: ?Sized, O> {
    workflow: WorkflowHandle<W>,
    update: UpdateHandle<O>,
}

impl<W: ?Sized, O> UpdatedWorkflow<W, O> {
    /// The workflow.
    pub fn workflow(&self) -> &WorkflowHandle<W> {
        &self.workflow
    }

    /// The update.
    pub fn update(&self) -> &UpdateHandle<O> {
        &self.update
    }
}

impl<W: ?Sized, O: serde::de::DeserializeOwned> UpdatedWorkflow<W, O> {
    /// Waits for the result of the update.
    ///
    /// # Errors
    ///
    /// See [`UpdateError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the update alone; the result can be asked for again.
    pub async fn result(&self) -> Result<O, UpdateError> {
        self.update.result().await
    }
}

impl<W: ?Sized, O> fmt::Debug for UpdatedWorkflow<W, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpdatedWorkflow").field("update", &self.update).finish_non_exhaustive()
    }
}

impl Operation for StartWithUpdateCall {
    type Output = StartWithUpdateOutput;
    type Error = StartWithUpdateError;

    async fn send(mut self, client: &Client) -> Result<StartWithUpdateOutput, StartWithUpdateError> {
        // The server wants to be told.
        self.start.id_conflict_policy.get_or_insert(WorkflowIdConflictPolicy::Fail);
        let names = Names::of(&self);
        let options = self.update.options.clone();
        let update = update::request(self.update, client).await?;
        let request = multi_operation(client, send::start_request(self.start, client).await?, update);
        // The server answers after a while even if the workflow has not accepted: then the same request waits on.
        loop {
            let answer = client.service().execute_multi_operation(request.clone(), options.clone()).await;
            let answer = answer.map_err(|error| names.failed(error))?;
            let (start, update) = answers(answer);
            if update::is_accepted(&update) {
                let update = update::output(client, &names.workflow_id, update).await?;
                return Ok(StartWithUpdateOutput { start, update });
            }
        }
    }
}

fn multi_operation(
    client: &Client,
    start: stead_proto::workflowservice::v1::StartWorkflowExecutionRequest,
    update: UpdateWorkflowExecutionRequest,
) -> ExecuteMultiOperationRequest {
    let resource_id = start.workflow_id.clone();
    let operation = |operation| request::Operation { operation: Some(operation) };
    ExecuteMultiOperationRequest {
        namespace: client.namespace().to_owned(),
        resource_id,
        operations: vec![
            operation(request::operation::Operation::StartWorkflow(start)),
            operation(request::operation::Operation::UpdateWorkflow(update)),
        ],
    }
}

fn answers(answer: ExecuteMultiOperationResponse) -> (StartWorkflowOutput, UpdateWorkflowExecutionResponse) {
    let mut start = send::output(String::new(), String::new(), false);
    let mut update = UpdateWorkflowExecutionResponse::default();
    for response in answer.responses.into_iter().filter_map(|response| response.response) {
        match response {
            response::response::Response::StartWorkflow(it) => {
                start = send::output(it.run_id, it.first_execution_run_id, it.started);
            }
            response::response::Response::UpdateWorkflow(it) => update = it,
        }
    }
    (start, update)
}

/// What errors say of both.
struct Names {
    workflow_id: String,
    workflow_type: String,
    update: String,
    update_id: String,
}

impl Names {
    fn of(call: &StartWithUpdateCall) -> Self {
        Self {
            workflow_id: call.start.workflow_id.clone(),
            workflow_type: call.start.workflow_type.clone(),
            update: call.update.update.clone(),
            update_id: call.update.update_id.clone(),
        }
    }

    /// The error of the one of the two that is to blame.
    fn failed(&self, error: RpcError) -> StartWithUpdateError {
        let statuses = error.detail::<MultiOperationExecutionFailure>().unwrap_or_default().statuses;
        let Some(culprit) = statuses.iter().position(is_culprit) else {
            return StartWithUpdateError::Start(StartError::Rpc(error));
        };
        let OperationStatus { code, message, details } = statuses[culprit].clone();
        let cause = error.with_status(code, message, details);
        match culprit {
            0 => send::already_started(self.workflow_id.clone(), self.workflow_type.clone(), cause).into(),
            _ => update::failed_call(&self.workflow_id, &self.update, &self.update_id, cause).into(),
        }
    }
}

/// The other one is merely told that it was given up.
fn is_culprit(status: &OperationStatus) -> bool {
    status.code != 0 && !status.details.iter().any(|detail| detail.type_url.ends_with(ABORTED))
}

/// Type of the detail that says so.
const ABORTED: &str = "temporal.api.failure.v1.MultiOperationExecutionAborted";
