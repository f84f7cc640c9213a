//! Commands and the events that record them: the first of the one belongs to the first of the other.

use stead_activation::CallSite;
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::history::v1::{ActivityTaskScheduledEventAttributes, HistoryEvent};

use super::activity::Activity;
use super::apply::After;
use super::events::step_at;
use super::pending::{PendingCommand, What};
use super::{Index, Machines, Table};
use crate::fault::{Fault, Problem};
use crate::flags::{Flag, Flags};
use crate::history::event;
use crate::marker::{LocalActivityMarker, Parsed};
use crate::patch::{Patch, records_patches};
use crate::time::duration;
use crate::{Mismatch, MismatchKind, Operation};

impl Machines {
    /// An event records a command.
    pub(super) fn record(&mut self, event: &HistoryEvent, next: Option<&HistoryEvent>) -> Result<After, Fault> {
        if let Some(patch) = Patch::of_event(event) {
            return self.record_patch(&patch, event, next);
        }
        match LocalActivityMarker::of_event(event) {
            Parsed::Marker(marker) => return self.record_local_activity(&marker, event).map(|()| After::Next),
            Parsed::Unreadable => return Err(Fault::event(event, Problem::Missing("readable details"))),
            Parsed::Other => {}
        }
        if !is_supported(event) {
            return Err(Fault::event(event, Problem::Unsupported("")));
        }
        self.pending.skip_patches();
        let Some(command) = self.pending.pop() else {
            return Err(self.mismatch(MismatchKind::MissingCommand, event, None));
        };
        self.record_command(&command, event)?;
        Ok(After::Next)
    }

    fn record_command(&mut self, command: &PendingCommand, event: &HistoryEvent) -> Result<(), Fault> {
        let Some(attributes) = &event.attributes else {
            return Err(self.mismatch(MismatchKind::Different, event, Some(command)));
        };
        let (id, jobs) = (event.event_id, &mut self.jobs);
        let outcome = match (&command.what, attributes) {
            (What::StartTimer { index, .. }, Attributes::TimerStartedEventAttributes(_)) => {
                self.timers.record(*index, id);
                step_at(&mut self.timers, jobs, *index, |timer, _| timer.started())
            }
            (What::CancelTimer(index), Attributes::TimerCanceledEventAttributes(cancelled))
                if self.timers.event_id(*index) == cancelled.started_event_id =>
            {
                step_at(&mut self.timers, jobs, *index, |timer, _| timer.cancelled())
            }
            (What::ScheduleActivity(index), Attributes::ActivityTaskScheduledEventAttributes(scheduled))
                if is_same_activity(&self.activities, *index, scheduled, self.flags) =>
            {
                self.activities.record(*index, id);
                step_at(&mut self.activities, jobs, *index, |activity, _| activity.scheduled(id))
            }
            (What::CancelActivity(index), Attributes::ActivityTaskCancelRequestedEventAttributes(requested))
                if self.activities.event_id(*index) == requested.scheduled_event_id =>
            {
                step_at(&mut self.activities, jobs, *index, |activity, _| activity.cancel_requested())
            }
            (What::AcceptUpdate(index), Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(accepted))
                if self.updates.get(*index).is_some_and(|update| update.is_named(&accepted.protocol_instance_id)) =>
            {
                self.updates.record(*index, id);
                step_at(&mut self.updates, jobs, *index, |update, _| update.accepted())
            }
            (What::CompleteUpdate(index), Attributes::WorkflowExecutionUpdateCompletedEventAttributes(completed))
                if self.updates.event_id(*index) == completed.accepted_event_id =>
            {
                step_at(&mut self.updates, jobs, *index, |update, _| update.completed())
            }
            (What::RecordPatches, Attributes::UpsertWorkflowSearchAttributesEventAttributes(_))
                if records_patches(event) =>
            {
                Ok(())
            }
            (What::UpsertSearchAttributes, Attributes::UpsertWorkflowSearchAttributesEventAttributes(_))
            | (What::UpsertMemo, Attributes::WorkflowPropertiesModifiedEventAttributes(_))
            | (What::CompleteWorkflow, Attributes::WorkflowExecutionCompletedEventAttributes(_))
            | (What::FailWorkflow, Attributes::WorkflowExecutionFailedEventAttributes(_))
            | (What::CancelWorkflow, Attributes::WorkflowExecutionCanceledEventAttributes(_))
            | (What::ContinueAsNew { .. }, Attributes::WorkflowExecutionContinuedAsNewEventAttributes(_)) => Ok(()),
            (what, attributes) => {
                let checks = self.flags.is_recorded(Flag::IdAndTypeChecks);
                match &mut self.remote {
                    Some(remote) => remote.record(what, attributes, id, checks),
                    None => Err(MismatchKind::Different),
                }
            }
        };
        outcome.map_err(|kind| self.mismatch(kind, event, Some(command)))
    }

    /// A marker of a patch. If the code no longer asks for the patch, that is fine where the marker says so.
    fn record_patch(
        &mut self,
        patch: &Patch,
        event: &HistoryEvent,
        next: Option<&HistoryEvent>,
    ) -> Result<After, Fault> {
        match self.pending.front().map(|command| &command.what) {
            Some(What::Patch(asked)) if asked.id == patch.id => {
                self.pending.pop();
                Ok(After::Next)
            }
            _ if patch.deprecated && next.is_some_and(records_patches) => Ok(After::SkipNext),
            _ if patch.deprecated => Ok(After::Next),
            Some(What::Patch(_)) => Err(self.mismatch(MismatchKind::Different, event, self.pending.front())),
            _ => Err(self.mismatch(MismatchKind::MissingPatch, event, self.pending.front())),
        }
    }

    /// History has come to where every command that was sent must have its event.
    pub(super) fn settle(&mut self, event_id: i64) -> Result<(), Fault> {
        if self.pending.front().is_none_or(|command| !command.is_due()) {
            return Ok(());
        }
        self.pending.skip_patches();
        let Some(command) = self.pending.front().filter(|command| command.is_due()) else { return Ok(()) };
        let found = Some(self.operation(&command.what));
        Err(Fault::Mismatch(Box::new(Mismatch::new(MismatchKind::ExtraCommand, event_id, None, found, command.at))))
    }

    pub(super) fn mismatch(&self, kind: MismatchKind, event: &HistoryEvent, command: Option<&PendingCommand>) -> Fault {
        let found = command.map(|command| self.operation(&command.what));
        mismatch_at(event, kind, found, command.and_then(|command| command.at))
    }

    /// The same for something that has no command.
    pub(super) fn mismatch_of(&self, kind: MismatchKind, event: &HistoryEvent, what: &What) -> Fault {
        mismatch_at(event, kind, Some(self.operation(what)), None)
    }

    fn local_activity(&self, index: Index) -> Operation {
        let machine = self.locals.as_ref().and_then(|locals| locals.table.get(index));
        let (id, activity_type) =
            machine.map(|it| (it.request.activity_id.clone(), it.request.activity_type.clone())).unwrap_or_default();
        Operation::LocalActivity { id, activity_type }
    }

    /// What a command does, for people.
    fn operation(&self, what: &What) -> Operation {
        let activity = |index| {
            let activity = self.activities.get(index);
            let id = activity.map(|activity| activity.id(self.activities.seq(index))).unwrap_or_default();
            (id, activity.map(|activity| activity.activity_type.to_string()).unwrap_or_default())
        };
        let update = |index| self.updates.get(index).map(|update| update.id().to_owned()).unwrap_or_default();
        match what {
            What::StartTimer { index, duration } => {
                Operation::StartTimer { id: self.timers.seq(*index).to_string(), duration: *duration }
            }
            What::CancelTimer(index) => Operation::CancelTimer { id: self.timers.seq(*index).to_string() },
            What::ScheduleActivity(index) => {
                let (id, activity_type) = activity(*index);
                Operation::ScheduleActivity { id, activity_type }
            }
            What::CancelActivity(index) => Operation::CancelActivity { id: activity(*index).0 },
            What::RecordLocalActivity(index) => self.local_activity(*index),
            What::StartChild(_)
            | What::CancelChild(_)
            | What::SignalExternal(_)
            | What::CancelExternal(_)
            | What::ScheduleNexusOperation(_)
            | What::CancelNexusOperation(_) => {
                self.remote.as_ref().map_or(Operation::Other { event: "an unknown operation" }, |it| it.operation(what))
            }
            What::UpsertSearchAttributes => Operation::UpsertSearchAttributes,
            What::UpsertMemo => Operation::UpsertMemo,
            What::AcceptUpdate(index) => Operation::AcceptUpdate { id: update(*index) },
            What::CompleteUpdate(index) => Operation::CompleteUpdate { id: update(*index) },
            What::Patch(patch) => Operation::Patch { id: patch.id.clone(), deprecated: patch.deprecated },
            What::RecordPatches => Operation::RecordPatches,
            What::CompleteWorkflow => Operation::CompleteWorkflow,
            What::FailWorkflow => Operation::FailWorkflow,
            What::CancelWorkflow => Operation::CancelWorkflow,
            What::ContinueAsNew { workflow_type } => {
                Operation::ContinueAsNew { workflow_type: workflow_type.to_string() }
            }
        }
    }
}

fn mismatch_at(event: &HistoryEvent, kind: MismatchKind, found: Option<Operation>, at: Option<CallSite>) -> Fault {
    let mismatch = Mismatch::new(kind, event.event_id, Some(recorded(event)), found, at);
    Fault::Mismatch(Box::new(Mismatch { event_type: Some(event::name(event)), ..mismatch }))
}

/// Whether the activity of a command is the one that an event records, as far as its history was recorded with that
/// being checked.
fn is_same_activity(
    activities: &Table<Activity>,
    index: Index,
    recorded: &ActivityTaskScheduledEventAttributes,
    flags: Flags,
) -> bool {
    let recorded_type = recorded.activity_type.as_ref().map_or("", |kind| &kind.name);
    let is_same = |activity: &Activity| {
        activity.has_id(activities.seq(index), &recorded.activity_id) && *activity.activity_type == *recorded_type
    };
    !flags.is_recorded(Flag::IdAndTypeChecks) || activities.get(index).is_some_and(is_same)
}

/// Whether this version has a machine for what the event records.
fn is_supported(event: &HistoryEvent) -> bool {
    !matches!(
        &event.attributes,
        Some(
            Attributes::MarkerRecordedEventAttributes(_)
                | Attributes::WorkflowExecutionUpdateRejectedEventAttributes(_)
        )
    )
}

/// What an event records, for people.
fn recorded(event: &HistoryEvent) -> Operation {
    let other = Operation::Other { event: event::name(event) };
    let Some(attributes) = &event.attributes else { return other };
    match attributes {
        Attributes::TimerStartedEventAttributes(timer) => Operation::StartTimer {
            id: timer.timer_id.clone(),
            duration: timer.start_to_fire_timeout.as_ref().map(duration).unwrap_or_default(),
        },
        Attributes::TimerCanceledEventAttributes(timer) => Operation::CancelTimer { id: timer.timer_id.clone() },
        Attributes::ActivityTaskScheduledEventAttributes(activity) => Operation::ScheduleActivity {
            id: activity.activity_id.clone(),
            activity_type: activity.activity_type.as_ref().map(|kind| kind.name.clone()).unwrap_or_default(),
        },
        Attributes::ActivityTaskCancelRequestedEventAttributes(request) => {
            Operation::CancelActivity { id: format!("of event {}", request.scheduled_event_id) }
        }
        Attributes::MarkerRecordedEventAttributes(_) => match Patch::of_event(event) {
            Some(patch) => Operation::Patch { id: patch.id, deprecated: patch.deprecated },
            None => match LocalActivityMarker::of_event(event) {
                Parsed::Marker(LocalActivityMarker { activity_id: id, activity_type, .. }) => {
                    Operation::LocalActivity { id, activity_type }
                }
                Parsed::Other | Parsed::Unreadable => other,
            },
        },
        Attributes::UpsertWorkflowSearchAttributesEventAttributes(_) if records_patches(event) => {
            Operation::RecordPatches
        }
        Attributes::UpsertWorkflowSearchAttributesEventAttributes(_) => Operation::UpsertSearchAttributes,
        Attributes::WorkflowPropertiesModifiedEventAttributes(_) => Operation::UpsertMemo,
        Attributes::StartChildWorkflowExecutionInitiatedEventAttributes(child) => Operation::StartChildWorkflow {
            workflow_id: child.workflow_id.clone(),
            workflow_type: child.workflow_type.as_ref().map(|kind| kind.name.clone()).unwrap_or_default(),
        },
        Attributes::SignalExternalWorkflowExecutionInitiatedEventAttributes(signal) => Operation::SignalExternal {
            workflow_id: signal.workflow_execution.as_ref().map(|it| it.workflow_id.clone()).unwrap_or_default(),
            signal_name: signal.signal_name.clone(),
        },
        Attributes::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(cancel) => {
            Operation::CancelExternal {
                workflow_id: cancel.workflow_execution.as_ref().map(|it| it.workflow_id.clone()).unwrap_or_default(),
            }
        }
        Attributes::NexusOperationScheduledEventAttributes(operation) => Operation::ScheduleNexusOperation {
            service: operation.service.clone(),
            operation: operation.operation.clone(),
        },
        Attributes::NexusOperationCancelRequestedEventAttributes(request) => {
            Operation::CancelNexusOperation { operation: format!("of event {}", request.scheduled_event_id) }
        }
        Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(update) => {
            Operation::AcceptUpdate { id: update.protocol_instance_id.clone() }
        }
        Attributes::WorkflowExecutionUpdateCompletedEventAttributes(update) => Operation::CompleteUpdate {
            id: update.meta.as_ref().map(|meta| meta.update_id.clone()).unwrap_or_default(),
        },
        Attributes::WorkflowExecutionCompletedEventAttributes(_) => Operation::CompleteWorkflow,
        Attributes::WorkflowExecutionFailedEventAttributes(_) => Operation::FailWorkflow,
        Attributes::WorkflowExecutionCanceledEventAttributes(_) => Operation::CancelWorkflow,
        Attributes::WorkflowExecutionContinuedAsNewEventAttributes(next) => Operation::ContinueAsNew {
            workflow_type: next.workflow_type.as_ref().map(|kind| kind.name.clone()).unwrap_or_default(),
        },
        _ => other,
    }
}

#[cfg(test)]
mod tests;
