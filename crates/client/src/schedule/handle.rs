//! [`ScheduleHandle`]: a schedule from outside.

use std::{
    future::IntoFuture,
    time::{Duration, SystemTime},
};

use stead_data::{
    BoxFuture,
    time::{time_from_proto, time_to_proto},
};
use stead_proto::{
    schedule::v1 as wire,
    workflowservice::v1::{DeleteScheduleRequest, ListScheduleMatchingTimesRequest, PatchScheduleRequest},
};

use super::{
    DescribeSchedule, Overlap, Schedule, ScheduleBackfill, ScheduleDescription, ScheduleError, ScheduleUpdate,
    UpdateSchedule, UpdateScheduleCall,
};
use crate::{
    client::Client,
    connection::{CallOptions, Metadata},
    interceptor::Operation,
    workflow::request_id,
};

/// A schedule from outside: describe, update, pause, trigger, backfill, delete it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ScheduleHandle {
    client: Client,
    id: String,
}

impl ScheduleHandle {
    pub(crate) fn new(client: Client, id: String) -> Self {
        Self { client, id }
    }

    /// The schedule's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The client that the handle uses.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What the server knows of the schedule: its definition, what it has done and what it will do next.
    ///
    /// # Errors
    ///
    /// At the await, see [`ScheduleError`].
    pub fn describe(&self) -> DescribeSchedule {
        DescribeSchedule::new(self.client.clone(), self.id.clone())
    }

    /// Changes the schedule: reads it, lets `change` change it, and writes it back.
    ///
    /// When somebody else has changed it in between and the server says so, all of this is done again with what it is
    /// then, so `change` may be called several times. A change that changes nothing is not sent.
    ///
    /// Not every server says so: one that runs its schedules as workflows, as servers did by default up to and including
    /// 1.32, drops a change that comes too late without a word.
    ///
    /// ```no_run
    /// # async fn run(client: stead_client::Client) -> Result<(), stead_client::ScheduleError> {
    /// client.schedule("nightly").update(|schedule| schedule.state.note = "until March".to_owned()).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// At the await, see [`ScheduleError`].
    pub fn update<'a>(&self, change: impl FnMut(&mut ScheduleUpdate) + Send + 'a) -> UpdateSchedule<'a> {
        UpdateSchedule::new(self.client.clone(), self.id.clone(), change)
    }

    /// Writes a definition in the place of the one that was described, unless somebody else has changed that since. For
    /// changes that take more than a closure: [`update`](Self::update) does the rest.
    ///
    /// # Errors
    ///
    /// See [`ScheduleError`].
    pub async fn replace(&self, described: &ScheduleDescription, schedule: Schedule) -> Result<(), ScheduleError> {
        let call = UpdateScheduleCall {
            schedule_id: self.id.clone(),
            schedule,
            search_attributes: None,
            conflict_token: described.raw().conflict_token.clone(),
            options: CallOptions::new(),
        };
        self.client.perform(call).await
    }

    /// Pauses the schedule: its times pass without a workflow.
    ///
    /// # Errors
    ///
    /// At the await, see [`ScheduleError`].
    pub fn pause(&self) -> PauseSchedule {
        PauseSchedule { schedule: self.clone(), pause: true, note: None, options: CallOptions::new() }
    }

    /// Lets a paused schedule go on.
    ///
    /// # Errors
    ///
    /// At the await, see [`ScheduleError`].
    pub fn unpause(&self) -> PauseSchedule {
        PauseSchedule { schedule: self.clone(), pause: false, note: None, options: CallOptions::new() }
    }

    /// Acts at once, even if it is paused.
    ///
    /// # Errors
    ///
    /// At the await, see [`ScheduleError`].
    pub fn trigger(&self) -> TriggerSchedule {
        TriggerSchedule { schedule: self.clone(), overlap: None, options: CallOptions::new() }
    }

    /// Acts at once for all times between two points in time; [`and`](BackfillSchedule::and) adds more of them.
    ///
    /// # Errors
    ///
    /// At the await, see [`ScheduleError`].
    pub fn backfill(&self, backfill: ScheduleBackfill) -> BackfillSchedule {
        BackfillSchedule { schedule: self.clone(), backfills: vec![backfill], options: CallOptions::new() }
    }

    /// The times between two points in time at which the schedule acts, if it is not paused then.
    ///
    /// # Errors
    ///
    /// At the await, see [`ScheduleError`].
    pub fn matching_times(&self, from: SystemTime, to: SystemTime) -> MatchingTimes {
        MatchingTimes { schedule: self.clone(), from, to, options: CallOptions::new() }
    }

    /// Deletes the schedule. Workflows that it has started go on.
    ///
    /// # Errors
    ///
    /// At the await, see [`ScheduleError`].
    pub fn delete(&self) -> DeleteSchedule {
        DeleteSchedule { schedule: self.clone(), options: CallOptions::new() }
    }
}

async fn patch(
    client: &Client,
    schedule_id: &str,
    patch: wire::SchedulePatch,
    options: CallOptions,
) -> Result<(), ScheduleError> {
    let request = PatchScheduleRequest {
        namespace: client.namespace().to_owned(),
        schedule_id: schedule_id.to_owned(),
        patch: Some(patch),
        identity: client.identity().to_owned(),
        request_id: request_id(),
    };
    let answer = client.service().patch_schedule(request, options).await;
    answer.map(drop).map_err(|error| ScheduleError::of_call(schedule_id, error))
}

/// Declares an operation with the options of its call, which is done when it is awaited.
macro_rules! operation {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),* } -> $output:ty) => {
        $(#[$doc])*
        #[derive(Debug)]
        #[must_use = "nothing happens until it is awaited"]
        pub struct $name {
            schedule: ScheduleHandle,
            $($field: $type,)*
            options: CallOptions,
        }

        impl $name {
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

        impl IntoFuture for $name {
            type Output = Result<$output, ScheduleError>;
            type IntoFuture = BoxFuture<'static, Self::Output>;

            fn into_future(self) -> Self::IntoFuture {
                Box::pin(self.send())
            }
        }
    };
}

/// Declares the call of an operation, as interceptors see it.
macro_rules! call {
    ($(#[$doc:meta])* $call:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        #[non_exhaustive]
        pub struct $call {
            /// The schedule's id.
            pub schedule_id: String,
            $($(#[$field_doc])* pub $field: $type,)*
            /// How the call is made.
            pub options: CallOptions,
        }
    };
}

operation! {
    /// A schedule to be paused, or to go on: awaiting it does so.
    PauseSchedule { pause: bool, note: Option<String> } -> ()
}

call! {
    /// A schedule on its way to be paused, as interceptors see it.
    PauseScheduleCall {
        /// A note for people.
        note: String
    }
}

call! {
    /// A paused schedule on its way to go on, as interceptors see it.
    UnpauseScheduleCall {
        /// A note for people.
        note: String
    }
}

impl PauseSchedule {
    /// A note for people, in the place of the schedule's. Default: `Paused via stead`, `Unpaused via stead`.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    async fn send(self) -> Result<(), ScheduleError> {
        let Self { schedule: ScheduleHandle { client, id: schedule_id }, pause, note, options } = self;
        // Without a note the server does nothing.
        let note = note.filter(|note| !note.is_empty());
        if pause {
            let note = note.unwrap_or("Paused via stead".to_owned());
            client.perform(PauseScheduleCall { schedule_id, note, options }).await
        } else {
            let note = note.unwrap_or("Unpaused via stead".to_owned());
            client.perform(UnpauseScheduleCall { schedule_id, note, options }).await
        }
    }
}

impl Operation for PauseScheduleCall {
    type Output = ();
    type Error = ScheduleError;

    async fn send(self, client: &Client) -> Result<(), ScheduleError> {
        let pause = wire::SchedulePatch { pause: self.note, ..Default::default() };
        patch(client, &self.schedule_id, pause, self.options).await
    }
}

impl Operation for UnpauseScheduleCall {
    type Output = ();
    type Error = ScheduleError;

    async fn send(self, client: &Client) -> Result<(), ScheduleError> {
        let unpause = wire::SchedulePatch { unpause: self.note, ..Default::default() };
        patch(client, &self.schedule_id, unpause, self.options).await
    }
}

operation! {
    /// A schedule that is to act at once: awaiting it makes it do so.
    TriggerSchedule { overlap: Option<Overlap> } -> ()
}

call! {
    /// A schedule on its way to act at once, as interceptors see it.
    TriggerScheduleCall {
        /// What happens when a workflow of the schedule runs; `None` for what its policy says.
        overlap: Option<Overlap>
    }
}

impl TriggerSchedule {
    /// What happens when a workflow of the schedule runs. Default: what the schedule's policy says.
    pub fn overlap(mut self, overlap: Overlap) -> Self {
        self.overlap = Some(overlap);
        self
    }

    async fn send(self) -> Result<(), ScheduleError> {
        let Self { schedule: ScheduleHandle { client, id: schedule_id }, overlap, options } = self;
        client.perform(TriggerScheduleCall { schedule_id, overlap, options }).await
    }
}

impl Operation for TriggerScheduleCall {
    type Output = ();
    type Error = ScheduleError;

    async fn send(self, client: &Client) -> Result<(), ScheduleError> {
        let overlap_policy = Overlap::to_wire(self.overlap);
        let trigger = wire::TriggerImmediatelyRequest { overlap_policy, scheduled_time: None };
        let trigger = wire::SchedulePatch { trigger_immediately: Some(trigger), ..Default::default() };
        patch(client, &self.schedule_id, trigger, self.options).await
    }
}

operation! {
    /// A schedule that is to act for other times: awaiting it makes it do so.
    BackfillSchedule { backfills: Vec<ScheduleBackfill> } -> ()
}

call! {
    /// A schedule on its way to act for other times, as interceptors see it.
    BackfillScheduleCall {
        /// For which.
        backfills: Vec<ScheduleBackfill>
    }
}

impl BackfillSchedule {
    /// And for these times.
    pub fn and(mut self, backfill: ScheduleBackfill) -> Self {
        self.backfills.push(backfill);
        self
    }

    async fn send(self) -> Result<(), ScheduleError> {
        let Self { schedule: ScheduleHandle { client, id: schedule_id }, backfills, options } = self;
        client.perform(BackfillScheduleCall { schedule_id, backfills, options }).await
    }
}

impl Operation for BackfillScheduleCall {
    type Output = ();
    type Error = ScheduleError;

    async fn send(self, client: &Client) -> Result<(), ScheduleError> {
        let backfill_request = self.backfills.into_iter().map(ScheduleBackfill::into_wire).collect();
        let backfill = wire::SchedulePatch { backfill_request, ..Default::default() };
        patch(client, &self.schedule_id, backfill, self.options).await
    }
}

operation! {
    /// Times to be asked for: awaiting it asks.
    MatchingTimes { from: SystemTime, to: SystemTime } -> Vec<SystemTime>
}

impl MatchingTimes {
    async fn send(self) -> Result<Vec<SystemTime>, ScheduleError> {
        let ScheduleHandle { client, id } = self.schedule;
        let request = ListScheduleMatchingTimesRequest {
            namespace: client.namespace().to_owned(),
            schedule_id: id.clone(),
            start_time: Some(time_to_proto(self.from)),
            end_time: Some(time_to_proto(self.to)),
        };
        match client.service().list_schedule_matching_times(request, self.options).await {
            Ok(answer) => Ok(answer.start_time.iter().map(time_from_proto).collect()),
            Err(error) => Err(ScheduleError::of_call(&id, error)),
        }
    }
}

operation! {
    /// A schedule to be deleted: awaiting it deletes it.
    DeleteSchedule {} -> ()
}

call! {
    /// A schedule on its way to be deleted, as interceptors see it.
    DeleteScheduleCall {}
}

impl DeleteSchedule {
    async fn send(self) -> Result<(), ScheduleError> {
        let Self { schedule: ScheduleHandle { client, id: schedule_id }, options } = self;
        client.perform(DeleteScheduleCall { schedule_id, options }).await
    }
}

impl Operation for DeleteScheduleCall {
    type Output = ();
    type Error = ScheduleError;

    async fn send(self, client: &Client) -> Result<(), ScheduleError> {
        let request = DeleteScheduleRequest {
            namespace: client.namespace().to_owned(),
            schedule_id: self.schedule_id.clone(),
            identity: client.identity().to_owned(),
        };
        let answer = client.service().delete_schedule(request, self.options).await;
        answer.map(drop).map_err(|error| ScheduleError::of_call(&self.schedule_id, error))
    }
}
