//! What a connection knows of a worker: which tasks it takes, and that it has room for first tasks of workflows which its
//! own process starts, which come with the answer and not from a poll.

use std::sync::Arc;

use stead_client::workers::{Claim, EagerSlot, LocalWorker};

use crate::poll::{Source, WorkflowTasks};

/// A worker as its connection sees it.
pub(crate) struct Here {
    tasks: Arc<WorkflowTasks>,
}

impl Here {
    pub(crate) fn new(tasks: WorkflowTasks) -> Self {
        Self { tasks: Arc::new(tasks) }
    }
}

impl LocalWorker for Here {
    fn claim(&self) -> &Claim {
        &self.tasks.shared().claim
    }

    fn takes_tasks(&self) -> bool {
        self.tasks.shared().takes_tasks()
    }

    fn reserve(&self, workflow_type: &str) -> Option<EagerSlot> {
        let shared = self.tasks.shared();
        if !shared.guests.knows(workflow_type) {
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
