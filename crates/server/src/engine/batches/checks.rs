//! What a batch may not be. (`ValidateBatchOperation` of `service/worker/batcher/workflow.go` of Temporal's server, with
//! its texts.)

use stead_proto::batch::v1::{
    BatchOperationReset, batch_operation_reset_activities, batch_operation_unpause_activities,
    batch_operation_update_activity_options,
};
use stead_proto::enums::v1::{ExecutionType, ResetType};
use stead_proto::workflowservice::v1::StartBatchOperationRequest as Order;
use stead_proto::workflowservice::v1::start_batch_operation_request::Operation;

use super::targets::of_activities;
use crate::engine::Refusal;
use crate::engine::visibility::check_syntax;

pub(super) fn check_order(order: &Order) -> Result<(), Refusal> {
    let selectors =
        [!order.visibility_query.is_empty(), !order.executions.is_empty(), !order.target_executions.is_empty()];
    let selectors = selectors.into_iter().filter(|given| *given).count();
    let Some(operation) = order.operation.as_ref().filter(|_| !order.reason.is_empty() && selectors > 0) else {
        return Err(Refusal::invalid(
            "must provide required parameters: BatchType,Reason,Namespace, AND one of (Query OR Executions OR \
             TargetExecutions)",
        ));
    };
    if order.job_id.is_empty() {
        return Err(Refusal::invalid("JobId is not set on request."));
    }
    if selectors > 1 {
        return Err(Refusal::invalid("visibility query, executions, and target executions are mutually exclusive"));
    }
    let expected = if of_activities(operation) { ExecutionType::Activity } else { ExecutionType::Workflow };
    if let Some((at, other)) = order.target_executions.iter().enumerate().find(|(_, it)| it.r#type() != expected) {
        return Err(Refusal::invalid(format!(
            "target_executions[{at}] has type {:?}, but operation {} requires {expected:?}",
            other.r#type(),
            name_in_go(operation)
        )));
    }
    check_operation(operation)?;
    match order.visibility_query.as_str() {
        "" => Ok(()),
        query => check_syntax(query).map_err(|error| Refusal::invalid(format!("invalid visibility query: {error}"))),
    }
}

fn check_operation(operation: &Operation) -> Result<(), Refusal> {
    let refused = match operation {
        Operation::SignalOperation(signal) if signal.signal.is_empty() => "must provide signal name",
        Operation::UpdateWorkflowOptionsOperation(update) if update.workflow_execution_options.is_none() => {
            "must provide UpdateOptions"
        }
        Operation::UpdateWorkflowOptionsOperation(update) if update.update_mask.is_none() => "must provide UpdateMask",
        Operation::ResetOperation(reset) => return check_reset(reset),
        Operation::UnpauseActivitiesOperation(unpause) => {
            use batch_operation_unpause_activities::Activity;
            match &unpause.activity {
                None => "activity filter must be set",
                Some(Activity::Type(name)) if name.is_empty() => NO_ACTIVITIES,
                Some(Activity::MatchAll(false)) => NO_ACTIVITIES,
                Some(_) => return Ok(()),
            }
        }
        Operation::ResetActivitiesOperation(reset) => {
            use batch_operation_reset_activities::Activity;
            match &reset.activity {
                None => "must provide ActivityType or MatchAll",
                Some(Activity::Type(name)) if name.is_empty() => NO_ACTIVITIES,
                Some(Activity::MatchAll(false)) => NO_ACTIVITIES,
                Some(_) => return Ok(()),
            }
        }
        Operation::UpdateActivityOptionsOperation(update) => {
            use batch_operation_update_activity_options::Activity;
            match (&update.activity_options, update.restore_original, &update.activity) {
                (Some(_), true, _) => "cannot set both activity options and restore original",
                (None, false, _) => "Either activity type must be set, or restore original should be set to true",
                (_, _, Some(Activity::Type(name))) if name.is_empty() => NO_ACTIVITIES,
                (_, _, Some(Activity::MatchAll(false))) => NO_ACTIVITIES,
                _ => return Ok(()),
            }
        }
        _ => return Ok(()),
    };
    Err(Refusal::invalid(refused))
}

fn check_reset(reset: &BatchOperationReset) -> Result<(), Refusal> {
    if let Some(options) = &reset.options {
        return match options.target {
            Some(_) => Ok(()),
            None => Err(Refusal::invalid("batch reset missing target")),
        };
    }
    match ResetType::try_from(reset.reset_type) {
        Ok(ResetType::FirstWorkflowTask | ResetType::LastWorkflowTask) => Ok(()),
        Ok(ResetType::Unspecified) => Err(Refusal::invalid("unknown batch reset type Unspecified")),
        Err(_) => Err(Refusal::invalid(format!("unknown batch reset type {}", reset.reset_type))),
    }
}

const NO_ACTIVITIES: &str = "Either activity type must be set, or match all should be set to true";

/// The operation's type as the server's messages name it.
fn name_in_go(operation: &Operation) -> String {
    let name = match operation {
        Operation::TerminationOperation(_) => "TerminationOperation",
        Operation::SignalOperation(_) => "SignalOperation",
        Operation::CancellationOperation(_) => "CancellationOperation",
        Operation::DeletionOperation(_) => "DeletionOperation",
        Operation::ResetOperation(_) => "ResetOperation",
        Operation::UpdateWorkflowOptionsOperation(_) => "UpdateWorkflowOptionsOperation",
        Operation::UnpauseActivitiesOperation(_) => "UnpauseActivitiesOperation",
        Operation::ResetActivitiesOperation(_) => "ResetActivitiesOperation",
        Operation::UpdateActivityOptionsOperation(_) => "UpdateActivityOptionsOperation",
        Operation::CancelActivitiesOperation(_) => "CancelActivitiesOperation",
        Operation::TerminateActivitiesOperation(_) => "TerminateActivitiesOperation",
        Operation::DeleteActivitiesOperation(_) => "DeleteActivitiesOperation",
    };
    format!("*workflowservice.StartBatchOperationRequest_{name}")
}
