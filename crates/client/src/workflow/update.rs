//! Updating a workflow.

use std::{
    fmt,
    future::{Future, IntoFuture},
    marker::PhantomData,
};

use serde::de::DeserializeOwned;
use stead_data::{
    BoxFuture, CodecError, ConversionError, Failure, Headers, Payload,
    nexus::{Callback, Link},
};
use stead_proto::{
    enums::v1::UpdateWorkflowExecutionLifecycleStage as Stage,
    update::v1::{Input, Meta, Outcome, Request, UpdateRef, WaitPolicy, outcome},
    workflowservice::v1::{
        PollWorkflowExecutionUpdateRequest, UpdateWorkflowExecutionRequest, UpdateWorkflowExecutionResponse,
    },
};

use super::{
    Execution,
    execution::{is_workflow_not_found, request_id},
    predicates, rpc_options,
};
use crate::{
    client::Client,
    connection::{CallOptions, RpcError},
    interceptor::Operation,
    nexus,
    payloads::{self, Owner},
};

/// An update to be sent: awaiting it sends it and waits for its result.
#[must_use = "nothing happens until it is awaited or started"]
pub struct UpdateWorkflow<O> {
    client: Client,
    call: StartUpdateCall,
    arguments: Result<Vec<Payload>, ConversionError>,
    has_id: bool,
    output: PhantomData<fn() -> O>,
}

/// An update on its way, as interceptors see it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StartUpdateCall {
    /// Whom.
    pub execution: Execution,
    /// The update's name.
    pub update: String,
    /// The update's id. The server runs one update of an id once, however often it is sent.
    pub update_id: String,
    /// Its arguments.
    pub arguments: Vec<Payload>,
    /// Its headers.
    pub headers: Headers,
    /// What it is linked with, for people who look at it, such as the Nexus operation in whose handler it is made.
    pub links: Vec<Link>,
    /// Who is told how it ends.
    pub completion_callbacks: Vec<Callback>,
    /// By which the server recognizes who is to be called back; empty where nobody is.
    pub request_id: String,
    /// How far the update must have come before the server answers.
    pub wait_for: UpdateStage,
    /// How each call is made.
    pub options: CallOptions,
}

/// How far an update has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum UpdateStage {
    /// The workflow has accepted it.
    Accepted,
    /// It has completed, or was rejected.
    Completed,
}

/// What is known of an update once the workflow has it, as interceptors see it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StartUpdateOutput {
    /// The run that has the update.
    pub run_id: Option<String>,
    /// The result, if it is known already.
    pub outcome: Option<UpdateResult>,
    /// Leads to it, on servers that say so.
    pub link: Option<Link>,
}

/// How an update ended: its result (`None` if that is nothing), or the failure it was rejected or ended with.
pub type UpdateResult = Result<Option<Payload>, Box<Failure>>;

/// An update did not succeed, or its result is not known.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateError {
    /// There is no workflow of this id, it has closed, or it does not know the update.
    #[error(
        "update `{update}` ({update_id}): workflow `{workflow_id}` does not exist or has closed, or has no such update"
    )]
    NotFound {
        /// The workflow's id.
        workflow_id: String,
        /// The update's name; empty where only the id is known.
        update: String,
        /// The update's id.
        update_id: String,
        /// What the server said.
        source: RpcError,
    },
    /// The workflow rejected the update, or its handler failed.
    #[error("update `{update}` ({update_id}) of workflow `{workflow_id}` failed")]
    Failed {
        /// The workflow's id.
        workflow_id: String,
        /// The update's name; empty where only the id is known.
        update: String,
        /// The update's id.
        update_id: String,
        /// Why.
        #[source]
        failure: Box<Failure>,
    },
    /// No answer came in time. The update may still happen: ask again with a handle of its id.
    #[error("update `{update_id}` of workflow `{workflow_id}`: no answer in time; is there a worker for it?")]
    TimedOut {
        /// The workflow's id.
        workflow_id: String,
        /// The update's id.
        update_id: String,
        /// The call's error.
        source: RpcError,
    },
    /// The arguments or the result cannot be converted.
    #[error("the arguments or the result of the update cannot be converted")]
    Conversion(#[from] ConversionError),
    /// The codec refused the arguments or the result.
    #[error("the arguments or the result of the update cannot be encoded or decoded")]
    Codec(#[from] CodecError),
    /// The call failed. Repeating it with the same update id does not run the update twice.
    #[error(transparent)]
    Rpc(RpcError),
}

predicates!(UpdateError, Self::Failed { failure, .. } => Some(failure));

impl<O> UpdateWorkflow<O> {
    pub(super) fn new(
        client: Client,
        execution: Execution,
        update: String,
        arguments: Result<Vec<Payload>, ConversionError>,
    ) -> Self {
        let call = StartUpdateCall::new(execution, update, UpdateStage::Completed);
        Self { client, call, arguments, has_id: false, output: PhantomData }
    }

    /// The update's id, by which the server recognizes it when it is sent again. Default: a random one.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.call.update_id = id.into();
        self.has_id = true;
        self
    }

    rpc_options!();

    /// Sends the update, and waits only until the workflow has accepted it.
    ///
    /// # Errors
    ///
    /// See [`UpdateError`]. A workflow that rejects the update is an error of the handle's
    /// [`result`](UpdateHandle::result), not of this.
    pub fn start(mut self) -> impl Future<Output = Result<UpdateHandle<O>, UpdateError>> + Send {
        self.call.wait_for = UpdateStage::Accepted;
        self.send()
    }

    /// The call, and the client that is to perform it; `id` is the update's unless it has one.
    ///
    /// # Errors
    ///
    /// The arguments could not be converted.
    #[doc(hidden)]
    pub fn into_call(self, id: Option<String>) -> Result<(Client, StartUpdateCall), ConversionError> {
        let Self { client, mut call, arguments, has_id, .. } = self;
        call.arguments = arguments?;
        if let Some(id) = id.filter(|_| !has_id) {
            call.update_id = id;
        }
        Ok((client, call))
    }

    async fn send(self) -> Result<UpdateHandle<O>, UpdateError> {
        let (client, call) = self.into_call(None)?;
        let (execution, update, update_id) = (call.execution.clone(), call.update.clone(), call.update_id.clone());
        let StartUpdateOutput { run_id, outcome, .. } = client.perform(call).await?;
        let execution = Execution { run_id: run_id.or(execution.run_id), ..execution };
        Ok(UpdateHandle::new(client, execution, update_id, outcome).named(update))
    }
}

impl<O: DeserializeOwned + 'static> IntoFuture for UpdateWorkflow<O> {
    type Output = Result<O, UpdateError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.send().await?.result().await })
    }
}

impl StartUpdateCall {
    pub(super) fn new(execution: Execution, update: String, wait_for: UpdateStage) -> Self {
        Self {
            execution,
            update,
            update_id: request_id(),
            arguments: Vec::new(),
            headers: Headers::new(),
            links: Vec::new(),
            completion_callbacks: Vec::new(),
            request_id: String::new(),
            wait_for,
            options: CallOptions::wait(),
        }
    }
}

impl Operation for StartUpdateCall {
    type Output = StartUpdateOutput;
    type Error = UpdateError;

    async fn send(self, client: &Client) -> Result<StartUpdateOutput, UpdateError> {
        let (workflow_id, options) = (self.execution.workflow_id.clone(), self.options.clone());
        let (update, update_id) = (self.update.clone(), self.update_id.clone());
        let request = request(self, client).await?;
        // The server answers after a while even if the workflow has not accepted: then the same request waits on.
        let answer = loop {
            let answer = client.service().update_workflow_execution(request.clone(), options.clone()).await;
            let answer = answer.map_err(|error| failed_call(&workflow_id, &update, &update_id, error))?;
            if is_accepted(&answer) {
                break answer;
            }
        };
        output(client, &workflow_id, answer).await
    }
}

/// The update as it goes on the wire.
pub(super) async fn request(
    call: StartUpdateCall,
    client: &Client,
) -> Result<UpdateWorkflowExecutionRequest, UpdateError> {
    let StartUpdateCall {
        execution,
        update,
        update_id,
        arguments,
        headers,
        links,
        completion_callbacks,
        request_id,
        wait_for,
        options: _,
    } = call;
    let owner = execution.owner(client);
    let args = payloads::encode_arguments(&owner, arguments).await?;
    let header = payloads::header(&owner, headers).await?;
    Ok(UpdateWorkflowExecutionRequest {
        namespace: client.namespace().to_owned(),
        workflow_execution: Some(execution.to_proto()),
        first_execution_run_id: execution.first_execution_run_id.unwrap_or_default(),
        wait_policy: Some(WaitPolicy { lifecycle_stage: Stage::from(wait_for).into() }),
        request: Some(Request {
            meta: Some(Meta { update_id, identity: client.identity().to_owned() }),
            input: Some(Input { header, name: update, args }),
            request_id,
            completion_callbacks: nexus::callbacks(completion_callbacks, &links),
            links: Link::all_to_proto(&links),
            ..Default::default()
        }),
    })
}

/// Whether the update has come as far as the workflow.
pub(super) fn is_accepted(answer: &UpdateWorkflowExecutionResponse) -> bool {
    answer.outcome.is_some() || answer.stage >= Stage::Accepted as i32
}

pub(super) async fn output(
    client: &Client,
    workflow_id: &str,
    answer: UpdateWorkflowExecutionResponse,
) -> Result<StartUpdateOutput, UpdateError> {
    let link = nexus::link(answer.link.as_ref());
    let run = answer.update_ref.and_then(|update| update.workflow_execution).map(|execution| execution.run_id);
    let outcome = decode_outcome(client, workflow_id, answer.outcome).await?;
    Ok(StartUpdateOutput { run_id: run.filter(|id| !id.is_empty()), outcome, link })
}

/// An update that a workflow has, or once had. Cheap to clone, but for a result that is known already.
pub struct UpdateHandle<O> {
    client: Client,
    execution: Execution,
    update: String,
    update_id: String,
    outcome: Option<UpdateResult>,
    output: PhantomData<fn() -> O>,
}

impl<O> UpdateHandle<O> {
    pub(super) fn new(client: Client, execution: Execution, update_id: String, outcome: Option<UpdateResult>) -> Self {
        Self { client, execution, update: String::new(), update_id, outcome, output: PhantomData }
    }

    /// With the update's name, for errors.
    pub(super) fn named(self, update: String) -> Self {
        Self { update, ..self }
    }

    /// The update's id.
    pub fn id(&self) -> &str {
        &self.update_id
    }

    /// The workflow's id.
    pub fn workflow_id(&self) -> &str {
        &self.execution.workflow_id
    }

    /// The run that has the update, where it is known.
    pub fn workflow_run_id(&self) -> Option<&str> {
        self.execution.run_id.as_deref()
    }

    async fn poll(&self) -> Result<UpdateResult, UpdateError> {
        let request = PollWorkflowExecutionUpdateRequest {
            namespace: self.client.namespace().to_owned(),
            update_ref: Some(UpdateRef {
                workflow_execution: Some(self.execution.to_proto()),
                update_id: self.update_id.clone(),
            }),
            identity: self.client.identity().to_owned(),
            wait_policy: Some(WaitPolicy { lifecycle_stage: Stage::Completed.into() }),
        };
        let service = self.client.service();
        loop {
            let answer = service.poll_workflow_execution_update(request.clone(), CallOptions::wait()).await;
            let answer = answer
                .map_err(|error| failed_call(&self.execution.workflow_id, &self.update, &self.update_id, error))?;
            if let Some(outcome) = decode_outcome(&self.client, &self.execution.workflow_id, answer.outcome).await? {
                return Ok(outcome);
            }
        }
    }
}

impl<O: DeserializeOwned> UpdateHandle<O> {
    /// Waits until the update has completed, however long that takes, and returns its result.
    ///
    /// # Errors
    ///
    /// See [`UpdateError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the update alone; the result can be asked for again.
    pub async fn result(&self) -> Result<O, UpdateError> {
        let outcome = match &self.outcome {
            Some(outcome) => outcome.clone(),
            None => self.poll().await?,
        };
        match outcome {
            Ok(payload) => {
                let owner = Owner::workflow(&self.client, &self.execution.workflow_id);
                Ok(owner.reader().from_result(payload.as_ref())?)
            }
            Err(failure) => Err(UpdateError::Failed {
                workflow_id: self.execution.workflow_id.clone(),
                update: self.update.clone(),
                update_id: self.update_id.clone(),
                failure,
            }),
        }
    }
}

pub(super) fn failed_call(workflow_id: &str, update: &str, update_id: &str, source: RpcError) -> UpdateError {
    let (workflow_id, update_id) = (workflow_id.to_owned(), update_id.to_owned());
    if is_workflow_not_found(&source) {
        UpdateError::NotFound { workflow_id, update: update.to_owned(), update_id, source }
    } else if source.is_timeout() || source.is_cancelled() {
        UpdateError::TimedOut { workflow_id, update_id, source }
    } else {
        UpdateError::Rpc(source)
    }
}

async fn decode_outcome(
    client: &Client,
    workflow_id: &str,
    outcome: Option<Outcome>,
) -> Result<Option<UpdateResult>, CodecError> {
    let owner = Owner::workflow(client, workflow_id);
    match outcome.and_then(|outcome| outcome.value) {
        None => Ok(None),
        Some(outcome::Value::Success(payloads)) => Ok(Some(Ok(payloads::decode_result(&owner, Some(payloads)).await?))),
        Some(outcome::Value::Failure(failure)) => Ok(Some(Err(payloads::decode_failure(&owner, failure).await?))),
    }
}

impl From<UpdateStage> for Stage {
    fn from(stage: UpdateStage) -> Self {
        match stage {
            UpdateStage::Accepted => Self::Accepted,
            UpdateStage::Completed => Self::Completed,
        }
    }
}

impl<O> Clone for UpdateHandle<O> {
    fn clone(&self) -> Self {
        let Self { client, execution, update, update_id, outcome, output } = self;
        Self {
            client: client.clone(),
            execution: execution.clone(),
            update: update.clone(),
            update_id: update_id.clone(),
            outcome: outcome.clone(),
            output: *output,
        }
    }
}

impl<O> fmt::Debug for UpdateHandle<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpdateHandle")
            .field("update_id", &self.update_id)
            .field("execution", &self.execution)
            .finish_non_exhaustive()
    }
}

impl<O> fmt::Debug for UpdateWorkflow<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpdateWorkflow").field("call", &self.call).finish_non_exhaustive()
    }
}
