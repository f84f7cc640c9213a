//! Scopes that the user opens, cancels and gives a time limit.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use stead_data::{Failure, TimeoutKind};

use super::{Inner, Scope, enter};
use crate::context;
use crate::error::{Error, Result};
use crate::ops::timer::Sleep;

/// Runs `future` in a cancellation scope of its own: what it starts is cancelled together, when the scope around it is,
/// or when its [timeout](Scoped::timeout) runs out.
///
/// To cancel a scope from elsewhere in the workflow, make a [`CancelScope`].
///
/// ```
/// use std::time::Duration;
/// use stead_workflow as workflow;
///
/// async fn run() -> workflow::Result<bool> {
///     let slow = async {
///         workflow::sleep(Duration::from_secs(3600)).await?;
///         Ok(())
///     };
///     match workflow::scope(slow).timeout(Duration::from_secs(60)).await {
///         Ok(()) => Ok(true),
///         Err(error) if error.is_timeout() => Ok(false),
///         Err(error) => Err(error),
///     }
/// }
/// ```
///
/// # Panics
///
/// Outside of workflow code.
#[track_caller]
pub fn scope<F: Future>(future: F) -> Scoped<F> {
    CancelScope::new().run(future)
}

/// A cancellation scope that can be cancelled from elsewhere in the workflow. Clones are the same scope.
///
/// It lies within the scope in which it was made. Cancelling it cancels what is pending in it, whoever awaits that; what
/// starts in it later resolves as [`Cancelled`](crate::Cancelled) at once. Code in it that does not mind goes on.
///
/// ```
/// use std::time::Duration;
/// use stead_workflow as workflow;
///
/// async fn run() -> workflow::Result<()> {
///     let scope = workflow::CancelScope::new();
///     let work = scope.run(workflow::sleep(Duration::from_secs(3600)));
///     scope.cancel("the customer left");
///     assert!(work.await.is_err());
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct CancelScope(Rc<Inner>);

impl CancelScope {
    /// A scope within the current one.
    ///
    /// # Panics
    ///
    /// Outside of workflow code.
    #[track_caller]
    #[expect(clippy::new_without_default, reason = "it depends on where it is called, and can panic")]
    pub fn new() -> Self {
        let runtime = context::current();
        let current = runtime.scope().borrow().clone();
        Self(current.nested())
    }

    /// Runs `future` in this scope. Any number of futures can run in one.
    #[track_caller]
    pub fn run<F: Future>(&self, future: F) -> Scoped<F> {
        Scoped { scope: self.clone(), future: Box::pin(future), at: Location::caller() }
    }

    /// Cancels the scope. The first reason counts; cancelling again does nothing.
    ///
    /// # Panics
    ///
    /// Outside of workflow code; in queries, validators and conditions.
    #[track_caller]
    pub fn cancel(&self, reason: impl AsRef<str>) {
        let runtime = context::current();
        runtime.assert_writable("cancel a scope");
        runtime.cancel_scope(&self.0, reason.as_ref());
    }

    /// Whether the scope, one around it, or the workflow was cancelled.
    ///
    /// # Panics
    ///
    /// Outside of workflow code.
    #[track_caller]
    pub fn is_cancelled(&self) -> bool {
        context::current().is_cancelled_in(&Scope::Inner(Rc::clone(&self.0)))
    }
}

impl fmt::Debug for CancelScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelScope").field("cancelled", &self.0.cancelled.borrow()).finish()
    }
}

/// A future in a [`CancelScope`].
#[must_use = "futures do nothing unless awaited"]
pub struct Scoped<F> {
    scope: CancelScope,
    future: Pin<Box<F>>,
    at: &'static Location<'static>,
}

impl<T, F: Future<Output = Result<T>>> Scoped<F> {
    /// Cancels the scope when this much workflow time has passed since the future was first polled.
    ///
    /// What runs in the scope then has the time that it takes to wind up. Once it has, the result is a failure of which
    /// [`is_timeout`](Error::is_timeout) holds, unless it was a success after all. The timer is cancelled when it is not
    /// needed any more.
    pub fn timeout(self, limit: Duration) -> TimedScope<F> {
        let timer = Sleep::new(limit, self.at);
        TimedScope { scoped: self, limit, timer: Some(timer), is_over: false }
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let runtime = context::current();
        let _scope = enter(&runtime, Scope::Inner(Rc::clone(&self.scope.0)));
        self.future.as_mut().poll(cx)
    }
}

impl<F> fmt::Debug for Scoped<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scoped").field("scope", &self.scope).field("at", &self.at).finish_non_exhaustive()
    }
}

/// A future in a scope that has a time limit; made by [`Scoped::timeout`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct TimedScope<F> {
    scoped: Scoped<F>,
    limit: Duration,
    /// As long as it matters.
    timer: Option<Sleep>,
    /// Whether the time is over.
    is_over: bool,
}

impl<T, F: Future<Output = Result<T>>> Future for TimedScope<F> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let this = &mut *self;
        loop {
            if let Poll::Ready(result) = Pin::new(&mut this.scoped).poll(cx) {
                this.timer = None;
                return Poll::Ready(result.map_err(|error| if this.is_over { this.timed_out(error) } else { error }));
            }
            let Some(timer) = &mut this.timer else { return Poll::Pending };
            match Pin::new(timer).poll(cx) {
                Poll::Pending => return Poll::Pending,
                // The scope around this one was cancelled, and the future has heard of it.
                Poll::Ready(Err(_)) => {
                    this.timer = None;
                    return Poll::Pending;
                }
                Poll::Ready(Ok(())) => {
                    (this.timer, this.is_over) = (None, true);
                    context::current().cancel_scope(&this.scoped.scope.0, &format!("timed out after {:?}", this.limit));
                }
            }
        }
    }
}

impl<F> TimedScope<F> {
    /// The failure of a future that was told that its time is over; other errors than the cancellation stay.
    fn timed_out(&self, error: Error) -> Error {
        if !error.is_cancelled() {
            return error;
        }
        let message = format!("the scope at {} timed out after {:?}", self.scoped.at, self.limit);
        Failure::timeout(message, TimeoutKind::StartToClose).into()
    }
}
