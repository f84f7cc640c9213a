//! One sequence of history at a time, event by event.

use stead_proto::history::v1::HistoryEvent;

use super::Machines;
use crate::fault::{Fault, Problem};
use crate::history::Sequence;
use crate::history::event::{Kind, kind};
use crate::protocol::Incoming;

/// What to do after an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum After {
    /// Go on.
    Next,
    /// Leave the next event out.
    SkipNext,
}

/// Where an event stands.
pub(super) struct Surroundings<'a> {
    /// The event after it, if that belongs to the same sequence.
    pub(super) next: Option<&'a HistoryEvent>,
    /// Whether history ends with its sequence.
    pub(super) is_last_sequence: bool,
}

impl Machines {
    /// Applies a sequence. `previous_started` is the start of the last completed task when the current one was made.
    pub(crate) fn apply(&mut self, sequence: Sequence<'_>, previous_started: i64) -> Result<(), Fault> {
        let Sequence { events, ahead, is_last, is_task } = sequence;
        if events.last().is_some_and(|event| event.event_id > self.progress.last_event) {
            self.progress.activation_index = 0;
        }
        self.expect_updates(ahead);
        let (events, unseen) = events.split_at_mut(if is_task { events.len() } else { seen(events) });
        self.apply_events(events, is_last, previous_started)?;
        self.notice_ahead(ahead)?;
        if is_task {
            return self.handle_incoming(|update| is_last || update.is_accepted);
        }
        self.incoming.retain(|update| !update.is_accepted);
        if unseen.last().is_some_and(|event| kind(event).is_final()) {
            self.apply_after_the_code(unseen, previous_started)?;
        } else if unseen.iter().any(|event| kind(event).is_command()) {
            return Ok(());
        }
        self.settle(self.progress.last_event)
    }

    /// The end of a closed run that the code did not live to see: machines see it, the code hears nothing.
    fn apply_after_the_code(&mut self, events: &mut [HistoryEvent], previous_started: i64) -> Result<(), Fault> {
        let jobs = self.jobs.len();
        let applied = self.apply_events(events, true, previous_started);
        self.jobs.truncate(jobs);
        applied
    }

    fn apply_events(
        &mut self,
        events: &mut [HistoryEvent],
        is_last_sequence: bool,
        previous_started: i64,
    ) -> Result<(), Fault> {
        let mut rest = events;
        let mut after = After::Next;
        while let Some((event, following)) = rest.split_first_mut() {
            if event.event_id > self.progress.last_event {
                self.check_continuity(event)?;
                self.recent.see(event);
                if is_last_sequence && event.event_id > previous_started && is_news(event) {
                    self.progress.is_replaying = false;
                }
                self.handle_incoming(|update| update.sequencing_id < event.event_id)?;
                if after == After::Next {
                    let surroundings = Surroundings { next: following.first(), is_last_sequence };
                    after = self.handle_event(event, &surroundings)?;
                } else {
                    after = After::Next;
                }
                self.progress.last_event = event.event_id;
            }
            rest = following;
        }
        Ok(())
    }

    fn check_continuity(&self, event: &HistoryEvent) -> Result<(), Fault> {
        if event.event_id != self.progress.last_event + 1 {
            return Err(Fault::event(event, Problem::Gap { last: self.progress.last_event }));
        }
        if self.progress.is_closed {
            return Err(Fault::event(event, Problem::AfterTheEnd));
        }
        Ok(())
    }

    /// Hands the requests for updates whose turn it is to the code.
    fn handle_incoming(&mut self, is_due: impl Fn(&Incoming) -> bool) -> Result<(), Fault> {
        if self.incoming.is_empty() {
            return Ok(());
        }
        let due = if self.incoming.iter().all(&is_due) {
            std::mem::take(&mut self.incoming)
        } else {
            self.incoming.extract_if(.., |update| is_due(update)).collect()
        };
        due.into_iter().try_for_each(|update| self.request_update(update))
    }
}

/// Whether an event proves that a task is new: nothing that the SDK did brought it about.
fn is_news(event: &HistoryEvent) -> bool {
    let kind = kind(event);
    kind != Kind::TaskCompleted && !kind.is_command()
}

/// How many events at the end of a history the code has seen: those up to the last completed task, and the traces of
/// that task's commands. What follows came too late, or waits for a task.
fn seen(events: &[HistoryEvent]) -> usize {
    let Some(completed) = events.iter().rposition(|event| kind(event) == Kind::TaskCompleted) else {
        return usize::from(events.first().is_some_and(|event| kind(event) == Kind::Started));
    };
    let traces = events[completed + 1..].iter().take_while(|event| kind(event).is_command()).count();
    completed + 1 + traces
}
