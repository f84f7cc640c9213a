//! Finding and counting workflows.

use std::fmt;

use stead_data::{CodecError, DataConverter, PayloadMap};
use stead_proto::{
    workflow::v1::WorkflowExecutionInfo,
    workflowservice::v1::{CountWorkflowExecutionsRequest, ListWorkflowExecutionsRequest},
};

use super::{WorkflowHandle, describe::workflow_info};
use crate::{
    client::Client,
    connection::CallOptions,
    interceptor::Operation,
    listing::{Count, CountCall, ListCall, ListError, Page, Reader, count, list},
    payloads::{self, Owner},
};

/// The workflows that a query finds, page by page; made by [`Client::list_workflows`].
///
/// Nothing is asked before the first [`next`](Self::next). It is a [`Stream`](futures_core::Stream) too.
#[must_use = "nothing is asked for before the first `next`"]
pub struct ListWorkflows {
    client: Client,
    query: String,
    page_size: i32,
    options: CallOptions,
    reader: Reader<ListedWorkflow>,
}

list!(ListWorkflows, ListedWorkflow, "workflows", page_size: 0);

impl Operation for ListCall<ListedWorkflow> {
    type Output = Page<ListedWorkflow>;
    type Error = ListError;

    async fn send(self, client: &Client) -> Result<Page<ListedWorkflow>, ListError> {
        let Self { query, page_size, next_page_token, options, .. } = self;
        let request = ListWorkflowExecutionsRequest {
            namespace: client.namespace().to_owned(),
            page_size,
            next_page_token,
            query: query.clone(),
        };
        let answer = client.service().list_workflow_executions(request, options).await;
        let answer = answer.map_err(|error| ListError::refused(query, error))?;
        let mut items = Vec::with_capacity(answer.executions.len());
        for info in answer.executions {
            items.push(ListedWorkflow::new(client, info).await?);
        }
        Ok(Page { items, next_page_token: answer.next_page_token })
    }
}

/// A workflow that was found, as the server's index sees it, which may be a moment behind.
#[derive(Clone)]
pub struct ListedWorkflow {
    client: Client,
    info: WorkflowExecutionInfo,
    memo: PayloadMap,
    converter: DataConverter,
}

impl ListedWorkflow {
    async fn new(client: &Client, info: WorkflowExecutionInfo) -> Result<Self, CodecError> {
        let memo = info.memo.clone().unwrap_or_default().fields;
        let workflow_id = info.execution.as_ref().map_or("", |execution| &execution.workflow_id);
        let owner = Owner::workflow(client, workflow_id);
        let converter = owner.reader().into_owned();
        let memo = payloads::decode(&owner, memo).await?;
        Ok(Self { client: client.clone(), info, memo, converter })
    }

    workflow_info!();

    /// A handle to this run.
    pub fn handle<W: stead_data::WorkflowType + ?Sized>(&self) -> WorkflowHandle<W> {
        self.client.workflow(self.id()).with_run_id(self.run_id())
    }

    /// All that the server said, payloads as they came.
    pub fn raw(&self) -> &WorkflowExecutionInfo {
        &self.info
    }
}

// Written by hand: the memo holds users' data.
impl fmt::Debug for ListedWorkflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListedWorkflow")
            .field("id", &self.id())
            .field("run_id", &self.run_id())
            .field("workflow_type", &self.workflow_type())
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

/// A count to be asked for; made by [`Client::count_workflows`]. Awaiting it asks.
#[derive(Debug)]
#[must_use = "nothing happens until it is awaited"]
pub struct CountWorkflows {
    client: Client,
    query: String,
    options: CallOptions,
}

count!(CountWorkflows, ListedWorkflow);

impl Operation for CountCall<ListedWorkflow> {
    type Output = Count;
    type Error = ListError;

    async fn send(self, client: &Client) -> Result<Count, ListError> {
        let Self { query, options, .. } = self;
        let request = CountWorkflowExecutionsRequest { namespace: client.namespace().to_owned(), query: query.clone() };
        let answer = client.service().count_workflow_executions(request, options).await;
        let answer = answer.map_err(|error| ListError::refused(query, error))?;
        Ok(Count::new(answer.count, answer.groups.into_iter().map(|group| (group.group_values, group.count))))
    }
}
