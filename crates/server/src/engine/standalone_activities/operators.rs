//! What operators do to an activity without a workflow: pause it, let it go on, begin it anew, change its options.
//!
//! The calls also reach activities of workflows, by the workflow's id, and then do what the older calls for these do.

use stead_proto::common::v1::WorkflowExecution;
use stead_proto::workflowservice::v1 as api;

use super::checks::{Texts, check_duration};
use super::machine::{Phase, Reset};
use super::{ActivityKey, StandaloneActivity};
use crate::engine::activity_options::{ActivityOptions, Owner, check_priority};
use crate::engine::call::Outcome;
use crate::engine::options::activity::merge;
use crate::engine::options::mask::Mask;
use crate::engine::run::state::Pause;
use crate::engine::{Engine, Refusal, retry};

impl Engine {
    pub(in crate::engine) fn pause_activity_execution(
        &mut self,
        mut request: api::PauseActivityExecutionRequest,
    ) -> Result<Outcome, Refusal> {
        self.complete_activity_request_id(&mut request.request_id)?;
        let texts = Texts { identity: &request.identity, reason: &request.reason };
        self.check_activity(&request.activity_id, &request.run_id, texts)?;
        if !request.workflow_id.is_empty() {
            self.pause_activity(api::PauseActivityRequest {
                namespace: request.namespace,
                execution: of_workflow(request.workflow_id, request.run_id),
                activity: Some(api::pause_activity_request::Activity::Id(request.activity_id)),
                reason: request.reason,
                identity: request.identity,
                request_id: request.request_id,
            })?;
            return Ok(api::PauseActivityExecutionResponse {}.into());
        }
        let key = self.found_activity(&request.namespace, &request.activity_id, &request.run_id)?;
        let (phase, earlier) = self.phase_and(key, |activity| &activity.served.pause)?;
        if earlier != request.request_id {
            if !matches!(phase, Phase::Scheduled | Phase::Started) {
                let message = format!("activity is in non-pausable state {phase}");
                return Err(Refusal::failed_precondition(message));
            }
            let api::PauseActivityExecutionRequest { identity, reason, request_id, .. } = request;
            let pause = Pause { identity, reason, at: self.now.unix_nanos(), request_id: request_id.clone() };
            self.change_activity(key, |activity, _| {
                activity.served.pause = request_id;
                activity.pause(pause);
            });
        }
        Ok(api::PauseActivityExecutionResponse {}.into())
    }

    pub(in crate::engine) fn unpause_activity_execution(
        &mut self,
        mut request: api::UnpauseActivityExecutionRequest,
    ) -> Result<Outcome, Refusal> {
        self.complete_activity_request_id(&mut request.request_id)?;
        let texts = Texts { identity: &request.identity, reason: &request.reason };
        self.check_activity(&request.activity_id, &request.run_id, texts)?;
        check_duration("jitter", request.jitter.as_ref())?;
        if !request.workflow_id.is_empty() {
            self.unpause_activity(api::UnpauseActivityRequest {
                namespace: request.namespace,
                execution: of_workflow(request.workflow_id, request.run_id),
                activity: Some(api::unpause_activity_request::Activity::Id(request.activity_id)),
                identity: request.identity,
                jitter: request.jitter,
                ..Default::default()
            })?;
            return Ok(api::UnpauseActivityExecutionResponse {}.into());
        }
        let key = self.found_activity(&request.namespace, &request.activity_id, &request.run_id)?;
        let (phase, earlier) = self.phase_and(key, |activity| &activity.served.unpause)?;
        if earlier != request.request_id {
            let message = match phase {
                Phase::Paused | Phase::PauseRequested => None,
                Phase::Closed(status) => Some(format!("activity is in terminal state {status:?}")),
                phase => Some(format!("activity is in non-unpausable state {phase}")),
            };
            message.map_or(Ok(()), |message| Err(Refusal::failed_precondition(message)))?;
            let at = self.now + self.jittered(request.jitter.as_ref());
            self.change_activity(key, |activity, _| {
                activity.served.unpause = request.request_id;
                activity.unpause(at);
            });
        }
        Ok(api::UnpauseActivityExecutionResponse {}.into())
    }

    pub(in crate::engine) fn reset_activity_execution(
        &mut self,
        mut request: api::ResetActivityExecutionRequest,
    ) -> Result<Outcome, Refusal> {
        self.complete_activity_request_id(&mut request.request_id)?;
        self.check_activity(
            &request.activity_id,
            &request.run_id,
            Texts { identity: &request.identity, ..Texts::default() },
        )?;
        check_duration("jitter", request.jitter.as_ref())?;
        if !request.workflow_id.is_empty() {
            self.reset_activity(api::ResetActivityRequest {
                namespace: request.namespace,
                execution: of_workflow(request.workflow_id, request.run_id),
                activity: Some(api::reset_activity_request::Activity::Id(request.activity_id)),
                identity: request.identity,
                jitter: request.jitter,
                keep_paused: request.keep_paused,
                reset_heartbeat: request.reset_heartbeat,
                restore_original_options: request.restore_original_options,
            })?;
            return Ok(api::ResetActivityExecutionResponse {}.into());
        }
        let key = self.found_activity(&request.namespace, &request.activity_id, &request.run_id)?;
        let (phase, earlier) = self.phase_and(key, |activity| &activity.served.reset)?;
        if earlier != request.request_id {
            let message = match phase {
                Phase::CancelRequested => "cannot reset an activity with a pending cancellation",
                Phase::ResetRequested => "cannot reset an activity with a pending reset",
                Phase::Closed(_) => "activity execution is not running",
                _ => "",
            };
            if !message.is_empty() {
                return Err(Refusal::failed_precondition(message));
            }
            let reset = Reset {
                keep_paused: request.keep_paused,
                forget_progress: request.reset_heartbeat,
                restores: request.restore_original_options,
            };
            let at = self.now + self.jittered(request.jitter.as_ref());
            self.change_activity(key, |activity, _| {
                activity.served.reset = request.request_id;
                activity.reset(at, reset);
            });
        }
        Ok(api::ResetActivityExecutionResponse {}.into())
    }

    pub(in crate::engine) fn update_activity_execution_options(
        &mut self,
        mut request: api::UpdateActivityExecutionOptionsRequest,
    ) -> Result<Outcome, Refusal> {
        self.complete_activity_request_id(&mut request.request_id)?;
        self.check_activity(
            &request.activity_id,
            &request.run_id,
            Texts { identity: &request.identity, ..Texts::default() },
        )?;
        let mask = request.update_mask.as_ref().map(Mask::new);
        check_update(&request, mask.as_ref())?;
        if !request.workflow_id.is_empty() {
            return self.update_options_of_workflow(request);
        }
        let key = self.found_activity(&request.namespace, &request.activity_id, &request.run_id)?;
        let (phase, earlier) = self.phase_and(key, |activity| &activity.served.options)?;
        if earlier != request.request_id {
            if !matches!(phase, Phase::Scheduled | Phase::Started | Phase::Paused | Phase::PauseRequested) {
                let message = format!("Cannot update options for activity in state {phase}");
                return Err(Refusal::failed_precondition(message));
            }
            let request_id = request.request_id.clone();
            match mask.filter(|_| !request.restore_original) {
                Some(mask) => self.change_options(key, &request, &mask)?,
                None => self.restore_options(key),
            }
            self.change_activity(key, |activity, _| activity.served.options = request_id);
        }
        let options = self.activities.get(key).map(StandaloneActivity::described_options);
        Ok(api::UpdateActivityExecutionOptionsResponse { activity_options: options }.into())
    }

    fn update_options_of_workflow(
        &mut self,
        request: api::UpdateActivityExecutionOptionsRequest,
    ) -> Result<Outcome, Refusal> {
        let key = self.namespaces.key(&request.namespace)?;
        let execution = of_workflow(request.workflow_id, request.run_id);
        let run = self.runs.find(key, execution.as_ref())?;
        let id = request.activity_id.clone();
        self.update_activity_options(api::UpdateActivityOptionsRequest {
            namespace: request.namespace,
            execution,
            activity: Some(api::update_activity_options_request::Activity::Id(request.activity_id)),
            activity_options: request.activity_options,
            update_mask: request.update_mask,
            restore_original: request.restore_original,
            identity: request.identity,
        })?;
        let run = self.runs.get(run);
        let activity = run.and_then(|run| run.activities.get(run.activity_ids.get(&id)?));
        let options = activity.map(crate::engine::activity::ActivityState::described_options);
        Ok(api::UpdateActivityExecutionOptionsResponse { activity_options: options }.into())
    }

    /// Takes the fields of the mask, checked and completed like those of a start.
    fn change_options(
        &mut self,
        key: ActivityKey,
        request: &api::UpdateActivityExecutionOptionsRequest,
        mask: &Mask,
    ) -> Result<(), Refusal> {
        let Some(activity) = self.activities.get(key) else { return Ok(()) };
        let mut from = request.activity_options.clone().unwrap_or_default();
        if mask.has("retry_policy") {
            // Without a policy of its own, it gets the one that it would have been started with.
            from.retry_policy.get_or_insert_default();
        }
        let delays = mask.has("start_delay");
        if delays {
            check_duration("StartDelay", from.start_delay.as_ref())?;
            let waits = activity.attempt.first_begin() > self.now || activity.phase() == Phase::Paused;
            if activity.last_started_at != 0 || !waits {
                return Err(Refusal::failed_precondition(
                    "cannot update start_delay: the first activity attempt has already been dispatched",
                ));
            }
        }
        let mut options: ActivityOptions = activity.attempt.options();
        merge(&mut options, &from, mask)?;
        let policy_changed = mask.has("retry_policy") || mask.within("retry_policy").next().is_some();
        retry::validate(options.retry_policy.as_ref())?;
        let owner = Owner { task_queue: "", run_timeout: None, id_length: self.config.limits.id_length };
        options.complete(activity.id(), activity.attempt.name(), &owner)?;
        self.change_activity(key, |activity, now| {
            if delays {
                activity.attempt.start_delay = from.start_delay;
            }
            activity.set_options(now, options, policy_changed);
        });
        Ok(())
    }

    fn restore_options(&mut self, key: ActivityKey) {
        self.change_activity(key, |activity, now| {
            activity.restore_options();
            let options = activity.attempt.options();
            activity.set_options(now, options, true);
        });
    }

    fn found_activity(&self, namespace: &str, id: &str, run_id: &str) -> Result<ActivityKey, Refusal> {
        self.activities.find(self.namespaces.key(namespace)?, id, run_id)
    }

    fn phase_and(
        &self,
        key: ActivityKey,
        served: impl FnOnce(&StandaloneActivity) -> &String,
    ) -> Result<(Phase, String), Refusal> {
        let activity = self.activities.get(key).ok_or_else(|| Refusal::not_found("activity is gone"))?;
        Ok((activity.phase(), served(activity).clone()))
    }
}

fn of_workflow(workflow_id: String, run_id: String) -> Option<WorkflowExecution> {
    Some(WorkflowExecution { workflow_id, run_id })
}

fn check_update(request: &api::UpdateActivityExecutionOptionsRequest, mask: Option<&Mask>) -> Result<(), Refusal> {
    let paths = request.update_mask.as_ref().map_or(&[][..], |mask| &mask.paths);
    if request.restore_original {
        return match paths {
            [] => Ok(()),
            _ => Err(Refusal::invalid("Both UpdateMask and RestoreOriginal are provided")),
        };
    }
    let options =
        request.activity_options.as_ref().ok_or_else(|| Refusal::invalid("ActivityOptions are not provided"))?;
    let mask = mask.ok_or_else(|| Refusal::invalid("UpdateMask is not provided"))?;
    if mask.is_empty() {
        return Err(Refusal::invalid("UpdateMask must specify at least one path"));
    }
    if let Some(path) = mask.outside(&SUPPORTED) {
        return Err(Refusal::invalid(format!("unsupported update_mask path: \"{path}\"")));
    }
    check_priority(options.priority.as_ref())?;
    let coefficient = options.retry_policy.as_ref().map_or(0.0, |policy| policy.backoff_coefficient);
    if mask.has("retry_policy.backoff_coefficient") && coefficient < 1.0 {
        return Err(Refusal::invalid("BackoffCoefficient cannot be less than 1 on retry policy."));
    }
    Ok(())
}

/// What of the options can be changed.
const SUPPORTED: [&str; 15] = [
    "task_queue.name",
    "schedule_to_close_timeout",
    "schedule_to_start_timeout",
    "start_to_close_timeout",
    "heartbeat_timeout",
    "priority",
    "priority.priority_key",
    "priority.fairness_key",
    "priority.fairness_weight",
    "retry_policy",
    "retry_policy.initial_interval",
    "retry_policy.backoff_coefficient",
    "retry_policy.maximum_interval",
    "retry_policy.maximum_attempts",
    "start_delay",
];
