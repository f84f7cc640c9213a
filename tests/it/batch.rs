//! Batches: the server does the same to many workflows.

use std::collections::BTreeSet;

use stead::client::{
    BatchDescription, BatchError, BatchHandle, BatchKind, BatchReset, BatchState, BatchTargets, Filter, ResultError,
    StartBatchError,
};
use stead::prelude::*;
use stead_tests::{Env, event_types, until_history_has};
use tokio::sync::{Mutex, MutexGuard};

#[derive(Default)]
struct Basket {
    closed: Cell<bool>,
    things: RefCell<Vec<String>>,
}

#[workflow]
impl Basket {
    #[run]
    async fn run(&self) -> workflow::Result<Vec<String>> {
        workflow::wait_until(|| self.closed.get()).await?;
        Ok(self.things.borrow().clone())
    }

    #[signal]
    fn put(&self, thing: String) {
        self.things.borrow_mut().push(thing);
    }

    #[signal]
    fn close(&self) {
        self.closed.set(true);
    }
}

/// A server runs one batch at a time in a namespace, so the tests take turns.
async fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::const_new(());
    TURN.lock().await
}

/// Starts baskets, and waits until lists have them.
async fn baskets(env: &Env, count: usize) -> Vec<WorkflowHandle<Basket>> {
    let mut baskets = Vec::new();
    for number in 0..count {
        let id = env.id(&format!("basket-{number}"));
        baskets.push(env.client.start_workflow(Basket::run, ()).id(id).task_queue(&env.task_queue).await.unwrap());
    }
    let listed = async {
        while env.client.count_workflows(Filter::task_queue(&env.task_queue)).await.unwrap().count < count as u64 {
            tokio::time::sleep(millis(20)).await;
        }
    };
    tokio::time::timeout(secs(20), listed).await.expect("lists have the workflows");
    baskets
}

/// Waits until a batch has come to its end.
async fn end(batch: &BatchHandle) -> BatchDescription {
    let wait = async {
        loop {
            let description = batch.describe().await.unwrap();
            if description.state() != BatchState::Running {
                return description;
            }
            tokio::time::sleep(millis(20)).await;
        }
    };
    tokio::time::timeout(secs(30), wait).await.unwrap_or_else(|_| panic!("batch {} does not end", batch.id()))
}

#[tokio::test]
async fn a_query_says_which_workflows_are_terminated() {
    let env = Env::new().await;
    let _turn = turn().await;
    let baskets = baskets(&env, 3).await;
    baskets[0].terminate().await.unwrap();
    let id = env.id("terminate");
    let batch = env.client.batch(Filter::task_queue(&env.task_queue), "spring cleaning").id(&id).terminate();
    let description = end(&batch.await.unwrap()).await;
    assert_eq!((description.state(), description.kind()), (BatchState::Completed, BatchKind::Terminate));
    assert_eq!(description.id(), id);
    assert_eq!((description.reason(), description.identity()), ("spring cleaning", env.client.identity()));
    assert_eq!(description.query(), Filter::task_queue(&env.task_queue).to_string());
    assert_eq!(description.failed(), 0);
    assert!(description.closed_at() >= description.started_at() && description.started_at().is_some());
    for basket in &baskets[1..] {
        let error = basket.result().await.unwrap_err();
        let ResultError::Terminated { failure, .. } = &error else { panic!("{error:?}") };
        assert_eq!(failure.message, "spring cleaning");
    }
    let mut listed = env.client.list_batches().page_size(100);
    let found = async {
        loop {
            match listed.next().await.transpose().unwrap() {
                Some(found) if found.id() == id && found.state() == BatchState::Completed => return found,
                Some(_) => {}
                None => listed = env.client.list_batches(),
            }
        }
    };
    let found = tokio::time::timeout(secs(20), found).await.expect("lists have the batch");
    assert_eq!((found.kind(), found.handle().id()), (BatchKind::Terminate, id.as_str()));
}

#[tokio::test]
async fn listed_workflows_are_signalled_reset_cancelled_and_deleted() {
    let env = Env::new().await;
    let _turn = turn().await;
    let worker = env.worker().workflow::<Basket>().build().unwrap();
    let work = async {
        let baskets = baskets(&env, 2).await;
        let ids = || BatchTargets::ids(baskets.iter().map(|basket| basket.id()));
        let first_runs: BTreeSet<_> = baskets.iter().map(|basket| basket.run_id().unwrap().to_owned()).collect();

        // A signal that comes before the first task is done is a part of what the new run begins with.
        for basket in &baskets {
            until_history_has(basket, "WORKFLOW_TASK_COMPLETED").await;
        }
        let signal = env.client.batch(ids(), "tea for all").signal(Basket::put, "tea").await.unwrap();
        let signalled = end(&signal).await;
        assert_eq!((signalled.state(), signalled.completed()), (BatchState::Completed, 2));
        assert_eq!((signalled.kind(), signalled.query()), (BatchKind::Signal, ""));
        for basket in &baskets {
            until_history_has(basket, "WORKFLOW_EXECUTION_SIGNALED").await;
        }

        let reset = env.client.batch(ids(), "once more").reset(BatchReset::first_task().without_signals());
        assert_eq!(end(&reset.await.unwrap()).await.completed(), 2);
        let close = env.client.batch(ids(), "that is all").signal_named("close", ());
        assert_eq!(end(&close.await.unwrap()).await.completed(), 2);
        for basket in &baskets {
            let latest = env.client.workflow::<Basket>(basket.id());
            assert_eq!(latest.result().await.unwrap(), Vec::<String>::new(), "the new run has not heard of the tea");
            let described = latest.describe().await.unwrap();
            assert!(!first_runs.contains(described.run_id()), "it is another run");
        }

        let cancel = env.client.batch(ids(), "too late").cancel().await.unwrap();
        assert_eq!(end(&cancel).await.failed(), 0, "what has closed counts as done");

        let delete = env.client.batch(ids(), "tidy").delete().await.unwrap();
        assert_eq!(end(&delete).await.completed(), 2);
    };
    worker.run_while(work).await.unwrap();
}

#[tokio::test]
async fn open_workflows_of_a_list_hear_that_they_are_cancelled() {
    let env = Env::new().await;
    let _turn = turn().await;
    let worker = env.worker().workflow::<Basket>().build().unwrap();
    let work = async {
        let baskets = baskets(&env, 2).await;
        let run = BatchTargets::ids([baskets[0].id()]).and_run(baskets[1].id(), baskets[1].run_id().unwrap());
        let cancel = env.client.batch(run, "enough").cancel().await.unwrap();
        assert_eq!(end(&cancel).await.completed(), 2);
        for basket in &baskets {
            assert!(basket.result().await.unwrap_err().is_cancelled());
            let history = basket.history().await.unwrap();
            assert!(event_types(&history).contains(&"WORKFLOW_EXECUTION_CANCEL_REQUESTED"));
        }
    };
    worker.run_while(work).await.unwrap();
}

#[tokio::test]
async fn one_batch_runs_at_a_time_until_it_is_stopped() {
    let env = Env::new().await;
    let _turn = turn().await;
    // There is nobody of these ids, and yet each of them takes its time.
    let nobody = || BatchTargets::ids((0..900).map(|number| format!("nobody-{number}")));
    let slow = env.client.batch(nobody(), "slowly").id(env.id("slow")).max_per_second(10.0).terminate().await.unwrap();
    let running = async {
        loop {
            let mut batches = env.client.list_batches();
            while let Some(batch) = batches.next().await.transpose().unwrap() {
                if batch.id() == slow.id() {
                    return batch.state();
                }
            }
            tokio::time::sleep(millis(20)).await;
        }
    };
    let state = tokio::time::timeout(secs(20), running).await.expect("lists have the batch");
    assert_eq!(state, BatchState::Running);
    let other = env.client.batch(nobody(), "too").rpc_timeout(secs(2)).terminate().await.unwrap_err();
    assert!(matches!(other, StartBatchError::TooMany { .. }), "{other:?}");
    slow.stop("enough").await.unwrap();
    let stopped = end(&slow).await;
    assert_eq!((stopped.state(), stopped.total()), (BatchState::Failed, 0));
    let error = slow.stop("once more").await.unwrap_err();
    assert!(matches!(error, BatchError::NotFound { .. }), "{error:?}");
}

#[tokio::test]
async fn batches_that_cannot_be_are_refused() {
    let env = Env::new().await;
    let _turn = turn().await;
    let error = env.client.batch_by_id(env.id("nobody")).describe().await.unwrap_err();
    assert!(matches!(error, BatchError::NotFound { .. }), "{error:?}");
    let malformed = env.client.batch("WorkflowType = ", "typo").terminate().await.unwrap_err();
    assert!(matches!(malformed, StartBatchError::Invalid { .. }), "{malformed:?}");
    assert_eq!(malformed.to_string().split_once(": ").unwrap().1, "the server refuses it for `WorkflowType = `");
    let id = env.id("once");
    let once = env.client.batch(BatchTargets::ids(["nobody"]), "once").id(&id).terminate().await.unwrap();
    assert_eq!(end(&once).await.completed(), 1);
    let twice = env.client.batch(BatchTargets::ids(["nobody"]), "twice").id(&id).terminate().await.unwrap_err();
    assert!(matches!(&twice, StartBatchError::AlreadyExists { batch_id, .. } if *batch_id == id), "{twice:?}");
}
