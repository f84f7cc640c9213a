//! Activities that are completed from elsewhere than their worker.

use std::fmt;

use bytes::Bytes;
use serde::Serialize;
use stead_data::{
    ActivityContext, CodecError, ConversionError, Failure, IntoFailure, Payload, SerializationContext, WorkflowContext,
};
use stead_proto::workflowservice::v1::{
    RecordActivityTaskHeartbeatByIdRequest, RecordActivityTaskHeartbeatRequest, RespondActivityTaskCanceledByIdRequest,
    RespondActivityTaskCanceledRequest, RespondActivityTaskCompletedByIdRequest, RespondActivityTaskCompletedRequest,
    RespondActivityTaskFailedByIdRequest, RespondActivityTaskFailedRequest,
};

use crate::{
    client::Client,
    connection::{CallOptions, RpcError},
    interceptor::Operation,
    payloads::{self, Owner},
};

/// An attempt of an activity whose code has said that somebody else will complete it; made by
/// [`Client::activity_by_token`] and [`Client::activity_by_id`]. Cheap to clone.
///
/// ```no_run
/// # async fn run(client: stead_client::Client, token: Vec<u8>) -> Result<(), stead_client::AsyncActivityError> {
/// let approval = client.activity_by_token(token);
/// approval.heartbeat(&"still thinking").await?;
/// approval.complete(&true).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct AsyncActivity {
    client: Client,
    activity: ActivityReference,
    context: Option<SerializationContext>,
    options: CallOptions,
}

/// Which activity is completed from elsewhere, as interceptors see it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ActivityReference {
    /// The one whose token this is.
    Token(Bytes),
    /// The one of this id.
    Id {
        /// Its workflow; empty if no workflow started it.
        workflow_id: String,
        /// The run of the workflow, or of the activity itself; empty for the current one.
        run_id: String,
        /// The id.
        activity_id: String,
    },
}

/// What the server says to a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ActivityHeartbeat {
    /// The activity should stop: report it as cancelled.
    pub cancel_requested: bool,
    /// Somebody has paused the activity: this attempt should end, and is repeated later.
    pub paused: bool,
    /// Somebody has reset the activity: this attempt should end, and the next is the first again.
    pub reset: bool,
}

/// An activity could not be completed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AsyncActivityError {
    /// The activity is not waited for: it has ended, timed out, or its workflow has closed.
    #[error("activity {activity} is not running: it has ended or timed out, or its workflow has closed")]
    NotFound {
        /// The activity.
        activity: String,
        /// What the server said.
        source: RpcError,
    },
    /// The result or the details cannot be converted.
    #[error("the result or the details of the activity cannot be converted")]
    Conversion(#[from] ConversionError),
    /// The codec refused the result or the details.
    #[error("the result or the details of the activity cannot be encoded")]
    Codec(#[from] CodecError),
    /// The call failed. Unless the server refused it, it may have been recorded all the same.
    #[error(transparent)]
    Rpc(RpcError),
}

impl AsyncActivity {
    pub(crate) fn by_token(client: Client, token: Bytes) -> Self {
        Self { client, activity: ActivityReference::Token(token), context: None, options: CallOptions::new() }
    }

    pub(crate) fn by_id(client: Client, workflow_id: String, activity_id: String) -> Self {
        let activity = ActivityReference::Id { workflow_id, run_id: String::new(), activity_id };
        Self { client, activity, context: None, options: CallOptions::new() }
    }

    /// Means this run of the workflow, for an activity that is named by id. Default: the current run.
    #[must_use]
    pub fn run(mut self, id: impl Into<String>) -> Self {
        if let ActivityReference::Id { run_id, .. } = &mut self.activity {
            *run_id = id.into();
        }
        self
    }

    /// Whose the payloads are, for a payload converter, a codec or external storage that wants to know more than stands
    /// here; what the activity itself knows is `activity::info().owner()`. Default: nobody's with a token, and with an id
    /// an activity of which no more is known.
    ///
    /// ```
    /// # async fn run(client: stead_client::Client, token: bytes::Bytes) -> Result<(), stead_client::AsyncActivityError> {
    /// use stead_data::{ActivityContext, WorkflowContext};
    ///
    /// let mut context = ActivityContext::new(client.namespace(), "charge");
    /// context.workflow = Some(WorkflowContext::new(client.namespace(), "order-1"));
    /// client.activity_by_token(token).context(context).complete("receipt").await
    /// # }
    /// ```
    #[must_use]
    pub fn context(mut self, owner: impl Into<SerializationContext>) -> Self {
        self.context = Some(owner.into());
        self
    }

    /// The deadline of each call to the server, retries included. Default: see [`CallOptions`].
    #[must_use]
    pub fn rpc_timeout(mut self, timeout: std::time::Duration) -> Self {
        self.options.timeout = timeout;
        self
    }

    /// Ends the activity with a result.
    ///
    /// # Errors
    ///
    /// See [`AsyncActivityError`].
    pub async fn complete<T: Serialize + ?Sized>(&self, result: &T) -> Result<(), AsyncActivityError> {
        let result = self.client.drafts().to_payload(result)?;
        let (activity, context, options) = self.parts();
        self.client.perform(CompleteAsyncActivityCall { activity, context, result, options }).await
    }

    /// Ends this attempt with a failure, after which the activity's retry policy decides.
    ///
    /// # Errors
    ///
    /// See [`AsyncActivityError`].
    pub async fn fail(&self, error: impl IntoFailure) -> Result<(), AsyncActivityError> {
        self.fail_attempt(error, Vec::new()).await
    }

    /// The same with a last heartbeat: its details are for the next attempt, if there is one.
    ///
    /// # Errors
    ///
    /// See [`AsyncActivityError`].
    pub async fn fail_with_heartbeat<T: Serialize + ?Sized>(
        &self,
        error: impl IntoFailure,
        details: &T,
    ) -> Result<(), AsyncActivityError> {
        let details = vec![self.client.drafts().to_payload(details)?];
        self.fail_attempt(error, details).await
    }

    async fn fail_attempt(
        &self,
        error: impl IntoFailure,
        heartbeat_details: Vec<Payload>,
    ) -> Result<(), AsyncActivityError> {
        let failure = Box::new(error.into_failure());
        let (activity, context, options) = self.parts();
        self.client.perform(FailAsyncActivityCall { activity, context, failure, heartbeat_details, options }).await
    }

    /// Ends the activity as cancelled, with details for the workflow. Only after cancellation was requested.
    ///
    /// # Errors
    ///
    /// See [`AsyncActivityError`].
    pub async fn report_cancelled<T: Serialize + ?Sized>(&self, details: &T) -> Result<(), AsyncActivityError> {
        let details = vec![self.client.drafts().to_payload(details)?];
        let (activity, context, options) = self.parts();
        self.client.perform(ReportCancelledActivityCall { activity, context, details, options }).await
    }

    /// Says that the activity is being worked on, with details for the next attempt. Tells what the activity should do.
    ///
    /// # Errors
    ///
    /// See [`AsyncActivityError`].
    pub async fn heartbeat<T: Serialize + ?Sized>(&self, details: &T) -> Result<ActivityHeartbeat, AsyncActivityError> {
        let details = vec![self.client.drafts().to_payload(details)?];
        let (activity, context, options) = self.parts();
        self.client.perform(HeartbeatAsyncActivityCall { activity, context, details, options }).await
    }

    fn parts(&self) -> (ActivityReference, SerializationContext, CallOptions) {
        let context = self.context.clone().unwrap_or_else(|| self.activity.owner(self.client.namespace()));
        (self.activity.clone(), context, self.options.clone())
    }
}

/// Declares a call, as interceptors see it.
macro_rules! call {
    ($(#[$doc:meta])* $call:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        #[non_exhaustive]
        pub struct $call {
            /// Which activity.
            pub activity: ActivityReference,
            /// Whose the payloads are.
            pub context: SerializationContext,
            $(
                $(#[$field_doc])*
                pub $field: $type,
            )+
            /// How the call is made.
            pub options: CallOptions,
        }
    };
}

call! {
    /// A result on its way to the server, as interceptors see it.
    CompleteAsyncActivityCall {
        /// The result.
        result: Payload
    }
}

call! {
    /// A failure on its way to the server, as interceptors see it.
    FailAsyncActivityCall {
        /// The failure.
        failure: Box<Failure>,
        /// Details of a last heartbeat, for the next attempt.
        heartbeat_details: Vec<Payload>
    }
}

call! {
    /// A cancellation on its way to the server, as interceptors see it.
    ReportCancelledActivityCall {
        /// Details for the workflow.
        details: Vec<Payload>
    }
}

call! {
    /// A heartbeat on its way to the server, as interceptors see it.
    HeartbeatAsyncActivityCall {
        /// Details for the next attempt.
        details: Vec<Payload>
    }
}

impl Operation for CompleteAsyncActivityCall {
    type Output = ();
    type Error = AsyncActivityError;

    async fn send(self, client: &Client) -> Result<(), AsyncActivityError> {
        let Self { activity, context, result, options } = self;
        let result = payloads::encode_arguments(&Owner::given(client, &context), vec![result]).await?;
        let service = client.service();
        let (namespace, identity) = (client.namespace().to_owned(), client.identity().to_owned());
        let answer = match activity.clone() {
            ActivityReference::Token(task_token) => {
                let request = RespondActivityTaskCompletedRequest {
                    task_token,
                    result,
                    namespace,
                    identity,
                    ..Default::default()
                };
                service.respond_activity_task_completed(request, options).await.map(drop)
            }
            ActivityReference::Id { workflow_id, run_id, activity_id } => {
                let request = RespondActivityTaskCompletedByIdRequest {
                    namespace,
                    workflow_id,
                    run_id,
                    activity_id,
                    result,
                    identity,
                    ..Default::default()
                };
                service.respond_activity_task_completed_by_id(request, options).await.map(drop)
            }
        };
        answer.map_err(|error| failed(&activity, error))
    }
}

impl Operation for FailAsyncActivityCall {
    type Output = ();
    type Error = AsyncActivityError;

    async fn send(self, client: &Client) -> Result<(), AsyncActivityError> {
        let Self { activity, context, failure, heartbeat_details, options } = self;
        let owner = Owner::given(client, &context);
        let last_heartbeat_details = payloads::encode_arguments(&owner, heartbeat_details).await?;
        let failure = Some(payloads::encode(&owner, failure.into_proto()).await?);
        let service = client.service();
        let (namespace, identity) = (client.namespace().to_owned(), client.identity().to_owned());
        let answer = match activity.clone() {
            ActivityReference::Token(task_token) => {
                let request = RespondActivityTaskFailedRequest {
                    task_token,
                    failure,
                    last_heartbeat_details,
                    namespace,
                    identity,
                    ..Default::default()
                };
                service.respond_activity_task_failed(request, options).await.map(drop)
            }
            ActivityReference::Id { workflow_id, run_id, activity_id } => {
                let request = RespondActivityTaskFailedByIdRequest {
                    namespace,
                    workflow_id,
                    run_id,
                    activity_id,
                    failure,
                    last_heartbeat_details,
                    identity,
                    ..Default::default()
                };
                service.respond_activity_task_failed_by_id(request, options).await.map(drop)
            }
        };
        answer.map_err(|error| failed(&activity, error))
    }
}

impl Operation for ReportCancelledActivityCall {
    type Output = ();
    type Error = AsyncActivityError;

    async fn send(self, client: &Client) -> Result<(), AsyncActivityError> {
        let Self { activity, context, details, options } = self;
        let details = payloads::encode_arguments(&Owner::given(client, &context), details).await?;
        let service = client.service();
        let (namespace, identity) = (client.namespace().to_owned(), client.identity().to_owned());
        let answer = match activity.clone() {
            ActivityReference::Token(task_token) => {
                let request = RespondActivityTaskCanceledRequest {
                    task_token,
                    details,
                    namespace,
                    identity,
                    ..Default::default()
                };
                service.respond_activity_task_canceled(request, options).await.map(drop)
            }
            ActivityReference::Id { workflow_id, run_id, activity_id } => {
                let request = RespondActivityTaskCanceledByIdRequest {
                    namespace,
                    workflow_id,
                    run_id,
                    activity_id,
                    details,
                    identity,
                    ..Default::default()
                };
                service.respond_activity_task_canceled_by_id(request, options).await.map(drop)
            }
        };
        answer.map_err(|error| failed(&activity, error))
    }
}

impl Operation for HeartbeatAsyncActivityCall {
    type Output = ActivityHeartbeat;
    type Error = AsyncActivityError;

    async fn send(self, client: &Client) -> Result<ActivityHeartbeat, AsyncActivityError> {
        let Self { activity, context, details, options } = self;
        let details = payloads::encode_arguments(&Owner::given(client, &context), details).await?;
        let service = client.service();
        let (namespace, identity) = (client.namespace().to_owned(), client.identity().to_owned());
        let answer = match activity.clone() {
            ActivityReference::Token(task_token) => {
                let request = RecordActivityTaskHeartbeatRequest {
                    task_token,
                    details,
                    namespace,
                    identity,
                    ..Default::default()
                };
                let answer = service.record_activity_task_heartbeat(request, options).await;
                answer.map(|it| (it.cancel_requested, it.activity_paused, it.activity_reset))
            }
            ActivityReference::Id { workflow_id, run_id, activity_id } => {
                let request = RecordActivityTaskHeartbeatByIdRequest {
                    namespace,
                    workflow_id,
                    run_id,
                    activity_id,
                    details,
                    identity,
                    ..Default::default()
                };
                let answer = service.record_activity_task_heartbeat_by_id(request, options).await;
                answer.map(|it| (it.cancel_requested, it.activity_paused, it.activity_reset))
            }
        };
        let (cancel_requested, paused, reset) = answer.map_err(|error| failed(&activity, error))?;
        Ok(ActivityHeartbeat { cancel_requested, paused, reset })
    }
}

impl ActivityReference {
    /// Whose the payloads are, as far as the reference says.
    fn owner(&self, namespace: &str) -> SerializationContext {
        let Self::Id { workflow_id, run_id, activity_id } = self else { return SerializationContext::Unknown };
        let mut activity = ActivityContext::new(namespace, activity_id);
        let run_id = (!run_id.is_empty()).then(|| run_id.clone());
        if workflow_id.is_empty() {
            activity.run_id = run_id;
        } else {
            let mut workflow = WorkflowContext::new(namespace, workflow_id);
            workflow.run_id = run_id;
            activity.workflow = Some(workflow);
        }
        activity.into()
    }
}

fn failed(activity: &ActivityReference, error: RpcError) -> AsyncActivityError {
    if error.is_not_found() && !error.is_namespace_not_found() {
        AsyncActivityError::NotFound { activity: activity.to_string(), source: error }
    } else {
        AsyncActivityError::Rpc(error)
    }
}

impl fmt::Display for ActivityReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(_) => f.write_str("of a token"),
            Self::Id { workflow_id, activity_id, .. } if workflow_id.is_empty() => write!(f, "`{activity_id}`"),
            Self::Id { workflow_id, activity_id, .. } => write!(f, "`{activity_id}` of workflow `{workflow_id}`"),
        }
    }
}

// Written by hand: a token lets its owner complete the activity.
impl fmt::Debug for ActivityReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ActivityReference({self})")
    }
}

impl fmt::Debug for AsyncActivity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AsyncActivity({})", self.activity)
    }
}
