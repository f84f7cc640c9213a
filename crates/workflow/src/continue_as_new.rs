//! Ending a run and starting the next one of its chain.

use std::time::Duration;

use serde::Serialize;
use stead_activation::{ContinueAsNew, NextRunVersioning};
use stead_data::{Arg, ConversionError, RetryPolicy, SearchAttributeUpdate, WorkflowFn};

use crate::context;
use crate::error::{self, Error, Result};
use crate::ops::wait::all_handlers_finished;

/// Continues as a new run with a fresh history: `return workflow::continue_as_new(Self::run, next).exit()`.
///
/// What is not set is inherited from this run. Signals that arrived are not lost, but handlers that are still running
/// are: wait for [`all_handlers_finished`](crate::all_handlers_finished) first.
///
/// # Panics
///
/// Outside of workflow code.
#[track_caller]
pub fn continue_as_new<W: ?Sized, I, O>(workflow: WorkflowFn<W, I, O>, args: impl Arg<I>) -> NextRun {
    let arguments = args.encode(context::current().converter(), workflow.arity());
    let command = ContinueAsNew { workflow_type: workflow.name().to_owned(), ..ContinueAsNew::default() };
    NextRun { command, problem: None }.encoded(arguments, |command, arguments| command.arguments = arguments)
}

/// Whether it is time to [continue as new](continue_as_new), and everything is ready for it: the server suggests it, or
/// the run is pinned to an old version of its workers, and all handlers have finished, for which this waits. Otherwise no,
/// at once.
///
/// ```
/// # use stead_workflow as workflow;
/// # async fn example<W>(run: stead_data::WorkflowFn<W, u32, ()>) -> workflow::Result<()> {
/// for done in 0.. {
///     // .. work ..
///     if workflow::ready_to_continue_as_new().await {
///         return workflow::continue_as_new(run, done).exit();
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// What the next run starts with is best made afterwards, as handlers may have changed it. A handler that calls this waits
/// for itself.
///
/// # Panics
///
/// Outside of workflow code.
pub async fn ready_to_continue_as_new() -> bool {
    let moment = context::current().moment();
    let is_time = moment.continue_as_new_suggested || moment.target_version_changed;
    if is_time {
        all_handlers_finished().await;
    }
    is_time
}

/// How the next run starts; made by [`continue_as_new`].
#[derive(Debug)]
#[must_use = "the run goes on unless the error of `exit` is returned"]
pub struct NextRun {
    command: ContinueAsNew,
    problem: Option<ConversionError>,
}

impl NextRun {
    /// Task queue of the next run.
    pub fn task_queue(mut self, name: impl Into<String>) -> Self {
        self.command.task_queue = name.into();
        self
    }

    /// Limit on the next run.
    pub fn run_timeout(mut self, limit: Duration) -> Self {
        self.command.run_timeout = Some(limit);
        self
    }

    /// Limit on each workflow task of the next run.
    pub fn task_timeout(mut self, limit: Duration) -> Self {
        self.command.task_timeout = Some(limit);
        self
    }

    /// Waits this long before the next run starts to work. Default: no wait.
    pub fn backoff(mut self, wait: Duration) -> Self {
        self.command.backoff_start_interval = Some(wait);
        self
    }

    /// Which version of its workers the next run begins on, where this one is pinned to one. Default:
    /// [`NextRunVersioning::Inherit`].
    pub fn versioning(mut self, versioning: NextRunVersioning) -> Self {
        self.command.versioning = versioning;
        self
    }

    /// Retry policy of the next run.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.command.retry_policy = Some(policy.into_proto());
        self
    }

    /// Sets search attributes of the next run. The first call makes them start empty instead of inherited.
    pub fn search_attributes(mut self, attributes: impl IntoIterator<Item = SearchAttributeUpdate>) -> Self {
        let entries = attributes.into_iter().map(SearchAttributeUpdate::into_entry);
        self.command.search_attributes.get_or_insert_default().extend(entries);
        self
    }

    /// Sets a value of the next run's memo. The first one set makes the memo start empty instead of inherited.
    ///
    /// # Panics
    ///
    /// Outside of workflow code.
    #[track_caller]
    pub fn memo<T: Serialize + ?Sized>(self, key: impl Into<String>, value: &T) -> Self {
        let payload = context::current().converter().to_payload(value);
        self.encoded(payload, |command, payload| {
            command.memo.get_or_insert_default().insert(key.into(), payload);
        })
    }

    /// The error that ends this run when `run`, or a signal handler, returns it.
    ///
    /// # Errors
    ///
    /// Always.
    pub fn exit<T>(self) -> Result<T> {
        let Some(problem) = self.problem else {
            return Err(Error::continue_as_new(self.command));
        };
        let failure = error::conversion("Failed encoding arguments", &problem);
        context::try_with(|runtime| runtime.fail_task(failure.clone()));
        Err(failure.into())
    }

    fn encoded<P>(
        mut self,
        value: std::result::Result<P, ConversionError>,
        keep: impl FnOnce(&mut ContinueAsNew, P),
    ) -> Self {
        match value {
            Ok(value) => keep(&mut self.command, value),
            Err(problem) => self.problem = self.problem.or(Some(problem)),
        }
        self
    }
}
