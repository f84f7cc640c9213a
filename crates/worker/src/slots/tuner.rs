//! Where the slots of a worker come from.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::supplier::SlotSupplier;

/// Where the slots for each kind of task come from.
///
/// ```
/// use stead_worker::{ResourceSlots, ResourceTargets, SlotSupply, Tuner};
///
/// let targets = ResourceTargets { memory: 0.8, cpu: 0.9 };
/// let tuner = Tuner::resource_based(targets)
///     .workflow_tasks(50)
///     .activities(ResourceSlots::new(targets).maximum(200));
/// # let _ = tuner;
/// ```
#[derive(Debug, Clone)]
pub struct Tuner {
    pub(crate) workflow_tasks: SlotSupply,
    pub(crate) activities: SlotSupply,
    pub(crate) local_activities: SlotSupply,
    pub(crate) nexus_tasks: SlotSupply,
}

impl Tuner {
    /// 100 slots for each kind of task, which is what a worker without a tuner has.
    pub fn new() -> Self {
        Self {
            workflow_tasks: 100.into(),
            activities: 100.into(),
            local_activities: 100.into(),
            nexus_tasks: 100.into(),
        }
    }

    /// Slots for as long as CPU and memory stay below their targets, with the defaults of [`ResourceSlots`]; for workflow
    /// tasks at least 5, and without a ramp.
    pub fn resource_based(targets: ResourceTargets) -> Self {
        let slots = ResourceSlots::new(targets);
        Self {
            workflow_tasks: slots.minimum(5).ramp_throttle(Duration::ZERO).into(),
            activities: slots.into(),
            local_activities: slots.into(),
            nexus_tasks: slots.into(),
        }
    }

    /// Where slots for workflow tasks come from.
    #[must_use]
    pub fn workflow_tasks(mut self, supply: impl Into<SlotSupply>) -> Self {
        self.workflow_tasks = supply.into();
        self
    }

    /// Where slots for activities come from.
    #[must_use]
    pub fn activities(mut self, supply: impl Into<SlotSupply>) -> Self {
        self.activities = supply.into();
        self
    }

    /// Where slots for local activities come from.
    #[must_use]
    pub fn local_activities(mut self, supply: impl Into<SlotSupply>) -> Self {
        self.local_activities = supply.into();
        self
    }

    /// Where slots for requests to handlers of Nexus operations come from.
    #[must_use]
    pub fn nexus_tasks(mut self, supply: impl Into<SlotSupply>) -> Self {
        self.nexus_tasks = supply.into();
        self
    }

    /// What is wrong with it, if something is.
    pub(crate) fn problem(&self, has_cache: bool) -> Option<&'static str> {
        let supplies = [&self.workflow_tasks, &self.activities, &self.local_activities, &self.nexus_tasks];
        let least = if has_cache { 2 } else { 1 };
        let mut targets = supplies.iter().filter_map(|supply| supply.targets());
        let first = targets.next();
        if self.workflow_tasks.maximum().is_some_and(|maximum| maximum < least) {
            Some("one with at least 1 slot for workflow tasks, and at least 2 with a cache")
        } else if supplies.iter().any(|supply| !supply.is_valid()) {
            Some(
                "one whose slots are at least 1, whose minimum is not above its maximum, and whose targets are above 0 and at most 1",
            )
        } else if targets.any(|other| Some(other) != first) {
            Some("one whose resource-based slots all have the same targets")
        } else {
            None
        }
    }
}

impl Default for Tuner {
    fn default() -> Self {
        Self::new()
    }
}

/// Where slots for tasks of one kind come from.
#[derive(Clone)]
#[non_exhaustive]
pub enum SlotSupply {
    /// As many always.
    Fixed(u32),
    /// As many as CPU and memory allow.
    ResourceBased(ResourceSlots),
    /// A supplier of your own decides.
    Custom(Arc<dyn SlotSupplier>),
}

impl SlotSupply {
    /// A supplier of your own.
    pub fn custom(supplier: impl SlotSupplier) -> Self {
        Self::Custom(Arc::new(supplier))
    }

    pub(crate) fn maximum(&self) -> Option<u32> {
        match self {
            Self::Fixed(count) => Some(*count),
            Self::ResourceBased(slots) => Some(slots.maximum),
            Self::Custom(_) => None,
        }
    }

    fn is_valid(&self) -> bool {
        match self {
            Self::Fixed(count) => *count >= 1,
            Self::ResourceBased(slots) => {
                let is_part = |target: f64| target > 0.0 && target <= 1.0;
                (1..=slots.maximum).contains(&slots.minimum)
                    && is_part(slots.targets.memory)
                    && is_part(slots.targets.cpu)
            }
            Self::Custom(_) => true,
        }
    }

    fn targets(&self) -> Option<ResourceTargets> {
        match self {
            Self::ResourceBased(slots) => Some(slots.targets),
            _ => None,
        }
    }
}

impl From<u32> for SlotSupply {
    fn from(count: u32) -> Self {
        Self::Fixed(count)
    }
}

impl From<ResourceSlots> for SlotSupply {
    fn from(slots: ResourceSlots) -> Self {
        Self::ResourceBased(slots)
    }
}

impl fmt::Debug for SlotSupply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(count) => f.debug_tuple("Fixed").field(count).finish(),
            Self::ResourceBased(slots) => f.debug_tuple("ResourceBased").field(slots).finish(),
            Self::Custom(_) => f.debug_tuple("Custom").finish_non_exhaustive(),
        }
    }
}

/// How much of the machine, or of the container, may be in use; each above 0 for nothing and at most 1 for everything.
///
/// Exhaustive on purpose: both have to be thought about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ResourceTargets {
    /// Memory.
    pub memory: f64,
    /// CPU.
    pub cpu: f64,
}

/// Slots for as long as CPU and memory stay below their targets.
///
/// On Linux the limits of the process's control group count where it has some. Elsewhere the use of CPU and memory is not
/// known, which is logged, and there are as many slots as the minimum says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ResourceSlots {
    pub(crate) targets: ResourceTargets,
    pub(crate) minimum: u32,
    pub(crate) maximum: u32,
    pub(crate) ramp_throttle: Duration,
}

impl ResourceSlots {
    /// With the defaults of Temporal's other SDKs: between 1 and 500 slots, at most one more in 50 ms.
    pub fn new(targets: ResourceTargets) -> Self {
        Self { targets, minimum: 1, maximum: 500, ramp_throttle: Duration::from_millis(50) }
    }

    /// As many slots are given whatever is in use. At least 1. Default: 1.
    #[must_use]
    pub fn minimum(mut self, count: u32) -> Self {
        self.minimum = count;
        self
    }

    /// No more slots are given. Default: 500.
    #[must_use]
    pub fn maximum(mut self, count: u32) -> Self {
        self.maximum = count;
        self
    }

    /// The time between two slots beyond the minimum, so that a task shows what it uses before the next one comes.
    /// Default: 50 ms.
    #[must_use]
    pub fn ramp_throttle(mut self, throttle: Duration) -> Self {
        self.ramp_throttle = throttle;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGETS: ResourceTargets = ResourceTargets { memory: 0.8, cpu: 0.9 };

    #[test]
    fn a_tuner_that_cannot_work_is_refused() {
        assert_eq!(Tuner::new().problem(true), None);
        assert_eq!(Tuner::resource_based(TARGETS).problem(true), None);
        assert!(Tuner::new().workflow_tasks(1).problem(true).is_some());
        assert_eq!(Tuner::new().workflow_tasks(1).problem(false), None);
        assert!(Tuner::new().activities(0).problem(false).is_some());
        let slots = ResourceSlots::new(TARGETS);
        for wrong in [slots.minimum(0), slots.maximum(0), slots.minimum(501)] {
            assert!(Tuner::new().activities(wrong).problem(false).is_some(), "{wrong:?}");
        }
        for (memory, cpu) in [(0.0, 0.5), (0.5, 1.1), (f64::NAN, 0.5)] {
            let wrong = Tuner::resource_based(ResourceTargets { memory, cpu });
            assert!(wrong.problem(false).is_some(), "{memory} {cpu}");
        }
        let other = ResourceSlots::new(ResourceTargets { memory: 0.5, cpu: 0.9 });
        let problem = Tuner::resource_based(TARGETS).activities(other).problem(false);
        assert_eq!(problem, Some("one whose resource-based slots all have the same targets"));
    }
}
