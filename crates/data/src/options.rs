//! Small options that several calls share.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::str::FromStr;

use stead_proto::common::v1 as wire;
use stead_proto::deployment::v1 as wire_deployment;
use stead_proto::enums::v1 as wire_enums;
use stead_proto::workflow::v1::VersioningOverride as WireOverride;
use stead_proto::workflow::v1::versioning_override as wire_override;

use crate::Payload;

/// Named payloads in a stable order.
pub type PayloadMap = BTreeMap<String, Payload>;

/// Headers that interceptors pass along with a call.
pub type Headers = PayloadMap;

/// What happens when a workflow is started with the id of one that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WorkflowIdReusePolicy {
    /// It starts.
    #[default]
    AllowDuplicate,
    /// It starts if the other one did not complete: failed, timed out, was cancelled or terminated.
    AllowDuplicateFailedOnly,
    /// It is refused.
    RejectDuplicate,
}

impl From<WorkflowIdReusePolicy> for wire_enums::WorkflowIdReusePolicy {
    fn from(policy: WorkflowIdReusePolicy) -> Self {
        match policy {
            WorkflowIdReusePolicy::AllowDuplicate => Self::AllowDuplicate,
            WorkflowIdReusePolicy::AllowDuplicateFailedOnly => Self::AllowDuplicateFailedOnly,
            WorkflowIdReusePolicy::RejectDuplicate => Self::RejectDuplicate,
        }
    }
}

/// What happens when a workflow is started with the id of one that is running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WorkflowIdConflictPolicy {
    /// It is refused.
    #[default]
    Fail,
    /// The running one is given back instead.
    UseExisting,
    /// The running one is terminated and the new one starts.
    TerminateExisting,
}

impl From<WorkflowIdConflictPolicy> for wire_enums::WorkflowIdConflictPolicy {
    fn from(policy: WorkflowIdConflictPolicy) -> Self {
        match policy {
            WorkflowIdConflictPolicy::Fail => Self::Fail,
            WorkflowIdConflictPolicy::UseExisting => Self::UseExisting,
            WorkflowIdConflictPolicy::TerminateExisting => Self::TerminateExisting,
        }
    }
}

/// What becomes of a child workflow when the workflow that started it closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ParentClosePolicy {
    /// It is terminated.
    #[default]
    Terminate,
    /// It goes on.
    Abandon,
    /// It is asked to cancel itself.
    RequestCancel,
}

impl From<ParentClosePolicy> for wire_enums::ParentClosePolicy {
    fn from(policy: ParentClosePolicy) -> Self {
        match policy {
            ParentClosePolicy::Terminate => Self::Terminate,
            ParentClosePolicy::Abandon => Self::Abandon,
            ParentClosePolicy::RequestCancel => Self::RequestCancel,
        }
    }
}

/// A version of a worker deployment: the deployment's name, and the build of its workers.
///
/// As text the two are joined by a dot, and the first dot parts them again: the name of a deployment has none.
///
/// ```
/// use stead_data::DeploymentVersion;
///
/// let version: DeploymentVersion = "orders.1.4.2".parse()?;
/// assert_eq!(version, DeploymentVersion::new("orders", "1.4.2"));
/// assert_eq!(version.to_string(), "orders.1.4.2");
/// # Ok::<(), stead_data::DeploymentVersionError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct DeploymentVersion {
    /// Name of the deployment.
    pub deployment_name: String,
    /// The build.
    pub build_id: String,
}

impl DeploymentVersion {
    /// The version of these names.
    pub fn new(deployment_name: impl Into<String>, build_id: impl Into<String>) -> Self {
        Self { deployment_name: deployment_name.into(), build_id: build_id.into() }
    }

    /// The wire's form.
    #[must_use]
    pub fn into_proto(self) -> wire_deployment::WorkerDeploymentVersion {
        wire_deployment::WorkerDeploymentVersion { deployment_name: self.deployment_name, build_id: self.build_id }
    }
}

impl fmt::Display for DeploymentVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.deployment_name, self.build_id)
    }
}

impl FromStr for DeploymentVersion {
    type Err = DeploymentVersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (deployment_name, build_id) =
            text.split_once('.').ok_or_else(|| DeploymentVersionError { text: text.to_owned() })?;
        Ok(Self::new(deployment_name, build_id))
    }
}

/// What should be a [`DeploymentVersion`] as text has no dot in it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeploymentVersionError {
    /// What it is.
    pub text: String,
}

impl fmt::Display for DeploymentVersionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no version of a deployment: it has to be `name.build`", self.text)
    }
}

impl Error for DeploymentVersionError {}

/// On which version of its workers a workflow runs, whatever its own versioning behavior says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum VersioningOverride {
    /// On this one.
    Pinned(DeploymentVersion),
    /// On the one that is current when a task is handed out.
    AutoUpgrade,
    /// On this one for the next task, and then as its own behavior says. Temporal server 1.32 or later.
    OneTime(DeploymentVersion),
}

impl VersioningOverride {
    /// The wire's form.
    #[must_use]
    pub fn into_proto(self) -> WireOverride {
        let choice = match self {
            Self::Pinned(version) => wire_override::Override::Pinned(wire_override::PinnedOverride {
                behavior: wire_override::PinnedOverrideBehavior::Pinned.into(),
                version: Some(version.into_proto()),
            }),
            Self::AutoUpgrade => wire_override::Override::AutoUpgrade(true),
            Self::OneTime(version) => wire_override::Override::OneTime(wire_override::OneTimeOverride {
                target_deployment_version: Some(version.into_proto()),
            }),
        };
        WireOverride { r#override: Some(choice), ..WireOverride::default() }
    }
}

/// In which order the tasks of a task queue are handed to workers.
///
/// ```
/// use stead_data::Priority;
///
/// let urgent = Priority::default().key(1).fairness("tenant-7");
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Priority {
    /// From 1, the most urgent, to what the server is set up for (5 unless changed). Default: the server's, in the
    /// middle.
    pub priority_key: Option<u32>,
    /// Tasks with different keys get a fair share of each priority. Default: none.
    pub fairness_key: String,
    /// The size of this key's share. Default: the server's, 1.
    pub fairness_weight: Option<f32>,
}

impl Priority {
    /// Sets the urgency, from 1.
    #[must_use]
    pub fn key(mut self, key: u32) -> Self {
        self.priority_key = Some(key);
        self
    }

    /// Sets the key of the fair share.
    #[must_use]
    pub fn fairness(mut self, key: impl Into<String>) -> Self {
        self.fairness_key = key.into();
        self
    }

    /// Sets the size of the fair share.
    #[must_use]
    pub fn weight(mut self, weight: f32) -> Self {
        self.fairness_weight = Some(weight);
        self
    }

    /// The wire's form.
    #[must_use]
    pub fn into_proto(self) -> wire::Priority {
        wire::Priority {
            priority_key: i32::try_from(self.priority_key.unwrap_or(0)).unwrap_or(i32::MAX),
            fairness_key: self.fairness_key,
            fairness_weight: self.fairness_weight.unwrap_or(0.0),
        }
    }

    /// Reads the wire's form.
    #[must_use]
    pub fn from_proto(priority: wire::Priority) -> Self {
        Self {
            priority_key: u32::try_from(priority.priority_key).ok().filter(|key| *key > 0),
            fairness_key: priority.fairness_key,
            fairness_weight: Some(priority.fairness_weight).filter(|weight| *weight > 0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_dot_parts_a_deployment_from_its_build() {
        for (name, build) in [("orders", "1.4.2"), ("orders", ""), ("", "1")] {
            let version = DeploymentVersion::new(name, build);
            assert_eq!(version.to_string().parse(), Ok(version));
        }
        let error = "orders".parse::<DeploymentVersion>().expect_err("no dot");
        assert_eq!(error.to_string(), "`orders` is no version of a deployment: it has to be `name.build`");
    }
}
