//! Finding and counting operations that no workflow has called.

use std::time::SystemTime;

use stead_data::{SearchAttributes, time::time_from_proto};
use stead_proto::{
    nexus::v1::NexusOperationExecutionListInfo,
    workflowservice::v1::{CountNexusOperationExecutionsRequest, ListNexusOperationExecutionsRequest},
};

use super::{NexusOperationHandle, NexusOperationStatus};
use crate::{
    client::Client,
    connection::CallOptions,
    interceptor::Operation,
    listing::{Count, CountCall, ListCall, ListError, Page, Reader, count, list},
};

/// The Nexus operations without a workflow that a query finds, page by page; made by [`Client::list_nexus_operations`].
///
/// Nothing is asked before the first [`next`](Self::next). It is a [`Stream`](futures_core::Stream) too.
#[must_use = "nothing is asked for before the first `next`"]
pub struct ListNexusOperations {
    client: Client,
    query: String,
    page_size: i32,
    options: CallOptions,
    reader: Reader<ListedNexusOperation>,
}

list!(ListNexusOperations, ListedNexusOperation, "operations", page_size: 1000);

impl Operation for ListCall<ListedNexusOperation> {
    type Output = Page<ListedNexusOperation>;
    type Error = ListError;

    async fn send(self, client: &Client) -> Result<Page<ListedNexusOperation>, ListError> {
        let Self { query, page_size, next_page_token, options, .. } = self;
        let request = ListNexusOperationExecutionsRequest {
            namespace: client.namespace().to_owned(),
            page_size,
            next_page_token,
            query: query.clone(),
        };
        let answer = client.service().list_nexus_operation_executions(request, options).await;
        let answer = answer.map_err(|error| ListError::refused(query, error))?;
        let item = |raw| ListedNexusOperation { client: client.clone(), raw };
        let items = answer.operations.into_iter().map(item).collect();
        Ok(Page { items, next_page_token: answer.next_page_token })
    }
}

/// An operation that was found, as the server's index sees it, which may be a moment behind.
#[derive(Debug, Clone)]
pub struct ListedNexusOperation {
    client: Client,
    raw: NexusOperationExecutionListInfo,
}

impl ListedNexusOperation {
    /// The operation's id.
    pub fn id(&self) -> &str {
        &self.raw.operation_id
    }

    /// The run.
    pub fn run_id(&self) -> &str {
        &self.raw.run_id
    }

    /// The endpoint.
    pub fn endpoint(&self) -> &str {
        &self.raw.endpoint
    }

    /// The service.
    pub fn service(&self) -> &str {
        &self.raw.service
    }

    /// The operation.
    pub fn operation(&self) -> &str {
        &self.raw.operation
    }

    /// Where it is in its life; `None` if the server does not say.
    pub fn status(&self) -> Option<NexusOperationStatus> {
        NexusOperationStatus::from_wire(self.raw.status)
    }

    /// When it was started by its caller.
    pub fn scheduled_time(&self) -> Option<SystemTime> {
        self.raw.schedule_time.as_ref().map(time_from_proto)
    }

    /// When it ended.
    pub fn close_time(&self) -> Option<SystemTime> {
        // Of one that runs, the index has the beginning of time.
        self.raw.close_time.as_ref().filter(|time| time.seconds > 0).map(time_from_proto)
    }

    /// What the server finds it by.
    pub fn search_attributes(&self) -> SearchAttributes {
        SearchAttributes::from_payloads(self.raw.search_attributes.clone().unwrap_or_default().indexed_fields)
    }

    /// A handle to this run.
    pub fn handle<O>(&self) -> NexusOperationHandle<O> {
        NexusOperationHandle::new(self.client.clone(), self.raw.operation_id.clone(), Some(self.raw.run_id.clone()))
    }

    /// All that the server said.
    pub fn raw(&self) -> &NexusOperationExecutionListInfo {
        &self.raw
    }
}

/// A count to be asked for; made by [`Client::count_nexus_operations`]. Awaiting it asks.
#[derive(Debug)]
#[must_use = "nothing happens until it is awaited"]
pub struct CountNexusOperations {
    client: Client,
    query: String,
    options: CallOptions,
}

count!(CountNexusOperations, ListedNexusOperation);

impl Operation for CountCall<ListedNexusOperation> {
    type Output = Count;
    type Error = ListError;

    async fn send(self, client: &Client) -> Result<Count, ListError> {
        let Self { query, options, .. } = self;
        let namespace = client.namespace().to_owned();
        let request = CountNexusOperationExecutionsRequest { namespace, query: query.clone() };
        let answer = client.service().count_nexus_operation_executions(request, options).await;
        let answer = answer.map_err(|error| ListError::refused(query, error))?;
        Ok(Count::new(answer.count, answer.groups.into_iter().map(|group| (group.group_values, group.count))))
    }
}
