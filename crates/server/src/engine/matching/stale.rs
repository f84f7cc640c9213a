//! Tasks that nobody wants any more go from queues that have become long.

use crate::engine::Engine;
use crate::engine::nexus::Requests;
use crate::engine::queries::Queries;
use crate::engine::run::state::WorkflowTask;
use crate::engine::runs::Runs;
use crate::engine::standalone_activities::StandaloneActivities;
use crate::engine::workflow_tasks::TaskRef;

impl Engine {
    pub(in crate::engine) fn purge_stale_tasks(&mut self) {
        while let Some(queue) = self.matching.poll_purge() {
            let (runs, activities) = (&self.runs, &self.activities);
            let (requests, queries) = (&self.requests, &self.queries);
            self.matching.purge(queue, |task| !is_wanted(runs, activities, requests, queries, task));
        }
    }
}

fn is_wanted(
    runs: &Runs,
    activities: &StandaloneActivities,
    requests: &Requests,
    queries: &Queries,
    task: TaskRef,
) -> bool {
    match task {
        TaskRef::Workflow { run, stamp, .. } => runs.get(run).is_some_and(|run| {
            matches!(run.state.task, Some(WorkflowTask::Scheduled(_))) && run.state.task_stamp == stamp
        }),
        TaskRef::Activity { run, id, stamp } => runs.get(run).is_some_and(|run| {
            run.activities.get(&id).is_some_and(|activity| activity.stamp == stamp && activity.is_offered())
        }),
        TaskRef::StandaloneActivity { key, stamp } => {
            activities.get(key).is_some_and(|activity| activity.offer() == Some(stamp))
        }
        TaskRef::Nexus { request } => requests.get(request).is_some(),
        TaskRef::Query { id, stamp } => queries.is_offered(id, stamp),
    }
}
