//! Activities.

use stead_activation::{ActivityCancellation, ActivityResolution, Failure, Job, Seq};
use stead_proto::common::v1::{ActivityType, Payloads};
use stead_proto::enums::v1::RetryState;
use stead_proto::failure::v1::failure::FailureInfo;
use stead_proto::failure::v1::{ActivityFailureInfo, CanceledFailureInfo};
use stead_proto::history::v1::{
    ActivityTaskCanceledEventAttributes, ActivityTaskCompletedEventAttributes, ActivityTaskFailedEventAttributes,
    ActivityTaskTimedOutEventAttributes,
};

use super::Step;

/// An activity that has not ended.
#[derive(Debug)]
pub(super) struct Activity {
    pub(super) activity_type: Box<str>,
    /// `None` if it is the number as text, as it is unless the user chose one.
    id: Option<Box<str>>,
    cancellation: ActivityCancellation,
    state: State,
}

/// ```text
///            Scheduled event           Started event          Completed, Failed, TimedOut: resolved
/// Commanded ───────────────▶ Scheduled ─────────────▶ Started ────────────────────────────────────▶ ended
///     │                        │     └─────────────── TimedOut: resolved ─────────────────────────▶ ended
///     │ cancel: resolved       │ cancel: request         │ cancel: request
///     ▼                        ▼                         ▼
///   ended                 Cancelling{started: 0}    Cancelling{started}       (TryCancel: resolved at once)
/// (nothing sent)               │ CancelRequested event   │
///                              ▼                         ▼
///                         CancelRequested{started} ── Completed, Failed, TimedOut, Canceled ─▶ ended
///                                                     (resolved only if the code still waits)
///
/// Scheduled, Started ── cancel with Abandon: resolved ──▶ Abandoned ── whatever ends it ─▶ ended, silently
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The command waits for its event.
    Commanded,
    /// It waits for a worker.
    Scheduled { scheduled: i64 },
    /// A worker has it.
    Started { scheduled: i64, started: i64 },
    /// The command to cancel it waits for its event. `started` is zero if no worker has it.
    Cancelling { scheduled: i64, started: i64 },
    /// It was told to stop.
    CancelRequested { started: i64 },
    /// Nobody waits for it any more.
    Abandoned,
}

/// What cancelling an activity asks of the caller.
#[derive(Debug, PartialEq)]
#[must_use]
pub(super) enum CancelActivity {
    /// Take back the command that schedules it: it is ended, with this job.
    TakeBack(Job),
    /// Issue the command that cancels it; the job, if any, tells the code at once.
    Issue { scheduled_event_id: i64, job: Option<Job> },
    /// Tell the code, and nobody else.
    Abandon(Job),
    /// Nothing.
    Nothing,
}

impl Activity {
    /// An activity whose command was just issued.
    pub(super) fn new(seq: Seq, id: &str, activity_type: &str, cancellation: ActivityCancellation) -> Self {
        Self {
            activity_type: activity_type.into(),
            id: (!is_number(id, seq)).then(|| id.into()),
            cancellation,
            state: State::Commanded,
        }
    }

    /// Its id in history.
    pub(super) fn id(&self, seq: Seq) -> String {
        self.id.as_deref().map_or_else(|| seq.to_string(), str::to_owned)
    }

    /// Whether this is its id in history.
    pub(super) fn has_id(&self, seq: Seq, id: &str) -> bool {
        match &self.id {
            Some(own) => **own == *id,
            None => is_number(id, seq),
        }
    }

    /// The code cancels it.
    pub(super) fn cancel(&mut self, seq: Seq) -> CancelActivity {
        let (scheduled, started) = match self.state {
            State::Commanded => return CancelActivity::TakeBack(self.resolve_cancelled(seq, 0, 0)),
            State::Scheduled { scheduled } => (scheduled, 0),
            State::Started { scheduled, started } => (scheduled, started),
            State::Cancelling { .. } | State::CancelRequested { .. } | State::Abandoned => {
                return CancelActivity::Nothing;
            }
        };
        let job = self.resolve_cancelled(seq, scheduled, started);
        self.state = State::Cancelling { scheduled, started };
        match self.cancellation {
            ActivityCancellation::TryCancel => CancelActivity::Issue { scheduled_event_id: scheduled, job: Some(job) },
            ActivityCancellation::WaitCancellationCompleted => {
                CancelActivity::Issue { scheduled_event_id: scheduled, job: None }
            }
            ActivityCancellation::Abandon => {
                self.state = State::Abandoned;
                CancelActivity::Abandon(job)
            }
        }
    }

    /// `ActivityTaskScheduled`.
    pub(super) fn scheduled(&mut self, event_id: i64) -> Step {
        match self.state {
            State::Commanded => self.goes_on_as(State::Scheduled { scheduled: event_id }),
            _ => Step::Illegal,
        }
    }

    /// `ActivityTaskStarted`.
    pub(super) fn started(&mut self, event_id: i64) -> Step {
        match self.state {
            State::Scheduled { scheduled } => self.goes_on_as(State::Started { scheduled, started: event_id }),
            State::CancelRequested { started: 0 } => self.goes_on_as(State::CancelRequested { started: event_id }),
            State::Abandoned => Step::Going,
            _ => Step::Illegal,
        }
    }

    /// `ActivityTaskCancelRequested`.
    pub(super) fn cancel_requested(&mut self) -> Step {
        match self.state {
            State::Cancelling { started, .. } => self.goes_on_as(State::CancelRequested { started }),
            _ => Step::Illegal,
        }
    }

    /// `ActivityTaskCompleted`.
    pub(super) fn completed(&self, seq: Seq, event: &mut ActivityTaskCompletedEventAttributes) -> Step {
        if !self.is_started() {
            return Step::Illegal;
        }
        self.end(seq, || ActivityResolution::Completed(first(event.result.take())))
    }

    /// `ActivityTaskFailed`.
    pub(super) fn failed(&self, seq: Seq, event: &mut ActivityTaskFailedEventAttributes) -> Step {
        if !self.is_started() {
            return Step::Illegal;
        }
        self.end(seq, || {
            ActivityResolution::Failed(Box::new(Failure {
                message: "Activity task failed".to_owned(),
                cause: event.failure.take().map(Box::new),
                failure_info: Some(self.failure_info(
                    seq,
                    std::mem::take(&mut event.identity),
                    event.retry_state,
                    (event.scheduled_event_id, event.started_event_id),
                )),
                ..Failure::default()
            }))
        })
    }

    /// `ActivityTaskTimedOut`.
    pub(super) fn timed_out(&self, seq: Seq, event: &mut ActivityTaskTimedOutEventAttributes) -> Step {
        if matches!(self.state, State::Commanded | State::Cancelling { .. }) {
            return Step::Illegal;
        }
        self.end(seq, || {
            ActivityResolution::Failed(Box::new(Failure {
                message: "Activity task timed out".to_owned(),
                cause: event.failure.take().map(Box::new),
                failure_info: Some(self.failure_info(
                    seq,
                    String::new(),
                    event.retry_state,
                    (event.scheduled_event_id, event.started_event_id),
                )),
                ..Failure::default()
            }))
        })
    }

    /// `ActivityTaskCanceled`.
    pub(super) fn cancelled(&self, seq: Seq, event: &mut ActivityTaskCanceledEventAttributes) -> Step {
        if !matches!(self.state, State::CancelRequested { .. } | State::Abandoned) {
            return Step::Illegal;
        }
        let ids = (event.scheduled_event_id, event.started_event_id);
        self.end(seq, || {
            let identity = std::mem::take(&mut event.identity);
            ActivityResolution::Cancelled(self.cancellation_failure(seq, event.details.take(), identity, ids))
        })
    }

    fn goes_on_as(&mut self, state: State) -> Step {
        self.state = state;
        Step::Going
    }

    const fn is_started(&self) -> bool {
        match self.state {
            State::Started { .. } | State::Abandoned => true,
            State::CancelRequested { started } => started > 0,
            State::Commanded | State::Scheduled { .. } | State::Cancelling { .. } => false,
        }
    }

    /// It ended. The code hears of it if it still waits.
    fn end(&self, seq: Seq, resolution: impl FnOnce() -> ActivityResolution) -> Step {
        let was_told = match self.state {
            State::Abandoned => true,
            State::CancelRequested { .. } => self.cancellation == ActivityCancellation::TryCancel,
            _ => false,
        };
        Step::Ended((!was_told).then(|| Job::ResolveActivity { seq, resolution: resolution() }))
    }

    /// The code does not wait for the event that ends it.
    fn resolve_cancelled(&self, seq: Seq, scheduled: i64, started: i64) -> Job {
        let failure = self.cancellation_failure(seq, None, String::new(), (scheduled, started));
        Job::ResolveActivity { seq, resolution: ActivityResolution::Cancelled(failure) }
    }

    fn cancellation_failure(
        &self,
        seq: Seq,
        details: Option<Payloads>,
        identity: String,
        events: (i64, i64),
    ) -> Box<Failure> {
        let cause = CanceledFailureInfo { details, ..CanceledFailureInfo::default() };
        let retry_state = RetryState::CancelRequested.into();
        Box::new(Failure {
            message: "Activity cancelled".to_owned(),
            cause: Some(Box::new(Failure {
                failure_info: Some(FailureInfo::CanceledFailureInfo(cause)),
                ..Failure::default()
            })),
            failure_info: Some(self.failure_info(seq, identity, retry_state, events)),
            ..Failure::default()
        })
    }

    fn failure_info(&self, seq: Seq, identity: String, retry_state: i32, events: (i64, i64)) -> FailureInfo {
        FailureInfo::ActivityFailureInfo(ActivityFailureInfo {
            scheduled_event_id: events.0,
            started_event_id: events.1,
            identity,
            activity_type: Some(ActivityType { name: self.activity_type.clone().into() }),
            activity_id: self.id(seq),
            retry_state,
        })
    }
}

/// Whether `id` is `seq` as text.
fn is_number(id: &str, seq: Seq) -> bool {
    id.starts_with(|first| matches!(first, '1'..='9')) && id.parse() == Ok(seq)
}

/// The one result of an activity. Activities of other SDKs return one payload or none.
fn first(payloads: Option<Payloads>) -> Option<stead_activation::Payload> {
    payloads.and_then(|payloads| payloads.payloads.into_iter().next())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Event = fn(&mut Activity) -> Step;

    const CANCELLATIONS: [ActivityCancellation; 3] = [
        ActivityCancellation::TryCancel,
        ActivityCancellation::WaitCancellationCompleted,
        ActivityCancellation::Abandon,
    ];

    fn describe(step: &Step) -> &'static str {
        match step {
            Step::Going => "goes on",
            Step::Ended(None) => "ends silently",
            Step::Ended(Some(Job::ResolveActivity { resolution, .. })) => match resolution {
                ActivityResolution::Completed(_) => "completes",
                ActivityResolution::Failed(_) => "fails",
                ActivityResolution::Cancelled(_) => "is cancelled",
                ActivityResolution::BackOff(_) => "backs off",
            },
            Step::Ended(Some(_)) => "ends strangely",
            Step::Told(_) | Step::StartedAndEnded(..) => "not of an activity",
            Step::Illegal => "illegal",
        }
    }

    fn activity(state: State, cancellation: ActivityCancellation) -> Activity {
        Activity { state, ..Activity::new(1, "1", "charge", cancellation) }
    }

    /// Every event in every state that can be reached; the cancellation type matters where it is named.
    #[test]
    fn transition_table() {
        let events: [(&str, Event); 7] = [
            ("scheduled", |activity| activity.scheduled(5)),
            ("started", |activity| activity.started(6)),
            ("cancel requested", Activity::cancel_requested),
            ("completed", |activity| activity.completed(1, &mut ActivityTaskCompletedEventAttributes::default())),
            ("failed", |activity| activity.failed(1, &mut ActivityTaskFailedEventAttributes::default())),
            ("timed out", |activity| activity.timed_out(1, &mut ActivityTaskTimedOutEventAttributes::default())),
            ("cancelled", |activity| activity.cancelled(1, &mut ActivityTaskCanceledEventAttributes::default())),
        ];
        let states = [
            State::Commanded,
            State::Scheduled { scheduled: 5 },
            State::Started { scheduled: 5, started: 6 },
            State::Cancelling { scheduled: 5, started: 0 },
            State::CancelRequested { started: 0 },
            State::CancelRequested { started: 6 },
            State::Abandoned,
        ];
        let mut table = String::new();
        for state in states {
            for (name, event) in events {
                let outcomes = CANCELLATIONS.map(|cancellation| {
                    let mut activity = activity(state, cancellation);
                    let step = event(&mut activity);
                    if step == Step::Illegal {
                        assert_eq!(activity.state, state, "an illegal event changed the state");
                    }
                    describe(&step)
                });
                if outcomes == ["illegal"; 3] {
                    continue;
                }
                let outcome = if outcomes[0] == outcomes[1] {
                    outcomes[0].to_owned()
                } else {
                    format!("{} (TryCancel), {} (Wait)", outcomes[0], outcomes[1])
                };
                table += &format!("{state:?} {name}: {outcome}\n");
            }
        }
        let expected = "\
Commanded scheduled: goes on
Scheduled { scheduled: 5 } started: goes on
Scheduled { scheduled: 5 } timed out: fails
Started { scheduled: 5, started: 6 } completed: completes
Started { scheduled: 5, started: 6 } failed: fails
Started { scheduled: 5, started: 6 } timed out: fails
Cancelling { scheduled: 5, started: 0 } cancel requested: goes on
CancelRequested { started: 0 } started: goes on
CancelRequested { started: 0 } timed out: ends silently (TryCancel), fails (Wait)
CancelRequested { started: 0 } cancelled: ends silently (TryCancel), is cancelled (Wait)
CancelRequested { started: 6 } completed: ends silently (TryCancel), completes (Wait)
CancelRequested { started: 6 } failed: ends silently (TryCancel), fails (Wait)
CancelRequested { started: 6 } timed out: ends silently (TryCancel), fails (Wait)
CancelRequested { started: 6 } cancelled: ends silently (TryCancel), is cancelled (Wait)
Abandoned started: goes on
Abandoned completed: ends silently
Abandoned failed: ends silently
Abandoned timed out: ends silently
Abandoned cancelled: ends silently
";
        assert_eq!(table, expected);
    }

    #[test]
    fn cancelling_in_every_state() {
        let describe = |cancel| match cancel {
            CancelActivity::TakeBack(_) => "taken back",
            CancelActivity::Issue { job: Some(_), .. } => "asked, resolved",
            CancelActivity::Issue { job: None, .. } => "asked",
            CancelActivity::Abandon(_) => "resolved",
            CancelActivity::Nothing => "nothing",
        };
        let cancel = |state| CANCELLATIONS.map(|cancellation| describe(activity(state, cancellation).cancel(1)));
        assert_eq!(cancel(State::Commanded), ["taken back"; 3]);
        assert_eq!(cancel(State::Scheduled { scheduled: 5 }), ["asked, resolved", "asked", "resolved"]);
        assert_eq!(cancel(State::Started { scheduled: 5, started: 6 }), ["asked, resolved", "asked", "resolved"]);
        assert_eq!(cancel(State::Cancelling { scheduled: 5, started: 6 }), ["nothing"; 3]);
        assert_eq!(cancel(State::CancelRequested { started: 6 }), ["nothing"; 3]);
        assert_eq!(cancel(State::Abandoned), ["nothing"; 3]);
    }

    #[test]
    fn only_ids_that_are_not_the_number_are_kept() {
        for (id, is_kept) in [("1", false), ("01", true), ("+1", true), ("2", true), ("", true)] {
            let activity = Activity::new(1, id, "charge", ActivityCancellation::TryCancel);
            assert_eq!(activity.id.is_some(), is_kept, "{id}");
            assert_eq!(activity.id(1), id);
            assert!(activity.has_id(1, id));
            assert!(!activity.has_id(1, "other"));
        }
    }
}
