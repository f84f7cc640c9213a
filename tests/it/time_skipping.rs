//! Workflows that skip time, each on a clock of its own.

use std::time::{Duration, Instant, SystemTime};

use stead::client::{TimeSkipping, TimeSkippingError};
use stead::prelude::*;
use stead::testing::Replayer;
use stead_tests::{Env, event_types};

#[derive(Default)]
struct Sleeper {
    woken: Cell<u32>,
}

#[workflow]
impl Sleeper {
    #[run]
    async fn run(&self, nights: u32) -> workflow::Result<u64> {
        let began = workflow::now();
        for _ in 0..nights {
            workflow::sleep(days(1)).await?;
            self.woken.set(self.woken.get() + 1);
        }
        Ok(workflow::now().duration_since(began).unwrap_or_default().as_secs())
    }

    #[query]
    fn woken(&self) -> u32 {
        self.woken.get()
    }
}

#[tokio::test]
async fn a_workflow_that_skips_time_sleeps_for_days_at_once() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Sleeper>().build().unwrap();
    let start = |nights| {
        let id = env.id("sleeper");
        env.client.start_workflow(Sleeper::run, nights).id(id).task_queue(&env.task_queue)
    };
    worker
        .run_while(async {
            let began = Instant::now();
            let (skips, does_not) = tokio::join!(start(2).time_skipping(TimeSkipping::on()), start(1));
            let (skips, does_not) = (skips.unwrap(), does_not.unwrap());
            let slept = skips.result().await.unwrap();
            let two_days = 2 * 24 * 60 * 60;
            assert!((two_days..two_days + 60).contains(&slept), "{slept} s");
            assert!(began.elapsed() < Duration::from_secs(60), "in {:?}", began.elapsed());
            let history = env.replays(Replayer::new().workflow::<Sleeper>(), &skips, "time-skipped").await;
            let mut expected = vec!["WORKFLOW_EXECUTION_STARTED"];
            for _ in 0..2 {
                expected.extend(["WORKFLOW_TASK_SCHEDULED", "WORKFLOW_TASK_STARTED", "WORKFLOW_TASK_COMPLETED"]);
                expected.extend(["TIMER_STARTED", "WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED", "TIMER_FIRED"]);
            }
            expected.extend(["WORKFLOW_TASK_SCHEDULED", "WORKFLOW_TASK_STARTED", "WORKFLOW_TASK_COMPLETED"]);
            expected.push("WORKFLOW_EXECUTION_COMPLETED");
            assert_eq!(event_types(&history), expected);
            assert_eq!(does_not.query(Sleeper::woken, ()).await.unwrap(), 0, "the other one still sleeps");
            assert!(does_not.describe().await.unwrap().clock().is_none());
            does_not.terminate().await.unwrap();
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_workflow_is_fast_forwarded_and_goes_on_at_its_own_pace() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Sleeper>().build().unwrap();
    worker
        .run_while(async {
            let id = env.id("sleeper");
            let sleeper = env.client.start_workflow(Sleeper::run, 9).id(&id).task_queue(&env.task_queue).await.unwrap();
            sleeper.fast_forward(hours(60)).await.unwrap();
            assert_eq!(sleeper.query(Sleeper::woken, ()).await.unwrap(), 2);
            let clock = sleeper.describe().await.unwrap().clock().expect("a clock of its own");
            let ahead = clock.now.expect("an instant").duration_since(SystemTime::now()).expect("it is ahead");
            assert!(!clock.skips && ahead.as_secs() / 3600 >= 59, "{clock:?}");
            // It skips again when it is told to, and no more when it is told not to.
            sleeper.fast_forward(hours(24)).await.unwrap();
            assert_eq!(sleeper.query(Sleeper::woken, ()).await.unwrap(), 3);
            sleeper.set_time_skipping(TimeSkipping::off()).await.unwrap();
            assert_eq!(sleeper.query(Sleeper::woken, ()).await.unwrap(), 3);
            sleeper.set_time_skipping(TimeSkipping::on().at_most(50).not_for_children()).await.unwrap();
            assert!(sleeper.result().await.unwrap() >= 9 * 24 * 60 * 60);
            let error = sleeper.fast_forward(hours(1)).await.expect_err("it has closed");
            assert!(matches!(&error, TimeSkippingError::NotFound { workflow_id, .. } if *workflow_id == id), "{error}");
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_fast_forward_is_told_when_its_workflow_ends_first() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Sleeper>().build().unwrap();
    worker
        .run_while(async {
            let id = env.id("sleeper");
            let sleeper = env.client.start_workflow(Sleeper::run, 1).id(&id).task_queue(&env.task_queue).await.unwrap();
            let error = sleeper.fast_forward(days(3)).await.expect_err("it ends after one day");
            let TimeSkippingError::Ended { reason, .. } = &error else { panic!("{error}") };
            assert_eq!(reason, "the execution ended before the fast-forward completed");
        })
        .await
        .unwrap();
}
