//! [`Schedule`]: one schedule, as a value that is told what happened and says what is to be done.
//!
//! ```text
//!                       handle_timeout, patch, update, handle_closed
//!                                            │
//!     time passes ──▶ starts wait in the buffer ──▶ poll_actions ──▶ start ──▶ handle_started, handle_start_failed
//!     backfills   ──▶          ▲                         │
//!     triggers    ──▶          └── the policy keeps ─────┴──▶ cancel or terminate what is running
//! ```
//!
//! After each input [`poll_actions`](Schedule::poll_actions) is asked until there is nothing more to do; then
//! [`poll_timeout`](Schedule::poll_timeout) says when the schedule wants to be looked at again, and
//! [`is_over`](Schedule::is_over) whether there is anything left of it. The rules are those of the workflow that
//! schedules are on Temporal's server (`service/worker/scheduler/workflow.go`), but for two things: the end of an action
//! is noticed when it happens and not when the next one is due, and a time that was missed is counted once.

use std::time::Duration;

use prost::Message;
use stead_proto::common::v1::{Memo, Payloads, SearchAttributes, WorkflowExecution};
use stead_proto::enums::v1::{ScheduleOverlapPolicy as Policy, WorkflowExecutionStatus as Status};
use stead_proto::failure::v1::Failure;
use stead_proto::schedule::v1::{self as api, ScheduleActionResult, SchedulePatch, schedule_action};
use stead_proto::workflow::v1::NewWorkflowExecutionInfo;

use super::buffer::{Decision, Overlaps, Stop, decide};
use super::spec::{NextTime, Spec};
use crate::engine::Time;
use crate::engine::time::wire;

/// A schedule, as it is stored.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Schedule {
    /// Tells its jitter from that of others.
    #[prost(string, tag = "1")]
    pub(crate) seed: String,
    /// The request that created it.
    #[prost(string, tag = "2")]
    pub(crate) request_id: String,
    /// Its specification is canonical.
    #[prost(message, required, tag = "3")]
    pub(crate) definition: api::Schedule,
    #[prost(message, required, tag = "4")]
    pub(crate) info: api::ScheduleInfo,
    #[prost(message, optional, tag = "5")]
    pub(crate) memo: Option<Memo>,
    #[prost(message, optional, tag = "6")]
    pub(crate) search_attributes: Option<SearchAttributes>,
    /// Counts changes that callers should know of before they make another.
    #[prost(int64, tag = "7")]
    pub(crate) conflict_token: i64,
    /// Up to which instant times have been looked at, in nanoseconds.
    #[prost(int64, tag = "8")]
    pub(super) looked_until: i64,
    /// The first time after that.
    #[prost(int64, optional, tag = "9")]
    next_time: Option<i64>,
    #[prost(message, repeated, tag = "10")]
    pub(super) buffer: Vec<Start>,
    #[prost(message, repeated, tag = "11")]
    backfills: Vec<api::BackfillRequest>,
    /// The result of the last action that had one.
    #[prost(message, optional, tag = "12")]
    pub(super) last_result: Option<Payloads>,
    /// The failure of the last action, if it failed.
    #[prost(message, optional, tag = "13")]
    pub(super) last_failure: Option<Failure>,
    #[prost(int64, optional, tag = "14")]
    wakes_at: Option<i64>,
    /// There may be something to do about the buffer.
    #[prost(bool, tag = "15")]
    unsettled: bool,
    #[prost(bool, tag = "16")]
    over: bool,
}

/// An action that is to be taken, or waits for that.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Start {
    /// When the specification has it, in nanoseconds.
    #[prost(int64, tag = "1")]
    pub(super) nominal: i64,
    /// With jitter.
    #[prost(int64, tag = "2")]
    pub(super) at: i64,
    #[prost(enumeration = "Policy", tag = "3")]
    pub(super) overlap: i32,
    /// A caller asked for it: the schedule may be paused, and it does not count.
    #[prost(bool, tag = "4")]
    pub(super) manual: bool,
}

/// What a schedule wants done.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    /// Start the workflow, and tell the schedule how that went.
    Start {
        start: Start,
        /// It may overlap with others, which neither wait for it nor hear of its end.
        beside: bool,
    },
    /// Ask the workflow to end.
    Cancel(WorkflowExecution),
    Terminate(WorkflowExecution),
}

/// How a workflow that the schedule started has ended, with all its retries.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Closed {
    pub(crate) workflow_id: String,
    /// The run that the schedule started.
    pub(crate) run_id: String,
    pub(crate) status: Status,
    pub(crate) result: Option<Payloads>,
    pub(crate) failure: Option<Failure>,
}

/// What a caller says about a new schedule.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewSchedule {
    pub(crate) seed: String,
    pub(crate) request_id: String,
    pub(crate) definition: api::Schedule,
    pub(crate) patch: Option<SchedulePatch>,
    pub(crate) memo: Option<Memo>,
    pub(crate) search_attributes: Option<SearchAttributes>,
}

impl Schedule {
    pub(crate) fn create(new: NewSchedule, now: Time) -> Self {
        let mut schedule = Self {
            seed: new.seed,
            request_id: new.request_id,
            definition: completed(new.definition),
            info: api::ScheduleInfo { create_time: Some(now.timestamp()), ..Default::default() },
            memo: new.memo,
            search_attributes: new.search_attributes,
            conflict_token: FIRST_TOKEN,
            looked_until: now.unix_nanos(),
            ..Default::default()
        };
        schedule.patch(new.patch.unwrap_or_default(), now);
        schedule
    }

    /// Does one of the small things that a caller may ask for.
    pub(crate) fn patch(&mut self, patch: SchedulePatch, now: Time) {
        self.pass_time(now);
        if let Some(trigger) = &patch.trigger_immediately {
            let at = trigger.scheduled_time.as_ref().map_or(now, Time::from_timestamp);
            let range = Range { from: at, to: at, overlap: trigger.overlap_policy, manual: true };
            self.buffer(Start::new(NextTime { nominal: at, at }, &range));
        }
        for backfill in patch.backfill_request {
            self.backfill(backfill);
        }
        if !patch.pause.is_empty() {
            self.set_paused(true, patch.pause);
        }
        if !patch.unpause.is_empty() {
            self.set_paused(false, patch.unpause);
        }
        self.go_on();
    }

    /// Replaces the definition. A token that is not the current one is of a caller who does not know the latest change:
    /// then the update is lost, as it is on the server. No token replaces whatever there is.
    pub(crate) fn update(
        &mut self,
        definition: api::Schedule,
        search_attributes: Option<SearchAttributes>,
        token: i64,
        now: Time,
    ) {
        self.pass_time(now);
        if token == 0 || token == self.conflict_token {
            self.definition = completed(definition);
            self.search_attributes = search_attributes.or(self.search_attributes.take());
            self.info.update_time = Some(now.timestamp());
            self.conflict_token += 1;
            self.pass_time(now);
        }
        self.go_on();
    }

    /// The instant of [`poll_timeout`](Self::poll_timeout) has come.
    pub(crate) fn handle_timeout(&mut self, now: Time) {
        self.pass_time(now);
        self.go_on();
    }

    /// A workflow was started.
    pub(crate) fn handle_started(&mut self, start: &Start, beside: bool, execution: WorkflowExecution, now: Time) {
        self.info.action_count += 1;
        self.info.recent_actions.push(ScheduleActionResult {
            schedule_time: Some(start.at().timestamp()),
            actual_time: Some(now.timestamp()),
            start_workflow_result: Some(execution.clone()),
            start_workflow_status: Status::Running.into(),
        });
        let forgotten = self.info.recent_actions.len().saturating_sub(RECENT_ACTIONS);
        self.info.recent_actions.drain(..forgotten);
        if !beside {
            self.info.running_workflows.push(execution);
        }
    }

    /// A workflow could not be started: what waits may take its place.
    pub(crate) fn handle_start_failed(&mut self) {
        self.unsettled = true;
    }

    /// A workflow that the schedule started has ended.
    pub(crate) fn handle_closed(&mut self, closed: Closed, now: Time) {
        let this = |execution: &WorkflowExecution| execution.run_id == closed.run_id;
        let mut recent = self.info.recent_actions.iter_mut();
        if let Some(action) = recent.find(|action| action.start_workflow_result.as_ref().is_some_and(this)) {
            action.start_workflow_status = closed.status.into();
        }
        if let Some(position) = self.info.running_workflows.iter().position(this) {
            self.info.running_workflows.remove(position);
            self.pause_on_failure(&closed);
            self.carry_over(closed);
        }
        self.handle_timeout(now);
    }

    /// What is to be done now. When there is nothing, the schedule rests until the instant of
    /// [`poll_timeout`](Self::poll_timeout).
    pub(crate) fn poll_actions(&mut self, now: Time) -> Option<Vec<Action>> {
        while std::mem::take(&mut self.unsettled) {
            let actions = self.empty_buffer();
            if !actions.is_empty() {
                return Some(actions);
            }
        }
        self.rest(now);
        None
    }

    /// When the schedule is to be looked at again.
    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        self.wakes_at.map(Time::from_unix_nanos)
    }

    /// Whether nothing has been left to do for so long that the schedule is to be forgotten.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.definition.state.as_ref().is_some_and(|state| state.paused)
    }

    /// The workflow that the schedule starts.
    pub(crate) fn workflow(&self) -> Option<&NewWorkflowExecutionInfo> {
        started_workflow(&self.definition)
    }

    pub(super) fn spec(&self) -> Option<Spec> {
        Spec::compile(self.definition.spec.as_ref()?).ok()
    }

    /// The times after the last one that was looked at.
    pub(super) fn future_times(&self, count: usize) -> Vec<prost_types::Timestamp> {
        let Some(spec) = self.spec() else { return Vec::new() };
        let count =
            self.remaining_actions().map_or(count, |remaining| count.min(usize::try_from(remaining).unwrap_or(0)));
        let updated = self.updated_at();
        let first = spec.next_at(&self.seed, Time::from_unix_nanos(self.looked_until));
        let times = std::iter::successors(first, |at| spec.next_at(&self.seed, *at));
        times.filter(|at| *at >= updated).take(count).map(Time::timestamp).collect()
    }

    /// Puts the times that have come into the buffer, and those of backfills.
    fn pass_time(&mut self, now: Time) {
        let spec = self.spec();
        let from = Time::from_unix_nanos(self.looked_until);
        let range = Range { from, to: now.max(from), overlap: Policy::Unspecified.into(), manual: false };
        let (next, last) = self.take_times(spec.as_ref(), &range, usize::MAX);
        self.next_time = next.map(Time::unix_nanos);
        self.looked_until = last.unix_nanos();
    }

    /// Goes on with backfills and with the buffer.
    fn go_on(&mut self) {
        self.take_backfills();
        self.unsettled = true;
    }

    /// Puts the times of a range into the buffer, at most so many. The first time that was not, or the last one if there
    /// were too many; and the last one that was.
    fn take_times(&mut self, spec: Option<&Spec>, range: &Range, limit: usize) -> (Option<Time>, Time) {
        let Some(spec) = spec else { return (None, range.to) };
        if !self.may_act(range.manual) {
            return (spec.next_at(&self.seed, range.to), range.to);
        }
        let window = self.catchup_window();
        let updated = self.updated_at();
        let (mut last, mut taken) = (range.from, 0);
        let mut next = spec.next(&self.seed, range.from).ok().flatten();
        while let Some(time) = next.filter(|time| time.at <= range.to) {
            last = time.at;
            if !range.manual && time.at < updated {
                // The schedule was another then.
            } else if range.manual || range.to.since(time.at) <= window {
                self.buffer(Start::new(time, range));
                taken += 1;
                if taken >= limit {
                    return (Some(time.at), last);
                }
            } else {
                self.info.missed_catchup_window += 1;
            }
            next = spec.next(&self.seed, time.at).ok().flatten();
        }
        (next.map(|time| time.at), last)
    }

    /// Takes the next times of backfills, a few at once, and leaves half of the buffer to others.
    fn take_backfills(&mut self) {
        let spec = self.spec();
        let mut left = BACKFILLS_AT_ONCE;
        while left > 0
            && self.buffer.len() < MAX_BUFFER / 2
            && let Some(backfill) = self.backfills.first()
        {
            let range = Range::of(backfill);
            let before = self.buffer.len();
            let (next, _) = self.take_times(spec.as_ref(), &range, left);
            left -= (self.buffer.len() - before).min(left);
            match next.filter(|next| *next <= range.to) {
                Some(next) => self.backfills[0].start_time = Some(next.timestamp()),
                None => drop(self.backfills.remove(0)),
            }
        }
    }

    fn backfill(&mut self, mut backfill: api::BackfillRequest) {
        if self.backfills.len() >= MAX_BUFFER {
            self.info.buffer_dropped += 1;
            return;
        }
        // The first instant belongs to what is filled.
        let start = backfill.start_time.as_ref().map(Time::from_timestamp).unwrap_or_default();
        backfill.start_time = Some((start - Duration::from_millis(1)).timestamp());
        self.backfills.push(backfill);
    }

    fn buffer(&mut self, start: Start) {
        if self.buffer.len() >= MAX_BUFFER {
            self.info.buffer_dropped += 1;
        } else {
            self.buffer.push(start);
        }
    }

    /// Decides about the starts in the buffer.
    fn empty_buffer(&mut self) -> Vec<Action> {
        let buffer = std::mem::take(&mut self.buffer);
        if self.workflow().is_none() {
            return Vec::new();
        }
        let default = self.overlap_policy();
        let buffer = buffer.into_iter().map(|start| Waiting { policy: start.policy_or(default), start }).collect();
        let running = !self.info.running_workflows.is_empty();
        let Decision { beside, alone, kept, stop, skipped } = decide(buffer, running);
        self.buffer = kept.into_iter().map(|waiting| waiting.start).collect();
        self.info.overlap_skipped += skipped;
        let beside = beside.into_iter().map(|waiting| (waiting.start, true));
        let starts: Vec<_> = beside.chain(alone.map(|waiting| (waiting.start, false))).collect();
        let mut actions: Vec<_> = starts.into_iter().filter_map(|(start, beside)| self.begin(start, beside)).collect();
        actions.extend(stop.into_iter().flat_map(|stop| self.stop_running(stop)));
        actions
    }

    /// The start is dropped if the schedule may not act; others may take its place.
    fn begin(&mut self, start: Start, beside: bool) -> Option<Action> {
        if !self.may_act(start.manual) {
            self.unsettled = true;
            return None;
        }
        if !start.manual && self.remaining_actions().is_some() {
            let state = self.definition.state.get_or_insert_default();
            state.remaining_actions -= 1;
            self.conflict_token += 1;
        }
        Some(Action::Start { start, beside })
    }

    fn stop_running(&self, stop: Stop) -> Vec<Action> {
        let running = self.info.running_workflows.iter().cloned();
        match stop {
            Stop::Cancel => running.map(Action::Cancel).collect(),
            Stop::Terminate => running.map(Action::Terminate).collect(),
        }
    }

    fn pause_on_failure(&mut self, closed: &Closed) {
        let pauses = self.definition.policies.as_ref().is_some_and(|policies| policies.pause_on_failure);
        if !pauses || self.is_paused() {
            return;
        }
        let id = &closed.workflow_id;
        let notes = match closed.status {
            Status::Failed => {
                let message = closed.failure.as_ref().map_or("", |failure| failure.message.as_str());
                format!("paused due to workflow failure: {id}: {message}")
            }
            Status::TimedOut => format!("paused due to workflow timeout: {id}"),
            _ => return,
        };
        self.set_paused(true, notes);
    }

    /// What the next action is told of this one.
    fn carry_over(&mut self, closed: Closed) {
        if closed.result.is_some() {
            self.last_result = closed.result;
            self.last_failure = None;
        } else if closed.failure.is_some() {
            self.last_failure = closed.failure;
        }
    }

    fn set_paused(&mut self, paused: bool, notes: String) {
        let state = self.definition.state.get_or_insert_default();
        state.paused = paused;
        state.notes = notes;
        self.conflict_token += 1;
    }

    /// Everything that can be done now is done: sets when there is more.
    fn rest(&mut self, now: Time) {
        let next = if self.has_backfills_beside() {
            Some(now + Duration::from_secs(1))
        } else if self.may_act(false) {
            self.next_time.map(Time::from_unix_nanos)
        } else {
            None
        };
        let expires = self.expiration();
        self.over = expires.is_some_and(|expires| expires <= now);
        self.wakes_at = expires.or(next).map(Time::unix_nanos);
    }

    /// When a schedule that has nothing to do any more is forgotten.
    fn expiration(&self) -> Option<Time> {
        let more = self.next_time.is_some() && self.may_act(false);
        if self.is_paused() || more || self.has_backfills_beside() {
            return None;
        }
        let last_action = self.info.recent_actions.last().and_then(|action| action.actual_time.as_ref());
        let events = [last_action, self.info.create_time.as_ref(), self.info.update_time.as_ref()];
        let last_event = events.into_iter().flatten().map(Time::from_timestamp).max();
        last_event.map(|last_event| last_event + RETENTION)
    }

    /// Backfills of starts that need not wait for each other go on by themselves, once a second.
    fn has_backfills_beside(&self) -> bool {
        let policy = |backfill: &api::BackfillRequest| match backfill.overlap_policy() {
            Policy::Unspecified => self.overlap_policy(),
            policy => policy,
        };
        self.backfills.first().is_some_and(|backfill| policy(backfill) == Policy::AllowAll)
    }

    fn may_act(&self, manual: bool) -> bool {
        manual || (!self.is_paused() && self.remaining_actions().is_none_or(|remaining| remaining > 0))
    }

    /// How many more actions there may be, if that is limited.
    fn remaining_actions(&self) -> Option<i64> {
        let state = self.definition.state.as_ref()?;
        state.limited_actions.then_some(state.remaining_actions)
    }

    fn overlap_policy(&self) -> Policy {
        let policies = self.definition.policies.as_ref();
        policies.map_or(Policy::Skip, |policies| policies.overlap_policy())
    }

    fn catchup_window(&self) -> Duration {
        let policies = self.definition.policies.as_ref();
        let window = policies.and_then(|policies| policies.catchup_window.as_ref());
        window.map_or(CATCHUP_WINDOW, |window| Duration::try_from(*window).unwrap_or(MIN_CATCHUP_WINDOW))
    }

    fn updated_at(&self) -> Time {
        self.info.update_time.as_ref().map(Time::from_timestamp).unwrap_or_default()
    }
}

/// The workflow that a schedule of this definition starts.
pub(super) fn started_workflow(definition: &api::Schedule) -> Option<&NewWorkflowExecutionInfo> {
    let schedule_action::Action::StartWorkflow(workflow) = definition.action.as_ref()?.action.as_ref()?;
    Some(workflow)
}

/// A definition with everything in it that a description shows.
fn completed(mut definition: api::Schedule) -> api::Schedule {
    definition.spec.get_or_insert_default();
    definition.action.get_or_insert_default();
    definition.state.get_or_insert_default();
    let policies = definition.policies.get_or_insert_default();
    if policies.overlap_policy() == Policy::Unspecified {
        policies.set_overlap_policy(Policy::Skip);
    }
    let window =
        policies.catchup_window.map_or(CATCHUP_WINDOW, |window| Duration::try_from(window).unwrap_or_default());
    policies.catchup_window = Some(wire(window.max(MIN_CATCHUP_WINDOW)));
    definition
}

impl Start {
    fn new(time: NextTime, range: &Range) -> Self {
        let NextTime { nominal, at } = time;
        Self { nominal: nominal.unix_nanos(), at: at.unix_nanos(), overlap: range.overlap, manual: range.manual }
    }

    fn at(&self) -> Time {
        Time::from_unix_nanos(self.at)
    }

    pub(super) fn nominal(&self) -> Time {
        Time::from_unix_nanos(self.nominal)
    }

    /// The policy of the schedule is looked up as late as this, so that an update of it counts.
    fn policy_or(&self, default: Policy) -> Policy {
        match self.overlap() {
            Policy::Unspecified => default,
            policy => policy,
        }
    }
}

/// A start with the policy that counts.
struct Waiting {
    start: Start,
    policy: Policy,
}

impl Overlaps for Waiting {
    fn policy(&self) -> Policy {
        self.policy
    }
}

/// A range of times to act on: after `from`, up to and with `to`.
struct Range {
    from: Time,
    to: Time,
    overlap: i32,
    manual: bool,
}

impl Range {
    fn of(backfill: &api::BackfillRequest) -> Self {
        let time = |time: &Option<prost_types::Timestamp>| time.as_ref().map(Time::from_timestamp).unwrap_or_default();
        Self {
            from: time(&backfill.start_time),
            to: time(&backfill.end_time),
            overlap: backfill.overlap_policy,
            manual: true,
        }
    }
}

/// The first conflict token.
pub(super) const FIRST_TOKEN: i64 = 1;

/// How late an action may be taken, if the schedule does not say so.
const CATCHUP_WINDOW: Duration = Duration::from_secs(365 * 24 * 60 * 60);
const MIN_CATCHUP_WINDOW: Duration = Duration::from_secs(10);

/// How long a schedule is kept that has nothing to do any more.
const RETENTION: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Starts that may wait, and backfills.
const MAX_BUFFER: usize = 1_000;

const BACKFILLS_AT_ONCE: usize = 10;

/// Actions that a description remembers.
const RECENT_ACTIONS: usize = 10;

#[cfg(test)]
mod tests;
