//! A number that goes up and down.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use stead_data::metrics::Metric;

use super::Metrics;

/// How many there are of something now, told to the worker's metrics at each change.
pub(crate) struct Level {
    metrics: Arc<Metrics>,
    metric: &'static Metric<'static>,
    labels: &'static [(&'static str, &'static str)],
    value: AtomicU64,
    /// Held while the sink is told: the one who tells it last tells the latest.
    order: Mutex<()>,
}

/// One more, until it is dropped.
pub(crate) struct Raised<'a>(&'a Level);

impl Level {
    pub(crate) fn new(
        metrics: &Arc<Metrics>,
        metric: &'static Metric<'static>,
        labels: &'static [(&'static str, &'static str)],
    ) -> Self {
        Self { metrics: Arc::clone(metrics), metric, labels, value: AtomicU64::new(0), order: Mutex::new(()) }
    }

    pub(crate) fn get(&self) -> u64 {
        self.value.load(Ordering::SeqCst)
    }

    pub(crate) fn raise(&self) {
        self.value.fetch_add(1, Ordering::SeqCst);
        self.tell();
    }

    pub(crate) fn lower(&self) {
        self.value.fetch_sub(1, Ordering::SeqCst);
        self.tell();
    }

    /// One part of what is counted here was so many before and is so many now.
    pub(crate) fn change(&self, before: u64, now: u64) {
        if before == now {
            return;
        }
        // Wraps, as a difference that is less than nothing does.
        self.value.fetch_add(now.wrapping_sub(before), Ordering::SeqCst);
        self.tell();
    }

    /// One more, for as long as the guard lives.
    pub(crate) fn raised(&self) -> Raised<'_> {
        self.raise();
        Raised(self)
    }

    fn tell(&self) {
        if !self.metrics.is_on() {
            return;
        }
        let _order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        self.metrics.record(self.metric, self.get().into(), self.labels);
    }
}

impl Drop for Raised<'_> {
    fn drop(&mut self) {
        self.0.lower();
    }
}
