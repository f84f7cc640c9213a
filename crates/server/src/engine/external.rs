//! Delivering what runs send to other workflows: signals and cancellations.

use stead_proto::common::v1::WorkflowExecution;
use stead_proto::enums::v1::{
    CancelExternalWorkflowExecutionFailedCause as CancelCause,
    SignalExternalWorkflowExecutionFailedCause as SignalCause,
};
use stead_proto::history::v1::{
    RequestCancelExternalWorkflowExecutionInitiatedEventAttributes as CancelInitiated,
    SignalExternalWorkflowExecutionInitiatedEventAttributes as SignalInitiated,
    WorkflowExecutionCancelRequestedEventAttributes, WorkflowExecutionSignaledEventAttributes,
};

use super::Engine;
use super::control::{Cancellation, Signal};
use super::run::RunKey;
use super::start::HISTORY_SERVICE;

impl Engine {
    /// Delivers a signal that a run sends, unless the run has closed since.
    pub(super) fn deliver_signal(&mut self, source: RunKey, initiated_event_id: i64) {
        let Some(run) = self.runs.get(source).filter(|run| run.is_open()) else { return };
        let Some((signal, request_id)) = run.undelivered_signal(initiated_event_id) else { return };
        let outcome = self.signal_other(source, &signal, request_id);
        self.transact(source, |run, cx| run.signal_delivered(cx, initiated_event_id, signal, outcome));
    }

    fn signal_other(
        &mut self,
        source: RunKey,
        signal: &SignalInitiated,
        request_id: String,
    ) -> Result<(), SignalCause> {
        let not_found = SignalCause::ExternalWorkflowExecutionNotFound;
        let target = self.other_workflow(source, signal.workflow_execution.as_ref(), signal.child_workflow_only);
        let target = target.and_then(|key| self.runs.get(key)).filter(|run| run.is_open()).ok_or(not_found)?;
        if target.state.signals >= self.config.limits.signals as u64 {
            return Err(SignalCause::SignalCountLimitExceeded);
        }
        let target = target.key;
        let event = WorkflowExecutionSignaledEventAttributes {
            signal_name: signal.signal_name.clone(),
            input: signal.input.clone(),
            identity: HISTORY_SERVICE.to_owned(),
            header: signal.header.clone(),
            external_workflow_execution: self.runs.get(source).map(super::run::Run::execution),
            request_id,
            ..Default::default()
        };
        // It is delivered once, so the target need not remember it.
        let signal = Signal { event, links: Vec::new(), request_id: String::new() };
        self.transact(target, |run, cx| run.signal(cx, signal));
        Ok(())
    }

    /// Delivers a cancellation that a run sends, unless the run has closed since.
    pub(super) fn deliver_cancel(&mut self, source: RunKey, initiated_event_id: i64) {
        let Some(run) = self.runs.get(source).filter(|run| run.is_open()) else { return };
        let Some((cancel, request_id)) = run.undelivered_cancel(initiated_event_id) else { return };
        let outcome = self.cancel_other(source, initiated_event_id, &cancel, request_id);
        self.transact(source, |run, cx| run.cancel_delivered(cx, initiated_event_id, cancel, outcome));
    }

    /// A workflow that has ended already is as good as cancelled.
    fn cancel_other(
        &mut self,
        source: RunKey,
        initiated_event_id: i64,
        cancel: &CancelInitiated,
        request_id: String,
    ) -> Result<(), CancelCause> {
        let execution = cancel.workflow_execution.as_ref();
        // Whose child a closed workflow was does not matter.
        let target =
            self.other_workflow(source, execution, false).ok_or(CancelCause::ExternalWorkflowExecutionNotFound)?;
        let open = self.runs.get(target).is_some_and(super::run::Run::is_open);
        if open && self.other_workflow(source, execution, cancel.child_workflow_only).is_none() {
            return Err(CancelCause::ExternalWorkflowExecutionNotFound);
        }
        let event = WorkflowExecutionCancelRequestedEventAttributes {
            cause: cancel.reason.clone(),
            identity: HISTORY_SERVICE.to_owned(),
            external_initiated_event_id: initiated_event_id,
            external_workflow_execution: self.runs.get(source).map(super::run::Run::execution),
        };
        self.request_cancel(target, Cancellation { event, links: Vec::new(), request_id });
        Ok(())
    }

    /// The workflow that a run means: never itself, and a child of its own if it says so.
    fn other_workflow(
        &self,
        source: RunKey,
        execution: Option<&WorkflowExecution>,
        only_child: bool,
    ) -> Option<RunKey> {
        let source = self.runs.get(source)?;
        if execution?.workflow_id == source.state.workflow_id {
            return None;
        }
        let target = self.runs.find(source.namespace(), execution).ok()?;
        let fits = !only_child || self.runs.get(target)?.is_child_of(&source.execution());
        fits.then_some(target)
    }
}
