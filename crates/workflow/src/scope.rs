//! Cancellation: what reaches which operation.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::context;
use crate::ops::wait::Registration;
use crate::runtime::Runtime;

/// Whether cancellation of the workflow reaches an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Scope {
    /// Cancelled with the workflow: `run`, handlers and spawned tasks start here.
    #[default]
    Workflow,
    /// Inside of [`shield`].
    Shielded,
}

/// Runs `future` where cancellation of the workflow does not reach it: cleanup and compensation.
///
/// Operations that start inside are not cancelled with the workflow, and those that start after the cancellation work
/// as if there had been none. Dropping the shield itself still cancels what is pending in it.
///
/// ```
/// use std::time::Duration;
/// use stead_workflow as workflow;
///
/// async fn run() -> workflow::Result<()> {
///     if let Err(cancelled) = workflow::sleep(Duration::from_secs(3600)).await {
///         workflow::shield(async { workflow::sleep(Duration::from_secs(1)).await }).await?;
///         return Err(cancelled.into());
///     }
///     Ok(())
/// }
/// ```
pub async fn shield<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let runtime = context::current();
        let _scope = enter(&runtime, Scope::Shielded);
        future.as_mut().poll(cx)
    })
    .await
}

/// Waits until cancellation of the workflow is requested. Inside of a [`shield`] too.
#[must_use = "futures do nothing unless awaited"]
pub fn cancelled() -> WaitCancelled {
    WaitCancelled { registration: Registration::default() }
}

/// Whether cancellation of the workflow was requested.
///
/// # Panics
///
/// Outside of workflow code.
#[track_caller]
pub fn is_cancelled() -> bool {
    context::current().is_cancelled()
}

/// Why cancellation of the workflow was requested, as the caller said. `None` as long as it was not.
///
/// # Panics
///
/// Outside of workflow code.
#[track_caller]
pub fn cancellation_reason() -> Option<Rc<str>> {
    context::current().cancellation_reason()
}

/// The future of [`cancelled`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct WaitCancelled {
    registration: Registration,
}

impl Future for WaitCancelled {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let runtime = context::current();
        if runtime.is_cancelled() {
            self.registration.end(&runtime);
            return Poll::Ready(());
        }
        self.registration.renew(&runtime, cx);
        Poll::Pending
    }
}

/// Makes `scope` the current one until the guard is dropped.
pub(crate) fn enter(runtime: &Rc<Runtime>, scope: Scope) -> Entered {
    Entered { runtime: Rc::clone(runtime), outer: runtime.scope().replace(scope) }
}

pub(crate) struct Entered {
    runtime: Rc<Runtime>,
    outer: Scope,
}

impl Drop for Entered {
    fn drop(&mut self) {
        Cell::set(self.runtime.scope(), self.outer);
    }
}
