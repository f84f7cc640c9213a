//! Panics of workflow code, which are bugs: they fail the workflow task and never leave it.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

use stead_data::Failure;

use crate::context;

/// What a panic of workflow code said, and where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Panic {
    message: String,
    location: Option<String>,
    backtrace: Option<String>,
}

impl Panic {
    /// The failure that people see.
    pub(crate) fn into_failure(self) -> Failure {
        let text = match &self.location {
            Some(location) => format!("workflow code panicked at {location}: {}", self.message),
            None => format!("workflow code panicked: {}", self.message),
        };
        let mut failure = Failure::application(text).type_name("Panic");
        failure.stack_trace = self.backtrace.unwrap_or_default();
        failure
    }
}

/// Calls workflow code and keeps its panic.
///
/// The code may leave its state half changed. That is not seen by anyone: the run is dropped, except after a query,
/// which reads only.
pub(crate) fn catch<R>(f: impl FnOnce() -> R) -> Result<R, Panic> {
    panic::catch_unwind(AssertUnwindSafe(f)).map_err(|payload| {
        let seen = LAST.take();
        Panic { message: text(&*payload), ..seen }
    })
}

fn text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("(a value that is not text)").to_owned()
}

thread_local! {
    static LAST: RefCell<Panic> = const { RefCell::new(Panic { message: String::new(), location: None, backtrace: None }) };
}

/// Makes the place of a panic known to [`catch`]. Only a panic hook is told it, so one is put before the program's own,
/// which still runs; it does nothing for panics outside of workflow code.
pub(crate) fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let next = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if context::try_with(|_| ()).is_some() {
                remember(info);
            }
            next(info);
        }));
    });
}

fn remember(info: &PanicHookInfo<'_>) {
    // Empty unless the environment asks for backtraces, because to make one takes long.
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    LAST.set(Panic { message: String::new(), location: info.location().map(ToString::to_string), backtrace });
}
