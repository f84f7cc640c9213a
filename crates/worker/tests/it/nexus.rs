//! Requests to Nexus operations that fail, as servers that read failures are told and as older ones are.

use std::sync::Arc;

use stead_data::nexus::HandlerErrorKind;
use stead_data::{Failure, FailureKind};
use stead_nexus::{Definition, Error, Implementation, Input, OperationDefinition};
use stead_proto::enums::v1::NexusHandlerErrorRetryBehavior;
use stead_proto::nexus::v1::request::{Capabilities, Variant};
use stead_proto::nexus::v1::start_operation_response::Variant as Start;
use stead_proto::nexus::v1::{Request, StartOperationRequest, response};
use stead_proto::workflowservice::v1::{
    PollNexusTaskQueueResponse, RespondNexusTaskCompletedRequest, RespondNexusTaskFailedRequest,
};
use stead_worker::Worker;

use crate::server::Server;

struct Billing;

impl stead_nexus::Service for Billing {
    fn definition(self: Arc<Self>) -> Definition {
        Definition::new(
            "Billing",
            vec![
                fails("charge", || {
                    let cause = Failure::application("the account is empty");
                    Error::operation_failed_as(Failure::application("no money").type_name("Poor").cause(cause))
                }),
                fails("refund", || Error::operation_cancelled("never mind")),
                fails("quote", || {
                    let cause = Failure::application("it has no price");
                    Error::handler(HandlerErrorKind::BadRequest, "no such item").cause(cause).retryable(true)
                }),
            ],
        )
    }
}

fn fails(name: &'static str, error: fn() -> Error) -> OperationDefinition {
    let code = move |_: Input| Box::pin(async move { Err(error()) }) as _;
    OperationDefinition::new(name, Implementation::asynchronous(code))
}

/// A request to start an operation, of a server that reads failures or of one that does not.
fn task(operation: &str, reads_failures: bool) -> PollNexusTaskQueueResponse {
    let start = StartOperationRequest {
        service: "Billing".to_owned(),
        operation: operation.to_owned(),
        request_id: "request".to_owned(),
        ..Default::default()
    };
    let request = Request {
        capabilities: reads_failures.then_some(Capabilities { temporal_failure_responses: true }),
        variant: Some(Variant::StartOperation(start)),
        ..Default::default()
    };
    PollNexusTaskQueueResponse { task_token: "token".into(), request: Some(request), ..Default::default() }
}

async fn with_worker(server: &Server, check: impl Future<Output = ()>) {
    let client = server.client().await;
    let worker = Worker::builder(&client, "billing").nexus_service(Billing).build().expect("valid options");
    worker.run_until(check).await.expect("the worker was told to stop");
}

async fn outcome(server: &Server) -> Start {
    let request: RespondNexusTaskCompletedRequest = server.call("RespondNexusTaskCompleted").await;
    assert_eq!((&*request.task_token, &*request.namespace), (b"token".as_slice(), "shop"));
    match request.response.expect("an answer").variant {
        Some(response::Variant::StartOperation(started)) => started.variant.expect("an outcome"),
        other => panic!("no answer to a start: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_operation_failed_with_is_told_whole_to_servers_that_read_failures() {
    let server = Server::default();
    with_worker(&server, async {
        server.nexus_task(task("charge", true));
        let Start::Failure(failure) = outcome(&server).await else { panic!("no failure") };
        let failure = Failure::from_proto(failure);
        assert_eq!(failure.message, "no money");
        assert_eq!(failure.as_application().expect("an application's").type_name, "Poor");
        assert_eq!(failure.cause.expect("a cause").message, "the account is empty");
        server.nexus_task(task("refund", true));
        let Start::Failure(failure) = outcome(&server).await else { panic!("no failure") };
        assert!(Failure::from_proto(failure).is_cancelled());
    })
    .await;
}

#[tokio::test(start_paused = true)]
#[expect(deprecated, reason = "older servers read that form alone")]
async fn older_servers_are_told_the_state_of_an_operation_that_failed_and_the_texts() {
    let server = Server::default();
    with_worker(&server, async {
        server.nexus_task(task("charge", false));
        let Start::OperationError(error) = outcome(&server).await else { panic!("not the older form") };
        let failure = error.failure.expect("a failure");
        assert_eq!((&*error.operation_state, &*failure.message), ("failed", "no money"));
        assert_eq!(failure.cause.expect("a cause").message, "the account is empty");
        server.nexus_task(task("refund", false));
        let Start::OperationError(error) = outcome(&server).await else { panic!("not the older form") };
        assert_eq!(error.operation_state, "canceled");
    })
    .await;
}

#[tokio::test(start_paused = true)]
#[expect(deprecated, reason = "older servers read that form alone")]
async fn a_request_that_failed_is_told_in_the_form_that_the_server_reads() {
    let server = Server::default();
    with_worker(&server, async {
        server.nexus_task(task("quote", true));
        let request: RespondNexusTaskFailedRequest = server.call("RespondNexusTaskFailed").await;
        assert!(request.error.is_none(), "one form is enough");
        let failure = Failure::from_proto(request.failure.expect("a failure"));
        assert_eq!(failure.message, "no such item");
        let FailureKind::NexusHandler(handler) = &failure.kind else { panic!("not a handler's: {failure:?}") };
        assert_eq!(handler.type_name, "BAD_REQUEST");
        assert_eq!(failure.cause.expect("a cause").message, "it has no price");

        server.nexus_task(task("quote", false));
        let request: RespondNexusTaskFailedRequest = server.call("RespondNexusTaskFailed").await;
        assert!(request.failure.is_none(), "it would not be read");
        let error = request.error.expect("the older form");
        assert_eq!(error.error_type, "BAD_REQUEST");
        assert_eq!(error.retry_behavior(), NexusHandlerErrorRetryBehavior::Retryable);
        let failure = error.failure.expect("a failure");
        assert_eq!(failure.message, "no such item");
        assert_eq!(failure.cause.expect("a cause").message, "it has no price");
    })
    .await;
}
