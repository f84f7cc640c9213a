//! Client for any Temporal server: start workflows, and signal, query, update, await, cancel and describe them.
//!
//! A [`Client`] belongs to one namespace and shares its [`Connection`] with any number of others; both are cheap to
//! clone. Every operation is a builder that is awaited, and has an error type of its own whose variants say what a
//! caller can do.
//!
//! ```no_run
//! use stead_client::Client;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::connect("localhost:7233").namespace("shop").await?;
//! let order = client.start_workflow_named("Order", ("sku-1", 2)).id("order-1").task_queue("orders").await?;
//! order.signal_named("pay", (3,)).await?;
//! let receipt: String = order.result_as().await?;
//! # Ok(())
//! # }
//! ```
//!
//! What a connection does for every call: the headers that the server expects, a deadline (10 s unless the call says
//! otherwise), retries of what is worth a retry ([`RetryOptions`]), and a limit on the size of the answer. Requests
//! are not compressed: for small messages, which nearly all are, it costs more than it saves.

mod activity;
mod batch;
mod client;
mod config;
mod connect;
mod connection;
mod filter;
mod interceptor;
mod listing;
mod nexus;
mod outcome;
#[doc(hidden)]
pub mod payloads;
mod plugin;
#[doc(hidden)]
pub mod random;
mod schedule;
mod secret;
mod standalone;
pub mod workers;
mod workflow;

pub use batch::*;
#[cfg(feature = "http1")]
#[doc(hidden)]
pub use connect::Http1;
#[cfg(feature = "tls")]
pub use connect::{Tls, TlsMode};
#[cfg(feature = "cloud")]
pub use connection::CloudService;
#[cfg(feature = "operator")]
pub use connection::OperatorService;
#[cfg(feature = "test-service")]
pub use connection::TestService;
pub use filter::{Filter, FilterOn};
pub use interceptor::{Answer, ClientInterceptor, Next};
pub use listing::{Count, CountCall, CountGroup, ListCall, ListError, Page};
pub use nexus::*;
pub use plugin::{ClientPlugin, Connecting, ForWorkers};
pub use schedule::*;
pub use standalone::*;
/// The messages of the raw services, as [`WorkflowService`] takes them.
pub use stead_proto as proto;
pub use tonic::Code;
pub use workflow::*;
pub use {
    activity::{
        ActivityHeartbeat, ActivityReference, AsyncActivity, AsyncActivityError, CompleteAsyncActivityCall,
        FailAsyncActivityCall, HeartbeatAsyncActivityCall, ReportCancelledActivityCall,
    },
    client::Client,
    config::{
        ClientConfig, ClientProfile, ConfigError, ConfigLoader, DEFAULT_PROFILE, DataSource, ProfileCodec, ProfileTls,
    },
    connect::{Connect, ConnectError, DnsLoadBalancing, HttpProxy, InProcess, KeepAlive, Plugged, Remote},
    connection::{
        CallOptions, Connection, InvalidMetadata, Metadata, PayloadLimits, PayloadTooLarge, RetryKind, RetryOptions,
        RetryWatch, RpcError, SetApiKeyError, Transport, TransportError, WithCauses, WorkflowService,
    },
    secret::Secret,
};
