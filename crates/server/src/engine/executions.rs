//! [`Executions`]: executions that are not workflows, each one row, and how they are found: by key, by run id, and the
//! latest of each id.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use prost::Message;

use super::Time;
use super::namespaces::NamespaceKey;
use super::rows::{Changes, Rows};
use crate::store::Table;

/// What there is to know of an execution to find it, and to know when something happens to it.
pub(crate) trait Execution: Message + Default {
    fn namespace(&self) -> NamespaceKey;
    fn id(&self) -> &str;
    fn run_id(&self) -> &str;
    fn next_deadline(&self) -> Option<Time>;
    /// Whether a worker has, or could take, something to do for it.
    fn is_busy(&self) -> bool;
}

/// Executions of one kind.
#[derive(Debug)]
pub(crate) struct Executions<V> {
    rows: Rows<u64, V>,
    by_run_id: HashMap<String, u64>,
    current: BTreeMap<(NamespaceKey, String), u64>,
    timeouts: BTreeSet<(Time, u64)>,
    timeout_of: HashMap<u64, Time>,
    retention: BTreeSet<(Time, u64)>,
    busy: BTreeSet<u64>,
    /// What this input has changed.
    touched: BTreeSet<u64>,
}

impl<V> Default for Executions<V> {
    fn default() -> Self {
        Self {
            rows: Rows::default(),
            by_run_id: HashMap::new(),
            current: BTreeMap::new(),
            timeouts: BTreeSet::new(),
            timeout_of: HashMap::new(),
            retention: BTreeSet::new(),
            busy: BTreeSet::new(),
            touched: BTreeSet::new(),
        }
    }
}

impl<V: Execution> Executions<V> {
    pub(crate) fn get(&self, key: u64) -> Option<&V> {
        self.rows.get(&key)
    }

    /// The execution, which counts as changed from here on; [`Self::watch`] is to follow.
    pub(crate) fn get_mut(&mut self, key: u64) -> Option<&mut V> {
        self.rows.get_mut(&key)
    }

    /// The execution of a run id, or the latest of an id.
    pub(crate) fn find(&self, namespace: NamespaceKey, id: &str, run_id: &str) -> Option<u64> {
        if run_id.is_empty() {
            return self.current.get(&(namespace, id.to_owned())).copied();
        }
        let key = self.by_run_id.get(run_id).copied()?;
        self.get(key).is_some_and(|found| found.namespace() == namespace && found.id() == id).then_some(key)
    }

    pub(crate) fn by_run_id(&self, run_id: &str) -> Option<u64> {
        self.by_run_id.get(run_id).copied()
    }

    pub(crate) fn insert(&mut self, key: u64, execution: V) {
        self.rows.insert(key, execution);
        self.index(key);
    }

    fn index(&mut self, key: u64) {
        let Some(execution) = self.rows.get(&key) else { return };
        self.by_run_id.insert(execution.run_id().to_owned(), key);
        self.current.insert((execution.namespace(), execution.id().to_owned()), key);
    }

    pub(crate) fn remove(&mut self, key: u64) -> Option<V> {
        let execution = self.rows.remove(&key)?;
        self.by_run_id.remove(execution.run_id());
        let id = (execution.namespace(), execution.id().to_owned());
        if self.current.get(&id) == Some(&key) {
            self.current.remove(&id);
        }
        if let Some(at) = self.timeout_of.remove(&key) {
            self.timeouts.remove(&(at, key));
        }
        self.busy.remove(&key);
        self.retention.retain(|(_, kept)| *kept != key);
        self.touched.remove(&key);
        Some(execution)
    }

    /// Notes what has to happen to it, whether somebody is busy with it, and that it has changed.
    pub(crate) fn watch(&mut self, key: u64) {
        let Some(execution) = self.rows.get(&key) else { return };
        let (timeout, busy) = (execution.next_deadline(), execution.is_busy());
        if let Some(at) = self.timeout_of.remove(&key) {
            self.timeouts.remove(&(at, key));
        }
        if let Some(at) = timeout {
            self.timeouts.insert((at, key));
            self.timeout_of.insert(key, at);
        }
        if busy {
            self.busy.insert(key);
        } else {
            self.busy.remove(&key);
        }
        self.touched.insert(key);
    }

    pub(crate) fn keep_until(&mut self, key: u64, at: Time) {
        self.retention.insert((at, key));
    }

    pub(crate) fn any_is_busy(&self) -> bool {
        !self.busy.is_empty()
    }

    pub(crate) fn next_timeout(&self) -> Option<Time> {
        self.timeouts.first().map(|(at, _)| *at)
    }

    pub(crate) fn next_retention(&self) -> Option<Time> {
        self.retention.first().map(|(at, _)| *at)
    }

    /// The longest overdue.
    pub(crate) fn due(&self, now: Time) -> Option<u64> {
        self.timeouts.first().filter(|(at, _)| *at <= now).map(|(_, key)| *key)
    }

    /// One whose retention is over.
    pub(crate) fn take_expired(&mut self, now: Time) -> Option<u64> {
        if self.next_retention()? > now {
            return None;
        }
        self.retention.pop_first().map(|(_, key)| key)
    }

    pub(crate) fn take_touched(&mut self) -> BTreeSet<u64> {
        std::mem::take(&mut self.touched)
    }

    pub(crate) fn keys(&self) -> Vec<u64> {
        self.rows.keys().copied().collect()
    }

    pub(crate) fn write(&mut self, table: Table, changes: &mut Changes) {
        self.rows.write(table, &[], changes);
    }

    /// Takes a row that was stored.
    pub(crate) fn load(&mut self, key: &[u8], value: Bytes) -> Option<()> {
        self.rows.load(key, value)?;
        self.index(u64::from_be_bytes(key.try_into().ok()?));
        Some(())
    }
}
