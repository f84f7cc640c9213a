//! Spans of what a client calls.

use std::error::Error;

use opentelemetry::trace::{FutureExt, SpanBuilder, SpanKind, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue};
use stead::client::{
    Answer, ClientInterceptor, Next, QueryWorkflowCall, SignalWorkflowCall, StartActivityCall, StartNexusCall,
    StartUpdateCall, StartWithUpdateCall, StartWorkflowCall,
};

use crate::{Tracing, carrier, failed};

impl<T> Tracing<T>
where
    T: Tracer + Send + Sync + 'static,
    T::Span: Send + Sync + 'static,
{
    /// The current context, with a span for a call if there are to be such.
    fn calling(&self, name: String, attributes: Vec<KeyValue>) -> Calling {
        if !self.0.makes_spans {
            return Calling { context: Context::current(), has_span: false };
        }
        let builder = SpanBuilder::from_name(name).with_kind(SpanKind::Client).with_attributes(attributes);
        Calling { context: Context::current_with_span(self.0.tracer.build(builder)), has_span: true }
    }
}

struct Calling {
    context: Context,
    has_span: bool,
}

impl Calling {
    /// Waits for an answer within the span, which ends with it.
    async fn within<O, E: Error>(self, answer: impl Future<Output = Result<O, E>>) -> Result<O, E> {
        let Self { context, has_span } = self;
        let result = answer.with_context(context.clone()).await;
        if has_span {
            if let Err(error) = &result {
                context.span().set_status(failed(error));
            }
            context.span().end();
        }
        result
    }
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
        let calling = self.calling(format!("{prefix}:{}", call.workflow_type), of_workflow(&call.workflow_id));
        carrier::inject(&calling.context, &mut call.headers);
        Box::pin(calling.within(next.run(call)))
    }

    fn signal_workflow<'a>(
        &'a self,
        mut call: SignalWorkflowCall,
        next: Next<'a, SignalWorkflowCall>,
    ) -> Answer<'a, SignalWorkflowCall> {
        let attributes = of_workflow(&call.execution.workflow_id);
        let calling = self.calling(format!("SignalWorkflow:{}", call.signal), attributes);
        carrier::inject(&calling.context, &mut call.headers);
        Box::pin(calling.within(next.run(call)))
    }

    fn query_workflow<'a>(
        &'a self,
        mut call: QueryWorkflowCall,
        next: Next<'a, QueryWorkflowCall>,
    ) -> Answer<'a, QueryWorkflowCall> {
        let attributes = of_workflow(&call.execution.workflow_id);
        let calling = self.calling(format!("QueryWorkflow:{}", call.query), attributes);
        carrier::inject(&calling.context, &mut call.headers);
        Box::pin(calling.within(next.run(call)))
    }

    fn start_update<'a>(
        &'a self,
        mut call: StartUpdateCall,
        next: Next<'a, StartUpdateCall>,
    ) -> Answer<'a, StartUpdateCall> {
        let attributes = of_workflow(&call.execution.workflow_id);
        let calling = self.calling(format!("StartWorkflowUpdate:{}", call.update), attributes);
        carrier::inject(&calling.context, &mut call.headers);
        Box::pin(calling.within(next.run(call)))
    }

    fn start_with_update<'a>(
        &'a self,
        mut call: StartWithUpdateCall,
        next: Next<'a, StartWithUpdateCall>,
    ) -> Answer<'a, StartWithUpdateCall> {
        let mut attributes = of_workflow(&call.start.workflow_id);
        attributes.push(KeyValue::new("temporalUpdateID", call.update.update_id.clone()));
        let calling = self.calling(format!("StartUpdateWithStartWorkflow:{}", call.start.workflow_type), attributes);
        carrier::inject(&calling.context, &mut call.start.headers);
        carrier::inject(&calling.context, &mut call.update.headers);
        Box::pin(calling.within(next.run(call)))
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
        let calling = self.calling(format!("StartActivity:{}", call.activity_type), attributes);
        carrier::inject(&calling.context, &mut call.headers);
        Box::pin(calling.within(next.run(call)))
    }

    fn start_nexus_operation<'a>(
        &'a self,
        mut call: StartNexusCall,
        next: Next<'a, StartNexusCall>,
    ) -> Answer<'a, StartNexusCall> {
        let attributes = vec![KeyValue::new("temporalNexusOperationID", call.operation_id.clone())];
        let calling = self.calling(format!("StartNexusOperation:{}/{}", call.service, call.operation), attributes);
        carrier::inject_into_nexus(&calling.context, &mut call.headers);
        Box::pin(calling.within(next.run(call)))
    }
}
