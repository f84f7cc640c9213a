//! [`Stuck`]: who waits on what when nothing goes on any more.

use std::fmt::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use stead_client::{CallOptions, Client, RetryKind, RpcError};
use stead_proto::common::v1::WorkflowExecution;
use stead_proto::enums::v1::{PendingActivityState, PendingWorkflowTaskState};
use stead_proto::failure::v1::Failure;
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::workflow::v1::{PendingActivityInfo, PendingWorkflowTaskInfo, WorkflowExecutionInfo};
use stead_proto::workflowservice::v1::{
    DescribeWorkflowExecutionRequest, DescribeWorkflowExecutionResponse, GetWorkflowExecutionHistoryReverseRequest,
    ListWorkflowExecutionsRequest,
};
use stead_server::{Server, Standstill};

/// A test waits for something that will not happen: nothing can run, and no timer is left. It shows each open workflow
/// with what it waits for, and the lines of its code where these waits are.
///
/// See [`TestEnv::stuck`](super::TestEnv::stuck).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    workflows: Vec<Waiting>,
    more: bool,
}

/// A workflow that is open, and what it waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Waiting {
    workflow_type: String,
    workflow_id: String,
    on: Vec<String>,
}

/// Notices that a test is stuck.
#[derive(Debug)]
pub(crate) struct Watch {
    server: Arc<Server>,
    client: Client,
}

impl Watch {
    pub(super) fn new(server: Arc<Server>, client: Client) -> Self {
        Self { server, client }
    }

    /// Returns when everything has stood still for long enough, unless another is told of it.
    pub(super) async fn stuck(&self, is_for_another: impl Fn() -> bool) -> Stuck {
        let mut since: Option<(Standstill, u32)> = None;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            // Looks are counted and not the time between them: who cannot look, as the test computes, sees nothing.
            since = match (self.server.standstill().await, since) {
                (None, _) => None,
                (Some(now), Some((before, looks))) if now == before => Some((now, looks + 1)),
                (Some(now), _) => Some((now, 0)),
            };
            match since {
                Some((standstill, looks)) if looks >= looks_enough(standstill) && !is_for_another() => {
                    return Stuck::look(&self.client).await;
                }
                _ => {}
            }
        }
    }
}

impl Stuck {
    /// Asks the server, and the workflows, what they wait for.
    pub(crate) async fn look(client: &Client) -> Self {
        let request = ListWorkflowExecutionsRequest {
            namespace: client.namespace().to_owned(),
            query: "ExecutionStatus = 'Running'".to_owned(),
            page_size: SHOWN + 1,
            ..Default::default()
        };
        let list = client.connection().workflow_service().list_workflow_executions(request, quickly()).await;
        let mut found = list.map(|list| list.executions).unwrap_or_default();
        let more = found.len() > SHOWN as usize;
        found.truncate(SHOWN as usize);
        let (asker, mut workflows) = (Asker { client }, Vec::new());
        // The oldest first.
        for info in found.into_iter().rev() {
            workflows.push(asker.waiting(info).await);
        }
        Self { workflows, more }
    }
}

/// Asks about single workflows.
struct Asker<'a> {
    client: &'a Client,
}

impl Asker<'_> {
    async fn waiting(&self, info: WorkflowExecutionInfo) -> Waiting {
        let execution = info.execution.unwrap_or_default();
        let mut on = Vec::new();
        match self.describe(&execution).await {
            Ok(described) => self.add_waits(&execution, described, &mut on).await,
            Err(error) => on.push(format!("(not known: {error})")),
        }
        Waiting { workflow_type: info.r#type.unwrap_or_default().name, workflow_id: execution.workflow_id, on }
    }

    async fn describe(&self, execution: &WorkflowExecution) -> Result<DescribeWorkflowExecutionResponse, RpcError> {
        let request = DescribeWorkflowExecutionRequest {
            namespace: self.client.namespace().to_owned(),
            execution: Some(execution.clone()),
        };
        self.client.connection().workflow_service().describe_workflow_execution(request, quickly()).await
    }

    async fn add_waits(
        &self,
        execution: &WorkflowExecution,
        described: DescribeWorkflowExecutionResponse,
        on: &mut Vec<String>,
    ) {
        let task_queue =
            described.execution_config.and_then(|config| config.task_queue).map(|queue| queue.name).unwrap_or_default();
        match &described.pending_workflow_task {
            Some(task) => on.push(self.task(execution, task, &task_queue).await),
            // Its code is at rest, so it can say where it waits.
            None => on.extend(self.trace(execution).await),
        }
        on.extend(described.pending_activities.iter().map(activity));
        on.extend(
            described
                .pending_children
                .iter()
                .map(|child| format!("child {} `{}`", child.workflow_type_name, child.workflow_id)),
        );
        on.extend(
            described
                .pending_nexus_operations
                .iter()
                .map(|operation| format!("Nexus operation {}.{}", operation.service, operation.operation)),
        );
    }

    async fn task(&self, execution: &WorkflowExecution, task: &PendingWorkflowTaskInfo, task_queue: &str) -> String {
        let mut said = if task.state() == PendingWorkflowTaskState::Started {
            "its workflow task, which a worker has".to_owned()
        } else {
            format!("a worker that takes workflow tasks of the task queue `{task_queue}`")
        };
        if task.attempt > 1 {
            let _ = write!(said, "; attempt {}", task.attempt);
            if let Some(failure) = self.last_failure(execution).await {
                let _ = write!(said, ", the one before failed: {}", failure.message);
            }
        }
        said
    }

    /// Why a workflow task failed last.
    async fn last_failure(&self, execution: &WorkflowExecution) -> Option<Failure> {
        let request = GetWorkflowExecutionHistoryReverseRequest {
            namespace: self.client.namespace().to_owned(),
            execution: Some(execution.clone()),
            maximum_page_size: 10,
            ..Default::default()
        };
        let service = self.client.connection().workflow_service();
        let history = service.get_workflow_execution_history_reverse(request, quickly()).await.ok()?.history?;
        history.events.into_iter().find_map(|event| match event.attributes {
            Some(Attributes::WorkflowTaskFailedEventAttributes(failed)) => failed.failure,
            _ => None,
        })
    }

    /// What the workflow's code says that it waits for; nothing if no worker is there to say it.
    async fn trace(&self, execution: &WorkflowExecution) -> Vec<String> {
        let workflow = self.client.workflow_named(&execution.workflow_id).with_run_id(&execution.run_id);
        let query = workflow.query_named::<String>("__stack_trace", ()).rpc_timeout(PROMPT);
        let lines = query.await.unwrap_or_default();
        lines.lines().map(str::to_owned).collect()
    }
}

fn activity(pending: &PendingActivityInfo) -> String {
    let name = pending.activity_type.as_ref().map_or("", |it| it.name.as_str());
    let state = match pending.state() {
        PendingActivityState::Scheduled => "no worker takes it",
        PendingActivityState::Started => "a worker has it",
        PendingActivityState::CancelRequested => "a worker has it, and was asked to cancel it",
        PendingActivityState::Paused | PendingActivityState::PauseRequested => "it is paused",
        PendingActivityState::Unspecified => "its state is not known",
    };
    let mut said = format!("activity `{name}` (id {}): {state}", pending.activity_id);
    if let Some(failure) = &pending.last_failure {
        let _ = write!(said, "; attempt {}, the one before failed: {}", pending.attempt, failure.message);
    }
    said
}

/// The questions are for whoever mends the test: none is worth waiting for.
fn quickly() -> CallOptions {
    CallOptions::new().timeout(PROMPT).retry(RetryKind::None)
}

fn looks_enough(standstill: Standstill) -> u32 {
    if standstill.retries { PATIENT_LOOKS } else { LOOKS }
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the test is stuck: it waits for something, nothing can run, and no timer is left")?;
        for Waiting { workflow_type, workflow_id, on } in &self.workflows {
            write!(f, "\n  {workflow_type} `{workflow_id}` waits for")?;
            match &on[..] {
                [] => f.write_str(" what it does not say")?,
                [one] => write!(f, " {one}")?,
                several => several.iter().try_for_each(|wait| write!(f, "\n    {wait}"))?,
            }
        }
        match (self.workflows.is_empty(), self.more) {
            (true, _) => f.write_str("\n  no workflow is open"),
            (_, true) => f.write_str("\n  and more workflows"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Stuck {}

const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Two seconds: time for a worker that is being built.
const LOOKS: u32 = 20;
/// Longer than a worker may take for a workflow task (10 s) before the server gives it to another.
const PATIENT_LOOKS: u32 = 110;
/// Workflows that are shown.
const SHOWN: i32 = 20;
/// How long whoever is asked about a stuck test may take.
const PROMPT: Duration = Duration::from_secs(1);
