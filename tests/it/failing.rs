//! The table of `workflow::Error`, row by row: what an error, a panic and an unreadable value do, and where.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::task::Poll;

use stead::client::ResultError;
use stead::data::{Failure, Update};
use stead::prelude::*;
use stead::testing::Replayer;
use stead_tests::{Env, event_types, until_history_has};
use workflow::FailOn;

/// Goes wrong as it is told to, and where.
#[derive(Default)]
struct Wrong {
    done: Cell<bool>,
}

#[workflow]
impl Wrong {
    #[run]
    async fn run(&self, how: String) -> workflow::Result<String> {
        match how.as_str() {
            "waits" => {}
            "ends" => return Ok("ended".to_owned()),
            "reads a result" => {
                workflow::activity(Acts::text, ()).start_to_close(secs(5)).await?;
            }
            "changes" => changes().await?,
            "is woken" => is_woken().await,
            how => err(how).await?,
        }
        workflow::wait_until(|| self.done.get()).await?;
        Ok("went on".to_owned())
    }

    #[signal]
    async fn signalled(&self, how: String) -> workflow::Result<()> {
        err(&how).await
    }

    #[signal]
    fn done(&self) {
        self.done.set(true);
    }

    #[update(validator = check)]
    async fn updated(&self, how: String) -> workflow::Result<()> {
        err(&how).await
    }

    fn check(&self, how: &str) -> workflow::Result<()> {
        match how.strip_prefix("validator ") {
            Some("panics") => panic!("on purpose"),
            Some("acts") => drop(workflow::spawn(async {})),
            Some(_) => return Err(Failure::application("on purpose").into()),
            None => {}
        }
        Ok(())
    }

    #[query]
    fn asked(&self, how: String) -> workflow::Result<u64> {
        match how.as_str() {
            "panics" => panic!("on purpose"),
            "acts" => Ok(workflow::random()),
            _ => Err(Failure::application("on purpose").into()),
        }
    }
}

/// What ends the code that awaits it.
async fn err(how: &str) -> workflow::Result<()> {
    match how {
        "fails" => Err(Failure::application("on purpose").into()),
        "is cancelled" => Ok(workflow::sleep(secs(60)).await?),
        "cancels itself" => Err(Failure::cancelled("on purpose").into()),
        "continues" => workflow::continue_as_new(Wrong::run, "ends").exit(),
        "panics" => panic!("on purpose"),
        _ => unreachable!("{how}"),
    }
}

/// Another command each time that its run is built anew.
async fn changes() -> workflow::Result<()> {
    static SEEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let is_new = SEEN.lock().unwrap().insert(workflow::info().run_id().to_owned());
    match is_new {
        true => Ok(workflow::sleep(millis(5)).await?),
        false => Ok(workflow::activity_named::<()>("nobody", ()).start_to_close(secs(5)).await?),
    }
}

/// By a thread that is not the workflow's.
async fn is_woken() {
    let mut woken = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut woken, true) {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        workflow::nondeterministic!(std::thread::spawn(move || waker.wake()).join()).unwrap();
        Poll::Pending
    })
    .await;
}

struct Acts;

#[activities]
impl Acts {
    /// The workflow is told that it is a text.
    #[activity]
    fn text(&self) -> activity::Result<u32> {
        Ok(1)
    }
}

/// The same type of activity, as the workflow of `"reads a result"` expects it not to be.
struct Texts;

#[activities]
impl Texts {
    #[activity]
    fn text(&self) -> activity::Result<String> {
        Ok("no number".to_owned())
    }
}

struct Row {
    what: String,
    place: String,
    effect: String,
}

/// The table as the documentation has it, with a row for each place.
fn rows() -> Vec<Row> {
    let source = include_str!("../../crates/workflow/src/error.rs");
    let lines = source.lines().filter_map(|line| line.strip_prefix("/// | ")?.strip_suffix(" |"));
    let rows = lines.skip(1).flat_map(|line| {
        let cells: Vec<_> = line.split(" | ").collect();
        let [what, places, effect] = cells[..] else { panic!("a row of the table: {line}") };
        let row = move |place: &str| Row { what: what.into(), place: place.into(), effect: effect.into() };
        places.split(", ").map(row).collect::<Vec<_>>()
    });
    rows.collect()
}

/// What the workflow does in a row, and whether a defect fails it.
fn trigger(what: &str) -> (&'static str, bool) {
    let (defect, fails) = match what.split_once(", and [") {
        Some((defect, _)) => (defect, true),
        None => (what, false),
    };
    let how = match defect {
        "`Err` with a failure" => "fails",
        "`Err` with the cancellation that was requested" => "is cancelled",
        "`Err` with a cancellation that nobody requested" => "cancels itself",
        "`Err` from [`continue_as_new`](crate::continue_as_new())" => "continues",
        "a panic" => "panics",
        "an operation, a spawned task, a random number" => "acts",
        "a value that cannot be decoded" => "undecodable",
        "code that does not do what its history says" => "changes",
        "a wake from outside of the workflow" => "is woken",
        "a type that the worker does not know" => "unknown",
        _ => panic!("no test for `{what}`"),
    };
    (how, fails)
}

/// Does what a row says, and what the row should say comes of it.
async fn happens(env: &Env, row: &Row) -> &'static str {
    let (how, fails) = trigger(&row.what);
    let task_queue = format!("{}-{fails}", env.task_queue);
    let start = async |how: &str| {
        let start = env.client.start_workflow(Wrong::run, how).id(env.id("wrong")).task_queue(&task_queue);
        start.task_timeout(secs(2)).await.unwrap()
    };
    let start_with_number = async |workflow_type: &str| {
        let start = env.client.start_workflow_named(workflow_type, 1).id(env.id("wrong")).task_queue(&task_queue);
        let id = start.task_timeout(secs(2)).await.unwrap().id().to_owned();
        env.client.workflow::<Wrong>(id)
    };
    let signalled = "WORKFLOW_EXECUTION_SIGNALED";
    match (row.place.as_str(), how) {
        ("`run`", "is cancelled") => {
            let run = start(how).await;
            until_history_has(&run, "TIMER_STARTED").await;
            run.cancel().await.unwrap();
            ending(&run).await
        }
        ("`run`", how) => ending(&start(how).await).await,
        ("the arguments of `run`", _) => ending(&start_with_number("Wrong").await).await,
        ("the start of a run", _) => ending(&start_with_number("Nobody").await).await,
        ("the result of an operation", _) => ending(&start("reads a result").await).await,
        ("a signal handler", how) => {
            let run = start("waits").await;
            run.signal(Wrong::signalled, how).await.unwrap();
            if how == "is cancelled" {
                until_history_has(&run, "TIMER_STARTED").await;
                run.cancel().await.unwrap();
            }
            ending(&run).await
        }
        ("the arguments of a signal", _) => {
            let run = start("waits").await;
            run.signal_named("signalled", 1).await.unwrap();
            until_history_has(&run, signalled).await;
            run.signal(Wrong::done, ()).await.unwrap();
            match ending(&run).await {
                "the workflow goes on" => "the signal is dropped, and the workflow goes on",
                other => other,
            }
        }
        ("an update handler", how) => updated(&start("waits").await, how.into()).await,
        ("a validator", how) => updated(&start("waits").await, format!("validator {how}").into()).await,
        ("the arguments of an update", _) => updated(&start("waits").await, 1.into()).await,
        ("a query handler", how) => asked(&start("waits").await, how.into()).await,
        ("the arguments of a query", _) => asked(&start("waits").await, 1.into()).await,
        (place, how) => panic!("no test for `{how}` in `{place}`"),
    }
}

/// What becomes of a run.
async fn ending(run: &WorkflowHandle<Wrong>) -> &'static str {
    let history = loop {
        let history = run.history().await.unwrap();
        let types = event_types(&history);
        let is_closed = |kind: &&str| kind.starts_with("WORKFLOW_EXECUTION_") && !kind.ends_with("SIGNALED");
        let last = types.iter().skip(1).filter(|kind| !kind.contains("REQUESTED") && !kind.contains("UPDATE"));
        if last.clone().any(is_closed) || types.contains(&"WORKFLOW_TASK_FAILED") {
            break history;
        }
        tokio::time::sleep(millis(20)).await;
    };
    let json = history.to_json().unwrap();
    if !event_types(&history).contains(&"WORKFLOW_TASK_FAILED") {
        return match run.result().follow_runs(false).await {
            Ok(_) => "the workflow goes on",
            Err(ResultError::Failed { .. }) => "the workflow closes as failed",
            Err(ResultError::Cancelled { .. }) => "the workflow closes as cancelled",
            Err(ResultError::ContinuedAsNew { .. }) => "the workflow continues as a new run",
            Err(other) => panic!("{other:?}"),
        };
    }
    // A later task may have succeeded, without what had failed this one.
    let _ = run.terminate().await;
    match json.contains("NON_DETERMINISTIC_ERROR") {
        true => "the workflow task fails as nondeterministic",
        false => "the workflow task fails",
    }
}

/// What becomes of an update and its workflow.
async fn updated(run: &WorkflowHandle<Wrong>, how: serde_json::Value) -> &'static str {
    let update = run.update_named::<()>("updated", how);
    let failed = tokio::select! {
        updated = update => updated.is_err(),
        ending = ending(run) => return ending,
    };
    assert!(failed, "the update should not succeed");
    let history = run.history().await.unwrap();
    if run.signal(Wrong::done, ()).await.is_err() {
        return ending(run).await;
    }
    match (ending(run).await, event_types(&history).contains(&"WORKFLOW_EXECUTION_UPDATE_ACCEPTED")) {
        ("the workflow goes on", true) => "the update fails, and the workflow goes on",
        ("the workflow goes on", false) => "the update is rejected, and leaves no trace in history",
        (other, _) => other,
    }
}

/// What becomes of a query, of which its workflow hears nothing.
async fn asked(run: &WorkflowHandle<Wrong>, how: serde_json::Value) -> &'static str {
    run.query_named::<u64>("asked", how).await.unwrap_err();
    run.signal(Wrong::done, ()).await.unwrap();
    assert_eq!(ending(run).await, "the workflow goes on");
    "the query fails"
}

#[tokio::test]
async fn each_row_of_the_table_of_errors_is_so() {
    let env = Env::new().await;
    let worker = |fails: bool| {
        let builder = stead::Worker::builder(&env.client, format!("{}-{fails}", env.task_queue));
        // Without a cache each task builds its run anew.
        let builder = builder.workflow::<Wrong>().activities(Texts).max_cached_workflows(0);
        if fails { builder.fail_workflows_on(FailOn::ANYTHING) } else { builder }.build().unwrap()
    };
    let rows = rows();
    assert!(rows.len() > 20, "the table is read: {}", rows.len());
    let work = async {
        let mut wrong = Vec::new();
        for row in &rows {
            let Row { what, place, effect } = row;
            let happened = tokio::time::timeout(secs(20), happens(&env, row)).await.unwrap_or("nothing happens");
            if effect != happened {
                wrong.push(format!("{what}, in {place}: {happened}, and not: {effect}"));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    };
    let both = worker(true).run_while(async { worker(false).run_while(work).await });
    both.await.unwrap().unwrap();
}

/// Fails for what its definition names, and for nothing else.
#[derive(Default)]
struct Particular;

#[workflow(fail_on(panics))]
impl Particular {
    #[run]
    async fn run(&self, how: String) -> workflow::Result<()> {
        match how.as_str() {
            "panics" => panic!("on purpose"),
            _ => workflow::activity(Acts::text, ()).start_to_close(secs(5)).await.map(|_| ()).map_err(Into::into),
        }
    }
}

/// Fails for what its argument names.
struct Configured {
    fails: bool,
}

#[workflow(dynamic)]
impl Configured {
    #[init]
    fn new(arguments: &[workflow::Raw]) -> Self {
        let first = arguments.first().map(workflow::decode::<bool>);
        Self { fails: first.is_some_and(|fails| fails.unwrap_or_default()) }
    }

    #[config]
    fn config(&self) -> workflow::Config {
        assert!(workflow::replay::is_read_only());
        match self.fails {
            true => workflow::Config::new().fail_on(FailOn::PANICS),
            false => workflow::Config::new(),
        }
    }

    #[run]
    async fn run(&self, _arguments: Vec<workflow::Raw>) -> workflow::Result<()> {
        panic!("on purpose")
    }
}

#[tokio::test]
async fn a_workflow_and_a_run_say_themselves_what_fails_them() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Particular>().workflow::<Configured>().activities(Texts).build().unwrap();
    let work = async {
        let start = async |how: &str| {
            let start = env.client.start_workflow(Particular::run, how).id(env.id("particular"));
            start.task_queue(&env.task_queue).await.unwrap()
        };
        let panicked = start("panics").await;
        let failure = panicked.result().await.unwrap_err();
        assert!(failure.failure().unwrap().message.contains("on purpose"), "{failure}");
        let history = panicked.history().await.unwrap();
        Replayer::new().workflow::<Particular>().replay(history).expect("the failure is in its history");
        let misread = start("misreads").await;
        until_history_has(&misread, "WORKFLOW_TASK_FAILED").await;
        misread.terminate().await.unwrap();

        let configured = async |fails: bool| {
            let start = env.client.start_workflow_named("Any", fails).id(env.id("configured"));
            start.task_queue(&env.task_queue).await.unwrap()
        };
        let failure = configured(true).await.result_as::<()>().await.unwrap_err();
        assert!(failure.failure().unwrap().message.contains("on purpose"), "{failure}");
        let waits = configured(false).await;
        until_history_has(&waits, "WORKFLOW_TASK_FAILED").await;
        waits.terminate().await.unwrap();
    };
    worker.run_while(work).await.unwrap();
}

/// Has an update from its beginning that its definition does not name.
struct Early(Rc<Cell<u32>>);

#[workflow]
impl Early {
    #[init]
    fn new() -> Self {
        let sum = Rc::new(Cell::new(0));
        let added = Rc::clone(&sum);
        workflow::on_update("add", move |number: u32| {
            added.set(added.get() + number);
            let sum = added.get();
            async move { Ok(sum) }
        });
        Self(sum)
    }

    #[run]
    async fn run(&self) -> workflow::Result<u32> {
        workflow::on_update("late", |number: u32| async move { Ok(number) });
        workflow::wait_until(|| self.0.get() > 0).await?;
        Ok(self.0.get())
    }
}

#[tokio::test]
async fn an_update_of_the_first_task_meets_the_handlers_that_init_has_set_and_no_others() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Early>().build().unwrap();
    let work = async {
        let with_update = async |name: &'static str| {
            let start = env.client.start_workflow(Early::run, ()).id(env.id("early")).task_queue(&env.task_queue);
            start.with_update(Update::<Early, u32, u32>::new(name, 1), 2).wait_for_result().await.unwrap()
        };
        let add = with_update("add").await;
        assert_eq!((add.result().await.unwrap(), add.workflow().result().await.unwrap()), (2, 2));
        let late = with_update("late").await;
        let error = late.result().await.unwrap_err();
        assert!(format!("{error:?}").contains("known updates: [add]"), "{error:?}");
        assert_eq!(late.workflow().update_named::<u32>("late", 3).await.unwrap(), 3, "now it is known");
        late.workflow().terminate().await.unwrap();
    };
    worker.run_while(work).await.unwrap();
}
