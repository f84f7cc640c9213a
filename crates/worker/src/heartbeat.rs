//! Heartbeats of a worker: what the server is told of how it does, and shows to operators.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use stead_client::CallOptions;
use stead_data::DataConverter;
use stead_data::storage::ExternalStorage;
use stead_data::time::{duration_to_proto, time_to_proto};
use stead_proto::deployment::v1::WorkerDeploymentVersion;
use stead_proto::enums::v1::WorkerStatus;
use stead_proto::worker::v1::{
    PluginInfo, StorageDriverInfo, WorkerHeartbeat, WorkerHostInfo, WorkerPollerInfo, WorkerSlotsInfo,
};
use stead_proto::workflowservice::v1::RecordWorkerHeartbeatRequest;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};
use tonic::Code;

use crate::health::Polls;
use crate::metrics::Count;
use crate::shared::Shared;
use crate::slots::{Resources, Slots};

/// Tells the server how a worker does, until it is dropped.
pub(crate) struct Heartbeat {
    teller: Arc<Teller>,
    task: JoinHandle<()>,
}

struct Teller {
    shared: Arc<Shared>,
    started: SystemTime,
    last: Mutex<Last>,
}

/// What the heartbeat before said.
#[derive(Debug, Clone, Copy, Default)]
struct Last {
    at: Option<Instant>,
    workflow_tasks: Tasks,
    activities: Tasks,
    local_activities: Tasks,
    nexus_tasks: Tasks,
}

/// How many of one kind, so far.
#[derive(Debug, Clone, Copy, Default)]
struct Tasks {
    processed: u32,
    failed: u32,
}

impl Heartbeat {
    /// Begins at once; `None` if the worker does not want to tell.
    pub(crate) fn start(shared: &Arc<Shared>) -> Option<Self> {
        let period = shared.options.heartbeat_interval?;
        let teller =
            Arc::new(Teller { shared: Arc::clone(shared), started: SystemTime::now(), last: Mutex::default() });
        let task = tokio::spawn(tell_forever(Arc::clone(&teller), period));
        Some(Self { teller, task })
    }

    /// The one that goes with the announcement that the worker stops; `None` if the namespace does not want to hear of it.
    pub(crate) fn last(self, status: WorkerStatus) -> Option<WorkerHeartbeat> {
        self.task.abort();
        self.teller.is_wanted().then(|| self.teller.heartbeat(status))
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn tell_forever(teller: Arc<Teller>, period: Duration) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // Another client's server may want to know what this one does not.
        if !teller.is_wanted() {
            continue;
        }
        let shared = &teller.shared;
        let request = RecordWorkerHeartbeatRequest {
            namespace: shared.namespace.clone(),
            identity: shared.identity.clone(),
            worker_heartbeat: vec![teller.heartbeat(WorkerStatus::Running)],
            resource_id: format!("worker:{}", process_key()),
        };
        match shared.service().record_worker_heartbeat(request, CallOptions::new()).await {
            Ok(_) => {}
            Err(error) if error.code() == Code::Unimplemented => shared.wants_heartbeats.store(false, Ordering::SeqCst),
            Err(error) => tracing::debug!(target: "stead::worker", %error, "heartbeat of the worker not sent"),
        }
    }
}

impl Teller {
    /// Whether the namespace wants to hear of its workers.
    fn is_wanted(&self) -> bool {
        self.shared.wants_heartbeats.load(Ordering::SeqCst)
    }

    fn heartbeat(&self, status: WorkerStatus) -> WorkerHeartbeat {
        let shared = &*self.shared;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = last.at.replace(Instant::now()).map(|at| at.elapsed());
        let tally = &shared.metrics.tally;
        let has_workflows = !shared.guests.is_empty();
        let has_nexus = !shared.nexus.is_empty();
        let workflow_pollers = shared.options.workflow_pollers.is_autoscaling();
        let activity_pollers = shared.options.activity_pollers.is_autoscaling();
        WorkerHeartbeat {
            worker_instance_key: shared.instance_key.clone(),
            worker_identity: shared.identity.clone(),
            host_info: Some(host_info(&shared.resources)),
            task_queue: shared.task_queue.clone(),
            deployment_version: shared.deployment.as_ref().map(|deployment| WorkerDeploymentVersion {
                deployment_name: deployment.version.deployment_name.clone(),
                build_id: deployment.version.build_id.clone(),
            }),
            sdk_name: "stead".to_owned(),
            sdk_version: env!("CARGO_PKG_VERSION").to_owned(),
            status: status.into(),
            start_time: Some(time_to_proto(self.started)),
            heartbeat_time: Some(time_to_proto(SystemTime::now())),
            elapsed_since_last_heartbeat: elapsed.map(duration_to_proto),
            workflow_task_slots_info: has_workflows
                .then(|| slots(&shared.workflow_slots, &tally.failed_workflow_tasks, &mut last.workflow_tasks)),
            activity_task_slots_info: shared
                .polls_activities()
                .then(|| slots(&shared.activity_slots, &tally.failed_activities, &mut last.activities)),
            local_activity_slots_info: (has_workflows && !shared.activities.is_empty()).then(|| {
                slots(&shared.local_activity_slots, &tally.failed_local_activities, &mut last.local_activities)
            }),
            nexus_task_slots_info: has_nexus
                .then(|| slots(&shared.nexus_slots, &tally.failed_nexus_tasks, &mut last.nexus_tasks)),
            workflow_poller_info: has_workflows.then(|| pollers(&shared.workflow_polls, workflow_pollers)),
            workflow_sticky_poller_info: shared
                .sticky_queue
                .as_ref()
                .map(|_| pollers(&shared.sticky_polls, workflow_pollers)),
            activity_poller_info: shared.polls_activities().then(|| pollers(&shared.activity_polls, activity_pollers)),
            nexus_poller_info: has_nexus
                .then(|| pollers(&shared.nexus_polls, shared.options.nexus_pollers.is_autoscaling())),
            total_sticky_cache_hit: small(tally.cache_hits.get().into()),
            total_sticky_cache_miss: small(tally.cache_misses.get().into()),
            drivers: drivers(&shared.converter),
            plugins: shared.plugin_names.iter().map(|name| plugin_info(name)).collect(),
            current_sticky_cache_size: small(shared.cached_runs.get()),
            ..WorkerHeartbeat::default()
        }
    }
}

fn plugin_info(name: &str) -> PluginInfo {
    PluginInfo { name: name.to_owned(), version: String::new() }
}

/// The kinds of external storage, each once.
fn drivers(converter: &DataConverter) -> Vec<StorageDriverInfo> {
    let drivers = converter.external_storage().into_iter().flat_map(ExternalStorage::drivers);
    let kinds: BTreeSet<_> = drivers.map(|driver| driver.driver_type().to_owned()).collect();
    kinds.into_iter().map(|r#type| StorageDriverInfo { r#type }).collect()
}

/// `before`: what it was at the time of the heartbeat before.
fn slots(slots: &Slots, failed: &Count, before: &mut Tasks) -> WorkerSlotsInfo {
    let report = slots.report();
    let now = Tasks { processed: report.processed, failed: failed.get() };
    let last = std::mem::replace(before, now);
    WorkerSlotsInfo {
        current_available_slots: report.available.map_or(0, |available| small(available.into())),
        current_used_slots: small(report.used.into()),
        slot_supplier_kind: report.kind.to_owned(),
        total_processed_tasks: small(now.processed.into()),
        total_failed_tasks: small(now.failed.into()),
        last_interval_processed_tasks: small(now.processed.saturating_sub(last.processed).into()),
        last_interval_failure_tasks: small(now.failed.saturating_sub(last.failed).into()),
    }
}

fn pollers(polls: &Polls, is_autoscaling: bool) -> WorkerPollerInfo {
    let last_success = polls.last_success().and_then(|ago| SystemTime::now().checked_sub(ago));
    WorkerPollerInfo {
        current_pollers: small(polls.open.get()),
        last_successful_poll_time: last_success.map(time_to_proto),
        is_autoscaling,
    }
}

/// What it uses is 0 where nobody knows it.
fn host_info(resources: &Resources) -> WorkerHostInfo {
    let usage = resources.fresh_usage(tokio::time::Instant::now());
    let host_name = hostname::get().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    WorkerHostInfo {
        host_name,
        worker_grouping_key: process_key().to_owned(),
        process_id: std::process::id().to_string(),
        current_host_cpu_usage: usage.map_or(0.0, |usage| usage.cpu as f32),
        current_host_mem_usage: usage.map_or(0.0, |usage| usage.memory as f32),
    }
}

/// What the workers of this process have in common. Not drawn from a simulation's seed: the first one of a process would
/// differ from the others.
fn process_key() -> &'static str {
    static KEY: OnceLock<String> = OnceLock::new();
    KEY.get_or_init(|| format!("{:016x}", RandomState::new().hash_one(std::process::id())))
}

fn small(number: u64) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
