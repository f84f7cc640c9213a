//! Options of a run that are changed while it runs: which version of its workers has it, and its priority.

use stead_proto::enums::v1::EventType;
use stead_proto::history::v1::WorkflowExecutionOptionsUpdatedEventAttributes as OptionsUpdated;
use stead_proto::history::v1::history_event::Attributes;

use super::events::Extras;
use super::state::WorkflowTask;
use super::{Context, Run};
use crate::engine::Time;
use crate::engine::effect::Effect;
use crate::engine::nexus::callbacks::AttachedCallback;

impl Run {
    /// Changes options. What waits in queues is put where it belongs now.
    pub(crate) fn update_options(&mut self, cx: &mut Context<'_>, event: OptionsUpdated, extras: Extras) {
        let before = (self.state.versioning_override.clone(), self.state.priority.clone());
        let updated = event.clone();
        let event = Attributes::WorkflowExecutionOptionsUpdatedEventAttributes(Box::new(event));
        let id = self.add_with(cx, event, extras);
        self.took_options(cx.now, id, &updated);
        if before != (self.state.versioning_override.clone(), self.state.priority.clone()) {
            // The worker that has the run in its cache may have another version.
            self.state.sticky = None;
            self.offer_again(cx);
        }
    }

    /// What an event about options changes in the state.
    pub(crate) fn took_options(&mut self, now: Time, event_id: i64, event: &OptionsUpdated) {
        let state = &mut self.state;
        let before = state.versioning_override.clone();
        if event.unset_versioning_override {
            state.versioning_override = None;
        } else if event.versioning_override.is_some() {
            state.versioning_override.clone_from(&event.versioning_override);
        }
        if state.versioning_override != before {
            self.took_override();
        }
        let state = &mut self.state;
        if event.priority.is_some() {
            state.priority.clone_from(&event.priority);
        }
        if event.time_skipping_config_updated {
            self.configure_time_skipping(now, event.time_skipping_config.clone());
        }
        let state = &mut self.state;
        let request_id = &event.attached_request_id;
        let attached = event.attached_completion_callbacks.iter();
        state.callbacks.extend(attached.map(|it| AttachedCallback::new(it.clone(), request_id, "", now)));
        for update in &event.workflow_update_options {
            let (id, request_id) = (&update.update_id, &update.attached_request_id);
            let attached = update.attached_completion_callbacks.iter();
            state.callbacks.extend(attached.map(|it| AttachedCallback::new(it.clone(), request_id, id, now)));
        }
        self.served(event.attached_request_id.clone(), EventType::WorkflowExecutionOptionsUpdated, event_id);
        self.listed = false;
    }

    /// Takes back the workflow task that waits in a queue, and puts it where it belongs now.
    pub(crate) fn offer_task_again(&mut self, cx: &mut Context<'_>) {
        if let Some(WorkflowTask::Scheduled(_)) = &self.state.task {
            self.state.task_stamp += 1;
            cx.effects.push_back(Effect::OfferWorkflowTask(self.key));
        }
    }

    /// Takes back what waits in queues, and puts it where it belongs now.
    pub(crate) fn offer_again(&mut self, cx: &mut Context<'_>) {
        if !self.is_open() {
            return;
        }
        self.offer_task_again(cx);
        let waiting: Vec<_> =
            self.activities.iter().filter(|(_, activity)| activity.is_offered()).map(|(id, _)| *id).collect();
        for id in waiting {
            if let Some(activity) = self.activities.get_mut(&id) {
                activity.stamp += 1;
            }
            cx.effects.push_back(Effect::OfferActivity(self.key, id));
        }
    }
}
