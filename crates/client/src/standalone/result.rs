//! Waiting for an activity's result.

use std::{fmt, future::IntoFuture, marker::PhantomData};

use serde::de::DeserializeOwned;
use stead_data::{BoxFuture, CodecError, ConversionError, Failure};
use stead_proto::{activity::v1::activity_execution_outcome::Value, workflowservice::v1::PollActivityExecutionRequest};

use super::rpc_options;
use crate::{
    client::Client,
    connection::{CallOptions, RpcError},
    outcome,
    payloads::{self, Owner},
    workflow::{is_workflow_not_found, predicates},
};

/// A result to be waited for: awaiting it waits until the activity has ended, however long that takes.
///
/// # Cancel safety
///
/// Dropping the future leaves the activity alone; the result can be asked for again.
#[must_use = "nothing happens until it is awaited"]
pub struct ActivityResult<O> {
    client: Client,
    activity_id: String,
    run_id: Option<String>,
    options: CallOptions,
    output: PhantomData<fn() -> O>,
}

/// An activity did not complete, or its result is not known.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ActivityResultError {
    /// The activity failed, timed out, was cancelled or terminated. [`application`](Self::application) gives its own
    /// error back.
    #[error("activity `{activity_id}` did not complete")]
    Failed {
        /// The activity's id.
        activity_id: String,
        /// Why.
        #[source]
        failure: Box<Failure>,
    },
    /// There is no activity of this id.
    #[error("activity `{activity_id}` does not exist")]
    NotFound {
        /// The activity's id.
        activity_id: String,
        /// What the server said.
        source: RpcError,
    },
    /// The activity completed, and its result is not of the type that is wanted.
    #[error("the activity's result cannot be converted")]
    Conversion(#[from] ConversionError),
    /// The codec refused the result or the failure.
    #[error("the activity's result cannot be decoded")]
    Codec(#[from] CodecError),
    /// The call failed, and nothing is known of the activity. Ask again.
    #[error(transparent)]
    Rpc(RpcError),
}

predicates!(ActivityResultError, Self::Failed { failure, .. } => Some(failure));

impl<O> ActivityResult<O> {
    pub(super) fn new(client: Client, activity_id: String, run_id: Option<String>) -> Self {
        Self { client, activity_id, run_id, options: CallOptions::wait(), output: PhantomData }
    }

    rpc_options!();

    async fn outcome(&self) -> Result<Value, ActivityResultError> {
        let request = PollActivityExecutionRequest {
            namespace: self.client.namespace().to_owned(),
            activity_id: self.activity_id.clone(),
            run_id: self.run_id.clone().unwrap_or_default(),
        };
        let service = self.client.service();
        let ask = || service.poll_activity_execution(request.clone(), self.options.clone());
        let value = outcome::wait_for(ask, |answer| answer.outcome?.value).await;
        value.map_err(|source| match is_workflow_not_found(&source) {
            true => ActivityResultError::NotFound { activity_id: self.activity_id.clone(), source },
            false => ActivityResultError::Rpc(source),
        })
    }
}

impl<O: DeserializeOwned> ActivityResult<O> {
    async fn wait(self) -> Result<O, ActivityResultError> {
        let outcome = self.outcome().await?;
        let run_id = self.run_id.as_deref().unwrap_or_default();
        let owner = Owner::activity(&self.client, &self.activity_id).run(run_id);
        match outcome {
            Value::Result(result) => {
                let payload = payloads::decode_result(&owner, Some(result)).await?;
                Ok(owner.reader().from_result(payload.as_ref())?)
            }
            Value::Failure(failure) => {
                let failure = payloads::decode_failure(&owner, failure).await?;
                Err(ActivityResultError::Failed { activity_id: self.activity_id, failure })
            }
        }
    }
}

impl<O: DeserializeOwned + 'static> IntoFuture for ActivityResult<O> {
    type Output = Result<O, ActivityResultError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.wait())
    }
}

impl<O> fmt::Debug for ActivityResult<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActivityResult")
            .field("activity_id", &self.activity_id)
            .field("run_id", &self.run_id)
            .finish_non_exhaustive()
    }
}
