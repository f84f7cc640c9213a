//! Replay: recorded histories against the code of today.
//!
//! A change to a workflow is safe for the runs that are under way if their histories still replay. Keep some in the
//! repository and replay them in a test:
//!
//! ```no_run
//! # use stead_worker::replay::Replayer;
//! # async fn example<Order: stead_workflow::Workflow>() -> Result<(), Box<dyn std::error::Error>> {
//! Replayer::new().workflow::<Order>().replay_dir("tests/histories").await?;
//! # Ok(())
//! # }
//! ```
//!
//! Nothing is sent anywhere and no activity runs: what activities returned is in the history. The loop is the worker's.

mod error;
mod many;
mod outside;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use stead_client::{Client, WorkflowHandle};
use stead_core::{RunOptions, replay_task};
use stead_data::DataConverter;
use stead_data::history::History;
use stead_proto::history::v1::history_event::Attributes;
use stead_workflow::{Definition, FailOn, GuestOptions, Workflow, WorkflowInterceptor};

use crate::codec::Codec;
use crate::deployment::WorkerDeployment;
use crate::driver::{Driver, Incoming};
use crate::guests::Guests;
use crate::plugin::{self, WorkerPlugin};
use outside::ReplayOutside;

pub use error::{ReplayError, ReplayManyError, ReplayedWorkflow};
pub use many::{ReplayMany, ReplayProgress};
/// What a difference between history and code is made of.
pub use stead_core::{Difference, Mismatch, MismatchKind, Operation, RecentEvent};

/// Replays histories of registered workflows.
///
/// Histories may be of closed workflows and of open ones, in the middle of a task too. That a workflow failed is no
/// failure of its replay.
#[derive(Clone, Default)]
#[must_use = "a replayer does nothing until it is given a history"]
pub struct Replayer {
    pub(crate) workflows: Vec<Definition>,
    guests: Guests,
    pub(crate) converter: DataConverter,
    pub(crate) interceptors: Vec<Arc<dyn WorkflowInterceptor>>,
    fail_on: FailOn,
    plugins: Vec<Arc<dyn WorkerPlugin>>,
    options: Arc<RunOptions>,
}

impl Replayer {
    /// A replayer without workflows, in the namespace `ReplayNamespace`.
    pub fn new() -> Self {
        Self::default().namespace("ReplayNamespace")
    }

    /// Registers a workflow. One of the same type that was registered before is replaced.
    pub fn workflow<W: Workflow>(mut self) -> Self {
        self.workflows.push(Definition::of::<W>());
        self.register_all()
    }

    /// Sets how payloads are read. Default: JSON by serde, without a codec.
    pub fn data_converter(mut self, converter: DataConverter) -> Self {
        self.converter = converter;
        self.register_all()
    }

    /// Shows an interceptor what goes into workflow code, as the worker does that is replayed.
    pub fn workflow_interceptor(mut self, interceptor: impl WorkflowInterceptor) -> Self {
        self.interceptors.push(Arc::new(interceptor));
        self.register_all()
    }

    /// Adds a plugin, which sets its options now.
    pub fn plugin(self, plugin: impl WorkerPlugin) -> Self {
        self.add_plugin(Arc::new(plugin))
    }

    /// Adds the plugins of a client, as its workers have them.
    pub fn plugins_of(self, client: &Client) -> Self {
        plugin::of_client(client).fold(self, Self::add_plugin)
    }

    fn add_plugin(self, plugin: Arc<dyn WorkerPlugin>) -> Self {
        let mut configured = plugin.configure_replayer(self).register_all();
        configured.plugins.push(plugin);
        configured
    }

    /// Replays within the plugins. None of them can prevent it.
    async fn within_plugins<F: Future>(&self, replay: F) -> F::Output {
        match plugin::around(&self.plugins, PLUGINS_END_WITHIN, || {}, replay).await {
            Ok(output) => output,
            Err(replay) => replay.await,
        }
    }

    /// Sets the namespace that the workflows see.
    pub fn namespace(mut self, namespace: impl AsRef<str>) -> Self {
        Arc::make_mut(&mut self.options).namespace = namespace.as_ref().into();
        self
    }

    /// Fails workflows with such a defect, as the worker does that is replayed: see
    /// [`WorkerBuilder::fail_workflows_on`](crate::WorkerBuilder::fail_workflows_on).
    pub fn fail_workflows_on(mut self, defects: FailOn) -> Self {
        self.fail_on = self.fail_on | defects;
        self.register_all()
    }

    /// The version of its deployment that code sees which runs where its history ends.
    pub fn deployment(mut self, deployment: &WorkerDeployment) -> Self {
        Arc::make_mut(&mut self.options).deployment_version = Some(deployment.to_version());
        self
    }

    fn register_all(mut self) -> Self {
        let mut options = GuestOptions::default();
        options.fail_on = self.fail_on;
        options.converter = self.converter.clone();
        options.interceptors = self.interceptors.as_slice().into();
        self.guests = Guests::new(options);
        for definition in self.workflows.iter().rev() {
            self.guests.register(definition.clone());
        }
        self
    }

    /// Replays a history whose payloads are decoded already, which is always so without a codec.
    ///
    /// # Errors
    ///
    /// The first difference between history and code, or what else kept the workflow from being replayed: its type is
    /// not registered, it panicked, the history is not complete.
    pub fn replay(&self, history: History) -> Result<(), ReplayError> {
        let workflow = ReplayedWorkflow::of(&history);
        let task = replay_task(history.0, &workflow.workflow_id, &workflow.run_id);
        let mut outside = ReplayOutside::default();
        let mut driver = Driver::new(&workflow.run_id, Arc::clone(&self.options));
        let ending = driver.handle(Incoming::Task(Box::new(task)), &self.guests.for_thread(), &mut outside);
        match outside.verdict(ending, driver.run().is_idle()) {
            Ok(()) => Ok(()),
            Err(difference) => Err(difference.of(workflow)),
        }
    }

    /// Replays a history in the JSON that Temporal's tools export, after the data converter's codec has decoded it.
    ///
    /// # Errors
    ///
    /// As [`replay`](Self::replay), or if the text is no history, or the codec fails.
    pub async fn replay_json(&self, json: &str) -> Result<(), ReplayError> {
        let history = History::from_json(json).map_err(|source| ReplayError::Json { source })?;
        self.within_plugins(self.replay_encoded(history)).await
    }

    /// Replays all histories in the `.json` files of a directory and of the directories in it. Awaiting it gives their
    /// paths.
    ///
    /// # Errors
    ///
    /// When awaited: all histories that did not replay. A directory without a history is an error too.
    pub fn replay_dir(&self, directory: impl AsRef<Path>) -> ReplayMany<'_> {
        ReplayMany::directory(self, directory.as_ref())
    }

    /// Replays the histories of all workflows that a list query finds, such as those that are running when a new version
    /// of their code is about to be deployed:
    ///
    /// ```no_run
    /// # use stead_worker::replay::Replayer;
    /// # async fn example<Order: stead_workflow::Workflow>(client: stead_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let running = "WorkflowType = 'Order' AND ExecutionStatus = 'Running'";
    /// let replayer = Replayer::new().workflow::<Order>();
    /// let replayed = replayer.replay_query(&client, running).on_progress(|it| println!("{} {}", it.done, it.name)).await?;
    /// println!("{} workflows can go on", replayed.len());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// They are read from the server and run here; the workers that have them in memory notice nothing. A query that finds
    /// none is no error.
    ///
    /// # Errors
    ///
    /// When awaited: all histories that could not be fetched or did not replay, or that the list could not be had.
    pub fn replay_query(&self, client: &Client, query: impl Into<String>) -> ReplayMany<'_> {
        ReplayMany::query(self, client, query.into())
    }

    fn read(file: &Path) -> Result<History, ReplayError> {
        let json = fs::read_to_string(file).map_err(|source| ReplayError::File { source })?;
        History::from_json(&json).map_err(|source| ReplayError::Json { source })
    }

    /// Fetches the history of a workflow from the server and replays it.
    ///
    /// # Errors
    ///
    /// As [`replay`](Self::replay), or if the history cannot be fetched, or the codec fails.
    pub async fn replay_workflow<W: ?Sized>(&self, workflow: &WorkflowHandle<W>) -> Result<(), ReplayError> {
        self.within_plugins(self.replay_fetched(workflow)).await
    }

    async fn replay_fetched<W: ?Sized>(&self, workflow: &WorkflowHandle<W>) -> Result<(), ReplayError> {
        let history = workflow.history().await.map_err(|source| ReplayError::Fetch { source: Box::new(source) })?;
        self.replay_encoded(history).await
    }

    async fn replay_encoded(&self, history: History) -> Result<(), ReplayError> {
        let history = self.decoded(history).await?;
        self.replay(history)
    }

    async fn decoded(&self, mut history: History) -> Result<History, ReplayError> {
        let workflow = ReplayedWorkflow::of(&history);
        let codec = Codec::new(&self.converter, &self.options.namespace, &task_queue(&history));
        let owner = codec.owner(workflow.workflow_id, workflow.run_id, Some(workflow.workflow_type));
        let decoded = codec.decode_history(&owner, &mut history.0.events).await;
        decoded.map_err(|source| ReplayError::Codec { source })?;
        Ok(history)
    }
}

impl std::fmt::Debug for Replayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replayer").field("workflows", &self.workflows).finish_non_exhaustive()
    }
}

/// The queue that the workflow was started on.
fn task_queue(history: &History) -> String {
    match history.0.events.first().and_then(|event| event.attributes.as_ref()) {
        Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) => {
            started.task_queue.clone().unwrap_or_default().name
        }
        _ => String::new(),
    }
}

/// As for a worker, by default.
const PLUGINS_END_WITHIN: Duration = Duration::from_secs(60);

/// All `.json` files below a directory, in a stable order.
fn json_files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}
