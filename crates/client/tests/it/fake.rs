//! A server in the test: answers as it is told to, and keeps what it was asked.

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, Bytes};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::{Body as HttpBody, Frame};
use prost::{Message, Name};
use stead_client::{Client, Code, Connect, InProcess};
use stead_proto::workflowservice::v1::{GetSystemInfoResponse, get_system_info_response::Capabilities};
use tonic::body::Body;
use tower::Service;

/// Cheap to clone; clones are the same server.
#[derive(Clone, Default)]
pub(crate) struct Fake(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    is_old: bool,
    script: VecDeque<Step>,
    calls: Vec<Call>,
}

enum Step {
    Answer(Bytes),
    Fail { code: Code, message: String, details: Bytes },
    FailAfter(Duration),
    Break,
    Hang,
}

/// A call that the server got.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) headers: HeaderMap,
    body: Bytes,
    pub(crate) at: tokio::time::Instant,
}

impl Call {
    pub(crate) fn request<M: Message + Default>(&self) -> M {
        M::decode(self.body.clone()).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// What the client told the server of its deadline.
    pub(crate) fn timeout(&self) -> Duration {
        let text = self.header("grpc-timeout").unwrap();
        let (number, unit) = text.split_at(text.len() - 1);
        let number: u64 = number.parse().unwrap();
        match unit {
            "n" => Duration::from_nanos(number),
            "u" => Duration::from_micros(number),
            "m" => Duration::from_millis(number),
            "S" => Duration::from_secs(number),
            _ => panic!("unexpected unit in {text}"),
        }
    }
}

impl Fake {
    pub(crate) fn new() -> Self {
        crate::logs::keep_logs_on();
        Self::default()
    }

    pub(crate) fn connect(&self) -> Connect<InProcess> {
        Client::with_service(self.clone()).namespace("shop").identity("tester")
    }

    pub(crate) async fn client(&self) -> Client {
        self.connect().await.unwrap()
    }

    pub(crate) fn answers(&self, message: impl Message) -> &Self {
        self.push(Step::Answer(message.encode_to_vec().into()))
    }

    pub(crate) fn answers_bytes(&self, message: &'static [u8]) -> &Self {
        self.push(Step::Answer(Bytes::from_static(message)))
    }

    pub(crate) fn fails(&self, code: Code, message: &str) -> &Self {
        self.push(Step::Fail { code, message: message.to_owned(), details: Bytes::new() })
    }

    pub(crate) fn fails_with(&self, code: Code, message: &str, detail: &impl Name) -> &Self {
        let details = rich_status(detail).into();
        self.push(Step::Fail { code, message: message.to_owned(), details })
    }

    /// The next call waits for so long, and then the server is not there any more.
    pub(crate) fn fails_after(&self, time: Duration) -> &Self {
        self.push(Step::FailAfter(time))
    }

    /// The connection breaks under the next call.
    pub(crate) fn breaks(&self) -> &Self {
        self.push(Step::Break)
    }

    /// Does not know what it can do.
    pub(crate) fn is_old(&self) -> &Self {
        self.0.lock().unwrap().is_old = true;
        self
    }

    /// The next call is never answered.
    pub(crate) fn hangs(&self) -> &Self {
        self.push(Step::Hang)
    }

    /// The calls so far, those left out that ask what the server can do. Everything in the script must have been used.
    #[track_caller]
    pub(crate) fn calls(&self) -> Vec<Call> {
        let state = self.0.lock().unwrap();
        assert_eq!(state.script.len(), 0, "answers that nobody asked for");
        state.calls.iter().filter(|call| call.method != "GetSystemInfo").cloned().collect()
    }

    /// The only call.
    #[track_caller]
    pub(crate) fn call(&self) -> Call {
        let calls = self.calls();
        assert_eq!(calls.len(), 1, "{:?}", calls.iter().map(|call| &call.method).collect::<Vec<_>>());
        calls.into_iter().next().unwrap()
    }

    fn push(&self, step: Step) -> &Self {
        self.0.lock().unwrap().script.push_back(step);
        self
    }

    fn step(&self, call: Call) -> Step {
        let mut state = self.0.lock().unwrap();
        let step = match call.method.as_str() {
            "GetSystemInfo" if !state.is_old => {
                let capabilities = Some(Capabilities { supports_schedules: true, ..Default::default() });
                let info = GetSystemInfoResponse { server_version: "1.2.3".to_owned(), capabilities };
                Some(Step::Answer(info.encode_to_vec().into()))
            }
            "GetSystemInfo" => None,
            _ => state.script.pop_front(),
        };
        state.calls.push(call);
        step.unwrap_or_else(|| Step::Fail {
            code: Code::Unimplemented,
            message: "not in the script".to_owned(),
            details: Bytes::new(),
        })
    }
}

impl Service<Request<Body>> for Fake {
    type Response = Response<Reply>;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let fake = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let mut body = read(body).await;
            body.advance(FRAME_HEADER);
            let method = parts.uri.path().rsplit('/').next().unwrap().to_owned();
            let call = Call { method, headers: parts.headers, body, at: tokio::time::Instant::now() };
            match fake.step(call) {
                Step::Answer(message) => Ok(Reply::message(&message)),
                Step::Fail { code, message, details } => Ok(Reply::status(code, &message, &details)),
                Step::FailAfter(time) => {
                    tokio::time::sleep(time).await;
                    Ok(Reply::status(Code::Unavailable, "gone", &[]))
                }
                Step::Break => Err(std::io::ErrorKind::ConnectionReset.into()),
                Step::Hang => std::future::pending().await,
            }
        })
    }
}

/// The frames of an answer.
pub(crate) struct Reply(VecDeque<Frame<Bytes>>);

impl Reply {
    fn message(message: &[u8]) -> Response<Self> {
        let mut framed = vec![0];
        framed.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
        framed.extend(message);
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        Self::new([Frame::data(framed.into()), Frame::trailers(trailers)])
    }

    fn status(code: Code, message: &str, details: &[u8]) -> Response<Self> {
        let mut response = Self::new([]);
        let status = tonic::Status::with_details(code, message, Bytes::copy_from_slice(details));
        status.add_header(response.headers_mut()).unwrap();
        response
    }

    fn new<const N: usize>(frames: [Frame<Bytes>; N]) -> Response<Self> {
        let mut response = Response::new(Self(frames.into()));
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
        if let Ok(data) = frame.unwrap().into_data() {
            all.extend(data);
        }
    }
    all.into()
}

/// `google.rpc.Status` with one detail.
fn rich_status<M: Name>(detail: &M) -> Vec<u8> {
    #[derive(Clone, PartialEq, Message)]
    struct Status {
        #[prost(message, repeated, tag = "3")]
        details: Vec<prost_types::Any>,
    }
    let type_url = format!("type.googleapis.com/{}", M::full_name());
    Status { details: vec![prost_types::Any { type_url, value: detail.encode_to_vec() }] }.encode_to_vec()
}

const FRAME_HEADER: usize = 5;
