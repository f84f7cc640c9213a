//! Nexus operations.

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
    CallSite, Command, NexusOperationCancellation, NexusOperationResolution, NexusOperationStart, Payload,
    ScheduleNexusOperation, Seq,
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
        let owner = None;
        StartNexus { state: State::Unsent(self.request, self.problem), owner, at: self.at, output: PhantomData }
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
        RunNexus(Running::Starting(self.start()))
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
    Unsent(Box<ScheduleNexusOperation>, Option<Box<ConversionError>>),
    Pending(Seq),
    TaskFailed,
    Done,
}

/// The operation that the payload of the result belongs to; `None` where nobody wants to know.
type Owner = Option<Box<NexusContext>>;

/// The future of [`NexusCall::start`]: the handle of the operation once it has started.
#[must_use = "futures do nothing unless awaited"]
pub struct StartNexus<O> {
    state: State,
    owner: Owner,
    at: CallSite,
    output: PhantomData<fn() -> O>,
}

impl<O> StartNexus<O> {
    fn send(&mut self, runtime: &Runtime) {
        if !matches!(self.state, State::Unsent(..)) {
            return;
        }
        runtime.assert_writable("start a Nexus operation");
        let State::Unsent(mut request, problem) = std::mem::replace(&mut self.state, State::TaskFailed) else { return };
        if let Some(problem) = problem {
            let message = format!("Failed encoding a call of the Nexus operation {}", request.operation);
            return runtime.fail_task(error::conversion(&message, &problem));
        }
        let seq = runtime.with_remote(|remote| remote.nexus.open(runtime.current_scope(), self.at));
        request.seq = seq;
        for interceptor in runtime.interceptors().rev() {
            interceptor.schedule_nexus_operation(&mut request);
        }
        if runtime.converter().has_payload_converter() {
            let ScheduleNexusOperation { endpoint, service, operation, .. } = &*request;
            self.owner = Some(Box::new(NexusContext::new(endpoint, service, operation)));
        }
        runtime.issue(Command::ScheduleNexusOperation(request), self.at);
        self.state = State::Pending(seq);
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
        let owner = self.owner.take();
        Poll::Ready(Ok(NexusHandle { seq, token, owner, at: self.at, taken: false, output: PhantomData }))
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
    owner: Owner,
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
        let owner = self.owner.take();
        NexusResult { seq: Some(self.seq), owner, at: self.at, output: PhantomData }
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
    owner: Owner,
    at: CallSite,
    output: PhantomData<fn() -> O>,
}

impl<O: DeserializeOwned> Future for NexusResult<O> {
    type Output = Result<O, NexusError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(seq) = self.seq else { panic!("the result of a Nexus operation was polled after it had come") };
        let polled = poll_result(seq, &self.owner, self.at, cx);
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
    owner: &Owner,
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
    let owner = || owner.as_deref().cloned().unwrap_or_default().into();
    match runtime.converter().in_context(owner).from_result(payload.as_ref()) {
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
