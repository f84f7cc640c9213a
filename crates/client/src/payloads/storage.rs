//! Large payloads on their way into external storage and out of it.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::future::try_join_all;
use prost::Message;
use stead_data::{
    CodecError, DataConverter, ExternalStorage, Payload, SerializationContext, StorageClaim, StorageDriver,
    StorageError, StorageReference,
    storage::{ENCODED_REFERENCE, MISSING_STORAGE},
};
use tokio::time::Instant;

use super::{Transfer, Transfers};

/// What one driver has to do: each payload or claim once, and where it belongs.
struct Batch<'a, T> {
    driver: &'a Arc<dyn StorageDriver>,
    items: Vec<T>,
    /// Index in the list, index among the items.
    places: Vec<(usize, usize)>,
}

/// Items by driver, and of equal ones one.
struct Batches<'a, K, T> {
    batches: BTreeMap<String, (Batch<'a, T>, BTreeMap<K, usize>)>,
}

impl<'a, K: Ord, T> Batches<'a, K, T> {
    fn new() -> Self {
        Self { batches: BTreeMap::new() }
    }

    fn add(&mut self, driver: &'a Arc<dyn StorageDriver>, place: usize, key: K, item: T) {
        let new = || (Batch { driver, items: Vec::new(), places: Vec::new() }, BTreeMap::new());
        let (batch, known) = self.batches.entry(driver.name().to_owned()).or_insert_with(new);
        let number = *known.entry(key).or_insert_with(|| {
            batch.items.push(item);
            batch.items.len() - 1
        });
        batch.places.push((place, number));
    }

    fn of_drivers(self) -> impl Iterator<Item = Batch<'a, T>> {
        self.batches.into_values().map(|(batch, _)| batch)
    }
}

/// Stores the payloads that are large enough. Equal ones are stored once.
pub(super) async fn store(
    storage: &ExternalStorage,
    mut payloads: Vec<Payload>,
    context: &SerializationContext,
    transfers: &Transfers,
) -> Result<Vec<Payload>, CodecError> {
    let context = &*context.keeper();
    let mut batches = Batches::new();
    for (place, payload) in payloads.iter().enumerate() {
        if let Some(driver) = storage.driver_for(context, payload)? {
            batches.add(driver, place, payload.encode_to_vec(), payload.clone());
        }
    }
    let stored = try_join_all(batches.of_drivers().map(|batch| store_batch(batch, context, transfers))).await?;
    for (driver, claims, places) in stored {
        for (place, number) in places {
            let reference = StorageReference { driver: driver.clone(), claim: claims[number].clone() };
            payloads[place] = reference.into_payload(payloads[place].encoded_len());
        }
    }
    Ok(payloads)
}

type Stored = (String, Vec<StorageClaim>, Vec<(usize, usize)>);

async fn store_batch(
    batch: Batch<'_, Payload>,
    context: &SerializationContext,
    transfers: &Transfers,
) -> Result<Stored, StorageError> {
    let Batch { driver, items, places } = batch;
    let expected = items.len();
    let bytes = items.iter().map(Payload::encoded_len).sum();
    let began = Instant::now();
    let claims = driver.store(items, context).await?;
    check_count(driver, claims.len(), expected, "claims")?;
    transfers.uploaded(transfer(driver, expected, bytes, began));
    Ok((driver.name().to_owned(), claims, places))
}

/// Gets back what was stored. Where equal ones are asked for, they are retrieved once.
pub(super) async fn retrieve(
    converter: &DataConverter,
    mut payloads: Vec<Payload>,
    context: &SerializationContext,
    transfers: &Transfers,
) -> Result<Vec<Payload>, CodecError> {
    let mut batches = Batches::new();
    for (place, payload) in payloads.iter_mut().enumerate() {
        if let Some(unmarked) = StorageReference::unmark(payload) {
            *payload = decoded_reference(converter, unmarked, context).await?;
        }
        let Some(StorageReference { driver, claim }) = StorageReference::read(payload)? else { continue };
        let storage = converter.external_storage().ok_or_else(|| StorageError::new(MISSING_STORAGE))?;
        batches.add(storage.driver(&driver)?, place, claim.clone(), claim);
    }
    let retrieved = try_join_all(batches.of_drivers().map(|batch| retrieve_batch(batch, transfers))).await?;
    for (found, places) in retrieved {
        for (place, number) in places {
            payloads[place] = found[number].clone();
        }
    }
    Ok(payloads)
}

async fn retrieve_batch(
    batch: Batch<'_, StorageClaim>,
    transfers: &Transfers,
) -> Result<(Vec<Payload>, Vec<(usize, usize)>), StorageError> {
    let Batch { driver, items, places } = batch;
    let expected = items.len();
    let began = Instant::now();
    let payloads = driver.retrieve(items).await?;
    check_count(driver, payloads.len(), expected, "payloads")?;
    let bytes = payloads.iter().map(Payload::encoded_len).sum();
    transfers.downloaded(transfer(driver, expected, bytes, began));
    Ok((payloads, places))
}

fn transfer(driver: &Arc<dyn StorageDriver>, payloads: usize, bytes: usize, began: Instant) -> Transfer {
    Transfer { payloads, bytes, duration: began.elapsed(), drivers: [driver.name().to_owned()].into() }
}

/// A reference that was encoded like a payload.
async fn decoded_reference(
    converter: &DataConverter,
    encoded: Payload,
    context: &SerializationContext,
) -> Result<Payload, CodecError> {
    if converter.external_storage().is_none() {
        return Err(StorageError::new(MISSING_STORAGE).into());
    }
    let decoded = match converter.codec() {
        Some(codec) => codec.decode(vec![encoded], context).await?,
        None => vec![encoded],
    };
    match <[Payload; 1]>::try_from(decoded) {
        Ok([reference]) if StorageReference::read(&reference)?.is_some() => Ok(reference),
        _ => Err(StorageError::new(ENCODED_REFERENCE).into()),
    }
}

fn check_count(driver: &Arc<dyn StorageDriver>, found: usize, expected: usize, what: &str) -> Result<(), StorageError> {
    if found == expected {
        return Ok(());
    }
    let name = driver.name();
    Err(StorageError::new(format!("Driver '{name}' returned {found} {what}, expected {expected}")))
}
