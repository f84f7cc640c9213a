//! Traces with OpenTelemetry: spans for what a client calls, for workflows, their handlers, activities and Nexus
//! operations, which hang together across processes.
//!
//! The context of a trace travels in the header `_tracer-data`, as the Python SDK has it: a JSON object with the W3C's
//! `traceparent`, `tracestate` and `baggage`, which are headers of their own in the requests of Nexus. So a trace crosses
//! programs of both. The names of spans and attributes are Python's, too.
//!
//! ```no_run
//! use opentelemetry::global;
//! use opentelemetry::trace::TracerProvider;
//! use opentelemetry_sdk::trace::SdkTracerProvider;
//! use stead::{Client, Worker};
//! use stead_opentelemetry::Tracing;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! // With an exporter of your choice.
//! let provider = stead_opentelemetry::tracer_provider(SdkTracerProvider::builder());
//! global::set_tracer_provider(provider.clone());
//! let tracing = Tracing::new(provider.tracer("orders"));
//! let client = Client::connect("localhost:7233").plugin(tracing.plugin()).await?;
//! // Its workers trace as well.
//! let worker = Worker::builder(&client, "orders");
//! # let _ = worker;
//! # Ok(())
//! # }
//! ```
//!
//! **The SDK's spans of workflows** have no duration, as nobody knows which worker sees their end, and none is made while
//! replaying. [`Tracing::without_own_spans`] leaves them out.
//!
//! **Spans of your own in workflow code** come from a tracer of such a provider, and last: from the workflow's time at their
//! start to that at their end, however many workers and replays lie in between ([`ReplaySafe`]).
//!
//! ```
//! use opentelemetry::global;
//! use stead::prelude::*;
//! use stead_opentelemetry::in_span;
//!
//! # #[derive(Default)]
//! # struct Order;
//! # #[workflow]
//! # impl Order {
//! #[run]
//! async fn run(&self) -> workflow::Result<()> {
//!     let tracer = global::tracer("orders");
//!     in_span(&tracer, "cooling off", async {
//!         workflow::sleep(days(1)).await?;
//!         // Activities that are scheduled here are children of the span, and so are those of `in_span` in here.
//!         Ok(())
//!     })
//!     .await
//! }
//! # }
//! ```
//!
//! Ids of spans in workflow code come from the run's own random numbers, so that a workflow task that is tried again makes
//! the same spans again. That takes the tracer's provider to have [`Ids`], as that of [`tracer_provider`] has; without, they
//! are random, and a span that lasts is not the parent of what it should be.
//!
//! Features: `metrics` and `logs` make meters and loggers of OpenTelemetry fit for workflow code; with `metrics`, those of
//! the SDK go to a meter of yours, by `ToMeter`.

mod activity;
mod carrier;
mod client;
mod ids;
#[cfg(feature = "logs")]
mod logs;
#[cfg(feature = "metrics")]
mod metrics;
mod nexus;
mod replay_safe;
#[cfg(feature = "metrics")]
mod sink;
mod span;
mod workflow;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use opentelemetry::Context;
use opentelemetry::trace::{FutureExt, Status, TraceContextExt, Tracer};
use stead::worker::Plugin;
use stead::workflow::unwatched;

pub use ids::Ids;
pub use replay_safe::{ReplaySafe, tracer_provider};
#[cfg(feature = "metrics")]
pub use sink::ToMeter;
pub use span::ReplaySafeSpan;
pub use workflow::completed_span;

/// Makes spans, as interceptor of clients, workflows, activities and the handlers of Nexus operations.
pub struct Tracing<T>(Arc<Shared<T>>);

#[derive(Clone)]
struct Shared<T> {
    tracer: T,
    makes_spans: bool,
    always_traces_workflows: bool,
}

impl<T> Tracing<T>
where
    T: Tracer + Send + Sync + 'static,
    T::Span: Send + Sync + 'static,
{
    /// With a tracer of your provider.
    pub fn new(tracer: T) -> Self {
        Self(Arc::new(Shared { tracer, makes_spans: true, always_traces_workflows: false }))
    }

    /// Makes spans of workflows that no traced client has started, too: by a schedule, for example. They are roots of
    /// traces of their own. Default: it does not.
    pub fn always_trace_workflows(self) -> Self
    where
        T: Clone,
    {
        self.with(|shared| shared.always_traces_workflows = true)
    }

    /// Makes no spans of the SDK, for what a client calls, for workflows, handlers, activities and Nexus operations. Spans
    /// of your own hang together across processes as before, and those in a handler are children of its caller's. Default: it makes them.
    pub fn without_own_spans(self) -> Self
    where
        T: Clone,
    {
        self.with(|shared| shared.makes_spans = false)
    }

    fn with(self, change: impl FnOnce(&mut Shared<T>)) -> Self
    where
        T: Clone,
    {
        let mut shared = (*self.0).clone();
        change(&mut shared);
        Self(Arc::new(shared))
    }

    /// All four interceptors, as a plugin.
    pub fn plugin(&self) -> Plugin {
        Plugin::new("OpenTelemetry")
            .client_interceptor(self.clone())
            .workflow_interceptor(self.clone())
            .activity_interceptor(self.clone())
            .nexus_interceptor(self.clone())
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
            .field("makes_spans", &self.0.makes_spans)
            .field("always_traces_workflows", &self.0.always_traces_workflows)
            .finish_non_exhaustive()
    }
}

/// Runs code in a span, which is the parent of what the code calls and of its spans, and which ends with it. In workflows,
/// for which the tracer has to be one of a [`ReplaySafe`] provider, as in activities and anywhere else.
///
/// What the code does with the span, such as adding attributes, it does with `Context::current().span()`.
///
/// # Cancel safety
///
/// The span also ends when the future is dropped. When a workflow leaves the memory of its worker, its spans do not end: they
/// go on when it is back.
pub async fn in_span<T, F>(tracer: &T, name: impl Into<Cow<'static, str>>, code: F) -> F::Output
where
    T: Tracer,
    T::Span: Send + Sync + 'static,
    F: Future,
{
    let context = Context::current_with_span(tracer.start(name));
    let output = code.with_context(context.clone()).await;
    // Which reads the clock, although the time of a workflow is its own.
    unwatched(|| context.span().end());
    output
}

/// Of a span whose work failed.
fn failed(error: &dyn std::error::Error) -> Status {
    Status::error(error.to_string())
}
