//! How many polls a worker keeps open at once.

use crate::Instant;

/// Decides how many polls are open on one task queue.
pub trait PollerPolicy: Send {
    /// How many polls should be open now; at least one.
    fn target(&self) -> usize;

    /// A poll ended.
    fn handle_poll(&mut self, end: PollEnd, now: Instant);
}

/// How a poll ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PollEnd {
    /// With a task. `delta` is the server's advice on how many more or fewer polls it would like, if it gave any.
    Task {
        /// The advice.
        delta: Option<i32>,
    },
    /// Empty, after the server's long-poll timeout.
    Empty,
    /// With `ResourceExhausted`.
    Exhausted,
    /// With any other error.
    Failed,
}

/// The same number of polls always.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedPollers(usize);

impl FixedPollers {
    /// As many polls as `count`, but at least one.
    pub const fn new(count: usize) -> Self {
        Self(if count == 0 { 1 } else { count })
    }
}

impl PollerPolicy for FixedPollers {
    fn target(&self) -> usize {
        self.0
    }

    fn handle_poll(&mut self, _end: PollEnd, _now: Instant) {}
}

/// As many polls as the server advises, between two limits.
///
/// The server says with a task how many more or fewer polls it would like. Polls without a task take one away, but only
/// once the server has given advice: one that gives none would never ask for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AutoscalingPollers {
    minimum: usize,
    maximum: usize,
    target: usize,
    is_advised: bool,
}

impl AutoscalingPollers {
    /// Between `minimum`, which is at least one, and `maximum`, beginning with `initial`.
    pub fn new(minimum: usize, maximum: usize, initial: usize) -> Self {
        let minimum = minimum.max(1);
        let maximum = maximum.max(minimum);
        Self { minimum, maximum, target: initial.clamp(minimum, maximum), is_advised: false }
    }

    fn aim(&mut self, target: usize) {
        self.target = target.clamp(self.minimum, self.maximum);
    }
}

impl PollerPolicy for AutoscalingPollers {
    fn target(&self) -> usize {
        self.target
    }

    fn handle_poll(&mut self, end: PollEnd, _now: Instant) {
        match end {
            PollEnd::Task { delta: Some(delta) } => {
                self.is_advised = true;
                let change = usize::try_from(delta.unsigned_abs()).unwrap_or(usize::MAX);
                self.aim(match delta > 0 {
                    true => self.target.saturating_add(change),
                    false => self.target.saturating_sub(change),
                });
            }
            PollEnd::Empty if self.is_advised => self.aim(self.target.saturating_sub(1)),
            PollEnd::Exhausted => self.aim(self.target / 2),
            PollEnd::Failed => self.aim(self.target.saturating_sub(1)),
            PollEnd::Task { delta: None } | PollEnd::Empty => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn autoscaling_pollers_follow_the_servers_advice_within_their_limits() {
        let mut policy = AutoscalingPollers::new(2, 10, 5);
        let mut after = |end| {
            policy.handle_poll(end, Instant::default());
            policy.target()
        };
        assert_eq!(after(PollEnd::Empty), 5, "a server that gives no advice would not ask for more again");
        assert_eq!(after(PollEnd::Task { delta: None }), 5);
        assert_eq!(after(PollEnd::Task { delta: Some(3) }), 8);
        assert_eq!(after(PollEnd::Task { delta: Some(i32::MAX) }), 10);
        assert_eq!(after(PollEnd::Empty), 9);
        assert_eq!(after(PollEnd::Exhausted), 4);
        assert_eq!(after(PollEnd::Failed), 3);
        assert_eq!(after(PollEnd::Task { delta: Some(-5) }), 2);
    }

    #[test]
    fn autoscaling_pollers_begin_within_their_limits() {
        assert_eq!(AutoscalingPollers::new(0, 0, 7).target(), 1);
        assert_eq!(AutoscalingPollers::new(3, 10, 1).target(), 3);
    }

    #[test]
    fn fixed_pollers_are_never_none_and_never_change() {
        let mut policy = FixedPollers::new(0);
        policy.handle_poll(PollEnd::Task { delta: Some(4) }, Instant::default());
        assert_eq!(policy.target(), 1);
    }
}
