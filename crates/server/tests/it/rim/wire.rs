//! What travels: frames, headers, statuses.

use std::io::Write;

use bytes::{BufMut, Bytes};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use prost::Message;
use stead_proto::workflowservice::v1::{DescribeNamespaceRequest, DescribeNamespaceResponse};
use stead_server::{Server, Service};
use tower_service::Service as _;

const DESCRIBE: &str = "/temporal.api.workflowservice.v1.WorkflowService/DescribeNamespace";
const CHECK: &str = "/grpc.health.v1.Health/Check";

/// What a caller sees of an answer.
#[derive(Debug)]
struct Answer {
    http: StatusCode,
    status: String,
    message: String,
    data: Bytes,
}

async fn service() -> (Server, Service) {
    let server = Server::in_memory().start().await.unwrap();
    let service = server.service();
    (server, service)
}

fn request(path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let request = Request::post(path).header("content-type", "application/grpc").header("te", "trailers");
    request.body(Full::new(body.into())).unwrap()
}

async fn send(service: &Service, request: Request<Full<Bytes>>) -> Answer {
    let response = service.clone().call(request).await.unwrap();
    let (head, body) = response.into_parts();
    assert_eq!(head.headers["content-type"], "application/grpc");
    let body = body.collect().await.unwrap();
    let trailers = body.trailers().cloned().unwrap_or_default();
    let text = |name: &str| {
        let found: Option<_> = [&head.headers, &trailers].into_iter().find_map(|map: &HeaderMap| map.get(name));
        found.map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    };
    Answer { http: head.status, status: text("grpc-status"), message: text("grpc-message"), data: body.to_bytes() }
}

fn frame(flag: u8, message: &[u8]) -> Vec<u8> {
    let mut frame = vec![flag];
    frame.put_u32(message.len() as u32);
    frame.extend_from_slice(message);
    frame
}

fn describe_default() -> Vec<u8> {
    DescribeNamespaceRequest { namespace: "default".to_owned(), ..Default::default() }.encode_to_vec()
}

#[track_caller]
fn assert_described(answer: &Answer) {
    assert_eq!((answer.http, answer.status.as_str()), (StatusCode::OK, "0"), "{answer:?}");
    assert_eq!(answer.data[0], 0, "not compressed");
    let described = DescribeNamespaceResponse::decode(&answer.data[5..]).unwrap();
    assert_eq!(described.namespace_info.unwrap().name, "default");
}

#[track_caller]
fn assert_refused(answer: &Answer, status: &str, message: &str) {
    assert_eq!((answer.status.as_str(), answer.message.as_str()), (status, message), "{answer:?}");
    assert!(answer.data.is_empty());
}

#[tokio::test]
async fn a_framed_request_gets_a_framed_answer() {
    let (_server, service) = service().await;
    assert_described(&send(&service, request(DESCRIBE, frame(0, &describe_default()))).await);
}

#[tokio::test]
async fn a_compressed_request_is_read() {
    let (_server, service) = service().await;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&describe_default()).unwrap();
    let mut compressed = request(DESCRIBE, frame(1, &encoder.finish().unwrap()));
    compressed.headers_mut().insert("grpc-encoding", "gzip".parse().unwrap());
    assert_described(&send(&service, compressed).await);
}

#[tokio::test]
async fn a_compression_that_is_not_known_is_named() {
    let (_server, service) = service().await;
    let mut compressed = request(DESCRIBE, frame(1, b"x"));
    compressed.headers_mut().insert("grpc-encoding", "zstd".parse().unwrap());
    let message = "grpc: Decompressor is not installed for grpc-encoding \"zstd\"";
    assert_refused(&send(&service, compressed).await, "12", message);
}

#[tokio::test]
async fn calls_that_do_not_exist_are_named() {
    let (_server, service) = service().await;
    let known = "temporal.api.workflowservice.v1.WorkflowService";
    for (path, message) in [
        (format!("/{known}/Dance"), format!("unknown method Dance for service {known}")),
        ("/shop.Orders/Place".to_owned(), "unknown service shop.Orders".to_owned()),
        ("/shop".to_owned(), "malformed method name: \"/shop\"".to_owned()),
    ] {
        assert_refused(&send(&service, request(&path, frame(0, b""))).await, "12", &message);
    }
}

#[tokio::test]
async fn what_is_not_grpc_is_refused() {
    let (_server, service) = service().await;
    let mut json = request(DESCRIBE, frame(0, b""));
    json.headers_mut().insert("content-type", "application/json".parse().unwrap());
    let answer = send(&service, json).await;
    assert_eq!(answer.http, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_refused(&answer, "3", "invalid gRPC request content-type \"application/json\"");
    let mut get = request(DESCRIBE, frame(0, b""));
    *get.method_mut() = http::Method::GET;
    let answer = send(&service, get).await;
    assert_eq!(answer.http, StatusCode::METHOD_NOT_ALLOWED);
    assert_refused(&answer, "13", "Received a HEADERS frame with :method \"GET\" which should be POST");
}

#[tokio::test]
async fn a_request_over_the_limit_is_refused_with_both_sizes() {
    let (_server, service) = service().await;
    let answer = send(&service, request(DESCRIBE, frame(0, &vec![0; 5_242_955]))).await;
    assert_refused(&answer, "8", "grpc: received message larger than max (5242955 vs. 4194304)");
}

#[tokio::test]
async fn bytes_that_are_no_request_are_refused_and_the_next_request_is_served() {
    let (_server, service) = service().await;
    let good = frame(0, &describe_default());
    let bodies: [(Vec<u8>, &str); 6] = [
        (vec![], "the request ended within its message"),
        (vec![0, 0, 0], "the request ended within its message"),
        (good[..good.len() - 1].to_vec(), "the request ended within its message"),
        ([&good[..], &[0, 0]].concat(), "the request ended within its message"),
        ([&good[..], &good[..]].concat(), "a request of one message has several"),
        (frame(0, b"\xff\xff\xff"), "grpc: error unmarshalling request"),
    ];
    for (body, message) in bodies {
        let answer = send(&service, request(DESCRIBE, body)).await;
        assert_eq!(answer.status, "13", "{answer:?}");
        assert!(answer.message.starts_with(message), "{answer:?}");
        assert_described(&send(&service, request(DESCRIBE, good.clone())).await);
    }
}

#[tokio::test]
async fn a_timeout_that_is_none_is_refused() {
    let (_server, service) = service().await;
    let mut odd = request(DESCRIBE, frame(0, &describe_default()));
    odd.headers_mut().insert("grpc-timeout", "soon".parse().unwrap());
    assert_refused(&send(&service, odd).await, "13", "malformed grpc-timeout: \"soon\"");
}

#[tokio::test]
async fn the_server_is_healthy_as_far_as_it_is_there() {
    let (_server, service) = service().await;
    for name in ["", "temporal.api.workflowservice.v1.WorkflowService", "grpc.health.v1.Health"] {
        let answer = send(&service, request(CHECK, frame(0, &health_request(name)))).await;
        assert_eq!((answer.status.as_str(), &answer.data[..]), ("0", &frame(0, &[8, 1])[..]), "{name}");
    }
    assert_refused(&send(&service, request(CHECK, frame(0, &health_request("shop")))).await, "5", "unknown service");
}

#[tokio::test]
async fn health_is_watched_until_the_server_stops() {
    let (server, mut service) = service().await;
    let watch = request("/grpc.health.v1.Health/Watch", frame(0, b""));
    let mut body = service.call(watch).await.unwrap().into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, frame(0, &[8, 1]));
    let next = tokio::spawn(async move { body.frame().await });
    server.shutdown().await;
    let trailers = next.await.unwrap().unwrap().unwrap().into_trailers().unwrap();
    assert_eq!(trailers["grpc-status"], "14");
}

fn health_request(service: &str) -> Vec<u8> {
    let mut request = vec![10, service.len() as u8];
    request.extend_from_slice(service.as_bytes());
    request
}
