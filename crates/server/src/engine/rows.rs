//! [`Rows`]: things that are stored one by one, and [`Changes`], what an input changed.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;

use crate::store::{Batch, Row, Table};

/// What may be the key of a thing within its owner: it knows its bytes, which keep its order.
pub(crate) trait RowKey: Ord + Clone {
    fn put(&self, key: &mut BytesMut);
    fn read(bytes: &[u8]) -> Option<Self>;
}

impl RowKey for u64 {
    fn put(&self, key: &mut BytesMut) {
        key.put_u64(*self);
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        Some(Self::from_be_bytes(bytes.try_into().ok()?))
    }
}

/// Event ids; they are never negative.
impl RowKey for i64 {
    fn put(&self, key: &mut BytesMut) {
        key.put_i64(*self);
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        Some(Self::from_be_bytes(bytes.try_into().ok()?))
    }
}

impl RowKey for String {
    fn put(&self, key: &mut BytesMut) {
        key.put_slice(self.as_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        Self::from_utf8(bytes.to_vec()).ok()
    }
}

/// An ordered map of messages that are stored one row each. It remembers which of them changed since they were last
/// written, so that a change costs what it changes and not what is pending.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rows<K, V> {
    values: BTreeMap<K, V>,
    /// Some more than once: what changes in one input is put in order when it is written.
    changed: Vec<K>,
}

impl<K, V> Default for Rows<K, V> {
    fn default() -> Self {
        Self { values: BTreeMap::new(), changed: Vec::new() }
    }
}

impl<K: RowKey, V: Message + Default> Rows<K, V> {
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    pub(crate) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.values.get(key)
    }

    /// The value, which counts as changed from here on.
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let value = self.values.get_mut(key)?;
        if self.changed.last() != Some(key) {
            self.changed.push(key.clone());
        }
        Some(value)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.changed.push(key.clone());
        self.values.insert(key, value)
    }

    pub(crate) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let (key, value) = self.values.remove_entry(key)?;
        self.changed.push(key);
        Some(value)
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.values.iter()
    }

    pub(crate) fn keys(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.values.keys()
    }

    pub(crate) fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.values.values()
    }

    /// Removes everything.
    pub(crate) fn clear(&mut self) {
        self.changed.extend(std::mem::take(&mut self.values).into_keys());
    }

    /// Writes what changed: the rows of `table` whose keys begin with `prefix`.
    pub(crate) fn write(&mut self, table: Table, prefix: &[u8], changes: &mut Changes) {
        let mut changed = std::mem::take(&mut self.changed);
        if !changes.kept {
            return;
        }
        changed.sort_unstable();
        changed.dedup();
        for key in changed {
            match self.values.get(&key) {
                Some(value) => changes.put(table, row_key(prefix, &key), value),
                None => changes.remove(table, row_key(prefix, &key)),
            }
        }
    }

    /// Takes a row that was stored; `key` is without the prefix. `None` if it cannot be read.
    pub(crate) fn load(&mut self, key: &[u8], value: Bytes) -> Option<()> {
        self.values.insert(K::read(key)?, V::decode(value).ok()?);
        Some(())
    }
}

fn row_key(prefix: &[u8], key: &impl RowKey) -> Bytes {
    let mut bytes = BytesMut::from(prefix);
    key.put(&mut bytes);
    bytes.freeze()
}

/// The rows that one input changes. Collects nothing when nothing is kept.
#[derive(Debug)]
pub(crate) struct Changes {
    kept: bool,
    batch: Batch,
}

impl Changes {
    pub(crate) fn new(kept: bool) -> Self {
        Self { kept, batch: Batch::default() }
    }

    /// Whether what changes is kept at all.
    pub(crate) fn is_kept(&self) -> bool {
        self.kept
    }

    pub(crate) fn put(&mut self, table: Table, key: Bytes, value: &impl Message) {
        if self.kept {
            self.put_bytes(table, key, value.encode_to_vec().into());
        }
    }

    pub(crate) fn put_bytes(&mut self, table: Table, key: Bytes, value: Bytes) {
        if self.kept {
            self.batch.rows.push(Row { table, key, value: Some(value) });
        }
    }

    pub(crate) fn remove(&mut self, table: Table, key: Bytes) {
        if self.kept {
            self.batch.rows.push(Row { table, key, value: None });
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.batch.rows.is_empty()
    }

    pub(crate) fn take(&mut self) -> Option<Batch> {
        (!self.batch.rows.is_empty()).then(|| std::mem::take(&mut self.batch))
    }
}
