//! Eager starts: first tasks of workflows that this process starts, which come with the answer and not from a poll.

use std::sync::Arc;

use stead_client::eager::{EagerSlot, EagerWorker};

use crate::poll::{Source, WorkflowTasks};

/// A worker as starts of its own process see it.
pub(crate) struct EagerStarts {
    tasks: Arc<WorkflowTasks>,
}

impl EagerStarts {
    pub(crate) fn new(tasks: WorkflowTasks) -> Self {
        Self { tasks: Arc::new(tasks) }
    }
}

impl EagerWorker for EagerStarts {
    fn reserve(&self, namespace: &str, task_queue: &str, workflow_type: &str) -> Option<EagerSlot> {
        let shared = self.tasks.shared();
        let is_mine = shared.namespace == namespace && shared.task_queue == task_queue;
        if !is_mine || shared.is_draining() || !shared.guests.knows(workflow_type) {
            return None;
        }
        let mut permit = shared.workflow_slots.try_reserve(false)?;
        let tasks = Arc::clone(&self.tasks);
        Some(EagerSlot::new(move |task| {
            let task = Box::new(task);
            permit.mark_used(|| tasks.describe(&task));
            tasks.dispatch(task, permit);
        }))
    }
}
