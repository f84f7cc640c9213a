//! [`Replay`]: a run made anew from events that are in its history already. A fold: nothing is written and nobody is
//! asked for anything.

use std::collections::BTreeMap;

use prost_types::Timestamp;
use stead_proto::history::v1::HistoryEvent;
use stead_proto::history::v1::history_event::Attributes;

use super::Run;
use super::child::child_of;
use super::nexus::operation_of;
use super::properties::merge;
use super::state::{ExternalState, Pause, ScheduledTask, StartedTask, WorkflowTask};
use crate::engine::Time;
use crate::engine::ids::Ids;
use crate::engine::nexus::operation::Cancellation;
use stead_proto::enums::v1::{EventType, WorkflowExecutionStatus};
use stead_proto::history::v1::{WorkflowTaskScheduledEventAttributes, WorkflowTaskStartedEventAttributes};

/// A run that is made anew.
pub(crate) struct Replay<'a> {
    pub(crate) run: Run,
    pub(crate) ids: &'a mut Ids,
    pub(crate) now: Time,
    /// Activities that began and did not end: by scheduled event, the event that says that they began.
    pub(crate) started: BTreeMap<i64, i64>,
}

impl Replay<'_> {
    /// Takes the next event.
    pub(crate) fn apply(&mut self, mut event: HistoryEvent) {
        use Attributes as A;
        self.run.count_external_payloads(&mut event);
        let (id, at) = (event.event_id, instant(event.event_time.as_ref()));
        let run = &mut self.run;
        let Some(attributes) = event.attributes else { return };
        match attributes {
            A::WorkflowTaskScheduledEventAttributes(task) => run.state.task = Some(scheduled_task(id, at, &task)),
            A::WorkflowTaskStartedEventAttributes(task) => self.task_started(id, at, task),
            A::WorkflowTaskFailedEventAttributes(_) | A::WorkflowTaskTimedOutEventAttributes(_) => {
                run.state.task = None;
            }
            A::WorkflowTaskCompletedEventAttributes(completed) => {
                run.state.task = None;
                run.took_completed(self.now, id, &completed);
            }
            A::WorkflowExecutionSignaledEventAttributes(signal) => {
                run.state.signals += 1;
                run.served(signal.request_id, EventType::WorkflowExecutionSignaled, id);
            }
            A::WorkflowExecutionCancelRequestedEventAttributes(_) => run.state.cancel_requested = true,
            A::WorkflowExecutionOptionsUpdatedEventAttributes(options) => run.took_options(at, id, &options),
            A::WorkflowExecutionTimeSkippingTransitionedEventAttributes(skipped) => {
                run.took_time_skipping(at, &skipped);
            }
            A::UpsertWorkflowSearchAttributesEventAttributes(upsert) => {
                let fields = upsert.search_attributes.unwrap_or_default().indexed_fields;
                merge(&mut run.state.search_attributes.get_or_insert_default().indexed_fields, fields);
            }
            A::WorkflowPropertiesModifiedEventAttributes(modified) => {
                let fields = modified.upserted_memo.unwrap_or_default().fields;
                merge(&mut run.state.memo.get_or_insert_default().fields, fields);
            }
            A::WorkflowExecutionPausedEventAttributes(paused) => {
                run.state.status = WorkflowExecutionStatus::Paused.into();
                let (identity, reason, request_id) = (paused.identity, paused.reason, paused.request_id);
                run.state.pause = Some(Pause { identity, reason, request_id, at: at.unix_nanos() });
            }
            A::WorkflowExecutionUnpausedEventAttributes(_) => {
                run.state.status = WorkflowExecutionStatus::Running.into();
                run.state.pause = None;
            }
            other => self.apply_pending(id, at, other),
        }
    }

    /// What the run waits for, or does no longer.
    fn apply_pending(&mut self, id: i64, at: Time, attributes: Attributes) {
        use Attributes as A;
        let run = &mut self.run;
        match attributes {
            A::TimerStartedEventAttributes(started) => run.expect_timer(at, id, started),
            A::TimerFiredEventAttributes(fired) => run.forget_timer(&fired.timer_id),
            A::TimerCanceledEventAttributes(canceled) => run.forget_timer(&canceled.timer_id),
            A::WorkflowExecutionUpdateAdmittedEventAttributes(admitted) => {
                let request = admitted.request.unwrap_or_default();
                let update_id = request.meta.clone().unwrap_or_default().update_id;
                run.add_update_callbacks(self.now, &update_id, &request);
                run.updates.admit_by_event(update_id, id);
            }
            A::WorkflowExecutionUpdateAcceptedEventAttributes(accepted) => {
                let request = accepted.accepted_request.unwrap_or_default();
                run.served(request.request_id.clone(), EventType::WorkflowExecutionUpdateAccepted, id);
                run.add_update_callbacks(self.now, &accepted.protocol_instance_id, &request);
                run.updates.accept_known(&accepted.protocol_instance_id, id);
            }
            A::WorkflowExecutionUpdateCompletedEventAttributes(completed) => {
                run.updates.complete(&completed.meta.unwrap_or_default().update_id, id);
            }
            A::SignalExternalWorkflowExecutionInitiatedEventAttributes(_) => {
                run.signals.insert(id, ExternalState { request_id: self.ids.uuid().to_string() });
            }
            A::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(_) => {
                run.cancels.insert(id, ExternalState { request_id: self.ids.uuid().to_string() });
            }
            A::ExternalWorkflowExecutionSignaledEventAttributes(done) => {
                forget(&mut run.signals, done.initiated_event_id)
            }
            A::SignalExternalWorkflowExecutionFailedEventAttributes(done) => {
                forget(&mut run.signals, done.initiated_event_id);
            }
            A::ExternalWorkflowExecutionCancelRequestedEventAttributes(done) => {
                forget(&mut run.cancels, done.initiated_event_id);
            }
            A::RequestCancelExternalWorkflowExecutionFailedEventAttributes(done) => {
                forget(&mut run.cancels, done.initiated_event_id);
            }
            other => self.apply_activity(id, other).and_then(|other| self.apply_child(id, other)).map_or((), |other| {
                self.apply_operation(id, at, other);
            }),
        }
    }

    /// `attributes`, if they are of another room.
    fn apply_activity(&mut self, id: i64, attributes: Attributes) -> Option<Attributes> {
        use Attributes as A;
        let ended = match attributes {
            A::ActivityTaskScheduledEventAttributes(scheduled) => {
                self.run.expect_activity(self.now, id, *scheduled);
                return None;
            }
            A::ActivityTaskStartedEventAttributes(started) => {
                self.started.insert(started.scheduled_event_id, id);
                return None;
            }
            A::ActivityTaskCancelRequestedEventAttributes(requested) => {
                if let Some(activity) = self.run.activities.get_mut(&requested.scheduled_event_id) {
                    activity.cancel_requested_event_id = id;
                }
                return None;
            }
            A::ActivityTaskCompletedEventAttributes(ended) => ended.scheduled_event_id,
            A::ActivityTaskFailedEventAttributes(ended) => ended.scheduled_event_id,
            A::ActivityTaskTimedOutEventAttributes(ended) => ended.scheduled_event_id,
            A::ActivityTaskCanceledEventAttributes(ended) => ended.scheduled_event_id,
            other => return Some(other),
        };
        self.started.remove(&ended);
        self.run.remove_activity(ended);
        None
    }

    /// As [`Self::apply_activity`].
    fn apply_child(&mut self, id: i64, attributes: Attributes) -> Option<Attributes> {
        use Attributes as A;
        let children = &mut self.run.children;
        let ended = match attributes {
            A::StartChildWorkflowExecutionInitiatedEventAttributes(initiated) => {
                children.insert(id, child_of(&initiated));
                return None;
            }
            A::ChildWorkflowExecutionStartedEventAttributes(started) => {
                if let Some(child) = children.get_mut(&started.initiated_event_id) {
                    child.run_id = started.workflow_execution.unwrap_or_default().run_id;
                    child.started_event_id = id;
                }
                return None;
            }
            A::StartChildWorkflowExecutionFailedEventAttributes(ended) => ended.initiated_event_id,
            A::ChildWorkflowExecutionCompletedEventAttributes(ended) => ended.initiated_event_id,
            A::ChildWorkflowExecutionFailedEventAttributes(ended) => ended.initiated_event_id,
            A::ChildWorkflowExecutionCanceledEventAttributes(ended) => ended.initiated_event_id,
            A::ChildWorkflowExecutionTimedOutEventAttributes(ended) => ended.initiated_event_id,
            A::ChildWorkflowExecutionTerminatedEventAttributes(ended) => ended.initiated_event_id,
            other => return Some(other),
        };
        children.remove(&ended);
        None
    }

    pub(crate) fn apply_operation(&mut self, id: i64, at: Time, attributes: Attributes) {
        use Attributes as A;
        let (operations, now) = (&mut self.run.operations, self.now);
        let ended = match attributes {
            A::NexusOperationScheduledEventAttributes(scheduled) => {
                operations.insert(id, operation_of(at, *scheduled));
                return;
            }
            A::NexusOperationStartedEventAttributes(started) => {
                if let Some(operation) = operations.get_mut(&started.scheduled_event_id) {
                    operation.start(at, now, started.operation_token);
                }
                return;
            }
            A::NexusOperationCancelRequestedEventAttributes(requested) => {
                if let Some(operation) = operations.get_mut(&requested.scheduled_event_id) {
                    operation.request_cancel(now, Cancellation { requested_event_id: id, ..Default::default() });
                }
                return;
            }
            A::NexusOperationCancelRequestCompletedEventAttributes(done) => {
                let operation = operations.get_mut(&done.scheduled_event_id);
                if let Some(cancellation) = operation.and_then(|operation| operation.cancellation.as_mut()) {
                    cancellation.delivered(now);
                }
                return;
            }
            A::NexusOperationCancelRequestFailedEventAttributes(done) => {
                let operation = operations.get_mut(&done.scheduled_event_id);
                if let Some(cancellation) = operation.and_then(|operation| operation.cancellation.as_mut()) {
                    cancellation.failed(now, done.failure.unwrap_or_default());
                }
                return;
            }
            A::NexusOperationCompletedEventAttributes(ended) => ended.scheduled_event_id,
            A::NexusOperationFailedEventAttributes(ended) => ended.scheduled_event_id,
            A::NexusOperationCanceledEventAttributes(ended) => ended.scheduled_event_id,
            A::NexusOperationTimedOutEventAttributes(ended) => ended.scheduled_event_id,
            _ => return,
        };
        self.run.remove_operation(ended);
    }

    fn task_started(&mut self, id: i64, at: Time, started: WorkflowTaskStartedEventAttributes) {
        let Some(WorkflowTask::Scheduled(scheduled)) = self.run.state.task.take() else { return };
        self.run.state.task = Some(WorkflowTask::Started(StartedTask {
            scheduled,
            started_event_id: id,
            at: at.unix_nanos(),
            identity: started.identity,
            request_id: started.request_id,
            ..Default::default()
        }));
    }
}

fn scheduled_task(id: i64, at: Time, task: &WorkflowTaskScheduledEventAttributes) -> WorkflowTask {
    WorkflowTask::Scheduled(ScheduledTask {
        scheduled_event_id: id,
        written: true,
        attempt: task.attempt,
        at: at.unix_nanos(),
        original_at: at.unix_nanos(),
        timeout: task.start_to_close_timeout,
        ..Default::default()
    })
}

fn forget(pending: &mut crate::engine::rows::Rows<i64, ExternalState>, initiated_event_id: i64) {
    pending.remove(&initiated_event_id);
}

/// When an event happened.
pub(crate) fn instant(at: Option<&Timestamp>) -> Time {
    at.map(Time::from_timestamp).unwrap_or_default()
}
