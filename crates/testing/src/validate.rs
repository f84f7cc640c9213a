//! [`violations`]: whether the events of a history can have happened in their order, whatever the workflow.
//!
//! It knows what a server may write, and nothing of what a workflow's code would do: that is what a
//! [`Replayer`](crate::Replayer) is for.

mod role;
mod violation;

use std::collections::BTreeMap;

use stead_data::history::History;
use stead_proto::history::v1::HistoryEvent;
use stead_proto::history::v1::history_event::Attributes;

pub use role::Subject;
use role::{Role, command_of, timer_id};
pub use violation::{Broken, Violation};

/// What is wrong with a history, in the order of its events; nothing, if a server can have written it. The history may
/// end anywhere.
///
/// ```
/// use stead_data::history::History;
/// let history = History::from_json(r#"{"events": [
///     {"eventId": "1", "eventType": "WorkflowExecutionStarted", "workflowExecutionStartedEventAttributes": {}},
///     {"eventId": "3", "eventType": "WorkflowTaskScheduled", "workflowTaskScheduledEventAttributes": {}}
/// ]}"#)?;
/// let violations = stead_testing::violations(&history);
/// assert_eq!(violations[0].to_string(), "event 3: its id should be 2");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn violations(history: &History) -> Vec<Violation> {
    let mut validator = Validator::default();
    for event in &history.0.events {
        validator.handle(event);
    }
    validator.violations
}

/// A history, as far as it has been read.
#[derive(Debug, Default)]
struct Validator {
    events: i64,
    began: Option<prost_types::Timestamp>,
    /// Time of the last event of a workflow task.
    task_time: Option<prost_types::Timestamp>,
    ended: bool,
    task: Task,
    /// The workflow task that was completed last, until the next one is scheduled.
    completed: i64,
    open: BTreeMap<i64, Open>,
    violations: Vec<Violation>,
}

/// The workflow task.
///
/// ```text
///   None ──scheduled──▶ Scheduled ──started──▶ Started ──closed──▶ None
///                           └──────────closed (timed out)──────────▲
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Task {
    #[default]
    None,
    Scheduled(i64),
    Started {
        scheduled: i64,
        started: i64,
    },
}

/// Something that goes on, or has.
#[derive(Debug)]
struct Open {
    subject: Subject,
    started: i64,
    cancelled: bool,
    closed: bool,
    timer_id: Option<String>,
}

impl Validator {
    fn handle(&mut self, event: &HistoryEvent) {
        self.events += 1;
        if event.event_id != self.events {
            self.wrong(event, Broken::IdExpected(self.events));
            self.events = event.event_id;
        }
        let Some(attributes) = &event.attributes else { return self.wrong(event, Broken::NoAttributes) };
        let role = role::role(attributes);
        if self.ended {
            self.wrong(event, Broken::AfterTheEnd);
        }
        if (self.began.is_none()) != (role == Role::Begins) {
            self.wrong(event, Broken::Beginning);
        }
        self.check_time(event, role);
        if matches!(self.task, Task::Started { .. }) && !matches!(role, Role::TaskClosed { .. }) {
            self.wrong(event, Broken::WithinWorkflowTask);
        }
        if let Some(named) = command_of(attributes).filter(|named| *named != self.completed) {
            self.wrong(event, Broken::CommandOf { named, completed: self.completed });
        }
        self.play(event, attributes, role);
    }

    fn play(&mut self, event: &HistoryEvent, attributes: &Attributes, role: Role) {
        match role {
            Role::Begins | Role::Alone => {}
            Role::Ends => self.ended = true,
            Role::TaskScheduled => self.task_scheduled(event),
            Role::TaskStarted { scheduled } => self.task_started(event, scheduled),
            Role::TaskClosed { scheduled, started } => self.task_closed(event, attributes, scheduled, started),
            Role::Opens(subject) => self.opens(event, subject, timer_id(attributes)),
            Role::Starts { subject, opened } => self.starts(event, subject, opened),
            Role::Cancels { subject, opened } => self.cancels(event, subject, opened),
            Role::Closes { subject, opened, started } => {
                self.closes(event, subject, opened, started);
                self.check_timer_id(event, opened, timer_id(attributes));
            }
        }
    }

    /// What happens while a workflow task is under way, and that an activity has started, is written later than it
    /// happened; so only the events of workflow tasks are compared with each other.
    fn check_time(&mut self, event: &HistoryEvent, role: Role) {
        let is_task = matches!(role, Role::TaskScheduled | Role::TaskStarted { .. } | Role::TaskClosed { .. });
        let before = if is_task { self.task_time } else { self.began };
        let earlier = |before: prost_types::Timestamp, now: prost_types::Timestamp| {
            (now.seconds, now.nanos) < (before.seconds, before.nanos)
        };
        if before.zip(event.event_time).is_some_and(|(before, now)| earlier(before, now)) {
            self.wrong(event, Broken::Time);
        }
        let time = event.event_time.unwrap_or_default();
        self.began.get_or_insert(time);
        if is_task || self.task_time.is_none() {
            self.task_time = Some(time);
        }
    }

    fn task_scheduled(&mut self, event: &HistoryEvent) {
        if self.task != Task::None {
            self.wrong(event, Broken::WorkflowTask("one is scheduled before the one before it has closed"));
        }
        self.task = Task::Scheduled(event.event_id);
        self.completed = 0;
    }

    fn task_started(&mut self, event: &HistoryEvent, scheduled: i64) {
        if self.task != Task::Scheduled(scheduled) {
            self.wrong(event, Broken::WorkflowTask("one starts that is not scheduled"));
        }
        self.task = Task::Started { scheduled, started: event.event_id };
    }

    fn task_closed(&mut self, event: &HistoryEvent, attributes: &Attributes, scheduled: i64, started: i64) {
        let is_completed = matches!(attributes, Attributes::WorkflowTaskCompletedEventAttributes(_));
        let fits = match self.task {
            Task::None => false,
            Task::Scheduled(id) => id == scheduled && started == 0 && !is_completed,
            Task::Started { scheduled: id, started: at } => id == scheduled && at == started,
        };
        if !fits {
            self.wrong(event, Broken::WorkflowTask("one closes that is not under way"));
        }
        self.task = Task::None;
        self.completed = if is_completed { event.event_id } else { 0 };
    }

    fn opens(&mut self, event: &HistoryEvent, subject: Subject, timer_id: Option<&str>) {
        let taken = |open: &Open| !open.closed && open.timer_id.is_some() && open.timer_id.as_deref() == timer_id;
        if self.open.values().any(taken) {
            self.wrong(event, Broken::TimerId(timer_id.unwrap_or_default().to_owned()));
        }
        let timer_id = timer_id.map(str::to_owned);
        let open = Open { subject, started: 0, cancelled: false, closed: false, timer_id };
        self.open.insert(event.event_id, open);
    }

    fn starts(&mut self, event: &HistoryEvent, subject: Subject, opened: i64) {
        let Some(open) = self.find(event, subject, opened) else { return };
        let twice = open.started != 0;
        open.started = event.event_id;
        if twice {
            self.wrong(event, Broken::Twice(subject));
        }
    }

    fn cancels(&mut self, event: &HistoryEvent, subject: Subject, opened: i64) {
        let Some(open) = self.find(event, subject, opened) else { return };
        if std::mem::replace(&mut open.cancelled, true) {
            self.wrong(event, Broken::Twice(subject));
        }
    }

    fn closes(&mut self, event: &HistoryEvent, subject: Subject, opened: i64, named: Option<i64>) {
        let Some(open) = self.find(event, subject, opened) else { return };
        open.closed = true;
        let started = open.started;
        if let Some(named) = named.filter(|named| subject.has_to_start() && *named != started) {
            self.wrong(event, Broken::StartedBy { named, started });
        }
    }

    fn check_timer_id(&mut self, event: &HistoryEvent, opened: i64, timer_id: Option<&str>) {
        let expected = self.open.get(&opened).and_then(|open| open.timer_id.as_deref());
        if let Some(id) = timer_id.filter(|id| expected.is_some_and(|expected| expected != *id)) {
            self.wrong(event, Broken::TimerId(id.to_owned()));
        }
    }

    /// What the event is about, if it goes on.
    fn find(&mut self, event: &HistoryEvent, subject: Subject, opened: i64) -> Option<&mut Open> {
        let found = self.open.get(&opened).filter(|open| open.subject == subject);
        let wrong = match found {
            None => Some(Broken::NotOpened { subject, opened }),
            Some(open) if open.closed => Some(Broken::Closed { subject, opened }),
            Some(_) => None,
        };
        match wrong {
            Some(rule) => {
                self.wrong(event, rule);
                None
            }
            None => self.open.get_mut(&opened),
        }
    }

    fn wrong(&mut self, event: &HistoryEvent, rule: Broken) {
        self.violations.push(Violation::new(event.event_id, rule));
    }
}

#[cfg(test)]
mod tests;
