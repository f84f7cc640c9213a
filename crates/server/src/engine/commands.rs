//! Commands of a completed workflow task: all of them are checked before the first of them changes anything.
//!
//! [`plan`] looks at the whole batch, each command in the light of those before it, completes what a command leaves
//! out, and gives the steps to take, or the [`Fault`]. `Run::take_step` takes a step and cannot fail.

mod activity;
mod attributes;
mod child;
mod close;
mod external;
mod nexus;
mod properties;
mod timer;
mod update;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use stead_proto::command::v1::command::Attributes;
use stead_proto::command::v1::{
    CancelTimerCommandAttributes, CancelWorkflowExecutionCommandAttributes, Command,
    CompleteWorkflowExecutionCommandAttributes, ContinueAsNewWorkflowExecutionCommandAttributes,
    FailWorkflowExecutionCommandAttributes, RecordMarkerCommandAttributes,
    RequestCancelExternalWorkflowExecutionCommandAttributes, ScheduleActivityTaskCommandAttributes,
    ScheduleNexusOperationCommandAttributes, SignalExternalWorkflowExecutionCommandAttributes,
    StartChildWorkflowExecutionCommandAttributes, StartTimerCommandAttributes,
};
use stead_proto::common::v1::{Memo, SearchAttributes};
use stead_proto::enums::v1::{CommandType, WorkflowTaskFailedCause as Cause};
use stead_proto::history::v1::history_event;
use stead_proto::protocol::v1::Message as ProtocolMessage;

use super::Refusal;
use super::config::Limits;
use super::namespaces::{Namespace, Namespaces};
use super::nexus::Endpoints;
use super::run::events::Extras;
use super::run::{Context, Run};
use super::updates::UpdateStep;
use update::UpdateAhead;
pub(crate) use update::is_rejection;

/// What is wrong with a batch of commands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fault {
    /// The call is refused, and the worker still has the task.
    Call(Refusal),
    /// The workflow task fails.
    Task { cause: Cause, message: String },
    /// The workflow is terminated: a worker could only do the same again.
    Workflow { cause: Cause, message: String },
}

impl Fault {
    pub(in crate::engine) fn task(cause: Cause, message: impl Into<String>) -> Self {
        Self::Task { cause, message: message.into() }
    }
}

/// One thing to do, checked and complete.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) action: Action,
    pub(crate) extras: Extras,
}

#[derive(Debug)]
pub(crate) enum Action {
    ScheduleActivity { command: Box<ScheduleActivityTaskCommandAttributes>, eager: bool },
    RequestCancelActivity { scheduled_event_id: i64 },
    StartTimer(StartTimerCommandAttributes),
    CancelTimer(CancelTimerCommandAttributes),
    RecordMarker(Box<RecordMarkerCommandAttributes>),
    Complete(CompleteWorkflowExecutionCommandAttributes),
    Fail(Box<FailWorkflowExecutionCommandAttributes>),
    CancelWorkflow(CancelWorkflowExecutionCommandAttributes),
    Update(UpdateStep),
    ContinueAsNew(Box<ContinueAsNewWorkflowExecutionCommandAttributes>),
    StartChild(Box<StartChildWorkflowExecutionCommandAttributes>),
    SignalExternal(Box<SignalExternalWorkflowExecutionCommandAttributes>),
    CancelExternal(RequestCancelExternalWorkflowExecutionCommandAttributes),
    ScheduleOperation { endpoint_id: String, command: Box<ScheduleNexusOperationCommandAttributes> },
    RequestCancelOperation { scheduled_event_id: i64 },
    UpsertSearchAttributes(SearchAttributes),
    ModifyMemo(Memo),
}

/// What a command may be checked against beside the run.
pub(crate) struct Rules<'a> {
    pub(crate) limits: &'a Limits,
    pub(crate) namespaces: &'a Namespaces,
    pub(crate) endpoints: &'a Endpoints,
    /// The run's own.
    pub(crate) namespace: &'a Namespace,
}

/// The run as it will be after the commands so far.
pub(crate) struct Ahead<'a> {
    run: &'a Run,
    rules: &'a Rules<'a>,
    new_activity_ids: HashSet<&'a str>,
    new_timers: HashSet<&'a str>,
    gone_timers: HashSet<&'a str>,
    cancelled_activities: BTreeSet<i64>,
    /// Those that no command has asked for so far.
    messages: Vec<&'a ProtocolMessage>,
    updates: BTreeMap<&'a str, UpdateAhead>,
    /// Workflow ids of children; the same one may be asked for twice.
    new_children: Vec<String>,
    new_operations: usize,
    cancelled_operations: BTreeSet<i64>,
    new_signals: usize,
    new_cancels: usize,
    /// As they will be, once a command has changed them.
    memo: Option<Memo>,
    search_attributes: Option<SearchAttributes>,
}

/// Checks a batch of commands, and the messages that come with it.
pub(crate) fn plan<'a>(
    run: &'a Run,
    rules: &'a Rules<'a>,
    commands: &'a [Command],
    messages: &'a [ProtocolMessage],
) -> Result<Vec<Step>, Fault> {
    check_sequence(commands)?;
    let mut ahead = Ahead {
        run,
        rules,
        new_activity_ids: HashSet::new(),
        new_timers: HashSet::new(),
        gone_timers: HashSet::new(),
        cancelled_activities: BTreeSet::new(),
        messages: messages.iter().collect(),
        updates: BTreeMap::new(),
        new_children: Vec::new(),
        new_operations: 0,
        cancelled_operations: BTreeSet::new(),
        new_signals: 0,
        new_cancels: 0,
        memo: None,
        search_attributes: None,
    };
    let mut steps = Vec::with_capacity(commands.len());
    for command in commands {
        let action = ahead.check(command)?;
        let extras = Extras {
            user_metadata: command.user_metadata.clone(),
            event_group_markers: command.event_group_markers.clone(),
            ..Extras::default()
        };
        steps.push(Step { action, extras });
    }
    let rest = ahead.other_messages()?;
    steps.extend(rest.into_iter().map(|action| Step { action, extras: Extras::default() }));
    Ok(steps)
}

fn is_close(kind: CommandType) -> bool {
    matches!(
        kind,
        CommandType::CompleteWorkflowExecution
            | CommandType::FailWorkflowExecution
            | CommandType::CancelWorkflowExecution
            | CommandType::ContinueAsNewWorkflowExecution
    )
}

fn check_sequence(commands: &[Command]) -> Result<(), Fault> {
    for command in commands {
        let kind = command.command_type();
        if kind == CommandType::Unspecified {
            return Err(Fault::Call(Refusal::invalid(format!("unknown command type: {}", command.command_type))));
        }
    }
    let Some(close) = commands.iter().position(|command| is_close(command.command_type())) else { return Ok(()) };
    if close + 1 == commands.len() {
        return Ok(());
    }
    let names: Vec<_> = commands.iter().map(|command| name(command.command_type())).collect();
    Err(Fault::Call(Refusal::invalid(format!(
        "invalid command sequence: [{}], command {} must be the last command.",
        names.join(", "),
        names[close],
    ))))
}

impl<'a> Ahead<'a> {
    fn check(&mut self, command: &'a Command) -> Result<Action, Fault> {
        let kind = command.command_type();
        if is_close(kind) && self.news_waits() {
            return Err(Fault::Task { cause: Cause::UnhandledCommand, message: String::new() });
        }
        match (&command.attributes, kind) {
            (Some(Attributes::ScheduleActivityTaskCommandAttributes(a)), CommandType::ScheduleActivityTask) => {
                self.schedule_activity(a)
            }
            (
                Some(Attributes::RequestCancelActivityTaskCommandAttributes(a)),
                CommandType::RequestCancelActivityTask,
            ) => self.request_cancel_activity(a),
            (Some(Attributes::StartTimerCommandAttributes(a)), CommandType::StartTimer) => self.start_timer(a),
            (Some(Attributes::CancelTimerCommandAttributes(a)), CommandType::CancelTimer) => self.cancel_timer(a),
            (Some(Attributes::RecordMarkerCommandAttributes(a)), CommandType::RecordMarker) => self.record_marker(a),
            (
                Some(Attributes::CompleteWorkflowExecutionCommandAttributes(a)),
                CommandType::CompleteWorkflowExecution,
            ) => self.complete(a),
            (Some(Attributes::FailWorkflowExecutionCommandAttributes(a)), CommandType::FailWorkflowExecution) => {
                self.fail(a)
            }
            (Some(Attributes::CancelWorkflowExecutionCommandAttributes(a)), CommandType::CancelWorkflowExecution) => {
                Ok(Action::CancelWorkflow(a.clone()))
            }
            (Some(Attributes::ProtocolMessageCommandAttributes(a)), CommandType::ProtocolMessage) => {
                self.protocol_message(a)
            }
            (
                Some(Attributes::ContinueAsNewWorkflowExecutionCommandAttributes(a)),
                CommandType::ContinueAsNewWorkflowExecution,
            ) => self.continue_as_new(a),
            (
                Some(Attributes::StartChildWorkflowExecutionCommandAttributes(a)),
                CommandType::StartChildWorkflowExecution,
            ) => self.start_child(a),
            (
                Some(Attributes::SignalExternalWorkflowExecutionCommandAttributes(a)),
                CommandType::SignalExternalWorkflowExecution,
            ) => self.signal_external(a),
            (
                Some(Attributes::RequestCancelExternalWorkflowExecutionCommandAttributes(a)),
                CommandType::RequestCancelExternalWorkflowExecution,
            ) => self.cancel_external(a),
            (Some(Attributes::ScheduleNexusOperationCommandAttributes(a)), CommandType::ScheduleNexusOperation) => {
                self.schedule_operation(a)
            }
            (
                Some(Attributes::RequestCancelNexusOperationCommandAttributes(a)),
                CommandType::RequestCancelNexusOperation,
            ) => self.request_cancel_operation(a),
            (
                Some(Attributes::UpsertWorkflowSearchAttributesCommandAttributes(a)),
                CommandType::UpsertWorkflowSearchAttributes,
            ) => self.upsert_search_attributes(a),
            (Some(Attributes::ModifyWorkflowPropertiesCommandAttributes(a)), CommandType::ModifyWorkflowProperties) => {
                self.modify_properties(a)
            }
            (_, kind) => Err(attributes::not_set(kind)),
        }
    }
}

impl Ahead<'_> {
    /// Whether there is news that the workflow has not heard. A timer that it cancels has not fired for it.
    fn news_waits(&self) -> bool {
        self.run.state.buffered.iter().any(|event| match &event.attributes {
            Some(history_event::Attributes::TimerFiredEventAttributes(fired)) => {
                !self.gone_timers.contains(fired.timer_id.as_str())
            }
            _ => true,
        })
    }
}

impl Fault {
    /// What the worker is told of a task that failed: the cause, and what is wrong.
    pub(crate) fn text(cause: Cause, message: &str) -> String {
        let cause = camel_case(cause.as_str_name().trim_start_matches("WORKFLOW_TASK_FAILED_CAUSE_"));
        if message.is_empty() { cause } else { format!("{cause}: {message}") }
    }
}

/// What Temporal's server says of a command that does not fit the state of the run.
fn invalid_action(action: &str, details: &str) -> String {
    format!("invalid history builder state for action: {action}, {details}")
}

impl Run {
    /// Takes a step. Whether the workflow has news that it must hear at once.
    pub(crate) fn take_step(&mut self, cx: &mut Context<'_>, step: Step, completed: Completed<'_>) -> bool {
        let Step { action, extras } = step;
        match action {
            Action::ScheduleActivity { command, eager } => {
                self.schedule_activity(cx, *command, completed.event_id, extras, !eager);
            }
            Action::RequestCancelActivity { scheduled_event_id } => {
                return self.request_cancel_activity(cx, scheduled_event_id, completed, extras);
            }
            Action::StartTimer(command) => self.start_timer(cx, command, completed.event_id, extras),
            Action::CancelTimer(command) => self.cancel_timer(cx, &command.timer_id, completed, extras),
            Action::RecordMarker(command) => self.record_marker(cx, *command, completed.event_id, extras),
            Action::Complete(command) => self.complete(cx, command, completed.event_id, extras),
            Action::Fail(command) => self.fail(cx, *command, completed.event_id, extras),
            Action::CancelWorkflow(command) => self.cancel(cx, command, completed.event_id, extras),
            Action::Update(step) => self.take_update_step(cx, step),
            Action::ContinueAsNew(command) => self.continue_as_new(cx, *command, completed.event_id, extras),
            Action::StartChild(command) => self.start_child(cx, *command, completed.event_id, extras),
            Action::SignalExternal(command) => self.signal_external(cx, *command, completed.event_id, extras),
            Action::CancelExternal(command) => self.cancel_external(cx, command, completed.event_id, extras),
            Action::ScheduleOperation { endpoint_id, command } => {
                self.schedule_operation(cx, *command, endpoint_id, completed.event_id, extras);
            }
            Action::RequestCancelOperation { scheduled_event_id } => {
                self.request_cancel_operation(cx, scheduled_event_id, completed.event_id, extras);
            }
            Action::UpsertSearchAttributes(attributes) => {
                self.upsert_search_attributes(cx, attributes, completed.event_id, extras);
            }
            Action::ModifyMemo(memo) => self.modify_memo(cx, memo, completed.event_id, extras),
        }
        false
    }
}

/// The completed workflow task that the commands come with.
#[derive(Clone, Copy)]
pub(crate) struct Completed<'a> {
    pub(crate) event_id: i64,
    pub(crate) identity: &'a str,
}

/// A command's type as Temporal's server says it in errors: `StartTimer`.
fn name(kind: CommandType) -> String {
    camel_case(kind.as_str_name().trim_start_matches("COMMAND_TYPE_"))
}

/// `START_TIMER` becomes `StartTimer`.
pub(in crate::engine) fn camel_case(name: &str) -> String {
    name.split('_').flat_map(|word| [word[..1].to_owned(), word[1..].to_lowercase()]).collect()
}
