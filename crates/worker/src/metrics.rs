//! The metrics of a worker: those that all of Temporal's SDKs have, by the same names and labels.
//!
//! What is not here: where the numbers go, which is a sink's business. Without one nothing is measured and nothing is
//! allocated; with one nothing is allocated for a single number.

mod activity;
mod level;
pub(crate) mod names;
mod nexus;
mod run;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use stead_data::metrics::{Metric, MetricSink, MetricValue};
use stead_data::time::time_from_proto;
use stead_proto::workflowservice::v1::PollWorkflowTaskQueueResponse;

pub(crate) use activity::{ActivityTimer, LocalTimer, Origin};
pub(crate) use level::Level;
pub(crate) use nexus::NexusTimer;
pub(crate) use run::{RunMeasure, RunsEnd, TaskMeasure};

/// Where the numbers of one worker go, and what is the same about all of them.
pub(crate) struct Metrics {
    sink: Option<Arc<dyn MetricSink>>,
    namespace: String,
    task_queue: String,
    pub(crate) tally: Tally,
}

/// What the server is told of, whether there is a sink or not.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) failed_workflow_tasks: Count,
    pub(crate) failed_activities: Count,
    pub(crate) failed_local_activities: Count,
    pub(crate) failed_nexus_tasks: Count,
    pub(crate) cache_hits: Count,
    pub(crate) cache_misses: Count,
}

/// So many, so far.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU32);

impl Count {
    pub(crate) fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Metrics {
    pub(crate) fn new(sink: Option<Arc<dyn MetricSink>>, namespace: &str, task_queue: &str) -> Self {
        Self { sink, namespace: namespace.to_owned(), task_queue: task_queue.to_owned(), tally: Tally::default() }
    }

    /// Whether anybody wants to know.
    pub(crate) fn is_on(&self) -> bool {
        self.sink.is_some()
    }

    pub(crate) fn count(&self, metric: &Metric<'static>, labels: &[(&str, &str)]) {
        self.record(metric, 1.into(), labels);
    }

    pub(crate) fn time(&self, metric: &Metric<'static>, time: Duration, labels: &[(&str, &str)]) {
        self.record(metric, time.into(), labels);
    }

    pub(crate) fn record(&self, metric: &Metric<'static>, value: MetricValue, labels: &[(&str, &str)]) {
        let Some(sink) = &self.sink else { return };
        let mut all = [("namespace", self.namespace.as_str()); MAX_LABELS];
        all[1] = ("task_queue", self.task_queue.as_str());
        let mut count = BASE_LABELS;
        for (place, label) in all[BASE_LABELS..].iter_mut().zip(labels) {
            *place = *label;
            count += 1;
        }
        sink.record(metric, value, &all[..count]);
    }

    pub(crate) fn sink(&self) -> Option<&Arc<dyn MetricSink>> {
        self.sink.as_ref()
    }

    /// A task's run should have been in memory.
    pub(crate) fn cache_missed(&self) {
        self.tally.cache_misses.add_one();
        self.count(&names::STICKY_CACHE_MISS, &[]);
    }

    /// A poll for workflow tasks ended.
    pub(crate) fn workflow_task_polled(&self, task: Option<&PollWorkflowTaskQueueResponse>) {
        let Some(task) = task else { return self.count(&names::WORKFLOW_TASK_QUEUE_POLL_EMPTY, &[]) };
        self.count(&names::WORKFLOW_TASK_QUEUE_POLL_SUCCEED, &[]);
        let moment = |time: &Option<prost_types::Timestamp>| time.as_ref().map(time_from_proto);
        if let Some(waited) = between(moment(&task.scheduled_time), moment(&task.started_time)) {
            self.time(&names::WORKFLOW_TASK_SCHEDULE_TO_START_LATENCY, waited, &[]);
        }
    }
}

/// The time between two moments of the server, if it told both. Its clocks may disagree.
fn between(from: Option<SystemTime>, to: Option<SystemTime>) -> Option<Duration> {
    Some(to?.duration_since(from?).unwrap_or_default())
}

/// Namespace and task queue.
const BASE_LABELS: usize = 2;

/// The most that a metric has: activity type, workflow type and one more.
const MAX_LABELS: usize = BASE_LABELS + 3;
