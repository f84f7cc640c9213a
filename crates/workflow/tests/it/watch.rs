//! What looks at the polls of workflow code, and what it does not look at.

use std::cell::Cell;
use std::sync::Arc;

use stead_activation::{Command, TaskFailureCause};
use stead_workflow as workflow;
use stead_workflow::{GuestOptions, PollWatch, SkipReplays, Unrecorded};

use crate::support::*;

thread_local! {
    static IS_WATCHED: Cell<bool> = const { Cell::new(false) };
    static IS_SEEN: Cell<bool> = const { Cell::new(false) };
}

/// Sees who reads the clock by [`read_clock`].
struct Watch;

impl PollWatch for Watch {
    fn watch(&self, poll: &mut dyn FnMut()) -> Option<Unrecorded> {
        IS_WATCHED.set(true);
        poll();
        IS_WATCHED.set(false);
        let trace = || "at the clock\n".to_owned();
        IS_SEEN.take().then(|| Unrecorded { call: "clock".to_owned(), instead: "use another", stack_trace: trace() })
    }

    fn suspend(&self, f: &mut dyn FnMut()) {
        let was_watched = IS_WATCHED.replace(false);
        f();
        IS_WATCHED.set(was_watched);
    }
}

fn read_clock() -> u32 {
    IS_SEEN.set(IS_SEEN.get() || IS_WATCHED.get());
    7
}

fn watched<W: stead_workflow::Workflow>() -> Driver {
    keep_logs_on();
    let mut options = GuestOptions::default();
    options.poll_watch = Some(Arc::new(Watch));
    Driver::with_options::<W>(options)
}

workflow!(ReadsLate, |board, input: ()| -> u32 {
    workflow::sleep(SECOND).await?;
    Ok(read_clock())
});

#[test]
fn what_a_watch_sees_fails_the_task_and_says_what_to_do() {
    let mut run = watched::<ReadsLate>();
    run.activate(vec![initialize(&())]);
    let failure = run.try_activate(vec![fire(1)]).unwrap_err();
    assert_eq!(failure.cause, TaskFailureCause::NonDeterminism);
    let message = "workflow Order (order-1) called `clock`, which may give something else when it is replayed \
                   (determinism guard): use another; what is harmless goes into `workflow::unwatched`";
    assert_eq!((failure.failure.message.as_str(), failure.failure.stack_trace.as_str()), (message, "at the clock\n"));
}

workflow!(ReadsUnwatched, |board, input: ()| -> u32 {
    let unwatched = workflow::unwatched(read_clock);
    tracing::info!("a subscriber may read the clock");
    Ok(unwatched)
});

/// A log that reads the clock.
#[derive(Clone)]
struct Clocked(Log);

impl tracing::Subscriber for Clocked {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        self.0.enabled(metadata)
    }

    fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        self.0.new_span(span)
    }

    fn record(&self, span: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        self.0.record(span, values);
    }

    fn record_follows_from(&self, span: &tracing::span::Id, follows: &tracing::span::Id) {
        self.0.record_follows_from(span, follows);
    }

    fn event(&self, event: &tracing::Event<'_>) {
        read_clock();
        self.0.event(event);
    }

    fn enter(&self, span: &tracing::span::Id) {
        self.0.enter(span);
    }

    fn exit(&self, span: &tracing::span::Id) {
        self.0.exit(span);
    }
}

#[test]
fn what_is_unwatched_and_what_a_subscriber_does_is_not_seen() {
    let log = Log::default();
    let commands = tracing::subscriber::with_default(SkipReplays::new(Clocked(log.clone())), || {
        watched::<ReadsUnwatched>().activate(vec![initialize(&())])
    });
    assert!(matches!(commands[..], [Command::CompleteWorkflow { .. }]), "{commands:?}");
    assert_eq!(log.take(), ["INFO message=a subscriber may read the clock"]);
}

#[test]
fn a_subscriber_that_is_not_wrapped_is_seen() {
    let failed = tracing::subscriber::with_default(Clocked(Log::default()), || {
        watched::<ReadsUnwatched>().try_activate(vec![initialize(&())])
    });
    assert!(task_failure(failed).1.contains("called `clock`"));
}

#[test]
fn without_a_watch_nothing_is_seen_and_unwatched_just_calls() {
    let (_, commands) = Driver::start::<ReadsUnwatched>(());
    assert!(matches!(commands[..], [Command::CompleteWorkflow { .. }]), "{commands:?}");
    assert_eq!(workflow::unwatched(read_clock), 7);
}
