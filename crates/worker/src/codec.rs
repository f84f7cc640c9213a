//! The user's codec, applied to whole messages on their way in and out.
//!
//! It runs on the asynchronous runtime, never on a shard, and sees the payloads of a message in one call.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use stead_data::{CodecError, Failure, PayloadCodec};
use stead_proto::failure::v1::Failure as ProtoFailure;
use stead_proto::visit::{VisitPayloads, put_back_payloads, take_payloads};

/// A codec, or none, which costs nothing.
#[derive(Clone, Default)]
pub(crate) struct Codec(Option<Arc<dyn PayloadCodec>>);

#[derive(Clone, Copy)]
enum Direction {
    Encode,
    Decode,
}

impl Codec {
    pub(crate) fn new(codec: Option<Arc<dyn PayloadCodec>>) -> Self {
        Self(codec)
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.is_some()
    }

    /// Decodes what was received. If that fails the message has lost its payloads.
    pub(crate) async fn decode(&self, message: &mut impl VisitPayloads) -> Result<(), CodecError> {
        self.apply(Direction::Decode, message).await
    }

    /// Encodes what is about to be sent.
    pub(crate) async fn encode<M: VisitPayloads>(&self, mut message: M) -> Result<M, CodecError> {
        self.apply(Direction::Encode, &mut message).await?;
        Ok(message)
    }

    /// Encodes a failure. If that fails the failure itself cannot be told, as it may hold what must not be seen, but
    /// that there was one must not get lost.
    pub(crate) async fn encode_failure_or_say_why(&self, failure: ProtoFailure) -> ProtoFailure {
        self.encode(failure).await.unwrap_or_else(|error| {
            let message = format!("a failure that cannot be shown: {error}");
            Failure::application(message).type_name(FAILURE_TYPE).into_proto()
        })
    }

    async fn apply(&self, direction: Direction, message: &mut impl VisitPayloads) -> Result<(), CodecError> {
        let Some(codec) = &self.0 else { return Ok(()) };
        let payloads = take_payloads(message);
        if payloads.is_empty() {
            return Ok(());
        }
        let transform = async {
            match direction {
                Direction::Encode => codec.encode(payloads).await,
                Direction::Decode => codec.decode(payloads).await,
            }
        };
        // Not with the panic's text: what goes to the server must not show what was to be encoded.
        let panicked = |_| Err(CodecError::new("it panicked"));
        let transformed = AssertUnwindSafe(transform).catch_unwind().await.unwrap_or_else(panicked)?;
        put_back_payloads(message, transformed).map_err(|error| CodecError::new(error.to_string()))
    }
}

/// What a codec's error does to a task. It may be retried: the key may be back by then.
pub(crate) fn failure(error: &CodecError) -> Failure {
    Failure::application(error.to_string()).type_name(FAILURE_TYPE)
}

const FAILURE_TYPE: &str = "PayloadCodecError";

#[cfg(test)]
mod tests {
    use stead_data::{BoxFuture, Payload};
    use stead_proto::command::v1::command::Attributes as CommandAttributes;
    use stead_proto::command::v1::{
        Command, CompleteWorkflowExecutionCommandAttributes, RecordMarkerCommandAttributes,
    };
    use stead_proto::common::v1::{Header, Payloads};
    use stead_proto::failure::v1::failure::FailureInfo;
    use stead_proto::failure::v1::{ApplicationFailureInfo, CanceledFailureInfo};
    use stead_proto::protocol::v1::Message;
    use stead_proto::update::v1::{Input, Request};
    use stead_proto::workflowservice::v1::{PollActivityTaskQueueResponse, RespondWorkflowTaskCompletedRequest};

    use super::*;

    /// Adds a letter when it encodes, and takes one away when it decodes.
    struct Letter;

    impl PayloadCodec for Letter {
        fn encode(&self, payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
            let encode = |it: Payload| payload(&format!("x{}", text(&it)));
            Box::pin(async move { Ok(payloads.into_iter().map(encode).collect()) })
        }

        fn decode(&self, payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
            let decode = |it: Payload| payload(text(&it).strip_prefix('x').unwrap_or(text(&it)));
            Box::pin(async move { Ok(payloads.into_iter().map(decode).collect()) })
        }
    }

    /// Loses all payloads.
    struct Lossy;

    impl PayloadCodec for Lossy {
        fn encode(&self, _payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
            Box::pin(async { Ok(Vec::new()) })
        }

        fn decode(&self, _payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
            Box::pin(async { Err(CodecError::new("no key")) })
        }
    }

    fn payload(text: &str) -> Payload {
        Payload { data: text.to_owned().into(), ..Payload::default() }
    }

    fn text(payload: &Payload) -> &str {
        std::str::from_utf8(&payload.data).expect("the tests use text")
    }

    fn payloads(text: &str) -> Option<Payloads> {
        Some(Payloads { payloads: vec![payload(text)] })
    }

    fn request(arguments: &str) -> Request {
        Request {
            input: Some(Input {
                header: Some(Header { fields: [("trace".to_owned(), payload("h"))].into() }),
                name: "add".to_owned(),
                args: payloads(arguments),
            }),
            ..Request::default()
        }
    }

    #[tokio::test]
    async fn results_and_failures_and_updates_are_encoded_and_headers_and_patches_are_not() {
        let codec = Codec::new(Some(Arc::new(Letter)));
        let command = |attributes| Command { attributes: Some(attributes), ..Command::default() };
        let patch = RecordMarkerCommandAttributes {
            marker_name: "core_patch".to_owned(),
            details: [("patch-data".to_owned(), payloads("p").expect("some"))].into(),
            ..Default::default()
        };
        let complete = CompleteWorkflowExecutionCommandAttributes { result: payloads("r") };
        let body = prost_types::Any::from_msg(&request("u")).expect("a message");
        let encoded = codec
            .encode(RespondWorkflowTaskCompletedRequest {
                commands: vec![
                    command(CommandAttributes::RecordMarkerCommandAttributes(patch.clone())),
                    command(CommandAttributes::CompleteWorkflowExecutionCommandAttributes(complete)),
                ],
                messages: vec![Message { body: Some(body), ..Message::default() }],
                ..Default::default()
            })
            .await
            .expect("it encodes");

        assert_eq!(encoded.commands[0], command(CommandAttributes::RecordMarkerCommandAttributes(patch)));
        let complete = CompleteWorkflowExecutionCommandAttributes { result: payloads("xr") };
        assert_eq!(
            encoded.commands[1],
            command(CommandAttributes::CompleteWorkflowExecutionCommandAttributes(complete))
        );
        let body = encoded.messages[0].body.as_ref().expect("a body");
        assert_eq!(body.to_msg::<Request>(), Ok(request("xu")));
    }

    #[tokio::test]
    async fn failures_are_encoded_along_their_causes_and_decode_to_what_they_were() {
        let codec = Codec::new(Some(Arc::new(Letter)));
        let cause = ProtoFailure {
            failure_info: Some(FailureInfo::CanceledFailureInfo(CanceledFailureInfo {
                details: payloads("inner"),
                ..Default::default()
            })),
            ..Default::default()
        };
        let failure = ProtoFailure {
            cause: Some(Box::new(cause)),
            encoded_attributes: Some(payload("attributes")),
            failure_info: Some(FailureInfo::ApplicationFailureInfo(ApplicationFailureInfo {
                details: payloads("outer"),
                ..Default::default()
            })),
            ..Default::default()
        };
        let mut encoded = codec.encode_failure_or_say_why(failure.clone()).await;
        let mut seen = Vec::new();
        encoded.visit_payloads(&mut |it| seen.push(text(it).to_owned()));
        assert_eq!(seen, ["xattributes", "xouter", "xinner"]);
        codec.decode(&mut encoded).await.expect("it decodes");
        assert_eq!(encoded, failure);
    }

    #[tokio::test]
    async fn a_codec_that_fails_or_loses_payloads_is_an_error_and_shows_nothing() {
        let codec = Codec::new(Some(Arc::new(Lossy)));
        let mut task = PollActivityTaskQueueResponse { input: payloads("secret"), ..Default::default() };
        let error = codec.decode(&mut task).await.expect_err("there is no key");
        assert_eq!(error.to_string(), "payload codec failed: no key");
        let secret = Failure::application("secret").details(&"secret").into_proto();
        let shown = codec.encode_failure_or_say_why(secret).await;
        assert_eq!(shown.message, "a failure that cannot be shown: payload codec failed: 1 payloads became 0");
    }
}
