//! The books of local activities: which number an activity goes by at the moment.
//!
//! A local activity whose next attempt is far away is handed back: the workflow waits with a timer and schedules it
//! again, under another number. Whoever awaits it knows it by its first.

use std::time::Duration;

use stead_activation::{ActivityResolution, CallSite, LocalActivityBackoff, ScheduleLocalActivity, Seq};
use stead_data::Failure;

/// The local activities of a run that have not ended.
#[derive(Debug, Default)]
pub(crate) struct LocalActivities {
    calls: Vec<Call>,
}

#[derive(Debug)]
struct Call {
    /// Its first number.
    id: Seq,
    now: Now,
    request: Box<ScheduleLocalActivity>,
    at: CallSite,
}

/// ```text
///           back off: StartTimer           timer fired: ScheduleLocalActivity
/// Attempt ─────────────────────▶ Backoff ─────────────────────────────────────▶ Attempt
/// ```
#[derive(Debug)]
enum Now {
    /// It runs under this number.
    Attempt(Seq),
    /// It waits for this timer.
    Backoff { timer: Seq, next: LocalActivityBackoff },
}

/// What an end means to who awaits it.
pub(crate) enum LocalEnded {
    /// This, under this number.
    Resolved(Seq, ActivityResolution),
    /// Nothing yet.
    BacksOff { timer: Seq, delay: Duration, at: CallSite },
}

/// What cancels a local activity.
pub(crate) enum CancelLocal {
    /// Cancelling the one of this number.
    Attempt(Seq),
    /// Cancelling this timer, and this is how it ended.
    Backoff { timer: Seq, resolution: ActivityResolution },
}

impl LocalActivities {
    /// Notes a local activity that was scheduled.
    pub(crate) fn add(&mut self, request: Box<ScheduleLocalActivity>, at: CallSite) {
        let seq = request.seq;
        self.calls.push(Call { id: seq, now: Now::Attempt(seq), request, at });
    }

    /// The activity of this number ended for now.
    pub(crate) fn ended(
        &mut self,
        seq: Seq,
        resolution: ActivityResolution,
        next_timer: impl FnOnce() -> Seq,
    ) -> LocalEnded {
        let Some(place) = self.calls.iter().position(|call| matches!(call.now, Now::Attempt(own) if own == seq)) else {
            return LocalEnded::Resolved(seq, resolution);
        };
        let ActivityResolution::BackOff(next) = resolution else {
            return LocalEnded::Resolved(self.calls.remove(place).id, resolution);
        };
        let call = &mut self.calls[place];
        let (timer, delay) = (next_timer(), next.delay);
        call.now = Now::Backoff { timer, next: *next };
        LocalEnded::BacksOff { timer, delay, at: call.at }
    }

    /// This timer fired. Returns what is to be scheduled, if a local activity waited for it.
    pub(crate) fn waited(
        &mut self,
        timer: Seq,
        next_seq: impl FnOnce() -> Seq,
    ) -> Option<(Box<ScheduleLocalActivity>, CallSite)> {
        let is_waiting = |call: &&mut Call| matches!(call.now, Now::Backoff { timer: own, .. } if own == timer);
        let call = self.calls.iter_mut().find(is_waiting)?;
        let Now::Backoff { next, .. } = &call.now else { return None };
        let seq = next_seq();
        // As in other SDKs, an id that nobody chose follows the number.
        let is_numbered = call.request.activity_id == call.request.seq.to_string();
        let activity_id = if is_numbered { seq.to_string() } else { call.request.activity_id.clone() };
        let request = ScheduleLocalActivity {
            seq,
            activity_id,
            attempt: next.attempt,
            original_schedule_time: Some(next.original_schedule_time),
            ..(*call.request).clone()
        };
        call.now = Now::Attempt(seq);
        Some((Box::new(request), call.at))
    }

    /// The activity with this first number is to be cancelled. `None` if it is not a local one.
    pub(crate) fn cancel(&mut self, id: Seq) -> Option<CancelLocal> {
        let place = self.calls.iter().position(|call| call.id == id)?;
        match self.calls[place].now {
            Now::Attempt(seq) => Some(CancelLocal::Attempt(seq)),
            Now::Backoff { timer, .. } => {
                self.calls.remove(place);
                Some(CancelLocal::Backoff { timer, resolution: cancelled() })
            }
        }
    }
}

fn cancelled() -> ActivityResolution {
    ActivityResolution::Cancelled(Box::new(Failure::cancelled("Local Activity cancelled").into_proto()))
}
