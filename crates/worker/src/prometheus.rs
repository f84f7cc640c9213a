//! Metrics for Prometheus: a sink that adds numbers up, its text form, and an endpoint that serves it.
//!
//! The names, labels, units and buckets are those of Temporal's other SDKs, so that dashboards for these work unchanged.
//!
//! ```
//! use std::sync::Arc;
//! use stead_worker::prometheus::Prometheus;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let metrics = Arc::new(Prometheus::new());
//! let endpoint = metrics.serve("127.0.0.1:0").await?;
//! println!("metrics at http://{}/metrics", endpoint.address());
//! let client = stead_client::Client::connect("localhost:7233").metrics(metrics).await?;
//! # let _ = client;
//! # Ok(())
//! # }
//! ```

mod serve;
mod text;

use std::fmt;

use stead_data::metrics::{Metric, MetricSink, MetricValue};

use crate::aggregate::{self, Form, Registry};

/// Adds up what clients, workers, workflows and activities count and measure, and says it in the text format of
/// Prometheus.
///
/// Give it to [`Connect::metrics`](stead_client::Connect::metrics), which serves the client and its workers, or to
/// [`WorkerBuilder::metrics`](crate::WorkerBuilder::metrics).
pub struct Prometheus {
    options: Options,
    registry: Registry,
}

struct Options {
    common: aggregate::Options,
    counters_total_suffix: bool,
    unit_suffix: bool,
}

impl Form for Options {
    fn options(&self) -> &aggregate::Options {
        &self.common
    }

    fn name(&self, metric: &Metric<'_>, is_duration: bool) -> String {
        text::name(self, metric, is_duration)
    }

    fn labels(&self, attributes: &[(&str, &str)]) -> String {
        text::labels(self, attributes)
    }
}

aggregate::setters!(
    Prometheus,
    "Leaves the label `service_name=\"temporal-core-sdk\"` out, which dashboards look for."
);

impl Prometheus {
    /// With the defaults of Temporal's other SDKs.
    #[must_use]
    pub fn new() -> Self {
        let options = Options { common: aggregate::Options::new(), counters_total_suffix: false, unit_suffix: false };
        Self { options, registry: Registry::default() }
    }

    /// Ends the names of counters with `_total`. Default: not.
    #[must_use]
    pub fn counters_total_suffix(mut self) -> Self {
        self.options.counters_total_suffix = true;
        self
    }

    /// Ends names with the unit, where there is one: `_milliseconds` or `_seconds` for durations. Default: not.
    #[must_use]
    pub fn unit_suffix(mut self) -> Self {
        self.options.unit_suffix = true;
        self
    }

    /// All numbers so far, in the text format of Prometheus.
    pub fn render(&self) -> String {
        text::render(&self.registry)
    }
}

impl Default for Prometheus {
    fn default() -> Self {
        Self::new()
    }
}

impl MetricSink for Prometheus {
    fn record(&self, metric: &Metric<'_>, value: MetricValue, attributes: &[(&str, &str)]) {
        self.registry.record(&self.options, metric, value, attributes);
    }
}

impl fmt::Debug for Prometheus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prometheus").field("prefix", &self.options.common.prefix).finish_non_exhaustive()
    }
}
