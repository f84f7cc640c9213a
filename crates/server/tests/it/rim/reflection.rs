//! The server's description of itself.

use std::collections::BTreeSet;

use bytes::{Buf, Bytes};
use http::Request;
use http_body_util::{BodyExt, Full};
use prost::Message;
use prost_types::FileDescriptorProto;
use stead_server::{Clock, Server};
use tower_service::Service as _;

const WORKFLOW_SERVICE: &str = "temporal.api.workflowservice.v1.WorkflowService";

/// What the tests read of an answer.
#[derive(Clone, PartialEq, Message)]
struct Answer {
    #[prost(message, optional, tag = "4")]
    files: Option<Files>,
    #[prost(message, optional, tag = "6")]
    services: Option<Services>,
    #[prost(message, optional, tag = "7")]
    error: Option<Error>,
}

#[derive(Clone, PartialEq, Message)]
struct Files {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    files: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
struct Services {
    #[prost(message, repeated, tag = "1")]
    services: Vec<Service>,
}

#[derive(Clone, PartialEq, Message)]
struct Service {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, Message)]
struct Error {
    #[prost(int32, tag = "1")]
    code: i32,
}

/// Asks everything in one stream: a field's number and its text.
async fn ask(clock: Clock, version: &str, questions: &[(u8, &str)]) -> (Vec<Answer>, String) {
    let server = Server::in_memory().clock(clock).start().await.unwrap();
    let mut body = Vec::new();
    for (field, text) in questions {
        let message = [&[field << 3 | 2, text.len() as u8], text.as_bytes()].concat();
        body.extend([&[0][..], &(message.len() as u32).to_be_bytes(), &message].concat());
    }
    let path = format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
    let request = Request::post(path).header("content-type", "application/grpc").body(Full::new(Bytes::from(body)));
    let body = server.service().call(request.unwrap()).await.unwrap().into_body().collect().await.unwrap();
    let status = body.trailers().unwrap()["grpc-status"].to_str().unwrap().to_owned();
    let mut data = body.to_bytes();
    let mut answers = Vec::new();
    while data.has_remaining() {
        assert_eq!(data.get_u8(), 0);
        let length = data.get_u32() as usize;
        answers.push(Answer::decode(data.split_to(length)).unwrap());
    }
    (answers, status)
}

fn names(answer: &Answer) -> Vec<&str> {
    answer.services.as_ref().unwrap().services.iter().map(|service| service.name.as_str()).collect()
}

#[tokio::test]
async fn services_are_listed_in_both_versions() {
    for version in ["v1", "v1alpha"] {
        let (answers, status) = ask(Clock::real(), version, &[(7, "")]).await;
        assert_eq!((names(&answers[0])[0], status.as_str()), (WORKFLOW_SERVICE, "0"), "{version}");
    }
    let test_service = "temporal.api.testservice.v1.TestService";
    let (answers, _) = ask(Clock::real(), "v1", &[(7, "")]).await;
    assert!(!names(&answers[0]).contains(&test_service));
    let (answers, _) = ask(Clock::skipping(), "v1", &[(7, "")]).await;
    assert!(names(&answers[0]).contains(&test_service));
}

#[tokio::test]
async fn a_service_comes_with_everything_that_it_refers_to_once() {
    let method = format!("{WORKFLOW_SERVICE}.StartWorkflowExecution");
    let (answers, _) = ask(Clock::real(), "v1", &[(4, WORKFLOW_SERVICE), (4, &method)]).await;
    let file = |bytes: &Bytes| FileDescriptorProto::decode(bytes.clone()).unwrap();
    let files: Vec<_> = answers[0].files.as_ref().unwrap().files.iter().map(file).collect();
    assert_eq!(files[0].name(), "temporal/api/workflowservice/v1/service.proto");
    let there: BTreeSet<_> = files.iter().map(|file| file.name()).collect();
    assert_eq!(there.len(), files.len());
    for file in &files {
        let missing: Vec<_> = file.dependency.iter().filter(|name| !there.contains(name.as_str())).collect();
        assert!(missing.is_empty(), "{} imports {missing:?}", file.name());
    }
    let again = &answers[1].files.as_ref().unwrap().files;
    assert_eq!(again.len(), 1, "the caller has the rest");
    assert_eq!(file(&again[0]).name(), files[0].name());
}

#[tokio::test]
async fn messages_and_files_are_found_and_what_is_not_there_is_refused_without_ending_the_stream() {
    let nested = "temporal.api.workflowservice.v1.GetSystemInfoResponse.Capabilities";
    let questions = [(4, nested), (4, "shop.Order"), (3, "temporal/api/common/v1/message.proto"), (4, "temporal")];
    let (answers, status) = ask(Clock::real(), "v1", &questions).await;
    assert!(answers[0].files.is_some());
    assert_eq!(answers[1].error, Some(Error { code: 5 }));
    assert!(answers[2].files.is_some());
    assert_eq!(answers[3].error, Some(Error { code: 5 }));
    assert_eq!(status, "0");
}

#[tokio::test]
async fn a_question_that_is_none_ends_the_stream() {
    let (answers, status) = ask(Clock::real(), "v1", &[(9, "x"), (7, "")]).await;
    assert_eq!((answers.len(), status.as_str()), (0, "3"));
}
