//! Whose payloads a command or an event has: the workflow's, or those of what it calls.
//!
//! The events that end an activity or a Nexus operation name the event that scheduled it, which another task may have brought. So what was
//! scheduled is remembered for each cached run, and forgotten with it.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use stead_client::payloads::Transfers;
use stead_core::local_activity_of_marker;
use stead_data::{ActivityContext, NexusContext, SerializationContext, WorkflowContext};
use stead_proto::command::v1::Command;
use stead_proto::command::v1::command::Attributes as CommandAttributes;
use stead_proto::common::v1::{ActivityType, Payload, WorkflowExecution, WorkflowType};
use stead_proto::history::v1::history_event::Attributes as EventAttributes;
use stead_proto::history::v1::{
    ActivityTaskScheduledEventAttributes, HistoryEvent, WorkflowExecutionStartedEventAttributes,
};
use stead_proto::system;
use stead_proto::taskqueue::v1::TaskQueue;

/// The runs that are cached, or about to be.
#[derive(Default)]
pub(super) struct Owners(HashMap<String, Run>);

struct Run {
    workflow: WorkflowContext,
    /// Who waits for its result.
    parent: Option<WorkflowContext>,
    /// By the event that scheduled it: an activity or a Nexus operation.
    scheduled: BTreeMap<i64, SerializationContext>,
    /// Whether the history was seen from its beginning.
    begun: bool,
    /// How many of its tasks have not come to its shard yet.
    coming: u32,
    is_cached: bool,
    /// When the latest task came.
    came: Instant,
    /// What external storage has had to do for it.
    transfers: Transfers,
}

impl Owners {
    pub(super) fn workflow(&self, run_id: &str) -> Option<WorkflowContext> {
        Some(self.0.get(run_id)?.workflow.clone())
    }

    /// The workflow that waits for the result of the run.
    pub(super) fn parent(&self, run_id: &str) -> Option<WorkflowContext> {
        self.0.get(run_id)?.parent.clone()
    }

    /// A task of the run is on its way to the shard.
    pub(super) fn expect(&mut self, workflow: &WorkflowContext) {
        let run = self.run(workflow);
        run.coming += 1;
        (run.came, run.transfers) = (Instant::now(), Transfers::default());
    }

    /// A task of the run has come to its shard, which keeps the run until it is forgotten.
    pub(super) fn arrived(&mut self, run_id: &str) {
        if let Some(run) = self.0.get_mut(run_id) {
            (run.coming, run.is_cached) = (run.coming.saturating_sub(1), true);
        }
    }

    /// External storage has had to do something for the run's latest task.
    pub(super) fn transferred(&mut self, run_id: &str, transfers: &Transfers) {
        if let Some(run) = self.0.get_mut(run_id) {
            run.transfers.add(transfers);
        }
    }

    /// When the run's latest task came, and what external storage has had to do for it.
    pub(super) fn work_on_task(&mut self, run_id: &str) -> Option<(Instant, Transfers)> {
        let run = self.0.get_mut(run_id)?;
        Some((run.came, std::mem::take(&mut run.transfers)))
    }

    /// A task of the run will not come.
    pub(super) fn failed(&mut self, run_id: &str) {
        if let Some(run) = self.0.get_mut(run_id) {
            run.coming = run.coming.saturating_sub(1);
        }
        self.drop_unused(run_id);
    }

    /// The run is not cached any more.
    pub(super) fn forget(&mut self, run_id: &str) {
        if let Some(run) = self.0.get_mut(run_id) {
            run.is_cached = false;
        }
        self.drop_unused(run_id);
    }

    /// None of these runs is cached any more.
    pub(super) fn forget_all(&mut self, have_left: impl Fn(&str) -> bool) {
        for (_, run) in self.0.iter_mut().filter(|(run_id, _)| have_left(run_id)) {
            run.is_cached = false;
        }
        self.0.retain(|_, run| run.coming > 0 || run.is_cached);
    }

    fn drop_unused(&mut self, run_id: &str) {
        if self.0.get(run_id).is_some_and(|run| run.coming == 0 && !run.is_cached) {
            self.0.remove(run_id);
        }
    }

    fn run(&mut self, workflow: &WorkflowContext) -> &mut Run {
        let run_id = workflow.run_id.clone().unwrap_or_default();
        self.0.entry(run_id).or_insert_with(|| Run {
            workflow: workflow.clone(),
            parent: None,
            scheduled: BTreeMap::new(),
            begun: false,
            coming: 0,
            is_cached: false,
            came: Instant::now(),
            transfers: Transfers::default(),
        })
    }

    /// The owner of each event's payloads, if it has any of a user; `None` if the events are a part of a history whose
    /// beginning is not known.
    pub(super) fn of_events(
        &mut self,
        workflow: &WorkflowContext,
        task_queue: &str,
        events: &[HistoryEvent],
    ) -> Option<Vec<Option<SerializationContext>>> {
        let run = self.run(workflow);
        run.begun |= events.first().is_some_and(|event| event.event_id == 1);
        run.begun.then(|| events.iter().map(|event| run.owner_of_event(task_queue, event)).collect())
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Run {
    fn owner_of_event(&mut self, task_queue: &str, event: &HistoryEvent) -> Option<SerializationContext> {
        let scheduled_by = match &event.attributes {
            Some(EventAttributes::WorkflowExecutionStartedEventAttributes(it)) => {
                self.parent = parent(it);
                return Some(self.workflow.clone().into());
            }
            Some(EventAttributes::ActivityTaskScheduledEventAttributes(it)) => {
                self.scheduled.insert(event.event_id, scheduled(&self.workflow, it).into());
                event.event_id
            }
            Some(EventAttributes::NexusOperationScheduledEventAttributes(it)) => {
                let owner = operation(&self.workflow, &it.endpoint, &it.service, &it.operation, it.input.as_ref());
                self.scheduled.insert(event.event_id, owner);
                event.event_id
            }
            Some(EventAttributes::NexusOperationCompletedEventAttributes(it)) => {
                if matches!(self.scheduled.get(&it.scheduled_event_id), Some(SerializationContext::Workflow(_))) {
                    // The result of an operation of the server was written by the server.
                    return None;
                }
                it.scheduled_event_id
            }
            Some(EventAttributes::NexusOperationFailedEventAttributes(it)) => it.scheduled_event_id,
            Some(EventAttributes::NexusOperationCanceledEventAttributes(it)) => it.scheduled_event_id,
            Some(EventAttributes::NexusOperationTimedOutEventAttributes(it)) => it.scheduled_event_id,
            Some(EventAttributes::NexusOperationCancelRequestFailedEventAttributes(it)) => it.scheduled_event_id,
            Some(EventAttributes::ActivityTaskStartedEventAttributes(it)) => it.scheduled_event_id,
            Some(EventAttributes::ActivityTaskCompletedEventAttributes(it)) => it.scheduled_event_id,
            Some(EventAttributes::ActivityTaskFailedEventAttributes(it)) => it.scheduled_event_id,
            Some(EventAttributes::ActivityTaskTimedOutEventAttributes(it)) => it.scheduled_event_id,
            Some(EventAttributes::ActivityTaskCanceledEventAttributes(it)) => it.scheduled_event_id,
            Some(other) => return Some(owner_of_other_event(&self.workflow, task_queue, other)),
            None => return Some(self.workflow.clone().into()),
        };
        Some(match self.scheduled.get(&scheduled_by) {
            Some(owner) => owner.clone(),
            None => self.workflow.clone().into(),
        })
    }
}

/// As in Python's SDK, the result of a child that has continued as new is its own.
fn parent(started: &WorkflowExecutionStartedEventAttributes) -> Option<WorkflowContext> {
    let parent = started.parent_workflow_execution.clone()?;
    if !started.continued_execution_run_id.is_empty() {
        return None;
    }
    let mut context = WorkflowContext::new(&started.parent_workflow_namespace, parent.workflow_id);
    context.run_id = Some(parent.run_id);
    Some(context)
}

fn scheduled(workflow: &WorkflowContext, attributes: &ActivityTaskScheduledEventAttributes) -> ActivityContext {
    activity(workflow, &attributes.activity_id, attributes.activity_type.as_ref(), attributes.task_queue.as_ref())
}

fn activity(
    workflow: &WorkflowContext,
    activity_id: &str,
    activity_type: Option<&ActivityType>,
    task_queue: Option<&TaskQueue>,
) -> ActivityContext {
    let mut activity = ActivityContext::new(&workflow.namespace, activity_id);
    activity.activity_type = activity_type.map(|it| it.name.clone());
    activity.task_queue = task_queue.map(|it| it.name.clone());
    activity.workflow = Some(workflow.clone());
    activity
}

fn local_activity(workflow: &WorkflowContext, task_queue: &str, id: &str, type_name: String) -> SerializationContext {
    let mut activity = ActivityContext::new(&workflow.namespace, id);
    activity.activity_type = Some(type_name);
    activity.task_queue = Some(task_queue.to_owned());
    activity.workflow = Some(workflow.clone());
    activity.is_local = true;
    activity.into()
}

/// The owner of a Nexus operation's input and failure: the operation, or the workflow that one of the server is about.
fn operation(
    workflow: &WorkflowContext,
    endpoint: &str,
    service: &str,
    operation: &str,
    input: Option<&Payload>,
) -> SerializationContext {
    match system::signal_with_start(endpoint, operation, input) {
        Some(request) => {
            let execution = WorkflowExecution { workflow_id: request.workflow_id, ..Default::default() };
            other_workflow(workflow, &request.namespace, Some(&execution), request.workflow_type.as_ref())
        }
        None => NexusContext::new(endpoint, service, operation).into(),
    }
}

/// Another workflow than the one at hand, whose namespace is its own where none is named.
fn other_workflow(
    workflow: &WorkflowContext,
    namespace: &str,
    execution: Option<&WorkflowExecution>,
    workflow_type: Option<&WorkflowType>,
) -> SerializationContext {
    let namespace = if namespace.is_empty() { &workflow.namespace } else { namespace };
    let execution = execution.cloned().unwrap_or_default();
    let mut other = WorkflowContext::new(namespace, execution.workflow_id);
    other.run_id = Some(execution.run_id).filter(|id| !id.is_empty());
    other.workflow_type = workflow_type.map(|it| it.name.clone());
    other.into()
}

fn owner_of_other_event(
    workflow: &WorkflowContext,
    task_queue: &str,
    attributes: &EventAttributes,
) -> SerializationContext {
    match attributes {
        EventAttributes::MarkerRecordedEventAttributes(it) => {
            match local_activity_of_marker(&it.marker_name, &it.details) {
                Some((id, type_name)) => local_activity(workflow, task_queue, &id, type_name),
                None => workflow.clone().into(),
            }
        }
        EventAttributes::StartChildWorkflowExecutionInitiatedEventAttributes(it) => {
            let child = WorkflowExecution { workflow_id: it.workflow_id.clone(), ..Default::default() };
            other_workflow(workflow, &it.namespace, Some(&child), it.workflow_type.as_ref())
        }
        EventAttributes::ChildWorkflowExecutionCompletedEventAttributes(it) => {
            other_workflow(workflow, &it.namespace, it.workflow_execution.as_ref(), it.workflow_type.as_ref())
        }
        EventAttributes::ChildWorkflowExecutionFailedEventAttributes(it) => {
            other_workflow(workflow, &it.namespace, it.workflow_execution.as_ref(), it.workflow_type.as_ref())
        }
        EventAttributes::ChildWorkflowExecutionCanceledEventAttributes(it) => {
            other_workflow(workflow, &it.namespace, it.workflow_execution.as_ref(), it.workflow_type.as_ref())
        }
        EventAttributes::SignalExternalWorkflowExecutionInitiatedEventAttributes(it) => {
            other_workflow(workflow, &it.namespace, it.workflow_execution.as_ref(), None)
        }
        _ => workflow.clone().into(),
    }
}

/// The owner of what a command carries, but for its summary and details, which are the workflow's.
#[expect(deprecated, reason = "where a namespace is named, it counts")]
pub(super) fn owner_of_command(
    workflow: &WorkflowContext,
    parent: Option<&WorkflowContext>,
    task_queue: &str,
    command: &Command,
) -> SerializationContext {
    match &command.attributes {
        Some(CommandAttributes::ScheduleActivityTaskCommandAttributes(it)) => {
            activity(workflow, &it.activity_id, it.activity_type.as_ref(), it.task_queue.as_ref()).into()
        }
        Some(CommandAttributes::CompleteWorkflowExecutionCommandAttributes(_)) => {
            let mut child = workflow.clone();
            child.parent = parent.cloned().map(Box::new);
            child.into()
        }
        Some(CommandAttributes::ScheduleNexusOperationCommandAttributes(it)) => {
            operation(workflow, &it.endpoint, &it.service, &it.operation, it.input.as_ref())
        }
        Some(CommandAttributes::RecordMarkerCommandAttributes(it)) => {
            match local_activity_of_marker(&it.marker_name, &it.details) {
                Some((id, type_name)) => local_activity(workflow, task_queue, &id, type_name),
                None => workflow.clone().into(),
            }
        }
        Some(CommandAttributes::StartChildWorkflowExecutionCommandAttributes(it)) => {
            let child = WorkflowExecution { workflow_id: it.workflow_id.clone(), ..Default::default() };
            other_workflow(workflow, &it.namespace, Some(&child), it.workflow_type.as_ref())
        }
        Some(CommandAttributes::SignalExternalWorkflowExecutionCommandAttributes(it)) => {
            other_workflow(workflow, &it.namespace, it.execution.as_ref(), None)
        }
        _ => workflow.clone().into(),
    }
}
