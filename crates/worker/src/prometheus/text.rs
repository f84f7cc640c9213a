//! The text format of Prometheus, version 0.0.4.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use stead_data::metrics::{Metric, MetricKind};

use super::Options;
use crate::aggregate::{Family, Histogram, Registry, Series, Value};

/// All metrics, by name.
pub(super) fn render(registry: &Registry) -> String {
    let mut text = String::new();
    for (name, family) in &registry.read().families {
        // Writing to a string does not fail.
        let _ = write_family(&mut text, name, family);
    }
    text
}

/// The name that a metric is shown by.
pub(super) fn name(options: &Options, metric: &Metric<'_>, is_duration: bool) -> String {
    let mut name = options.common.name(metric);
    let unit = match (is_duration, options.common.durations_as_seconds) {
        (true, true) => "seconds",
        (true, false) => "milliseconds",
        (false, _) => metric.unit,
    };
    if options.unit_suffix && !unit.is_empty() {
        name.push('_');
        name.push_str(unit);
    }
    if options.counters_total_suffix && metric.kind == MetricKind::Counter {
        name.push_str("_total");
    }
    allowed(&name)
}

/// Labels without braces: those of all numbers, then those of this one.
pub(super) fn labels(options: &Options, attributes: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, value) in options.common.global_labels().chain(attributes.iter().copied()) {
        if !text.is_empty() {
            text.push(',');
        }
        // Writing to a string does not fail.
        let _ = write!(text, "{}=\"{}\"", allowed(name).replace(':', "_"), escaped(value).replace('"', "\\\""));
    }
    text
}

fn write_family(text: &mut String, name: &str, family: &Family) -> std::fmt::Result {
    if !family.description.is_empty() {
        writeln!(text, "# HELP {name} {}", escaped(&family.description))?;
    }
    let kind = match family.kind {
        MetricKind::Gauge => "gauge",
        MetricKind::Histogram => "histogram",
        _ => "counter",
    };
    writeln!(text, "# TYPE {name} {kind}")?;
    family.series.iter().try_for_each(|series| write_series(text, name, series))
}

fn write_series(text: &mut String, name: &str, series: &Series) -> std::fmt::Result {
    let labels = &series.labels;
    match &series.value {
        Value::Counter(number) | Value::Gauge(number) => writeln!(text, "{name}{} {}", braced(labels), number.get()),
        Value::Histogram(histogram) => write_histogram(text, name, labels, histogram),
    }
}

fn write_histogram(text: &mut String, name: &str, labels: &str, histogram: &Histogram) -> std::fmt::Result {
    let separator = if labels.is_empty() { "" } else { "," };
    let bounds = histogram.bounds.iter().map(ToString::to_string).chain(["+Inf".to_owned()]);
    let mut below = 0;
    for (bound, count) in bounds.zip(&histogram.counts) {
        below += count.load(Ordering::Relaxed);
        writeln!(text, "{name}_bucket{{{labels}{separator}le=\"{bound}\"}} {below}")?;
    }
    writeln!(text, "{name}_sum{} {}", braced(labels), histogram.sum.get())?;
    writeln!(text, "{name}_count{} {below}", braced(labels))
}

fn braced(labels: &str) -> String {
    if labels.is_empty() { String::new() } else { format!("{{{labels}}}") }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n")
}

/// A name with what Prometheus does not allow in it replaced.
fn allowed(name: &str) -> String {
    let starts_with_digit = name.starts_with(|first: char| first.is_ascii_digit());
    let allowed = |char: char| if char.is_ascii_alphanumeric() || char == ':' { char } else { '_' };
    starts_with_digit.then_some('_').into_iter().chain(name.chars().map(allowed)).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use stead_data::metrics::{MetricSink, MetricValue};

    use crate::prometheus::Prometheus;

    use super::*;

    const LATENCY: Metric<'_> = Metric::sdk(MetricKind::Histogram, "activity_execution_latency", "How long");
    const STARTS: Metric<'_> = Metric::sdk(MetricKind::Counter, "worker_start", "Workers\nthat \\ started");

    #[test]
    fn numbers_add_up_by_their_labels() {
        let metrics = Prometheus::new().without_service_name();
        metrics.record(&STARTS, 1.into(), &[("queue", "a\"b")]);
        metrics.record(&STARTS, 2.into(), &[("queue", "a\"b")]);
        metrics.record(&STARTS, MetricValue::Float(-1.0), &[("queue", "a\"b")]);
        let open = Metric::new(MetricKind::Gauge, "open.orders");
        metrics.record(&open, 7.into(), &[]);
        metrics.record(&open, MetricValue::Float(2.5), &[]);
        let expected = "# TYPE open_orders gauge\nopen_orders 2.5\n\
            # HELP temporal_worker_start Workers\\nthat \\\\ started\n# TYPE temporal_worker_start counter\n\
            temporal_worker_start{queue=\"a\\\"b\"} 3\n";
        assert_eq!(metrics.render(), expected);
    }

    #[test]
    fn a_histogram_has_the_buckets_of_the_other_sdks_in_milliseconds() {
        let metrics = Prometheus::new();
        for millis in [10, 50, 51, 70_000] {
            metrics.record(&LATENCY, Duration::from_millis(millis).into(), &[]);
        }
        let text = metrics.render();
        let name = "temporal_activity_execution_latency";
        let service = "service_name=\"temporal-core-sdk\"";
        for (le, count) in [("50", 2), ("100", 3), ("60000", 3), ("+Inf", 4)] {
            let line = format!("{name}_bucket{{{service},le=\"{le}\"}} {count}\n");
            assert!(text.contains(&line), "no {line} in:\n{text}");
        }
        assert!(text.contains(&format!("{name}_sum{{{service}}} 70111\n")), "{text}");
        assert!(text.contains(&format!("{name}_count{{{service}}} 4\n")), "{text}");
    }

    #[test]
    fn names_units_labels_and_buckets_can_be_others() {
        let metrics = Prometheus::new()
            .metric_prefix("acme_")
            .label("region", "eu")
            .counters_total_suffix()
            .unit_suffix()
            .durations_as_seconds()
            .buckets("activity_execution_latency", [2.0, 1.0]);
        metrics.record(&STARTS, 1.into(), &[]);
        metrics.record(&LATENCY, Duration::from_millis(1500).into(), &[]);
        let mut bytes = Metric::new(MetricKind::Counter, "sent");
        bytes.unit = "bytes";
        metrics.record(&bytes, 10.into(), &[]);
        let text = metrics.render();
        let labels = "service_name=\"temporal-core-sdk\",region=\"eu\"";
        for line in [
            format!("acme_worker_start_total{{{labels}}} 1\n"),
            format!("sent_bytes_total{{{labels}}} 10\n"),
            format!("acme_activity_execution_latency_seconds_bucket{{{labels},le=\"1\"}} 0\n"),
            format!("acme_activity_execution_latency_seconds_bucket{{{labels},le=\"2\"}} 1\n"),
            format!("acme_activity_execution_latency_seconds_sum{{{labels}}} 1.5\n"),
        ] {
            assert!(text.contains(&line), "no {line} in:\n{text}");
        }
    }

    #[test]
    fn a_name_keeps_its_first_kind_and_a_metric_does_not_grow_without_end() {
        let metrics = Prometheus::new().without_service_name();
        metrics.record(&Metric::new(MetricKind::Counter, "orders"), 1.into(), &[]);
        metrics.record(&Metric::new(MetricKind::Gauge, "orders"), 5.into(), &[("a", "b")]);
        assert_eq!(metrics.render(), "# TYPE orders counter\norders 1\n");
        for id in 0..10_002 {
            metrics.record(&STARTS, 1.into(), &[("id", &id.to_string())]);
        }
        assert_eq!(metrics.render().matches("temporal_worker_start{").count(), 10_000);
    }
}
