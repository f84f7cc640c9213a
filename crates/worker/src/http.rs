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

/// Answers over HTTP until it is dropped.
#[derive(Debug)]
#[must_use = "dropping it ends it"]
pub struct Endpoint {
    address: SocketAddr,
    task: JoinHandle<()>,
}

/// What the endpoint has to say.
pub(crate) struct Page {
    /// Where it is, such as `/metrics`.
    pub(crate) path: &'static str,
    pub(crate) content_type: &'static str,
    pub(crate) render: Box<dyn Fn() -> (Status, String) + Send + Sync>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Status {
    Ok,
    Unavailable,
    NotFound,
    MethodNotAllowed,
}

impl Endpoint {
    /// Answers `GET` requests for one page.
    ///
    /// # Errors
    ///
    /// The address cannot be had.
    pub(crate) async fn serve(address: impl ToSocketAddrs, page: Page) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(accept(listener, Arc::new(page)));
        Ok(Self { address, task })
    }

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

async fn accept(listener: TcpListener, page: Arc<Page>) {
    let free = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        // Nobody closes the semaphore.
        let Ok(permit) = Arc::clone(&free).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let page = Arc::clone(&page);
                tokio::spawn(async move {
                    // One who went away has no use for the answer.
                    let _ = timeout(TIME_LIMIT, answer(stream, &page)).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(target: "stead::worker", %error, path = page.path, "a page cannot be served");
                sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn answer(mut stream: TcpStream, page: &Page) -> io::Result<()> {
    let Some(head) = read_head(&mut stream).await? else { return Ok(()) };
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = target.split('?').next().unwrap_or_default();
    let (content_type, (status, body)) = match (method, path) {
        ("GET" | "HEAD", path) if path == page.path => (page.content_type, (page.render)()),
        ("GET" | "HEAD", _) => (TEXT, (Status::NotFound, format!("there is {} and nothing else\n", page.path))),
        _ => (TEXT, (Status::MethodNotAllowed, format!("{} is there to be read\n", page.path))),
    };
    let head = format!(
        "HTTP/1.1 {}\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        status.line(),
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

impl Status {
    fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::Unavailable => "503 Service Unavailable",
            Self::NotFound => "404 Not Found",
            Self::MethodNotAllowed => "405 Method Not Allowed",
        }
    }
}

const TEXT: &str = "text/plain; charset=utf-8";

/// A server or two, and somebody who looks.
const MAX_CONNECTIONS: usize = 16;

/// For one request and its answer.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// In bytes.
const MAX_HEAD: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        stream.write_all(format!("{request} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("it answers");
        answer
    }

    #[tokio::test]
    async fn a_page_is_served_over_http_until_the_endpoint_is_dropped() {
        let render = || (Status::Unavailable, "orders 1\n".to_owned());
        let page = Page { path: "/orders", content_type: "text/orders", render: Box::new(render) };
        let endpoint = Endpoint::serve("127.0.0.1:0", page).await.expect("a free port");
        let address = endpoint.address();
        let answer = ask(address, "GET /orders?x=y").await;
        let head = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/orders\r\ncontent-length: 9\r\n";
        assert!(answer.starts_with(head) && answer.ends_with("\r\n\r\norders 1\n"), "{answer}");
        assert!(ask(address, "HEAD /orders").await.ends_with("\r\n\r\n"));
        assert!(ask(address, "GET /").await.starts_with("HTTP/1.1 404 "));
        assert!(ask(address, "POST /orders").await.starts_with("HTTP/1.1 405 "));
        drop(endpoint);
        tokio::task::yield_now().await;
        assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    }
}
