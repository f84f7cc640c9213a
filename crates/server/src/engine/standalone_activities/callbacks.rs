//! Who is called back when an activity ends: the Nexus operations that it carries out.

use stead_proto::activity::v1::CallbackInfo;
use stead_proto::activity::v1::activity_execution_outcome::Value;
use stead_proto::activity::v1::callback_info::{ActivityClosed, Trigger, trigger};
use stead_proto::common::v1::{Callback, Link, link};
use stead_proto::workflowservice::v1::StartActivityExecutionRequest;

use super::{ActivityKey, StandaloneActivity};
use crate::engine::nexus::callbacks::{AttachedCallback, Completion, MAX_CALLBACKS};
use crate::engine::{Engine, Refusal};

impl Engine {
    /// Attaches the callbacks of a start that found its activity, if it wants that. The same request attaches them once.
    pub(super) fn attach_callbacks(
        &mut self,
        key: ActivityKey,
        request: &StartActivityExecutionRequest,
    ) -> Result<(), Refusal> {
        let wanted = request.on_conflict_options.is_some_and(|options| options.attach_completion_callbacks);
        let more = &request.completion_callbacks;
        let Some(existing) = self.activities.get(key).filter(|_| wanted && !more.is_empty()) else { return Ok(()) };
        if existing.callbacks.iter().any(|attached| attached.request_id == request.request_id) {
            return Ok(());
        }
        if !existing.is_open() {
            return Err(Refusal::failed_precondition("cannot attach callbacks to a closed activity"));
        }
        let attached = existing.callbacks.len();
        if attached + more.len() > MAX_CALLBACKS {
            return Err(Refusal::failed_precondition(format!(
                "cannot attach more than {MAX_CALLBACKS} callbacks to an activity ({attached} callbacks already attached)"
            )));
        }
        let more = self.new_callbacks(more, &request.request_id);
        self.change_activity(key, |activity, _| activity.callbacks.extend(more));
        Ok(())
    }

    pub(super) fn new_callbacks(&self, callbacks: &[Callback], request_id: &str) -> Vec<AttachedCallback> {
        callbacks.iter().map(|callback| AttachedCallback::new(callback.clone(), request_id, "", self.now)).collect()
    }

    /// The activity has closed: calls back those that wait for that.
    pub(super) fn call_back_of_activity(&mut self, key: ActivityKey) {
        let Some(activity) = self.activities.get(key) else { return };
        let Some(completion) = self.completion_of_activity(activity) else { return };
        let due: Vec<_> = activity.callbacks.iter().cloned().enumerate().collect();
        for (place, callback) in due {
            let result = self.deliver_completion(&callback, completion.clone());
            self.change_activity(key, |activity, now| {
                if let Some(callback) = activity.callbacks.get_mut(place) {
                    callback.settle(now, result);
                }
            });
        }
    }

    fn completion_of_activity(&self, activity: &StandaloneActivity) -> Option<Completion> {
        let outcome = match activity.outcome.clone()?.value? {
            // An operation has one result at most.
            Value::Result(result) => Ok(result.payloads.into_iter().next()),
            Value::Failure(failure) => Err(Box::new(failure)),
        };
        let link = link::Activity {
            namespace: self.namespaces.get(activity.namespace())?.info.name.clone(),
            activity_id: activity.id().to_owned(),
            run_id: activity.run_id.clone(),
        };
        let link = Link { variant: Some(link::Variant::Activity(link)) };
        Some(Completion { outcome, started_at: activity.scheduled(), link })
    }
}

pub(super) fn described(callback: &AttachedCallback) -> CallbackInfo {
    let trigger = Trigger { variant: Some(trigger::Variant::ActivityClosed(ActivityClosed {})) };
    CallbackInfo { trigger: Some(trigger), info: Some(callback.described()) }
}
