//! Workflows that do something else when they are run again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use stead::data::metrics::{Metric, MetricSink, MetricValue};
use stead::prelude::*;

struct Desk;

#[activities]
impl Desk {
    #[activity]
    async fn greet(&self, name: String) -> activity::Result<String> {
        Ok(format!("hello {name}"))
    }

    #[activity]
    async fn press(&self) -> activity::Result<()> {
        PRESSED.store(true, Ordering::SeqCst);
        Ok(())
    }
}

const NAMES: [&str; 8] = ["Ada", "Bob", "Cem", "Dee", "Eve", "Fay", "Gus", "Hal"];

#[derive(Default)]
struct ByMap;

#[workflow]
impl ByMap {
    #[run]
    #[allow(deprecated)]
    async fn run(&self) -> workflow::Result<()> {
        let names: HashMap<&str, ()> = HashMap::from(NAMES.map(|name| (name, ())));
        for name in names.keys() {
            workflow::activity(Desk::greet, *name).start_to_close(secs(5)).await?;
        }
        Ok(())
    }
}

#[stead::test]
async fn the_order_of_a_hash_map_fails_the_workflow_and_both_commands_are_shown(env: TestEnv) -> stead::Result<()> {
    let _worker = env.worker().workflow::<ByMap>().activities(Desk).start().await?;
    let error = env.start(ByMap::run, ()).await?.result().await.unwrap_err();
    let text = &error.failure().expect("the workflow failed").message;
    assert!(
        text.starts_with("[TMPRL1100] Nondeterminism error: the code did something else when it was run again"),
        "{text}"
    );
    let lines: Vec<_> = text.lines().filter(|line| line.contains("activity greet (")).collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines.iter().all(|line| line.contains("shadows.rs:")), "{text}");
    Ok(())
}

static COUNTED: AtomicU32 = AtomicU32::new(0);

#[derive(Default)]
struct Counted;

#[workflow]
impl Counted {
    #[run]
    async fn run(&self) -> workflow::Result<u32> {
        Ok(COUNTED.fetch_add(1, Ordering::SeqCst))
    }
}

#[stead::test]
async fn a_static_fails_the_workflow_unless_code_is_not_run_again(env: TestEnv) -> stead::Result<()> {
    let worker = env.worker().workflow::<Counted>().start().await?;
    let error = env.start(Counted::run, ()).await?.result().await.unwrap_err();
    let text = &error.failure().expect("the workflow failed").message;
    assert!(text.contains("first:   complete the workflow with "), "{text}");
    worker.stop().await?;
    let counted = COUNTED.load(Ordering::SeqCst);
    let _worker = env.worker().workflow::<Counted>().with(|worker| worker.shadow_sample(0.0)).start().await?;
    assert_eq!(env.start(Counted::run, ()).await?.result().await?, counted);
    Ok(())
}

static PRESSED: AtomicBool = AtomicBool::new(false);

#[derive(Default)]
struct Pressed;

#[workflow]
impl Pressed {
    #[run]
    async fn run(&self) -> workflow::Result<()> {
        workflow::sleep(if PRESSED.load(Ordering::SeqCst) { secs(2) } else { secs(1) }).await?;
        workflow::activity(Desk::press, ()).start_to_close(secs(5)).await?;
        Ok(())
    }
}

#[stead::test]
async fn what_has_changed_by_the_end_of_a_run_is_found_when_it_ends(env: TestEnv) -> stead::Result<()> {
    let _worker = env.worker().workflow::<Pressed>().activities(Desk).start().await?;
    let error = env.start(Pressed::run, ()).await?.result().await.unwrap_err();
    let text = &error.failure().expect("the workflow failed").message;
    assert!(text.contains("run again from its beginning, when it had ended"), "{text}");
    assert!(text.contains("first:   timer 1 of 1s, at ") && text.contains("again:   timer 1 of 2s, at "), "{text}");
    Ok(())
}

#[derive(Default)]
struct Counts(Mutex<Vec<String>>);

impl MetricSink for Counts {
    fn record(&self, metric: &Metric<'_>, value: MetricValue, _attributes: &[(&str, &str)]) {
        self.0.lock().unwrap().push(format!("{} {value:?}", metric.name));
    }
}

#[derive(Default)]
struct Tidy {
    greeted: State<Vec<String>>,
}

#[workflow]
impl Tidy {
    #[run]
    async fn run(&self) -> workflow::Result<usize> {
        workflow::meter().counter("begun").add(1);
        for name in NAMES {
            let greeting = workflow::activity(Desk::greet, name).start_to_close(secs(5)).await?;
            self.greeted.update(|all| all.push(greeting));
            workflow::sleep(secs(workflow::random::<u8>().into())).await?;
        }
        let finished = workflow::wait_until(|| self.greeted.with(|all| all.len() > 8)).timeout(hours(1)).await?;
        Ok(self.greeted.with(Vec::len) + usize::from(finished))
    }

    #[signal]
    fn greet(&self, name: String) {
        self.greeted.update(|all| all.push(name));
    }

    #[query]
    fn greeted(&self) -> usize {
        self.greeted.with(Vec::len)
    }
}

#[stead::test]
async fn a_workflow_that_is_as_it_should_be_notices_nothing(env: TestEnv) -> stead::Result<()> {
    let counts = Arc::new(Counts::default());
    let sink = Arc::clone(&counts);
    let _worker = env.worker().workflow::<Tidy>().activities(Desk).with(|worker| worker.metrics(sink)).start().await?;
    let run = env.start(Tidy::run, ()).await?;
    run.signal(Tidy::greet, "Ida").await?;
    assert!(run.query(Tidy::greeted, ()).await? >= 1);
    assert_eq!(run.result().await?, 10);
    let begun: Vec<_> = counts.0.lock().unwrap().iter().filter(|it| it.starts_with("begun ")).cloned().collect();
    assert_eq!(begun.len(), 1, "counted once: {begun:?}");
    Ok(())
}
