//! Workflows that take no steps for now, and what operators do to their activities.

use std::collections::BTreeSet;
use std::time::Duration;

use stead_proto::enums::v1::{WorkflowExecutionStatus, WorkflowTaskFailedCause};
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::history::v1::{
    ActivityTaskScheduledEventAttributes, WorkflowExecutionPausedEventAttributes,
    WorkflowExecutionUnpausedEventAttributes, WorkflowTaskFailedEventAttributes,
};

use super::state::{Pause, WorkflowTask};
use super::{Context, Run};
use crate::engine::activity::controls::ActivityReset;
use crate::engine::activity_options::ActivityOptions;
use crate::engine::effect::Effect;
use crate::engine::search_attributes::keyword_list;
use crate::engine::start::HISTORY_SERVICE;

impl Run {
    /// The workflow takes no steps from here on. A worker that has its task may end it; one that waits for a worker is
    /// taken back.
    pub(crate) fn pause(&mut self, cx: &mut Context<'_>, pause: Pause) {
        let event = WorkflowExecutionPausedEventAttributes {
            identity: pause.identity.clone(),
            reason: pause.reason.clone(),
            request_id: pause.request_id.clone(),
        };
        self.take_back_task(cx);
        self.add(cx, Attributes::WorkflowExecutionPausedEventAttributes(event));
        self.state.status = WorkflowExecutionStatus::Paused.into();
        self.state.pause = Some(pause);
        self.show_pauses();
    }

    fn take_back_task(&mut self, cx: &mut Context<'_>) {
        let task = match self.state.task.take() {
            Some(WorkflowTask::Scheduled(task)) => task,
            other => {
                self.state.task = other;
                return;
            }
        };
        self.deadlines.set(super::deadlines::Deadline::TaskScheduleToStart, None);
        if task.written {
            let event = WorkflowTaskFailedEventAttributes {
                scheduled_event_id: task.scheduled_event_id,
                cause: WorkflowTaskFailedCause::WorkflowPauseRequestedBeforeTaskStarted.into(),
                identity: HISTORY_SERVICE.to_owned(),
                ..Default::default()
            };
            self.add(cx, Attributes::WorkflowTaskFailedEventAttributes(Box::new(event)));
        }
        self.state.sticky = None;
        self.state.task_attempt = 1;
    }

    /// The workflow goes on.
    pub(crate) fn unpause(&mut self, cx: &mut Context<'_>, event: WorkflowExecutionUnpausedEventAttributes) {
        self.state.status = WorkflowExecutionStatus::Running.into();
        self.state.pause = None;
        self.add(cx, Attributes::WorkflowExecutionUnpausedEventAttributes(event));
        let waiting = self.activities.iter().filter(|(_, activity)| activity.is_offered());
        cx.effects.extend(waiting.map(|(id, _)| Effect::OfferActivity(self.key, *id)));
        self.show_pauses();
        self.wake(cx);
    }

    pub(crate) fn pause_activity(&mut self, id: i64, pause: Pause) {
        if let Some(activity) = self.activities.get_mut(&id) {
            activity.pause(pause);
        }
        self.watch_activity(id);
        self.show_pauses();
    }

    pub(crate) fn unpause_activity(
        &mut self,
        cx: &Context<'_>,
        id: i64,
        first_attempt: bool,
        forget_progress: bool,
        delay: Duration,
    ) {
        if let Some(activity) = self.activities.get_mut(&id).filter(|activity| activity.pause.is_some()) {
            activity.unpause(cx.now, first_attempt, forget_progress, delay);
        }
        self.watch_activity(id);
        self.show_pauses();
    }

    pub(crate) fn reset_activity(&mut self, cx: &Context<'_>, id: i64, reset: ActivityReset, original_options: bool) {
        let original = if original_options { self.original_options(id) } else { None };
        if let Some(activity) = self.activities.get_mut(&id) {
            if let Some(options) = original {
                activity.take_options(options);
            }
            activity.reset(cx.now, reset);
        }
        self.watch_activity(id);
        self.show_pauses();
    }

    pub(crate) fn set_activity_options(&mut self, id: i64, options: ActivityOptions) {
        if let Some(activity) = self.activities.get_mut(&id) {
            activity.set_options(options);
        }
        self.watch_activity(id);
    }

    /// The options with which the workflow scheduled an activity.
    pub(crate) fn original_options(&self, id: i64) -> Option<ActivityOptions> {
        match self.history.event(id)?.attributes {
            Some(Attributes::ActivityTaskScheduledEventAttributes(scheduled)) => Some(options_of(*scheduled)),
            _ => None,
        }
    }

    /// Lists find what is paused by a search attribute.
    fn show_pauses(&mut self) {
        self.listed = false;
        let mut shown = Vec::new();
        if let Some(pause) = &self.state.pause {
            shown.push(format!("Workflow:{}", self.state.workflow_id));
            if !pause.reason.is_empty() {
                shown.push(format!("Reason:{}", pause.reason));
            }
        }
        let types: BTreeSet<_> = self
            .activities
            .values()
            .filter(|activity| activity.pause.is_some())
            .map(|activity| activity.name())
            .collect();
        shown.extend(types.into_iter().map(|name| format!("property:activityType={name}")));
        let fields = &mut self.state.search_attributes.get_or_insert_default().indexed_fields;
        if shown.is_empty() {
            fields.remove(PAUSES);
        } else {
            fields.insert(PAUSES.to_owned(), keyword_list(&shown));
        }
    }
}

fn options_of(scheduled: ActivityTaskScheduledEventAttributes) -> ActivityOptions {
    ActivityOptions {
        task_queue: scheduled.task_queue,
        schedule_to_close: scheduled.schedule_to_close_timeout,
        schedule_to_start: scheduled.schedule_to_start_timeout,
        start_to_close: scheduled.start_to_close_timeout,
        heartbeat: scheduled.heartbeat_timeout,
        retry_policy: scheduled.retry_policy,
        priority: scheduled.priority,
    }
}

/// The search attribute in which lists find pauses.
const PAUSES: &str = "TemporalPauseInfo";
