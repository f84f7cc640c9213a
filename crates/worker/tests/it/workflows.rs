//! Workflows that the tests run, written without the macro.

use std::rc::Rc;

use stead_proto::common::v1::{Payloads, WorkflowType};
use stead_proto::enums::v1::EventType;
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::history::v1::{
    History, HistoryEvent, TimerFiredEventAttributes, TimerStartedEventAttributes,
    WorkflowExecutionCompletedEventAttributes, WorkflowExecutionStartedEventAttributes,
    WorkflowTaskCompletedEventAttributes, WorkflowTaskStartedEventAttributes,
};
use stead_workflow::{Handler, LocalBoxFuture, Workflow};

/// Greets; panics if there is nobody to greet.
pub(crate) struct Hello;

impl Workflow for Hello {
    const NAME: &'static str = "Hello";
    const ARITY: usize = 1;
    type Input = String;
    type Output = String;
    const HANDLERS: &'static [Handler<Self>] = &[];

    fn init(_input: &String) -> Self {
        Self
    }

    fn run(self: Rc<Self>, input: String) -> LocalBoxFuture<'static, stead_workflow::Result<String>> {
        Box::pin(async move {
            assert!(!input.is_empty(), "nobody to greet");
            Ok(format!("hello, {input}"))
        })
    }
}

/// Has the name of another.
pub(crate) struct Twin;

impl Workflow for Twin {
    const NAME: &'static str = Hello::NAME;
    const ARITY: usize = 0;
    type Input = ();
    type Output = ();
    const HANDLERS: &'static [Handler<Self>] = &[];

    fn init(_input: &()) -> Self {
        Self
    }

    fn run(self: Rc<Self>, _input: ()) -> LocalBoxFuture<'static, stead_workflow::Result<()>> {
        Box::pin(async { Ok(()) })
    }
}

/// Sleeps as long as it is told to, in seconds.
pub(crate) struct Nap;

impl Workflow for Nap {
    const NAME: &'static str = "Nap";
    const ARITY: usize = 1;
    type Input = u64;
    type Output = ();
    const HANDLERS: &'static [Handler<Self>] = &[];

    fn init(_input: &u64) -> Self {
        Self
    }

    fn run(self: Rc<Self>, seconds: u64) -> LocalBoxFuture<'static, stead_workflow::Result<()>> {
        Box::pin(async move {
            stead_workflow::sleep(stead_data::secs(seconds)).await?;
            Ok(())
        })
    }
}

/// Starts two activities at once.
pub(crate) struct Pair;

impl Workflow for Pair {
    const NAME: &'static str = "Pair";
    const ARITY: usize = 0;
    type Input = ();
    type Output = u32;
    const HANDLERS: &'static [Handler<Self>] = &[];

    fn init(_input: &()) -> Self {
        Self
    }

    fn run(self: Rc<Self>, _input: ()) -> LocalBoxFuture<'static, stead_workflow::Result<u32>> {
        Box::pin(async move {
            let echo = |number: u32| {
                stead_workflow::activity_named::<u32>("echo", number).start_to_close(stead_data::secs(30)).start()
            };
            let (one, two) = (echo(1), echo(2));
            Ok(one.await? + two.await?)
        })
    }
}

/// A history, event by event.
#[derive(Default)]
pub(crate) struct Events(Vec<HistoryEvent>);

impl Events {
    /// The start of a workflow and of its first task.
    pub(crate) fn started(workflow_type: &str, input: &impl serde::Serialize) -> Self {
        let payload = stead_data::DataConverter::new().to_payload(input).expect("plain input");
        let mut events = Self::default();
        events.push(
            EventType::WorkflowExecutionStarted,
            Attributes::WorkflowExecutionStartedEventAttributes(Box::new(WorkflowExecutionStartedEventAttributes {
                workflow_type: Some(WorkflowType { name: workflow_type.to_owned() }),
                workflow_id: "w".to_owned(),
                original_execution_run_id: "r".to_owned(),
                first_execution_run_id: "r".to_owned(),
                input: Some(Payloads { payloads: vec![payload] }),
                attempt: 1,
                ..Default::default()
            })),
        );
        events.task_started()
    }

    pub(crate) fn task_started(mut self) -> Self {
        self.push(
            EventType::WorkflowTaskScheduled,
            Attributes::WorkflowTaskScheduledEventAttributes(Default::default()),
        );
        let started = WorkflowTaskStartedEventAttributes { scheduled_event_id: self.last(), ..Default::default() };
        self.push(EventType::WorkflowTaskStarted, Attributes::WorkflowTaskStartedEventAttributes(started));
        self
    }

    pub(crate) fn task_completed(mut self) -> Self {
        let completed = WorkflowTaskCompletedEventAttributes {
            scheduled_event_id: self.last() - 1,
            started_event_id: self.last(),
            ..Default::default()
        };
        self.push(
            EventType::WorkflowTaskCompleted,
            Attributes::WorkflowTaskCompletedEventAttributes(Box::new(completed)),
        );
        self
    }

    pub(crate) fn timer_started(mut self, timer_id: &str, seconds: i64) -> Self {
        let started = TimerStartedEventAttributes {
            timer_id: timer_id.to_owned(),
            start_to_fire_timeout: Some(prost_types::Duration { seconds, nanos: 0 }),
            workflow_task_completed_event_id: self.last(),
        };
        self.push(EventType::TimerStarted, Attributes::TimerStartedEventAttributes(started));
        self
    }

    /// The timer that was started last.
    pub(crate) fn timer_fired(mut self, timer_id: &str) -> Self {
        let fired = TimerFiredEventAttributes { timer_id: timer_id.to_owned(), started_event_id: self.last() };
        self.push(EventType::TimerFired, Attributes::TimerFiredEventAttributes(fired));
        self
    }

    #[cfg_attr(not(feature = "replay"), expect(dead_code, reason = "only replays need a history that ends"))]
    pub(crate) fn workflow_completed(mut self) -> Self {
        let completed = WorkflowExecutionCompletedEventAttributes {
            workflow_task_completed_event_id: self.last(),
            ..Default::default()
        };
        self.push(
            EventType::WorkflowExecutionCompleted,
            Attributes::WorkflowExecutionCompletedEventAttributes(completed),
        );
        self
    }

    pub(crate) fn history(self) -> History {
        History { events: self.0 }
    }

    fn push(&mut self, event_type: EventType, attributes: Attributes) {
        self.0.push(HistoryEvent {
            event_id: self.last() + 1,
            event_type: event_type.into(),
            event_time: Some(prost_types::Timestamp { seconds: 1_000 + self.last(), nanos: 0 }),
            attributes: Some(attributes),
            ..Default::default()
        });
    }

    fn last(&self) -> i64 {
        self.0.last().map_or(0, |event| event.event_id)
    }
}
