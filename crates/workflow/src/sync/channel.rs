//! A bounded queue between tasks.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;

use super::queue::{Queue, changed};
use crate::error::Cancelled;

/// A queue of at most `capacity` values between tasks of this workflow. There is none without a bound.
///
/// ```
/// use stead_workflow as workflow;
///
/// async fn run() -> workflow::Result<u64> {
///     let (sender, receiver) = workflow::channel(10);
///     workflow::spawn(async move { sender.send(5).await });
///     let mut sum = 0;
///     while let Some(value) = receiver.recv().await? {
///         sum += value;
///     }
///     Ok(sum)
/// }
/// ```
///
/// # Panics
///
/// If `capacity` is zero.
#[track_caller]
pub fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert!(capacity > 0, "a channel needs room for at least one value");
    let shared = Rc::new(Shared {
        values: RefCell::new(VecDeque::new()),
        capacity,
        senders: Cell::new(1),
        is_received: Cell::new(true),
        sending: Queue::default(),
        receiving: Queue::default(),
    });
    (Sender(Rc::clone(&shared)), Receiver(shared))
}

struct Shared<T> {
    values: RefCell<VecDeque<T>>,
    capacity: usize,
    senders: Cell<usize>,
    /// Whether the receiver is there.
    is_received: Cell<bool>,
    sending: Queue,
    receiving: Queue,
}

/// Puts values into a [`channel`]. Clones put values into the same one, which closes when the last is dropped.
pub struct Sender<T>(Rc<Shared<T>>);

impl<T> Sender<T> {
    /// Waits for room, then puts `value` in.
    ///
    /// # Errors
    ///
    /// If the receiver is gone, or cancellation was requested first. The value is lost.
    ///
    /// # Cancel safety
    ///
    /// The value of a future that is dropped is not put in.
    pub async fn send(&self, value: T) -> Result<(), Closed> {
        let shared = &*self.0;
        let is_ready = || !shared.is_received.get() || shared.values.borrow().len() < shared.capacity;
        shared.sending.wait(is_ready).await.map_err(Closed::Cancelled)?;
        if !shared.is_received.get() {
            return Err(Closed::ReceiverGone);
        }
        shared.values.borrow_mut().push_back(value);
        changed();
        Ok(())
    }

    /// Puts `value` in if there is room and nobody waits for it; otherwise gives it back.
    ///
    /// # Errors
    ///
    /// The value, if there is no room or no receiver.
    pub fn try_send(&self, value: T) -> Result<(), T> {
        let shared = &*self.0;
        let has_room = shared.values.borrow().len() < shared.capacity && shared.sending.is_empty();
        if !has_room || !shared.is_received.get() {
            return Err(value);
        }
        shared.values.borrow_mut().push_back(value);
        changed();
        Ok(())
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.senders.set(self.0.senders.get() + 1);
        Self(Rc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.senders.set(self.0.senders.get() - 1);
        changed();
    }
}

/// Takes values out of a [`channel`].
pub struct Receiver<T>(Rc<Shared<T>>);

impl<T> Receiver<T> {
    /// Waits for a value. `None` means that the senders are gone and the channel is empty.
    ///
    /// # Errors
    ///
    /// If cancellation was requested first.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped has taken no value.
    pub async fn recv(&self) -> Result<Option<T>, Cancelled> {
        let shared = &*self.0;
        shared.receiving.wait(|| !shared.values.borrow().is_empty() || shared.senders.get() == 0).await?;
        Ok(self.take())
    }

    /// A value, if there is one.
    pub fn try_recv(&self) -> Option<T> {
        if self.0.receiving.is_empty() { self.take() } else { None }
    }

    fn take(&self) -> Option<T> {
        let value = self.0.values.borrow_mut().pop_front();
        changed();
        value
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.0.is_received.set(false);
        changed();
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sender({} of {})", self.0.values.borrow().len(), self.0.capacity)
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Receiver({} of {})", self.0.values.borrow().len(), self.0.capacity)
    }
}

/// Why a value could not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Closed {
    /// Nobody receives any more.
    ReceiverGone,
    /// Cancellation was requested.
    Cancelled(Cancelled),
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReceiverGone => f.write_str("the receiver of the channel is gone"),
            Self::Cancelled(cancelled) => cancelled.fmt(f),
        }
    }
}

impl std::error::Error for Closed {}

impl stead_data::IntoFailure for Closed {
    fn into_failure(self) -> stead_data::Failure {
        match self {
            Self::ReceiverGone => stead_data::Failure::application(self.to_string()).type_name("ChannelClosed"),
            Self::Cancelled(cancelled) => cancelled.into_failure(),
        }
    }
}
