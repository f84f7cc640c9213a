//! Child workflows.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use stead_activation::{
    CallSite, ChildWorkflowCancellation, ChildWorkflowResolution, ChildWorkflowStart, Command, Payload, Seq,
    SignalTarget, StartChildWorkflow,
};
use stead_data::{
    Arg, ConversionError, Failure, ParentClosePolicy, Priority, RetryPolicy, SearchAttributeUpdate, Signal, Untyped,
    WorkflowContext, WorkflowFn, WorkflowIdReusePolicy,
};

use super::external::SendSignal;
use crate::context;
use crate::error::{self, ALREADY_STARTED, Cancelled, ChildError};
use crate::runtime::Runtime;

/// Runs another workflow as a child of this one.
///
/// Await it to start the child and wait for its result, or [`start`](ChildCall::start) it for a [handle](ChildHandle).
/// Dropping the pending future cancels the child, dropping the handle does nothing.
///
/// ```
/// use stead_data::WorkflowFn;
/// use stead_workflow as workflow;
///
/// struct Shipping;
/// const RUN: WorkflowFn<Shipping, String, u64> = WorkflowFn::new("Shipping", 1);
///
/// async fn ship() -> workflow::Result<u64> {
///     let parcel = workflow::child(RUN, "order-1").id("ship-1").start().await?;
///     Ok(parcel.result().await?)
/// }
/// ```
///
/// # Panics
///
/// Outside of workflow code.
#[track_caller]
pub fn child<W: ?Sized, I, O>(workflow: WorkflowFn<W, I, O>, args: impl Arg<I>) -> ChildCall<W, O> {
    let arguments = args.encode(&context::current().drafts(), workflow.arity());
    ChildCall::new(workflow.name().to_owned(), arguments, Location::caller())
}

/// Runs another workflow of which only the type is known, such as one that another language implements. Several
/// arguments are a tuple, none are `()`. The type of the result is up to the caller. See [`child`].
///
/// # Panics
///
/// Outside of workflow code.
#[track_caller]
pub fn child_named<O>(workflow_type: impl Into<String>, args: impl Serialize) -> ChildCall<Untyped, O> {
    let arguments = context::current().drafts().to_arguments(&args);
    ChildCall::new(workflow_type.into(), arguments, Location::caller())
}

/// A child workflow that has not been started.
#[must_use = "a child workflow is started when this is awaited, or what `start` returns"]
pub struct ChildCall<W: ?Sized, O> {
    request: Box<StartChildWorkflow>,
    problem: Option<Box<ConversionError>>,
    at: CallSite,
    types: PhantomData<fn(&W) -> O>,
}

impl<W: ?Sized, O> ChildCall<W, O> {
    fn new(workflow_type: String, arguments: Result<Vec<Payload>, ConversionError>, at: CallSite) -> Self {
        let request = StartChildWorkflow { workflow_type, ..StartChildWorkflow::default() };
        let call = Self { request: Box::new(request), problem: None, at, types: PhantomData };
        call.encoded(arguments, |request, arguments| request.arguments = arguments)
    }

    /// Id of the child. Default: a [`uuid`](crate::uuid()) of this run.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.request.workflow_id = id.into();
        self
    }

    /// Namespace of the child. Default: this workflow's own.
    pub fn namespace(mut self, name: impl Into<String>) -> Self {
        self.request.namespace = name.into();
        self
    }

    /// Task queue of the child. Default: this workflow's.
    pub fn task_queue(mut self, name: impl Into<String>) -> Self {
        self.request.task_queue = name.into();
        self
    }

    /// Limit on the whole chain of the child's runs. Default: none.
    pub fn execution_timeout(mut self, limit: Duration) -> Self {
        self.request.execution_timeout = Some(limit);
        self
    }

    /// Limit on one run of the child. Default: none.
    pub fn run_timeout(mut self, limit: Duration) -> Self {
        self.request.run_timeout = Some(limit);
        self
    }

    /// Limit on one workflow task of the child. Default: the server's, 10 s.
    pub fn task_timeout(mut self, limit: Duration) -> Self {
        self.request.task_timeout = Some(limit);
        self
    }

    /// What becomes of the child when this workflow closes. Default: the server terminates it.
    pub fn parent_close_policy(mut self, policy: ParentClosePolicy) -> Self {
        self.request.parent_close_policy = policy.into();
        self
    }

    /// Whether the id may be used again after a workflow that is closed. Default: it may.
    pub fn id_reuse_policy(mut self, policy: WorkflowIdReusePolicy) -> Self {
        self.request.id_reuse_policy = policy.into();
        self
    }

    /// How often and when a failed run is repeated. Default: not at all.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.request.retry_policy = Some(policy.into_proto());
        self
    }

    /// Runs the child again and again, at the times of this cron schedule.
    pub fn cron(mut self, schedule: impl Into<String>) -> Self {
        self.request.cron_schedule = schedule.into();
        self
    }

    /// What cancelling means. Default: [`ChildWorkflowCancellation::WaitCancellationCompleted`].
    pub fn cancellation(mut self, kind: ChildWorkflowCancellation) -> Self {
        self.request.cancellation = kind;
        self
    }

    /// Priority of the child. Default: this workflow's.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.request.priority = Some(priority.into_proto());
        self
    }

    /// Search attributes of the child.
    pub fn search_attributes(mut self, attributes: impl IntoIterator<Item = SearchAttributeUpdate>) -> Self {
        self.request.search_attributes.extend(attributes.into_iter().map(SearchAttributeUpdate::into_entry));
        self
    }

    /// Sets a value of the child's memo.
    ///
    /// # Panics
    ///
    /// Outside of workflow code.
    #[track_caller]
    pub fn memo<T: Serialize + ?Sized>(self, key: impl Into<String>, value: &T) -> Self {
        let payload = context::current().drafts().to_payload(value);
        self.encoded(payload, |request, payload| drop(request.memo.insert(key.into(), payload)))
    }

    /// One line about the child, for people who look at it. Default: none.
    ///
    /// # Panics
    ///
    /// Outside of workflow code.
    #[track_caller]
    pub fn summary(self, text: impl AsRef<str>) -> Self {
        let payload = context::current().converter().to_payload(text.as_ref());
        self.encoded(payload, |request, payload| request.summary = Some(payload))
    }

    /// More about the child, in Markdown, for people who look at it. Default: none.
    ///
    /// # Panics
    ///
    /// Outside of workflow code.
    #[track_caller]
    pub fn details(self, text: impl AsRef<str>) -> Self {
        let payload = context::current().converter().to_payload(text.as_ref());
        self.encoded(payload, |request, payload| request.details = Some(payload))
    }

    /// Starts the child. Awaiting it waits until the child has started; nothing is sent before.
    pub fn start(self) -> StartChild<W, O> {
        let id = self.request.workflow_id.clone();
        StartChild { state: State::Unsent(self.request, self.problem), at: self.at, id, types: PhantomData }
    }

    fn encoded<P>(mut self, value: Result<P, ConversionError>, keep: impl FnOnce(&mut StartChildWorkflow, P)) -> Self {
        match value {
            Ok(value) => keep(&mut self.request, value),
            Err(problem) => self.problem = self.problem.or(Some(Box::new(problem))),
        }
        self
    }
}

impl<W: ?Sized, O: DeserializeOwned> IntoFuture for ChildCall<W, O> {
    type Output = Result<O, ChildError>;
    type IntoFuture = RunChild<W, O>;

    fn into_future(self) -> RunChild<W, O> {
        RunChild(Running::Starting(self.start()))
    }
}

impl<W: ?Sized, O> fmt::Debug for ChildCall<W, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChildCall({} at {})", self.request.workflow_type, self.at)
    }
}

/// ```text
/// Unsent ──▶ Pending ──▶ Done
///    ├──▶ Done           in a scope that is cancelled
///    └──▶ TaskFailed     what it does matters no more
/// ```
enum State {
    Unsent(Box<StartChildWorkflow>, Option<Box<ConversionError>>),
    Pending(Seq),
    TaskFailed,
    Done,
}

/// The future of [`ChildCall::start`]: the handle of the child once it has started.
#[must_use = "futures do nothing unless awaited"]
pub struct StartChild<W: ?Sized, O> {
    state: State,
    at: CallSite,
    id: String,
    types: PhantomData<fn(&W) -> O>,
}

impl<W: ?Sized, O> StartChild<W, O> {
    fn send(&mut self, runtime: &Runtime) {
        if !matches!(self.state, State::Unsent(..)) {
            return;
        }
        runtime.assert_writable("start a child workflow");
        let State::Unsent(mut request, problem) = std::mem::replace(&mut self.state, State::TaskFailed) else { return };
        if let Some(problem) = problem {
            let message = format!("Failed encoding a call of the child workflow {}", request.workflow_type);
            return runtime.fail_task(error::conversion(&message, &problem));
        }
        if request.workflow_id.is_empty() {
            request.workflow_id = crate::uuid().to_string();
        }
        let seq = runtime.with_remote(|remote| remote.children.open(runtime.current_scope(), self.at));
        request.seq = seq;
        for interceptor in runtime.interceptors().rev() {
            interceptor.start_child_workflow(&mut request);
        }
        self.id.clone_from(&request.workflow_id);
        runtime.issue(Command::StartChildWorkflow(request), self.at);
        self.state = State::Pending(seq);
    }
}

impl<W: ?Sized, O> Future for StartChild<W, O> {
    type Output = Result<ChildHandle<W, O>, ChildError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let runtime = context::current();
        if matches!(self.state, State::Unsent(_, None)) && runtime.is_scope_cancelled() {
            self.state = State::Done;
            return Poll::Ready(Err(ChildError::new(stead_data::IntoFailure::into_failure(Cancelled))));
        }
        self.send(&runtime);
        let seq = match self.state {
            State::Pending(seq) => seq,
            State::TaskFailed => return Poll::Pending,
            State::Unsent(..) | State::Done => panic!("the start of a child workflow was polled after it had ended"),
        };
        let polled = runtime.with_remote(|remote| remote.children.poll_start(seq, cx));
        let Poll::Ready(start) = polled else { return Poll::Pending };
        self.state = State::Done;
        let (id, at) = (std::mem::take(&mut self.id), self.at);
        Poll::Ready(match start {
            ChildWorkflowStart::Started { run_id } => {
                Ok(ChildHandle { seq, id, run_id, at, taken: false, types: PhantomData })
            }
            ChildWorkflowStart::Failed { workflow_id, workflow_type, cause } => {
                Err(ChildError::new(start_failed(&workflow_id, &workflow_type, cause)))
            }
            ChildWorkflowStart::Cancelled(failure) => Err(ChildError::new(Failure::from_proto(*failure))),
        })
    }
}

impl<W: ?Sized, O> Drop for StartChild<W, O> {
    fn drop(&mut self) {
        if let State::Pending(seq) = self.state {
            context::try_with(|runtime| abandon(runtime, seq));
        }
    }
}

impl<W: ?Sized, O> fmt::Debug for StartChild<W, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StartChild({} at {})", self.id, self.at)
    }
}

/// Whoever waited for a child is gone: it is cancelled unless it has ended.
fn abandon(runtime: &Runtime, seq: Seq) {
    if runtime.with_remote(|remote| remote.children.abandon(seq)) {
        let reason = "the workflow that started it no longer waits for it".to_owned();
        runtime.issue_by_drop(Command::CancelChildWorkflow { seq, reason });
    }
}

fn start_failed(
    workflow_id: &str,
    workflow_type: &str,
    cause: stead_activation::StartChildWorkflowExecutionFailedCause,
) -> Failure {
    use stead_activation::StartChildWorkflowExecutionFailedCause as Cause;
    let (why, type_name) = match cause {
        Cause::WorkflowAlreadyExists => ("there is a workflow with this id already", ALREADY_STARTED),
        Cause::NamespaceNotFound => ("its namespace does not exist", "NamespaceNotFound"),
        Cause::InvalidVersioningOverride => ("its versioning override is invalid", "InvalidVersioningOverride"),
        Cause::Unspecified => ("the server does not say why", "ChildWorkflowNotStarted"),
    };
    let message = format!("child workflow {workflow_type} with id {workflow_id} was not started: {why}");
    Failure::application(message).type_name(type_name)
}

/// A child workflow that has started. Dropping it does nothing to the child.
#[must_use = "nobody will see how the child ends"]
pub struct ChildHandle<W: ?Sized, O> {
    seq: Seq,
    id: String,
    run_id: String,
    at: CallSite,
    /// Whether somebody else waits for the result.
    taken: bool,
    types: PhantomData<fn(&W) -> O>,
}

impl<W: ?Sized, O> ChildHandle<W, O> {
    /// Id of the child.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Id of the child's first run.
    pub fn run_id(&self) -> &str {
        &self.run_id
    }

    /// Sends it a signal. Resolves when the signal was delivered.
    ///
    /// # Panics
    ///
    /// Outside of workflow code.
    #[track_caller]
    pub fn signal<I>(&self, signal: Signal<W, I>, args: impl Arg<I>) -> SendSignal {
        let arguments = args.encode(&context::current().drafts(), signal.arity());
        SendSignal::new(self.target(), signal.name(), arguments, Location::caller())
    }

    /// Sends it a signal of which only the name is known. Several arguments are a tuple, none are `()`.
    ///
    /// # Panics
    ///
    /// Outside of workflow code.
    #[track_caller]
    pub fn signal_named(&self, name: &str, args: impl Serialize) -> SendSignal {
        let arguments = context::current().drafts().to_arguments(&args);
        SendSignal::new(self.target(), name, arguments, Location::caller())
    }

    fn target(&self) -> SignalTarget {
        SignalTarget::Child { workflow_id: self.id.clone() }
    }

    /// Asks it to cancel itself, if it has not ended. How its result then resolves is up to the
    /// [kind of cancellation](ChildCall::cancellation) that was chosen.
    ///
    /// # Panics
    ///
    /// Outside of workflow code; in queries, validators and conditions.
    #[track_caller]
    pub fn cancel(&self, reason: impl Into<String>) {
        let runtime = context::current();
        runtime.assert_writable("cancel a child workflow");
        if runtime.with_remote(|remote| remote.children.request_cancel(self.seq)) {
            let command = Command::CancelChildWorkflow { seq: self.seq, reason: reason.into() };
            runtime.issue(command, Location::caller());
        }
    }

    /// Waits for the result. Dropping the future does nothing to the child.
    pub fn result(mut self) -> ChildResult<O> {
        self.taken = true;
        let id = std::mem::take(&mut self.id);
        ChildResult { seq: Some(self.seq), id, at: self.at, result: PhantomData }
    }
}

impl<W: ?Sized, O> Drop for ChildHandle<W, O> {
    fn drop(&mut self) {
        if !self.taken {
            context::try_with(|runtime| runtime.with_remote(|remote| remote.children.forget(self.seq)));
        }
    }
}

impl<W: ?Sized, O> fmt::Debug for ChildHandle<W, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChildHandle({}, run {})", self.id, self.run_id)
    }
}

/// The future of [`ChildHandle::result`].
#[must_use = "futures do nothing unless awaited"]
pub struct ChildResult<O> {
    /// Until it has resolved.
    seq: Option<Seq>,
    id: String,
    at: CallSite,
    result: PhantomData<fn() -> O>,
}

impl<O: DeserializeOwned> Future for ChildResult<O> {
    type Output = Result<O, ChildError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(seq) = self.seq else { panic!("the result of a child workflow was polled after it had come") };
        let polled = poll_result(seq, &self.id, self.at, cx);
        if polled.is_ready() {
            self.seq = None;
        }
        polled
    }
}

impl<O> Drop for ChildResult<O> {
    fn drop(&mut self) {
        if let Some(seq) = self.seq {
            context::try_with(|runtime| runtime.with_remote(|remote| remote.children.forget(seq)));
        }
    }
}

impl<O> fmt::Debug for ChildResult<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChildResult({})", self.at)
    }
}

fn poll_result<O: DeserializeOwned>(seq: Seq, id: &str, at: CallSite, cx: &Context<'_>) -> Poll<Result<O, ChildError>> {
    let runtime = context::current();
    let Poll::Ready(end) = runtime.with_remote(|remote| remote.children.poll_end(seq, cx)) else {
        return Poll::Pending;
    };
    let payload = match end {
        ChildWorkflowResolution::Completed(payload) => payload,
        ChildWorkflowResolution::Failed(failure) | ChildWorkflowResolution::Cancelled(failure) => {
            return Poll::Ready(Err(ChildError::new(Failure::from_proto(*failure))));
        }
    };
    let reader = runtime.reader(|info| WorkflowContext::new(info.namespace(), id).into());
    match reader.from_result(payload.as_ref()) {
        Ok(value) => Poll::Ready(Ok(value)),
        Err(error) => {
            let message = format!("Failed decoding the result of the child workflow called at {at}");
            runtime.fail_task(error::conversion(&message, &error));
            Poll::Pending
        }
    }
}

/// The future of a [`ChildCall`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct RunChild<W: ?Sized, O>(Running<W, O>);

#[derive(Debug)]
enum Running<W: ?Sized, O> {
    Starting(StartChild<W, O>),
    Started(ChildResult<O>),
}

impl<W: ?Sized, O: DeserializeOwned> Future for RunChild<W, O> {
    type Output = Result<O, ChildError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match &mut self.0 {
                Running::Starting(start) => {
                    let Poll::Ready(started) = Pin::new(start).poll(cx) else { return Poll::Pending };
                    match started {
                        Ok(handle) => self.0 = Running::Started(handle.result()),
                        Err(error) => return Poll::Ready(Err(error)),
                    }
                }
                Running::Started(result) => return Pin::new(result).poll(cx),
            }
        }
    }
}

impl<W: ?Sized, O> Drop for RunChild<W, O> {
    /// While the child is starting, dropping that cancels it.
    fn drop(&mut self) {
        if let Running::Started(ChildResult { seq: seq @ Some(_), .. }) = &mut self.0
            && let Some(seq) = seq.take()
        {
            context::try_with(|runtime| abandon(runtime, seq));
        }
    }
}
