//! What a worker logs of failed activities.

use std::sync::{Arc, Mutex};

use stead_activity::Error;
use stead_data::Failure;
use stead_proto::workflowservice::v1::RespondActivityTaskFailedRequest;
use stead_worker::Worker;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::activities::{asynchronous, task};
use crate::server::Server;

/// The levels at which failed activities were logged, in order.
#[derive(Clone, Default)]
struct FailedActivities(Arc<Mutex<Vec<Level>>>);

impl Subscriber for FailedActivities {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let has = |name: &str| metadata.fields().field(name).is_some();
        metadata.target() == "stead::worker" && has("activity_type") && has("failure")
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
    ONCE.call_once(|| {
        tracing::subscriber::set_global_default(FailedActivities::default()).expect("the only global subscriber")
    });
}

#[tokio::test(start_paused = true)]
async fn a_benign_failure_is_no_news_and_any_other_is_a_warning() {
    let server = Server::default();
    let fails = asynchronous("fails", |input| {
        Box::pin(async move {
            let failure = Failure::application("as you wish");
            Err(Error::failure(if input.decode::<u32>(1)? == 0 { failure.benign() } else { failure }))
        })
    });
    let client = server.client().await;
    let worker = Worker::builder(&client, "orders").activities(fails).build().expect("valid options");
    let logged = FailedActivities::default();
    let _guard = tracing::subscriber::set_default(logged.clone());
    let both_fail = async {
        for number in [0, 1] {
            server.activity_task(task("fails", [number]));
            let _: RespondActivityTaskFailedRequest = server.call("RespondActivityTaskFailed").await;
        }
    };
    worker.run_until(both_fail).await.expect("the worker was told to stop");
    assert_eq!(*logged.0.lock().unwrap(), [Level::DEBUG, Level::WARN]);
}
