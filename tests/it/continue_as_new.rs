//! Runs that continue as new.

use stead::prelude::*;
use stead::testing::Replayer;
use stead_tests::{Env, event_types};

#[derive(Default)]
struct Countdown;

#[workflow]
impl Countdown {
    #[run]
    async fn run(&self, left: u32, runs: u32) -> workflow::Result<u32> {
        if left > 0 {
            return workflow::continue_as_new(Self::run, (left - 1, runs + 1)).exit();
        }
        Ok(runs)
    }
}

#[tokio::test]
async fn a_result_is_followed_through_the_chain_of_runs() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Countdown>().build().unwrap();
    let id = env.id("countdown");
    worker
        .run_while(async {
            let workflow =
                env.client.start_workflow(Countdown::run, (3, 1)).id(&id).task_queue(&env.task_queue).await.unwrap();
            assert_eq!(workflow.result().await.unwrap(), 4);
            env.replays(Replayer::new().workflow::<Countdown>(), &workflow, "continued-as-new").await;
        })
        .await
        .unwrap();
}

#[derive(Default)]
struct Relay {
    baton: Cell<u32>,
}

#[workflow]
impl Relay {
    #[run]
    async fn run(&self, legs: Vec<String>) -> workflow::Result<(Vec<String>, Option<String>)> {
        if legs.len() < 2 {
            workflow::wait_until(|| self.baton.get() > 0).await?;
        }
        let info = workflow::info();
        let limit = info.run_timeout().map(|limit| format!("{} {limit:?}", info.attempt()));
        let note = workflow::memo::<String>("note")?;
        Ok((legs, note.or(limit)))
    }

    #[signal]
    fn pass(&self, to: String) -> workflow::Result<()> {
        workflow::continue_as_new(Self::run, vec!["first".to_owned(), to])
            .memo("note", "handed over")
            .run_timeout(mins(5))
            .exit()
    }
}

#[tokio::test]
async fn a_signal_handler_may_continue_as_new_with_options_of_its_own() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Relay>().build().unwrap();
    let id = env.id("relay");
    worker
        .run_while(async {
            let start =
                env.client.start_workflow(Relay::run, vec!["first".to_owned()]).id(&id).task_queue(&env.task_queue);
            let relay = start.memo("note", "fresh").await.unwrap();
            relay.signal(Relay::pass, "second").await.unwrap();
            let (legs, note) = relay.result().await.unwrap();
            assert_eq!(legs, ["first", "second"]);
            assert_eq!(note.as_deref(), Some("handed over"));

            let first = event_types(&relay.history().await.unwrap());
            assert_eq!(first.last(), Some(&"WORKFLOW_EXECUTION_CONTINUED_AS_NEW"), "{first:?}");
            let next = env.client.workflow::<Relay>(&id);
            let json = env.replays(Replayer::new().workflow::<Relay>(), &next, "relayed").await.to_json().unwrap();
            assert!(json.contains("\"300s\""), "{json}");
        })
        .await
        .unwrap();
}
