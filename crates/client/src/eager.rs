//! Eager starts: the first task of a workflow goes to a worker of the process that starts it.
//!
//! Workers enter themselves with the connection they poll over; a start that asks for it takes a slot of one of them
//! before it is sent.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use stead_proto::workflowservice::v1::PollWorkflowTaskQueueResponse;

/// A worker that takes first tasks of workflows which its own process starts.
pub trait EagerWorker: Send + Sync {
    /// A free slot for a workflow of this type in this task queue; `None` if there is none, or it is none of the
    /// worker's business.
    fn reserve(&self, namespace: &str, task_queue: &str, workflow_type: &str) -> Option<EagerSlot>;
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

/// The workers of this process that poll over one connection.
#[derive(Default)]
pub struct EagerWorkers(Mutex<Vec<Weak<dyn EagerWorker>>>);

impl EagerWorkers {
    /// Enters a worker, for as long as somebody else holds it.
    pub fn register(&self, worker: &Arc<dyn EagerWorker>) {
        let mut workers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        workers.retain(|worker| worker.strong_count() > 0);
        workers.push(Arc::downgrade(worker));
    }

    /// A slot of the first worker that has one.
    pub(crate) fn reserve(&self, namespace: &str, task_queue: &str, workflow_type: &str) -> Option<EagerSlot> {
        let workers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut workers = workers.iter().filter_map(Weak::upgrade);
        workers.find_map(|worker| worker.reserve(namespace, task_queue, workflow_type))
    }
}

impl fmt::Debug for EagerSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EagerSlot").finish_non_exhaustive()
    }
}

impl fmt::Debug for EagerWorkers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EagerWorkers").finish_non_exhaustive()
    }
}
