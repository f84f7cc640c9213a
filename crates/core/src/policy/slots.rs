//! How many tasks a worker has at once.

use crate::Instant;

/// Decides whether a worker may take on one more task.
///
/// It is asked before a poll, so that no task arrives without room for it.
pub trait SlotPolicy: Send {
    /// Whether one more slot may be reserved.
    fn may_reserve(&mut self, slots: SlotUse, now: Instant) -> bool;

    /// The most slots that can be in use, where there is a fixed number; for metrics.
    fn limit(&self) -> Option<usize> {
        None
    }
}

/// What slots of one kind are doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotUse {
    /// For which tasks.
    pub kind: SlotKind,
    /// Reserved by polls that wait for a task.
    pub reserved: usize,
    /// Used by tasks.
    pub used: usize,
}

/// The kinds of tasks that have slots of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SlotKind {
    /// Workflow tasks.
    Workflow,
    /// Activities.
    Activity,
    /// Local activities.
    LocalActivity,
    /// Nexus tasks.
    Nexus,
}

/// The same number of slots always.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedSlots(usize);

impl FixedSlots {
    /// As many slots as `limit`. Zero never takes a task.
    pub const fn new(limit: usize) -> Self {
        Self(limit)
    }
}

impl SlotPolicy for FixedSlots {
    fn may_reserve(&mut self, slots: SlotUse, _now: Instant) -> bool {
        slots.reserved.saturating_add(slots.used) < self.0
    }

    fn limit(&self) -> Option<usize> {
        Some(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_slots_count_the_reserved_ones_too() {
        let mut policy = FixedSlots::new(3);
        let mut ask = |reserved, used| {
            policy.may_reserve(SlotUse { kind: SlotKind::Workflow, reserved, used }, Instant::default())
        };
        assert!(ask(1, 1));
        assert!(!ask(1, 2));
        assert!(!ask(usize::MAX, 1));
    }
}
