use std::sync::{Arc, Mutex};

use stead_data::{BoxFuture, EncodedAttributes, PayloadCodec};

use super::*;

/// Returns as many payloads as it is told, whatever it gets.
struct Returns(usize);

impl PayloadCodec for Returns {
    fn encode<'a>(
        &'a self,
        _payloads: Vec<Payload>,
        _context: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<Payload>, CodecError>> {
        Box::pin(async { Ok(vec![payload("x"); self.0]) })
    }

    fn decode<'a>(
        &'a self,
        payloads: Vec<Payload>,
        context: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<Payload>, CodecError>> {
        self.encode(payloads, context)
    }
}

/// Writes the workflow's id before each payload, and notes the calls.
#[derive(Default)]
struct Labels(Mutex<Vec<(String, usize)>>);

impl PayloadCodec for Labels {
    fn encode<'a>(
        &'a self,
        payloads: Vec<Payload>,
        context: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<Payload>, CodecError>> {
        let id = context.workflow_id().unwrap_or("nobody");
        self.0.lock().expect("no test panics with it").push((id.to_owned(), payloads.len()));
        let label = move |it: Payload| payload(&format!("{id}:{}", text(&it)));
        Box::pin(async move { Ok(payloads.into_iter().map(label).collect()) })
    }

    fn decode<'a>(
        &'a self,
        payloads: Vec<Payload>,
        context: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<Payload>, CodecError>> {
        let id = context.workflow_id().unwrap_or("nobody").to_owned();
        Box::pin(async move {
            let open = |it: Payload| text(&it).strip_prefix(&format!("{id}:")).map(payload);
            payloads.into_iter().map(open).collect::<Option<_>>().ok_or_else(|| CodecError::new("another's"))
        })
    }
}

fn payload(text: &str) -> Payload {
    Payload { data: text.to_owned().into(), ..Payload::default() }
}

fn text(payload: &Payload) -> &str {
    str::from_utf8(&payload.data).expect("the tests use text")
}

fn workflow(id: &str) -> SerializationContext {
    WorkflowContext::new("default", id).into()
}

async fn both_ways(codec: usize, mut payloads: Vec<Payload>) -> [Result<(), CodecError>; 2] {
    let converter = DataConverter::new().with_codec(Arc::new(Returns(codec)));
    let encoded = encode_parts(&converter, &mut [(workflow("a"), &mut payloads.clone())]).await;
    [encoded, decode_parts(&converter, &mut [(workflow("a"), &mut payloads)]).await]
}

#[tokio::test]
async fn a_codec_that_loses_or_invents_payloads_is_an_error() {
    for payloads in [0, 1, 3] {
        for result in both_ways(payloads, vec![payload("a"), payload("b")]).await {
            let wanted = format!("payload codec failed: 2 payloads became {payloads}");
            assert_eq!(result.expect_err("two went in").to_string(), wanted);
        }
    }
}

#[tokio::test]
async fn nothing_does_not_trouble_the_codec() {
    for result in both_ways(1, Vec::new()).await {
        result.expect("it is not asked");
    }
}

#[tokio::test]
async fn keys_stay_with_their_payloads() {
    let mut memo = PayloadMap::from([("a".to_owned(), payload("1")), ("b".to_owned(), payload("2"))]);
    let converter = DataConverter::new().with_codec(Arc::new(Labels::default()));
    encode_parts(&converter, &mut [(workflow("w"), &mut memo)]).await.expect("it encodes");
    assert_eq!(memo, [("a".to_owned(), payload("w:1")), ("b".to_owned(), payload("w:2"))].into());
}

#[tokio::test]
async fn payloads_of_one_context_go_together_and_come_back_to_where_they_were() {
    let codec = Arc::new(Labels::default());
    let converter = DataConverter::new().with_codec(Arc::<Labels>::clone(&codec));
    let (mut first, mut second, mut third) = (vec![payload("1"), payload("2")], vec![payload("3")], payload("4"));
    let mut parts: [Part<'_>; 3] =
        [(workflow("a"), &mut first), (workflow("b"), &mut second), (workflow("a"), &mut third)];
    encode_parts(&converter, &mut parts).await.expect("it encodes");
    assert_eq!((text(&first[1]), text(&second[0]), text(&third)), ("a:2", "b:3", "a:4"));
    let calls = [("a".to_owned(), 3), ("b".to_owned(), 1)];
    assert_eq!(*codec.0.lock().expect("no test panics with it"), calls);

    let mut parts: [Part<'_>; 2] = [(workflow("b"), &mut second), (workflow("a"), &mut first)];
    decode_parts(&converter, &mut parts).await.expect("the contexts are the same");
    assert_eq!((text(&first[0]), text(&second[0])), ("1", "3"));
    let error = decode_parts(&converter, &mut [(workflow("b"), &mut third)]).await.expect_err("it is the context of a");
    assert_eq!(error.to_string(), "payload codec failed: another's");
}

#[tokio::test]
async fn encoded_attributes_go_through_the_codec_along_all_causes() {
    let converter = DataConverter::new()
        .with_codec(Arc::new(Labels::default()))
        .with_failure_converter(Arc::new(EncodedAttributes));
    let failure = Failure::application("outer").stack_trace("line 1").cause(Failure::cancelled("inner"));
    let mut wire = failure.clone().into_proto();
    encode_parts(&converter, &mut [(workflow("w"), &mut wire)]).await.expect("it encodes");
    let cause = wire.cause.as_deref().expect("a cause");
    assert_eq!([&*wire.message, &*cause.message, &*wire.stack_trace], ["Encoded failure", "Encoded failure", ""]);
    let attributes = wire.encoded_attributes.as_ref().map(text);
    assert_eq!(attributes, Some(r#"w:{"message":"outer","stack_trace":"line 1"}"#));
}

/// Refuses all failures on both ways.
struct Refuses;

impl FailureConverter for Refuses {
    fn to_wire(
        &self,
        _: Failure,
        _: &SerializationContext,
    ) -> Result<Failure, Box<dyn std::error::Error + Send + Sync>> {
        Err("not this one".into())
    }

    fn from_wire(
        &self,
        failure: Failure,
        context: &SerializationContext,
    ) -> Result<Failure, Box<dyn std::error::Error + Send + Sync>> {
        self.to_wire(failure, context)
    }
}

#[tokio::test]
async fn a_failure_that_cannot_be_converted_is_told_as_that_and_stays_as_it_came() {
    let converter = DataConverter::new().with_failure_converter(Arc::new(Refuses));
    let mut wire = Failure::application("secret").into_proto();
    decode_parts(&converter, &mut [(workflow("w"), &mut wire)]).await.expect("it stays");
    assert_eq!(wire.message, "secret");
    encode_parts(&converter, &mut [(workflow("w"), &mut wire)]).await.expect("it is replaced");
    assert_eq!(wire.message, "Failed building exception result: not this one");
}
