//! `grpc.reflection.v1.ServerReflection`, and `v1alpha`, which is the same: what the server's services are, for tools
//! that have no descriptions of their own. Health and reflection are listed and not described.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame};
use prost::{Message, Oneof};
use prost_types::{DescriptorProto, FileDescriptorProto, FileDescriptorSet};

use super::frame::{Frames, framed};
use super::gzip::Encoding;
use super::health::unreadable;
use super::status::{failure, success};
use crate::engine::{Code, Refusal};

pub(super) const SERVICES: [&str; 2] =
    ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"];

#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(string, tag = "1")]
    host: String,
    #[prost(oneof = "Question", tags = "3, 4, 5, 6, 7")]
    question: Option<Question>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Question {
    #[prost(string, tag = "3")]
    FileByName(String),
    #[prost(string, tag = "4")]
    FileContainingSymbol(String),
    #[prost(bytes = "bytes", tag = "5")]
    FileContainingExtension(Bytes),
    #[prost(string, tag = "6")]
    ExtensionsOfType(String),
    #[prost(string, tag = "7")]
    ListServices(String),
}

#[derive(Clone, PartialEq, Message)]
struct Response {
    #[prost(string, tag = "1")]
    host: String,
    #[prost(message, optional, tag = "2")]
    request: Option<Request>,
    #[prost(oneof = "Answer", tags = "4, 6, 7")]
    answer: Option<Answer>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Answer {
    #[prost(message, tag = "4")]
    Files(Files),
    #[prost(message, tag = "6")]
    Services(Services),
    #[prost(message, tag = "7")]
    Error(Error),
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
    #[prost(string, tag = "2")]
    message: String,
}

/// The answers to a stream of questions, each given when it is asked for.
pub(super) struct Exchange<B> {
    questions: Pin<Box<B>>,
    frames: Frames,
    /// The services that are there.
    services: Vec<&'static str>,
    /// Files that the caller has.
    sent: BTreeSet<usize>,
    ended: bool,
}

impl<B: HttpBody<Data = Bytes>> Exchange<B> {
    pub(super) fn new(questions: B, encoding: Encoding, services: Vec<&'static str>) -> Self {
        let frames = Frames::new(encoding);
        Self { questions: Box::pin(questions), frames, services, sent: BTreeSet::new(), ended: false }
    }

    fn answer(&mut self, question: Bytes) -> Result<Bytes, Refusal> {
        let request = Request::decode(question).map_err(|error| unreadable(&error))?;
        let answer = match &request.question {
            Some(Question::ListServices(_)) => self.list(),
            Some(Question::FileByName(name)) => self.files(name, |file| file.name() == name),
            Some(Question::FileContainingSymbol(symbol)) => self.files(symbol, |file| contains(file, symbol)),
            Some(Question::FileContainingExtension(_) | Question::ExtensionsOfType(_)) => not_found("the extension"),
            None => return Err(Refusal::invalid("the question is not set")),
        };
        let response = Response { host: request.host.clone(), request: Some(request), answer: Some(answer) };
        framed(response.encoded_len(), |buffer| response.encode_raw(buffer))
    }

    fn list(&self) -> Answer {
        let services = self.services.iter().map(|&name| Service { name: name.to_owned() }).collect();
        Answer::Services(Services { services })
    }

    /// The file, and what it imports that the caller does not have.
    fn files(&mut self, what: &str, wanted: impl Fn(&FileDescriptorProto) -> bool) -> Answer {
        let known = known();
        let Some(found) = known.iter().position(wanted) else {
            return not_found(what);
        };
        self.sent.remove(&found);
        let mut pending = vec![found];
        let mut files = Vec::new();
        while let Some(index) = pending.pop() {
            if self.sent.insert(index) {
                let imports = known[index].dependency.iter();
                pending.extend(imports.filter_map(|import| known.iter().position(|file| file.name() == import)));
                files.push(known[index].encode_to_vec().into());
            }
        }
        Answer::Files(Files { files })
    }

    fn end(&mut self, refusal: Option<&Refusal>) -> Frame<Bytes> {
        self.ended = true;
        Frame::trailers(refusal.map_or_else(success, failure))
    }
}

impl<B: HttpBody<Data = Bytes>> HttpBody for Exchange<B> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        while !self.ended {
            let asked = self.frames.next().and_then(|question| question.map(|bytes| self.answer(bytes)).transpose());
            let frame = match asked {
                Ok(Some(answer)) => Frame::data(answer),
                Err(refusal) => self.end(Some(&refusal)),
                Ok(None) => match ready!(self.questions.as_mut().poll_frame(context)) {
                    Some(Ok(frame)) => {
                        if let Ok(data) = frame.into_data() {
                            self.frames.push(data);
                        }
                        continue;
                    }
                    Some(Err(_)) | None => self.end(None),
                },
            };
            return Poll::Ready(Some(Ok(frame)));
        }
        Poll::Ready(None)
    }
}

fn not_found(what: &str) -> Answer {
    Answer::Error(Error { code: Code::NotFound as i32, message: format!("{what} is not described here") })
}

/// The files that are described. They are read when somebody asks first.
fn known() -> &'static [FileDescriptorProto] {
    static KNOWN: OnceLock<Vec<FileDescriptorProto>> = OnceLock::new();
    KNOWN.get_or_init(|| {
        FileDescriptorSet::decode(stead_proto::SERVICE_DESCRIPTORS).map_or_else(|_| Vec::new(), |set| set.file)
    })
}

/// Whether a file defines a service, a method, a message or an enum of this full name.
fn contains(file: &FileDescriptorProto, symbol: &str) -> bool {
    let Some(path) = symbol.strip_prefix(file.package()).and_then(|rest| rest.strip_prefix('.')) else {
        return false;
    };
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let service = file.service.iter().find(|service| service.name() == first);
    let is_method = service
        .is_some_and(|service| rest.is_none_or(|method| service.method.iter().any(|known| known.name() == method)));
    let is_enum = rest.is_none() && file.enum_type.iter().any(|kind| kind.name() == first);
    is_method || is_enum || file.message_type.iter().any(|message| message.name() == first && holds(message, rest))
}

fn holds(message: &DescriptorProto, path: Option<&str>) -> bool {
    let Some(path) = path else { return true };
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let nested = message.nested_type.iter().any(|nested| nested.name() == first && holds(nested, rest));
    nested || rest.is_none() && message.enum_type.iter().any(|kind| kind.name() == first)
}
