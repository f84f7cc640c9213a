//! Retries, deadlines, limits and headers of single calls.

use std::time::Duration;

use stead_client::{CallOptions, Code, Metadata, RetryKind, RetryOptions, RpcError};
use stead_proto::{
    errordetails::v1::NamespaceNotFoundFailure,
    workflowservice::v1::{
        DescribeNamespaceRequest, DescribeNamespaceResponse, PollWorkflowTaskQueueRequest,
        PollWorkflowTaskQueueResponse,
    },
};
use tokio::time::Instant;

use crate::fake::Fake;

async fn describe(fake: &Fake, options: CallOptions) -> Result<DescribeNamespaceResponse, RpcError> {
    let request = DescribeNamespaceRequest { namespace: "shop".to_owned(), ..Default::default() };
    fake.client().await.connection().workflow_service().describe_namespace(request, options).await
}

#[tokio::test(start_paused = true)]
async fn s58_transient_failures_are_tried_again_with_growing_delays() {
    let fake = Fake::new();
    fake.fails(Code::Unavailable, "restarting").breaks().fails(Code::Internal, "oops");
    fake.answers(DescribeNamespaceResponse { is_global_namespace: true, ..Default::default() });

    assert!(describe(&fake, CallOptions::new()).await.unwrap().is_global_namespace);

    let calls = fake.calls();
    let waits: Vec<_> = calls.windows(2).map(|pair| (pair[1].at - pair[0].at).as_secs_f64()).collect();
    for (wait, expected) in waits.iter().zip([0.1, 0.17, 0.289]) {
        assert!((wait / expected - 1.0).abs() < 0.25, "{waits:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_is_given_up_after_ten_attempts() {
    let fake = Fake::new();
    let retry = RetryOptions::default().initial_interval(Duration::from_millis(1)).multiplier(1.0);
    for _ in 0..10 {
        fake.fails(Code::Unavailable, "down");
    }
    let client = fake.connect().retry(retry).await.unwrap();

    let request = DescribeNamespaceRequest::default();
    let error = client.connection().workflow_service().describe_namespace(request, CallOptions::new()).await;

    assert_eq!(error.unwrap_err().message(), "down");
    assert_eq!(fake.calls().len(), 10);
}

#[tokio::test(start_paused = true)]
async fn final_failures_are_not_tried_again() {
    let fake = Fake::new();
    fake.fails(Code::InvalidArgument, "no such thing");
    let error = describe(&fake, CallOptions::new()).await.unwrap_err();
    assert_eq!(error.to_string(), "DescribeNamespace failed: no such thing (invalid argument)");
    fake.call();
}

#[tokio::test(start_paused = true)]
async fn every_call_has_a_deadline_which_the_server_hears_of() {
    let fake = Fake::new();
    fake.hangs();
    let started = Instant::now();
    let error = describe(&fake, CallOptions::new()).await.unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(error.to_string(), "DescribeNamespace failed: `in-process` did not answer within 10s");
    assert_eq!(started.elapsed().as_secs(), 10);
    assert_eq!(fake.call().timeout(), Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn the_deadline_includes_the_retries() {
    let fake = Fake::new();
    fake.fails(Code::Unavailable, "down").hangs();
    let started = Instant::now();
    let error = describe(&fake, CallOptions::new().timeout(Duration::from_secs(2))).await.unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(started.elapsed().as_secs(), 2);
    let timeouts: Vec<_> = fake.calls().iter().map(|call| call.timeout()).collect();
    assert!(timeouts[0] == Duration::from_secs(2) && timeouts[1] < Duration::from_secs(2), "{timeouts:?}");
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_cannot_be_in_time_is_not_waited_for() {
    let fake = Fake::new();
    fake.fails(Code::ResourceExhausted, "busy");
    let started = Instant::now();
    let error = describe(&fake, CallOptions::new().timeout(Duration::from_millis(500))).await.unwrap_err();
    assert_eq!(error.code(), Code::ResourceExhausted);
    assert_eq!(started.elapsed(), Duration::ZERO);
    fake.call();
}

#[tokio::test(start_paused = true)]
async fn a_wait_outlasts_servers_that_come_and_go() {
    let fake = Fake::new();
    for _ in 0..6 {
        fake.fails_after(Duration::from_secs(16));
    }
    fake.answers(DescribeNamespaceResponse::default());
    describe(&fake, CallOptions::wait()).await.unwrap();
    assert_eq!(fake.calls().len(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_a_server_that_is_not_there_is_given_up() {
    let fake = Fake::new();
    // As long as it takes to connect, or not to.
    fake.fails_after(Duration::from_secs(10)).fails_after(Duration::from_secs(10));
    let error = describe(&fake, CallOptions::wait()).await.unwrap_err();
    assert_eq!(error.message(), "gone");
    assert_eq!(fake.calls().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_absurd_deadline_does_no_harm() {
    let fake = Fake::new();
    fake.answers(DescribeNamespaceResponse::default());
    describe(&fake, CallOptions::new().timeout(Duration::MAX)).await.unwrap();
    fake.call();
}

#[tokio::test(start_paused = true)]
async fn one_attempt_can_be_asked_for() {
    let fake = Fake::new();
    fake.fails(Code::Unavailable, "down");
    describe(&fake, CallOptions::new().retry(RetryKind::None)).await.unwrap_err();
    fake.call();
}

#[tokio::test(start_paused = true)]
async fn polls_outlive_timeouts_and_failures_that_would_end_other_calls() {
    let fake = Fake::new();
    fake.hangs().fails(Code::Unavailable, "down").fails(Code::Cancelled, "shutting down").hangs();
    fake.answers(PollWorkflowTaskQueueResponse { attempt: 7, ..Default::default() });
    let service = fake.client().await.connection().workflow_service();
    let started = Instant::now();
    let request = PollWorkflowTaskQueueRequest::default();
    let task = service.poll_workflow_task_queue(request, CallOptions::long_poll()).await.unwrap();
    assert_eq!(task.attempt, 7);
    assert!(started.elapsed() > Duration::from_secs(140));
    assert!(fake.calls().iter().all(|call| call.timeout() == Duration::from_secs(70)));
}

#[tokio::test(start_paused = true)]
async fn s58_polls_tolerate_fatal_failures_for_a_minute_only() {
    let fake = Fake::new();
    for _ in 0..12 {
        fake.fails(Code::PermissionDenied, "key is being rotated");
    }
    let service = fake.client().await.connection().workflow_service();
    let started = Instant::now();
    let poll = service.poll_workflow_task_queue(PollWorkflowTaskQueueRequest::default(), CallOptions::long_poll());
    let error = tokio::time::timeout(Duration::from_secs(90), poll).await.unwrap().unwrap_err();
    assert!(error.is_permission_denied() || error.code() == Code::Unimplemented);
    assert!(started.elapsed() > Duration::from_secs(60));
}

#[tokio::test(start_paused = true)]
async fn a_response_over_the_limit_is_a_clear_error_and_not_asked_for_again() {
    let fake = Fake::new();
    fake.answers_bytes(&[0; 200]);
    let client = fake.connect().max_response_size(100).await.unwrap();
    let service = client.connection().workflow_service();
    let error = service.describe_namespace(DescribeNamespaceRequest::default(), CallOptions::new()).await.unwrap_err();
    assert!(error.is_response_too_large());
    assert!(error.to_string().contains("over the limit of 100 bytes; raise it with `max_response_size`"), "{error}");
    fake.call();
}

#[tokio::test(start_paused = true)]
async fn a_request_over_the_servers_limit_is_not_sent_again() {
    let fake = Fake::new();
    fake.fails(Code::ResourceExhausted, "grpc: received message larger than max (9 vs. 4)");
    let error = describe(&fake, CallOptions::new()).await.unwrap_err();
    assert!(error.is_request_too_large());
    fake.call();
}

#[tokio::test(start_paused = true)]
async fn a_response_that_is_no_message_is_an_error_and_no_panic() {
    let fake = Fake::new();
    fake.answers_bytes(&[0xff; 9]);
    let error = describe(&fake, CallOptions::new()).await.unwrap_err();
    assert!(error.to_string().contains("cannot be read"), "{error}");
    fake.call();
}

#[tokio::test(start_paused = true)]
async fn a_wrong_namespace_is_named() {
    let fake = Fake::new();
    let detail = NamespaceNotFoundFailure { namespace: "shop".to_owned() };
    fake.fails_with(Code::NotFound, "Namespace shop is not found.", &detail);
    let error = describe(&fake, CallOptions::new()).await.unwrap_err();
    assert!(error.is_namespace_not_found());
    assert!(error.to_string().contains("the server at `in-process` has no namespace `shop`"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_broken_connection_is_an_unreachable_server() {
    let fake = Fake::new();
    fake.breaks();
    let error = describe(&fake, CallOptions::new().retry(RetryKind::None)).await.unwrap_err();
    assert!(error.is_unreachable(), "{error:?}");
    let source = std::error::Error::source(&error).unwrap();
    assert!(source.to_string().contains("reset"), "{source}");
}

#[tokio::test(start_paused = true)]
async fn calls_carry_the_clients_headers_and_their_own() {
    let fake = Fake::new();
    fake.answers(DescribeNamespaceResponse::default());
    let client = fake.connect().metadata("x-tenant", "blue").metadata("x-region", "eu").await.unwrap();
    let mut own = Metadata::new();
    own.insert("x-tenant", "green").unwrap();
    let request = DescribeNamespaceRequest { namespace: "shop".to_owned(), ..Default::default() };
    let service = client.connection().workflow_service();
    service.describe_namespace(request, CallOptions::new().metadata(own)).await.unwrap();

    let call = fake.call();
    assert_eq!(call.header("client-name"), Some("stead"));
    assert_eq!(call.header("client-version"), Some(env!("CARGO_PKG_VERSION")));
    assert_eq!(call.header("temporal-namespace"), Some("shop"));
    assert_eq!(call.header("x-tenant"), Some("green"));
    assert_eq!(call.header("x-region"), Some("eu"));
    assert_eq!(call.headers.get_all("x-tenant").iter().count(), 1);
}
