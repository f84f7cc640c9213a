//! What a run knows of itself.

use std::rc::Rc;
use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;
use stead_activation::{DeploymentVersion, ExecutionRef, Initialize, ParentExecution, Payload, PayloadMap};
use stead_data::{Failure, Priority, RetryPolicy, WorkflowContext};

use crate::context;
use crate::error::{self, Result};

/// What is fixed when a run starts. Cheap to hold: it is shared.
///
/// # Panics
///
/// Outside of workflow code.
#[track_caller]
pub fn info() -> Rc<Info> {
    context::current().info()
}

/// Whether the calling code belongs to a workflow: for code that workflows share with others.
///
/// ```
/// fn now() -> std::time::SystemTime {
///     match stead_workflow::in_workflow() {
///         true => stead_workflow::now(),
///         false => std::time::SystemTime::now(),
///     }
/// }
/// # now();
/// ```
pub fn in_workflow() -> bool {
    context::try_with(|_| ()).is_some()
}

/// Workflow time: the same at each replay. Stands still while the workflow runs, and moves on when it is woken.
///
/// # Panics
///
/// Outside of workflow code.
#[track_caller]
pub fn now() -> SystemTime {
    context::current().moment().timestamp
}

/// The memo's value under `key`; `None` if there is none.
///
/// # Errors
///
/// If the value is not a `T`, which fails the workflow task whatever is done with the error.
///
/// # Panics
///
/// Outside of workflow code.
#[track_caller]
pub fn memo<T: DeserializeOwned>(key: &str) -> Result<Option<T>> {
    let runtime = context::current();
    let info = runtime.info();
    let Some(payload) = info.memo().get(key) else {
        return Ok(None);
    };
    runtime.converter().from_payload(payload).map(Some).map_err(|error| {
        let failure = error::conversion(&format!("Failed decoding the memo's value `{key}`"), &error);
        runtime.fail_task(failure.clone());
        failure.into()
    })
}

/// The result of the run before this one, for workflows that run again and again (cron, schedules); `None` if there is
/// none.
///
/// # Errors
///
/// If the result is not a `T`, which fails the workflow task whatever is done with the error.
///
/// # Panics
///
/// Outside of workflow code.
#[track_caller]
pub fn last_result<T: DeserializeOwned>() -> Result<Option<T>> {
    let runtime = context::current();
    let info = runtime.info();
    let Some(payload) = info.last_completion_result() else { return Ok(None) };
    runtime.converter().from_payload(payload).map(Some).map_err(|error| {
        let failure = error::conversion("Failed decoding the result of the run before this one", &error);
        runtime.fail_task(failure.clone());
        failure.into()
    })
}

/// The failure of the run before this one, for workflows that are retried or run again and again; `None` if it did not
/// fail.
///
/// # Panics
///
/// Outside of workflow code.
#[track_caller]
pub fn last_failure() -> Option<Failure> {
    context::current().info().last_failure().cloned()
}

/// Number of events in the history that the code has seen.
///
/// # Panics
///
/// Outside of workflow code.
#[track_caller]
pub fn history_length() -> u32 {
    context::current().moment().history_length
}

/// Size of the history, in bytes, when the workflow was last woken.
///
/// # Panics
///
/// Outside of workflow code.
#[track_caller]
pub fn history_size() -> u64 {
    context::current().moment().history_size_bytes
}

/// Whether the server finds that the history has become long enough to [continue as new](crate::continue_as_new()).
///
/// # Panics
///
/// Outside of workflow code.
#[track_caller]
pub fn continue_as_new_suggested() -> bool {
    context::current().moment().continue_as_new_suggested
}

/// Whether this run is pinned to a version of its workers, and new runs begin on another by now: continuing as new moves
/// on to it, with [`NextRunVersioning::AutoUpgrade`](crate::NextRunVersioning::AutoUpgrade).
///
/// # Panics
///
/// Outside of workflow code.
#[track_caller]
pub fn target_version_changed() -> bool {
    context::current().moment().target_version_changed
}

/// The deployment version of the worker that runs this part of the code, or ran it first; `None` without versioning.
///
/// # Panics
///
/// Outside of workflow code.
#[track_caller]
pub fn deployment_version() -> Option<Rc<DeploymentVersion>> {
    context::current().deployment_version()
}

/// Whether code runs for the first time or again.
pub mod replay {
    use crate::context;
    use crate::runtime::{Access, Runtime};

    /// Whether history is being replayed.
    ///
    /// For logs and metrics alone: a workflow that does something else while it replays is not deterministic.
    ///
    /// # Panics
    ///
    /// Outside of workflow code.
    #[track_caller]
    pub fn is_replaying() -> bool {
        context::current().moment().is_replaying
    }

    /// Whether what the code does now is in the history already. Unlike [`is_replaying`] it is not so in the handlers of
    /// queries and in validators: whoever asked waits for them, and they run once. In a shadow, which repeats what the code
    /// does, it is always so. It is not so outside of workflow code
    /// either, which makes it a filter of `tracing-subscriber`:
    ///
    /// ```ignore
    /// use tracing_subscriber::filter::dynamic_filter_fn;
    ///
    /// let news = dynamic_filter_fn(|_, _| !workflow::replay::is_replaying_history());
    /// tracing_subscriber::registry().with(tracing_subscriber::fmt::layer().with_filter(news)).init();
    /// ```
    ///
    /// [`SkipReplays`](crate::SkipReplays) does the same for any subscriber.
    pub fn is_replaying_history() -> bool {
        let is_told = |runtime: &Runtime| {
            runtime.is_shadow() || (runtime.moment().is_replaying && runtime.access() != Access::Answers)
        };
        context::try_with(is_told).unwrap_or_default()
    }

    /// Whether the code must not have an effect now: in queries, validators and conditions.
    ///
    /// # Panics
    ///
    /// Outside of workflow code.
    #[track_caller]
    pub fn is_read_only() -> bool {
        context::current().access() != Access::Full
    }
}

/// What is fixed when a run starts. See [`info`](info()).
#[derive(Debug, Clone)]
pub struct Info {
    workflow_id: Box<str>,
    run_id: Box<str>,
    namespace: Box<str>,
    task_queue: Box<str>,
    workflow_type: Box<str>,
    start_time: SystemTime,
    first_task_time: SystemTime,
    attempt: u32,
    task_timeout: Option<Duration>,
    /// Only what is there: many idle runs are kept in memory, and most have none of this.
    rest: Option<Box<Rest>>,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Rest {
    /// `None` if it is the run's own id.
    first_execution_run_id: Option<Box<str>>,
    /// `None` if it is the run's own id.
    original_execution_run_id: Option<Box<str>>,
    continued_from_run_id: Option<Box<str>>,
    execution_timeout: Option<Duration>,
    run_timeout: Option<Duration>,
    retry_policy: Option<RetryPolicy>,
    cron_schedule: Box<str>,
    parent: Option<ParentExecution>,
    root: Option<ExecutionRef>,
    headers: PayloadMap,
    memo: PayloadMap,
    search_attributes: PayloadMap,
    last_completion_result: Option<Payload>,
    last_failure: Option<Box<Failure>>,
    priority: Option<Priority>,
}

static NOTHING: PayloadMap = PayloadMap::new();

impl Info {
    pub(crate) fn new(initialize: Initialize, first_task_time: SystemTime) -> Self {
        // Named one by one, so that a new field is not forgotten here.
        let Initialize {
            namespace,
            workflow_id,
            run_id,
            first_execution_run_id,
            original_execution_run_id,
            continued_from_run_id,
            workflow_type,
            task_queue,
            arguments: _,
            headers,
            identity: _,
            randomness_seed: _,
            start_time,
            attempt,
            execution_timeout,
            run_timeout,
            task_timeout,
            retry_policy,
            cron_schedule,
            parent,
            root,
            memo,
            search_attributes,
            last_completion_result,
            last_failure,
            priority,
        } = initialize;
        let other_than_run_id = |id: String| (!id.is_empty() && id != run_id).then(|| id.into_boxed_str());
        let rest = Rest {
            first_execution_run_id: other_than_run_id(first_execution_run_id),
            original_execution_run_id: other_than_run_id(original_execution_run_id),
            continued_from_run_id: continued_from_run_id.map(String::into_boxed_str),
            execution_timeout,
            run_timeout,
            retry_policy: retry_policy.map(RetryPolicy::from_proto),
            cron_schedule: cron_schedule.into_boxed_str(),
            parent,
            root,
            headers,
            memo,
            search_attributes,
            last_completion_result: last_completion_result.into_iter().next(),
            last_failure: last_failure.map(|failure| Box::new(Failure::from_proto(*failure))),
            priority: priority.map(Priority::from_proto).filter(|priority| *priority != Priority::default()),
        };
        Self {
            workflow_id: workflow_id.into_boxed_str(),
            run_id: run_id.into_boxed_str(),
            namespace: namespace.into_boxed_str(),
            task_queue: task_queue.into_boxed_str(),
            workflow_type: workflow_type.into_boxed_str(),
            start_time,
            first_task_time,
            attempt,
            task_timeout,
            rest: (rest != Rest::default()).then(|| Box::new(rest)),
        }
    }

    pub(crate) fn update_memo(&mut self, update: impl FnOnce(&mut PayloadMap)) {
        update(&mut self.rest.get_or_insert_default().memo);
    }

    pub(crate) fn update_search_attributes(&mut self, update: impl FnOnce(&mut PayloadMap)) {
        update(&mut self.rest.get_or_insert_default().search_attributes);
    }

    /// The workflow as the owner of payloads.
    pub(crate) fn owner(&self) -> WorkflowContext {
        let mut owner = WorkflowContext::new(&*self.namespace, self.workflow_id());
        owner.run_id = Some(self.run_id().to_owned());
        owner.workflow_type = Some(self.workflow_type().to_owned());
        owner
    }

    /// Id of the workflow.
    pub fn workflow_id(&self) -> &str {
        &self.workflow_id
    }

    /// Id of this run.
    pub fn run_id(&self) -> &str {
        &self.run_id
    }

    /// Id of the first run of the chain that continue-as-new, retries and cron make.
    pub fn first_execution_run_id(&self) -> &str {
        self.rest.as_ref().and_then(|rest| rest.first_execution_run_id.as_deref()).unwrap_or(&self.run_id)
    }

    /// Id of the run that this one is a reset of; its own id otherwise.
    pub fn original_execution_run_id(&self) -> &str {
        self.rest.as_ref().and_then(|rest| rest.original_execution_run_id.as_deref()).unwrap_or(&self.run_id)
    }

    /// Id of the run that continued as this one.
    pub fn continued_from_run_id(&self) -> Option<&str> {
        self.rest.as_ref()?.continued_from_run_id.as_deref()
    }

    /// Namespace of the workflow.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Task queue of the workflow.
    pub fn task_queue(&self) -> &str {
        &self.task_queue
    }

    /// Type of the workflow.
    pub fn workflow_type(&self) -> &str {
        &self.workflow_type
    }

    /// When the run started, as its server saw it: it may have waited for a worker since.
    pub fn start_time(&self) -> SystemTime {
        self.start_time
    }

    /// When the code of the run first ran: the start of its first workflow task.
    pub fn first_task_time(&self) -> SystemTime {
        self.first_task_time
    }

    /// Attempt of the workflow under its retry policy, from 1.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Limit on the whole chain of runs; `None` is no limit.
    pub fn execution_timeout(&self) -> Option<Duration> {
        self.rest.as_ref()?.execution_timeout
    }

    /// Limit on this run; `None` is no limit.
    pub fn run_timeout(&self) -> Option<Duration> {
        self.rest.as_ref()?.run_timeout
    }

    /// Limit on one workflow task.
    pub fn task_timeout(&self) -> Option<Duration> {
        self.task_timeout
    }

    /// The workflow's retry policy.
    pub fn retry_policy(&self) -> Option<&RetryPolicy> {
        self.rest.as_ref()?.retry_policy.as_ref()
    }

    /// The cron schedule.
    pub fn cron_schedule(&self) -> Option<&str> {
        self.rest.as_ref().map(|rest| &*rest.cron_schedule).filter(|schedule| !schedule.is_empty())
    }

    /// The workflow that started this one as its child.
    pub fn parent(&self) -> Option<&ParentExecution> {
        self.rest.as_ref()?.parent.as_ref()
    }

    /// The root of the tree of children that this workflow is in, if it is a child.
    pub fn root(&self) -> Option<&ExecutionRef> {
        self.rest.as_ref()?.root.as_ref()
    }

    /// Headers that the caller's interceptors set.
    pub fn headers(&self) -> &PayloadMap {
        self.rest.as_ref().map_or(&NOTHING, |rest| &rest.headers)
    }

    /// The memo as it was when the run started, encoded. [`memo`](crate::memo()) decodes a value.
    pub fn memo(&self) -> &PayloadMap {
        self.rest.as_ref().map_or(&NOTHING, |rest| &rest.memo)
    }

    /// The search attributes as they were when the run started, encoded.
    pub fn search_attributes(&self) -> &PayloadMap {
        self.rest.as_ref().map_or(&NOTHING, |rest| &rest.search_attributes)
    }

    /// Result of the run before this one, under a cron schedule, encoded.
    pub fn last_completion_result(&self) -> Option<&Payload> {
        self.rest.as_ref()?.last_completion_result.as_ref()
    }

    /// Failure of the run before this one, under a cron schedule or a retry policy.
    pub fn last_failure(&self) -> Option<&Failure> {
        self.rest.as_ref()?.last_failure.as_deref()
    }

    /// Priority of the workflow.
    pub fn priority(&self) -> Option<&Priority> {
        self.rest.as_ref()?.priority.as_ref()
    }
}
