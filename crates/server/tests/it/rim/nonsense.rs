//! Garbage, nonsense, and requests that are too large or break off, for every call, in process and over TCP: each gets an
//! answer, and the next one is served.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::{BufMut, Bytes};
use futures_util::future::join_all;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use stead_client::Client;
use stead_server::{Server, Service};
use tokio::net::TcpStream;
use tower_service::Service as _;

use super::describe;
use crate::nonsense::{Generator, Method, methods, seeds};

/// What is sent, and what for.
struct Sent {
    what: String,
    method: Method,
    body: Bytes,
}

impl Sent {
    fn new(what: impl Into<String>, method: &Method, body: impl Into<Bytes>) -> Self {
        Self { what: what.into(), method: method.clone(), body: body.into() }
    }

    fn request(&self, address: SocketAddr) -> Request<Full<Bytes>> {
        let Method { service, name, .. } = &self.method;
        let request = Request::post(format!("http://{address}/{service}/{name}"));
        // Long enough for a poll, which ends a second earlier.
        let request = request.header("content-type", "application/grpc").header("grpc-timeout", "2100m");
        request.body(Full::new(self.body.clone())).unwrap()
    }

    /// The status, wherever it is.
    async fn check<B>(&self, response: Response<B>)
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: std::fmt::Debug,
    {
        let Self { what, method, .. } = self;
        let head = response.headers().get("grpc-status").cloned();
        let body = response.into_body().collect().await;
        let body = body.unwrap_or_else(|error| panic!("{}, {what}: {error:?}", method.name));
        let status = head.or_else(|| body.trailers().and_then(|trailers| trailers.get("grpc-status").cloned()));
        let status = status.unwrap_or_else(|| panic!("{}, {what}: no status", method.name));
        // Of this one call it says that the other cluster cannot be reached.
        let stopped = status == "14" && method.name != "AddOrUpdateRemoteCluster";
        assert!(!stopped, "{}, {what}: the server has stopped", method.name);
    }
}

fn framed(length: usize, message: &[u8]) -> Vec<u8> {
    let mut frame = vec![0];
    frame.put_u32(u32::try_from(length).unwrap());
    frame.extend_from_slice(message);
    frame
}

/// Everything that is sent to one method.
fn everything(method: &Method) -> Vec<Sent> {
    let mut sent = vec![
        Sent::new("nothing at all", method, Vec::new()),
        Sent::new("an empty request", method, framed(0, b"")),
        Sent::new("half a request", method, framed(100, b"half")),
        Sent::new("a claim of 4 GiB", method, framed(u32::MAX as usize, b"x")),
        Sent::new("two requests", method, [framed(0, b""), framed(0, b"")].concat()),
    ];
    for seed in seeds(3) {
        let mut generator = Generator::new(seed);
        let garbage = generator.garbage();
        sent.push(Sent::new(format!("STEAD_SEED={seed:#x}, garbage"), method, framed(garbage.len(), &garbage)));
        let nonsense = generator.request(method);
        sent.push(Sent::new(format!("STEAD_SEED={seed:#x}, nonsense"), method, framed(nonsense.len(), &nonsense)));
    }
    sent
}

async fn send_in_process(service: &Service, address: SocketAddr, sent: Sent) {
    let response: Result<_, Infallible> = service.clone().call(sent.request(address)).await;
    sent.check(response.unwrap()).await;
}

async fn send_over_tcp(sender: &SendRequest<Full<Bytes>>, address: SocketAddr, sent: Sent) {
    let mut sender = sender.clone();
    sender.ready().await.unwrap();
    let response = sender.send_request(sent.request(address)).await;
    sent.check(response.unwrap_or_else(|error| panic!("{}, {}: {error}", sent.method.name, sent.what))).await;
}

async fn connect(address: SocketAddr) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

#[tokio::test]
async fn every_call_answers_whatever_it_is_sent_and_the_next_one_is_served() {
    // Nonsense may well delete the namespace `default`.
    let server = Server::in_memory().namespace("untouched").seed(1).listen(0).start().await.unwrap();
    let address = server.address().unwrap();
    let (service, sender) = (server.service(), connect(address).await);
    let client = Client::with_service(server.service()).await.unwrap();
    let sent: Vec<_> = methods().iter().flat_map(everything).collect();
    join_all(sent.into_iter().map(|sent| send_in_process(&service, address, sent))).await;
    assert!(describe(&client, "untouched").await.is_ok(), "after nonsense in process");
    let sent: Vec<_> = methods().iter().flat_map(everything).collect();
    join_all(sent.into_iter().map(|sent| send_over_tcp(&sender, address, sent))).await;
    assert!(describe(&client, "untouched").await.is_ok(), "after nonsense over TCP");
    server.shutdown().await;
}

#[tokio::test]
async fn every_call_refuses_a_request_over_the_limit() {
    let server = Server::in_memory().listen(0).start().await.unwrap();
    let address = server.address().unwrap();
    let sender = connect(address).await;
    let body = Bytes::from(framed(LARGE, &vec![b'x'; LARGE]));
    for method in methods() {
        let sent = Sent::new("a large request", &method, body.clone());
        let response = sender.clone().send_request(sent.request(address)).await.unwrap();
        assert_eq!(response.headers()["grpc-status"], "8", "{}", method.name);
    }
    server.shutdown().await;
}

/// A byte more than gRPC takes.
const LARGE: usize = (4 << 20) + 1;
