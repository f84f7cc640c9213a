//! Requesting a workflow's cancellation.

use std::future::IntoFuture;

use stead_data::BoxFuture;
use stead_proto::workflowservice::v1::RequestCancelWorkflowExecutionRequest;

use super::{
    Execution,
    execution::{is_workflow_not_found, request_id},
    predicates, rpc_options,
};
use crate::{
    client::Client,
    connection::{CallOptions, RpcError},
    interceptor::Operation,
};

/// A cancellation to be requested: awaiting it requests it.
#[derive(Debug)]
#[must_use = "nothing happens until it is awaited"]
pub struct CancelWorkflow {
    client: Client,
    call: CancelWorkflowCall,
}

/// A request to cancel on its way, as interceptors see it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CancelWorkflowCall {
    /// Whom.
    pub execution: Execution,
    /// Why, in words that the workflow can read.
    pub reason: String,
    /// How the call is made.
    pub options: CallOptions,
}

/// The cancellation was not requested.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CancelError {
    /// There is no workflow of this id, or it has closed: there is nothing to cancel.
    #[error("cancel: workflow `{workflow_id}` does not exist or has closed")]
    NotFound {
        /// The workflow's id.
        workflow_id: String,
        /// What the server said.
        source: RpcError,
    },
    /// The call failed. It may be repeated.
    #[error(transparent)]
    Rpc(RpcError),
}

predicates!(CancelError);

impl CancelWorkflow {
    pub(super) fn new(client: Client, execution: Execution) -> Self {
        let call = CancelWorkflowCall { execution, reason: String::new(), options: CallOptions::new() };
        Self { client, call }
    }

    /// Why, in words that the workflow can read. Default: none.
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.call.reason = reason.into();
        self
    }

    rpc_options!();
}

impl IntoFuture for CancelWorkflow {
    type Output = Result<(), CancelError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.client.perform(self.call).await })
    }
}

impl Operation for CancelWorkflowCall {
    type Output = ();
    type Error = CancelError;

    async fn send(self, client: &Client) -> Result<(), CancelError> {
        let Self { execution, reason, options } = self;
        let request = RequestCancelWorkflowExecutionRequest {
            namespace: client.namespace().to_owned(),
            workflow_execution: Some(execution.to_proto()),
            identity: client.identity().to_owned(),
            request_id: request_id(),
            first_execution_run_id: execution.first_execution_run_id.unwrap_or_default(),
            reason,
            ..Default::default()
        };
        match client.service().request_cancel_workflow_execution(request, options).await {
            Ok(_) => Ok(()),
            Err(source) if is_workflow_not_found(&source) => {
                Err(CancelError::NotFound { workflow_id: execution.workflow_id, source })
            }
            Err(error) => Err(CancelError::Rpc(error)),
        }
    }
}
