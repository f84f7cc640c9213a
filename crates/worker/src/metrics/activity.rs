//! What is measured of attempts of activities.

use std::time::{Instant, SystemTime};

use stead_activity::Info;
use stead_core::LocalActivityOutcome;
use stead_proto::enums::v1::ApplicationErrorCategory;
use stead_proto::failure::v1::Failure;
use stead_proto::failure::v1::failure::FailureInfo;

use super::{Metrics, between, names};

/// How an activity came here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// From its task queue.
    Polled,
    /// With the answer to the workflow task that scheduled it.
    Eager,
}

/// Measures an attempt of an activity.
pub(crate) struct ActivityTimer(Instant);

impl ActivityTimer {
    /// An attempt came.
    pub(crate) fn start(metrics: &Metrics, info: &Info, origin: Origin) -> Self {
        let eager = if origin == Origin::Eager { "true" } else { "false" };
        let [activity_type, workflow_type] = labels(info);
        metrics.count(&names::ACTIVITY_TASK_RECEIVED, &[activity_type, workflow_type, ("eager", eager)]);
        if let Some(waited) = between(info.current_attempt_scheduled_time, info.started_time) {
            metrics.time(&names::ACTIVITY_SCHEDULE_TO_START_LATENCY, waited, &[]);
        }
        Self(Instant::now())
    }

    /// It ended with a result.
    pub(crate) fn succeeded(&self, metrics: &Metrics, info: &Info) {
        self.ended(metrics, info);
        succeeded(metrics, &names::ACTIVITY_SUCCEED_ENDTOEND_LATENCY, info);
    }

    /// It ended with a failure, and not with one that is no news.
    pub(crate) fn failed(&self, metrics: &Metrics, info: &Info, is_benign: bool) {
        self.ended(metrics, info);
        if !is_benign {
            metrics.tally.failed_activities.add_one();
            metrics.count(&names::ACTIVITY_EXECUTION_FAILED, &labels(info));
        }
    }

    /// It ended in any other way.
    pub(crate) fn ended(&self, metrics: &Metrics, info: &Info) {
        metrics.time(&names::ACTIVITY_EXECUTION_LATENCY, self.0.elapsed(), &labels(info));
    }
}

/// Measures an attempt of a local activity.
pub(crate) struct LocalTimer(Instant);

impl LocalTimer {
    /// An attempt begins.
    pub(crate) fn start(metrics: &Metrics, info: &Info) -> Self {
        metrics.count(&names::LOCAL_ACTIVITY_TOTAL, &labels(info));
        Self(Instant::now())
    }

    /// It ended.
    pub(crate) fn ended(&self, metrics: &Metrics, info: &Info, outcome: &LocalActivityOutcome) {
        metrics.time(&names::LOCAL_ACTIVITY_EXECUTION_LATENCY, self.0.elapsed(), &labels(info));
        match outcome {
            LocalActivityOutcome::Completed(_) => {
                succeeded(metrics, &names::LOCAL_ACTIVITY_SUCCEED_ENDTOEND_LATENCY, info);
            }
            LocalActivityOutcome::Cancelled(_) => {
                metrics.count(&names::LOCAL_ACTIVITY_EXECUTION_CANCELLED, &labels(info));
            }
            LocalActivityOutcome::Failed(failure) if is_benign(failure) => {}
            _ => {
                metrics.tally.failed_local_activities.add_one();
                metrics.count(&names::LOCAL_ACTIVITY_EXECUTION_FAILED, &labels(info));
            }
        }
    }
}

fn succeeded(metrics: &Metrics, metric: &stead_data::metrics::Metric<'static>, info: &Info) {
    if metrics.is_on()
        && let Some(took) = between(info.scheduled_time, Some(SystemTime::now()))
    {
        metrics.time(metric, took, &labels(info));
    }
}

/// An activity without a workflow has an empty workflow type, so that all numbers of a metric have the same labels.
fn labels(info: &Info) -> [(&str, &str); 2] {
    let workflow_type = info.workflow.as_ref().map_or("", |workflow| &workflow.workflow_type);
    [("activity_type", &info.activity_type), ("workflow_type", workflow_type)]
}

fn is_benign(failure: &Failure) -> bool {
    matches!(&failure.failure_info, Some(FailureInfo::ApplicationFailureInfo(info))
        if info.category() == ApplicationErrorCategory::Benign)
}
