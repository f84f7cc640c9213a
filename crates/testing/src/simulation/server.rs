//! [`ServerNode`]: the process of the server, its disk, and its crashes.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use http::{Request, Response};
use stead_server::store::MemoryStore;
use stead_server::{Clock, Server, Service, Stepped};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use tower_service::Service as _;

use super::message::Message;

/// A server that crashes and comes back. What it wrote is still there then.
#[derive(Debug)]
pub(super) struct ServerNode {
    seed: u64,
    disk: MemoryStore,
    began: Instant,
    /// `None` while it is down.
    process: Mutex<Option<Stepped>>,
    /// Calls have come, or their callers have gone, or it has come back.
    changed: Notify,
}

impl ServerNode {
    pub(super) fn start(seed: u64) -> Arc<Self> {
        let node = Self {
            seed,
            disk: MemoryStore::new(),
            began: Instant::now(),
            process: Mutex::new(None),
            changed: Notify::new(),
        };
        node.come_back();
        Arc::new(node)
    }

    /// Does the server's work, life after life.
    pub(super) async fn serve(self: Arc<Self>) {
        loop {
            let idle = self.process().as_mut().and_then(Stepped::step);
            let changed = self.changed.notified();
            match idle {
                // Whichever it is, it is time to look.
                Some(idle) => drop(timeout(idle, changed).await),
                None => changed.await,
            }
        }
    }

    /// Ends the process: calls that wait break off, and what was not written is forgotten.
    pub(super) fn crash(&self) {
        drop(self.process().take());
    }

    pub(super) fn come_back(&self) {
        let clock = Clock::real().starting_at(SystemTime::UNIX_EPOCH + BEGINS + self.began.elapsed());
        let server = Server::with_store(self.disk.clone()).seed(self.seed).clock(clock);
        let process = server.stepped(|| Instant::now().into_std());
        *self.process() = Some(process.unwrap_or_else(|error| panic!("the server does not come back: {error}")));
        self.changed.notify_one();
    }

    pub(super) fn is_up(&self) -> bool {
        self.process().is_some()
    }

    /// Hands a call to the process, if there is one.
    pub(super) async fn call(&self, request: Request<Message>) -> Option<Response<Message>> {
        let mut service: Service = self.process().as_ref()?.service();
        // Dropped after the call, so that the server hears of a caller that has gone.
        let _nudge = Nudge(&self.changed);
        let mut call = pin!(service.call(request));
        let answer = std::future::poll_fn(|cx| {
            let polled = call.as_mut().poll(cx);
            self.changed.notify_one();
            polled
        });
        let Ok(answer) = answer.await;
        let (head, body) = answer.into_parts();
        Some(Response::from_parts(head, Message::read(body).await))
    }

    fn process(&self) -> MutexGuard<'_, Option<Stepped>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Nudge<'a>(&'a Notify);

impl Drop for Nudge<'_> {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// When simulated time begins: 2026-01-01, 00:00.
const BEGINS: Duration = Duration::from_secs(1_767_225_600);
