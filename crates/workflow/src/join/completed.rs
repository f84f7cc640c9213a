//! Several futures, one result at a time.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// The results of several futures as they come; of those that are ready together, in the order of the futures.
///
/// ```
/// use std::time::Duration;
/// use stead_workflow as workflow;
///
/// async fn run() -> workflow::Result<()> {
///     let naps = [3, 1, 2].map(|seconds| workflow::sleep(Duration::from_secs(seconds)));
///     let mut naps = workflow::as_completed(naps);
///     while let Some(nap) = naps.next().await {
///         nap?;
///     }
///     Ok(())
/// }
/// ```
pub fn as_completed<I>(futures: I) -> AsCompleted<<I::Item as IntoFuture>::IntoFuture>
where
    I: IntoIterator,
    I::Item: IntoFuture,
{
    AsCompleted { pending: futures.into_iter().map(|future| Box::pin(future.into_future())).collect() }
}

/// Results as they come; made by [`as_completed`]. Dropping it drops the futures that are pending.
pub struct AsCompleted<F> {
    pending: Vec<Pin<Box<F>>>,
}

impl<F: Future> AsCompleted<F> {
    /// The next result. `None` if there is none left.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped has taken no result.
    pub async fn next(&mut self) -> Option<F::Output> {
        poll_fn(|cx| {
            if self.pending.is_empty() {
                return Poll::Ready(None);
            }
            for index in 0..self.pending.len() {
                if let Poll::Ready(value) = self.pending[index].as_mut().poll(cx) {
                    drop(self.pending.remove(index));
                    return Poll::Ready(Some(value));
                }
            }
            Poll::Pending
        })
        .await
    }

    /// How many results are to come.
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// Whether all results have come.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }
}

impl<F> fmt::Debug for AsCompleted<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsCompleted").field("len", &self.pending.len()).finish()
    }
}
