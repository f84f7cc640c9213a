//! [`Run`]: one run of a workflow, its state, its history and what it waits for.
//!
//! A run is a value: its rooms change it with a [`Context`], which holds the instant and takes the [`Effect`]s on the
//! world outside of the run. Whoever changes a run does so through `Engine::transact`, the one place where a change is
//! settled.

pub(crate) mod activity;
mod child;
pub(crate) mod close;
pub(crate) mod deadlines;
pub(crate) mod event_type;
pub(crate) mod events;
mod external;
pub(crate) mod history;
mod marker;
mod nexus;
mod options;
pub(crate) mod pause;
pub(crate) mod properties;
pub(crate) mod replay;
mod reset;
pub(crate) mod reset_points;
pub(crate) mod state;
pub(crate) mod time_skipping;
pub(crate) mod timer;
pub(crate) mod versioning;
pub(crate) mod workflow_task;

use std::collections::{BTreeMap, VecDeque};

use bytes::{BufMut, Bytes, BytesMut};
use stead_proto::common::v1::{WorkflowExecution, WorkflowType};
use stead_proto::enums::v1::WorkflowExecutionStatus;

use super::activity::ActivityState;
use super::effect::Effect;
use super::ids::Ids;
use super::namespaces::NamespaceKey;
use super::nexus::operation::OperationState;
use super::rows::{Changes, Rows};
use super::updates::Updates;
use super::{Config, Time};
use crate::store::Table;
use deadlines::Deadlines;
use history::History;
use state::{ChildState, ExternalState, RequestState, RunState, TimerState, WorkflowTask};

/// A run in this engine and its store: its place in the order of starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RunKey(pub(crate) u64);

/// What the rooms of a run need to know of the world, and what they want of it.
pub(crate) struct Context<'a> {
    pub(crate) now: Time,
    pub(crate) ids: &'a mut Ids,
    pub(crate) config: &'a Config,
    /// Name of the run's namespace.
    pub(crate) namespace: &'a str,
    /// Its id, as events say it.
    pub(crate) namespace_id: &'a str,
    pub(crate) effects: &'a mut VecDeque<Effect>,
}

/// One run of a workflow.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) key: RunKey,
    pub(crate) state: RunState,
    pub(crate) history: History,
    /// By scheduled event.
    pub(crate) activities: Rows<i64, ActivityState>,
    /// Scheduled events of the activities, by the id that the workflow gave them.
    pub(crate) activity_ids: BTreeMap<String, i64>,
    /// Nexus operations, by scheduled event.
    pub(crate) operations: Rows<i64, OperationState>,
    /// By the id that the workflow gave it.
    pub(crate) timers: Rows<String, TimerState>,
    /// By initiated event.
    pub(crate) children: Rows<i64, ChildState>,
    /// Signals on their way to other workflows, by initiated event.
    pub(crate) signals: Rows<i64, ExternalState>,
    /// Cancellations on their way to other workflows, by initiated event.
    pub(crate) cancels: Rows<i64, ExternalState>,
    /// Requests that have been served, so that they are not served again.
    pub(crate) requests: Rows<String, RequestState>,
    pub(crate) updates: Updates,
    pub(crate) deadlines: Deadlines,
    /// Whether lists show the run as it is.
    pub(crate) listed: bool,
}

impl Run {
    pub(crate) fn new(key: RunKey, state: RunState) -> Self {
        Self {
            key,
            state,
            history: History::default(),
            activities: Rows::default(),
            activity_ids: BTreeMap::new(),
            operations: Rows::default(),
            timers: Rows::default(),
            children: Rows::default(),
            signals: Rows::default(),
            cancels: Rows::default(),
            requests: Rows::default(),
            updates: Updates::default(),
            deadlines: Deadlines::default(),
            listed: false,
        }
    }

    pub(crate) fn namespace(&self) -> NamespaceKey {
        NamespaceKey(self.state.namespace)
    }

    pub(crate) fn execution(&self) -> WorkflowExecution {
        WorkflowExecution { workflow_id: self.state.workflow_id.clone(), run_id: self.state.run_id.clone() }
    }

    pub(crate) fn workflow_type(&self) -> WorkflowType {
        WorkflowType { name: self.state.workflow_type.clone() }
    }

    pub(crate) fn status(&self) -> WorkflowExecutionStatus {
        self.state.status()
    }

    /// Whether the run has not closed; a paused run has not.
    pub(crate) fn is_open(&self) -> bool {
        self.state.closed_at == 0
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.state.pause.is_some()
    }

    /// Whether a worker has the workflow task, so that news have to wait.
    pub(crate) fn task_is_started(&self) -> bool {
        matches!(self.state.task, Some(WorkflowTask::Started(_)))
    }

    /// Whether the first workflow task has to wait for a start delay, a cron schedule or a backoff.
    pub(crate) fn in_backoff(&self, now: Time) -> bool {
        self.history.len() > 0 && self.state.execution_at > now.unix_nanos() && !self.has_had_task()
    }

    pub(crate) fn has_had_task(&self) -> bool {
        let had = self.state.previous_started_event_id > 0 || self.state.reset_from_event_id > 0;
        self.state.task.is_some() || had
    }

    /// Writes what changed to the store.
    pub(crate) fn write(&mut self, changes: &mut Changes) {
        if !changes.is_kept() {
            self.history.forget_unstored();
            self.write_pending(changes);
            return;
        }
        let key = Bytes::copy_from_slice(&self.key.0.to_be_bytes());
        match &self.state.task {
            Some(task) if task.is_speculative() => {
                let stored = RunState { task: None, ..self.state.clone() };
                changes.put(Table::Runs, key, &stored);
            }
            _ => changes.put(Table::Runs, key, &self.state),
        }
        for (id, event, begins) in self.history.take_unstored() {
            let mut value = BytesMut::with_capacity(event.len() + 1);
            value.put_u8(u8::from(begins));
            value.put_slice(event);
            changes.put_bytes(Table::Events, event_key(self.key, id), value.freeze());
        }
        self.write_pending(changes);
    }

    fn write_pending(&mut self, changes: &mut Changes) {
        for (pending, kind) in [(&mut self.signals, Pending::Signal), (&mut self.cancels, Pending::Cancel)] {
            pending.write(Table::Pending, &prefix(self.key, kind), changes);
        }
        self.activities.write(Table::Pending, &prefix(self.key, Pending::Activity), changes);
        self.operations.write(Table::Pending, &prefix(self.key, Pending::Operation), changes);
        self.timers.write(Table::Pending, &prefix(self.key, Pending::Timer), changes);
        self.children.write(Table::Pending, &prefix(self.key, Pending::Child), changes);
        self.requests.write(Table::Pending, &prefix(self.key, Pending::Request), changes);
        self.updates.write(&prefix(self.key, Pending::Update), changes);
    }

    /// Removes everything that is stored of the run.
    pub(crate) fn erase(&mut self, changes: &mut Changes) {
        changes.remove(Table::Runs, Bytes::copy_from_slice(&self.key.0.to_be_bytes()));
        for id in 1..self.history.next_event_id() {
            changes.remove(Table::Events, event_key(self.key, id));
        }
        self.activities.clear();
        self.operations.clear();
        self.timers.clear();
        self.children.clear();
        self.signals.clear();
        self.cancels.clear();
        self.requests.clear();
        self.updates.clear();
        self.write_pending(changes);
    }
}

fn event_key(run: RunKey, id: i64) -> Bytes {
    let mut key = BytesMut::with_capacity(16);
    key.put_u64(run.0);
    key.put_i64(id);
    key.freeze()
}

/// What the rows of a run in `Table::Pending` are. Part of the stored format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Pending {
    Activity = 1,
    Timer = 2,
    Child = 3,
    Signal = 4,
    Cancel = 5,
    Request = 6,
    Update = 7,
    Operation = 8,
}

impl Pending {
    pub(crate) fn read(kind: u8) -> Option<Self> {
        let kinds = [
            Self::Activity,
            Self::Timer,
            Self::Child,
            Self::Signal,
            Self::Cancel,
            Self::Request,
            Self::Update,
            Self::Operation,
        ];
        kinds.into_iter().find(|known| *known as u8 == kind)
    }
}

fn prefix(run: RunKey, kind: Pending) -> [u8; 9] {
    let mut prefix = [kind as u8; 9];
    prefix[..8].copy_from_slice(&run.0.to_be_bytes());
    prefix
}
