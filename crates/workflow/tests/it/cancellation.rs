use stead_data::Failure;
use stead_workflow as workflow;

use crate::support::*;

workflow!(Nap, |board, input: ()| -> () {
    workflow::sleep(SECOND).await?;
    Ok(())
});

#[test]
fn cancellation_resolves_a_timer_at_once_and_closes_the_workflow_as_cancelled() {
    let (mut run, _) = Driver::start::<Nap>(());
    assert_eq!(outline(&run.activate(vec![cancel()])), ["cancel timer 1", "cancel workflow"]);
}

#[test]
fn a_run_that_is_cancelled_before_it_starts_commands_nothing_else() {
    let (_, commands) = Driver::start_with::<Nap>((), vec![cancel()]);
    assert_eq!(outline(&commands), ["cancel workflow"]);
}

#[test]
fn a_timer_that_fires_together_with_the_cancellation_has_fired() {
    let (mut run, _) = Driver::start::<Nap>(());
    assert_eq!(outline(&run.activate(vec![cancel(), fire(1)])), ["complete workflow: "]);
}

workflow!(Waiting, |board, input: ()| -> () {
    workflow::wait_until(|| board.flag.get()).await?;
    Ok(())
});

#[test]
fn cancellation_resolves_a_condition() {
    let (mut run, _) = Driver::start::<Waiting>(());
    assert_eq!(outline(&run.activate(vec![cancel()])), ["cancel workflow"]);
}

workflow!(Charging, |board, input: ()| -> u32 { Ok(charge("a").await?) });

#[test]
fn cancellation_asks_an_activity_to_stop_and_waits_for_its_resolution() {
    let (mut run, _) = Driver::start::<Charging>(());
    assert_eq!(outline(&run.activate(vec![cancel()])), ["cancel activity 1"]);
    assert_eq!(outline(&run.activate(vec![activity_cancelled(1)])), ["cancel workflow"]);
}

#[test]
fn an_activity_that_completes_in_spite_of_the_cancellation_has_completed() {
    let (mut run, _) = Driver::start::<Charging>(());
    run.activate(vec![cancel()]);
    assert_eq!(outline(&run.activate(vec![completed(1, 7)])), ["complete workflow: 7"]);
}

workflow!(FailsFast, |board, input: ()| -> String {
    workflow::cancelled().await;
    let timer = workflow::sleep(SECOND).await.is_err();
    let activity = charge("a").await.is_err_and(|error| error.is_cancelled());
    let started = charge("a").start().await.is_err();
    let condition = workflow::wait_until(|| false).await.is_err();
    let reason = workflow::cancellation_reason().unwrap();
    Ok(format!("{timer} {activity} {started} {condition} {} {reason}", workflow::is_cancelled()))
});

#[test]
fn operations_that_start_after_the_cancellation_fail_at_once_and_command_nothing() {
    let (mut run, _) = Driver::start::<FailsFast>(());
    let commands = run.activate(vec![cancel()]);
    assert_eq!(outline(&commands), [r#"complete workflow: "true true true true true enough""#]);
}

workflow!(Saga, |board, input: ()| -> () {
    let Err(error) = charge("book").await else {
        return Ok(());
    };
    workflow::shield(async {
        charge("refund").await?;
        workflow::sleep(SECOND).await?;
        Ok::<_, workflow::Error>(())
    })
    .await?;
    Err(error.into())
});

#[test]
fn a_shield_lets_cleanup_run_after_the_cancellation() {
    let (mut run, _) = Driver::start::<Saga>(());
    assert_eq!(outline(&run.activate(vec![cancel()])), ["cancel activity 1"]);
    assert_eq!(outline(&run.activate(vec![activity_cancelled(1)])), ["schedule charge 2"]);
    assert_eq!(outline(&run.activate(vec![completed(2, 1)])), ["start timer 1 1s"]);
    assert_eq!(outline(&run.activate(vec![fire(1)])), ["cancel workflow"]);
}

workflow!(Shielded, |board, input: ()| -> bool {
    let shielded = workflow::shield(async {
        workflow::spawn(async { workflow::sleep(SECOND * 2).await.is_ok() }).await
            && workflow::sleep(SECOND).await.is_ok()
    });
    let (inside, outside) = workflow::join!(shielded, workflow::sleep(SECOND * 9));
    Ok(inside && outside.is_err())
});

#[test]
fn cancellation_passes_by_what_is_pending_in_a_shield_and_in_tasks_spawned_there() {
    let (mut run, commands) = Driver::start::<Shielded>(());
    assert_eq!(outline(&commands), ["start timer 1 9s", "start timer 2 2s"]);
    assert_eq!(outline(&run.activate(vec![cancel()])), ["cancel timer 1"]);
    assert_eq!(outline(&run.activate(vec![fire(2)])), ["start timer 3 1s"]);
    assert_eq!(outline(&run.activate(vec![fire(3)])), ["complete workflow: true"]);
}

workflow!(DroppedShield, |board, input: ()| -> () {
    workflow::select! {
        _ = workflow::shield(async { workflow::sleep(SECOND * 9).await.is_ok() }) => {}
        _ = workflow::sleep(SECOND) => {}
    }
    workflow::sleep(SECOND).await?;
    Ok(())
});

#[test]
fn dropping_a_shield_cancels_what_is_pending_in_it() {
    let (mut run, _) = Driver::start::<DroppedShield>(());
    assert_eq!(outline(&run.activate(vec![fire(2)])), ["cancel timer 1", "start timer 3 1s"]);
}

workflow!(Swallows, |board, input: ()| -> () {
    let _ = workflow::sleep(SECOND).await;
    Ok(())
});

#[test]
fn a_workflow_may_swallow_its_cancellation() {
    let (mut run, _) = Driver::start::<Swallows>(());
    assert_eq!(outline(&run.activate(vec![cancel()])), ["cancel timer 1", "complete workflow: "]);
}

workflow!(OtherError, |board, input: ()| -> () {
    match workflow::sleep(SECOND).await {
        Ok(()) => Err(Failure::cancelled("nobody asked").into()),
        Err(_) => Err(Failure::application("other").into()),
    }
});

#[test]
fn another_error_after_a_cancellation_fails_the_workflow() {
    let (mut run, _) = Driver::start::<OtherError>(());
    assert_eq!(outline(&run.activate(vec![cancel()])), ["cancel timer 1", "fail workflow: other"]);
}

#[test]
fn a_cancellation_that_nobody_asked_for_fails_the_workflow() {
    let (mut run, _) = Driver::start::<OtherError>(());
    assert_eq!(outline(&run.activate(vec![fire(1)])), ["fail workflow: nobody asked"]);
}

#[test]
fn a_second_request_changes_nothing() {
    let (mut run, _) = Driver::start::<Charging>(());
    run.activate(vec![cancel()]);
    assert_eq!(outline(&run.activate(vec![cancel()])), [""; 0]);
}

workflow!(
    Handler,
    |board, input: ()| -> () {
        workflow::cancelled().await;
        workflow::all_handlers_finished().await;
        Ok(())
    },
    [signal!("nap", |board, input: ()| {
        let _ = workflow::sleep(SECOND).await;
        board.note("woken");
        Ok(())
    })]
);

#[test]
fn cancellation_reaches_handlers() {
    let (mut run, _) = Driver::start::<Handler>(());
    run.activate(vec![signal("nap", ())]);
    assert_eq!(outline(&run.activate(vec![cancel()])), ["cancel timer 1", "complete workflow: "]);
}
