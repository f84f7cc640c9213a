//! What can be seen of queues: who polls them, what waits in them and how fast it goes.

use std::collections::BTreeMap;

use stead_proto::deployment::v1::WorkerDeploymentVersion;
use stead_proto::enums::v1::RateLimitSource;
use stead_proto::taskqueue::v1::{PollerInfo, TaskQueueStats};

use super::queue::Queue;
use super::{Matching, QueueId, Routing};
use crate::engine::Time;
use crate::engine::time::{duration, wire};

impl<T: Copy> Matching<T> {
    /// The workers of one version that polled of late; `None`: unversioned ones.
    pub(crate) fn pollers(
        &self,
        queue: QueueId,
        version: Option<&WorkerDeploymentVersion>,
        now: Time,
    ) -> Vec<PollerInfo> {
        let lane = self.queues.get(&queue).and_then(|queue| queue.lane_of(version));
        lane.map(|lane| lane.pollers.describe(now).collect()).unwrap_or_default()
    }

    /// What waits for the workers of one version, by priority.
    pub(crate) fn stats(
        &self,
        queue: QueueId,
        version: Option<&WorkerDeploymentVersion>,
        now: Time,
    ) -> BTreeMap<i32, TaskQueueStats> {
        let lane = self.queues.get(&queue).and_then(|queue| queue.lane_of(version));
        lane.map(|lane| lane.stats_by_priority(now).collect()).unwrap_or_default()
    }

    /// Whether something waits for the workers of a version, or came of late.
    pub(crate) fn is_busy(&self, queue: QueueId, version: Option<&WorkerDeploymentVersion>, now: Time) -> bool {
        let stats = self.stats(queue, version, now);
        stats.values().any(|stats| stats.tasks_add_rate > 0.0 || stats.approximate_backlog_count > 0)
    }

    /// The versions that a queue knows of, unversioned workers first.
    pub(crate) fn versions(&self, queue: QueueId) -> Vec<Option<WorkerDeploymentVersion>> {
        let lanes = self.queues.get(&queue).map(Queue::lanes).unwrap_or_default();
        lanes.iter().map(|lane| lane.version.clone()).collect()
    }

    /// Which versions get the routed tasks of a queue.
    pub(crate) fn routing(&self, queue: QueueId) -> Option<&Routing> {
        self.queues.get(&queue).map(Queue::routing)
    }

    /// Tasks a second that a queue may have, and who said so. `None`: as many as come.
    pub(crate) fn rate_limit(&self, queue: QueueId) -> Option<(f64, RateLimitSource)> {
        self.queues.get(&queue)?.rate()
    }
}

/// All of these together.
pub(crate) fn total<'a>(parts: impl IntoIterator<Item = &'a TaskQueueStats>) -> TaskQueueStats {
    let mut total = TaskQueueStats { approximate_backlog_age: Some(Default::default()), ..TaskQueueStats::default() };
    for part in parts {
        let age = |stats: &TaskQueueStats| duration(stats.approximate_backlog_age.as_ref()).unwrap_or_default();
        total.approximate_backlog_age = Some(wire(age(&total).max(age(part))));
        total.approximate_backlog_count += part.approximate_backlog_count;
        total.tasks_add_rate += part.tasks_add_rate;
        total.tasks_dispatch_rate += part.tasks_dispatch_rate;
        total.rate_limiting_active |= part.rate_limiting_active;
    }
    total
}
