//! Which version of its workers a run is on, how it gets to another, and what lists show of that.
//!
//! ```text
//!   on A ──a worker of B takes a task──▶ in transition to B ──a task completes on B──▶ on B
//! ```
//!
//! Only a run that is not pinned moves so. Until it has arrived, its activities wait: where they belong is not known.
//!
//! A pinned run stays, and is told with its tasks that it would go elsewhere now. Once it has been told and goes on as
//! it is in a new run, that run is not told of the same version again.

use prost::Message;
use stead_proto::common::v1::WorkerVersionStamp;
use stead_proto::deployment::v1::{InheritedAutoUpgradeInfo, WorkerDeploymentVersion};
use stead_proto::enums::v1::{ContinueAsNewVersioningBehavior, VersioningBehavior};
use stead_proto::history::v1::{
    DeclinedTargetVersionUpgrade, WorkflowExecutionStartedEventAttributes, WorkflowTaskCompletedEventAttributes,
};
use stead_proto::workflow::v1::DeploymentVersionTransition;

use super::Run;
use super::state::RunState;
use crate::engine::deployments::{
    effective_behavior, effective_version, pinned_to, pinned_version, settled_behavior, with_colon,
};
use crate::engine::search_attributes::{keyword, keyword_list, keywords_of};

/// What is stored of a run's way between versions.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Versioning {
    /// Where the run is going: a task of it is with a worker of another version than its own.
    #[prost(message, optional, tag = "1")]
    pub(crate) transition: Option<DeploymentVersionTransition>,
    /// Of the routing that brought the run where it is.
    #[prost(int64, tag = "2")]
    pub(crate) revision: i64,
    /// How the first task of a run finds its version that was continued with this wish.
    #[prost(enumeration = "ContinueAsNewVersioningBehavior", tag = "3")]
    pub(crate) initial_behavior: i32,
    /// What an earlier run of the chain was told of and did not go to.
    #[prost(message, optional, tag = "4")]
    pub(crate) declined: Option<DeclinedTargetVersionUpgrade>,
    /// What this run was told of last.
    #[prost(message, optional, tag = "5")]
    pub(crate) notified: Option<DeclinedTargetVersionUpgrade>,
    /// Of the worker that completed the last task, or where an override sends the run.
    #[prost(string, tag = "6")]
    pub(crate) deployment_name: String,
}

/// Which version of its workers has taken a workflow task, and which would if it were routed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dispatch {
    pub(crate) worker: Option<WorkerDeploymentVersion>,
    pub(crate) target: Option<WorkerDeploymentVersion>,
    /// Of the routing that says so.
    pub(crate) revision: i64,
}

impl Versioning {
    /// What a run has of it when it starts.
    pub(crate) fn of_start(started: &WorkflowExecutionStartedEventAttributes) -> Self {
        let inherited = started.inherited_auto_upgrade_info.clone().unwrap_or_default();
        let may_decline = !started.continued_execution_run_id.is_empty() && started.inherited_pinned_version.is_some();
        let (_, version) = self::inherited(started);
        let version = started.versioning_override.as_ref().and_then(pinned_to).or(version.as_ref());
        Self {
            deployment_name: version.map(|version| version.deployment_name.clone()).unwrap_or_default(),
            revision: inherited.source_deployment_revision_number,
            initial_behavior: inherited.continue_as_new_initial_versioning_behavior,
            declined: started.declined_target_version_upgrade.clone().filter(|_| may_decline),
            ..Self::default()
        }
    }
}

/// The behaviour and the version with which a run starts that inherits them.
pub(crate) fn inherited(
    started: &WorkflowExecutionStartedEventAttributes,
) -> (VersioningBehavior, Option<WorkerDeploymentVersion>) {
    match (&started.inherited_pinned_version, &started.inherited_auto_upgrade_info) {
        (Some(version), _) => (VersioningBehavior::Pinned, Some(version.clone())),
        (None, Some(info)) => (VersioningBehavior::AutoUpgrade, info.source_deployment_version.clone()),
        (None, None) => (VersioningBehavior::Unspecified, None),
    }
}

impl Run {
    /// What the run says to one that it brings about, where it is not pinned: from which version that comes. `behavior`
    /// is how the first task of the new run is to find its own.
    pub(crate) fn auto_upgrade_info(
        &self,
        behavior: ContinueAsNewVersioningBehavior,
    ) -> Option<InheritedAutoUpgradeInfo> {
        let version = effective_version(&self.state)?;
        let revision = self.state.versioning.revision;
        (revision != 0).then(|| InheritedAutoUpgradeInfo {
            source_deployment_version: Some(version.clone()),
            source_deployment_revision_number: revision,
            continue_as_new_initial_versioning_behavior: behavior.into(),
        })
    }

    pub(crate) fn is_auto_upgraded(&self) -> bool {
        effective_behavior(&self.state) == VersioningBehavior::AutoUpgrade
    }

    /// What a run that stays on the version of this one need not be told again.
    pub(crate) fn declined_upgrade(&self) -> Option<DeclinedTargetVersionUpgrade> {
        let versioning = &self.state.versioning;
        versioning.notified.clone().or_else(|| versioning.declined.clone())
    }

    /// Notes where a workflow task would have gone. (`AddWorkflowTaskStartedEvent` of Temporal's server.)
    pub(crate) fn note_target(&mut self, dispatch: &Dispatch) {
        let behavior = effective_behavior(&self.state);
        let is_there = effective_version(&self.state) == dispatch.target.as_ref();
        let is_overridden = self.state.versioning_override.is_some();
        let versioning = &mut self.state.versioning;
        let known = |it: &Option<DeclinedTargetVersionUpgrade>| it.as_ref().map_or(0, |it| it.revision_number);
        let newest = known(&versioning.notified).max(known(&versioning.declined));
        match behavior {
            VersioningBehavior::Unspecified => {}
            _ if is_overridden => (versioning.declined, versioning.notified) = (None, None),
            VersioningBehavior::AutoUpgrade => {}
            VersioningBehavior::Pinned if is_there && dispatch.revision >= newest => {
                (versioning.declined, versioning.notified) = (None, None);
            }
            VersioningBehavior::Pinned
                if versioning.declined.is_some() && dispatch.revision <= known(&versioning.declined) => {}
            VersioningBehavior::Pinned if dispatch.revision < newest => {}
            VersioningBehavior::Pinned => {
                versioning.notified = Some(DeclinedTargetVersionUpgrade {
                    deployment_version: dispatch.target.clone(),
                    revision_number: dispatch.revision,
                });
                versioning.declined = None;
            }
        }
    }

    /// Whether a worker is told with its task that the workflow, which is pinned, would go to another version.
    pub(crate) fn target_has_changed(&self) -> bool {
        self.state.versioning.notified.is_some() && effective_behavior(&self.state) == VersioningBehavior::Pinned
    }

    /// A worker has a task of the run. If it is of another version, and the run may move, it is on its way there.
    pub(crate) fn follow_worker(&mut self, dispatch: Dispatch) {
        let is_pinned = pinned_version(&self.state).is_some();
        if is_pinned || effective_version(&self.state) == dispatch.worker.as_ref() {
            return;
        }
        self.state.sticky = None;
        self.state.versioning.revision = dispatch.revision;
        self.state.versioning.transition =
            Some(DeploymentVersionTransition { deployment_version: dispatch.worker, ..Default::default() });
    }

    /// A task has completed: the run is on the version of the worker that did it. Whether that is news.
    pub(crate) fn took_version(&mut self, completed: &WorkflowTaskCompletedEventAttributes) -> bool {
        let before = (effective_behavior(&self.state), effective_version(&self.state).cloned());
        let state = &mut self.state;
        let transition = state.versioning.transition.as_ref();
        let has_arrived = transition.is_some_and(|it| it.deployment_version == completed.deployment_version);
        if has_arrived {
            state.versioning.transition = None;
        }
        state.versioning.deployment_name.clone_from(&completed.worker_deployment_name);
        state.versioning_behavior = completed.versioning_behavior;
        let is_versioned = completed.versioning_behavior() != VersioningBehavior::Unspecified;
        state.deployment_version = completed.deployment_version.clone().filter(|_| is_versioned);
        self.end_one_time_override(completed.deployment_version.as_ref());
        self.show_version(completed.worker_version.as_ref(), completed.deployment_version.as_ref());
        has_arrived || before != (effective_behavior(&self.state), effective_version(&self.state).cloned())
    }

    /// The override of the version has changed. Wherever the run was going, it is not any longer.
    pub(crate) fn took_override(&mut self) {
        let state = &mut self.state;
        state.versioning.transition = None;
        let target = state.versioning_override.as_ref().and_then(pinned_to);
        let own = target.or(state.deployment_version.as_ref());
        state.versioning.deployment_name = own.map(|version| version.deployment_name.clone()).unwrap_or_default();
        self.show_version(None, None);
    }

    /// A run that starts on a version, by inheritance or by an override, is shown to be on it before a task completes.
    pub(crate) fn show_first_version(&mut self) {
        if settled_behavior(&self.state) != VersioningBehavior::Unspecified {
            self.show_version(None, None);
        }
    }

    /// Lists show which versions the run is on and was on. `used`: that of the worker that completed a task.
    pub(crate) fn show_version(&mut self, stamp: Option<&WorkerVersionStamp>, used: Option<&WorkerDeploymentVersion>) {
        let state = &self.state;
        let attributes = state.search_attributes.as_ref();
        let shown = |name: &str| attributes.and_then(|attributes| attributes.indexed_fields.get(name));
        let build_ids = shown(BUILD_IDS).map(keywords_of).unwrap_or_default();
        let used_versions = shown(USED_VERSIONS).map(keywords_of).unwrap_or_default();
        let next_build_ids = build_ids_shown(state, &build_ids, stamp);
        let next_used_versions = used_versions_shown(&used_versions, used);
        let one = |name, text: String| (name, (!text.is_empty()).then(|| keyword(&text)));
        let list = |name, words: Vec<String>| (name, (!words.is_empty()).then(|| keyword_list(&words)));
        let version = shown_version(state);
        let deployment_name = version.map_or(&state.versioning.deployment_name, |version| &version.deployment_name);
        let behavior = match settled_behavior(state) {
            VersioningBehavior::Unspecified => "",
            VersioningBehavior::Pinned => "Pinned",
            VersioningBehavior::AutoUpgrade => "AutoUpgrade",
        };
        let mut next = vec![
            one(DEPLOYMENT, deployment_name.clone()),
            one(VERSION, version.map(with_colon).unwrap_or_default()),
            one(BEHAVIOR, behavior.to_owned()),
        ];
        if build_ids != next_build_ids {
            next.push(list(BUILD_IDS, next_build_ids));
        }
        if used_versions != next_used_versions {
            next.push(list(USED_VERSIONS, next_used_versions));
        }
        next.retain(|(name, payload)| shown(name) != payload.as_ref());
        if next.is_empty() {
            return;
        }
        let fields = &mut self.state.search_attributes.get_or_insert_default().indexed_fields;
        for (name, payload) in next {
            match payload {
                Some(payload) => _ = fields.insert(name.to_owned(), payload),
                None => _ = fields.remove(name),
            }
        }
        self.listed = false;
    }
}

/// What stands in front of the list: that the run is on no version, or the one to which it is pinned. Then every build
/// that had a task.
fn build_ids_shown(state: &RunState, before: &[String], stamp: Option<&WorkerVersionStamp>) -> Vec<String> {
    let behavior = settled_behavior(state);
    let mut next = Vec::with_capacity(before.len() + 2);
    if behavior == VersioningBehavior::Unspecified && !stamp.is_some_and(|stamp| stamp.use_versioning) {
        next.push(UNVERSIONED.to_owned());
    }
    if behavior == VersioningBehavior::Pinned {
        let version = shown_version(state).map(with_colon).unwrap_or_default();
        next.push(format!("{PINNED}{version}"));
    }
    let kept = before.iter().filter(|word| *word != UNVERSIONED && !word.starts_with(PINNED));
    next.extend(kept.cloned());
    if let Some(stamp) = stamp.filter(|stamp| !stamp.build_id.is_empty()) {
        let kind = if stamp.use_versioning { "versioned" } else { "unversioned" };
        let build = format!("{kind}:{}", stamp.build_id);
        if !next.contains(&build) {
            next.push(build);
        }
    }
    // What is in front stays, the oldest builds go.
    let first = usize::from(next.first().is_some_and(|word| word == UNVERSIONED));
    while next.len() > first && encoded_len(&next) > VALUE_LIMIT {
        next.remove(first);
    }
    next
}

fn used_versions_shown(before: &[String], used: Option<&WorkerDeploymentVersion>) -> Vec<String> {
    let mut next = before.to_vec();
    next.extend(used.map(with_colon).filter(|version| !before.contains(version)));
    while !next.is_empty() && encoded_len(&next) > VALUE_LIMIT {
        next.remove(0);
    }
    next
}

/// Bytes of a list as a payload has it: each word in quotes, commas, and brackets.
fn encoded_len(words: &[String]) -> usize {
    words.iter().map(|word| word.len() + 3).sum::<usize>() + 1
}

/// As lists show it: a run that moves is where it was until it has arrived.
fn shown_version(state: &RunState) -> Option<&WorkerDeploymentVersion> {
    let target = state.versioning_override.as_ref().and_then(pinned_to);
    target.or(state.deployment_version.as_ref())
}

const BUILD_IDS: &str = "BuildIds";
const USED_VERSIONS: &str = "TemporalUsedWorkerDeploymentVersions";
const DEPLOYMENT: &str = "TemporalWorkerDeployment";
const VERSION: &str = "TemporalWorkerDeploymentVersion";
const BEHAVIOR: &str = "TemporalWorkflowVersioningBehavior";
const UNVERSIONED: &str = "unversioned";
const PINNED: &str = "pinned:";
/// Bytes of a search attribute (`frontend.searchAttributesSizeOfValueLimit`).
const VALUE_LIMIT: usize = 2 * 1024;
