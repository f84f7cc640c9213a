//! Starting an operation.

use std::{collections::BTreeMap, fmt, future::IntoFuture, marker::PhantomData, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use stead_data::{
    Arg, BoxFuture, CodecError, ConversionError, DataConverter, NexusContext, NexusService, Operation as OperationRef,
    Payload, SearchAttributeUpdate, SearchAttributes, SerializationContext, Untyped, time::duration_to_proto,
};
use stead_proto::{
    common::v1 as common, enums::v1 as wire, errordetails::v1::NexusOperationExecutionAlreadyStartedFailure,
    sdk::v1::UserMetadata, workflowservice::v1::StartNexusOperationExecutionRequest,
};
use tonic::Code;

use super::{NexusOperationHandle, NexusResultError};
use crate::{
    client::Client,
    connection::{CallOptions, RpcError},
    interceptor::Operation,
    payloads::{self, Owner},
    workflow::{Finished, Given, MissingId, Started, predicates, request_id, rpc_options},
};

/// A Nexus service behind an endpoint, whose operations are called from here. Made by [`Client::nexus`]. Cheap to clone.
pub struct NexusClient<S: ?Sized> {
    client: Client,
    endpoint: String,
    service: String,
    types: PhantomData<fn(&S)>,
}

impl<S: NexusService + ?Sized> NexusClient<S> {
    pub(crate) fn new(client: Client, endpoint: String) -> Self {
        Self { client, endpoint, service: S::NAME.to_owned(), types: PhantomData }
    }
}

impl NexusClient<Untyped> {
    pub(crate) fn named(client: Client, endpoint: String, service: String) -> Self {
        Self { client, endpoint, service, types: PhantomData }
    }
}

impl<S: ?Sized> NexusClient<S> {
    /// Starts an operation; `id` is required, and without it there is nothing to await.
    ///
    /// # Errors
    ///
    /// At the await, see [`StartNexusError`].
    pub fn start<I, O>(&self, operation: OperationRef<S, I, O>, input: impl Arg<I>) -> StartNexus<O, Started> {
        self.call(operation.name(), |converter| Ok(input.encode(converter, operation.arity())?.pop()))
    }

    /// Starts an operation of which only the name is known.
    ///
    /// # Errors
    ///
    /// At the await, see [`StartNexusError`].
    pub fn start_named<O>(&self, operation: &str, input: impl Serialize) -> StartNexus<O, Started> {
        self.call(operation, |converter| converter.to_payload(&input).map(Some))
    }

    /// Starts an operation and waits for its result; `id` is required.
    ///
    /// # Errors
    ///
    /// At the await, see [`ExecuteNexusError`].
    pub fn execute<I, O>(&self, operation: OperationRef<S, I, O>, input: impl Arg<I>) -> StartNexus<O, Finished> {
        self.call(operation.name(), |converter| Ok(input.encode(converter, operation.arity())?.pop()))
    }

    /// As [`execute`](Self::execute), by the operation's name.
    ///
    /// # Errors
    ///
    /// At the await, see [`ExecuteNexusError`].
    pub fn execute_named<O>(&self, operation: &str, input: impl Serialize) -> StartNexus<O, Finished> {
        self.call(operation, |converter| converter.to_payload(&input).map(Some))
    }

    fn call<O, Goal>(
        &self,
        operation: &str,
        encode: impl FnOnce(&DataConverter) -> Result<Option<Payload>, ConversionError>,
    ) -> StartNexus<O, Goal> {
        let owner = NexusContext::new(&self.endpoint, &self.service, operation);
        let input = encode(&self.client.data_converter().in_context(|| owner.clone().into()));
        let (input, error) = input.map_or_else(|error| (None, Some(error)), |input| (input, None));
        let call = StartNexusCall {
            operation_id: String::new(),
            endpoint: self.endpoint.clone(),
            service: self.service.clone(),
            operation: operation.to_owned(),
            input,
            headers: BTreeMap::new(),
            schedule_to_close: None,
            schedule_to_start: None,
            start_to_close: None,
            id_reuse_policy: None,
            id_conflict_policy: None,
            search_attributes: SearchAttributes::default(),
            summary: None,
            request_id: request_id(),
            options: CallOptions::new(),
        };
        StartNexus { client: self.client.clone(), call, error, state: PhantomData }
    }
}

impl<S: ?Sized> Clone for NexusClient<S> {
    fn clone(&self) -> Self {
        let Self { client, endpoint, service, types } = self;
        Self { client: client.clone(), endpoint: endpoint.clone(), service: service.clone(), types: *types }
    }
}

impl<S: ?Sized> fmt::Debug for NexusClient<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NexusClient({}, service {})", self.endpoint, self.service)
    }
}

/// A Nexus operation to be started without a workflow; `id` is required.
///
/// Awaiting it starts the operation and gives a [`NexusOperationHandle`], or, if it comes of [`NexusClient::execute`],
/// waits for its result.
#[must_use = "nothing happens until it is awaited"]
pub struct StartNexus<O, Goal, Id = MissingId> {
    client: Client,
    call: StartNexusCall,
    /// The first value that could not be converted; it comes out at the await.
    error: Option<ConversionError>,
    state: State<O, Goal, Id>,
}

/// What the builder knows at compile time, and nothing at run time.
type State<O, Goal, Id> = PhantomData<fn() -> (O, Goal, Id)>;

/// A Nexus operation on its way to be started without a workflow, as interceptors see it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StartNexusCall {
    /// The operation's id.
    pub operation_id: String,
    /// The endpoint.
    pub endpoint: String,
    /// The service.
    pub service: String,
    /// The operation.
    pub operation: String,
    /// Its input.
    pub input: Option<Payload>,
    /// Headers of the request to its handler.
    pub headers: BTreeMap<String, String>,
    /// Time from the start to the end; `None` for any time.
    pub schedule_to_close: Option<Duration>,
    /// Time until its handler has begun or completed it; `None` for any time.
    pub schedule_to_start: Option<Duration>,
    /// Time from when its handler has begun it to the end; `None` for any time.
    pub start_to_close: Option<Duration>,
    /// What to do about an operation of the same id that has ended; `None` to start all the same.
    pub id_reuse_policy: Option<NexusOperationIdReusePolicy>,
    /// What to do about a running operation of the same id; `None` to refuse.
    pub id_conflict_policy: Option<NexusOperationIdConflictPolicy>,
    /// Values by which operations are found.
    pub search_attributes: SearchAttributes,
    /// One line of Markdown about the operation.
    pub summary: Option<String>,
    /// By which the server recognizes this request when it is sent again.
    pub request_id: String,
    /// How the call is made.
    pub options: CallOptions,
}

/// The operation that was started, as interceptors see it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StartNexusOutput {
    /// The run that was started, or that was running already.
    pub run_id: String,
}

/// What happens when an operation is started with the id of one that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum NexusOperationIdReusePolicy {
    /// It starts.
    #[default]
    AllowDuplicate,
    /// It starts if the other one did not complete.
    AllowDuplicateFailedOnly,
    /// It is refused.
    RejectDuplicate,
}

/// What happens when an operation is started with the id of one that is running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum NexusOperationIdConflictPolicy {
    /// It is refused.
    #[default]
    Fail,
    /// The running one is given back instead.
    UseExisting,
}

/// An operation was not started.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StartNexusError {
    /// There is an operation of this id, and the policies say that there may not be another. Take that one, with a
    /// handle of its id, or start yours with another id or another policy.
    #[error("Nexus operation `{operation_id}` was started already, in run `{run_id}`")]
    AlreadyStarted {
        /// The operation's id.
        operation_id: String,
        /// The other one's run.
        run_id: String,
    },
    /// The input or another value cannot be converted.
    #[error("the input of the Nexus operation cannot be converted")]
    Conversion(#[from] ConversionError),
    /// The codec refused the input or another value.
    #[error("the input of the Nexus operation cannot be encoded")]
    Codec(#[from] CodecError),
    /// The call failed. Unless the server refused it, the operation may have been started all the same.
    #[error(transparent)]
    Rpc(RpcError),
}

predicates!(StartNexusError);

/// An operation was not started, or did not complete.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ExecuteNexusError {
    /// It was not started.
    #[error(transparent)]
    Start(#[from] StartNexusError),
    /// It was started and did not complete, or its result is not known.
    #[error(transparent)]
    Result(#[from] NexusResultError),
}

impl<O, Goal, Id> StartNexus<O, Goal, Id> {
    /// The operation's id, unique among the running operations without a workflow of the namespace. Required.
    pub fn id(mut self, id: impl Into<String>) -> StartNexus<O, Goal, Given> {
        self.call.operation_id = id.into();
        let Self { client, call, error, state: _ } = self;
        StartNexus { client, call, error, state: PhantomData }
    }

    /// Time from the start to the end. Default: any time that the server allows.
    pub fn schedule_to_close(mut self, timeout: Duration) -> Self {
        self.call.schedule_to_close = Some(timeout);
        self
    }

    /// Time until its handler has begun or completed it. Default: any time.
    pub fn schedule_to_start(mut self, timeout: Duration) -> Self {
        self.call.schedule_to_start = Some(timeout);
        self
    }

    /// Time from when its handler has begun it to the end. Default: any time.
    pub fn start_to_close(mut self, timeout: Duration) -> Self {
        self.call.start_to_close = Some(timeout);
        self
    }

    /// What to do about an operation of the same id that has ended. Default: start all the same.
    pub fn id_reuse_policy(mut self, policy: NexusOperationIdReusePolicy) -> Self {
        self.call.id_reuse_policy = Some(policy);
        self
    }

    /// What to do about a running operation of the same id. Default: refuse, with [`StartNexusError::AlreadyStarted`].
    pub fn on_conflict(mut self, policy: NexusOperationIdConflictPolicy) -> Self {
        self.call.id_conflict_policy = Some(policy);
        self
    }

    /// Sets values by which operations are found; the server must know their names.
    pub fn search_attributes(mut self, attributes: impl IntoIterator<Item = SearchAttributeUpdate>) -> Self {
        self.call.search_attributes.apply(attributes);
        self
    }

    /// One line of Markdown about the operation, for people. Default: none.
    pub fn summary(mut self, summary: impl Into<String>) -> Self {
        self.call.summary = Some(summary.into());
        self
    }

    /// Sets a header of the request to its handler, which no codec encodes.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.call.headers.insert(name.into(), value.into());
        self
    }

    /// By which the server recognizes the request when it is sent again. Default: a random one.
    pub fn request_id(mut self, id: impl Into<String>) -> Self {
        self.call.request_id = id.into();
        self
    }

    rpc_options!();

    async fn send(self) -> Result<NexusOperationHandle<O>, StartNexusError> {
        let Self { client, call, error, .. } = self;
        error.map_or(Ok(()), Err)?;
        let (id, owner) = (call.operation_id.clone(), call.owner());
        let StartNexusOutput { run_id } = client.perform(call).await?;
        Ok(NexusOperationHandle::new(client, id, Some(run_id)).of(owner))
    }
}

impl StartNexusCall {
    fn owner(&self) -> NexusContext {
        NexusContext::new(&self.endpoint, &self.service, &self.operation)
    }
}

impl Operation for StartNexusCall {
    type Output = StartNexusOutput;
    type Error = StartNexusError;

    async fn send(self, client: &Client) -> Result<StartNexusOutput, StartNexusError> {
        let owner = SerializationContext::from(self.owner());
        let owner = Owner::given(client, &owner);
        let input = payloads::encode(&owner, self.input).await?;
        let summary = self.summary.map(|text| owner.reader().to_payload(&text)).transpose()?;
        let user_metadata = match summary {
            None => None,
            summary => Some(payloads::encode(&owner, UserMetadata { summary, details: None }).await?),
        };
        let request = StartNexusOperationExecutionRequest {
            namespace: client.namespace().to_owned(),
            identity: client.identity().to_owned(),
            request_id: self.request_id,
            operation_id: self.operation_id.clone(),
            endpoint: self.endpoint,
            service: self.service,
            operation: self.operation,
            schedule_to_close_timeout: self.schedule_to_close.map(duration_to_proto),
            schedule_to_start_timeout: self.schedule_to_start.map(duration_to_proto),
            start_to_close_timeout: self.start_to_close.map(duration_to_proto),
            input,
            id_reuse_policy: self.id_reuse_policy.map_or(0, |policy| wire_reuse(policy).into()),
            id_conflict_policy: self.id_conflict_policy.map_or(0, |policy| wire_conflict(policy).into()),
            search_attributes: (!self.search_attributes.is_empty())
                .then(|| common::SearchAttributes { indexed_fields: self.search_attributes.into_payloads() }),
            nexus_header: self.headers,
            user_metadata,
            ..Default::default()
        };
        match client.service().start_nexus_operation_execution(request, self.options).await {
            Ok(answer) => Ok(StartNexusOutput { run_id: answer.run_id }),
            Err(error) => Err(refused(self.operation_id, error)),
        }
    }
}

fn wire_reuse(policy: NexusOperationIdReusePolicy) -> wire::NexusOperationIdReusePolicy {
    match policy {
        NexusOperationIdReusePolicy::AllowDuplicate => wire::NexusOperationIdReusePolicy::AllowDuplicate,
        NexusOperationIdReusePolicy::AllowDuplicateFailedOnly => {
            wire::NexusOperationIdReusePolicy::AllowDuplicateFailedOnly
        }
        NexusOperationIdReusePolicy::RejectDuplicate => wire::NexusOperationIdReusePolicy::RejectDuplicate,
    }
}

fn wire_conflict(policy: NexusOperationIdConflictPolicy) -> wire::NexusOperationIdConflictPolicy {
    match policy {
        NexusOperationIdConflictPolicy::Fail => wire::NexusOperationIdConflictPolicy::Fail,
        NexusOperationIdConflictPolicy::UseExisting => wire::NexusOperationIdConflictPolicy::UseExisting,
    }
}

fn refused(operation_id: String, error: RpcError) -> StartNexusError {
    let detail = match error.code() {
        Code::AlreadyExists => error.detail::<NexusOperationExecutionAlreadyStartedFailure>(),
        _ => None,
    };
    match detail {
        Some(detail) => StartNexusError::AlreadyStarted { operation_id, run_id: detail.run_id },
        None => StartNexusError::Rpc(error),
    }
}

impl<O: 'static> IntoFuture for StartNexus<O, Started, Given> {
    type Output = Result<NexusOperationHandle<O>, StartNexusError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl<O: DeserializeOwned + 'static> IntoFuture for StartNexus<O, Finished, Given> {
    type Output = Result<O, ExecuteNexusError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let handle = self.send().await?;
            Ok(handle.result().await?)
        })
    }
}

// Written by hand: the input is users' data.
impl<O, Goal, Id> fmt::Debug for StartNexus<O, Goal, Id> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StartNexusCall { endpoint, service, operation, operation_id, .. } = &self.call;
        write!(f, "StartNexus({service}/{operation} of {endpoint}, id {operation_id})")
    }
}
