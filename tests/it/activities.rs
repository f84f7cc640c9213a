//! Activities: arguments, retries, heartbeats, cancellation, blocking code, panics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use stead::data::FailureKind;
use stead::prelude::*;
use stead::testing::Replayer;
use stead::worker::WorkerBuilder;
use stead_tests::{Env, until_history_has};

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
            let workflow =
                env.client.start_workflow(UsesClerk::run, ()).id(&id).task_queue(&env.task_queue).await.unwrap();
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
        let error =
            workflow::activity_named::<String>("nobody", ()).start_to_close(secs(5)).retry(once).await.unwrap_err();
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
            env.client
                .execute_workflow(CallsUnknownActivity::run, ())
                .id(&id)
                .task_queue(&env.task_queue)
                .await
                .unwrap()
        })
        .await
        .unwrap();
    assert!(said.contains("NotFoundError"), "{said}");
    assert!(said.contains("`nobody`") || said.contains("nobody"), "{said}");
    assert!(said.contains("weigh"), "{said}");
}

#[derive(Clone)]
struct Site {
    name: &'static str,
    attempts: Arc<AtomicU32>,
}

impl Site {
    fn new(name: &'static str) -> Self {
        Self { name, attempts: Arc::default() }
    }
}

#[activities]
impl Site {
    #[activity]
    async fn place(&self) -> activity::Result<String> {
        Ok(self.name.to_owned())
    }

    /// Fails in the middle of the heartbeat throttle's interval, and tells how far the attempt before came.
    #[activity]
    async fn digs(&self) -> activity::Result<Option<u32>> {
        if activity::info().attempt > 1 {
            return activity::heartbeat_details();
        }
        for depth in 1..=3_u32 {
            activity::heartbeat(&depth);
        }
        Err("hit a pipe".into())
    }

    #[activity]
    async fn hangs(&self) -> activity::Result<()> {
        activity::heartbeat(&"alive");
        activity::cancelled().await;
        Err(activity::Error::cancelled())
    }

    #[activity(errors(Hazard))]
    async fn works(&self, hazard: String) -> activity::Result<()> {
        self.attempts.fetch_add(1, Ordering::SeqCst);
        match hazard.as_str() {
            "flood" => Err(Hazard::Flood.into()),
            "rain" if activity::info().attempt == 1 => Err(Hazard::Rain.into()),
            "rain" => Ok(()),
            _ => Err(std::io::Error::other(hazard).into()),
        }
    }

    #[activity]
    async fn tells(&self) -> activity::Result<Vec<String>> {
        let info = activity::info();
        let workflow = info.workflow.as_ref().expect("a workflow scheduled it");
        Ok(vec![
            info.activity_type.clone(),
            info.activity_id.clone(),
            info.namespace.clone(),
            info.task_queue.clone(),
            workflow.workflow_id.clone(),
            workflow.workflow_type.clone(),
            format!(
                "{:?} {:?} {:?}",
                info.start_to_close_timeout, info.heartbeat_timeout, info.schedule_to_close_timeout
            ),
            format!("{}", info.attempt == 1 && !info.is_local && !info.task_token.is_empty()),
            format!("{}", info.scheduled_time.is_some() && info.started_time >= info.current_attempt_scheduled_time),
            format!("{:?}", info.retry_policy.as_ref().map(|policy| policy.maximum_attempts)),
        ])
    }
}

#[derive(Debug, thiserror::Error, PartialEq, Serialize, Deserialize, IntoFailure)]
enum Hazard {
    #[error("the pit is flooded")]
    Flood,
    #[error("it rains")]
    #[failure(next_retry_delay = "1ms")]
    Rain,
}

#[derive(Default)]
struct Digs;

#[workflow]
impl Digs {
    #[run]
    async fn run(&self) -> workflow::Result<(Option<u32>, Vec<String>)> {
        let fast = RetryPolicy::default().initial_interval(millis(1));
        let dug = workflow::activity(Site::digs, ()).start_to_close(secs(5)).heartbeat(secs(5)).retry(fast).await?;
        let told = workflow::activity(Site::tells, ())
            .start_to_close(secs(5))
            .schedule_to_close(secs(9))
            .id("teller")
            .retry(RetryPolicy::default().max_attempts(3))
            .await?;
        Ok((dug, told))
    }
}

#[tokio::test]
async fn an_activity_knows_itself_and_how_far_the_attempt_before_it_came() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Digs>().activities(Site::new("here")).build().unwrap();
    let id = env.id("digs");
    let (dug, told) = worker
        .run_while(async {
            env.client.execute_workflow(Digs::run, ()).id(&id).task_queue(&env.task_queue).await.unwrap()
        })
        .await
        .unwrap();
    assert_eq!(dug, Some(3), "what the throttle held back goes out with the failure");
    let expected = [
        "tells",
        "teller",
        "default",
        &env.task_queue,
        &id,
        "Digs",
        "Some(5s) None Some(9s)",
        "true",
        "true",
        "Some(3)",
    ];
    assert_eq!(told, expected);
}

#[derive(Default)]
struct Hangs;

#[workflow]
impl Hangs {
    #[run]
    async fn run(&self) -> workflow::Result<Vec<String>> {
        let once = RetryPolicy::default().max_attempts(1);
        let (silent, slow) = workflow::join!(
            workflow::activity(Site::hangs, ()).start_to_close(secs(30)).heartbeat(millis(500)).retry(once.clone()),
            workflow::activity(Site::hangs, ()).start_to_close(millis(500)).retry(once.clone()),
        );
        let nowhere = workflow::activity(Site::hangs, ()).schedule_to_start(millis(100)).schedule_to_close(secs(9));
        let unserved = nowhere.task_queue("nobody-polls-this").retry(once).await;
        let mut kinds = Vec::new();
        for error in [silent.unwrap_err(), slow.unwrap_err(), unserved.unwrap_err()] {
            assert!(error.is_timeout());
            let cause = error.failure().cause.as_ref().expect("a timeout below the activity's failure");
            if let FailureKind::Timeout { kind, last_heartbeat_details, .. } = &cause.kind {
                kinds.push(format!("{kind:?} {}", last_heartbeat_details.len()));
            }
        }
        Ok(kinds)
    }
}

#[tokio::test]
async fn each_timeout_of_an_activity_is_told_by_its_kind() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Hangs>().activities(Site::new("here")).build().unwrap();
    let id = env.id("hangs");
    worker
        .run_while(async {
            let workflow = env.client.start_workflow(Hangs::run, ()).id(&id).task_queue(&env.task_queue).await.unwrap();
            let kinds = workflow.result().await.unwrap();
            assert_eq!(kinds, ["Heartbeat 1", "StartToClose 1", "ScheduleToStart 0"]);
            env.replays(Replayer::new().workflow::<Hangs>(), &workflow, "activity-timeouts").await;
        })
        .await
        .unwrap();
}

#[derive(Default)]
struct Works;

#[workflow]
impl Works {
    #[run]
    async fn run(&self, hazard: String) -> workflow::Result<bool> {
        let patient = RetryPolicy::default().initial_interval(mins(5)).non_retryable(["Flood", "Error"]);
        let done = workflow::activity(Site::works, hazard).start_to_close(secs(5)).retry(patient).await;
        Ok(done.is_ok())
    }
}

#[tokio::test]
async fn failures_decide_with_the_policy_whether_and_when_they_are_retried() {
    let env = Env::new().await;
    let site = Site::new("here");
    let worker = env.worker().workflow::<Works>().activities(site.clone()).build().unwrap();
    let id = env.id("works");
    worker
        .run_while(async {
            for (hazard, done, attempts) in [("flood", false, 1), ("rain", true, 2), ("fire", false, 1)] {
                site.attempts.store(0, Ordering::SeqCst);
                let start = env.client.execute_workflow(Works::run, hazard).id(format!("{id}-{hazard}"));
                assert_eq!(start.task_queue(&env.task_queue).await.unwrap(), done, "{hazard}");
                assert_eq!(site.attempts.load(Ordering::SeqCst), attempts, "{hazard}");
            }
        })
        .await
        .unwrap();
}

#[derive(Default)]
struct Visits;

#[workflow]
impl Visits {
    #[run]
    async fn run(&self, times: u32, eager: bool) -> workflow::Result<Vec<String>> {
        let mut places = Vec::new();
        for _ in 0..times {
            let call = workflow::activity(Site::place, ()).start_to_close(secs(5));
            places.push(if eager { call.await? } else { call.disable_eager().await? });
        }
        Ok(places)
    }
}

/// Where twenty activities in a row ran, with `here` beside a worker that has no workflows.
async fn places(env: &Env, here: WorkerBuilder, eager: bool) -> Vec<String> {
    let here = here.workflow::<Visits>().activities(Site::new("here")).build().unwrap();
    // Over one connection a second worker could not take these activities.
    let own = Client::connect(stead_tests::server()).await.unwrap();
    let there = Worker::builder(&own, &env.task_queue).activities(Site::new("there")).build().unwrap();
    let visits = async {
        let start = env.client.start_workflow(Visits::run, (20, eager)).id(env.id("visits"));
        let workflow = start.task_queue(&env.task_queue).await.unwrap();
        let places = workflow.result().await.unwrap();
        env.replays(Replayer::new().workflow::<Visits>(), &workflow, "visits").await;
        places
    };
    here.run_while(there.run_while(visits)).await.unwrap().unwrap()
}

#[tokio::test]
async fn eager_activities_run_where_their_workflow_does() {
    let env = Env::new().await;
    assert_eq!(places(&env, env.worker(), true).await, ["here"; 20]);
}

#[tokio::test]
async fn eager_activities_are_turned_off_by_call_or_by_worker() {
    let env = Env::new().await;
    let by_call = places(&env, env.worker(), false).await;
    assert!(by_call.contains(&"there".to_owned()), "{by_call:?}");
    let by_worker = places(&env, env.worker().disable_eager_activities(), true).await;
    assert!(by_worker.contains(&"there".to_owned()), "{by_worker:?}");
    // A limit of the task queue cannot be kept by what passes it by.
    let by_rate = places(&env, env.worker().max_task_queue_activities_per_second(1000.0), true).await;
    assert!(by_rate.contains(&"there".to_owned()), "{by_rate:?}");
}

#[derive(Default)]
struct Misreads;

#[workflow]
impl Misreads {
    #[run]
    async fn run(&self) -> workflow::Result<u32> {
        Ok(workflow::activity_named::<u32>("place", ()).start_to_close(secs(5)).await?)
    }
}

#[tokio::test]
async fn a_result_of_another_type_fails_the_task_and_says_why() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Misreads>().activities(Site::new("here")).build().unwrap();
    let id = env.id("misreads");
    worker
        .run_while(async {
            let workflow =
                env.client.start_workflow(Misreads::run, ()).id(&id).task_queue(&env.task_queue).await.unwrap();
            let json = until_history_has(&workflow, "WORKFLOW_TASK_FAILED").await.to_json().unwrap();
            assert!(json.contains("u32"), "{json}");
            workflow.terminate().await.unwrap();
        })
        .await
        .unwrap();
}

struct Archive;

#[activities]
impl Archive {
    #[activity(start_to_close = "7s", heartbeat = "5s", retry(max_attempts = 2, initial_interval = "1ms"))]
    fn fails(&self, shelf: u32) -> activity::Result<()> {
        Err(format!("shelf {shelf} is full").into())
    }
}

/// Calls as the definition says, with what the call says, and locally.
#[derive(Default)]
struct Librarian;

#[workflow]
impl Librarian {
    #[run]
    async fn run(&self) -> workflow::Result<u32> {
        let mut failed = 0;
        failed += u32::from(workflow::activity(Archive::fails, 1).await.is_err());
        let once = RetryPolicy::default().max_attempts(1);
        failed += u32::from(workflow::activity(Archive::fails, 2).start_to_close(secs(9)).retry(once).await.is_err());
        failed += u32::from(workflow::local_activity(Archive::fails, 3).await.is_err());
        Ok(failed)
    }
}

fn of_options(line: &str) -> bool {
    let is_task = line.contains("\"10s\"");
    !is_task && ["startToClose", "heartbeatTimeout", "maximumAttempts"].iter().any(|option| line.contains(option))
}

#[tokio::test]
async fn options_of_the_definition_hold_where_the_call_is_silent() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Librarian>().activities(Archive).build().unwrap();
    let work = async {
        let start = env.client.start_workflow(Librarian::run, ()).id(env.id("librarian")).task_queue(&env.task_queue);
        let run = start.await.unwrap();
        assert_eq!(run.result().await.unwrap(), 3);
        let history = env.replays(Replayer::new().workflow::<Librarian>(), &run, "activity-defaults").await;
        let json = history.to_json().unwrap();
        let lines = json.lines().map(|line| line.trim().trim_end_matches(','));
        let seen: Vec<_> = lines.filter(|line| of_options(line)).collect();
        let first = ["\"startToCloseTimeout\": \"7s\"", "\"heartbeatTimeout\": \"5s\"", "\"maximumAttempts\": 2"];
        let second = ["\"startToCloseTimeout\": \"9s\"", "\"heartbeatTimeout\": \"5s\"", "\"maximumAttempts\": 1"];
        assert_eq!(seen, [first, second].concat());
    };
    worker.run_while(work).await.unwrap();
}
