//! Finding batches.

use bytes::Bytes;
use stead_data::BoxFuture;
use stead_proto::{batch::v1::BatchOperationInfo, workflowservice::v1::ListBatchOperationsRequest};

use super::{BatchHandle, describe::batch_info};
use crate::{
    client::Client,
    connection::CallOptions,
    listing::{ListError, Page, Reader, list},
};

/// The batches of the namespace, page by page, running ones first; made by [`Client::list_batches`].
///
/// Nothing is asked before the first [`next`](Self::next). It is a [`Stream`](futures_core::Stream) too. The server's
/// index may be a moment behind.
#[must_use = "nothing is asked for before the first `next`"]
pub struct ListBatches {
    client: Client,
    /// Batches cannot be filtered.
    query: &'static str,
    page_size: i32,
    options: CallOptions,
    reader: Reader<ListedBatch>,
}

list!(ListBatches, ListedBatch, "batches");

impl ListBatches {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, query: "", page_size: 0, options: CallOptions::new(), reader: Reader::new() }
    }

    fn ask(&self, next_page_token: Bytes) -> BoxFuture<'static, Result<Page<ListedBatch>, ListError>> {
        let (client, options) = (self.client.clone(), self.options.clone());
        let request = ListBatchOperationsRequest {
            namespace: client.namespace().to_owned(),
            page_size: self.page_size,
            next_page_token,
        };
        Box::pin(async move {
            let answer = client.service().list_batch_operations(request, options).await.map_err(ListError::Rpc)?;
            let items = answer.operation_info.into_iter().map(|raw| ListedBatch { client: client.clone(), raw });
            Ok(Page { items: items.collect(), next_page_token: answer.next_page_token })
        })
    }
}

/// A batch that was found, as the server's index sees it, which may be a moment behind.
#[derive(Debug, Clone)]
pub struct ListedBatch {
    client: Client,
    raw: BatchOperationInfo,
}

impl ListedBatch {
    batch_info!();

    /// A handle to it.
    pub fn handle(&self) -> BatchHandle {
        BatchHandle::new(self.client.clone(), self.raw.job_id.clone())
    }

    /// All that the server said.
    pub fn raw(&self) -> &BatchOperationInfo {
        &self.raw
    }
}
