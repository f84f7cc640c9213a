use std::collections::BTreeSet;

use stead_proto::schedule::v1::{
    BackfillRequest, IntervalSpec, ScheduleAction, SchedulePolicies, ScheduleSpec, ScheduleState,
    TriggerImmediatelyRequest,
};

use super::*;

/// A schedule, its clock, and the workflows that it started: run ids are numbers.
struct World {
    schedule: Schedule,
    now: Time,
    /// When each was due, in seconds since the schedule was created.
    started: Vec<i64>,
    stopped: Vec<String>,
    /// The next starts fail.
    refuses: bool,
}

const CREATED: Time = Time::from_unix_nanos(1_767_225_600_000_000_000);

impl World {
    fn new(definition: api::Schedule) -> Self {
        Self::patched(definition, SchedulePatch::default())
    }

    fn patched(definition: api::Schedule, patch: SchedulePatch) -> Self {
        let new = NewSchedule { definition, patch: Some(patch), ..NewSchedule::default() };
        let schedule = Schedule::create(new, CREATED);
        let mut world = Self { schedule, now: CREATED, started: Vec::new(), stopped: Vec::new(), refuses: false };
        world.settle();
        world
    }

    /// A schedule that acts every minute.
    fn minutely(policy: Policy) -> Self {
        Self::new(minutely(policy))
    }

    fn settle(&mut self) {
        while let Some(actions) = self.schedule.poll_actions(self.now) {
            for action in actions {
                self.act(action);
            }
        }
        // What is stored is all there is.
        let stored = Schedule::decode(self.schedule.encode_to_vec().as_slice()).unwrap();
        assert_eq!(stored, self.schedule);
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Start { .. } if self.refuses => self.schedule.handle_start_failed(),
            Action::Start { start, beside } => {
                let run_id = self.started.len().to_string();
                self.started.push((start.at - CREATED.unix_nanos()) / 1_000_000_000);
                let execution = WorkflowExecution { workflow_id: format!("w{run_id}"), run_id };
                self.schedule.handle_started(&start, beside, execution, self.now);
            }
            Action::Cancel(execution) => self.stopped.push(format!("cancel {}", execution.run_id)),
            Action::Terminate(execution) => self.stopped.push(format!("terminate {}", execution.run_id)),
        }
    }

    /// Moves the clock, stopping wherever the schedule wants to be looked at.
    fn pass(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        while let Some(at) = self.schedule.poll_timeout().filter(|at| *at <= end && !self.schedule.is_over()) {
            self.now = at;
            self.schedule.handle_timeout(at);
            self.settle();
            let rests = self.schedule.poll_timeout().is_none_or(|next| next > at);
            assert!(rests || self.schedule.is_over(), "the schedule does not rest");
        }
        self.now = end;
    }

    /// Time passes, and nobody looks at the schedule until the end of it.
    fn sleep(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
        self.schedule.handle_timeout(self.now);
        self.settle();
    }

    fn patch(&mut self, patch: SchedulePatch) {
        self.schedule.patch(patch, self.now);
        self.settle();
    }

    fn close(&mut self, run: usize) {
        self.close_with(run, Status::Completed, None, None);
    }

    fn close_with(&mut self, run: usize, status: Status, result: Option<Payloads>, failure: Option<Failure>) {
        let closed = Closed { workflow_id: format!("w{run}"), run_id: run.to_string(), status, result, failure };
        self.schedule.handle_closed(closed, self.now);
        self.settle();
    }

    fn info(&self) -> &api::ScheduleInfo {
        &self.schedule.info
    }

    fn state(&self) -> &ScheduleState {
        self.schedule.definition.state.as_ref().unwrap()
    }
}

fn seconds(seconds: i64) -> Option<prost_types::Duration> {
    Some(prost_types::Duration { seconds, nanos: 0 })
}

fn every(interval: i64) -> Option<ScheduleSpec> {
    let interval = IntervalSpec { interval: seconds(interval), phase: None };
    Some(ScheduleSpec { interval: vec![interval], ..Default::default() })
}

fn minutely(policy: Policy) -> api::Schedule {
    let workflow = NewWorkflowExecutionInfo { workflow_id: "w".to_owned(), ..Default::default() };
    api::Schedule {
        spec: every(60),
        action: Some(ScheduleAction { action: Some(schedule_action::Action::StartWorkflow(workflow)) }),
        policies: Some(SchedulePolicies { overlap_policy: policy.into(), ..Default::default() }),
        state: None,
    }
}

fn limited(remaining_actions: i64) -> Option<ScheduleState> {
    Some(ScheduleState { limited_actions: true, remaining_actions, ..Default::default() })
}

fn trigger(policy: Policy) -> SchedulePatch {
    let trigger = TriggerImmediatelyRequest { overlap_policy: policy.into(), scheduled_time: None };
    SchedulePatch { trigger_immediately: Some(trigger), ..Default::default() }
}

/// From one second to another, counted from the creation.
fn backfill(from: u64, to: u64, policy: Policy) -> SchedulePatch {
    let at = |seconds| Some((CREATED + Duration::from_secs(seconds)).timestamp());
    let request = BackfillRequest { start_time: at(from), end_time: at(to), overlap_policy: policy.into() };
    SchedulePatch { backfill_request: vec![request], ..Default::default() }
}

fn pause(notes: &str) -> SchedulePatch {
    SchedulePatch { pause: notes.to_owned(), ..Default::default() }
}

fn unpause(notes: &str) -> SchedulePatch {
    SchedulePatch { unpause: notes.to_owned(), ..Default::default() }
}

#[test]
fn a_schedule_acts_whenever_its_time_has_come() {
    let mut world = World::minutely(Policy::AllowAll);
    world.pass(200);
    assert_eq!(world.started, [60, 120, 180]);
    assert_eq!((world.info().action_count, world.info().running_workflows.len()), (3, 0));
    assert_eq!(world.schedule.poll_timeout(), Some(CREATED + Duration::from_secs(240)));
}

#[test]
fn what_is_left_unset_is_filled_in() {
    let world = World::new(api::Schedule::default());
    let policies = world.schedule.definition.policies.unwrap();
    assert_eq!((policies.overlap_policy(), policies.catchup_window), (Policy::Skip, seconds(365 * 86_400)));
    let short = SchedulePolicies { catchup_window: seconds(1), ..Default::default() };
    let world = World::new(api::Schedule { policies: Some(short), ..Default::default() });
    assert_eq!(world.schedule.definition.policies.unwrap().catchup_window, seconds(10));
}

#[test]
fn skip_leaves_out_what_overlaps() {
    let mut world = World::minutely(Policy::Skip);
    world.pass(150);
    world.close(0);
    world.pass(60);
    assert_eq!((&world.started[..], world.info().overlap_skipped), (&[60, 180][..], 1));
}

#[test]
fn buffer_one_starts_the_first_that_waits_when_the_other_ends() {
    let mut world = World::minutely(Policy::BufferOne);
    world.pass(250);
    assert_eq!((&world.started[..], world.info().overlap_skipped), (&[60][..], 2));
    world.close(0);
    assert_eq!(world.started, [60, 120]);
    assert_eq!(world.info().running_workflows[0].run_id, "1");
    world.close(1);
    assert_eq!(world.started, [60, 120]);
}

#[test]
fn buffer_all_starts_one_after_the_other() {
    let mut world = World::minutely(Policy::BufferAll);
    world.pass(250);
    assert_eq!(world.started, [60]);
    world.close(0);
    world.close(1);
    world.close(2);
    assert_eq!(world.started, [60, 120, 180, 240]);
}

#[test]
fn the_other_is_cancelled_or_terminated_and_then_the_next_starts() {
    for (policy, word) in [(Policy::CancelOther, "cancel"), (Policy::TerminateOther, "terminate")] {
        let mut world = World::minutely(policy);
        world.pass(120);
        assert_eq!((&world.started[..], &world.stopped[..]), (&[60][..], &[format!("{word} 0")][..]));
        world.close_with(0, Status::Canceled, None, None);
        assert_eq!(world.started, [60, 120]);
    }
}

#[test]
fn a_start_that_fails_lets_the_next_one_start() {
    let mut world = World::minutely(Policy::BufferAll);
    world.refuses = true;
    world.pass(60);
    assert_eq!((world.started.len(), world.info().action_count), (0, 0));
    world.refuses = false;
    world.pass(60);
    assert_eq!(world.started, [120]);
}

#[test]
fn missed_times_are_caught_up_within_the_window() {
    let mut definition = minutely(Policy::BufferAll);
    definition.policies.as_mut().unwrap().catchup_window = seconds(130);
    let mut world = World::new(definition);
    world.sleep(600);
    // 480, 540 and 600 are not older than 130 seconds.
    assert_eq!((&world.started[..], world.schedule.buffer.len()), (&[480][..], 2));
    assert_eq!(world.info().missed_catchup_window, 7);
    world.sleep(1);
    assert_eq!(world.info().missed_catchup_window, 7, "a missed time counts once");
}

#[test]
fn a_buffer_that_is_full_drops_starts() {
    let mut world = World::minutely(Policy::BufferAll);
    world.sleep(60 * 1_010);
    assert_eq!((world.info().buffer_dropped, world.schedule.buffer.len()), (10, 999));
}

#[test]
fn while_paused_nothing_starts_and_nothing_is_caught_up() {
    let mut world = World::minutely(Policy::Skip);
    world.patch(pause("lunch"));
    assert_eq!((world.state().paused, world.state().notes.as_str(), world.schedule.conflict_token), (true, "lunch", 2));
    assert_eq!(world.schedule.poll_timeout(), None);
    world.pass(600);
    world.patch(unpause("back"));
    assert_eq!((world.state().paused, world.state().notes.as_str()), (false, "back"));
    assert_eq!(world.started, [0_i64; 0]);
    world.pass(60);
    assert_eq!((&world.started[..], world.info().missed_catchup_window), (&[660][..], 0));
}

#[test]
fn what_waits_when_the_schedule_is_paused_is_dropped() {
    let mut world = World::minutely(Policy::BufferAll);
    world.pass(180);
    world.patch(pause("stop"));
    world.close(0);
    assert_eq!((&world.started[..], world.schedule.buffer.len()), (&[60][..], 0));
}

#[test]
fn a_trigger_starts_at_once_even_when_paused() {
    let mut world = World::patched(minutely(Policy::Skip), pause("from the start"));
    world.pass(90);
    world.patch(trigger(Policy::Unspecified));
    assert_eq!(world.started, [90]);
    world.patch(trigger(Policy::Unspecified));
    assert_eq!((world.started.len(), world.info().overlap_skipped), (1, 1));
    world.patch(trigger(Policy::AllowAll));
    assert_eq!(world.started, [90, 90]);
}

#[test]
fn a_trigger_may_come_with_the_schedule() {
    let world = World::patched(minutely(Policy::Skip), trigger(Policy::Unspecified));
    assert_eq!((&world.started[..], world.info().action_count), (&[0][..], 1));
}

#[test]
fn a_backfill_acts_on_its_first_and_last_instant_too() {
    let mut world = World::minutely(Policy::Skip);
    world.patch(pause("only backfills"));
    world.pass(3_600);
    world.patch(backfill(120, 300, Policy::AllowAll));
    assert_eq!(world.started, [120, 180, 240, 300]);
}

#[test]
fn a_long_backfill_goes_on_bit_by_bit() {
    let mut world = World::patched(minutely(Policy::Skip), pause("only backfills"));
    world.pass(36_000);
    world.patch(backfill(60, 60 * 25, Policy::AllowAll));
    assert_eq!(world.started.len(), 10);
    assert_eq!(world.schedule.poll_timeout(), Some(world.now + Duration::from_secs(1)));
    world.pass(1);
    assert_eq!(world.started.len(), 20);
    world.pass(1);
    assert_eq!(world.started, (1..=25).map(|minute| minute * 60).collect::<Vec<_>>());
    assert_eq!(world.schedule.poll_timeout(), None);
}

#[test]
fn a_backfill_one_after_the_other_goes_on_as_actions_end() {
    let mut world = World::patched(minutely(Policy::Skip), pause("only backfills"));
    world.pass(36_000);
    world.patch(backfill(60, 60 * 30, Policy::BufferAll));
    for run in 0..30 {
        assert_eq!(world.started.len(), run + 1);
        world.close(run);
    }
    let different: BTreeSet<_> = world.started.iter().collect();
    assert_eq!(different.len(), 30);
}

#[test]
fn limited_actions_run_out_and_then_the_schedule_is_forgotten() {
    let mut world = World::new(api::Schedule { state: limited(2), ..minutely(Policy::AllowAll) });
    assert_eq!(world.schedule.future_times(10).len(), 2);
    world.pass(3_600);
    assert_eq!((&world.started[..], world.state().remaining_actions), (&[60, 120][..], 0));
    assert_eq!(world.schedule.conflict_token, 3);
    assert_eq!(world.schedule.future_times(10), []);
    world.patch(trigger(Policy::AllowAll));
    assert_eq!((world.started.len(), world.state().remaining_actions), (3, 0));
    world.pass(7 * 86_400 - 1);
    assert!(!world.schedule.is_over());
    world.pass(1);
    assert!(world.schedule.is_over());
}

#[test]
fn a_paused_schedule_is_not_forgotten() {
    let mut world = World::new(api::Schedule { state: limited(0), ..minutely(Policy::AllowAll) });
    world.patch(pause("kept"));
    world.pass(30 * 86_400);
    assert!(!world.schedule.is_over());
}

#[test]
fn a_failure_pauses_if_that_is_wanted() {
    let cases = [
        (Status::Failed, "paused due to workflow failure: w0: broken"),
        (Status::TimedOut, "paused due to workflow timeout: w0"),
        (Status::Terminated, ""),
        (Status::Canceled, ""),
        (Status::Completed, ""),
    ];
    for (status, notes) in cases {
        let mut definition = minutely(Policy::Skip);
        definition.policies.as_mut().unwrap().pause_on_failure = true;
        let mut world = World::new(definition);
        world.pass(60);
        let failure = Failure { message: "broken".to_owned(), ..Default::default() };
        world.close_with(0, status, None, (status == Status::Failed).then_some(failure));
        assert_eq!((world.state().notes.as_str(), world.state().paused), (notes, !notes.is_empty()), "{status:?}");
        assert_eq!(world.info().recent_actions[0].start_workflow_status(), status);
    }
}

#[test]
fn the_next_action_hears_of_the_last_result_and_failure() {
    let mut world = World::minutely(Policy::Skip);
    let result = Some(Payloads { payloads: vec![Default::default()] });
    let failure = Some(Failure { message: "broken".to_owned(), ..Default::default() });
    world.pass(60);
    world.close_with(0, Status::Completed, result.clone(), None);
    world.pass(60);
    world.close_with(1, Status::Failed, None, failure.clone());
    assert_eq!((&world.schedule.last_result, &world.schedule.last_failure), (&result, &failure));
    world.pass(60);
    world.close_with(2, Status::Canceled, None, None);
    assert_eq!((&world.schedule.last_result, &world.schedule.last_failure), (&result, &failure));
    world.pass(60);
    world.close_with(3, Status::Completed, result.clone(), None);
    assert_eq!((&world.schedule.last_result, &world.schedule.last_failure), (&result, &None));
}

#[test]
fn actions_that_may_overlap_carry_nothing_over_and_pause_nothing() {
    let mut definition = minutely(Policy::AllowAll);
    definition.policies.as_mut().unwrap().pause_on_failure = true;
    let mut world = World::new(definition);
    world.pass(60);
    world.close_with(0, Status::Failed, None, Some(Failure::default()));
    assert_eq!((world.state().paused, &world.schedule.last_failure), (false, &None));
    assert_eq!(world.info().recent_actions[0].start_workflow_status(), Status::Failed);
}

#[test]
fn an_update_replaces_the_definition_from_now_on() {
    let mut world = World::minutely(Policy::AllowAll);
    world.pass(90);
    let definition = api::Schedule { spec: every(45), ..minutely(Policy::AllowAll) };
    world.schedule.update(definition.clone(), None, 1, world.now);
    world.settle();
    assert_eq!((world.schedule.conflict_token, world.info().update_time), (2, Some(world.now.timestamp())));
    // 90 is the instant of the update itself, and belongs to the new definition.
    assert_eq!(world.started, [60, 90]);
    world.pass(60);
    assert_eq!(world.started, [60, 90, 135]);
    let stale = api::Schedule { spec: every(3_600), ..definition };
    world.schedule.update(stale, None, 1, world.now);
    world.settle();
    world.pass(31);
    assert_eq!((world.schedule.conflict_token, world.started.len()), (2, 4));
}

#[test]
fn a_description_remembers_ten_actions_and_foresees_ten() {
    let mut world = World::minutely(Policy::AllowAll);
    world.pass(60 * 15);
    let recent = &world.info().recent_actions;
    let first = recent[0].schedule_time.as_ref().map(Time::from_timestamp);
    assert_eq!((recent.len(), first), (10, Some(CREATED + Duration::from_secs(60 * 6))));
    let future = world.schedule.future_times(10);
    let first = future.first().map(Time::from_timestamp);
    assert_eq!((future.len(), first), (10, Some(CREATED + Duration::from_secs(60 * 16))));
}

#[test]
fn a_schedule_without_a_workflow_does_nothing() {
    let mut world = World::new(api::Schedule { action: None, ..minutely(Policy::BufferAll) });
    world.pass(600);
    world.patch(trigger(Policy::AllowAll));
    assert_eq!((world.started.len(), world.schedule.buffer.len()), (0, 0));
}
