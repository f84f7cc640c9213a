//! What workflow code counts and logs with OpenTelemetry.

use std::sync::{Arc, LazyLock};

use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::metrics::{Counter, Histogram, Meter, MeterProvider};
use opentelemetry_sdk::logs::{InMemoryLogExporter, SdkLogger, SdkLoggerProvider};
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
use stead::prelude::*;
use stead::testing::Replayer;
use stead_opentelemetry::{ReplaySafe, ToMeter};

use crate::env;

struct Instruments {
    exporter: InMemoryMetricExporter,
    provider: SdkMeterProvider,
    waves: Counter<u64>,
    heights: Histogram<f64>,
    log: ReplaySafe<SdkLogger>,
    logged: InMemoryLogExporter,
}

static INSTRUMENTS: LazyLock<Instruments> = LazyLock::new(|| {
    let exporter = InMemoryMetricExporter::default();
    let provider = SdkMeterProvider::builder().with_reader(PeriodicReader::builder(exporter.clone()).build()).build();
    let meter: Meter = ReplaySafe::new(provider.clone()).meter("sea");
    meter.u64_observable_gauge("depth").with_callback(|depth| depth.observe(11, &[])).build();
    let logged = InMemoryLogExporter::default();
    let logs = SdkLoggerProvider::builder().with_simple_exporter(logged.clone()).build();
    Instruments {
        exporter,
        provider,
        waves: meter.u64_counter("waves").with_unit("{wave}").with_description("seen").build(),
        heights: meter.f64_histogram("heights").with_boundaries(vec![1.0, 2.0]).build(),
        log: ReplaySafe::new(logs).logger("sea"),
        logged,
    }
});

#[derive(Default)]
struct Watch;

#[workflow]
impl Watch {
    #[run]
    async fn run(&self) -> workflow::Result<()> {
        for wave in 1..=3 {
            INSTRUMENTS.waves.add(1, &[]);
            INSTRUMENTS.heights.record(0.75 * f64::from(wave), &[]);
            if INSTRUMENTS.log.event_enabled(Severity::Info, "sea", None) {
                let mut record = INSTRUMENTS.log.create_log_record();
                record.set_body(AnyValue::from(format!("wave {wave}")));
                INSTRUMENTS.log.emit(record);
            }
            workflow::sleep(millis(5)).await?;
        }
        Ok(())
    }
}

#[tokio::test]
async fn what_workflow_code_counts_and_logs_counts_once_however_often_it_is_replayed() {
    // Not within the workflow, which may not start the threads that export.
    LazyLock::force(&INSTRUMENTS);
    let env = env().await;
    let client = env.connect().await.unwrap();
    let worker = stead::Worker::builder(&client, env.task_queue())
        .workflow::<Watch>()
        .max_cached_workflows(0)
        .guard(true)
        .build()
        .unwrap();
    let id = format!("watch-{}", env.task_queue());
    let watch = worker
        .run_while(async {
            let start = client.start_workflow(Watch::run, ()).id(id).task_queue(env.task_queue());
            let watch = start.await.unwrap();
            watch.result().await.unwrap();
            watch
        })
        .await
        .unwrap();
    Replayer::new().workflow::<Watch>().replay_workflow(&watch).await.unwrap();

    INSTRUMENTS.provider.force_flush().unwrap();
    let exported = INSTRUMENTS.exporter.get_finished_metrics().unwrap();
    let metrics: Vec<_> = exported.last().unwrap().scope_metrics().flat_map(|scope| scope.metrics()).collect();
    let named = |name: &str| *metrics.iter().find(|it| it.name() == name).unwrap();
    assert_eq!((named("waves").unit(), named("waves").description()), ("{wave}", "seen"));
    let AggregatedMetrics::U64(MetricData::Sum(waves)) = named("waves").data() else { panic!("{metrics:?}") };
    assert_eq!(waves.data_points().map(|it| it.value()).collect::<Vec<_>>(), [3]);
    let AggregatedMetrics::F64(MetricData::Histogram(heights)) = named("heights").data() else { panic!("{metrics:?}") };
    let buckets: Vec<Vec<_>> = heights.data_points().map(|it| it.bucket_counts().collect()).collect();
    assert_eq!(buckets, [[1, 1, 1]]);
    let AggregatedMetrics::U64(MetricData::Gauge(depth)) = named("depth").data() else { panic!("{metrics:?}") };
    assert_eq!(depth.data_points().map(|it| it.value()).collect::<Vec<_>>(), [11]);

    let logged = INSTRUMENTS.logged.get_emitted_logs().unwrap();
    let bodies: Vec<_> = logged.iter().map(|it| format!("{:?}", it.record.body().unwrap())).collect();
    assert_eq!(bodies.len(), 3, "{bodies:?}");
    assert!((1..=3).all(|wave| bodies[wave - 1].contains(&format!("wave {wave}"))), "{bodies:?}");
}

#[tokio::test]
async fn the_metrics_of_the_sdk_go_to_a_meter_of_ones_own() {
    let exporter = InMemoryMetricExporter::default();
    let provider = SdkMeterProvider::builder().with_reader(PeriodicReader::builder(exporter.clone()).build()).build();
    let env = env().await;
    let client = env.connect().metrics(Arc::new(ToMeter::new(provider.meter("temporal")))).await.unwrap();
    let worker = stead::Worker::builder(&client, env.task_queue()).workflow::<Looks>().guard(true).build().unwrap();
    let id = format!("looks-{}", env.task_queue());
    let looks = client.execute_workflow(Looks::run, ()).id(id).task_queue(env.task_queue()).into_future();
    worker.run_while(looks).await.unwrap().unwrap();

    provider.force_flush().unwrap();
    let exported = exporter.get_finished_metrics().unwrap();
    let metrics: Vec<_> = exported.last().unwrap().scope_metrics().flat_map(|scope| scope.metrics()).collect();
    let named = |name: &str| *metrics.iter().find(|it| it.name() == name).unwrap_or_else(|| panic!("{name}"));
    for counter in ["temporal_workflow_completed", "looks"] {
        let AggregatedMetrics::F64(MetricData::Sum(sum)) = named(counter).data() else { panic!("{counter}") };
        let points: Vec<_> = sum.data_points().collect();
        assert_eq!(points.iter().map(|it| it.value()).collect::<Vec<_>>(), [1.0], "{counter}");
        assert!(points[0].attributes().any(|it| it.key.as_str() == "workflow_type" && it.value.as_str() == "Looks"));
    }
    let latency = named("temporal_workflow_endtoend_latency");
    let AggregatedMetrics::F64(MetricData::Histogram(histogram)) = latency.data() else { panic!("{latency:?}") };
    assert_eq!((latency.unit(), histogram.data_points().map(|it| it.count()).sum::<u64>()), ("ms", 1));
    let pollers = named("temporal_num_pollers");
    assert!(matches!(pollers.data(), AggregatedMetrics::F64(MetricData::Gauge(_))), "{pollers:?}");
}

#[derive(Default)]
struct Looks;

#[workflow]
impl Looks {
    #[run]
    async fn run(&self) -> workflow::Result<()> {
        workflow::meter().counter("looks").add(1);
        Ok(())
    }
}
