//! [`Service`]: the server as a function from HTTP requests to HTTP responses, which is what gRPC is made of.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::Body as HttpBody;

use super::frame::{framed, read_one};
use super::gzip::Encoding;
use super::health::{self, unreadable};
use super::inbox::Inbox;
use super::{Body, paths, status, test_service, timeout};
use crate::engine::{self, Code, Refusal};

/// A server's gRPC service, for clients in the same process: it is called as it is, without a socket and without
/// HTTP/2. Cheap to clone.
///
/// After its server has stopped it answers that it has.
#[derive(Clone, Debug)]
pub struct Service {
    inbox: Inbox,
    skips: bool,
}

impl Service {
    /// `skips` says whether the server's clock does.
    pub(crate) fn new(inbox: Inbox, skips: bool) -> Self {
        Self { inbox, skips }
    }

    /// Returns when the server stops.
    pub(super) fn stopped(&self) -> impl Future<Output = ()> + Send + use<> {
        self.inbox.stopped()
    }

    async fn serve<B: HttpBody<Data = Bytes> + Send + 'static>(self, request: Request<B>) -> Response<Body> {
        let (head, body) = request.into_parts();
        if let Err((http, refusal)) = check_protocol(&head) {
            return status::refused_over_http(http, &refusal);
        }
        match self.respond(&head, body).await {
            Ok(response) => response,
            Err(refusal) => status::refused(&refusal),
        }
    }

    async fn respond<B>(&self, head: &http::request::Parts, body: B) -> Result<Response<Body>, Refusal>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
    {
        let timeout = timeout::timeout(&head.headers)?;
        let encoding = Encoding::of(&head.headers)?;
        let (service, method) = paths::split(head.uri.path())?;
        #[cfg(feature = "reflection")]
        if super::reflection::SERVICES.contains(&service) && method == "ServerReflectionInfo" {
            let services = paths::SERVICES.into_iter().chain(self.more_services()).collect();
            let answers = super::reflection::Exchange::new(body, encoding, services);
            return Ok(status::response(StatusCode::OK, Body::stream(answers)));
        }
        let message = read_one(body, encoding).await?;
        match (service, method) {
            (health::SERVICE, "Check") => Ok(status::answered(health::check(message)?)),
            (health::SERVICE, "Watch") => {
                Ok(status::response(StatusCode::OK, Body::stream(health::watch(message, self.stopped())?)))
            }
            (test_service::SERVICE, _) if self.skips => {
                let answer = test_service::call(&self.inbox, method, message).await;
                Ok(status::answered(answer.ok_or_else(|| self.unknown(service, method))??))
            }
            _ => {
                let request = engine::Request::decode(service, method, message)
                    .ok_or_else(|| self.unknown(service, method))?
                    .map_err(|error| unreadable(&error))?;
                let answer = self.inbox.call(client_name(&head.headers), request, timeout).await?;
                let message = framed(answer.encoded_len(), |buffer| answer.encode(buffer))?;
                Ok(status::answered(message))
            }
        }
    }

    fn unknown(&self, service: &str, method: &str) -> Refusal {
        paths::unknown(service, method, &self.more_services())
    }

    /// Services besides those that every Temporal server has.
    fn more_services(&self) -> Vec<&'static str> {
        let mut services = vec![health::SERVICE];
        services.extend(self.skips.then_some(test_service::SERVICE));
        #[cfg(feature = "reflection")]
        services.extend(super::reflection::SERVICES);
        services
    }
}

impl<B> tower_service::Service<Request<B>> for Service
where
    B: HttpBody<Data = Bytes> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(service.serve(request).await) })
    }
}

/// Refuses what is not gRPC, as gRPC over HTTP/2 says it.
fn check_protocol(head: &http::request::Parts) -> Result<(), (StatusCode, Refusal)> {
    if head.method != Method::POST {
        let message = format!("Received a HEADERS frame with :method {:?} which should be POST", head.method.as_str());
        return Err((StatusCode::METHOD_NOT_ALLOWED, Refusal::new(Code::Internal, message)));
    }
    let content_type = text(&head.headers, CONTENT_TYPE.as_str());
    if !is_grpc(content_type) {
        let message = format!("invalid gRPC request content-type {content_type:?}");
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, Refusal::invalid(message)));
    }
    Ok(())
}

/// `application/grpc` and `application/grpc+proto`, with or without parameters.
fn is_grpc(content_type: &str) -> bool {
    let Some(rest) = content_type.strip_prefix("application/grpc") else {
        return false;
    };
    rest.is_empty() || rest.starts_with('+') || rest.starts_with(';')
}

fn client_name(headers: &HeaderMap) -> String {
    text(headers, "client-name").to_owned()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
