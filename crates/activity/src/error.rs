//! The error of an activity.

use std::error::Error as StdError;
use std::fmt;

use stead_data::failure::{FailureCategory, Foreign};
use stead_data::{Failure, FailureKind, IntoFailure};

use crate::{CancellationDetails, Cancelled};

/// What an activity returns.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an attempt of an activity did not succeed.
///
/// `?` makes one of any standard error (and of `anyhow::Error`): an application failure with the error's text, its
/// sources as causes, and as its type the last segment of the error's type name (`ParseIntError`). Retry policies name
/// failures by that type. A [`Failure`] and a [`Cancelled`] pass through as what they are.
///
/// ```
/// use stead_activity as activity;
///
/// fn parse(text: &str) -> activity::Result<u32> {
///     if text.is_empty() {
///         return Err(activity::Error::from("nothing to parse").non_retryable());
///     }
///     Ok(text.parse()?)
/// }
///
/// let failure = parse("x").unwrap_err().into_failure();
/// assert_eq!(failure.find_application().unwrap().1.type_name, "ParseIntError");
/// ```
///
/// It is not itself a standard error, as is usual for errors that others convert into.
pub struct Error(Kind);

enum Kind {
    Foreign(Foreign),
    Failure(Box<Failure>),
    Cancelled(Cancelled),
    CompleteAsync,
}

impl Error {
    /// The activity ends because it was cancelled.
    pub fn cancelled() -> Self {
        Self(Kind::Cancelled(Cancelled::new(CancellationDetails::default())))
    }

    /// The activity fails with exactly this failure.
    pub fn failure(failure: Failure) -> Self {
        Self(Kind::Failure(Box::new(failure)))
    }

    /// The activity does not end with its function: somebody else completes it by its task token.
    pub fn complete_async() -> Self {
        Self(Kind::CompleteAsync)
    }

    /// Makes it final: the server does not retry, whatever the retry policy says.
    ///
    /// A cancellation stays what it is.
    #[must_use]
    pub fn non_retryable(self) -> Self {
        if matches!(self.0, Kind::Cancelled(_) | Kind::CompleteAsync) {
            return self;
        }
        let mut failure = self.into_failure();
        if let FailureKind::Application(application) = &mut failure.kind {
            application.non_retryable = true;
        }
        Self::failure(failure)
    }

    /// Turns an error of type `E` into the failure that `E` says; any other stays as it is.
    ///
    /// This is what `errors(E)` of `#[activity]` does. An `E` that is wrapped in another error is not seen.
    #[must_use]
    pub fn recognise<E: IntoFailure + StdError + 'static>(self) -> Self {
        match self.0 {
            Kind::Foreign(error) => match error.downcast::<E>() {
                Ok(error) => Self::failure(error.into_failure()),
                Err(error) => Self(Kind::Foreign(error)),
            },
            other => Self(other),
        }
    }

    /// Whether the activity ends because it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        match &self.0 {
            Kind::Cancelled(_) => true,
            Kind::Failure(failure) => matches!(failure.kind, FailureKind::Cancelled { .. }),
            Kind::Foreign(_) | Kind::CompleteAsync => false,
        }
    }

    /// Whether somebody else completes the activity.
    pub fn is_complete_async(&self) -> bool {
        matches!(self.0, Kind::CompleteAsync)
    }

    /// Whether the failure is [expected](Failure::benign), and so no error to those who count, log and trace.
    pub fn is_benign(&self) -> bool {
        let Kind::Failure(failure) = &self.0 else { return false };
        failure.find_application().is_some_and(|(_, application)| application.category == FailureCategory::Benign)
    }

    /// The failure that the server records.
    pub fn into_failure(self) -> Failure {
        match self.0 {
            Kind::Foreign(error) => error.into_failure(),
            Kind::Failure(failure) => *failure,
            Kind::Cancelled(_) => Failure::cancelled("Cancelled"),
            Kind::CompleteAsync => Failure::application("the activity is completed by somebody else"),
        }
    }
}

impl<E: Into<Box<dyn StdError + Send + Sync>>> From<E> for Error {
    fn from(error: E) -> Self {
        let foreign = match Foreign::new(error) {
            Ok(foreign) => foreign,
            Err(failure) => return Self(Kind::Failure(failure)),
        };
        match foreign.downcast::<Cancelled>() {
            Ok(cancelled) => Self(Kind::Cancelled(*cancelled)),
            Err(foreign) => Self(Kind::Foreign(foreign)),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Foreign(error) => fmt::Debug::fmt(error, f),
            Kind::Failure(failure) => fmt::Debug::fmt(failure, f),
            Kind::Cancelled(cancelled) => fmt::Debug::fmt(cancelled, f),
            Kind::CompleteAsync => f.write_str("CompleteAsync"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Foreign(error) => fmt::Display::fmt(error, f),
            Kind::Failure(failure) => fmt::Display::fmt(failure, f),
            Kind::Cancelled(cancelled) => fmt::Display::fmt(cancelled, f),
            Kind::CompleteAsync => f.write_str("the activity is completed by somebody else"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Declined {
        code: u16,
        inner: std::num::ParseIntError,
    }

    impl fmt::Display for Declined {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "declined with {}", self.code)
        }
    }

    impl StdError for Declined {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(&self.inner)
        }
    }

    impl IntoFailure for Declined {
        fn into_failure(self) -> Failure {
            Failure::application(self.to_string()).type_name("CardDeclined")
        }
    }

    fn declined() -> Declined {
        Declined { code: 51, inner: "x".parse::<u8>().expect_err("not a number") }
    }

    fn type_of(failure: &Failure) -> &str {
        &failure.find_application().expect("an application failure").1.type_name
    }

    #[test]
    fn any_error_becomes_a_failure_named_after_its_type_with_its_sources_as_causes() {
        let failure = Error::from(declined()).into_failure();
        assert_eq!((failure.message.as_str(), type_of(&failure)), ("declined with 51", "Declined"));
        let cause = failure.cause.as_deref().expect("has a source");
        assert_eq!(cause.message, "invalid digit found in string");
        assert_eq!(cause.cause, None);
    }

    #[test]
    fn texts_and_boxes_have_no_type() {
        let boxed: Box<dyn StdError + Send + Sync> = declined().into();
        for error in [Error::from("no"), Error::from("no".to_owned()), Error::from(boxed)] {
            assert_eq!(type_of(&error.into_failure()), "");
        }
    }

    #[test]
    fn declared_errors_are_recognised_and_others_left_alone() {
        let failure = Error::from(declined()).recognise::<Declined>().into_failure();
        assert_eq!(type_of(&failure), "CardDeclined");
        let failure = Error::from(declined().inner).recognise::<Declined>().into_failure();
        assert_eq!(type_of(&failure), "ParseIntError");
    }

    #[test]
    fn failures_and_cancellations_pass_through() {
        let failure = Failure::application("as is").type_name("Mine");
        assert_eq!(Error::from(failure.clone()).into_failure(), failure);
        let cancelled = Error::from(Cancelled::new(CancellationDetails::cancel_requested()));
        assert!(cancelled.is_cancelled());
        assert!(cancelled.non_retryable().is_cancelled());
        assert!(Error::complete_async().is_complete_async());
    }

    #[test]
    fn non_retryable_keeps_text_and_type() {
        let failure = Error::from(declined()).non_retryable().into_failure();
        let (_, application) = failure.find_application().expect("an application failure");
        assert!(application.non_retryable);
        assert_eq!((failure.message.as_str(), type_of(&failure)), ("declined with 51", "Declined"));
    }
}
