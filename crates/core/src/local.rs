//! What a run asks of its driver about local activities, and what it is told.

use std::time::{Duration, SystemTime};

use stead_activation::{Failure, Payload, PayloadMap, RetryPolicy, Seq};
use stead_proto::enums::v1::TimeoutType;

/// An attempt of a local activity, to be made by the driver.
///
/// The driver enforces the two timeouts that are about its own queue and the attempt. When the activity as a whole has
/// to be over, and whether and when it is tried again, is the run's business.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LocalActivityAttempt {
    /// Number of the activity.
    pub seq: Seq,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// Id of the activity.
    pub activity_id: String,
    /// Type of the activity.
    pub activity_type: String,
    /// Arguments.
    pub arguments: Vec<Payload>,
    /// Headers set by interceptors.
    pub headers: PayloadMap,
    /// Workflow time when the first attempt was scheduled.
    pub scheduled_time: SystemTime,
    /// Limit from scheduling to the end of the last attempt.
    pub schedule_to_close_timeout: Option<Duration>,
    /// Limit on waiting for a slot.
    pub schedule_to_start_timeout: Option<Duration>,
    /// Limit on this attempt; no later than the activity as a whole.
    pub start_to_close_timeout: Option<Duration>,
    /// Retry policy, if the call has one.
    pub retry_policy: Option<RetryPolicy>,
}

/// How an attempt of a local activity ended.
///
/// Exhaustive: a driver decides among these.
#[derive(Debug, Clone, PartialEq)]
pub enum LocalActivityOutcome {
    /// With a result, or without one.
    Completed(Option<Payload>),
    /// With a failure, which may be tried again.
    Failed(Box<Failure>),
    /// It stopped because it was told to, with these details.
    Cancelled(Vec<Payload>),
    /// It ran into a timeout. Only `StartToClose` is tried again.
    TimedOut(TimeoutType),
}

/// Why an attempt of a local activity is told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LocalActivityStop {
    /// The code cancelled it.
    Cancelled,
    /// The activity as a whole ran into its timeout.
    TimedOut,
    /// Its run has ended or left the cache. Nobody waits for the attempt any more.
    RunGone,
}
