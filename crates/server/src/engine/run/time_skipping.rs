//! Time that a run skips for itself: its clock runs ahead of the server's by what it has skipped so far.
//!
//! ```text
//!                 change of a run ends, and nothing can happen in it before its next deadline
//!                 ┌──────────────────────────────────────────────┐
//!                 ▼                                              │
//!   ─set─────▶ Enabled ──skips to that deadline──────────────────┘
//!                 │
//!                 └──reaches the end of its fast-forward, or has skipped as often as it may──▶ Disabled ──set──▶ …
//! ```
//!
//! Every instant in the state of a run, its deadlines among them, is one of its own clock: see [`Run::instant`].
//! (`service/history/workflow/timeskipping.go` of Temporal's server 1.32.1.)

use std::time::Duration;

use prost::Message;
use stead_proto::common::v1::{
    TimeSkippingConfig, TimeSkippingFastForwardInfo, TimeSkippingInfo, TimeSkippingStatePropagation as Propagation,
};
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::history::v1::{
    WorkflowExecutionStartedEventAttributes as Started,
    WorkflowExecutionTimeSkippingTransitionedEventAttributes as Transitioned,
};

use super::deadlines::Deadline;
use super::{Context, Run};
use crate::engine::Time;
use crate::engine::time::{duration, wire};

/// How a run skips time, and how much it has skipped.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct TimeSkipping {
    #[prost(message, optional, tag = "1")]
    config: Option<TimeSkippingConfig>,
    /// By how many nanoseconds the run's clock is ahead.
    #[prost(int64, tag = "2")]
    skipped: i64,
    /// How often time was skipped since `config` was set.
    #[prost(int32, tag = "3")]
    skips: i32,
    #[prost(message, optional, tag = "4")]
    fast_forward: Option<FastForward>,
}

/// How far time is to be skipped.
#[derive(Clone, PartialEq, Message)]
struct FastForward {
    #[prost(int64, tag = "1")]
    target: i64,
    #[prost(bool, tag = "2")]
    reached: bool,
}

impl TimeSkipping {
    /// What a run begins with that is started like this at an instant of the server's clock.
    pub(crate) fn of_start(started: &Started, now: Time) -> Option<Self> {
        let propagated = started.time_skipping_state_propagation.unwrap_or_default();
        let skipped = duration(propagated.initial_skipped_duration.as_ref()).unwrap_or_default();
        if started.time_skipping_config.is_none() && skipped.is_zero() {
            return None;
        }
        let mut skipping = Self {
            skipped: (Time::default() + skipped).unix_nanos(),
            skips: propagated.initial_skip_count,
            ..Self::default()
        };
        let target = propagated.fast_forward_target_time.as_ref().map(Time::from_timestamp);
        skipping.configure(started.time_skipping_config.clone(), now + skipped, target);
        Some(skipping)
    }

    /// `target` is that of a fast-forward that an earlier run of the chain began.
    fn configure(&mut self, config: Option<TimeSkippingConfig>, now: Time, target: Option<Time>) {
        let fast_forward =
            config.as_ref().filter(|config| config.enabled).and_then(|it| it.fast_forward_config.as_ref());
        let ahead = fast_forward.and_then(|fast_forward| duration(fast_forward.duration.as_ref()));
        self.fast_forward =
            ahead.map(|ahead| FastForward { target: target.unwrap_or(now + ahead).unix_nanos(), reached: false });
        self.config = config;
    }

    pub(crate) fn config(&self) -> Option<&TimeSkippingConfig> {
        self.config.as_ref()
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.config.as_ref().is_some_and(|config| config.enabled)
    }

    pub(crate) fn skipped(&self) -> Duration {
        Duration::from_nanos(self.skipped.try_into().unwrap_or(0))
    }

    /// Where the fast-forward ends that has not ended.
    fn pending_target(&self) -> Option<Time> {
        let pending = self.fast_forward.as_ref().filter(|it| !it.reached && self.is_enabled());
        pending.map(|it| Time::from_unix_nanos(it.target))
    }

    /// Takes an event that was written at `at`.
    fn took(&mut self, at: Time, event: &Transitioned) {
        if let Some(target) = &event.target_time {
            let ahead = Time::from_timestamp(target).since(at);
            self.skipped = (Time::from_unix_nanos(self.skipped) + ahead).unix_nanos();
        }
        self.skips = self.skips.saturating_add(1);
        if let Some(fast_forward) = self.fast_forward.as_mut().filter(|_| event.disabled_after_fast_forward) {
            fast_forward.reached = true;
        }
        if let Some(config) = &mut self.config {
            config.enabled &= !event.disabled_after_fast_forward && self.skips < config.max_session_skip_count;
        }
    }

    /// As a description says it. The fast-forward is what polls tell.
    pub(crate) fn info(&self, now: Time) -> TimeSkippingInfo {
        TimeSkippingInfo {
            current_time: Some(now.timestamp()),
            effective_config: self.config.clone(),
            ..TimeSkippingInfo::default()
        }
    }

    pub(crate) fn fast_forward_info(&self) -> Option<TimeSkippingFastForwardInfo> {
        let fast_forward = self.fast_forward.as_ref()?;
        let config = self.config.as_ref().and_then(|config| config.fast_forward_config.clone()).unwrap_or_default();
        Some(TimeSkippingFastForwardInfo {
            fast_forward_duration: config.duration,
            fast_forward_id: config.id,
            target_time: Some(Time::from_unix_nanos(fast_forward.target).timestamp()),
            has_completed: fast_forward.reached,
        })
    }

    /// What the next run of the chain begins with: it goes on where this one ends.
    fn of_next_run(&self) -> (Option<TimeSkippingConfig>, Option<Propagation>) {
        let propagation = Propagation {
            initial_skipped_duration: self.initial_skipped_duration(),
            fast_forward_target_time: self.pending_target().map(Time::timestamp),
            initial_skip_count: if self.is_enabled() { self.skips } else { 0 },
        };
        (self.config.clone().filter(|config| config.enabled), or_nothing(propagation))
    }

    /// What a child begins with: the same clock, and no fast-forward.
    fn of_child(&self) -> (Option<TimeSkippingConfig>, Option<Propagation>) {
        let config = self.config.as_ref().filter(|config| config.enabled && !config.disable_propagation);
        let config = config.map(|config| TimeSkippingConfig {
            enabled: true,
            max_session_skip_count: config.max_session_skip_count,
            ..TimeSkippingConfig::default()
        });
        let initial_skipped_duration = self.initial_skipped_duration();
        (config, or_nothing(Propagation { initial_skipped_duration, ..Propagation::default() }))
    }

    fn initial_skipped_duration(&self) -> Option<prost_types::Duration> {
        (self.skipped > 0).then(|| wire(self.skipped()))
    }
}

fn or_nothing(propagation: Propagation) -> Option<Propagation> {
    (propagation != Propagation::default()).then_some(propagation)
}

impl Run {
    /// How far the run's clock is ahead of the server's.
    pub(crate) fn skipped(&self) -> Duration {
        self.state.time_skipping.as_ref().map(TimeSkipping::skipped).unwrap_or_default()
    }

    /// An instant of the server's clock on the run's own.
    pub(crate) fn instant(&self, of_server: Time) -> Time {
        of_server + self.skipped()
    }

    /// Sets how the run skips time from now on.
    pub(crate) fn configure_time_skipping(&mut self, now: Time, config: Option<TimeSkippingConfig>) {
        let skipping = self.state.time_skipping.get_or_insert_default();
        skipping.skips = 0;
        skipping.configure(config, now, None);
        self.watch_fast_forward();
    }

    /// Skips to the next deadline, if nothing can happen before it.
    pub(crate) fn skip_time(&mut self, cx: &Context<'_>) {
        let Some(target) = self.skip_target(cx.now) else { return };
        let end = self.state.time_skipping.as_ref().and_then(TimeSkipping::pending_target);
        self.skip_to(cx, Some(target), end.is_some_and(|end| end <= target));
    }

    /// The time to which a fast-forward was to skip has come without it.
    pub(crate) fn fast_forward_due(&mut self, cx: &Context<'_>) {
        self.skip_to(cx, None, true);
    }

    fn skip_to(&mut self, cx: &Context<'_>, target: Option<Time>, disabled_after_fast_forward: bool) {
        let event = Transitioned {
            target_time: target.map(Time::timestamp),
            disabled_after_fast_forward,
            wall_clock_time: Some(cx.now.timestamp()),
        };
        self.add(cx, Attributes::WorkflowExecutionTimeSkippingTransitionedEventAttributes(event));
        self.took_time_skipping(cx.now, &event);
    }

    /// What an event about skipped time changes in the state.
    pub(crate) fn took_time_skipping(&mut self, at: Time, event: &Transitioned) {
        if let Some(skipping) = &mut self.state.time_skipping {
            skipping.took(at, event);
        }
        self.watch_fast_forward();
    }

    pub(crate) fn watch_fast_forward(&mut self) {
        let target = self.state.time_skipping.as_ref().and_then(TimeSkipping::pending_target);
        self.deadlines.set(Deadline::FastForward, target);
    }

    /// What time the run may skip to. Whoever works for the run, or is on the way to do so, holds it.
    fn skip_target(&self, now: Time) -> Option<Time> {
        self.state.time_skipping.as_ref().filter(|skipping| skipping.is_enabled())?;
        let waits_for_time = self.is_open()
            && !self.is_paused()
            && self.state.task.is_none()
            && (self.has_had_task() || self.in_backoff(now))
            && self.activities.values().all(|activity| activity.waits && activity.pause.is_none())
            && self.operations.values().next().is_none()
            && self.children.values().next().is_none()
            && self.signals.values().next().is_none()
            && self.cancels.values().next().is_none();
        self.deadlines.next().filter(|next| waits_for_time && *next > now)
    }

    /// What the next run of the chain begins with.
    pub(crate) fn time_skipping_of_next_run(&self) -> (Option<TimeSkippingConfig>, Option<Propagation>) {
        self.state.time_skipping.as_ref().map(TimeSkipping::of_next_run).unwrap_or_default()
    }

    /// What a child begins with.
    pub(crate) fn time_skipping_of_child(&self) -> (Option<TimeSkippingConfig>, Option<Propagation>) {
        self.state.time_skipping.as_ref().map(TimeSkipping::of_child).unwrap_or_default()
    }
}
