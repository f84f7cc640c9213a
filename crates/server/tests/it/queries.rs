use std::time::Duration;

use stead_proto::common::v1::Payloads;
use stead_proto::enums::v1::{QueryRejectCondition, QueryResultType, WorkflowExecutionStatus as Status};
use stead_proto::errordetails::v1::QueryFailedFailure;
use stead_proto::failure::v1::Failure;
use stead_proto::query::v1::{WorkflowQuery, WorkflowQueryResult};
use stead_proto::workflowservice::v1 as api;
use stead_server::engine::{CallId, Code, Config, Refusal, Response, raw};

use crate::call;
use crate::support::{
    NAMESPACE, Server, complete_request, complete_workflow, decoded, execution, poll_request, secs, start_request,
    start_timer, sticky, sticky_poll_request, text, types,
};

fn query_request(workflow_id: &str) -> api::QueryWorkflowRequest {
    api::QueryWorkflowRequest {
        namespace: NAMESPACE.to_owned(),
        execution: Some(execution(workflow_id)),
        query: Some(WorkflowQuery { query_type: "total".to_owned(), ..Default::default() }),
        ..Default::default()
    }
}

fn answered(
    task: &raw::PollWorkflowTaskQueueResponse,
    answer: Option<Payloads>,
) -> api::RespondQueryTaskCompletedRequest {
    api::RespondQueryTaskCompletedRequest {
        task_token: task.task_token.clone(),
        completed_type: QueryResultType::Answered.into(),
        query_result: answer,
        namespace: NAMESPACE.to_owned(),
        ..Default::default()
    }
}

fn result(answer: Option<Payloads>) -> WorkflowQueryResult {
    WorkflowQueryResult { result_type: QueryResultType::Answered.into(), answer, ..Default::default() }
}

fn queried(server: &mut Server, call: CallId) -> Result<Option<Payloads>, Refusal> {
    match server.answer(call).expect("an answer to the query")? {
        Response::QueryWorkflow(response) => Ok(response.query_result),
        other => panic!("{other:?}"),
    }
}

fn polled(server: &mut Server, poll: CallId) -> raw::PollWorkflowTaskQueueResponse {
    match server.answer(poll) {
        Some(Ok(Response::PollWorkflowTaskQueue(task))) => *task,
        other => panic!("no task: {other:?}"),
    }
}

#[test]
fn a_query_that_cannot_be_answered_in_time_is_refused_at_once() {
    let mut server = Server::new();
    let delayed = api::StartWorkflowExecutionRequest { workflow_start_delay: secs(10), ..start_request("w") };
    call!(server, StartWorkflowExecution, delayed);
    let hurried = server.send_patiently("", Some(Duration::from_secs(8)), query_request("w"));
    let refusal = queried(&mut server, hurried).unwrap_err();
    assert_eq!(
        (refusal.code, refusal.message.as_str()),
        (Code::FailedPrecondition, "Workflow task is not scheduled yet.")
    );
    let patient = server.send_patiently("", Some(Duration::from_secs(12)), query_request("w"));
    assert!(server.answer(patient).is_none());
}

#[test]
fn a_run_has_one_query_that_waits_for_a_task_and_no_more() {
    let mut server = Server::new();
    server.start("w");
    let first = server.send(query_request("w"));
    let refusal = server.try_call(query_request("w")).unwrap_err();
    assert_eq!(refusal.code, Code::ResourceExhausted, "clients try that again");
    assert!(refusal.message.starts_with("consistent query buffer is full"), "{}", refusal.message);
    assert!(server.answer(first).is_none());
}

/// A workflow that has had a task and waits for a timer, with a worker that has it in its cache.
fn cached(server: &mut Server) {
    server.start("w");
    let task = server.task();
    let poll = server.send(sticky_poll_request());
    let request = api::RespondWorkflowTaskCompletedRequest {
        sticky_attributes: sticky(),
        ..complete_request(&task, vec![start_timer("t", 3600)])
    };
    call!(server, RespondWorkflowTaskCompleted, request);
    server.expire(poll).unwrap();
}

#[test]
fn an_idle_workflow_is_queried_with_all_of_its_history() {
    let mut server = Server::new();
    server.start("w");
    server.step(Vec::new());
    let before = server.events("w");
    let query = server.send(query_request("w"));
    assert!(!server.engine.is_idle(), "a worker could answer it");
    let task = server.task();
    assert_eq!(task.query.as_ref().unwrap().query_type, "total");
    assert_eq!((task.started_event_id, task.previous_started_event_id), (0, 3));
    assert!(!server.engine.is_idle(), "a worker is about to answer it");
    assert_eq!(types(&decoded(task.history.clone())), before);
    call!(server, RespondQueryTaskCompleted, answered(&task, text("5")));
    assert_eq!(queried(&mut server, query), Ok(text("5")));
    assert_eq!(server.events("w"), before);
    let again = server.try_call(answered(&task, text("5"))).unwrap_err();
    assert_eq!((again.code, again.message.as_str()), (Code::NotFound, "query task not found, or already expired"));
}

#[test]
fn the_worker_that_knows_the_workflow_gets_the_query_alone() {
    let mut server = Server::new();
    cached(&mut server);
    let query = server.send(query_request("w"));
    let poll = server.send(sticky_poll_request());
    let task = polled(&mut server, poll);
    assert!(decoded(task.history.clone()).is_empty(), "the worker has it in its cache");
    call!(server, RespondQueryTaskCompleted, answered(&task, text("5")));
    assert_eq!(queried(&mut server, query), Ok(text("5")));
    server.signal("w", "go on");
    let poll = server.send(sticky_poll_request());
    assert_eq!(polled(&mut server, poll).previous_started_event_id, 3, "the worker still has the workflow");
}

#[test]
fn a_query_that_the_worker_who_knows_the_workflow_does_not_answer_goes_to_any() {
    let mut server = Server::new();
    cached(&mut server);
    let query = server.send(query_request("w"));
    let poll = server.send(sticky_poll_request());
    let stuck = polled(&mut server, poll);
    server.advance(Duration::from_secs(5));
    let task = server.task();
    assert_eq!(decoded(task.history.clone())[0].event_id, 1);
    let late = server.try_call(answered(&stuck, text("4"))).unwrap_err();
    assert_eq!(late.code, Code::NotFound);
    call!(server, RespondQueryTaskCompleted, answered(&task, text("5")));
    assert_eq!(queried(&mut server, query), Ok(text("5")));
    server.signal("w", "go on");
    assert_eq!(decoded(server.task().history)[0].event_id, 1, "nobody has the workflow in a cache any more");
}

#[test]
fn a_worker_that_is_gone_is_not_asked() {
    let mut server = Server::new();
    cached(&mut server);
    server.advance(Duration::from_secs(10));
    server.send(query_request("w"));
    assert!(server.task().query.is_some());
}

#[test]
fn resetting_stickiness_makes_the_workflow_anybodys() {
    let mut server = Server::new();
    cached(&mut server);
    let request = api::ResetStickyTaskQueueRequest { namespace: NAMESPACE.to_owned(), execution: Some(execution("w")) };
    call!(server, ResetStickyTaskQueue, request);
    server.signal("w", "go on");
    assert_eq!(decoded(server.task().history)[0].event_id, 1);
}

#[test]
fn queries_come_with_the_news_that_is_before_them() {
    let mut config = Config::default();
    config.limits.buffered_queries = 2;
    let mut server = Server::with(config);
    server.start("w");
    let first = server.send(query_request("w"));
    let second = server.send(query_request("w"));
    let task = server.task();
    assert_eq!(task.queries.len(), 2);
    let mut request = complete_request(&task, Vec::new());
    let answers = task.queries.keys().zip(["1", "2"]);
    request.query_results = answers.map(|(id, answer)| (id.clone(), result(text(answer)))).collect();
    call!(server, RespondWorkflowTaskCompleted, request);
    assert_eq!(queried(&mut server, first), Ok(text("1")));
    assert_eq!(queried(&mut server, second), Ok(text("2")));
}

#[test]
fn what_a_task_leaves_unanswered_is_asked_without_one() {
    let mut server = Server::new();
    server.start("w");
    let task = server.task();
    let query = server.send(query_request("w"));
    server.complete(&task, Vec::new());
    let task = server.task();
    assert!(task.query.is_some());
    call!(server, RespondQueryTaskCompleted, answered(&task, text("5")));
    assert_eq!(queried(&mut server, query), Ok(text("5")));
}

#[test]
fn a_task_that_follows_takes_the_query_with_it() {
    let mut server = Server::new();
    server.start("w");
    let task = server.task();
    server.send(query_request("w"));
    server.signal("w", "hello");
    let next = server.complete(&task, Vec::new()).workflow_task.expect("a task for the signal");
    assert_eq!(next.queries.len(), 1);
}

#[test]
fn a_failed_query_says_why() {
    let mut server = Server::new();
    server.start("w");
    server.step(Vec::new());
    let query = server.send(query_request("w"));
    let task = server.task();
    let failure = Some(Failure { message: "no such query".to_owned(), ..Default::default() });
    let answer = api::RespondQueryTaskCompletedRequest {
        task_token: task.task_token,
        completed_type: QueryResultType::Failed.into(),
        error_message: "no such query".to_owned(),
        failure: failure.clone(),
        ..Default::default()
    };
    call!(server, RespondQueryTaskCompleted, answer);
    let refusal = queried(&mut server, query).unwrap_err();
    assert_eq!((refusal.code, refusal.message.as_str()), (Code::InvalidArgument, "no such query"));
    let detail: QueryFailedFailure = prost::Message::decode(&*refusal.details[0].value).unwrap();
    assert_eq!(detail.failure, failure);
}

#[test]
fn a_closed_workflow_is_queried_unless_the_caller_does_not_want_that() {
    let mut server = Server::new();
    server.start("w");
    server.step(vec![complete_workflow()]);
    let query = server.send(query_request("w"));
    let task = server.task();
    call!(server, RespondQueryTaskCompleted, answered(&task, text("5")));
    assert_eq!(queried(&mut server, query), Ok(text("5")));
    let mut request = query_request("w");
    request.set_query_reject_condition(QueryRejectCondition::NotOpen);
    let response = call!(server, QueryWorkflow, request);
    assert_eq!(response.query_rejected.unwrap().status(), Status::Completed);
    let mut request = query_request("w");
    request.set_query_reject_condition(QueryRejectCondition::NotCompletedCleanly);
    let query = server.send(request);
    assert!(server.answer(query).is_none(), "it has completed cleanly");
}

#[test]
fn a_workflow_that_never_ran_cannot_be_queried() {
    let mut server = Server::new();
    server.start("w");
    let waiting = server.send(query_request("w"));
    let terminate = api::TerminateWorkflowExecutionRequest {
        namespace: NAMESPACE.to_owned(),
        workflow_execution: Some(execution("w")),
        ..Default::default()
    };
    call!(server, TerminateWorkflowExecution, terminate);
    let expected = "Workflow execution closed before WorkflowTaskStarted event";
    let refusal = queried(&mut server, waiting).unwrap_err();
    assert_eq!((refusal.code, refusal.message.as_str()), (Code::FailedPrecondition, expected));
    let refusal = server.try_call(query_request("w")).unwrap_err();
    assert_eq!((refusal.code, refusal.message.as_str()), (Code::FailedPrecondition, expected));
}

#[test]
fn a_workflow_whose_tasks_keep_failing_is_not_queried() {
    let mut server = Server::new();
    server.start("w");
    for _ in 0..2 {
        let task = server.task();
        let failed = api::RespondWorkflowTaskFailedRequest { task_token: task.task_token, ..Default::default() };
        call!(server, RespondWorkflowTaskFailed, failed);
    }
    let refusal = server.try_call(query_request("w")).unwrap_err();
    assert_eq!(refusal.code, Code::FailedPrecondition);
    assert_eq!(refusal.message, "Unable to query workflow due to Workflow Task in failed state.");
}

#[test]
fn a_query_that_no_worker_takes_ends_with_its_caller() {
    let mut server = Server::new();
    server.start("w");
    server.step(Vec::new());
    let query = server.send(query_request("w"));
    let refusal = server.expire(query).unwrap_err();
    assert_eq!(refusal.code, Code::DeadlineExceeded);
    assert_eq!(refusal.message, "query timed out before a worker could process it");
    let poll = server.send(poll_request());
    assert!(server.answer(poll).is_none(), "nobody waits for the query any more");
}

#[test]
fn an_unknown_workflow_cannot_be_queried() {
    let refusal = Server::new().try_call(query_request("nope")).unwrap_err();
    assert_eq!((refusal.code, refusal.message.as_str()), (Code::NotFound, "workflow not found for ID: nope"));
}
