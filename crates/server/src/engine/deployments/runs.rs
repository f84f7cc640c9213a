//! What the version that a workflow is on means for its tasks.

use stead_proto::deployment::v1::WorkerDeploymentVersion;
use stead_proto::enums::v1::{ContinueAsNewVersioningBehavior, VersioningBehavior};

use stead_proto::workflow::v1::versioning_override::Override;

use super::overrides::pinned_to;
use crate::engine::Engine;
use crate::engine::matching::Directive;
use crate::engine::namespaces::NamespaceKey;
use crate::engine::run::state::RunState;

/// Which workers may have the tasks of a workflow.
pub(in crate::engine) fn directive_of(state: &RunState) -> Directive<'_> {
    let wishes_ramp = state.versioning.initial_behavior == ContinueAsNewVersioningBehavior::UseRampingVersion as i32;
    match pinned_version(state) {
        Some(version) => Directive::Pinned(version),
        None if wishes_ramp && state.previous_started_event_id == 0 => Directive::Ramping,
        None => Directive::Routed,
    }
}

/// How the tasks of a workflow find their version: what it says itself, unless there is an override or it is on its way
/// to another version.
pub(in crate::engine) fn effective_behavior(state: &RunState) -> VersioningBehavior {
    if state.versioning.transition.is_some() { VersioningBehavior::AutoUpgrade } else { settled_behavior(state) }
}

/// As [`effective_behavior`], as if a workflow that is on its way to another version had not begun to go.
pub(in crate::engine) fn settled_behavior(state: &RunState) -> VersioningBehavior {
    match state.versioning_override.as_ref().and_then(|it| it.r#override.as_ref()) {
        Some(Override::AutoUpgrade(_)) => VersioningBehavior::AutoUpgrade,
        Some(Override::Pinned(_) | Override::OneTime(_)) => VersioningBehavior::Pinned,
        None => VersioningBehavior::try_from(state.versioning_behavior).unwrap_or_default(),
    }
}

/// The version that a workflow is on, or to which it is on its way; `None`: that of unversioned workers.
pub(in crate::engine) fn effective_version(state: &RunState) -> Option<&WorkerDeploymentVersion> {
    if let Some(transition) = &state.versioning.transition {
        return transition.deployment_version.as_ref();
    }
    let target = state.versioning_override.as_ref().and_then(pinned_to);
    let is_versioned = settled_behavior(state) != VersioningBehavior::Unspecified;
    target.or(state.deployment_version.as_ref().filter(|_| is_versioned))
}

/// Whether a workflow can go on with the worker that has it in its cache: not if `target`, which now gets its tasks,
/// is another version than the one it is on.
pub(in crate::engine) fn stays_on_version(state: &RunState, target: Option<&WorkerDeploymentVersion>) -> bool {
    pinned_version(state).is_some() || target.is_none() || target == effective_version(state)
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
