//! Options of a worker, with their defaults and limits.

mod build;

use std::env::VarError;
use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use stead_activity::{Activities, Interceptor};
use stead_client::Client;
use stead_data::metrics::MetricSink;
use stead_data::{BoxFuture, Extensions};
use stead_workflow::{ActivatesPatch, Definition, FailOn, PatchActivation, Workflow, WorkflowInterceptor};

use super::{FatalErrorHook, Worker};
use crate::deployment::WorkerDeployment;
use crate::error::RunError;
use crate::plugin::{self, WorkerPlugin};
use crate::poll::PollerBehavior;
use crate::shadow::Sample;
use crate::shared::Options;
use crate::slots::Tuner;

/// Collects what a worker runs and how. Made by [`Worker::builder`].
#[must_use = "a builder does nothing until `build` is called"]
pub struct WorkerBuilder {
    client: Client,
    task_queue: String,
    identity: Option<String>,
    deployment: Option<WorkerDeployment>,
    activates_patch: Option<Arc<ActivatesPatch>>,
    metrics: Option<Arc<dyn MetricSink>>,
    pub(crate) workflows: Vec<Definition>,
    pub(crate) activities: Vec<stead_activity::Definition>,
    pub(crate) workflow_interceptors: Vec<Arc<dyn WorkflowInterceptor>>,
    pub(crate) activity_interceptors: Vec<Arc<dyn Interceptor>>,
    pub(crate) nexus_services: Vec<stead_nexus::Definition>,
    pub(crate) nexus_interceptors: Vec<Arc<dyn stead_nexus::Interceptor>>,
    plugins: Vec<Arc<dyn WorkerPlugin>>,
    activity_extensions: Extensions,
    nexus_extensions: Extensions,
    plugin_shutdown_timeout: Duration,
    on_fatal_error: Option<FatalErrorHook>,
    tuner: Option<Tuner>,
    has_slot_counts: bool,
    debug_mode: bool,
    options: Options,
}

impl WorkerBuilder {
    pub(super) fn new(client: &Client, task_queue: String) -> Self {
        let builder = Self {
            client: client.clone(),
            task_queue,
            identity: None,
            deployment: None,
            activates_patch: None,
            metrics: None,
            workflows: Vec::new(),
            activities: Vec::new(),
            workflow_interceptors: Vec::new(),
            activity_interceptors: Vec::new(),
            nexus_services: Vec::new(),
            nexus_interceptors: Vec::new(),
            activity_extensions: Extensions::new(),
            nexus_extensions: Extensions::new(),
            plugins: Vec::new(),
            plugin_shutdown_timeout: Duration::from_secs(60),
            on_fatal_error: None,
            tuner: None,
            has_slot_counts: false,
            debug_mode: is_debug(std::env::var_os("TEMPORAL_DEBUG")),
            options: Options {
                slow_workflow_task: Some(slow_workflow_task(std::env::var(
                    "TEMPORAL_WORKFLOW_TASK_DURATION_WARN_SECONDS",
                ))),
                ..Options::default()
            },
        };
        plugin::of_client(client).fold(builder, Self::add_plugin)
    }

    /// Registers a workflow.
    pub fn workflow<W: Workflow>(self) -> Self {
        self.workflow_definition(Definition::of::<W>())
    }

    /// Registers a workflow by its definition.
    #[doc(hidden)]
    pub fn workflow_definition(mut self, definition: Definition) -> Self {
        self.workflows.push(definition);
        self
    }

    /// Registers the activities of an instance.
    pub fn activities(self, instance: impl Activities) -> Self {
        self.activities_shared(Arc::new(instance))
    }

    /// Registers the activities of an instance that others hold too.
    pub fn activities_shared(mut self, instance: Arc<impl Activities>) -> Self {
        self.activities.extend(instance.definitions());
        self
    }

    /// Registers a Nexus service: the type that handles its operations.
    pub fn nexus_service(self, handlers: impl stead_nexus::Service) -> Self {
        self.nexus_service_shared(Arc::new(handlers))
    }

    /// Registers a Nexus service whose handlers others hold too.
    pub fn nexus_service_shared(self, handlers: Arc<impl stead_nexus::Service>) -> Self {
        self.nexus_definition(handlers.definition())
    }

    /// Registers a Nexus service by its definition.
    #[doc(hidden)]
    pub fn nexus_definition(mut self, definition: stead_nexus::Definition) -> Self {
        self.nexus_services.push(definition);
        self
    }

    /// Shows an interceptor what goes into workflow code and what it asks for. They are called in the order in which
    /// they are added.
    pub fn workflow_interceptor(mut self, interceptor: impl WorkflowInterceptor) -> Self {
        self.workflow_interceptors.push(Arc::new(interceptor));
        self
    }

    /// Wraps all activities in an interceptor. The first one that is added is the outermost.
    pub fn activity_interceptor(mut self, interceptor: impl Interceptor) -> Self {
        self.activity_interceptors.push(Arc::new(interceptor));
        self
    }

    /// Wraps the handlers of all Nexus operations in an interceptor. The first one that is added is the outermost.
    pub fn nexus_interceptor(mut self, interceptor: impl stead_nexus::Interceptor) -> Self {
        self.nexus_interceptors.push(Arc::new(interceptor));
        self
    }

    /// Adds a plugin, which sets its options now. Those that came with the client are there already.
    pub fn plugin(self, plugin: impl WorkerPlugin) -> Self {
        self.add_plugin(Arc::new(plugin))
    }

    fn add_plugin(self, plugin: Arc<dyn WorkerPlugin>) -> Self {
        if self.plugins.iter().any(|other| other.name() == plugin.name()) {
            let (name, task_queue) = (plugin.name(), &self.task_queue);
            tracing::warn!(target: "stead::worker", plugin = name, task_queue, "a worker has a plugin of this name twice");
        }
        let mut configured = plugin.configure_worker(self);
        configured.plugins.push(plugin);
        configured
    }

    /// How long plugins may take to [wind down](WorkerPlugin::around_run) after the worker has stopped.
    ///
    /// Default: 60 s.
    pub fn plugin_shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.plugin_shutdown_timeout = timeout;
        self
    }

    /// How many workflows stay in memory between their tasks. The ones that were not used for longest are dropped, and
    /// rebuilt from history when they are needed. Zero keeps none, so every task replays the whole history.
    ///
    /// Default: 1000.
    pub fn max_cached_workflows(mut self, count: usize) -> Self {
        self.options.max_cached_workflows = count;
        self
    }

    /// How many bytes the workflows that stay in memory may have been sent, all together: the sizes of their histories,
    /// as the server counts them. What their code makes of it cannot be seen from here; this is the measure of what it
    /// may keep. Beyond it the ones that were not used for longest are dropped, as with
    /// [`max_cached_workflows`](Self::max_cached_workflows).
    ///
    /// Default: 1 GiB.
    pub fn max_cached_bytes(mut self, bytes: usize) -> Self {
        self.options.max_cached_bytes = bytes;
        self
    }

    /// Fails workflows with such a defect, instead of their workflow task. A failed task is tried again, so that better
    /// code can still finish the workflow; a failed workflow is over. A workflow may say the same of itself:
    /// `#[workflow(fail_on(panics))]`. What is given in several calls adds up.
    ///
    /// Default: none.
    pub fn fail_workflows_on(mut self, defects: FailOn) -> Self {
        self.options.fail_workflows_on = self.options.fail_workflows_on | defects;
        self
    }

    /// How many workflow tasks are handled at once, those included that a poll waits for. At least 1, with a cache at
    /// least 2.
    ///
    /// Default: 100.
    pub fn max_concurrent_workflow_tasks(mut self, count: u32) -> Self {
        self.has_slot_counts = true;
        self.options.max_concurrent_workflow_tasks = count;
        self
    }

    /// How many activities run at once, those included that a poll waits for. At least 1.
    ///
    /// Default: 100.
    pub fn max_concurrent_activities(mut self, count: u32) -> Self {
        self.has_slot_counts = true;
        self.options.max_concurrent_activities = count;
        self
    }

    /// How many attempts of local activities run at the same time. Further ones wait for a slot, as long as their
    /// schedule-to-start timeout allows. Default: 100.
    pub fn max_concurrent_local_activities(mut self, count: u32) -> Self {
        self.has_slot_counts = true;
        self.options.max_concurrent_local_activities = count;
        self
    }

    /// How many requests to handlers of Nexus operations run at once, those included that a poll waits for. At least 1.
    ///
    /// Default: 100.
    pub fn max_concurrent_nexus_tasks(mut self, count: u32) -> Self {
        self.has_slot_counts = true;
        self.options.max_concurrent_nexus_tasks = count;
        self
    }

    /// Where slots for tasks come from, in place of `max_concurrent_workflow_tasks`, `max_concurrent_activities`,
    /// `max_concurrent_local_activities` and `max_concurrent_nexus_tasks`, which cannot be given as well.
    ///
    /// Default: the numbers of these.
    pub fn tuner(mut self, tuner: Tuner) -> Self {
        self.tuner = Some(tuner);
        self
    }

    /// How many polls for workflow tasks are open at once, at most as many as slots: a number, at least 1, or
    /// [as many as the server advises](PollerBehavior::autoscaling). With a cache the advised number is one for each of
    /// two queues, the one that all workers share and this worker's own, and at most half of the slots.
    ///
    /// Default: 5.
    pub fn workflow_task_pollers(mut self, behavior: impl Into<PollerBehavior>) -> Self {
        self.options.workflow_pollers = behavior.into();
        self
    }

    /// Which part of a fixed number of polls for workflow tasks looks at the queue that all workers share; the others
    /// look at this worker's own, where workflows in its memory get their tasks. At least one looks at each. Between 0
    /// and 1.
    ///
    /// Default: 0.2.
    pub fn nonsticky_to_sticky_poll_ratio(mut self, ratio: f64) -> Self {
        self.options.nonsticky_ratio = ratio;
        self
    }

    /// Takes no activities from the server: only workflows of this worker run its activities, as local ones.
    pub fn local_activities_only(mut self) -> Self {
        self.options.polls_activities = false;
        self
    }

    /// How many activities this worker starts in a second, evenly spread. Above 0.
    ///
    /// Default: no limit.
    pub fn max_activities_per_second(mut self, rate: f64) -> Self {
        self.options.max_activities_per_second = Some(rate);
        self
    }

    /// How many activities of the task queue the server gives out in a second, to all workers together. If workers
    /// differ, the one that polled last decides. No activity is started eagerly then, as it would pass by the limit.
    /// Above 0.
    ///
    /// Default: no limit.
    pub fn max_task_queue_activities_per_second(mut self, rate: f64) -> Self {
        self.options.max_task_queue_activities_per_second = Some(rate);
        self
    }

    /// How often the server is told how this worker does, if its namespace wants to know: what `temporal worker list` and
    /// `describe` show. Between 1 s and 60 s; `None` for never.
    ///
    /// Default: 60 s.
    pub fn heartbeat_interval(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.options.heartbeat_interval = interval.into();
        self
    }

    /// Is called when the worker stops without being told to, before it shuts down, which waits for it for a minute at
    /// most. A panic of it is logged.
    ///
    /// ```no_run
    /// # fn example(client: &stead_client::Client, alarm: fn(String)) {
    /// let worker = stead_worker::Worker::builder(client, "orders")
    ///     .on_fatal_error(move |error| { let text = error.to_string(); Box::pin(async move { alarm(text) }) });
    /// # let _ = worker;
    /// # }
    /// ```
    pub fn on_fatal_error(
        mut self,
        hook: impl for<'a> FnOnce(&'a RunError) -> BoxFuture<'a, ()> + Send + Sync + 'static,
    ) -> Self {
        self.on_fatal_error = Some(Box::new(hook));
        self
    }

    /// How many polls for activities are open at once, at most as many as slots: a number, at least 1, or
    /// [as many as the server advises](PollerBehavior::autoscaling).
    ///
    /// Default: 5.
    pub fn activity_pollers(mut self, behavior: impl Into<PollerBehavior>) -> Self {
        self.options.activity_pollers = behavior.into();
        self
    }

    /// How many polls for Nexus tasks are open at once, at most as many as slots: a number, at least 1, or
    /// [as many as the server advises](PollerBehavior::autoscaling).
    ///
    /// Default: 5.
    pub fn nexus_task_pollers(mut self, behavior: impl Into<PollerBehavior>) -> Self {
        self.options.nexus_pollers = behavior.into();
        self
    }

    /// How long a task waits for the worker that has its workflow in memory, before any worker may take it.
    ///
    /// Default: 10 s.
    pub fn sticky_schedule_to_start_timeout(mut self, timeout: Duration) -> Self {
        self.options.sticky_timeout = timeout;
        self
    }

    /// How long running activities may go on after the worker was told to stop, before they are cancelled.
    ///
    /// Default: 0 s.
    pub fn graceful_shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.options.graceful_shutdown_timeout = timeout;
        self
    }

    /// What this worker is called in histories and in the web interface.
    ///
    /// Default: the client's identity.
    pub fn identity(mut self, identity: impl Into<String>) -> Self {
        self.identity = Some(identity.into());
        self
    }

    /// Which version of which deployment the worker is.
    ///
    /// Default: none.
    pub fn deployment(mut self, deployment: WorkerDeployment) -> Self {
        self.deployment = Some(deployment);
        self
    }

    /// Decides of each patch that a run asks for the first time whether it is taken, so that a change can be deployed to
    /// all workers before a run takes it: `false` is the answer of [`patched`](stead_workflow::patched) for the whole run,
    /// and leaves nothing in history. Not asked while replaying, nor for a deprecated patch.
    ///
    /// The function is called as part of the workflow and reads only; it may look at configuration, as its answer is asked
    /// once for each run and patch. What it answers when a run is rebuilt before its answer is recorded may differ.
    ///
    /// Default: every patch is taken.
    pub fn patch_activation(
        mut self,
        activates: impl Fn(&PatchActivation<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.activates_patch = Some(Arc::new(activates));
        self
    }

    /// Lends a value to the activities, which find it by its type with [`activity::extension`](stead_activity::extension);
    /// one of the same type is replaced. A [`process::Program`](stead_activity::process::Program) says what activities in
    /// processes of their own run.
    pub fn activity_extension<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.activity_extensions.insert(value);
        self
    }

    /// Lends a value to the handlers of Nexus operations, which find it by its type with
    /// [`nexus::extension`](stead_nexus::extension); one of the same type is replaced.
    pub fn nexus_extension<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.nexus_extensions.insert(value);
        self
    }

    /// Where the numbers go: the worker's own, by the names that they have in all of Temporal's SDKs, and those that
    /// [`workflow::meter`](stead_workflow::meter()) and [`activity::meter`](stead_activity::meter()) make.
    ///
    /// Default: where those of the [connection](stead_client::Connect::metrics) go, which is nowhere unless it was told.
    pub fn metrics(mut self, sink: Arc<dyn MetricSink>) -> Self {
        self.metrics = Some(sink);
        self
    }

    /// How many activities a workflow task may start on this worker directly, without their going through the task
    /// queue. At least 1; see [`disable_eager_activities`](Self::disable_eager_activities).
    ///
    /// Default: 3.
    pub fn max_eager_activities(mut self, count: u32) -> Self {
        self.options.max_eager_activities = Some(count);
        self
    }

    /// Sends every activity through its task queue.
    pub fn disable_eager_activities(mut self) -> Self {
        self.options.max_eager_activities = None;
        self
    }

    /// Sends payloads that are over the limits of the namespace all the same. The server terminates the workflow then, or
    /// fails the activity for good; by default the worker finds them before, and what it fails is tried again.
    pub fn disable_payload_error_limit(mut self) -> Self {
        self.options.refuses_large_payloads = false;
        self
    }

    /// How many threads run workflow code. At least 1.
    ///
    /// Default: the available parallelism.
    pub fn shards(mut self, count: usize) -> Self {
        self.options.shards = count;
        self
    }

    /// How long workflow code may run without waiting for anything. The task of a workflow that takes longer fails with
    /// `TMPRL1101`, and is tried again; what it blocks goes on elsewhere. A thread cannot be ended from outside, so the one
    /// that the workflow holds is given up, at most 16 of a shard at a time.
    ///
    /// Default: 2 s, as in Temporal's other SDKs.
    pub fn deadlock_timeout(mut self, timeout: Duration) -> Self {
        self.options.deadlock_timeout = Some(timeout);
        self
    }

    /// Runs the code of each workflow twice, and fails the workflow task, as for history that does not fit, if it does
    /// something else the second time: at every step on a fresh instance on another thread, and once more from the
    /// beginning when the workflow ends. So what no replay would repeat (the order of a hash map, a static, the time, a
    /// random `select!`) is found where it is written. Test environments do this always.
    ///
    /// It takes twice the CPU time and memory. What the code logs or counts the second time is dropped; interceptors and
    /// [`patch_activation`](Self::patch_activation) are called both times.
    ///
    /// Default: no code is run twice.
    pub fn shadow_replay(mut self) -> Self {
        self.options.shadows = Some(Sample { fraction: 1.0, whole: true });
        self
    }

    /// As [`shadow_replay`](Self::shadow_replay), for a fraction of the workflows, from 0 (none) to 1 (all), and step by
    /// step only: for production, where 0.001 costs next to nothing. Which ones these are goes by their run ids.
    ///
    /// Default: 0.
    pub fn shadow_sample(mut self, fraction: f64) -> Self {
        self.options.shadows = (fraction != 0.0).then_some(Sample { fraction, whole: false });
        self
    }

    /// Looks at what workflow code asks of the operating system while it is polled: the time, random numbers, files, sockets,
    /// threads, environment variables, other processes. A workflow task during which it did fails, as for history that does
    /// not fit, with the function's name and a stack trace. The first worker with a guard logs what it can see in this
    /// program; on platforms other than Linux with glibc that is nothing.
    ///
    /// What is harmless goes into [`unwatched`](stead_workflow::unwatched). What a subscriber of `tracing` does is, if it is
    /// wrapped in [`SkipReplays`](stead_workflow::SkipReplays). Constructors, handlers of queries and validators are not
    /// looked at, nor is a poll that panics, which fails its task anyway.
    ///
    /// Default: it does not, except in a test environment.
    #[cfg(feature = "guard")]
    #[cfg_attr(docsrs, doc(cfg(feature = "guard")))]
    pub fn guard(mut self, looks: bool) -> Self {
        self.options.guards = looks;
        self
    }

    /// Lets workflow code stand still for as long as somebody looks at it with a debugger: nothing watches for deadlocks.
    /// The environment variable `TEMPORAL_DEBUG`, set to anything, does the same for all workers of a program.
    pub fn debug_mode(mut self) -> Self {
        self.debug_mode = true;
        self
    }

    /// Warns, as `TMPRL1104`, of each workflow task that takes longer, from its coming until it is reported, with what
    /// external storage had to do for it; `None` for no warnings.
    ///
    /// Default: 5 s, or as many seconds as the environment variable `TEMPORAL_WORKFLOW_TASK_DURATION_WARN_SECONDS` says.
    pub fn warn_of_slow_workflow_tasks(mut self, longer_than: impl Into<Option<Duration>>) -> Self {
        self.options.slow_workflow_task = longer_than.into();
        self
    }

    /// How often heartbeats of activities without a heartbeat timeout are sent.
    ///
    /// Default: 30 s.
    pub fn default_heartbeat_throttle_interval(mut self, interval: Duration) -> Self {
        self.options.default_heartbeat_throttle = interval;
        self
    }

    /// The longest time between two heartbeats that are sent, however long the heartbeat timeout is.
    ///
    /// Default: 60 s.
    pub fn max_heartbeat_throttle_interval(mut self, interval: Duration) -> Self {
        self.options.max_heartbeat_throttle = interval;
        self
    }

    /// Sends heartbeats of activities without their doing: of those with a heartbeat timeout, each half of it, for as long as
    /// their code runs. What is sent are the details that the activity gave last, or those of the attempt before. So a worker
    /// that is gone is noticed, and the cancellation of an activity arrives though it sends no heartbeats.
    ///
    /// The heartbeat timeout then says nothing of the activity's own progress: one that hangs is ended by its start-to-close
    /// timeout alone.
    ///
    /// Default: activities send their own with [`heartbeat`](stead_activity::heartbeat).
    pub fn automatic_heartbeats(mut self) -> Self {
        self.options.heartbeats_by_itself = true;
        self
    }

    /// How long an asynchronous activity may go on after it was cancelled, if it does not look at its cancellation: then it is
    /// dropped where it waits, as any future can be, and reported as cancelled; or as failed, to be tried again, where it was
    /// paused, reset, or its worker shuts down. A blocking one cannot be stopped. `None` lets it go on.
    ///
    /// Default: `None`.
    pub fn drop_cancelled_activities_after(mut self, grace: impl Into<Option<Duration>>) -> Self {
        self.options.drop_cancelled_after = grace.into();
        self
    }

    /// Runs the workflows on the thread that runs the worker, which has to be in a `LocalSet`: for simulations. Code that
    /// does not yield is not noticed there.
    #[cfg(feature = "simulation")]
    #[doc(hidden)]
    pub fn on_one_thread(mut self) -> Self {
        self.options.on_one_thread = true;
        self.options.deadlock_timeout = None;
        self
    }
}

/// Whether the variable asks for it, as in Temporal's other SDKs: it is set, and not empty.
fn is_debug(variable: Option<OsString>) -> bool {
    variable.is_some_and(|value| !value.is_empty())
}

/// The default as `temporalio-sdk-core` has it (`crates/sdk-core/src/worker/workflow/managed_run.rs`).
fn slow_workflow_task(variable: Result<String, VarError>) -> Duration {
    Duration::from_secs(variable.ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(5))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wk_24_the_variable_asks_for_debug_mode_unless_it_is_empty() {
        assert!(is_debug(Some("1".into())) && is_debug(Some("true".into())));
        assert!(!is_debug(Some("".into())) && !is_debug(None));
    }

    #[test]
    fn workflow_tasks_are_slow_after_five_seconds_unless_the_environment_says_otherwise() {
        let seconds = |variable| slow_workflow_task(variable).as_secs();
        assert_eq!(seconds(Ok("30".to_owned())), 30);
        assert_eq!(seconds(Ok("soon".to_owned())), 5);
        assert_eq!(seconds(Err(VarError::NotPresent)), 5);
    }
}
