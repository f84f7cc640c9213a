//! What the guard sees in this program.

use std::fmt;

use crate::{IS_SUPPORTED, Kind, system, watch};

/// Makes one harmless call of each kind under watch, among them a thread that ends at once and a process that cannot
/// start, and says which were seen. Takes about a millisecond; for when a program starts.
pub fn self_test() -> Coverage {
    let (seen, unseen) = Kind::ALL.iter().copied().partition(|&kind| {
        let ((), sighting) = watch(|| system::probe(kind));
        sighting.is_some_and(|sighting| sighting.kind() == kind)
    });
    Coverage { seen, unseen }
}

/// What a [`self_test`] found. Shown as one line for the log: `determinism guard watches clock, randomness, …`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Coverage {
    /// Calls of these kinds are seen.
    pub seen: Vec<Kind>,
    /// Calls of these are not, as something else in the program defines their functions or the platform is none of those
    /// that are supported.
    pub unseen: Vec<Kind>,
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !IS_SUPPORTED {
            return f.write_str("determinism guard watches nothing: it needs Linux with glibc");
        }
        write!(f, "determinism guard watches {}", Kinds(&self.seen))?;
        if self.unseen.is_empty() {
            return Ok(());
        }
        write!(f, "; not {}, whose functions something else in this program defines", Kinds(&self.unseen))
    }
}

struct Kinds<'a>(&'a [Kind]);

impl fmt::Display for Kinds<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nothing");
        }
        for (index, kind) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{kind}")?;
        }
        Ok(())
    }
}
