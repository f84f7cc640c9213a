//! Callbacks: how the end of what carries an operation out reaches the operation.
//!
//! An operation gives its handler a URL and a token to call back with. The URL is that of this server itself, so a
//! callback never leaves it: it is delivered within the input that brings it, once, and either arrives or never will.
//! Other URLs are refused where a callback is attached, as the engine makes no HTTP calls.
//!
//! ```text
//!   attached ───▶ Standby ──what it waits for has ended──▶ Succeeded, or Failed: nobody waits for it
//! ```

mod attach;
mod end;
mod token;

use prost::Message;
use stead_proto::common::v1::{Callback, Link, Payload, callback};
use stead_proto::enums::v1::CallbackState;
use stead_proto::failure::v1::failure::FailureInfo;
use stead_proto::failure::v1::{ApplicationFailureInfo, Failure};

use super::operation::Attempts;
use super::requests::Owner;
use super::tasks::nothing;
use crate::engine::run::{Run, RunKey};
use crate::engine::{Engine, Refusal, Time};
pub(crate) use attach::{MAX_CALLBACKS, check_callbacks};
use token::CallbackToken;
pub(super) use token::TOKEN_HEADER;

/// Where operations are called back.
pub(super) const URL: &str = "temporal://system";

/// A callback that waits for the end of a run, or of one of its updates.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct AttachedCallback {
    #[prost(message, required, tag = "1")]
    pub(crate) callback: Callback,
    /// The request that attached it.
    #[prost(string, tag = "2")]
    pub(crate) request_id: String,
    #[prost(int64, tag = "3")]
    pub(crate) registered_at: i64,
    /// The update whose end it waits for; empty: the run's.
    #[prost(string, tag = "4")]
    pub(crate) update_id: String,
    #[prost(enumeration = "CallbackState", tag = "5")]
    pub(crate) state: i32,
    #[prost(message, required, tag = "6")]
    pub(crate) attempts: Attempts,
}

/// What callers are called back with.
#[derive(Clone, Debug)]
pub(crate) struct Completion {
    pub(crate) outcome: Result<Option<Payload>, Box<Failure>>,
    /// For operations that do not know yet that their handler has begun them.
    pub(crate) started_at: Time,
    pub(crate) link: Link,
}

/// Why nobody was called back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Undeliverable {
    BadToken,
    CallerHasClosed,
    NoSuchOperation,
}

impl AttachedCallback {
    pub(crate) fn new(callback: Callback, request_id: &str, update_id: &str, now: Time) -> Self {
        Self {
            callback,
            request_id: request_id.to_owned(),
            registered_at: now.unix_nanos(),
            update_id: update_id.to_owned(),
            state: CallbackState::Standby.into(),
            attempts: Attempts::default(),
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        let Some(callback::Variant::Nexus(nexus)) = &self.callback.variant else { return None };
        nexus.header.get(name).map(String::as_str)
    }

    pub(crate) fn settle(&mut self, now: Time, result: Result<(), Undeliverable>) {
        self.attempts.count += 1;
        self.attempts.last_at = now.unix_nanos();
        self.attempts.last_failure = result.err().map(Undeliverable::failure);
        let state = if result.is_ok() { CallbackState::Succeeded } else { CallbackState::Failed };
        self.state = state.into();
    }
}

impl Undeliverable {
    fn failure(self) -> Failure {
        let message = match self {
            Self::BadToken => "handler error (BAD_REQUEST): invalid callback token",
            Self::CallerHasClosed => "handler error (NOT_FOUND): workflow execution already completed",
            Self::NoSuchOperation => "handler error (NOT_FOUND): operation not found",
        };
        let info = ApplicationFailureInfo { non_retryable: true, ..Default::default() };
        Failure {
            message: message.to_owned(),
            failure_info: Some(FailureInfo::ApplicationFailureInfo(info)),
            ..Default::default()
        }
    }
}

impl Engine {
    /// Calls back those that wait for the end of a run that has closed. What its updates have not come to, they will not.
    pub(in crate::engine) fn call_back_of_run(&mut self, key: RunKey) {
        let Some(run) = self.runs.get(key) else { return };
        // The run that follows has the callbacks now, but not the updates.
        let ends_chain = run.state.new_run_id.is_empty();
        self.call_back(key, |callback| ends_chain || !callback.update_id.is_empty());
    }

    /// Calls back those that wait for the end of an update that is completed.
    pub(in crate::engine) fn call_back_of_update(&mut self, key: RunKey, update_id: &str) {
        self.call_back(key, |callback| callback.update_id == update_id);
    }

    fn call_back(&mut self, key: RunKey, chosen: impl Fn(&AttachedCallback) -> bool) {
        let Some(run) = self.runs.get(key) else { return };
        let standby = |callback: &AttachedCallback| callback.state == CallbackState::Standby as i32;
        let due: Vec<_> = run.state.callbacks.iter().enumerate().filter(|(_, it)| standby(it) && chosen(it)).collect();
        let due: Vec<_> = due.into_iter().map(|(place, callback)| (place, callback.clone())).collect();
        for (place, callback) in due {
            let Some(completion) = self.completion(key, &callback) else { continue };
            let result = self.deliver_completion(&callback, completion);
            self.transact_speculative(key, |run, cx| {
                if let Some(callback) = run.state.callbacks.get_mut(place) {
                    callback.settle(cx.now, result);
                }
            });
        }
    }

    pub(crate) fn deliver_completion(
        &mut self,
        callback: &AttachedCallback,
        completion: Completion,
    ) -> Result<(), Undeliverable> {
        let token = callback.header(TOKEN_HEADER).and_then(CallbackToken::read).ok_or(Undeliverable::BadToken)?;
        let owner = self.called_back(&token)?;
        let operation_token =
            callback.header("nexus-operation-token").or_else(|| callback.header("nexus-operation-id"));
        let operation_token = operation_token.unwrap_or_default().to_owned();
        let Completion { outcome, started_at, link } = completion;
        let outcome = outcome.map(|result| Some(result.unwrap_or_else(nothing)));
        match owner {
            Owner::Run(run, id) => {
                self.transact(run, |run, cx| {
                    run.operation_called_back(cx, id, operation_token, started_at, link, outcome);
                });
            }
            Owner::Alone(key) => {
                self.change_operation(key, |operation, now| {
                    operation.called_back(now, operation_token, started_at, link, outcome);
                });
            }
        }
        Ok(())
    }
}

impl Run {
    /// The callbacks that the next run of the chain is to have.
    pub(in crate::engine) fn callbacks_of_chain(&self) -> Vec<Callback> {
        let waits = |callback: &&AttachedCallback| {
            callback.update_id.is_empty() && callback.state == CallbackState::Standby as i32
        };
        self.state.callbacks.iter().filter(waits).map(|callback| callback.callback.clone()).collect()
    }

    /// Whether so many more callbacks may be attached.
    pub(in crate::engine) fn check_callback_limit(&self, more: usize) -> Result<(), Refusal> {
        let attached = self.state.callbacks.len();
        if more == 0 || attached + more <= MAX_CALLBACKS {
            return Ok(());
        }
        Err(Refusal::failed_precondition(format!(
            "cannot attach more than {} callbacks to a workflow ({attached} callbacks already attached)",
            MAX_CALLBACKS
        )))
    }
}
