//! Plugins: several settings of clients, workers and replayers under one name.

mod around;
mod parts;

use std::sync::Arc;

use stead_client::ForWorkers;
use stead_data::BoxFuture;

use crate::WorkerBuilder;
#[cfg(feature = "replay")]
use crate::replay::Replayer;

pub(crate) use around::around;
pub use parts::Plugin;

/// Configures workers and replayers. Most plugins are made of parts, with [`Plugin`]; this trait is for what parts cannot
/// say.
///
/// ```
/// use stead_data::BoxFuture;
/// use stead_worker::{WorkerBuilder, WorkerPlugin};
///
/// struct Announced;
///
/// impl WorkerPlugin for Announced {
///     fn configure_worker(&self, worker: WorkerBuilder) -> WorkerBuilder {
///         worker.max_cached_workflows(5_000)
///     }
///
///     fn around_run<'a>(&'a self, run: BoxFuture<'a, ()>) -> BoxFuture<'a, ()> {
///         Box::pin(async move {
///             println!("about to run");
///             run.await;
///             println!("has run");
///         })
///     }
/// }
/// ```
pub trait WorkerPlugin: Send + Sync + 'static {
    /// What it is called, in logs and where the server lists workers. Default: the name of its type.
    fn name(&self) -> &str {
        std::any::type_name::<Self>()
    }

    /// Sets options of a worker. Called where the plugin is added, or where the worker is begun if the plugin came with
    /// its client: what is set after it overrules it.
    fn configure_worker(&self, worker: WorkerBuilder) -> WorkerBuilder {
        worker
    }

    /// Sets options of a replayer, where the plugin is added.
    #[cfg(feature = "replay")]
    #[cfg_attr(docsrs, doc(cfg(feature = "replay")))]
    fn configure_replayer(&self, replayer: Replayer) -> Replayer {
        replayer
    }

    /// Stands around the run of a worker, or of a replay that is awaited. `run` begins when it is first polled and ends
    /// when the worker has stopped; a future that ends before `run` does stops the worker. The plugin that was added first
    /// is the outermost.
    ///
    /// After the end of `run` the future has [a minute](WorkerBuilder::plugin_shutdown_timeout) to end; then it is dropped.
    fn around_run<'a>(&'a self, run: BoxFuture<'a, ()>) -> BoxFuture<'a, ()> {
        run
    }
}

/// What [`ClientPlugin::for_workers`](stead_client::ClientPlugin::for_workers) of a plugin returns that is one of workers
/// too.
///
/// ```
/// use std::sync::Arc;
///
/// use stead_client::{ClientPlugin, ForWorkers};
/// use stead_worker::{WorkerPlugin, for_workers};
///
/// struct Both;
///
/// impl ClientPlugin for Both {
///     fn for_workers(self: Arc<Self>) -> Option<ForWorkers> {
///         Some(for_workers(self))
///     }
/// }
///
/// impl WorkerPlugin for Both {}
/// ```
pub fn for_workers(plugin: Arc<impl WorkerPlugin>) -> ForWorkers {
    ForWorkers::new(plugin as Arc<dyn WorkerPlugin>)
}

/// What came with a client.
pub(crate) fn of_client(client: &stead_client::Client) -> impl Iterator<Item = Arc<dyn WorkerPlugin>> {
    client.plugins_for_workers().iter().filter_map(|it| it.get::<Arc<dyn WorkerPlugin>>().cloned())
}
