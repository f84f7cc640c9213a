use stead_activation::{Job, SignalReceived};
use stead_data::Failure;
use stead_workflow as workflow;

use crate::support::*;

workflow!(
    Listener,
    |board, input: ()| -> Vec<String> {
        board.note("run");
        workflow::wait_until(|| board.flag.get()).await?;
        workflow::all_handlers_finished().await;
        Ok(board.log.get())
    },
    [
        signal!("say", |board, word: String| {
            board.note(word);
            Ok(())
        }),
        signal!("slowly", |board, word: String| {
            workflow::sleep(SECOND).await?;
            board.note(word);
            Ok(())
        }),
        signal!("stop", |board, input: ()| {
            board.flag.set(true);
            Ok(())
        }),
        signal!("fail", |board, text: String| { Err(Failure::application(text).into()) }),
        signal!("again", |board, input: ()| { workflow::continue_as_new(AGAIN, ()).exit() }),
    ]
);

const AGAIN: stead_data::WorkflowFn<Listener, (), ()> = stead_data::WorkflowFn::new("Again", 0);

#[test]
fn handlers_run_before_the_first_step_of_run_and_in_the_order_of_their_signals() {
    let jobs = vec![signal("say", "one"), signal("say", "two"), signal("stop", ())];
    let (_, commands) = Driver::start_with::<Listener>((), jobs);
    assert_eq!(outline(&commands), [r#"complete workflow: ["one","two","run"]"#]);
}

#[test]
fn a_handler_may_wait_and_the_workflow_may_wait_for_it() {
    let (mut run, _) = Driver::start::<Listener>(());
    assert_eq!(outline(&run.activate(vec![signal("slowly", "late"), signal("stop", ())])), ["start timer 1 1s"]);
    assert_eq!(outline(&run.activate(vec![fire(1)])), [r#"complete workflow: ["run","late"]"#]);
}

#[test]
fn what_a_signal_changes_is_seen_by_code_that_the_same_activation_wakes_otherwise() {
    workflow!(
        Sees,
        |board, input: ()| -> bool {
            workflow::sleep(SECOND).await?;
            Ok(board.flag.get())
        },
        [signal!("set", |board, input: ()| {
            board.flag.set(true);
            Ok(())
        })]
    );
    let (mut run, _) = Driver::start::<Sees>(());
    assert_eq!(outline(&run.activate(vec![signal("set", ()), fire(1)])), ["complete workflow: true"]);
}

#[test]
fn an_error_of_a_handler_fails_the_workflow() {
    let (mut run, _) = Driver::start::<Listener>(());
    assert_eq!(outline(&run.activate(vec![signal("fail", "broken")])), ["fail workflow: broken"]);
}

#[test]
fn a_handler_may_continue_as_new() {
    let (mut run, _) = Driver::start::<Listener>(());
    assert_eq!(outline(&run.activate(vec![signal("again", ())])), ["continue as new Again"]);
}

#[test]
fn a_signal_that_cannot_be_decoded_is_dropped() {
    let (mut run, _) = Driver::start::<Listener>(());
    let broken = SignalReceived { name: "say".into(), input: vec![garbage()], ..SignalReceived::default() };
    let jobs = vec![Job::Signal(Box::new(broken)), signal("say", "fine"), signal("stop", ())];
    assert_eq!(outline(&run.activate(jobs)), [r#"complete workflow: ["run","fine"]"#]);
}

#[test]
fn an_unknown_signal_does_no_harm() {
    let (mut run, _) = Driver::start::<Listener>(());
    assert_eq!(outline(&run.activate(vec![signal("what", 1)])), [""; 0]);
    assert_eq!(outline(&run.activate(vec![signal("stop", ())])), [r#"complete workflow: ["run"]"#]);
}

workflow!(Late, |board, input: ()| -> Vec<String> {
    workflow::sleep(SECOND).await?;
    let listener = std::rc::Rc::clone(&board);
    workflow::on_signal_dynamic(move |name, arguments| {
        let listener = std::rc::Rc::clone(&listener);
        async move {
            listener.note(format!("{name} {}", workflow::decode::<u32>(&arguments[0])?));
            Ok(())
        }
    });
    board.note("listening");
    workflow::wait_until(|| board.log.with(Vec::len) == 4).await?;
    Ok(board.log.get())
});

#[test]
fn unknown_signals_wait_for_a_handler_and_reach_it_in_order() {
    let (mut run, _) = Driver::start_with::<Late>((), vec![signal("b", 1)]);
    run.activate(vec![signal("a", 2)]);
    assert_eq!(outline(&run.activate(vec![fire(1)])), [""; 0]);
    let commands = run.activate(vec![signal("c", 3)]);
    assert_eq!(outline(&commands), [r#"complete workflow: ["listening","b 1","a 2","c 3"]"#]);
}

workflow!(
    Stays,
    |board, input: ()| -> () {
        workflow::wait_until(|| board.flag.get()).await?;
        Ok(())
    },
    [signal!("set", |board, input: ()| {
        board.flag.set(true);
        Ok(())
    })]
);

#[test]
fn warnings_name_an_unknown_signal_once() {
    let log = crate::support::capture(|| {
        let (mut run, _) = Driver::start::<Stays>(());
        run.activate(vec![signal("what", 1), signal("what", 2), signal("else", 3)]);
        run.is_replaying = true;
        run.activate(vec![signal("more", 4)]);
    });
    let warned: Vec<_> = log.iter().filter(|line| line.contains("no handler for this signal")).collect();
    assert_eq!(warned.len(), 2, "{log:?}");
    assert!(warned[0].contains("signal=what") && warned[0].contains("WARN"), "{log:?}");
}

#[test]
fn a_signal_that_cannot_be_decoded_is_logged_without_its_content() {
    let log = crate::support::capture(|| {
        let (mut run, _) = Driver::start::<Listener>(());
        run.activate(vec![signal("say", 77_777)]);
    });
    let [line] = &log[..] else { panic!("{log:?}") };
    assert!(line.contains("ERROR") && line.contains("signal=say") && line.contains("order-1"), "{line}");
}

workflow!(
    Leaves,
    |board, input: ()| -> () {
        workflow::wait_until(|| board.flag.get()).await?;
        Ok(())
    },
    [signal!("slow", |board, input: ()| {
        board.flag.set(true);
        workflow::sleep(SECOND).await?;
        Ok(())
    }),]
);

#[test]
fn handlers_that_still_run_when_the_workflow_ends_are_warned_of_and_cancel_nothing() {
    let mut commands = vec![];
    let log = crate::support::capture(|| {
        let (mut run, _) = Driver::start::<Leaves>(());
        commands = run.activate(vec![signal("slow", ())]);
    });
    assert_eq!(outline(&commands), ["start timer 1 1s", "complete workflow: "]);
    assert!(log.iter().any(|line| line.contains("[TMPRL1102]") && line.contains("slow")), "{log:?}");
}

workflow!(
    LeavesQuietly,
    |board, input: ()| -> () {
        workflow::wait_until(|| board.count.get() == 3).await?;
        Ok(())
    },
    [
        signal!("slow", |board, input: ()| {
            board.count.set(board.count.get() + 1);
            workflow::sleep(SECOND).await?;
            Ok(())
        }),
        stead_workflow::Handler::Update {
            name: Some("quiet"),
            options: stead_workflow::HandlerOptions {
                unfinished: stead_workflow::UnfinishedPolicy::Abandon,
                ..stead_workflow::HandlerOptions::NONE
            },
            validate: None,
            call: |board, arguments| {
                let encoded = arguments.encode(&());
                board.count.set(board.count.get() + 1);
                Ok(Box::pin(async move {
                    workflow::sleep(SECOND).await?;
                    encoded
                }))
            },
        },
    ]
);

#[test]
fn the_policy_of_a_handler_silences_the_warning_and_the_others_are_counted() {
    let log = crate::support::capture(|| {
        let (mut run, _) = Driver::start::<LeavesQuietly>(());
        run.activate(vec![signal("slow", ()), update("u", "quiet", ()), signal("slow", ())]);
    });
    let warnings: Vec<_> = log.iter().filter(|line| line.contains("[TMPRL1102]")).collect();
    let [warning] = &warnings[..] else { panic!("{log:?}") };
    assert!(warning.contains(r#"handlers=[{"name":"slow","count":2}]"#), "{warning}");
}

workflow!(SpawnsOnSignal, |board, input: ()| -> () {
    workflow::on_signal_dynamic(|_, _| {
        workflow::spawn(async { workflow::sleep(SECOND * 3).await });
        async { Ok(()) }
    });
    workflow::sleep(SECOND).await?;
    Ok(())
});

#[test]
fn a_dynamic_handler_may_spawn_a_task_that_runs_in_the_same_activation() {
    let (mut run, _) = Driver::start::<SpawnsOnSignal>(());
    assert_eq!(outline(&run.activate(vec![signal("any", ())])), ["start timer 2 3s"]);
}
