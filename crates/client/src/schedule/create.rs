//! Creating a schedule.

use std::{
    future::IntoFuture,
    marker::PhantomData,
    time::{Duration, SystemTime},
};

use serde::Serialize;
use stead_data::{
    Arg, BoxFuture, CodecError, ConversionError, Payload, PayloadMap, SearchAttributeUpdate, SearchAttributes,
    WorkflowFn, WorkflowType,
};
use stead_proto::{common::v1 as common, schedule::v1 as wire, workflowservice::v1::CreateScheduleRequest};

use super::{
    InvalidScheduleSpec, Overlap, Schedule, ScheduleAction, ScheduleBackfill, ScheduleCalendar, ScheduleError,
    ScheduleHandle, ScheduleInterval, SchedulePolicy, ScheduleSpec, ScheduleState, ScheduledWorkflow,
    ScheduledWorkflowBuilder,
};
use crate::{
    client::Client,
    connection::{CallOptions, Metadata, RpcError},
    interceptor::Operation,
    payloads::{self, Owner},
    workflow::{Given, predicates, request_id},
};

/// A schedule to be created; what it starts is required. Awaiting it creates the schedule and gives a
/// [`ScheduleHandle`].
///
/// ```no_run
/// # use std::time::Duration;
/// # use stead_client::{Client, CreateScheduleError, Overlap};
/// # async fn run(client: Client) -> Result<(), CreateScheduleError> {
/// let nightly = client
///     .create_schedule("nightly")
///     .at("02:30")
///     .time_zone("Europe/Paris")
///     .start_workflow_named("Report", ("sales",), |workflow| workflow.id("report").task_queue("reports"))
///     .overlap(Overlap::BufferOne)
///     .catchup_window(Duration::from_secs(6 * 60 * 60))
///     .await?;
/// # let _ = nightly;
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing happens until it is awaited"]
#[derive(Debug)]
pub struct CreateSchedule<Action = MissingAction> {
    client: Client,
    id: String,
    spec: ScheduleSpec,
    action: Option<ScheduledWorkflow>,
    policy: SchedulePolicy,
    state: ScheduleState,
    trigger_immediately: bool,
    backfills: Vec<ScheduleBackfill>,
    memo: PayloadMap,
    search_attributes: SearchAttributes,
    request_id: String,
    options: CallOptions,
    /// The first value that could not be converted; it comes out at the await.
    error: Option<ConversionError>,
    given: PhantomData<fn() -> Action>,
}

/// What the schedule does is missing: call `.start_workflow(..)`.
#[derive(Debug)]
pub enum MissingAction {}

/// A schedule was not created.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CreateScheduleError {
    /// There is a schedule of this id. Take that one, with a handle of its id, or delete it.
    #[error("schedule `{schedule_id}` exists already")]
    AlreadyExists {
        /// The schedule's id.
        schedule_id: String,
        /// What the server said.
        source: RpcError,
    },
    /// The times make no sense.
    #[error(transparent)]
    InvalidSpec(#[from] InvalidScheduleSpec),
    /// An argument, a memo or another value cannot be converted.
    #[error("the values of the schedule or of its workflow cannot be converted")]
    Conversion(#[from] ConversionError),
    /// The codec refused an argument, a memo or another value.
    #[error("the values of the schedule or of its workflow cannot be encoded")]
    Codec(#[from] CodecError),
    /// The call failed. Unless the server refused it, the schedule may have been created all the same.
    #[error(transparent)]
    Rpc(RpcError),
}

predicates!(CreateScheduleError);

impl From<ScheduleError> for CreateScheduleError {
    fn from(error: ScheduleError) -> Self {
        match error {
            ScheduleError::InvalidSpec(error) => Self::InvalidSpec(error),
            ScheduleError::Conversion(error) => Self::Conversion(error),
            ScheduleError::Codec(error) => Self::Codec(error),
            ScheduleError::Rpc(source)
            | ScheduleError::NotFound { source, .. }
            | ScheduleError::Conflict { source, .. } => Self::Rpc(source),
        }
    }
}

impl CreateSchedule {
    pub(crate) fn new(client: Client, id: String) -> Self {
        Self {
            client,
            id,
            spec: ScheduleSpec::new(),
            action: None,
            policy: SchedulePolicy::default(),
            state: ScheduleState::default(),
            trigger_immediately: false,
            backfills: Vec::new(),
            memo: PayloadMap::new(),
            search_attributes: SearchAttributes::default(),
            request_id: request_id(),
            options: CallOptions::new(),
            error: None,
            given: PhantomData,
        }
    }

    /// Starts a workflow each time; the closure says with which id, in which task queue, and all else about it.
    pub fn start_workflow<W: WorkflowType + ?Sized>(
        self,
        workflow: WorkflowFn<W, W::Input, W::Output>,
        input: impl Arg<W::Input>,
        options: impl FnOnce(ScheduledWorkflowBuilder) -> ScheduledWorkflowBuilder<Given, Given>,
    ) -> CreateSchedule<Given> {
        let arguments = input.encode(&self.client.drafts(), workflow.arity());
        self.start(workflow.name().to_owned(), arguments, options)
    }

    /// Starts a workflow of which only the name is known; several arguments are a tuple.
    pub fn start_workflow_named(
        self,
        workflow: impl Into<String>,
        arguments: impl Serialize,
        options: impl FnOnce(ScheduledWorkflowBuilder) -> ScheduledWorkflowBuilder<Given, Given>,
    ) -> CreateSchedule<Given> {
        let arguments = self.client.drafts().to_arguments(&arguments);
        self.start(workflow.into(), arguments, options)
    }

    fn start(
        mut self,
        workflow_type: String,
        arguments: Result<Vec<Payload>, ConversionError>,
        options: impl FnOnce(ScheduledWorkflowBuilder) -> ScheduledWorkflowBuilder<Given, Given>,
    ) -> CreateSchedule<Given> {
        let builder = ScheduledWorkflowBuilder::new(self.client.drafts().into_owned(), workflow_type, arguments);
        match options(builder).build() {
            Ok(workflow) => self.action = Some(workflow),
            Err(error) => drop(self.error.get_or_insert(error)),
        }
        let Self {
            client,
            id,
            spec,
            action,
            policy,
            state,
            trigger_immediately,
            backfills,
            memo,
            search_attributes,
            request_id,
            options,
            error,
            given: _,
        } = self;
        CreateSchedule {
            client,
            id,
            spec,
            action,
            policy,
            state,
            trigger_immediately,
            backfills,
            memo,
            search_attributes,
            request_id,
            options,
            error,
            given: PhantomData,
        }
    }
}

/// Setters that change the spec.
macro_rules! spec {
    ($($(#[$doc:meta])* $setter:ident($argument:ident: $type:ty))*) => { $(
        $(#[$doc])*
        pub fn $setter(mut self, $argument: $type) -> Self {
            self.spec = self.spec.$setter($argument);
            self
        }
    )* };
}

impl<Action> CreateSchedule<Action> {
    /// When the schedule acts, instead of what was said of it before. Default: never but when it is triggered.
    pub fn spec(mut self, spec: ScheduleSpec) -> Self {
        self.spec = spec;
        self
    }

    spec! {
        /// Adds times by the calendar.
        calendar(calendar: ScheduleCalendar)
        /// Adds times at regular intervals; [`at`](Self::at) after `every(days(1))` makes it a time of each day.
        every(interval: Duration)
        /// Adds times at regular intervals, with an offset.
        interval(interval: ScheduleInterval)
        /// Adds a time of each day by the clock of the time zone, such as `02:30`, see [`ScheduleSpec::at`].
        at(time: &str)
        /// Adds times as a cron expression, see [`ScheduleSpec::cron`].
        cron(expression: impl Into<String>)
        /// Leaves out times.
        skip(calendar: ScheduleCalendar)
        /// Lets no time before this one count.
        start_at(time: SystemTime)
        /// Lets no time after this one count.
        end_at(time: SystemTime)
        /// Puts each time off at random, by up to this much. Default: not at all.
        jitter(jitter: Duration)
        /// The time zone of calendars and cron expressions, such as `Europe/Paris`. Default: UTC.
        time_zone(name: impl Into<String>)
    }

    /// What happens when a time comes and the workflow of the time before still runs. Default: the new one is skipped.
    pub fn overlap(mut self, overlap: Overlap) -> Self {
        self.policy.overlap = overlap;
        self
    }

    /// How late a time may be made up for, after the server was down for example. Default: the server's, a year.
    pub fn catchup_window(mut self, window: Duration) -> Self {
        self.policy.catchup_window = Some(window);
        self
    }

    /// Pauses the schedule when a workflow fails or times out. Default: it goes on.
    pub fn pause_on_failure(mut self) -> Self {
        self.policy.pause_on_failure = true;
        self
    }

    /// Gives workflows the id as it is, without the time added to it. Default: the time is added.
    pub fn keep_original_workflow_id(mut self) -> Self {
        self.policy.keep_original_workflow_id = true;
        self
    }

    /// A note for people. Default: none.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.state.note = note.into();
        self
    }

    /// Creates it paused. Default: it runs.
    pub fn paused(mut self) -> Self {
        self.state.paused = true;
        self
    }

    /// How many times it acts. Default: any number of times.
    pub fn remaining_actions(mut self, times: u64) -> Self {
        self.state.remaining_actions = Some(times);
        self
    }

    /// Acts once at once. Default: it waits for its first time.
    pub fn trigger_immediately(mut self) -> Self {
        self.trigger_immediately = true;
        self
    }

    /// Acts at once for times in the past. Default: none.
    pub fn backfill(mut self, backfill: ScheduleBackfill) -> Self {
        self.backfills.push(backfill);
        self
    }

    /// Adds a value to be found with the schedule; schedules cannot be searched by it.
    pub fn memo(mut self, key: impl Into<String>, value: impl Serialize) -> Self {
        match self.client.drafts().to_payload(&value) {
            Ok(payload) => drop(self.memo.insert(key.into(), payload)),
            Err(error) => drop(self.error.get_or_insert(error)),
        }
        self
    }

    /// Sets values by which the schedule is found; those of its workflows are others.
    pub fn search_attributes(mut self, attributes: impl IntoIterator<Item = SearchAttributeUpdate>) -> Self {
        self.search_attributes.apply(attributes);
        self
    }

    /// By which the server recognizes the request when it is sent again. Default: a random one.
    pub fn request_id(mut self, id: impl Into<String>) -> Self {
        self.request_id = id.into();
        self
    }

    /// The deadline of the call to the server, retries included. Default: see [`CallOptions`].
    pub fn rpc_timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = timeout;
        self
    }

    /// Headers of the call to the server.
    pub fn rpc_metadata(mut self, metadata: Metadata) -> Self {
        self.options.metadata = metadata;
        self
    }
}

/// A schedule on its way to be created, as interceptors see it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CreateScheduleCall {
    /// The schedule's id.
    pub schedule_id: String,
    /// What it does, and when.
    pub schedule: Schedule,
    /// Whether it acts once at once.
    pub trigger_immediately: bool,
    /// The times for which it acts at once.
    pub backfills: Vec<ScheduleBackfill>,
    /// Values to be found with the schedule, which are not indexed.
    pub memo: PayloadMap,
    /// Values by which the schedule is found.
    pub search_attributes: SearchAttributes,
    /// By which the server recognizes this request when it is sent again.
    pub request_id: String,
    /// How the call is made.
    pub options: CallOptions,
}

impl CreateSchedule<Given> {
    async fn create(self) -> Result<ScheduleHandle, CreateScheduleError> {
        let Self { client, id, spec, action, policy, state, .. } = self;
        self.error.map_or(Ok(()), Err)?;
        let action = action.map_or(ScheduleAction::Unknown, ScheduleAction::StartWorkflow);
        let call = CreateScheduleCall {
            schedule_id: id.clone(),
            schedule: Schedule { spec, action, policy, state },
            trigger_immediately: self.trigger_immediately,
            backfills: self.backfills,
            memo: self.memo,
            search_attributes: self.search_attributes,
            request_id: self.request_id,
            options: self.options,
        };
        client.perform(call).await?;
        Ok(ScheduleHandle::new(client, id))
    }
}

impl Operation for CreateScheduleCall {
    type Output = ();
    type Error = CreateScheduleError;

    async fn send(self, client: &Client) -> Result<(), CreateScheduleError> {
        let Self { schedule_id, schedule, memo, search_attributes, .. } = self;
        let initial_patch = initial_patch(self.trigger_immediately, schedule.policy.overlap, self.backfills);
        let request = CreateScheduleRequest {
            namespace: client.namespace().to_owned(),
            schedule_id: schedule_id.clone(),
            schedule: Some(schedule.into_wire(client).await?),
            initial_patch,
            identity: client.identity().to_owned(),
            request_id: self.request_id,
            memo: (!memo.is_empty())
                .then_some(common::Memo { fields: payloads::encode(&Owner::unknown(client), memo).await? }),
            search_attributes: (!search_attributes.is_empty())
                .then(|| common::SearchAttributes { indexed_fields: search_attributes.into_payloads() }),
        };
        match client.service().create_schedule(request, self.options).await {
            Ok(_) => Ok(()),
            Err(source) if source.code() == tonic::Code::AlreadyExists => {
                Err(CreateScheduleError::AlreadyExists { schedule_id, source })
            }
            Err(error) => Err(CreateScheduleError::Rpc(error)),
        }
    }
}

/// The trigger has the schedule's own policy, which the server does not know yet.
fn initial_patch(trigger: bool, overlap: Overlap, backfills: Vec<ScheduleBackfill>) -> Option<wire::SchedulePatch> {
    let trigger_immediately = trigger.then(|| wire::TriggerImmediatelyRequest {
        overlap_policy: Overlap::to_wire(Some(overlap)),
        scheduled_time: None,
    });
    (trigger || !backfills.is_empty()).then(|| wire::SchedulePatch {
        trigger_immediately,
        backfill_request: backfills.into_iter().map(ScheduleBackfill::into_wire).collect(),
        ..Default::default()
    })
}

impl IntoFuture for CreateSchedule<Given> {
    type Output = Result<ScheduleHandle, CreateScheduleError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.create())
    }
}

impl Schedule {
    pub(super) async fn into_wire(self, client: &Client) -> Result<wire::Schedule, ScheduleError> {
        Ok(wire::Schedule {
            spec: Some(self.spec.to_wire()?),
            action: Some(self.action.into_wire(client).await?),
            policies: Some(self.policy.to_wire()),
            state: Some(self.state.to_wire()),
        })
    }

    pub(super) fn from_wire(schedule: wire::Schedule) -> Self {
        Self {
            spec: ScheduleSpec::from_wire(schedule.spec.unwrap_or_default()),
            action: ScheduleAction::from_wire(schedule.action),
            policy: SchedulePolicy::from_wire(&schedule.policies.unwrap_or_default()),
            state: ScheduleState::from_wire(schedule.state.unwrap_or_default()),
        }
    }
}
