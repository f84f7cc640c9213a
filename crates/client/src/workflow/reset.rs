//! Resetting a workflow: a new run that goes on from a point of this one.

use std::future::IntoFuture;

use stead_data::BoxFuture;
use stead_proto::{enums::v1::ResetReapplyExcludeType, workflowservice::v1::ResetWorkflowExecutionRequest};

use super::{Execution, execution::is_workflow_not_found, execution::request_id, predicates};
use crate::{
    client::Client,
    connection::{CallOptions, Metadata, RpcError},
};

/// A reset to come: awaiting it resets the workflow, and gives the id of the new run.
#[derive(Debug)]
#[must_use = "nothing happens until it is awaited"]
pub struct ResetWorkflow {
    client: Client,
    execution: Execution,
    event_id: i64,
    reason: String,
    without_signals: bool,
    without_updates: bool,
    request_id: String,
    options: CallOptions,
}

/// The workflow was not reset.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ResetError {
    /// There is no workflow of this id.
    #[error("reset: workflow `{workflow_id}` does not exist")]
    NotFound {
        /// The workflow's id.
        workflow_id: String,
        /// What the server said.
        source: RpcError,
    },
    /// The workflow cannot be reset to this event: name one that ends a workflow task.
    #[error("reset: workflow `{workflow_id}` cannot be reset to its event {event_id}")]
    InvalidEvent {
        /// The workflow's id.
        workflow_id: String,
        /// The event.
        event_id: i64,
        /// What the server said.
        source: RpcError,
    },
    /// The call failed. Unless the server refused it, the workflow may have been reset all the same.
    #[error(transparent)]
    Rpc(RpcError),
}

predicates!(ResetError);

impl ResetWorkflow {
    pub(super) fn new(client: Client, execution: Execution, event_id: i64) -> Self {
        Self {
            client,
            execution,
            event_id,
            reason: String::new(),
            without_signals: false,
            without_updates: false,
            request_id: request_id(),
            options: CallOptions::new(),
        }
    }

    /// Why, for people. Default: none.
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = reason.into();
        self
    }

    /// Leaves out signals that came after the event. Default: the new run gets them.
    pub fn without_signals(mut self) -> Self {
        self.without_signals = true;
        self
    }

    /// Leaves out updates that came after the event. Default: the new run gets them.
    pub fn without_updates(mut self) -> Self {
        self.without_updates = true;
        self
    }

    /// By which the server recognizes the request when it is sent again. Default: a random one.
    pub fn request_id(mut self, id: impl Into<String>) -> Self {
        self.request_id = id.into();
        self
    }

    /// The deadline of the call to the server, retries included. Default: see [`CallOptions`].
    pub fn rpc_timeout(mut self, timeout: std::time::Duration) -> Self {
        self.options.timeout = timeout;
        self
    }

    /// Headers of the call to the server.
    pub fn rpc_metadata(mut self, metadata: Metadata) -> Self {
        self.options.metadata = metadata;
        self
    }

    async fn send(self) -> Result<String, ResetError> {
        let Self { client, execution, event_id, reason, without_signals, without_updates, request_id, options } = self;
        let excluded =
            [(without_signals, ResetReapplyExcludeType::Signal), (without_updates, ResetReapplyExcludeType::Update)];
        let request = ResetWorkflowExecutionRequest {
            namespace: client.namespace().to_owned(),
            workflow_execution: Some(execution.to_proto()),
            reason,
            workflow_task_finish_event_id: event_id,
            request_id,
            reset_reapply_exclude_types: excluded.into_iter().filter(|it| it.0).map(|it| it.1.into()).collect(),
            identity: client.identity().to_owned(),
            ..Default::default()
        };
        let workflow_id = execution.workflow_id;
        match client.service().reset_workflow_execution(request, options).await {
            Ok(answer) => Ok(answer.run_id),
            Err(source) if is_workflow_not_found(&source) => Err(ResetError::NotFound { workflow_id, source }),
            Err(source) if source.code() == tonic::Code::InvalidArgument => {
                Err(ResetError::InvalidEvent { workflow_id, event_id, source })
            }
            Err(error) => Err(ResetError::Rpc(error)),
        }
    }
}

impl IntoFuture for ResetWorkflow {
    type Output = Result<String, ResetError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}
