//! Waiting for any number of futures of one type.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
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
    let children: Vec<_> = futures.into_iter().map(|future| Child::Running(Box::pin(future.into_future()))).collect();
    JoinAll { running: children.len(), children, woken: Woken::default(), task: None, wakers: Vec::new() }
}

/// The future of [`join_all`].
#[must_use = "futures do nothing unless awaited"]
pub struct JoinAll<F: Future> {
    children: Vec<Child<F>>,
    running: usize,
    woken: Woken,
    /// The task's own waker, as it was last seen.
    task: Option<Waker>,
    /// One for each child, for as long as that stays the same.
    wakers: Vec<Waker>,
}

enum Child<F: Future> {
    Running(Pin<Box<F>>),
    Done(F::Output),
    Taken,
}

/// Which children were woken: a bit for each, so that few words say it of many.
#[derive(Clone, Default)]
struct Woken(Arc<[AtomicU64]>);

impl Woken {
    /// All of `count`, who have not been asked yet.
    fn all(count: usize) -> Self {
        let word = |word: usize| u64::MAX >> (64 - (count - word * 64).min(64));
        Self((0..count.div_ceil(64)).map(|at| AtomicU64::new(word(at))).collect())
    }

    fn set(&self, child: usize) {
        self.0[child / 64].fetch_or(1 << (child % 64), Ordering::Release);
    }

    /// Takes the first that is woken from `from` on. A child that is woken meanwhile is among them.
    fn take_from(&self, from: usize) -> Option<usize> {
        let mut unseen = u64::MAX << (from % 64);
        for (at, word) in self.0.iter().enumerate().skip(from / 64) {
            let woken = word.load(Ordering::Acquire) & unseen;
            if woken != 0 {
                let first = woken.trailing_zeros();
                word.fetch_and(!(1 << first), Ordering::AcqRel);
                return Some(at * 64 + first as usize);
            }
            unseen = u64::MAX;
        }
        None
    }
}

/// Tells that a child was woken.
struct ChildWaker {
    child: usize,
    woken: Woken,
    task: Waker,
}

impl Wake for ChildWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.set(self.child);
        self.task.wake_by_ref();
    }
}

// Running children are boxed, and what they gave is never pinned.
impl<F: Future> Unpin for JoinAll<F> {}

impl<F: Future> JoinAll<F> {
    fn follow(&mut self, task: &Waker) {
        if self.task.as_ref().is_some_and(|followed| followed.will_wake(task)) {
            return;
        }
        self.task = Some(task.clone());
        self.woken = Woken::all(self.children.len());
        let waker = |child| ChildWaker { child, woken: self.woken.clone(), task: task.clone() };
        self.wakers = (0..self.children.len()).map(|child| Waker::from(Arc::new(waker(child)))).collect();
    }
}

impl<F: Future> Future for JoinAll<F> {
    type Output = Vec<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.follow(cx.waker());
        let mut next = 0;
        while let Some(woken) = this.woken.take_from(next) {
            next = woken + 1;
            let child = &mut this.children[woken];
            let Child::Running(future) = child else { continue };
            if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&this.wakers[woken])) {
                *child = Child::Done(value);
                this.running -= 1;
            }
        }
        if this.running > 0 {
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
