//! `UpdateActivityOptions`.

use stead_proto::activity::v1::ActivityOptions as Wire;
use stead_proto::common::v1::{Priority, RetryPolicy};
use stead_proto::workflowservice::v1 as api;

use super::mask::Mask;
use crate::engine::activity_options::{ActivityOptions, Owner, check_priority};
use crate::engine::call::Outcome;
use crate::engine::run::{Run, RunKey};
use crate::engine::{Engine, Refusal, retry};

impl Engine {
    pub(in crate::engine) fn update_activity_options(
        &mut self,
        request: api::UpdateActivityOptionsRequest,
    ) -> Result<Outcome, Refusal> {
        check_priority(request.activity_options.as_ref().and_then(|options| options.priority.as_ref()))?;
        let mask = request.update_mask.as_ref().map(Mask::new);
        if request.restore_original && mask.as_ref().is_some_and(|mask| !mask.is_empty()) {
            return Err(Refusal::invalid("Both UpdateMask and RestoreOriginal are provided"));
        }
        let (key, ids) = self.selected_activities(&request.namespace, request.execution.as_ref(), request.activity)?;
        let run = self.open_run(key)?;
        let changed: Vec<_> = if request.restore_original {
            ids.into_iter().filter_map(|id| Some((id, run.original_options(id)?))).collect()
        } else {
            let from = request.activity_options.ok_or_else(|| Refusal::invalid("ActivityOptions are not provided"))?;
            let mask = mask.ok_or_else(|| Refusal::invalid("UpdateMask is not provided"))?;
            let changed = ids.into_iter().map(|id| Ok((id, self.changed_options(run, id, &from, &mask)?)));
            changed.collect::<Result<_, Refusal>>()?
        };
        Ok(self.set_activity_options(key, changed).into())
    }

    fn set_activity_options(
        &mut self,
        key: RunKey,
        changed: Vec<(i64, ActivityOptions)>,
    ) -> api::UpdateActivityOptionsResponse {
        let last = changed.last().map(|(id, _)| *id);
        self.transact(key, |run, _| {
            for (id, options) in changed {
                run.set_activity_options(id, options);
            }
        });
        let run = self.runs.get(key);
        let activity = last.and_then(|id| run?.activities.get(&id));
        api::UpdateActivityOptionsResponse { activity_options: activity.map(|activity| activity.described_options()) }
    }

    /// The options that an activity will have, checked and completed like those of a new one.
    fn changed_options(&self, run: &Run, id: i64, from: &Wire, mask: &Mask) -> Result<ActivityOptions, Refusal> {
        let activity = run.activities.get(&id).ok_or_else(|| Refusal::not_found("activity has closed"))?;
        let mut options = activity.options();
        merge(&mut options, from, mask)?;
        if mask.within("retry_policy").next().is_some() {
            retry::validate(options.retry_policy.as_ref())?;
        }
        let owner =
            Owner { task_queue: &run.state.task_queue, run_timeout: None, id_length: self.config.limits.id_length };
        options.complete(&activity.activity_id, activity.name(), &owner)?;
        Ok(options)
    }
}

/// Takes the fields of the mask. (`common/activityoptions` of Temporal's server.)
pub(in crate::engine) fn merge(into: &mut ActivityOptions, from: &Wire, mask: &Mask) -> Result<(), Refusal> {
    if mask.has("task_queue.name") {
        let queue = from.task_queue.as_ref().ok_or_else(|| Refusal::invalid("TaskQueue is not provided"))?;
        into.task_queue.get_or_insert_default().name.clone_from(&queue.name);
    }
    for (path, into, from) in [
        ("schedule_to_close_timeout", &mut into.schedule_to_close, from.schedule_to_close_timeout),
        ("schedule_to_start_timeout", &mut into.schedule_to_start, from.schedule_to_start_timeout),
        ("start_to_close_timeout", &mut into.start_to_close, from.start_to_close_timeout),
        ("heartbeat_timeout", &mut into.heartbeat, from.heartbeat_timeout),
    ] {
        if mask.has(path) {
            *into = from;
        }
    }
    merge_priority(&mut into.priority, from.priority.as_ref(), mask)?;
    merge_policy(&mut into.retry_policy, from.retry_policy.as_ref(), mask)
}

fn merge_priority(into: &mut Option<Priority>, from: Option<&Priority>, mask: &Mask) -> Result<(), Refusal> {
    if mask.has("priority") {
        *into = from.cloned();
    }
    for part in mask.within("priority") {
        let from = from.ok_or_else(|| Refusal::invalid("Priority is not provided"))?;
        set_priority_part(into.get_or_insert_default(), from, part);
    }
    Ok(())
}

/// Takes one field of a priority. Fields that there are not are passed over.
pub(super) fn set_priority_part(into: &mut Priority, from: &Priority, part: &str) {
    match part {
        "priority_key" => into.priority_key = from.priority_key,
        "fairness_key" => into.fairness_key.clone_from(&from.fairness_key),
        "fairness_weight" => into.fairness_weight = from.fairness_weight,
        _ => {}
    }
}

fn merge_policy(into: &mut Option<RetryPolicy>, from: Option<&RetryPolicy>, mask: &Mask) -> Result<(), Refusal> {
    let missing = || Refusal::invalid("RetryPolicy is not provided");
    if mask.has("retry_policy") {
        *into = Some(from.ok_or_else(missing)?.clone());
    }
    for part in mask.within("retry_policy") {
        let from = from.ok_or_else(missing)?;
        let into = into.get_or_insert_default();
        match part {
            "initial_interval" => into.initial_interval = from.initial_interval,
            "backoff_coefficient" => into.backoff_coefficient = from.backoff_coefficient,
            "maximum_interval" => into.maximum_interval = from.maximum_interval,
            "maximum_attempts" => into.maximum_attempts = from.maximum_attempts,
            _ => {}
        }
    }
    Ok(())
}
