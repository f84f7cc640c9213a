//! How an attempt ended, and what the server is told about it.

use stead_activity::{CancellationDetails, Context, Error};
use stead_data::{Failure, FailureKind, Payload};
use tokio::task::JoinError;

use crate::driver::panic_message;

/// How the code of an activity ended.
#[derive(Debug)]
pub(super) enum Ended {
    Returned(stead_activity::Result<Payload>),
    Panicked(String),
    /// It was asked to end and did not in time.
    Abandoned,
}

/// What the server is told.
#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    Completed(Payload),
    Failed {
        failure: Box<Failure>,
        /// Details of a heartbeat that the throttle still held, for the next attempt to find.
        unsent_heartbeat: Option<Vec<Payload>>,
    },
    Cancelled(Vec<Payload>),
    /// Nothing yet: somebody else completes it.
    CompleteAsync,
    /// Nothing: the server has given the attempt up.
    Lost,
}

impl Ended {
    pub(super) fn of(joined: Result<stead_activity::Result<Payload>, JoinError>) -> Self {
        match joined.map_err(JoinError::try_into_panic) {
            Ok(returned) => Self::Returned(returned),
            Err(Ok(panic)) => Self::Panicked(panic_message(&*panic).to_owned()),
            // Only the end of the runtime cancels the task.
            Err(Err(_cancelled)) => Self::Abandoned,
        }
    }
}

impl Outcome {
    pub(super) fn of(ended: Ended, context: &Context, unsent_heartbeat: Option<Vec<Payload>>) -> Self {
        let details = context.cancellation().details();
        if details.is_some_and(|details| details.not_found) {
            return Self::Lost;
        }
        let failure = match ended {
            Ended::Returned(Ok(result)) => return Self::Completed(result),
            Ended::Returned(Err(error)) if error.is_complete_async() => return Self::CompleteAsync,
            Ended::Returned(Err(error)) if error.is_cancelled() => match unhandled(details, context, error) {
                Unhandled::Cancelled(details) => return Self::Cancelled(details),
                Unhandled::Failed(failure) => failure,
            },
            Ended::Returned(Err(error)) => error.into_failure(),
            Ended::Panicked(message) => panicked(&message),
            Ended::Abandoned if details.is_some_and(|details| details.timed_out) => return Self::Lost,
            Ended::Abandoned if details.is_none() => worker_shutdown(),
            // It was dropped, which is how a future ends by its cancellation.
            Ended::Abandoned => match unhandled(details, context, Error::cancelled()) {
                Unhandled::Cancelled(details) => return Self::Cancelled(details),
                Unhandled::Failed(failure) => failure,
            },
        };
        Self::Failed { failure: Box::new(failure), unsent_heartbeat }
    }

    /// It did not begin.
    pub(super) fn turned_away() -> Self {
        Self::failed(Failure::application("Worker shutting down").type_name(WORKER_SHUTDOWN))
    }

    pub(super) fn failed(failure: Failure) -> Self {
        Self::Failed { failure: Box::new(failure), unsent_heartbeat: None }
    }
}

enum Unhandled {
    Cancelled(Vec<Payload>),
    Failed(Failure),
}

/// The activity ended by its cancellation. What that means depends on who wanted it.
fn unhandled(details: Option<CancellationDetails>, context: &Context, error: Error) -> Unhandled {
    if let Some(failure) = context.heartbeat_failure() {
        return Unhandled::Failed(failure.clone());
    }
    Unhandled::Failed(match details {
        Some(details) if details.paused => unhandled_cancel("pause", "ActivityPause"),
        Some(details) if details.reset => unhandled_cancel("reset", "ActivityReset"),
        Some(details) if details.cancel_requested => return Unhandled::Cancelled(cancellation_details(error)),
        Some(details) if details.worker_shutdown => worker_shutdown(),
        Some(_) => Failure::application("the activity ended because its time was over").type_name("TimedOut"),
        None => {
            let message = "the activity ended as cancelled, but nobody asked it to";
            Failure::application(message).type_name("CancelledError")
        }
    })
}

fn cancellation_details(error: Error) -> Vec<Payload> {
    match error.into_failure().kind {
        FailureKind::Cancelled { details, .. } => details,
        _ => Vec::new(),
    }
}

fn unhandled_cancel(by: &str, type_name: &str) -> Failure {
    let message = format!("Unhandled activity cancel error produced by activity {by}");
    Failure::application(message).type_name(type_name)
}

fn worker_shutdown() -> Failure {
    let message = "Worker is shutting down and this activity did not complete in time";
    Failure::application(message).type_name(WORKER_SHUTDOWN)
}

const WORKER_SHUTDOWN: &str = "WorkerShutdown";

fn panicked(message: &str) -> Failure {
    Failure::application(format!("the activity panicked: {message}")).type_name("Panic")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use stead_activity::{Cancellation, ContextParts, Extensions, HeartbeatSink, Info};
    use stead_data::DataConverter;

    use super::*;

    struct Ignored;

    impl HeartbeatSink for Ignored {
        fn heartbeat(&self, _details: Vec<Payload>) {}
    }

    fn context(cancelled: Option<CancellationDetails>) -> Context {
        let cancellation = Cancellation::new();
        if let Some(details) = cancelled {
            cancellation.cancel(details);
        }
        let parts = ContextParts {
            converter: DataConverter::new(),
            heartbeat: Arc::new(Ignored),
            cancellation,
            worker_shutdown: Cancellation::new(),
            metrics: None,
            extensions: Extensions::new(),
        };
        Context::new(Info::default(), parts)
    }

    fn ended_as_cancelled(details: Option<CancellationDetails>) -> Outcome {
        Outcome::of(Ended::Returned(Err(Error::cancelled())), &context(details), None)
    }

    fn failure_type(outcome: &Outcome) -> Option<&str> {
        let Outcome::Failed { failure, .. } = outcome else { return None };
        failure.find_application().map(|(_, application)| application.type_name.as_str())
    }

    fn with(set: fn(&mut CancellationDetails)) -> CancellationDetails {
        let mut details = CancellationDetails::default();
        set(&mut details);
        details
    }

    #[test]
    fn a_cancellation_is_reported_by_who_wanted_it() {
        assert_eq!(ended_as_cancelled(Some(CancellationDetails::cancel_requested())), Outcome::Cancelled(Vec::new()));
        assert_eq!(ended_as_cancelled(Some(CancellationDetails::not_found())), Outcome::Lost);
        let cases = [
            (with(|it| it.paused = true), "ActivityPause"),
            (with(|it| it.reset = true), "ActivityReset"),
            (CancellationDetails::worker_shutdown(), "WorkerShutdown"),
            (CancellationDetails::timed_out(), "TimedOut"),
        ];
        for (details, expected) in cases {
            assert_eq!(failure_type(&ended_as_cancelled(Some(details))), Some(expected), "{details:?}");
        }
        assert_eq!(failure_type(&ended_as_cancelled(None)), Some("CancelledError"));
    }

    #[test]
    fn an_activity_that_ignores_its_cancellation_completes() {
        let context = context(Some(CancellationDetails::cancel_requested()));
        let outcome = Outcome::of(Ended::Returned(Ok(Payload::default())), &context, None);
        assert_eq!(outcome, Outcome::Completed(Payload::default()));
    }

    #[test]
    fn a_panic_is_a_retryable_failure_with_its_text() {
        let outcome = Outcome::of(Ended::Panicked("index out of bounds".to_owned()), &context(None), None);
        assert_eq!(failure_type(&outcome), Some("Panic"));
        let Outcome::Failed { failure, .. } = outcome else { panic!("a panic fails the activity") };
        assert_eq!(failure.message, "the activity panicked: index out of bounds");
        assert!(!failure.find_application().expect("an application failure").1.non_retryable);
    }

    #[test]
    fn a_failure_takes_the_held_back_heartbeat_along() {
        let heartbeat = vec![Payload::default()];
        let outcome = Outcome::of(Ended::Returned(Err("no".into())), &context(None), Some(heartbeat.clone()));
        let Outcome::Failed { unsent_heartbeat, .. } = outcome else { panic!("an error fails the activity") };
        assert_eq!(unsent_heartbeat, Some(heartbeat));
    }

    #[test]
    fn what_is_abandoned_at_shutdown_is_retried_elsewhere() {
        let shutdown = context(Some(CancellationDetails::worker_shutdown()));
        assert_eq!(failure_type(&Outcome::of(Ended::Abandoned, &shutdown, None)), Some("WorkerShutdown"));
        let timed_out = context(Some(CancellationDetails::timed_out()));
        assert_eq!(Outcome::of(Ended::Abandoned, &timed_out, None), Outcome::Lost);
    }

    #[test]
    fn what_is_dropped_after_its_cancellation_ended_by_it() {
        let cancelled = context(Some(CancellationDetails::cancel_requested()));
        assert_eq!(Outcome::of(Ended::Abandoned, &cancelled, None), Outcome::Cancelled(Vec::new()));
        let paused = context(Some(with(|it| it.paused = true)));
        assert_eq!(failure_type(&Outcome::of(Ended::Abandoned, &paused, None)), Some("ActivityPause"));
    }
}
