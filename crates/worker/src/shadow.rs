//! Shadow replay: the code of a run is run twice, and must do the same both times.
//!
//! A fresh instance of the code gets the same activations on another thread (`thread`), step by step, and what it
//! commands is compared; when the run ends, a third one gets all of them at once. Whatever the code depends on that no
//! history records (the order of a hash map, a static, an address, the time, a random select) shows up as a difference,
//! which is reported with the lines that made it (`report`). What never gets into a command is not seen.
//!
//! It costs what a second worker would, and nothing where it is off.

mod report;
mod thread;

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use stead_activation::{Activation, Command, Guest, Issued, Settings, TaskFailure, TaskFailureCause};
use stead_data::Failure;

use crate::guests::Guests;
use report::Difference;
use thread::ShadowThread;

/// Which runs are run twice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sample {
    /// From 0 to 1.
    pub(crate) fraction: f64,
    /// Whether their code is run once more when they end.
    pub(crate) whole: bool,
}

/// Runs code twice, for the runs of one thread.
pub(crate) struct Shadows {
    sample: Sample,
    thread: Arc<ShadowThread>,
}

/// The code of a run, and its shadow.
struct Shadowed {
    code: Box<dyn Guest>,
    shadow: thread::Instance,
    /// Empty if it is not wanted, or has become too long.
    recorded: Option<Vec<(Activation, Vec<Issued>)>>,
    /// How many activations there were.
    activations: usize,
}

impl Shadows {
    pub(crate) fn new(sample: Sample, guests: Guests) -> Self {
        Self { sample, thread: Arc::new(ShadowThread::new(guests)) }
    }

    /// The code of this run, with a shadow if it is one of the sample.
    pub(crate) fn follow(&self, run_id: &str, code: Box<dyn Guest>) -> Box<dyn Guest> {
        if !self.sample.has(run_id) {
            return code;
        }
        match self.thread.instance() {
            Some(shadow) => {
                let recorded = self.sample.whole.then(Vec::new);
                Box::new(Shadowed { code, shadow, recorded, activations: 0 })
            }
            None => code,
        }
    }
}

impl Sample {
    /// The same runs wherever they are rebuilt.
    fn has(self, run_id: &str) -> bool {
        let mut hasher = DefaultHasher::new();
        run_id.hash(&mut hasher);
        // Numbers below 2^53 have a place of their own among the fractions.
        let place = (hasher.finish() >> 11) as f64 / (1_u64 << 53) as f64;
        place < self.fraction
    }
}

impl Guest for Shadowed {
    fn activate(&mut self, activation: Activation) -> Result<Vec<Issued>, TaskFailure> {
        self.activations += 1;
        let again = self.shadow.activate(activation.clone());
        let recorded = self.recorded.is_some().then(|| activation.clone());
        let first = self.code.activate(activation)?;
        if let Some(again) = again.wait()
            && let Some(difference) = Difference::between(&first, again.as_ref())
        {
            return self.differs(&difference.to_text("in step with it", self.activations));
        }
        if let (Some(all), Some(activation)) = (&mut self.recorded, recorded) {
            all.push((activation, first.clone()));
            if all.len() > MAX_RECORDED {
                self.recorded = None;
            } else if first.iter().any(|issued| ends_the_run(&issued.command)) {
                return self.run_all_again(first);
            }
        }
        Ok(first)
    }

    fn settings(&self) -> Settings {
        self.code.settings()
    }
}

impl Shadowed {
    /// The run ends with these commands: all of it is run once more.
    fn run_all_again(&mut self, last: Vec<Issued>) -> Result<Vec<Issued>, TaskFailure> {
        let Some(shadow) = self.shadow.another() else { return Ok(last) };
        for (index, (activation, first)) in self.recorded.take().into_iter().flatten().enumerate() {
            if let Some(again) = shadow.activate(activation).wait()
                && let Some(difference) = Difference::between(&first, again.as_ref())
            {
                return self.differs(&difference.to_text("from its beginning, when it had ended", index + 1));
            }
        }
        Ok(last)
    }

    /// The task fails, or the workflow where defects of this kind do that.
    fn differs(&self, text: &str) -> Result<Vec<Issued>, TaskFailure> {
        let failure = Failure::application(text).type_name("NondeterminismError");
        if self.settings().mismatch_fails_workflow {
            let failure = Box::new(failure.non_retryable().into_proto());
            return Ok(vec![Issued { command: Command::FailWorkflow { failure }, at: None }]);
        }
        Err(TaskFailure { cause: TaskFailureCause::NonDeterminism, failure: Box::new(failure.into_proto()) })
    }
}

fn ends_the_run(command: &Command) -> bool {
    matches!(
        command,
        Command::CompleteWorkflow { .. }
            | Command::FailWorkflow { .. }
            | Command::CancelWorkflow
            | Command::ContinueAsNew(_)
    )
}

/// Beyond it a run is not kept to be run again as a whole.
const MAX_RECORDED: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_about_its_fraction_of_the_runs_and_always_the_same() {
        let count = |fraction| {
            let sample = Sample { fraction, whole: false };
            (0..10_000).filter(|number| sample.has(&format!("run-{number}"))).count()
        };
        assert_eq!((count(0.0), count(1.0)), (0, 10_000));
        assert!((80..120).contains(&count(0.01)), "{}", count(0.01));
        assert_eq!(count(0.5), count(0.5));
    }
}
