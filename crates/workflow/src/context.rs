//! The run whose code is on this thread's stack right now.
//!
//! It is set only while the executor calls into workflow code. A future that is dropped when it is not set is being
//! evicted, and a waker that is called when it is not set was called from outside of the workflow.

use std::cell::RefCell;
use std::rc::Rc;

use crate::runtime::Runtime;

thread_local! {
    static CURRENT: RefCell<Option<Rc<Runtime>>> = const { RefCell::new(None) };
}

/// The current run.
///
/// # Panics
///
/// Outside of workflow code, which is a bug of the caller that no return value could carry.
#[track_caller]
pub(crate) fn current() -> Rc<Runtime> {
    match try_current() {
        Some(runtime) => runtime,
        None => panic!("a workflow function was called outside of workflow code"),
    }
}

/// The current run; `None` outside of workflow code and while the thread ends.
pub(crate) fn try_current() -> Option<Rc<Runtime>> {
    CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
}

/// Calls `f` with the current run, if there is one.
pub(crate) fn try_with<R>(f: impl FnOnce(&Runtime) -> R) -> Option<R> {
    try_current().map(|runtime| f(&runtime))
}

/// Whether the code on the stack belongs to the run with this identity (see [`Runtime::identity`]).
pub(crate) fn is_inside(identity: usize) -> bool {
    CURRENT
        .try_with(|current| current.borrow().as_ref().is_some_and(|runtime| Runtime::identity(runtime) == identity))
        .unwrap_or(false)
}

/// Makes `runtime` the current run until the guard is dropped.
pub(crate) fn enter(runtime: &Rc<Runtime>) -> Entered {
    Entered { outer: CURRENT.replace(Some(Rc::clone(runtime))) }
}

/// Makes no run the current one until the guard is dropped.
pub(crate) fn leave() -> Entered {
    Entered { outer: CURRENT.take() }
}

pub(crate) struct Entered {
    outer: Option<Rc<Runtime>>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.outer.take());
    }
}
