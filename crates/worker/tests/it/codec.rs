//! A codec at work and at fault, on both ways.

use std::sync::Arc;
use std::time::Duration;

use stead_data::{BoxFuture, CodecError, DataConverter, Failure, Payload, PayloadCodec, SerializationContext};
use stead_proto::command::v1::command::Attributes;
use stead_proto::common::v1::Payloads;
use stead_proto::enums::v1::VersioningBehavior;
use stead_proto::failure::v1::Failure as ProtoFailure;
use stead_proto::query::v1::WorkflowQuery;
use stead_proto::visit::VisitPayloads;
use stead_proto::workflowservice::v1::{
    GetWorkflowExecutionHistoryResponse, PollWorkflowTaskQueueResponse, RecordActivityTaskHeartbeatRequest,
    RecordActivityTaskHeartbeatResponse, RespondActivityTaskCompletedRequest, RespondActivityTaskFailedRequest,
    RespondQueryTaskCompletedRequest, RespondWorkflowTaskCompletedRequest, RespondWorkflowTaskFailedRequest,
};
use stead_worker::{Worker, WorkerDeployment};
use stead_workflow::Versioning;

use crate::activities::{asynchronous, task};
use crate::server::Server;
use crate::workflow_tasks::hello;
use crate::workflows::Hello;

const SEAL: &[u8] = b"sealed:";

/// Puts a seal on payloads, but for those it cannot stand, and insists on it.
struct Seal;

impl Seal {
    fn seal(payload: Payload) -> Result<Payload, CodecError> {
        let text = String::from_utf8_lossy(&payload.data);
        assert!(!text.contains("horror"), "the codec was shown {text}");
        if text.contains("secret") {
            return Err(CodecError::new("the key is lost"));
        }
        Ok(with_seal(payload))
    }

    fn open(mut payload: Payload) -> Result<Payload, CodecError> {
        if !payload.data.starts_with(SEAL) {
            return Err(CodecError::new("there is no seal"));
        }
        payload.data = payload.data.slice(SEAL.len()..);
        Ok(payload)
    }
}

impl PayloadCodec for Seal {
    fn encode<'a>(
        &'a self,
        payloads: Vec<Payload>,
        _context: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<Payload>, CodecError>> {
        Box::pin(async move { payloads.into_iter().map(Self::seal).collect() })
    }

    fn decode<'a>(
        &'a self,
        payloads: Vec<Payload>,
        _context: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<Payload>, CodecError>> {
        Box::pin(async move { payloads.into_iter().map(Self::open).collect() })
    }
}

fn with_seal(payload: Payload) -> Payload {
    Payload { data: [SEAL, &payload.data].concat().into(), ..payload }
}

/// What somebody else sent, who can seal anything.
fn sealed<M: VisitPayloads>(mut message: M) -> M {
    message.visit_payloads(&mut |payload: &mut Payload| *payload = with_seal(payload.clone()));
    message
}

/// Runs a worker whose client has the codec, until `check` is done.
async fn with_worker(server: &Server, check: impl Future<Output = ()>) {
    let client = server.client().await.with_data_converter(DataConverter::new().with_codec(Arc::new(Seal)));
    let echo = asynchronous("echo", |input| {
        Box::pin(async move {
            match input.decode::<u32>(1)? {
                0 => input.encode(&"secret"),
                1 => input.encode(&"horror"),
                2 => {
                    stead_activity::heartbeat("half of it");
                    stead_activity::cancelled().await;
                    stead_activity::heartbeat("most of it");
                    Err("interrupted".into())
                }
                number => input.encode(&number),
            }
        })
    });
    let worker =
        Worker::builder(&client, "orders").workflow::<Hello>().activities(echo).build().expect("valid options");
    let check = async { tokio::time::timeout(Duration::from_secs(30), check).await.expect("the worker answers") };
    worker.run_until(check).await.expect("the worker was told to stop");
}

async fn workflow_completed(server: &Server) -> Payload {
    let request: RespondWorkflowTaskCompletedRequest = server.call("RespondWorkflowTaskCompleted").await;
    match request.commands.into_iter().next_back().and_then(|command| command.attributes) {
        Some(Attributes::CompleteWorkflowExecutionCommandAttributes(completed)) => first(completed.result),
        other => panic!("the workflow did not complete: {other:?}"),
    }
}

async fn workflow_task_failed(server: &Server) -> String {
    let request: RespondWorkflowTaskFailedRequest = server.call("RespondWorkflowTaskFailed").await;
    message(request.failure)
}

async fn activity_failed(server: &Server) -> String {
    let request: RespondActivityTaskFailedRequest = server.call("RespondActivityTaskFailed").await;
    message(request.failure)
}

/// Of a failure that may be retried.
fn message(failure: Option<ProtoFailure>) -> String {
    let failure = Failure::from_proto(failure.expect("a failure"));
    let application = failure.find_application().expect("an application failure").1;
    assert_eq!((application.type_name.as_str(), application.non_retryable), ("PayloadCodecError", false));
    failure.message
}

fn first(payloads: Option<Payloads>) -> Payload {
    payloads.expect("a result").payloads.remove(0)
}

#[tokio::test]
async fn workflow_tasks_are_decoded_and_their_completions_encoded() {
    let server = Server::default();
    server.workflow_task(sealed(hello("r", "world")));
    with_worker(&server, async {
        assert_eq!(workflow_completed(&server).await.data, r#"sealed:"hello, world""#);
    })
    .await;
}

#[tokio::test]
async fn pages_of_history_are_decoded() {
    let server = Server::default();
    let mut task = sealed(hello("r", "world"));
    let page = GetWorkflowExecutionHistoryResponse { history: task.history.clone(), ..Default::default() };
    task.history.iter_mut().for_each(|history| drop(history.events.drain(..1)));
    server.answers("GetWorkflowExecutionHistory", page).workflow_task(task);
    with_worker(&server, async {
        assert_eq!(workflow_completed(&server).await.data, r#"sealed:"hello, world""#);
    })
    .await;
}

#[tokio::test]
async fn a_page_that_cannot_be_decoded_fails_the_task() {
    let server = Server::default();
    let mut task = hello("r", "world");
    let page = GetWorkflowExecutionHistoryResponse { history: task.history.clone(), ..Default::default() };
    task.history.iter_mut().for_each(|history| drop(history.events.drain(..1)));
    server.answers("GetWorkflowExecutionHistory", page).workflow_task(task);
    with_worker(&server, async {
        let request: RespondWorkflowTaskFailedRequest = server.call("RespondWorkflowTaskFailed").await;
        let message = request.failure.expect("a failure").message;
        assert!(message.contains("payload codec failed: there is no seal"), "{message}");
    })
    .await;
}

#[tokio::test]
async fn a_workflow_task_that_cannot_be_decoded_fails_and_the_next_one_runs() {
    let server = Server::default();
    with_worker(&server, async {
        server.workflow_task(hello("r", "world"));
        assert_eq!(workflow_task_failed(&server).await, "payload codec failed: there is no seal");
        server.workflow_task(sealed(hello("r", "world")));
        assert_eq!(workflow_completed(&server).await.data, r#"sealed:"hello, world""#);
    })
    .await;
}

#[tokio::test]
async fn a_completion_that_cannot_be_encoded_fails_its_task_and_shows_nothing() {
    let server = Server::default();
    with_worker(&server, async {
        server.workflow_task(sealed(hello("r", "secret")));
        assert_eq!(workflow_task_failed(&server).await, "payload codec failed: the key is lost");
        server.workflow_task(sealed(hello("r", "horror")));
        assert_eq!(workflow_task_failed(&server).await, "payload codec failed: it panicked");
        server.workflow_task(sealed(hello("r", "world")));
        assert_eq!(workflow_completed(&server).await.data, r#"sealed:"hello, world""#);
    })
    .await;
}

#[tokio::test]
async fn a_query_that_cannot_be_decoded_is_answered_with_the_failure() {
    let server = Server::default();
    let query = WorkflowQuery { query_type: "who".to_owned(), ..Default::default() };
    server.workflow_task(PollWorkflowTaskQueueResponse { query: Some(query), ..hello("r", "world") });
    with_worker(&server, async {
        let request: RespondQueryTaskCompletedRequest = server.call("RespondQueryTaskCompleted").await;
        assert_eq!(request.error_message, "payload codec failed: there is no seal");
        assert_eq!(server.count("RespondWorkflowTaskFailed"), 0);
    })
    .await;
}

#[tokio::test]
async fn activities_are_decoded_and_encoded_and_fail_where_that_fails() {
    let server = Server::default();
    with_worker(&server, async {
        server.activity_task(sealed(task("echo", [7])));
        let request: RespondActivityTaskCompletedRequest = server.call("RespondActivityTaskCompleted").await;
        assert_eq!(first(request.result).data, "sealed:7");

        server.activity_task(task("echo", [7]));
        assert_eq!(activity_failed(&server).await, "payload codec failed: there is no seal");
        server.activity_task(sealed(task("echo", [0])));
        assert_eq!(activity_failed(&server).await, "payload codec failed: the key is lost");
        server.activity_task(sealed(task("echo", [1])));
        assert_eq!(activity_failed(&server).await, "payload codec failed: it panicked");
    })
    .await;
}

#[tokio::test]
async fn heartbeats_are_encoded_however_they_travel() {
    let server = Server::default();
    let cancel = RecordActivityTaskHeartbeatResponse { cancel_requested: true, ..Default::default() };
    server.answers("RecordActivityTaskHeartbeat", cancel).activity_task(sealed(task("echo", [2])));
    with_worker(&server, async {
        let heartbeat: RecordActivityTaskHeartbeatRequest = server.call("RecordActivityTaskHeartbeat").await;
        assert_eq!(first(heartbeat.details).data, r#"sealed:"half of it""#);
        let failed: RespondActivityTaskFailedRequest = server.call("RespondActivityTaskFailed").await;
        assert_eq!(first(failed.last_heartbeat_details).data, r#"sealed:"most of it""#);
    })
    .await;
}

/// Finds that nothing it is given is valid.
struct Strict;

impl PayloadCodec for Strict {
    fn encode<'a>(
        &'a self,
        payloads: Vec<Payload>,
        _context: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<Payload>, CodecError>> {
        Box::pin(async { Ok(payloads) })
    }

    fn decode<'a>(
        &'a self,
        _payloads: Vec<Payload>,
        _context: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<Payload>, CodecError>> {
        Box::pin(async { Err(CodecError::from_failure(Failure::payload_validation(None))) })
    }
}

/// The type of a failure that is not retried.
fn final_type(failure: Option<ProtoFailure>) -> String {
    let failure = Failure::from_proto(failure.expect("a failure"));
    let application = failure.find_application().expect("an application failure").1;
    assert!(application.non_retryable);
    application.type_name.clone()
}

#[tokio::test]
async fn a_codec_may_say_that_it_is_of_no_use_to_try_again() {
    let server = Server::default();
    let client = server.client().await.with_data_converter(DataConverter::new().with_codec(Arc::new(Strict)));
    let echo = asynchronous("echo", |input| Box::pin(async move { input.encode(&input.decode::<u32>(1)?) }));
    let deployment = WorkerDeployment::new("shop", "1.0").default_versioning(Versioning::Pinned);
    let worker = Worker::builder(&client, "orders").workflow::<Hello>().activities(echo).deployment(deployment);
    let worker = worker.build().expect("valid options");
    let check = async {
        server.workflow_task(hello("r", "world"));
        let request: RespondWorkflowTaskCompletedRequest = server.call("RespondWorkflowTaskCompleted").await;
        let version = request.deployment_options.expect("whose word it is");
        assert_eq!((&*version.deployment_name, &*version.build_id), ("shop", "1.0"));
        assert_eq!(request.versioning_behavior, i32::from(VersioningBehavior::Pinned));
        match request.commands.into_iter().next().and_then(|command| command.attributes) {
            Some(Attributes::FailWorkflowExecutionCommandAttributes(failed)) => {
                assert_eq!(final_type(failed.failure), "PayloadValidationError");
            }
            other => panic!("the workflow did not fail: {other:?}"),
        }
        server.activity_task(task("echo", [7]));
        let request: RespondActivityTaskFailedRequest = server.call("RespondActivityTaskFailed").await;
        assert_eq!(final_type(request.failure), "PayloadValidationError");
    };
    let check = tokio::time::timeout(Duration::from_secs(30), check);
    worker.run_until(async { check.await.expect("the worker answers") }).await.expect("the worker was told to stop");
}
