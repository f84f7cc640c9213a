//! [`Pollers`]: who polled of late, and [`ShutDownWorkers`]: who must not poll any more.

use std::collections::BTreeMap;
use std::time::Duration;

use stead_proto::common::v1::WorkerVersionCapabilities;
use stead_proto::deployment::v1::WorkerDeploymentOptions;
use stead_proto::taskqueue::v1::PollerInfo;

use super::{POLLER_TTL, Poller};
use crate::engine::Time;

/// Workers that polled in the last 5 minutes, by identity.
#[derive(Debug, Default)]
pub(super) struct Pollers {
    seen: BTreeMap<Box<str>, Seen>,
}

#[derive(Debug)]
struct Seen {
    last: Time,
    max_tasks_per_second: Option<f64>,
    capabilities: Option<WorkerVersionCapabilities>,
    deployment_options: Option<WorkerDeploymentOptions>,
}

impl Pollers {
    pub(super) fn saw(&mut self, poller: &Poller, now: Time) {
        if poller.identity.is_empty() {
            return;
        }
        match self.seen.get_mut(&*poller.identity) {
            Some(seen) => seen.update(poller, now),
            None => self.insert(poller, now),
        }
    }

    pub(super) fn forget(&mut self, identity: &str) {
        self.seen.remove(identity);
    }

    pub(super) fn clear(&mut self) {
        self.seen.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.seen.len()
    }

    pub(super) fn any_since(&self, time: Time) -> bool {
        self.seen.values().any(|seen| seen.last > time)
    }

    pub(super) fn describe(&self, now: Time) -> impl Iterator<Item = PollerInfo> {
        let recent = self.seen.iter().filter(move |(_, seen)| now.since(seen.last) < POLLER_TTL);
        recent.map(|(identity, seen)| PollerInfo {
            last_access_time: Some(seen.last.timestamp()),
            identity: identity.to_string(),
            rate_per_second: seen.max_tasks_per_second.unwrap_or(UNLIMITED),
            worker_version_capabilities: seen.capabilities.clone(),
            deployment_options: seen.deployment_options.clone(),
        })
    }

    fn insert(&mut self, poller: &Poller, now: Time) {
        self.seen.retain(|_, seen| now.since(seen.last) < POLLER_TTL);
        if self.seen.len() >= MAX_POLLERS
            && let Some(oldest) =
                self.seen.iter().min_by_key(|(_, seen)| seen.last).map(|(identity, _)| identity.clone())
        {
            self.seen.remove(&oldest);
        }
        let mut seen = Seen { last: now, max_tasks_per_second: None, capabilities: None, deployment_options: None };
        seen.update(poller, now);
        self.seen.insert(poller.identity.as_str().into(), seen);
    }
}

impl Seen {
    fn update(&mut self, poller: &Poller, now: Time) {
        self.last = now;
        self.max_tasks_per_second = poller.max_tasks_per_second;
        if self.capabilities != poller.capabilities {
            self.capabilities.clone_from(&poller.capabilities);
        }
        if self.deployment_options != poller.deployment_options {
            self.deployment_options.clone_from(&poller.deployment_options);
        }
    }
}

/// Keys of workers that have shut down: a poll of theirs that was under way meanwhile must get no task.
#[derive(Debug, Default)]
pub(super) struct ShutDownWorkers {
    until: BTreeMap<Box<str>, Time>,
}

impl ShutDownWorkers {
    pub(super) fn insert(&mut self, worker_instance_key: &str, now: Time) {
        self.until.retain(|_, until| *until > now);
        if self.until.len() < MAX_SHUT_DOWN {
            self.until.insert(worker_instance_key.into(), now + SHUT_DOWN_TTL);
        }
    }

    pub(super) fn contains(&self, worker_instance_key: &str, now: Time) -> bool {
        !self.until.is_empty() && self.until.get(worker_instance_key).is_some_and(|until| *until > now)
    }
}

/// What the server reports as the rate of a worker that does not limit itself.
const UNLIMITED: f64 = 100_000.0;
const MAX_POLLERS: usize = 1_000;
const SHUT_DOWN_TTL: Duration = Duration::from_secs(30);
const MAX_SHUT_DOWN: usize = 10_000;
