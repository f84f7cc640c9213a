//! Local activities, children and other workflows.

use std::time::SystemTime;

use stead_activation::{
    ActivityResolution, ChildWorkflowResolution, ChildWorkflowStart, Command, Job, LocalActivityBackoff,
    NexusOperationResolution, NexusOperationStart, SignalWithStartWorkflowExecutionResponse,
    StartChildWorkflowExecutionFailedCause,
};
use stead_data::{DataConverter, Failure, FailureKind, Keyword, Proto, SearchAttribute, Signal, WorkflowFn};
use stead_workflow as workflow;

use crate::support::*;

fn look(card: &str) -> workflow::LocalActivityCall<u32, workflow::Bounded> {
    workflow::local_activity(CHARGE, card).start_to_close(SECOND)
}

fn back_off(seq: u32, attempt: u32) -> Job {
    let backoff = LocalActivityBackoff { attempt, delay: SECOND * 90, original_schedule_time: SystemTime::UNIX_EPOCH };
    Job::ResolveActivity { seq, resolution: ActivityResolution::BackOff(Box::new(backoff)) }
}

workflow!(Local, |board, input: ()| -> u32 {
    let first = charge("a").start();
    let second = look("b").await?;
    Ok(first.await? + second)
});

#[test]
fn local_activities_are_numbered_with_the_others() {
    let (mut run, commands) = Driver::start::<Local>(());
    assert_eq!(outline(&commands), ["schedule charge 1", "run charge 2 attempt 1"]);
    assert_eq!(outline(&run.activate(vec![completed(2, 2), completed(1, 1)])), ["complete workflow: 3"]);
}

#[test]
fn s39_a_backoff_is_waited_for_with_a_timer_and_scheduled_again() {
    let (mut run, _) = Driver::start::<Local>(());
    assert_eq!(outline(&run.activate(vec![back_off(2, 2)])), ["start timer 1 90s"]);
    let again = run.activate(vec![fire(1)]);
    assert_eq!(outline(&again), ["run charge 3 attempt 2"]);
    let Command::ScheduleLocalActivity(request) = &again[0] else { panic!("not a local activity") };
    assert_eq!(request.original_schedule_time, Some(SystemTime::UNIX_EPOCH));
    assert_eq!((&*request.activity_id, request.arguments.len()), ("3", 1));
    assert_eq!(outline(&run.activate(vec![back_off(3, 3)])), ["start timer 2 90s"]);
    assert_eq!(outline(&run.activate(vec![fire(2)])), ["run charge 4 attempt 3"]);
    assert_eq!(outline(&run.activate(vec![completed(4, 2), completed(1, 1)])), ["complete workflow: 3"]);
}

#[test]
fn a_local_activity_that_waits_for_its_retry_is_cancelled_with_its_timer() {
    let (mut run, _) = Driver::start::<Local>(());
    run.activate(vec![back_off(2, 2)]);
    assert_eq!(outline(&run.activate(vec![cancel()])), ["cancel activity 1", "cancel timer 1", "cancel workflow"]);
}

workflow!(Detached, |board, input: bool| -> u32 {
    let handle = look("a").start();
    workflow::sleep(SECOND).await?;
    if input {
        handle.cancel();
    }
    Ok(handle.await.unwrap_or(0))
});

#[test]
fn a_detached_local_activity_is_scheduled_again_though_nobody_awaits_it() {
    let (mut run, _) = Driver::start::<Detached>(false);
    assert_eq!(outline(&run.activate(vec![back_off(1, 2)])), ["start timer 2 90s"]);
    assert_eq!(outline(&run.activate(vec![fire(2)])), ["run charge 2 attempt 2"]);
    assert_eq!(outline(&run.activate(vec![fire(1), completed(2, 7)])), ["complete workflow: 7"]);
}

#[test]
fn a_detached_local_activity_is_cancelled_by_its_handle() {
    let (mut run, _) = Driver::start::<Detached>(true);
    assert_eq!(outline(&run.activate(vec![fire(1)])), ["cancel local activity 1"]);
    assert_eq!(outline(&run.activate(vec![activity_cancelled(1)])), ["complete workflow: 0"]);
    let (mut run, _) = Driver::start::<Detached>(true);
    run.activate(vec![back_off(1, 2)]);
    assert_eq!(outline(&run.activate(vec![fire(1)])), ["cancel timer 2", "complete workflow: 0"]);
}

workflow!(Raced, |board, input: ()| -> bool {
    workflow::select! {
        _ = look("a") => Ok(false),
        _ = workflow::child(SHIP, "b") => Ok(false),
        _ = workflow::external::<Ship>("c").signal(HOLD, ()) => Ok(false),
        _ = workflow::sleep(SECOND) => {
            workflow::sleep(SECOND).await?;
            Ok(true)
        }
    }
});

struct Ship;
const SHIP: WorkflowFn<Ship, String, u32> = WorkflowFn::new("Ship", 1);
const HOLD: Signal<Ship, ()> = Signal::new("hold", 0);

#[test]
fn dropping_cancels_each_kind_of_operation() {
    let (mut run, commands) = Driver::start::<Raced>(());
    assert_eq!(
        outline(&commands),
        ["run charge 1 attempt 1", "start child Ship 1", "signal hold 1", "start timer 1 1s"]
    );
    let dropped = run.activate(vec![fire(1)]);
    assert_eq!(
        outline(&dropped),
        [
            "take back signal 1",
            "cancel child 1: the workflow that started it no longer waits for it",
            "cancel local activity 1",
            "start timer 2 1s",
        ]
    );
}

workflow!(Parent, |board, input: ()| -> u32 {
    let child = match workflow::child(SHIP, "x").start().await {
        Ok(child) => child,
        Err(error) if error.is_already_started() => return Ok(1),
        Err(error) => return Err(error.into()),
    };
    assert_eq!(child.run_id(), "run");
    child.signal(HOLD, ()).await?;
    Ok(child.result().await?)
});

fn started(seq: u32) -> Job {
    Job::ResolveChildWorkflowStart { seq, resolution: ChildWorkflowStart::Started { run_id: "run".into() } }
}

fn ended(seq: u32, resolution: ChildWorkflowResolution) -> Job {
    Job::ResolveChildWorkflow { seq, resolution }
}

fn cancelled(message: &str) -> Box<stead_activation::Failure> {
    Box::new(Failure::cancelled(message).into_proto())
}

#[test]
fn a_child_starts_is_signalled_and_gives_its_result() {
    let (mut run, commands) = Driver::start::<Parent>(());
    let Command::StartChildWorkflow(child) = &commands[0] else { panic!("not a child") };
    assert_eq!(child.workflow_id.len(), 36, "an id is made up: {}", child.workflow_id);
    assert_eq!(outline(&run.activate(vec![started(1)])), ["signal hold 1"]);
    let delivered = Job::ResolveSignalExternal { seq: 1, failure: None };
    let end = ended(1, ChildWorkflowResolution::Completed(Some(payload(&7))));
    assert_eq!(outline(&run.activate(vec![delivered, end])), ["complete workflow: 7"]);
}

#[test]
fn a_child_whose_id_is_taken_says_so() {
    let (mut run, _) = Driver::start::<Parent>(());
    let resolution = ChildWorkflowStart::Failed {
        workflow_id: "x".into(),
        workflow_type: "Ship".into(),
        cause: StartChildWorkflowExecutionFailedCause::WorkflowAlreadyExists,
    };
    let commands = run.activate(vec![Job::ResolveChildWorkflowStart { seq: 1, resolution }]);
    assert_eq!(outline(&commands), ["complete workflow: 1"]);
}

#[test]
fn cancelling_the_workflow_cancels_the_child_with_its_reason_and_waits() {
    let (mut run, _) = Driver::start::<Parent>(());
    assert_eq!(outline(&run.activate(vec![cancel()])), ["cancel child 1: enough"]);
    let resolution = ChildWorkflowStart::Cancelled(cancelled("before it started"));
    let commands = run.activate(vec![Job::ResolveChildWorkflowStart { seq: 1, resolution }]);
    assert_eq!(outline(&commands), ["cancel workflow"]);
}

workflow!(Forgetful, |board, input: ()| -> () {
    drop(workflow::child(SHIP, "x").id("ship").start().await?);
    workflow::sleep(SECOND).await?;
    Ok(())
});

#[test]
fn a_child_outlives_its_handle() {
    let (mut run, _) = Driver::start::<Forgetful>(());
    assert_eq!(outline(&run.activate(vec![started(1)])), ["start timer 1 1s"]);
    let end = ended(1, ChildWorkflowResolution::Cancelled(cancelled("by somebody")));
    assert_eq!(outline(&run.activate(vec![end, fire(1)])), ["complete workflow: "]);
}

workflow!(Cancelling, |board, input: ()| -> String {
    match workflow::external::<Ship>("order").run("r").cancel().reason("why").await {
        Ok(()) => Ok("delivered".into()),
        Err(error) => Ok(error.to_string()),
    }
});

#[test]
fn a_request_to_cancel_another_workflow_resolves_when_it_was_delivered_or_not() {
    for (failure, expected) in [
        (None, r#"complete workflow: "delivered""#),
        (
            Some(Box::new(Failure::application("it was not found").into_proto())),
            r#"complete workflow: "it was not found""#,
        ),
    ] {
        let (mut run, commands) = Driver::start::<Cancelling>(());
        assert_eq!(outline(&commands), ["cancel order 1"]);
        assert_eq!(outline(&run.activate(vec![Job::ResolveCancelExternal { seq: 1, failure }])), [expected]);
    }
}

workflow!(Sending, |board, input: ()| -> String {
    let call = workflow::signal_with_start(SHIP, "x").signal(HOLD, ()).id("ship");
    match call.await {
        Ok(ship) => Ok(format!("{} {:?}", ship.id(), ship.run_id())),
        Err(error) if error.is_cancelled() => Err(error.into()),
        Err(error) => Ok(format!("{error}; already started: {}", error.is_already_started())),
    }
});

fn operation_started(seq: u32) -> Job {
    Job::ResolveNexusOperationStart { seq, resolution: NexusOperationStart::StartedSync }
}

#[test]
fn a_signal_with_a_start_gives_the_run_that_has_got_it() {
    let (mut run, commands) = Driver::start::<Sending>(());
    assert_eq!(outline(&commands), ["signal hold or start 1"]);
    let Command::SignalWithStart(request) = &commands[0] else { panic!("not a signal with a start") };
    assert_eq!((&*request.workflow_type, &*request.workflow_id, request.arguments.len()), ("Ship", "ship", 1));
    let answer = SignalWithStartWorkflowExecutionResponse { run_id: "r".into(), ..Default::default() };
    let answer = DataConverter::new().to_payload(&Proto(answer)).expect("a message");
    let resolution = NexusOperationResolution::Completed(Some(answer));
    let ended = Job::ResolveNexusOperation { seq: 1, resolution };
    let commands = run.activate(vec![operation_started(1), ended]);
    assert_eq!(outline(&commands), [r#"complete workflow: "ship Some(\"r\")""#]);
}

#[test]
fn a_signal_with_a_start_that_cannot_be_says_why() {
    for (message, is_already_started) in
        [("WorkflowExecutionAlreadyStarted: it is there", true), ("InvalidArgument: it is too long", false)]
    {
        let (mut run, _) = Driver::start::<Sending>(());
        let mut refused = Failure::application(message);
        refused.kind = FailureKind::Server { non_retryable: true };
        let resolution = NexusOperationStart::Failed(Box::new(refused.into_proto()));
        let commands = run.activate(vec![Job::ResolveNexusOperationStart { seq: 1, resolution }]);
        let said = format!("complete workflow: \"{message}; already started: {is_already_started}\"");
        assert_eq!(outline(&commands), [said]);
    }
}

#[test]
fn cancelling_the_workflow_cancels_its_signal_with_a_start() {
    let (mut run, _) = Driver::start::<Sending>(());
    assert_eq!(outline(&run.activate(vec![cancel()])), ["cancel operation 1"]);
    let resolution = NexusOperationStart::Failed(cancelled("before it was sent"));
    let commands = run.activate(vec![Job::ResolveNexusOperationStart { seq: 1, resolution }]);
    assert_eq!(outline(&commands), ["cancel workflow"]);
}

const STATUS: SearchAttribute<Keyword> = SearchAttribute::new("Status");

workflow!(Labelled, |board, input: ()| -> (Option<String>, Option<u32>, Option<u32>) {
    workflow::upsert_search_attributes([STATUS.set("paid")]);
    workflow::upsert_memo("count", &Some(3));
    workflow::upsert_memo("other", &Some(4));
    workflow::upsert_memo("other", &None::<u32>);
    let status = workflow::search_attributes().get(STATUS).expect("a keyword");
    Ok((status, workflow::memo("count")?, workflow::memo("other")?))
});

#[test]
fn what_is_set_is_read_back_at_once() {
    let (_, commands) = Driver::start::<Labelled>(());
    assert_eq!(
        outline(&commands),
        [
            "upsert attributes Status",
            "upsert memo count",
            "upsert memo other",
            "upsert memo other",
            r#"complete workflow: ["paid",3,null]"#,
        ]
    );
}

#[test]
fn a_resolution_of_something_that_was_never_asked_for_fails_the_task() {
    let (mut run, _) = Driver::start::<Cancelling>(());
    let (cause, message) = task_failure(run.try_activate(vec![started(7)]));
    assert_eq!(cause, stead_activation::TaskFailureCause::NonDeterminism);
    assert!(message.contains("child workflow 7"), "{message}");
}
