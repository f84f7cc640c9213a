//! What part an event plays in its history.

use stead_proto::history::v1::history_event::Attributes as A;

/// What part an event plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The first event.
    Begins,
    /// The last event of a run that has closed.
    Ends,
    TaskScheduled,
    TaskStarted {
        scheduled: i64,
    },
    /// A workflow task is over. `started` is 0 where it never started.
    TaskClosed {
        scheduled: i64,
        started: i64,
    },
    /// Something that goes on begins.
    Opens(Subject),
    Starts {
        subject: Subject,
        opened: i64,
    },
    /// The workflow asks for the end of something.
    Cancels {
        subject: Subject,
        opened: i64,
    },
    /// Something is over. `started` is 0 where it never started, `None` where the event does not say.
    Closes {
        subject: Subject,
        opened: i64,
        started: Option<i64>,
    },
    /// Anything that stands for itself.
    Alone,
}

/// What a workflow has going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Subject {
    /// An activity.
    Activity,
    /// A timer.
    Timer,
    /// A child workflow.
    Child,
    /// A signal to another workflow.
    ExternalSignal,
    /// A request to cancel another workflow.
    ExternalCancellation,
    /// A Nexus operation.
    NexusOperation,
    /// An update that was accepted.
    Update,
}

impl Subject {
    /// Whether it only ends well after an event that says that it has started.
    pub(super) fn has_to_start(self) -> bool {
        matches!(self, Self::Activity | Self::Child)
    }
}

/// The event's part.
pub(super) fn role(attributes: &A) -> Role {
    use Subject::{Activity, Child, ExternalCancellation, ExternalSignal, NexusOperation, Timer, Update};
    let closes = |subject, opened| Role::Closes { subject, opened, started: None };
    let ends = |subject, opened, started| Role::Closes { subject, opened, started: Some(started) };
    match attributes {
        A::WorkflowExecutionStartedEventAttributes(_) => Role::Begins,
        A::WorkflowExecutionCompletedEventAttributes(_)
        | A::WorkflowExecutionFailedEventAttributes(_)
        | A::WorkflowExecutionTimedOutEventAttributes(_)
        | A::WorkflowExecutionTerminatedEventAttributes(_)
        | A::WorkflowExecutionCanceledEventAttributes(_)
        | A::WorkflowExecutionContinuedAsNewEventAttributes(_) => Role::Ends,
        A::WorkflowTaskScheduledEventAttributes(_) => Role::TaskScheduled,
        A::WorkflowTaskStartedEventAttributes(a) => Role::TaskStarted { scheduled: a.scheduled_event_id },
        A::WorkflowTaskCompletedEventAttributes(a) => task_closed(a.scheduled_event_id, a.started_event_id),
        A::WorkflowTaskTimedOutEventAttributes(a) => task_closed(a.scheduled_event_id, a.started_event_id),
        A::WorkflowTaskFailedEventAttributes(a) => task_closed(a.scheduled_event_id, a.started_event_id),
        A::ActivityTaskScheduledEventAttributes(_) => Role::Opens(Activity),
        A::ActivityTaskStartedEventAttributes(a) => starts(Activity, a.scheduled_event_id),
        A::ActivityTaskCompletedEventAttributes(a) => ends(Activity, a.scheduled_event_id, a.started_event_id),
        A::ActivityTaskFailedEventAttributes(a) => ends(Activity, a.scheduled_event_id, a.started_event_id),
        A::ActivityTaskTimedOutEventAttributes(a) => ends(Activity, a.scheduled_event_id, a.started_event_id),
        A::ActivityTaskCanceledEventAttributes(a) => ends(Activity, a.scheduled_event_id, a.started_event_id),
        A::ActivityTaskCancelRequestedEventAttributes(a) => cancels(Activity, a.scheduled_event_id),
        A::TimerStartedEventAttributes(_) => Role::Opens(Timer),
        A::TimerFiredEventAttributes(a) => closes(Timer, a.started_event_id),
        A::TimerCanceledEventAttributes(a) => closes(Timer, a.started_event_id),
        A::StartChildWorkflowExecutionInitiatedEventAttributes(_) => Role::Opens(Child),
        A::StartChildWorkflowExecutionFailedEventAttributes(a) => ends(Child, a.initiated_event_id, 0),
        A::ChildWorkflowExecutionStartedEventAttributes(a) => starts(Child, a.initiated_event_id),
        A::ChildWorkflowExecutionCompletedEventAttributes(a) => ends(Child, a.initiated_event_id, a.started_event_id),
        A::ChildWorkflowExecutionFailedEventAttributes(a) => ends(Child, a.initiated_event_id, a.started_event_id),
        A::ChildWorkflowExecutionCanceledEventAttributes(a) => ends(Child, a.initiated_event_id, a.started_event_id),
        A::ChildWorkflowExecutionTimedOutEventAttributes(a) => ends(Child, a.initiated_event_id, a.started_event_id),
        A::ChildWorkflowExecutionTerminatedEventAttributes(a) => ends(Child, a.initiated_event_id, a.started_event_id),
        A::SignalExternalWorkflowExecutionInitiatedEventAttributes(_) => Role::Opens(ExternalSignal),
        A::ExternalWorkflowExecutionSignaledEventAttributes(a) => closes(ExternalSignal, a.initiated_event_id),
        A::SignalExternalWorkflowExecutionFailedEventAttributes(a) => closes(ExternalSignal, a.initiated_event_id),
        A::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(_) => Role::Opens(ExternalCancellation),
        A::ExternalWorkflowExecutionCancelRequestedEventAttributes(a) => {
            closes(ExternalCancellation, a.initiated_event_id)
        }
        A::RequestCancelExternalWorkflowExecutionFailedEventAttributes(a) => {
            closes(ExternalCancellation, a.initiated_event_id)
        }
        A::WorkflowExecutionUpdateAcceptedEventAttributes(_) => Role::Opens(Update),
        A::WorkflowExecutionUpdateCompletedEventAttributes(a) => closes(Update, a.accepted_event_id),
        A::NexusOperationScheduledEventAttributes(_) => Role::Opens(NexusOperation),
        A::NexusOperationStartedEventAttributes(a) => starts(NexusOperation, a.scheduled_event_id),
        A::NexusOperationCompletedEventAttributes(a) => closes(NexusOperation, a.scheduled_event_id),
        A::NexusOperationFailedEventAttributes(a) => closes(NexusOperation, a.scheduled_event_id),
        A::NexusOperationCanceledEventAttributes(a) => closes(NexusOperation, a.scheduled_event_id),
        A::NexusOperationTimedOutEventAttributes(a) => closes(NexusOperation, a.scheduled_event_id),
        A::NexusOperationCancelRequestedEventAttributes(a) => cancels(NexusOperation, a.scheduled_event_id),
        _ => Role::Alone,
    }
}

fn task_closed(scheduled: i64, started: i64) -> Role {
    Role::TaskClosed { scheduled, started }
}

fn starts(subject: Subject, opened: i64) -> Role {
    Role::Starts { subject, opened }
}

fn cancels(subject: Subject, opened: i64) -> Role {
    Role::Cancels { subject, opened }
}

/// The completed workflow task whose command the event is, if it is one's.
pub(super) fn command_of(attributes: &A) -> Option<i64> {
    match attributes {
        A::WorkflowExecutionCompletedEventAttributes(a) => Some(a.workflow_task_completed_event_id),
        A::WorkflowExecutionFailedEventAttributes(a) => Some(a.workflow_task_completed_event_id),
        A::WorkflowExecutionCanceledEventAttributes(a) => Some(a.workflow_task_completed_event_id),
        A::WorkflowExecutionContinuedAsNewEventAttributes(a) => Some(a.workflow_task_completed_event_id),
        A::ActivityTaskScheduledEventAttributes(a) => Some(a.workflow_task_completed_event_id),
        A::ActivityTaskCancelRequestedEventAttributes(a) => Some(a.workflow_task_completed_event_id),
        A::TimerStartedEventAttributes(a) => Some(a.workflow_task_completed_event_id),
        A::TimerCanceledEventAttributes(a) => Some(a.workflow_task_completed_event_id),
        A::MarkerRecordedEventAttributes(a) => Some(a.workflow_task_completed_event_id),
        A::StartChildWorkflowExecutionInitiatedEventAttributes(a) => Some(a.workflow_task_completed_event_id),
        A::SignalExternalWorkflowExecutionInitiatedEventAttributes(a) => Some(a.workflow_task_completed_event_id),
        A::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(a) => {
            Some(a.workflow_task_completed_event_id)
        }
        A::UpsertWorkflowSearchAttributesEventAttributes(a) => Some(a.workflow_task_completed_event_id),
        A::WorkflowPropertiesModifiedEventAttributes(a) => Some(a.workflow_task_completed_event_id),
        A::NexusOperationScheduledEventAttributes(a) => Some(a.workflow_task_completed_event_id),
        A::NexusOperationCancelRequestedEventAttributes(a) => Some(a.workflow_task_completed_event_id),
        _ => None,
    }
}

/// A timer's id, which no other open timer may have.
pub(super) fn timer_id(attributes: &A) -> Option<&str> {
    match attributes {
        A::TimerStartedEventAttributes(a) => Some(&a.timer_id),
        A::TimerFiredEventAttributes(a) => Some(&a.timer_id),
        A::TimerCanceledEventAttributes(a) => Some(&a.timer_id),
        _ => None,
    }
}
