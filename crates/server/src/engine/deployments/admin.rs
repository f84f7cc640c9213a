//! The calls that make, change and delete deployments and versions.

use stead_proto::deployment::v1::{VersionMetadata, WorkerDeploymentVersion};
use stead_proto::enums::v1::WorkerDeploymentVersionStatus;
use stead_proto::workflowservice::v1 as api;

use super::record::{Deployment, Version};
use super::routing::check_manager;
use super::{DeploymentKey, Engine, kind_of, limits, names};
use crate::engine::Refusal;

impl Engine {
    pub(in crate::engine) fn create_worker_deployment(
        &mut self,
        request: api::CreateWorkerDeploymentRequest,
    ) -> Result<api::CreateWorkerDeploymentResponse, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        if request.deployment_name.is_empty() {
            return Err(Refusal::invalid("deployment name cannot be empty"));
        }
        names::check_deployment(&request.deployment_name)?;
        let key = DeploymentKey { namespace, name: request.deployment_name };
        let request_id = self.request_id(request.request_id);
        if let Some(existing) = self.deployments.rows.get(&key) {
            return existing_deployment(existing, &key.name, &request_id);
        }
        let mut deployment = self.deployment_or_new(&key, request_id)?;
        deployment.last_modifier = request.identity;
        let conflict_token = deployment.conflict_token();
        self.set_deployment(key, Some(deployment));
        Ok(api::CreateWorkerDeploymentResponse { conflict_token })
    }

    pub(in crate::engine) fn create_worker_deployment_version(
        &mut self,
        request: api::CreateWorkerDeploymentVersionRequest,
    ) -> Result<api::CreateWorkerDeploymentVersionResponse, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        let version = request.deployment_version.unwrap_or_default();
        if version.deployment_name.is_empty() {
            return Err(Refusal::invalid("deployment name cannot be empty"));
        }
        if version.build_id.is_empty() {
            return Err(Refusal::invalid("build ID cannot be empty"));
        }
        names::check_version(&version)?;
        if request.compute_config.is_some() {
            return Err(Refusal::unimplemented("this server starts no workers: leave compute_config unset"));
        }
        let request_id = self.request_id(request.request_id);
        let key = DeploymentKey { namespace, name: version.deployment_name.clone() };
        let missing = || names::no_deployment(&key.name);
        let mut deployment = self.deployments.rows.get(&key).cloned().ok_or_else(missing)?;
        match deployment.versions.get(&version.build_id) {
            Some(existing) if existing.create_request_id == request_id => {
                return Ok(api::CreateWorkerDeploymentVersionResponse {});
            }
            Some(_) => {
                let version = names::dotted(Some(&version));
                return Err(names::already_exists(format!("Worker Deployment Version {version:?} already exists")));
            }
            None => {}
        }
        self.make_room_for_version(&key, &mut deployment, &version.build_id)?;
        let mut fresh = Version::new(&key.name, &version.build_id, WorkerDeploymentVersionStatus::Created, self.now);
        fresh.create_request_id = request_id;
        fresh.info.last_modifier_identity = request.identity;
        deployment.versions.insert(version.build_id, fresh);
        self.set_deployment(key, Some(deployment));
        Ok(api::CreateWorkerDeploymentVersionResponse {})
    }

    pub(in crate::engine) fn update_worker_deployment_version_metadata(
        &mut self,
        request: api::UpdateWorkerDeploymentVersionMetadataRequest,
    ) -> Result<api::UpdateWorkerDeploymentVersionMetadataResponse, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        if request.remove_entries.is_empty() && request.upsert_entries.is_empty() {
            let message = "At least one of remove_entries or upsert_entries must be provided";
            return Err(Refusal::invalid(message));
        }
        let named = || names::parse(&request.version).ok().flatten().unwrap_or_default();
        let version = request.deployment_version.unwrap_or_else(named);
        let key = DeploymentKey { namespace, name: version.deployment_name.clone() };
        let missing = || names::no_version_workflow(&version);
        let deployment = self.deployments.rows.get_mut(&key).ok_or_else(missing)?;
        let info = &mut deployment.versions.get_mut(&version.build_id).ok_or_else(missing)?.info;
        if !request.upsert_entries.is_empty() {
            info.metadata.get_or_insert_with(VersionMetadata::default).entries.extend(request.upsert_entries);
        }
        if let Some(metadata) = &mut info.metadata {
            request.remove_entries.iter().for_each(|entry| _ = metadata.entries.remove(entry));
        }
        info.last_modifier_identity = request.identity;
        Ok(api::UpdateWorkerDeploymentVersionMetadataResponse { metadata: info.metadata.clone() })
    }

    pub(in crate::engine) fn delete_worker_deployment(
        &mut self,
        request: api::DeleteWorkerDeploymentRequest,
    ) -> Result<api::DeleteWorkerDeploymentResponse, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        names::check_deployment(&request.deployment_name)?;
        let key = DeploymentKey { namespace, name: request.deployment_name };
        if self.deployments.rows.get(&key).is_some_and(|deployment| !deployment.versions.is_empty()) {
            return Err(Refusal::failed_precondition("deployment has versions, can't be deleted"));
        }
        self.set_deployment(key, None);
        Ok(api::DeleteWorkerDeploymentResponse {})
    }

    pub(in crate::engine) fn delete_worker_deployment_version(
        &mut self,
        request: api::DeleteWorkerDeploymentVersionRequest,
    ) -> Result<api::DeleteWorkerDeploymentVersionResponse, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        let named = request.deployment_version.map_or(request.version, |version| names::dotted(Some(&version)));
        let version = names::parse_named(&named)?;
        names::check_deployment(&version.deployment_name)?;
        let key = DeploymentKey { namespace, name: version.deployment_name.clone() };
        self.refresh_drainage(&key);
        let missing = || names::no_deployment_workflow(&key.name);
        let mut deployment = self.deployments.rows.get(&key).cloned().ok_or_else(missing)?;
        if !deployment.versions.contains_key(&version.build_id) {
            return Ok(api::DeleteWorkerDeploymentVersionResponse {});
        }
        check_not_routed_to(&deployment, &version)?;
        check_manager(&deployment, &request.identity)?;
        self.check_unused(&key, &deployment, &version, request.skip_drainage)?;
        deployment.versions.remove(&version.build_id);
        deployment.last_modifier = self.request_id(request.identity);
        self.set_deployment(key, Some(deployment));
        Ok(api::DeleteWorkerDeploymentVersionResponse {})
    }

    /// Deletes the oldest version that nobody uses if there are as many versions as may be.
    pub(super) fn make_room_for_version(
        &self,
        key: &DeploymentKey,
        deployment: &mut Deployment,
        build_id: &str,
    ) -> Result<(), Refusal> {
        if deployment.versions.contains_key(build_id) || deployment.versions.len() < limits::VERSIONS {
            return Ok(());
        }
        let version_of = |build_id: &str| WorkerDeploymentVersion {
            deployment_name: key.name.clone(),
            build_id: build_id.to_owned(),
        };
        let unused = deployment.by_age().into_iter().find(|build_id| {
            let version = version_of(build_id);
            let routed_to = check_not_routed_to(deployment, &version);
            routed_to.and_then(|()| self.check_unused(key, deployment, &version, false)).is_ok()
        });
        match unused {
            Some(unused) => _ = deployment.versions.remove(&unused),
            None => return Err(limits::too_many_versions(&names::dotted(Some(&version_of(build_id))))),
        }
        Ok(())
    }

    fn check_unused(
        &self,
        key: &DeploymentKey,
        deployment: &Deployment,
        version: &WorkerDeploymentVersion,
        may_be_draining: bool,
    ) -> Result<(), Refusal> {
        let Some(kept) = deployment.versions.get(&version.build_id) else { return Ok(()) };
        let refused = |why| {
            let name = names::with_colon(version);
            Refusal::failed_precondition(format!("version '{name}' cannot be deleted since it {why}"))
        };
        if kept.is_draining() && !may_be_draining {
            return Err(refused("is draining"));
        }
        let is_polled = kept.info.task_queue_infos.iter().any(|queue| {
            let id = kind_of(queue.r#type()).and_then(|kind| self.matching.find(key.namespace, kind, &queue.name));
            id.is_some_and(|id| !self.matching.pollers(id, Some(version), self.now).is_empty())
        });
        if is_polled { Err(refused("has active pollers")) } else { Ok(()) }
    }

    fn request_id(&mut self, given: String) -> String {
        if given.is_empty() { self.ids.uuid().to_string() } else { given }
    }
}

fn check_not_routed_to(deployment: &Deployment, version: &WorkerDeploymentVersion) -> Result<(), Refusal> {
    if deployment.is_current_or_ramping(&version.build_id) {
        let name = names::with_colon(version);
        let message = format!("version '{name}' cannot be deleted since it is current or ramping");
        return Err(Refusal::failed_precondition(message));
    }
    Ok(())
}

fn existing_deployment(
    existing: &Deployment,
    name: &str,
    request_id: &str,
) -> Result<api::CreateWorkerDeploymentResponse, Refusal> {
    if existing.create_request_id == request_id {
        return Ok(api::CreateWorkerDeploymentResponse { conflict_token: existing.conflict_token() });
    }
    let by_polls = existing.create_request_id.starts_with(names::AUTO_CREATED);
    let why = if by_polls { " (auto-created from worker polls)" } else { "" };
    Err(names::already_exists(format!("Worker Deployment with name {name:?} already exists{why}")))
}
