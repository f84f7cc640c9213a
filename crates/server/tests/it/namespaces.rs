use stead_proto::workflowservice::v1 as api;
use stead_proto::workflowservice::v1::{
    DeprecateNamespaceRequest, DescribeNamespaceRequest, RegisterNamespaceRequest, UpdateNamespaceRequest,
};
use stead_server::engine::{Code, Request};

use crate::call;
use crate::support::{NAMESPACE, Server};

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

/// Requests with nothing in them but a namespace.
macro_rules! bare {
    ($namespace:expr, $($request:ident),+ $(,)?) => {
        vec![$(Request::from(api::$request { namespace: $namespace.to_owned(), ..Default::default() })),+]
    };
}

#[test]
fn what_else_is_wrong_with_a_request_is_said_of_namespaces_that_there_are() {
    let mut server = Server::new();
    let requests = bare![
        "nowhere",
        CreateWorkerDeploymentRequest,
        CreateWorkerDeploymentVersionRequest,
        ListTaskQueuePartitionsRequest,
        PauseActivityRequest,
        RecordActivityTaskHeartbeatRequest,
        ResetActivityRequest,
        RespondActivityTaskCanceledRequest,
        RespondActivityTaskCompletedRequest,
        RespondActivityTaskFailedRequest,
        RespondNexusTaskCompletedRequest,
        RespondNexusTaskFailedRequest,
        RespondQueryTaskCompletedRequest,
        RespondWorkflowTaskCompletedRequest,
        RespondWorkflowTaskFailedRequest,
        SetWorkerDeploymentManagerRequest,
        UnpauseActivityRequest,
        UpdateActivityOptionsRequest,
        UpdateWorkerDeploymentVersionMetadataRequest,
        UpdateWorkflowExecutionRequest,
    ];
    for request in requests {
        let method = request.method();
        let refusal = server.try_call(request).unwrap_err();
        assert_eq!(
            (refusal.code, refusal.message.as_str()),
            (Code::NotFound, "Namespace nowhere is not found."),
            "{method}"
        );
    }
}

#[test]
fn a_request_that_names_no_execution_is_told_so_before_all_else() {
    let mut server = Server::new();
    let requests =
        bare![NAMESPACE, QueryWorkflowRequest, SignalWorkflowExecutionRequest, UpdateWorkflowExecutionRequest];
    for request in requests {
        let method = request.method();
        let refusal = server.try_call(request).unwrap_err();
        let expected = (Code::InvalidArgument, "Execution is not set on request.");
        assert_eq!((refusal.code, refusal.message.as_str()), expected, "{method}");
    }
}

#[test]
fn a_request_that_names_no_schedule_is_told_so() {
    let mut server = Server::new();
    let requests = bare![NAMESPACE, DeleteScheduleRequest, DescribeScheduleRequest, ListScheduleMatchingTimesRequest];
    for request in requests {
        let method = request.method();
        let refusal = server.try_call(request).unwrap_err();
        let expected = (Code::InvalidArgument, "Can't load workflow execution.  WorkflowId not set.");
        assert_eq!((refusal.code, refusal.message.as_str()), expected, "{method}");
    }
}

fn describe(namespace: &str) -> DescribeNamespaceRequest {
    DescribeNamespaceRequest { namespace: namespace.to_owned(), ..Default::default() }
}
