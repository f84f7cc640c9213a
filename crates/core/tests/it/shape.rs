//! The shape of activations.

use stead_activation::Job;
use stead_proto::enums::v1::WorkflowTaskFailedCause;

use crate::support::{HistoryBuilder, Scenario, complete, payload, run_to_end, timer};

fn names(jobs: &[Job]) -> Vec<&'static str> {
    jobs.iter()
        .map(|job| match job {
            Job::Initialize(_) => "initialize",
            Job::NotifyHasPatch { .. } => "patch",
            Job::UpdateRandomSeed(_) => "seed",
            Job::Signal(_) => "signal",
            Job::Update(_) => "update",
            Job::CancelWorkflow { .. } => "cancel",
            Job::FireTimer { .. } => "timer",
            Job::ResolveActivity { .. } => "activity",
            Job::Query(_) => "query",
            other => panic!("not of this scenario: {other:?}"),
        })
        .collect()
}

#[test]
fn s01_jobs_come_in_their_order_whatever_the_order_of_events() {
    let history = HistoryBuilder::first_task()
        .task_completed()
        .timer_started(1)
        .timer_fired(5)
        .cancel_requested("")
        .signalled("one")
        .task()
        .task_failed(WorkflowTaskFailedCause::ResetWorkflow, "other")
        .signalled("two")
        .task();
    let sequencing = history.last_id() - 1;
    let history = history.task_completed().patch("p", false).patches_recorded().update_accepted("u", sequencing);
    let mut scenario = Scenario::new([vec![timer(1)], vec![]]);
    // What the second task did is of no interest here, so the code does nothing and the replay ends in a mismatch.
    let _ = scenario.task(stead_core::replay_task(history.history(), "workflow", "run"));
    assert_eq!(names(scenario.jobs(1)), ["patch", "seed", "signal", "signal", "update", "timer", "cancel"]);
}

#[test]
fn the_first_job_says_how_the_run_was_started() {
    let mut history = HistoryBuilder::first_task();
    let started = history.start_mut();
    started.cron_schedule = "@daily".into();
    started.workflow_run_timeout = Some(prost_types::Duration { seconds: 60, nanos: 0 });
    started.workflow_execution_timeout = Some(prost_types::Duration::default());
    let mut scenario = Scenario::new([vec![]]);
    scenario.completes(history.poll());
    let [Job::Initialize(initialize)] = scenario.jobs(0) else { panic!("not the start: {:?}", scenario.jobs(0)) };
    assert_eq!((&*initialize.workflow_id, &*initialize.run_id), ("workflow", "run"));
    assert_eq!((&*initialize.workflow_type, &*initialize.task_queue), ("order", "queue"));
    assert_eq!(initialize.namespace, "default");
    assert_eq!(initialize.arguments, [payload("input")]);
    assert_eq!(initialize.cron_schedule, "@daily");
    assert_eq!(initialize.run_timeout, Some(std::time::Duration::from_secs(60)));
    assert_eq!(initialize.execution_timeout, None);
    assert_eq!(initialize.start_time, history.time(1));
    assert_eq!(initialize.attempt, 1);
}

#[test]
fn s04_replaying_ends_with_the_first_news() {
    let history = HistoryBuilder::first_task().task_completed().timer_started(1).timer_fired(5).task();
    let mut scenario = Scenario::new([vec![timer(1)], vec![complete()]]);
    scenario.completes(history.poll());
    let replaying: Vec<_> = scenario.activations.iter().map(|activation| activation.is_replaying).collect();
    assert_eq!(replaying, [true, false]);
}

#[test]
fn s04_the_first_task_of_a_run_is_never_replayed() {
    let mut scenario = Scenario::new([vec![complete()]]);
    scenario.completes(HistoryBuilder::first_task().poll());
    assert!(!scenario.activations[0].is_replaying);
}

#[test]
fn s05_workflow_time_is_the_start_of_the_task_and_never_goes_back() {
    let mut history = HistoryBuilder::first_task().task_completed().timer_started(1).timer_fired(5).task();
    let mut scenario = Scenario::new([vec![timer(1)], vec![complete()]]);
    scenario.completes(history.poll());
    assert_eq!(scenario.activations[0].timestamp, history.time(3));
    assert_eq!(scenario.activations[1].timestamp, history.time(8));

    history.events[7].event_time = Some(prost_types::Timestamp { seconds: 1, nanos: 0 });
    let mut scenario = Scenario::new([vec![timer(1)], vec![complete()]]);
    scenario.completes(history.poll());
    assert_eq!(scenario.activations[1].timestamp, history.time(3));
}

#[test]
fn s06_history_length_is_the_last_processed_event() {
    let mut history = HistoryBuilder::first_task().task_completed().timer_started(1).timer_fired(5).task();
    if let Some(stead_proto::history::v1::history_event::Attributes::WorkflowTaskStartedEventAttributes(started)) =
        &mut history.events[7].attributes
    {
        started.suggest_continue_as_new = true;
    }
    let mut scenario = Scenario::new([vec![timer(1)], vec![complete()]]);
    scenario.completes(history.poll());
    let facts: Vec<_> = scenario
        .activations
        .iter()
        .map(|told| (told.history_length, told.history_size_bytes, told.continue_as_new_suggested))
        .collect();
    assert_eq!(facts, [(3, 200, false), (8, 700, true)]);
}

/// The numbers were computed with another implementation of SipHash-1-3.
#[test]
fn s07_the_seed_is_the_hash_of_the_original_run_id() {
    let history = HistoryBuilder::first_task().task_failed(WorkflowTaskFailedCause::ResetWorkflow, "other").task();
    let mut scenario = Scenario::new([vec![]]);
    scenario.completes(history.poll());
    let [Job::Initialize(initialize), Job::UpdateRandomSeed(seed)] = scenario.jobs(0) else {
        panic!("not a start and a reset: {:?}", scenario.jobs(0))
    };
    assert_eq!(initialize.randomness_seed, 2_876_017_921_644_654_500);
    assert_eq!(*seed, 12_215_632_805_895_396_496);
}

#[test]
fn s07_only_a_reset_changes_the_seed() {
    let failed = HistoryBuilder::first_task().task_failed(WorkflowTaskFailedCause::WorkflowWorkerUnhandledFailure, "");
    let scenario = run_to_end(&failed.task().task_completed(), [vec![]]);
    assert_eq!(names(scenario.jobs(0)), ["initialize"]);
}
