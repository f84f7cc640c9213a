//! Spans of workflows. They begin and end at once, at the time of the workflow, and none is made while replaying.

use std::cell::RefCell;

use opentelemetry::trace::{Link, Span, SpanBuilder, SpanId, SpanKind, Status, TraceContextExt, TraceId, Tracer};
use opentelemetry::{Context, KeyValue};
use stead::Failure;
use stead::data::Headers;
use stead::data::failure::FailureCategory;
use stead::workflow::intercepted::{
    ContinueAsNew, Inner, Payload, Query, Running, ScheduleActivity, ScheduleLocalActivity, SignalExternal,
    SignalReceived, SignalTarget, StartChildWorkflow, UpdateRequested,
};
use stead::workflow::{self, RandomStream, WorkflowInterceptor, replay, run_local};

use crate::{Shared, Tracing, carrier, ids};

/// What makes spans in workflow code, with the type of the tracer left out.
trait Spans {
    /// Makes a span in the context of the run; `None` where there is to be none.
    fn completed(&self, span: Completed) -> Option<Context>;
}

/// A span to be.
struct Completed {
    name: String,
    kind: SpanKind,
    /// Whom it is beside: the caller of a handler.
    link: Option<Context>,
    attributes: Vec<KeyValue>,
    status: Status,
    ids: Source,
}

/// Where a span has its ids from.
enum Source {
    /// The run, so that they are the same whenever its code runs.
    Run,
    /// Nowhere: whoever asked waits for the one time that the code runs, which may not change the run.
    Random { parent: Context },
}

impl Completed {
    fn new(name: String, kind: SpanKind) -> Self {
        Self { name, kind, link: None, attributes: Vec::new(), status: Status::Unset, ids: Source::Run }
    }
}

impl<T> Spans for Shared<T>
where
    T: Tracer,
    T::Span: Send + Sync + 'static,
{
    fn completed(&self, span: Completed) -> Option<Context> {
        let Completed { name, kind, link, attributes, status, ids } = span;
        let (parent, ids) = match ids {
            // Drawn while replaying, too, so that those of the spans to come are the same.
            Source::Run => (run_context(), Some(next_ids())),
            Source::Random { parent } => (Some(parent), None),
        };
        if replay::is_replaying_history() || (parent.is_none() && !self.always_traces_workflows) {
            return None;
        }
        let (parent, now, info) = (parent.unwrap_or_default(), workflow::now(), workflow::info());
        let of_run = [
            KeyValue::new("temporalWorkflowID", info.workflow_id().to_owned()),
            KeyValue::new("temporalRunID", info.run_id().to_owned()),
        ];
        let links = link.map(|context| Link::with_context(context.span().span_context().clone()));
        let builder = SpanBuilder::from_name(name)
            .with_kind(kind)
            .with_start_time(now)
            .with_links(links.into_iter().collect())
            .with_attributes(of_run.into_iter().chain(attributes));
        let mut span = ids::with(ids, || self.tracer.build_with_context(builder, &parent));
        span.set_status(status);
        let made = parent.with_remote_span_context(span.span_context().clone());
        span.end_with_timestamp(now);
        Some(made)
    }
}

/// What the caller of the workflow has sent along.
fn run_context() -> Option<Context> {
    carrier::extract(workflow::info().headers())
}

/// The numbers of a run's ids, on which nothing else of the run depends.
#[derive(Default)]
struct Numbers(RefCell<Option<RandomStream>>);

fn next_ids() -> (TraceId, SpanId) {
    let numbers = run_local::<Numbers>();
    let mut stream = numbers.0.borrow_mut();
    let stream = stream.get_or_insert_with(|| workflow::random_stream("OpenTelemetry"));
    (TraceId::from(stream.random::<u128>()), SpanId::from(stream.random::<u64>()))
}

/// The tracer of the run, for [`completed_span`].
#[derive(Default)]
struct Current(RefCell<Option<std::rc::Rc<dyn Spans>>>);

/// Makes a span of the workflow's own, without duration: none while replaying, nor in a run that is not traced.
///
/// # Panics
///
/// Outside of workflow code.
pub fn completed_span(name: impl Into<String>, attributes: impl IntoIterator<Item = KeyValue>) {
    let spans = run_local::<Current>().0.borrow().clone();
    let mut span = Completed::new(name.into(), SpanKind::Internal);
    span.attributes.extend(attributes);
    drop(spans.and_then(|spans| spans.completed(span)));
}

impl<T> Tracing<T>
where
    T: Tracer + Send + Sync + 'static,
    T::Span: Send + Sync + 'static,
{
    /// A span for what the workflow asks for, whose context goes along.
    fn asking(&self, name: String, headers: &mut Headers) {
        if let Some(context) = self.0.completed(Completed::new(name, SpanKind::Client)) {
            carrier::inject(&context, headers);
        }
    }

    /// A span for a handler, beside that of its caller.
    fn handling(&self, name: String, headers: &Headers) {
        let span = Completed { link: carrier::extract(headers), ..Completed::new(name, SpanKind::Server) };
        self.0.completed(span);
    }

    /// Code whose failure is the workflow's, and whose success may be.
    fn ending<V: 'static>(&self, code: Running<V>, success_ends: bool) -> Running<V> {
        let this = self.clone();
        Box::pin(async move {
            let result = code.await;
            let failure = result.as_ref().err().and_then(workflow::Error::failure);
            if failure.is_some() || (result.is_ok() && success_ends) {
                let name = format!("CompleteWorkflow:{}", workflow::info().workflow_type());
                let status = failure.map_or(Status::Unset, status);
                this.0.completed(Completed { status, ..Completed::new(name, SpanKind::Internal) });
            }
            result
        })
    }
}

/// A failure that is expected is no error.
fn status(failure: &Failure) -> Status {
    match failure.find_application() {
        Some((_, application)) if application.category == FailureCategory::Benign => Status::Unset,
        _ => Status::error(failure.to_string()),
    }
}

impl<T> WorkflowInterceptor for Tracing<T>
where
    T: Tracer + Send + Sync + 'static,
    T::Span: Send + Sync + 'static,
{
    fn around_run(&self, code: Running<Payload>) -> Running<Payload> {
        let this = self.clone();
        self.ending(
            Box::pin(async move {
                *run_local::<Current>().0.borrow_mut() = Some(std::rc::Rc::new(this.clone()));
                let name = format!("RunWorkflow:{}", workflow::info().workflow_type());
                this.0.completed(Completed::new(name, SpanKind::Server));
                code.await
            }),
            true,
        )
    }

    fn around_signal(&self, signal: &SignalReceived, handler: Running<()>) -> Running<()> {
        self.handling(format!("HandleSignal:{}", signal.name), &signal.headers);
        self.ending(handler, false)
    }

    fn around_validator(
        &self,
        update: &UpdateRequested,
        validator: Inner<'_, Result<(), Failure>>,
    ) -> Result<(), Failure> {
        if let Some(parent) = run_context() {
            let name = format!("ValidateUpdate:{}", update.name);
            let ids = Source::Random { parent };
            let link = carrier::extract(&update.headers);
            self.0.completed(Completed { link, ids, ..Completed::new(name, SpanKind::Server) });
        }
        validator.call()
    }

    fn around_update(&self, update: &UpdateRequested, handler: Running<Payload>) -> Running<Payload> {
        self.handling(format!("HandleUpdate:{}", update.name), &update.headers);
        handler
    }

    /// Only where the caller traces, as a child of its span: what happens in a query is no part of the workflow.
    fn around_query(&self, query: &Query, handler: Inner<'_, Result<Payload, Failure>>) -> Result<Payload, Failure> {
        if let Some(parent) = carrier::extract(&query.headers) {
            let name = format!("HandleQuery:{}", query.name);
            let ids = Source::Random { parent };
            self.0.completed(Completed { link: run_context(), ids, ..Completed::new(name, SpanKind::Server) });
        }
        handler.call()
    }

    fn schedule_activity(&self, activity: &mut ScheduleActivity) {
        self.asking(format!("StartActivity:{}", activity.activity_type), &mut activity.headers);
    }

    fn schedule_local_activity(&self, activity: &mut ScheduleLocalActivity) {
        self.asking(format!("StartActivity:{}", activity.activity_type), &mut activity.headers);
    }

    fn start_child_workflow(&self, child: &mut StartChildWorkflow) {
        self.asking(format!("StartChildWorkflow:{}", child.workflow_type), &mut child.headers);
    }

    fn signal_external(&self, signal: &mut SignalExternal) {
        let what = match &signal.target {
            SignalTarget::Child { .. } => "SignalChildWorkflow",
            SignalTarget::External(_) => "SignalExternalWorkflow",
        };
        self.asking(format!("{what}:{}", signal.signal_name), &mut signal.headers);
    }

    /// The next run goes on in the same trace.
    fn continue_as_new(&self, next: &mut ContinueAsNew) {
        if let Some(context) = run_context() {
            carrier::inject(&context, &mut next.headers);
        }
    }
}

impl<T> Spans for Tracing<T>
where
    T: Tracer,
    T::Span: Send + Sync + 'static,
{
    fn completed(&self, span: Completed) -> Option<Context> {
        self.0.completed(span)
    }
}
