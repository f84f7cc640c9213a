//! What somebody sees that looks at workflow code from outside while it is polled.

use std::sync::Arc;

use crate::context;

/// Looks at each poll of workflow code, for what the code asks of the operating system.
pub trait PollWatch: Send + Sync {
    /// Calls `poll`, once. Returns the first thing that the code did that no history records.
    fn watch(&self, poll: &mut dyn FnMut()) -> Option<Unrecorded>;

    /// Calls `f`, once, without looking.
    fn suspend(&self, f: &mut dyn FnMut());
}

/// What workflow code did that no history records, so that a replay may do something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unrecorded {
    /// The function that was called, such as `getenv`.
    pub call: String,
    /// What to do in its place.
    pub instead: &'static str,
    /// From where it was called, for the failure's stack trace.
    pub stack_trace: String,
}

/// Calls `f` where the determinism guard of the worker does not look, if it has one: for what is harmless, such as a log or
/// a cache that reads the clock. What `f` gives must not decide what the workflow does.
///
/// # Panics
///
/// When `f` does.
pub fn unwatched<R>(f: impl FnOnce() -> R) -> R {
    let watch = context::try_with(|runtime| runtime.poll_watch().map(Arc::clone)).flatten();
    let Some(watch) = watch else { return f() };
    let (mut f, mut result) = (Some(f), None);
    watch.suspend(&mut || result = f.take().map(|f| f()));
    result.expect("a watch calls what it is given")
}
