//! A worker from its start to its end.

mod builder;
mod running;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt;
use stead_client::{Client, RpcError};
use stead_data::BoxFuture;
use tokio::time::timeout;

use crate::driver::panic_message;
use crate::error::RunError;
use crate::handle::WorkerHandle;
use crate::lifecycle::{Phase, ShutdownHandle};
use crate::plugin::{WorkerPlugin, around};
use crate::shared::Shared;
use running::Running;

pub use builder::WorkerBuilder;

/// Runs the workflows and activities of a task queue.
///
/// ```no_run
/// # use stead_worker::Worker;
/// # async fn example<Order: stead_workflow::Workflow>(
/// #     client: stead_client::Client,
/// #     payments: impl stead_activity::Activities,
/// #     told_to_stop: impl Future,
/// # ) -> Result<(), Box<dyn std::error::Error>> {
/// let worker = Worker::builder(&client, "orders").workflow::<Order>().activities(payments).build()?;
/// worker.run_until(told_to_stop).await?;
/// # Ok(())
/// # }
/// ```
///
/// Nothing that a workflow or an activity does or receives ends a worker: it stops when it is told to, or when the
/// server says that it may not work. Any number of workers can run in one process, on any task queues;
/// two that would take the same tasks need connections of their own.
///
/// # Shutdown
///
/// A worker that stops takes no new tasks. Workflow tasks at hand are completed; the workflows go on elsewhere.
/// Activities go on for the [grace period](WorkerBuilder::graceful_shutdown_timeout); then they are
/// [cancelled](stead_activity::cancelled), and ten seconds later those that still run are given up: asynchronous ones
/// are dropped, blocking ones lose their audience, and the server retries both.
///
/// # Activities that overstay
///
/// When an attempt has exceeded its start-to-close timeout by 5 s it is cancelled, as the server has given it up. An
/// asynchronous one that goes on for another 30 s is dropped, so that it does not hold its slot for ever; a blocking one
/// cannot be stopped.
#[must_use = "a worker does nothing unless it is run"]
pub struct Worker {
    shared: Arc<Shared>,
    on_fatal_error: Option<FatalErrorHook>,
    plugins: Vec<Arc<dyn WorkerPlugin>>,
    plugin_shutdown_timeout: Duration,
}

/// What to do when a worker stops without being told to.
type FatalErrorHook = Box<dyn for<'a> FnOnce(&'a RunError) -> BoxFuture<'a, ()> + Send + Sync>;

impl Worker {
    /// Begins a worker for a task queue.
    ///
    /// It works with the client's connection, namespace, identity and data converter.
    pub fn builder(client: &Client, task_queue: impl Into<String>) -> WorkerBuilder {
        WorkerBuilder::new(client, task_queue.into())
    }

    /// The task queue.
    pub fn task_queue(&self) -> &str {
        &self.shared.task_queue
    }

    /// Stops the worker from elsewhere.
    pub fn shutdown_handle(&self) -> ShutdownHandle {
        ShutdownHandle(self.shared.lifecycle.clone())
    }

    /// Looks at the worker and changes it from elsewhere, while it runs.
    pub fn handle(&self) -> WorkerHandle {
        WorkerHandle(Arc::clone(&self.shared))
    }

    /// Runs until the worker is told to stop by its [`shutdown_handle`](Self::shutdown_handle).
    ///
    /// # Errors
    ///
    /// As [`run_until`](Self::run_until).
    pub async fn run(self) -> Result<(), RunError> {
        self.run_until(std::future::pending::<()>()).await
    }

    /// Runs until `stop` is done, whatever it comes to, or the worker is told to stop by its
    /// [`shutdown_handle`](Self::shutdown_handle); then shuts down as the type's documentation says.
    ///
    /// # Errors
    ///
    /// If the worker cannot start, because another one of this process takes the same tasks over the same connection, for
    /// example; or if the server says for more than a minute that it may not work: its namespace is
    /// gone, or its credentials are refused. It has shut down by then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the worker without any grace: tasks at hand are lost, and the server gives them out
    /// again after their timeouts.
    pub async fn run_until<F: Future>(mut self, stop: F) -> Result<(), RunError> {
        let (plugins, wind_down) = (std::mem::take(&mut self.plugins), self.plugin_shutdown_timeout);
        let handle = self.shutdown_handle();
        around(&plugins, wind_down, || handle.shutdown(), self.run_alone(stop)).await.unwrap_or(Ok(()))
    }

    async fn run_alone<F: Future>(mut self, stop: F) -> Result<(), RunError> {
        let lifecycle = self.shared.lifecycle.clone();
        let told_to_stop = async {
            tokio::select! {
                biased;
                _ = stop => {}
                () = lifecycle.reached(Phase::Draining) => {}
            }
        };
        tokio::pin!(told_to_stop);
        tokio::select! {
            biased;
            () = &mut told_to_stop => return Ok(()),
            checked = self.check_namespace() => checked?,
        }
        let mut running = Running::start(Arc::clone(&self.shared))?;
        let stopped = tokio::select! {
            biased;
            () = &mut told_to_stop => Ok(()),
            error = running.refused() => {
                self.shared.refused.store(true, Ordering::SeqCst);
                Err(self.refused(error))
            }
        };
        if let (Err(error), Some(hook)) = (&stopped, self.on_fatal_error.take()) {
            let told = timeout(HOOK_ENDS_WITHIN, AssertUnwindSafe(async { hook(error).await }).catch_unwind()).await;
            match told {
                Ok(Ok(())) => {}
                Ok(Err(panic)) => {
                    let panic = panic_message(&*panic);
                    tracing::error!(target: "stead::worker", panic, "the hook on a fatal error panicked");
                }
                Err(_elapsed) => tracing::error!(target: "stead::worker", "the hook on a fatal error does not end"),
            }
        }
        running.shut_down().await;
        stopped
    }

    /// Runs for as long as `body` does, and returns what it came to: for programs and tests that are client and worker
    /// in one. A worker that is told to stop earlier shuts down, and `body` goes on without it.
    ///
    /// # Errors
    ///
    /// As [`run_until`](Self::run_until); `body` is dropped then.
    ///
    /// # Cancel safety
    ///
    /// As [`run_until`](Self::run_until).
    pub async fn run_while<F: Future>(self, body: F) -> Result<F::Output, RunError> {
        let mut body = std::pin::pin!(body);
        let mut output = None;
        self.run_until(async { output = Some(body.as_mut().await) }).await?;
        match output {
            Some(output) => Ok(output),
            None => Ok(body.await),
        }
    }

    /// Asks for the namespace, which fails clearly where polls would be retried for a minute.
    async fn check_namespace(&self) -> Result<(), RunError> {
        let shared = &self.shared;
        let client = shared.client.borrow().clone();
        match shared.ask_for_namespace(&client).await {
            Ok(answer) => {
                shared.note_namespace(&client, answer);
                Ok(())
            }
            Err(source) => {
                let (task_queue, namespace) = (shared.task_queue.clone(), shared.namespace.clone());
                Err(RunError::Start { task_queue, namespace, source })
            }
        }
    }

    fn refused(&self, source: RpcError) -> RunError {
        let Shared { namespace, task_queue, .. } = &*self.shared;
        RunError::Poll { task_queue: task_queue.clone(), namespace: namespace.clone(), source }
    }
}

/// A shutdown should not wait for ever.
const HOOK_ENDS_WITHIN: Duration = Duration::from_secs(60);

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker")
            .field("task_queue", &self.shared.task_queue)
            .field("namespace", &self.shared.namespace)
            .finish_non_exhaustive()
    }
}
