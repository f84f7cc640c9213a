//! The requests of S3 and of Google Cloud Storage, answered by a server in the test.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use stead::data::{StorageDriver, WorkflowContext};
use stead_object_store::ObjectStorage;
use stead_object_store::object_store::aws::AmazonS3Builder;
use stead_object_store::object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService,
};
use stead_object_store::object_store::gcp::GoogleCloudStorageBuilder;
use stead_object_store::object_store::{ClientOptions, ObjectStore};

use crate::{context, payload};

/// Keeps the objects of all buckets, by bucket and key, and what it was asked for.
#[derive(Debug, Clone, Default)]
struct Cloud(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Bytes>,
    calls: Vec<String>,
}

impl HttpConnector for Cloud {
    fn connect(&self, _: &ClientOptions) -> Result<HttpClient, stead_object_store::object_store::Error> {
        Ok(HttpClient::new(self.clone()))
    }
}

impl HttpService for Cloud {
    fn call<'a, 'b>(
        &'a self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok(self.answer(&http::Request::from_parts(parts, body)))
        })
    }
}

impl Cloud {
    fn answer(&self, request: &http::Request<Bytes>) -> HttpResponse {
        let mut state = self.0.lock().unwrap();
        state.calls.push(request.method().to_string());
        let response = http::Response::builder();
        let who = request.headers().get("authorization").and_then(|it| it.to_str().ok()).unwrap_or_default();
        if !who.starts_with("AWS4-HMAC-SHA256 Credential=ada/") && who != "Bearer ada" {
            return response.status(StatusCode::FORBIDDEN).body(Bytes::new().into()).unwrap();
        }
        let key = percent_decoded(request.uri().path().trim_start_matches('/'));
        if request.method() == Method::PUT {
            state.objects.insert(key, request.body().clone());
            return response.header("etag", "\"1\"").body(Bytes::new().into()).unwrap();
        }
        let Some(object) = state.objects.get(&key).cloned() else {
            let why = "<Error><Code>NoSuchKey</Code></Error>";
            return response.status(StatusCode::NOT_FOUND).body(Bytes::from(why).into()).unwrap();
        };
        let response = response
            .header("etag", "\"1\"")
            .header("last-modified", "Thu, 26 Nov 2026 22:00:00 GMT")
            .header("content-length", object.len());
        let body = if request.method() == Method::HEAD { Bytes::new() } else { object };
        response.body(body.into()).unwrap()
    }
}

fn percent_decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut decoded = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        decoded.push(u8::from_str_radix(&part[..2], 16).unwrap());
        decoded.extend(&part.as_bytes()[2..]);
    }
    String::from_utf8(decoded).unwrap()
}

fn s3(server: &Cloud, key_of: &str, bucket: &str) -> impl ObjectStore {
    AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region("eu-west-1")
        .with_endpoint("http://localhost:9000")
        .with_allow_http(true)
        .with_access_key_id(key_of)
        .with_secret_access_key("sentinel")
        .with_http_connector(server.clone())
        .build()
        .unwrap()
}

fn gcs(server: &Cloud, token: &str) -> ObjectStorage {
    let bucket = GoogleCloudStorageBuilder::new()
        .with_bucket_name("large")
        .with_bearer_token(token)
        .with_http_connector(server.clone())
        .build()
        .unwrap();
    ObjectStorage::gcs(bucket, "large")
}

#[tokio::test]
async fn payloads_are_kept_in_s3_once_and_under_the_keys_of_their_claims() {
    let server = Cloud::default();
    let storage = ObjectStorage::s3(s3(&server, "ada", "large"), "large");
    let stored = vec![payload("a"), payload("b")];
    let claims = storage.store(stored.clone(), &context()).await.unwrap();
    let keys: Vec<_> = server.0.lock().unwrap().objects.keys().cloned().collect();
    let mut claimed: Vec<_> = claims.iter().map(|claim| format!("{}/{}", claim.0["bucket"], claim.0["key"])).collect();
    claimed.sort();
    assert_eq!(keys, claimed);
    assert!(keys[0].contains("/wi/order%201/"), "as the SDK for Python writes it: {keys:?}");

    assert_eq!(storage.store(stored[..1].to_vec(), &context()).await.unwrap(), claims[..1]);
    let puts = server.0.lock().unwrap().calls.iter().filter(|call| *call == "PUT").count();
    assert_eq!(puts, 2, "what is there is not sent again");
    assert_eq!(storage.retrieve(claims.clone()).await.unwrap(), stored);

    server.0.lock().unwrap().objects.clear();
    let error = storage.retrieve(claims).await.unwrap_err().to_string();
    assert!(error.contains("aws.s3driver retrieve failed [bucket=large, key=v0/ns/shop/"), "{error}");
}

#[tokio::test]
async fn what_s3_forbids_is_an_error_that_shows_no_secret() {
    let storage = ObjectStorage::s3(s3(&Cloud::default(), "eve", "large"), "large");
    let error = storage.store(vec![payload("a")], &context()).await.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("aws.s3driver store failed [bucket=large") && !shown.contains("sentinel"), "{shown}");
}

#[tokio::test]
async fn each_payload_is_stored_in_the_bucket_that_is_chosen_for_it_and_read_from_that_of_its_claim() {
    let server = Cloud::default();
    let storage = || {
        let (eu, us) = (s3(&server, "ada", "eu"), s3(&server, "ada", "us"));
        ObjectStorage::s3(eu, "eu").and_bucket(us, "us")
    };
    let (american, other) = (payload("american"), payload("other"));
    let (chosen, stored) = (american.clone(), vec![american, other]);
    let choosing = storage().choose_bucket(move |_, payload| if *payload == chosen { "us" } else { "eu" });
    let claims = choosing.store(stored.clone(), &context()).await.unwrap();
    assert_eq!(claims.iter().map(|claim| &*claim.0["bucket"]).collect::<Vec<_>>(), ["us", "eu"]);
    let kept: Vec<_> = server.0.lock().unwrap().objects.keys().map(|key| key[..6].to_owned()).collect();
    assert_eq!(kept, ["eu/v0/", "us/v0/"]);
    assert_eq!(storage().retrieve(claims).await.unwrap(), stored, "whatever is chosen now");

    let lost = storage().choose_bucket(|_, _| "asia");
    let error = lost.store(stored, &context()).await.unwrap_err().to_string();
    assert!(error.contains("aws.s3driver has no bucket `asia`, only `eu`, `us`"), "{error}");
}

#[tokio::test]
async fn payloads_are_kept_in_google_cloud_storage_once_and_under_the_names_of_their_claims() {
    let server = Cloud::default();
    let storage = gcs(&server, "ada");
    let stored = vec![payload("a"), payload("b")];
    let context = WorkflowContext::new("shop", "order/ä 1").into();
    let claims = storage.store(stored.clone(), &context).await.unwrap();
    let names: Vec<_> = server.0.lock().unwrap().objects.keys().cloned().collect();
    let mut claimed: Vec<_> = claims.iter().map(|claim| format!("large/{}", claim.0["object_name"])).collect();
    claimed.sort();
    assert_eq!(names, claimed);
    assert!(names[0].contains("/wi/order%2Fä 1/"), "as the SDK for Python writes it: {names:?}");

    assert_eq!(storage.store(stored[..1].to_vec(), &context).await.unwrap(), claims[..1]);
    let puts = server.0.lock().unwrap().calls.iter().filter(|call| *call == "PUT").count();
    assert_eq!(puts, 2, "what is there is not sent again");
    assert_eq!(storage.retrieve(claims.clone()).await.unwrap(), stored);

    let error = gcs(&server, "sentinel").retrieve(claims).await.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("gcp.gcsdriver retrieve failed [bucket=large, object_name=v0/ns/shop/"), "{shown}");
    assert!(!shown.contains("sentinel"), "{shown}");
}
