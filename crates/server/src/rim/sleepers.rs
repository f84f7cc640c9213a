//! [`Sleepers`]: who waits for the server's clock.

use std::collections::{BTreeMap, HashMap};

use tokio::sync::oneshot;

use crate::clock::ClockError;
use crate::engine::{CallId, Time};

/// Where a sleeper is woken. Whoever does not sleep any more has closed it.
pub(super) type Wake = oneshot::Sender<Result<Time, ClockError>>;

/// Who waits for the server's clock.
#[derive(Debug, Default)]
pub(super) struct Sleepers {
    by_time: BTreeMap<(Time, CallId), Sleeper>,
    times: HashMap<CallId, Time>,
}

#[derive(Debug)]
pub(super) struct Sleeper {
    pub(super) wake: Wake,
    /// Whether skipping is to be locked when time has come.
    pub(super) locks: bool,
}

impl Sleepers {
    pub(super) fn insert(&mut self, call: CallId, until: Time, sleeper: Sleeper) {
        self.by_time.insert((until, call), sleeper);
        self.times.insert(call, until);
    }

    /// Forgets who has gone away. What is to be locked then is locked all the same.
    pub(super) fn forget(&mut self, call: CallId) {
        let Some(until) = self.times.get(&call) else { return };
        let key = (*until, call);
        if self.by_time.get(&key).is_some_and(|sleeper| !sleeper.locks) {
            self.by_time.remove(&key);
            self.times.remove(&call);
        }
    }

    pub(super) fn pop_due(&mut self, now: Time) -> Option<Sleeper> {
        let entry = self.by_time.first_entry().filter(|entry| entry.key().0 <= now)?;
        let ((_, call), sleeper) = entry.remove_entry();
        self.times.remove(&call);
        Some(sleeper)
    }

    pub(super) fn next(&self) -> Option<Time> {
        self.by_time.keys().next().map(|(until, _)| *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper(locks: bool) -> Sleeper {
        Sleeper { wake: oneshot::channel().0, locks }
    }

    #[test]
    fn who_goes_away_is_forgotten_unless_a_lock_hangs_on_it() {
        let (early, late) = (Time::from_unix_nanos(1), Time::from_unix_nanos(2));
        let mut sleepers = Sleepers::default();
        sleepers.insert(CallId(1), early, sleeper(false));
        sleepers.insert(CallId(2), late, sleeper(true));
        sleepers.forget(CallId(1));
        sleepers.forget(CallId(2));
        sleepers.forget(CallId(3));
        assert_eq!(sleepers.next(), Some(late));
        assert!(sleepers.pop_due(early).is_none());
        assert!(sleepers.pop_due(late).is_some_and(|sleeper| sleeper.locks));
        assert!(sleepers.times.is_empty());
    }
}
