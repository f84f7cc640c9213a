//! [`StandaloneOperation`]: an operation with an outcome, for its callers.

use prost::Message;
use stead_proto::common::v1::{Link, Payload, SearchAttributes};
use stead_proto::enums::v1::{NexusOperationExecutionStatus as Status, TimeoutType};
use stead_proto::failure::v1::failure::FailureInfo;
use stead_proto::failure::v1::{Failure, TerminatedFailureInfo};
use stead_proto::sdk::v1::UserMetadata;

use crate::engine::Time;
use crate::engine::executions::Execution;
use crate::engine::namespaces::NamespaceKey;
use crate::engine::nexus::failures;
use crate::engine::nexus::operation::{
    Ask, CancelAnswer, Cancellation, OperationDeadline, OperationState, Phase, StartAnswer,
};

/// A Nexus operation without a workflow. Instants are nanoseconds since the Unix epoch; 0 says "none".
#[derive(Clone, PartialEq, Message)]
pub(crate) struct StandaloneOperation {
    #[prost(uint64, tag = "1")]
    pub(super) namespace: u64,
    #[prost(string, tag = "2")]
    pub(super) operation_id: String,
    #[prost(string, tag = "3")]
    pub(super) run_id: String,
    #[prost(string, tag = "4")]
    pub(super) start_request_id: String,
    #[prost(message, required, tag = "5")]
    pub(super) operation: OperationState,
    #[prost(enumeration = "Status", tag = "6")]
    pub(super) status: i32,
    #[prost(int64, tag = "7")]
    pub(super) closed_at: i64,
    /// Of one that is completed.
    #[prost(message, optional, tag = "8")]
    pub(super) result: Option<Payload>,
    /// Of one that has ended otherwise.
    #[prost(message, optional, tag = "9")]
    pub(super) failure: Option<Failure>,
    #[prost(string, tag = "10")]
    pub(super) identity: String,
    #[prost(message, optional, tag = "11")]
    pub(super) user_metadata: Option<UserMetadata>,
    #[prost(message, optional, tag = "12")]
    pub(super) search_attributes: Option<SearchAttributes>,
    #[prost(message, repeated, tag = "13")]
    pub(super) links: Vec<Link>,
    #[prost(string, tag = "14")]
    pub(super) terminate_request_id: String,
    #[prost(uint64, tag = "15")]
    pub(super) transitions: u64,
}

impl Execution for StandaloneOperation {
    fn namespace(&self) -> NamespaceKey {
        NamespaceKey(self.namespace)
    }

    fn id(&self) -> &str {
        &self.operation_id
    }

    fn run_id(&self) -> &str {
        &self.run_id
    }

    fn next_deadline(&self) -> Option<Time> {
        self.deadlines().map(|(at, _)| at).min()
    }

    fn is_busy(&self) -> bool {
        self.is_open() && (self.operation.asks(Ask::Start) || self.operation.asks(Ask::Cancel))
    }
}

impl StandaloneOperation {
    pub(super) fn is_open(&self) -> bool {
        self.closed_at == 0
    }

    fn deadlines(&self) -> impl Iterator<Item = (Time, OperationDeadline)> {
        let open = self.is_open();
        self.operation.deadlines().into_iter().filter_map(move |(deadline, at)| Some((at.filter(|_| open)?, deadline)))
    }

    /// The first of its deadlines has come.
    pub(super) fn deadline_due(&mut self, now: Time) {
        let Some((_, deadline)) = self.deadlines().min().filter(|(at, _)| *at <= now) else { return };
        match deadline {
            OperationDeadline::ScheduleToStart => self.time_out(now, TimeoutType::ScheduleToStart),
            OperationDeadline::ScheduleToClose => self.time_out(now, TimeoutType::ScheduleToClose),
            OperationDeadline::StartToClose => self.time_out(now, TimeoutType::StartToClose),
            OperationDeadline::Retry => self.operation.retry(),
            OperationDeadline::RetryCancel => {
                if let Some(cancellation) = &mut self.operation.cancellation {
                    cancellation.retry();
                }
            }
        }
    }

    /// The handler has answered, or will not. `fraction` of the jitter, from 0 to 1.
    pub(super) fn start_answered(&mut self, now: Time, answer: StartAnswer, fraction: f64) {
        match answer {
            StartAnswer::Completed { result, links } => {
                self.links.extend(links);
                self.complete(now, result);
            }
            StartAnswer::Started { token, links } => self.begin(now, now, token, links),
            StartAnswer::Failed(failure) => self.attempt_ended(now, Status::Failed, failure),
            StartAnswer::Canceled(failure) => self.attempt_ended(now, Status::Canceled, failure),
            StartAnswer::TimedOut(timeout) => {
                self.attempt_ended(now, Status::TimedOut, failures::timed_out(timeout));
            }
            StartAnswer::Retry(failure) => self.operation.back_off(now, failure, fraction),
        }
    }

    fn begin(&mut self, at: Time, now: Time, token: String, links: Vec<Link>) {
        self.links.extend(links);
        self.operation.start(at, now, token);
    }

    /// What the handler began has ended. It may be news that it has begun.
    pub(in crate::engine::nexus) fn called_back(
        &mut self,
        now: Time,
        token: String,
        started_at: Time,
        link: Link,
        outcome: Result<Option<Payload>, Box<Failure>>,
    ) {
        if self.operation.started().is_none() {
            self.begin(started_at, now, token, vec![link]);
        }
        match outcome {
            Ok(result) => self.complete(now, result),
            Err(failure) if failures::is_canceled(&failure) => self.close(now, Status::Canceled, *failure),
            Err(failure) => self.close(now, Status::Failed, *failure),
        }
    }

    pub(super) fn cancel_answered(&mut self, now: Time, answer: CancelAnswer, fraction: f64) {
        let Some(cancellation) = &mut self.operation.cancellation else { return };
        match answer {
            CancelAnswer::Delivered => cancellation.delivered(now),
            CancelAnswer::Failed(failure) => cancellation.failed(now, failure),
            CancelAnswer::Retry(failure) => cancellation.back_off(now, failure, fraction),
        }
    }

    pub(super) fn request_cancel(&mut self, now: Time, request_id: String, reason: String) {
        self.operation.request_cancel(now, Cancellation { request_id, reason, ..Default::default() });
    }

    pub(super) fn terminate(&mut self, now: Time, reason: String, identity: String, request_id: String) {
        self.terminate_request_id = request_id;
        let info = TerminatedFailureInfo { identity };
        let failure = Failure {
            message: reason,
            failure_info: Some(FailureInfo::TerminatedFailureInfo(info)),
            ..Default::default()
        };
        self.close(now, Status::Terminated, failure);
    }

    fn time_out(&mut self, now: Time, timeout: TimeoutType) {
        self.close(now, Status::TimedOut, failures::timed_out(timeout));
    }

    /// The end is also that of an attempt.
    fn attempt_ended(&mut self, now: Time, status: Status, failure: Failure) {
        self.operation.attempts.last_at = now.unix_nanos();
        self.operation.attempts.last_failure = Some(failure.clone());
        self.close(now, status, failure);
    }

    fn complete(&mut self, now: Time, result: Option<Payload>) {
        self.status = Status::Completed.into();
        self.closed_at = now.unix_nanos();
        self.result = Some(result.unwrap_or_default());
    }

    fn close(&mut self, now: Time, status: Status, failure: Failure) {
        self.status = status.into();
        self.closed_at = now.unix_nanos();
        self.failure = Some(failure);
    }

    /// How it ended, as the server's messages say it.
    pub(super) fn state_name(&self) -> &'static str {
        match Status::try_from(self.status) {
            Ok(Status::Completed) => "Succeeded",
            Ok(Status::Failed) => "Failed",
            Ok(Status::Canceled) => "Canceled",
            Ok(Status::TimedOut) => "TimedOut",
            Ok(Status::Terminated) => "Terminated",
            _ => "Running",
        }
    }

    /// Which attempt it is in, or was.
    pub(super) fn attempt(&self) -> i32 {
        let asked = matches!(self.operation.phase, None | Some(Phase::Scheduled(_)));
        self.operation.attempts.count + i32::from(asked)
    }
}
