//! The request that the calling code belongs to.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use stead_data::metrics::{Meter, MetricSink};
use stead_data::nexus::Link;
use stead_data::{DataConverter, Extensions, current};

use crate::{CancelReason, Cancellation, Info};

thread_local! {
    static CURRENT: RefCell<Option<Context>> = const { RefCell::new(None) };
}

/// One request to a handler: what the functions of this crate speak to. Clones are cheap.
///
/// Needed by name only where work leaves the task or thread that the handler was started on:
///
/// ```no_run
/// # async fn charge() -> u64 { 1 }
/// # async fn example() -> stead_nexus::Result<u64> {
/// let context = stead_nexus::Context::current();
/// let charged = tokio::spawn(context.scope(async { charge().await })).await?;
/// # Ok(charged)
/// # }
/// ```
#[derive(Clone)]
pub struct Context(Arc<Inner>);

struct Inner {
    info: Arc<Info>,
    parts: ContextParts,
    links: Mutex<Vec<Link>>,
    /// Whether something goes on in place of the operation, or is about to.
    is_started: AtomicBool,
}

/// What a worker gives to a [`Context`].
///
/// Exhaustive on purpose: a worker must supply each part.
#[derive(Clone)]
pub struct ContextParts {
    /// Converts what goes in and what comes out.
    pub converter: DataConverter,
    /// Triggered by the worker when nobody waits for the answer any more.
    pub cancellation: Cancellation,
    /// Triggered by the worker when it is told to stop.
    pub worker_shutdown: Cancellation,
    /// Where the numbers go that the handler counts and measures.
    pub metrics: Option<Arc<dyn MetricSink>>,
    /// Whatever else the worker lends.
    pub extensions: Extensions,
}

impl Context {
    /// Describes a request that is about to be handled.
    pub fn new(info: Info, mut parts: ContextParts) -> Self {
        if let Cow::Owned(own) = parts.converter.in_context(|| info.owner()) {
            parts.converter = own;
        }
        Self(Arc::new(Inner {
            info: Arc::new(info),
            parts,
            links: Mutex::default(),
            is_started: AtomicBool::new(false),
        }))
    }

    /// The request that the calling code belongs to.
    ///
    /// # Panics
    ///
    /// Outside of a handler.
    #[track_caller]
    pub fn current() -> Self {
        match Self::try_current() {
            Some(context) => context,
            None => panic!("not in a Nexus handler: other tasks and threads need `Context::scope` or `Context::enter`"),
        }
    }

    /// The request that the calling code belongs to, if it belongs to one.
    pub fn try_current() -> Option<Self> {
        current::get(&CURRENT)
    }

    /// Makes `future` part of this request, wherever it is polled.
    pub async fn scope<F: Future>(self, future: F) -> F::Output {
        current::scope(&CURRENT, &self, future).await
    }

    /// Makes what `call` does on this thread part of this request.
    pub fn enter<T>(&self, call: impl FnOnce() -> T) -> T {
        current::enter(&CURRENT, self, call)
    }

    /// See [`info`].
    pub fn info(&self) -> Arc<Info> {
        Arc::clone(&self.0.info)
    }

    /// The signal that tells the handler to end.
    pub fn cancellation(&self) -> &Cancellation {
        &self.0.parts.cancellation
    }

    /// The signal that the worker is about to stop.
    pub fn worker_shutdown(&self) -> &Cancellation {
        &self.0.parts.worker_shutdown
    }

    /// See [`meter`].
    pub fn meter(&self) -> Meter {
        let Some(sink) = &self.0.parts.metrics else { return Meter::none() };
        let info = &self.0.info;
        Meter::new(Arc::clone(sink))
            .with_attribute("namespace", &info.namespace)
            .with_attribute("task_queue", &info.task_queue)
            .with_attribute("nexus_service", &info.service)
            .with_attribute("nexus_operation", &info.operation)
    }

    /// See [`data_converter`].
    pub fn data_converter(&self) -> &DataConverter {
        &self.0.parts.converter
    }

    /// See [`extension`].
    pub fn extension<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.0.parts.extensions.get()
    }

    /// See [`add_link`].
    pub fn add_link(&self, link: Link) {
        let mut links = self.links();
        if links.len() < MAX_LINKS && !links.contains(&link) {
            links.push(link);
        }
    }

    /// Something is about to be started that goes on in place of the operation; `None` if something does already. For the
    /// worker's client.
    pub fn begin_start(&self) -> Option<Starting> {
        let was_started = self.0.is_started.swap(true, Ordering::SeqCst);
        (!was_started).then(|| Starting { context: self.clone(), succeeded: false })
    }

    /// The links that were added. For the worker that reports them.
    pub fn take_links(&self) -> Vec<Link> {
        std::mem::take(&mut *self.links())
    }

    /// No foreign code runs under the lock, so a poisoned one is intact.
    fn links(&self) -> std::sync::MutexGuard<'_, Vec<Link>> {
        self.0.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`Context::begin_start`]. Dropping it lets something else be started.
#[derive(Debug)]
pub struct Starting {
    context: Context,
    succeeded: bool,
}

impl Starting {
    /// It goes on.
    pub fn succeeded(mut self) {
        self.succeeded = true;
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        if !self.succeeded {
            self.context.0.is_started.store(false, Ordering::SeqCst);
        }
    }
}

/// More than any server keeps.
const MAX_LINKS: usize = 100;

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let info = &self.0.info;
        f.debug_struct("Context")
            .field("service", &info.service)
            .field("operation", &info.operation)
            .finish_non_exhaustive()
    }
}

/// What is known of this request.
///
/// # Panics
///
/// Outside of a handler. [`in_operation`] tells.
#[track_caller]
pub fn info() -> Arc<Info> {
    Context::current().info()
}

/// Whether the calling code belongs to a handler of a Nexus operation.
pub fn in_operation() -> bool {
    CURRENT.with_borrow(Option::is_some)
}

/// Waits until nobody waits for this handler's answer any more, and says why. An asynchronous handler is dropped then;
/// this is for what it has started elsewhere.
///
/// # Panics
///
/// When called outside of a handler.
///
/// # Cancel safety
///
/// Nothing is lost when the future is dropped.
#[track_caller]
pub fn cancelled() -> impl Future<Output = CancelReason> + Send + 'static {
    let cancellation = Context::current().cancellation().clone();
    async move { cancellation.cancelled().await }
}

/// Whether nobody waits for this handler's answer any more. A blocking handler asks this now and then.
///
/// # Panics
///
/// Outside of a handler.
#[track_caller]
pub fn is_cancelled() -> bool {
    cancel_reason().is_some()
}

/// Why nobody waits for this handler's answer any more, once that is so.
///
/// # Panics
///
/// Outside of a handler.
#[track_caller]
pub fn cancel_reason() -> Option<CancelReason> {
    Context::current().cancellation().reason()
}

/// Waits until the worker is told to stop. The handler has the worker's grace period from then on.
///
/// # Panics
///
/// When called outside of a handler.
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

/// Whether the worker was told to stop.
///
/// # Panics
///
/// Outside of a handler.
#[track_caller]
pub fn is_worker_shutdown() -> bool {
    Context::current().worker_shutdown().reason().is_some()
}

/// Makes counters, gauges and histograms whose numbers go where the worker's metrics go, with the namespace, the task
/// queue, the service and the operation as attributes.
///
/// # Panics
///
/// Outside of a handler.
#[track_caller]
pub fn meter() -> Meter {
    Context::current().meter()
}

/// What turns the worker's values into payloads and back.
///
/// # Panics
///
/// Outside of a handler.
#[track_caller]
pub fn data_converter() -> DataConverter {
    Context::current().data_converter().clone()
}

/// What the worker lends to its handlers, by type: see `WorkerBuilder::nexus_extension`.
///
/// # Panics
///
/// Outside of a handler.
#[track_caller]
pub fn extension<T: Send + Sync + 'static>() -> Option<Arc<T>> {
    Context::current().extension()
}

/// Links the operation with something that its handler has done, for people who look at its caller. What
/// `nexus::client` and its siblings do is linked already. At most 100.
///
/// # Panics
///
/// Outside of a handler.
#[track_caller]
pub fn add_link(link: Link) {
    Context::current().add_link(link);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(operation: &str) -> Context {
        let info = Info { operation: operation.to_owned(), ..Info::default() };
        let parts = ContextParts {
            converter: DataConverter::new(),
            cancellation: Cancellation::new(),
            worker_shutdown: Cancellation::new(),
            metrics: None,
            extensions: Extensions::new(),
        };
        Context::new(info, parts)
    }

    #[tokio::test]
    async fn handlers_on_one_thread_do_not_mix() {
        let see = |operation: &'static str| {
            context(operation).scope(async {
                let before = info().operation.clone();
                tokio::task::yield_now().await;
                (before, info().operation.clone())
            })
        };
        let (one, two) = tokio::join!(see("one"), see("two"));
        assert_eq!(one, ("one".to_owned(), "one".to_owned()));
        assert_eq!(two, ("two".to_owned(), "two".to_owned()));
        assert!(!in_operation());
    }

    #[test]
    fn links_are_kept_once_and_not_without_end() {
        let context = context("charge");
        let link = |n: usize| Link::new(format!("temporal:///{n}"), "any");
        context.enter(|| (0..200).chain(0..2).for_each(|n| add_link(link(n))));
        assert_eq!(context.take_links(), (0..MAX_LINKS).map(link).collect::<Vec<_>>());
    }
}
