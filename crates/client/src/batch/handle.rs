//! [`BatchHandle`]: a batch from outside.

use std::{future::IntoFuture, time::Duration};

use stead_data::BoxFuture;
use stead_proto::workflowservice::v1::StopBatchOperationRequest;

use super::{BatchError, DescribeBatch};
use crate::{
    client::Client,
    connection::{CallOptions, Metadata, RpcError},
    workflow::is_workflow_not_found,
};

/// A batch from outside: look at it, stop it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct BatchHandle {
    client: Client,
    id: String,
}

impl BatchHandle {
    pub(crate) fn new(client: Client, id: String) -> Self {
        Self { client, id }
    }

    /// The batch's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The client that the handle uses.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What the server knows of the batch, and how far it is.
    ///
    /// # Errors
    ///
    /// At the await, see [`BatchError`].
    pub fn describe(&self) -> DescribeBatch {
        DescribeBatch::new(self.client.clone(), self.id.clone())
    }

    /// Stops the batch. What it has done stays done.
    ///
    /// # Errors
    ///
    /// At the await, see [`BatchError`]: one that has ended is not found.
    pub fn stop(&self, reason: impl Into<String>) -> StopBatch {
        StopBatch { batch: self.clone(), reason: reason.into(), options: CallOptions::new() }
    }
}

/// A batch to be stopped: awaiting it stops it.
#[derive(Debug)]
#[must_use = "nothing happens until it is awaited"]
pub struct StopBatch {
    batch: BatchHandle,
    reason: String,
    options: CallOptions,
}

impl StopBatch {
    /// The deadline of the call to the server, retries included. Default: see [`CallOptions`].
    pub fn rpc_timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = timeout;
        self
    }

    /// Headers of the call to the server.
    pub fn rpc_metadata(mut self, metadata: Metadata) -> Self {
        self.options.metadata = metadata;
        self
    }

    async fn send(self) -> Result<(), BatchError> {
        let Self { batch: BatchHandle { client, id }, reason, options } = self;
        let request = StopBatchOperationRequest {
            namespace: client.namespace().to_owned(),
            job_id: id.clone(),
            reason,
            identity: client.identity().to_owned(),
        };
        let stopped = client.service().stop_batch_operation(request, options).await;
        stopped.map(drop).map_err(|error| BatchError::of_call(id, error))
    }
}

impl IntoFuture for StopBatch {
    type Output = Result<(), BatchError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl BatchError {
    pub(super) fn of_call(batch_id: String, source: RpcError) -> Self {
        // To the server a batch is a workflow.
        if is_workflow_not_found(&source) { Self::NotFound { batch_id, source } } else { Self::Rpc(source) }
    }
}
