//! How a connection is made, and kept: pings, proxies, layers, and what is sent to servers that are old.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use http::HeaderValue;
use stead_client::{CallOptions, Client, ConnectError, HttpProxy, KeepAlive};
use stead_proto::workflowservice::v1::DescribeWorkflowExecutionResponse;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tower::util::MapRequestLayer;

use crate::fake::Fake;

/// The 24 bytes that HTTP/2 begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

/// The types of the frames that come, until the connection ends.
async fn frame_type(stream: &mut TcpStream) -> Option<u8> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.ok()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut body = vec![0; length as usize];
    stream.read_exact(&mut body).await.ok()?;
    Some(head[3])
}

#[tokio::test]
async fn a_connection_whose_pings_are_not_answered_is_closed() {
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    const PING: u8 = 6;
    let (listener, address) = listener().await;
    let keep_alive = KeepAlive::default().interval(Duration::from_millis(20)).timeout(Duration::from_millis(50));
    let connecting = tokio::spawn(Client::connect(address).keep_alive(keep_alive).into_future());
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut preface = [0; PREFACE.len()];
    stream.read_exact(&mut preface).await.unwrap();
    assert_eq!(preface, PREFACE);
    stream.write_all(&SETTINGS).await.unwrap();
    let pings = async {
        let mut pings = 0;
        while let Some(kind) = frame_type(&mut stream).await {
            pings += u32::from(kind == PING);
        }
        pings
    };
    let pings = tokio::time::timeout(Duration::from_secs(20), pings).await.expect("the client gives the connection up");
    assert!(pings > 0, "it has asked first");
    connecting.abort();
}

#[tokio::test]
async fn a_server_that_does_not_say_what_it_can_do_can_do_nothing() {
    let fake = Fake::new();
    fake.is_old().answers(DescribeWorkflowExecutionResponse::default());
    let client = fake.client().await;
    assert!(!client.connection().capabilities().unwrap().supports_schedules);
    client.workflow_named("w").describe().await.unwrap();
}

/// A proxy that takes one connection: what it was asked, and the connection if it agrees.
async fn proxied(proxy: TcpListener, answer: &str) -> (String, TcpStream) {
    let (mut stream, _) = proxy.accept().await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    stream.write_all(answer.as_bytes()).await.unwrap();
    (String::from_utf8(head).unwrap(), stream)
}

#[tokio::test]
async fn a_connection_goes_through_a_proxy() {
    let (proxy, address) = listener().await;
    let connect = Client::connect("temporal.example.com:7233").http_proxy(HttpProxy::new(&address));
    let connecting = tokio::spawn(connect.into_future());
    let (head, mut stream) = proxied(proxy, "HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n").await;
    let expected = "CONNECT temporal.example.com:7233 HTTP/1.1\r\nHost: temporal.example.com:7233\r\n\r\n";
    assert_eq!(head, expected, "the proxy looks the name up");
    let mut preface = [0; PREFACE.len()];
    stream.read_exact(&mut preface).await.unwrap();
    assert_eq!(preface, PREFACE);
    connecting.abort();
}

#[tokio::test]
async fn a_proxy_is_told_who_asks_and_what_it_refuses_is_said() {
    for (answer, said) in [
        ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "other credentials"),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\n", "502"),
        ("SSH-2.0-OpenSSH\r\n\r\n", "does not connect"),
    ] {
        let (proxy, address) = listener().await;
        let proxy_options = HttpProxy::new(&address).basic_auth("ada", "sentinel");
        let connect = Client::connect("temporal.example.com:7233").http_proxy(proxy_options);
        assert!(!format!("{connect:?}").contains("sentinel"), "{connect:?}");
        let connecting = tokio::spawn(connect.into_future());
        let (head, _stream) = proxied(proxy, answer).await;
        assert!(head.contains("\r\nProxy-Authorization: Basic YWRhOnNlbnRpbmVs\r\n"), "{head}");
        let error = connecting.await.unwrap().unwrap_err();
        assert!(matches!(error, ConnectError::Unreachable { .. }), "{error:?}");
        let shown = format!("{error:?}");
        assert!(shown.contains(said) && shown.contains(&address) && !shown.contains("sentinel"), "{shown}");
    }
}

#[tokio::test]
async fn calls_go_through_the_layers_of_the_user_from_the_first_to_the_last() {
    let fake = Fake::new();
    fake.answers(DescribeWorkflowExecutionResponse::default());
    let calls = Arc::new(AtomicU32::new(0));
    let layer = |name: &'static str| {
        let calls = Arc::clone(&calls);
        MapRequestLayer::new(move |mut request: http::Request<_>| {
            let number = HeaderValue::from(calls.fetch_add(1, Ordering::Relaxed));
            request.headers_mut().insert(name, number);
            request
        })
    };
    let client = fake.connect().layer(layer("x-outer")).layer(layer("x-inner")).await.unwrap();
    client.workflow_named("w").describe().await.unwrap();
    // The question for what the server can do was the first call.
    assert_eq!((fake.call().header("x-outer"), fake.call().header("x-inner")), (Some("2"), Some("3")));
    assert_eq!(calls.load(Ordering::Relaxed), 4);
}

#[cfg(feature = "gzip")]
#[tokio::test]
async fn requests_are_compressed_only_when_asked_for() {
    for (connect, encoding) in [(Fake::connect as fn(&Fake) -> _, None), (|fake| fake.connect().gzip(), Some("gzip"))] {
        let fake = Fake::new();
        fake.answers(DescribeWorkflowExecutionResponse::default());
        connect(&fake).await.unwrap().workflow_named("w").describe().await.unwrap();
        assert_eq!(fake.call().header("grpc-encoding"), encoding);
        assert_eq!(fake.call().header("grpc-accept-encoding").is_some(), encoding.is_some());
    }
}

#[cfg(feature = "operator")]
#[tokio::test]
async fn the_raw_services_reach_their_methods() {
    use stead_proto::operatorservice::v1::{ListSearchAttributesRequest, ListSearchAttributesResponse};

    let fake = Fake::new();
    fake.answers(ListSearchAttributesResponse::default());
    let service = fake.client().await.connection().operator_service();
    service.list_search_attributes(ListSearchAttributesRequest::default(), CallOptions::new()).await.unwrap();
    assert_eq!(fake.call().method, "ListSearchAttributes");
}

#[cfg(feature = "cloud")]
#[tokio::test]
async fn the_cloud_service_reaches_its_methods() {
    use stead_proto::cloud::cloudservice::v1::{GetNamespacesRequest, GetNamespacesResponse};

    let fake = Fake::new();
    fake.answers(GetNamespacesResponse::default());
    let client = fake.connect().metadata("temporal-cloud-api-version", "v0.3.0").await.unwrap();
    let service = client.connection().cloud_service();
    service.get_namespaces(GetNamespacesRequest::default(), CallOptions::new()).await.unwrap();
    assert_eq!(fake.call().method, "GetNamespaces");
    assert_eq!(fake.call().header("temporal-cloud-api-version"), Some("v0.3.0"));
}

#[tokio::test]
async fn the_health_of_a_server_is_asked_of_grpcs_own_service() {
    let fake = Fake::new();
    fake.answers_bytes(&[0x08, 1]).answers_bytes(&[0x08, 2]);
    let client = fake.client().await;
    assert!(client.connection().check_health(CallOptions::new()).await.unwrap());
    assert!(!client.connection().check_health(CallOptions::new()).await.unwrap());
    assert_eq!(fake.calls()[0].method, "Check");
}
