use prost::Message;
use stead::data::Payload;
use stead_codec::{Chain, Encryption, Key, Keys};

use crate::{decode, encode, payload};

fn keys(id: &str, byte: u8) -> Keys {
    Keys::new(id, Key::new([byte; 32]))
}

#[tokio::test]
async fn what_is_encrypted_comes_back_and_shows_nothing() {
    let codec = Encryption::new(keys("k1", 1));
    let payloads = [payload("secret"), payload("secret")];
    let encrypted = encode(&codec, &payloads).await;
    for it in &encrypted {
        assert_eq!(it.metadata["encoding"], "binary/encrypted");
        assert_eq!(it.metadata["encryption-key-id"], "k1");
        assert!(!String::from_utf8_lossy(&it.data).contains("secret"));
    }
    assert_ne!(encrypted[0].data, encrypted[1].data, "each has a nonce of its own");
    assert_eq!(decode(&codec, &encrypted).await.unwrap(), payloads);
}

#[tokio::test]
async fn what_was_not_encrypted_stays_as_it_is() {
    let codec = Encryption::new(keys("k1", 1));
    assert_eq!(decode(&codec, &[payload("plain")]).await.unwrap(), [payload("plain")]);
}

#[tokio::test]
async fn old_keys_still_decrypt_and_new_ones_encrypt() {
    let old = encode(&Encryption::new(keys("old", 1)), &[payload("x")]).await;
    let rotated = Encryption::new(keys("new", 2).with("old", Key::new([1; 32])));
    assert_eq!(decode(&rotated, &old).await.unwrap(), [payload("x")]);
    let new = encode(&rotated, &[payload("x")]).await;
    assert_eq!(new[0].metadata["encryption-key-id"], "new");
    let error = decode(&Encryption::new(keys("old", 1)), &new).await.unwrap_err();
    assert_eq!(error.to_string(), "payload codec failed: there is no key `new`, but old");
}

#[tokio::test]
async fn what_was_changed_or_has_another_key_is_refused() {
    let codec = Encryption::new(keys("k1", 1));
    let encrypted = encode(&codec, &[payload("secret")]).await.remove(0);
    let changed = |change: fn(&mut Vec<u8>)| {
        let mut data = encrypted.data.to_vec();
        change(&mut data);
        Payload { data: data.into(), ..encrypted.clone() }
    };
    let spoilt = [changed(|it| it[20] ^= 1), changed(|it| it.truncate(15)), changed(Vec::clear)];
    for it in spoilt {
        let error = decode(&codec, &[it]).await.unwrap_err().to_string();
        assert!(error.ends_with("was not encrypted with the key `k1`, or was changed since"), "{error}");
    }
    decode(&Encryption::new(keys("k1", 2)), &[encrypted]).await.unwrap_err();
}

/// Made with Python's `cryptography` as the sample of Temporal's Python SDK makes it: the key of the samples, the nonce
/// `000102…0b`, and `json/plain` with `"Hello"`.
#[tokio::test]
async fn what_the_samples_of_other_sdks_encrypt_is_read() {
    let sample = include_bytes!("sample.bin");
    let mut encrypted = Payload { data: sample.as_slice().into(), ..Payload::default() };
    encrypted.metadata.insert("encoding".to_owned(), "binary/encrypted".into());
    encrypted.metadata.insert("encryption-key-id".to_owned(), "test-key-id".into());
    let codec = Encryption::new(Keys::new("test-key-id", Key::new(*b"test-key-test-key-test-key-test!")));
    assert_eq!(decode(&codec, &[encrypted]).await.unwrap(), [payload("Hello")]);
}

#[tokio::test]
async fn codecs_in_a_row_are_undone_from_the_last_to_the_first() {
    let (first, second) = (Encryption::new(keys("first", 1)), Encryption::new(keys("second", 2)));
    let chain = Chain::new().then(first.clone()).then(second.clone());
    let encrypted = encode(&chain, &[payload("x")]).await;
    assert_eq!(encrypted[0].metadata["encryption-key-id"], "second");
    let once = decode(&second, &encrypted).await.unwrap();
    assert_eq!(once[0].metadata["encryption-key-id"], "first");
    assert_eq!(decode(&chain, &encrypted).await.unwrap(), [payload("x")]);
    assert!(encrypted[0].encoded_len() > once[0].encoded_len());
}

#[test]
fn keys_are_not_shown() {
    let shown = format!("{:?}", Encryption::new(keys("k1", 77)));
    assert!(shown.contains("k1") && !shown.contains("77"), "{shown}");
}
