//! Ids of traces and spans: random ones, but for spans of workflows.

use std::cell::Cell;

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};

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
