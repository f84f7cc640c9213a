//! Code that wraps every operation of a worker.

use std::fmt;
use std::sync::Arc;

use stead_data::current::CarryOver;
use stead_data::nexus::Response;
use stead_data::{BoxFuture, Payload};

use crate::{Input, OperationToken, Result};

/// Wraps the handlers of a worker, for tracing, authorization or the like. What it costs when there is none: nothing.
///
/// It runs as part of the request, so [`info`](crate::info()) and the other functions of this crate work in it. The one
/// that was given first is the outermost.
///
/// ```
/// use stead_nexus::{self as nexus, HandlerErrorKind, Input, Interceptor, Next, Response};
/// use stead_data::{BoxFuture, Payload};
///
/// struct OnlyWithHeader(&'static str);
///
/// impl Interceptor for OnlyWithHeader {
///     fn start<'a>(&'a self, input: Input, next: Next<Input>) -> BoxFuture<'a, nexus::Result<Response<Payload>>> {
///         Box::pin(async move {
///             if !nexus::info().headers.contains_key(self.0) {
///                 return Err(nexus::Error::handler(HandlerErrorKind::Unauthenticated, "a header is missing"));
///             }
///             next.run(input).await
///         })
///     }
/// }
/// ```
pub trait Interceptor: Send + Sync + 'static {
    /// Starts an operation: by default, what comes next.
    fn start<'a>(&'a self, input: Input, next: Next<Input>) -> BoxFuture<'a, Result<Response<Payload>>> {
        Box::pin(next.run(input))
    }

    /// Cancels an operation: by default, what comes next.
    fn cancel<'a>(&'a self, token: OperationToken, next: Next<OperationToken>) -> BoxFuture<'a, Result<()>> {
        Box::pin(next.run(token))
    }

    /// The code of a blocking handler is about to leave for a thread of its own. What is returned is called on that thread
    /// before the code, and what that gives is dropped after it: so does a context go along that belongs to the thread on
    /// which this is called, which is inside of [`start`](Self::start) or [`cancel`](Self::cancel). Default: nothing goes
    /// along.
    fn carry_over(&self) -> Option<CarryOver> {
        None
    }
}

/// What a handler is asked for: to start an operation, or to cancel it. For workers.
pub trait Request: Send + Sized + 'static {
    /// What comes back.
    type Answer: Send + 'static;

    /// Hands it to the interceptor's method for it.
    fn intercept(self, interceptor: &dyn Interceptor, next: Next<Self>) -> BoxFuture<'_, Result<Self::Answer>>;
}

impl Request for Input {
    type Answer = Response<Payload>;

    fn intercept(self, interceptor: &dyn Interceptor, next: Next<Self>) -> BoxFuture<'_, Result<Self::Answer>> {
        interceptor.start(self, next)
    }
}

impl Request for OperationToken {
    type Answer = ();

    fn intercept(self, interceptor: &dyn Interceptor, next: Next<Self>) -> BoxFuture<'_, Result<()>> {
        interceptor.cancel(self, next)
    }
}

/// What runs inside of an interceptor: the next one, or the handler.
pub struct Next<R: Request> {
    interceptors: Arc<[Arc<dyn Interceptor>]>,
    position: usize,
    handler: Handler<R>,
}

type Handler<R> = Box<dyn FnOnce(R) -> BoxFuture<'static, Result<<R as Request>::Answer>> + Send>;

impl<R: Request> Next<R> {
    /// A chain, the first of `interceptors` outermost, around `handler`. For workers.
    pub fn new(
        interceptors: Arc<[Arc<dyn Interceptor>]>,
        handler: impl FnOnce(R) -> BoxFuture<'static, Result<R::Answer>> + Send + 'static,
    ) -> Self {
        Self { interceptors, position: 0, handler: Box::new(handler) }
    }

    /// Runs it.
    pub async fn run(mut self, request: R) -> Result<R::Answer> {
        match self.interceptors.get(self.position).cloned() {
            Some(interceptor) => {
                self.position += 1;
                request.intercept(&*interceptor, self).await
            }
            None => (self.handler)(request).await,
        }
    }
}

impl<R: Request> fmt::Debug for Next<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").field("interceptors_left", &(self.interceptors.len() - self.position)).finish()
    }
}
