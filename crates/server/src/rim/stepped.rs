//! [`Stepped`]: a server without a thread.

use std::time::{Duration, Instant};

use super::Service;
use super::driver::Driver;
use super::inbox::Inbox;
use super::journal::Journal;
use crate::clock::Timeline;
use crate::engine::Engine;
use crate::store::Store;

/// A server that does what it has to do when it is told to, on the caller's thread and by the caller's clock: for
/// simulations. What it is asked, in which order and at which instants, says everything that it does.
///
/// Dropping it ends it as a crash would: what was written to its store is kept, and no answer leaves any more.
#[derive(Debug)]
pub struct Stepped {
    driver: Driver,
    skips: bool,
}

impl Stepped {
    pub(crate) fn new(
        engine: Engine,
        timeline: Timeline,
        store: Option<Box<dyn Store>>,
        skips: bool,
        instant: fn() -> Instant,
    ) -> Self {
        let (inbox, inputs) = Inbox::new();
        let journal = Journal::at_once(store, &inbox);
        Self { driver: Driver::new(engine, timeline, journal, (inbox, inputs), instant), skips }
    }

    /// The server for clients. Their calls wait for the next [`step`](Self::step).
    #[must_use]
    pub fn service(&self) -> Service {
        Service::new(self.driver.inbox().clone(), self.skips)
    }

    /// Takes the calls that have come and does what has fallen due. Returns how long nothing falls due from then on, or
    /// `None` if nothing does before another call comes.
    pub fn step(&mut self) -> Option<Duration> {
        self.driver.step()
    }
}

impl Drop for Stepped {
    fn drop(&mut self) {
        // Whoever notices it first is no matter of chance.
        self.driver.break_off();
    }
}
