//! Payloads over the limits of the namespace.

use std::time::Duration;

use stead_data::Failure;
use stead_proto::enums::v1::WorkflowTaskFailedCause;
use stead_proto::namespace::v1::NamespaceInfo;
use stead_proto::namespace::v1::namespace_info::Limits;
use stead_proto::workflowservice::v1::{
    DescribeNamespaceResponse, RespondActivityTaskCompletedRequest, RespondActivityTaskFailedRequest,
    RespondWorkflowTaskCompletedRequest, RespondWorkflowTaskFailedRequest,
};
use stead_worker::{Worker, WorkerBuilder};

use crate::activities::{asynchronous, task};
use crate::server::Server;
use crate::workflow_tasks::hello;
use crate::workflows::Hello;

const LIMIT: i64 = 1000;

/// Runs a worker in a namespace that has limits, until `check` is done.
async fn with_worker(
    server: &Server,
    options: impl FnOnce(WorkerBuilder) -> WorkerBuilder,
    check: impl Future<Output = ()>,
) {
    let limits = Limits { blob_size_limit_error: LIMIT, ..Default::default() };
    let info = NamespaceInfo { limits: Some(limits), ..Default::default() };
    server.answers("DescribeNamespace", DescribeNamespaceResponse { namespace_info: Some(info), ..Default::default() });
    let repeat =
        asynchronous("repeat", |input| Box::pin(async move { input.encode(&"x".repeat(input.decode::<usize>(1)?)) }));
    let client = server.client().await;
    let worker = options(Worker::builder(&client, "orders").workflow::<Hello>().activities(repeat));
    let check = tokio::time::timeout(Duration::from_secs(30), check);
    let check = async { check.await.expect("the worker answers") };
    worker.build().expect("valid options").run_until(check).await.expect("the worker was told to stop");
}

fn long_name() -> String {
    "w".repeat(1000)
}

#[tokio::test]
async fn a_completion_with_a_field_over_the_limit_fails_its_task_and_names_the_field() {
    let server = Server::default();
    with_worker(&server, |worker| worker, async {
        server.workflow_task(hello("r", &long_name()));
        let request: RespondWorkflowTaskFailedRequest = server.call("RespondWorkflowTaskFailed").await;
        assert_eq!(request.cause(), WorkflowTaskFailedCause::PayloadsTooLarge);
        let message = request.failure.expect("a failure").message;
        let field = "`commands[0].complete_workflow_execution_command_attributes.result` has 10";
        assert!(message.contains("[TMPRL1103]") && message.contains(field), "{message}");
        assert_eq!(server.count("RespondWorkflowTaskCompleted"), 0);

        server.workflow_task(hello("r2", "world"));
        let _: RespondWorkflowTaskCompletedRequest = server.call("RespondWorkflowTaskCompleted").await;
    })
    .await;
}

#[tokio::test]
async fn an_activity_with_a_result_over_the_limit_fails_and_may_be_tried_again() {
    let server = Server::default();
    with_worker(&server, |worker| worker, async {
        server.activity_task(task("repeat", [1000]));
        let request: RespondActivityTaskFailedRequest = server.call("RespondActivityTaskFailed").await;
        let failure = Failure::from_proto(request.failure.expect("a failure"));
        assert!(failure.message.contains("[TMPRL1103]") && failure.message.contains("`result` has 10"), "{failure}");
        let application = failure.as_application().expect("an application failure");
        assert_eq!((&*application.type_name, application.non_retryable), ("PayloadTooLarge", false));
    })
    .await;
}

#[tokio::test]
async fn the_limits_can_be_left_to_the_server() {
    let server = Server::default();
    with_worker(&server, WorkerBuilder::disable_payload_error_limit, async {
        server.workflow_task(hello("r", &long_name()));
        let _: RespondWorkflowTaskCompletedRequest = server.call("RespondWorkflowTaskCompleted").await;
        server.activity_task(task("repeat", [1000]));
        let _: RespondActivityTaskCompletedRequest = server.call("RespondActivityTaskCompleted").await;
    })
    .await;
}
