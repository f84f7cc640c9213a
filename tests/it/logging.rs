//! Logs, as a program's own subscriber of `tracing` gets them.

use std::collections::BTreeSet;
use std::future::IntoFuture;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use serde_json::Value;
use stead::prelude::*;
use stead_tests::Env;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{fmt, registry};

/// What each format has written.
static WRITTEN: [Mutex<Vec<u8>>; 3] = [const { Mutex::new(Vec::new()) }; 3];
const JSON: usize = 0;
const COMPACT: usize = 1;
const PRETTY: usize = 2;

fn lines(format: usize) -> Vec<String> {
    String::from_utf8(WRITTEN[format].lock().unwrap().clone()).unwrap().lines().map(str::to_owned).collect()
}

struct Writes(usize);

impl Write for Writes {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        WRITTEN[self.0].lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The SDK's warnings, what this file says, and errors of all else.
fn subscribe() {
    let filter = EnvFilter::new("error,stead=warn,it::logging=info");
    let subscriber = registry()
        .with(filter)
        .with(fmt::layer().with_ansi(false).json().with_writer(|| Writes(JSON)))
        .with(fmt::layer().with_ansi(false).compact().with_writer(|| Writes(COMPACT)))
        .with(fmt::layer().with_ansi(false).pretty().with_writer(|| Writes(PRETTY)));
    tracing::subscriber::set_global_default(workflow::SkipReplays::new(subscriber)).expect("the only one");
}

struct Till;

#[activities]
impl Till {
    #[activity]
    async fn charge(&self, amount: u32) -> activity::Result<()> {
        tracing::info!(amount, "charging");
        match activity::info().attempt {
            1 => Err("the till is stuck".into()),
            _ => Ok(()),
        }
    }
}

struct Doorbell;

#[nexus_service]
impl Doorbell {
    #[operation]
    async fn ring(&self) -> u32 {
        tracing::info!("ringing");
        1
    }
}

#[derive(Default)]
struct Order;

#[workflow]
impl Order {
    #[run]
    async fn run(&self, amount: u32) -> workflow::Result<()> {
        tracing::info!("ordered");
        tracing::debug!("not told");
        let retry = RetryPolicy::default().initial_interval(millis(1));
        workflow::activity(Till::charge, amount).start_to_close(secs(5)).retry(retry).await?;
        tracing::info!("charged");
        Ok(())
    }
}

/// In a process of its own, whose subscriber is the test's.
#[test]
fn logs_are_filtered_by_target_and_carry_their_fields_in_every_format_and_once() {
    const ALONE: &str = "STEAD_TEST_LOGS_ALONE";
    if std::env::var_os(ALONE).is_some() {
        subscribe();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        return runtime.block_on(an_order_is_logged());
    }
    let name = "logging::logs_are_filtered_by_target_and_carry_their_fields_in_every_format_and_once";
    let alone =
        Command::new(std::env::current_exe().unwrap()).args(["--exact", name]).env(ALONE, "1").output().unwrap();
    let said = String::from_utf8_lossy(&alone.stdout);
    assert!(alone.status.success() && said.contains("1 passed"), "{said}");
}

async fn an_order_is_logged() {
    let env = Env::new().await;
    // So that its code is replayed.
    let worker = env.worker().workflow::<Order>().activities(Till).nexus_service(Doorbell);
    let worker = worker.max_cached_workflows(0).build().unwrap();
    let id = format!("order-{}", env.task_queue);
    let order = env.client.start_workflow(Order::run, 7).id(&id).task_queue(&env.task_queue).await.unwrap();
    let endpoint = env.nexus_endpoint().await;
    let work = async {
        let ring = env.client.nexus::<Doorbell>(&endpoint).execute(Doorbell::ring, ()).id(env.id("ring"));
        assert_eq!(ring.await.unwrap(), 1);
        order.result().into_future().await
    };
    worker.run_while(work).await.unwrap().unwrap();

    let json = lines(JSON);
    let told: Vec<Value> = json.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of_order = |it: &&Value| it["span"]["workflow_id"] == id.as_str();
    let by_order: Vec<_> = told.iter().filter(of_order).filter(|it| it["target"] == "it::logging").collect();
    let messages: Vec<_> = by_order.iter().map(|it| it["fields"]["message"].as_str().unwrap()).collect();
    assert_eq!(messages, ["ordered", "charging", "charging", "charged"], "each once, although replayed");
    let (workflow, activity) = (&by_order[0]["span"], &by_order[1]["span"]);
    assert_eq!((&workflow["name"], &workflow["workflow_type"]), (&"workflow".into(), &"Order".into()));
    assert_eq!((&activity["name"], &activity["activity_type"]), (&"activity".into(), &"charge".into()));
    assert_eq!((&activity["attempt"], &by_order[1]["fields"]["amount"]), (&1.into(), &7.into()));
    for field in ["run_id", "namespace", "task_queue"] {
        assert!(workflow[field].is_string() && workflow[field] == activity[field], "{field}: {workflow} {activity}");
    }

    let rung = told.iter().find(|it| it["fields"]["message"] == "ringing").expect("the handler says it");
    let (span, handler) = (&rung["span"], ["nexus", "Doorbell", "ring", &endpoint]);
    assert_eq!(["name", "service", "operation", "endpoint"].map(|field| span[field].as_str().unwrap()), handler);

    let is_failure = |it: &&Value| it["fields"]["failure"] == "the till is stuck";
    let failures: Vec<_> = told.iter().filter(is_failure).collect();
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert_eq!((&failures[0]["level"], &failures[0]["target"]), (&"WARN".into(), &"stead::worker".into()));
    assert_eq!(failures[0]["fields"]["temporal_error_identifier"], "ActivityFailure");
    let quiet = ["DEBUG", "TRACE"];
    assert!(told.iter().all(|it| !quiet.contains(&it["level"].as_str().unwrap())), "the filter lets none through");

    let compact = lines(COMPACT);
    let is_whole = |line: &&String| line.contains("charging amount=7") && line.contains(&id);
    assert_eq!(compact.iter().filter(is_whole).count(), 2, "{compact:#?}");
    let pretty = lines(PRETTY);
    assert!(pretty.iter().any(|line| line.contains("charging, amount: 7")), "{pretty:#?}");
}

#[test]
fn the_targets_of_all_log_statements_are_those_of_the_documentation() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = std::fs::read_to_string(root.join("docs/telemetry.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `stead::")?.split_once('`'));
    let documented: BTreeSet<_> = rows.map(|(target, _)| format!("stead::{target}")).collect();
    let (mut written, mut folders) = (BTreeSet::new(), Vec::new());
    for of in ["activity", "client", "contrib/opentelemetry", "core", "data", "nexus", "worker", "workflow"] {
        folders.push(root.join("crates").join(of).join("src"));
    }
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap();
            let mut lines = source.lines().map(str::trim_start).filter(|line| !line.starts_with("//"));
            while let Some(line) = lines.next() {
                let Some((_, rest)) = LEVELS.iter().find_map(|level| line.split_once(level)) else { continue };
                // The arguments may begin on the next line.
                let arguments = if rest.is_empty() { lines.next().unwrap_or_default() } else { rest };
                let target = arguments.strip_prefix("target: \"").and_then(|it| it.split_once('"'));
                let (target, _) = target.unwrap_or_else(|| panic!("{}: no target in `{line}`", path.display()));
                written.insert(target.to_owned());
            }
        }
    }
    assert_eq!(written, documented);
}

const LEVELS: [&str; 6] = [
    "tracing::error!(",
    "tracing::warn!(",
    "tracing::info!(",
    "tracing::debug!(",
    "tracing::trace!(",
    "tracing::error_span!(",
];
