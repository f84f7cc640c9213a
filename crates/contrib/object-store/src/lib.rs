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
use key::Plain;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use prost::Message;
use stead::data::{BoxFuture, Payload, SerializationContext, StorageClaim, StorageDriver, StorageError};

/// The crate that reaches the storage, in the version that is used here.
pub use object_store;

/// Keeps payloads as objects of buckets, of containers or of a folder.
#[derive(Clone)]
pub struct ObjectStorage {
    name: String,
    driver_type: &'static str,
    /// The claim's name for the object's key.
    key_name: &'static str,
    plain: Plain,
    /// The one that is stored in, unless another is chosen.
    bucket: String,
    buckets: BTreeMap<String, Arc<dyn ObjectStore>>,
    choose: Option<Arc<Choose>>,
    max_payload_size: usize,
}

type Choose = dyn Fn(&SerializationContext, &Payload) -> String + Send + Sync;

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
        Ok(Self::new("local.folder", "key", Plain::S3, "folder", store))
    }

    /// Keeps payloads in a bucket of Amazon S3, or of what speaks its protocol.
    pub fn s3(store: impl ObjectStore, bucket: impl Into<String>) -> Self {
        Self::new("aws.s3driver", "key", Plain::S3, bucket, store)
    }

    /// Keeps payloads in a bucket of Google Cloud Storage.
    pub fn gcs(store: impl ObjectStore, bucket: impl Into<String>) -> Self {
        Self::new("gcp.gcsdriver", "object_name", Plain::Gcs, bucket, store)
    }

    /// Keeps payloads in a container of Azure Blob Storage.
    pub fn azure(store: impl ObjectStore, container: impl Into<String>) -> Self {
        Self::new("azure.blobdriver", "key", Plain::S3, container, store)
    }

    fn new(
        driver_type: &'static str,
        key_name: &'static str,
        plain: Plain,
        bucket: impl Into<String>,
        store: impl ObjectStore,
    ) -> Self {
        let (name, bucket) = (driver_type.to_owned(), bucket.into());
        let buckets = BTreeMap::from([(bucket.clone(), Arc::new(store) as Arc<dyn ObjectStore>)]);
        let (choose, max_payload_size) = (None, MAX_PAYLOAD_SIZE);
        Self { name, driver_type, key_name, plain, bucket, buckets, choose, max_payload_size }
    }

    /// Another bucket or container, beside the first: payloads are read from it, and stored in it when
    /// [`choose_bucket`](Self::choose_bucket) says so.
    #[must_use]
    pub fn and_bucket(mut self, store: impl ObjectStore, bucket: impl Into<String>) -> Self {
        self.buckets.insert(bucket.into(), Arc::new(store));
        self
    }

    /// Chooses for each payload the bucket that it is stored in, by its name. Default: the first.
    ///
    /// A claim holds the name, so that what is stored stays readable when another is chosen later. To choose one that the
    /// driver does not have is an error when a payload is stored.
    ///
    /// ```
    /// use stead::data::SerializationContext;
    /// use stead_object_store::ObjectStorage;
    /// use stead_object_store::object_store::memory::InMemory;
    ///
    /// # let (eu, us) = (InMemory::new(), InMemory::new());
    /// let storage = ObjectStorage::s3(eu, "payloads-eu").and_bucket(us, "payloads-us").choose_bucket(|context, _payload| {
    ///     match context {
    ///         SerializationContext::Workflow(it) if it.workflow_id.starts_with("us-") => "payloads-us",
    ///         _ => "payloads-eu",
    ///     }
    /// });
    /// # let _ = storage;
    /// ```
    #[must_use]
    pub fn choose_bucket<B: Into<String>>(
        mut self,
        choose: impl Fn(&SerializationContext, &Payload) -> B + Send + Sync + 'static,
    ) -> Self {
        self.choose = Some(Arc::new(move |context, payload| choose(context, payload).into()));
        self
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
        let bucket = self.choose.as_ref().map_or_else(|| self.bucket.clone(), |choose| choose(context, payload));
        let store = self.store_of(&bucket)?;
        let hash = key::sha256(&bytes);
        let key = key::key(self.plain, context, &hash);
        put(store, &key, bytes).await.map_err(|error| self.failed("store", &bucket, &key, error))?;
        Ok(StorageClaim(BTreeMap::from([
            ("bucket".to_owned(), bucket),
            (self.key_name.to_owned(), key),
            ("hash_algorithm".to_owned(), HASH_ALGORITHM.to_owned()),
            ("hash_value".to_owned(), hash),
        ])))
    }

    fn store_of(&self, bucket: &str) -> Result<&dyn ObjectStore, StorageError> {
        self.buckets.get(bucket).map(AsRef::as_ref).ok_or_else(|| {
            let own: Vec<_> = self.buckets.keys().map(String::as_str).collect();
            StorageError::new(format!("{} has no bucket `{bucket}`, only `{}`", self.name, own.join("`, `")))
        })
    }

    async fn retrieve_one(&self, claim: &StorageClaim) -> Result<Payload, StorageError> {
        let field = |name: &str| {
            let missing = || StorageError::new(format!("{} claim has no `{name}`", self.name));
            claim.0.get(name).map(String::as_str).filter(|value| !value.is_empty()).ok_or_else(missing)
        };
        let (bucket, key) = (field("bucket")?, field(self.key_name)?);
        let (algorithm, expected) = (field("hash_algorithm")?, field("hash_value")?);
        let (store, place) = (self.store_of(bucket)?, self.place(bucket, key));
        if algorithm != HASH_ALGORITHM {
            let message = format!("{} unsupported hash algorithm {place}: {algorithm}", self.name);
            return Err(StorageError::new(message));
        }
        let bytes = get(store, key).await.map_err(|error| self.failed("retrieve", bucket, key, error))?;
        let actual = key::sha256(&bytes);
        if actual != expected {
            return Err(StorageError::new(format!(
                "{} integrity check failed {place}: expected sha256:{expected}, got sha256:{actual}",
                self.name
            )));
        }
        let spoilt = |error| StorageError::new(format!("what is at {place} is no payload")).cause(error);
        Payload::decode(bytes).map_err(spoilt)
    }

    fn failed(&self, what: &str, bucket: &str, key: &str, error: object_store::Error) -> StorageError {
        StorageError::new(format!("{} {what} failed {}", self.name, self.place(bucket, key))).cause(error)
    }

    fn place(&self, bucket: &str, key: &str) -> String {
        format!("[bucket={bucket}, {}={key}]", self.key_name)
    }
}

/// What is there already is the same: its name is its hash.
async fn put(store: &dyn ObjectStore, key: &str, bytes: Bytes) -> Result<(), object_store::Error> {
    let path = Path::parse(key)?;
    match store.head(&path).await {
        Ok(_) => Ok(()),
        Err(object_store::Error::NotFound { .. }) => store.put(&path, bytes.into()).await.map(drop),
        Err(error) => Err(error),
    }
}

async fn get(store: &dyn ObjectStore, key: &str) -> Result<Bytes, object_store::Error> {
    store.get(&Path::parse(key)?).await?.bytes().await
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
            .field("buckets", &self.buckets.keys())
            .finish_non_exhaustive()
    }
}
