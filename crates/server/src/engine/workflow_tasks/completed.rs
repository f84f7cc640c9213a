//! A worker has completed a workflow task: its commands are checked as a whole, then carried out.

use std::time::Duration;

use stead_proto::deployment::v1::{WorkerDeploymentOptions, WorkerDeploymentVersion};
use stead_proto::enums::v1::{TimeoutType, VersioningBehavior, WorkerVersioningMode, WorkflowTaskFailedCause as Cause};
use stead_proto::failure::v1::failure::FailureInfo;
use stead_proto::failure::v1::{Failure, ServerFailureInfo};
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::history::v1::{WorkflowTaskCompletedEventAttributes, WorkflowTaskTimedOutEventAttributes};
use stead_proto::workflow::v1::versioning_override::Override;
use stead_proto::workflowservice::v1::{PollActivityTaskQueueResponse, RespondWorkflowTaskCompletedRequest};

use super::pages::NotKept;
use super::response::Delivery;
use crate::engine::call::Outcome;
use crate::engine::commands::{self, Completed, Fault, Rules, Step};
use crate::engine::matching::version_of;
use crate::engine::run::close::Termination;
use crate::engine::run::state::{StartedTask, Sticky, WorkflowTask};
use crate::engine::run::workflow_task::TaskOrigin;
use crate::engine::run::{Context, Run, RunKey};
use crate::engine::start::HISTORY_SERVICE;
use crate::engine::token::TaskToken;
use crate::engine::updates::Ended;
use crate::engine::{Engine, Refusal, Time, raw};

/// How long a worker may do nothing but heartbeat (`history.workflowTaskHeartbeatTimeout`).
const HEARTBEATS: Duration = Duration::from_secs(30 * 60);
/// Request id of a task that goes out with the answer to the one before, as in Temporal's server.
const INLINE_REQUEST: &str = "request-from-RespondWorkflowTaskCompleted";

const COMPLETION_TOO_LARGE: &str = "workflow task completion buffer size exceeds the per-workflow limit";

/// From how many events on a task is kept that only brought rejections, so that they are not sent again and again
/// (`history.discardSpeculativeWorkflowTaskMaximumEventsCount`).
const DISCARDED_EVENTS: i64 = 10;

/// What a completed task leaves to be done.
struct Done {
    /// Whether the worker gets a new task with the answer.
    inline: bool,
    /// Whether it gets one for updates that came meanwhile.
    for_updates: bool,
    heartbeats_expired: bool,
    /// Scheduled events of activities that the worker takes with the answer.
    eager: Vec<i64>,
    /// Where the worker's view of the history has to go back to: the task left no trace.
    reset_to: i64,
}

impl Engine {
    pub(in crate::engine) fn respond_workflow_task_completed(
        &mut self,
        mut request: RespondWorkflowTaskCompletedRequest,
    ) -> Result<Outcome, Refusal> {
        let namespace = self.namespaces.named(&request.namespace)?;
        let token = TaskToken::read(&request.task_token)?;
        let key = self.started_task(&token, namespace)?;
        if request.intermediate_page {
            return match self.pages.keep(key, &token, &mut request) {
                Ok(()) => Ok(raw::RespondWorkflowTaskCompletedResponse::default().into()),
                Err(NotKept::Refused(refusal)) => Err(refusal),
                Err(NotKept::TooLarge) => {
                    Err(self.task_refused(key, &request, Cause::RequestTooLarge, COMPLETION_TOO_LARGE, true))
                }
            };
        }
        if request.page_number != 0 {
            self.pages.complete(key, &token, &mut request)?;
        }
        check_behavior(&request)?;
        let checked = self.check_system_operations(key, &request.commands);
        let planned = checked.and_then(|()| self.plan_completion(key, &request));
        let steps = match planned {
            Ok(steps) => steps,
            Err(Fault::Call(refusal)) => return Err(refusal),
            Err(Fault::Task { cause, message }) => return Err(self.task_refused(key, &request, cause, &message, false)),
            Err(Fault::Workflow { cause, message }) => {
                return Err(self.task_refused(key, &request, cause, &message, true));
            }
        };
        let query_results = std::mem::take(&mut request.query_results);
        let identity = request.identity.clone();
        let heartbeat = request.force_create_new_workflow_task;
        let done = self.transact(key, |run, cx| run.complete_task(cx, request, steps));
        let Some(done) = done.flatten() else { return Err(Refusal::not_found("Workflow task not found.")) };
        if done.for_updates {
            self.transact_speculative(key, |run, cx| run.start_inline_task_for_updates(cx, &identity));
        }
        let follows = self.runs.get(key).is_some_and(|run| run.state.task.is_some());
        self.take_query_results(key, query_results, follows);
        if done.heartbeats_expired {
            return Err(Refusal::not_found("workflow task heartbeat timeout"));
        }
        let workflow_task = match done.inline || done.for_updates {
            true => self.deliver_workflow_task(key, Delivery { sticky: true, heartbeat }),
            false => None,
        };
        let activity_tasks = self.start_eager_activities(key, &done.eager, &identity);
        let response = raw::RespondWorkflowTaskCompletedResponse {
            workflow_task,
            activity_tasks,
            reset_history_event_id: done.reset_to,
        };
        Ok(response.into())
    }

    fn plan_completion(&self, key: RunKey, request: &RespondWorkflowTaskCompletedRequest) -> Result<Vec<Step>, Fault> {
        let Some(run) = self.runs.get(key) else {
            return Err(Fault::Call(Refusal::not_found("Workflow task not found.")));
        };
        let Some(namespace) = self.namespaces.get(run.namespace()) else {
            return Err(Fault::Call(Refusal::not_found("Workflow task not found.")));
        };
        let rules =
            Rules { limits: &self.config.limits, namespaces: &self.namespaces, endpoints: &self.endpoints, namespace };
        commands::plan(run, &rules, &request.commands, &request.messages)
    }

    /// The server does not take the completion. The task fails, unless it has failed before: then the worker's time
    /// runs out, so that it does not fail over and over at once.
    fn task_refused(
        &mut self,
        key: RunKey,
        request: &RespondWorkflowTaskCompletedRequest,
        cause: Cause,
        message: &str,
        terminate: bool,
    ) -> Refusal {
        let text = Fault::text(cause, message);
        let attempt =
            self.runs.get(key).and_then(|run| run.state.task.as_ref()).map_or(1, |task| task.scheduled().attempt);
        self.transact_speculative(key, |run, cx| run.end_sent_updates(cx, &Ended::TaskFailed));
        if attempt > 1 && cause != Cause::UnhandledCommand {
            return Refusal::invalid(text);
        }
        let failure = Failure {
            message: text.clone(),
            failure_info: Some(FailureInfo::ServerFailureInfo(ServerFailureInfo::default())),
            ..Default::default()
        };
        self.transact(key, |run, cx| {
            run.fail_task(cx, cause, Some(failure), &request.identity);
            if terminate {
                let termination =
                    Termination { reason: text.clone(), identity: HISTORY_SERVICE.to_owned(), ..Default::default() };
                run.terminate(cx, termination);
            } else {
                run.wake(cx);
            }
        });
        Refusal::invalid(text)
    }

    fn start_eager_activities(
        &mut self,
        key: RunKey,
        eager: &[i64],
        identity: &str,
    ) -> Vec<PollActivityTaskQueueResponse> {
        let mut tasks = Vec::with_capacity(eager.len());
        for id in eager {
            let request_id = self.ids.uuid().to_string();
            let started =
                self.transact_speculative(key, |run, cx| run.start_activity(cx, *id, 0, identity, &request_id));
            if started == Some(true) {
                tasks.extend(self.activity_task_response(key, *id));
            }
        }
        tasks
    }
}

impl Run {
    /// Writes that the task is completed, takes the steps, and sees to the next task. `None` if there is no started task.
    fn complete_task(
        &mut self,
        cx: &mut Context<'_>,
        request: RespondWorkflowTaskCompletedRequest,
        steps: Vec<Step>,
    ) -> Option<Done> {
        let heartbeat = request.force_create_new_workflow_task;
        let only_heartbeat = heartbeat && steps.is_empty() && request.messages.is_empty();
        let discarded = self.leaves_no_trace(&request);
        let task = if discarded { self.take_started_unwritten()? } else { self.take_started_task()? };
        let since = Time::from_unix_nanos(task.scheduled.original_at);
        let heartbeats_expired = only_heartbeat && cx.now.since(since) > HEARTBEATS;
        self.state.task_attempt = 1;
        let event_id = if discarded { 0 } else { self.write_completed(cx, &task, &request, heartbeats_expired) };
        self.set_sticky(&request, heartbeats_expired);
        let mut eager = Vec::new();
        let mut news = false;
        let completed = Completed { event_id, identity: &request.identity };
        for step in steps {
            eager.extend(self.next_eager(&step));
            news |= self.take_step(cx, step, completed);
        }
        let reset_to = if discarded { self.state.previous_started_event_id } else { 0 };
        if !self.is_open() {
            let (inline, for_updates, eager) = (false, false, Vec::new());
            return Some(Done { inline, for_updates, heartbeats_expired, eager, reset_to });
        }
        if !heartbeat {
            self.reject_unprocessed_updates(cx);
        }
        let moves = self.state.versioning.transition.is_some();
        let wanted = heartbeat || news || moves || !self.state.buffered.is_empty();
        let for_updates = !wanted && self.updates.want_task() && !self.is_paused();
        let wanted = wanted || for_updates && !request.return_new_workflow_task;
        let for_updates = for_updates && !wanted;
        let inline = wanted && request.return_new_workflow_task && !moves && !self.is_paused();
        self.flush_buffer();
        if wanted && !self.is_paused() {
            let heartbeats_since = (only_heartbeat && !heartbeats_expired).then_some(since);
            self.schedule_task(cx, TaskOrigin { heartbeats_since, inline, ..TaskOrigin::default() });
        }
        if inline {
            self.start_task(cx, &request.identity, INLINE_REQUEST, true);
        }
        Some(Done { inline, for_updates, heartbeats_expired, eager, reset_to })
    }

    /// Whether a completed task is as if it had never been: it was for updates alone, and all of them were rejected.
    fn leaves_no_trace(&self, request: &RespondWorkflowTaskCompletedRequest) -> bool {
        let speculative = self.state.task.as_ref().is_some_and(WorkflowTask::is_speculative);
        let can_forget_events =
            request.capabilities.is_some_and(|worker| worker.discard_speculative_workflow_task_with_events);
        // The last completed task left two events: that it was started, and that it was completed.
        let events = self.history.next_event_id() - self.state.previous_started_event_id - 2;
        speculative
            && !request.force_create_new_workflow_task
            && events <= if can_forget_events { DISCARDED_EVENTS } else { 0 }
            && request.commands.is_empty()
            && request.messages.iter().all(commands::is_rejection)
    }

    fn start_inline_task_for_updates(&mut self, cx: &mut Context<'_>, identity: &str) {
        self.schedule_task(cx, TaskOrigin { speculative: true, inline: true, ..TaskOrigin::default() });
        self.start_task(cx, identity, INLINE_REQUEST, true);
    }

    /// The event that an eager activity's scheduling will be.
    fn next_eager(&self, step: &Step) -> Option<i64> {
        match step.action {
            commands::Action::ScheduleActivity { eager: true, .. } => Some(self.history.next_event_id()),
            _ => None,
        }
    }

    fn write_completed(
        &mut self,
        cx: &mut Context<'_>,
        task: &StartedTask,
        request: &RespondWorkflowTaskCompletedRequest,
        heartbeats_expired: bool,
    ) -> i64 {
        let (scheduled_event_id, started_event_id) = (task.scheduled.scheduled_event_id, task.started_event_id);
        if heartbeats_expired {
            let event = WorkflowTaskTimedOutEventAttributes {
                scheduled_event_id,
                started_event_id,
                timeout_type: TimeoutType::StartToClose.into(),
            };
            return self.add(cx, Attributes::WorkflowTaskTimedOutEventAttributes(event));
        }
        self.state.closing_refused = false;
        let options = request.deployment_options.as_ref();
        let event = WorkflowTaskCompletedEventAttributes {
            scheduled_event_id,
            started_event_id,
            identity: request.identity.clone(),
            worker_version: request.worker_version_stamp.clone(),
            sdk_metadata: request.sdk_metadata.clone(),
            metering_metadata: request.metering_metadata,
            binary_checksum: request.binary_checksum.clone(),
            worker_deployment_name: options.map(|options| options.deployment_name.clone()).unwrap_or_default(),
            deployment_version: version_of(options, None),
            versioning_behavior: request.versioning_behavior,
            ..Default::default()
        };
        let completed = event.clone();
        let event_id = self.add(cx, Attributes::WorkflowTaskCompletedEventAttributes(Box::new(event)));
        if self.took_completed(cx.now, event_id, &completed) {
            self.offer_again(cx);
        }
        event_id
    }

    /// What the completion of a task changes in the state. Whether the run is on another version by it.
    pub(crate) fn took_completed(
        &mut self,
        now: Time,
        event_id: i64,
        completed: &WorkflowTaskCompletedEventAttributes,
    ) -> bool {
        self.state.previous_started_event_id = completed.started_event_id;
        self.add_reset_point(now, event_id, completed);
        self.solve_problem();
        self.took_version(completed)
    }

    /// An override for one task has done its work once a task has completed where it sent it.
    pub(crate) fn end_one_time_override(&mut self, completed_on: Option<&WorkerDeploymentVersion>) {
        let overridden = self.state.versioning_override.as_ref().and_then(|it| it.r#override.as_ref());
        let Some(Override::OneTime(one_time)) = overridden else { return };
        if one_time.target_deployment_version.as_ref() == completed_on {
            self.state.versioning_override = None;
        }
    }

    fn set_sticky(&mut self, request: &RespondWorkflowTaskCompletedRequest, heartbeats_expired: bool) {
        let attributes = request.sticky_attributes.as_ref().filter(|_| !heartbeats_expired);
        // The next task is not for the worker that has the run in its cache if the run moves to another version.
        let attributes = attributes.filter(|_| self.state.versioning.transition.is_none());
        let queue = attributes.and_then(|attributes| attributes.worker_task_queue.as_ref());
        self.state.sticky = queue.map(|queue| Sticky {
            queue: queue.name.clone(),
            schedule_to_start: attributes.and_then(|attributes| attributes.schedule_to_start_timeout),
        });
    }
}

fn is_versioned(options: &WorkerDeploymentOptions) -> bool {
    options.worker_versioning_mode() == WorkerVersioningMode::Versioned
}

/// Only a worker that says its version can say how its workflows move between versions.
fn check_behavior(request: &RespondWorkflowTaskCompletedRequest) -> Result<(), Refusal> {
    let versioned = request.deployment_options.as_ref().is_some_and(is_versioned);
    if request.versioning_behavior() == VersioningBehavior::Unspecified || versioned {
        return Ok(());
    }
    Err(Refusal::invalid(
        "versioning behavior cannot be specified without deployment options being set with versioned mode",
    ))
}
