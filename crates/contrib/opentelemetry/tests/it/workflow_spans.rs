//! Spans, counts and logs that users make in workflow code.

use std::sync::LazyLock;
use std::time::Duration;

use opentelemetry::trace::{FutureExt, SpanId, Status, TraceContextExt, TraceId, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue, global};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use stead::prelude::*;
use stead::testing::Replayer;
use stead_opentelemetry::{ReplaySafe, Tracing, in_span};

use crate::{Work, env};

/// The provider of this process, which workflow code finds, and what it exports.
static SPANS: LazyLock<(ReplaySafe<SdkTracerProvider>, InMemorySpanExporter)> = LazyLock::new(|| {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone());
    let provider = stead_opentelemetry::tracer_provider(provider);
    global::set_tracer_provider(provider.clone());
    (provider, exporter)
});

fn of_trace(trace: TraceId) -> Vec<SpanData> {
    let spans = SPANS.1.get_finished_spans().unwrap();
    spans.into_iter().filter(|span| span.span_context.trace_id() == trace).collect()
}

/// The names of spans and of their parents, in order.
pub(crate) fn shape(spans: &[SpanData]) -> Vec<(&str, &str)> {
    let name_of = |id: SpanId| spans.iter().find(|it| it.span_context.span_id() == id).map_or("", |it| &*it.name);
    let mut shape: Vec<_> = spans.iter().map(|it| (&*it.name, name_of(it.parent_span_id))).collect();
    shape.sort_unstable();
    shape
}

#[derive(Default)]
struct Voyage {
    ports: State<u32>,
}

#[workflow]
impl Voyage {
    #[run]
    async fn run(&self) -> workflow::Result<u32> {
        let tracer = global::tracer("voyage");
        let sailed = in_span(&tracer, "at sea", async {
            workflow::sleep(millis(50)).await?;
            Context::current().span().set_attribute(KeyValue::new("knots", 3));
            Context::current().span().set_attribute(KeyValue::new("knots", 9));
            workflow::unwatched(|| Context::current().span().add_event("land ho", Vec::new()));
            let loading =
                in_span(&tracer, "loading", async { workflow::activity(Work::twice, 4).start_to_close(secs(5)).await });
            workflow::Result::Ok(loading.await?)
        })
        .await?;
        workflow::wait_until(|| self.ports.get() > 0).await?;
        Ok(sailed)
    }

    #[update]
    async fn call_at(&self, ports: u32) -> workflow::Result<u32> {
        let mut docked = global::tracer("voyage").start("docked");
        opentelemetry::trace::Span::set_status(&mut docked, Status::error("no wind"));
        workflow::sleep(millis(50)).await?;
        self.ports.set(ports);
        Ok(ports)
    }

    #[query]
    fn position(&self) -> u32 {
        global::tracer("voyage").in_span("taking bearings", |_| self.ports.get())
    }
}

/// Calls a workflow within a root span, with a worker that remembers nothing. Gives the spans of the trace.
async fn sail(tracing: &Tracing<impl Tracer<Span: Send + Sync> + Send + Sync + 'static>) -> (Vec<SpanData>, usize) {
    let env = env().await;
    let client = env.connect().plugin(tracing.plugin()).await.unwrap();
    let worker = stead::Worker::builder(&client, env.task_queue()).workflow::<Voyage>().activities(Work);
    let root = Context::current_with_span(SPANS.0.tracer("tests").start("root"));
    let trace = root.span().span_context().trace_id();
    let calls = async {
        let id = format!("voyage-{}", env.task_queue());
        let voyage = client.start_workflow(Voyage::run, ()).id(id).task_queue(env.task_queue()).await.unwrap();
        assert_eq!(voyage.update(Voyage::call_at, 2).await.unwrap(), 2);
        assert_eq!(voyage.result().await.unwrap(), 8);
        assert_eq!(voyage.query(Voyage::position, ()).await.unwrap(), 2);
        voyage
    };
    let worker = worker.max_cached_workflows(0).guard(true).build().unwrap();
    let voyage = worker.run_while(calls.with_context(root.clone())).await.unwrap();
    root.span().end();
    let spans = of_trace(trace);
    Replayer::new().workflow::<Voyage>().plugins_of(&client).replay_workflow(&voyage).await.unwrap();
    let replayed = of_trace(trace).len() - spans.len();
    (spans, replayed)
}

#[tokio::test]
async fn spans_of_workflow_code_last_as_long_as_it_does_and_are_made_once_however_often_it_is_replayed() {
    let (spans, replayed) = sail(&Tracing::new(SPANS.0.tracer("tests"))).await;
    let start = "StartWorkflow:Voyage";
    let expected = [
        ("CompleteWorkflow:Voyage", start),
        ("HandleQuery:position", "QueryWorkflow:position"),
        ("HandleUpdate:call_at", start),
        ("QueryWorkflow:position", "root"),
        ("RunActivity:twice", "StartActivity:twice"),
        ("RunWorkflow:Voyage", start),
        ("StartActivity:twice", "loading"),
        ("StartWorkflow:Voyage", "root"),
        ("StartWorkflowUpdate:call_at", "root"),
        ("ValidateUpdate:call_at", start),
        ("at sea", start),
        ("docked", start),
        ("loading", "at sea"),
        ("root", ""),
        ("taking bearings", "QueryWorkflow:position"),
    ];
    assert_eq!(shape(&spans), expected);
    assert_eq!(replayed, 0);

    let named = |name: &str| spans.iter().find(|it| it.name == name).unwrap();
    let lasted = |name: &str| named(name).end_time.duration_since(named(name).start_time).unwrap();
    assert!(lasted("at sea") >= millis(50) && lasted("docked") >= millis(50), "{:?}", lasted("at sea"));
    assert_eq!(lasted("RunWorkflow:Voyage"), Duration::ZERO);
    let (outer, inner) = (named("at sea"), named("loading"));
    assert!(outer.start_time < inner.start_time && inner.end_time <= outer.end_time);
    assert_eq!(outer.attributes, [KeyValue::new("knots", 9)]);
    assert_eq!(outer.events.iter().map(|it| &*it.name).collect::<Vec<_>>(), ["land ho"]);
    assert_eq!(outer.events[0].timestamp, inner.start_time);
    assert_eq!(named("docked").status, Status::error("no wind"));
}

#[tokio::test]
async fn without_those_of_the_sdk_spans_of_ones_own_are_children_of_their_callers() {
    let (spans, replayed) = sail(&Tracing::new(SPANS.0.tracer("tests")).without_own_spans()).await;
    let expected =
        [("at sea", "root"), ("docked", "root"), ("loading", "at sea"), ("root", ""), ("taking bearings", "root")];
    assert_eq!(shape(&spans), expected);
    assert_eq!(replayed, 0);
}

/// Its second workflow task fails the first time.
#[derive(Default)]
struct Capsizes;

static IS_UPRIGHT: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

#[workflow]
impl Capsizes {
    #[run]
    async fn run(&self) -> workflow::Result<()> {
        let tracer = global::tracer("capsizes");
        in_span(&tracer, "rolling", async {
            workflow::sleep(millis(5)).await?;
            drop(tracer.start("wave"));
            assert!(IS_UPRIGHT.swap(true, std::sync::atomic::Ordering::SeqCst), "not yet");
            Ok(())
        })
        .await
    }
}

#[tokio::test]
async fn a_span_that_is_open_when_its_task_fails_is_not_made_and_one_that_has_ended_is_made_again_with_its_id() {
    let env = env().await;
    let tracing = Tracing::new(SPANS.0.tracer("tests")).without_own_spans();
    let client = env.connect().plugin(tracing.plugin()).await.unwrap();
    let worker = stead::Worker::builder(&client, env.task_queue()).workflow::<Capsizes>().build().unwrap();
    let root = Context::current_with_span(SPANS.0.tracer("tests").start("root"));
    let calls = async {
        let id = format!("capsizes-{}", env.task_queue());
        client.execute_workflow(Capsizes::run, ()).id(id).task_queue(env.task_queue()).await
    };
    worker.run_while(calls.with_context(root.clone())).await.unwrap().unwrap();
    let spans = of_trace(root.span().span_context().trace_id());
    assert_eq!(shape(&spans), [("rolling", ""), ("wave", "rolling"), ("wave", "rolling")]);
    let waves: Vec<_> = spans.iter().filter(|it| it.name == "wave").map(|it| it.span_context.span_id()).collect();
    assert_eq!(waves[0], waves[1]);
}
