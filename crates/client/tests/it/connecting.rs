//! Connecting: what is refused, what is kept secret.

use std::time::Duration;

use stead_client::{Client, Code, ConnectError, Metadata};
use stead_proto::workflowservice::v1::DescribeWorkflowExecutionResponse;

use crate::fake::Fake;

#[tokio::test]
async fn an_unreachable_server_is_named() {
    // A port that was free a moment ago.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let error = Client::connect(&address).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains(&address), "{error}");
}

#[tokio::test]
async fn a_lazy_client_fails_at_its_first_call() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let client = Client::connect(&address).lazy().await.unwrap();
    assert!(client.connection().capabilities().is_none());
    let error = client.workflow_named("w").describe().rpc_timeout(Duration::from_millis(50)).await.unwrap_err();
    let rpc = error.rpc().unwrap();
    assert!(rpc.is_unreachable(), "{error:?}");
    assert!(error.to_string().contains(&format!("cannot reach the server at `{address}`")), "{error}");
}

#[tokio::test]
async fn what_is_no_address_is_refused_without_being_shown() {
    for address in ["", "localhost", "user:sentinel@localhost:7233", "http://localhost:7233/path"] {
        let connect = Client::connect(address);
        assert!(!format!("{connect:?}").contains("sentinel"));
        let error = connect.await.unwrap_err();
        assert!(matches!(error, ConnectError::InvalidAddress), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("sentinel"));
    }
}

#[tokio::test]
async fn the_server_says_what_it_can_do() {
    let client = Fake::new().client().await;
    assert!(client.connection().capabilities().unwrap().supports_schedules);
    assert_eq!((client.namespace(), client.identity()), ("shop", "tester"));
}

#[tokio::test]
async fn clients_of_other_namespaces_share_the_connection() {
    let fake = Fake::new();
    fake.answers(DescribeWorkflowExecutionResponse::default());
    let client = fake.client().await.with_namespace("other").with_identity("somebody");
    client.workflow_named("w").describe().await.unwrap();
    assert_eq!(client.identity(), "somebody");
    assert_eq!(fake.call().header("temporal-namespace"), Some("other"));
}

#[tokio::test]
async fn the_default_identity_names_process_and_host() {
    let client = Client::with_service(Fake::new()).await.unwrap();
    let (process, host) = client.identity().split_once('@').unwrap();
    assert_eq!(process, std::process::id().to_string());
    assert!(!host.is_empty());
    assert_eq!(client.namespace(), "default");
}

#[tokio::test]
async fn the_api_key_is_sent_and_can_be_replaced() {
    let fake = Fake::new();
    fake.answers(DescribeWorkflowExecutionResponse::default()).answers(DescribeWorkflowExecutionResponse::default());
    let client = fake.connect().api_key("first").await.unwrap();
    client.workflow_named("w").describe().await.unwrap();
    client.connection().set_api_key("second").unwrap();
    client.workflow_named("w").describe().await.unwrap();
    let keys: Vec<_> = fake.calls().iter().map(|call| call.header("authorization").unwrap().to_owned()).collect();
    assert_eq!(keys, ["Bearer first", "Bearer second"]);
    assert!(fake.calls()[0].headers["authorization"].is_sensitive());
}

#[tokio::test]
async fn the_headers_of_a_client_can_be_replaced() {
    let fake = Fake::new();
    fake.answers(DescribeWorkflowExecutionResponse::default()).answers(DescribeWorkflowExecutionResponse::default());
    let client = fake.connect().metadata("x-tenant", "blue").metadata("x-trace-bin", [0, 255]).await.unwrap();
    client.workflow_named("w").describe().await.unwrap();
    let mut headers = Metadata::new();
    headers.insert("x-region", "eu").unwrap();
    client.connection().set_metadata(headers).unwrap();
    client.workflow_named("w").describe().await.unwrap();

    let calls = fake.calls();
    assert_eq!((calls[0].header("x-tenant"), calls[0].header("x-region")), (Some("blue"), None));
    assert_eq!(calls[0].header("x-trace-bin").map(|text| text.trim_end_matches('=')), Some("AP8"));
    assert_eq!((calls[1].header("x-tenant"), calls[1].header("x-region")), (None, Some("eu")));
    assert_eq!((calls[1].header("x-trace-bin"), calls[1].header("client-name")), (None, Some("stead")));
}

#[tokio::test]
async fn an_authorization_header_wins_over_the_api_key() {
    let fake = Fake::new();
    fake.answers(DescribeWorkflowExecutionResponse::default());
    let client = fake.connect().api_key("key").metadata("authorization", "Basic x").await.unwrap();
    client.workflow_named("w").describe().await.unwrap();
    assert_eq!(fake.call().header("authorization"), Some("Basic x"));
}

#[tokio::test]
async fn secrets_are_never_shown() {
    let fake = Fake::new();
    fake.fails(Code::Unauthenticated, "who are you?");
    let connect =
        fake.connect().api_key("sentinel").metadata("x-token", "sentinel").metadata("authorization", "sentinel");
    let shown = format!("{connect:?}");
    let client = connect.await.unwrap();
    let error = client.workflow_named("w").describe().await.unwrap_err();
    let shown = format!("{shown} {client:?} {:?} {error} {error:?}", client.connection());
    assert!(!shown.contains("sentinel"), "{shown}");
    assert!(error.rpc().unwrap().is_permission_denied());

    let wrong = fake.connect().api_key("sentinel\n").await.unwrap_err();
    assert!(!format!("{wrong} {wrong:?}").contains("sentinel"), "{wrong:?}");
}
