//! The metrics of clients and workers, as Prometheus scrapes them and as a collector of OpenTelemetry gets them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use stead::Failure;
use stead::data::metrics::{Meter, Metric, MetricBuffer, MetricSink, MetricValue};
use stead::prelude::*;
use stead::worker::opentelemetry::OpenTelemetry;
use stead::worker::prometheus::Prometheus;
use stead_tests::{Env, server, until_history_has};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::collector::Collector;
use crate::log::Log;

struct Works;

#[activities]
impl Works {
    #[activity]
    async fn adds(&self, a: u32, b: u32) -> activity::Result<u32> {
        activity::meter().counter("additions").add(1);
        Ok(a + b)
    }

    #[activity]
    async fn fails(&self) -> activity::Result<()> {
        Err(activity::Error::from("no").non_retryable())
    }

    #[activity]
    async fn waits(&self) -> activity::Result<()> {
        activity::cancelled().await;
        Err(activity::Error::cancelled())
    }
}

#[derive(Default)]
struct Succeeds;

#[workflow]
impl Succeeds {
    #[run]
    async fn run(&self) -> workflow::Result<u32> {
        let sum = workflow::activity(Works::adds, (1, 2)).start_to_close(secs(5)).await?;
        let sum = workflow::local_activity(Works::adds, (sum, 3)).start_to_close(secs(5)).await?;
        let failed = workflow::activity(Works::fails, ()).start_to_close(secs(5)).await;
        let failed_here = workflow::local_activity(Works::fails, ()).start_to_close(secs(5)).await;
        assert!(failed.is_err() && failed_here.is_err());
        let waits = workflow::local_activity(Works::waits, ()).start_to_close(secs(30));
        let cancelled = workflow::scope(async { Ok(waits.await?) }).timeout(millis(50)).await;
        assert!(cancelled.is_err());
        Ok(sum)
    }
}

#[derive(Default)]
struct Fails;

#[workflow]
impl Fails {
    #[run]
    async fn run(&self) -> workflow::Result<()> {
        Err(Failure::application("on purpose").into())
    }
}

#[derive(Default)]
struct Waits {
    told: Cell<bool>,
}

#[workflow]
impl Waits {
    #[run]
    async fn run(&self) -> workflow::Result<()> {
        workflow::wait_until(|| self.told.get()).await?;
        Ok(())
    }

    #[signal]
    fn tell(&self) {
        self.told.set(true);
    }
}

#[derive(Default)]
struct GoesOn;

#[workflow]
impl GoesOn {
    #[run]
    async fn run(&self, left: u32) -> workflow::Result<()> {
        match left {
            0 => Ok(()),
            _ => workflow::continue_as_new(Self::run, left - 1).exit(),
        }
    }
}

static HAS_PANICKED: AtomicBool = AtomicBool::new(false);

#[derive(Default)]
struct PanicsOnce;

#[workflow]
impl PanicsOnce {
    #[run]
    async fn run(&self) -> workflow::Result<()> {
        assert!(HAS_PANICKED.swap(true, Ordering::SeqCst), "the first time");
        Ok(())
    }
}

/// What a server of Prometheus would read.
async fn scrape(address: std::net::SocketAddr) -> String {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// The numbers of the lines of a metric that have all of these labels, added up.
fn total(text: &str, metric: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
    let lines = text.lines().filter(|line| {
        let rest = line.strip_prefix("temporal_").and_then(|line| line.strip_prefix(metric));
        rest.is_some_and(|rest| rest.starts_with('{')) && labels.iter().all(|label| line.contains(label))
    });
    let numbers: Vec<f64> = lines.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect();
    (!numbers.is_empty()).then(|| numbers.iter().sum())
}

/// Two sinks as one.
struct Both(Arc<Prometheus>, Arc<OpenTelemetry>);

impl MetricSink for Both {
    fn record(&self, metric: &Metric<'_>, value: MetricValue, attributes: &[(&str, &str)]) {
        self.0.record(metric, value, attributes);
        self.1.record(metric, value, attributes);
    }
}

/// And a collector of OpenTelemetry gets them by the same names.
#[tokio::test]
async fn prometheus_scrapes_every_metric_of_the_other_sdks() {
    let mut env = Env::new().await;
    let metrics = Arc::new(Prometheus::new());
    let endpoint = metrics.serve("127.0.0.1:0").await.unwrap();
    let (collector, sent) = (Collector::start().await, Arc::new(OpenTelemetry::new()));
    let export = sent.export(Client::connect(collector.address())).await.unwrap();
    let both = Arc::new(Both(Arc::clone(&metrics), sent));
    env.client = Client::connect(server()).metrics(both).await.unwrap();
    let worker = env
        .worker()
        .workflow::<Succeeds>()
        .workflow::<Fails>()
        .workflow::<Waits>()
        .workflow::<GoesOn>()
        .workflow::<PanicsOnce>()
        .activities(Works)
        .max_cached_workflows(1)
        .shards(1)
        .build()
        .unwrap();
    let (client, queue) = (env.client.clone(), env.task_queue.clone());
    let work = async {
        let start = |id: &str| (env.id(id), queue.clone());
        let (id, queue) = start("succeeds");
        assert_eq!(client.execute_workflow(Succeeds::run, ()).id(id).task_queue(queue).await.unwrap(), 6);
        let (id, queue) = start("fails");
        client.execute_workflow(Fails::run, ()).id(id).task_queue(queue).await.unwrap_err();
        let (id, queue) = start("goes-on");
        client.execute_workflow(GoesOn::run, 1).id(id).task_queue(queue).await.unwrap();
        let (id, queue) = start("panics");
        client.execute_workflow(PanicsOnce::run, ()).id(id).task_queue(queue).await.unwrap();

        // One pushes the other out of memory, whose next task comes with a part of its history only.
        let mut waiting = Vec::new();
        for name in ["first", "second"] {
            let (id, queue) = start(name);
            let started = client.start_workflow(Waits::run, ()).id(id).task_queue(queue).await.unwrap();
            until_history_has(&started, "WORKFLOW_TASK_COMPLETED").await;
            waiting.push(started);
        }
        waiting[0].signal(Waits::tell, ()).await.unwrap();
        waiting[0].result().await.unwrap();
        waiting[1].cancel().await.unwrap();
        waiting[1].result().await.unwrap_err();

        let nobody = client.workflow_named(env.id("nobody"));
        nobody.describe().await.unwrap_err();
        nobody.update_named::<()>("any", ()).await.unwrap_err();
    };
    worker.run_while(work).await.unwrap();
    let text = scrape(endpoint.address()).await;
    export.shutdown().await;
    let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let (has, lacks): (Vec<_>, Vec<_>) = names.partition(|name| collector.last_has(name));
    assert!(lacks.is_empty() && has.len() > 30, "the collector lacks {lacks:?} and has {has:?}");
    for label in ["temporal-core-sdk", "service.name", "workflow_type", "Succeeds", "StartWorkflowExecution"] {
        assert!(collector.last_has(label), "{label}");
    }

    let base = [("namespace", "default"), ("task_queue", env.task_queue.as_str())];
    let of = |labels: &[(&'static str, &'static str)]| -> Vec<_> {
        base.into_iter().chain(labels.iter().copied()).collect()
    };
    let count = |metric: &str, labels: &[(&'static str, &'static str)]| total(&text, metric, &of(labels));
    let counted = |metric: &str, labels: &[(&'static str, &'static str)]| {
        assert!(count(metric, labels) > Some(0.0), "{metric} {labels:?} in\n{text}");
    };
    let both = [("activity_type", "adds"), ("workflow_type", "Succeeds")];
    let failing = [("activity_type", "fails"), ("workflow_type", "Succeeds")];

    assert_eq!(count("workflow_completed", &[("workflow_type", "Succeeds")]), Some(1.0));
    assert_eq!(count("workflow_completed", &[("workflow_type", "Waits")]), Some(1.0));
    assert_eq!(count("workflow_canceled", &[("workflow_type", "Waits")]), Some(1.0));
    assert_eq!(count("workflow_failed", &[("workflow_type", "Fails")]), Some(1.0));
    assert_eq!(count("workflow_continue_as_new", &[("workflow_type", "GoesOn")]), Some(1.0));
    assert_eq!(count("workflow_endtoend_latency_count", &[("workflow_type", "Succeeds")]), Some(1.0));
    counted("workflow_task_queue_poll_succeed", &[]);
    let reason = [("workflow_type", "PanicsOnce"), ("failure_reason", "WorkflowError")];
    assert_eq!(count("workflow_task_execution_failed", &reason), Some(1.0));
    counted("workflow_task_schedule_to_start_latency_count", &[]);
    counted("workflow_task_execution_latency_count", &[("workflow_type", "Succeeds")]);
    counted("workflow_task_replay_latency_count", &[("workflow_type", "Waits")]);

    assert_eq!(count("activity_task_received", &both), Some(1.0));
    counted("activity_schedule_to_start_latency_count", &[]);
    assert_eq!(count("activity_execution_latency_count", &both), Some(1.0));
    assert_eq!(count("activity_succeed_endtoend_latency_count", &both), Some(1.0));
    assert_eq!(count("activity_execution_failed", &failing), Some(1.0));
    assert_eq!(count("activity_succeed_endtoend_latency_count", &failing), None);

    assert_eq!(count("local_activity_total", &both), Some(1.0));
    assert_eq!(count("local_activity_execution_latency_count", &both), Some(1.0));
    assert_eq!(count("local_activity_succeed_endtoend_latency_count", &both), Some(1.0));
    counted("local_activity_execution_failed", &failing);
    let waits = [("activity_type", "waits"), ("workflow_type", "Succeeds")];
    assert_eq!(count("local_activity_execution_cancelled", &waits), Some(1.0));

    assert_eq!(count("worker_start", &[]), Some(1.0));
    for poller in ["workflow_task", "sticky_workflow_task", "activity_task"] {
        assert_eq!(count("num_pollers", &[("poller_type", poller)]), Some(0.0), "all have ended: {poller}");
    }
    for worker in ["WorkflowWorker", "ActivityWorker", "LocalActivityWorker"] {
        assert_eq!(count("worker_task_slots_available", &[("worker_type", worker)]), Some(100.0), "{worker}");
        assert_eq!(count("worker_task_slots_used", &[("worker_type", worker)]), Some(0.0), "{worker}");
    }
    counted("sticky_cache_hit", &[("workflow_type", "Succeeds")]);
    counted("sticky_cache_miss", &[]);
    counted("sticky_cache_total_forced_eviction", &[]);
    assert_eq!(count("sticky_cache_size", &[]), Some(0.0));
    assert_eq!(count("sticky_cache_bytes", &[]), Some(0.0));

    let calls = |metric: &str, operation: &'static str, labels: &[(&'static str, &'static str)]| {
        let labels: Vec<_> = [("operation", operation)].into_iter().chain(labels.iter().copied()).collect();
        assert!(total(&text, metric, &labels) > Some(0.0), "{metric} {labels:?} in\n{text}");
    };
    calls("request", "StartWorkflowExecution", &base_labels());
    calls("request_latency_count", "StartWorkflowExecution", &[]);
    calls("request_failure", "DescribeWorkflowExecution", &[("status_code", "NOT_FOUND")]);
    calls("long_request", "PollWorkflowTaskQueue", &base_labels());
    calls("long_request_latency_count", "PollActivityTaskQueue", &[]);
    calls("long_request_failure", "UpdateWorkflowExecution", &[("status_code", "NOT_FOUND")]);
    assert!(text.contains("service_name=\"temporal-core-sdk\""), "{text}");
    let additions: f64 = text
        .lines()
        .filter(|line| line.starts_with("additions{"))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum();
    assert_eq!(additions, 2.0, "what activities count goes there, too");
}

fn base_labels() -> [(&'static str, &'static str); 1] {
    [("namespace", "default")]
}

/// A server ends polls that found nothing, if not now, then after a minute; so this one is told of by a worker that stops.
#[tokio::test]
async fn a_worker_may_have_a_sink_of_its_own_and_polls_without_a_task_are_counted() {
    let env = Env::new().await;
    let buffer = Arc::new(MetricBuffer::new(1000));
    let worker = env.worker().workflow::<Fails>().activities(Works).metrics(buffer.clone()).build().unwrap();
    worker.run_until(tokio::time::sleep(millis(200))).await.unwrap();
    let taken = buffer.take();
    let count = |name: &str| taken.iter().filter(|it| it.name == name).count();
    assert_eq!(count("temporal_worker_start"), 1);
    assert!(count("temporal_workflow_task_queue_poll_empty") > 0, "{taken:#?}");
    assert!(count("temporal_activity_poll_no_task") > 0, "{taken:#?}");
    let polls = |kind: &str| {
        let of_kind = taken.iter().filter(|it| it.name == "temporal_num_pollers" && it.attributes[2].1 == kind);
        of_kind.map(|it| it.value).collect::<Vec<_>>()
    };
    assert!(polls("activity_task").contains(&MetricValue::Integer(5)));
    assert!(polls("workflow_task").contains(&MetricValue::Integer(1)));
    assert!(polls("sticky_workflow_task").contains(&MetricValue::Integer(4)));
    assert_eq!(polls("activity_task").last(), Some(&MetricValue::Integer(0)));
}

#[tokio::test]
async fn metrics_are_sent_to_a_collector_until_the_end_with_its_headers() {
    let collector = Collector::start().await;
    let metrics = Arc::new(OpenTelemetry::new().metric_prefix("shop_").every(millis(5)));
    let meter = Meter::new(metrics.clone());
    let export = metrics.export(Client::connect(collector.address()).metadata("x-tenant", "north")).await.unwrap();
    meter.counter("orders").add(1);
    until("it is sent", || collector.last_has("orders")).await;
    meter.counter("late_orders").add(1);
    export.shutdown().await;
    assert!(collector.last_has("late_orders"), "the last numbers are sent at the end");
    let calls = collector.calls();
    for (path, tenant, _) in &calls {
        assert_eq!(path, "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export");
        assert_eq!(tenant.as_ref().unwrap(), "north");
    }
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let waits = async {
        while !holds() {
            tokio::time::sleep(millis(5)).await;
        }
    };
    tokio::time::timeout(secs(10), waits).await.expect(what);
}

#[tokio::test]
async fn metrics_are_posted_to_a_collector_by_http_and_that_it_takes_none_is_told_once() {
    let log = Log::start();
    for (path, expected) in [("", "/v1/metrics"), ("/tenants/north", "/tenants/north")] {
        let collector = Collector::start_http().await;
        collector.refuse(3);
        let metrics = Arc::new(OpenTelemetry::new().every(millis(5)));
        let meter = Meter::new(metrics.clone());
        let to = Client::connect(format!("{}{path}", collector.address())).metadata("x-tenant", "north");
        let export = metrics.export_http(to).unwrap();
        meter.counter("orders").add(1);
        until("it gives up refusing", || collector.has_refused()).await;
        until("it is sent", || collector.last_has("orders")).await;
        meter.counter("late_orders").add(1);
        export.shutdown().await;
        assert!(collector.last_has("late_orders"), "the last numbers are sent at the end");
        for (path, tenant, _) in &collector.calls() {
            assert_eq!((path.as_str(), tenant.as_ref().unwrap().as_bytes()), (expected, &b"north"[..]));
        }
    }
    let told = "metrics were not sent, trying again error=the answer is 503 Service Unavailable";
    assert_eq!((log.count(told), log.loud()), (2, 2), "once for each collector");
    assert_eq!(log.count("metrics are sent again"), 2);
}

#[tokio::test]
async fn a_collector_that_is_not_there_is_told_of_once_and_an_address_that_is_none_at_once() {
    let log = Log::start();
    let metrics = Arc::new(OpenTelemetry::new().every(millis(5)));
    // A port where nobody listens any more.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let export = metrics.export_http(Client::connect(&address)).unwrap();
    until("it is told", || log.count("metrics were not sent, trying again") == 1).await;
    // Which tries once more.
    export.shutdown().await;
    assert_eq!(log.loud(), 1);
    assert!(log.count("Connection refused") > 0, "with its cause");
    let wrong = metrics.export_http(Client::connect("nowhere/v1/metrics")).unwrap_err();
    assert!(wrong.to_string().contains("must be `host:port`"), "{wrong}");
}
