//! [`Workers`]: what workers say about themselves in their heartbeats. Kept for five minutes, and not stored.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::time::Duration;

use stead_proto::enums::v1::WorkerStatus;
use stead_proto::worker::v1::{WorkerHeartbeat, WorkerInfo, WorkerListInfo};
use stead_proto::workflowservice::v1 as api;

use super::namespaces::NamespaceKey;
use super::visibility::workers::WorkerFilter;
use super::{Engine, Refusal, Time};

/// The workers that were heard of late.
#[derive(Debug, Default)]
pub(crate) struct Workers {
    heartbeats: BTreeMap<WorkerKey, Heard>,
    /// The same, those first that were heard longest ago.
    by_age: BTreeSet<(Time, WorkerKey)>,
}

/// A worker: its namespace and its instance key.
type WorkerKey = (NamespaceKey, String);

#[derive(Debug)]
struct Heard {
    heartbeat: WorkerHeartbeat,
    at: Time,
}

impl Workers {
    /// Takes a heartbeat. A worker that has shut down is forgotten.
    pub(super) fn record(&mut self, namespace: NamespaceKey, heartbeat: WorkerHeartbeat, now: Time) {
        self.forget_silent(now);
        let key = (namespace, heartbeat.worker_instance_key.clone());
        self.remove(&key);
        if heartbeat.status() == WorkerStatus::Shutdown {
            return;
        }
        if self.heartbeats.len() >= MAX_WORKERS
            && let Some((_, oldest)) = self.by_age.first().cloned()
        {
            self.remove(&oldest);
        }
        self.by_age.insert((now, key.clone()));
        self.heartbeats.insert(key, Heard { heartbeat, at: now });
    }

    /// A worker by its instance key.
    fn get(&self, namespace: NamespaceKey, instance_key: &str) -> Option<&WorkerHeartbeat> {
        self.heartbeats.get(&(namespace, instance_key.to_owned())).map(|heard| &heard.heartbeat)
    }

    /// The workers of a namespace, by instance key, after the given one.
    fn after<'a>(&'a self, namespace: NamespaceKey, instance_key: &str) -> impl Iterator<Item = &'a WorkerHeartbeat> {
        let first = (Bound::Excluded((namespace, instance_key.to_owned())), Bound::Unbounded);
        let rest = self.heartbeats.range(first).take_while(move |((owner, _), _)| *owner == namespace);
        rest.map(|(_, heard)| &heard.heartbeat)
    }

    fn forget_silent(&mut self, now: Time) {
        while let Some((at, key)) = self.by_age.first().cloned()
            && now.since(at) >= TTL
        {
            self.remove(&key);
        }
    }

    fn remove(&mut self, key: &WorkerKey) {
        if let Some(heard) = self.heartbeats.remove(key) {
            self.by_age.remove(&(heard.at, key.clone()));
        }
    }
}

impl Engine {
    pub(super) fn record_worker_heartbeat(
        &mut self,
        request: api::RecordWorkerHeartbeatRequest,
    ) -> Result<api::RecordWorkerHeartbeatResponse, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        self.record_heartbeats(namespace, request.worker_heartbeat);
        Ok(api::RecordWorkerHeartbeatResponse {})
    }

    pub(super) fn record_heartbeats(&mut self, namespace: NamespaceKey, heartbeats: Vec<WorkerHeartbeat>) {
        for heartbeat in heartbeats {
            self.workers.record(namespace, heartbeat, self.now);
        }
    }

    pub(super) fn describe_worker(
        &mut self,
        request: &api::DescribeWorkerRequest,
    ) -> Result<api::DescribeWorkerResponse, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        self.workers.forget_silent(self.now);
        let key = &request.worker_instance_key;
        let heartbeat = self.workers.get(namespace, key);
        let heartbeat = heartbeat.ok_or_else(|| Refusal::not_found(format!("Worker {key} not found")))?;
        Ok(api::DescribeWorkerResponse { worker_info: Some(WorkerInfo { worker_heartbeat: Some(heartbeat.clone()) }) })
    }

    pub(super) fn list_workers(
        &mut self,
        request: &api::ListWorkersRequest,
    ) -> Result<api::ListWorkersResponse, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        let shown = shown(&request.query, request.include_system_workers)?;
        let last = std::str::from_utf8(&request.next_page_token);
        let last = last.map_err(|_| Refusal::invalid("invalid next_page_token"))?;
        self.workers.forget_silent(self.now);
        let mut rest = self.workers.after(namespace, last).filter(|worker| shown(worker));
        let size = usize::try_from(request.page_size).ok().filter(|size| *size > 0).unwrap_or(usize::MAX);
        let page: Vec<_> = rest.by_ref().take(size).collect();
        let has_more = rest.next().is_some();
        let next_page_token = page.last().filter(|_| has_more).map(|last| last.worker_instance_key.clone());
        Ok(api::ListWorkersResponse {
            workers: page.iter().map(|worker| listed(worker)).collect(),
            workers_info: page.into_iter().map(|it| WorkerInfo { worker_heartbeat: Some(it.clone()) }).collect(),
            next_page_token: next_page_token.unwrap_or_default().into(),
        })
    }

    pub(super) fn count_workers(
        &mut self,
        request: &api::CountWorkersRequest,
    ) -> Result<api::CountWorkersResponse, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        let shown = shown(&request.query, request.include_system_workers)?;
        self.workers.forget_silent(self.now);
        let count = self.workers.after(namespace, "").filter(|worker| shown(worker)).count();
        Ok(api::CountWorkersResponse { count: i64::try_from(count).unwrap_or(i64::MAX) })
    }
}

/// Which workers a request asks for.
fn shown(query: &str, system_too: bool) -> Result<impl Fn(&WorkerHeartbeat) -> bool, Refusal> {
    let filter = WorkerFilter::parse(query)?;
    let is_own = |worker: &WorkerHeartbeat| worker.task_queue.starts_with(SYSTEM_QUEUE);
    Ok(move |worker: &WorkerHeartbeat| (system_too || !is_own(worker)) && filter.matches(worker))
}

fn listed(worker: &WorkerHeartbeat) -> WorkerListInfo {
    let host = worker.host_info.clone().unwrap_or_default();
    WorkerListInfo {
        worker_instance_key: worker.worker_instance_key.clone(),
        worker_identity: worker.worker_identity.clone(),
        task_queue: worker.task_queue.clone(),
        deployment_version: worker.deployment_version.clone(),
        sdk_name: worker.sdk_name.clone(),
        sdk_version: worker.sdk_version.clone(),
        status: worker.status,
        start_time: worker.start_time,
        host_name: host.host_name,
        worker_grouping_key: host.worker_grouping_key,
        process_id: host.process_id,
        plugins: worker.plugins.clone(),
        drivers: worker.drivers.clone(),
    }
}

/// Queues of the server's own workers begin so.
const SYSTEM_QUEUE: &str = "temporal-sys-";
/// How long a worker is known after its last heartbeat.
const TTL: Duration = Duration::from_secs(5 * 60);
const MAX_WORKERS: usize = 100_000;
