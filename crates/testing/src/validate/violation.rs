//! [`Violation`]: what is wrong with a history.

use std::{error, fmt};

use super::Subject;

/// What is wrong with a history, and at which event.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The event at which it shows.
    pub event_id: i64,
    /// The rule that it breaks.
    pub rule: Broken,
}

/// A rule that a history breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Broken {
    /// The ids of events are 1, 2, 3 …
    IdExpected(i64),
    /// An event has attributes.
    NoAttributes,
    /// The first event, and no other, is that the run started.
    Beginning,
    /// Nothing comes after the event that closes the run.
    AfterTheEnd,
    /// One workflow task at a time is scheduled, then started, then closed.
    WorkflowTask(&'static str),
    /// While a workflow task is started, nothing is written: events wait until it is over.
    WithinWorkflowTask,
    /// What a workflow commands comes with the task that was completed last.
    CommandOf {
        /// The task that the event names.
        named: i64,
        /// The task that was completed last.
        completed: i64,
    },
    /// An event refers to an earlier one of the right kind.
    NotOpened {
        /// What the event is about.
        subject: Subject,
        /// The event to which it refers.
        opened: i64,
    },
    /// What has closed neither starts, nor is it cancelled, nor does it close again.
    Closed {
        /// What the event is about.
        subject: Subject,
        /// The event with which it began.
        opened: i64,
    },
    /// Something starts once, and is asked to end once.
    Twice(Subject),
    /// Something closes with a reference to the event with which it started.
    StartedBy {
        /// The event to which it refers.
        named: i64,
        /// The event with which it started; 0 if it did not.
        started: i64,
    },
    /// A timer's id belongs to no other one that has not fired.
    TimerId(String),
    /// Time does not go back from one workflow task to the next, and nothing is older than the run.
    Time,
}

impl Violation {
    pub(super) fn new(event_id: i64, rule: Broken) -> Self {
        Self { event_id, rule }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "event {}: {}", self.event_id, self.rule)
    }
}

impl error::Error for Violation {}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IdExpected(expected) => write!(f, "its id should be {expected}"),
            Self::NoAttributes => f.write_str("it has no attributes"),
            Self::Beginning => f.write_str("a history begins with WorkflowExecutionStarted, which comes once"),
            Self::AfterTheEnd => f.write_str("it comes after the event that closes the run"),
            Self::WorkflowTask(what) => write!(f, "workflow tasks: {what}"),
            Self::WithinWorkflowTask => f.write_str("it is written while a workflow task is under way"),
            Self::CommandOf { named, completed } => write!(
                f,
                "it names {named} as the completed workflow task whose command it is, and the last one is {completed}"
            ),
            Self::NotOpened { subject, opened } => write!(f, "event {opened} begins no {subject}"),
            Self::Closed { subject, opened } => write!(f, "the {subject} of event {opened} has closed before"),
            Self::Twice(subject) => write!(f, "the {subject} did this before"),
            Self::StartedBy { named, started } => {
                write!(f, "it names {named} as the event that started it, which is {started} (0: none)")
            }
            Self::TimerId(id) => write!(f, "the timer id {id:?} is another's"),
            Self::Time => f.write_str("its time is before what came before it"),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Activity => "activity",
            Self::Timer => "timer",
            Self::Child => "child workflow",
            Self::ExternalSignal => "signal to another workflow",
            Self::ExternalCancellation => "request to cancel another workflow",
            Self::NexusOperation => "Nexus operation",
            Self::Update => "update",
        })
    }
}
