//! A codec server: the web UI and Temporal's command line send it payloads to be decoded.
//!
//! HTTP/1 by hyper, whose parts the SDK has compiled anyway: two paths need no framework.

mod json;

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Incoming};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use stead::data::{Payload, PayloadCodec, SerializationContext, WorkflowContext};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Serves a codec over HTTP, as the web UI and Temporal's command line expect it: `POST …/decode` and `POST …/encode`
/// with payloads as JSON, whatever comes before, and the preflight requests of browsers.
///
/// ```no_run
/// use stead_codec::{CodecServer, Encryption, Key, Keys};
/// use tokio::net::TcpListener;
///
/// # async fn serve(key: [u8; 32], token: String) -> std::io::Result<()> {
/// let server = CodecServer::new(Encryption::new(Keys::new("2026-11", Key::new(key))))
///     .allow_origin("http://localhost:8233")
///     .authorize(move |caller| caller.bearer() == Some(token.as_str()));
/// server.serve(TcpListener::bind("127.0.0.1:8888").await?).await
/// # }
/// ```
///
/// It speaks plain HTTP: what is decoded is readable by who can listen, so put it behind something that speaks TLS
/// unless it serves this machine alone. The codec is told the namespace where the caller names it, with an empty
/// workflow id: nobody knows more.
#[derive(Clone)]
pub struct CodecServer {
    shared: Arc<Shared>,
}

#[derive(Clone)]
struct Shared {
    codec: Arc<dyn PayloadCodec>,
    origins: Vec<String>,
    authorize: Option<Arc<Authorize>>,
    max_body_size: usize,
}

type Authorize = dyn Fn(Caller<'_>) -> bool + Send + Sync;

/// Who wants payloads to be decoded or encoded.
#[derive(Clone, Copy)]
pub struct Caller<'a> {
    headers: &'a HeaderMap,
}

impl<'a> Caller<'a> {
    /// The token of the header `Authorization: Bearer …`, which the web UI sends if it is told to pass it on.
    #[must_use]
    pub fn bearer(&self) -> Option<&'a str> {
        self.header("authorization")?.strip_prefix("Bearer ")
    }

    /// The namespace of the payloads.
    #[must_use]
    pub fn namespace(&self) -> Option<&'a str> {
        self.header(NAMESPACE)
    }

    /// A header that is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.get(name)?.to_str().ok()
    }
}

// Written by hand: headers carry secrets.
impl fmt::Debug for Caller<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller").field("namespace", &self.namespace()).finish_non_exhaustive()
    }
}

const NAMESPACE: &str = "x-namespace";
const MAX_CONNECTIONS: usize = 256;
/// A client that takes longer to send its headers is not served.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// A request takes no longer than this, with its body and the codec's work.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

impl CodecServer {
    /// Serves this codec, to programs and to no web page yet.
    pub fn new(codec: impl PayloadCodec) -> Self {
        let codec = Arc::new(codec);
        let shared = Shared { codec, origins: Vec::new(), authorize: None, max_body_size: 32 * 1024 * 1024 };
        Self { shared: Arc::new(shared) }
    }

    /// Lets web pages of this origin call, such as `https://cloud.temporal.io` or `http://localhost:8233`.
    #[must_use]
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.shared).origins.push(origin.into().trim_end_matches('/').to_owned());
        self
    }

    /// Decides who may call. Default: whoever reaches the server.
    #[must_use]
    pub fn authorize(mut self, decide: impl Fn(Caller<'_>) -> bool + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.shared).authorize = Some(Arc::new(decide));
        self
    }

    /// Refuses requests with a larger body, in bytes. Default: 32 MiB.
    #[must_use]
    pub fn max_body_size(mut self, bytes: usize) -> Self {
        Arc::make_mut(&mut self.shared).max_body_size = bytes;
        self
    }

    /// Serves until it is dropped, which also ends the connections.
    ///
    /// # Errors
    ///
    /// When no connection can be accepted any more.
    pub async fn serve(self, listener: TcpListener) -> io::Result<()> {
        let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            // It is closed nowhere.
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return Ok(()) };
            let (stream, _) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) if is_of_the_connection(&error) => continue,
                Err(error) => return Err(error),
            };
            while connections.try_join_next().is_some() {}
            let server = self.clone();
            connections.spawn(async move {
                let respond = service_fn(|request: Request<Incoming>| async {
                    Ok::<_, Infallible>(server.respond(request).await)
                });
                let mut http = http1::Builder::new();
                let connection = http.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
                // What is wrong with a connection is its client's business.
                let _ = connection.serve_connection(TokioIo::new(stream), respond).await;
                drop(slot);
            });
        }
    }

    /// Answers one request, for programs that have an HTTP server of their own.
    pub async fn respond<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body + Send,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let origin = self.allowed_origin(request.headers());
        let answer = tokio::time::timeout(REQUEST_TIMEOUT, self.answer(request)).await;
        let answer = answer.unwrap_or_else(|_| Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "it took too long")));
        let mut response = match answer {
            Ok(Some(body)) => with_body(StatusCode::OK, "application/json", body),
            Ok(None) => with_body(StatusCode::NO_CONTENT, "", Vec::new()),
            Err(Refusal { status, message }) => with_body(status, "text/plain; charset=utf-8", message.into_bytes()),
        };
        if let Some(origin) = origin {
            cross_origin(response.headers_mut(), origin);
        }
        response.headers_mut().insert(header::VARY, HeaderValue::from_static("origin"));
        response
    }

    /// The body of the answer; `None` to a browser that asks what it may do.
    async fn answer<B>(&self, request: Request<B>) -> Result<Option<Vec<u8>>, Refusal>
    where
        B: Body + Send,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let work = match request.uri().path().rsplit('/').next() {
            Some("decode") => Work::Decode,
            Some("encode") => Work::Encode,
            _ => return Err(Refusal::new(StatusCode::NOT_FOUND, "the paths are /decode and /encode")),
        };
        match *request.method() {
            Method::OPTIONS => return Ok(None),
            Method::POST => {}
            _ => return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "payloads come with POST")),
        }
        let (head, body) = request.into_parts();
        let caller = Caller { headers: &head.headers };
        if self.shared.authorize.as_ref().is_some_and(|authorize| !authorize(caller)) {
            return Err(Refusal::new(StatusCode::UNAUTHORIZED, "this caller may not decode or encode"));
        }
        let namespace = caller.namespace().map(str::to_owned);
        let body = Limited::new(body, self.shared.max_body_size).collect().await;
        let body = body.map_err(|error| Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, error.to_string()))?.to_bytes();
        let payloads = json::read(&body).map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, error))?;
        let payloads = self.work(work, payloads, namespace).await?;
        Ok(Some(json::write(payloads)))
    }

    async fn work(
        &self,
        work: Work,
        payloads: Vec<Payload>,
        namespace: Option<String>,
    ) -> Result<Vec<Payload>, Refusal> {
        let context = match namespace {
            Some(namespace) => WorkflowContext::new(namespace, "").into(),
            None => SerializationContext::Unknown,
        };
        let done = match work {
            Work::Decode => self.shared.codec.decode(payloads, &context).await,
            Work::Encode => self.shared.codec.encode(payloads, &context).await,
        };
        // The caller is told what the codec says, which must not hold what it protects.
        done.map_err(|error| Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))
    }

    /// The origin of a web page that may call.
    fn allowed_origin(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(header::ORIGIN)?;
        self.shared.origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()).then(|| origin.clone())
    }
}

#[derive(Clone, Copy)]
enum Work {
    Decode,
    Encode,
}

/// An answer that is an error.
struct Refusal {
    status: StatusCode,
    message: String,
}

impl Refusal {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }
}

fn with_body(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    if !content_type.is_empty() {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    response
}

/// What a browser has to read before it shows the answer to a page of another origin. Credentials are those of the web
/// UI's option to send them along.
fn cross_origin(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST, OPTIONS"));
    let allowed = HeaderValue::from_static("authorization, content-type, x-namespace");
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
}

fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

impl fmt::Debug for CodecServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CodecServer").field("origins", &self.shared.origins).finish_non_exhaustive()
    }
}
