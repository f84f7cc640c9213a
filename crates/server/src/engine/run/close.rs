//! How a run ends, and what follows it: the next run of its chain, by retry, by cron schedule or because it says so.

use std::time::Duration;

use stead_proto::command::v1::{
    CancelWorkflowExecutionCommandAttributes, CompleteWorkflowExecutionCommandAttributes,
    ContinueAsNewWorkflowExecutionCommandAttributes, FailWorkflowExecutionCommandAttributes,
};
use stead_proto::common::v1::{Link, Payloads};
use stead_proto::enums::v1::{
    ContinueAsNewInitiator, ContinueAsNewVersioningBehavior, RetryState, TaskQueueKind, VersioningBehavior,
    WorkflowExecutionStatus as Status, WorkflowTaskFailedCause,
};
use stead_proto::failure::v1::Failure;
use stead_proto::failure::v1::failure::FailureInfo;
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::history::v1::{
    WorkflowExecutionCanceledEventAttributes, WorkflowExecutionCompletedEventAttributes,
    WorkflowExecutionContinuedAsNewEventAttributes, WorkflowExecutionFailedEventAttributes,
    WorkflowExecutionStartedEventAttributes, WorkflowExecutionTerminatedEventAttributes,
    WorkflowExecutionTimedOutEventAttributes,
};
use stead_proto::taskqueue::v1::TaskQueue;
use stead_proto::workflow::v1::VersioningOverride;
use stead_proto::workflow::v1::versioning_override::Override;

use super::deadlines::Deadline;
use super::events::Extras;
use super::properties::{memo_without_nil, search_attributes_without_nil};
use super::{Context, Run};
use crate::engine::Time;
use crate::engine::cron::Cron;
use crate::engine::deployments::pinned_version;
use crate::engine::effect::Effect;
use crate::engine::retry::{self, Retry};
use crate::engine::start::{HISTORY_SERVICE, NewRun};
use crate::engine::time::{duration, wire};

/// The least time between the starts of a run and of the one that continues it
/// (`history.workflowIdReuseMinimalInterval`).
const MIN_RUN: Duration = Duration::from_secs(1);

impl Run {
    pub(crate) fn complete(
        &mut self,
        cx: &mut Context<'_>,
        command: CompleteWorkflowExecutionCommandAttributes,
        completed_event_id: i64,
        extras: Extras,
    ) {
        let next = self.cron_backoff(cx.now).map(|backoff| (cx.ids.uuid().to_string(), backoff));
        let event = WorkflowExecutionCompletedEventAttributes {
            result: command.result.clone(),
            workflow_task_completed_event_id: completed_event_id,
            new_execution_run_id: next.as_ref().map(|(run_id, _)| run_id.clone()).unwrap_or_default(),
        };
        self.add_with(cx, Attributes::WorkflowExecutionCompletedEventAttributes(event), extras);
        self.close(cx, Status::Completed);
        if let Some((run_id, backoff)) = next {
            self.follow_by_cron(cx, run_id, backoff, command.result, None);
        }
    }

    pub(crate) fn fail(
        &mut self,
        cx: &mut Context<'_>,
        command: FailWorkflowExecutionCommandAttributes,
        completed_event_id: i64,
        extras: Extras,
    ) {
        let failure = command.failure.unwrap_or_default();
        let (next, retry_state) = self.after_failure(cx, &failure);
        let event = WorkflowExecutionFailedEventAttributes {
            failure: Some(failure.clone()),
            retry_state: retry_state.into(),
            workflow_task_completed_event_id: completed_event_id,
            new_execution_run_id: next.as_ref().map(|next| next.run_id.clone()).unwrap_or_default(),
        };
        self.add_with(cx, Attributes::WorkflowExecutionFailedEventAttributes(Box::new(event)), extras);
        self.close(cx, Status::Failed);
        // An attempt after a failure is not told of it, an attempt after a timeout is: so the server has it.
        self.follow_failure(cx, next, failure, None);
    }

    /// The run, or its chain, has taken too long. Only a run is tried again.
    pub(crate) fn time_out(&mut self, cx: &mut Context<'_>, of_chain: bool) {
        let failure = Failure {
            message: "workflow timeout".to_owned(),
            source: "Server".to_owned(),
            failure_info: Some(FailureInfo::TimeoutFailureInfo(stead_proto::failure::v1::TimeoutFailureInfo {
                timeout_type: stead_proto::enums::v1::TimeoutType::StartToClose.into(),
                last_heartbeat_details: None,
            })),
            ..Default::default()
        };
        let expired = self.state.execution_expires_at != 0 && self.state.execution_expires_at <= cx.now.unix_nanos();
        let (next, retry_state) =
            if of_chain || expired { (None, RetryState::Timeout) } else { self.after_failure(cx, &failure) };
        self.fail_task_before_close(cx);
        let event = WorkflowExecutionTimedOutEventAttributes {
            retry_state: retry_state.into(),
            new_execution_run_id: next.as_ref().map(|next| next.run_id.clone()).unwrap_or_default(),
        };
        self.add(cx, Attributes::WorkflowExecutionTimedOutEventAttributes(event));
        self.close(cx, Status::TimedOut);
        let result = self.started_event().and_then(|started| started.last_completion_result);
        self.follow_failure(cx, next, failure, result);
    }

    pub(crate) fn cancel(
        &mut self,
        cx: &mut Context<'_>,
        command: CancelWorkflowExecutionCommandAttributes,
        completed_event_id: i64,
        extras: Extras,
    ) {
        let event = WorkflowExecutionCanceledEventAttributes {
            details: command.details,
            workflow_task_completed_event_id: completed_event_id,
        };
        self.add_with(cx, Attributes::WorkflowExecutionCanceledEventAttributes(event), extras);
        self.close(cx, Status::Canceled);
    }

    pub(crate) fn terminate(&mut self, cx: &mut Context<'_>, termination: Termination) {
        self.fail_task_before_close(cx);
        let event = WorkflowExecutionTerminatedEventAttributes {
            reason: termination.reason,
            details: termination.details,
            identity: termination.identity,
        };
        let event = Attributes::WorkflowExecutionTerminatedEventAttributes(event);
        self.add_with(cx, event, termination.links.into());
        self.close(cx, Status::Terminated);
    }

    pub(crate) fn continue_as_new(
        &mut self,
        cx: &mut Context<'_>,
        command: ContinueAsNewWorkflowExecutionCommandAttributes,
        completed_event_id: i64,
        extras: Extras,
    ) {
        let run_id = cx.ids.uuid().to_string();
        let backoff = duration(command.backoff_start_interval.as_ref()).unwrap_or_default();
        let event = WorkflowExecutionContinuedAsNewEventAttributes {
            new_execution_run_id: run_id.clone(),
            workflow_type: command.workflow_type.clone(),
            task_queue: command.task_queue.clone(),
            input: command.input.clone(),
            workflow_run_timeout: command.workflow_run_timeout,
            workflow_task_timeout: command.workflow_task_timeout,
            workflow_task_completed_event_id: completed_event_id,
            backoff_start_interval: command.backoff_start_interval,
            initiator: command.initiator,
            failure: command.failure.clone(),
            last_completion_result: command.last_completion_result.clone(),
            header: command.header.clone(),
            memo: memo_without_nil(command.memo.clone()),
            search_attributes: search_attributes_without_nil(command.search_attributes.clone()),
            inherit_build_id: command.inherit_build_id,
            ..Default::default()
        };
        self.add_with(cx, Attributes::WorkflowExecutionContinuedAsNewEventAttributes(Box::new(event)), extras);
        self.close(cx, Status::ContinuedAsNew);
        self.follow_by_command(cx, run_id, backoff, command);
    }

    /// A worker that has the workflow task loses it, and news that waited for its answer is written.
    fn fail_task_before_close(&mut self, cx: &mut Context<'_>) {
        self.fail_task(cx, WorkflowTaskFailedCause::ForceCloseCommand, None, HISTORY_SERVICE);
        self.flush_buffer();
    }

    /// The run is over: nobody works for it any more.
    fn close(&mut self, cx: &mut Context<'_>, status: Status) {
        self.state.status = status.into();
        self.state.closed_at = cx.now.unix_nanos();
        self.state.task = None;
        self.state.sticky = None;
        self.state.pause = None;
        self.activities.clear();
        self.activity_ids.clear();
        self.operations.clear();
        self.timers.clear();
        self.deadlines.clear();
        self.listed = false;
        cx.effects.push_back(Effect::Closed(self.key));
    }

    /// What follows a failure: another attempt, or the next run of the cron schedule.
    fn after_failure(&self, cx: &mut Context<'_>, failure: &Failure) -> (Option<Next>, RetryState) {
        let (retry, state) = match self.retry_backoff(cx.now, failure) {
            Ok(backoff) => (Some((backoff, true)), RetryState::InProgress),
            Err(state) => (None, state),
        };
        let next = retry.or_else(|| self.cron_backoff(cx.now).map(|backoff| (backoff, false)));
        let next = next.map(|(backoff, is_retry)| Next { run_id: cx.ids.uuid().to_string(), backoff, is_retry });
        (next, state)
    }

    fn retry_backoff(&self, now: Time, failure: &Failure) -> Result<Duration, RetryState> {
        let policy = self.state.retry_policy.as_ref().ok_or(RetryState::RetryPolicyNotSet)?;
        let expires_at = self.state.execution_expires_at;
        let expires_at = (expires_at != 0).then(|| Time::from_unix_nanos(expires_at));
        retry::next(&Retry { policy, attempt: self.state.attempt, now, expires_at }, failure)
    }

    /// How long to wait for the next run of the cron schedule, if there is one before the chain expires.
    fn cron_backoff(&self, now: Time) -> Option<Duration> {
        if self.state.cron_schedule.is_empty() {
            return None;
        }
        let cron = Cron::parse(&self.state.cron_schedule).ok()?;
        let backoff = cron.backoff(Time::from_unix_nanos(self.state.execution_at), now)?;
        let expires_at = self.state.execution_expires_at;
        (expires_at == 0 || (now + backoff).unix_nanos() < expires_at).then_some(backoff)
    }

    /// The next run waits at least until a second after this one began: a workflow that does nothing but begin anew must
    /// not keep the server busy.
    fn unhurried(&self, now: Time, backoff: Duration) -> Duration {
        let since =
            if now.unix_nanos() >= self.state.execution_at { self.state.execution_at } else { self.state.started_at };
        let lived = now.since(Time::from_unix_nanos(since));
        if lived + backoff < MIN_RUN { MIN_RUN - lived } else { backoff }
    }

    /// `result` is what another attempt is told of the last success.
    fn follow_failure(&mut self, cx: &mut Context<'_>, next: Option<Next>, failure: Failure, result: Option<Payloads>) {
        match next {
            Some(Next { run_id, backoff, is_retry: true }) => {
                self.follow_by_retry(cx, run_id, backoff, failure, result);
            }
            Some(Next { run_id, backoff, is_retry: false }) => {
                self.follow_by_cron(cx, run_id, backoff, None, Some(failure));
            }
            None => {}
        }
    }

    fn follow_by_retry(
        &mut self,
        cx: &mut Context<'_>,
        run_id: String,
        backoff: Duration,
        failure: Failure,
        result: Option<Payloads>,
    ) {
        let (Some(of_first), Some(started)) = (self.started_event(), self.started_again()) else { return };
        let behavior = self.state.versioning.initial_behavior;
        let behavior = ContinueAsNewVersioningBehavior::try_from(behavior).unwrap_or_default();
        let started = WorkflowExecutionStartedEventAttributes {
            initiator: ContinueAsNewInitiator::Retry.into(),
            continued_failure: Some(failure),
            last_completion_result: result,
            attempt: self.state.attempt + 1,
            completion_callbacks: self.callbacks_of_chain(),
            inherited_pinned_version: of_first.inherited_pinned_version.and(pinned_version(&self.state).cloned()),
            inherited_auto_upgrade_info: if self.is_auto_upgraded() { self.auto_upgrade_info(behavior) } else { None },
            declined_target_version_upgrade: of_first.declined_target_version_upgrade,
            ..started
        };
        self.follow(cx, run_id, backoff, started);
    }

    fn follow_by_cron(
        &mut self,
        cx: &mut Context<'_>,
        run_id: String,
        backoff: Duration,
        result: Option<Payloads>,
        failure: Option<Failure>,
    ) {
        let Some(started) = self.started_again() else { return };
        let started = WorkflowExecutionStartedEventAttributes {
            initiator: ContinueAsNewInitiator::CronSchedule.into(),
            // The result of the last success stays, whatever fails after it.
            last_completion_result: if failure.is_some() { started.last_completion_result.clone() } else { result },
            continued_failure: failure,
            attempt: 1,
            ..started
        };
        self.follow(cx, run_id, backoff, started);
    }

    fn follow_by_command(
        &mut self,
        cx: &mut Context<'_>,
        run_id: String,
        backoff: Duration,
        command: ContinueAsNewWorkflowExecutionCommandAttributes,
    ) {
        // The event that ends this run says what the command says, the next run what it means.
        let initiator = match command.initiator() {
            ContinueAsNewInitiator::Unspecified => ContinueAsNewInitiator::Workflow,
            initiator => initiator,
        };
        let behavior = command.initial_versioning_behavior();
        // A wish for the first task says that the run is not to stay where it is pinned.
        let stays = behavior == ContinueAsNewVersioningBehavior::Unspecified;
        let pinned = pinned_version(&self.state).cloned();
        let moves = self.is_auto_upgraded() || (pinned.is_some() && !stays);
        let inherited_pinned_version = pinned.filter(|_| stays);
        let started = WorkflowExecutionStartedEventAttributes {
            initiator: initiator.into(),
            workflow_type: command.workflow_type,
            task_queue: command.task_queue.map(|queue| normal_queue(queue.name)),
            input: command.input,
            workflow_run_timeout: command.workflow_run_timeout,
            workflow_task_timeout: command.workflow_task_timeout,
            retry_policy: command.retry_policy,
            cron_schedule: command.cron_schedule,
            header: command.header,
            memo: command.memo,
            search_attributes: command.search_attributes,
            continued_failure: command.failure,
            last_completion_result: command.last_completion_result,
            attempt: if initiator == ContinueAsNewInitiator::Retry { self.state.attempt + 1 } else { 1 },
            completion_callbacks: self.callbacks_of_chain(),
            priority: self.state.priority.clone(),
            declined_target_version_upgrade: inherited_pinned_version.as_ref().and_then(|_| self.declined_upgrade()),
            inherited_auto_upgrade_info: if moves { self.auto_upgrade_info(behavior) } else { None },
            inherited_pinned_version,
            ..Default::default()
        };
        self.follow(cx, run_id, backoff, started);
    }

    /// What the run was started with, for another run that is to be like it. Later changes are lost.
    fn started_again(&self) -> Option<WorkflowExecutionStartedEventAttributes> {
        let started = self.started_event()?;
        Some(WorkflowExecutionStartedEventAttributes {
            workflow_type: started.workflow_type,
            task_queue: started.task_queue,
            input: started.input,
            workflow_run_timeout: started.workflow_run_timeout,
            workflow_task_timeout: started.workflow_task_timeout,
            retry_policy: started.retry_policy,
            cron_schedule: started.cron_schedule,
            header: started.header,
            memo: started.memo,
            search_attributes: started.search_attributes,
            priority: started.priority,
            last_completion_result: started.last_completion_result,
            ..Default::default()
        })
    }

    /// Starts the next run of the chain; what belongs to the chain is added to what the run is to be.
    fn follow(
        &mut self,
        cx: &mut Context<'_>,
        run_id: String,
        backoff: Duration,
        started: WorkflowExecutionStartedEventAttributes,
    ) {
        let Some(first) = self.history.event(1) else { return };
        let Some(Attributes::WorkflowExecutionStartedEventAttributes(of_first)) = first.attributes else { return };
        let (time_skipping_config, time_skipping_state_propagation) = self.time_skipping_of_next_run();
        let started = WorkflowExecutionStartedEventAttributes {
            parent_workflow_namespace: of_first.parent_workflow_namespace,
            parent_workflow_namespace_id: of_first.parent_workflow_namespace_id,
            parent_workflow_execution: of_first.parent_workflow_execution,
            parent_initiated_event_id: of_first.parent_initiated_event_id,
            root_workflow_execution: self.state.parent.as_ref().and(self.state.root.clone()),
            workflow_execution_timeout: self.state.execution_timeout,
            workflow_execution_expiration_time: of_first.workflow_execution_expiration_time,
            continued_execution_run_id: self.state.run_id.clone(),
            first_execution_run_id: self.state.first_run_id.clone(),
            original_execution_run_id: run_id.clone(),
            first_workflow_task_backoff: Some(wire(self.unhurried(cx.now, backoff))),
            versioning_override: self.state.versioning_override.clone().filter(is_pinned),
            prev_auto_reset_points: self.state.reset_points.clone(),
            time_skipping_config,
            time_skipping_state_propagation,
            ..started
        };
        self.state.new_run_id.clone_from(&run_id);
        let new = NewRun {
            namespace: self.namespace(),
            workflow_id: self.state.workflow_id.clone(),
            run_id,
            request_id: cx.ids.uuid().to_string(),
            execution_expires_at: self.state.execution_expires_at,
            parent: self.state.parent.clone(),
            extras: Extras { links: first.links, ..Extras::default() },
            started: Box::new(started),
        };
        cx.effects.push_back(Effect::Follow(Box::new(new)));
    }

    /// The first event of the run.
    pub(crate) fn started_event(&self) -> Option<WorkflowExecutionStartedEventAttributes> {
        match self.history.event(1)?.attributes {
            Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) => Some(*started),
            _ => None,
        }
    }

    /// Sets the deadlines that only depend on the run's start.
    pub(crate) fn watch_run(&mut self) {
        let at = |nanos: i64| (nanos != 0).then(|| Time::from_unix_nanos(nanos));
        self.deadlines.set(Deadline::Run, at(self.state.run_expires_at));
        self.deadlines.set(Deadline::Execution, at(self.state.execution_expires_at));
        self.watch_fast_forward();
    }
}

/// Why, and by whom, a run is terminated.
#[derive(Clone, Debug, Default)]
pub(crate) struct Termination {
    pub(crate) reason: String,
    pub(crate) details: Option<Payloads>,
    pub(crate) identity: String,
    pub(crate) links: Vec<Link>,
}

/// The run that follows a failed one.
struct Next {
    run_id: String,
    backoff: Duration,
    is_retry: bool,
}

/// Whether it names a version: such an override holds for the whole chain.
fn is_pinned(versioning: &VersioningOverride) -> bool {
    matches!(versioning.r#override, Some(Override::Pinned(_))) || versioning.behavior() == VersioningBehavior::Pinned
}

fn normal_queue(name: String) -> TaskQueue {
    TaskQueue { name, kind: TaskQueueKind::Normal.into(), normal_name: String::new() }
}
