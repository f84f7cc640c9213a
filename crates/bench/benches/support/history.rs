//! Histories and tasks, written the way a server writes them.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message as _;
use prost_types::{Any, Duration, Timestamp};
use stead_proto::common::v1::{ActivityType, Payload, Payloads, WorkflowExecution, WorkflowType};
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::history::v1::*;
use stead_proto::protocol::v1::Message;
use stead_proto::protocol::v1::message::SequencingId;
use stead_proto::sdk::v1::WorkflowTaskCompletedMetadata;
use stead_proto::taskqueue::v1::TaskQueue;
use stead_proto::update::v1::{Input, Meta, Request};
use stead_proto::workflowservice::v1::PollWorkflowTaskQueueResponse;

use super::Kind;

/// The history of a run that waited for `activities` activities, one after the other, and ended: six events for each,
/// and five besides.
pub fn sequence(activities: u32) -> History {
    let mut writer = Writer::default();
    writer.started("Acts", activities);
    writer.task();
    for seq in 1..=activities {
        writer.task_completed();
        writer.activity(seq);
        writer.task();
    }
    writer.task_completed();
    writer.push(Attributes::WorkflowExecutionCompletedEventAttributes(
        WorkflowExecutionCompletedEventAttributes::default(),
    ));
    History { events: writer.events }
}

/// The tasks of a run that does the same thing again and again and never ends, as a sticky queue gives them out.
pub struct Tasks {
    kind: Kind,
    writer: Writer,
    count: u32,
}

impl Tasks {
    pub fn new(kind: Kind) -> Self {
        Self { kind, writer: Writer::default(), count: 0 }
    }

    /// The task that follows the one before.
    pub fn next(&mut self) -> PollWorkflowTaskQueueResponse {
        let previous = self.writer.started;
        if self.count == 0 {
            let workflow_type = match self.kind {
                Kind::Timer => "Timers",
                Kind::Activity => "Acts",
                Kind::Update => "Updates",
            };
            self.writer.started(workflow_type, u32::MAX);
        } else {
            self.writer.task_completed();
            self.news();
        }
        self.writer.task();
        self.count += 1;
        let messages = if self.kind == Kind::Update && self.count > 1 { vec![self.request()] } else { Vec::new() };
        PollWorkflowTaskQueueResponse {
            task_token: Bytes::from_static(b"task"),
            workflow_execution: Some(WorkflowExecution { workflow_id: "workflow".into(), run_id: "run".into() }),
            workflow_type: Some(WorkflowType { name: "bench".into() }),
            previous_started_event_id: previous,
            started_event_id: self.writer.started,
            attempt: 1,
            history: Some(History { events: std::mem::take(&mut self.writer.events) }),
            messages,
            ..PollWorkflowTaskQueueResponse::default()
        }
    }

    /// What happened since the last task, and what that task recorded.
    fn news(&mut self) {
        match self.kind {
            Kind::Timer => self.writer.timer(self.count),
            Kind::Activity => self.writer.activity(self.count),
            Kind::Update if self.count > 1 => self.writer.update(&update_id(self.count)),
            Kind::Update => {}
        }
    }

    fn request(&self) -> Message {
        let id = update_id(self.count);
        Message {
            id: format!("{id}/request"),
            sequencing_id: Some(SequencingId::EventId(self.writer.started - 1)),
            body: Some(Any {
                type_url: "type.googleapis.com/temporal.api.update.v1.Request".into(),
                value: update_request(&id).encode_to_vec(),
            }),
            protocol_instance_id: id,
        }
    }
}

/// Writes one event after the other.
#[derive(Default)]
struct Writer {
    events: Vec<HistoryEvent>,
    last: i64,
    scheduled: i64,
    started: i64,
}

impl Writer {
    /// Event types matter to people only: machines read attributes.
    fn push(&mut self, attributes: Attributes) -> i64 {
        self.last += 1;
        self.events.push(HistoryEvent {
            event_id: self.last,
            event_time: Some(Timestamp { seconds: 1000 + self.last, nanos: 0 }),
            attributes: Some(attributes),
            ..HistoryEvent::default()
        });
        self.last
    }

    fn started(&mut self, workflow_type: &str, argument: u32) {
        let attributes = WorkflowExecutionStartedEventAttributes {
            workflow_type: Some(WorkflowType { name: workflow_type.into() }),
            task_queue: Some(TaskQueue { name: "queue".into(), ..TaskQueue::default() }),
            original_execution_run_id: "run".into(),
            first_execution_run_id: "run".into(),
            input: Some(Payloads { payloads: vec![payload(argument.to_string().as_bytes())] }),
            attempt: 1,
            ..WorkflowExecutionStartedEventAttributes::default()
        };
        self.push(Attributes::WorkflowExecutionStartedEventAttributes(Box::new(attributes)));
    }

    /// A task, scheduled and started.
    fn task(&mut self) {
        let scheduled = WorkflowTaskScheduledEventAttributes::default();
        self.scheduled = self.push(Attributes::WorkflowTaskScheduledEventAttributes(scheduled));
        let started = WorkflowTaskStartedEventAttributes {
            scheduled_event_id: self.scheduled,
            ..WorkflowTaskStartedEventAttributes::default()
        };
        self.started = self.push(Attributes::WorkflowTaskStartedEventAttributes(started));
    }

    fn task_completed(&mut self) {
        let is_first = self.started == 3;
        let metadata = WorkflowTaskCompletedMetadata {
            core_used_flags: if is_first { vec![1, 2, 3] } else { Vec::new() },
            ..WorkflowTaskCompletedMetadata::default()
        };
        self.push(Attributes::WorkflowTaskCompletedEventAttributes(Box::new(WorkflowTaskCompletedEventAttributes {
            scheduled_event_id: self.scheduled,
            started_event_id: self.started,
            sdk_metadata: Some(metadata),
            ..WorkflowTaskCompletedEventAttributes::default()
        })));
    }

    fn timer(&mut self, seq: u32) {
        let started_event_id = self.push(Attributes::TimerStartedEventAttributes(TimerStartedEventAttributes {
            timer_id: seq.to_string(),
            start_to_fire_timeout: Some(Duration { seconds: 5, nanos: 0 }),
            ..TimerStartedEventAttributes::default()
        }));
        let fired = TimerFiredEventAttributes { started_event_id, timer_id: seq.to_string() };
        self.push(Attributes::TimerFiredEventAttributes(fired));
    }

    fn activity(&mut self, seq: u32) {
        let scheduled = ActivityTaskScheduledEventAttributes {
            activity_id: seq.to_string(),
            activity_type: Some(ActivityType { name: "echo".into() }),
            ..ActivityTaskScheduledEventAttributes::default()
        };
        let scheduled_event_id = self.push(Attributes::ActivityTaskScheduledEventAttributes(Box::new(scheduled)));
        let started =
            ActivityTaskStartedEventAttributes { scheduled_event_id, ..ActivityTaskStartedEventAttributes::default() };
        let started_event_id = self.push(Attributes::ActivityTaskStartedEventAttributes(Box::new(started)));
        self.push(Attributes::ActivityTaskCompletedEventAttributes(ActivityTaskCompletedEventAttributes {
            scheduled_event_id,
            started_event_id,
            result: Some(Payloads { payloads: vec![payload(b"1")] }),
            ..ActivityTaskCompletedEventAttributes::default()
        }));
    }

    /// An update that the last task accepted and completed.
    fn update(&mut self, id: &str) {
        let accepted = WorkflowExecutionUpdateAcceptedEventAttributes {
            protocol_instance_id: id.into(),
            accepted_request_message_id: format!("{id}/request"),
            accepted_request_sequencing_event_id: self.scheduled,
            accepted_request: Some(update_request(id)),
        };
        let accepted_event_id =
            self.push(Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(Box::new(accepted)));
        let completed = WorkflowExecutionUpdateCompletedEventAttributes {
            meta: Some(Meta { update_id: id.into(), ..Meta::default() }),
            accepted_event_id,
            ..WorkflowExecutionUpdateCompletedEventAttributes::default()
        };
        self.push(Attributes::WorkflowExecutionUpdateCompletedEventAttributes(Box::new(completed)));
    }
}

/// The update that came with task number `task`.
fn update_id(task: u32) -> String {
    format!("update-{task}")
}

fn update_request(id: &str) -> Request {
    Request {
        meta: Some(Meta { update_id: id.into(), identity: "caller".into() }),
        input: Some(Input {
            name: "change".into(),
            args: Some(Payloads { payloads: vec![payload(b"1")] }),
            ..Input::default()
        }),
        ..Request::default()
    }
}

/// A JSON payload.
pub fn payload(json: &[u8]) -> Payload {
    Payload {
        metadata: BTreeMap::from([("encoding".to_owned(), Bytes::from_static(b"json/plain"))]),
        data: Bytes::copy_from_slice(json),
        ..Payload::default()
    }
}
