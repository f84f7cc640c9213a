//! Starting an activity.

use std::{fmt, future::IntoFuture, marker::PhantomData, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use stead_data::{
    Activity, ActivityDefaults, Arg, Bounded, BoxFuture, CodecError, ConversionError, Headers, Payload, Priority,
    RetryPolicy, SearchAttributeUpdate, SearchAttributes, Unbounded, time::duration_to_proto,
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

use super::{ActivityHandle, ActivityResultError, rpc_options};
use crate::{
    client::Client,
    connection::{CallOptions, RpcError},
    payloads::{self, Owner},
    workflow::{Finished, Given, MissingId, MissingTaskQueue, Started, predicates, request_id},
};

/// An activity to be started without a workflow; `id`, `task_queue` and one of `start_to_close` and `schedule_to_close`
/// are required.
///
/// Awaiting it starts the activity and gives an [`ActivityHandle`], or, if it comes of
/// [`Client::execute_activity`], waits for the activity's result.
#[must_use = "nothing happens until it is awaited"]
pub struct StartActivity<O, Goal, Bound = Unbounded, Id = MissingId, Queue = MissingTaskQueue> {
    client: Client,
    request: StartActivityExecutionRequest,
    arguments: Vec<Payload>,
    summary: Option<String>,
    search_attributes: SearchAttributes,
    options: CallOptions,
    /// The first value that could not be converted; it comes out at the await.
    error: Option<ConversionError>,
    state: State<O, Goal, Bound, Id, Queue>,
}

/// What the builder knows at compile time, and nothing at run time.
type State<O, Goal, Bound, Id, Queue> = PhantomData<fn() -> (O, Goal, Bound, Id, Queue)>;

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
        let request = StartActivityExecutionRequest {
            namespace: client.namespace().to_owned(),
            identity: client.identity().to_owned(),
            request_id: request_id(),
            activity_type: Some(ActivityType { name: activity_type }),
            ..Default::default()
        };
        Self {
            client,
            request,
            arguments,
            summary: None,
            search_attributes: SearchAttributes::default(),
            options: CallOptions::new(),
            error,
            state: PhantomData,
        }
    }

    pub(crate) fn named(client: Client, activity_type: String, arguments: &impl Serialize) -> Self {
        let arguments = client.data_converter().to_arguments(arguments);
        Self::new(client, activity_type, arguments)
    }
}

impl<O, Goal, Bound> StartActivity<O, Goal, Bound> {
    /// With what the definition says of all calls.
    pub(crate) fn typed<A: ?Sized, I>(client: Client, activity: Activity<A, I, O, Bound>, input: &impl Arg<I>) -> Self {
        let arguments = input.encode(client.data_converter(), activity.arity());
        let start = StartActivity::<O, Goal>::new(client, activity.name().to_owned(), arguments);
        let start = match activity.defaults() {
            None => start,
            Some(ActivityDefaults {
                start_to_close, schedule_to_close, schedule_to_start, heartbeat, retry, ..
            }) => {
                let mut start = start;
                start.request.start_to_close_timeout = start_to_close.map(duration_to_proto);
                start.request.schedule_to_close_timeout = schedule_to_close.map(duration_to_proto);
                start.request.schedule_to_start_timeout = schedule_to_start.map(duration_to_proto);
                start.request.heartbeat_timeout = heartbeat.map(duration_to_proto);
                start.request.retry_policy = retry.map(RetryPolicy::into_proto);
                start
            }
        };
        start.become_state()
    }
}

impl<O, Goal, Bound, Id, Queue> StartActivity<O, Goal, Bound, Id, Queue> {
    /// The activity's id, unique among the running activities without a workflow of the namespace. Required.
    pub fn id(mut self, id: impl Into<String>) -> StartActivity<O, Goal, Bound, Given, Queue> {
        self.request.activity_id = id.into();
        self.become_state()
    }

    /// The task queue that the activity's workers poll. Required.
    pub fn task_queue(mut self, task_queue: impl Into<String>) -> StartActivity<O, Goal, Bound, Id, Given> {
        self.request.task_queue = Some(TaskQueue { name: task_queue.into(), ..Default::default() });
        self.become_state()
    }

    /// Time for one attempt. This or [`schedule_to_close`](Self::schedule_to_close) is required.
    pub fn start_to_close(mut self, timeout: Duration) -> StartActivity<O, Goal, Bounded, Id, Queue> {
        self.request.start_to_close_timeout = Some(duration_to_proto(timeout));
        self.become_state()
    }

    /// Time from the start to the end of the last attempt. This or [`start_to_close`](Self::start_to_close) is required.
    pub fn schedule_to_close(mut self, timeout: Duration) -> StartActivity<O, Goal, Bounded, Id, Queue> {
        self.request.schedule_to_close_timeout = Some(duration_to_proto(timeout));
        self.become_state()
    }

    /// Time to wait for a worker. Default: any time.
    pub fn schedule_to_start(mut self, timeout: Duration) -> Self {
        self.request.schedule_to_start_timeout = Some(duration_to_proto(timeout));
        self
    }

    /// Time between two heartbeats. Default: any time.
    pub fn heartbeat(mut self, timeout: Duration) -> Self {
        self.request.heartbeat_timeout = Some(duration_to_proto(timeout));
        self
    }

    /// How failed attempts are repeated. Default: the server's policy.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.request.retry_policy = Some(policy.into_proto());
        self
    }

    /// What to do about an activity of the same id that has ended. Default: start all the same.
    pub fn id_reuse_policy(mut self, policy: ActivityIdReusePolicy) -> Self {
        self.request.id_reuse_policy = match policy {
            ActivityIdReusePolicy::AllowDuplicate => wire::ActivityIdReusePolicy::AllowDuplicate,
            ActivityIdReusePolicy::AllowDuplicateFailedOnly => wire::ActivityIdReusePolicy::AllowDuplicateFailedOnly,
            ActivityIdReusePolicy::RejectDuplicate => wire::ActivityIdReusePolicy::RejectDuplicate,
        }
        .into();
        self
    }

    /// What to do about a running activity of the same id. Default: refuse, with
    /// [`StartActivityError::AlreadyStarted`].
    pub fn on_conflict(mut self, policy: ActivityIdConflictPolicy) -> Self {
        self.request.id_conflict_policy = match policy {
            ActivityIdConflictPolicy::Fail => wire::ActivityIdConflictPolicy::Fail,
            ActivityIdConflictPolicy::UseExisting => wire::ActivityIdConflictPolicy::UseExisting,
        }
        .into();
        self
    }

    /// Sets values by which activities are found; the server must know their names.
    pub fn search_attributes(mut self, attributes: impl IntoIterator<Item = SearchAttributeUpdate>) -> Self {
        self.search_attributes.apply(attributes);
        self
    }

    /// One line of Markdown about the activity, for people. Default: none.
    pub fn summary(mut self, summary: impl Into<String>) -> Self {
        self.summary = Some(summary.into());
        self
    }

    /// How urgent the activity's tasks are. Default: the server's choice.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.request.priority = Some(priority.into_proto());
        self
    }

    /// Time before the first attempt. Default: none.
    pub fn start_delay(mut self, delay: Duration) -> Self {
        self.request.start_delay = Some(duration_to_proto(delay));
        self
    }

    /// Headers for the interceptors of the activity's workers. Default: none.
    pub fn headers(mut self, headers: Headers) -> Self {
        self.request.header = payloads::header(headers);
        self
    }

    /// By which the server recognizes the request when it is sent again. Default: a random one.
    pub fn request_id(mut self, id: impl Into<String>) -> Self {
        self.request.request_id = id.into();
        self
    }

    rpc_options!();

    fn become_state<B, I, Q>(self) -> StartActivity<O, Goal, B, I, Q> {
        let Self { client, request, arguments, summary, search_attributes, options, error, state: _ } = self;
        StartActivity { client, request, arguments, summary, search_attributes, options, error, state: PhantomData }
    }

    async fn start(self) -> Result<ActivityHandle<O>, StartActivityError> {
        let Self { client, mut request, arguments, summary, search_attributes, options, error, .. } = self;
        error.map_or(Ok(()), Err)?;
        let converter = client.data_converter();
        let activity_id = request.activity_id.clone();
        let activity_type = request.activity_type.as_ref().map_or(String::new(), |it| it.name.clone());
        request.input = payloads::encode_arguments(&Owner::activity(&client, "", &activity_id), arguments).await?;
        let summary = summary.map(|text| converter.to_payload(&text)).transpose()?;
        if summary.is_some() {
            let metadata = UserMetadata { summary, details: None };
            request.user_metadata =
                Some(payloads::encode(&Owner::activity(&client, "", &activity_id), metadata).await?);
        }
        request.search_attributes = (!search_attributes.is_empty())
            .then(|| common::SearchAttributes { indexed_fields: search_attributes.into_payloads() });
        match client.service().start_activity_execution(request, options).await {
            Ok(answer) => Ok(ActivityHandle::new(client, activity_id, Some(answer.run_id))),
            Err(error) => Err(refused(activity_id, activity_type, error)),
        }
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
            .field("activity_type", &self.request.activity_type.as_ref().map(|it| &it.name))
            .field("id", &self.request.activity_id)
            .finish_non_exhaustive()
    }
}
