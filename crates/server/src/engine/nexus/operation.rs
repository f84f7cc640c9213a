//! [`OperationState`]: a Nexus operation that has not ended, be it a workflow's or one of its own.
//!
//! ```text
//!             the handler is asked                  begun, and not done
//!   ───────▶ Scheduled ──────"it goes on elsewhere"─────▶ Started ──────its callback is called──────▶ ended
//!               ▲  │  └───────result, error, no time left───────────────────────────────────────────▶ ended
//!               │  ▼                                                                                    ▲
//!             BackingOff ──────no time left─────────────────────────────────────────────────────────────┘
//! ```
//!
//! Its cancellation is a machine of its own, for the handler is asked to cancel, and the operation ends as it ends:
//!
//! ```text
//!   ───requested──▶ Waits ──the operation has started──▶ Scheduled ──"understood"──▶ Delivered
//!                                                         ▲  │  └──refused for good──▶ Failed
//!                                                         │  ▼
//!                                                       BackingOff
//! ```
//!
//! What an end means, events in a history or an outcome, is the business of who owns it. Nothing here writes any.

use std::collections::BTreeMap;
use std::time::Duration as StdDuration;

use prost::{Message, Oneof};
use prost_types::Duration;
use stead_proto::common::v1::{Link, Payload};
use stead_proto::enums::v1::{NexusOperationCancellationState, PendingNexusOperationState, TimeoutType};
use stead_proto::failure::v1::Failure;

use crate::engine::Time;
use crate::engine::time::duration;

/// A Nexus operation that has not ended. Instants are nanoseconds since the Unix epoch; 0 says "none".
#[derive(Clone, PartialEq, Message)]
pub(crate) struct OperationState {
    #[prost(string, tag = "1")]
    pub(crate) endpoint: String,
    #[prost(string, tag = "2")]
    pub(crate) endpoint_id: String,
    #[prost(string, tag = "3")]
    pub(crate) service: String,
    #[prost(string, tag = "4")]
    pub(crate) operation: String,
    /// Tells the handler, and who calls back, this operation from any other.
    #[prost(string, tag = "5")]
    pub(crate) request_id: String,
    #[prost(message, optional, tag = "6")]
    pub(crate) input: Option<Payload>,
    #[prost(btree_map = "string, string", tag = "7")]
    pub(crate) header: BTreeMap<String, String>,
    #[prost(message, optional, tag = "8")]
    pub(crate) schedule_to_close: Option<Duration>,
    #[prost(message, optional, tag = "9")]
    pub(crate) schedule_to_start: Option<Duration>,
    #[prost(message, optional, tag = "10")]
    pub(crate) start_to_close: Option<Duration>,
    #[prost(int64, tag = "11")]
    pub(crate) scheduled_at: i64,
    #[prost(message, required, tag = "12")]
    pub(crate) attempts: Attempts,
    #[prost(message, optional, tag = "13")]
    pub(crate) cancellation: Option<Cancellation>,
    /// `None` is as good as scheduled: the handler has not been asked yet.
    #[prost(oneof = "Phase", tags = "14, 15, 16")]
    pub(crate) phase: Option<Phase>,
}

/// Where an operation is.
#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum Phase {
    /// The handler is asked to start it.
    #[prost(message, tag = "14")]
    Scheduled(Asking),
    /// The last attempt failed, and the next one waits.
    #[prost(message, tag = "15")]
    BackingOff(Backoff),
    /// The handler has begun it, and will call back.
    #[prost(message, tag = "16")]
    Started(Started),
}

/// A handler is asked.
#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Asking {}

/// The next attempt waits.
#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Backoff {
    #[prost(int64, tag = "1")]
    pub(crate) until: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Started {
    #[prost(int64, tag = "1")]
    pub(crate) at: i64,
    #[prost(string, tag = "2")]
    pub(crate) token: String,
}

/// Attempts to reach a handler that are over.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Attempts {
    #[prost(int32, tag = "1")]
    pub(crate) count: i32,
    #[prost(int64, tag = "2")]
    pub(crate) last_at: i64,
    #[prost(message, optional, tag = "3")]
    pub(crate) last_failure: Option<Failure>,
}

/// The request to cancel an operation.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Cancellation {
    /// Of a workflow's operation.
    #[prost(int64, tag = "1")]
    pub(crate) requested_event_id: i64,
    /// When the handler could first be asked.
    #[prost(int64, tag = "2")]
    pub(crate) requested_at: i64,
    #[prost(message, required, tag = "3")]
    pub(crate) attempts: Attempts,
    /// Of an operation without a workflow.
    #[prost(string, tag = "4")]
    pub(crate) request_id: String,
    #[prost(string, tag = "5")]
    pub(crate) reason: String,
    /// `None` until the operation has started: there is nothing to cancel at the handler.
    #[prost(oneof = "CancellationPhase", tags = "6, 7, 8, 9")]
    pub(crate) phase: Option<CancellationPhase>,
}

/// Where the request to cancel is.
#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum CancellationPhase {
    /// The handler is asked to cancel.
    #[prost(message, tag = "6")]
    Scheduled(Asking),
    /// The last attempt failed, and the next one waits.
    #[prost(message, tag = "7")]
    BackingOff(Backoff),
    /// The handler knows.
    #[prost(message, tag = "8")]
    Delivered(Asking),
    /// The handler does not want to know.
    #[prost(message, tag = "9")]
    Failed(Asking),
}

/// What happens to an operation when time has passed. The order is that in which they are looked at when several are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum OperationDeadline {
    ScheduleToStart,
    ScheduleToClose,
    StartToClose,
    /// The backoff is over.
    Retry,
    /// The backoff of the cancellation is over.
    RetryCancel,
}

/// What a handler is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ask {
    Start,
    Cancel,
}

/// What came of asking a handler to start an operation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum StartAnswer {
    Completed {
        result: Option<Payload>,
        links: Vec<Link>,
    },
    Started {
        token: String,
        links: Vec<Link>,
    },
    /// For good.
    Failed(Failure),
    Canceled(Failure),
    TimedOut(TimeoutType),
    /// Another attempt may help.
    Retry(Failure),
}

/// What came of asking a handler to cancel an operation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum CancelAnswer {
    Delivered,
    /// For good.
    Failed(Failure),
    /// Another attempt may help.
    Retry(Failure),
}

impl OperationState {
    pub(crate) fn started(&self) -> Option<&Started> {
        match &self.phase {
            Some(Phase::Started(started)) => Some(started),
            _ => None,
        }
    }

    /// The handler's name for the operation; empty before it has one.
    pub(crate) fn token(&self) -> &str {
        self.started().map_or("", |started| started.token.as_str())
    }

    /// Whether the handler is to be asked now, and has not answered.
    pub(crate) fn asks(&self, ask: Ask) -> bool {
        match ask {
            Ask::Start => matches!(self.phase, None | Some(Phase::Scheduled(_))),
            Ask::Cancel => {
                let phase = self.cancellation.as_ref().and_then(|cancellation| cancellation.phase.as_ref());
                matches!(phase, Some(CancellationPhase::Scheduled(_)))
            }
        }
    }

    /// How many attempts to ask for this are over.
    pub(crate) fn attempts(&self, ask: Ask) -> i32 {
        match ask {
            Ask::Start => self.attempts.count,
            Ask::Cancel => self.cancellation.as_ref().map_or(0, |cancellation| cancellation.attempts.count),
        }
    }

    /// What has to happen to it, and when.
    pub(crate) fn deadlines(&self) -> [(OperationDeadline, Option<Time>); 5] {
        use OperationDeadline as D;
        let after = |from: i64, timeout: &Option<Duration>| {
            duration(timeout.as_ref()).map(|timeout| Time::from_unix_nanos(from) + timeout)
        };
        let started = self.started();
        let retry = match &self.phase {
            Some(Phase::BackingOff(backoff)) => Some(Time::from_unix_nanos(backoff.until)),
            _ => None,
        };
        let retry_cancel = match self.cancellation.as_ref().and_then(|cancellation| cancellation.phase.as_ref()) {
            Some(CancellationPhase::BackingOff(backoff)) => Some(Time::from_unix_nanos(backoff.until)),
            _ => None,
        };
        [
            (D::ScheduleToStart, after(self.scheduled_at, &self.schedule_to_start).filter(|_| started.is_none())),
            (D::ScheduleToClose, after(self.scheduled_at, &self.schedule_to_close)),
            (D::StartToClose, started.and_then(|started| after(started.at, &self.start_to_close))),
            (D::Retry, retry),
            (D::RetryCancel, retry_cancel),
        ]
    }

    /// How long the handler may take to answer, or which time has run out.
    pub(crate) fn patience(&self, ask: Ask, now: Time) -> Result<StdDuration, TimeoutType> {
        let left = |from: i64, timeout: &Option<Duration>| {
            duration(timeout.as_ref()).map(|timeout| (Time::from_unix_nanos(from) + timeout).since(now))
        };
        let to_close =
            left(self.scheduled_at, &self.schedule_to_close).map(|left| (left, TimeoutType::ScheduleToClose));
        let limit = match ask {
            // The time until the start is never more than that until the end.
            Ask::Start => left(self.scheduled_at, &self.schedule_to_start)
                .map(|left| (left, TimeoutType::ScheduleToStart))
                .or(to_close),
            Ask::Cancel => {
                let started_at = self.started().map_or(0, |started| started.at);
                let running = left(started_at, &self.start_to_close).map(|left| (left, TimeoutType::StartToClose));
                [running, to_close].into_iter().flatten().min_by_key(|(left, _)| *left)
            }
        };
        match limit {
            Some((left, timeout)) if left < MIN_REQUEST => Err(timeout),
            Some((left, _)) => Ok(left.min(REQUEST)),
            None => Ok(REQUEST),
        }
    }

    /// How long the operation may take from now on, as the handler is told.
    pub(crate) fn time_left(&self, now: Time) -> Option<StdDuration> {
        let to_close = duration(self.schedule_to_close.as_ref());
        let to_close = to_close.map(|timeout| (Time::from_unix_nanos(self.scheduled_at) + timeout).since(now));
        [duration(self.start_to_close.as_ref()), to_close].into_iter().flatten().min()
    }

    /// The handler has begun it. A request to cancel can go out now.
    pub(crate) fn start(&mut self, at: Time, now: Time, token: String) {
        self.attempts.over(now, None);
        self.phase = Some(Phase::Started(Started { at: at.unix_nanos(), token }));
        if let Some(cancellation) = &mut self.cancellation {
            cancellation.schedule(now);
        }
    }

    /// An attempt has failed, and another one follows. `fraction` of the jitter, from 0 to 1.
    pub(crate) fn back_off(&mut self, now: Time, failure: Failure, fraction: f64) {
        self.attempts.over(now, Some(failure));
        let until = (now + self.attempts.backoff(fraction)).unix_nanos();
        self.phase = Some(Phase::BackingOff(Backoff { until }));
    }

    /// The backoff is over.
    pub(crate) fn retry(&mut self) {
        self.phase = Some(Phase::Scheduled(Asking {}));
    }

    /// Somebody wants it cancelled. Whether the handler is to be asked now.
    pub(crate) fn request_cancel(&mut self, now: Time, cancellation: Cancellation) -> bool {
        let started = self.started().is_some();
        let cancellation = self.cancellation.insert(cancellation);
        if started {
            cancellation.schedule(now);
        }
        started
    }

    pub(crate) fn pending_state(&self) -> PendingNexusOperationState {
        match &self.phase {
            None | Some(Phase::Scheduled(_)) => PendingNexusOperationState::Scheduled,
            Some(Phase::BackingOff(_)) => PendingNexusOperationState::BackingOff,
            Some(Phase::Started(_)) => PendingNexusOperationState::Started,
        }
    }

    /// When the next attempt begins; 0 unless it waits.
    pub(crate) fn next_attempt_at(&self) -> i64 {
        match &self.phase {
            Some(Phase::BackingOff(backoff)) => backoff.until,
            _ => 0,
        }
    }
}

impl Cancellation {
    fn schedule(&mut self, now: Time) {
        self.requested_at = now.unix_nanos();
        self.phase = Some(CancellationPhase::Scheduled(Asking {}));
    }

    pub(crate) fn delivered(&mut self, now: Time) {
        self.attempts.over(now, None);
        self.phase = Some(CancellationPhase::Delivered(Asking {}));
    }

    pub(crate) fn failed(&mut self, now: Time, failure: Failure) {
        self.attempts.over(now, Some(failure));
        self.phase = Some(CancellationPhase::Failed(Asking {}));
    }

    pub(crate) fn back_off(&mut self, now: Time, failure: Failure, fraction: f64) {
        self.attempts.over(now, Some(failure));
        let until = (now + self.attempts.backoff(fraction)).unix_nanos();
        self.phase = Some(CancellationPhase::BackingOff(Backoff { until }));
    }

    pub(crate) fn retry(&mut self) {
        self.phase = Some(CancellationPhase::Scheduled(Asking {}));
    }

    pub(crate) fn state(&self) -> NexusOperationCancellationState {
        use NexusOperationCancellationState as S;
        match &self.phase {
            None => S::Unspecified,
            Some(CancellationPhase::Scheduled(_)) => S::Scheduled,
            Some(CancellationPhase::BackingOff(_)) => S::BackingOff,
            Some(CancellationPhase::Delivered(_)) => S::Succeeded,
            Some(CancellationPhase::Failed(_)) => S::Failed,
        }
    }

    /// When the next attempt begins; 0 unless it waits.
    pub(crate) fn next_attempt_at(&self) -> i64 {
        match &self.phase {
            Some(CancellationPhase::BackingOff(backoff)) => backoff.until,
            _ => 0,
        }
    }
}

impl Attempts {
    fn over(&mut self, now: Time, failure: Option<Failure>) {
        self.count = self.count.saturating_add(1);
        self.last_at = now.unix_nanos();
        self.last_failure = failure;
    }

    /// Twice as long after each attempt, less up to a fifth by chance.
    fn backoff(&self, fraction: f64) -> StdDuration {
        let doublings = u32::try_from(self.count - 1).unwrap_or(0).min(16);
        let interval = FIRST_BACKOFF.saturating_mul(1 << doublings).min(MAX_BACKOFF);
        interval.mul_f64(0.8 + 0.2 * fraction)
    }
}

/// How long a handler may take to answer, and less than which is too little to ask at all
/// (`component.nexusoperations.request.timeout` and `component.nexusoperations.limit.request.timeout.min` of Temporal's
/// server).
const REQUEST: StdDuration = StdDuration::from_secs(10);
const MIN_REQUEST: StdDuration = StdDuration::from_millis(1_500);
/// `component.nexusoperations.retryPolicy.initialInterval` and `component.nexusoperations.retryPolicy.maxInterval`.
const FIRST_BACKOFF: StdDuration = StdDuration::from_secs(1);
const MAX_BACKOFF: StdDuration = StdDuration::from_secs(60 * 60);
