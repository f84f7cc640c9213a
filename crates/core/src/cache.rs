//! The cache of runs: which of them stay in memory, and which goes when room is needed.

use std::collections::BTreeMap;

/// A least-recently-used cache by run id.
///
/// It only keeps order, count and weight: the caller decides what eviction means. A `BTreeMap` of uses keeps every operation
/// at `O(log n)` without an order that differs between processes.
#[derive(Debug)]
pub struct RunCache<T> {
    capacity: usize,
    max_weight: usize,
    /// Of all runs together.
    weight: usize,
    clock: u64,
    entries: BTreeMap<String, Entry<T>>,
    by_use: BTreeMap<u64, String>,
}

#[derive(Debug)]
struct Entry<T> {
    used: u64,
    weight: usize,
    value: T,
}

impl<T> RunCache<T> {
    /// An empty cache that considers itself full at `capacity` runs, or when these weigh `max_weight` together. Zero is
    /// full at once.
    pub const fn new(capacity: usize, max_weight: usize) -> Self {
        Self { capacity, max_weight, weight: 0, clock: 0, entries: BTreeMap::new(), by_use: BTreeMap::new() }
    }

    /// How many runs it may hold.
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many runs it holds.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What all runs that it holds weigh together.
    pub const fn weight(&self) -> usize {
        self.weight
    }

    /// Whether it holds more than it should.
    pub fn is_over_capacity(&self) -> bool {
        self.entries.len() > self.capacity || self.weight > self.max_weight
    }

    /// Notes what a run weighs. What it is measured in is up to the caller; a new run weighs nothing.
    pub fn set_weight(&mut self, run_id: &str, weight: usize) {
        if let Some(entry) = self.entries.get_mut(run_id) {
            let before = std::mem::replace(&mut entry.weight, weight);
            self.weight = self.weight.saturating_sub(before).saturating_add(weight);
        }
    }

    /// The run, which counts as a use.
    pub fn get_mut(&mut self, run_id: &str) -> Option<&mut T> {
        let entry = self.entries.get_mut(run_id)?;
        let id = self.by_use.remove(&entry.used);
        self.clock += 1;
        entry.used = self.clock;
        self.by_use.extend(id.map(|id| (self.clock, id)));
        Some(&mut entry.value)
    }

    /// The run, without counting it as a use.
    pub fn peek(&self, run_id: &str) -> Option<&T> {
        self.entries.get(run_id).map(|entry| &entry.value)
    }

    /// Whether the run is here, without counting it as a use.
    pub fn contains(&self, run_id: &str) -> bool {
        self.entries.contains_key(run_id)
    }

    /// Adds a run as the one used last. Returns the one it replaces, if the id was taken.
    pub fn insert(&mut self, run_id: String, value: T) -> Option<T> {
        let replaced = self.remove(&run_id);
        self.clock += 1;
        self.by_use.insert(self.clock, run_id.clone());
        self.entries.insert(run_id, Entry { used: self.clock, weight: 0, value });
        replaced
    }

    /// Takes a run out.
    pub fn remove(&mut self, run_id: &str) -> Option<T> {
        let entry = self.entries.remove(run_id)?;
        self.by_use.remove(&entry.used);
        self.weight = self.weight.saturating_sub(entry.weight);
        Some(entry.value)
    }

    /// The id of the run that was not used for longest among those that `may_go`.
    pub fn least_recently_used(&self, mut may_go: impl FnMut(&T) -> bool) -> Option<&str> {
        self.by_use.values().map(String::as_str).find(|id| self.peek(id).is_some_and(&mut may_go))
    }

    /// All runs, ordered by id.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.entries.iter().map(|(id, entry)| (id.as_str(), &entry.value))
    }

    /// All runs, ordered by id, without counting it as a use.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut T)> {
        self.entries.iter_mut().map(|(id, entry)| (id.as_str(), &mut entry.value))
    }

    /// Takes all runs out, ordered by id.
    pub fn drain(&mut self) -> impl Iterator<Item = (String, T)> + use<T> {
        self.by_use.clear();
        self.weight = 0;
        std::mem::take(&mut self.entries).into_iter().map(|(id, entry)| (id, entry.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled() -> RunCache<u8> {
        let mut cache = RunCache::new(2, 100);
        for (id, value) in [("a", 1), ("b", 2), ("c", 3)] {
            assert_eq!(cache.insert(id.to_owned(), value), None);
        }
        cache
    }

    #[test]
    fn the_run_unused_for_longest_goes_first() {
        let mut cache = filled();
        assert!(cache.is_over_capacity());
        assert_eq!(cache.get_mut("a"), Some(&mut 1));
        assert_eq!(cache.least_recently_used(|_| true), Some("b"));
        assert_eq!(cache.remove("b"), Some(2));
        assert!(!cache.is_over_capacity());
    }

    #[test]
    fn runs_that_weigh_too_much_together_are_too_many() {
        let mut cache = filled();
        cache.remove("c");
        cache.set_weight("a", 60);
        cache.set_weight("b", 41);
        assert!(cache.is_over_capacity());
        cache.set_weight("b", 40);
        assert!(!cache.is_over_capacity());
        cache.set_weight("b", 90);
        cache.remove("a");
        assert!(!cache.is_over_capacity(), "what went weighs no more");
    }

    #[test]
    fn s56_busy_runs_are_passed_over() {
        let cache = filled();
        assert_eq!(cache.least_recently_used(|value| *value > 1), Some("b"));
        assert_eq!(cache.least_recently_used(|_| false), None);
    }

    #[test]
    fn looking_is_not_using() {
        let cache = filled();
        assert_eq!(cache.peek("a"), Some(&1));
        assert!(cache.contains("a"));
        assert_eq!(cache.least_recently_used(|_| true), Some("a"));
    }

    #[test]
    fn inserting_again_replaces_and_counts_as_a_use() {
        let mut cache = filled();
        assert_eq!(cache.insert("a".to_owned(), 9), Some(1));
        assert_eq!(cache.len(), 3);
        assert_eq!(cache.least_recently_used(|_| true), Some("b"));
        assert_eq!(cache.drain().collect::<Vec<_>>(), [("a".to_owned(), 9), ("b".to_owned(), 2), ("c".to_owned(), 3)]);
        assert!(cache.is_empty());
    }
}
