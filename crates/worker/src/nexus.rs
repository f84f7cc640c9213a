//! The executor of Nexus tasks, and what their handlers do with the worker's client.
//!
//! A request to start or to cancel an operation is two tasks: the handler's own code, and a supervisor that tells it when
//! nobody waits for its answer any more, and reports. The request holds its slot until the report is sent.

mod cancel;
mod client;
mod error;
mod registry;
mod report;
mod request;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use stead_data::Payload;
use stead_data::current::{CarryOver, amidst};
use stead_nexus::{
    CancelReason, Context, ContextParts, Error, HandlerErrorKind, Implementation, Info, Input, Next, OperationToken,
    Response,
};
use stead_proto::workflowservice::v1::PollNexusTaskQueueResponse;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::sleep;
use tracing::{Instrument, Span};

use crate::driver::panic_message;
use crate::lifecycle::Phase;
use crate::metrics::NexusTimer;
use crate::shared::Shared;
use crate::slots::{Permit, SlotTask};
use request::{Ask, Request};

pub use client::{Starts, client, start};
pub(crate) use registry::Registry;

/// Handles a request, in the background.
pub(crate) fn take(shared: &Arc<Shared>, task: PollNexusTaskQueueResponse, permit: Permit) {
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        handle(&shared, task).await;
        drop(permit);
    });
}

/// What a slot for this request is used for.
pub(crate) fn slot_task(task: &PollNexusTaskQueueResponse) -> SlotTask {
    let (service, operation) = request::names(task);
    SlotTask::Nexus { service: service.to_owned(), operation: operation.to_owned() }
}

async fn handle(shared: &Arc<Shared>, task: PollNexusTaskQueueResponse) {
    let Request { token, ask, info, patience, speaks_failures } = Request::read(shared, task);
    let timer = NexusTimer::start(&shared.metrics, info.scheduled_time);
    let context = Context::new(
        info,
        ContextParts {
            converter: shared.converter.clone(),
            cancellation: stead_nexus::Cancellation::new(),
            worker_shutdown: shared.nexus_told_to_stop.clone(),
            metrics: shared.metrics.sink().cloned(),
            extensions: shared.nexus_extensions.clone(),
        },
    );
    let handler = Handler { shared, context: &context, patience };
    let outcome = match ask {
        Ask::Start(payload) => handler.start(payload).await.map(Answer::Start),
        Ask::Cancel(token) => handler.cancel(token).await.map(|()| Answer::Cancel),
        Ask::Nothing => {
            Err(Refused::Error(Error::handler(HandlerErrorKind::NotImplemented, "a request of an unknown kind")))
        }
    };
    timer.ran(&shared.metrics);
    let reply = report::Reply { shared, token, info: &context.info(), links: context.take_links(), speaks_failures };
    reply.send(outcome, &timer).await;
}

/// What a handler has answered.
pub(crate) enum Answer {
    Start(Response<Payload>),
    Cancel,
}

/// Why there is no answer.
pub(crate) enum Refused {
    Error(Error),
    /// Nobody waits for one any more.
    TimedOut,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// A request with what goes on around it.
struct Handler<'a> {
    shared: &'a Arc<Shared>,
    context: &'a Context,
    patience: Option<Duration>,
}

impl Handler<'_> {
    async fn start(&self, payload: Option<Payload>) -> Result<Response<Payload>, Refused> {
        let Self { shared, context, .. } = *self;
        let operation = shared.nexus.find(&context.info())?;
        let mut payload = payload;
        let owner = shared.codec.nexus(&context.info());
        shared.codec.decode_nexus(&owner, &mut payload).await.map_err(|error| error::undecodable(&error))?;
        self.run(&operation.start, Input::new(payload, context.data_converter().clone())).await
    }

    async fn cancel(&self, token: OperationToken) -> Result<(), Refused> {
        let operation = self.shared.nexus.find(&self.context.info())?;
        match &operation.cancel {
            Some(cancel) => self.run(cancel, token).await,
            None => self.run(&cancel::default(self.shared), token).await,
        }
    }

    async fn run<R: stead_nexus::Request>(
        &self,
        code: &Implementation<R, R::Answer>,
        request: R,
    ) -> Result<R::Answer, Refused> {
        let info = self.context.info();
        tracing::debug!(
            target: "stead::worker",
            service = info.service, operation = info.operation, endpoint = info.endpoint, "Nexus request started"
        );
        let code = Code::spawn(self.shared, code, request, self.context.clone());
        let is_async = code.is_async;
        self.watch(code, is_async).await
    }

    /// Waits for the answer, or until it is of no use.
    async fn watch<T>(&self, mut code: Code<T>, is_async: bool) -> Result<T, Refused> {
        let timed_out = pin!(self.timed_out());
        let shut_down = pin!(self.shut_down(is_async));
        tokio::select! {
            biased;
            joined = &mut code.handle => Ok(answer(joined)?),
            () = timed_out => {
                if !is_async {
                    // It keeps its slot, as it keeps its thread.
                    let _ = (&mut code.handle).await;
                }
                Err(Refused::TimedOut)
            }
            () = shut_down => Err(error::shutting_down().into()),
        }
    }

    async fn timed_out(&self) {
        let Some(patience) = self.patience else { return std::future::pending().await };
        sleep(patience).await;
        self.context.cancellation().cancel(CancelReason::TimedOut);
    }

    /// Tells the handler when the worker's grace period is over; blocking code is given up when the worker is.
    async fn shut_down(&self, is_async: bool) {
        self.shared.lifecycle.reached(Phase::Cancelling).await;
        self.context.cancellation().cancel(CancelReason::WorkerShutdown);
        if !is_async {
            self.shared.lifecycle.reached(Phase::Abandoning).await;
        }
    }
}

fn answer<T>(joined: Result<stead_nexus::Result<T>, JoinError>) -> stead_nexus::Result<T> {
    match joined.map_err(JoinError::try_into_panic) {
        Ok(returned) => returned,
        Err(Ok(panic)) => Err(error::panicked(panic_message(&*panic))),
        // Only the end of the runtime cancels the task.
        Err(Err(_cancelled)) => Err(error::shutting_down()),
    }
}

/// The running code of a handler. Blocking code cannot be stopped from outside.
struct Code<T> {
    handle: JoinHandle<stead_nexus::Result<T>>,
    is_async: bool,
}

impl<T: Send + 'static> Code<T> {
    fn spawn<R: stead_nexus::Request<Answer = T>>(
        shared: &Shared,
        implementation: &Implementation<R, T>,
        request: R,
        context: Context,
    ) -> Self {
        let interceptors = &shared.nexus_interceptors;
        let span = span(&context.info());
        let (handle, is_async) = match implementation.clone() {
            // The call that makes the future is the handler's code too.
            Implementation::Async(call) if interceptors.is_empty() => {
                (tokio::spawn(context.scope(async move { call(request).await }).instrument(span)), true)
            }
            Implementation::Async(call) => {
                let chain = Next::new(Arc::clone(interceptors), move |request| call(request));
                (tokio::spawn(context.scope(chain.run(request)).instrument(span)), true)
            }
            Implementation::Blocking(call) if interceptors.is_empty() => {
                (spawn_blocking(call, request, context, span, Vec::new()), false)
            }
            Implementation::Blocking(call) => {
                let (inner, inner_span, all) = (context.clone(), span.clone(), Arc::clone(interceptors));
                let chain = Next::new(Arc::clone(interceptors), move |request| {
                    let carried = all.iter().filter_map(|interceptor| interceptor.carry_over()).collect();
                    Box::pin(async move { answer(spawn_blocking(call, request, inner, inner_span, carried).await) })
                });
                (tokio::spawn(context.scope(chain.run(request)).instrument(span)), false)
            }
        };
        Self { handle, is_async }
    }
}

impl<T> Drop for Code<T> {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

fn spawn_blocking<R: Send + 'static, T: Send + 'static>(
    call: Arc<dyn Fn(R) -> stead_nexus::Result<T> + Send + Sync>,
    request: R,
    context: Context,
    span: Span,
    carried: Vec<CarryOver>,
) -> JoinHandle<stead_nexus::Result<T>> {
    tokio::task::spawn_blocking(move || span.in_scope(|| amidst(carried, || context.enter(|| call(request)))))
}

/// What the code of a handler logs stands in it, under a filter that lets the SDK's errors alone through, too.
fn span(info: &Info) -> Span {
    tracing::error_span!(
        target: "stead::nexus",
        "nexus",
        service = info.service,
        operation = info.operation,
        endpoint = info.endpoint,
        namespace = info.namespace,
        task_queue = info.task_queue,
    )
}
