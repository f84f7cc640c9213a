//! Children of a run, as the run sees them: asked for, started or not, and how they ended.

use stead_proto::command::v1::StartChildWorkflowExecutionCommandAttributes;
use stead_proto::common::v1::WorkflowExecution;
use stead_proto::enums::v1::StartChildWorkflowExecutionFailedCause;
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::history::v1::{
    ChildWorkflowExecutionCanceledEventAttributes, ChildWorkflowExecutionCompletedEventAttributes,
    ChildWorkflowExecutionFailedEventAttributes, ChildWorkflowExecutionStartedEventAttributes,
    ChildWorkflowExecutionTerminatedEventAttributes, ChildWorkflowExecutionTimedOutEventAttributes,
    StartChildWorkflowExecutionFailedEventAttributes, StartChildWorkflowExecutionInitiatedEventAttributes,
};

use super::events::Extras;
use super::properties::{memo_without_nil, search_attributes_without_nil};
use super::state::ChildState;
use super::{Context, Run};
use crate::engine::effect::Effect;

impl Run {
    pub(crate) fn start_child(
        &mut self,
        cx: &mut Context<'_>,
        command: StartChildWorkflowExecutionCommandAttributes,
        completed_event_id: i64,
        extras: Extras,
    ) {
        let (time_skipping_config, time_skipping_state_propagation) = self.time_skipping_of_child();
        let event = StartChildWorkflowExecutionInitiatedEventAttributes {
            namespace: command.namespace,
            namespace_id: cx.namespace_id.to_owned(),
            workflow_id: command.workflow_id,
            workflow_type: command.workflow_type,
            task_queue: command.task_queue,
            input: command.input,
            workflow_execution_timeout: command.workflow_execution_timeout,
            workflow_run_timeout: command.workflow_run_timeout,
            workflow_task_timeout: command.workflow_task_timeout,
            parent_close_policy: command.parent_close_policy,
            control: command.control,
            workflow_task_completed_event_id: completed_event_id,
            workflow_id_reuse_policy: command.workflow_id_reuse_policy,
            retry_policy: command.retry_policy,
            cron_schedule: command.cron_schedule,
            header: command.header,
            memo: memo_without_nil(command.memo),
            search_attributes: search_attributes_without_nil(command.search_attributes),
            inherit_build_id: command.inherit_build_id,
            priority: command.priority,
            versioning_override: command.versioning_override,
            time_skipping_config,
            time_skipping_state_propagation,
        };
        let child = child_of(&event);
        let event = Attributes::StartChildWorkflowExecutionInitiatedEventAttributes(Box::new(event));
        let initiated_event_id = self.add_with(cx, event, extras);
        self.children.insert(initiated_event_id, child);
        cx.effects.push_back(Effect::StartChild(self.key, initiated_event_id));
    }

    /// The child that a workflow asked for and that has not started, with what it asked for.
    pub(crate) fn unstarted_child(
        &self,
        initiated_event_id: i64,
    ) -> Option<(StartChildWorkflowExecutionInitiatedEventAttributes, Extras)> {
        self.children.get(&initiated_event_id).filter(|child| child.run_id.is_empty())?;
        let event = self.history.event(initiated_event_id)?;
        match event.attributes {
            Some(Attributes::StartChildWorkflowExecutionInitiatedEventAttributes(initiated)) => {
                Some((*initiated, Extras { user_metadata: event.user_metadata, ..Extras::default() }))
            }
            _ => None,
        }
    }

    pub(crate) fn child_started(
        &mut self,
        cx: &mut Context<'_>,
        initiated_event_id: i64,
        initiated: StartChildWorkflowExecutionInitiatedEventAttributes,
        run_id: String,
    ) {
        let event = ChildWorkflowExecutionStartedEventAttributes {
            namespace: initiated.namespace,
            namespace_id: initiated.namespace_id,
            initiated_event_id,
            workflow_execution: Some(WorkflowExecution { workflow_id: initiated.workflow_id, run_id: run_id.clone() }),
            workflow_type: initiated.workflow_type,
            header: initiated.header,
        };
        let started_event_id = self.add(cx, Attributes::ChildWorkflowExecutionStartedEventAttributes(event));
        if let Some(child) = self.children.get_mut(&initiated_event_id) {
            child.run_id = run_id;
            child.started_event_id = started_event_id;
        }
        self.wake(cx);
    }

    pub(crate) fn child_not_started(
        &mut self,
        cx: &mut Context<'_>,
        initiated_event_id: i64,
        initiated: StartChildWorkflowExecutionInitiatedEventAttributes,
        cause: StartChildWorkflowExecutionFailedCause,
    ) {
        self.children.remove(&initiated_event_id);
        let event = StartChildWorkflowExecutionFailedEventAttributes {
            namespace: initiated.namespace,
            namespace_id: initiated.namespace_id,
            workflow_id: initiated.workflow_id,
            workflow_type: initiated.workflow_type,
            cause: cause.into(),
            control: initiated.control,
            initiated_event_id,
            // The server leaves it out here.
            workflow_task_completed_event_id: 0,
        };
        self.add(cx, Attributes::StartChildWorkflowExecutionFailedEventAttributes(event));
        self.wake(cx);
    }

    /// The chain of runs of a child has ended, with this event of its last run.
    pub(crate) fn child_ended(
        &mut self,
        cx: &mut Context<'_>,
        initiated_event_id: i64,
        last_run: WorkflowExecution,
        end: Attributes,
    ) {
        let Some(child) = self.children.remove(&initiated_event_id) else { return };
        let end = ChildEnd {
            namespace: child.namespace,
            namespace_id: cx.namespace_id.to_owned(),
            execution: Some(last_run),
            workflow_type: child.workflow_type,
            initiated_event_id,
            started_event_id: child.started_event_id,
        }
        .event(end);
        if let Some(event) = end {
            self.add(cx, event);
            self.wake(cx);
        }
    }
}

impl Run {
    /// Takes over news of a child that the run asked for before the point at which it begins anew.
    pub(crate) fn reapply_child(&mut self, cx: &mut Context<'_>, news: Attributes) {
        use Attributes as A;
        let ended = match &news {
            A::ChildWorkflowExecutionStartedEventAttributes(started) => {
                let id = started.initiated_event_id;
                if let Some(child) = self.children.get_mut(&id).filter(|child| child.run_id.is_empty()) {
                    child.run_id = started.workflow_execution.clone().unwrap_or_default().run_id;
                    child.started_event_id = self.history.next_event_id();
                    self.add(cx, news);
                }
                return;
            }
            A::StartChildWorkflowExecutionFailedEventAttributes(ended) => ended.initiated_event_id,
            A::ChildWorkflowExecutionCompletedEventAttributes(ended) => ended.initiated_event_id,
            A::ChildWorkflowExecutionFailedEventAttributes(ended) => ended.initiated_event_id,
            A::ChildWorkflowExecutionCanceledEventAttributes(ended) => ended.initiated_event_id,
            A::ChildWorkflowExecutionTimedOutEventAttributes(ended) => ended.initiated_event_id,
            A::ChildWorkflowExecutionTerminatedEventAttributes(ended) => ended.initiated_event_id,
            _ => return,
        };
        if let Some(child) = self.children.remove(&ended) {
            self.add(cx, with_start(news, child.started_event_id));
        }
    }
}

/// The end of a child, which knows the event with which the child began.
fn with_start(mut end: Attributes, id: i64) -> Attributes {
    use Attributes as A;
    match &mut end {
        A::ChildWorkflowExecutionCompletedEventAttributes(end) => end.started_event_id = id,
        A::ChildWorkflowExecutionFailedEventAttributes(end) => end.started_event_id = id,
        A::ChildWorkflowExecutionCanceledEventAttributes(end) => end.started_event_id = id,
        A::ChildWorkflowExecutionTimedOutEventAttributes(end) => end.started_event_id = id,
        A::ChildWorkflowExecutionTerminatedEventAttributes(end) => end.started_event_id = id,
        _ => {}
    }
    end
}

/// The child that this event asks for.
pub(crate) fn child_of(initiated: &StartChildWorkflowExecutionInitiatedEventAttributes) -> ChildState {
    ChildState {
        workflow_id: initiated.workflow_id.clone(),
        workflow_type: initiated.workflow_type.clone(),
        close_policy: initiated.parent_close_policy,
        namespace: initiated.namespace.clone(),
        ..Default::default()
    }
}

/// What all events about the end of a child say.
struct ChildEnd {
    namespace: String,
    namespace_id: String,
    execution: Option<WorkflowExecution>,
    workflow_type: Option<stead_proto::common::v1::WorkflowType>,
    initiated_event_id: i64,
    started_event_id: i64,
}

impl ChildEnd {
    /// The parent's event for the last event of the child.
    fn event(self, end: Attributes) -> Option<Attributes> {
        use Attributes as A;
        let Self { namespace, namespace_id, execution, workflow_type, initiated_event_id, started_event_id } = self;
        Some(match end {
            A::WorkflowExecutionCompletedEventAttributes(end) => {
                A::ChildWorkflowExecutionCompletedEventAttributes(ChildWorkflowExecutionCompletedEventAttributes {
                    result: end.result,
                    namespace,
                    namespace_id,
                    workflow_execution: execution,
                    workflow_type,
                    initiated_event_id,
                    started_event_id,
                })
            }
            A::WorkflowExecutionFailedEventAttributes(end) => {
                A::ChildWorkflowExecutionFailedEventAttributes(Box::new(ChildWorkflowExecutionFailedEventAttributes {
                    failure: end.failure,
                    namespace,
                    namespace_id,
                    workflow_execution: execution,
                    workflow_type,
                    initiated_event_id,
                    started_event_id,
                    retry_state: end.retry_state,
                }))
            }
            A::WorkflowExecutionCanceledEventAttributes(end) => {
                A::ChildWorkflowExecutionCanceledEventAttributes(ChildWorkflowExecutionCanceledEventAttributes {
                    details: end.details,
                    namespace,
                    namespace_id,
                    workflow_execution: execution,
                    workflow_type,
                    initiated_event_id,
                    started_event_id,
                })
            }
            A::WorkflowExecutionTimedOutEventAttributes(end) => {
                A::ChildWorkflowExecutionTimedOutEventAttributes(ChildWorkflowExecutionTimedOutEventAttributes {
                    namespace,
                    namespace_id,
                    workflow_execution: execution,
                    workflow_type,
                    initiated_event_id,
                    started_event_id,
                    retry_state: end.retry_state,
                })
            }
            A::WorkflowExecutionTerminatedEventAttributes(_) => {
                A::ChildWorkflowExecutionTerminatedEventAttributes(ChildWorkflowExecutionTerminatedEventAttributes {
                    namespace,
                    namespace_id,
                    workflow_execution: execution,
                    workflow_type,
                    initiated_event_id,
                    started_event_id,
                })
            }
            _ => return None,
        })
    }
}
