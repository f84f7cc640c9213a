//! [`Live`]: a server that runs, its client, and a worker by hand.

use std::time::Duration;

use stead_client::{CallOptions, Client, RetryOptions, RpcError, WorkflowService};
use stead_proto::command::v1::Command;
use stead_proto::common::v1::WorkflowExecution;
use stead_proto::enums::v1::HistoryEventFilterType;
use stead_proto::history::v1::HistoryEvent;
use stead_proto::workflowservice::v1 as api;
use stead_server::{Builder, Server, Service};

use crate::support::{NAMESPACE, poll_request, start_request};

pub(crate) struct Live {
    pub(crate) server: Server,
    pub(crate) calls: WorkflowService,
}

impl Live {
    pub(crate) async fn start(builder: Builder) -> Self {
        let server = builder.start().await.unwrap();
        let calls = calls(server.service()).await;
        Self { server, calls }
    }

    pub(crate) async fn start_workflow(&self, id: &str) -> Result<(), RpcError> {
        self.calls.start_workflow_execution(start_request(id), CallOptions::new()).await.map(|_| ())
    }

    pub(crate) async fn task(&self) -> api::PollWorkflowTaskQueueResponse {
        let task = self.calls.poll_workflow_task_queue(poll_request(), timeout(60)).await.unwrap();
        assert!(!task.task_token.is_empty(), "the poll came back without a task");
        task
    }

    /// Takes the next workflow task and completes it.
    pub(crate) async fn step(&self, commands: Vec<Command>) {
        let task = self.task().await;
        let request = api::RespondWorkflowTaskCompletedRequest {
            namespace: NAMESPACE.to_owned(),
            task_token: task.task_token,
            commands,
            ..Default::default()
        };
        self.calls.respond_workflow_task_completed(request, CallOptions::new()).await.unwrap();
    }

    /// Waits until the workflow closes; the event that closed it.
    pub(crate) async fn closed(&self, id: &str) -> HistoryEvent {
        let mut token = Default::default();
        loop {
            let request = history_request(id, token, HistoryEventFilterType::CloseEvent);
            let page = self.calls.get_workflow_execution_history(request, timeout(30)).await.unwrap();
            if let Some(event) = page.history.unwrap_or_default().events.pop() {
                return event;
            }
            token = page.next_page_token;
        }
    }

    /// The events of a workflow so far.
    pub(crate) async fn events(&self, id: &str) -> Result<Vec<HistoryEvent>, RpcError> {
        let mut request = history_request(id, Default::default(), HistoryEventFilterType::AllEvent);
        request.wait_new_event = false;
        let page = self.calls.get_workflow_execution_history(request, timeout(30)).await?;
        Ok(page.history.unwrap_or_default().events)
    }
}

/// Returns when the server has so many calls under way.
pub(crate) async fn calls_under_way(server: &Server, calls: usize) {
    let reached = async {
        while server.calls_under_way() != calls {
            tokio::task::yield_now().await;
        }
    };
    let reached = tokio::time::timeout(Duration::from_secs(60), reached).await;
    reached.unwrap_or_else(|_| panic!("{} calls are under way, not {calls}", server.calls_under_way()));
}

pub(crate) async fn calls(service: Service) -> WorkflowService {
    let client = Client::with_service(service).retry(RetryOptions::default().max_attempts(1)).await.unwrap();
    client.connection().workflow_service()
}

/// Of a call, in seconds.
pub(crate) fn timeout(seconds: u64) -> CallOptions {
    CallOptions::new().timeout(Duration::from_secs(seconds))
}

pub(crate) fn history_request(
    id: &str,
    token: bytes::Bytes,
    filter: HistoryEventFilterType,
) -> api::GetWorkflowExecutionHistoryRequest {
    api::GetWorkflowExecutionHistoryRequest {
        namespace: NAMESPACE.to_owned(),
        execution: Some(WorkflowExecution { workflow_id: id.to_owned(), run_id: String::new() }),
        next_page_token: token,
        wait_new_event: true,
        history_event_filter_type: filter.into(),
        ..Default::default()
    }
}
