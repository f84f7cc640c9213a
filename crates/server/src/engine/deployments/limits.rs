//! How many deployments, versions and queues there may be, and what is said when there are too many
//! (`matching.max…` of the server's dynamic configuration).

use stead_proto::enums::v1::{ResourceExhaustedCause, ResourceExhaustedScope};
use stead_proto::errordetails::v1::ResourceExhaustedFailure;

use crate::engine::Refusal;
use crate::engine::refusal::Code;

/// Deployments of a namespace.
pub(super) const DEPLOYMENTS: usize = 100;
/// Versions of a deployment.
pub(super) const VERSIONS: usize = 100;
/// Names of queues that a version serves.
pub(super) const QUEUES_OF_VERSION: usize = 100;
/// Versions that serve a queue.
pub(super) const VERSIONS_OF_QUEUE: usize = 200;

pub(super) fn too_many_deployments() -> Refusal {
    exhausted(format!("reached maximum deployments in namespace ({DEPLOYMENTS})"))
}

pub(super) fn too_many_versions(version: &str) -> Refusal {
    exhausted(format!(
        "cannot add version {version} since maximum number of versions ({VERSIONS}) have been registered in the deployment"
    ))
}

pub(super) fn too_many_queues(queue: &str) -> Refusal {
    exhausted(format!(
        "cannot add task queue {queue} since maximum number of task queues ({QUEUES_OF_VERSION}) have been registered in \
         deployment"
    ))
}

pub(super) fn too_many_versions_of_queue() -> Refusal {
    exhausted(format!(
        "exceeding maximum number of Deployment Versions in this task queue (limit = {VERSIONS_OF_QUEUE})"
    ))
}

fn exhausted(message: String) -> Refusal {
    Refusal::new(Code::ResourceExhausted, message).with(&ResourceExhaustedFailure {
        cause: ResourceExhaustedCause::WorkerDeploymentLimits.into(),
        scope: ResourceExhaustedScope::Namespace.into(),
    })
}
