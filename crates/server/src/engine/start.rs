//! Starting workflows: what a start must say, what an id that was used before means, and the first event of a run.

mod policy;
mod request;

use stead_proto::common::v1::{Link, WorkflowExecution, link};
use stead_proto::enums::v1::{
    ContinueAsNewInitiator, EventType, TaskQueueKind, WorkflowExecutionStatus, WorkflowIdConflictPolicy,
};
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::history::v1::{
    StartChildWorkflowExecutionInitiatedEventAttributes, WorkflowExecutionOptionsUpdatedEventAttributes,
    WorkflowExecutionStartedEventAttributes,
};
use stead_proto::taskqueue::v1::TaskQueue;
use stead_proto::workflow::v1::ResetPoints;
use stead_proto::workflowservice::v1 as api;

use super::call::Outcome;
use super::namespaces::NamespaceKey;
use super::nexus::callbacks::AttachedCallback;
use super::run::close::Termination;
use super::run::deadlines::Deadline;
use super::run::events::Extras;
use super::run::properties::{memo_without_nil, search_attributes_without_nil};
use super::run::reset_points::taken_over;
use super::run::state::{Parent, RunState};
use super::run::time_skipping::TimeSkipping;
use super::run::versioning::{Versioning, inherited};
use super::run::{Context, Run, RunKey};
use super::time::{duration, wire};
use super::{Engine, Refusal, raw};
pub(crate) use policy::Existing;
pub(super) use request::check_timeouts;
pub(crate) use request::run_timeout;

/// A run that is to be created: its first event, and what does not stand in it.
#[derive(Debug)]
pub(crate) struct NewRun {
    pub(crate) namespace: NamespaceKey,
    pub(crate) workflow_id: String,
    pub(crate) run_id: String,
    pub(crate) request_id: String,
    /// When the chain must have ended; 0 if it need not.
    pub(crate) execution_expires_at: i64,
    pub(crate) parent: Option<Parent>,
    pub(crate) extras: Extras,
    pub(crate) started: Box<WorkflowExecutionStartedEventAttributes>,
}

impl NewRun {
    /// The clock of a child is as far ahead as that of the run that asked for it.
    pub(super) fn share_clock(&mut self, initiated: &StartChildWorkflowExecutionInitiatedEventAttributes) {
        self.started.time_skipping_config.clone_from(&initiated.time_skipping_config);
        self.started.time_skipping_state_propagation = initiated.time_skipping_state_propagation;
        let propagated = initiated.time_skipping_state_propagation.unwrap_or_default();
        let skipped = duration(propagated.initial_skipped_duration.as_ref()).unwrap_or_default();
        if self.execution_expires_at != 0 {
            self.execution_expires_at =
                (super::Time::from_unix_nanos(self.execution_expires_at) + skipped).unix_nanos();
        }
    }
}

impl Engine {
    pub(super) fn start_workflow(
        &mut self,
        mut request: api::StartWorkflowExecutionRequest,
    ) -> Result<Outcome, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        self.check_start(namespace, &mut request, WorkflowIdConflictPolicy::Fail)?;
        let existing = self.existing(
            namespace,
            &request.workflow_id,
            &request.request_id,
            request.workflow_id_reuse_policy(),
            request.workflow_id_conflict_policy(),
        )?;
        let run = match existing {
            Existing::SameRequest(run) => return Ok(self.started_again(run, &request).into()),
            Existing::Use(run) => return Ok(self.existing_used(run, request)?.into()),
            Existing::Replace(run) => {
                let run_id = self.ids.run_id(self.now).to_string();
                self.terminate_for(run, &run_id);
                self.start_requested(namespace, request.clone(), run_id)
            }
            Existing::None => {
                let run_id = self.ids.run_id(self.now).to_string();
                self.start_requested(namespace, request.clone(), run_id)
            }
        };
        Ok(self.started(run, &request).into())
    }

    /// Creates the run that a checked request asks for, and schedules its first workflow task.
    pub(super) fn start_requested(
        &mut self,
        namespace: NamespaceKey,
        request: api::StartWorkflowExecutionRequest,
        run_id: String,
    ) -> RunKey {
        self.override_applies(namespace, request.versioning_override.as_ref());
        let new = self.requested_run(namespace, request, run_id);
        self.start_run(new)
    }

    /// Creates a run, and schedules its first workflow task unless that has to wait.
    pub(super) fn start_run(&mut self, new: NewRun) -> RunKey {
        self.create_run_with(new, |run, cx| run.wake(cx))
    }

    fn started(
        &mut self,
        run: RunKey,
        request: &api::StartWorkflowExecutionRequest,
    ) -> raw::StartWorkflowExecutionResponse {
        let eager_workflow_task = if request.request_eager_execution { self.start_eagerly(run, request) } else { None };
        raw::StartWorkflowExecutionResponse { eager_workflow_task, started: true, ..self.start_response(run) }
    }

    /// The caller who started the run calls again, because the answer was lost.
    fn started_again(
        &mut self,
        run: RunKey,
        request: &api::StartWorkflowExecutionRequest,
    ) -> raw::StartWorkflowExecutionResponse {
        let eager_workflow_task = if request.request_eager_execution { self.eager_task_again(run) } else { None };
        raw::StartWorkflowExecutionResponse { eager_workflow_task, started: true, ..self.start_response(run) }
    }

    pub(super) fn start_response(&self, run: RunKey) -> raw::StartWorkflowExecutionResponse {
        let Some(run) = self.runs.get(run) else { return raw::StartWorkflowExecutionResponse::default() };
        raw::StartWorkflowExecutionResponse {
            run_id: run.state.run_id.clone(),
            first_execution_run_id: run.state.first_run_id.clone(),
            status: run.state.status,
            link: Some(self.event_link(run, 1, EventType::WorkflowExecutionStarted)),
            ..Default::default()
        }
    }

    /// A start that found a running workflow and is content with it.
    fn existing_used(
        &mut self,
        key: RunKey,
        request: api::StartWorkflowExecutionRequest,
    ) -> Result<raw::StartWorkflowExecutionResponse, Refusal> {
        let request_id = request.request_id.clone();
        let response = self.start_response(key);
        let attached = self.attach(key, request)?;
        let run = self.runs.get(key).filter(|_| attached);
        let event_type = EventType::WorkflowExecutionOptionsUpdated;
        let link = run.map(|run| self.request_link(run, request_id, event_type));
        Ok(raw::StartWorkflowExecutionResponse { link: link.or(response.link), ..response })
    }

    /// Attaches what a start that found its workflow running brings to that workflow, once for each request. Whether the
    /// workflow knows the request.
    fn attach(&mut self, key: RunKey, request: api::StartWorkflowExecutionRequest) -> Result<bool, Refusal> {
        if self.runs.get(key).is_some_and(|run| run.requests.get(&request.request_id).is_some()) {
            return Ok(true);
        }
        let Some(options) = request.on_conflict_options else { return Ok(false) };
        let request_id = if options.attach_request_id { request.request_id } else { String::new() };
        let callbacks = if options.attach_completion_callbacks { request.completion_callbacks } else { Vec::new() };
        let links = if options.attach_links { request.links } else { Vec::new() };
        if let Some(run) = self.runs.get(key) {
            run.check_callback_limit(callbacks.len())?;
        }
        let event = WorkflowExecutionOptionsUpdatedEventAttributes {
            attached_request_id: request_id,
            attached_completion_callbacks: callbacks,
            ..Default::default()
        };
        self.transact(key, |run, cx| run.update_options(cx, event, links.into()));
        Ok(options.attach_request_id)
    }

    /// Terminates a run because another takes its workflow id.
    pub(super) fn terminate_for(&mut self, run: RunKey, new_run_id: &str) {
        let termination = Termination {
            reason: "TerminateIfRunning WorkflowIdReusePolicy".to_owned(),
            details: Some(stead_proto::common::v1::Payloads {
                payloads: vec![super::run::activity::json_string(&format!("terminated by new runID: {new_run_id}"))],
            }),
            identity: HISTORY_SERVICE.to_owned(),
            links: Vec::new(),
        };
        self.transact(run, |run, cx| run.terminate(cx, termination));
    }

    pub(super) fn requested_run(
        &mut self,
        namespace: NamespaceKey,
        request: api::StartWorkflowExecutionRequest,
        run_id: String,
    ) -> NewRun {
        let backoff = self.first_backoff(&request);
        let execution_timeout = duration(request.workflow_execution_timeout.as_ref());
        let expires_at = execution_timeout.map(|timeout| whole_millis(self.now + timeout));
        let initiator = match request.cron_schedule.as_str() {
            "" => ContinueAsNewInitiator::Unspecified,
            _ => ContinueAsNewInitiator::CronSchedule,
        };
        let started = WorkflowExecutionStartedEventAttributes {
            workflow_type: request.workflow_type,
            task_queue: Some(TaskQueue {
                name: request.task_queue.unwrap_or_default().name,
                kind: TaskQueueKind::Normal.into(),
                normal_name: String::new(),
            }),
            input: request.input,
            workflow_execution_timeout: request.workflow_execution_timeout,
            workflow_run_timeout: request.workflow_run_timeout,
            workflow_task_timeout: request.workflow_task_timeout,
            initiator: initiator.into(),
            continued_failure: request.continued_failure,
            last_completion_result: request.last_completion_result,
            original_execution_run_id: run_id.clone(),
            identity: request.identity,
            first_execution_run_id: run_id.clone(),
            retry_policy: request.retry_policy,
            attempt: 1,
            workflow_execution_expiration_time: expires_at.map(super::Time::timestamp),
            cron_schedule: request.cron_schedule,
            first_workflow_task_backoff: Some(wire(backoff)),
            memo: request.memo,
            search_attributes: request.search_attributes,
            header: request.header,
            completion_callbacks: request.completion_callbacks,
            versioning_override: request.versioning_override,
            priority: request.priority,
            time_skipping_config: request.time_skipping_config,
            eager_execution_accepted: request.request_eager_execution && backoff.is_zero(),
            ..Default::default()
        };
        NewRun {
            namespace,
            workflow_id: request.workflow_id,
            run_id,
            request_id: request.request_id,
            execution_expires_at: expires_at.map_or(0, super::Time::unix_nanos),
            parent: None,
            extras: Extras {
                user_metadata: request.user_metadata.map(Box::new),
                links: request.links,
                ..Extras::default()
            },
            started: Box::new(started),
        }
    }

    /// Creates a run with its first event. Its first workflow task is scheduled by whoever wakes it.
    pub(super) fn create_run(&mut self, new: NewRun) -> RunKey {
        self.create_run_with(new, |_, _| {})
    }

    /// Creates a run with its first event and what comes together with it.
    pub(super) fn create_run_with(
        &mut self,
        mut new: NewRun,
        begin: impl FnOnce(&mut Run, &mut Context<'_>),
    ) -> RunKey {
        let key = self.runs.next_key();
        let points = self.points_taken_over(new.namespace, &new.started, &self.now.timestamp());
        new.started.prev_auto_reset_points = points;
        new.started.memo = memo_without_nil(new.started.memo.take());
        new.started.search_attributes = search_attributes_without_nil(new.started.search_attributes.take());
        let state = self.first_state(&new);
        let first_task_at =
            (state.execution_at > state.started_at).then(|| super::Time::from_unix_nanos(state.execution_at));
        self.runs.insert(Run::new(key, state));
        let NewRun { mut started, extras, workflow_id, .. } = new;
        started.workflow_id = workflow_id;
        self.transact(key, |run, cx| {
            run.add_with(cx, Attributes::WorkflowExecutionStartedEventAttributes(started), extras);
            run.watch_run();
            run.show_first_version();
            run.deadlines.set(Deadline::FirstTask, first_task_at);
            begin(run, cx);
        });
        key
    }

    pub(super) fn points_taken_over(
        &self,
        namespace: NamespaceKey,
        started: &WorkflowExecutionStartedEventAttributes,
        at: &prost_types::Timestamp,
    ) -> Option<ResetPoints> {
        let config = self.namespaces.get(namespace).map(|namespace| &namespace.config);
        let retention = config.and_then(|config| duration(config.workflow_execution_retention_ttl.as_ref()));
        let points = started.prev_auto_reset_points.clone();
        taken_over(points, &started.continued_execution_run_id, Some(at), retention.unwrap_or_default())
    }

    pub(super) fn first_state(&self, new: &NewRun) -> RunState {
        let started = &*new.started;
        let time_skipping = TimeSkipping::of_start(started, self.now);
        let now = self.now + time_skipping.as_ref().map(TimeSkipping::skipped).unwrap_or_default();
        let backoff = duration(started.first_workflow_task_backoff.as_ref()).unwrap_or_default();
        let run_timeout = duration(started.workflow_run_timeout.as_ref());
        let run_expires_at = run_timeout.map_or(0, |timeout| (now + backoff + timeout).unix_nanos());
        let run_expires_at = match new.execution_expires_at {
            0 => run_expires_at,
            expires_at if run_expires_at == 0 => expires_at,
            expires_at => run_expires_at.min(expires_at),
        };
        let (versioning_behavior, deployment_version) = inherited(started);
        RunState {
            namespace: new.namespace.0,
            workflow_id: new.workflow_id.clone(),
            run_id: new.run_id.clone(),
            workflow_type: started.workflow_type.clone().unwrap_or_default().name,
            task_queue: started.task_queue.clone().unwrap_or_default().name,
            status: WorkflowExecutionStatus::Running.into(),
            started_at: now.unix_nanos(),
            execution_at: (now + backoff).unix_nanos(),
            execution_timeout: started.workflow_execution_timeout,
            run_timeout: started.workflow_run_timeout,
            task_timeout: started.workflow_task_timeout,
            execution_expires_at: new.execution_expires_at,
            run_expires_at,
            attempt: started.attempt,
            retry_policy: started.retry_policy.clone(),
            cron_schedule: started.cron_schedule.clone(),
            parent: new.parent.clone(),
            root: Some(started.root_workflow_execution.clone().unwrap_or_else(|| WorkflowExecution {
                workflow_id: new.workflow_id.clone(),
                run_id: new.run_id.clone(),
            })),
            first_run_id: started.first_execution_run_id.clone(),
            memo: started.memo.clone(),
            search_attributes: started.search_attributes.clone(),
            priority: started.priority.clone(),
            user_metadata: new.extras.user_metadata.as_deref().cloned(),
            callbacks: started
                .completion_callbacks
                .iter()
                .map(|callback| AttachedCallback::new(callback.clone(), &new.request_id, "", now))
                .collect(),
            versioning_override: started.versioning_override.clone(),
            versioning_behavior: versioning_behavior.into(),
            deployment_version,
            versioning: Versioning::of_start(started),
            start_request_id: new.request_id.clone(),
            reset_points: started.prev_auto_reset_points.clone(),
            task_attempt: 1,
            time_skipping,
            ..Default::default()
        }
    }

    /// A link to an event of a run.
    pub(super) fn event_link(&self, run: &Run, event_id: i64, event_type: EventType) -> Link {
        let event = link::workflow_event::EventReference { event_id, event_type: event_type.into() };
        self.link(run, link::workflow_event::Reference::EventRef(event))
    }

    /// A link to the event that a request causes, which may have no id yet.
    pub(super) fn request_link(&self, run: &Run, request_id: String, event_type: EventType) -> Link {
        let event = link::workflow_event::RequestIdReference { request_id, event_type: event_type.into() };
        self.link(run, link::workflow_event::Reference::RequestIdRef(event))
    }

    fn link(&self, run: &Run, reference: link::workflow_event::Reference) -> Link {
        let namespace = self.namespaces.get(run.namespace()).map(|namespace| namespace.info.name.clone());
        Link {
            variant: Some(link::Variant::WorkflowEvent(link::WorkflowEvent {
                namespace: namespace.unwrap_or_default(),
                workflow_id: run.state.workflow_id.clone(),
                run_id: run.state.run_id.clone(),
                reference: Some(reference),
            })),
        }
    }
}

/// The nearest millisecond, which is how exactly the server knows when a chain expires.
fn whole_millis(time: super::Time) -> super::Time {
    super::Time::from_unix_nanos(time.unix_nanos().saturating_add(500_000) / 1_000_000 * 1_000_000)
}

/// Who the server says it is in events that it causes itself.
pub(crate) const HISTORY_SERVICE: &str = "history-service";
