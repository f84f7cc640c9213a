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
//! What operators do to it stands in `controls`. What its end means, events in a history or an outcome, is the business of
//! who owns it. Nothing here writes any.

pub(crate) mod controls;

use std::time::Duration as StdDuration;

use prost::Message;
use prost_types::Duration;
use stead_proto::common::v1::{ActivityType, Header, Payloads, Priority, RetryPolicy};
use stead_proto::deployment::v1::WorkerDeploymentVersion;
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
    /// Version of the worker that took it last.
    #[prost(message, optional, tag = "29")]
    pub(crate) last_version: Option<WorkerDeploymentVersion>,
    /// Cancellation was asked for where there is no history to say so.
    #[prost(bool, tag = "30")]
    pub(crate) cancel_requested_without_event: bool,
    /// How long the first attempt waits.
    #[prost(message, optional, tag = "31")]
    pub(crate) start_delay: Option<Duration>,
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
        Some(self.first_begin() + timeout)
    }

    /// When the first attempt may begin.
    pub(crate) fn first_begin(&self) -> Time {
        Time::from_unix_nanos(self.first_scheduled_at) + duration(self.start_delay.as_ref()).unwrap_or_default()
    }

    /// Whether it is nobody's, not a workflow's whose history says what becomes of it.
    fn is_standalone(&self) -> bool {
        self.scheduled_event_id == 0
    }

    pub(crate) fn cancel_requested(&self) -> bool {
        self.cancel_requested_event_id != 0 || self.cancel_requested_without_event
    }

    /// Whether it is to be offered to workers now.
    pub(crate) fn is_offered(&self) -> bool {
        self.started.is_none() && !self.waits && self.pause.is_none()
    }

    /// Whether a worker has, or could take, something to do for it.
    pub(crate) fn is_busy(&self) -> bool {
        self.started.is_some() || self.is_offered()
    }

    /// What has to happen to it, and when. Nothing happens to a paused one of a workflow, not even if a worker has it;
    /// without a workflow its timeouts go on.
    pub(crate) fn deadlines(&self) -> [(ActivityDeadline, Option<Time>); 5] {
        use ActivityDeadline as D;
        if self.pause.is_some() && !self.is_standalone() {
            return [D::ScheduleToStart, D::ScheduleToClose, D::StartToClose, D::Heartbeat, D::Retry]
                .map(|deadline| (deadline, None));
        }
        let at = Time::from_unix_nanos;
        let after =
            |from: i64, timeout: &Option<Duration>| duration(timeout.as_ref()).map(|timeout| at(from) + timeout);
        let started = self.started.as_ref();
        let schedule_to_start = after(self.scheduled_at, &self.schedule_to_start).filter(|_| self.is_offered());
        let start_to_close = started.and_then(|started| after(started.at, &self.start_to_close));
        let heartbeat = started.and_then(|started| after(started.at.max(self.heartbeat_at), &self.heartbeat));
        let retry = (self.waits && self.pause.is_none()).then(|| at(self.scheduled_at));
        [
            (D::ScheduleToStart, schedule_to_start),
            (D::ScheduleToClose, self.expires_at()),
            (D::StartToClose, start_to_close),
            (D::Heartbeat, heartbeat),
            (D::Retry, retry),
        ]
    }

    /// A worker takes it.
    pub(crate) fn start(&mut self, now: Time, identity: &str, request_id: &str) {
        identity.clone_into(&mut self.last_worker);
        self.started = Some(StartedActivity {
            at: now.unix_nanos(),
            identity: identity.to_owned(),
            request_id: request_id.to_owned(),
        });
    }

    /// The worker tells of its progress.
    pub(crate) fn progress(&mut self, now: Time, details: Option<Payloads>) {
        self.heartbeat_at = now.unix_nanos();
        self.heartbeat_details = details;
    }

    /// The backoff is over.
    pub(crate) fn backoff_over(&mut self) {
        self.waits = false;
    }

    /// The worker says that the attempt has failed.
    pub(crate) fn fail(&mut self, now: Time, failure: &Failure) -> AfterAttempt {
        self.last_completed_at = now.unix_nanos();
        match self.next_attempt(now, failure) {
            Ok(next) => {
                self.attempt_over(now, next, failure);
                AfterAttempt::Again
            }
            Err(state) => AfterAttempt::Closed(state),
        }
    }

    /// A deadline other than that of a backoff has come.
    pub(crate) fn time_out(&mut self, now: Time, timeout: TimeoutType) -> AfterTimeout {
        let failure = timeout_failure(timeout);
        let state = match self.after_timeout(now, timeout, &failure) {
            Ok(next) => {
                self.last_completed_at = now.unix_nanos();
                self.attempt_over(now, next, &failure);
                return AfterTimeout::Again;
            }
            Err(state) => state,
        };
        // Whatever the time ran out for, it ran out for the activity as a whole.
        let says_so = match timeout {
            TimeoutType::ScheduleToStart => true,
            TimeoutType::ScheduleToClose => self.is_standalone(),
            _ => false,
        };
        let failure = if state == RetryState::Timeout && !says_so {
            Failure { message: NO_TIME_LEFT.to_owned(), ..timeout_failure(TimeoutType::ScheduleToClose) }
        } else {
            failure
        };
        AfterTimeout::Closed(Box::new(self.explained(failure)), state)
    }

    fn after_timeout(&self, now: Time, timeout: TimeoutType, failure: &Failure) -> Result<Next, RetryState> {
        match timeout {
            _ if self.retry_policy.is_none() => Err(RetryState::RetryPolicyNotSet),
            _ if self.cancel_requested() => Err(RetryState::CancelRequested),
            TimeoutType::ScheduleToStart | TimeoutType::ScheduleToClose => Err(RetryState::Timeout),
            _ => self.next_attempt(now, failure),
        }
    }

    /// The last failure of an activity that took too long: with the failure of the attempt before, and what its worker
    /// told of its progress.
    fn explained(&self, mut failure: Failure) -> Failure {
        failure.cause = self.last_failure.clone().map(Box::new);
        if let Some(FailureInfo::TimeoutFailureInfo(info)) = &mut failure.failure_info {
            info.last_heartbeat_details.clone_from(&self.heartbeat_details);
        }
        failure
    }

    fn next_attempt(&self, now: Time, failure: &Failure) -> Result<Next, RetryState> {
        let policy = self.retry_policy.as_ref().ok_or(RetryState::RetryPolicyNotSet)?;
        if self.cancel_requested() {
            return Err(RetryState::CancelRequested);
        }
        if self.pause.is_some()
            && !self.is_standalone()
            && retry::is_retryable(failure, &policy.non_retryable_error_types)
        {
            return Ok(Next::WhenUnpaused);
        }
        // Without a workflow an attempt that would begin just then begins too late.
        let margin = StdDuration::from_nanos(u64::from(self.is_standalone()));
        let expires_at = self.expires_at().map(|at| at - margin);
        retry::next(&Retry { policy, attempt: self.attempt, now, expires_at }, failure).map(Next::After)
    }

    fn attempt_over(&mut self, now: Time, next: Next, failure: &Failure) {
        match next {
            Next::After(interval) => {
                self.wait_until(now + interval);
                self.retry_interval = Some(wire(interval));
            }
            Next::WhenUnpaused => self.started = None,
        }
        self.last_failure = Some(retry::truncated(failure));
        self.attempt += 1;
        self.stamp += 1;
    }

    /// Nobody is asked to run it before `at`. What a reset left to do for the next attempt is done.
    pub(crate) fn wait_until(&mut self, at: Time) {
        self.scheduled_at = at.unix_nanos();
        self.waits = true;
        self.started = None;
        self.reset = false;
        if std::mem::take(&mut self.reset_heartbeat) {
            self.forget_progress();
        }
    }

    fn forget_progress(&mut self) {
        self.heartbeat_details = None;
        self.heartbeat_at = 0;
    }
}

/// When the next attempt begins.
enum Next {
    After(StdDuration),
    /// The activity is paused.
    WhenUnpaused,
}

pub(crate) fn timeout_failure(timeout: TimeoutType) -> Failure {
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
        failure_info: Some(FailureInfo::TimeoutFailureInfo(TimeoutFailureInfo {
            timeout_type: timeout.into(),
            last_heartbeat_details: None,
        })),
        ..Default::default()
    }
}

/// As in `timer_queue_active_task_executor.go`.
const NO_TIME_LEFT: &str =
    "Not enough time to schedule next retry before activity ScheduleToClose timeout, giving up retrying";
