//! Encryption, in the format of the samples of Temporal's other SDKs.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;
use ring::aead::{Aad, NONCE_LEN, Nonce};
use ring::rand::{SecureRandom, SystemRandom};
use stead::data::{BoxFuture, CodecError, Payload, PayloadCodec, SerializationContext};

use crate::keys::{Key, KeyProvider, Keys};
use crate::{ENCODING, is_encoded_as};

/// Encrypts payloads with AES-256-GCM.
///
/// A payload becomes one of encoding `binary/encrypted`: the nonce, then the encrypted payload with its metadata, then
/// the tag. Any change to it is noticed. That it stays where it was put is not: a payload of one workflow decrypts in
/// another, which is what lets other SDKs and the web UI read it.
///
/// Nonces are random; change the key before it has encrypted 2³² payloads.
#[derive(Debug, Clone)]
pub struct Encryption<K = Keys> {
    keys: K,
    random: SystemRandom,
}

const ENCRYPTED: &[u8] = b"binary/encrypted";
const KEY_ID: &str = "encryption-key-id";

impl<K: KeyProvider> Encryption<K> {
    /// Encrypts with these keys.
    pub fn new(keys: K) -> Self {
        Self { keys, random: SystemRandom::new() }
    }

    fn encrypt(&self, id: &str, key: &Key, payload: &Payload) -> Result<Payload, CodecError> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).map_err(|_| CodecError::new("the operating system gives no random numbers"))?;
        let mut data = Vec::with_capacity(NONCE_LEN + payload.encoded_len() + key.cipher().algorithm().tag_len());
        data.extend_from_slice(&nonce);
        payload.encode_raw(&mut data);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = key.cipher().seal_in_place_separate_tag(nonce, Aad::empty(), &mut data[NONCE_LEN..]);
        let tag = tag.map_err(|_| CodecError::new("the payload is too long to be encrypted"))?;
        data.extend_from_slice(tag.as_ref());
        let metadata = BTreeMap::from([
            (ENCODING.to_owned(), Bytes::from_static(ENCRYPTED)),
            (KEY_ID.to_owned(), Bytes::copy_from_slice(id.as_bytes())),
        ]);
        Ok(Payload { metadata, data: data.into(), external_payloads: Vec::new() })
    }

    async fn decrypt(&self, payload: Payload, context: &SerializationContext) -> Result<Payload, CodecError> {
        if !is_encoded_as(&payload, ENCRYPTED) {
            return Ok(payload);
        }
        let id = payload.metadata.get(KEY_ID).map(Bytes::as_ref).unwrap_or_default();
        let id = str::from_utf8(id).map_err(|_| CodecError::new("the id of the key is not text"))?;
        open(&self.keys.find(id, context).await?, id, &payload.data)
    }
}

fn open(key: &Key, id: &str, data: &[u8]) -> Result<Payload, CodecError> {
    let spoilt = || CodecError::new(format!("a payload was not encrypted with the key `{id}`, or was changed since"));
    let (nonce, encrypted) = data.split_first_chunk::<NONCE_LEN>().ok_or_else(spoilt)?;
    let mut opened = encrypted.to_vec();
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let length = key.cipher().open_in_place(nonce, Aad::empty(), &mut opened).map_err(|_| spoilt())?.len();
    opened.truncate(length);
    Payload::decode(Bytes::from(opened))
        .map_err(|error| CodecError::new("what was encrypted is no payload").cause(error))
}

impl<K: KeyProvider> PayloadCodec for Encryption<K> {
    fn encode<'a>(
        &'a self,
        payloads: Vec<Payload>,
        context: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<Payload>, CodecError>> {
        Box::pin(async move {
            let (id, key) = self.keys.current(context).await?;
            payloads.iter().map(|payload| self.encrypt(&id, &key, payload)).collect()
        })
    }

    fn decode<'a>(
        &'a self,
        payloads: Vec<Payload>,
        context: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<Payload>, CodecError>> {
        Box::pin(async move {
            let mut decrypted = Vec::with_capacity(payloads.len());
            for payload in payloads {
                decrypted.push(self.decrypt(payload, context).await?);
            }
            Ok(decrypted)
        })
    }
}
