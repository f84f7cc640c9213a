//! What is measured of Nexus requests.

use std::time::{Instant, SystemTime};

use super::{Metrics, between, names};

/// Measures a request.
pub(crate) struct NexusTimer {
    began: Instant,
    scheduled: Option<SystemTime>,
}

impl NexusTimer {
    /// A request came.
    pub(crate) fn start(metrics: &Metrics, scheduled: Option<SystemTime>) -> Self {
        let timer = Self { began: Instant::now(), scheduled };
        timer.since_scheduled(metrics, &names::NEXUS_TASK_SCHEDULE_TO_START_LATENCY);
        timer
    }

    /// Its handler has answered.
    pub(crate) fn ran(&self, metrics: &Metrics) {
        metrics.time(&names::NEXUS_TASK_EXECUTION_LATENCY, self.began.elapsed(), &[]);
    }

    /// It failed.
    pub(crate) fn failed(&self, metrics: &Metrics, reason: &str) {
        metrics.tally.failed_nexus_tasks.add_one();
        metrics.count(&names::NEXUS_TASK_EXECUTION_FAILED, &[("failure_reason", reason)]);
    }

    /// The server was told.
    pub(crate) fn ended(&self, metrics: &Metrics) {
        self.since_scheduled(metrics, &names::NEXUS_TASK_ENDTOEND_LATENCY);
    }

    fn since_scheduled(&self, metrics: &Metrics, metric: &stead_data::metrics::Metric<'static>) {
        if metrics.is_on()
            && let Some(took) = between(self.scheduled, Some(SystemTime::now()))
        {
            metrics.time(metric, took, &[]);
        }
    }
}
