//! Metrics for a collector of OpenTelemetry: a sink that adds numbers up, and sends them by OTLP over gRPC or HTTP.
//!
//! The names, labels, units and buckets are those of Temporal's other SDKs, so that dashboards for these work unchanged.
//!
//! ```no_run
//! use std::sync::Arc;
//! use stead_client::Client;
//! use stead_worker::opentelemetry::OpenTelemetry;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let metrics = Arc::new(OpenTelemetry::new());
//! let export = metrics.export(Client::connect("http://localhost:4317")).await?;
//! let client = Client::connect("localhost:7233").metrics(metrics).await?;
//! // … and at the end:
//! export.shutdown().await;
//! # let _ = client;
//! # Ok(())
//! # }
//! ```

mod collector;
mod message;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use stead_client::{Connect, ConnectError, Remote};
use stead_data::metrics::{Metric, MetricSink, MetricValue};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::aggregate::{self, Form, Registry};
use collector::Collector;
use message::Moment;

/// Adds up what clients, workers, workflows and activities count and measure, and sends it to a collector.
///
/// Give it to [`Connect::metrics`](stead_client::Connect::metrics), which serves the client and its workers, or to
/// [`WorkerBuilder::metrics`](crate::WorkerBuilder::metrics).
pub struct OpenTelemetry {
    options: Options,
    registry: Registry,
    /// Since when numbers add up.
    since: Mutex<SystemTime>,
}

struct Options {
    common: aggregate::Options,
    every: Duration,
    is_delta: bool,
}

impl Form for Options {
    fn options(&self) -> &aggregate::Options {
        &self.common
    }

    fn name(&self, metric: &Metric<'_>, _is_duration: bool) -> String {
        self.common.name(metric)
    }

    #[cfg(feature = "prometheus")]
    fn labels(&self, _attributes: &[(&str, &str)]) -> String {
        String::new()
    }
}

aggregate::setters!(
    OpenTelemetry,
    "Leaves the label `service_name=\"temporal-core-sdk\"` out, and `service.name` of the resource."
);

impl OpenTelemetry {
    /// With the defaults of Temporal's other SDKs.
    #[must_use]
    pub fn new() -> Self {
        let options = Options { common: aggregate::Options::new(), every: Duration::from_secs(1), is_delta: false };
        Self { options, registry: Registry::default(), since: Mutex::new(SystemTime::now()) }
    }

    /// How often the numbers are sent, at least every millisecond. Default: every second.
    #[must_use]
    pub fn every(mut self, period: Duration) -> Self {
        self.options.every = period.max(Duration::from_millis(1));
        self
    }

    /// Sends what has come since the last time, instead of sums since the start. What could not be sent is lost then.
    #[must_use]
    pub fn delta(mut self) -> Self {
        self.options.is_delta = true;
        self
    }

    /// Begins to send to a collector by gRPC, whose address `to` has, with TLS, a proxy or headers if it needs them. It need not
    /// run yet: while it cannot be reached, that is logged once.
    ///
    /// # Errors
    ///
    /// What is wrong with the options of `to`.
    ///
    /// # Panics
    ///
    /// Outside of a runtime of tokio.
    pub async fn export(self: &Arc<Self>, to: Connect<Remote>) -> Result<Export, ConnectError> {
        Ok(self.export_to(Collector::grpc(to.lazy().await?.connection().clone())))
    }

    /// As [`export`](Self::export), by HTTP/1.1: the messages are posted to the path that the address has, or else to
    /// `/v1/metrics`. A post may take 10 s.
    ///
    /// ```no_run
    /// # use std::sync::Arc;
    /// # use stead_client::Client;
    /// # use stead_worker::opentelemetry::OpenTelemetry;
    /// # fn example() -> Result<(), stead_client::ConnectError> {
    /// let metrics = Arc::new(OpenTelemetry::new());
    /// let to = Client::connect("https://collector.example:4318").metadata("x-tenant", "north");
    /// let export = metrics.export_http(to)?;
    /// # drop(export);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// What is wrong with the options of `to`.
    ///
    /// # Panics
    ///
    /// Outside of a runtime of tokio.
    pub fn export_http(self: &Arc<Self>, to: Connect<Remote>) -> Result<Export, ConnectError> {
        Ok(self.export_to(Collector::http(to.into_http1()?)))
    }

    fn export_to(self: &Arc<Self>, collector: Collector) -> Export {
        let (stop, stopped) = oneshot::channel();
        let sending = tokio::spawn(Arc::clone(self).send_until(stopped, collector));
        Export { stop: Some(stop), sending }
    }

    async fn send_until(self: Arc<Self>, mut stopped: oneshot::Receiver<()>, mut collector: Collector) {
        let mut ticks = interval(self.options.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let goes_on = tokio::select! {
                _at = ticks.tick() => true,
                told = &mut stopped => match told {
                    Ok(()) => false,
                    // Nobody waits for the last numbers.
                    Err(_) => return,
                },
            };
            let request = message::request(&self.registry, &self.options.common, &self.moment());
            collector.take(request).await;
            if !goes_on {
                return;
            }
        }
    }

    fn moment(&self) -> Moment {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        let (start, now) = (*since, SystemTime::now());
        if self.options.is_delta {
            *since = now;
        }
        Moment { start, now, is_delta: self.options.is_delta }
    }
}

impl Default for OpenTelemetry {
    fn default() -> Self {
        Self::new()
    }
}

impl MetricSink for OpenTelemetry {
    fn record(&self, metric: &Metric<'_>, value: MetricValue, attributes: &[(&str, &str)]) {
        self.registry.record(&self.options, metric, value, attributes);
    }
}

impl fmt::Debug for OpenTelemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenTelemetry").field("every", &self.options.every).finish_non_exhaustive()
    }
}

/// Sends metrics until it is dropped.
#[derive(Debug)]
#[must_use = "metrics are sent until this is dropped"]
pub struct Export {
    stop: Option<oneshot::Sender<()>>,
    sending: JoinHandle<()>,
}

impl Export {
    /// Sends the last numbers, and stops.
    ///
    /// # Cancel safety
    ///
    /// It stops even if the future is dropped.
    pub async fn shutdown(mut self) {
        let told = self.stop.take().is_some_and(|stop| stop.send(()).is_ok());
        if told {
            // A panic has been told already.
            let _ = (&mut self.sending).await;
        }
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        self.sending.abort();
    }
}
