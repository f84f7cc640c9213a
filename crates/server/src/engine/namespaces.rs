//! [`Namespaces`]: who exists, under which name, and what it may do; and the calls about the server itself.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use prost::Message;
use stead_proto::enums::v1::{ArchivalState, NamespaceState};
use stead_proto::errordetails::v1 as details;
use stead_proto::namespace::v1::{NamespaceConfig, NamespaceInfo, namespace_info};
use stead_proto::replication::v1::{ClusterReplicationConfig, NamespaceReplicationConfig};
use stead_proto::workflowservice::v1::{self as api, get_system_info_response};

use super::refusal::Code;
use super::rows::{Changes, Rows};
use super::time::{duration, wire};
use super::{Engine, Refusal};
use crate::store::Table;

/// A namespace in this engine and its store: its place in the order of registration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NamespaceKey(pub(crate) u64);

/// What is stored of a namespace.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Namespace {
    #[prost(message, required, tag = "1")]
    pub(crate) info: NamespaceInfo,
    #[prost(message, required, tag = "2")]
    pub(crate) config: NamespaceConfig,
    /// It is being emptied, and then removed.
    #[prost(bool, tag = "3")]
    deleted: bool,
}

/// All namespaces, by key and by name.
#[derive(Debug, Default)]
pub(crate) struct Namespaces {
    rows: Rows<u64, Namespace>,
    by_name: HashMap<String, NamespaceKey>,
    deleted: BTreeSet<NamespaceKey>,
    /// Keys are never used again.
    next: u64,
}

impl Namespaces {
    pub(crate) fn key(&self, name: &str) -> Result<NamespaceKey, Refusal> {
        if name.is_empty() {
            return Err(Refusal::invalid("Namespace is empty."));
        }
        self.by_name.get(name).copied().ok_or_else(|| {
            let detail = details::NamespaceNotFoundFailure { namespace: name.to_owned() };
            Refusal::new(Code::NotFound, format!("Namespace {name} is not found.")).with(&detail)
        })
    }

    /// The namespace of a request whose token says where it belongs: it need not name one, but none that there is not.
    pub(crate) fn named(&self, name: &str) -> Result<Option<NamespaceKey>, Refusal> {
        if name.is_empty() { Ok(None) } else { self.key(name).map(Some) }
    }

    /// The namespace of a key, which only [`Self::key`] gives out.
    pub(crate) fn get(&self, key: NamespaceKey) -> Option<&Namespace> {
        self.rows.get(&key.0)
    }

    /// The namespace, which counts as changed from here on.
    pub(super) fn get_mut(&mut self, key: NamespaceKey) -> Option<&mut Namespace> {
        self.rows.get_mut(&key.0)
    }

    pub(super) fn write(&mut self, changes: &mut Changes) {
        self.rows.write(Table::Namespaces, &[], changes);
    }

    /// Takes a row that was stored.
    pub(super) fn load(&mut self, key: &[u8], value: Bytes) -> Option<()> {
        self.rows.load(key, value)?;
        let key = u64::from_be_bytes(key.try_into().ok()?);
        let namespace = self.rows.get(&key)?;
        self.by_name.insert(namespace.info.name.clone(), NamespaceKey(key));
        if namespace.deleted {
            self.deleted.insert(NamespaceKey(key));
        }
        self.next = self.next.max(key + 1);
        Some(())
    }

    /// Gives a namespace the name of a deleted one. `None` if there is no such namespace.
    pub(super) fn rename_deleted(&mut self, key: NamespaceKey) -> Option<String> {
        let namespace = self.rows.get_mut(&key.0)?;
        if !std::mem::replace(&mut namespace.deleted, true) {
            let id = &namespace.info.id;
            let name = format!("{}-deleted-{}", namespace.info.name, id.get(..5).unwrap_or(id));
            self.by_name.remove(&namespace.info.name);
            self.by_name.insert(name.clone(), key);
            namespace.info.name = name;
            namespace.info.set_state(NamespaceState::Deleted);
            self.deleted.insert(key);
        }
        Some(namespace.info.name.clone())
    }

    /// A deleted namespace that is not removed yet.
    pub(super) fn deleted(&self) -> Option<NamespaceKey> {
        self.deleted.first().copied()
    }

    pub(super) fn remove(&mut self, key: NamespaceKey) {
        if let Some(namespace) = self.rows.remove(&key.0) {
            self.by_name.remove(&namespace.info.name);
        }
        self.deleted.remove(&key);
    }

    fn register(&mut self, namespace: Namespace) -> Result<NamespaceKey, Refusal> {
        let name = namespace.info.name.clone();
        if self.by_name.contains_key(&name) {
            let message = format!("Namespace \"{name}\" already exists");
            return Err(Refusal::new(Code::AlreadyExists, message).with(&details::NamespaceAlreadyExistsFailure {}));
        }
        let key = NamespaceKey(self.next);
        self.next += 1;
        self.rows.insert(key.0, namespace);
        self.by_name.insert(name, key);
        Ok(key)
    }

    pub(super) fn find(&self, name: &str, id: &str) -> Result<NamespaceKey, Refusal> {
        if id.is_empty() {
            check_set(name)?;
        }
        if !name.is_empty() {
            return self.key(name);
        }
        let found = self.rows.iter().find(|(_, namespace)| namespace.info.id == id);
        found.map(|(key, _)| NamespaceKey(*key)).ok_or_else(|| {
            let detail = details::NamespaceNotFoundFailure { namespace: id.to_owned() };
            Refusal::new(Code::NotFound, format!("Namespace {id} is not found.")).with(&detail)
        })
    }
}

impl Engine {
    pub(super) fn register_configured_namespaces(&mut self) {
        for name in self.config.namespaces.clone() {
            let request = api::RegisterNamespaceRequest {
                namespace: name,
                workflow_execution_retention_period: Some(wire(self.config.retention)),
                ..Default::default()
            };
            let name = request.namespace.clone();
            // A name that is there already, or an empty one, needs nothing.
            let _ = self.register_namespace(request);
            let attributes = self.config.search_attributes().clone();
            // One that is there already may have filled its fields otherwise since, and keeps them.
            let _ = self.define_search_attributes(&name, &attributes);
        }
    }

    pub(super) fn register_namespace(
        &mut self,
        request: api::RegisterNamespaceRequest,
    ) -> Result<api::RegisterNamespaceResponse, Refusal> {
        check_set(&request.namespace)?;
        let retention = retention(request.workflow_execution_retention_period.as_ref())?;
        let info = NamespaceInfo {
            name: request.namespace,
            state: NamespaceState::Registered.into(),
            description: request.description,
            owner_email: request.owner_email,
            data: request.data,
            id: self.ids.uuid().to_string(),
            ..Default::default()
        };
        let config = NamespaceConfig {
            workflow_execution_retention_ttl: Some(retention),
            history_archival_state: ArchivalState::Disabled.into(),
            visibility_archival_state: ArchivalState::Disabled.into(),
            ..Default::default()
        };
        self.namespaces.register(Namespace { info, config, deleted: false })?;
        Ok(api::RegisterNamespaceResponse {})
    }

    pub(super) fn describe_namespace(
        &self,
        request: &api::DescribeNamespaceRequest,
    ) -> Result<api::DescribeNamespaceResponse, Refusal> {
        let key = self.namespaces.find(&request.namespace, &request.id)?;
        self.namespace_description(key)
    }

    pub(super) fn list_namespaces(
        &self,
        request: &api::ListNamespacesRequest,
    ) -> Result<api::ListNamespacesResponse, Refusal> {
        let page = if request.page_size > 0 { request.page_size as usize } else { DEFAULT_PAGE };
        let first = match request.next_page_token.as_ref() {
            [] => 0,
            token => u64::from_be_bytes(token.try_into().map_err(|_| Refusal::invalid("Invalid NextPageToken."))?),
        };
        let mut keys = self.namespaces.rows.keys().copied().filter(|key| *key >= first);
        let namespaces = keys.by_ref().take(page).map(|key| self.namespace_description(NamespaceKey(key)));
        let namespaces = namespaces.collect::<Result<_, _>>()?;
        let next_page_token = keys.next().map(|key| key.to_be_bytes().to_vec().into()).unwrap_or_default();
        Ok(api::ListNamespacesResponse { namespaces, next_page_token })
    }

    pub(super) fn update_namespace(
        &mut self,
        request: api::UpdateNamespaceRequest,
    ) -> Result<api::UpdateNamespaceResponse, Refusal> {
        check_set(&request.namespace)?;
        let key = self.namespaces.key(&request.namespace)?;
        let ttl = request.config.as_ref().and_then(|config| config.workflow_execution_retention_ttl.as_ref());
        let ttl = ttl.map(|ttl| retention(Some(ttl))).transpose()?;
        let namespace = self.namespaces.rows.get_mut(&key.0).ok_or_else(|| missing(&request.namespace))?;
        if let Some(update) = request.update_info {
            let info = &mut namespace.info;
            replace_if_set(&mut info.description, update.description);
            replace_if_set(&mut info.owner_email, update.owner_email);
            info.data.extend(update.data);
            if update.state != NamespaceState::Unspecified as i32 {
                info.state = update.state;
            }
        }
        if let Some(ttl) = ttl {
            namespace.config.workflow_execution_retention_ttl = Some(ttl);
        }
        let description = self.namespace_description(key)?;
        Ok(api::UpdateNamespaceResponse {
            namespace_info: description.namespace_info,
            config: description.config,
            replication_config: description.replication_config,
            failover_version: description.failover_version,
            is_global_namespace: description.is_global_namespace,
        })
    }

    pub(super) fn deprecate_namespace(
        &mut self,
        request: &api::DeprecateNamespaceRequest,
    ) -> Result<api::DeprecateNamespaceResponse, Refusal> {
        check_set(&request.namespace)?;
        let key = self.namespaces.key(&request.namespace)?;
        let namespace = self.namespaces.rows.get_mut(&key.0).ok_or_else(|| missing(&request.namespace))?;
        namespace.info.state = NamespaceState::Deprecated.into();
        Ok(api::DeprecateNamespaceResponse {})
    }

    fn namespace_description(&self, key: NamespaceKey) -> Result<api::DescribeNamespaceResponse, Refusal> {
        let namespace = self.namespaces.get(key).ok_or_else(|| missing("of this key"))?;
        let limits = &self.config.limits;
        let info = NamespaceInfo {
            capabilities: Some(CAPABILITIES),
            limits: Some(namespace_info::Limits {
                blob_size_limit_error: wire_size(limits.blob),
                memo_size_limit_error: wire_size(limits.memo),
                workflow_task_completion_size_limit_error: wire_size(COMPLETION_SIZE_LIMIT),
            }),
            supports_schedules: true,
            ..namespace.info.clone()
        };
        Ok(api::DescribeNamespaceResponse {
            namespace_info: Some(info),
            config: Some(namespace.config.clone()),
            replication_config: Some(NamespaceReplicationConfig {
                active_cluster_name: CLUSTER.to_owned(),
                clusters: vec![ClusterReplicationConfig { cluster_name: CLUSTER.to_owned(), ..Default::default() }],
                ..Default::default()
            }),
            ..Default::default()
        })
    }

    pub(super) fn system_info(&self) -> api::GetSystemInfoResponse {
        api::GetSystemInfoResponse {
            server_version: SERVER_VERSION.to_owned(),
            capabilities: Some(get_system_info_response::Capabilities {
                signal_and_query_header: true,
                internal_error_differentiation: true,
                activity_failure_include_heartbeat: true,
                supports_schedules: true,
                encoded_failure_attributes: true,
                build_id_based_versioning: true,
                upsert_memo: true,
                eager_workflow_start: true,
                sdk_metadata: true,
                count_group_by_execution_status: true,
                nexus: true,
                ..Default::default()
            }),
        }
    }

    pub(super) fn cluster_info(&self) -> api::GetClusterInfoResponse {
        api::GetClusterInfoResponse {
            server_version: SERVER_VERSION.to_owned(),
            cluster_id: CLUSTER.to_owned(),
            cluster_name: CLUSTER.to_owned(),
            history_shard_count: 1,
            persistence_store: if self.config.durable { "sqlite" } else { "memory" }.to_owned(),
            visibility_store: "memory".to_owned(),
            initial_failover_version: 1,
            failover_version_increment: 10,
            ..Default::default()
        }
    }
}

/// The server whose behaviour this one has; tools compare it with what they need.
const SERVER_VERSION: &str = "1.32.1";
pub(super) const CLUSTER: &str = "active";
/// Bytes of the commands of one completion, which may come in pages (`history.workflowTaskCompletionBufferSizeLimit`).
pub(super) const COMPLETION_SIZE_LIMIT: usize = 40 << 20;
const DEFAULT_PAGE: usize = 100;
/// Shortest retention that the server takes.
const MIN_RETENTION: std::time::Duration = std::time::Duration::from_secs(60 * 60);

const CAPABILITIES: namespace_info::Capabilities = namespace_info::Capabilities {
    eager_workflow_start: true,
    sync_update: true,
    async_update: true,
    worker_heartbeats: true,
    reported_problems_search_attribute: true,
    workflow_pause: true,
    standalone_activities: true,
    worker_poll_complete_on_shutdown: true,
    poller_autoscaling: true,
    worker_commands: false,
    standalone_nexus_operation: true,
    workflow_update_callbacks: true,
    poller_autoscaling_auto_enroll: false,
    workflow_task_completion_pagination: true,
    standalone_activity_start_delay: true,
    standalone_activity_batch_operations: true,
    standalone_activity_operator_commands: true,
};

fn retention(wire: Option<&prost_types::Duration>) -> Result<prost_types::Duration, Refusal> {
    let given = duration(wire).ok_or_else(|| Refusal::invalid("A valid retention period is not set on request."))?;
    if given < MIN_RETENTION {
        return Err(Refusal::invalid("A valid retention period is not set on request."));
    }
    Ok(super::time::wire(given))
}

fn check_set(name: &str) -> Result<(), Refusal> {
    if name.is_empty() { Err(Refusal::invalid("Namespace not set on request.")) } else { Ok(()) }
}

fn replace_if_set(field: &mut String, value: String) {
    if !value.is_empty() {
        *field = value;
    }
}

fn missing(name: &str) -> Refusal {
    Refusal::not_found(format!("Namespace {name} is not found."))
}

fn wire_size(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
