use stead_proto::workflowservice::v1::{
    DeprecateNamespaceRequest, DescribeNamespaceRequest, RegisterNamespaceRequest, UpdateNamespaceRequest,
};
use stead_server::engine::Code;

use crate::call;
use crate::support::Server;

#[test]
fn a_registered_namespace_is_described() {
    let mut server = Server::new();
    let retention = prost_types::Duration { seconds: 7200, nanos: 0 };
    let request = RegisterNamespaceRequest {
        namespace: "shop".to_owned(),
        workflow_execution_retention_period: Some(retention),
        ..Default::default()
    };
    call!(server, RegisterNamespace, request.clone());
    let described = call!(server, DescribeNamespace, describe("shop"));
    assert_eq!(described.config.unwrap().workflow_execution_retention_ttl, Some(retention));
    let again = server.try_call(request).unwrap_err();
    assert_eq!((again.code, again.message.as_str()), (Code::AlreadyExists, "Namespace \"shop\" already exists"));
}

#[test]
fn an_unknown_namespace_is_refused_with_its_name() {
    let refusal = Server::new().try_call(describe("nowhere")).unwrap_err();
    assert_eq!((refusal.code, refusal.message.as_str()), (Code::NotFound, "Namespace nowhere is not found."));
    assert!(refusal.details[0].type_url.ends_with("NamespaceNotFoundFailure"), "{:?}", refusal.details);
}

#[test]
fn a_request_that_names_no_namespace_is_told_so() {
    let mut server = Server::new();
    let refusals = [
        server.try_call(describe("")),
        server.try_call(UpdateNamespaceRequest::default()),
        server.try_call(DeprecateNamespaceRequest::default()),
    ];
    for refusal in refusals {
        let refusal = refusal.unwrap_err();
        assert_eq!((refusal.code, refusal.message.as_str()), (Code::InvalidArgument, "Namespace not set on request."));
    }
}

fn describe(namespace: &str) -> DescribeNamespaceRequest {
    DescribeNamespaceRequest { namespace: namespace.to_owned(), ..Default::default() }
}
