//! What callers are called back with: how a run or an update has ended. Why it was terminated they do not learn.

use stead_proto::common::v1::Payload;
use stead_proto::common::v1::Payloads;
use stead_proto::enums::v1::EventType;
use stead_proto::failure::v1::failure::FailureInfo;
use stead_proto::failure::v1::{CanceledFailureInfo, Failure, TerminatedFailureInfo, TimeoutFailureInfo};
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::update::v1::outcome;

use super::{AttachedCallback, Completion};
use crate::engine::run::{Run, RunKey};
use crate::engine::updates::closed_failure;
use crate::engine::{Engine, Time};

type Ended = Result<Option<Payload>, Box<Failure>>;

impl Engine {
    pub(super) fn completion(&self, key: RunKey, callback: &AttachedCallback) -> Option<Completion> {
        let run = self.runs.get(key)?;
        let outcome = match callback.update_id.as_str() {
            "" => run_ended(run)?,
            update_id => update_ended(run, update_id),
        };
        let attached = run.requests.get(&callback.request_id).map(|request| request.event_type());
        let link = match attached {
            Some(event_type) => self.request_link(run, callback.request_id.clone(), event_type),
            None => self.event_link(run, 1, EventType::WorkflowExecutionStarted),
        };
        Some(Completion { outcome, started_at: Time::from_unix_nanos(run.state.started_at), link })
    }
}

fn run_ended(run: &Run) -> Option<Ended> {
    let failed = |message: &str, info| {
        Err(Box::new(Failure { message: message.to_owned(), failure_info: Some(info), ..Default::default() }))
    };
    Some(match run.history.event(run.history.len())?.attributes? {
        Attributes::WorkflowExecutionCompletedEventAttributes(end) => Ok(first(end.result)),
        Attributes::WorkflowExecutionFailedEventAttributes(end) => Err(Box::new(end.failure.unwrap_or_default())),
        Attributes::WorkflowExecutionCanceledEventAttributes(end) => {
            let info = CanceledFailureInfo { details: end.details, ..Default::default() };
            failed("operation canceled", FailureInfo::CanceledFailureInfo(info))
        }
        Attributes::WorkflowExecutionTerminatedEventAttributes(_) => {
            failed("operation terminated", FailureInfo::TerminatedFailureInfo(TerminatedFailureInfo::default()))
        }
        Attributes::WorkflowExecutionTimedOutEventAttributes(_) => {
            let info = TimeoutFailureInfo::default();
            failed("operation exceeded internal timeout", FailureInfo::TimeoutFailureInfo(info))
        }
        _ => return None,
    })
}

/// An update that its run has not completed, and will not, has failed.
fn update_ended(run: &Run, update_id: &str) -> Ended {
    match run.completed_update(update_id).and_then(|outcome| outcome.value) {
        Some(outcome::Value::Success(result)) => Ok(first(Some(result))),
        Some(outcome::Value::Failure(failure)) => Err(Box::new(failure)),
        None => Err(Box::new(closed_failure())),
    }
}

/// An operation has one result at most.
fn first(result: Option<Payloads>) -> Option<Payload> {
    result?.payloads.into_iter().next()
}
