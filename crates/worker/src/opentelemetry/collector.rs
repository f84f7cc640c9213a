//! Where metrics are sent to, and what is said when they do not arrive.

use prost::Message;
use stead_client::{CallOptions, Connection, Http1};

use super::message::{ExportRequest, ExportResponse};

pub(super) struct Collector {
    way: Way,
    /// The last message did not arrive.
    is_lost: bool,
}

enum Way {
    Grpc(Connection),
    Http(Box<Http1>),
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl Collector {
    pub(super) fn grpc(connection: Connection) -> Self {
        Self { way: Way::Grpc(connection), is_lost: false }
    }

    pub(super) fn http(connection: Http1) -> Self {
        Self { way: Way::Http(Box::new(connection)), is_lost: false }
    }

    /// Sends a message. What goes wrong is logged, once until it goes well again.
    pub(super) async fn take(&mut self, request: ExportRequest) {
        match self.way.send(request).await {
            Ok(answer) => {
                if std::mem::take(&mut self.is_lost) {
                    tracing::info!(target: "stead::worker", "metrics are sent again");
                }
                if let Some(rejected) = answer.partial_success.filter(|it| it.rejected_data_points > 0) {
                    let (points, why) = (rejected.rejected_data_points, rejected.error_message);
                    tracing::debug!(target: "stead::worker", points, why, "the collector does not take all metrics");
                }
            }
            // A connection for gRPC warns of outages itself.
            Err(error) if self.is_lost || matches!(self.way, Way::Grpc(_)) => {
                tracing::debug!(target: "stead::worker", %error, "metrics were not sent");
            }
            Err(error) => {
                self.is_lost = true;
                tracing::warn!(target: "stead::worker", %error, "metrics were not sent, trying again");
            }
        }
    }
}

impl Way {
    async fn send(&mut self, request: ExportRequest) -> Result<ExportResponse, BoxError> {
        match self {
            Self::Grpc(connection) => Ok(connection.call_other(METHOD, &request, &CallOptions::new()).await?),
            Self::Http(connection) => {
                let answer = connection.post(PATH, PROTOBUF, request.encode_to_vec().into()).await?;
                Ok(ExportResponse::decode(answer)?)
            }
        }
    }
}

const METHOD: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

/// OTLP's, where the address has none.
const PATH: &str = "/v1/metrics";
const PROTOBUF: &str = "application/x-protobuf";
