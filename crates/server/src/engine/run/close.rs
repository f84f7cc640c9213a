//! How a run ends, and what follows it: the next run of its chain, by retry, by cron schedule or because it says so.

use std::time::Duration;

use stead_proto::command::v1::{
    CancelWorkflowExecutionCommandAttributes, CompleteWorkflowExecutionCommandAttributes,
    ContinueAsNewWorkflowExecutionCommandAttributes, FailWorkflowExecutionCommandAttributes,
};
use stead_proto::common::v1::{Link, Payloads};
use stead_proto::enums::v1::{ContinueAsNewInitiator, RetryState, WorkflowExecutionStatus as Status};
use stead_proto::failure::v1::Failure;
use stead_proto::failure::v1::failure::FailureInfo;
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::history::v1::{
    WorkflowExecutionCanceledEventAttributes, WorkflowExecutionCompletedEventAttributes,
    WorkflowExecutionContinuedAsNewEventAttributes, WorkflowExecutionFailedEventAttributes,
    WorkflowExecutionStartedEventAttributes, WorkflowExecutionTerminatedEventAttributes,
    WorkflowExecutionTimedOutEventAttributes,
};

use super::deadlines::Deadline;
use super::events::Extras;
use super::{Context, Run};
use crate::engine::Time;
use crate::engine::cron::Cron;
use crate::engine::effect::Effect;
use crate::engine::retry::{self, Retry};
use crate::engine::start::NewRun;
use crate::engine::time::wire;

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
        self.add_with(cx, Attributes::WorkflowExecutionFailedEventAttributes(event), extras);
        self.close(cx, Status::Failed);
        self.follow_failure(cx, next, failure);
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
        let (next, retry_state) = if of_chain { (None, RetryState::Timeout) } else { self.after_failure(cx, &failure) };
        self.flush_before_close();
        let event = WorkflowExecutionTimedOutEventAttributes {
            retry_state: if next.is_some() { retry_state } else { RetryState::Timeout }.into(),
            new_execution_run_id: next.as_ref().map(|next| next.run_id.clone()).unwrap_or_default(),
        };
        self.add(cx, Attributes::WorkflowExecutionTimedOutEventAttributes(event));
        self.close(cx, Status::TimedOut);
        self.follow_failure(cx, next, failure);
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
        self.flush_before_close();
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
        let backoff = self.continue_backoff(cx.now, &command);
        let event = WorkflowExecutionContinuedAsNewEventAttributes {
            new_execution_run_id: run_id.clone(),
            workflow_type: command.workflow_type.clone(),
            task_queue: command.task_queue.clone(),
            input: command.input.clone(),
            workflow_run_timeout: command.workflow_run_timeout,
            workflow_task_timeout: command.workflow_task_timeout,
            workflow_task_completed_event_id: completed_event_id,
            backoff_start_interval: command.backoff_start_interval,
            initiator: initiator(&command).into(),
            failure: command.failure.clone(),
            last_completion_result: command.last_completion_result.clone(),
            header: command.header.clone(),
            memo: command.memo.clone(),
            search_attributes: command.search_attributes.clone(),
            ..Default::default()
        };
        self.add_with(cx, Attributes::WorkflowExecutionContinuedAsNewEventAttributes(Box::new(event)), extras);
        self.close(cx, Status::ContinuedAsNew);
        self.follow_by_command(cx, run_id, backoff, command);
    }

    fn flush_before_close(&mut self) {
        self.take_started_unwritten();
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
        self.timers.clear();
        self.deadlines.clear();
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

    fn continue_backoff(&self, now: Time, command: &ContinueAsNewWorkflowExecutionCommandAttributes) -> Duration {
        let asked = crate::engine::time::duration(command.backoff_start_interval.as_ref());
        let lived = now.since(Time::from_unix_nanos(self.state.started_at));
        asked.unwrap_or_default().max(MIN_RUN.saturating_sub(lived))
    }

    fn follow_failure(&mut self, cx: &mut Context<'_>, next: Option<Next>, failure: Failure) {
        match next {
            Some(Next { run_id, backoff, is_retry: true }) => self.follow_by_retry(cx, run_id, backoff, failure),
            Some(Next { run_id, backoff, is_retry: false }) => {
                self.follow_by_cron(cx, run_id, backoff, None, Some(failure));
            }
            None => {}
        }
    }

    fn follow_by_retry(&mut self, cx: &mut Context<'_>, run_id: String, backoff: Duration, failure: Failure) {
        let Some(started) = self.started_event() else { return };
        let started = WorkflowExecutionStartedEventAttributes {
            initiator: ContinueAsNewInitiator::Retry.into(),
            continued_failure: Some(failure),
            attempt: self.state.attempt + 1,
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
        let Some(started) = self.started_event() else { return };
        let started = WorkflowExecutionStartedEventAttributes {
            initiator: ContinueAsNewInitiator::CronSchedule.into(),
            // The result of the last success stays, whatever fails after it.
            last_completion_result: result.or(started.last_completion_result),
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
        let Some(started) = self.started_event() else { return };
        let started = WorkflowExecutionStartedEventAttributes {
            initiator: initiator(&command).into(),
            workflow_type: command.workflow_type,
            task_queue: command.task_queue,
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
            attempt: 1,
            ..started
        };
        self.follow(cx, run_id, backoff, started);
    }

    fn follow(
        &mut self,
        cx: &mut Context<'_>,
        run_id: String,
        backoff: Duration,
        started: WorkflowExecutionStartedEventAttributes,
    ) {
        let started = WorkflowExecutionStartedEventAttributes {
            continued_execution_run_id: self.state.run_id.clone(),
            first_execution_run_id: self.state.first_run_id.clone(),
            original_execution_run_id: run_id.clone(),
            first_workflow_task_backoff: Some(wire(backoff)),
            completion_callbacks: self.state.callbacks.clone(),
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
            extras: Extras { user_metadata: self.state.user_metadata.clone(), ..Extras::default() },
            started: Box::new(started),
        };
        cx.effects.push_back(Effect::Follow(self.key, Box::new(new)));
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

fn initiator(command: &ContinueAsNewWorkflowExecutionCommandAttributes) -> ContinueAsNewInitiator {
    match command.initiator() {
        ContinueAsNewInitiator::Unspecified => ContinueAsNewInitiator::Workflow,
        initiator => initiator,
    }
}
