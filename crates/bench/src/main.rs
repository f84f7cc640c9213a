//! `acts ADDRESS N K CONC`, `idle ADDRESS N`, `replay ADDRESS N K`: what the SDK costs, in one line. `soak ADDRESS N K
//! CONC`: whether memory stays flat, and no run gets stuck, when very many workflows go through a small cache; `activities
//! ADDRESS N`: the same for activities without a workflow. `memory ADDRESS N`: whether activities of 64 MB each stay under
//! the target of a tuner. ADDRESS may be `memory` or `sqlite`: a server in this process, which keeps nothing or keeps it in
//! a file.
//!
//! `cargo xtask bench` runs it and the same program on the official SDK (`peers/official`) by turns, and compares.

use std::time::Instant;

use futures_util::{StreamExt as _, stream};
use stead::data::history::History;
use stead::prelude::*;
use stead::server::Server;
use stead::testing::Replayer;
use stead::worker::{ResourceTargets, Tuner};

use stead_bench::database::File;
use stead_bench::measure::{self, Arguments, Course, Laps, Meter, Mode};
use stead_bench::workflows::{Acts, Echo, Idle};

#[tokio::main]
async fn main() -> stead::Result<()> {
    let arguments = Arguments::parse()?;
    let file = File::new();
    let server = match arguments.address.as_str() {
        "memory" => Some(Server::in_memory()),
        "sqlite" => Some(Server::sqlite(file.path())),
        _ => None,
    };
    let Some(server) = server else {
        let client = Client::connect(arguments.address.as_str()).namespace("default").await?;
        return run(arguments, client).await;
    };
    let began = Instant::now();
    let server = server.start().await?;
    let client = Client::with_service(server.service()).await?;
    println!("first answer after {:.3} ms", began.elapsed().as_secs_f64() * 1e3);
    let outcome = run(arguments, client).await;
    server.shutdown().await;
    outcome
}

async fn run(arguments: Arguments, client: Client) -> stead::Result<()> {
    let bench = Bench::new(arguments, client);
    let worker = Worker::builder(&bench.client, &bench.task_queue)
        .workflow::<Acts>()
        .workflow::<Idle>()
        .activities(Echo)
        .max_cached_workflows(if bench.is_soak() { 100 } else { 20_000 });
    let worker = match bench.memory_target {
        Some(memory) => worker.tuner(Tuner::resource_based(ResourceTargets { memory, cpu: 1.0 })),
        None => worker,
    };
    let worker = worker.build()?;
    let mut outcome = Ok(());
    worker.run_until(async { outcome = bench.run().await }).await?;
    outcome
}

struct Bench {
    arguments: Arguments,
    client: Client,
    task_queue: String,
    /// How much of the machine's memory may be in use.
    memory_target: Option<f64>,
}

/// How much more than at the start that is.
const MORE_MEMORY: f64 = 0.1;
/// What one activity takes, in megabytes.
const HELD: usize = 64;

impl Bench {
    fn new(arguments: Arguments, client: Client) -> Self {
        let task_queue = format!("bench-{}", std::process::id());
        let memory_target = matches!(arguments.mode, Mode::Memory).then(|| measure::memory_in_use() + MORE_MEMORY);
        Self { arguments, client, task_queue, memory_target }
    }

    fn is_soak(&self) -> bool {
        matches!(self.arguments.mode, Mode::Soak)
    }

    async fn run(&self) -> stead::Result<()> {
        tokio::time::sleep(measure::SETTLE).await;
        match self.arguments.mode {
            Mode::Acts => self.acts().await,
            Mode::Idle => self.idle().await,
            Mode::Replay => self.replay().await,
            Mode::Soak => self.soak().await,
            Mode::Activities => self.activities().await,
            Mode::Memory => self.memory(self.memory_target.unwrap_or(1.0)).await,
        }
    }

    async fn acts(&self) -> stead::Result<()> {
        let Arguments { count, activities, concurrency, .. } = self.arguments;
        let meter = Meter::start();
        let mut runs = stream::iter(0..count).map(|i| self.sum(i, activities)).buffer_unordered(concurrency);
        while let Some(sum) = runs.next().await {
            assert_eq!(sum?, measure::sum(activities));
        }
        meter.report_acts(&self.arguments);
        Ok(())
    }

    async fn soak(&self) -> stead::Result<()> {
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

    async fn activities(&self) -> stead::Result<()> {
        let Arguments { count, concurrency, .. } = self.arguments;
        let mut course = Course::of(count, "activities");
        let mut runs = stream::iter(0..count).map(|i| self.echo(i)).buffer_unordered(concurrency);
        let mut done = 0;
        while let Some(echo) = runs.next().await {
            echo?;
            done += 1;
            course.advance(done);
        }
        Ok(course.report()?)
    }

    async fn memory(&self, target: f64) -> stead::Result<()> {
        let Arguments { count, .. } = self.arguments;
        let before = measure::memory_in_use();
        let mut runs = std::pin::pin!(stream::iter(0..count).map(|i| self.hold(i)).buffer_unordered(count));
        let (mut most, mut ended) = (before, 0);
        let mut looks = tokio::time::interval(millis(20));
        while ended < count {
            tokio::select! {
                run = runs.next() => {
                    run.unwrap_or(Ok(()))?;
                    ended += 1;
                }
                _ = looks.tick() => most = most.max(measure::memory_in_use()),
            }
        }
        println!("memory n={count}: in use {before:.3} before, {most:.3} at the most, target {target:.3}");
        if most > target { Err("more memory was in use than the target".into()) } else { Ok(()) }
    }

    async fn hold(&self, i: usize) -> stead::Result<()> {
        let hold = self.client.execute_activity(Echo::hold, HELD).id(self.id(i)).task_queue(&self.task_queue);
        Ok(hold.start_to_close(secs(60)).await?)
    }

    async fn echo(&self, i: usize) -> stead::Result<()> {
        let echo = self.client.execute_activity(Echo::echo, 7).id(self.id(i)).task_queue(&self.task_queue);
        assert_eq!(echo.start_to_close(secs(60)).await?, 7);
        Ok(())
    }

    async fn sum(&self, i: usize, activities: u32) -> stead::Result<u32> {
        let run = self.client.execute_workflow(Acts::run, activities);
        Ok(run.id(self.id(i)).task_queue(&self.task_queue).await?)
    }

    async fn idle(&self) -> stead::Result<()> {
        let Arguments { count, concurrency, .. } = self.arguments;
        let meter = Meter::start();
        let mut starts = stream::iter(0..count).map(|i| self.wait_for_ever(i)).buffer_unordered(concurrency);
        while let Some(started) = starts.next().await {
            started?;
        }
        tokio::time::sleep(measure::SETTLE_IDLE).await;
        meter.report_idle(&self.arguments);
        Ok(())
    }

    async fn wait_for_ever(&self, i: usize) -> stead::Result<()> {
        self.client.start_workflow(Idle::run, 1).id(self.id(i)).task_queue(&self.task_queue).await?;
        Ok(())
    }

    async fn replay(&self) -> stead::Result<()> {
        let history = self.record().await?;
        let events = history.0.events.len();
        let mut laps = Laps::default();
        for _ in 0..self.arguments.count {
            let history = history.clone();
            let meter = Meter::start();
            Replayer::new().workflow::<Acts>().replay(history)?;
            laps.add(&meter);
        }
        laps.report_replay(&self.arguments, events);
        Ok(())
    }

    async fn record(&self) -> stead::Result<History> {
        let start = self.client.start_workflow(Acts::run, self.arguments.activities);
        let handle = start.id(self.id(0)).task_queue(&self.task_queue).await?;
        handle.result().await?;
        Ok(handle.history().await?)
    }

    fn id(&self, i: usize) -> String {
        format!("{}-{i}", self.task_queue)
    }
}
