//! Markers of a run: what the workflow wants to remember.

use stead_proto::command::v1::RecordMarkerCommandAttributes;
use stead_proto::history::v1::MarkerRecordedEventAttributes;
use stead_proto::history::v1::history_event::Attributes;

use super::events::Extras;
use super::{Context, Run};

impl Run {
    pub(crate) fn record_marker(
        &mut self,
        cx: &Context<'_>,
        command: RecordMarkerCommandAttributes,
        completed_event_id: i64,
        extras: Extras,
    ) {
        let event = MarkerRecordedEventAttributes {
            marker_name: command.marker_name,
            details: command.details,
            workflow_task_completed_event_id: completed_event_id,
            header: command.header,
            failure: command.failure,
        };
        self.add_with(cx, Attributes::MarkerRecordedEventAttributes(Box::new(event)), extras);
    }
}
