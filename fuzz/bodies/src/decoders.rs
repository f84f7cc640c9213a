//! Bytes from elsewhere against what reads them.

use std::collections::BTreeMap;

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use prost::Message as _;
use prost_types::{Any, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use stead_activation::{Command, ScheduleLocalActivity};
use stead_core::replay_task;
use stead_data::{
    Binary, DataConverter, Datetime, Failure, Proto, Raw, RetryPolicy, SearchAttribute, SearchAttributes,
};
use stead_proto::common::v1::{Payload, Payloads, RetryPolicy as WireRetryPolicy};
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::history::v1::{History, MarkerRecordedEventAttributes};
use stead_proto::json::{history_from_json, history_to_json};
use stead_proto::protocol::v1::Message;
use stead_proto::protocol::v1::message::SequencingId;
use stead_proto::sdk::v1::WorkflowTaskCompletedMetadata;
use stead_proto::workflowservice::v1::PollWorkflowTaskQueueResponse;

use crate::drive::{Driver, Ending};
use crate::follower::Follower;
use crate::writer::{Writer, all_flags, poll};

/// A task as it comes off the wire, twice, and then what is left of it.
pub fn task(data: &[u8]) {
    let Ok(task) = PollWorkflowTaskQueueResponse::decode(data) else { return };
    let events = task.history.as_ref().map(|history| history.events.as_slice()).unwrap_or_default();
    let mut guest = Follower::of(events);
    guest.answers_updates = true;
    let mut driver = Driver::new(guest);
    driver.task(task.clone(), Vec::new());
    driver.task(task, Vec::new());
    driver.evict();
}

/// The JSON of a history. What can be read can be written, and comes back as it was; then it is replayed.
pub fn history_json(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let history = match history_from_json(text) {
        Ok(history) => history,
        Err(error) => return assert!(!error.to_string().is_empty(), "an error says what is wrong"),
    };
    if let Ok(written) = history_to_json(&history) {
        let again = history_from_json(&written).expect("what was written can be read");
        assert!(is_same(&again, &history), "{again:#?}\nis not\n{history:#?}");
    }
    let guest = Follower::of(&history.events);
    Driver::new(guest).task(replay_task(history, "workflow", "run"), Vec::new());
}

/// As bytes, because not a number is not itself.
fn is_same(a: &History, b: &History) -> bool {
    a.encode_to_vec() == b.encode_to_vec()
}

/// Whatever a payload holds, reading it as anything is an error at worst; the same of retry policies, whose durations
/// may be anything.
pub fn payload(data: &[u8]) {
    let _ = try_payload(Unstructured::new(data));
    if let Ok(payload) = Payload::decode(data) {
        read(&payload);
    }
    if let Ok(policy) = WireRetryPolicy::decode(data) {
        let policy = RetryPolicy::from_proto(policy);
        let _ = policy.validate();
        for attempt in [0, 1, 2, 1_000, u32::MAX] {
            let _ = policy.wait_after(attempt);
        }
    }
}

fn try_payload(mut input: Unstructured<'_>) -> Result<()> {
    const ENCODINGS: [&str; 5] = ["json/plain", "json/protobuf", "binary/null", "binary/plain", "binary/protobuf"];
    let mut metadata =
        BTreeMap::from([("encoding".to_owned(), Bytes::from_static(input.choose(&ENCODINGS)?.as_bytes()))]);
    if input.arbitrary()? {
        metadata.insert(input.arbitrary()?, Bytes::copy_from_slice(input.arbitrary()?));
    }
    let data = Bytes::copy_from_slice(input.take_rest());
    read(&Payload { metadata, data, ..Payload::default() });
    Ok(())
}

fn read(payload: &Payload) {
    read_as::<()>(payload);
    read_as::<bool>(payload);
    read_as::<u64>(payload);
    read_as::<f64>(payload);
    read_as::<String>(payload);
    read_as::<Vec<u8>>(payload);
    read_as::<Anything>(payload);
    read_as::<serde_json::Value>(payload);
    read_as::<Binary>(payload);
    read_as::<Proto<Timestamp>>(payload);
    let attributes = SearchAttributes::from_payloads([("Due".to_owned(), payload.clone())].into());
    let _ = attributes.get(SearchAttribute::<Datetime>::new("Due"));
}

fn read_as<T: DeserializeOwned>(payload: &Payload) {
    let converter = DataConverter::new();
    let _ = converter.from_payload::<T>(payload);
    let _ = converter.from_result::<Option<T>>(Some(payload));
    let _ = converter.from_payloads::<(T, Raw, Option<T>)>(std::slice::from_ref(payload), 3);
    if let Err(error) = converter.from_payloads::<(T, T)>(&[payload.clone(), payload.clone()], 2) {
        assert!(!error.to_string().is_empty(), "an error says what is wrong");
    }
}

/// A type with most of what serde knows.
#[derive(Debug, Serialize, Deserialize)]
enum Anything {
    Unit,
    Newtype(Option<f32>),
    Tuple(i8, char),
    Struct { map: BTreeMap<i64, String>, bytes: Vec<u8> },
}

/// A failure is passed on as it came, but for messages that hold nothing: what was passed on once stays as it is.
pub fn failure(data: &[u8]) {
    let Ok(wire) = stead_proto::failure::v1::Failure::decode(data) else { return };
    let read = Failure::from_proto(wire);
    let _ = (read.is_cancelled(), read.is_timeout(), read.find_application().is_some(), read.chain().count());
    let _ = (read.to_string(), format!("{read:?}"));
    if let Some(application) = read.as_application() {
        let _ = (application.detail::<Anything>(0), application.detail::<String>(usize::MAX));
    }
    let passed_on = read.into_proto();
    assert_eq!(Failure::from_proto(passed_on.clone()).into_proto(), passed_on, "it is passed on as it came");
}

/// A marker with any details, in the history of code that expects a patch and a local activity.
pub fn marker(data: &[u8]) {
    let _ = try_marker(&mut Unstructured::new(data));
}

fn try_marker(input: &mut Unstructured<'_>) -> Result<()> {
    const DETAILS: [&str; 6] = ["data", "result", "input", "patch-data", "patch_id", "deprecated"];
    let mut writer = Writer::new();
    writer.task();
    writer.task_completed(all_flags());
    for _ in 0..input.int_in_range(1..=3)? {
        let marker_name = if input.arbitrary()? { "core_local_activity" } else { "core_patch" };
        let mut details = BTreeMap::new();
        for _ in 0..input.int_in_range(0..=3)? {
            let payload = Payload { data: Bytes::copy_from_slice(input.arbitrary()?), ..Payload::default() };
            let payloads = if input.ratio(15, 16)? { vec![payload] } else { Vec::new() };
            details.insert((*input.choose(&DETAILS)?).to_owned(), Payloads { payloads });
        }
        if input.arbitrary()? {
            let data = Payload { data: any_marker_data(input)?, ..Payload::default() };
            details.insert("data".to_owned(), Payloads { payloads: vec![data] });
        }
        let marker = MarkerRecordedEventAttributes {
            marker_name: marker_name.into(),
            details,
            ..MarkerRecordedEventAttributes::default()
        };
        writer.push(Attributes::MarkerRecordedEventAttributes(Box::new(marker)));
    }
    writer.task();
    let mut guest = Follower::default();
    let local = ScheduleLocalActivity { seq: 1, activity_id: "1".into(), ..ScheduleLocalActivity::default() };
    let patch = Command::SetPatch { id: "p".into(), deprecated: false };
    guest.script.insert(3, vec![Command::ScheduleLocalActivity(Box::new(local)), patch]);
    Driver::new(guest).task(poll(writer.events, 3, writer.started), Vec::new());
    Ok(())
}

/// The detail of a local activity with any numbers in it.
fn any_marker_data(input: &mut Unstructured<'_>) -> Result<Bytes> {
    let time = |input: &mut Unstructured<'_>| -> Result<serde_json::Value> {
        Ok(serde_json::json!({ "seconds": input.arbitrary::<i64>()?, "nanos": input.arbitrary::<i32>()? }))
    };
    let data = serde_json::json!({
        "seq": 1,
        "attempt": input.arbitrary::<u32>()?,
        "activity_id": "1",
        "activity_type": "",
        "complete_time": time(input)?,
        "backoff": time(input)?,
        "original_schedule_time": time(input)?,
        "activation_index": input.arbitrary::<u64>()?,
    });
    Ok(Bytes::from(data.to_string()))
}

/// Messages that come with a task, whose updates the code all accepts and completes.
pub fn update_message(data: &[u8]) {
    let _ = try_update_message(&mut Unstructured::new(data));
}

fn try_update_message(input: &mut Unstructured<'_>) -> Result<()> {
    let mut writer = Writer::new();
    writer.task();
    writer.task_completed(all_flags());
    writer.task();
    let mut task = poll(writer.events, 3, writer.started);
    for _ in 0..input.int_in_range(1..=3)? {
        task.messages.push(any_message(input)?);
    }
    let mut driver = Driver::new(Follower { answers_updates: true, ..Follower::default() });
    if let Ending::Completed(completion) = driver.task(task, Vec::new()) {
        assert_eq!(completion.commands.len(), completion.messages.len(), "each answer has its place");
    }
    driver.evict();
    Ok(())
}

fn any_message(input: &mut Unstructured<'_>) -> Result<Message> {
    let known = "type.googleapis.com/temporal.api.update.v1.Request";
    let type_url = if input.ratio(15, 16)? { known.to_owned() } else { input.arbitrary()? };
    let sequencing_id = match input.int_in_range(0..=3)? {
        0 => None,
        1 => Some(SequencingId::CommandIndex(input.arbitrary()?)),
        2 => Some(SequencingId::EventId(input.arbitrary()?)),
        _ => Some(SequencingId::EventId(input.int_in_range(0..=6)?)),
    };
    Ok(Message {
        id: input.arbitrary()?,
        protocol_instance_id: input.arbitrary()?,
        sequencing_id,
        body: Some(Any { type_url, value: input.arbitrary()? }),
    })
}

/// What the completion of a task says of the SDK that completed it.
pub fn sdk_flags(data: &[u8]) {
    let Ok(metadata) = WorkflowTaskCompletedMetadata::decode(data) else { return };
    let mut writer = Writer::new();
    writer.task();
    writer.task_completed(metadata);
    writer.task();
    writer.task_completed(all_flags());
    writer.completed();
    let guest = Follower::of(&writer.events);
    Driver::new(guest).task(replay_task(History { events: writer.events }, "workflow", "run"), Vec::new());
}
