//! Users' errors to failures and back.

use super::{ApplicationFailure, Failure};

/// An error that says itself what it is on the wire. `#[derive(IntoFailure)]` implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say which failure it is",
    note = "add `#[derive(IntoFailure)]` to it, or turn it into a `Failure` with `Failure::from_error(&error)`"
)]
pub trait IntoFailure {
    /// The failure that stands for this error.
    fn into_failure(self) -> Failure;
}

impl IntoFailure for Failure {
    fn into_failure(self) -> Failure {
        self
    }
}

/// An error that can be had back from the failure that it became. `#[derive(IntoFailure)]` implements it, too.
pub trait FromFailure: Sized {
    /// The error, if the failure is one of this type.
    fn from_failure(failure: &Failure, application: &ApplicationFailure) -> Option<Self>;
}
