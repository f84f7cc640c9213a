use std::sync::{Arc, Mutex};

use prost::Message;
use stead_data::{
    BoxFuture, EncodedAttributes, ExternalStorage, PayloadCodec, StorageClaim, StorageDriver, StorageError,
};

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
    fn encode(
        &self,
        _: Failure,
        _: &SerializationContext,
    ) -> Result<Failure, Box<dyn std::error::Error + Send + Sync>> {
        Err("not this one".into())
    }

    fn decode(
        &self,
        failure: Failure,
        context: &SerializationContext,
    ) -> Result<Failure, Box<dyn std::error::Error + Send + Sync>> {
        self.encode(failure, context)
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

/// Keeps payloads in memory, and notes how many it was given and asked for at a time.
#[derive(Clone)]
struct Driver(Arc<Memory>);

#[derive(Default)]
struct Memory {
    name: &'static str,
    kept: Mutex<Vec<Payload>>,
    calls: Mutex<Vec<(&'static str, usize)>>,
}

impl std::ops::Deref for Driver {
    type Target = Memory;

    fn deref(&self) -> &Memory {
        &self.0
    }
}

impl StorageDriver for Driver {
    fn name(&self) -> &str {
        self.name
    }

    fn store<'a>(
        &'a self,
        payloads: Vec<Payload>,
        _: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<StorageClaim>, StorageError>> {
        self.calls.lock().unwrap().push(("store", payloads.len()));
        let mut kept = self.kept.lock().unwrap();
        let claim = |payload| {
            kept.push(payload);
            StorageClaim([("at".to_owned(), (kept.len() - 1).to_string())].into())
        };
        let claims = payloads.into_iter().map(claim).collect();
        Box::pin(async { Ok(claims) })
    }

    fn retrieve(&self, claims: Vec<StorageClaim>) -> BoxFuture<'_, Result<Vec<Payload>, StorageError>> {
        self.calls.lock().unwrap().push(("retrieve", claims.len()));
        let kept = self.kept.lock().unwrap();
        let found = claims.iter().map(|claim| kept[claim.0["at"].parse::<usize>().unwrap()].clone()).collect();
        Box::pin(async { Ok(found) })
    }
}

fn memory(name: &'static str) -> Driver {
    Driver(Arc::new(Memory { name, ..Memory::default() }))
}

fn stored_by(driver: &Driver) -> ExternalStorage {
    ExternalStorage::new(driver.clone()).min_size(20)
}

fn large(letter: &str) -> Payload {
    payload(&letter.repeat(30))
}

#[tokio::test]
async fn equal_payloads_are_stored_and_retrieved_once_and_small_ones_stay() {
    let driver = memory("m");
    let converter = DataConverter::new().with_external_storage(stored_by(&driver));
    let payloads = vec![large("a"), payload("small"), large("b"), large("a")];
    let mut travelling = payloads.clone();
    encode_parts(&converter, &mut [(workflow("w"), &mut travelling)]).await.expect("it is stored");
    assert_eq!(driver.kept.lock().unwrap().len(), 2);
    let reference = &travelling[0];
    assert_eq!(reference.metadata["encoding"], "json/protobuf");
    assert_eq!(reference.metadata["messageType"], "temporal.api.sdk.v1.ExternalStorageReference");
    assert_eq!(text(reference), r#"{"claimData":{"at":"0"},"driverName":"m"}"#);
    assert_eq!(reference.external_payloads[0].size_bytes, 32);
    assert_eq!((&travelling[1], &travelling[3]), (&payloads[1], reference));

    decode_parts(&converter, &mut [(workflow("w"), &mut travelling)]).await.expect("it is there");
    assert_eq!(travelling, payloads);
    assert_eq!(*driver.calls.lock().unwrap(), [("store", 2), ("retrieve", 2)]);
}

#[tokio::test]
async fn what_is_stored_is_encoded_and_the_reference_is_not() {
    let driver = memory("m");
    let converter =
        DataConverter::new().with_codec(Arc::new(Labels::default())).with_external_storage(stored_by(&driver));
    let mut travelling = large("a");
    encode_parts(&converter, &mut [(workflow("w"), &mut travelling)]).await.expect("it is stored");
    assert!(text(&driver.kept.lock().unwrap()[0]).starts_with("w:aaa"));
    assert!(text(&travelling).starts_with('{'));
    decode_parts(&converter, &mut [(workflow("w"), &mut travelling)]).await.expect("it is there");
    assert_eq!(travelling, large("a"));
}

#[tokio::test]
async fn a_driver_is_selected_by_owner_and_payload_and_found_again_by_name() {
    let (first, second) = (memory("first"), memory("second"));
    let storage = stored_by(&first).with(second.clone()).expect("another name");
    let storage = storage.select(|context, payload| match (context.workflow_id(), text(payload).as_bytes()[0]) {
        (Some("w"), b'a') => Some("second".to_owned()),
        (Some("w"), b'b') => None,
        _ => Some("nobody".to_owned()),
    });
    let converter = DataConverter::new().with_external_storage(storage);
    let mut travelling = vec![large("a"), large("b")];
    encode_parts(&converter, &mut [(workflow("w"), &mut travelling)]).await.expect("it is stored");
    assert_eq!((first.kept.lock().unwrap().len(), second.kept.lock().unwrap().len()), (0, 1));
    assert_eq!(travelling[1], large("b"));
    decode_parts(&converter, &mut [(workflow("other"), &mut travelling)]).await.expect("references name their driver");
    assert_eq!(travelling, [large("a"), large("b")]);
    let error =
        encode_parts(&converter, &mut [(workflow("other"), &mut travelling)]).await.expect_err("no such driver");
    assert_eq!(error.to_string(), "external storage failed: No driver found with name 'nobody'");
    let twice = stored_by(&first).with(memory("first")).expect_err("the name is taken");
    assert_eq!(twice.to_string(), "external storage failed: there are two drivers with the name `first`");
}

fn reference(encoding: &str, json: &str) -> Payload {
    let mut reference = payload(json);
    reference.metadata.insert("encoding".to_owned(), encoding.to_owned().into());
    reference.metadata.insert("messageType".to_owned(), "temporal.api.sdk.v1.ExternalStorageReference".into());
    reference
}

#[tokio::test]
async fn references_of_other_versions_and_of_codecs_are_read() {
    let driver = memory("m");
    driver.kept.lock().unwrap().push(payload("w:kept"));
    let converter =
        DataConverter::new().with_codec(Arc::new(Labels::default())).with_external_storage(stored_by(&driver));
    let legacy =
        reference("json/external-storage-reference", r#"{"driver_name":"m","driver_claim":{"claim_data":{"at":"0"}}}"#);
    let plain = reference("json/protobuf", r#"{"driver_name":"m","claim_data":{"at":"0"}}"#);
    let mut read = vec![legacy, plain];
    decode_parts(&converter, &mut [(workflow("w"), &mut read)]).await.expect("they are references");
    assert_eq!(read, [payload("kept"), payload("kept")]);

    let converter = DataConverter::new().with_codec(Arc::new(Turns)).with_external_storage(stored_by(&driver));
    let mut marked = turned(reference("json/protobuf", r#"{"driverName":"m","claimData":{"at":"0"}}"#));
    marked.metadata.insert("__temporal_external_storage_reference".to_owned(), "true".into());
    decode_parts(&converter, &mut [(workflow("w"), &mut marked)]).await.expect("it is a reference when it is decoded");
    assert_eq!(marked, turned(payload("w:kept")));
}

/// Turns text around.
struct Turns;

fn turned(payload: Payload) -> Payload {
    Payload { data: payload.data.iter().rev().copied().collect(), ..payload }
}

impl PayloadCodec for Turns {
    fn encode<'a>(
        &'a self,
        payloads: Vec<Payload>,
        _: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<Payload>, CodecError>> {
        Box::pin(async { Ok(payloads.into_iter().map(turned).collect()) })
    }

    fn decode<'a>(
        &'a self,
        payloads: Vec<Payload>,
        context: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<Payload>, CodecError>> {
        self.encode(payloads, context)
    }
}

#[tokio::test]
async fn a_reference_that_nobody_can_follow_says_what_is_missing() {
    let json = r#"{"driverName":"other","claimData":{}}"#;
    let without = DataConverter::new().with_codec(Arc::new(Turns));
    let mut read = reference("json/protobuf", json);
    let error = decode_parts(&without, &mut [(workflow("w"), &mut read)]).await.expect_err("no storage");
    assert!(error.to_string().contains("[TMPRL1105]"), "{error}");
    let error = DataConverter::new().from_payload::<String>(&reference("json/protobuf", json)).expect_err("no storage");
    assert!(std::error::Error::source(&error).expect("a cause").to_string().contains("[TMPRL1105]"));

    let with = DataConverter::new().with_external_storage(stored_by(&memory("m")));
    let mut read = reference("json/protobuf", json);
    let error = decode_parts(&with, &mut [(workflow("w"), &mut read)]).await.expect_err("another driver");
    assert_eq!(error.to_string(), "external storage failed: No driver found with name 'other'");
    let mut marked = payload("cipher");
    marked.metadata.insert("__temporal_external_storage_reference".to_owned(), "true".into());
    let error = decode_parts(&with, &mut [(workflow("w"), &mut marked)]).await.expect_err("no codec");
    assert!(error.to_string().contains("[TMPRL1106]"), "{error}");
}

/// Counts how often it is busy at the same time.
#[derive(Clone, Default)]
struct Counter(Arc<Mutex<(usize, usize)>>);

impl StorageDriver for Counter {
    fn name(&self) -> &str {
        "counter"
    }

    fn store<'a>(
        &'a self,
        payloads: Vec<Payload>,
        _: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<StorageClaim>, StorageError>> {
        Box::pin(async move {
            {
                let mut busy = self.0.lock().unwrap();
                busy.0 += 1;
                busy.1 = busy.1.max(busy.0);
            }
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            self.0.lock().unwrap().0 -= 1;
            Ok(vec![StorageClaim::default(); payloads.len()])
        })
    }

    fn retrieve(&self, claims: Vec<StorageClaim>) -> BoxFuture<'_, Result<Vec<Payload>, StorageError>> {
        Box::pin(async move { Ok(vec![Payload::default(); claims.len()]) })
    }
}

#[tokio::test(start_paused = true)]
async fn as_many_lists_are_with_drivers_at_the_same_time_as_may_be() {
    for (configured, expected) in [(None, 3), (Some(0), 1), (Some(5), 5)] {
        let counter = Counter::default();
        let storage = ExternalStorage::new(counter.clone()).min_size(20);
        let storage = configured.map_or(storage.clone(), |most| storage.max_concurrency(most));
        let converter = DataConverter::new().with_external_storage(storage);
        let mut lists: Vec<_> = ["a", "b", "c", "d", "e", "f"].map(|name| (name, vec![large(name), large("x")])).into();
        let mut parts: Vec<Part<'_>> = lists.iter_mut().map(|(name, list)| (workflow(name), list as _)).collect();
        let (transfers, began) = (Transfers::default(), tokio::time::Instant::now());
        encode_workflow_parts(&converter, &mut parts, &transfers).await.expect("it is stored");
        assert_eq!(counter.0.lock().unwrap().1, expected);
        assert_eq!(began.elapsed().as_secs() as usize, 6_usize.div_ceil(expected));
        let (up, size) = (transfers.uploads(), large("x").encoded_len());
        assert_eq!((up.payloads, up.bytes, up.duration.as_secs()), (12, 12 * size, 6));
        assert_eq!((up.drivers, transfers.downloads()), (["counter".to_owned()].into(), Transfer::default()));
    }
}
