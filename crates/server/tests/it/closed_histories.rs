//! Histories of closed runs that are in the store alone.

use std::time::Duration;

use stead_proto::query::v1::WorkflowQuery;
use stead_proto::workflowservice::v1 as api;
use stead_server::engine::{Call, CallId, Config, Engine, Output, Request, Response};
use stead_server::store::Table;

use crate::call;
use crate::restart::{durable, restarted};
use crate::support::{
    NAMESPACE, Server, complete_workflow, decoded, execution, poll_request, schedule_activity, start_request, types,
};

fn history_request(workflow_id: &str) -> api::GetWorkflowExecutionHistoryRequest {
    api::GetWorkflowExecutionHistoryRequest {
        namespace: NAMESPACE.to_owned(),
        execution: Some(execution(workflow_id)),
        ..Default::default()
    }
}

fn close(server: &mut Server, workflow_id: &str) {
    server.start(workflow_id);
    server.step(vec![schedule_activity("a")]);
    let task = server.activity();
    server.succeed(&task);
    server.step(vec![complete_workflow()]);
}

/// Calls, and says which rows the engine wants before it answers.
fn reads(engine: &mut Engine, server: &Server, call: u64, request: impl Into<Request>) -> Vec<bytes::Bytes> {
    let call = Call { id: CallId(call), client_name: String::new(), patience: None };
    engine.handle(&call, request.into(), server.now);
    let outputs: Vec<_> = std::iter::from_fn(|| engine.poll_output()).collect();
    let wanted = outputs.into_iter().map(|output| match output {
        Output::Read { table: Table::Events, prefix } => prefix,
        other => panic!("not a read: {other:?}"),
    });
    wanted.collect()
}

#[test]
fn a_closed_history_is_what_it_was() {
    let mut server = Server::with(durable());
    let mut in_memory = Server::new();
    close(&mut server, "w");
    close(&mut in_memory, "w");
    assert_eq!(server.events("w"), in_memory.events("w"));
    let request = api::GetWorkflowExecutionHistoryReverseRequest {
        namespace: NAMESPACE.to_owned(),
        execution: Some(execution("w")),
        maximum_page_size: 2,
        ..Default::default()
    };
    let page = call!(server, GetWorkflowExecutionHistoryReverse, request.clone());
    let expected = call!(in_memory, GetWorkflowExecutionHistoryReverse, request.clone());
    assert_eq!(types(&decoded(page.history)), types(&decoded(expected.history)));
    let next = api::GetWorkflowExecutionHistoryReverseRequest { next_page_token: page.next_page_token, ..request };
    let rest = call!(server, GetWorkflowExecutionHistoryReverse, next);
    assert!(!decoded(rest.history).is_empty(), "each page is read");
    let (before, after) = (in_memory.describe("w"), server.describe("w"));
    assert_eq!(
        after.workflow_execution_info.unwrap().history_size_bytes,
        before.workflow_execution_info.unwrap().history_size_bytes
    );
    let mut server = restarted(server);
    assert_eq!(server.events("w"), in_memory.events("w"));
}

#[test]
fn calls_wait_together_for_one_history() {
    let mut server = Server::with(durable());
    close(&mut server, "w");
    let rows = || {
        server.kept.iter().map(|((table, key), value)| stead_server::store::Row {
            table: *table,
            key: key.clone(),
            value: Some(value.clone()),
        })
    };
    let mut engine = Engine::restore(durable(), rows(), server.now).unwrap();
    while engine.poll_output().is_some() {}
    let wanted = reads(&mut engine, &server, 1, history_request("w"));
    assert_eq!(wanted.len(), 1);
    assert!(!engine.is_idle(), "something is being read");
    assert_eq!(reads(&mut engine, &server, 2, history_request("w")), Vec::<bytes::Bytes>::new());
    assert_eq!(reads(&mut engine, &server, 3, history_request("w")), Vec::<bytes::Bytes>::new());
    engine.handle_abandoned(CallId(3), server.now);
    let events = rows().filter(|row| row.table == Table::Events && row.key.starts_with(&wanted[0]));
    engine.handle_rows(&wanted[0], events.collect(), server.now);
    let answered = std::iter::from_fn(|| engine.poll_output()).filter_map(|output| match output {
        Output::Reply { call, answer: Ok(Response::GetWorkflowExecutionHistory(_)) } => Some(call),
        _ => None,
    });
    assert_eq!(answered.collect::<Vec<_>>(), [CallId(1), CallId(2)], "the third caller has gone");
    assert!(engine.is_idle());
    assert_eq!(reads(&mut engine, &server, 4, history_request("w")).len(), 1, "it has not stayed in memory");
}

#[test]
fn a_run_that_is_gone_by_the_time_of_the_answer_is_not_found() {
    let mut server = Server::with(durable());
    close(&mut server, "w");
    let rows = server.kept.iter().map(|((table, key), value)| stead_server::store::Row {
        table: *table,
        key: key.clone(),
        value: Some(value.clone()),
    });
    let mut engine = Engine::restore(durable(), rows, server.now).unwrap();
    while engine.poll_output().is_some() {}
    let wanted = reads(&mut engine, &server, 1, history_request("w"));
    let later = server.now + Duration::from_secs(24 * 60 * 60);
    engine.handle_timeout(later);
    engine.handle_rows(&wanted[0], Vec::new(), later);
    let answers: Vec<_> = std::iter::from_fn(|| engine.poll_output())
        .filter_map(|output| if let Output::Reply { answer, .. } = output { Some(answer) } else { None })
        .collect();
    assert!(matches!(answers.as_slice(), [Err(refusal)] if refusal.code == stead_server::engine::Code::NotFound));
}

#[test]
fn a_query_of_a_closed_workflow_gets_its_history() {
    let mut server = Server::with(durable());
    close(&mut server, "w");
    let request = api::QueryWorkflowRequest {
        namespace: NAMESPACE.to_owned(),
        execution: Some(execution("w")),
        query: Some(WorkflowQuery { query_type: "total".to_owned(), ..Default::default() }),
        ..Default::default()
    };
    server.send(request);
    // Another history is read, and forgotten, before a worker comes.
    close_on_another_queue(&mut server);
    let task = call!(server, PollWorkflowTaskQueue, poll_request());
    assert_eq!(
        decoded(task.history).len() as i64,
        server.describe("w").workflow_execution_info.unwrap().history_length
    );
}

fn close_on_another_queue(server: &mut Server) {
    call!(
        server,
        StartWorkflowExecution,
        api::StartWorkflowExecutionRequest { task_queue: crate::support::named_queue("other"), ..start_request("v") }
    );
    server.step_on("other", vec![complete_workflow()]);
    assert_eq!(server.history("v").len(), 5);
}

#[test]
fn a_closed_workflow_is_reset_to_where_it_was() {
    let mut server = Server::with(durable());
    close(&mut server, "w");
    let request = api::ResetWorkflowExecutionRequest {
        namespace: NAMESPACE.to_owned(),
        workflow_execution: Some(execution("w")),
        workflow_task_finish_event_id: 4,
        request_id: "r".to_owned(),
        ..Default::default()
    };
    call!(server, ResetWorkflowExecution, request);
    server.step(vec![complete_workflow()]);
    assert!(server.events("w").ends_with("WorkflowExecutionCompleted"), "{}", server.events("w"));
}

#[test]
fn histories_stay_in_memory_within_the_limit() {
    let mut config = Config::default();
    config.durable = true;
    let mut server = Server::with(config);
    close(&mut server, "w");
    let (engine, now) = (&mut server.engine, server.now);
    engine.handle(
        &Call { id: CallId(1_000), client_name: String::new(), patience: None },
        history_request("w").into(),
        now,
    );
    assert!(matches!(engine.poll_output(), Some(Output::Reply { .. })), "nothing has to be read");
}
