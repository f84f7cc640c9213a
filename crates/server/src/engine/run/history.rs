//! [`History`]: the events of a run, each as the bytes it is stored and sent as.

use std::ops::Range;

use bytes::Bytes;
use prost::Message;
use stead_proto::history::v1::HistoryEvent;

/// The events of a run. Event ids count from 1 without a gap.
#[derive(Debug, Default)]
pub(crate) struct History {
    events: Vec<Bytes>,
    /// First event of each batch, which is what one input wrote; pages consist of whole batches.
    batches: Vec<usize>,
    batch_open: bool,
    size: usize,
    /// How many events are stored.
    stored: usize,
    /// How many events there are, when they are in the store alone: nothing can be read of them here.
    away: usize,
}

impl History {
    pub(crate) fn next_event_id(&self) -> i64 {
        self.len() + 1
    }

    pub(crate) fn len(&self) -> i64 {
        i64::try_from(self.events.len().max(self.away)).expect("a history is limited to some thousands of events")
    }

    /// Whether the events are in the store alone.
    pub(crate) fn is_away(&self) -> bool {
        self.away > 0
    }

    /// Leaves the events to the store, which has all of them. Nothing may follow them.
    pub(crate) fn leave_to_store(&mut self) {
        debug_assert_eq!(self.stored, self.events.len(), "what is not stored would be lost");
        self.away = self.len().try_into().unwrap_or(0);
        self.events = Vec::new();
        self.batches = Vec::new();
    }

    /// The events come back from the store, with [`Self::load`].
    pub(crate) fn come_back(&mut self) {
        *self = Self::default();
    }

    /// Bytes of all events.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Appends an event, whose id must be the next.
    pub(crate) fn push(&mut self, event: &HistoryEvent) {
        debug_assert_eq!(event.event_id, self.next_event_id());
        if !std::mem::replace(&mut self.batch_open, true) {
            self.batches.push(self.events.len());
        }
        let encoded = Bytes::from(event.encode_to_vec());
        self.size += encoded.len();
        self.events.push(encoded);
    }

    /// Ends the batch: what comes next belongs to another input.
    pub(crate) fn end_batch(&mut self) {
        self.batch_open = false;
    }

    /// Whether an event begins a batch, so that the events before it are all that earlier inputs wrote.
    pub(crate) fn begins_batch(&self, id: i64) -> bool {
        self.batches.binary_search(&index(id)).is_ok()
    }

    /// Takes an event that was stored; `begins` says that it begins a batch.
    pub(crate) fn load(&mut self, encoded: Bytes, begins: bool) {
        if begins {
            self.batches.push(self.events.len());
        }
        self.size += encoded.len();
        self.events.push(encoded);
        self.stored = self.events.len();
    }

    /// The events before `end`, as the beginning of another history.
    pub(crate) fn fork(&self, end: i64) -> Self {
        let events = self.events(1..end).to_vec();
        Self {
            batches: self.batches.iter().copied().filter(|begin| *begin < events.len()).collect(),
            size: events.iter().map(Bytes::len).sum(),
            events,
            batch_open: false,
            stored: 0,
            away: 0,
        }
    }

    /// The events that are not stored yet, with their ids, and whether they begin a batch.
    pub(crate) fn take_unstored(&mut self) -> impl Iterator<Item = (i64, &Bytes, bool)> {
        let from = std::mem::replace(&mut self.stored, self.events.len());
        let ids = from + 1..;
        ids.zip(&self.events[from..]).map(|(id, event)| {
            let begins = self.batches.binary_search(&(id - 1)).is_ok();
            (i64::try_from(id).expect("a history is limited to some thousands of events"), event, begins)
        })
    }

    /// Nothing is stored: there is nothing to be taken.
    pub(crate) fn forget_unstored(&mut self) {
        self.stored = self.events.len();
    }

    /// Encoded events with ids in `ids`, as far as there are such.
    pub(crate) fn events(&self, ids: Range<i64>) -> &[Bytes] {
        let end = index(ids.end).min(self.events.len());
        &self.events[index(ids.start).min(end)..end]
    }

    /// One event, decoded.
    pub(crate) fn event(&self, id: i64) -> Option<HistoryEvent> {
        let encoded = self.events.get(usize::try_from(id.checked_sub(1)?).ok()?)?;
        // The bytes are our own encoding of an event, or were checked when they were loaded.
        HistoryEvent::decode(encoded.clone()).ok()
    }

    /// The ids of the page that begins with event `first`: whole batches, at most `batches` of them and, where it can be
    /// helped, at most `events` events.
    pub(crate) fn page(&self, first: i64, batches: usize, events: usize) -> Range<i64> {
        let start = index(first);
        let batch = self.batches.partition_point(|begin| *begin <= start);
        let limit = start.saturating_add(events);
        let mut ends = self.batches[batch..].iter().copied().chain([self.events.len()]);
        let mut end = ends.next().unwrap_or(self.events.len());
        for next in ends.take(batches.saturating_sub(1)) {
            if next > limit {
                break;
            }
            end = next;
        }
        first..i64::try_from(end).expect("a history is limited to some thousands of events") + 1
    }

    /// The ids of the page that ends before event `end`: whole batches, at most `batches` of them and, where it can be
    /// helped, at most `events` events.
    pub(crate) fn page_before(&self, end: i64, batches: usize, events: usize) -> Range<i64> {
        let stop = index(end).min(self.events.len());
        let limit = stop.saturating_sub(events);
        let before = self.batches.partition_point(|begin| *begin < stop);
        let mut begins = self.batches[..before].iter().rev().copied();
        let mut first = begins.next().unwrap_or(0);
        for begin in begins.take(batches.saturating_sub(1)) {
            if begin < limit {
                break;
            }
            first = begin;
        }
        i64::try_from(first).expect("a history is limited to some thousands of events") + 1..end
    }
}

fn index(id: i64) -> usize {
    usize::try_from(id.saturating_sub(1)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(batches: &[usize]) -> History {
        let mut history = History::default();
        for events in batches {
            for _ in 0..*events {
                history.push(&HistoryEvent { event_id: history.next_event_id(), ..Default::default() });
            }
            history.end_batch();
        }
        history
    }

    #[test]
    fn a_page_is_made_of_whole_batches() {
        let history = history(&[2, 3, 1]);
        assert_eq!(history.page(1, 1, 256), 1..3);
        assert_eq!(history.page(3, 1, 256), 3..6);
        assert_eq!(history.page(1, 10, 5), 1..6);
        assert_eq!(history.page(1, 10, 1), 1..3, "a batch is not divided");
        assert_eq!(history.page(6, 10, 256), 6..7);
        assert_eq!(history.page(7, 10, 256), 7..7, "there is nothing yet");
    }

    #[test]
    fn a_page_before_is_made_of_whole_batches() {
        let history = history(&[2, 3, 1]);
        assert_eq!(history.page_before(7, 1, 256), 6..7);
        assert_eq!(history.page_before(6, 1, 256), 3..6);
        assert_eq!(history.page_before(7, 10, 4), 3..7);
        assert_eq!(history.page_before(7, 10, 256), 1..7);
        assert_eq!(history.page_before(3, 1, 1), 1..3, "a batch is not divided");
    }

    #[test]
    fn a_fork_has_the_events_before_its_end_and_none_of_them_is_stored() {
        let mut history = history(&[2, 3, 1]);
        history.take_unstored().count();
        let mut fork = history.fork(4);
        fork.push(&HistoryEvent { event_id: 4, ..Default::default() });
        assert_eq!(fork.page(1, 10, 256), 1..5);
        let stored: Vec<_> = fork.take_unstored().map(|(id, _, begins)| (id, begins)).collect();
        assert_eq!(stored, [(1, true), (2, false), (3, true), (4, true)]);
    }

    #[test]
    fn events_are_stored_once_with_their_batches() {
        let mut history = history(&[2, 1]);
        let stored: Vec<_> = history.take_unstored().map(|(id, _, begins)| (id, begins)).collect();
        assert_eq!(stored, [(1, true), (2, false), (3, true)]);
        assert_eq!(history.take_unstored().count(), 0);
    }
}
