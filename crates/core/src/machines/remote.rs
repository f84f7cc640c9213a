//! What a run asks of other workflows and services: children, signals, cancellations, Nexus operations.

mod child;
mod events;
mod external;
mod matching;
mod nexus;

use stead_activation::{
    CallSite, CancelExternal, ExternalWorkflow, Payload, PayloadMap, ScheduleNexusOperation, Seq, SignalExternal,
    SignalTarget, SignalWithStart, StartChildWorkflow,
};
use stead_proto::command::v1::command::Attributes as Command;
use stead_proto::command::v1::{
    RequestCancelExternalWorkflowExecutionCommandAttributes, RequestCancelNexusOperationCommandAttributes,
    ScheduleNexusOperationCommandAttributes, SignalExternalWorkflowExecutionCommandAttributes,
    StartChildWorkflowExecutionCommandAttributes,
};
use stead_proto::common::v1::{Memo, SearchAttributes, WorkflowExecution, WorkflowType};
use stead_proto::enums::v1::CommandType;
use stead_proto::sdk::v1::UserMetadata;
use stead_proto::system;
use stead_proto::taskqueue::v1::TaskQueue;
use stead_proto::workflowservice::v1::SignalWithStartWorkflowExecutionRequest;

use self::child::{CancelChild, Child};
use self::external::Request;
use self::nexus::{CancelNexusOperation, NexusOperation};
use super::commands::{UnknownReference, ended, header, payloads, task_queue};
use super::pending::{What, wire, wire_with_summary};
use super::{Machines, Table};
use crate::time::proto_duration;

/// What a run asks of other workflows and services. Most runs ask for nothing.
#[derive(Debug, Default)]
pub(super) struct Remote {
    children: Table<Child>,
    /// Requests to cancel children.
    child_cancels: Table<ChildCancel>,
    signals: Table<Request>,
    cancels: Table<Request>,
    nexus: Table<NexusOperation>,
}

/// A request to cancel a child.
#[derive(Debug)]
struct ChildCancel {
    child: Seq,
    request: Request,
}

/// Children.
impl Machines {
    pub(super) fn start_child(
        &mut self,
        request: StartChildWorkflow,
        at: Option<CallSite>,
    ) -> Result<(), UnknownReference> {
        let child = Child::new(&request, &self.options.namespace);
        let remote = self.remote.get_or_insert_default();
        let index = remote.children.insert(request.seq, child).ok_or(UnknownReference)?;
        self.issue(What::StartChild(index), at, |machines| machines.start_child_wire(request));
        Ok(())
    }

    fn start_child_wire(&self, request: StartChildWorkflow) -> stead_proto::command::v1::Command {
        #[expect(deprecated, reason = "the server still reads the namespace")]
        let attributes = StartChildWorkflowExecutionCommandAttributes {
            namespace: self.namespace_or_own(request.namespace),
            workflow_id: request.workflow_id,
            workflow_type: Some(WorkflowType { name: request.workflow_type }),
            task_queue: Some(self.queue_or_own(request.task_queue)),
            input: payloads(request.arguments),
            workflow_execution_timeout: request.execution_timeout.map(proto_duration),
            workflow_run_timeout: request.run_timeout.map(proto_duration),
            workflow_task_timeout: request.task_timeout.map(proto_duration),
            parent_close_policy: request.parent_close_policy.into(),
            workflow_id_reuse_policy: request.id_reuse_policy.into(),
            retry_policy: request.retry_policy,
            cron_schedule: request.cron_schedule,
            header: header(request.headers),
            memo: memo(request.memo),
            search_attributes: search_attributes(request.search_attributes),
            priority: request.priority,
            ..StartChildWorkflowExecutionCommandAttributes::default()
        };
        let attributes = Command::StartChildWorkflowExecutionCommandAttributes(Box::new(attributes));
        let mut command = wire(CommandType::StartChildWorkflowExecution, attributes);
        command.user_metadata = user_metadata(request.summary, request.details).map(Box::new);
        command
    }

    pub(super) fn cancel_child(
        &mut self,
        seq: Seq,
        reason: String,
        at: Option<CallSite>,
    ) -> Result<(), UnknownReference> {
        let Some(remote) = &mut self.remote else { return Err(UnknownReference) };
        let Some(index) = remote.children.by_seq(seq) else { return ended(remote.children.has_had(seq)) };
        let Some(child) = remote.children.get_mut(index) else { return Ok(()) };
        match child.cancel(seq, &reason) {
            CancelChild::TakeBack(job) => {
                remote.children.remove(index);
                self.pending.take_back(|what| matches!(what, What::StartChild(own) if *own == index));
                self.jobs.push(job);
            }
            CancelChild::Request { run_id, job } => {
                let workflow_id = child.workflow_id.to_string();
                let target = ExternalWorkflow { namespace: child.namespace().to_owned(), workflow_id, run_id };
                let cancel = ChildCancel { child: seq, request: Request::Commanded };
                let index = remote.child_cancels.append(cancel).ok_or(UnknownReference)?;
                self.issue(What::CancelChild(index), at, |_| cancel_wire(target, true, reason));
                self.jobs.extend(job);
            }
            CancelChild::Abandon(job) => self.jobs.push(job),
            CancelChild::Nothing => {}
        }
        Ok(())
    }

    fn queue_or_own(&self, name: String) -> TaskQueue {
        task_queue(if name.is_empty() { self.start.task_queue.to_string() } else { name })
    }

    fn namespace_or_own(&self, namespace: String) -> String {
        if namespace.is_empty() { self.options.namespace.to_string() } else { namespace }
    }
}

/// Other workflows.
impl Machines {
    pub(super) fn signal_external(
        &mut self,
        signal: SignalExternal,
        at: Option<CallSite>,
    ) -> Result<(), UnknownReference> {
        let remote = self.remote.get_or_insert_default();
        let index = remote.signals.insert(signal.seq, Request::Commanded).ok_or(UnknownReference)?;
        self.issue(What::SignalExternal(index), at, |machines| machines.signal_wire(signal));
        Ok(())
    }

    fn signal_wire(&self, signal: SignalExternal) -> stead_proto::command::v1::Command {
        let (target, child_workflow_only) = match signal.target {
            SignalTarget::Child { workflow_id } => {
                (ExternalWorkflow { workflow_id, ..ExternalWorkflow::default() }, true)
            }
            SignalTarget::External(target) => (target, false),
        };
        #[expect(deprecated, reason = "the server still reads the namespace")]
        let attributes = SignalExternalWorkflowExecutionCommandAttributes {
            namespace: self.namespace_or_own(target.namespace),
            execution: Some(WorkflowExecution { workflow_id: target.workflow_id, run_id: target.run_id }),
            signal_name: signal.signal_name,
            input: payloads(signal.arguments),
            child_workflow_only,
            header: header(signal.headers),
            ..SignalExternalWorkflowExecutionCommandAttributes::default()
        };
        let attributes = Command::SignalExternalWorkflowExecutionCommandAttributes(Box::new(attributes));
        wire_with_summary(CommandType::SignalExternalWorkflowExecution, attributes, signal.summary)
    }

    /// Only a signal that was not sent can be taken back.
    pub(super) fn cancel_signal_external(&mut self, seq: Seq) -> Result<(), UnknownReference> {
        let Some(remote) = &mut self.remote else { return Err(UnknownReference) };
        let Some(index) = remote.signals.by_seq(seq) else { return ended(remote.signals.has_had(seq)) };
        if remote.signals.get(index).is_some_and(|signal| signal.is_unsent())
            && self.pending.take_back(|what| matches!(what, What::SignalExternal(own) if *own == index))
        {
            remote.signals.remove(index);
            self.jobs.push(external::taken_back(seq));
        }
        Ok(())
    }

    /// The reason tells the other workflow who asked.
    pub(super) fn cancel_external(
        &mut self,
        cancel: CancelExternal,
        at: Option<CallSite>,
    ) -> Result<(), UnknownReference> {
        let remote = self.remote.get_or_insert_default();
        let index = remote.cancels.insert(cancel.seq, Request::Commanded).ok_or(UnknownReference)?;
        self.issue(What::CancelExternal(index), at, |machines| {
            let namespace = machines.namespace_or_own(cancel.target.namespace);
            let run_id = &machines.run_id;
            let reason = format!("Cancel requested by workflow with run id {run_id} with reason: {}", cancel.reason);
            cancel_wire(ExternalWorkflow { namespace, ..cancel.target }, false, reason)
        });
        Ok(())
    }
}

fn cancel_wire(
    target: ExternalWorkflow,
    child_workflow_only: bool,
    reason: String,
) -> stead_proto::command::v1::Command {
    #[expect(deprecated, reason = "the server still reads the namespace")]
    let attributes = RequestCancelExternalWorkflowExecutionCommandAttributes {
        namespace: target.namespace,
        workflow_id: target.workflow_id,
        run_id: target.run_id,
        child_workflow_only,
        reason,
        ..RequestCancelExternalWorkflowExecutionCommandAttributes::default()
    };
    let attributes = Command::RequestCancelExternalWorkflowExecutionCommandAttributes(Box::new(attributes));
    wire(CommandType::RequestCancelExternalWorkflowExecution, attributes)
}

/// Nexus operations.
impl Machines {
    pub(super) fn schedule_nexus_operation(
        &mut self,
        request: ScheduleNexusOperation,
        at: Option<CallSite>,
    ) -> Result<(), UnknownReference> {
        let remote = self.remote.get_or_insert_default();
        let index = remote.nexus.insert(request.seq, NexusOperation::new(&request)).ok_or(UnknownReference)?;
        self.issue(What::ScheduleNexusOperation(index), at, |_| schedule_nexus_wire(request));
        Ok(())
    }

    pub(super) fn signal_with_start(
        &mut self,
        request: SignalWithStart,
        at: Option<CallSite>,
    ) -> Result<(), UnknownReference> {
        let remote = self.remote.get_or_insert_default();
        let index = remote.nexus.insert(request.seq, NexusOperation::signal_with_start()).ok_or(UnknownReference)?;
        self.issue(What::ScheduleNexusOperation(index), at, |machines| machines.signal_with_start_wire(request));
        Ok(())
    }

    /// The server completes the request with what is its to say: the namespace, a request id and links.
    fn signal_with_start_wire(&self, request: SignalWithStart) -> stead_proto::command::v1::Command {
        let request = SignalWithStartWorkflowExecutionRequest {
            workflow_id: request.workflow_id,
            workflow_type: Some(WorkflowType { name: request.workflow_type }),
            task_queue: Some(self.queue_or_own(request.task_queue)),
            input: payloads(request.arguments),
            workflow_execution_timeout: request.execution_timeout.map(proto_duration),
            workflow_run_timeout: request.run_timeout.map(proto_duration),
            workflow_task_timeout: request.task_timeout.map(proto_duration),
            workflow_id_reuse_policy: request.id_reuse_policy.into(),
            workflow_id_conflict_policy: request.id_conflict_policy.into(),
            signal_name: request.signal_name,
            signal_input: payloads(request.signal_arguments),
            retry_policy: request.retry_policy,
            cron_schedule: request.cron_schedule,
            memo: memo(request.memo),
            search_attributes: search_attributes(request.search_attributes),
            header: header(request.headers),
            workflow_start_delay: request.start_delay.map(proto_duration),
            user_metadata: user_metadata(request.summary, request.details),
            versioning_override: request.versioning_override,
            priority: request.priority,
            ..SignalWithStartWorkflowExecutionRequest::default()
        };
        let attributes = ScheduleNexusOperationCommandAttributes {
            endpoint: system::ENDPOINT.to_owned(),
            service: system::WORKFLOW_SERVICE.to_owned(),
            operation: system::SIGNAL_WITH_START.to_owned(),
            input: Some(system::envelope(&request)),
            ..ScheduleNexusOperationCommandAttributes::default()
        };
        let attributes = Command::ScheduleNexusOperationCommandAttributes(Box::new(attributes));
        wire(CommandType::ScheduleNexusOperation, attributes)
    }

    pub(super) fn cancel_nexus_operation(&mut self, seq: Seq, at: Option<CallSite>) -> Result<(), UnknownReference> {
        let Some(remote) = &mut self.remote else { return Err(UnknownReference) };
        let Some(index) = remote.nexus.by_seq(seq) else { return ended(remote.nexus.has_had(seq)) };
        let Some(operation) = remote.nexus.get_mut(index) else { return Ok(()) };
        match operation.cancel(seq) {
            CancelNexusOperation::TakeBack(job) => {
                remote.nexus.remove(index);
                self.pending.take_back(|what| matches!(what, What::ScheduleNexusOperation(own) if *own == index));
                self.jobs.push(job);
            }
            CancelNexusOperation::Issue { scheduled_event_id, job } => {
                self.issue(What::CancelNexusOperation(index), at, |_| {
                    let attributes = RequestCancelNexusOperationCommandAttributes { scheduled_event_id };
                    let attributes = Command::RequestCancelNexusOperationCommandAttributes(attributes);
                    wire(CommandType::RequestCancelNexusOperation, attributes)
                });
                self.jobs.extend(job);
            }
            CancelNexusOperation::Abandon(job) => self.jobs.push(job),
            CancelNexusOperation::Nothing => {}
        }
        Ok(())
    }
}

fn schedule_nexus_wire(request: ScheduleNexusOperation) -> stead_proto::command::v1::Command {
    let summary: Option<Payload> = request.summary;
    let attributes = ScheduleNexusOperationCommandAttributes {
        endpoint: request.endpoint,
        service: request.service,
        operation: request.operation,
        input: request.input,
        schedule_to_close_timeout: request.schedule_to_close_timeout.map(proto_duration),
        schedule_to_start_timeout: request.schedule_to_start_timeout.map(proto_duration),
        start_to_close_timeout: request.start_to_close_timeout.map(proto_duration),
        nexus_header: request.headers,
    };
    let attributes = Command::ScheduleNexusOperationCommandAttributes(Box::new(attributes));
    wire_with_summary(CommandType::ScheduleNexusOperation, attributes, summary)
}

fn memo(fields: PayloadMap) -> Option<Memo> {
    (!fields.is_empty()).then_some(Memo { fields })
}

fn search_attributes(indexed_fields: PayloadMap) -> Option<SearchAttributes> {
    (!indexed_fields.is_empty()).then_some(SearchAttributes { indexed_fields })
}

fn user_metadata(summary: Option<Payload>, details: Option<Payload>) -> Option<UserMetadata> {
    (summary.is_some() || details.is_some()).then_some(UserMetadata { summary, details })
}
