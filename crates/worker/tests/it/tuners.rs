//! Where slots come from.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stead_data::BoxFuture;
use stead_proto::workflowservice::v1::RespondWorkflowTaskCompletedRequest;
use stead_worker::{
    BuildError, ResourceSlots, ResourceTargets, SlotContext, SlotKind, SlotPermit, SlotSupplier, SlotSupply, SlotTask,
    Tuner, Worker,
};
use tokio::sync::Semaphore;

use crate::activities::{One, asynchronous, task};
use crate::server::Server;
use crate::workflow_tasks::hello;
use crate::workflows::Hello;

fn waits() -> One {
    asynchronous("waits", |_input| Box::pin(std::future::pending()))
}

const TARGETS: ResourceTargets = ResourceTargets { memory: 0.8, cpu: 0.9 };

#[tokio::test(start_paused = true)]
async fn a_tuner_says_how_many_slots_there_are() {
    let server = Server::default();
    let client = server.client().await;
    let tuner = Tuner::new().workflow_tasks(3).activities(2);
    let worker = Worker::builder(&client, "orders").workflow::<Hello>().activities(waits()).tuner(tuner);
    let polls = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(server.open_polls(), 5, "as many as there are slots");
        server.activity_task(task("waits", []));
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(server.open_polls(), 4, "one slot is used");
    };
    worker.build().expect("valid options").run_until(polls).await.expect("was told to stop");

    let both = Worker::builder(&client, "orders").activities(waits()).tuner(Tuner::new()).max_concurrent_activities(3);
    let error = both.build().expect_err("one of them says it");
    assert!(matches!(error, BuildError::InvalidOption { option: "tuner", .. }), "{error}");
    let one = Worker::builder(&client, "orders").workflow::<Hello>().tuner(Tuner::new().workflow_tasks(1)).build();
    assert!(matches!(one, Err(BuildError::InvalidOption { option: "tuner", .. })), "a cache needs two");
}

#[tokio::test]
async fn resource_based_slots_are_never_fewer_than_their_minimum() {
    let server = Server::default();
    let client = server.client().await;
    // A target that no machine keeps.
    let full = ResourceTargets { memory: 1e-9, cpu: 1e-9 };
    let tuner = Tuner::new().activities(ResourceSlots::new(full).minimum(2));
    let worker = Worker::builder(&client, "orders").activities(waits()).tuner(tuner).build().expect("valid options");
    let polls = async {
        server.polled(2).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(server.open_polls(), 2);
    };
    worker.run_until(polls).await.expect("was told to stop");
}

/// Notes what it is asked, gives two slots, and panics the first time.
#[derive(Clone)]
struct Two(Arc<Inner>);

struct Inner {
    free: Semaphore,
    panics: AtomicU32,
    seen: Mutex<Vec<String>>,
}

impl Two {
    fn note(&self, line: String) {
        self.0.seen.lock().unwrap().push(line);
    }
}

impl SlotSupplier for Two {
    fn reserve<'a>(&'a self, context: SlotContext<'a>) -> BoxFuture<'a, SlotPermit> {
        Box::pin(async move {
            assert!(self.0.panics.fetch_add(1, Ordering::SeqCst) > 0, "the first time");
            self.0.free.acquire().await.expect("nobody closes it").forget();
            SlotPermit::with(format!("{:?} of {} for {}", context.kind, context.task_queue, context.identity))
        })
    }

    fn try_reserve(&self, _context: SlotContext<'_>) -> Option<SlotPermit> {
        self.0.free.try_acquire().ok()?.forget();
        Some(SlotPermit::new())
    }

    fn mark_used(&self, permit: &SlotPermit, task: &SlotTask) {
        self.note(format!("{}: {task:?}", permit.get::<String>().expect("what it was made with")));
    }

    fn release(&self, _permit: SlotPermit, task: Option<SlotTask>) {
        self.0.free.add_permits(1);
        if task.is_some() {
            self.note("released".to_owned());
        }
    }

    fn total(&self) -> Option<u32> {
        Some(2)
    }
}

#[tokio::test(start_paused = true)]
async fn a_supplier_of_ones_own_is_asked_before_each_poll_and_gets_its_slots_back() {
    let server = Server::default();
    let client = server.client().await;
    let two = Two(Arc::new(Inner { free: Semaphore::new(2), panics: AtomicU32::new(0), seen: Mutex::default() }));
    let tuner = Tuner::new().activities(SlotSupply::custom(two.clone()));
    let echo = asynchronous("echo", |input| Box::pin(async move { input.encode(&0) }));
    let worker = Worker::builder(&client, "orders").activities(echo).tuner(tuner).build().expect("valid options");
    let work = async {
        server.polled(2).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(server.open_polls(), 2, "there are two slots");
        server.activity_task(task("echo", []));
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    // Pollers that wait for a slot do not keep the worker from stopping.
    worker.run_until(work).await.expect("was told to stop");
    let used = "Activity of orders for tester: Activity { activity_type: \"echo\" }";
    assert_eq!(*two.0.seen.lock().unwrap(), [used, "released"]);
    assert_eq!(two.0.free.available_permits(), 2, "all are given back");
}

#[tokio::test]
async fn a_supplier_is_told_of_the_queue_and_the_workflow() {
    let server = Server::default();
    let client = server.client().await;
    let two = Two(Arc::new(Inner { free: Semaphore::new(5), panics: AtomicU32::new(1), seen: Mutex::default() }));
    let tuner = Tuner::resource_based(TARGETS).workflow_tasks(SlotSupply::custom(two.clone()));
    let worker = Worker::builder(&client, "orders").workflow::<Hello>().tuner(tuner).build().expect("valid options");
    let work = async {
        server.polled(5).await;
        server.workflow_task(hello("r", "you"));
        server.call::<RespondWorkflowTaskCompletedRequest>("RespondWorkflowTaskCompleted").await;
    };
    worker.run_until(work).await.expect("was told to stop");
    let seen = two.0.seen.lock().unwrap().clone();
    assert!(seen[0].starts_with(&format!("{:?} of orders for tester: Workflow", SlotKind::Workflow)), "{seen:?}");
    assert!(seen[0].contains("workflow_type: \"Hello\""), "{seen:?}");
    assert_eq!(seen[1], "released");
}
