//! [`Inbox`]: how calls reach the thread that owns the engine.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, oneshot};

use super::waiting::Reply;
use crate::clock::{self, ClockError};
use crate::engine::{Call, CallId, Code, Refusal, Request, Response, Time};
use crate::store::Row;

/// What the driver is told.
#[derive(Debug)]
pub(super) enum Input {
    Call(Arrived),
    /// Nobody waits for the answer of this call any more.
    Abandoned(CallId),
    /// Somebody asks for the clock.
    Clock(CallId, clock::Request, oneshot::Sender<Result<Time, ClockError>>),
    /// Somebody wants to know whether everything stands still.
    Standstill(oneshot::Sender<Option<Standstill>>),
    /// The store has kept something, or cannot.
    Kept,
    /// The store has read what the engine wanted.
    Rows(Bytes, Vec<Row>),
    /// No more calls: end those that wait, keep what is to be kept, and return.
    Stop,
}

/// Nothing goes on by itself, although somebody waits for an outcome: no worker has anything to do, and no timer is left
/// to which time could be skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Standstill {
    /// How many calls have come since the server started: if there is one more, something went on.
    pub calls: u64,
    /// A worker has a workflow task that failed before. It may work on it; more often it has given it up and waits for
    /// somebody to mend the workflow.
    pub retries: bool,
}

/// A call on its way to the engine.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) call: Call,
    pub(super) request: Request,
    /// How long its caller waits from when it arrived, if it says.
    pub(super) timeout: Option<Duration>,
    pub(super) reply: Reply,
    /// Its place in the queue, free for another when the driver has taken it out.
    _place: OwnedSemaphorePermit,
}

/// How calls reach the thread that owns the engine. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Inbox {
    sender: mpsc::Sender<Input>,
    /// Bounds the calls in the queue: more wait outside.
    places: Arc<Semaphore>,
    /// Bounds the calls that are under way.
    calls: Arc<Semaphore>,
    ids: Arc<AtomicU64>,
    /// Has no permits; closed when the server stops.
    stopped: Arc<Semaphore>,
    /// The instant to which the clock was last set.
    latest: Arc<AtomicI64>,
}

impl Inbox {
    pub(super) fn new() -> (Self, mpsc::Receiver<Input>) {
        let (sender, receiver) = mpsc::channel();
        let inbox = Self {
            sender,
            places: Arc::new(Semaphore::new(QUEUE)),
            calls: Arc::new(Semaphore::new(CALLS)),
            ids: Arc::default(),
            stopped: Arc::new(Semaphore::new(0)),
            latest: Arc::default(),
        };
        (inbox, receiver)
    }

    pub(crate) fn latest(&self) -> Time {
        Time::from_unix_nanos(self.latest.load(Ordering::Acquire))
    }

    pub(super) fn set_latest(&self, now: Time) {
        self.latest.store(now.unix_nanos(), Ordering::Release);
    }

    /// Makes a call. A call that is dropped before its answer is abandoned.
    pub(super) async fn call(
        &self,
        client_name: String,
        request: Request,
        timeout: Option<Duration>,
    ) -> Result<Response, Refusal> {
        let _under_way = self.calls.try_acquire().map_err(too_many)?;
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| stopped())?;
        let id = self.next_id();
        let (reply, answer) = oneshot::channel();
        let arrived =
            Arrived { call: Call { id, client_name, patience: None }, request, timeout, reply, _place: place };
        self.send(Input::Call(arrived))?;
        let mut presence = Presence { inbox: self, call: id, answered: false };
        let answer = answer.await;
        presence.answered = true;
        answer.map_err(|_| stopped())?
    }

    /// Asks for the clock. Whoever sleeps on it and goes away sleeps no more.
    pub(crate) async fn clock(&self, request: clock::Request) -> Result<Time, ClockError> {
        let id = self.next_id();
        let (reply, answer) = oneshot::channel();
        self.send(Input::Clock(id, request, reply)).map_err(|_| ClockError::Stopped)?;
        let mut presence = Presence { inbox: self, call: id, answered: false };
        let answer = answer.await;
        presence.answered = true;
        answer.map_err(|_| ClockError::Stopped)?
    }

    /// Whether everything stands still; not if the server has stopped.
    pub(crate) async fn standstill(&self) -> Option<Standstill> {
        let (reply, answer) = oneshot::channel();
        self.tell(Input::Standstill(reply));
        answer.await.ok().flatten()
    }

    /// Tells the driver something that nobody waits for. A driver that is gone needs not know.
    pub(super) fn tell(&self, input: Input) {
        let _ = self.send(input);
    }

    /// The same for the clock.
    pub(crate) fn tell_clock(&self, request: clock::Request) {
        self.tell(Input::Clock(self.next_id(), request, oneshot::channel().0));
    }

    pub(crate) fn calls_under_way(&self) -> usize {
        CALLS - self.calls.available_permits()
    }

    /// Returns when the server stops.
    pub(super) fn stopped(&self) -> impl Future<Output = ()> + Send + use<> {
        let stopped = Arc::clone(&self.stopped);
        async move { drop(stopped.acquire().await) }
    }

    pub(super) fn stop(&self) {
        self.stopped.close();
        self.tell(Input::Stop);
    }

    fn next_id(&self) -> CallId {
        CallId(self.ids.fetch_add(1, Ordering::Relaxed))
    }

    fn send(&self, input: Input) -> Result<(), Refusal> {
        self.sender.send(input).map_err(|_| stopped())
    }
}

/// Says so when the caller goes away.
struct Presence<'a> {
    inbox: &'a Inbox,
    call: CallId,
    answered: bool,
}

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.inbox.tell(Input::Abandoned(self.call));
        }
    }
}

/// What a server that has stopped says.
pub(super) fn stopped() -> Refusal {
    Refusal::new(Code::Unavailable, "the server has stopped")
}

fn too_many(error: TryAcquireError) -> Refusal {
    match error {
        TryAcquireError::NoPermits => {
            let message = format!("{CALLS} calls are under way, which is as many as this server takes");
            Refusal::new(Code::ResourceExhausted, message)
        }
        TryAcquireError::Closed => stopped(),
    }
}

/// Calls that the driver has not looked at yet. Each may hold a request of 4 MiB.
const QUEUE: usize = 1_024;
/// Calls under way: polls, mostly.
const CALLS: usize = 100_000;
