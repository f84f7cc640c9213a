//! Time for the core, which reads none itself.

use stead_core::Instant;
use tokio::time;

/// Counts from when it was made. Follows the asynchronous runtime's clock where there is one, as its timers do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock(time::Instant);

impl Clock {
    pub(crate) fn new() -> Self {
        Self(time::Instant::now())
    }

    pub(crate) fn now(self) -> Instant {
        Instant::from_origin(self.0.elapsed())
    }
}
