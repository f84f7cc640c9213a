//! Spans of workflows. They begin and end at once, at the time of the workflow, and none is made while replaying.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use opentelemetry::trace::{FutureExt, Link, Span, SpanBuilder, SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue};
use stead::Failure;
use stead::data::Headers;
use stead::data::failure::FailureCategory;
use stead::workflow::intercepted::{
    ContinueAsNew, Inner, Payload, Query, Running, ScheduleActivity, ScheduleLocalActivity, ScheduleNexusOperation,
    SignalExternal, SignalReceived, SignalTarget, SignalWithStart, StartChildWorkflow, UpdateRequested,
};
use stead::workflow::{self, WorkflowInterceptor, replay, run_local, unwatched};

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
            Source::Run => (current_context(), Some(ids::of_run())),
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
        unwatched(|| {
            let mut span = ids::with(ids, || self.tracer.build_with_context(builder, &parent));
            span.set_status(status);
            let made = parent.with_remote_span_context(span.span_context().clone());
            span.end_with_timestamp(now);
            Some(made)
        })
    }
}

/// What the caller of the workflow has sent along.
fn run_context() -> Option<Context> {
    #[derive(Default)]
    struct OfCaller(OnceCell<Option<Context>>);

    run_local::<OfCaller>().0.get_or_init(|| carrier::extract(workflow::info().headers())).clone()
}

/// That of a span of the user's, or the caller's.
fn current_context() -> Option<Context> {
    let current = Context::current();
    if current.span().span_context().is_valid() { Some(current) } else { run_context() }
}

/// The tracer of the run, for [`completed_span`].
#[derive(Default)]
struct Current(RefCell<Option<Rc<dyn Spans>>>);

/// Makes a span of the workflow's own, without duration: none while replaying, nor in a run that is not traced. For one that
/// lasts, see [`in_span`](crate::in_span).
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
    /// A span of the SDK, if it is to make them.
    fn own(&self, span: impl FnOnce() -> Completed) -> Option<Context> {
        if self.0.makes_spans { self.0.completed(span()) } else { None }
    }

    /// A span for what the workflow asks for, whose context goes along.
    fn asking(&self, name: String, headers: &mut Headers) {
        if let Some(context) = self.asked(name) {
            carrier::inject(&context, headers);
        }
    }

    /// The span for what the workflow asks for; without spans of the SDK, the one that it asks in.
    fn asked(&self, name: String) -> Option<Context> {
        self.own(|| Completed::new(name, SpanKind::Client)).or_else(current_context)
    }

    /// A span for a handler, beside that of its caller. Returns what the handler runs in.
    fn handling(&self, name: String, headers: &Headers) -> Context {
        let caller = carrier::extract(headers);
        self.own(|| Completed { link: caller.clone(), ..Completed::new(name, SpanKind::Server) });
        self.handler_context(caller)
    }

    /// Without spans of the SDK, those of a handler are children of its caller's.
    fn handler_context(&self, caller: Option<Context>) -> Context {
        caller.filter(|_| !self.0.makes_spans).or_else(run_context).unwrap_or_default()
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
                this.own(|| Completed { status, ..Completed::new(name, SpanKind::Internal) });
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
                *run_local::<Current>().0.borrow_mut() = Some(Rc::new(this.clone()));
                let name = format!("RunWorkflow:{}", workflow::info().workflow_type());
                this.own(|| Completed::new(name, SpanKind::Server));
                code.with_context(run_context().unwrap_or_default()).await
            }),
            true,
        )
    }

    fn around_signal(&self, signal: &SignalReceived, handler: Running<()>) -> Running<()> {
        let context = self.handling(format!("HandleSignal:{}", signal.name), &signal.headers);
        self.ending(Box::pin(handler.with_context(context)), false)
    }

    fn around_validator(
        &self,
        update: &UpdateRequested,
        validator: Inner<'_, Result<(), Failure>>,
    ) -> Result<(), Failure> {
        let caller = carrier::extract(&update.headers);
        if let Some(parent) = run_context() {
            let (link, ids) = (caller.clone(), Source::Random { parent });
            let name = format!("ValidateUpdate:{}", update.name);
            self.own(|| Completed { link, ids, ..Completed::new(name, SpanKind::Server) });
        }
        let _attached = self.handler_context(caller).attach();
        validator.call()
    }

    fn around_update(&self, update: &UpdateRequested, handler: Running<Payload>) -> Running<Payload> {
        let context = self.handling(format!("HandleUpdate:{}", update.name), &update.headers);
        Box::pin(handler.with_context(context))
    }

    /// Only where the caller traces, as a child of its span: what happens in a query is no part of the workflow.
    fn around_query(&self, query: &Query, handler: Inner<'_, Result<Payload, Failure>>) -> Result<Payload, Failure> {
        let caller = carrier::extract(&query.headers);
        if let Some(parent) = caller.clone() {
            let name = format!("HandleQuery:{}", query.name);
            let ids = Source::Random { parent };
            self.own(|| Completed { link: run_context(), ids, ..Completed::new(name, SpanKind::Server) });
        }
        let _attached = caller.unwrap_or_default().attach();
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

    fn schedule_nexus_operation(&self, operation: &mut ScheduleNexusOperation) {
        let name = format!("StartNexusOperation:{}/{}", operation.service, operation.operation);
        if let Some(context) = self.asked(name) {
            carrier::inject_into_nexus(&context, &mut operation.headers);
        }
    }

    fn signal_external(&self, signal: &mut SignalExternal) {
        let what = match &signal.target {
            SignalTarget::Child { .. } => "SignalChildWorkflow",
            SignalTarget::External(_) => "SignalExternalWorkflow",
        };
        self.asking(format!("{what}:{}", signal.signal_name), &mut signal.headers);
    }

    fn signal_with_start(&self, request: &mut SignalWithStart) {
        self.asking(format!("SignalWithStartWorkflow:{}", request.workflow_type), &mut request.headers);
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
