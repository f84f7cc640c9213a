//! Numbers that add up, by metric and labels.
//!
//! A number of a series that exists is found by its hash, under a lock for reading, and added without an allocation.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use stead_data::metrics::{Metric, MetricKind, MetricValue};

use super::{Form, Options, buckets};

#[derive(Default)]
pub(crate) struct Registry {
    hasher: RandomState,
    state: RwLock<State>,
}

#[derive(Default)]
pub(crate) struct State {
    /// By the hash of the metric and of the labels, as they come.
    index: HashMap<u64, Vec<Arc<Series>>>,
    /// By the name that is shown.
    pub(crate) families: BTreeMap<String, Family>,
}

/// A metric with all its series.
pub(crate) struct Family {
    pub(crate) kind: MetricKind,
    pub(crate) description: String,
    #[cfg(feature = "opentelemetry")]
    pub(crate) unit: String,
    pub(crate) series: Vec<Arc<Series>>,
    is_full: bool,
}

/// The numbers of a metric for one set of labels.
pub(crate) struct Series {
    prefix: String,
    name: String,
    pub(crate) attributes: Vec<(String, String)>,
    /// Labels as text, without braces.
    #[cfg(feature = "prometheus")]
    pub(crate) labels: String,
    pub(crate) value: Value,
}

pub(crate) enum Value {
    /// A sum.
    Counter(Number),
    /// The latest.
    Gauge(Number),
    Histogram(Histogram),
}

pub(crate) struct Histogram {
    pub(crate) bounds: Vec<f64>,
    /// How many fell into each bucket, and beyond the last.
    pub(crate) counts: Vec<AtomicU64>,
    pub(crate) sum: Number,
}

/// A number that many threads change.
#[derive(Default)]
pub(crate) struct Number(AtomicU64);

impl Registry {
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn record(
        &self,
        form: &impl Form,
        metric: &Metric<'_>,
        value: MetricValue,
        attributes: &[(&str, &str)],
    ) {
        let number = match value {
            MetricValue::Integer(value) => value as f64,
            MetricValue::Float(value) => value,
            MetricValue::Duration(value) if form.options().durations_as_seconds => value.as_secs_f64(),
            MetricValue::Duration(value) => value.as_secs_f64() * 1000.0,
            _ => return,
        };
        let hash = self.hash(metric, attributes);
        if let Some(series) = self.read().find(hash, metric, attributes) {
            return series.value.take(number);
        }
        let is_duration = matches!(value, MetricValue::Duration(_));
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        // Somebody else may have added it in the meantime.
        let found = state.find(hash, metric, attributes).cloned();
        if let Some(series) = found.or_else(|| state.add(hash, form, metric, is_duration, attributes)) {
            series.value.take(number);
        }
    }

    fn hash(&self, metric: &Metric<'_>, attributes: &[(&str, &str)]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        (metric.prefix, metric.name).hash(&mut hasher);
        attributes.hash(&mut hasher);
        hasher.finish()
    }
}

impl State {
    fn find(&self, hash: u64, metric: &Metric<'_>, attributes: &[(&str, &str)]) -> Option<&Arc<Series>> {
        self.index.get(&hash)?.iter().find(|series| series.is(metric, attributes))
    }

    /// `None` if the name belongs to a metric of another kind, or the metric has too many series already.
    fn add(
        &mut self,
        hash: u64,
        form: &impl Form,
        metric: &Metric<'_>,
        is_duration: bool,
        attributes: &[(&str, &str)],
    ) -> Option<Arc<Series>> {
        let shown = form.name(metric, is_duration);
        let family = self.families.entry(shown).or_insert_with(|| Family {
            kind: metric.kind,
            description: metric.description.to_owned(),
            #[cfg(feature = "opentelemetry")]
            unit: unit(form.options(), metric, is_duration).to_owned(),
            series: Vec::new(),
            is_full: false,
        });
        if family.kind != metric.kind || family.series.len() >= MAX_SERIES {
            if !std::mem::replace(&mut family.is_full, true) {
                tracing::warn!(
                    target: "stead::worker",
                    metric = metric.name, series = family.series.len(),
                    "numbers are not counted: their metric has too many labels, or its name belongs to another kind"
                );
            }
            return None;
        }
        let series = Arc::new(Series {
            prefix: metric.prefix.to_owned(),
            name: metric.name.to_owned(),
            attributes: attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            #[cfg(feature = "prometheus")]
            labels: form.labels(attributes),
            value: Value::new(form.options(), metric),
        });
        family.series.push(Arc::clone(&series));
        self.index.entry(hash).or_default().push(Arc::clone(&series));
        Some(series)
    }
}

impl Series {
    fn is(&self, metric: &Metric<'_>, attributes: &[(&str, &str)]) -> bool {
        self.name == metric.name
            && self.prefix == metric.prefix
            && self.attributes.len() == attributes.len()
            && self.attributes.iter().zip(attributes).all(|(mine, other)| mine.0 == other.0 && mine.1 == other.1)
    }
}

impl Value {
    fn new(options: &Options, metric: &Metric<'_>) -> Self {
        match metric.kind {
            MetricKind::Gauge => Self::Gauge(Number::default()),
            MetricKind::Histogram => {
                let bounds = bounds(options, metric.name);
                let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
                Self::Histogram(Histogram { bounds, counts, sum: Number::default() })
            }
            _ => Self::Counter(Number::default()),
        }
    }

    fn take(&self, number: f64) {
        match self {
            Self::Gauge(latest) => latest.set(number),
            // A counter that goes down would count as one that began anew.
            Self::Counter(_) if number.is_nan() || number < 0.0 => {}
            Self::Counter(sum) => sum.add(number),
            Self::Histogram(histogram) => histogram.take(number),
        }
    }
}

impl Histogram {
    fn take(&self, number: f64) {
        if number.is_nan() {
            return;
        }
        let bucket = self.bounds.partition_point(|bound| *bound < number);
        if let Some(count) = self.counts.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.add(number);
    }
}

impl Number {
    pub(crate) fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }

    /// The number, which begins at zero again.
    #[cfg(feature = "opentelemetry")]
    pub(crate) fn take(&self) -> f64 {
        f64::from_bits(self.0.swap(0.0_f64.to_bits(), Ordering::Relaxed))
    }

    fn set(&self, number: f64) {
        self.0.store(number.to_bits(), Ordering::Relaxed);
    }

    fn add(&self, number: f64) {
        let add = |bits| Some((f64::from_bits(bits) + number).to_bits());
        // The closure never gives up.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }
}

#[cfg(feature = "opentelemetry")]
fn unit<'a>(options: &Options, metric: &Metric<'a>, is_duration: bool) -> &'a str {
    match (is_duration, options.durations_as_seconds) {
        (true, true) => "s",
        (true, false) => "ms",
        (false, _) => metric.unit,
    }
}

fn bounds(options: &Options, metric: &str) -> Vec<f64> {
    match options.buckets.get(metric) {
        Some(bounds) => bounds.clone(),
        None if options.durations_as_seconds => buckets::millis(metric).iter().map(|bound| bound / 1000.0).collect(),
        None => buckets::millis(metric).to_vec(),
    }
}

/// More would be ids among the labels, and cost a server of Prometheus as much as this process.
const MAX_SERIES: usize = 10_000;
