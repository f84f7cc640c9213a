//! The events of one workflow task, as far as they are here.

use bytes::Bytes;
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::history::v1::{HistoryEvent, WorkflowTaskCompletedEventAttributes};

use super::event::{Kind, kind};
use super::sequence::{Known, find_end};
use crate::flags::Flag;

/// How many pages without an event the server may send in a row before its history counts as broken.
const MAX_EMPTY_PAGES: u8 = 16;

/// The events of one workflow task: what came with it, and the pages that follow.
///
/// Each sequence is looked for once: it is found as the one ahead and remembered until it is its turn.
#[derive(Debug)]
pub(crate) struct History {
    events: Vec<HistoryEvent>,
    /// Where the events begin that no machine has seen.
    unread: usize,
    /// Where the sequence that begins at `unread` ends, once that is known.
    boundary: Option<usize>,
    rest: Rest,
    /// Start of the task that this history leads to; zero for tasks that only carry a query.
    started_event_id: i64,
    /// What else decides where sequences end.
    known: Known,
    empty_pages: u8,
}

/// What is not here yet.
#[derive(Debug)]
enum Rest {
    /// Nothing.
    None,
    /// The pages from this token on, and then what came with the task. The latter matters because the start of a
    /// task that was tried before is nowhere but in the task itself.
    Pages { token: Bytes, last: Vec<HistoryEvent> },
}

/// What comes next.
pub(crate) enum Next<'a> {
    /// These events.
    Sequence(Sequence<'a>),
    /// Another page is needed first.
    Page(Bytes),
    /// Nothing: history is over.
    End,
}

/// One sequence of events and what follows it.
pub(crate) struct Sequence<'a> {
    /// The events.
    pub(crate) events: &'a mut [HistoryEvent],
    /// The sequence after this one, or what there is of it.
    pub(crate) ahead: &'a mut [HistoryEvent],
    /// Whether history ends here.
    pub(crate) is_last: bool,
    /// Whether it ends in the start of a workflow task. It does not where history ends or the run closes.
    pub(crate) is_task: bool,
}

impl History {
    /// Events that came with a task, and where the next page is; an empty token means that they are all.
    pub(crate) fn new(events: Vec<HistoryEvent>, token: Bytes, started_event_id: i64) -> Self {
        let rest = if token.is_empty() { Rest::None } else { Rest::Pages { token, last: Vec::new() } };
        let known = Known { careful: begins_carefully(&events), ..Known::default() };
        Self { events, unread: 0, boundary: None, rest, started_event_id, known, empty_pages: 0 }
    }

    /// This history, of a run that recorded the flag before, and of a task that carries messages.
    pub(crate) fn of_task(mut self, is_careful: bool, has_messages: bool) -> Self {
        self.known.careful |= is_careful;
        self.known.has_messages = has_messages;
        self
    }

    /// History from its beginning, of which only the `last` events are here.
    pub(crate) fn from_the_beginning(last: Vec<HistoryEvent>, started_event_id: i64) -> Self {
        let mut history = Self::new(Vec::new(), Bytes::new(), started_event_id);
        history.rest = Rest::Pages { token: Bytes::new(), last };
        history
    }

    fn last_id(&self) -> Option<i64> {
        self.events.last().map(|event| event.event_id)
    }

    /// Adds the page that was asked for. False if the server keeps sending pages without events.
    #[must_use]
    pub(crate) fn add_page(&mut self, events: Vec<HistoryEvent>, token: Bytes) -> bool {
        self.empty_pages = if events.is_empty() { self.empty_pages.saturating_add(1) } else { 0 };
        self.events.drain(..self.unread);
        self.unread = 0;
        self.extend(events);
        match std::mem::replace(&mut self.rest, Rest::None) {
            Rest::Pages { last, .. } if token.is_empty() => self.extend(last),
            Rest::Pages { last, .. } => self.rest = Rest::Pages { token, last },
            Rest::None => {}
        }
        self.empty_pages < MAX_EMPTY_PAGES
    }

    fn extend(&mut self, events: Vec<HistoryEvent>) {
        self.known.careful |= begins_carefully(&events);
        let Some(last) = self.last_id() else {
            self.events = events;
            return;
        };
        let known = events.iter().take_while(|event| event.event_id <= last).count();
        self.events.extend(events.into_iter().skip(known));
    }

    /// The next sequence.
    ///
    /// It comes only when the one ahead is here as well, because what the code did in answer to this one is recorded
    /// there.
    pub(crate) fn next(&mut self) -> Next<'_> {
        let whole = self.is_whole();
        let known = Known { whole, ..self.known };
        let unread = &self.events[self.unread..];
        let end = match self.boundary.take().or_else(|| find_end(unread, known).map(|last| last + 1)) {
            Some(end) => end,
            None if whole => unread.len(),
            None => return self.next_page(),
        };
        let ahead = find_end(&unread[end..], known).map(|last| last + 1);
        if ahead.is_none() && !whole {
            self.boundary = Some(end);
            return self.next_page();
        }
        if end == 0 {
            return Next::End;
        }
        self.boundary = ahead;
        let unread = &mut self.events[self.unread..];
        self.unread += end;
        let is_last = end == unread.len();
        let (events, rest) = unread.split_at_mut(end);
        // A query can find a task that another worker has: the run must not run ahead of it.
        let is_others = is_last && self.started_event_id == 0;
        let is_task = !is_others && events.last().is_some_and(|event| kind(event) == Kind::TaskStarted);
        let ahead = ahead.unwrap_or(rest.len());
        Next::Sequence(Sequence { events, ahead: &mut rest[..ahead], is_last, is_task })
    }

    fn next_page(&self) -> Next<'_> {
        match &self.rest {
            Rest::Pages { token, .. } => Next::Page(token.clone()),
            Rest::None => Next::End,
        }
    }

    /// Whether no event is missing. The server may send a token for a page that turns out to be empty; a history
    /// that has come to the start of its task needs none.
    fn is_whole(&self) -> bool {
        matches!(self.rest, Rest::None)
            || (self.started_event_id > 0 && self.last_id().is_some_and(|last| last >= self.started_event_id))
    }
}

/// Whether these are the first events of a run, and its first completed task records the flag.
fn begins_carefully(events: &[HistoryEvent]) -> bool {
    let first = events.first().filter(|event| event.event_id == 1).and_then(|_| events.iter().find_map(completed));
    let metadata = first.and_then(|completed| completed.sdk_metadata.as_ref());
    metadata.is_some_and(|metadata| metadata.core_used_flags.contains(&(Flag::CarefulHeartbeats as u32)))
}

fn completed(event: &HistoryEvent) -> Option<&WorkflowTaskCompletedEventAttributes> {
    match &event.attributes {
        Some(Attributes::WorkflowTaskCompletedEventAttributes(completed)) => Some(completed),
        _ => None,
    }
}
