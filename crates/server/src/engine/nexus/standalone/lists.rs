//! What lists know of operations without a workflow, and the calls that list and count them.

use stead_proto::common::v1::SearchAttributes;
use stead_proto::nexus::v1::NexusOperationExecutionListInfo;
use stead_proto::workflowservice::v1::{self as api, count_nexus_operation_executions_response::AggregationGroup};

use super::{OperationKey, StandaloneOperation};
use crate::engine::executions::Execution;
use crate::engine::search_attributes::Value;
use crate::engine::time::wire;
use crate::engine::visibility::{Kind, Record};
use crate::engine::{Engine, Refusal, Time};

impl Engine {
    /// Shows in lists what has changed of an operation.
    pub(super) fn list_operation(&mut self, key: OperationKey) {
        if let Some(operation) = self.operations.get(key.0) {
            self.visibility.upsert(operation.namespace(), Kind::NexusOperation, operation.record());
        }
    }

    /// Takes an operation out of all lists.
    pub(super) fn unlist_operation(&mut self, operation: &StandaloneOperation) {
        self.visibility.remove(operation.namespace(), Kind::NexusOperation, &operation.run_id);
    }

    pub(in crate::engine) fn list_nexus_operation_executions(
        &self,
        request: &api::ListNexusOperationExecutionsRequest,
    ) -> Result<api::ListNexusOperationExecutionsResponse, Refusal> {
        let (size, token) = (request.page_size, &request.next_page_token);
        let page = self.list_records(&request.namespace, Kind::NexusOperation, &request.query, size, token)?;
        let registry = self.registry(self.namespaces.key(&request.namespace)?)?;
        let operations = page.rows.iter().map(|row| row.record.operation_info(row.search_attributes(registry)));
        Ok(api::ListNexusOperationExecutionsResponse {
            operations: operations.collect(),
            next_page_token: page.next_page_token.into(),
        })
    }

    pub(in crate::engine) fn count_nexus_operation_executions(
        &self,
        request: &api::CountNexusOperationExecutionsRequest,
    ) -> Result<api::CountNexusOperationExecutionsResponse, Refusal> {
        let counted = self.count_records(&request.namespace, Kind::NexusOperation, &request.query)?;
        let group = |(value, count)| AggregationGroup { group_values: vec![value], count };
        Ok(api::CountNexusOperationExecutionsResponse {
            count: counted.count,
            groups: counted.groups.into_iter().map(group).collect(),
        })
    }
}

impl StandaloneOperation {
    fn record(&self) -> Record {
        let operation = &self.operation;
        let own = [
            ("Endpoint", &operation.endpoint),
            ("Service", &operation.service),
            ("Operation", &operation.operation),
            ("RequestId", &operation.request_id),
        ];
        Record {
            id: self.operation_id.clone(),
            run_id: self.run_id.clone(),
            status: self.status,
            start_time: self.scheduled(),
            execution_time: self.scheduled(),
            close_time: self.closed(),
            history_size: self.size(),
            state_transitions: i64::try_from(self.transitions).unwrap_or(i64::MAX),
            search_attributes: self.search_attributes.clone().unwrap_or_default(),
            own: own.map(|(name, value)| (name, Value::Keyword(value.clone()))).into(),
            ..Default::default()
        }
    }
}

impl Record {
    /// The row of a list of operations, with the attributes that the namespace has now.
    fn operation_info(&self, search_attributes: SearchAttributes) -> NexusOperationExecutionListInfo {
        let own = |name: &str| match self.own.iter().find(|(known, _)| *known == name) {
            Some((_, Value::Keyword(value))) => value.clone(),
            _ => String::new(),
        };
        NexusOperationExecutionListInfo {
            operation_id: self.id.clone(),
            run_id: self.run_id.clone(),
            endpoint: own("Endpoint"),
            service: own("Service"),
            operation: own("Operation"),
            schedule_time: Some(self.start_time.timestamp()),
            close_time: self.close_time.map(Time::timestamp),
            status: self.status,
            search_attributes: Some(search_attributes),
            state_transition_count: self.state_transitions,
            execution_duration: self.close_time.map(|closed| wire(closed.since(self.start_time))),
            ..Default::default()
        }
    }
}
