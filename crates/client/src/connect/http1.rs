//! Requests over HTTP/1.1 to what is no Temporal server: a collector of metrics.

use std::{fmt, io, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, StatusCode,
    header::{CONTENT_TYPE, HOST, USER_AGENT},
    uri::Authority,
};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use tokio::time::timeout;

use super::{
    Connect, ConnectError, Remote, Route,
    address::split_path,
    channel::AGENT,
    dial::{Dialer, Protocol},
};
use crate::connection::{BoxError, WithCauses};

/// Posts to one server, over one connection at a time.
#[doc(hidden)]
pub struct Http1 {
    dialer: Dialer,
    authority: Authority,
    path: Option<String>,
    headers: HeaderMap,
    latest: Option<SendRequest<Full<Bytes>>>,
}

/// Time that a post may take, with the connection that it may need: that of OTLP's exporters.
const TIME: Duration = Duration::from_secs(10);

/// An answer is a short message.
const LARGEST_ANSWER: usize = 1024 * 1024;

impl Connect<Remote> {
    /// Posts there instead: with the TLS options, the proxy, the headers and the API key that are set. The address may have
    /// a path. It connects at the first post.
    ///
    /// # Errors
    ///
    /// What is wrong with the options.
    #[doc(hidden)]
    pub fn into_http1(self) -> Result<Http1, ConnectError> {
        let Self { mut target, options, error } = self;
        error.map_or(Ok(()), Err)?;
        let (address, path) = split_path(&target.address);
        let path = path.map(str::to_owned);
        target.address = address.to_owned();
        let Route { http2, dialer, .. } = target.route(options.api_key.is_some(), Protocol::Http1)?;
        let headers = options.metadata.into_headers(options.api_key)?;
        Ok(Http1 { dialer, authority: http2.authority, path, headers, latest: None })
    }
}

impl Http1 {
    /// Posts a body to the path of the address, or to `path` if it has none. Returns the answer if it is a good one.
    ///
    /// # Errors
    ///
    /// There is no connection, no answer within 10 s, or one that says that the body is not taken.
    pub async fn post(&mut self, path: &str, content_type: &'static str, body: Bytes) -> Result<Bytes, BoxError> {
        let answered = timeout(TIME, self.exchange_or_again(path, content_type, body)).await;
        let answered = answered.unwrap_or_else(|_elapsed| Err(io::Error::from(io::ErrorKind::TimedOut).into()));
        let (status, answer) = answered.map_err(|error| {
            self.latest = None;
            WithCauses(&*error).to_string()
        })?;
        if status.is_success() { Ok(answer) } else { Err(format!("the answer is {status}").into()) }
    }

    /// A server may close a connection that was idle just when it is used again.
    async fn exchange_or_again(
        &mut self,
        path: &str,
        content_type: &'static str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), BoxError> {
        let is_used_again = self.latest.is_some();
        let answered = self.exchange(path, content_type, body.clone()).await;
        let was_closed = |error: &BoxError| {
            let error = error.downcast_ref::<hyper::Error>();
            error.is_some_and(|error| error.is_canceled() || error.is_incomplete_message())
        };
        match answered {
            Err(error) if is_used_again && was_closed(&error) => {
                self.latest = None;
                self.exchange(path, content_type, body).await
            }
            answered => answered,
        }
    }

    async fn exchange(
        &mut self,
        path: &str,
        content_type: &'static str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), BoxError> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.path.as_deref().unwrap_or(path).parse()?;
        *request.headers_mut() = self.headers.clone();
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::from_str(self.authority.as_str())?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(AGENT));
        let answer = self.sender().await?.send_request(request).await?;
        let status = answer.status();
        let answer = Limited::new(answer.into_body(), LARGEST_ANSWER).collect().await?;
        Ok((status, answer.to_bytes()))
    }

    /// The connection, or a new one if the server has closed it.
    async fn sender(&mut self) -> Result<&mut SendRequest<Full<Bytes>>, BoxError> {
        let is_open = match &mut self.latest {
            Some(sender) => sender.ready().await.is_ok(),
            None => false,
        };
        if !is_open {
            let (sender, connection) = http1::handshake(self.dialer.clone().dial().await?).await?;
            // Its end is seen by the next post.
            tokio::spawn(connection);
            self.latest = Some(sender);
        }
        self.latest.as_mut().ok_or_else(|| "there is no connection".into())
    }
}

impl fmt::Debug for Http1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http1").field("authority", &self.authority).field("path", &self.path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };

    use super::*;

    async fn listener() -> (TcpListener, Http1) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound").to_string();
        (listener, Connect::to(address).into_http1().expect("an address"))
    }

    async fn asked(stream: &mut TcpStream) -> String {
        let mut request = Vec::new();
        while !request.ends_with(b"hello") {
            request.push(stream.read_u8().await.expect("a request"));
        }
        String::from_utf8(request).expect("text")
    }

    async fn accept(listener: &TcpListener) -> TcpStream {
        listener.accept().await.expect("somebody connects").0
    }

    async fn answer(stream: &mut TcpStream, status: &str) {
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\nok");
        stream.write_all(answer.as_bytes()).await.expect("it is read");
    }

    #[tokio::test]
    async fn a_connection_that_was_closed_while_it_was_idle_is_made_anew() {
        let (listener, mut posts) = listener().await;
        let serving = async {
            let mut stream = accept(&listener).await;
            let request = asked(&mut stream).await;
            assert!(request.starts_with("POST /v1/metrics HTTP/1.1\r\n"), "{request}");
            assert!(request.contains("content-type: text/plain\r\n"), "{request}");
            answer(&mut stream, "200 OK").await;
            asked(&mut stream).await;
            drop(stream);
            let mut stream = accept(&listener).await;
            asked(&mut stream).await;
            answer(&mut stream, "200 OK").await;
            asked(&mut stream).await;
            answer(&mut stream, "404 Not Found").await;
        };
        let posting = async {
            for _ in 0..2 {
                let answer = posts.post("/v1/metrics", "text/plain", "hello".into()).await;
                assert_eq!(answer.expect("it is taken"), "ok");
            }
            posts.post("/v1/metrics", "text/plain", "hello".into()).await.expect_err("it is not there").to_string()
        };
        let ((), error) = tokio::join!(serving, posting);
        assert_eq!(error, "the answer is 404 Not Found");
    }

    #[tokio::test]
    async fn a_new_connection_that_is_closed_without_an_answer_is_an_error() {
        let (listener, mut posts) = listener().await;
        let serving = async { asked(&mut accept(&listener).await).await };
        let (_, error) = tokio::join!(serving, posts.post("/", "text/plain", "hello".into()));
        let error = error.expect_err("there is no answer").to_string();
        assert!(error.contains("connection closed"), "{error}");
    }
}
