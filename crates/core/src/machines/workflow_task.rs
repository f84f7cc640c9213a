//! Workflow tasks as history records them.

use super::Step;

/// The workflow task that history is at.
///
/// ```text
///           Scheduled            Started             Completed, Failed, TimedOut
///   Closed ───────────▶ Scheduled ─────────▶ Started ─────────────────────────────▶ Closed
///                           └──────────── TimedOut (nobody took it) ──────────────▶ Closed
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum WorkflowTask {
    /// There is none.
    #[default]
    Closed,
    /// It waits for a worker.
    Scheduled,
    /// A worker has it.
    Started,
}

impl WorkflowTask {
    pub(super) fn scheduled(&mut self) -> Step {
        self.step(matches!(self, Self::Closed), Self::Scheduled)
    }

    pub(super) fn started(&mut self) -> Step {
        self.step(matches!(self, Self::Scheduled), Self::Started)
    }

    pub(super) fn completed(&mut self) -> Step {
        self.step(matches!(self, Self::Started), Self::Closed)
    }

    pub(super) fn failed(&mut self) -> Step {
        self.step(matches!(self, Self::Started), Self::Closed)
    }

    pub(super) fn timed_out(&mut self) -> Step {
        self.step(matches!(self, Self::Scheduled | Self::Started), Self::Closed)
    }

    /// The server dropped it without a trace.
    pub(super) fn discarded(&mut self) {
        *self = Self::Closed;
    }

    fn step(&mut self, is_legal: bool, next: Self) -> Step {
        if !is_legal {
            return Step::Illegal;
        }
        *self = next;
        Step::Going
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Event = fn(&mut WorkflowTask) -> Step;

    /// Every event in every state.
    #[test]
    fn transition_table() {
        let events: [(&str, Event); 5] = [
            ("scheduled", WorkflowTask::scheduled),
            ("started", WorkflowTask::started),
            ("completed", WorkflowTask::completed),
            ("failed", WorkflowTask::failed),
            ("timed out", WorkflowTask::timed_out),
        ];
        let mut table = String::new();
        for state in [WorkflowTask::Closed, WorkflowTask::Scheduled, WorkflowTask::Started] {
            for (name, event) in events {
                let mut task = state;
                match event(&mut task) {
                    Step::Illegal => assert_eq!(task, state, "an illegal event changed the state"),
                    _ => table += &format!("{state:?} {name}: {task:?}\n"),
                }
            }
        }
        let expected = "\
Closed scheduled: Scheduled
Scheduled started: Started
Scheduled timed out: Closed
Started completed: Closed
Started failed: Closed
Started timed out: Closed
";
        assert_eq!(table, expected);
    }
}
