//! Payloads on their way through the codec, if there is one.

use stead_data::{CodecError, DataConverter, Failure, Payload, PayloadMap};
use stead_proto::{
    common::v1::{Header, Payloads},
    failure::v1::Failure as WireFailure,
    visit::{VisitPayloads, put_back_payloads, take_payloads},
};

pub(crate) async fn encode<M: VisitPayloads>(converter: &DataConverter, mut message: M) -> Result<M, CodecError> {
    let Some(codec) = converter.codec() else { return Ok(message) };
    let payloads = take_payloads(&mut message);
    if !payloads.is_empty() {
        put_back(&mut message, codec.encode(payloads).await?)?;
    }
    Ok(message)
}

pub(crate) async fn decode<M: VisitPayloads>(converter: &DataConverter, mut message: M) -> Result<M, CodecError> {
    let Some(codec) = converter.codec() else { return Ok(message) };
    let payloads = take_payloads(&mut message);
    if !payloads.is_empty() {
        put_back(&mut message, codec.decode(payloads).await?)?;
    }
    Ok(message)
}

fn put_back(message: &mut impl VisitPayloads, payloads: Vec<Payload>) -> Result<(), CodecError> {
    put_back_payloads(message, payloads).map_err(|error| CodecError::new(error.to_string()))
}

/// The wire's form of arguments; none at all if there are none.
pub(crate) async fn encode_arguments(
    converter: &DataConverter,
    payloads: Vec<Payload>,
) -> Result<Option<Payloads>, CodecError> {
    let payloads = encode(converter, payloads).await?;
    Ok((!payloads.is_empty()).then_some(Payloads { payloads }))
}

/// The first payload of a result: there is one, or none for nothing.
pub(crate) async fn decode_result(
    converter: &DataConverter,
    result: Option<Payloads>,
) -> Result<Option<Payload>, CodecError> {
    let payloads = result.map_or_else(Vec::new, |result| result.payloads);
    Ok(decode(converter, payloads).await?.into_iter().next())
}

/// Decodes the payloads of a failure and of its causes.
pub(crate) async fn decode_failure(
    converter: &DataConverter,
    failure: WireFailure,
) -> Result<Box<Failure>, CodecError> {
    Ok(Box::new(Failure::from_proto(decode(converter, failure).await?)))
}

/// Headers do not pass through the codec: they are an interceptor's, which may encode them as it likes.
pub(crate) fn header(headers: PayloadMap) -> Option<Header> {
    (!headers.is_empty()).then_some(Header { fields: headers })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use stead_data::{BoxFuture, PayloadCodec};

    use super::*;

    /// Returns as many payloads as it is told, whatever it gets.
    struct Returns(usize);

    impl PayloadCodec for Returns {
        fn encode(&self, _payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
            Box::pin(async { Ok(vec![payload("x"); self.0]) })
        }

        fn decode(&self, payloads: Vec<Payload>) -> BoxFuture<'_, Result<Vec<Payload>, CodecError>> {
            self.encode(payloads)
        }
    }

    fn payload(text: &str) -> Payload {
        Payload { data: text.to_owned().into(), ..Payload::default() }
    }

    fn returns(payloads: usize) -> DataConverter {
        DataConverter::new().with_codec(Arc::new(Returns(payloads)))
    }

    #[tokio::test]
    async fn a_codec_that_loses_or_invents_payloads_is_an_error() {
        for payloads in [0, 1, 3] {
            let two = vec![payload("a"), payload("b")];
            let wanted = format!("payload codec failed: 2 payloads became {payloads}");
            let encoded = encode_arguments(&returns(payloads), two.clone()).await;
            assert_eq!(encoded.expect_err("two went in").to_string(), wanted);
            let decoded = decode_result(&returns(payloads), Some(Payloads { payloads: two })).await;
            assert_eq!(decoded.expect_err("two went in").to_string(), wanted);
        }
    }

    #[tokio::test]
    async fn nothing_does_not_trouble_the_codec() {
        assert_eq!(encode_arguments(&returns(1), Vec::new()).await.expect("it is not asked"), None);
        assert_eq!(decode_result(&returns(1), None).await.expect("it is not asked"), None);
    }

    #[tokio::test]
    async fn keys_stay_with_their_payloads() {
        let memo = PayloadMap::from([("a".to_owned(), payload("1")), ("b".to_owned(), payload("2"))]);
        let encoded = encode(&returns(2), memo).await.expect("the count is right");
        assert_eq!(encoded, [("a".to_owned(), payload("x")), ("b".to_owned(), payload("x"))].into());
    }
}
