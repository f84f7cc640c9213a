//! A worker that is killed in the middle: another one finishes its workflows.

use std::process::Stdio;

use stead_tests::Env;
use stead_tests::ferry::Ferry;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

async fn start_worker(env: &Env, cached: usize) -> Child {
    let mut worker = Command::new(env!("CARGO_BIN_EXE_ferry-worker"))
        .arg(&env.task_queue)
        .arg(cached.to_string())
        .env("STEAD_TEST_SERVER", stead_tests::server())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(worker.stdout.take().unwrap()).lines();
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("ready"));
    worker
}

async fn survives(cached: usize) {
    let env = Env::new().await;
    let id = env.id("ferry");
    let mut first = start_worker(&env, cached).await;
    let ferry = env.client.start_workflow(Ferry::run, 3).id(&id).task_queue(&env.task_queue).await.unwrap();
    ferry.signal(Ferry::board, "Ada".to_owned()).await.unwrap();
    while ferry.query(Ferry::crossings, ()).await.unwrap() == 0 {}
    first.kill().await.unwrap();

    ferry.signal(Ferry::board, "Bob".to_owned()).await.unwrap();
    let mut second = start_worker(&env, cached).await;
    assert_eq!(ferry.result().await.unwrap(), ["Ada", "Bob"]);
    second.kill().await.unwrap();
}

#[tokio::test]
async fn a_killed_worker_is_taken_over() {
    survives(100).await;
}

#[tokio::test]
async fn a_killed_worker_is_taken_over_with_the_cache_at_zero() {
    survives(0).await;
}
