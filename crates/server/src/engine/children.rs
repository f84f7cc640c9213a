//! Starting the children that runs ask for, telling parents how their children ended, and what becomes of children whose
//! parent closes.

use stead_proto::common::v1::WorkflowExecution;
use stead_proto::enums::v1::{
    ContinueAsNewVersioningBehavior, ParentClosePolicy, StartChildWorkflowExecutionFailedCause,
    WorkflowIdConflictPolicy as Conflict,
};
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::history::v1::{
    StartChildWorkflowExecutionInitiatedEventAttributes, WorkflowExecutionCancelRequestedEventAttributes,
};
use stead_proto::workflowservice::v1::StartWorkflowExecutionRequest;

use super::Engine;
use super::control::Cancellation;
use super::deployments::{pinned_to, pinned_version};
use super::run::activity::merged;
use super::run::close::Termination;
use super::run::events::Extras;
use super::run::state::{ChildState, Parent};
use super::run::{Run, RunKey};
use super::start::{Existing, HISTORY_SERVICE, NewRun};

impl Engine {
    /// Starts a child that a run has asked for, unless the run has closed since. The parent hears of it before the child
    /// takes its first step.
    pub(super) fn start_child(&mut self, parent: RunKey, initiated_event_id: i64) {
        let Some(run) = self.runs.get(parent).filter(|run| run.is_open()) else { return };
        let Some((initiated, extras)) = run.unstarted_child(initiated_event_id) else { return };
        let request_id = format!("{}:{initiated_event_id}:0", run.state.run_id);
        if let Some(child) = self.child_of_former_self(run, initiated_event_id, &initiated.workflow_id) {
            let first_run_id = self.runs.get(child).map(|run| run.state.first_run_id.clone()).unwrap_or_default();
            self.transact(parent, |run, cx| run.child_started(cx, initiated_event_id, initiated, first_run_id));
            return;
        }
        match self.child_run(parent, initiated_event_id, &initiated, extras, request_id) {
            Ok(child) => {
                let run_id = self.runs.get(child).map(|run| run.state.run_id.clone()).unwrap_or_default();
                self.transact(parent, |run, cx| run.child_started(cx, initiated_event_id, initiated, run_id));
                self.transact(child, Run::wake);
            }
            Err(cause) => {
                self.transact(parent, |run, cx| run.child_not_started(cx, initiated_event_id, initiated, cause));
            }
        }
    }

    /// Creates the child's first run, or says why it cannot be.
    fn child_run(
        &mut self,
        parent: RunKey,
        initiated_event_id: i64,
        initiated: &StartChildWorkflowExecutionInitiatedEventAttributes,
        extras: Extras,
        request_id: String,
    ) -> Result<RunKey, StartChildWorkflowExecutionFailedCause> {
        const TAKEN: StartChildWorkflowExecutionFailedCause =
            StartChildWorkflowExecutionFailedCause::WorkflowAlreadyExists;
        let namespace = self.runs.get(parent).ok_or(TAKEN)?.namespace();
        let id = &initiated.workflow_id;
        let reuse = initiated.workflow_id_reuse_policy();
        let run_id = self.ids.run_id(self.now).to_string();
        let queue = initiated.task_queue.as_ref().map_or("", |queue| &queue.name);
        self.check_override(namespace, queue, &mut initiated.versioning_override.clone())
            .map_err(|_| StartChildWorkflowExecutionFailedCause::InvalidVersioningOverride)?;
        match self.existing(namespace, id, &request_id, reuse, Conflict::Fail).map_err(|_| TAKEN)? {
            Existing::None => {}
            Existing::Replace(run) => self.terminate_for(run, &run_id),
            Existing::SameRequest(run) => return Ok(run),
            // Children do not share.
            Existing::Use(_) => return Err(TAKEN),
        }
        self.override_applies(namespace, initiated.versioning_override.as_ref());
        let request = child_request(initiated, extras, request_id);
        let mut new = self.requested_run(namespace, request, run_id);
        new.share_clock(initiated);
        self.set_parent(&mut new, parent, initiated_event_id);
        Ok(self.create_run(new))
    }

    fn set_parent(&self, new: &mut NewRun, parent: RunKey, initiated_event_id: i64) {
        let Some(run) = self.runs.get(parent) else { return };
        let Some(namespace) = self.namespaces.get(run.namespace()) else { return };
        new.started.parent_workflow_namespace.clone_from(&namespace.info.name);
        new.started.parent_workflow_namespace_id.clone_from(&namespace.info.id);
        new.started.parent_workflow_execution = Some(run.execution());
        new.started.parent_initiated_event_id = initiated_event_id;
        new.started.root_workflow_execution = run.state.root.clone();
        // What the parent says of the child comes before what the child has of the parent.
        if new.started.versioning_override.is_none() {
            self.inherit_version(new, run);
        }
        new.started.priority = merged(run.state.priority.as_ref(), new.started.priority.take());
        new.parent = Some(Parent { execution: run.execution(), initiated_event_id, namespace: run.namespace().0 });
    }

    fn inherit_version(&self, new: &mut NewRun, parent: &Run) {
        let started = &mut new.started;
        started.inherited_pinned_version = pinned_version(&parent.state).cloned();
        if parent.is_auto_upgraded() {
            let behavior = ContinueAsNewVersioningBehavior::Unspecified;
            started.inherited_auto_upgrade_info = parent.auto_upgrade_info(behavior);
        }
        started.versioning_override = parent.state.versioning_override.clone().filter(|it| pinned_to(it).is_some());
        self.keep_served_version(new);
    }

    /// Tells the run that started this one as a child how the chain of runs that ends with this one has ended. A parent
    /// that has closed does not hear of it.
    pub(super) fn report_to_parent(&mut self, key: RunKey) {
        let Some(run) = self.runs.get(key) else { return };
        let Some(Parent { execution, initiated_event_id, .. }) = run.state.parent.clone() else { return };
        if !run.state.new_run_id.is_empty() {
            return;
        }
        let Some(end) = run.history.event(run.history.len()).and_then(|event| event.attributes) else { return };
        let (last_run, first_run_id) = (run.execution(), run.state.first_run_id.clone());
        let Some(parent) = self.reset_to(&execution.run_id) else { return };
        let waits = self.runs.get(parent).is_some_and(|parent| {
            let child = parent.children.get(&initiated_event_id);
            parent.is_open() && child.is_some_and(|child| child.run_id == first_run_id)
        });
        if waits {
            self.transact(parent, |run, cx| run.child_ended(cx, initiated_event_id, last_run, end));
        }
    }

    /// The run that has taken the place of a run by resets, or that run itself if none has.
    fn reset_to(&self, run_id: &str) -> Option<RunKey> {
        let mut key = self.runs.by_run_id(run_id)?;
        while let Some(run) = self.runs.get(key).filter(|run| !run.is_open())
            && let Some(next) = self.runs.by_run_id(&run.state.reset_run_id)
        {
            key = next;
        }
        Some(key)
    }

    /// A run that began anew has a child already if the run from which it did had it.
    fn child_of_former_self(&self, parent: &Run, initiated_event_id: i64, workflow_id: &str) -> Option<RunKey> {
        if initiated_event_id > parent.state.reset_from_event_id {
            return None;
        }
        let child = self.runs.get(self.runs.current(parent.namespace(), workflow_id)?)?;
        let of = &child.state.parent.as_ref()?.execution;
        let same = of.workflow_id == parent.state.workflow_id && self.reset_to(&of.run_id) == Some(parent.key);
        same.then_some(child.key)
    }

    /// Does to the children of a run that has closed what the run said about this.
    pub(super) fn apply_close_policies(&mut self, parent: RunKey) {
        let Some(run) = self.runs.get(parent) else { return };
        let execution = run.execution();
        let children: Vec<_> = run.children.values().filter(|child| !child.run_id.is_empty()).cloned().collect();
        for child in children {
            let Some(key) = self.open_child(&execution, &child) else { continue };
            match ParentClosePolicy::try_from(child.close_policy) {
                Ok(ParentClosePolicy::Terminate) => {
                    let termination = Termination {
                        reason: "by parent close policy".to_owned(),
                        identity: HISTORY_SERVICE.to_owned(),
                        ..Default::default()
                    };
                    self.transact(key, |run, cx| run.terminate(cx, termination));
                }
                Ok(ParentClosePolicy::RequestCancel) => self.request_cancel(key, cancellation_by(execution.clone())),
                _ => {}
            }
        }
    }

    /// The run that a child's chain has come to, if it has not ended.
    fn open_child(&self, parent: &WorkflowExecution, child: &ChildState) -> Option<RunKey> {
        let first = self.runs.by_run_id(&child.run_id).and_then(|key| self.runs.get(key));
        let namespace = first.map(Run::namespace).or_else(|| self.namespaces.key(&child.namespace).ok())?;
        let current = self.runs.get(self.runs.current(namespace, &child.workflow_id)?)?;
        let same = current.is_open() && current.state.first_run_id == child.run_id && current.is_child_of(parent);
        same.then_some(current.key)
    }
}

impl Run {
    pub(crate) fn is_child_of(&self, parent: &WorkflowExecution) -> bool {
        self.state.parent.as_ref().is_some_and(|of| of.execution == *parent)
    }
}

fn child_request(
    initiated: &StartChildWorkflowExecutionInitiatedEventAttributes,
    extras: Extras,
    request_id: String,
) -> StartWorkflowExecutionRequest {
    StartWorkflowExecutionRequest {
        namespace: initiated.namespace.clone(),
        workflow_id: initiated.workflow_id.clone(),
        workflow_type: initiated.workflow_type.clone(),
        task_queue: initiated.task_queue.clone(),
        input: initiated.input.clone(),
        workflow_execution_timeout: initiated.workflow_execution_timeout,
        workflow_run_timeout: initiated.workflow_run_timeout,
        workflow_task_timeout: initiated.workflow_task_timeout,
        request_id,
        workflow_id_reuse_policy: initiated.workflow_id_reuse_policy,
        retry_policy: initiated.retry_policy.clone(),
        cron_schedule: initiated.cron_schedule.clone(),
        memo: initiated.memo.clone(),
        search_attributes: initiated.search_attributes.clone(),
        header: initiated.header.clone(),
        user_metadata: extras.user_metadata.map(|metadata| *metadata),
        priority: initiated.priority.clone(),
        versioning_override: initiated.versioning_override.clone(),
        ..Default::default()
    }
}

fn cancellation_by(parent: WorkflowExecution) -> Cancellation {
    Cancellation {
        event: WorkflowExecutionCancelRequestedEventAttributes {
            identity: HISTORY_SERVICE.to_owned(),
            external_workflow_execution: Some(parent),
            ..Default::default()
        },
        links: Vec::new(),
        request_id: String::new(),
    }
}

/// Who Temporal's server says it is when it terminates a run because another takes its place by a reset.
pub(super) const RESETTER: &str = "history-resetter";

/// Whether the last event of a run says that a reset has taken its place.
pub(super) fn was_reset(run: &Run) -> bool {
    match run.history.event(run.history.len()).and_then(|event| event.attributes) {
        Some(Attributes::WorkflowExecutionTerminatedEventAttributes(end)) => end.identity == RESETTER,
        _ => false,
    }
}
