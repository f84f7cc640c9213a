//! What the server knows of an operation.

use std::{
    fmt,
    future::IntoFuture,
    time::{Duration, SystemTime},
};

use stead_data::{
    BoxFuture, Failure, NexusContext, SearchAttributes, SerializationContext,
    nexus::Link,
    time::{duration_from_proto, time_from_proto},
};
use stead_proto::{
    enums::v1 as wire, nexus::v1::NexusOperationExecutionInfo,
    workflowservice::v1::DescribeNexusOperationExecutionRequest,
};

use super::{NexusOperationError, StandaloneNexusOperation};
use crate::{
    client::Client,
    connection::CallOptions,
    interceptor::Operation,
    payloads::{self, Owner},
    workflow::rpc_options,
};

/// Declares an enum of the server, as a value that may be unknown.
macro_rules! known {
    ($(#[$doc:meta])* $name:ident of $wire:ident { $($(#[$variant_doc:meta])* $variant:ident = $of:ident),* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
            /// Something that this version does not know, by its number.
            Unknown(i32),
        }

        impl $name {
            /// `None` where the server says nothing.
            pub(super) fn from_wire(number: i32) -> Option<Self> {
                match wire::$wire::try_from(number) {
                    Ok(wire::$wire::Unspecified) => None,
                    $(Ok(wire::$wire::$of) => Some(Self::$variant),)*
                    Err(_) => Some(Self::Unknown(number)),
                }
            }
        }
    };
}

known! {
    /// Where an operation is in its life.
    NexusOperationStatus of NexusOperationExecutionStatus {
        /// It has not ended.
        Running = Running,
        /// It has a result.
        Completed = Completed,
        /// It failed.
        Failed = Failed,
        /// It was cancelled.
        Cancelled = Canceled,
        /// It was terminated.
        Terminated = Terminated,
        /// It took too long.
        TimedOut = TimedOut
    }
}

known! {
    /// What an operation that has not ended is about.
    PendingNexusOperationState of PendingNexusOperationState {
        /// Its handler is asked to start it.
        Scheduled = Scheduled,
        /// Its handler has failed, and is asked again after a while.
        BackingOff = BackingOff,
        /// Its handler has begun it.
        Started = Started,
        /// Its handler is not asked, as it has failed too often.
        Blocked = Blocked
    }
}

known! {
    /// Where the request to cancel an operation is.
    NexusOperationCancellationState of NexusOperationCancellationState {
        /// The handler is asked to cancel it.
        Scheduled = Scheduled,
        /// The handler has failed, and is asked again after a while.
        BackingOff = BackingOff,
        /// The handler knows.
        Succeeded = Succeeded,
        /// The handler does not want to know.
        Failed = Failed,
        /// The handler has not answered in time.
        TimedOut = TimedOut,
        /// The handler is not asked, as it has failed too often.
        Blocked = Blocked
    }
}

/// A description to be asked for: awaiting it asks.
#[derive(Debug)]
#[must_use = "nothing happens until it is awaited"]
pub struct DescribeNexusOperation {
    client: Client,
    call: DescribeNexusOperationCall,
}

/// A description on its way, as interceptors see it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DescribeNexusOperationCall {
    /// Whose.
    pub operation: StandaloneNexusOperation,
    /// How the call is made.
    pub options: CallOptions,
}

impl DescribeNexusOperation {
    pub(super) fn new(client: Client, operation: StandaloneNexusOperation) -> Self {
        Self { client, call: DescribeNexusOperationCall { operation, options: CallOptions::new() } }
    }

    rpc_options!();
}

impl IntoFuture for DescribeNexusOperation {
    type Output = Result<NexusOperationDescription, NexusOperationError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.client.perform(self.call).await })
    }
}

impl Operation for DescribeNexusOperationCall {
    type Output = NexusOperationDescription;
    type Error = NexusOperationError;

    async fn send(self, client: &Client) -> Result<NexusOperationDescription, NexusOperationError> {
        let Self { operation, options } = self;
        let request = DescribeNexusOperationExecutionRequest {
            namespace: client.namespace().to_owned(),
            operation_id: operation.operation_id.clone(),
            run_id: operation.run_id.clone().unwrap_or_default(),
            ..Default::default()
        };
        let answer = client.service().describe_nexus_operation_execution(request, options).await;
        let info = operation.answered(answer)?.info.unwrap_or_default();
        let owner: SerializationContext = owner(&info).into();
        let owner = Owner::given(client, &owner);
        let last_failure = match info.last_attempt_failure.clone() {
            Some(failure) => Some(*payloads::decode_failure(&owner, failure).await?),
            None => None,
        };
        let metadata = payloads::decode(&owner, info.user_metadata.clone().unwrap_or_default()).await?;
        let summary = metadata.summary.and_then(|summary| owner.reader().from_payload(&summary).ok());
        Ok(NexusOperationDescription { info, last_failure, summary })
    }
}

fn owner(info: &NexusOperationExecutionInfo) -> NexusContext {
    NexusContext::new(&info.endpoint, &info.service, &info.operation)
}

/// An operation, as the server sees it at the moment.
#[derive(Clone)]
pub struct NexusOperationDescription {
    info: NexusOperationExecutionInfo,
    last_failure: Option<Failure>,
    summary: Option<String>,
}

/// Moments that the server may know.
macro_rules! times {
    ($($(#[$doc:meta])* $name:ident: $field:ident)*) => {
        $($(#[$doc])* pub fn $name(&self) -> Option<SystemTime> {
            self.info.$field.as_ref().map(time_from_proto)
        })*
    };
}

/// Limits; `None` where there is none.
macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident: $field:ident)*) => {
        $($(#[$doc])* pub fn $name(&self) -> Option<Duration> {
            self.info.$field.as_ref().map(duration_from_proto).filter(|limit| !limit.is_zero())
        })*
    };
}

impl NexusOperationDescription {
    /// The operation's id.
    pub fn id(&self) -> &str {
        &self.info.operation_id
    }

    /// The run.
    pub fn run_id(&self) -> &str {
        &self.info.run_id
    }

    /// The endpoint.
    pub fn endpoint(&self) -> &str {
        &self.info.endpoint
    }

    /// The service.
    pub fn service(&self) -> &str {
        &self.info.service
    }

    /// The operation.
    pub fn operation(&self) -> &str {
        &self.info.operation
    }

    /// Where it is in its life; `None` if the server does not say.
    pub fn status(&self) -> Option<NexusOperationStatus> {
        NexusOperationStatus::from_wire(self.info.status)
    }

    /// What it is about while it has not ended.
    pub fn state(&self) -> Option<PendingNexusOperationState> {
        PendingNexusOperationState::from_wire(self.info.state)
    }

    /// Why its handler is not asked, if that is so.
    pub fn blocked_reason(&self) -> Option<&str> {
        Some(self.info.blocked_reason.as_str()).filter(|reason| !reason.is_empty())
    }

    /// How often its handler was asked to start it.
    pub fn attempt(&self) -> u32 {
        u32::try_from(self.info.attempt).unwrap_or(0)
    }

    /// What its handler calls it, once it has begun it.
    pub fn operation_token(&self) -> Option<&str> {
        Some(self.info.operation_token.as_str()).filter(|token| !token.is_empty())
    }

    /// Why its handler could not start it the last time.
    pub fn last_failure(&self) -> Option<&Failure> {
        self.last_failure.as_ref()
    }

    /// Where the request to cancel it is; `None` if there is none.
    pub fn cancellation(&self) -> Option<NexusOperationCancellationState> {
        self.info.cancellation_info.as_ref().and_then(|it| NexusOperationCancellationState::from_wire(it.state))
    }

    /// Why it is to be cancelled, as somebody said.
    pub fn cancellation_reason(&self) -> Option<&str> {
        let cancellation = self.info.cancellation_info.as_ref()?;
        Some(cancellation.reason.as_str()).filter(|reason| !reason.is_empty())
    }

    times! {
        /// When it was started by its caller.
        scheduled_time: schedule_time
        /// When it ended.
        close_time: close_time
        /// When its time is up.
        expiration_time: expiration_time
        /// When its handler last answered or failed to.
        last_attempt_complete_time: last_attempt_complete_time
        /// When its handler is asked again.
        next_attempt_time: next_attempt_schedule_time
    }

    limits! {
        /// Time from the start to the end.
        schedule_to_close: schedule_to_close_timeout
        /// Time until its handler has begun or completed it.
        schedule_to_start: schedule_to_start_timeout
        /// Time from when its handler has begun it to the end.
        start_to_close: start_to_close_timeout
    }

    /// One line of Markdown about it.
    pub fn summary(&self) -> Option<&str> {
        self.summary.as_deref()
    }

    /// What the server finds it by.
    pub fn search_attributes(&self) -> SearchAttributes {
        SearchAttributes::from_payloads(self.info.search_attributes.clone().unwrap_or_default().indexed_fields)
    }

    /// What carries it out, as its handler says.
    pub fn links(&self) -> Vec<Link> {
        self.info.links.iter().filter_map(Link::from_proto).collect()
    }

    /// All that the server said.
    pub fn raw(&self) -> &NexusOperationExecutionInfo {
        &self.info
    }

    pub(super) fn owner(&self) -> NexusContext {
        owner(&self.info)
    }
}

impl fmt::Debug for NexusOperationDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NexusOperationDescription")
            .field("id", &self.id())
            .field("run_id", &self.run_id())
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}
