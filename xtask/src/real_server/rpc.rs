//! The few calls that prepare a server, with the fields that they need.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use prost::Message;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use tonic_prost::ProstCodec;

const WORKFLOW_SERVICE: &str = "/temporal.api.workflowservice.v1.WorkflowService";
const OPERATOR_SERVICE: &str = "/temporal.api.operatorservice.v1.OperatorService";

const DEADLINE: Duration = Duration::from_secs(5);

/// A connection that blocks while a call is under way.
pub(super) struct Connection {
    runtime: tokio::runtime::Runtime,
    channel: Channel,
}

impl Connection {
    /// Connects at the first call, and again at the next when that failed.
    pub(super) fn new(address: &str) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let endpoint = Endpoint::from_shared(format!("http://{address}"))?.connect_timeout(DEADLINE);
        let channel = runtime.block_on(async { endpoint.connect_lazy() });
        Ok(Self { runtime, channel })
    }

    /// Calls the service that has most of the calls.
    pub(super) fn workflow<M, R>(&self, method: &str, message: M) -> Result<R, Status>
    where
        M: Message + 'static,
        R: Message + Default + 'static,
    {
        self.call(&format!("{WORKFLOW_SERVICE}/{method}"), message)
    }

    /// Calls the service that administers search attributes.
    pub(super) fn operator<M, R>(&self, method: &str, message: M) -> Result<R, Status>
    where
        M: Message + 'static,
        R: Message + Default + 'static,
    {
        self.call(&format!("{OPERATOR_SERVICE}/{method}"), message)
    }

    fn call<M, R>(&self, path: &str, message: M) -> Result<R, Status>
    where
        M: Message + 'static,
        R: Message + Default + 'static,
    {
        let path = path.parse().map_err(|_| Status::internal(format!("`{path}` is no path")))?;
        let mut grpc = tonic::client::Grpc::new(self.channel.clone());
        let mut request = Request::new(message);
        request.set_timeout(DEADLINE);
        self.runtime.block_on(async {
            grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
            let response = grpc.unary(request, path, ProstCodec::<M, R>::default()).await?;
            Ok(response.into_inner())
        })
    }
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Empty {}

#[derive(Clone, PartialEq, Message)]
pub(super) struct RegisterNamespace {
    #[prost(string, tag = "1")]
    pub(super) namespace: String,
    #[prost(message, tag = "4")]
    pub(super) retention: Option<prost_types::Duration>,
}

/// Any request whose only field is the namespace, the first one.
#[derive(Clone, PartialEq, Message)]
pub(super) struct OfNamespace {
    #[prost(string, tag = "1")]
    pub(super) namespace: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AddSearchAttributes {
    #[prost(btree_map = "string, int32", tag = "1")]
    pub(super) attributes: BTreeMap<String, i32>,
    #[prost(string, tag = "2")]
    pub(super) namespace: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct SearchAttributesList {
    #[prost(btree_map = "string, int32", tag = "1")]
    pub(super) custom: BTreeMap<String, i32>,
}

/// A workflow's type or a task queue, each a message whose first field is the name.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Name {
    #[prost(string, tag = "1")]
    pub(super) name: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct StartWorkflow {
    #[prost(string, tag = "1")]
    pub(super) namespace: String,
    #[prost(string, tag = "2")]
    pub(super) workflow_id: String,
    #[prost(message, tag = "3")]
    pub(super) workflow_type: Option<Name>,
    #[prost(message, tag = "4")]
    pub(super) task_queue: Option<Name>,
    #[prost(string, tag = "10")]
    pub(super) request_id: String,
    #[prost(message, tag = "15")]
    pub(super) search_attributes: Option<SearchAttributes>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct SearchAttributes {
    #[prost(btree_map = "string, message", tag = "1")]
    pub(super) fields: BTreeMap<String, Payload>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Payload {
    #[prost(btree_map = "string, bytes", tag = "1")]
    pub(super) metadata: BTreeMap<String, Vec<u8>>,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) data: Vec<u8>,
}

/// A request about one workflow: to terminate it, or to delete it.
#[derive(Clone, PartialEq, Message)]
pub(super) struct OfWorkflow {
    #[prost(string, tag = "1")]
    pub(super) namespace: String,
    #[prost(message, tag = "2")]
    pub(super) execution: Option<Execution>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Execution {
    #[prost(string, tag = "1")]
    pub(super) workflow_id: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct PollWorkflowTask {
    #[prost(string, tag = "1")]
    pub(super) namespace: String,
    #[prost(message, tag = "2")]
    pub(super) task_queue: Option<Name>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WorkflowTask {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) task_token: Vec<u8>,
}
