//! What callers do to a running workflow: signal, cancel, terminate.

use stead_proto::common::v1::{Link, WorkflowExecution};
use stead_proto::enums::v1::{EventType, ResourceExhaustedCause};
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::history::v1::{
    WorkflowExecutionCancelRequestedEventAttributes, WorkflowExecutionSignaledEventAttributes,
};
use stead_proto::workflowservice::v1 as api;

use super::call::Outcome;
use super::namespaces::NamespaceKey;
use super::run::close::Termination;
use super::run::{Context, Run, RunKey};
use super::{Engine, Refusal, runs};

/// A signal, from a caller or from another workflow.
#[derive(Debug)]
pub(crate) struct Signal {
    pub(crate) event: WorkflowExecutionSignaledEventAttributes,
    pub(crate) links: Vec<Link>,
    /// Serves a signal once, however often it is sent.
    pub(crate) request_id: String,
}

/// A request to cancel, from a caller or from another workflow.
#[derive(Debug)]
pub(crate) struct Cancellation {
    pub(crate) event: WorkflowExecutionCancelRequestedEventAttributes,
    pub(crate) links: Vec<Link>,
    pub(crate) request_id: String,
}

impl Engine {
    pub(super) fn signal_workflow_execution(
        &mut self,
        request: api::SignalWorkflowExecutionRequest,
    ) -> Result<Outcome, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        runs::named(request.workflow_execution.as_ref())?;
        if request.signal_name.is_empty() {
            return Err(Refusal::invalid("SignalName is not set on request."));
        }
        self.check_blob(request.input.as_ref())?;
        let key = self.runs.find(namespace, request.workflow_execution.as_ref())?;
        let signal = Signal {
            event: WorkflowExecutionSignaledEventAttributes {
                signal_name: request.signal_name,
                input: request.input,
                identity: request.identity,
                header: request.header,
                request_id: request.request_id.clone(),
                ..Default::default()
            },
            links: request.links,
            request_id: request.request_id,
        };
        let request_id = signal.request_id.clone();
        self.signal(key, signal)?;
        let run = self.runs.get(key);
        let link = run.map(|run| self.request_link(run, request_id, EventType::WorkflowExecutionSignaled));
        Ok(api::SignalWorkflowExecutionResponse { link }.into())
    }

    /// Signals a run, once for each request id.
    pub(super) fn signal(&mut self, key: RunKey, signal: Signal) -> Result<(), Refusal> {
        let run = self.runs.get(key).ok_or_else(already_completed)?;
        if !signal.request_id.is_empty() && run.requests.get(&signal.request_id).is_some() {
            return Ok(());
        }
        if !run.is_open() {
            return Err(already_completed());
        }
        check_not_closing(run)?;
        if run.state.signals >= self.config.limits.signals as u64 {
            return Err(Refusal::invalid("exceeded workflow execution limit for signal events"));
        }
        self.transact(key, |run, cx| run.signal(cx, signal));
        Ok(())
    }

    pub(super) fn request_cancel_workflow_execution(
        &mut self,
        request: api::RequestCancelWorkflowExecutionRequest,
    ) -> Result<Outcome, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        let execution = request.workflow_execution.as_ref();
        let key = self.find_in_chain(namespace, execution, &request.first_execution_run_id)?;
        let cancellation = Cancellation {
            event: WorkflowExecutionCancelRequestedEventAttributes {
                cause: request.reason,
                identity: request.identity,
                ..Default::default()
            },
            links: request.links,
            request_id: request.request_id,
        };
        self.request_cancel(key, cancellation);
        Ok(api::RequestCancelWorkflowExecutionResponse {}.into())
    }

    /// Asks a run to end. A run that is closed, or has been asked before, is left as it is.
    pub(super) fn request_cancel(&mut self, key: RunKey, cancellation: Cancellation) {
        let open = self.runs.get(key).is_some_and(|run| run.is_open() && !run.state.cancel_requested);
        if open {
            self.transact(key, |run, cx| run.request_cancel(cx, cancellation));
        }
    }

    pub(super) fn terminate_workflow_execution(
        &mut self,
        request: api::TerminateWorkflowExecutionRequest,
    ) -> Result<Outcome, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        let execution = request.workflow_execution.as_ref();
        let key = self.find_in_chain(namespace, execution, &request.first_execution_run_id)?;
        self.runs.get(key).filter(|run| run.is_open()).ok_or_else(already_completed)?;
        let or = |said: String, default: &str| if said.is_empty() { default.to_owned() } else { said };
        let termination = Termination {
            reason: or(request.reason, "terminated by user via frontend"),
            details: request.details,
            identity: or(request.identity, "frontend-service"),
            links: request.links,
        };
        self.transact(key, |run, cx| run.terminate(cx, termination));
        Ok(api::TerminateWorkflowExecutionResponse {}.into())
    }

    /// The run that a call names, which must belong to the chain that it names, too.
    pub(super) fn find_in_chain(
        &self,
        namespace: NamespaceKey,
        execution: Option<&WorkflowExecution>,
        first_run_id: &str,
    ) -> Result<RunKey, Refusal> {
        let key = self.runs.find(namespace, execution)?;
        let matches = self.runs.get(key).is_some_and(|run| run.state.first_run_id == first_run_id);
        if first_run_id.is_empty() || matches {
            return Ok(key);
        }
        Err(Refusal::not_found("workflow execution not found"))
    }
}

impl Run {
    pub(crate) fn signal(&mut self, cx: &mut Context<'_>, signal: Signal) {
        self.add_signal(cx, signal);
        self.wake(cx);
    }

    pub(crate) fn add_signal(&mut self, cx: &Context<'_>, signal: Signal) {
        self.state.signals += 1;
        let event = Attributes::WorkflowExecutionSignaledEventAttributes(Box::new(signal.event));
        let event_id = self.add_with(cx, event, signal.links.into());
        self.served(signal.request_id, EventType::WorkflowExecutionSignaled, event_id);
    }

    pub(crate) fn request_cancel(&mut self, cx: &mut Context<'_>, cancellation: Cancellation) {
        self.state.cancel_requested = true;
        self.state.cancel_request_id = cancellation.request_id;
        let event = Attributes::WorkflowExecutionCancelRequestedEventAttributes(cancellation.event);
        self.add_with(cx, event, cancellation.links.into());
        self.wake(cx);
    }
}

pub(super) fn already_completed() -> Refusal {
    Refusal::not_found("workflow execution already completed")
}

/// A workflow that tried to close, and could not because of news, gets its next chance without more news.
pub(super) fn check_not_closing(run: &Run) -> Result<(), Refusal> {
    if !run.state.closing_refused || !run.task_is_started() {
        return Ok(());
    }
    Err(closing())
}

/// Asked again a little later, it may be another matter.
pub(super) fn closing() -> Refusal {
    let message = "workflow operation can not be applied because workflow is closing";
    Refusal::exhausted(ResourceExhaustedCause::BusyWorkflow, message)
}
