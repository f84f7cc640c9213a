//! When a task cannot be done: what the server is told, and why the run goes.

use stead_activation::{Failure, TaskFailure, TaskFailureCause};
use stead_proto::command::v1::{Command, FailWorkflowExecutionCommandAttributes, command};
use stead_proto::enums::v1::{CommandType, WorkflowTaskFailedCause};
use stead_proto::failure::v1::ApplicationFailureInfo;
use stead_proto::failure::v1::failure::FailureInfo;

use super::queries::failed_reply;
use super::task::Ticket;
use super::{Completion, Eviction, EvictionReason, FailedTask, Output, Run, State};
use crate::Mismatch;
use crate::fault::Fault;

/// Why a task failed.
pub(super) struct Reason {
    pub(super) cause: WorkflowTaskFailedCause,
    pub(super) failure: Failure,
    eviction: EvictionReason,
    mismatch: Option<Box<Mismatch>>,
}

impl Reason {
    /// History could not be had. It may work next time.
    pub(super) fn history_unavailable(message: &str) -> Self {
        let message = format!("history could not be fetched: {message}");
        Self::new(message, "HistoryUnavailable", EvictionReason::HistoryUnavailable)
    }

    /// The completion was too large.
    pub(super) fn too_large(cause: WorkflowTaskFailedCause, message: String) -> Self {
        let kind = match cause {
            WorkflowTaskFailedCause::PayloadsTooLarge => "PayloadsTooLarge",
            WorkflowTaskFailedCause::GrpcMessageTooLarge => "GrpcMessageTooLarge",
            _ => "RequestTooLarge",
        };
        Self { cause, ..Self::new(message, kind, EvictionReason::TooLarge) }
    }

    fn new(message: String, kind: &str, eviction: EvictionReason) -> Self {
        let info = ApplicationFailureInfo {
            r#type: kind.to_owned(),
            non_retryable: true,
            ..ApplicationFailureInfo::default()
        };
        Self {
            cause: WorkflowTaskFailedCause::WorkflowWorkerUnhandledFailure,
            failure: Failure {
                message,
                failure_info: Some(FailureInfo::ApplicationFailureInfo(info)),
                ..Failure::default()
            },
            eviction,
            mismatch: None,
        }
    }

    fn into_eviction(self) -> Eviction {
        Eviction {
            reason: self.eviction,
            message: self.failure.message,
            mismatch: self.mismatch,
            next_tasks: Vec::new(),
        }
    }
}

impl From<Fault> for Reason {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::History(fault) => Self::new(fault.to_string(), "HistoryError", EvictionReason::BadHistory),
            Fault::Mismatch(mismatch) => Self {
                cause: WorkflowTaskFailedCause::NonDeterministicError,
                mismatch: Some(mismatch.clone()),
                ..Self::new(mismatch.to_string(), "NondeterminismError", EvictionReason::Nondeterminism)
            },
        }
    }
}

impl From<TaskFailure> for Reason {
    fn from(TaskFailure { cause, failure }: TaskFailure) -> Self {
        let (cause, eviction) = match cause {
            TaskFailureCause::NonDeterminism => {
                (WorkflowTaskFailedCause::NonDeterministicError, EvictionReason::Nondeterminism)
            }
            TaskFailureCause::WorkflowWorkerUnhandledFailure
            | TaskFailureCause::Panic
            | TaskFailureCause::Conversion => {
                (WorkflowTaskFailedCause::WorkflowWorkerUnhandledFailure, EvictionReason::GuestFailed)
            }
        };
        Self { cause, failure: *failure, eviction, mismatch: None }
    }
}

impl Run {
    /// The task cannot be done. Whatever the server is told, the run goes afterwards.
    pub(super) fn fail(&mut self, task: Ticket, reason: Reason) {
        if task.is_only_query {
            self.fail_query(task, reason);
        } else if reason.cause == WorkflowTaskFailedCause::NonDeterministicError
            && self.settings.mismatch_fails_workflow
        {
            self.fail_workflow(task, reason);
        } else if task.attempt > 1 {
            // Reported once; told again and again the server would try again at once, while a task that times out
            // is tried less and less often.
            self.evict(reason.into_eviction());
        } else {
            self.fail_task(task, reason);
        }
    }

    /// The task cannot be done because of this fault.
    pub(super) fn fail_by(&mut self, task: Ticket, fault: Fault) {
        self.fail(task, fault.after(self.machines.recent()).into());
    }

    fn fail_task(&mut self, task: Ticket, reason: Reason) {
        let failed = FailedTask {
            task_token: task.token,
            cause: reason.cause,
            failure: reason.failure.clone(),
            attempt: task.attempt,
            mismatch: reason.mismatch.clone(),
        };
        self.respond(Output::Fail(Box::new(failed)), State::Failing(Box::new(reason.into_eviction())));
    }

    /// The caller of a query hears why, unless it may work next time: then the server asks again.
    fn fail_query(&mut self, task: Ticket, reason: Reason) {
        if reason.eviction == EvictionReason::HistoryUnavailable {
            return self.evict(reason.into_eviction());
        }
        let reply = failed_reply(task.token, &reason);
        self.respond(Output::AnswerQuery(Box::new(reply)), State::Failing(Box::new(reason.into_eviction())));
    }

    fn fail_workflow(&mut self, task: Ticket, reason: Reason) {
        let attributes = FailWorkflowExecutionCommandAttributes { failure: Some(reason.failure.clone()) };
        let completion = Completion {
            task_token: task.token,
            attempt: task.attempt,
            commands: vec![Command {
                command_type: CommandType::FailWorkflowExecution.into(),
                attributes: Some(command::Attributes::FailWorkflowExecutionCommandAttributes(Box::new(attributes))),
                ..Command::default()
            }],
            ends_run: true,
            versioning: self.settings.versioning,
            ..Completion::default()
        };
        self.respond(Output::Complete(Box::new(completion)), State::Failing(Box::new(reason.into_eviction())));
    }
}
