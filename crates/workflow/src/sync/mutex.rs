//! A value that one task has at a time.

use std::cell::{RefCell, RefMut};
use std::ops::{Deref, DerefMut};

use super::semaphore::{Permit, Semaphore};
use crate::error::Cancelled;

/// A value that one task has at a time, across awaits. First come, first served.
///
/// Where no await lies between, a `Cell` or [`State`](crate::State) is simpler: a workflow runs on one thread.
///
/// ```
/// use std::time::Duration;
/// use stead_workflow as workflow;
///
/// async fn add(items: &workflow::Mutex<Vec<u32>>, item: u32) -> workflow::Result<usize> {
///     let mut items = items.lock().await?;
///     workflow::sleep(Duration::from_secs(1)).await?;
///     items.push(item);
///     Ok(items.len())
/// }
/// ```
#[derive(Debug)]
pub struct Mutex<T> {
    semaphore: Semaphore,
    value: RefCell<T>,
}

impl<T> Mutex<T> {
    /// A mutex that holds `value`.
    pub fn new(value: T) -> Self {
        Self { semaphore: Semaphore::new(1), value: RefCell::new(value) }
    }

    /// Waits for the value.
    ///
    /// # Errors
    ///
    /// If cancellation was requested first.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped leaves its place in line.
    pub async fn lock(&self) -> Result<MutexGuard<'_, T>, Cancelled> {
        let permit = self.semaphore.acquire().await?;
        Ok(self.guard(permit))
    }

    /// The value, if nobody has it or waits for it.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.semaphore.try_acquire().map(|permit| self.guard(permit))
    }

    /// The value itself.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }

    /// Whoever has the permit is the only one to borrow.
    fn guard<'a>(&'a self, permit: Permit<'a>) -> MutexGuard<'a, T> {
        MutexGuard { value: self.value.borrow_mut(), _permit: permit }
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

/// The value of a [`Mutex`]. Dropping it lets the next one have it.
#[derive(Debug)]
#[must_use = "the mutex is unlocked at once"]
pub struct MutexGuard<'a, T> {
    // Given back before the permit is: fields are dropped in this order.
    value: RefMut<'a, T>,
    _permit: Permit<'a>,
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}
