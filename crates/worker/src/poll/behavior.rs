//! How many polls are open at once, and who may open one.

use std::sync::{Mutex, MutexGuard, PoisonError};

use stead_core::policy::{AutoscalingPollers, PollEnd, PollerPolicy};
use tokio::sync::Notify;

use crate::clock::Clock;

/// How many polls of one kind a worker keeps open.
///
/// ```
/// use stead_worker::PollerBehavior;
///
/// let fixed: PollerBehavior = 5.into();
/// let follows_the_server = PollerBehavior::autoscaling(1..=20, 2);
/// # let _ = (fixed, follows_the_server);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PollerBehavior {
    /// Always as many.
    Fixed(u32),
    /// As many as the server advises, which it does with the tasks that it gives out.
    Autoscaling {
        /// Never fewer. At least 1.
        minimum: u32,
        /// Never more.
        maximum: u32,
        /// As many before the server has given advice.
        initial: u32,
    },
}

impl PollerBehavior {
    /// As many as the server advises, within `limits`; `initial` of them at first. Other SDKs have limits of 1 to 100 and
    /// begin with 5.
    pub fn autoscaling(limits: std::ops::RangeInclusive<u32>, initial: u32) -> Self {
        Self::Autoscaling { minimum: *limits.start(), maximum: *limits.end(), initial }
    }

    pub(crate) fn is_valid(self) -> bool {
        match self {
            Self::Fixed(count) => count >= 1,
            Self::Autoscaling { minimum, maximum, initial } => minimum >= 1 && (minimum..=maximum).contains(&initial),
        }
    }

    pub(crate) fn is_autoscaling(self) -> bool {
        matches!(self, Self::Autoscaling { .. })
    }
}

impl From<u32> for PollerBehavior {
    fn from(count: u32) -> Self {
        Self::Fixed(count)
    }
}

/// Lets as many pollers of a queue poll as their policy says. The others wait.
pub(crate) struct Scaler {
    state: Mutex<State>,
    changed: Notify,
    clock: Clock,
}

struct State {
    policy: AutoscalingPollers,
    open: usize,
}

/// Leave to poll, until it is dropped.
pub(crate) struct Turn<'a>(&'a Scaler);

impl Scaler {
    pub(crate) fn new(policy: AutoscalingPollers) -> Self {
        Self { state: Mutex::new(State { policy, open: 0 }), changed: Notify::new(), clock: Clock::new() }
    }

    /// Waits for leave to poll.
    pub(crate) async fn turn(&self) -> Turn<'_> {
        loop {
            let changed = self.changed.notified();
            {
                let mut state = self.state();
                if state.open < state.policy.target() {
                    state.open += 1;
                    return Turn(self);
                }
            }
            changed.await;
        }
    }

    /// A poll ended.
    pub(crate) fn ended(&self, end: PollEnd) {
        self.state().policy.handle_poll(end, self.clock.now());
        self.changed.notify_waiters();
    }

    /// No foreign code runs under the lock, so a poisoned one is intact.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.state().open -= 1;
        self.0.changed.notify_waiters();
    }
}
