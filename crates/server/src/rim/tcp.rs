//! [`Listener`]: the service over TCP, as HTTP/2, plain or encrypted.
//!
//! Connections live as long as both sides want them: long polls need not survive a server that closes them by age.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;
use std::{fmt, io};

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tower_service::Service as _;

use super::Service;

/// Serves connections until the server stops, or it is dropped.
pub(crate) struct Listener {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Listener {
    /// Listens at `address`, in the tokio runtime of the caller.
    pub(crate) async fn bind(address: SocketAddr, wire: Wire, service: Service) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(accept(listener, wire, service));
        Ok(Self { address, task })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns when the connections of a server that stops have ended. Those that do not soon are broken off.
    pub(crate) async fn ended(&mut self) {
        if tokio::time::timeout(GRACE, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("address", &self.address).finish_non_exhaustive()
    }
}

/// How bytes travel.
#[derive(Clone)]
pub(crate) enum Wire {
    Plain,
    #[cfg(feature = "tls")]
    Encrypted(super::tls::Encryption),
}

#[cfg(feature = "tls")]
impl Wire {
    pub(crate) fn encrypted(tls: &super::Tls) -> Result<Self, super::TlsError> {
        super::tls::Encryption::new(tls).map(Self::Encrypted)
    }
}

async fn accept(listener: TcpListener, wire: Wire, service: Service) {
    let mut connections = JoinSet::new();
    let mut stopped = pin!(service.stopped());
    loop {
        tokio::select! {
            () = &mut stopped => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    // Answers are small and somebody waits for each of them.
                    let _ = stream.set_nodelay(true);
                    connections.spawn(welcome(stream, wire.clone(), service.clone()));
                }
                // Too many open files, mostly: it may pass.
                Err(_) => tokio::time::sleep(PAUSE).await,
            },
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn welcome(stream: TcpStream, wire: Wire, service: Service) {
    match wire {
        Wire::Plain => serve(stream, service).await,
        #[cfg(feature = "tls")]
        Wire::Encrypted(encryption) => {
            let stream = tokio::select! {
                stream = encryption.accept(stream) => stream,
                () = service.stopped() => None,
            };
            if let Some(stream) = stream {
                serve(stream, service).await;
            }
        }
    }
}

async fn serve<I>(io: I, service: Service)
where
    I: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let stopped = service.stopped();
    let respond = service_fn(move |request: Request<Incoming>| service.clone().call(request));
    let connection = protocol().serve_connection(TokioIo::new(io), respond);
    let mut connection = pin!(connection);
    // How a connection ends is its peer's business.
    tokio::select! {
        _ = &mut connection => return,
        () = stopped => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

fn protocol() -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(Duration::from_secs(60)))
        .keep_alive_timeout(Duration::from_secs(20))
        .max_concurrent_streams(STREAMS)
        // A worker that stops breaks all of its polls off at once.
        .max_pending_accept_reset_streams(STREAMS as usize)
        .max_header_list_size(HEADERS)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(4 * WINDOW);
    builder
}

/// Connections at once: more wait in the operating system's queue.
const CONNECTIONS: usize = 4_096;
/// Calls at once on one connection.
const STREAMS: u32 = 16_384;
const HEADERS: u32 = 64 << 10;
/// Bytes that a caller may send ahead.
const WINDOW: u32 = 1 << 20;
/// How long connections have to end when the server stops.
const GRACE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(50);
