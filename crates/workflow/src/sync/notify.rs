//! Telling others that something happened.

use std::cell::Cell;

use super::queue::{Queue, changed};
use crate::error::Cancelled;

/// Wakes those who wait for it.
///
/// A [`notify_one`](Self::notify_one) that nobody waits for is kept for the next who does; there is at most one of these.
///
/// ```
/// let arrived = stead_workflow::Notify::new();
/// arrived.notify_one();
/// ```
#[derive(Debug, Default)]
pub struct Notify {
    /// Whether the first in line may go.
    one: Cell<bool>,
    /// How many times all were told.
    rounds: Cell<u64>,
    queue: Queue,
}

impl Notify {
    /// One that nobody has notified.
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits until it is notified.
    ///
    /// # Errors
    ///
    /// If cancellation was requested first.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped leaves its place in line, and a notification for it goes to the next.
    pub async fn notified(&self) -> Result<(), Cancelled> {
        let round = self.rounds.get();
        let is_told = || self.rounds.get() != round;
        self.queue.wait_or(|| self.one.get(), is_told).await?;
        if !is_told() {
            self.one.set(false);
        }
        Ok(())
    }

    /// Wakes the one that has waited for longest, or the next that will wait.
    pub fn notify_one(&self) {
        self.one.set(true);
        changed();
    }

    /// Wakes all that wait. It is not kept for later ones.
    pub fn notify_all(&self) {
        if !self.queue.is_empty() {
            self.rounds.set(self.rounds.get() + 1);
            changed();
        }
    }
}
