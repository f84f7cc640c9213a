//! SDK flags and metadata.

use stead_activation::DeploymentVersion;
use stead_core::RunOptions;
use stead_proto::history::v1::WorkflowTaskCompletedEventAttributes;
use stead_proto::history::v1::history_event::Attributes;

use crate::support::{HistoryBuilder, Scenario, timer};

fn completed_mut(history: &mut HistoryBuilder, event_id: usize) -> &mut WorkflowTaskCompletedEventAttributes {
    match &mut history.events[event_id - 1].attributes {
        Some(Attributes::WorkflowTaskCompletedEventAttributes(completed)) => completed,
        other => panic!("not a completion: {other:?}"),
    }
}

fn fired() -> HistoryBuilder {
    HistoryBuilder::first_task().task_completed().timer_started(1).timer_fired(5).task()
}

#[test]
fn s22_flags_and_name_are_recorded_once() {
    let mut scenario = Scenario::new([vec![timer(1)], vec![]]);
    let first = scenario.completes(HistoryBuilder::first_task().poll()).sdk_metadata.expect("it is recorded");
    assert_eq!(first.core_used_flags, [1, 2, 3]);
    assert_eq!((first.sdk_name.as_str(), first.sdk_version.is_empty()), ("stead", false));
    scenario.accepted();
    let second = scenario.completes(fired().poll_from(4)).sdk_metadata.expect("it is recorded");
    assert!(second.core_used_flags.is_empty());
    assert!(second.sdk_name.is_empty() && second.sdk_version.is_empty());
}

#[test]
fn s22_only_flags_that_history_lacks_are_recorded() {
    let mut history = HistoryBuilder::first_task().flags(&[1]).task_completed().timer_started(1).timer_fired(5).task();
    let metadata = completed_mut(&mut history, 4).sdk_metadata.as_mut().expect("it has some");
    metadata.sdk_name = "temporal-python".into();
    metadata.sdk_version = "1.0".into();
    let mut scenario = Scenario::new([vec![timer(1)], vec![]]);
    let recorded = scenario.completes(history.poll()).sdk_metadata.expect("it is recorded");
    assert_eq!(recorded.core_used_flags, [2, 3]);
    assert_eq!(recorded.sdk_name, "stead");
}

#[test]
fn s08_a_flag_that_this_version_does_not_know_fails_the_task() {
    let history = HistoryBuilder::first_task().flags(&[1, 77]).task_completed().timer_started(1).task();
    let failed = Scenario::new([]).fails(history.poll());
    assert!(failed.failure.message.contains("SDK flag 77"), "{}", failed.failure.message);
}

#[test]
fn s08_flag_4_is_read_and_never_written() {
    let history = HistoryBuilder::first_task().flags(&[1, 2, 3, 4]).task_completed().timer_started(1).task();
    let mut scenario = Scenario::new([vec![timer(1)], vec![]]);
    let recorded = scenario.completes(history.poll()).sdk_metadata.expect("it is recorded");
    assert!(recorded.core_used_flags.is_empty());
    let first = Scenario::new([vec![timer(1)]]).completes(HistoryBuilder::first_task().poll());
    assert_eq!(first.sdk_metadata.expect("it is recorded").core_used_flags, [1, 2, 3]);
}

#[test]
fn s08_flags_hold_for_the_task_that_recorded_them_already() {
    // The completion of the first task records flag 3, so its commands were sent in that order.
    let history = HistoryBuilder::first_task().flags(&[3]).task_completed().timer_started(1).completed();
    crate::support::run_to_end(&history, [vec![crate::support::complete(), timer(1)]]);
}

#[test]
fn the_version_of_a_replayed_task_is_the_one_that_completed_it() {
    let version = |build_id: &str| DeploymentVersion { deployment_name: "shop".into(), build_id: build_id.into() };
    let mut history = fired();
    completed_mut(&mut history, 4).deployment_version = Some(stead_proto::deployment::v1::WorkerDeploymentVersion {
        deployment_name: "shop".into(),
        build_id: "old".into(),
    });
    let mut options = RunOptions::default();
    options.deployment_version = Some(version("new"));
    let mut scenario = Scenario::with_options(options, [vec![timer(1)], vec![]]);
    scenario.completes(history.poll());
    let versions: Vec<_> = scenario.activations.iter().map(|told| told.deployment_version.clone()).collect();
    assert_eq!(versions, [Some(version("old")), Some(version("new"))]);
}
