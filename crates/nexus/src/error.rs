//! The error of a handler.

use std::error::Error as StdError;
use std::fmt;

use stead_data::failure::{FailureCategory, Foreign};
use stead_data::nexus::HandlerErrorKind;
use stead_data::{Failure, IntoFailure};

/// What a handler returns.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a handler does not give a result: the request failed, or the operation has.
///
/// | what the handler returns | what it means | what the caller sees |
/// |---|---|---|
/// | [`Error::operation_failed`], an error of `#[operation(errors(..))]` | the operation has failed, for good | a failed operation, with this failure as its cause |
/// | [`Error::operation_cancelled`] | the operation was cancelled | a cancelled operation |
/// | [`Error::handler`] | the request failed; whether the server asks again, the [kind](HandlerErrorKind) says, or [`retryable`](Error::retryable) | nothing while the server asks again; else a failed operation with a handler's error as its cause |
/// | a [`Failure`], by `?` | the request failed with [`Internal`](HandlerErrorKind::Internal); not asked again if the failure is not retryable | as above |
/// | an error of the client, by `?` | the request failed, with the kind that goes with the server's answer | as above |
/// | any other error by `?`, a panic | the request failed with [`Internal`](HandlerErrorKind::Internal), and the server asks again | as above |
///
/// ```
/// use stead_nexus as nexus;
///
/// fn parse(text: &str) -> nexus::Result<u32> {
///     if text.is_empty() {
///         return Err(nexus::Error::handler(nexus::HandlerErrorKind::BadRequest, "nothing to parse"));
///     }
///     text.parse().map_err(|error| nexus::Error::operation_failed("no number").cause(error))
/// }
/// # assert_eq!(parse("7").unwrap(), 7);
/// ```
///
/// It is not itself a standard error, as is usual for errors that others convert into.
pub struct Error(ErrorKind);

/// What an [`Error`] is made of. For the worker that reports it.
///
/// Exhaustive on purpose: a new kind must break every worker at compile time.
#[derive(Debug)]
pub enum ErrorKind {
    /// The operation has failed, or was cancelled if this is a cancellation.
    Operation(Box<Failure>),
    /// The request failed.
    Handler(Box<HandlerError>),
    /// The request failed because of an error that is a failure.
    Failure(Box<Failure>),
    /// The request failed because of any other error.
    #[doc(hidden)]
    Foreign(Foreign),
}

/// An error that a handler has named by its kind.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct HandlerError {
    /// Its kind.
    pub kind: HandlerErrorKind,
    /// What happened.
    pub message: String,
    /// Whether the server asks again, where that is not what the kind says.
    pub retryable: Option<bool>,
    /// What caused it.
    pub cause: Option<Failure>,
}

impl Error {
    /// The request failed. Callers see the message.
    pub fn handler(kind: HandlerErrorKind, message: impl Into<String>) -> Self {
        let error = HandlerError { kind, message: message.into(), retryable: None, cause: None };
        Self(ErrorKind::Handler(Box::new(error)))
    }

    /// The operation has failed, for good: what callers see is an application failure of the type `OperationError`.
    pub fn operation_failed(message: impl Into<String>) -> Self {
        Self::operation_failed_as(Failure::application(message).type_name("OperationError").non_retryable())
    }

    /// The operation has failed, for good, with this error, which callers see.
    pub fn operation_failed_as(error: impl IntoFailure) -> Self {
        Self(ErrorKind::Operation(Box::new(error.into_failure())))
    }

    /// The operation was cancelled.
    pub fn operation_cancelled(message: impl Into<String>) -> Self {
        Self(ErrorKind::Operation(Box::new(Failure::cancelled(message))))
    }

    /// Says whether the server asks again. It is of no effect on an operation that has failed.
    #[must_use]
    pub fn retryable(self, retryable: bool) -> Self {
        let error = match self.0 {
            ErrorKind::Operation(failure) => return Self(ErrorKind::Operation(failure)),
            ErrorKind::Handler(error) => HandlerError { retryable: Some(retryable), ..*error },
            ErrorKind::Failure(failure) => internal(*failure, Some(retryable)),
            ErrorKind::Foreign(error) => internal(error.into_failure(), Some(retryable)),
        };
        Self(ErrorKind::Handler(Box::new(error)))
    }

    /// Sets what caused it.
    #[must_use]
    pub fn cause(self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let cause = Foreign::new(cause).map_or_else(|failure| *failure, Foreign::into_failure);
        Self(match self.0 {
            ErrorKind::Operation(failure) => ErrorKind::Operation(Box::new((*failure).cause(cause))),
            ErrorKind::Handler(error) => ErrorKind::Handler(Box::new(HandlerError { cause: Some(cause), ..*error })),
            ErrorKind::Failure(failure) => ErrorKind::Failure(Box::new((*failure).cause(cause))),
            ErrorKind::Foreign(error) => ErrorKind::Failure(Box::new(error.into_failure().cause(cause))),
        })
    }

    /// Fails the operation if the error is an `E`; any other stays as it is.
    ///
    /// This is what `errors(E)` of `#[operation]` does. An `E` that is wrapped in another error is not seen.
    #[must_use]
    pub fn recognise<E: IntoFailure + StdError + 'static>(self) -> Self {
        match self.0 {
            ErrorKind::Foreign(error) => match error.downcast::<E>() {
                Ok(error) => Self::operation_failed_as(*error),
                Err(error) => Self(ErrorKind::Foreign(error)),
            },
            other => Self(other),
        }
    }

    /// Whether the operation has ended without a result, rather than the request failed.
    pub fn is_of_operation(&self) -> bool {
        matches!(self.0, ErrorKind::Operation(_))
    }

    /// Whether the failure is [expected](Failure::benign), and so no error to those who count, log and trace.
    pub fn is_benign(&self) -> bool {
        match &self.0 {
            ErrorKind::Operation(failure) | ErrorKind::Failure(failure) => failure
                .find_application()
                .is_some_and(|(_, application)| application.category == FailureCategory::Benign),
            ErrorKind::Handler(_) | ErrorKind::Foreign(_) => false,
        }
    }

    /// What it is made of.
    pub fn into_kind(self) -> ErrorKind {
        self.0
    }
}

/// What any other error is to callers.
fn internal(cause: Failure, retryable: Option<bool>) -> HandlerError {
    HandlerError::internal(cause, retryable)
}

impl HandlerError {
    /// An error that says nothing of its kind.
    #[must_use]
    pub fn internal(cause: Failure, retryable: Option<bool>) -> Self {
        let message = "Internal handler error".to_owned();
        Self { kind: HandlerErrorKind::Internal, message, retryable, cause: Some(cause) }
    }
}

impl<E: Into<Box<dyn StdError + Send + Sync>>> From<E> for Error {
    fn from(error: E) -> Self {
        Self(match Foreign::new(error) {
            Ok(foreign) => ErrorKind::Foreign(foreign),
            Err(failure) => ErrorKind::Failure(failure),
        })
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            ErrorKind::Operation(failure) => f.debug_tuple("Operation").field(failure).finish(),
            ErrorKind::Handler(error) => fmt::Debug::fmt(error, f),
            ErrorKind::Failure(failure) => fmt::Debug::fmt(failure, f),
            ErrorKind::Foreign(error) => fmt::Debug::fmt(error, f),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            ErrorKind::Operation(failure) | ErrorKind::Failure(failure) => fmt::Display::fmt(failure, f),
            ErrorKind::Handler(error) => write!(f, "{}: {}", error.kind.name(), error.message),
            ErrorKind::Foreign(error) => fmt::Display::fmt(error, f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("declined")]
    struct Declined;

    impl IntoFailure for Declined {
        fn into_failure(self) -> Failure {
            Failure::application("declined").type_name("Declined")
        }
    }

    #[test]
    fn a_declared_error_fails_the_operation_and_another_the_request() {
        let declined = Error::from(Declined).recognise::<Declined>();
        assert!(declined.is_of_operation());
        let other = Error::from("x".parse::<u8>().expect_err("no number")).recognise::<Declined>();
        assert!(matches!(other.into_kind(), ErrorKind::Foreign(_)));
    }

    #[test]
    fn a_failed_operation_has_the_type_that_other_sdks_give_it_and_a_cause() {
        let error = Error::operation_failed("no").cause(Declined);
        let ErrorKind::Operation(failure) = error.into_kind() else { panic!("the operation has failed") };
        let application = failure.as_application().expect("an application failure");
        assert_eq!((application.type_name.as_str(), application.non_retryable), ("OperationError", true));
        assert_eq!(failure.cause.expect("has a cause").message, "declined");
    }

    #[test]
    fn whether_it_is_tried_again_can_be_said_of_every_failed_request() {
        let errors = [
            Error::handler(HandlerErrorKind::Internal, "no"),
            Error::from(Failure::application("no")),
            Error::from("no"),
        ];
        for error in errors {
            let ErrorKind::Handler(error) = error.retryable(false).into_kind() else { panic!("a handler's error") };
            assert_eq!((error.kind, error.retryable), (HandlerErrorKind::Internal, Some(false)));
        }
        assert!(Error::operation_cancelled("no").retryable(true).is_of_operation());
    }
}
