//! Slots: how many tasks a worker has at once. A permit is taken before a poll, so no task arrives without room for it.

use std::sync::{Arc, Mutex, PoisonError};

use stead_core::policy::SlotKind;
use stead_data::metrics::MetricValue;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::metrics::{Metrics, names};

/// The slots for tasks of one kind. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Slots(Arc<Inner>);

struct Inner {
    kind: SlotKind,
    free: Arc<Semaphore>,
    total: u32,
    metrics: Arc<Metrics>,
    counts: Mutex<Counts>,
    /// Told when no permit is left.
    idle: Notify,
}

/// What the permits are doing.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    /// Held by polls that wait for a task.
    reserved: u32,
    /// Held by tasks.
    used: u32,
    /// Given back by tasks, so far.
    processed: u32,
}

/// What slots have been doing, for people to see.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SlotsReport {
    pub(crate) used: u32,
    pub(crate) available: u32,
    pub(crate) processed: u32,
}

/// A slot in use, until it is dropped.
pub(crate) struct Permit {
    slots: Slots,
    is_used: bool,
    _held: OwnedSemaphorePermit,
}

impl Slots {
    pub(crate) fn new(kind: SlotKind, total: u32, metrics: &Arc<Metrics>) -> Self {
        Self(Arc::new(Inner {
            kind,
            free: Arc::new(Semaphore::new(total as usize)),
            total,
            metrics: Arc::clone(metrics),
            counts: Mutex::default(),
            idle: Notify::new(),
        }))
    }

    /// Waits for a free slot. `None` never comes back: the semaphore is not closed.
    pub(crate) async fn reserve(&self) -> Option<Permit> {
        Arc::clone(&self.0.free).acquire_owned().await.ok().map(|held| self.permit(held))
    }

    /// A free slot, if there is one now.
    pub(crate) fn try_reserve(&self) -> Option<Permit> {
        Arc::clone(&self.0.free).try_acquire_owned().ok().map(|held| self.permit(held))
    }

    /// Waits until no slot is in use.
    pub(crate) async fn all_free(&self) {
        loop {
            let idle = self.0.idle.notified();
            if self.in_use() == 0 {
                return;
            }
            idle.await;
        }
    }

    /// How many are in use, those included that a poll holds.
    pub(crate) fn in_use(&self) -> u32 {
        let Counts { reserved, used, .. } = self.0.change(|_| {});
        reserved + used
    }

    pub(crate) fn report(&self) -> SlotsReport {
        let Counts { used, processed, .. } = self.0.change(|_| {});
        SlotsReport { used, available: self.0.total.saturating_sub(used), processed }
    }

    /// Says how many slots there are, before the first one is taken.
    pub(crate) fn announce(&self) {
        self.0.tell(|_| {});
    }

    fn permit(&self, held: OwnedSemaphorePermit) -> Permit {
        self.0.change(|counts| counts.reserved += 1);
        Permit { slots: self.clone(), is_used: false, _held: held }
    }
}

impl Permit {
    /// A task has come for it.
    pub(crate) fn mark_used(&mut self) {
        if !std::mem::replace(&mut self.is_used, true) {
            self.slots.0.tell(|counts| {
                counts.reserved -= 1;
                counts.used += 1;
            });
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let inner = &self.slots.0;
        let counts = match self.is_used {
            true => inner.tell(|counts| {
                counts.used -= 1;
                counts.processed = counts.processed.saturating_add(1);
            }),
            // Metrics do not show what polls hold.
            false => inner.change(|counts| counts.reserved -= 1),
        };
        if counts.reserved + counts.used == 0 {
            inner.idle.notify_waiters();
        }
    }
}

impl Inner {
    fn change(&self, change: impl FnOnce(&mut Counts)) -> Counts {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut counts);
        *counts
    }

    /// Changes the counts and tells the metrics of it, in one go, so that the one who tells last tells the latest.
    fn tell(&self, change: impl FnOnce(&mut Counts)) -> Counts {
        self.change(|counts| {
            change(counts);
            let labels = [("worker_type", worker_type(self.kind))];
            let value = |count: u32| MetricValue::from(u64::from(count));
            self.metrics.record(&names::WORKER_TASK_SLOTS_USED, value(counts.used), &labels);
            let available = self.total.saturating_sub(counts.used);
            self.metrics.record(&names::WORKER_TASK_SLOTS_AVAILABLE, value(available), &labels);
        })
    }
}

impl std::fmt::Debug for Permit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Permit").field("kind", &self.slots.0.kind).field("is_used", &self.is_used).finish()
    }
}

/// The label of Temporal's dashboards.
fn worker_type(kind: SlotKind) -> &'static str {
    match kind {
        SlotKind::Workflow => "WorkflowWorker",
        SlotKind::Activity => "ActivityWorker",
        SlotKind::LocalActivity => "LocalActivityWorker",
        SlotKind::Nexus => "NexusWorker",
        _ => "Worker",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dropped_permit_frees_its_slot() {
        let slots = Slots::new(SlotKind::Activity, 2, &Arc::new(Metrics::new(None, "shop", "orders")));
        let (one, two) = (slots.reserve().await, slots.try_reserve());
        assert!(one.is_some() && two.is_some());
        assert!(slots.try_reserve().is_none());
        assert_eq!(slots.in_use(), 2);
        drop((one, two));
        slots.all_free().await;
        assert_eq!(slots.in_use(), 0);
    }
}
