//! Cancellation scopes.

use std::rc::Rc;

use stead_workflow as workflow;
use stead_workflow::CancelScope;

use crate::support::*;

workflow!(Nested, |board, input: ()| -> Vec<bool> {
    let outer = CancelScope::new();
    let inside = {
        let outer = outer.clone();
        workflow::spawn(async move {
            outer
                .run(async {
                    let inner = workflow::scope(workflow::sleep(SECOND));
                    let shielded = workflow::shield(workflow::sleep(SECOND * 2));
                    workflow::join!(inner, shielded)
                })
                .await
        })
    };
    let beside = workflow::spawn(workflow::sleep(SECOND * 3));
    workflow::sleep(SECOND * 4).await?;
    outer.cancel("enough");
    let late = outer.run(workflow::sleep(SECOND * 5)).await;
    let (inner, shielded) = inside.await;
    Ok(vec![inner.is_err(), shielded.is_ok(), beside.await.is_ok(), late.is_err(), workflow::is_cancelled()])
});

#[test]
fn cancelling_a_scope_reaches_what_is_nested_in_it_and_nothing_else() {
    let (mut run, commands) = Driver::start::<Nested>(());
    let timers = ["start timer 1 4s", "start timer 2 1s", "start timer 3 2s", "start timer 4 3s"];
    assert_eq!(outline(&commands), timers);
    assert_eq!(outline(&run.activate(vec![fire(1)])), ["cancel timer 2"]);
    let end = run.activate(vec![fire(3), fire(4)]);
    assert_eq!(outline(&end), ["complete workflow: [true,true,true,true,false]"]);
}

workflow!(Timed, |board, input: ()| -> String {
    let work = async {
        charge("a").await?;
        Ok("done")
    };
    Ok(match workflow::scope(work).timeout(SECOND).await {
        Ok(text) => text.to_owned(),
        Err(error) if error.is_timeout() => error.to_string().split(" at ").next().unwrap_or_default().to_owned(),
        Err(error) => format!("other: {error}"),
    })
});

#[test]
fn a_scope_whose_time_is_over_cancels_what_runs_in_it_and_waits_for_it() {
    let (mut run, commands) = Driver::start::<Timed>(());
    assert_eq!(outline(&commands), ["schedule charge 1", "start timer 1 1s"]);
    assert_eq!(outline(&run.activate(vec![fire(1)])), ["cancel activity 1"]);
    assert_eq!(outline(&run.activate(vec![activity_cancelled(1)])), [r#"complete workflow: "the scope""#]);
}

#[test]
fn a_timer_that_is_not_needed_any_more_is_cancelled() {
    let (mut run, _) = Driver::start::<Timed>(());
    let end = run.activate(vec![completed(1, 7)]);
    assert_eq!(outline(&end), [r#"complete workflow: "done""#]);
}

#[test]
fn success_after_the_time_is_success() {
    let (mut run, _) = Driver::start::<Timed>(());
    run.activate(vec![fire(1)]);
    assert_eq!(outline(&run.activate(vec![completed(1, 7)])), [r#"complete workflow: "done""#]);
}

#[test]
fn cancellation_of_the_workflow_is_no_timeout() {
    let (mut run, _) = Driver::start::<Timed>(());
    assert_eq!(outline(&run.activate(vec![cancel()])), ["cancel timer 1", "cancel activity 1"]);
    let end = run.activate(vec![activity_cancelled(1)]);
    assert_eq!(outline(&end), [r#"complete workflow: "other: Activity cancelled""#]);
}

workflow!(Reasons, |board, input: ()| -> Vec<String> {
    let reason = || workflow::cancellation_reason().map_or("none".to_owned(), |reason| reason.to_string());
    let (outer, mut log) = (CancelScope::new(), vec![reason()]);
    outer.cancel("first");
    outer.cancel("second");
    log.push(outer.run(async { workflow::scope(async { reason() }).await }).await);
    log.push(outer.run(workflow::shield(async { reason() })).await);
    Ok(log)
});

#[test]
fn the_first_reason_of_the_nearest_scope_counts() {
    let (_, commands) = Driver::start::<Reasons>(());
    assert_eq!(outline(&commands), [r#"complete workflow: ["none","first","none"]"#]);
}

workflow!(Spawned, |board, input: ()| -> bool {
    let scope = CancelScope::new();
    let mut task = None;
    scope.run(async { task = Some(workflow::spawn(workflow::sleep(SECOND))) }).await;
    scope.cancel("enough");
    Ok(task.expect("it was spawned").await.is_err())
});

#[test]
fn a_task_belongs_to_the_scope_that_it_was_spawned_in() {
    let (_, commands) = Driver::start::<Spawned>(());
    assert_eq!(outline(&commands), ["complete workflow: true"]);
}

workflow!(Many, |board, input: ()| -> () {
    let watched = CancelScope::new();
    let kept = Rc::new(());
    for _ in 0..100_000 {
        let kept = Rc::clone(&kept);
        watched.run(workflow::scope(async move { drop(kept) })).await;
    }
    assert_eq!(Rc::strong_count(&kept), 1);
    Ok(())
});

#[test]
fn scopes_that_are_over_leave_nothing_behind() {
    let (_, commands) = Driver::start::<Many>(());
    assert_eq!(outline(&commands), ["complete workflow: "]);
}

workflow!(Grouped, |board, input: ()| -> () {
    let outer = workflow::event_group("outer");
    workflow::sleep(SECOND).await?;
    outer
        .run(async {
            workflow::sleep(SECOND * 2).await?;
            let inner = workflow::event_group("inner").id("i").run(workflow::sleep(SECOND * 3));
            let spawned = workflow::spawn(async { workflow::sleep(SECOND * 4).await });
            let (inner, spawned) = workflow::join!(inner, spawned);
            inner.and(spawned)
        })
        .await?;
    Ok(workflow::sleep(SECOND * 5).await?)
});

#[test]
fn what_is_asked_for_in_a_group_says_so_and_the_rest_does_not() {
    let (mut run, commands) = Driver::start::<Grouped>(());
    assert_eq!(outline(&commands), ["start timer 1 1s"]);
    assert_eq!(outline(&run.activate(vec![fire(1)])), ["in 1 groups", "start timer 2 2s"]);
    let nested = ["in 2 groups", "start timer 3 3s", "in 1 groups", "start timer 4 4s"];
    assert_eq!(outline(&run.activate(vec![fire(2)])), nested);
    assert_eq!(outline(&run.activate(vec![fire(3), fire(4)])), ["start timer 5 5s"]);
}
