use stead_activation::Command;
use stead_workflow as workflow;

use crate::support::*;

workflow!(
    UntilFlag,
    |board, input: ()| -> &'static str {
        workflow::wait_until(|| board.flag.get()).await?;
        Ok("seen")
    },
    [signal!("set", |board, on: bool| {
        board.flag.set(on);
        Ok(())
    })]
);

#[test]
fn a_condition_is_looked_at_after_a_handler_has_run() {
    let (mut run, commands) = Driver::start::<UntilFlag>(());
    assert_eq!(outline(&commands), [""; 0]);
    assert_eq!(outline(&run.activate(vec![signal("set", false)])), [""; 0]);
    assert_eq!(outline(&run.activate(vec![signal("set", true)])), [r#"complete workflow: "seen""#]);
}

#[test]
fn a_condition_that_holds_for_a_moment_between_two_jobs_of_an_activation_is_not_seen() {
    let (mut run, _) = Driver::start::<UntilFlag>(());
    assert_eq!(outline(&run.activate(vec![signal("set", true), signal("set", false)])), [""; 0]);
}

workflow!(
    Limited,
    |board, limit: u32| -> bool { Ok(workflow::wait_until(|| board.flag.get()).timeout(SECOND * limit).await?) },
    [signal!("set", |board, on: bool| {
        board.flag.set(on);
        Ok(())
    })]
);

#[test]
fn a_wait_with_a_limit_says_whether_the_condition_came_to_hold() {
    let (mut run, commands) = Driver::start::<Limited>(5);
    assert_eq!(outline(&commands), ["start timer 1 5s"]);
    assert_eq!(outline(&run.activate(vec![fire(1)])), ["complete workflow: false"]);

    let (mut run, _) = Driver::start::<Limited>(5);
    let commands = run.activate(vec![signal("set", true)]);
    assert_eq!(outline(&commands), ["complete workflow: true"], "the timer ends with the run");
}

#[test]
fn a_condition_wins_over_its_limit_when_both_come_in_one_activation() {
    let (mut run, _) = Driver::start::<Limited>(5);
    assert_eq!(outline(&run.activate(vec![signal("set", true), fire(1)])), ["complete workflow: true"]);
}

workflow!(
    LimitedThenNap,
    |board, input: ()| -> bool {
        let seen = workflow::wait_until(|| board.flag.get()).timeout(SECOND).await?;
        workflow::sleep(SECOND).await?;
        Ok(seen)
    },
    [signal!("set", |board, on: bool| {
        board.flag.set(on);
        Ok(())
    })]
);

#[test]
fn the_timer_of_a_limit_is_cancelled_once_the_condition_holds() {
    let (mut run, _) = Driver::start::<LimitedThenNap>(());
    assert_eq!(outline(&run.activate(vec![signal("set", true)])), ["cancel timer 1", "start timer 2 1s"]);
}

workflow!(AlreadyTrue, |board, input: ()| -> bool { Ok(workflow::wait_until(|| true).timeout(SECOND).await?) });

#[test]
fn a_condition_that_holds_at_once_starts_no_timer() {
    let (_, commands) = Driver::start::<AlreadyTrue>(());
    assert_eq!(outline(&commands), ["complete workflow: true"]);
}

workflow!(Chain, |board, input: ()| -> u32 {
    let links = (0..3).map(|link| {
        let board = std::rc::Rc::clone(&board);
        async move {
            // In reverse, so that each one that comes to hold makes one that was looked at before it hold.
            workflow::wait_until(|| board.count.get() == 2 - link).await?;
            board.count.set(board.count.get() + 1);
            Ok::<_, workflow::Error>(())
        }
    });
    for link in workflow::join_all(links.collect::<Vec<_>>()).await {
        link?;
    }
    Ok(board.count.get())
});

#[test]
fn a_condition_that_comes_to_hold_lets_the_others_be_looked_at_again() {
    let (_, commands) = Driver::start::<Chain>(());
    assert_eq!(outline(&commands), ["complete workflow: 3"]);
}

workflow!(Commanding, |board, input: ()| -> () {
    workflow::wait_until(|| {
        drop(charge("a").start());
        false
    })
    .await?;
    Ok(())
});

#[test]
fn a_condition_that_commands_something_fails_the_task() {
    let (_, message) = task_failure(Driver::new::<Commanding>().try_activate(vec![initialize(&())]));
    assert!(message.contains("While in read-only function, action attempted: schedule an activity"), "{message}");
}

workflow!(Turns, |board, input: ()| -> Vec<String> {
    for name in ["first", "second"] {
        let board = std::rc::Rc::clone(&board);
        workflow::spawn(async move {
            workflow::wait_until(|| !board.flag.get()).await?;
            board.flag.set(true);
            board.note(name);
            workflow::sleep(SECOND).await?;
            board.flag.set(false);
            Ok::<_, workflow::Error>(())
        });
    }
    workflow::wait_until(|| board.log.with(Vec::len) == 2).await?;
    Ok(board.log.get())
});

#[test]
fn only_one_of_two_waiters_takes_what_both_wait_for() {
    let (mut run, commands) = Driver::start::<Turns>(());
    assert_eq!(outline(&commands), ["start timer 1 1s"]);
    let commands = run.activate(vec![fire(1)]);
    assert_eq!(outline(&commands), ["start timer 2 1s", r#"complete workflow: ["first","second"]"#]);
}

workflow!(Patient, |board, input: ()| -> bool {
    Ok(workflow::wait_until(|| board.flag.get()).timeout(SECOND).summary("patience").await?)
});

#[test]
fn the_timer_of_a_limit_may_be_labelled() {
    let (_, commands) = Driver::start::<Patient>(());
    let Command::StartTimer { summary: Some(summary), .. } = &commands[0] else { panic!("{commands:?}") };
    assert_eq!(summary.data.as_ref(), br#""patience""#);
}
