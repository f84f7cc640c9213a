//! The calls about queues themselves: described, configured, and left by a worker.

use std::collections::BTreeMap;

use stead_proto::deployment::v1::WorkerDeploymentVersion;
use stead_proto::enums::v1::{
    BuildIdTaskReachability, DescribeTaskQueueMode, RateLimitSource, TaskQueueKind, TaskQueueType,
};
use stead_proto::taskqueue::v1::{
    ConfigMetadata, PollerInfo, RateLimitConfig, TaskQueue, TaskQueueConfig, TaskQueuePartitionMetadata,
    TaskQueueStatus, TaskQueueTypeInfo, TaskQueueVersionInfo, TaskQueueVersionSelection, TaskQueueVersioningInfo,
};
use stead_proto::workflowservice::v1 as api;
use stead_proto::workflowservice::v1::describe_task_queue_response::EffectiveRateLimit;
use stead_proto::workflowservice::v1::update_task_queue_config_request::RateLimitUpdate;

use super::{QueueId, QueueKind, QueueName, total};
use crate::engine::activity_options::check_queue;
use crate::engine::deployments::{dotted, kind_of, parse_version, with_colon};
use crate::engine::namespaces::NamespaceKey;
use crate::engine::{Engine, Refusal, Time};

impl Engine {
    pub(in crate::engine) fn describe_task_queue(
        &self,
        request: &api::DescribeTaskQueueRequest,
    ) -> Result<api::DescribeTaskQueueResponse, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        let queue = self.checked_queue(request.task_queue.as_ref())?;
        if request.api_mode() == DescribeTaskQueueMode::Enhanced {
            return self.describe_versions(namespace, queue, request);
        }
        let kind = match queue.kind() {
            TaskQueueKind::Sticky => QueueKind::Sticky,
            _ => kind_of(request.task_queue_type()).unwrap_or(QueueKind::Workflow),
        };
        let name = QueueName { namespace, kind, name: queue.name.clone() };
        let config = self.queue_settings.get(&name).filter(|_| request.report_config).cloned();
        let id = self.matching.find(namespace, kind, &queue.name);
        let (rate, source) = self.rate_limit(id);
        let mut response = api::DescribeTaskQueueResponse {
            pollers: self.all_pollers(id),
            versioning_info: (kind != QueueKind::Sticky).then(|| self.versioning_info(id)),
            config,
            effective_rate_limit: Some(EffectiveRateLimit {
                requests_per_second: rate as f32,
                rate_limit_source: source.into(),
            }),
            ..Default::default()
        };
        if request.include_task_queue_status {
            let backlog = id.map_or(0, |id| self.matching.backlog(id));
            let backlog_count_hint = i64::try_from(backlog).unwrap_or(i64::MAX);
            response.task_queue_status =
                Some(TaskQueueStatus { backlog_count_hint, rate_per_second: rate, ..TaskQueueStatus::default() });
        }
        if request.report_stats {
            for version in id.map(|id| self.matching.versions(id)).unwrap_or_default() {
                let stats = id.map(|id| self.matching.stats(id, version.as_ref(), self.now)).unwrap_or_default();
                for (priority, stats) in stats {
                    let sum = response.stats_by_priority_key.entry(priority).or_default();
                    *sum = total([&*sum, &stats]);
                }
            }
            response.stats = Some(total(response.stats_by_priority_key.values()));
        }
        Ok(response)
    }

    /// The mode of the older versioning: each version on its own, in all types of the queue that are asked for.
    fn describe_versions(
        &self,
        namespace: NamespaceKey,
        queue: &TaskQueue,
        request: &api::DescribeTaskQueueRequest,
    ) -> Result<api::DescribeTaskQueueResponse, Refusal> {
        if queue.kind() == TaskQueueKind::Sticky {
            return Err(Refusal::invalid(
                "Enhanced DescribeTaskQueue is not valid for a sticky queue, use api_mode=UNSPECIFIED or a normal queue.",
            ));
        }
        let mut types: Vec<_> = request.task_queue_types().filter_map(|kind| Some((kind, kind_of(kind)?))).collect();
        if types.is_empty() {
            types =
                vec![(TaskQueueType::Workflow, QueueKind::Workflow), (TaskQueueType::Activity, QueueKind::Activity)];
        }
        let mut versions_info = BTreeMap::<String, TaskQueueVersionInfo>::new();
        for (kind, queue_kind) in types {
            let id = self.matching.find(namespace, queue_kind, &queue.name);
            for (name, version) in self.selected(request.versions.as_ref(), id) {
                let info = versions_info.entry(name).or_default();
                if request.report_task_reachability && self.is_reachable(namespace, id, version.as_ref()) {
                    info.set_task_reachability(BuildIdTaskReachability::Reachable);
                } else if request.report_task_reachability && info.task_reachability == 0 {
                    info.set_task_reachability(BuildIdTaskReachability::Unreachable);
                }
                info.types_info.insert(kind.into(), self.type_info(id, version.as_ref(), request));
            }
        }
        Ok(api::DescribeTaskQueueResponse { versions_info, ..Default::default() })
    }

    fn type_info(
        &self,
        id: Option<QueueId>,
        version: Option<&WorkerDeploymentVersion>,
        request: &api::DescribeTaskQueueRequest,
    ) -> TaskQueueTypeInfo {
        let pollers = id.filter(|_| request.report_pollers).map(|id| self.matching.pollers(id, version, self.now));
        let stats = request.report_stats.then(|| {
            let stats = id.map(|id| self.matching.stats(id, version, self.now));
            total(stats.iter().flat_map(|stats| stats.values()))
        });
        TaskQueueTypeInfo { pollers: pollers.unwrap_or_default(), stats }
    }

    /// The versions that a request is about, by the names that it gives them. By default, unversioned workers.
    fn selected(
        &self,
        selection: Option<&TaskQueueVersionSelection>,
        id: Option<QueueId>,
    ) -> BTreeMap<String, Option<WorkerDeploymentVersion>> {
        let Some(selection) = selection else { return BTreeMap::from([(String::new(), None)]) };
        let mut selected: BTreeMap<_, _> = selection.build_ids.iter().map(|build_id| named(build_id)).collect();
        if selection.unversioned {
            selected.insert(String::new(), None);
        }
        if selection.all_active {
            let known = id.map(|id| self.matching.versions(id)).unwrap_or_default();
            selected.extend(known.into_iter().map(|version| (key(version.as_ref()), version)));
        }
        selected
    }

    fn is_reachable(
        &self,
        namespace: NamespaceKey,
        id: Option<QueueId>,
        version: Option<&WorkerDeploymentVersion>,
    ) -> bool {
        let routing = id.and_then(|id| self.matching.routing(id));
        let is_default = routing.map_or(version.is_none(), |routing| routing.gets_new_workflows(version));
        is_default || version.is_some_and(|version| self.pinned_workflows(namespace, version) > 0)
    }

    /// The workers of all versions, each once.
    fn all_pollers(&self, id: Option<QueueId>) -> Vec<PollerInfo> {
        let Some(id) = id else { return Vec::new() };
        let versions = self.matching.versions(id);
        let pollers = versions.iter().flat_map(|version| self.matching.pollers(id, version.as_ref(), self.now));
        let mut by_identity = BTreeMap::<String, PollerInfo>::new();
        let last = |poller: &PollerInfo| poller.last_access_time.as_ref().map(Time::from_timestamp);
        for poller in pollers {
            let known = by_identity.get(&poller.identity).and_then(last);
            if known < last(&poller) {
                by_identity.insert(poller.identity.clone(), poller);
            }
        }
        by_identity.into_values().collect()
    }

    fn versioning_info(&self, id: Option<QueueId>) -> TaskQueueVersioningInfo {
        let routing = id.and_then(|id| self.matching.routing(id)).cloned().unwrap_or_default();
        let mut info = TaskQueueVersioningInfo {
            current_version: dotted(routing.current.as_ref()),
            // Without an update there is the instant that an absent one stands for.
            update_time: Some(routing.updated.unwrap_or_default().timestamp()),
            ..TaskQueueVersioningInfo::default()
        };
        if routing.has_ramp() {
            info.ramping_version = dotted(routing.ramping.as_ref());
            info.ramping_version_percentage = routing.ramp_percentage;
            info.ramping_deployment_version = routing.ramping;
        }
        info.current_deployment_version = routing.current;
        info
    }

    fn rate_limit(&self, id: Option<QueueId>) -> (f64, RateLimitSource) {
        id.and_then(|id| self.matching.rate_limit(id)).unwrap_or((UNLIMITED, RateLimitSource::System))
    }

    /// A queue has one partition here.
    pub(in crate::engine) fn list_task_queue_partitions(
        &self,
        request: api::ListTaskQueuePartitionsRequest,
    ) -> Result<api::ListTaskQueuePartitionsResponse, Refusal> {
        self.namespaces.key(&request.namespace)?;
        let key = self.checked_queue(request.task_queue.as_ref())?.name.clone();
        let partition = TaskQueuePartitionMetadata { key, owner_host_name: HOST.to_owned() };
        Ok(api::ListTaskQueuePartitionsResponse {
            activity_task_queue_partitions: vec![partition.clone()],
            workflow_task_queue_partitions: vec![partition],
        })
    }

    pub(in crate::engine) fn update_task_queue_config(
        &mut self,
        request: api::UpdateTaskQueueConfigRequest,
    ) -> Result<api::UpdateTaskQueueConfigResponse, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        self.check_config(&request)?;
        let Some(kind) = kind_of(request.task_queue_type()) else {
            return Err(Refusal::invalid("task queue type must be set"));
        };
        let queue = QueueName { namespace, kind, name: request.task_queue.clone() };
        let mut config = self.queue_settings.get(&queue).cloned().unwrap_or_default();
        self.merge_config(&mut config, request)?;
        self.queue_settings.set(queue.clone(), config.clone());
        self.apply_queue_settings(&queue);
        Ok(api::UpdateTaskQueueConfigResponse { config: Some(config) })
    }

    /// Tells matching what is configured for a queue.
    pub(in crate::engine) fn apply_queue_settings(&mut self, queue: &QueueName) {
        let id = self.matching.queue(queue.namespace, queue.kind, &queue.name, self.now);
        self.matching.set_rate_limits(id, self.queue_settings.rate_limits(queue), self.now);
    }

    /// The same for all queues, after a start.
    pub(in crate::engine) fn apply_all_queue_settings(&mut self) {
        for queue in self.queue_settings.names().cloned().collect::<Vec<_>>() {
            self.apply_queue_settings(&queue);
        }
    }

    fn check_config(&self, request: &api::UpdateTaskQueueConfigRequest) -> Result<(), Refusal> {
        let updates = [
            (request.update_queue_rate_limit.as_ref(), "UpdateQueueRateLimit", "rate limit"),
            (
                request.update_fairness_key_rate_limit_default.as_ref(),
                "UpdateFairnessKeyRateLimitDefault",
                "fairness key rate limit",
            ),
        ];
        for (update, label, what) in updates {
            let Some(update) = update.filter(|update| update.rate_limit.is_some()) else { continue };
            if request.task_queue_type() == TaskQueueType::Workflow {
                return Err(Refusal::invalid(format!("Setting {what} on workflow task queues is not allowed.")));
            }
            check_rate_limit(update, label)?;
        }
        check_length("Identity", &request.identity, self.config.limits.id_length)?;
        check_weights(request)?;
        check_queue(&request.task_queue, self.config.limits.id_length)
    }

    fn merge_config(
        &self,
        config: &mut TaskQueueConfig,
        request: api::UpdateTaskQueueConfigRequest,
    ) -> Result<(), Refusal> {
        let identity = request.identity;
        let updated = |update: RateLimitUpdate| RateLimitConfig {
            rate_limit: update.rate_limit,
            metadata: Some(ConfigMetadata {
                reason: update.reason,
                update_identity: identity.clone(),
                update_time: Some(self.now.timestamp()),
            }),
        };
        if let Some(update) = request.update_queue_rate_limit {
            config.queue_rate_limit = Some(updated(update));
        }
        if let Some(update) = request.update_fairness_key_rate_limit_default {
            config.fairness_keys_rate_limit_default = Some(updated(update));
        }
        let weights = &mut config.fairness_weight_overrides;
        request.unset_fairness_weight_overrides.iter().for_each(|key| _ = weights.remove(key));
        weights.extend(request.set_fairness_weight_overrides);
        if weights.len() > MAX_WEIGHTS {
            let message = "fairness weight overrides update rejected: exceeding maximum key size";
            return Err(Refusal::invalid(message));
        }
        Ok(())
    }

    /// A worker says that it is about to go: its polls end, and nothing is sent to its sticky queue any more.
    pub(in crate::engine) fn shutdown_worker(
        &mut self,
        request: api::ShutdownWorkerRequest,
    ) -> Result<api::ShutdownWorkerResponse, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        let mut ended = Vec::new();
        if !request.worker_instance_key.is_empty() && !request.task_queue.is_empty() {
            ended.extend(self.matching.shut_down_worker(&request.worker_instance_key, self.now));
            let mut kinds: Vec<_> = request.task_queue_types().filter_map(kind_of).collect();
            if kinds.is_empty() {
                kinds = vec![QueueKind::Workflow, QueueKind::Activity];
            }
            for kind in kinds {
                if let Some(queue) = self.matching.find(namespace, kind, &request.task_queue) {
                    self.matching.forget_worker(queue, &request.identity);
                }
            }
        }
        if let Some(sticky) = self.matching.find(namespace, QueueKind::Sticky, &request.sticky_task_queue) {
            ended.extend(self.matching.unload(sticky));
        }
        for (_, poller) in ended {
            self.answer_with_nothing_new(poller.call);
        }
        if let Some(heartbeat) = request.worker_heartbeat {
            self.workers.record(namespace, heartbeat, self.now);
        }
        Ok(api::ShutdownWorkerResponse {})
    }

    fn checked_queue<'a>(&self, queue: Option<&'a TaskQueue>) -> Result<&'a TaskQueue, Refusal> {
        let queue = queue.ok_or_else(|| Refusal::invalid("taskQueue is not set"))?;
        check_queue(&queue.name, self.config.limits.id_length)?;
        Ok(queue)
    }
}

/// A version as a request names it, and its name in the response.
fn named(build_id: &str) -> (String, Option<WorkerDeploymentVersion>) {
    if build_id.is_empty() {
        return (String::new(), None);
    }
    // What is no version of a deployment is a build id of the older versioning.
    let version = parse_version(build_id)
        .unwrap_or_else(|| WorkerDeploymentVersion { deployment_name: String::new(), build_id: build_id.to_owned() });
    (key(Some(&version)), Some(version))
}

fn key(version: Option<&WorkerDeploymentVersion>) -> String {
    match version {
        None => String::new(),
        Some(version) if version.deployment_name.is_empty() => version.build_id.clone(),
        Some(version) => with_colon(version),
    }
}

fn check_rate_limit(update: &RateLimitUpdate, label: &str) -> Result<(), Refusal> {
    if update.rate_limit.is_some_and(|limit| limit.requests_per_second < 0.0) {
        let message = format!("RequestsPerSecond for {label} rate limit must be non-negative.");
        return Err(Refusal::invalid(message));
    }
    check_length(&format!("{label}.Reason"), &update.reason, MAX_REASON)
}

fn check_length(field: &str, value: &str, limit: usize) -> Result<(), Refusal> {
    if value.len() > limit {
        return Err(Refusal::invalid(format!("{field} field too long (max {limit} characters).")));
    }
    Ok(())
}

fn check_weights(request: &api::UpdateTaskQueueConfigRequest) -> Result<(), Refusal> {
    let (set, unset) = (&request.set_fairness_weight_overrides, &request.unset_fairness_weight_overrides);
    let count = set.len() + unset.len();
    if count > MAX_WEIGHTS {
        return Err(Refusal::invalid(format!(
            "too many fairness weight overrides in request: got {count}, maximum {MAX_WEIGHTS}"
        )));
    }
    for key in set.keys().chain(unset) {
        if key.is_empty() {
            return Err(Refusal::invalid("fairness weight override key must not be empty"));
        }
        if key.len() > MAX_KEY {
            return Err(Refusal::invalid("fairness key length exceeds limit"));
        }
    }
    if let Some((key, _)) = set.iter().find(|(_, weight)| **weight < 0.0) {
        return Err(Refusal::invalid(format!(
            "invalid fairness weight weight for key {key:?}: fairness weight must be positive"
        )));
    }
    if let Some(key) = unset.iter().find(|key| set.contains_key(*key)) {
        return Err(Refusal::invalid(format!(
            "fairness weight override key {key:?} present in both set and unset lists"
        )));
    }
    Ok(())
}

/// Where a partition is said to live: there is but one host.
const HOST: &str = "localhost";
/// What is reported of a queue that nobody limits.
const UNLIMITED: f64 = 100_000.0;
const MAX_WEIGHTS: usize = 1_000;
const MAX_REASON: usize = 1_000;
const MAX_KEY: usize = 64;
