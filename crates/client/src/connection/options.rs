//! What a single call may set.

use std::{fmt, sync::Arc, time::Duration};

use stead_data::BoxFuture;

use super::{error::RpcError, limits::PayloadLimits, metadata::Metadata, retry::RetryKind};

/// How one call is made: its deadline, its retries, its headers.
///
/// ```
/// use std::time::Duration;
/// use stead_client::{CallOptions, RetryKind};
///
/// let options = CallOptions::new().timeout(Duration::from_secs(2)).retry(RetryKind::None);
/// # let _ = options;
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CallOptions {
    /// Which retry rules apply. Default: [`RetryKind::Normal`].
    pub retry: RetryKind,
    /// The time for the whole call, retries included; with [`RetryKind::LongPoll`] and [`RetryKind::Wait`],
    /// for each attempt. Default: 10 s.
    pub timeout: Duration,
    /// Headers of this call; they win over the connection's.
    pub metadata: Metadata,
    /// Limits on the payloads of this call. Default: those of the connection.
    pub payload_limits: Option<PayloadLimits>,
    /// Who looks on while the call is tried again. Default: nobody.
    #[doc(hidden)]
    pub watch: Option<Arc<dyn RetryWatch>>,
}

/// Looks on while a call is tried again, and may end that.
#[doc(hidden)]
pub trait RetryWatch: fmt::Debug + Send + Sync {
    /// An attempt failed, and there is to be another one.
    fn failed(&self, error: &RpcError);

    /// Is done when there should be no other one. The attempt that is under way goes on.
    fn over(&self) -> BoxFuture<'_, ()>;
}

impl CallOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self {
            retry: RetryKind::Normal,
            timeout: Duration::from_secs(10),
            metadata: Metadata::new(),
            payload_limits: None,
            watch: None,
        }
    }

    /// A worker's poll: 70 s for each attempt (a server ends a poll without a task after a minute), tried again for
    /// ever.
    pub fn long_poll() -> Self {
        Self { retry: RetryKind::LongPoll, ..Self::wait() }
    }

    /// A call that waits for something to happen on the server, a workflow's result say: 70 s, and retries that do not
    /// count how long it has waited.
    pub fn wait() -> Self {
        Self { retry: RetryKind::Wait, timeout: Duration::from_secs(70), ..Self::new() }
    }

    /// Sets the deadline.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the retry rules.
    pub fn retry(mut self, retry: RetryKind) -> Self {
        self.retry = retry;
        self
    }

    /// Sets the limits on payloads.
    pub fn payload_limits(mut self, limits: PayloadLimits) -> Self {
        self.payload_limits = Some(limits);
        self
    }

    /// Sets who looks on while the call is tried again.
    #[doc(hidden)]
    pub fn watch(mut self, watch: Arc<dyn RetryWatch>) -> Self {
        self.watch = Some(watch);
        self
    }

    /// Sets the headers.
    pub fn metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = metadata;
        self
    }
}

impl Default for CallOptions {
    fn default() -> Self {
        Self::new()
    }
}
