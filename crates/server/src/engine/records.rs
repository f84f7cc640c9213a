//! What lists know of workflow runs: one record each, made of the run.

use super::Engine;
use super::Time;
use super::run::{Run, RunKey};
use super::visibility::{Kind, Record};

impl Engine {
    /// Shows in lists what has changed of a run.
    pub(super) fn list_run(&mut self, key: RunKey) {
        let Some(run) = self.runs.get_mut(key).filter(|run| !run.listed) else { return };
        run.listed = true;
        self.visibility.upsert(run.namespace(), Kind::Workflow, run.record());
    }

    /// Takes a run out of all lists.
    pub(super) fn unlist_run(&mut self, run: &Run) {
        self.visibility.remove(run.namespace(), Kind::Workflow, &run.state.run_id);
    }
}

impl Run {
    fn record(&self) -> Record {
        let state = &self.state;
        Record {
            id: state.workflow_id.clone(),
            run_id: state.run_id.clone(),
            type_name: state.workflow_type.clone(),
            task_queue: state.task_queue.clone(),
            status: state.status,
            start_time: Time::from_unix_nanos(state.started_at),
            execution_time: Time::from_unix_nanos(state.execution_at),
            close_time: (!self.is_open()).then(|| Time::from_unix_nanos(state.closed_at)),
            history_length: self.history.len(),
            history_size: i64::try_from(self.history.size()).unwrap_or(i64::MAX),
            state_transitions: i64::try_from(state.transitions).unwrap_or(i64::MAX),
            parent: state.parent.as_ref().map(|parent| parent.execution.clone()),
            root: state.root.clone(),
            memo: state.memo.clone(),
            search_attributes: state.search_attributes.clone().unwrap_or_default(),
            own: Vec::new(),
        }
    }
}
