//! Which executions a batch is about.

use bytes::Bytes;
use stead_proto::batch::v1::batch_operation_unpause_activities::Activity;
use stead_proto::common::v1::Execution as Wire;
use stead_proto::enums::v1::{BatchOperationType, ExecutionType};
use stead_proto::workflowservice::v1::StartBatchOperationRequest as Order;
use stead_proto::workflowservice::v1::start_batch_operation_request::Operation;

use super::{Batch, Counts};
use crate::engine::executions::Execution;
use crate::engine::visibility::Kind;
use crate::engine::{Engine, Refusal};

/// An execution that a batch is to see to.
pub(super) struct Target {
    pub(super) id: String,
    pub(super) run_id: String,
    /// The batch's position when it has been seen to.
    pub(super) after: Bytes,
}

/// The executions of a step.
pub(super) struct Targets {
    pub(super) next: Vec<Target>,
    /// There are others after these.
    pub(super) more: bool,
}

impl Engine {
    /// Counts the executions before the first step, which may change what the query finds.
    pub(super) fn count_batch(&mut self, key: u64) -> Result<(), Refusal> {
        let (batch, order) = self.batch_and_order(key)?;
        if batch.counts.is_some() {
            return Ok(());
        }
        let total = match &order.visibility_query {
            query if query.is_empty() => i64::try_from(listed(order)).unwrap_or(i64::MAX),
            _ => self.count_records(self.name_of(batch), kind(order), &query(order))?.count,
        };
        self.change_batch(key, |batch, _| batch.counts = Some(Counts { total, ..Counts::default() }));
        Ok(())
    }

    /// The executions that the next step is about.
    pub(super) fn next_targets(&self, key: u64) -> Result<Targets, Refusal> {
        let (batch, order) = self.batch_and_order(key)?;
        if order.visibility_query.is_empty() {
            return Ok(from_list(batch, order));
        }
        let size = i32::try_from(batch.step()).unwrap_or(i32::MAX);
        let page = self.list_records(self.name_of(batch), kind(order), &query(order), size, &batch.position)?;
        let next = page.rows.iter().map(|row| Target {
            id: row.record.id.clone(),
            run_id: row.record.run_id.clone(),
            after: row.page_token().into(),
        });
        Ok(Targets { next: next.collect(), more: !page.next_page_token.is_empty() })
    }

    pub(super) fn batch_and_order(&self, key: u64) -> Result<(&Batch, &Order), Refusal> {
        let found = self.batches.progress.get(key).zip(self.batches.orders.get(&key));
        found.ok_or_else(|| Refusal::not_found("the batch is gone"))
    }

    /// The name of its namespace now: a deleted one has another.
    pub(super) fn name_of(&self, batch: &Batch) -> &str {
        self.namespaces.get(batch.namespace()).map_or("", |namespace| &namespace.info.name)
    }
}

fn from_list(batch: &Batch, order: &Order) -> Targets {
    // A position of any other form is none, and the list begins.
    let begin = batch.position.as_ref().try_into().map_or(0, |at| usize::try_from(u64::from_be_bytes(at)).unwrap_or(0));
    let end = begin.saturating_add(batch.step()).min(listed(order));
    let target = |at: usize| {
        let after = Bytes::copy_from_slice(&(at as u64 + 1).to_be_bytes());
        let (id, run_id) = match (order.target_executions.get(at), order.executions.get(at)) {
            (Some(execution), _) => (&execution.business_id, &execution.run_id),
            (None, Some(execution)) => (&execution.workflow_id, &execution.run_id),
            (None, None) => return None,
        };
        Some(Target { id: id.clone(), run_id: run_id.clone(), after })
    };
    Targets { next: (begin..end).filter_map(target).collect(), more: end < listed(order) }
}

fn listed(order: &Order) -> usize {
    order.target_executions.len().max(order.executions.len())
}

/// The executions that were listed, in the newer form.
pub(super) fn executions(order: &Order) -> Vec<Wire> {
    if !order.target_executions.is_empty() {
        return order.target_executions.clone();
    }
    let of_activities = order.operation.as_ref().is_some_and(of_activities);
    let kind = if of_activities { ExecutionType::Activity } else { ExecutionType::Workflow };
    let newer = order.executions.iter().map(|execution| Wire {
        r#type: kind.into(),
        business_id: execution.workflow_id.clone(),
        run_id: execution.run_id.clone(),
    });
    newer.collect()
}

fn kind(order: &Order) -> Kind {
    if order.operation.as_ref().is_some_and(of_activities) { Kind::Activity } else { Kind::Workflow }
}

/// What was asked for, and that it is open if nothing can be done to what is closed.
fn query(order: &Order) -> String {
    let asked = &order.visibility_query;
    let asked = match &order.operation {
        Some(Operation::UnpauseActivitiesOperation(unpause)) => match &unpause.activity {
            Some(Activity::Type(name)) => {
                let name = name.replace('\\', "\\\\").replace('\'', "\\'");
                &format!("TemporalPauseInfo = 'property:activityType={name}' AND ({asked})")
            }
            _ => asked,
        },
        _ => asked,
    };
    match order.operation {
        Some(
            Operation::DeletionOperation(_) | Operation::DeleteActivitiesOperation(_) | Operation::ResetOperation(_),
        ) => asked.clone(),
        _ => format!("({asked}) AND (ExecutionStatus='Running' OR ExecutionStatus='Paused')"),
    }
}

/// Whether it is about activities that no workflow started.
pub(super) fn of_activities(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::TerminateActivitiesOperation(_)
            | Operation::CancelActivitiesOperation(_)
            | Operation::DeleteActivitiesOperation(_)
    )
}

/// Who wants it done.
pub(super) fn identity(operation: &Operation) -> &str {
    match operation {
        Operation::TerminationOperation(it) => &it.identity,
        Operation::SignalOperation(it) => &it.identity,
        Operation::CancellationOperation(it) => &it.identity,
        Operation::DeletionOperation(it) => &it.identity,
        Operation::ResetOperation(it) => &it.identity,
        Operation::UpdateWorkflowOptionsOperation(it) => &it.identity,
        Operation::UnpauseActivitiesOperation(it) => &it.identity,
        Operation::ResetActivitiesOperation(it) => &it.identity,
        Operation::UpdateActivityOptionsOperation(it) => &it.identity,
        Operation::CancelActivitiesOperation(it) => &it.identity,
        Operation::TerminateActivitiesOperation(it) => &it.identity,
        Operation::DeleteActivitiesOperation(_) => "",
    }
}

pub(super) fn kind_of(operation: &Operation) -> BatchOperationType {
    use BatchOperationType as Type;
    match operation {
        Operation::TerminationOperation(_) => Type::TerminateWorkflow,
        Operation::SignalOperation(_) => Type::SignalWorkflow,
        Operation::CancellationOperation(_) => Type::CancelWorkflow,
        Operation::DeletionOperation(_) => Type::DeleteWorkflow,
        Operation::ResetOperation(_) => Type::ResetWorkflow,
        Operation::UpdateWorkflowOptionsOperation(_) => Type::UpdateWorkflowExecutionOptions,
        Operation::UnpauseActivitiesOperation(_) => Type::UnpauseActivity,
        Operation::ResetActivitiesOperation(_) => Type::ResetActivity,
        Operation::UpdateActivityOptionsOperation(_) => Type::UpdateActivityOptions,
        Operation::CancelActivitiesOperation(_) => Type::CancelActivity,
        Operation::TerminateActivitiesOperation(_) => Type::TerminateActivity,
        Operation::DeleteActivitiesOperation(_) => Type::DeleteActivity,
    }
}
