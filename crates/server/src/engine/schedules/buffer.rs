//! The buffer of starts: what to do about each when the schedule's last action may still be running.

use stead_proto::enums::v1::ScheduleOverlapPolicy as Policy;

/// A start that waits, and what to do if it overlaps with another.
pub(super) trait Overlaps {
    fn policy(&self) -> Policy;
}

/// What the buffer says is to be done now.
#[derive(Debug, PartialEq)]
pub(super) struct Decision<T> {
    /// Starts beside whatever is running.
    pub(super) beside: Vec<T>,
    /// The one start that nothing else is running beside.
    pub(super) alone: Option<T>,
    /// Starts that wait on.
    pub(super) kept: Vec<T>,
    pub(super) stop: Option<Stop>,
    /// Starts that were dropped by their policy.
    pub(super) skipped: i64,
}

/// How the running actions are to end, so that another can start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stop {
    Cancel,
    Terminate,
}

/// Decides about starts that wait, in their order, each of which knows its own policy.
pub(super) fn decide<T: Overlaps>(buffer: Vec<T>, running: bool) -> Decision<T> {
    let mut decision = Decision { beside: Vec::new(), alone: None, kept: Vec::new(), stop: None, skipped: 0 };
    for start in buffer {
        decision.take(start, running);
    }
    if decision.stop.is_some() {
        // They would be stopped as soon as they are started.
        decision.beside.clear();
    }
    decision
}

impl<T: Overlaps> Decision<T> {
    fn take(&mut self, start: T, running: bool) {
        match start.policy() {
            Policy::AllowAll => self.beside.push(start),
            _ if !running && self.alone.is_none() => self.alone = Some(start),
            Policy::BufferOne if self.kept.is_empty() => self.kept.push(start),
            Policy::Unspecified | Policy::Skip | Policy::BufferOne => self.skipped += 1,
            Policy::BufferAll => self.kept.push(start),
            // The other has not begun yet: this one takes its place.
            Policy::CancelOther | Policy::TerminateOther if !running => self.alone = Some(start),
            Policy::CancelOther => self.stop_other(Stop::Cancel, start),
            Policy::TerminateOther => self.stop_other(Stop::Terminate, start),
        }
    }

    fn stop_other(&mut self, stop: Stop, start: T) {
        self.stop = self.stop.max(Some(stop));
        self.kept.push(start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Overlaps for (Policy, u8) {
        fn policy(&self) -> Policy {
            self.0
        }
    }

    fn all(policies: &[Policy]) -> Vec<(Policy, u8)> {
        policies.iter().copied().zip(1..).collect()
    }

    fn numbers<'a>(starts: impl IntoIterator<Item = &'a (Policy, u8)>) -> Vec<u8> {
        starts.into_iter().map(|(_, number)| *number).collect()
    }

    #[test]
    fn without_anything_running_the_first_starts_and_the_policy_decides_about_the_rest() {
        let cases = [
            (Policy::Skip, 1, vec![], 2),
            (Policy::BufferOne, 1, vec![2], 1),
            (Policy::BufferAll, 1, vec![2, 3], 0),
            (Policy::CancelOther, 3, vec![], 0),
            (Policy::TerminateOther, 3, vec![], 0),
        ];
        for (policy, alone, kept, skipped) in cases {
            let decision = decide(all(&[policy; 3]), false);
            assert_eq!(decision.alone.map(|(_, number)| number), Some(alone), "{policy:?}");
            assert_eq!((numbers(&decision.kept), decision.skipped, decision.stop), (kept, skipped, None), "{policy:?}");
        }
    }

    #[test]
    fn what_is_running_is_waited_for_or_stopped() {
        let cases = [
            (Policy::Skip, vec![], 2, None),
            (Policy::BufferOne, vec![1], 1, None),
            (Policy::BufferAll, vec![1, 2], 0, None),
            (Policy::CancelOther, vec![1, 2], 0, Some(Stop::Cancel)),
            (Policy::TerminateOther, vec![1, 2], 0, Some(Stop::Terminate)),
        ];
        for (policy, kept, skipped, stop) in cases {
            let decision = decide(all(&[policy; 2]), true);
            assert_eq!(decision.alone, None, "{policy:?}");
            assert_eq!((numbers(&decision.kept), decision.skipped, decision.stop), (kept, skipped, stop), "{policy:?}");
        }
    }

    #[test]
    fn what_may_overlap_starts_beside_all_others() {
        let decision = decide(all(&[Policy::AllowAll, Policy::Skip, Policy::AllowAll]), true);
        assert_eq!((numbers(&decision.beside), decision.skipped), (vec![1, 3], 1));
    }

    #[test]
    fn termination_outranks_cancellation_and_starts_beside_are_dropped() {
        let decision = decide(all(&[Policy::TerminateOther, Policy::CancelOther, Policy::AllowAll]), true);
        assert_eq!((decision.stop, numbers(&decision.beside)), (Some(Stop::Terminate), vec![]));
        assert_eq!(numbers(&decision.kept), [1, 2]);
    }
}
