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
        let answered = timeout(TIME, self.exchange(path, content_type, body)).await;
        let answered = answered.unwrap_or_else(|_elapsed| Err(io::Error::from(io::ErrorKind::TimedOut).into()));
        let (status, answer) = answered.map_err(|error| {
            self.latest = None;
            WithCauses(&*error).to_string()
        })?;
        if status.is_success() { Ok(answer) } else { Err(format!("the answer is {status}").into()) }
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
