//! [`Simulation`]: client, workers and server on one thread, on a clock and a network that a seed decides about.
//!
//! Nothing in it is a copy or a mock: the client, the workers and the server's engine are those of production. What is
//! not is what lies between and below: the network (`network`), the thread and the disk of the server (`server`), the
//! processes of the workers (`workers`), the clock (tokio's, paused: it jumps when nobody can run), and where random
//! numbers come from. What the parties said to each other is kept (`record`), and compared with the histories at the end
//! (`check`).

mod check;
mod faults;
mod message;
mod network;
mod record;
mod rng;
mod server;
mod workers;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use stead_client::{Client, Given, RetryOptions, StartWorkflow, Started};
use stead_data::{Arg, WorkflowFn, WorkflowType};
use tokio::runtime::Builder;
use tokio::task::LocalSet;
use tokio::time::{Instant, timeout_at};

use crate::env::{Stuck, TestWorkerBuilder};
use crate::error::TestError;

pub use faults::Faults;
use network::{Network, Node};
use rng::Rng;
use server::ServerNode;
use workers::{Program, WorkerNode};

/// Runs workflows and their callers through bad luck that a seed decides about: messages are late, overtake each other
/// and get lost, and the server and the workers crash and come back. Then the faults stop, and everything has to come to
/// its end.
///
/// All of it runs on one thread, and on a clock that jumps whenever nobody can run, so that an hour costs little, and
/// the same seed gives the same run, to the last message. At the end the histories are checked: every start, signal and
/// update that was acknowledged is in a history once, every history is [well formed](crate::violations), the results of
/// activities have reached their workflows, and nothing is stuck.
///
/// ```no_run
/// # use stead_testing::{Simulation, TestWorkerBuilder};
/// # fn register(worker: TestWorkerBuilder) -> TestWorkerBuilder { worker }
/// #[test]
/// fn orders_survive_bad_luck() {
///     Simulation::seeds(100, |simulation| {
///         simulation.worker(register).worker(register).run(async |env| {
///             let order = env.client().start_workflow_named("Order", "Ada").id("order-1").task_queue(env.task_queue());
///             let receipt = order.await?.result_as::<u64>().await?;
///             assert_eq!(receipt, 3);
///             Ok::<_, Box<dyn std::error::Error>>(())
///         })
///     });
/// }
/// ```
///
/// # What stays real
///
/// Code of workflows and asynchronous activities is a part of the simulation as it is; it should draw its random
/// numbers from the workflow and read the clock of tokio. Blocking activities run on threads of their own: time stands
/// still until they return, but their order is not the seed's. Sockets and files are as they are. What uses a clock or a
/// random number of the operating system makes runs of one seed differ.
#[must_use = "nothing happens until it is run"]
pub struct Simulation {
    seed: u64,
    faults: Faults,
    workers: Vec<Program>,
    limit: Duration,
}

/// What a simulation came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// What happened, in order, a line for each message and crash, and the histories at the end. The same for the same
    /// seed.
    pub trace: Vec<String>,
    /// How much time passed in it.
    pub elapsed: Duration,
    /// How many calls there were.
    pub calls: u64,
    /// How many of their messages were lost.
    pub lost: u64,
    /// How often the server or a worker crashed.
    pub crashes: u64,
}

/// Why a simulation failed. It shows the seed, so that the run can be repeated.
#[derive(Clone, Debug)]
pub struct SimulationError {
    seed: u64,
    problems: Vec<String>,
    trace: Vec<String>,
}

impl Simulation {
    /// A simulation whose bad luck follows from `seed`, without workers yet.
    pub fn new(seed: u64) -> Self {
        Self { seed, faults: Faults::default(), workers: Vec::new(), limit: Duration::from_secs(24 * 3600) }
    }

    /// Runs a simulation for each of `count` seeds. The environment variable `STEAD_SEEDS` sets another count, and
    /// `STEAD_SEED` one seed that is to be run alone, and whose trace is shown if it fails.
    ///
    /// # Panics
    ///
    /// At the first seed that fails, with the line that repeats it.
    pub fn seeds(count: u64, run: impl Fn(Self) -> Result<Report, SimulationError>) {
        let number = |name| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
        if let Some(seed) = number("STEAD_SEED") {
            if let Err(error) = run(Self::new(seed)) {
                panic!("{}\n{error}", error.trace().join("\n"));
            }
            return;
        }
        for seed in 0..number("STEAD_SEEDS").unwrap_or(count) {
            if let Err(error) = run(Self::new(seed)) {
                panic!("{error}");
            }
        }
    }

    /// The seed, for what a test draws itself.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Adds a worker's process: `program` registers what it runs, anew each time that the worker comes back after a
    /// crash.
    pub fn worker(mut self, program: impl Fn(TestWorkerBuilder) -> TestWorkerBuilder + 'static) -> Self {
        self.workers.push(Program::new(program));
        self
    }

    /// Sets what goes wrong. Default: a bit of everything, see [`Faults`].
    pub fn faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// Sets how long `body` may go on after the faults have stopped, on the simulation's clock: then it counts as stuck.
    /// Default: a day.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs `body`, a caller whose own process does not crash, until it returns, and checks what has come of it. It
    /// meets lost messages as the errors of calls that could not be retried in their time, which is rare.
    ///
    /// # Errors
    ///
    /// `body` fails or panics, is stuck, or what it was told does not agree with the histories.
    pub fn run<E: fmt::Display>(
        self,
        body: impl AsyncFnOnce(SimulatedEnv) -> Result<(), E>,
    ) -> Result<Report, SimulationError> {
        let seed = self.seed;
        let failed = |problem: String| SimulationError { seed, problems: vec![problem], trace: Vec::new() };
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.map_err(|error| failed(format!("cannot start the runtime: {error}")))?;
        let _seeded = stead_client::random::seed(Rng::new(seed).bits());
        let local = LocalSet::new();
        let ran = catch_unwind(AssertUnwindSafe(|| local.block_on(&runtime, self.simulate(body))));
        ran.unwrap_or_else(|panic| Err(failed(format!("panicked: {}", text(&*panic)))))
    }

    async fn simulate<E: fmt::Display>(
        self,
        body: impl AsyncFnOnce(SimulatedEnv) -> Result<(), E>,
    ) -> Result<Report, SimulationError> {
        let Self { seed, faults, workers, limit } = self;
        let began = Instant::now();
        let mut rng = Rng::new(seed);
        let server = ServerNode::start(rng.bits());
        let network = Network::new(Arc::clone(&server), rng.fork());
        tokio::task::spawn_local(Arc::clone(&server).serve());
        let failed = |problems| SimulationError { seed, problems, trace: network.trace() };
        let client =
            connect(network.node("client"), "client").await.map_err(|error| failed(vec![error.to_string()]))?;
        for program in &workers {
            // Said once, and not by each life of the worker.
            let worker = program.apply(TestWorkerBuilder::new(&client, TASK_QUEUE)).build();
            drop(worker.map_err(|error| failed(vec![error.to_string()]))?);
        }
        let workers: Vec<_> =
            workers.into_iter().enumerate().map(|(n, it)| WorkerNode::start(n, it, &network)).collect();
        let ends = began + faults.duration;
        network.set_faults(Some(faults.clone()));
        let chaos = faults::Chaos { rng: rng.fork(), faults, ends, server, network: network.clone(), workers };
        let chaos = Arc::new(chaos.start());
        let env = SimulatedEnv { client: client.clone(), began, workflows: Arc::default() };
        let outcome = timeout_at(ends + limit, body(env)).await;
        chaos.stop().await;
        let elapsed = began.elapsed();
        let mut problems = match outcome {
            Ok(Ok(())) => Vec::new(),
            Ok(Err(error)) => vec![format!("the test failed: {error}")],
            Err(_) => vec![Stuck::look(&client).await.to_string()],
        };
        problems.extend(check::problems(&client, &network).await);
        if !problems.is_empty() {
            return Err(failed(problems));
        }
        let (calls, lost) = network.counts();
        Ok(Report { seed, trace: network.trace(), elapsed, calls, lost, crashes: chaos.crashes() })
    }
}

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation")
            .field("seed", &self.seed)
            .field("faults", &self.faults)
            .field("workers", &self.workers.len())
            .finish_non_exhaustive()
    }
}

impl SimulationError {
    /// The seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// What went wrong.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// What happened, in order, as in [`Report::trace`].
    #[must_use]
    pub fn trace(&self) -> &[String] {
        &self.trace
    }
}

impl fmt::Display for SimulationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let thread = std::thread::current();
        let test = thread.name().filter(|name| *name != "main").unwrap_or_default();
        write!(
            f,
            "the simulation failed with seed {}; to repeat it: STEAD_SEED={} cargo test {test}",
            self.seed, self.seed
        )?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for SimulationError {}

/// What the body of a simulation has: a client whose messages get lost as those of all others do. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SimulatedEnv {
    client: Client,
    began: Instant,
    workflows: Arc<AtomicU64>,
}

impl SimulatedEnv {
    /// A client of the server.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The task queue of the simulation's workers and workflows.
    #[must_use]
    pub fn task_queue(&self) -> &str {
        TASK_QUEUE
    }

    /// Starts a workflow on the simulation's task queue, under an id of its own: `Order-1`, `Order-2` …
    pub fn start<W, I, O>(
        &self,
        workflow: WorkflowFn<W, I, O>,
        input: impl Arg<I>,
    ) -> StartWorkflow<W, Started, Given, Given>
    where
        W: WorkflowType<Input = I, Output = O> + ?Sized,
    {
        let number = self.workflows.fetch_add(1, Ordering::Relaxed) + 1;
        let id = format!("{}-{number}", workflow.name());
        self.client.start_workflow(workflow, input).id(id).task_queue(TASK_QUEUE)
    }

    /// How much time has passed in the simulation.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Lets time pass; `tokio::time::sleep` does the same.
    pub async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// A client that tries again for as long as the call has time.
async fn connect(node: Node, name: &str) -> Result<Client, TestError> {
    let retry = RetryOptions::default().max_attempts(0).max_elapsed(None);
    Ok(Client::with_service(node).identity(name).retry(retry).await?)
}

/// The text of a panic.
fn text(panic: &(dyn std::any::Any + Send)) -> &str {
    match panic.downcast_ref::<&str>() {
        Some(text) => text,
        None => panic.downcast_ref::<String>().map_or("with what is no text", String::as_str),
    }
}

const TASK_QUEUE: &str = "simulation";
