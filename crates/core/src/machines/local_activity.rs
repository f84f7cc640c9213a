//! Local activities.

use std::time::{Duration, SystemTime};

use stead_activation::{
    ActivityCancellation, ActivityResolution, Failure, Job, LocalActivityBackoff, Payload, ScheduleLocalActivity, Seq,
};
use stead_proto::common::v1::ActivityType;
use stead_proto::enums::v1::{RetryState, TimeoutType};
use stead_proto::failure::v1::failure::FailureInfo;
use stead_proto::failure::v1::{ActivityFailureInfo, CanceledFailureInfo, TimeoutFailureInfo};

use super::Step;
use crate::Instant;
use crate::local::{LocalActivityAttempt, LocalActivityOutcome};
use crate::marker::LocalActivityMarker;
use crate::policy::{RetryDecision, next_retry};

/// A local activity that has not ended.
///
/// ```text
///          scheduled while live                    over, or cancelled            MarkerRecorded
///  ──────────────────────────────────▶ Running ──────────────────────▶ Recorded ────────────────▶ ended
///                                         ▲        RecordMarker, job
///                                         │ history is over
///          scheduled while replaying      │          marker ahead                MarkerRecorded
///  ──────────────────────────────────▶ Expected ─────────────────────▶ Foretold ────────────────▶ ended
///                                                       job
/// ```
#[derive(Debug)]
pub(super) struct LocalActivity {
    pub(super) request: Box<ScheduleLocalActivity>,
    /// Workflow time when the first attempt was scheduled, which may have been long before this one's.
    original_schedule_time: SystemTime,
    state: State,
}

#[derive(Debug)]
enum State {
    /// History may know how it ended.
    Expected { is_cancelled: bool },
    /// History does not know it.
    Running(Running),
    /// The command to record its end waits for its event. The code knows.
    Recorded,
    /// Its end was seen ahead and waits for its event. The code knows.
    Foretold,
}

#[derive(Debug)]
struct Running {
    attempt: u32,
    began: Began,
    /// When it has to be over.
    deadline: Option<Instant>,
    phase: Phase,
    /// Whether it began in a workflow task before this one.
    is_old: bool,
}

/// When a local activity began, on both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Began {
    /// Workflow time.
    pub(super) time: SystemTime,
    pub(super) at: Instant,
}

/// ```text
///  Attempting ──outcome──▶ BackingOff ──moment──▶ Attempting
///      └─────outcome, deadline─┴──────deadline──▶ Over
/// ```
#[derive(Debug)]
enum Phase {
    /// The driver runs an attempt.
    Attempting,
    /// The next attempt waits for its moment.
    BackingOff { until: Instant },
    /// It is over, and waits until the code can be told.
    Over(Box<End>),
}

/// How a local activity ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct End {
    result: Result<Option<Payload>, Failure>,
    /// It is to be tried again after this long, by the code.
    backoff: Option<Duration>,
    complete_time: Option<SystemTime>,
}

/// What cancelling a local activity asks of the caller.
#[derive(Debug, PartialEq)]
#[must_use]
pub(super) enum CancelLocalActivity {
    /// Nothing: what history says, or will say, counts.
    Nothing,
    /// Tell the attempt that runs.
    Tell { attempt: u32 },
    /// It ends here. The attempt that runs, if one does, is told.
    End { tell: Option<u32>, end: Box<End> },
}

impl LocalActivity {
    /// One that history may know.
    pub(super) fn new(request: Box<ScheduleLocalActivity>, time: SystemTime) -> Self {
        let original_schedule_time = request.original_schedule_time.unwrap_or(time);
        Self { request, original_schedule_time, state: State::Expected { is_cancelled: false } }
    }

    pub(super) const fn is_expected(&self) -> bool {
        matches!(self.state, State::Expected { .. })
    }

    /// Whether it is neither over nor known to history.
    pub(super) const fn is_running(&self) -> bool {
        matches!(&self.state, State::Running(Running { phase: Phase::Attempting | Phase::BackingOff { .. }, .. }))
    }

    /// History does not know it, so it runs, unless it was cancelled before. Returns whether an attempt is to be made.
    pub(super) fn begin(&mut self, began: Began) -> bool {
        let State::Expected { is_cancelled } = self.state else { return false };
        let phase = match is_cancelled {
            true => Phase::Over(Box::new(End::cancelled())),
            false => Phase::Attempting,
        };
        let spent = began.time.duration_since(self.original_schedule_time).unwrap_or_default();
        let deadline = self.request.schedule_to_close_timeout.map(|limit| began.at + limit.saturating_sub(spent));
        let attempt = self.request.attempt.max(1);
        self.state = State::Running(Running { attempt, began, deadline, phase, is_old: false });
        !is_cancelled
    }

    /// The attempt that is to be made now.
    pub(super) fn attempt(&self, now: Instant) -> Option<LocalActivityAttempt> {
        let State::Running(running) = &self.state else { return None };
        let request = &self.request;
        let left = running.deadline.map(|deadline| deadline.saturating_duration_since(now));
        let start_to_close = [request.start_to_close_timeout, left].into_iter().flatten().min();
        Some(LocalActivityAttempt {
            seq: request.seq,
            attempt: running.attempt,
            activity_id: request.activity_id.clone(),
            activity_type: request.activity_type.clone(),
            arguments: request.arguments.clone(),
            headers: request.headers.clone(),
            scheduled_time: self.original_schedule_time,
            schedule_to_close_timeout: request.schedule_to_close_timeout,
            schedule_to_start_timeout: request.schedule_to_start_timeout,
            start_to_close_timeout: start_to_close,
            retry_policy: request.retry_policy.clone(),
        })
    }

    /// An attempt ended. Returns whether the activity is over with it.
    pub(super) fn finished(&mut self, attempt: u32, outcome: LocalActivityOutcome, now: Instant) -> bool {
        let State::Running(running) = &mut self.state else { return false };
        if running.attempt != attempt || !matches!(running.phase, Phase::Attempting) {
            return false;
        }
        let (failure, may_retry) = match outcome {
            LocalActivityOutcome::Completed(result) => return running.end(End::new(Ok(result)), now),
            LocalActivityOutcome::Cancelled(details) => {
                let failure = cancelled(details);
                return running.end(End::new(Err(failure)), now);
            }
            LocalActivityOutcome::Failed(failure) => (*failure, true),
            // What an attempt may take ends with the whole at the latest, and whoever looks after it may notice first.
            LocalActivityOutcome::TimedOut(_) if running.deadline.is_some_and(|deadline| deadline <= now) => {
                return running.end(End::new(Err(timed_out(TimeoutType::ScheduleToClose))), now);
            }
            LocalActivityOutcome::TimedOut(kind) => (timed_out(kind), kind == TimeoutType::StartToClose),
        };
        let policy = self.request.retry_policy.clone().unwrap_or_default();
        let delay = match next_retry(&policy, attempt, &failure) {
            RetryDecision::After(delay) if may_retry => delay,
            _ => return running.end(End::new(Err(failure)), now),
        };
        if running.deadline.is_some_and(|deadline| now + delay >= deadline) {
            return running.end(End::new(Err(failure)), now);
        }
        if delay > self.request.local_retry_threshold.unwrap_or(LOCAL_RETRY_THRESHOLD) {
            return running.end(End { backoff: Some(delay), ..End::new(Err(failure)) }, now);
        }
        running.attempt += 1;
        running.phase = Phase::BackingOff { until: now + delay };
        false
    }

    /// When something has to happen by itself.
    pub(super) fn timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Running(Running { deadline, phase: Phase::Attempting, .. }) => *deadline,
            State::Running(Running { deadline, phase: Phase::BackingOff { until }, .. }) => {
                Some(deadline.map_or(*until, |deadline| deadline.min(*until)))
            }
            _ => None,
        }
    }

    /// The moment has come that [`timeout`](Self::timeout) named.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Moment {
        let State::Running(running) = &mut self.state else { return Moment::Nothing };
        let attempt = running.attempt;
        match running.phase {
            Phase::Over(_) => Moment::Nothing,
            _ if running.deadline.is_some_and(|deadline| deadline <= now) => {
                let tell = matches!(running.phase, Phase::Attempting).then_some(attempt);
                running.end(End::new(Err(timed_out(TimeoutType::ScheduleToClose))), now);
                Moment::Over { tell }
            }
            Phase::BackingOff { until } if until <= now => {
                running.phase = Phase::Attempting;
                Moment::Attempt { is_old: running.is_old }
            }
            Phase::Attempting | Phase::BackingOff { .. } => Moment::Nothing,
        }
    }

    /// The code cancels it.
    pub(super) fn cancel(&mut self) -> CancelLocalActivity {
        let waits = self.request.cancellation == ActivityCancellation::WaitCancellationCompleted;
        match &mut self.state {
            State::Recorded | State::Foretold => CancelLocalActivity::Nothing,
            State::Expected { is_cancelled } => {
                *is_cancelled = true;
                CancelLocalActivity::Nothing
            }
            State::Running(Running { phase: Phase::Over(_), .. }) if waits => CancelLocalActivity::Nothing,
            State::Running(Running { phase: Phase::Attempting, attempt, .. }) if waits => {
                CancelLocalActivity::Tell { attempt: *attempt }
            }
            State::Running(Running { phase, attempt, .. }) => {
                let is_told = self.request.cancellation != ActivityCancellation::Abandon;
                let tell = (is_told && matches!(phase, Phase::Attempting)).then_some(*attempt);
                CancelLocalActivity::End { tell, end: Box::new(End::cancelled()) }
            }
        }
    }

    /// The attempt that runs, if one does.
    pub(super) const fn running_attempt(&self) -> Option<u32> {
        match &self.state {
            State::Running(Running { attempt, phase: Phase::Attempting, .. }) => Some(*attempt),
            _ => None,
        }
    }

    /// A workflow task is completed without it.
    pub(super) fn outlives_task(&mut self) {
        if let State::Running(running) = &mut self.state {
            running.is_old = true;
        }
    }

    /// How it ended, if the code has not been told.
    pub(super) fn take_end(&mut self) -> Option<End> {
        let State::Running(Running { phase: phase @ Phase::Over(_), .. }) = &mut self.state else { return None };
        match std::mem::replace(phase, Phase::Attempting) {
            Phase::Over(end) => Some(*end),
            Phase::Attempting | Phase::BackingOff { .. } => None,
        }
    }

    /// Its end is to be recorded as this says.
    pub(super) fn record(&mut self, seq: Seq, end: End, activation_index: u64) -> LocalActivityMarker {
        let attempt = match &self.state {
            State::Running(running) => running.attempt,
            _ => self.request.attempt.max(1),
        };
        self.state = State::Recorded;
        let (result, failure) = match end.result {
            Ok(result) => (result, None),
            Err(failure) => (None, Some(failure)),
        };
        LocalActivityMarker {
            seq,
            attempt,
            activity_id: self.request.activity_id.clone(),
            activity_type: self.request.activity_type.clone(),
            complete_time: end.complete_time,
            backoff: end.backoff,
            original_schedule_time: Some(self.original_schedule_time),
            activation_index: Some(activation_index),
            result,
            failure,
        }
    }

    /// Its end was seen ahead.
    pub(super) fn foretell(&mut self) {
        self.state = State::Foretold;
    }

    /// What the code is told, the same from a marker that was just made and from one that history holds.
    pub(super) fn resolution(&self, marker: LocalActivityMarker) -> Job {
        let LocalActivityMarker { seq, attempt, backoff, result, failure, .. } = marker;
        let resolution = match (backoff, failure) {
            (Some(delay), _) => ActivityResolution::BackOff(Box::new(LocalActivityBackoff {
                attempt: attempt.saturating_add(1),
                delay,
                original_schedule_time: marker.original_schedule_time.unwrap_or(self.original_schedule_time),
            })),
            (None, None) => ActivityResolution::Completed(result),
            (None, Some(failure)) => self.failed(failure),
        };
        Job::ResolveActivity { seq, resolution }
    }

    /// Wrapped as the failure of any other activity.
    fn failed(&self, failure: Failure) -> ActivityResolution {
        let is_cancelled = is_cancelled(&failure);
        let (message, retry_state) = match &failure.failure_info {
            Some(FailureInfo::ActivityFailureInfo(_)) if is_cancelled => {
                return ActivityResolution::Cancelled(Box::new(failure));
            }
            Some(FailureInfo::ActivityFailureInfo(_)) => return ActivityResolution::Failed(Box::new(failure)),
            Some(FailureInfo::TimeoutFailureInfo(_)) => ("Local Activity timed out", RetryState::Timeout),
            _ if is_cancelled => ("Local Activity cancelled", RetryState::CancelRequested),
            _ => ("Local Activity failed", RetryState::Unspecified),
        };
        let info = ActivityFailureInfo {
            activity_type: Some(ActivityType { name: self.request.activity_type.clone() }),
            activity_id: self.request.activity_id.clone(),
            retry_state: retry_state.into(),
            ..ActivityFailureInfo::default()
        };
        let wrapped = Box::new(Failure {
            message: message.to_owned(),
            cause: Some(Box::new(failure)),
            failure_info: Some(FailureInfo::ActivityFailureInfo(info)),
            ..Failure::default()
        });
        if is_cancelled { ActivityResolution::Cancelled(wrapped) } else { ActivityResolution::Failed(wrapped) }
    }

    /// `MarkerRecorded`, with whether the marker's command was the next in line.
    pub(super) const fn recorded(&self) -> Step {
        match self.state {
            State::Recorded | State::Foretold => Step::Ended(None),
            State::Expected { .. } | State::Running(_) => Step::Illegal,
        }
    }

    /// Whether its command is in line, where its event must meet it.
    pub(super) const fn is_in_line(&self) -> bool {
        matches!(self.state, State::Recorded)
    }

    /// Whether the marker is about this activity. One that goes on after a wait has its first id in some histories, and
    /// its new number in others.
    pub(super) fn matches(&self, marker: &LocalActivityMarker) -> bool {
        let is_same_id = self.request.activity_id == marker.activity_id;
        (is_same_id || self.request.attempt > 1) && self.request.activity_type == marker.activity_type
    }
}

/// What the passing of a moment did to a local activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Moment {
    Nothing,
    /// The next attempt is to be made.
    Attempt {
        /// Whether the activity began in a workflow task before this one.
        is_old: bool,
    },
    /// It is over. The attempt that runs, if one does, is told.
    Over {
        tell: Option<u32>,
    },
}

impl Running {
    fn end(&mut self, end: End, now: Instant) -> bool {
        let complete_time = self.began.time.checked_add(now.saturating_duration_since(self.began.at));
        self.phase = Phase::Over(Box::new(End { complete_time, ..end }));
        true
    }
}

impl End {
    const fn new(result: Result<Option<Payload>, Failure>) -> Self {
        Self { result, backoff: None, complete_time: None }
    }

    /// Cancelled without waiting for it. That takes no time.
    fn cancelled() -> Self {
        Self::new(Err(cancelled(Vec::new())))
    }
}

/// Retries farther away than this leave the workflow task, unless the call says otherwise. The same in all SDKs.
const LOCAL_RETRY_THRESHOLD: Duration = Duration::from_secs(60);

fn cancelled(details: Vec<Payload>) -> Failure {
    let details = (!details.is_empty()).then_some(stead_proto::common::v1::Payloads { payloads: details });
    Failure {
        message: "Activity cancelled".to_owned(),
        failure_info: Some(FailureInfo::CanceledFailureInfo(CanceledFailureInfo {
            details,
            ..CanceledFailureInfo::default()
        })),
        ..Failure::default()
    }
}

fn timed_out(kind: TimeoutType) -> Failure {
    Failure {
        message: "Activity timed out".to_owned(),
        failure_info: Some(FailureInfo::TimeoutFailureInfo(TimeoutFailureInfo {
            timeout_type: kind.into(),
            last_heartbeat_details: None,
        })),
        ..Failure::default()
    }
}

fn is_cancelled(failure: &Failure) -> bool {
    let is = |failure: &Failure| matches!(failure.failure_info, Some(FailureInfo::CanceledFailureInfo(_)));
    is(failure) || failure.cause.as_deref().is_some_and(is)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Event = fn(&mut LocalActivity) -> String;

    const CANCELLATIONS: [ActivityCancellation; 3] = [
        ActivityCancellation::TryCancel,
        ActivityCancellation::WaitCancellationCompleted,
        ActivityCancellation::Abandon,
    ];

    fn now() -> Instant {
        Instant::from_origin(Duration::from_secs(9))
    }

    fn begin(activity: &mut LocalActivity) -> bool {
        activity.begin(Began { time: SystemTime::UNIX_EPOCH, at: Instant::default() })
    }

    fn finish(activity: &mut LocalActivity, outcome: LocalActivityOutcome) -> bool {
        activity.finished(1, outcome, Instant::default())
    }

    fn failed() -> LocalActivityOutcome {
        LocalActivityOutcome::Failed(Box::default())
    }

    /// The states, each reached the way a run reaches it.
    fn in_state(state: &str, cancellation: ActivityCancellation) -> LocalActivity {
        let request = ScheduleLocalActivity {
            seq: 1,
            cancellation,
            schedule_to_close_timeout: Some(Duration::from_secs(30)),
            ..ScheduleLocalActivity::default()
        };
        let mut activity = LocalActivity::new(Box::new(request), SystemTime::UNIX_EPOCH);
        match state {
            "expected" => {}
            "foretold" => activity.foretell(),
            _ => assert!(begin(&mut activity)),
        }
        match state {
            "backing off" => assert!(!finish(&mut activity, failed())),
            "over" => assert!(finish(&mut activity, LocalActivityOutcome::Completed(None))),
            "recorded" => drop(activity.record(1, End::cancelled(), 0)),
            _ => {}
        }
        activity
    }

    fn state(activity: &LocalActivity) -> &'static str {
        match &activity.state {
            State::Expected { is_cancelled: false } => "expected",
            State::Expected { is_cancelled: true } => "expected, cancelled",
            State::Running(Running { phase: Phase::Attempting, .. }) => "attempting",
            State::Running(Running { phase: Phase::BackingOff { .. }, .. }) => "backing off",
            State::Running(Running { phase: Phase::Over(_), .. }) => "over",
            State::Recorded => "recorded",
            State::Foretold => "foretold",
        }
    }

    /// Every event in every state; the cancellation type matters to `cancel` alone.
    #[test]
    fn transition_table() {
        let events: [(&str, Event); 8] = [
            ("begin", |it| format!("attempt: {}", begin(it))),
            ("completed", |it| format!("over: {}", finish(it, LocalActivityOutcome::Completed(None)))),
            ("failed", |it| format!("over: {}", finish(it, failed()))),
            ("stopped", |it| format!("over: {}", finish(it, LocalActivityOutcome::Cancelled(Vec::new())))),
            ("retry is due", |it| format!("{:?}", it.handle_timeout(now()))),
            ("deadline", |it| format!("{:?}", it.handle_timeout(now() + Duration::from_secs(60)))),
            ("cancel", |it| match it.cancel() {
                CancelLocalActivity::End { tell, .. } => format!("ends, tell {tell:?}"),
                other => format!("{other:?}"),
            }),
            ("marker recorded", |it| format!("{:?}", it.recorded())),
        ];
        let mut table = String::new();
        for name in ["expected", "attempting", "backing off", "over", "recorded", "foretold"] {
            for (event_name, event) in events {
                let outcomes = CANCELLATIONS.map(|cancellation| {
                    let mut activity = in_state(name, cancellation);
                    let outcome = event(&mut activity);
                    format!("{outcome} -> {}", state(&activity))
                });
                let is_nothing = |it: &String| {
                    let nothing = ["attempt: false", "over: false", "Nothing", "Illegal"];
                    nothing.iter().any(|nothing| *it == format!("{nothing} -> {name}"))
                };
                if outcomes.iter().all(is_nothing) {
                    continue;
                }
                let outcomes = if outcomes[1..] == [outcomes[0].clone(), outcomes[0].clone()] {
                    outcomes[0].clone()
                } else {
                    outcomes.join(" | ")
                };
                table += &format!("{name}, {event_name}: {outcomes}\n");
            }
        }
        let expected = "\
expected, begin: attempt: true -> attempting
expected, cancel: Nothing -> expected, cancelled
attempting, completed: over: true -> over
attempting, failed: over: false -> backing off
attempting, stopped: over: true -> over
attempting, deadline: Over { tell: Some(1) } -> over
attempting, cancel: ends, tell Some(1) -> attempting | Tell { attempt: 1 } -> attempting | ends, tell None -> attempting
backing off, retry is due: Attempt { is_old: false } -> attempting
backing off, deadline: Over { tell: None } -> over
backing off, cancel: ends, tell None -> backing off
over, cancel: ends, tell None -> over | Nothing -> over | ends, tell None -> over
recorded, marker recorded: Ended(None) -> recorded
foretold, marker recorded: Ended(None) -> foretold
";
        assert_eq!(table, expected, "{table}");
    }

    #[test]
    fn one_that_was_cancelled_before_it_began_never_runs() {
        let mut activity = in_state("expected", ActivityCancellation::WaitCancellationCompleted);
        assert_eq!(activity.cancel(), CancelLocalActivity::Nothing);
        assert!(!begin(&mut activity));
        assert!(activity.take_end().is_some());
    }
}
