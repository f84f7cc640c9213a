//! Commands to others and the events that record them.

use stead_proto::common::v1::{WorkflowExecution, WorkflowType};
use stead_proto::history::v1::history_event::Attributes;

use super::Remote;
use crate::machines::Step;
use crate::machines::pending::What;
use crate::{MismatchKind, Operation};

impl Remote {
    /// An event records a command. Where `checks` is set, history was recorded with ids and types being compared.
    pub(in crate::machines) fn record(
        &mut self,
        what: &What,
        event: &Attributes,
        id: i64,
        checks: bool,
    ) -> Result<(), MismatchKind> {
        let step = match (what, event) {
            (What::StartChild(index), Attributes::StartChildWorkflowExecutionInitiatedEventAttributes(it)) => {
                let child = self.children.get_mut(*index).ok_or(MismatchKind::Different)?;
                if checks
                    && !(*child.workflow_id == *it.workflow_id && is_type(&child.workflow_type, &it.workflow_type))
                {
                    return Err(MismatchKind::Different);
                }
                let step = child.initiated(id);
                self.children.record(*index, id);
                step
            }
            (
                What::CancelChild(index),
                Attributes::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(it),
            ) => {
                let cancel = self.child_cancels.get_mut(*index).ok_or(MismatchKind::Different)?;
                let child = self.children.by_seq(cancel.child).and_then(|index| self.children.get(index));
                if checks && child.is_some_and(|child| !is_workflow(&child.workflow_id, &it.workflow_execution)) {
                    return Err(MismatchKind::Different);
                }
                let step = cancel.request.recorded();
                self.child_cancels.record(*index, id);
                step
            }
            (What::SignalExternal(index), Attributes::SignalExternalWorkflowExecutionInitiatedEventAttributes(_)) => {
                let step = self.signals.get_mut(*index).ok_or(MismatchKind::Different)?.recorded();
                self.signals.record(*index, id);
                step
            }
            (
                What::CancelExternal(index),
                Attributes::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(_),
            ) => {
                let step = self.cancels.get_mut(*index).ok_or(MismatchKind::Different)?.recorded();
                self.cancels.record(*index, id);
                step
            }
            (What::ScheduleNexusOperation(index), Attributes::NexusOperationScheduledEventAttributes(it)) => {
                let operation = self.nexus.get_mut(*index).ok_or(MismatchKind::Different)?;
                if checks && !(*operation.service == *it.service && *operation.operation == *it.operation) {
                    return Err(MismatchKind::Different);
                }
                let step = operation.scheduled(id);
                self.nexus.record(*index, id);
                step
            }
            (What::CancelNexusOperation(index), Attributes::NexusOperationCancelRequestedEventAttributes(it))
                if self.nexus.event_id(*index) == it.scheduled_event_id =>
            {
                self.nexus.get(*index).ok_or(MismatchKind::Different)?.cancel_requested()
            }
            _ => return Err(MismatchKind::Different),
        };
        if step == Step::Illegal { Err(MismatchKind::OutOfOrder) } else { Ok(()) }
    }

    /// What a command does, for people.
    pub(in crate::machines) fn operation(&self, what: &What) -> Operation {
        let workflow_id =
            |index| self.children.get(index).map(|child| child.workflow_id.to_string()).unwrap_or_default();
        let operation = |index| {
            let operation = self.nexus.get(index);
            operation.map(|it| (it.service.to_string(), it.operation.to_string())).unwrap_or_default()
        };
        match what {
            What::StartChild(index) => Operation::StartChildWorkflow {
                workflow_id: workflow_id(*index),
                workflow_type: self.children.get(*index).map(|it| it.workflow_type.to_string()).unwrap_or_default(),
            },
            What::CancelChild(index) => {
                let child = self.child_cancels.get(*index).and_then(|cancel| self.children.by_seq(cancel.child));
                Operation::CancelExternal { workflow_id: child.map(workflow_id).unwrap_or_default() }
            }
            What::ScheduleNexusOperation(index) => {
                let (service, operation) = operation(*index);
                Operation::ScheduleNexusOperation { service, operation }
            }
            What::CancelNexusOperation(index) => Operation::CancelNexusOperation { operation: operation(*index).1 },
            What::CancelExternal(_) => Operation::CancelExternal { workflow_id: String::new() },
            _ => Operation::SignalExternal { workflow_id: String::new(), signal_name: String::new() },
        }
    }
}

fn is_type(own: &str, recorded: &Option<WorkflowType>) -> bool {
    recorded.as_ref().is_some_and(|recorded| recorded.name == own)
}

fn is_workflow(own: &str, recorded: &Option<WorkflowExecution>) -> bool {
    recorded.as_ref().is_some_and(|recorded| recorded.workflow_id == own)
}
