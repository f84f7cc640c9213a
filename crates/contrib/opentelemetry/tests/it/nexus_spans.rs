//! Spans of Nexus operations.

use opentelemetry::Context;
use opentelemetry::trace::{SpanKind, Status, TraceContextExt, TracerProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use stead::prelude::*;
use stead::testing::Replayer;
use stead::{Failure, WorkflowHandle};
use stead_opentelemetry::{Tracing, in_span};

use crate::workflow_spans::shape;
use crate::{by_name, env, tracing};

#[derive(Default)]
struct Refund;

#[workflow]
impl Refund {
    #[run]
    async fn run(&self, amount: u32) -> workflow::Result<u32> {
        if amount > 100 {
            workflow::wait_until(|| false).await?;
        }
        Ok(amount)
    }

    #[signal]
    fn hurry(&self) {}
}

/// Sees to it that money is given back.
#[derive(Default)]
struct Insists;

#[workflow]
impl Insists {
    #[run]
    async fn run(&self, id: String) -> workflow::Result<()> {
        workflow::signal_with_start(Refund::run, 7).signal(Refund::hurry, ()).id(id).await?;
        Ok(())
    }
}

struct Till;

#[nexus_service]
impl Till {
    #[operation]
    async fn refund(&self, amount: u32) -> nexus::Result<nexus::Started<u32>> {
        let request = nexus::info().start.clone().expect("it starts an operation").request_id;
        nexus::start(nexus::client().start_workflow(Refund::run, amount).id(format!("refund-{request}"))).await
    }

    #[operation]
    async fn charge(&self) -> nexus::Result<()> {
        Err(nexus::Error::operation_failed("no money"))
    }

    #[operation]
    async fn close(&self) -> nexus::Result<()> {
        let closed = Failure::application("closed on Sundays").benign();
        Err(nexus::Error::operation_failed_as(closed))
    }

    /// The id of the span that it runs in.
    #[operation]
    async fn span(&self) -> String {
        Context::current().span().span_context().span_id().to_string()
    }

    /// The same, on a thread of its own.
    #[operation]
    fn span_of_thread(&self) -> String {
        Context::current().span().span_context().span_id().to_string()
    }
}

struct Scale;

#[activities]
impl Scale {
    /// The id of the span that it runs in, on a thread of its own.
    #[activity]
    fn weigh(&self) -> activity::Result<String> {
        Ok(Context::current().span().span_context().span_id().to_string())
    }
}

#[derive(Default)]
struct Weighs;

#[workflow]
impl Weighs {
    #[run]
    async fn run(&self) -> workflow::Result<String> {
        Ok(workflow::activity(Scale::weigh, ()).start_to_close(secs(5)).await?)
    }
}

#[derive(Default)]
struct Customer;

#[workflow]
impl Customer {
    #[run]
    async fn run(&self, endpoint: String, amount: u32) -> workflow::Result<u32> {
        let till = workflow::nexus::<Till>(endpoint);
        if amount == 0 {
            till.call(Till::charge, ()).await.expect_err("there is no money");
            till.call(Till::close, ()).await.expect_err("it is closed");
            return Ok(0);
        }
        let refund = till.call(Till::refund, amount).start().await?;
        if amount > 100 {
            refund.cancel();
            assert!(refund.result().await.expect_err("it was cancelled").is_cancelled());
            return Ok(0);
        }
        Ok(refund.result().await?)
    }
}

/// A client that traces and a worker of it, for as long as a story takes.
async fn run(
    tracing: &Tracing<impl opentelemetry::trace::Tracer<Span: Send + Sync> + Send + Sync + 'static>,
    story: impl AsyncFnOnce(&Client, &str, &str),
) {
    let env = env().await;
    let client = env.connect().plugin(tracing.plugin()).await.unwrap();
    let endpoint = env.create_nexus_endpoint(format!("till-{}", env.task_queue()), env.task_queue()).await.unwrap();
    let worker = stead::Worker::builder(&client, env.task_queue()).workflow::<Customer>().workflow::<Refund>();
    let worker =
        worker.workflow::<Weighs>().workflow::<Insists>().activities(Scale).nexus_service(Till).build().unwrap();
    worker.run_while(story(&client, &endpoint.name, env.task_queue())).await.unwrap();
    env.delete_nexus_endpoint(&endpoint).await.unwrap();
}

/// What becomes of a customer.
async fn ask(client: &Client, endpoint: &str, task_queue: &str, amount: u32) -> (WorkflowHandle<Customer>, u32) {
    let start = client.start_workflow(Customer::run, (endpoint.to_owned(), amount));
    let customer = start.id(format!("customer-{amount}-{task_queue}")).task_queue(task_queue).await.unwrap();
    let result = customer.result().await.unwrap();
    (customer, result)
}

#[tokio::test]
async fn a_trace_goes_from_the_caller_of_an_operation_to_its_handler_and_the_workflow_that_goes_on_for_it() {
    let (tracing, exporter) = tracing();
    run(&tracing, async |client, endpoint, task_queue| {
        let (customer, result) = ask(client, endpoint, task_queue, 7).await;
        assert_eq!(result, 7);
        let spans = exporter.get_finished_spans().unwrap();
        let expected = [
            ("CompleteWorkflow:Customer", "StartWorkflow:Customer"),
            ("CompleteWorkflow:Refund", "StartWorkflow:Refund"),
            ("RunStartNexusOperationHandler:Till/refund", "StartNexusOperation:Till/refund"),
            ("RunWorkflow:Customer", "StartWorkflow:Customer"),
            ("RunWorkflow:Refund", "StartWorkflow:Refund"),
            ("StartNexusOperation:Till/refund", "StartWorkflow:Customer"),
            ("StartWorkflow:Customer", ""),
            ("StartWorkflow:Refund", "RunStartNexusOperationHandler:Till/refund"),
        ];
        assert_eq!(shape(&spans), expected);
        let spans = by_name(&spans);
        let trace = spans["StartWorkflow:Customer"].span_context.trace_id();
        assert!(spans.values().all(|span| span.span_context.trace_id() == trace && span.status == Status::Unset));
        assert_eq!(spans["StartNexusOperation:Till/refund"].span_kind, SpanKind::Client);
        assert_eq!(spans["RunStartNexusOperationHandler:Till/refund"].span_kind, SpanKind::Server);

        exporter.reset();
        Replayer::new().workflow::<Customer>().plugins_of(client).replay_workflow(&customer).await.unwrap();
        let replayed = exporter.get_finished_spans().unwrap();
        assert!(replayed.is_empty(), "{replayed:?}");
    })
    .await;
}

#[tokio::test]
async fn the_handler_of_a_cancellation_is_part_of_the_trace_of_the_operation() {
    let (tracing, exporter) = tracing();
    run(&tracing, async |client, endpoint, task_queue| {
        ask(client, endpoint, task_queue, 101).await;
    })
    .await;
    // Not before the worker has ended: the operation may be cancelled before its handler has answered.
    let spans = exporter.get_finished_spans().unwrap();
    let cancelled = ("RunCancelNexusOperationHandler:Till/refund", "StartNexusOperation:Till/refund");
    assert!(shape(&spans).contains(&cancelled), "{:?}", shape(&spans));
}

#[tokio::test]
async fn the_span_of_a_handler_that_fails_says_so_unless_the_failure_is_benign() {
    let (tracing, exporter) = tracing();
    run(&tracing, async |client, endpoint, task_queue| {
        ask(client, endpoint, task_queue, 0).await;
        let spans = exporter.get_finished_spans().unwrap();
        let spans = by_name(&spans);
        let status =
            |operation: &str| spans[&*format!("RunStartNexusOperationHandler:Till/{operation}")].status.clone();
        assert!(matches!(status("charge"), Status::Error { description } if description.contains("no money")));
        assert_eq!(status("close"), Status::Unset);
    })
    .await;
}

#[tokio::test]
async fn an_operation_without_a_workflow_is_traced_and_without_own_spans_its_handler_runs_in_the_callers() {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let tracer = provider.tracer("tests");
    let tracing = Tracing::new(tracer.clone());
    let handled = "RunStartNexusOperationHandler:Till/span";
    let asked = "StartNexusOperation:Till/span";
    let cases: [(_, _, &[_]); 2] = [
        (tracing.clone(), handled, &[(handled, asked), (asked, "asking"), ("asking", "")]),
        (tracing.without_own_spans(), "asking", &[("asking", "")]),
    ];
    for (tracing, around_the_handler, expected) in cases {
        exporter.reset();
        run(&tracing, async |client, endpoint, task_queue| {
            let till = client.nexus::<Till>(endpoint);
            let call = till.execute(Till::span, ()).id(format!("span-{task_queue}"));
            let seen = in_span(&tracer, "asking", async { call.await.unwrap() }).await;
            let spans = exporter.get_finished_spans().unwrap();
            assert_eq!(shape(&spans), expected);
            assert_eq!(by_name(&spans)[around_the_handler].span_context.span_id().to_string(), seen);
        })
        .await;
    }
}

#[tokio::test]
async fn blocking_code_of_activities_and_operations_runs_in_their_spans_though_on_another_thread() {
    let (tracing, exporter) = tracing();
    run(&tracing, async |client, endpoint, task_queue| {
        let till = client.nexus::<Till>(endpoint);
        let seen = till.execute(Till::span_of_thread, ()).id(format!("span-{task_queue}")).await.unwrap();
        let start = client.start_workflow(Weighs::run, ()).id(format!("weighs-{task_queue}"));
        let weighed = start.task_queue(task_queue).await.unwrap().result().await.unwrap();
        let spans = exporter.get_finished_spans().unwrap();
        let spans = by_name(&spans);
        let id = |name: &str| spans[name].span_context.span_id().to_string();
        assert_eq!(id("RunStartNexusOperationHandler:Till/span_of_thread"), seen);
        assert_eq!(id("RunActivity:weigh"), weighed);
    })
    .await;
}

#[tokio::test]
async fn a_trace_goes_from_a_workflow_to_another_that_it_signals_and_starts() {
    let (tracing, exporter) = tracing();
    run(&tracing, async |client, _, task_queue| {
        let id = format!("refund-{task_queue}");
        let start = client.start_workflow(Insists::run, &id).id(format!("insists-{task_queue}"));
        start.task_queue(task_queue).await.unwrap().result().await.unwrap();
        assert_eq!(client.workflow::<Refund>(&id).result().await.unwrap(), 7);
        let spans = exporter.get_finished_spans().unwrap();
        let shape = shape(&spans);
        for (span, parent) in [
            ("SignalWithStartWorkflow:Refund", "StartWorkflow:Insists"),
            ("RunWorkflow:Refund", "SignalWithStartWorkflow:Refund"),
        ] {
            assert!(shape.contains(&(span, parent)), "{shape:?}");
        }
    })
    .await;
}
