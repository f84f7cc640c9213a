//! How events come into a run's history: at once, or by way of the buffer while a worker has the workflow task.

use std::collections::HashMap;

use stead_proto::common::v1::{Link, Payload};
use stead_proto::enums::v1::EventType;
use stead_proto::history::v1::HistoryEvent;
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::sdk::v1::{EventGroupMarker, UserMetadata};
use stead_proto::visit::VisitPayloads;

use super::event_type::{event_type, is_buffered, is_terminal_news, worker_may_ignore};
use super::state::RequestState;
use super::{Context, Run};
use crate::engine::Time;

/// The id that an event has while it waits in the buffer.
pub(crate) const BUFFERED: i64 = 0;

/// What an event may carry beside its attributes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extras {
    pub(crate) user_metadata: Option<Box<UserMetadata>>,
    pub(crate) links: Vec<Link>,
    pub(crate) event_group_markers: Vec<EventGroupMarker>,
}

impl From<Vec<Link>> for Extras {
    fn from(links: Vec<Link>) -> Self {
        Self { links, ..Self::default() }
    }
}

impl Run {
    /// Writes an event, or buffers it. Its id, which is [`BUFFERED`] if it has none yet.
    pub(crate) fn add(&mut self, cx: &Context<'_>, attributes: Attributes) -> i64 {
        self.add_with(cx, attributes, Extras::default())
    }

    pub(crate) fn add_with(&mut self, cx: &Context<'_>, attributes: Attributes, extras: Extras) -> i64 {
        self.add_at(cx, cx.now, attributes, extras)
    }

    /// Writes an event about something that happened earlier.
    pub(crate) fn add_at(&mut self, cx: &Context<'_>, at: Time, attributes: Attributes, extras: Extras) -> i64 {
        let event_type = event_type(&attributes);
        if is_buffered(event_type) {
            self.commit_offered_task(cx);
        }
        let event = HistoryEvent {
            event_time: Some(at.timestamp()),
            event_type: event_type.into(),
            worker_may_ignore: worker_may_ignore(event_type),
            user_metadata: extras.user_metadata,
            links: extras.links,
            event_group_markers: extras.event_group_markers,
            attributes: Some(attributes),
            ..Default::default()
        };
        if self.task_is_started() && is_buffered(event.event_type()) {
            self.state.buffered.push(event);
            return BUFFERED;
        }
        self.push_event(event)
    }

    pub(super) fn push_event(&mut self, mut event: HistoryEvent) -> i64 {
        self.count_external_payloads(&mut event);
        event.event_id = self.history.next_event_id();
        // Temporal's server counts what it writes in tasks as well; here the event's id serves.
        event.task_id = event.event_id;
        self.history.push(&event);
        event.event_id
    }

    /// What the history only refers to is told by its number and size.
    pub(super) fn count_external_payloads(&mut self, event: &mut HistoryEvent) {
        let state = &mut self.state;
        event.visit_payloads(&mut |payload: &mut Payload| {
            for external in &payload.external_payloads {
                state.external_payloads += 1;
                state.external_payloads_size = state.external_payloads_size.saturating_add(external.size_bytes);
            }
        });
    }

    /// Writes what waits in the buffer: how things ended comes last, and knows the event with which they began.
    pub(crate) fn flush_buffer(&mut self) {
        let (ended, news): (Vec<_>, Vec<_>) = std::mem::take(&mut self.state.buffered)
            .into_iter()
            .partition(|event| is_terminal_news(event.event_type()));
        let mut started = HashMap::new();
        for mut event in news.into_iter().chain(ended) {
            self.connect_start(&mut event, &mut started);
            self.connect_request(&event);
            self.push_event(event);
        }
    }

    /// Remembers that a request has been served, so that it is not served again. Requests without an id are not told
    /// apart.
    pub(crate) fn served(&mut self, request_id: String, event_type: EventType, event_id: i64) {
        if !request_id.is_empty() {
            self.requests.insert(request_id, RequestState { event_type: event_type.into(), event_id });
        }
    }

    /// An event of a request leaves the buffer, and has an id.
    fn connect_request(&mut self, event: &HistoryEvent) {
        let request_id = match &event.attributes {
            Some(Attributes::WorkflowExecutionSignaledEventAttributes(a)) => &a.request_id,
            Some(Attributes::WorkflowExecutionOptionsUpdatedEventAttributes(a)) => {
                match a.workflow_update_options.first() {
                    Some(of_update) => &of_update.attached_request_id,
                    None => &a.attached_request_id,
                }
            }
            _ => return,
        };
        let event_id = self.history.next_event_id();
        if let Some(request) = self.requests.get_mut(request_id) {
            request.event_id = event_id;
        }
    }

    /// Remembers the ids of events that say that something began, and fills them in where it ended.
    fn connect_start(&mut self, event: &mut HistoryEvent, started: &mut HashMap<i64, i64>) {
        use Attributes as A;
        let id = self.history.next_event_id();
        let (key, field) = match &mut event.attributes {
            Some(A::ActivityTaskStartedEventAttributes(a)) => {
                started.insert(a.scheduled_event_id, id);
                return;
            }
            Some(A::ChildWorkflowExecutionStartedEventAttributes(a)) => {
                started.insert(a.initiated_event_id, id);
                if let Some(child) = self.children.get_mut(&a.initiated_event_id) {
                    child.started_event_id = id;
                }
                return;
            }
            Some(A::ActivityTaskCompletedEventAttributes(a)) => (a.scheduled_event_id, &mut a.started_event_id),
            Some(A::ActivityTaskFailedEventAttributes(a)) => (a.scheduled_event_id, &mut a.started_event_id),
            Some(A::ActivityTaskTimedOutEventAttributes(a)) => (a.scheduled_event_id, &mut a.started_event_id),
            Some(A::ActivityTaskCanceledEventAttributes(a)) => (a.scheduled_event_id, &mut a.started_event_id),
            Some(A::ChildWorkflowExecutionCompletedEventAttributes(a)) => {
                (a.initiated_event_id, &mut a.started_event_id)
            }
            Some(A::ChildWorkflowExecutionFailedEventAttributes(a)) => (a.initiated_event_id, &mut a.started_event_id),
            Some(A::ChildWorkflowExecutionTimedOutEventAttributes(a)) => {
                (a.initiated_event_id, &mut a.started_event_id)
            }
            Some(A::ChildWorkflowExecutionCanceledEventAttributes(a)) => {
                (a.initiated_event_id, &mut a.started_event_id)
            }
            Some(A::ChildWorkflowExecutionTerminatedEventAttributes(a)) => {
                (a.initiated_event_id, &mut a.started_event_id)
            }
            _ => return,
        };
        if let Some(id) = started.get(&key) {
            *field = *id;
        }
    }
}
