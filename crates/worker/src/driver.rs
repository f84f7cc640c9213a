//! The loop that joins a run's machines with its code. The worker's shard and the replayer turn the same one.
//!
//! It is synchronous and does no I/O: what a run wants from the world goes to an [`Outside`], and comes back later as
//! an [`Incoming`].

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use stead_activation::{Activation, Guest, Issued, Job, Seq, TaskFailure, TaskFailureCause};
use stead_core::{
    Completion, CompletionOutcome, Eviction, FailedTask, HistoryPage, Instant, LocalActivityAttempt,
    LocalActivityOutcome, LocalActivityStop, Output, QueryReply, Run, RunOptions,
};
use stead_data::Failure;
use stead_proto::workflowservice::v1::PollWorkflowTaskQueueResponse;

use crate::guests::Guests;
use crate::metrics::{Metrics, RunMeasure, TaskMeasure};

/// Something that happened to a run.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// A workflow task was polled.
    Task(Box<PollWorkflowTaskQueueResponse>),
    /// A page of history arrived.
    History(HistoryPage),
    /// A page of history could not be had.
    HistoryFailed(String),
    /// The answer to a task was sent.
    Completed(CompletionOutcome),
    /// An attempt of a local activity ended.
    LocalActivity { seq: Seq, attempt: u32, outcome: LocalActivityOutcome },
    /// The moment has come that the run asked for.
    Timeout,
}

impl Incoming {
    /// The task that came with it, if one did.
    pub(crate) fn task(&self) -> Option<&PollWorkflowTaskQueueResponse> {
        match self {
            Self::Task(task) | Self::Completed(CompletionOutcome::Accepted { next_task: Some(task), .. }) => Some(task),
            _ => None,
        }
    }
}

/// Where the effects of a run go, and where its time comes from.
pub(crate) trait Outside {
    fn now(&self) -> Instant;
    /// The run's code is about to be called.
    fn activates(&mut self) {}
    fn fetch_history(&mut self, workflow_id: String, run_id: String, page_token: Bytes);
    fn complete(&mut self, completion: Box<Completion>, measure: Option<TaskMeasure>);
    fn fail(&mut self, task: Box<FailedTask>, measure: Option<TaskMeasure>);
    fn answer_query(&mut self, reply: Box<QueryReply>);
    /// The answer is [`Incoming::LocalActivity`], whenever that is.
    fn start_local_activity(&mut self, attempt: Box<LocalActivityAttempt>, run: &Run);
    fn stop_local_activity(&mut self, seq: Seq, attempt: u32, why: LocalActivityStop);
    /// Where what is measured of runs goes; nowhere if they are only replayed.
    fn metrics(&self) -> Option<&Metrics> {
        None
    }
    /// The driver itself panicked while it handled this task. No answer is expected.
    fn lost(&mut self, task: TaskId, message: String);
}

/// Enough of a task to answer it.
#[derive(Debug)]
pub(crate) struct TaskId {
    pub(crate) token: Bytes,
    /// Whether it only carries a query, which is answered in another way.
    pub(crate) is_query: bool,
}

impl TaskId {
    pub(crate) fn of(task: &PollWorkflowTaskQueueResponse) -> Self {
        Self { token: task.task_token.clone(), is_query: task.query.is_some() }
    }
}

/// Why a run must be dropped.
#[derive(Debug)]
pub(crate) enum Ending {
    /// Its machines say so.
    Evicted(Eviction),
    /// They, or its code, panicked where they must not.
    Panicked(String),
}

/// A run with its code.
pub(crate) struct Driver {
    run: Run,
    /// Made when the run's first job arrives.
    guest: Option<Box<dyn Guest>>,
    /// The task that was handed in last: what is lost if the driver panics.
    task: Option<TaskId>,
    pub(crate) measure: RunMeasure,
}

impl Driver {
    pub(crate) fn new(run_id: &str, options: Arc<RunOptions>) -> Self {
        Self { run: Run::new(run_id, options), guest: None, task: None, measure: RunMeasure::default() }
    }

    pub(crate) fn run(&self) -> &Run {
        &self.run
    }

    /// Handles what happened until the run wants nothing more. `Some` means that the run must be dropped.
    ///
    /// A panic in here, which would be a fault of this SDK, costs the task and the run, nothing else.
    pub(crate) fn handle(&mut self, incoming: Incoming, guests: &Guests, outside: &mut impl Outside) -> Option<Ending> {
        if let Some(task) = incoming.task() {
            self.task = Some(TaskId::of(task));
        }
        let driven = catch_unwind(AssertUnwindSafe(|| {
            self.apply(incoming, outside.now());
            self.pump(guests, outside)
        }));
        match driven {
            Ok(eviction) => {
                if self.run.is_idle() {
                    // The token shares its memory with the whole task.
                    self.task = None;
                }
                eviction.map(Ending::Evicted)
            }
            Err(panic) => Some(self.give_up(&*panic, outside)),
        }
    }

    fn apply(&mut self, incoming: Incoming, now: Instant) {
        match incoming {
            Incoming::Task(task) => self.run.handle_task(*task, now),
            Incoming::History(page) => self.run.handle_history(page, now),
            Incoming::HistoryFailed(message) => self.run.handle_history_failed(message, now),
            Incoming::Completed(outcome) => self.run.handle_completed(outcome, now),
            Incoming::LocalActivity { seq, attempt, outcome } => {
                self.run.handle_local_activity(seq, attempt, outcome, now);
            }
            Incoming::Timeout => self.run.handle_timeout(now),
        }
    }

    fn pump(&mut self, guests: &Guests, outside: &mut impl Outside) -> Option<Eviction> {
        while let Some(output) = self.run.poll_output() {
            match output {
                Output::Activate(activation) => {
                    outside.activates();
                    match self.activate(activation, guests, outside) {
                        Ok(commands) => self.run.handle_commands(commands, outside.now()),
                        Err(failure) => self.run.handle_guest_failure(failure, outside.now()),
                    }
                }
                Output::FetchHistory { workflow_id, run_id, page_token } => {
                    outside.fetch_history(workflow_id, run_id, page_token);
                }
                Output::Complete(completion) => outside.complete(completion, self.measure.report()),
                Output::Fail(task) => outside.fail(task, self.measure.report()),
                Output::AnswerQuery(reply) => outside.answer_query(reply),
                Output::StartLocalActivity(attempt) => outside.start_local_activity(attempt, &self.run),
                Output::StopLocalActivity { seq, attempt, why } => outside.stop_local_activity(seq, attempt, why),
                Output::Evict(eviction) => return Some(eviction),
            }
        }
        None
    }

    fn activate(
        &mut self,
        activation: Activation,
        guests: &Guests,
        outside: &mut impl Outside,
    ) -> Result<Vec<Issued>, TaskFailure> {
        let initialize = match activation.jobs.first() {
            Some(Job::Initialize(initialize)) => Some(initialize),
            _ => None,
        };
        let is_new = initialize.is_some();
        if let Some(initialize) = initialize {
            if let Some(metrics) = outside.metrics() {
                self.measure.initialized(metrics, initialize);
            }
            self.guest = Some(guests.create_for(self.run.run_id(), &initialize.workflow_type)?);
        }
        if !activation.is_replaying
            && let Some(metrics) = outside.metrics()
        {
            self.measure.caught_up(metrics);
        }
        let Some(guest) = &mut self.guest else { return Err(uninitialized()) };
        let commands = guest.activate(activation);
        if is_new {
            self.run.set_settings(guest.settings());
        }
        commands
    }

    fn give_up(&mut self, panic: &(dyn Any + Send), outside: &mut impl Outside) -> Ending {
        let message = format!("the worker panicked while it handled a workflow task: {}", panic_message(panic));
        if let Some(task) = self.task.take() {
            outside.lost(task, message.clone());
        }
        Ending::Panicked(message)
    }
}

impl Drop for Driver {
    /// The code of a run owns what its user made, whose drop may panic. It must not take the other runs along.
    fn drop(&mut self) {
        let guest = self.guest.take();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(guest))) {
            tracing::warn!(
                target: "stead::worker",
                workflow_id = self.run.workflow_id(), run_id = self.run.run_id(),
                panic = panic_message(&*panic), "workflow panicked while it was dropped"
            );
        }
    }
}

/// The core initializes a run first, so this says that it has a fault; it is a value nonetheless.
fn uninitialized() -> TaskFailure {
    TaskFailure {
        cause: TaskFailureCause::WorkflowWorkerUnhandledFailure,
        failure: Box::new(Failure::application("the run got a job before it was initialized").into_proto()),
    }
}

/// The text that a panic was raised with.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    match panic.downcast_ref::<&str>() {
        Some(text) => text,
        None => panic.downcast_ref::<String>().map_or("a panic that is no text", String::as_str),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_panic_is_found_in_both_of_its_forms() {
        let literal = catch_unwind(|| panic!("plain")).expect_err("panics");
        let formatted = catch_unwind(|| panic!("number {}", 7)).expect_err("panics");
        assert_eq!(panic_message(&*literal), "plain");
        assert_eq!(panic_message(&*formatted), "number 7");
        assert_eq!(panic_message(&1_u8), "a panic that is no text");
    }

    /// Panics when it is asked for the time, as a fault in the core might.
    #[derive(Default)]
    struct Broken(Vec<TaskId>);

    impl Outside for Broken {
        fn now(&self) -> Instant {
            panic!("the clock stopped")
        }

        fn fetch_history(&mut self, _workflow_id: String, _run_id: String, _page_token: Bytes) {}

        fn complete(&mut self, _completion: Box<Completion>, _measure: Option<TaskMeasure>) {}

        fn fail(&mut self, _task: Box<FailedTask>, _measure: Option<TaskMeasure>) {}

        fn answer_query(&mut self, _reply: Box<QueryReply>) {}

        fn start_local_activity(&mut self, _attempt: Box<LocalActivityAttempt>, _run: &Run) {}

        fn stop_local_activity(&mut self, _seq: Seq, _attempt: u32, _why: LocalActivityStop) {}

        fn lost(&mut self, task: TaskId, _message: String) {
            self.0.push(task);
        }
    }

    #[test]
    fn a_panic_of_the_driver_itself_costs_the_run_and_its_task_is_answered() {
        let mut outside = Broken::default();
        let mut driver = Driver::new("r", Arc::default());
        let task = PollWorkflowTaskQueueResponse { task_token: "token".into(), ..Default::default() };
        let ending = driver.handle(Incoming::Task(Box::new(task)), &Guests::default(), &mut outside);
        let Some(Ending::Panicked(message)) = ending else { panic!("the run must be dropped: {ending:?}") };
        assert_eq!(message, "the worker panicked while it handled a workflow task: the clock stopped");
        assert_eq!(outside.0.len(), 1);
        assert_eq!((outside.0[0].token.as_ref(), outside.0[0].is_query), (b"token".as_slice(), false));
    }
}
