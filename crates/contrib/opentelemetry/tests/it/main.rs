//! Traces, on the embedded server and on Temporal's own.

#[cfg(all(feature = "logs", feature = "metrics"))]
mod counts_and_logs;
mod nexus_spans;
mod workflow_spans;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanId, Status, TracerProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracer, SdkTracerProvider, SpanData};
use stead::prelude::*;
use stead::testing::Replayer;
use stead_opentelemetry::{Ids, Tracing};

#[derive(Default)]
struct Traced {
    total: State<u32>,
}

struct Work;

#[activities]
impl Work {
    #[activity]
    async fn twice(&self, n: u32) -> activity::Result<u32> {
        Ok(n * 2)
    }
}

#[workflow]
impl Traced {
    #[run]
    async fn run(&self) -> workflow::Result<u32> {
        workflow::wait_until(|| self.total.get() > 10).await?;
        stead_opentelemetry::completed_span("enough", [KeyValue::new("total", i64::from(self.total.get()))]);
        Ok(workflow::activity(Work::twice, self.total.get()).start_to_close(secs(5)).await?)
    }

    #[signal]
    fn add(&self, n: u32) {
        self.total.set(self.total.get() + n);
    }

    #[query]
    fn total(&self) -> u32 {
        self.total.get()
    }

    #[update]
    async fn add_more(&self, n: u32) -> workflow::Result<u32> {
        self.total.set(self.total.get() + n);
        Ok(self.total.get())
    }
}

/// On the server that the environment names, or one of its own.
async fn env() -> TestEnv {
    match std::env::var("STEAD_TEST_SERVER") {
        Ok(address) => TestEnv::against(address).await.unwrap(),
        Err(_) => TestEnv::new().await.unwrap(),
    }
}

fn tracing() -> (Tracing<SdkTracer>, InMemorySpanExporter) {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone());
    let tracer = provider.with_id_generator(Ids::default()).build().tracer("tests");
    (Tracing::new(tracer), exporter)
}

/// The spans by their names, each of which is there once.
fn by_name(spans: &[SpanData]) -> BTreeMap<&str, &SpanData> {
    let all: BTreeMap<_, _> = spans.iter().map(|span| (&*span.name, span)).collect();
    assert_eq!(all.len(), spans.len(), "{:?}", spans.iter().map(|span| &span.name).collect::<Vec<_>>());
    all
}

#[tokio::test]
async fn a_trace_goes_from_the_client_through_workflow_and_handlers_to_the_activity_and_replay_adds_nothing() {
    let env = env().await;
    let (tracing, exporter) = tracing();
    let client = env.connect().plugin(tracing.plugin()).await.unwrap();
    let worker =
        stead::Worker::builder(&client, env.task_queue()).workflow::<Traced>().activities(Work).shadow_replay();
    let traced = worker
        .build()
        .unwrap()
        .run_while(async {
            let id = format!("traced-{}", env.task_queue());
            let start = client.start_workflow(Traced::run, ()).id(id).task_queue(env.task_queue());
            let traced = start.await.unwrap();
            traced.signal(Traced::add, 4).await.unwrap();
            assert_eq!(traced.query(Traced::total, ()).await.unwrap(), 4);
            assert_eq!(traced.update(Traced::add_more, 17).await.unwrap(), 21);
            assert_eq!(traced.result().await.unwrap(), 42);
            traced
        })
        .await
        .unwrap();

    let spans = exporter.get_finished_spans().unwrap();
    let spans = by_name(&spans);
    let name_of = |id: SpanId| spans.values().find(|span| span.span_context.span_id() == id).map(|span| &*span.name);
    let parents: BTreeMap<_, _> = spans.iter().map(|(name, span)| (*name, name_of(span.parent_span_id))).collect();
    let start = Some("StartWorkflow:Traced");
    let expected = [
        ("StartWorkflow:Traced", None),
        ("RunWorkflow:Traced", start),
        ("SignalWorkflow:add", None),
        ("HandleSignal:add", start),
        ("QueryWorkflow:total", None),
        ("HandleQuery:total", Some("QueryWorkflow:total")),
        ("StartWorkflowUpdate:add_more", None),
        ("ValidateUpdate:add_more", start),
        ("HandleUpdate:add_more", start),
        ("enough", start),
        ("StartActivity:twice", start),
        ("RunActivity:twice", Some("StartActivity:twice")),
        ("CompleteWorkflow:Traced", start),
    ];
    assert_eq!(parents, BTreeMap::from(expected));
    let linked =
        |name: &str| spans[name].links.iter().map(|link| name_of(link.span_context.span_id())).collect::<Vec<_>>();
    assert_eq!(linked("HandleSignal:add"), [Some("SignalWorkflow:add")]);
    assert_eq!(linked("HandleUpdate:add_more"), [Some("StartWorkflowUpdate:add_more")]);
    assert_eq!(linked("HandleQuery:total"), [start]);
    let attribute = |name: &str, key: &str| {
        let found = spans[name].attributes.iter().find(|it| it.key.as_str() == key);
        found.map(|it| it.value.to_string())
    };
    assert_eq!(attribute("RunWorkflow:Traced", "temporalWorkflowID").as_deref(), Some(traced.id()));
    assert_eq!(attribute("RunActivity:twice", "temporalActivityID").as_deref(), Some("1"));
    assert_eq!(attribute("enough", "total").as_deref(), Some("21"));
    let one_trace =
        |name: &str| spans[name].span_context.trace_id() == spans["StartWorkflow:Traced"].span_context.trace_id();
    assert!(one_trace("RunActivity:twice") && one_trace("CompleteWorkflow:Traced") && !one_trace("SignalWorkflow:add"));
    assert!(spans.values().all(|span| span.status == Status::Unset));

    exporter.reset();
    Replayer::new().workflow::<Traced>().plugins_of(&client).replay_workflow(&traced).await.unwrap();
    let replayed = exporter.get_finished_spans().unwrap();
    assert!(replayed.is_empty(), "{replayed:?}");
}

static IS_BROKEN: AtomicBool = AtomicBool::new(true);

/// Its first workflow task fails after it has made spans.
#[derive(Default)]
struct Stumbles;

#[workflow]
impl Stumbles {
    #[run]
    async fn run(&self) -> workflow::Result<u32> {
        let twice = workflow::activity(Work::twice, 4).start_to_close(secs(5)).start();
        assert!(!IS_BROKEN.swap(false, Ordering::SeqCst), "not yet");
        Ok(twice.await?)
    }
}

#[tokio::test]
async fn a_workflow_task_that_is_tried_again_makes_spans_of_the_same_ids() {
    let env = env().await;
    let (tracing, exporter) = tracing();
    let client = env.connect().plugin(tracing.plugin()).await.unwrap();
    let worker = stead::Worker::builder(&client, env.task_queue()).workflow::<Stumbles>().activities(Work);
    let result = worker.build().unwrap().run_while(async {
        let id = format!("stumbles-{}", env.task_queue());
        client.execute_workflow(Stumbles::run, ()).id(id).task_queue(env.task_queue()).await
    });
    assert_eq!(result.await.unwrap().unwrap(), 8);
    let spans = exporter.get_finished_spans().unwrap();
    for name in ["RunWorkflow:Stumbles", "StartActivity:twice"] {
        let ids: Vec<_> =
            spans.iter().filter(|span| span.name == name).map(|span| span.span_context.span_id()).collect();
        assert_eq!(ids.len(), 2, "{name}");
        assert_eq!(ids[0], ids[1], "{name}");
    }
}
