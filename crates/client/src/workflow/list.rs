//! Finding and counting workflows.

use std::{
    collections::VecDeque,
    fmt,
    future::IntoFuture,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;
use serde::de::DeserializeOwned;
use stead_data::{BoxFuture, CodecError, ConversionError, DataConverter, PayloadMap};
use stead_proto::{
    common::v1::Payload,
    workflow::v1::WorkflowExecutionInfo,
    workflowservice::v1::{
        CountWorkflowExecutionsRequest, ListWorkflowExecutionsRequest, count_workflow_executions_response,
    },
};

use super::{WorkflowHandle, describe::workflow_info, predicates};
use crate::{
    client::Client,
    connection::{CallOptions, Metadata, RpcError},
    payloads::{self, Owner},
};

/// The workflows that a query finds, page by page; made by [`Client::list_workflows`].
///
/// Nothing is asked before the first [`next`](Self::next). It is a [`Stream`] too.
#[must_use = "nothing is asked for before the first `next`"]
pub struct ListWorkflows {
    client: Client,
    request: ListWorkflowExecutionsRequest,
    options: CallOptions,
    left: Option<usize>,
    read: VecDeque<ListedWorkflow>,
    is_over: bool,
    /// The page that is being read, for the stream.
    reading: Option<BoxFuture<'static, Result<Page, ListError>>>,
}

struct Page {
    workflows: Vec<ListedWorkflow>,
    next_page_token: bytes::Bytes,
}

/// Workflows could not be listed or counted.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// The server does not understand the query.
    #[error("the query `{query}` is not understood")]
    InvalidQuery {
        /// The query.
        query: String,
        /// What the server said.
        source: RpcError,
    },
    /// The codec refused a memo.
    #[error("a workflow's memo cannot be decoded")]
    Codec(#[from] CodecError),
    /// The call failed. It may be repeated.
    #[error(transparent)]
    Rpc(RpcError),
}

predicates!(ListError);

impl ListWorkflows {
    pub(crate) fn new(client: Client, query: String) -> Self {
        let request = ListWorkflowExecutionsRequest {
            namespace: client.namespace().to_owned(),
            query,
            ..ListWorkflowExecutionsRequest::default()
        };
        let options = CallOptions::new();
        Self { client, request, options, left: None, read: VecDeque::new(), is_over: false, reading: None }
    }

    /// The largest number of workflows. Default: all.
    pub fn limit(mut self, workflows: usize) -> Self {
        self.left = Some(workflows);
        self
    }

    /// The largest number of workflows that the server sends at once. Default: the server's choice.
    pub fn page_size(mut self, workflows: u32) -> Self {
        self.request.page_size = i32::try_from(workflows).unwrap_or(i32::MAX);
        self
    }

    /// The deadline of each call to the server, retries included. Default: see [`CallOptions`].
    pub fn rpc_timeout(mut self, timeout: std::time::Duration) -> Self {
        self.options.timeout = timeout;
        self
    }

    /// Headers of the calls to the server.
    pub fn rpc_metadata(mut self, metadata: Metadata) -> Self {
        self.options.metadata = metadata;
        self
    }

    /// The next workflow; `None` after the last.
    ///
    /// # Errors
    ///
    /// See [`ListError`]. Calling it again tries the same page again.
    ///
    /// # Cancel safety
    ///
    /// No workflow is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Result<ListedWorkflow, ListError>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    async fn read(
        client: Client,
        request: ListWorkflowExecutionsRequest,
        options: CallOptions,
    ) -> Result<Page, ListError> {
        let query = request.query.clone();
        let answer = client.service().list_workflow_executions(request, options).await;
        let answer = answer.map_err(|error| refused(query, error))?;
        let mut workflows = Vec::with_capacity(answer.executions.len());
        for info in answer.executions {
            workflows.push(ListedWorkflow::new(&client, info).await?);
        }
        Ok(Page { workflows, next_page_token: answer.next_page_token })
    }
}

impl Stream for ListWorkflows {
    type Item = Result<ListedWorkflow, ListError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if this.left == Some(0) {
                return Poll::Ready(None);
            }
            if let Some(workflow) = this.read.pop_front() {
                this.left = this.left.map(|left| left - 1);
                return Poll::Ready(Some(Ok(workflow)));
            }
            if this.is_over {
                return Poll::Ready(None);
            }
            let reading = this.reading.get_or_insert_with(|| {
                Box::pin(Self::read(this.client.clone(), this.request.clone(), this.options.clone()))
            });
            let Poll::Ready(page) = reading.as_mut().poll(cx) else { return Poll::Pending };
            this.reading = None;
            match page {
                Ok(page) => {
                    this.is_over = page.next_page_token.is_empty();
                    this.request.next_page_token = page.next_page_token;
                    this.read.extend(page.workflows);
                }
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    }
}

impl fmt::Debug for ListWorkflows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListWorkflows").field("query", &self.request.query).finish_non_exhaustive()
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
        let converter = client.data_converter().clone();
        let workflow_id = info.execution.as_ref().map_or("", |execution| &execution.workflow_id);
        let memo = payloads::decode(&Owner::workflow(client, workflow_id), memo).await?;
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

impl CountWorkflows {
    pub(crate) fn new(client: Client, query: String) -> Self {
        Self { client, query, options: CallOptions::new() }
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

    async fn ask(self) -> Result<WorkflowCount, ListError> {
        let Self { client, query, options } = self;
        let request = CountWorkflowExecutionsRequest { namespace: client.namespace().to_owned(), query: query.clone() };
        let answer = client.service().count_workflow_executions(request, options).await;
        let answer = answer.map_err(|error| refused(query, error))?;
        let count = |count: i64| u64::try_from(count).unwrap_or(0);
        let group = |group: count_workflow_executions_response::AggregationGroup| WorkflowGroup {
            values: group.group_values,
            count: count(group.count),
            converter: client.data_converter().clone(),
        };
        Ok(WorkflowCount { count: count(answer.count), groups: answer.groups.into_iter().map(group).collect() })
    }
}

impl IntoFuture for CountWorkflows {
    type Output = Result<WorkflowCount, ListError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.ask())
    }
}

/// How many workflows a query finds.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WorkflowCount {
    /// All of them; about that many if there are very many.
    pub count: u64,
    /// The groups of a query that has `GROUP BY`.
    pub groups: Vec<WorkflowGroup>,
}

/// Workflows that have the values in common that the query groups by.
#[derive(Debug, Clone)]
pub struct WorkflowGroup {
    values: Vec<Payload>,
    count: u64,
    converter: DataConverter,
}

impl WorkflowGroup {
    /// How many they are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// One of the values that they have in common, in the order of the query; `None` if there is no such value.
    ///
    /// # Errors
    ///
    /// The value is not a `T`.
    pub fn value<T: DeserializeOwned>(&self, index: usize) -> Result<Option<T>, ConversionError> {
        self.values.get(index).map(|payload| self.converter.from_payload(payload)).transpose()
    }
}

fn refused(query: String, error: RpcError) -> ListError {
    match error.code() {
        tonic::Code::InvalidArgument => ListError::InvalidQuery { query, source: error },
        _ => ListError::Rpc(error),
    }
}
