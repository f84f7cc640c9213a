//! Events and spans of workflow code, once however often it is replayed.

use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber, level_filters::LevelFilter};
use tracing_core::span::Current;

use crate::info::replay;
use crate::watch::unwatched;

/// Gives a subscriber of `tracing` the events and spans of workflow code once: those that are made while history is being
/// replayed are dropped, since they were made before. Others are not touched.
///
/// ```
/// # struct Logs;
/// use stead_workflow as workflow;
///
/// fn start_logging(logs: impl tracing::Subscriber + Send + Sync) -> Result<(), tracing::subscriber::SetGlobalDefaultError> {
///     tracing::subscriber::set_global_default(workflow::SkipReplays::new(logs))
/// }
/// ```
///
/// With `tracing-subscriber`: `SkipReplays::new(tracing_subscriber::registry().with(..)).init()`.
///
/// What the subscriber does, such as reading the clock, a worker's determinism guard does not take for the workflow's doing.
///
/// A log that shows replays too, to find out what they do, is a subscriber without this.
#[derive(Debug)]
pub struct SkipReplays<S>(S);

impl<S: Subscriber> SkipReplays<S> {
    /// Passes on to `subscriber` what was not there before.
    pub fn new(subscriber: S) -> Self {
        Self(subscriber)
    }
}

impl<S: Subscriber> Subscriber for SkipReplays<S> {
    /// Whether history is being replayed changes from call to call, so what is always of interest is so sometimes.
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        match self.0.register_callsite(metadata) {
            interest if interest.is_never() => interest,
            _ => Interest::sometimes(),
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        !replay::is_replaying_history() && unwatched(|| self.0.enabled(metadata))
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        unwatched(|| self.0.max_level_hint())
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        unwatched(|| self.0.new_span(span))
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        unwatched(|| self.0.record(span, values));
    }

    fn record_follows_from(&self, span: &Id, follows: &Id) {
        unwatched(|| self.0.record_follows_from(span, follows));
    }

    fn event_enabled(&self, event: &Event<'_>) -> bool {
        unwatched(|| self.0.event_enabled(event))
    }

    fn event(&self, event: &Event<'_>) {
        unwatched(|| self.0.event(event));
    }

    fn enter(&self, span: &Id) {
        unwatched(|| self.0.enter(span));
    }

    fn exit(&self, span: &Id) {
        unwatched(|| self.0.exit(span));
    }

    fn clone_span(&self, id: &Id) -> Id {
        unwatched(|| self.0.clone_span(id))
    }

    fn try_close(&self, id: Id) -> bool {
        unwatched(|| self.0.try_close(id))
    }

    fn current_span(&self) -> Current {
        unwatched(|| self.0.current_span())
    }
}
