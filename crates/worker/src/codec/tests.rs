use std::sync::Arc;

use stead_data::{BoxFuture, PayloadCodec};
use stead_proto::command::v1::command::Attributes as CommandAttributes;
use stead_proto::command::v1::{
    Command, CompleteWorkflowExecutionCommandAttributes, RecordMarkerCommandAttributes,
    ScheduleActivityTaskCommandAttributes, SignalExternalWorkflowExecutionCommandAttributes,
    StartChildWorkflowExecutionCommandAttributes,
};
use stead_proto::common::v1::{Header, Payloads, WorkflowExecution};
use stead_proto::failure::v1::failure::FailureInfo;
use stead_proto::failure::v1::{ApplicationFailureInfo, CanceledFailureInfo};
use stead_proto::history::v1::history_event::Attributes as EventAttributes;
use stead_proto::history::v1::{
    ActivityTaskCompletedEventAttributes, ActivityTaskScheduledEventAttributes,
    ChildWorkflowExecutionCompletedEventAttributes, History, WorkflowExecutionStartedEventAttributes,
};
use stead_proto::protocol::v1::Message;
use stead_proto::update::v1::{Input, Request};

use super::*;

/// Adds a letter when it encodes, and takes one away when it decodes.
struct Letter;

impl PayloadCodec for Letter {
    fn encode<'a>(
        &'a self,
        payloads: Vec<Payload>,
        context: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<Payload>, CodecError>> {
        assert_eq!(context.namespace(), Some("default"));
        let encode = |it: Payload| payload(&format!("x{}", text(&it)));
        Box::pin(async move { Ok(payloads.into_iter().map(encode).collect()) })
    }

    fn decode<'a>(
        &'a self,
        payloads: Vec<Payload>,
        context: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<Payload>, CodecError>> {
        assert_eq!(context.namespace(), Some("default"));
        let decode = |it: Payload| payload(text(&it).strip_prefix('x').unwrap_or(text(&it)));
        Box::pin(async move { Ok(payloads.into_iter().map(decode).collect()) })
    }
}

/// Loses all payloads.
struct Lossy;

impl PayloadCodec for Lossy {
    fn encode<'a>(
        &'a self,
        _payloads: Vec<Payload>,
        _context: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<Payload>, CodecError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn decode<'a>(
        &'a self,
        _payloads: Vec<Payload>,
        _context: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<Payload>, CodecError>> {
        Box::pin(async { Err(CodecError::new("no key")) })
    }
}

fn of(codec: impl PayloadCodec) -> Codec {
    Codec::new(&DataConverter::new().with_codec(Arc::new(codec)), "default", "orders")
}

fn owner(codec: &Codec) -> Owner {
    codec.owner("w".to_owned(), "r".to_owned(), Some("Order".to_owned()))
}

fn context(codec: &Codec) -> Option<SerializationContext> {
    owner(codec).map(Into::into)
}

fn payload(text: &str) -> Payload {
    Payload { data: text.to_owned().into(), ..Payload::default() }
}

fn text(payload: &Payload) -> &str {
    std::str::from_utf8(&payload.data).expect("the tests use text")
}

fn payloads(text: &str) -> Option<Payloads> {
    Some(Payloads { payloads: vec![payload(text)] })
}

fn request(arguments: &str) -> Request {
    Request {
        input: Some(Input {
            header: Some(Header { fields: [("trace".to_owned(), payload("h"))].into() }),
            name: "add".to_owned(),
            args: payloads(arguments),
        }),
        ..Request::default()
    }
}

#[tokio::test]
async fn results_and_failures_and_updates_are_encoded_and_headers_and_patches_are_not() {
    let codec = of(Letter);
    let command = |attributes| Command { attributes: Some(attributes), ..Command::default() };
    let patch = RecordMarkerCommandAttributes {
        marker_name: "core_patch".to_owned(),
        details: [("patch-data".to_owned(), payloads("p").expect("some"))].into(),
        ..Default::default()
    };
    let complete = CompleteWorkflowExecutionCommandAttributes { result: payloads("r") };
    let body = prost_types::Any::from_msg(&request("u")).expect("a message");
    let encoded = codec
        .encode_completion(
            &owner(&codec),
            RespondWorkflowTaskCompletedRequest {
                commands: vec![
                    command(CommandAttributes::RecordMarkerCommandAttributes(Box::new(patch.clone()))),
                    command(CommandAttributes::CompleteWorkflowExecutionCommandAttributes(complete)),
                ],
                messages: vec![Message { body: Some(body), ..Message::default() }],
                ..Default::default()
            },
        )
        .await
        .expect("it encodes");

    assert_eq!(encoded.commands[0], command(CommandAttributes::RecordMarkerCommandAttributes(Box::new(patch))));
    let complete = CompleteWorkflowExecutionCommandAttributes { result: payloads("xr") };
    assert_eq!(encoded.commands[1], command(CommandAttributes::CompleteWorkflowExecutionCommandAttributes(complete)));
    let body = encoded.messages[0].body.as_ref().expect("a body");
    assert_eq!(body.to_msg::<Request>(), Ok(request("xu")));
}

#[tokio::test]
async fn failures_are_encoded_along_their_causes_and_decode_to_what_they_were() {
    let codec = of(Letter);
    let cause = ProtoFailure {
        failure_info: Some(FailureInfo::CanceledFailureInfo(CanceledFailureInfo {
            details: payloads("inner"),
            ..Default::default()
        })),
        ..Default::default()
    };
    let failure = ProtoFailure {
        cause: Some(Box::new(cause)),
        encoded_attributes: Some(payload("attributes")),
        failure_info: Some(FailureInfo::ApplicationFailureInfo(ApplicationFailureInfo {
            details: payloads("outer"),
            ..Default::default()
        })),
        ..Default::default()
    };
    let mut encoded = codec.encode_failure_or_say_why(context(&codec), failure.clone()).await;
    let mut seen = Vec::new();
    encoded.visit_payloads(&mut |it: &mut Payload| seen.push(text(it).to_owned()));
    assert_eq!(seen, ["xattributes", "xouter", "xinner"]);
    let mut parts: [Part<'_>; 1] = [(context(&codec).expect("there is a codec"), &mut encoded)];
    let stages = codec.0.as_ref().expect("there is a codec");
    decode_parts(&stages.converter, &mut parts).await.expect("it decodes");
    assert_eq!(encoded, failure);
}

#[tokio::test]
async fn a_codec_that_fails_or_loses_payloads_is_an_error_and_shows_nothing() {
    let codec = of(Lossy);
    let mut arguments = vec![payload("secret")];
    let activity = codec.activity(&Info::default());
    let decoded = codec.decode_activity(&activity, &mut arguments, &mut None, &mut Vec::new()).await;
    let error = decoded.expect_err("there is no key");
    assert_eq!(error.to_string(), "payload codec failed: no key");
    let secret = Failure::application("secret").details(&"secret").into_proto();
    let shown = codec.encode_failure_or_say_why(context(&codec), secret).await;
    assert_eq!(shown.message, "a failure that cannot be shown: payload codec failed: 1 payloads became 0");
}

/// Insists on getting back the context that it encoded in.
struct Bound;

fn label(context: &SerializationContext) -> String {
    let activity = context.activity().map_or("-", |it| if it.is_local { "local" } else { &it.activity_id });
    format!("{}/{activity}:", context.workflow_id().unwrap_or("nobody"))
}

impl PayloadCodec for Bound {
    fn encode<'a>(
        &'a self,
        payloads: Vec<Payload>,
        context: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<Payload>, CodecError>> {
        let encode = |it: Payload| payload(&format!("{}{}", label(context), text(&it)));
        Box::pin(async move { Ok(payloads.into_iter().map(encode).collect()) })
    }

    fn decode<'a>(
        &'a self,
        payloads: Vec<Payload>,
        context: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<Payload>, CodecError>> {
        Box::pin(async move {
            let decode = |it: Payload| {
                let found = text(&it).strip_prefix(&label(context)).map(payload);
                found.ok_or_else(|| CodecError::new(format!("{} is not of {}", text(&it), label(context))))
            };
            payloads.into_iter().map(decode).collect()
        })
    }
}

fn event(event_id: i64, attributes: EventAttributes) -> HistoryEvent {
    HistoryEvent { event_id, attributes: Some(attributes), ..Default::default() }
}

fn started() -> HistoryEvent {
    let attributes = WorkflowExecutionStartedEventAttributes { input: payloads("w/-:start"), ..Default::default() };
    event(1, EventAttributes::WorkflowExecutionStartedEventAttributes(Box::new(attributes)))
}

fn scheduled() -> HistoryEvent {
    let attributes = ActivityTaskScheduledEventAttributes {
        activity_id: "a1".to_owned(),
        input: payloads("w/a1:in"),
        ..Default::default()
    };
    event(5, EventAttributes::ActivityTaskScheduledEventAttributes(Box::new(attributes)))
}

fn completed() -> HistoryEvent {
    let attributes = ActivityTaskCompletedEventAttributes {
        scheduled_event_id: 5,
        result: payloads("w/a1:out"),
        ..Default::default()
    };
    event(7, EventAttributes::ActivityTaskCompletedEventAttributes(attributes))
}

fn child_completed() -> HistoryEvent {
    let attributes = ChildWorkflowExecutionCompletedEventAttributes {
        workflow_execution: Some(WorkflowExecution { workflow_id: "child".to_owned(), run_id: "c".to_owned() }),
        result: payloads("child/-:grown"),
        ..Default::default()
    };
    event(8, EventAttributes::ChildWorkflowExecutionCompletedEventAttributes(attributes))
}

fn task(events: impl IntoIterator<Item = HistoryEvent>) -> PollWorkflowTaskQueueResponse {
    PollWorkflowTaskQueueResponse {
        workflow_execution: Some(WorkflowExecution { workflow_id: "w".to_owned(), run_id: "r".to_owned() }),
        history: Some(History { events: events.into_iter().collect() }),
        ..Default::default()
    }
}

async fn decoded(codec: &Codec, mut task: PollWorkflowTaskQueueResponse) -> Vec<String> {
    codec.decode_task(&mut task).await.expect("each payload comes in its context");
    let mut seen = Vec::new();
    task.visit_payloads(&mut |it: &mut Payload| seen.push(text(it).to_owned()));
    seen
}

#[tokio::test]
async fn payloads_of_events_come_in_the_context_of_what_was_called_also_tasks_later() {
    let codec = of(Bound);
    assert_eq!(decoded(&codec, task([started()])).await, ["start"]);
    codec.arrived("r");
    assert_eq!(decoded(&codec, task([scheduled()])).await, ["in"]);
    codec.arrived("r");
    assert_eq!(decoded(&codec, task([completed(), child_completed()])).await, ["out", "grown"]);
}

#[tokio::test]
async fn a_part_of_a_history_that_is_about_to_be_fetched_whole_stays_as_it_is() {
    let codec = of(Bound);
    assert_eq!(decoded(&codec, task([completed()])).await, ["w/a1:out"]);
    codec.arrived("r");
    let mut events = [started(), scheduled(), completed()];
    codec.decode_history(&owner(&codec), &mut events).await.expect("each payload comes in its context");
    assert_eq!(decoded(&codec, task([child_completed()])).await, ["grown"]);
}

#[tokio::test]
async fn what_was_scheduled_is_remembered_until_the_run_and_its_tasks_are_gone() {
    let codec = of(Bound);
    let is_empty = || codec.0.as_ref().expect("there is a codec").owners().is_empty();
    decoded(&codec, task([started(), scheduled()])).await;
    codec.arrived("r");
    decoded(&codec, task([completed()])).await;
    codec.forget("r");
    assert!(!is_empty(), "another task is on its way");
    codec.arrived("r");
    codec.forget("r");
    assert!(is_empty());

    let mut unreadable = task([started(), completed()]);
    codec.decode_task(&mut unreadable).await.expect_err("nobody scheduled it");
    assert!(is_empty());
}

#[tokio::test]
async fn payloads_of_commands_go_in_the_context_of_what_they_call() {
    let codec = of(Bound);
    let data = payload(r#"{"seq":1,"activity_id":"l1","activity_type":"quick"}"#);
    let local = RecordMarkerCommandAttributes {
        marker_name: "core_local_activity".to_owned(),
        details: [
            ("data".to_owned(), Payloads { payloads: vec![data] }),
            ("result".to_owned(), payloads("1").expect("some")),
        ]
        .into(),
        ..Default::default()
    };
    let activity = ScheduleActivityTaskCommandAttributes {
        activity_id: "a1".to_owned(),
        input: payloads("2"),
        ..Default::default()
    };
    let child = StartChildWorkflowExecutionCommandAttributes {
        workflow_id: "child".to_owned(),
        input: payloads("3"),
        ..Default::default()
    };
    let signal = SignalExternalWorkflowExecutionCommandAttributes {
        execution: Some(WorkflowExecution { workflow_id: "other".to_owned(), ..Default::default() }),
        input: payloads("4"),
        ..Default::default()
    };
    let commands = [
        CommandAttributes::RecordMarkerCommandAttributes(Box::new(local)),
        CommandAttributes::ScheduleActivityTaskCommandAttributes(Box::new(activity)),
        CommandAttributes::StartChildWorkflowExecutionCommandAttributes(Box::new(child)),
        CommandAttributes::SignalExternalWorkflowExecutionCommandAttributes(Box::new(signal)),
    ];
    let commands = commands.map(|attributes| Command { attributes: Some(attributes), ..Default::default() });
    let request = RespondWorkflowTaskCompletedRequest { commands: commands.into(), ..Default::default() };
    let mut encoded = codec.encode_completion(&owner(&codec), request).await.expect("it encodes");
    let mut seen = Vec::new();
    encoded.visit_payloads(&mut |it: &mut Payload| seen.push(text(it).to_owned()));
    assert_eq!(seen, ["w/local:1", "w/a1:2", "child/-:3", "other/-:4"]);
}
