//! The types of the last few events of a run, for reports of what came before.

use stead_proto::enums::v1::EventType;
use stead_proto::history::v1::HistoryEvent;

use super::event;
use crate::RecentEvent;

/// How many are kept: the event at hand and those before it.
const KEPT: usize = 8;

/// A ring of the types of events. Ids have no gaps, so an id says where its type is.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    types: [u8; KEPT],
    last: i64,
}

impl Recent {
    /// The event that is handled now.
    pub(crate) fn see(&mut self, event: &HistoryEvent) {
        self.types[place(event.event_id)] = u8::try_from(event.event_type).unwrap_or(0);
        self.last = event.event_id;
    }

    /// The type of an event, if it is one of the last.
    pub(crate) fn event_type(&self, event_id: i64) -> Option<&'static str> {
        let is_kept = event_id > 0 && event_id <= self.last && self.last - event_id < KEPT as i64;
        is_kept.then(|| event::type_name(self.types[place(event_id)].into()))
    }

    /// Those before an event that are still known, the oldest first.
    pub(crate) fn before(&self, event_id: i64) -> Vec<RecentEvent> {
        let ids = event_id.saturating_sub(KEPT as i64)..event_id;
        ids.filter_map(|event_id| Some(RecentEvent { event_id, event_type: self.event_type(event_id)? })).collect()
    }
}

/// Where the type of an event is. Ids count from 1.
fn place(event_id: i64) -> usize {
    event_id.unsigned_abs() as usize % KEPT
}

// A type beyond would be reported as unspecified.
const _: () = assert!((EventType::WorkflowExecutionUnpaused as i32) < 256);

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(events: i64) -> Recent {
        let mut recent = Recent::default();
        for event_id in 1..=events {
            let event_type = EventType::TimerStarted.into();
            recent.see(&HistoryEvent { event_id, event_type, ..HistoryEvent::default() });
        }
        recent
    }

    #[test]
    fn the_last_events_are_known_and_older_ones_are_not() {
        let recent = seen(20);
        let ids = |before| recent.before(before).iter().map(|event| event.event_id).collect::<Vec<_>>();
        assert_eq!(ids(20), [13, 14, 15, 16, 17, 18, 19]);
        assert_eq!(ids(21), [13, 14, 15, 16, 17, 18, 19, 20]);
        assert_eq!(recent.event_type(12), None);
        assert_eq!(recent.event_type(20), Some("TIMER_STARTED"));
        assert_eq!(recent.event_type(21), None);
    }

    #[test]
    fn a_young_history_has_few_events() {
        assert_eq!(seen(2).before(2).len(), 1);
        assert!(seen(0).before(1).is_empty());
        assert_eq!(seen(1).event_type(0), None);
    }
}
