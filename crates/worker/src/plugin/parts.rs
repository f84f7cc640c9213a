//! [`Plugin`]: a plugin from parts.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use stead_activity::{Activities, Interceptor};
use stead_client::{ClientInterceptor, ClientPlugin, Connect, ForWorkers, Plugged};
use stead_data::{BoxFuture, DataConverter};
use stead_workflow::{Definition, FailOn, Workflow, WorkflowInterceptor};

use super::{WorkerPlugin, for_workers};
use crate::WorkerBuilder;
#[cfg(feature = "replay")]
use crate::replay::Replayer;

/// A plugin made of parts: interceptors, a converter, workflows, activities, what stands around a run. Each part goes where
/// it belongs: the client, workers, replayers.
///
/// Add it to a client, whose workers and [replayers](Replayer::plugins_of) have it then as well, or to workers and
/// replayers alone.
///
/// ```
/// use stead_client::ClientInterceptor;
/// use stead_worker::Plugin;
/// use stead_workflow::WorkflowInterceptor;
///
/// #[derive(Clone)]
/// struct Audit;
///
/// impl ClientInterceptor for Audit {}
/// impl WorkflowInterceptor for Audit {}
///
/// fn audit() -> Plugin {
///     Plugin::new("audit").client_interceptor(Audit).workflow_interceptor(Audit)
/// }
///
/// # fn connect() -> impl Sized {
/// stead_client::Client::connect("localhost:7233").plugin(audit())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a plugin does nothing until it is added"]
pub struct Plugin {
    name: Cow<'static, str>,
    converter: Option<Arc<dyn Fn(DataConverter) -> DataConverter + Send + Sync>>,
    client_interceptors: Vec<Arc<dyn ClientInterceptor>>,
    workflow_interceptors: Vec<Arc<dyn WorkflowInterceptor>>,
    activity_interceptors: Vec<Arc<dyn Interceptor>>,
    workflows: Vec<Definition>,
    activities: Vec<stead_activity::Definition>,
    nexus_interceptors: Vec<Arc<dyn stead_nexus::Interceptor>>,
    nexus_services: Vec<stead_nexus::Definition>,
    fail_workflows_on: FailOn,
    around_run: Option<Arc<AroundRun>>,
}

type AroundRun = dyn for<'a> Fn(BoxFuture<'a, ()>) -> BoxFuture<'a, ()> + Send + Sync;

impl Plugin {
    /// A plugin without parts.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name: name.into(),
            converter: None,
            client_interceptors: Vec::new(),
            workflow_interceptors: Vec::new(),
            activity_interceptors: Vec::new(),
            workflows: Vec::new(),
            activities: Vec::new(),
            nexus_interceptors: Vec::new(),
            nexus_services: Vec::new(),
            fail_workflows_on: FailOn::default(),
            around_run: None,
        }
    }

    /// Makes the converter of clients and replayers out of the one that they have, which it may also replace.
    pub fn data_converter(mut self, change: impl Fn(DataConverter) -> DataConverter + Send + Sync + 'static) -> Self {
        self.converter = Some(Arc::new(change));
        self
    }

    /// Adds an interceptor to clients, after those that they have.
    pub fn client_interceptor(mut self, interceptor: impl ClientInterceptor) -> Self {
        self.client_interceptors.push(Arc::new(interceptor));
        self
    }

    /// Adds an interceptor to the workflows of workers and replayers, after those that they have.
    pub fn workflow_interceptor(mut self, interceptor: impl WorkflowInterceptor) -> Self {
        self.workflow_interceptors.push(Arc::new(interceptor));
        self
    }

    /// Adds an interceptor to the activities of workers, after those that they have.
    pub fn activity_interceptor(mut self, interceptor: impl Interceptor) -> Self {
        self.activity_interceptors.push(Arc::new(interceptor));
        self
    }

    /// Adds an interceptor to the Nexus handlers of workers, after those that they have.
    pub fn nexus_interceptor(mut self, interceptor: impl stead_nexus::Interceptor) -> Self {
        self.nexus_interceptors.push(Arc::new(interceptor));
        self
    }

    /// Registers a Nexus service with workers, which share its handlers.
    pub fn nexus_service(mut self, handlers: impl stead_nexus::Service) -> Self {
        self.nexus_services.push(Arc::new(handlers).definition());
        self
    }

    /// Registers a workflow with workers and replayers.
    pub fn workflow<W: Workflow>(mut self) -> Self {
        self.workflows.push(Definition::of::<W>());
        self
    }

    /// Registers the activities of an instance with workers, which share it.
    pub fn activities(mut self, instance: impl Activities) -> Self {
        self.activities.extend(Arc::new(instance).definitions());
        self
    }

    /// Fails workflows with such a defect: see [`WorkerBuilder::fail_workflows_on`].
    pub fn fail_workflows_on(mut self, defects: FailOn) -> Self {
        self.fail_workflows_on = self.fail_workflows_on | defects;
        self
    }

    /// Stands around each run of a worker, and each replay that is awaited: see [`WorkerPlugin::around_run`].
    ///
    /// ```
    /// # use stead_worker::Plugin;
    /// # async fn open() {} async fn close() {}
    /// Plugin::new("pool").around_run(|run| {
    ///     Box::pin(async move {
    ///         open().await;
    ///         run.await;
    ///         close().await;
    ///     })
    /// });
    /// ```
    pub fn around_run(
        mut self,
        around: impl for<'a> Fn(BoxFuture<'a, ()>) -> BoxFuture<'a, ()> + Send + Sync + 'static,
    ) -> Self {
        self.around_run = Some(Arc::new(around));
        self
    }
}

impl ClientPlugin for Plugin {
    fn name(&self) -> &str {
        &self.name
    }

    fn configure_client(&self, client: Connect<Plugged>) -> Connect<Plugged> {
        let client = match &self.converter {
            Some(change) => client.map_data_converter(|converter| change(converter)),
            None => client,
        };
        let interceptors = self.client_interceptors.iter().cloned();
        interceptors.fold(client, Connect::interceptor_shared)
    }

    fn for_workers(self: Arc<Self>) -> Option<ForWorkers> {
        Some(for_workers(self))
    }
}

impl WorkerPlugin for Plugin {
    fn name(&self) -> &str {
        &self.name
    }

    fn configure_worker(&self, mut worker: WorkerBuilder) -> WorkerBuilder {
        worker.workflows.extend(self.workflows.iter().cloned());
        worker.activities.extend(self.activities.iter().cloned());
        worker.nexus_services.extend(self.nexus_services.iter().cloned());
        worker.nexus_interceptors.extend(self.nexus_interceptors.iter().cloned());
        worker.workflow_interceptors.extend(self.workflow_interceptors.iter().cloned());
        worker.activity_interceptors.extend(self.activity_interceptors.iter().cloned());
        worker.fail_workflows_on(self.fail_workflows_on)
    }

    #[cfg(feature = "replay")]
    fn configure_replayer(&self, mut replayer: Replayer) -> Replayer {
        if let Some(change) = &self.converter {
            replayer.converter = change(replayer.converter);
        }
        replayer.workflows.extend(self.workflows.iter().cloned());
        replayer.interceptors.extend(self.workflow_interceptors.iter().cloned());
        replayer.fail_workflows_on(self.fail_workflows_on)
    }

    fn around_run<'a>(&'a self, run: BoxFuture<'a, ()>) -> BoxFuture<'a, ()> {
        match &self.around_run {
            Some(around) => around(run),
            None => run,
        }
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin").field("name", &self.name).finish_non_exhaustive()
    }
}
