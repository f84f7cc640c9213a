//! What callers see of a schedule, and the workflows that it starts.

use std::collections::BTreeMap;

use bytes::Bytes;
use stead_proto::common::v1::{Payload, SearchAttributes};
use stead_proto::enums::v1::{IndexedValueType, WorkflowIdReusePolicy};
use stead_proto::schedule::v1::{self as api, ScheduleListInfo, ScheduleSpec};
use stead_proto::workflowservice::v1::{DescribeScheduleResponse, StartWorkflowExecutionRequest};

use super::schedule::{Schedule, Start};
use super::spec::fill_ranges;
use crate::engine::Time;
use crate::engine::search_attributes::type_name;
use crate::engine::zone::Zone;

impl Schedule {
    pub(super) fn description(&self) -> DescribeScheduleResponse {
        let mut definition = self.definition.clone();
        fill_ranges(definition.spec.get_or_insert_default());
        let info = api::ScheduleInfo {
            future_action_times: self.future_times(10),
            buffer_size: i64::try_from(self.buffer.len()).unwrap_or(i64::MAX),
            ..self.info.clone()
        };
        DescribeScheduleResponse {
            schedule: Some(definition),
            info: Some(info),
            memo: self.memo.clone().filter(|memo| !memo.fields.is_empty()),
            search_attributes: self.own_search_attributes(),
            conflict_token: conflict_token(self.conflict_token),
        }
    }

    /// What lists show; specifications are shown in part if they are long.
    pub(super) fn list_info(&self) -> ScheduleListInfo {
        let mut spec = ScheduleSpec { timezone_data: Bytes::new(), ..self.definition.spec.clone().unwrap_or_default() };
        spec.structured_calendar.truncate(LISTED_SPECS);
        spec.exclude_structured_calendar.truncate(LISTED_SPECS);
        spec.interval.truncate(LISTED_SPECS);
        fill_ranges(&mut spec);
        let state = self.definition.state.clone().unwrap_or_default();
        let recent = &self.info.recent_actions;
        ScheduleListInfo {
            spec: Some(spec),
            workflow_type: self.workflow().and_then(|workflow| workflow.workflow_type.clone()),
            notes: state.notes,
            paused: state.paused,
            recent_actions: recent[recent.len().saturating_sub(LISTED_ACTIONS)..].to_vec(),
            future_action_times: self.future_times(LISTED_ACTIONS),
            ..Default::default()
        }
    }

    /// The attributes that are the caller's, and not the server's own.
    pub(super) fn own_search_attributes(&self) -> Option<SearchAttributes> {
        let mut attributes = self.search_attributes.clone()?;
        attributes.indexed_fields.retain(|name, _| !HIDDEN.contains(&name.as_str()));
        Some(attributes).filter(|attributes| !attributes.indexed_fields.is_empty())
    }

    /// The workflow that a start asks for. `None` if the schedule starts none.
    pub(super) fn start_request(
        &self,
        id: &str,
        namespace: &str,
        start: &Start,
        beside: bool,
    ) -> Option<StartWorkflowExecutionRequest> {
        let workflow = self.workflow()?.clone();
        let time = rfc3339(start.nominal());
        let reuse = match start.manual {
            true => WorkflowIdReusePolicy::AllowDuplicate,
            false => WorkflowIdReusePolicy::RejectDuplicate,
        };
        // Actions that may overlap have no last one.
        let last = Some(self).filter(|_| !beside);
        let attributes = workflow.search_attributes.unwrap_or_default().indexed_fields;
        Some(StartWorkflowExecutionRequest {
            namespace: namespace.to_owned(),
            workflow_id: format!("{}-{time}", workflow.workflow_id),
            workflow_type: workflow.workflow_type,
            task_queue: workflow.task_queue,
            input: workflow.input,
            workflow_execution_timeout: workflow.workflow_execution_timeout,
            workflow_run_timeout: workflow.workflow_run_timeout,
            workflow_task_timeout: workflow.workflow_task_timeout,
            identity: identity(namespace, id),
            workflow_id_reuse_policy: reuse.into(),
            retry_policy: workflow.retry_policy,
            memo: workflow.memo,
            search_attributes: Some(scheduled_by(attributes, id, &time)),
            header: workflow.header,
            last_completion_result: last.and_then(|last| last.last_result.clone()),
            continued_failure: last.and_then(|last| last.last_failure.clone()),
            user_metadata: workflow.user_metadata,
            priority: workflow.priority,
            ..Default::default()
        })
    }
}

/// Who the server says it is when it does something for a schedule.
pub(super) fn identity(namespace: &str, id: &str) -> String {
    format!("temporal-scheduler-{namespace}-{id}")
}

/// A token as callers see it.
pub(super) fn conflict_token(token: i64) -> Bytes {
    Bytes::copy_from_slice(&token.to_be_bytes())
}

/// An attribute as JSON that names its type.
pub(in crate::engine) fn attribute(json: String, kind: IndexedValueType) -> Payload {
    let metadata = [("encoding", "json/plain"), ("type", type_name(kind))];
    Payload {
        metadata: metadata.map(|(name, value)| (name.to_owned(), Bytes::from_static(value.as_bytes()))).into(),
        data: json.into(),
        ..Default::default()
    }
}

fn scheduled_by(mut fields: BTreeMap<String, Payload>, id: &str, time: &str) -> SearchAttributes {
    let time = attribute(format!("\"{time}\""), IndexedValueType::Datetime);
    let id = attribute(serde_json::Value::from(id).to_string(), IndexedValueType::Keyword);
    fields.insert("TemporalScheduledStartTime".to_owned(), time);
    fields.insert("TemporalScheduledById".to_owned(), id);
    SearchAttributes { indexed_fields: fields }
}

/// An instant in whole seconds, as the ids of workflows have it.
pub(super) fn rfc3339(time: Time) -> String {
    let clock = Zone::UTC.clock(time.unix_nanos().div_euclid(1_000_000_000));
    let (date, time) = ((clock.year, clock.month, clock.day), (clock.hour, clock.minute, clock.second));
    format!("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", date.0, date.1, date.2, time.0, time.1, time.2)
}

/// The length of the time that is appended to ids of workflows.
pub(super) const APPENDED: &str = "-2009-11-10T23:00:00Z";

/// Attributes that say nothing about a schedule to those who made it.
const HIDDEN: [&str; 4] = ["TemporalSchedulePaused", "TemporalNamespaceDivision", "BinaryChecksums", "BuildIds"];

const LISTED_SPECS: usize = 10;
const LISTED_ACTIONS: usize = 5;
