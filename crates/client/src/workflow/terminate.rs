//! Terminating a workflow.

use std::future::IntoFuture;

use serde::Serialize;
use stead_data::{BoxFuture, CodecError, ConversionError, Payload};
use stead_proto::workflowservice::v1::TerminateWorkflowExecutionRequest;

use super::{Execution, execution::is_workflow_not_found, predicates, rpc_options};
use crate::{
    client::Client,
    connection::{CallOptions, RpcError},
    interceptor::Operation,
    payloads,
};

/// A termination to come: awaiting it terminates the workflow.
#[derive(Debug)]
#[must_use = "nothing happens until it is awaited"]
pub struct TerminateWorkflow {
    client: Client,
    call: TerminateWorkflowCall,
    details: Result<Vec<Payload>, ConversionError>,
}

/// A termination on its way, as interceptors see it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TerminateWorkflowCall {
    /// Whom.
    pub execution: Execution,
    /// Why.
    pub reason: String,
    /// More about it.
    pub details: Vec<Payload>,
    /// How the call is made.
    pub options: CallOptions,
}

/// The workflow was not terminated.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TerminateError {
    /// There is no workflow of this id, or it has closed: there is nothing to terminate.
    #[error("terminate: workflow `{workflow_id}` does not exist or has closed")]
    NotFound {
        /// The workflow's id.
        workflow_id: String,
        /// What the server said.
        source: RpcError,
    },
    /// The details cannot be converted.
    #[error("the details of the termination cannot be converted")]
    Conversion(#[from] ConversionError),
    /// The codec refused the details.
    #[error("the details of the termination cannot be encoded")]
    Codec(#[from] CodecError),
    /// The call failed. It may be repeated.
    #[error(transparent)]
    Rpc(RpcError),
}

predicates!(TerminateError);

impl TerminateWorkflow {
    pub(super) fn new(client: Client, execution: Execution) -> Self {
        let (reason, details) = (String::new(), Vec::new());
        let call = TerminateWorkflowCall { execution, reason, details, options: CallOptions::new() };
        Self { client, call, details: Ok(Vec::new()) }
    }

    /// Why, in words that the workflow's callers read. Default: none.
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.call.reason = reason.into();
        self
    }

    /// More about it, for the workflow's callers: a tuple is a payload for each element. Default: none.
    pub fn details(mut self, details: impl Serialize) -> Self {
        self.details = self.client.drafts().to_arguments(&details);
        self
    }

    rpc_options!();

    async fn send(self) -> Result<(), TerminateError> {
        let Self { client, mut call, details } = self;
        call.details = details?;
        client.perform(call).await
    }
}

impl IntoFuture for TerminateWorkflow {
    type Output = Result<(), TerminateError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl Operation for TerminateWorkflowCall {
    type Output = ();
    type Error = TerminateError;

    async fn send(self, client: &Client) -> Result<(), TerminateError> {
        let Self { execution, reason, details, options } = self;
        let details = payloads::encode_arguments(&execution.owner(client), details).await?;
        let request = TerminateWorkflowExecutionRequest {
            namespace: client.namespace().to_owned(),
            workflow_execution: Some(execution.to_proto()),
            reason,
            details,
            identity: client.identity().to_owned(),
            first_execution_run_id: execution.first_execution_run_id.unwrap_or_default(),
            ..Default::default()
        };
        match client.service().terminate_workflow_execution(request, options).await {
            Ok(_) => Ok(()),
            Err(source) if is_workflow_not_found(&source) => {
                Err(TerminateError::NotFound { workflow_id: execution.workflow_id, source })
            }
            Err(error) => Err(TerminateError::Rpc(error)),
        }
    }
}
