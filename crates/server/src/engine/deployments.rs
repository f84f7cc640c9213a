//! [`Deployments`]: which versions of its workers a namespace has, which queues they serve, and which of them get new
//! workflows.
//!
//! A version comes to be when its first worker polls. Routing is kept per deployment and told to
//! [`Matching`](super::matching::Matching) per queue. Whether a version is drained is looked up when somebody asks, so
//! that no timer runs for it.
//!
//! Not here: which version a workflow is on; its run knows.

mod admin;
mod limits;
mod names;
mod older;
mod overrides;
mod record;
mod routing;
mod runs;
mod views;

use std::collections::BTreeMap;

use bytes::{BufMut, BytesMut};
use stead_proto::common::v1::WorkerVersionCapabilities;
use stead_proto::deployment::v1::worker_deployment_version_info::VersionTaskQueueInfo;
use stead_proto::deployment::v1::{WorkerDeploymentOptions, WorkerDeploymentVersion};
use stead_proto::enums::v1::{TaskQueueType, WorkerDeploymentVersionStatus, WorkerVersioningMode};

use super::matching::{QueueKind, QueueName, Routing, version_of};
use super::namespaces::NamespaceKey;
pub(super) use names::{dotted, with_colon};
pub(super) use older::{version_sets_are_disabled, versioning_rules_are_disabled};
pub(super) use overrides::{described_override, pinned_to, put_into_current_form};
pub(super) use runs::{
    directive_of, effective_behavior, effective_version, pinned_version, settled_behavior, stays_on_version,
};

use super::rows::{Changes, RowKey, Rows};
use super::{Engine, Refusal};
use crate::store::Table;
use record::Deployment;

/// A deployment's key: its namespace and its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct DeploymentKey {
    namespace: NamespaceKey,
    name: String,
}

impl RowKey for DeploymentKey {
    fn put(&self, key: &mut BytesMut) {
        key.put_u64(self.namespace.0);
        key.put_slice(self.name.as_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (namespace, name) = bytes.split_first_chunk()?;
        let namespace = NamespaceKey(u64::from_be_bytes(*namespace));
        Some(Self { namespace, name: String::from_utf8(name.to_vec()).ok()? })
    }
}

/// All worker deployments.
#[derive(Debug, Default)]
pub(crate) struct Deployments {
    rows: Rows<DeploymentKey, Deployment>,
    /// The versions of each queue, as the rows have them.
    members: BTreeMap<QueueName, Vec<WorkerDeploymentVersion>>,
}

impl Deployments {
    pub(super) fn write(&mut self, changes: &mut Changes) {
        self.rows.write(Table::Deployments, &[], changes);
    }

    /// Takes a stored row. `None` if it cannot be read.
    pub(super) fn load(&mut self, key: &[u8], value: bytes::Bytes) -> Option<()> {
        self.rows.load(key, value)?;
        let key = DeploymentKey::read(key)?;
        let deployment = self.rows.get(&key)?;
        for (queue, version) in served(&key, deployment) {
            self.members.entry(queue).or_default().push(version);
        }
        Some(())
    }

    fn get(&self, namespace: NamespaceKey, name: &str) -> Option<&Deployment> {
        self.rows.get(&DeploymentKey { namespace, name: name.to_owned() })
    }

    /// The deployments of a namespace, by name.
    fn of(&self, namespace: NamespaceKey) -> impl Iterator<Item = (&str, &Deployment)> {
        let own = self.rows.iter().filter(move |(key, _)| key.namespace == namespace);
        own.map(|(key, deployment)| (key.name.as_str(), deployment))
    }

    fn serves(&self, queue: &QueueName, version: &WorkerDeploymentVersion) -> bool {
        self.members.get(queue).is_some_and(|members| members.contains(version))
    }

    /// Replaces a deployment; `None` removes it. Gives the queues whose routing that may change.
    fn set(&mut self, key: DeploymentKey, deployment: Option<Deployment>) -> Vec<QueueName> {
        let before = self.rows.get(&key).map(|deployment| served(&key, deployment)).unwrap_or_default();
        let after = deployment.as_ref().map(|deployment| served(&key, deployment)).unwrap_or_default();
        for (queue, version) in &before {
            if let Some(members) = self.members.get_mut(queue) {
                members.retain(|member| member != version);
            }
        }
        for (queue, version) in &after {
            self.members.entry(queue.clone()).or_default().push(version.clone());
        }
        self.members.retain(|_, members| !members.is_empty());
        match deployment {
            Some(deployment) => _ = self.rows.insert(key, deployment),
            None => _ = self.rows.remove(&key),
        }
        let mut queues: Vec<_> = before.into_iter().chain(after).map(|(queue, _)| queue).collect();
        queues.sort();
        queues.dedup();
        queues
    }

    /// Where a queue's tasks go: of the deployments whose current version serves it, to the one that was set last; and
    /// likewise for what is ramping.
    fn routing(&self, queue: &QueueName) -> Routing {
        let members = self.members.get(queue).cloned().unwrap_or_default();
        let mut names: Vec<_> = members.iter().map(|version| version.deployment_name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let configs: Vec<_> = names.iter().filter_map(|name| Some(&self.get(queue.namespace, name)?.routing)).collect();
        let is_member = |version: &Option<WorkerDeploymentVersion>| {
            version.as_ref().is_some_and(|version| members.contains(version))
        };
        let current = configs.iter().filter(|config| is_member(&config.current_deployment_version));
        let current = current.max_by_key(|config| record::order(config.current_version_changed_time.as_ref()));
        let ramped = |config: &&&stead_proto::deployment::v1::RoutingConfig| {
            record::order(config.ramping_version_percentage_changed_time.as_ref())
        };
        let versioned =
            configs.iter().filter(|config| is_member(&config.ramping_deployment_version)).max_by_key(ramped);
        let unversioned = configs.iter().filter(|config| config.ramping_deployment_version.is_none());
        let ramping = versioned.or_else(|| unversioned.max_by_key(ramped));
        let changed = [
            current.and_then(|config| record::order(config.current_version_changed_time.as_ref())),
            ramping.and_then(|config| record::order(config.ramping_version_percentage_changed_time.as_ref())),
        ];
        Routing {
            updated: changed.into_iter().flatten().max(),
            current_revision: current.map_or(0, |config| config.revision_number),
            ramping_revision: ramping.map_or(0, |config| config.revision_number),
            current: current.and_then(|config| config.current_deployment_version.clone()),
            ramping: ramping.and_then(|config| config.ramping_deployment_version.clone()),
            ramp_percentage: ramping.map_or(0.0, |config| config.ramping_version_percentage),
            members,
        }
    }
}

/// The queues that the versions of a deployment serve.
fn served(key: &DeploymentKey, deployment: &Deployment) -> Vec<(QueueName, WorkerDeploymentVersion)> {
    let versions = deployment
        .versions
        .iter()
        .flat_map(|(build_id, version)| version.info.task_queue_infos.iter().map(move |queue| (build_id, queue)));
    versions
        .filter_map(|(build_id, queue)| {
            let kind = kind_of(queue.r#type())?;
            let queue = QueueName { namespace: key.namespace, kind, name: queue.name.clone() };
            Some((queue, WorkerDeploymentVersion { deployment_name: key.name.clone(), build_id: build_id.clone() }))
        })
        .collect()
}

/// The kind of a queue as the API names it.
pub(super) fn kind_of(kind: TaskQueueType) -> Option<QueueKind> {
    match kind {
        TaskQueueType::Workflow => Some(QueueKind::Workflow),
        TaskQueueType::Activity => Some(QueueKind::Activity),
        TaskQueueType::Nexus => Some(QueueKind::Nexus),
        TaskQueueType::Unspecified => None,
    }
}

/// A version that is written as one string. `None` if it is no version's.
pub(super) fn parse_version(text: &str) -> Option<WorkerDeploymentVersion> {
    names::parse(text).ok().flatten()
}

/// How the API names the kind of a queue.
pub(super) fn type_of(kind: QueueKind) -> TaskQueueType {
    match kind {
        QueueKind::Workflow | QueueKind::Sticky => TaskQueueType::Workflow,
        QueueKind::Activity => TaskQueueType::Activity,
        QueueKind::Nexus => TaskQueueType::Nexus,
    }
}

impl Engine {
    /// Takes note that a worker polls a queue: the first poll of a version makes it, and its deployment.
    pub(super) fn register_worker(
        &mut self,
        namespace: NamespaceKey,
        kind: QueueKind,
        queue: &str,
        options: Option<&WorkerDeploymentOptions>,
        capabilities: Option<&WorkerVersionCapabilities>,
    ) -> Result<(), Refusal> {
        check_options(options)?;
        let version = version_of(options, capabilities).filter(|version| !version.deployment_name.is_empty());
        let Some(version) = version.filter(|_| kind != QueueKind::Sticky) else { return Ok(()) };
        let queue = QueueName { namespace, kind, name: queue.to_owned() };
        if self.deployments.serves(&queue, &version) {
            return Ok(());
        }
        names::check_version(&version)?;
        self.register_version(queue, version)
    }

    fn register_version(&mut self, queue: QueueName, version: WorkerDeploymentVersion) -> Result<(), Refusal> {
        if self.deployments.members.get(&queue).is_some_and(|members| members.len() > limits::VERSIONS_OF_QUEUE) {
            return Err(limits::too_many_versions_of_queue());
        }
        let key = DeploymentKey { namespace: queue.namespace, name: version.deployment_name.clone() };
        let request_id = format!("{}{}", names::AUTO_CREATED, self.ids.uuid());
        let mut deployment = self.deployment_or_new(&key, request_id)?;
        self.make_room_for_version(&key, &mut deployment, &version.build_id)?;
        let entry = deployment.version_or_new(&key.name, &version.build_id, self.now);
        if entry.served_names() >= limits::QUEUES_OF_VERSION {
            return Err(limits::too_many_queues(&queue.name));
        }
        entry.info.task_queue_infos.push(VersionTaskQueueInfo { name: queue.name, r#type: type_of(queue.kind).into() });
        if entry.info.status() == WorkerDeploymentVersionStatus::Created {
            entry.info.set_status(WorkerDeploymentVersionStatus::Inactive);
        }
        self.set_deployment(key, Some(deployment));
        Ok(())
    }

    /// A copy to change, or a new one if there is room for it.
    fn deployment_or_new(&self, key: &DeploymentKey, request_id: String) -> Result<Deployment, Refusal> {
        if let Some(deployment) = self.deployments.rows.get(key) {
            return Ok(deployment.clone());
        }
        if self.deployments.of(key.namespace).count() >= limits::DEPLOYMENTS {
            return Err(limits::too_many_deployments());
        }
        Ok(Deployment::new(request_id, self.now))
    }

    /// Stores a deployment, and tells matching what that means for its queues.
    fn set_deployment(&mut self, key: DeploymentKey, deployment: Option<Deployment>) {
        for queue in self.deployments.set(key, deployment) {
            self.route(&queue);
        }
    }

    fn route(&mut self, queue: &QueueName) {
        let routing = self.deployments.routing(queue);
        let id = self.matching.queue(queue.namespace, queue.kind, &queue.name, self.now);
        self.matching.set_routing(id, routing, self.now);
    }

    /// Forgets all deployments of a namespace.
    pub(super) fn forget_deployments(&mut self, namespace: NamespaceKey) {
        let names: Vec<_> = self.deployments.of(namespace).map(|(name, _)| name.to_owned()).collect();
        for name in names {
            self.set_deployment(DeploymentKey { namespace, name }, None);
        }
    }

    /// Tells matching about all queues of all deployments, after a start.
    pub(super) fn route_all(&mut self) {
        for queue in self.deployments.members.keys().cloned().collect::<Vec<_>>() {
            self.route(&queue);
        }
    }
}

/// A worker that is versioned has a name for its deployment and one for its build.
pub(super) fn check_options(options: Option<&WorkerDeploymentOptions>) -> Result<(), Refusal> {
    let Some(options) = options else { return Ok(()) };
    if options.worker_versioning_mode() != WorkerVersioningMode::Versioned {
        return Ok(());
    }
    if options.deployment_name.is_empty() || options.build_id.is_empty() {
        return Err(Refusal::invalid("Deployment name and build id must be set together."));
    }
    names::check_deployment(&options.deployment_name)?;
    names::check_build_id(&options.build_id)
}
