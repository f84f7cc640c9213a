//! What is logged while a call is tried again.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stead_client::{CallOptions, Code, PayloadLimits, RetryOptions, RpcError, StartError};
use stead_proto::workflowservice::v1::{
    DescribeNamespaceRequest, DescribeNamespaceResponse, StartWorkflowExecutionResponse,
};
use tracing::field::{Field, Visit};
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
async fn retries_are_warned_of_once_from_half_of_their_maximum_and_their_end_is_said() {
    let levels = levels_of(9, RetryOptions::default()).await;
    assert_eq!(levels[..4], [Level::DEBUG; 4]);
    assert_eq!(levels[4..], [Level::WARN, Level::DEBUG, Level::DEBUG, Level::DEBUG, Level::DEBUG, Level::INFO]);
}

#[tokio::test(start_paused = true)]
async fn retries_without_a_maximum_are_warned_of_after_five_and_are_an_error_after_fifteen() {
    let levels = levels_of(17, RetryOptions::default().max_attempts(0)).await;
    assert_eq!(levels[..5], [Level::DEBUG; 5]);
    assert_eq!(levels[5], Level::WARN);
    assert_eq!(levels[6..15], [Level::DEBUG; 9]);
    assert_eq!(levels[15..], [Level::ERROR, Level::DEBUG, Level::INFO]);
}

/// What is logged when a workflow is started with an argument and a memo of so many bytes.
async fn levels_of_start(limits: PayloadLimits, argument: usize, memo: usize) -> (Vec<Level>, Option<RpcError>) {
    let fake = Fake::new();
    let refused = limits.refuse_payloads.is_some_and(|most| argument >= most)
        || limits.refuse_memo.is_some_and(|most| memo >= most);
    if !refused {
        fake.answers(StartWorkflowExecutionResponse::default());
    }
    let client = fake.connect().payload_limits(limits).await.unwrap();
    let levels = Levels::default();
    let _guard = tracing::subscriber::set_default(levels.clone());
    let start = client.start_workflow_named("Order", ("x".repeat(argument),)).id("o").task_queue("q");
    let error = match start.memo("m", "x".repeat(memo)).await {
        Err(StartError::Rpc(error)) => Some(error),
        started => started.map(|_| None).unwrap(),
    };
    assert_eq!(error.is_some(), refused);
    assert_eq!(fake.calls().len(), usize::from(!refused), "what is refused is not sent");
    let levels = levels.0.lock().unwrap();
    (levels.clone(), error)
}

#[tokio::test]
async fn large_payloads_and_memos_are_warned_of_and_sent() {
    let limits = PayloadLimits::default();
    assert_eq!(levels_of_start(limits, 500_000, 2_000).await.0, [Level::WARN; 0]);
    assert_eq!(levels_of_start(limits, 600_000, 2_000).await.0, [Level::WARN]);
    assert_eq!(levels_of_start(limits, 600_000, 3_000).await.0, [Level::WARN; 2]);
    let silent = limits.warn_payloads(None).warn_memo(None);
    assert_eq!(levels_of_start(silent, 600_000, 3_000).await.0, [Level::WARN; 0]);
}

#[tokio::test]
async fn what_is_over_a_limit_that_refuses_is_not_sent_and_named() {
    let limits = PayloadLimits::NONE.refuse_payloads(1000).refuse_memo(100);
    assert!(levels_of_start(limits, 900, 50).await.1.is_none());
    let error = levels_of_start(limits, 1000, 50).await.1.unwrap();
    let too_large = error.payload_too_large().unwrap();
    assert_eq!((&*too_large.field, too_large.limit), ("input", 1000));
    assert!(too_large.size > 1000);
    assert!(error.to_string().starts_with("StartWorkflowExecution was not sent: [TMPRL1103]"), "{error}");
    let error = levels_of_start(limits, 900, 100).await.1.unwrap();
    assert_eq!(error.payload_too_large().unwrap().field, "memo");
}

/// What is said of calls at level trace.
#[derive(Clone, Default)]
struct Calls(Arc<Mutex<Vec<String>>>);

impl Subscriber for Calls {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "stead::client::calls" && *metadata.level() == Level::TRACE
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        struct Line(String);
        impl Visit for Line {
            fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
                self.0 += &format!("{}={value:?} ", field.name());
            }
        }
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn requests_and_responses_are_in_the_log_without_payloads_and_keys() {
    let fake = Fake::new();
    fake.answers(StartWorkflowExecutionResponse { run_id: "run-1".to_owned(), ..Default::default() });
    let client = fake.connect().api_key("sentinel").await.unwrap();
    let calls = Calls::default();
    let _guard = tracing::subscriber::set_default(calls.clone());
    let start = client.start_workflow_named("Order", ("sentinel",)).id("order-1").task_queue("q");
    start.memo("m", "sentinel").await.unwrap();
    fake.fails(Code::NotFound, "gone");
    client.workflow_named("order-1").describe().await.unwrap_err();
    let calls = calls.0.lock().unwrap();
    let [request, response, _, failure] = calls.as_slice() else { panic!("two calls: {calls:#?}") };
    for shown in ["StartWorkflowExecution", "workflow_id: \"order-1\"", "name: \"Order\"", "data: b[10]"] {
        assert!(request.contains(shown), "{request}");
    }
    assert!(response.contains("run_id: \"run-1\""), "{response}");
    assert!(failure.contains("DescribeWorkflowExecution") && failure.contains("gone"), "{failure}");
    assert!(!calls.concat().contains("sentinel"), "{calls:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_minute_without_a_server_is_warned_of_once_however_many_polls_wait() {
    const POLLS: usize = 10;
    let fake = Fake::new();
    let client = fake.client().await;
    for _ in 0..11 * POLLS {
        fake.fails(Code::Unavailable, "down");
    }
    for _ in 0..POLLS {
        fake.answers(DescribeNamespaceResponse::default());
    }
    let levels = Levels::default();
    let _guard = tracing::subscriber::set_default(levels.clone());
    let began = tokio::time::Instant::now();
    let service = client.connection().workflow_service();
    let poll = || service.describe_namespace(DescribeNamespaceRequest::default(), CallOptions::long_poll());
    for answer in futures_util::future::join_all((0..POLLS).map(|_| poll())).await {
        answer.unwrap();
    }
    assert!(began.elapsed() > Duration::from_secs(45), "{:?}", began.elapsed());
    let levels = levels.0.lock().unwrap();
    let told: Vec<_> = levels.iter().filter(|level| **level < Level::DEBUG).collect();
    assert_eq!(told, [&Level::WARN, &Level::INFO]);
    assert_eq!(levels.len(), 11 * POLLS + 1);
}
