//! Cancelling workflows.

use stead::prelude::*;
use stead::testing::Replayer;
use stead_tests::Env;

struct Cleaner;

#[activities]
impl Cleaner {
    #[activity]
    async fn clean(&self) -> activity::Result<String> {
        Ok("clean".into())
    }
}

#[derive(Default)]
struct Tidy {
    cleaned: State<String>,
}

#[workflow]
impl Tidy {
    #[run]
    async fn run(&self, give_in: bool) -> workflow::Result<String> {
        let Err(cancelled) = workflow::sleep(hours(1)).await else {
            return Ok("an hour passed".into());
        };
        let cleaned = workflow::shield(async {
            workflow::sleep(millis(5)).await?;
            let clean = workflow::activity(Cleaner::clean, ()).start_to_close(secs(5)).await?;
            workflow::Result::Ok(clean)
        })
        .await?;
        self.cleaned.set(cleaned.clone());
        if give_in {
            return Err(cancelled.into());
        }
        Ok(format!("{cleaned}: {}", workflow::cancellation_reason().unwrap_or_default()))
    }
}

#[tokio::test]
async fn a_cancelled_workflow_cleans_up_and_ends_as_it_chooses() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Tidy>().activities(Cleaner).build().unwrap();
    let id = env.id("tidy");
    worker
        .run_while(async {
            let start = async |give_in: bool| {
                let id = format!("{id}-{give_in}");
                env.client.start_workflow(Tidy::run, give_in).id(id).task_queue(&env.task_queue).await.unwrap()
            };
            let stays = start(false).await;
            stays.cancel().reason("closing time").await.unwrap();
            assert_eq!(stays.result().await.unwrap(), "clean: closing time");
            env.replays(Replayer::new().workflow::<Tidy>(), &stays, "cancelled-but-completed").await;

            let leaves = start(true).await;
            leaves.cancel().await.unwrap();
            assert!(leaves.result().await.unwrap_err().is_cancelled());
            env.replays(Replayer::new().workflow::<Tidy>(), &leaves, "cancelled").await;

            let killed = start(true).await;
            killed.terminate().reason("enough").await.unwrap();
            let error = killed.result().await.unwrap_err();
            let text = format!("{:?}", stead::Error::from(error));
            assert!(text.contains("enough"), "{text}");
        })
        .await
        .unwrap();
}
