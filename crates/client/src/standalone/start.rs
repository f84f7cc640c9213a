//! Starting an activity.

use std::{fmt, future::IntoFuture, marker::PhantomData, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use stead_data::{
    Activity, ActivityDefaults, Arg, Bounded, BoxFuture, CodecError, ConversionError, Headers, Payload, Priority,
    RetryPolicy, SearchAttributeUpdate, SearchAttributes, Unbounded,
    nexus::{Callback, Link},
    time::duration_to_proto,
};
use stead_proto::{
    common::v1::{self as common, ActivityType},
    enums::v1 as wire,
    errordetails::v1::ActivityExecutionAlreadyStartedFailure,
    sdk::v1::UserMetadata,
    taskqueue::v1::TaskQueue,
    workflowservice::v1::StartActivityExecutionRequest,
};
use tonic::Code;

use super::{ActivityHandle, ActivityResultError};
use crate::{
    client::Client,
    connection::{CallOptions, RpcError},
    interceptor::Operation,
    nexus,
    payloads::{self, Owner},
    workflow::{Finished, Given, MissingId, MissingTaskQueue, Started, predicates, request_id, rpc_options},
};

/// An activity to be started without a workflow; `id`, `task_queue` and one of `start_to_close` and `schedule_to_close`
/// are required.
///
/// Awaiting it starts the activity and gives an [`ActivityHandle`], or, if it comes of
/// [`Client::execute_activity`], waits for the activity's result.
#[must_use = "nothing happens until it is awaited"]
pub struct StartActivity<O, Goal, Bound = Unbounded, Id = MissingId, Queue = MissingTaskQueue> {
    client: Client,
    call: StartActivityCall,
    /// The first value that could not be converted; it comes out at the await.
    error: Option<ConversionError>,
    state: State<O, Goal, Bound, Id, Queue>,
}

/// What the builder knows at compile time, and nothing at run time.
type State<O, Goal, Bound, Id, Queue> = PhantomData<fn() -> (O, Goal, Bound, Id, Queue)>;

/// An activity on its way to be started without a workflow, as interceptors see it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StartActivityCall {
    /// The activity type.
    pub activity_type: String,
    /// The activity's id.
    pub activity_id: String,
    /// The task queue that its workers poll.
    pub task_queue: String,
    /// Its arguments.
    pub arguments: Vec<Payload>,
    /// Its headers.
    pub headers: Headers,
    /// Time for one attempt; `None` for any time.
    pub start_to_close: Option<Duration>,
    /// Time from the start to the end of the last attempt; `None` for any time.
    pub schedule_to_close: Option<Duration>,
    /// Time to wait for a worker; `None` for any time.
    pub schedule_to_start: Option<Duration>,
    /// Time between two heartbeats; `None` for any time.
    pub heartbeat: Option<Duration>,
    /// How failed attempts are repeated; `None` for the server's policy.
    pub retry_policy: Option<RetryPolicy>,
    /// What to do about an activity of the same id that has ended; `None` to start all the same.
    pub id_reuse_policy: Option<ActivityIdReusePolicy>,
    /// What to do about a running activity of the same id; `None` to refuse.
    pub id_conflict_policy: Option<ActivityIdConflictPolicy>,
    /// Values by which activities are found.
    pub search_attributes: SearchAttributes,
    /// One line of Markdown about the activity.
    pub summary: Option<String>,
    /// How urgent its tasks are; `None` for the server's choice.
    pub priority: Option<Priority>,
    /// Time before the first attempt.
    pub start_delay: Option<Duration>,
    /// What it is linked with, for people who look at it, such as the Nexus operation in whose handler it is made.
    pub links: Vec<Link>,
    /// Who is told how it ends.
    pub completion_callbacks: Vec<Callback>,
    /// By which the server recognizes this request when it is sent again.
    pub request_id: String,
    /// How the call is made.
    pub options: CallOptions,
}

/// The activity that was started, as interceptors see it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StartActivityOutput {
    /// The run that was started, or that was running already.
    pub run_id: String,
    /// Leads to it, on servers that say so.
    pub link: Option<Link>,
}

/// What happens when an activity is started with the id of one that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ActivityIdReusePolicy {
    /// It starts.
    #[default]
    AllowDuplicate,
    /// It starts if the other one did not complete.
    AllowDuplicateFailedOnly,
    /// It is refused.
    RejectDuplicate,
}

/// What happens when an activity is started with the id of one that is running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ActivityIdConflictPolicy {
    /// It is refused.
    #[default]
    Fail,
    /// The running one is given back instead.
    UseExisting,
}

/// An activity was not started.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StartActivityError {
    /// There is an activity of this id, and the policies say that there may not be another. Take that one, with a
    /// handle of its id, or start yours with another id or another policy.
    #[error("activity `{activity_id}` ({activity_type}) was started already, in run `{run_id}`")]
    AlreadyStarted {
        /// The activity's id.
        activity_id: String,
        /// The type that was asked for; the other one may have another.
        activity_type: String,
        /// The other one's run.
        run_id: String,
    },
    /// An argument or another value cannot be converted.
    #[error("the activity's arguments cannot be converted")]
    Conversion(#[from] ConversionError),
    /// The codec refused an argument or another value.
    #[error("the activity's arguments cannot be encoded")]
    Codec(#[from] CodecError),
    /// The call failed. Unless the server refused it, the activity may have been started all the same.
    #[error(transparent)]
    Rpc(RpcError),
}

predicates!(StartActivityError);

/// An activity was not started, or did not complete.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ExecuteActivityError {
    /// It was not started.
    #[error(transparent)]
    Start(#[from] StartActivityError),
    /// It was started and did not complete, or its result is not known.
    #[error(transparent)]
    Result(#[from] ActivityResultError),
}

impl<O, Goal> StartActivity<O, Goal> {
    fn new(client: Client, activity_type: String, arguments: Result<Vec<Payload>, ConversionError>) -> Self {
        let (arguments, error) = match arguments {
            Ok(arguments) => (arguments, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        let call = StartActivityCall {
            activity_type,
            activity_id: String::new(),
            task_queue: String::new(),
            arguments,
            headers: Headers::new(),
            start_to_close: None,
            schedule_to_close: None,
            schedule_to_start: None,
            heartbeat: None,
            retry_policy: None,
            id_reuse_policy: None,
            id_conflict_policy: None,
            search_attributes: SearchAttributes::default(),
            summary: None,
            priority: None,
            start_delay: None,
            links: Vec::new(),
            completion_callbacks: Vec::new(),
            request_id: request_id(),
            options: CallOptions::new(),
        };
        Self { client, call, error, state: PhantomData }
    }

    pub(crate) fn named(client: Client, activity_type: String, arguments: &impl Serialize) -> Self {
        let arguments = client.drafts().to_arguments(arguments);
        Self::new(client, activity_type, arguments)
    }
}

impl<O, Goal, Bound> StartActivity<O, Goal, Bound> {
    /// With what the definition says of all calls.
    pub(crate) fn typed<A: ?Sized, I>(client: Client, activity: Activity<A, I, O, Bound>, input: &impl Arg<I>) -> Self {
        let arguments = input.encode(&client.drafts(), activity.arity());
        let start = StartActivity::<O, Goal>::new(client, activity.name().to_owned(), arguments);
        let start = match activity.defaults() {
            None => start,
            Some(ActivityDefaults {
                start_to_close, schedule_to_close, schedule_to_start, heartbeat, retry, ..
            }) => {
                let mut start = start;
                start.call.start_to_close = start_to_close;
                start.call.schedule_to_close = schedule_to_close;
                start.call.schedule_to_start = schedule_to_start;
                start.call.heartbeat = heartbeat;
                start.call.retry_policy = retry;
                start
            }
        };
        start.become_state()
    }
}

impl<O, Goal, Bound, Id, Queue> StartActivity<O, Goal, Bound, Id, Queue> {
    /// The activity's id, unique among the running activities without a workflow of the namespace. Required.
    pub fn id(mut self, id: impl Into<String>) -> StartActivity<O, Goal, Bound, Given, Queue> {
        self.call.activity_id = id.into();
        self.become_state()
    }

    /// The task queue that the activity's workers poll. Required.
    pub fn task_queue(mut self, task_queue: impl Into<String>) -> StartActivity<O, Goal, Bound, Id, Given> {
        self.call.task_queue = task_queue.into();
        self.become_state()
    }

    /// Time for one attempt. This or [`schedule_to_close`](Self::schedule_to_close) is required.
    pub fn start_to_close(mut self, timeout: Duration) -> StartActivity<O, Goal, Bounded, Id, Queue> {
        self.call.start_to_close = Some(timeout);
        self.become_state()
    }

    /// Time from the start to the end of the last attempt. This or [`start_to_close`](Self::start_to_close) is required.
    pub fn schedule_to_close(mut self, timeout: Duration) -> StartActivity<O, Goal, Bounded, Id, Queue> {
        self.call.schedule_to_close = Some(timeout);
        self.become_state()
    }

    /// Time to wait for a worker. Default: any time.
    pub fn schedule_to_start(mut self, timeout: Duration) -> Self {
        self.call.schedule_to_start = Some(timeout);
        self
    }

    /// Time between two heartbeats. Default: any time.
    pub fn heartbeat(mut self, timeout: Duration) -> Self {
        self.call.heartbeat = Some(timeout);
        self
    }

    /// How failed attempts are repeated. Default: the server's policy.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.call.retry_policy = Some(policy);
        self
    }

    /// What to do about an activity of the same id that has ended. Default: start all the same.
    pub fn id_reuse_policy(mut self, policy: ActivityIdReusePolicy) -> Self {
        self.call.id_reuse_policy = Some(policy);
        self
    }

    /// What to do about a running activity of the same id. Default: refuse, with
    /// [`StartActivityError::AlreadyStarted`].
    pub fn on_conflict(mut self, policy: ActivityIdConflictPolicy) -> Self {
        self.call.id_conflict_policy = Some(policy);
        self
    }

    /// Sets values by which activities are found; the server must know their names.
    pub fn search_attributes(mut self, attributes: impl IntoIterator<Item = SearchAttributeUpdate>) -> Self {
        self.call.search_attributes.apply(attributes);
        self
    }

    /// One line of Markdown about the activity, for people. Default: none.
    pub fn summary(mut self, summary: impl Into<String>) -> Self {
        self.call.summary = Some(summary.into());
        self
    }

    /// How urgent the activity's tasks are. Default: the server's choice.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.call.priority = Some(priority);
        self
    }

    /// Time before the first attempt. Default: none.
    pub fn start_delay(mut self, delay: Duration) -> Self {
        self.call.start_delay = Some(delay);
        self
    }

    /// Headers for the interceptors of the activity's workers. Default: none.
    pub fn headers(mut self, headers: Headers) -> Self {
        self.call.headers = headers;
        self
    }

    /// By which the server recognizes the request when it is sent again. Default: a random one.
    pub fn request_id(mut self, id: impl Into<String>) -> Self {
        self.call.request_id = id.into();
        self
    }

    rpc_options!();

    fn become_state<B, I, Q>(self) -> StartActivity<O, Goal, B, I, Q> {
        let Self { client, call, error, state: _ } = self;
        StartActivity { client, call, error, state: PhantomData }
    }

    /// The call, and the client that is to perform it.
    ///
    /// # Errors
    ///
    /// A value could not be converted.
    #[doc(hidden)]
    pub fn into_call(self) -> Result<(Client, StartActivityCall), ConversionError> {
        let Self { client, call, error, .. } = self;
        error.map_or(Ok(()), Err)?;
        Ok((client, call))
    }

    async fn start(self) -> Result<ActivityHandle<O>, StartActivityError> {
        let (client, call) = self.into_call()?;
        let activity_id = call.activity_id.clone();
        let StartActivityOutput { run_id, .. } = client.perform(call).await?;
        Ok(ActivityHandle::new(client, activity_id, Some(run_id)))
    }
}

impl Operation for StartActivityCall {
    type Output = StartActivityOutput;
    type Error = StartActivityError;

    async fn send(self, client: &Client) -> Result<StartActivityOutput, StartActivityError> {
        let owner = Owner::activity(client, &self.activity_id);
        let input = payloads::encode_arguments(&owner, self.arguments).await?;
        let header = payloads::header(&owner, self.headers).await?;
        let summary = self.summary.map(|text| client.drafts().to_payload(&text)).transpose()?;
        let user_metadata = match summary {
            None => None,
            summary => Some(payloads::encode(&owner, UserMetadata { summary, details: None }).await?),
        };
        let request = StartActivityExecutionRequest {
            namespace: client.namespace().to_owned(),
            identity: client.identity().to_owned(),
            request_id: self.request_id,
            activity_id: self.activity_id.clone(),
            activity_type: Some(ActivityType { name: self.activity_type.clone() }),
            task_queue: Some(TaskQueue { name: self.task_queue, ..Default::default() }),
            schedule_to_close_timeout: self.schedule_to_close.map(duration_to_proto),
            schedule_to_start_timeout: self.schedule_to_start.map(duration_to_proto),
            start_to_close_timeout: self.start_to_close.map(duration_to_proto),
            heartbeat_timeout: self.heartbeat.map(duration_to_proto),
            retry_policy: self.retry_policy.map(RetryPolicy::into_proto),
            input,
            id_reuse_policy: self.id_reuse_policy.map_or(0, |policy| wire_reuse(policy).into()),
            id_conflict_policy: self.id_conflict_policy.map_or(0, |policy| wire_conflict(policy).into()),
            search_attributes: (!self.search_attributes.is_empty())
                .then(|| common::SearchAttributes { indexed_fields: self.search_attributes.into_payloads() }),
            header,
            user_metadata,
            priority: self.priority.map(Priority::into_proto),
            start_delay: self.start_delay.map(duration_to_proto),
            on_conflict_options: nexus::on_activity_conflict(&self.links, &self.completion_callbacks),
            completion_callbacks: nexus::callbacks(self.completion_callbacks, &self.links),
            links: Link::all_to_proto(&self.links),
            ..Default::default()
        };
        match client.service().start_activity_execution(request, self.options).await {
            Ok(answer) => Ok(StartActivityOutput { run_id: answer.run_id, link: nexus::link(answer.link.as_ref()) }),
            Err(error) => Err(refused(self.activity_id, self.activity_type, error)),
        }
    }
}

fn wire_reuse(policy: ActivityIdReusePolicy) -> wire::ActivityIdReusePolicy {
    match policy {
        ActivityIdReusePolicy::AllowDuplicate => wire::ActivityIdReusePolicy::AllowDuplicate,
        ActivityIdReusePolicy::AllowDuplicateFailedOnly => wire::ActivityIdReusePolicy::AllowDuplicateFailedOnly,
        ActivityIdReusePolicy::RejectDuplicate => wire::ActivityIdReusePolicy::RejectDuplicate,
    }
}

fn wire_conflict(policy: ActivityIdConflictPolicy) -> wire::ActivityIdConflictPolicy {
    match policy {
        ActivityIdConflictPolicy::Fail => wire::ActivityIdConflictPolicy::Fail,
        ActivityIdConflictPolicy::UseExisting => wire::ActivityIdConflictPolicy::UseExisting,
    }
}

fn refused(activity_id: String, activity_type: String, error: RpcError) -> StartActivityError {
    let detail = match error.code() {
        Code::AlreadyExists => error.detail::<ActivityExecutionAlreadyStartedFailure>(),
        _ => None,
    };
    match detail {
        Some(detail) => StartActivityError::AlreadyStarted { activity_id, activity_type, run_id: detail.run_id },
        None => StartActivityError::Rpc(error),
    }
}

impl<O: 'static> IntoFuture for StartActivity<O, Started, Bounded, Given, Given> {
    type Output = Result<ActivityHandle<O>, StartActivityError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.start())
    }
}

impl<O: DeserializeOwned + 'static> IntoFuture for StartActivity<O, Finished, Bounded, Given, Given> {
    type Output = Result<O, ExecuteActivityError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let handle = self.start().await?;
            Ok(handle.result().await?)
        })
    }
}

// Written by hand: arguments are users' data.
impl<O, Goal, Bound, Id, Queue> fmt::Debug for StartActivity<O, Goal, Bound, Id, Queue> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartActivity")
            .field("activity_type", &self.call.activity_type)
            .field("id", &self.call.activity_id)
            .finish_non_exhaustive()
    }
}
