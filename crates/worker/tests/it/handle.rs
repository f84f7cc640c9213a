//! A worker that is looked at and changed while it runs.

use std::sync::Arc;
use std::time::Duration;

use stead_client::{Client, Code};
use stead_data::{DataConverter, Failure};
use stead_proto::namespace::v1::NamespaceInfo;
use stead_proto::namespace::v1::namespace_info::Capabilities;
use stead_proto::workflowservice::v1::{
    DescribeNamespaceResponse, RecordWorkerHeartbeatRequest, RespondActivityTaskCompletedRequest,
    RespondActivityTaskFailedRequest,
};
use stead_worker::{ReplaceClientError, RunError, Worker, WorkerState, serve_health};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::activities::{One, asynchronous, task};
use crate::server::Server;
use crate::workflows::Hello;

const SECOND: Duration = Duration::from_secs(1);

fn echo() -> One {
    asynchronous("echo", |input| Box::pin(async move { input.encode(&0) }))
}

/// Waits until it is let go, and says who the worker's client is then.
fn waits(gate: &Arc<Semaphore>) -> One {
    let gate = Arc::clone(gate);
    asynchronous("waits", move |input| {
        let gate = Arc::clone(&gate);
        Box::pin(async move {
            gate.acquire().await?.forget();
            let client = stead_activity::extension::<Client>().ok_or("no client")?;
            input.encode(&client.identity().to_owned())
        })
    })
}

async fn result(server: &Server) -> String {
    let report: RespondActivityTaskCompletedRequest = server.call("RespondActivityTaskCompleted").await;
    DataConverter::new().from_payloads(&report.result.expect("a result").payloads, 1).expect("a text")
}

#[tokio::test(start_paused = true)]
async fn polls_reports_heartbeats_and_activities_go_on_with_the_client_that_replaces_another() {
    let (old, new, gate) = (Server::default(), Server::default(), Arc::new(Semaphore::new(0)));
    let capabilities = Some(Capabilities { worker_heartbeats: true, ..Default::default() });
    let namespace_info = Some(NamespaceInfo { capabilities, ..Default::default() });
    new.answers("DescribeNamespace", DescribeNamespaceResponse { namespace_info, ..Default::default() });
    old.activity_task(task("waits", []));
    let (first, second) = (old.client().await, new.client().await.with_identity("second"));
    let worker = Worker::builder(&first, "orders").activities(waits(&gate)).build().expect("valid options");
    let handle = worker.handle();
    let work = async {
        old.polled(5).await;
        handle.replace_client(&second).await.expect("it is of the same namespace");
        assert_eq!(handle.client().identity(), "second");
        // Polls that are open end where they began.
        assert_eq!((old.open_polls(), new.open_polls()), (5, 0));
        gate.add_permits(1);
        assert_eq!(result(&new).await, "second", "an activity that ran already sees the new client");
        let heartbeat: RecordWorkerHeartbeatRequest = new.call("RecordWorkerHeartbeat").await;
        assert_eq!(heartbeat.worker_heartbeat.len(), 1);
        new.polled(5).await;
        assert_eq!(old.open_polls(), 0);
        new.activity_task(task("waits", []));
        gate.add_permits(1);
        assert_eq!(result(&new).await, "second");
    };
    worker.run_until(work).await.expect("was told to stop");
    assert_eq!((old.count("RespondActivityTaskCompleted"), old.count("ShutdownWorker")), (0, 0));
    assert_eq!(new.count("ShutdownWorker"), 1);
}

#[tokio::test(start_paused = true)]
async fn polls_that_fail_begin_anew_with_the_new_client_at_once() {
    let (old, new) = (Server::default(), Server::default());
    old.refuses("PollActivityTaskQueue", Code::Unauthenticated, "the key has expired");
    let (first, second) = (old.client().await, new.client().await);
    let worker = Worker::builder(&first, "orders").activities(echo()).build().expect("valid options");
    let handle = worker.handle();
    let work = async {
        // By now attempts are seconds apart.
        tokio::time::sleep(40 * SECOND).await;
        let replaced = Instant::now();
        handle.replace_client(&second).await.expect("it is of the same namespace");
        new.polled(5).await;
        assert!(replaced.elapsed() < SECOND / 10, "{:?}", replaced.elapsed());
        // The minute for which a refusal is borne with does not count on.
        tokio::time::sleep(100 * SECOND).await;
        assert_eq!(handle.health().state, WorkerState::Running);
    };
    worker.run_until(work).await.expect("was told to stop");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_fit_is_refused_and_the_worker_keeps_its_own() {
    let (old, new, away) = (Server::default(), Server::default(), Server::default());
    away.refuses("DescribeNamespace", Code::PermissionDenied, "not yours");
    let (first, second) = (old.client().await, new.client().await.with_identity("second"));
    let worker = Worker::builder(&first, "orders").activities(echo()).build().expect("valid options");
    let other = Worker::builder(&second, "orders").activities(echo()).build().expect("valid options");
    let handle = worker.handle();
    let work = async {
        old.polled(5).await;
        new.polled(5).await;
        let error = handle.replace_client(&second.with_namespace("garden")).await.expect_err("another namespace");
        assert_eq!(error.to_string(), "a worker of namespace `shop` cannot go on with a client of namespace `garden`");
        let error = handle.replace_client(&away.client().await).await.expect_err("it may not enter");
        assert!(matches!(error, ReplaceClientError::Refused { .. }), "{error:?}");
        let cause = std::error::Error::source(&error).expect("what the server said").to_string();
        assert!(cause.contains("not yours"), "{cause}");
        let error = handle.replace_client(&second).await.expect_err("there is another worker");
        let ReplaceClientError::Overlap(overlap) = &error else { panic!("{error:?}") };
        assert!(overlap.worker.starts_with("`tester`") && overlap.other.starts_with("`second`"), "{overlap}");
        assert_eq!(handle.client().identity(), "tester");
        old.activity_task(task("echo", []));
        let _: RespondActivityTaskCompletedRequest = old.call("RespondActivityTaskCompleted").await;
    };
    let (worker, other) = tokio::join!(worker.run_until(work), other.run_until(tokio::time::sleep(10 * SECOND)));
    worker.and(other).expect("both were told to stop");
}

#[tokio::test(start_paused = true)]
async fn wk_39_two_workers_do_not_take_the_same_tasks_over_one_connection() {
    let server = Server::default();
    let client = server.client().await;
    let builder = || Worker::builder(&client, "orders").activities(echo());
    let first = tokio::spawn(builder().workflow::<Hello>().build().expect("valid options").run());
    server.polled(10).await;
    let second = builder().identity("second").build().expect("valid options");
    let error = second.run().await.expect_err("somebody takes these activities");
    let RunError::Overlap(overlap) = &error else { panic!("{error:?}") };
    assert_eq!((overlap.kinds.as_slice(), overlap.task_queue.as_str()), (["activities"].as_slice(), "orders"));
    assert_eq!(overlap.namespace, "shop");
    let text = error.to_string();
    assert!(text.starts_with("Registration of multiple workers with overlapping worker task types on the same"));
    assert!(text.contains("worker `second` (") && text.contains("and worker `tester` ("), "{text}");
    assert!(text.contains("both take activities of task queue `orders` in namespace `shop`"), "{text}");
    assert_eq!(server.open_polls(), 10, "the second one never polled");

    let elsewhere = Worker::builder(&client, "other").activities(echo()).build().expect("valid options");
    let elsewhere = tokio::spawn(elsewhere.run());
    server.polled(15).await;
    let other_connection = server.client().await;
    let third = Worker::builder(&other_connection, "orders").activities(echo()).build().expect("valid options");
    let third = tokio::spawn(third.run());
    server.polled(20).await;

    first.abort();
    assert!(first.await.expect_err("it was dropped").is_cancelled());
    let next = tokio::spawn(builder().workflow::<Hello>().build().expect("valid options").run());
    server.polled(20).await;
    for running in [elsewhere, third, next] {
        running.abort();
        assert!(running.await.expect_err("it ran until it was dropped").is_cancelled());
    }
}

#[tokio::test(start_paused = true)]
async fn ac_17_activities_that_come_after_a_fatal_error_are_given_back() {
    let server = Server::default();
    server.refuses("PollWorkflowTaskQueue", Code::PermissionDenied, "not yours");
    let client = server.client().await;
    let (fake, ran) = (server.clone(), Arc::new(Semaphore::new(0)));
    let counted = Arc::clone(&ran);
    let runs = asynchronous("runs", move |input| {
        counted.add_permits(1);
        Box::pin(async move { input.encode(&0) })
    });
    let worker = Worker::builder(&client, "orders").workflow::<Hello>().activities(runs).on_fatal_error(move |_| {
        Box::pin(async move {
            fake.activity_task(task("runs", []));
            let report: RespondActivityTaskFailedRequest = fake.call("RespondActivityTaskFailed").await;
            let failure = Failure::from_proto(report.failure.expect("a failure"));
            assert_eq!(failure.message, "Worker shutting down");
            assert!(!failure.as_application().expect("an application failure").non_retryable);
        })
    });
    let worker = worker.build().expect("valid options");
    let handle = worker.handle();
    let error = worker.run().await.expect_err("it may not poll");
    assert!(matches!(error, RunError::Poll { .. }), "{error:?}");
    assert_eq!((ran.available_permits(), server.count("RespondActivityTaskFailed")), (0, 1));
    assert_eq!(handle.health().state, WorkerState::Stopped);
}

#[tokio::test(start_paused = true)]
async fn a_worker_says_how_it_does() {
    let (server, gate) = (Server::default(), Arc::new(Semaphore::new(0)));
    let client = server.client().await;
    let worker = Worker::builder(&client, "orders").activities(waits(&gate)).max_concurrent_activities(10);
    let worker = worker.build().expect("valid options");
    let handle = worker.handle();
    let before = handle.health();
    assert_eq!((before.state, before.is_healthy()), (WorkerState::Starting, false));
    let work = async {
        server.polled(5).await;
        let idle = handle.health();
        assert!(idle.is_healthy() && idle.last_error.is_none(), "{idle:?}");
        let [polls] = idle.polls.as_slice() else { panic!("it has activities alone: {idle:?}") };
        assert_eq!((polls.kind, polls.open, polls.last_success, polls.failing_for), ("activity_task", 5, None, None));
        server.activity_task(task("waits", []));
        tokio::time::sleep(3 * SECOND).await;
        let busy = handle.health();
        let [slots] = busy.slots.as_slice() else { panic!("it has activities alone: {busy:?}") };
        assert_eq!((slots.kind, slots.used, slots.available), ("activity_task", 1, Some(9)));
        let oldest = slots.oldest.as_ref().expect("a task runs");
        assert_eq!((oldest.name.as_str(), oldest.running_for.as_secs()), ("waits", 3));
        assert_eq!(busy.polls[0].last_success.map(|ago| ago.as_secs()), Some(3));
        gate.add_permits(1);
        let _ = result(&server).await;
        tokio::time::sleep(SECOND).await;
        assert!(handle.health().slots[0].oldest.is_none());

        server.refuses("PollActivityTaskQueue", Code::Unavailable, "away for lunch");
        // The polls that were open end within a minute, and what follows fails.
        tokio::time::sleep(90 * SECOND).await;
        let failing = handle.health();
        assert!(failing.is_healthy() && failing.polls[0].failing_for.is_some(), "{failing:?}");
        let error = failing.last_error.expect("something went wrong");
        assert!(error.message.contains("away for lunch"), "{error:?}");
        tokio::time::sleep(60 * SECOND).await;
        assert!(!handle.health().is_healthy(), "polls have failed for more than a minute");
        server.accepts("PollActivityTaskQueue").polled(5).await;
        server.activity_task(task("waits", []));
        gate.add_permits(1);
        let _ = result(&server).await;
        assert!(handle.health().is_healthy(), "a poll has succeeded since");
    };
    worker.run_until(work).await.expect("was told to stop");
    let after = handle.health();
    assert_eq!((after.state, after.is_healthy()), (WorkerState::Stopped, false));
}

#[tokio::test]
async fn the_health_of_workers_is_served_over_http() {
    let server = Server::default();
    let client = server.client().await;
    let worker = Worker::builder(&client, "orders").activities(echo()).build().expect("valid options");
    let endpoint = serve_health("127.0.0.1:0", [worker.handle()]).await.expect("a free port");
    let ask = async || {
        let mut stream = TcpStream::connect(endpoint.address()).await.expect("it listens");
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("it answers");
        answer
    };
    let starting = ask().await;
    assert!(starting.starts_with("HTTP/1.1 503 ") && starting.contains(r#""state":"starting""#), "{starting}");
    let work = async {
        server.polled(5).await;
        let running = ask().await;
        assert!(running.starts_with("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"), "{running}");
        for part in [
            r#""healthy":true"#,
            r#""identity":"tester""#,
            r#""task_queue":"orders""#,
            r#"{"available":100,"kind":"activity_task","oldest":null,"used":0}"#,
            r#""kind":"activity_task","open":5"#,
            r#""last_error":null"#,
        ] {
            assert!(running.contains(part), "{part} is not in {running}");
        }
    };
    worker.run_until(work).await.expect("was told to stop");
    let stopped = ask().await;
    assert!(stopped.starts_with("HTTP/1.1 503 ") && stopped.contains(r#""state":"stopped""#), "{stopped}");
}
