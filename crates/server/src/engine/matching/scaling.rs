//! [`Scaling`]: whether a worker should poll more or less, as its polls are answered.

use std::time::Duration;

use stead_proto::taskqueue::v1::PollerScalingDecision;

use crate::engine::Time;

/// Advice to workers, given so often a second and poller that their number does not leap.
#[derive(Debug)]
pub(super) struct Scaling {
    /// Pieces of advice that may be given, of one poller.
    allowance: f64,
    since: Time,
}

/// What advice is founded on.
pub(super) struct Load {
    pub(super) backlog: usize,
    pub(super) backlog_age: Duration,
    pub(super) added_per_second: f32,
    pub(super) dispatched_per_second: f32,
}

impl Scaling {
    pub(super) fn new(now: Time) -> Self {
        Self { allowance: DECISIONS_PER_SECOND, since: now }
    }

    /// What to tell the worker whose poll has `waited` until its task came.
    pub(super) fn decide(
        &mut self,
        waited: Duration,
        pollers: usize,
        now: Time,
        load: impl FnOnce() -> Load,
    ) -> Option<PollerScalingDecision> {
        if waited >= IDLE {
            return Some(PollerScalingDecision { poll_request_delta_suggestion: -1 });
        }
        let more = self.allows(pollers, now) && load().wants_more_pollers();
        more.then_some(PollerScalingDecision { poll_request_delta_suggestion: 1 })
    }

    fn allows(&mut self, pollers: usize, now: Time) -> bool {
        let earned = now.since(self.since).as_secs_f64() * DECISIONS_PER_SECOND;
        self.allowance = (self.allowance + earned).min(DECISIONS_PER_SECOND);
        self.since = self.since.max(now);
        let cost = 1.0 / pollers.max(1) as f64;
        let allowed = self.allowance >= cost;
        if allowed {
            self.allowance -= cost;
        }
        allowed
    }
}

impl Load {
    fn wants_more_pollers(&self) -> bool {
        let late = self.backlog > 0 && self.backlog_age > LATE;
        late || self.added_per_second / self.dispatched_per_second > ADDED_PER_DISPATCHED
    }
}

const IDLE: Duration = Duration::from_secs(1);
const LATE: Duration = Duration::from_millis(200);
const ADDED_PER_DISPATCHED: f32 = 1.2;
const DECISIONS_PER_SECOND: f64 = 10.0;
