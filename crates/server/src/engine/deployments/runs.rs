//! What the version that a workflow is on means for its tasks.

use stead_proto::deployment::v1::WorkerDeploymentVersion;
use stead_proto::enums::v1::VersioningBehavior;

use super::overrides::pinned_to;
use crate::engine::Engine;
use crate::engine::matching::Directive;
use crate::engine::namespaces::NamespaceKey;
use crate::engine::run::state::RunState;

/// Which workers may have the tasks of a workflow.
pub(in crate::engine) fn directive_of(state: &RunState) -> Directive<'_> {
    pinned_version(state).map_or(Directive::Routed, Directive::Pinned)
}

/// Whether a workflow can go on with the worker that has it in its cache: not if `target`, which now gets its tasks,
/// is another version than the one it is on.
pub(in crate::engine) fn stays_on_version(state: &RunState, target: Option<&WorkerDeploymentVersion>) -> bool {
    pinned_version(state).is_some() || target.is_none() || target == state.deployment_version.as_ref()
}

/// The version to which a workflow is pinned, by its own choice or by an override.
pub(in crate::engine) fn pinned_version(state: &RunState) -> Option<&WorkerDeploymentVersion> {
    if let Some(overridden) = &state.versioning_override {
        return pinned_to(overridden);
    }
    let is_pinned = state.versioning_behavior == VersioningBehavior::Pinned as i32;
    state.deployment_version.as_ref().filter(|_| is_pinned)
}

impl Engine {
    /// How many workflows that are pinned to a version still run.
    pub(in crate::engine) fn pinned_workflows(
        &self,
        namespace: NamespaceKey,
        version: &WorkerDeploymentVersion,
    ) -> usize {
        let runs = self.runs.of_namespace(namespace).into_iter().filter_map(|key| self.runs.get(key));
        runs.filter(|run| run.is_open() && pinned_version(&run.state) == Some(version)).count()
    }
}
