//! Activities in processes of their own.
#![cfg(unix)]

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use stead::activity::process::{Host, Program};
use stead::prelude::*;
use stead::testing::ActivityEnv;
use stead_tests::Env;

struct Jobs;

#[activities]
impl Jobs {
    #[activity(process)]
    fn falls(how: String) -> activity::Result<u32> {
        match how.as_str() {
            "abort" => std::process::abort(),
            "exit" => std::process::exit(3),
            "panic" => panic!("over {}", "a wire"),
            other => Err(activity::Error::from(format!("by {other}"))),
        }
    }

    /// Gets a step further with each attempt.
    #[activity(process)]
    fn resumes(steps: u32) -> activity::Result<(u32, u32, String)> {
        let done = activity::heartbeat_details::<u32>()?.unwrap_or_default();
        if done < steps {
            activity::heartbeat(&(done + 1));
            std::process::abort();
        }
        Ok((std::process::id(), activity::info().attempt, activity::info().activity_type.clone()))
    }

    #[activity(process)]
    fn heeds() -> activity::Result<()> {
        activity::heartbeat(&std::process::id());
        loop {
            activity::check_cancelled()?;
            std::thread::yield_now();
        }
    }

    #[activity(process)]
    fn ignores() {
        activity::heartbeat(&std::process::id());
        loop {
            std::thread::park();
        }
    }
}

/// What the children run of this program. In any other process it does nothing.
#[test]
fn host() {
    Host::new().activities(Jobs).run();
}

fn this_program() -> Program {
    Program::current().argument("processes::host").argument("--exact").argument("--nocapture")
}

fn is_alive(process: u32) -> bool {
    Command::new("kill").args(["-0", &process.to_string()]).stderr(Stdio::null()).status().unwrap().success()
}

#[derive(Default)]
struct Falls;

#[workflow]
impl Falls {
    #[run]
    async fn run(&self) -> workflow::Result<(Vec<String>, (u32, u32, String))> {
        let mut failures = Vec::new();
        for how in ["abort", "exit", "panic", "itself"] {
            let once = RetryPolicy::default().max_attempts(1);
            let falls = workflow::activity(Jobs::falls, how.to_owned()).start_to_close(secs(60)).retry(once);
            failures.push(format!("{:?}", falls.await.unwrap_err()));
        }
        let fast = RetryPolicy::default().initial_interval(millis(1));
        let resumed = workflow::activity(Jobs::resumes, 2).start_to_close(secs(60)).heartbeat(secs(60)).retry(fast);
        Ok((failures, resumed.await?))
    }
}

#[tokio::test]
async fn an_activity_in_a_process_of_its_own_resumes_after_crashes() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Falls>().activities(Jobs).activity_extension(this_program()).build().unwrap();
    let (failures, (process, attempt, activity_type)) = worker
        .run_while(async {
            env.client.execute_workflow(Falls::run, ()).id(env.id("falls")).task_queue(&env.task_queue).await.unwrap()
        })
        .await
        .unwrap();
    let expected = [
        "activity falls ended with its process: signal: 6",
        "activity falls ended with its process: exit status: 3",
        "the activity panicked: over a wire",
        "by itself",
    ];
    for (failure, expected) in failures.iter().zip(expected) {
        assert!(failure.contains(expected), "{expected}: {failure}");
    }
    assert_eq!((attempt, activity_type.as_str()), (3, "resumes"), "each attempt found the heartbeat of the one before");
    assert_ne!(process, std::process::id());
    assert!(!is_alive(process));
}

#[stead::test]
async fn a_test_environment_runs_activities_in_processes(env: TestEnv) {
    let worker = env.worker().workflow::<Falls>().activities(Jobs);
    let _worker = worker.with(|it| it.activity_extension(this_program())).start().await.unwrap();
    let (failures, (_, attempt, _)) = env.start(Falls::run, ()).await.unwrap().result().await.unwrap();
    assert_eq!((failures.len(), attempt), (4, 3));
}

/// Cancels the attempt once it heartbeats. Returns how it ended, and its process.
async fn cancelled(activity: stead::data::Activity<Jobs, (), ()>) -> (activity::Result<()>, u32) {
    let env = ActivityEnv::new().extension(this_program().grace_period(millis(100)));
    let cancel = async {
        loop {
            if let Some(&process) = env.heartbeats::<u32>().unwrap().first() {
                assert!(is_alive(process));
                env.cancel();
                return process;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(env.run(Jobs, activity, ()), cancel)
}

#[tokio::test]
async fn a_cancellation_reaches_the_process() {
    let (ended, process) = cancelled(Jobs::heeds).await;
    assert!(ended.unwrap_err().is_cancelled());
    assert!(!is_alive(process));
}

#[tokio::test]
async fn a_process_that_does_not_heed_its_cancellation_is_killed() {
    let (ended, process) = cancelled(Jobs::ignores).await;
    assert!(ended.unwrap_err().is_cancelled());
    assert!(!is_alive(process));
}

#[tokio::test]
async fn a_program_without_a_host_is_told_of_and_ends() {
    let env = ActivityEnv::new().extension(Program::at("true"));
    let error = env.run(Jobs, Jobs::heeds, ()).await.unwrap_err().to_string();
    assert!(error.contains("`activity::process::Host::run`") && error.contains("exit status: 0"), "{error}");
    let env = ActivityEnv::new().extension(Program::at("/there/is/none"));
    let error = env.run(Jobs, Jobs::heeds, ()).await.unwrap_err().to_string();
    assert!(error.contains("activity heeds has no process"), "{error}");
}

/// The test stands in for a worker, which goes away while the activity runs.
#[test]
fn the_process_ends_when_its_worker_is_gone() {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["processes::host", "--exact", "--nocapture"])
        .env("STEAD_ACTIVITY_PROCESS", std::process::id().to_string())
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .spawn()
        .unwrap();
    let mut ready = [1; 5];
    ours.read_exact(&mut ready).unwrap();
    assert_eq!(ready, [0; 5], "an empty message says that it is ready");
    ours.write_all(b"\x0b\0\0\0\0\x0a\x07ignores\x22\0").unwrap();
    let mut heartbeat = [0; 5];
    ours.read_exact(&mut heartbeat).unwrap();
    assert_eq!(heartbeat[4], 1, "the activity runs");
    drop(ours);
    assert_eq!(child.wait().unwrap().code(), Some(1));
}
