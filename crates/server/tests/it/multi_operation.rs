use prost::Message as _;
use stead_proto::enums::v1::{UpdateWorkflowExecutionLifecycleStage as Stage, WorkflowIdConflictPolicy};
use stead_proto::errordetails::v1::MultiOperationExecutionFailure;
use stead_proto::workflowservice::v1 as api;
use stead_proto::workflowservice::v1::execute_multi_operation_request::{Operation, operation};
use stead_proto::workflowservice::v1::execute_multi_operation_response::response;
use stead_server::engine::{CallId, Code, Refusal, Response};

use crate::call;
use crate::support::{NAMESPACE, Server, complete_workflow, start_request};
use crate::updates::{accept, answer, reject, respond, update_request};

fn request(policy: WorkflowIdConflictPolicy) -> api::ExecuteMultiOperationRequest {
    let mut start = start_request("w");
    start.set_workflow_id_conflict_policy(policy);
    with(start, update_request("w", "u", Stage::Completed))
}

fn with(
    start: api::StartWorkflowExecutionRequest,
    update: api::UpdateWorkflowExecutionRequest,
) -> api::ExecuteMultiOperationRequest {
    let operations = [operation::Operation::StartWorkflow(start), operation::Operation::UpdateWorkflow(update)];
    api::ExecuteMultiOperationRequest {
        namespace: NAMESPACE.to_owned(),
        operations: operations.map(|operation| Operation { operation: Some(operation) }).into(),
        ..Default::default()
    }
}

type Both = (api::StartWorkflowExecutionResponse, api::UpdateWorkflowExecutionResponse);

fn done(server: &mut Server, call: CallId) -> Result<Both, Refusal> {
    let Response::ExecuteMultiOperation(response) = server.answer(call).expect("an answer")? else { panic!() };
    let mut responses = response.responses.into_iter().map(|response| response.response);
    match (responses.next(), responses.next()) {
        (
            Some(Some(response::Response::StartWorkflow(start))),
            Some(Some(response::Response::UpdateWorkflow(update))),
        ) => Ok((start, update)),
        other => panic!("{other:?}"),
    }
}

/// Code and message of each operation.
fn statuses(refusal: &Refusal) -> Vec<(i32, String)> {
    assert_eq!(refusal.message, "Update-with-Start could not be executed.");
    let detail = refusal.details.first().expect("a detail");
    assert!(detail.type_url.ends_with("MultiOperationExecutionFailure"), "{detail:?}");
    let failure = MultiOperationExecutionFailure::decode(&*detail.value).unwrap();
    failure.statuses.into_iter().map(|status| (status.code, status.message)).collect()
}

fn aborted() -> (i32, String) {
    (Code::Aborted as i32, "Operation was aborted.".to_owned())
}

#[test]
fn the_update_rides_on_the_first_task_of_a_new_workflow() {
    let mut server = Server::new();
    let call = server.send(request(WorkflowIdConflictPolicy::Fail));
    let task = server.task();
    assert_eq!((task.messages.len(), task.started_event_id), (1, 3));
    call!(server, RespondWorkflowTaskCompleted, answer(&task, vec![accept(&task, "u"), respond("u")]));
    let (start, update) = done(&mut server, call).unwrap();
    assert!(start.started && start.run_id == task.workflow_execution.unwrap().run_id, "{start:?}");
    assert_eq!(update.stage(), Stage::Completed);
    assert!(
        server.events("w").ends_with(
            "WorkflowTaskStarted WorkflowTaskCompleted WorkflowExecutionUpdateAccepted WorkflowExecutionUpdateCompleted"
        ),
        "{}",
        server.events("w")
    );
}

#[test]
fn a_running_workflow_takes_the_update_if_the_start_is_content_with_it() {
    let mut server = Server::new();
    let run_id = server.start("w");
    let refusal = server.try_call(request(WorkflowIdConflictPolicy::Fail)).unwrap_err();
    assert_eq!(refusal.code, Code::AlreadyExists);
    let statuses = statuses(&refusal);
    assert_eq!(statuses[0].0, Code::AlreadyExists as i32);
    assert_eq!(statuses[1], aborted());
    let call = server.send(request(WorkflowIdConflictPolicy::UseExisting));
    let task = server.task();
    call!(server, RespondWorkflowTaskCompleted, answer(&task, vec![accept(&task, "u"), respond("u")]));
    let (start, update) = done(&mut server, call).unwrap();
    assert_eq!((start.started, start.run_id), (false, run_id));
    assert_eq!(update.stage(), Stage::Completed);
}

#[test]
fn an_update_that_is_known_is_not_asked_for_again() {
    let mut server = Server::new();
    server.send(request(WorkflowIdConflictPolicy::Fail));
    let again = server.send(request(WorkflowIdConflictPolicy::Fail));
    let task = server.task();
    assert_eq!(task.messages.len(), 1);
    let mut answer = answer(&task, vec![accept(&task, "u"), respond("u")]);
    answer.commands = vec![complete_workflow()];
    // The messages come after the close, and the update with them; so they need commands of their own.
    answer.commands.splice(0..0, ["u/accept", "u/complete"].map(crate::updates::protocol_command));
    call!(server, RespondWorkflowTaskCompleted, answer);
    assert!(!done(&mut server, again).unwrap().0.started);
    let after_close = server.send(request(WorkflowIdConflictPolicy::Fail));
    let (start, update) = done(&mut server, after_close).unwrap();
    assert_eq!((start.started, update.stage()), (false, Stage::Completed));
}

#[test]
fn a_new_workflow_stays_when_it_rejects_the_update() {
    let mut server = Server::new();
    let call = server.send(request(WorkflowIdConflictPolicy::Fail));
    let task = server.task();
    call!(server, RespondWorkflowTaskCompleted, answer(&task, vec![reject("u")]));
    let (start, update) = done(&mut server, call).unwrap();
    assert!(start.started);
    assert_eq!(update.stage(), Stage::Completed);
    assert!(server.events("w").ends_with("WorkflowTaskCompleted"), "{}", server.events("w"));
}

#[test]
fn the_close_of_an_old_workflow_starts_a_new_one_for_the_update() {
    let mut server = Server::new();
    let old = server.start("w");
    let task = server.task();
    let call = server.send(request(WorkflowIdConflictPolicy::UseExisting));
    server.complete(&task, vec![complete_workflow()]);
    let task = server.task();
    assert_ne!(task.workflow_execution.as_ref().unwrap().run_id, old);
    call!(server, RespondWorkflowTaskCompleted, answer(&task, vec![accept(&task, "u"), respond("u")]));
    assert!(done(&mut server, call).unwrap().0.started);
}

#[test]
fn the_close_of_the_new_workflow_is_told() {
    let mut server = Server::new();
    let call = server.send(request(WorkflowIdConflictPolicy::Fail));
    let task = server.task();
    server.complete(&task, vec![complete_workflow()]);
    let refusal = done(&mut server, call).unwrap_err();
    assert_eq!(refusal.code, Code::NotFound);
    let statuses = statuses(&refusal);
    assert_eq!(statuses[0], (0, String::new()), "the workflow was started");
    assert_eq!(statuses[1].1, "workflow update was aborted by closing workflow");
}

#[test]
fn operations_that_do_not_belong_together_are_refused() {
    let mut server = Server::new();
    let mut alone = request(WorkflowIdConflictPolicy::Fail);
    alone.operations.pop();
    let refusal = server.try_call(alone).unwrap_err();
    assert_eq!(refusal.message, "Operations have to be exactly [Start, Update].");
    let refusal = server.try_call(with(start_request("v"), update_request("w", "u", Stage::Completed))).unwrap_err();
    assert_eq!(refusal.code, Code::InvalidArgument);
    let expected = "WorkflowId is not consistent with previous operation(s).";
    assert_eq!(statuses(&refusal), [aborted(), (Code::InvalidArgument as i32, expected.to_owned())]);
    let mut eager = start_request("w");
    eager.request_eager_execution = true;
    let refusal = server.try_call(with(eager, update_request("w", "u", Stage::Completed))).unwrap_err();
    let expected = "RequestEagerExecution is not supported.";
    assert_eq!(statuses(&refusal), [(Code::InvalidArgument as i32, expected.to_owned()), aborted()]);
}

#[test]
fn a_call_whose_time_is_up_has_started_the_workflow_all_the_same() {
    let mut server = Server::new();
    let call = server.send(request(WorkflowIdConflictPolicy::Fail));
    let Ok(Response::ExecuteMultiOperation(response)) = server.expire(call) else { panic!() };
    let Some(response::Response::UpdateWorkflow(update)) = &response.responses[1].response else { panic!() };
    assert_eq!(update.stage(), Stage::Admitted);
    assert_eq!(server.task().messages.len(), 1);
}
