//! [`Routing`]: which version of its workers a queue sends tasks to.

use stead_proto::common::v1::WorkerVersionCapabilities;
use stead_proto::deployment::v1::{WorkerDeploymentOptions, WorkerDeploymentVersion};
use stead_proto::enums::v1::WorkerVersioningMode;

use crate::engine::Time;

/// Which version of its workers a queue sends tasks to. By default there are no versions.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Routing {
    pub(crate) current: Option<WorkerDeploymentVersion>,
    /// Gets the share of `ramp_percentage` of the workflows; no version with a share is unversioned workers.
    pub(crate) ramping: Option<WorkerDeploymentVersion>,
    pub(crate) ramp_percentage: f32,
    /// Of the routing of the deployment that the current version is of, and of the one that the ramping one is of.
    pub(crate) current_revision: i64,
    pub(crate) ramping_revision: i64,
    /// When the above was set last.
    pub(crate) updated: Option<Time>,
    /// Versions whose workers have polled the queue.
    pub(crate) members: Vec<WorkerDeploymentVersion>,
}

/// How a task finds its version when the routing changes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Route {
    /// It stays where it is.
    Fixed,
    /// To the ramping version if the ramp reaches this percentage.
    Share(f32),
    /// To the ramping version if there is one.
    Ramping,
}

impl Routing {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether part of the workflows goes elsewhere than to the current version.
    pub(crate) fn has_ramp(&self) -> bool {
        self.ramping.is_some() || self.ramp_percentage > 0.0
    }

    /// Whether new workflows may come to a version; `None`: to unversioned workers.
    pub(crate) fn gets_new_workflows(&self, version: Option<&WorkerDeploymentVersion>) -> bool {
        self.current.as_ref() == version || (self.has_ramp() && self.ramping.as_ref() == version)
    }

    /// The version that gets tasks of this route; `None`: unversioned workers.
    pub(crate) fn target(&self, route: Route) -> Option<&WorkerDeploymentVersion> {
        if self.is_ramped(route) { self.ramping.as_ref() } else { self.current.as_ref() }
    }

    /// The revision of the routing that says so.
    pub(crate) fn revision(&self, route: Route) -> i64 {
        if self.is_ramped(route) { self.ramping_revision } else { self.current_revision }
    }

    fn is_ramped(&self, route: Route) -> bool {
        match route {
            Route::Ramping if self.ramping.is_some() => true,
            Route::Share(point) => self.ramp_percentage > 0.0 && point <= self.ramp_percentage,
            Route::Ramping | Route::Fixed => false,
        }
    }
}

/// A percentage that is the same for all tasks of a workflow.
pub(crate) fn share(workflow_id: &str) -> Route {
    // FNV-1a, and a last mix because its high bits move little for ids that differ at the end.
    let hash =
        workflow_id.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let hash = (hash ^ (hash >> 15)).wrapping_mul(0x2c1b_3c6d);
    let hash = hash ^ (hash >> 12);
    Route::Share((f64::from(hash) / (f64::from(u32::MAX) + 1.0) * 100.0) as f32)
}

/// The version of the worker that polls so; `None`: an unversioned worker. A worker of the old build id versioning has
/// a version without a deployment's name, to which nothing is routed.
pub(crate) fn version_of(
    options: Option<&WorkerDeploymentOptions>,
    capabilities: Option<&WorkerVersionCapabilities>,
) -> Option<WorkerDeploymentVersion> {
    let (deployment_name, build_id) = names(options, capabilities)?;
    Some(WorkerDeploymentVersion { deployment_name: deployment_name.to_owned(), build_id: build_id.to_owned() })
}

/// As [`version_of`], without a copy: the deployment's name and the build id.
pub(super) fn names<'a>(
    options: Option<&'a WorkerDeploymentOptions>,
    capabilities: Option<&'a WorkerVersionCapabilities>,
) -> Option<(&'a str, &'a str)> {
    if let Some(options) = options
        && !options.deployment_name.is_empty()
    {
        let versioned = options.worker_versioning_mode == WorkerVersioningMode::Versioned as i32;
        return versioned.then_some((&options.deployment_name, &options.build_id));
    }
    let capabilities = capabilities.filter(|capabilities| capabilities.use_versioning)?;
    Some((&capabilities.deployment_series_name, &capabilities.build_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_takes_its_share_of_the_workflows() {
        let version = |build_id: &str| {
            Some(WorkerDeploymentVersion { deployment_name: "d".to_owned(), build_id: build_id.to_owned() })
        };
        let routing =
            Routing { current: version("1"), ramping: version("2"), ramp_percentage: 25.0, ..Default::default() };
        let ramped = (0..10_000).filter(|n| routing.target(share(&format!("workflow-{n}"))) == version("2").as_ref());
        let ramped = ramped.count();
        assert!((2_300..2_700).contains(&ramped), "{ramped} of 10,000");
        assert_eq!(routing.target(Route::Ramping), version("2").as_ref());
    }
}
