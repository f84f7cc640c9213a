//! The world of a replay: there is none. What a run asks of it is the verdict.

use bytes::Bytes;
use stead_activation::Seq;
use stead_core::{
    Completion, EvictionReason, FailedTask, Instant, LocalActivityAttempt, LocalActivityStop, Mismatch, QueryReply, Run,
};
use stead_data::Failure;

use super::error::{ReplayError, ReplayedWorkflow};
use crate::driver::{Ending, Outside, TaskId};
use crate::metrics::TaskMeasure;

/// Remembers the first thing that went wrong.
#[derive(Debug, Default)]
pub(super) struct ReplayOutside {
    difference: Option<Difference>,
    /// The last task of the history was not completed in it, and the code has now done so.
    completed: bool,
}

/// What went wrong, before it is known of which workflow.
#[derive(Debug)]
pub(super) enum Difference {
    Mismatch(Box<Mismatch>),
    Failed(Box<Failure>),
    BadHistory(String),
}

impl ReplayOutside {
    pub(super) fn verdict(self, ending: Option<Ending>, is_idle: bool) -> Result<(), Difference> {
        match (self.difference, ending) {
            (Some(difference), _) => Err(difference),
            (None, Some(Ending::Panicked(message))) => Err(Difference::Failed(Box::new(Failure::application(message)))),
            (None, Some(Ending::Evicted(eviction))) => match (eviction.mismatch, eviction.reason) {
                (Some(mismatch), _) => Err(Difference::Mismatch(mismatch)),
                (None, EvictionReason::WorkflowEnded) => Ok(()),
                (None, EvictionReason::GuestFailed) => {
                    Err(Difference::Failed(Box::new(Failure::application(eviction.message))))
                }
                (None, _) => Err(Difference::BadHistory(eviction.message)),
            },
            (None, None) if self.completed || is_idle => Ok(()),
            (None, None) => Err(Difference::BadHistory("it ends in the middle of a task's events".to_owned())),
        }
    }

    fn note(&mut self, difference: Difference) {
        self.difference.get_or_insert(difference);
    }
}

impl Outside for ReplayOutside {
    fn now(&self) -> Instant {
        Instant::default()
    }

    fn fetch_history(&mut self, _workflow_id: String, _run_id: String, _page_token: Bytes) {
        self.note(Difference::BadHistory("it is not complete".to_owned()));
    }

    fn complete(&mut self, _completion: Box<Completion>, _measure: Option<TaskMeasure>) {
        self.completed = true;
    }

    fn fail(&mut self, task: Box<FailedTask>, _measure: Option<TaskMeasure>) {
        let FailedTask { mismatch, failure, .. } = *task;
        self.note(match mismatch {
            Some(mismatch) => Difference::Mismatch(mismatch),
            None => Difference::Failed(Box::new(Failure::from_proto(failure))),
        });
    }

    fn answer_query(&mut self, _reply: Box<QueryReply>) {}

    /// Code that runs what its history does not know has got to the end of it.
    fn start_local_activity(&mut self, _attempt: Box<LocalActivityAttempt>, _run: &Run) {
        self.completed = true;
    }

    fn stop_local_activity(&mut self, _seq: Seq, _attempt: u32, _why: LocalActivityStop) {}

    fn lost(&mut self, _task: TaskId, _message: String) {}
}

impl Difference {
    pub(super) fn of(self, workflow: ReplayedWorkflow) -> ReplayError {
        match self {
            Self::Mismatch(mismatch) => ReplayError::Mismatch { workflow, mismatch },
            Self::Failed(failure) => ReplayError::Failed { workflow, failure },
            Self::BadHistory(message) => ReplayError::BadHistory { workflow, message },
        }
    }
}
