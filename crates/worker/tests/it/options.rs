//! What the options of a worker change.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use stead_client::Client;
use stead_data::{
    BoxFuture, DataConverter, ExternalStorage, Payload, SerializationContext, StorageClaim, StorageDriver, StorageError,
};
use stead_proto::enums::v1::{TaskQueueType, WorkerStatus};
use stead_proto::namespace::v1::NamespaceInfo;
use stead_proto::namespace::v1::namespace_info::Capabilities;
use stead_proto::taskqueue::v1::PollerScalingDecision;
use stead_proto::worker::v1::WorkerSlotsInfo;
use stead_proto::workflowservice::v1::{
    DescribeNamespaceResponse, PollActivityTaskQueueRequest, PollActivityTaskQueueResponse,
    PollWorkflowTaskQueueRequest, RecordActivityTaskHeartbeatRequest, RecordWorkerHeartbeatRequest,
    RespondActivityTaskCompletedRequest, RespondActivityTaskFailedRequest, RespondWorkflowTaskCompletedRequest,
    RespondWorkflowTaskFailedRequest, ShutdownWorkerRequest,
};
use stead_worker::{BuildError, Plugin, PollerBehavior, RunError, Worker};
use tokio::time::Instant;
use tonic::Code;

use crate::activities::{One, asynchronous, task};
use crate::server::Server;
use crate::workflow_tasks::{hello, nap, nap_is_over};
use crate::workflows::{Hello, Nap};

fn echo() -> One {
    asynchronous("echo", |input| Box::pin(async move { input.encode(&0) }))
}

#[tokio::test]
async fn the_ratio_says_how_many_polls_look_at_the_queue_that_workers_share() {
    for (ratio, shared, own) in [(0.5, 5, 5), (0.0, 1, 9), (1.0, 10, 1), (0.2, 2, 8)] {
        let server = Server::default();
        let client = server.client().await;
        let worker = Worker::builder(&client, "orders").workflow::<Hello>().workflow_task_pollers(10);
        let worker = worker.nonsticky_to_sticky_poll_ratio(ratio).build().expect("valid options");
        worker.run_until(server.polled(shared + own)).await.expect("was told to stop");
        let queues = server.polled_queues();
        let on_shared = queues.iter().filter(|queue| *queue == "orders").count();
        assert_eq!((on_shared, queues.len() - on_shared), (shared, own), "with a ratio of {ratio}");
    }
}

#[tokio::test(start_paused = true)]
async fn autoscaling_polls_follow_the_servers_advice() {
    let server = Server::default();
    let advised = |delta| PollActivityTaskQueueResponse {
        poller_scaling_decision: Some(PollerScalingDecision { poll_request_delta_suggestion: delta }),
        ..task("echo", [])
    };
    let client = server.client().await;
    let worker = Worker::builder(&client, "orders").activities(echo());
    let worker = worker.activity_pollers(PollerBehavior::autoscaling(1..=8, 2)).build().expect("valid options");
    let settled = async |polls| {
        // Time goes on only once everything has come to rest.
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert_eq!(server.open_polls(), polls);
    };
    let scaling = async {
        settled(2).await;
        server.activity_task(advised(3));
        settled(5).await;
        server.activity_task(advised(100));
        settled(8).await;
        server.activity_task(advised(-6));
        server.call::<RespondActivityTaskCompletedRequest>("RespondActivityTaskCompleted").await;
        // Polls that are open stay open until they end, which they do after a minute.
        tokio::time::sleep(Duration::from_secs(61)).await;
        settled(1).await;
    };
    worker.run_until(scaling).await.expect("was told to stop");
}

#[tokio::test]
async fn a_worker_with_local_activities_only_does_not_poll_for_activities() {
    let server = Server::default();
    let client = server.client().await;
    let worker = Worker::builder(&client, "orders").workflow::<Hello>().activities(echo()).local_activities_only();
    worker.build().expect("valid options").run_until(server.polled(5)).await.expect("was told to stop");
    assert_eq!(server.count("PollActivityTaskQueue"), 0);
    let told: ShutdownWorkerRequest = server.call("ShutdownWorker").await;
    assert_eq!(told.task_queue_types, [i32::from(TaskQueueType::Workflow)]);

    let nothing_to_do = Worker::builder(&client, "orders").activities(echo()).local_activities_only().build();
    let error = nothing_to_do.expect_err("no workflow would run them");
    assert!(matches!(error, BuildError::InvalidOption { option: "local_activities_only", .. }), "{error}");
}

#[tokio::test]
async fn a_worker_polls_for_the_kinds_of_tasks_that_it_can_do() {
    let server = Server::default();
    let client = server.client().await;
    let worker = Worker::builder(&client, "orders").activities(echo()).build().expect("valid options");
    worker.run_until(server.polled(5)).await.expect("was told to stop");
    assert_eq!((server.count("PollWorkflowTaskQueue"), server.polled_queues().len()), (0, 0));
    let told: ShutdownWorkerRequest = server.call("ShutdownWorker").await;
    assert_eq!(told.task_queue_types, [i32::from(TaskQueueType::Activity)]);

    let server = Server::default();
    let client = server.client().await;
    let worker = Worker::builder(&client, "orders").workflow::<Hello>().build().expect("valid options");
    worker.run_until(server.polled(5)).await.expect("was told to stop");
    assert_eq!(server.count("PollActivityTaskQueue"), 0);
}

#[tokio::test(start_paused = true)]
async fn activities_are_asked_for_at_the_workers_rate() {
    let server = Server::default();
    let client = server.client().await;
    let worker = Worker::builder(&client, "orders").activities(echo()).max_activities_per_second(2.0);
    let started = Instant::now();
    worker.build().expect("valid options").run_until(server.polled(5)).await.expect("was told to stop");
    let took = started.elapsed();
    assert!((Duration::from_secs(2)..Duration::from_millis(2100)).contains(&took), "{took:?}");
}

#[tokio::test]
async fn the_rate_of_the_task_queue_goes_with_each_poll() {
    let server = Server::default();
    let client = server.client().await;
    let worker = Worker::builder(&client, "orders").activities(echo()).max_task_queue_activities_per_second(7.5);
    worker.build().expect("valid options").run_until(server.polled(5)).await.expect("was told to stop");
    let poll: PollActivityTaskQueueRequest = server.call("PollActivityTaskQueue").await;
    assert_eq!(poll.task_queue_metadata.and_then(|it| it.max_tasks_per_second), Some(7.5));
}

#[tokio::test]
async fn a_worker_has_a_name_of_its_own_and_says_how_long_its_queue_is_waited_for() {
    let server = Server::default();
    server.workflow_task(nap("sleeps"));
    let client = server.client().await;
    let worker = Worker::builder(&client, "orders").workflow::<Nap>().identity("me");
    let worker = worker.sticky_schedule_to_start_timeout(Duration::from_secs(7)).build().expect("valid options");
    let answered = async {
        let poll: PollWorkflowTaskQueueRequest = server.call("PollWorkflowTaskQueue").await;
        assert_eq!(poll.identity, "me");
        let answer: RespondWorkflowTaskCompletedRequest = server.call("RespondWorkflowTaskCompleted").await;
        assert_eq!(answer.identity, "me");
        let sticky = answer.sticky_attributes.expect("the run stays in memory");
        assert_eq!(sticky.schedule_to_start_timeout.map(|it| (it.seconds, it.nanos)), Some((7, 0)));
        let queue = sticky.worker_task_queue.expect("the worker's own queue");
        assert!(queue.name.starts_with("me-") && queue.normal_name == "orders", "{queue:?}");
    };
    worker.run_until(answered).await.expect("was told to stop");
    assert_eq!(server.call::<ShutdownWorkerRequest>("ShutdownWorker").await.identity, "me");
}

#[tokio::test(start_paused = true)]
async fn heartbeats_of_activities_are_sent_as_often_as_the_worker_says() {
    let seconds = Duration::from_secs;
    // Without a heartbeat timeout the default counts, and never more than the maximum.
    for (default, max, expected) in [(seconds(3), seconds(60), seconds(3)), (seconds(30), seconds(2), seconds(2))] {
        let server = Server::default();
        let beats = asynchronous("beats", |input| {
            Box::pin(async move {
                stead_activity::heartbeat(&1);
                tokio::task::yield_now().await;
                stead_activity::heartbeat(&2);
                tokio::time::sleep(Duration::from_secs(10)).await;
                input.encode(&0)
            })
        });
        server.activity_task(task("beats", []));
        let client = server.client().await;
        let worker = Worker::builder(&client, "orders").activities(beats).graceful_shutdown_timeout(seconds(20));
        let worker = worker.default_heartbeat_throttle_interval(default).max_heartbeat_throttle_interval(max);
        let measured = async {
            server.call::<RecordActivityTaskHeartbeatRequest>("RecordActivityTaskHeartbeat").await;
            let first = Instant::now();
            server.call::<RecordActivityTaskHeartbeatRequest>("RecordActivityTaskHeartbeat").await;
            let between = first.elapsed();
            assert!((expected..expected + Duration::from_millis(50)).contains(&between), "{between:?}");
        };
        worker.build().expect("valid options").run_until(measured).await.expect("was told to stop");
    }
}

#[tokio::test(start_paused = true)]
async fn the_hook_hears_of_the_error_before_the_worker_shuts_down() {
    for panics in [false, true] {
        let server = Server::default();
        server.refuses("PollActivityTaskQueue", Code::PermissionDenied, "not yours");
        let client = server.client().await;
        let shut_down_before = Arc::new(AtomicUsize::new(7));
        let (seen, fake) = (Arc::clone(&shut_down_before), server.clone());
        let worker = Worker::builder(&client, "orders").activities(echo()).on_fatal_error(move |error| {
            Box::pin(async move {
                assert!(matches!(error, RunError::Poll { .. }), "{error:?}");
                tokio::time::sleep(Duration::from_secs(1)).await;
                seen.store(fake.count("ShutdownWorker"), Ordering::SeqCst);
                assert!(!panics, "on purpose");
            })
        });
        worker.build().expect("valid options").run().await.expect_err("it may not poll");
        assert_eq!((shut_down_before.load(Ordering::SeqCst), server.count("ShutdownWorker")), (0, 1));
    }
}

fn wants_heartbeats() -> DescribeNamespaceResponse {
    let capabilities = Some(Capabilities { worker_heartbeats: true, ..Default::default() });
    let namespace_info = Some(NamespaceInfo { capabilities, ..Default::default() });
    DescribeNamespaceResponse { namespace_info, ..Default::default() }
}

#[tokio::test(start_paused = true)]
async fn the_server_hears_how_a_worker_does_until_it_stops() {
    let server = Server::default();
    server.answers("DescribeNamespace", wants_heartbeats()).activity_task(task("echo", []));
    let client = server.client().await;
    let worker = Worker::builder(&client, "orders").workflow::<Hello>().activities(echo());
    let worker = worker.heartbeat_interval(Duration::from_secs(5)).build().expect("valid options");
    let heard = async {
        let _first: RecordWorkerHeartbeatRequest = server.call("RecordWorkerHeartbeat").await;
        let began = Instant::now();
        let second: RecordWorkerHeartbeatRequest = server.call("RecordWorkerHeartbeat").await;
        assert!((5_000..5_050).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
        assert_eq!((second.namespace.as_str(), second.identity.as_str()), ("shop", "tester"));
        let [heartbeat] = second.worker_heartbeat.as_slice() else { panic!("one worker: {second:?}") };
        assert_eq!((heartbeat.task_queue.as_str(), heartbeat.status()), ("orders", WorkerStatus::Running));
        assert_eq!((heartbeat.sdk_name.as_str(), heartbeat.worker_identity.as_str()), ("stead", "tester"));
        let host = heartbeat.host_info.as_ref().expect("where it runs");
        assert_eq!(host.process_id, std::process::id().to_string());
        let slots = heartbeat.activity_task_slots_info.as_ref().expect("slots of activities");
        assert_eq!((slots.current_available_slots, slots.current_used_slots), (100, 0));
        assert_eq!((slots.total_processed_tasks, slots.last_interval_processed_tasks), (1, 1));
        let polls =
            |info: &Option<stead_proto::worker::v1::WorkerPollerInfo>| info.as_ref().map(|it| it.current_pollers);
        assert_eq!(polls(&heartbeat.activity_poller_info), Some(5));
        assert_eq!(polls(&heartbeat.workflow_poller_info), Some(1));
        assert_eq!(polls(&heartbeat.workflow_sticky_poller_info), Some(4));
        heartbeat.worker_instance_key.clone()
    };
    let mut key = String::new();
    worker.run_until(async { key = heard.await }).await.expect("was told to stop");
    let told: ShutdownWorkerRequest = server.call("ShutdownWorker").await;
    let last = told.worker_heartbeat.expect("the last heartbeat");
    assert_eq!((last.status(), last.worker_instance_key), (WorkerStatus::ShuttingDown, key));
}

/// Never asked to store anything.
struct Attic;

impl StorageDriver for Attic {
    fn name(&self) -> &str {
        "attic"
    }

    fn driver_type(&self) -> &str {
        "local.folder"
    }

    fn store<'a>(
        &'a self,
        _payloads: Vec<Payload>,
        _context: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<StorageClaim>, StorageError>> {
        Box::pin(async { Err(StorageError::new("nothing here is large")) })
    }

    fn retrieve(&self, _claims: Vec<StorageClaim>) -> BoxFuture<'_, Result<Vec<Payload>, StorageError>> {
        Box::pin(async { Err(StorageError::new("nothing was stored")) })
    }
}

#[tokio::test]
async fn the_server_hears_what_failed_and_what_was_in_memory_and_what_the_machine_does() {
    let server = Server::default();
    server.answers("DescribeNamespace", wants_heartbeats());
    let storage = ExternalStorage::new(Attic);
    let client = server.client().await.with_data_converter(DataConverter::new().with_external_storage(storage));
    let fails = asynchronous("fails", |_| Box::pin(async move { Err("no".into()) }));
    let worker = Worker::builder(&client, "orders").workflow::<Hello>().workflow::<Nap>().activities(fails);
    let worker = worker.plugin(Plugin::new("listed")).heartbeat_interval(Duration::from_secs(1));
    let heard = async {
        server.activity_task(task("fails", []));
        let _: RespondActivityTaskFailedRequest = server.call("RespondActivityTaskFailed").await;
        server.workflow_task(nap("cached"));
        let _: RespondWorkflowTaskCompletedRequest = server.call("RespondWorkflowTaskCompleted").await;
        server.workflow_task(nap_is_over("cached"));
        let _: RespondWorkflowTaskCompletedRequest = server.call("RespondWorkflowTaskCompleted").await;
        // One that nobody greets panics, and one that is not in memory has no history here.
        server.workflow_task(hello("panics", "")).workflow_task(nap_is_over("elsewhere"));
        for _ in 0..2 {
            let _: RespondWorkflowTaskFailedRequest = server.call("RespondWorkflowTaskFailed").await;
        }
        loop {
            let told: RecordWorkerHeartbeatRequest = server.call("RecordWorkerHeartbeat").await;
            let heartbeat = told.worker_heartbeat.into_iter().next().expect("one worker");
            let failed = |slots: &Option<WorkerSlotsInfo>| slots.as_ref().map(|slots| slots.total_failed_tasks);
            let counts = (failed(&heartbeat.workflow_task_slots_info), failed(&heartbeat.activity_task_slots_info));
            if counts == (Some(2), Some(1)) {
                return heartbeat;
            }
        }
    };
    let mut heartbeat = None;
    let heard = async { heartbeat = Some(tokio::time::timeout(Duration::from_secs(30), heard).await) };
    worker.build().expect("valid options").run_until(heard).await.expect("was told to stop");
    let heartbeat = heartbeat.expect("it ran").expect("the server hears of all failures");
    assert_eq!((heartbeat.total_sticky_cache_hit, heartbeat.total_sticky_cache_miss), (1, 1));
    assert_eq!(heartbeat.drivers.iter().map(|it| it.r#type.as_str()).collect::<Vec<_>>(), ["local.folder"]);
    assert_eq!(heartbeat.plugins.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["listed"]);
    assert!(heartbeat.activity_poller_info.expect("polls").last_successful_poll_time.is_some());
    let host = heartbeat.host_info.expect("where it runs");
    assert!((0.0..=1.0).contains(&host.current_host_cpu_usage), "{host:?}");
    let memory = host.current_host_mem_usage;
    assert!(if cfg!(target_os = "linux") { memory > 0.0 && memory <= 1.0 } else { memory == 0.0 }, "{host:?}");
}

#[tokio::test(start_paused = true)]
async fn a_worker_keeps_silent_where_nobody_wants_to_hear_or_it_does_not_want_to_tell() {
    for (wanted, told) in [(false, Some(Duration::from_secs(1))), (true, None)] {
        let server = Server::default();
        if wanted {
            server.answers("DescribeNamespace", wants_heartbeats());
        }
        let client = server.client().await;
        let worker = Worker::builder(&client, "orders").activities(echo()).heartbeat_interval(told);
        let a_while = tokio::time::sleep(Duration::from_secs(100));
        worker.build().expect("valid options").run_until(a_while).await.expect("was told to stop");
        assert_eq!(server.count("RecordWorkerHeartbeat"), 0);
        let shutdown: ShutdownWorkerRequest = server.call("ShutdownWorker").await;
        assert!(shutdown.worker_heartbeat.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn an_activity_sees_its_worker_stop_and_has_the_grace_period_to_end() {
    let server = Server::default();
    let sees = asynchronous("sees", |input| {
        Box::pin(async move {
            let before = stead_activity::is_worker_shutdown();
            stead_activity::worker_shutdown().await;
            let is_cancelled = stead_activity::is_cancelled();
            tokio::time::sleep(Duration::from_secs(3)).await;
            input.encode(&u32::from(!before && stead_activity::is_worker_shutdown() && !is_cancelled))
        })
    });
    server.activity_task(task("sees", []));
    let client = server.client().await;
    let grace = Duration::from_secs(7);
    let worker = Worker::builder(&client, "orders").activities(sees).graceful_shutdown_timeout(grace).build();
    let until_it_runs = tokio::time::sleep(Duration::from_secs(1));
    worker.expect("valid options").run_until(until_it_runs).await.expect("was told to stop");
    let report: RespondActivityTaskCompletedRequest = server.call("RespondActivityTaskCompleted").await;
    let result = report.result.expect("a result").payloads;
    assert_eq!(DataConverter::new().from_payloads::<u32>(&result, 1).expect("a number"), 1);
}

#[tokio::test]
async fn an_activity_finds_the_client_and_the_converter_of_its_worker() {
    let server = Server::default();
    let asks = asynchronous("asks", |input| {
        Box::pin(async move {
            let client = stead_activity::extension::<Client>().expect("the worker's client");
            let converted =
                stead_activity::data_converter().to_payload(&1)? == client.data_converter().to_payload(&1)?;
            input.encode(&u32::from(converted && client.namespace() == "shop" && client.identity() == "tester"))
        })
    });
    server.activity_task(task("asks", []));
    let client = server.client().await;
    let worker = Worker::builder(&client, "orders").activities(asks).build().expect("valid options");
    let answered = async {
        let report: RespondActivityTaskCompletedRequest = server.call("RespondActivityTaskCompleted").await;
        let result = report.result.expect("a result").payloads;
        assert_eq!(DataConverter::new().from_payloads::<u32>(&result, 1).expect("a number"), 1);
    };
    worker.run_until(answered).await.expect("was told to stop");
}
