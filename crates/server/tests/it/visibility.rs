use std::collections::BTreeMap;

use stead_proto::enums::v1::IndexedValueType;
use stead_proto::operatorservice::v1::{
    AddSearchAttributesRequest, ListSearchAttributesRequest, RemoveSearchAttributesRequest,
};
use stead_proto::workflowservice::v1::{
    CountWorkflowExecutionsRequest, DescribeNamespaceRequest, GetSearchAttributesRequest,
    ListArchivedWorkflowExecutionsRequest, ListWorkflowExecutionsRequest,
};
use stead_server::engine::{Code, Config, Request};

use crate::call;
use crate::support::Server;

#[test]
fn added_attributes_are_listed_and_told_to_filters() {
    let mut server = Server::new();
    let query = list("Colour = 'red'");
    assert_eq!(refused(&mut server, query.clone()), invalid("invalid query: invalid search attribute: Colour"));
    call!(server, AddSearchAttributes, add("default", &[("Colour", 2), ("Size", 3)]));
    assert_eq!(call!(server, ListWorkflowExecutions, query).executions, []);
    let request = ListSearchAttributesRequest { namespace: "default".to_owned() };
    let listed = call!(server, ListSearchAttributes, request);
    assert_eq!(listed.custom_attributes, BTreeMap::from([("Colour".to_owned(), 2), ("Size".to_owned(), 3)]));
    assert_eq!(listed.system_attributes.len(), 33);
    let describe = DescribeNamespaceRequest { namespace: "default".to_owned(), ..Default::default() };
    let config = call!(server, DescribeNamespace, describe).config.unwrap();
    assert_eq!(config.custom_search_attribute_aliases["Keyword01"], "Colour");
}

#[test]
fn attributes_are_added_all_or_none() {
    let mut server = Server::new();
    call!(server, AddSearchAttributes, add("default", &[("A", 3)]));
    call!(server, AddSearchAttributes, add("default", &[("A", 3)]));
    let too_many = add("default", &[("B", 3), ("C", 3), ("D", 3)]);
    let message = "Unable to create search attributes: cannot have more than 3 search attribute of type Int.";
    assert_eq!(refused(&mut server, too_many), invalid(message));
    for (request, message) in [
        (add("default", &[("TemporalFoo", 3)]), "Search attribute TemporalFoo is reserved by system."),
        (add("default", &[("NamespaceId", 3)]), "Search attribute NamespaceId is reserved by system."),
        (add("default", &[("A", 99)]), "Unknown search attribute type: 99."),
        (add("default", &[]), "SearchAttributes are not set on request."),
        (add("", &[("A", 3)]), "Namespace is not set on request."),
    ] {
        assert_eq!(refused(&mut server, request), invalid(message));
    }
    let nowhere = refused(&mut server, add("nowhere", &[("A", 3)]));
    assert_eq!(nowhere, (Code::NotFound, "Namespace nowhere is not found.".to_owned()));
    let request = ListSearchAttributesRequest { namespace: "default".to_owned() };
    assert_eq!(call!(server, ListSearchAttributes, request).custom_attributes, BTreeMap::from([("A".to_owned(), 3)]));
}

#[test]
fn removed_attributes_make_room() {
    let mut server = Server::new();
    call!(server, AddSearchAttributes, add("default", &[("A", 3), ("B", 3), ("C", 3)]));
    call!(server, RemoveSearchAttributes, remove(&["B", "Nope"]));
    call!(server, AddSearchAttributes, add("default", &[("D", 3)]));
    for name in ["WorkflowId", "Keyword01"] {
        let message = format!("Unable to remove non-custom search attributes: {name}.");
        assert_eq!(refused(&mut server, remove(&["A", name])), invalid(&message));
    }
    let request = ListSearchAttributesRequest { namespace: "default".to_owned() };
    let names: Vec<_> = call!(server, ListSearchAttributes, request).custom_attributes.into_keys().collect();
    assert_eq!(names, ["A", "C", "D"]);
}

#[test]
fn every_namespace_has_the_same_fields() {
    let keys = call!(Server::new(), GetSearchAttributes, GetSearchAttributesRequest {}).keys;
    assert_eq!(keys.len(), 61);
    assert_eq!(keys["Keyword10"], i32::from(IndexedValueType::Keyword));
    assert_eq!(keys["KeywordList03"], i32::from(IndexedValueType::KeywordList));
    assert_eq!(keys["TemporalChangeVersion"], i32::from(IndexedValueType::KeywordList));
}

#[test]
fn a_server_may_begin_with_attributes() {
    let mut config = Config::default();
    config.define_search_attribute("Colour", IndexedValueType::Keyword).unwrap();
    let refusal = config.define_search_attribute("WorkflowId", IndexedValueType::Keyword).unwrap_err();
    assert_eq!(refusal.message, "Search attribute WorkflowId is reserved by system.");
    let mut server = Server::with(config);
    assert_eq!(call!(server, ListWorkflowExecutions, list("Colour = 'red'")).executions, []);
}

#[test]
fn where_nothing_runs_nothing_is_counted() {
    let mut server = Server::new();
    let query = "GROUP BY ExecutionStatus".to_owned();
    let request = CountWorkflowExecutionsRequest { namespace: "default".to_owned(), query };
    let counted = call!(server, CountWorkflowExecutions, request);
    assert_eq!((counted.count, counted.groups), (0, vec![]));
}

#[test]
fn there_is_no_archive() {
    let request = ListArchivedWorkflowExecutionsRequest { namespace: "default".to_owned(), ..Default::default() };
    let message = "Cluster is not configured for visibility archival.";
    assert_eq!(refused(&mut Server::new(), request), invalid(message));
}

fn list(query: &str) -> ListWorkflowExecutionsRequest {
    ListWorkflowExecutionsRequest { namespace: "default".to_owned(), query: query.to_owned(), ..Default::default() }
}

fn add(namespace: &str, attributes: &[(&str, i32)]) -> AddSearchAttributesRequest {
    AddSearchAttributesRequest {
        namespace: namespace.to_owned(),
        search_attributes: attributes.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect(),
    }
}

fn remove(names: &[&str]) -> RemoveSearchAttributesRequest {
    RemoveSearchAttributesRequest {
        namespace: "default".to_owned(),
        search_attributes: names.iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn refused(server: &mut Server, request: impl Into<Request>) -> (Code, String) {
    let refusal = server.try_call(request).unwrap_err();
    (refusal.code, refusal.message)
}

fn invalid(message: &str) -> (Code, String) {
    (Code::InvalidArgument, message.to_owned())
}
