//! What an error does: to the workflow, to its task, to the caller.

use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};
use stead::prelude::*;
use stead::testing::Replayer;
use stead_tests::Env;

#[derive(Debug, thiserror::Error, PartialEq, Serialize, Deserialize, IntoFailure)]
enum BankError {
    #[error("the bank is closed")]
    #[failure(non_retryable)]
    Closed,
    #[error("{needed} needed, {available} there")]
    #[failure(non_retryable)]
    Insufficient { needed: u64, available: u64 },
}

struct Bank;

#[activities]
impl Bank {
    #[activity(errors(BankError))]
    async fn withdraw(&self, amount: u64) -> activity::Result<u64> {
        match amount {
            0 => Err(BankError::Closed.into()),
            n if n > 100 => Err(BankError::Insufficient { needed: n, available: 100 }.into()),
            n => Ok(100 - n),
        }
    }
}

#[derive(Default)]
struct Withdraws;

#[workflow]
impl Withdraws {
    #[run]
    async fn run(&self, amount: u64) -> workflow::Result<u64> {
        let left = workflow::activity(Bank::withdraw, amount).start_to_close(secs(5)).await;
        match left {
            Ok(left) => Ok(left),
            Err(error) => match error.application::<BankError>() {
                Some(BankError::Insufficient { needed, available }) => {
                    Err(BankError::Insufficient { needed, available: available + 1 }.into())
                }
                _ => Err(error.into()),
            },
        }
    }
}

#[tokio::test]
async fn typed_errors_cross_every_boundary() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Withdraws>().activities(Bank).build().unwrap();
    let id = env.id("withdraws");
    worker
        .run_while(async {
            let run = async |amount: u64| {
                let id = format!("{id}-{amount}");
                env.client.start_workflow(Withdraws::run, amount).id(id).task_queue(&env.task_queue).await.unwrap()
            };
            assert_eq!(run(30).await.result().await.unwrap(), 70);

            let insufficient = run(500).await;
            let error = insufficient.result().await.unwrap_err();
            assert_eq!(error.application(), Some(BankError::Insufficient { needed: 500, available: 101 }));
            env.replays(Replayer::new().workflow::<Withdraws>(), &insufficient, "failed").await;

            let closed = run(0).await.result().await.unwrap_err();
            assert_eq!(closed.application(), Some(BankError::Closed), "found below the activity's failure");
        })
        .await
        .unwrap();
}

static PANICS: AtomicU32 = AtomicU32::new(0);

#[derive(Default)]
struct PanicsOnce;

#[workflow]
impl PanicsOnce {
    #[run]
    async fn run(&self) -> workflow::Result<u32> {
        workflow::sleep(millis(5)).await?;
        if PANICS.fetch_add(1, Ordering::SeqCst) == 0 {
            panic!("a bug, soon fixed");
        }
        Ok(1)
    }
}

#[tokio::test]
async fn a_panic_fails_the_task_and_the_workflow_goes_on_once_it_is_fixed() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<PanicsOnce>().build().unwrap();
    let id = env.id("panics-once");
    worker
        .run_while(async {
            let workflow =
                env.client.start_workflow(PanicsOnce::run, ()).id(&id).task_queue(&env.task_queue).await.unwrap();
            assert_eq!(workflow.result().await.unwrap(), 1);
            let history = env.replays(Replayer::new().workflow::<PanicsOnce>(), &workflow, "task-failed").await;
            let json = history.to_json().unwrap();
            assert!(json.contains("EVENT_TYPE_WORKFLOW_TASK_FAILED") && json.contains("a bug, soon fixed"), "{json}");
        })
        .await
        .unwrap();
}

#[derive(Default)]
struct WantsNumber;

#[workflow]
impl WantsNumber {
    #[run]
    async fn run(&self, n: u32) -> workflow::Result<u32> {
        Ok(n)
    }
}

#[tokio::test]
async fn unknown_types_and_unreadable_input_fail_the_task_and_say_why() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<WantsNumber>().build().unwrap();
    let (unreadable, unknown) = (env.id("unreadable"), env.id("unknown"));
    worker
        .run_while(async {
            for (workflow_type, id, expected) in [
                ("WantsNumber", &unreadable, "Failed decoding arguments"),
                ("Nobody", &unknown, "is not registered on this worker"),
            ] {
                let workflow = env
                    .client
                    .start_workflow_named(workflow_type, "three")
                    .id(id)
                    .task_queue(&env.task_queue)
                    .await
                    .unwrap();
                let said = first_task_failure(&workflow).await;
                assert!(said.contains(expected), "{said}");
                workflow.terminate().await.unwrap();
            }
            let fine =
                env.client.execute_workflow(WantsNumber::run, 3).id(env.id("fine")).task_queue(&env.task_queue).await;
            assert_eq!(fine.unwrap(), 3, "other workflows are served as before");
        })
        .await
        .unwrap();
}

async fn first_task_failure<W: stead::data::WorkflowType>(workflow: &WorkflowHandle<W>) -> String {
    for _ in 0..100 {
        let json = workflow.history().await.unwrap().to_json().unwrap();
        if json.contains("EVENT_TYPE_WORKFLOW_TASK_FAILED") {
            return json;
        }
        tokio::time::sleep(millis(50)).await;
    }
    panic!("no workflow task failed");
}
