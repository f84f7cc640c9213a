//! [`TestEnv`]: a server of its own for each test, with a client and workers.

mod mock;
mod nexus;
mod program;
mod stuck;
mod worker;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use stead_client::{Client, Connect, Given, InProcess, StartWorkflow, Started, WorkflowHandle};
use stead_data::{Arg, WorkflowFn, WorkflowType};
use stead_server::{Builder, Clock, Server};

use crate::error::TestError;
use crate::snapshot::Snapshot;
pub use mock::Mock;
pub use nexus::NexusEndpoint;
use program::RunningProgram;
pub use program::ServerProgram;
pub use stuck::Stuck;
use stuck::Watch;
pub use worker::{TestWorker, TestWorkerBuilder};

/// A server in this process, which skips time, and everything that a test needs of it.
///
/// When nothing can run and the test waits for an outcome, time jumps to whatever comes next: an hour of sleep takes no
/// longer than a millisecond. Between the jumps the clock stands still, so that a test can say exactly what time it is.
///
/// `#[stead::test]` makes one for each test; [`TestEnv::new`] does by hand.
///
/// ```
/// # use stead_testing::TestEnv;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), stead_testing::TestError> {
/// let env = TestEnv::new().await?;
/// env.advance(std::time::Duration::from_secs(3600)).await;
/// assert_eq!(env.elapsed().as_secs(), 3600);
/// # Ok(())
/// # }
/// ```
pub struct TestEnv {
    client: Client,
    /// `None` where a server outside is tested against.
    server: Option<Arc<Server>>,
    /// The server's program, if the environment has started one. It ends with the environment.
    _program: Option<RunningProgram>,
    task_queue: String,
    began: SystemTime,
    workflows: AtomicU64,
    /// One more for each that waits for [`stuck`](Self::stuck): then it is no failure.
    asked: Arc<()>,
}

impl TestEnv {
    /// A new server, empty but for the namespace `default`.
    ///
    /// # Errors
    ///
    /// If the machine has no more threads.
    pub async fn new() -> Result<Self, TestError> {
        Self::with(|server| server).await
    }

    /// The same with options of the server: search attributes, namespaces, limits …
    ///
    /// ```
    /// # use stead_testing::TestEnv;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stead_testing::TestError> {
    /// use stead_server::engine::Limits;
    /// // As if a hundredth of everything were too much.
    /// let env = TestEnv::with(|server| server.limits(Limits::default().shrunk(100))).await?;
    /// # let _ = env;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the server does not start with these options.
    pub async fn with(options: impl FnOnce(Builder) -> Builder) -> Result<Self, TestError> {
        let server = options(Server::in_memory().clock(Clock::skipping().standing())).start().await?;
        let client = Client::with_service(server.service()).await?;
        let began = server.clock().latest();
        Ok(Self {
            client,
            server: Some(Arc::new(server)),
            _program: None,
            task_queue: "test".to_owned(),
            began,
            workflows: AtomicU64::new(0),
            asked: Arc::default(),
        })
    }

    /// The same test on a server that runs already, such as Temporal's own, in its namespace `default`: what passes here
    /// and there holds for both. Time is not skipped, and ids begin with one that no other environment has.
    ///
    /// # Errors
    ///
    /// If the server is not reached.
    pub async fn against(address: impl Into<String>) -> Result<Self, TestError> {
        Ok(Self::outside(Client::connect(address).await?, None))
    }

    /// The same on a server that is a program of its own, which is started for this environment and ends with it.
    ///
    /// # Errors
    ///
    /// If the program is not found, ends, or does not answer in its time.
    pub async fn on(program: ServerProgram) -> Result<Self, TestError> {
        let (program, client) = program.start().await?;
        Ok(Self::outside(client, Some(program)))
    }

    fn outside(client: Client, program: Option<RunningProgram>) -> Self {
        let task_queue = format!("test-{}", uuid::Uuid::new_v4());
        let began = SystemTime::now();
        Self {
            client,
            server: None,
            _program: program,
            task_queue,
            began,
            workflows: AtomicU64::new(0),
            asked: Arc::default(),
        }
    }

    /// A client of the server.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Begins another client of the same server, which may have a namespace, an identity, a converter, interceptors of its
    /// own: awaiting it connects.
    pub fn connect(&self) -> Connect<InProcess> {
        Client::with_service(self.client.connection().transport())
    }

    /// The server, unless it is one outside of this process.
    #[must_use]
    pub fn server(&self) -> Option<&Server> {
        self.server.as_deref()
    }

    /// The task queue of the environment's workers and workflows.
    #[must_use]
    pub fn task_queue(&self) -> &str {
        &self.task_queue
    }

    /// Begins a worker.
    pub fn worker(&self) -> TestWorkerBuilder {
        TestWorkerBuilder::new(&self.client, &self.task_queue)
    }

    /// Starts a workflow on the environment's task queue, under an id of its own: `Order-1`, `Order-2` … Options follow
    /// as on [`Client::start_workflow`].
    pub fn start<W, I, O>(
        &self,
        workflow: WorkflowFn<W, I, O>,
        input: impl Arg<I>,
    ) -> StartWorkflow<W, Started, Given, Given>
    where
        W: WorkflowType<Input = I, Output = O> + ?Sized,
    {
        let id = self.next_id(workflow.name());
        self.client.start_workflow(workflow, input).id(id).task_queue(&self.task_queue)
    }

    /// What time it is for workflows.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        match &self.server {
            Some(server) => server.clock().latest(),
            None => SystemTime::now(),
        }
    }

    /// How long the environment has existed, for workflows.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.now().duration_since(self.began).unwrap_or_default()
    }

    /// Lets time pass for workflows: whatever is due meanwhile happens when it is due, and what it starts has run as far
    /// as it can when this returns.
    ///
    /// On a server outside of this process it takes that long.
    pub async fn advance(&self, by: Duration) {
        match &self.server {
            Some(server) => {
                // The environment holds the server, so that it has not stopped.
                let _ = server.clock().sleep(by).await;
                let _ = server.clock().idle().await;
            }
            None => tokio::time::sleep(by).await,
        }
    }

    /// Waits until no workflow task, activity or query is under way: nothing happens from here on but by a call, or when
    /// time passes.
    ///
    /// A server outside of this process does not tell, so there this returns at once.
    pub async fn run_until_idle(&self) {
        if let Some(server) = &self.server {
            // The environment holds the server, so that it has not stopped.
            let _ = server.clock().idle().await;
        }
    }

    /// Returns when the test waits for what will not happen: somebody waits for an outcome (a result, an update, an
    /// answer, time on the clock), and for two seconds of real time there was no call, no worker had a task or an
    /// activity, and no timer was left to which time could be skipped. For eleven seconds if a worker has a workflow task
    /// that failed before, which it may still be working on.
    ///
    /// `#[stead::test]` fails the test then. A test that sets out to wait for more than that in real time in one place,
    /// while it waits for a workflow in another, makes its environment itself.
    ///
    /// Never returns on a server outside of this process.
    ///
    /// ```
    /// # use stead_testing::TestEnv;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let env = TestEnv::new().await?;
    /// let order = env.client().start_workflow_named("Order", ()).id("order-1").task_queue(env.task_queue()).await?;
    /// tokio::select! {
    ///     _ = order.result() => unreachable!("no worker"),
    ///     stuck = env.stuck() => assert!(stuck.to_string().contains("waits for a worker")),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// The two seconds begin anew.
    pub async fn stuck(&self) -> Stuck {
        let _asked = Arc::clone(&self.asked);
        match self.watch() {
            Some(watch) => watch.stuck(|| false).await,
            None => std::future::pending().await,
        }
    }

    /// As [`stuck`](Self::stuck), but that whoever waits for that is told, and not the caller.
    pub(crate) fn stuck_unasked(&self) -> impl Future<Output = Stuck> + use<> {
        let (watch, asked) = (self.watch(), Arc::downgrade(&self.asked));
        async move {
            match watch {
                // One is the environment's own.
                Some(watch) => watch.stuck(|| asked.strong_count() > 1).await,
                None => std::future::pending().await,
            }
        }
    }

    fn watch(&self) -> Option<Watch> {
        let server = self.server.as_ref()?;
        Some(Watch::new(Arc::clone(server), self.client.clone()))
    }

    /// The history of a workflow, to be read, or compared with how it was before.
    ///
    /// # Errors
    ///
    /// If the server does not give it.
    pub async fn history<W: WorkflowType + ?Sized>(&self, workflow: &WorkflowHandle<W>) -> Result<Snapshot, TestError> {
        Ok(Snapshot::of(workflow.history().await?))
    }

    fn next_id(&self, workflow_type: &str) -> String {
        let number = self.workflows.fetch_add(1, Ordering::Relaxed) + 1;
        match &self.server {
            Some(_) => format!("{workflow_type}-{number}"),
            None => format!("{workflow_type}-{number}-{}", self.task_queue),
        }
    }
}

impl fmt::Debug for TestEnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestEnv")
            .field("task_queue", &self.task_queue)
            .field("elapsed", &self.elapsed())
            .finish_non_exhaustive()
    }
}
