//! Pollers: each holds a slot, waits for one task, hands both on, and begins again.

mod behavior;

use std::sync::Arc;
use std::time::Duration;

use stead_client::{CallOptions, Client, RetryWatch, RpcError, WorkflowService};
use stead_core::policy::PollEnd;
use stead_data::BoxFuture;
use stead_proto::enums::v1::TaskQueueKind;
use stead_proto::taskqueue::v1::{PollerScalingDecision, TaskQueue, TaskQueueMetadata};
use stead_proto::workflowservice::v1::{
    PollActivityTaskQueueRequest, PollActivityTaskQueueResponse, PollNexusTaskQueueRequest, PollNexusTaskQueueResponse,
    PollWorkflowTaskQueueRequest, PollWorkflowTaskQueueResponse,
};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::health::Polls;
use crate::lifecycle::Phase;
use crate::metrics::{Origin, names};
use crate::shard::Shards;
use crate::shared::Shared;
use crate::slots::{Permit, SlotTask, Slots};
use crate::{activity, complete, nexus};

pub use behavior::PollerBehavior;
pub(crate) use behavior::Scaler;

/// Where a poller gets tasks from, and where it hands them to.
pub(crate) trait Source: Send + Sync + 'static {
    type Task: Send;
    fn shared(&self) -> &Arc<Shared>;
    fn slots(&self) -> &Slots;
    /// Whether it polls the worker's own queue.
    fn is_sticky(&self) -> bool {
        false
    }
    /// What a slot is used for.
    fn describe(&self, task: &Self::Task) -> SlotTask;
    /// Who lets it poll, if their number changes.
    fn scaler(&self) -> Option<&Scaler>;
    /// Waits until it may ask for one more task.
    fn paced(&self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
    /// Waits for a task, or until the server ends the poll.
    fn poll(
        &self,
        service: &WorkflowService,
        options: CallOptions,
    ) -> impl Future<Output = Result<Polled<Self::Task>, RpcError>> + Send;
    /// What is known of the polls of this queue.
    fn polls(&self) -> &Polls;
    /// A poll ended.
    fn note(&self, task: Option<&Self::Task>);
    fn dispatch(&self, task: Self::Task, permit: Permit);
}

/// What a poll brought.
pub(crate) struct Polled<T> {
    /// `None`: there was none before the server ended the poll.
    task: Option<T>,
    /// How many more or fewer polls the server would like.
    delta: Option<i32>,
}

impl<T> Polled<T> {
    fn new(task: Option<T>, advice: Option<PollerScalingDecision>) -> Self {
        Self { task, delta: advice.map(|advice| advice.poll_request_delta_suggestion) }
    }

    fn end(&self) -> PollEnd {
        match (&self.task, self.delta) {
            (None, None) => PollEnd::Empty,
            (_, delta) => PollEnd::Task { delta },
        }
    }
}

/// Polls until the worker drains, or the server says that it may not poll.
pub(crate) async fn run(source: impl Source) -> Result<(), RpcError> {
    let shared = Arc::clone(source.shared());
    let lifecycle = &shared.lifecycle;
    let mut client = shared.client.subscribe();
    let source = Arc::new(source);
    loop {
        let ready = async {
            let turn = match source.scaler() {
                Some(scaler) => Some(scaler.turn().await),
                None => None,
            };
            let permit = source.slots().reserve(source.is_sticky()).await;
            source.paced().await;
            (turn, permit)
        };
        let (turn, permit) = tokio::select! {
            biased;
            () = lifecycle.reached(Phase::Draining) => return Ok(()),
            ready = ready => ready,
        };
        let open = source.polls().open.raised();
        let service = client.borrow_and_update().connection().workflow_service();
        let options =
            CallOptions::long_poll().watch(Arc::new(Watch { source: Arc::clone(&source), client: client.clone() }));
        let polled = tokio::select! {
            biased;
            polled = source.poll(&service, options) => polled,
            () = lifecycle.reached(Phase::PollsClosed) => return Ok(()),
        };
        drop((open, turn));
        if let Some(scaler) = source.scaler() {
            scaler.ended(polled.as_ref().map_or(PollEnd::Failed, Polled::end));
        }
        let polled = polled.map(|polled| polled.task);
        match &polled {
            Ok(task) => {
                source.polls().succeeded();
                source.note(task.as_ref());
            }
            Err(error) => noted(&*source, error),
        }
        match polled {
            Ok(Some(task)) => {
                let mut permit = permit;
                permit.mark_used(|| source.describe(&task));
                source.dispatch(task, permit);
            }
            Ok(None) => {}
            Err(_) if shared.is_draining() => return Ok(()),
            // Whoever replaced the client may have known that the old one would fail.
            Err(error) if client.has_changed().is_ok_and(|changed| changed) => {
                tracing::debug!(target: "stead::worker", %error, "poll begins anew with another client");
            }
            Err(error) if error.is_response_too_large() => skip(&error).await,
            Err(error) => return Err(error),
        }
    }
}

fn noted(source: &impl Source, error: &RpcError) {
    source.polls().failed();
    source.shared().errors.note(error);
}

/// Looks on while a poll is tried again.
struct Watch<S> {
    source: Arc<S>,
    /// Has seen the client that the poll began with.
    client: watch::Receiver<Client>,
}

impl<S: Source> RetryWatch for Watch<S> {
    fn failed(&self, error: &RpcError) {
        noted(&*self.source, error);
    }

    /// When the worker has another client.
    fn over(&self) -> BoxFuture<'_, ()> {
        let mut client = self.client.clone();
        Box::pin(async move {
            // An error would mean that the worker is gone, and its pollers with it.
            let _ = client.changed().await;
        })
    }
}

impl<S> std::fmt::Debug for Watch<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

/// The server gives the same task out again after its timeout, maybe to a worker with a higher limit.
async fn skip(error: &RpcError) {
    tracing::error!(target: "stead::worker", %error, "a task was not received");
    sleep(Duration::from_secs(1)).await;
}

/// Workflow tasks of one queue.
pub(crate) struct WorkflowTasks {
    pub(crate) shared: Arc<Shared>,
    pub(crate) shards: Arc<Shards>,
    pub(crate) queue: TaskQueue,
    pub(crate) scaler: Option<Arc<Scaler>>,
}

impl Source for WorkflowTasks {
    type Task = Box<PollWorkflowTaskQueueResponse>;

    fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    fn slots(&self) -> &Slots {
        &self.shared.workflow_slots
    }

    fn is_sticky(&self) -> bool {
        self.queue.kind() == TaskQueueKind::Sticky
    }

    fn describe(&self, task: &Self::Task) -> SlotTask {
        let workflow_type = task.workflow_type.as_ref().map(|it| it.name.clone()).unwrap_or_default();
        SlotTask::Workflow { workflow_type, is_sticky: self.is_sticky() }
    }

    fn scaler(&self) -> Option<&Scaler> {
        self.scaler.as_deref()
    }

    async fn poll(&self, service: &WorkflowService, options: CallOptions) -> Result<Polled<Self::Task>, RpcError> {
        let request = PollWorkflowTaskQueueRequest {
            namespace: self.shared.namespace.clone(),
            task_queue: Some(self.queue.clone()),
            identity: self.shared.identity.clone(),
            worker_instance_key: self.shared.instance_key.clone(),
            deployment_options: self.shared.deployment_options(),
            ..Default::default()
        };
        let task = service.poll_workflow_task_queue(request, options).await?;
        let advice = task.poller_scaling_decision;
        Ok(Polled::new((!task.task_token.is_empty()).then(|| Box::new(task)), advice))
    }

    fn polls(&self) -> &Polls {
        match self.is_sticky() {
            true => &self.shared.sticky_polls,
            false => &self.shared.workflow_polls,
        }
    }

    fn note(&self, task: Option<&Self::Task>) {
        self.shared.metrics.workflow_task_polled(task.map(Box::as_ref));
    }

    fn dispatch(&self, mut task: Self::Task, permit: Permit) {
        if !self.shared.codec.is_set() {
            return self.shards.send_task(task, permit);
        }
        let (shared, shards) = (Arc::clone(&self.shared), Arc::clone(&self.shards));
        tokio::spawn(async move {
            match shared.codec.decode_task(&mut task).await {
                Ok(()) => shards.send_task(task, permit),
                Err(error) => complete::undecodable(&shared, &task, &error).await,
            }
        });
    }
}

/// Activity tasks of the worker's queue.
pub(crate) struct ActivityTasks {
    pub(crate) shared: Arc<Shared>,
    pub(crate) scaler: Option<Arc<Scaler>>,
}

impl Source for ActivityTasks {
    type Task = PollActivityTaskQueueResponse;

    fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    fn slots(&self) -> &Slots {
        &self.shared.activity_slots
    }

    fn describe(&self, task: &Self::Task) -> SlotTask {
        activity::slot_task(task)
    }

    fn scaler(&self) -> Option<&Scaler> {
        self.scaler.as_deref()
    }

    async fn paced(&self) {
        if let Some(wait) = self.shared.next_activity() {
            sleep(wait).await;
        }
    }

    async fn poll(&self, service: &WorkflowService, options: CallOptions) -> Result<Polled<Self::Task>, RpcError> {
        let per_second = self.shared.options.max_task_queue_activities_per_second;
        let request = PollActivityTaskQueueRequest {
            namespace: self.shared.namespace.clone(),
            task_queue: Some(self.shared.normal_queue()),
            identity: self.shared.identity.clone(),
            worker_instance_key: self.shared.instance_key.clone(),
            deployment_options: self.shared.deployment_options(),
            task_queue_metadata: per_second.map(|rate| TaskQueueMetadata { max_tasks_per_second: Some(rate) }),
            ..Default::default()
        };
        let task = service.poll_activity_task_queue(request, options).await?;
        let advice = task.poller_scaling_decision;
        Ok(Polled::new((!task.task_token.is_empty()).then_some(task), advice))
    }

    fn polls(&self) -> &Polls {
        &self.shared.activity_polls
    }

    fn note(&self, task: Option<&Self::Task>) {
        if task.is_none() {
            self.shared.metrics.count(&names::ACTIVITY_POLL_NO_TASK, &[]);
        }
    }

    fn dispatch(&self, task: Self::Task, permit: Permit) {
        match self.shared.is_refused() {
            false => activity::start(&self.shared, task, permit, Origin::Polled),
            true => activity::turn_away(&self.shared, task, permit),
        }
    }
}

/// Nexus tasks of the worker's queue.
pub(crate) struct NexusTasks {
    pub(crate) shared: Arc<Shared>,
    pub(crate) scaler: Option<Arc<Scaler>>,
}

impl Source for NexusTasks {
    type Task = Box<PollNexusTaskQueueResponse>;

    fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    fn slots(&self) -> &Slots {
        &self.shared.nexus_slots
    }

    fn describe(&self, task: &Self::Task) -> SlotTask {
        nexus::slot_task(task)
    }

    fn scaler(&self) -> Option<&Scaler> {
        self.scaler.as_deref()
    }

    async fn poll(&self, service: &WorkflowService, options: CallOptions) -> Result<Polled<Self::Task>, RpcError> {
        let request = PollNexusTaskQueueRequest {
            namespace: self.shared.namespace.clone(),
            task_queue: Some(self.shared.normal_queue()),
            identity: self.shared.identity.clone(),
            worker_instance_key: self.shared.instance_key.clone(),
            deployment_options: self.shared.deployment_options(),
            ..Default::default()
        };
        let task = service.poll_nexus_task_queue(request, options).await?;
        let advice = task.poller_scaling_decision;
        Ok(Polled::new((!task.task_token.is_empty()).then(|| Box::new(task)), advice))
    }

    fn polls(&self) -> &Polls {
        &self.shared.nexus_polls
    }

    fn note(&self, task: Option<&Self::Task>) {
        if task.is_none() {
            self.shared.metrics.count(&names::NEXUS_POLL_NO_TASK, &[]);
        }
    }

    fn dispatch(&self, task: Self::Task, permit: Permit) {
        nexus::take(&self.shared, *task, permit);
    }
}
