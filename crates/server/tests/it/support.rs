//! [`Server`]: an engine that is called and answers at once, on a clock that the test moves; and a worker by hand.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use stead_proto::command::v1::Command;
use stead_proto::command::v1::command::Attributes;
use stead_proto::common::v1::{Payload, Payloads, WorkflowExecution, WorkflowType};
use stead_proto::enums::v1::{CommandType, TaskQueueKind};
use stead_proto::history::v1::HistoryEvent;
use stead_proto::taskqueue::v1::{StickyExecutionAttributes, TaskQueue};
use stead_proto::workflowservice::v1 as api;
use stead_server::engine::{Call, CallId, Config, Engine, Output, Refusal, Request, Response, Time, raw};
use stead_server::store::{Row, Table};

/// An engine, its clock, and what it has not been asked for yet.
pub(crate) struct Server {
    pub(crate) engine: Engine,
    pub(crate) now: Time,
    pub(crate) calls: u64,
    /// What a store would have by now.
    pub(crate) kept: BTreeMap<(Table, Bytes), Bytes>,
    pub(crate) answers: Vec<(CallId, Result<Response, Refusal>)>,
}

impl Server {
    pub(crate) fn new() -> Self {
        Self::with(Config::default())
    }

    pub(crate) fn with(config: Config) -> Self {
        // 2026-01-01T00:00:00Z, so that times in failures are easy to read.
        let now = Time::from_unix_nanos(1_767_225_600_000_000_000);
        Self { engine: Engine::new(config, now), now, calls: 0, kept: BTreeMap::new(), answers: Vec::new() }.started()
    }

    fn started(mut self) -> Self {
        self.collect();
        self
    }

    /// Calls, and leaves the answer to [`Self::answer`].
    pub(crate) fn send(&mut self, request: impl Into<Request>) -> CallId {
        self.send_as("temporal-test", request)
    }

    /// As [`Self::send`], from a client of this name.
    pub(crate) fn send_as(&mut self, client_name: &str, request: impl Into<Request>) -> CallId {
        self.send_patiently(client_name, None, request)
    }

    /// As [`Self::send_as`], from somebody who waits that long for the answer.
    pub(crate) fn send_patiently(
        &mut self,
        client_name: &str,
        patience: Option<Duration>,
        request: impl Into<Request>,
    ) -> CallId {
        self.calls += 1;
        let call = Call { id: CallId(self.calls), client_name: client_name.to_owned(), patience };
        self.engine.handle(&call, request.into(), self.now);
        self.collect();
        call.id
    }

    /// The answer of a call, if there is one by now.
    pub(crate) fn answer(&mut self, call: CallId) -> Option<Result<Response, Refusal>> {
        let found = self.answers.iter().position(|(answered, _)| *answered == call)?;
        Some(self.answers.remove(found).1)
    }

    /// Calls, and expects the answer at once.
    pub(crate) fn try_call(&mut self, request: impl Into<Request>) -> Result<Response, Refusal> {
        let request = request.into();
        let method = request.method();
        let call = self.send(request);
        self.answer(call).unwrap_or_else(|| panic!("{method} waits"))
    }

    /// Ends a long poll as the driver does when its time is up, and gives the answer.
    pub(crate) fn expire(&mut self, call: CallId) -> Result<Response, Refusal> {
        self.engine.handle_expired(call, self.now);
        self.collect();
        self.answer(call).expect("an answer to the expired call")
    }

    /// Moves the clock, stopping wherever the engine has something to do.
    pub(crate) fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        while let Some(at) = self.engine.poll_timeout().filter(|at| *at <= end) {
            self.advance_to(at);
        }
        self.now = end;
        self.engine.handle_timeout(end);
        self.collect();
    }

    /// Moves the clock to where the engine has something to do, and lets it do so once.
    pub(crate) fn advance_to(&mut self, at: Time) {
        self.now = self.now.max(at);
        self.engine.handle_timeout(self.now);
        self.collect();
    }

    fn read(&mut self, table: Table, prefix: &Bytes) {
        let rows = self.kept.iter().filter(|((of, key), _)| *of == table && key.starts_with(prefix));
        let rows =
            rows.map(|((table, key), value)| Row { table: *table, key: key.clone(), value: Some(value.clone()) });
        self.engine.handle_rows(prefix, rows.collect(), self.now);
    }

    fn collect(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Read { table, prefix } => self.read(table, &prefix),
                Output::Reply { call, answer } => self.answers.push((call, answer)),
                Output::Write(batch) => {
                    for row in batch.rows {
                        match row.value {
                            Some(value) => self.kept.insert((row.table, row.key), value),
                            None => self.kept.remove(&(row.table, row.key)),
                        };
                    }
                }
            }
        }
    }
}

/// Calls, and expects an answer of the kind that belongs to the call.
#[macro_export]
macro_rules! call {
    ($server:expr, $method:ident, $request:expr) => {
        match $server.try_call($request) {
            Ok(stead_server::engine::Response::$method(response)) => *response,
            other => panic!("{} answers {other:?}", stringify!($method)),
        }
    };
}

/// What a client and a worker do, in few words. Workflows have the type `Flow`, and everything happens on the queue `q`.
impl Server {
    /// Starts a workflow; its run id.
    pub(crate) fn start(&mut self, workflow_id: &str) -> String {
        crate::call!(self, StartWorkflowExecution, start_request(workflow_id)).run_id
    }

    /// Polls for a workflow task and expects one at once.
    pub(crate) fn task(&mut self) -> raw::PollWorkflowTaskQueueResponse {
        crate::call!(self, PollWorkflowTaskQueue, poll_request())
    }

    /// Polls for an activity task and expects one at once.
    pub(crate) fn activity(&mut self) -> api::PollActivityTaskQueueResponse {
        crate::call!(self, PollActivityTaskQueue, activity_poll_request())
    }

    /// Completes a workflow task with commands.
    pub(crate) fn complete(
        &mut self,
        task: &raw::PollWorkflowTaskQueueResponse,
        commands: Vec<Command>,
    ) -> raw::RespondWorkflowTaskCompletedResponse {
        crate::call!(self, RespondWorkflowTaskCompleted, complete_request(task, commands))
    }

    /// Polls for a workflow task and completes it.
    pub(crate) fn step(&mut self, commands: Vec<Command>) -> raw::RespondWorkflowTaskCompletedResponse {
        let task = self.task();
        self.complete(&task, commands)
    }

    pub(crate) fn signal(&mut self, workflow_id: &str, name: &str) {
        let request = api::SignalWorkflowExecutionRequest {
            namespace: NAMESPACE.to_owned(),
            workflow_execution: Some(execution(workflow_id)),
            signal_name: name.to_owned(),
            ..Default::default()
        };
        crate::call!(self, SignalWorkflowExecution, request);
    }

    /// The history of the current run of a workflow id.
    pub(crate) fn history(&mut self, workflow_id: &str) -> Vec<HistoryEvent> {
        let request = api::GetWorkflowExecutionHistoryRequest {
            namespace: NAMESPACE.to_owned(),
            execution: Some(execution(workflow_id)),
            ..Default::default()
        };
        self.written(request)
    }

    /// What is written of a history: people at a terminal do not get the events of a task that is not written yet.
    fn written(&mut self, request: api::GetWorkflowExecutionHistoryRequest) -> Vec<HistoryEvent> {
        let call = self.send_as("temporal-cli", request);
        match self.answer(call) {
            Some(Ok(Response::GetWorkflowExecutionHistory(response))) => decoded(response.history),
            other => panic!("GetWorkflowExecutionHistory answers {other:?}"),
        }
    }

    /// The event types of that history, such as `TimerFired`, with spaces between them.
    pub(crate) fn events(&mut self, workflow_id: &str) -> String {
        types(&self.history(workflow_id))
    }
}

pub(crate) const NAMESPACE: &str = "default";

/// Decodes events as a worker does.
pub(crate) fn decoded(history: Option<raw::History>) -> Vec<HistoryEvent> {
    let events = history.unwrap_or_default().events;
    events.into_iter().map(|event| HistoryEvent::decode(event).expect("an event")).collect()
}

pub(crate) fn types(events: &[HistoryEvent]) -> String {
    let names: Vec<_> = events.iter().map(|event| format!("{:?}", event.event_type())).collect();
    names.join(" ")
}

pub(crate) fn execution(workflow_id: &str) -> WorkflowExecution {
    WorkflowExecution { workflow_id: workflow_id.to_owned(), run_id: String::new() }
}

pub(crate) fn queue() -> TaskQueue {
    TaskQueue { name: "q".to_owned(), kind: TaskQueueKind::Normal.into(), normal_name: String::new() }
}

pub(crate) fn sticky_queue() -> TaskQueue {
    TaskQueue { name: "q-sticky".to_owned(), kind: TaskQueueKind::Sticky.into(), normal_name: "q".to_owned() }
}

pub(crate) fn start_request(workflow_id: &str) -> api::StartWorkflowExecutionRequest {
    api::StartWorkflowExecutionRequest {
        namespace: NAMESPACE.to_owned(),
        workflow_id: workflow_id.to_owned(),
        workflow_type: Some(WorkflowType { name: "Flow".to_owned() }),
        task_queue: Some(queue()),
        identity: "client".to_owned(),
        ..Default::default()
    }
}

pub(crate) fn poll_request() -> api::PollWorkflowTaskQueueRequest {
    api::PollWorkflowTaskQueueRequest {
        namespace: NAMESPACE.to_owned(),
        task_queue: Some(queue()),
        identity: "worker".to_owned(),
        ..Default::default()
    }
}

pub(crate) fn sticky_poll_request() -> api::PollWorkflowTaskQueueRequest {
    api::PollWorkflowTaskQueueRequest { task_queue: Some(sticky_queue()), ..poll_request() }
}

pub(crate) fn activity_poll_request() -> api::PollActivityTaskQueueRequest {
    api::PollActivityTaskQueueRequest {
        namespace: NAMESPACE.to_owned(),
        task_queue: Some(queue()),
        identity: "worker".to_owned(),
        ..Default::default()
    }
}

pub(crate) fn complete_request(
    task: &raw::PollWorkflowTaskQueueResponse,
    commands: Vec<Command>,
) -> api::RespondWorkflowTaskCompletedRequest {
    api::RespondWorkflowTaskCompletedRequest {
        namespace: NAMESPACE.to_owned(),
        task_token: task.task_token.clone(),
        commands,
        identity: "worker".to_owned(),
        return_new_workflow_task: true,
        ..Default::default()
    }
}

/// What a worker says that keeps workflows in its cache.
pub(crate) fn sticky() -> Option<StickyExecutionAttributes> {
    let schedule_to_start_timeout = Some(prost_types::Duration { seconds: 5, nanos: 0 });
    Some(StickyExecutionAttributes { worker_task_queue: Some(sticky_queue()), schedule_to_start_timeout })
}

pub(crate) fn secs(seconds: i64) -> Option<prost_types::Duration> {
    Some(prost_types::Duration { seconds, nanos: 0 })
}

/// A command of the type that belongs to its attributes.
pub(crate) fn command(attributes: Attributes) -> Command {
    let command_type = match &attributes {
        Attributes::ScheduleActivityTaskCommandAttributes(_) => CommandType::ScheduleActivityTask,
        Attributes::StartTimerCommandAttributes(_) => CommandType::StartTimer,
        Attributes::CompleteWorkflowExecutionCommandAttributes(_) => CommandType::CompleteWorkflowExecution,
        Attributes::FailWorkflowExecutionCommandAttributes(_) => CommandType::FailWorkflowExecution,
        Attributes::RequestCancelActivityTaskCommandAttributes(_) => CommandType::RequestCancelActivityTask,
        Attributes::CancelTimerCommandAttributes(_) => CommandType::CancelTimer,
        Attributes::CancelWorkflowExecutionCommandAttributes(_) => CommandType::CancelWorkflowExecution,
        Attributes::RequestCancelExternalWorkflowExecutionCommandAttributes(_) => {
            CommandType::RequestCancelExternalWorkflowExecution
        }
        Attributes::RecordMarkerCommandAttributes(_) => CommandType::RecordMarker,
        Attributes::ContinueAsNewWorkflowExecutionCommandAttributes(_) => CommandType::ContinueAsNewWorkflowExecution,
        Attributes::StartChildWorkflowExecutionCommandAttributes(_) => CommandType::StartChildWorkflowExecution,
        Attributes::SignalExternalWorkflowExecutionCommandAttributes(_) => CommandType::SignalExternalWorkflowExecution,
        Attributes::UpsertWorkflowSearchAttributesCommandAttributes(_) => CommandType::UpsertWorkflowSearchAttributes,
        Attributes::ProtocolMessageCommandAttributes(_) => CommandType::ProtocolMessage,
        Attributes::ModifyWorkflowPropertiesCommandAttributes(_) => CommandType::ModifyWorkflowProperties,
        Attributes::ScheduleNexusOperationCommandAttributes(_) => CommandType::ScheduleNexusOperation,
        Attributes::RequestCancelNexusOperationCommandAttributes(_) => CommandType::RequestCancelNexusOperation,
    };
    Command { command_type: command_type.into(), attributes: Some(attributes), ..Default::default() }
}

pub(crate) fn complete_workflow() -> Command {
    command(Attributes::CompleteWorkflowExecutionCommandAttributes(Default::default()))
}

pub(crate) fn fail_workflow() -> Command {
    let failure = Some(stead_proto::failure::v1::Failure { message: "no".to_owned(), ..Default::default() });
    let attributes = stead_proto::command::v1::FailWorkflowExecutionCommandAttributes { failure };
    command(Attributes::FailWorkflowExecutionCommandAttributes(Box::new(attributes)))
}

pub(crate) fn start_timer(timer_id: &str, seconds: i64) -> Command {
    command(Attributes::StartTimerCommandAttributes(stead_proto::command::v1::StartTimerCommandAttributes {
        timer_id: timer_id.to_owned(),
        start_to_fire_timeout: secs(seconds),
    }))
}

/// An activity that may take ten seconds.
pub(crate) fn schedule_activity(activity_id: &str) -> Command {
    command(Attributes::ScheduleActivityTaskCommandAttributes(Box::new(
        stead_proto::command::v1::ScheduleActivityTaskCommandAttributes {
            activity_id: activity_id.to_owned(),
            activity_type: Some(stead_proto::common::v1::ActivityType { name: "charge".to_owned() }),
            task_queue: Some(queue()),
            start_to_close_timeout: secs(10),
            ..Default::default()
        },
    )))
}

pub(crate) fn text(text: &str) -> Option<Payloads> {
    let metadata = [("encoding".to_owned(), "json/plain".into())].into();
    let data = format!("\"{text}\"").into();
    Some(Payloads { payloads: vec![Payload { metadata, data, ..Default::default() }] })
}

/// The attributes of the last event of a kind.
#[macro_export]
macro_rules! last {
    ($history:expr, $kind:ident) => {
        $history
            .iter()
            .rev()
            .find_map(|event| match &event.attributes {
                Some(stead_proto::history::v1::history_event::Attributes::$kind(attributes)) => {
                    Some(attributes.clone())
                }
                _ => None,
            })
            .unwrap_or_else(|| panic!("no {} in {}", stringify!($kind), $crate::support::types(&$history)))
    };
}

impl Server {
    /// The history of a run of a workflow id.
    pub(crate) fn history_of(&mut self, workflow_id: &str, run_id: &str) -> Vec<HistoryEvent> {
        let request = api::GetWorkflowExecutionHistoryRequest {
            namespace: NAMESPACE.to_owned(),
            execution: Some(WorkflowExecution { workflow_id: workflow_id.to_owned(), run_id: run_id.to_owned() }),
            ..Default::default()
        };
        self.written(request)
    }

    /// Polls for a workflow task on a queue of its own and expects one at once.
    pub(crate) fn task_on(&mut self, queue: &str) -> raw::PollWorkflowTaskQueueResponse {
        let request = api::PollWorkflowTaskQueueRequest { task_queue: named_queue(queue), ..poll_request() };
        crate::call!(self, PollWorkflowTaskQueue, request)
    }

    /// Polls for a workflow task on a queue of its own and completes it.
    pub(crate) fn step_on(&mut self, queue: &str, commands: Vec<Command>) -> raw::RespondWorkflowTaskCompletedResponse {
        let task = self.task_on(queue);
        self.complete(&task, commands)
    }

    /// Completes the next workflow task, which the server refuses to take; what it says.
    pub(crate) fn refused(&mut self, commands: Vec<Command>) -> String {
        let task = self.task();
        self.try_call(complete_request(&task, commands)).expect_err("the commands are bad").message
    }

    pub(crate) fn cancel(&mut self, workflow_id: &str) {
        let request = api::RequestCancelWorkflowExecutionRequest {
            namespace: NAMESPACE.to_owned(),
            workflow_execution: Some(execution(workflow_id)),
            ..Default::default()
        };
        crate::call!(self, RequestCancelWorkflowExecution, request);
    }

    pub(crate) fn terminate(&mut self, workflow_id: &str) {
        let request = api::TerminateWorkflowExecutionRequest {
            namespace: NAMESPACE.to_owned(),
            workflow_execution: Some(execution(workflow_id)),
            ..Default::default()
        };
        crate::call!(self, TerminateWorkflowExecution, request);
    }
}

pub(crate) fn named_queue(name: &str) -> Option<TaskQueue> {
    Some(TaskQueue { name: name.to_owned(), ..queue() })
}

/// Fails the workflow with an application failure of this type.
pub(crate) fn fail_with(kind: &str) -> Command {
    use stead_proto::failure::v1::failure::FailureInfo;
    use stead_proto::failure::v1::{ApplicationFailureInfo, Failure};
    let info = ApplicationFailureInfo { r#type: kind.to_owned(), ..Default::default() };
    command(Attributes::FailWorkflowExecutionCommandAttributes(Box::new(
        stead_proto::command::v1::FailWorkflowExecutionCommandAttributes {
            failure: Some(Failure {
                message: "no".to_owned(),
                failure_info: Some(FailureInfo::ApplicationFailureInfo(info)),
                ..Default::default()
            }),
        },
    )))
}

/// Goes on in a new run that is like this one.
pub(crate) fn continue_as_new() -> Command {
    command(Attributes::ContinueAsNewWorkflowExecutionCommandAttributes(Default::default()))
}
