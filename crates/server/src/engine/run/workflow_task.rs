//! The workflow task of a run: when there is one, with whom it is, and what it leaves in history.
//!
//! ```text
//!              schedule               start
//!   (no task) ──────────▶ Scheduled ────────▶ Started
//!       ▲                     │                  │
//!       │   sticky queue      │                  │ complete, fail,
//!       └── took too long ────┴──────────────────┘ take too long
//! ```
//!
//! The first attempt is written as it happens. Later attempts are transient: nothing of them is written until one
//! completes, then all of it at once; the ids that they would have are given to the worker all the same. So is a
//! speculative task, which only carries updates: if all of them are rejected, it leaves no trace.

use std::time::Duration;

use stead_proto::enums::v1::{SuggestContinueAsNewReason, TaskQueueKind, TimeoutType, WorkflowTaskFailedCause};
use stead_proto::failure::v1::Failure;
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::history::v1::{
    HistoryEvent, WorkflowTaskFailedEventAttributes, WorkflowTaskScheduledEventAttributes,
    WorkflowTaskStartedEventAttributes, WorkflowTaskTimedOutEventAttributes,
};
use stead_proto::taskqueue::v1::TaskQueue;

use super::deadlines::Deadline;
use super::event_type::event_type;
use super::state::{ScheduledTask, StartedTask, WorkflowTask};
use super::{Context, Run};
use crate::engine::Time;
use crate::engine::commands::camel_case;
use crate::engine::effect::Effect;
use crate::engine::search_attributes::keyword_list;
use crate::engine::time::{duration, wire};

/// Of a run that says nothing else (`common/primitives/constants.go` of Temporal's server).
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest that a run may say (`common/primitives/constants.go`).
const MAX_TIMEOUT: Duration = Duration::from_secs(120);
/// The attempt from which on the timeout grows, and how far (`workflow_task_state_machine.go`).
const PATIENT_ATTEMPTS: i32 = 3;
const MAX_ADDED_TIMEOUT: Duration = Duration::from_secs(10 * 60);
/// How long a speculative task may wait for a worker (`tasks.SpeculativeWorkflowTaskScheduleToStartTimeout`).
const SPECULATIVE_SCHEDULE_TO_START: Duration = Duration::from_secs(5);
/// From how many failures in a row on lists show the problem
/// (`system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute`).
const PROBLEMS: i32 = 5;
/// The search attribute in which lists find it.
const REPORTED_PROBLEMS: &str = "TemporalReportedProblems";

/// How a new task differs from any other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TaskOrigin {
    /// It only carries updates.
    pub(crate) speculative: bool,
    /// It goes on with the heartbeats that began then.
    pub(crate) heartbeats_since: Option<Time>,
    /// The worker that has just answered gets it with the answer, so it is not queued.
    pub(crate) inline: bool,
}

impl WorkflowTask {
    pub(crate) fn scheduled(&self) -> &ScheduledTask {
        match self {
            Self::Scheduled(task) => task,
            Self::Started(task) => &task.scheduled,
        }
    }

    pub(crate) fn is_speculative(&self) -> bool {
        self.scheduled().speculative
    }
}

impl Run {
    /// Schedules a workflow task unless there is one, or there must not be one now.
    pub(crate) fn wake(&mut self, cx: &mut Context<'_>) {
        if self.is_paused() && self.state.task.is_none() {
            // No task follows that would bring what waits for the end of the one before.
            self.flush_buffer();
        }
        if self.state.task.is_none() && self.is_open() && !self.is_paused() && !self.in_backoff(cx.now) {
            self.schedule_task(cx, TaskOrigin::default());
        }
    }

    /// Schedules a workflow task; there is none.
    pub(crate) fn schedule_task(&mut self, cx: &mut Context<'_>, origin: TaskOrigin) {
        debug_assert!(self.state.task.is_none(), "a run has one workflow task at most");
        if !self.state.buffered.is_empty() {
            self.state.task_attempt = 1;
            self.flush_buffer();
        }
        let attempt = self.state.task_attempt.max(1);
        let written = attempt == 1 && !origin.speculative;
        let timeout = self.task_timeout(cx, attempt);
        let scheduled_event_id = self.history.next_event_id();
        if written {
            let event = self.task_scheduled_event(timeout, attempt);
            self.add(cx, event);
        }
        let at = cx.now.unix_nanos();
        let sticky = self.state.sticky.is_some();
        self.state.task_stamp += 1;
        self.state.task = Some(WorkflowTask::Scheduled(ScheduledTask {
            scheduled_event_id,
            written,
            speculative: origin.speculative,
            attempt,
            at,
            original_at: origin.heartbeats_since.map_or(at, Time::unix_nanos),
            sticky,
            timeout: Some(wire(timeout)),
        }));
        if !origin.inline {
            self.offer_task(cx, origin.speculative);
        }
    }

    fn offer_task(&mut self, cx: &mut Context<'_>, speculative: bool) {
        let sticky = self.state.sticky.as_ref();
        let patience = match sticky {
            Some(sticky) => duration(sticky.schedule_to_start.as_ref()),
            None => speculative.then_some(SPECULATIVE_SCHEDULE_TO_START),
        };
        self.deadlines.set(Deadline::TaskScheduleToStart, patience.map(|patience| cx.now + patience));
        cx.effects.push_back(Effect::OfferWorkflowTask(self.key));
    }

    fn task_scheduled_event(&self, timeout: Duration, attempt: i32) -> Attributes {
        Attributes::WorkflowTaskScheduledEventAttributes(WorkflowTaskScheduledEventAttributes {
            task_queue: Some(self.current_queue()),
            start_to_close_timeout: Some(wire(timeout)),
            attempt,
        })
    }

    /// The queue in which the next workflow task waits: that of the worker that knows the run, if one does.
    pub(crate) fn current_queue(&self) -> TaskQueue {
        match &self.state.sticky {
            Some(sticky) => TaskQueue {
                name: sticky.queue.clone(),
                kind: TaskQueueKind::Sticky.into(),
                normal_name: self.state.task_queue.clone(),
            },
            None => self.normal_queue(),
        }
    }

    pub(crate) fn normal_queue(&self) -> TaskQueue {
        TaskQueue {
            name: self.state.task_queue.clone(),
            kind: TaskQueueKind::Normal.into(),
            normal_name: String::new(),
        }
    }

    fn task_timeout(&self, cx: &mut Context<'_>, attempt: i32) -> Duration {
        let timeout = duration(self.state.task_timeout.as_ref()).unwrap_or(DEFAULT_TIMEOUT);
        if attempt <= PATIENT_ATTEMPTS {
            return timeout;
        }
        let doublings = u32::try_from(attempt - PATIENT_ATTEMPTS - 1).unwrap_or(0).min(16);
        let added = Duration::from_secs(5).saturating_mul(1 << doublings).min(MAX_ADDED_TIMEOUT);
        timeout + added.mul_f64(1.0 + 0.2 * cx.ids.fraction())
    }

    /// A worker takes the task. `sticky` says whether it came by the sticky queue.
    pub(crate) fn start_task(&mut self, cx: &mut Context<'_>, identity: &str, request_id: &str, sticky: bool) {
        let Some(WorkflowTask::Scheduled(mut task)) = self.state.task.take() else {
            debug_assert!(false, "only a scheduled task can be started");
            return;
        };
        if !sticky {
            self.state.sticky = None;
        }
        task.sticky = sticky;
        if !task.written && task.scheduled_event_id != self.history.next_event_id() {
            // There is news since the task was scheduled, so it is an ordinary one.
            self.write_scheduled(cx, &mut task);
        }
        let (reasons, history_size) = self.suggest_continue_as_new(cx);
        let target_changed = self.target_has_changed();
        let mut started = StartedTask {
            started_event_id: task.scheduled_event_id + 1,
            at: cx.now.unix_nanos(),
            identity: identity.to_owned(),
            request_id: request_id.to_owned(),
            suggest_continue_as_new: !reasons.is_empty(),
            suggest_reasons: reasons.into_iter().map(Into::into).collect(),
            history_size,
            target_changed,
            scheduled: task,
        };
        if started.scheduled.written {
            let event = task_started_event(&started, identity);
            started.started_event_id = self.add(cx, event);
        }
        let timeout = duration(started.scheduled.timeout.as_ref()).unwrap_or(DEFAULT_TIMEOUT);
        self.deadlines.set(Deadline::TaskScheduleToStart, None);
        self.deadlines.set(Deadline::TaskStartToClose, Some(cx.now + timeout));
        self.state.task = Some(WorkflowTask::Started(started));
        self.history.end_batch();
    }

    fn write_scheduled(&mut self, cx: &Context<'_>, task: &mut ScheduledTask) {
        self.state.task_attempt = 1;
        task.attempt = 1;
        task.speculative = false;
        task.written = true;
        let timeout = duration(task.timeout.as_ref()).unwrap_or(DEFAULT_TIMEOUT);
        let event = self.task_scheduled_event(timeout, task.attempt);
        task.scheduled_event_id = self.add(cx, event);
    }

    fn suggest_continue_as_new(&self, cx: &Context<'_>) -> (Vec<SuggestContinueAsNewReason>, i64) {
        let limits = &cx.config.limits;
        let size = self.history.size();
        let mut reasons = Vec::new();
        if size >= limits.history_size_suggest {
            reasons.push(SuggestContinueAsNewReason::HistorySizeTooLarge);
        }
        if self.history.next_event_id() >= limits.history_events_suggest {
            reasons.push(SuggestContinueAsNewReason::TooManyHistoryEvents);
        }
        // `history.maxTotalUpdates.suggestContinueAsNewThreshold` of the server is 0.9.
        if self.updates.total() as f64 >= limits.updates_total as f64 * 0.9 {
            reasons.push(SuggestContinueAsNewReason::TooManyUpdates);
        }
        (reasons, i64::try_from(size).unwrap_or(i64::MAX))
    }

    /// Takes the started task to its end, and writes what is not written of it: there will be an event about it.
    pub(crate) fn take_started_task(&mut self) -> Option<StartedTask> {
        let mut task = self.take_started_unwritten()?;
        if !task.scheduled.written {
            self.write_virtual(&mut task);
        }
        Some(task)
    }

    /// Takes the started task to its end and writes nothing.
    pub(crate) fn take_started_unwritten(&mut self) -> Option<StartedTask> {
        match self.state.task.take() {
            Some(WorkflowTask::Started(task)) => {
                self.deadlines.set(Deadline::TaskStartToClose, None);
                Some(task)
            }
            other => {
                self.state.task = other;
                None
            }
        }
    }

    /// Writes the events of a task that was not written as it happened.
    fn write_virtual(&mut self, task: &mut StartedTask) {
        task.scheduled.scheduled_event_id = self.history.next_event_id();
        task.started_event_id = task.scheduled.scheduled_event_id + 1;
        self.push_event(self.virtual_scheduled(&task.scheduled));
        self.push_event(virtual_started(task, &task.identity));
        task.scheduled.written = true;
        task.scheduled.speculative = false;
    }

    /// The first of the events that a task would have left, had it been written as it happened. It has no id yet.
    pub(crate) fn virtual_scheduled(&self, task: &ScheduledTask) -> HistoryEvent {
        let timeout = duration(task.timeout.as_ref()).unwrap_or(DEFAULT_TIMEOUT);
        virtual_event(task.at, self.task_scheduled_event(timeout, task.attempt))
    }

    /// A speculative task becomes an ordinary one, because the run has changed otherwise.
    pub(crate) fn commit_speculative_task(&mut self, cx: &mut Context<'_>) {
        self.commit_offered_task(cx);
        match self.state.task.take() {
            Some(WorkflowTask::Started(mut task)) if task.scheduled.speculative => {
                self.write_virtual(&mut task);
                self.state.task = Some(WorkflowTask::Started(task));
            }
            other => self.state.task = other,
        }
    }

    /// The same of a task that no worker has yet. News that it will bring stand after it.
    pub(super) fn commit_offered_task(&mut self, cx: &Context<'_>) {
        match self.state.task.take() {
            Some(WorkflowTask::Scheduled(mut task)) if task.speculative => {
                self.write_scheduled(cx, &mut task);
                self.state.task = Some(WorkflowTask::Scheduled(task));
            }
            other => self.state.task = other,
        }
    }

    /// The worker, or the server, says that the task has failed. The next attempt is scheduled.
    pub(crate) fn fail_task(
        &mut self,
        cx: &mut Context<'_>,
        cause: WorkflowTaskFailedCause,
        failure: Option<Failure>,
        identity: &str,
    ) {
        let Some(mut task) = self.take_started_unwritten() else { return };
        if task.scheduled.speculative {
            self.write_virtual(&mut task);
        }
        if task.scheduled.written {
            let event = WorkflowTaskFailedEventAttributes {
                scheduled_event_id: task.scheduled.scheduled_event_id,
                started_event_id: task.started_event_id,
                cause: cause.into(),
                failure,
                identity: identity.to_owned(),
                ..Default::default()
            };
            self.add(cx, Attributes::WorkflowTaskFailedEventAttributes(Box::new(event)));
        }
        self.state.closing_refused = cause == WorkflowTaskFailedCause::UnhandledCommand;
        self.next_attempt(true);
        if task.scheduled.written {
            let cause = camel_case(cause.as_str_name().trim_start_matches("WORKFLOW_TASK_FAILED_CAUSE_"));
            self.state.task_problem = problem("Failed", &cause);
        }
        self.show_problem();
    }

    /// The worker took too long.
    pub(crate) fn task_timed_out(&mut self, cx: &mut Context<'_>) {
        let Some(mut task) = self.take_started_unwritten() else { return };
        if task.scheduled.speculative {
            self.write_virtual(&mut task);
        }
        if task.scheduled.written {
            let event = WorkflowTaskTimedOutEventAttributes {
                scheduled_event_id: task.scheduled.scheduled_event_id,
                started_event_id: task.started_event_id,
                timeout_type: TimeoutType::StartToClose.into(),
            };
            self.add(cx, Attributes::WorkflowTaskTimedOutEventAttributes(event));
        }
        self.next_attempt(true);
        if task.scheduled.written {
            self.state.task_problem = problem("TimedOut", "StartToClose");
        }
        self.show_problem();
        self.wake(cx);
    }

    /// Nobody took the task from the sticky queue, or a speculative one from any.
    pub(crate) fn task_not_taken(&mut self, cx: &mut Context<'_>) {
        let mut task = match self.state.task.take() {
            Some(WorkflowTask::Scheduled(task)) => task,
            other => {
                self.state.task = other;
                return;
            }
        };
        if task.speculative {
            self.write_scheduled(cx, &mut task);
        }
        if task.written {
            let event = WorkflowTaskTimedOutEventAttributes {
                scheduled_event_id: task.scheduled_event_id,
                started_event_id: 0,
                timeout_type: TimeoutType::ScheduleToStart.into(),
            };
            self.add(cx, Attributes::WorkflowTaskTimedOutEventAttributes(event));
        }
        self.next_attempt(false);
        self.wake(cx);
    }

    /// A worker that knew the run does not any longer: its first failure is not counted, the next attempt is anybody's.
    fn next_attempt(&mut self, count: bool) {
        let was_sticky = self.state.sticky.take().is_some();
        let attempt = self.state.task_attempt.max(1);
        let counts = count && !was_sticky;
        self.state.task_attempt = if counts { attempt + 1 } else { 1 };
        self.state.failed_tasks += i32::from(counts);
    }

    /// Lists find by a search attribute what fails over and over.
    fn show_problem(&mut self) {
        if self.state.failed_tasks >= PROBLEMS {
            let shown = keyword_list(&self.state.task_problem);
            let fields = &mut self.state.search_attributes.get_or_insert_default().indexed_fields;
            self.listed &= fields.insert(REPORTED_PROBLEMS.to_owned(), shown.clone()) == Some(shown);
        }
    }

    /// A task has completed: whatever the problem was, it is solved.
    pub(crate) fn solve_problem(&mut self) {
        self.state.failed_tasks = 0;
        self.state.task_problem.clear();
        let fields = self.state.search_attributes.as_mut().map(|attributes| &mut attributes.indexed_fields);
        if fields.and_then(|fields| fields.remove(REPORTED_PROBLEMS)).is_some() {
            self.listed = false;
        }
    }

    /// The task timeout of a request, as the server keeps it.
    pub(crate) fn clamp_task_timeout(asked: Option<Duration>, run_timeout: Option<Duration>) -> Duration {
        let timeout = asked.unwrap_or(DEFAULT_TIMEOUT).min(MAX_TIMEOUT);
        run_timeout.map_or(timeout, |run| timeout.min(run))
    }
}

/// The second of the events that a task would have left, had it been written as it happened. It has no id yet.
pub(crate) fn virtual_started(task: &StartedTask, identity: &str) -> HistoryEvent {
    virtual_event(task.at, task_started_event(task, identity))
}

fn virtual_event(at: i64, attributes: Attributes) -> HistoryEvent {
    HistoryEvent {
        event_time: Some(Time::from_unix_nanos(at).timestamp()),
        event_type: event_type(&attributes).into(),
        attributes: Some(attributes),
        ..Default::default()
    }
}

/// As the search attribute has it.
fn problem(category: &str, cause: &str) -> Vec<String> {
    vec![format!("category=WorkflowTask{category}"), format!("cause=WorkflowTask{category}Cause{cause}")]
}

fn task_started_event(task: &StartedTask, identity: &str) -> Attributes {
    Attributes::WorkflowTaskStartedEventAttributes(WorkflowTaskStartedEventAttributes {
        scheduled_event_id: task.scheduled.scheduled_event_id,
        identity: identity.to_owned(),
        request_id: task.request_id.clone(),
        suggest_continue_as_new: task.suggest_continue_as_new,
        suggest_continue_as_new_reasons: task.suggest_reasons.clone(),
        history_size_bytes: task.history_size,
        target_worker_deployment_version_changed: task.target_changed,
        ..Default::default()
    })
}
