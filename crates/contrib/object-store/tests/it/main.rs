//! Behaviour of `stead-object-store`, seen from outside.

mod requests;

use std::error::Error;

use prost::Message;
use stead::DataConverter;
use stead::data::{Payload, SerializationContext, StorageClaim, StorageDriver, WorkflowContext};
use stead_object_store::ObjectStorage;
use stead_object_store::object_store::memory::InMemory;
use tempfile::TempDir;

fn payload(text: &str) -> Payload {
    DataConverter::new().to_payload(text).expect("a text")
}

fn context() -> SerializationContext {
    WorkflowContext::new("shop", "order 1").into()
}

fn folder() -> (TempDir, ObjectStorage) {
    let folder = TempDir::new().unwrap();
    let storage = ObjectStorage::folder(folder.path().join("payloads")).unwrap();
    (folder, storage)
}

async fn store(storage: &ObjectStorage, text: &str) -> StorageClaim {
    storage.store(vec![payload(text)], &context()).await.unwrap().remove(0)
}

fn files(folder: &TempDir) -> usize {
    let mut folders = vec![folder.path().to_owned()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files += 1 }
        }
    }
    files
}

#[tokio::test]
async fn payloads_come_back_from_a_folder_and_equal_ones_are_one_file() {
    let (folder, storage) = folder();
    let payloads = vec![payload("a"), payload("b"), payload("a")];
    let claims = storage.store(payloads.clone(), &context()).await.unwrap();
    assert_eq!(storage.store(vec![payload("a")], &context()).await.unwrap(), claims[..1]);
    assert_eq!(files(&folder), 2);
    assert_eq!(storage.retrieve(claims).await.unwrap(), payloads);
}

#[tokio::test]
async fn claims_are_those_of_the_python_sdk() {
    let claim = store(&ObjectStorage::s3(InMemory::new(), "large"), "a").await;
    assert_eq!((&*claim.0["bucket"], &*claim.0["hash_algorithm"]), ("large", "sha256"));
    let hash = &claim.0["hash_value"];
    assert_eq!(claim.0["key"], format!("v0/ns/shop/wt/null/wi/order%201/ri/null/d/sha256/{hash}"));
    let claim = store(&ObjectStorage::gcs(InMemory::new(), "large"), "a").await;
    assert!(claim.0["object_name"].ends_with(hash.as_str()) && !claim.0.contains_key("key"));
}

#[tokio::test]
async fn drivers_have_the_names_of_their_kind_or_their_own() {
    let s3 = ObjectStorage::s3(InMemory::new(), "large");
    assert_eq!((s3.name(), s3.driver_type()), ("aws.s3driver", "aws.s3driver"));
    let named = ObjectStorage::gcs(InMemory::new(), "large").named("archive");
    assert_eq!((named.name(), named.driver_type()), ("archive", "gcp.gcsdriver"));
}

#[tokio::test]
async fn what_is_gone_or_changed_or_elsewhere_is_an_error_that_says_where() {
    let (folder, storage) = folder();
    let claim = store(&storage, "a").await;
    let path = folder.path().join("payloads").join(&claim.0["key"]);
    std::fs::write(&path, payload("b").encode_to_vec()).unwrap();
    let error = storage.retrieve(vec![claim.clone()]).await.unwrap_err().to_string();
    assert!(error.contains("local.folder integrity check failed [bucket=folder, key=v0/ns/shop/"), "{error}");
    std::fs::remove_file(&path).unwrap();
    let error = storage.retrieve(vec![claim.clone()]).await.unwrap_err();
    assert!(error.to_string().contains("local.folder retrieve failed [bucket=folder, key="), "{error}");
    assert!(error.source().is_some());

    let changed = |name: &str, value: &str| {
        let mut changed = claim.clone();
        changed.0.insert(name.to_owned(), value.to_owned());
        changed
    };
    let cases = [
        (changed("bucket", "other"), "local.folder has no bucket `other`, only `folder`"),
        (changed("hash_algorithm", "md5"), "unsupported hash algorithm"),
        (changed("hash_value", ""), "claim has no `hash_value`"),
        (changed("key", "../../etc/passwd"), "retrieve failed"),
    ];
    for (claim, expected) in cases {
        let error = storage.retrieve(vec![claim]).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn payloads_that_are_too_large_are_refused() {
    let storage = ObjectStorage::s3(InMemory::new(), "large").max_payload_size(40);
    let error = storage.store(vec![payload(&"x".repeat(100))], &context()).await.unwrap_err().to_string();
    let expected =
        "external storage failed: Payload size 128 bytes exceeds the configured max_payload_size of 40 bytes";
    assert_eq!(error, expected);
}
