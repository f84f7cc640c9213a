//! What workflow code returns when it does not return a result.

use std::fmt;

use stead_activation::{ContinueAsNew, TaskFailure, TaskFailureCause};
use stead_data::nexus::HandlerErrorKind;
use stead_data::{ConversionError, Failure, FailureKind, FromFailure, IntoFailure, NexusOperationFailure};

/// What workflow code returns.
pub type Result<T> = std::result::Result<T, Error>;

/// Why workflow code ends without a result: a failure, or continue-as-new.
///
/// Whatever implements [`IntoFailure`] becomes one by `?` or `.into()`: your own errors (by `#[derive(IntoFailure)]`),
/// a [`Failure`], and what the operations of this crate return. Nothing else does, so no error type is lost silently.
///
/// # What an error does
///
/// | what happens | where | effect |
/// |---|---|---|
/// | `Err` with a failure | `run`, a signal handler | the workflow closes as failed |
/// | `Err` with the cancellation that was requested | `run`, a signal handler | the workflow closes as cancelled |
/// | `Err` with a cancellation that nobody requested | `run`, a signal handler | the workflow closes as failed |
/// | `Err` from [`continue_as_new`](crate::continue_as_new()) | `run`, a signal handler | the workflow continues as a new run |
/// | `Err` from [`continue_as_new`](crate::continue_as_new()) | an update handler | the workflow task fails |
/// | `Err` with a failure | an update handler | the update fails, and the workflow goes on |
/// | `Err` with a failure | a validator | the update is rejected, and leaves no trace in history |
/// | `Err` with a failure | a query handler | the query fails |
/// | a panic | `run`, a signal handler, an update handler, a validator | the workflow task fails |
/// | a panic, and [`FailOn::PANICS`](crate::FailOn::PANICS) | `run`, a signal handler, an update handler, a validator | the workflow closes as failed |
/// | a panic | a query handler | the query fails |
/// | an operation, a spawned task, a random number | a validator | the workflow task fails |
/// | an operation, a spawned task, a random number | a query handler | the query fails |
/// | a value that cannot be decoded | the arguments of `run`, the result of an operation | the workflow task fails |
/// | a value that cannot be decoded, and [`FailOn::UNDECODABLE`](crate::FailOn::UNDECODABLE) | the arguments of `run`, the result of an operation | the workflow closes as failed |
/// | a value that cannot be decoded | the arguments of a signal | the signal is dropped, and the workflow goes on |
/// | a value that cannot be decoded | the arguments of an update | the update is rejected, and leaves no trace in history |
/// | a value that cannot be decoded | the arguments of a query | the query fails |
/// | code that does not do what its history says | `run` | the workflow task fails as nondeterministic |
/// | code that does not do what its history says, and [`FailOn::NONDETERMINISM`](crate::FailOn::NONDETERMINISM) | `run` | the workflow closes as failed |
/// | a wake from outside of the workflow | `run` | the workflow task fails as nondeterministic |
/// | a type that the worker does not know | the start of a run | the workflow task fails |
///
/// A failed workflow *task* leaves the workflow open: the server tries the task again.
pub struct Error(Box<Reason>);

pub(crate) enum Reason {
    Failure(Failure),
    ContinueAsNew(Box<ContinueAsNew>),
}

impl Error {
    pub(crate) fn continue_as_new(next: ContinueAsNew) -> Self {
        Self(Box::new(Reason::ContinueAsNew(Box::new(next))))
    }

    pub(crate) fn into_reason(self) -> Reason {
        *self.0
    }

    /// The failure; `None` for continue-as-new.
    pub fn failure(&self) -> Option<&Failure> {
        match &*self.0 {
            Reason::Failure(failure) => Some(failure),
            Reason::ContinueAsNew(_) => None,
        }
    }

    /// Whether this is a cancellation, directly or as the cause of an operation's failure.
    pub fn is_cancelled(&self) -> bool {
        self.failure().is_some_and(Failure::is_cancelled)
    }

    /// Whether this is a timeout, directly or as the cause of an operation's failure.
    pub fn is_timeout(&self) -> bool {
        self.failure().is_some_and(Failure::is_timeout)
    }

    /// The error that somebody raised as `E`, if there is one in the chain of causes.
    pub fn application<E: FromFailure>(&self) -> Option<E> {
        self.failure().and_then(Failure::application_as)
    }
}

impl<E: IntoFailure> From<E> for Error {
    fn from(error: E) -> Self {
        Self(Box::new(Reason::Failure(error.into_failure())))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Reason::Failure(failure) => f.debug_tuple("Error").field(failure).finish(),
            Reason::ContinueAsNew(next) => {
                write!(f, "Error(continue as new {})", next.workflow_type)
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Reason::Failure(failure) => failure.fmt(f),
            Reason::ContinueAsNew(next) => write!(f, "the run continues as a new run of {}", next.workflow_type),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.failure().and_then(std::error::Error::source)
    }
}

/// A wait was cut short because cancellation of the workflow was requested.
///
/// Returned by `?` from `run`, it closes the workflow as cancelled. Only the operations of this crate make one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cancelled;

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cancelled")
    }
}

impl std::error::Error for Cancelled {}

impl IntoFailure for Cancelled {
    fn into_failure(self) -> Failure {
        Failure::cancelled("Cancelled")
    }
}

/// The errors of operations: a failure of the wire, and what is asked of it most.
macro_rules! operation_error {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name(Box<Failure>);

        impl $name {
            pub(crate) fn new(failure: Failure) -> Self {
                Self(Box::new(failure))
            }

            #[doc = concat!("Whether ", $what, " was cancelled.")]
            pub fn is_cancelled(&self) -> bool {
                self.0.is_cancelled()
            }

            #[doc = concat!("Whether a timeout of ", $what, " ran out.")]
            pub fn is_timeout(&self) -> bool {
                self.0.is_timeout()
            }

            #[doc = concat!("The failure of ", $what, ", with its cause.")]
            pub fn failure(&self) -> &Failure {
                &self.0
            }

            #[doc = concat!("The error that ", $what, " returned as `E`, if that is what it failed with.")]
            pub fn application<E: FromFailure>(&self) -> Option<E> {
                self.0.application_as()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::error::Error for $name {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                std::error::Error::source(&*self.0)
            }
        }

        impl IntoFailure for $name {
            fn into_failure(self) -> Failure {
                *self.0
            }
        }
    };
}

operation_error! {
    /// An activity ended without a result: it failed, timed out or was cancelled.
    ActivityError, "the activity"
}

operation_error! {
    /// A child workflow ended without a result, or could not be started.
    ChildError, "the child workflow"
}

operation_error! {
    /// A Nexus operation ended without a result, or could not be started.
    NexusError, "the Nexus operation"
}

impl NexusError {
    /// Which operation it was; `None` if it was cancelled before it was asked for.
    pub fn operation(&self) -> Option<&NexusOperationFailure> {
        self.0.chain().find_map(|failure| match &failure.kind {
            FailureKind::NexusOperation(operation) => Some(&**operation),
            _ => None,
        })
    }

    /// What kind of error its handler had, if that is why; `None` too of a kind that the Nexus specification does not
    /// know, whose name is in the [failure](Self::failure).
    pub fn handler_error(&self) -> Option<HandlerErrorKind> {
        self.0.chain().find_map(|failure| match &failure.kind {
            FailureKind::NexusHandler(handler) => HandlerErrorKind::from_name(&handler.type_name),
            _ => None,
        })
    }
}

operation_error! {
    /// A signal or a request for cancellation did not reach the other workflow, which may not have been started.
    ExternalError, "the request"
}

impl ExternalError {
    pub(crate) fn cancelled(cancelled: Cancelled) -> Self {
        Self::new(cancelled.into_failure())
    }

    /// Whether a [signal with a start](crate::signal_with_start) did not start the workflow because its id is taken, by one
    /// that is closed and that the policy of reuse leaves it to.
    pub fn is_already_started(&self) -> bool {
        let is_it = |failure: &Failure| {
            matches!(failure.kind, FailureKind::Server { .. }) && failure.message.starts_with(ALREADY_STARTED_BY_SERVER)
        };
        self.0.chain().any(is_it)
    }
}

impl ChildError {
    /// Whether the child was not started because there is a workflow with its id already.
    pub fn is_already_started(&self) -> bool {
        self.0.find_application().is_some_and(|(_, application)| application.type_name == ALREADY_STARTED)
    }
}

/// Type of the failure of a child that cannot be started because its id is taken.
pub(crate) const ALREADY_STARTED: &str = "WorkflowAlreadyStarted";

/// How the failure of an operation of the server's own begins that could not start a workflow because its id is taken.
const ALREADY_STARTED_BY_SERVER: &str = "WorkflowExecutionAlreadyStarted";

/// A failure that says what could not be converted, with the converter's error as its cause.
pub(crate) fn conversion(message: &str, error: &ConversionError) -> Failure {
    Failure::application(message).cause(Failure::from_error(error))
}

/// A failure of the workflow task because the code did what it must not.
pub(crate) fn unhandled(failure: Failure) -> TaskFailure {
    task_failure(TaskFailureCause::WorkflowWorkerUnhandledFailure, failure)
}

/// A failure of the workflow task because the code panicked.
pub(crate) fn panicked(failure: Failure) -> TaskFailure {
    task_failure(TaskFailureCause::Panic, failure)
}

/// A failure of the workflow task because of what could not be read or written.
pub(crate) fn unconvertible(failure: Failure) -> TaskFailure {
    task_failure(TaskFailureCause::Conversion, failure)
}

/// A failure of the workflow task because a replay would not repeat what the code did.
pub(crate) fn nondeterminism(message: impl Into<String>) -> TaskFailure {
    let failure = Failure::application(message).type_name("NonDeterminismError");
    task_failure(TaskFailureCause::NonDeterminism, failure)
}

fn task_failure(cause: TaskFailureCause, failure: Failure) -> TaskFailure {
    TaskFailure { cause, failure: Box::new(failure.into_proto()) }
}
