//! Signals to workflows that are started if they do not run.

use std::cell::OnceCell;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use serde::Serialize;
use stead_activation::{CallSite, Payload, SignalWithStart, SignalWithStartWorkflowExecutionResponse as Answer};
use stead_data::{
    Arg, ConversionError, IntoFailure, Priority, Proto, RetryPolicy, SearchAttributeUpdate, Signal, Untyped,
    VersioningOverride, WorkflowFn, WorkflowIdConflictPolicy, WorkflowIdReusePolicy,
};

use super::external::{ExternalWorkflow, external};
use super::nexus::{Request, RunNexus, StartNexus};
use crate::context;
use crate::error::ExternalError;

/// Signals a workflow, and starts it if it does not run: no child, but a workflow of its own that outlives this one.
///
/// Awaiting it gives the workflow as [`external`] does, and means the run that has got the signal. What has not been sent
/// when the future is dropped is taken back.
///
/// ```
/// use stead_data::{Signal, WorkflowFn};
/// use stead_workflow as workflow;
///
/// struct Cart;
/// const RUN: WorkflowFn<Cart, String, u64> = WorkflowFn::new("Cart", 1);
/// const ADD: Signal<Cart, String> = Signal::new("add", 1);
///
/// async fn add(customer: &str, item: &str) -> workflow::Result<()> {
///     let cart = workflow::signal_with_start(RUN, customer).signal(ADD, item).id(format!("cart-{customer}")).await?;
///     cart.signal(ADD, "a gift").await?;
///     Ok(())
/// }
/// ```
///
/// It is a Nexus operation of the server's own, which Temporal's server has since 1.32, where the dynamic configuration
/// sets `history.enableSignalWithStartFromWorkflow`.
///
/// # Panics
///
/// Outside of workflow code.
#[track_caller]
pub fn signal_with_start<W: ?Sized, I, O>(
    workflow: WorkflowFn<W, I, O>,
    args: impl Arg<I>,
) -> SignalWithStartCall<W, MissingId, MissingSignal> {
    let arguments = args.encode(&context::current().drafts(), workflow.arity());
    SignalWithStartCall::new(workflow.name().to_owned(), arguments, Location::caller())
}

/// Signals a workflow of which only the type is known, such as one that another language implements, and starts it if it
/// does not run. Several arguments are a tuple, none are `()`. See [`signal_with_start`].
///
/// # Panics
///
/// Outside of workflow code.
#[track_caller]
pub fn signal_with_start_named(
    workflow_type: impl Into<String>,
    args: impl Serialize,
) -> SignalWithStartCall<Untyped, MissingId, MissingSignal> {
    let arguments = context::current().drafts().to_arguments(&args);
    SignalWithStartCall::new(workflow_type.into(), arguments, Location::caller())
}

/// A signal with a start that has not been sent; `signal` and `id` are required.
#[must_use = "nothing is sent unless it is awaited"]
pub struct SignalWithStartCall<W: ?Sized, Id, Sent> {
    request: Box<SignalWithStart>,
    problem: Option<Box<ConversionError>>,
    at: CallSite,
    state: State<W, Id, Sent>,
}

/// What the builder knows at compile time, and nothing at run time.
type State<W, Id, Sent> = PhantomData<fn(&W) -> (Id, Sent)>;

/// What was required has been given.
#[derive(Debug)]
pub enum Given {}

/// The workflow's id is missing: call `.id(..)`.
#[derive(Debug)]
pub enum MissingId {}

/// The signal is missing: call `.signal(..)`.
#[derive(Debug)]
pub enum MissingSignal {}

impl<W: ?Sized> SignalWithStartCall<W, MissingId, MissingSignal> {
    fn new(workflow_type: String, arguments: Result<Vec<Payload>, ConversionError>, at: CallSite) -> Self {
        let request = SignalWithStart { workflow_type, ..SignalWithStart::default() };
        let call = Self { request: Box::new(request), problem: None, at, state: PhantomData };
        call.encoded(arguments, |request, arguments| request.arguments = arguments)
    }
}

impl<W: ?Sized, Id, Sent> SignalWithStartCall<W, Id, Sent> {
    /// The signal, to the workflow that runs or to the one that is started. Required.
    ///
    /// # Panics
    ///
    /// Outside of workflow code.
    #[track_caller]
    pub fn signal<I>(self, signal: Signal<W, I>, args: impl Arg<I>) -> SignalWithStartCall<W, Id, Given> {
        let arguments = args.encode(&context::current().drafts(), signal.arity());
        self.with_signal(signal.name().to_owned(), arguments)
    }

    /// A signal of which only the name is known. Several arguments are a tuple, none are `()`.
    ///
    /// # Panics
    ///
    /// Outside of workflow code.
    #[track_caller]
    pub fn signal_named(self, name: impl Into<String>, args: impl Serialize) -> SignalWithStartCall<W, Id, Given> {
        let arguments = context::current().drafts().to_arguments(&args);
        self.with_signal(name.into(), arguments)
    }

    /// Id of the workflow. Required.
    pub fn id(mut self, id: impl Into<String>) -> SignalWithStartCall<W, Given, Sent> {
        self.request.workflow_id = id.into();
        self.become_state()
    }

    /// Task queue of the workflow, if it is started. Default: this workflow's.
    pub fn task_queue(mut self, name: impl Into<String>) -> Self {
        self.request.task_queue = name.into();
        self
    }

    /// Limit on the whole chain of its runs. Default: none.
    pub fn execution_timeout(mut self, limit: Duration) -> Self {
        self.request.execution_timeout = Some(limit);
        self
    }

    /// Limit on one run. Default: that of the whole chain.
    pub fn run_timeout(mut self, limit: Duration) -> Self {
        self.request.run_timeout = Some(limit);
        self
    }

    /// Limit on one workflow task. Default: the server's, 10 s.
    pub fn task_timeout(mut self, limit: Duration) -> Self {
        self.request.task_timeout = Some(limit);
        self
    }

    /// What to do about a closed workflow of the same id. Default: start all the same. A workflow that must not be started
    /// is an error that [is already started](ExternalError::is_already_started).
    pub fn id_reuse_policy(mut self, policy: WorkflowIdReusePolicy) -> Self {
        self.request.id_reuse_policy = policy.into();
        self
    }

    /// What to do about a running workflow of the same id. Default: signal it. To refuse is nothing that servers offer here:
    /// it fails the workflow task.
    pub fn on_conflict(mut self, policy: WorkflowIdConflictPolicy) -> Self {
        self.request.id_conflict_policy = policy.into();
        self
    }

    /// How often and when a failed run is repeated. Default: not at all.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.request.retry_policy = Some(policy.into_proto());
        self
    }

    /// Runs the workflow again and again, at the times of this cron schedule.
    pub fn cron(mut self, schedule: impl Into<String>) -> Self {
        self.request.cron_schedule = schedule.into();
        self
    }

    /// Time before the first workflow task; a later signal ends it. Default: none.
    pub fn start_delay(mut self, delay: Duration) -> Self {
        self.request.start_delay = Some(delay);
        self
    }

    /// Priority of the workflow. Default: the server's choice.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.request.priority = Some(priority.into_proto());
        self
    }

    /// On which version of its workers the workflow runs. Default: what they and the deployment say.
    pub fn versioning_override(mut self, versioning: VersioningOverride) -> Self {
        self.request.versioning_override = Some(versioning.into_proto());
        self
    }

    /// Search attributes of the workflow.
    pub fn search_attributes(mut self, attributes: impl IntoIterator<Item = SearchAttributeUpdate>) -> Self {
        self.request.search_attributes.extend(attributes.into_iter().map(SearchAttributeUpdate::into_entry));
        self
    }

    /// Sets a value of the workflow's memo.
    ///
    /// # Panics
    ///
    /// Outside of workflow code.
    #[track_caller]
    pub fn memo<T: Serialize + ?Sized>(self, key: impl Into<String>, value: &T) -> Self {
        let payload = context::current().drafts().to_payload(value);
        self.encoded(payload, |request, payload| drop(request.memo.insert(key.into(), payload)))
    }

    /// One line about the workflow, for people who look at it. Default: none.
    ///
    /// # Panics
    ///
    /// Outside of workflow code.
    #[track_caller]
    pub fn summary(self, text: impl AsRef<str>) -> Self {
        let payload = context::current().drafts().to_payload(text.as_ref());
        self.encoded(payload, |request, payload| request.summary = Some(payload))
    }

    /// More about the workflow, in Markdown, for people who look at it. Default: none.
    ///
    /// # Panics
    ///
    /// Outside of workflow code.
    #[track_caller]
    pub fn details(self, text: impl AsRef<str>) -> Self {
        let payload = context::current().drafts().to_payload(text.as_ref());
        self.encoded(payload, |request, payload| request.details = Some(payload))
    }

    fn with_signal(
        self,
        name: String,
        arguments: Result<Vec<Payload>, ConversionError>,
    ) -> SignalWithStartCall<W, Id, Given> {
        let call = self.encoded(arguments, |request, arguments| request.signal_arguments = arguments);
        let mut call = call.become_state();
        call.request.signal_name = name;
        call
    }

    fn encoded<P>(mut self, value: Result<P, ConversionError>, keep: impl FnOnce(&mut SignalWithStart, P)) -> Self {
        match value {
            Ok(value) => keep(&mut self.request, value),
            Err(problem) => self.problem = self.problem.or(Some(Box::new(problem))),
        }
        self
    }

    fn become_state<NewId, NewSent>(self) -> SignalWithStartCall<W, NewId, NewSent> {
        let Self { request, problem, at, state: _ } = self;
        SignalWithStartCall { request, problem, at, state: PhantomData }
    }
}

impl<W: ?Sized> IntoFuture for SignalWithStartCall<W, Given, Given> {
    type Output = Result<ExternalWorkflow<W>, ExternalError>;
    type IntoFuture = SendSignalWithStart<W>;

    fn into_future(self) -> SendSignalWithStart<W> {
        let sent_to = Rc::default();
        let request = Request::SignalWithStart(self.request, Rc::clone(&sent_to));
        let call = RunNexus::new(StartNexus::new(request, self.problem, self.at));
        SendSignalWithStart { call, sent_to, workflow: PhantomData }
    }
}

impl<W: ?Sized, Id, Sent> fmt::Debug for SignalWithStartCall<W, Id, Sent> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SignalWithStart { signal_name, workflow_type, workflow_id, .. } = &*self.request;
        write!(f, "SignalWithStartCall({signal_name} to {workflow_type} {workflow_id} at {})", self.at)
    }
}

/// The future of a [`SignalWithStartCall`].
#[must_use = "futures do nothing unless awaited"]
pub struct SendSignalWithStart<W: ?Sized> {
    call: RunNexus<Proto<Answer>>,
    /// The id of the workflow, once it is known.
    sent_to: Rc<OnceCell<String>>,
    workflow: PhantomData<fn(&W)>,
}

impl<W: ?Sized> Future for SendSignalWithStart<W> {
    type Output = Result<ExternalWorkflow<W>, ExternalError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(Pin::new(&mut self.call).poll(cx));
        Poll::Ready(match answer {
            Ok(Proto(answer)) => Ok(external(self.sent_to.get().cloned().unwrap_or_default()).run(answer.run_id)),
            Err(error) => Err(ExternalError::new(error.into_failure())),
        })
    }
}

impl<W: ?Sized> fmt::Debug for SendSignalWithStart<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SendSignalWithStart({:?})", self.call)
    }
}
