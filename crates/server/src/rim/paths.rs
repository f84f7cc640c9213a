//! Which path is which call, and what callers of others are told.

use crate::engine::Refusal;

/// The services of the server besides health and reflection.
pub(super) const SERVICES: [&str; 2] =
    ["temporal.api.workflowservice.v1.WorkflowService", "temporal.api.operatorservice.v1.OperatorService"];

/// The service and the method of a path such as `/grpc.health.v1.Health/Check`.
pub(super) fn split(path: &str) -> Result<(&str, &str), Refusal> {
    let named = path.strip_prefix('/').unwrap_or(path);
    named.rsplit_once('/').ok_or_else(|| Refusal::unimplemented(format!("malformed method name: {path:?}")))
}

/// What a caller of something else is told; `more` are services besides those that every server has.
pub(super) fn unknown(service: &str, method: &str, more: &[&str]) -> Refusal {
    let known = SERVICES.contains(&service) || more.contains(&service);
    Refusal::unimplemented(match known {
        true => format!("unknown method {method} for service {service}"),
        false => format!("unknown service {service}"),
    })
}
