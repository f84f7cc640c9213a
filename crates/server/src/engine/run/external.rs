//! Signals and cancellations that a run sends to other workflows, and what became of them.

use stead_proto::command::v1::{
    RequestCancelExternalWorkflowExecutionCommandAttributes, SignalExternalWorkflowExecutionCommandAttributes,
};
use stead_proto::common::v1::WorkflowExecution;
use stead_proto::enums::v1::{CancelExternalWorkflowExecutionFailedCause, SignalExternalWorkflowExecutionFailedCause};
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::history::v1::{
    ExternalWorkflowExecutionCancelRequestedEventAttributes, ExternalWorkflowExecutionSignaledEventAttributes,
    RequestCancelExternalWorkflowExecutionFailedEventAttributes as CancelFailed,
    RequestCancelExternalWorkflowExecutionInitiatedEventAttributes as CancelInitiated,
    SignalExternalWorkflowExecutionFailedEventAttributes as SignalFailed,
    SignalExternalWorkflowExecutionInitiatedEventAttributes as SignalInitiated,
};

use super::events::Extras;
use super::state::ExternalState;
use super::{Context, Run};
use crate::engine::effect::Effect;

impl Run {
    pub(crate) fn signal_external(
        &mut self,
        cx: &mut Context<'_>,
        command: SignalExternalWorkflowExecutionCommandAttributes,
        completed_event_id: i64,
        extras: Extras,
    ) {
        let event = SignalInitiated {
            workflow_task_completed_event_id: completed_event_id,
            namespace: command.namespace,
            namespace_id: cx.namespace_id.to_owned(),
            workflow_execution: command.execution,
            signal_name: command.signal_name,
            input: command.input,
            control: command.control,
            child_workflow_only: command.child_workflow_only,
            header: command.header,
        };
        let event = Attributes::SignalExternalWorkflowExecutionInitiatedEventAttributes(Box::new(event));
        let initiated_event_id = self.add_with(cx, event, extras);
        self.signals.insert(initiated_event_id, ExternalState { request_id: cx.ids.uuid().to_string() });
        cx.effects.push_back(Effect::SignalExternal(self.key, initiated_event_id));
    }

    pub(crate) fn cancel_external(
        &mut self,
        cx: &mut Context<'_>,
        command: RequestCancelExternalWorkflowExecutionCommandAttributes,
        completed_event_id: i64,
        extras: Extras,
    ) {
        let event = CancelInitiated {
            workflow_task_completed_event_id: completed_event_id,
            namespace: command.namespace,
            namespace_id: cx.namespace_id.to_owned(),
            workflow_execution: Some(WorkflowExecution { workflow_id: command.workflow_id, run_id: command.run_id }),
            control: command.control,
            child_workflow_only: command.child_workflow_only,
            reason: command.reason,
        };
        let event = Attributes::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(event);
        let initiated_event_id = self.add_with(cx, event, extras);
        self.cancels.insert(initiated_event_id, ExternalState { request_id: cx.ids.uuid().to_string() });
        cx.effects.push_back(Effect::CancelExternal(self.key, initiated_event_id));
    }

    /// A signal that has not been delivered, with its request id.
    pub(crate) fn undelivered_signal(&self, initiated_event_id: i64) -> Option<(SignalInitiated, String)> {
        let request_id = self.signals.get(&initiated_event_id)?.request_id.clone();
        match self.history.event(initiated_event_id)?.attributes {
            Some(Attributes::SignalExternalWorkflowExecutionInitiatedEventAttributes(signal)) => {
                Some((*signal, request_id))
            }
            _ => None,
        }
    }

    /// A cancellation that has not been delivered, with its request id.
    pub(crate) fn undelivered_cancel(&self, initiated_event_id: i64) -> Option<(CancelInitiated, String)> {
        let request_id = self.cancels.get(&initiated_event_id)?.request_id.clone();
        match self.history.event(initiated_event_id)?.attributes {
            Some(Attributes::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(cancel)) => {
                Some((cancel, request_id))
            }
            _ => None,
        }
    }

    pub(crate) fn signal_delivered(
        &mut self,
        cx: &mut Context<'_>,
        initiated_event_id: i64,
        signal: SignalInitiated,
        outcome: Result<(), SignalExternalWorkflowExecutionFailedCause>,
    ) {
        self.signals.remove(&initiated_event_id);
        let namespace = cx.namespace.to_owned();
        let SignalInitiated { namespace_id, workflow_execution, control, .. } = signal;
        let event = match outcome {
            Ok(()) => {
                let event = ExternalWorkflowExecutionSignaledEventAttributes {
                    initiated_event_id,
                    namespace,
                    namespace_id,
                    workflow_execution,
                    control,
                };
                Attributes::ExternalWorkflowExecutionSignaledEventAttributes(event)
            }
            Err(cause) => {
                let event = SignalFailed {
                    cause: cause.into(),
                    // The server leaves it out here.
                    workflow_task_completed_event_id: 0,
                    namespace,
                    namespace_id,
                    workflow_execution,
                    initiated_event_id,
                    control,
                };
                Attributes::SignalExternalWorkflowExecutionFailedEventAttributes(event)
            }
        };
        self.add(cx, event);
        self.wake(cx);
    }

    pub(crate) fn cancel_delivered(
        &mut self,
        cx: &mut Context<'_>,
        initiated_event_id: i64,
        cancel: CancelInitiated,
        outcome: Result<(), CancelExternalWorkflowExecutionFailedCause>,
    ) {
        self.cancels.remove(&initiated_event_id);
        let namespace = cx.namespace.to_owned();
        let CancelInitiated { namespace_id, workflow_execution, .. } = cancel;
        let event = match outcome {
            Ok(()) => {
                let event = ExternalWorkflowExecutionCancelRequestedEventAttributes {
                    initiated_event_id,
                    namespace,
                    namespace_id,
                    workflow_execution,
                };
                Attributes::ExternalWorkflowExecutionCancelRequestedEventAttributes(event)
            }
            Err(cause) => {
                let event = CancelFailed {
                    cause: cause.into(),
                    // The server leaves these two out here.
                    workflow_task_completed_event_id: 0,
                    control: String::new(),
                    namespace,
                    namespace_id,
                    workflow_execution,
                    initiated_event_id,
                };
                Attributes::RequestCancelExternalWorkflowExecutionFailedEventAttributes(event)
            }
        };
        self.add(cx, event);
        self.wake(cx);
    }
}
