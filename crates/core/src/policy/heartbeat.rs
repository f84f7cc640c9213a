//! When an activity's heartbeat goes to the server, and what the server's answer means.

use std::time::Duration;

use stead_proto::workflowservice::v1::RecordActivityTaskHeartbeatResponse;

use crate::Instant;

/// How often heartbeats go to the server: four fifths of the activity's `heartbeat_timeout`, or `default` without
/// one, and never further apart than `max`.
pub fn heartbeat_interval(heartbeat_timeout: Option<Duration>, default: Duration, max: Duration) -> Duration {
    let interval = match heartbeat_timeout {
        Some(timeout) if !timeout.is_zero() => timeout.saturating_mul(4) / 5,
        _ => default,
    };
    interval.min(max)
}

/// Keeps an activity from sending more heartbeats than useful: the first goes at once, then one an interval, always
/// with the latest details.
///
/// What [`handle_heartbeat`](Self::handle_heartbeat) or [`handle_timeout`](Self::handle_timeout) returns is to be
/// sent. When the activity's attempt fails, send what [`flush`](Self::flush) returns first, so that the next attempt
/// finds the latest details.
#[derive(Debug)]
pub struct HeartbeatThrottle<T> {
    interval: Duration,
    state: State<T>,
}

//         heartbeat: sent                   heartbeat: kept
//  Open ──────────────────▶ Closed(None) ──────────────────▶ Closed(details)
//    ▲                           │ timeout                        │ timeout: sent
//    └───────────────────────────┘        Closed(None) ◀──────────┘
#[derive(Debug)]
enum State<T> {
    Open,
    Closed { until: Instant, waiting: Option<T> },
}

impl<T> HeartbeatThrottle<T> {
    /// A throttle that lets one heartbeat through each `interval`.
    pub const fn new(interval: Duration) -> Self {
        Self { interval, state: State::Open }
    }

    /// The activity reported `details`. Returns them if they are to be sent now.
    #[must_use]
    pub fn handle_heartbeat(&mut self, details: T, now: Instant) -> Option<T> {
        match &mut self.state {
            State::Closed { until, waiting } if now < *until => {
                *waiting = Some(details);
                None
            }
            _ => {
                self.close(now);
                Some(details)
            }
        }
    }

    /// Time has passed. Returns the details to be sent, if some wait and the interval is over.
    #[must_use]
    pub fn handle_timeout(&mut self, now: Instant) -> Option<T> {
        match &mut self.state {
            State::Closed { until, waiting } if *until <= now => match waiting.take() {
                Some(details) => {
                    self.close(now);
                    Some(details)
                }
                None => {
                    self.state = State::Open;
                    None
                }
            },
            _ => None,
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if details wait.
    pub const fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Closed { until, waiting: Some(_) } => Some(*until),
            _ => None,
        }
    }

    /// The details that wait, to be sent before the attempt's failure.
    #[must_use]
    pub fn flush(&mut self) -> Option<T> {
        match &mut self.state {
            State::Closed { waiting, .. } => waiting.take(),
            State::Open => None,
        }
    }

    fn close(&mut self, now: Instant) {
        self.state = State::Closed { until: now + self.interval, waiting: None };
    }
}

/// Why an activity should stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CancelReason {
    /// The server no longer knows it: it timed out, or its workflow is closed.
    NotFound,
    /// Its workflow or a client asked.
    Cancelled,
    /// The worker saw one of its timeouts pass.
    TimedOut,
    /// The worker shuts down.
    WorkerShutdown,
    /// An operator paused it.
    Paused,
    /// An operator reset it.
    Reset,
}

impl CancelReason {
    /// What the server's answer to a heartbeat asks for, the request of the workflow first.
    pub const fn from_heartbeat(response: &RecordActivityTaskHeartbeatResponse) -> Option<Self> {
        if response.cancel_requested {
            Some(Self::Cancelled)
        } else if response.activity_reset {
            Some(Self::Reset)
        } else if response.activity_paused {
            Some(Self::Paused)
        } else {
            None
        }
    }
}
