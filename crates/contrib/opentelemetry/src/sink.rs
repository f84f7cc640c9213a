//! The SDK's metrics on a meter of OpenTelemetry.

use std::collections::HashMap;
use std::fmt;
use std::sync::{PoisonError, RwLock};

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter};
use stead::data::metrics::{Metric, MetricKind, MetricSink, MetricValue};
use stead::workflow::unwatched;

/// Records the metrics of clients, workers, workflows and activities with a meter of OpenTelemetry: for programs that have a
/// provider of meters, with views, readers and a resource of their own.
///
/// ```
/// use std::sync::Arc;
///
/// use opentelemetry::metrics::MeterProvider;
/// use stead::Client;
/// use stead_opentelemetry::ToMeter;
///
/// # async fn run(provider: impl MeterProvider) -> Result<(), Box<dyn std::error::Error>> {
/// let metrics = Arc::new(ToMeter::new(provider.meter("temporal")));
/// let client = Client::connect("localhost:7233").metrics(metrics).await?;
/// # let _ = client;
/// # Ok(())
/// # }
/// ```
///
/// Names are those of Temporal's other SDKs; those of the SDK begin with `temporal_`. Durations are in milliseconds, of
/// unit `ms`; the bounds of buckets are for the views of the provider to say. It needs no replay-safe provider.
pub struct ToMeter {
    meter: Meter,
    instruments: RwLock<HashMap<String, Instrument>>,
}

#[derive(Clone)]
enum Instrument {
    Counter(Counter<f64>),
    Gauge(Gauge<f64>),
    Histogram(Histogram<f64>),
}

/// Instruments of other names are not made: a name is no place for what varies.
const MOST: usize = 2000;

impl ToMeter {
    /// With this meter.
    pub fn new(meter: Meter) -> Self {
        Self { meter, instruments: RwLock::default() }
    }

    fn instrument(&self, name: &str, metric: &Metric<'_>, value: MetricValue) -> Option<Instrument> {
        let known = self.instruments.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        known.or_else(|| {
            let mut instruments = self.instruments.write().unwrap_or_else(PoisonError::into_inner);
            if instruments.len() >= MOST && !instruments.contains_key(name) {
                return None;
            }
            let make = || self.make(name.to_owned(), metric, value);
            Some(instruments.entry(name.to_owned()).or_insert_with(make).clone())
        })
    }

    fn make(&self, name: String, metric: &Metric<'_>, value: MetricValue) -> Instrument {
        let is_duration = matches!(value, MetricValue::Duration(_));
        let unit = if is_duration { "ms".to_owned() } else { metric.unit.to_owned() };
        let description = metric.description.to_owned();
        match metric.kind {
            MetricKind::Counter => {
                Instrument::Counter(self.meter.f64_counter(name).with_description(description).with_unit(unit).build())
            }
            MetricKind::Histogram => Instrument::Histogram(
                self.meter.f64_histogram(name).with_description(description).with_unit(unit).build(),
            ),
            _ => Instrument::Gauge(self.meter.f64_gauge(name).with_description(description).with_unit(unit).build()),
        }
    }
}

impl MetricSink for ToMeter {
    fn record(&self, metric: &Metric<'_>, value: MetricValue, attributes: &[(&str, &str)]) {
        let name = [metric.prefix, metric.name].concat();
        unwatched(|| {
            let Some(instrument) = self.instrument(&name, metric, value) else { return };
            let pair = |(name, value): &(&str, &str)| KeyValue::new((*name).to_owned(), (*value).to_owned());
            let attributes: Vec<_> = attributes.iter().map(pair).collect();
            let value = number(value);
            match instrument {
                Instrument::Counter(counter) => counter.add(value, &attributes),
                Instrument::Gauge(gauge) => gauge.record(value, &attributes),
                Instrument::Histogram(histogram) => histogram.record(value, &attributes),
            }
        });
    }
}

fn number(value: MetricValue) -> f64 {
    match value {
        #[expect(clippy::cast_precision_loss, reason = "what is measured is far less than 2⁵³")]
        MetricValue::Integer(value) => value as f64,
        MetricValue::Float(value) => value,
        MetricValue::Duration(value) => value.as_secs_f64() * 1000.0,
        _ => f64::NAN,
    }
}

impl fmt::Debug for ToMeter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToMeter").finish_non_exhaustive()
    }
}
