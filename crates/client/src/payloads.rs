//! Payloads on their way through the codec, if there is one.

use stead_data::{CodecError, DataConverter, Failure, Payload, PayloadMap};
use stead_proto::{
    common::v1::{Header, Payloads},
    failure::v1::{Failure as WireFailure, failure::FailureInfo},
};

pub(crate) async fn encode(converter: &DataConverter, payloads: Vec<Payload>) -> Result<Vec<Payload>, CodecError> {
    match converter.codec() {
        Some(codec) if !payloads.is_empty() => codec.encode(payloads).await,
        _ => Ok(payloads),
    }
}

/// The wire's form of arguments; none at all if there are none.
pub(crate) async fn encode_arguments(
    converter: &DataConverter,
    payloads: Vec<Payload>,
) -> Result<Option<Payloads>, CodecError> {
    let payloads = encode(converter, payloads).await?;
    Ok((!payloads.is_empty()).then_some(Payloads { payloads }))
}

pub(crate) async fn decode(converter: &DataConverter, payloads: Vec<Payload>) -> Result<Vec<Payload>, CodecError> {
    match converter.codec() {
        Some(codec) if !payloads.is_empty() => codec.decode(payloads).await,
        _ => Ok(payloads),
    }
}

/// The first payload of a result: there is one, or none for nothing.
pub(crate) async fn decode_result(
    converter: &DataConverter,
    result: Option<Payloads>,
) -> Result<Option<Payload>, CodecError> {
    let payloads = result.map_or_else(Vec::new, |result| result.payloads);
    Ok(decode(converter, payloads).await?.into_iter().next())
}

pub(crate) async fn encode_map(converter: &DataConverter, map: PayloadMap) -> Result<PayloadMap, CodecError> {
    let (keys, payloads): (Vec<_>, Vec<_>) = map.into_iter().unzip();
    Ok(keys.into_iter().zip(encode(converter, payloads).await?).collect())
}

pub(crate) async fn decode_map(converter: &DataConverter, map: PayloadMap) -> Result<PayloadMap, CodecError> {
    let (keys, payloads): (Vec<_>, Vec<_>) = map.into_iter().unzip();
    Ok(keys.into_iter().zip(decode(converter, payloads).await?).collect())
}

/// Decodes the payloads of a failure and of its causes.
pub(crate) async fn decode_failure(
    converter: &DataConverter,
    mut failure: WireFailure,
) -> Result<Box<Failure>, CodecError> {
    let mut next = if converter.codec().is_some() { Some(&mut failure) } else { None };
    while let Some(failure) = next {
        if let Some(attributes) = failure.encoded_attributes.take() {
            failure.encoded_attributes = decode(converter, vec![attributes]).await?.pop();
        }
        if let Some(details) = details(failure) {
            details.payloads = decode(converter, std::mem::take(&mut details.payloads)).await?;
        }
        next = failure.cause.as_deref_mut();
    }
    Ok(Box::new(Failure::from_proto(failure)))
}

fn details(failure: &mut WireFailure) -> Option<&mut Payloads> {
    match failure.failure_info.as_mut()? {
        FailureInfo::ApplicationFailureInfo(info) => info.details.as_mut(),
        FailureInfo::CanceledFailureInfo(info) => info.details.as_mut(),
        FailureInfo::TimeoutFailureInfo(info) => info.last_heartbeat_details.as_mut(),
        FailureInfo::ResetWorkflowFailureInfo(info) => info.last_heartbeat_details.as_mut(),
        _ => None,
    }
}

/// Headers do not pass through the codec: they are an interceptor's, which may encode them as it likes.
pub(crate) fn header(headers: PayloadMap) -> Option<Header> {
    (!headers.is_empty()).then_some(Header { fields: headers })
}
