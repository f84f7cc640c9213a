//! The rules of matching, one by one, and all of them at once against a model that keeps two lists.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use stead_proto::common::v1::Priority;
use stead_proto::deployment::v1::{WorkerDeploymentOptions, WorkerDeploymentVersion};
use stead_proto::enums::v1::WorkerVersioningMode;

use super::*;
use crate::engine::ids::Ids;

const START: Time = Time::from_unix_nanos(1_767_225_600_000_000_000);
const QUEUE: &str = "orders";

/// One queue of activities, and what is asked of it.
struct Bench {
    matching: Matching<u64>,
    now: Time,
    calls: u64,
}

impl Bench {
    fn new() -> Self {
        Self::with_fairness(false)
    }

    fn with_fairness(fairness: bool) -> Self {
        Self { matching: Matching::new(fairness), now: START, calls: 0 }
    }

    fn queue(&mut self) -> QueueId {
        self.matching.queue(NamespaceKey(1), QueueKind::Activity, QUEUE, self.now)
    }

    fn add(&mut self, id: u64) {
        self.add_as(id, Directive::Routed, None);
    }

    fn add_as(&mut self, id: u64, directive: Directive<'_>, priority: Option<&Priority>) {
        let queue = self.queue();
        let task = Task { id, workflow_id: "workflow", directive, priority, added: self.now };
        self.matching.add(queue, task, self.now);
    }

    fn poll(&mut self) -> CallId {
        self.poll_as(Poller::default())
    }

    fn poll_as(&mut self, poller: Poller) -> CallId {
        self.calls += 1;
        let call = CallId(self.calls);
        let queue = self.queue();
        assert_eq!(self.matching.poll(queue, Poller { call, ..poller }, self.now), Polled::Waits);
        call
    }

    /// Pairs of task and call.
    fn matches(&mut self) -> Vec<(u64, CallId)> {
        std::iter::from_fn(|| self.matching.poll_match()).map(|found| (found.task, found.poller.call)).collect()
    }

    /// What so many polls get now.
    fn drain(&mut self, polls: usize) -> Vec<u64> {
        let calls: Vec<_> = (0..polls).map(|_| self.poll()).collect();
        let tasks = self.matches().into_iter().map(|(task, _)| task).collect();
        for call in calls {
            self.matching.forget(call);
        }
        tasks
    }

    fn wait(&mut self, duration: Duration) {
        self.now = self.now + duration;
        self.matching.handle_timeout(self.now);
    }
}

impl Default for Poller {
    fn default() -> Self {
        Self {
            call: CallId(0),
            identity: "worker".to_owned(),
            worker_instance_key: "key".to_owned(),
            deployment_options: None,
            capabilities: None,
            max_tasks_per_second: None,
        }
    }
}

fn of_version(build_id: &str) -> Poller {
    let options = WorkerDeploymentOptions {
        deployment_name: "shop".to_owned(),
        build_id: build_id.to_owned(),
        worker_versioning_mode: WorkerVersioningMode::Versioned.into(),
    };
    Poller { deployment_options: Some(options), ..Poller::default() }
}

fn version(build_id: &str) -> WorkerDeploymentVersion {
    WorkerDeploymentVersion { deployment_name: "shop".to_owned(), build_id: build_id.to_owned() }
}

fn fair(key: &str, weight: f32) -> Priority {
    Priority { priority_key: 0, fairness_key: key.to_owned(), fairness_weight: weight }
}

#[test]
fn a_task_goes_to_the_poll_that_waits_longest() {
    let mut bench = Bench::new();
    let (first, second) = (bench.poll(), bench.poll());
    bench.add(1);
    bench.add(2);
    bench.add(3);
    assert_eq!(bench.matches(), [(1, first), (2, second)]);
    let third = bench.poll();
    assert_eq!(bench.matches(), [(3, third)]);
}

#[test]
fn lower_priority_keys_go_first_and_none_is_the_middle() {
    let mut bench = Bench::new();
    for (id, key) in [(1, 5), (2, 0), (3, 3), (4, 1), (5, 900), (6, 2)] {
        bench.add_as(id, Directive::Routed, Some(&Priority { priority_key: key, ..Priority::default() }));
    }
    assert_eq!(bench.drain(9), [4, 6, 2, 3, 1, 5]);
}

#[test]
fn fairness_shares_a_queue_by_weight_only_when_it_is_on() {
    for fairness in [false, true] {
        let mut bench = Bench::with_fairness(fairness);
        (0..100).for_each(|id| bench.add_as(id, Directive::Routed, Some(&fair("heavy", 3.0))));
        (100..200).for_each(|id| bench.add_as(id, Directive::Routed, Some(&fair("light", 1.0))));
        let light = bench.drain(40).into_iter().filter(|id| *id >= 100).count();
        assert_eq!(light, if fairness { 10 } else { 0 }, "fairness: {fairness}");
    }
}

#[test]
fn a_poll_that_got_a_stale_task_is_first_in_line_again() {
    let mut bench = Bench::new();
    bench.add(1);
    let (first, second) = (bench.poll(), bench.poll());
    let stale = bench.matching.poll_match().expect("a match");
    bench.matching.put_back(stale, bench.now);
    bench.add(2);
    bench.add(3);
    assert_eq!(bench.matches(), [(2, first), (3, second)]);
}

#[test]
fn a_forgotten_or_expired_poll_gets_nothing() {
    let mut bench = Bench::new();
    let (first, second, third) = (bench.poll(), bench.poll(), bench.poll());
    assert!(bench.matching.forget(second).is_some());
    assert!(bench.matching.expire(first, bench.now).is_some());
    assert!(bench.matching.expire(first, bench.now).is_none());
    bench.add(1);
    assert_eq!(bench.matches(), [(1, third)]);
}

#[test]
fn a_worker_that_limits_itself_gets_its_rate() {
    let mut bench = Bench::new();
    (0..30).for_each(|id| bench.add(id));
    let limited = Poller { max_tasks_per_second: Some(2.0), ..Poller::default() };
    for _ in 0..30 {
        bench.poll_as(limited.clone());
    }
    let at_once = bench.matches().len();
    assert!((1..=3).contains(&at_once), "{at_once} at once");
    let mut passed = 0;
    for _ in 0..10 {
        let due = bench.matching.poll_timeout().expect("tasks are held back");
        assert!(due > bench.now);
        bench.wait(due.since(bench.now));
        passed += bench.matches().len();
    }
    assert_eq!(passed, 10);
    let took = bench.now.since(START);
    assert!((Duration::from_millis(4_500)..=Duration::from_millis(5_500)).contains(&took), "10 tasks took {took:?}");
}

#[test]
fn a_queue_that_is_stopped_by_its_configuration_goes_on_when_that_is_lifted() {
    let mut bench = Bench::new();
    let queue = bench.queue();
    bench.matching.set_rate_limits(queue, RateLimits { queue: Some(0.0), ..RateLimits::default() }, bench.now);
    bench.add(1);
    let call = bench.poll();
    bench.add(2);
    let other = bench.poll();
    bench.wait(Duration::from_secs(3_600));
    let before = bench.matches();
    bench.matching.set_rate_limits(queue, RateLimits::default(), bench.now);
    let after = bench.matches();
    assert_eq!((before, after), (vec![], vec![(1, call), (2, other)]));
}

#[test]
fn a_fairness_key_at_its_limit_does_not_hold_the_others_back() {
    let mut bench = Bench::new();
    let queue = bench.queue();
    bench.matching.set_rate_limits(queue, RateLimits { fairness_key: Some(1.0), ..RateLimits::default() }, bench.now);
    (0..10).for_each(|id| bench.add_as(id, Directive::Routed, Some(&fair("a", 1.0))));
    (10..12).for_each(|id| bench.add_as(id, Directive::Routed, Some(&fair("b", 1.0))));
    let tasks = bench.drain(20);
    assert!(tasks.contains(&10) && !tasks.contains(&9), "{tasks:?}");
}

#[test]
fn routed_tasks_go_to_the_current_version_and_follow_it() {
    let mut bench = Bench::new();
    let queue = bench.queue();
    bench.add(1);
    let old = bench.poll_as(of_version("1"));
    assert_eq!(bench.matches(), [], "an unversioned task is not for a version");
    let routing = |build_id| Routing { current: Some(version(build_id)), ..Routing::default() };
    bench.matching.set_routing(queue, routing("2"), bench.now);
    bench.add(2);
    assert_eq!(bench.matches(), []);
    bench.matching.set_routing(queue, routing("1"), bench.now);
    assert_eq!(bench.matches(), [(1, old)]);
    let new = bench.poll_as(of_version("2"));
    bench.matching.set_routing(queue, routing("2"), bench.now);
    assert_eq!(bench.matches(), [(2, new)]);
    bench.matching.set_routing(queue, Routing::default(), bench.now);
    bench.add(3);
    let unversioned = bench.poll();
    assert_eq!(bench.matches(), [(3, unversioned)]);
}

#[test]
fn a_pinned_activity_of_a_queue_that_its_version_does_not_serve_is_routed() {
    let mut bench = Bench::new();
    let queue = bench.queue();
    let unversioned = bench.poll();
    bench.add_as(1, Directive::Pinned(&version("1")), None);
    assert_eq!(bench.matches(), [(1, unversioned)]);
    let routing = Routing { members: vec![version("1")], ..Routing::default() };
    bench.matching.set_routing(queue, routing, bench.now);
    bench.poll();
    let pinned = bench.poll_as(of_version("1"));
    bench.add_as(2, Directive::Pinned(&version("1")), None);
    assert_eq!(bench.matches(), [(2, pinned)]);
}

#[test]
fn polls_of_a_worker_that_shuts_down_end_and_later_ones_are_refused() {
    let mut bench = Bench::new();
    let gone = bench.poll();
    let other = bench.poll_as(Poller { worker_instance_key: "other".to_owned(), ..Poller::default() });
    let ended = bench.matching.shut_down_worker("key", bench.now);
    assert_eq!(
        ended.iter().map(|(kind, poller)| (*kind, poller.call)).collect::<Vec<_>>(),
        [(QueueKind::Activity, gone)]
    );
    bench.add(1);
    assert_eq!(bench.matches(), [(1, other)]);
    let queue = bench.queue();
    assert_eq!(bench.matching.poll(queue, Poller::default(), bench.now), Polled::ShutDown);
    let later = bench.now + Duration::from_secs(31);
    assert_eq!(bench.matching.poll(queue, Poller::default(), later), Polled::Waits);
}

#[test]
fn a_sticky_queue_is_worth_something_while_it_is_polled_and_ten_seconds_longer() {
    let mut bench = Bench::new();
    let queue = bench.matching.queue(NamespaceKey(1), QueueKind::Sticky, "worker:1", bench.now);
    assert!(!bench.matching.has_recent_poller(queue, bench.now));
    assert_eq!(bench.matching.poll(queue, Poller::default(), bench.now), Polled::Waits);
    let later = bench.now + Duration::from_secs(60);
    assert!(bench.matching.has_recent_poller(queue, later), "it waits");
    bench.matching.expire(CallId(0), later);
    assert!(bench.matching.has_recent_poller(queue, later + Duration::from_secs(9)));
    assert!(!bench.matching.has_recent_poller(queue, later + Duration::from_secs(10)));
    bench.matching.unload(queue);
    assert!(!bench.matching.has_recent_poller(queue, later));
}

#[test]
fn a_worker_is_told_to_poll_more_or_less() {
    let advice = |bench: &mut Bench| {
        let found = bench.matching.poll_match().expect("a match");
        found.scaling.map(|decision| decision.poll_request_delta_suggestion)
    };
    let mut bench = Bench::new();
    (0..3).for_each(|id| bench.add(id));
    bench.wait(Duration::from_millis(300));
    bench.poll();
    assert_eq!(advice(&mut bench), Some(1), "there is a backlog");
    bench.drain(2);
    bench.poll();
    bench.wait(Duration::from_secs(1));
    bench.add(9);
    assert_eq!(advice(&mut bench), Some(-1), "it waited long");
}

#[test]
fn stale_tasks_of_a_long_backlog_are_asked_for() {
    let mut bench = Bench::new();
    (0..1_023).for_each(|id| bench.add(id));
    assert_eq!(bench.matching.poll_purge(), None);
    bench.add(1_023);
    let queue = bench.matching.poll_purge().expect("a long backlog");
    bench.matching.purge(queue, |id| id % 2 == 0);
    assert_eq!(bench.matching.backlog(queue), 512);
    assert_eq!(bench.drain(2), [1, 3]);
}

#[test]
fn idle_queues_are_forgotten() {
    let mut bench = Bench::new();
    for n in 0..100 {
        bench.matching.queue(NamespaceKey(1), QueueKind::Sticky, &format!("worker:{n}"), bench.now);
    }
    let busy = bench.matching.queue(NamespaceKey(1), QueueKind::Workflow, "busy", bench.now);
    let task = Task { id: 1, workflow_id: "", directive: Directive::Routed, priority: None, added: bench.now };
    bench.matching.add(busy, task, bench.now);
    bench.wait(Duration::from_secs(600));
    bench.queue();
    assert_eq!(bench.matching.queues.len(), 2);
    assert_eq!(bench.matching.find(NamespaceKey(1), QueueKind::Workflow, "busy"), Some(busy));
    assert_eq!(bench.matching.names.values().map(HashMap::len).sum::<usize>(), 2);
}

/// What waits, in the order in which it came.
#[derive(Default)]
struct Model {
    tasks: Vec<(u64, i32, String)>,
    polls: Vec<CallId>,
}

impl Model {
    fn next_match(&mut self) -> Option<(u64, CallId)> {
        let best = (0..self.tasks.len()).min_by_key(|at| (self.tasks[*at].1, *at))?;
        (!self.polls.is_empty()).then(|| (self.tasks.remove(best).0, self.polls.remove(0)))
    }
}

/// Random adds, polls, forgotten polls and stale tasks: the pairs are those of the model, in its order.
#[test]
fn pairs_are_those_of_a_model_of_two_lists() {
    for seed in 0..150 {
        let mut draw = Ids::new(seed);
        let (mut bench, mut model) = (Bench::new(), Model::default());
        for id in 0..200 {
            bench.now = bench.now + Duration::from_millis(draw.draw() % 500);
            match draw.draw() % 10 {
                0..=4 => {
                    let priority = i32::try_from(draw.draw() % 5 + 1).unwrap();
                    bench.add_as(
                        id,
                        Directive::Routed,
                        Some(&Priority { priority_key: priority, ..Default::default() }),
                    );
                    model.tasks.push((id, priority, String::new()));
                }
                5..=8 => model.polls.push(bench.poll()),
                _ if !model.polls.is_empty() => {
                    let at = usize::try_from(draw.draw()).unwrap() % model.polls.len();
                    assert!(bench.matching.forget(model.polls.remove(at)).is_some(), "seed {seed}");
                }
                _ => {}
            }
            let mut expected: Vec<_> = std::iter::from_fn(|| model.next_match()).collect();
            if draw.draw().is_multiple_of(8)
                && let Some(stale) = bench.matching.poll_match()
            {
                let (task, call) = expected.remove(0);
                assert_eq!((stale.task, stale.poller.call), (task, call), "seed {seed}");
                bench.matching.put_back(stale, bench.now);
                model.polls.insert(0, call);
            }
            expected.extend(std::iter::from_fn(|| model.next_match()));
            assert_eq!(bench.matches(), expected, "seed {seed}, step {id}");
        }
    }
}

/// With everything that holds tasks back or moves them: none is lost or given twice, and tasks of the same priority
/// and fairness key go in the order in which they came.
#[test]
fn no_task_is_lost_or_given_twice_and_keys_are_first_in_first_out() {
    for seed in 0..100 {
        let mut draw = Ids::new(seed);
        let mut bench = Bench::with_fairness(seed % 2 == 0);
        let queue = bench.queue();
        let mut kinds = BTreeMap::new();
        let mut given = Vec::new();
        for id in 0..300 {
            match draw.draw() % 12 {
                0..=5 => {
                    let wish = Priority {
                        priority_key: i32::try_from(draw.draw() % 6).unwrap(),
                        fairness_key: format!("{}", draw.draw() % 3),
                        fairness_weight: (draw.draw() % 4) as f32,
                    };
                    bench.add_as(id, Directive::Routed, Some(&wish));
                    let priority = if wish.priority_key == 0 { 3 } else { wish.priority_key };
                    kinds.insert(id, (priority, wish.fairness_key));
                }
                6..=7 => _ = bench.poll(),
                8 => _ = bench.poll_as(of_version("1")),
                9 => {
                    let current = (draw.draw().is_multiple_of(2)).then(|| version("1"));
                    bench.matching.set_routing(queue, Routing { current, ..Routing::default() }, bench.now);
                }
                10 => {
                    let some = |of: u64| (!of.is_multiple_of(3)).then_some((of % 50) as f64);
                    let limits = RateLimits {
                        queue: some(draw.draw()),
                        fairness_key: some(draw.draw()),
                        ..RateLimits::default()
                    };
                    bench.matching.set_rate_limits(queue, limits, bench.now);
                }
                // Time may pass before the engine is told that something is due.
                _ if draw.draw().is_multiple_of(2) => {
                    bench.now = bench.now + Duration::from_millis(draw.draw() % 2_000);
                }
                _ => bench.wait(Duration::from_millis(draw.draw() % 2_000)),
            }
            given.extend(bench.matches().into_iter().map(|(task, _)| task));
        }
        bench.matching.set_rate_limits(queue, RateLimits::default(), bench.now);
        bench.matching.set_routing(queue, Routing::default(), bench.now);
        given.extend(bench.matches().into_iter().map(|(task, _)| task));
        given.extend(bench.drain(300));
        let unique: BTreeSet<_> = given.iter().copied().collect();
        assert_eq!(unique.len(), given.len(), "seed {seed}: given twice");
        assert_eq!(unique, kinds.keys().copied().collect(), "seed {seed}: lost");
        let mut last = BTreeMap::new();
        for task in given {
            let before = last.insert(kinds[&task].clone(), task);
            assert!(before < Some(task), "seed {seed}: {task} after {before:?}");
        }
    }
}
