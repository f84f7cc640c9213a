//! Deleting workflows and namespaces, and the calls about clusters.

use std::time::Duration;

use stead_proto::enums::v1::WorkflowExecutionStatus;
use stead_proto::operatorservice::v1 as operator;
use stead_proto::workflowservice::v1 as api;
use stead_server::engine::{Code, Response};
use stead_server::store::Table;

use crate::children::{child, start_child};
use crate::restart::{durable, restarted};
use crate::support::{NAMESPACE, Server, complete_workflow, decoded, execution, start_request, start_timer, types};
use crate::{call, last};

fn delete_request(workflow_id: &str) -> api::DeleteWorkflowExecutionRequest {
    api::DeleteWorkflowExecutionRequest {
        namespace: NAMESPACE.to_owned(),
        workflow_execution: Some(execution(workflow_id)),
    }
}

impl Server {
    fn workflows_listed(&mut self) -> usize {
        let request = api::ListWorkflowExecutionsRequest { namespace: NAMESPACE.to_owned(), ..Default::default() };
        call!(self, ListWorkflowExecutions, request).executions.len()
    }

    fn rows(&self) -> Vec<Table> {
        self.kept.keys().map(|(table, _)| *table).filter(|table| *table != Table::Meta).collect()
    }

    fn not_found(&mut self, workflow_id: &str) -> bool {
        let request = api::DescribeWorkflowExecutionRequest {
            namespace: NAMESPACE.to_owned(),
            execution: Some(execution(workflow_id)),
        };
        self.try_call(request).is_err_and(|refusal| refusal.code == Code::NotFound)
    }
}

#[test]
fn a_closed_workflow_is_gone_from_lists_histories_and_the_store() {
    let mut server = Server::with(durable());
    let before = server.rows();
    server.start("w");
    server.step(vec![complete_workflow()]);
    call!(server, DeleteWorkflowExecution, delete_request("w"));
    assert!(server.not_found("w"));
    assert_eq!(server.workflows_listed(), 0);
    assert_eq!(server.rows(), before);
    let refusal = server.try_call(delete_request("w")).expect_err("it is gone");
    assert_eq!(refusal.code, Code::NotFound);
}

#[test]
fn an_open_workflow_is_terminated_first_and_who_waits_hears_it() {
    let mut server = Server::with(durable());
    server.start("w");
    server.step(vec![start_timer("t", 60)]);
    let waits = server.send(api::GetWorkflowExecutionHistoryRequest {
        namespace: NAMESPACE.to_owned(),
        execution: Some(execution("w")),
        wait_new_event: true,
        history_event_filter_type: stead_proto::enums::v1::HistoryEventFilterType::CloseEvent.into(),
        ..Default::default()
    });
    call!(server, DeleteWorkflowExecution, delete_request("w"));
    let Some(Ok(Response::GetWorkflowExecutionHistory(response))) = server.answer(waits) else { panic!("an answer") };
    let events = decoded(response.history);
    assert_eq!(last!(events, WorkflowExecutionTerminatedEventAttributes).reason, "Delete workflow execution");
    assert!(server.not_found("w"));
    server.advance(Duration::from_secs(60));
    server.start("w");
}

#[test]
fn a_parent_hears_that_its_child_was_terminated() {
    let mut server = Server::new();
    server.start("p");
    server.step(vec![start_child(child("c"))]);
    call!(server, DeleteWorkflowExecution, delete_request("c"));
    assert!(server.events("p").contains("ChildWorkflowExecutionTerminated"), "{}", server.events("p"));
}

fn delete_namespace_request(name: &str) -> operator::DeleteNamespaceRequest {
    operator::DeleteNamespaceRequest { namespace: name.to_owned(), ..Default::default() }
}

fn with_namespace(name: &str) -> Server {
    let mut server = Server::with(durable());
    let request = api::RegisterNamespaceRequest {
        namespace: name.to_owned(),
        workflow_execution_retention_period: crate::support::secs(86_400),
        ..Default::default()
    };
    call!(server, RegisterNamespace, request);
    server
}

#[test]
fn a_deleted_namespace_is_renamed_at_once_and_emptied_step_by_step() {
    let mut server = with_namespace("old");
    for number in 0..120 {
        let request =
            api::StartWorkflowExecutionRequest { namespace: "old".to_owned(), ..start_request(&number.to_string()) };
        call!(server, StartWorkflowExecution, request);
    }
    server.start("stays");
    let deleted = call!(server, DeleteNamespace, delete_namespace_request("old")).deleted_namespace;
    assert!(deleted.starts_with("old-deleted-") && deleted.len() == "old-deleted-".len() + 5, "{deleted}");
    let gone = server.try_call(api::DescribeNamespaceRequest { namespace: "old".to_owned(), ..Default::default() });
    assert_eq!(gone.expect_err("the name is free").code, Code::NotFound);
    let left = server.rows().iter().filter(|table| **table == Table::Runs).count();
    assert!((1..121).contains(&left), "one input does not do all the work: {left} runs left");
    let mut server = restarted(server);
    server.advance(Duration::from_secs(1));
    let left: Vec<_> = server.rows().into_iter().filter(|table| *table == Table::Runs).collect();
    assert_eq!(left, [Table::Runs], "the other namespace keeps its run");
    let gone = server.try_call(api::DescribeNamespaceRequest { namespace: deleted, ..Default::default() });
    assert_eq!(gone.expect_err("it is gone").code, Code::NotFound);
    assert_eq!(server.engine.poll_timeout().map(|at| at > server.now), None, "nothing is left to do");
    let status = server.describe("stays").workflow_execution_info.unwrap().status();
    assert_eq!(status, WorkflowExecutionStatus::Running);
}

#[test]
fn a_namespace_is_deleted_by_its_id_too() {
    let mut server = with_namespace("old");
    let request = api::DescribeNamespaceRequest { namespace: "old".to_owned(), ..Default::default() };
    let id = call!(server, DescribeNamespace, request).namespace_info.unwrap().id;
    let request = operator::DeleteNamespaceRequest { namespace_id: id, ..Default::default() };
    call!(server, DeleteNamespace, request);
    let refusal = server.try_call(delete_namespace_request("old")).expect_err("it is gone");
    assert_eq!((refusal.code, refusal.message.as_str()), (Code::InvalidArgument, "namespace old is not found"));
}

#[test]
fn some_namespaces_stay() {
    let mut server = with_namespace("old");
    let both = operator::DeleteNamespaceRequest { namespace_id: "id".to_owned(), ..delete_namespace_request("old") };
    for (request, code, message) in [
        (delete_namespace_request(""), Code::InvalidArgument, "namespace or namespace ID is required"),
        (both, Code::InvalidArgument, "only one of namespace or namespace ID must be set"),
        (delete_namespace_request("temporal-system"), Code::FailedPrecondition, "unable to delete system namespace"),
    ] {
        let refusal = server.try_call(request).expect_err(message);
        assert_eq!((refusal.code, refusal.message.as_str()), (code, message));
    }
}

#[test]
fn there_is_one_cluster_and_it_stays() {
    let mut server = Server::new();
    let clusters = call!(server, ListClusters, operator::ListClustersRequest::default()).clusters;
    let names: Vec<_> = clusters.iter().map(|cluster| cluster.cluster_name.as_str()).collect();
    assert_eq!(names, ["active"]);
    let add =
        operator::AddOrUpdateRemoteClusterRequest { frontend_address: "localhost:1".to_owned(), ..Default::default() };
    assert_eq!(server.try_call(add).expect_err("no connections").code, Code::Unavailable);
    for (name, code) in [("other", Code::NotFound), ("active", Code::Internal)] {
        let remove = operator::RemoveRemoteClusterRequest { cluster_name: name.to_owned() };
        assert_eq!(server.try_call(remove).expect_err(name).code, code);
    }
}

#[test]
fn the_run_before_a_deleted_one_keeps_its_history() {
    let mut server = Server::new();
    let first = server.start("w");
    server.step(vec![complete_workflow()]);
    server.start("w");
    call!(server, DeleteWorkflowExecution, delete_request("w"));
    assert!(server.not_found("w"));
    assert!(types(&server.history_of("w", &first)).ends_with("WorkflowExecutionCompleted"));
}
