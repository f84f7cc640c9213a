//! What callers do to an activity without a workflow: cancel it, terminate it, delete it.

use stead_proto::workflowservice::v1 as api;

use super::ActivityKey;
use super::checks::Texts;
use super::machine::{Cancellation, Phase};
use crate::engine::call::Outcome;
use crate::engine::{Engine, Refusal};

impl Engine {
    pub(in crate::engine) fn request_cancel_activity_execution(
        &mut self,
        mut request: api::RequestCancelActivityExecutionRequest,
    ) -> Result<Outcome, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        let texts = Texts { identity: &request.identity, reason: &request.reason };
        self.check_activity(&request.activity_id, &request.run_id, texts)?;
        self.complete_activity_request_id(&mut request.request_id)?;
        let key = self.activities.find(namespace, &request.activity_id, &request.run_id)?;
        if self.cancels(key, &request.request_id)? {
            let api::RequestCancelActivityExecutionRequest { identity, request_id, reason, .. } = request;
            let cancellation = Cancellation { identity, request_id, reason };
            self.change_activity(key, |activity, now| activity.request_cancel(now, cancellation));
        }
        Ok(api::RequestCancelActivityExecutionResponse {}.into())
    }

    /// Whether a request to cancel is news.
    fn cancels(&self, key: ActivityKey, request_id: &str) -> Result<bool, Refusal> {
        let Some(activity) = self.activities.get(key) else { return Ok(false) };
        let earlier = activity.cancellation.as_ref().map_or("", |cancellation| &cancellation.request_id);
        if earlier == request_id {
            return Ok(false);
        }
        match activity.phase() {
            Phase::Closed(status) => {
                Err(Refusal::failed_precondition(format!("activity is in terminal state {status:?}")))
            }
            Phase::CancelRequested => {
                Err(Refusal::failed_precondition(format!("cancellation already requested with request ID {earlier}")))
            }
            _ => Ok(true),
        }
    }

    pub(in crate::engine) fn terminate_activity_execution(
        &mut self,
        mut request: api::TerminateActivityExecutionRequest,
    ) -> Result<Outcome, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        let texts = Texts { identity: &request.identity, reason: &request.reason };
        self.check_activity(&request.activity_id, &request.run_id, texts)?;
        self.complete_activity_request_id(&mut request.request_id)?;
        let key = self.activities.find(namespace, &request.activity_id, &request.run_id)?;
        let Some(activity) = self.activities.get(key) else { return Err(super::not_found(&request.activity_id)) };
        let earlier = &activity.terminate_request_id;
        match activity.phase() {
            Phase::Closed(_) if *earlier == request.request_id => {}
            Phase::Closed(_) if !earlier.is_empty() => {
                let message = format!("already terminated with request ID {earlier}");
                return Err(Refusal::failed_precondition(message));
            }
            Phase::Closed(status) => {
                return Err(Refusal::failed_precondition(format!("invalid transition from {status:?}")));
            }
            _ => {
                let api::TerminateActivityExecutionRequest { reason, identity, request_id, .. } = request;
                self.change_activity(key, |activity, now| activity.terminate(now, reason, identity, request_id));
            }
        }
        Ok(api::TerminateActivityExecutionResponse {}.into())
    }

    /// Terminates it if it is open, and forgets it.
    pub(in crate::engine) fn delete_activity_execution(
        &mut self,
        request: &api::DeleteActivityExecutionRequest,
    ) -> Result<Outcome, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        self.check_activity(&request.activity_id, &request.run_id, Texts::default())?;
        let key = self.activities.find(namespace, &request.activity_id, &request.run_id)?;
        if self.activities.get(key).is_some_and(super::StandaloneActivity::is_open) {
            let reason = "Delete activity execution".to_owned();
            self.change_activity(key, |activity, now| activity.terminate(now, reason, String::new(), String::new()));
            // Those who wait for its end learn it before it is gone.
            self.serve_activity_waits(key);
        }
        self.forget_activity(key);
        Ok(api::DeleteActivityExecutionResponse {}.into())
    }
}
