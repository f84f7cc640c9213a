//! Where in history one workflow task's news ends and the next one's begins.
//!
//! A *sequence* is everything between the start of one workflow task and the start of the next that was given to the
//! code, with that start. Applied as a unit it makes one activation. Not every start ends a sequence: a task that
//! failed, timed out or only kept itself alive (a heartbeat) was never seen by the code in a way that left a trace.

use stead_proto::history::v1::HistoryEvent;
use stead_proto::history::v1::history_event::Attributes;

use super::event::{Kind, kind};

/// The most interesting thing that a sequence holds so far.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    Nothing,
    Start,
    Command,
}

/// What is known of a history besides the events that are here.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Known {
    /// No event will follow.
    pub(super) whole: bool,
    /// It was recorded with [`Flag::CarefulHeartbeats`](crate::flags::Flag::CarefulHeartbeats).
    pub(super) careful: bool,
    /// The task that it leads to carries messages, such as an update that no event tells of yet.
    pub(super) has_messages: bool,
}

/// What a workflow task's start means for the sequence.
enum Verdict {
    /// The sequence ends at this index.
    EndsAt(usize),
    /// The sequence goes on.
    GoesOn,
    /// What decides lies behind the last event that is here.
    Unknown,
}

/// The index of the last event of the sequence that `events` begin with.
///
/// `None` means that the sequence has no end yet: it needs more events or, where history is whole, runs to the end of
/// history without one.
pub(super) fn find_end(events: &[HistoryEvent], known: Known) -> Option<usize> {
    let mut seen = Seen::Nothing;
    for (index, event) in events.iter().enumerate() {
        match kind(event) {
            kind if kind.is_final() => return Some(index),
            Kind::Started => seen = seen.max(Seen::Start),
            Kind::Command => seen = Seen::Command,
            Kind::TaskStarted => match judge(events, index, seen, known) {
                Verdict::EndsAt(end) => return Some(end),
                Verdict::GoesOn => {}
                Verdict::Unknown => return None,
            },
            _ => {}
        }
    }
    None
}

fn judge(events: &[HistoryEvent], started: usize, seen: Seen, known: Known) -> Verdict {
    let Known { whole, careful, .. } = known;
    let unless_blank = if seen == Seen::Nothing { Verdict::GoesOn } else { Verdict::EndsAt(started) };
    let Some(next) = events.get(started + 1) else {
        return if whole { Verdict::EndsAt(started) } else { Verdict::Unknown };
    };
    if is_lost(next) {
        return Verdict::GoesOn;
    }
    if kind(next) != Kind::TaskCompleted {
        return unless_blank;
    }
    match events.get(started + 2) {
        None if whole => Verdict::EndsAt(started),
        None => Verdict::Unknown,
        // A task that left no trace and was followed by another at once was a heartbeat.
        Some(after) if kind(after) == Kind::TaskScheduled && seen != Seen::Command => match careful {
            true => judge_heartbeat(events, started, known),
            false => Verdict::GoesOn,
        },
        Some(_) if careful => Verdict::EndsAt(started),
        Some(after) => Verdict::EndsAt(match accepted_sequencing_id(after) {
            Some(sequencing_id) => last_start_before(sequencing_id, &events[..=started]).unwrap_or(started),
            None => started,
        }),
    }
}

/// Whether a task that left no trace was a heartbeat, where the task after it has a say: it must have been completed, or
/// wait for its answer, without an update of its own.
fn judge_heartbeat(events: &[HistoryEvent], started: usize, known: Known) -> Verdict {
    let after = |distance: usize| events.get(started + distance);
    match (after(3).map(kind), after(4).map(kind), after(5)) {
        (Some(Kind::TaskStarted), None, _) if known.whole && !known.has_messages => Verdict::GoesOn,
        (Some(Kind::TaskStarted), Some(Kind::TaskCompleted), None) if known.whole => Verdict::GoesOn,
        (Some(Kind::TaskStarted), Some(Kind::TaskCompleted), Some(next)) if accepted_sequencing_id(next).is_none() => {
            Verdict::GoesOn
        }
        (None, ..)
        | (Some(Kind::TaskStarted), None, _)
        | (Some(Kind::TaskStarted), Some(Kind::TaskCompleted), None)
            if !known.whole =>
        {
            Verdict::Unknown
        }
        _ => Verdict::EndsAt(started),
    }
}

/// Whether the task whose start `next` follows was lost, so that the code never saw it.
fn is_lost(next: &HistoryEvent) -> bool {
    matches!(kind(next), Kind::TaskLost | Kind::ClosedFromOutside)
        || matches!(&next.attributes, Some(Attributes::WorkflowExecutionCanceledEventAttributes(_)))
}

fn accepted_sequencing_id(event: &HistoryEvent) -> Option<i64> {
    match &event.attributes {
        Some(Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(accepted)) => {
            Some(accepted.accepted_request_sequencing_event_id)
        }
        _ => None,
    }
}

/// The last start of a task, not lost, that lies before the place of an update.
///
/// An update that was accepted by the last task of `events` but asked for after an earlier one proves that the
/// earlier one was no heartbeat: the code has seen it without the update.
fn last_start_before(sequencing_id: i64, events: &[HistoryEvent]) -> Option<usize> {
    (0..events.len()).rev().find(|&index| {
        kind(&events[index]) == Kind::TaskStarted
            && events[index].event_id < sequencing_id
            && !events.get(index + 1).is_some_and(is_lost)
    })
}
