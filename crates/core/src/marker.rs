//! The marker that records how a local activity ended. All SDKs on this protocol share its name and format.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use stead_activation::{Failure, Payload};
use stead_proto::command::v1::RecordMarkerCommandAttributes;
use stead_proto::command::v1::command::Attributes;
use stead_proto::common::v1::Payloads;
use stead_proto::history::v1::{HistoryEvent, MarkerRecordedEventAttributes, history_event};

use crate::patch::json;
use crate::time::{duration, proto_duration, proto_time, system_time};

/// Name of the marker.
const MARKER: &str = "core_local_activity";
/// Detail with what this SDK has to know, as JSON so that people can read it.
const DATA: &str = "data";
/// Detail with what the activity returned.
const RESULT: &str = "result";
/// Detail with what the activity was called with, where that was asked for. Nobody reads it back.
const INPUT: &str = "input";

/// How a local activity ended.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct LocalActivityMarker {
    /// Number of the activity.
    pub(crate) seq: u32,
    /// Number of the last attempt.
    pub(crate) attempt: u32,
    pub(crate) activity_id: String,
    pub(crate) activity_type: String,
    /// Workflow time of the end: the time of the workflow task's start and how long the activity took.
    pub(crate) complete_time: Option<SystemTime>,
    /// The activity is to be tried again after this long, which is too long to keep the workflow task open.
    pub(crate) backoff: Option<Duration>,
    /// When the first attempt was scheduled.
    pub(crate) original_schedule_time: Option<SystemTime>,
    /// Which activation of its workflow task told the code. Older markers do not say.
    pub(crate) activation_index: Option<u64>,
    pub(crate) result: Option<Payload>,
    pub(crate) failure: Option<Failure>,
}

/// The detail [`DATA`].
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Data {
    seq: u32,
    attempt: u32,
    activity_id: String,
    activity_type: String,
    complete_time: Option<Time>,
    backoff: Option<Time>,
    original_schedule_time: Option<Time>,
    activation_index: Option<u64>,
}

/// A timestamp or a duration.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Time {
    seconds: i64,
    nanos: i32,
}

/// What a marker of this name holds.
#[derive(Debug, PartialEq)]
pub(crate) enum Parsed<T> {
    /// It is not such a marker.
    Other,
    /// It is one, but cannot be read.
    Unreadable,
    Marker(T),
}

impl LocalActivityMarker {
    /// Reads the marker that an event records, taking the payloads out of it.
    pub(crate) fn take_from(event: &mut HistoryEvent) -> Parsed<Self> {
        let Some(history_event::Attributes::MarkerRecordedEventAttributes(recorded)) = &mut event.attributes else {
            return Parsed::Other;
        };
        let marker = match Self::of_marker(recorded) {
            Parsed::Marker(marker) => marker,
            other => return other,
        };
        let result = recorded.details.remove(RESULT).and_then(|result| result.payloads.into_iter().next());
        Parsed::Marker(Self { result, failure: recorded.failure.take(), ..marker })
    }

    /// Reads the marker that an event records, but neither result nor failure.
    pub(crate) fn of_event(event: &HistoryEvent) -> Parsed<Self> {
        match &event.attributes {
            Some(history_event::Attributes::MarkerRecordedEventAttributes(marker)) => Self::of_marker(marker),
            _ => Parsed::Other,
        }
    }

    fn of_marker(marker: &MarkerRecordedEventAttributes) -> Parsed<Self> {
        if marker.marker_name != MARKER {
            return Parsed::Other;
        }
        match Data::of_details(&marker.details) {
            Some(data) => Parsed::Marker(data.into()),
            None => Parsed::Unreadable,
        }
    }

    /// The command that records it, with these arguments for people to read.
    pub(crate) fn into_command(mut self, arguments: Option<Vec<Payload>>) -> Attributes {
        let failure = self.failure.take();
        let result = self.result.take().map(|result| vec![result]);
        let data = Some(vec![json(&Data::from(self))]);
        let details = [(DATA, data), (RESULT, result), (INPUT, arguments)];
        let details = details
            .into_iter()
            .filter_map(|(name, payloads)| payloads.map(|payloads| (name.to_owned(), Payloads { payloads })));
        Attributes::RecordMarkerCommandAttributes(Box::new(RecordMarkerCommandAttributes {
            marker_name: MARKER.to_owned(),
            details: details.collect::<BTreeMap<_, _>>(),
            failure,
            ..RecordMarkerCommandAttributes::default()
        }))
    }
}

impl Data {
    fn of_details(details: &BTreeMap<String, Payloads>) -> Option<Self> {
        let data = details.get(DATA)?.payloads.first()?;
        serde_json::from_slice(&data.data).ok()
    }
}

/// Id and type of the local activity whose end a marker of this name with these details records, if it does.
#[must_use]
pub fn local_activity_of_marker(name: &str, details: &BTreeMap<String, Payloads>) -> Option<(String, String)> {
    if name != MARKER {
        return None;
    }
    let data = Data::of_details(details)?;
    Some((data.activity_id, data.activity_type))
}

impl From<Data> for LocalActivityMarker {
    fn from(data: Data) -> Self {
        Self {
            seq: data.seq,
            attempt: data.attempt,
            activity_id: data.activity_id,
            activity_type: data.activity_type,
            complete_time: data.complete_time.map(Time::into_system_time),
            backoff: data.backoff.map(Time::into_duration),
            original_schedule_time: data.original_schedule_time.map(Time::into_system_time),
            activation_index: data.activation_index,
            result: None,
            failure: None,
        }
    }
}

impl From<LocalActivityMarker> for Data {
    fn from(marker: LocalActivityMarker) -> Self {
        Self {
            seq: marker.seq,
            attempt: marker.attempt,
            activity_id: marker.activity_id,
            activity_type: marker.activity_type,
            complete_time: marker.complete_time.map(Time::from_system_time),
            backoff: marker.backoff.map(Time::from_duration),
            original_schedule_time: marker.original_schedule_time.map(Time::from_system_time),
            activation_index: marker.activation_index,
        }
    }
}

impl Time {
    fn from_system_time(time: SystemTime) -> Self {
        let prost_types::Timestamp { seconds, nanos } = proto_time(time);
        Self { seconds, nanos }
    }

    fn from_duration(duration: Duration) -> Self {
        let prost_types::Duration { seconds, nanos } = proto_duration(duration);
        Self { seconds, nanos }
    }

    fn into_system_time(self) -> SystemTime {
        system_time(&prost_types::Timestamp { seconds: self.seconds, nanos: self.nanos })
    }

    fn into_duration(self) -> Duration {
        duration(&prost_types::Duration { seconds: self.seconds, nanos: self.nanos })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(attributes: Attributes) -> HistoryEvent {
        let Attributes::RecordMarkerCommandAttributes(command) = attributes else { panic!("a marker") };
        let recorded = MarkerRecordedEventAttributes {
            marker_name: command.marker_name,
            details: command.details,
            failure: command.failure,
            ..MarkerRecordedEventAttributes::default()
        };
        HistoryEvent {
            attributes: Some(history_event::Attributes::MarkerRecordedEventAttributes(Box::new(recorded))),
            ..HistoryEvent::default()
        }
    }

    fn data(event: &HistoryEvent) -> &str {
        let Some(history_event::Attributes::MarkerRecordedEventAttributes(marker)) = &event.attributes else {
            panic!("a marker")
        };
        std::str::from_utf8(&marker.details[DATA].payloads[0].data).expect("JSON is text")
    }

    #[test]
    fn what_is_recorded_is_read_back() {
        let time = SystemTime::UNIX_EPOCH + Duration::new(1_700_000_000, 5);
        let marker = LocalActivityMarker {
            seq: 3,
            attempt: 2,
            activity_id: "3".into(),
            activity_type: "charge".into(),
            complete_time: Some(time),
            backoff: Some(Duration::from_millis(1500)),
            original_schedule_time: Some(time),
            activation_index: Some(1),
            result: Some(Payload { data: "7".into(), ..Payload::default() }),
            failure: Some(Failure { message: "no".into(), ..Failure::default() }),
        };
        let mut event = event(marker.clone().into_command(Some(vec![Payload::default()])));
        assert_eq!(LocalActivityMarker::take_from(&mut event), Parsed::Marker(marker));
    }

    /// The form in which all SDKs on this protocol write it.
    #[test]
    fn the_detail_has_the_shared_form() {
        let marker = LocalActivityMarker {
            seq: 1,
            attempt: 1,
            activity_id: "1".into(),
            activity_type: "echo".into(),
            complete_time: Some(SystemTime::UNIX_EPOCH + Duration::new(10, 20)),
            activation_index: Some(0),
            ..LocalActivityMarker::default()
        };
        let expected = r#"{"seq":1,"attempt":1,"activity_id":"1","activity_type":"echo","complete_time":{"seconds":10,"nanos":20},"backoff":null,"original_schedule_time":null,"activation_index":0}"#;
        assert_eq!(data(&event(marker.into_command(None))), expected);
    }

    #[test]
    fn older_and_newer_forms_are_read() {
        for (data, expected) in [
            (r#"{"seq":2,"attempt":1,"activity_id":"x","activity_type":"y"}"#, None),
            (r#"{"seq":2,"activation_index":4,"something_new":{}}"#, Some(4)),
        ] {
            let data = serde_json::from_str::<Data>(data).expect("it is read");
            assert_eq!((data.seq, data.activation_index), (2, expected));
        }
    }

    #[test]
    fn a_marker_without_its_detail_cannot_be_read() {
        let mut marker = event(LocalActivityMarker::default().into_command(None));
        let Some(history_event::Attributes::MarkerRecordedEventAttributes(recorded)) = &mut marker.attributes else {
            panic!("a marker")
        };
        recorded.details.clear();
        assert_eq!(LocalActivityMarker::of_event(&marker), Parsed::Unreadable);
    }
}
