//! What the server knows of a schedule.

use std::{
    fmt,
    future::IntoFuture,
    time::{Duration, SystemTime},
};

use serde::de::DeserializeOwned;
use stead_data::{
    BoxFuture, CodecError, ConversionError, DataConverter, PayloadMap, SearchAttributes, time::time_from_proto,
};
use stead_proto::{
    schedule::v1::{ScheduleActionResult, ScheduleInfo},
    workflowservice::v1::{DescribeScheduleRequest, DescribeScheduleResponse},
};

use super::{Schedule, ScheduleError};
use crate::{
    client::Client,
    connection::{CallOptions, Metadata},
    interceptor::Operation,
    payloads::{self, Owner},
    workflow::WorkflowStatus,
};

/// A description to be asked for: awaiting it asks.
#[derive(Debug)]
#[must_use = "nothing happens until it is awaited"]
pub struct DescribeSchedule {
    client: Client,
    call: DescribeScheduleCall,
}

/// The question on its way, as interceptors see it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DescribeScheduleCall {
    /// The schedule's id.
    pub schedule_id: String,
    /// How the call is made.
    pub options: CallOptions,
}

impl DescribeSchedule {
    pub(super) fn new(client: Client, id: String) -> Self {
        Self { client, call: DescribeScheduleCall { schedule_id: id, options: CallOptions::new() } }
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
}

impl Operation for DescribeScheduleCall {
    type Output = ScheduleDescription;
    type Error = ScheduleError;

    async fn send(self, client: &Client) -> Result<ScheduleDescription, ScheduleError> {
        let Self { schedule_id: id, options } = self;
        let request = DescribeScheduleRequest { namespace: client.namespace().to_owned(), schedule_id: id.clone() };
        match client.service().describe_schedule(request, options).await {
            Ok(raw) => Ok(ScheduleDescription::new(id, client, raw).await?),
            Err(error) => Err(ScheduleError::of_call(&id, error)),
        }
    }
}

impl IntoFuture for DescribeSchedule {
    type Output = Result<ScheduleDescription, ScheduleError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.client.perform(self.call).await })
    }
}

/// A schedule, as the server sees it at the moment.
#[derive(Clone)]
pub struct ScheduleDescription {
    id: String,
    schedule: Schedule,
    info: ScheduleInfo,
    memo: PayloadMap,
    converter: DataConverter,
    raw: DescribeScheduleResponse,
}

/// A workflow that a schedule has started.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScheduledRun {
    /// The time that it was started for, jitter included; `None` if the server does not say.
    pub scheduled_at: Option<SystemTime>,
    /// The time at which it was started.
    pub started_at: Option<SystemTime>,
    /// The workflow's id.
    pub workflow_id: String,
    /// The first run of its chain.
    pub first_run_id: String,
    /// Where it was in its life, when the schedule last heard of it.
    pub status: WorkflowStatus,
}

impl ScheduledRun {
    pub(super) fn from_wire(result: &ScheduleActionResult) -> Self {
        let workflow = result.start_workflow_result.clone().unwrap_or_default();
        Self {
            scheduled_at: result.schedule_time.as_ref().map(time_from_proto),
            started_at: result.actual_time.as_ref().map(time_from_proto),
            workflow_id: workflow.workflow_id,
            first_run_id: workflow.run_id,
            status: WorkflowStatus::from_wire(result.start_workflow_status),
        }
    }
}

impl ScheduleDescription {
    async fn new(id: String, client: &Client, raw: DescribeScheduleResponse) -> Result<Self, CodecError> {
        let converter = client.data_converter().clone();
        let memo = raw.memo.clone().unwrap_or_default().fields;
        let memo = payloads::decode(&Owner::unknown(client), memo).await?;
        let schedule = Schedule::from_wire(raw.schedule.clone().unwrap_or_default());
        let info = raw.info.clone().unwrap_or_default();
        Ok(Self { id, schedule, info, memo, converter, raw })
    }

    /// The schedule's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its definition: when it acts, what it does, and under which conditions.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// How often it has acted.
    pub fn actions(&self) -> i64 {
        self.info.action_count
    }

    /// How often it has not acted, because a time was too long ago when the schedule came to it.
    pub fn missed_catchup_window(&self) -> i64 {
        self.info.missed_catchup_window
    }

    /// How often it has not acted, because a workflow still ran.
    pub fn skipped_for_overlap(&self) -> i64 {
        self.info.overlap_skipped
    }

    /// Id and first run id of the workflows of the schedule that are running.
    pub fn running_workflows(&self) -> impl Iterator<Item = (&str, &str)> {
        self.info.running_workflows.iter().map(|workflow| (&*workflow.workflow_id, &*workflow.run_id))
    }

    /// What it has done last, the latest at the end; a server keeps ten.
    pub fn recent_actions(&self) -> Vec<ScheduledRun> {
        self.info.recent_actions.iter().map(ScheduledRun::from_wire).collect()
    }

    /// When it acts next; a server tells ten times.
    pub fn next_action_times(&self) -> Vec<SystemTime> {
        self.info.future_action_times.iter().map(time_from_proto).collect()
    }

    /// When it was created.
    pub fn created_at(&self) -> Option<SystemTime> {
        self.info.create_time.as_ref().map(time_from_proto)
    }

    /// When it was last updated; `None` if never.
    pub fn last_updated_at(&self) -> Option<SystemTime> {
        self.info.update_time.as_ref().map(time_from_proto)
    }

    /// The memo's value for a key; `None` if there is none.
    ///
    /// # Errors
    ///
    /// The value is not a `T`.
    pub fn memo<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, ConversionError> {
        self.memo.get(key).map(|payload| self.converter.from_payload(payload)).transpose()
    }

    /// The keys of the memo.
    pub fn memo_keys(&self) -> impl Iterator<Item = &str> {
        self.memo.keys().map(String::as_str)
    }

    /// What the server finds the schedule by.
    pub fn search_attributes(&self) -> SearchAttributes {
        SearchAttributes::from_payloads(self.raw.search_attributes.clone().unwrap_or_default().indexed_fields)
    }

    /// All that the server said, payloads as they came.
    pub fn raw(&self) -> &DescribeScheduleResponse {
        &self.raw
    }
}

// Written by hand: memo and raw answer hold users' data.
impl fmt::Debug for ScheduleDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScheduleDescription")
            .field("id", &self.id)
            .field("schedule", &self.schedule)
            .field("actions", &self.actions())
            .finish_non_exhaustive()
    }
}
