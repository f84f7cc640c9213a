//! The integration suite's harness: one environment a test, on the embedded server or on any other.
//!
//! The server is the one of `STEAD_TEST_SERVER=host:port`; without it, an embedded one in the test's process. With
//! `STEAD_TEST_SERVER=real`, `cargo xtask real-server` installs and starts Temporal's own, which needs Go the first time.

pub mod arms;
pub mod ferry;
pub mod moved;

/// The page for those who move is compiled.
#[cfg(doctest)]
#[doc = include_str!("../../docs/from-the-official-sdk.md")]
pub struct FromTheOfficialSdk;

/// The one for those who come from Python, too.
#[cfg(doctest)]
#[doc = include_str!("../../docs/from-python.md")]
pub struct FromPython;

/// So is the one on logs, metrics and traces.
#[cfg(doctest)]
#[doc = include_str!("../../docs/telemetry.md")]
pub struct Telemetry;

/// The page on Nexus is compiled.
#[cfg(doctest)]
#[doc = include_str!("../../docs/nexus.md")]
pub struct Nexus;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use stead::client::proto::nexus::v1::endpoint_target::{self, Worker as Target};
use stead::client::proto::nexus::v1::{EndpointSpec, EndpointTarget};
use stead::client::proto::operatorservice::v1::CreateNexusEndpointRequest;
use stead::client::{CallOptions, Client, RpcError};
use stead::data::WorkflowType;
use stead::server::{SearchAttributeType, Server};
use stead::testing::Replayer;
use stead::worker::{Worker, WorkerBuilder};
use stead::{WorkflowHandle, data::history::History};

/// A client, and a task queue that no other test uses.
pub struct Env {
    pub client: Client,
    pub task_queue: String,
}

impl Env {
    pub async fn new() -> Self {
        let _ = tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_test_writer()
            .try_init();
        let client = Client::connect(server()).await.unwrap_or_else(|error| panic!("{}: {error}", server()));
        Self { client, task_queue: format!("q-{}", uuid::Uuid::new_v4()) }
    }

    pub fn worker(&self) -> WorkerBuilder {
        Worker::builder(&self.client, &self.task_queue)
    }

    /// An endpoint of Nexus that leads to the test's workers.
    pub async fn nexus_endpoint(&self) -> String {
        let name = format!("e-{}", uuid::Uuid::new_v4());
        create_nexus_endpoint(&self.client, &name, &self.task_queue).await.expect("create an endpoint");
        name
    }

    /// A workflow id that no other test uses.
    pub fn id(&self, name: &str) -> String {
        format!("{name}-{}", uuid::Uuid::new_v4())
    }

    /// Replays what the server recorded of `workflow`, and `histories/<name>.json`, because what was recorded once must
    /// replay for ever; and compares that of the embedded server with the file, which is of Temporal's own (see [`arms`]).
    /// With `STEAD_RECORD` set and no such file, makes it, which only `STEAD_TEST_SERVER=real` should do.
    pub async fn replays<W: WorkflowType>(
        &self,
        replayer: Replayer,
        workflow: &WorkflowHandle<W>,
        name: &str,
    ) -> History {
        let history = workflow.history().await.expect("fetch the history");
        let violations = stead::testing::violations(&history);
        assert!(violations.is_empty(), "the server's history of {name} cannot be: {violations:#?}");
        let path = histories().join(format!("{name}.json"));
        if let Ok(recorded) = std::fs::read_to_string(&path) {
            let recorded = History::from_json(&recorded).expect("a recorded history");
            let is_embedded = std::env::var_os("STEAD_TEST_SERVER").is_none();
            let differences = if is_embedded { arms::differences(&recorded, &history) } else { Vec::new() };
            assert!(
                differences.is_empty(),
                "the history of {name} is not that of Temporal's server:\n{}",
                differences.join("\n")
            );
            replayer.replay(recorded).unwrap_or_else(|error| panic!("{} does not replay: {error}", path.display()));
        } else if std::env::var_os("STEAD_RECORD").is_some() {
            std::fs::write(path, history.to_json().expect("a history is JSON")).expect("write the history");
        }
        replayer.replay(history.clone()).unwrap_or_else(|error| panic!("{name} does not replay: {error}"));
        history
    }
}

/// Makes an endpoint of Nexus that leads to the workers of a task queue.
pub async fn create_nexus_endpoint(client: &Client, name: &str, task_queue: &str) -> Result<(), RpcError> {
    let worker = Target { namespace: client.namespace().to_owned(), task_queue: task_queue.to_owned() };
    let target = EndpointTarget { variant: Some(endpoint_target::Variant::Worker(worker)) };
    let spec = EndpointSpec { name: name.to_owned(), target: Some(target), ..EndpointSpec::default() };
    let request = CreateNexusEndpointRequest { spec: Some(spec) };
    client.connection().operator_service().create_nexus_endpoint(request, CallOptions::new()).await.map(drop)
}

/// Address of the server under test.
pub fn server() -> &'static str {
    static ADDRESS: OnceLock<String> = OnceLock::new();
    ADDRESS.get_or_init(|| match std::env::var("STEAD_TEST_SERVER") {
        Ok(server) if server == "real" => start_real_server(),
        Ok(address) => address,
        Err(_) => start_embedded_server(),
    })
}

/// As `cargo xtask real-server` defines them, too.
const SEARCH_ATTRIBUTES: [(&str, SearchAttributeType); 7] = [
    ("StdText", SearchAttributeType::Text),
    ("StdKeyword", SearchAttributeType::Keyword),
    ("StdInt", SearchAttributeType::Int),
    ("StdDouble", SearchAttributeType::Double),
    ("StdBool", SearchAttributeType::Bool),
    ("StdDatetime", SearchAttributeType::Datetime),
    ("StdKeywordList", SearchAttributeType::KeywordList),
];

/// Starts a server that lives as long as the process. Tests have runtimes of their own, which end with them, so it has
/// one, too, on a thread of its own.
fn start_embedded_server() -> String {
    let (tell, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime for the server").block_on(async {
            let mut server = Server::in_memory().listen(0);
            for (name, kind) in SEARCH_ATTRIBUTES {
                server = server.search_attribute(name, kind);
            }
            let server = server.start().await.expect("start the embedded server");
            tell.send(server.address().expect("the server listens")).expect("somebody waits for the address");
            std::future::pending::<()>().await;
        });
    });
    address.recv().expect("the server starts").to_string()
}

fn start_real_server() -> String {
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--package", "xtask", "--", "real-server"])
        .stderr(std::process::Stdio::inherit())
        .output()
        .expect("run `cargo xtask real-server`");
    assert!(
        output.status.success(),
        "`cargo xtask real-server` failed; STEAD_TEST_SERVER may also name a running server"
    );
    String::from_utf8(output.stdout).expect("an address").trim().to_owned()
}

/// Where recorded histories are kept.
pub fn histories() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("histories")
}

/// The types of a history's events, such as `TIMER_FIRED`.
pub fn event_types(history: &History) -> Vec<&'static str> {
    let prefix = "EVENT_TYPE_";
    history.0.events.iter().map(|event| event.event_type().as_str_name().trim_start_matches(prefix)).collect()
}

/// Waits until the history of `workflow` has an event of a type such as `TIMER_FIRED`, for ten seconds at most.
pub async fn until_history_has<W: WorkflowType>(workflow: &WorkflowHandle<W>, event_type: &str) -> History {
    let wait = async {
        loop {
            let history = workflow.history().await.expect("fetch the history");
            if event_types(&history).contains(&event_type) {
                return history;
            }
            tokio::time::sleep(stead::millis(10)).await;
        }
    };
    tokio::time::timeout(stead::secs(10), wait)
        .await
        .unwrap_or_else(|_| panic!("the history of {} has no {event_type}", workflow.id()))
}
