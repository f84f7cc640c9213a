//! The Rust side of `tests/interop/together`: a worker, and a call of the other side's worker, with a codec, a store for
//! large payloads and a trace that both share. Sends its metrics to a collector, and prints its spans, one a line.
//!
//!     together ADDRESS THEIR_QUEUE OUR_QUEUE S3 COLLECTOR

use std::error::Error;
use std::future::Future;
use std::io::Write;
use std::pin::Pin;
use std::sync::Arc;

use http_body_util::BodyExt;
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector as Tcp;
use hyper_util::rt::TokioExecutor;
use opentelemetry::Context;
use opentelemetry::trace::{FutureExt, SpanId, TraceContextExt, Tracer, TracerProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use stead::DataConverter;
use stead::data::ExternalStorage;
use stead::prelude::*;
use stead::worker::opentelemetry::OpenTelemetry;
use stead_codec::{Encryption, Key, Keys};
use stead_object_store::ObjectStorage;
use stead_object_store::object_store::aws::{AmazonS3, AmazonS3Builder};
use stead_object_store::object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse, HttpService,
};
use stead_object_store::object_store::{self, ClientOptions};
use stead_opentelemetry::Tracing;
use tokio::io::AsyncReadExt;

struct Copier;

#[activities]
impl Copier {
    #[activity]
    async fn copy(&self, text: String) -> activity::Result<String> {
        Ok(format!("{text}{text}, copied by Rust"))
    }
}

#[derive(Default)]
struct Copies {
    text: State<String>,
}

#[workflow]
impl Copies {
    #[run]
    async fn run(&self, title: String) -> workflow::Result<String> {
        workflow::wait_until(|| !self.text.with(String::is_empty)).await?;
        Ok(title + &workflow::activity(Copier::copy, self.text.get()).start_to_close(secs(30)).await?)
    }

    #[signal]
    fn add(&self, text: String) {
        self.text.set(text);
    }
}

type Failed = Box<dyn Error>;

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [address, theirs, ours, s3, collector] = &arguments[..] else {
        return Err("together ADDRESS THEIR_QUEUE OUR_QUEUE S3 COLLECTOR".into());
    };
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone());
    let tracer = stead_opentelemetry::tracer_provider(provider).tracer("together");
    let metrics = Arc::new(OpenTelemetry::new());
    let export = metrics.export_http(Client::connect(collector))?;
    let client = Client::connect(address).metrics(metrics).data_converter(converter(s3)?);
    let client = client.plugin(Tracing::new(tracer.clone()).plugin()).await?;
    let worker = Worker::builder(&client, ours).workflow::<Copies>().activities(Copier).build()?;
    worker
        .run_while(async {
            let context = Context::current_with_span(tracer.start("rust calls"));
            call_python(&client, theirs).with_context(context.clone()).await?;
            context.span().end();
            // Until the other side has made its call.
            tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
            Ok::<(), Failed>(())
        })
        .await??;
    export.shutdown().await;
    print_spans(&exporter)
}

async fn call_python(client: &Client, queue: &str) -> Result<(), Failed> {
    let volume = "voluminous ".repeat(1000);
    let start = client.start_workflow(Copies::run, "title: ".to_owned());
    let copies = start.id(format!("{queue}-copies")).task_queue(queue).await?;
    copies.signal(Copies::add, volume.clone()).await?;
    assert_eq!(copies.result().await?, format!("title: {volume}{volume}, copied by Python"));
    Ok(())
}

/// With the key of the samples, and a bucket for what is large and one for what is huge.
fn converter(s3: &str) -> Result<DataConverter, Failed> {
    let keys = Keys::new("test-key-id", Key::new(*b"test-key-test-key-test-key-test!"));
    let driver = ObjectStorage::s3(bucket(s3, "large")?, "large")
        .and_bucket(bucket(s3, "huge")?, "huge")
        .choose_bucket(|_, payload| if payload.data.len() > 20_000 { "huge" } else { "large" });
    Ok(DataConverter::new()
        .with_codec(Arc::new(Encryption::new(keys)))
        .with_external_storage(ExternalStorage::new(driver).min_size(1000)))
}

fn bucket(endpoint: &str, name: &str) -> Result<AmazonS3, Failed> {
    let bucket = AmazonS3Builder::new().with_bucket_name(name).with_region("eu-west-1").with_endpoint(endpoint);
    let bucket = bucket.with_access_key_id("ada").with_secret_access_key("a secret of nobody");
    Ok(bucket.with_allow_http(true).with_http_connector(Connector).build()?)
}

/// Trace, span, parent, link and name.
fn print_spans(exporter: &InMemorySpanExporter) -> Result<(), Failed> {
    let mut out = std::io::stdout().lock();
    for span in exporter.get_finished_spans()? {
        let (trace, id) = (span.span_context.trace_id(), span.span_context.span_id());
        let link = span.links.iter().next().map_or(SpanId::INVALID, |link| link.span_context.span_id());
        writeln!(out, "{trace} {id} {} {link} {}", span.parent_span_id, span.name)?;
    }
    Ok(())
}

/// Reaches S3 with what is compiled here already; programs enable `aws` of the crate `object_store`.
#[derive(Debug)]
struct Connector;

#[derive(Debug)]
struct Requests(Http<Tcp, HttpRequestBody>);

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> Result<HttpClient, object_store::Error> {
        Ok(HttpClient::new(Requests(Http::builder(TokioExecutor::new()).build_http())))
    }
}

impl HttpService for Requests {
    fn call<'a, 'b>(
        &'a self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let answer = self.0.request(request);
        Box::pin(async move {
            let answer = answer.await.map_err(|error| HttpError::new(HttpErrorKind::Request, error))?;
            let (parts, body) = answer.into_parts();
            let body = body.collect().await.map_err(|error| HttpError::new(HttpErrorKind::Interrupted, error))?;
            Ok(HttpResponse::from_parts(parts, body.to_bytes().into()))
        })
    }
}
