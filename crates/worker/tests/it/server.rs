//! A server in the test: hands out the tasks it is given, and keeps what it is told.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::{Body as HttpBody, Frame};
use prost::Message;
use stead_client::Client;
use stead_proto::workflowservice::v1::{
    GetSystemInfoResponse, PollActivityTaskQueueResponse, PollNexusTaskQueueResponse, PollWorkflowTaskQueueRequest,
    PollWorkflowTaskQueueResponse, get_system_info_response::Capabilities,
};
use tokio::sync::Notify;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::Service;

/// Cheap to clone; clones are the same server.
#[derive(Clone, Default)]
pub(crate) struct Server(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// Tasks by the method that polls for them.
    tasks: BTreeMap<&'static str, VecDeque<Bytes>>,
    /// Answers to calls by method; an empty message if there is none.
    answers: BTreeMap<&'static str, VecDeque<Bytes>>,
    /// Methods that always fail.
    refusals: BTreeMap<&'static str, Status>,
    calls: Vec<(String, Bytes)>,
    read: BTreeMap<String, usize>,
    open_polls: usize,
    shut_down: bool,
}

const WORKFLOW_POLL: &str = "PollWorkflowTaskQueue";
const ACTIVITY_POLL: &str = "PollActivityTaskQueue";
const NEXUS_POLL: &str = "PollNexusTaskQueue";

impl Server {
    pub(crate) async fn client(&self) -> Client {
        crate::logs::keep_logs_on();
        Client::with_service(self.clone()).namespace("shop").identity("tester").await.expect("the fake connects")
    }

    pub(crate) fn workflow_task(&self, task: PollWorkflowTaskQueueResponse) -> &Self {
        self.task(WORKFLOW_POLL, &task)
    }

    pub(crate) fn activity_task(&self, task: PollActivityTaskQueueResponse) -> &Self {
        self.task(ACTIVITY_POLL, &task)
    }

    pub(crate) fn nexus_task(&self, task: PollNexusTaskQueueResponse) -> &Self {
        self.task(NEXUS_POLL, &task)
    }

    /// The next call of `method` gets this answer.
    pub(crate) fn answers(&self, method: &'static str, answer: impl Message) -> &Self {
        self.change(|state| state.answers.entry(method).or_default().push_back(answer.encode_to_vec().into()))
    }

    /// All calls of `method` fail.
    pub(crate) fn refuses(&self, method: &'static str, code: Code, message: &str) -> &Self {
        self.change(|state| {
            state.refusals.insert(method, Status::new(code, message));
        })
    }

    /// Calls of `method` do not fail any more.
    pub(crate) fn accepts(&self, method: &'static str) -> &Self {
        self.change(|state| {
            state.refusals.remove(method);
        })
    }

    /// The next call of `method` that was not looked at yet; waits for one.
    pub(crate) async fn call<M: Message + Default>(&self, method: &str) -> M {
        loop {
            let changed = self.0.changed.notified();
            if let Some(body) = self.take_call(method) {
                return M::decode(body).expect("the worker sends what the method takes");
            }
            changed.await;
        }
    }

    /// How often `method` was called so far.
    pub(crate) fn count(&self, method: &str) -> usize {
        self.state(|state| state.calls.iter().filter(|(name, _)| name == method).count())
    }

    /// Polls that wait now.
    pub(crate) fn open_polls(&self) -> usize {
        self.state(|state| state.open_polls)
    }

    /// Waits until as many polls wait.
    pub(crate) async fn polled(&self, polls: usize) {
        loop {
            let changed = self.0.changed.notified();
            if self.open_polls() >= polls {
                return;
            }
            changed.await;
        }
    }

    /// The queues that workflow tasks were polled from.
    pub(crate) fn polled_queues(&self) -> Vec<String> {
        let bodies = self.state(|state| {
            let polls = state.calls.iter().filter(|(name, _)| name == WORKFLOW_POLL);
            polls.map(|(_, body)| body.clone()).collect::<Vec<_>>()
        });
        let queue = |body| PollWorkflowTaskQueueRequest::decode(body).ok()?.task_queue;
        bodies.into_iter().filter_map(queue).map(|queue| queue.name).collect()
    }

    fn task(&self, method: &'static str, task: &impl Message) -> &Self {
        self.change(|state| state.tasks.entry(method).or_default().push_back(task.encode_to_vec().into()))
    }

    fn take_call(&self, method: &str) -> Option<Bytes> {
        self.state(|state| {
            let read = state.read.entry(method.to_owned()).or_default();
            let body = state.calls.iter().filter(|(name, _)| name == method).nth(*read)?.1.clone();
            *read += 1;
            Some(body)
        })
    }

    fn change(&self, change: impl FnOnce(&mut State)) -> &Self {
        self.state(change);
        self.0.changed.notify_waiters();
        self
    }

    fn state<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.0.state.lock().expect("no test panics under the lock"))
    }

    async fn handle(&self, method: &str, body: Bytes) -> Result<Bytes, Status> {
        self.change(|state| state.calls.push((method.to_owned(), body)));
        if let Some(status) = self.state(|state| state.refusals.get(method).cloned()) {
            return Err(status);
        }
        match method {
            "GetSystemInfo" => Ok(system_info()),
            WORKFLOW_POLL | ACTIVITY_POLL | NEXUS_POLL => Ok(self.poll(method).await),
            "ShutdownWorker" => {
                self.change(|state| state.shut_down = true);
                Ok(Bytes::new())
            }
            _ => Ok(self.state(|state| state.answers.get_mut(method)?.pop_front()).unwrap_or_default()),
        }
    }

    /// A task, or nothing after a minute or when the worker says that it shuts down.
    async fn poll(&self, method: &str) -> Bytes {
        let _open = OpenPoll::new(self);
        let next = async {
            loop {
                let changed = self.0.changed.notified();
                if let Some(task) = self.state(|state| state.next(method)) {
                    return task;
                }
                changed.await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), next).await.unwrap_or_default()
    }
}

impl State {
    fn next(&mut self, method: &str) -> Option<Bytes> {
        let task = self.tasks.get_mut(method).and_then(VecDeque::pop_front);
        task.or_else(|| self.shut_down.then(Bytes::new))
    }
}

struct OpenPoll<'a>(&'a Server);

impl<'a> OpenPoll<'a> {
    fn new(server: &'a Server) -> Self {
        server.change(|state| state.open_polls += 1);
        Self(server)
    }
}

impl Drop for OpenPoll<'_> {
    fn drop(&mut self) {
        self.0.change(|state| state.open_polls -= 1);
    }
}

fn system_info() -> Bytes {
    let capabilities = Some(Capabilities { sdk_metadata: true, ..Default::default() });
    GetSystemInfoResponse { server_version: "1.2.3".to_owned(), capabilities }.encode_to_vec().into()
}

impl Service<Request<Body>> for Server {
    type Response = Response<Reply>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let server = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let mut body = read(body).await;
            body.advance(FRAME_HEADER);
            let method = parts.uri.path().rsplit('/').next().expect("a path has a last part");
            Ok(match server.handle(method, body).await {
                Ok(message) => Reply::message(&message),
                Err(status) => Reply::status(&status),
            })
        })
    }
}

/// The frames of an answer.
pub(crate) struct Reply(VecDeque<Frame<Bytes>>);

impl Reply {
    fn message(message: &[u8]) -> Response<Self> {
        let mut framed = vec![0];
        framed.extend(u32::try_from(message.len()).expect("a short message").to_be_bytes());
        framed.extend(message);
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        Self::response(VecDeque::from([Frame::data(framed.into()), Frame::trailers(trailers)]))
    }

    fn status(status: &Status) -> Response<Self> {
        let mut response = Self::response(VecDeque::new());
        status.add_header(response.headers_mut()).expect("a status that fits into headers");
        response
    }

    fn response(frames: VecDeque<Frame<Bytes>>) -> Response<Self> {
        let mut response = Response::new(Self(frames));
        response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
        response
    }
}

impl HttpBody for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(Ok))
    }
}

async fn read(body: Body) -> Bytes {
    let mut body = pin!(body);
    let mut all = Vec::new();
    while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
        if let Ok(data) = frame.expect("a body in memory").into_data() {
            all.extend(data);
        }
    }
    all.into()
}

/// A compression flag and a length, before each message.
const FRAME_HEADER: usize = 5;
