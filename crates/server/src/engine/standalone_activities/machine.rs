//! [`StandaloneActivity`]: what an activity without a workflow goes through.
//!
//! ```text
//!                  ┌───────────────────── unpause, reset ─────────────────────┐
//!                  ▼                                                           │
//!   ──start──▶ Scheduled ─────────────────── pause ───────────────────────▶ Paused
//!                │   ▲                                                       ▲
//!           taken│   │fails, is tried again          fails, is tried again   │
//!                ▼   │                                                       │
//!             Started ──pause──▶ PauseRequested ─────────────────────────────┘
//!                │   ◀─unpause──    │
//!                ├──reset──▶ ResetRequested ◀──reset   (fails: Scheduled or Paused, with the first attempt)
//!                └──cancel─▶ CancelRequested           (cancellation asked for takes precedence over both)
//!
//!   from everywhere: ──completes, fails for good, takes too long, is cancelled, is terminated──▶ Closed
//! ```
//!
//! Attempts, retries and timeouts are those of [`ActivityState`]. Not before `start_delay` is over does the first begin.

use prost::Message;
use stead_proto::activity::v1::{ActivityExecutionOutcome, ActivityOptions as WireOptions, activity_execution_outcome};
use stead_proto::common::v1::{Link, Payloads, SearchAttributes};
use stead_proto::enums::v1::{ActivityExecutionStatus as Status, RetryState, TimeoutType};
use stead_proto::failure::v1::failure::FailureInfo;
use stead_proto::failure::v1::{CanceledFailureInfo, Failure, TerminatedFailureInfo};
use stead_proto::sdk::v1::UserMetadata;

use crate::engine::activity::{ActivityState, AfterAttempt, AfterTimeout, timeout_failure};
use crate::engine::activity_options::ActivityOptions;
use crate::engine::namespaces::NamespaceKey;
use crate::engine::nexus::callbacks::AttachedCallback;
use crate::engine::run::activity::json_string;
use crate::engine::run::deadlines::ActivityDeadline;
use crate::engine::run::state::Pause;
use crate::engine::{Time, retry};

/// An activity without a workflow. Instants are nanoseconds since the Unix epoch; 0 says "none".
#[derive(Clone, PartialEq, Message)]
pub(crate) struct StandaloneActivity {
    #[prost(uint64, tag = "1")]
    pub(super) namespace: u64,
    #[prost(string, tag = "2")]
    pub(super) run_id: String,
    #[prost(message, required, tag = "3")]
    pub(super) attempt: ActivityState,
    #[prost(string, tag = "4")]
    pub(super) start_request_id: String,
    /// Running until it closes.
    #[prost(enumeration = "Status", tag = "5")]
    pub(super) status: i32,
    #[prost(int64, tag = "6")]
    pub(super) closed_at: i64,
    #[prost(message, optional, tag = "7")]
    pub(super) outcome: Option<ActivityExecutionOutcome>,
    #[prost(message, optional, tag = "8")]
    pub(super) search_attributes: Option<SearchAttributes>,
    #[prost(message, optional, tag = "9")]
    pub(super) user_metadata: Option<UserMetadata>,
    #[prost(message, repeated, tag = "10")]
    pub(super) links: Vec<Link>,
    /// The requests that brought links.
    #[prost(string, repeated, tag = "11")]
    pub(super) link_requests: Vec<String>,
    /// The options that it began with.
    #[prost(message, required, tag = "12")]
    pub(super) original: WireOptions,
    #[prost(int64, tag = "13")]
    pub(super) last_started_at: i64,
    #[prost(int64, tag = "14")]
    pub(super) heartbeats: i64,
    #[prost(message, optional, tag = "15")]
    pub(super) cancellation: Option<Cancellation>,
    #[prost(string, tag = "16")]
    pub(super) terminate_request_id: String,
    #[prost(message, required, tag = "17")]
    pub(super) served: Served,
    /// A reset that waits for the end of the attempt also restores the options.
    #[prost(bool, tag = "18")]
    pub(super) reset_restores: bool,
    #[prost(uint64, tag = "19")]
    pub(super) transitions: u64,
    /// The backoff is not the policy's: the worker asked for it.
    #[prost(bool, tag = "20")]
    pub(super) delay_was_asked: bool,
    /// Who is called back when it closes.
    #[prost(message, repeated, tag = "21")]
    pub(super) callbacks: Vec<AttachedCallback>,
}

/// Who asked for the cancellation of an activity.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Cancellation {
    #[prost(string, tag = "1")]
    pub(super) identity: String,
    #[prost(string, tag = "2")]
    pub(super) request_id: String,
    #[prost(string, tag = "3")]
    pub(super) reason: String,
}

/// The latest request of each kind, which does nothing when it comes again.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Served {
    #[prost(string, tag = "1")]
    pub(super) pause: String,
    #[prost(string, tag = "2")]
    pub(super) unpause: String,
    #[prost(string, tag = "3")]
    pub(super) reset: String,
    #[prost(string, tag = "4")]
    pub(super) options: String,
}

/// Where an activity stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Scheduled,
    Started,
    CancelRequested,
    PauseRequested,
    ResetRequested,
    Paused,
    Closed(Status),
}

impl StandaloneActivity {
    pub(crate) fn namespace(&self) -> NamespaceKey {
        NamespaceKey(self.namespace)
    }

    pub(crate) fn id(&self) -> &str {
        &self.attempt.activity_id
    }

    pub(crate) fn attempt(&self) -> &ActivityState {
        &self.attempt
    }

    pub(crate) fn is_open(&self) -> bool {
        self.status() == Status::Running
    }

    pub(super) fn phase(&self) -> Phase {
        let started = self.attempt.started.is_some();
        match self.status() {
            Status::Running => {}
            closed => return Phase::Closed(closed),
        }
        match (started, self.attempt.pause.is_some()) {
            _ if self.attempt.cancel_requested() => Phase::CancelRequested,
            _ if started && self.attempt.reset => Phase::ResetRequested,
            (true, true) => Phase::PauseRequested,
            (true, false) => Phase::Started,
            (false, true) => Phase::Paused,
            (false, false) => Phase::Scheduled,
        }
    }

    /// The status as callers see it.
    pub(super) fn shown_status(&self) -> Status {
        match self.phase() {
            Phase::Paused => Status::Paused,
            _ => self.status(),
        }
    }

    /// What workers are offered: told from older offers by a stamp.
    pub(crate) fn offer(&self) -> Option<u64> {
        (self.is_open() && self.attempt.is_offered()).then_some(self.attempt.stamp)
    }

    /// Whether a worker has, or could take, something to do for it.
    pub(super) fn is_busy(&self) -> bool {
        self.is_open() && self.attempt.is_busy()
    }

    pub(super) fn is_with_a_worker(&self) -> bool {
        self.is_open() && self.attempt.started.is_some()
    }

    fn deadlines(&self) -> impl Iterator<Item = (Time, ActivityDeadline)> {
        let open = self.is_open();
        self.attempt.deadlines().into_iter().filter_map(move |(deadline, at)| Some((at.filter(|_| open)?, deadline)))
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.deadlines().map(|(at, _)| at).min()
    }

    /// The first of its deadlines has come.
    pub(super) fn deadline_due(&mut self, now: Time) {
        let Some((_, deadline)) = self.deadlines().min().filter(|(at, _)| *at <= now) else { return };
        match deadline {
            ActivityDeadline::Retry => self.attempt.backoff_over(),
            ActivityDeadline::ScheduleToStart => self.time_out(now, TimeoutType::ScheduleToStart),
            ActivityDeadline::ScheduleToClose => self.time_out(now, TimeoutType::ScheduleToClose),
            ActivityDeadline::StartToClose => self.time_out(now, TimeoutType::StartToClose),
            ActivityDeadline::Heartbeat => self.time_out(now, TimeoutType::Heartbeat),
        }
    }

    /// A worker takes it.
    pub(super) fn start(&mut self, now: Time, identity: &str, request_id: &str) {
        self.attempt.start(now, identity, request_id);
        self.last_started_at = now.unix_nanos();
    }

    /// The worker tells of its progress.
    pub(crate) fn progress(&mut self, now: Time, details: Option<Payloads>) {
        self.attempt.progress(now, details);
        self.heartbeats += 1;
    }

    /// Who knows its id may complete one that no worker has taken; then it is as if they had.
    pub(crate) fn complete(&mut self, now: Time, result: Option<Payloads>, identity: &str) {
        if self.attempt.started.is_none() {
            self.last_started_at = now.unix_nanos();
        }
        self.attempt.last_completed_at = now.unix_nanos();
        identity.clone_into(&mut self.attempt.last_worker);
        let outcome = ActivityExecutionOutcome {
            value: Some(activity_execution_outcome::Value::Result(result.unwrap_or_default())),
            retry_state: RetryState::Unspecified.into(),
        };
        self.close(now, Status::Completed, outcome);
    }

    /// The worker says that the attempt has failed.
    pub(crate) fn fail(&mut self, now: Time, failure: Failure, identity: &str) {
        if self.phase() == Phase::ResetRequested {
            return self.yielded(now, &failure);
        }
        match self.attempt.fail(now, &failure) {
            AfterAttempt::Again => self.delay_was_asked = retry::asked_delay(&failure).is_some(),
            AfterAttempt::Closed(state) => {
                identity.clone_into(&mut self.attempt.last_worker);
                self.attempt.last_failure = Some(failure.clone());
                self.close_with(now, Status::Failed, failure, state);
            }
        }
    }

    fn time_out(&mut self, now: Time, timeout: TimeoutType) {
        let of_attempt = matches!(timeout, TimeoutType::StartToClose | TimeoutType::Heartbeat);
        if of_attempt && self.phase() == Phase::ResetRequested {
            return self.yielded(now, &timeout_failure(timeout));
        }
        let after = self.attempt.time_out(now, timeout);
        if of_attempt {
            self.attempt.last_failure = Some(sourceless(timeout_failure(timeout)));
        }
        match after {
            AfterTimeout::Again => self.delay_was_asked = false,
            AfterTimeout::Closed(failure, state) => {
                if of_attempt {
                    self.attempt.last_completed_at = now.unix_nanos();
                }
                self.close_with(now, Status::TimedOut, sourceless(*failure), state);
            }
        }
    }

    /// The worker of an attempt that was to be reset has not succeeded: now the activity begins anew.
    fn yielded(&mut self, now: Time, failure: &Failure) {
        self.attempt.last_failure = Some(retry::truncated(failure));
        self.attempt.last_completed_at = now.unix_nanos();
        if std::mem::take(&mut self.reset_restores) {
            self.restore_options();
        }
        self.begin_anew(now);
    }

    /// Begins with the first attempt, not before `at`.
    pub(super) fn begin_anew(&mut self, at: Time) {
        self.attempt.attempt = 1;
        self.attempt.retry_interval = None;
        self.attempt.stamp += 1;
        self.attempt.wait_until(at);
    }

    /// Cancellation is asked for. If no worker has it, that is its end.
    pub(super) fn request_cancel(&mut self, now: Time, cancellation: Cancellation) {
        let was_started = self.attempt.started.is_some();
        let details = Payloads { payloads: vec![json_string(&cancellation.reason)] };
        self.cancellation = Some(cancellation);
        self.attempt.cancel_requested_without_event = true;
        self.attempt.pause = None;
        self.attempt.reset = false;
        self.attempt.reset_heartbeat = false;
        self.reset_restores = false;
        if !was_started {
            self.cancel(now, Some(details));
        }
    }

    pub(crate) fn cancel(&mut self, now: Time, details: Option<Payloads>) {
        let identity = self.cancellation.as_ref().map(|cancellation| cancellation.identity.clone());
        let failure = Failure {
            message: "Activity canceled".to_owned(),
            failure_info: Some(FailureInfo::CanceledFailureInfo(CanceledFailureInfo {
                details,
                identity: identity.unwrap_or_default(),
            })),
            ..Default::default()
        };
        self.close_with(now, Status::Canceled, failure, RetryState::Unspecified);
    }

    pub(super) fn terminate(&mut self, now: Time, reason: String, identity: String, request_id: String) {
        self.terminate_request_id = request_id;
        let failure = Failure {
            message: reason,
            failure_info: Some(FailureInfo::TerminatedFailureInfo(TerminatedFailureInfo { identity })),
            ..Default::default()
        };
        self.close_with(now, Status::Terminated, failure, RetryState::Unspecified);
    }

    fn close_with(&mut self, now: Time, status: Status, failure: Failure, retry_state: RetryState) {
        let outcome = ActivityExecutionOutcome {
            value: Some(activity_execution_outcome::Value::Failure(failure)),
            retry_state: retry_state.into(),
        };
        self.close(now, status, outcome);
    }

    fn close(&mut self, now: Time, status: Status, outcome: ActivityExecutionOutcome) {
        self.set_status(status);
        self.closed_at = now.unix_nanos();
        self.outcome = Some(outcome);
        self.attempt.started = None;
        self.attempt.waits = false;
        self.attempt.pause = None;
    }

    pub(super) fn pause(&mut self, pause: Pause) {
        self.attempt.pause(pause);
    }

    /// It goes on; what was to be waited for before the pause is waited for still.
    pub(super) fn unpause(&mut self, at: Time) {
        self.attempt.pause = None;
        if self.attempt.started.is_none() {
            self.attempt.stamp += 1;
            self.attempt.wait_until(at.max(Time::from_unix_nanos(self.attempt.scheduled_at)));
        }
    }

    /// Begins anew: at once, or when the attempt that has begun does not succeed. `at` is the earliest.
    pub(super) fn reset(&mut self, at: Time, reset: Reset) {
        if !reset.keep_paused {
            self.attempt.pause = None;
        }
        self.attempt.reset_heartbeat = reset.forget_progress;
        if self.attempt.started.is_some() {
            self.attempt.reset = true;
            self.reset_restores = reset.restores;
            return;
        }
        if reset.restores {
            self.restore_options();
        }
        self.begin_anew(self.not_before_start(at));
    }

    /// Takes new options. A backoff by the policy begins anew with the policy's interval if that has changed.
    pub(super) fn set_options(&mut self, now: Time, options: ActivityOptions, policy_changed: bool) {
        self.attempt.take_options(options);
        self.attempt.stamp += 1;
        if self.attempt.started.is_some() {
            return;
        }
        let attempt = &mut self.attempt;
        if let (true, false, Some(_), Some(policy)) =
            (policy_changed, self.delay_was_asked, &attempt.retry_interval, &attempt.retry_policy)
        {
            attempt.retry_interval = Some(crate::engine::time::wire(retry::interval(policy, attempt.attempt - 1)));
        }
        let interval = crate::engine::duration(attempt.retry_interval.as_ref());
        let retry = interval.map(|interval| Time::from_unix_nanos(attempt.last_completed_at) + interval);
        let at = retry.unwrap_or_else(|| self.not_before_start(now));
        self.attempt.wait_until(at);
    }

    pub(super) fn restore_options(&mut self) {
        self.attempt.take_options(ActivityOptions::from(self.original.clone()));
        if self.last_started_at == 0 {
            self.attempt.start_delay = self.original.start_delay;
        }
    }

    /// Until a worker has taken it for the first time the start delay counts.
    pub(super) fn not_before_start(&self, at: Time) -> Time {
        if self.last_started_at == 0 { at.max(self.attempt.first_begin()) } else { at }
    }
}

/// How an activity begins anew.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reset {
    pub(super) keep_paused: bool,
    pub(super) forget_progress: bool,
    /// The options that it began with come back.
    pub(super) restores: bool,
}

/// As the server's messages name them.
impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Closed(status) => write!(f, "{status:?}"),
            phase => write!(f, "{phase:?}"),
        }
    }
}

impl From<WireOptions> for ActivityOptions {
    fn from(options: WireOptions) -> Self {
        Self {
            task_queue: options.task_queue,
            schedule_to_close: options.schedule_to_close_timeout,
            schedule_to_start: options.schedule_to_start_timeout,
            start_to_close: options.start_to_close_timeout,
            heartbeat: options.heartbeat_timeout,
            retry_policy: options.retry_policy,
            priority: options.priority,
        }
    }
}

/// Where there is no history the server does not say that it was the server.
fn sourceless(failure: Failure) -> Failure {
    Failure { source: String::new(), ..failure }
}
