//! Callbacks: how the ends of workflows and updates reach the Nexus operations that they carry out, and what may be
//! attached to a workflow.

use std::collections::BTreeMap;
use std::time::Duration;

use stead_proto::command::v1::command::Attributes as C;
use stead_proto::command::v1::{
    CancelWorkflowExecutionCommandAttributes, Command, CompleteWorkflowExecutionCommandAttributes,
};
use stead_proto::common::v1::link::workflow_event::{EventReference, Reference};
use stead_proto::common::v1::link::{Variant, WorkflowEvent};
use stead_proto::common::v1::{Callback, Link, RetryPolicy, callback};
use stead_proto::enums::v1::{
    CallbackState, EventType, UpdateWorkflowExecutionLifecycleStage as Stage, WorkflowIdConflictPolicy as Conflict,
};
use stead_proto::failure::v1::Failure;
use stead_proto::failure::v1::failure::FailureInfo;
use stead_proto::nexus::v1::request::Variant as Asked;
use stead_proto::workflow::v1::{CallbackInfo, OnConflictOptions, callback_info};
use stead_proto::workflowservice::v1 as api;
use stead_server::engine::{Code, Refusal};

use crate::nexus_operations::{Task, payload, schedule};
use crate::restart::restarted;
use crate::support::{
    Server, activity_poll_request, command, complete_request, complete_workflow, continue_as_new, fail_with,
    named_queue, secs, start_request, text,
};
use crate::updates::{accept, answer, respond, update_request};
use crate::{call, last};

fn callback_to(url: &str, header: BTreeMap<String, String>) -> Callback {
    let nexus = callback::Nexus { url: url.to_owned(), header };
    Callback { variant: Some(callback::Variant::Nexus(nexus)), links: Vec::new() }
}

/// The callback that a handler was given.
pub(crate) fn callback_of(task: &Task) -> Callback {
    let request = task.request.clone().expect("a request");
    let Some(Asked::StartOperation(start)) = request.variant else { panic!("not a start") };
    callback_to(&start.callback, start.callback_header)
}

/// Starts the workflow `handler` at the queue `h`.
fn handler_start(callbacks: Vec<Callback>) -> api::StartWorkflowExecutionRequest {
    api::StartWorkflowExecutionRequest {
        completion_callbacks: callbacks,
        task_queue: named_queue("h"),
        request_id: "first".to_owned(),
        ..start_request("handler")
    }
}

fn event_link(workflow_id: &str, run_id: &str, event_id: i64, event_type: EventType) -> Link {
    let reference = EventReference { event_id, event_type: event_type.into() };
    let event = WorkflowEvent {
        namespace: "default".to_owned(),
        workflow_id: workflow_id.to_owned(),
        run_id: run_id.to_owned(),
        reference: Some(Reference::EventRef(reference)),
    };
    Link { variant: Some(Variant::WorkflowEvent(event)) }
}

impl Server {
    /// A workflow `w` whose operation the workflow `handler` carries out.
    fn with_handler(change: impl FnOnce(&mut api::StartWorkflowExecutionRequest)) -> Self {
        let mut server = Self::with_operation(|_| {});
        let task = server.nexus_task();
        let mut start = handler_start(vec![callback_of(&task)]);
        change(&mut start);
        call!(server, StartWorkflowExecution, start);
        server.nexus_begin(&task, "token");
        server.step(Vec::new());
        server
    }

    fn callbacks(&mut self, workflow_id: &str) -> Vec<CallbackInfo> {
        self.describe(workflow_id).callbacks
    }

    fn callback_states(&mut self, workflow_id: &str) -> Vec<CallbackState> {
        self.callbacks(workflow_id).iter().map(CallbackInfo::state).collect()
    }

    fn start_refused(&mut self, start: api::StartWorkflowExecutionRequest) -> Refusal {
        self.try_call(start).expect_err("it cannot be started so")
    }
}

fn complete_with(result: &str) -> Command {
    let attributes = CompleteWorkflowExecutionCommandAttributes { result: text(result) };
    command(C::CompleteWorkflowExecutionCommandAttributes(attributes))
}

fn cause(failure: Option<Failure>) -> Failure {
    *failure.and_then(|failure| failure.cause).expect("the failure of an operation has a cause")
}

#[test]
fn the_result_of_a_workflow_is_that_of_the_operation() {
    let mut server = Server::with_handler(|_| {});
    assert_eq!(server.callback_states("handler"), [CallbackState::Standby]);
    server.step_on("h", vec![complete_with("out")]);
    let completed = last!(server.history("w"), NexusOperationCompletedEventAttributes);
    assert_eq!((completed.scheduled_event_id, completed.result), (5, payload("out")));
    let callbacks = server.callbacks("handler");
    assert_eq!((callbacks[0].state(), callbacks[0].attempt), (CallbackState::Succeeded, 1));
    let trigger = callbacks[0].trigger.clone().and_then(|trigger| trigger.variant);
    assert!(matches!(trigger, Some(callback_info::trigger::Variant::WorkflowClosed(_))), "{trigger:?}");
    server.step(vec![complete_workflow()]);
}

#[test]
fn other_ends_of_a_workflow_are_failures_and_cancellations_of_the_operation() {
    let mut server = Server::with_handler(|_| {});
    server.step_on("h", vec![fail_with("Broken")]);
    let failure = cause(last!(server.history("w"), NexusOperationFailedEventAttributes).failure);
    let Some(FailureInfo::ApplicationFailureInfo(info)) = failure.failure_info else { panic!("{failure:?}") };
    assert_eq!((failure.message.as_str(), info.r#type.as_str()), ("no", "Broken"));

    let mut server = Server::with_handler(|_| {});
    let cancel = CancelWorkflowExecutionCommandAttributes { details: text("because") };
    server.step_on("h", vec![command(C::CancelWorkflowExecutionCommandAttributes(cancel))]);
    let failure = cause(last!(server.history("w"), NexusOperationCanceledEventAttributes).failure);
    let Some(FailureInfo::CanceledFailureInfo(info)) = failure.failure_info else { panic!("{failure:?}") };
    assert_eq!((failure.message.as_str(), info.details), ("operation canceled", text("because")));

    let mut server = Server::with_handler(|_| {});
    server.terminate("handler");
    let failure = cause(last!(server.history("w"), NexusOperationFailedEventAttributes).failure);
    assert_eq!(failure.message, "operation terminated");

    let mut server = Server::with_handler(|start| start.workflow_run_timeout = secs(5));
    server.advance(Duration::from_secs(5));
    let failure = cause(last!(server.history("w"), NexusOperationFailedEventAttributes).failure);
    assert_eq!(failure.message, "operation exceeded internal timeout");
}

#[test]
fn an_end_that_comes_before_the_start_says_that_it_has_started() {
    let mut server = Server::with_operation(|_| {});
    let task = server.nexus_task();
    let mut callback = callback_of(&task);
    if let Some(callback::Variant::Nexus(nexus)) = &mut callback.variant {
        nexus.header.insert("Nexus-Operation-Token".to_owned(), "early".to_owned());
    }
    let started_at = server.now.timestamp();
    let run_id = call!(server, StartWorkflowExecution, handler_start(vec![callback])).run_id;
    server.advance(Duration::from_secs(1));
    server.step_on("h", vec![complete_with("out")]);
    let history = server.history("w");
    let started = last!(history, NexusOperationStartedEventAttributes);
    assert_eq!(started.operation_token, "early");
    let event =
        history.iter().find(|event| event.event_type() == EventType::NexusOperationStarted).expect("it is there");
    assert_eq!(event.event_time, Some(started_at), "it started with its workflow");
    assert_eq!(event.links, [event_link("handler", &run_id, 1, EventType::WorkflowExecutionStarted)]);
    assert!(server.events("w").contains("NexusOperationStarted NexusOperationCompleted"), "{}", server.events("w"));
    server.nexus_begin(&task, "late");
    assert_eq!(last!(server.history("w"), NexusOperationStartedEventAttributes).operation_token, "early");
}

#[test]
fn the_last_run_of_a_chain_calls_back() {
    let mut server = Server::with_handler(|_| {});
    server.step_on("h", vec![continue_as_new()]);
    assert_eq!(server.callback_states("handler"), [CallbackState::Standby], "the new run has it");
    server.advance(Duration::from_secs(1));
    server.step_on("h", vec![complete_with("out")]);
    assert_eq!(server.callback_states("handler"), [CallbackState::Succeeded]);
    last!(server.history("w"), NexusOperationCompletedEventAttributes);

    let mut server = Server::with_handler(|start| {
        start.retry_policy = Some(RetryPolicy { maximum_attempts: 2, ..Default::default() });
    });
    server.step_on("h", vec![fail_with("Again")]);
    assert!(!server.events("w").contains("NexusOperationFailed"), "{}", server.events("w"));
    server.advance(Duration::from_secs(1));
    server.step_on("h", vec![fail_with("Again")]);
    last!(server.history("w"), NexusOperationFailedEventAttributes);
}

#[test]
fn a_workflow_without_a_result_gives_its_operation_nothing_as_one() {
    let mut server = Server::with_handler(|_| {});
    server.step_on("h", vec![complete_workflow()]);
    let completed = last!(server.history("w"), NexusOperationCompletedEventAttributes);
    let result = completed.result.expect("a payload");
    assert_eq!(result.metadata["encoding"], &b"binary/null"[..]);
    assert!(result.data.is_empty());
}

#[test]
fn a_callback_that_nobody_waits_for_fails() {
    let mut server = Server::with_handler(|_| {});
    server.terminate("w");
    server.step_on("h", vec![complete_workflow()]);
    let callback = server.callbacks("handler").remove(0);
    assert_eq!(callback.state(), CallbackState::Failed);
    let failure = callback.last_attempt_failure.expect("a failure");
    assert_eq!(failure.message, "handler error (NOT_FOUND): workflow execution already completed");

    let mut server = Server::with_operation(|command| command.schedule_to_close_timeout = secs(5));
    let callback = callback_of(&server.nexus_task());
    server.advance(Duration::from_secs(5));
    let strange = callback_to("temporal://system", [("temporal-callback-token".to_owned(), "zz".to_owned())].into());
    call!(server, StartWorkflowExecution, handler_start(vec![callback, strange]));
    server.step_on("h", vec![complete_workflow()]);
    let messages: Vec<_> = server.callbacks("handler").into_iter().filter_map(|it| it.last_attempt_failure).collect();
    let messages: Vec<_> = messages.iter().map(|failure| failure.message.as_str()).collect();
    assert_eq!(
        messages,
        ["handler error (NOT_FOUND): operation not found", "handler error (BAD_REQUEST): invalid callback token"]
    );
}

#[test]
fn callbacks_are_known_after_a_restart() {
    let mut server = restarted(Server::with_handler(|_| {}));
    server.step_on("h", vec![complete_with("out")]);
    let mut server = restarted(server);
    assert_eq!(server.callback_states("handler"), [CallbackState::Succeeded]);
    let completed = last!(server.history("w"), NexusOperationCompletedEventAttributes);
    assert_eq!(completed.result, payload("out"));
}

#[test]
fn callbacks_that_cannot_be_are_refused() {
    let header = |size: usize| [("a".to_owned(), "x".repeat(size))].into();
    let none = BTreeMap::new;
    let cases = [
        (callback_to("ftp://x/y", none()), "invalid url: unknown scheme: ftp://x/y"),
        (callback_to("http:///y", none()), "invalid url: missing host"),
        (
            callback_to(&format!("http://{}", "x".repeat(1_000)), none()),
            "url length longer than max length allowed of 1000",
        ),
        (callback_to("temporal://system", header(8_192)), "header size longer than max allowed size of 8192"),
        (callback_to("https://x/y", none()), "this server makes no HTTP calls"),
    ];
    for (callback, message) in cases {
        let refusal = Server::new().start_refused(handler_start(vec![callback]));
        assert_eq!(refusal.code, Code::InvalidArgument);
        assert!(refusal.message.contains(message), "{}", refusal.message);
    }
    let refusal = Server::new().start_refused(handler_start(vec![Callback::default()]));
    assert_eq!(refusal.code, Code::Unimplemented);
}

#[test]
fn links_that_cannot_be_are_refused_and_those_of_callbacks_are_not_said_twice() {
    let link = || event_link("caller", "run", 5, EventType::NexusOperationScheduled);
    let with_links = |links: Vec<Link>| api::StartWorkflowExecutionRequest { links, ..handler_start(Vec::new()) };
    let refusal = Server::new().start_refused(with_links(vec![link(); 11]));
    assert_eq!(refusal.message, "cannot attach more than 10 links per request, got 11");
    let refusal = Server::new().start_refused(with_links(vec![event_link("", "run", 5, EventType::TimerFired)]));
    assert_eq!(refusal.message, "workflow event link must not have an empty workflow ID field");
    let long = event_link(&"x".repeat(4_000), "run", 5, EventType::TimerFired);
    assert!(Server::new().start_refused(with_links(vec![long])).message.starts_with("link exceeds allowed size"));

    let mut server = Server::new();
    let callback = Callback { links: vec![link()], ..callback_to("temporal://system", BTreeMap::new()) };
    let other = event_link("other", "run", 5, EventType::NexusOperationScheduled);
    let start =
        api::StartWorkflowExecutionRequest { links: vec![link(), other.clone()], ..handler_start(vec![callback]) };
    call!(server, StartWorkflowExecution, start);
    assert_eq!(server.history("handler")[0].links, [other]);
}

#[test]
fn what_a_start_brings_is_attached_to_a_workflow_that_runs() {
    let mut server = Server::with_operation(|_| {});
    let task = server.nexus_task();
    server.nexus_begin(&task, "token");
    let run_id = call!(server, StartWorkflowExecution, handler_start(Vec::new())).run_id;
    let link = event_link("caller", "run", 5, EventType::NexusOperationScheduled);
    let attach = |options: OnConflictOptions, request_id: &str| api::StartWorkflowExecutionRequest {
        request_id: request_id.to_owned(),
        workflow_id_conflict_policy: Conflict::UseExisting.into(),
        on_conflict_options: Some(options),
        links: vec![link.clone()],
        ..handler_start(vec![callback_of(&task)])
    };
    let all = OnConflictOptions { attach_request_id: true, attach_completion_callbacks: true, attach_links: true };
    let refusal = server.start_refused(attach(OnConflictOptions { attach_request_id: false, ..all }, "second"));
    assert_eq!(refusal.message, "attaching request ID is required for attaching completion callbacks");

    let attached = call!(server, StartWorkflowExecution, attach(all, "second"));
    assert_eq!((attached.started, attached.run_id), (false, run_id));
    let Some(Variant::WorkflowEvent(event)) = attached.link.and_then(|link| link.variant) else { panic!("no link") };
    let Some(Reference::RequestIdRef(reference)) = event.reference else { panic!("{event:?}") };
    assert_eq!(reference.event_type(), EventType::WorkflowExecutionOptionsUpdated);
    assert_eq!(reference.request_id, "second");
    call!(server, StartWorkflowExecution, attach(all, "second"));
    let history = server.history("handler");
    let updated: Vec<_> =
        history.iter().filter(|event| event.event_type() == EventType::WorkflowExecutionOptionsUpdated).collect();
    assert_eq!(updated.len(), 1, "a request is attached once");
    assert_eq!(updated[0].links, [link]);
    assert!(updated[0].worker_may_ignore, "it asks the workflow for nothing");
    let updated = last!(history, WorkflowExecutionOptionsUpdatedEventAttributes);
    assert_eq!(updated.attached_request_id, "second");
    assert_eq!(updated.attached_completion_callbacks, [callback_of(&task)]);
    assert_eq!(updated.identity, "");

    server.step_on("h", vec![complete_with("out")]);
    last!(server.history("w"), NexusOperationCompletedEventAttributes);
}

#[test]
fn what_is_attached_during_a_workflow_task_waits_for_its_end() {
    let mut server = Server::new();
    call!(server, StartWorkflowExecution, handler_start(Vec::new()));
    let task = server.task_on("h");
    let all = OnConflictOptions { attach_request_id: true, attach_completion_callbacks: true, attach_links: true };
    let start = api::StartWorkflowExecutionRequest {
        request_id: "second".to_owned(),
        workflow_id_conflict_policy: Conflict::UseExisting.into(),
        on_conflict_options: Some(all),
        ..handler_start(vec![callback_to("temporal://system", BTreeMap::new())])
    };
    call!(server, StartWorkflowExecution, start);
    let info = |server: &mut Server| {
        let extended = server.describe("handler").workflow_extended_info.expect("there is");
        extended.request_id_infos["second"]
    };
    assert!(info(&mut server).buffered);
    let refusal = server.try_call(complete_request(&task, vec![complete_workflow()])).unwrap_err();
    assert_eq!(refusal.message, "UnhandledCommand");
    assert_eq!(info(&mut server).event_id, 5);
    server.step_on("h", vec![complete_workflow()]);
    assert_eq!(server.callback_states("handler"), [CallbackState::Failed], "its token says nothing");
}

fn update_of(task: &Task, request_id: &str) -> api::UpdateWorkflowExecutionRequest {
    let mut request = update_request("handler", "u", Stage::Accepted);
    let update = request.request.as_mut().expect("there is");
    update.request_id = request_id.to_owned();
    update.completion_callbacks = vec![callback_of(task)];
    request
}

#[test]
fn the_outcome_of_an_update_is_that_of_the_operation() {
    let mut server = Server::with_operation(|_| {});
    let task = server.nexus_task();
    server.nexus_begin(&task, "token");
    call!(server, StartWorkflowExecution, handler_start(Vec::new()));
    server.step_on("h", Vec::new());
    let update = server.send(update_of(&task, "request"));
    let workflow_task = server.task_on("h");
    call!(server, RespondWorkflowTaskCompleted, answer(&workflow_task, vec![accept(&workflow_task, "u")]));
    assert!(server.answer(update).expect("it is accepted").is_ok());
    let callback = server.callbacks("handler").remove(0);
    assert_eq!(callback.state(), CallbackState::Standby);
    let trigger = callback.trigger.and_then(|trigger| trigger.variant);
    let Some(callback_info::trigger::Variant::UpdateWorkflowExecutionCompleted(of)) = trigger else {
        panic!("{trigger:?}")
    };
    assert_eq!(of.update_id, "u");
    server.signal("handler", "go on");
    let workflow_task = server.task_on("h");
    call!(server, RespondWorkflowTaskCompleted, answer(&workflow_task, vec![respond("u")]));
    let completed = last!(server.history("w"), NexusOperationCompletedEventAttributes);
    assert_eq!(completed.result, payload("done"));
    assert_eq!(server.callback_states("handler"), [CallbackState::Succeeded]);
}

#[test]
fn whoever_asks_for_an_update_that_is_under_way_is_called_back_too() {
    let mut server = Server::with_operation(|_| {});
    server.signal("w", "another one");
    server.step(vec![schedule(|_| {})]);
    let (first, second) = (server.nexus_task(), server.nexus_task());
    server.nexus_begin(&first, "one");
    server.nexus_begin(&second, "two");
    call!(server, StartWorkflowExecution, handler_start(Vec::new()));
    server.step_on("h", Vec::new());
    server.send(update_of(&first, "one"));
    let workflow_task = server.task_on("h");
    call!(server, RespondWorkflowTaskCompleted, answer(&workflow_task, vec![accept(&workflow_task, "u")]));
    for _ in 0..2 {
        let asked = server.send(update_of(&second, "two"));
        assert!(server.answer(asked).expect("it is accepted").is_ok());
    }
    let history = server.history("handler");
    let updated = last!(history, WorkflowExecutionOptionsUpdatedEventAttributes).workflow_update_options;
    assert_eq!((updated[0].update_id.as_str(), updated[0].attached_request_id.as_str()), ("u", "two"));
    assert_eq!(server.callback_states("handler").len(), 2, "a request is attached once");
    server.terminate("handler");
    let events = server.events("w");
    assert_eq!(events.matches("NexusOperationFailed").count(), 2, "{events}");
    let failure = cause(last!(server.history("w"), NexusOperationFailedEventAttributes).failure);
    assert_eq!(failure.message, "Workflow Update failed because the Workflow completed before the Update completed.");
}

#[test]
fn an_update_with_callbacks_needs_a_request_id() {
    let mut server = Server::with_operation(|_| {});
    let task = server.nexus_task();
    call!(server, StartWorkflowExecution, handler_start(Vec::new()));
    let refusal = server.try_call(update_of(&task, "")).unwrap_err();
    assert_eq!(refusal.message, "invalid *update.Request: request_id is required when completion_callbacks are set");
}

#[test]
fn the_end_of_an_activity_without_a_workflow_is_that_of_the_operation() {
    for fails in [false, true] {
        let mut server = Server::with_operation(|_| {});
        let task = server.nexus_task();
        let callback = callback_of(&task);
        server.start_activity("a", |start| {
            start.completion_callbacks = vec![callback];
            start.task_queue = named_queue("h");
            start.retry_policy = Some(RetryPolicy { maximum_attempts: 1, ..Default::default() });
        });
        server.nexus_begin(&task, "token");
        server.step(Vec::new());
        let poll = api::PollActivityTaskQueueRequest { task_queue: named_queue("h"), ..activity_poll_request() };
        let activity = call!(server, PollActivityTaskQueue, poll);
        if fails {
            let request = api::RespondActivityTaskFailedRequest {
                namespace: "default".to_owned(),
                task_token: activity.task_token,
                failure: Some(Failure {
                    message: "out of money".to_owned(),
                    failure_info: Some(FailureInfo::ApplicationFailureInfo(Default::default())),
                    ..Default::default()
                }),
                ..Default::default()
            };
            call!(server, RespondActivityTaskFailed, request);
            let failure = cause(last!(server.history("w"), NexusOperationFailedEventAttributes).failure);
            assert_eq!(failure.message, "out of money");
        } else {
            let request = api::RespondActivityTaskCompletedRequest {
                namespace: "default".to_owned(),
                task_token: activity.task_token,
                result: text("out"),
                ..Default::default()
            };
            call!(server, RespondActivityTaskCompleted, request);
            let completed = last!(server.history("w"), NexusOperationCompletedEventAttributes);
            assert_eq!(completed.result, payload("out"));
        }
        let request = api::DescribeActivityExecutionRequest {
            namespace: "default".to_owned(),
            activity_id: "a".to_owned(),
            ..Default::default()
        };
        let callbacks = call!(server, DescribeActivityExecution, request).callbacks;
        assert_eq!(callbacks[0].info.clone().unwrap().state(), CallbackState::Succeeded);
    }
}

#[test]
fn callbacks_are_attached_to_an_activity_that_runs_if_the_start_wants_that() {
    let mut server = Server::with_operation(|_| {});
    let task = server.nexus_task();
    let callback = callback_of(&task);
    server.nexus_begin(&task, "token");
    server.step(Vec::new());
    server.start_activity("a", |start| start.task_queue = named_queue("h"));
    let second = |request_id: &str| {
        let mut request = crate::standalone_activities::start_request("a");
        request.request_id = request_id.to_owned();
        request.completion_callbacks = vec![callback.clone()];
        request.id_conflict_policy = stead_proto::enums::v1::ActivityIdConflictPolicy::UseExisting.into();
        request.on_conflict_options = Some(stead_proto::common::v1::OnConflictOptions {
            attach_request_id: true,
            attach_completion_callbacks: true,
            attach_links: false,
        });
        request
    };
    for _ in 0..2 {
        assert!(!call!(server, StartActivityExecution, second("second")).started);
    }
    let poll = api::PollActivityTaskQueueRequest { task_queue: named_queue("h"), ..activity_poll_request() };
    let activity = call!(server, PollActivityTaskQueue, poll);
    let request = api::RespondActivityTaskCompletedRequest {
        namespace: "default".to_owned(),
        task_token: activity.task_token,
        result: text("out"),
        ..Default::default()
    };
    call!(server, RespondActivityTaskCompleted, request);
    assert_eq!(last!(server.history("w"), NexusOperationCompletedEventAttributes).result, payload("out"));
}
