use stead_activation::{Command, Job, TaskFailureCause, UpdateRequested, UpdateResponse};
use stead_data::Failure;
use stead_workflow as workflow;

use crate::support::*;

workflow!(
    Cart,
    |board, input: ()| -> u32 {
        workflow::wait_until(|| board.flag.get()).await?;
        board.note("run has ended");
        Ok(board.count.get())
    },
    [
        update!(
            "add",
            |board, n: u32| {
                if n == 0 {
                    return Err(Failure::application("nothing to add").into());
                }
                Ok(())
            },
            |board, n: u32| {
                board.count.set(board.count.get() + n);
                Ok(board.count.get())
            }
        ),
        update!("slow", |board, card: String| { Ok(charge(&card).await?) }),
        update!("finish", |board, input: ()| {
            board.flag.set(true);
            workflow::sleep(SECOND).await?;
            Ok(())
        }),
        update!("finish_now", |board, input: ()| {
            board.flag.set(true);
            workflow::wait_until(|| !board.log.with(Vec::is_empty)).await?;
            Ok("done")
        }),
        update!("break", |board, text: String| { Err::<(), _>(Failure::application(text).into()) }),
        update!("again", |board, input: ()| { workflow::continue_as_new(AGAIN, ()).exit::<()>() }),
        update!(
            "bad",
            |board, input: ()| {
                drop(charge("a").start());
                Ok(())
            },
            |board, input: ()| { Ok(()) }
        ),
        update!("boom", |board, input: ()| { panic!("in a validator") }, |board, input: ()| { Ok(()) }),
    ]
);

const AGAIN: stead_data::WorkflowFn<Cart, (), u32> = stead_data::WorkflowFn::new("Cart", 0);

#[test]
fn an_update_is_accepted_and_then_completed() {
    let (mut run, _) = Driver::start::<Cart>(());
    assert_eq!(outline(&run.activate(vec![update("u1", "add", 3)])), ["accept u1", "complete u1: 3"]);
}

#[test]
fn an_update_of_the_first_task_runs_before_run() {
    let (_, commands) = Driver::start_with::<Cart>((), vec![update("u1", "add", 3)]);
    assert_eq!(outline(&commands), ["accept u1", "complete u1: 3"]);
}

#[test]
fn an_update_may_wait() {
    let (mut run, _) = Driver::start::<Cart>(());
    assert_eq!(outline(&run.activate(vec![update("u1", "slow", "visa")])), ["accept u1", "schedule charge 1"]);
    assert_eq!(outline(&run.activate(vec![completed(1, 7)])), ["complete u1: 7"]);
}

#[test]
fn a_validator_rejects_and_the_handler_does_not_run() {
    let (mut run, _) = Driver::start::<Cart>(());
    assert_eq!(outline(&run.activate(vec![update("u1", "add", 0)])), ["reject u1: nothing to add"]);
    assert_eq!(outline(&run.activate(vec![update("u2", "add", 1)])), ["accept u2", "complete u2: 1"]);
}

#[test]
fn a_validator_does_not_run_while_replaying() {
    let (mut run, _) = Driver::start::<Cart>(());
    let Job::Update(mut request) = update("u1", "add", 0) else { unreachable!() };
    request.run_validator = false;
    assert_eq!(outline(&run.activate(vec![Job::Update(request)])), ["accept u1", "complete u1: 0"]);
}

#[test]
fn an_unknown_update_is_rejected_with_the_names_that_are_known() {
    let (mut run, _) = Driver::start::<Cart>(());
    assert_eq!(
        outline(&run.activate(vec![update("u1", "what", 0)])),
        [
            "reject u1: Update handler for 'what' expected but not found, and there is no dynamic handler. known updates: \
         [add again bad boom break finish finish_now slow]"
        ]
    );
}

#[test]
fn an_update_that_cannot_be_decoded_is_rejected() {
    let (mut run, _) = Driver::start::<Cart>(());
    let request = UpdateRequested {
        protocol_instance_id: "u1".into(),
        name: "slow".into(),
        input: vec![garbage()],
        ..UpdateRequested::default()
    };
    let commands = run.activate(vec![Job::Update(Box::new(request))]);
    assert_eq!(outline(&commands), ["reject u1: Failed decoding arguments"]);
}

#[test]
fn an_error_after_acceptance_fails_the_update_and_not_the_workflow() {
    let (mut run, _) = Driver::start::<Cart>(());
    assert_eq!(outline(&run.activate(vec![update("u1", "break", "no")])), ["accept u1", "reject u1: no"]);
    assert_eq!(outline(&run.activate(vec![update("u2", "add", 1)])), ["accept u2", "complete u2: 1"]);
}

#[test]
fn continue_as_new_in_an_update_fails_the_task() {
    let (mut run, _) = Driver::start::<Cart>(());
    let (cause, message) = task_failure(run.try_activate(vec![update("u1", "again", ())]));
    assert_eq!(cause, TaskFailureCause::WorkflowWorkerUnhandledFailure);
    assert_eq!(message, "Cannot continue as new from an update handler");
}

#[test]
fn a_validator_that_commands_something_fails_the_task() {
    let (mut run, _) = Driver::start::<Cart>(());
    let (cause, message) = task_failure(run.try_activate(vec![update("u1", "bad", ())]));
    assert_eq!(cause, TaskFailureCause::Panic);
    assert!(message.contains("While in read-only function, action attempted: schedule an activity"), "{message}");
}

#[test]
fn a_validator_that_panics_fails_the_task() {
    let (mut run, _) = Driver::start::<Cart>(());
    let (_, message) = task_failure(run.try_activate(vec![update("u1", "boom", ())]));
    assert!(message.ends_with("in a validator"), "{message}");
}

#[test]
fn an_update_that_completes_after_the_workflow_in_one_activation_is_still_answered() {
    let (mut run, _) = Driver::start::<Cart>(());
    let commands = run.activate(vec![update("u1", "finish_now", ())]);
    assert_eq!(outline(&commands), ["accept u1", "complete workflow: 0", r#"complete u1: "done""#]);
}

#[test]
fn a_workflow_that_ends_leaves_an_unfinished_update_without_further_commands() {
    let (mut run, _) = Driver::start::<Cart>(());
    let commands = run.activate(vec![update("u1", "finish", ())]);
    assert!(matches!(
        &commands[..],
        [
            Command::RespondUpdate { response: UpdateResponse::Accepted, .. },
            Command::StartTimer { .. },
            Command::CompleteWorkflow { .. }
        ]
    ));
}
