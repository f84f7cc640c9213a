//! The queue into a shard.
//!
//! It lives outside of the shard's thread, so that what is queued survives the thread. It needs no bound of its own:
//! each event belongs to a workflow task that holds a slot, and a task has at most one event under way.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A queue with one consumer that can wait for it.
#[derive(Debug)]
pub(crate) struct Inbox<T> {
    state: Mutex<State<T>>,
    arrived: Condvar,
}

#[derive(Debug)]
struct State<T> {
    events: VecDeque<T>,
    closed: bool,
}

/// What waiting for an event came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Popped<T> {
    Event(T),
    TimedOut,
    Closed,
}

impl<T> Inbox<T> {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::new(State { events: VecDeque::new(), closed: false }), arrived: Condvar::new() }
    }

    /// Adds an event. Once the inbox is closed it is dropped.
    pub(crate) fn push(&self, event: T) {
        let mut state = self.lock();
        if !state.closed {
            state.events.push_back(event);
            self.arrived.notify_one();
        }
    }

    /// The next event; waits for one, at most until `timeout` has passed.
    pub(crate) fn pop(&self, timeout: Option<Duration>) -> Popped<T> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = self.lock();
        loop {
            if state.closed {
                return Popped::Closed;
            }
            if let Some(event) = state.events.pop_front() {
                return Popped::Event(event);
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            state = match left {
                Some(Duration::ZERO) => return Popped::TimedOut,
                Some(left) => self.arrived.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Ends the consumer. What is still queued is dropped.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        // Dropped outside of the lock: an event may hold anything.
        let events = std::mem::take(&mut state.events);
        self.arrived.notify_all();
        drop(state);
        drop(events);
    }

    /// No foreign code runs under the lock, so a poisoned one is intact.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_order_and_a_deadline_ends_the_wait() {
        let inbox = Inbox::new();
        inbox.push(1);
        inbox.push(2);
        assert_eq!(inbox.pop(None), Popped::Event(1));
        assert_eq!(inbox.pop(Some(Duration::ZERO)), Popped::Event(2));
        assert_eq!(inbox.pop(Some(Duration::ZERO)), Popped::TimedOut);
    }

    #[test]
    fn closing_wakes_the_consumer_and_drops_what_is_queued() {
        let inbox = Inbox::new();
        let popped = std::thread::scope(|scope| {
            let consumer = scope.spawn(|| inbox.pop(None));
            inbox.close();
            consumer.join().expect("pop does not panic")
        });
        assert_eq!(popped, Popped::Closed);
        inbox.push(1);
        assert_eq!(inbox.pop(None), Popped::Closed);
    }
}
