use stead_activation::Command;

use crate::support::*;

workflow!(Nap, |board, seconds: u64| -> &'static str {
    stead_workflow::sleep(SECOND * seconds as u32).summary("a nap").await?;
    Ok("rested")
});

#[test]
fn a_timer_carries_its_number_its_duration_and_its_summary() {
    let (_, commands) = Driver::start::<Nap>(7);
    let [Command::StartTimer { seq: 1, duration, summary: Some(summary) }] = &commands[..] else {
        panic!("{commands:?}");
    };
    assert_eq!(*duration, SECOND * 7);
    assert_eq!(value::<String>(summary), "a nap");
}

#[test]
fn a_fired_timer_lets_the_workflow_go_on() {
    let (mut run, _) = Driver::start::<Nap>(7);
    assert_eq!(outline(&run.activate(vec![fire(1)])), [r#"complete workflow: "rested""#]);
}

#[test]
fn a_timer_of_no_time_is_a_timer_too() {
    let (_, commands) = Driver::start::<Nap>(0);
    assert_eq!(outline(&commands), ["start timer 1 0s"]);
}

#[test]
fn a_timer_that_was_never_started_cannot_fire() {
    let (mut run, _) = Driver::start::<Nap>(1);
    let (cause, message) = task_failure(run.try_activate(vec![fire(2)]));
    assert_eq!(cause, stead_activation::TaskFailureCause::NonDeterminism);
    assert!(message.contains("timer 2 fired"), "{message}");
}

workflow!(Naps, |board, input: ()| -> () {
    for _ in 0..3 {
        stead_workflow::sleep(SECOND).await?;
    }
    Ok(())
});

#[test]
fn timers_are_numbered_from_one_in_program_order() {
    let (mut run, first) = Driver::start::<Naps>(());
    assert_eq!(outline(&first), ["start timer 1 1s"]);
    assert_eq!(outline(&run.activate(vec![fire(1)])), ["start timer 2 1s"]);
    assert_eq!(outline(&run.activate(vec![fire(2)])), ["start timer 3 1s"]);
}

workflow!(Dropped, |board, input: ()| -> () {
    let mut nap = Box::pin(stead_workflow::sleep(SECOND));
    let mut later = Box::pin(stead_workflow::sleep(SECOND * 2));
    stead_workflow::select! { _ = &mut nap => {} _ = &mut later => {} };
    drop(later);
    drop(nap);
    stead_workflow::sleep(SECOND * 3).await?;
    Ok(())
});

#[test]
fn dropping_a_pending_timer_cancels_it_and_dropping_a_fired_one_does_nothing() {
    let (mut run, _) = Driver::start::<Dropped>(());
    assert_eq!(outline(&run.activate(vec![fire(1)])), ["cancel timer 2", "start timer 3 3s"]);
}

#[test]
fn a_timer_that_fires_after_it_was_dropped_is_ignored() {
    let (mut run, _) = Driver::start::<Dropped>(());
    run.activate(vec![fire(1)]);
    assert_eq!(outline(&run.activate(vec![fire(2)])), [""; 0]);
}

workflow!(Unpolled, |board, input: ()| -> () {
    drop(stead_workflow::sleep(SECOND));
    Ok(())
});

#[test]
fn a_timer_that_is_never_awaited_never_starts() {
    let (_, commands) = Driver::start::<Unpolled>(());
    assert_eq!(outline(&commands), ["complete workflow: "]);
}

#[test]
fn commands_carry_the_line_that_issued_them() {
    let mut run = Driver::new::<Nap>();
    let issued = run.try_activate(vec![initialize(&1)]).unwrap();
    assert!(issued[0].at.unwrap().file().ends_with("timers.rs"));
}
