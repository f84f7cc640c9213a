//! [`Endpoints`]: by which name the handlers of a task queue are called, and the calls about that.
//!
//! The engine makes no HTTP calls, so there are no endpoints with a URL.

mod spec;

use std::collections::HashMap;

use bytes::Bytes;
use prost::Message;
use stead_proto::nexus::v1::endpoint_target::{Variant, Worker};
use stead_proto::nexus::v1::{Endpoint, EndpointSpec, EndpointTarget};
use stead_proto::operatorservice::v1 as api;

use crate::engine::namespaces::NamespaceKey;
use crate::engine::refusal::Code;
use crate::engine::rows::{Changes, Rows};
use crate::engine::time::timestamp;
use crate::engine::{Engine, Refusal};
use crate::store::Table;
use spec::check_id;

/// What is stored of an endpoint.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct EndpointState {
    #[prost(int64, tag = "1")]
    version: i64,
    /// With the target as it was asked for; the namespace that counts is that of the key.
    #[prost(message, required, tag = "2")]
    spec: EndpointSpec,
    #[prost(uint64, tag = "3")]
    namespace: u64,
    #[prost(string, tag = "4")]
    task_queue: String,
    #[prost(int64, tag = "5")]
    created_at: i64,
    #[prost(int64, tag = "6")]
    modified_at: i64,
}

impl EndpointState {
    /// The namespace whose workers handle its operations.
    pub(crate) fn namespace(&self) -> NamespaceKey {
        NamespaceKey(self.namespace)
    }

    /// The queue at which they poll.
    pub(crate) fn task_queue(&self) -> &str {
        &self.task_queue
    }
}

/// All endpoints, by id and by name.
#[derive(Debug, Default)]
pub(crate) struct Endpoints {
    rows: Rows<String, EndpointState>,
    by_name: HashMap<String, String>,
}

impl Endpoints {
    /// The id and the endpoint of a name.
    pub(crate) fn by_name(&self, name: &str) -> Option<(&str, &EndpointState)> {
        let id = self.by_name.get(name)?;
        Some((id, self.rows.get(id)?))
    }

    /// The endpoint of an id, or that which has taken its name since.
    pub(crate) fn find(&self, id: &str, name: &str) -> Option<&EndpointState> {
        self.rows.get(&id.to_owned()).or_else(|| self.by_name(name).map(|(_, endpoint)| endpoint))
    }

    /// The name of an endpoint whose operations are handled in a namespace.
    pub(crate) fn to_namespace(&self, namespace: NamespaceKey) -> Option<&str> {
        let endpoint = self.rows.values().find(|endpoint| endpoint.namespace() == namespace)?;
        Some(&endpoint.spec.name)
    }

    pub(crate) fn write(&mut self, changes: &mut Changes) {
        self.rows.write(Table::NexusEndpoints, &[], changes);
    }

    /// Takes a row that was stored.
    pub(crate) fn load(&mut self, key: &[u8], value: Bytes) -> Option<()> {
        self.rows.load(key, value)?;
        let id = String::from_utf8(key.to_vec()).ok()?;
        self.by_name.insert(self.rows.get(&id)?.spec.name.clone(), id);
        Some(())
    }

    fn put(&mut self, id: &str, endpoint: EndpointState) {
        self.by_name.insert(endpoint.spec.name.clone(), id.to_owned());
        self.rows.insert(id.to_owned(), endpoint);
    }

    fn remove(&mut self, id: &str) -> Option<EndpointState> {
        let endpoint = self.rows.remove(&id.to_owned())?;
        self.by_name.remove(&endpoint.spec.name);
        Some(endpoint)
    }
}

impl Engine {
    pub(in crate::engine) fn create_nexus_endpoint(
        &mut self,
        request: api::CreateNexusEndpointRequest,
    ) -> Result<api::CreateNexusEndpointResponse, Refusal> {
        let spec = request.spec.unwrap_or_default();
        let worker = self.check_endpoint(&spec)?;
        if self.endpoints.by_name.contains_key(&spec.name) {
            return Err(name_is_taken("creating", &spec.name));
        }
        let id = self.ids.uuid().to_string();
        let created_at = self.now.unix_nanos();
        let endpoint = EndpointState { created_at, ..self.endpoint(1, spec, worker)? };
        self.endpoints.put(&id, endpoint);
        Ok(api::CreateNexusEndpointResponse { endpoint: self.described_endpoint(&id) })
    }

    pub(in crate::engine) fn update_nexus_endpoint(
        &mut self,
        request: api::UpdateNexusEndpointRequest,
    ) -> Result<api::UpdateNexusEndpointResponse, Refusal> {
        let spec = request.spec.unwrap_or_default();
        let worker = self.check_endpoint(&spec)?;
        let id = request.id;
        let Some(known) = self.endpoints.rows.get(&id) else {
            let message = format!("error updating Nexus endpoint. endpoint ID {id} not found");
            return Err(Refusal::not_found(message));
        };
        let (version, created_at) = (known.version, known.created_at);
        if request.version != version {
            return Err(Refusal::failed_precondition(format!(
                "nexus endpoint version mismatch. received: {} expected {version}",
                request.version
            )));
        }
        if self.endpoints.by_name.get(&spec.name).is_some_and(|of| *of != id) {
            return Err(name_is_taken("updating", &spec.name));
        }
        let modified_at = self.now.unix_nanos();
        let endpoint = EndpointState { created_at, modified_at, ..self.endpoint(version + 1, spec, worker)? };
        self.endpoints.remove(&id);
        self.endpoints.put(&id, endpoint);
        Ok(api::UpdateNexusEndpointResponse { endpoint: self.described_endpoint(&id) })
    }

    /// The version must be one, and need not be the endpoint's: so Temporal's server has it.
    pub(in crate::engine) fn delete_nexus_endpoint(
        &mut self,
        request: &api::DeleteNexusEndpointRequest,
    ) -> Result<api::DeleteNexusEndpointResponse, Refusal> {
        let mut issues = check_id(&request.id);
        if request.version <= 0 {
            issues.push("endpoint version is non-positive".to_owned());
        }
        issues.refusal()?;
        let deleted = self.endpoints.remove(&request.id);
        deleted
            .map(|_| api::DeleteNexusEndpointResponse {})
            .ok_or_else(|| Refusal::not_found(format!("error deleting nexus endpoint with ID: {}", request.id)))
    }

    pub(in crate::engine) fn get_nexus_endpoint(
        &self,
        request: &api::GetNexusEndpointRequest,
    ) -> Result<api::GetNexusEndpointResponse, Refusal> {
        check_id(&request.id).refusal()?;
        let endpoint = self
            .described_endpoint(&request.id)
            .ok_or_else(|| Refusal::not_found(format!("Nexus endpoint with ID `{}` not found", request.id)))?;
        Ok(api::GetNexusEndpointResponse { endpoint: Some(endpoint) })
    }

    /// Pages go by the order of ids. A name is looked up, whatever the page.
    pub(in crate::engine) fn list_nexus_endpoints(
        &self,
        request: &api::ListNexusEndpointsRequest,
    ) -> Result<api::ListNexusEndpointsResponse, Refusal> {
        if !request.name.is_empty() {
            let found = self.endpoints.by_name(&request.name).and_then(|(id, _)| self.described_endpoint(id));
            let endpoints = found.into_iter().collect();
            return Ok(api::ListNexusEndpointsResponse { endpoints, ..Default::default() });
        }
        let page = page_size(request.page_size)?;
        let after = std::str::from_utf8(&request.next_page_token);
        let after = after.map_err(|_| Refusal::invalid("Invalid NextPageToken."))?;
        let mut rest = self.endpoints.rows.keys().filter(|id| id.as_str() > after);
        let ids: Vec<_> = rest.by_ref().take(page).collect();
        let more = rest.next().is_some();
        Ok(api::ListNexusEndpointsResponse {
            next_page_token: ids
                .last()
                .filter(|_| more)
                .map(|id| Bytes::from(id.as_bytes().to_vec()))
                .unwrap_or_default(),
            endpoints: ids.into_iter().filter_map(|id| self.described_endpoint(id)).collect(),
        })
    }

    fn endpoint(&self, version: i64, spec: EndpointSpec, worker: Worker) -> Result<EndpointState, Refusal> {
        let namespace = self.namespaces.key(&worker.namespace)?.0;
        Ok(EndpointState { version, spec, namespace, task_queue: worker.task_queue, ..Default::default() })
    }

    fn described_endpoint(&self, id: &str) -> Option<Endpoint> {
        let endpoint = self.endpoints.rows.get(&id.to_owned())?;
        let namespace = self.namespaces.get(endpoint.namespace())?.info.name.clone();
        let worker = Worker { namespace, task_queue: endpoint.task_queue.clone() };
        let target = Some(EndpointTarget { variant: Some(Variant::Worker(worker)) });
        Some(Endpoint {
            version: endpoint.version,
            id: id.to_owned(),
            spec: Some(EndpointSpec { target, ..endpoint.spec.clone() }),
            created_time: timestamp(endpoint.created_at),
            last_modified_time: timestamp(endpoint.modified_at),
            url_prefix: format!("/nexus/endpoints/{id}/services"),
        })
    }
}

fn page_size(asked: i32) -> Result<usize, Refusal> {
    match usize::try_from(asked) {
        Err(_) => Err(Refusal::invalid("page_size is negative")),
        Ok(0) => Ok(DEFAULT_PAGE),
        Ok(asked) if asked > MAX_PAGE => Err(Refusal::invalid(format!("page_size exceeds limit of {MAX_PAGE}"))),
        Ok(asked) => Ok(asked),
    }
}

fn name_is_taken(doing: &str, name: &str) -> Refusal {
    let message = format!("error {doing} Nexus endpoint. Endpoint with name {name} already registered");
    Refusal::new(Code::AlreadyExists, message)
}

/// `limit.endpointListDefaultPageSize` and `limit.endpointListMaxPageSize` of Temporal's server.
const DEFAULT_PAGE: usize = 100;
const MAX_PAGE: usize = 1_000;
