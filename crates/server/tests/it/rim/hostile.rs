//! Callers that do not behave: each gets an error, and the next one is served.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Request;
use http_body::Frame;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use stead_client::Client;
use stead_server::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::describe;

/// The first half of a request. The rest never comes.
struct Half(Option<Bytes>);

impl http_body::Body for Half {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.0.take() {
            Some(data) => Poll::Ready(Some(Ok(Frame::data(data)))),
            None => Poll::Pending,
        }
    }
}

async fn server() -> (Server, std::net::SocketAddr) {
    let server = Server::in_memory().listen(0).start().await.unwrap();
    let address = server.address().unwrap();
    (server, address)
}

async fn assert_serves(address: std::net::SocketAddr) {
    let client = Client::connect(address.to_string()).await.unwrap();
    assert_eq!(describe(&client, "default").await.unwrap(), "default");
}

#[tokio::test]
async fn garbage_ends_its_own_connection_only() {
    let (_server, address) = server().await;
    let before = Client::connect(address.to_string()).await.unwrap();
    let garbage: [&[u8]; 4] = [
        b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
        &[0; 4096],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ];
    for bytes in garbage {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        // It ends, by a close or by a reset.
        let _ = stream.read_to_end(&mut Vec::new()).await;
        assert_serves(address).await;
    }
    assert_eq!(describe(&before, "default").await.unwrap(), "default");
}

#[tokio::test]
async fn connections_that_say_nothing_stop_nobody() {
    let (server, address) = server().await;
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    assert_serves(address).await;
    server.shutdown().await;
}

#[tokio::test]
async fn requests_that_break_off_leave_nothing_behind() {
    let (_server, address) = server().await;
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let uri = format!("http://{address}/temporal.api.workflowservice.v1.WorkflowService/DescribeNamespace");
    for round in 0..2_000 {
        let request = Request::post(&uri).header("content-type", "application/grpc");
        let request = request.body(Half(Some(Bytes::from_static(&[0, 0, 0, 0, 9, 10])))).unwrap();
        sender.ready().await.unwrap_or_else(|error| panic!("round {round}: {error}"));
        let response = sender.send_request(request);
        if round % 2 == 0 {
            tokio::task::yield_now().await;
        }
        drop(response);
    }
    assert_serves(address).await;
    drop(sender);
    connection.abort();
}
