//! The workers of a process, as the connection that they work over knows them.
//!
//! A worker enters itself while it takes tasks. So a second one that would take the same tasks is noticed, and the first
//! task of a workflow that this process starts can go to a worker here: a start that asks for it takes a slot of one of
//! them before it is sent.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use stead_proto::workflowservice::v1::PollWorkflowTaskQueueResponse;

/// A worker that works over a connection.
pub trait LocalWorker: Send + Sync {
    /// Which tasks it takes.
    fn claim(&self) -> &Claim;

    /// Whether it still takes them: one that stops does not.
    fn takes_tasks(&self) -> bool;

    /// A free slot for the first task of a workflow of this type; `None` if there is none, or the worker does not know the
    /// type.
    fn reserve(&self, workflow_type: &str) -> Option<EagerSlot>;
}

/// The tasks that a worker takes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claim {
    /// Who takes them: the worker's identity, and what tells it from others of the same identity.
    pub worker: String,
    /// The namespace.
    pub namespace: String,
    /// The task queue.
    pub task_queue: String,
    /// Name and build id of the worker's deployment; empty without one.
    pub version: (String, String),
    /// The kinds of tasks, such as `workflows`. Their order does not matter.
    pub kinds: Vec<&'static str>,
}

impl Claim {
    /// A claim of a worker without a version.
    pub fn new(
        worker: impl Into<String>,
        namespace: impl Into<String>,
        task_queue: impl Into<String>,
        kinds: Vec<&'static str>,
    ) -> Self {
        let (worker, namespace, task_queue) = (worker.into(), namespace.into(), task_queue.into());
        Self { worker, namespace, task_queue, version: Default::default(), kinds }
    }

    fn overlaps(&self, other: &Self) -> bool {
        let Self { worker: _, namespace, task_queue, version, kinds } = self;
        (namespace, task_queue, version) == (&other.namespace, &other.task_queue, &other.version)
            && kinds.iter().any(|kind| other.kinds.contains(kind))
    }
}

/// A slot that is kept free for one task. Dropping it gives it back.
pub struct EagerSlot(Box<dyn FnOnce(PollWorkflowTaskQueueResponse) + Send>);

impl EagerSlot {
    /// A slot; `run` handles the task.
    pub fn new(run: impl FnOnce(PollWorkflowTaskQueueResponse) + Send + 'static) -> Self {
        Self(Box::new(run))
    }

    /// Hands the task over.
    pub fn run(self, task: PollWorkflowTaskQueueResponse) {
        self.0(task);
    }
}

/// The workers of this process that work over one connection.
#[derive(Default)]
pub struct LocalWorkers(Mutex<Vec<Weak<dyn LocalWorker>>>);

impl LocalWorkers {
    /// Enters a worker, for as long as somebody else holds it.
    ///
    /// # Errors
    ///
    /// The claim of another one that takes some of its tasks.
    pub fn enter(&self, worker: &Arc<dyn LocalWorker>) -> Result<(), Box<Claim>> {
        let mut workers = self.lock();
        workers.retain(|worker| worker.strong_count() > 0);
        let others = workers.iter().filter_map(Weak::upgrade).filter(|other| other.takes_tasks());
        match others.map(|other| other.claim().clone()).find(|other| other.overlaps(worker.claim())) {
            Some(other) => Err(Box::new(other)),
            None => {
                workers.push(Arc::downgrade(worker));
                Ok(())
            }
        }
    }

    /// Strikes a worker out.
    pub fn leave(&self, worker: &Arc<dyn LocalWorker>) {
        self.lock().retain(|entered| entered.upgrade().is_some_and(|entered| !Arc::ptr_eq(&entered, worker)));
    }

    /// A slot of the first worker that has one.
    pub(crate) fn reserve(&self, namespace: &str, task_queue: &str, workflow_type: &str) -> Option<EagerSlot> {
        let workers = self.lock();
        let mut workers = workers.iter().filter_map(Weak::upgrade).filter(|worker| {
            let claim = worker.claim();
            (claim.namespace.as_str(), claim.task_queue.as_str()) == (namespace, task_queue) && worker.takes_tasks()
        });
        workers.find_map(|worker| worker.reserve(workflow_type))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<dyn LocalWorker>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for EagerSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EagerSlot").finish_non_exhaustive()
    }
}

impl fmt::Debug for LocalWorkers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalWorkers").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Taker {
        claim: Claim,
        takes_tasks: bool,
    }

    impl LocalWorker for Taker {
        fn claim(&self) -> &Claim {
            &self.claim
        }

        fn takes_tasks(&self) -> bool {
            self.takes_tasks
        }

        fn reserve(&self, workflow_type: &str) -> Option<EagerSlot> {
            (workflow_type == "Order").then(|| EagerSlot::new(|_task| {}))
        }
    }

    fn claim(name: &str, kinds: &[&'static str]) -> Claim {
        Claim::new(name, "shop", "orders", kinds.to_vec())
    }

    fn taker(claim: Claim, takes_tasks: bool) -> Arc<dyn LocalWorker> {
        Arc::new(Taker { claim, takes_tasks })
    }

    #[test]
    fn a_task_has_one_taker_among_the_workers_of_a_connection() {
        let workers = LocalWorkers::default();
        let first = taker(claim("first", &["workflows", "activities"]), true);
        assert_eq!(workers.enter(&first), Ok(()));
        let enter = |claim| {
            let worker = taker(claim, true);
            workers.enter(&worker).map_err(|other| other.worker)
        };
        assert_eq!(enter(claim("second", &["activities"])), Err("first".to_owned()));
        assert_eq!(enter(claim("second", &["nexus"])), Ok(()));
        let elsewhere: [fn(&mut Claim); 3] = [
            |it| it.namespace = "other".to_owned(),
            |it| it.task_queue = "other".to_owned(),
            |it| it.version.1 = "2".to_owned(),
        ];
        for change in elsewhere {
            let mut claim = claim("second", &["workflows"]);
            change(&mut claim);
            assert_eq!(enter(claim), Ok(()));
        }
        workers.leave(&first);
        let leaves = taker(claim("leaves", &["workflows"]), false);
        assert_eq!(workers.enter(&leaves), Ok(()), "the first has left");
        assert_eq!(enter(claim("second", &["workflows"])), Ok(()), "the one before takes none any more");
    }

    #[test]
    fn first_tasks_go_to_a_worker_that_takes_them_and_knows_the_workflow() {
        let workers = LocalWorkers::default();
        let leaves = taker(claim("leaves", &["workflows"]), false);
        assert_eq!(workers.enter(&leaves), Ok(()));
        assert!(workers.reserve("shop", "orders", "Order").is_none());
        let takes = taker(claim("takes", &["workflows"]), true);
        assert_eq!(workers.enter(&takes), Ok(()));
        assert!(workers.reserve("shop", "orders", "Order").is_some());
        assert!(workers.reserve("shop", "orders", "Other").is_none());
        assert!(workers.reserve("shop", "other", "Order").is_none());
        assert!(workers.reserve("other", "orders", "Order").is_none());
    }
}
