//! [`ClockControl`]: reading and moving the clock of a server that runs.

use std::error::Error;
use std::fmt;
use std::time::{Duration, SystemTime};

use super::system_time;
use crate::engine::Time;
use crate::rim::Inbox;

/// The clock of a server that runs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ClockControl {
    inbox: Inbox,
}

/// What the clock can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Now,
    /// Waits until nothing is under way.
    Idle,
    Advance(Duration),
    Sleep(Duration),
    SleepUntil(Time),
    Lock,
    Unlock,
    /// Unlocks, sleeps, and locks again.
    UnlockFor(Duration),
}

impl ClockControl {
    pub(crate) fn new(inbox: Inbox) -> Self {
        Self { inbox }
    }

    /// What time it is.
    ///
    /// # Errors
    ///
    /// The server has stopped.
    pub async fn now(&self) -> Result<SystemTime, ClockError> {
        self.inbox.clock(Request::Now).await.map(system_time)
    }

    /// The instant to which the clock was last moved or skipped, or at which it began. On a clock that stands still
    /// between its skips that is what time it is.
    #[must_use]
    pub fn latest(&self) -> SystemTime {
        system_time(self.inbox.latest())
    }

    /// Waits until nothing is under way, no workflow task, no activity, no query: nothing happens from here on but by a
    /// call, or when time passes.
    ///
    /// # Errors
    ///
    /// The server has stopped.
    pub async fn idle(&self) -> Result<(), ClockError> {
        self.inbox.clock(Request::Idle).await.map(|_| ())
    }

    /// Moves the clock. Timers on the way fire in order and at their time; what they set off goes on while the clock
    /// stands at the end already.
    ///
    /// # Errors
    ///
    /// The clock is the machine's, or the server has stopped.
    pub async fn advance(&self, by: Duration) -> Result<SystemTime, ClockError> {
        self.inbox.clock(Request::Advance(by)).await.map(system_time)
    }

    /// Waits until so much time has passed on this clock. One that skips skips it, stopping at every timer on the way
    /// until what the timer sets off is done; one that is moved by hand has to be moved meanwhile.
    ///
    /// # Errors
    ///
    /// The server has stopped.
    pub async fn sleep(&self, duration: Duration) -> Result<SystemTime, ClockError> {
        self.inbox.clock(Request::Sleep(duration)).await.map(system_time)
    }

    /// Keeps time from being skipped until what this returns is dropped.
    ///
    /// # Errors
    ///
    /// The server has stopped.
    pub async fn hold(&self) -> Result<Held, ClockError> {
        self.inbox.clock(Request::Lock).await?;
        Ok(Held { inbox: self.inbox.clone() })
    }
}

/// Keeps time from being skipped until it is dropped.
#[derive(Debug)]
#[must_use = "time is skipped again when this is dropped"]
pub struct Held {
    inbox: Inbox,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.inbox.tell_clock(Request::Unlock);
    }
}

/// Why the clock did not do what it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClockError {
    /// The clock is the machine's: nobody moves it.
    Real,
    /// Skipping was unlocked more often than it was locked.
    Unbalanced,
    /// The server has stopped.
    Stopped,
}

impl fmt::Display for ClockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Real => "the server's clock is the machine's, which cannot be moved; start it with another",
            Self::Unbalanced => "time skipping was unlocked more often than it was locked",
            Self::Stopped => "the server has stopped",
        })
    }
}

impl Error for ClockError {}
