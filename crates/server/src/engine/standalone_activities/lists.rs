//! What lists know of activities without a workflow, and the calls that list and count them.

use stead_proto::activity::v1::ActivityExecutionListInfo;
use stead_proto::common::v1::{ActivityType, SearchAttributes};
use stead_proto::workflowservice::v1::{self as api, count_activity_executions_response::AggregationGroup};

use super::{ActivityKey, StandaloneActivity};
use crate::engine::time::wire;
use crate::engine::visibility::{Kind, Record};
use crate::engine::{Engine, Refusal, Time};

impl Engine {
    /// Shows in lists what has changed of an activity. Heartbeats alone do not show.
    pub(super) fn list_activity(&mut self, key: ActivityKey) {
        if let Some(activity) = self.activities.get(key) {
            self.visibility.upsert(activity.namespace(), Kind::Activity, activity.record());
        }
    }

    /// Takes an activity out of all lists.
    pub(super) fn unlist_activity(&mut self, activity: &StandaloneActivity) {
        self.visibility.remove(activity.namespace(), Kind::Activity, &activity.run_id);
    }

    pub(in crate::engine) fn list_activity_executions(
        &self,
        request: &api::ListActivityExecutionsRequest,
    ) -> Result<api::ListActivityExecutionsResponse, Refusal> {
        let (size, token) = (request.page_size, &request.next_page_token);
        let page = self.list_records(&request.namespace, Kind::Activity, &request.query, size, token)?;
        let registry = self.registry(self.namespaces.key(&request.namespace)?)?;
        let executions = page.rows.iter().map(|row| row.record.activity_info(row.search_attributes(registry)));
        Ok(api::ListActivityExecutionsResponse {
            executions: executions.collect(),
            next_page_token: page.next_page_token.into(),
        })
    }

    pub(in crate::engine) fn count_activity_executions(
        &self,
        request: &api::CountActivityExecutionsRequest,
    ) -> Result<api::CountActivityExecutionsResponse, Refusal> {
        let counted = self.count_records(&request.namespace, Kind::Activity, &request.query)?;
        let group = |(value, count)| AggregationGroup { group_values: vec![value], count };
        Ok(api::CountActivityExecutionsResponse {
            count: counted.count,
            groups: counted.groups.into_iter().map(group).collect(),
        })
    }
}

impl StandaloneActivity {
    fn record(&self) -> Record {
        Record {
            id: self.id().to_owned(),
            run_id: self.run_id.clone(),
            type_name: self.attempt.name().to_owned(),
            task_queue: self.attempt.task_queue.clone(),
            status: self.shown_status().into(),
            start_time: self.scheduled(),
            execution_time: self.attempt.first_begin(),
            close_time: self.closed(),
            history_size: self.size(),
            state_transitions: i64::try_from(self.transitions).unwrap_or(i64::MAX),
            search_attributes: self.search_attributes.clone().unwrap_or_default(),
            ..Default::default()
        }
    }
}

impl Record {
    /// The row of a list of activities, with the attributes that the namespace has now.
    fn activity_info(&self, search_attributes: SearchAttributes) -> ActivityExecutionListInfo {
        ActivityExecutionListInfo {
            activity_id: self.id.clone(),
            run_id: self.run_id.clone(),
            activity_type: Some(ActivityType { name: self.type_name.clone() }),
            schedule_time: Some(self.start_time.timestamp()),
            close_time: self.close_time.map(Time::timestamp),
            status: self.status,
            search_attributes: Some(search_attributes),
            task_queue: self.task_queue.clone(),
            state_transition_count: self.state_transitions,
            state_size_bytes: self.history_size,
            execution_duration: self.close_time.map(|closed| wire(closed.since(self.start_time))),
            execution_time: Some(self.execution_time.timestamp()),
        }
    }
}
