//! Reading a workflow's history.

use std::{collections::VecDeque, future::IntoFuture, time::Duration};

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
        self.pages.request.history_event_filter_type = HistoryEventFilterType::CloseEvent.into();
        self
    }

    /// Waits for events to come, until the workflow has closed.
    pub fn wait_for_new_events(mut self) -> Self {
        self.pages.request.wait_new_event = true;
        self
    }

    /// Does not look into the archive, where histories go when their retention has passed.
    pub fn skip_archival(mut self) -> Self {
        self.pages.request.skip_archival = true;
        self
    }

    /// The largest number of events that the server sends at once. Default: the server's choice.
    pub fn page_size(mut self, events: i32) -> Self {
        self.pages.request.maximum_page_size = events;
        self
    }

    /// Headers of the calls to the server.
    pub fn rpc_metadata(mut self, metadata: Metadata) -> Self {
        self.pages.options.metadata = metadata;
        self
    }

    /// The deadline of each call to the server, retries included; there is one for each page. Default: 70 s.
    pub fn rpc_timeout(mut self, timeout: Duration) -> Self {
        self.pages.options.timeout = timeout;
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

/// The pages of one run's history.
#[derive(Debug, Clone)]
pub(super) struct Pages {
    pub(super) request: GetWorkflowExecutionHistoryRequest,
    pub(super) options: CallOptions,
    done: bool,
}

impl Pages {
    pub(super) fn new(workflow_id: &str, run_id: Option<&str>) -> Self {
        let execution = Execution {
            workflow_id: workflow_id.to_owned(),
            run_id: run_id.map(str::to_owned),
            first_execution_run_id: None,
        };
        let request =
            GetWorkflowExecutionHistoryRequest { execution: Some(execution.to_proto()), ..Default::default() };
        Self { request, options: CallOptions::wait(), done: false }
    }

    /// One more page, which may be empty while the server waits for events.
    pub(super) async fn next(&mut self, client: &Client) -> Result<Vec<HistoryEvent>, RpcError> {
        client.namespace().clone_into(&mut self.request.namespace);
        let answer =
            client.service().get_workflow_execution_history(self.request.clone(), self.options.clone()).await?;
        self.done = answer.next_page_token.is_empty();
        self.request.next_page_token = answer.next_page_token;
        Ok(answer.history.map_or_else(Vec::new, |history| history.events))
    }

    /// Makes the next page the first one, if there is none left.
    pub(super) fn start_over_if_done(&mut self) {
        self.done = false;
    }

    fn failed(&self, error: RpcError) -> HistoryError {
        if !is_workflow_not_found(&error) {
            return HistoryError::Rpc(error);
        }
        let execution = self.request.execution.as_ref();
        let workflow_id = execution.map_or_else(String::new, |execution| execution.workflow_id.clone());
        HistoryError::NotFound { workflow_id, source: error }
    }
}
