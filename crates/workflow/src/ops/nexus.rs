//! Nexus operations.

use std::cell::OnceCell;
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
    CallSite, Command, NexusOperationCancellation, NexusOperationResolution, NexusOperationStart, Payload,
    ScheduleNexusOperation, Seq, SignalWithStart,
};
use stead_data::{Arg, ConversionError, DataConverter, Failure, NexusContext, NexusService, Operation, Untyped};

use crate::context;
use crate::error::{self, Cancelled, NexusError};
use crate::runtime::Runtime;

/// A Nexus service behind an endpoint, whose operations can be [called](NexusEndpoint::call).
///
/// ```
/// use std::time::Duration;
/// use stead_data::{NexusService, Operation};
/// use stead_workflow as workflow;
///
/// struct Billing;
/// impl NexusService for Billing {
///     const NAME: &'static str = "Billing";
/// }
/// const CHARGE: Operation<Billing, u64, String> = Operation::new("charge", 1);
///
/// async fn pay() -> workflow::Result<String> {
///     let billing = workflow::nexus::<Billing>("billing-endpoint");
///     Ok(billing.call(CHARGE, 3).schedule_to_close(Duration::from_secs(300)).await?)
/// }
/// ```
pub fn nexus<S: NexusService + ?Sized>(endpoint: impl Into<String>) -> NexusEndpoint<S> {
    NexusEndpoint { endpoint: endpoint.into(), service: S::NAME.to_owned(), types: PhantomData }
}

/// A Nexus service of which only the name is known, such as one that another language implements. See [`nexus`].
pub fn nexus_named(endpoint: impl Into<String>, service: impl Into<String>) -> NexusEndpoint<Untyped> {
    NexusEndpoint { endpoint: endpoint.into(), service: service.into(), types: PhantomData }
}

/// A Nexus service behind an endpoint. Made by [`nexus`] and [`nexus_named`].
pub struct NexusEndpoint<S: ?Sized> {
    endpoint: String,
    service: String,
    types: PhantomData<fn(&S)>,
}

impl<S: ?Sized> NexusEndpoint<S> {
    /// Calls an operation. See [`NexusCall`].
    ///
    /// # Panics
    ///
    /// Outside of workflow code.
    #[track_caller]
    pub fn call<I, O>(&self, operation: Operation<S, I, O>, input: impl Arg<I>) -> NexusCall<O> {
        self.call_with(operation.name(), Location::caller(), |converter| {
            Ok(input.encode(converter, operation.arity())?.pop())
        })
    }

    /// Calls an operation of which only the name is known. The type of the result is up to the caller.
    ///
    /// # Panics
    ///
    /// Outside of workflow code.
    #[track_caller]
    pub fn call_named<O>(&self, operation: &str, input: impl Serialize) -> NexusCall<O> {
        self.call_with(operation, Location::caller(), |converter| converter.to_payload(&input).map(Some))
    }

    fn call_with<O>(
        &self,
        operation: &str,
        at: CallSite,
        encode: impl FnOnce(&DataConverter) -> Result<Option<Payload>, ConversionError>,
    ) -> NexusCall<O> {
        let (endpoint, service, operation) = (self.endpoint.clone(), self.service.clone(), operation.to_owned());
        let owner = || NexusContext::new(&endpoint, &service, &operation).into();
        let input = encode(&context::current().converter().in_context(owner));
        let request = ScheduleNexusOperation { endpoint, service, operation, ..ScheduleNexusOperation::default() };
        let call = NexusCall { request: Box::new(request), problem: None, at, output: PhantomData };
        call.encoded(input, |request, input| request.input = input)
    }
}

impl<S: ?Sized> Clone for NexusEndpoint<S> {
    fn clone(&self) -> Self {
        Self { endpoint: self.endpoint.clone(), service: self.service.clone(), types: PhantomData }
    }
}

impl<S: ?Sized> fmt::Debug for NexusEndpoint<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NexusEndpoint({}, service {})", self.endpoint, self.service)
    }
}

/// A Nexus operation that has not been asked for.
///
/// Await it to start the operation and wait for its result, or [`start`](NexusCall::start) it for a
/// [handle](NexusHandle). Dropping the pending future cancels the operation, dropping the handle does nothing.
#[must_use = "an operation is asked for when this is awaited, or what `start` returns"]
pub struct NexusCall<O> {
    request: Box<ScheduleNexusOperation>,
    problem: Option<Box<ConversionError>>,
    at: CallSite,
    output: PhantomData<fn() -> O>,
}

impl<O> NexusCall<O> {
    /// Limit from asking for the operation to its end. Default: none, but what the server allows.
    pub fn schedule_to_close(mut self, limit: Duration) -> Self {
        self.request.schedule_to_close_timeout = Some(limit);
        self
    }

    /// Limit from asking for the operation until its handler has started or completed it. Default: none.
    pub fn schedule_to_start(mut self, limit: Duration) -> Self {
        self.request.schedule_to_start_timeout = Some(limit);
        self
    }

    /// Limit from the start to the end of an operation that goes on after its handler has returned. Default: none.
    pub fn start_to_close(mut self, limit: Duration) -> Self {
        self.request.start_to_close_timeout = Some(limit);
        self
    }

    /// What cancelling means. Default: [`NexusOperationCancellation::WaitCancellationCompleted`].
    pub fn cancellation(mut self, kind: NexusOperationCancellation) -> Self {
        self.request.cancellation = kind;
        self
    }

    /// Sets a header of the request, which no codec encodes. Servers know names in lower case.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.request.headers.insert(name.into(), value.into());
        self
    }

    /// One line about the operation, for people who look at the workflow. Default: none.
    ///
    /// # Panics
    ///
    /// Outside of workflow code.
    #[track_caller]
    pub fn summary(self, text: impl AsRef<str>) -> Self {
        let payload = context::current().converter().to_payload(text.as_ref());
        self.encoded(payload, |request, payload| request.summary = Some(payload))
    }

    /// Starts the operation. Awaiting it waits until its handler has started or completed it; nothing is sent before.
    pub fn start(self) -> StartNexus<O> {
        StartNexus::new(Request::Operation(self.request), self.problem, self.at)
    }

    fn encoded<P>(
        mut self,
        value: Result<P, ConversionError>,
        keep: impl FnOnce(&mut ScheduleNexusOperation, P),
    ) -> Self {
        match value {
            Ok(value) => keep(&mut self.request, value),
            Err(problem) => self.problem = self.problem.or(Some(Box::new(problem))),
        }
        self
    }
}

impl<O: DeserializeOwned> IntoFuture for NexusCall<O> {
    type Output = Result<O, NexusError>;
    type IntoFuture = RunNexus<O>;

    fn into_future(self) -> RunNexus<O> {
        RunNexus::new(self.start())
    }
}

impl<O> fmt::Debug for NexusCall<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ScheduleNexusOperation { endpoint, service, operation, .. } = &*self.request;
        write!(f, "NexusCall({service}/{operation} of {endpoint} at {})", self.at)
    }
}

/// ```text
/// Unsent ──▶ Pending ──▶ Done
///    ├──▶ Done           in a scope that is cancelled
///    └──▶ TaskFailed     what it does matters no more
/// ```
enum State {
    Unsent(Request, Option<Box<ConversionError>>),
    Pending(Seq),
    TaskFailed,
    Done,
}

/// What is asked for. Both kinds share their numbers and their table.
pub(super) enum Request {
    Operation(Box<ScheduleNexusOperation>),
    /// And where to tell the id of the workflow once it is sent, as interceptors may change it.
    SignalWithStart(Box<SignalWithStart>, Rc<OnceCell<String>>),
}

impl Request {
    const fn action(&self) -> &'static str {
        match self {
            Self::Operation(_) => "start a Nexus operation",
            Self::SignalWithStart(..) => "signal another workflow",
        }
    }

    /// The command, as interceptors leave it, and what reads the result.
    fn into_command(self, seq: Seq, runtime: &Runtime) -> (Command, Reader) {
        match self {
            Self::Operation(mut request) => {
                request.seq = seq;
                for interceptor in runtime.interceptors().rev() {
                    interceptor.schedule_nexus_operation(&mut request);
                }
                let ScheduleNexusOperation { endpoint, service, operation, .. } = &*request;
                let reader = runtime.kept_reader(|_| NexusContext::new(endpoint, service, operation).into());
                (Command::ScheduleNexusOperation(request), reader)
            }
            Self::SignalWithStart(mut request, sent_to) => {
                request.seq = seq;
                for interceptor in runtime.interceptors().rev() {
                    interceptor.signal_with_start(&mut request);
                }
                sent_to.get_or_init(|| request.workflow_id.clone());
                // The server's answer is no value of the user's.
                (Command::SignalWithStart(request), Some(Box::default()))
            }
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operation(request) => write!(f, "a call of the Nexus operation {}", request.operation),
            Self::SignalWithStart(request, _) => {
                let SignalWithStart { signal_name, workflow_type, workflow_id, .. } = &**request;
                write!(f, "the signal {signal_name} with a start of the workflow {workflow_type} with id {workflow_id}")
            }
        }
    }
}

/// Reads the result, if not the run's own converter does.
type Reader = Option<Box<DataConverter>>;

/// The future of [`NexusCall::start`]: the handle of the operation once it has started.
#[must_use = "futures do nothing unless awaited"]
pub struct StartNexus<O> {
    state: State,
    reader: Reader,
    at: CallSite,
    output: PhantomData<fn() -> O>,
}

impl<O> StartNexus<O> {
    pub(super) fn new(request: Request, problem: Option<Box<ConversionError>>, at: CallSite) -> Self {
        Self { state: State::Unsent(request, problem), reader: None, at, output: PhantomData }
    }

    fn send(&mut self, runtime: &Runtime) {
        let State::Unsent(request, _) = &self.state else { return };
        runtime.assert_writable(request.action());
        let State::Unsent(request, problem) = std::mem::replace(&mut self.state, State::TaskFailed) else { return };
        if let Some(problem) = problem {
            return runtime.fail_task(error::conversion(&format!("Failed encoding {request}"), &problem));
        }
        let seq = runtime.with_remote(|remote| remote.nexus.open(runtime.current_scope(), self.at));
        let (command, reader) = request.into_command(seq, runtime);
        runtime.issue(command, self.at);
        (self.state, self.reader) = (State::Pending(seq), reader);
    }
}

impl<O> Future for StartNexus<O> {
    type Output = Result<NexusHandle<O>, NexusError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let runtime = context::current();
        if matches!(self.state, State::Unsent(_, None)) && runtime.is_scope_cancelled() {
            self.state = State::Done;
            return Poll::Ready(Err(NexusError::new(stead_data::IntoFailure::into_failure(Cancelled))));
        }
        self.send(&runtime);
        let seq = match self.state {
            State::Pending(seq) => seq,
            State::TaskFailed => return Poll::Pending,
            State::Unsent(..) | State::Done => panic!("the start of a Nexus operation was polled after it had ended"),
        };
        let polled = runtime.with_remote(|remote| remote.nexus.poll_start(seq, cx));
        let Poll::Ready(start) = polled else { return Poll::Pending };
        self.state = State::Done;
        let token = match start {
            NexusOperationStart::Started { operation_token } => Some(operation_token),
            NexusOperationStart::StartedSync => None,
            NexusOperationStart::Failed(failure) => {
                return Poll::Ready(Err(NexusError::new(Failure::from_proto(*failure))));
            }
        };
        let reader = self.reader.take();
        Poll::Ready(Ok(NexusHandle { seq, token, reader, at: self.at, taken: false, output: PhantomData }))
    }
}

impl<O> Drop for StartNexus<O> {
    fn drop(&mut self) {
        if let State::Pending(seq) = self.state {
            context::try_with(|runtime| abandon(runtime, seq));
        }
    }
}

impl<O> fmt::Debug for StartNexus<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StartNexus({})", self.at)
    }
}

/// Whoever waited for an operation is gone: it is cancelled unless it has ended.
fn abandon(runtime: &Runtime, seq: Seq) {
    if runtime.with_remote(|remote| remote.nexus.abandon(seq)) {
        runtime.issue_by_drop(Command::CancelNexusOperation { seq });
    }
}

/// A Nexus operation that has started. Dropping it does nothing to the operation.
#[must_use = "nobody will see how the operation ends"]
pub struct NexusHandle<O> {
    seq: Seq,
    token: Option<String>,
    reader: Reader,
    at: CallSite,
    /// Whether somebody else waits for the result.
    taken: bool,
    output: PhantomData<fn() -> O>,
}

impl<O> NexusHandle<O> {
    /// What the handler calls the operation; `None` if it has completed it at once.
    pub fn operation_token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Asks its handler to cancel it, if it has not ended. How its result then resolves is up to the
    /// [kind of cancellation](NexusCall::cancellation) that was chosen.
    ///
    /// # Panics
    ///
    /// Outside of workflow code; in queries, validators and conditions.
    #[track_caller]
    pub fn cancel(&self) {
        let runtime = context::current();
        runtime.assert_writable("cancel a Nexus operation");
        if runtime.with_remote(|remote| remote.nexus.request_cancel(self.seq)) {
            runtime.issue(Command::CancelNexusOperation { seq: self.seq }, Location::caller());
        }
    }

    /// Waits for the result. Dropping the future does nothing to the operation.
    pub fn result(mut self) -> NexusResult<O> {
        self.taken = true;
        let reader = self.reader.take();
        NexusResult { seq: Some(self.seq), reader, at: self.at, output: PhantomData }
    }
}

impl<O> Drop for NexusHandle<O> {
    fn drop(&mut self) {
        if !self.taken {
            context::try_with(|runtime| runtime.with_remote(|remote| remote.nexus.forget(self.seq)));
        }
    }
}

impl<O> fmt::Debug for NexusHandle<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NexusHandle({})", self.at)
    }
}

/// The future of [`NexusHandle::result`].
#[must_use = "futures do nothing unless awaited"]
pub struct NexusResult<O> {
    /// Until it has resolved.
    seq: Option<Seq>,
    reader: Reader,
    at: CallSite,
    output: PhantomData<fn() -> O>,
}

impl<O: DeserializeOwned> Future for NexusResult<O> {
    type Output = Result<O, NexusError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(seq) = self.seq else { panic!("the result of a Nexus operation was polled after it had come") };
        let polled = poll_result(seq, self.reader.as_deref(), self.at, cx);
        if polled.is_ready() {
            self.seq = None;
        }
        polled
    }
}

impl<O> Drop for NexusResult<O> {
    fn drop(&mut self) {
        if let Some(seq) = self.seq {
            context::try_with(|runtime| runtime.with_remote(|remote| remote.nexus.forget(seq)));
        }
    }
}

impl<O> fmt::Debug for NexusResult<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NexusResult({})", self.at)
    }
}

fn poll_result<O: DeserializeOwned>(
    seq: Seq,
    reader: Option<&DataConverter>,
    at: CallSite,
    cx: &Context<'_>,
) -> Poll<Result<O, NexusError>> {
    let runtime = context::current();
    let Poll::Ready(end) = runtime.with_remote(|remote| remote.nexus.poll_end(seq, cx)) else { return Poll::Pending };
    let payload = match end {
        NexusOperationResolution::Completed(payload) => payload,
        NexusOperationResolution::Failed(failure)
        | NexusOperationResolution::Cancelled(failure)
        | NexusOperationResolution::TimedOut(failure) => {
            return Poll::Ready(Err(NexusError::new(Failure::from_proto(*failure))));
        }
    };
    match reader.unwrap_or(runtime.converter()).from_result(payload.as_ref()) {
        Ok(value) => Poll::Ready(Ok(value)),
        Err(error) => {
            let message = format!("Failed decoding the result of the Nexus operation called at {at}");
            runtime.fail_task(error::conversion(&message, &error));
            Poll::Pending
        }
    }
}

/// The future of a [`NexusCall`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct RunNexus<O>(Running<O>);

impl<O> RunNexus<O> {
    pub(super) fn new(start: StartNexus<O>) -> Self {
        Self(Running::Starting(start))
    }
}

#[derive(Debug)]
enum Running<O> {
    Starting(StartNexus<O>),
    Started(NexusResult<O>),
}

impl<O: DeserializeOwned> Future for RunNexus<O> {
    type Output = Result<O, NexusError>;

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

impl<O> Drop for RunNexus<O> {
    /// While the operation is starting, dropping that cancels it.
    fn drop(&mut self) {
        if let Running::Started(NexusResult { seq: seq @ Some(_), .. }) = &mut self.0
            && let Some(seq) = seq.take()
        {
            context::try_with(|runtime| abandon(runtime, seq));
        }
    }
}
