//! Cancellation: what reaches which operation.

mod cancel_scope;

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::panic::Location;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use stead_activation::EventGroupMarker;

pub use self::cancel_scope::{CancelScope, Scoped, TimedScope, scope};
use crate::context;
use crate::ops::wait::Registration;
use crate::runtime::Runtime;

/// Where an operation was started, which decides what cancels it.
///
/// ```text
/// Workflow ◀── Inner ◀── Inner        cancelled with the workflow, or with any of the scopes on the way to it
/// Shielded ◀── Inner ◀── Inner        cancelled with any of the scopes on the way to the shield
/// ```
#[derive(Debug, Clone, Default)]
pub(crate) enum Scope {
    /// Cancelled with the workflow: `run`, handlers and spawned tasks start here.
    #[default]
    Workflow,
    /// Inside of [`shield`].
    Shielded,
    /// Inside of a [`CancelScope`].
    Inner(Rc<Inner>),
}

/// A scope of the user's.
#[derive(Debug)]
pub(crate) struct Inner {
    parent: Scope,
    /// Why it was cancelled, once it was.
    cancelled: RefCell<Option<Rc<str>>>,
    /// The group that events belong to whose commands are issued here.
    group: Option<EventGroupMarker>,
}

impl Scope {
    /// A scope within this one.
    pub(crate) fn nested(self) -> Rc<Inner> {
        Rc::new(Inner { parent: self, cancelled: RefCell::new(None), group: None })
    }

    /// The same, whose events belong to a group.
    pub(crate) fn grouped(self, group: EventGroupMarker) -> Rc<Inner> {
        Rc::new(Inner { parent: self, cancelled: RefCell::new(None), group: Some(group) })
    }

    /// The innermost scope that has a group.
    pub(crate) fn with_group(&self) -> Option<Rc<Inner>> {
        self.inner().find(|inner| inner.group.is_some()).cloned()
    }

    /// The scopes of the user's that lie between an operation here and its root, the innermost first.
    fn inner(&self) -> impl Iterator<Item = &Rc<Inner>> {
        std::iter::successors(self.as_inner(), |inner| inner.parent.as_inner())
    }

    fn as_inner(&self) -> Option<&Rc<Inner>> {
        match self {
            Self::Inner(inner) => Some(inner),
            Self::Workflow | Self::Shielded => None,
        }
    }

    /// Whether cancellation of the workflow reaches an operation here.
    pub(crate) fn is_the_workflows(&self) -> bool {
        matches!(self.inner().last().map_or(self, |outermost| &outermost.parent), Self::Workflow)
    }

    /// Whether cancellation of `scope` reaches an operation here.
    pub(crate) fn is_within(&self, scope: &Rc<Inner>) -> bool {
        self.inner().any(|inner| Rc::ptr_eq(inner, scope))
    }

    /// Why a scope of the user's that this one lies in was cancelled.
    pub(crate) fn cancellation(&self) -> Option<Rc<str>> {
        self.inner().find_map(|inner| inner.cancelled.borrow().clone())
    }
}

impl Inner {
    /// The groups of this scope and of those around it, the outermost first.
    pub(crate) fn groups(self: &Rc<Self>) -> Vec<EventGroupMarker> {
        let around = std::iter::successors(Some(self), |inner| inner.parent.as_inner());
        let mut groups: Vec<_> = around.filter_map(|inner| inner.group.clone()).collect();
        groups.reverse();
        groups
    }

    /// Notes that it was cancelled. Returns whether that is news.
    pub(crate) fn note_cancelled(&self, reason: &str) -> bool {
        let mut cancelled = self.cancelled.borrow_mut();
        let is_news = cancelled.is_none();
        cancelled.get_or_insert_with(|| Rc::from(reason));
        is_news
    }
}

/// Runs `future` where cancellation does not reach it: cleanup and compensation.
///
/// Operations that start inside are cancelled neither with the workflow nor with a [scope](scope()) around the shield,
/// and those that start after the cancellation work as if there had been none. Dropping the shield itself still cancels
/// what is pending in it.
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

/// Waits until cancellation is requested: of the workflow, inside of a [`shield`] too, or of a [scope](scope()) that
/// this is called in.
#[track_caller]
#[must_use = "futures do nothing unless awaited"]
pub fn cancelled() -> WaitCancelled {
    WaitCancelled { registration: Registration::at(Location::caller()) }
}

/// Whether cancellation was requested, of the workflow or of a [scope](scope()) that this is called in.
///
/// # Panics
///
/// Outside of workflow code.
#[track_caller]
pub fn is_cancelled() -> bool {
    cancellation_reason().is_some()
}

/// Why cancellation was requested, as the caller said, of a [scope](scope()) that this is called in or else of the
/// workflow. `None` as long as it was not.
///
/// # Panics
///
/// Outside of workflow code.
#[track_caller]
pub fn cancellation_reason() -> Option<Rc<str>> {
    reason(&context::current())
}

fn reason(runtime: &Runtime) -> Option<Rc<str>> {
    runtime.scope().borrow().cancellation().or_else(|| runtime.cancellation_reason())
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
        if reason(&runtime).is_some() {
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
        self.runtime.scope().replace(std::mem::take(&mut self.outer));
    }
}
