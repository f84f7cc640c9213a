//! [`Connect`]: everything a connection and its client can be told before they exist.

mod address;
mod balance;
mod channel;
mod dial;
mod error;
#[cfg(feature = "http1")]
mod http1;
mod proxy;
#[cfg(feature = "tls")]
mod tls;

use std::{
    fmt,
    future::{Future, IntoFuture},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{
    Request, Response,
    uri::{Authority, Scheme},
};
use stead_data::{DataConverter, metrics::MetricSink};
use tonic::body::Body;
use tower::{Layer, Service};

use crate::{
    client::{Client, Parts},
    config::ConfigLoader,
    connection::{
        BoxError, CallOptions, Connection, Metadata, PayloadLimits, RetryOptions, Settings, Transport, boxed,
    },
    interceptor::ClientInterceptor,
    plugin::{ClientPlugin, Connecting},
    secret::Secret,
    workflow::QueryRejectCondition,
};
use address::Address;
use balance::Balanced;
use channel::{Channel, Http2};
use dial::{Dialer, Protocol, Way};

pub use balance::DnsLoadBalancing;
pub use error::ConnectError;
#[cfg(feature = "http1")]
pub use http1::Http1;
pub use proxy::HttpProxy;
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsMode};

/// A client to be: awaiting it connects.
///
/// Made by [`Client::connect`], [`Client::from_env`] and [`Client::with_service`]. `Debug` shows no secret.
#[must_use = "nothing happens until it is awaited"]
pub struct Connect<T = Remote> {
    target: T,
    options: Options,
    /// The first setter's complaint; it comes out at the await.
    error: Option<ConnectError>,
}

/// A server at an address.
pub struct Remote {
    address: String,
    #[cfg(feature = "tls")]
    tls: TlsMode,
    keep_alive: Option<KeepAlive>,
    connect_timeout: Duration,
    lazy: bool,
    proxy: Option<HttpProxy>,
    balancing: Option<DnsLoadBalancing>,
}

/// A service in this process.
pub struct InProcess {
    transport: Transport,
}

/// Any server: what a plugin configures.
#[derive(Debug)]
pub struct Plugged(());

struct Options {
    namespace: String,
    identity: Option<String>,
    api_key: Option<Secret>,
    metadata: Metadata,
    retry: RetryOptions,
    max_response_size: usize,
    payload_limits: PayloadLimits,
    #[cfg(feature = "gzip")]
    gzip: bool,
    /// The one added first is the outermost.
    layers: Vec<Box<dyn FnOnce(Transport) -> Transport + Send>>,
    converter: DataConverter,
    interceptors: Vec<Arc<dyn ClientInterceptor>>,
    plugins: Vec<Arc<dyn ClientPlugin>>,
    query_reject_condition: QueryRejectCondition,
    metrics: Option<Arc<dyn MetricSink>>,
}

/// Pings that tell whether an idle connection still works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeepAlive {
    /// Time between two pings. Default: 30 s.
    pub interval: Duration,
    /// A connection whose ping is not answered in this time is closed. Default: 15 s.
    pub timeout: Duration,
}

impl KeepAlive {
    /// Sets the time between two pings.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Sets the time in which a ping must be answered.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl Default for KeepAlive {
    fn default() -> Self {
        Self { interval: Duration::from_secs(30), timeout: Duration::from_secs(15) }
    }
}

impl<T> Connect<T> {
    fn new(target: T) -> Self {
        Self { target, options: Options::default(), error: None }
    }

    /// The namespace of the client. Default: `default`.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.options.namespace = namespace.into();
        self
    }

    /// Who the server says did something. Default: process id and host name, `4711@build-3`.
    pub fn identity(mut self, identity: impl Into<String>) -> Self {
        self.options.identity = Some(identity.into());
        self
    }

    /// Authenticates with an API key; [`Connection::set_api_key`] replaces it later. It turns TLS on.
    ///
    /// A header `authorization` that is set with [`metadata`](Self::metadata) wins over it.
    pub fn api_key(mut self, key: impl Into<Secret>) -> Self {
        self.options.api_key = Some(key.into());
        self
    }

    /// Sends a header with every call, see [`Metadata::insert`].
    pub fn metadata(mut self, key: &str, value: impl AsRef<[u8]>) -> Self {
        if let Err(error) = self.options.metadata.insert(key, value) {
            self.error.get_or_insert(error.into());
        }
        self
    }

    /// How failed calls are tried again.
    pub fn retry(mut self, retry: RetryOptions) -> Self {
        self.options.retry = retry;
        self
    }

    /// The largest answer that is accepted, in bytes. Default: 128 MiB, far over what a server sends in one piece.
    pub fn max_response_size(mut self, bytes: usize) -> Self {
        self.options.max_response_size = bytes;
        self
    }

    /// The sizes of payloads and memos that are warned of, or refused before a call is made. Default: warnings over
    /// 512 KiB and over 2 KiB.
    pub fn payload_limits(mut self, limits: PayloadLimits) -> Self {
        self.options.payload_limits = limits;
        self
    }

    /// Compresses requests with gzip, and accepts answers that are. Default: not, as it costs more than it saves for small
    /// messages, which nearly all are.
    #[cfg(feature = "gzip")]
    pub fn gzip(mut self) -> Self {
        self.options.gzip = true;
        self
    }

    /// Sends all calls through a layer of `tower`, retries one by one; the one added first is the outermost.
    pub fn layer<L, B>(mut self, layer: L) -> Self
    where
        L: Layer<Transport> + Send + 'static,
        L::Service: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request<Body>>>::Error: Into<BoxError>,
        <L::Service as Service<Request<Body>>>::Future: Send,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        self.options.layers.push(Box::new(move |transport| boxed(layer.layer(transport))));
        self
    }

    /// How values become payloads, and which codec those pass through. Default: JSON, no codec.
    pub fn data_converter(mut self, converter: DataConverter) -> Self {
        self.options.converter = converter;
        self
    }

    /// Adds an interceptor; the one added first is the outermost.
    pub fn interceptor(mut self, interceptor: impl ClientInterceptor) -> Self {
        self.options.interceptors.push(Arc::new(interceptor));
        self
    }

    /// As [`interceptor`](Self::interceptor), for one that others hold too.
    pub fn interceptor_shared(mut self, interceptor: Arc<dyn ClientInterceptor>) -> Self {
        self.options.interceptors.push(interceptor);
        self
    }

    /// Adds a plugin, which sets its options now. Workers and replayers of the client are configured by it, too.
    pub fn plugin(self, plugin: impl ClientPlugin) -> Self {
        let plugin: Arc<dyn ClientPlugin> = Arc::new(plugin);
        let Self { target, options, error } = self;
        let Connect { mut options, error, .. } =
            plugin.configure_client(Connect { target: Plugged(()), options, error });
        options.plugins.push(plugin);
        Self { target, options, error }
    }

    /// Makes another converter of the one that is set, as a plugin does that adds to it.
    pub fn map_data_converter(mut self, change: impl FnOnce(DataConverter) -> DataConverter) -> Self {
        self.options.converter = change(self.options.converter);
        self
    }

    /// Where the metrics go: those of the calls of this connection, and those of the workers that poll over it unless a
    /// worker has a sink of its own. Default: nowhere.
    pub fn metrics(mut self, sink: Arc<dyn MetricSink>) -> Self {
        self.options.metrics = Some(sink);
        self
    }

    /// When the server should refuse queries of this client that do not say it themselves, see
    /// [`QueryWorkflow::reject_if`](crate::QueryWorkflow::reject_if). Default: never.
    pub fn reject_queries_if(mut self, condition: QueryRejectCondition) -> Self {
        self.options.query_reject_condition = condition;
        self
    }
}

impl Connect<Remote> {
    pub(crate) fn to(address: impl Into<String>) -> Self {
        Self::new(Remote {
            address: address.into(),
            #[cfg(feature = "tls")]
            tls: TlsMode::Auto,
            keep_alive: Some(KeepAlive::default()),
            connect_timeout: Duration::from_secs(10),
            lazy: false,
            proxy: None,
            balancing: None,
        })
    }

    pub(crate) fn from_env() -> Self {
        match ConfigLoader::new().load().and_then(|profile| profile.connect()) {
            Ok(connect) => connect,
            Err(error) => Self { error: Some(error.into()), ..Self::to("") },
        }
    }

    /// Whether and how to encrypt: `true`, `false` or a [`Tls`]. Default: on if there is an API key or the address
    /// starts with `https://`.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: impl Into<TlsMode>) -> Self {
        self.target.tls = tls.into();
        self
    }

    /// Pings on an idle connection; `None` for none. Default: every 30 s, answered within 15 s.
    pub fn keep_alive(mut self, keep_alive: impl Into<Option<KeepAlive>>) -> Self {
        self.target.keep_alive = keep_alive.into();
        self
    }

    /// Time in which a connection must be made. Default: 10 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.target.connect_timeout = timeout;
        self
    }

    /// Connects at the first call instead of now, so that awaiting this does not fail for want of a server.
    pub fn lazy(mut self) -> Self {
        self.target.lazy = true;
        self
    }

    /// Connects through a proxy that speaks HTTP's `CONNECT`. Default: directly.
    pub fn http_proxy(mut self, proxy: impl Into<Option<HttpProxy>>) -> Self {
        self.target.proxy = proxy.into();
        self
    }

    /// Lets calls take turns among all addresses that the server's name stands for. Without effect through a proxy, which
    /// looks the name up itself. Default: one connection, to the first address that answers.
    pub fn dns_load_balancing(mut self, balancing: impl Into<Option<DnsLoadBalancing>>) -> Self {
        self.target.balancing = balancing.into();
        self
    }

    async fn connect(self) -> Result<Client, ConnectError> {
        let Self { target, options, error } = self;
        error.map_or(Ok(()), Err)?;
        let Route { http2, dialer, may_send_secrets } = target.route(options.api_key.is_some(), Protocol::Http2)?;
        let transport = target.transport(http2, dialer).await?;
        options.finish(transport, &target.address, may_send_secrets, target.lazy).await
    }
}

impl Connect<InProcess> {
    pub(crate) fn over(transport: Transport) -> Self {
        Self::new(InProcess { transport })
    }

    async fn connect(self) -> Result<Client, ConnectError> {
        let Self { target, options, error } = self;
        error.map_or(Ok(()), Err)?;
        options.finish(target.transport, "in-process", true, false).await
    }
}

/// How to get there, and whether secrets may travel there.
struct Route {
    http2: Http2,
    dialer: Dialer,
    may_send_secrets: bool,
}

impl Remote {
    fn route(&self, has_api_key: bool, protocol: Protocol) -> Result<Route, ConnectError> {
        let address = Address::parse(&self.address).ok_or(ConnectError::InvalidAddress)?;
        let encrypted = self.is_encrypted(&address, has_api_key)?;
        let may_send_secrets = encrypted || address.is_loopback();
        if has_api_key && !may_send_secrets {
            return Err(ConnectError::ApiKeyWithoutTls { address: self.address.clone() });
        }
        let dialer = self.dialer(&address, encrypted, protocol)?;
        let http2 = Http2 {
            scheme: if encrypted { Scheme::HTTPS } else { Scheme::HTTP },
            authority: self.authority(&address, encrypted).ok_or(ConnectError::InvalidAddress)?,
            connect_timeout: self.connect_timeout,
            keep_alive: self.keep_alive,
        };
        Ok(Route { http2, dialer, may_send_secrets })
    }

    async fn transport(&self, http2: Http2, dialer: Dialer) -> Result<Transport, ConnectError> {
        if self.proxy.is_some() && self.balancing.is_some() {
            tracing::warn!(target: "stead::client", "DNS load balancing has no effect through a proxy");
        }
        if let (None, Some(balancing)) = (&self.proxy, self.balancing) {
            let balanced = Balanced::new(dialer, http2, balancing);
            if !self.lazy {
                self.in_time(balanced.resolve()).await?;
            }
            return Ok(boxed(balanced));
        }
        let channel = Channel::new(dialer, http2);
        if !self.lazy {
            self.in_time(channel.connect()).await?;
        }
        Ok(boxed(channel))
    }

    async fn in_time<T, E: Into<BoxError>>(
        &self,
        connecting: impl Future<Output = Result<T, E>>,
    ) -> Result<T, ConnectError> {
        let unreachable = |source| ConnectError::Unreachable { address: self.address.clone(), source };
        match tokio::time::timeout(self.connect_timeout, connecting).await {
            Ok(result) => result.map_err(|error| unreachable(error.into())),
            Err(elapsed) => Err(unreachable(elapsed.into())),
        }
    }

    #[cfg(feature = "tls")]
    fn is_encrypted(&self, address: &Address, has_api_key: bool) -> Result<bool, ConnectError> {
        Ok(match self.tls {
            TlsMode::On(_) => true,
            TlsMode::Off => false,
            TlsMode::Auto => address.encrypted.unwrap_or(has_api_key),
        })
    }

    #[cfg(not(feature = "tls"))]
    fn is_encrypted(&self, address: &Address, has_api_key: bool) -> Result<bool, ConnectError> {
        match address.encrypted.unwrap_or(has_api_key && !address.is_loopback()) {
            true => Err(ConnectError::TlsNotBuilt { address: self.address.clone() }),
            false => Ok(false),
        }
    }

    #[cfg(feature = "tls")]
    fn dialer(&self, address: &Address, encrypted: bool, protocol: Protocol) -> Result<Dialer, ConnectError> {
        let tls = match &self.tls {
            TlsMode::On(tls) => tls.clone(),
            TlsMode::Auto | TlsMode::Off => Tls::new(),
        };
        let encryption = encrypted.then(|| tls.encryption(address.host(), protocol)).transpose();
        let encryption = encryption.map_err(|source| ConnectError::Tls { address: self.address.clone(), source })?;
        let (host, port) = (address.host().to_owned(), address.port());
        Ok(Dialer::new(Way { host, port, proxy: self.proxy.clone(), encryption }))
    }

    #[cfg(not(feature = "tls"))]
    fn dialer(&self, address: &Address, _encrypted: bool, _protocol: Protocol) -> Result<Dialer, ConnectError> {
        let (host, port) = (address.host().to_owned(), address.port());
        Ok(Dialer::new(Way { host, port, proxy: self.proxy.clone() }))
    }

    /// Whom calls say they are for.
    #[cfg(feature = "tls")]
    fn authority(&self, address: &Address, encrypted: bool) -> Option<Authority> {
        match &self.tls {
            TlsMode::On(tls) if encrypted => {
                tls.authority().map_or(Some(address.authority.clone()), |name| name.parse().ok())
            }
            _ => Some(address.authority.clone()),
        }
    }

    #[cfg(not(feature = "tls"))]
    fn authority(&self, address: &Address, _encrypted: bool) -> Option<Authority> {
        Some(address.authority.clone())
    }
}

impl Options {
    async fn finish(
        self,
        transport: Transport,
        address: &str,
        may_send_secrets: bool,
        lazy: bool,
    ) -> Result<Client, ConnectError> {
        let Self {
            namespace,
            identity,
            api_key,
            metadata,
            retry,
            max_response_size,
            payload_limits,
            #[cfg(feature = "gzip")]
            gzip,
            layers,
            converter,
            interceptors,
            plugins,
            query_reject_condition,
            metrics,
        } = self;
        let transport = layers.into_iter().rev().fold(transport, |transport, layer| layer(transport));
        let settings = Settings {
            address: address.into(),
            metadata,
            api_key,
            retry,
            max_response_size,
            payload_limits,
            may_send_secrets,
            #[cfg(feature = "gzip")]
            gzip,
            metrics,
        };
        let connection = Connection::new(transport, settings)?;
        if !lazy {
            let loaded = connection.load_capabilities(CallOptions::new()).await;
            loaded.map_err(|source| ConnectError::Refused { address: address.to_owned(), source })?;
        }
        let identity = identity.unwrap_or_else(default_identity);
        let for_workers = plugins.into_iter().filter_map(ClientPlugin::for_workers).collect();
        Ok(Client::new(Parts {
            connection,
            namespace,
            identity,
            converter,
            interceptors,
            for_workers,
            query_reject_condition,
        }))
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            namespace: "default".to_owned(),
            identity: None,
            api_key: None,
            metadata: Metadata::new(),
            retry: RetryOptions::default(),
            max_response_size: 128 * 1024 * 1024,
            payload_limits: PayloadLimits::default(),
            #[cfg(feature = "gzip")]
            gzip: false,
            layers: Vec::new(),
            converter: DataConverter::default(),
            interceptors: Vec::new(),
            plugins: Vec::new(),
            query_reject_condition: QueryRejectCondition::Never,
            metrics: None,
        }
    }
}

/// Connects within the plugins.
fn around(plugins: Vec<Arc<dyn ClientPlugin>>, connect: Connecting<'static>) -> Connecting<'static> {
    if plugins.is_empty() {
        return connect;
    }
    Box::pin(async move { plugins.iter().rev().fold(connect, |inner, it| it.around_connect(inner)).await })
}

fn default_identity() -> String {
    let host = hostname::get().map(|name| name.to_string_lossy().into_owned());
    format!("{}@{}", std::process::id(), host.as_deref().unwrap_or("unknown"))
}

impl IntoFuture for Connect<Remote> {
    type Output = Result<Client, ConnectError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        around(self.options.plugins.clone(), Box::pin(self.connect()))
    }
}

impl IntoFuture for Connect<InProcess> {
    type Output = Result<Client, ConnectError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        around(self.options.plugins.clone(), Box::pin(self.connect()))
    }
}

impl<T: fmt::Debug> fmt::Debug for Connect<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect").field("target", &self.target).field("options", &self.options).finish_non_exhaustive()
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Remote");
        shown.field("address", &shown_address(&self.address));
        #[cfg(feature = "tls")]
        shown.field("tls", &self.tls);
        shown.field("keep_alive", &self.keep_alive).field("connect_timeout", &self.connect_timeout);
        shown.field("lazy", &self.lazy).field("proxy", &self.proxy).field("balancing", &self.balancing).finish()
    }
}

/// What is not an address may be one with credentials.
pub(crate) fn shown_address(address: &str) -> &str {
    Address::parse(address).map_or("(not an address)", |_| address)
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InProcess").finish_non_exhaustive()
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("namespace", &self.namespace)
            .field("identity", &self.identity)
            .field("has_api_key", &self.api_key.is_some())
            .field("metadata", &self.metadata)
            .field("retry", &self.retry)
            .field("max_response_size", &self.max_response_size)
            .field("interceptors", &self.interceptors.len())
            .field("query_reject_condition", &self.query_reject_condition)
            .field("has_metrics", &self.metrics.is_some())
            .finish_non_exhaustive()
    }
}
