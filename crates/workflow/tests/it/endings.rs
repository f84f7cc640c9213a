use stead_activation::{Command, TaskFailureCause};
use stead_data::{Failure, RetryPolicy, WorkflowFn};
use stead_workflow as workflow;

use crate::support::*;

workflow!(Panics, |board, input: ()| -> () {
    let nap = std::pin::pin!(workflow::sleep(SECOND));
    workflow::select! {
        _ = nap => {}
        _ = charge("a") => panic!("a bug in {}", "here"),
    }
    Ok(())
});

#[test]
fn a_panic_fails_the_task_with_its_message_and_its_place() {
    let (mut run, _) = Driver::start::<Panics>(());
    let failure = run.try_activate(vec![completed(1, 7)]).unwrap_err();
    assert_eq!(failure.cause, TaskFailureCause::Panic);
    let message = &failure.failure.message;
    assert!(message.contains("endings.rs:") && message.ends_with("a bug in here"), "{message}");
}

#[test]
fn a_run_whose_task_failed_refuses_further_activations() {
    let (mut run, _) = Driver::start::<Panics>(());
    run.try_activate(vec![completed(1, 7)]).unwrap_err();
    let (cause, _) = task_failure(run.try_activate(vec![fire(1)]));
    assert_eq!(cause, TaskFailureCause::NonDeterminism);
}

workflow!(Fails, |board, input: String| -> () { Err(Failure::application(input).type_name("Odd").into()) });

#[test]
fn an_error_of_run_fails_the_workflow() {
    let (_, commands) = Driver::start::<Fails>("odd");
    let [Command::FailWorkflow { failure }] = &commands[..] else { panic!("{commands:?}") };
    let failure = Failure::from_proto((**failure).clone());
    assert_eq!((&*failure.message, &*failure.as_application().unwrap().type_name), ("odd", "Odd"));
}

#[test]
fn input_that_cannot_be_decoded_fails_the_task() {
    let mut run = Driver::new::<Fails>();
    let (cause, message) = task_failure(run.try_activate(vec![initialize_with(vec![garbage()])]));
    assert_eq!(cause, TaskFailureCause::Conversion);
    assert_eq!(message, "Failed decoding arguments");
}

workflow!(Unencodable, |board, input: ()| -> std::collections::BTreeMap<(u8, u8), u8> { Ok([((1, 2), 3)].into()) });

#[test]
fn a_result_that_cannot_be_encoded_fails_the_task() {
    let (cause, message) = task_failure(Driver::new::<Unencodable>().try_activate(vec![initialize(&())]));
    assert_eq!(cause, TaskFailureCause::Conversion);
    assert_eq!(message, "Failed encoding the result");
}

const NEXT: WorkflowFn<Again, (String, u32), u32> = WorkflowFn::new("Next", 2);

workflow!(Again, |board, input: ()| -> u32 {
    let _pending = charge("a").start();
    workflow::continue_as_new(NEXT, ("b".to_owned(), 2))
        .task_queue("other")
        .run_timeout(SECOND * 2)
        .task_timeout(SECOND)
        .backoff(SECOND * 3)
        .retry(RetryPolicy::default().max_attempts(2))
        .memo("k", &1)
        .exit()
});

#[test]
fn continue_as_new_carries_its_arguments_and_options() {
    let (_, commands) = Driver::start::<Again>(());
    let [Command::ScheduleActivity(_), Command::ContinueAsNew(next)] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!((&*next.workflow_type, &*next.task_queue), ("Next", "other"));
    assert_eq!((value::<String>(&next.arguments[0]), value::<u32>(&next.arguments[1])), ("b".into(), 2));
    assert_eq!((next.run_timeout, next.task_timeout), (Some(SECOND * 2), Some(SECOND)));
    assert_eq!(next.backoff_start_interval, Some(SECOND * 3));
    assert_eq!(next.retry_policy.as_ref().unwrap().maximum_attempts, 2);
    assert_eq!(value::<u32>(&next.memo.as_ref().unwrap()["k"]), 1);
    assert_eq!(next.search_attributes, None);
}

workflow!(LeavesThings, |board, input: ()| -> () {
    let mut timer = Box::pin(workflow::sleep(SECOND * 5));
    let mut activity = Box::pin(std::future::IntoFuture::into_future(charge("a")));
    workflow::select! {
        _ = &mut timer => {}
        _ = &mut activity => {}
        _ = workflow::sleep(SECOND) => {}
    }
    Ok(())
});

#[test]
fn what_is_dropped_when_run_returns_commands_nothing() {
    let (mut run, _) = Driver::start::<LeavesThings>(());
    assert_eq!(outline(&run.activate(vec![fire(2)])), ["complete workflow: "]);
}

workflow!(CancelsAndLeaves, |board, input: ()| -> () {
    let handle = charge("a").start();
    workflow::sleep(SECOND).await?;
    handle.cancel();
    Ok(())
});

#[test]
fn what_run_cancels_in_so_many_words_is_cancelled_even_when_it_returns_right_after() {
    let (mut run, _) = Driver::start::<CancelsAndLeaves>(());
    assert_eq!(outline(&run.activate(vec![fire(1)])), ["cancel activity 1", "complete workflow: "]);
}

workflow!(LeavesTasks, |board, input: ()| -> () {
    workflow::spawn(async { workflow::sleep(SECOND * 9).await });
    workflow::sleep(SECOND).await?;
    Ok(())
});

#[test]
fn spawned_tasks_end_with_the_run_and_command_nothing() {
    let (mut run, _) = Driver::start::<LeavesTasks>(());
    assert_eq!(outline(&run.activate(vec![fire(1)])), ["complete workflow: "]);
}

workflow!(Evicted, |board, input: ()| -> () {
    let _handle = charge("a").start();
    let _ = workflow::join!(workflow::sleep(SECOND), charge("b"), workflow::wait_until(|| board.flag.get()));
    Ok(())
});

thread_local! {
    static VICTIM: std::cell::RefCell<Option<Driver>> = const { std::cell::RefCell::new(None) };
}

workflow!(Evictor, |board, input: ()| -> () {
    workflow::sleep(SECOND).await?;
    drop(VICTIM.take());
    workflow::sleep(SECOND).await?;
    Ok(())
});

#[test]
fn eviction_commands_nothing_even_inside_of_another_run() {
    let (victim, commands) = Driver::start::<Evicted>(());
    assert_eq!(outline(&commands), ["schedule charge 1", "start timer 1 1s", "schedule charge 2"]);
    VICTIM.set(Some(victim));
    let (mut evictor, _) = Driver::start::<Evictor>(());
    assert_eq!(outline(&evictor.activate(vec![fire(1)])), ["start timer 2 1s"]);
}

#[test]
fn a_run_must_be_initialized_first_and_once() {
    let mut run = Driver::new::<Fails>();
    assert_eq!(task_failure(run.try_activate(vec![fire(1)])).0, TaskFailureCause::NonDeterminism);
    let (mut run, _) = Driver::start::<Evicted>(());
    assert_eq!(task_failure(run.try_activate(vec![initialize(&())])).0, TaskFailureCause::NonDeterminism);
}

workflow!(
    Drains,
    |board, input: ()| -> bool {
        assert!(!workflow::ready_to_continue_as_new().await, "nobody suggests it yet");
        workflow::wait_until(|| board.count.get() > 0).await?;
        let ready = workflow::ready_to_continue_as_new().await;
        board.note("ready");
        Ok(ready && board.flag.get())
    },
    [signal!("slow", |board, input: ()| {
        board.count.set(1);
        workflow::sleep(SECOND).await?;
        board.flag.set(true);
        Ok(())
    })]
);

#[test]
fn it_is_time_to_continue_as_new_once_the_server_says_so_and_the_handlers_are_done() {
    let (mut run, commands) = Driver::start::<Drains>(());
    assert!(commands.is_empty());
    assert_eq!(outline(&run.activate(vec![signal("slow", ())])), ["start timer 1 1s"]);
    assert_eq!(outline(&run.activate(vec![fire(1)])), ["complete workflow: true"]);
}
