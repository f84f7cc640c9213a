//! Reading a workflow's history.

use std::{collections::VecDeque, future::IntoFuture, time::Duration};

use bytes::Bytes;
use stead_data::{BoxFuture, history::History};
use stead_proto::{
    enums::v1::HistoryEventFilterType,
    history::v1::{self as wire, HistoryEvent},
    workflowservice::v1::GetWorkflowExecutionHistoryRequest,
};

use super::{Execution, execution::is_workflow_not_found, predicates};
use crate::{
    client::Client,
    connection::{CallOptions, Metadata, RpcError},
    interceptor::Operation,
    listing::Page,
};

/// A history to be read: awaiting it reads it whole, [`events`](Self::events) event by event.
///
/// Payloads in it are as the server has them: no codec is applied.
#[derive(Debug, Clone)]
#[must_use = "nothing happens until it is awaited"]
pub struct FetchHistory {
    client: Client,
    pages: Pages,
}

/// The history could not be read.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// There is no workflow of this id, or its history was deleted.
    #[error("history: workflow `{workflow_id}` does not exist")]
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

predicates!(HistoryError);

impl FetchHistory {
    pub(super) fn new(client: Client, workflow_id: String, run_id: Option<String>) -> Self {
        Self { client, pages: Pages::new(&workflow_id, run_id.as_deref()) }
    }

    /// Only the event that closed the workflow, or the last one so far.
    pub fn close_event_only(mut self) -> Self {
        self.pages.call.close_event_only = true;
        self
    }

    /// Waits for events to come, until the workflow has closed.
    pub fn wait_for_new_events(mut self) -> Self {
        self.pages.call.wait_for_new_events = true;
        self
    }

    /// Does not look into the archive, where histories go when their retention has passed.
    pub fn skip_archival(mut self) -> Self {
        self.pages.call.skip_archival = true;
        self
    }

    /// The largest number of events that the server sends at once. Default: the server's choice.
    pub fn page_size(mut self, events: i32) -> Self {
        self.pages.call.page_size = events;
        self
    }

    /// Headers of the calls to the server.
    pub fn rpc_metadata(mut self, metadata: Metadata) -> Self {
        self.pages.call.options.metadata = metadata;
        self
    }

    /// The deadline of each call to the server, retries included; there is one for each page. Default: 70 s.
    pub fn rpc_timeout(mut self, timeout: Duration) -> Self {
        self.pages.call.options.timeout = timeout;
        self
    }

    /// The events one after the other, read page by page.
    pub fn events(self) -> HistoryEvents {
        HistoryEvents { fetch: self, read: VecDeque::new() }
    }

    async fn read(self) -> Result<History, HistoryError> {
        let Self { client, mut pages } = self;
        let mut events = Vec::new();
        while !pages.done {
            events.extend(pages.next(&client).await.map_err(|error| pages.failed(error))?);
        }
        Ok(History(wire::History { events }))
    }
}

impl IntoFuture for FetchHistory {
    type Output = Result<History, HistoryError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.read())
    }
}

/// The events of a history, read page by page.
#[derive(Debug, Clone)]
pub struct HistoryEvents {
    fetch: FetchHistory,
    read: VecDeque<HistoryEvent>,
}

impl HistoryEvents {
    /// The next event; `None` after the last.
    ///
    /// # Errors
    ///
    /// See [`HistoryError`]. Calling it again tries the same page again.
    ///
    /// # Cancel safety
    ///
    /// No event is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Result<HistoryEvent, HistoryError>> {
        let FetchHistory { client, pages } = &mut self.fetch;
        while self.read.is_empty() && !pages.done {
            match pages.next(client).await {
                Ok(events) => self.read.extend(events),
                Err(error) => return Some(Err(pages.failed(error))),
            }
        }
        self.read.pop_front().map(Ok)
    }
}

/// A page of a history on its way, as interceptors see it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FetchHistoryCall {
    /// Whose.
    pub execution: Execution,
    /// Where the page begins; empty for the first.
    pub next_page_token: Bytes,
    /// The largest number of events; 0 for the server's choice.
    pub page_size: i32,
    /// Whether to wait for events to come.
    pub wait_for_new_events: bool,
    /// Whether only the event that closes the workflow counts.
    pub close_event_only: bool,
    /// Whether not to look into the archive.
    pub skip_archival: bool,
    /// How the call is made.
    pub options: CallOptions,
}

impl Operation for FetchHistoryCall {
    type Output = Page<HistoryEvent>;
    type Error = RpcError;

    async fn send(self, client: &Client) -> Result<Page<HistoryEvent>, RpcError> {
        let filter = match self.close_event_only {
            true => HistoryEventFilterType::CloseEvent.into(),
            false => 0,
        };
        let request = GetWorkflowExecutionHistoryRequest {
            namespace: client.namespace().to_owned(),
            execution: Some(self.execution.to_proto()),
            maximum_page_size: self.page_size,
            next_page_token: self.next_page_token,
            wait_new_event: self.wait_for_new_events,
            history_event_filter_type: filter,
            skip_archival: self.skip_archival,
        };
        let answer = client.service().get_workflow_execution_history(request, self.options).await?;
        let items = answer.history.map_or_else(Vec::new, |history| history.events);
        Ok(Page { items, next_page_token: answer.next_page_token })
    }
}

/// The pages of one run's history.
#[derive(Debug, Clone)]
pub(super) struct Pages {
    pub(super) call: FetchHistoryCall,
    done: bool,
}

impl Pages {
    pub(super) fn new(workflow_id: &str, run_id: Option<&str>) -> Self {
        let execution = Execution {
            workflow_id: workflow_id.to_owned(),
            run_id: run_id.map(str::to_owned),
            first_execution_run_id: None,
        };
        let call = FetchHistoryCall {
            execution,
            next_page_token: Bytes::new(),
            page_size: 0,
            wait_for_new_events: false,
            close_event_only: false,
            skip_archival: false,
            options: CallOptions::wait(),
        };
        Self { call, done: false }
    }

    /// One more page, which may be empty while the server waits for events.
    pub(super) async fn next(&mut self, client: &Client) -> Result<Vec<HistoryEvent>, RpcError> {
        let Page { items, next_page_token } = client.perform(self.call.clone()).await?;
        self.done = next_page_token.is_empty();
        self.call.next_page_token = next_page_token;
        Ok(items)
    }

    /// Makes the next page the first one, if there is none left.
    pub(super) fn start_over_if_done(&mut self) {
        self.done = false;
    }

    fn failed(&self, error: RpcError) -> HistoryError {
        if !is_workflow_not_found(&error) {
            return HistoryError::Rpc(error);
        }
        HistoryError::NotFound { workflow_id: self.call.execution.workflow_id.clone(), source: error }
    }
}
