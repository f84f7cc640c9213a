//! What must stay the same when a run is rebuilt from its history, however long it is and whoever rebuilds it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Condvar, Mutex};

use stead::prelude::*;
use stead::testing::Replayer;
use stead_tests::{Env, event_types, until_history_has};

#[derive(Default)]
struct Draws {
    drawn: State<Vec<String>>,
}

#[workflow]
impl Draws {
    #[run]
    async fn run(&self) -> workflow::Result<Vec<String>> {
        for _ in 0..3 {
            let number = workflow::random::<u64>();
            let id = workflow::uuid();
            let time = workflow::now();
            self.drawn.update(|drawn| drawn.push(format!("{number} {id} {time:?}")));
            workflow::sleep(millis(5)).await?;
        }
        Ok(self.drawn.get())
    }

    #[query]
    fn drawn(&self) -> Vec<String> {
        self.drawn.get()
    }
}

#[tokio::test]
async fn numbers_ids_and_times_are_the_same_whenever_the_run_is_rebuilt() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Draws>().max_cached_workflows(0).build().unwrap();
    let id = env.id("draws");
    worker
        .run_while(async {
            let start = async |n: u32| {
                let id = format!("{id}-{n}");
                env.client.start_workflow(Draws::run, ()).id(id).task_queue(&env.task_queue).await.unwrap()
            };
            let first = start(1).await;
            let drawn = first.result().await.unwrap();
            assert_eq!(drawn.len(), 3);
            assert!(drawn[0] != drawn[1] && drawn[1] != drawn[2], "{drawn:?}");
            assert_eq!(first.query(Draws::drawn, ()).await.unwrap(), drawn);
            assert_ne!(start(2).await.result().await.unwrap()[0], drawn[0], "each run draws its own");
            env.replays(Replayer::new().workflow::<Draws>(), &first, "draws").await;
        })
        .await
        .unwrap();
}

macro_rules! generation {
    ($module:ident, |$this:ident| $body:block) => {
        mod $module {
            use stead::prelude::*;
            #[derive(Default)]
            pub struct Evolving {
                go: Cell<bool>,
            }

            #[workflow]
            impl Evolving {
                #[run]
                pub async fn run(&self) -> workflow::Result<String> {
                    let $this = self;
                    $body
                }

                #[signal]
                pub fn go(&self) {
                    self.go.set(true);
                }
            }
        }
    };
}

generation!(right, |this| {
    workflow::sleep(millis(5)).await?;
    workflow::wait_until(|| this.go.get()).await?;
    Ok("by the right code".to_owned())
});

generation!(wrong, |this| {
    workflow::activity_named::<()>("nobody", ()).start_to_close(secs(5)).await?;
    workflow::wait_until(|| this.go.get()).await?;
    Ok("by the wrong code".to_owned())
});

#[tokio::test]
async fn changed_code_fails_the_task_and_the_right_code_finishes_the_run() {
    let env = Env::new().await;
    let id = env.id("evolving");
    let start = env.client.start_workflow(right::Evolving::run, ()).id(&id).task_queue(&env.task_queue);
    let workflow = start.task_timeout(secs(1)).await.unwrap();

    let before = env.worker().workflow::<right::Evolving>().build().unwrap();
    before.run_while(until_history_has(&workflow, "TIMER_FIRED")).await.unwrap();
    workflow.signal(right::Evolving::go, ()).await.unwrap();

    let changed = env.worker().workflow::<wrong::Evolving>().build().unwrap();
    let history = changed.run_while(until_history_has(&workflow, "WORKFLOW_TASK_FAILED")).await.unwrap();
    let json = history.to_json().unwrap();
    assert!(json.contains("NON_DETERMINISTIC_ERROR"), "{json}");
    assert!(json.contains("[TMPRL1100] Nondeterminism error: ") && json.contains("determinism.rs:"), "{json}");

    let reverted = env.worker().workflow::<right::Evolving>().build().unwrap();
    let result = reverted.run_while(async { workflow.result().await }).await.unwrap().unwrap();
    assert_eq!(result, "by the right code");
    env.replays(Replayer::new().workflow::<right::Evolving>(), &workflow, "nondeterminism").await;
}

#[tokio::test]
async fn changed_code_fails_the_workflow_where_the_worker_wants_that() {
    let env = Env::new().await;
    let start = env.client.start_workflow(right::Evolving::run, ()).id(env.id("strict")).task_queue(&env.task_queue);
    let workflow = start.task_timeout(secs(1)).await.unwrap();
    let before = env.worker().workflow::<right::Evolving>().build().unwrap();
    before.run_while(until_history_has(&workflow, "TIMER_FIRED")).await.unwrap();
    workflow.signal(right::Evolving::go, ()).await.unwrap();

    let strict =
        env.worker().workflow::<wrong::Evolving>().fail_workflows_on(workflow::FailOn::NONDETERMINISM).build().unwrap();
    let error = strict.run_while(async { workflow.result().await }).await.unwrap().unwrap_err();
    let message = &error.failure().unwrap().message;
    assert!(message.contains("[TMPRL1100] Nondeterminism error: "), "{message}");
}

static DAWDLED: AtomicU32 = AtomicU32::new(0);

#[derive(Default)]
struct Dawdles;

#[workflow]
impl Dawdles {
    #[run]
    async fn run(&self) -> workflow::Result<u32> {
        workflow::sleep(millis(5)).await?;
        let attempt = DAWDLED.fetch_add(1, Ordering::SeqCst);
        if attempt == 0 {
            workflow::nondeterministic!(std::thread::sleep(millis(1300)));
        }
        workflow::sleep(millis(5)).await?;
        Ok(7)
    }
}

#[tokio::test]
async fn a_task_that_outlived_its_timeout_is_done_again() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Dawdles>().build().unwrap();
    let id = env.id("dawdles");
    worker
        .run_while(async {
            let start = env.client.start_workflow(Dawdles::run, ()).id(&id).task_queue(&env.task_queue);
            let workflow = start.task_timeout(secs(1)).await.unwrap();
            assert_eq!(workflow.result().await.unwrap(), 7);
            let history = env.replays(Replayer::new().workflow::<Dawdles>(), &workflow, "task-timed-out").await;
            assert!(event_types(&history).contains(&"WORKFLOW_TASK_TIMED_OUT"), "{:?}", event_types(&history));
        })
        .await
        .unwrap();
}

/// Closed while the test wants the workflow to be stuck.
static DOOR: Mutex<bool> = Mutex::new(false);
static OPENED: Condvar = Condvar::new();

#[derive(Default)]
struct Stuck;

#[workflow]
impl Stuck {
    #[run]
    async fn run(&self) -> workflow::Result<u32> {
        workflow::sleep(millis(5)).await?;
        let door = DOOR.lock().unwrap();
        let opened = workflow::nondeterministic!(OPENED.wait_while(door, |is_open| !*is_open));
        Ok(u32::from(*opened.unwrap()))
    }
}

#[tokio::test]
async fn wo_17_a_workflow_that_blocks_its_thread_fails_its_task_and_is_done_again() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Stuck>().workflow::<Draws>().shards(1).deadlock_timeout(millis(300));
    let body = async {
        let start = env.client.start_workflow(Stuck::run, ()).id(env.id("stuck")).task_queue(&env.task_queue);
        let stuck = start.await.unwrap();
        let json = until_history_has(&stuck, "WORKFLOW_TASK_FAILED").await.to_json().unwrap();
        assert!(
            json.contains("[TMPRL1101] Potential deadlock detected: ") && json.contains("determinism.rs:"),
            "{json}"
        );
        let start = env.client.start_workflow(Draws::run, ()).id(env.id("draws")).task_queue(&env.task_queue);
        assert_eq!(start.await.unwrap().result().await.unwrap().len(), 3, "others go on");
        *DOOR.lock().unwrap() = true;
        OPENED.notify_all();
        assert_eq!(stuck.result().await.unwrap(), 1);
    };
    worker.build().unwrap().run_while(body).await.unwrap();
}

struct Counts;

#[activities]
impl Counts {
    #[activity]
    async fn next(&self, n: u32) -> activity::Result<u32> {
        Ok(n + 1)
    }
}

#[derive(Default)]
struct Long {
    heard: State<Vec<u32>>,
    counted: Cell<u32>,
}

#[workflow]
impl Long {
    #[run]
    async fn run(&self, signals: usize, activities: u32) -> workflow::Result<u32> {
        workflow::wait_until(|| self.heard.with(Vec::len) == signals).await?;
        while self.counted.get() < activities {
            let next = workflow::activity(Counts::next, self.counted.get()).start_to_close(secs(5)).await?;
            self.counted.set(next);
        }
        Ok(self.counted.get())
    }

    #[signal]
    fn hear(&self, n: u32) {
        self.heard.update(|heard| heard.push(n));
    }

    #[query]
    fn heard(&self) -> Vec<u32> {
        self.heard.get()
    }

    #[query]
    fn counted(&self) -> u32 {
        self.counted.get()
    }
}

#[tokio::test]
async fn a_history_of_many_pages_is_fetched_by_whoever_needs_it() {
    const SIGNALS: u32 = 300;
    let env = Env::new().await;
    let id = env.id("long");
    let start = env.client.start_workflow(Long::run, (SIGNALS as usize, 30)).id(&id).task_queue(&env.task_queue);
    let workflow = start.await.unwrap();
    // Without a worker each signal is a batch of its own, and batches are what the server counts a page by.
    for n in 0..SIGNALS {
        workflow.signal(Long::hear, n).await.unwrap();
    }

    let cached = env.worker().workflow::<Long>().activities(Counts).build().unwrap();
    let counted = cached.run_while(async { workflow.result().await }).await.unwrap().unwrap();
    assert_eq!(counted, 30);

    let uncached = env.worker().workflow::<Long>().max_cached_workflows(0).build().unwrap();
    uncached
        .run_while(async {
            assert_eq!(workflow.query(Long::heard, ()).await.unwrap(), (0..SIGNALS).collect::<Vec<_>>());
            assert_eq!(workflow.query(Long::counted, ()).await.unwrap(), 30);
        })
        .await
        .unwrap();
    let history = workflow.history().await.unwrap();
    assert!(history.0.events.len() > 480, "{}", history.0.events.len());
    Replayer::new().workflow::<Long>().replay(history).unwrap();
}
