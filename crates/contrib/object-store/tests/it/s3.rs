//! S3's own requests, answered by a server in the test.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use stead::data::StorageDriver;
use stead_object_store::ObjectStorage;
use stead_object_store::object_store::ClientOptions;
use stead_object_store::object_store::aws::AmazonS3Builder;
use stead_object_store::object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService,
};

use crate::{context, payload};

/// Keeps the objects of all buckets, by bucket and key, and what it was asked for.
#[derive(Debug, Clone, Default)]
struct S3(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Bytes>,
    calls: Vec<String>,
}

impl HttpConnector for S3 {
    fn connect(&self, _: &ClientOptions) -> Result<HttpClient, stead_object_store::object_store::Error> {
        Ok(HttpClient::new(self.clone()))
    }
}

impl HttpService for S3 {
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

impl S3 {
    fn answer(&self, request: &http::Request<Bytes>) -> HttpResponse {
        let mut state = self.0.lock().unwrap();
        state.calls.push(request.method().to_string());
        let response = http::Response::builder();
        let signature = request.headers().get("authorization").and_then(|it| it.to_str().ok()).unwrap_or_default();
        if !signature.starts_with("AWS4-HMAC-SHA256 Credential=ada/") {
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

fn storage(server: &S3, secret_of: &str) -> ObjectStorage {
    let bucket = AmazonS3Builder::new()
        .with_bucket_name("large")
        .with_region("eu-west-1")
        .with_endpoint("http://localhost:9000")
        .with_allow_http(true)
        .with_access_key_id(secret_of)
        .with_secret_access_key("sentinel")
        .with_http_connector(server.clone())
        .build()
        .unwrap();
    ObjectStorage::s3(bucket, "large")
}

#[tokio::test]
async fn payloads_are_kept_in_s3_once_and_under_the_keys_of_their_claims() {
    let server = S3::default();
    let storage = storage(&server, "ada");
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
    let storage = storage(&S3::default(), "eve");
    let error = storage.store(vec![payload("a")], &context()).await.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("aws.s3driver store failed [bucket=large") && !shown.contains("sentinel"), "{shown}");
}
