//! [`Deadlines`]: what a run has to do at which instant. Its earliest entry is the run's next timeout.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Time;
use super::super::nexus::operation::OperationDeadline;

/// What happens to a run when time has passed. The order is that in which they are looked at when several are due: the
/// end of the run leaves nothing else to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deadline {
    /// The run has taken too long.
    Run,
    /// The chain of runs has taken too long.
    Execution,
    /// The first workflow task may be scheduled.
    FirstTask,
    /// Nobody took the workflow task in time.
    TaskScheduleToStart,
    /// The worker did not answer in time.
    TaskStartToClose,
    /// A timer fires, by its started event, in whose order those of one instant fire, and its id.
    Timer(i64, String),
    /// An activity, by its scheduled event.
    Activity(i64, ActivityDeadline),
    /// A Nexus operation, by its scheduled event.
    Operation(i64, OperationDeadline),
    /// The run is not to skip time any further.
    FastForward,
}

/// What happens to an activity. The order is that in which they are looked at when several are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ActivityDeadline {
    ScheduleToStart,
    ScheduleToClose,
    StartToClose,
    Heartbeat,
    /// The backoff is over.
    Retry,
}

/// Each deadline at most once, earliest first.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    instants: BTreeMap<Deadline, Time>,
    order: BTreeSet<(Time, Deadline)>,
}

impl Deadlines {
    pub(crate) fn set(&mut self, deadline: Deadline, at: Option<Time>) {
        let old = match at {
            Some(at) => self.instants.insert(deadline.clone(), at),
            None => self.instants.remove(&deadline),
        };
        if old == at {
            return;
        }
        if let Some(old) = old {
            self.order.remove(&(old, deadline.clone()));
        }
        if let Some(at) = at {
            self.order.insert((at, deadline));
        }
    }

    pub(crate) fn next(&self) -> Option<Time> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Takes the earliest deadline, if it is due.
    pub(crate) fn take_due(&mut self, now: Time) -> Option<Deadline> {
        if self.next()? > now {
            return None;
        }
        let (_, deadline) = self.order.pop_first()?;
        self.instants.remove(&deadline);
        Some(deadline)
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_that_moves_is_due_once_and_at_its_new_instant() {
        let (early, late) = (Time::from_unix_nanos(1), Time::from_unix_nanos(2));
        let mut deadlines = Deadlines::default();
        deadlines.set(Deadline::Run, Some(early));
        deadlines.set(Deadline::Run, Some(late));
        deadlines.set(Deadline::Execution, Some(late));
        deadlines.set(Deadline::Execution, None);
        assert_eq!(deadlines.take_due(early), None);
        assert_eq!(deadlines.take_due(late), Some(Deadline::Run));
        assert_eq!(deadlines.next(), None);
    }
}
