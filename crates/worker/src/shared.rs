//! What all parts of a running worker know.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use stead_activity::{Cancellation, Extensions, Interceptor};
use stead_client::workers::{Claim, LocalWorker};
use stead_client::{CallOptions, Client, PayloadLimits, RpcError, WorkflowService};
use stead_core::RunOptions;
use stead_core::policy::RateLimit;
use stead_data::DataConverter;
use stead_proto::deployment::v1::WorkerDeploymentOptions;
use stead_proto::enums::v1::TaskQueueKind;
use stead_proto::taskqueue::v1::{StickyExecutionAttributes, TaskQueue};
use stead_proto::workflowservice::v1::{DescribeNamespaceRequest, DescribeNamespaceResponse};
use stead_workflow::FailOn;
use tokio::sync::watch;

use crate::activity::Registry;
use crate::clock::Clock;
use crate::codec::Codec;
use crate::deployment::WorkerDeployment;
use crate::guests::Guests;
use crate::health::{Errors, Polls};
use crate::lifecycle::{Lifecycle, Phase};
use crate::metrics::{Level, Metrics};
use crate::nexus;
use crate::poll::PollerBehavior;
use crate::shadow::Sample;
use crate::slots::{Resources, Slots};

/// The parts of a worker that never change, its client, and what its tasks count and wait on.
pub(crate) struct Shared {
    /// The one that it works with now.
    pub(crate) client: watch::Sender<Client>,
    /// Which tasks it takes, for the other workers of a connection to know.
    pub(crate) claim: Claim,
    /// What the connection knows of it, while it runs.
    pub(crate) here: Mutex<Option<Weak<dyn LocalWorker>>>,
    pub(crate) converter: DataConverter,
    pub(crate) codec: Codec,
    pub(crate) namespace: String,
    pub(crate) identity: String,
    pub(crate) task_queue: String,
    /// The queue of this process alone, where runs in its cache get their tasks; `None` without a cache.
    pub(crate) sticky_queue: Option<String>,
    /// Which version of its deployment the worker is, if it has one.
    pub(crate) deployment: Option<WorkerDeployment>,
    /// Tells the server that several polls belong to one worker.
    pub(crate) instance_key: String,
    pub(crate) options: Options,
    pub(crate) guests: Guests,
    pub(crate) activities: Registry,
    /// The first one is the outermost.
    pub(crate) activity_interceptors: Arc<[Arc<dyn Interceptor>]>,
    pub(crate) nexus: nexus::Registry,
    /// The first one is the outermost.
    pub(crate) nexus_interceptors: Arc<[Arc<dyn stead_nexus::Interceptor>]>,
    pub(crate) plugin_names: Vec<String>,
    pub(crate) extensions: Extensions,
    pub(crate) nexus_extensions: Extensions,
    /// Triggered when the worker stops, for activities to see.
    pub(crate) told_to_stop: Cancellation,
    /// The same for Nexus handlers.
    pub(crate) nexus_told_to_stop: stead_nexus::Cancellation,
    pub(crate) workflow_slots: Slots,
    pub(crate) activity_slots: Slots,
    pub(crate) local_activity_slots: Slots,
    pub(crate) nexus_slots: Slots,
    /// By kind of queue.
    pub(crate) workflow_polls: Polls,
    pub(crate) sticky_polls: Polls,
    pub(crate) activity_polls: Polls,
    pub(crate) nexus_polls: Polls,
    /// The last thing that went wrong between the worker and its server.
    pub(crate) errors: Errors,
    /// Whether the server said that the worker may not work.
    pub(crate) refused: AtomicBool,
    /// Runs in memory, on all shards.
    pub(crate) cached_runs: Level,
    /// What they were sent.
    pub(crate) cached_bytes: Level,
    pub(crate) metrics: Arc<Metrics>,
    /// Of the machine, or the container.
    pub(crate) resources: Arc<Resources>,
    /// How often the worker asks for an activity.
    pub(crate) activity_rate: Option<Mutex<RateLimit>>,
    pub(crate) clock: Clock,
    /// Whether the namespace wants to hear of its workers, as it said when the worker started.
    pub(crate) wants_heartbeats: AtomicBool,
    pub(crate) lifecycle: Lifecycle,
    /// Of the namespace, as it said when it was asked last.
    pub(crate) payload_limits: RwLock<Option<PayloadLimits>>,
}

/// What a user may choose, with the defaults that the builder documents.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) max_cached_workflows: usize,
    pub(crate) max_cached_bytes: usize,
    pub(crate) max_concurrent_workflow_tasks: u32,
    pub(crate) max_concurrent_activities: u32,
    pub(crate) max_concurrent_local_activities: u32,
    pub(crate) max_concurrent_nexus_tasks: u32,
    pub(crate) workflow_pollers: PollerBehavior,
    pub(crate) activity_pollers: PollerBehavior,
    pub(crate) nexus_pollers: PollerBehavior,
    /// Of the fixed polls for workflow tasks, those that look at the queue that all workers share.
    pub(crate) nonsticky_ratio: f64,
    pub(crate) polls_activities: bool,
    pub(crate) max_activities_per_second: Option<f64>,
    pub(crate) max_task_queue_activities_per_second: Option<f64>,
    pub(crate) heartbeat_interval: Option<Duration>,
    pub(crate) sticky_timeout: Duration,
    pub(crate) graceful_shutdown_timeout: Duration,
    /// `None`: no activity is asked for eagerly.
    pub(crate) max_eager_activities: Option<u32>,
    pub(crate) default_heartbeat_throttle: Duration,
    pub(crate) max_heartbeat_throttle: Duration,
    /// Whether the worker sends heartbeats of activities by itself.
    pub(crate) heartbeats_by_itself: bool,
    /// How long an asynchronous activity may go on after its cancellation; `None`: for ever.
    pub(crate) drop_cancelled_after: Option<Duration>,
    pub(crate) shards: usize,
    pub(crate) fail_workflows_on: FailOn,
    pub(crate) refuses_large_payloads: bool,
    /// `None`: nobody watches.
    pub(crate) deadlock_timeout: Option<Duration>,
    /// Workflow tasks that take longer are warned of.
    pub(crate) slow_workflow_task: Option<Duration>,
    #[cfg(feature = "simulation")]
    pub(crate) on_one_thread: bool,
    /// Which runs are run twice.
    pub(crate) shadows: Option<Sample>,
    /// Whether the polls of workflow code are looked at.
    #[cfg(feature = "guard")]
    pub(crate) guards: bool,
}

impl Shared {
    pub(crate) fn is_draining(&self) -> bool {
        self.lifecycle.has_reached(Phase::Draining)
    }

    /// The server's methods, over the connection that the worker has now.
    pub(crate) fn service(&self) -> WorkflowService {
        self.client.borrow().connection().workflow_service()
    }

    /// Asks a server for the worker's namespace: whether it knows it, and lets this client in.
    pub(crate) async fn ask_for_namespace(&self, client: &Client) -> Result<DescribeNamespaceResponse, RpcError> {
        let request = DescribeNamespaceRequest { namespace: self.namespace.clone(), ..Default::default() };
        client.connection().workflow_service().describe_namespace(request, CallOptions::new()).await
    }

    /// Keeps what a server says of the namespace.
    pub(crate) fn note_namespace(&self, client: &Client, answer: DescribeNamespaceResponse) {
        let info = answer.namespace_info.unwrap_or_default();
        let wants_heartbeats = info.capabilities.is_some_and(|it| it.worker_heartbeats);
        self.wants_heartbeats.store(wants_heartbeats, Ordering::SeqCst);
        let limits = info.limits.unwrap_or_default();
        // 0 where it does not say.
        let bytes = |limit: i64| usize::try_from(limit).ok().filter(|limit| *limit > 0);
        let known = client.connection().payload_limits();
        let known =
            known.refuse_payloads(bytes(limits.blob_size_limit_error)).refuse_memo(bytes(limits.memo_size_limit_error));
        if self.options.refuses_large_payloads {
            *self.payload_limits.write().unwrap_or_else(PoisonError::into_inner) = Some(known);
        }
    }

    /// Enters the worker with its connection.
    ///
    /// # Errors
    ///
    /// The claim of another worker that takes some of its tasks over this connection.
    pub(crate) fn enter(&self, worker: &Arc<dyn LocalWorker>) -> Result<(), Box<Claim>> {
        let mut here = self.here.lock().unwrap_or_else(PoisonError::into_inner);
        self.client.borrow().connection().workers().enter(worker)?;
        *here = Some(Arc::downgrade(worker));
        Ok(())
    }

    /// Lets all calls from now on go to another client, and enters the worker with its connection.
    ///
    /// # Errors
    ///
    /// As [`enter`](Self::enter); the worker keeps its client then.
    pub(crate) fn go_on_with(&self, client: &Client) -> Result<(), Box<Claim>> {
        // Held throughout: one replaces after the other.
        let here = self.here.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.client.borrow().connection().clone();
        let after = client.connection();
        let moves = !std::ptr::eq(before.workers(), after.workers());
        let worker = here.as_ref().and_then(Weak::upgrade).filter(|_| moves);
        if let Some(worker) = &worker {
            after.workers().enter(worker)?;
        }
        self.client.send_replace(client.clone());
        if let Some(worker) = &worker {
            before.workers().leave(worker);
        }
        Ok(())
    }

    /// Takes part in the work: asked for tasks, and not stopping.
    pub(crate) fn takes_tasks(&self) -> bool {
        !self.is_draining() && !self.is_refused()
    }

    pub(crate) fn is_refused(&self) -> bool {
        self.refused.load(Ordering::SeqCst)
    }

    /// For calls whose payloads the server would not take without harm to the workflow or the activity.
    pub(crate) fn call_options(&self) -> CallOptions {
        match *self.payload_limits.read().unwrap_or_else(PoisonError::into_inner) {
            Some(limits) => CallOptions::new().payload_limits(limits),
            None => CallOptions::new(),
        }
    }

    /// What each run knows of this worker.
    pub(crate) fn run_options(&self) -> RunOptions {
        let mut options = RunOptions::default();
        options.namespace = self.namespace.as_str().into();
        options.eager_activities = self.takes_eager_activities();
        // Whether the server keeps it.
        options.sdk_metadata = self.client.borrow().connection().capabilities().is_none_or(|it| it.sdk_metadata);
        options.deployment_version = self.deployment.as_ref().map(WorkerDeployment::to_version);
        options
    }

    /// Whether the worker takes activities from the server, besides those that its own workflows run locally.
    pub(crate) fn polls_activities(&self) -> bool {
        self.options.polls_activities && !self.activities.is_empty()
    }

    /// Whether activities may come with the answer to a workflow task. They pass by the task queue and its limit.
    pub(crate) fn takes_eager_activities(&self) -> bool {
        let Options { max_eager_activities, max_task_queue_activities_per_second, .. } = &self.options;
        max_eager_activities.is_some() && max_task_queue_activities_per_second.is_none() && self.polls_activities()
    }

    /// Takes the next turn to ask for an activity. Returns how long it is until then; `None` without a limit.
    pub(crate) fn next_activity(&self) -> Option<Duration> {
        let limit = self.activity_rate.as_ref()?;
        Some(limit.lock().unwrap_or_else(PoisonError::into_inner).take(self.clock.now()))
    }

    /// Takes a turn to ask for an activity if one has come. Returns whether it has.
    pub(crate) fn may_ask_for_activity(&self) -> bool {
        let Some(limit) = &self.activity_rate else { return true };
        limit.lock().unwrap_or_else(PoisonError::into_inner).try_take(self.clock.now())
    }

    /// Which version the worker is, as polls and answers say it.
    pub(crate) fn deployment_options(&self) -> Option<WorkerDeploymentOptions> {
        self.deployment.as_ref().map(WorkerDeployment::to_proto)
    }

    pub(crate) fn normal_queue(&self) -> TaskQueue {
        TaskQueue { name: self.task_queue.clone(), kind: TaskQueueKind::Normal.into(), ..TaskQueue::default() }
    }

    /// The worker's own queue as polls name it.
    pub(crate) fn sticky_queue(&self) -> Option<TaskQueue> {
        Some(TaskQueue {
            name: self.sticky_queue.clone()?,
            kind: TaskQueueKind::Sticky.into(),
            normal_name: self.task_queue.clone(),
        })
    }

    /// Asks the server to send a run's next tasks here. A worker that drains does not.
    pub(crate) fn sticky_attributes(&self) -> Option<StickyExecutionAttributes> {
        let worker_task_queue = self.sticky_queue().filter(|_| !self.is_draining())?;
        let timeout = stead_data::time::duration_to_proto(self.options.sticky_timeout);
        Some(StickyExecutionAttributes {
            worker_task_queue: Some(worker_task_queue),
            schedule_to_start_timeout: Some(timeout),
        })
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_cached_workflows: 1000,
            max_cached_bytes: 1 << 30,
            max_concurrent_workflow_tasks: 100,
            max_concurrent_activities: 100,
            max_concurrent_local_activities: 100,
            max_concurrent_nexus_tasks: 100,
            workflow_pollers: PollerBehavior::Fixed(5),
            activity_pollers: PollerBehavior::Fixed(5),
            nexus_pollers: PollerBehavior::Fixed(5),
            nonsticky_ratio: 0.2,
            polls_activities: true,
            max_activities_per_second: None,
            max_task_queue_activities_per_second: None,
            heartbeat_interval: Some(Duration::from_secs(60)),
            sticky_timeout: Duration::from_secs(10),
            graceful_shutdown_timeout: Duration::ZERO,
            max_eager_activities: Some(3),
            default_heartbeat_throttle: Duration::from_secs(30),
            max_heartbeat_throttle: Duration::from_secs(60),
            heartbeats_by_itself: false,
            drop_cancelled_after: None,
            shards: std::thread::available_parallelism().map_or(1, Into::into),
            fail_workflows_on: FailOn::NOTHING,
            refuses_large_payloads: true,
            deadlock_timeout: Some(Duration::from_secs(2)),
            slow_workflow_task: Some(Duration::from_secs(5)),
            #[cfg(feature = "simulation")]
            on_one_thread: false,
            shadows: None,
            #[cfg(feature = "guard")]
            guards: false,
        }
    }
}
