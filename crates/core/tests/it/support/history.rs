//! Histories, written the way a server writes them.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use prost_types::Timestamp;
use stead_proto::common::v1::{ActivityType, Payload, Payloads, SearchAttributes, WorkflowExecution, WorkflowType};
use stead_proto::enums::v1::{EventType, WorkflowTaskFailedCause};
use stead_proto::failure::v1::Failure;
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::history::v1::*;
use stead_proto::query::v1::WorkflowQuery;
use stead_proto::sdk::v1::WorkflowTaskCompletedMetadata;
use stead_proto::taskqueue::v1::TaskQueue;
use stead_proto::update::v1::{Input, Meta, Request};
use stead_proto::workflowservice::v1::PollWorkflowTaskQueueResponse;

use super::payload;

/// Writes one event after the other, a second apart.
#[derive(Clone)]
pub(crate) struct HistoryBuilder {
    pub(crate) events: Vec<HistoryEvent>,
    scheduled: i64,
    started: i64,
    /// Start of the last completed task.
    previous_started: i64,
    /// Flags that the next completion records.
    flags: Vec<u32>,
}

impl HistoryBuilder {
    /// A run that was just started.
    pub(crate) fn started() -> Self {
        let mut history = Self::empty();
        history.push(
            EventType::WorkflowExecutionStarted,
            Attributes::WorkflowExecutionStartedEventAttributes(Box::new(WorkflowExecutionStartedEventAttributes {
                workflow_type: Some(WorkflowType { name: "order".into() }),
                task_queue: Some(TaskQueue { name: "queue".into(), ..TaskQueue::default() }),
                original_execution_run_id: "run".into(),
                first_execution_run_id: "run".into(),
                input: Some(Payloads { payloads: vec![payload("input")] }),
                attempt: 1,
                ..WorkflowExecutionStartedEventAttributes::default()
            })),
        );
        history
    }

    fn empty() -> Self {
        Self { events: Vec::new(), scheduled: 0, started: 0, previous_started: 0, flags: vec![1, 2, 3] }
    }

    /// A run whose first task was just started.
    pub(crate) fn first_task() -> Self {
        Self::started().task()
    }

    /// The started event, to be changed.
    pub(crate) fn start_mut(&mut self) -> &mut WorkflowExecutionStartedEventAttributes {
        match &mut self.events[0].attributes {
            Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) => started,
            _ => panic!("the first event is the start"),
        }
    }

    /// Records these SDK flags with the next completion, instead of all.
    pub(crate) fn flags(mut self, flags: &[u32]) -> Self {
        self.flags = flags.to_vec();
        self
    }

    pub(crate) fn push(&mut self, kind: EventType, attributes: Attributes) -> i64 {
        let event_id = self.last_id() + 1;
        self.events.push(HistoryEvent {
            event_id,
            event_time: Some(Timestamp { seconds: 1000 + event_id, nanos: 0 }),
            event_type: kind.into(),
            attributes: Some(attributes),
            ..HistoryEvent::default()
        });
        event_id
    }

    pub(crate) fn last_id(&self) -> i64 {
        self.events.last().map_or(0, |event| event.event_id)
    }

    pub(crate) fn with(mut self, kind: EventType, attributes: Attributes) -> Self {
        self.push(kind, attributes);
        self
    }

    pub(crate) fn task_scheduled(mut self) -> Self {
        self.scheduled = self.push(
            EventType::WorkflowTaskScheduled,
            Attributes::WorkflowTaskScheduledEventAttributes(WorkflowTaskScheduledEventAttributes::default()),
        );
        self
    }

    pub(crate) fn task_started(mut self) -> Self {
        let size = 100 * self.last_id();
        self.started = self.push(
            EventType::WorkflowTaskStarted,
            Attributes::WorkflowTaskStartedEventAttributes(WorkflowTaskStartedEventAttributes {
                scheduled_event_id: self.scheduled,
                history_size_bytes: size,
                ..WorkflowTaskStartedEventAttributes::default()
            }),
        );
        self
    }

    /// A task, scheduled and started.
    pub(crate) fn task(self) -> Self {
        self.task_scheduled().task_started()
    }

    pub(crate) fn task_completed(mut self) -> Self {
        let metadata = WorkflowTaskCompletedMetadata {
            core_used_flags: std::mem::take(&mut self.flags),
            ..WorkflowTaskCompletedMetadata::default()
        };
        self.previous_started = self.started;
        let attributes = WorkflowTaskCompletedEventAttributes {
            scheduled_event_id: self.scheduled,
            started_event_id: self.started,
            sdk_metadata: Some(metadata),
            ..WorkflowTaskCompletedEventAttributes::default()
        };
        self.with(
            EventType::WorkflowTaskCompleted,
            Attributes::WorkflowTaskCompletedEventAttributes(Box::new(attributes)),
        )
    }

    pub(crate) fn task_timed_out(self) -> Self {
        let attributes = WorkflowTaskTimedOutEventAttributes {
            scheduled_event_id: self.scheduled,
            started_event_id: self.started,
            ..WorkflowTaskTimedOutEventAttributes::default()
        };
        self.with(EventType::WorkflowTaskTimedOut, Attributes::WorkflowTaskTimedOutEventAttributes(attributes))
    }

    pub(crate) fn task_failed(self, cause: WorkflowTaskFailedCause, new_run_id: &str) -> Self {
        let attributes = WorkflowTaskFailedEventAttributes {
            scheduled_event_id: self.scheduled,
            started_event_id: self.started,
            cause: cause.into(),
            new_run_id: new_run_id.into(),
            ..WorkflowTaskFailedEventAttributes::default()
        };
        self.with(EventType::WorkflowTaskFailed, Attributes::WorkflowTaskFailedEventAttributes(Box::new(attributes)))
    }

    pub(crate) fn timer_started(self, seq: u32) -> Self {
        let attributes = TimerStartedEventAttributes {
            timer_id: seq.to_string(),
            start_to_fire_timeout: Some(prost_types::Duration { seconds: 5, nanos: 0 }),
            ..TimerStartedEventAttributes::default()
        };
        self.with(EventType::TimerStarted, Attributes::TimerStartedEventAttributes(attributes))
    }

    pub(crate) fn timer_fired(self, started_event_id: i64) -> Self {
        let attributes = TimerFiredEventAttributes { started_event_id, ..TimerFiredEventAttributes::default() };
        self.with(EventType::TimerFired, Attributes::TimerFiredEventAttributes(attributes))
    }

    pub(crate) fn timer_cancelled(self, started_event_id: i64) -> Self {
        let attributes = TimerCanceledEventAttributes { started_event_id, ..TimerCanceledEventAttributes::default() };
        self.with(EventType::TimerCanceled, Attributes::TimerCanceledEventAttributes(attributes))
    }

    pub(crate) fn activity_scheduled(self, id: &str, activity_type: &str) -> Self {
        let attributes = ActivityTaskScheduledEventAttributes {
            activity_id: id.into(),
            activity_type: Some(ActivityType { name: activity_type.into() }),
            ..ActivityTaskScheduledEventAttributes::default()
        };
        self.with(
            EventType::ActivityTaskScheduled,
            Attributes::ActivityTaskScheduledEventAttributes(Box::new(attributes)),
        )
    }

    pub(crate) fn activity_started(self, scheduled_event_id: i64) -> Self {
        let attributes =
            ActivityTaskStartedEventAttributes { scheduled_event_id, ..ActivityTaskStartedEventAttributes::default() };
        self.with(EventType::ActivityTaskStarted, Attributes::ActivityTaskStartedEventAttributes(Box::new(attributes)))
    }

    pub(crate) fn activity_completed(self, scheduled_event_id: i64, result: &str) -> Self {
        let attributes = ActivityTaskCompletedEventAttributes {
            scheduled_event_id,
            result: Some(Payloads { payloads: vec![payload(result)] }),
            ..ActivityTaskCompletedEventAttributes::default()
        };
        self.with(EventType::ActivityTaskCompleted, Attributes::ActivityTaskCompletedEventAttributes(attributes))
    }

    pub(crate) fn activity_failed(self, scheduled_event_id: i64, message: &str) -> Self {
        let attributes = ActivityTaskFailedEventAttributes {
            scheduled_event_id,
            started_event_id: scheduled_event_id + 1,
            identity: "worker".into(),
            failure: Some(Failure { message: message.into(), ..Failure::default() }),
            ..ActivityTaskFailedEventAttributes::default()
        };
        self.with(EventType::ActivityTaskFailed, Attributes::ActivityTaskFailedEventAttributes(Box::new(attributes)))
    }

    pub(crate) fn activity_timed_out(self, scheduled_event_id: i64) -> Self {
        let attributes = ActivityTaskTimedOutEventAttributes {
            scheduled_event_id,
            failure: Some(Failure { message: "timeout".into(), ..Failure::default() }),
            ..ActivityTaskTimedOutEventAttributes::default()
        };
        self.with(
            EventType::ActivityTaskTimedOut,
            Attributes::ActivityTaskTimedOutEventAttributes(Box::new(attributes)),
        )
    }

    pub(crate) fn activity_cancel_requested(self, scheduled_event_id: i64) -> Self {
        let attributes = ActivityTaskCancelRequestedEventAttributes {
            scheduled_event_id,
            ..ActivityTaskCancelRequestedEventAttributes::default()
        };
        self.with(
            EventType::ActivityTaskCancelRequested,
            Attributes::ActivityTaskCancelRequestedEventAttributes(attributes),
        )
    }

    pub(crate) fn activity_cancelled(self, scheduled_event_id: i64) -> Self {
        let attributes = ActivityTaskCanceledEventAttributes {
            scheduled_event_id,
            started_event_id: scheduled_event_id + 1,
            identity: "worker".into(),
            details: Some(Payloads { payloads: vec![payload("details")] }),
            ..ActivityTaskCanceledEventAttributes::default()
        };
        self.with(EventType::ActivityTaskCanceled, Attributes::ActivityTaskCanceledEventAttributes(attributes))
    }

    pub(crate) fn signalled(self, name: &str) -> Self {
        let attributes = WorkflowExecutionSignaledEventAttributes {
            signal_name: name.into(),
            input: Some(Payloads { payloads: vec![payload("signal")] }),
            identity: "sender".into(),
            ..WorkflowExecutionSignaledEventAttributes::default()
        };
        self.with(
            EventType::WorkflowExecutionSignaled,
            Attributes::WorkflowExecutionSignaledEventAttributes(Box::new(attributes)),
        )
    }

    pub(crate) fn cancel_requested(self, cause: &str) -> Self {
        let attributes = WorkflowExecutionCancelRequestedEventAttributes {
            cause: cause.into(),
            ..WorkflowExecutionCancelRequestedEventAttributes::default()
        };
        self.with(
            EventType::WorkflowExecutionCancelRequested,
            Attributes::WorkflowExecutionCancelRequestedEventAttributes(attributes),
        )
    }

    pub(crate) fn update_admitted(self, id: &str) -> Self {
        let attributes = WorkflowExecutionUpdateAdmittedEventAttributes {
            request: Some(update_request(id)),
            ..WorkflowExecutionUpdateAdmittedEventAttributes::default()
        };
        self.with(
            EventType::WorkflowExecutionUpdateAdmitted,
            Attributes::WorkflowExecutionUpdateAdmittedEventAttributes(Box::new(attributes)),
        )
    }

    pub(crate) fn update_accepted(self, id: &str, sequencing_id: i64) -> Self {
        self.accepted(id, sequencing_id, Some(update_request(id)))
    }

    /// As it is recorded for an update that was admitted before.
    pub(crate) fn admitted_update_accepted(self, id: &str, sequencing_id: i64) -> Self {
        self.accepted(id, sequencing_id, None)
    }

    fn accepted(self, id: &str, sequencing_id: i64, request: Option<Request>) -> Self {
        let attributes = WorkflowExecutionUpdateAcceptedEventAttributes {
            protocol_instance_id: id.into(),
            accepted_request_message_id: format!("{id}/request"),
            accepted_request_sequencing_event_id: sequencing_id,
            accepted_request: request,
        };
        self.with(
            EventType::WorkflowExecutionUpdateAccepted,
            Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(Box::new(attributes)),
        )
    }

    pub(crate) fn update_completed(self, id: &str, accepted_event_id: i64) -> Self {
        let attributes = WorkflowExecutionUpdateCompletedEventAttributes {
            meta: Some(Meta { update_id: id.into(), ..Meta::default() }),
            accepted_event_id,
            ..WorkflowExecutionUpdateCompletedEventAttributes::default()
        };
        self.with(
            EventType::WorkflowExecutionUpdateCompleted,
            Attributes::WorkflowExecutionUpdateCompletedEventAttributes(Box::new(attributes)),
        )
    }

    pub(crate) fn patch(self, id: &str, deprecated: bool) -> Self {
        let data = format!(r#"{{"id":"{id}","deprecated":{deprecated}}}"#);
        let detail = Payloads { payloads: vec![Payload { data: Bytes::from(data), ..Payload::default() }] };
        self.marker("core_patch", BTreeMap::from([("patch-data".to_owned(), detail)]))
    }

    /// The marker of a local activity `look` that completed; `data` are further fields of its detail.
    pub(crate) fn local_activity(self, seq: u32, data: &str, result: &str) -> Self {
        let result = Payloads { payloads: vec![payload(result)] };
        self.local_marker(seq, data, BTreeMap::from([("result".to_owned(), result)]), None)
    }

    /// The marker of a local activity `look` that failed.
    pub(crate) fn local_activity_failed(self, seq: u32, data: &str, failure: Failure) -> Self {
        self.local_marker(seq, data, BTreeMap::new(), Some(failure))
    }

    fn local_marker(
        mut self,
        seq: u32,
        data: &str,
        mut details: BTreeMap<String, Payloads>,
        failure: Option<Failure>,
    ) -> Self {
        let data = format!(r#"{{"seq":{seq},"attempt":1,"activity_id":"{seq}","activity_type":"look"{data}}}"#);
        let data = Payload { data: Bytes::from(data), ..Payload::default() };
        details.insert("data".to_owned(), Payloads { payloads: vec![data] });
        self = self.marker("core_local_activity", details);
        if let Some(Attributes::MarkerRecordedEventAttributes(marker)) =
            self.events.last_mut().and_then(|event| event.attributes.as_mut())
        {
            marker.failure = failure;
        }
        self
    }

    pub(crate) fn marker(self, name: &str, details: BTreeMap<String, Payloads>) -> Self {
        let attributes = MarkerRecordedEventAttributes {
            marker_name: name.into(),
            details,
            ..MarkerRecordedEventAttributes::default()
        };
        self.with(EventType::MarkerRecorded, Attributes::MarkerRecordedEventAttributes(Box::new(attributes)))
    }

    pub(crate) fn search_attribute(self, name: &str) -> Self {
        let indexed_fields = BTreeMap::from([(name.to_owned(), payload("value"))]);
        let attributes = UpsertWorkflowSearchAttributesEventAttributes {
            search_attributes: Some(SearchAttributes { indexed_fields }),
            ..UpsertWorkflowSearchAttributesEventAttributes::default()
        };
        self.with(
            EventType::UpsertWorkflowSearchAttributes,
            Attributes::UpsertWorkflowSearchAttributesEventAttributes(attributes),
        )
    }

    /// The search attribute that follows a patch.
    pub(crate) fn patches_recorded(self) -> Self {
        self.search_attribute("TemporalChangeVersion")
    }

    pub(crate) fn completed(self) -> Self {
        let attributes = WorkflowExecutionCompletedEventAttributes::default();
        self.with(
            EventType::WorkflowExecutionCompleted,
            Attributes::WorkflowExecutionCompletedEventAttributes(attributes),
        )
    }

    pub(crate) fn terminated(self) -> Self {
        let attributes = WorkflowExecutionTerminatedEventAttributes::default();
        self.with(
            EventType::WorkflowExecutionTerminated,
            Attributes::WorkflowExecutionTerminatedEventAttributes(attributes),
        )
    }

    /// `count` activities, one after the other, each in a task of its own; then the run is completed.
    pub(crate) fn activities_in_sequence(count: u32) -> Self {
        let mut history = Self::first_task().task_completed();
        for seq in 1..=count {
            history = history.activity_scheduled(&seq.to_string(), "charge");
            let scheduled = history.last_id();
            history = history.activity_started(scheduled).activity_completed(scheduled, "done").task().task_completed();
        }
        history.completed()
    }

    pub(crate) fn history(&self) -> History {
        History { events: self.events.clone() }
    }

    /// The task that a poll returns for the last start of a task: everything from the beginning.
    pub(crate) fn poll(&self) -> PollWorkflowTaskQueueResponse {
        self.poll_from(1)
    }

    /// The same with the events from an id on only, as a sticky queue has them.
    pub(crate) fn poll_from(&self, first: i64) -> PollWorkflowTaskQueueResponse {
        let events = self.events.iter().filter(|event| event.event_id >= first).cloned().collect();
        PollWorkflowTaskQueueResponse {
            task_token: Bytes::from(format!("task {}", self.started)),
            workflow_execution: Some(WorkflowExecution { workflow_id: "workflow".into(), run_id: "run".into() }),
            workflow_type: Some(WorkflowType { name: "order".into() }),
            previous_started_event_id: self.previous_started,
            started_event_id: self.started,
            attempt: 1,
            history: Some(History { events }),
            ..PollWorkflowTaskQueueResponse::default()
        }
    }

    /// The task that a poll returns for a query while no task is open.
    pub(crate) fn poll_query(&self, first: i64) -> PollWorkflowTaskQueueResponse {
        PollWorkflowTaskQueueResponse {
            task_token: Bytes::from_static(b"query"),
            started_event_id: 0,
            query: Some(WorkflowQuery { query_type: "state".into(), ..WorkflowQuery::default() }),
            ..self.poll_from(first)
        }
    }

    /// When an event happened.
    pub(crate) fn time(&self, event_id: i64) -> std::time::SystemTime {
        std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1000 + event_id.unsigned_abs())
    }
}

/// A request for an update.
pub(crate) fn update_request(id: &str) -> Request {
    Request {
        meta: Some(Meta { update_id: id.into(), identity: "caller".into() }),
        input: Some(Input {
            name: "change".into(),
            args: Some(Payloads { payloads: vec![payload("argument")] }),
            ..Input::default()
        }),
        ..Request::default()
    }
}
