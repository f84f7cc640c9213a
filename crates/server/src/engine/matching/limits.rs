//! [`RateLimits`], what is configured for a queue, and [`Throttle`], which holds tasks back accordingly.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use stead_proto::enums::v1::RateLimitSource;

use super::backlog::{Backlog, Place};
use crate::engine::Time;

/// What is configured for a queue beyond what its workers say.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct RateLimits {
    /// Tasks a second, in place of what workers say. 0 stops the queue.
    pub(crate) queue: Option<f64>,
    /// Tasks a second of each fairness key of weight 1.
    pub(crate) fairness_key: Option<f64>,
    /// Weights of fairness keys, in place of those of the tasks.
    pub(crate) fairness_weights: BTreeMap<String, f32>,
}

/// Holds the tasks of a queue back.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    configured: RateLimits,
    of_workers: Option<f64>,
    queue: Limiter,
    key_pace: Pace,
    /// When each key may go on; those that may are not in it for long.
    keys: HashMap<Box<str>, Limiter>,
}

/// The task that goes next, or until when all of them wait.
pub(super) enum Next {
    Now(Place),
    At(Time),
    /// No task, or none that ever goes at these rates.
    Never,
}

impl Throttle {
    pub(super) fn configured(&self) -> &RateLimits {
        &self.configured
    }

    pub(super) fn configure(&mut self, limits: RateLimits, now: Time) {
        self.configured = limits;
        self.key_pace = Pace::of(self.configured.fairness_key);
        for key in self.keys.values_mut() {
            key.set_pace(self.key_pace, now);
        }
        self.set_queue_pace(now);
    }

    /// What the latest poll says. True if that changes when tasks may go.
    pub(super) fn hear_worker(&mut self, tasks_per_second: Option<f64>, now: Time) -> bool {
        let changed = self.of_workers != tasks_per_second;
        if changed {
            self.of_workers = tasks_per_second;
            self.set_queue_pace(now);
        }
        changed
    }

    /// Tasks a second, and who said so. `None`: as fast as it goes.
    pub(super) fn rate(&self) -> Option<(f64, RateLimitSource)> {
        let configured = self.configured.queue.map(|rate| (rate, RateLimitSource::Api));
        configured.or(self.of_workers.map(|rate| (rate, RateLimitSource::Worker)))
    }

    /// The weight of a key, for a task that says `weight`.
    pub(super) fn weight(&self, key: &str, weight: f32) -> f32 {
        let weight = self.configured.fairness_weights.get(key).copied().unwrap_or(weight);
        if weight > 0.0 { weight.max(MIN_WEIGHT) } else { 1.0 }
    }

    /// Whether a task may go at once.
    pub(super) fn admits(&self, key: &str, now: Time) -> bool {
        self.queue.ready <= now && self.key_ready(key).is_none_or(|ready| ready <= now)
    }

    /// Which task goes next.
    pub(super) fn next<T: Copy>(&self, backlog: &Backlog<T>, now: Time) -> Next {
        if self.queue.ready > now {
            return self.queue.next();
        }
        let mut earliest = Next::Never;
        for (place, task) in backlog.iter() {
            match self.keys.get(&task.fairness_key) {
                Some(key) if key.ready > now => earliest = earliest.min(key.next()),
                _ => return Next::Now(place),
            }
        }
        earliest
    }

    /// A task goes.
    pub(super) fn consume(&mut self, key: &str, weight: f32, now: Time) {
        self.queue.consume(1, now);
        if self.key_pace == Pace::Free {
            return;
        }
        if self.keys.len() >= MAX_KEYS {
            self.keys.retain(|_, key| key.ready > now);
        }
        let pace = self.key_pace.times(weight);
        let limiter = self.keys.entry(key.into()).or_default();
        limiter.pace = pace;
        limiter.consume(1, now);
    }

    /// A task that went did not count.
    pub(super) fn refund(&mut self, key: &str, now: Time) {
        self.queue.consume(-1, now);
        if let Some(key) = self.keys.get_mut(key) {
            key.consume(-1, now);
        }
    }

    fn key_ready(&self, key: &str) -> Option<Time> {
        if self.keys.is_empty() { None } else { self.keys.get(key).map(|key| key.ready) }
    }

    fn set_queue_pace(&mut self, now: Time) {
        if self.key_pace == Pace::Free {
            self.keys.clear();
        }
        self.queue.set_pace(Pace::of(self.rate().map(|(rate, _)| rate)), now);
    }
}

impl Next {
    fn min(self, other: Self) -> Self {
        match (self, other) {
            (Self::At(one), Self::At(other)) => Self::At(one.min(other)),
            (Self::Never, other) => other,
            (this, _) => this,
        }
    }
}

/// How far apart tasks are, when they go evenly.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Pace {
    #[default]
    Free,
    Every(Duration),
    Stopped,
}

impl Pace {
    fn of(tasks_per_second: Option<f64>) -> Self {
        match tasks_per_second {
            None => Self::Free,
            Some(rate) if rate.is_nan() || rate <= 1e-9 => Self::Stopped,
            Some(rate) => Self::Every(Duration::from_secs_f64(1.0 / rate)),
        }
    }

    /// So many times as fast.
    fn times(self, weight: f32) -> Self {
        match self {
            Self::Every(interval) => Self::Every(interval.div_f32(weight.max(MIN_WEIGHT))),
            other => other,
        }
    }
}

/// The generic cell rate algorithm, told by the beginning of the span in which the next task may go.
#[derive(Clone, Copy, Debug, Default)]
struct Limiter {
    pace: Pace,
    ready: Time,
}

impl Limiter {
    fn next(&self) -> Next {
        if self.ready == NEVER { Next::Never } else { Next::At(self.ready) }
    }

    fn consume(&mut self, tasks: i64, now: Time) {
        match self.pace {
            Pace::Free => {}
            Pace::Stopped => self.ready = NEVER,
            Pace::Every(interval) => {
                let begun = now.max(self.ready + BURST) - BURST;
                let span = interval.saturating_mul(u32::try_from(tasks.unsigned_abs()).unwrap_or(u32::MAX));
                self.ready = if tasks < 0 { begun - span } else { begun + span };
            }
        }
    }

    /// What was far away at a slow pace is near at a fast one.
    fn set_pace(&mut self, pace: Pace, now: Time) {
        self.pace = pace;
        self.ready = match pace {
            Pace::Free => Time::default(),
            Pace::Stopped => NEVER,
            Pace::Every(interval) => self.ready.min(now + interval + BURST),
        };
    }
}

/// So much of the rate may go at once.
const BURST: Duration = Duration::from_secs(1);
const NEVER: Time = Time::from_unix_nanos(i64::MAX);
const MIN_WEIGHT: f32 = 0.001;
/// Fairness keys from which those are forgotten that may go.
const MAX_KEYS: usize = 2_000;
