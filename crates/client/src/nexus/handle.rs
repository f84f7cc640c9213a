//! [`NexusOperationHandle`]: an operation that no workflow has called, from outside.

use std::{fmt, future::IntoFuture, marker::PhantomData};

use serde::de::DeserializeOwned;
use stead_data::{BoxFuture, CodecError, ConversionError, Failure, NexusContext, SerializationContext};
use stead_proto::{
    enums::v1::NexusOperationWaitStage,
    workflowservice::v1::{
        self as api, PollNexusOperationExecutionRequest, poll_nexus_operation_execution_response::Outcome,
    },
};

use super::DescribeNexusOperation;
use crate::{
    client::Client,
    connection::{CallOptions, RpcError},
    interceptor::Operation,
    outcome,
    payloads::{self, Owner},
    workflow::{is_workflow_not_found, predicates, request_id, rpc_options},
};

/// A Nexus operation that no workflow has called, from outside: await, describe, cancel, terminate it. Cheap to clone.
///
/// A handle that came of starting an operation, or of [`with_run_id`](Self::with_run_id), means that run; one of
/// [`Client::nexus_operation`] whichever was started last with its id.
pub struct NexusOperationHandle<O> {
    client: Client,
    operation: StandaloneNexusOperation,
    /// Whose payloads its result has, where that is known.
    owner: Option<NexusContext>,
    output: PhantomData<fn() -> O>,
}

/// A Nexus operation that no workflow has called, as interceptors see it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StandaloneNexusOperation {
    /// Its id.
    pub operation_id: String,
    /// The run; `None` for the last.
    pub run_id: Option<String>,
}

/// Something was not done to an operation, or is not known of it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum NexusOperationError {
    /// There is no operation of this id.
    #[error("Nexus operation `{operation_id}` does not exist")]
    NotFound {
        /// The operation's id.
        operation_id: String,
        /// What the server said.
        source: RpcError,
    },
    /// The codec refused what the server said.
    #[error("what is known of the Nexus operation cannot be decoded")]
    Codec(#[from] CodecError),
    /// The call failed.
    #[error(transparent)]
    Rpc(RpcError),
}

predicates!(NexusOperationError);

/// An operation did not complete, or its result is not known.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum NexusResultError {
    /// The operation failed, timed out, was cancelled or terminated. [`application`](Self::application) gives its own
    /// error back.
    #[error("Nexus operation `{operation_id}` did not complete")]
    Failed {
        /// The operation's id.
        operation_id: String,
        /// Why.
        #[source]
        failure: Box<Failure>,
    },
    /// There is no operation of this id.
    #[error("Nexus operation `{operation_id}` does not exist")]
    NotFound {
        /// The operation's id.
        operation_id: String,
        /// What the server said.
        source: RpcError,
    },
    /// The operation completed, and its result is not of the type that is wanted.
    #[error("the result of the Nexus operation cannot be converted")]
    Conversion(#[from] ConversionError),
    /// The codec refused the result or the failure.
    #[error("the result of the Nexus operation cannot be decoded")]
    Codec(#[from] CodecError),
    /// The call failed, and nothing is known of the operation. Ask again.
    #[error(transparent)]
    Rpc(RpcError),
}

predicates!(NexusResultError, Self::Failed { failure, .. } => Some(failure));

impl StandaloneNexusOperation {
    /// What the server said of this operation, its error as the operation's.
    pub(super) fn answered<T>(&self, answer: Result<T, RpcError>) -> Result<T, NexusOperationError> {
        answer.map_err(|source| match is_workflow_not_found(&source) {
            true => NexusOperationError::NotFound { operation_id: self.operation_id.clone(), source },
            false => NexusOperationError::Rpc(source),
        })
    }
}

impl<O> NexusOperationHandle<O> {
    pub(crate) fn new(client: Client, operation_id: String, run_id: Option<String>) -> Self {
        let operation = StandaloneNexusOperation { operation_id, run_id };
        Self { client, operation, owner: None, output: PhantomData }
    }

    pub(super) fn of(self, owner: NexusContext) -> Self {
        Self { owner: Some(owner), ..self }
    }

    /// The operation's id.
    pub fn id(&self) -> &str {
        &self.operation.operation_id
    }

    /// The run that the handle means; `None` for the last.
    pub fn run_id(&self) -> Option<&str> {
        self.operation.run_id.as_deref()
    }

    /// The same operation, kept to one run.
    #[must_use]
    pub fn with_run_id(&self, run_id: impl Into<String>) -> Self {
        let mut handle = self.clone();
        handle.operation.run_id = Some(run_id.into());
        handle
    }

    /// Waits for the result as an `R`, whatever the handle's type says. See [`result`](Self::result).
    pub fn result_as<R: DeserializeOwned>(&self) -> NexusOperationResult<R> {
        let (client, operation, owner) = (self.client.clone(), self.operation.clone(), self.owner.clone());
        NexusOperationResult { client, operation, owner, output: PhantomData }
    }

    /// What the server knows of the operation.
    ///
    /// # Errors
    ///
    /// At the await, see [`NexusOperationError`].
    pub fn describe(&self) -> DescribeNexusOperation {
        DescribeNexusOperation::new(self.client.clone(), self.operation.clone())
    }

    /// Asks the operation's handler to cancel it.
    ///
    /// # Errors
    ///
    /// At the await, see [`NexusOperationError`].
    pub fn cancel(&self) -> CancelNexusOperation {
        CancelNexusOperation::new(self.client.clone(), self.operation.clone())
    }

    /// Ends the operation at once. Its handler does not hear of it.
    ///
    /// # Errors
    ///
    /// At the await, see [`NexusOperationError`].
    pub fn terminate(&self) -> TerminateNexusOperation {
        TerminateNexusOperation::new(self.client.clone(), self.operation.clone())
    }
}

impl<O: DeserializeOwned> NexusOperationHandle<O> {
    /// Waits until the operation has ended, and returns its result.
    ///
    /// # Errors
    ///
    /// At the await, see [`NexusResultError`].
    pub fn result(&self) -> NexusOperationResult<O> {
        self.result_as()
    }
}

impl<O> Clone for NexusOperationHandle<O> {
    fn clone(&self) -> Self {
        let Self { client, operation, owner, output } = self;
        Self { client: client.clone(), operation: operation.clone(), owner: owner.clone(), output: *output }
    }
}

impl<O> fmt::Debug for NexusOperationHandle<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NexusOperationHandle").field("operation", &self.operation).finish_non_exhaustive()
    }
}

/// A result to be waited for: awaiting it waits until the operation has ended, however long that takes.
///
/// # Cancel safety
///
/// Dropping the future leaves the operation alone; the result can be asked for again.
#[must_use = "nothing happens until it is awaited"]
pub struct NexusOperationResult<O> {
    client: Client,
    operation: StandaloneNexusOperation,
    owner: Option<NexusContext>,
    output: PhantomData<fn() -> O>,
}

impl<O> NexusOperationResult<O> {
    async fn outcome(&self) -> Result<Outcome, NexusResultError> {
        let request = PollNexusOperationExecutionRequest {
            namespace: self.client.namespace().to_owned(),
            operation_id: self.operation.operation_id.clone(),
            run_id: self.operation.run_id.clone().unwrap_or_default(),
            wait_stage: NexusOperationWaitStage::Closed.into(),
        };
        let service = self.client.service();
        let ask = || service.poll_nexus_operation_execution(request.clone(), CallOptions::wait());
        Ok(self.operation.answered(outcome::wait_for(ask, |answer| answer.outcome).await)?)
    }

    /// Whose payload the result is, for codecs and converters that want to know: a handle of an id alone asks.
    async fn owner(&self) -> Result<SerializationContext, NexusResultError> {
        if let Some(owner) = &self.owner {
            return Ok(owner.clone().into());
        }
        if !payloads::has_stages(self.client.data_converter()) {
            return Ok(SerializationContext::Unknown);
        }
        let described = DescribeNexusOperation::new(self.client.clone(), self.operation.clone()).await;
        Ok(described.map_err(NexusResultError::from)?.owner().into())
    }
}

impl From<NexusOperationError> for NexusResultError {
    fn from(error: NexusOperationError) -> Self {
        match error {
            NexusOperationError::NotFound { operation_id, source } => Self::NotFound { operation_id, source },
            NexusOperationError::Codec(error) => Self::Codec(error),
            NexusOperationError::Rpc(error) => Self::Rpc(error),
        }
    }
}

impl<O: DeserializeOwned> NexusOperationResult<O> {
    async fn wait(self) -> Result<O, NexusResultError> {
        let outcome = self.outcome().await?;
        let owner = self.owner().await?;
        let owner = Owner::given(&self.client, &owner);
        match outcome {
            Outcome::Result(payload) => {
                let payload = payloads::decode(&owner, payload).await?;
                Ok(owner.reader().from_result(Some(&payload))?)
            }
            Outcome::Failure(failure) => {
                let failure = payloads::decode_failure(&owner, failure).await?;
                Err(NexusResultError::Failed { operation_id: self.operation.operation_id.clone(), failure })
            }
        }
    }
}

impl<O: DeserializeOwned + 'static> IntoFuture for NexusOperationResult<O> {
    type Output = Result<O, NexusResultError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.wait())
    }
}

impl<O> fmt::Debug for NexusOperationResult<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NexusOperationResult").field("operation", &self.operation).finish_non_exhaustive()
    }
}

/// Declares what is done to an operation when it is awaited, and the call that interceptors see.
macro_rules! control {
    ($(#[$doc:meta])* $name:ident, $call:ident, $request:ident, $method:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        #[must_use = "nothing happens until it is awaited"]
        pub struct $name {
            client: Client,
            call: $call,
        }

        /// The call on its way, as interceptors see it.
        #[derive(Debug, Clone)]
        #[non_exhaustive]
        pub struct $call {
            /// Whom.
            pub operation: StandaloneNexusOperation,
            /// Why, for people.
            pub reason: String,
            /// How the call is made.
            pub options: CallOptions,
        }

        impl $name {
            fn new(client: Client, operation: StandaloneNexusOperation) -> Self {
                Self { client, call: $call { operation, reason: String::new(), options: CallOptions::new() } }
            }

            /// Why, for people. Default: none.
            pub fn reason(mut self, reason: impl Into<String>) -> Self {
                self.call.reason = reason.into();
                self
            }

            rpc_options!();
        }

        impl IntoFuture for $name {
            type Output = Result<(), NexusOperationError>;
            type IntoFuture = BoxFuture<'static, Self::Output>;

            fn into_future(self) -> Self::IntoFuture {
                Box::pin(async move { self.client.perform(self.call).await })
            }
        }

        impl Operation for $call {
            type Output = ();
            type Error = NexusOperationError;

            async fn send(self, client: &Client) -> Result<(), NexusOperationError> {
                let Self { operation, reason, options } = self;
                let request = api::$request {
                    namespace: client.namespace().to_owned(),
                    operation_id: operation.operation_id.clone(),
                    run_id: operation.run_id.clone().unwrap_or_default(),
                    identity: client.identity().to_owned(),
                    request_id: request_id(),
                    reason,
                };
                operation.answered(client.service().$method(request, options).await).map(drop)
            }
        }
    };
}

control! {
    /// The cancellation of an operation: awaiting it asks for it.
    CancelNexusOperation, CancelNexusOperationCall, RequestCancelNexusOperationExecutionRequest,
    request_cancel_nexus_operation_execution
}

control! {
    /// The termination of an operation: awaiting it ends the operation.
    TerminateNexusOperation, TerminateNexusOperationCall, TerminateNexusOperationExecutionRequest,
    terminate_nexus_operation_execution
}
