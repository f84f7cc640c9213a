//! Activities of a run: what their attempts mean for its history. The attempts themselves are [`ActivityState`]'s.

use stead_proto::command::v1::ScheduleActivityTaskCommandAttributes;
use stead_proto::common::v1::{Payload, Payloads, Priority};
use stead_proto::enums::v1::{RetryState, TimeoutType};
use stead_proto::failure::v1::Failure;
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::history::v1::{
    ActivityTaskCancelRequestedEventAttributes, ActivityTaskCanceledEventAttributes,
    ActivityTaskCompletedEventAttributes, ActivityTaskFailedEventAttributes, ActivityTaskScheduledEventAttributes,
    ActivityTaskStartedEventAttributes, ActivityTaskTimedOutEventAttributes,
};

use super::deadlines::{ActivityDeadline, Deadline};
use super::events::Extras;
use super::{Context, Run};
use crate::engine::Time;
use crate::engine::activity::{ActivityState, AfterAttempt, AfterTimeout, StartedActivity};
use crate::engine::commands::Completed;
use crate::engine::effect::Effect;

impl Run {
    /// Schedules an activity; the command has been checked and completed. `offered` says whether workers are asked for.
    pub(crate) fn schedule_activity(
        &mut self,
        cx: &mut Context<'_>,
        command: ScheduleActivityTaskCommandAttributes,
        completed_event_id: i64,
        extras: Extras,
        offered: bool,
    ) -> i64 {
        let event = ActivityTaskScheduledEventAttributes {
            activity_id: command.activity_id,
            activity_type: command.activity_type,
            task_queue: command.task_queue,
            header: command.header,
            input: command.input,
            schedule_to_close_timeout: command.schedule_to_close_timeout,
            schedule_to_start_timeout: command.schedule_to_start_timeout,
            start_to_close_timeout: command.start_to_close_timeout,
            // As of the other timeouts, 0 says that there is none.
            heartbeat_timeout: Some(command.heartbeat_timeout.unwrap_or_default()),
            workflow_task_completed_event_id: completed_event_id,
            retry_policy: command.retry_policy,
            use_workflow_build_id: command.use_workflow_build_id,
            priority: command.priority,
        };
        let scheduled = event.clone();
        let id = self.add_with(cx, Attributes::ActivityTaskScheduledEventAttributes(Box::new(event)), extras);
        self.expect_activity(cx.now, id, scheduled);
        if offered {
            cx.effects.push_back(Effect::OfferActivity(self.key, id));
        }
        id
    }

    /// Keeps what an activity is that was scheduled by this event.
    pub(crate) fn expect_activity(&mut self, now: Time, id: i64, scheduled: ActivityTaskScheduledEventAttributes) {
        let at = now.unix_nanos();
        let activity = ActivityState {
            scheduled_event_id: id,
            activity_id: scheduled.activity_id.clone(),
            activity_type: scheduled.activity_type,
            task_queue: scheduled.task_queue.unwrap_or_default().name,
            header: scheduled.header,
            input: scheduled.input,
            schedule_to_close: scheduled.schedule_to_close_timeout,
            schedule_to_start: scheduled.schedule_to_start_timeout,
            start_to_close: scheduled.start_to_close_timeout,
            heartbeat: scheduled.heartbeat_timeout,
            retry_policy: scheduled.retry_policy,
            priority: merged(self.state.priority.as_ref(), scheduled.priority),
            first_scheduled_at: at,
            scheduled_at: at,
            attempt: 1,
            ..Default::default()
        };
        self.activity_ids.insert(scheduled.activity_id, id);
        self.activities.insert(id, activity);
        self.watch_activity(id);
    }

    /// Sets the activity's deadlines by its state.
    pub(crate) fn watch_activity(&mut self, id: i64) {
        let Some(activity) = self.activities.get(&id) else { return };
        for (deadline, at) in activity.deadlines() {
            self.deadlines.set(Deadline::Activity(id, deadline), at);
        }
    }

    /// A worker takes it. False if there is nothing to take: the task was stale.
    pub(crate) fn start_activity(
        &mut self,
        cx: &Context<'_>,
        id: i64,
        stamp: u64,
        identity: &str,
        request_id: &str,
    ) -> bool {
        if !self.is_open() || self.is_paused() {
            return false;
        }
        match self.activities.get_mut(&id) {
            Some(activity) if activity.stamp == stamp && activity.is_offered() => {
                activity.start(cx.now, identity, request_id);
                self.watch_activity(id);
                true
            }
            _ => false,
        }
    }

    pub(crate) fn complete_activity(
        &mut self,
        cx: &mut Context<'_>,
        id: i64,
        result: Option<Payloads>,
        identity: &str,
    ) {
        let Some(started_event_id) = self.close_activity(cx, id, identity) else { return };
        let event = ActivityTaskCompletedEventAttributes {
            result,
            scheduled_event_id: id,
            started_event_id,
            identity: identity.to_owned(),
            ..Default::default()
        };
        self.add(cx, Attributes::ActivityTaskCompletedEventAttributes(event));
        self.wake(cx);
    }

    pub(crate) fn fail_activity(&mut self, cx: &mut Context<'_>, id: i64, failure: Failure, identity: &str) {
        let Some(activity) = self.activities.get_mut(&id) else { return };
        match activity.fail(cx.now, &failure) {
            AfterAttempt::Again => self.watch_activity(id),
            AfterAttempt::Closed(state) => self.activity_failed(cx, id, failure, identity, state),
        }
    }

    fn activity_failed(
        &mut self,
        cx: &mut Context<'_>,
        id: i64,
        failure: Failure,
        identity: &str,
        retry_state: RetryState,
    ) {
        let Some(started_event_id) = self.close_activity(cx, id, identity) else { return };
        let event = ActivityTaskFailedEventAttributes {
            failure: Some(failure),
            scheduled_event_id: id,
            started_event_id,
            identity: identity.to_owned(),
            retry_state: retry_state.into(),
            ..Default::default()
        };
        self.add(cx, Attributes::ActivityTaskFailedEventAttributes(Box::new(event)));
        self.wake(cx);
    }

    pub(crate) fn cancel_activity(&mut self, cx: &mut Context<'_>, id: i64, details: Option<Payloads>, identity: &str) {
        let Some(activity) = self.activities.get(&id) else { return };
        let latest_cancel_requested_event_id = activity.cancel_requested_event_id;
        let Some(started_event_id) = self.close_activity(cx, id, identity) else { return };
        let event = ActivityTaskCanceledEventAttributes {
            details,
            latest_cancel_requested_event_id,
            scheduled_event_id: id,
            started_event_id,
            identity: identity.to_owned(),
            ..Default::default()
        };
        self.add(cx, Attributes::ActivityTaskCanceledEventAttributes(event));
        self.wake(cx);
    }

    /// The worker tells of its progress.
    pub(crate) fn activity_progress(&mut self, cx: &Context<'_>, id: i64, details: Option<Payloads>) {
        if let Some(activity) = self.activities.get_mut(&id) {
            activity.progress(cx.now, details);
            self.watch_activity(id);
        }
    }

    /// The workflow asks for cancellation. True if the activity was with no worker, so that it is cancelled already and
    /// the workflow has news.
    pub(crate) fn request_cancel_activity(
        &mut self,
        cx: &mut Context<'_>,
        id: i64,
        completed: Completed<'_>,
        extras: Extras,
    ) -> bool {
        let event = ActivityTaskCancelRequestedEventAttributes {
            scheduled_event_id: id,
            workflow_task_completed_event_id: completed.event_id,
        };
        let requested = self.add_with(cx, Attributes::ActivityTaskCancelRequestedEventAttributes(event), extras);
        let Some(activity) = self.activities.get_mut(&id) else { return false };
        activity.cancel_requested_event_id = requested;
        if activity.started.is_some() {
            return false;
        }
        self.remove_activity(id);
        let event = ActivityTaskCanceledEventAttributes {
            details: Some(Payloads { payloads: vec![json_string("ACTIVITY_ID_NOT_STARTED")] }),
            latest_cancel_requested_event_id: requested,
            scheduled_event_id: id,
            identity: completed.identity.to_owned(),
            ..Default::default()
        };
        self.add(cx, Attributes::ActivityTaskCanceledEventAttributes(event));
        true
    }

    /// A deadline of an activity has come.
    pub(crate) fn activity_due(&mut self, cx: &mut Context<'_>, id: i64, deadline: ActivityDeadline) {
        let timeout = match deadline {
            ActivityDeadline::Retry => return self.offer_activity_again(cx, id),
            ActivityDeadline::ScheduleToStart => TimeoutType::ScheduleToStart,
            ActivityDeadline::ScheduleToClose => TimeoutType::ScheduleToClose,
            ActivityDeadline::StartToClose => TimeoutType::StartToClose,
            ActivityDeadline::Heartbeat => TimeoutType::Heartbeat,
        };
        let Some(activity) = self.activities.get_mut(&id) else { return };
        match activity.time_out(cx.now, timeout) {
            AfterTimeout::Again => self.watch_activity(id),
            AfterTimeout::Closed(failure, retry_state) => self.activity_timed_out(cx, id, *failure, retry_state),
        }
    }

    fn activity_timed_out(&mut self, cx: &mut Context<'_>, id: i64, failure: Failure, retry_state: RetryState) {
        let started = self.activities.get(&id).is_some_and(|activity| activity.started.is_some());
        let started_event_id = if started {
            self.close_activity(cx, id, "").unwrap_or_default()
        } else {
            self.remove_activity(id);
            0
        };
        let event = ActivityTaskTimedOutEventAttributes {
            failure: Some(failure),
            scheduled_event_id: id,
            started_event_id,
            retry_state: retry_state.into(),
        };
        self.add(cx, Attributes::ActivityTaskTimedOutEventAttributes(Box::new(event)));
        self.wake(cx);
    }

    fn offer_activity_again(&mut self, cx: &mut Context<'_>, id: i64) {
        if let Some(activity) = self.activities.get_mut(&id) {
            activity.backoff_over();
            self.watch_activity(id);
            cx.effects.push_back(Effect::OfferActivity(self.key, id));
        }
    }

    /// Whether the activity has ended and the workflow has not heard of it.
    pub(crate) fn has_buffered_end(&self, id: i64) -> bool {
        self.state.buffered.iter().any(|event| match &event.attributes {
            Some(Attributes::ActivityTaskCompletedEventAttributes(a)) => a.scheduled_event_id == id,
            Some(Attributes::ActivityTaskFailedEventAttributes(a)) => a.scheduled_event_id == id,
            Some(Attributes::ActivityTaskTimedOutEventAttributes(a)) => a.scheduled_event_id == id,
            Some(Attributes::ActivityTaskCanceledEventAttributes(a)) => a.scheduled_event_id == id,
            _ => false,
        })
    }

    /// Removes an activity and writes that its last attempt had started. The id of that event.
    ///
    /// Someone who knows its id may complete an activity that no worker has taken; then it is as if they had.
    fn close_activity(&mut self, cx: &Context<'_>, id: i64, identity: &str) -> Option<i64> {
        let activity = self.remove_activity(id)?;
        let now = StartedActivity { at: cx.now.unix_nanos(), identity: identity.to_owned(), ..Default::default() };
        let started = activity.started.unwrap_or(now);
        let event = ActivityTaskStartedEventAttributes {
            scheduled_event_id: id,
            identity: started.identity,
            request_id: started.request_id,
            attempt: activity.attempt,
            last_failure: activity.last_failure,
            ..Default::default()
        };
        let at = Time::from_unix_nanos(started.at);
        Some(self.add_at(cx, at, Attributes::ActivityTaskStartedEventAttributes(Box::new(event)), Extras::default()))
    }

    pub(crate) fn remove_activity(&mut self, id: i64) -> Option<ActivityState> {
        let activity = self.activities.remove(&id)?;
        self.activity_ids.remove(&activity.activity_id);
        for (deadline, _) in activity.deadlines() {
            self.deadlines.set(Deadline::Activity(id, deadline), None);
        }
        Some(activity)
    }
}

/// The priority of something that a workflow starts: what it does not say itself, its workflow says.
pub(crate) fn merged(of_workflow: Option<&Priority>, own: Option<Priority>) -> Option<Priority> {
    let Some(base) = of_workflow else { return own };
    let own = own.unwrap_or_default();
    Some(Priority {
        priority_key: if own.priority_key == 0 { base.priority_key } else { own.priority_key },
        fairness_key: if own.fairness_key.is_empty() { base.fairness_key.clone() } else { own.fairness_key },
        fairness_weight: if own.fairness_weight == 0.0 { base.fairness_weight } else { own.fairness_weight },
    })
}

/// A string as the server itself encodes one.
pub(crate) fn json_string(text: &str) -> Payload {
    // Nothing that the server says of itself needs to be escaped in JSON, apart from these two.
    let encoded = format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    Payload {
        metadata: [("encoding".to_owned(), "json/plain".into())].into(),
        data: encoded.into(),
        ..Default::default()
    }
}
