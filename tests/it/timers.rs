//! Timers, waits and what runs beside them.

use stead::prelude::*;
use stead::testing::Replayer;
use stead_tests::Env;

#[derive(Default)]
pub(crate) struct Waits {
    open: Cell<bool>,
}

#[workflow]
impl Waits {
    #[run]
    async fn run(&self) -> workflow::Result<Vec<String>> {
        let mut story = Vec::new();
        let before = workflow::now();
        workflow::sleep(millis(20)).summary("a short nap").await?;
        let slept = workflow::now().duration_since(before).unwrap_or_default();
        story.push(format!("slept {}", slept >= millis(20)));

        let opened = workflow::wait_until(|| self.open.get()).timeout(millis(20)).await?;
        story.push(format!("opened {opened}"));

        workflow::select! {
            _ = workflow::sleep(millis(10)) => story.push("short".to_owned()),
            _ = workflow::sleep(hours(10)) => story.push("long".to_owned()),
        }

        let naps = [30, 10, 20].map(|ms| async move {
            workflow::sleep(millis(ms)).await?;
            workflow::Result::Ok(ms)
        });
        for nap in workflow::join_all(naps).await {
            story.push(nap?.to_string());
        }

        let task = workflow::spawn(async {
            let _ = workflow::sleep(millis(5)).await;
            workflow::uuid().to_string().len()
        });
        story.push(task.await.to_string());
        story.push((workflow::random::<u64>() == workflow::random::<u64>()).to_string());
        Ok(story)
    }

    #[signal]
    fn open(&self) {
        self.open.set(true);
    }
}

#[tokio::test]
async fn timers_fire_waits_time_out_and_losers_are_cancelled() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Waits>().build().unwrap();
    let id = env.id("waits");
    worker
        .run_while(async {
            let workflow = env.client.start_workflow(Waits::run, ()).id(&id).task_queue(&env.task_queue).await.unwrap();
            let story = workflow.result().await.unwrap();
            assert_eq!(story, ["slept true", "opened false", "short", "30", "10", "20", "36", "false"]);
            let history = env.replays(Replayer::new().workflow::<Waits>(), &workflow, "timers").await;
            let json = history.to_json().unwrap();
            assert!(json.contains("EVENT_TYPE_TIMER_CANCELED"), "the ten-hour timer was cancelled");
        })
        .await
        .unwrap();
}
