//! [`TestWorker`]: a worker that runs beside the test.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use stead_activity::Activities;
use stead_client::Client;
use stead_data::{Activity, NexusService, Operation, WorkflowFn};
use stead_worker::{RunError, ShutdownHandle, Worker, WorkerBuilder};
use stead_workflow::{Definition, FailOn, Workflow};
use tokio::task::JoinHandle;

use super::mock::{Collected, CollectedServices, CollectedWorkflows, Mock};
use crate::error::TestError;

/// Collects what a test's worker runs. Made by [`TestEnv::worker`](super::TestEnv::worker).
#[must_use = "a builder does nothing until `start` is called"]
pub struct TestWorkerBuilder {
    builder: WorkerBuilder,
    workflows: CollectedWorkflows,
    activities: Collected,
    services: CollectedServices,
}

impl TestWorkerBuilder {
    pub(crate) fn new(client: &Client, task_queue: &str) -> Self {
        let builder = Worker::builder(client, task_queue)
            .fail_workflows_on(FailOn::PANICS | FailOn::NONDETERMINISM)
            .shadow_replay();
        #[cfg(feature = "guard")]
        let builder = builder.guard(true);
        Self {
            builder,
            workflows: CollectedWorkflows::default(),
            activities: Collected::default(),
            services: CollectedServices::default(),
        }
    }

    /// Registers a workflow.
    pub fn workflow<W: Workflow>(mut self) -> Self {
        self.workflows.add(Definition::of::<W>());
        self
    }

    /// Runs a closure in the place of a workflow, whether or not the workflow itself is registered: of a child mostly.
    /// None of its code runs and it has no handlers, but it has a run and a history as any other. It takes no time,
    /// unless the closure waits.
    ///
    /// The closure is workflow code: it has to be deterministic, and may be called again when the run is rebuilt.
    ///
    /// ```
    /// # use stead_testing::TestWorkerBuilder;
    /// # struct Shipping;
    /// # impl Shipping {
    /// #     #[allow(non_upper_case_globals)]
    /// #     const run: stead_data::WorkflowFn<Shipping, String, u64> = stead_data::WorkflowFn::new("Shipping", 1);
    /// # }
    /// # fn with(worker: TestWorkerBuilder) -> TestWorkerBuilder {
    /// worker.mock_workflow(Shipping::run, |order: String| async move { Ok(order.len() as u64) })
    /// # }
    /// ```
    pub fn mock_workflow<W, I, O, F, R>(mut self, workflow: WorkflowFn<W, I, O>, code: F) -> Self
    where
        W: ?Sized,
        I: DeserializeOwned + 'static,
        O: Serialize + 'static,
        F: Fn(I) -> R + Send + Sync + 'static,
        R: Future<Output = stead_workflow::Result<O>> + 'static,
    {
        self.workflows.mock(Definition::of_code(workflow.name(), workflow.arity(), code));
        self
    }

    /// Registers the activities of an instance.
    pub fn activities(mut self, instance: impl Activities) -> Self {
        self.activities.add(Arc::new(instance));
        self
    }

    /// Runs a closure in the place of an activity, whether or not the activity itself is registered.
    ///
    /// ```
    /// # use stead_testing::TestWorkerBuilder;
    /// # struct Payments;
    /// # impl Payments {
    /// #     #[allow(non_upper_case_globals)]
    /// #     const charge: stead_data::Activity<Payments, String, u64> = stead_data::Activity::new("charge", 1);
    /// # }
    /// # fn with(worker: TestWorkerBuilder) -> TestWorkerBuilder {
    /// worker.mock(Payments::charge, |customer: String| async move { Ok(customer.len() as u64) })
    /// # }
    /// ```
    pub fn mock<A, I, O, T, F, R>(mut self, activity: Activity<A, I, O, T>, code: F) -> Self
    where
        A: ?Sized,
        I: DeserializeOwned + Send + 'static,
        O: Serialize + 'static,
        F: Fn(I) -> R + Send + Sync + 'static,
        R: Future<Output = stead_activity::Result<O>> + Send + 'static,
    {
        self.activities.mock(Mock::new(activity, code));
        self
    }

    /// Registers a Nexus service: the type that handles its operations.
    pub fn nexus_service(mut self, handlers: impl stead_nexus::Service) -> Self {
        self.services.add(Arc::new(handlers));
        self
    }

    /// Runs a closure in the place of a Nexus operation, whether or not its service is registered. Workflows reach it by an
    /// [endpoint](super::TestEnv::create_nexus_endpoint).
    ///
    /// ```
    /// # use stead_testing::TestWorkerBuilder;
    /// # struct Billing;
    /// # impl stead_data::NexusService for Billing {
    /// #     const NAME: &'static str = "Billing";
    /// # }
    /// # impl Billing {
    /// #     #[allow(non_upper_case_globals)]
    /// #     const charge: stead_data::Operation<Billing, u64, String> = stead_data::Operation::new("charge", 1);
    /// # }
    /// # fn with(worker: TestWorkerBuilder) -> TestWorkerBuilder {
    /// worker.mock_operation(Billing::charge, |amount: u64| async move { Ok(format!("{amount} charged")) })
    /// # }
    /// ```
    pub fn mock_operation<S, I, O, F, R>(mut self, operation: Operation<S, I, O>, code: F) -> Self
    where
        S: NexusService + ?Sized + 'static,
        I: DeserializeOwned + Send + 'static,
        O: Serialize + 'static,
        F: Fn(I) -> R + Send + Sync + 'static,
        R: Future<Output = stead_nexus::Result<O>> + Send + 'static,
    {
        self.services.mock(operation, code);
        self
    }

    /// Sets options of the worker.
    ///
    /// It differs from others. A workflow that panics or is not deterministic fails, where elsewhere its task
    /// would fail and be tried again: so an `assert!` in it ends the test. And
    /// [its code is run twice](WorkerBuilder::shadow_replay), to find out whether it does the same both times; a workflow
    /// that knows of the test, as by a static that counts its attempts, is a reason for `shadow_sample(0.0)`. With the
    /// feature `guard`, what its code asks of the operating system is looked at too, unless it is told `guard(false)`.
    pub fn with(mut self, options: impl FnOnce(WorkerBuilder) -> WorkerBuilder) -> Self {
        self.builder = options(self.builder);
        self
    }

    /// Starts the worker, and waits until it takes tasks.
    ///
    /// # Errors
    ///
    /// If nothing is registered, something twice, or an option is out of its range; or another worker of the environment takes
    /// the same tasks: a second one needs a [client of its own](super::TestEnv::connect).
    pub async fn start(self) -> Result<TestWorker, TestError> {
        let worker = self.build()?;
        let (shutdown, handle) = (worker.shutdown_handle(), worker.handle());
        let mut running = tokio::spawn(worker.run());
        tokio::select! {
            biased;
            ended = &mut running => match ended {
                Ok(ended) => ended.map(|()| TestWorker { shutdown, running: None }).map_err(TestError::from),
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            },
            // One that has stopped is about to say why.
            true = handle.started() => Ok(TestWorker { shutdown, running: Some(running) }),
        }
    }
}

impl TestWorkerBuilder {
    pub(crate) fn build(self) -> Result<Worker, TestError> {
        let Self { builder, workflows, activities, services } = self;
        let builder = workflows.into_definitions().fold(builder, WorkerBuilder::workflow_definition);
        let builder = services.into_definitions().into_iter().fold(builder, WorkerBuilder::nexus_definition);
        let builder = if activities.is_empty() { builder } else { builder.activities(activities) };
        Ok(builder.build()?)
    }
}

impl fmt::Debug for TestWorkerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestWorkerBuilder").field("activities", &self.activities).finish_non_exhaustive()
    }
}

/// A worker that runs beside the test. Dropping it tells it to stop.
#[derive(Debug)]
pub struct TestWorker {
    shutdown: ShutdownHandle,
    running: Option<JoinHandle<Result<(), RunError>>>,
}

impl TestWorker {
    /// Stops the worker, and waits until it has.
    ///
    /// # Errors
    ///
    /// What ended the worker before.
    pub async fn stop(mut self) -> Result<(), TestError> {
        self.shutdown.shutdown();
        match self.running.take() {
            Some(running) => match running.await {
                Ok(ended) => Ok(ended?),
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            },
            None => Ok(()),
        }
    }
}

impl Drop for TestWorker {
    fn drop(&mut self) {
        self.shutdown.shutdown();
    }
}
