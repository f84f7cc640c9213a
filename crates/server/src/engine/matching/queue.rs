//! [`Queue`]: one queue, with a lane for each version of its workers.

use std::collections::{BTreeMap, VecDeque};

use stead_proto::deployment::v1::WorkerDeploymentVersion;
use stead_proto::enums::v1::RateLimitSource;

use super::backlog::{Queued, priority};
use super::lane::{Lane, Pair, Waiting};
use super::limits::{RateLimits, Throttle};
use super::versions::{Route, Routing, names, share};
use super::{Directive, Match, POLLER_TTL, Poller, QueueKind, Task};
use crate::engine::namespaces::NamespaceKey;
use crate::engine::{CallId, Time};

/// One queue.
#[derive(Debug)]
pub(super) struct Queue<T> {
    pub(super) namespace: NamespaceKey,
    pub(super) kind: QueueKind,
    pub(super) name: Box<str>,
    pub(super) last_used: Time,
    fairness: bool,
    routing: Routing,
    throttle: Throttle,
    /// The first is that of unversioned workers.
    lanes: Vec<Lane<T>>,
    pairs: VecDeque<Pair<T>>,
    /// Backlog from which stale tasks should go.
    purge_at: usize,
}

impl<T: Copy> Queue<T> {
    pub(super) fn new(namespace: NamespaceKey, kind: QueueKind, name: &str, fairness: bool, now: Time) -> Self {
        Self {
            namespace,
            kind,
            name: name.into(),
            last_used: now,
            fairness,
            routing: Routing::default(),
            throttle: Throttle::default(),
            lanes: vec![Lane::new(None, fairness, now)],
            pairs: VecDeque::new(),
            purge_at: PURGE_AT,
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        let configured = !self.routing.is_empty() || *self.throttle.configured() != RateLimits::default();
        !configured && self.lanes.iter().all(Lane::is_idle)
    }

    pub(super) fn add(&mut self, task: Task<'_, T>, number: u64, now: Time) {
        let (lane, route) = self.place(&task, now);
        let wish = task.priority;
        let fairness_key = wish.map_or("", |wish| &wish.fairness_key);
        let task = Queued {
            id: task.id,
            route,
            priority: priority(wish.map_or(0, |wish| wish.priority_key)),
            number,
            fairness_key: fairness_key.into(),
            fairness_weight: self.throttle.weight(fairness_key, wish.map_or(0.0, |wish| wish.fairness_weight)),
            added: task.added,
        };
        match self.lanes[lane].add(task, &mut self.throttle, now) {
            Some(pair) => self.pairs.push_back(pair),
            None => self.match_lane(lane, now),
        }
    }

    pub(super) fn poll(&mut self, poller: Poller, now: Time) {
        if self.throttle.hear_worker(poller.max_tasks_per_second, now) {
            self.rematch(now);
        }
        let lane = self.lane_of_poller(&poller, now);
        self.lanes[lane].wait(Waiting { poller, since: now });
        self.match_lane(lane, now);
    }

    pub(super) fn put_back(&mut self, matched: Match<T>, now: Time) {
        self.throttle.refund(&matched.fairness_key, now);
        let lane = self.lane_of_poller(&matched.poller, now);
        self.lanes[lane].wait_first(Waiting { poller: matched.poller, since: matched.since });
        self.rematch(now);
    }

    pub(super) fn poll_match(&mut self) -> Option<Pair<T>> {
        self.pairs.pop_front()
    }

    pub(super) fn rematch(&mut self, now: Time) {
        (0..self.lanes.len()).for_each(|lane| self.match_lane(lane, now));
    }

    pub(super) fn throttled_until(&self) -> Option<Time> {
        self.lanes.iter().filter_map(|lane| lane.throttled_until).min()
    }

    pub(super) fn forget(&mut self, call: CallId) -> Option<Poller> {
        self.lanes.iter_mut().find_map(|lane| lane.forget(call))
    }

    /// A poll ends: its worker was there until now.
    pub(super) fn saw(&mut self, poller: &Poller, now: Time) {
        let lane = self.lane_of_poller(poller, now);
        self.lanes[lane].pollers.saw(poller, now);
    }

    pub(super) fn forget_worker(&mut self, identity: &str) {
        self.lanes.iter_mut().for_each(|lane| lane.pollers.forget(identity));
    }

    pub(super) fn take_polls(&mut self, chosen: impl Fn(&Poller) -> bool) -> Vec<Poller> {
        self.lanes.iter_mut().flat_map(|lane| lane.take_polls(&chosen)).collect()
    }

    pub(super) fn unload(&mut self) -> Vec<Poller> {
        self.lanes.iter_mut().for_each(|lane| lane.pollers.clear());
        self.take_polls(|_| true)
    }

    pub(super) fn has_poller_since(&self, time: Time) -> bool {
        self.lanes.iter().any(|lane| lane.has_poller_since(time))
    }

    pub(super) fn backlog(&self) -> usize {
        self.lanes.iter().map(|lane| lane.backlog.len()).sum()
    }

    pub(super) fn wants_purge(&self) -> bool {
        self.backlog() >= self.purge_at
    }

    pub(super) fn purge(&mut self, mut stale: impl FnMut(T) -> bool) {
        for lane in &mut self.lanes {
            lane.backlog.take(|task| stale(task.id));
        }
        // Twice as many as are left, so that looking through them costs each task little.
        self.purge_at = PURGE_AT.max(self.backlog().saturating_mul(2));
    }

    pub(super) fn lanes(&self) -> &[Lane<T>] {
        &self.lanes
    }

    /// The lane of a version, if there is one; `None`: of unversioned workers.
    pub(super) fn lane_of(&self, version: Option<&WorkerDeploymentVersion>) -> Option<&Lane<T>> {
        self.lanes.iter().find(|lane| lane.version.as_ref() == version)
    }

    pub(super) fn routing(&self) -> &Routing {
        &self.routing
    }

    pub(super) fn target(&self, workflow_id: &str) -> Option<&WorkerDeploymentVersion> {
        self.routing.target(share(workflow_id))
    }

    pub(super) fn revision(&self, workflow_id: &str) -> i64 {
        self.routing.revision(share(workflow_id))
    }

    pub(super) fn rate(&self) -> Option<(f64, RateLimitSource)> {
        self.throttle.rate()
    }

    pub(super) fn set_rate_limits(&mut self, limits: RateLimits, now: Time) {
        self.throttle.configure(limits, now);
        self.rematch(now);
    }

    /// Tasks that are routed and wait go where the new routing sends them, in the order in which they came.
    pub(super) fn set_routing(&mut self, routing: Routing, now: Time) {
        self.routing = routing;
        let mut moved = BTreeMap::new();
        for lane in &mut self.lanes {
            let Lane { version, backlog, .. } = lane;
            let leaves =
                |task: &Queued<T>| task.route != Route::Fixed && self.routing.target(task.route) != version.as_ref();
            moved.extend(backlog.take(leaves).into_iter().map(|task| (task.number, task)));
        }
        for task in moved.into_values() {
            let lane = self.routed_lane(task.route, now);
            self.lanes[lane].backlog.insert(task);
        }
        self.rematch(now);
    }

    fn match_lane(&mut self, lane: usize, now: Time) {
        while let Some(pair) = self.lanes[lane].next_pair(&mut self.throttle, now) {
            self.pairs.push_back(pair);
        }
    }

    /// The lane of a task, and how it finds its lane when the routing changes.
    fn place(&mut self, task: &Task<'_, T>, now: Time) -> (usize, Route) {
        if self.kind == QueueKind::Sticky {
            return (UNVERSIONED, Route::Fixed);
        }
        let route = match task.directive {
            Directive::Pinned(version)
                if self.kind != QueueKind::Activity || self.routing.members.contains(version) =>
            {
                return (self.lane(&version.deployment_name, &version.build_id, now), Route::Fixed);
            }
            Directive::Ramping => Route::Ramping,
            Directive::Routed | Directive::Pinned(_) => share(task.workflow_id),
        };
        (self.routed_lane(route, now), route)
    }

    fn routed_lane(&mut self, route: Route, now: Time) -> usize {
        let Some(version) = self.routing.target(route) else { return UNVERSIONED };
        match self.find_lane(&version.deployment_name, &version.build_id) {
            Some(lane) => lane,
            None => self.open_lane(version.clone(), now),
        }
    }

    fn lane_of_poller(&mut self, poller: &Poller, now: Time) -> usize {
        if self.kind == QueueKind::Sticky {
            return UNVERSIONED;
        }
        match names(poller.deployment_options.as_ref(), poller.capabilities.as_ref()) {
            Some((deployment, build_id)) => self.lane(deployment, build_id, now),
            None => UNVERSIONED,
        }
    }

    fn lane(&mut self, deployment: &str, build_id: &str, now: Time) -> usize {
        self.find_lane(deployment, build_id).unwrap_or_else(|| {
            let (deployment_name, build_id) = (deployment.to_owned(), build_id.to_owned());
            self.open_lane(WorkerDeploymentVersion { deployment_name, build_id }, now)
        })
    }

    fn find_lane(&self, deployment: &str, build_id: &str) -> Option<usize> {
        self.lanes.iter().position(|lane| {
            let version = lane.version.as_ref();
            version.is_some_and(|it| it.deployment_name == deployment && it.build_id == build_id)
        })
    }

    fn open_lane(&mut self, version: WorkerDeploymentVersion, now: Time) -> usize {
        self.forget_idle_lanes(now);
        self.lanes.push(Lane::new(Some(version), self.fairness, now));
        self.lanes.len() - 1
    }

    fn forget_idle_lanes(&mut self, now: Time) {
        let long_ago = now - POLLER_TTL;
        self.lanes.retain(|lane| lane.version.is_none() || !lane.is_idle() || lane.has_poller_since(long_ago));
    }
}

const UNVERSIONED: usize = 0;
const PURGE_AT: usize = 1_024;
