//! The table of one kind of operation: who waits for which number.
//!
//! Numbers only grow and entries leave once nobody needs them, so the table is a queue sorted by number whose size is
//! what is pending, however long the run gets. A future holds nothing but its number.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use stead_activation::{CallSite, Seq};

use crate::context;
use crate::scope::Scope;

/// Operations of one kind, whose results are `T`.
pub(crate) struct Pending<T> {
    issued: Seq,
    entries: VecDeque<Entry<T>>,
}

struct Entry<T> {
    seq: Seq,
    at: CallSite,
    scope: Scope,
    cancel_requested: bool,
    state: State<T>,
}

/// ```text
/// Waiting ──resolve──▶ Resolved ──poll──▶ (gone)
///    │ forget                │ forget, abandon
///    ▼                       ▼
/// Forgotten ──resolve──▶ (gone)
/// ```
enum State<T> {
    Waiting(Option<Waker>),
    /// The handle is gone, the operation goes on.
    Forgotten,
    Resolved(T),
}

/// The driver resolved an operation that was never issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NeverIssued;

impl<T> Pending<T> {
    pub(crate) const fn new() -> Self {
        Self { issued: 0, entries: VecDeque::new() }
    }

    /// Gives out the next number to something that keeps its own books.
    pub(crate) const fn skip(&mut self) -> Seq {
        self.issued += 1;
        self.issued
    }

    /// Gives out the next number.
    pub(crate) fn open(&mut self, scope: Scope, at: CallSite) -> Seq {
        self.issued += 1;
        if self.entries.len() == self.entries.capacity() {
            // Doubling from one, because most idle runs wait for a single operation and many of them are kept in memory.
            self.entries.reserve_exact(self.entries.len().max(1));
        }
        let (seq, state) = (self.issued, State::Waiting(None));
        self.entries.push_back(Entry { seq, at, scope, cancel_requested: false, state });
        self.issued
    }

    /// What has not ended, and the lines that asked for it.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = (Seq, CallSite)> {
        let waiting = self.entries.iter().filter(|entry| matches!(entry.state, State::Waiting(_)));
        waiting.map(|entry| (entry.seq, entry.at))
    }

    /// Takes the result, or keeps the waker.
    pub(crate) fn poll(&mut self, seq: Seq, cx: &Context<'_>) -> Poll<T> {
        let Some(index) = self.index(seq) else {
            debug_assert!(false, "operation {seq} is polled but has left the table");
            return Poll::Pending;
        };
        if let State::Waiting(waker) = &mut self.entries[index].state {
            if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                *waker = Some(cx.waker().clone());
            }
            return Poll::Pending;
        }
        match self.entries.remove(index) {
            Some(Entry { state: State::Resolved(result), at, .. }) => {
                // The code goes on from here.
                context::try_with(|runtime| runtime.note_operation(at));
                Poll::Ready(result)
            }
            _ => Poll::Pending,
        }
    }

    /// Stores a result and wakes who waits. A result that nobody waits for any more is dropped.
    pub(crate) fn resolve(&mut self, seq: Seq, result: T) -> Result<(), NeverIssued> {
        if seq == 0 || seq > self.issued {
            return Err(NeverIssued);
        }
        let Some(index) = self.index(seq) else {
            return Ok(());
        };
        match &mut self.entries[index].state {
            State::Waiting(waker) => {
                let waker = waker.take();
                self.entries[index].state = State::Resolved(result);
                waker.into_iter().for_each(Waker::wake);
            }
            State::Forgotten => drop(self.entries.remove(index)),
            State::Resolved(_) => {}
        }
        Ok(())
    }

    /// The handle is gone: nobody will ask for the result.
    pub(crate) fn forget(&mut self, seq: Seq) {
        let Some(index) = self.index(seq) else { return };
        let entry = &mut self.entries[index];
        match entry.state {
            State::Resolved(_) => drop(self.entries.remove(index)),
            State::Waiting(_) | State::Forgotten => entry.state = State::Forgotten,
        }
    }

    /// The future is gone. Returns whether the operation now has to be cancelled.
    pub(crate) fn abandon(&mut self, seq: Seq) -> bool {
        self.index(seq)
            .and_then(|index| self.entries.remove(index))
            .is_some_and(|entry| !entry.cancel_requested && matches!(entry.state, State::Waiting(_)))
    }

    /// Notes that cancellation was asked for. Returns whether it is news to a pending operation.
    pub(crate) fn request_cancel(&mut self, seq: Seq) -> bool {
        self.index(seq).is_some_and(|index| self.entries[index].request_cancel())
    }

    /// Notes that cancellation was asked for, for all that is pending in scopes that are `reached`, and returns their
    /// numbers.
    pub(crate) fn request_cancel_all(&mut self, reached: impl Fn(&Scope) -> bool) -> Vec<Seq> {
        self.entries
            .iter_mut()
            .filter(|entry| reached(&entry.scope))
            .filter_map(|entry| entry.request_cancel().then_some(entry.seq))
            .collect()
    }

    fn index(&self, seq: Seq) -> Option<usize> {
        self.entries.binary_search_by_key(&seq, |entry| entry.seq).ok()
    }
}

impl<T> Entry<T> {
    fn request_cancel(&mut self) -> bool {
        match self.state {
            State::Resolved(_) => false,
            State::Waiting(_) | State::Forgotten => !std::mem::replace(&mut self.cancel_requested, true),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::Location;

    use super::*;

    fn open(table: &mut Pending<&'static str>) -> Seq {
        table.open(Scope::Workflow, Location::caller())
    }

    fn poll(table: &mut Pending<&'static str>, seq: Seq) -> Poll<&'static str> {
        table.poll(seq, &Context::from_waker(Waker::noop()))
    }

    #[test]
    fn numbers_count_from_one_and_results_are_handed_out_once() {
        let mut table = Pending::new();
        assert_eq!([open(&mut table), open(&mut table)], [1, 2]);
        assert_eq!(poll(&mut table, 2), Poll::Pending);
        assert_eq!(table.resolve(2, "two"), Ok(()));
        assert_eq!(poll(&mut table, 2), Poll::Ready("two"));
        assert_eq!(poll(&mut table, 1), Poll::Pending);
        assert_eq!(table.entries.len(), 1);
    }

    #[test]
    fn the_table_is_as_large_as_what_is_pending() {
        let mut table = Pending::new();
        let first = open(&mut table);
        for _ in 0..1000 {
            let seq = open(&mut table);
            table.resolve(seq, "done").unwrap();
            assert_eq!(poll(&mut table, seq), Poll::Ready("done"));
        }
        assert!(table.entries.capacity() <= 2);
        assert!(table.abandon(first));
    }

    #[test]
    fn forgotten_operations_leave_once_they_are_resolved() {
        let mut table = Pending::new();
        let seq = open(&mut table);
        table.forget(seq);
        table.resolve(seq, "late").unwrap();
        assert!(table.entries.is_empty());
    }

    #[test]
    fn only_pending_operations_are_cancelled_and_only_once() {
        let mut table = Pending::new();
        let [done, waiting, shielded] =
            [Scope::Workflow, Scope::Workflow, Scope::Shielded].map(|scope| table.open(scope, Location::caller()));
        table.resolve(done, "done").unwrap();
        assert_eq!(table.request_cancel_all(|scope| matches!(scope, Scope::Workflow)), [waiting]);
        assert!(!table.request_cancel(waiting));
        assert!(!table.abandon(waiting));
        assert!(table.request_cancel(shielded));
    }

    #[test]
    fn numbers_that_were_never_given_out_are_refused() {
        let mut table = Pending::new();
        assert_eq!(table.resolve(1, "what"), Err(NeverIssued));
        let seq = open(&mut table);
        assert!(table.abandon(seq));
        assert_eq!(table.resolve(seq, "dropped meanwhile"), Ok(()));
        assert_eq!(table.resolve(0, "zero"), Err(NeverIssued));
    }
}
