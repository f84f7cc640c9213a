use prost::Message;
use stead_codec::Zstd;

use crate::{decode, encode, payload};

#[tokio::test]
async fn large_payloads_get_smaller_and_come_back() {
    let large = [payload(&"again and ".repeat(1000))];
    let compressed = encode(&Zstd::new().level(19), &large).await;
    assert_eq!(compressed[0].metadata["encoding"], "binary/zstd");
    assert!(compressed[0].encoded_len() < large[0].encoded_len() / 20);
    assert_eq!(decode(&Zstd::new(), &compressed).await.unwrap(), large);
}

#[tokio::test]
async fn what_is_small_or_gets_no_smaller_stays_as_it_is() {
    let small = [payload("again and again and again and again")];
    assert_eq!(encode(&Zstd::new(), &small).await, small);
    let dense = [payload("x")];
    assert_eq!(encode(&Zstd::new().min_size(0), &dense).await, dense);
    assert_eq!(decode(&Zstd::new(), &dense).await.unwrap(), dense);
}

#[tokio::test]
async fn a_payload_that_claims_to_be_huge_is_refused() {
    let compressed = encode(&Zstd::new(), &[payload(&"0".repeat(100_000))]).await;
    let error = decode(&Zstd::new().max_decoded_size(99_999), &compressed).await.unwrap_err();
    assert_eq!(error.to_string(), "payload codec failed: a payload is over 99999 bytes when it is decompressed");
}

#[tokio::test]
async fn what_is_spoilt_is_an_error() {
    let mut compressed = encode(&Zstd::new(), &[payload(&"0".repeat(100_000))]).await;
    compressed[0].data.truncate(10);
    decode(&Zstd::new(), &compressed).await.unwrap_err();
}
