//! Tasks that nobody wants any more go from queues that have become long.

use crate::engine::Engine;
use crate::engine::queries::Queries;
use crate::engine::run::state::WorkflowTask;
use crate::engine::runs::Runs;
use crate::engine::workflow_tasks::TaskRef;

impl Engine {
    pub(in crate::engine) fn purge_stale_tasks(&mut self) {
        while let Some(queue) = self.matching.poll_purge() {
            self.matching.purge(queue, |task| !is_wanted(&self.runs, &self.queries, task));
        }
    }
}

fn is_wanted(runs: &Runs, queries: &Queries, task: TaskRef) -> bool {
    match task {
        TaskRef::Workflow { run, stamp, .. } => runs.get(run).is_some_and(|run| {
            matches!(run.state.task, Some(WorkflowTask::Scheduled(_))) && run.state.task_stamp == stamp
        }),
        TaskRef::Activity { run, id, stamp } => runs.get(run).is_some_and(|run| {
            run.activities.get(&id).is_some_and(|activity| activity.stamp == stamp && activity.is_offered())
        }),
        TaskRef::Query { id, stamp } => queries.is_offered(id, stamp),
    }
}
