//! Numbers about workflows, counted once however often their code is replayed.

use std::sync::Arc;

use stead_data::metrics::{Meter, Metric, MetricSink, MetricValue};

use crate::context;
use crate::info::replay;

/// Makes counters, gauges and histograms whose numbers go where the [worker's metrics](stead_data::metrics::MetricSink)
/// go, with the workflow's namespace, task queue and type as attributes. While history is being replayed nothing is
/// recorded, as it was recorded before.
///
/// ```
/// use stead_workflow as workflow;
///
/// async fn run() -> workflow::Result<()> {
///     workflow::meter().counter("orders_paid").add(1);
///     Ok(())
/// }
/// ```
///
/// # Panics
///
/// Outside of workflow code.
#[track_caller]
pub fn meter() -> Meter {
    let runtime = context::current();
    let Some(sink) = runtime.metrics() else { return Meter::none() };
    let info = runtime.info();
    Meter::new(Arc::new(ReplaySafe(Arc::clone(sink))))
        .with_attribute("namespace", info.namespace())
        .with_attribute("task_queue", info.task_queue())
        .with_attribute("workflow_type", info.workflow_type())
}

/// Records nothing that was recorded before.
struct ReplaySafe(Arc<dyn MetricSink>);

impl MetricSink for ReplaySafe {
    fn record(&self, metric: &Metric<'_>, value: MetricValue, attributes: &[(&str, &str)]) {
        if !replay::is_replaying_history() {
            self.0.record(metric, value, attributes);
        }
    }
}
