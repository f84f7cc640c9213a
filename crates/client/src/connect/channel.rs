//! A connection over HTTP/2: made when a call needs it, and anew for the first call after it has ended.

use std::{
    error::Error,
    fmt,
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use http::{
    HeaderValue, Request, Response, Uri,
    header::USER_AGENT,
    uri::{Authority, Parts, Scheme},
};
use http_body_util::{BodyExt, combinators::MapErr};
use hyper::{
    body::Incoming,
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    time::timeout,
};
use tonic::{Code, ConnectError, Status, body::Body};
use tower::Service;

use super::{KeepAlive, dial::Dialer};
use crate::connection::{BoxError, WithCauses};

/// What is said and kept on a connection.
#[derive(Clone)]
pub(super) struct Http2 {
    pub(super) scheme: Scheme,
    /// Whom calls say they are for.
    pub(super) authority: Authority,
    pub(super) connect_timeout: Duration,
    pub(super) keep_alive: Option<KeepAlive>,
}

/// One connection at a time. Cheap to clone; clones share it.
#[derive(Clone)]
pub(super) struct Channel(Arc<Shared>);

struct Shared {
    http2: Http2,
    dialer: Dialer,
    /// The latest connection, which may have ended.
    latest: RwLock<Option<SendRequest<Body>>>,
    /// A connection broke, and none that was made since has brought an answer.
    is_lost: AtomicBool,
    /// Held by the one who makes a connection.
    dialing: Arc<Mutex<LastFailure>>,
}

type LastFailure = Option<(Instant, Failure)>;

/// Those who waited for one connection share why there is none.
#[derive(Debug, Clone)]
struct Failure(Arc<ConnectError>);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

type Sender = SendRequest<Body>;

impl Channel {
    pub(super) fn new(dialer: Dialer, http2: Http2) -> Self {
        Self(Arc::new(Shared {
            http2,
            dialer,
            latest: RwLock::default(),
            is_lost: AtomicBool::new(false),
            dialing: Arc::default(),
        }))
    }

    /// Makes the connection, unless there is one.
    pub(super) async fn connect(&self) -> Result<(), BoxError> {
        self.0.sender().await.map(drop)
    }
}

impl Shared {
    fn open(&self) -> Option<Sender> {
        self.latest.read().unwrap_or_else(PoisonError::into_inner).clone().filter(|sender| !sender.is_closed())
    }

    async fn sender(self: &Arc<Self>) -> Result<Sender, BoxError> {
        if let Some(sender) = self.open() {
            return Ok(sender);
        }
        let asked_at = Instant::now();
        let last_failure = Arc::clone(&self.dialing).lock_owned().await;
        if let Some(sender) = self.open() {
            return Ok(sender);
        }
        match &*last_failure {
            Some((at, failure)) if *at >= asked_at => Err(failure.clone().into()),
            // In a task of its own, so that a call that is given up leaves the connection to the next one.
            _ => Ok(tokio::spawn(Arc::clone(self).dial(last_failure)).await??),
        }
    }

    async fn dial(self: Arc<Self>, mut last_failure: OwnedMutexGuard<LastFailure>) -> Result<Sender, Failure> {
        let dialed = timeout(self.http2.connect_timeout, self.handshake()).await;
        let dialed = dialed.unwrap_or_else(|_elapsed| Err(io::Error::from(io::ErrorKind::TimedOut).into()));
        let sender = dialed.map_err(|error| {
            let failure = Failure(Arc::new(ConnectError(error)));
            *last_failure = Some((Instant::now(), failure.clone()));
            failure
        })?;
        *self.latest.write().unwrap_or_else(PoisonError::into_inner) = Some(sender.clone());
        Ok(sender)
    }

    async fn handshake(self: &Arc<Self>) -> Result<Sender, BoxError> {
        let stream = self.dialer.clone().dial().await?;
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.timer(TokioTimer::new());
        if let Some(KeepAlive { interval, timeout }) = self.http2.keep_alive {
            builder.keep_alive_interval(interval).keep_alive_timeout(timeout).keep_alive_while_idle(true);
        }
        let (sender, connection) = builder.handshake(stream).await?;
        let channel = Arc::downgrade(self);
        tokio::spawn(async move {
            let ended = connection.await;
            // Otherwise nobody wants it any more.
            if let Some(channel) = channel.upgrade() {
                channel.has_lost(ended);
            }
        });
        Ok(sender)
    }

    fn has_lost(&self, ended: Result<(), hyper::Error>) {
        let server = &self.http2.authority;
        let Err(error) = &ended else {
            tracing::info!(target: "stead::client", %server, "the server has closed the connection");
            return;
        };
        let error = WithCauses(error);
        // Where the network swallows everything, connections are made and lost one after the other.
        match self.is_lost.swap(true, Ordering::Relaxed) {
            false => tracing::warn!(target: "stead::client", %server, %error, "the connection is lost"),
            true => tracing::debug!(target: "stead::client", %server, %error, "the connection is lost again"),
        }
    }

    fn has_answered(&self) {
        if self.is_lost.load(Ordering::Relaxed) && self.is_lost.swap(false, Ordering::Relaxed) {
            tracing::info!(target: "stead::client", server = %self.http2.authority, "connected again");
        }
    }

    /// A call has a path alone until here.
    fn address(&self, request: &mut Request<Body>) -> Result<(), http::Error> {
        let mut parts = Parts::default();
        parts.scheme = Some(self.http2.scheme.clone());
        parts.authority = Some(self.http2.authority.clone());
        parts.path_and_query = request.uri().path_and_query().cloned();
        *request.uri_mut() = Uri::from_parts(parts)?;
        request.headers_mut().entry(USER_AGENT).or_insert(HeaderValue::from_static(AGENT));
        Ok(())
    }

    async fn call(self: Arc<Self>, mut request: Request<Body>) -> Result<Response<Incoming>, BoxError> {
        self.address(&mut request)?;
        let response = self.sender().await?.send_request(request).await.map_err(in_terms_of_grpc)?;
        self.has_answered();
        Ok(response)
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<MapErr<Incoming, fn(hyper::Error) -> BoxError>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let call = Arc::clone(&self.0).call(request);
        Box::pin(async move { Ok(call.await?.map(|body| body.map_err(in_terms_of_grpc as fn(_) -> _))) })
    }
}

/// An unanswered ping is `UNAVAILABLE`, as gRPC's rules for keep alive say; a request that went down with its connection is
/// `CANCELLED`.
fn in_terms_of_grpc(error: hyper::Error) -> BoxError {
    let code = match () {
        () if error.is_timeout() => Code::Unavailable,
        () if error.is_canceled() => Code::Cancelled,
        () => return error.into(),
    };
    let mut status = Status::new(code, error.to_string());
    status.set_source(Arc::new(error));
    status.into()
}

pub(super) const AGENT: &str = concat!("stead/", env!("CARGO_PKG_VERSION"));

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };

    use super::*;
    use crate::connect::{dial::Way, proxy::HttpProxy};

    async fn listener() -> (TcpListener, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        (listener, port)
    }

    /// To a port of this machine, or through a proxy there.
    fn channel(port: u16, through_proxy: bool) -> Channel {
        let way = Way {
            host: "127.0.0.1".to_owned(),
            port,
            proxy: through_proxy.then(|| HttpProxy::new(format!("127.0.0.1:{port}"))),
            #[cfg(feature = "tls")]
            encryption: None,
        };
        let http2 = Http2 {
            scheme: Scheme::HTTP,
            authority: Authority::from_static("temporal.test:7233"),
            connect_timeout: Duration::from_secs(20),
            keep_alive: None,
        };
        Channel::new(Dialer::new(way), http2)
    }

    fn call(channel: &Channel) -> impl Future<Output = Result<(), BoxError>> + use<> {
        let call = channel.clone().call(Request::new(Body::empty()));
        async { call.await.map(drop) }
    }

    async fn asked(proxy: &TcpListener) -> TcpStream {
        let (mut stream, _) = proxy.accept().await.expect("somebody connects");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("a question"));
        }
        stream
    }

    async fn is_http2(stream: &mut TcpStream) {
        let mut preface = [0; 24];
        stream.read_exact(&mut preface).await.expect("a client says what it speaks");
        assert_eq!(&preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    }

    #[tokio::test]
    async fn calls_that_wait_for_one_connection_share_why_there_is_none() {
        let (proxy, port) = listener().await;
        let channel = channel(port, true);
        let refuses = async {
            let mut stream = asked(&proxy).await;
            stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").await.expect("it is read");
            // Who asks again hears something else.
            drop(proxy);
        };
        let (first, second, ()) = tokio::join!(call(&channel), call(&channel), refuses);
        for error in [first.expect_err("it was refused"), second.expect_err("it was refused")] {
            let status = Status::from_error(error);
            assert_eq!(status.code(), Code::Unavailable);
            assert!(status.message().contains("502"), "{status}");
        }
        let error = call(&channel).await.expect_err("the proxy has gone");
        assert!(!error.to_string().contains("502"), "the next call tries again: {error}");
    }

    #[tokio::test]
    async fn a_call_that_is_given_up_leaves_the_connection_to_the_next() {
        let (proxy, port) = listener().await;
        let channel = channel(port, true);
        let mut stream = tokio::select! {
            stream = asked(&proxy) => stream,
            result = call(&channel) => panic!("nobody answers, and yet: {result:?}"),
        };
        drop(proxy);
        let answers = async {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.expect("it is read");
            is_http2(&mut stream).await;
        };
        tokio::select! {
            () = answers => {}
            result = call(&channel) => panic!("nobody answers, and yet: {result:?}"),
        }
    }

    #[tokio::test]
    async fn the_first_call_after_a_connection_has_ended_makes_another() {
        let (server, port) = listener().await;
        let channel = channel(port, false);
        let (connected, accepted) = tokio::join!(channel.connect(), server.accept());
        connected.expect("it connects");
        drop(accepted);
        while channel.0.open().is_some() {
            tokio::task::yield_now().await;
        }
        tokio::select! {
            stream = server.accept() => is_http2(&mut stream.expect("it connects again").0).await,
            result = call(&channel) => panic!("nobody answers, and yet: {result:?}"),
        }
    }
}
