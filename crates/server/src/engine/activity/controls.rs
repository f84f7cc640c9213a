//! What operators do to an activity: pause it, let it go on, begin it anew, change its options.

use std::time::Duration;

use super::ActivityState;
use crate::engine::activity_options::ActivityOptions;
use crate::engine::run::state::Pause;
use crate::engine::time::duration;
use crate::engine::{Time, retry};

/// How an activity begins anew.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ActivityReset {
    /// What its worker told of its progress is forgotten.
    pub(crate) forget_progress: bool,
    pub(crate) keep_paused: bool,
    /// How long the next attempt waits.
    pub(crate) delay: Duration,
}

impl ActivityState {
    /// No attempt begins from here on. One that has begun may end.
    pub(crate) fn pause(&mut self, pause: Pause) {
        if self.started.is_none() {
            self.stamp += 1;
        }
        self.pause = Some(pause);
    }

    /// It goes on where it was, after `delay`.
    pub(crate) fn unpause(&mut self, now: Time, first_attempt: bool, forget_progress: bool, delay: Duration) {
        self.pause = None;
        self.stamp += 1;
        if first_attempt {
            self.attempt = 1;
        }
        if forget_progress {
            self.forget_progress();
        }
        if self.started.is_none() {
            self.begin_again(now + delay);
        }
    }

    /// Begins anew with the first attempt: at once, or when the attempt that has begun does not succeed.
    pub(crate) fn reset(&mut self, now: Time, reset: ActivityReset) {
        self.attempt = 1;
        self.reset = true;
        self.reset_heartbeat |= reset.forget_progress;
        if !reset.keep_paused {
            self.pause = None;
        }
        self.stamp += 1;
        if self.started.is_none() && self.pause.is_none() {
            self.begin_again(now + reset.delay);
        }
    }

    /// Takes new options. A backoff begins anew with the policy's interval.
    pub(crate) fn set_options(&mut self, options: ActivityOptions) {
        self.take_options(options);
        self.stamp += 1;
        if self.started.is_none() {
            self.begin_again(self.next_begin());
        }
    }

    pub(crate) fn take_options(&mut self, options: ActivityOptions) {
        self.task_queue = options.task_queue.unwrap_or_default().name;
        self.schedule_to_close = options.schedule_to_close;
        self.schedule_to_start = options.schedule_to_start;
        self.start_to_close = options.start_to_close;
        self.heartbeat = options.heartbeat;
        self.retry_policy = options.retry_policy;
        self.priority = options.priority;
    }

    /// The options that it has.
    pub(crate) fn options(&self) -> ActivityOptions {
        ActivityOptions {
            task_queue: Some(stead_proto::taskqueue::v1::TaskQueue {
                name: self.task_queue.clone(),
                ..Default::default()
            }),
            schedule_to_close: self.schedule_to_close,
            schedule_to_start: self.schedule_to_start,
            start_to_close: self.start_to_close,
            heartbeat: self.heartbeat,
            retry_policy: self.retry_policy.clone(),
            priority: self.priority.clone(),
        }
    }

    /// When the next attempt begins by the policy as it is now.
    fn next_begin(&self) -> Time {
        let scheduled = Time::from_unix_nanos(self.scheduled_at);
        match &self.retry_policy {
            Some(policy) if self.attempt > 1 && duration(policy.initial_interval.as_ref()).is_some() => {
                Time::from_unix_nanos(self.last_completed_at) + retry::interval(policy, self.attempt)
            }
            _ => scheduled,
        }
    }

    /// The next attempt begins at `at`, and knows of no failure before it.
    fn begin_again(&mut self, at: Time) {
        self.last_failure = None;
        self.wait_until(at);
    }
}
