//! [`Runs`]: all runs, and how they are found: by key, by run id, and by workflow id.

use std::collections::{BTreeSet, HashMap};

use stead_proto::common::v1::WorkflowExecution;
use uuid::Uuid;

use super::namespaces::NamespaceKey;
use super::run::{Run, RunKey};
use super::{Refusal, Time};

/// All runs of all namespaces.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    runs: HashMap<RunKey, Run>,
    by_run_id: HashMap<String, RunKey>,
    /// The latest run of each workflow id.
    current: HashMap<NamespaceKey, HashMap<String, RunKey>>,
    /// The next deadline of each open run.
    timeouts: BTreeSet<(Time, RunKey)>,
    timeout_of: HashMap<RunKey, Time>,
    /// Runs that a worker has something to do for.
    busy: BTreeSet<RunKey>,
    /// When closed runs are forgotten.
    retention: BTreeSet<(Time, RunKey)>,
    /// Keys are never used again.
    next: u64,
}

impl Runs {
    pub(crate) fn next_key(&mut self) -> RunKey {
        self.next += 1;
        RunKey(self.next)
    }

    /// The last key that was given out.
    pub(crate) fn last_key(&self) -> u64 {
        self.next
    }

    /// Gives no key out again that was given out before a restart.
    pub(crate) fn resume(&mut self, last_key: u64) {
        self.next = self.next.max(last_key);
    }

    /// The keys of all runs, in the order of their starts.
    pub(crate) fn keys(&self) -> Vec<RunKey> {
        let mut keys: Vec<_> = self.runs.keys().copied().collect();
        keys.sort_unstable();
        keys
    }

    /// Takes a new run, which is the current one of its workflow id from now on.
    pub(crate) fn insert(&mut self, run: Run) {
        self.next = self.next.max(run.key.0);
        self.by_run_id.insert(run.state.run_id.clone(), run.key);
        let current = self.current.entry(run.namespace()).or_default().entry(run.state.workflow_id.clone());
        let current = current.or_insert(run.key);
        *current = run.key.max(*current);
        self.runs.insert(run.key, run);
    }

    pub(crate) fn get(&self, key: RunKey) -> Option<&Run> {
        self.runs.get(&key)
    }

    pub(crate) fn get_mut(&mut self, key: RunKey) -> Option<&mut Run> {
        self.runs.get_mut(&key)
    }

    pub(crate) fn by_run_id(&self, run_id: &str) -> Option<RunKey> {
        self.by_run_id.get(run_id).copied()
    }

    /// The latest run of a workflow id.
    pub(crate) fn current(&self, namespace: NamespaceKey, workflow_id: &str) -> Option<RunKey> {
        self.current.get(&namespace)?.get(workflow_id).copied()
    }

    /// All runs of a namespace, in the order of their starts.
    pub(crate) fn of_namespace(&self, namespace: NamespaceKey) -> Vec<RunKey> {
        let mut keys: Vec<_> =
            self.runs.values().filter(|run| run.namespace() == namespace).map(|run| run.key).collect();
        keys.sort_unstable();
        keys
    }

    /// The run that a call names, or the current one of the workflow id.
    pub(crate) fn find(
        &self,
        namespace: NamespaceKey,
        execution: Option<&WorkflowExecution>,
    ) -> Result<RunKey, Refusal> {
        let WorkflowExecution { workflow_id, run_id } = named(execution)?;
        if run_id.is_empty() {
            let current = self.current(namespace, workflow_id);
            return current.ok_or_else(|| Refusal::not_found(format!("workflow not found for ID: {workflow_id}")));
        }
        let found = self.by_run_id(run_id).filter(|key| {
            let run = self.get(*key);
            run.is_some_and(|run| run.namespace() == namespace && run.state.workflow_id == *workflow_id)
        });
        found.ok_or_else(|| {
            let message = "workflow execution not found for workflow ID";
            Refusal::not_found(format!("{message} \"{workflow_id}\" and run ID \"{run_id}\""))
        })
    }

    /// Forgets a run. If it was the current one of its workflow id, there is none any more.
    pub(crate) fn remove(&mut self, key: RunKey) -> Option<Run> {
        let run = self.runs.remove(&key)?;
        self.by_run_id.remove(&run.state.run_id);
        if let Some(current) = self.current.get_mut(&run.namespace())
            && current.get(&run.state.workflow_id) == Some(&key)
        {
            current.remove(&run.state.workflow_id);
        }
        self.set_timeout(key, None);
        self.set_busy(key, false);
        self.retention.retain(|(_, kept)| *kept != key);
        Some(run)
    }

    pub(crate) fn set_timeout(&mut self, key: RunKey, at: Option<Time>) {
        let old = match at {
            Some(at) => self.timeout_of.insert(key, at),
            None => self.timeout_of.remove(&key),
        };
        if old == at {
            return;
        }
        if let Some(old) = old {
            self.timeouts.remove(&(old, key));
        }
        if let Some(at) = at {
            self.timeouts.insert((at, key));
        }
    }

    pub(crate) fn set_busy(&mut self, key: RunKey, busy: bool) {
        if busy {
            self.busy.insert(key)
        } else {
            self.busy.remove(&key)
        };
    }

    pub(crate) fn any_is_busy(&self) -> bool {
        !self.busy.is_empty()
    }

    pub(crate) fn busy(&self) -> impl Iterator<Item = &Run> {
        self.busy.iter().filter_map(|key| self.get(*key))
    }

    pub(crate) fn keep_until(&mut self, key: RunKey, at: Time) {
        self.retention.insert((at, key));
    }

    /// When an open run has something to do next.
    pub(crate) fn next_timeout(&self) -> Option<Time> {
        self.timeouts.first().map(|(at, _)| *at)
    }

    /// When the next closed run is to be forgotten.
    pub(crate) fn next_retention(&self) -> Option<Time> {
        self.retention.first().map(|(at, _)| *at)
    }

    /// The open run whose deadline is due, the longest overdue first.
    pub(crate) fn due(&self, now: Time) -> Option<RunKey> {
        self.timeouts.first().filter(|(at, _)| *at <= now).map(|(_, key)| *key)
    }

    /// A closed run whose retention is over.
    pub(crate) fn take_expired(&mut self, now: Time) -> Option<RunKey> {
        if self.next_retention()? > now {
            return None;
        }
        self.retention.pop_first().map(|(_, key)| key)
    }
}

/// The execution that a call names, if it can be one.
pub(crate) fn named(execution: Option<&WorkflowExecution>) -> Result<&WorkflowExecution, Refusal> {
    let Some(execution) = execution else { return Err(Refusal::invalid("Execution is not set on request.")) };
    if execution.workflow_id.is_empty() {
        return Err(Refusal::invalid("WorkflowId is not set on request."));
    }
    if !execution.run_id.is_empty() && Uuid::try_parse(&execution.run_id).is_err() {
        return Err(Refusal::invalid("Invalid RunId."));
    }
    Ok(execution)
}
