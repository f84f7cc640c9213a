//! The calls that describe and list deployments and versions, and whether versions are drained.

use std::time::Duration;

use stead_proto::deployment::v1::worker_deployment_info::WorkerDeploymentVersionSummary;
use stead_proto::deployment::v1::{WorkerDeploymentInfo, WorkerDeploymentVersion, WorkerDeploymentVersionInfo};
use stead_proto::enums::v1::{RoutingConfigUpdateState, WorkerDeploymentVersionStatus};
use stead_proto::workflowservice::v1::describe_worker_deployment_version_response::VersionTaskQueue;
use stead_proto::workflowservice::v1::list_worker_deployments_response::WorkerDeploymentSummary;
use stead_proto::workflowservice::v1::{self as api};

use super::record::{Deployment, Version};
use super::{DeploymentKey, Engine, kind_of, names};
use crate::engine::Refusal;
use crate::engine::matching::total;
use crate::engine::namespaces::NamespaceKey;

impl Engine {
    pub(in crate::engine) fn describe_worker_deployment(
        &mut self,
        request: api::DescribeWorkerDeploymentRequest,
    ) -> Result<api::DescribeWorkerDeploymentResponse, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        names::check_deployment(&request.deployment_name)?;
        let key = DeploymentKey { namespace, name: request.deployment_name };
        self.refresh_drainage(&key);
        let deployment = self.deployments.rows.get(&key).ok_or_else(|| names::no_deployment(&key.name))?;
        let newest_first = deployment.by_age().into_iter().rev();
        let summaries = newest_first.filter_map(|build_id| deployment.versions.get(&build_id)).map(|version| {
            let drainage_status = version.info.drainage_info.map_or(0, |drainage| drainage.status);
            WorkerDeploymentVersionSummary { drainage_status, ..summary(version) }
        });
        let info = WorkerDeploymentInfo {
            name: key.name.clone(),
            version_summaries: summaries.collect(),
            create_time: deployment.create_time,
            routing_config: Some(deployment.routing.clone()),
            last_modifier_identity: deployment.last_modifier.clone(),
            manager_identity: deployment.manager.clone(),
            routing_config_update_state: RoutingConfigUpdateState::Completed.into(),
        };
        let conflict_token = deployment.conflict_token();
        Ok(api::DescribeWorkerDeploymentResponse { conflict_token, worker_deployment_info: Some(info) })
    }

    pub(in crate::engine) fn describe_worker_deployment_version(
        &mut self,
        request: &api::DescribeWorkerDeploymentVersionRequest,
    ) -> Result<api::DescribeWorkerDeploymentVersionResponse, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        let named = match (request.version.as_str(), &request.deployment_version) {
            ("", None) => return Err(Refusal::invalid("deployment version cannot be empty")),
            ("", version) => names::dotted(version.as_ref()),
            (named, _) => named.to_owned(),
        };
        let version = names::parse_named(&named)?;
        names::check_version(&version)?;
        let key = DeploymentKey { namespace, name: version.deployment_name.clone() };
        self.refresh_drainage(&key);
        let kept = self.deployments.rows.get(&key).and_then(|deployment| deployment.versions.get(&version.build_id));
        let kept = kept.ok_or_else(|| Refusal::not_found("Worker Deployment Version not found"))?;
        // The server does not tell these here, only in the summaries of the deployment.
        let info = WorkerDeploymentVersionInfo {
            first_activation_time: None,
            last_current_time: None,
            last_deactivation_time: None,
            ..kept.info.clone()
        };
        let queues = kept.info.task_queue_infos.iter().map(|queue| {
            let kind = kind_of(queue.r#type()).filter(|_| request.report_task_queue_stats);
            let id = kind.and_then(|kind| self.matching.find(namespace, kind, &queue.name));
            let stats = id.map(|id| self.matching.stats(id, Some(&version), self.now));
            VersionTaskQueue {
                name: queue.name.clone(),
                r#type: queue.r#type,
                stats: kind.map(|_| total(stats.iter().flatten().map(|(_, stats)| stats))),
                stats_by_priority_key: stats.unwrap_or_default(),
            }
        });
        let version_task_queues = queues.collect();
        Ok(api::DescribeWorkerDeploymentVersionResponse {
            worker_deployment_version_info: Some(info),
            version_task_queues,
        })
    }

    pub(in crate::engine) fn list_worker_deployments(
        &mut self,
        request: &api::ListWorkerDeploymentsRequest,
    ) -> Result<api::ListWorkerDeploymentsResponse, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        let size = usize::try_from(request.page_size).ok().filter(|size| (1..=MAX_PAGE).contains(size));
        let size = size.unwrap_or(MAX_PAGE);
        let after = std::str::from_utf8(&request.next_page_token);
        let after = after.map_err(|_| Refusal::invalid("Invalid NextPageToken."))?;
        let rest = self.deployments.of(namespace).filter(|(name, _)| after.is_empty() || *name > after);
        let page: Vec<String> = rest.take(size + 1).map(|(name, _)| name.to_owned()).collect();
        let next_page_token = if page.len() > size { page[size - 1].clone().into() } else { bytes::Bytes::new() };
        let deployments = page.into_iter().take(size).filter_map(|name| {
            let key = DeploymentKey { namespace, name };
            self.refresh_drainage(&key);
            Some(listed(&key.name, self.deployments.rows.get(&key)?))
        });
        Ok(api::ListWorkerDeploymentsResponse { worker_deployments: deployments.collect(), next_page_token })
    }

    /// A workflow was pinned to a version from outside: it is looked after again.
    pub(in crate::engine) fn reactivate_version(&mut self, namespace: NamespaceKey, version: &WorkerDeploymentVersion) {
        let key = DeploymentKey { namespace, name: version.deployment_name.clone() };
        let Some(kept) = self.deployments.get(namespace, &key.name) else { return };
        let Some(kept) = kept.versions.get(&version.build_id) else { return };
        let rests = matches!(
            kept.info.status(),
            WorkerDeploymentVersionStatus::Drained | WorkerDeploymentVersionStatus::Inactive
        );
        let deployment = self.deployments.rows.get_mut(&key).filter(|_| rests);
        if let Some(version) = deployment.and_then(|deployment| deployment.versions.get_mut(&version.build_id)) {
            version.start_draining(self.now);
        }
    }

    /// Looks whether the draining versions of a deployment are drained, those that were not looked at of late.
    pub(super) fn refresh_drainage(&mut self, key: &DeploymentKey) {
        let Some(deployment) = self.deployments.rows.get(key) else { return };
        let due = |version: &&Version| {
            version.last_check().is_some_and(|checked| self.now.since(checked) >= DRAINAGE_INTERVAL)
        };
        let due: Vec<_> = deployment.versions.values().filter(due).filter_map(version_of).collect();
        for version in due {
            let is_drained = self.pinned_workflows(key.namespace, &version) == 0;
            let deployment = self.deployments.rows.get_mut(key);
            if let Some(version) = deployment.and_then(|deployment| deployment.versions.get_mut(&version.build_id)) {
                version.checked(is_drained, self.now);
            }
        }
    }
}

fn version_of(version: &Version) -> Option<WorkerDeploymentVersion> {
    version.info.deployment_version.clone()
}

fn listed(name: &str, deployment: &Deployment) -> WorkerDeploymentSummary {
    let find = |version: &Option<WorkerDeploymentVersion>| {
        version.as_ref().and_then(|version| deployment.versions.get(&version.build_id)).map(summary)
    };
    let latest = deployment.by_age().pop();
    WorkerDeploymentSummary {
        name: name.to_owned(),
        create_time: deployment.create_time,
        routing_config: Some(deployment.routing.clone()),
        latest_version_summary: latest.and_then(|build_id| deployment.versions.get(&build_id)).map(summary),
        current_version_summary: find(&deployment.routing.current_deployment_version),
        ramping_version_summary: find(&deployment.routing.ramping_deployment_version),
    }
}

fn summary(version: &Version) -> WorkerDeploymentVersionSummary {
    let info = &version.info;
    WorkerDeploymentVersionSummary {
        version: info.version.clone(),
        status: info.status,
        deployment_version: info.deployment_version.clone(),
        create_time: info.create_time,
        drainage_info: info.drainage_info,
        current_since_time: info.current_since_time,
        ramping_since_time: info.ramping_since_time,
        routing_update_time: info.routing_changed_time,
        first_activation_time: info.first_activation_time,
        last_current_time: info.last_current_time,
        last_deactivation_time: info.last_deactivation_time,
        ..WorkerDeploymentVersionSummary::default()
    }
}

const MAX_PAGE: usize = 1_000;
const DRAINAGE_INTERVAL: Duration = Duration::from_secs(3 * 60);
