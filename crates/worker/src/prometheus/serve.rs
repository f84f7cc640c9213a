//! An endpoint over HTTP that answers one question.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::Prometheus;

/// Serves metrics until it is dropped. Made by [`Prometheus::serve`].
#[derive(Debug)]
#[must_use = "dropping it ends it"]
pub struct Endpoint {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Prometheus {
    /// Answers `GET /metrics` at this address, until the endpoint is dropped. With the port 0 the system chooses one.
    ///
    /// # Errors
    ///
    /// The address cannot be had.
    pub async fn serve(self: &Arc<Self>, address: impl ToSocketAddrs) -> io::Result<Endpoint> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(accept(listener, Arc::clone(self)));
        Ok(Endpoint { address, task })
    }
}

impl Endpoint {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, metrics: Arc<Prometheus>) {
    let free = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        // Nobody closes the semaphore.
        let Ok(permit) = Arc::clone(&free).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let metrics = Arc::clone(&metrics);
                tokio::spawn(async move {
                    // One who went away has no use for the answer.
                    let _ = timeout(TIME_LIMIT, answer(stream, &metrics)).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(target: "stead::worker", %error, "metrics cannot be served");
                sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn answer(mut stream: TcpStream, metrics: &Prometheus) -> io::Result<()> {
    let Some(head) = read_head(&mut stream).await? else { return Ok(()) };
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = target.split('?').next().unwrap_or_default();
    let (status, body) = match (method, path) {
        ("GET" | "HEAD", "/metrics") => ("200 OK", metrics.render()),
        ("GET" | "HEAD", _) => ("404 Not Found", "the metrics are at /metrics\n".to_owned()),
        _ => ("405 Method Not Allowed", "the metrics are there to be read\n".to_owned()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    if method != "HEAD" {
        stream.write_all(body.as_bytes()).await?;
    }
    stream.shutdown().await
}

/// The request up to the empty line; `None` if it is none.
async fn read_head(stream: &mut TcpStream) -> io::Result<Option<String>> {
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        let read = stream.read(&mut buffer).await?;
        if read == 0 || head.len() + read > MAX_HEAD {
            return Ok(None);
        }
        head.extend_from_slice(&buffer[..read]);
    }
    Ok(String::from_utf8(head).ok())
}

/// A server or two, and somebody who looks.
const MAX_CONNECTIONS: usize = 16;

/// For one request and its answer.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// In bytes.
const MAX_HEAD: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use stead_data::metrics::{Metric, MetricKind, MetricSink};

    use super::*;

    async fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        stream.write_all(format!("{request} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("it answers");
        answer
    }

    #[tokio::test]
    async fn metrics_are_served_over_http_until_the_endpoint_is_dropped() {
        let metrics = Arc::new(Prometheus::new().without_service_name());
        metrics.record(&Metric::new(MetricKind::Counter, "orders"), 1.into(), &[]);
        let endpoint = metrics.serve("127.0.0.1:0").await.expect("a free port");
        let address = endpoint.address();
        let answer = ask(address, "GET /metrics?x=y").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4"), "{answer}");
        assert!(answer.ends_with("\r\n\r\n# TYPE orders counter\norders 1\n"), "{answer}");
        assert!(ask(address, "HEAD /metrics").await.ends_with("\r\n\r\n"));
        assert!(ask(address, "GET /").await.starts_with("HTTP/1.1 404 "));
        assert!(ask(address, "POST /metrics").await.starts_with("HTTP/1.1 405 "));
        drop(endpoint);
        tokio::task::yield_now().await;
        assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    }
}
