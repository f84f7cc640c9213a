//! [`Lane`]: the workers of one version at a queue, and the tasks for them.

use std::collections::VecDeque;

use stead_proto::deployment::v1::WorkerDeploymentVersion;
use stead_proto::taskqueue::v1::{PollerScalingDecision, TaskQueueStats};

use super::Poller;
use super::backlog::{Backlog, LOWEST_PRIORITY, Queued};
use super::limits::{Next, Throttle};
use super::pollers::Pollers;
use super::rates::Rate;
use super::scaling::{Load, Scaling};
use crate::engine::time::wire;
use crate::engine::{CallId, Time};

/// The workers of one version at a queue, and the tasks for them.
#[derive(Debug)]
pub(super) struct Lane<T> {
    /// `None`: unversioned workers.
    pub(super) version: Option<WorkerDeploymentVersion>,
    pub(super) backlog: Backlog<T>,
    pub(super) pollers: Pollers,
    /// Polls, the first to be served first.
    waiting: VecDeque<Waiting>,
    /// Until when all tasks are held back from the polls that wait.
    pub(super) throttled_until: Option<Time>,
    throttled: Rate,
    traffic: [Option<Traffic>; LOWEST_PRIORITY as usize],
    scaling: Scaling,
}

#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) poller: Poller,
    pub(super) since: Time,
}

/// A task and the poll that gets it.
#[derive(Debug)]
pub(super) struct Pair<T> {
    pub(super) waiting: Waiting,
    pub(super) task: Queued<T>,
    pub(super) backlog: usize,
    pub(super) scaling: Option<PollerScalingDecision>,
}

/// Tasks of one priority that came and went.
#[derive(Debug)]
struct Traffic {
    added: Rate,
    dispatched: Rate,
}

impl<T: Copy> Lane<T> {
    pub(super) fn new(version: Option<WorkerDeploymentVersion>, fairness: bool, now: Time) -> Self {
        Self {
            version,
            backlog: Backlog::new(fairness),
            pollers: Pollers::default(),
            waiting: VecDeque::new(),
            throttled_until: None,
            throttled: Rate::new(now),
            traffic: Default::default(),
            scaling: Scaling::new(now),
        }
    }

    /// Whether there is nothing in it that would be missed.
    pub(super) fn is_idle(&self) -> bool {
        self.backlog.is_empty() && self.waiting.is_empty()
    }

    pub(super) fn has_poller_since(&self, time: Time) -> bool {
        !self.waiting.is_empty() || self.pollers.any_since(time)
    }

    /// Adds a task and counts it. It goes at once if it can: without a backlog there is nothing to put in order.
    pub(super) fn add(&mut self, task: Queued<T>, throttle: &mut Throttle, now: Time) -> Option<Pair<T>> {
        self.traffic(task.priority, now).added.count(now);
        if self.backlog.is_empty()
            && throttle.admits(&task.fairness_key, now)
            && let Some(waiting) = self.waiting.pop_front()
        {
            return Some(self.pair(waiting, task, throttle, now));
        }
        self.backlog.insert(task);
        None
    }

    pub(super) fn wait(&mut self, waiting: Waiting) {
        self.pollers.saw(&waiting.poller, waiting.since);
        self.waiting.push_back(waiting);
    }

    pub(super) fn wait_first(&mut self, waiting: Waiting) {
        self.waiting.push_front(waiting);
    }

    /// The next task that goes, and to whom.
    pub(super) fn next_pair(&mut self, throttle: &mut Throttle, now: Time) -> Option<Pair<T>> {
        self.throttled_until = None;
        if self.waiting.is_empty() || self.backlog.is_empty() {
            return None;
        }
        match throttle.next(&self.backlog, now) {
            Next::Now(place) => {
                let waiting = self.waiting.pop_front()?;
                let task = self.backlog.dispatch(place)?;
                return Some(self.pair(waiting, task, throttle, now));
            }
            Next::At(time) => self.throttled_until = Some(time),
            Next::Never => {}
        }
        self.throttled.count(now);
        None
    }

    pub(super) fn forget(&mut self, call: CallId) -> Option<Poller> {
        let found = self.waiting.iter().position(|waiting| waiting.poller.call == call)?;
        self.waiting.remove(found).map(|waiting| waiting.poller)
    }

    /// Takes the polls that are chosen, in order.
    pub(super) fn take_polls(&mut self, chosen: impl Fn(&Poller) -> bool) -> Vec<Poller> {
        let (taken, left) = std::mem::take(&mut self.waiting).into_iter().partition(|waiting| chosen(&waiting.poller));
        self.waiting = left;
        let taken: VecDeque<Waiting> = taken;
        taken.into_iter().map(|waiting| waiting.poller).collect()
    }

    /// What is known of each priority that was seen.
    pub(super) fn stats_by_priority(&self, now: Time) -> impl Iterator<Item = (i32, TaskQueueStats)> {
        let throttled = self.throttled.per_second(now) > 0.0;
        (1..=LOWEST_PRIORITY).zip(&self.traffic).filter_map(move |(priority, traffic)| {
            let tasks = self.backlog.iter().filter(|(_, task)| task.priority == priority);
            let (count, oldest) =
                tasks.fold((0, now), |(count, oldest), (_, task)| (count + 1, oldest.min(task.added)));
            let traffic = traffic.as_ref()?;
            let stats = TaskQueueStats {
                approximate_backlog_count: count,
                approximate_backlog_age: Some(wire(now.since(oldest))),
                tasks_add_rate: traffic.added.per_second(now),
                tasks_dispatch_rate: traffic.dispatched.per_second(now),
                rate_limiting_active: throttled,
            };
            Some((i32::from(priority), stats))
        })
    }

    fn pair(&mut self, waiting: Waiting, task: Queued<T>, throttle: &mut Throttle, now: Time) -> Pair<T> {
        throttle.consume(&task.fairness_key, task.fairness_weight, now);
        self.traffic(task.priority, now).dispatched.count(now);
        self.pollers.saw(&waiting.poller, now);
        let scaling = self.advise(now.since(waiting.since), now);
        Pair { waiting, task, backlog: self.backlog.len(), scaling }
    }

    fn advise(&mut self, waited: std::time::Duration, now: Time) -> Option<PollerScalingDecision> {
        let Self { backlog, traffic, pollers, scaling, .. } = self;
        scaling.decide(waited, pollers.len(), now, || Load {
            backlog: backlog.len(),
            backlog_age: backlog.age(now),
            added_per_second: traffic.iter().flatten().map(|traffic| traffic.added.per_second(now)).sum(),
            dispatched_per_second: traffic.iter().flatten().map(|traffic| traffic.dispatched.per_second(now)).sum(),
        })
    }

    fn traffic(&mut self, priority: u8, now: Time) -> &mut Traffic {
        let index = usize::from(priority.clamp(1, LOWEST_PRIORITY)) - 1;
        self.traffic[index].get_or_insert_with(|| Traffic { added: Rate::new(now), dispatched: Rate::new(now) })
    }
}
