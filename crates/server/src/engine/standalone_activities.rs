//! [`StandaloneActivities`]: activities without a workflow, and the calls about them.
//!
//! Their attempts are those of every activity ([`ActivityState`](super::activity::ActivityState)); `machine` is what
//! they have beside: an outcome, and cancellation and operators' commands that no history records. Tasks of theirs go
//! the way of all activity tasks.

mod callbacks;
mod checks;
mod control;
mod describe;
mod lists;
mod machine;
mod operators;
mod start;
mod tasks;
mod watch;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;

pub(crate) use machine::StandaloneActivity;
pub(crate) use watch::ActivityWait;

use super::namespaces::NamespaceKey;
use super::rows::{Changes, Rows};
use super::time::duration;
use super::waits::Subject;
use super::{Engine, Refusal, Time};
use crate::store::Table;

/// An activity without a workflow, in this engine and its store. Runs and such activities never share a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ActivityKey(pub(crate) u64);

/// All activities without a workflow, by key, by run id, and the latest of each id.
#[derive(Debug, Default)]
pub(crate) struct StandaloneActivities {
    rows: Rows<u64, StandaloneActivity>,
    by_run_id: HashMap<String, ActivityKey>,
    current: BTreeMap<(NamespaceKey, String), ActivityKey>,
    timeouts: BTreeSet<(Time, ActivityKey)>,
    timeout_of: HashMap<ActivityKey, Time>,
    retention: BTreeSet<(Time, ActivityKey)>,
    busy: BTreeSet<ActivityKey>,
    /// What this input has changed.
    touched: BTreeSet<ActivityKey>,
}

impl StandaloneActivities {
    pub(crate) fn get(&self, key: ActivityKey) -> Option<&StandaloneActivity> {
        self.rows.get(&key.0)
    }

    /// The activity of a run id, or the latest of an activity id.
    pub(crate) fn find(&self, namespace: NamespaceKey, id: &str, run_id: &str) -> Result<ActivityKey, Refusal> {
        let found = if run_id.is_empty() {
            self.current.get(&(namespace, id.to_owned())).copied()
        } else {
            self.by_run_id
                .get(run_id)
                .copied()
                .filter(|key| self.get(*key).is_some_and(|found| found.namespace() == namespace && found.id() == id))
        };
        found.ok_or_else(|| not_found(id))
    }

    fn insert(&mut self, key: ActivityKey, activity: StandaloneActivity) {
        self.index(key, &activity);
        self.rows.insert(key.0, activity);
    }

    fn index(&mut self, key: ActivityKey, activity: &StandaloneActivity) {
        self.by_run_id.insert(activity.run_id.clone(), key);
        self.current.insert((activity.namespace(), activity.id().to_owned()), key);
    }

    fn remove(&mut self, key: ActivityKey) -> Option<StandaloneActivity> {
        let activity = self.rows.remove(&key.0)?;
        self.by_run_id.remove(&activity.run_id);
        let id = (activity.namespace(), activity.id().to_owned());
        if self.current.get(&id) == Some(&key) {
            self.current.remove(&id);
        }
        self.set_timeout(key, None);
        self.busy.remove(&key);
        self.retention.retain(|(_, kept)| *kept != key);
        self.touched.remove(&key);
        Some(activity)
    }

    fn set_timeout(&mut self, key: ActivityKey, at: Option<Time>) {
        let old = match at {
            Some(at) => self.timeout_of.insert(key, at),
            None => self.timeout_of.remove(&key),
        };
        if let Some(old) = old {
            self.timeouts.remove(&(old, key));
        }
        if let Some(at) = at {
            self.timeouts.insert((at, key));
        }
    }

    pub(super) fn any_is_busy(&self) -> bool {
        !self.busy.is_empty()
    }

    pub(super) fn none_is_offered(&self) -> bool {
        self.busy.len() == self.with_workers()
    }

    pub(super) fn with_workers(&self) -> usize {
        self.busy.iter().filter_map(|key| self.get(*key)).filter(|activity| activity.is_with_a_worker()).count()
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.timeouts.first().map(|(at, _)| *at)
    }

    pub(super) fn next_retention(&self) -> Option<Time> {
        self.retention.first().map(|(at, _)| *at)
    }

    fn due(&self, now: Time) -> Option<ActivityKey> {
        self.timeouts.first().filter(|(at, _)| *at <= now).map(|(_, key)| *key)
    }

    fn take_expired(&mut self, now: Time) -> Option<ActivityKey> {
        if self.next_retention()? > now {
            return None;
        }
        self.retention.pop_first().map(|(_, key)| key)
    }

    pub(super) fn write(&mut self, changes: &mut Changes) {
        self.rows.write(Table::Activities, &[], changes);
    }

    /// Takes a row that was stored.
    pub(super) fn load(&mut self, key: &[u8], value: Bytes) -> Option<()> {
        self.rows.load(key, value)?;
        let key = u64::from_be_bytes(key.try_into().ok()?);
        let activity = self.rows.get(&key)?.clone();
        self.index(ActivityKey(key), &activity);
        Some(())
    }

    fn keys(&self) -> Vec<ActivityKey> {
        self.rows.keys().copied().map(ActivityKey).collect()
    }
}

impl Engine {
    /// The one place where such an activity is changed, and what follows each change.
    pub(super) fn change_activity<T>(
        &mut self,
        key: ActivityKey,
        change: impl FnOnce(&mut StandaloneActivity, Time) -> T,
    ) -> Option<T> {
        let activity = self.activities.rows.get_mut(&key.0)?;
        let before = activity.offer();
        let was_open = activity.is_open();
        let result = change(activity, self.now);
        activity.transitions += 1;
        let closed = was_open && !activity.is_open();
        let offers = activity.offer().is_some() && activity.offer() != before;
        self.watch_activity(key);
        if closed {
            self.keep_closed_activity(key);
            self.call_back_of_activity(key);
        }
        if offers {
            self.offer_standalone_activity(key);
        }
        Some(result)
    }

    /// Notes what has to happen to it, whether somebody is busy with it, and that it has changed.
    fn watch_activity(&mut self, key: ActivityKey) {
        let Some(activity) = self.activities.get(key) else { return };
        let (timeout, busy) = (activity.next_deadline(), activity.is_busy());
        self.activities.set_timeout(key, timeout);
        if busy {
            self.activities.busy.insert(key);
        } else {
            self.activities.busy.remove(&key);
        }
        self.activities.touched.insert(key);
    }

    fn keep_closed_activity(&mut self, key: ActivityKey) {
        let Some(activity) = self.activities.get(key) else { return };
        let namespace = self.namespaces.get(activity.namespace());
        let retention =
            namespace.and_then(|namespace| duration(namespace.config.workflow_execution_retention_ttl.as_ref()));
        let until = Time::from_unix_nanos(activity.closed_at) + retention.unwrap_or_default();
        self.activities.retention.insert((until, key));
    }

    /// Does what is due at activities without a workflow.
    pub(super) fn fire_activity_deadlines(&mut self) {
        while let Some(key) = self.activities.due(self.now) {
            self.change_activity(key, StandaloneActivity::deadline_due);
        }
        while let Some(key) = self.activities.take_expired(self.now) {
            self.forget_activity(key);
        }
    }

    /// What callers wait for, what lists show and what is kept, after all that this input changed.
    pub(super) fn publish_activities(&mut self) {
        for key in std::mem::take(&mut self.activities.touched) {
            self.serve_activity_waits(key);
            self.list_activity(key);
        }
        self.activities.write(&mut self.changes);
    }

    /// Takes an activity out of everything. Who waits for it learns that it is gone.
    fn forget_activity(&mut self, key: ActivityKey) {
        let Some(activity) = self.activities.remove(key) else { return };
        self.unlist_activity(&activity);
        for call in self.waits.of(Subject::Activity(key)) {
            self.waits.remove(call);
            self.reply(call, Err(not_found(activity.id())));
        }
    }

    /// Goes on after a restart.
    pub(super) fn resume_activities(&mut self) {
        for key in self.activities.keys() {
            self.resume_activity(key);
        }
    }

    /// Does for an activity what its state asks for, in an engine that does not know it yet.
    fn resume_activity(&mut self, key: ActivityKey) {
        self.watch_activity(key);
        let Some(activity) = self.activities.get(key) else { return };
        if !activity.is_open() {
            self.keep_closed_activity(key);
        } else if activity.offer().is_some() {
            self.offer_standalone_activity(key);
        }
    }
}

fn not_found(id: &str) -> Refusal {
    Refusal::not_found(format!("activity not found for ID: {id}"))
}
