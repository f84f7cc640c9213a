//! The messages of OTLP that metrics need, as `opentelemetry-proto` 1.x numbers their fields.

use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use prost::{Message, Oneof};
use stead_data::metrics::MetricKind;

use crate::aggregate::{self, Family, Options, Registry, SERVICE_NAME, Series};

/// When numbers are looked at.
pub(super) struct Moment {
    /// Since when they add up.
    pub(super) start: SystemTime,
    pub(super) now: SystemTime,
    /// Whether they begin at zero again.
    pub(super) is_delta: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ExportRequest {
    #[prost(message, repeated, tag = "1")]
    resource_metrics: Vec<ResourceMetrics>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ExportResponse {
    #[prost(message, optional, tag = "1")]
    pub(super) partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct PartialSuccess {
    #[prost(int64, tag = "1")]
    pub(super) rejected_data_points: i64,
    #[prost(string, tag = "2")]
    pub(super) error_message: String,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceMetrics {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scope_metrics: Vec<ScopeMetrics>,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeMetrics {
    #[prost(message, optional, tag = "1")]
    scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    metrics: Vec<Metric>,
}

#[derive(Clone, PartialEq, Message)]
struct Scope {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    version: String,
}

#[derive(Clone, PartialEq, Message)]
struct Metric {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    description: String,
    #[prost(string, tag = "3")]
    unit: String,
    #[prost(oneof = "Data", tags = "5, 7, 9")]
    data: Option<Data>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Data {
    #[prost(message, tag = "5")]
    Gauge(Gauge),
    #[prost(message, tag = "7")]
    Sum(Sum),
    #[prost(message, tag = "9")]
    Histogram(Histogram),
}

#[derive(Clone, PartialEq, Message)]
struct Gauge {
    #[prost(message, repeated, tag = "1")]
    data_points: Vec<NumberPoint>,
}

#[derive(Clone, PartialEq, Message)]
struct Sum {
    #[prost(message, repeated, tag = "1")]
    data_points: Vec<NumberPoint>,
    #[prost(int32, tag = "2")]
    aggregation_temporality: i32,
    #[prost(bool, tag = "3")]
    is_monotonic: bool,
}

#[derive(Clone, PartialEq, Message)]
struct Histogram {
    #[prost(message, repeated, tag = "1")]
    data_points: Vec<HistogramPoint>,
    #[prost(int32, tag = "2")]
    aggregation_temporality: i32,
}

#[derive(Clone, PartialEq, Message)]
struct NumberPoint {
    #[prost(fixed64, tag = "2")]
    start_time_unix_nano: u64,
    #[prost(fixed64, tag = "3")]
    time_unix_nano: u64,
    /// A member of a oneof there: it is sent even if it is zero.
    #[prost(double, optional, tag = "4")]
    as_double: Option<f64>,
    #[prost(message, repeated, tag = "7")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct HistogramPoint {
    #[prost(fixed64, tag = "2")]
    start_time_unix_nano: u64,
    #[prost(fixed64, tag = "3")]
    time_unix_nano: u64,
    #[prost(fixed64, tag = "4")]
    count: u64,
    #[prost(double, optional, tag = "5")]
    sum: Option<f64>,
    #[prost(fixed64, repeated, tag = "6")]
    bucket_counts: Vec<u64>,
    #[prost(double, repeated, tag = "7")]
    explicit_bounds: Vec<f64>,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    /// A member of a oneof there: it is sent even if it is empty.
    #[prost(string, optional, tag = "1")]
    string_value: Option<String>,
}

/// All numbers as they are now.
pub(super) fn request(registry: &Registry, options: &Options, moment: &Moment) -> ExportRequest {
    let families = registry.read();
    let metrics = families.families.iter().map(|(name, family)| metric(name, family, options, moment)).collect();
    let scope = Scope { name: "stead".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() };
    let service = options.has_service_name.then(|| key_value("service.name", SERVICE_NAME));
    ExportRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(Resource { attributes: service.into_iter().collect() }),
            scope_metrics: vec![ScopeMetrics { scope: Some(scope), metrics }],
        }],
    }
}

fn metric(name: &str, family: &Family, options: &Options, moment: &Moment) -> Metric {
    let aggregation_temporality = if moment.is_delta { DELTA } else { CUMULATIVE };
    let numbers = || family.series.iter().filter_map(|series| number(series, options, moment)).collect();
    let data = match family.kind {
        MetricKind::Gauge => Data::Gauge(Gauge { data_points: numbers() }),
        MetricKind::Histogram => {
            let data_points = family.series.iter().filter_map(|series| histogram(series, options, moment)).collect();
            Data::Histogram(Histogram { data_points, aggregation_temporality })
        }
        _ => Data::Sum(Sum { data_points: numbers(), aggregation_temporality, is_monotonic: true }),
    };
    let (description, unit) = (family.description.clone(), family.unit.clone());
    Metric { name: name.to_owned(), description, unit, data: Some(data) }
}

fn number(series: &Series, options: &Options, moment: &Moment) -> Option<NumberPoint> {
    let number = match &series.value {
        aggregate::Value::Counter(sum) if moment.is_delta => sum.take(),
        aggregate::Value::Counter(number) | aggregate::Value::Gauge(number) => number.get(),
        aggregate::Value::Histogram(_) => return None,
    };
    Some(NumberPoint {
        start_time_unix_nano: nanos(moment.start),
        time_unix_nano: nanos(moment.now),
        as_double: Some(number),
        attributes: attributes(series, options),
    })
}

fn histogram(series: &Series, options: &Options, moment: &Moment) -> Option<HistogramPoint> {
    let aggregate::Value::Histogram(histogram) = &series.value else { return None };
    let counts = histogram.counts.iter().map(|count| match moment.is_delta {
        true => count.swap(0, Ordering::Relaxed),
        false => count.load(Ordering::Relaxed),
    });
    let bucket_counts: Vec<_> = counts.collect();
    Some(HistogramPoint {
        start_time_unix_nano: nanos(moment.start),
        time_unix_nano: nanos(moment.now),
        count: bucket_counts.iter().sum(),
        sum: Some(if moment.is_delta { histogram.sum.take() } else { histogram.sum.get() }),
        bucket_counts,
        explicit_bounds: histogram.bounds.clone(),
        attributes: attributes(series, options),
    })
}

fn attributes(series: &Series, options: &Options) -> Vec<KeyValue> {
    let own = series.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    options.global_labels().chain(own).map(|(name, value)| key_value(name, value)).collect()
}

fn key_value(key: &str, value: &str) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { string_value: Some(value.to_owned()) }) }
}

fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

const DELTA: i32 = 1;
const CUMULATIVE: i32 = 2;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use stead_data::metrics::{Metric as Measured, MetricSink, MetricValue};

    use crate::opentelemetry::OpenTelemetry;

    use super::*;

    const STARTS: Measured<'_> = Measured::sdk(MetricKind::Counter, "worker_start", "Workers");
    const LATENCY: Measured<'_> = Measured::sdk(MetricKind::Histogram, "request_latency", "How long");
    const OPEN: Measured<'_> = Measured::new(MetricKind::Gauge, "open");

    fn sent(metrics: &OpenTelemetry) -> Vec<Metric> {
        let moment = metrics.moment();
        let request = request(&metrics.registry, &metrics.options.common, &moment);
        let request = ExportRequest::decode(&*request.encode_to_vec()).expect("it reads what it wrote");
        let [resource] = <[_; 1]>::try_from(request.resource_metrics).expect("one resource");
        let [scope] = <[_; 1]>::try_from(resource.scope_metrics).expect("one scope");
        scope.metrics
    }

    fn measure(metrics: &OpenTelemetry) {
        metrics.record(&STARTS, MetricValue::Integer(2), &[("namespace", "shop")]);
        metrics.record(&LATENCY, MetricValue::Duration(Duration::from_millis(60)), &[]);
        metrics.record(&OPEN, MetricValue::Float(7.5), &[]);
    }

    #[test]
    fn numbers_are_sent_with_what_they_are() {
        let metrics = OpenTelemetry::new().label("region", "north");
        measure(&metrics);
        let [open, latency, starts] = <[_; 3]>::try_from(sent(&metrics)).expect("three metrics");
        assert_eq!((&*open.name, &*open.unit), ("open", ""));
        let Some(Data::Gauge(gauge)) = open.data else { panic!("a gauge: {:?}", open.data) };
        assert_eq!(gauge.data_points[0].as_double, Some(7.5));
        assert_eq!(
            (&*latency.name, &*latency.unit, &*latency.description),
            ("temporal_request_latency", "ms", "How long")
        );
        let Some(Data::Histogram(histogram)) = latency.data else { panic!("a histogram: {:?}", latency.data) };
        let point = &histogram.data_points[0];
        assert_eq!((point.count, point.sum, &*point.bucket_counts), (1, Some(60.0), &[0, 1, 0, 0, 0, 0, 0][..]));
        assert_eq!(point.explicit_bounds, [50.0, 100.0, 500.0, 1000.0, 2500.0, 10_000.0]);
        let Some(Data::Sum(sum)) = starts.data else { panic!("a sum: {:?}", starts.data) };
        assert!(sum.is_monotonic && sum.aggregation_temporality == CUMULATIVE);
        let labels = [("service_name", SERVICE_NAME), ("region", "north"), ("namespace", "shop")];
        assert_eq!(sum.data_points[0].attributes, labels.map(|(key, value)| key_value(key, value)));
    }

    #[test]
    fn sums_go_on_or_begin_anew_as_it_is_asked_for() {
        for (metrics, expected) in [(OpenTelemetry::new(), 4.0), (OpenTelemetry::new().delta(), 2.0)] {
            let metrics = metrics.durations_as_seconds().without_service_name();
            measure(&metrics);
            let before = sent(&metrics);
            measure(&metrics);
            let [open, latency, starts] = <[_; 3]>::try_from(sent(&metrics)).expect("three metrics");
            let Some(Data::Sum(sum)) = starts.data else { panic!("a sum: {:?}", starts.data) };
            assert_eq!(sum.data_points[0].as_double, Some(expected));
            let Some(Data::Histogram(histogram)) = latency.data else { panic!("a histogram: {:?}", latency.data) };
            assert_eq!((histogram.data_points[0].count as f64, &*latency.unit), (expected / 2.0, "s"));
            assert_eq!(histogram.data_points[0].sum, Some(0.06 * expected / 2.0));
            let Some(Data::Gauge(gauge)) = open.data else { panic!("a gauge: {:?}", open.data) };
            assert_eq!(gauge.data_points[0].as_double, Some(7.5));
            let Some(Data::Sum(earlier)) = &before[2].data else { panic!("a sum: {before:?}") };
            let (is_delta, point) = (sum.aggregation_temporality == DELTA, &sum.data_points[0]);
            let began_anew = point.start_time_unix_nano == earlier.data_points[0].time_unix_nano;
            assert_eq!((is_delta, began_anew), (expected == 2.0, expected == 2.0));
        }
    }
}
