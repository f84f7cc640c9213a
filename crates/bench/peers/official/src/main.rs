//! `acts ADDRESS N K CONC`, `idle ADDRESS N`, `replay ADDRESS N K`: the benchmarks of `stead-bench`, on the official SDK.

#[path = "../../../src/measure.rs"]
#[allow(dead_code, reason = "some of it is measured of stead alone")]
mod measure;
mod workflows;

use futures::{StreamExt as _, stream};
use temporalio_client::{
    Client, ClientOptions, Connection, ConnectionOptions, WorkflowGetResultOptions, WorkflowStartOptions,
};
use temporalio_common::protos::temporal::api::history::v1::History;
use temporalio_sdk::workflow_replayer::{WorkflowReplayer, WorkflowReplayerOptions};
use temporalio_sdk::{Runtime, Worker, WorkerOptions};
use tokio::task::LocalSet;
use url::Url;

use measure::{Arguments, Course, Laps, Meter, Mode};
use workflows::{Acts, Echo, Idle};

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse()?;
    let bench = Bench::connect(arguments).await?;
    let runtime = Runtime::from_current_tokio(Default::default())?;
    let options = WorkerOptions::new(bench.task_queue.as_str())
        .register_workflow::<Acts>()?
        .register_workflow::<Idle>()?
        .register_activities(Echo)
        .max_cached_workflows(if matches!(bench.arguments.mode, Mode::Soak) { 100usize } else { 20_000 })
        .build();
    let mut worker = Worker::new(&runtime, bench.client.clone(), options)?;
    let stop = worker.shutdown_handle();
    LocalSet::new()
        .run_until(async move {
            let worker = tokio::task::spawn_local(async move { worker.run().await.map_err(|e| e.to_string()) });
            tokio::time::sleep(measure::SETTLE).await;
            bench.run().await?;
            stop();
            worker.await??;
            Ok(())
        })
        .await
}

struct Bench {
    arguments: Arguments,
    client: Client,
    task_queue: String,
}

impl Bench {
    async fn connect(arguments: Arguments) -> Result<Self> {
        let url = Url::parse(&format!("http://{}", arguments.address))?;
        let connection = Connection::connect(ConnectionOptions::new(url).build()).await?;
        let client = Client::new(connection, ClientOptions::new("default").build())?;
        let task_queue = format!("bench-{}", std::process::id());
        Ok(Self { arguments, client, task_queue })
    }

    async fn run(&self) -> Result<()> {
        match self.arguments.mode {
            Mode::Acts => self.acts().await,
            Mode::Idle => self.idle().await,
            Mode::Replay => self.replay().await,
            Mode::Soak => self.soak().await,
            Mode::Activities | Mode::Memory => Err("measured of stead alone".into()),
        }
    }

    async fn acts(&self) -> Result<()> {
        let Arguments { count, activities, concurrency, .. } = self.arguments;
        let meter = Meter::start();
        let mut runs = stream::iter(0..count).map(|i| self.sum(i, activities)).buffer_unordered(concurrency);
        while let Some(sum) = runs.next().await {
            assert_eq!(sum?, measure::sum(activities));
        }
        meter.report_acts(&self.arguments);
        Ok(())
    }

    async fn soak(&self) -> Result<()> {
        let Arguments { count, activities, concurrency, .. } = self.arguments;
        let mut course = Course::of(count, "workflows");
        let mut runs = stream::iter(0..count).map(|i| self.sum(i, activities)).buffer_unordered(concurrency);
        let mut done = 0;
        while let Some(sum) = runs.next().await {
            assert_eq!(sum?, measure::sum(activities));
            done += 1;
            course.advance(done);
        }
        Ok(course.report()?)
    }

    async fn sum(&self, i: usize, activities: u32) -> Result<u32> {
        let options = self.start_options(i);
        let handle = self.client.start_workflow(Acts::run, activities, options).await?;
        Ok(handle.get_result(WorkflowGetResultOptions::default()).await?)
    }

    async fn idle(&self) -> Result<()> {
        let Arguments { count, concurrency, .. } = self.arguments;
        let meter = Meter::start();
        let mut starts = stream::iter(0..count)
            .map(|i| self.client.start_workflow(Idle::run, 1, self.start_options(i)))
            .buffer_unordered(concurrency);
        while let Some(started) = starts.next().await {
            started?;
        }
        tokio::time::sleep(measure::SETTLE_IDLE).await;
        meter.report_idle(&self.arguments);
        // Draining thousands of cached workflows is not what is measured.
        std::process::exit(0);
    }

    async fn replay(&self) -> Result<()> {
        let history = self.record().await?;
        let events = history.events.len();
        let mut laps = Laps::default();
        for _ in 0..self.arguments.count {
            let history = history.clone();
            let meter = Meter::start();
            let options = WorkflowReplayerOptions::new().register_workflow::<Acts>()?.build();
            WorkflowReplayer::new(options)?.replay_workflow(history.into()).await?;
            laps.add(&meter);
        }
        laps.report_replay(&self.arguments, events);
        Ok(())
    }

    async fn record(&self) -> Result<History> {
        let options = self.start_options(0);
        let handle = self.client.start_workflow(Acts::run, self.arguments.activities, options).await?;
        handle.get_result(WorkflowGetResultOptions::default()).await?;
        let events: Vec<_> = handle.fetch_history(Default::default()).collect().await;
        Ok(History { events: events.into_iter().collect::<Result<_, _>>()? })
    }

    fn start_options(&self, i: usize) -> WorkflowStartOptions {
        WorkflowStartOptions::new(self.task_queue.clone(), format!("{}-{i}", self.task_queue)).build()
    }
}
