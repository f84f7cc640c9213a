//! Large payloads of the `stead` SDK for Temporal in a folder, Amazon S3, Google Cloud Storage or Azure.
//!
//! ```no_run
//! use stead::DataConverter;
//! use stead::data::ExternalStorage;
//! use stead_object_store::ObjectStorage;
//!
//! # fn example() -> Result<DataConverter, stead::data::StorageError> {
//! let storage = ExternalStorage::new(ObjectStorage::folder("/mnt/shared/payloads")?);
//! let converter = DataConverter::new().with_external_storage(storage);
//! # Ok(converter)
//! # }
//! ```
//!
//! [`ObjectStorage::s3`], [`gcs`](ObjectStorage::gcs) and [`azure`](ObjectStorage::azure) take what the builders of the
//! crate [`object_store`] make: a program that wants S3 depends on that crate with its feature `aws`, and gives what
//! `AmazonS3Builder` built; likewise with `gcp` and `azure`.
//!
//! A payload becomes an object that is named by its owner and its hash, so that the same payload of the same owner is
//! stored once. When it is read, the hash is checked. Names, claims and keys of S3 and of Google Cloud Storage are those of
//! Temporal's SDK for Python: workers of both read what either stored.
//!
//! Nothing is deleted: give the bucket a lifetime that is longer than the longest workflow with its retention.

mod key;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path as FilePath;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::try_join_all;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use prost::Message;
use stead::data::{BoxFuture, Payload, SerializationContext, StorageClaim, StorageDriver, StorageError};

/// The crate that reaches the storage, in the version that is used here.
pub use object_store;

/// Keeps payloads as objects of one bucket, container or folder.
#[derive(Clone)]
pub struct ObjectStorage {
    name: String,
    driver_type: &'static str,
    /// The claim's name for the object's key.
    key_name: &'static str,
    bucket: String,
    store: Arc<dyn ObjectStore>,
    max_payload_size: usize,
}

const MAX_PAYLOAD_SIZE: usize = 50 * 1024 * 1024;
const HASH_ALGORITHM: &str = "sha256";

impl ObjectStorage {
    /// Keeps payloads in a folder, which is made if it is not there. All workers and clients must see the same folder.
    ///
    /// # Errors
    ///
    /// The folder cannot be made or is none.
    pub fn folder(folder: impl AsRef<FilePath>) -> Result<Self, StorageError> {
        let folder = folder.as_ref();
        let unusable = |error| StorageError::new(format!("`{}` cannot be used", folder.display())).cause(error);
        std::fs::create_dir_all(folder)
            .map_err(|error| StorageError::new(format!("`{}` cannot be made", folder.display())).cause(error))?;
        let store = LocalFileSystem::new_with_prefix(folder).map_err(unusable)?.with_fsync(true);
        Ok(Self::new("local.folder", "key", "folder", store))
    }

    /// Keeps payloads in a bucket of Amazon S3, or of what speaks its protocol.
    pub fn s3(store: impl ObjectStore, bucket: impl Into<String>) -> Self {
        Self::new("aws.s3driver", "key", bucket, store)
    }

    /// Keeps payloads in a bucket of Google Cloud Storage.
    pub fn gcs(store: impl ObjectStore, bucket: impl Into<String>) -> Self {
        Self::new("gcp.gcsdriver", "object_name", bucket, store)
    }

    /// Keeps payloads in a container of Azure Blob Storage.
    pub fn azure(store: impl ObjectStore, container: impl Into<String>) -> Self {
        Self::new("azure.blobdriver", "key", container, store)
    }

    fn new(
        driver_type: &'static str,
        key_name: &'static str,
        bucket: impl Into<String>,
        store: impl ObjectStore,
    ) -> Self {
        let (name, store) = (driver_type.to_owned(), Arc::new(store));
        Self { name, driver_type, key_name, bucket: bucket.into(), store, max_payload_size: MAX_PAYLOAD_SIZE }
    }

    /// Another name, for a program with several drivers of a kind. References hold it: it must stay the same.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Refuses larger payloads, in bytes. Default: 50 MiB.
    #[must_use]
    pub fn max_payload_size(mut self, bytes: usize) -> Self {
        self.max_payload_size = bytes;
        self
    }

    async fn store_one(&self, payload: &Payload, context: &SerializationContext) -> Result<StorageClaim, StorageError> {
        let bytes = Bytes::from(payload.encode_to_vec());
        if bytes.len() > self.max_payload_size {
            let (size, most) = (bytes.len(), self.max_payload_size);
            let message = format!("Payload size {size} bytes exceeds the configured max_payload_size of {most} bytes");
            return Err(StorageError::new(message));
        }
        let hash = key::sha256(&bytes);
        let key = key::key(context, &hash);
        self.put(&key, bytes).await.map_err(|error| self.failed("store", &key, error))?;
        Ok(StorageClaim(BTreeMap::from([
            ("bucket".to_owned(), self.bucket.clone()),
            (self.key_name.to_owned(), key),
            ("hash_algorithm".to_owned(), HASH_ALGORITHM.to_owned()),
            ("hash_value".to_owned(), hash),
        ])))
    }

    /// What is there already is the same: its name is its hash.
    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), object_store::Error> {
        let path = Path::parse(key)?;
        match self.store.head(&path).await {
            Ok(_) => Ok(()),
            Err(object_store::Error::NotFound { .. }) => self.store.put(&path, bytes.into()).await.map(drop),
            Err(error) => Err(error),
        }
    }

    async fn retrieve_one(&self, claim: &StorageClaim) -> Result<Payload, StorageError> {
        let field = |name: &str| {
            let missing = || StorageError::new(format!("{} claim has no `{name}`", self.name));
            claim.0.get(name).map(String::as_str).filter(|value| !value.is_empty()).ok_or_else(missing)
        };
        let (bucket, key) = (field("bucket")?, field(self.key_name)?);
        let (algorithm, expected) = (field("hash_algorithm")?, field("hash_value")?);
        if bucket != self.bucket {
            let own = &self.bucket;
            let message = format!("{} claim is for bucket `{bucket}`, and this driver has `{own}`", self.name);
            return Err(StorageError::new(message));
        }
        if algorithm != HASH_ALGORITHM {
            let message = format!("{} unsupported hash algorithm {}: {algorithm}", self.name, self.place(key));
            return Err(StorageError::new(message));
        }
        let bytes = self.get(key).await.map_err(|error| self.failed("retrieve", key, error))?;
        let actual = key::sha256(&bytes);
        if actual != expected {
            return Err(StorageError::new(format!(
                "{} integrity check failed {}: expected sha256:{expected}, got sha256:{actual}",
                self.name,
                self.place(key)
            )));
        }
        let spoilt = |error| StorageError::new(format!("what is at {} is no payload", self.place(key))).cause(error);
        Payload::decode(bytes).map_err(spoilt)
    }

    async fn get(&self, key: &str) -> Result<Bytes, object_store::Error> {
        self.store.get(&Path::parse(key)?).await?.bytes().await
    }

    fn failed(&self, what: &str, key: &str, error: object_store::Error) -> StorageError {
        StorageError::new(format!("{} {what} failed {}", self.name, self.place(key))).cause(error)
    }

    fn place(&self, key: &str) -> String {
        format!("[bucket={}, {}={key}]", self.bucket, self.key_name)
    }
}

impl StorageDriver for ObjectStorage {
    fn name(&self) -> &str {
        &self.name
    }

    fn driver_type(&self) -> &str {
        self.driver_type
    }

    fn store<'a>(
        &'a self,
        payloads: Vec<Payload>,
        context: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<StorageClaim>, StorageError>> {
        Box::pin(async move { try_join_all(payloads.iter().map(|payload| self.store_one(payload, context))).await })
    }

    fn retrieve(&self, claims: Vec<StorageClaim>) -> BoxFuture<'_, Result<Vec<Payload>, StorageError>> {
        Box::pin(async move { try_join_all(claims.iter().map(|claim| self.retrieve_one(claim))).await })
    }
}

impl fmt::Debug for ObjectStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectStorage")
            .field("name", &self.name)
            .field("driver_type", &self.driver_type)
            .field("bucket", &self.bucket)
            .finish_non_exhaustive()
    }
}
