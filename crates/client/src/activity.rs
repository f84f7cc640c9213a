//! Activities that are completed from elsewhere than their worker.

use std::fmt;

use bytes::Bytes;
use serde::Serialize;
use stead_data::{CodecError, ConversionError, Failure, IntoFailure, Payload};
use stead_proto::{
    common::v1::Payloads,
    workflowservice::v1::{
        RecordActivityTaskHeartbeatByIdRequest, RecordActivityTaskHeartbeatRequest,
        RespondActivityTaskCanceledByIdRequest, RespondActivityTaskCanceledRequest,
        RespondActivityTaskCompletedByIdRequest, RespondActivityTaskCompletedRequest,
        RespondActivityTaskFailedByIdRequest, RespondActivityTaskFailedRequest,
    },
};

use crate::{
    client::Client,
    connection::{CallOptions, RpcError},
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
    names: Names,
    options: CallOptions,
}

#[derive(Clone)]
enum Names {
    Token(Bytes),
    Id { workflow_id: String, run_id: String, activity_id: String },
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
        Self { client, names: Names::Token(token), options: CallOptions::new() }
    }

    pub(crate) fn by_id(client: Client, workflow_id: String, activity_id: String) -> Self {
        let names = Names::Id { workflow_id, run_id: String::new(), activity_id };
        Self { client, names, options: CallOptions::new() }
    }

    /// Means this run of the workflow, for an activity that is named by id. Default: the current run.
    #[must_use]
    pub fn run(mut self, id: impl Into<String>) -> Self {
        if let Names::Id { run_id, .. } = &mut self.names {
            *run_id = id.into();
        }
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
        let result = self.encode(vec![self.client.data_converter().to_payload(result)?]).await?;
        let (service, options) = (self.client.service(), self.options.clone());
        let (namespace, identity) = self.who();
        let answer = match self.names.clone() {
            Names::Token(task_token) => {
                let request = RespondActivityTaskCompletedRequest {
                    task_token,
                    result,
                    namespace,
                    identity,
                    ..Default::default()
                };
                service.respond_activity_task_completed(request, options).await.map(drop)
            }
            Names::Id { workflow_id, run_id, activity_id } => {
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
        answer.map_err(|error| self.failed(error))
    }

    /// Ends this attempt with a failure, after which the activity's retry policy decides.
    ///
    /// # Errors
    ///
    /// See [`AsyncActivityError`].
    pub async fn fail(&self, error: impl IntoFailure) -> Result<(), AsyncActivityError> {
        let failure: Failure = error.into_failure();
        let failure = Some(payloads::encode(&self.owner(), failure.into_proto()).await?);
        let (service, options) = (self.client.service(), self.options.clone());
        let (namespace, identity) = self.who();
        let answer = match self.names.clone() {
            Names::Token(task_token) => {
                let request =
                    RespondActivityTaskFailedRequest { task_token, failure, namespace, identity, ..Default::default() };
                service.respond_activity_task_failed(request, options).await.map(drop)
            }
            Names::Id { workflow_id, run_id, activity_id } => {
                let request = RespondActivityTaskFailedByIdRequest {
                    namespace,
                    workflow_id,
                    run_id,
                    activity_id,
                    failure,
                    identity,
                    ..Default::default()
                };
                service.respond_activity_task_failed_by_id(request, options).await.map(drop)
            }
        };
        answer.map_err(|error| self.failed(error))
    }

    /// Ends the activity as cancelled, with details for the workflow. Only after cancellation was requested.
    ///
    /// # Errors
    ///
    /// See [`AsyncActivityError`].
    pub async fn report_cancelled<T: Serialize + ?Sized>(&self, details: &T) -> Result<(), AsyncActivityError> {
        let details = self.encode(vec![self.client.data_converter().to_payload(details)?]).await?;
        let (service, options) = (self.client.service(), self.options.clone());
        let (namespace, identity) = self.who();
        let answer = match self.names.clone() {
            Names::Token(task_token) => {
                let request = RespondActivityTaskCanceledRequest {
                    task_token,
                    details,
                    namespace,
                    identity,
                    ..Default::default()
                };
                service.respond_activity_task_canceled(request, options).await.map(drop)
            }
            Names::Id { workflow_id, run_id, activity_id } => {
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
        answer.map_err(|error| self.failed(error))
    }

    /// Says that the activity is being worked on, with details for the next attempt. Tells what the activity should do.
    ///
    /// # Errors
    ///
    /// See [`AsyncActivityError`].
    pub async fn heartbeat<T: Serialize + ?Sized>(&self, details: &T) -> Result<ActivityHeartbeat, AsyncActivityError> {
        let details = self.encode(vec![self.client.data_converter().to_payload(details)?]).await?;
        let (service, options) = (self.client.service(), self.options.clone());
        let (namespace, identity) = self.who();
        let answer = match self.names.clone() {
            Names::Token(task_token) => {
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
            Names::Id { workflow_id, run_id, activity_id } => {
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
        let (cancel_requested, paused, reset) = answer.map_err(|error| self.failed(error))?;
        Ok(ActivityHeartbeat { cancel_requested, paused, reset })
    }

    async fn encode(&self, payloads: Vec<Payload>) -> Result<Option<Payloads>, CodecError> {
        payloads::encode_arguments(&self.owner(), payloads).await
    }

    fn owner(&self) -> Owner<'_> {
        match &self.names {
            Names::Token(_) => Owner::unknown(&self.client),
            Names::Id { workflow_id, run_id, activity_id } => {
                Owner::activity(&self.client, workflow_id, activity_id).run(run_id)
            }
        }
    }

    fn who(&self) -> (String, String) {
        (self.client.namespace().to_owned(), self.client.identity().to_owned())
    }

    fn failed(&self, error: RpcError) -> AsyncActivityError {
        if error.is_not_found() && !error.is_namespace_not_found() {
            AsyncActivityError::NotFound { activity: self.names.to_string(), source: error }
        } else {
            AsyncActivityError::Rpc(error)
        }
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(_) => f.write_str("of a token"),
            Self::Id { workflow_id, activity_id, .. } if workflow_id.is_empty() => write!(f, "`{activity_id}`"),
            Self::Id { workflow_id, activity_id, .. } => write!(f, "`{activity_id}` of workflow `{workflow_id}`"),
        }
    }
}

// Written by hand: a token lets its owner complete the activity.
impl fmt::Debug for AsyncActivity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AsyncActivity({})", self.names)
    }
}
