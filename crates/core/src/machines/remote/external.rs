//! Requests to other workflows: signals and cancellations.

use stead_activation::{Failure, Job, Seq};
use stead_proto::enums::v1::{CancelExternalWorkflowExecutionFailedCause, SignalExternalWorkflowExecutionFailedCause};
use stead_proto::failure::v1::failure::FailureInfo;
use stead_proto::failure::v1::{ApplicationFailureInfo, CanceledFailureInfo};

use crate::machines::Step;

/// A signal or a request for cancellation on its way to another workflow.
///
/// ```text
///            Initiated event                 delivered, or failed: resolved
/// Commanded ────────────────▶ Recorded ─────────────────────────────────────▶ ended
///     │ signals only: cancel
///     ▼
///   ended (nothing sent)
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    /// The command waits for its event.
    Commanded,
    /// The server delivers it.
    Recorded,
}

impl Request {
    /// Its event came.
    pub(super) fn recorded(&mut self) -> Step {
        match self {
            Self::Commanded => {
                *self = Self::Recorded;
                Step::Going
            }
            Self::Recorded => Step::Illegal,
        }
    }

    /// The server is done with it.
    pub(super) fn ended(self, job: Option<Job>) -> Step {
        match self {
            Self::Commanded => Step::Illegal,
            Self::Recorded => Step::Ended(job),
        }
    }

    /// Whether it can be taken back.
    pub(super) fn is_unsent(self) -> bool {
        self == Self::Commanded
    }
}

/// The end of a signal.
pub(super) fn signalled(seq: Seq, failure: Option<Failure>) -> Job {
    Job::ResolveSignalExternal { seq, failure: failure.map(Box::new) }
}

/// The end of a request for cancellation.
pub(super) fn cancelled(seq: Seq, failure: Option<Failure>) -> Job {
    Job::ResolveCancelExternal { seq, failure: failure.map(Box::new) }
}

/// The end of a signal that the code took back.
pub(super) fn taken_back(seq: Seq) -> Job {
    let failure = Failure {
        message: "Signal was cancelled before being sent".to_owned(),
        failure_info: Some(FailureInfo::CanceledFailureInfo(CanceledFailureInfo::default())),
        ..Failure::default()
    };
    signalled(seq, Some(failure))
}

/// Why a signal was not delivered.
pub(super) fn signal_failure(cause: SignalExternalWorkflowExecutionFailedCause) -> Failure {
    use SignalExternalWorkflowExecutionFailedCause as Cause;
    let reason = match cause {
        Cause::ExternalWorkflowExecutionNotFound | Cause::NamespaceNotFound => "it was not found",
        Cause::SignalCountLimitExceeded => "the per-workflow signal limit was exceeded",
        Cause::Unspecified => "unknown",
    };
    failure(format!("Unable to signal external workflow because {reason}"), cause.as_str_name(), SIGNAL_CAUSE)
}

/// Why a request for cancellation was not delivered.
pub(super) fn cancel_failure(cause: CancelExternalWorkflowExecutionFailedCause) -> Failure {
    use CancelExternalWorkflowExecutionFailedCause as Cause;
    let reason = match cause {
        Cause::ExternalWorkflowExecutionNotFound | Cause::NamespaceNotFound => "it was not found",
        Cause::Unspecified => "unknown",
    };
    failure(format!("Unable to cancel external workflow because {reason}"), cause.as_str_name(), CANCEL_CAUSE)
}

const SIGNAL_CAUSE: &str = "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_";
const CANCEL_CAUSE: &str = "CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_";

/// Its type is the cause in the form that other SDKs give it: `ExternalWorkflowExecutionNotFound`.
fn failure(message: String, cause: &str, prefix: &str) -> Failure {
    let words = cause.strip_prefix(prefix).unwrap_or(cause).split('_');
    let type_name = words.flat_map(|word| {
        word.chars().enumerate().map(|(place, letter)| if place == 0 { letter } else { letter.to_ascii_lowercase() })
    });
    let info = ApplicationFailureInfo { r#type: type_name.collect(), ..ApplicationFailureInfo::default() };
    Failure { message, failure_info: Some(FailureInfo::ApplicationFailureInfo(info)), ..Failure::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transition_table() {
        let mut table = String::new();
        for state in [Request::Commanded, Request::Recorded] {
            let mut recorded = state;
            table += &format!("{state:?} recorded: {:?}\n", recorded.recorded());
            table += &format!("{state:?} ended: {:?}\n", state.ended(None));
            table += &format!("{state:?} can be taken back: {}\n", state.is_unsent());
        }
        let expected = "\
Commanded recorded: Going
Commanded ended: Illegal
Commanded can be taken back: true
Recorded recorded: Illegal
Recorded ended: Ended(None)
Recorded can be taken back: false
";
        assert_eq!(table, expected);
    }

    #[test]
    fn the_type_of_a_failure_is_its_cause() {
        let failure = signal_failure(SignalExternalWorkflowExecutionFailedCause::ExternalWorkflowExecutionNotFound);
        let Some(FailureInfo::ApplicationFailureInfo(info)) = failure.failure_info else { panic!("an application's") };
        assert_eq!(info.r#type, "ExternalWorkflowExecutionNotFound");
    }
}
