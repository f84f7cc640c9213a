//! Names of deployments and versions: which are allowed, and how a version is written as one string.

use stead_proto::deployment::v1::WorkerDeploymentVersion;

use crate::engine::Refusal;
use crate::engine::refusal::Code;

/// How the API's strings name what has no version.
pub(super) const UNVERSIONED: &str = "__unversioned__";
/// Request ids of deployments that a poll made begin so.
pub(super) const AUTO_CREATED: &str = "_auto_create_";
/// What a name may have beside the other one, within the server's 1,000 characters of an id.
const MAX_LENGTH: usize = 480;

/// A version as the older strings of the API have it, `deployment.build`.
pub(in crate::engine) fn dotted(version: Option<&WorkerDeploymentVersion>) -> String {
    version.map_or_else(|| UNVERSIONED.to_owned(), |it| format!("{}.{}", it.deployment_name, it.build_id))
}

/// A version as search attributes and messages have it, `deployment:build`.
pub(in crate::engine) fn with_colon(version: &WorkerDeploymentVersion) -> String {
    format!("{}:{}", version.deployment_name, version.build_id)
}

/// Reads a version, written one way or the other; `None`: unversioned.
///
/// # Errors
///
/// What is wrong with it.
pub(super) fn parse(text: &str) -> Result<Option<WorkerDeploymentVersion>, String> {
    if text == UNVERSIONED {
        return Ok(None);
    }
    let Some((deployment, build_id)) = text.find(['.', ':']).map(|at| (&text[..at], &text[at + 1..])) else {
        return Err(format!("expected delimiter ':' or '.' not found in version string {text}"));
    };
    if deployment.is_empty() {
        return Err(format!("deployment name is empty in version string {text}"));
    }
    if build_id.is_empty() {
        return Err(format!("build id is empty in version string {text}"));
    }
    Ok(Some(WorkerDeploymentVersion { deployment_name: deployment.to_owned(), build_id: build_id.to_owned() }))
}

/// A version that a request names by a string; there is no more to say about a string that names none.
pub(super) fn parse_named(text: &str) -> Result<WorkerDeploymentVersion, Refusal> {
    let version = parse(text).map_err(|_| {
        let message = format!("invalid version string {text:?}, expected format is \"<deployment_name>.<build_id>\"");
        Refusal::invalid(message)
    })?;
    Ok(version.unwrap_or_default())
}

pub(super) fn check_version(version: &WorkerDeploymentVersion) -> Result<(), Refusal> {
    check_deployment(&version.deployment_name)?;
    check_build_id(&version.build_id)
}

pub(super) fn check_deployment(name: &str) -> Result<(), Refusal> {
    check(name, "WorkerDeploymentName")?;
    match ['.', ':'].into_iter().find(|delimiter| name.contains(*delimiter)) {
        Some(delimiter) => Err(Refusal::invalid(format!("worker deployment name cannot contain '{delimiter}'"))),
        None => check_prefix(name, "WorkerDeploymentName"),
    }
}

pub(super) fn check_build_id(build_id: &str) -> Result<(), Refusal> {
    check(build_id, "BuildID")?;
    check_prefix(build_id, "BuildID")
}

fn check(name: &str, field: &str) -> Result<(), Refusal> {
    if name.is_empty() {
        return Err(Refusal::invalid(format!("{field} cannot be empty")));
    }
    if name.len() > MAX_LENGTH {
        return Err(Refusal::invalid(format!("size of {field} larger than the maximum allowed")));
    }
    Ok(())
}

fn check_prefix(name: &str, field: &str) -> Result<(), Refusal> {
    if name.starts_with("__") {
        return Err(Refusal::invalid(format!("{field} cannot start with '__'")));
    }
    Ok(())
}

pub(super) fn no_deployment(name: &str) -> Refusal {
    Refusal::not_found(format!(
        "no Worker Deployment found with name '{name}'; does your Worker Deployment have pollers?"
    ))
}

/// Some calls say it in terms of the workflow that keeps a deployment in the server.
pub(super) fn no_deployment_workflow(name: &str) -> Refusal {
    Refusal::not_found(format!("workflow not found for ID: temporal-sys-worker-deployment:{name}"))
}

/// As [`no_deployment_workflow`], for a version.
pub(super) fn no_version_workflow(version: &WorkerDeploymentVersion) -> Refusal {
    let version = with_colon(version);
    Refusal::not_found(format!("workflow not found for ID: temporal-sys-worker-deployment-version:{version}"))
}

pub(super) fn no_version(deployment: &str, build_id: &str) -> Refusal {
    Refusal::not_found(format!("build ID '{build_id}' not found in Worker Deployment '{deployment}'"))
}

pub(super) fn already_exists(message: impl Into<String>) -> Refusal {
    Refusal::new(Code::AlreadyExists, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_with_either_delimiter_and_the_first_one_counts() {
        let names = |text| parse(text).map(|version| version.map(|it| (it.deployment_name, it.build_id)));
        let both = |deployment: &str, build_id: &str| Ok(Some((deployment.to_owned(), build_id.to_owned())));
        assert_eq!(names("shop.1"), both("shop", "1"));
        assert_eq!(names("shop:1.0"), both("shop", "1.0"));
        assert_eq!(names("shop.1:0"), both("shop", "1:0"));
        assert_eq!(names(UNVERSIONED), Ok(None));
        assert_eq!(names("shop"), Err("expected delimiter ':' or '.' not found in version string shop".to_owned()));
        assert_eq!(names(".1"), Err("deployment name is empty in version string .1".to_owned()));
    }
}
