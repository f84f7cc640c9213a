//! [`Rate`]: how many a second, of late.

use std::time::Duration;

use crate::engine::Time;

/// Counts over the last 30 seconds, in steps of 5.
#[derive(Clone, Debug)]
pub(super) struct Rate {
    begun: Time,
    /// When the newest bucket began.
    bucket: Time,
    counts: [u32; BUCKETS],
    newest: usize,
}

const STEP: Duration = Duration::from_secs(5);
const WINDOW: Duration = Duration::from_secs(30);
const BUCKETS: usize = 7;

impl Rate {
    pub(super) fn new(now: Time) -> Self {
        Self { begun: now, bucket: now, counts: [0; BUCKETS], newest: 0 }
    }

    pub(super) fn count(&mut self, now: Time) {
        self.advance(now);
        self.counts[self.newest] = self.counts[self.newest].saturating_add(1);
    }

    /// How many a second. 0 in the instant of the beginning.
    pub(super) fn per_second(&self, now: Time) -> f32 {
        let mut current = self.clone();
        current.advance(now);
        let elapsed = now.since(current.begun).min(now.since(current.bucket) + WINDOW);
        if elapsed.is_zero() {
            return 0.0;
        }
        let total: u64 = current.counts.iter().copied().map(u64::from).sum();
        total as f32 / elapsed.as_secs_f32()
    }

    fn advance(&mut self, now: Time) {
        let elapsed = now.since(self.bucket);
        if elapsed < STEP {
            return;
        }
        let steps = elapsed.as_nanos() / STEP.as_nanos();
        for _ in 0..steps.min(BUCKETS as u128) {
            self.newest = (self.newest + 1) % BUCKETS;
            self.counts[self.newest] = 0;
        }
        let into_the_newest = elapsed.as_nanos() % STEP.as_nanos();
        self.bucket = now - Duration::from_nanos(u64::try_from(into_the_newest).unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_forgets_what_is_older_than_its_window() {
        let begun = Time::from_unix_nanos(0);
        let mut rate = Rate::new(begun);
        (0..60).for_each(|_| rate.count(begun));
        assert_eq!(rate.per_second(begun), 0.0);
        assert_eq!(rate.per_second(begun + Duration::from_secs(10)), 6.0);
        assert_eq!(rate.per_second(begun + Duration::from_secs(34)), 60.0 / 34.0);
        assert_eq!(rate.per_second(begun + Duration::from_secs(36)), 0.0);
    }
}
