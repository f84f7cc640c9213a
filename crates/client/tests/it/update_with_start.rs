//! A start and an update in one call: repeated until the update is accepted, and errors of either part.

use stead_client::{Code, StartError, StartWithUpdateError, UpdateError};
use stead_proto::{
    common::v1::WorkflowExecution,
    enums::v1::UpdateWorkflowExecutionLifecycleStage as Stage,
    errordetails::v1::{
        MultiOperationExecutionFailure, WorkflowExecutionAlreadyStartedFailure,
        multi_operation_execution_failure::OperationStatus,
    },
    update::v1::UpdateRef,
    workflowservice::v1::{
        ExecuteMultiOperationRequest, ExecuteMultiOperationResponse, StartWorkflowExecutionResponse,
        UpdateWorkflowExecutionResponse, execute_multi_operation_response as response,
    },
};

use crate::fake::Fake;

fn answer(stage: Stage) -> ExecuteMultiOperationResponse {
    use response::response::Response;
    let start = StartWorkflowExecutionResponse { run_id: "run-1".to_owned(), started: true, ..Default::default() };
    let workflow_execution = WorkflowExecution { workflow_id: "order-1".to_owned(), run_id: "run-1".to_owned() };
    let update = UpdateWorkflowExecutionResponse {
        update_ref: Some(UpdateRef { workflow_execution: Some(workflow_execution), update_id: "u".to_owned() }),
        stage: stage.into(),
        ..Default::default()
    };
    let responses = [Response::StartWorkflow(start), Response::UpdateWorkflow(update)];
    let responses = responses.map(|it| response::Response { response: Some(it) }).into();
    ExecuteMultiOperationResponse { responses }
}

async fn start(fake: &Fake) -> Result<(), StartWithUpdateError> {
    let client = fake.client().await;
    let start = client.start_workflow_named("Order", ()).id("order-1").task_queue("orders");
    start.with_update_named::<usize>("add", "tea").await.map(|started| {
        assert_eq!(started.workflow().run_id(), Some("run-1"));
    })
}

#[tokio::test(start_paused = true)]
async fn s59_the_same_request_is_sent_until_the_update_is_accepted() {
    let fake = Fake::new();
    fake.fails(Code::Unavailable, "restarting");
    fake.answers(answer(Stage::Admitted)).answers(answer(Stage::Accepted));
    start(&fake).await.unwrap();
    let requests: Vec<ExecuteMultiOperationRequest> = fake.calls().iter().map(|call| call.request()).collect();
    assert_eq!(requests.len(), 3);
    assert_eq!((&requests[0], &requests[1]), (&requests[1], &requests[2]), "nothing is started or updated twice");
    assert_eq!((requests[0].resource_id.as_str(), requests[0].operations.len()), ("order-1", 2));
}

fn failure(
    start: (Code, &str),
    update: (Code, &str),
    details: Vec<prost_types::Any>,
) -> MultiOperationExecutionFailure {
    let status = |(code, message): (Code, &str), details| OperationStatus {
        code: code as i32,
        message: message.to_owned(),
        details,
    };
    MultiOperationExecutionFailure { statuses: vec![status(start, details), status(update, Vec::new())] }
}

#[tokio::test]
async fn s59_an_error_is_that_of_the_part_that_failed() {
    let started = WorkflowExecutionAlreadyStartedFailure { run_id: "run-0".to_owned(), ..Default::default() };
    let started = prost_types::Any::from_msg(&started).unwrap();
    let fake = Fake::new();
    let taken = failure((Code::AlreadyExists, "taken"), (Code::Ok, ""), vec![started]);
    fake.fails_with(Code::AlreadyExists, "a part failed", &taken);
    let error = start(&fake).await.unwrap_err();
    assert!(matches!(&error, StartWithUpdateError::Start(StartError::AlreadyStarted { .. })), "{error:?}");

    let refused = failure((Code::Ok, ""), (Code::InvalidArgument, "no such update"), Vec::new());
    fake.fails_with(Code::InvalidArgument, "a part failed", &refused);
    let error = start(&fake).await.unwrap_err();
    let StartWithUpdateError::Update(UpdateError::Rpc(cause)) = &error else { panic!("{error:?}") };
    assert_eq!((cause.code(), cause.message()), (Code::InvalidArgument, "no such update"));
}
