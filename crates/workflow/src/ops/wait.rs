//! Waiting for the workflow's own state.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use stead_activation::CallSite;

use crate::context;
use crate::error::Cancelled;
use crate::ops::timer::Sleep;
use crate::runtime::{Access, Runtime};

/// Waits until `condition` holds.
///
/// The condition is looked at now, and again whenever some code of this workflow has made progress. It reads only, and
/// should be cheap. Resolves to [`Cancelled`] when cancellation of the workflow is requested first.
///
/// ```
/// use std::cell::Cell;
/// use std::time::Duration;
/// use stead_workflow as workflow;
///
/// async fn until_paid(paid: &Cell<bool>) -> workflow::Result<bool> {
///     Ok(workflow::wait_until(|| paid.get()).timeout(Duration::from_secs(3600)).await?)
/// }
/// ```
#[track_caller]
pub fn wait_until<F: Fn() -> bool>(condition: F) -> WaitUntil<F> {
    WaitUntil { condition, registration: Registration::at(Location::caller()), at: Location::caller() }
}

/// The future of [`wait_until`].
#[must_use = "futures do nothing unless awaited"]
pub struct WaitUntil<F> {
    condition: F,
    registration: Registration,
    at: &'static Location<'static>,
}

impl<F: Fn() -> bool> WaitUntil<F> {
    /// Waits at most this long: the result is then whether the condition came to hold. The timer starts only if the
    /// condition does not hold at once.
    pub fn timeout(self, limit: Duration) -> WaitUntilTimeout<F> {
        let timer = Sleep::new(limit, self.at);
        WaitUntilTimeout { wait: self, timer }
    }

    /// Whether the condition holds. It is looked at as a query is, because it runs at times that the user cannot see.
    fn holds(&self, runtime: &Runtime) -> bool {
        let _reading = runtime.read_only(Access::Reads);
        (self.condition)()
    }
}

impl<F: Fn() -> bool> Future for WaitUntil<F> {
    type Output = Result<(), Cancelled>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let runtime = context::current();
        runtime.note_operation(self.at);
        let outcome = if self.holds(&runtime) {
            Ok(())
        } else if runtime.is_scope_cancelled() {
            Err(Cancelled)
        } else {
            self.registration.renew(&runtime, cx);
            return Poll::Pending;
        };
        self.registration.end(&runtime);
        Poll::Ready(outcome)
    }
}

// The condition is only ever called through a shared reference, so nothing of it is pinned.
impl<F> Unpin for WaitUntil<F> {}

impl<F> fmt::Debug for WaitUntil<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WaitUntil({})", self.at)
    }
}

/// The future of [`WaitUntil::timeout`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct WaitUntilTimeout<F> {
    wait: WaitUntil<F>,
    timer: Sleep,
}

impl<F> WaitUntilTimeout<F> {
    /// One line about the timer of the limit, for people who look at the workflow. Default: none.
    pub fn summary(mut self, text: impl Into<Box<str>>) -> Self {
        self.timer = self.timer.summary(text);
        self
    }
}

impl<F: Fn() -> bool> Future for WaitUntilTimeout<F> {
    type Output = Result<bool, Cancelled>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Poll::Ready(outcome) = Pin::new(&mut this.wait).poll(cx) {
            this.timer.stop();
            return Poll::Ready(outcome.map(|()| true));
        }
        let Poll::Ready(outcome) = Pin::new(&mut this.timer).poll(cx) else {
            return Poll::Pending;
        };
        this.wait.registration.end(&context::current());
        Poll::Ready(outcome.map(|()| false))
    }
}

/// Waits until no signal or update handler is running, for example before the run ends or continues as new.
///
/// Cancellation of the workflow does not cut it short: it reaches the handlers, and they end. A handler that calls this
/// waits for itself.
#[track_caller]
#[must_use = "futures do nothing unless awaited"]
pub fn all_handlers_finished() -> AllHandlersFinished {
    AllHandlersFinished { registration: Registration::at(Location::caller()) }
}

/// The future of [`all_handlers_finished`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct AllHandlersFinished {
    registration: Registration,
}

impl Future for AllHandlersFinished {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let runtime = context::current();
        if runtime.running_handlers() == 0 {
            self.registration.end(&runtime);
            return Poll::Ready(());
        }
        self.registration.renew(&runtime, cx);
        Poll::Pending
    }
}

/// A place among those who are woken when state may have changed. Left by dropping it.
#[derive(Debug)]
pub(crate) struct Registration {
    place: Option<usize>,
    at: CallSite,
}

impl Registration {
    /// For the line that waits.
    pub(crate) const fn at(at: CallSite) -> Self {
        Self { place: None, at }
    }

    /// Waits for the next change.
    pub(crate) fn renew(&mut self, runtime: &Runtime, cx: &Context<'_>) {
        runtime.waits().borrow_mut().set(&mut self.place, cx.waker(), self.at);
    }

    /// Leaves, because what was waited for has come: others may have to look again.
    pub(crate) fn end(&mut self, runtime: &Runtime) {
        if let Some(index) = self.place.take() {
            runtime.waits().borrow_mut().clear(index);
            runtime.note_progress();
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if let Some(index) = self.place.take() {
            context::try_with(|runtime| runtime.waits().borrow_mut().clear(index));
        }
    }
}

/// The wakers of everything that waits for state.
pub(crate) struct Waits {
    wakers: Vec<Option<(Waker, CallSite)>>,
}

impl Waits {
    pub(crate) const fn new() -> Self {
        Self { wakers: Vec::new() }
    }

    /// Wakes all of them; returns whether there were any.
    pub(crate) fn wake_all(&self) -> bool {
        self.wakers.iter().flatten().map(|(waker, _)| waker.wake_by_ref()).count() > 0
    }

    /// The lines that wait.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = CallSite> {
        self.wakers.iter().flatten().map(|(_, at)| *at)
    }

    fn set(&mut self, place: &mut Option<usize>, waker: &Waker, at: CallSite) {
        let index = *place.get_or_insert_with(|| self.vacant());
        let slot = &mut self.wakers[index];
        if !slot.as_ref().is_some_and(|(known, _)| known.will_wake(waker)) {
            *slot = Some((waker.clone(), at));
        }
    }

    fn vacant(&mut self) -> usize {
        if let Some(index) = self.wakers.iter().position(Option::is_none) {
            return index;
        }
        self.wakers.reserve_exact(1);
        self.wakers.push(None);
        self.wakers.len() - 1
    }

    fn clear(&mut self, index: usize) {
        if let Some(slot) = self.wakers.get_mut(index) {
            *slot = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// B2: in the official SDK each poll of such a wait adds a waker that stays until the workflow is cancelled.
    #[test]
    fn b2_waiting_again_and_again_keeps_one_waker() {
        let (mut waits, mut first, mut second) = (Waits::new(), None, None);
        for _ in 0..100_000 {
            waits.set(&mut first, Waker::noop(), Location::caller());
            waits.set(&mut second, Waker::noop(), Location::caller());
            waits.clear(second.take().expect("it has a place"));
        }
        assert_eq!(waits.wakers.len(), 2);
        assert_eq!(waits.wakers.iter().flatten().count(), 1);
    }
}
