//! Numbers that clients, workers, workflows and activities count and measure: instruments, and the trait behind which
//! they go somewhere.
//!
//! What is not here: aggregation and export. A [`MetricSink`] has them, or forwards to what has; a [`MetricBuffer`] only
//! keeps the numbers until somebody takes them.

mod buffer;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use buffer::{BufferedMetric, MetricBuffer};

/// Where numbers go.
///
/// It is called on threads that run workflow code and on those of the asynchronous runtime, so it must not block.
pub trait MetricSink: Send + Sync + 'static {
    /// Takes one number. A counter's is added, a gauge's replaces the one before, a histogram's is one of many.
    fn record(&self, metric: &Metric<'_>, value: MetricValue, attributes: &[(&str, &str)]);
}

/// What a number is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metric<'a> {
    /// How numbers add up.
    pub kind: MetricKind,
    /// What stands before the name of the SDK's own metrics: `temporal_`, as in all of Temporal's SDKs. A sink may put
    /// something else there. Empty for metrics of a program's own.
    pub prefix: &'a str,
    /// Its name.
    pub name: &'a str,
    /// What it is, for people; may be empty.
    pub description: &'a str,
    /// The unit, such as `s` or `By`; may be empty. Of a [`Duration`](MetricValue::Duration) it is the sink's to choose.
    pub unit: &'a str,
}

impl<'a> Metric<'a> {
    /// A metric of a program's own, without a description and a unit.
    pub const fn new(kind: MetricKind, name: &'a str) -> Self {
        Self { kind, prefix: "", name, description: "", unit: "" }
    }

    /// One of the metrics that all of Temporal's SDKs have.
    pub const fn sdk(kind: MetricKind, name: &'a str, description: &'a str) -> Self {
        Self { kind, prefix: "temporal_", name, description, unit: "" }
    }
}

/// How the numbers of a metric add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricKind {
    /// A sum that grows.
    Counter,
    /// The latest number counts.
    Gauge,
    /// How numbers are distributed.
    Histogram,
}

/// A number.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum MetricValue {
    /// A whole one.
    Integer(u64),
    /// Any.
    Float(f64),
    /// A time, which a sink shows in a unit of its choice.
    Duration(Duration),
}

impl From<u64> for MetricValue {
    fn from(value: u64) -> Self {
        Self::Integer(value)
    }
}

impl From<f64> for MetricValue {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<Duration> for MetricValue {
    fn from(value: Duration) -> Self {
        Self::Duration(value)
    }
}

/// Makes instruments. Cheap to clone.
#[derive(Clone)]
pub struct Meter {
    sink: Option<Arc<dyn MetricSink>>,
    attributes: Arc<[(Box<str>, Box<str>)]>,
}

impl Meter {
    /// One whose numbers go to `sink`.
    #[must_use]
    pub fn new(sink: Arc<dyn MetricSink>) -> Self {
        Self { sink: Some(sink), attributes: Arc::from([]) }
    }

    /// One whose numbers go nowhere.
    #[must_use]
    pub fn none() -> Self {
        Self { sink: None, attributes: Arc::from([]) }
    }

    /// The same with one more attribute on all of its numbers. A value that it had under this name is replaced.
    #[must_use]
    pub fn with_attribute(&self, name: &str, value: &str) -> Self {
        if self.sink.is_none() {
            return self.clone();
        }
        let others = self.attributes.iter().filter(|(other, _)| **other != *name).cloned();
        let attributes = others.chain([(Box::from(name), Box::from(value))]).collect();
        Self { sink: self.sink.clone(), attributes }
    }

    /// A sum that grows.
    #[must_use]
    pub fn counter<'a>(&self, name: &'a str) -> Counter<'a> {
        Counter(self.instrument(MetricKind::Counter, name))
    }

    /// A number of which the latest value counts.
    #[must_use]
    pub fn gauge<'a>(&self, name: &'a str) -> Gauge<'a> {
        Gauge(self.instrument(MetricKind::Gauge, name))
    }

    /// Numbers whose distribution counts.
    #[must_use]
    pub fn histogram<'a>(&self, name: &'a str) -> Histogram<'a> {
        Histogram(self.instrument(MetricKind::Histogram, name))
    }

    fn instrument<'a>(&self, kind: MetricKind, name: &'a str) -> Instrument<'a> {
        Instrument { meter: self.clone(), metric: Metric::new(kind, name) }
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meter").field("attributes", &self.attributes).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone)]
struct Instrument<'a> {
    meter: Meter,
    metric: Metric<'a>,
}

impl Instrument<'_> {
    fn record(&self, value: MetricValue) {
        let Some(sink) = &self.meter.sink else { return };
        let attributes: Vec<_> = self.meter.attributes.iter().map(|(name, value)| (&**name, &**value)).collect();
        sink.record(&self.metric, value, &attributes);
    }
}

macro_rules! instrument {
    ($(#[$doc:meta])* $name:ident, $(#[$record_doc:meta])* $record:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $name<'a>(Instrument<'a>);

        impl<'a> $name<'a> {
            /// Says what it is, for people.
            #[must_use]
            pub fn description(mut self, description: &'a str) -> Self {
                self.0.metric.description = description;
                self
            }

            /// Says what its unit is, such as `s` or `By`.
            #[must_use]
            pub fn unit(mut self, unit: &'a str) -> Self {
                self.0.metric.unit = unit;
                self
            }

            $(#[$record_doc])*
            pub fn $record(&self, value: impl Into<MetricValue>) {
                self.0.record(value.into());
            }
        }
    };
}

instrument! {
    /// A sum that grows. Made by [`Meter::counter`].
    Counter,
    /// Adds a number.
    add
}

instrument! {
    /// A number of which the latest value counts. Made by [`Meter::gauge`].
    Gauge,
    /// Sets the number.
    set
}

instrument! {
    /// Numbers whose distribution counts. Made by [`Meter::histogram`].
    Histogram,
    /// Takes a number.
    record
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Lines(Mutex<Vec<String>>);

    impl MetricSink for Lines {
        fn record(&self, metric: &Metric<'_>, value: MetricValue, attributes: &[(&str, &str)]) {
            let Metric { kind, name, description, unit, .. } = metric;
            let line = format!("{kind:?} {name} {description} {unit} {value:?} {attributes:?}");
            self.0.lock().unwrap().push(line);
        }
    }

    #[test]
    fn numbers_come_with_what_they_are_and_with_the_attributes_of_their_meter() {
        let lines = Arc::new(Lines::default());
        let meter = Meter::new(lines.clone()).with_attribute("shop", "a").with_attribute("shop", "b");
        meter.counter("orders").unit("1").add(2);
        meter.with_attribute("by", "card").histogram("paid").description("how much").record(2.5);
        meter.gauge("open").set(7);
        Meter::none().counter("orders").add(1);
        let expected = [
            r#"Counter orders  1 Integer(2) [("shop", "b")]"#,
            r#"Histogram paid how much  Float(2.5) [("shop", "b"), ("by", "card")]"#,
            r#"Gauge open   Integer(7) [("shop", "b")]"#,
        ];
        assert_eq!(*lines.0.lock().unwrap(), expected);
    }
}
