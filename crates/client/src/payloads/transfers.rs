//! What external storage had to do, in numbers.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What external storage had to do, for one message or several.
#[derive(Debug, Default)]
pub struct Transfers {
    downloads: Mutex<Transfer>,
    uploads: Mutex<Transfer>,
}

/// One of the two ways.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Transfer {
    /// How many payloads went that way. Equal ones that went once count once.
    pub payloads: usize,
    /// Their size in bytes.
    pub bytes: usize,
    /// How long it was waited for drivers. Where several were busy at the same time, the sum.
    pub duration: Duration,
    /// The drivers, by name.
    pub drivers: BTreeSet<String>,
}

impl Transfers {
    /// What was retrieved.
    pub fn downloads(&self) -> Transfer {
        lock(&self.downloads).clone()
    }

    /// What was stored.
    pub fn uploads(&self) -> Transfer {
        lock(&self.uploads).clone()
    }

    /// Adds another message's.
    pub fn add(&self, other: &Self) {
        lock(&self.downloads).add(other.downloads());
        lock(&self.uploads).add(other.uploads());
    }

    pub(super) fn downloaded(&self, transfer: Transfer) {
        lock(&self.downloads).add(transfer);
    }

    pub(super) fn uploaded(&self, transfer: Transfer) {
        lock(&self.uploads).add(transfer);
    }
}

impl Transfer {
    fn add(&mut self, other: Self) {
        self.payloads += other.payloads;
        self.bytes += other.bytes;
        self.duration += other.duration;
        self.drivers.extend(other.drivers);
    }
}

fn lock(transfer: &Mutex<Transfer>) -> MutexGuard<'_, Transfer> {
    transfer.lock().unwrap_or_else(PoisonError::into_inner)
}
