//! Which version of its workers a worker is.

use stead_data::DeploymentVersion;
use stead_proto::deployment::v1::WorkerDeploymentOptions;
use stead_proto::enums::v1::{VersioningBehavior, WorkerVersioningMode};
use stead_workflow::Versioning;

/// The deployment that a worker belongs to, and which version of it the worker is.
///
/// ```
/// use stead_worker::WorkerDeployment;
/// use stead_workflow::Versioning;
///
/// let build = option_env!("BUILD_ID").unwrap_or("dev");
/// let deployment = WorkerDeployment::new("orders", build).default_versioning(Versioning::AutoUpgrade);
/// # let _ = deployment;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "it has no effect before a worker has it"]
pub struct WorkerDeployment {
    pub(crate) version: DeploymentVersion,
    pub(crate) is_versioned: bool,
    pub(crate) default_versioning: Option<Versioning>,
}

impl WorkerDeployment {
    /// This version of this deployment. The server gives the worker what is meant for its version: workflows that are
    /// pinned to it, and others once it is the deployment's current or ramping version.
    ///
    /// Each workflow must then say how its runs move between versions, by `#[workflow(versioning = pinned)]` or
    /// `auto_upgrade`, unless there is a [default](Self::default_versioning).
    pub fn new(deployment: impl Into<String>, build_id: impl Into<String>) -> Self {
        let version = DeploymentVersion::new(deployment, build_id);
        Self { version, is_versioned: true, default_versioning: None }
    }

    /// This version of this deployment, for people who look at histories alone: the server gives the worker what it gives
    /// any worker without a version.
    pub fn unversioned(deployment: impl Into<String>, build_id: impl Into<String>) -> Self {
        Self { is_versioned: false, ..Self::new(deployment, build_id) }
    }

    /// How runs move between versions whose workflow does not say it. Default: each has to.
    pub fn default_versioning(mut self, versioning: Versioning) -> Self {
        self.default_versioning = Some(versioning);
        self
    }

    pub(crate) fn to_version(&self) -> stead_activation::DeploymentVersion {
        let DeploymentVersion { deployment_name, build_id, .. } = self.version.clone();
        stead_activation::DeploymentVersion { deployment_name, build_id }
    }

    pub(crate) fn to_proto(&self) -> WorkerDeploymentOptions {
        let mode = match self.is_versioned {
            true => WorkerVersioningMode::Versioned,
            false => WorkerVersioningMode::Unversioned,
        };
        WorkerDeploymentOptions {
            deployment_name: self.version.deployment_name.clone(),
            build_id: self.version.build_id.clone(),
            worker_versioning_mode: mode.into(),
        }
    }
}

/// What a completed task says of its run. Only a versioned worker may say it.
pub(crate) fn behavior(deployment: Option<&WorkerDeployment>, versioning: Option<Versioning>) -> VersioningBehavior {
    match versioning.filter(|_| deployment.is_some_and(|it| it.is_versioned)) {
        None => VersioningBehavior::Unspecified,
        Some(Versioning::Pinned) => VersioningBehavior::Pinned,
        Some(Versioning::AutoUpgrade) => VersioningBehavior::AutoUpgrade,
    }
}
