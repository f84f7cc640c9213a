//! A collector of OpenTelemetry that keeps what it is sent.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) struct Collector {
    address: String,
    calls: Calls,
    serving: JoinHandle<()>,
}

/// The path, the header `x-tenant` and the message of each call.
type Calls = Arc<Mutex<Vec<(String, Option<HeaderValue>, Bytes)>>>;

impl Collector {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let calls = Calls::default();
        let serving = tokio::spawn(serve(listener, Arc::clone(&calls)));
        Self { address, calls, serving }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Whether this text is in the last message.
    pub(crate) fn last_has(&self, text: &str) -> bool {
        let calls = self.calls.lock().unwrap();
        calls.last().is_some_and(|(_, _, message)| message.windows(text.len()).any(|it| it == text.as_bytes()))
    }

    pub(crate) fn calls(&self) -> Vec<(String, Option<HeaderValue>, Bytes)> {
        self.calls.lock().unwrap().clone()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, calls: Calls) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let calls = Arc::clone(&calls);
        let take = service_fn(move |request| take(request, Arc::clone(&calls)));
        tokio::spawn(http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), take));
    }
}

async fn take(request: Request<Incoming>, calls: Calls) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let message = body.collect().await.unwrap().to_bytes();
    calls.lock().unwrap().push((parts.uri.path().to_owned(), parts.headers.get("x-tenant").cloned(), message));
    // An empty message, and a status with the headers: whoever reads it takes both.
    let mut response = Response::new(Full::new(Bytes::from_static(&[0; 5])));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    response.headers_mut().insert("grpc-status", HeaderValue::from_static("0"));
    Ok(response)
}
