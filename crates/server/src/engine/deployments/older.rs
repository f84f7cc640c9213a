//! The two older ways of versioning workers, by sets of build ids and by rules. The server has them off unless told
//! otherwise, and says so.

use stead_proto::errordetails::v1::PermissionDeniedFailure;

use crate::engine::Refusal;
use crate::engine::refusal::Code;

pub(in crate::engine) fn version_sets_are_disabled() -> Refusal {
    denied("Worker versioning v0.1 (Version Set-based, deprecated) is disabled on this namespace.")
}

pub(in crate::engine) fn versioning_rules_are_disabled() -> Refusal {
    denied("Worker versioning v0.2 (Rules-based, deprecated) is disabled on this namespace.")
}

fn denied(message: &str) -> Refusal {
    Refusal::new(Code::PermissionDenied, message).with(&PermissionDeniedFailure::default())
}
