//! Lists and counts of schedules, by what filters see of them.

use stead_proto::schedule::v1::ScheduleListEntry;
use stead_proto::workflowservice::v1::{self as api, count_schedules_response::AggregationGroup};

use super::schedule::Schedule;
use super::{Engine, Kind, Refusal, ScheduleKey};

impl Engine {
    pub(in crate::engine) fn list_schedules(
        &self,
        request: &api::ListSchedulesRequest,
    ) -> Result<api::ListSchedulesResponse, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        let (size, token) = (request.maximum_page_size, &request.next_page_token);
        let page = self.list_records(&request.namespace, Kind::Schedule, &request.query, size, token)?;
        let keys = page.rows.iter().map(|row| ScheduleKey { namespace, id: row.record.id.clone() });
        let schedules = keys.filter_map(|key| self.schedules.rows.get(&key).map(|schedule| entry(key.id, schedule)));
        Ok(api::ListSchedulesResponse { schedules: schedules.collect(), next_page_token: page.next_page_token.into() })
    }

    pub(in crate::engine) fn count_schedules(
        &self,
        request: &api::CountSchedulesRequest,
    ) -> Result<api::CountSchedulesResponse, Refusal> {
        let count = self.count_records(&request.namespace, Kind::Schedule, &request.query)?;
        let groups = count.groups.into_iter();
        let groups = groups.map(|(value, count)| AggregationGroup { group_values: vec![value], count });
        Ok(api::CountSchedulesResponse { count: count.count, groups: groups.collect() })
    }
}

fn entry(schedule_id: String, schedule: &Schedule) -> ScheduleListEntry {
    ScheduleListEntry {
        schedule_id,
        memo: Some(schedule.memo.clone().unwrap_or_default()),
        search_attributes: schedule.own_search_attributes(),
        info: Some(schedule.list_info()),
    }
}
