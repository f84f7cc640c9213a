//! Other workflows, that this one did not start.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use serde::Serialize;
use stead_activation::{
    CallSite, CancelExternal, Command, ExternalWorkflow as Target, Failure as ProtoFailure, Payload, PayloadMap, Seq,
    SignalExternal as Request, SignalTarget,
};
use stead_data::{Arg, ConversionError, Failure, Signal, Untyped};

use super::Pending;
use super::remote::Remote;
use crate::context;
use crate::error::{self, Cancelled, ExternalError};
use crate::runtime::Runtime;

/// A workflow that somebody else started, by its id: `workflow::external::<Order>("order-1")`.
///
/// ```
/// use stead_data::{Signal, WorkflowType};
/// use stead_workflow as workflow;
///
/// struct Order;
/// # impl WorkflowType for Order { const NAME: &'static str = "Order"; type Input = (); type Output = (); }
/// const PAY: Signal<Order, u64> = Signal::new("pay", 1);
///
/// async fn run() -> workflow::Result<()> {
///     workflow::external::<Order>("order-1").signal(PAY, 5).await?;
///     Ok(())
/// }
/// ```
pub fn external<W: ?Sized>(workflow_id: impl Into<String>) -> ExternalWorkflow<W> {
    let target = Target { workflow_id: workflow_id.into(), ..Target::default() };
    ExternalWorkflow { target, workflow: PhantomData }
}

/// A workflow that somebody else started; made by [`external`].
pub struct ExternalWorkflow<W: ?Sized = Untyped> {
    target: Target,
    workflow: PhantomData<fn(&W)>,
}

impl<W: ?Sized> ExternalWorkflow<W> {
    /// Means this run alone. Default: the run that is current when the request arrives.
    #[must_use]
    pub fn run(mut self, run_id: impl Into<String>) -> Self {
        self.target.run_id = run_id.into();
        self
    }

    /// The namespace that it is in. Default: this workflow's own.
    #[must_use]
    pub fn namespace(mut self, name: impl Into<String>) -> Self {
        self.target.namespace = name.into();
        self
    }

    /// Id of the workflow.
    pub fn id(&self) -> &str {
        &self.target.workflow_id
    }

    /// Id of the run, if one alone is meant.
    pub fn run_id(&self) -> Option<&str> {
        Some(self.target.run_id.as_str()).filter(|id| !id.is_empty())
    }

    /// Sends it a signal. Resolves when the signal was delivered. A signal that was not sent when the future is dropped
    /// is taken back.
    ///
    /// # Panics
    ///
    /// Outside of workflow code.
    #[track_caller]
    pub fn signal<I>(&self, signal: Signal<W, I>, args: impl Arg<I>) -> SendSignal {
        let arguments = args.encode(&context::current().drafts(), signal.arity());
        SendSignal::new(SignalTarget::External(self.target.clone()), signal.name(), arguments, Location::caller())
    }

    /// Sends it a signal of which only the name is known. Several arguments are a tuple, none are `()`.
    ///
    /// # Panics
    ///
    /// Outside of workflow code.
    #[track_caller]
    pub fn signal_named(&self, name: &str, args: impl Serialize) -> SendSignal {
        let arguments = context::current().drafts().to_arguments(&args);
        SendSignal::new(SignalTarget::External(self.target.clone()), name, arguments, Location::caller())
    }

    /// Asks it to cancel itself. Resolves when the request was delivered.
    #[track_caller]
    pub fn cancel(&self) -> RequestCancel {
        RequestCancel { target: self.target.clone(), reason: String::new(), at: Location::caller() }
    }
}

impl<W: ?Sized> Clone for ExternalWorkflow<W> {
    fn clone(&self) -> Self {
        Self { target: self.target.clone(), workflow: PhantomData }
    }
}

impl<W: ?Sized> fmt::Debug for ExternalWorkflow<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExternalWorkflow({})", self.target.workflow_id)
    }
}

/// A request for cancellation that has not been sent; made by [`ExternalWorkflow::cancel`].
#[derive(Debug)]
#[must_use = "nothing is sent unless it is awaited"]
pub struct RequestCancel {
    target: Target,
    reason: String,
    at: CallSite,
}

impl RequestCancel {
    /// Why, for the other workflow and for people. Default: nothing.
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = reason.into();
        self
    }
}

impl IntoFuture for RequestCancel {
    type Output = Result<(), ExternalError>;
    type IntoFuture = SendCancel;

    fn into_future(self) -> SendCancel {
        SendCancel { at: self.at, state: State::Unsent(Box::new(self), None) }
    }
}

/// What both futures are.
///
/// ```text
/// Unsent ──▶ Pending ──▶ Done
///    ├──▶ Done           in a scope that is cancelled
///    └──▶ TaskFailed     what it does matters no more
/// ```
enum State<R> {
    Unsent(Box<R>, Option<Box<ConversionError>>),
    Pending(Seq),
    TaskFailed,
    Done,
}

/// The future of a signal to another workflow.
#[must_use = "futures do nothing unless awaited"]
pub struct SendSignal {
    at: CallSite,
    state: State<Request>,
}

impl SendSignal {
    pub(crate) fn new(
        target: SignalTarget,
        name: &str,
        arguments: Result<Vec<Payload>, ConversionError>,
        at: CallSite,
    ) -> Self {
        let (arguments, problem) = match arguments {
            Ok(arguments) => (arguments, None),
            Err(problem) => (Vec::new(), Some(Box::new(problem))),
        };
        let (signal_name, headers) = (name.to_owned(), PayloadMap::new());
        let request = Request { seq: 0, target, signal_name, arguments, headers, summary: None };
        Self { at, state: State::Unsent(Box::new(request), problem) }
    }

    /// One line about the signal, for people who look at the workflow. Default: none.
    ///
    /// # Panics
    ///
    /// Outside of workflow code.
    #[track_caller]
    pub fn summary(mut self, text: impl AsRef<str>) -> Self {
        if let State::Unsent(request, problem) = &mut self.state {
            match context::current().converter().to_payload(text.as_ref()) {
                Ok(payload) => request.summary = Some(payload),
                Err(error) => *problem = problem.take().or(Some(Box::new(error))),
            }
        }
        self
    }

    fn send(&mut self, runtime: &Runtime) {
        if !matches!(self.state, State::Unsent(..)) {
            return;
        }
        runtime.assert_writable("signal another workflow");
        let State::Unsent(mut request, problem) = std::mem::replace(&mut self.state, State::TaskFailed) else { return };
        if let Some(problem) = problem {
            let message = format!("Failed encoding the signal {} to another workflow", request.signal_name);
            return runtime.fail_task(error::conversion(&message, &problem));
        }
        let seq = runtime.with_remote(|remote| remote.signals.open(runtime.current_scope(), self.at));
        request.seq = seq;
        for interceptor in runtime.interceptors().rev() {
            interceptor.signal_external(&mut request);
        }
        runtime.issue(Command::SignalExternal(request), self.at);
        self.state = State::Pending(seq);
    }
}

impl Future for SendSignal {
    type Output = Result<(), ExternalError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let runtime = context::current();
        if matches!(self.state, State::Unsent(_, None)) && runtime.is_scope_cancelled() {
            self.state = State::Done;
            return Poll::Ready(Err(ExternalError::cancelled(Cancelled)));
        }
        self.send(&runtime);
        poll_pending(&mut self.state, &runtime, cx, |remote| &mut remote.signals)
    }
}

impl Drop for SendSignal {
    fn drop(&mut self) {
        let State::Pending(seq) = self.state else { return };
        context::try_with(|runtime| {
            if runtime.with_remote(|remote| remote.signals.abandon(seq)) {
                runtime.issue_by_drop(Command::CancelSignalExternal { seq });
            }
        });
    }
}

impl fmt::Debug for SendSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SendSignal({})", self.at)
    }
}

/// The future of a [`RequestCancel`].
#[must_use = "futures do nothing unless awaited"]
pub struct SendCancel {
    at: CallSite,
    state: State<RequestCancel>,
}

impl SendCancel {
    fn send(&mut self, runtime: &Runtime) {
        if !matches!(self.state, State::Unsent(..)) {
            return;
        }
        runtime.assert_writable("cancel another workflow");
        let State::Unsent(request, _) = std::mem::replace(&mut self.state, State::TaskFailed) else { return };
        let seq = runtime.with_remote(|remote| remote.cancels.open(runtime.current_scope(), self.at));
        let command = CancelExternal { seq, target: request.target, reason: request.reason };
        runtime.issue(Command::CancelExternal(Box::new(command)), self.at);
        self.state = State::Pending(seq);
    }
}

impl Future for SendCancel {
    type Output = Result<(), ExternalError>;

    /// A request is sent even where cancellation was asked for: passing it on is what it is for.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let runtime = context::current();
        self.send(&runtime);
        poll_pending(&mut self.state, &runtime, cx, |remote| &mut remote.cancels)
    }
}

impl Drop for SendCancel {
    fn drop(&mut self) {
        if let State::Pending(seq) = self.state {
            context::try_with(|runtime| runtime.with_remote(|remote| remote.cancels.forget(seq)));
        }
    }
}

impl fmt::Debug for SendCancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SendCancel({})", self.at)
    }
}

fn poll_pending<R>(
    state: &mut State<R>,
    runtime: &Runtime,
    cx: &Context<'_>,
    table: impl FnOnce(&mut Remote) -> &mut Pending<Option<Box<ProtoFailure>>>,
) -> Poll<Result<(), ExternalError>> {
    let seq = match state {
        State::Pending(seq) => *seq,
        State::TaskFailed => return Poll::Pending,
        State::Unsent(..) | State::Done => panic!("a request to another workflow was polled after it had ended"),
    };
    let Poll::Ready(failure) = runtime.with_remote(|remote| table(remote).poll(seq, cx)) else { return Poll::Pending };
    *state = State::Done;
    Poll::Ready(failure.map_or(Ok(()), |failure| Err(ExternalError::new(Failure::from_proto(*failure)))))
}
