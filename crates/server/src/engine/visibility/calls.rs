//! The calls that list and count workflows.

use stead_proto::enums::v1::WorkflowExecutionStatus;
use stead_proto::filter::v1::StartTimeFilter;
use stead_proto::workflow::v1::WorkflowExecutionInfo;
use stead_proto::workflowservice::v1::{
    self as api, count_workflow_executions_response::AggregationGroup, list_closed_workflow_executions_request,
    list_open_workflow_executions_request,
};

use super::columns::{DIVISION, Field};
use super::filter::{Filter, Test};
use super::{Asked, Kind, Page};
use crate::engine::search_attributes::{Registry, Value};
use crate::engine::{Engine, Refusal, Time};

impl Engine {
    pub(in super::super) fn list_workflow_executions(
        &self,
        request: &api::ListWorkflowExecutionsRequest,
    ) -> Result<api::ListWorkflowExecutionsResponse, Refusal> {
        let (size, token) = (request.page_size, &request.next_page_token);
        let page = self.list_records(&request.namespace, Kind::Workflow, &request.query, size, token)?;
        let (executions, next_page_token) = self.workflow_infos(&request.namespace, &page)?;
        Ok(api::ListWorkflowExecutionsResponse { executions, next_page_token: next_page_token.into() })
    }

    /// Listing under another name, which promises no order.
    pub(in super::super) fn scan_workflow_executions(
        &self,
        request: &api::ScanWorkflowExecutionsRequest,
    ) -> Result<api::ScanWorkflowExecutionsResponse, Refusal> {
        let (size, token) = (request.page_size, &request.next_page_token);
        let page = self.list_records(&request.namespace, Kind::Workflow, &request.query, size, token)?;
        let (executions, next_page_token) = self.workflow_infos(&request.namespace, &page)?;
        Ok(api::ScanWorkflowExecutionsResponse { executions, next_page_token: next_page_token.into() })
    }

    pub(in super::super) fn count_workflow_executions(
        &self,
        request: &api::CountWorkflowExecutionsRequest,
    ) -> Result<api::CountWorkflowExecutionsResponse, Refusal> {
        let counted = self.count_records(&request.namespace, Kind::Workflow, &request.query)?;
        let group = |(value, count)| AggregationGroup { group_values: vec![value], count };
        Ok(api::CountWorkflowExecutionsResponse {
            count: counted.count,
            groups: counted.groups.into_iter().map(group).collect(),
        })
    }

    pub(in super::super) fn list_open_workflow_executions(
        &self,
        request: &api::ListOpenWorkflowExecutionsRequest,
    ) -> Result<api::ListOpenWorkflowExecutionsResponse, Refusal> {
        use list_open_workflow_executions_request::Filters;
        let key = self.namespaces.key(&request.namespace)?;
        let mut filters = vec![undivided(), has_status(WorkflowExecutionStatus::Running)];
        filters.extend(within(Field::StartTime, request.start_time_filter.as_ref())?);
        match &request.filters {
            Some(Filters::ExecutionFilter(by)) => filters.push(equal(Field::Id, &by.workflow_id)),
            Some(Filters::TypeFilter(by)) => filters.push(equal(Field::TypeName, &by.name)),
            None => {}
        }
        let asked = Asked { size: request.maximum_page_size, token: &request.next_page_token };
        let page = self.visibility.page(key, Kind::Workflow, &Filter::All(filters), asked)?;
        let (executions, next_page_token) = self.workflow_infos(&request.namespace, &page)?;
        Ok(api::ListOpenWorkflowExecutionsResponse { executions, next_page_token: next_page_token.into() })
    }

    pub(in super::super) fn list_closed_workflow_executions(
        &self,
        request: &api::ListClosedWorkflowExecutionsRequest,
    ) -> Result<api::ListClosedWorkflowExecutionsResponse, Refusal> {
        use list_closed_workflow_executions_request::Filters;
        let key = self.namespaces.key(&request.namespace)?;
        let mut filters = vec![undivided(), has_status(WorkflowExecutionStatus::Running).not()];
        filters.extend(within(Field::CloseTime, request.start_time_filter.as_ref())?);
        match &request.filters {
            Some(Filters::ExecutionFilter(by)) => filters.push(equal(Field::Id, &by.workflow_id)),
            Some(Filters::TypeFilter(by)) => filters.push(equal(Field::TypeName, &by.name)),
            Some(Filters::StatusFilter(by)) => match by.status() {
                WorkflowExecutionStatus::Unspecified | WorkflowExecutionStatus::Running => {
                    return Err(Refusal::invalid("StatusFilter must be specified and must be not Running."));
                }
                status => filters.push(has_status(status)),
            },
            None => {}
        }
        let asked = Asked { size: request.maximum_page_size, token: &request.next_page_token };
        let page = self.visibility.page(key, Kind::Workflow, &Filter::All(filters), asked)?;
        let (executions, next_page_token) = self.workflow_infos(&request.namespace, &page)?;
        Ok(api::ListClosedWorkflowExecutionsResponse { executions, next_page_token: next_page_token.into() })
    }

    /// There is no archive.
    pub(in super::super) fn list_archived_workflow_executions(
        &self,
        request: &api::ListArchivedWorkflowExecutionsRequest,
    ) -> Result<api::ListArchivedWorkflowExecutionsResponse, Refusal> {
        self.namespaces.key(&request.namespace)?;
        if request.page_size > MAX_ARCHIVE_PAGE {
            return Err(Refusal::invalid(format!("PageSize is larger than allowed {MAX_ARCHIVE_PAGE}.")));
        }
        Err(Refusal::invalid("Cluster is not configured for visibility archival."))
    }

    fn workflow_infos(
        &self,
        namespace: &str,
        page: &Page<'_>,
    ) -> Result<(Vec<WorkflowExecutionInfo>, Vec<u8>), Refusal> {
        let registry: Registry<'_> = self.registry(self.namespaces.key(namespace)?)?;
        let infos = page.rows.iter().map(|row| row.record.workflow_info(row.search_attributes(registry)));
        Ok((infos.collect(), page.next_page_token.clone()))
    }
}

/// Executions on one page of an archive, at most.
const MAX_ARCHIVE_PAGE: i32 = 10_000;

fn undivided() -> Filter {
    Filter::Field(Field::Attribute(DIVISION.to_owned()), Test::IsNull)
}

fn has_status(status: WorkflowExecutionStatus) -> Filter {
    Filter::Field(Field::Status, Test::Equal(Value::Int(status as i64)))
}

fn equal(field: Field, keyword: &str) -> Filter {
    Filter::Field(field, Test::Equal(Value::Keyword(keyword.to_owned())))
}

fn within(field: Field, times: Option<&StartTimeFilter>) -> Result<Option<Filter>, Refusal> {
    let micros =
        |time: &prost_types::Timestamp| Value::Datetime(Time::from_timestamp(time).unix_nanos().div_euclid(1_000));
    let earliest = times.and_then(|times| times.earliest_time.as_ref());
    let latest = times.and_then(|times| times.latest_time.as_ref());
    Ok(match (earliest, latest) {
        (Some(earliest), Some(latest)) if (earliest.seconds, earliest.nanos) > (latest.seconds, latest.nanos) => {
            return Err(Refusal::invalid("EarliestTime in StartTimeFilter should not be larger than LatestTime."));
        }
        (Some(earliest), Some(latest)) => Some(Filter::Field(field, Test::Between(micros(earliest), micros(latest)))),
        (Some(earliest), None) => Some(Filter::Field(field, Test::Less(micros(earliest))).not()),
        (None, Some(latest)) => Some(Filter::Field(field, Test::Greater(micros(latest))).not()),
        (None, None) => None,
    })
}
