//! The attempt that the calling code belongs to.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::Serialize;
use serde::de::DeserializeOwned;
use stead_data::metrics::{Meter, MetricSink};
use stead_data::{DataConverter, Failure, Payload, Raw, current};

use crate::definition::conversion_failure;
use crate::{Cancellation, CancellationDetails, Cancelled, Error, Extensions, Info, Result};

thread_local! {
    static CURRENT: RefCell<Option<Context>> = const { RefCell::new(None) };
}

/// One attempt of an activity: what the functions of this crate speak to. Clones are cheap.
///
/// Needed by name only where work leaves the task or thread that the activity was started on:
///
/// ```no_run
/// # async fn crawl() {}
/// # async fn example() -> stead_activity::Result<()> {
/// let context = stead_activity::Context::current();
/// tokio::spawn(context.scope(async {
///     crawl().await;
///     stead_activity::heartbeat("crawled");
/// })).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Context(Arc<Inner>);

struct Inner {
    info: Arc<Info>,
    parts: ContextParts,
    /// Why a heartbeat could not be encoded, the first time that happened.
    heartbeat_failure: OnceLock<Failure>,
}

/// What a worker gives to a [`Context`].
///
/// Exhaustive on purpose: a worker must supply each part.
#[derive(Clone)]
pub struct ContextParts {
    /// Encodes heartbeats and decodes their details.
    pub converter: DataConverter,
    /// Takes heartbeats.
    pub heartbeat: Arc<dyn HeartbeatSink>,
    /// Triggered by the worker.
    pub cancellation: Cancellation,
    /// Triggered by the worker when it is told to stop.
    pub worker_shutdown: Cancellation,
    /// Where the numbers go that the activity counts and measures.
    pub metrics: Option<Arc<dyn MetricSink>>,
    /// Whatever else the worker lends.
    pub extensions: Extensions,
}

/// Where heartbeats go.
pub trait HeartbeatSink: Send + Sync {
    /// Takes the details of one heartbeat. It must neither block nor fail; an older one that was not sent yet is
    /// replaced.
    fn heartbeat(&self, details: Vec<Payload>);
}

impl Context {
    /// Describes an attempt that is about to run.
    pub fn new(info: Info, mut parts: ContextParts) -> Self {
        if let Cow::Owned(own) = parts.converter.in_context(|| info.owner()) {
            parts.converter = own;
        }
        Self(Arc::new(Inner { info: Arc::new(info), parts, heartbeat_failure: OnceLock::new() }))
    }

    /// The attempt that the calling code belongs to.
    ///
    /// # Panics
    ///
    /// Outside of an activity.
    #[track_caller]
    pub fn current() -> Self {
        match Self::try_current() {
            Some(context) => context,
            None => panic!("not in an activity: other tasks and threads need `Context::scope` or `Context::enter`"),
        }
    }

    /// The attempt that the calling code belongs to, if it belongs to one.
    pub fn try_current() -> Option<Self> {
        current::get(&CURRENT)
    }

    /// Makes `future` part of this attempt, wherever it is polled.
    pub async fn scope<F: Future>(self, future: F) -> F::Output {
        current::scope(&CURRENT, &self, future).await
    }

    /// Makes what `call` does on this thread part of this attempt.
    pub fn enter<T>(&self, call: impl FnOnce() -> T) -> T {
        current::enter(&CURRENT, self, call)
    }

    /// See [`info`].
    pub fn info(&self) -> Arc<Info> {
        Arc::clone(&self.0.info)
    }

    /// See [`heartbeat`].
    pub fn heartbeat<T: Serialize + ?Sized>(&self, details: &T) {
        match self.0.parts.converter.to_payload(details) {
            Ok(payload) => self.0.parts.heartbeat.heartbeat(vec![payload]),
            Err(error) => {
                let failure = conversion_failure("Cancelling activity because failed recording heartbeat", &error);
                let _ = self.0.heartbeat_failure.set(failure);
                self.0.parts.cancellation.cancel(CancellationDetails::default());
            }
        }
    }

    /// Passes on what another process says of itself.
    #[cfg(unix)]
    pub(crate) fn send_heartbeat(&self, details: Vec<Payload>) {
        self.0.parts.heartbeat.heartbeat(details);
    }

    /// See [`heartbeat_details`].
    ///
    /// # Errors
    ///
    /// As [`heartbeat_details`].
    pub fn heartbeat_details<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        let Some(payload) = self.0.info.heartbeat_details.first() else { return Ok(None) };
        let decoded = self.0.parts.converter.from_payload(payload);
        decoded.map(Some).map_err(|error| {
            Error::failure(conversion_failure("Failed decoding heartbeat details", &error)).non_retryable()
        })
    }

    /// The signal that tells this attempt to end.
    pub fn cancellation(&self) -> &Cancellation {
        &self.0.parts.cancellation
    }

    /// See [`meter`].
    pub fn meter(&self) -> Meter {
        let Some(sink) = &self.0.parts.metrics else { return Meter::none() };
        let info = &self.0.info;
        Meter::new(Arc::clone(sink))
            .with_attribute("namespace", &info.namespace)
            .with_attribute("task_queue", &info.task_queue)
            .with_attribute("activity_type", &info.activity_type)
    }

    /// The signal that the worker is about to stop.
    pub fn worker_shutdown(&self) -> &Cancellation {
        &self.0.parts.worker_shutdown
    }

    /// See [`data_converter`].
    pub fn data_converter(&self) -> &DataConverter {
        &self.0.parts.converter
    }

    /// See [`extension`].
    pub fn extension<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.0.parts.extensions.get()
    }

    /// Why a heartbeat could not be encoded, which cancels the activity. For the worker that reports it.
    pub fn heartbeat_failure(&self) -> Option<&Failure> {
        self.0.heartbeat_failure.get()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let info = &self.0.info;
        f.debug_struct("Context")
            .field("activity_type", &info.activity_type)
            .field("activity_id", &info.activity_id)
            .field("attempt", &info.attempt)
            .finish_non_exhaustive()
    }
}

/// Tells the server that this attempt is alive, and how far it is. Returns at once.
///
/// The worker sends the first one at once and later ones not more often than 0.8 × the heartbeat timeout (30 s without
/// one, never less often than 60 s); the last value wins. The answer is how a cancellation arrives. If the attempt
/// fails, the next one finds the last `details` in [`heartbeat_details`].
///
/// Details that cannot be serialized cancel the activity, which then fails saying so.
///
/// # Panics
///
/// Outside of an activity.
#[track_caller]
pub fn heartbeat<T: Serialize + ?Sized>(details: &T) {
    Context::current().heartbeat(details);
}

/// Details of the last heartbeat of the attempt before this one; `None` on a first attempt, or if there was none.
///
/// ```no_run
/// # fn example() -> stead_activity::Result<()> {
/// let done = stead_activity::heartbeat_details::<usize>()?.unwrap_or(0);
/// # let _ = done;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// If the details are no `T`: an application failure that is not retried, as the next attempt would find the same.
///
/// # Panics
///
/// Outside of an activity.
#[track_caller]
pub fn heartbeat_details<T: DeserializeOwned>() -> Result<Option<T>> {
    Context::current().heartbeat_details()
}

/// What is known of this attempt.
///
/// # Panics
///
/// Outside of an activity. [`in_activity`] tells.
#[track_caller]
pub fn info() -> Arc<Info> {
    Context::current().info()
}

/// Whether the calling code belongs to an activity.
pub fn in_activity() -> bool {
    CURRENT.with_borrow(Option::is_some)
}

/// Waits until this attempt should end, and says why.
///
/// # Panics
///
/// When called outside of an activity.
///
/// # Cancel safety
///
/// Nothing is lost when the future is dropped.
#[track_caller]
pub fn cancelled() -> impl Future<Output = CancellationDetails> + Send + 'static {
    let cancellation = Context::current().cancellation().clone();
    async move { cancellation.cancelled().await }
}

/// Whether this attempt should end.
///
/// # Panics
///
/// Outside of an activity.
#[track_caller]
pub fn is_cancelled() -> bool {
    Context::current().cancellation().is_cancelled()
}

/// Why this attempt should end, once it should.
///
/// # Panics
///
/// Outside of an activity.
#[track_caller]
pub fn cancellation_details() -> Option<CancellationDetails> {
    Context::current().cancellation().details()
}

/// Returns from a blocking activity that should end: `activity::check_cancelled()?`.
///
/// # Errors
///
/// [`Cancelled`] once this attempt should end.
///
/// # Panics
///
/// Outside of an activity.
#[track_caller]
pub fn check_cancelled() -> std::result::Result<(), Cancelled> {
    match cancellation_details() {
        Some(details) => Err(Cancelled::new(details)),
        None => Ok(()),
    }
}

/// Waits until the worker is told to stop. The activity has the worker's grace period from then on; after that it is
/// [cancelled](cancelled).
///
/// # Panics
///
/// When called outside of an activity.
///
/// # Cancel safety
///
/// Nothing is lost when the future is dropped.
#[track_caller]
pub fn worker_shutdown() -> impl Future<Output = ()> + Send + 'static {
    let shutdown = Context::current().worker_shutdown().clone();
    async move {
        shutdown.cancelled().await;
    }
}

/// Whether the worker was told to stop. A blocking activity asks this where an asynchronous one waits for
/// [`worker_shutdown`].
///
/// # Panics
///
/// Outside of an activity.
#[track_caller]
pub fn is_worker_shutdown() -> bool {
    Context::current().worker_shutdown().details().is_some()
}

/// Makes counters, gauges and histograms whose numbers go where the worker's metrics go, with the activity's namespace,
/// task queue and type as attributes.
///
/// ```
/// # async fn charge() -> stead_activity::Result<()> {
/// stead_activity::meter().counter("cards_charged").add(1);
/// # Ok(())
/// # }
/// ```
///
/// # Panics
///
/// Outside of an activity.
#[track_caller]
pub fn meter() -> Meter {
    Context::current().meter()
}

/// What turns the worker's values into payloads and back.
///
/// # Panics
///
/// Outside of an activity.
#[track_caller]
pub fn data_converter() -> DataConverter {
    Context::current().data_converter().clone()
}

/// Reads an argument of a dynamic activity.
///
/// # Errors
///
/// If it is not a `T`: a retryable failure, as for the arguments of any other activity.
///
/// # Panics
///
/// Outside of an activity.
#[track_caller]
pub fn decode<T: DeserializeOwned>(argument: &Raw) -> Result<T> {
    let decoded = Context::current().data_converter().from_payload(&argument.0);
    decoded.map_err(|error| Error::failure(conversion_failure("Failed decoding an argument", &error)))
}

/// What the worker lends to its activities: its client, by the client's type; the one that it has now, if its client was
/// replaced.
///
/// # Panics
///
/// Outside of an activity.
#[track_caller]
pub fn extension<T: Send + Sync + 'static>() -> Option<Arc<T>> {
    Context::current().extension()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Recorder(Mutex<Vec<Vec<Payload>>>);

    impl HeartbeatSink for Recorder {
        fn heartbeat(&self, details: Vec<Payload>) {
            self.0.lock().expect("no panic while locked").push(details);
        }
    }

    fn context(info: Info) -> (Context, Arc<Recorder>) {
        let recorder = Arc::new(Recorder::default());
        let parts = ContextParts {
            converter: DataConverter::new(),
            heartbeat: Arc::clone(&recorder) as Arc<dyn HeartbeatSink>,
            cancellation: Cancellation::new(),
            worker_shutdown: Cancellation::new(),
            metrics: None,
            extensions: Extensions::new(),
        };
        (Context::new(info, parts), recorder)
    }

    fn named(activity_id: &str) -> Info {
        Info { activity_id: activity_id.to_owned(), ..Info::default() }
    }

    #[test]
    fn a_blocking_activity_sees_its_own_attempt_and_the_thread_is_clean_after() {
        let (outer, _) = context(named("outer"));
        let (inner, _) = context(named("inner"));
        outer.enter(|| {
            inner.enter(|| assert_eq!(info().activity_id, "inner"));
            assert_eq!(info().activity_id, "outer");
        });
        assert!(!in_activity());
    }

    #[test]
    fn a_panic_leaves_no_attempt_behind() {
        let (context, _) = context(named("a"));
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| context.enter(|| panic!("boom"))));
        assert!(panicked.is_err());
        assert!(!in_activity());
    }

    #[tokio::test]
    async fn asynchronous_activities_on_one_thread_do_not_mix() {
        let see = |id: &'static str| {
            context(named(id)).0.scope(async {
                let before = info().activity_id.clone();
                tokio::task::yield_now().await;
                (before, info().activity_id.clone())
            })
        };
        let (one, two) = tokio::join!(see("one"), see("two"));
        assert_eq!(one, ("one".to_owned(), "one".to_owned()));
        assert_eq!(two, ("two".to_owned(), "two".to_owned()));
        assert!(!in_activity());
    }

    #[test]
    fn heartbeats_are_encoded_and_the_details_of_the_last_attempt_decoded() {
        let (first, recorder) = context(named("a"));
        first.enter(|| heartbeat(&7_u32));
        let sent = recorder.0.lock().expect("no panic while locked").pop().expect("one heartbeat");
        let (second, _) = context(Info { heartbeat_details: sent, ..named("a") });
        second.enter(|| {
            assert_eq!(heartbeat_details::<u32>().expect("is a number"), Some(7));
            let failure = heartbeat_details::<Vec<u8>>().expect_err("is no list").into_failure();
            assert_eq!(failure.message, "Failed decoding heartbeat details");
            assert!(failure.find_application().expect("an application failure").1.non_retryable);
        });
    }

    #[test]
    fn a_heartbeat_that_cannot_be_encoded_cancels_the_activity() {
        struct Broken;
        impl Serialize for Broken {
            fn serialize<S: serde::Serializer>(&self, _: S) -> std::result::Result<S::Ok, S::Error> {
                Err(serde::ser::Error::custom("broken"))
            }
        }
        let (context, recorder) = context(named("a"));
        context.enter(|| {
            heartbeat(&Broken);
            assert!(check_cancelled().is_err());
        });
        assert!(recorder.0.lock().expect("no panic while locked").is_empty());
        let failure = context.heartbeat_failure().expect("remembered");
        assert_eq!(failure.message, "Cancelling activity because failed recording heartbeat");
    }

    #[tokio::test]
    async fn a_cancellation_wakes_the_activity_with_its_reason() {
        let (context, _) = context(named("a"));
        let cancellation = context.cancellation().clone();
        let activity = tokio::spawn(context.scope(async {
            assert!(check_cancelled().is_ok());
            let why = cancelled().await;
            (why, cancellation_details(), is_cancelled())
        }));
        tokio::task::yield_now().await;
        let why = CancellationDetails::cancel_requested();
        cancellation.cancel(why);
        assert_eq!(activity.await.expect("does not panic"), (why, Some(why), true));
    }
}
