//! The phases of a worker's end. They only go forward.

use std::sync::Arc;

use tokio::sync::watch;

/// Where a worker is between its start and its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Has not begun.
    Starting,
    /// Takes tasks.
    Running,
    /// Starts no new poll. What runs, runs on.
    Draining,
    /// Polls that did not come home are given up.
    PollsClosed,
    /// The grace period is over: activities are told to end.
    Cancelling,
    /// What still runs is abandoned.
    Abandoning,
    /// Nothing is left to do.
    Stopped,
}

/// The phase that all parts of a worker look at.
#[derive(Debug, Clone)]
pub(crate) struct Lifecycle(Arc<watch::Sender<Phase>>);

impl Lifecycle {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Phase::Starting)))
    }

    /// Goes to `phase`, unless it was passed already.
    pub(crate) fn advance(&self, phase: Phase) {
        self.0.send_if_modified(|current| {
            let later = phase > *current;
            *current = phase.max(*current);
            later
        });
    }

    /// The phase that it is in.
    pub(crate) fn phase(&self) -> Phase {
        *self.0.borrow()
    }

    /// Whether `phase` has begun.
    pub(crate) fn has_reached(&self, phase: Phase) -> bool {
        self.phase() >= phase
    }

    /// Waits until `phase` has begun.
    pub(crate) async fn reached(&self, phase: Phase) {
        let mut receiver = self.0.subscribe();
        // An error would mean that the sender is gone, and `self` is a sender.
        let _ = receiver.wait_for(|current| *current >= phase).await;
    }
}

/// Stops a worker from elsewhere. Clones stop the same worker.
#[derive(Debug, Clone)]
pub struct ShutdownHandle(pub(crate) Lifecycle);

impl ShutdownHandle {
    /// Asks the worker to stop: it takes no new tasks, finishes what it has within the grace period, and then its
    /// `run` returns. Does nothing the second time.
    pub fn shutdown(&self) {
        self.0.advance(Phase::Draining);
    }

    /// Waits until the worker was asked to stop, here or in any other way.
    pub async fn requested(&self) {
        self.0.reached(Phase::Draining).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn phases_only_go_forward_and_wake_those_who_wait() {
        let lifecycle = Lifecycle::new();
        let waiting = tokio::spawn({
            let lifecycle = lifecycle.clone();
            async move { lifecycle.reached(Phase::PollsClosed).await }
        });
        lifecycle.advance(Phase::Cancelling);
        lifecycle.advance(Phase::Draining);
        waiting.await.expect("waits only");
        assert!(lifecycle.has_reached(Phase::Cancelling));
        assert_eq!(lifecycle.phase(), Phase::Cancelling);
    }
}
