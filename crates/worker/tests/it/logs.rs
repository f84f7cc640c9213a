//! What a worker logs of failed activities.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use stead_activity::Error;
use stead_data::Failure;
use stead_proto::workflowservice::v1::{RespondActivityTaskCompletedRequest, RespondActivityTaskFailedRequest};
use stead_worker::Worker;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::activities::{asynchronous, task};
use crate::server::Server;

/// The levels at which failed activities were logged, in order, under the identifier that filters of logs look for.
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
        let mut fields = Fields::default();
        event.record(&mut fields);
        assert_eq!(fields.0["temporal_error_identifier"], "\"ActivityFailure\"");
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

/// What an activity logs, with the fields of the span that it stands in.
#[derive(Clone, Default)]
struct InSpans(Arc<Mutex<Spans>>);

#[derive(Default)]
struct Spans {
    made: Vec<Fields>,
    entered: Vec<usize>,
    events: Vec<Fields>,
}

#[derive(Clone, Default)]
struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl Subscriber for InSpans {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "stead::activity" || metadata.target() == "shop"
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields::default();
        span.record(&mut fields);
        let mut spans = self.0.lock().unwrap();
        spans.made.push(fields);
        Id::from_u64(spans.made.len() as u64)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut spans = self.0.lock().unwrap();
        let current = spans.entered.last().map(|number| spans.made[*number].clone()).unwrap_or_default();
        if event.metadata().target() == "shop" {
            spans.events.push(current);
        }
    }

    fn enter(&self, id: &Id) {
        self.0.lock().unwrap().entered.push(usize::try_from(id.into_u64() - 1).expect("few spans"));
    }

    fn exit(&self, _: &Id) {
        self.0.lock().unwrap().entered.pop();
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_activity_logs_stands_in_a_span_that_names_its_attempt() {
    let server = Server::default();
    let logs = asynchronous("logs", |input| {
        Box::pin(async move {
            tokio::task::yield_now().await;
            tracing::info!(target: "shop", "sold");
            input.encode(&0)
        })
    });
    let client = server.client().await;
    let worker = Worker::builder(&client, "orders").activities(logs).build().expect("valid options");
    let logged = InSpans::default();
    let _guard = tracing::subscriber::set_default(logged.clone());
    server.activity_task(task("logs", []));
    let done = async { server.call::<RespondActivityTaskCompletedRequest>("RespondActivityTaskCompleted").await };
    worker.run_until(done).await.expect("the worker was told to stop");
    let spans = logged.0.lock().unwrap();
    let [event] = spans.events.as_slice() else { panic!("one event") };
    let expected = [
        ("activity_id", "\"7\""),
        ("activity_type", "\"logs\""),
        ("attempt", "2"),
        ("namespace", "\"shop\""),
        ("run_id", "\"run-1\""),
        ("task_queue", "\"orders\""),
        ("workflow_id", "\"order-1\""),
        ("workflow_type", "\"Order\""),
    ];
    assert_eq!(event.0.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>(), expected);
}
