//! Calls that workflow code must not make, each made once, and what reports it. The table of `docs/determinism.md` is what
//! this test finds: `STEAD_RECORD=1 cargo test -p stead-tests calls` writes it anew.
// Elsewhere the guard sees nothing, and the table is another one.
#![cfg(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")))]

use std::hint::black_box;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use stead::prelude::*;
use stead_tests::until_history_has;

/// What reports a call that no lint sees, because it stands in a function outside of the workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layer {
    Guard,
    ShadowReplay,
    ForeignWake,
    Watchdog,
    /// It panics, as its runtime is not there or by itself.
    Panic,
    ReadOnly,
}

/// A call, its name in the compiler's message if there is one, and what reports it while it runs.
const CALLS: [(&str, Option<&str>, Layer); 25] = [
    ("SystemTime::now", Some("SystemTime::now"), Layer::Guard),
    ("Instant::now", Some("Instant::now"), Layer::Guard),
    ("chrono::Utc::now", Some("Utc::now"), Layer::Guard),
    ("uuid::Uuid::new_v4", Some("Uuid::new_v4"), Layer::Guard),
    ("rand::random", Some("rand::random"), Layer::Guard),
    ("fastrand::u64", Some("fastrand::u64"), Layer::Guard),
    ("std HashMap iteration", Some("HashMap"), Layer::ShadowReplay),
    ("hashbrown iteration", Some("HashMap"), Layer::ShadowReplay),
    ("std::fs::read", Some("fs::read"), Layer::Guard),
    ("std::env::var", Some("env::var"), Layer::Guard),
    ("std::thread::sleep", Some("thread::sleep"), Layer::Guard),
    ("std::thread::spawn", Some("thread::spawn"), Layer::Guard),
    ("TcpStream::connect", Some("TcpStream::connect"), Layer::Guard),
    ("tokio::spawn", Some("tokio::spawn"), Layer::Panic),
    ("tokio::time::sleep", Some("time::sleep"), Layer::Panic),
    ("tokio::select!", Some("tokio::select!"), Layer::ShadowReplay),
    ("futures::select!", Some("futures::select!"), Layer::ShadowReplay),
    ("a static counter", None, Layer::ShadowReplay),
    ("an address as data", None, Layer::ShadowReplay),
    ("a oneshot completed from another thread", None, Layer::ForeignWake),
    ("a blocking Mutex", None, Layer::Watchdog),
    ("process::Command", Some("process::Command::new"), Layer::Guard),
    ("a busy loop", None, Layer::Watchdog),
    ("a panic", None, Layer::Panic),
    ("a command issued from a query", None, Layer::ReadOnly),
];

static COUNTER: AtomicU32 = AtomicU32::new(0);
static MUTEX: Mutex<()> = Mutex::new(());
static IS_OVER: AtomicBool = AtomicBool::new(false);

/// Out of sight of the macro. What a call gives is the result of the workflow.
fn call(name: &str) -> String {
    let eight = || (0..8_u32).map(|number| (number, ()));
    match name {
        "SystemTime::now" => format!("{:?}", SystemTime::now()),
        "Instant::now" => format!("{:?}", Instant::now()),
        "chrono::Utc::now" => format!("{:?}", chrono::Utc::now()),
        "uuid::Uuid::new_v4" => uuid::Uuid::new_v4().to_string(),
        "rand::random" => rand::random::<u64>().to_string(),
        "fastrand::u64" => fastrand::u64(..).to_string(),
        "std HashMap iteration" => {
            format!("{:?}", eight().collect::<std::collections::HashMap<_, _>>().keys().collect::<Vec<_>>())
        }
        "hashbrown iteration" => {
            format!("{:?}", eight().collect::<hashbrown::HashMap<_, _>>().keys().collect::<Vec<_>>())
        }
        "std::fs::read" => {
            std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap().len().to_string()
        }
        "std::env::var" => format!("{:?}", std::env::var("STEAD_OF_A_CALL")),
        "std::thread::sleep" => {
            std::thread::sleep(millis(1));
            String::new()
        }
        "std::thread::spawn" => std::thread::spawn(|| 7).join().unwrap().to_string(),
        "TcpStream::connect" => std::net::TcpStream::connect("127.0.0.1:1").is_ok().to_string(),
        "a static counter" => COUNTER.fetch_add(1, Ordering::SeqCst).to_string(),
        "an address as data" => format!("{:p}", Box::new(name.len())),
        "a blocking Mutex" => format!("{:?}", MUTEX.lock().unwrap_or_else(PoisonError::into_inner)),
        "process::Command" => std::process::Command::new("true").status().is_ok().to_string(),
        "a busy loop" => {
            let mut turns = 0_u64;
            while !IS_OVER.load(Ordering::Relaxed) {
                turns = black_box(turns.wrapping_add(1));
            }
            String::new()
        }
        "a panic" => panic!("as it was told to"),
        other => panic!("{other} is none of the calls"),
    }
}

async fn call_async(name: &str) -> workflow::Result<String> {
    Ok(match name {
        "tokio::spawn" => format!("{:?}", tokio::spawn(async { 7 }).await),
        "tokio::time::sleep" => {
            tokio::time::sleep(millis(1)).await;
            String::new()
        }
        "tokio::select!" => {
            let mut order = String::new();
            for _ in 0..16 {
                order += tokio::select! { () = async {} => "a", () = async {} => "b", () = async {} => "c" };
            }
            order
        }
        "futures::select!" => {
            let mut order = String::new();
            for _ in 0..16 {
                let ready = || futures::future::ready(());
                let (mut a, mut b, mut c) = (ready(), ready(), ready());
                order += futures::select! { () = a => "a", () = b => "b", () = c => "c" };
            }
            order
        }
        "a oneshot completed from another thread" => {
            let (sender, mut receiver) = tokio::sync::oneshot::channel();
            let mut sender = Some(sender);
            let received = std::future::poll_fn(|cx| {
                let received = Pin::new(&mut receiver).poll(cx);
                if let Some(sender) = sender.take() {
                    // The guard would report the thread.
                    workflow::unwatched(|| std::thread::spawn(move || sender.send(7)).join()).unwrap().unwrap();
                }
                received
            });
            format!("{:?}", received.await)
        }
        other => call(other),
    })
}

#[derive(Default)]
struct Calls {
    is_asked: Cell<bool>,
}

#[workflow]
impl Calls {
    #[run]
    async fn run(&self, name: String) -> workflow::Result<String> {
        if name == "a command issued from a query" {
            workflow::wait_until(|| self.is_asked.get()).await?;
        }
        call_async(&name).await
    }

    #[query]
    fn ask(&self) -> u32 {
        drop(workflow::activity_named::<()>("any", ()).start_to_close(secs(1)).start());
        7
    }
}

/// Makes the call in a workflow. Returns the first line of the report, if there is one.
async fn report(name: &str) -> Option<String> {
    let env = TestEnv::new().await.unwrap();
    let _worker = env.worker().workflow::<Calls>().start().await.unwrap();
    let _held = (name == "a blocking Mutex").then(Held::new);
    let run = env.start(Calls::run, name).await.unwrap();
    let message = match name {
        "a command issued from a query" => Some(run.query(Calls::ask, ()).await.unwrap_err().to_string()),
        "a blocking Mutex" | "a busy loop" => {
            let history = until_history_has(&run, "WORKFLOW_TASK_FAILED").await;
            let json: serde_json::Value = serde_json::from_str(&history.to_json().unwrap()).unwrap();
            let events = json["events"].as_array().unwrap();
            let failed = events.iter().find_map(|event| event.get("workflowTaskFailedEventAttributes"));
            Some(failed.unwrap()["failure"]["message"].as_str().unwrap().to_owned())
        }
        _ => run.result().await.err().map(|error| error.failure().expect("a failure").message.clone()),
    };
    message.map(|message| first_line(&message))
}

/// Holds the mutex on a thread of its own, as a guard must not be held across an await.
struct Held(Option<std::sync::mpsc::Sender<()>>);

impl Held {
    fn new() -> Self {
        let (release, released) = std::sync::mpsc::channel::<()>();
        let (tell, held) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let _guard = MUTEX.lock().unwrap_or_else(PoisonError::into_inner);
            tell.send(()).unwrap();
            released.recv().unwrap_err();
        });
        held.recv().unwrap();
        Self(Some(release))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.0.take());
    }
}

/// Without what differs from run to run.
fn first_line(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let line = line.split(" Workflow Calls (").next().unwrap_or_default();
    match line.split_once(" panicked at ") {
        Some((begin, rest)) => format!("{begin} panicked at {}", rest.split_once(": ").map_or(rest, |(_, text)| text)),
        None => line.to_owned(),
    }
    .replace(" panicked at ", " panicked: ")
}

fn layer(line: &str) -> Layer {
    match line {
        line if line.contains("(determinism guard)") => Layer::Guard,
        line if line.contains("(shadow replay)") => Layer::ShadowReplay,
        line if line.contains("woken from outside") => Layer::ForeignWake,
        line if line.contains("[TMPRL1101]") => Layer::Watchdog,
        line if line.contains("While in read-only function") => Layer::ReadOnly,
        line if line.contains("panicked") => Layer::Panic,
        line => panic!("no layer reports like this: {line}"),
    }
}

/// What the compiler says of it, as the test of its messages has it.
fn lint(name: &str) -> String {
    const MESSAGES: &str = include_str!("../../crates/stead/tests/ui/workflow_calls.stderr");
    let of_it = |line: &&str| line.contains(&format!("`{name}` i"));
    let line = MESSAGES.lines().find(of_it).unwrap_or_else(|| panic!("the compiler says nothing of {name}"));
    let text = line.find('`').map_or(line, |at| &line[at..]);
    // A warning names the constant that it is made with first.
    text.split_once("random_order`: ").map_or(text, |(_, text)| text).to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sb_4_each_of_25_calls_is_reported_by_a_layer_and_the_table_says_which() {
    let mut table =
        String::from("| call | the compiler says | while it runs | the report begins |\n|---|---|---|---|\n");
    for (name, linted, expected) in CALLS {
        let mut line = report(name).await;
        // By chance it may have been the same both times.
        for _ in 1..8 {
            if line.is_none() {
                line = report(name).await;
            }
        }
        let line = line.unwrap_or_else(|| panic!("{name} is missed by all layers"));
        assert_eq!(layer(&line), expected, "{name}: {line}");
        let said = linted.map(lint).unwrap_or_default();
        table += &format!("| {name} | {said} | {} | {line} |\n", layer_name(expected));
    }
    IS_OVER.store(true, Ordering::Relaxed);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/determinism.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = ("<!-- calls -->\n", "<!-- end of calls -->");
    let (before, rest) = page.split_once(begin).expect("the page has a place for the table");
    let (there, after) = rest.split_once(end).expect("the place ends");
    if std::env::var_os("STEAD_RECORD").is_some() {
        std::fs::write(&path, format!("{before}{begin}{table}{end}{after}")).unwrap();
    } else {
        assert_eq!(there, table, "`STEAD_RECORD=1 cargo test -p stead-tests calls` writes the table anew");
    }
}

fn layer_name(layer: Layer) -> &'static str {
    match layer {
        Layer::Guard => "guard",
        Layer::ShadowReplay => "shadow replay",
        Layer::ForeignWake => "foreign wakes",
        Layer::Watchdog => "deadlock watchdog",
        Layer::Panic => "a panic fails the task",
        Layer::ReadOnly => "queries only read",
    }
}
