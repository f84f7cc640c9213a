//! [`Refusal`]: why a call was not served, as gRPC says it.

use prost::Name;
use prost_types::Any;
use stead_proto::enums::v1::{ResourceExhaustedCause, ResourceExhaustedScope};
use stead_proto::errordetails::v1 as details;

/// Why a call was not served: a gRPC status with the details from which SDKs make their errors.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// The kind of refusal.
    pub code: Code,
    /// What went wrong, for a person.
    pub message: String,
    /// Messages of `temporal.api.errordetails.v1`.
    pub details: Vec<Any>,
}

/// Codes of gRPC, with their numbers, except OK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
#[expect(missing_docs, reason = "as gRPC defines them")]
pub enum Code {
    Cancelled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
}

impl Refusal {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: Vec::new() }
    }

    pub(crate) fn with(mut self, detail: &impl Name) -> Self {
        self.details.push(any(detail));
        self
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(Code::NotFound, message).with(&details::NotFoundFailure::default())
    }

    pub(crate) fn failed_precondition(message: impl Into<String>) -> Self {
        Self::new(Code::FailedPrecondition, message)
    }

    /// The workflow cannot take this now; trying again helps.
    pub(crate) fn not_ready(message: impl Into<String>) -> Self {
        Self::new(Code::FailedPrecondition, message).with(&details::WorkflowNotReadyFailure::default())
    }

    /// There is too much of something; trying again later helps.
    pub(crate) fn exhausted(cause: ResourceExhaustedCause, message: impl Into<String>) -> Self {
        Self::new(Code::ResourceExhausted, message).with(&details::ResourceExhaustedFailure {
            cause: cause.into(),
            scope: ResourceExhaustedScope::Namespace.into(),
        })
    }

    pub(crate) fn unimplemented(message: impl Into<String>) -> Self {
        Self::new(Code::Unimplemented, message)
    }
}

/// A message with its type, as details of a status are sent.
pub(crate) fn any<M: Name>(message: &M) -> Any {
    Any { type_url: format!("type.googleapis.com/{}", M::full_name()), value: message.encode_to_vec() }
}
