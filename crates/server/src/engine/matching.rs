//! [`Matching`]: which task goes to which poll.
//!
//! Tasks are added to queues, polls wait at them, and pairs come out of [`Matching::poll_match`]. Neither is stored: what
//! a task stands for is, and whoever stores that adds the task again after a restart. A task that is no longer wanted
//! is not taken out either: the owner sees it when the task is matched, and gives the poll back with
//! [`Matching::put_back`]; what gathers meanwhile goes with [`Matching::poll_purge`].
//!
//! Not here: what a task is, the answers to polls, and how long a poll may wait (the driver of the engine knows that).

mod backlog;
mod calls;
mod describe;
mod lane;
mod limits;
mod pollers;
mod queue;
mod rates;
mod scaling;
mod settings;
mod stale;
#[cfg(test)]
mod tests;
mod versions;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use stead_proto::common::v1::{Priority, WorkerVersionCapabilities};
use stead_proto::deployment::v1::{WorkerDeploymentOptions, WorkerDeploymentVersion};
use stead_proto::taskqueue::v1::PollerScalingDecision;

pub(crate) use describe::total;
use lane::Waiting;
pub(crate) use limits::RateLimits;
use pollers::ShutDownWorkers;
use queue::Queue;
pub(crate) use settings::QueueSettings;
pub(crate) use versions::{Routing, version_of};

use super::namespaces::NamespaceKey;
use super::{CallId, Time};

/// What the tasks of a queue are. Queues of different kinds may have the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum QueueKind {
    Workflow,
    /// Workflow tasks for the one worker that has the workflows in its cache.
    Sticky,
    Activity,
    Nexus,
}

/// A queue by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct QueueName {
    pub(crate) namespace: NamespaceKey,
    pub(crate) kind: QueueKind,
    pub(crate) name: String,
}

/// A queue, as [`Matching::queue`] finds it. Not to be kept beyond the input it was found for: idle queues are forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct QueueId(u64);

/// Something to do, which `id` tells its owner how to find.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task<'a, T> {
    pub(crate) id: T,
    /// Decides which side of a ramp the task is on; empty if there is no workflow.
    pub(crate) workflow_id: &'a str,
    pub(crate) directive: Directive<'a>,
    pub(crate) priority: Option<&'a Priority>,
    /// Since when it is to be done.
    pub(crate) added: Time,
}

/// Which workers may have a task.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Directive<'a> {
    /// Those of the version that is current for the queue, or of the ramping one; unversioned ones if there is none.
    Routed,
    /// Those of the ramping version if there is one, whatever its share; else as [`Self::Routed`].
    Ramping,
    /// Those of this version alone. An activity whose queue the version does not serve is [`Self::Routed`].
    Pinned(&'a WorkerDeploymentVersion),
}

/// A poll that waits for a task.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Poller {
    pub(crate) call: CallId,
    pub(crate) identity: String,
    pub(crate) worker_instance_key: String,
    pub(crate) deployment_options: Option<WorkerDeploymentOptions>,
    pub(crate) capabilities: Option<WorkerVersionCapabilities>,
    /// Of the poll's `task_queue_metadata`. It holds for the whole queue; the last poll's word counts.
    pub(crate) max_tasks_per_second: Option<f64>,
}

/// What becomes of a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Polled {
    /// It will come out of [`Matching::poll_match`], perhaps at once, unless it is taken back.
    Waits,
    /// Its worker has shut down: it is to be answered with nothing.
    ShutDown,
}

/// A task and the poll that gets it.
#[derive(Debug)]
pub(crate) struct Match<T> {
    pub(crate) queue: QueueId,
    pub(crate) task: T,
    pub(crate) poller: Poller,
    /// Tasks that wait at the queue for the same workers.
    pub(crate) backlog: usize,
    pub(crate) scaling: Option<PollerScalingDecision>,
    since: Time,
    fairness_key: Box<str>,
}

/// All queues of a server.
#[derive(Debug)]
pub(crate) struct Matching<T> {
    fairness: bool,
    names: HashMap<(NamespaceKey, QueueKind), HashMap<Box<str>, QueueId>>,
    queues: BTreeMap<QueueId, Queue<T>>,
    next_queue: u64,
    next_task: u64,
    /// Where each poll waits.
    polls: HashMap<CallId, QueueId>,
    matches: VecDeque<Match<T>>,
    /// Queues that a rate limit holds back, and until when.
    throttled: BTreeSet<(Time, QueueId)>,
    /// Queues with so many tasks that some may be stale.
    swollen: BTreeSet<QueueId>,
    shut_down: ShutDownWorkers,
    next_sweep: Time,
}

impl<T: Copy> Matching<T> {
    /// No queues. `fairness` shares a queue among fairness keys by weight; without it their weights say nothing.
    pub(crate) fn new(fairness: bool) -> Self {
        Self {
            fairness,
            names: HashMap::new(),
            queues: BTreeMap::new(),
            next_queue: 0,
            next_task: 0,
            polls: HashMap::new(),
            matches: VecDeque::new(),
            throttled: BTreeSet::new(),
            swollen: BTreeSet::new(),
            shut_down: ShutDownWorkers::default(),
            next_sweep: Time::default(),
        }
    }

    /// The queue of this name, which comes to be when it is first named.
    pub(crate) fn queue(&mut self, namespace: NamespaceKey, kind: QueueKind, name: &str, now: Time) -> QueueId {
        if let Some(id) = self.find(namespace, kind, name) {
            if let Some(queue) = self.queues.get_mut(&id) {
                queue.last_used = now;
            }
            return id;
        }
        self.forget_idle_queues(now);
        let id = QueueId(self.next_queue);
        self.next_queue += 1;
        self.names.entry((namespace, kind)).or_default().insert(name.into(), id);
        self.queues.insert(id, Queue::new(namespace, kind, name, self.fairness, now));
        id
    }

    /// The queue of this name, if it is known.
    pub(crate) fn find(&self, namespace: NamespaceKey, kind: QueueKind, name: &str) -> Option<QueueId> {
        self.names.get(&(namespace, kind))?.get(name).copied()
    }

    /// Adds a task: to the poll that waits longest for it, or to the backlog.
    pub(crate) fn add(&mut self, queue: QueueId, task: Task<'_, T>, now: Time) {
        self.next_task += 1;
        let number = self.next_task;
        self.change(queue, now, |queue| queue.add(task, number, now));
    }

    /// Takes a poll, which is matched at once or waits.
    pub(crate) fn poll(&mut self, queue: QueueId, poller: Poller, now: Time) -> Polled {
        if self.shut_down.contains(&poller.worker_instance_key, now) {
            return Polled::ShutDown;
        }
        self.polls.insert(poller.call, queue);
        self.change(queue, now, |queue| queue.poll(poller, now));
        Polled::Waits
    }

    /// The next task and the poll that gets it. To be asked after every input until there is none.
    pub(crate) fn poll_match(&mut self) -> Option<Match<T>> {
        self.matches.pop_front()
    }

    /// Lets the poll of a match go on waiting, first in line: its task was stale.
    pub(crate) fn put_back(&mut self, matched: Match<T>, now: Time) {
        self.polls.insert(matched.poller.call, matched.queue);
        self.change(matched.queue, now, |queue| queue.put_back(matched, now));
    }

    /// Ends a poll that has waited as long as it may: it is to be answered with nothing. `None` if it does not wait.
    pub(crate) fn expire(&mut self, call: CallId, now: Time) -> Option<Poller> {
        let queue = self.polls.remove(&call)?;
        let queue = self.queues.get_mut(&queue)?;
        let poller = queue.forget(call)?;
        queue.saw(&poller, now);
        Some(poller)
    }

    /// Forgets a poll that nobody waits for any more.
    pub(crate) fn forget(&mut self, call: CallId) -> Option<Poller> {
        let queue = self.polls.remove(&call)?;
        self.queues.get_mut(&queue)?.forget(call)
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        self.throttled.first().map(|(until, _)| *until)
    }

    /// Matches what rate limits held back until now.
    pub(crate) fn handle_timeout(&mut self, now: Time) {
        while let Some((until, queue)) = self.throttled.first().copied()
            && until <= now
        {
            self.throttled.pop_first();
            self.change(queue, now, |queue| queue.rematch(now));
        }
    }

    /// Whether a worker polls the queue, or did within the last 10 seconds: what a sticky queue is worth.
    pub(crate) fn has_recent_poller(&self, queue: QueueId, now: Time) -> bool {
        self.queues.get(&queue).is_some_and(|queue| queue.has_poller_since(now - STICKY_WINDOW))
    }

    /// How many tasks wait at the queue, stale ones too.
    pub(crate) fn backlog(&self, queue: QueueId) -> usize {
        self.queues.get(&queue).map_or(0, Queue::backlog)
    }

    /// The version that gets the routed tasks of a workflow; `None`: unversioned workers.
    pub(crate) fn target(&self, queue: QueueId, workflow_id: &str) -> Option<&WorkerDeploymentVersion> {
        self.queues.get(&queue)?.target(workflow_id)
    }

    /// The revision of the routing that says so.
    pub(crate) fn revision(&self, queue: QueueId, workflow_id: &str) -> i64 {
        self.queues.get(&queue).map_or(0, |queue| queue.revision(workflow_id))
    }

    /// Changes which versions get the routed tasks of a queue, those that wait too.
    pub(crate) fn set_routing(&mut self, queue: QueueId, routing: Routing, now: Time) {
        self.change(queue, now, |queue| queue.set_routing(routing, now));
    }

    /// Changes the rate limits that somebody configured for a queue.
    pub(crate) fn set_rate_limits(&mut self, queue: QueueId, limits: RateLimits, now: Time) {
        self.change(queue, now, |queue| queue.set_rate_limits(limits, now));
    }

    /// A queue in which so many tasks wait that stale ones should go, with [`Self::purge`].
    pub(crate) fn poll_purge(&mut self) -> Option<QueueId> {
        self.swollen.pop_first()
    }

    /// Drops the tasks of a queue that are stale.
    pub(crate) fn purge(&mut self, queue: QueueId, stale: impl FnMut(T) -> bool) {
        if let Some(queue) = self.queues.get_mut(&queue) {
            queue.purge(stale);
        }
    }

    /// Takes the polls of a worker that shuts down: they are to be answered with nothing, as those are that it may
    /// still make.
    pub(crate) fn shut_down_worker(&mut self, worker_instance_key: &str, now: Time) -> Vec<(QueueKind, Poller)> {
        if worker_instance_key.is_empty() {
            return Vec::new();
        }
        self.shut_down.insert(worker_instance_key, now);
        let mut ended = Vec::new();
        for queue in self.queues.values_mut() {
            let polls = queue.take_polls(|poller| poller.worker_instance_key == worker_instance_key);
            ended.extend(polls.into_iter().map(|poller| (queue.kind, poller)));
        }
        self.forget_calls(&ended);
        ended
    }

    /// Takes the polls of a queue and forgets who polled it: nothing is sent there any more until somebody polls.
    pub(crate) fn unload(&mut self, queue: QueueId) -> Vec<(QueueKind, Poller)> {
        let Some(queue) = self.queues.get_mut(&queue) else { return Vec::new() };
        let kind = queue.kind;
        let ended: Vec<_> = queue.unload().into_iter().map(|poller| (kind, poller)).collect();
        self.forget_calls(&ended);
        ended
    }

    /// Takes a worker off the list of those that polled a queue.
    pub(crate) fn forget_worker(&mut self, queue: QueueId, identity: &str) {
        if let Some(queue) = self.queues.get_mut(&queue) {
            queue.forget_worker(identity);
        }
    }

    fn forget_calls(&mut self, ended: &[(QueueKind, Poller)]) {
        for (_, poller) in ended {
            self.polls.remove(&poller.call);
        }
    }

    /// Does something to a queue, and takes what comes of it.
    fn change(&mut self, id: QueueId, now: Time, change: impl FnOnce(&mut Queue<T>)) {
        let Some(queue) = self.queues.get_mut(&id) else {
            debug_assert!(false, "{id:?} was kept for too long");
            return;
        };
        let before = queue.throttled_until();
        queue.last_used = now;
        change(queue);
        let after = queue.throttled_until();
        while let Some(pair) = queue.poll_match() {
            let Waiting { poller, since } = pair.waiting;
            self.polls.remove(&poller.call);
            self.matches.push_back(Match {
                queue: id,
                task: pair.task.id,
                poller,
                backlog: pair.backlog,
                scaling: pair.scaling,
                since,
                fairness_key: pair.task.fairness_key,
            });
        }
        if queue.wants_purge() {
            self.swollen.insert(id);
        }
        self.throttle(id, before, after);
    }

    fn throttle(&mut self, id: QueueId, before: Option<Time>, after: Option<Time>) {
        if before != after {
            before.map(|until| self.throttled.remove(&(until, id)));
            after.map(|until| self.throttled.insert((until, id)));
        }
    }

    /// Queues that nobody has used for a while and that hold nothing are as good as unknown ones.
    fn forget_idle_queues(&mut self, now: Time) {
        if now < self.next_sweep {
            return;
        }
        self.next_sweep = now + SWEEP_INTERVAL;
        let names = &mut self.names;
        self.queues.retain(|_, queue| {
            let keep = now.since(queue.last_used) < POLLER_TTL || !queue.is_idle();
            if !keep && let Some(names) = names.get_mut(&(queue.namespace, queue.kind)) {
                names.remove(&queue.name);
            }
            keep
        });
        names.retain(|_, names| !names.is_empty());
    }
}

/// How long a worker counts as one that polls its sticky queue.
const STICKY_WINDOW: Duration = Duration::from_secs(10);
/// How long a worker is listed after its last poll.
const POLLER_TTL: Duration = Duration::from_secs(5 * 60);
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);
