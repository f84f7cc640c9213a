//! One attempt of an activity, without a server or a worker.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde::de::DeserializeOwned;
use stead_activity::{
    Activities, Cancellation, CancellationDetails, Context, ContextParts, Extensions, HeartbeatSink, Implementation,
    Info, Input, WorkflowInfo,
};
use stead_data::metrics::MetricSink;
use stead_data::{Activity, Arg, ConversionError, DataConverter, Failure, Payload};
use tokio::time::sleep;

/// Runs activities as a worker would, one attempt at a time: with an [`Info`], heartbeats that are kept, and
/// cancellation on demand.
///
/// Arguments and results pass through the data converter, as they do on a real server; an activity that is not `async`
/// runs on the blocking pool. Timeouts and retries are the server's and do not happen here. An environment may be used
/// for several attempts, which share its heartbeats and its cancellation.
///
/// ```
/// use stead_testing::ActivityEnv;
/// # use stead_activity::{Activities, Definition, Implementation, Input};
/// # use stead_data::Activity;
/// # struct Crawler;
/// # impl Crawler { const CRAWL: Activity<Crawler, u32, u32> = Activity::new("crawl", 1); }
/// # impl Activities for Crawler {
/// #     fn definitions(self: std::sync::Arc<Self>) -> Vec<Definition> {
/// #         let call = |input: Input| {
/// #             let pages: u32 = input.decode(1)?;
/// #             let done = stead_activity::heartbeat_details::<u32>()?.unwrap_or(0);
/// #             (done..pages).for_each(|page| stead_activity::heartbeat(&page));
/// #             input.encode(&(pages - done))
/// #         };
/// #         vec![Definition::new("crawl", Implementation::Blocking(std::sync::Arc::new(call)))]
/// #     }
/// # }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let env = ActivityEnv::new().heartbeat_details(&3);
/// let crawled = env.run(Crawler, Crawler::CRAWL, 5).await.unwrap();
/// assert_eq!(crawled, 2);
/// assert_eq!(env.heartbeats::<u32>().unwrap(), [3, 4]);
/// # }
/// ```
#[derive(Clone)]
pub struct ActivityEnv {
    info: Info,
    converter: DataConverter,
    extensions: Extensions,
    cancellation: Cancellation,
    worker_shutdown: Cancellation,
    metrics: Option<Arc<dyn MetricSink>>,
    heartbeats: Arc<Heartbeats>,
    cancel_after: Option<(Duration, CancellationDetails)>,
}

impl ActivityEnv {
    /// The first attempt of an activity of the workflow `test`, in the namespace `default` and the task queue `test`,
    /// with timeouts of 1 s that nobody watches, and without a heartbeat timeout.
    pub fn new() -> Self {
        Self {
            info: default_info(),
            converter: DataConverter::new(),
            extensions: Extensions::new(),
            cancellation: Cancellation::new(),
            worker_shutdown: Cancellation::new(),
            metrics: None,
            heartbeats: Arc::default(),
            cancel_after: None,
        }
    }

    /// Changes what the activity is told of its attempt. The activity's type is filled in when it runs.
    #[must_use]
    pub fn info(mut self, change: impl FnOnce(&mut Info)) -> Self {
        change(&mut self.info);
        self
    }

    /// What the attempt before this one left as the details of its last heartbeat. Default: nothing.
    ///
    /// # Panics
    ///
    /// If the details cannot be serialized. Set the [converter](Self::data_converter) first, if there is one.
    #[must_use]
    #[track_caller]
    pub fn heartbeat_details<T: Serialize + ?Sized>(mut self, details: &T) -> Self {
        match self.converter.to_payload(details) {
            Ok(payload) => self.info.heartbeat_details = vec![payload],
            Err(error) => panic!("the heartbeat details cannot be serialized: {error}"),
        }
        self
    }

    /// How values become payloads. Default: JSON.
    #[must_use]
    pub fn data_converter(mut self, converter: DataConverter) -> Self {
        self.converter = converter;
        self
    }

    /// Lends the activity a value, such as a client, which it asks for by its type.
    #[must_use]
    pub fn extension<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.extensions.insert(value);
        self
    }

    /// Where the numbers go that the activity counts and measures. Default: nowhere.
    #[must_use]
    pub fn metrics(mut self, sink: Arc<dyn MetricSink>) -> Self {
        self.metrics = Some(sink);
        self
    }

    /// Tells the activity that its worker is about to stop.
    pub fn shut_worker_down(&self) {
        self.worker_shutdown.cancel(CancellationDetails::worker_shutdown());
    }

    /// Cancels the attempt this long after it began, as on request of its workflow. Default: never.
    #[must_use]
    pub fn cancel_after(self, delay: Duration) -> Self {
        self.cancel_after_with(delay, CancellationDetails::cancel_requested())
    }

    /// Cancels the attempt this long after it began, for a reason of your choice.
    #[must_use]
    pub fn cancel_after_with(mut self, delay: Duration, details: CancellationDetails) -> Self {
        self.cancel_after = Some((delay, details));
        self
    }

    /// Cancels the attempt now, as on request of its workflow.
    pub fn cancel(&self) {
        self.cancel_with(CancellationDetails::cancel_requested());
    }

    /// Cancels the attempt now, for a reason of your choice. Only the first cancellation counts.
    pub fn cancel_with(&self, details: CancellationDetails) {
        self.cancellation.cancel(details);
    }

    /// The details of all heartbeats so far, none left out: unlike a worker, this keeps each of them.
    ///
    /// # Errors
    ///
    /// If the details of one are not a `T`.
    pub fn heartbeats<T: DeserializeOwned>(&self) -> Result<Vec<T>, ConversionError> {
        let sent = self.heartbeats.0.lock().unwrap_or_else(PoisonError::into_inner);
        let converter = self.converter.in_context(|| self.info.owner());
        sent.iter().map(|details| converter.from_payloads(details, 1)).collect()
    }

    /// Runs one attempt of an activity of `activities`.
    ///
    /// # Errors
    ///
    /// The activity's own error, with its panic turned into one as a worker would; or that of a conversion.
    ///
    /// # Panics
    ///
    /// If `activities` has neither an activity of the reference's name nor a dynamic one.
    pub async fn run<A: Activities, I, O: DeserializeOwned, T>(
        &self,
        activities: impl Into<Arc<A>>,
        activity: Activity<A, I, O, T>,
        input: impl Arg<I>,
    ) -> stead_activity::Result<O> {
        let definitions = activities.into().definitions();
        let is_named =
            |definition: &&stead_activity::Definition| !definition.is_dynamic && definition.name == activity.name();
        let dynamic = || definitions.iter().find(|definition| definition.is_dynamic);
        let Some(definition) = definitions.iter().find(is_named).or_else(dynamic).cloned() else {
            panic!("`{}` is no activity of `{}`", activity.name(), std::any::type_name::<A>());
        };
        let context = self.context(activity.name());
        let arguments = input.encode(context.data_converter(), activity.arity())?;
        let input = Input::new(arguments, context.data_converter().clone());
        let work = call(definition.implementation, input, context.clone());
        let result = self.with_cancellation(work).await;
        if let (Err(_), Some(failure)) = (&result, context.heartbeat_failure()) {
            return Err(stead_activity::Error::failure(failure.clone()));
        }
        Ok(context.data_converter().from_payload(&result?)?)
    }

    fn context(&self, activity_type: &str) -> Context {
        let mut info = self.info.clone();
        info.activity_type = activity_type.to_owned();
        let parts = ContextParts {
            converter: self.converter.clone(),
            heartbeat: Arc::clone(&self.heartbeats) as Arc<dyn HeartbeatSink>,
            cancellation: self.cancellation.clone(),
            worker_shutdown: self.worker_shutdown.clone(),
            metrics: self.metrics.clone(),
            extensions: self.extensions.clone(),
        };
        Context::new(info, parts)
    }

    /// Runs `work` while the moment of the cancellation, if there is one, may come.
    async fn with_cancellation<F: Future>(&self, work: F) -> F::Output {
        let Some((delay, details)) = self.cancel_after else { return work.await };
        let cancel = async {
            sleep(delay).await;
            self.cancel_with(details);
            std::future::pending().await
        };
        tokio::select! {
            biased;
            output = work => output,
            never = cancel => never,
        }
    }
}

/// Runs the code on a task or a thread of its own, where a panic of it ends.
async fn call(code: Implementation, input: Input, context: Context) -> stead_activity::Result<Payload> {
    let running = match code {
        Implementation::Async(call) => tokio::spawn(context.scope(async move { call(input).await })),
        Implementation::Blocking(call) => tokio::task::spawn_blocking(move || context.enter(|| call(input))),
    };
    match running.await {
        Ok(returned) => returned,
        Err(error) => Err(stead_activity::Error::failure(panicked(error))),
    }
}

fn panicked(error: tokio::task::JoinError) -> Failure {
    let message = match error.try_into_panic() {
        Ok(panic) => match panic.downcast_ref::<&str>() {
            Some(text) => (*text).to_owned(),
            None => panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "a panic that is no text".to_owned()),
        },
        Err(cancelled) => cancelled.to_string(),
    };
    Failure::application(format!("the activity panicked: {message}")).type_name("Panic")
}

impl Default for ActivityEnv {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ActivityEnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActivityEnv")
            .field("info", &self.info)
            .field("cancellation", &self.cancellation)
            .field("cancel_after", &self.cancel_after)
            .finish_non_exhaustive()
    }
}

/// Keeps what it is given.
#[derive(Default)]
struct Heartbeats(Mutex<Vec<Vec<Payload>>>);

impl HeartbeatSink for Heartbeats {
    fn heartbeat(&self, details: Vec<Payload>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(details);
    }
}

fn default_info() -> Info {
    let mut info = Info::default();
    info.activity_id = "test".to_owned();
    info.attempt = 1;
    info.namespace = "default".to_owned();
    info.task_queue = "test".to_owned();
    info.task_token = "test".into();
    info.workflow = Some(WorkflowInfo::new("test", "test-run", "test"));
    info.scheduled_time = Some(SystemTime::UNIX_EPOCH);
    info.current_attempt_scheduled_time = Some(SystemTime::UNIX_EPOCH);
    info.started_time = Some(SystemTime::UNIX_EPOCH);
    info.schedule_to_close_timeout = Some(Duration::from_secs(1));
    info.start_to_close_timeout = Some(Duration::from_secs(1));
    info
}
