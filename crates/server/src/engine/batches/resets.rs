//! Where a batch resets a run to.

use stead_proto::batch::v1::BatchOperationReset;
use stead_proto::common::v1::{WorkflowExecution, reset_options::Target as To};
use stead_proto::enums::v1::{EventType, ResetType};
use stead_proto::workflowservice::v1 as api;

use super::operations::Job;
use super::targets::Target;
use crate::engine::refusal::Code;
use crate::engine::run::{Run, RunKey};
use crate::engine::{Engine, Refusal, Time};

impl Engine {
    /// The run whose events the new one will have: the target, or an earlier run in which workers of a version first did
    /// something.
    pub(super) fn resettable(
        &self,
        job: &Job,
        reset: &BatchOperationReset,
        target: &Target,
    ) -> Result<RunKey, Refusal> {
        let namespace = self.namespaces.key(&job.namespace)?;
        let execution = WorkflowExecution { workflow_id: target.id.clone(), run_id: target.run_id.clone() };
        let run = self.runs.find(namespace, Some(&execution))?;
        let options = reset.options.as_ref();
        match options.and_then(|options| Some((options.target.as_ref()?, options.current_run_only))) {
            Some((To::BuildId(build_id), current_only)) => {
                let (run_id, _) = self.point_of(run, build_id)?;
                if run_id != target.run_id && current_only {
                    return Err(unknown(format!(
                        "Reset point for {build_id} points to previous run and CurrentRunOnly is set"
                    )));
                }
                self.runs.find(namespace, Some(&WorkflowExecution { run_id, ..execution }))
            }
            _ => Ok(run),
        }
    }

    /// Resets a run whose history is in memory.
    pub(super) fn reset_of_batch(
        &mut self,
        job: &Job,
        reset: &BatchOperationReset,
        target: &Target,
        base: RunKey,
    ) -> Result<(), Refusal> {
        let run = self.runs.get(base).ok_or_else(|| Refusal::not_found("workflow execution not found"))?;
        let to = reset.options.as_ref().and_then(|options| options.target.as_ref());
        let event_id = match to {
            Some(To::WorkflowTaskId(id)) => *id,
            Some(To::BuildId(build_id)) => self.point_of(base, build_id)?.1,
            Some(To::FirstWorkflowTask(())) => first_task(run)?,
            Some(To::LastWorkflowTask(())) => last_task(run)?,
            None => match reset.reset_type() {
                ResetType::FirstWorkflowTask => first_task(run)?,
                ResetType::LastWorkflowTask => last_task(run)?,
                other => return Err(Refusal::invalid(format!("provided reset type ({other:?}) is not supported."))),
            },
        };
        let workflow_execution =
            Some(WorkflowExecution { workflow_id: target.id.clone(), run_id: run.state.run_id.clone() });
        let options = reset.options.clone().unwrap_or_default();
        let reapply = if reset.options.is_some() { options.reset_reapply_type } else { reset.reset_reapply_type };
        self.reset_workflow_execution(api::ResetWorkflowExecutionRequest {
            namespace: job.namespace.clone(),
            workflow_execution,
            reason: job.reason.clone(),
            request_id: job.request_id(target),
            workflow_task_finish_event_id: event_id,
            reset_reapply_type: reapply,
            reset_reapply_exclude_types: options.reset_reapply_exclude_types,
            post_reset_operations: reset.post_reset_operations.clone(),
            identity: reset.identity.clone(),
        })?;
        Ok(())
    }

    /// Where workers of a version first completed a workflow task: the run's id, and the event's.
    fn point_of(&self, run: RunKey, build_id: &str) -> Result<(String, i64), Refusal> {
        let points = self.runs.get(run).and_then(|run| run.state.reset_points.as_ref());
        let point = points.into_iter().flat_map(|points| &points.points).find(|point| point.build_id == build_id);
        let point = point.ok_or_else(|| unknown(format!("Can't find reset point for {build_id}")))?;
        if !point.resettable {
            return Err(unknown(format!("Reset point for {build_id} is not resettable")));
        }
        if point.expire_time.as_ref().is_some_and(|at| Time::from_timestamp(at) < self.now) {
            return Err(unknown(format!("Reset point for {build_id} is expired")));
        }
        Ok((point.run_id.clone(), point.first_workflow_task_completed_id))
    }
}

/// The first workflow task that was completed, or else the first that there was.
fn first_task(run: &Run) -> Result<i64, Refusal> {
    task(run, &mut (1..run.history.next_event_id()))
}

/// The last workflow task that was completed, or else the first that there was.
fn last_task(run: &Run) -> Result<i64, Refusal> {
    task(run, &mut (1..run.history.next_event_id()).rev())
}

fn task(run: &Run, ids: &mut dyn Iterator<Item = i64>) -> Result<i64, Refusal> {
    let mut scheduled = None;
    for event in ids.filter_map(|id| run.history.event(id)) {
        match event.event_type() {
            EventType::WorkflowTaskCompleted => return Ok(event.event_id),
            EventType::WorkflowTaskScheduled => {
                scheduled = Some(scheduled.map_or(event.event_id, |other: i64| other.min(event.event_id)));
            }
            _ => {}
        }
    }
    let scheduled = scheduled.ok_or_else(|| unknown("unable to find any scheduled or completed task".to_owned()))?;
    Ok(scheduled + 1)
}

fn unknown(message: String) -> Refusal {
    Refusal::new(Code::Unknown, message)
}
