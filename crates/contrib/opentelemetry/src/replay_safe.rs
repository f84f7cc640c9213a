//! Providers that workflow code may use.

use opentelemetry::trace::{SpanBuilder, Tracer, TracerProvider};
use opentelemetry::{Context, InstrumentationScope};
use opentelemetry_sdk::trace::{SdkTracerProvider, TracerProviderBuilder};
use stead::workflow::{self, replay, unwatched};

use crate::ids::{self, Ids};
use crate::span::ReplaySafeSpan;

/// A provider of OpenTelemetry whose tracers, meters and loggers tell of workflow code once, however often it is replayed.
/// Outside of workflows they are those of the provider within.
///
/// - A span of workflow code lasts from the workflow's time at its start to that at its end, whichever worker sees them.
///   It is made when it ends, unless that was before; one that is open when its workflow leaves a worker's memory goes on
///   when the workflow is back.
/// - What meters count and loggers emit counts when code runs for the first time (features `metrics` and `logs`). What a
///   workflow observes by a callback is left to the callback.
///
/// A workflow task that fails and is tried again tells again what it has told, its spans with the ids that they had. The
/// handlers of queries and validators run once for whoever asks, and tell it.
///
/// [`tracer_provider`] makes one for traces, and `ReplaySafe::new` one of any provider.
#[derive(Debug, Clone, Default)]
pub struct ReplaySafe<P>(pub(crate) P);

impl<P> ReplaySafe<P> {
    /// Of this provider. One of tracers must have [`Ids`], which [`tracer_provider`] gives it: without, the ids of a span
    /// differ from those that its children know. That is warned of.
    pub fn new(provider: P) -> Self {
        Self(provider)
    }

    /// The provider within: to flush it or to shut it down.
    pub fn inner(&self) -> &P {
        &self.0
    }
}

/// A provider of tracers for clients, workers and workflow code, with exporter and resource of your choice.
///
/// ```
/// use opentelemetry::global;
/// use opentelemetry_sdk::trace::SdkTracerProvider;
///
/// // `.with_batch_exporter(…)`, and a resource with the name of your service.
/// let provider = stead_opentelemetry::tracer_provider(SdkTracerProvider::builder());
/// global::set_tracer_provider(provider);
/// ```
///
/// It has [`Ids`], whatever ids the builder was told of.
#[must_use]
pub fn tracer_provider(builder: TracerProviderBuilder) -> ReplaySafe<SdkTracerProvider> {
    ReplaySafe(builder.with_id_generator(Ids::default()).build())
}

impl<P> TracerProvider for ReplaySafe<P>
where
    P: TracerProvider,
    P::Tracer: Clone,
{
    type Tracer = ReplaySafe<P::Tracer>;

    fn tracer_with_scope(&self, scope: InstrumentationScope) -> Self::Tracer {
        ReplaySafe(self.0.tracer_with_scope(scope))
    }
}

impl<T: Tracer + Clone> Tracer for ReplaySafe<T> {
    type Span = ReplaySafeSpan<T>;

    fn build_with_context(&self, builder: SpanBuilder, parent: &Context) -> Self::Span {
        match place() {
            Place::Elsewhere => ReplaySafeSpan::elsewhere(self.0.build_with_context(builder, parent)),
            Place::Once => ReplaySafeSpan::elsewhere(unwatched(|| self.0.build_with_context(builder, parent))),
            Place::Again => ReplaySafeSpan::untold(),
            Place::Run => ReplaySafeSpan::of_run(self.0.clone(), builder, parent),
        }
    }
}

enum Place {
    /// No workflow.
    Elsewhere,
    /// A query or a validator, which may not change its run.
    Once,
    /// The like, while history is replayed.
    Again,
    /// Workflow code.
    Run,
}

fn place() -> Place {
    match () {
        // The one who gives ids knows whether there is to be a span.
        () if !workflow::in_workflow() || ids::are_given() => Place::Elsewhere,
        () if !replay::is_read_only() => Place::Run,
        () if replay::is_replaying_history() => Place::Again,
        () => Place::Once,
    }
}
