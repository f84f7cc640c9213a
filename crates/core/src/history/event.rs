//! What kind of event an event is, as far as cutting history into sequences goes.

use stead_proto::enums::v1::EventType;
use stead_proto::history::v1::HistoryEvent;
use stead_proto::history::v1::history_event::Attributes;

/// The kinds of events that matter before any machine looks at them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The run started.
    Started,
    /// A workflow task was scheduled.
    TaskScheduled,
    /// A workflow task was started.
    TaskStarted,
    /// A workflow task was completed.
    TaskCompleted,
    /// A workflow task failed or timed out.
    TaskLost,
    /// The trace of a command.
    Command,
    /// The trace of the command that closed the run.
    ClosedByCommand,
    /// The run was closed from outside.
    ClosedFromOutside,
    /// Anything else.
    Other,
}

impl Kind {
    /// Whether nothing follows it.
    pub(crate) const fn is_final(self) -> bool {
        matches!(self, Self::ClosedByCommand | Self::ClosedFromOutside)
    }

    /// Whether it is the trace of a command of this run.
    pub(crate) const fn is_command(self) -> bool {
        matches!(self, Self::Command | Self::ClosedByCommand)
    }
}

/// The kind of an event. Decided by its attributes alone, which are what the machines read.
pub(crate) fn kind(event: &HistoryEvent) -> Kind {
    let Some(attributes) = &event.attributes else { return Kind::Other };
    match attributes {
        Attributes::WorkflowExecutionStartedEventAttributes(_) => Kind::Started,
        Attributes::WorkflowTaskScheduledEventAttributes(_) => Kind::TaskScheduled,
        Attributes::WorkflowTaskStartedEventAttributes(_) => Kind::TaskStarted,
        Attributes::WorkflowTaskCompletedEventAttributes(_) => Kind::TaskCompleted,
        Attributes::WorkflowTaskFailedEventAttributes(_) | Attributes::WorkflowTaskTimedOutEventAttributes(_) => {
            Kind::TaskLost
        }
        Attributes::ActivityTaskScheduledEventAttributes(_)
        | Attributes::ActivityTaskCancelRequestedEventAttributes(_)
        | Attributes::MarkerRecordedEventAttributes(_)
        | Attributes::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(_)
        | Attributes::SignalExternalWorkflowExecutionInitiatedEventAttributes(_)
        | Attributes::StartChildWorkflowExecutionInitiatedEventAttributes(_)
        | Attributes::TimerCanceledEventAttributes(_)
        | Attributes::TimerStartedEventAttributes(_)
        | Attributes::UpsertWorkflowSearchAttributesEventAttributes(_)
        | Attributes::WorkflowPropertiesModifiedEventAttributes(_)
        | Attributes::NexusOperationScheduledEventAttributes(_)
        | Attributes::NexusOperationCancelRequestedEventAttributes(_)
        | Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(_)
        | Attributes::WorkflowExecutionUpdateRejectedEventAttributes(_)
        | Attributes::WorkflowExecutionUpdateCompletedEventAttributes(_) => Kind::Command,
        Attributes::WorkflowExecutionCanceledEventAttributes(_)
        | Attributes::WorkflowExecutionCompletedEventAttributes(_)
        | Attributes::WorkflowExecutionContinuedAsNewEventAttributes(_)
        | Attributes::WorkflowExecutionFailedEventAttributes(_) => Kind::ClosedByCommand,
        Attributes::WorkflowExecutionTerminatedEventAttributes(_)
        | Attributes::WorkflowExecutionTimedOutEventAttributes(_) => Kind::ClosedFromOutside,
        _ => Kind::Other,
    }
}

/// The name of an event's type as the API spells it, without its prefix: `TIMER_STARTED`.
pub(crate) fn name(event: &HistoryEvent) -> &'static str {
    type_name(event.event_type)
}

/// The same of a type alone.
pub(crate) fn type_name(event_type: i32) -> &'static str {
    let name = EventType::try_from(event_type).unwrap_or(EventType::Unspecified).as_str_name();
    name.strip_prefix("EVENT_TYPE_").unwrap_or(name)
}
