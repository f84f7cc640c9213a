//! Slots by how much of the machine is in use.

use std::time::Duration;

use super::{SlotPolicy, SlotUse};
use crate::Instant;

/// How much is in use, each from 0 for nothing to 1 for everything.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ResourceUse {
    /// Memory.
    pub memory: f64,
    /// CPU.
    pub cpu: f64,
}

/// Gives slots as long as memory and CPU stay below their targets, between two limits.
///
/// Two PID controllers decide, with the numbers of `temporalio-sdk-core`
/// (`crates/sdk-core/src/worker/tuner/resource_based.rs`): it takes a distance from the target to be given a slot, and a
/// use that grows fast counts as more.
#[derive(Debug, Clone)]
pub struct ResourceSlots {
    minimum: usize,
    maximum: usize,
    ramp: Duration,
    memory: Controller,
    cpu: Controller,
    /// When the last slot beyond the minimum was given.
    given: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Controller {
    target: f64,
    threshold: f64,
    measured: Option<f64>,
    output: f64,
}

impl ResourceSlots {
    /// Between `minimum` and `maximum` slots for as long as the use of resources stays below `targets`; beyond the minimum
    /// at most one in `ramp`, so that a slot's task shows its effect before the next is given.
    pub const fn new(minimum: usize, maximum: usize, ramp: Duration, targets: ResourceUse) -> Self {
        let memory = Controller::new(targets.memory, MEMORY_THRESHOLD);
        let cpu = Controller::new(targets.cpu, CPU_THRESHOLD);
        Self { minimum, maximum, ramp, memory, cpu, given: None }
    }

    /// So much is in use now. Before the first time no slot beyond the minimum is given.
    pub fn handle_usage(&mut self, usage: ResourceUse) {
        self.memory.measure(usage.memory);
        self.cpu.measure(usage.cpu);
    }

    fn is_within_targets(&self) -> bool {
        let is_below = self.memory.measured.is_some_and(|memory| memory <= self.memory.target);
        is_below && self.memory.allows() && self.cpu.allows()
    }
}

impl SlotPolicy for ResourceSlots {
    fn may_reserve(&mut self, slots: SlotUse, now: Instant) -> bool {
        let taken = slots.reserved.saturating_add(slots.used);
        if taken < self.minimum {
            return true;
        }
        let is_ramped = self.given.is_none_or(|given| now.saturating_duration_since(given) >= self.ramp);
        let may = taken < self.maximum && is_ramped && self.is_within_targets();
        if may {
            self.given = Some(now);
        }
        may
    }
}

impl Controller {
    const fn new(target: f64, threshold: f64) -> Self {
        Self { target, threshold, measured: None, output: 0.0 }
    }

    fn measure(&mut self, measured: f64) {
        let growth = self.measured.replace(measured).map_or(0.0, |before| measured - before);
        self.output = PROPORTIONAL * (self.target - measured) - DERIVATIVE * growth;
    }

    fn allows(&self) -> bool {
        self.measured.is_some() && self.output > self.threshold
    }
}

const PROPORTIONAL: f64 = 5.0;
const DERIVATIVE: f64 = 1.0;
const MEMORY_THRESHOLD: f64 = 0.25;
const CPU_THRESHOLD: f64 = 0.05;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::SlotKind;

    const TARGETS: ResourceUse = ResourceUse { memory: 0.8, cpu: 0.9 };

    fn asks(policy: &mut ResourceSlots, used: usize, millis: u64) -> bool {
        let slots = SlotUse { kind: SlotKind::Activity, reserved: 0, used };
        policy.may_reserve(slots, Instant::from_origin(Duration::from_millis(millis)))
    }

    fn usage(memory: f64, cpu: f64) -> ResourceUse {
        ResourceUse { memory, cpu }
    }

    #[test]
    fn slots_are_given_between_the_limits_and_no_faster_than_the_ramp() {
        let mut policy = ResourceSlots::new(2, 4, Duration::from_millis(50), TARGETS);
        assert!(asks(&mut policy, 1, 0), "the minimum is given always");
        assert!(!asks(&mut policy, 2, 0), "nothing is known of the machine");
        policy.handle_usage(usage(0.1, 0.1));
        assert!(asks(&mut policy, 2, 10));
        assert!(!asks(&mut policy, 3, 40), "too fast");
        assert!(asks(&mut policy, 3, 60));
        assert!(!asks(&mut policy, 4, 1000), "the maximum");
    }

    #[test]
    fn no_slot_is_given_near_the_targets_or_when_use_grows_fast() {
        for (before, now, expected) in [
            (usage(0.5, 0.5), usage(0.5, 0.5), true),
            (usage(0.76, 0.5), usage(0.76, 0.5), false),
            (usage(0.9, 0.5), usage(0.9, 0.5), false),
            (usage(0.5, 0.895), usage(0.5, 0.895), false),
            (usage(0.1, 0.5), usage(0.7, 0.5), false),
            (usage(0.7, 0.5), usage(0.7, 0.5), true),
        ] {
            let mut policy = ResourceSlots::new(1, 100, Duration::ZERO, TARGETS);
            policy.handle_usage(before);
            policy.handle_usage(now);
            assert_eq!(asks(&mut policy, 10, 0), expected, "{before:?}, then {now:?}");
            assert!(asks(&mut policy, 0, 0), "the minimum is given always");
        }
    }
}
