//! Workflow tasks on their way: offered to workers, polled, and answered.

mod completed;
mod history;
mod pages;
mod response;

use stead_proto::enums::v1::{TaskQueueKind, WorkflowTaskFailedCause};
use stead_proto::workflowservice::v1 as api;

use super::activity_options::check_queue;
use super::call::Outcome;
use super::deployments::{directive_of, stays_on_version};
use super::matching::{Match, Polled, Poller, QueueKind, Task, version_of};
use super::namespaces::NamespaceKey;
use super::queries::QueryId;
use super::run::close::Termination;
use super::run::state::WorkflowTask;
use super::run::versioning::Dispatch;
use super::run::{Run, RunKey};
use super::standalone_activities::ActivityKey;
use super::start::HISTORY_SERVICE;
use super::token::{TaskToken, TokenKind};
use super::waits::Wait;
pub(crate) use history::HistoryWait;
pub(super) use pages::Pages;
use response::Delivery;

use super::{Call, Engine, Refusal, Response, Time, raw};

/// What a task in a queue stands for. It may be stale by the time that it is matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TaskRef {
    /// The workflow task of a run.
    Workflow { run: RunKey, stamp: u64, sticky: bool },
    /// An activity of a run, by its scheduled event.
    Activity { run: RunKey, id: i64, stamp: u64 },
    /// An activity without a workflow.
    StandaloneActivity { key: ActivityKey, stamp: u64 },
    /// What a handler of Nexus operations is asked.
    Nexus { request: u64 },
    /// A query of a run.
    Query { id: QueryId, stamp: u64 },
}

impl Engine {
    pub(super) fn poll_workflow_task_queue(
        &mut self,
        call: &Call,
        request: api::PollWorkflowTaskQueueRequest,
    ) -> Result<Outcome, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        let queue = request.task_queue.unwrap_or_default();
        check_queue(&queue.name, self.config.limits.id_length)?;
        let kind = if queue.kind() == TaskQueueKind::Sticky { QueueKind::Sticky } else { QueueKind::Workflow };
        let (options, capabilities) = (&request.deployment_options, &request.worker_version_capabilities);
        self.register_worker(namespace, kind, &queue.name, options.as_ref(), capabilities.as_ref())?;
        let queue = self.matching.queue(namespace, kind, &queue.name, self.now);
        let poller = Poller {
            call: call.id,
            identity: request.identity,
            worker_instance_key: request.worker_instance_key,
            deployment_options: request.deployment_options,
            capabilities: request.worker_version_capabilities,
            max_tasks_per_second: None,
        };
        match self.matching.poll(queue, poller, self.now) {
            Polled::Waits => {
                self.waits.insert(call.id, Wait::WorkflowTask);
                Ok(Outcome::Waits)
            }
            Polled::ShutDown => Ok(raw::PollWorkflowTaskQueueResponse::default().into()),
        }
    }

    /// Puts a run's workflow task into the queue of the worker that knows the run, if that worker lives, or of any.
    pub(super) fn offer_workflow_task(&mut self, key: RunKey) {
        let Some(run) = self.runs.get(key) else { return };
        let Some(WorkflowTask::Scheduled(task)) = &run.state.task else { return };
        let sticky = run
            .state
            .sticky
            .as_ref()
            .map(|sticky| self.matching.queue(run.namespace(), QueueKind::Sticky, &sticky.queue, self.now));
        let sticky = sticky.filter(|queue| self.matching.has_recent_poller(*queue, self.now));
        let ordinary = self.matching.queue(run.namespace(), QueueKind::Workflow, &run.state.task_queue, self.now);
        let sticky =
            sticky.filter(|_| stays_on_version(&run.state, self.matching.target(ordinary, &run.state.workflow_id)));
        let queue = sticky.unwrap_or(ordinary);
        let task = Task {
            id: TaskRef::Workflow { run: key, stamp: run.state.task_stamp, sticky: sticky.is_some() },
            workflow_id: &run.state.workflow_id,
            directive: directive_of(&run.state),
            priority: run.state.priority.as_ref(),
            added: Time::from_unix_nanos(task.at),
        };
        self.matching.add(queue, task, self.now);
    }

    /// Gives a task to the poll that it was matched with, unless the task is stale.
    pub(super) fn deliver(&mut self, matched: Match<TaskRef>) {
        let response = match matched.task {
            TaskRef::Workflow { run, stamp, sticky } => {
                self.start_workflow_task(run, stamp, sticky, &matched).map(Response::from)
            }
            TaskRef::Activity { run, id, stamp } => {
                self.start_activity_task(run, id, stamp, &matched).map(Response::from)
            }
            TaskRef::StandaloneActivity { key, stamp } => {
                self.start_standalone_activity_task(key, stamp, &matched).map(Response::from)
            }
            TaskRef::Nexus { request } => self.start_nexus_task(request, &matched).map(Response::from),
            TaskRef::Query { id, stamp } => self.start_query(id, stamp, &matched).map(Response::from),
        };
        match response {
            Some(response) => {
                self.waits.remove(matched.poller.call);
                self.reply(matched.poller.call, Ok(response));
            }
            None => self.matching.put_back(matched, self.now),
        }
    }

    fn start_workflow_task(
        &mut self,
        key: RunKey,
        stamp: u64,
        sticky: bool,
        matched: &Match<TaskRef>,
    ) -> Option<raw::PollWorkflowTaskQueueResponse> {
        let run = self.runs.get(key)?;
        let waits = matches!(run.state.task, Some(WorkflowTask::Scheduled(_)));
        if !waits || run.state.task_stamp != stamp || run.is_paused() {
            return None;
        }
        let dispatch = self.dispatch_of(run, matched);
        let request_id = self.ids.uuid().to_string();
        self.transact_speculative(key, |run, cx| {
            run.note_target(&dispatch);
            run.start_task(cx, &matched.poller.identity, &request_id, sticky);
            // What becomes of a speculative task is seen when it ends.
            if !run.state.task.as_ref().is_some_and(WorkflowTask::is_speculative) {
                run.follow_worker(dispatch);
            }
        });
        let mut response = self.deliver_workflow_task(key, Delivery { sticky, heartbeat: false })?;
        response.backlog_count_hint = i64::try_from(matched.backlog).unwrap_or(i64::MAX);
        response.poller_scaling_decision.clone_from(&matched.scaling);
        Some(response)
    }

    /// Which worker has taken a task of a run, and which would if the task were routed.
    pub(super) fn dispatch_of(&self, run: &Run, matched: &Match<TaskRef>) -> Dispatch {
        let poller = &matched.poller;
        let worker = version_of(poller.deployment_options.as_ref(), poller.capabilities.as_ref());
        let queue = self.matching.find(run.namespace(), QueueKind::Workflow, &run.state.task_queue);
        let id = &run.state.workflow_id;
        Dispatch {
            worker: worker.filter(|version| !version.deployment_name.is_empty()),
            target: queue.and_then(|queue| self.matching.target(queue, id)).cloned(),
            revision: queue.map_or(0, |queue| self.matching.revision(queue, id)),
        }
    }

    /// Starts the first task of a run for the client that started the run, which has a worker.
    pub(super) fn start_eagerly(
        &mut self,
        key: RunKey,
        request: &api::StartWorkflowExecutionRequest,
    ) -> Option<raw::PollWorkflowTaskQueueResponse> {
        let run = self.runs.get(key)?;
        if !matches!(run.state.task, Some(WorkflowTask::Scheduled(_))) {
            return None;
        }
        self.transact(key, |run, cx| run.start_task(cx, &request.identity, &request.request_id, false));
        self.deliver_workflow_task(key, Delivery { sticky: false, heartbeat: false })
    }

    /// The first task again, if the client that started the run has not answered it and nothing else has happened.
    pub(super) fn eager_task_again(&mut self, key: RunKey) -> Option<raw::PollWorkflowTaskQueueResponse> {
        let run = self.runs.get(key)?;
        match &run.state.task {
            Some(WorkflowTask::Started(task)) if task.started_event_id == 3 && task.scheduled.attempt == 1 => {
                self.deliver_workflow_task(key, Delivery { sticky: false, heartbeat: false })
            }
            _ => None,
        }
    }

    pub(super) fn respond_workflow_task_failed(
        &mut self,
        request: api::RespondWorkflowTaskFailedRequest,
    ) -> Result<Outcome, Refusal> {
        let namespace = self.namespaces.named(&request.namespace)?;
        let token = TaskToken::read(&request.task_token)?;
        let key = self.started_task(&token, namespace)?;
        let cause = request.cause();
        self.transact(key, |run, cx| {
            run.fail_task(cx, cause, request.failure, &request.identity);
            if cause == WorkflowTaskFailedCause::GrpcMessageTooLarge {
                let reason = "GrpcMessageTooLarge".to_owned();
                run.terminate(cx, Termination { reason, identity: HISTORY_SERVICE.to_owned(), ..Default::default() });
            } else {
                run.wake(cx);
            }
        });
        Ok(api::RespondWorkflowTaskFailedResponse {}.into())
    }

    /// The run whose started workflow task a token is of.
    fn started_task(&self, token: &TaskToken, namespace: Option<NamespaceKey>) -> Result<RunKey, Refusal> {
        let not_found = || Refusal::not_found("Workflow task not found.");
        if !token.is(TokenKind::WorkflowTask) {
            return Err(not_found());
        }
        let run = self.runs.get(RunKey(token.key)).ok_or_else(not_found)?;
        check_token_namespace(namespace, run.namespace())?;
        if is_of_started_task(run, token) { Ok(run.key) } else { Err(not_found()) }
    }
}

/// Refuses a call that answers a task of another namespace than the one that it names.
pub(super) fn check_token_namespace(named: Option<NamespaceKey>, of_task: NamespaceKey) -> Result<(), Refusal> {
    if named.is_none_or(|named| named == of_task) {
        return Ok(());
    }
    Err(Refusal::invalid("Operation requested with a token from a different namespace."))
}

/// Whether a worker has the task that a token is of.
fn is_of_started_task(run: &Run, token: &TaskToken) -> bool {
    let Some(WorkflowTask::Started(task)) = &run.state.task else { return false };
    run.state.task_stamp == token.stamp && task.at == token.started_at && task.scheduled.attempt == token.attempt
}
