//! `UpdateWorkflowExecutionOptions`. (`service/history/api/updateworkflowoptions` of Temporal's server.)

use prost_types::FieldMask;
use stead_proto::common::v1::Priority;
use stead_proto::history::v1::WorkflowExecutionOptionsUpdatedEventAttributes as OptionsUpdated;
use stead_proto::workflow::v1::versioning_override::Override;
use stead_proto::workflow::v1::{VersioningOverride, WorkflowExecutionOptions};
use stead_proto::workflowservice::v1 as api;

use super::mask::Mask;
use crate::engine::activity_options::check_priority;
use crate::engine::deployments::pinned_version;
use crate::engine::run::Run;
use crate::engine::run::events::Extras;
use crate::engine::run::state::RunState;
use crate::engine::run::time_skipping::TimeSkipping;
use crate::engine::time_skipping::check_time_skipping;
use crate::engine::{Engine, Refusal};

/// The paths that a mask may have.
const PATHS: [&str; 3] = ["versioning_override", "priority", "time_skipping_config"];

/// A change of options that has been checked.
#[derive(Debug)]
pub(in crate::engine) struct OptionsChange {
    from: WorkflowExecutionOptions,
    mask: Mask,
}

impl Engine {
    pub(in crate::engine) fn update_workflow_options(
        &mut self,
        request: api::UpdateWorkflowExecutionOptionsRequest,
    ) -> Result<api::UpdateWorkflowExecutionOptionsResponse, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        let key = self.runs.find(namespace, request.workflow_execution.as_ref())?;
        let options = request.workflow_execution_options.unwrap_or_default();
        check_priority(options.priority.as_ref())?;
        let change = self.checked_options(self.open_run(key)?, options, request.update_mask.as_ref())?;
        let identity = request.identity;
        let run = self.open_run(key)?;
        let Some(event) = change.event(&run.state, identity) else {
            return Ok(api::UpdateWorkflowExecutionOptionsResponse {
                workflow_execution_options: Some(options_of(&run.state)),
                update_time: None,
            });
        };
        self.override_applies(namespace, event.versioning_override.as_ref());
        let options = self.transact(key, |run, cx| {
            run.update_options(cx, event, Extras::default());
            options_of(&run.state)
        });
        Ok(api::UpdateWorkflowExecutionOptionsResponse {
            workflow_execution_options: options,
            update_time: Some(self.now.timestamp()),
        })
    }

    /// Checks a change of a run's options, and completes it.
    pub(in crate::engine) fn checked_options(
        &self,
        run: &Run,
        mut from: WorkflowExecutionOptions,
        mask: Option<&FieldMask>,
    ) -> Result<OptionsChange, Refusal> {
        let mask = mask.map(Mask::new).unwrap_or_else(|| Mask::new(&FieldMask::default()));
        check_time_skipping(from.time_skipping_config.as_mut())?;
        pin_where_it_is(run, from.versioning_override.as_mut())?;
        self.check_override(run.namespace(), &run.state.task_queue, &mut from.versioning_override)?;
        check_mask(&mask)?;
        Ok(OptionsChange { from, mask })
    }
}

impl OptionsChange {
    /// The event about the change; `None` if it changes nothing.
    pub(in crate::engine) fn event(&self, state: &RunState, identity: String) -> Option<OptionsUpdated> {
        let mut options = options_of(state);
        if self.mask.has("versioning_override") || self.mask.within("versioning_override").next().is_some() {
            options.versioning_override.clone_from(&self.from.versioning_override);
        }
        if self.mask.has("priority") {
            options.priority.clone_from(&self.from.priority);
        }
        self.merge_priority(&mut options);
        if self.mask.has("time_skipping_config") {
            options.time_skipping_config.clone_from(&self.from.time_skipping_config);
        }
        let before = options_of(state);
        // The same fast-forward again is another one.
        let fast_forwards = self.mask.has("time_skipping_config")
            && options.time_skipping_config.as_ref().is_some_and(|config| config.fast_forward_config.is_some());
        let skips = fast_forwards || options.time_skipping_config != before.time_skipping_config;
        (skips || options != before).then(|| OptionsUpdated {
            time_skipping_config: options.time_skipping_config,
            time_skipping_config_updated: skips,
            unset_versioning_override: options.versioning_override.is_none(),
            versioning_override: options.versioning_override,
            priority: options.priority,
            identity,
            ..OptionsUpdated::default()
        })
    }

    fn merge_priority(&self, options: &mut WorkflowExecutionOptions) {
        let from: Priority = self.from.priority.clone().unwrap_or_default();
        for field in self.mask.within("priority") {
            let into = options.priority.get_or_insert_default();
            match field {
                "priority_key" => into.priority_key = from.priority_key,
                "fairness_key" => into.fairness_key.clone_from(&from.fairness_key),
                _ => into.fairness_weight = from.fairness_weight,
            }
        }
    }
}

fn options_of(state: &RunState) -> WorkflowExecutionOptions {
    WorkflowExecutionOptions {
        versioning_override: state.versioning_override.clone(),
        priority: state.priority.clone(),
        time_skipping_config: state.time_skipping.as_ref().and_then(TimeSkipping::config).cloned(),
    }
}

fn check_mask(mask: &Mask) -> Result<(), Refusal> {
    let bad = |what: String| Refusal::invalid(format!("error applying update_options: {what}"));
    let of_priority = ["priority_key", "fairness_key", "fairness_weight"];
    let unknown = |path: &str| match path.split_once('.') {
        None => !PATHS.contains(&path),
        Some(("priority", field)) => !of_priority.contains(&field),
        Some((field, _)) => !PATHS.contains(&field),
    };
    if let Some(path) = mask.paths().find(|path| unknown(path)) {
        return Err(bad(format!(
            "invalid path \"{path}\" for message \"temporal.api.workflow.v1.WorkflowExecutionOptions\""
        )));
    }
    if mask.within("time_skipping_config").next().is_some() {
        return Err(bad("time_skipping_config doesn't support partial update".to_owned()));
    }
    let parts: Vec<_> = mask.within("versioning_override").collect();
    if parts.contains(&"behavior") != parts.contains(&"deployment") {
        return Err(bad("versioning_override fields must be updated together".to_owned()));
    }
    if parts.iter().any(|part| !["behavior", "deployment"].contains(part)) {
        return Err(bad("versioning_override doesn't support partial updates".to_owned()));
    }
    Ok(())
}

/// An override that pins and does not say where pins to the version that the workflow is pinned to already.
fn pin_where_it_is(run: &Run, overridden: Option<&mut VersioningOverride>) -> Result<(), Refusal> {
    let Some(Override::Pinned(pinned)) = overridden.and_then(|it| it.r#override.as_mut()) else { return Ok(()) };
    if pinned.behavior == 0 || pinned.version.is_some() {
        return Ok(());
    }
    let Some(version) = pinned_version(&run.state) else {
        return Err(Refusal::failed_precondition(format!(
            "must specify a specific pinned override version because workflow with id {} has behavior {} and is not \
             yet pinned to any version",
            run.state.workflow_id,
            behavior_name(&run.state)
        )));
    };
    pinned.version = Some(version.clone());
    Ok(())
}

/// The behaviour's name as the server writes it.
fn behavior_name(state: &RunState) -> &'static str {
    use stead_proto::enums::v1::VersioningBehavior as B;
    let overridden = state.versioning_override.as_ref().and_then(|it| it.r#override.as_ref());
    match (overridden, B::try_from(state.versioning_behavior)) {
        (Some(Override::AutoUpgrade(_)), _) | (None, Ok(B::AutoUpgrade)) => "AutoUpgrade",
        (Some(_), _) | (None, Ok(B::Pinned)) => "Pinned",
        (None, _) => "Unspecified",
    }
}
