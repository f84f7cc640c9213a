//! The histories of the two arms, compared: what this server wrote must be what Temporal's wrote when the history was
//! recorded, event by event and field by field, but for what no two runs have in common.
//!
//! Where several things are under way at once, the paces of client, worker and server say which comes first, and two runs
//! on Temporal's own server differ: a signal comes before a worker has the workflow task, or while it has it; one of two
//! timers, activities or children ends before the other, or both before the next workflow task. Such histories have the
//! same events in some order, and as many workflow tasks between them as the pace asks for.

use serde_json::{Map, Value};
use stead::data::history::History;

use crate::event_types;

/// What is told of by a number, a name or an instant that no other run has, or that says who did it and with which
/// release.
const SCRUBBED: [&str; 14] = [
    "attachedRequestId",
    "binaryChecksum",
    "data",
    "historySizeBytes",
    "identity",
    "meteringMetadata",
    "namespaceId",
    "operationId",
    "operationToken",
    "requestId",
    "sdkMetadata",
    "stackTrace",
    "taskId",
    "workerVersion",
];

/// Whether the order of the events is always the same: whatever happens, the workflow waits for it and for nothing else.
pub fn has_one_order(history: &History) -> bool {
    let mut pending = 0_i32;
    event_types(history).into_iter().all(|kind| {
        pending += match kind {
            "ACTIVITY_TASK_SCHEDULED"
            | "TIMER_STARTED"
            | "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED"
            | "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED" => 1,
            "ACTIVITY_TASK_COMPLETED"
            | "ACTIVITY_TASK_FAILED"
            | "ACTIVITY_TASK_TIMED_OUT"
            | "ACTIVITY_TASK_CANCELED"
            | "TIMER_FIRED"
            | "TIMER_CANCELED"
            | "EXTERNAL_WORKFLOW_EXECUTION_SIGNALED"
            | "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED"
            | "EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED"
            | "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED" => -1,
            _ => 0,
        };
        // A child may end while its parent hears that it has started; a marker may be of a local activity, which takes
        // as many workflow tasks as it takes long; the rest comes from outside, or again after a while.
        let races = [
            "START_CHILD_WORKFLOW_EXECUTION_INITIATED",
            "MARKER_RECORDED",
            "NEXUS_OPERATION_STARTED",
            "WORKFLOW_EXECUTION_SIGNALED",
            "WORKFLOW_EXECUTION_CANCEL_REQUESTED",
            "WORKFLOW_EXECUTION_UPDATE_ACCEPTED",
            "WORKFLOW_TASK_FAILED",
            "WORKFLOW_TASK_TIMED_OUT",
        ];
        pending < 2 && !races.contains(&kind)
    })
}

/// Where the two differ; empty if they do not. A cancellation from outside meets the workflow somewhere, and what it does
/// depends on where: such histories are not compared.
pub fn differences(recorded: &History, written: &History) -> Vec<String> {
    if event_types(recorded).contains(&"WORKFLOW_EXECUTION_CANCEL_REQUESTED") {
        return Vec::new();
    }
    let races = !has_one_order(recorded);
    let [recorded, written] = [recorded, written].map(|history| lines(history, races));
    let longest = recorded.len().max(written.len());
    let pairs = (0..longest).map(|at| (recorded.get(at), written.get(at))).filter(|(a, b)| a != b);
    let line = |line: Option<&String>| line.cloned().unwrap_or_else(|| "nothing".to_owned());
    pairs.map(|(a, b)| format!("recorded: {}\n     now: {}", line(a), line(b))).collect()
}

fn lines(history: &History, races: bool) -> Vec<String> {
    let json = history.to_json().expect("a history is JSON");
    let json: Value = serde_json::from_str(&json).expect("what was written as JSON");
    let events = json["events"].as_array().cloned().unwrap_or_default();
    let mut lines: Vec<_> = events.into_iter().filter_map(|event| line(event, races)).collect();
    if races {
        lines.sort();
    }
    lines
}

fn line(mut event: Value, races: bool) -> Option<String> {
    let kind = event["eventType"].as_str().unwrap_or_default().to_owned();
    // Whether a worker has the workflow in its cache, and how it words what went wrong, is the worker's business.
    for (attributes, field) in
        [("workflowTaskScheduledEventAttributes", "taskQueue"), ("workflowTaskFailedEventAttributes", "failure")]
    {
        event.get_mut(attributes).and_then(Value::as_object_mut).map(|fields| fields.remove(field));
    }
    // A run that lasted less than a second is followed by one that waits for what is left of it.
    let started = event.get_mut("workflowExecutionStartedEventAttributes");
    if let Some(backoff) = started.and_then(|started| started.get_mut("firstWorkflowTaskBackoff"))
        && backoff != "0s"
    {
        *backoff = "some".into();
    }
    scrub(&mut event, races);
    (!races || !kind.contains("WORKFLOW_TASK")).then(|| event.to_string())
}

fn scrub(value: &mut Value, races: bool) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !(is_scrubbed(name) || races && name.ends_with("ventId")));
            fields.values_mut().for_each(|value| scrub(value, races));
            drop_empty(fields);
        }
        Value::Array(values) => values.iter_mut().for_each(|value| scrub(value, races)),
        Value::String(text) => *text = without_uuids(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn is_scrubbed(name: &str) -> bool {
    SCRUBBED.contains(&name) || name.ends_with("Time") || name.ends_with("unId")
}

fn drop_empty(fields: &mut Map<String, Value>) {
    fields.retain(|_, value| value.as_object().is_none_or(|fields| !fields.is_empty()));
}

/// The text with `*` for each UUID in it.
fn without_uuids(text: &str) -> String {
    let is_uuid = |at: usize| text.get(at..at + 36).is_some_and(|part| uuid::Uuid::try_parse(part).is_ok());
    let mut scrubbed = String::new();
    let mut at = 0;
    while let Some(next) = text[at..].chars().next() {
        let (end, with) = if is_uuid(at) { (at + 36, '*') } else { (at + next.len_utf8(), next) };
        scrubbed.push(with);
        at = end;
    }
    scrubbed
}
