//! The wish that a handler ends, and why.

use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

/// Tells the handler of a request that it should end. Clones share the signal, which is triggered once.
#[derive(Clone)]
pub struct Cancellation(Arc<watch::Sender<Option<CancelReason>>>);

/// Why a handler should end: nobody waits for its answer any more. This is not the wish to cancel the operation, which
/// comes as a request of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CancelReason {
    /// The request's deadline has passed.
    TimedOut,
    /// The worker shuts down and the grace period is over.
    WorkerShutdown,
}

impl Cancellation {
    /// A cancellation that was not requested yet.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// Requests it. Returns whether this call was the first; a later one changes nothing.
    pub fn cancel(&self, reason: CancelReason) -> bool {
        self.0.send_if_modified(|current| {
            let first = current.is_none();
            current.get_or_insert(reason);
            first
        })
    }

    /// Why it was requested, once it was.
    pub fn reason(&self) -> Option<CancelReason> {
        *self.0.borrow()
    }

    /// Waits until it is requested; at once if it already was.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn cancelled(&self) -> CancelReason {
        let mut receiver = self.0.subscribe();
        loop {
            if let Some(reason) = *receiver.borrow_and_update() {
                return reason;
            }
            // An error would mean that the sender is gone, and `self` is a sender.
            let _ = receiver.changed().await;
        }
    }
}

impl Default for Cancellation {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Cancellation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cancellation").field(&self.reason()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_waiter_wakes_late_ones_do_not_wait_and_the_first_reason_stays() {
        let cancellation = Cancellation::new();
        assert_eq!(cancellation.reason(), None);
        let other = cancellation.clone();
        let waiter = tokio::spawn(async move { other.cancelled().await });
        tokio::task::yield_now().await;
        assert!(cancellation.cancel(CancelReason::TimedOut));
        assert!(!cancellation.cancel(CancelReason::WorkerShutdown));
        assert_eq!(waiter.await.expect("waits only"), CancelReason::TimedOut);
        assert_eq!(cancellation.cancelled().await, CancelReason::TimedOut);
    }
}
