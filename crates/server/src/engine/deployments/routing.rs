//! The calls that say which version gets new workflows.

use stead_proto::deployment::v1::WorkerDeploymentVersion;
use stead_proto::enums::v1::TaskQueueType;
use stead_proto::workflowservice::v1 as api;

use super::record::Deployment;
use super::{DeploymentKey, Engine, kind_of, names};
use crate::engine::Refusal;
use crate::engine::matching::QueueName;
use crate::engine::namespaces::NamespaceKey;

impl Engine {
    pub(in crate::engine) fn set_worker_deployment_current_version(
        &mut self,
        request: &api::SetWorkerDeploymentCurrentVersionRequest,
    ) -> Result<api::SetWorkerDeploymentCurrentVersionResponse, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        if request.deployment_name.is_empty() {
            return Err(Refusal::invalid("deployment name cannot be empty"));
        }
        let named = match (request.version.as_str(), request.build_id.as_str()) {
            ("", "") => names::UNVERSIONED.to_owned(),
            ("", build_id) => format!("{}.{build_id}", request.deployment_name),
            (version, _) => version.to_owned(),
        };
        let target = Target {
            key: DeploymentKey { namespace, name: request.deployment_name.clone() },
            version: named_version(&named, &request.deployment_name)?,
            named,
            allow_no_pollers: request.allow_no_pollers,
            what: "current",
        };
        let mut deployment = self.deployment_of(&target)?;
        let previous = deployment.routing.current_version.clone();
        if previous == target.named && deployment.last_modifier == request.identity {
            return Ok(current_response(&deployment, previous));
        }
        check_conflict_token(&deployment, &request.conflict_token)?;
        target.check_known(&deployment)?;
        check_manager(&deployment, &request.identity)?;
        self.add_target(&target, &mut deployment)?;
        if !request.ignore_missing_task_queues {
            self.check_task_queues(&target, &deployment)?;
        }
        deployment.set_current(target.version, self.now);
        deployment.changed_by(&request.identity);
        let response = current_response(&deployment, previous);
        self.set_deployment(target.key, Some(deployment));
        Ok(response)
    }

    pub(in crate::engine) fn set_worker_deployment_ramping_version(
        &mut self,
        request: &api::SetWorkerDeploymentRampingVersionRequest,
    ) -> Result<api::SetWorkerDeploymentRampingVersionResponse, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        let share = request.percentage;
        let named = match (request.version.as_str(), request.build_id.as_str()) {
            ("" | names::UNVERSIONED, "") if share == 0.0 => String::new(),
            ("", "") => names::UNVERSIONED.to_owned(),
            ("", build_id) => format!("{}.{build_id}", request.deployment_name),
            (version, _) => version.to_owned(),
        };
        if !(0.0..=100.0).contains(&share) {
            return Err(Refusal::invalid("Percentage must be between 0 and 100 (inclusive)"));
        }
        let version = if named.is_empty() { None } else { named_version(&named, &request.deployment_name)? };
        let target = Target {
            key: DeploymentKey { namespace, name: request.deployment_name.clone() },
            version,
            named,
            allow_no_pollers: request.allow_no_pollers,
            what: "ramping",
        };
        let mut deployment = self.deployment_of(&target)?;
        let previous = (deployment.routing.ramping_version.clone(), deployment.routing.ramping_version_percentage);
        if previous == (target.named.clone(), share) && deployment.last_modifier == request.identity {
            return Ok(ramping_response(&deployment, previous));
        }
        check_conflict_token(&deployment, &request.conflict_token)?;
        target.check_not_current(&deployment, share)?;
        target.check_known(&deployment)?;
        check_manager(&deployment, &request.identity)?;
        self.add_target(&target, &mut deployment)?;
        if !request.ignore_missing_task_queues && previous.0 != target.named {
            self.check_task_queues(&target, &deployment)?;
        }
        deployment.set_ramping(&target.named, target.version, share, self.now);
        deployment.changed_by(&request.identity);
        let response = ramping_response(&deployment, previous);
        self.set_deployment(target.key, Some(deployment));
        Ok(response)
    }

    pub(in crate::engine) fn set_worker_deployment_manager(
        &mut self,
        request: api::SetWorkerDeploymentManagerRequest,
    ) -> Result<api::SetWorkerDeploymentManagerResponse, Refusal> {
        use api::set_worker_deployment_manager_request::NewManagerIdentity;

        let namespace = self.namespaces.key(&request.namespace)?;
        if request.identity.is_empty() {
            return Err(Refusal::invalid("Identity is required"));
        }
        names::check_deployment(&request.deployment_name)?;
        let manager = match request.new_manager_identity {
            Some(NewManagerIdentity::ManagerIdentity(identity)) => identity,
            Some(NewManagerIdentity::Self_(true)) => request.identity.clone(),
            Some(NewManagerIdentity::Self_(false)) | None => String::new(),
        };
        let key = DeploymentKey { namespace, name: request.deployment_name };
        let missing = || names::no_deployment_workflow(&key.name);
        let mut deployment = self.deployments.rows.get(&key).cloned().ok_or_else(missing)?;
        let unchanged = deployment.manager == manager && deployment.last_modifier == request.identity;
        let mut previous = manager.clone();
        if !unchanged {
            check_conflict_token(&deployment, &request.conflict_token)?;
            previous = std::mem::replace(&mut deployment.manager, manager);
            deployment.changed_by(&request.identity);
        }
        let conflict_token = deployment.conflict_token();
        self.set_deployment(key, Some(deployment));
        Ok(api::SetWorkerDeploymentManagerResponse { conflict_token, previous_manager_identity: previous })
    }

    /// A copy of the deployment of a target, to change. It may be new, if nobody has to poll.
    fn deployment_of(&self, target: &Target) -> Result<Deployment, Refusal> {
        let name = &target.key.name;
        names::check_deployment(name)?;
        if let Some(version) = target.version.as_ref().filter(|_| target.allow_no_pollers) {
            names::check_build_id(&version.build_id)?;
        }
        match self.deployments.rows.get(&target.key) {
            Some(deployment) => Ok(deployment.clone()),
            None if target.allow_no_pollers => self.deployment_or_new(&target.key, String::new()),
            None => Err(names::no_deployment(name)),
        }
    }

    /// Adds the version of a target that nobody has polled for.
    fn add_target(&self, target: &Target, deployment: &mut Deployment) -> Result<(), Refusal> {
        let Some(version) = &target.version else { return Ok(()) };
        self.make_room_for_version(&target.key, deployment, &version.build_id)?;
        deployment.version_or_new(&target.key.name, &version.build_id, self.now);
        Ok(())
    }

    /// A queue of the current version in which there is something to do must not be left behind.
    fn check_task_queues(&self, target: &Target, deployment: &Deployment) -> Result<(), Refusal> {
        let (Some(current), Some(next)) = (&deployment.routing.current_deployment_version, &target.version) else {
            return Ok(());
        };
        let (old, new) = (deployment.versions.get(&current.build_id), deployment.versions.get(&next.build_id));
        let (Some(old), Some(new)) = (old, new) else { return Ok(()) };
        let mut missing = old.info.task_queue_infos.iter().filter(|queue| !new.info.task_queue_infos.contains(queue));
        let namespace = target.key.namespace;
        if missing.any(|queue| self.needs_version(namespace, &queue.name, queue.r#type(), current)) {
            let what = target.what;
            return Err(Refusal::failed_precondition(format!(
                "proposed {what} version '{}' is missing active task queues from the current version; these would \
                 become unversioned if it is set as the {what} version",
                names::with_colon(next)
            )));
        }
        Ok(())
    }

    /// Whether a queue depends on a version: it gets the queue's tasks, and there are some.
    fn needs_version(
        &self,
        namespace: NamespaceKey,
        queue: &str,
        kind: TaskQueueType,
        version: &WorkerDeploymentVersion,
    ) -> bool {
        let Some(kind) = kind_of(kind) else { return false };
        let served = QueueName { namespace, kind, name: queue.to_owned() };
        let is_current = self.deployments.routing(&served).current.as_ref() == Some(version);
        let id = self.matching.find(namespace, kind, queue);
        is_current && id.is_some_and(|id| self.matching.is_busy(id, Some(version), self.now))
    }
}

/// What is to become current or ramping.
struct Target {
    key: DeploymentKey,
    /// As the older strings of the API have it.
    named: String,
    version: Option<WorkerDeploymentVersion>,
    allow_no_pollers: bool,
    what: &'static str,
}

impl Target {
    fn check_known(&self, deployment: &Deployment) -> Result<(), Refusal> {
        match &self.version {
            Some(version) if !self.allow_no_pollers && !deployment.versions.contains_key(&version.build_id) => {
                Err(names::no_version(&self.key.name, &version.build_id))
            }
            _ => Ok(()),
        }
    }

    fn check_not_current(&self, deployment: &Deployment, share: f32) -> Result<(), Refusal> {
        let is_current = self.named == deployment.routing.current_version;
        if is_current && !(self.version.is_none() && share == 0.0) {
            let message = format!("requested ramping version {} is already current", self.named);
            return Err(Refusal::failed_precondition(message));
        }
        Ok(())
    }
}

fn named_version(named: &str, deployment: &str) -> Result<Option<WorkerDeploymentVersion>, Refusal> {
    let version = names::parse(named).map_err(|error| Refusal::invalid(format!("invalid version string: {error}")))?;
    if version.as_ref().is_some_and(|version| version.deployment_name != deployment) {
        let message = format!("invalid version string '{named}' does not match deployment name '{deployment}'");
        return Err(Refusal::invalid(message));
    }
    Ok(version)
}

fn check_conflict_token(deployment: &Deployment, token: &[u8]) -> Result<(), Refusal> {
    if token.is_empty() || deployment.conflict_token() == token {
        return Ok(());
    }
    Err(Refusal::failed_precondition("conflict token mismatch"))
}

/// A deployment that has a manager is changed by nobody else.
pub(super) fn check_manager(deployment: &Deployment, identity: &str) -> Result<(), Refusal> {
    let manager = &deployment.manager;
    if manager.is_empty() || manager == identity {
        return Ok(());
    }
    Err(Refusal::failed_precondition(format!(
        "ManagerIdentity '{manager}' is set and does not match user identity '{identity}'; to proceed, set your own \
         identity as the ManagerIdentity, remove the ManagerIdentity, or wait for the other client to do so"
    )))
}

fn current_response(deployment: &Deployment, previous: String) -> api::SetWorkerDeploymentCurrentVersionResponse {
    api::SetWorkerDeploymentCurrentVersionResponse {
        conflict_token: deployment.conflict_token(),
        previous_deployment_version: names::parse(&previous).ok().flatten(),
        previous_version: previous,
    }
}

fn ramping_response(
    deployment: &Deployment,
    (previous, previous_percentage): (String, f32),
) -> api::SetWorkerDeploymentRampingVersionResponse {
    api::SetWorkerDeploymentRampingVersionResponse {
        conflict_token: deployment.conflict_token(),
        previous_deployment_version: names::parse(&previous).ok().flatten(),
        previous_version: previous,
        previous_percentage,
    }
}
