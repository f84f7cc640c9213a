//! The calls that begin batches, look at them and stop them.

use std::collections::BTreeMap;

use stead_proto::batch::v1::BatchOperationInfo;
use stead_proto::enums::v1::{
    BatchOperationState as State, ResourceExhaustedCause, WorkflowExecutionStatus as Status,
    WorkflowIdConflictPolicy as Conflict, WorkflowIdReusePolicy as Reuse,
};
use stead_proto::errordetails::v1::WorkflowExecutionAlreadyStartedFailure;
use stead_proto::workflowservice::v1 as api;

use super::checks::check_order;
use super::targets::{executions, identity, kind_of};
use super::{Batch, DIVISION};
use crate::engine::control::already_completed;
use crate::engine::executions::Execution;
use crate::engine::namespaces::NamespaceKey;
use crate::engine::refusal::Code;
use crate::engine::time::timestamp;
use crate::engine::visibility::Kind;
use crate::engine::{Engine, Refusal, Time};

impl Engine {
    pub(in crate::engine) fn start_batch_operation(
        &mut self,
        request: api::StartBatchOperationRequest,
    ) -> Result<api::StartBatchOperationResponse, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        check_order(&request)?;
        let running = self.batches.of_namespace(namespace).filter(|(_, batch)| batch.is_open()).count();
        if running >= self.config.limits.batch_operations {
            let message = "Max concurrent batch operations is reached";
            return Err(Refusal::exhausted(ResourceExhaustedCause::ConcurrentLimit, message));
        }
        let run_id = self.ids.uuid().to_string();
        self.check_job_id(namespace, &request.job_id, &run_id)?;
        let key = self.runs.next_key().0;
        let batch = Batch {
            namespace: namespace.0,
            id: request.job_id.clone(),
            run_id,
            status: Status::Running.into(),
            started_at: self.now.unix_nanos(),
            next_at: self.now.unix_nanos(),
            // What is no rate does not limit.
            rate: Some(request.max_operations_per_second).filter(|rate| rate.is_normal() && *rate > 0.0).unwrap_or(0.0),
            ..Batch::default()
        };
        self.batches.orders.insert(key, request);
        self.batches.progress.insert(key, batch);
        self.batches.progress.watch(key);
        Ok(api::StartBatchOperationResponse {})
    }

    /// A batch has an id of its own among workflows and batches.
    fn check_job_id(&self, namespace: NamespaceKey, id: &str, run_id: &str) -> Result<(), Refusal> {
        self.existing(namespace, id, run_id, Reuse::RejectDuplicate, Conflict::Fail)?;
        let earlier = self.batches.progress.find(namespace, id, "").and_then(|key| self.batches.progress.get(key));
        let Some(earlier) = earlier else { return Ok(()) };
        let run_id = &earlier.run_id;
        let message = if earlier.is_open() {
            format!("Workflow execution is already running. WorkflowId: {id}, RunId: {run_id}.")
        } else {
            format!(
                "Workflow execution already finished. WorkflowId: {id}, RunId: {run_id}. \
                 Workflow Id reuse policy: reject duplicate workflow Id."
            )
        };
        Err(Refusal::new(Code::AlreadyExists, message).with(&WorkflowExecutionAlreadyStartedFailure {
            start_request_id: run_id.clone(),
            run_id: run_id.clone(),
            first_execution_run_id: run_id.clone(),
        }))
    }

    pub(in crate::engine) fn stop_batch_operation(
        &mut self,
        request: &api::StopBatchOperationRequest,
    ) -> Result<api::StopBatchOperationResponse, Refusal> {
        let key = self.found_batch(&request.namespace, &request.job_id)?;
        if request.reason.is_empty() {
            return Err(Refusal::invalid("Reason is not set on request."));
        }
        if !self.batches.progress.get(key).is_some_and(Batch::is_open) {
            return Err(already_completed());
        }
        self.close_batch(key, Status::Terminated);
        Ok(api::StopBatchOperationResponse {})
    }

    pub(in crate::engine) fn describe_batch_operation(
        &self,
        request: &api::DescribeBatchOperationRequest,
    ) -> Result<api::DescribeBatchOperationResponse, Refusal> {
        let key = self.found_batch(&request.namespace, &request.job_id)?;
        let (Some(batch), Some(order)) = (self.batches.progress.get(key), self.batches.orders.get(&key)) else {
            return Err(not_found(&request.job_id));
        };
        let described = api::DescribeBatchOperationResponse {
            operation_type: order.operation.as_ref().map(kind_of).unwrap_or_default().into(),
            job_id: batch.id.clone(),
            state: batch.state().into(),
            start_time: timestamp(batch.started_at),
            close_time: timestamp(batch.closed_at),
            identity: order.operation.as_ref().map_or("", identity).to_owned(),
            reason: order.reason.clone(),
            query: order.visibility_query.clone(),
            executions: executions(order),
            ..Default::default()
        };
        // The server knows nothing any more of what one did that did not come to its end.
        let Some(counts) = batch.counts.filter(|_| batch.state() != State::Failed) else { return Ok(described) };
        let seen_to = counts.succeeded + counts.failed;
        Ok(api::DescribeBatchOperationResponse {
            total_operation_count: if batch.is_open() { counts.total } else { seen_to },
            complete_operation_count: counts.succeeded,
            failure_operation_count: counts.failed,
            ..described
        })
    }

    pub(in crate::engine) fn list_batch_operations(
        &self,
        request: &api::ListBatchOperationsRequest,
    ) -> Result<api::ListBatchOperationsResponse, Refusal> {
        let query = format!("TemporalNamespaceDivision = '{DIVISION}'");
        let namespace = self.namespaces.key(&request.namespace)?;
        let (size, token) = (request.page_size, &request.next_page_token);
        let page = self.list_records(&request.namespace, Kind::Workflow, &query, size, token)?;
        let keys: BTreeMap<_, _> =
            self.batches.of_namespace(namespace).map(|(key, batch)| (batch.run_id(), key)).collect();
        // A workflow may call itself one of that division.
        let keys = page.rows.iter().filter_map(|row| keys.get(row.record.run_id.as_str()));
        Ok(api::ListBatchOperationsResponse {
            operation_info: keys.filter_map(|key| self.batch_info(*key)).collect(),
            next_page_token: page.next_page_token.into(),
        })
    }

    fn batch_info(&self, key: u64) -> Option<BatchOperationInfo> {
        let (batch, order) = (self.batches.progress.get(key)?, self.batches.orders.get(&key)?);
        Some(BatchOperationInfo {
            job_id: batch.id.clone(),
            state: batch.state().into(),
            start_time: Some(Time::from_unix_nanos(batch.started_at).timestamp()),
            close_time: timestamp(batch.closed_at),
            operation_type: order.operation.as_ref().map(kind_of).unwrap_or_default().into(),
        })
    }

    fn found_batch(&self, namespace: &str, id: &str) -> Result<u64, Refusal> {
        let namespace = self.namespaces.key(namespace)?;
        if id.is_empty() {
            return Err(Refusal::invalid("JobId is not set on request."));
        }
        self.batches.progress.find(namespace, id, "").ok_or_else(|| not_found(id))
    }
}

impl Batch {
    fn state(&self) -> State {
        match self.status() {
            Status::Running => State::Running,
            Status::Completed => State::Completed,
            _ => State::Failed,
        }
    }
}

/// In the words for workflows, which batches are on Temporal's server.
fn not_found(id: &str) -> Refusal {
    Refusal::not_found(format!("workflow not found for ID: {id}"))
}
