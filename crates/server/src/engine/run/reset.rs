//! A run that begins anew from a point of another: what is written at that point, and what is taken over of what came
//! after it.

use std::collections::{BTreeMap, BTreeSet};

use stead_proto::common::v1::Payloads;
use stead_proto::enums::v1::{
    ResetReapplyExcludeType as Exclude, RetryState, UpdateAdmittedEventOrigin, WorkflowTaskFailedCause,
};
use stead_proto::failure::v1::failure::FailureInfo;
use stead_proto::failure::v1::{Failure, ResetWorkflowFailureInfo};
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::history::v1::{
    ActivityTaskFailedEventAttributes, HistoryEvent, WorkflowExecutionSignaledEventAttributes,
    WorkflowExecutionUpdateAdmittedEventAttributes, WorkflowTaskFailedEventAttributes,
};
use stead_proto::update::v1::Request;

use super::replay::instant;
use super::state::WorkflowTask;
use super::workflow_task::TaskOrigin;
use super::{Context, Run};
use crate::engine::control::Signal;
use crate::engine::effect::Effect;
use crate::engine::start::HISTORY_SERVICE;

/// Request id of a task that is started only to fail, as in Temporal's server.
const NO_REQUEST: &str = "emptyUuid";

impl Run {
    /// Writes that the workflow task at which the run begins anew has failed.
    pub(crate) fn fail_task_by_reset(&mut self, cx: &mut Context<'_>, reason: &str) {
        if matches!(self.state.task, Some(WorkflowTask::Scheduled(_))) {
            self.start_task(cx, HISTORY_SERVICE, NO_REQUEST, false);
        }
        let Some(task) = self.take_started_unwritten() else { return };
        let event = WorkflowTaskFailedEventAttributes {
            scheduled_event_id: task.scheduled.scheduled_event_id,
            started_event_id: task.started_event_id,
            cause: WorkflowTaskFailedCause::ResetWorkflow.into(),
            failure: Some(reset_failure(reason, None)),
            identity: HISTORY_SERVICE.to_owned(),
            base_run_id: self.state.reset_from_run_id.clone(),
            new_run_id: self.state.run_id.clone(),
            ..Default::default()
        };
        self.add(cx, Attributes::WorkflowTaskFailedEventAttributes(Box::new(event)));
        self.state.task_attempt = 1;
    }

    /// Activities that had begun have failed; `started`: by scheduled event, the event that says that they began.
    pub(crate) fn fail_started_activities(&mut self, cx: &Context<'_>, started: BTreeMap<i64, i64>, reason: &str) {
        for (scheduled_event_id, started_event_id) in started {
            let Some(activity) = self.remove_activity(scheduled_event_id) else { continue };
            let began = self.history.event(started_event_id).and_then(|event| event.attributes);
            let identity = match began {
                Some(Attributes::ActivityTaskStartedEventAttributes(began)) => began.identity,
                _ => String::new(),
            };
            let event = ActivityTaskFailedEventAttributes {
                identity,
                failure: Some(reset_failure(reason, activity.heartbeat_details)),
                scheduled_event_id,
                started_event_id,
                retry_state: RetryState::NonRetryableFailure.into(),
                ..Default::default()
            };
            self.add(cx, Attributes::ActivityTaskFailedEventAttributes(Box::new(event)));
        }
    }

    /// Takes over what is news of an event that came after the point.
    pub(crate) fn reapply(&mut self, cx: &mut Context<'_>, event: HistoryEvent, excluded: &BTreeSet<Exclude>) {
        use Attributes as A;
        let links = event.links;
        let at = instant(event.event_time.as_ref());
        let with_operations = !excluded.contains(&Exclude::Nexus);
        let with_updates = !excluded.contains(&Exclude::Update);
        match event.attributes {
            Some(A::WorkflowExecutionSignaledEventAttributes(signal)) if !excluded.contains(&Exclude::Signal) => {
                let event = WorkflowExecutionSignaledEventAttributes {
                    signal_name: signal.signal_name,
                    input: signal.input,
                    identity: signal.identity,
                    header: signal.header,
                    request_id: signal.request_id.clone(),
                    ..Default::default()
                };
                self.add_signal(cx, Signal { event, links, request_id: signal.request_id });
            }
            Some(A::WorkflowExecutionUpdateAdmittedEventAttributes(admitted)) if with_updates => {
                self.reapply_update(cx, admitted.request, admitted.origin);
            }
            Some(A::WorkflowExecutionUpdateAcceptedEventAttributes(accepted)) if with_updates => {
                let origin = UpdateAdmittedEventOrigin::Reapply.into();
                self.reapply_update(cx, accepted.accepted_request, origin);
            }
            Some(A::WorkflowExecutionOptionsUpdatedEventAttributes(options)) => {
                let known = self.requests.get(&options.attached_request_id).is_some();
                if !known || options.attached_completion_callbacks.is_empty() {
                    self.update_options(cx, *options, links.into());
                }
            }
            Some(news) if with_operations && self.is_news_of_operation(&news) => {
                self.reapply_operation(cx, at, news, links);
            }
            Some(news) => self.reapply_child(cx, news),
            None => {}
        }
    }

    /// An update that the history says already is not told a second time.
    fn reapply_update(&mut self, cx: &Context<'_>, request: Option<Request>, origin: i32) {
        let Some(request) = request else { return };
        let id = request.meta.clone().unwrap_or_default().update_id;
        self.add_update_callbacks(cx.now, &id, &request);
        let event = WorkflowExecutionUpdateAdmittedEventAttributes { request: Some(request), origin };
        let event_id = self.add(cx, Attributes::WorkflowExecutionUpdateAdmittedEventAttributes(Box::new(event)));
        self.updates.forget(&id);
        self.updates.admit_by_event(id, event_id);
    }

    /// Goes on from the point: whoever was asked for something is asked again.
    pub(crate) fn go_on_after_reset(&mut self, cx: &mut Context<'_>) {
        self.resume_pending(cx);
        let unstarted = self.children.iter().filter(|(_, child)| child.run_id.is_empty());
        cx.effects.extend(unstarted.map(|(id, _)| Effect::StartChild(self.key, *id)));
        cx.effects.extend(self.signals.keys().map(|id| Effect::SignalExternal(self.key, *id)));
        cx.effects.extend(self.cancels.keys().map(|id| Effect::CancelExternal(self.key, *id)));
        if !self.is_paused() {
            self.schedule_task(cx, TaskOrigin::default());
        }
    }
}

fn reset_failure(reason: &str, last_heartbeat_details: Option<Payloads>) -> Failure {
    Failure {
        message: reason.to_owned(),
        failure_info: Some(FailureInfo::ResetWorkflowFailureInfo(ResetWorkflowFailureInfo { last_heartbeat_details })),
        ..Default::default()
    }
}
