//! The wish that an activity ends, and why.

use std::fmt;
use std::sync::{Arc, OnceLock};

use tokio::sync::Notify;

/// Tells one attempt of an activity that it should end. Clones share the signal.
///
/// It is triggered once: whoever comes first gives the reason.
#[derive(Clone, Default)]
pub struct Cancellation(Arc<Shared>);

#[derive(Default)]
struct Shared {
    details: OnceLock<CancellationDetails>,
    notify: Notify,
}

impl Cancellation {
    /// A cancellation that was not requested yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Requests it. Returns whether this call was the first; a later one changes nothing.
    pub fn cancel(&self, details: CancellationDetails) -> bool {
        let first = self.0.details.set(details).is_ok();
        if first {
            self.0.notify.notify_waiters();
        }
        first
    }

    /// Whether it was requested.
    pub fn is_cancelled(&self) -> bool {
        self.details().is_some()
    }

    /// Why it was requested, once it was.
    pub fn details(&self) -> Option<CancellationDetails> {
        self.0.details.get().copied()
    }

    /// Waits until it is requested; at once if it already was.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn cancelled(&self) -> CancellationDetails {
        loop {
            // Created before the check, so a request between the two is not missed.
            let notified = self.0.notify.notified();
            if let Some(details) = self.details() {
                return details;
            }
            notified.await;
        }
    }
}

impl fmt::Debug for Cancellation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cancellation").field(&self.details()).finish()
    }
}

/// Why an activity should end. More than one reason may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CancellationDetails {
    /// The server does not know this attempt any more: it timed out, or its workflow is closed.
    pub not_found: bool,
    /// The workflow, or a client, asked for it.
    pub cancel_requested: bool,
    /// Somebody paused the activity. The server runs it again when it is unpaused.
    pub paused: bool,
    /// Somebody reset the activity. The server starts it over.
    pub reset: bool,
    /// A timeout of the activity has passed.
    pub timed_out: bool,
    /// The worker shuts down and the grace period is over.
    pub worker_shutdown: bool,
}

impl CancellationDetails {
    /// [`not_found`](Self::not_found) alone.
    pub fn not_found() -> Self {
        Self { not_found: true, ..Self::default() }
    }

    /// [`cancel_requested`](Self::cancel_requested) alone.
    pub fn cancel_requested() -> Self {
        Self { cancel_requested: true, ..Self::default() }
    }

    /// [`timed_out`](Self::timed_out) alone.
    pub fn timed_out() -> Self {
        Self { timed_out: true, ..Self::default() }
    }

    /// [`worker_shutdown`](Self::worker_shutdown) alone.
    pub fn worker_shutdown() -> Self {
        Self { worker_shutdown: true, ..Self::default() }
    }
}

/// The error of an activity that ends because it was asked to.
///
/// Returned by [`check_cancelled`](crate::check_cancelled); `?` turns it into an [`Error`](crate::Error) that the
/// worker reports as a cancellation rather than a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cancelled {
    /// Why.
    pub details: CancellationDetails,
}

impl Cancelled {
    /// A cancellation with its reason.
    pub fn new(details: CancellationDetails) -> Self {
        Self { details }
    }
}

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the activity was cancelled")
    }
}

impl std::error::Error for Cancelled {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_stays() {
        let cancellation = Cancellation::new();
        assert_eq!(cancellation.details(), None);
        assert!(cancellation.cancel(CancellationDetails::cancel_requested()));
        assert!(!cancellation.cancel(CancellationDetails::worker_shutdown()));
        assert_eq!(cancellation.details(), Some(CancellationDetails::cancel_requested()));
    }

    #[tokio::test]
    async fn every_waiter_wakes_and_late_ones_do_not_wait() {
        let cancellation = Cancellation::new();
        let (one, two) = (cancellation.clone(), cancellation.clone());
        let waiters =
            [tokio::spawn(async move { one.cancelled().await }), tokio::spawn(async move { two.cancelled().await })];
        tokio::task::yield_now().await;
        cancellation.cancel(CancellationDetails::timed_out());
        for waiter in waiters {
            assert_eq!(waiter.await.expect("waits only"), CancellationDetails::timed_out());
        }
        assert!(cancellation.cancelled().await.timed_out);
    }
}
