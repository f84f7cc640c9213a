//! [`Connection`]: calls to a server, with deadlines, retries and headers.

mod error;
mod limits;
mod metadata;
mod metrics;
mod options;
mod outages;
mod raw;
mod retry;
mod service;
mod transport;
mod wiretap;

use std::{
    fmt::{self, Debug},
    sync::{Arc, OnceLock, PoisonError, RwLock},
    time::Duration,
};

use bytes::Bytes;
use http::uri::PathAndQuery;
use prost::Message;
use stead_data::metrics::MetricSink;
use stead_proto::workflowservice::v1::{GetSystemInfoRequest, get_system_info_response::Capabilities};
use tokio::time::{Instant, sleep, timeout, timeout_at};
#[cfg(feature = "gzip")]
use tonic::codec::CompressionEncoding;
use tonic::{Code, Request, Status, client::Grpc, metadata::MetadataMap};

use crate::{random, secret::Secret, workers::LocalWorkers};

use error::Call;
use metadata::{AUTHORIZATION, ascii};
use metrics::CallMetrics;
use outages::Outages;
use raw::Raw;
use retry::Retries;

pub(crate) use transport::{BoxError, boxed};
pub use {
    error::RpcError,
    limits::{PayloadLimits, PayloadTooLarge},
    metadata::{InvalidMetadata, Metadata},
    options::{CallOptions, RetryWatch},
    outages::WithCauses,
    retry::{RetryKind, RetryOptions},
    service::*,
    transport::{Transport, TransportError},
};

/// A connection to a server, shared by any number of clients and workers. Cheap to clone.
///
/// It serves every namespace of the server; a [`Client`](crate::Client) adds one namespace and the conversion of
/// values.
#[derive(Clone)]
pub struct Connection {
    shared: Arc<Shared>,
}

struct Shared {
    transport: Transport,
    address: Arc<str>,
    headers: RwLock<Headers>,
    retry: RetryOptions,
    max_response_size: usize,
    payload_limits: PayloadLimits,
    may_send_secrets: bool,
    #[cfg(feature = "gzip")]
    gzip: bool,
    capabilities: OnceLock<Capabilities>,
    workers: LocalWorkers,
    metrics: Option<Arc<dyn MetricSink>>,
    outages: Outages,
}

/// What [`Connect`](crate::Connect) decided.
pub(crate) struct Settings {
    pub(crate) address: Arc<str>,
    pub(crate) metadata: Metadata,
    pub(crate) api_key: Option<Secret>,
    pub(crate) retry: RetryOptions,
    pub(crate) max_response_size: usize,
    pub(crate) payload_limits: PayloadLimits,
    pub(crate) may_send_secrets: bool,
    #[cfg(feature = "gzip")]
    pub(crate) gzip: bool,
    pub(crate) metrics: Option<Arc<dyn MetricSink>>,
}

/// The headers of every call, ready to be copied into one.
struct Headers {
    metadata: Metadata,
    api_key: Option<Secret>,
    ready: MetadataMap,
}

impl Connection {
    pub(crate) fn new(transport: Transport, settings: Settings) -> Result<Self, InvalidMetadata> {
        let Settings {
            address,
            metadata,
            api_key,
            retry,
            max_response_size,
            payload_limits,
            may_send_secrets,
            #[cfg(feature = "gzip")]
            gzip,
            metrics,
        } = settings;
        let headers = RwLock::new(Headers::new(metadata, api_key)?);
        let shared = Shared {
            transport,
            address,
            headers,
            retry,
            max_response_size,
            payload_limits,
            may_send_secrets,
            #[cfg(feature = "gzip")]
            gzip,
            capabilities: OnceLock::new(),
            workers: LocalWorkers::default(),
            metrics,
            outages: Outages::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The server's address as it was given; `in-process` for a service in this process.
    pub fn address(&self) -> &str {
        &self.shared.address
    }

    /// What carries the calls, for another connection of the same way with options of its own.
    pub fn transport(&self) -> Transport {
        self.shared.transport.clone()
    }

    /// The server's raw methods, for what the typed API does not offer.
    pub fn workflow_service(&self) -> WorkflowService {
        WorkflowService::new(self.clone())
    }

    /// The raw methods for operators of a server.
    #[cfg(feature = "operator")]
    pub fn operator_service(&self) -> OperatorService {
        OperatorService::new(self.clone())
    }

    /// The raw methods of Temporal's test server.
    #[cfg(feature = "test-service")]
    pub fn test_service(&self) -> TestService {
        TestService::new(self.clone())
    }

    /// The raw methods of Temporal Cloud's own API.
    ///
    /// ```no_run
    /// # async fn run(key: String) -> Result<(), Box<dyn std::error::Error>> {
    /// use stead_client::{CallOptions, Client, proto::cloud::cloudservice::v1::GetNamespacesRequest};
    ///
    /// let cloud = Client::connect("saas-api.tmprl.cloud:443").api_key(key);
    /// let cloud = cloud.metadata("temporal-cloud-api-version", "v0.3.0").await?.connection().cloud_service();
    /// let namespaces = cloud.get_namespaces(GetNamespacesRequest::default(), CallOptions::new()).await?;
    /// # let _ = namespaces;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "cloud")]
    pub fn cloud_service(&self) -> CloudService {
        CloudService::new(self.clone())
    }

    /// Whether the server says that it is well, by gRPC's own service for that.
    ///
    /// # Errors
    ///
    /// The call failed: the server cannot be reached, or does not know the question.
    pub async fn check_health(&self, options: CallOptions) -> Result<bool, RpcError> {
        let request = HealthCheckRequest { service: HEALTH_OF.to_owned() };
        let answer: HealthCheckResponse = self.call("/grpc.health.v1.Health/Check", None, &request, &options).await?;
        Ok(answer.status == SERVING)
    }

    /// What the server can do, as it said when the connection was made; `None` while a lazy connection has not asked.
    pub fn capabilities(&self) -> Option<&Capabilities> {
        self.shared.capabilities.get()
    }

    /// The sizes of payloads that are warned of or refused.
    pub fn payload_limits(&self) -> PayloadLimits {
        self.shared.payload_limits
    }

    /// The workers of this process that work over this connection.
    pub fn workers(&self) -> &LocalWorkers {
        &self.shared.workers
    }

    /// Where the connection's metrics go, and those of the workers that poll over it unless they are told otherwise.
    pub fn metrics(&self) -> Option<&Arc<dyn MetricSink>> {
        self.shared.metrics.as_ref()
    }

    /// Replaces the API key; calls from now on send the new one, retries of running calls included.
    ///
    /// # Errors
    ///
    /// The key is not a valid header value, or the connection is neither encrypted nor local.
    pub fn set_api_key(&self, key: impl Into<Secret>) -> Result<(), SetApiKeyError> {
        if !self.shared.may_send_secrets {
            return Err(SetApiKeyError::NotEncrypted { address: self.address().to_owned() });
        }
        self.replace_headers(|headers| Headers::new(headers.metadata.clone(), Some(key.into())))?;
        Ok(())
    }

    /// Replaces the headers that are sent with every call; the API key stays.
    ///
    /// # Errors
    ///
    /// As [`Metadata::insert`].
    pub fn set_metadata(&self, metadata: Metadata) -> Result<(), InvalidMetadata> {
        self.replace_headers(|headers| Headers::new(metadata, headers.api_key.clone()))
    }

    fn replace_headers(
        &self,
        replace: impl FnOnce(&Headers) -> Result<Headers, InvalidMetadata>,
    ) -> Result<(), InvalidMetadata> {
        let mut headers = self.shared.headers.write().unwrap_or_else(PoisonError::into_inner);
        *headers = replace(&headers)?;
        Ok(())
    }

    /// Asks the server what it can do. Servers too old for the question can do nothing of it.
    pub(crate) async fn load_capabilities(&self, options: CallOptions) -> Result<(), RpcError> {
        let answer = self.workflow_service().get_system_info(GetSystemInfoRequest {}, options).await;
        let capabilities = match answer {
            Ok(info) => info.capabilities.unwrap_or_default(),
            Err(error) if error.code() == Code::Unimplemented => Capabilities::default(),
            Err(error) => return Err(error),
        };
        self.shared.capabilities.get_or_init(|| capabilities);
        Ok(())
    }

    /// Makes one call of a method that is none of Temporal's, such as a collector's of metrics.
    #[doc(hidden)]
    pub async fn call_other<Response: Message + Debug + Default>(
        &self,
        path: &'static str,
        request: &(impl Message + Debug + 'static),
        options: &CallOptions,
    ) -> Result<Response, RpcError> {
        self.call(path, None, request, options).await
    }

    /// Makes one call, retries included. `path` is the method's, `namespace` becomes a header.
    pub(crate) async fn call<Response: Message + Debug + Default>(
        &self,
        path: &'static str,
        namespace: Option<&str>,
        request: &(impl Message + Debug + 'static),
        options: &CallOptions,
    ) -> Result<Response, RpcError> {
        let call = self.describe(path, options);
        let limits = options.payload_limits.as_ref().unwrap_or(&self.shared.payload_limits);
        if let Some(too_large) = limits::check(call.rpc, request, limits) {
            return Err(RpcError::not_sent(call, too_large));
        }
        let metrics = self.metrics().map(|sink| CallMetrics::new(sink, call.rpc, namespace, request));
        wiretap::request(path, call.rpc, namespace, request);
        let answered = self.call_bytes(path, namespace, request.encode_to_vec().into(), options, metrics).await;
        let answered =
            answered.and_then(|answer| Response::decode(answer).map_err(|error| RpcError::unreadable(call, &error)));
        match &answered {
            Ok(response) => wiretap::response(path, call.rpc, response),
            Err(error) => wiretap::failure(call.rpc, error),
        }
        answered
    }

    async fn call_bytes(
        &self,
        path: &'static str,
        namespace: Option<&str>,
        body: Bytes,
        options: &CallOptions,
        metrics: Option<CallMetrics<'_>>,
    ) -> Result<Bytes, RpcError> {
        let call = self.describe(path, options);
        let mut retries = Retries::new(&self.shared.retry, options.retry);
        let mut failing_since = None;
        let mut deadline = Instant::now() + call.timeout;
        loop {
            let attempted = Instant::now();
            let attempt = self.attempt(path, self.request(namespace, body.clone(), options, deadline));
            let began = metrics.as_ref().map(CallMetrics::attempt);
            let answered = match timeout_at(deadline, attempt).await {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(status)) => Err(RpcError::from_status(call, status)),
                Err(_elapsed) => Err(RpcError::timed_out(call)),
            };
            if let (Some(metrics), Some(began)) = (&metrics, began) {
                metrics.ended(began, answered.as_ref().map_or_else(RpcError::code, |_| Code::Ok));
            }
            self.shared.outages.answered(call.rpc, answered.as_ref().err());
            let error = match answered {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let now = Instant::now();
            if options.retry == RetryKind::Wait && now - attempted >= WAITED {
                retries = Retries::new(&self.shared.retry, options.retry);
                failing_since = None;
            }
            let failing_for = now - *failing_since.get_or_insert(now);
            let Some(delay) = retries.after(error.fault(), failing_for, random::fraction()) else {
                return Err(error);
            };
            let each_attempt_has_its_own = matches!(options.retry, RetryKind::LongPoll | RetryKind::Wait);
            if !each_attempt_has_its_own && now + delay >= deadline {
                return Err(error);
            }
            self.shared.outages.failed(&error, retries.failed(), retries.severity());
            match &options.watch {
                None => sleep(delay).await,
                Some(watch) => {
                    watch.failed(&error);
                    if timeout(delay, watch.over()).await.is_ok() {
                        return Err(error);
                    }
                }
            }
            if each_attempt_has_its_own {
                deadline = Instant::now() + call.timeout;
            }
        }
    }

    async fn attempt(&self, path: &'static str, request: Request<Bytes>) -> Result<Bytes, Status> {
        let raw = Raw { request_size: request.get_ref().len() };
        let mut grpc =
            Grpc::new(self.shared.transport.clone()).max_decoding_message_size(self.shared.max_response_size);
        #[cfg(feature = "gzip")]
        if self.shared.gzip {
            grpc = grpc.send_compressed(CompressionEncoding::Gzip).accept_compressed(CompressionEncoding::Gzip);
        }
        grpc.ready().await.map_err(|error| Status::from_error(Box::new(error)))?;
        let answer = grpc.unary(request, PathAndQuery::from_static(path), raw).await?;
        Ok(answer.into_inner())
    }

    fn request(
        &self,
        namespace: Option<&str>,
        body: Bytes,
        options: &CallOptions,
        deadline: Instant,
    ) -> Request<Bytes> {
        let mut headers = self.shared.headers.read().unwrap_or_else(PoisonError::into_inner).ready.clone();
        if let Some(namespace) = namespace.and_then(|name| ascii(name.as_bytes())) {
            headers.insert("temporal-namespace", namespace);
        }
        options.metadata.apply(&mut headers);
        let mut request = Request::from_parts(headers, http::Extensions::default(), body);
        request.set_timeout(deadline.saturating_duration_since(Instant::now()));
        request
    }

    fn describe(&self, path: &'static str, options: &CallOptions) -> Call<'_> {
        Call {
            rpc: path.rsplit('/').next().unwrap_or(path),
            address: &self.shared.address,
            timeout: options.timeout.min(MAX_TIMEOUT),
            max_response_size: self.shared.max_response_size,
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("address", &self.shared.address).finish_non_exhaustive()
    }
}

impl Headers {
    fn new(metadata: Metadata, api_key: Option<Secret>) -> Result<Self, InvalidMetadata> {
        let mut all = Metadata::new();
        all.insert("client-name", "stead")?;
        all.insert("client-version", env!("CARGO_PKG_VERSION"))?;
        // Or the server shows the end of a cron or retried run as if it had continued as new, without its result.
        all.insert("supported-features", "follows-next-run-id")?;
        if let Some(key) = &api_key {
            all.insert(AUTHORIZATION, format!("Bearer {}", key.expose()))?;
        }
        let mut ready = MetadataMap::new();
        all.apply(&mut ready);
        metadata.apply(&mut ready);
        Ok(Self { metadata, api_key, ready })
    }
}

/// The API key of a connection could not be replaced.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetApiKeyError {
    /// The connection is neither encrypted nor local, so the key would travel for all to see: connect with TLS.
    #[error("the connection to `{address}` is not encrypted, so it may not carry an API key; connect with TLS")]
    NotEncrypted {
        /// The server's address.
        address: String,
    },
    /// The key holds characters that a header cannot carry.
    #[error("the API key is not a valid header value")]
    Invalid(#[from] InvalidMetadata),
}

/// Of `grpc.health.v1`, which is not a part of Temporal's API.
#[derive(Clone, PartialEq, Message)]
struct HealthCheckRequest {
    #[prost(string, tag = "1")]
    service: String,
}

#[derive(Clone, PartialEq, Message)]
struct HealthCheckResponse {
    #[prost(int32, tag = "1")]
    status: i32,
}

const HEALTH_OF: &str = "temporal.api.workflowservice.v1.WorkflowService";
const SERVING: i32 = 1;

/// An attempt that fails only after so long was not refused: longer than it takes to connect, and shorter than a server
/// lets anybody wait (20 s).
const WAITED: Duration = Duration::from_secs(15);

/// Longer ones are cut to this, so that adding one to the clock cannot overflow.
const MAX_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 3600);
