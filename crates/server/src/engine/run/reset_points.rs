//! Points to which a run can be reset: for each version of its workers, the first workflow task that it completed.

use std::time::Duration;

use prost_types::Timestamp;
use stead_proto::history::v1::WorkflowTaskCompletedEventAttributes;
use stead_proto::workflow::v1::{ResetPointInfo, ResetPoints};

use super::Run;
use super::replay::instant;
use crate::engine::Time;

/// How many points a run keeps (`history.historyMaxAutoResetPoints` of Temporal's server).
const MAX_POINTS: usize = 20;

impl Run {
    /// Keeps a completed task as a point if its worker's version is new to the run.
    pub(crate) fn add_reset_point(
        &mut self,
        now: Time,
        event_id: i64,
        completed: &WorkflowTaskCompletedEventAttributes,
    ) {
        let build_id = build_id(completed);
        let resettable = self.children.len() == 0 && self.signals.len() == 0 && self.cancels.len() == 0;
        let points = &mut self.state.reset_points.get_or_insert_default().points;
        let same =
            |point: &ResetPointInfo| point.binary_checksum == completed.binary_checksum && point.build_id == build_id;
        if points.iter().any(same) {
            return;
        }
        points.push(ResetPointInfo {
            build_id: build_id.to_owned(),
            binary_checksum: completed.binary_checksum.clone(),
            run_id: self.state.run_id.clone(),
            first_workflow_task_completed_id: event_id,
            create_time: Some(now.timestamp()),
            expire_time: None,
            resettable,
        });
        let surplus = points.len().saturating_sub(MAX_POINTS);
        points.drain(..surplus);
    }
}

fn build_id(completed: &WorkflowTaskCompletedEventAttributes) -> &str {
    match (&completed.deployment_version, &completed.worker_version) {
        (Some(version), _) => &version.build_id,
        (None, Some(stamp)) => &stamp.build_id,
        (None, None) => "",
    }
}

/// The points that a run takes over from the one before it, which will be forgotten when its retention is over.
pub(crate) fn taken_over(
    points: Option<ResetPoints>,
    previous_run_id: &str,
    started: Option<&Timestamp>,
    retention: Duration,
) -> Option<ResetPoints> {
    let started = instant(started);
    let points = points?.points.into_iter();
    let points = points.filter(|point| point.expire_time.as_ref().is_none_or(|at| Time::from_timestamp(at) >= started));
    let points = points.map(|point| match point.run_id == previous_run_id {
        true => ResetPointInfo { expire_time: Some((started + retention).timestamp()), ..point },
        false => point,
    });
    Some(ResetPoints { points: points.collect() })
}
