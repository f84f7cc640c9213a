//! The difference between what history records and what the code did, as a value. What a workflow can do is
//! `operation`.

mod operation;

use std::fmt;

use stead_activation::CallSite;

pub use self::operation::Operation;

/// The code did something that its history does not record, or the other way around.
///
/// Its text begins with `[TMPRL1100] Nondeterminism error: ` and shows both sides, what came before, and what usually
/// causes it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Mismatch {
    /// What is wrong.
    pub kind: MismatchKind,
    /// Id of the event at which it was noticed.
    pub event_id: i64,
    /// The type of that event as the API spells it, without its prefix: `TIMER_STARTED`. `None` if history has no such
    /// event yet.
    pub event_type: Option<&'static str>,
    /// What history records.
    pub expected: Option<Operation>,
    /// What the code did.
    pub found: Option<Operation>,
    /// The line of the user's source that did it, where it is known.
    pub at: Option<CallSite>,
    /// The events before that one, the oldest first. A few.
    pub recent: Vec<RecentEvent>,
}

/// An event that came before a mismatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecentEvent {
    /// Its id.
    pub event_id: i64,
    /// Its type as the API spells it, without its prefix.
    pub event_type: &'static str,
}

/// A part of an operation in which history and code differ.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// What it is called.
    pub field: &'static str,
    /// As history has it.
    pub expected: String,
    /// As the code has it.
    pub found: String,
}

/// The ways in which code and history differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MismatchKind {
    /// Both did something, but not the same.
    Different,
    /// History records something that the code did not do.
    MissingCommand,
    /// The code did something that history does not record.
    ExtraCommand,
    /// History records a patch that the code no longer asks for.
    MissingPatch,
    /// The event refers to an operation that the code never started.
    UnknownOperation,
    /// The event cannot follow what came before it for this operation.
    OutOfOrder,
    /// The code referred to an operation or an update that does not exist.
    UnknownReference,
    /// The code did something while it answered a query.
    InQuery,
}

impl Mismatch {
    pub(crate) fn new(
        kind: MismatchKind,
        event_id: i64,
        expected: Option<Operation>,
        found: Option<Operation>,
        at: Option<CallSite>,
    ) -> Self {
        Self { kind, event_id, event_type: None, expected, found, at, recent: Vec::new() }
    }

    /// The parts that differ, if history and code have operations of the same kind. None if they are of different kinds.
    pub fn differences(&self) -> Vec<Difference> {
        match (&self.expected, &self.found) {
            (Some(expected), Some(found)) => expected.differences(found),
            _ => Vec::new(),
        }
    }
}

impl Operation {
    /// The parts in which another operation of the same kind differs. None if it is of another kind.
    pub fn differences(&self, found: &Self) -> Vec<Difference> {
        if std::mem::discriminant(self) != std::mem::discriminant(found) {
            return Vec::new();
        }
        let pairs = self.fields().into_iter().zip(found.fields());
        let differing = pairs.filter(|((_, expected), (_, found))| expected != found);
        differing.map(|((field, expected), (_, found))| Difference { field, expected, found }).collect()
    }
}

impl MismatchKind {
    /// What usually causes it, and what to do.
    pub const fn usual_cause(self) -> &'static str {
        match self {
            Self::Different | Self::MissingCommand | Self::ExtraCommand => {
                "the code was changed while the workflow was open (keep the old path behind `workflow::patched`), or it \
                 depends on what history does not record, such as time, random numbers or the order of a map"
            }
            Self::MissingPatch => {
                "`workflow::patched` was removed while workflows that asked for it are open: leave \
                 `workflow::deprecate_patch` in its place until they are closed"
            }
            Self::UnknownOperation | Self::OutOfOrder => {
                "the code no longer starts what it started, or the history is not complete or not of this workflow"
            }
            Self::UnknownReference => "the code uses a handle of another run, or this SDK has a fault",
            Self::InQuery => "a query does more than read: move what it does to an update",
        }
    }
}

impl std::error::Error for Mismatch {}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[TMPRL1100] Nondeterminism error: {}", self.kind)?;
        write!(f, "\n  history: event {}", self.event_id)?;
        if let Some(event_type) = self.event_type {
            write!(f, " ({event_type})")?;
        }
        match &self.expected {
            Some(operation) => write!(f, ", {operation}")?,
            None => write!(f, ", nothing of the kind")?,
        }
        match &self.found {
            Some(operation) => write!(f, "\n  code:    {operation}")?,
            None => write!(f, "\n  code:    nothing")?,
        }
        if let Some(at) = self.at {
            write!(f, ", at {at}")?;
        }
        for difference in self.differences() {
            write!(f, "\n  differs: {difference}")?;
        }
        for (index, event) in self.recent.iter().enumerate() {
            write!(f, "{}{event}", if index == 0 { "\n  before:  " } else { ", " })?;
        }
        write!(f, "\n  usually: {}", self.kind.usual_cause())
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: `{}` in history, `{}` in the code", self.field, self.expected, self.found)
    }
}

impl fmt::Display for RecentEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.event_id, self.event_type)
    }
}

impl fmt::Display for MismatchKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Different => "the code did something else than history records",
            Self::MissingCommand => "history records something that the code did not do",
            Self::ExtraCommand => "the code did something that history does not record",
            Self::MissingPatch => "history records a patch that the code does not ask for",
            Self::UnknownOperation => "history tells of something that the code never started",
            Self::OutOfOrder => "history tells of something that cannot have happened by now",
            Self::UnknownReference => "the code refers to something that does not exist",
            Self::InQuery => "the code did something while it answered a query",
        })
    }
}
