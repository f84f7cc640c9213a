//! [`Waiting`]: the calls that are not answered yet, and when each has waited enough.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use tokio::sync::oneshot;

use crate::engine::{CallId, Refusal, Response};

/// Where a call's answer goes. Whoever does not wait any more has closed it.
pub(super) type Reply = oneshot::Sender<Result<Response, Refusal>>;

/// A call that is not answered yet.
///
/// ```text
///   fresh ──expires──▶ expired ──ends──▶ given up
///     └───────────────ends first────────────▲
/// ```
#[derive(Debug)]
pub(super) struct Open {
    pub(super) reply: Reply,
    /// When it is answered with what there is.
    pub(super) expires: Instant,
    /// When its caller stops waiting, if it says.
    pub(super) ends: Option<Instant>,
}

/// What is due for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// It has to be answered with what there is.
    Expired,
    /// Nothing answered it even then, and its caller waits no longer.
    Ended,
}

/// The calls that are not answered yet.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    calls: HashMap<CallId, Entry>,
    due: BTreeSet<(Instant, CallId)>,
}

#[derive(Debug)]
struct Entry {
    open: Open,
    at: Instant,
    next: Due,
}

impl Waiting {
    pub(super) fn insert(&mut self, call: CallId, open: Open) {
        // Who stops waiting by then does not hear how far things have come.
        let ends = open.ends.filter(|ends| *ends <= open.expires);
        let (at, next) = ends.map_or((open.expires, Due::Expired), |ends| (ends, Due::Ended));
        self.due.insert((at, call));
        self.calls.insert(call, Entry { open, at, next });
    }

    pub(super) fn remove(&mut self, call: CallId) -> Option<Reply> {
        let Entry { open, at, .. } = self.calls.remove(&call)?;
        self.due.remove(&(at, call));
        Some(open.reply)
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// A call of which something is due by now, and what. The call stays until it is removed.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<(CallId, Due)> {
        let (at, call) = *self.due.first().filter(|(at, _)| *at <= now)?;
        self.due.pop_first();
        let entry = self.calls.get_mut(&call)?;
        let due = std::mem::replace(&mut entry.next, Due::Ended);
        if due == Due::Expired {
            entry.at = entry.open.ends.map_or(at, |ends| ends.max(at));
            self.due.insert((entry.at, call));
        }
        Some((call, due))
    }

    /// All calls, in the order in which they came.
    pub(super) fn ids(&self) -> Vec<CallId> {
        let mut ids: Vec<_> = self.calls.keys().copied().collect();
        ids.sort_unstable();
        ids
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn open(expires: Instant, ends: Option<Instant>) -> Open {
        Open { reply: oneshot::channel().0, expires, ends }
    }

    #[test]
    fn a_call_expires_and_then_ends() {
        let (mut waiting, now) = (Waiting::default(), Instant::now());
        waiting.insert(CallId(1), open(now + SECOND, Some(now + 2 * SECOND)));
        waiting.insert(CallId(2), open(now + SECOND, None));
        assert_eq!(waiting.pop_due(now), None);
        assert_eq!(waiting.pop_due(now + SECOND), Some((CallId(1), Due::Expired)));
        assert_eq!(waiting.pop_due(now + SECOND), Some((CallId(2), Due::Expired)));
        assert_eq!(waiting.pop_due(now + SECOND), Some((CallId(2), Due::Ended)), "nobody says that it waits longer");
        assert_eq!(waiting.pop_due(now + SECOND), None);
        assert_eq!(waiting.next_due(), Some(now + 2 * SECOND));
        assert_eq!(waiting.pop_due(now + 2 * SECOND), Some((CallId(1), Due::Ended)));
    }

    #[test]
    fn a_call_whose_caller_gives_up_first_only_ends() {
        let (mut waiting, now) = (Waiting::default(), Instant::now());
        waiting.insert(CallId(1), open(now + SECOND, Some(now + SECOND)));
        assert_eq!(waiting.pop_due(now + SECOND), Some((CallId(1), Due::Ended)));
    }

    #[test]
    fn an_answered_call_leaves_nothing_behind() {
        let (mut waiting, now) = (Waiting::default(), Instant::now());
        waiting.insert(CallId(1), open(now, Some(now + SECOND)));
        waiting.pop_due(now);
        assert!(waiting.remove(CallId(1)).is_some());
        assert!(waiting.remove(CallId(1)).is_none());
        assert_eq!((waiting.next_due(), waiting.ids()), (None, vec![]));
    }
}
