//! Slots: how many tasks a worker has at once. A permit is taken before a poll, so no task arrives without room for it.

mod resources;
mod supplier;
mod tuner;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use stead_core::policy::{ResourceUse, SlotPolicy, SlotUse};
use stead_data::metrics::MetricValue;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep};

use crate::clock::Clock;
use crate::driver::panic_message;
use crate::metrics::{Metrics, names};

pub(crate) use resources::Resources;
pub use supplier::{SlotContext, SlotKind, SlotPermit, SlotSupplier, SlotTask};
pub use tuner::{ResourceSlots, ResourceTargets, SlotSupply, Tuner};

/// The slots for tasks of one kind. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Slots(Arc<Inner>);

struct Inner {
    kind: SlotKind,
    source: Source,
    metrics: Arc<Metrics>,
    counts: Mutex<Counts>,
    /// Told when a permit is given back.
    freed: Notify,
}

/// What decides whether there is one more slot.
enum Source {
    Fixed { free: Arc<Semaphore>, total: u32 },
    Resources(Box<ByResources>),
    Custom { supplier: Arc<dyn SlotSupplier>, worker: SlotWorker },
}

struct ByResources {
    policy: Mutex<stead_core::policy::ResourceSlots>,
    resources: Arc<Resources>,
    clock: Clock,
    maximum: u32,
}

/// What suppliers are told of the worker.
#[derive(Debug, Clone)]
pub(crate) struct SlotWorker {
    pub(crate) task_queue: String,
    pub(crate) identity: String,
    pub(crate) build_id: String,
}

/// Makes the slots of one worker.
pub(crate) struct SlotMaker<'a> {
    metrics: &'a Arc<Metrics>,
    worker: SlotWorker,
    resources: Arc<Resources>,
}

/// What the permits are doing.
#[derive(Debug, Default)]
struct Counts {
    /// Held by polls that wait for a task.
    reserved: u32,
    /// Held by tasks.
    used: u32,
    /// Given back by tasks, so far.
    processed: u32,
    /// Those that hold one, in the order in which they came.
    tasks: BTreeMap<u64, RunningTask>,
    /// So many have come.
    came: u64,
}

/// A task that holds a slot.
#[derive(Debug, Clone)]
pub(crate) struct RunningTask {
    /// Its workflow's or activity's type.
    pub(crate) name: String,
    pub(crate) since: Instant,
}

/// What slots have been doing, for people to see.
#[derive(Debug, Clone)]
pub(crate) struct SlotsReport {
    pub(crate) kind: &'static str,
    pub(crate) used: u32,
    /// `None` where there is no fixed number.
    pub(crate) available: Option<u32>,
    pub(crate) processed: u32,
    /// The task that has held a slot for longest.
    pub(crate) oldest: Option<RunningTask>,
}

/// A slot in use, until it is dropped.
pub(crate) struct Permit {
    slots: Slots,
    /// The number of the task that came for it.
    used_by: Option<u64>,
    held: Held,
}

enum Held {
    Fixed(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit),
    /// By the counts alone.
    Counted,
    Custom {
        permit: SlotPermit,
        task: Option<SlotTask>,
    },
}

impl<'a> SlotMaker<'a> {
    pub(crate) fn new(metrics: &'a Arc<Metrics>, worker: SlotWorker, resources: &Arc<Resources>) -> Self {
        Self { metrics, worker, resources: Arc::clone(resources) }
    }

    pub(crate) fn make(&self, kind: SlotKind, supply: SlotSupply) -> Slots {
        let source = match supply {
            SlotSupply::Fixed(total) => Source::Fixed { free: Arc::new(Semaphore::new(total as usize)), total },
            SlotSupply::ResourceBased(ResourceSlots { targets, minimum, maximum, ramp_throttle }) => {
                let targets = ResourceUse { memory: targets.memory, cpu: targets.cpu };
                let (least, most) = (minimum as usize, maximum as usize);
                let policy = stead_core::policy::ResourceSlots::new(least, most, ramp_throttle, targets);
                let resources = Arc::clone(&self.resources);
                Source::Resources(Box::new(ByResources {
                    policy: Mutex::new(policy),
                    resources,
                    clock: Clock::new(),
                    maximum,
                }))
            }
            SlotSupply::Custom(supplier) => Source::Custom { supplier, worker: self.worker.clone() },
        };
        let (metrics, counts) = (Arc::clone(self.metrics), Mutex::default());
        Slots(Arc::new(Inner { kind, source, metrics, counts, freed: Notify::new() }))
    }
}

impl Slots {
    /// Waits for a free slot; `is_sticky`: for a poll of the worker's own queue.
    pub(crate) async fn reserve(&self, is_sticky: bool) -> Permit {
        match &self.0.source {
            Source::Fixed { free, .. } => loop {
                // Nobody closes the semaphore.
                if let Ok(held) = Arc::clone(free).acquire_owned().await {
                    return self.permit(Held::Fixed(held));
                }
            },
            Source::Resources(_) => loop {
                let freed = self.0.freed.notified();
                if let Some(permit) = self.try_reserve(is_sticky) {
                    return permit;
                }
                tokio::select! {
                    () = freed => {}
                    () = sleep(ASK_AGAIN_AFTER) => {}
                }
            },
            Source::Custom { supplier, worker } => loop {
                let context = worker.context(self.0.kind, is_sticky);
                match AssertUnwindSafe(async { supplier.reserve(context).await }).catch_unwind().await {
                    Ok(permit) => return self.permit(Held::Custom { permit, task: None }),
                    Err(panic) => log_panic(&*panic),
                }
                sleep(ASK_AGAIN_AFTER_PANIC).await;
            },
        }
    }

    /// A free slot, if there is one now.
    pub(crate) fn try_reserve(&self, is_sticky: bool) -> Option<Permit> {
        match &self.0.source {
            Source::Fixed { free, .. } => {
                Arc::clone(free).try_acquire_owned().ok().map(|held| self.permit(Held::Fixed(held)))
            }
            Source::Resources(source) => {
                let mut counts = self.0.counts();
                if !source.may_reserve(self.0.kind, &counts) {
                    return None;
                }
                counts.reserved += 1;
                Some(Permit { slots: self.clone(), used_by: None, held: Held::Counted })
            }
            Source::Custom { supplier, worker } => {
                let context = worker.context(self.0.kind, is_sticky);
                let permit = guarded(|| supplier.try_reserve(context))??;
                Some(self.permit(Held::Custom { permit, task: None }))
            }
        }
    }

    /// The most polls that make sense.
    pub(crate) fn maximum(&self) -> u32 {
        match &self.0.source {
            Source::Fixed { total, .. } => *total,
            Source::Resources(source) => source.maximum,
            Source::Custom { .. } => u32::MAX,
        }
    }

    /// Waits until no slot is in use.
    pub(crate) async fn all_free(&self) {
        loop {
            let freed = self.0.freed.notified();
            if self.in_use() == 0 {
                return;
            }
            freed.await;
        }
    }

    /// How many are in use, those included that a poll holds.
    pub(crate) fn in_use(&self) -> u32 {
        let counts = self.0.counts();
        counts.reserved + counts.used
    }

    pub(crate) fn report(&self) -> SlotsReport {
        // Asked before the lock is taken, as it may be foreign code.
        let total = self.0.total();
        let counts = self.0.counts();
        let Counts { used, processed, .. } = *counts;
        let oldest = counts.tasks.values().next().cloned();
        let kind = match &self.0.source {
            Source::Fixed { .. } => "Fixed",
            Source::Resources(_) => "ResourceBased",
            Source::Custom { .. } => "Custom",
        };
        SlotsReport { kind, used, available: total.map(|total| total.saturating_sub(used)), processed, oldest }
    }

    /// Says how many slots there are, before the first one is taken.
    pub(crate) fn announce(&self) {
        self.0.tell(|_| {});
    }

    fn permit(&self, held: Held) -> Permit {
        self.0.counts().reserved += 1;
        Permit { slots: self.clone(), used_by: None, held }
    }
}

impl Permit {
    /// A task has come for it.
    pub(crate) fn mark_used(&mut self, describe: impl FnOnce() -> SlotTask) {
        if self.used_by.is_some() {
            return;
        }
        let described = describe();
        self.slots.0.tell(|counts| {
            counts.reserved -= 1;
            counts.used += 1;
            counts.came += 1;
            let task = RunningTask { name: described.name(), since: Instant::now() };
            counts.tasks.insert(counts.came, task);
            self.used_by = Some(counts.came);
        });
        if let (Source::Custom { supplier, .. }, Held::Custom { permit, task }) = (&self.slots.0.source, &mut self.held)
        {
            let described = task.insert(described);
            guarded(|| supplier.mark_used(permit, described));
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let inner = &self.slots.0;
        // First, so that a supplier has all of them back when the worker has stopped.
        let held = std::mem::replace(&mut self.held, Held::Counted);
        if let (Source::Custom { supplier, .. }, Held::Custom { permit, task }) = (&inner.source, held) {
            guarded(|| supplier.release(permit, task));
        }
        match self.used_by {
            Some(number) => inner.tell(|counts| {
                counts.used -= 1;
                counts.processed = counts.processed.saturating_add(1);
                counts.tasks.remove(&number);
            }),
            // Metrics do not show what polls hold.
            None => inner.counts().reserved -= 1,
        }
        inner.freed.notify_waiters();
    }
}

impl ByResources {
    fn may_reserve(&self, kind: SlotKind, counts: &Counts) -> bool {
        let mut policy = self.policy.lock().unwrap_or_else(PoisonError::into_inner);
        match self.resources.fresh_usage(Instant::now()) {
            Some(usage) => policy.handle_usage(usage),
            None => say_once_that_nothing_is_known(),
        }
        let slots = SlotUse { kind, reserved: counts.reserved as usize, used: counts.used as usize };
        policy.may_reserve(slots, self.clock.now())
    }
}

impl SlotWorker {
    fn context(&self, kind: SlotKind, is_sticky: bool) -> SlotContext<'_> {
        let Self { task_queue, identity, build_id } = self;
        SlotContext { kind, task_queue, identity, build_id, is_sticky }
    }
}

impl Inner {
    /// No foreign code but a sink runs under the lock, so a poisoned one is intact.
    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn total(&self) -> Option<u32> {
        match &self.source {
            Source::Fixed { total, .. } => Some(*total),
            // As many as there are now; nobody knows about the next.
            Source::Resources(_) => None,
            Source::Custom { supplier, .. } => guarded(|| supplier.total()).flatten(),
        }
    }

    /// Changes the counts and tells the metrics of it, in one go, so that the one who tells last tells the latest.
    fn tell(&self, change: impl FnOnce(&mut Counts)) {
        let total = if self.metrics.is_on() { self.total() } else { None };
        let mut counts = self.counts();
        change(&mut counts);
        let labels = [("worker_type", worker_type(self.kind))];
        let value = |count: u32| MetricValue::from(u64::from(count));
        self.metrics.record(&names::WORKER_TASK_SLOTS_USED, value(counts.used), &labels);
        if let Some(total) = total {
            let available = total.saturating_sub(counts.used);
            self.metrics.record(&names::WORKER_TASK_SLOTS_AVAILABLE, value(available), &labels);
        }
    }
}

fn say_once_that_nothing_is_known() {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        tracing::warn!(
            target: "stead::worker",
            "the use of CPU and memory cannot be read here; resource-based slots stay at their minimum"
        );
    });
}

/// A supplier's panic is logged, and costs nothing else.
fn guarded<T>(call: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(call)).inspect_err(|panic| log_panic(&**panic)).ok()
}

fn log_panic(panic: &(dyn std::any::Any + Send)) {
    tracing::error!(target: "stead::worker", panic = panic_message(panic), "a supplier of slots panicked");
}

impl std::fmt::Debug for Permit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Permit").field("kind", &self.slots.0.kind).field("is_used", &self.used_by.is_some()).finish()
    }
}

/// As often as the use of resources is measured.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Not so often that the log overflows.
const ASK_AGAIN_AFTER_PANIC: Duration = Duration::from_secs(1);

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

    fn worker() -> SlotWorker {
        SlotWorker { task_queue: "orders".to_owned(), identity: "me".to_owned(), build_id: String::new() }
    }

    #[tokio::test]
    async fn resource_based_slots_are_given_up_to_their_maximum_while_there_is_room() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("proc")).expect("a folder");
        let write = |name, text: &str| std::fs::write(folder.path().join("proc").join(name), text).expect("a file");
        write("stat", "cpu 10 0 10 80 0 0 0 0\n");
        write("meminfo", "MemTotal: 1000 kB\nMemAvailable: 500 kB\n");
        let metrics = Arc::new(Metrics::new(None, "shop", "orders"));
        let maker = SlotMaker::new(&metrics, worker(), &Arc::new(Resources::under(folder.path())));
        let targets = |memory| ResourceTargets { memory, cpu: 0.9 };
        let supply = |memory| ResourceSlots::new(targets(memory)).minimum(1).maximum(3).ramp_throttle(Duration::ZERO);
        let count = |memory| {
            let slots = maker.make(SlotKind::Activity, supply(memory).into());
            std::iter::from_fn(|| slots.try_reserve(false)).take(10).collect::<Vec<_>>().len()
        };
        assert_eq!((count(0.8), count(0.5)), (3, 1), "half of the memory is in use");
    }

    /// A machine of 1,000 MB, of which its process has taken some.
    struct Machine(tempfile::TempDir);

    impl Machine {
        fn new() -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            std::fs::create_dir(folder.path().join("proc")).expect("a folder");
            std::fs::write(folder.path().join("proc/stat"), "cpu 10 0 10 80 0 0 0 0\n").expect("a file");
            let machine = Self(folder);
            machine.uses(0);
            machine
        }

        fn uses(&self, megabytes: usize) {
            let available = (1000 - megabytes) * 1000;
            let text = format!("MemTotal: 1000000 kB\nMemAvailable: {available} kB\n");
            std::fs::write(self.0.path().join("proc/meminfo"), text).expect("a file");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn activities_that_take_memory_stay_under_the_target_and_come_close_to_it() {
        const TAKES: usize = 20;
        let machine = Machine::new();
        let metrics = Arc::new(Metrics::new(None, "shop", "orders"));
        let maker = SlotMaker::new(&metrics, worker(), &Arc::new(Resources::under(machine.0.path())));
        let targets = ResourceTargets { memory: 0.8, cpu: 0.9 };
        let supply = ResourceSlots::new(targets).minimum(1).maximum(500).ramp_throttle(Duration::from_millis(50));
        let slots = maker.make(SlotKind::Activity, supply.into());
        let mut running = std::collections::VecDeque::new();
        let mut most = 0;
        // An activity each time that there is a slot, of which each takes memory for ten seconds.
        for _ in 0..2_000 {
            while running.front().is_some_and(|(since, _): &(Instant, Permit)| since.elapsed().as_secs() >= 10) {
                running.pop_front();
            }
            if let Some(mut permit) = slots.try_reserve(false) {
                permit.mark_used(|| SlotTask::Activity { activity_type: "takes".to_owned() });
                running.push_back((Instant::now(), permit));
            }
            machine.uses(running.len() * TAKES);
            most = most.max(running.len() * TAKES);
            sleep(Duration::from_millis(20)).await;
        }
        assert!(most <= 800, "{most} MB were used, and the target is 800");
        assert!(most >= 600, "only {most} MB were used, and the target is 800");
    }

    #[tokio::test]
    async fn a_dropped_permit_frees_its_slot() {
        let metrics = Arc::new(Metrics::new(None, "shop", "orders"));
        let slots = SlotMaker::new(&metrics, worker(), &Arc::default()).make(SlotKind::Activity, 2.into());
        let (one, two) = (slots.reserve(false).await, slots.try_reserve(false));
        assert!(two.is_some() && slots.try_reserve(false).is_none());
        assert_eq!(slots.in_use(), 2);
        drop((one, two));
        slots.all_free().await;
        assert_eq!(slots.in_use(), 0);
    }
}
