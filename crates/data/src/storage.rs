//! The seam for payloads that are too large for the server: they are kept elsewhere, and a reference travels.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use serde::{Deserialize, Serialize};
use stead_proto::common::v1::payload::ExternalPayloadDetails;

use crate::Payload;
use crate::codec::{BoxFuture, CodecError};
use crate::context::SerializationContext;
use crate::convert::{ENCODING, JSON_PROTOBUF, MESSAGE_TYPE, payload};

/// Keeps payloads somewhere, such as in a bucket.
///
/// What is stored has passed the codec, so it is encrypted if there is one. A driver is asked for many payloads at once,
/// and each payload is stored for good: a history may be read again at any time, until the server deletes it.
pub trait StorageDriver: Send + Sync + 'static {
    /// Names this driver among those of a program. It is written into references, so it must stay the same.
    fn name(&self) -> &str;

    /// The kind of driver, by a name that is the same in all languages.
    fn driver_type(&self) -> &str {
        self.name()
    }

    /// Stores payloads. Returns a claim for each, in order, by which [`retrieve`](Self::retrieve) finds it again.
    ///
    /// Storing the same payload twice must be harmless: a workflow task may be tried again.
    fn store<'a>(
        &'a self,
        payloads: Vec<Payload>,
        context: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<StorageClaim>, StorageError>>;

    /// Gets payloads back, one for each claim, in order.
    fn retrieve(&self, claims: Vec<StorageClaim>) -> BoxFuture<'_, Result<Vec<Payload>, StorageError>>;
}

/// What a driver needs to find a payload again. It is written into the history as it is: no place for secrets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct StorageClaim(pub BTreeMap<String, String>);

/// A driver could not store or retrieve payloads. Like a codec's error it fails the call, or the task or the attempt,
/// which are tried again.
#[derive(Debug, Clone)]
pub struct StorageError {
    message: String,
    cause: Option<Arc<dyn Error + Send + Sync>>,
}

impl StorageError {
    /// An error with a message for people.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), cause: None }
    }

    /// Adds what caused it.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(Arc::from(cause.into()));
        self
    }
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "external storage failed: {}", self.message)
    }
}

impl Error for StorageError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

impl From<StorageError> for CodecError {
    fn from(error: StorageError) -> Self {
        CodecError::of_storage(error.message, error.cause)
    }
}

/// Which payloads are kept outside of the server, and by which driver.
///
/// ```
/// use stead_data::{DataConverter, ExternalStorage, StorageDriver};
///
/// # fn example(driver: impl StorageDriver) -> DataConverter {
/// DataConverter::new().with_external_storage(ExternalStorage::new(driver).min_size(100 * 1024))
/// # }
/// ```
#[derive(Clone)]
pub struct ExternalStorage {
    drivers: BTreeMap<String, Arc<dyn StorageDriver>>,
    select: Arc<Select>,
    min_size: usize,
    max_concurrency: usize,
}

/// Names the driver for a payload; `None` leaves it where it is.
type Select = dyn Fn(&SerializationContext, &Payload) -> Option<String> + Send + Sync;

impl ExternalStorage {
    /// Keeps payloads from 256 KiB on with this driver.
    pub fn new(driver: impl StorageDriver) -> Self {
        let name = driver.name().to_owned();
        let drivers = BTreeMap::from([(name.clone(), Arc::new(driver) as Arc<dyn StorageDriver>)]);
        let select = Arc::new(move |_: &SerializationContext, _: &Payload| Some(name.clone()));
        Self { drivers, select, min_size: 256 * 1024, max_concurrency: 3 }
    }

    /// Adds a driver that `select` may name, and that finds what it once stored.
    ///
    /// # Errors
    ///
    /// There is a driver of this name already.
    pub fn with(mut self, driver: impl StorageDriver) -> Result<Self, StorageError> {
        let name = driver.name().to_owned();
        if self.drivers.contains_key(&name) {
            return Err(StorageError::new(format!("there are two drivers with the name `{name}`")));
        }
        self.drivers.insert(name, Arc::new(driver));
        Ok(self)
    }

    /// Chooses a driver by its name for each payload that is large enough; `None` leaves the payload where it is.
    /// Default: the first driver.
    ///
    /// The type of the workflow or the activity is in the context, and what the payload is in its metadata.
    #[must_use]
    pub fn select(
        mut self,
        select: impl Fn(&SerializationContext, &Payload) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.select = Arc::new(select);
        self
    }

    /// The size in bytes from which payloads are stored, with their metadata. Default: 256 KiB.
    #[must_use]
    pub fn min_size(mut self, bytes: usize) -> Self {
        self.min_size = bytes;
        self
    }

    /// How many lists of payloads of one message are with drivers at the same time, at least 1. Default: 3.
    #[must_use]
    pub fn max_concurrency(mut self, lists: usize) -> Self {
        self.max_concurrency = lists.max(1);
        self
    }

    /// The drivers, by name.
    pub fn drivers(&self) -> impl Iterator<Item = &Arc<dyn StorageDriver>> {
        self.drivers.values()
    }

    /// How many lists of payloads are with drivers at the same time.
    #[must_use]
    pub fn concurrency(&self) -> usize {
        self.max_concurrency
    }

    /// The driver of this name.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn driver(&self, name: &str) -> Result<&Arc<dyn StorageDriver>, StorageError> {
        self.drivers.get(name).ok_or_else(|| StorageError::new(format!("No driver found with name '{name}'")))
    }

    /// The driver that stores this payload; `None` if it stays where it is.
    ///
    /// # Errors
    ///
    /// The selected driver is not known.
    pub fn driver_for(
        &self,
        context: &SerializationContext,
        payload: &Payload,
    ) -> Result<Option<&Arc<dyn StorageDriver>>, StorageError> {
        if payload.encoded_len() < self.min_size {
            return Ok(None);
        }
        (self.select)(context, payload).map(|name| self.driver(&name)).transpose()
    }
}

impl fmt::Debug for ExternalStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExternalStorage")
            .field("drivers", &self.drivers.keys())
            .field("min_size", &self.min_size)
            .finish_non_exhaustive()
    }
}

/// A payload that stands for one that is kept elsewhere, in the form that all SDKs share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageReference {
    /// The driver that keeps it.
    pub driver: String,
    /// By what it finds it.
    pub claim: StorageClaim,
}

/// Says that a payload is a reference, also when a codec has made it unrecognizable.
const MARKER: &str = "__temporal_external_storage_reference";
/// The message that a reference is.
const MESSAGE: &[u8] = b"temporal.api.sdk.v1.ExternalStorageReference";
const LEGACY: &[u8] = b"json/external-storage-reference";

/// The reference as JSON; read in either spelling of its names, written in the protobuf standard's.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Json {
    #[serde(default, alias = "claim_data")]
    claim_data: BTreeMap<String, String>,
    #[serde(default, alias = "driver_name")]
    driver_name: String,
}

/// As Python wrote it at first.
#[derive(Deserialize)]
struct LegacyJson {
    driver_name: String,
    driver_claim: LegacyClaim,
}

#[derive(Deserialize)]
struct LegacyClaim {
    claim_data: BTreeMap<String, String>,
}

impl StorageReference {
    /// The payload that travels in the place of one of `size` bytes.
    #[must_use]
    pub fn into_payload(self, size: usize) -> Payload {
        let json = Json { claim_data: self.claim.0, driver_name: self.driver };
        // Texts can always be written.
        let mut reference = payload(JSON_PROTOBUF, serde_json::to_vec(&json).unwrap_or_default());
        reference.metadata.insert(MESSAGE_TYPE.to_owned(), Bytes::from_static(MESSAGE));
        let size_bytes = i64::try_from(size).unwrap_or(i64::MAX);
        reference.external_payloads.push(ExternalPayloadDetails { size_bytes });
        reference
    }

    /// Reads a reference; `None` if the payload is none.
    ///
    /// # Errors
    ///
    /// The payload says that it is a reference, but cannot be read.
    pub fn read(payload: &Payload) -> Result<Option<Self>, StorageError> {
        let spoilt = |error| StorageError::new("a reference to an external payload cannot be read").cause(error);
        if payload.metadata.get(ENCODING).map(Bytes::as_ref) == Some(LEGACY) {
            let json: LegacyJson = serde_json::from_slice(&payload.data).map_err(spoilt)?;
            return Ok(Some(Self { driver: json.driver_name, claim: StorageClaim(json.driver_claim.claim_data) }));
        }
        if !is_reference(payload) {
            return Ok(None);
        }
        let json: Json = serde_json::from_slice(&payload.data).map_err(spoilt)?;
        Ok(Some(Self { driver: json.driver_name, claim: StorageClaim(json.claim_data) }))
    }

    /// Takes the mark off a reference that a codec has encoded; `None` if it is not marked. What is under it has to be
    /// decoded before it is read.
    #[must_use]
    pub fn unmark(payload: &Payload) -> Option<Payload> {
        payload.metadata.get(MARKER).filter(|mark| *mark == "true")?;
        let mut unmarked = Payload { external_payloads: Vec::new(), ..payload.clone() };
        unmarked.metadata.remove(MARKER);
        Some(unmarked)
    }
}

/// Whether this is a reference that no codec has encoded.
pub(crate) fn is_reference(payload: &Payload) -> bool {
    payload.metadata.get(ENCODING).map(Bytes::as_ref) == Some(JSON_PROTOBUF)
        && payload.metadata.get(MESSAGE_TYPE).is_some_and(|it| it == MESSAGE)
}

/// What is said of a reference where there is no storage.
pub const MISSING_STORAGE: &str =
    "[TMPRL1105] Detected externally stored payload(s) but external storage is not configured.";
/// What is said of a marked payload that decodes to something else.
pub const ENCODED_REFERENCE: &str = "[TMPRL1106] Encountered an encoded external storage reference that could not be \
     decoded. Check that the payload codec used to write it is configured.";
