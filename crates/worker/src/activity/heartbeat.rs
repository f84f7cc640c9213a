//! The heartbeats of one attempt: taken from the activity at any rate, sent to the server at the rate of the throttle.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use stead_activity::{Cancellation, CancellationDetails, HeartbeatSink, Info};
use stead_client::{CallOptions, RpcError};
use stead_core::policy::{HeartbeatThrottle, heartbeat_interval};
use stead_data::{Payload, SerializationContext};
use stead_proto::common::v1::Payloads;
use stead_proto::workflowservice::v1::{RecordActivityTaskHeartbeatRequest, RecordActivityTaskHeartbeatResponse};
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::clock::Clock;
use crate::shared::Shared;

/// The activity's end of it is [`HeartbeatSink`], the supervisor's [`send_forever`](Self::send_forever).
pub(super) struct Heartbeats {
    shared: Arc<Shared>,
    task_token: Bytes,
    /// Whose details it sends, where a codec wants to know.
    owner: Option<SerializationContext>,
    cancellation: Cancellation,
    clock: Clock,
    latest: Mutex<Latest>,
    changed: Notify,
    /// How often the worker repeats the last heartbeat by itself, if it does.
    repeat_after: Option<Duration>,
}

type Details = Vec<Payload>;

struct Latest {
    throttle: HeartbeatThrottle<Details>,
    /// How many heartbeats the throttle let pass.
    passed: u64,
    /// The last one of these, while it is not known to have arrived.
    unsent: Option<Details>,
    /// What is repeated where nobody says anything new: the last details, or those of the attempt before.
    known: Details,
}

impl Latest {
    fn pass(&mut self, details: Option<Details>) {
        if details.is_some() {
            self.passed += 1;
            self.unsent = details;
        }
    }
}

impl Heartbeats {
    pub(super) fn new(shared: &Arc<Shared>, info: &Info, cancellation: Cancellation) -> Self {
        let options = &shared.options;
        let interval = heartbeat_interval(
            info.heartbeat_timeout,
            options.default_heartbeat_throttle,
            options.max_heartbeat_throttle,
        );
        let timeout = info.heartbeat_timeout.filter(|timeout| options.heartbeats_by_itself && !timeout.is_zero());
        let repeat_after = timeout.map(|timeout| timeout / 2);
        // What is repeated must pass.
        let interval = repeat_after.map_or(interval, |repeat| interval.min(repeat));
        Self {
            shared: Arc::clone(shared),
            task_token: info.task_token.clone(),
            owner: shared.codec.activity(info),
            cancellation,
            clock: Clock::new(),
            latest: Mutex::new(Latest {
                throttle: HeartbeatThrottle::new(interval),
                passed: 0,
                unsent: None,
                known: info.heartbeat_details.clone(),
            }),
            changed: Notify::new(),
            repeat_after,
        }
    }

    /// Sends what the throttle lets pass, and cancels the activity when the server's answer says so.
    pub(super) async fn send_forever(&self) -> Infallible {
        loop {
            let wait = self.until_next();
            tokio::select! {
                biased;
                () = self.changed.notified() => {}
                () = sleep(wait.unwrap_or_default()), if wait.is_some() => {}
                // Begins anew with each one that is sent.
                () = sleep(self.repeat_after.unwrap_or_default()), if wait.is_none() && self.repeat_after.is_some() => {
                    let known = self.lock().known.clone();
                    self.take(known);
                }
            }
            if let Some((number, details)) = self.due() {
                self.send(number, details).await;
            }
        }
    }

    /// The last details that are not known to have reached the server.
    pub(super) fn unsent(&self) -> Option<Details> {
        let mut latest = self.lock();
        latest.throttle.flush().or_else(|| latest.unsent.take())
    }

    fn take(&self, details: Details) {
        let mut latest = self.lock();
        let passed = latest.throttle.handle_heartbeat(details, self.clock.now());
        latest.pass(passed);
    }

    fn until_next(&self) -> Option<Duration> {
        let at = self.lock().throttle.poll_timeout()?;
        Some(at.saturating_duration_since(self.clock.now()))
    }

    fn due(&self) -> Option<(u64, Details)> {
        let mut latest = self.lock();
        let held_back = latest.throttle.handle_timeout(self.clock.now());
        latest.pass(held_back);
        Some((latest.passed, latest.unsent.clone()?))
    }

    fn arrived(&self, number: u64) {
        let mut latest = self.lock();
        if latest.passed == number {
            latest.unsent = None;
        }
    }

    async fn send(&self, number: u64, details: Details) {
        match self.record(details).await {
            Ok(answer) => {
                self.arrived(number);
                if let Some(details) = cancelled_by(&answer) {
                    self.cancellation.cancel(details);
                }
            }
            Err(HeartbeatError::Rpc(error)) if error.is_not_found() => {
                self.cancellation.cancel(CancellationDetails::not_found());
            }
            Err(error) => tracing::warn!(target: "stead::worker", %error, "heartbeat not sent"),
        }
    }

    async fn record(&self, details: Details) -> Result<RecordActivityTaskHeartbeatResponse, HeartbeatError> {
        let payloads = self.shared.codec.encode(self.owner.clone(), details).await.map_err(HeartbeatError::Codec)?;
        let request = RecordActivityTaskHeartbeatRequest {
            task_token: self.task_token.clone(),
            details: Some(Payloads { payloads }),
            identity: self.shared.identity.clone(),
            namespace: self.shared.namespace.clone(),
            ..Default::default()
        };
        let answer = self.shared.service().record_activity_task_heartbeat(request, CallOptions::new()).await;
        answer.map_err(HeartbeatError::Rpc)
    }

    /// No foreign code runs under the lock, so a poisoned one is intact.
    fn lock(&self) -> MutexGuard<'_, Latest> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HeartbeatSink for Heartbeats {
    fn heartbeat(&self, details: Details) {
        if self.repeat_after.is_some() {
            self.lock().known.clone_from(&details);
        }
        self.take(details);
        self.changed.notify_one();
    }
}

fn cancelled_by(answer: &RecordActivityTaskHeartbeatResponse) -> Option<CancellationDetails> {
    let mut details = CancellationDetails::default();
    details.cancel_requested = answer.cancel_requested;
    details.paused = answer.activity_paused;
    details.reset = answer.activity_reset;
    (details != CancellationDetails::default()).then_some(details)
}

#[derive(Debug)]
enum HeartbeatError {
    Codec(stead_data::CodecError),
    Rpc(RpcError),
}

impl std::fmt::Display for HeartbeatError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Codec(error) => error.fmt(f),
            Self::Rpc(error) => error.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_answer_says_why_an_activity_should_end() {
        let answer = |cancel_requested, activity_paused, activity_reset| {
            cancelled_by(&RecordActivityTaskHeartbeatResponse { cancel_requested, activity_paused, activity_reset })
        };
        assert_eq!(answer(false, false, false), None);
        assert_eq!(answer(true, false, false), Some(CancellationDetails::cancel_requested()));
        assert!(answer(false, true, false).is_some_and(|details| details.paused && !details.reset));
        assert!(answer(false, false, true).is_some_and(|details| details.reset && !details.cancel_requested));
    }
}
