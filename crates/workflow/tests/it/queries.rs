use stead_activation::{Job, Query, QueryAnswer};
use stead_data::Failure;
use stead_workflow as workflow;

use crate::support::*;

workflow!(
    Asked,
    |board, input: ()| -> u32 {
        board.count.set(3);
        workflow::patched("decided");
        workflow::wait_until(|| board.flag.get()).await?;
        workflow::sleep(SECOND).await?;
        Ok(board.count.get())
    },
    [
        query!("count", |board, plus: u32| board.count.get() + plus),
        query!("random", |board, input: ()| workflow::random::<u64>()),
        query!("patched", |board, id: String| workflow::patched(&id)),
        query!("start", |board, input: ()| {
            drop(charge("a").start());
        }),
        query!("spawn", |board, input: ()| {
            drop(workflow::spawn(async {}));
        }),
        query!("boom", |board, input: ()| assert!(board.count.get() == 0, "boom {}", board.count.get())),
        query!("fails", |board, input: ()| {
            if board.count.get() > 0 {
                return Err(Failure::application("not now").into());
            }
        }),
        query!("sneaky", |board, input: ()| board.flag.set(true)),
    ]
);

fn failure(answer: QueryAnswer) -> String {
    match answer {
        QueryAnswer::Failed(failure) => failure.message,
        QueryAnswer::Succeeded(payload) => panic!("the query should have failed: {payload:?}"),
    }
}

fn success<T: serde::de::DeserializeOwned>(answer: QueryAnswer) -> T {
    match answer {
        QueryAnswer::Succeeded(payload) => value(&payload),
        QueryAnswer::Failed(failure) => panic!("{failure:?}"),
    }
}

#[test]
fn a_query_sees_the_state_and_its_arguments() {
    let (mut run, _) = Driver::start::<Asked>(());
    assert_eq!(success::<u32>(run.query("count", 4)), 7);
}

#[test]
fn an_unknown_query_fails_with_the_names_that_are_known() {
    let (mut run, _) = Driver::start::<Asked>(());
    assert_eq!(
        failure(run.query("what", ())),
        "Query handler for 'what' expected but not found, known queries: [__enhanced_stack_trace __stack_trace \
         __temporal_workflow_metadata boom count fails patched random sneaky spawn start]"
    );
}

#[test]
fn a_query_that_has_an_effect_fails_and_has_none() {
    let (mut run, _) = Driver::start::<Asked>(());
    for (name, action) in
        [("start", "schedule an activity"), ("spawn", "spawn a task"), ("random", "draw a random number")]
    {
        let message = failure(run.query(name, ()));
        assert!(message.contains(&format!("While in read-only function, action attempted: {action}")), "{message}");
    }
    assert_eq!(success::<u32>(run.query("count", 0)), 3);
}

#[test]
fn a_query_that_panics_fails_and_leaves_the_workflow_alone() {
    let (mut run, _) = Driver::start::<Asked>(());
    let message = failure(run.query("boom", ()));
    assert!(message.contains("queries.rs:") && message.ends_with("boom 3"), "{message}");
    assert_eq!(success::<u32>(run.query("count", 0)), 3);
}

#[test]
fn an_error_of_a_query_is_its_failure() {
    let (mut run, _) = Driver::start::<Asked>(());
    assert_eq!(failure(run.query("fails", ())), "not now");
}

#[test]
fn arguments_of_a_query_that_cannot_be_decoded_fail_it() {
    let (mut run, _) = Driver::start::<Asked>(());
    assert_eq!(failure(run.query("count", "four")), "Failed decoding arguments");
}

#[test]
fn conditions_are_not_looked_at_after_a_query() {
    let (mut run, _) = Driver::start::<Asked>(());
    let commands = run.activate(vec![query("sneaky", ())]);
    assert_eq!(outline(&commands), ["answer q"]);
}

#[test]
fn a_query_may_ask_for_a_patch_that_is_decided_and_does_not_decide_on_one() {
    let (mut run, _) = Driver::start::<Asked>(());
    assert!(success::<bool>(run.query("patched", "decided")));
    let message = failure(run.query("patched", "other"));
    assert!(message.contains("While in read-only function, action attempted: decide on a patch"), "{message}");
}

#[test]
fn queries_are_answered_after_the_run_has_ended() {
    let (mut run, _) = Driver::start::<Asked>(());
    run.activate(vec![query("sneaky", ())]);
    run.activate(vec![cancel()]);
    assert_eq!(success::<u32>(run.query("count", 0)), 3);
}

#[test]
fn several_queries_are_answered_in_their_order() {
    let (mut run, _) = Driver::start::<Asked>(());
    let ask = |id: &str, name: &str| {
        Job::Query(Box::new(Query {
            id: id.into(),
            name: name.into(),
            arguments: vec![payload(&1)],
            ..Query::default()
        }))
    };
    assert_eq!(outline(&run.activate(vec![ask("1", "count"), ask("2", "what")])), ["answer 1", "answer 2"]);
}
