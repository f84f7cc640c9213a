//! Traces with OpenTelemetry: spans for what a client calls, for workflows, their handlers and activities, which hang
//! together across processes.
//!
//! The context of a trace travels in the header `_tracer-data`, as the Python SDK has it: a JSON object with the W3C's
//! `traceparent`, `tracestate` and `baggage`. So a trace crosses programs of both. The names of spans and attributes are
//! Python's, too.
//!
//! ```no_run
//! use opentelemetry::trace::TracerProvider;
//! use opentelemetry_sdk::trace::SdkTracerProvider;
//! use stead::{Client, Worker};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! // With an exporter of your choice.
//! let provider = SdkTracerProvider::builder().with_id_generator(stead_opentelemetry::Ids::default()).build();
//! let tracing = stead_opentelemetry::Tracing::new(provider.tracer("orders"));
//! let client = Client::connect("localhost:7233").plugin(tracing.plugin()).await?;
//! // Its workers trace as well.
//! let worker = Worker::builder(&client, "orders");
//! # let _ = worker;
//! # Ok(())
//! # }
//! ```
//!
//! Spans of workflows have no duration, as nobody knows which worker sees their end, and none is made while replaying.
//! Their ids come from the run's own random numbers, so that a workflow task that is tried again makes the same spans
//! again. That takes the tracer's provider to have [`Ids`]; without, they are random, and all else is as it was.

mod activity;
mod carrier;
mod client;
mod ids;
mod workflow;

use std::fmt;
use std::sync::Arc;

use opentelemetry::trace::{Status, Tracer};
use stead::worker::Plugin;

pub use ids::Ids;
pub use workflow::completed_span;

/// Makes spans, as interceptor of clients, workflows and activities.
pub struct Tracing<T>(Arc<Shared<T>>);

struct Shared<T> {
    tracer: T,
    always_traces_workflows: bool,
}

impl<T> Tracing<T>
where
    T: Tracer + Send + Sync + 'static,
    T::Span: Send + Sync + 'static,
{
    /// With a tracer of your provider.
    pub fn new(tracer: T) -> Self {
        Self(Arc::new(Shared { tracer, always_traces_workflows: false }))
    }

    /// Makes spans of workflows that no traced client has started, too: by a schedule, for example. They are roots of
    /// traces of their own. Default: it does not.
    pub fn always_trace_workflows(self) -> Self
    where
        T: Clone,
    {
        Self(Arc::new(Shared { tracer: self.0.tracer.clone(), always_traces_workflows: true }))
    }

    /// All three interceptors, as a plugin.
    pub fn plugin(&self) -> Plugin {
        Plugin::new("OpenTelemetry")
            .client_interceptor(self.clone())
            .workflow_interceptor(self.clone())
            .activity_interceptor(self.clone())
    }
}

impl<T> Clone for Tracing<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for Tracing<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracing")
            .field("always_traces_workflows", &self.0.always_traces_workflows)
            .finish_non_exhaustive()
    }
}

/// Of a span whose work failed.
fn failed(error: &dyn std::error::Error) -> Status {
    Status::error(error.to_string())
}
