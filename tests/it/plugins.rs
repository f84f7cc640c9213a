//! Plugins: what they set of clients, workers and replayers, and in which order.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use stead::client::StartWorkflowCall;
use stead::client::{Answer, ClientInterceptor, ClientPlugin, Connect, Connecting, ForWorkers, Next, Plugged};
use stead::data::{BoxFuture, CodecError, Payload, PayloadCodec, SerializationContext};
use stead::prelude::*;
use stead::testing::Replayer;
use stead::worker::{Plugin, WorkerPlugin, for_workers};
use stead::workflow::intercepted::Running;
use stead::workflow::{FailOn, WorkflowInterceptor};
use stead_tests::{Env, server};

use crate::log::Log;

#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    fn add(&self, note: impl Into<String>) {
        self.0.lock().unwrap().push(note.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// Notes what passes, as interceptor of everything.
#[derive(Clone)]
struct Noting(&'static str, Notes);

impl ClientInterceptor for Noting {
    fn start_workflow<'a>(
        &'a self,
        call: StartWorkflowCall,
        next: Next<'a, StartWorkflowCall>,
    ) -> Answer<'a, StartWorkflowCall> {
        self.1.add(format!("{} starts", self.0));
        next.run(call)
    }
}

impl WorkflowInterceptor for Noting {
    fn around_run(&self, code: Running<Payload>) -> Running<Payload> {
        self.1.add(format!("{} runs", self.0));
        code
    }
}

impl activity::Interceptor for Noting {
    fn execute<'a>(&'a self, input: activity::Input, next: activity::Next) -> BoxFuture<'a, activity::Result<Payload>> {
        self.1.add(format!("{} executes", self.0));
        Box::pin(next.run(input))
    }
}

struct Office;

#[activities]
impl Office {
    #[activity]
    async fn answer(&self) -> activity::Result<u32> {
        Ok(42)
    }
}

#[derive(Default)]
struct Asks;

#[workflow]
impl Asks {
    #[run]
    async fn run(&self) -> workflow::Result<u32> {
        Ok(workflow::activity(Office::answer, ()).start_to_close(secs(5)).await?)
    }
}

/// With all its parts.
fn plugin(name: &'static str, notes: &Notes) -> Plugin {
    let noting = Noting(name, notes.clone());
    let around = notes.clone();
    Plugin::new(name)
        .client_interceptor(noting.clone())
        .workflow_interceptor(noting.clone())
        .activity_interceptor(noting)
        .around_run(move |run| {
            let notes = around.clone();
            Box::pin(async move {
                notes.add(format!("{name} begins"));
                run.await;
                notes.add(format!("{name} ends"));
            })
        })
}

#[tokio::test]
async fn the_plugins_of_a_client_are_those_of_its_workers_and_replayers_and_come_before_theirs() {
    let mut env = Env::new().await;
    let notes = Notes::default();
    let registers = Plugin::new("registers").workflow::<Asks>().activities(Office);
    env.client = Client::connect(server()).plugin(plugin("client's", &notes)).plugin(registers).await.unwrap();
    let worker = env.worker().plugin(plugin("worker's", &notes)).build().unwrap();
    let id = env.id("asks");
    let asks = worker
        .run_while(async {
            let asks = env.client.start_workflow(Asks::run, ()).id(&id).task_queue(&env.task_queue).await.unwrap();
            assert_eq!(asks.result().await.unwrap(), 42);
            asks
        })
        .await
        .unwrap();
    let mut seen = notes.take();
    // A run is built once or more often: what matters is who comes first.
    seen.dedup();
    let expected = [
        "client's begins",
        "worker's begins",
        "client's starts",
        // The innermost wraps first.
        "worker's runs",
        "client's runs",
        "client's executes",
        "worker's executes",
        "worker's ends",
        "client's ends",
    ];
    assert_eq!(seen, expected);

    let replayer = Replayer::new().plugins_of(&env.client).plugin(plugin("replayer's", &notes));
    replayer.replay_workflow(&asks).await.unwrap();
    let expected = [
        "client's begins",
        "replayer's begins",
        "replayer's runs",
        "client's runs",
        "replayer's ends",
        "client's ends",
    ];
    assert_eq!(notes.take(), expected);
}

#[derive(Default)]
struct Breaks;

#[workflow]
impl Breaks {
    #[run]
    async fn run(&self, word: String) -> workflow::Result<String> {
        assert_ne!(word, "break", "on purpose");
        Ok(word)
    }
}

#[tokio::test]
async fn a_plugin_gives_a_converter_to_clients_and_replayers_and_says_which_defects_fail_workflows() {
    let env = Env::new().await;
    let log = Log::start();
    let plugin = || {
        Plugin::new("backwards")
            .data_converter(|converter| converter.with_codec(Arc::new(Backwards)))
            .workflow::<Breaks>()
            .fail_workflows_on(FailOn::PANICS)
    };
    let client = Client::connect(server()).plugin(plugin()).await.unwrap();
    let worker = Worker::builder(&client, &env.task_queue).build().unwrap();
    let start = |client: &Client, word: &str| {
        let start = client.start_workflow(Breaks::run, word.to_owned()).id(env.id("breaks"));
        start.task_queue(&env.task_queue).into_future()
    };
    let work = async {
        let works = start(&client, "word").await.unwrap();
        assert_eq!(works.result().await.unwrap(), "word");
        // Whoever has another converter sees what the codec made of it.
        assert_eq!(env.client.workflow::<Breaks>(works.id()).result().await.unwrap(), "drow");
        Replayer::new().plugins_of(&client).replay_workflow(&works).await.unwrap();

        let broken = start(&client, "break").await.unwrap();
        let error = broken.result().await.unwrap_err();
        assert!(error.failure().is_some_and(|failure| failure.message.contains("on purpose")), "{error:?}");
    };
    worker.run_while(work).await.unwrap();
    assert_eq!(log.count("a worker has a plugin of this name twice"), 0);

    // The client has it, and the worker is given it again.
    let _twice = Worker::builder(&client, &env.task_queue).plugin(Plugin::new("backwards"));
    assert_eq!(log.count("a worker has a plugin of this name twice"), 1);
    assert!(log.to_string().contains("backwards"), "{log}");
}

/// Reverses payloads, and marks them.
struct Backwards;

impl PayloadCodec for Backwards {
    fn encode<'a>(
        &'a self,
        payloads: Vec<Payload>,
        _: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<Payload>, CodecError>> {
        let encode = |mut payload: Payload| {
            payload.metadata.insert("backwards".to_owned(), "yes".into());
            reversed(payload)
        };
        Box::pin(async move { Ok(payloads.into_iter().map(encode).collect()) })
    }

    fn decode<'a>(
        &'a self,
        payloads: Vec<Payload>,
        _: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<Payload>, CodecError>> {
        let decode = |mut payload: Payload| match payload.metadata.remove("backwards") {
            Some(_) => reversed(payload),
            None => payload,
        };
        Box::pin(async move { Ok(payloads.into_iter().map(decode).collect()) })
    }
}

fn reversed(payload: Payload) -> Payload {
    Payload { data: payload.data.iter().rev().copied().collect(), ..payload }
}

/// What parts cannot say.
struct ByHand(Notes);

impl ClientPlugin for ByHand {
    fn name(&self) -> &str {
        "by hand"
    }

    fn configure_client(&self, client: Connect<Plugged>) -> Connect<Plugged> {
        self.0.add("configures the client");
        client.identity("the plugin's")
    }

    fn around_connect<'a>(&'a self, connect: Connecting<'a>) -> Connecting<'a> {
        Box::pin(async move {
            self.0.add("connects");
            let client = connect.await;
            self.0.add("has connected");
            client
        })
    }

    fn for_workers(self: Arc<Self>) -> Option<ForWorkers> {
        Some(for_workers(self))
    }
}

impl WorkerPlugin for ByHand {
    fn name(&self) -> &str {
        "by hand"
    }

    fn configure_worker(&self, worker: stead::worker::WorkerBuilder) -> stead::worker::WorkerBuilder {
        self.0.add("configures the worker");
        worker.workflow::<Asks>()
    }

    /// Ends as soon as the worker runs.
    fn around_run<'a>(&'a self, run: BoxFuture<'a, ()>) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let _ = tokio::time::timeout(Duration::from_millis(50), run).await;
            self.0.add("has had enough");
        })
    }
}

#[tokio::test]
async fn a_plugin_sets_what_is_set_after_it_overrules_and_stops_a_worker_by_ending() {
    let env = Env::new().await;
    let notes = Notes::default();
    let connect = || Client::connect(server()).plugin(ByHand(notes.clone()));
    let client = connect().await.unwrap();
    assert_eq!(client.identity(), "the plugin's");
    assert_eq!(connect().identity("mine").await.unwrap().identity(), "mine");
    let connects = ["configures the client", "connects", "has connected"];
    assert_eq!(notes.take(), [connects, connects].concat());

    let worker = Worker::builder(&client, &env.task_queue).build().unwrap();
    worker.run().await.unwrap();
    assert_eq!(notes.take(), ["configures the worker", "has had enough"]);
}
