//! What the server knows of an activity.

use std::{
    fmt,
    future::IntoFuture,
    time::{Duration, SystemTime},
};

use serde::de::DeserializeOwned;
use stead_data::{
    BoxFuture, CodecError, ConversionError, DataConverter, Failure, Payload, Priority, RetryPolicy, SearchAttributes,
    time::{duration_from_proto, time_from_proto},
};
use stead_proto::{
    activity::v1::ActivityExecutionInfo,
    enums::v1::{ActivityExecutionStatus as WireStatus, PendingActivityState as WireState},
    workflowservice::v1::{DescribeActivityExecutionRequest, DescribeActivityExecutionResponse},
};

use super::{ActivityError, StandaloneActivity};
use crate::{
    client::Client,
    connection::CallOptions,
    interceptor::Operation,
    payloads::{self, Owner},
    workflow::rpc_options,
};

/// A description to be asked for: awaiting it asks.
#[derive(Debug)]
#[must_use = "nothing happens until it is awaited"]
pub struct DescribeActivity {
    client: Client,
    call: DescribeActivityCall,
}

/// The question on its way, as interceptors see it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DescribeActivityCall {
    /// Whom.
    pub activity: StandaloneActivity,
    /// The state to wait for the end of, as the server named it; empty for none.
    pub changed_since: bytes::Bytes,
    /// How each call is made.
    pub options: CallOptions,
}

impl DescribeActivity {
    pub(super) fn new(client: Client, activity: StandaloneActivity) -> Self {
        let call = DescribeActivityCall { activity, changed_since: bytes::Bytes::new(), options: CallOptions::new() };
        Self { client, call }
    }

    /// Waits until the activity is not as it was described before; a server ends the wait after a while, and says what it
    /// is then.
    pub fn changed_since(mut self, description: &ActivityDescription) -> Self {
        self.call.changed_since = description.raw.long_poll_token.clone();
        self.call.activity.run_id = Some(description.run_id().to_owned());
        self.call.options.timeout = CallOptions::wait().timeout;
        self
    }

    rpc_options!();
}

impl Operation for DescribeActivityCall {
    type Output = ActivityDescription;
    type Error = ActivityError;

    async fn send(self, client: &Client) -> Result<ActivityDescription, ActivityError> {
        let Self { activity, changed_since, options } = self;
        let request = DescribeActivityExecutionRequest {
            namespace: client.namespace().to_owned(),
            activity_id: activity.activity_id.clone(),
            run_id: activity.run_id.clone().unwrap_or_default(),
            long_poll_token: changed_since,
            include_heartbeat_details: true,
            include_last_failure: true,
            ..Default::default()
        };
        loop {
            let answer = client.service().describe_activity_execution(request.clone(), options.clone()).await;
            let raw = activity.answered(answer)?;
            // An answer without anything in it says that nothing has changed yet.
            if raw.info.is_some() {
                let description = ActivityDescription::new(client, raw).await;
                return description
                    .map_err(|source| ActivityError::Codec { activity_id: activity.activity_id, source });
            }
        }
    }
}

impl IntoFuture for DescribeActivity {
    type Output = Result<ActivityDescription, ActivityError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.client.perform(self.call).await })
    }
}

/// Where an activity is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ActivityStatus {
    /// It runs, or waits for a worker or its next attempt.
    Running,
    /// It is paused.
    Paused,
    /// It returned.
    Completed,
    /// It failed for good.
    Failed,
    /// It was cancelled, and agreed.
    Cancelled,
    /// It was terminated.
    Terminated,
    /// It did not complete in its time.
    TimedOut,
    /// The server says something that this version does not know.
    Unknown(i32),
}

impl ActivityStatus {
    pub(super) fn from_wire(status: i32) -> Self {
        match WireStatus::try_from(status) {
            Ok(WireStatus::Running) => Self::Running,
            Ok(WireStatus::Paused) => Self::Paused,
            Ok(WireStatus::Completed) => Self::Completed,
            Ok(WireStatus::Failed) => Self::Failed,
            Ok(WireStatus::Canceled) => Self::Cancelled,
            Ok(WireStatus::Terminated) => Self::Terminated,
            Ok(WireStatus::TimedOut) => Self::TimedOut,
            Ok(WireStatus::Unspecified) | Err(_) => Self::Unknown(status),
        }
    }
}

/// What a running activity is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PendingActivityState {
    /// It waits for a worker, or for its next attempt.
    Scheduled,
    /// A worker runs it.
    Started,
    /// A worker runs it, and it is to cancel itself.
    CancelRequested,
    /// It is paused.
    Paused,
    /// A worker runs it, and it is to be paused.
    PauseRequested,
    /// The server says something that this version does not know.
    Unknown(i32),
}

impl PendingActivityState {
    /// `None` for an activity that has ended.
    fn from_wire(state: i32) -> Option<Self> {
        Some(match WireState::try_from(state) {
            Ok(WireState::Unspecified) => return None,
            Ok(WireState::Scheduled) => Self::Scheduled,
            Ok(WireState::Started) => Self::Started,
            Ok(WireState::CancelRequested) => Self::CancelRequested,
            Ok(WireState::Paused) => Self::Paused,
            Ok(WireState::PauseRequested) => Self::PauseRequested,
            Err(_) => Self::Unknown(state),
        })
    }
}

/// An activity, as the server sees it at the moment.
#[derive(Clone)]
pub struct ActivityDescription {
    raw: DescribeActivityExecutionResponse,
    info: ActivityExecutionInfo,
    heartbeat_details: Vec<Payload>,
    last_failure: Option<Box<Failure>>,
    summary: Option<Payload>,
    converter: DataConverter,
}

/// Fields that are read off `info`.
macro_rules! times {
    ($($(#[$doc:meta])* $name:ident: $field:ident)*) => { $(
        $(#[$doc])*
        pub fn $name(&self) -> Option<SystemTime> {
            self.info.$field.as_ref().map(time_from_proto)
        }
    )* };
}

/// As [`times`], of durations.
macro_rules! durations {
    ($($(#[$doc:meta])* $name:ident: $field:ident)*) => { $(
        $(#[$doc])*
        pub fn $name(&self) -> Option<Duration> {
            self.info.$field.as_ref().map(duration_from_proto).filter(|duration| !duration.is_zero())
        }
    )* };
}

impl ActivityDescription {
    async fn new(client: &Client, raw: DescribeActivityExecutionResponse) -> Result<Self, CodecError> {
        let mut info = raw.info.clone().unwrap_or_default();
        let (id, run_id) = (info.activity_id.clone(), info.run_id.clone());
        let owner = Owner::activity(client, &id).run(&run_id);
        let converter = owner.reader().into_owned();
        let details = info.heartbeat_details.take().unwrap_or_default().payloads;
        let heartbeat_details = payloads::decode(&owner, details).await?;
        let last_failure = match info.last_failure.take() {
            Some(failure) => Some(payloads::decode_failure(&owner, failure).await?),
            None => None,
        };
        let summary = payloads::decode(&owner, info.user_metadata.take()).await?.and_then(|it| it.summary);
        Ok(Self { raw, info, heartbeat_details, last_failure, summary, converter })
    }

    /// The activity's id.
    pub fn id(&self) -> &str {
        &self.info.activity_id
    }

    /// The run.
    pub fn run_id(&self) -> &str {
        &self.info.run_id
    }

    /// The activity type.
    pub fn activity_type(&self) -> &str {
        self.info.activity_type.as_ref().map_or("", |it| &it.name)
    }

    /// The task queue that its workers poll.
    pub fn task_queue(&self) -> &str {
        &self.info.task_queue
    }

    /// Where it is in its life.
    pub fn status(&self) -> ActivityStatus {
        ActivityStatus::from_wire(self.info.status)
    }

    /// What it is about while it runs; `None` when it has ended.
    pub fn state(&self) -> Option<PendingActivityState> {
        PendingActivityState::from_wire(self.info.run_state)
    }

    /// The number of the attempt, from 1.
    pub fn attempt(&self) -> u32 {
        u32::try_from(self.info.attempt).unwrap_or(0)
    }

    times! {
        /// When it was started by its caller.
        scheduled_time: schedule_time
        /// When it ended.
        close_time: close_time
        /// When its last attempt was started by a worker.
        last_started_time: last_started_time
        /// When its last attempt ended.
        last_attempt_complete_time: last_attempt_complete_time
        /// When its next attempt is due.
        next_attempt_time: next_attempt_schedule_time
        /// When its last heartbeat came.
        last_heartbeat_time: last_heartbeat_time
        /// When it is given up.
        expiration_time: expiration_time
        /// When its first attempt was due: later than its start if that was delayed.
        execution_time: execution_time
    }

    durations! {
        /// Time from the start to the end of the last attempt.
        schedule_to_close_timeout: schedule_to_close_timeout
        /// Time to wait for a worker.
        schedule_to_start_timeout: schedule_to_start_timeout
        /// Time for one attempt.
        start_to_close_timeout: start_to_close_timeout
        /// Time between two heartbeats.
        heartbeat_timeout: heartbeat_timeout
        /// Time from the last attempt to the next.
        current_retry_interval: current_retry_interval
        /// Time from its start to its end.
        execution_duration: execution_duration
        /// Time before the first attempt.
        start_delay: start_delay
    }

    /// How failed attempts are repeated.
    pub fn retry_policy(&self) -> Option<RetryPolicy> {
        self.info.retry_policy.clone().map(RetryPolicy::from_proto)
    }

    /// How urgent its tasks are.
    pub fn priority(&self) -> Option<Priority> {
        self.info.priority.clone().map(Priority::from_proto)
    }

    /// Details of the last heartbeat, by number, from 0; `None` if there are not as many.
    ///
    /// # Errors
    ///
    /// They are no `T`.
    pub fn heartbeat_details<T: DeserializeOwned>(&self, index: usize) -> Result<Option<T>, ConversionError> {
        self.heartbeat_details.get(index).map(|payload| self.converter.from_payload(payload)).transpose()
    }

    /// Why the last attempt failed.
    pub fn last_failure(&self) -> Option<&Failure> {
        self.last_failure.as_deref()
    }

    /// The worker of the last attempt.
    pub fn last_worker_identity(&self) -> &str {
        &self.info.last_worker_identity
    }

    /// Why it is to cancel itself, if somebody wants that and has said why.
    pub fn cancellation_reason(&self) -> &str {
        &self.info.canceled_reason
    }

    /// The line about it, for people.
    ///
    /// # Errors
    ///
    /// It is not text.
    pub fn summary(&self) -> Result<Option<String>, ConversionError> {
        self.summary.as_ref().map(|payload| self.converter.from_payload(payload)).transpose()
    }

    /// What the server finds it by.
    pub fn search_attributes(&self) -> SearchAttributes {
        SearchAttributes::from_payloads(self.info.search_attributes.clone().unwrap_or_default().indexed_fields)
    }

    /// All that the server said, payloads as they came.
    pub fn raw(&self) -> &DescribeActivityExecutionResponse {
        &self.raw
    }
}

// Written by hand: details and raw answer hold users' data.
impl fmt::Debug for ActivityDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActivityDescription")
            .field("id", &self.id())
            .field("run_id", &self.run_id())
            .field("activity_type", &self.activity_type())
            .field("status", &self.status())
            .field("state", &self.state())
            .field("attempt", &self.attempt())
            .finish_non_exhaustive()
    }
}
