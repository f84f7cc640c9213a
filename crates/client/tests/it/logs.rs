//! What is logged while a call is tried again.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use stead_client::{CallOptions, Code, RetryOptions};
use stead_proto::workflowservice::v1::{DescribeNamespaceRequest, DescribeNamespaceResponse};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::fake::Fake;

/// The levels of the client's events, in order.
#[derive(Clone, Default)]
struct Levels(Arc<Mutex<Vec<Level>>>);

impl Subscriber for Levels {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "stead::client"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.0.lock().unwrap().push(*event.metadata().level());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Keeps every log statement switched on. Without a subscriber that stays, the first thread to reach a statement may
/// switch it off for the whole process while another thread has just begun to listen.
pub(crate) fn keep_logs_on() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Levels::default()).expect("the only global subscriber"));
}

/// What is logged when a call fails so often before it succeeds.
async fn levels_of(failures: usize, retry: RetryOptions) -> Vec<Level> {
    let fake = Fake::new();
    for _ in 0..failures {
        fake.fails(Code::Unavailable, "down");
    }
    fake.answers(DescribeNamespaceResponse::default());
    let quick = retry.initial_interval(Duration::from_millis(1)).multiplier(1.0);
    let client = fake.connect().retry(quick).await.unwrap();
    let levels = Levels::default();
    let _guard = tracing::subscriber::set_default(levels.clone());
    let service = client.connection().workflow_service();
    service.describe_namespace(DescribeNamespaceRequest::default(), CallOptions::new()).await.unwrap();
    let levels = levels.0.lock().unwrap();
    levels.clone()
}

#[tokio::test(start_paused = true)]
async fn retries_are_warned_of_from_half_of_their_maximum() {
    let levels = levels_of(9, RetryOptions::default()).await;
    assert_eq!(levels[..4], [Level::DEBUG; 4]);
    assert_eq!(levels[4..], [Level::WARN; 5]);
}

#[tokio::test(start_paused = true)]
async fn retries_without_a_maximum_are_warned_of_after_five_and_are_errors_after_fifteen() {
    let levels = levels_of(17, RetryOptions::default().max_attempts(0)).await;
    assert_eq!(levels[..5], [Level::DEBUG; 5]);
    assert_eq!(levels[5..15], [Level::WARN; 10]);
    assert_eq!(levels[15..], [Level::ERROR; 2]);
}
