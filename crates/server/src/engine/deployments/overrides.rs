//! Overrides of the version that a workflow is on: what is allowed, and what it does to the version.

use stead_proto::deployment::v1::{Deployment, WorkerDeploymentVersion};
use stead_proto::enums::v1::VersioningBehavior;
use stead_proto::workflow::v1::VersioningOverride;
use stead_proto::workflow::v1::versioning_override::{Override, PinnedOverride, PinnedOverrideBehavior};

use super::{Engine, names};
use crate::engine::Refusal;
use crate::engine::matching::{QueueKind, QueueName};
use crate::engine::namespaces::NamespaceKey;
use crate::engine::start::NewRun;

/// The version to which an override pins; `None` if it pins to none. It has its current form.
pub(in crate::engine) fn pinned_to(overridden: &VersioningOverride) -> Option<&WorkerDeploymentVersion> {
    match overridden.r#override.as_ref()? {
        Override::Pinned(pinned) => pinned.version.as_ref(),
        // Pins until a task of the workflow completes there.
        Override::OneTime(target) => target.target_deployment_version.as_ref(),
        Override::AutoUpgrade(_) => None,
    }
}

/// An override with the fields that older clients read, too.
pub(in crate::engine) fn described_override(overridden: &VersioningOverride) -> VersioningOverride {
    let (behavior, version) = match &overridden.r#override {
        Some(Override::AutoUpgrade(true)) => (VersioningBehavior::AutoUpgrade, None),
        Some(Override::Pinned(pinned)) => (VersioningBehavior::Pinned, pinned.version.as_ref()),
        _ => return overridden.clone(),
    };
    let pinned_version = version.map(|version| names::dotted(Some(version))).unwrap_or_default();
    VersioningOverride { behavior: behavior.into(), pinned_version, ..overridden.clone() }
}

impl Engine {
    /// Checks an override of a workflow on a queue, and puts it into its current form.
    pub(in crate::engine) fn check_override(
        &self,
        namespace: NamespaceKey,
        queue: &str,
        overridden: &mut Option<VersioningOverride>,
    ) -> Result<(), Refusal> {
        let Some(overridden) = overridden else { return Ok(()) };
        put_into_current_form(overridden)?;
        let Some(version) = pinned_to(overridden) else { return Ok(()) };
        let name = QueueName { namespace, kind: QueueKind::Workflow, name: queue.to_owned() };
        if self.deployments.serves(&name, version) {
            return Ok(());
        }
        let version = names::with_colon(version);
        Err(Refusal::failed_precondition(format!(
            "Pinned version '{version}' is not present in task queue '{queue}' of type 'Workflow'"
        )))
    }

    /// A run inherits the version of the one that brings it only if that version serves its queue.
    pub(in crate::engine) fn keep_served_version(&self, new: &mut NewRun) {
        let queue = new.started.task_queue.clone().unwrap_or_default().name;
        let queue = QueueName { namespace: new.namespace, kind: QueueKind::Workflow, name: queue };
        let serves = |version: &WorkerDeploymentVersion| self.deployments.serves(&queue, version);
        if !new.started.inherited_pinned_version.as_ref().is_some_and(serves) {
            new.started.inherited_pinned_version = None;
        }
        let source = new.started.inherited_auto_upgrade_info.as_ref();
        if !source.and_then(|info| info.source_deployment_version.as_ref()).is_some_and(serves) {
            new.started.inherited_auto_upgrade_info = None;
        }
        if !new.started.versioning_override.as_ref().is_some_and(|it| pinned_to(it).is_some_and(serves)) {
            new.started.versioning_override = None;
        }
    }

    /// A workflow gets an override: if that pins it, the version is looked after again.
    pub(in crate::engine) fn override_applies(
        &mut self,
        namespace: NamespaceKey,
        overridden: Option<&VersioningOverride>,
    ) {
        if let Some(version) = overridden.and_then(pinned_to) {
            self.reactivate_version(namespace, version);
        }
    }
}

/// Checks what an override says, whatever it is for.
pub(in crate::engine) fn put_into_current_form(overridden: &mut VersioningOverride) -> Result<(), Refusal> {
    let current = match overridden.r#override.take() {
        Some(current) => checked(current)?,
        None => of_older_form(overridden)?,
    };
    *overridden = VersioningOverride { r#override: Some(current), ..VersioningOverride::default() };
    Ok(())
}

fn checked(current: Override) -> Result<Override, Refusal> {
    let refusal = match &current {
        Override::AutoUpgrade(false) => "auto-upgrade override must be true",
        Override::Pinned(PinnedOverride { version: None, .. }) => "must provide version if override is pinned.",
        Override::Pinned(pinned) if pinned.behavior() == PinnedOverrideBehavior::Unspecified => {
            "must specify pinned override behavior if override is pinned."
        }
        Override::OneTime(target) if target.target_deployment_version.is_none() => {
            "must provide target deployment version if override is one-time."
        }
        _ => return Ok(current),
    };
    Err(Refusal::invalid(refusal))
}

fn of_older_form(older: &VersioningOverride) -> Result<Override, Refusal> {
    match (older.behavior(), &older.deployment, older.pinned_version.as_str()) {
        (VersioningBehavior::Unspecified, ..) => Err(Refusal::invalid("override behavior is required")),
        (VersioningBehavior::AutoUpgrade, Some(_), _) => {
            Err(Refusal::invalid("only provide deployment if behavior is 'PINNED'"))
        }
        (VersioningBehavior::AutoUpgrade, None, "") => Ok(Override::AutoUpgrade(true)),
        (VersioningBehavior::AutoUpgrade, None, _) => {
            Err(Refusal::invalid("only provide pinned version if behavior is 'PINNED'"))
        }
        (VersioningBehavior::Pinned, Some(deployment), _) => Ok(pinned(of_deployment(deployment)?)),
        (VersioningBehavior::Pinned, None, "") => {
            Err(Refusal::invalid("must provide deployment (deprecated) or pinned version if behavior is 'PINNED'"))
        }
        (VersioningBehavior::Pinned, None, version) => Ok(pinned(names::parse_named(version)?)),
    }
}

fn of_deployment(deployment: &Deployment) -> Result<WorkerDeploymentVersion, Refusal> {
    let (name, build_id) = (&deployment.series_name, &deployment.build_id);
    let refusal = match () {
        () if name.is_empty() => "deployment name cannot be empty",
        () if name.contains(['.', ':']) => "deployment name cannot contain '.' or ':'",
        () if build_id.is_empty() => "deployment build ID cannot be empty",
        () => return Ok(WorkerDeploymentVersion { deployment_name: name.clone(), build_id: build_id.clone() }),
    };
    Err(Refusal::invalid(refusal))
}

fn pinned(version: WorkerDeploymentVersion) -> Override {
    Override::Pinned(PinnedOverride { behavior: PinnedOverrideBehavior::Pinned.into(), version: Some(version) })
}
