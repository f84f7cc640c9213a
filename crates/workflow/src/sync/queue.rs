//! Waiting in line.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use crate::context;
use crate::error::Cancelled;
use crate::ops::wait::wait_until;

/// A line in which the first is served first.
#[derive(Debug, Default)]
pub(super) struct Queue {
    tickets: RefCell<VecDeque<u64>>,
    last: Cell<u64>,
}

/// A place in line. Left by dropping it.
struct Place<'a> {
    queue: &'a Queue,
    ticket: u64,
}

impl Queue {
    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.tickets.borrow().is_empty()
    }

    /// Waits until it is this caller's turn and `is_ready`.
    pub(super) async fn wait(&self, is_ready: impl Fn() -> bool) -> Result<(), Cancelled> {
        self.wait_or(is_ready, || false).await
    }

    /// The same, or until `is_told`, whose turn it may be.
    pub(super) async fn wait_or(
        &self,
        is_ready: impl Fn() -> bool,
        is_told: impl Fn() -> bool,
    ) -> Result<(), Cancelled> {
        let place = self.enter();
        wait_until(|| is_told() || (place.is_first() && is_ready())).await
    }

    fn enter(&self) -> Place<'_> {
        let ticket = self.last.get() + 1;
        self.last.set(ticket);
        self.tickets.borrow_mut().push_back(ticket);
        Place { queue: self, ticket }
    }
}

impl Place<'_> {
    fn is_first(&self) -> bool {
        self.queue.tickets.borrow().front() == Some(&self.ticket)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.queue.tickets.borrow_mut().retain(|ticket| *ticket != self.ticket);
        changed();
    }
}

/// Those who wait have to look again.
pub(super) fn changed() {
    context::try_with(crate::runtime::Runtime::note_progress);
}
