//! [`Client`]: one namespace of a server.

use std::{fmt, sync::Arc};

use http::{Request, Response};
use serde::Serialize;
use stead_data::{Arg, DataConverter, Untyped, WorkflowFn, WorkflowType};
use tonic::body::Body;
use tower::Service;

use crate::{
    activity::AsyncActivity,
    connect::{Connect, InProcess, Remote},
    connection::{BoxError, Connection, WorkflowService, boxed},
    interceptor::{ClientInterceptor, Next, Operation},
    workflow::{CountWorkflows, Finished, ListWorkflows, QueryRejectCondition, StartWorkflow, Started, WorkflowHandle},
};

/// A client of one namespace. Cheap to clone; clones share the connection.
///
/// ```no_run
/// use stead_client::Client;
///
/// # async fn run(key: String) -> Result<(), stead_client::ConnectError> {
/// let local = Client::connect("localhost:7233").await?;
/// let cloud = Client::connect("eu-west-1.aws.api.temporal.io:7233").namespace("shop.a1b2c").api_key(key).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    parts: Arc<Parts>,
}

#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) connection: Connection,
    pub(crate) namespace: String,
    pub(crate) identity: String,
    pub(crate) converter: DataConverter,
    pub(crate) interceptors: Vec<Arc<dyn ClientInterceptor>>,
    pub(crate) query_reject_condition: QueryRejectCondition,
}

impl Client {
    pub(crate) fn new(parts: Parts) -> Self {
        Self { parts: Arc::new(parts) }
    }

    /// Connects to the server at `host:port`.
    ///
    /// # Errors
    ///
    /// At the await, see [`ConnectError`](crate::ConnectError): no server is reached, the server refuses, or the
    /// options contradict each other.
    pub fn connect(address: impl Into<String>) -> Connect<Remote> {
        Connect::to(address)
    }

    /// Connects as the environment says; what it leaves out has the usual defaults, and setters overrule it.
    ///
    /// | variable | meaning |
    /// |---|---|
    /// | `TEMPORAL_ADDRESS` | `host:port`; default `localhost:7233` |
    /// | `TEMPORAL_NAMESPACE` | default `default` |
    /// | `TEMPORAL_API_KEY` | turns TLS on |
    /// | `TEMPORAL_TLS` | `true` or `false` |
    /// | `TEMPORAL_TLS_SERVER_CA_CERT_PATH` or `…_DATA` | the root certificates to trust (PEM) |
    /// | `TEMPORAL_TLS_SERVER_NAME` | the name expected in the server's certificate |
    /// | `TEMPORAL_TLS_CLIENT_CERT_PATH` or `…_DATA`, `TEMPORAL_TLS_CLIENT_KEY_PATH` or `…_DATA` | mutual TLS (PEM) |
    /// | `TEMPORAL_GRPC_META_X_Y` | the header `x-y` |
    ///
    /// Configuration files with profiles are not read yet: with `TEMPORAL_CONFIG_FILE` or `TEMPORAL_PROFILE` set,
    /// connecting fails and says so.
    ///
    /// # Errors
    ///
    /// At the await: the variables do not describe a connection, or as for [`connect`](Self::connect).
    pub fn from_env() -> Connect<Remote> {
        Connect::from_env()
    }

    /// Talks to a server through any service that takes gRPC requests, such as one in this process.
    ///
    /// # Errors
    ///
    /// At the await: the service's first answer is an error.
    pub fn with_service<S, B>(service: S) -> Connect<InProcess>
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
        B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Connect::over(boxed(service))
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.parts.namespace
    }

    /// Who the server says did what this client does.
    pub fn identity(&self) -> &str {
        &self.parts.identity
    }

    /// How values become payloads.
    pub fn data_converter(&self) -> &DataConverter {
        &self.parts.converter
    }

    /// The connection, for raw calls and to replace the API key.
    pub fn connection(&self) -> &Connection {
        &self.parts.connection
    }

    /// A client of another namespace over the same connection.
    #[must_use]
    pub fn with_namespace(&self, namespace: impl Into<String>) -> Self {
        self.with(|parts| parts.namespace = namespace.into())
    }

    /// A client with another identity over the same connection.
    #[must_use]
    pub fn with_identity(&self, identity: impl Into<String>) -> Self {
        self.with(|parts| parts.identity = identity.into())
    }

    /// A client with another data converter over the same connection.
    #[must_use]
    pub fn with_data_converter(&self, converter: DataConverter) -> Self {
        self.with(|parts| parts.converter = converter)
    }

    /// Starts a workflow; `id` and `task_queue` are required, and without them there is nothing to await.
    ///
    /// # Errors
    ///
    /// At the await, see [`StartError`](crate::StartError).
    pub fn start_workflow<W: WorkflowType + ?Sized>(
        &self,
        workflow: WorkflowFn<W, W::Input, W::Output>,
        input: impl Arg<W::Input>,
    ) -> StartWorkflow<W, Started> {
        let arguments = input.encode(self.data_converter(), workflow.arity());
        StartWorkflow::new(self.clone(), workflow.name().to_owned(), arguments)
    }

    /// Starts a workflow of which only the name is known; several arguments are a tuple.
    ///
    /// # Errors
    ///
    /// At the await, see [`StartError`](crate::StartError).
    pub fn start_workflow_named(
        &self,
        workflow: impl Into<String>,
        arguments: impl Serialize,
    ) -> StartWorkflow<Untyped, Started> {
        let arguments = self.data_converter().to_arguments(&arguments);
        StartWorkflow::new(self.clone(), workflow.into(), arguments)
    }

    /// Starts a workflow and waits for its result.
    ///
    /// # Errors
    ///
    /// At the await, see [`ExecuteError`](crate::ExecuteError).
    pub fn execute_workflow<W: WorkflowType + ?Sized>(
        &self,
        workflow: WorkflowFn<W, W::Input, W::Output>,
        input: impl Arg<W::Input>,
    ) -> StartWorkflow<W, Finished> {
        let arguments = input.encode(self.data_converter(), workflow.arity());
        StartWorkflow::new(self.clone(), workflow.name().to_owned(), arguments)
    }

    /// The workflows that a query finds, such as `WorkflowType = 'Order' AND ExecutionStatus = 'Running'`; all of the
    /// namespace if it is empty.
    ///
    /// ```no_run
    /// # async fn run(client: stead_client::Client) -> Result<(), stead_client::ListError> {
    /// let mut open = client.list_workflows("ExecutionStatus = 'Running'");
    /// while let Some(workflow) = open.next().await {
    ///     println!("{}", workflow?.id());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn list_workflows(&self, query: impl Into<String>) -> ListWorkflows {
        ListWorkflows::new(self.clone(), query.into())
    }

    /// How many workflows a query finds, in groups if it ends with `GROUP BY ExecutionStatus`, for example.
    ///
    /// # Errors
    ///
    /// At the await, see [`ListError`](crate::ListError).
    pub fn count_workflows(&self, query: impl Into<String>) -> CountWorkflows {
        CountWorkflows::new(self.clone(), query.into())
    }

    /// An activity that is completed from elsewhere, by the token that its code took from
    /// `activity::info().task_token` before it returned `Err(activity::Error::complete_async())`.
    pub fn activity_by_token(&self, token: impl Into<bytes::Bytes>) -> AsyncActivity {
        AsyncActivity::by_token(self.clone(), token.into())
    }

    /// An activity that is completed from elsewhere, by the workflow that scheduled it and its id there.
    pub fn activity_by_id(&self, workflow_id: impl Into<String>, activity_id: impl Into<String>) -> AsyncActivity {
        AsyncActivity::by_id(self.clone(), workflow_id.into(), activity_id.into())
    }

    /// A handle to the workflow with this id, whether it exists or not: no call is made.
    pub fn workflow<W: WorkflowType + ?Sized>(&self, id: impl Into<String>) -> WorkflowHandle<W> {
        WorkflowHandle::latest(self.clone(), id.into())
    }

    /// A handle to the workflow with this id, whatever its type.
    pub fn workflow_named(&self, id: impl Into<String>) -> WorkflowHandle<Untyped> {
        self.workflow(id)
    }

    pub(crate) fn query_reject_condition(&self) -> QueryRejectCondition {
        self.parts.query_reject_condition
    }

    pub(crate) fn service(&self) -> WorkflowService {
        self.parts.connection.workflow_service()
    }

    /// Performs an operation, through the interceptors if there are any.
    pub(crate) async fn perform<O: Operation>(&self, operation: O) -> Result<O::Output, O::Error> {
        match self.parts.interceptors.as_slice() {
            [] => operation.send(self).await,
            interceptors => Next::new(self, interceptors).run(operation).await,
        }
    }

    fn with(&self, change: impl FnOnce(&mut Parts)) -> Self {
        let mut parts = Parts::clone(&self.parts);
        change(&mut parts);
        Self::new(parts)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("namespace", &self.namespace())
            .field("identity", &self.identity())
            .field("connection", self.connection())
            .finish_non_exhaustive()
    }
}
