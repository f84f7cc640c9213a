//! What the code asks for.

use std::time::Duration;

use stead_activation::{
    CallSite, Command, ContinueAsNew, Failure, Issued, NextRunVersioning, Payload, ScheduleActivity, Seq,
    UpdateResponse,
};
use stead_proto::command::v1::command::Attributes;
use stead_proto::command::v1::{
    CancelTimerCommandAttributes, CancelWorkflowExecutionCommandAttributes, CompleteWorkflowExecutionCommandAttributes,
    ContinueAsNewWorkflowExecutionCommandAttributes, FailWorkflowExecutionCommandAttributes,
    ProtocolMessageCommandAttributes, RequestCancelActivityTaskCommandAttributes,
    ScheduleActivityTaskCommandAttributes, StartTimerCommandAttributes,
};
use stead_proto::common::v1::{ActivityType, Header, Memo, Payloads, SearchAttributes, WorkflowType};
use stead_proto::enums::v1::{CommandType, ContinueAsNewInitiator, ContinueAsNewVersioningBehavior};
use stead_proto::protocol::v1::Message;
use stead_proto::taskqueue::v1::TaskQueue;

use super::Machines;
use super::activity::{Activity, CancelActivity};
use super::pending::{What, wire, wire_with_summary};
use super::timer::{CancelTimer, Timer};
use super::update::Answer;
use crate::fault::Fault;
use crate::flags::Flag;
use crate::patch::Patch;
use crate::time::proto_duration;
use crate::{Mismatch, MismatchKind};

/// The code refers to something that is not there, or uses a number twice.
pub(super) struct UnknownReference;

impl Machines {
    /// The code's answer to an activation.
    pub(crate) fn handle_commands(&mut self, commands: Vec<Issued>) -> Result<(), Fault> {
        let keep_late = self.uses(Flag::MoveTerminalCommands);
        let mut groups = Vec::new();
        for Issued { command, at } in arrange(commands, keep_late) {
            if self.progress.is_ended {
                break;
            }
            if let Command::SetEventGroups(next) = command {
                groups = next;
                continue;
            }
            let before = self.pending.count();
            self.handle_command(command, at)
                .map_err(|UnknownReference| self.misuse(MismatchKind::UnknownReference, at))?;
            if !groups.is_empty() && !self.progress.is_ended {
                self.pending.group(before, &groups);
            }
        }
        self.foretell();
        Ok(())
    }

    fn handle_command(&mut self, command: Command, at: Option<CallSite>) -> Result<(), UnknownReference> {
        match command {
            Command::StartTimer { seq, duration, summary } => self.start_timer(seq, duration, summary, at)?,
            Command::CancelTimer { seq } => self.cancel_timer(seq, at)?,
            Command::ScheduleActivity(activity) => self.schedule_activity(*activity, at)?,
            Command::CancelActivity { seq } => self.cancel_activity(seq, at)?,
            Command::SetPatch { id, deprecated } => self.set_patch(Patch { id, deprecated }, at),
            Command::RespondUpdate { protocol_instance_id, response } => {
                self.respond_update(&protocol_instance_id, response, at)?;
            }
            Command::ScheduleLocalActivity(activity) => self.schedule_local_activity(activity)?,
            Command::CancelLocalActivity { seq } => self.cancel_local_activity(seq, at)?,
            Command::StartChildWorkflow(child) => self.start_child(*child, at)?,
            Command::CancelChildWorkflow { seq, reason } => self.cancel_child(seq, reason, at)?,
            Command::SignalExternal(signal) => self.signal_external(*signal, at)?,
            Command::CancelSignalExternal { seq } => self.cancel_signal_external(seq)?,
            Command::CancelExternal(cancel) => self.cancel_external(*cancel, at)?,
            Command::UpsertSearchAttributes(attributes) => self.upsert_search_attributes(attributes, at),
            Command::UpsertMemo(fields) => self.upsert_memo(fields, at),
            Command::ScheduleNexusOperation(operation) => self.schedule_nexus_operation(*operation, at)?,
            Command::SignalWithStart(request) => self.signal_with_start(*request, at)?,
            Command::CancelNexusOperation { seq } => self.cancel_nexus_operation(seq, at)?,
            // Answers to queries leave no trace, and groups are told by the commands in them: no machine hears of these.
            Command::AnswerQuery { .. } | Command::SetEventGroups(_) => {}
            Command::CompleteWorkflow { result } => self.complete(result, at),
            Command::FailWorkflow { failure } => self.fail(*failure, at),
            Command::CancelWorkflow => self.cancel(at),
            Command::ContinueAsNew(next) => self.continue_as_new(*next, at),
        }
        Ok(())
    }

    /// Whether a behaviour that came with a flag is in force.
    pub(super) fn uses(&self, flag: Flag) -> bool {
        if self.progress.is_replaying { self.flags.is_recorded(flag) } else { self.options().sdk_metadata }
    }

    /// Issues a command. Its form on the wire is only made where it will be sent.
    pub(super) fn issue(
        &mut self,
        what: What,
        at: Option<CallSite>,
        wire: impl FnOnce(&Self) -> stead_proto::command::v1::Command,
    ) {
        let wire = (!self.progress.is_replaying).then(|| wire(self));
        self.pending.push(what, at, wire);
    }

    fn start_timer(
        &mut self,
        seq: Seq,
        duration: Duration,
        summary: Option<Payload>,
        at: Option<CallSite>,
    ) -> Result<(), UnknownReference> {
        let index = self.timers.insert(seq, Timer::Commanded).ok_or(UnknownReference)?;
        self.issue(What::StartTimer { index, duration }, at, |_| {
            let attributes = StartTimerCommandAttributes {
                timer_id: seq.to_string(),
                start_to_fire_timeout: Some(proto_duration(duration)),
            };
            wire_with_summary(CommandType::StartTimer, Attributes::StartTimerCommandAttributes(attributes), summary)
        });
        Ok(())
    }

    fn cancel_timer(&mut self, seq: Seq, at: Option<CallSite>) -> Result<(), UnknownReference> {
        let Some(index) = self.timers.by_seq(seq) else { return ended(self.timers.has_had(seq)) };
        match self.timers.get_mut(index).map_or(CancelTimer::Nothing, Timer::cancel) {
            CancelTimer::TakeBack => {
                self.pending.take_back(|what| matches!(what, What::StartTimer { index: own, .. } if *own == index));
                self.timers.remove(index);
            }
            CancelTimer::Issue => self.issue(What::CancelTimer(index), at, |_| {
                let attributes = CancelTimerCommandAttributes { timer_id: seq.to_string() };
                wire(CommandType::CancelTimer, Attributes::CancelTimerCommandAttributes(attributes))
            }),
            CancelTimer::Nothing => {}
        }
        Ok(())
    }

    fn schedule_activity(&mut self, activity: ScheduleActivity, at: Option<CallSite>) -> Result<(), UnknownReference> {
        let seq = activity.seq;
        let machine = Activity::new(seq, &activity.activity_id, &activity.activity_type, activity.cancellation);
        let index = self.activities.insert(seq, machine).ok_or(UnknownReference)?;
        self.issue(What::ScheduleActivity(index), at, |machines| machines.schedule_activity_wire(activity));
        Ok(())
    }

    fn schedule_activity_wire(&self, activity: ScheduleActivity) -> stead_proto::command::v1::Command {
        let own_queue = &*self.start.task_queue;
        let on_own_queue = activity.task_queue.is_empty() || activity.task_queue == own_queue;
        let queue = if on_own_queue { own_queue.to_owned() } else { activity.task_queue };
        let attributes = ScheduleActivityTaskCommandAttributes {
            activity_id: activity.activity_id,
            activity_type: Some(ActivityType { name: activity.activity_type }),
            task_queue: Some(task_queue(queue)),
            header: header(activity.headers),
            input: payloads(activity.arguments),
            schedule_to_close_timeout: activity.schedule_to_close_timeout.map(proto_duration),
            schedule_to_start_timeout: activity.schedule_to_start_timeout.map(proto_duration),
            start_to_close_timeout: activity.start_to_close_timeout.map(proto_duration),
            heartbeat_timeout: activity.heartbeat_timeout.map(proto_duration),
            retry_policy: activity.retry_policy,
            request_eager_execution: on_own_queue
                && self.options().eager_activities
                && !activity.disable_eager_execution,
            use_workflow_build_id: on_own_queue,
            priority: activity.priority,
        };
        let attributes = Attributes::ScheduleActivityTaskCommandAttributes(Box::new(attributes));
        wire_with_summary(CommandType::ScheduleActivityTask, attributes, activity.summary)
    }

    fn cancel_activity(&mut self, seq: Seq, at: Option<CallSite>) -> Result<(), UnknownReference> {
        let Some(index) = self.activities.by_seq(seq) else { return ended(self.activities.has_had(seq)) };
        let cancel = self.activities.get_mut(index).map_or(CancelActivity::Nothing, |activity| activity.cancel(seq));
        match cancel {
            CancelActivity::TakeBack(job) => {
                self.pending.take_back(|what| matches!(what, What::ScheduleActivity(own) if *own == index));
                self.activities.remove(index);
                self.jobs.push(job);
            }
            CancelActivity::Issue { scheduled_event_id, job } => {
                self.issue(What::CancelActivity(index), at, |_| {
                    let attributes = RequestCancelActivityTaskCommandAttributes { scheduled_event_id };
                    let attributes = Attributes::RequestCancelActivityTaskCommandAttributes(attributes);
                    wire(CommandType::RequestCancelActivityTask, attributes)
                });
                self.jobs.extend(job);
            }
            CancelActivity::Abandon(job) => self.jobs.push(job),
            CancelActivity::Nothing => {}
        }
        Ok(())
    }

    /// The code asks for a patch. While replaying, only what history knows leaves a command.
    fn set_patch(&mut self, patch: Patch, at: Option<CallSite>) {
        let is_in_history = self.patches.is_seen(&patch.id);
        if self.progress.is_replaying && !is_in_history || !self.patches.ask(&patch.id) {
            return;
        }
        let attributes = patch.command();
        self.issue(What::Patch(Box::new(patch)), at, |_| wire(CommandType::RecordMarker, attributes));
        if !self.uses(Flag::UpsertOnPatch) {
            return;
        }
        let kind = CommandType::UpsertWorkflowSearchAttributes;
        match self.patches.search_attribute() {
            Some(attributes) => self.issue(What::RecordPatches, at, |_| wire(kind, attributes)),
            None => self.lists_too_many_patches |= !self.progress.is_replaying,
        }
    }

    fn respond_update(
        &mut self,
        instance_id: &str,
        response: UpdateResponse,
        at: Option<CallSite>,
    ) -> Result<(), UnknownReference> {
        let found = self.updates.iter().find(|(_, update)| update.is_named(instance_id));
        let index = found.map(|(index, _)| index).ok_or(UnknownReference)?;
        let update = self.updates.get_mut(index).ok_or(UnknownReference)?;
        match update.respond(response) {
            Answer::Accept(message) => self.send(What::AcceptUpdate(index), message, at),
            Answer::Complete(message) => self.send(What::CompleteUpdate(index), message, at),
            Answer::Reject(message) => {
                self.updates.remove(index);
                self.post(message);
            }
            Answer::Illegal => return Err(UnknownReference),
        }
        Ok(())
    }

    /// Sends a message, and the command that marks its place among the others.
    fn send(&mut self, what: What, message: Message, at: Option<CallSite>) {
        let message_id = message.id.clone();
        self.post(message);
        self.issue(what, at, |_| {
            let attributes = ProtocolMessageCommandAttributes { message_id };
            wire(CommandType::ProtocolMessage, Attributes::ProtocolMessageCommandAttributes(attributes))
        });
    }

    fn post(&mut self, message: Message) {
        if !self.progress.is_replaying {
            self.messages.push(message);
        }
    }

    fn end(&mut self, what: What, at: Option<CallSite>, kind: CommandType, attributes: Attributes) {
        self.issue(what, at, |_| wire(kind, attributes));
        self.stop_local_activities();
        self.progress.is_ended = true;
    }

    fn complete(&mut self, result: Option<Payload>, at: Option<CallSite>) {
        let result = result.map(|result| Payloads { payloads: vec![result] });
        let attributes = CompleteWorkflowExecutionCommandAttributes { result };
        let attributes = Attributes::CompleteWorkflowExecutionCommandAttributes(attributes);
        self.end(What::CompleteWorkflow, at, CommandType::CompleteWorkflowExecution, attributes);
    }

    fn fail(&mut self, failure: Failure, at: Option<CallSite>) {
        let attributes = FailWorkflowExecutionCommandAttributes { failure: Some(failure) };
        let attributes = Attributes::FailWorkflowExecutionCommandAttributes(Box::new(attributes));
        self.end(What::FailWorkflow, at, CommandType::FailWorkflowExecution, attributes);
    }

    fn cancel(&mut self, at: Option<CallSite>) {
        let attributes = CancelWorkflowExecutionCommandAttributes::default();
        let attributes = Attributes::CancelWorkflowExecutionCommandAttributes(attributes);
        self.end(What::CancelWorkflow, at, CommandType::CancelWorkflowExecution, attributes);
    }

    /// Memo, search attributes and retry policy are not inherited by the server, so they are passed on here as they are,
    /// unless the code says otherwise. (The memo as it is, not as it was when the run started: what the code has changed
    /// would silently be lost.)
    fn continue_as_new(&mut self, next: ContinueAsNew, at: Option<CallSite>) {
        let legacy = self.start.legacy.take().map(|legacy| *legacy).unwrap_or_default();
        let memo = next.memo.unwrap_or(legacy.memo);
        let search_attributes = next.search_attributes.unwrap_or(legacy.search_attributes);
        let workflow_type =
            if next.workflow_type.is_empty() { self.workflow_type.to_string() } else { next.workflow_type };
        let what = What::ContinueAsNew { workflow_type: workflow_type.as_str().into() };
        let attributes = ContinueAsNewWorkflowExecutionCommandAttributes {
            workflow_type: Some(WorkflowType { name: workflow_type }),
            task_queue: Some(task_queue(next.task_queue)),
            input: payloads(next.arguments),
            workflow_run_timeout: next.run_timeout.map(proto_duration),
            workflow_task_timeout: next.task_timeout.map(proto_duration),
            backoff_start_interval: next.backoff_start_interval.map(proto_duration),
            retry_policy: next.retry_policy.or(legacy.retry_policy),
            initiator: ContinueAsNewInitiator::Workflow.into(),
            header: header(next.headers),
            memo: (!memo.is_empty()).then_some(Memo { fields: memo }),
            search_attributes: (!search_attributes.is_empty())
                .then_some(SearchAttributes { indexed_fields: search_attributes }),
            initial_versioning_behavior: versioning_behavior(next.versioning).into(),
            ..ContinueAsNewWorkflowExecutionCommandAttributes::default()
        };
        let attributes = Attributes::ContinueAsNewWorkflowExecutionCommandAttributes(Box::new(attributes));
        self.end(what, at, CommandType::ContinueAsNewWorkflowExecution, attributes);
    }

    /// The code did something that it cannot do.
    pub(crate) fn misuse(&self, kind: MismatchKind, at: Option<CallSite>) -> Fault {
        Fault::Mismatch(Box::new(Mismatch::new(kind, self.progress.last_event, None, None, at)))
    }
}

fn versioning_behavior(versioning: NextRunVersioning) -> ContinueAsNewVersioningBehavior {
    match versioning {
        NextRunVersioning::Inherit => ContinueAsNewVersioningBehavior::Unspecified,
        NextRunVersioning::AutoUpgrade => ContinueAsNewVersioningBehavior::AutoUpgrade,
        NextRunVersioning::UseRampingVersion => ContinueAsNewVersioningBehavior::UseRampingVersion,
    }
}

/// Puts the command that ends the run last. What comes after it is sent before it or, as it was before there was a
/// flag for this, dropped.
fn arrange(mut commands: Vec<Issued>, keep_late: bool) -> Vec<Issued> {
    let Some(first) = commands.iter().position(ends_run) else { return commands };
    if !keep_late {
        commands.truncate(first + 1);
        return commands;
    }
    let end = commands.remove(first);
    commands.retain(|issued| !ends_run(issued));
    commands.push(end);
    commands
}

const fn ends_run(issued: &Issued) -> bool {
    matches!(
        issued.command,
        Command::CompleteWorkflow { .. }
            | Command::FailWorkflow { .. }
            | Command::CancelWorkflow
            | Command::ContinueAsNew(_)
    )
}

/// Cancelling what has ended already is nothing; cancelling what never was is an error of the guest.
pub(super) const fn ended(has_been: bool) -> Result<(), UnknownReference> {
    if has_been { Ok(()) } else { Err(UnknownReference) }
}

pub(super) fn task_queue(name: String) -> TaskQueue {
    TaskQueue { name, ..TaskQueue::default() }
}

pub(super) fn payloads(payloads: Vec<Payload>) -> Option<Payloads> {
    (!payloads.is_empty()).then_some(Payloads { payloads })
}

pub(super) fn header(fields: stead_activation::PayloadMap) -> Option<Header> {
    (!fields.is_empty()).then_some(Header { fields })
}
