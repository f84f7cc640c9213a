//! Ids of traces and spans: random ones, but for spans of workflows.

use std::cell::{Cell, RefCell};

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};
use stead::workflow::{self, RandomStream, run_local};

thread_local! {
    static NEXT: Cell<Option<(TraceId, SpanId)>> = const { Cell::new(None) };
}

/// Makes ids for a tracer's provider: those that a workflow has decided while one of its spans is made, and random ones
/// otherwise.
#[derive(Debug, Clone, Default)]
pub struct Ids {
    random: RandomIdGenerator,
}

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        NEXT.get().map_or_else(|| self.random.new_trace_id(), |(trace, _)| trace)
    }

    fn new_span_id(&self) -> SpanId {
        NEXT.get().map_or_else(|| self.random.new_span_id(), |(_, span)| span)
    }
}

/// Calls `make` so that the span that it makes has these ids.
pub(crate) fn with<S>(ids: Option<(TraceId, SpanId)>, make: impl FnOnce() -> S) -> S {
    /// Takes them back, whatever happens.
    struct Restore(Option<(TraceId, SpanId)>);

    impl Drop for Restore {
        fn drop(&mut self) {
            NEXT.set(self.0);
        }
    }

    let _restore = Restore(NEXT.replace(ids));
    make()
}

/// Whether a span is made whose ids are decided.
pub(crate) fn are_given() -> bool {
    NEXT.get().is_some()
}

/// The numbers of a run's ids, on which nothing else of the run depends.
#[derive(Default)]
struct Numbers(RefCell<Option<RandomStream>>);

/// Ids for a span of workflow code. Drawn while replaying, too, so that those of the spans to come are the same.
pub(crate) fn of_run() -> (TraceId, SpanId) {
    let numbers = run_local::<Numbers>();
    let mut stream = numbers.0.borrow_mut();
    let stream = stream.get_or_insert_with(|| workflow::random_stream("OpenTelemetry"));
    (TraceId::from(stream.random::<u128>()), SpanId::from(stream.random::<u64>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_the_given_ones_while_a_span_is_made_and_random_otherwise() {
        let (ids, given) = (Ids::default(), (TraceId::from(7_u128), SpanId::from(8_u64)));
        with(Some(given), || {
            assert_eq!((ids.new_trace_id(), ids.new_span_id()), given);
            with(None, || assert_ne!(ids.new_span_id(), given.1));
            assert_eq!(ids.new_span_id(), given.1);
        });
        assert_ne!(ids.new_span_id(), ids.new_span_id());
    }
}
