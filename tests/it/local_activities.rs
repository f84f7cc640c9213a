//! Local activities.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use stead::prelude::*;
use stead::testing::Replayer;
use stead::workflow::ActivityCancellation;
use stead_tests::{Env, event_types};
use tokio::sync::Notify;

/// Counts its calls, and does what the tests ask of it.
#[derive(Clone, Default)]
struct Prices {
    calls: Arc<AtomicU32>,
    told: Arc<Notify>,
}

#[activities]
impl Prices {
    #[activity]
    async fn look_up(&self, sku: String, quantity: u64) -> activity::Result<u64> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let info = activity::info();
        assert!(info.is_local && info.workflow.is_some());
        Ok(sku.len() as u64 * quantity)
    }

    #[activity]
    async fn fails_until(&self, attempt: u32) -> activity::Result<u32> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let current = activity::info().attempt;
        if current < attempt { Err(format!("attempt {current} fails").into()) } else { Ok(current) }
    }

    #[activity]
    async fn waits(&self) -> activity::Result<()> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        activity::cancelled().await;
        self.told.notify_one();
        Err(activity::Error::cancelled())
    }

    #[activity]
    fn blocks(&self) -> activity::Result<String> {
        Ok(std::thread::current().name().unwrap_or_default().to_owned())
    }

    #[activity]
    async fn takes(&self, how_long: std::time::Duration) -> activity::Result<u32> {
        tokio::time::sleep(how_long).await;
        Ok(self.calls.fetch_add(1, Ordering::SeqCst) + 1)
    }
}

#[derive(Default)]
struct Quote;

#[workflow]
impl Quote {
    #[run]
    async fn run(&self) -> workflow::Result<(u64, u64, bool)> {
        let one = workflow::local_activity(Prices::look_up, ("sku".to_owned(), 2)).start_to_close(secs(5)).await?;
        let (two, thread) = workflow::join!(
            workflow::local_activity(Prices::look_up, ("sku-2".to_owned(), 3)).start_to_close(secs(5)),
            workflow::local_activity(Prices::blocks, ()).schedule_to_close(secs(5)).summary("on the pool"),
        );
        let is_on_pool = !thread?.starts_with("stead-shard");
        workflow::sleep(millis(5)).await?;
        Ok((one, two?, is_on_pool))
    }
}

#[tokio::test]
async fn local_activities_run_within_the_task_and_are_not_run_again_when_replayed() {
    for cached in [1000, 0] {
        let env = Env::new().await;
        let prices = Prices::default();
        let calls = Arc::clone(&prices.calls);
        let worker = env.worker().max_cached_workflows(cached).workflow::<Quote>().activities(prices).build().unwrap();
        let work = async {
            let id = env.id("quote");
            let quote = env.client.start_workflow(Quote::run, ()).id(id).task_queue(&env.task_queue).await.unwrap();
            assert_eq!(quote.result().await.unwrap(), (6, 15, true));
            let replayer = Replayer::new().workflow::<Quote>();
            let history = env.replays(replayer, &quote, "local-activities").await;
            let markers = event_types(&history).into_iter().filter(|it| *it == "MARKER_RECORDED").count();
            assert_eq!(markers, 3);
            assert!(!event_types(&history).contains(&"ACTIVITY_TASK_SCHEDULED"));
        };
        worker.run_while(work).await.unwrap();
        assert_eq!(calls.load(Ordering::SeqCst), 2, "with a cache of {cached}");
    }
}

#[derive(Default)]
struct Retries;

#[workflow]
impl Retries {
    #[run]
    async fn run(&self, threshold: std::time::Duration) -> workflow::Result<u32> {
        let policy = RetryPolicy::default().initial_interval(millis(20)).backoff(1.0);
        Ok(workflow::local_activity(Prices::fails_until, 3)
            .start_to_close(secs(5))
            .retry(policy)
            .local_retry_threshold(threshold)
            .await?)
    }
}

#[tokio::test]
async fn retries_that_are_near_stay_in_the_task_and_those_far_away_wait_with_a_timer() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Retries>().activities(Prices::default()).build().unwrap();
    let work = async {
        for (threshold, timers, name) in [(secs(60), 0, "local-retries"), (millis(1), 2, "local-backoff")] {
            let id = env.id(name);
            let run = env.client.start_workflow(Retries::run, threshold).id(id).task_queue(&env.task_queue);
            let run = run.await.unwrap();
            assert_eq!(run.result().await.unwrap(), 3);
            let history = env.replays(Replayer::new().workflow::<Retries>(), &run, name).await;
            let started = event_types(&history).into_iter().filter(|it| *it == "TIMER_STARTED").count();
            assert_eq!(started, timers, "{name}");
        }
    };
    worker.run_while(work).await.unwrap();
}

#[derive(Default)]
struct Cancels;

#[workflow]
impl Cancels {
    #[run]
    async fn run(&self, wait: bool) -> workflow::Result<bool> {
        let kind = if wait { ActivityCancellation::WaitCancellationCompleted } else { ActivityCancellation::TryCancel };
        let handle = workflow::local_activity(Prices::waits, ()).start_to_close(secs(30)).cancellation(kind).start();
        workflow::sleep(millis(1)).await?;
        handle.cancel();
        Ok(handle.await.unwrap_err().is_cancelled())
    }
}

/// A timer ends the workflow task only once it is kept alive by a heartbeat, so the tasks of this test are short.
#[tokio::test]
async fn a_local_activity_is_cancelled() {
    let env = Env::new().await;
    let prices = Prices::default();
    let told = Arc::clone(&prices.told);
    let worker = env.worker().workflow::<Cancels>().activities(prices).build().unwrap();
    let work = async {
        for (wait, name) in [(false, "local-try-cancel"), (true, "local-wait-cancel")] {
            let start = env.client.start_workflow(Cancels::run, wait).id(env.id(name)).task_queue(&env.task_queue);
            let run = start.task_timeout(secs(1)).await.unwrap();
            assert!(run.result().await.unwrap(), "{name}");
            told.notified().await;
            env.replays(Replayer::new().workflow::<Cancels>(), &run, name).await;
        }
    };
    worker.run_while(work).await.unwrap();
}

#[derive(Default)]
struct Slow;

#[workflow]
impl Slow {
    #[run]
    async fn run(&self) -> workflow::Result<u32> {
        Ok(workflow::local_activity(Prices::takes, millis(2500)).start_to_close(secs(30)).await?)
    }
}

#[tokio::test]
async fn s20_a_local_activity_may_take_longer_than_a_workflow_task() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Slow>().activities(Prices::default()).build().unwrap();
    let work = async {
        let start = env.client.start_workflow(Slow::run, ()).id(env.id("slow")).task_queue(&env.task_queue);
        let run = start.task_timeout(secs(1)).await.unwrap();
        assert_eq!(run.result().await.unwrap(), 1, "it ran more than once");
        let history = env.replays(Replayer::new().workflow::<Slow>(), &run, "local-heartbeats").await;
        let types = event_types(&history);
        assert!(types.iter().filter(|it| **it == "WORKFLOW_TASK_COMPLETED").count() >= 3, "{types:?}");
        assert!(!types.contains(&"WORKFLOW_TASK_TIMED_OUT"), "{types:?}");
    };
    worker.run_while(work).await.unwrap();
}

#[derive(Default)]
struct Bounded;

#[workflow]
impl Bounded {
    #[run]
    async fn run(&self) -> workflow::Result<bool> {
        let once = RetryPolicy::default().max_attempts(1);
        let call = workflow::local_activity(Prices::waits, ()).start_to_close(millis(50)).retry(once);
        let attempt = call.await.unwrap_err();
        let whole = workflow::local_activity(Prices::waits, ()).schedule_to_close(millis(50)).await.unwrap_err();
        Ok(attempt.is_timeout() && whole.is_timeout())
    }
}

#[tokio::test]
async fn timeouts_of_local_activities_are_kept_by_the_worker() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Bounded>().activities(Prices::default()).build().unwrap();
    let work = async {
        let start = env.client.start_workflow(Bounded::run, ()).id(env.id("bounded")).task_queue(&env.task_queue);
        let run = start.await.unwrap();
        assert!(run.result().await.unwrap());
        env.replays(Replayer::new().workflow::<Bounded>(), &run, "local-timeouts").await;
    };
    worker.run_while(work).await.unwrap();
}
