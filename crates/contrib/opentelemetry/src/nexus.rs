//! Spans of the handlers of Nexus operations.

use opentelemetry::trace::{FutureExt, SpanBuilder, SpanKind, Status, TraceContextExt, Tracer};
use stead::data::{BoxFuture, Payload};
use stead::nexus::{CarryOver, Input, Interceptor, Next, OperationToken, Response, Result, info};

use crate::{Tracing, carrier};

impl<T> Interceptor for Tracing<T>
where
    T: Tracer + Send + Sync + 'static,
    T::Span: Send + Sync + 'static,
{
    fn start<'a>(&'a self, input: Input, next: Next<Input>) -> BoxFuture<'a, Result<Response<Payload>>> {
        Box::pin(self.handling_request("RunStartNexusOperationHandler", next.run(input)))
    }

    fn cancel<'a>(&'a self, token: OperationToken, next: Next<OperationToken>) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.handling_request("RunCancelNexusOperationHandler", next.run(token)))
    }

    fn carry_over(&self) -> Option<CarryOver> {
        Some(carrier::to_another_thread())
    }
}

impl<T> Tracing<T>
where
    T: Tracer + Send + Sync + 'static,
    T::Span: Send + Sync + 'static,
{
    /// Runs a handler in a span that is the child of its caller's; without spans of the SDK, in the caller's.
    async fn handling_request<O>(&self, prefix: &str, handler: impl Future<Output = Result<O>>) -> Result<O> {
        let info = info();
        let parent = carrier::extract_from_nexus(&info.headers);
        if !self.0.makes_spans {
            return handler.with_context(parent).await;
        }
        let name = format!("{prefix}:{}/{}", info.service, info.operation);
        let builder = SpanBuilder::from_name(name).with_kind(SpanKind::Server);
        let context = parent.with_span(self.0.tracer.build_with_context(builder, &parent));
        let result = handler.with_context(context.clone()).await;
        let span = context.span();
        if let Err(error) = &result
            && !error.is_benign()
        {
            span.set_status(Status::error(error.to_string()));
        }
        span.end();
        result
    }
}
