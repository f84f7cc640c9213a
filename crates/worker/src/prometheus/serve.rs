//! The page that Prometheus reads.

use std::io;
use std::sync::Arc;

use tokio::net::ToSocketAddrs;

use super::Prometheus;
use crate::http::{Endpoint, Page, Status};

impl Prometheus {
    /// Answers `GET /metrics` at this address, until the endpoint is dropped. With the port 0 the system chooses one.
    ///
    /// # Errors
    ///
    /// The address cannot be had.
    pub async fn serve(self: &Arc<Self>, address: impl ToSocketAddrs) -> io::Result<Endpoint> {
        let metrics = Arc::clone(self);
        let render = Box::new(move || (Status::Ok, metrics.render()));
        Endpoint::serve(address, Page { path: "/metrics", content_type: TEXT, render }).await
    }
}

/// The version of the text format.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
