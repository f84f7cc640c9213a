use proptest::prelude::*;
use prost_types::{Duration, Timestamp};

use super::{HISTORY, JsonError, history_from_json, history_to_json};
use crate::common::v1::{Header, Payload, Payloads};
use crate::enums::v1::{EventType, RetryState};
use crate::failure::v1::{ApplicationFailureInfo, Failure, failure::FailureInfo};
use crate::history::v1::history_event::Attributes;
use crate::history::v1::{History, HistoryEvent};
use crate::history::v1::{
    MarkerRecordedEventAttributes, WorkflowExecutionFailedEventAttributes, WorkflowExecutionStartedEventAttributes,
};

#[test]
fn reads_what_the_cli_exports() {
    let history = read(
        r#"{
          "events": [
            {
              "eventId": "1",
              "eventTime": "2024-05-06T07:08:09.123456789Z",
              "eventType": "EVENT_TYPE_WORKFLOW_EXECUTION_STARTED",
              "taskId": "1048587",
              "workflowExecutionStartedEventAttributes": {
                "workflowType": { "name": "Order" },
                "taskQueue": { "name": "orders", "kind": "TASK_QUEUE_KIND_NORMAL" },
                "input": {
                  "payloads": [{ "metadata": { "encoding": "anNvbi9wbGFpbg==" }, "data": "ImhlbGxvIg==" }]
                },
                "workflowExecutionTimeout": "0s",
                "workflowTaskTimeout": "10.5s",
                "retryPolicy": { "backoffCoefficient": 2, "maximumAttempts": 3 },
                "attempt": 1,
                "header": {}
              }
            },
            { "eventId": "2", "eventType": "EVENT_TYPE_WORKFLOW_TASK_SCHEDULED", "workerMayIgnore": true }
          ]
        }"#,
    );

    let [first, second] = history.events.as_slice() else {
        panic!("two events");
    };
    assert_eq!((first.event_id, first.task_id), (1, 1_048_587));
    assert_eq!(first.event_time, Some(Timestamp { seconds: 1_714_979_289, nanos: 123_456_789 }));
    let started = started(first);
    assert_eq!(started.workflow_type.as_ref().unwrap().name, "Order");
    assert_eq!(started.task_queue.as_ref().unwrap().kind, 1);
    assert_eq!(started.input, Some(input([json_plain(r#""hello""#)])));
    assert_eq!(started.workflow_task_timeout, Some(Duration { seconds: 10, nanos: 500_000_000 }));
    assert_eq!(started.retry_policy.as_ref().unwrap().backoff_coefficient, 2.0);
    assert!(second.worker_may_ignore);
}

#[test]
fn reads_events_with_or_without_the_object_around() {
    let event = r#"{ "eventId": 7 }"#;
    for json in [
        format!(r#"[{event}]"#),
        format!(r#" {{ "events": [{event}] }} "#),
        format!(r#"{{ "history": {{ "events": [{event}] }}, "nextPageToken": "" }}"#),
        format!(r#"{{ "history": [{event}] }}"#),
    ] {
        assert_eq!(read(&json).events[0].event_id, 7, "{json}");
    }
}

#[test]
fn reads_names_of_enum_values_in_every_form() {
    for form in [
        r#""EVENT_TYPE_WORKFLOW_EXECUTION_STARTED""#,
        r#""WORKFLOW_EXECUTION_STARTED""#,
        r#""WorkflowExecutionStarted""#,
        r#""workflowExecutionStarted""#,
        r#""EventTypeWorkflowExecutionStarted""#,
        r#""1""#,
        "1",
    ] {
        let history = read(&format!(r#"[{{ "eventType": {form} }}]"#));
        assert_eq!(history.events[0].event_type(), EventType::WorkflowExecutionStarted, "{form}");
    }
}

#[test]
fn keeps_the_number_of_an_enum_value_it_does_not_know() {
    let history = read(r#"[{ "eventType": 4711 }]"#);
    assert_eq!(history.events[0].event_type, 4711);
    assert_eq!(rewritten(&history), history);
}

#[test]
fn reads_names_of_fields_in_both_cases_and_ignores_unknown_ones() {
    let history = read(
        r#"[{ "event_id": "3", "timer_started_event_attributes": { "timer_id": "5", "start_to_fire_timeout": "3600s" },
              "invented": { "by": ["a", "newer", "server"] } }]"#,
    );
    let Some(Attributes::TimerStartedEventAttributes(timer)) = &history.events[0].attributes else {
        panic!("a timer");
    };
    assert_eq!(timer.timer_id, "5");
    assert_eq!(timer.start_to_fire_timeout, Some(Duration { seconds: 3600, nanos: 0 }));
}

#[test]
fn reads_whole_numbers_as_strings_and_numbers() {
    for form in ["9007199254740993", r#""9007199254740993""#] {
        assert_eq!(read(&format!(r#"[{{ "eventId": {form} }}]"#)).events[0].event_id, 9_007_199_254_740_993);
    }
    assert_eq!(read(r#"[{ "eventId": 3.0 }, { "eventId": "3e2" }]"#).events[1].event_id, 300);
}

#[test]
fn reads_payloads_in_shorthand() {
    let data = r#"{ "z": 1, "a": 12345678901234567890123, "f": 1.0 }"#;
    let payloads = read_input(&format!(r#"["hello", 3, null, {data}, [true]]"#));
    let expected = [
        json_plain(r#""hello""#),
        json_plain("3"),
        payload([("encoding", "binary/null")], ""),
        json_plain(data),
        json_plain("[true]"),
    ];
    assert_eq!(payloads, expected);
    assert_eq!(read_input(r#"{ "payloads": ["hello"] }"#), [json_plain(r#""hello""#)]);
    assert_eq!(read_input("[]"), []);
}

#[test]
fn reads_a_message_in_shorthand() {
    let payloads = read_input(r#"[{ "_protoMessageType": "shop.v1.Order", "id": "7" }]"#);
    let expected = payload([("encoding", "json/protobuf"), ("messageType", "shop.v1.Order")], r#"{"id":"7"}"#);
    assert_eq!(payloads, [expected]);
}

#[test]
fn tells_payloads_in_full_from_values_that_look_similar() {
    let full = read_input(
        r#"[{ "metadata": { "encoding": "YmluYXJ5L251bGw=" } },
            { "metadata": { "encoding": "YmluYXJ5L3BsYWlu" }, "data": "-_8" },
            { "data": "AAE=" }]"#,
    );
    assert_eq!(full[0], payload([("encoding", "binary/null")], ""));
    assert_eq!(full[1].data.as_ref(), [0xfb, 0xff]);
    assert_eq!(full[2].data.as_ref(), [0, 1]);

    for value in [
        r#"{"data":"AAE=","more":1}"#,
        r#"{"data":{}}"#,
        r#"{"data":"not base64!"}"#,
        r#"{"metadata":{"encoding":"not base64!"},"data":"AAE="}"#,
        r#"{"metadata":{}}"#,
        "{}",
    ] {
        assert_eq!(read_input(&format!("[{value}]")), [json_plain(value)]);
    }
}

#[test]
fn reads_payloads_that_the_web_page_decoded() {
    let payloads = read_input(
        r#"[{ "metadata": { "encoding": "anNvbi9wbGFpbg==", "encodingDecoded": "json/plain" }, "data": { "id": 7 } },
            { "metadata": { "encoding": "anNvbi9wbGFpbg==", "encodingDecoded": "json/plain" }, "data": "word" },
            { "metadata": { "encoding": "anNvbi9wbGFpbg==", "encodingDecoded": "json/plain" }, "data": "ImhlbGxvIg==" }]"#,
    );
    assert_eq!(payloads, [json_plain(r#"{ "id": 7 }"#), json_plain(r#""word""#), json_plain(r#""hello""#)]);
}

#[test]
fn reads_shorthand_where_payloads_stand_alone() {
    let history = read(
        r#"[{ "markerRecordedEventAttributes": {
                "markerName": "core_patch",
                "details": { "patch-data": [{ "id": "p", "deprecated": false }] },
                "header": { "fields": { "a": "b", "c": null } },
                "failure": { "message": "m", "encodedAttributes": { "message": "secret" } } },
              "userMetadata": { "summary": "to read", "details": null } }]"#,
    );
    let Some(Attributes::MarkerRecordedEventAttributes(marker)) = &history.events[0].attributes else {
        panic!("a marker");
    };
    let data = r#"{ "id": "p", "deprecated": false }"#;
    assert_eq!(marker.details["patch-data"], input([json_plain(data)]));
    let header = &marker.header.as_ref().unwrap().fields;
    assert_eq!(header["a"], json_plain(r#""b""#));
    assert_eq!(header["c"], payload([("encoding", "binary/null")], ""));
    let failure = marker.failure.as_ref().unwrap();
    assert_eq!(failure.encoded_attributes, Some(json_plain(r#"{ "message": "secret" }"#)));
    let metadata = history.events[0].user_metadata.as_ref().unwrap();
    assert_eq!(metadata.summary, Some(json_plain(r#""to read""#)));
    assert_eq!(metadata.details, None);
}

#[test]
fn takes_null_for_absence() {
    let history = read(r#"{ "events": [{ "eventTime": null, "timerFiredEventAttributes": null, "eventId": null }] }"#);
    assert_eq!(history.events, [HistoryEvent::default()]);
    for json in [r#"{ "events": null }"#, r#"{ "history": {} }"#, "{}"] {
        assert_eq!(read(json), History::default());
    }
}

#[test]
fn says_where_a_value_does_not_fit() {
    for (json, expected) in [
        (r#"[{}, { "eventTime": "noon" }]"#, "$[1].eventTime: expected a time"),
        (r#"{ "events": {} }"#, "$.events: expected a list"),
        (r#"{ "events": [[]] }"#, "$.events[0]: expected an object"),
        (r#"{ "history": { "events": [3] } }"#, "$.history.events[0]: expected an object"),
        (r#"[{ "eventId": "one" }]"#, "$[0].eventId: expected a whole number in the range of the field"),
        (
            r#"[{ "timerStartedEventAttributes": { "timerId": 5 } }]"#,
            "$[0].timerStartedEventAttributes.timerId: expected a string",
        ),
        (r#"[{ "eventType": "Nothing" }]"#, "$[0].eventType: not a value of `temporal.api.enums.v1.EventType`"),
        (r#"[null]"#, "$[0]: expected an object"),
        (r#""events""#, "$: expected an object"),
        (r#"{ "event": [] }"#, "$: expected a list of events, or an object with `events` or `history`"),
    ] {
        assert_eq!(refused(json).to_string(), expected, "{json}");
    }
}

#[test]
fn refuses_what_is_no_json() {
    for json in ["", "[", "{\"events\": [}", "[] []", "\u{0}", "[{\"eventId\": 01}]"] {
        assert!(matches!(refused(json), JsonError::Syntax(_)), "{json}");
    }
    assert!(matches!(refused(r#"[{ "eventId": "\ud800" }]"#), JsonError::Invalid { .. }));
}

#[test]
fn refuses_what_is_nested_too_deep() {
    let causes = r#"{ "cause": "#.repeat(200) + "{}" + &"}".repeat(200);
    let json = format!(r#"[{{ "workflowExecutionFailedEventAttributes": {{ "failure": {causes} }} }}]"#);
    assert!(refused(&json).to_string().ends_with("nested more than 100 levels deep"));

    let histories = r#"{ "history": "#.repeat(10_000) + "[]" + &"}".repeat(10_000);
    assert!(refused(&histories).to_string().ends_with("nested more than 100 levels deep"));

    let failure =
        (0..200).fold(Failure::default(), |cause, _| Failure { cause: Some(Box::new(cause)), ..Failure::default() });
    let attributes = WorkflowExecutionFailedEventAttributes { failure: Some(failure), ..Default::default() };
    let history = event(Attributes::WorkflowExecutionFailedEventAttributes(Box::new(attributes)));
    assert!(matches!(history_to_json(&history), Err(JsonError::Message(_))));
}

#[test]
fn keeps_values_nested_deep_inside_of_a_payload() {
    let value = "[".repeat(10_000) + &"]".repeat(10_000);
    assert_eq!(read_input(&format!("[{value}]")), [json_plain(&value)]);
}

#[test]
fn reads_back_what_it_writes() {
    let failure = Failure {
        message: "no \"stock\"\n".to_owned(),
        failure_info: Some(FailureInfo::ApplicationFailureInfo(ApplicationFailureInfo {
            r#type: "OutOfStock".to_owned(),
            details: Some(input([json_plain("[1,2]"), payload([], "\u{1}raw")])),
            next_retry_delay: Some(Duration { seconds: -1, nanos: -500_000_000 }),
            ..Default::default()
        })),
        cause: Some(Box::new(Failure { message: "why".to_owned(), ..Default::default() })),
        ..Default::default()
    };
    let history = History {
        events: vec![
            HistoryEvent {
                event_id: i64::MAX,
                event_time: Some(Timestamp { seconds: 1_700_000_000, nanos: 1_000 }),
                attributes: Some(Attributes::WorkflowExecutionStartedEventAttributes(Box::new(
                    WorkflowExecutionStartedEventAttributes {
                        header: Some(Header { fields: [("h".to_owned(), json_plain("{}"))].into() }),
                        input: Some(Payloads::default()),
                        ..Default::default()
                    },
                ))),
                ..Default::default()
            },
            HistoryEvent {
                attributes: Some(Attributes::WorkflowExecutionFailedEventAttributes(Box::new(
                    WorkflowExecutionFailedEventAttributes {
                        failure: Some(failure),
                        retry_state: RetryState::MaximumAttemptsReached.into(),
                        ..Default::default()
                    },
                ))),
                ..Default::default()
            },
        ],
    };
    assert_eq!(rewritten(&history), history);
}

#[test]
fn writes_the_proto3_mapping_in_the_order_of_the_fields() {
    let history = History {
        events: vec![HistoryEvent {
            event_id: 2,
            event_time: Some(Timestamp { seconds: 0, nanos: 0 }),
            event_type: EventType::MarkerRecorded.into(),
            attributes: Some(Attributes::MarkerRecordedEventAttributes(Box::new(MarkerRecordedEventAttributes {
                details: ["b", "a"].map(|key| (key.to_owned(), Payloads::default())).into(),
                ..Default::default()
            }))),
            ..Default::default()
        }],
    };
    let expected = r#"{
  "events": [
    {
      "eventId": "2",
      "eventTime": "1970-01-01T00:00:00Z",
      "eventType": "EVENT_TYPE_MARKER_RECORDED",
      "markerRecordedEventAttributes": {
        "details": {
          "a": {},
          "b": {}
        }
      }
    }
  ]
}"#;
    assert_eq!(history_to_json(&history).unwrap(), expected);
}

#[test]
fn refuses_to_write_a_time_that_json_cannot_express() {
    let event = HistoryEvent { event_time: Some(Timestamp { seconds: i64::MAX, nanos: 0 }), ..Default::default() };
    let error = history_to_json(&History { events: vec![event] }).unwrap_err();
    assert!(matches!(error, JsonError::Write(_)));
}

/// The reader takes the keys of all maps for strings.
#[test]
fn maps_of_a_history_have_strings_for_keys() {
    let messages: Vec<_> = HISTORY.parent_pool().all_messages().collect();
    assert!(messages.iter().any(|message| message.is_map_entry()));
    for message in messages.iter().filter(|message| message.is_map_entry()) {
        let key = message.map_entry_key_field().kind();
        assert_eq!(key, prost_reflect::Kind::String, "{}", message.full_name());
    }
}

proptest! {
    #![proptest_config(config(10_000))]

    #[test]
    fn survives_random_text(json in ".*") {
        let _ = history_from_json(&json);
    }

    #[test]
    fn survives_any_time_and_any_bytes(seconds: i64, nanos: i32, data: Vec<u8>) {
        let failure = ApplicationFailureInfo {
            details: Some(input([Payload { data: data.clone().into(), ..Default::default() }])),
            next_retry_delay: Some(Duration { seconds, nanos }),
            ..Default::default()
        };
        let attributes = MarkerRecordedEventAttributes {
            failure: Some(Failure {
                failure_info: Some(FailureInfo::ApplicationFailureInfo(failure)),
                ..Default::default()
            }),
            ..Default::default()
        };
        let mut history = event(Attributes::MarkerRecordedEventAttributes(Box::new(attributes)));
        history.events[0].event_time = Some(Timestamp { seconds, nanos });
        let _ = history_to_json(&history);
    }
}

proptest! {
    #![proptest_config(config(1_000))]

    #[test]
    fn survives_values_in_the_wrong_place(json in any_json(), field in any_field()) {
        for json in [
            format!("[{{ \"{field}\": {json} }}]"),
            format!("[{{ \"{field}\": {{ \"{field}\": {json} }} }}]"),
            format!("[{{ \"activityTaskScheduledEventAttributes\": {{ \"input\": [{json}], \"{field}\": {json} }} }}]"),
            json,
        ] {
            if let Ok(history) = history_from_json(&json) {
                prop_assert_eq!(rewritten(&history), history);
            }
        }
    }
}

/// Failing cases become tests of their own, not files.
fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn any_field() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "eventId",
        "eventTime",
        "eventType",
        "userMetadata",
        "links",
        "workerMayIgnore",
        "workflowExecutionStartedEventAttributes",
        "markerRecordedEventAttributes",
        "details",
        "header",
        "failure",
        "retryPolicy",
        "workflowTaskTimeout",
        "input",
    ])
}

fn any_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>()
            .prop_filter("JSON has no others", |number| number.is_finite())
            .prop_map(|number| number.to_string()),
        "\"[a-zA-Z0-9+/=:.TZ-]{0,24}\"",
        Just(r#""0001-01-01T00:00:00Z""#.to_owned()),
        Just(r#""-315576000000.999s""#.to_owned()),
        Just(r#"{ "metadata": { "encoding": "anNvbi9wbGFpbg==" }, "data": "IiI=" }"#.to_owned()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec((any_field(), inner), 0..4).prop_map(|fields| {
                let fields: Vec<_> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

fn read(json: &str) -> History {
    history_from_json(json).unwrap_or_else(|error| panic!("{error}: {json}"))
}

fn refused(json: &str) -> JsonError {
    history_from_json(json).expect_err("an error")
}

fn rewritten(history: &History) -> History {
    read(&history_to_json(history).expect("JSON"))
}

fn read_input(json: &str) -> Vec<Payload> {
    let history = read(&format!(r#"[{{ "workflowExecutionStartedEventAttributes": {{ "input": {json} }} }}]"#));
    started(&history.events[0]).input.clone().expect("an input").payloads
}

fn started(event: &HistoryEvent) -> &WorkflowExecutionStartedEventAttributes {
    match &event.attributes {
        Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) => started,
        other => panic!("not started: {other:?}"),
    }
}

fn event(attributes: Attributes) -> History {
    History { events: vec![HistoryEvent { attributes: Some(attributes), ..Default::default() }] }
}

fn input(payloads: impl Into<Vec<Payload>>) -> Payloads {
    Payloads { payloads: payloads.into() }
}

fn json_plain(data: &str) -> Payload {
    payload([("encoding", "json/plain")], data)
}

fn payload<const N: usize>(metadata: [(&str, &str); N], data: &str) -> Payload {
    Payload {
        metadata: metadata.map(|(name, value)| (name.to_owned(), value.to_owned().into())).into(),
        data: data.to_owned().into(),
        ..Default::default()
    }
}
