//! [`MetricBuffer`]: numbers that wait until somebody takes them.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Metric, MetricKind, MetricSink, MetricValue};

/// Keeps numbers one by one, for programs that have a telemetry of their own: [`take`](Self::take) hands them over.
///
/// ```
/// use std::sync::Arc;
/// use stead_data::metrics::{Meter, MetricBuffer, MetricValue};
///
/// let buffer = Arc::new(MetricBuffer::new(1000));
/// Meter::new(buffer.clone()).with_attribute("shop", "a").counter("orders").add(2);
/// let taken = buffer.take();
/// assert_eq!((taken[0].name.as_str(), taken[0].value), ("orders", MetricValue::Integer(2)));
/// ```
pub struct MetricBuffer {
    capacity: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    metrics: Vec<BufferedMetric>,
    dropped: u64,
}

/// A number that was kept.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct BufferedMetric {
    /// How the numbers of its metric add up.
    pub kind: MetricKind,
    /// The name of its metric, with its prefix.
    pub name: String,
    /// What its metric is, for people; may be empty.
    pub description: String,
    /// The unit of its metric; may be empty.
    pub unit: String,
    /// The number.
    pub value: MetricValue,
    /// Names and values of what it belongs to.
    pub attributes: Vec<(String, String)>,
}

impl MetricBuffer {
    /// An empty one that keeps up to `capacity` numbers. What comes while it is full is lost, and counted.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { capacity, state: Mutex::default() }
    }

    /// What was recorded since the last time, in order.
    #[must_use]
    pub fn take(&self) -> Vec<BufferedMetric> {
        std::mem::take(&mut self.state().metrics)
    }

    /// How many numbers were lost so far because the buffer was full.
    pub fn dropped(&self) -> u64 {
        self.state().dropped
    }

    /// No foreign code runs under the lock, so a poisoned one is intact.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MetricSink for MetricBuffer {
    fn record(&self, metric: &Metric<'_>, value: MetricValue, attributes: &[(&str, &str)]) {
        let mut state = self.state();
        if state.metrics.len() >= self.capacity {
            state.dropped += 1;
            return;
        }
        state.metrics.push(BufferedMetric {
            kind: metric.kind,
            name: [metric.prefix, metric.name].concat(),
            description: metric.description.to_owned(),
            unit: metric.unit.to_owned(),
            value,
            attributes: attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        });
    }
}

impl fmt::Debug for MetricBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricBuffer").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::metrics::Meter;

    #[test]
    fn a_buffer_gives_what_it_took_once_and_counts_what_it_could_not_take() {
        let buffer = Arc::new(MetricBuffer::new(2));
        let orders = Meter::new(buffer.clone()).with_attribute("shop", "a");
        (0..3_u64).for_each(|number| orders.counter("orders").unit("1").add(number));
        let taken = buffer.take();
        assert_eq!(taken.iter().map(|it| it.value).collect::<Vec<_>>(), [0.into(), 1.into()]);
        assert_eq!(taken[0].attributes, [("shop".to_owned(), "a".to_owned())]);
        assert_eq!((buffer.dropped(), buffer.take().len()), (1, 0));
        let task = Metric::sdk(MetricKind::Histogram, "task_latency", "how long");
        buffer.record(&task, std::time::Duration::from_millis(1).into(), &[]);
        assert_eq!(buffer.take()[0].name, "temporal_task_latency");
    }
}
