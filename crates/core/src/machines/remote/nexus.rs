//! Nexus operations.

use stead_activation::{
    Failure, Job, NexusOperationCancellation, NexusOperationResolution, NexusOperationStart, Payload,
    ScheduleNexusOperation, Seq,
};
use stead_proto::failure::v1::failure::FailureInfo;
use stead_proto::failure::v1::{CanceledFailureInfo, NexusOperationFailureInfo};
use stead_proto::system;

use crate::machines::Step;

/// A Nexus operation that has not ended.
#[derive(Debug)]
pub(super) struct NexusOperation {
    pub(super) endpoint: Box<str>,
    pub(super) service: Box<str>,
    pub(super) operation: Box<str>,
    cancellation: NexusOperationCancellation,
    state: State,
}

/// ```text
///            Scheduled event              Started event: start resolved      Completed, Failed, …: resolved
/// Commanded ────────────────▶ Scheduled ────────────────────────────▶ Started ───────────────────────────▶ ended
///     │                         │   │                                   │
///     │ cancel: start resolved  │   └─ Completed: both resolved, Failed, …: start resolved ──────────────▶ ended
///     ▼                         │                                       │
///   ended                       │ cancel with TryCancel, Abandon: (start) resolved at once
/// (nothing sent)                │ the request was taken or refused, with WaitCancellationRequested: (start) resolved
///                               └──────────────────▶ Abandoned ◀────────┘
///                                                      │  ▲
///                        whatever ends it, silent ─────┘  └─ Started event
/// ```
///
/// Cancelling asks the operation with a command of its own, unless the kind is Abandon.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// The command waits for its event.
    Commanded,
    /// It is about to be started.
    Scheduled { scheduled: i64, is_cancelled: bool },
    /// It runs.
    Started { scheduled: i64, token: Box<str>, is_cancelled: bool },
    /// Nobody waits for it any more.
    Abandoned,
}

/// How a Nexus operation ended, as its event says.
pub(super) enum End {
    Completed(Option<Payload>),
    Failed(Option<Failure>),
    Cancelled(Option<Failure>),
    TimedOut(Option<Failure>),
}

/// What cancelling a Nexus operation asks of the caller.
#[derive(Debug, PartialEq)]
#[must_use]
pub(super) enum CancelNexusOperation {
    /// Take back the command that schedules it: it is ended, with this job.
    TakeBack(Job),
    /// Issue the command that cancels it; the job, if any, tells the code at once.
    Issue { scheduled_event_id: i64, job: Option<Job> },
    /// Tell the code, and nobody else.
    Abandon(Job),
    /// Nothing.
    Nothing,
}

impl NexusOperation {
    /// An operation whose command was just issued.
    pub(super) fn new(request: &ScheduleNexusOperation) -> Self {
        Self {
            endpoint: request.endpoint.as_str().into(),
            service: request.service.as_str().into(),
            operation: request.operation.as_str().into(),
            cancellation: request.cancellation,
            state: State::Commanded,
        }
    }

    /// A signal with a start whose command was just issued.
    pub(super) fn signal_with_start() -> Self {
        Self {
            endpoint: system::ENDPOINT.into(),
            service: system::WORKFLOW_SERVICE.into(),
            operation: system::SIGNAL_WITH_START.into(),
            cancellation: NexusOperationCancellation::WaitCancellationCompleted,
            state: State::Commanded,
        }
    }

    /// The code cancels it.
    pub(super) fn cancel(&mut self, seq: Seq) -> CancelNexusOperation {
        let scheduled_event_id = match &mut self.state {
            State::Commanded => {
                let failure = self.cancelled("Nexus Operation cancelled before scheduled");
                return CancelNexusOperation::TakeBack(start_failed(seq, failure));
            }
            State::Scheduled { scheduled, is_cancelled } | State::Started { scheduled, is_cancelled, .. }
                if !*is_cancelled =>
            {
                *is_cancelled = true;
                *scheduled
            }
            State::Scheduled { .. } | State::Started { .. } | State::Abandoned => return CancelNexusOperation::Nothing,
        };
        let message = "Nexus operation cancelled after starting";
        match self.cancellation {
            NexusOperationCancellation::Abandon => CancelNexusOperation::Abandon(self.abandon(seq, message)),
            NexusOperationCancellation::TryCancel => {
                CancelNexusOperation::Issue { scheduled_event_id, job: Some(self.abandon(seq, message)) }
            }
            NexusOperationCancellation::WaitCancellationCompleted
            | NexusOperationCancellation::WaitCancellationRequested => {
                CancelNexusOperation::Issue { scheduled_event_id, job: None }
            }
        }
    }

    /// `NexusOperationScheduled`.
    pub(super) fn scheduled(&mut self, event_id: i64) -> Step {
        match self.state {
            State::Commanded => {
                self.state = State::Scheduled { scheduled: event_id, is_cancelled: false };
                Step::Going
            }
            _ => Step::Illegal,
        }
    }

    /// `NexusOperationStarted`.
    pub(super) fn started(&mut self, seq: Seq, operation_token: String) -> Step {
        match self.state {
            State::Scheduled { scheduled, is_cancelled } => {
                self.state = State::Started { scheduled, token: operation_token.as_str().into(), is_cancelled };
                let resolution = NexusOperationStart::Started { operation_token };
                Step::Told(Job::ResolveNexusOperationStart { seq, resolution })
            }
            State::Abandoned => Step::Going,
            State::Commanded | State::Started { .. } => Step::Illegal,
        }
    }

    /// `NexusOperationCancelRequested`, the event of the command that cancels it.
    pub(super) const fn cancel_requested(&self) -> Step {
        match self.state {
            State::Scheduled { is_cancelled: true, .. }
            | State::Started { is_cancelled: true, .. }
            | State::Abandoned => Step::Going,
            _ => Step::Illegal,
        }
    }

    /// `NexusOperationCancelRequestCompleted`.
    pub(super) fn cancel_taken(&mut self, seq: Seq) -> Step {
        if !self.waits_for_the_request() {
            return Step::Going;
        }
        Step::Told(self.abandon(seq, "Nexus operation cancellation request completed"))
    }

    /// `NexusOperationCancelRequestFailed`.
    pub(super) fn cancel_refused(&mut self, seq: Seq, failure: Option<Failure>) -> Step {
        if !self.waits_for_the_request() {
            return Step::Going;
        }
        let failure = self.failure("Nexus operation cancellation request failed", failure.unwrap_or_default());
        Step::Told(self.abandon_with(seq, failure, NexusOperationResolution::Failed))
    }

    fn waits_for_the_request(&self) -> bool {
        self.cancellation == NexusOperationCancellation::WaitCancellationRequested
            && matches!(self.state, State::Scheduled { .. } | State::Started { .. })
    }

    /// One of the events that end it.
    pub(super) fn ended(&self, seq: Seq, end: End) -> Step {
        match self.state {
            State::Commanded => Step::Illegal,
            State::Abandoned => Step::Ended(None),
            State::Started { .. } => Step::Ended(Some(Job::ResolveNexusOperation { seq, resolution: resolution(end) })),
            State::Scheduled { .. } => match resolution(end) {
                completed @ NexusOperationResolution::Completed(_) => Step::StartedAndEnded(
                    Job::ResolveNexusOperationStart { seq, resolution: NexusOperationStart::StartedSync },
                    Job::ResolveNexusOperation { seq, resolution: completed },
                ),
                NexusOperationResolution::Failed(failure)
                | NexusOperationResolution::Cancelled(failure)
                | NexusOperationResolution::TimedOut(failure) => Step::Ended(Some(start_failed(seq, failure))),
            },
        }
    }

    /// The code does not wait for what ends it.
    fn abandon(&mut self, seq: Seq, message: &str) -> Job {
        let failure = self.cancelled(message);
        self.abandon_with(seq, failure, NexusOperationResolution::Cancelled)
    }

    fn abandon_with(
        &mut self,
        seq: Seq,
        failure: Box<Failure>,
        resolution: fn(Box<Failure>) -> NexusOperationResolution,
    ) -> Job {
        match std::mem::replace(&mut self.state, State::Abandoned) {
            State::Started { .. } => Job::ResolveNexusOperation { seq, resolution: resolution(failure) },
            _ => start_failed(seq, failure),
        }
    }

    fn cancelled(&self, message: &str) -> Box<Failure> {
        let info = CanceledFailureInfo::default();
        let cause = Failure { failure_info: Some(FailureInfo::CanceledFailureInfo(info)), ..Failure::default() };
        self.failure(message, cause)
    }

    fn failure(&self, message: &str, cause: Failure) -> Box<Failure> {
        let (scheduled_event_id, operation_token) = match &self.state {
            State::Started { scheduled, token, .. } => (*scheduled, token.to_string()),
            State::Scheduled { scheduled, .. } => (*scheduled, String::new()),
            State::Commanded | State::Abandoned => (0, String::new()),
        };
        let info = NexusOperationFailureInfo {
            scheduled_event_id,
            endpoint: self.endpoint.to_string(),
            service: self.service.to_string(),
            operation: self.operation.to_string(),
            operation_token,
            ..NexusOperationFailureInfo::default()
        };
        Box::new(Failure {
            message: message.to_owned(),
            cause: Some(Box::new(cause)),
            failure_info: Some(FailureInfo::NexusOperationExecutionFailureInfo(info)),
            ..Failure::default()
        })
    }
}

fn start_failed(seq: Seq, failure: Box<Failure>) -> Job {
    Job::ResolveNexusOperationStart { seq, resolution: NexusOperationStart::Failed(failure) }
}

/// The server has wrapped the failures.
fn resolution(end: End) -> NexusOperationResolution {
    let or = |failure: Option<Failure>, message: &str| {
        Box::new(failure.unwrap_or_else(|| Failure { message: message.to_owned(), ..Failure::default() }))
    };
    match end {
        End::Completed(result) => NexusOperationResolution::Completed(result),
        End::Failed(failure) => {
            NexusOperationResolution::Failed(or(failure, "Nexus operation failed, but history does not say why"))
        }
        End::Cancelled(failure) => NexusOperationResolution::Cancelled(or(
            failure,
            "Nexus operation was cancelled, but history does not say why",
        )),
        End::TimedOut(failure) => {
            NexusOperationResolution::TimedOut(or(failure, "Nexus operation timed out, but history does not say why"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANCELLATIONS: [NexusOperationCancellation; 4] = [
        NexusOperationCancellation::Abandon,
        NexusOperationCancellation::TryCancel,
        NexusOperationCancellation::WaitCancellationCompleted,
        NexusOperationCancellation::WaitCancellationRequested,
    ];

    fn operation(state: State, cancellation: NexusOperationCancellation) -> NexusOperation {
        let request = ScheduleNexusOperation { cancellation, ..ScheduleNexusOperation::default() };
        NexusOperation { state, ..NexusOperation::new(&request) }
    }

    fn describe(job: &Job) -> &'static str {
        match job {
            Job::ResolveNexusOperationStart { resolution, .. } => match resolution {
                NexusOperationStart::Started { .. } => "start succeeds",
                NexusOperationStart::StartedSync => "start succeeds at once",
                NexusOperationStart::Failed(_) => "start fails",
            },
            Job::ResolveNexusOperation { resolution, .. } => match resolution {
                NexusOperationResolution::Completed(_) => "completes",
                NexusOperationResolution::Failed(_) => "fails",
                NexusOperationResolution::Cancelled(_) => "is cancelled",
                NexusOperationResolution::TimedOut(_) => "times out",
            },
            _ => "something else",
        }
    }

    fn step(step: &Step) -> String {
        match step {
            Step::Going => "goes on".to_owned(),
            Step::Told(job) => format!("{}, goes on", describe(job)),
            Step::Ended(Some(job)) => format!("{}, ended", describe(job)),
            Step::Ended(None) => "ended silently".to_owned(),
            Step::StartedAndEnded(start, end) => format!("{}, {}, ended", describe(start), describe(end)),
            Step::Illegal => "illegal".to_owned(),
        }
    }

    fn cancel(operation: &mut NexusOperation) -> String {
        match operation.cancel(1) {
            CancelNexusOperation::TakeBack(job) => format!("taken back, {}", describe(&job)),
            CancelNexusOperation::Issue { job: Some(job), .. } => format!("asked, {}", describe(&job)),
            CancelNexusOperation::Issue { job: None, .. } => "asked".to_owned(),
            CancelNexusOperation::Abandon(job) => describe(&job).to_owned(),
            CancelNexusOperation::Nothing => "nothing".to_owned(),
        }
    }

    type Event = fn(&mut NexusOperation) -> String;

    /// Every event in every state that can be reached. Where the kind of cancellation matters there is a line for each.
    #[test]
    fn transition_table() {
        let events: [(&str, Event); 9] = [
            ("scheduled", |it| step(&it.scheduled(5))),
            ("started", |it| step(&it.started(1, "token".into()))),
            ("completed", |it| step(&it.ended(1, End::Completed(None)))),
            ("failed", |it| step(&it.ended(1, End::Failed(None)))),
            ("timed out", |it| step(&it.ended(1, End::TimedOut(None)))),
            ("cancel", cancel),
            ("cancel requested", |it| step(&it.cancel_requested())),
            ("cancel taken", |it| step(&it.cancel_taken(1))),
            ("cancel refused", |it| step(&it.cancel_refused(1, None))),
        ];
        let started = |is_cancelled| State::Started { scheduled: 5, token: "token".into(), is_cancelled };
        let states = [
            ("Commanded", State::Commanded),
            ("Scheduled", State::Scheduled { scheduled: 5, is_cancelled: false }),
            ("Scheduled, cancelled", State::Scheduled { scheduled: 5, is_cancelled: true }),
            ("Started", started(false)),
            ("Started, cancelled", started(true)),
            ("Abandoned", State::Abandoned),
        ];
        let mut table = String::new();
        for (name, state) in states {
            for (event_name, event) in events {
                let outcomes = CANCELLATIONS.map(|cancellation| {
                    let mut operation = operation(state.clone(), cancellation);
                    let outcome = event(&mut operation);
                    if outcome == "illegal" {
                        assert_eq!(operation.state, state, "an illegal event changed the state");
                    }
                    outcome
                });
                if outcomes.iter().all(|outcome| *outcome == outcomes[0]) {
                    if !["illegal", "nothing", "goes on"].contains(&outcomes[0].as_str()) {
                        table += &format!("{name}, {event_name}: {}\n", outcomes[0]);
                    }
                    continue;
                }
                for (cancellation, outcome) in CANCELLATIONS.iter().zip(outcomes) {
                    if outcome != "goes on" {
                        table += &format!("{name}, {event_name} ({cancellation:?}): {outcome}\n");
                    }
                }
            }
        }
        let expected = "\
Commanded, cancel: taken back, start fails
Scheduled, started: start succeeds, goes on
Scheduled, completed: start succeeds at once, completes, ended
Scheduled, failed: start fails, ended
Scheduled, timed out: start fails, ended
Scheduled, cancel (Abandon): start fails
Scheduled, cancel (TryCancel): asked, start fails
Scheduled, cancel (WaitCancellationCompleted): asked
Scheduled, cancel (WaitCancellationRequested): asked
Scheduled, cancel taken (WaitCancellationRequested): start fails, goes on
Scheduled, cancel refused (WaitCancellationRequested): start fails, goes on
Scheduled, cancelled, started: start succeeds, goes on
Scheduled, cancelled, completed: start succeeds at once, completes, ended
Scheduled, cancelled, failed: start fails, ended
Scheduled, cancelled, timed out: start fails, ended
Scheduled, cancelled, cancel taken (WaitCancellationRequested): start fails, goes on
Scheduled, cancelled, cancel refused (WaitCancellationRequested): start fails, goes on
Started, completed: completes, ended
Started, failed: fails, ended
Started, timed out: times out, ended
Started, cancel (Abandon): is cancelled
Started, cancel (TryCancel): asked, is cancelled
Started, cancel (WaitCancellationCompleted): asked
Started, cancel (WaitCancellationRequested): asked
Started, cancel taken (WaitCancellationRequested): is cancelled, goes on
Started, cancel refused (WaitCancellationRequested): fails, goes on
Started, cancelled, completed: completes, ended
Started, cancelled, failed: fails, ended
Started, cancelled, timed out: times out, ended
Started, cancelled, cancel taken (WaitCancellationRequested): is cancelled, goes on
Started, cancelled, cancel refused (WaitCancellationRequested): fails, goes on
Abandoned, completed: ended silently
Abandoned, failed: ended silently
Abandoned, timed out: ended silently
";
        assert_eq!(table, expected, "{table}");
    }
}
