//! Starting a workflow.

use std::{fmt, future::IntoFuture, marker::PhantomData, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use stead_data::nexus::{Callback, Link};
use stead_data::{
    Arg, BoxFuture, CodecError, ConversionError, Failure, FromFailure, Headers, Payload, PayloadMap, Priority,
    RetryPolicy, SearchAttributeUpdate, SearchAttributes, Signal, VersioningOverride, WorkflowIdConflictPolicy,
    WorkflowIdReusePolicy, WorkflowType,
};

use super::{ResultError, TimeSkipping, WorkflowHandle, WorkflowResult, execution::request_id, predicates};
use crate::{
    client::Client,
    connection::{CallOptions, Metadata, RpcError},
    interceptor::Operation,
};

mod send;
mod with_update;

pub use with_update::{
    StartWithUpdate, StartWithUpdateCall, StartWithUpdateError, StartWithUpdateOutput, UpdatedWorkflow,
};

/// A workflow to be started; `id` and `task_queue` are required.
///
/// Awaiting it starts the workflow and gives a [`WorkflowHandle`], or, if it comes of
/// [`Client::execute_workflow`], waits for the workflow's result.
#[must_use = "nothing happens until it is awaited"]
pub struct StartWorkflow<W: ?Sized, Goal, Id = MissingId, Queue = MissingTaskQueue> {
    client: Client,
    call: StartWorkflowCall,
    /// The first value that could not be converted; it comes out at the await.
    error: Option<ConversionError>,
    state: State<W, Goal, Id, Queue>,
}

/// What the builder knows at compile time, and nothing at run time.
type State<W, Goal, Id, Queue> = PhantomData<fn() -> (Box<W>, Goal, Id, Queue)>;

/// [`StartWorkflow`] gives a handle.
#[derive(Debug)]
pub enum Started {}

/// [`StartWorkflow`] gives the workflow's result.
#[derive(Debug)]
pub enum Finished {}

/// What was required has been given.
#[derive(Debug)]
pub enum Given {}

/// The workflow's id is missing: call `.id(..)`.
#[derive(Debug)]
pub enum MissingId {}

/// The task queue is missing: call `.task_queue(..)`.
#[derive(Debug)]
pub enum MissingTaskQueue {}

/// A workflow on its way to be started, as interceptors see it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StartWorkflowCall {
    /// The workflow type.
    pub workflow_type: String,
    /// The workflow's id.
    pub workflow_id: String,
    /// The task queue that its workers poll.
    pub task_queue: String,
    /// Its arguments.
    pub arguments: Vec<Payload>,
    /// Its headers.
    pub headers: Headers,
    /// A signal to be sent along: to the new workflow, or to the one that runs already.
    pub signal: Option<StartSignal>,
    /// Time for the whole chain of retries, cron runs and continuations; `None` for any time.
    pub execution_timeout: Option<Duration>,
    /// Time for one run; `None` for any time.
    pub run_timeout: Option<Duration>,
    /// Time that a worker has for one workflow task; `None` for the server's 10 s.
    pub task_timeout: Option<Duration>,
    /// What to do about a closed workflow of the same id.
    pub id_reuse_policy: WorkflowIdReusePolicy,
    /// What to do about a running workflow of the same id; `None` for the server's choice, which is to refuse.
    pub id_conflict_policy: Option<WorkflowIdConflictPolicy>,
    /// How the workflow is retried when it fails; `None` for not at all.
    pub retry_policy: Option<RetryPolicy>,
    /// When to run it again and again; empty for once.
    pub cron_schedule: String,
    /// Values to be found with the workflow, which are not indexed.
    pub memo: PayloadMap,
    /// Values by which workflows are found.
    pub search_attributes: SearchAttributes,
    /// Time before the first task.
    pub start_delay: Option<Duration>,
    /// One line of Markdown about the workflow.
    pub static_summary: Option<String>,
    /// Markdown about the workflow.
    pub static_details: Option<String>,
    /// How urgent its tasks are.
    pub priority: Option<Priority>,
    /// On which version of its workers it runs; `None` for what they and the deployment say.
    pub versioning_override: Option<VersioningOverride>,
    /// How it skips time; `None` for not at all.
    pub time_skipping: Option<TimeSkipping>,
    /// Whether a worker of this process may be given the first task with the answer.
    pub request_eager_start: bool,
    /// What it is linked with, for people who look at it, such as the Nexus operation in whose handler it is made.
    pub links: Vec<Link>,
    /// Who is told how it ends.
    pub completion_callbacks: Vec<Callback>,
    /// By which the server recognizes this request when it is sent again.
    pub request_id: String,
    /// How the call is made.
    pub options: CallOptions,
}

/// A signal that is sent along with a start.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StartSignal {
    /// Its name.
    pub name: String,
    /// Its arguments.
    pub arguments: Vec<Payload>,
}

/// The workflow that was started, as interceptors see it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StartWorkflowOutput {
    /// The run that was started, or that was running already.
    pub run_id: String,
    /// The first run of its chain, where it is known.
    pub first_execution_run_id: Option<String>,
    /// Whether a worker of this process has got the first task with the answer.
    pub started_eagerly: bool,
    /// Leads to it, on servers that say so.
    pub link: Option<Link>,
}

/// A workflow was not started.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// There is a workflow of this id, and the policies say that there may not be another. Take that one, with a
    /// handle of its id, or start yours with another id or another policy.
    #[error("workflow `{workflow_id}` ({workflow_type}) was started already, in run `{run_id}`")]
    AlreadyStarted {
        /// The workflow's id.
        workflow_id: String,
        /// The type that was asked for; the other one may have another.
        workflow_type: String,
        /// The other one's run.
        run_id: String,
        /// The first run of the other one's chain, where the server says.
        first_execution_run_id: Option<String>,
    },
    /// An argument, a memo or another value cannot be converted.
    #[error("the workflow's arguments cannot be converted")]
    Conversion(#[from] ConversionError),
    /// The codec refused an argument or another value.
    #[error("the workflow's arguments cannot be encoded")]
    Codec(#[from] CodecError),
    /// The call failed. Unless the server refused it, the workflow may have been started all the same.
    #[error(transparent)]
    Rpc(RpcError),
}

predicates!(StartError);

/// A workflow was not started, or did not complete.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ExecuteError {
    /// It was not started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It was started and did not complete, or its result is not known.
    #[error(transparent)]
    Result(#[from] ResultError),
}

impl ExecuteError {
    /// The failure that the server reported of the workflow, if that is what happened.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Start(_) => None,
            Self::Result(error) => error.failure(),
        }
    }

    /// The workflow's own error, if it failed with one of type `E`.
    pub fn application<E: FromFailure>(&self) -> Option<E> {
        self.failure()?.application_as()
    }

    /// The failed call to the server, if that is what happened.
    pub fn rpc(&self) -> Option<&RpcError> {
        match self {
            Self::Start(error) => error.rpc(),
            Self::Result(error) => error.rpc(),
        }
    }

    /// A cancellation: the workflow's, or a call's.
    pub fn is_cancelled(&self) -> bool {
        match self {
            Self::Start(error) => error.is_cancelled(),
            Self::Result(error) => error.is_cancelled(),
        }
    }

    /// A timeout: the workflow's, or a call's.
    pub fn is_timeout(&self) -> bool {
        match self {
            Self::Start(error) => error.is_timeout(),
            Self::Result(error) => error.is_timeout(),
        }
    }
}

impl<W: ?Sized, Goal> StartWorkflow<W, Goal> {
    pub(crate) fn new(client: Client, workflow_type: String, arguments: Result<Vec<Payload>, ConversionError>) -> Self {
        let (arguments, error) = match arguments {
            Ok(arguments) => (arguments, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        Self { client, call: StartWorkflowCall::new(workflow_type, arguments), error, state: PhantomData }
    }
}

impl<W: ?Sized, Goal, Id, Queue> StartWorkflow<W, Goal, Id, Queue> {
    /// The workflow's id, unique among the running workflows of the namespace. Required.
    pub fn id(mut self, id: impl Into<String>) -> StartWorkflow<W, Goal, Given, Queue> {
        self.call.workflow_id = id.into();
        self.become_state()
    }

    /// The task queue that the workflow's workers poll. Required.
    pub fn task_queue(mut self, task_queue: impl Into<String>) -> StartWorkflow<W, Goal, Id, Given> {
        self.call.task_queue = task_queue.into();
        self.become_state()
    }

    /// Sends a signal along, to the new workflow, or to the one of this id that is running already.
    pub fn with_signal<I>(self, signal: Signal<W, I>, argument: impl Arg<I>) -> Self {
        let arguments = argument.encode(&self.client.drafts(), signal.arity());
        self.add_signal(signal.name().to_owned(), arguments)
    }

    /// As [`with_signal`](Self::with_signal), by the signal's name; several arguments are a tuple.
    pub fn with_signal_named(self, signal: impl Into<String>, arguments: impl Serialize) -> Self {
        let arguments = self.client.drafts().to_arguments(&arguments);
        self.add_signal(signal.into(), arguments)
    }

    /// Time for the whole chain of retries, cron runs and continuations. Default: any time.
    pub fn execution_timeout(mut self, timeout: Duration) -> Self {
        self.call.execution_timeout = Some(timeout);
        self
    }

    /// Time for one run. Default: that of the whole chain.
    pub fn run_timeout(mut self, timeout: Duration) -> Self {
        self.call.run_timeout = Some(timeout);
        self
    }

    /// Time that a worker has for one workflow task before another may take it over. Default: the server's, 10 s.
    pub fn task_timeout(mut self, timeout: Duration) -> Self {
        self.call.task_timeout = Some(timeout);
        self
    }

    /// What to do about a closed workflow of the same id. Default: start all the same.
    pub fn id_reuse_policy(mut self, policy: WorkflowIdReusePolicy) -> Self {
        self.call.id_reuse_policy = policy;
        self
    }

    /// What to do about a running workflow of the same id. Default: refuse, with [`StartError::AlreadyStarted`].
    pub fn on_conflict(mut self, policy: WorkflowIdConflictPolicy) -> Self {
        self.call.id_conflict_policy = Some(policy);
        self
    }

    /// How the workflow is retried, in another run, when it fails. Default: not at all.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.call.retry_policy = Some(policy);
        self
    }

    /// Runs the workflow again and again, at the times of a cron schedule such as `30 2 * * *`. Default: once.
    pub fn cron_schedule(mut self, schedule: impl Into<String>) -> Self {
        self.call.cron_schedule = schedule.into();
        self
    }

    /// Adds a value to be found with the workflow; workflows cannot be searched by it.
    pub fn memo(mut self, key: impl Into<String>, value: impl Serialize) -> Self {
        match self.client.drafts().to_payload(&value) {
            Ok(payload) => drop(self.call.memo.insert(key.into(), payload)),
            Err(error) => self.fail(error),
        }
        self
    }

    /// Sets values by which workflows are found; the server must know their names.
    pub fn search_attributes(mut self, attributes: impl IntoIterator<Item = SearchAttributeUpdate>) -> Self {
        self.call.search_attributes.apply(attributes);
        self
    }

    /// Time before the workflow's first task; a signal ends it. Default: none.
    pub fn start_delay(mut self, delay: Duration) -> Self {
        self.call.start_delay = Some(delay);
        self
    }

    /// One line of Markdown about the workflow, for people. Default: none.
    pub fn static_summary(mut self, summary: impl Into<String>) -> Self {
        self.call.static_summary = Some(summary.into());
        self
    }

    /// Markdown about the workflow, for people. Default: none.
    pub fn static_details(mut self, details: impl Into<String>) -> Self {
        self.call.static_details = Some(details.into());
        self
    }

    /// How urgent the workflow's tasks are. Default: the server's choice.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.call.priority = Some(priority);
        self
    }

    /// On which version of its workers the workflow runs, whatever its own behavior and the deployment's current version
    /// are. Default: what those say.
    pub fn versioning_override(mut self, versioning: VersioningOverride) -> Self {
        self.call.versioning_override = Some(versioning);
        self
    }

    /// How the workflow skips the time in which it only waits. Default: not at all.
    pub fn time_skipping(mut self, skipping: TimeSkipping) -> Self {
        self.call.time_skipping = Some(skipping);
        self
    }

    /// Asks the server to send the first task along with its answer, to a worker of this process that polls the task
    /// queue over the same connection, knows the workflow and has a free slot. It saves the way through the task queue;
    /// without such a worker, or with a server that does not do it, the workflow starts as usual.
    ///
    /// A start together with a signal or an update is never eager. Default: not asked for.
    pub fn request_eager_start(mut self) -> Self {
        self.call.request_eager_start = true;
        self
    }

    /// By which the server recognizes the request when it is sent again. Default: a random one.
    pub fn request_id(mut self, id: impl Into<String>) -> Self {
        self.call.request_id = id.into();
        self
    }

    /// The deadline of the call to the server, retries included. Default: see [`CallOptions`].
    pub fn rpc_timeout(mut self, timeout: Duration) -> Self {
        self.call.options.timeout = timeout;
        self
    }

    /// Headers of the call to the server.
    pub fn rpc_metadata(mut self, metadata: Metadata) -> Self {
        self.call.options.metadata = metadata;
        self
    }

    fn add_signal(mut self, name: String, arguments: Result<Vec<Payload>, ConversionError>) -> Self {
        match arguments {
            Ok(arguments) => self.call.signal = Some(StartSignal { name, arguments }),
            Err(error) => self.fail(error),
        }
        self
    }

    fn fail(&mut self, error: ConversionError) {
        self.error.get_or_insert(error);
    }

    fn become_state<NewId, NewQueue>(self) -> StartWorkflow<W, Goal, NewId, NewQueue> {
        let Self { client, call, error, state: _ } = self;
        StartWorkflow { client, call, error, state: PhantomData }
    }

    /// The call, and the client that is to perform it.
    ///
    /// # Errors
    ///
    /// A value could not be converted.
    #[doc(hidden)]
    pub fn into_call(self) -> Result<(Client, StartWorkflowCall), ConversionError> {
        let Self { client, call, error, .. } = self;
        error.map_or(Ok(()), Err)?;
        Ok((client, call))
    }

    async fn start(self) -> Result<WorkflowHandle<W>, StartError> {
        let (client, call) = self.into_call()?;
        let id = call.workflow_id.clone();
        let output = client.perform(call).await?;
        Ok(WorkflowHandle::started(client, id, output))
    }
}

impl<W: ?Sized + 'static> IntoFuture for StartWorkflow<W, Started, Given, Given> {
    type Output = Result<WorkflowHandle<W>, StartError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.start())
    }
}

impl<W> IntoFuture for StartWorkflow<W, Finished, Given, Given>
where
    W: WorkflowType + ?Sized + 'static,
    W::Output: DeserializeOwned + 'static,
{
    type Output = Result<W::Output, ExecuteError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let handle = self.start().await?;
            let result: WorkflowResult<W::Output> = handle.result();
            Ok(result.await?)
        })
    }
}

impl<W: ?Sized, Goal, Id, Queue> fmt::Debug for StartWorkflow<W, Goal, Id, Queue> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartWorkflow").field("call", &self.call).finish_non_exhaustive()
    }
}

impl StartWorkflowCall {
    fn new(workflow_type: String, arguments: Vec<Payload>) -> Self {
        Self {
            workflow_type,
            workflow_id: String::new(),
            task_queue: String::new(),
            arguments,
            headers: Headers::new(),
            signal: None,
            execution_timeout: None,
            run_timeout: None,
            task_timeout: None,
            id_reuse_policy: WorkflowIdReusePolicy::default(),
            id_conflict_policy: None,
            retry_policy: None,
            cron_schedule: String::new(),
            memo: PayloadMap::new(),
            search_attributes: SearchAttributes::default(),
            start_delay: None,
            static_summary: None,
            static_details: None,
            priority: None,
            versioning_override: None,
            time_skipping: None,
            request_eager_start: false,
            links: Vec::new(),
            completion_callbacks: Vec::new(),
            request_id: request_id(),
            options: CallOptions::new(),
        }
    }
}

impl Operation for StartWorkflowCall {
    type Output = StartWorkflowOutput;
    type Error = StartError;

    async fn send(self, client: &Client) -> Result<StartWorkflowOutput, StartError> {
        send::send(self, client).await
    }
}
