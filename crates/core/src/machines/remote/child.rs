//! Child workflows.

use stead_activation::{
    ChildWorkflowCancellation, ChildWorkflowResolution, ChildWorkflowStart, Failure, Job, Payload, Seq,
    StartChildWorkflow, StartChildWorkflowExecutionFailedCause,
};
use stead_proto::common::v1::{Payloads, WorkflowExecution, WorkflowType};
use stead_proto::enums::v1::{RetryState, TimeoutType};
use stead_proto::failure::v1::failure::FailureInfo;
use stead_proto::failure::v1::{
    CanceledFailureInfo, ChildWorkflowExecutionFailureInfo, TerminatedFailureInfo, TimeoutFailureInfo,
};

use crate::machines::Step;

/// A child workflow that has not ended.
#[derive(Debug)]
pub(super) struct Child {
    namespace: Box<str>,
    pub(super) workflow_id: Box<str>,
    pub(super) workflow_type: Box<str>,
    cancellation: ChildWorkflowCancellation,
    state: State,
}

/// ```text
///            Initiated event              Started event: start resolved      Completed, Failed, …: resolved
/// Commanded ────────────────▶ Initiated ────────────────────────────▶ Started ───────────────────────────▶ ended
///     │                         │   └─ StartFailed: start resolved ─▶ ended  │
///     │ cancel: start resolved  │                                           │
///     ▼                         │ cancel with TryCancel, Abandon: (start) resolved at once
///   ended                       │ the request was delivered, with WaitCancellationRequested: (start) resolved
/// (nothing sent)                └──────────────────▶ Abandoned ◀────────────┘
///                                                       │  ▲
///                       Completed, StartFailed, …, ─────┘  └─ Started event
///                       all silent: ended
/// ```
///
/// Cancelling asks the child with a request of its own, unless the kind is Abandon.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// The command waits for its event.
    Commanded,
    /// It is about to be started.
    Initiated { initiated: i64, is_cancelled: bool },
    /// It runs.
    Started { initiated: i64, started: i64, run_id: Box<str>, is_cancelled: bool },
    /// Nobody waits for it any more.
    Abandoned,
}

/// How a child workflow ended, as its event says.
pub(super) enum End {
    Completed(Option<Payloads>),
    Failed(Option<Box<Failure>>, i32),
    TimedOut(i32),
    Cancelled(Option<Payloads>),
    Terminated,
}

/// What cancelling a child workflow asks of the caller.
#[derive(Debug, PartialEq)]
#[must_use]
pub(super) enum CancelChild {
    /// Take back the command that starts it: it is ended, with this job.
    TakeBack(Job),
    /// Ask this run of it (the current one if empty) to cancel itself; the job, if any, tells the code at once.
    Request { run_id: String, job: Option<Job> },
    /// Tell the code, and nobody else.
    Abandon(Job),
    /// Nothing.
    Nothing,
}

impl Child {
    /// A child whose command was just issued.
    pub(super) fn new(request: &StartChildWorkflow, own_namespace: &str) -> Self {
        let namespace = if request.namespace.is_empty() { own_namespace } else { &request.namespace };
        Self {
            namespace: namespace.into(),
            workflow_id: request.workflow_id.as_str().into(),
            workflow_type: request.workflow_type.as_str().into(),
            cancellation: request.cancellation,
            state: State::Commanded,
        }
    }

    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The code cancels it.
    pub(super) fn cancel(&mut self, seq: Seq, reason: &str) -> CancelChild {
        let run_id = match &mut self.state {
            State::Commanded => {
                let message = format!("Child Workflow Execution cancelled before scheduled: {reason}");
                return CancelChild::TakeBack(self.start_cancelled(seq, message));
            }
            State::Initiated { is_cancelled: true, .. } | State::Started { is_cancelled: true, .. } => {
                return CancelChild::Nothing;
            }
            State::Initiated { is_cancelled, .. } => {
                *is_cancelled = true;
                String::new()
            }
            State::Started { is_cancelled, run_id, .. } => {
                *is_cancelled = true;
                run_id.to_string()
            }
            State::Abandoned => return CancelChild::Nothing,
        };
        match self.cancellation {
            ChildWorkflowCancellation::Abandon => CancelChild::Abandon(self.abandon(seq)),
            ChildWorkflowCancellation::TryCancel => CancelChild::Request { run_id, job: Some(self.abandon(seq)) },
            ChildWorkflowCancellation::WaitCancellationCompleted
            | ChildWorkflowCancellation::WaitCancellationRequested => CancelChild::Request { run_id, job: None },
        }
    }

    /// The request to cancel it was delivered.
    pub(super) fn cancel_delivered(&mut self, seq: Seq) -> Step {
        let waits_for_this = self.cancellation == ChildWorkflowCancellation::WaitCancellationRequested;
        match self.state {
            State::Initiated { .. } | State::Started { .. } if waits_for_this => Step::Told(self.abandon(seq)),
            _ => Step::Going,
        }
    }

    /// `StartChildWorkflowExecutionInitiated`.
    pub(super) fn initiated(&mut self, event_id: i64) -> Step {
        match self.state {
            State::Commanded => {
                self.state = State::Initiated { initiated: event_id, is_cancelled: false };
                Step::Going
            }
            _ => Step::Illegal,
        }
    }

    /// `ChildWorkflowExecutionStarted`.
    pub(super) fn started(&mut self, seq: Seq, event_id: i64, execution: Option<WorkflowExecution>) -> Step {
        match self.state {
            State::Initiated { initiated, is_cancelled } => {
                let run_id = execution.unwrap_or_default().run_id;
                let own = run_id.as_str().into();
                self.state = State::Started { initiated, started: event_id, run_id: own, is_cancelled };
                let resolution = ChildWorkflowStart::Started { run_id };
                Step::Told(Job::ResolveChildWorkflowStart { seq, resolution })
            }
            State::Abandoned => Step::Going,
            State::Commanded | State::Started { .. } => Step::Illegal,
        }
    }

    /// `StartChildWorkflowExecutionFailed`.
    pub(super) fn start_failed(&self, seq: Seq, cause: StartChildWorkflowExecutionFailedCause) -> Step {
        match self.state {
            State::Initiated { .. } => {
                let resolution = ChildWorkflowStart::Failed {
                    workflow_id: self.workflow_id.to_string(),
                    workflow_type: self.workflow_type.to_string(),
                    cause,
                };
                Step::Ended(Some(Job::ResolveChildWorkflowStart { seq, resolution }))
            }
            State::Abandoned => Step::Ended(None),
            State::Commanded | State::Started { .. } => Step::Illegal,
        }
    }

    /// One of the events that end it.
    pub(super) fn ended(&self, seq: Seq, end: End) -> Step {
        match self.state {
            State::Started { .. } => {
                let resolution = self.resolution(end);
                Step::Ended(Some(Job::ResolveChildWorkflow { seq, resolution }))
            }
            State::Abandoned => Step::Ended(None),
            State::Commanded | State::Initiated { .. } => Step::Illegal,
        }
    }

    fn resolution(&self, end: End) -> ChildWorkflowResolution {
        let failed = |message: &str, cause, retry_state| {
            ChildWorkflowResolution::Failed(self.failure(message.to_owned(), cause, retry_state))
        };
        match end {
            End::Completed(result) => ChildWorkflowResolution::Completed(first(result)),
            End::Failed(cause, retry_state) => {
                failed("Child Workflow execution failed", cause.map(|cause| *cause), retry_state)
            }
            End::TimedOut(retry_state) => failed("Child Workflow execution timed out", Some(timed_out()), retry_state),
            End::Terminated => {
                let retry_state = RetryState::NonRetryableFailure.into();
                failed("Child Workflow execution terminated", Some(terminated()), retry_state)
            }
            End::Cancelled(details) => ChildWorkflowResolution::Cancelled(self.cancelled(details)),
        }
    }

    /// The code does not wait for what ends it.
    fn abandon(&mut self, seq: Seq) -> Job {
        let is_started = matches!(self.state, State::Started { .. });
        let failure = self.cancelled(None);
        self.state = State::Abandoned;
        if is_started {
            return Job::ResolveChildWorkflow { seq, resolution: ChildWorkflowResolution::Cancelled(failure) };
        }
        Job::ResolveChildWorkflowStart { seq, resolution: ChildWorkflowStart::Cancelled(failure) }
    }

    fn start_cancelled(&self, seq: Seq, message: String) -> Job {
        let failure = self.failure(message, Some(cancelled(None)), RetryState::NonRetryableFailure.into());
        Job::ResolveChildWorkflowStart { seq, resolution: ChildWorkflowStart::Cancelled(failure) }
    }

    fn cancelled(&self, details: Option<Payloads>) -> Box<Failure> {
        let message = "Child Workflow execution cancelled".to_owned();
        self.failure(message, Some(cancelled(details)), RetryState::NonRetryableFailure.into())
    }

    fn failure(&self, message: String, cause: Option<Failure>, retry_state: i32) -> Box<Failure> {
        let (initiated_event_id, started_event_id, run_id) = match &self.state {
            State::Started { initiated, started, run_id, .. } => (*initiated, *started, run_id.to_string()),
            State::Initiated { initiated, .. } => (*initiated, 0, String::new()),
            State::Commanded | State::Abandoned => (0, 0, String::new()),
        };
        let workflow_id = self.workflow_id.to_string();
        let info = ChildWorkflowExecutionFailureInfo {
            namespace: self.namespace.to_string(),
            workflow_execution: Some(WorkflowExecution { workflow_id, run_id }),
            workflow_type: Some(WorkflowType { name: self.workflow_type.to_string() }),
            initiated_event_id,
            started_event_id,
            retry_state,
        };
        Box::new(Failure {
            message,
            cause: cause.map(Box::new),
            failure_info: Some(FailureInfo::ChildWorkflowExecutionFailureInfo(info)),
            ..Failure::default()
        })
    }
}

fn cancelled(details: Option<Payloads>) -> Failure {
    let info = CanceledFailureInfo { details, ..CanceledFailureInfo::default() };
    Failure { failure_info: Some(FailureInfo::CanceledFailureInfo(info)), ..Failure::default() }
}

fn timed_out() -> Failure {
    let info = TimeoutFailureInfo { timeout_type: TimeoutType::StartToClose.into(), ..TimeoutFailureInfo::default() };
    Failure {
        message: "Timed out".to_owned(),
        failure_info: Some(FailureInfo::TimeoutFailureInfo(info)),
        ..Failure::default()
    }
}

fn terminated() -> Failure {
    let info = TerminatedFailureInfo::default();
    Failure {
        message: "Terminated".to_owned(),
        failure_info: Some(FailureInfo::TerminatedFailureInfo(info)),
        ..Failure::default()
    }
}

/// The one result of a workflow. Workflows of other SDKs return one payload or none.
fn first(payloads: Option<Payloads>) -> Option<Payload> {
    payloads.and_then(|payloads| payloads.payloads.into_iter().next())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANCELLATIONS: [ChildWorkflowCancellation; 4] = [
        ChildWorkflowCancellation::Abandon,
        ChildWorkflowCancellation::TryCancel,
        ChildWorkflowCancellation::WaitCancellationCompleted,
        ChildWorkflowCancellation::WaitCancellationRequested,
    ];

    fn child(state: State, cancellation: ChildWorkflowCancellation) -> Child {
        let request = StartChildWorkflow { workflow_id: "ship".into(), cancellation, ..StartChildWorkflow::default() };
        Child { state, ..Child::new(&request, "default") }
    }

    fn describe(job: &Job) -> &'static str {
        match job {
            Job::ResolveChildWorkflowStart { resolution, .. } => match resolution {
                ChildWorkflowStart::Started { .. } => "start succeeds",
                ChildWorkflowStart::Failed { .. } => "start fails",
                ChildWorkflowStart::Cancelled(_) => "start is cancelled",
            },
            Job::ResolveChildWorkflow { resolution, .. } => match resolution {
                ChildWorkflowResolution::Completed(_) => "completes",
                ChildWorkflowResolution::Failed(_) => "fails",
                ChildWorkflowResolution::Cancelled(_) => "is cancelled",
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
            Step::StartedAndEnded(..) => "not of a child".to_owned(),
            Step::Illegal => "illegal".to_owned(),
        }
    }

    fn cancel(child: &mut Child) -> String {
        match child.cancel(1, "") {
            CancelChild::TakeBack(job) => format!("taken back, {}", describe(&job)),
            CancelChild::Request { job: Some(job), .. } => format!("asked, {}", describe(&job)),
            CancelChild::Request { job: None, .. } => "asked".to_owned(),
            CancelChild::Abandon(job) => describe(&job).to_owned(),
            CancelChild::Nothing => "nothing".to_owned(),
        }
    }

    type Event = fn(&mut Child) -> String;

    /// Every event in every state that can be reached. Where the kind of cancellation matters there is a line for each.
    #[test]
    fn transition_table() {
        let events: [(&str, Event); 7] = [
            ("initiated", |it| step(&it.initiated(5))),
            ("started", |it| step(&it.started(1, 6, None))),
            ("start failed", |it| step(&it.start_failed(1, StartChildWorkflowExecutionFailedCause::Unspecified))),
            ("completed", |it| step(&it.ended(1, End::Completed(None)))),
            ("terminated", |it| step(&it.ended(1, End::Terminated))),
            ("cancel", cancel),
            ("cancel delivered", |it| step(&it.cancel_delivered(1))),
        ];
        let started = |is_cancelled| State::Started { initiated: 5, started: 6, run_id: "r".into(), is_cancelled };
        let states = [
            ("Commanded", State::Commanded),
            ("Initiated", State::Initiated { initiated: 5, is_cancelled: false }),
            ("Initiated, cancelled", State::Initiated { initiated: 5, is_cancelled: true }),
            ("Started", started(false)),
            ("Started, cancelled", started(true)),
            ("Abandoned", State::Abandoned),
        ];
        let mut table = String::new();
        for (name, state) in states {
            for (event_name, event) in events {
                let outcomes = CANCELLATIONS.map(|cancellation| {
                    let mut child = child(state.clone(), cancellation);
                    let outcome = event(&mut child);
                    if outcome == "illegal" {
                        assert_eq!(child.state, state, "an illegal event changed the state");
                    }
                    outcome
                });
                if outcomes.iter().all(|outcome| *outcome == outcomes[0]) {
                    if outcomes[0] != "illegal" && outcomes[0] != "nothing" {
                        table += &format!("{name}, {event_name}: {}\n", outcomes[0]);
                    }
                    continue;
                }
                for (cancellation, outcome) in CANCELLATIONS.iter().zip(outcomes) {
                    table += &format!("{name}, {event_name} ({cancellation:?}): {outcome}\n");
                }
            }
        }
        let expected = "\
Commanded, initiated: goes on
Commanded, cancel: taken back, start is cancelled
Commanded, cancel delivered: goes on
Initiated, started: start succeeds, goes on
Initiated, start failed: start fails, ended
Initiated, cancel (Abandon): start is cancelled
Initiated, cancel (TryCancel): asked, start is cancelled
Initiated, cancel (WaitCancellationCompleted): asked
Initiated, cancel (WaitCancellationRequested): asked
Initiated, cancel delivered (Abandon): goes on
Initiated, cancel delivered (TryCancel): goes on
Initiated, cancel delivered (WaitCancellationCompleted): goes on
Initiated, cancel delivered (WaitCancellationRequested): start is cancelled, goes on
Initiated, cancelled, started: start succeeds, goes on
Initiated, cancelled, start failed: start fails, ended
Initiated, cancelled, cancel delivered (Abandon): goes on
Initiated, cancelled, cancel delivered (TryCancel): goes on
Initiated, cancelled, cancel delivered (WaitCancellationCompleted): goes on
Initiated, cancelled, cancel delivered (WaitCancellationRequested): start is cancelled, goes on
Started, completed: completes, ended
Started, terminated: fails, ended
Started, cancel (Abandon): is cancelled
Started, cancel (TryCancel): asked, is cancelled
Started, cancel (WaitCancellationCompleted): asked
Started, cancel (WaitCancellationRequested): asked
Started, cancel delivered (Abandon): goes on
Started, cancel delivered (TryCancel): goes on
Started, cancel delivered (WaitCancellationCompleted): goes on
Started, cancel delivered (WaitCancellationRequested): is cancelled, goes on
Started, cancelled, completed: completes, ended
Started, cancelled, terminated: fails, ended
Started, cancelled, cancel delivered (Abandon): goes on
Started, cancelled, cancel delivered (TryCancel): goes on
Started, cancelled, cancel delivered (WaitCancellationCompleted): goes on
Started, cancelled, cancel delivered (WaitCancellationRequested): is cancelled, goes on
Abandoned, started: goes on
Abandoned, start failed: ended silently
Abandoned, completed: ended silently
Abandoned, terminated: ended silently
Abandoned, cancel delivered: goes on
";
        assert_eq!(table, expected, "{table}");
    }
}
