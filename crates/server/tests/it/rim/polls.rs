//! Calls that wait: they end on their caller's clock, and those who go away leave nothing behind.

use std::time::{Duration, Instant};

use stead_client::{Client, Code};
use stead_proto::enums::v1::HistoryEventFilterType;
use stead_server::Server;

use crate::live::{Live, calls_under_way, history_request, timeout};
use crate::support::poll_request;

#[tokio::test]
async fn a_poll_comes_back_empty_before_its_caller_gives_up() {
    let live = Live::start(Server::in_memory()).await;
    let task = live.calls.poll_workflow_task_queue(poll_request(), timeout(3)).await.unwrap();
    assert!(task.task_token.is_empty());
}

#[tokio::test]
async fn a_poll_whose_caller_waits_too_little_is_refused() {
    let live = Live::start(Server::in_memory()).await;
    let error = live.calls.poll_workflow_task_queue(poll_request(), timeout(1)).await.unwrap_err();
    assert_eq!((error.code(), error.message()), (Code::FailedPrecondition, "Context timeout is too short."));
}

#[tokio::test]
async fn a_history_is_watched_until_just_before_its_caller_gives_up() {
    let live = Live::start(Server::in_memory()).await;
    live.start_workflow("w").await.unwrap();
    let watch = |token| history_request("w", token, HistoryEventFilterType::CloseEvent);
    let page = live.calls.get_workflow_execution_history(watch(Default::default()), timeout(2)).await.unwrap();
    assert!(page.history.unwrap_or_default().events.is_empty());
    assert!(!page.next_page_token.is_empty(), "the workflow goes on");
}

#[tokio::test]
async fn a_task_goes_to_a_poll_that_is_still_there() {
    let live = Live::start(Server::in_memory()).await;
    for _ in 0..100 {
        let polls = (0..50).map(|_| {
            let calls = live.calls.clone();
            tokio::spawn(async move { calls.poll_workflow_task_queue(poll_request(), timeout(60)).await })
        });
        let polls: Vec<_> = polls.collect();
        calls_under_way(&live.server, 50).await;
        polls.iter().for_each(|poll| poll.abort());
        calls_under_way(&live.server, 0).await;
    }
    live.start_workflow("w").await.unwrap();
    assert_eq!(live.task().await.workflow_execution.unwrap().workflow_id, "w");
}

#[tokio::test]
async fn polls_of_a_connection_that_breaks_stop_nobody() {
    let server = Server::in_memory().listen(0).start().await.unwrap();
    let address = server.address().unwrap().to_string();
    for _ in 0..4 {
        let calls = Client::connect(&address).await.unwrap().connection().workflow_service();
        let polls: Vec<_> = (0..500)
            .map(|_| {
                let calls = calls.clone();
                tokio::spawn(async move { calls.poll_workflow_task_queue(poll_request(), timeout(60)).await })
            })
            .collect();
        calls_under_way(&server, 500).await;
        polls.iter().for_each(|poll| poll.abort());
        calls_under_way(&server, 0).await;
    }
    let client = Client::connect(&address).await.unwrap();
    assert_eq!(super::describe(&client, "default").await.unwrap(), "default");
}

#[tokio::test]
async fn a_server_that_stops_sends_polls_back_empty() {
    let live = Live::start(Server::in_memory().listen(0)).await;
    let remote = Client::connect(live.server.address().unwrap().to_string()).await.unwrap();
    let calls = [live.calls.clone(), remote.connection().workflow_service()];
    let polls = calls
        .map(|calls| tokio::spawn(async move { calls.poll_workflow_task_queue(poll_request(), timeout(60)).await }));
    calls_under_way(&live.server, 2).await;
    let stopped = Instant::now();
    live.server.shutdown().await;
    for poll in polls {
        assert!(poll.await.unwrap().unwrap().task_token.is_empty());
    }
    assert!(stopped.elapsed() < Duration::from_secs(30), "nobody waited for the polls' own ends");
}
