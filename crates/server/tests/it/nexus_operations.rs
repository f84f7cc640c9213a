//! Nexus operations of workflows: what handlers are asked, how they answer, timeouts, retries, cancellation, and what of
//! it stands in history.

use std::time::Duration;

use prost::Message;
use stead_proto::command::v1::command::Attributes as C;
use stead_proto::command::v1::{
    Command, RequestCancelNexusOperationCommandAttributes, ScheduleNexusOperationCommandAttributes,
};
use stead_proto::common::v1::link::workflow_event::{EventReference, Reference};
use stead_proto::common::v1::link::{Variant, WorkflowEvent};
use stead_proto::common::v1::{Link, Payload};
use stead_proto::enums::v1::{
    EventType, NexusHandlerErrorRetryBehavior as RetryBehavior, NexusOperationCancellationState as CancellationState,
    PendingNexusOperationState as State, TimeoutType, WorkflowTaskFailedCause as Cause,
};
use stead_proto::failure::v1::failure::FailureInfo;
use stead_proto::failure::v1::{CanceledFailureInfo, Failure, NexusHandlerFailureInfo, ServerFailureInfo};
use stead_proto::nexus::v1 as nexus;
use stead_proto::nexus::v1::request::Variant as Asked;
use stead_proto::nexus::v1::start_operation_response::{Async, Sync, Variant as Start};
use stead_proto::operatorservice::v1::DeleteNexusEndpointRequest;
use stead_proto::workflow::v1::PendingNexusOperationInfo;
use stead_proto::workflowservice::v1 as api;
use stead_server::engine::{Code, Refusal, Response};

use crate::activities::failure;
use crate::restart::{durable, restarted};
use crate::support::{
    NAMESPACE, Server, command, complete_request, complete_workflow, named_queue, secs, start_request, text,
};
use crate::{call, last};

pub(crate) type Task = api::PollNexusTaskQueueResponse;
type Schedule = ScheduleNexusOperationCommandAttributes;

/// Schedules an operation at the endpoint `payments`, with changes.
pub(crate) fn schedule(change: impl FnOnce(&mut Schedule)) -> Command {
    let mut attributes = Schedule {
        endpoint: "payments".to_owned(),
        service: "billing".to_owned(),
        operation: "charge".to_owned(),
        input: payload("in"),
        ..Default::default()
    };
    change(&mut attributes);
    command(C::ScheduleNexusOperationCommandAttributes(Box::new(attributes)))
}

pub(crate) fn cancel_operation(scheduled_event_id: i64) -> Command {
    let attributes = RequestCancelNexusOperationCommandAttributes { scheduled_event_id };
    command(C::RequestCancelNexusOperationCommandAttributes(attributes))
}

pub(crate) fn payload(content: &str) -> Option<Payload> {
    text(content).map(|mut payloads| payloads.payloads.remove(0))
}

fn started(variant: Start) -> nexus::Response {
    let start = nexus::StartOperationResponse { variant: Some(variant) };
    nexus::Response { variant: Some(nexus::response::Variant::StartOperation(start)) }
}

fn handler_failure(kind: &str, retry: RetryBehavior) -> Failure {
    let info = NexusHandlerFailureInfo { r#type: kind.to_owned(), retry_behavior: retry.into() };
    Failure {
        message: "no".to_owned(),
        failure_info: Some(FailureInfo::NexusHandlerFailureInfo(info)),
        ..Default::default()
    }
}

fn nexus_poll(queue: &str) -> api::PollNexusTaskQueueRequest {
    api::PollNexusTaskQueueRequest {
        namespace: NAMESPACE.to_owned(),
        task_queue: named_queue(queue),
        identity: "handler".to_owned(),
        ..Default::default()
    }
}

impl Server {
    /// A workflow `w` that has scheduled an operation, which is event 5; with an endpoint for the queue `handlers`.
    pub(crate) fn with_operation(change: impl FnOnce(&mut Schedule)) -> Self {
        let mut server = Self::with(durable());
        server.endpoint("payments", "handlers");
        server.start("w");
        server.step(vec![schedule(change)]);
        server
    }

    /// Polls for a Nexus task and expects one at once.
    pub(crate) fn nexus_task(&mut self) -> Task {
        call!(self, PollNexusTaskQueue, nexus_poll("handlers"))
    }

    /// Whether no handler would get a task now.
    pub(crate) fn no_nexus_task(&mut self) -> bool {
        let poll = self.send(nexus_poll("handlers"));
        let answer = match self.answer(poll) {
            Some(answer) => answer,
            None => self.expire(poll),
        };
        let Ok(Response::PollNexusTaskQueue(task)) = answer else { panic!("not a poll: {answer:?}") };
        task.task_token.is_empty()
    }

    pub(crate) fn try_nexus_respond(&mut self, task: &Task, response: nexus::Response) -> Result<(), Refusal> {
        let request = api::RespondNexusTaskCompletedRequest {
            namespace: NAMESPACE.to_owned(),
            task_token: task.task_token.clone(),
            response: Some(response),
            ..Default::default()
        };
        self.try_call(request).map(|_| ())
    }

    pub(crate) fn nexus_respond(&mut self, task: &Task, variant: Start) {
        self.try_nexus_respond(task, started(variant)).expect("the task is known");
    }

    /// The handler has begun the operation and goes on with it.
    pub(crate) fn nexus_begin(&mut self, task: &Task, token: &str) {
        let begun = Async { operation_token: token.to_owned(), ..Default::default() };
        self.nexus_respond(task, Start::AsyncSuccess(begun));
    }

    fn nexus_cancel_understood(&mut self, task: &Task) {
        let variant = nexus::response::Variant::CancelOperation(nexus::CancelOperationResponse {});
        self.try_nexus_respond(task, nexus::Response { variant: Some(variant) }).expect("the task is known");
    }

    fn try_nexus_fail(&mut self, task: &Task, failure: Option<Failure>) -> Result<(), Refusal> {
        let request = api::RespondNexusTaskFailedRequest {
            namespace: NAMESPACE.to_owned(),
            task_token: task.task_token.clone(),
            failure,
            ..Default::default()
        };
        self.try_call(request).map(|_| ())
    }

    fn nexus_fail(&mut self, task: &Task, failure: Failure) {
        self.try_nexus_fail(task, Some(failure)).expect("the task is known");
    }

    pub(crate) fn pending_operation(&mut self) -> PendingNexusOperationInfo {
        let mut description = self.describe("w");
        assert_eq!(description.pending_nexus_operations.len(), 1, "{description:?}");
        description.pending_nexus_operations.remove(0)
    }

    fn cancellation(&mut self) -> stead_proto::workflow::v1::NexusOperationCancellationInfo {
        self.pending_operation().cancellation_info.expect("the cancellation was requested")
    }
}

/// The cause in the failure of an operation.
fn cause(failure: Option<Failure>) -> Failure {
    *failure.and_then(|failure| failure.cause).expect("the failure of an operation has a cause")
}

fn timeout_of(failure: Option<Failure>) -> TimeoutType {
    match cause(failure).failure_info {
        Some(FailureInfo::TimeoutFailureInfo(info)) => info.timeout_type(),
        other => panic!("not a timeout: {other:?}"),
    }
}

#[test]
fn a_result_at_once_is_the_only_event_after_the_scheduling() {
    let mut server = Server::with_operation(|command| {
        command.nexus_header = [("Foo".to_owned(), "Bar".to_owned())].into();
        command.schedule_to_close_timeout = secs(60);
    });
    server.advance(Duration::from_secs(2));
    let task = server.nexus_task();
    let request = task.request.clone().expect("a request");
    assert_eq!(request.endpoint, "payments");
    let header = |name: &str| request.header.get(name).map(String::as_str);
    assert_eq!(header("foo"), Some("Bar"));
    assert_eq!(header("request-timeout"), Some("7s"), "a request may take ten seconds, less one for its answer");
    assert_eq!(header("Request-Timeout"), Some("7s"));
    assert_eq!(header("operation-timeout"), Some("58000ms"));
    let Some(Asked::StartOperation(start)) = request.variant else { panic!("not a start") };
    assert_eq!((start.service.as_str(), start.operation.as_str()), ("billing", "charge"));
    assert_eq!((start.callback.as_str(), start.payload), ("temporal://system", payload("in")));
    assert!(start.callback_header.contains_key("temporal-callback-token"), "{:?}", start.callback_header);
    assert_eq!(start.links.len(), 1);
    assert_eq!(start.links[0].r#type, "temporal.api.common.v1.Link.WorkflowEvent");
    let query = "/history?eventID=5&eventType=NexusOperationScheduled&referenceType=EventReference";
    assert!(start.links[0].url.ends_with(query), "{}", start.links[0].url);

    server.nexus_respond(&task, Start::SyncSuccess(Sync { payload: payload("out"), links: Vec::new() }));
    server.step(vec![complete_workflow()]);
    let history = server.history("w");
    let scheduled = last!(history, NexusOperationScheduledEventAttributes);
    assert_eq!(scheduled.request_id, start.request_id);
    let completed = last!(history, NexusOperationCompletedEventAttributes);
    assert_eq!((completed.scheduled_event_id, completed.result), (5, payload("out")));
    assert_eq!(completed.request_id, start.request_id);
    assert_eq!(
        server.events("w"),
        "WorkflowExecutionStarted WorkflowTaskScheduled WorkflowTaskStarted WorkflowTaskCompleted \
         NexusOperationScheduled NexusOperationCompleted WorkflowTaskScheduled WorkflowTaskStarted \
         WorkflowTaskCompleted WorkflowExecutionCompleted"
    );
}

#[test]
fn a_task_is_answered_once() {
    let mut server = Server::with_operation(|_| {});
    let task = server.nexus_task();
    server.nexus_begin(&task, "token");
    let again = Start::AsyncSuccess(Async { operation_token: "token".to_owned(), ..Default::default() });
    let refusal = server.try_nexus_respond(&task, started(again)).unwrap_err();
    assert_eq!((refusal.code, refusal.message.as_str()), (Code::NotFound, "Nexus task not found or already expired"));
    let activity_token = Task { task_token: vec![0xff].into(), ..Default::default() };
    let refusal = server.try_nexus_fail(&activity_token, Some(handler_failure("INTERNAL", RetryBehavior::Unspecified)));
    assert_eq!(refusal.unwrap_err().message, "Error deserializing task token.");
}

#[test]
fn an_operation_that_goes_on_is_started_with_the_handlers_links() {
    let mut server = Server::with_operation(|_| {});
    let task = server.nexus_task();
    let link = nexus::Link {
        url: "temporal:///namespaces/default/workflows/h/r/history?eventID=1&eventType=WorkflowExecutionStarted&\
              referenceType=EventReference"
            .to_owned(),
        r#type: "temporal.api.common.v1.Link.WorkflowEvent".to_owned(),
    };
    let junk = nexus::Link { url: "http://nowhere".to_owned(), r#type: "unknown".to_owned() };
    let begun = Async { operation_token: "token".to_owned(), links: vec![link, junk], ..Default::default() };
    server.nexus_respond(&task, Start::AsyncSuccess(begun));
    let history = server.history("w");
    let started = last!(history, NexusOperationStartedEventAttributes);
    assert_eq!((started.operation_token.as_str(), started.operation_id.as_str()), ("token", "token"));
    let event =
        history.iter().find(|event| event.event_type() == EventType::NexusOperationStarted).expect("it is there");
    let reference = EventReference { event_id: 1, event_type: EventType::WorkflowExecutionStarted.into() };
    let expected = WorkflowEvent {
        namespace: NAMESPACE.to_owned(),
        workflow_id: "h".to_owned(),
        run_id: "r".to_owned(),
        reference: Some(Reference::EventRef(reference)),
    };
    assert_eq!(event.links, [Link { variant: Some(Variant::WorkflowEvent(expected)) }]);
    let pending = server.pending_operation();
    assert_eq!((pending.state(), pending.attempt, pending.operation_token.as_str()), (State::Started, 1, "token"));
    server.step(Vec::new());
}

#[test]
fn errors_that_stay_end_the_operation() {
    for failure in [
        handler_failure("BAD_REQUEST", RetryBehavior::Unspecified),
        handler_failure("NOT_FOUND", RetryBehavior::Unspecified),
        handler_failure("INTERNAL", RetryBehavior::NonRetryable),
    ] {
        let mut server = Server::with_operation(|_| {});
        let task = server.nexus_task();
        server.nexus_fail(&task, Failure { source: "handler".to_owned(), ..failure.clone() });
        let failed = last!(server.history("w"), NexusOperationFailedEventAttributes);
        let of_operation = failed.failure.clone().expect("a failure");
        assert_eq!(of_operation.message, "nexus operation completed unsuccessfully");
        let Some(FailureInfo::NexusOperationExecutionFailureInfo(info)) = of_operation.failure_info else {
            panic!("not of an operation")
        };
        assert_eq!((info.scheduled_event_id, info.endpoint.as_str()), (5, "payments"));
        assert_eq!((info.service.as_str(), info.operation.as_str()), ("billing", "charge"));
        assert_eq!(cause(failed.failure), failure, "callers do not learn where it comes from");
        server.step(vec![complete_workflow()]);
    }
}

#[test]
fn the_operation_itself_may_fail_or_be_cancelled() {
    let mut server = Server::with_operation(|_| {});
    let task = server.nexus_task();
    server.nexus_respond(&task, Start::Failure(failure("declined")));
    let failed = last!(server.history("w"), NexusOperationFailedEventAttributes);
    assert_eq!(cause(failed.failure), failure("declined"));

    let mut server = Server::with_operation(|_| {});
    let task = server.nexus_task();
    let info = Some(FailureInfo::CanceledFailureInfo(CanceledFailureInfo::default()));
    let canceled = Failure { message: "stopped".to_owned(), failure_info: info, ..Default::default() };
    server.nexus_respond(&task, Start::Failure(canceled.clone()));
    let event = last!(server.history("w"), NexusOperationCanceledEventAttributes);
    assert_eq!(cause(event.failure), canceled);
}

#[test]
fn errors_in_the_form_of_older_sdks_are_understood() {
    let details = nexus::Failure {
        message: "m".to_owned(),
        metadata: [("k".to_owned(), "v".to_owned())].into(),
        details: br#"{"a":1}"#.to_vec().into(),
        ..Default::default()
    };
    let mut server = Server::with_operation(|_| {});
    let task = server.nexus_task();
    let error =
        nexus::UnsuccessfulOperationError { operation_state: "failed".to_owned(), failure: Some(details.clone()) };
    server.nexus_respond(&task, Start::OperationError(error));
    let failed = cause(last!(server.history("w"), NexusOperationFailedEventAttributes).failure);
    let Some(FailureInfo::ApplicationFailureInfo(info)) = failed.failure_info else { panic!("not of an application") };
    assert_eq!((failed.message.as_str(), info.r#type.as_str()), ("m", "NexusFailure"));
    let kept = &info.details.expect("details").payloads[0];
    assert_eq!(kept.data, r#"{"metadata":{"k":"v"},"details":{"a":1}}"#);

    let mut server = Server::with_operation(|_| {});
    let task = server.nexus_task();
    let failure = Some(nexus::Failure { message: "m".to_owned(), ..Default::default() });
    let error = nexus::UnsuccessfulOperationError { operation_state: "canceled".to_owned(), failure };
    server.nexus_respond(&task, Start::OperationError(error));
    let canceled = cause(last!(server.history("w"), NexusOperationCanceledEventAttributes).failure);
    assert!(matches!(canceled.failure_info, Some(FailureInfo::CanceledFailureInfo(_))), "{canceled:?}");

    let mut server = Server::with_operation(|_| {});
    let task = server.nexus_task();
    let request = |details: &nexus::Failure| api::RespondNexusTaskFailedRequest {
        namespace: NAMESPACE.to_owned(),
        task_token: task.task_token.clone(),
        error: Some(nexus::HandlerError {
            error_type: "BAD_REQUEST".to_owned(),
            failure: Some(details.clone()),
            ..Default::default()
        }),
        ..Default::default()
    };
    let no_json = nexus::Failure { details: b"{".to_vec().into(), ..details.clone() };
    let refusal = server.try_call(request(&no_json)).unwrap_err();
    assert_eq!(refusal.message, "failure details must be JSON serializable");
    call!(server, RespondNexusTaskFailed, request(&details));
    let failed = cause(last!(server.history("w"), NexusOperationFailedEventAttributes).failure);
    assert!(matches!(failed.failure_info, Some(FailureInfo::NexusHandlerFailureInfo(_))), "{failed:?}");
    assert_eq!(failed.cause.expect("the cause").message, "m");
}

#[test]
fn another_attempt_follows_errors_that_may_pass() {
    let mut server = Server::with_operation(|_| {});
    let before = server.events("w");
    let task = server.nexus_task();
    server.nexus_fail(&task, handler_failure("INTERNAL", RetryBehavior::Unspecified));
    let pending = server.pending_operation();
    assert_eq!((pending.state(), pending.attempt), (State::BackingOff, 1));
    assert_eq!(pending.last_attempt_failure, Some(handler_failure("INTERNAL", RetryBehavior::Unspecified)));
    assert!(pending.next_attempt_schedule_time.is_some(), "{pending:?}");
    assert!(server.no_nexus_task());
    server.advance(Duration::from_secs(1));
    let task = server.nexus_task();
    server.nexus_fail(&task, handler_failure("BAD_REQUEST", RetryBehavior::Retryable));
    server.advance(Duration::from_millis(1_500));
    assert!(server.no_nexus_task(), "the second backoff is between 1.6 and 2 seconds");
    server.advance(Duration::from_millis(500));
    let task = server.nexus_task();
    assert_eq!(server.events("w"), before, "attempts leave no events");
    server.nexus_begin(&task, "token");
    let pending = server.pending_operation();
    assert_eq!((pending.attempt, pending.last_attempt_failure), (3, None));
}

#[test]
fn a_handler_that_does_not_answer_is_asked_again() {
    let mut server = Server::with_operation(|_| {});
    let task = server.nexus_task();
    server.advance(Duration::from_secs(9));
    let failure = server.pending_operation().last_attempt_failure.expect("the attempt failed");
    assert_eq!(failure.message, "upstream timeout");
    let late = Start::SyncSuccess(Sync::default());
    assert_eq!(server.try_nexus_respond(&task, started(late)).unwrap_err().code, Code::NotFound);
    server.advance(Duration::from_secs(1));
    assert!(!server.no_nexus_task());
    let mut server = Server::with_operation(|_| {});
    server.advance(Duration::from_secs(10));
    assert_eq!(server.pending_operation().attempt, 1, "without a worker the time runs as well");
}

#[test]
fn an_answer_that_says_nothing_is_an_error_of_the_handler() {
    let mut server = Server::with_operation(|_| {});
    let task = server.nexus_task();
    server.try_nexus_respond(&task, nexus::Response::default()).expect("the task is known");
    let failure = server.pending_operation().last_attempt_failure.expect("the attempt failed");
    assert_eq!(failure.message, "empty outcome");
}

#[test]
fn bad_answers_are_refused_and_the_task_stays() {
    let mut server = Server::with_operation(|_| {});
    let task = server.nexus_task();
    let begun = |token: String| started(Start::AsyncSuccess(Async { operation_token: token, ..Default::default() }));
    let refusal = server.try_nexus_respond(&task, begun(String::new())).unwrap_err();
    assert_eq!(refusal.message, "missing opration token in response");
    let refusal = server.try_nexus_respond(&task, begun("x".repeat(4_097))).unwrap_err();
    assert_eq!(refusal.message, "operation token length exceeds allowed limit (4097/4096)");
    let refusal = server.try_nexus_fail(&task, None).unwrap_err();
    assert_eq!(refusal.message, "request must contain error or failure");
    let refusal = server.try_nexus_fail(&task, Some(failure("no handler's"))).unwrap_err();
    assert_eq!(refusal.message, "request Failure must contain error or failure with NexusHandlerFailureInfo");
    server.nexus_begin(&task, "token");
}

#[test]
fn a_result_that_is_too_large_fails_the_operation() {
    let mut server = Server::with_operation(|_| {});
    let task = server.nexus_task();
    let large = Payload { data: vec![b'x'; (2 << 20) + 1].into(), ..Default::default() };
    server.nexus_respond(&task, Start::SyncSuccess(Sync { payload: Some(large), links: Vec::new() }));
    let failed = last!(server.history("w"), NexusOperationFailedEventAttributes);
    assert_eq!(cause(failed.failure).message, "http: response body too large");
}

#[test]
fn time_runs_out_until_the_start_and_until_the_end() {
    type Change = fn(&mut Schedule);
    let cases: [(Change, bool, TimeoutType); 4] = [
        (|command| command.schedule_to_close_timeout = secs(5), false, TimeoutType::ScheduleToClose),
        (|command| command.schedule_to_start_timeout = secs(5), false, TimeoutType::ScheduleToStart),
        (|command| command.start_to_close_timeout = secs(5), true, TimeoutType::StartToClose),
        (|command| command.schedule_to_close_timeout = secs(5), true, TimeoutType::ScheduleToClose),
    ];
    for (change, starts, expected) in cases {
        let mut server = Server::with_operation(change);
        if starts {
            let task = server.nexus_task();
            server.nexus_begin(&task, "token");
        }
        // An operation that has not started may give up a second and a half before: no handler could answer in that.
        let grace = if starts { Duration::from_millis(1) } else { Duration::from_millis(1_500) };
        server.advance(Duration::from_secs(5) - grace);
        assert!(!server.events("w").contains("TimedOut"), "{expected:?}: {}", server.events("w"));
        server.advance(grace);
        let timed_out = last!(server.history("w"), NexusOperationTimedOutEventAttributes);
        assert_eq!(cause(timed_out.failure.clone()).message, "operation timed out");
        assert_eq!(timeout_of(timed_out.failure), expected);
        assert!(server.describe("w").pending_nexus_operations.is_empty());
        server.step(vec![complete_workflow()]);
    }
}

#[test]
fn a_handler_is_not_asked_when_there_is_no_time_for_an_answer() {
    let mut server = Server::with_operation(|command| command.schedule_to_close_timeout = secs(1));
    let timed_out = last!(server.history("w"), NexusOperationTimedOutEventAttributes);
    assert_eq!(timeout_of(timed_out.failure), TimeoutType::ScheduleToClose);
    assert!(server.no_nexus_task());
}

#[test]
fn an_answer_to_an_operation_that_has_ended_changes_nothing() {
    let mut server = Server::with_operation(|command| command.schedule_to_close_timeout = secs(5));
    server.advance(Duration::from_secs(2));
    let task = server.nexus_task();
    server.terminate("w");
    server.nexus_begin(&task, "token");
    assert!(server.events("w").ends_with("WorkflowExecutionTerminated"), "{}", server.events("w"));
    assert!(server.no_nexus_task());
}

#[test]
fn commands_that_cannot_be_are_refused() {
    let long = |field: &str| format!("ScheduleNexusOperationCommandAttributes.{field} exceeds length limit of 1000");
    let negative =
        |field: &str| format!("ScheduleNexusOperationCommandAttributes.{field} is invalid: negative duration");
    let cases: Vec<(Command, String)> = vec![
        (schedule(|c| c.endpoint = "nope".to_owned()), "endpoint \"nope\" not found".to_owned()),
        (schedule(|c| c.service = "x".repeat(1_001)), long("Service")),
        (schedule(|c| c.operation = "x".repeat(1_001)), long("Operation")),
        (schedule(|c| c.schedule_to_close_timeout = secs(-1)), negative("ScheduleToCloseTimeout")),
        (schedule(|c| c.schedule_to_start_timeout = secs(-1)), negative("ScheduleToStartTimeout")),
        (schedule(|c| c.start_to_close_timeout = secs(-1)), negative("StartToCloseTimeout")),
        (
            schedule(|c| c.nexus_header = [("Request-Timeout".to_owned(), "1s".to_owned())].into()),
            "ScheduleNexusOperationCommandAttributes.NexusHeader contains a disallowed header key: \"Request-Timeout\""
                .to_owned(),
        ),
        (
            schedule(|c| c.nexus_header = [("a".to_owned(), "x".repeat(8_192))].into()),
            "ScheduleNexusOperationCommandAttributes.NexusHeader exceeds size limit".to_owned(),
        ),
    ];
    for (command, message) in cases {
        let mut server = Server::new();
        server.endpoint("payments", "handlers");
        server.start("w");
        assert_eq!(server.refused(vec![command]), format!("BadScheduleNexusOperationAttributes: {message}"));
        let failed = last!(server.history("w"), WorkflowTaskFailedEventAttributes);
        assert_eq!(failed.cause(), Cause::BadScheduleNexusOperationAttributes);
        let failure = failed.failure.expect("a failure");
        assert_eq!(failure.source, "", "the server does not say who it is");
        let info = ServerFailureInfo::default();
        assert_eq!(failure.failure_info, Some(FailureInfo::ServerFailureInfo(info)));
    }
    let mut server = Server::new();
    server.endpoint("payments", "handlers");
    server.start("w");
    let many = (0..31).map(|_| schedule(|_| {})).collect();
    assert_eq!(
        server.refused(many),
        "PendingNexusOperationsLimitExceeded: workflow has reached the pending nexus operation limit of 30 for this \
         namespace"
    );
    let large = Payload { data: vec![b'x'; 2 << 20].into(), ..Default::default() };
    let message = server.refused(vec![schedule(|command| command.input = Some(large))]);
    assert!(message.ends_with("Input exceeds size limit"), "{message}");
}

#[test]
fn timeouts_are_those_of_the_run_at_most() {
    let mut server = Server::new();
    server.endpoint("payments", "handlers");
    let start = api::StartWorkflowExecutionRequest { workflow_run_timeout: secs(100), ..start_request("w") };
    call!(server, StartWorkflowExecution, start);
    server.step(vec![schedule(|command| {
        command.schedule_to_start_timeout = secs(200);
        command.start_to_close_timeout = secs(50);
    })]);
    let scheduled = last!(server.history("w"), NexusOperationScheduledEventAttributes);
    assert_eq!(scheduled.schedule_to_close_timeout, secs(100));
    assert_eq!(scheduled.schedule_to_start_timeout, secs(100));
    assert_eq!(scheduled.start_to_close_timeout, secs(50));
}

#[test]
fn without_its_endpoint_an_operation_fails() {
    let mut server = Server::new();
    let endpoint = server.endpoint("payments", "handlers");
    server.start("w");
    server.step(vec![schedule(|_| {})]);
    let task = server.nexus_task();
    server.nexus_fail(&task, handler_failure("INTERNAL", RetryBehavior::Unspecified));
    call!(server, DeleteNexusEndpoint, DeleteNexusEndpointRequest { id: endpoint.id, version: 1 });
    server.advance(Duration::from_secs(1));
    let failed = last!(server.history("w"), NexusOperationFailedEventAttributes);
    assert_eq!(cause(failed.failure).message, "endpoint not registered");
}

#[test]
fn a_handler_hears_of_the_cancellation_once_the_operation_has_started() {
    let mut server = Server::with_operation(|command| {
        command.nexus_header = [("a".to_owned(), "b".to_owned())].into();
    });
    let task = server.nexus_task();
    server.signal("w", "stop");
    server.step(vec![cancel_operation(5)]);
    assert_eq!(server.cancellation().state(), CancellationState::Unspecified);
    assert!(server.no_nexus_task());
    server.nexus_begin(&task, "token");
    assert_eq!(server.cancellation().state(), CancellationState::Scheduled);
    let task = server.nexus_task();
    let request = task.request.clone().expect("a request");
    assert_eq!(request.header.get("a").map(String::as_str), Some("b"));
    let Some(Asked::CancelOperation(cancel)) = request.variant else { panic!("not a cancellation") };
    assert_eq!((cancel.operation_token.as_str(), cancel.operation.as_str()), ("token", "charge"));
    server.nexus_cancel_understood(&task);
    let cancellation = server.cancellation();
    assert_eq!((cancellation.state(), cancellation.attempt), (CancellationState::Succeeded, 1));
    let history = server.history("w");
    let told = last!(history, NexusOperationCancelRequestCompletedEventAttributes);
    assert_eq!((told.scheduled_event_id, told.requested_event_id), (5, 10));
    assert!(history.last().expect("events").worker_may_ignore, "older SDKs do not know the event");
    server.step(Vec::new());
}

#[test]
fn a_cancellation_may_be_refused_or_tried_again() {
    let mut server = Server::with_operation(|_| {});
    let task = server.nexus_task();
    server.nexus_begin(&task, "token");
    server.step(vec![cancel_operation(5)]);
    let task = server.nexus_task();
    server.nexus_fail(&task, handler_failure("UNAVAILABLE", RetryBehavior::Unspecified));
    let cancellation = server.cancellation();
    assert_eq!((cancellation.state(), cancellation.attempt), (CancellationState::BackingOff, 1));
    server.advance(Duration::from_secs(1));
    let task = server.nexus_task();
    server.nexus_fail(&task, handler_failure("NOT_FOUND", RetryBehavior::Unspecified));
    assert_eq!(server.cancellation().state(), CancellationState::Failed);
    let refused = last!(server.history("w"), NexusOperationCancelRequestFailedEventAttributes);
    assert_eq!(refused.failure, Some(handler_failure("NOT_FOUND", RetryBehavior::Unspecified)));
    assert_eq!(server.pending_operation().state(), State::Started, "the operation goes on");
}

#[test]
fn an_operation_is_cancelled_once_and_only_if_it_is_there() {
    let mut server = Server::with_operation(|_| {});
    server.signal("w", "stop");
    let twice = server.refused(vec![cancel_operation(5), cancel_operation(5)]);
    assert_eq!(
        twice,
        "BadRequestCancelNexusOperationAttributes: cancelation was already requested for an operation with scheduled \
         event ID 5"
    );
    let unknown = server.refused(vec![cancel_operation(77)]);
    assert_eq!(
        unknown,
        "BadRequestCancelNexusOperationAttributes: requested cancelation for a non-existing or already completed \
         operation with scheduled event ID of 77"
    );
}

#[test]
fn an_operation_that_has_ended_meanwhile_may_be_cancelled() {
    let mut server = Server::with_operation(|_| {});
    server.signal("w", "stop");
    let workflow_task = server.task();
    let task = server.nexus_task();
    server.nexus_respond(&task, Start::SyncSuccess(Sync::default()));
    server.complete(&workflow_task, vec![cancel_operation(5)]);
    let events = server.events("w");
    assert!(events.contains("NexusOperationCancelRequested NexusOperationCompleted"), "{events}");
}

#[test]
fn news_of_operations_wait_for_the_end_of_the_workflow_task() {
    let mut server = Server::with_operation(|_| {});
    server.signal("w", "hello");
    let workflow_task = server.task();
    let task = server.nexus_task();
    server.nexus_begin(&task, "token");
    let refusal = server.try_call(complete_request(&workflow_task, vec![complete_workflow()])).unwrap_err();
    assert_eq!(refusal.message, "UnhandledCommand");
    let events = server.events("w");
    assert!(events.contains("WorkflowTaskFailed NexusOperationStarted"), "{events}");
}

#[test]
fn operations_go_on_after_a_restart() {
    let mut server = Server::with_operation(|command| command.schedule_to_close_timeout = secs(600));
    let lost = server.nexus_task();
    let mut server = restarted(server);
    let late = started(Start::SyncSuccess(Sync::default()));
    assert_eq!(server.try_nexus_respond(&lost, late).unwrap_err().code, Code::NotFound, "it is asked anew");
    let task = server.nexus_task();
    server.nexus_fail(&task, handler_failure("INTERNAL", RetryBehavior::Unspecified));
    let mut server = restarted(server);
    server.advance(Duration::from_secs(1));
    let task = server.nexus_task();
    server.nexus_begin(&task, "token");
    let mut server = restarted(server);
    assert_eq!(server.pending_operation().operation_token, "token");
    server.step(vec![cancel_operation(5)]);
    let mut server = restarted(server);
    let task = server.nexus_task();
    server.nexus_cancel_understood(&task);
    let mut server = restarted(server);
    server.advance(Duration::from_secs(600));
    let timed_out = last!(server.history("w"), NexusOperationTimedOutEventAttributes);
    assert_eq!(timeout_of(timed_out.failure), TimeoutType::ScheduleToClose);
}

#[test]
fn time_is_not_skipped_while_a_handler_is_asked() {
    let mut server = Server::with_operation(|_| {});
    assert!(!server.engine.is_idle(), "a worker could take the task");
    let task = server.nexus_task();
    assert!(!server.engine.is_idle(), "a worker has it");
    server.nexus_fail(&task, handler_failure("INTERNAL", RetryBehavior::Unspecified));
    assert!(server.engine.is_idle(), "a backoff may be skipped");
    server.advance(Duration::from_secs(1));
    assert!(!server.engine.is_idle());
    let task = server.nexus_task();
    server.nexus_begin(&task, "token");
    server.step(Vec::new());
    assert!(server.engine.is_idle(), "what the handler has begun is busy by itself");
}

#[test]
fn a_worker_that_shuts_down_polls_no_more() {
    let mut server = Server::new();
    let poll = api::PollNexusTaskQueueRequest { worker_instance_key: "key".to_owned(), ..nexus_poll("handlers") };
    let waiting = server.send(poll);
    let shutdown = api::ShutdownWorkerRequest {
        namespace: NAMESPACE.to_owned(),
        worker_instance_key: "key".to_owned(),
        task_queue: "handlers".to_owned(),
        ..Default::default()
    };
    call!(server, ShutdownWorker, shutdown);
    let answer = server.answer(waiting).expect("the poll ends").expect("without an error");
    assert_eq!(answer, Response::from(Task::default()));
}

/// Schedules the operation of the server itself that is signal-with-start of the workflow `x`.
fn signal_with_start(change: impl FnOnce(&mut api::SignalWithStartWorkflowExecutionRequest)) -> Command {
    let mut request = api::SignalWithStartWorkflowExecutionRequest {
        workflow_id: "x".to_owned(),
        workflow_type: Some(stead_proto::common::v1::WorkflowType { name: "Flow".to_owned() }),
        task_queue: named_queue("x"),
        signal_name: "hello".to_owned(),
        ..Default::default()
    };
    change(&mut request);
    schedule(|it| {
        it.endpoint = "__temporal_system".to_owned();
        it.service = "temporal.api.workflowservice.v1.WorkflowService".to_owned();
        it.operation = "SignalWithStartWorkflowExecution".to_owned();
        it.input = Some(Payload {
            metadata: [("encoding".to_owned(), "binary/protobuf".into())].into(),
            data: request.encode_to_vec().into(),
            ..Default::default()
        });
    })
}

#[test]
fn a_workflow_signals_another_and_starts_it_if_it_is_not_there() {
    let mut server = Server::new();
    server.start("w");
    let mut began = Vec::new();
    for _ in 0..2 {
        server.step(vec![signal_with_start(|_| {})]);
        let history = server.history("w");
        let completed = last!(history, NexusOperationCompletedEventAttributes);
        let link = history.iter().rev().find(|event| !event.links.is_empty()).expect("a link to what was signalled");
        let Some(Variant::WorkflowEvent(event)) = &link.links[0].variant else { panic!("{link:?}") };
        assert_eq!(event.workflow_id, "x");
        let result = completed.result.expect("the call's answer");
        assert_eq!(
            result.metadata["messageType"],
            "temporal.api.workflowservice.v1.SignalWithStartWorkflowExecutionResponse"
        );
        let answer = api::SignalWithStartWorkflowExecutionResponse::decode(result.data).unwrap();
        began.push((answer.run_id, answer.started));
    }
    assert_eq!((began[0].1, began[1].1), (true, false));
    assert_eq!(began[0].0, began[1].0, "the second one signals the run that the first one started");
    let history = server.history("x");
    let signals: Vec<_> =
        history.iter().filter(|event| event.event_type() == EventType::WorkflowExecutionSignaled).collect();
    assert_eq!(signals.len(), 2);
    let Some(Variant::WorkflowEvent(from)) = &signals[0].links[0].variant else { panic!("{:?}", signals[0]) };
    assert_eq!(from.workflow_id, "w", "the signal says where it comes from");
}

#[test]
fn what_the_servers_own_operations_do_not_take_is_refused_with_the_task() {
    let mut server = Server::new();
    server.start("w");
    let mut refused = |command: Command| {
        let refused = server.refused(vec![command]);
        server.step(Vec::new());
        server.signal("w", "go on");
        refused.strip_prefix("BadScheduleNexusOperationAttributes: ").expect("the cause").to_owned()
    };
    for (command, message) in [
        (signal_with_start(|it| it.workflow_id.clear()), "WorkflowId is not set on request."),
        (signal_with_start(|it| it.signal_name.clear()), "signal not set"),
        (signal_with_start(|it| it.request_id = "r".to_owned()), "RequestID should not be set on the request"),
        (signal_with_start(|it| it.links.push(Link::default())), "Links should not be set on the request"),
        (
            signal_with_start(|it| it.namespace = "other".to_owned()),
            r#"Namespace in request "other" does not match namespace in context "default""#,
        ),
    ] {
        assert_eq!(refused(command), message);
    }
    let mut changed = |change: &dyn Fn(&mut Schedule)| {
        let mut command = signal_with_start(|_| {});
        if let Some(C::ScheduleNexusOperationCommandAttributes(attributes)) = &mut command.attributes {
            change(attributes);
        }
        refused(command)
    };
    assert_eq!(changed(&|it| it.service = "Other".to_owned()), "service \"Other\" not found");
    assert_eq!(changed(&|it| it.operation = "Other".to_owned()), "operation \"Other\" not found");
    let header = changed(&|it| _ = it.nexus_header.insert("a".to_owned(), "b".to_owned()));
    assert!(header.contains("NexusHeader must be empty when using __temporal_system endpoint"), "{header}");
    let nonsense = changed(&|it| it.input = payload("nonsense"));
    assert!(nonsense.contains("failed to decode input payload"), "{nonsense}");
}

#[test]
fn a_signal_with_start_that_cannot_be_fails_the_operation() {
    let mut server = Server::new();
    server.start("x");
    server.terminate("x");
    server.start("w");
    let reject = stead_proto::enums::v1::WorkflowIdReusePolicy::RejectDuplicate;
    server.step(vec![signal_with_start(|it| it.workflow_id_reuse_policy = reject.into())]);
    let history = server.history("w");
    let failure = last!(history, NexusOperationFailedEventAttributes).failure.unwrap().cause.unwrap();
    assert!(matches!(failure.failure_info, Some(FailureInfo::ServerFailureInfo(info)) if info.non_retryable));
    assert!(failure.message.starts_with("WorkflowExecutionAlreadyStarted: "), "{}", failure.message);
}
