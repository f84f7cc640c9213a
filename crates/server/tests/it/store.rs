//! What a server knows after a restart, and what it says when nothing can be kept.

#[cfg(feature = "sqlite")]
mod crash;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use stead_client::Code;
use stead_server::engine::Limits;
use stead_server::store::{Batch, MemoryStore, Row, Table};
use stead_server::{Clock, Server, Store, StoreError};

use crate::live::{Live, calls_under_way, timeout};
use crate::support::{complete_workflow, poll_request, start_request};

#[tokio::test]
async fn what_was_answered_is_known_after_a_restart() {
    let store = MemoryStore::new();
    let live = Live::start(Server::with_store(store.clone())).await;
    live.start_workflow("w").await.unwrap();
    live.server.shutdown().await;
    let live = Live::start(Server::with_store(store)).await;
    assert_eq!(live.events("w").await.unwrap().len(), 2);
    live.step(vec![complete_workflow()]).await;
    live.closed("w").await;
}

#[tokio::test]
async fn the_history_of_a_closed_run_is_read_from_the_store() {
    let mut limits = Limits::default();
    limits.closed_histories = 0;
    let live = Live::start(Server::with_store(MemoryStore::new()).limits(limits)).await;
    live.start_workflow("w").await.unwrap();
    live.step(vec![complete_workflow()]).await;
    live.closed("w").await;
    assert_eq!(live.events("w").await.unwrap().len(), 5);
}

#[tokio::test]
async fn time_that_was_skipped_is_not_lost_by_a_restart() {
    let store = MemoryStore::new();
    let year = std::time::Duration::from_secs(365 * 24 * 60 * 60);
    let live = Live::start(Server::with_store(store.clone()).clock(Clock::skipping())).await;
    live.server.clock().sleep(year).await.unwrap();
    live.start_workflow("w").await.unwrap();
    let before = live.server.clock().now().await.unwrap();
    live.server.shutdown().await;
    let live = Live::start(Server::with_store(store)).await;
    let after = live.server.clock().now().await.unwrap();
    assert!(before.duration_since(after).unwrap_or_default().as_secs() < 60, "{before:?} {after:?}");
}

/// Commits when the test lets it, and counts.
struct Gate {
    open: mpsc::Receiver<()>,
    commits: Arc<AtomicUsize>,
    batches: Arc<AtomicUsize>,
}

impl Store for Gate {
    fn load(&mut self, _: &mut dyn FnMut(Row) -> ControlFlow<()>) -> Result<(), StoreError> {
        Ok(())
    }

    fn read(&mut self, _: Table, _: &[u8]) -> Result<Vec<Row>, StoreError> {
        Ok(Vec::new())
    }

    fn commit(&mut self, batches: &[Batch]) -> Result<(), StoreError> {
        // When the test has let go of the gate it stands open.
        let _ = self.open.recv();
        self.commits.fetch_add(1, Ordering::SeqCst);
        self.batches.fetch_add(batches.len(), Ordering::SeqCst);
        Ok(())
    }
}

#[tokio::test]
async fn what_gathers_during_a_commit_is_kept_with_the_next_one() {
    let (gate, open) = mpsc::channel();
    let (commits, batches) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let store = Gate { open, commits: commits.clone(), batches: batches.clone() };
    let server = Server::with_store(store).start().await.unwrap();
    let connecting = tokio::spawn(crate::live::calls(server.service()));
    calls_under_way(&server, 1).await;
    server.clock().now().await.unwrap();
    assert!(!connecting.is_finished(), "an answer does not overtake what it may depend on");
    gate.send(()).unwrap();
    let calls = connecting.await.unwrap();
    let start = |number: usize| {
        let (calls, request) = (calls.clone(), start_request(&number.to_string()));
        tokio::spawn(async move { calls.start_workflow_execution(request, timeout(60)).await })
    };
    let starts: Vec<_> = (0..100).map(start).collect();
    calls_under_way(&server, 100).await;
    server.clock().now().await.unwrap();
    drop(gate);
    for start in starts {
        start.await.unwrap().unwrap();
    }
    assert_eq!(batches.load(Ordering::SeqCst), 101, "the namespace, and each start");
    let commits = commits.load(Ordering::SeqCst);
    assert!(commits <= 3, "{commits} commits: the namespace, what came first, and the rest");
}

/// Keeps so many batches and no more.
struct Full {
    room: usize,
}

impl Store for Full {
    fn load(&mut self, _: &mut dyn FnMut(Row) -> ControlFlow<()>) -> Result<(), StoreError> {
        Ok(())
    }

    fn read(&mut self, _: Table, _: &[u8]) -> Result<Vec<Row>, StoreError> {
        Ok(Vec::new())
    }

    fn commit(&mut self, batches: &[Batch]) -> Result<(), StoreError> {
        self.room = self.room.checked_sub(batches.len()).ok_or_else(|| StoreError::new("no room in `orders.db`"))?;
        Ok(())
    }
}

#[tokio::test]
async fn a_server_that_cannot_keep_what_it_does_says_why_and_does_nothing() {
    let live = Live::start(Server::with_store(Full { room: 1 })).await;
    let poll = tokio::spawn({
        let calls = live.calls.clone();
        async move { calls.poll_workflow_task_queue(poll_request(), timeout(60)).await }
    });
    let error = live.start_workflow("w").await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    assert!(error.message().contains("no room in `orders.db`"), "{error}");
    let error = poll.await.unwrap().unwrap_err();
    assert_eq!(error.code(), Code::Unavailable, "who waits does not wait in vain");
    let error = live.events("w").await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable, "nothing that is not kept is shown");
    live.server.shutdown().await;
}
