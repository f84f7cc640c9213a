//! Payloads on their way to the server and back: through the payload and the failure converter, the codec and external
//! storage, if there are any. What is read goes through the payload converter where it is known as which type.
//!
//! A message is cut into parts, each with the context that its payloads belong to. The payloads of one context go
//! through the codec in one call, those of several contexts concurrently. Without anything to go through nothing
//! happens at all, and no context is made.

mod storage;
mod transfers;

use std::{borrow::Cow, collections::BTreeMap, mem, panic::AssertUnwindSafe};

use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use stead_data::{
    ActivityContext, BoxFuture, CodecError, DataConverter, Failure, FailureConverter, HeaderCodec, Payload, PayloadMap,
    SerializationContext, WorkflowContext,
};
use stead_proto::{
    common::v1::{Header, Payloads},
    failure::v1::Failure as WireFailure,
    visit::{VisitPayloads, Visitor},
};

use crate::client::Client;

pub use transfers::{Transfer, Transfers};

/// How many contexts of a message are with the codec at the same time.
const MAX_CONCURRENT: usize = 16;

/// A part of a message, and whose it is.
pub type Part<'a> = (SerializationContext, &'a mut (dyn VisitPayloads + Send));

/// Whether payloads of this converter go through anything.
pub fn has_stages(converter: &DataConverter) -> bool {
    converter.has_payload_converter()
        || converter.codec().is_some()
        || converter.failure_converter().is_some()
        || converter.external_storage().is_some()
}

/// Encodes what is about to be sent. If that fails the parts have lost their payloads.
///
/// # Errors
///
/// The payload converter refuses a value; the codec fails, panics, or does not return as many payloads as it got.
pub async fn encode_parts(converter: &DataConverter, parts: &mut [Part<'_>]) -> Result<(), CodecError> {
    let headers = converter.header_codec() == HeaderCodec::Always;
    encode_all(converter, headers, parts, &Transfers::default()).await
}

/// The same for what workflow code sends, and what external storage had to do is added to `transfers`.
///
/// # Errors
///
/// As [`encode_parts`].
pub async fn encode_workflow_parts(
    converter: &DataConverter,
    parts: &mut [Part<'_>],
    transfers: &Transfers,
) -> Result<(), CodecError> {
    encode_all(converter, converter.header_codec() != HeaderCodec::Never, parts, transfers).await
}

async fn encode_all(
    converter: &DataConverter,
    headers: bool,
    parts: &mut [Part<'_>],
    transfers: &Transfers,
) -> Result<(), CodecError> {
    if let Some(failures) = converter.failure_converter() {
        each_failure(parts, |failure, context| to_wire(&**failures, failure, context));
    }
    finish_drafts(converter, parts)?;
    through_stages(converter, Direction::Encode, headers, parts, transfers).await
}

/// Decodes what was received. If that fails the parts have lost their payloads.
///
/// # Errors
///
/// As [`encode_parts`].
pub async fn decode_parts(converter: &DataConverter, parts: &mut [Part<'_>]) -> Result<(), CodecError> {
    let headers = converter.header_codec() == HeaderCodec::Always;
    decode_all(converter, headers, parts, &Transfers::default()).await
}

/// The same for what workflow code gets, and what external storage had to do is added to `transfers`.
///
/// # Errors
///
/// As [`encode_parts`].
pub async fn decode_workflow_parts(
    converter: &DataConverter,
    parts: &mut [Part<'_>],
    transfers: &Transfers,
) -> Result<(), CodecError> {
    decode_all(converter, converter.header_codec() != HeaderCodec::Never, parts, transfers).await
}

async fn decode_all(
    converter: &DataConverter,
    headers: bool,
    parts: &mut [Part<'_>],
    transfers: &Transfers,
) -> Result<(), CodecError> {
    through_stages(converter, Direction::Decode, headers, parts, transfers).await?;
    if let Some(failures) = converter.failure_converter() {
        each_failure(parts, |failure, context| from_wire(&**failures, failure, context));
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Direction {
    Encode,
    Decode,
}

/// The payloads of one context.
struct Group<'a> {
    context: &'a SerializationContext,
    payloads: Vec<Payload>,
}

async fn through_stages(
    converter: &DataConverter,
    direction: Direction,
    headers: bool,
    parts: &mut [Part<'_>],
    transfers: &Transfers,
) -> Result<(), CodecError> {
    if converter.codec().is_none() && converter.external_storage().is_none() {
        return Ok(());
    }
    let (contexts, mut messages): (Vec<_>, Vec<_>) = parts.iter_mut().map(|(context, part)| (&*context, part)).unzip();
    let (mut groups, mut group_of) = (Vec::<Group<'_>>::new(), BTreeMap::new());
    let mut owners = Vec::with_capacity(messages.len());
    for (context, message) in contexts.into_iter().zip(&mut messages) {
        let group = *group_of.entry(context).or_insert_with(|| {
            groups.push(Group { context, payloads: Vec::new() });
            groups.len() - 1
        });
        let payloads = &mut groups[group].payloads;
        message.visit_payloads(&mut Each { headers, visit: |payload: &mut Payload| payloads.push(mem::take(payload)) });
        owners.push(group);
    }
    let groups: Vec<BoxFuture<'_, _>> =
        groups.into_iter().map(|group| Box::pin(transform(converter, direction, group, transfers)) as _).collect();
    let transformed: Vec<Vec<Payload>> = stream::iter(groups).buffered(max_concurrent(converter)).try_collect().await?;
    let mut transformed: Vec<_> = transformed.into_iter().map(Vec::into_iter).collect();
    for (message, group) in messages.iter_mut().zip(owners) {
        let visit = |place: &mut Payload| *place = transformed[group].next().unwrap_or_default();
        message.visit_payloads(&mut Each { headers, visit });
    }
    Ok(())
}

/// Shows each payload to `visit`, those of headers if they are asked for.
struct Each<F> {
    headers: bool,
    visit: F,
}

impl<F: FnMut(&mut Payload)> Visitor for Each<F> {
    fn payload(&mut self, payload: &mut Payload) {
        (self.visit)(payload);
    }

    fn wants_headers(&self) -> bool {
        self.headers
    }
}

/// The payloads of a group, transformed, and as many as there were.
async fn transform(
    converter: &DataConverter,
    direction: Direction,
    group: Group<'_>,
    transfers: &Transfers,
) -> Result<Vec<Payload>, CodecError> {
    let Group { context, payloads } = group;
    if payloads.is_empty() {
        return Ok(payloads);
    }
    let expected = payloads.len();
    let transform = async {
        match direction {
            Direction::Encode => encode_group(converter, payloads, context, transfers).await,
            Direction::Decode => decode_group(converter, payloads, context, transfers).await,
        }
    };
    // Not with the panic's text: what goes to the server must not show what was to be encoded.
    let panicked = |_| Err(CodecError::new("it panicked"));
    let transformed = AssertUnwindSafe(transform).catch_unwind().await.unwrap_or_else(panicked)?;
    check_count(&transformed, expected)?;
    Ok(transformed)
}

async fn encode_group(
    converter: &DataConverter,
    mut payloads: Vec<Payload>,
    context: &SerializationContext,
    transfers: &Transfers,
) -> Result<Vec<Payload>, CodecError> {
    if let Some(codec) = converter.codec() {
        let expected = payloads.len();
        payloads = codec.encode(payloads, context).await?;
        check_count(&payloads, expected)?;
    }
    match converter.external_storage() {
        Some(external) => storage::store(external, payloads, context, transfers).await,
        None => Ok(payloads),
    }
}

async fn decode_group(
    converter: &DataConverter,
    payloads: Vec<Payload>,
    context: &SerializationContext,
    transfers: &Transfers,
) -> Result<Vec<Payload>, CodecError> {
    let payloads = storage::retrieve(converter, payloads, context, transfers).await?;
    match converter.codec() {
        Some(codec) => codec.decode(payloads, context).await,
        None => Ok(payloads),
    }
}

fn check_count(payloads: &[Payload], expected: usize) -> Result<(), CodecError> {
    match payloads.len() {
        found if found == expected => Ok(()),
        found => Err(CodecError::new(format!("{expected} payloads became {found}"))),
    }
}

fn max_concurrent(converter: &DataConverter) -> usize {
    converter.external_storage().map_or(MAX_CONCURRENT, |storage| storage.concurrency())
}

/// Has the payload converter convert what was waiting for its owner.
fn finish_drafts(converter: &DataConverter, parts: &mut [Part<'_>]) -> Result<(), CodecError> {
    if !converter.has_payload_converter() {
        return Ok(());
    }
    let mut outcome = Ok(());
    for (context, part) in parts {
        part.visit_payloads(&mut |payload: &mut Payload| {
            if outcome.is_ok() {
                outcome = converter.finish(payload, context);
            }
        });
    }
    outcome
}

/// Shows each failure of the parts, with its causes, to `change`.
fn each_failure(parts: &mut [Part<'_>], change: impl Fn(Failure, &SerializationContext) -> Failure) {
    struct Failures<'a, F>(F, &'a SerializationContext);

    impl<F: Fn(Failure, &SerializationContext) -> Failure> Visitor for Failures<'_, F> {
        fn payload(&mut self, _: &mut Payload) {}

        fn failure(&mut self, failure: &mut WireFailure) {
            *failure = self.0(Failure::from_proto(mem::take(failure)), self.1).into_proto();
        }
    }

    for (context, part) in parts {
        part.visit_payloads(&mut Failures(&change, context));
    }
}

fn to_wire(failures: &dyn FailureConverter, failure: Failure, context: &SerializationContext) -> Failure {
    failures.encode(failure, context).unwrap_or_else(|error| {
        Failure::application(format!("Failed building exception result: {error}")).type_name("FailureConversionError")
    })
}

fn from_wire(failures: &dyn FailureConverter, failure: Failure, context: &SerializationContext) -> Failure {
    failures.decode(failure.clone(), context).unwrap_or_else(|error| {
        tracing::warn!(target: "stead::client", %error, "a failure stays as it came: the failure converter failed");
        failure
    })
}

/// Whose payloads a call of a client is about, and the client.
pub(crate) struct Owner<'a> {
    client: &'a Client,
    workflow_id: &'a str,
    run_id: &'a str,
    workflow_type: &'a str,
    activity_id: Option<&'a str>,
    given: Option<&'a SerializationContext>,
}

impl<'a> Owner<'a> {
    /// A workflow.
    pub(crate) fn workflow(client: &'a Client, workflow_id: &'a str) -> Self {
        Self { client, workflow_id, run_id: "", workflow_type: "", activity_id: None, given: None }
    }

    /// An activity that no workflow started.
    pub(crate) fn activity(client: &'a Client, activity_id: &'a str) -> Self {
        Self { activity_id: Some(activity_id), ..Self::unknown(client) }
    }

    /// Nobody that is known.
    pub(crate) fn unknown(client: &'a Client) -> Self {
        Self::workflow(client, "")
    }

    /// Whoever somebody said.
    pub(crate) fn given(client: &'a Client, owner: &'a SerializationContext) -> Self {
        Self { given: Some(owner), ..Self::unknown(client) }
    }

    pub(crate) fn run(self, run_id: &'a str) -> Self {
        Self { run_id, ..self }
    }

    pub(crate) fn workflow_type(self, workflow_type: &'a str) -> Self {
        Self { workflow_type, ..self }
    }

    fn converter(&self) -> &DataConverter {
        self.client.data_converter()
    }

    /// What reads payloads of this owner.
    pub(crate) fn reader(&self) -> Cow<'_, DataConverter> {
        self.converter().in_context(|| self.context())
    }

    fn context(&self) -> SerializationContext {
        if let Some(given) = self.given {
            return given.clone();
        }
        let named = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        if let Some(activity_id) = self.activity_id {
            let mut activity = ActivityContext::new(self.client.namespace(), activity_id);
            activity.run_id = named(self.run_id);
            return activity.into();
        }
        if self.workflow_id.is_empty() {
            return SerializationContext::Unknown;
        }
        let mut workflow = WorkflowContext::new(self.client.namespace(), self.workflow_id);
        workflow.run_id = named(self.run_id);
        workflow.workflow_type = named(self.workflow_type);
        workflow.into()
    }
}

pub(crate) async fn encode<M: VisitPayloads + Send>(owner: &Owner<'_>, mut message: M) -> Result<M, CodecError> {
    if has_stages(owner.converter()) {
        encode_parts(owner.converter(), &mut [(owner.context(), &mut message)]).await?;
    }
    Ok(message)
}

pub(crate) async fn decode<M: VisitPayloads + Send>(owner: &Owner<'_>, mut message: M) -> Result<M, CodecError> {
    if has_stages(owner.converter()) {
        decode_parts(owner.converter(), &mut [(owner.context(), &mut message)]).await?;
    }
    Ok(message)
}

/// The wire's form of arguments; none at all if there are none.
pub(crate) async fn encode_arguments(
    owner: &Owner<'_>,
    payloads: Vec<Payload>,
) -> Result<Option<Payloads>, CodecError> {
    let payloads = encode(owner, payloads).await?;
    Ok((!payloads.is_empty()).then_some(Payloads { payloads }))
}

/// The first payload of a result: there is one, or none for nothing.
pub(crate) async fn decode_result(owner: &Owner<'_>, result: Option<Payloads>) -> Result<Option<Payload>, CodecError> {
    let payloads = result.map_or_else(Vec::new, |result| result.payloads);
    Ok(decode(owner, payloads).await?.into_iter().next())
}

/// Decodes a failure, its causes and their payloads.
pub(crate) async fn decode_failure(owner: &Owner<'_>, failure: WireFailure) -> Result<Box<Failure>, CodecError> {
    Ok(Box::new(Failure::from_proto(decode(owner, failure).await?)))
}

/// The wire's form of headers; none at all if there are none.
pub(crate) async fn header(owner: &Owner<'_>, headers: PayloadMap) -> Result<Option<Header>, CodecError> {
    encode(owner, (!headers.is_empty()).then_some(Header { fields: headers })).await
}

#[cfg(test)]
mod tests;
