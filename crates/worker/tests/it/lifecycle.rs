//! How a worker starts, and how it stops.

use std::error::Error;
use std::time::Duration;

use stead_data::Failure;
use stead_proto::workflowservice::v1::{RespondActivityTaskFailedRequest, ShutdownWorkerRequest};
use stead_worker::{BuildError, RunError, Worker};
use tokio::time::Instant;
use tonic::Code;

use crate::activities::{One, asynchronous, task};
use crate::server::Server;
use crate::workflows::{Hello, Twin};

fn echo() -> One {
    asynchronous("echo", |input| Box::pin(async move { input.encode(&0) }))
}

#[tokio::test]
async fn what_cannot_work_is_refused_before_it_starts() {
    let client = Server::default().client().await;
    let builder = || Worker::builder(&client, "orders");
    let refused = |built: Result<Worker, BuildError>| built.expect_err("must be refused");

    assert_eq!(refused(builder().build()), BuildError::NothingRegistered);
    assert_eq!(refused(Worker::builder(&client, "").workflow::<Hello>().build()), BuildError::NoTaskQueue);
    let twice = refused(builder().workflow::<Hello>().workflow::<Twin>().build());
    assert_eq!(twice.to_string(), "More than one workflow named Hello");
    let twice = refused(builder().activities(echo()).activities(echo()).build());
    assert_eq!(twice.to_string(), "More than one activity named echo");
    let zero = refused(builder().workflow::<Hello>().max_concurrent_workflow_tasks(0).build());
    assert_eq!(zero.to_string(), "`max_concurrent_workflow_tasks` must be at least 1, and at least 2 with a cache");
}

#[tokio::test]
async fn a_namespace_that_does_not_exist_is_an_error_at_once() {
    let server = Server::default();
    server.refuses("DescribeNamespace", Code::NotFound, "Namespace shop is not found.");
    let client = server.client().await;
    let worker = Worker::builder(&client, "orders").activities(echo()).build().expect("valid options");
    let error = worker.run().await.expect_err("there is no namespace");
    assert!(matches!(error, RunError::Start { .. }), "{error:?}");
    assert_eq!(error.to_string(), "worker for task queue `orders` cannot start in namespace `shop`");
    let cause = error.source().expect("what the server said").to_string();
    assert!(cause.contains("Namespace shop is not found."), "{cause}");
    assert_eq!(server.count("PollActivityTaskQueue"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_may_not_poll_for_a_minute_stops_with_an_error() {
    let server = Server::default();
    server.refuses("PollActivityTaskQueue", Code::PermissionDenied, "not yours");
    let client = server.client().await;
    let worker = Worker::builder(&client, "orders").activities(echo()).build().expect("valid options");
    let started = Instant::now();
    let error = worker.run().await.expect_err("it may not poll");
    assert!(matches!(error, RunError::Poll { .. }), "{error:?}");
    assert!(started.elapsed() >= Duration::from_secs(60), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn s57_polls_end_when_the_worker_says_that_it_shuts_down() {
    let server = Server::default();
    let client = server.client().await;
    let worker = Worker::builder(&client, "orders").activities(echo()).build().expect("valid options");
    let stop = worker.shutdown_handle();
    let running = tokio::spawn(worker.run());
    server.polled(5).await;

    let told = Instant::now();
    stop.shutdown();
    stop.shutdown();
    running.await.expect("does not panic").expect("was told to stop");
    assert_eq!((server.open_polls(), told.elapsed()), (0, Duration::ZERO));
    assert_eq!(server.count("ShutdownWorker"), 1);
}

#[tokio::test]
async fn s57_the_server_is_told_which_queues_the_worker_leaves() {
    let server = Server::default();
    let client = server.client().await;
    let worker = Worker::builder(&client, "orders").workflow::<Hello>().activities(echo()).build();
    worker.expect("valid options").run_until(server.polled(10)).await.expect("was told to stop");
    let told: ShutdownWorkerRequest = server.call("ShutdownWorker").await;
    assert_eq!((told.task_queue.as_str(), told.task_queue_types.len()), ("orders", 2));
    let own: Vec<_> = server.polled_queues().into_iter().filter(|queue| *queue == told.sticky_task_queue).collect();
    assert_eq!(own.len(), 4, "four of five pollers look at the worker's own queue");
}

#[tokio::test(start_paused = true)]
async fn polls_that_the_server_does_not_end_are_dropped() {
    let server = Server::default();
    server.refuses("ShutdownWorker", Code::Unimplemented, "an old server");
    let client = server.client().await;
    let worker = Worker::builder(&client, "orders").activities(echo()).build().expect("valid options");
    worker.run_until(server.polled(5)).await.expect("was told to stop");
    assert_eq!(server.open_polls(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_activity_gets_its_grace_and_is_then_retried_elsewhere() {
    let server = Server::default();
    let stubborn = asynchronous("stubborn", |_input| Box::pin(std::future::pending()));
    server.activity_task(task("stubborn", []));
    let client = server.client().await;
    let grace = Duration::from_secs(7);
    let worker = Worker::builder(&client, "orders").activities(stubborn).graceful_shutdown_timeout(grace).build();
    let mut told = Instant::now();
    let until_it_runs = async {
        while server.count("PollActivityTaskQueue") < 6 {
            tokio::task::yield_now().await;
        }
        told = Instant::now();
    };
    worker.expect("valid options").run_until(until_it_runs).await.expect("was told to stop");
    let waited = told.elapsed();
    assert!((Duration::from_secs(17)..Duration::from_secs(18)).contains(&waited), "{waited:?}");

    let report: RespondActivityTaskFailedRequest = server.call("RespondActivityTaskFailed").await;
    let failure = Failure::from_proto(report.failure.expect("a failure"));
    let (_, application) = failure.find_application().expect("an application failure");
    assert_eq!((application.type_name.as_str(), application.non_retryable), ("WorkerShutdown", false));
}

#[tokio::test(start_paused = true)]
async fn an_activity_that_ends_within_the_grace_is_reported_as_it_ended() {
    let server = Server::default();
    let slow = asynchronous("slow", |input| {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_secs(3)).await;
            input.encode(&1)
        })
    });
    server.activity_task(task("slow", []));
    let client = server.client().await;
    let grace = Duration::from_secs(7);
    let worker = Worker::builder(&client, "orders").activities(slow).graceful_shutdown_timeout(grace).build();
    let until_it_runs = async {
        while server.count("PollActivityTaskQueue") < 6 {
            tokio::task::yield_now().await;
        }
    };
    worker.expect("valid options").run_until(until_it_runs).await.expect("was told to stop");
    assert_eq!(server.count("RespondActivityTaskCompleted"), 1);
}
