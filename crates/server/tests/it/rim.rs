//! The server as programs reach it: in process and over TCP.

mod hostile;
mod nonsense;
mod polls;
#[cfg(feature = "reflection")]
mod reflection;
#[cfg(feature = "tls")]
mod tls;
mod wire;

use stead_client::{Client, RpcError, WorkflowService};
use stead_proto::workflowservice::v1::{DescribeNamespaceRequest, RegisterNamespaceRequest};
use stead_server::Server;

#[tokio::test]
async fn a_client_reaches_the_server_in_process() {
    let server = Server::in_memory().start().await.unwrap();
    let client = Client::with_service(server.service()).await.unwrap();
    assert_eq!(describe(&client, "default").await.unwrap(), "default");
    server.shutdown().await;
}

#[tokio::test]
async fn a_client_reaches_the_server_over_tcp() {
    let server = Server::in_memory().namespace("shop").listen(0).start().await.unwrap();
    let client = Client::connect(server.address().unwrap().to_string()).await.unwrap();
    assert_eq!(describe(&client, "shop").await.unwrap(), "shop");
    server.shutdown().await;
}

#[tokio::test]
async fn a_refusal_arrives_with_its_details() {
    let server = Server::in_memory().listen(0).start().await.unwrap();
    let remote = Client::connect(server.address().unwrap().to_string()).await.unwrap();
    let local = Client::with_service(server.service()).await.unwrap();
    for client in [remote, local] {
        let error = describe(&client, "nowhere").await.unwrap_err();
        assert!(error.is_namespace_not_found(), "{error:?}");
        assert_eq!(error.message(), "Namespace nowhere is not found.");
    }
}

#[tokio::test]
async fn what_one_client_does_another_sees() {
    let server = Server::in_memory().listen(0).start().await.unwrap();
    let remote = Client::connect(server.address().unwrap().to_string()).await.unwrap();
    let local = Client::with_service(server.service()).await.unwrap();
    let retention = prost_types::Duration { seconds: 3600, nanos: 0 };
    let request = RegisterNamespaceRequest {
        namespace: "shop".to_owned(),
        workflow_execution_retention_period: Some(retention),
        ..Default::default()
    };
    raw(&remote).register_namespace(request, Default::default()).await.unwrap();
    assert_eq!(describe(&local, "shop").await.unwrap(), "shop");
}

#[tokio::test]
async fn a_server_that_has_stopped_says_so() {
    let server = Server::in_memory().start().await.unwrap();
    let service = server.service();
    server.shutdown().await;
    let error = Client::with_service(service).retry(no_retry()).await.unwrap_err();
    assert!(format!("{error:?}").contains("the server has stopped"), "{error:?}");
}

#[tokio::test]
async fn a_dropped_server_frees_its_port() {
    let server = Server::in_memory().listen(0).start().await.unwrap();
    let address = server.address().unwrap();
    server.shutdown().await;
    let again = Server::in_memory().listen(address).start().await.unwrap();
    assert_eq!(again.address(), Some(address));
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let server = Server::in_memory().listen(0).start().await.unwrap();
    let address = server.address().unwrap();
    let error = Server::in_memory().listen(address).start().await.unwrap_err();
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}

fn raw(client: &Client) -> WorkflowService {
    client.connection().workflow_service()
}

fn no_retry() -> stead_client::RetryOptions {
    stead_client::RetryOptions::default().max_attempts(1)
}

async fn describe(client: &Client, namespace: &str) -> Result<String, RpcError> {
    let request = DescribeNamespaceRequest { namespace: namespace.to_owned(), ..Default::default() };
    let described = raw(client).describe_namespace(request, Default::default()).await?;
    Ok(described.namespace_info.unwrap_or_default().name)
}
