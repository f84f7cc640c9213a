//! Local activities.

use std::fmt;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::panic::Location;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use stead_activation::{ActivityCancellation, CallSite, Payload, ScheduleLocalActivity};
use stead_data::{Activity, ActivityDefaults, Arg, Bounded, ConversionError, RetryPolicy, Unbounded};

use super::activity::{ActivityHandle, Operation, Request, RunActivity};
use crate::context;
use crate::error::ActivityError;

/// Runs an activity in this worker, as part of the workflow task: without the task queue's latency, and without the
/// server knowing it before it has ended. For what is short, such as a look into a cache.
///
/// Await it for the result, or [`start`](LocalActivityCall::start) it for a handle. Either needs
/// [`start_to_close`](LocalActivityCall::start_to_close) or
/// [`schedule_to_close`](LocalActivityCall::schedule_to_close), here or in the activity's definition: without one there
/// is nothing to await. Heartbeats of a local activity go nowhere, and it cannot be completed from elsewhere. If the worker dies meanwhile it runs again.
///
/// Retries that are near happen within the workflow task, which is kept alive meanwhile. One that is farther away than
/// [`local_retry_threshold`](LocalActivityCall::local_retry_threshold) is waited for with a timer.
///
/// ```
/// use std::time::Duration;
/// use stead_data::Activity;
/// use stead_workflow as workflow;
///
/// struct Prices;
/// const LOOK_UP: Activity<Prices, String, u64> = Activity::new("look_up", 1);
///
/// async fn price() -> workflow::Result<u64> {
///     Ok(workflow::local_activity(LOOK_UP, "sku").start_to_close(Duration::from_secs(5)).await?)
/// }
/// ```
///
/// # Panics
///
/// Outside of workflow code.
#[track_caller]
pub fn local_activity<A: ?Sized, I, O, T>(
    activity: Activity<A, I, O, T>,
    args: impl Arg<I>,
) -> LocalActivityCall<O, T> {
    let arguments = args.encode(&context::current().drafts(), activity.arity());
    let mut call = LocalActivityCall::new(activity.name().to_owned(), arguments, Location::caller());
    if let Some(defaults) = activity.defaults() {
        call.apply(defaults);
    }
    call
}

/// Runs a local activity of which only the name is known. Several arguments are a tuple, none are `()`. The type of the
/// result is up to the caller. See [`local_activity`].
///
/// # Panics
///
/// Outside of workflow code.
#[track_caller]
pub fn local_activity_named<O>(name: impl Into<String>, args: impl Serialize) -> LocalActivityCall<O> {
    let arguments = context::current().drafts().to_arguments(&args);
    LocalActivityCall::new(name.into(), arguments, Location::caller())
}

/// A local activity that has not been scheduled. `T` says whether it has a timeout that bounds it.
#[must_use = "a local activity is scheduled when it is awaited or started"]
pub struct LocalActivityCall<O, T = Unbounded> {
    request: Box<ScheduleLocalActivity>,
    problem: Option<Box<ConversionError>>,
    at: CallSite,
    types: PhantomData<fn() -> (O, T)>,
}

impl<O, T> LocalActivityCall<O, T> {
    fn new(name: String, arguments: Result<Vec<Payload>, ConversionError>, at: CallSite) -> Self {
        let (arguments, problem) = match arguments {
            Ok(arguments) => (arguments, None),
            Err(problem) => (Vec::new(), Some(Box::new(problem))),
        };
        let request =
            ScheduleLocalActivity { activity_type: name, arguments, attempt: 1, ..ScheduleLocalActivity::default() };
        Self { request: Box::new(request), problem, at, types: PhantomData }
    }

    /// What a definition says of heartbeats and the task queue is not for local activities.
    fn apply(&mut self, defaults: ActivityDefaults<T>) {
        let request = &mut *self.request;
        request.start_to_close_timeout = defaults.start_to_close;
        request.schedule_to_close_timeout = defaults.schedule_to_close;
        request.schedule_to_start_timeout = defaults.schedule_to_start;
        request.retry_policy = defaults.retry.map(RetryPolicy::into_proto);
    }

    /// Limit on one attempt.
    pub fn start_to_close(mut self, limit: Duration) -> LocalActivityCall<O, Bounded> {
        self.request.start_to_close_timeout = Some(limit);
        self.bounded()
    }

    /// Limit from scheduling to the end of the last attempt.
    pub fn schedule_to_close(mut self, limit: Duration) -> LocalActivityCall<O, Bounded> {
        self.request.schedule_to_close_timeout = Some(limit);
        self.bounded()
    }

    /// Limit on waiting for a slot of the worker. Default: none.
    pub fn schedule_to_start(mut self, limit: Duration) -> Self {
        self.request.schedule_to_start_timeout = Some(limit);
        self
    }

    /// How often and when failed attempts are repeated. Default: without end, after 1 s at first, then twice as long
    /// each time, at most 100 s.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.request.retry_policy = Some(policy.into_proto());
        self
    }

    /// Retries farther away than this are waited for with a timer instead of within the workflow task. Default: one
    /// minute.
    pub fn local_retry_threshold(mut self, threshold: Duration) -> Self {
        self.request.local_retry_threshold = Some(threshold);
        self
    }

    /// What cancelling means. Default: [`ActivityCancellation::TryCancel`].
    pub fn cancellation(mut self, kind: ActivityCancellation) -> Self {
        self.request.cancellation = kind;
        self
    }

    /// Id of the activity. Default: the number of the call.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.request.activity_id = id.into();
        self
    }

    /// Records the arguments in history beside the result, for people who look at the workflow. Default: not.
    pub fn record_arguments(mut self) -> Self {
        self.request.include_arguments_in_marker = true;
        self
    }

    /// One line about the call, for people who look at the workflow. Default: none.
    ///
    /// # Panics
    ///
    /// Outside of workflow code.
    #[track_caller]
    pub fn summary(mut self, text: impl AsRef<str>) -> Self {
        match context::current().converter().to_payload(text.as_ref()) {
            Ok(payload) => self.request.summary = Some(payload),
            Err(problem) => self.problem = self.problem.or(Some(Box::new(problem))),
        }
        self
    }

    fn bounded(self) -> LocalActivityCall<O, Bounded> {
        LocalActivityCall { request: self.request, problem: self.problem, at: self.at, types: PhantomData }
    }
}

impl<O> LocalActivityCall<O, Bounded> {
    /// Schedules the local activity now. Dropping the handle does nothing to the activity.
    ///
    /// # Panics
    ///
    /// Outside of workflow code; in queries, validators and conditions.
    #[track_caller]
    pub fn start(self) -> ActivityHandle<O> {
        let mut future = self.into_operation();
        future.start(&context::current());
        ActivityHandle(future)
    }

    fn into_operation(self) -> Operation<O> {
        Operation::new(Request::Local(self.request), self.problem, self.at)
    }
}

impl<O: DeserializeOwned> IntoFuture for LocalActivityCall<O, Bounded> {
    type Output = Result<O, ActivityError>;
    type IntoFuture = RunActivity<O>;

    fn into_future(self) -> RunActivity<O> {
        RunActivity(self.into_operation())
    }
}

impl<O, T> fmt::Debug for LocalActivityCall<O, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalActivityCall({} at {})", self.request.activity_type, self.at)
    }
}
