//! What the end of a run means for others.

use super::Engine;
use super::children::was_reset;
use super::run::RunKey;

impl Engine {
    /// A run has closed. One that a reset has replaced leaves its parent and its children to the run that replaces it.
    pub(super) fn run_closed(&mut self, key: RunKey) {
        if self.runs.get(key).is_some_and(was_reset) {
            return;
        }
        self.call_back_of_run(key);
        self.report_to_parent(key);
        self.apply_close_policies(key);
        self.scheduled_run_closed(key);
    }
}
