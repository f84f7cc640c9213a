//! What a batch does to one execution: what the call of the same name does.

use stead_proto::batch::v1::{
    BatchOperationResetActivities, BatchOperationUnpauseActivities, BatchOperationUpdateActivityOptions,
    batch_operation_reset_activities, batch_operation_unpause_activities, batch_operation_update_activity_options,
};
use stead_proto::common::v1::WorkflowExecution;
use stead_proto::workflowservice::v1 as api;
use stead_proto::workflowservice::v1::start_batch_operation_request::Operation;

use super::targets::Target;
use crate::engine::refusal::Code;
use crate::engine::run::RunKey;
use crate::engine::{Engine, Refusal};

/// What a batch is to do.
pub(super) struct Job {
    pub(super) namespace: String,
    /// Of the batch.
    pub(super) run_id: String,
    pub(super) reason: String,
    pub(super) operation: Operation,
}

/// How it went with one execution.
#[must_use]
pub(super) enum Done {
    Well,
    Failed,
    /// Not yet: the history of this run has to be read first.
    Reads(RunKey),
}

impl Job {
    /// The same for the same execution of the same batch, so that nothing happens twice.
    pub(super) fn request_id(&self, target: &Target) -> String {
        format!("{}:{}", self.run_id, target.run_id)
    }
}

impl Engine {
    pub(super) fn job(&self, key: u64) -> Option<Job> {
        let (batch, order) = self.batch_and_order(key).ok()?;
        Some(Job {
            namespace: self.name_of(batch).to_owned(),
            run_id: batch.run_id.clone(),
            reason: order.reason.clone(),
            operation: order.operation.clone()?,
        })
    }

    pub(super) fn do_to(&mut self, job: &Job, target: &Target) -> Done {
        let result = match &job.operation {
            Operation::ResetOperation(reset) => match self.resettable(job, reset, target) {
                Ok(base) => match self.away_history(base) {
                    Some(away) => return Done::Reads(away),
                    None => self.reset_of_batch(job, reset, target, base),
                },
                Err(refusal) => Err(refusal),
            },
            _ => self.call_for_batch(job, target),
        };
        match result {
            Ok(()) => Done::Well,
            // It has closed or is gone, which is as good.
            Err(refusal) if refusal.code == Code::NotFound => Done::Well,
            Err(_) => Done::Failed,
        }
    }

    fn call_for_batch(&mut self, job: &Job, target: &Target) -> Result<(), Refusal> {
        let (namespace, request_id) = (job.namespace.clone(), job.request_id(target));
        let execution = Some(WorkflowExecution { workflow_id: target.id.clone(), run_id: target.run_id.clone() });
        let (activity_id, run_id) = (target.id.clone(), target.run_id.clone());
        match job.operation.clone() {
            Operation::TerminationOperation(it) => {
                drop(self.terminate_workflow_execution(api::TerminateWorkflowExecutionRequest {
                    namespace,
                    workflow_execution: execution,
                    reason: job.reason.clone(),
                    details: it.details,
                    identity: it.identity,
                    ..Default::default()
                })?)
            }
            Operation::CancellationOperation(it) => {
                drop(self.request_cancel_workflow_execution(api::RequestCancelWorkflowExecutionRequest {
                    namespace,
                    workflow_execution: execution,
                    identity: it.identity,
                    request_id,
                    ..Default::default()
                })?)
            }
            Operation::SignalOperation(it) => {
                drop(self.signal_workflow_execution(api::SignalWorkflowExecutionRequest {
                    namespace,
                    workflow_execution: execution,
                    signal_name: it.signal,
                    input: it.input,
                    header: it.header,
                    identity: it.identity,
                    request_id,
                    ..Default::default()
                })?);
            }
            Operation::DeletionOperation(_) => {
                let request = api::DeleteWorkflowExecutionRequest { namespace, workflow_execution: execution };
                self.delete_workflow_execution(&request)?;
            }
            Operation::UpdateWorkflowOptionsOperation(it) => {
                self.update_workflow_options(api::UpdateWorkflowExecutionOptionsRequest {
                    namespace,
                    workflow_execution: execution,
                    workflow_execution_options: it.workflow_execution_options,
                    update_mask: it.update_mask,
                    identity: it.identity,
                })?;
            }
            Operation::UnpauseActivitiesOperation(it) => {
                drop(self.unpause_activity(unpause_request(namespace, execution, it))?);
            }
            Operation::ResetActivitiesOperation(it) => {
                drop(self.reset_activity(reset_request(namespace, execution, it))?);
            }
            Operation::UpdateActivityOptionsOperation(it) => {
                drop(self.update_activity_options(update_request(namespace, execution, it))?);
            }
            Operation::TerminateActivitiesOperation(it) => {
                drop(self.terminate_activity_execution(api::TerminateActivityExecutionRequest {
                    namespace,
                    activity_id,
                    run_id,
                    identity: it.identity,
                    reason: it.reason,
                    request_id,
                })?)
            }
            Operation::CancelActivitiesOperation(it) => {
                drop(self.request_cancel_activity_execution(api::RequestCancelActivityExecutionRequest {
                    namespace,
                    activity_id,
                    run_id,
                    identity: it.identity,
                    reason: it.reason,
                    request_id,
                })?)
            }
            Operation::DeleteActivitiesOperation(_) => {
                let request = api::DeleteActivityExecutionRequest { namespace, activity_id, run_id };
                drop(self.delete_activity_execution(&request)?);
            }
            // It needs a history, and has a room of its own.
            Operation::ResetOperation(_) => {}
        }
        Ok(())
    }
}

fn unpause_request(
    namespace: String,
    execution: Option<WorkflowExecution>,
    it: BatchOperationUnpauseActivities,
) -> api::UnpauseActivityRequest {
    use api::unpause_activity_request::Activity;
    use batch_operation_unpause_activities::Activity as Of;
    api::UnpauseActivityRequest {
        namespace,
        execution,
        identity: it.identity,
        reset_attempts: it.reset_attempts,
        reset_heartbeat: it.reset_heartbeat,
        jitter: it.jitter,
        activity: it.activity.map(|of| match of {
            Of::Type(name) => Activity::Type(name),
            Of::MatchAll(_) => Activity::UnpauseAll(true),
        }),
    }
}

fn reset_request(
    namespace: String,
    execution: Option<WorkflowExecution>,
    it: BatchOperationResetActivities,
) -> api::ResetActivityRequest {
    use api::reset_activity_request::Activity;
    use batch_operation_reset_activities::Activity as Of;
    api::ResetActivityRequest {
        namespace,
        execution,
        identity: it.identity,
        reset_heartbeat: it.reset_heartbeat,
        jitter: it.jitter,
        keep_paused: it.keep_paused,
        restore_original_options: it.restore_original_options,
        activity: it.activity.map(|of| match of {
            Of::Type(name) => Activity::Type(name),
            Of::MatchAll(_) => Activity::MatchAll(true),
        }),
    }
}

fn update_request(
    namespace: String,
    execution: Option<WorkflowExecution>,
    it: BatchOperationUpdateActivityOptions,
) -> api::UpdateActivityOptionsRequest {
    use api::update_activity_options_request::Activity;
    use batch_operation_update_activity_options::Activity as Of;
    api::UpdateActivityOptionsRequest {
        namespace,
        execution,
        identity: it.identity,
        activity_options: it.activity_options,
        update_mask: it.update_mask,
        restore_original: it.restore_original,
        activity: it.activity.map(|of| match of {
            Of::Type(name) => Activity::Type(name),
            Of::MatchAll(_) => Activity::MatchAll(true),
        }),
    }
}
