//! `stead-bench-embedded [N [PART…]]`: what the embedded server costs, with client and worker in the same process. `N`:
//! workflows of each throughput, by default 2,000. Parts: `starts`, `year`, `instant`, `apart`, `memory`, `tcp`, `sqlite`,
//! `recovery`, `open`, `events`, `shadow`; by default all.

use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use stead::prelude::*;
use stead::server::{Clock, Server};
use stead::testing::TestEnv;
use stead::worker::WorkerBuilder;
use stead_bench::database::File;
use stead_bench::measure::{self, resident_kilobytes};
use stead_bench::workflows::{Acts, Echo, Idle, Naps, Sleeps};

const ACTIVITIES: u32 = 5;
const AT_A_TIME: usize = 100;
const ROUNDS: usize = 11;

type Result<T = (), E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

#[tokio::main]
async fn main() -> Result {
    let count = std::env::args().nth(1).map_or(Ok(2_000), |word| word.parse())?;
    let parts: Vec<_> = std::env::args().skip(2).collect();
    for part in
        ["starts", "year", "instant", "apart", "memory", "tcp", "sqlite", "recovery", "open", "events", "shadow"]
    {
        if !parts.is_empty() && !parts.iter().any(|wanted| wanted == part) {
            continue;
        }
        match part {
            "starts" => starts().await?,
            "year" => year().await?,
            "instant" => timers("10,000 timers at one instant", 0, ROUNDS).await?,
            "apart" => timers("10,000 timers, a second apart", 1, 3).await?,
            "memory" => throughput("in memory, in process", Server::in_memory(), false, count, &plain).await?,
            "tcp" => throughput("in memory, over TCP", Server::in_memory().listen(0), true, count, &plain).await?,
            "sqlite" => {
                let file = File::new();
                throughput("SQLite, in process", Server::sqlite(file.path()), false, count, &plain).await?;
            }
            "recovery" => recovery().await?,
            "open" => open_workflows().await?,
            "events" => events().await?,
            _ => shadow(count).await?,
        }
    }
    Ok(())
}

/// From nothing to the first answer, and the memory that this takes.
async fn starts() -> Result {
    let before = resident_kilobytes();
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let started = Instant::now();
        let server = Server::in_memory().start().await?;
        Client::with_service(server.service()).await?;
        times.push(started.elapsed());
        server.shutdown().await;
    }
    let grown = resident_kilobytes() - before;
    report("start to first answer, in memory", median(times), &format!("; {grown} kB more after {ROUNDS} of them"));
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let file = File::new();
        let started = Instant::now();
        let server = Server::sqlite(file.path()).start().await?;
        Client::with_service(server.service()).await?;
        times.push(started.elapsed());
        server.shutdown().await;
    }
    report("start to first answer, new file of SQLite", median(times), "");
    Ok(())
}

/// A test whose workflow sleeps a year, with its environment.
async fn year() -> Result {
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let started = Instant::now();
        let env = TestEnv::new().await?;
        let worker = env.worker().workflow::<Sleeps>().start().await?;
        env.start(Sleeps::run, (1, 365 * 86_400, 0)).await?.result().await?;
        times.push(started.elapsed());
        drop(worker);
    }
    report("a test that sleeps a year", median(times), "");
    Ok(())
}

/// One workflow with 10,000 timers, each so many seconds after the one before.
async fn timers(what: &str, apart: u64, rounds: usize) -> Result {
    let mut times = Vec::new();
    let cpu = cpu_time::ProcessTime::now();
    for _ in 0..rounds {
        let env = TestEnv::new().await?;
        let worker = env.worker().workflow::<Sleeps>().start().await?;
        let started = Instant::now();
        env.start(Sleeps::run, (10_000, 3_600, apart)).await?.result().await?;
        times.push(started.elapsed());
        drop(worker);
    }
    let cpu = cpu.elapsed().as_secs_f64() * 1e3 / rounds as f64;
    report(what, median(times), &format!("; {cpu:.0} ms of CPU"));
    Ok(())
}

/// Workflows of five activities a second.
async fn throughput(
    what: &str,
    server: stead::server::Builder,
    over_tcp: bool,
    count: usize,
    options: &dyn Fn(WorkerBuilder) -> WorkerBuilder,
) -> Result {
    let server = server.clock(Clock::real()).start().await?;
    let client = match server.address().filter(|_| over_tcp) {
        Some(address) => Client::connect(address.to_string()).await?,
        None => Client::with_service(server.service()).await?,
    };
    let worker = options(Worker::builder(&client, "bench").workflow::<Acts>().activities(Echo)).build()?;
    let mut outcome = Ok(());
    worker.run_until(async { outcome = acts(what, &client, count).await }).await?;
    server.shutdown().await;
    outcome
}

async fn acts(what: &str, client: &Client, count: usize) -> Result {
    let started = Instant::now();
    let cpu = cpu_time::ProcessTime::now();
    let mut runs = stream::iter(0..count)
        .map(|i| {
            client.execute_workflow(Acts::run, ACTIVITIES).id(format!("acts-{i}")).task_queue("bench").into_future()
        })
        .buffer_unordered(AT_A_TIME);
    while let Some(sum) = runs.next().await {
        assert_eq!(sum?, measure::sum(ACTIVITIES));
    }
    let seconds = started.elapsed().as_secs_f64();
    let cpu = cpu.elapsed().as_secs_f64() * 1e3 / count as f64;
    println!(
        "{what}: {count} workflows of {ACTIVITIES} activities, {:.0} a second, {cpu:.2} ms of CPU each",
        count as f64 / seconds
    );
    Ok(())
}

/// What it costs to run the code of each workflow twice, by turns with running it once.
async fn shadow(count: usize) -> Result {
    for _ in 0..3 {
        throughput("code that is run once", Server::in_memory(), false, count, &plain).await?;
        throughput("with shadow replay", Server::in_memory(), false, count, &WorkerBuilder::shadow_replay).await?;
    }
    Ok(())
}

fn plain(worker: WorkerBuilder) -> WorkerBuilder {
    worker
}

/// From opening a file with 10,000 workflows that sleep to the first answer.
async fn recovery() -> Result {
    const COUNT: usize = 10_000;
    let file = File::new();
    let server = Server::sqlite(file.path()).start().await?;
    let client = Client::with_service(server.service()).await?;
    let worker = Worker::builder(&client, "bench").workflow::<Sleeps>().build()?;
    let asleep = async {
        let mut starts = stream::iter(0..COUNT)
            .map(|i| {
                let sleep = client.start_workflow(Sleeps::run, (1, 365 * 86_400, 0));
                sleep.id(format!("sleeps-{i}")).task_queue("bench").into_future()
            })
            .buffer_unordered(AT_A_TIME);
        while let Some(started) = starts.next().await {
            started.expect("a workflow starts");
        }
        server.clock().idle().await.expect("the workers come to rest");
    };
    worker.run_until(asleep).await?;
    server.shutdown().await;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let started = Instant::now();
        let server = Server::sqlite(file.path()).start().await?;
        Client::with_service(server.service()).await?;
        times.push(started.elapsed());
        server.shutdown().await;
    }
    let more = format!("; file of {} kB", std::fs::metadata(file.path())?.len() / 1024);
    report("recovery of 10,000 workflows that sleep, SQLite", median(times), &more);
    Ok(())
}

/// What a start costs while more and more workflows are open.
async fn open_workflows() -> Result {
    const STEP: usize = 20_000;
    let server = Server::in_memory().start().await?;
    let client = Client::with_service(server.service()).await?;
    for step in 0..5 {
        let cpu = cpu_time::ProcessTime::now();
        let mut starts = stream::iter(step * STEP..(step + 1) * STEP)
            .map(|i| client.start_workflow(Idle::run, 1).id(format!("idle-{i}")).task_queue("nobody").into_future())
            .buffer_unordered(AT_A_TIME);
        while let Some(started) = starts.next().await {
            started?;
        }
        let each = cpu.elapsed().as_secs_f64() * 1e6 / STEP as f64;
        println!(
            "a start with {} open workflows: {each:.1} µs of CPU; rss {} kB",
            (step + 1) * STEP,
            resident_kilobytes()
        );
    }
    server.shutdown().await;
    Ok(())
}

/// What an event costs in histories that are longer and longer: one timer after the other, five events each.
async fn events() -> Result {
    for thousands in [5_u32, 10, 20, 30, 40, 50] {
        let mut costs = Vec::new();
        for _ in 0..5 {
            let server = Server::in_memory().clock(Clock::skipping()).start().await?;
            let client = Client::with_service(server.service()).await?;
            let worker = Worker::builder(&client, "bench").workflow::<Naps>().build()?;
            let naps = u64::from(thousands) * 1_000 / 5;
            let mut cost = Duration::ZERO;
            let run = async {
                let before = cpu_time::ProcessTime::now();
                let naps = client.execute_workflow(Naps::run, naps).id("naps").task_queue("bench").await;
                cost = before.elapsed();
                naps
            };
            worker.run_while(run).await??;
            server.shutdown().await;
            costs.push(cost);
        }
        let each = median(costs).as_secs_f64() * 1e6 / f64::from(thousands * 1_000);
        println!("a history of {thousands},000 events: {each:.2} µs of CPU an event, client and worker included");
    }
    Ok(())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn report(what: &str, time: Duration, more: &str) {
    println!("{what}: {:.2} ms{more}", time.as_secs_f64() * 1e3);
}
