//! Where no call can be seen.

use crate::{Frame, Kind, Sighting};

pub(crate) const IS_SUPPORTED: bool = false;

pub(crate) fn watch<R>(f: impl FnOnce() -> R) -> (R, Option<Sighting>) {
    (f(), None)
}

pub(crate) fn suspended<R>(f: impl FnOnce() -> R) -> R {
    f()
}

pub(crate) fn frames(_: &[usize]) -> Vec<Frame> {
    Vec::new()
}

pub(crate) fn probe(_: Kind) {}
