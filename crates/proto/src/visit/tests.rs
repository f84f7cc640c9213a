use std::collections::BTreeMap;

use prost::{Message as _, Name as _};

use super::*;
use crate::command::v1::{Command, ScheduleActivityTaskCommandAttributes, command};
use crate::common::v1::{Header, Memo, SearchAttributes};
use crate::failure::v1::{ApplicationFailureInfo, TimeoutFailureInfo, failure::FailureInfo};
use crate::history::v1::{History, HistoryEvent, WorkflowExecutionStartedEventAttributes, history_event};
use crate::query::v1::WorkflowQuery;
use crate::sdk::v1::UserMetadata;
use crate::update::v1::{Input, Outcome, outcome};
use crate::workflowservice::v1::{
    ExecuteMultiOperationRequest, PollWorkflowTaskQueueResponse, RespondWorkflowTaskCompletedRequest,
    SignalWithStartWorkflowExecutionRequest, StartWorkflowExecutionRequest, UpdateWorkflowExecutionRequest,
    execute_multi_operation_request::{Operation, operation},
};

fn payload(text: &str) -> Payload {
    Payload { data: text.to_owned().into(), ..Payload::default() }
}

fn payloads(texts: &[&str]) -> Option<Payloads> {
    Some(Payloads { payloads: texts.iter().map(|text| payload(text)).collect() })
}

fn fields<const N: usize>(fields: [(&str, &str); N]) -> BTreeMap<String, Payload> {
    fields.map(|(key, text)| (key.to_owned(), payload(text))).into()
}

/// Causes; more than a test's stack has room for.
const LONG: usize = 200_000;

/// What is visited, in order.
fn visited(message: &mut impl VisitPayloads) -> Vec<String> {
    let mut texts = Vec::new();
    message.visit_payloads(&mut |it: &mut Payload| texts.push(String::from_utf8_lossy(&it.data).into_owned()));
    texts
}

fn start() -> StartWorkflowExecutionRequest {
    StartWorkflowExecutionRequest {
        input: payloads(&["first", "second"]),
        memo: Some(Memo { fields: fields([("b", "memo b"), ("a", "memo a")]) }),
        search_attributes: Some(SearchAttributes { indexed_fields: fields([("Status", "read by the server")]) }),
        header: Some(Header { fields: fields([("trace", "an interceptor's")]) }),
        user_metadata: Some(UserMetadata { summary: Some(payload("summary")), details: Some(payload("details")) }),
        ..Default::default()
    }
}

fn update(text: &str) -> Request {
    let header = Some(Header { fields: fields([("trace", "an interceptor's")]) });
    let input = Input { header, name: "add".to_owned(), args: payloads(&[text]) };
    Request { input: Some(input), ..Default::default() }
}

fn message<M: prost::Message + prost::Name>(body: &M) -> Message {
    Message { body: Some(Any::from_msg(body).expect("it has a name")), ..Default::default() }
}

#[test]
fn what_users_wrote_is_visited_and_headers_and_search_attributes_are_not() {
    let wanted = ["first", "second", "memo a", "memo b", "summary", "details"];
    assert_eq!(visited(&mut start()), wanted);
}

/// Wants to see everything.
struct All(Vec<String>);

impl Visitor for All {
    fn payload(&mut self, payload: &mut Payload) {
        self.0.push(String::from_utf8_lossy(&payload.data).into_owned());
    }

    fn wants_headers(&self) -> bool {
        true
    }
}

#[test]
fn headers_are_visited_if_the_visitor_asks_for_them() {
    let mut all = All(Vec::new());
    message(&update("update")).visit_payloads(&mut all);
    start().visit_payloads(&mut all);
    assert_eq!(all.0.iter().filter(|text| *text == "an interceptor's").count(), 2);
}

#[test]
fn payloads_within_oneofs_and_maps_and_lists_are_found() {
    let operation = |operation| Operation { operation: Some(operation) };
    let update = UpdateWorkflowExecutionRequest { request: Some(update("update")), ..Default::default() };
    let mut both = ExecuteMultiOperationRequest {
        operations: vec![
            operation(operation::Operation::StartWorkflow(start())),
            operation(operation::Operation::UpdateWorkflow(update)),
        ],
        ..Default::default()
    };
    assert_eq!(visited(&mut both).last().map(String::as_str), Some("update"));

    let started = WorkflowExecutionStartedEventAttributes { input: payloads(&["input"]), ..Default::default() };
    let attributes = history_event::Attributes::WorkflowExecutionStartedEventAttributes(Box::new(started));
    let query = |text| WorkflowQuery { query_args: payloads(&[text]), ..Default::default() };
    let mut task = PollWorkflowTaskQueueResponse {
        history: Some(History { events: vec![HistoryEvent { attributes: Some(attributes), ..Default::default() }] }),
        queries: [("q".to_owned(), query("query"))].into(),
        ..Default::default()
    };
    assert_eq!(visited(&mut task), ["input", "query"]);
}

#[test]
fn failures_are_visited_along_their_causes_however_many_there_are() {
    let timeout = TimeoutFailureInfo { last_heartbeat_details: payloads(&["heartbeat"]), ..Default::default() };
    let innermost = Failure { failure_info: Some(FailureInfo::TimeoutFailureInfo(timeout)), ..Default::default() };
    let mut failure =
        (0..LONG).fold(innermost, |cause, _| Failure { cause: Some(Box::new(cause)), ..Default::default() });
    failure.encoded_attributes = Some(payload("attributes"));
    let application = ApplicationFailureInfo { details: payloads(&["details"]), ..Default::default() };
    failure.failure_info = Some(FailureInfo::ApplicationFailureInfo(application));
    assert_eq!(visited(&mut failure), ["attributes", "details", "heartbeat"]);
    // Dropped as a whole, it would need the stack that the visit does not.
    while let Some(cause) = failure.cause.take() {
        failure = *cause;
    }
}

#[test]
fn bodies_of_the_update_protocol_are_opened_and_closed_again() {
    let outcome = |value| Some(Outcome { value: Some(value) });
    let response = Response { outcome: outcome(outcome::Value::Success(Payloads::default())), ..Default::default() };
    let acceptance = Acceptance { accepted_request: Some(update("accepted")), ..Default::default() };
    let rejection = Rejection { rejected_request: Some(update("rejected")), ..Default::default() };
    let mut request = RespondWorkflowTaskCompletedRequest {
        messages: vec![message(&update("request")), message(&response), message(&acceptance), message(&rejection)],
        ..Default::default()
    };
    request.visit_payloads(&mut |it: &mut Payload| *it = payload(&format!("x {}", String::from_utf8_lossy(&it.data))));
    assert_eq!(visited(&mut request), ["x request", "x accepted", "x rejected"]);
    let body = request.messages[0].body.as_ref().expect("it had one");
    assert_eq!(body.to_msg::<Request>(), Ok(update("x request")));
}

#[test]
fn other_bodies_and_broken_ones_stay_as_they_are() {
    let body = |type_url: &str, value: &[u8]| Some(Any { type_url: type_url.to_owned(), value: value.to_vec() });
    let foreign = body("type.googleapis.com/other.Message", b"\x0a\x01a");
    let broken = body("type.googleapis.com/temporal.api.update.v1.Request", b"\xff");
    for body in [foreign, broken, None] {
        let mut message = Message { body: body.clone(), ..Default::default() };
        assert_eq!(visited(&mut message), [""; 0]);
        assert_eq!(message.body, body);
    }
}

#[test]
fn of_the_markers_of_sdks_only_results_are_the_users() {
    let marker = |name: &str| {
        let details = [("data", "lookup"), ("result", "returned")];
        let details = details.map(|(key, text)| (key.to_owned(), payloads(&[text]).unwrap_or_default()));
        let failure = Some(Failure { encoded_attributes: Some(payload("failure")), ..Default::default() });
        RecordMarkerCommandAttributes {
            marker_name: name.to_owned(),
            details: details.into(),
            failure,
            ..Default::default()
        }
    };
    assert_eq!(visited(&mut marker("core_local_activity")), ["returned", "failure"]);
    assert_eq!(visited(&mut marker("mine")), ["lookup", "returned", "failure"]);
}

#[test]
fn what_was_taken_can_be_put_back() {
    let activity = ScheduleActivityTaskCommandAttributes {
        input: payloads(&["a", "b"]),
        header: Some(Header { fields: fields([("trace", "an interceptor's")]) }),
        ..Default::default()
    };
    let attributes = command::Attributes::ScheduleActivityTaskCommandAttributes(Box::new(activity));
    let original = RespondWorkflowTaskCompletedRequest {
        commands: vec![Command {
            user_metadata: Some(Box::new(UserMetadata { summary: Some(payload("summary")), details: None })),
            attributes: Some(attributes),
            ..Default::default()
        }],
        messages: vec![message(&update("request"))],
        ..Default::default()
    };
    let mut request = original.clone();
    let taken = take_payloads(&mut request);
    assert_eq!(taken.len(), 4);
    assert_ne!(request, original);

    let sent = RespondWorkflowTaskCompletedRequest::decode(request.encode_to_vec().as_slice());
    let mut elsewhere = sent.expect("it is still a message");
    put_back_payloads(&mut elsewhere, taken).expect("the count is right");
    assert_eq!(elsewhere, original);
}

#[test]
fn a_wrong_count_is_refused_and_changes_nothing() {
    for payloads in [Vec::new(), vec![payload("x"); 7]] {
        let (mut request, found) = (start(), payloads.len());
        assert_eq!(put_back_payloads(&mut request, payloads), Err(WrongCount { expected: 6, found }));
        assert_eq!(request, start());
    }
}

/// An operation with this input, as it is commanded and as history has it.
fn operation(endpoint: &str, input: Payload) -> (command::Attributes, history_event::Attributes) {
    let (endpoint, operation) = (endpoint.to_owned(), system::SIGNAL_WITH_START.to_owned());
    let commanded = ScheduleNexusOperationCommandAttributes {
        endpoint: endpoint.clone(),
        operation: operation.clone(),
        input: Some(input.clone()),
        ..Default::default()
    };
    let scheduled =
        NexusOperationScheduledEventAttributes { endpoint, operation, input: Some(input), ..Default::default() };
    (
        command::Attributes::ScheduleNexusOperationCommandAttributes(Box::new(commanded)),
        history_event::Attributes::NexusOperationScheduledEventAttributes(Box::new(scheduled)),
    )
}

#[test]
fn of_an_operation_of_the_server_the_payloads_inside_are_visited_and_the_request_stays_readable() {
    let request = SignalWithStartWorkflowExecutionRequest {
        workflow_id: "order-1".to_owned(),
        signal_input: payloads(&["signal"]),
        input: payloads(&["input"]),
        memo: Some(Memo { fields: fields([("a", "memo")]) }),
        search_attributes: Some(SearchAttributes { indexed_fields: fields([("Status", "read by the server")]) }),
        ..Default::default()
    };
    let envelope = system::envelope(&request);
    assert_eq!(envelope.metadata["messageType"], SignalWithStartWorkflowExecutionRequest::full_name());
    let (mut commanded, mut scheduled) = operation(system::ENDPOINT, envelope.clone());
    for message in [&mut commanded as &mut dyn VisitPayloads, &mut scheduled] {
        let mut texts = Vec::new();
        message.visit_payloads(&mut |it: &mut Payload| {
            texts.push(String::from_utf8_lossy(&it.data).into_owned());
            it.data = "secret".into();
        });
        texts.sort();
        assert_eq!(texts, ["input", "memo", "signal"]);
    }
    let command::Attributes::ScheduleNexusOperationCommandAttributes(commanded) = commanded else {
        panic!("it is one")
    };
    let input = commanded.input.expect("the input");
    assert_eq!(input.metadata, envelope.metadata);
    let sent = SignalWithStartWorkflowExecutionRequest::decode(input.data).expect("the server reads it");
    assert_eq!((&*sent.workflow_id, sent.signal_input), ("order-1", payloads(&["secret"])));
}

#[test]
fn the_input_of_any_other_operation_is_the_users() {
    let envelope = system::envelope(&SignalWithStartWorkflowExecutionRequest::default());
    for (endpoint, input) in [("billing", envelope), (system::ENDPOINT, payload("no request"))] {
        let (mut commanded, mut scheduled) = operation(endpoint, input);
        assert_eq!((visited(&mut commanded).len(), visited(&mut scheduled).len()), (1, 1), "{endpoint}");
    }
}
