//! Waiting for any number of futures of one type.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Waits for all of `futures` and returns what they gave, in their order.
///
/// Only those that were woken are polled again, so ten thousand activities are fine. Dropping the pending future drops,
/// and so cancels, those that are not done.
///
/// ```
/// use std::time::Duration;
/// use stead_workflow as workflow;
///
/// async fn run() -> workflow::Result<()> {
///     let naps = (1..=3).map(|hours| workflow::sleep(Duration::from_secs(hours * 3600)));
///     for nap in workflow::join_all(naps).await {
///         nap?;
///     }
///     Ok(())
/// }
/// ```
pub fn join_all<I>(futures: I) -> JoinAll<<I::Item as IntoFuture>::IntoFuture>
where
    I: IntoIterator<Item: IntoFuture>,
{
    let children = futures.into_iter().map(|future| Child::Running(Box::pin(future.into_future()))).collect();
    JoinAll { children, wakers: Vec::new() }
}

/// The future of [`join_all`].
#[must_use = "futures do nothing unless awaited"]
pub struct JoinAll<F: Future> {
    children: Vec<Child<F>>,
    /// One for each child, for as long as the task's own waker stays the same.
    wakers: Vec<(Arc<ChildWaker>, Waker)>,
}

enum Child<F: Future> {
    Running(Pin<Box<F>>),
    Done(F::Output),
    Taken,
}

/// Tells which child was woken.
struct ChildWaker {
    is_woken: AtomicBool,
    task: Waker,
}

impl Wake for ChildWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_woken.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}

// Running children are boxed, and what they gave is never pinned.
impl<F: Future> Unpin for JoinAll<F> {}

impl<F: Future> JoinAll<F> {
    fn follow(&mut self, task: &Waker) {
        if self.wakers.first().is_some_and(|(child, _)| child.task.will_wake(task)) {
            return;
        }
        let waker = || {
            let child = Arc::new(ChildWaker { is_woken: AtomicBool::new(true), task: task.clone() });
            (Arc::clone(&child), Waker::from(child))
        };
        self.wakers = std::iter::repeat_with(waker).take(self.children.len()).collect();
    }
}

impl<F: Future> Future for JoinAll<F> {
    type Output = Vec<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.follow(cx.waker());
        for (child, (woken, waker)) in this.children.iter_mut().zip(&this.wakers) {
            let Child::Running(future) = child else {
                continue;
            };
            if !woken.is_woken.swap(false, Ordering::AcqRel) {
                continue;
            }
            if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(waker)) {
                *child = Child::Done(value);
            }
        }
        if this.children.iter().any(|child| matches!(child, Child::Running(_))) {
            return Poll::Pending;
        }
        Poll::Ready(this.children.iter_mut().filter_map(Child::take).collect())
    }
}

impl<F: Future> Child<F> {
    fn take(&mut self) -> Option<F::Output> {
        match std::mem::replace(self, Self::Taken) {
            Self::Done(value) => Some(value),
            Self::Running(_) | Self::Taken => None,
        }
    }
}

impl<F: Future> fmt::Debug for JoinAll<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinAll({})", self.children.len())
    }
}
