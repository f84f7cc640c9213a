//! One event as one line.

use std::collections::HashMap;

use stead_proto::common::v1::{Payload, Payloads};
use stead_proto::failure::v1::Failure;
use stead_proto::history::v1::HistoryEvent;
use stead_proto::history::v1::history_event::Attributes as A;
use stead_proto::update::v1::outcome;

/// Longest text of a value.
const MAX_VALUE: usize = 80;

/// What events that come later refer to by number, and people by name.
#[derive(Default)]
pub(super) struct Names {
    names: HashMap<i64, String>,
}

impl Names {
    pub(super) fn line(&mut self, event: &HistoryEvent) -> String {
        let kind = event.event_type().as_str_name().trim_start_matches("EVENT_TYPE_");
        let kind: String = kind.split('_').map(|word| format!("{}{}", &word[..1], word[1..].to_lowercase())).collect();
        let details = self.details(event);
        let space = if details.is_empty() { "" } else { " " };
        format!("{} {kind}{space}{details}", event.event_id)
    }

    fn name(&mut self, event: &HistoryEvent, name: String) -> String {
        self.names.insert(event.event_id, name.clone());
        name
    }

    fn named(&self, event_id: i64) -> String {
        self.names.get(&event_id).cloned().unwrap_or_else(|| format!("event {event_id}"))
    }

    /// What tells the event from others of its type.
    fn details(&mut self, event: &HistoryEvent) -> String {
        let Some(attributes) = &event.attributes else { return String::new() };
        match attributes {
            A::WorkflowExecutionStartedEventAttributes(a) => {
                let name = a.workflow_type.as_ref().map_or("", |kind| kind.name.as_str());
                joined([name.to_owned(), values(a.input.as_ref())])
            }
            A::WorkflowExecutionCompletedEventAttributes(a) => values(a.result.as_ref()),
            A::WorkflowExecutionFailedEventAttributes(a) => failure(a.failure.as_ref()),
            A::WorkflowExecutionContinuedAsNewEventAttributes(a) => values(a.input.as_ref()),
            A::WorkflowExecutionTerminatedEventAttributes(a) => a.reason.clone(),
            A::WorkflowExecutionCancelRequestedEventAttributes(a) => a.cause.clone(),
            A::WorkflowExecutionSignaledEventAttributes(a) => joined([a.signal_name.clone(), values(a.input.as_ref())]),
            A::WorkflowTaskFailedEventAttributes(a) => {
                joined([format!("{:?}", a.cause()), failure(a.failure.as_ref())])
            }
            A::WorkflowTaskTimedOutEventAttributes(a) => format!("{:?}", a.timeout_type()),
            A::ActivityTaskScheduledEventAttributes(a) => {
                let kind = a.activity_type.as_ref().map_or("", |kind| kind.name.as_str());
                let name = self.name(event, format!("{kind} #{}", a.activity_id));
                joined([name, values(a.input.as_ref())])
            }
            A::ActivityTaskStartedEventAttributes(a) => joined([
                self.named(a.scheduled_event_id),
                if a.attempt > 1 { format!("attempt {}", a.attempt) } else { String::new() },
            ]),
            A::ActivityTaskCompletedEventAttributes(a) => {
                joined([self.named(a.scheduled_event_id), values(a.result.as_ref())])
            }
            A::ActivityTaskFailedEventAttributes(a) => {
                joined([self.named(a.scheduled_event_id), failure(a.failure.as_ref())])
            }
            A::ActivityTaskTimedOutEventAttributes(a) => {
                joined([self.named(a.scheduled_event_id), failure(a.failure.as_ref())])
            }
            A::ActivityTaskCancelRequestedEventAttributes(a) => self.named(a.scheduled_event_id),
            A::ActivityTaskCanceledEventAttributes(a) => self.named(a.scheduled_event_id),
            A::TimerStartedEventAttributes(a) => {
                let wait = a.start_to_fire_timeout.as_ref().map(duration).unwrap_or_default();
                format!("{} in {wait}", a.timer_id)
            }
            A::TimerFiredEventAttributes(a) => a.timer_id.clone(),
            A::TimerCanceledEventAttributes(a) => a.timer_id.clone(),
            A::MarkerRecordedEventAttributes(a) => a.marker_name.clone(),
            A::StartChildWorkflowExecutionInitiatedEventAttributes(a) => {
                let kind = a.workflow_type.as_ref().map_or("", |kind| kind.name.as_str());
                let name = self.name(event, format!("{kind} {}", a.workflow_id));
                joined([name, values(a.input.as_ref())])
            }
            A::StartChildWorkflowExecutionFailedEventAttributes(a) => {
                joined([self.named(a.initiated_event_id), format!("{:?}", a.cause())])
            }
            A::ChildWorkflowExecutionStartedEventAttributes(a) => self.named(a.initiated_event_id),
            A::ChildWorkflowExecutionCompletedEventAttributes(a) => {
                joined([self.named(a.initiated_event_id), values(a.result.as_ref())])
            }
            A::ChildWorkflowExecutionFailedEventAttributes(a) => {
                joined([self.named(a.initiated_event_id), failure(a.failure.as_ref())])
            }
            A::ChildWorkflowExecutionCanceledEventAttributes(a) => self.named(a.initiated_event_id),
            A::ChildWorkflowExecutionTimedOutEventAttributes(a) => self.named(a.initiated_event_id),
            A::ChildWorkflowExecutionTerminatedEventAttributes(a) => self.named(a.initiated_event_id),
            A::SignalExternalWorkflowExecutionInitiatedEventAttributes(a) => {
                let id = a.workflow_execution.as_ref().map_or("", |target| target.workflow_id.as_str());
                self.name(event, format!("{} to {id}", a.signal_name))
            }
            A::ExternalWorkflowExecutionSignaledEventAttributes(a) => self.named(a.initiated_event_id),
            A::SignalExternalWorkflowExecutionFailedEventAttributes(a) => {
                joined([self.named(a.initiated_event_id), format!("{:?}", a.cause())])
            }
            A::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(a) => {
                let id = a.workflow_execution.as_ref().map_or("", |target| target.workflow_id.as_str());
                self.name(event, id.to_owned())
            }
            A::ExternalWorkflowExecutionCancelRequestedEventAttributes(a) => self.named(a.initiated_event_id),
            A::RequestCancelExternalWorkflowExecutionFailedEventAttributes(a) => {
                joined([self.named(a.initiated_event_id), format!("{:?}", a.cause())])
            }
            A::WorkflowExecutionUpdateAcceptedEventAttributes(a) => {
                let input = a.accepted_request.as_ref().and_then(|request| request.input.as_ref());
                let (name, arguments) = input.map_or(("", None), |input| (input.name.as_str(), input.args.as_ref()));
                let name = self.name(event, name.to_owned());
                joined([name, values(arguments)])
            }
            A::WorkflowExecutionUpdateCompletedEventAttributes(a) => {
                let outcome = a.outcome.as_ref().and_then(|outcome| outcome.value.as_ref());
                let outcome = match outcome {
                    Some(outcome::Value::Success(result)) => values(Some(result)),
                    Some(outcome::Value::Failure(cause)) => failure(Some(cause)),
                    None => String::new(),
                };
                joined([self.named(a.accepted_event_id), outcome])
            }
            A::UpsertWorkflowSearchAttributesEventAttributes(a) => {
                let fields = a.search_attributes.iter().flat_map(|attributes| &attributes.indexed_fields);
                joined(fields.map(|(name, payload)| format!("{name}={}", value(payload))))
            }
            A::WorkflowPropertiesModifiedEventAttributes(a) => {
                let fields = a.upserted_memo.iter().flat_map(|memo| &memo.fields);
                joined(fields.map(|(name, payload)| format!("{name}={}", value(payload))))
            }
            A::NexusOperationScheduledEventAttributes(a) => {
                self.name(event, format!("{} {} at {}", a.service, a.operation, a.endpoint))
            }
            A::NexusOperationStartedEventAttributes(a) => self.named(a.scheduled_event_id),
            A::NexusOperationCompletedEventAttributes(a) => {
                joined([self.named(a.scheduled_event_id), a.result.as_ref().map(value).unwrap_or_default()])
            }
            A::NexusOperationFailedEventAttributes(a) => {
                joined([self.named(a.scheduled_event_id), failure(a.failure.as_ref())])
            }
            A::NexusOperationCanceledEventAttributes(a) => self.named(a.scheduled_event_id),
            A::NexusOperationTimedOutEventAttributes(a) => self.named(a.scheduled_event_id),
            A::NexusOperationCancelRequestedEventAttributes(a) => self.named(a.scheduled_event_id),
            _ => String::new(),
        }
    }
}

fn joined(parts: impl IntoIterator<Item = String>) -> String {
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

fn values(payloads: Option<&Payloads>) -> String {
    joined(payloads.iter().flat_map(|payloads| &payloads.payloads).map(value))
}

/// JSON as it is; of anything else its encoding and size.
fn value(payload: &Payload) -> String {
    let encoding = payload.metadata.get("encoding").map(|encoding| String::from_utf8_lossy(encoding).into_owned());
    match (encoding.as_deref(), std::str::from_utf8(&payload.data)) {
        (Some("binary/null"), _) => "null".to_owned(),
        (Some("json/plain" | "json/protobuf"), Ok(text)) => shortened(text),
        (encoding, _) => format!("<{}: {} bytes>", encoding.unwrap_or("no encoding"), payload.data.len()),
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_VALUE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The messages of a failure and its causes.
fn failure(failure: Option<&Failure>) -> String {
    let causes = std::iter::successors(failure, |failure| failure.cause.as_deref());
    causes.map(|failure| shortened(&failure.message)).collect::<Vec<_>>().join(": ")
}

/// `1d2h3m4.5s`.
fn duration(duration: &prost_types::Duration) -> String {
    let (seconds, nanos) = (duration.seconds, duration.nanos);
    let mut text = String::new();
    for (count, unit) in [(seconds / 86_400, "d"), (seconds / 3_600 % 24, "h"), (seconds / 60 % 60, "m")] {
        if count > 0 {
            text.push_str(&format!("{count}{unit}"));
        }
    }
    let rest = (seconds % 60) as f64 + f64::from(nanos) / 1e9;
    if rest > 0.0 || text.is_empty() {
        text.push_str(&format!("{rest}s"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_people_say_them() {
        let text = |seconds, nanos| duration(&prost_types::Duration { seconds, nanos });
        assert_eq!(text(3_600, 0), "1h");
        assert_eq!(text(90_061, 500_000_000), "1d1h1m1.5s");
        assert_eq!(text(0, 0), "0s");
        assert_eq!(text(86_400 * 30, 0), "30d");
    }
}
