use std::time::{Duration, SystemTime};

use stead_activation::Job;
use stead_workflow as workflow;

use crate::support::*;

workflow!(Drawn, |board, input: ()| -> (u64, u64, String) {
    let first = workflow::random::<u64>();
    workflow::sleep(SECOND).await?;
    Ok((first, workflow::random(), workflow::uuid().to_string()))
});

fn draw(reseed: Option<u64>) -> String {
    let (mut run, _) = Driver::start::<Drawn>(());
    let mut jobs: Vec<_> = reseed.map(Job::UpdateRandomSeed).into_iter().collect();
    jobs.push(fire(1));
    outline(&run.activate(jobs)).remove(0)
}

#[test]
fn random_numbers_follow_from_the_seed_of_the_run() {
    assert_eq!(draw(None), draw(None));
    assert!(draw(None).contains("15021278609987233951"), "{}", draw(None));
}

#[test]
fn a_new_seed_changes_what_is_drawn_from_then_on() {
    assert_ne!(draw(None), draw(Some(7)));
    assert_eq!(draw(Some(7)), draw(Some(7)));
}

workflow!(Uuids, |board, input: ()| -> (usize, bool) {
    let uuid = workflow::uuid();
    Ok((uuid.get_version_num(), uuid != workflow::uuid()))
});

#[test]
fn uuids_are_of_version_four_and_differ() {
    let (_, commands) = Driver::start::<Uuids>(());
    assert_eq!(outline(&commands), ["complete workflow: [4,true]"]);
}

workflow!(Asked, |board, input: ()| -> bool { Ok(workflow::in_workflow()) });

#[test]
fn code_knows_whether_a_workflow_runs_it() {
    let (_, commands) = Driver::start::<Asked>(());
    assert_eq!(outline(&commands), ["complete workflow: true"]);
    assert!(!workflow::in_workflow());
}

workflow!(Facts, |board, input: ()| -> String {
    let began = workflow::now();
    workflow::sleep(SECOND).await?;
    assert_eq!(began, SystemTime::UNIX_EPOCH + SECOND);
    assert_eq!(workflow::now(), SystemTime::UNIX_EPOCH + SECOND * 2);
    assert_eq!((workflow::history_length(), workflow::history_size()), (3, 99));
    assert!(workflow::continue_as_new_suggested());
    assert!(workflow::target_version_changed());
    assert!(!workflow::replay::is_replaying());
    assert_eq!(workflow::deployment_version(), None);
    let info = workflow::info();
    assert_eq!(info.first_execution_run_id(), info.run_id());
    assert_eq!(info.original_execution_run_id(), "other");
    assert_eq!(info.task_timeout(), Some(Duration::from_secs(10)));
    assert_eq!(info.headers()["h"], payload(&1));
    assert_eq!(workflow::memo::<u32>("k")?, Some(5));
    assert_eq!(workflow::memo::<u32>("none")?, None);
    Ok(format!("{} {} {}", info.workflow_id(), info.task_queue(), info.namespace()))
});

#[test]
fn a_run_knows_itself_and_its_time() {
    let mut run = Driver::new::<Facts>();
    let mut initialize = initialization(vec![payload(&())]);
    initialize.original_execution_run_id = "other".into();
    initialize.memo.insert("k".into(), payload(&5));
    initialize.headers.insert("h".into(), payload(&1));
    run.activate(vec![Job::Initialize(Box::new(initialize))]);
    assert_eq!(outline(&run.activate(vec![fire(1)])), [r#"complete workflow: "order-1 orders default""#]);
}

workflow!(BadMemo, |board, input: ()| -> bool { Ok(workflow::memo::<u32>("k").is_err()) });

#[test]
fn a_memo_that_cannot_be_decoded_fails_the_task() {
    let mut run = Driver::new::<BadMemo>();
    let mut initialize = initialization(vec![payload(&())]);
    initialize.memo.insert("k".into(), garbage());
    let (_, message) = task_failure(run.try_activate(vec![Job::Initialize(Box::new(initialize))]));
    assert_eq!(message, "Failed decoding the memo's value `k`");
}

#[test]
#[should_panic(expected = "a workflow function was called outside of workflow code")]
fn the_functions_of_workflows_panic_elsewhere() {
    workflow::now();
}

workflow!(Nap, |board, input: ()| -> () { Ok(workflow::sleep(SECOND).await?) });

#[test]
fn the_last_operation_is_known_to_whoever_shares_the_options() {
    let options = workflow::GuestOptions::default();
    let mut run = Driver::with_options::<Nap>(options.clone());
    assert_eq!(options.last_operation.get(), None);
    run.activate(vec![initialize(&())]);
    assert!(options.last_operation.get().unwrap().file().ends_with("context.rs"));
    options.last_operation.clear();
    assert_eq!(options.last_operation.get(), None);
}

#[test]
fn options_can_cross_threads_and_definitions_too() {
    fn is_shared<T: Send + Sync + Clone>() {}
    is_shared::<workflow::GuestOptions>();
    is_shared::<workflow::Definition>();
    let definition = workflow::Definition::of::<Nap>();
    assert_eq!((definition.name(), &*format!("{definition:?}")), ("Nap", r#"Definition("Nap")"#));
}
