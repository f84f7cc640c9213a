//! Which defects fail a workflow instead of its task.

use std::fmt;
use std::ops::BitOr;

use stead_activation::TaskFailureCause;

/// Defects that fail the workflow, where they would else fail its workflow task.
///
/// A failed task is tried again, so that a workflow waits for the version of its code in which the defect is mended. A
/// failed workflow is over, and its caller hears of it: of use in tests, and to workflows that somebody waits for.
///
/// ```
/// use stead_workflow::FailOn;
///
/// let both = FailOn::PANICS | FailOn::UNDECODABLE;
/// assert!(both.contains(FailOn::PANICS) && !both.contains(FailOn::NONDETERMINISM));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct FailOn(u8);

impl FailOn {
    /// None of them.
    pub const NOTHING: Self = Self(0);
    /// The code panics, in any place but a query's handler.
    pub const PANICS: Self = Self(1);
    /// The code does not do what its history says.
    pub const NONDETERMINISM: Self = Self(2);
    /// The workflow's arguments or the result of an operation are not what the code takes, or a value of its own cannot
    /// be encoded.
    pub const UNDECODABLE: Self = Self(4);
    /// All of them.
    pub const ANYTHING: Self = Self(7);

    const NAMES: [(Self, &'static str); 3] =
        [(Self::PANICS, "PANICS"), (Self::NONDETERMINISM, "NONDETERMINISM"), (Self::UNDECODABLE, "UNDECODABLE")];

    /// These and those.
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether all of `others` are among these.
    pub const fn contains(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// Whether a workflow fails where its code has failed the task like this. Nondeterminism is left to the run's
    /// machines, which see all of it.
    pub(crate) const fn is_met_by(self, cause: TaskFailureCause) -> bool {
        match cause {
            TaskFailureCause::Panic => self.contains(Self::PANICS),
            TaskFailureCause::Conversion => self.contains(Self::UNDECODABLE),
            TaskFailureCause::NonDeterminism | TaskFailureCause::WorkflowWorkerUnhandledFailure => false,
        }
    }
}

impl BitOr for FailOn {
    type Output = Self;

    fn bitor(self, others: Self) -> Self {
        self.and(others)
    }
}

impl fmt::Debug for FailOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Self::NAMES.iter().filter(|(defect, _)| self.contains(*defect)).map(|(_, name)| name);
        f.debug_set().entries(names).finish()
    }
}
