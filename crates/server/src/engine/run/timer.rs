//! Timers of a run.

use stead_proto::command::v1::StartTimerCommandAttributes;
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::history::v1::{TimerCanceledEventAttributes, TimerFiredEventAttributes, TimerStartedEventAttributes};

use super::events::Extras;
use super::state::TimerState;
use super::{Context, Run};
use crate::engine::Time;
use crate::engine::commands::Completed;
use crate::engine::time::duration;

impl Run {
    pub(crate) fn start_timer(
        &mut self,
        cx: &Context<'_>,
        command: StartTimerCommandAttributes,
        completed_event_id: i64,
        extras: Extras,
    ) {
        let event = TimerStartedEventAttributes {
            timer_id: command.timer_id,
            start_to_fire_timeout: command.start_to_fire_timeout,
            workflow_task_completed_event_id: completed_event_id,
        };
        let started = event.clone();
        let started_event_id = self.add_with(cx, Attributes::TimerStartedEventAttributes(event), extras);
        self.expect_timer(cx.now, started_event_id, started);
    }

    /// Keeps what a timer is that was started by this event.
    pub(crate) fn expect_timer(&mut self, at: Time, started_event_id: i64, started: TimerStartedEventAttributes) {
        let fires_at = at + duration(started.start_to_fire_timeout.as_ref()).unwrap_or_default();
        self.deadlines.set_timer(fires_at, started_event_id, started.timer_id.clone());
        self.timers.insert(started.timer_id, TimerState { started_event_id, fires_at: fires_at.unix_nanos() });
    }

    /// Cancels a timer. One whose firing waits in the buffer has not fired for the workflow: it is cancelled all the
    /// same, and the firing is forgotten.
    pub(crate) fn cancel_timer(&mut self, cx: &Context<'_>, timer_id: &str, completed: Completed<'_>, extras: Extras) {
        let started_event_id = match self.take_timer(timer_id) {
            Some(timer) => timer.started_event_id,
            None => self.forget_firing(timer_id).unwrap_or_default(),
        };
        let event = TimerCanceledEventAttributes {
            timer_id: timer_id.to_owned(),
            started_event_id,
            workflow_task_completed_event_id: completed.event_id,
            identity: completed.identity.to_owned(),
        };
        self.add_with(cx, Attributes::TimerCanceledEventAttributes(event), extras);
    }

    /// A timer has fired or was cancelled, by an event of the history.
    pub(crate) fn forget_timer(&mut self, timer_id: &str) {
        self.take_timer(timer_id);
    }

    fn take_timer(&mut self, timer_id: &str) -> Option<TimerState> {
        let timer = self.timers.remove(timer_id)?;
        self.deadlines.remove_timer(Time::from_unix_nanos(timer.fires_at), timer.started_event_id);
        Some(timer)
    }

    /// Whether the workflow may cancel the timer: it runs, or the workflow has not heard yet that it fired.
    pub(crate) fn has_timer(&self, timer_id: &str) -> bool {
        self.timers.get(timer_id).is_some() || self.buffered_firing(timer_id).is_some()
    }

    fn buffered_firing(&self, timer_id: &str) -> Option<usize> {
        self.state.buffered.iter().position(|event| match &event.attributes {
            Some(Attributes::TimerFiredEventAttributes(fired)) => fired.timer_id == timer_id,
            _ => false,
        })
    }

    fn forget_firing(&mut self, timer_id: &str) -> Option<i64> {
        let event = self.state.buffered.remove(self.buffered_firing(timer_id)?);
        match event.attributes {
            Some(Attributes::TimerFiredEventAttributes(fired)) => Some(fired.started_event_id),
            _ => None,
        }
    }

    /// The workflow is to be woken then.
    pub(crate) fn fire_timer(&mut self, cx: &Context<'_>, timer_id: String) {
        let Some(timer) = self.timers.remove(&timer_id) else { return };
        let event = TimerFiredEventAttributes { timer_id, started_event_id: timer.started_event_id };
        self.add(cx, Attributes::TimerFiredEventAttributes(event));
    }
}
