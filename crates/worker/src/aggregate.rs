//! Numbers that are added up here, for Prometheus or a collector of OpenTelemetry to have.

mod buckets;
mod registry;

use std::collections::BTreeMap;

use stead_data::metrics::Metric;

#[cfg(feature = "prometheus")]
pub(crate) use registry::Histogram;
pub(crate) use registry::{Family, Registry, Series, Value};

/// What is the same for all who show numbers.
pub(crate) struct Options {
    pub(crate) prefix: String,
    /// On every number.
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) has_service_name: bool,
    pub(crate) durations_as_seconds: bool,
    pub(crate) buckets: BTreeMap<String, Vec<f64>>,
}

/// The setters of a type that has these options as `options.common`.
macro_rules! setters {
    ($type:ident, $without_service_name:literal) => {
        impl $type {
            /// What the names of the SDK's metrics begin with; those of your own metrics stay as they are. Default: `temporal_`.
            #[must_use]
            pub fn metric_prefix(mut self, prefix: impl Into<String>) -> Self {
                self.options.common.prefix = prefix.into();
                self
            }

            /// Adds a label to every number.
            #[must_use]
            pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
                self.options.common.labels.push((name.into(), value.into()));
                self
            }

            #[doc = $without_service_name]
            #[must_use]
            pub fn without_service_name(mut self) -> Self {
                self.options.common.has_service_name = false;
                self
            }

            /// Shows durations in seconds. Default: in milliseconds.
            #[must_use]
            pub fn durations_as_seconds(mut self) -> Self {
                self.options.common.durations_as_seconds = true;
                self
            }

            /// The upper bounds of the buckets of a histogram, in the unit that it is shown in, by its name without the
            /// prefix.
            ///
            /// Default: those of Temporal's other SDKs.
            #[must_use]
            pub fn buckets(mut self, metric: impl Into<String>, bounds: impl IntoIterator<Item = f64>) -> Self {
                self.options.common.set_buckets(metric.into(), bounds);
                self
            }
        }
    };
}
pub(crate) use setters;

/// How numbers are shown.
pub(crate) trait Form {
    fn options(&self) -> &Options;

    /// The name that a metric is shown by.
    fn name(&self, metric: &Metric<'_>, is_duration: bool) -> String;

    /// The labels of a series as text, where they are shown as that.
    #[cfg(feature = "prometheus")]
    fn labels(&self, attributes: &[(&str, &str)]) -> String;
}

impl Options {
    pub(crate) fn new() -> Self {
        Self {
            prefix: "temporal_".to_owned(),
            labels: Vec::new(),
            has_service_name: true,
            durations_as_seconds: false,
            buckets: BTreeMap::new(),
        }
    }

    pub(crate) fn set_buckets(&mut self, metric: String, bounds: impl IntoIterator<Item = f64>) {
        let mut bounds: Vec<_> = bounds.into_iter().filter(|bound| bound.is_finite()).collect();
        bounds.sort_by(f64::total_cmp);
        bounds.dedup();
        self.buckets.insert(metric, bounds);
    }

    /// A metric's name behind the prefix; that of a program's own as it is.
    pub(crate) fn name(&self, metric: &Metric<'_>) -> String {
        match metric.prefix {
            "" => metric.name.to_owned(),
            _ => [self.prefix.as_str(), metric.name].concat(),
        }
    }

    /// The labels of all numbers.
    pub(crate) fn global_labels(&self) -> impl Iterator<Item = (&str, &str)> {
        let service = self.has_service_name.then_some(("service_name", SERVICE_NAME));
        service.into_iter().chain(self.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }
}

/// What dashboards for Temporal's other SDKs look for.
pub(crate) const SERVICE_NAME: &str = "temporal-core-sdk";
