//! What workers say about updates, as steps of a completed workflow task.

use stead_proto::enums::v1::EventType;
use stead_proto::failure::v1::failure::FailureInfo;
use stead_proto::failure::v1::{ApplicationFailureInfo, Failure};
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::history::v1::workflow_execution_options_updated_event_attributes::WorkflowUpdateOptionsUpdate;
use stead_proto::history::v1::{
    WorkflowExecutionOptionsUpdatedEventAttributes, WorkflowExecutionUpdateAcceptedEventAttributes,
    WorkflowExecutionUpdateCompletedEventAttributes,
};
use stead_proto::update::v1::{Request, Response};

use super::Ended;
use super::registry::request_message_id;
use crate::engine::Time;
use crate::engine::effect::Effect;
use crate::engine::nexus::callbacks::AttachedCallback;
use crate::engine::run::{Context, Run};

/// What a worker says about an update, checked.
#[derive(Debug)]
pub(crate) enum UpdateStep {
    /// `request`: of an update that the server has forgotten and the worker has not.
    Accept {
        update_id: String,
        sequencing_event_id: i64,
        request: Option<Box<Request>>,
    },
    Reject {
        update_id: String,
        failure: Box<Failure>,
    },
    Complete {
        update_id: String,
        response: Box<Response>,
    },
}

impl Run {
    pub(crate) fn take_update_step(&mut self, cx: &mut Context<'_>, step: UpdateStep) {
        match step {
            UpdateStep::Accept { update_id, sequencing_event_id, request } => {
                if let Some(request) = request {
                    self.updates.admit(update_id.clone(), *request);
                }
                self.accept_update(cx, update_id, sequencing_event_id);
            }
            UpdateStep::Reject { update_id, failure } => {
                self.updates.forget(&update_id);
                cx.effects.push_back(Effect::UpdateEnded(self.key, update_id, Ended::Rejected(failure)));
            }
            // Of a run that has closed, an accepted update has failed already.
            UpdateStep::Complete { .. } if !self.is_open() => {}
            UpdateStep::Complete { update_id, response } => self.complete_update(cx, &update_id, *response),
        }
    }

    fn accept_update(&mut self, cx: &mut Context<'_>, update_id: String, sequencing_event_id: i64) {
        if !self.is_open() {
            self.updates.forget(&update_id);
            cx.effects.push_back(Effect::UpdateEnded(self.key, update_id, Ended::Closed));
            return;
        }
        let attached = self.updates.take_attached(&update_id);
        let accepted_request = self.updates.accept(&update_id, self.history.next_event_id());
        let event = WorkflowExecutionUpdateAcceptedEventAttributes {
            accepted_request_message_id: request_message_id(&update_id),
            accepted_request_sequencing_event_id: sequencing_event_id,
            accepted_request: accepted_request.clone(),
            protocol_instance_id: update_id.clone(),
        };
        let request = accepted_request.unwrap_or_default();
        let links: Vec<_> = request.completion_callbacks.iter().flat_map(|callback| callback.links.clone()).collect();
        let event = Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(Box::new(event));
        let event_id = self.add_with(cx, event, links.into());
        self.served(request.request_id.clone(), EventType::WorkflowExecutionUpdateAccepted, event_id);
        self.add_update_callbacks(cx.now, &update_id, &request);
        for request in attached {
            self.attach_to_update(cx, &update_id, request);
        }
    }

    fn complete_update(&mut self, cx: &mut Context<'_>, update_id: &str, response: Response) {
        let Some(accepted_event_id) = self.updates.complete(update_id, self.history.next_event_id()) else {
            debug_assert!(false, "{update_id} was checked to be accepted");
            return;
        };
        let event = WorkflowExecutionUpdateCompletedEventAttributes {
            meta: response.meta,
            accepted_event_id,
            outcome: response.outcome,
        };
        self.add(cx, Attributes::WorkflowExecutionUpdateCompletedEventAttributes(Box::new(event)));
        cx.effects.push_back(Effect::UpdateCompleted(self.key, update_id.to_owned()));
    }

    /// Somebody else asks for an update that has been accepted: it is said in history who is called back, once.
    pub(super) fn attach_to_update(&mut self, cx: &mut Context<'_>, update_id: &str, request: Request) {
        if self.requests.get(&request.request_id).is_some() {
            return;
        }
        self.add_update_callbacks(cx.now, update_id, &request);
        let update = WorkflowUpdateOptionsUpdate {
            update_id: update_id.to_owned(),
            attached_request_id: request.request_id.clone(),
            attached_completion_callbacks: request.completion_callbacks,
        };
        let event = WorkflowExecutionOptionsUpdatedEventAttributes {
            workflow_update_options: vec![update],
            ..Default::default()
        };
        let event_id = self.add(cx, Attributes::WorkflowExecutionOptionsUpdatedEventAttributes(Box::new(event)));
        self.served(request.request_id, EventType::WorkflowExecutionOptionsUpdated, event_id);
    }

    pub(crate) fn add_update_callbacks(&mut self, now: Time, update_id: &str, request: &Request) {
        let request_id = &request.request_id;
        let callbacks = request.completion_callbacks.iter().cloned();
        let attached = callbacks.map(|callback| AttachedCallback::new(callback, request_id, update_id, now));
        self.state.callbacks.extend(attached);
    }

    /// A worker has completed its task without a word about updates that came with it: it does not know updates.
    pub(crate) fn reject_unprocessed_updates(&mut self, cx: &mut Context<'_>) {
        let failure = server_failure(
            "Workflow Update is rejected because it wasn't processed by worker. Probably, Workflow Update is not \
             supported by the worker.",
            "UnprocessedUpdate",
        );
        self.end_sent_updates(cx, &Ended::Rejected(Box::new(failure)));
    }

    /// Ends the updates that came with a workflow task.
    pub(crate) fn end_sent_updates(&mut self, cx: &mut Context<'_>, ended: &Ended) {
        let ids = self.updates.take_sent();
        cx.effects.extend(ids.into_iter().map(|id| Effect::UpdateEnded(self.key, id, ended.clone())));
    }
}

pub(super) fn server_failure(message: &str, kind: &str) -> Failure {
    Failure {
        message: message.to_owned(),
        source: "Server".to_owned(),
        failure_info: Some(FailureInfo::ApplicationFailureInfo(ApplicationFailureInfo {
            r#type: kind.to_owned(),
            non_retryable: true,
            ..Default::default()
        })),
        ..Default::default()
    }
}
