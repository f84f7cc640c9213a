//! Spans of the attempts of activities.

use opentelemetry::trace::{FutureExt, SpanBuilder, SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue};
use stead::activity::{CarryOver, Input, Interceptor, Next, Result, info};
use stead::data::{BoxFuture, Payload};

use crate::{Tracing, carrier};

impl<T> Interceptor for Tracing<T>
where
    T: Tracer + Send + Sync + 'static,
    T::Span: Send + Sync + 'static,
{
    fn execute<'a>(&'a self, input: Input, next: Next) -> BoxFuture<'a, Result<Payload>> {
        let parent = carrier::extract(&input.headers).unwrap_or_else(Context::current);
        if !self.0.makes_spans {
            return Box::pin(next.run(input).with_context(parent));
        }
        let info = info();
        let mut attributes = vec![KeyValue::new("temporalActivityID", info.activity_id.clone())];
        if let Some(workflow) = &info.workflow {
            attributes.push(KeyValue::new("temporalWorkflowID", workflow.workflow_id.clone()));
            attributes.push(KeyValue::new("temporalRunID", workflow.run_id.clone()));
        }
        let builder = SpanBuilder::from_name(format!("RunActivity:{}", info.activity_type))
            .with_kind(SpanKind::Server)
            .with_attributes(attributes);
        let context = parent.with_span(self.0.tracer.build_with_context(builder, &parent));
        Box::pin(async move {
            let result = next.run(input).with_context(context.clone()).await;
            let span = context.span();
            if let Err(error) = &result
                && !error.is_benign()
            {
                span.set_status(Status::error(error.to_string()));
            }
            span.end();
            result
        })
    }

    fn carry_over(&self) -> Option<CarryOver> {
        Some(carrier::to_another_thread())
    }
}
