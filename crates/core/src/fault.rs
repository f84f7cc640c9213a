//! Why a run cannot go on with a task.

use std::fmt;

use stead_proto::history::v1::HistoryEvent;

use crate::history::{Recent, event};
use crate::{Mismatch, MismatchKind, Operation};

/// Why a run cannot go on with a task: code and history differ, or history itself makes no sense.
#[derive(Debug)]
pub(crate) enum Fault {
    Mismatch(Box<Mismatch>),
    History(HistoryFault),
}

/// What is wrong with a history.
#[derive(Debug)]
pub(crate) struct HistoryFault {
    /// Id of the event; zero if it is none in particular.
    event_id: i64,
    /// Name of the event's type; empty if it is none in particular.
    event: &'static str,
    problem: Problem,
}

#[derive(Debug)]
pub(crate) enum Problem {
    /// An event or a part of it that this version does not know.
    Unsupported(&'static str),
    /// A part of the event is not set.
    Missing(&'static str),
    /// Events are missing before this one.
    Gap { last: i64 },
    /// It comes after the event that closed the run.
    AfterTheEnd,
    /// It cannot come here.
    Misplaced,
    /// History ends before the start of the task.
    TooShort { last: i64, started: i64 },
    /// An SDK flag that this version does not know.
    UnknownFlag(u32),
    /// Something that came with the task is wrong.
    Task(&'static str),
}

impl Fault {
    /// Something is wrong with an event.
    pub(crate) fn event(at: &HistoryEvent, problem: Problem) -> Self {
        Self::History(HistoryFault { event_id: at.event_id, event: event::name(at), problem })
    }

    /// Something is wrong with a task or with its history as a whole.
    pub(crate) const fn task(problem: Problem) -> Self {
        Self::History(HistoryFault { event_id: 0, event: "", problem })
    }

    /// Code and history differ.
    pub(crate) fn mismatch(
        kind: MismatchKind,
        event_id: i64,
        expected: Option<Operation>,
        found: Option<Operation>,
    ) -> Self {
        Self::Mismatch(Box::new(Mismatch::new(kind, event_id, expected, found, None)))
    }

    /// The same fault with what came before it.
    pub(crate) fn after(mut self, recent: &Recent) -> Self {
        if let Self::Mismatch(mismatch) = &mut self {
            let event_id = mismatch.event_id;
            mismatch.event_type = mismatch.event_type.or_else(|| recent.event_type(event_id));
            mismatch.recent = recent.before(event_id);
        }
        self
    }

    /// An event that no operation of the code explains.
    pub(crate) fn unexpected(at: &HistoryEvent, kind: MismatchKind) -> Self {
        Self::mismatch(kind, at.event_id, Some(Operation::Other { event: event::name(at) }), None)
    }
}

impl fmt::Display for HistoryFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.event_id > 0 {
            write!(f, "event {} ({}): ", self.event_id, self.event)?;
        }
        match &self.problem {
            Problem::Unsupported("") => write!(f, "this version does not support events of this type"),
            Problem::Unsupported(what) => write!(f, "this version does not support {what}"),
            Problem::Missing(what) => write!(f, "history is broken: the event has no {what}"),
            Problem::Gap { last } => write!(f, "history is broken: the event before it has id {last}"),
            Problem::AfterTheEnd => write!(f, "history is broken: the run was closed before this event"),
            Problem::Misplaced => write!(f, "history is broken: the event cannot come here"),
            Problem::TooShort { last, started } => {
                write!(f, "history is broken: it ends with event {last}, before the task's start at event {started}")
            }
            Problem::UnknownFlag(number) => write!(
                f,
                "the task was recorded with SDK flag {number}, which this version does not know: use a newer version"
            ),
            Problem::Task(what) => write!(f, "the task is broken: {what}"),
        }
    }
}
