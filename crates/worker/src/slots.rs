//! Slots: how many tasks a worker has at once. A permit is taken before a poll, so no task arrives without room for it.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A fixed number of slots.
#[derive(Debug)]
pub(crate) struct Slots {
    free: Arc<Semaphore>,
    total: u32,
}

/// A slot in use, until it is dropped.
#[derive(Debug)]
pub(crate) struct Permit(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl Slots {
    pub(crate) fn new(total: u32) -> Self {
        Self { free: Arc::new(Semaphore::new(total as usize)), total }
    }

    /// Waits for a free slot. `None` never comes back: the semaphore is not closed.
    pub(crate) async fn reserve(&self) -> Option<Permit> {
        Arc::clone(&self.free).acquire_owned().await.ok().map(Permit)
    }

    /// A free slot, if there is one now.
    pub(crate) fn try_reserve(&self) -> Option<Permit> {
        Arc::clone(&self.free).try_acquire_owned().ok().map(Permit)
    }

    /// Waits until no slot is in use.
    pub(crate) async fn all_free(&self) {
        // Nobody closes the semaphore, and the permits are given back at once.
        let _ = self.free.acquire_many(self.total).await;
    }

    /// How many are in use.
    pub(crate) fn in_use(&self) -> u32 {
        let free = u32::try_from(self.free.available_permits()).unwrap_or(u32::MAX);
        self.total.saturating_sub(free)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dropped_permit_frees_its_slot() {
        let slots = Slots::new(2);
        let (one, two) = (slots.reserve().await, slots.try_reserve());
        assert!(one.is_some() && two.is_some());
        assert!(slots.try_reserve().is_none());
        assert_eq!(slots.in_use(), 2);
        drop((one, two));
        slots.all_free().await;
        assert_eq!(slots.in_use(), 0);
    }
}
