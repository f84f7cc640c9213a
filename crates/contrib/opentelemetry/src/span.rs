//! Spans of workflow code.

use std::borrow::Cow;
use std::fmt;
use std::sync::Once;
use std::time::SystemTime;

use opentelemetry::trace::{
    Event, Link, Span, SpanBuilder, SpanContext, Status, TraceContextExt, TraceFlags, TraceState, Tracer,
};
use opentelemetry::{Context, KeyValue};
use stead::workflow::{self, replay, unwatched};

use crate::ids;

/// A span of a [`ReplaySafe`](crate::ReplaySafe) tracer.
///
/// In workflow code it begins, ends and has its events at the workflow's time, whatever time it is told: OpenTelemetry reads
/// the clock for whoever tells none. (A determinism guard sees that. `workflow::unwatched(|| span.end())` keeps it quiet;
/// [`in_span`](crate::in_span) does so itself, and a span that is dropped reads no clock.)
///
/// It keeps up to 128 attributes, 128 events and 128 links. It is sampled as its parent is; a sampler is asked about one
/// without a parent when it ends, and what hangs on it counts as sampled until then.
pub struct ReplaySafeSpan<T: Tracer>(State<T>);

/// ```text
///   Open ── end, or dropped in workflow code ──▶ Over     the span is made, unless history is being replayed
///     └──── dropped with its run ──────────────▶ –        nothing: the run goes on elsewhere
/// ```
enum State<T: Tracer> {
    /// Outside of workflows, or where code runs once.
    Elsewhere(T::Span),
    Open(Box<Open<T>>),
    Over(SpanContext),
}

/// What is known of a span before it is made.
struct Open<T> {
    tracer: T,
    /// Without the parent itself, which may end before.
    parent: Context,
    context: SpanContext,
    builder: SpanBuilder,
    status: Status,
}

/// OpenTelemetry's limit for attributes, events and links.
const MOST: usize = 128;

impl<T: Tracer> ReplaySafeSpan<T> {
    pub(crate) fn elsewhere(span: T::Span) -> Self {
        Self(State::Elsewhere(span))
    }

    /// One that nobody hears of.
    pub(crate) fn untold() -> Self {
        Self(State::Over(SpanContext::NONE))
    }

    pub(crate) fn of_run(tracer: T, mut builder: SpanBuilder, parent: &Context) -> Self {
        let of_parent = parent.span().span_context().clone();
        let (trace, span) = ids::of_run();
        let (trace, flags, state) = match of_parent.is_valid() {
            true => (of_parent.trace_id(), of_parent.trace_flags(), of_parent.trace_state().clone()),
            false => (trace, TraceFlags::SAMPLED, TraceState::NONE),
        };
        let context = SpanContext::new(trace, span, flags, false, state);
        builder.start_time.get_or_insert_with(workflow::now);
        let parent = parent.with_remote_span_context(of_parent);
        Self(State::Open(Box::new(Open { tracer, parent, context, builder, status: Status::Unset })))
    }

    fn finish(&mut self) {
        let State::Open(open) = &self.0 else { return };
        let over = State::Over(open.context.clone());
        let State::Open(open) = std::mem::replace(&mut self.0, over) else { return };
        // Code that panics fails its task, and will be run again.
        let is_news = workflow::in_workflow() && !std::thread::panicking() && !replay::is_replaying_history();
        if is_news {
            open.make(workflow::now());
        }
    }
}

impl<T: Tracer> Open<T> {
    fn make(self, now: SystemTime) {
        let Self { tracer, parent, context, builder, status } = self;
        unwatched(|| {
            let given = (context.trace_id(), context.span_id());
            let mut span = ids::with(Some(given), || tracer.build_with_context(builder, &parent));
            let made = span.span_context();
            if made.is_valid() && made.span_id() != context.span_id() {
                warn_of_ids();
            }
            span.set_status(status);
            span.end_with_timestamp(now);
        });
    }
}

impl<T> Open<T> {
    fn add_event(&mut self, name: Cow<'static, str>, attributes: Vec<KeyValue>) {
        if workflow::in_workflow() {
            add(&mut self.builder.events, Event::new(name, workflow::now(), attributes, 0));
        }
    }
}

fn warn_of_ids() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing::warn!(
            target: "stead::opentelemetry",
            "spans of workflow code have other ids than their children know: make the tracer's provider with \
             `stead_opentelemetry::tracer_provider`, or give it `stead_opentelemetry::Ids`"
        );
    });
}

/// Adds to a list of a builder, up to the limit.
fn add<V>(list: &mut Option<Vec<V>>, value: V) {
    let list = list.get_or_insert_default();
    if list.len() < MOST {
        list.push(value);
    }
}

impl<T: Tracer> Span for ReplaySafeSpan<T> {
    fn add_event<N>(&mut self, name: N, attributes: Vec<KeyValue>)
    where
        N: Into<Cow<'static, str>>,
    {
        match &mut self.0 {
            State::Elsewhere(span) => span.add_event(name, attributes),
            State::Open(open) => open.add_event(name.into(), attributes),
            State::Over(_) => {}
        }
    }

    fn add_event_with_timestamp<N>(&mut self, name: N, timestamp: SystemTime, attributes: Vec<KeyValue>)
    where
        N: Into<Cow<'static, str>>,
    {
        match &mut self.0 {
            State::Elsewhere(span) => span.add_event_with_timestamp(name, timestamp, attributes),
            State::Open(open) => open.add_event(name.into(), attributes),
            State::Over(_) => {}
        }
    }

    fn span_context(&self) -> &SpanContext {
        match &self.0 {
            State::Elsewhere(span) => span.span_context(),
            State::Open(open) => &open.context,
            State::Over(context) => context,
        }
    }

    fn is_recording(&self) -> bool {
        match &self.0 {
            State::Elsewhere(span) => span.is_recording(),
            State::Open(_) => true,
            State::Over(_) => false,
        }
    }

    fn set_attribute(&mut self, attribute: KeyValue) {
        match &mut self.0 {
            State::Elsewhere(span) => span.set_attribute(attribute),
            State::Open(open) => {
                let attributes = open.builder.attributes.get_or_insert_default();
                match attributes.iter_mut().find(|it| it.key == attribute.key) {
                    Some(there) => *there = attribute,
                    None => add(&mut open.builder.attributes, attribute),
                }
            }
            State::Over(_) => {}
        }
    }

    fn set_status(&mut self, status: Status) {
        match &mut self.0 {
            State::Elsewhere(span) => span.set_status(status),
            // The order of OpenTelemetry: what is set to ok stays so, and an error is not unset.
            State::Open(open) if status > open.status => open.status = status,
            State::Open(_) | State::Over(_) => {}
        }
    }

    fn update_name<N>(&mut self, name: N)
    where
        N: Into<Cow<'static, str>>,
    {
        match &mut self.0 {
            State::Elsewhere(span) => span.update_name(name),
            State::Open(open) => open.builder.name = name.into(),
            State::Over(_) => {}
        }
    }

    fn add_link(&mut self, context: SpanContext, attributes: Vec<KeyValue>) {
        match &mut self.0 {
            State::Elsewhere(span) => span.add_link(context, attributes),
            State::Open(open) => add(&mut open.builder.links, Link::new(context, attributes, 0)),
            State::Over(_) => {}
        }
    }

    fn end(&mut self) {
        match &mut self.0 {
            State::Elsewhere(span) => span.end(),
            State::Open(_) | State::Over(_) => self.finish(),
        }
    }

    fn end_with_timestamp(&mut self, timestamp: SystemTime) {
        match &mut self.0 {
            State::Elsewhere(span) => span.end_with_timestamp(timestamp),
            State::Open(_) | State::Over(_) => self.finish(),
        }
    }
}

impl<T: Tracer> Drop for ReplaySafeSpan<T> {
    fn drop(&mut self) {
        self.finish();
    }
}

impl<T: Tracer> fmt::Debug for ReplaySafeSpan<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplaySafeSpan").field("context", self.span_context()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use opentelemetry::trace::{SpanId, TraceId, TracerProvider};
    use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, TracerProviderBuilder};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event as Logged, Metadata, Subscriber};

    use super::*;

    static WARNINGS: AtomicUsize = AtomicUsize::new(0);

    struct CountsWarnings;

    impl Subscriber for CountsWarnings {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.target() == "stead::opentelemetry"
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, _: &Logged<'_>) {
            WARNINGS.fetch_add(1, Ordering::SeqCst);
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    /// Makes a span of this id, and gives that which it has then.
    fn made(provider: TracerProviderBuilder, id: SpanId) -> SpanId {
        let exporter = InMemorySpanExporter::default();
        let provider = provider.with_simple_exporter(exporter.clone()).build();
        let context = SpanContext::new(TraceId::from(1), id, TraceFlags::SAMPLED, false, TraceState::NONE);
        let (tracer, builder) = (provider.tracer("test"), SpanBuilder::from_name("test"));
        let open = Open { tracer, parent: Context::new(), context, builder, status: Status::Unset };
        open.make(SystemTime::UNIX_EPOCH);
        exporter.get_finished_spans().expect("it keeps spans")[0].span_context.span_id()
    }

    #[test]
    fn a_provider_whose_spans_get_other_ids_is_warned_of_once() {
        let _guard = tracing::subscriber::set_default(CountsWarnings);
        let id = SpanId::from(7);
        assert_eq!(made(SdkTracerProvider::builder().with_id_generator(ids::Ids::default()), id), id);
        assert_eq!(WARNINGS.load(Ordering::SeqCst), 0);
        for _ in 0..3 {
            assert_ne!(made(SdkTracerProvider::builder(), id), id);
        }
        assert_eq!(WARNINGS.load(Ordering::SeqCst), 1);
    }
}
