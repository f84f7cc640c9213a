//! What a definition of an activity says about its calls.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use crate::RetryPolicy;

/// No timeout bounds the activity yet.
#[derive(Debug)]
pub enum Unbounded {}

/// A timeout bounds the activity.
#[derive(Debug)]
pub enum Bounded {}

/// Options of all calls of an activity, unless a call says otherwise. `T` says whether they hold a timeout that bounds it.
///
/// ```
/// use stead_data::{Activity, ActivityDefaults, Bounded, RetryPolicy, secs};
///
/// struct Payments;
/// const CHARGE: Activity<Payments, String, u32, Bounded> = Activity::new("charge", 1)
///     .with_defaults(|| ActivityDefaults::new().start_to_close(secs(30)).retry(RetryPolicy::default().max_attempts(5)));
/// assert_eq!(CHARGE.defaults().unwrap().start_to_close, Some(secs(30)));
/// ```
#[non_exhaustive]
pub struct ActivityDefaults<T = Unbounded> {
    /// Limit on one attempt.
    pub start_to_close: Option<Duration>,
    /// Limit from scheduling to the end of the last attempt.
    pub schedule_to_close: Option<Duration>,
    /// Limit on waiting for a worker.
    pub schedule_to_start: Option<Duration>,
    /// Limit between two heartbeats.
    pub heartbeat: Option<Duration>,
    /// How failed attempts are repeated.
    pub retry: Option<RetryPolicy>,
    /// The task queue.
    pub task_queue: Option<String>,
    bound: PhantomData<fn() -> T>,
}

impl ActivityDefaults {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self {
            start_to_close: None,
            schedule_to_close: None,
            schedule_to_start: None,
            heartbeat: None,
            retry: None,
            task_queue: None,
            bound: PhantomData,
        }
    }
}

impl Default for ActivityDefaults {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> ActivityDefaults<T> {
    /// Limit on one attempt.
    #[must_use]
    pub fn start_to_close(mut self, limit: Duration) -> ActivityDefaults<Bounded> {
        self.start_to_close = Some(limit);
        self.bounded()
    }

    /// Limit from scheduling to the end of the last attempt.
    #[must_use]
    pub fn schedule_to_close(mut self, limit: Duration) -> ActivityDefaults<Bounded> {
        self.schedule_to_close = Some(limit);
        self.bounded()
    }

    /// Limit on waiting for a worker.
    #[must_use]
    pub fn schedule_to_start(mut self, limit: Duration) -> Self {
        self.schedule_to_start = Some(limit);
        self
    }

    /// Limit between two heartbeats; without effect on local activities.
    #[must_use]
    pub fn heartbeat(mut self, limit: Duration) -> Self {
        self.heartbeat = Some(limit);
        self
    }

    /// How failed attempts are repeated. A call that sets a policy replaces all of it.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = Some(policy);
        self
    }

    /// The task queue; without effect on local activities.
    #[must_use]
    pub fn task_queue(mut self, name: impl Into<String>) -> Self {
        self.task_queue = Some(name.into());
        self
    }

    fn bounded(self) -> ActivityDefaults<Bounded> {
        let Self { start_to_close, schedule_to_close, schedule_to_start, heartbeat, retry, task_queue, bound: _ } =
            self;
        ActivityDefaults {
            start_to_close,
            schedule_to_close,
            schedule_to_start,
            heartbeat,
            retry,
            task_queue,
            bound: PhantomData,
        }
    }
}

impl<T> fmt::Debug for ActivityDefaults<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { start_to_close, schedule_to_close, schedule_to_start, heartbeat, retry, task_queue, bound: _ } =
            self;
        f.debug_struct("ActivityDefaults")
            .field("start_to_close", start_to_close)
            .field("schedule_to_close", schedule_to_close)
            .field("schedule_to_start", schedule_to_start)
            .field("heartbeat", heartbeat)
            .field("retry", retry)
            .field("task_queue", task_queue)
            .finish()
    }
}
