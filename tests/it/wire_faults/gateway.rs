//! A gateway between clients and a server. It speaks HTTP/2 with both, says goodbye to connections, and answers in place
//! of the server.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::header::HeaderValue;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What befalls calls.
#[derive(Clone, Copy)]
pub(super) enum Fault {
    None,
    /// Every call fails with a code of gRPC and a message.
    Status(&'static str, &'static str),
    /// The next poll that brings a workflow task brings a message of so many bytes.
    NextTaskGrowsTo(usize),
}

pub(super) struct Gateway {
    address: String,
    control: Arc<Control>,
    serving: JoinHandle<()>,
}

struct Control {
    connections: AtomicU32,
    fault: Mutex<Fault>,
    refused: AtomicU32,
    goodbyes: watch::Sender<u32>,
}

impl Gateway {
    /// To the server under test.
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let control = Arc::new(Control {
            connections: AtomicU32::new(0),
            fault: Mutex::new(Fault::None),
            refused: AtomicU32::new(0),
            goodbyes: watch::channel(0).0,
        });
        let serving = tokio::spawn(serve_all(listener, Arc::clone(&control)));
        Self { address, control, serving }
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn fault(&self, fault: Fault) {
        *self.control.fault.lock().unwrap() = fault;
    }

    /// How many connections were made to it.
    pub(super) fn connections(&self) -> u32 {
        self.control.connections.load(Ordering::Relaxed)
    }

    /// How many calls it has failed.
    pub(super) fn refused(&self) -> u32 {
        self.control.refused.load(Ordering::Relaxed)
    }

    /// Whether a task has grown as it should.
    pub(super) fn has_grown(&self) -> bool {
        !matches!(*self.control.fault.lock().unwrap(), Fault::NextTaskGrowsTo(_))
    }

    /// Sends GOAWAY on every connection; calls that are under way are answered.
    pub(super) fn says_goodbye(&self) {
        self.control.goodbyes.send_modify(|times| *times += 1);
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve_all(listener: TcpListener, control: Arc<Control>) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        control.connections.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(serve(client, Arc::clone(&control)));
    }
}

async fn serve(client: TcpStream, control: Arc<Control>) {
    let mut goodbyes = control.goodbyes.subscribe();
    let server = TcpStream::connect(stead_tests::server()).await.unwrap();
    let (server, connection) = handshake(TokioExecutor::new(), TokioIo::new(server)).await.unwrap();
    tokio::spawn(connection);
    let answer = service_fn(move |request| answer(request, server.clone(), Arc::clone(&control)));
    let serving = http2::Builder::new(TokioExecutor::new());
    let serving = serving.serve_connection(TokioIo::new(client), answer);
    tokio::pin!(serving);
    tokio::select! {
        _ended = &mut serving => return,
        changed = goodbyes.changed() => changed.unwrap(),
    }
    serving.as_mut().graceful_shutdown();
    let _ended = serving.await;
}

type Answer = Response<BoxBody<Bytes, hyper::Error>>;

async fn answer(
    request: Request<Incoming>,
    mut server: SendRequest<Incoming>,
    control: Arc<Control>,
) -> Result<Answer, hyper::Error> {
    let fault = *control.fault.lock().unwrap();
    if let Fault::Status(code, message) = fault {
        control.refused.fetch_add(1, Ordering::Relaxed);
        return Ok(refusal(code, message));
    }
    let is_poll = request.uri().path().ends_with("/PollWorkflowTaskQueue");
    let response = server.send_request(request).await?;
    if !is_poll {
        return Ok(response.map(BodyExt::boxed));
    }
    let (mut parts, body) = response.into_parts();
    let body = body.collect().await?;
    let trailers = body.trailers().cloned();
    let mut message = body.to_bytes();
    // An empty answer is one of a poll that has ended without a task.
    if message.len() > FRAME_HEADER + 100 {
        let mut fault = control.fault.lock().unwrap();
        if let Fault::NextTaskGrowsTo(size) = *fault {
            message = grown(&message, size);
            parts.headers.remove("content-length");
            *fault = Fault::None;
        }
    }
    let body = Full::new(message).map_err(|never| match never {});
    Ok(Response::from_parts(parts, body.with_trailers(async move { trailers.map(Ok) }).boxed()))
}

fn refusal(code: &'static str, message: &'static str) -> Answer {
    let mut response = Response::new(Empty::new().map_err(|never| match never {}).boxed());
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", HeaderValue::from_static(code));
    headers.insert("grpc-message", HeaderValue::from_static(message));
    response
}

/// The same message with a field that nobody knows.
fn grown(framed: &[u8], size: usize) -> Bytes {
    let message = &framed[FRAME_HEADER..];
    // Field 1000 of bytes, and a length that takes four bytes of seven bits each.
    const KEY: [u8; 2] = [0xc2, 0x3e];
    let padding = size - message.len() - KEY.len() - 4;
    let mut grown = BytesMut::with_capacity(FRAME_HEADER + size);
    grown.put_u8(0);
    grown.put_u32(u32::try_from(size).unwrap());
    grown.put_slice(message);
    grown.put_slice(&KEY);
    for (number, shift) in [0, 7, 14, 21].into_iter().enumerate() {
        let more = if number < 3 { 0x80 } else { 0 };
        grown.put_u8(u8::try_from(padding >> shift & 0x7f).unwrap() | more);
    }
    grown.put_bytes(0, padding);
    assert_eq!(grown.len(), FRAME_HEADER + size);
    grown.freeze()
}

/// A compression flag and a length, before each message.
const FRAME_HEADER: usize = 5;
