//! Changing a schedule.

use std::{
    fmt,
    future::{Future, IntoFuture},
    ops::{Deref, DerefMut},
    pin::Pin,
    time::Duration,
};

use bytes::Bytes;
use serde::Serialize;
use stead_data::{Arg, ConversionError, Payload, SearchAttributes, WorkflowFn, WorkflowType};
use stead_proto::{common::v1 as common, workflowservice::v1::UpdateScheduleRequest};

use super::{DescribeSchedule, Schedule, ScheduleAction, ScheduleDescription, ScheduleError, ScheduledWorkflowBuilder};
use crate::{
    client::Client,
    connection::{CallOptions, Metadata},
    interceptor::Operation,
    workflow::{Given, request_id},
};

/// A change to a schedule: awaiting it reads the schedule, changes it and writes it back.
#[must_use = "nothing happens until it is awaited"]
pub struct UpdateSchedule<'a> {
    client: Client,
    id: String,
    change: Box<dyn FnMut(&mut ScheduleUpdate) + Send + 'a>,
    options: CallOptions,
}

/// A schedule that is being changed: what is [described](Self::description), and what is to become of it, which it
/// gives access to by dereference.
#[derive(Debug)]
pub struct ScheduleUpdate {
    client: Client,
    description: ScheduleDescription,
    schedule: Schedule,
    search_attributes: Option<SearchAttributes>,
    error: Option<ConversionError>,
}

impl ScheduleUpdate {
    /// What the schedule is.
    pub fn description(&self) -> &ScheduleDescription {
        &self.description
    }

    /// What is to become of the whole schedule.
    pub fn schedule(&mut self) -> &mut Schedule {
        &mut self.schedule
    }

    /// Replaces the search attributes of the schedule, all of them. Default: they stay.
    pub fn set_search_attributes(&mut self, attributes: SearchAttributes) {
        self.search_attributes = Some(attributes);
    }

    /// Lets the schedule start another workflow, see
    /// [`CreateSchedule::start_workflow`](super::CreateSchedule::start_workflow).
    pub fn start_workflow<W: WorkflowType + ?Sized>(
        &mut self,
        workflow: WorkflowFn<W, W::Input, W::Output>,
        input: impl Arg<W::Input>,
        options: impl FnOnce(ScheduledWorkflowBuilder) -> ScheduledWorkflowBuilder<Given, Given>,
    ) {
        let arguments = input.encode(&self.client.drafts(), workflow.arity());
        self.start(workflow.name().to_owned(), arguments, options);
    }

    /// As [`start_workflow`](Self::start_workflow), by the workflow's name; several arguments are a tuple.
    pub fn start_workflow_named(
        &mut self,
        workflow: impl Into<String>,
        arguments: impl Serialize,
        options: impl FnOnce(ScheduledWorkflowBuilder) -> ScheduledWorkflowBuilder<Given, Given>,
    ) {
        let arguments = self.client.drafts().to_arguments(&arguments);
        self.start(workflow.into(), arguments, options);
    }

    fn start(
        &mut self,
        workflow_type: String,
        arguments: Result<Vec<Payload>, ConversionError>,
        options: impl FnOnce(ScheduledWorkflowBuilder) -> ScheduledWorkflowBuilder<Given, Given>,
    ) {
        let builder = ScheduledWorkflowBuilder::new(self.client.drafts().into_owned(), workflow_type, arguments);
        match options(builder).build() {
            Ok(workflow) => self.schedule.action = ScheduleAction::StartWorkflow(workflow),
            Err(error) => drop(self.error.get_or_insert(error)),
        }
    }
}

impl Deref for ScheduleUpdate {
    type Target = Schedule;

    fn deref(&self) -> &Schedule {
        &self.schedule
    }
}

impl DerefMut for ScheduleUpdate {
    fn deref_mut(&mut self) -> &mut Schedule {
        &mut self.schedule
    }
}

impl<'a> UpdateSchedule<'a> {
    pub(super) fn new(client: Client, id: String, change: impl FnMut(&mut ScheduleUpdate) + Send + 'a) -> Self {
        Self { client, id, change: Box::new(change), options: CallOptions::new() }
    }

    /// The deadline of each call to the server, retries included. Default: see [`CallOptions`].
    pub fn rpc_timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = timeout;
        self
    }

    /// Headers of the calls to the server.
    pub fn rpc_metadata(mut self, metadata: Metadata) -> Self {
        self.options.metadata = metadata;
        self
    }

    async fn update(mut self) -> Result<(), ScheduleError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            match self.try_update().await {
                Err(ScheduleError::Conflict { .. }) if attempts < MAX_ATTEMPTS => {}
                result => return result,
            }
        }
    }

    async fn try_update(&mut self) -> Result<(), ScheduleError> {
        let describe = DescribeSchedule::new(self.client.clone(), self.id.clone());
        let describe = describe.rpc_timeout(self.options.timeout).rpc_metadata(self.options.metadata.clone());
        let description = describe.await?;
        let schedule = description.schedule().clone();
        let client = self.client.clone();
        let mut update = ScheduleUpdate { client, description, schedule, search_attributes: None, error: None };
        (self.change)(&mut update);
        let ScheduleUpdate { description, schedule, search_attributes, error, .. } = update;
        error.map_or(Ok(()), Err)?;
        if search_attributes.is_none() && schedule == *description.schedule() {
            return Ok(());
        }
        let call = UpdateScheduleCall {
            schedule_id: self.id.clone(),
            schedule,
            search_attributes,
            conflict_token: description.raw().conflict_token.clone(),
            options: self.options.clone(),
        };
        self.client.perform(call).await
    }
}

/// So many writers at once are a mistake.
const MAX_ATTEMPTS: usize = 10;

/// A schedule on its way to be changed, as interceptors see it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct UpdateScheduleCall {
    /// The schedule's id.
    pub schedule_id: String,
    /// What is to become of it.
    pub schedule: Schedule,
    /// What it is found by from then on; `None` for what it is found by now.
    pub search_attributes: Option<SearchAttributes>,
    /// Names what was described: the change is refused if it is not so any more.
    pub conflict_token: Bytes,
    /// How the call is made.
    pub options: CallOptions,
}

impl Operation for UpdateScheduleCall {
    type Output = ();
    type Error = ScheduleError;

    async fn send(self, client: &Client) -> Result<(), ScheduleError> {
        let request = UpdateScheduleRequest {
            namespace: client.namespace().to_owned(),
            schedule_id: self.schedule_id.clone(),
            schedule: Some(self.schedule.into_wire(client).await?),
            conflict_token: self.conflict_token,
            identity: client.identity().to_owned(),
            request_id: request_id(),
            search_attributes: self
                .search_attributes
                .map(|attributes| common::SearchAttributes { indexed_fields: attributes.into_payloads() }),
            memo: None,
        };
        let answer = client.service().update_schedule(request, self.options).await;
        answer.map(drop).map_err(|error| ScheduleError::of_call(&self.schedule_id, error))
    }
}

impl<'a> IntoFuture for UpdateSchedule<'a> {
    type Output = Result<(), ScheduleError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.update())
    }
}

impl fmt::Debug for UpdateSchedule<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpdateSchedule").field("id", &self.id).finish_non_exhaustive()
    }
}
