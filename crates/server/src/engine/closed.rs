//! What the end of a run means for others.

use super::Engine;
use super::run::RunKey;

impl Engine {
    /// A run has closed.
    pub(super) fn run_closed(&mut self, _key: RunKey) {}
}
