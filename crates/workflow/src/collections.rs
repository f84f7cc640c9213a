//! Maps and sets that iterate in the order in which their entries were inserted.
//!
//! The collections of std that hash iterate in an order that differs from run to run, so that a workflow that loops over
//! one is not replayed. These take the same keys (no order is needed) and iterate as a replay does.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{BuildHasherDefault, DefaultHasher, Hash};
use std::ops::{Deref, DerefMut, Index};

use indexmap::{Equivalent, IndexMap, IndexSet};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The same for all maps, on all machines.
type Hasher = BuildHasherDefault<DefaultHasher>;

/// A hash map that iterates in the order in which its keys were first inserted: a `HashMap` for workflow code.
///
/// ```
/// use stead_workflow::Map;
///
/// let mut stock = Map::new();
/// stock.insert("pears", 3);
/// stock.insert("apples", 5);
/// *stock.entry("pears").or_insert(0) += 1;
/// assert_eq!(Vec::from_iter(&stock), [(&"pears", &4), (&"apples", &5)]);
/// ```
///
/// What an [`IndexMap`] can do, it can, too.
#[derive(Clone)]
pub struct Map<K, V>(IndexMap<K, V, Hasher>);

/// A hash set that iterates in the order in which its values were first inserted: a `HashSet` for workflow code.
///
/// ```
/// use stead_workflow::Set;
///
/// let seen: Set<_> = ["b", "a", "b"].into_iter().collect();
/// assert_eq!(Vec::from_iter(&seen), [&"b", &"a"]);
/// ```
///
/// What an [`IndexSet`] can do, it can, too.
#[derive(Clone)]
pub struct Set<T>(IndexSet<T, Hasher>);

impl<K, V> Map<K, V> {
    /// An empty map.
    pub fn new() -> Self {
        Self(IndexMap::default())
    }

    /// An empty map with room for so many entries.
    pub fn with_capacity(capacity: usize) -> Self {
        Self(IndexMap::with_capacity_and_hasher(capacity, Hasher::default()))
    }
}

impl<K: Hash + Eq, V> Map<K, V> {
    /// Takes an entry out. The others keep their order, for which those after it are moved.
    pub fn remove<Q: Hash + Equivalent<K> + ?Sized>(&mut self, key: &Q) -> Option<V> {
        self.0.shift_remove(key)
    }
}

impl<T> Set<T> {
    /// An empty set.
    pub fn new() -> Self {
        Self(IndexSet::default())
    }

    /// An empty set with room for so many values.
    pub fn with_capacity(capacity: usize) -> Self {
        Self(IndexSet::with_capacity_and_hasher(capacity, Hasher::default()))
    }
}

impl<T: Hash + Eq> Set<T> {
    /// Takes a value out; returns whether it was there. The others keep their order, for which those after it are moved.
    pub fn remove<Q: Hash + Equivalent<T> + ?Sized>(&mut self, value: &Q) -> bool {
        self.0.shift_remove(value)
    }
}

impl<K, V> Default for Map<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Default for Set<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V> Deref for Map<K, V> {
    type Target = IndexMap<K, V, Hasher>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<K, V> DerefMut for Map<K, V> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl<T> Deref for Set<T> {
    type Target = IndexSet<T, Hasher>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<T> DerefMut for Set<T> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for Map<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: fmt::Debug> fmt::Debug for Set<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Maps are equal if their entries are, in whatever order.
impl<K: Hash + Eq, V: PartialEq> PartialEq for Map<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<K: Hash + Eq, V: Eq> Eq for Map<K, V> {}

/// Sets are equal if their values are, in whatever order.
impl<T: Hash + Eq> PartialEq for Set<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T: Hash + Eq> Eq for Set<T> {}

impl<K: Hash + Eq + Borrow<Q>, V, Q: Hash + Eq + ?Sized> Index<&Q> for Map<K, V> {
    type Output = V;

    fn index(&self, key: &Q) -> &V {
        &self.0[key]
    }
}

impl<K: Hash + Eq, V> FromIterator<(K, V)> for Map<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}

impl<T: Hash + Eq> FromIterator<T> for Set<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

impl<K: Hash + Eq, V, const N: usize> From<[(K, V); N]> for Map<K, V> {
    fn from(entries: [(K, V); N]) -> Self {
        entries.into_iter().collect()
    }
}

impl<T: Hash + Eq, const N: usize> From<[T; N]> for Set<T> {
    fn from(values: [T; N]) -> Self {
        values.into_iter().collect()
    }
}

impl<K, V> IntoIterator for Map<K, V> {
    type Item = (K, V);
    type IntoIter = indexmap::map::IntoIter<K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, K, V> IntoIterator for &'a Map<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = indexmap::map::Iter<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<'a, K, V> IntoIterator for &'a mut Map<K, V> {
    type Item = (&'a K, &'a mut V);
    type IntoIter = indexmap::map::IterMut<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter_mut()
    }
}

impl<T> IntoIterator for Set<T> {
    type Item = T;
    type IntoIter = indexmap::set::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Set<T> {
    type Item = &'a T;
    type IntoIter = indexmap::set::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<K: Serialize, V: Serialize> Serialize for Map<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(&self.0)
    }
}

impl<T: Serialize> Serialize for Set<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.0)
    }
}

impl<'de, K: Deserialize<'de> + Hash + Eq, V: Deserialize<'de>> Deserialize<'de> for Map<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IndexMap::deserialize(deserializer).map(Self)
    }
}

impl<'de, T: Deserialize<'de> + Hash + Eq> Deserialize<'de> for Set<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IndexSet::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_in_the_order_in_which_they_were_inserted_whatever_is_taken_out() {
        let mut map: Map<String, u32> = (0..100).map(|n| (format!("k{n}"), n)).collect();
        assert_eq!(map.remove("k1"), Some(1));
        map.insert("k0".into(), 1000);
        map.insert("k1".into(), 1001);
        let values: Vec<_> = map.values().copied().collect();
        assert_eq!(values, [1000].into_iter().chain(2..100).chain([1001]).collect::<Vec<_>>());
        let mut set = Set::from([3, 1, 2]);
        assert!(set.remove(&3) && set.insert(3) && !set.insert(1));
        assert_eq!(set.into_iter().collect::<Vec<_>>(), [1, 2, 3]);
    }

    #[test]
    fn they_travel_as_maps_and_lists_and_keep_their_order() {
        let map = Map::from([("z", 1), ("a", 2)]);
        let json = serde_json::to_string(&map).unwrap();
        assert_eq!(json, r#"{"z":1,"a":2}"#);
        assert_eq!(serde_json::from_str::<Map<&str, i32>>(&json).unwrap(), map);
        let json = serde_json::to_string(&Set::from([2, 1])).unwrap();
        assert_eq!(json, "[2,1]");
        assert_eq!(serde_json::from_str::<Set<i32>>(&json).unwrap(), Set::from([1, 2]));
    }
}
