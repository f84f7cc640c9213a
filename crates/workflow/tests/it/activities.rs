use std::time::Duration;

use stead_activation::{ActivityCancellation, ActivityResolution, Command, Job, TaskFailureCause};
use stead_data::{Activity, Failure, Priority, RetryPolicy};
use stead_workflow as workflow;

use crate::support::*;

workflow!(Charge, |board, card: String| -> u32 { Ok(charge(&card).await?) });

#[test]
fn an_awaited_activity_is_scheduled_and_its_result_is_decoded() {
    let (mut run, commands) = Driver::start::<Charge>("visa");
    let [Command::ScheduleActivity(request)] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!((request.seq, &*request.activity_id, &*request.activity_type), (1, "1", "charge"));
    assert_eq!(value::<String>(&request.arguments[0]), "visa");
    assert_eq!(request.start_to_close_timeout, Some(SECOND));
    assert_eq!(outline(&run.activate(vec![completed(1, 7)])), ["complete workflow: 7"]);
}

workflow!(Options, |board, input: ()| -> u32 {
    const PAIR: Activity<Remote, (String, u64), u32> = Activity::new("pair", 2);
    let call = workflow::activity(PAIR, ("a".to_owned(), 5))
        .task_queue("elsewhere")
        .schedule_to_close(SECOND * 4)
        .schedule_to_start(SECOND * 2)
        .start_to_close(SECOND * 3)
        .heartbeat(SECOND)
        .retry(RetryPolicy::default().max_attempts(5))
        .cancellation(ActivityCancellation::Abandon)
        .id("mine")
        .summary("two things")
        .priority(Priority::default().key(2))
        .disable_eager();
    Ok(call.await?)
});

#[test]
fn every_option_of_an_activity_reaches_its_command() {
    let (_, commands) = Driver::start::<Options>(());
    let [Command::ScheduleActivity(request)] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!((&*request.activity_id, &*request.task_queue), ("mine", "elsewhere"));
    assert_eq!((value::<String>(&request.arguments[0]), value::<u64>(&request.arguments[1])), ("a".into(), 5));
    assert_eq!(request.schedule_to_close_timeout, Some(SECOND * 4));
    assert_eq!(request.schedule_to_start_timeout, Some(SECOND * 2));
    assert_eq!(request.start_to_close_timeout, Some(SECOND * 3));
    assert_eq!(request.heartbeat_timeout, Some(Duration::from_secs(1)));
    assert_eq!(request.retry_policy.as_ref().unwrap().maximum_attempts, 5);
    assert_eq!(request.cancellation, ActivityCancellation::Abandon);
    assert_eq!(value::<String>(request.summary.as_ref().unwrap()), "two things");
    assert_eq!(request.priority.as_ref().unwrap().priority_key, 2);
    assert!(request.disable_eager_execution);
}

workflow!(Named, |board, input: ()| -> u32 {
    Ok(workflow::activity_named("Charge", ("visa", 5)).start_to_close(SECOND).await?)
});

#[test]
fn an_activity_can_be_called_by_name_with_a_tuple_of_arguments() {
    let (_, commands) = Driver::start::<Named>(());
    let [Command::ScheduleActivity(request)] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!(request.activity_type, "Charge");
    assert_eq!((value::<String>(&request.arguments[0]), value::<u64>(&request.arguments[1])), ("visa".into(), 5));
}

workflow!(Detached, |board, input: ()| -> () {
    drop(charge("a").start());
    workflow::sleep(SECOND).await?;
    Ok(())
});

#[test]
fn a_started_activity_is_scheduled_at_once_and_outlives_its_handle() {
    let (mut run, commands) = Driver::start::<Detached>(());
    assert_eq!(outline(&commands), ["schedule charge 1", "start timer 1 1s"]);
    assert_eq!(outline(&run.activate(vec![completed(1, 7)])), [""; 0]);
}

workflow!(Awaited, |board, input: ()| -> u32 {
    let handle = charge("a").start();
    workflow::sleep(SECOND).await?;
    Ok(handle.await?)
});

#[test]
fn a_handle_gives_a_result_that_came_before_it_was_awaited() {
    let (mut run, _) = Driver::start::<Awaited>(());
    assert_eq!(outline(&run.activate(vec![completed(1, 7)])), [""; 0]);
    assert_eq!(outline(&run.activate(vec![fire(1)])), ["complete workflow: 7"]);
}

workflow!(CancelledHandle, |board, input: ()| -> bool {
    let handle = charge("a").start();
    workflow::sleep(SECOND).await?;
    handle.cancel();
    handle.cancel();
    Ok(handle.await.is_err_and(|error| error.is_cancelled()))
});

#[test]
fn a_handle_cancels_once_and_resolves_as_the_kind_of_cancellation_says() {
    let (mut run, _) = Driver::start::<CancelledHandle>(());
    assert_eq!(outline(&run.activate(vec![fire(1)])), ["cancel activity 1"]);
    assert_eq!(outline(&run.activate(vec![activity_cancelled(1)])), ["complete workflow: true"]);
}

#[test]
fn a_handle_of_an_ended_activity_cancels_nothing() {
    let (mut run, _) = Driver::start::<CancelledHandle>(());
    assert_eq!(outline(&run.activate(vec![completed(1, 7), fire(1)])), ["complete workflow: false"]);
}

workflow!(Raced, |board, input: ()| -> u32 {
    let won = workflow::select! {
        result = charge("a") => result?,
        _ = workflow::sleep(SECOND) => 0,
    };
    workflow::sleep(SECOND).await?;
    Ok(won)
});

#[test]
fn dropping_a_pending_activity_cancels_it() {
    let (mut run, commands) = Driver::start::<Raced>(());
    assert_eq!(outline(&commands), ["schedule charge 1", "start timer 1 1s"]);
    assert_eq!(outline(&run.activate(vec![fire(1)])), ["cancel activity 1", "start timer 2 1s"]);
    // What the cancelled activity still says is of no interest.
    assert_eq!(outline(&run.activate(vec![activity_cancelled(1)])), [""; 0]);
}

#[test]
fn an_activity_failure_comes_out_as_the_workflow_s_failure() {
    let (mut run, _) = Driver::start::<Charge>("visa");
    assert_eq!(outline(&run.activate(vec![failed(1, Failure::application("no money"))])), ["fail workflow: no money"]);
}

#[test]
fn a_result_that_cannot_be_decoded_fails_the_task_and_not_the_workflow() {
    let (mut run, _) = Driver::start::<Charge>("visa");
    let (cause, message) = task_failure(run.try_activate(vec![completed(1, "not a number")]));
    assert_eq!(cause, TaskFailureCause::Conversion);
    assert!(message.starts_with("Failed decoding the result of the activity called at "), "{message}");
}

workflow!(Unencodable, |board, input: ()| -> u32 {
    struct Refuses;
    impl serde::Serialize for Refuses {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("no"))
        }
    }
    const ODD: Activity<Remote, Refuses, u32> = Activity::new("odd", 1);
    Ok(workflow::activity(ODD, Refuses).start_to_close(SECOND).await?)
});

#[test]
fn arguments_that_cannot_be_encoded_fail_the_task_at_the_await() {
    let mut run = Driver::new::<Unencodable>();
    let (cause, message) = task_failure(run.try_activate(vec![initialize(&())]));
    assert_eq!(cause, TaskFailureCause::Conversion);
    assert_eq!(message, "Failed encoding a call of the activity odd");
}

#[test]
fn an_activity_that_was_never_scheduled_cannot_end() {
    let (mut run, _) = Driver::start::<Charge>("visa");
    let (cause, _) = task_failure(run.try_activate(vec![completed(2, 1)]));
    assert_eq!(cause, TaskFailureCause::NonDeterminism);
}

workflow!(NoResult, |board, input: ()| -> () {
    const QUIET: Activity<Remote, (), ()> = Activity::new("quiet", 0);
    Ok(workflow::activity(QUIET, ()).start_to_close(SECOND).await?)
});

#[test]
fn an_activity_without_a_result_gives_unit() {
    let (mut run, _) = Driver::start::<NoResult>(());
    let job = Job::ResolveActivity { seq: 1, resolution: ActivityResolution::Completed(None) };
    assert_eq!(outline(&run.activate(vec![job])), ["complete workflow: "]);
}
