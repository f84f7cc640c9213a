//! Workers that stop while they handle requests to Nexus operations.

use std::future::pending;
use std::sync::{Arc, Mutex};

use stead::prelude::*;
use stead_tests::Env;
use tokio::sync::Notify;

/// What handlers tell the test.
#[derive(Default)]
struct Stage {
    begun: Notify,
    seen: Mutex<Vec<&'static str>>,
}

impl Stage {
    fn note(&self, what: &'static str) {
        self.seen.lock().expect("no panic while locked").push(what);
    }

    fn seen(&self) -> Vec<&'static str> {
        self.seen.lock().expect("no panic while locked").clone()
    }
}

struct Noted(Arc<Stage>, &'static str);

impl Drop for Noted {
    fn drop(&mut self) {
        self.0.note(self.1);
    }
}

struct Slow(Arc<Stage>);

#[nexus_service]
impl Slow {
    /// Ends once its worker is told to stop.
    #[operation]
    async fn finish(&self) -> String {
        self.0.begun.notify_one();
        nexus::worker_shutdown().await;
        assert!(!nexus::is_cancelled(), "it has time");
        "finished".to_owned()
    }

    /// Does not end by itself.
    #[operation]
    async fn hang(&self) -> String {
        let _noted = Noted(Arc::clone(&self.0), "dropped");
        self.0.begun.notify_one();
        pending().await
    }

    /// Ends when nobody waits for it.
    #[operation]
    fn block(&self) -> String {
        self.0.begun.notify_one();
        while !nexus::is_cancelled() {
            std::thread::yield_now();
        }
        assert_eq!(nexus::cancel_reason(), Some(nexus::CancelReason::WorkerShutdown));
        "gave up".to_owned()
    }
}

/// In the place of the one that hung.
struct Quick;

#[nexus_service("Slow")]
impl Quick {
    #[operation]
    async fn hang(&self) -> String {
        "done by another".to_owned()
    }
}

#[derive(Default)]
struct Calls;

#[workflow]
impl Calls {
    #[run]
    async fn run(&self, endpoint: String, operation: String) -> workflow::Result<String> {
        Ok(workflow::nexus_named(endpoint, "Slow").call_named(&operation, ()).await?)
    }
}

/// Runs `operation` on a worker that is told to stop once its handler runs, until it has stopped; meanwhile and afterwards
/// `then` looks at the workflow that called.
async fn stopped_while<T>(
    operation: &str,
    grace: std::time::Duration,
    stage: &Arc<Stage>,
    then: impl AsyncFnOnce(&Env, WorkflowHandle<Calls>) -> T,
) -> T {
    let (caller, handlers) = (Env::new().await, Env::new().await);
    let worker = handlers.worker().nexus_service(Slow(Arc::clone(stage))).graceful_shutdown_timeout(grace).build();
    let calling = caller.worker().workflow::<Calls>().build().unwrap();
    let work = async {
        let arguments = (handlers.nexus_endpoint().await, operation.to_owned());
        let calls = caller.client.start_workflow(Calls::run, arguments).id(caller.id("calls"));
        let calls = calls.task_queue(&caller.task_queue).await.unwrap();
        worker.unwrap().run_until(stage.begun.notified()).await.unwrap();
        then(&handlers, calls).await
    };
    // Workers in workers are more than the stack has room for.
    tokio::time::timeout(secs(60), calling.run_while(Box::pin(work))).await.expect("it ends").unwrap()
}

#[tokio::test]
async fn a_worker_that_stops_waits_for_the_handlers_of_operations() {
    let stage = Arc::default();
    let result = stopped_while("finish", secs(60), &stage, async |_, calls| calls.result().await);
    assert_eq!(result.await.unwrap(), "finished");
}

#[tokio::test]
async fn a_handler_that_outlasts_the_grace_period_is_given_up_and_the_server_is_told_so() {
    let stage = Arc::default();
    let result = stopped_while("hang", millis(10), &stage, async |handlers, calls| {
        assert_eq!(stage.seen(), ["dropped"], "the worker has ended, and so has the handler");
        let description = calls.describe().await.unwrap();
        let [operation] = &description.raw().pending_nexus_operations[..] else { panic!("one operation") };
        let failure = format!("{:?}", operation.last_attempt_failure);
        assert!(failure.contains("the worker is shutting down"), "{failure}");
        let another = handlers.worker().nexus_service(Quick).build().unwrap();
        Box::pin(another.run_while(async { calls.result().await })).await.unwrap()
    });
    assert_eq!(result.await.unwrap(), "done by another");
}

#[tokio::test]
async fn blocking_code_of_a_handler_may_end_by_itself_when_the_grace_period_is_over() {
    let stage = Arc::default();
    let result = stopped_while("block", millis(10), &stage, async |_, calls| calls.result().await);
    assert_eq!(result.await.unwrap(), "gave up");
}
