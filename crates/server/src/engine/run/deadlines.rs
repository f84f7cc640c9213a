//! [`Deadlines`]: what a run has to do at which instant. Its earliest entry is the run's next timeout.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Time;
use super::super::nexus::operation::OperationDeadline;

/// What happens to a run when time has passed. The order is that in which they are looked at when several are due: the
/// end of the run leaves nothing else to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deadline {
    /// The run has taken too long.
    Run,
    /// The chain of runs has taken too long.
    Execution,
    /// The first workflow task may be scheduled.
    FirstTask,
    /// Nobody took the workflow task in time.
    TaskScheduleToStart,
    /// The worker did not answer in time. Timers of the workflow fire after it and before what follows.
    TaskStartToClose,
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

/// What has fallen due.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// A timer of the workflow, by its id.
    Timer(String),
    /// Something else.
    Deadline(Deadline),
}

/// Each deadline at most once, earliest first.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    instants: BTreeMap<Deadline, Time>,
    order: BTreeSet<(Time, Deadline)>,
    /// The ids of timers, of which there may be thousands. Those of one instant fire in the order of their started events.
    timers: BTreeMap<(Time, i64), String>,
}

impl Deadlines {
    pub(crate) fn set(&mut self, deadline: Deadline, at: Option<Time>) {
        let old = match at {
            Some(at) => self.instants.insert(deadline, at),
            None => self.instants.remove(&deadline),
        };
        if old == at {
            return;
        }
        if let Some(old) = old {
            self.order.remove(&(old, deadline));
        }
        if let Some(at) = at {
            self.order.insert((at, deadline));
        }
    }

    /// A timer that an event has started is to fire.
    pub(crate) fn set_timer(&mut self, at: Time, started_event_id: i64, id: String) {
        self.timers.insert((at, started_event_id), id);
    }

    /// It is not.
    pub(crate) fn remove_timer(&mut self, at: Time, started_event_id: i64) {
        self.timers.remove(&(at, started_event_id));
    }

    pub(crate) fn next(&self) -> Option<Time> {
        let (other, timer) = (self.order.first(), self.timers.first_key_value());
        other.map(|(at, _)| *at).into_iter().chain(timer.map(|((at, _), _)| *at)).min()
    }

    /// Takes the earliest deadline, if it is due.
    pub(crate) fn take_due(&mut self, now: Time) -> Option<Due> {
        if self.next()? > now {
            return None;
        }
        if self.timer_is_next() {
            return self.timers.pop_first().map(|(_, id)| Due::Timer(id));
        }
        let (_, deadline) = self.order.pop_first()?;
        self.instants.remove(&deadline);
        Some(Due::Deadline(deadline))
    }

    fn timer_is_next(&self) -> bool {
        let Some(((at, _), _)) = self.timers.first_key_value() else { return false };
        self.order.first().is_none_or(|other| *other > (*at, Deadline::TaskStartToClose))
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
        assert_eq!(deadlines.take_due(late), Some(Due::Deadline(Deadline::Run)));
        assert_eq!(deadlines.next(), None);
    }

    #[test]
    fn timers_fire_in_the_order_of_their_events_between_the_tasks_deadlines_and_those_of_activities() {
        let (early, late) = (Time::from_unix_nanos(1), Time::from_unix_nanos(2));
        let activity = Deadline::Activity(3, ActivityDeadline::Retry);
        let mut deadlines = Deadlines::default();
        for (at, event) in [(late, 9), (late, 5), (late, 7), (early, 8)] {
            deadlines.set_timer(at, event, event.to_string());
        }
        deadlines.remove_timer(late, 7);
        deadlines.set(activity, Some(late));
        deadlines.set(Deadline::TaskStartToClose, Some(late));
        let timer = |id: &str| Due::Timer(id.to_owned());
        let [task, activity] = [Deadline::TaskStartToClose, activity].map(Due::Deadline);
        assert_eq!(deadlines.next(), Some(early));
        let due: Vec<_> = std::iter::from_fn(|| deadlines.take_due(late)).collect();
        assert_eq!(due, [timer("8"), task, timer("5"), timer("9"), activity]);
    }
}
