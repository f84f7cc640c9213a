//! [`Client`]: one namespace of a server.

use std::{borrow::Cow, fmt, sync::Arc};

use http::{Request, Response};
use serde::Serialize;
use stead_data::{Activity, Arg, DataConverter, NexusService, Untyped, WorkflowFn, WorkflowType};
use tonic::body::Body;
use tower::Service;

use crate::{
    activity::AsyncActivity,
    batch::{Batch, BatchHandle, BatchTargets, ListBatches},
    connect::{Connect, InProcess, Remote},
    connection::{BoxError, Connection, WorkflowService, boxed},
    interceptor::{ClientInterceptor, Intercepted, Next},
    nexus::{CountNexusOperations, ListNexusOperations, NexusClient, NexusOperationHandle},
    plugin::ForWorkers,
    schedule::{CountSchedules, CreateSchedule, ListSchedules, ScheduleHandle},
    standalone::{ActivityHandle, CountActivities, ListActivities, StartActivity},
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
    pub(crate) for_workers: Vec<ForWorkers>,
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

    /// Connects as the environment and the configuration file say; what they leave out has the usual defaults, and
    /// setters overrule them.
    ///
    /// | variable | meaning |
    /// |---|---|
    /// | `TEMPORAL_CONFIG_FILE` | the file; see [`ConfigLoader`](crate::ConfigLoader) for its form and where it is else |
    /// | `TEMPORAL_PROFILE` | the file's profile; default `default`, which need not exist |
    /// | `TEMPORAL_ADDRESS` | `host:port`; default `localhost:7233` |
    /// | `TEMPORAL_NAMESPACE` | default `default` |
    /// | `TEMPORAL_API_KEY` | turns TLS on |
    /// | `TEMPORAL_TLS` | `true` or `false`; any other of these turns it on, too |
    /// | `TEMPORAL_TLS_SERVER_CA_CERT_PATH` or `…_DATA` | the root certificates to trust (PEM) |
    /// | `TEMPORAL_TLS_SERVER_NAME` | the name expected in the server's certificate |
    /// | `TEMPORAL_TLS_CLIENT_CERT_PATH` or `…_DATA`, `TEMPORAL_TLS_CLIENT_KEY_PATH` or `…_DATA` | mutual TLS (PEM) |
    /// | `TEMPORAL_GRPC_META_X_Y` | the header `x-y` |
    ///
    /// `TEMPORAL_CODEC_ENDPOINT` and `TEMPORAL_CODEC_AUTH` are for tools; [`ClientProfile`](crate::ClientProfile) has
    /// them. `TEMPORAL_TLS_DISABLE_HOST_VERIFICATION` is refused.
    ///
    /// # Errors
    ///
    /// At the await: they do not describe a connection, or as for [`connect`](Self::connect).
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

    /// The same, for what is about to be sent: whoever it belongs to may not be known before that.
    pub(crate) fn drafts(&self) -> Cow<'_, DataConverter> {
        self.data_converter().drafts()
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
        let arguments = input.encode(&self.drafts(), workflow.arity());
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
        let arguments = self.drafts().to_arguments(&arguments);
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
        let arguments = input.encode(&self.drafts(), workflow.arity());
        StartWorkflow::new(self.clone(), workflow.name().to_owned(), arguments)
    }

    /// The workflows that a query finds, such as `WorkflowType = 'Order' AND ExecutionStatus = 'Running'` or a
    /// [`Filter`](crate::Filter); all of the namespace if it is empty.
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

    /// Creates a schedule; what it starts is required, and without it there is nothing to await.
    ///
    /// # Errors
    ///
    /// At the await, see [`CreateScheduleError`](crate::CreateScheduleError).
    pub fn create_schedule(&self, id: impl Into<String>) -> CreateSchedule {
        CreateSchedule::new(self.clone(), id.into())
    }

    /// A handle to the schedule with this id, whether it exists or not: no call is made.
    pub fn schedule(&self, id: impl Into<String>) -> ScheduleHandle {
        ScheduleHandle::new(self.clone(), id.into())
    }

    /// The schedules that a query finds; all of the namespace if it is empty.
    pub fn list_schedules(&self, query: impl Into<String>) -> ListSchedules {
        ListSchedules::new(self.clone(), query.into())
    }

    /// How many schedules a query finds.
    ///
    /// # Errors
    ///
    /// At the await, see [`ListError`](crate::ListError).
    pub fn count_schedules(&self, query: impl Into<String>) -> CountSchedules {
        CountSchedules::new(self.clone(), query.into())
    }

    /// Starts an activity without a workflow; `id`, `task_queue` and a timeout that bounds it are required, and without
    /// them there is nothing to await.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stead_client::{Client, StartActivityError};
    ///
    /// async fn greet(client: Client) -> Result<String, Box<dyn std::error::Error>> {
    ///     let greeting = client.start_activity_named("greet", "Ada").id("greet-ada").task_queue("greetings");
    ///     Ok(greeting.start_to_close(Duration::from_secs(30)).await?.result().await?)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// At the await, see [`StartActivityError`](crate::StartActivityError).
    pub fn start_activity<A: ?Sized, I, O, T>(
        &self,
        activity: Activity<A, I, O, T>,
        input: impl Arg<I>,
    ) -> StartActivity<O, Started, T> {
        StartActivity::typed(self.clone(), activity, &input)
    }

    /// Starts an activity of which only the name is known; several arguments are a tuple.
    ///
    /// # Errors
    ///
    /// At the await, see [`StartActivityError`](crate::StartActivityError).
    pub fn start_activity_named<O>(
        &self,
        activity: impl Into<String>,
        arguments: impl Serialize,
    ) -> StartActivity<O, Started> {
        StartActivity::named(self.clone(), activity.into(), &arguments)
    }

    /// Starts an activity without a workflow and waits for its result.
    ///
    /// # Errors
    ///
    /// At the await, see [`ExecuteActivityError`](crate::ExecuteActivityError).
    pub fn execute_activity<A: ?Sized, I, O, T>(
        &self,
        activity: Activity<A, I, O, T>,
        input: impl Arg<I>,
    ) -> StartActivity<O, Finished, T> {
        StartActivity::typed(self.clone(), activity, &input)
    }

    /// As [`execute_activity`](Self::execute_activity), by the activity's name; several arguments are a tuple.
    ///
    /// # Errors
    ///
    /// At the await, see [`ExecuteActivityError`](crate::ExecuteActivityError).
    pub fn execute_activity_named<O>(
        &self,
        activity: impl Into<String>,
        arguments: impl Serialize,
    ) -> StartActivity<O, Finished> {
        StartActivity::named(self.clone(), activity.into(), &arguments)
    }

    /// A handle to the activity with this id that no workflow started, whether it exists or not: no call is made.
    pub fn activity<O>(&self, id: impl Into<String>) -> ActivityHandle<O> {
        ActivityHandle::new(self.clone(), id.into(), None)
    }

    /// The activities without a workflow that a query finds.
    pub fn list_activities(&self, query: impl Into<String>) -> ListActivities {
        ListActivities::new(self.clone(), query.into())
    }

    /// How many activities without a workflow a query finds.
    ///
    /// # Errors
    ///
    /// At the await, see [`ListError`](crate::ListError).
    pub fn count_activities(&self, query: impl Into<String>) -> CountActivities {
        CountActivities::new(self.clone(), query.into())
    }

    /// A Nexus service behind an endpoint: its operations are started from here, without a workflow.
    ///
    /// ```
    /// use stead_client::{Client, ExecuteNexusError};
    ///
    /// async fn quote(client: Client) -> Result<u64, ExecuteNexusError> {
    ///     client.nexus_named("billing-endpoint", "Billing").execute_named("quote", [3, 4]).id("quote-1").await
    /// }
    /// ```
    pub fn nexus<S: NexusService + ?Sized>(&self, endpoint: impl Into<String>) -> NexusClient<S> {
        NexusClient::new(self.clone(), endpoint.into())
    }

    /// A Nexus service of which only the name is known, behind an endpoint.
    pub fn nexus_named(&self, endpoint: impl Into<String>, service: impl Into<String>) -> NexusClient<Untyped> {
        NexusClient::named(self.clone(), endpoint.into(), service.into())
    }

    /// A handle to the Nexus operation with this id that no workflow has called, whether it exists or not: no call is
    /// made.
    pub fn nexus_operation<O>(&self, id: impl Into<String>) -> NexusOperationHandle<O> {
        NexusOperationHandle::new(self.clone(), id.into(), None)
    }

    /// The Nexus operations without a workflow that a query finds.
    pub fn list_nexus_operations(&self, query: impl Into<String>) -> ListNexusOperations {
        ListNexusOperations::new(self.clone(), query.into())
    }

    /// How many Nexus operations without a workflow a query finds.
    ///
    /// # Errors
    ///
    /// At the await, see [`ListError`](crate::ListError).
    pub fn count_nexus_operations(&self, query: impl Into<String>) -> CountNexusOperations {
        CountNexusOperations::new(self.clone(), query.into())
    }

    /// A batch: the server does the same to many workflows, or to many activities without one. The next call says what.
    ///
    /// ```no_run
    /// # async fn run(client: stead_client::Client) -> Result<(), stead_client::StartBatchError> {
    /// client.batch("WorkflowType = 'Order'", "the shop is closed").terminate().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn batch(&self, targets: impl Into<BatchTargets>, reason: impl Into<String>) -> Batch {
        Batch::new(self.clone(), targets.into(), reason.into())
    }

    /// A handle to the batch with this id, whether it exists or not: no call is made.
    pub fn batch_by_id(&self, id: impl Into<String>) -> BatchHandle {
        BatchHandle::new(self.clone(), id.into())
    }

    /// The batches of the namespace.
    pub fn list_batches(&self) -> ListBatches {
        ListBatches::new(self.clone())
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

    /// A client with one more interceptor, inside of all others.
    #[doc(hidden)]
    #[must_use]
    pub fn with_innermost_interceptor(&self, interceptor: Arc<dyn ClientInterceptor>) -> Self {
        self.with(|parts| parts.interceptors.push(interceptor))
    }

    /// What the plugins of this client are to workers.
    #[doc(hidden)]
    pub fn plugins_for_workers(&self) -> &[ForWorkers] {
        &self.parts.for_workers
    }

    pub(crate) fn query_reject_condition(&self) -> QueryRejectCondition {
        self.parts.query_reject_condition
    }

    pub(crate) fn service(&self) -> WorkflowService {
        self.parts.connection.workflow_service()
    }

    /// Performs an operation, through the interceptors if there are any.
    ///
    /// # Errors
    ///
    /// The operation's own.
    #[doc(hidden)]
    pub async fn perform<O: Intercepted>(&self, operation: O) -> Result<O::Output, O::Error> {
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
