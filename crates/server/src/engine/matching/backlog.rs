//! [`Backlog`]: tasks that wait for a poll, in the order in which they are to go.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::versions::Route;
use crate::engine::Time;

/// A task that waits.
#[derive(Clone, Debug)]
pub(super) struct Queued<T> {
    pub(super) id: T,
    pub(super) route: Route,
    /// 1 goes first, [`LOWEST_PRIORITY`] last.
    pub(super) priority: u8,
    /// Tasks are numbered as they come.
    pub(super) number: u64,
    pub(super) fairness_key: Box<str>,
    /// Of the key, after what is configured for it.
    pub(super) fairness_weight: f32,
    pub(super) added: Time,
}

pub(super) const LOWEST_PRIORITY: u8 = 5;
const DEFAULT_PRIORITY: u8 = 3;

/// The priority of a task whose owner asks for `key`; 0 asks for none.
pub(super) fn priority(key: i32) -> u8 {
    match key {
        0 => DEFAULT_PRIORITY,
        key => u8::try_from(key.clamp(1, i32::from(LOWEST_PRIORITY))).unwrap_or(LOWEST_PRIORITY),
    }
}

/// Where a task stands in the order: by priority, then by pass, then as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    priority: u8,
    pass: i64,
    number: u64,
}

/// Tasks that wait for a poll.
#[derive(Debug)]
pub(super) struct Backlog<T> {
    tasks: BTreeMap<Place, Queued<T>>,
    /// How many tasks there are of each age.
    ages: BTreeMap<Time, usize>,
    /// By priority, if fairness is on.
    passes: Option<[Passes; LOWEST_PRIORITY as usize]>,
}

impl<T: Copy> Backlog<T> {
    pub(super) fn new(fairness: bool) -> Self {
        Self { tasks: BTreeMap::new(), ages: BTreeMap::new(), passes: fairness.then(Default::default) }
    }

    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    pub(super) fn insert(&mut self, task: Queued<T>) {
        let pass = match &mut self.passes {
            Some(passes) => passes[index(task.priority)].next(&task.fairness_key, task.fairness_weight),
            None => 0,
        };
        *self.ages.entry(task.added).or_default() += 1;
        self.tasks.insert(Place { priority: task.priority, pass, number: task.number }, task);
    }

    /// In order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Place, &Queued<T>)> {
        self.tasks.iter().map(|(place, task)| (*place, task))
    }

    /// Takes a task to give it to somebody.
    pub(super) fn dispatch(&mut self, place: Place) -> Option<Queued<T>> {
        let task = self.tasks.remove(&place)?;
        self.forget_age(task.added);
        if let Some(passes) = &mut self.passes {
            passes[index(place.priority)].reached(place.pass);
        }
        Some(task)
    }

    /// Takes out the tasks that are chosen, in order.
    pub(super) fn take(&mut self, mut chosen: impl FnMut(&Queued<T>) -> bool) -> Vec<Queued<T>> {
        let places: Vec<_> = self.tasks.iter().filter(|(_, task)| chosen(task)).map(|(place, _)| *place).collect();
        let taken: Vec<_> = places.iter().filter_map(|place| self.tasks.remove(place)).collect();
        for task in &taken {
            self.forget_age(task.added);
        }
        taken
    }

    /// How long the oldest task has waited; zero if there is none.
    pub(super) fn age(&self, now: Time) -> Duration {
        self.ages.first_key_value().map_or(Duration::ZERO, |(oldest, _)| now.since(*oldest))
    }

    fn forget_age(&mut self, added: Time) {
        if let Some(count) = self.ages.get_mut(&added) {
            *count -= 1;
            if *count == 0 {
                self.ages.remove(&added);
            }
        }
    }
}

fn index(priority: u8) -> usize {
    usize::from(priority.clamp(1, LOWEST_PRIORITY)) - 1
}

/// How fairness keys share one priority: a task's pass is that of its key's last one and a stride that is shorter the
/// more the key weighs, but not before what has gone already.
#[derive(Debug, Default)]
struct Passes {
    /// The pass of what went last.
    base: i64,
    keys: HashMap<Box<str>, i64>,
}

impl Passes {
    fn next(&mut self, key: &str, weight: f32) -> i64 {
        let stride = (STRIDE / weight).max(1.0) as i64;
        let last = self.keys.get(key).copied().unwrap_or(0);
        let pass = last.saturating_add(stride).max(self.base);
        self.forget_idle_keys();
        self.keys.insert(key.into(), pass);
        pass
    }

    fn reached(&mut self, pass: i64) {
        self.base = self.base.max(pass);
    }

    fn forget_idle_keys(&mut self) {
        if self.keys.len() >= MAX_KEYS {
            let base = self.base;
            self.keys.retain(|_, pass| *pass > base);
        }
    }
}

const STRIDE: f32 = 1_000.0;
/// Keys from which those are forgotten that have nothing waiting.
const MAX_KEYS: usize = 1_000;
