//! Wakers, one per task for its whole life, that know who calls them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::Wake;

use crate::context;

const IDLE: u8 = 0;
const WOKEN: u8 = 1;
const FOREIGN: u8 = 2;

/// Whether a task has been woken, and by whom.
///
/// A wake is the workflow's own if the code of this very run is on the stack of the waking thread. Any other wake comes
/// at a time that a replay would not repeat: from a thread, from a runtime's timer, from another run.
#[derive(Debug)]
pub(crate) struct TaskWaker {
    run: usize,
    state: AtomicU8,
}

/// What happened since the task was last asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Woken {
    No,
    Yes,
    FromOutside,
}

impl TaskWaker {
    /// For a new task of the run with this identity: it has to be polled.
    pub(crate) fn new(run: usize) -> Arc<Self> {
        Arc::new(Self { run, state: AtomicU8::new(WOKEN) })
    }

    /// Whether the task was woken; it counts as idle afterwards, unless the wake came from outside, which stays.
    pub(crate) fn take(&self) -> Woken {
        match self.state.compare_exchange(WOKEN, IDLE, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Woken::Yes,
            Err(FOREIGN) => Woken::FromOutside,
            Err(_) => Woken::No,
        }
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let state = if context::is_inside(self.run) { WOKEN } else { FOREIGN };
        self.state.fetch_max(state, Ordering::AcqRel);
    }
}
