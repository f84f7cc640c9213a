//! A collector of OpenTelemetry that keeps what it is sent.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) struct Collector {
    address: String,
    calls: Calls,
    refuses: Arc<AtomicUsize>,
    serving: JoinHandle<()>,
}

/// The path, the header `x-tenant` and the message of each call.
type Calls = Arc<Mutex<Vec<(String, Option<HeaderValue>, Bytes)>>>;

impl Collector {
    pub(crate) async fn start() -> Self {
        let (listener, address) = listener().await;
        let (calls, refuses) = (Calls::default(), Arc::default());
        let serving = tokio::spawn(serve(listener, Arc::clone(&calls)));
        Self { address, calls, refuses, serving }
    }

    /// One that speaks HTTP/1.1.
    pub(crate) async fn start_http() -> Self {
        let (listener, address) = listener().await;
        let (calls, refuses) = (Calls::default(), Arc::default());
        let serving = tokio::spawn(serve_http(listener, Arc::clone(&calls), Arc::clone(&refuses)));
        Self { address, calls, refuses, serving }
    }

    /// Refuses the next so many posts.
    pub(crate) fn refuse(&self, posts: usize) {
        self.refuses.store(posts, Ordering::SeqCst);
    }

    pub(crate) fn has_refused(&self) -> bool {
        self.refuses.load(Ordering::SeqCst) == 0
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

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    (listener, address)
}

async fn serve_http(listener: TcpListener, calls: Calls, refuses: Arc<AtomicUsize>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (calls, refuses) = (Arc::clone(&calls), Arc::clone(&refuses));
        let take = service_fn(move |request| take_post(request, Arc::clone(&calls), Arc::clone(&refuses)));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), take));
    }
}

async fn take_post(
    request: Request<Incoming>,
    calls: Calls,
    refuses: Arc<AtomicUsize>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let message = body.collect().await.unwrap().to_bytes();
    let mut response = Response::new(Full::default());
    let is_otlp = parts.method == Method::POST
        && parts.headers.get("content-type").is_some_and(|it| it == "application/x-protobuf")
        && parts.headers.get("host").is_some_and(|it| it.to_str().unwrap().starts_with("127.0.0.1:"));
    let fewer = |left: usize| left.checked_sub(1);
    if !is_otlp {
        *response.status_mut() = StatusCode::BAD_REQUEST;
    } else if refuses.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fewer).is_ok() {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    } else {
        calls.lock().unwrap().push((parts.uri.path().to_owned(), parts.headers.get("x-tenant").cloned(), message));
    }
    Ok(response)
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
