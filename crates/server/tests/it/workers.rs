use std::time::Duration;

use stead_proto::enums::v1::WorkerStatus;
use stead_proto::worker::v1::WorkerHeartbeat;
use stead_proto::workflowservice::v1::{
    CountWorkersRequest, DescribeWorkerRequest, ListWorkersRequest, ListWorkersResponse, PollNexusTaskQueueRequest,
    RecordWorkerHeartbeatRequest, ShutdownWorkerRequest,
};
use stead_server::engine::Code;

use crate::call;
use crate::support::{NAMESPACE, Server, queue};

fn heartbeat(key: &str) -> WorkerHeartbeat {
    WorkerHeartbeat {
        worker_instance_key: key.to_owned(),
        worker_identity: format!("identity of {key}"),
        task_queue: "q".to_owned(),
        status: WorkerStatus::Running.into(),
        ..Default::default()
    }
}

fn record(heartbeats: Vec<WorkerHeartbeat>) -> RecordWorkerHeartbeatRequest {
    RecordWorkerHeartbeatRequest { namespace: NAMESPACE.to_owned(), worker_heartbeat: heartbeats, ..Default::default() }
}

fn describe(key: &str) -> DescribeWorkerRequest {
    DescribeWorkerRequest { namespace: NAMESPACE.to_owned(), worker_instance_key: key.to_owned() }
}

#[test]
fn a_worker_is_known_for_five_minutes_after_its_heartbeat() {
    let mut server = Server::new();
    call!(server, RecordWorkerHeartbeat, record(vec![heartbeat("a"), heartbeat("b")]));
    server.advance(Duration::from_secs(200));
    call!(server, RecordWorkerHeartbeat, record(vec![heartbeat("b")]));
    let info = call!(server, DescribeWorker, describe("a")).worker_info.expect("a worker");
    assert_eq!(info.worker_heartbeat, Some(heartbeat("a")));
    server.advance(Duration::from_secs(100));
    let unknown = server.try_call(describe("a")).unwrap_err();
    assert_eq!((unknown.code, unknown.message.as_str()), (Code::NotFound, "Worker a not found"));
    call!(server, DescribeWorker, describe("b"));
}

#[test]
fn a_poll_for_nexus_tasks_may_bring_heartbeats() {
    let mut server = Server::new();
    server.send(PollNexusTaskQueueRequest {
        namespace: NAMESPACE.to_owned(),
        task_queue: Some(queue()),
        worker_heartbeat: vec![heartbeat("a")],
        ..Default::default()
    });
    let info = call!(server, DescribeWorker, describe("a")).worker_info.expect("a worker");
    assert_eq!(info.worker_heartbeat, Some(heartbeat("a")));
}

#[test]
fn a_worker_that_has_shut_down_is_forgotten() {
    let mut server = Server::new();
    call!(server, RecordWorkerHeartbeat, record(vec![heartbeat("a")]));
    let last = WorkerHeartbeat { status: WorkerStatus::ShuttingDown.into(), ..heartbeat("a") };
    let shutdown = |status: WorkerStatus| ShutdownWorkerRequest {
        namespace: NAMESPACE.to_owned(),
        worker_heartbeat: Some(WorkerHeartbeat { status: status.into(), ..heartbeat("a") }),
        ..Default::default()
    };
    call!(server, ShutdownWorker, shutdown(WorkerStatus::ShuttingDown));
    let info = call!(server, DescribeWorker, describe("a")).worker_info.expect("a worker");
    assert_eq!(info.worker_heartbeat, Some(last));
    call!(server, ShutdownWorker, shutdown(WorkerStatus::Shutdown));
    assert_eq!(server.try_call(describe("a")).unwrap_err().code, Code::NotFound);
}

#[test]
fn workers_are_listed_in_pages_and_counted_by_what_is_asked_for() {
    let mut server = Server::new();
    let on = |key: &str, queue: &str| WorkerHeartbeat { task_queue: queue.to_owned(), ..heartbeat(key) };
    let system = on("s", "temporal-sys-per-ns-tq");
    let workers = vec![on("a", "q"), on("b", "other"), on("c", "q"), on("d", "q"), system];
    call!(server, RecordWorkerHeartbeat, record(workers));
    let query = "TaskQueue = 'q'".to_owned();
    let list = |page_size: i32, token: bytes::Bytes, query: String| ListWorkersRequest {
        namespace: NAMESPACE.to_owned(),
        page_size,
        next_page_token: token,
        query,
        ..Default::default()
    };
    let keys = |page: &ListWorkersResponse| {
        page.workers.iter().map(|worker| worker.worker_instance_key.clone()).collect::<Vec<_>>()
    };
    let first = call!(server, ListWorkers, list(2, bytes::Bytes::new(), query.clone()));
    assert_eq!(keys(&first), ["a", "c"]);
    assert_eq!(first.workers_info.len(), 2);
    let second = call!(server, ListWorkers, list(2, first.next_page_token, query.clone()));
    assert_eq!((keys(&second), second.next_page_token.len()), (vec!["d".to_owned()], 0));
    let mut count = |query: &str, include_system_workers| {
        let namespace = NAMESPACE.to_owned();
        let request = CountWorkersRequest { namespace, query: query.to_owned(), include_system_workers };
        call!(server, CountWorkers, request).count
    };
    assert_eq!((count(&query, false), count("", false), count("", true)), (3, 4, 5));
    let malformed = server.try_call(list(0, bytes::Bytes::new(), "TaskQueue =".to_owned())).unwrap_err();
    assert!(malformed.message.starts_with("malformed query: "), "{malformed:?}");
}
