//! [`Chores`]: work that is too much for one input. It goes on step by step, and calls are served in between.

use std::time::Duration;

use super::{Engine, Time};

/// The pause after each step.
const PAUSE: Duration = Duration::from_millis(1);
/// How many runs a step is about.
pub(super) const STEP: usize = 50;

/// When the next step is due, if there is something to do.
#[derive(Debug, Default)]
pub(super) struct Chores {
    next: Time,
}

impl Engine {
    /// When the next step is due.
    pub(super) fn next_chore(&self) -> Option<Time> {
        self.has_chores().then_some(self.chores.next)
    }

    fn has_chores(&self) -> bool {
        self.namespaces.deleted().is_some()
    }

    /// Takes the step that is due, if one is.
    pub(super) fn do_chores(&mut self) {
        if self.next_chore().is_none_or(|at| at > self.now) {
            return;
        }
        self.chores.next = self.now + PAUSE;
        if let Some(namespace) = self.namespaces.deleted() {
            self.empty_namespace(namespace);
        }
    }
}
