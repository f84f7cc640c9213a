//! [`Network`]: what lies between clients, workers and the server.

use std::convert::Infallible;
use std::fmt;
use std::future::pending;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use tokio::time::{Instant, sleep};

use super::faults::{Fate, Faults, Loss};
use super::message::{Message, unavailable};
use super::record::Record;
use super::rng::Rng;
use super::server::ServerNode;

/// What lies between clients, workers and the server, and sees all that is said. Cheap to clone.
#[derive(Clone)]
pub(super) struct Network(Arc<Shared>);

struct Shared {
    server: Arc<ServerNode>,
    began: Instant,
    state: Mutex<State>,
}

struct State {
    rng: Rng,
    /// `None`: nothing goes wrong.
    faults: Option<Faults>,
    trace: Vec<String>,
    record: Record,
    calls: u64,
    lost: u64,
}

/// A process that calls the server, for one of its lives.
#[derive(Clone)]
pub(super) struct Node {
    network: Network,
    name: Arc<str>,
    alive: Arc<AtomicBool>,
}

/// A call on its way.
struct Call {
    number: u64,
    method: String,
    fate: Fate,
}

impl Network {
    pub(super) fn new(server: Arc<ServerNode>, rng: Rng) -> Self {
        let state = State { rng, faults: None, trace: Vec::new(), record: Record::default(), calls: 0, lost: 0 };
        Self(Arc::new(Shared { server, began: Instant::now(), state: Mutex::new(state) }))
    }

    pub(super) fn node(&self, name: &str) -> Node {
        Node { network: self.clone(), name: name.into(), alive: Arc::new(AtomicBool::new(true)) }
    }

    pub(super) fn set_faults(&self, faults: Option<Faults>) {
        self.state().faults = faults;
    }

    /// Adds a line to the trace.
    pub(super) fn note(&self, what: fmt::Arguments<'_>) {
        let line = format!("{:>9.3}s {what}", self.0.began.elapsed().as_secs_f64());
        self.state().trace.push(line);
    }

    pub(super) fn trace(&self) -> Vec<String> {
        self.state().trace.clone()
    }

    /// Calls, and messages that were lost.
    pub(super) fn counts(&self) -> (u64, u64) {
        let state = self.state();
        (state.calls, state.lost)
    }

    pub(super) fn record(&self) -> Record {
        self.state().record.clone()
    }

    fn begin(&self, node: &Node, method: &str, request: &Message) -> Call {
        let call = {
            let mut state = self.state();
            let State { rng, faults, record, calls, lost, .. } = &mut *state;
            *calls += 1;
            record.sent(method, &request.content());
            let fate = Fate::draw(rng, faults.as_ref());
            *lost += u64::from(fate.loss.is_some());
            Call { number: *calls, method: method.to_owned(), fate }
        };
        self.note(format_args!("#{} {} {method} {}", call.number, node.name, call.fate));
        call
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Node {
    /// Ends the process: it says nothing any more, and hears nothing.
    pub(super) fn kill(&self) {
        self.alive.store(false, Ordering::Relaxed);
    }

    /// Tasks of a process that is dead go nowhere.
    async fn while_alive(&self) {
        if !self.alive.load(Ordering::Relaxed) {
            pending().await
        }
    }

    async fn carry<B: http_body::Body<Data = Bytes>>(self, request: Request<B>) -> Response<Message> {
        self.while_alive().await;
        let (head, body) = request.into_parts();
        let request = Message::read(body).await;
        let method = head.uri.path().rsplit('/').next().unwrap_or_default();
        let call = self.network.begin(&self, method, &request);
        sleep(call.fate.there).await;
        if let Some(Loss::Request { noticed }) = call.fate.loss {
            return self.broken(&call, noticed, "the request was lost").await;
        }
        let content = request.content();
        let Some(answer) = self.network.0.server.call(Request::from_parts(head, request)).await else {
            return self.broken(&call, call.fate.back, "nobody listens").await;
        };
        if answer.body().is_success() {
            self.network.state().record.answered(&call.method, &answer.body().content());
        }
        sleep(call.fate.back).await;
        if let Some(Loss::Answer { noticed }) = call.fate.loss {
            return self.broken(&call, noticed, "the answer was lost").await;
        }
        self.while_alive().await;
        let is_success = answer.body().is_success();
        if is_success {
            self.network.state().record.acknowledged(&call.method, &content, &answer.body().content());
        }
        let how = if is_success { "answered" } else { "refused" };
        self.network.note(format_args!("#{} {how}, {} bytes", call.number, answer.body().content().len()));
        answer
    }

    async fn broken(&self, call: &Call, noticed: Duration, why: &'static str) -> Response<Message> {
        sleep(noticed).await;
        self.while_alive().await;
        self.network.note(format_args!("#{} broken: {why}", call.number));
        unavailable(why)
    }
}

impl<B> tower_service::Service<Request<B>> for Node
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
{
    type Response = Response<Message>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Message>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let node = self.clone();
        Box::pin(async move { Ok(node.carry(request).await) })
    }
}
