//! What Nexus operations pass on their way: codecs, interceptors, metrics, slots.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use stead::DataConverter;
use stead::data::metrics::{Metric, MetricSink, MetricValue};
use stead::data::{
    BoxFuture, CodecError, EncodedAttributes, NexusContext, Payload, PayloadCodec, SerializationContext,
};
use stead::prelude::*;
use stead::worker::{Plugin, PollerBehavior, Tuner};
use stead_tests::Env;

#[derive(Debug, PartialEq, thiserror::Error, serde::Serialize, serde::Deserialize, IntoFailure)]
enum VaultError {
    #[error("the secret word is {word}")]
    Wrong { word: String },
}

struct Vault;

#[nexus_service]
impl Vault {
    #[operation(errors(VaultError))]
    async fn open(&self, word: String) -> nexus::Result<String> {
        nexus::meter().counter("openings").add(1);
        match &*word {
            "sesame" => Ok("gold".to_owned()),
            _ => Err(VaultError::Wrong { word: "sesame".to_owned() }.into()),
        }
    }
}

#[derive(Default)]
struct Thief;

#[workflow]
impl Thief {
    #[run]
    async fn run(&self, endpoint: String) -> workflow::Result<String> {
        let vault = workflow::nexus::<Vault>(endpoint);
        let wrong = vault.call(Vault::open, "abracadabra").summary("the first try").await.unwrap_err();
        let Some(VaultError::Wrong { word }) = wrong.application() else { panic!("{wrong:?}") };
        Ok(vault.call(Vault::open, word).await?)
    }
}

/// Turns every byte around, and insists on the context that a payload was encoded in.
#[derive(Default)]
struct Seals {
    operations: Mutex<BTreeSet<NexusContext>>,
}

fn seal(context: &SerializationContext) -> String {
    match context {
        SerializationContext::Nexus(operation) => format!("{operation:?}"),
        other => format!("{:?}", other.workflow_id()),
    }
}

fn turned(mut payload: Payload) -> Payload {
    payload.data = payload.data.iter().map(|byte| byte ^ 0x5a).collect();
    payload
}

impl PayloadCodec for Seals {
    fn encode<'a>(
        &'a self,
        payloads: Vec<Payload>,
        context: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<Payload>, CodecError>> {
        let sealed = |payload: Payload| {
            let mut payload = turned(payload);
            payload.metadata.insert("seal".to_owned(), seal(context).into());
            payload
        };
        Box::pin(async move { Ok(payloads.into_iter().map(sealed).collect()) })
    }

    fn decode<'a>(
        &'a self,
        payloads: Vec<Payload>,
        context: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<Payload>, CodecError>> {
        if let SerializationContext::Nexus(operation) = context {
            self.operations.lock().expect("no panic while locked").insert(operation.clone());
        }
        let open = |mut payload: Payload| match payload.metadata.remove("seal") {
            Some(found) if found == seal(context) => Ok(turned(payload)),
            found => Err(CodecError::new(format!("{} is given what has the seal {found:?}", seal(context)))),
        };
        Box::pin(async move { payloads.into_iter().map(open).collect() })
    }
}

#[tokio::test]
async fn nx_13_dc_10_input_result_and_failure_pass_the_codec_in_the_context_of_the_operation() {
    let mut env = Env::new().await;
    let seals = Arc::new(Seals::default());
    let converter = DataConverter::new().with_codec(Arc::clone(&seals) as Arc<dyn PayloadCodec>);
    env.client = env.client.with_data_converter(converter.with_failure_converter(Arc::new(EncodedAttributes)));
    let worker = env.worker().workflow::<Thief>().nexus_service(Vault).build().unwrap();
    let work = async {
        let endpoint = env.nexus_endpoint().await;
        let thief = env.client.start_workflow(Thief::run, &endpoint).id(env.id("thief")).task_queue(&env.task_queue);
        let thief = thief.await.unwrap();
        assert_eq!(thief.result().await.unwrap(), "gold");
        let history = thief.history().await.unwrap().to_json().unwrap();
        assert!(!history.contains("sesame"), "the server reads nothing: {history}");
        let seen = seals.operations.lock().unwrap().clone();
        assert_eq!(seen, [NexusContext::new(endpoint, "Vault", "open")].into());
    };
    tokio::time::timeout(secs(60), worker.run_until(work)).await.expect("it ends").unwrap();
}

/// Counts what passes, and lets nobody in without a header.
#[derive(Default)]
struct Guard(Mutex<Vec<String>>);

struct Guards(Arc<Guard>);

impl nexus::Interceptor for Guards {
    fn start<'a>(
        &'a self,
        input: nexus::Input,
        next: nexus::Next<nexus::Input>,
    ) -> BoxFuture<'a, nexus::Result<nexus::Response<Payload>>> {
        Box::pin(async move {
            let info = nexus::info();
            let who = info.headers.get("who").cloned();
            self.0.0.lock().expect("no panic while locked").push(format!("{who:?} starts {}", info.operation));
            match who {
                Some(_) => next.run(input).await,
                None => Err(nexus::Error::handler(nexus::HandlerErrorKind::Unauthorized, "who are you?")),
            }
        })
    }
}

#[derive(Default)]
struct Visitor;

#[workflow]
impl Visitor {
    #[run]
    async fn run(&self, endpoint: String) -> workflow::Result<String> {
        let vault = workflow::nexus::<Vault>(endpoint);
        let refused = vault.call(Vault::open, "sesame").await.unwrap_err();
        assert_eq!(refused.handler_error(), Some(nexus::HandlerErrorKind::Unauthorized));
        Ok(vault.call(Vault::open, "sesame").header("who", "Ali").await?)
    }
}

/// The names of metrics, with the reasons of failures.
#[derive(Default)]
struct Names(Mutex<BTreeSet<String>>);

impl MetricSink for Names {
    fn record(&self, metric: &Metric<'_>, _: MetricValue, attributes: &[(&str, &str)]) {
        let reason = attributes.iter().find(|(name, _)| *name == "failure_reason").map_or("", |(_, reason)| reason);
        self.0.lock().expect("no panic while locked").insert(format!("{} {reason}", metric.name).trim().to_owned());
    }
}

#[tokio::test]
async fn in_4_interceptors_wrap_the_handlers_of_operations_and_metrics_tell_of_them() {
    let env = Env::new().await;
    let (guard, names) = (Arc::new(Guard::default()), Arc::new(Names::default()));
    let worker = env.worker().workflow::<Visitor>().nexus_service(Vault).nexus_interceptor(Guards(Arc::clone(&guard)));
    let worker = worker.metrics(Arc::clone(&names) as Arc<dyn MetricSink>).tuner(Tuner::new().nexus_tasks(3));
    let worker = worker.nexus_task_pollers(PollerBehavior::autoscaling(1..=3, 2)).build().unwrap();
    let work = async {
        let endpoint = env.nexus_endpoint().await;
        let visitor =
            env.client.start_workflow(Visitor::run, endpoint).id(env.id("visitor")).task_queue(&env.task_queue);
        assert_eq!(visitor.await.unwrap().result().await.unwrap(), "gold");
        let seen = guard.0.lock().unwrap().clone();
        assert_eq!(seen, ["None starts open", "Some(\"Ali\") starts open"]);
    };
    tokio::time::timeout(secs(60), worker.run_until(work)).await.expect("it ends").unwrap();
    let names = names.0.lock().unwrap().clone();
    for name in [
        "nexus_task_schedule_to_start_latency",
        "nexus_task_execution_latency",
        "nexus_task_endtoend_latency",
        "nexus_task_execution_failed handler_error_UNAUTHORIZED",
        "nexus_poll_no_task",
        "openings",
    ] {
        assert!(names.contains(name), "{name} is not among {names:?}");
    }
}

#[stead::test]
async fn operations_are_mocked_whether_or_not_their_service_is_there(env: TestEnv) -> stead::Result<()> {
    let endpoint = env.create_nexus_endpoint("vault", env.task_queue()).await?;
    let open = |word: String| async move {
        match &*word {
            "friend" => Ok("silver".to_owned()),
            _ => Err(nexus::Error::operation_failed_as(VaultError::Wrong { word: "friend".to_owned() })),
        }
    };
    let worker =
        env.worker().workflow::<Thief>().nexus_service(Vault).mock_operation(Vault::open, open).start().await?;
    assert_eq!(env.start(Thief::run, &endpoint.name).await?.result().await?, "silver");
    worker.stop().await?;
    let worker = env.worker().workflow::<Thief>().mock_operation(Vault::open, open).start().await?;
    assert_eq!(env.start(Thief::run, &endpoint.name).await?.result().await?, "silver");
    worker.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_plugin_brings_a_nexus_service_and_an_interceptor_of_its_handlers() {
    let env = Env::new().await;
    let guard = Arc::new(Guard::default());
    let plugin = Plugin::new("vault").nexus_service(Vault).nexus_interceptor(Guards(Arc::clone(&guard)));
    let worker = env.worker().workflow::<Visitor>().plugin(plugin).build().unwrap();
    let work = async {
        let visitor = env.client.start_workflow(Visitor::run, env.nexus_endpoint().await).id(env.id("visitor"));
        assert_eq!(visitor.task_queue(&env.task_queue).await.unwrap().result().await.unwrap(), "gold");
    };
    tokio::time::timeout(secs(60), worker.run_until(work)).await.expect("it ends").unwrap();
    assert_eq!(guard.0.lock().unwrap().len(), 2, "both calls passed the interceptor");
}
