//! Activities.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use stead_activation::{
    ActivityCancellation, ActivityResolution, CallSite, Command, Payload, ScheduleActivity, ScheduleLocalActivity, Seq,
};
use stead_data::{
    Activity, ActivityContext, ActivityDefaults, Arg, Bounded, ConversionError, DataConverter, Failure, IntoFailure,
    Priority, RetryPolicy, Unbounded,
};

use crate::context;
use crate::error::{self, ActivityError, Cancelled};
use crate::runtime::Runtime;

/// Runs an activity.
///
/// Await it for the result, or [`start`](ActivityCall::start) it for a handle. Either needs
/// [`start_to_close`](ActivityCall::start_to_close) or [`schedule_to_close`](ActivityCall::schedule_to_close), here or in
/// the activity's definition: without one there is nothing to await. What the call sets wins over the definition.
///
/// The activity is scheduled when the future is first polled. Dropping the pending future cancels it. Arguments are
/// encoded here, so nothing is borrowed.
///
/// ```
/// use std::time::Duration;
/// use stead_data::{Activity, RetryPolicy};
/// use stead_workflow as workflow;
///
/// struct Payments;
/// const CHARGE: Activity<Payments, (String, u64), u32> = Activity::new("charge", 2);
///
/// async fn charge() -> workflow::Result<u32> {
///     let receipt = workflow::activity(CHARGE, ("card".to_owned(), 5))
///         .start_to_close(Duration::from_secs(30))
///         .retry(RetryPolicy::default().max_attempts(5))
///         .await?;
///     Ok(receipt)
/// }
/// ```
///
/// # Panics
///
/// Outside of workflow code.
#[track_caller]
pub fn activity<A: ?Sized, I, O, T>(activity: Activity<A, I, O, T>, args: impl Arg<I>) -> ActivityCall<O, T> {
    let arguments = args.encode(&context::current().drafts(), activity.arity());
    let mut call = ActivityCall::new(activity.name().to_owned(), arguments, Location::caller());
    if let Some(defaults) = activity.defaults() {
        call.apply(defaults);
    }
    call
}

/// Runs an activity of which only the name is known, such as one that another language implements. Several
/// arguments are a tuple, none are `()`. The type of the result is up to the caller.
///
/// ```
/// use std::time::Duration;
/// use stead_workflow as workflow;
///
/// async fn charge() -> workflow::Result<u32> {
///     let call = workflow::activity_named::<u32>("Charge", ("card", 5));
///     Ok(call.start_to_close(Duration::from_secs(30)).await?)
/// }
/// ```
///
/// # Panics
///
/// Outside of workflow code.
#[track_caller]
pub fn activity_named<O>(name: impl Into<String>, args: impl Serialize) -> ActivityCall<O> {
    let arguments = context::current().drafts().to_arguments(&args);
    ActivityCall::new(name.into(), arguments, Location::caller())
}

/// An activity that has not been scheduled. `T` says whether it has a timeout that bounds it.
#[must_use = "an activity is scheduled when it is awaited or started"]
pub struct ActivityCall<O, T = Unbounded> {
    request: Box<ScheduleActivity>,
    problem: Option<Box<ConversionError>>,
    at: CallSite,
    types: PhantomData<fn() -> (O, T)>,
}

impl<O, T> ActivityCall<O, T> {
    fn new(name: String, arguments: Result<Vec<Payload>, ConversionError>, at: CallSite) -> Self {
        let (arguments, problem) = match arguments {
            Ok(arguments) => (arguments, None),
            Err(problem) => (Vec::new(), Some(Box::new(problem))),
        };
        let request = ScheduleActivity { activity_type: name, arguments, ..ScheduleActivity::default() };
        Self { request: Box::new(request), problem, at, types: PhantomData }
    }

    fn apply(&mut self, defaults: ActivityDefaults<T>) {
        let request = &mut *self.request;
        request.start_to_close_timeout = defaults.start_to_close;
        request.schedule_to_close_timeout = defaults.schedule_to_close;
        request.schedule_to_start_timeout = defaults.schedule_to_start;
        request.heartbeat_timeout = defaults.heartbeat;
        request.retry_policy = defaults.retry.map(RetryPolicy::into_proto);
        request.task_queue = defaults.task_queue.unwrap_or_default();
    }

    /// Limit on one attempt.
    pub fn start_to_close(mut self, limit: Duration) -> ActivityCall<O, Bounded> {
        self.request.start_to_close_timeout = Some(limit);
        self.bounded()
    }

    /// Limit from scheduling to the end of the last attempt.
    pub fn schedule_to_close(mut self, limit: Duration) -> ActivityCall<O, Bounded> {
        self.request.schedule_to_close_timeout = Some(limit);
        self.bounded()
    }

    /// Limit on waiting for a worker. Default: none.
    pub fn schedule_to_start(mut self, limit: Duration) -> Self {
        self.request.schedule_to_start_timeout = Some(limit);
        self
    }

    /// Limit between two heartbeats; the attempt times out if the activity is silent for longer. Default: none.
    pub fn heartbeat(mut self, limit: Duration) -> Self {
        self.request.heartbeat_timeout = Some(limit);
        self
    }

    /// How often and when failed attempts are repeated. Default: the server's, which repeats without end.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.request.retry_policy = Some(policy.into_proto());
        self
    }

    /// Task queue of the activity. Default: the workflow's.
    pub fn task_queue(mut self, name: impl Into<String>) -> Self {
        self.request.task_queue = name.into();
        self
    }

    /// What cancelling means. Default: [`ActivityCancellation::TryCancel`].
    pub fn cancellation(mut self, kind: ActivityCancellation) -> Self {
        self.request.cancellation = kind;
        self
    }

    /// Id of the activity, unique among those that are open in this run. Default: the number of the call.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.request.activity_id = id.into();
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

    /// Priority of the activity. Default: the workflow's.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.request.priority = Some(priority.into_proto());
        self
    }

    /// Does not run the activity on this worker ahead of the task queue, even if it has room. Default: it may.
    pub fn disable_eager(mut self) -> Self {
        self.request.disable_eager_execution = true;
        self
    }

    fn bounded(self) -> ActivityCall<O, Bounded> {
        ActivityCall { request: self.request, problem: self.problem, at: self.at, types: PhantomData }
    }
}

impl<O> ActivityCall<O, Bounded> {
    /// Schedules the activity now. Dropping the handle does nothing to the activity.
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
        Operation::new(Request::Remote(self.request), self.problem, self.at)
    }
}

impl<O: DeserializeOwned> IntoFuture for ActivityCall<O, Bounded> {
    type Output = Result<O, ActivityError>;
    type IntoFuture = RunActivity<O>;

    fn into_future(self) -> RunActivity<O> {
        RunActivity(self.into_operation())
    }
}

impl<O, T> fmt::Debug for ActivityCall<O, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ActivityCall({} at {})", self.request.activity_type, self.at)
    }
}

/// The future of an [`ActivityCall`] or a [`LocalActivityCall`](crate::LocalActivityCall).
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct RunActivity<O>(pub(super) Operation<O>);

impl<O: DeserializeOwned> Future for RunActivity<O> {
    type Output = Result<O, ActivityError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(cx)
    }
}

impl<O> Drop for RunActivity<O> {
    fn drop(&mut self) {
        let State::Pending(seq) = self.0.state else {
            return;
        };
        context::try_with(|runtime| {
            let is_pending = runtime.activities().borrow_mut().abandon(seq);
            if is_pending {
                runtime.cancel_activity(seq, None);
            }
        });
    }
}

/// An activity that was scheduled. Await it for the result.
#[derive(Debug)]
#[must_use = "nobody will see how the activity ends"]
pub struct ActivityHandle<O>(pub(super) Operation<O>);

impl<O> ActivityHandle<O> {
    /// Asks the activity to stop, if it has not ended. How the handle then resolves is up to the
    /// [kind of cancellation](ActivityCall::cancellation) that was chosen.
    ///
    /// # Panics
    ///
    /// Outside of workflow code; in queries, validators and conditions.
    #[track_caller]
    pub fn cancel(&self) {
        let State::Pending(seq) = self.0.state else {
            return;
        };
        let runtime = context::current();
        runtime.assert_writable("cancel an activity");
        let is_news = runtime.activities().borrow_mut().request_cancel(seq);
        if is_news {
            runtime.cancel_activity(seq, Some(Location::caller()));
        }
    }
}

impl<O: DeserializeOwned> Future for ActivityHandle<O> {
    type Output = Result<O, ActivityError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(cx)
    }
}

impl<O> Drop for ActivityHandle<O> {
    fn drop(&mut self) {
        if let State::Pending(seq) = self.0.state {
            context::try_with(|runtime| runtime.activities().borrow_mut().forget(seq));
        }
    }
}

/// What the future and the handle share. They differ in what dropping them means.
pub(super) struct Operation<O> {
    state: State,
    at: CallSite,
    /// Reads the result, if it wants to know whose that is.
    reader: Option<Box<DataConverter>>,
    result: PhantomData<fn() -> O>,
}

/// ```text
/// Unscheduled ──▶ Pending ──▶ Done
///      ├──▶ Cancelled ────────▶ ▲     scheduled in a scope that is cancelled
///      └──▶ TaskFailed                what it does matters no more
/// ```
enum State {
    Unscheduled(Request, Option<Box<ConversionError>>),
    Pending(Seq),
    Cancelled,
    TaskFailed,
    Done,
}

/// What is asked for. Both kinds share their numbers and their table.
pub(super) enum Request {
    Remote(Box<ScheduleActivity>),
    Local(Box<ScheduleLocalActivity>),
}

impl Request {
    fn activity_type(&self) -> &str {
        match self {
            Self::Remote(request) => &request.activity_type,
            Self::Local(request) => &request.activity_type,
        }
    }
}

impl<O> Operation<O> {
    pub(super) fn new(request: Request, problem: Option<Box<ConversionError>>, at: CallSite) -> Self {
        Self { state: State::Unscheduled(request, problem), at, reader: None, result: PhantomData }
    }

    /// Schedules the activity unless that has been tried before.
    #[track_caller]
    pub(super) fn start(&mut self, runtime: &Rc<Runtime>) {
        let State::Unscheduled(..) = self.state else {
            return;
        };
        runtime.assert_writable("schedule an activity");
        let State::Unscheduled(request, problem) = std::mem::replace(&mut self.state, State::Done) else {
            return;
        };
        self.state = match problem {
            _ if runtime.is_scope_cancelled() => State::Cancelled,
            Some(problem) => {
                runtime.fail_task(encoding_failure(&request, &problem));
                State::TaskFailed
            }
            None => {
                let seq = runtime.activities().borrow_mut().open(runtime.current_scope(), self.at);
                self.reader = match request {
                    Request::Remote(request) => schedule_remote(runtime, seq, request, self.at),
                    Request::Local(request) => schedule_local(runtime, seq, request, self.at),
                };
                State::Pending(seq)
            }
        };
    }
}

impl<O: DeserializeOwned> Operation<O> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<O, ActivityError>> {
        let runtime = context::current();
        self.start(&runtime);
        let seq = match self.state {
            State::Pending(seq) => seq,
            State::Cancelled => {
                self.state = State::Done;
                return Poll::Ready(Err(ActivityError::new(Cancelled.into_failure())));
            }
            State::TaskFailed => return Poll::Pending,
            State::Unscheduled(..) | State::Done => {
                panic!("an activity was polled after it had ended")
            }
        };
        let polled = runtime.activities().borrow_mut().poll(seq, cx);
        let Poll::Ready(resolution) = polled else {
            return Poll::Pending;
        };
        self.state = State::Done;
        match resolution {
            ActivityResolution::Completed(payload) => self.decode(&runtime, payload.as_ref()),
            ActivityResolution::Failed(failure) | ActivityResolution::Cancelled(failure) => {
                Poll::Ready(Err(ActivityError::new(Failure::from_proto(*failure))))
            }
            ActivityResolution::BackOff(_) => {
                runtime.fail_task(Failure::application("a backoff was reported for an activity that is not local"));
                self.state = State::TaskFailed;
                Poll::Pending
            }
        }
    }

    /// Decodes the result. One that is not an `O` is a bug that a `?` must not turn into the end of the workflow: the task
    /// fails, and this future never resolves.
    fn decode(&mut self, runtime: &Runtime, payload: Option<&Payload>) -> Poll<Result<O, ActivityError>> {
        match self.reader.as_deref().unwrap_or(runtime.converter()).from_result(payload) {
            Ok(value) => Poll::Ready(Ok(value)),
            Err(error) => {
                let message = format!("Failed decoding the result of the activity called at {}", self.at);
                runtime.fail_task(error::conversion(&message, &error));
                self.state = State::TaskFailed;
                Poll::Pending
            }
        }
    }
}

impl<O> fmt::Debug for Operation<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.state {
            State::Unscheduled(request, _) => {
                write!(f, "{} (not scheduled)", request.activity_type())
            }
            State::Pending(seq) => write!(f, "activity {seq} at {}", self.at),
            State::Cancelled | State::TaskFailed | State::Done => {
                write!(f, "ended activity of {}", self.at)
            }
        }
    }
}

fn schedule_remote(
    runtime: &Runtime,
    seq: Seq,
    mut request: Box<ScheduleActivity>,
    at: CallSite,
) -> Option<Box<DataConverter>> {
    request.seq = seq;
    if request.activity_id.is_empty() {
        request.activity_id = seq.to_string();
    }
    for interceptor in runtime.interceptors().rev() {
        interceptor.schedule_activity(&mut request);
    }
    let reader = reader(runtime, &request.activity_id, &request.activity_type, &request.task_queue, false);
    runtime.issue(Command::ScheduleActivity(request), at);
    reader
}

fn schedule_local(
    runtime: &Runtime,
    seq: Seq,
    mut request: Box<ScheduleLocalActivity>,
    at: CallSite,
) -> Option<Box<DataConverter>> {
    request.seq = seq;
    if request.activity_id.is_empty() {
        request.activity_id = seq.to_string();
    }
    for interceptor in runtime.interceptors().rev() {
        interceptor.schedule_local_activity(&mut request);
    }
    let reader = reader(runtime, &request.activity_id, &request.activity_type, "", true);
    // Kept, because the next attempt may be the code's to schedule.
    runtime.with_remote(|remote| remote.local.add(request.clone(), at));
    runtime.issue(Command::ScheduleLocalActivity(request), at);
    reader
}

/// What reads the result of an activity, if it wants to know whose that is.
fn reader(
    runtime: &Runtime,
    activity_id: &str,
    activity_type: &str,
    task_queue: &str,
    is_local: bool,
) -> Option<Box<DataConverter>> {
    runtime.kept_reader(|info| {
        let mut activity = ActivityContext::new(info.namespace(), activity_id);
        activity.activity_type = Some(activity_type.to_owned());
        let task_queue = if task_queue.is_empty() { info.task_queue() } else { task_queue };
        activity.task_queue = Some(task_queue.to_owned());
        activity.workflow = Some(info.owner());
        activity.is_local = is_local;
        activity.into()
    })
}

fn encoding_failure(request: &Request, problem: &ConversionError) -> Failure {
    error::conversion(&format!("Failed encoding a call of the activity {}", request.activity_type()), problem)
}
