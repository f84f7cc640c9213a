//! Spans of what a client calls.

use std::error::Error;

use opentelemetry::trace::{FutureExt, SpanBuilder, SpanKind, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue};
use stead::client::{
    Answer, ClientInterceptor, Next, QueryWorkflowCall, SignalWorkflowCall, StartActivityCall, StartUpdateCall,
    StartWithUpdateCall, StartWorkflowCall,
};

use crate::{Tracing, carrier, failed};

impl<T> Tracing<T>
where
    T: Tracer + Send + Sync + 'static,
    T::Span: Send + Sync + 'static,
{
    /// The current context with a span for a call.
    fn calling(&self, name: String, attributes: Vec<KeyValue>) -> Context {
        let builder = SpanBuilder::from_name(name).with_kind(SpanKind::Client).with_attributes(attributes);
        Context::current_with_span(self.0.tracer.build(builder))
    }
}

/// Waits for an answer within a span, which ends with it.
async fn within<O, E: Error>(context: Context, answer: impl Future<Output = Result<O, E>>) -> Result<O, E> {
    let result = answer.with_context(context.clone()).await;
    if let Err(error) = &result {
        context.span().set_status(failed(error));
    }
    context.span().end();
    result
}

fn of_workflow(id: &str) -> Vec<KeyValue> {
    vec![KeyValue::new("temporalWorkflowID", id.to_owned())]
}

impl<T> ClientInterceptor for Tracing<T>
where
    T: Tracer + Send + Sync + 'static,
    T::Span: Send + Sync + 'static,
{
    fn start_workflow<'a>(
        &'a self,
        mut call: StartWorkflowCall,
        next: Next<'a, StartWorkflowCall>,
    ) -> Answer<'a, StartWorkflowCall> {
        let prefix = if call.signal.is_some() { "SignalWithStartWorkflow" } else { "StartWorkflow" };
        let context = self.calling(format!("{prefix}:{}", call.workflow_type), of_workflow(&call.workflow_id));
        carrier::inject(&context, &mut call.headers);
        Box::pin(within(context, next.run(call)))
    }

    fn signal_workflow<'a>(
        &'a self,
        mut call: SignalWorkflowCall,
        next: Next<'a, SignalWorkflowCall>,
    ) -> Answer<'a, SignalWorkflowCall> {
        let attributes = of_workflow(&call.execution.workflow_id);
        let context = self.calling(format!("SignalWorkflow:{}", call.signal), attributes);
        carrier::inject(&context, &mut call.headers);
        Box::pin(within(context, next.run(call)))
    }

    fn query_workflow<'a>(
        &'a self,
        mut call: QueryWorkflowCall,
        next: Next<'a, QueryWorkflowCall>,
    ) -> Answer<'a, QueryWorkflowCall> {
        let attributes = of_workflow(&call.execution.workflow_id);
        let context = self.calling(format!("QueryWorkflow:{}", call.query), attributes);
        carrier::inject(&context, &mut call.headers);
        Box::pin(within(context, next.run(call)))
    }

    fn start_update<'a>(
        &'a self,
        mut call: StartUpdateCall,
        next: Next<'a, StartUpdateCall>,
    ) -> Answer<'a, StartUpdateCall> {
        let attributes = of_workflow(&call.execution.workflow_id);
        let context = self.calling(format!("StartWorkflowUpdate:{}", call.update), attributes);
        carrier::inject(&context, &mut call.headers);
        Box::pin(within(context, next.run(call)))
    }

    fn start_with_update<'a>(
        &'a self,
        mut call: StartWithUpdateCall,
        next: Next<'a, StartWithUpdateCall>,
    ) -> Answer<'a, StartWithUpdateCall> {
        let mut attributes = of_workflow(&call.start.workflow_id);
        attributes.push(KeyValue::new("temporalUpdateID", call.update.update_id.clone()));
        let context = self.calling(format!("StartUpdateWithStartWorkflow:{}", call.start.workflow_type), attributes);
        carrier::inject(&context, &mut call.start.headers);
        carrier::inject(&context, &mut call.update.headers);
        Box::pin(within(context, next.run(call)))
    }

    fn start_activity<'a>(
        &'a self,
        mut call: StartActivityCall,
        next: Next<'a, StartActivityCall>,
    ) -> Answer<'a, StartActivityCall> {
        let attributes = vec![
            KeyValue::new("temporalActivityID", call.activity_id.clone()),
            KeyValue::new("temporalActivityType", call.activity_type.clone()),
        ];
        let context = self.calling(format!("StartActivity:{}", call.activity_type), attributes);
        carrier::inject(&context, &mut call.headers);
        Box::pin(within(context, next.run(call)))
    }
}
