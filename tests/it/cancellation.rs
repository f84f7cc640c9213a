//! Cancelling workflows.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use stead::prelude::*;
use stead::testing::Replayer;
use stead_tests::{Env, event_types, until_history_has};
use tokio::sync::Semaphore;

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

/// Ends in one of several ways, once its workflow has abandoned it.
struct Left {
    abandoned: Arc<Semaphore>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum End {
    Completes,
    Fails,
    TimesOut,
}

#[activities]
impl Left {
    #[activity]
    async fn ends(&self, end: End) -> activity::Result<()> {
        self.abandoned.acquire().await?.forget();
        match end {
            End::Completes => Ok(()),
            End::Fails => Err("nobody waits for this".into()),
            // Its worker ends it at the latest, when it shuts down.
            End::TimesOut => {
                activity::cancelled().await;
                Ok(())
            }
        }
    }
}

#[derive(Default)]
struct Abandons {
    leaves: Cell<bool>,
    left: Cell<bool>,
    ended: Cell<bool>,
}

#[workflow]
impl Abandons {
    #[run]
    async fn run(&self, end: End) -> workflow::Result<bool> {
        let activity = workflow::activity(Left::ends, end)
            .start_to_close(secs(if end == End::TimesOut { 2 } else { 30 }))
            .retry(RetryPolicy::default().max_attempts(1))
            .cancellation(workflow::ActivityCancellation::Abandon)
            .start();
        workflow::wait_until(|| self.leaves.get()).await?;
        activity.cancel();
        let cancelled = activity.await.unwrap_err().is_cancelled();
        self.left.set(true);
        workflow::wait_until(|| self.ended.get()).await?;
        workflow::activity(Cleaner::clean, ()).start_to_close(secs(5)).await?;
        Ok(cancelled)
    }

    #[update]
    async fn leave(&self) -> Result<(), workflow::Cancelled> {
        self.leaves.set(true);
        workflow::wait_until(|| self.left.get()).await
    }

    #[signal]
    fn ended(&self) {
        self.ended.set(true);
    }
}

async fn abandon(cached: usize) {
    let env = Env::new().await;
    let left = Left { abandoned: Arc::new(Semaphore::new(0)) };
    let abandoned = Arc::clone(&left.abandoned);
    let worker = env
        .worker()
        .workflow::<Abandons>()
        .activities(left)
        .activities(Cleaner)
        .max_cached_workflows(cached)
        .build()
        .unwrap();
    let id = env.id("abandons");
    let run = async |end: End, event: &str| {
        let start = env.client.start_workflow(Abandons::run, end).id(format!("{id}-{end:?}"));
        let workflow = start.task_queue(&env.task_queue).await.unwrap();
        until_history_has(&workflow, "ACTIVITY_TASK_SCHEDULED").await;
        workflow.update(Abandons::leave, ()).await.unwrap();
        abandoned.add_permits(1);
        until_history_has(&workflow, event).await;
        workflow.signal(Abandons::ended, ()).await.unwrap();
        assert!(workflow.result().await.unwrap());
        let name = format!("abandoned-{}", event.to_lowercase().replace('_', "-"));
        let history = env.replays(Replayer::new().workflow::<Abandons>(), &workflow, &name).await;
        let events = event_types(&history);
        assert!(!events.contains(&"ACTIVITY_TASK_CANCEL_REQUESTED"), "{events:?}");
        assert!(!events.contains(&"WORKFLOW_TASK_FAILED"), "{events:?}");
    };
    worker
        .run_while(async {
            run(End::Completes, "ACTIVITY_TASK_COMPLETED").await;
            run(End::Fails, "ACTIVITY_TASK_FAILED").await;
            run(End::TimesOut, "ACTIVITY_TASK_TIMED_OUT").await;
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn an_abandoned_activity_may_end_in_any_way() {
    abandon(100).await;
}

#[tokio::test]
async fn an_abandoned_activity_may_end_in_any_way_with_the_cache_at_zero() {
    abandon(0).await;
}

#[derive(Default)]
struct StopsClock {
    stop: Cell<bool>,
}

#[workflow]
impl StopsClock {
    #[run]
    async fn run(&self) -> workflow::Result<String> {
        let outcome = workflow::select! {
            stopped = workflow::wait_until(|| self.stop.get()) => { stopped?; "stopped" }
            rang = workflow::sleep(millis(500)) => { rang?; "rang" }
        };
        workflow::sleep(millis(5)).await?;
        Ok(outcome.to_owned())
    }

    /// Takes so long that the timer fires before the server hears that it is cancelled.
    #[signal]
    fn stop(&self) {
        workflow::nondeterministic!(std::thread::sleep(millis(700)));
        self.stop.set(true);
    }
}

#[tokio::test]
async fn a_timer_may_fire_while_it_is_cancelled() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<StopsClock>().build().unwrap();
    let id = env.id("stops-clock");
    worker
        .run_while(async {
            let clock =
                env.client.start_workflow(StopsClock::run, ()).id(&id).task_queue(&env.task_queue).await.unwrap();
            until_history_has(&clock, "TIMER_STARTED").await;
            clock.signal(StopsClock::stop, ()).await.unwrap();
            assert_eq!(clock.result().await.unwrap(), "stopped");
            let history =
                env.replays(Replayer::new().workflow::<StopsClock>(), &clock, "timer-fired-while-cancelled").await;
            assert!(!event_types(&history).contains(&"WORKFLOW_TASK_FAILED"), "{:?}", event_types(&history));
        })
        .await
        .unwrap();
}

#[derive(Default)]
struct CancelsUnsent;

#[workflow]
impl CancelsUnsent {
    #[run]
    async fn run(&self) -> workflow::Result<bool> {
        let unsent = workflow::activity(Cleaner::clean, ()).start_to_close(secs(5)).start();
        unsent.cancel();
        Ok(unsent.await.unwrap_err().is_cancelled())
    }
}

#[tokio::test]
async fn what_is_cancelled_before_it_is_sent_leaves_no_trace() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<CancelsUnsent>().workflow::<Tidy>().activities(Cleaner).build().unwrap();
    let never =
        env.client.start_workflow(Tidy::run, true).id(env.id("never")).task_queue(&env.task_queue).await.unwrap();
    never.cancel().await.unwrap();
    let id = env.id("cancels-unsent");
    worker
        .run_while(async {
            let workflow =
                env.client.start_workflow(CancelsUnsent::run, ()).id(&id).task_queue(&env.task_queue).await.unwrap();
            assert!(workflow.result().await.unwrap());
            let history = env.replays(Replayer::new().workflow::<CancelsUnsent>(), &workflow, "cancelled-unsent").await;
            assert!(!event_types(&history).contains(&"ACTIVITY_TASK_SCHEDULED"), "{:?}", event_types(&history));

            assert!(never.result().await.unwrap_err().is_cancelled(), "a workflow may be cancelled before it starts");
            let history = env.replays(Replayer::new().workflow::<Tidy>(), &never, "cancelled-at-once").await;
            assert!(event_types(&history).contains(&"WORKFLOW_EXECUTION_CANCELED"));
        })
        .await
        .unwrap();
}
