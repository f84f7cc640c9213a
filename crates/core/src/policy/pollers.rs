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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_pollers_are_never_none_and_never_change() {
        let mut policy = FixedPollers::new(0);
        policy.handle_poll(PollEnd::Task { delta: Some(4) }, Instant::default());
        assert_eq!(policy.target(), 1);
    }
}
