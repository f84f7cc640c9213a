//! Writes histories the way a server does, one event after the other.

use prost_types::Timestamp;
use stead_proto::common::v1::{WorkflowExecution, WorkflowType};
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::history::v1::*;
use stead_proto::sdk::v1::WorkflowTaskCompletedMetadata;
use stead_proto::taskqueue::v1::TaskQueue;
use stead_proto::workflowservice::v1::PollWorkflowTaskQueueResponse;

/// A history that is being written.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    pub(crate) events: Vec<HistoryEvent>,
    pub(crate) scheduled: i64,
    pub(crate) started: i64,
}

impl Writer {
    /// A run that was just started.
    pub(crate) fn new() -> Self {
        let mut writer = Self::default();
        let started = WorkflowExecutionStartedEventAttributes {
            workflow_type: Some(WorkflowType { name: "order".into() }),
            task_queue: Some(TaskQueue { name: "queue".into(), ..TaskQueue::default() }),
            original_execution_run_id: "run".into(),
            attempt: 1,
            ..WorkflowExecutionStartedEventAttributes::default()
        };
        writer.push(Attributes::WorkflowExecutionStartedEventAttributes(Box::new(started)));
        writer
    }

    pub(crate) fn push(&mut self, attributes: Attributes) -> i64 {
        let event_id = self.events.last().map_or(1, |event| event.event_id + 1);
        self.events.push(HistoryEvent {
            event_id,
            event_time: Some(Timestamp { seconds: 1000 + event_id, nanos: 0 }),
            attributes: Some(attributes),
            ..HistoryEvent::default()
        });
        event_id
    }

    /// A task, scheduled and started.
    pub(crate) fn task(&mut self) {
        let scheduled = WorkflowTaskScheduledEventAttributes::default();
        self.scheduled = self.push(Attributes::WorkflowTaskScheduledEventAttributes(scheduled));
        let started = WorkflowTaskStartedEventAttributes {
            scheduled_event_id: self.scheduled,
            ..WorkflowTaskStartedEventAttributes::default()
        };
        self.started = self.push(Attributes::WorkflowTaskStartedEventAttributes(started));
    }

    pub(crate) fn task_completed(&mut self, metadata: WorkflowTaskCompletedMetadata) {
        self.push(Attributes::WorkflowTaskCompletedEventAttributes(Box::new(WorkflowTaskCompletedEventAttributes {
            scheduled_event_id: self.scheduled,
            started_event_id: self.started,
            sdk_metadata: Some(metadata),
            ..WorkflowTaskCompletedEventAttributes::default()
        })));
    }

    pub(crate) fn completed(&mut self) {
        let completed = WorkflowExecutionCompletedEventAttributes::default();
        self.push(Attributes::WorkflowExecutionCompletedEventAttributes(completed));
    }
}

/// The task that a poll returns with these events.
pub(crate) fn poll(events: Vec<HistoryEvent>, previous: i64, started: i64) -> PollWorkflowTaskQueueResponse {
    PollWorkflowTaskQueueResponse {
        task_token: bytes::Bytes::from_static(b"task"),
        workflow_execution: Some(WorkflowExecution { workflow_id: "workflow".into(), run_id: "run".into() }),
        workflow_type: Some(WorkflowType { name: "order".into() }),
        previous_started_event_id: previous,
        started_event_id: started,
        attempt: 1,
        history: Some(History { events }),
        ..PollWorkflowTaskQueueResponse::default()
    }
}

/// The flags that the first completed task of this SDK records.
pub(crate) fn all_flags() -> WorkflowTaskCompletedMetadata {
    WorkflowTaskCompletedMetadata { core_used_flags: vec![1, 2, 3], ..WorkflowTaskCompletedMetadata::default() }
}
