//! [`ActivityState`]: the attempts of an activity, be it a workflow's or one of its own.
//!
//! ```text
//!            offered to workers          with a worker
//!   ───────▶ Scheduled ──────start─────▶ Started ──────completes, is cancelled, fails for good──────▶ closed
//!               ▲                           │
//!               └──── Waits ◀──fails or takes too long, and may be tried again
//!                (backoff)
//! ```
//!
//! What its end means, events in a history or an outcome, is the business of who owns it. Nothing here writes any.

use std::time::Duration as StdDuration;

use prost::Message;
use prost_types::Duration;
use stead_proto::common::v1::{ActivityType, Header, Payloads, Priority, RetryPolicy};
use stead_proto::enums::v1::{RetryState, TimeoutType};
use stead_proto::failure::v1::failure::FailureInfo;
use stead_proto::failure::v1::{Failure, TimeoutFailureInfo};

use super::Time;
use super::retry::{self, Retry};
use super::run::deadlines::ActivityDeadline;
use super::run::state::Pause;
use super::time::{duration, wire};

/// An activity that has not closed. Instants are nanoseconds since the Unix epoch; 0 says "none".
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ActivityState {
    #[prost(int64, tag = "1")]
    pub(crate) scheduled_event_id: i64,
    #[prost(string, tag = "2")]
    pub(crate) activity_id: String,
    #[prost(message, optional, tag = "3")]
    pub(crate) activity_type: Option<ActivityType>,
    #[prost(string, tag = "4")]
    pub(crate) task_queue: String,
    #[prost(message, optional, tag = "5")]
    pub(crate) header: Option<Header>,
    #[prost(message, optional, tag = "6")]
    pub(crate) input: Option<Payloads>,
    #[prost(message, optional, tag = "7")]
    pub(crate) schedule_to_close: Option<Duration>,
    #[prost(message, optional, tag = "8")]
    pub(crate) schedule_to_start: Option<Duration>,
    #[prost(message, optional, tag = "9")]
    pub(crate) start_to_close: Option<Duration>,
    #[prost(message, optional, tag = "10")]
    pub(crate) heartbeat: Option<Duration>,
    #[prost(message, optional, tag = "11")]
    pub(crate) retry_policy: Option<RetryPolicy>,
    #[prost(message, optional, tag = "12")]
    pub(crate) priority: Option<Priority>,
    #[prost(int64, tag = "13")]
    pub(crate) first_scheduled_at: i64,
    /// Of this attempt; in a backoff, when it may begin.
    #[prost(int64, tag = "14")]
    pub(crate) scheduled_at: i64,
    #[prost(int32, tag = "15")]
    pub(crate) attempt: i32,
    /// Counts what makes older tasks and tokens of the activity stale.
    #[prost(uint64, tag = "16")]
    pub(crate) stamp: u64,
    /// The attempt that is with a worker.
    #[prost(message, optional, tag = "17")]
    pub(crate) started: Option<StartedActivity>,
    #[prost(message, optional, tag = "18")]
    pub(crate) heartbeat_details: Option<Payloads>,
    #[prost(message, optional, tag = "19")]
    pub(crate) last_failure: Option<Failure>,
    #[prost(string, tag = "20")]
    pub(crate) last_worker: String,
    #[prost(int64, tag = "21")]
    pub(crate) last_completed_at: i64,
    #[prost(int64, tag = "22")]
    pub(crate) cancel_requested_event_id: i64,
    #[prost(message, optional, tag = "23")]
    pub(crate) retry_interval: Option<Duration>,
    #[prost(message, optional, tag = "24")]
    pub(crate) pause: Option<Pause>,
    /// The worker is to be told that the activity was reset.
    #[prost(bool, tag = "25")]
    pub(crate) reset: bool,
    #[prost(bool, tag = "26")]
    pub(crate) reset_heartbeat: bool,
    /// It is in a backoff: nobody is asked to run it before `scheduled_at`.
    #[prost(bool, tag = "27")]
    pub(crate) waits: bool,
    #[prost(int64, tag = "28")]
    pub(crate) heartbeat_at: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct StartedActivity {
    #[prost(int64, tag = "1")]
    pub(crate) at: i64,
    #[prost(string, tag = "2")]
    pub(crate) identity: String,
    #[prost(string, tag = "3")]
    pub(crate) request_id: String,
}

/// What follows an attempt that did not succeed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum AfterAttempt {
    /// Another attempt, when its backoff is over.
    Again,
    /// Nothing: the activity closes.
    Closed(RetryState),
}

/// What follows when an activity took too long.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum AfterTimeout {
    /// Another attempt, when its backoff is over.
    Again,
    /// The activity closes with this failure.
    Closed(Box<Failure>, RetryState),
}

impl ActivityState {
    pub(crate) fn name(&self) -> &str {
        self.activity_type.as_ref().map_or("", |kind| kind.name.as_str())
    }

    /// When the activity must have closed.
    pub(crate) fn expires_at(&self) -> Option<Time> {
        let timeout = duration(self.schedule_to_close.as_ref())?;
        Some(Time::from_unix_nanos(self.first_scheduled_at) + timeout)
    }

    pub(crate) fn cancel_requested(&self) -> bool {
        self.cancel_requested_event_id != 0
    }

    /// Whether it is to be offered to workers now.
    pub(crate) fn is_offered(&self) -> bool {
        self.started.is_none() && !self.waits && self.pause.is_none()
    }

    /// What has to happen to it, and when.
    pub(crate) fn deadlines(&self) -> [(ActivityDeadline, Option<Time>); 5] {
        let at = Time::from_unix_nanos;
        let after =
            |from: i64, timeout: &Option<Duration>| duration(timeout.as_ref()).map(|timeout| at(from) + timeout);
        let started = self.started.as_ref();
        let schedule_to_start = after(self.scheduled_at, &self.schedule_to_start).filter(|_| self.is_offered());
        let start_to_close = started.and_then(|started| after(started.at, &self.start_to_close));
        let heartbeat = started.and_then(|started| after(started.at.max(self.heartbeat_at), &self.heartbeat));
        let retry = (self.waits && self.pause.is_none()).then(|| at(self.scheduled_at));
        [
            (ActivityDeadline::ScheduleToStart, schedule_to_start),
            (ActivityDeadline::ScheduleToClose, self.expires_at()),
            (ActivityDeadline::StartToClose, start_to_close),
            (ActivityDeadline::Heartbeat, heartbeat),
            (ActivityDeadline::Retry, retry),
        ]
    }

    /// A worker takes it.
    pub(crate) fn start(&mut self, now: Time, identity: &str, request_id: &str) {
        identity.clone_into(&mut self.last_worker);
        self.heartbeat_at = 0;
        self.reset = false;
        if std::mem::take(&mut self.reset_heartbeat) {
            self.heartbeat_details = None;
        }
        self.started = Some(StartedActivity {
            at: now.unix_nanos(),
            identity: identity.to_owned(),
            request_id: request_id.to_owned(),
        });
    }

    /// The backoff is over.
    pub(crate) fn backoff_over(&mut self) {
        self.waits = false;
    }

    /// The worker says that the attempt has failed.
    pub(crate) fn fail(&mut self, now: Time, failure: &Failure) -> AfterAttempt {
        match self.next_attempt(now, failure) {
            Ok(interval) => {
                self.wait(now, interval, failure);
                AfterAttempt::Again
            }
            Err(state) => AfterAttempt::Closed(state),
        }
    }

    /// A deadline other than that of a backoff has come.
    pub(crate) fn time_out(&mut self, now: Time, timeout: TimeoutType) -> AfterTimeout {
        let failure = self.timeout_failure(timeout);
        if matches!(timeout, TimeoutType::ScheduleToStart | TimeoutType::ScheduleToClose) {
            return AfterTimeout::Closed(Box::new(failure), RetryState::Timeout);
        }
        match self.next_attempt(now, &failure) {
            Ok(interval) => {
                self.wait(now, interval, &failure);
                AfterTimeout::Again
            }
            Err(RetryState::Timeout) => {
                let mut failure = self.timeout_failure(TimeoutType::ScheduleToClose);
                NO_TIME_LEFT.clone_into(&mut failure.message);
                AfterTimeout::Closed(Box::new(failure), RetryState::Timeout)
            }
            Err(state) => AfterTimeout::Closed(Box::new(failure), state),
        }
    }

    /// The failure of an activity that took too long. Its cause is the failure of the attempt before.
    fn timeout_failure(&self, timeout: TimeoutType) -> Failure {
        let name = match timeout {
            TimeoutType::StartToClose => "StartToClose",
            TimeoutType::ScheduleToStart => "ScheduleToStart",
            TimeoutType::ScheduleToClose => "ScheduleToClose",
            TimeoutType::Heartbeat => "Heartbeat",
            TimeoutType::Unspecified => "Unspecified",
        };
        Failure {
            message: format!("activity {name} timeout"),
            source: "Server".to_owned(),
            cause: self.last_failure.clone().map(Box::new),
            failure_info: Some(FailureInfo::TimeoutFailureInfo(TimeoutFailureInfo {
                timeout_type: timeout.into(),
                last_heartbeat_details: self.heartbeat_details.clone(),
            })),
            ..Default::default()
        }
    }

    fn next_attempt(&self, now: Time, failure: &Failure) -> Result<StdDuration, RetryState> {
        if self.cancel_requested() {
            return Err(RetryState::CancelRequested);
        }
        let policy = self.retry_policy.as_ref().ok_or(RetryState::RetryPolicyNotSet)?;
        retry::next(&Retry { policy, attempt: self.attempt, now, expires_at: self.expires_at() }, failure)
    }

    fn wait(&mut self, now: Time, interval: StdDuration, failure: &Failure) {
        self.last_failure = Some(retry::truncated(failure));
        self.last_completed_at = now.unix_nanos();
        self.retry_interval = Some(wire(interval));
        self.scheduled_at = (now + interval).unix_nanos();
        self.attempt += 1;
        self.stamp += 1;
        self.waits = true;
        self.started = None;
        self.heartbeat_at = 0;
    }
}

/// As in `timer_queue_active_task_executor.go`.
const NO_TIME_LEFT: &str =
    "Not enough time to schedule next retry before activity ScheduleToClose timeout, giving up retrying";
