//! The parts of a worker that run: pollers and shards, and the order in which they stop.

use std::sync::Arc;
use std::time::Duration;

use stead_activity::CancellationDetails;
use stead_client::workers::LocalWorker;
use stead_client::{CallOptions, RpcError};
use stead_core::policy::AutoscalingPollers;
use stead_nexus::CancelReason;
use stead_proto::enums::v1::{TaskQueueType, WorkerStatus};
use stead_proto::taskqueue::v1::TaskQueue;
use stead_proto::worker::v1::WorkerHeartbeat;
use stead_proto::workflowservice::v1::ShutdownWorkerRequest;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::eager::Here;
use crate::error::RunError;
use crate::handle::Overlap;
use crate::heartbeat::Heartbeat;
use crate::lifecycle::Phase;
use crate::metrics::names;
use crate::poll::{self, ActivityTasks, NexusTasks, PollerBehavior, Scaler, WorkflowTasks};
use crate::shard::{Ended, Shards};
use crate::shared::Shared;

/// A worker that polls. Dropping it stops it without grace.
pub(super) struct Running {
    shared: Arc<Shared>,
    pollers: JoinSet<Result<(), RpcError>>,
    shards: Arc<Shards>,
    shards_ended: Ended,
    /// Held, as the connection forgets a worker that nobody holds.
    here: Option<Arc<dyn LocalWorker>>,
    heartbeat: Option<Heartbeat>,
}

impl Running {
    /// Starts shards and pollers.
    ///
    /// # Errors
    ///
    /// If another worker takes the same tasks, or there is no thread for a shard.
    pub(super) fn start(shared: Arc<Shared>) -> Result<Self, RunError> {
        let (shards, shards_ended) = Shards::start(&shared, &Handle::current()).map_err(RunError::Thread)?;
        let mut running = Self {
            shared,
            pollers: JoinSet::new(),
            shards: Arc::new(shards),
            shards_ended,
            here: None,
            heartbeat: None,
        };
        running.enter()?;
        announce(&running.shared);
        running.shared.lifecycle.advance(Phase::Running);
        running.poll_workflow_tasks();
        running.poll_activity_tasks();
        running.poll_nexus_tasks();
        running.heartbeat = Heartbeat::start(&running.shared);
        tracing::debug!(
            target: "stead::worker",
            task_queue = running.shared.task_queue, namespace = running.shared.namespace,
            identity = running.shared.identity, pollers = running.pollers.len(), "worker started"
        );
        Ok(running)
    }

    /// Some look at the queue that all workers share, the others at this worker's own.
    fn poll_workflow_tasks(&mut self) {
        if self.shared.guests.is_empty() {
            return;
        }
        let plan = plan(&self.shared);
        self.poll_queue(self.shared.normal_queue(), plan.on_shared);
        if let (Some(queue), Some(pollers)) = (self.shared.sticky_queue(), plan.on_own) {
            self.poll_queue(queue, pollers);
        }
    }

    fn poll_queue(&mut self, queue: TaskQueue, pollers: PollerBehavior) {
        let (count, scaler) = pool(pollers);
        for _ in 0..count {
            let (shared, shards) = (Arc::clone(&self.shared), Arc::clone(&self.shards));
            let tasks = WorkflowTasks { shared, shards, queue: queue.clone(), scaler: scaler.clone() };
            self.pollers.spawn(poll::run(tasks));
        }
    }

    /// Lets its connection know of it.
    fn enter(&mut self) -> Result<(), RunError> {
        let (shared, shards) = (Arc::clone(&self.shared), Arc::clone(&self.shards));
        let queue = shared.normal_queue();
        let worker: Arc<dyn LocalWorker> = Arc::new(Here::new(WorkflowTasks { shared, shards, queue, scaler: None }));
        let entered = self.shared.enter(&worker);
        entered.map_err(|other| RunError::Overlap(Overlap::new(&self.shared.claim, &other)))?;
        self.here = Some(worker);
        Ok(())
    }

    fn poll_activity_tasks(&mut self) {
        if !self.shared.polls_activities() {
            return;
        }
        let options = &self.shared.options;
        let (count, scaler) = pool(within(options.activity_pollers, self.shared.activity_slots.maximum()));
        for _ in 0..count {
            let tasks = ActivityTasks { shared: Arc::clone(&self.shared), scaler: scaler.clone() };
            self.pollers.spawn(poll::run(tasks));
        }
    }

    fn poll_nexus_tasks(&mut self) {
        if self.shared.nexus.is_empty() {
            return;
        }
        let (count, scaler) = pool(within(self.shared.options.nexus_pollers, self.shared.nexus_slots.maximum()));
        for _ in 0..count {
            let tasks = NexusTasks { shared: Arc::clone(&self.shared), scaler: scaler.clone() };
            self.pollers.spawn(poll::run(tasks));
        }
    }

    /// Waits until the server says that this worker may not poll.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub(super) async fn refused(&mut self) -> RpcError {
        loop {
            match self.pollers.join_next().await {
                Some(Ok(Err(error))) => return error,
                Some(Err(panic)) => tracing::error!(target: "stead::worker", %panic, "a poller is lost"),
                // Pollers end without an error only when the worker drains, which is noticed elsewhere.
                Some(Ok(Ok(()))) => {}
                None => return std::future::pending().await,
            }
        }
    }

    /// Stops in order: polls, then activities, Nexus handlers and workflow tasks side by side, then shards.
    pub(super) async fn shut_down(mut self) {
        tracing::debug!(target: "stead::worker", task_queue = self.shared.task_queue, "worker shutting down");
        self.shared.lifecycle.advance(Phase::Draining);
        self.shared.told_to_stop.cancel(CancellationDetails::worker_shutdown());
        self.shared.nexus_told_to_stop.cancel(CancelReason::WorkerShutdown);
        self.here = None;
        let last_heartbeat = self.heartbeat.take().and_then(|heartbeat| heartbeat.last(WorkerStatus::ShuttingDown));
        self.close_polls(last_heartbeat).await;
        tokio::join!(self.drain_activities(), self.drain_workflow_tasks());
        self.shards.close();
        if !self.shards_ended.within(SHARDS_END_WITHIN).await {
            tracing::warn!(target: "stead::worker", "a workflow does not yield; its thread is abandoned");
        }
        tracing::debug!(target: "stead::worker", "worker stopped");
    }

    /// Asks the server to end the polls, so that no task is on its way to a poll that nobody reads; then drops those
    /// that did not end.
    async fn close_polls(&mut self, worker_heartbeat: Option<WorkerHeartbeat>) {
        let request = ShutdownWorkerRequest { worker_heartbeat, ..self.shutdown_request() };
        let announced = self.shared.service().shutdown_worker(request, shutdown_call()).await;
        if let Err(error) = announced {
            tracing::debug!(target: "stead::worker", %error, "shutdown not announced");
        }
        let pollers = &mut self.pollers;
        let _ = timeout(POLLS_END_WITHIN, async { while pollers.join_next().await.is_some() {} }).await;
        self.shared.lifecycle.advance(Phase::PollsClosed);
        while self.pollers.join_next().await.is_some() {}
    }

    fn shutdown_request(&self) -> ShutdownWorkerRequest {
        let shared = &self.shared;
        let workflows = (!shared.guests.is_empty()).then_some(TaskQueueType::Workflow);
        let activities = shared.polls_activities().then_some(TaskQueueType::Activity);
        let nexus = (!shared.nexus.is_empty()).then_some(TaskQueueType::Nexus);
        ShutdownWorkerRequest {
            namespace: shared.namespace.clone(),
            sticky_task_queue: shared.sticky_queue.clone().unwrap_or_default(),
            identity: shared.identity.clone(),
            reason: "worker shutdown".to_owned(),
            worker_instance_key: shared.instance_key.clone(),
            task_queue: shared.task_queue.clone(),
            task_queue_types: workflows.into_iter().chain(activities).chain(nexus).map(Into::into).collect(),
            ..Default::default()
        }
    }

    async fn drain_activities(&self) {
        let Shared { activity_slots, local_activity_slots, nexus_slots, lifecycle, options, .. } = &*self.shared;
        let all_ended = async || {
            activity_slots.all_free().await;
            local_activity_slots.all_free().await;
            nexus_slots.all_free().await;
        };
        if timeout(options.graceful_shutdown_timeout, all_ended()).await.is_ok() {
            return;
        }
        lifecycle.advance(Phase::Cancelling);
        if timeout(ACTIVITIES_END_WITHIN, all_ended()).await.is_ok() {
            return;
        }
        let running = activity_slots.in_use() + local_activity_slots.in_use() + nexus_slots.in_use();
        tracing::warn!(target: "stead::worker", running, "activities or Nexus handlers do not end; they are given up");
        lifecycle.advance(Phase::Abandoning);
        // What is left to do is to tell the server.
        let _ = timeout(REPORTS_END_WITHIN, all_ended()).await;
    }

    async fn drain_workflow_tasks(&self) {
        let slots = &self.shared.workflow_slots;
        if timeout(WORKFLOW_TASKS_END_WITHIN, slots.all_free()).await.is_err() {
            tracing::warn!(target: "stead::worker", running = slots.in_use(), "workflow tasks do not end");
        }
    }
}

impl Drop for Running {
    /// After a shutdown nothing is left. Otherwise nobody waits any more for what still runs.
    fn drop(&mut self) {
        self.shared.lifecycle.advance(Phase::Stopped);
    }
}

/// Tells the metrics that there is a worker, and what it has room for.
fn announce(shared: &Shared) {
    shared.metrics.count(&names::WORKER_START, &[]);
    if !shared.guests.is_empty() {
        shared.workflow_slots.announce();
    }
    if !shared.activities.is_empty() {
        shared.local_activity_slots.announce();
    }
    if shared.polls_activities() {
        shared.activity_slots.announce();
    }
    if !shared.nexus.is_empty() {
        shared.nexus_slots.announce();
    }
}

/// How many pollers look at the shared queue, and how many at the worker's own.
struct Plan {
    on_shared: PollerBehavior,
    on_own: Option<PollerBehavior>,
}

/// There is a slot for each of them, or polls of one queue could hold all slots while tasks wait in the other.
fn plan(shared: &Shared) -> Plan {
    let (options, is_sticky) = (&shared.options, shared.sticky_queue.is_some());
    match options.workflow_pollers {
        PollerBehavior::Fixed(count) => {
            let count = count.min(shared.workflow_slots.maximum());
            if !is_sticky {
                return Plan { on_shared: PollerBehavior::Fixed(count), on_own: None };
            }
            // Cut off: what is left over looks at the worker's own queue.
            let on_shared = ((f64::from(count) * options.nonsticky_ratio) as u32).max(1);
            let on_own = count.saturating_sub(on_shared).max(1);
            Plan { on_shared: PollerBehavior::Fixed(on_shared), on_own: Some(PollerBehavior::Fixed(on_own)) }
        }
        autoscaling => {
            let queues = if is_sticky { 2 } else { 1 };
            let each = within(autoscaling, (shared.workflow_slots.maximum() / queues).max(1));
            Plan { on_shared: each, on_own: is_sticky.then_some(each) }
        }
    }
}

/// The same with no more polls than slots.
fn within(pollers: PollerBehavior, slots: u32) -> PollerBehavior {
    match pollers {
        PollerBehavior::Fixed(count) => PollerBehavior::Fixed(count.min(slots)),
        PollerBehavior::Autoscaling { minimum, maximum, initial } => PollerBehavior::Autoscaling {
            minimum: minimum.min(slots),
            maximum: maximum.min(slots),
            initial: initial.min(slots),
        },
    }
}

/// How many pollers there are, and who lets them poll if not all do.
fn pool(pollers: PollerBehavior) -> (u32, Option<Arc<Scaler>>) {
    match pollers {
        PollerBehavior::Fixed(count) => (count, None),
        PollerBehavior::Autoscaling { minimum, maximum, initial } => {
            let policy = AutoscalingPollers::new(minimum as usize, maximum as usize, initial as usize);
            (maximum, Some(Arc::new(Scaler::new(policy))))
        }
    }
}

fn shutdown_call() -> CallOptions {
    CallOptions::new().timeout(Duration::from_secs(2))
}

/// A server that knows the announcement ends polls at once.
const POLLS_END_WITHIN: Duration = Duration::from_secs(1);

/// From the cancellation of activities until they are given up.
const ACTIVITIES_END_WITHIN: Duration = Duration::from_secs(10);

/// As long as a call may take with its retries.
const REPORTS_END_WITHIN: Duration = Duration::from_secs(11);

/// A task takes no longer than the server waits for one, and its answer no longer than a call.
const WORKFLOW_TASKS_END_WITHIN: Duration = Duration::from_secs(20);

/// Shards have nothing left to do by then, unless a workflow does not yield.
const SHARDS_END_WITHIN: Duration = Duration::from_secs(2);
