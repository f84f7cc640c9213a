//! How often something may happen.

use std::time::Duration;

use crate::Instant;

/// At most so many a second, evenly: each waits until its turn has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateLimit {
    interval: Duration,
    /// When the next turn begins.
    next: Instant,
}

impl RateLimit {
    /// `None` if `per_second` is no rate: not above zero, or not finite.
    pub fn new(per_second: f64) -> Option<Self> {
        let interval = Duration::try_from_secs_f64(per_second.recip()).ok()?;
        (per_second > 0.0 && !interval.is_zero()).then_some(Self { interval, next: Instant::default() })
    }

    /// Takes the next turn. Returns how long it is until then.
    pub fn take(&mut self, now: Instant) -> Duration {
        let turn = self.next.max(now);
        self.next = turn + self.interval;
        turn.saturating_duration_since(now)
    }

    /// Takes a turn if one has come. Returns whether it has.
    pub fn try_take(&mut self, now: Instant) -> bool {
        let is_due = self.next <= now;
        if is_due {
            self.next = now + self.interval;
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_come_at_the_rate_and_are_not_saved_up() {
        let mut limit = RateLimit::new(10.0).expect("a rate");
        let at = |millis| Instant::from_origin(Duration::from_millis(millis));
        let mut wait = |now| limit.take(at(now)).as_millis();
        assert_eq!((wait(1000), wait(1000), wait(1000)), (0, 100, 200));
        assert_eq!((wait(5000), wait(5000)), (0, 100));
        assert!(!limit.try_take(at(5150)));
        assert!(limit.try_take(at(5200)));
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(RateLimit::new(rate), None, "{rate}");
        }
    }
}
