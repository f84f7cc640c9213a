use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use stead_proto::command::v1::command::Attributes;
use stead_proto::command::v1::{
    Command, ContinueAsNewWorkflowExecutionCommandAttributes, ModifyWorkflowPropertiesCommandAttributes,
    StartChildWorkflowExecutionCommandAttributes, UpsertWorkflowSearchAttributesCommandAttributes,
};
use stead_proto::common::v1::{Memo, Payload, SearchAttributes, WorkflowType};
use stead_proto::enums::v1::{IndexedValueType, WorkflowExecutionStatus as Status};
use stead_proto::operatorservice::v1::AddSearchAttributesRequest;
use stead_proto::workflow::v1::WorkflowExecutionInfo;
use stead_proto::workflowservice::v1::ListWorkflowExecutionsRequest;

use crate::restart::{durable, restarted};
use crate::support::{
    NAMESPACE, Server, command, complete_workflow, continue_as_new, execution, named_queue, start_request, types,
};
use crate::{call, last};

/// A server whose namespace has the attributes `City` (a keyword) and `Age` (an integer).
fn server() -> Server {
    let mut server = Server::new();
    let attributes = [("City", IndexedValueType::Keyword), ("Age", IndexedValueType::Int)];
    let request = AddSearchAttributesRequest {
        namespace: NAMESPACE.to_owned(),
        search_attributes: attributes.map(|(name, kind)| (name.to_owned(), kind.into())).into(),
    };
    call!(server, AddSearchAttributes, request);
    server
}

fn payload(data: &str) -> Payload {
    let metadata = [("encoding".to_owned(), "json/plain".into())].into();
    Payload { metadata, data: data.to_owned().into(), ..Default::default() }
}

fn attributes(fields: &[(&str, &str)]) -> Option<SearchAttributes> {
    let indexed_fields = fields.iter().map(|(name, data)| ((*name).to_owned(), payload(data))).collect();
    Some(SearchAttributes { indexed_fields })
}

fn upsert(fields: &[(&str, &str)]) -> Command {
    let upsert = UpsertWorkflowSearchAttributesCommandAttributes { search_attributes: attributes(fields) };
    command(Attributes::UpsertWorkflowSearchAttributesCommandAttributes(upsert))
}

fn list(server: &mut Server, query: &str) -> Vec<WorkflowExecutionInfo> {
    let request = ListWorkflowExecutionsRequest {
        namespace: NAMESPACE.to_owned(),
        query: query.to_owned(),
        ..Default::default()
    };
    call!(server, ListWorkflowExecutions, request).executions
}

fn ids(executions: &[WorkflowExecutionInfo]) -> Vec<&str> {
    executions.iter().map(|info| info.execution.as_ref().unwrap().workflow_id.as_str()).collect()
}

fn data(fields: &BTreeMap<String, Payload>) -> Vec<(&str, &str)> {
    fields.iter().map(|(name, payload)| (name.as_str(), str::from_utf8(&payload.data).unwrap())).collect()
}

#[test]
fn lists_show_a_run_from_its_start_to_its_end_and_until_it_is_forgotten() {
    let mut server = Server::new();
    server.start("w");
    let open = list(&mut server, "ExecutionStatus = 'Running'");
    assert_eq!((ids(&open), open[0].status(), open[0].history_length), (vec!["w"], Status::Running, 0));
    assert_eq!(open[0].r#type.as_ref().unwrap().name, "Flow");
    assert_eq!(open[0].root_execution.as_ref().unwrap().workflow_id, "w");
    server.advance(Duration::from_secs(3));
    server.step(vec![complete_workflow()]);
    assert!(list(&mut server, "ExecutionStatus = 'Running'").is_empty());
    let closed = list(&mut server, "WorkflowId = 'w' AND ExecutionStatus = 'Completed'");
    assert_eq!((ids(&closed), closed[0].history_length), (vec!["w"], 5));
    assert_eq!(closed[0].execution_duration, crate::support::secs(3));
    server.advance(Duration::from_secs(24 * 60 * 60));
    assert!(list(&mut server, "").is_empty());
}

#[test]
fn each_run_of_a_chain_is_listed() {
    let mut server = Server::new();
    server.start("w");
    server.step(vec![continue_as_new()]);
    let runs = list(&mut server, "WorkflowId = 'w'");
    let statuses: Vec<_> = runs.iter().map(WorkflowExecutionInfo::status).collect();
    assert_eq!(statuses, [Status::Running, Status::ContinuedAsNew]);
}

#[test]
fn a_child_is_listed_with_its_parent_and_its_root() {
    let mut server = Server::new();
    server.start("p");
    let child = StartChildWorkflowExecutionCommandAttributes {
        workflow_id: "c".to_owned(),
        workflow_type: Some(WorkflowType { name: "Child".to_owned() }),
        task_queue: named_queue("children"),
        ..Default::default()
    };
    server.step(vec![command(Attributes::StartChildWorkflowExecutionCommandAttributes(Box::new(child)))]);
    let listed = list(&mut server, "ParentWorkflowId = 'p'");
    assert_eq!(ids(&listed), ["c"]);
    assert_eq!(listed[0].parent_execution.as_ref().unwrap().workflow_id, "p");
    let family = list(&mut server, "RootWorkflowId = 'p'");
    assert_eq!(BTreeSet::from_iter(ids(&family)), BTreeSet::from(["c", "p"]));
}

#[test]
fn attributes_of_a_start_and_of_upserts_are_found() {
    let mut server = server();
    let mut request = start_request("w");
    request.search_attributes = attributes(&[("City", "\"Oslo\""), ("Age", "7")]);
    call!(server, StartWorkflowExecution, request);
    let started = last!(server.history("w"), WorkflowExecutionStartedEventAttributes);
    assert_eq!(started.search_attributes.unwrap().indexed_fields["Age"].metadata["type"], "Int");
    assert_eq!(ids(&list(&mut server, "City = 'Oslo' AND Age < 8")), ["w"]);
    server.step(vec![upsert(&[("City", "\"Bergen\""), ("Age", "null")])]);
    assert!(list(&mut server, "City = 'Oslo'").is_empty());
    assert!(list(&mut server, "Age < 8").is_empty());
    let found = list(&mut server, "City = 'Bergen' AND Age IS NULL");
    let shown = [("BuildIds", "[\"unversioned\"]"), ("City", "\"Bergen\"")];
    assert_eq!(data(&found[0].search_attributes.as_ref().unwrap().indexed_fields), shown);
    let upserted = last!(server.history("w"), UpsertWorkflowSearchAttributesEventAttributes);
    assert_eq!(upserted.search_attributes.unwrap().indexed_fields["City"].metadata["type"], "Keyword");
}

#[test]
fn a_changed_memo_is_listed() {
    let mut server = Server::new();
    let mut request = start_request("w");
    request.memo = Some(Memo { fields: [("a".to_owned(), payload("1")), ("b".to_owned(), payload("2"))].into() });
    call!(server, StartWorkflowExecution, request);
    let change = Memo { fields: [("b".to_owned(), payload("null")), ("c".to_owned(), payload("3"))].into() };
    let change = ModifyWorkflowPropertiesCommandAttributes { upserted_memo: Some(change) };
    server.step(vec![command(Attributes::ModifyWorkflowPropertiesCommandAttributes(change))]);
    let listed = list(&mut server, "");
    assert_eq!(data(&listed[0].memo.as_ref().unwrap().fields), [("a", "1"), ("c", "3")]);
}

#[test]
fn the_next_run_has_the_attributes_that_the_command_says() {
    let mut server = server();
    server.start("w");
    let next = ContinueAsNewWorkflowExecutionCommandAttributes {
        search_attributes: attributes(&[("City", "\"Oslo\""), ("Age", "null")]),
        ..Default::default()
    };
    server.step(vec![command(Attributes::ContinueAsNewWorkflowExecutionCommandAttributes(Box::new(next)))]);
    let found = list(&mut server, "City = 'Oslo'");
    assert_eq!(found[0].status(), Status::Running);
    assert_eq!(found.len(), 1);
}

#[test]
fn unknown_attributes_and_wrong_values_are_refused_with_the_words_of_the_server() {
    let mut bad = server();
    let mut request = start_request("w");
    request.search_attributes = attributes(&[("Nope", "1")]);
    assert_eq!(
        bad.try_call(request).unwrap_err().message,
        "Namespace default has no mapping defined for search attribute Nope"
    );
    let child = StartChildWorkflowExecutionCommandAttributes {
        workflow_id: "c".to_owned(),
        workflow_type: Some(WorkflowType { name: "Child".to_owned() }),
        search_attributes: attributes(&[("Age", "\"old\"")]),
        ..Default::default()
    };
    let next = ContinueAsNewWorkflowExecutionCommandAttributes {
        search_attributes: attributes(&[("Age", "\"old\"")]),
        ..Default::default()
    };
    for (command, says) in [
        (
            upsert(&[("Nope", "1")]),
            "BadSearchAttributes: Namespace default has no mapping defined for search attribute Nope",
        ),
        (upsert(&[("Age", "\"old\"")]), "BadSearchAttributes: invalid value for search attribute Age of type Int: old"),
        (
            command(Attributes::StartChildWorkflowExecutionCommandAttributes(Box::new(child))),
            "BadSearchAttributes: invalid SearchAttributes on StartChildWorkflowCommand: invalid value for search \
             attribute Age of type Int: old. WorkflowId=c WorkflowType=Child Namespace=default",
        ),
        (
            command(Attributes::ContinueAsNewWorkflowExecutionCommandAttributes(Box::new(next))),
            "BadSearchAttributes: invalid SearchAttributes on ContinueAsNewWorkflowExecutionCommand: invalid value \
             for search attribute Age of type Int: old. WorkflowType=Flow TaskQueue=name:\"q\" \
             kind:TASK_QUEUE_KIND_NORMAL",
        ),
    ] {
        let mut server = server();
        server.start("w");
        assert_eq!(server.refused(vec![command]), says);
        assert!(types(&server.history("w")).ends_with("WorkflowTaskFailed"));
    }
}

#[test]
fn a_value_that_is_too_large_is_the_end_of_its_workflow() {
    let mut server = server();
    server.start("w");
    let large = format!("\"{}\"", "x".repeat(2100));
    let says = "BadSearchAttributes: search attribute City value size 2102 exceeds size limit 2048";
    assert_eq!(server.refused(vec![upsert(&[("City", &large)])]), says);
    assert_eq!(last!(server.history("w"), WorkflowExecutionTerminatedEventAttributes).reason, says);
    let listed = list(&mut server, "ExecutionStatus = 'Terminated'");
    assert_eq!(
        listed[0].execution,
        Some(stead_proto::common::v1::WorkflowExecution {
            run_id: listed[0].execution.as_ref().unwrap().run_id.clone(),
            ..execution("w")
        })
    );
}

#[test]
fn an_engine_that_was_started_again_lists_what_was() {
    let mut server = Server::with(durable());
    server.start("open");
    server.start("closed");
    server.terminate("closed");
    let mut server = restarted(server);
    assert_eq!(ids(&list(&mut server, "")), ["open", "closed"]);
}
