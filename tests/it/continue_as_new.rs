//! Runs that continue as new.

use stead::prelude::*;
use stead::testing::Replayer;
use stead_tests::Env;

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
