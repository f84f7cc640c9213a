use stead_activation::Job;
use stead_workflow as workflow;

use crate::support::*;

workflow!(Patched, |board, input: ()| -> (bool, bool) {
    let first = workflow::patched("p");
    workflow::sleep(SECOND).await?;
    Ok((first, workflow::patched("p")))
});

fn marker(id: &str) -> Job {
    Job::NotifyHasPatch { id: id.into() }
}

fn replayed(jobs: Vec<Job>) -> (Driver, Vec<String>) {
    let mut run = Driver::new::<Patched>();
    run.is_replaying = true;
    let mut all = vec![initialize(&())];
    all.extend(jobs);
    let commands = outline(&run.activate(all));
    (run, commands)
}

#[test]
fn a_new_run_takes_the_new_path_and_records_it_once() {
    let (mut run, commands) = Driver::start::<Patched>(());
    assert_eq!(outline(&commands), ["patch p false", "start timer 1 1s"]);
    assert_eq!(outline(&run.activate(vec![fire(1)])), ["complete workflow: [true,true]"]);
}

#[test]
fn a_replayed_run_with_the_marker_takes_the_new_path() {
    let (_, commands) = replayed(vec![marker("p")]);
    assert_eq!(commands, ["patch p false", "start timer 1 1s"]);
}

#[test]
fn a_replayed_run_without_the_marker_stays_on_the_old_path_for_good() {
    let (mut run, commands) = replayed(vec![marker("other")]);
    assert_eq!(commands, ["start timer 1 1s"]);
    run.is_replaying = false;
    assert_eq!(outline(&run.activate(vec![marker("p"), fire(1)])), ["complete workflow: [false,false]"]);
}

workflow!(Deprecated, |board, input: ()| -> () {
    workflow::deprecate_patch("p");
    workflow::deprecate_patch("p");
    Ok(())
});

#[test]
fn a_deprecated_patch_is_recorded_as_such() {
    let (_, commands) = Driver::start::<Deprecated>(());
    assert_eq!(outline(&commands), ["patch p true", "complete workflow: "]);
}

workflow::versioned! {
    enum Price {
        V1,
        V2,
        V3,
    }
}

workflow!(Priced, |board, input: ()| -> Vec<u32> {
    let first = workflow::versioned!(Price { V1 | V2 => 1, V3 => 3 });
    workflow::sleep(SECOND).await?;
    let newer = workflow::version::<Price>() >= Price::V2;
    Ok(vec![first, u32::from(newer)])
});

fn priced(recorded: &[&str]) -> (Driver, Vec<String>) {
    let mut run = Driver::new::<Priced>();
    run.is_replaying = true;
    let jobs = [initialize(&())].into_iter().chain(recorded.iter().map(|id| marker(id)));
    let commands = outline(&run.activate(jobs.collect()));
    run.is_replaying = false;
    (run, commands)
}

#[test]
fn a_run_stays_with_the_version_that_it_began_with() {
    let (mut run, commands) = Driver::start::<Priced>(());
    assert_eq!(outline(&commands), ["patch Price::V3 false", "start timer 1 1s"]);
    assert_eq!(outline(&run.activate(vec![fire(1)])), ["complete workflow: [3,1]"]);
    let (mut run, commands) = priced(&["Price::V2"]);
    assert_eq!(commands, ["patch Price::V2 false", "start timer 1 1s"]);
    assert_eq!(outline(&run.activate(vec![fire(1)])), ["complete workflow: [1,1]"]);
    let (mut run, commands) = priced(&[]);
    assert_eq!(commands, ["start timer 1 1s"]);
    assert_eq!(outline(&run.activate(vec![fire(1)])), ["complete workflow: [1,0]"]);
}

#[test]
fn the_oldest_version_is_asked_for_where_history_has_its_marker() {
    let (_, commands) = priced(&["Price::V1"]);
    assert_eq!(commands, ["patch Price::V1 true", "start timer 1 1s"]);
}

workflow!(
    Ended,
    |board, input: ()| -> () { Ok(workflow::sleep(SECOND).await?) },
    [update!("late", |board, input: ()| {
        workflow::sleep(SECOND).await?;
        Ok(workflow::patched("p"))
    }),]
);

#[test]
fn a_patch_that_is_asked_for_after_the_end_is_not_taken_as_nothing_records_it() {
    let (mut run, _) = Driver::start::<Ended>(());
    assert_eq!(outline(&run.activate(vec![update("u1", "late", ())])), ["accept u1", "start timer 2 1s"]);
    assert_eq!(outline(&run.activate(vec![fire(1), fire(2)])), ["complete workflow: ", "complete u1: false"]);
}
