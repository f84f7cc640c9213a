//! Plugins: several settings of a client under one name.

use std::{any::Any, fmt, sync::Arc};

use stead_data::BoxFuture;

use crate::{
    client::Client,
    connect::{Connect, ConnectError, Plugged},
};

/// Configures clients, and the workers and replayers that are made with them.
///
/// Most plugins are made of parts, with `stead::worker::Plugin`. This trait is for what parts cannot say.
///
/// ```
/// use stead_client::{ClientPlugin, Connect, Plugged};
///
/// struct Ours;
///
/// impl ClientPlugin for Ours {
///     fn configure_client(&self, client: Connect<Plugged>) -> Connect<Plugged> {
///         client.namespace("shop").metadata("team", "orders")
///     }
/// }
///
/// # fn connect() -> impl Sized {
/// stead_client::Client::connect("localhost:7233").plugin(Ours)
/// # }
/// ```
pub trait ClientPlugin: Send + Sync + 'static {
    /// What it is called, in logs and where the server lists workers. Default: the name of its type.
    fn name(&self) -> &str {
        std::any::type_name::<Self>()
    }

    /// Sets options of a client. Called where the plugin is added: what is set after it overrules it.
    fn configure_client(&self, client: Connect<Plugged>) -> Connect<Plugged> {
        client
    }

    /// Connects: by default, as `connect` does. The plugin that was added first is the outermost.
    fn around_connect<'a>(&'a self, connect: Connecting<'a>) -> Connecting<'a> {
        connect
    }

    /// What it is to workers and replayers with such a client, if it is anything: see
    /// `stead::worker::for_workers`. Default: nothing.
    fn for_workers(self: Arc<Self>) -> Option<ForWorkers> {
        None
    }
}

/// A connection that is being made.
pub type Connecting<'a> = BoxFuture<'a, Result<Client, ConnectError>>;

/// A plugin of workers that comes with a client. Made by `stead::worker::for_workers`.
#[derive(Clone)]
pub struct ForWorkers(Arc<dyn Any + Send + Sync>);

impl ForWorkers {
    /// Keeps it.
    #[doc(hidden)]
    pub fn new<T: Send + Sync + 'static>(plugin: T) -> Self {
        Self(Arc::new(plugin))
    }

    /// Gives it back.
    #[doc(hidden)]
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}

impl fmt::Debug for ForWorkers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForWorkers").finish_non_exhaustive()
    }
}
