//! Activities: arguments, retries, heartbeats, cancellation, blocking code, panics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use stead::prelude::*;
use stead::testing::Replayer;
use stead_tests::Env;

#[derive(Clone, Default)]
struct Clerk {
    calls: Arc<AtomicU32>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Parcel {
    weight: u32,
    label: String,
}

#[activities]
impl Clerk {
    #[activity]
    async fn weigh(&self, parcel: Parcel, scale: u32) -> activity::Result<u32> {
        Ok(parcel.weight * scale)
    }

    /// Not async: runs on the blocking pool.
    #[activity]
    fn stamp(&self, text: String) -> activity::Result<String> {
        std::thread::sleep(Duration::from_millis(5));
        Ok(format!("[{text}]"))
    }

    #[activity]
    async fn third_time_lucky(&self) -> activity::Result<u32> {
        match self.calls.fetch_add(1, Ordering::SeqCst) {
            0 => Err(std::io::Error::other("the ink is dry").into()),
            1 => panic!("dropped the stamp"),
            _ => Ok(activity::info().attempt),
        }
    }

    #[activity]
    async fn resumes(&self) -> activity::Result<u32> {
        match activity::heartbeat_details::<u32>()? {
            Some(done) => Ok(done),
            None => {
                activity::heartbeat(&7_u32);
                Err("interrupted at seven".into())
            }
        }
    }

    #[activity]
    async fn until_cancelled(&self) -> activity::Result<()> {
        loop {
            activity::heartbeat(&());
            tokio::select! {
                _ = activity::cancelled() => break,
                () = tokio::time::sleep(Duration::from_millis(50)) => {}
            }
        }
        self.calls.fetch_add(1, Ordering::SeqCst);
        Err(activity::Error::cancelled())
    }

    #[activity(name = "renamed")]
    fn original_name() -> activity::Result<String> {
        Ok("by another name".into())
    }
}

#[derive(Default)]
struct UsesClerk;

#[workflow]
impl UsesClerk {
    #[run]
    async fn run(&self) -> workflow::Result<(u32, String, u32, u32, String)> {
        let parcel = Parcel { weight: 3, label: "fragile".into() };
        let weight = workflow::activity(Clerk::weigh, (parcel, 2)).start_to_close(secs(5)).await?;
        let fast = RetryPolicy::default().initial_interval(millis(1));
        let (stamped, attempt) = workflow::join!(
            workflow::activity(Clerk::stamp, "air mail").start_to_close(secs(5)),
            workflow::activity(Clerk::third_time_lucky, ()).start_to_close(secs(5)).retry(fast.clone()),
        );
        let resumed = workflow::activity(Clerk::resumes, ())
            .start_to_close(secs(5))
            .heartbeat(secs(5))
            .retry(fast)
            .summary("resumes where the last attempt stopped")
            .await?;
        let renamed = workflow::activity(Clerk::original_name, ()).schedule_to_close(secs(5)).await?;
        Ok((weight, stamped?, attempt?, resumed, renamed))
    }
}

#[tokio::test]
async fn activities_take_arguments_retry_and_resume() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<UsesClerk>().activities(Clerk::default()).build().unwrap();
    let id = env.id("uses-clerk");
    worker
        .run_while(async {
            let workflow = env.client.start_workflow(UsesClerk::run, ()).id(&id).task_queue(&env.task_queue).await.unwrap();
            let result = workflow.result().await.unwrap();
            assert_eq!(result, (6, "[air mail]".to_owned(), 3, 7, "by another name".to_owned()));
            env.replays(Replayer::new().workflow::<UsesClerk>(), &workflow, "activities").await;
        })
        .await
        .unwrap();
}

#[derive(Default)]
struct CancelsActivity;

#[workflow]
impl CancelsActivity {
    #[run]
    async fn run(&self, wait: bool) -> workflow::Result<bool> {
        let kind = if wait {
            workflow::ActivityCancellation::WaitCancellationCompleted
        } else {
            workflow::ActivityCancellation::TryCancel
        };
        let handle = workflow::activity(Clerk::until_cancelled, ())
            .start_to_close(secs(20))
            .heartbeat(millis(300))
            .cancellation(kind)
            .start();
        workflow::sleep(millis(300)).await?;
        handle.cancel();
        Ok(handle.await.unwrap_err().is_cancelled())
    }
}

#[tokio::test]
async fn a_cancelled_activity_learns_it_by_its_heartbeat() {
    let env = Env::new().await;
    let clerk = Clerk::default();
    let worker = env.worker().workflow::<CancelsActivity>().activities(clerk.clone()).build().unwrap();
    let id = env.id("cancels-activity");
    worker
        .run_while(async {
            for (wait, name) in [(true, "activity-wait-cancelled"), (false, "activity-try-cancel")] {
                let workflow = env
                    .client
                    .start_workflow(CancelsActivity::run, wait)
                    .id(format!("{id}-{wait}"))
                    .task_queue(&env.task_queue)
                    .await
                    .unwrap();
                assert!(workflow.result().await.unwrap());
                env.replays(Replayer::new().workflow::<CancelsActivity>(), &workflow, name).await;
            }
        })
        .await
        .unwrap();
    assert!(clerk.calls.load(Ordering::SeqCst) >= 1, "the activity that is waited for saw its cancellation");
}

#[derive(Default)]
struct CallsUnknownActivity;

#[workflow]
impl CallsUnknownActivity {
    #[run]
    async fn run(&self) -> workflow::Result<String> {
        let once = RetryPolicy::default().max_attempts(1);
        let error = workflow::activity_named::<String>("nobody", ()).start_to_close(secs(5)).retry(once).await.unwrap_err();
        Ok(error.to_string() + "; " + &std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default())
    }
}

#[tokio::test]
async fn an_unregistered_activity_fails_with_the_ones_there_are() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<CallsUnknownActivity>().activities(Clerk::default()).build().unwrap();
    let id = env.id("unknown-activity");
    let said = worker
        .run_while(async {
            env.client.execute_workflow(CallsUnknownActivity::run, ()).id(&id).task_queue(&env.task_queue).await.unwrap()
        })
        .await
        .unwrap();
    assert!(said.contains("NotFoundError"), "{said}");
    assert!(said.contains("`nobody`") || said.contains("nobody"), "{said}");
    assert!(said.contains("weigh"), "{said}");
}
