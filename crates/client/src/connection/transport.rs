//! Whatever carries requests to the server: a channel over TCP or TLS, or a service in this process.

use std::{error::Error, fmt};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use tonic::body::Body;
use tower::{Service, ServiceExt, util::BoxCloneSyncService};

pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// A transport, its type erased. Cheap to clone, and each call clones it.
pub type Transport = BoxCloneSyncService<Request<Body>, Response<Body>, TransportError>;

pub(crate) fn boxed<S, B>(service: S) -> Transport
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let service = service
        .map_response(|response: Response<B>| response.map(Body::new))
        .map_err(|error: S::Error| TransportError::new(error.into()));
    BoxCloneSyncService::new(service)
}

/// A transport's error, whatever its type. It says nothing itself; its source does.
#[derive(Debug)]
pub struct TransportError(BoxError);

impl TransportError {
    /// One that comes through a layer stays what it is.
    fn new(error: BoxError) -> Self {
        error.downcast().map_or_else(Self, |error| *error)
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("transport error")
    }
}

impl Error for TransportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}
