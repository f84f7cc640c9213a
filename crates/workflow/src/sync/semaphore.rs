//! A bounded number of permits.

use std::cell::Cell;

use super::queue::{Queue, changed};
use crate::error::Cancelled;

/// Hands out a bounded number of permits, first come, first served.
///
/// ```
/// use stead_workflow as workflow;
///
/// async fn at_most_three<F: Future>(limit: &workflow::Semaphore, work: F) -> workflow::Result<F::Output> {
///     let _permit = limit.acquire().await?;
///     Ok(work.await)
/// }
///
/// let limit = workflow::Semaphore::new(3);
/// assert_eq!(limit.available(), 3);
/// ```
#[derive(Debug)]
pub struct Semaphore {
    available: Cell<usize>,
    queue: Queue,
}

impl Semaphore {
    /// A semaphore with this many permits.
    pub fn new(permits: usize) -> Self {
        Self { available: Cell::new(permits), queue: Queue::default() }
    }

    /// How many permits are free.
    pub fn available(&self) -> usize {
        self.available.get()
    }

    /// Waits for a permit, which is given back by dropping it.
    ///
    /// # Errors
    ///
    /// If cancellation was requested first.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped leaves its place in line.
    pub async fn acquire(&self) -> Result<Permit<'_>, Cancelled> {
        self.queue.wait(|| self.available.get() > 0).await?;
        Ok(self.take())
    }

    /// A permit, if one is free and nobody waits for it.
    pub fn try_acquire(&self) -> Option<Permit<'_>> {
        (self.available.get() > 0 && self.queue.is_empty()).then(|| self.take())
    }

    fn take(&self) -> Permit<'_> {
        self.available.set(self.available.get() - 1);
        Permit { semaphore: self }
    }
}

/// A permit of a [`Semaphore`]. Dropping it gives it back.
#[derive(Debug)]
#[must_use = "the permit is given back at once"]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.semaphore.available.set(self.semaphore.available.get() + 1);
        changed();
    }
}
